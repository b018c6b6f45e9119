//! The check of what a mask of large weights inherits.

use super::inherited::{CHOSEN, INHERITED, MAGNITUDE, TRAINED, TRAINED_DENSITIES};
use super::maps_claim::level;
use super::observed::{Comparison, Observed, judged};
use crate::experiments::tickets::LEAST_PAIRS;
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::statistics::{PairedComparison, Summary};
use ticketsense::table::Table;
use ticketsense::theory::mean_field::inherited_scale;

pub(super) const CLAIM: Claim = Claim {
    id: "F9",
    name: "tickets-inherit-scale",
    statement: "Tickets stay trainable because they inherit large initial weights, which make up for the lost density: the kept weights have \
                the critical scale of the dense network.",
    source: "second moment of a truncated normal law; Frankle and Carbin 2019, arXiv:1803.03635",
    expected: Expected::Fails,
    tolerance_rule: "shares of Gaussian samples, and lengths in masked critical ReLU networks, against 2[t phi(t) + 1 - Phi(t)] by Student's \
                     quantile at 0.001 over twice the rows; the claim is refuted where the share is below 1 beyond its tolerance; masks of \
                     final and initial weights of the same trained networks are compared in pairs at 0.001 over all layers, densities and \
                     comparisons",
    check,
};

/// Shares by seed: the mask of final weights, of initial ones, at random.
type Shares = [Vec<(i64, f64)>; 3];

/// Shares of one layer and density of the trained networks.
pub(super) fn shares(table: &Table, layer: i64, density: f64) -> Result<Shares> {
    let mut found: Shares = Default::default();
    for record in table.iter() {
        if record.text("part")? != TRAINED || record.integer("layer")? != layer || record.real("density")? != density {
            continue;
        }
        if let Some(place) = CHOSEN.iter().position(|c| record.text("regime").is_ok_and(|r| r == *c)) {
            found[place].push((record.integer("seed")?, record.real("value")?));
        }
    }
    found.iter_mut().for_each(|s| s.sort_by_key(|v| v.0));
    Ok(found)
}

/// Samples and networks against the closed form.
pub(super) fn comparisons(table: &Table, part: &str) -> Result<Vec<Comparison>> {
    let mut found = Vec::new();
    for row in Observed::read(table, part)? {
        if let Some(predicted) = row.predicted {
            found.extend(row.against(predicted, row.neglected, level(table))?);
        }
    }
    Ok(found)
}

fn check(table: &Table) -> Result<Verdict> {
    const STATISTIC: &str =
        "largest share of the critical scale that a mask below density 1 inherits, with its tolerance";
    let samples = comparisons(table, INHERITED)?;
    let networks = comparisons(table, MAGNITUDE)?;
    let (sample_worst, random, outside) = judged(&samples);
    let (network_worst, critical, other) = judged(&networks);
    let mut hypotheses = vec![
        format!(
            "{} shares of Gaussian samples within {:.0} % of their tolerance; a random mask's share is refuted {} of {} times",
            samples.len(),
            100.0 * sample_worst,
            random.0,
            random.1
        ),
        format!(
            "{} lengths in critical ReLU networks whose largest weights are kept within {:.0} % of their tolerance; an inherited critical \
             scale is refuted {} of {} times",
            networks.len(),
            100.0 * network_worst,
            critical.0,
            critical.1
        ),
    ];
    let half = density_of(0.5)?;
    hypotheses.push(format!(
        "half of the scale is lost at density {half:.4}; at density 0.1 {:.3} is left, 2 becomes {:.3}",
        inherited_scale(0.1, 1.0)?,
        2.0 * inherited_scale(0.1, 1.0)?
    ));
    // The largest share with its tolerance.
    let largest = samples.iter().map(|c| c.value + c.tolerance).fold(f64::NAN, f64::max);
    let keeps = !samples.is_empty() && samples.iter().all(|c| c.value - c.tolerance >= 1.0);
    // Trained networks.
    let level = 1e-3 / (2 * 2 * TRAINED_DENSITIES.len()) as f64;
    let (mut pairs, mut less, mut more, mut tested) = (usize::MAX, 0, 0, 0);
    let mut inherits = None;
    let mut told = Vec::new();
    for layer in [1, 2] {
        for density in TRAINED_DENSITIES {
            let [last, first, random] =
                shares(table, layer, density)?.map(|s| s.iter().map(|v| v.1).collect::<Vec<f64>>());
            pairs = pairs.min(last.len());
            if last.len() < LEAST_PAIRS {
                continue;
            }
            tested += 1;
            less += usize::from(PairedComparison::of(&first, &last)?.interval(level)?.lower > 0.0);
            more += usize::from(PairedComparison::of(&last, &random)?.interval(level)?.lower > 0.0);
            let kept = Summary::of(&last)?;
            if kept.interval(level)?.upper >= 1.0 {
                inherits = Some(format!("trained, layer {layer}, density {density}"));
            }
            if density == 0.1 {
                let [a, b] = [&first, &random].map(|v| Summary::of(v).map(|s| s.mean));
                told.push(format!(
                    "{:.3} in layer {layer} ({:.3} by initial weights, {:.3} at random)",
                    kept.mean, a?, b?
                ));
            }
        }
    }
    if pairs < LEAST_PAIRS {
        hypotheses.push(format!(
            "trained networks: {pairs} pairs, {LEAST_PAIRS} are needed; masks of final weights are not judged"
        ));
    } else {
        hypotheses.push(format!(
            "{pairs} trained networks: masks of final weights retain less than masks of initial ones in {less} of {tested} layers and \
             densities, and more than random ones in {more}"
        ));
        hypotheses.push(format!(
            "at density 0.1 masks of final weights keep {}",
            told.join(" and ")
        ));
    }
    if samples.is_empty() || networks.is_empty() {
        return Ok(Verdict::undecided(STATISTIC, hypotheses, "no samples, or no networks"));
    }
    let unconfirmed = outside.or(other);
    let refuting = samples.iter().min_by(|a, b| a.value.total_cmp(&b.value));
    let (decision, counterexample) = if keeps {
        (Decision::Holds, None)
    } else if let Some(case) = unconfirmed {
        let why = format!("the closed form does not fit: {case}");
        (Decision::Undecided { why }, Some(case))
    } else if largest < 1.0 && critical.0 > 0 && inherits.is_none() {
        (Decision::Fails, refuting.map(Comparison::told))
    } else {
        let why = inherits.unwrap_or_else(|| "too few samples to tell the share from 1".into());
        (Decision::Undecided { why }, None)
    };
    Ok(Verdict {
        decision,
        evidence: format!(
            "The largest tenth of Gaussian weights keeps {:.3} of the scale, so that 2 becomes {:.3}; half is lost at density {half:.3}. {}",
            inherited_scale(0.1, 1.0)?,
            2.0 * inherited_scale(0.1, 1.0)?,
            if pairs < LEAST_PAIRS {
                "Too few trained networks to judge masks of final weights.".to_string()
            } else {
                format!("Masks of final weights keep less in {less} of {tested} paired cases.")
            }
        ),
        hypotheses,
        statistic: (STATISTIC.into(), largest),
        tolerance: 1.0,
        counterexample,
    })
}

/// The density at which the largest weights keep a share of the scale.
fn density_of(share: f64) -> Result<f64> {
    let (mut low, mut high) = (1e-9, 1.0);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if inherited_scale(middle, 1.0)? < share {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok(high)
}
