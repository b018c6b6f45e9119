//! The check of correlation lengths: by iteration of the maps, and in networks of two widths.

use super::maps::{ALGEBRAIC, DECAY};
use super::maps_claim::{level, wide_limits};
use super::networks::{NEAR, RATES};
use super::observed::{Comparison, Observed, judged, limits};
use nalgebra::{Matrix3, Vector3};
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::table::Table;

pub(super) const CLAIM: Claim = Claim {
    id: "F8",
    name: "correlation-length",
    statement: "In the ordered phase 1 - c falls as chi_1^l, so that xi_c = -1/ln chi_1, and lengths settle as xi_q = -1/ln of the slope of \
                their map; in the chaotic phase xi_c takes the slope at c* < 1 in the place of chi_1; between ReLU layers 1 - c falls as \
                9 pi^2/(2 l^2).",
    source: "Schoenholz et al. 2017, arXiv:1611.01232; Hayou et al. 2019, arXiv:1902.06853",
    expected: Expected::Holds,
    tolerance_rule: "last ratio of successive deviations of the iterated map against the slope, within twice its geometric extrapolation and \
                     its rounding; the ReLU limit from three depths by A(1 + (B ln l + C)/l), within the square of the largest of the \
                     first-order terms; rates of simulated angles and gradients, and angles at a depth, at infinite width from N and 2N \
                     by Student's quantile at 0.001 over twice the rows; rivals: chi_1 in the chaotic phase and for lengths, the \
                     density forgotten, 9 pi^2/4",
    check,
};

/// The limit of `l²(1 − c_l)` from the three deepest rows, and what is neglected: the square of the largest relative distance from it.
pub(super) fn extrapolated(rows: &[Observed]) -> Option<(f64, f64)> {
    let [.., a, b, c] = rows else { return None };
    let mut system = Matrix3::zeros();
    let mut right = Vector3::zeros();
    for (i, row) in [a, b, c].into_iter().enumerate() {
        let layer = row.layer as f64;
        system[(i, 0)] = 1.0;
        system[(i, 1)] = layer.ln() / layer;
        system[(i, 2)] = layer.recip();
        right[i] = row.value?;
    }
    let limit = system.lu().solve(&right)?[0];
    let far = right.iter().map(|v| (v / limit - 1.0).abs()).fold(0.0, f64::max);
    Some((limit, limit.abs() * far * far))
}

/// Iterated ratios against slopes.
pub(super) fn iterated(table: &Table) -> Result<Vec<Comparison>> {
    let rows = Observed::read(table, DECAY)?;
    let compared = rows.iter().filter_map(|row| {
        let (value, predicted) = row.value.zip(row.predicted)?;
        Some(Comparison {
            name: row.name(),
            value,
            predicted,
            rival: row.rival,
            tolerance: row.error,
        })
    });
    Ok(compared.collect())
}

fn check(table: &Table) -> Result<Verdict> {
    const STATISTIC: &str = "largest deviation from a prediction, in its tolerance";
    let mut hypotheses = Vec::new();
    let (mut worst, mut counterexample) = (0.0f64, None);
    let iterated = iterated(table)?;
    let rates = limits(&Observed::read(table, RATES)?, level(table), 10.0 * NEAR)?;
    let angles = wide_limits(table, &["separation"])?;
    let mut refuted = Vec::new();
    for (what, comparisons) in [
        ("slopes of iterated maps", &iterated),
        ("rates of angles and gradients at infinite width", &rates),
        ("angles at a depth at infinite width", &angles),
    ] {
        let (distance, rivals, outside) = judged(comparisons);
        worst = worst.max(distance);
        counterexample = counterexample.or(outside);
        let wrong = if rivals.1 > 0 {
            format!("; the rival is refuted {} of {} times", rivals.0, rivals.1)
        } else {
            String::new()
        };
        hypotheses.push(format!(
            "{} {what} within {:.0} % of their tolerance{wrong}",
            comparisons.len(),
            100.0 * distance
        ));
        refuted.push(rivals);
    }
    let relu = Observed::read(table, ALGEBRAIC)?;
    let limit = extrapolated(&relu).zip(relu.last().and_then(|r| r.predicted));
    if let Some(((limit, neglected), predicted)) = limit {
        let distance = (limit - predicted).abs() / neglected;
        hypotheses.push(format!(
            "ReLU: l^2 (1 - c) tends to {limit:.4} ± {neglected:.4}, 9 pi^2/2 = {predicted:.4}; half of that is {}",
            if (limit - 0.5 * predicted).abs() > neglected {
                "refuted"
            } else {
                "not refuted"
            }
        ));
        worst = worst.max(distance);
        if distance.is_nan() || distance > 1.0 {
            counterexample = counterexample.or(Some(format!("ReLU: l^2 (1 - c) tends to {limit}, not {predicted}")));
        }
    }
    if iterated.is_empty() || rates.is_empty() || angles.is_empty() || limit.is_none() {
        return Ok(Verdict::undecided(
            STATISTIC,
            hypotheses,
            "no maps, or no networks of two widths",
        ));
    }
    let decision = match &counterexample {
        Some(_) => Decision::Fails,
        None if refuted[..2].iter().any(|r| r.0 == 0) => Decision::Undecided {
            why: "too few networks to refute a rival".into(),
        },
        None => Decision::Holds,
    };
    Ok(Verdict {
        decision,
        evidence: format!(
            "{} slopes of iterated maps, {} simulated rates and {} simulated angles agree within {:.0} % of their tolerance at most.",
            iterated.len(),
            rates.len(),
            angles.len(),
            100.0 * worst
        ),
        hypotheses,
        statistic: (STATISTIC.into(), worst),
        tolerance: 1.0,
        counterexample,
    })
}
