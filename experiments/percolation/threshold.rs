//! Where the survival on trees, in wide random wiring and in local wiring ends, and the claim on it.

use super::claims::level;
use super::point::Point;
use ticketsense::Result;
use ticketsense::harness::{Decision, Verdict};
use ticketsense::statistics::distributions::two_sided_normal;
use ticketsense::statistics::logistic::Point as Count;
use ticketsense::statistics::{WeightedLine, fit_threshold};
use ticketsense::table::Table;
use ticketsense::theory::percolation::drop_threshold;
use ticketsense::theory::special::normal_probability;

/// The 50 % points of one model and fan-out with their extrapolation.
#[derive(Clone, Debug)]
pub(super) struct Threshold {
    pub model: String,
    pub fan_out: u64,
    /// (L, keep probability at the 50 % point, its standard error).
    pub halves: Vec<(f64, f64, f64)>,
    /// Keep probability against `ln L / L²`; none where some depth has no 50 % point.
    pub line: Option<WeightedLine>,
}

/// The order of the finite-depth shift of the 50 % point: at the threshold `1/s_L = f''(1)L/2 + O(ln L)`, so the
/// conditional survival misses one half by `O(ln L / L)` there and its slope in keep is `∝ L`.
pub(super) fn finite_size(layers: f64) -> f64 {
    layers.ln() / (layers * layers)
}

/// The thresholds by model and fan-out, in the order of the table.
pub(super) fn thresholds(table: &Table) -> Result<Vec<Threshold>> {
    // The level at which the half-width of an interval is one standard error.
    let one_sigma = 2.0 * normal_probability(-1.0);
    let points = Point::read(table, "threshold")?;
    let mut keys: Vec<(String, u64)> = Vec::new();
    for point in &points {
        let key = (point.model.clone(), point.fan_out);
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let mut found = Vec::new();
    for (model, fan_out) in keys {
        let group = || points.iter().filter(|p| p.model == model && p.fan_out == fan_out);
        let mut depths: Vec<u64> = group().map(|p| p.from_depth).collect();
        depths.sort_unstable();
        depths.dedup();
        let mut halves = Vec::new();
        for &depth in &depths {
            let counts: Vec<Count> = group()
                .filter(|p| p.from_depth == depth)
                .map(|p| Count {
                    x: p.keep,
                    successes: p.alive,
                    trials: p.replicates,
                })
                .collect();
            if counts.iter().filter(|c| c.trials > 0).count() < 2 {
                continue;
            }
            let fit = fit_threshold(&counts, one_sigma)?;
            let error = 0.5 * fit.interval.width();
            if let Some(point) = fit.point().filter(|_| error.is_finite() && error > 0.0) {
                halves.push((depth as f64, point, error));
            }
        }
        let line = if halves.len() == depths.len() && halves.len() >= 3 {
            let column = |pick: fn(&(f64, f64, f64)) -> f64| halves.iter().map(pick).collect::<Vec<_>>();
            Some(WeightedLine::of(
                &column(|h| finite_size(h.0)),
                &column(|h| h.1),
                &column(|h| h.2),
            )?)
        } else {
            None
        };
        found.push(Threshold {
            model,
            fan_out,
            halves,
            line,
        });
    }
    Ok(found)
}

pub(super) fn threshold(table: &Table) -> Result<Verdict> {
    const STATISTIC: &str = "largest distance of an extrapolated threshold from 1/b, in its tolerance";
    let level = level(table);
    let z = two_sided_normal(level)?;
    let mut hypotheses = Vec::new();
    let (mut worst, mut counterexample, mut why, mut evidence) = (0.0f64, None, None, Vec::new());
    let (mut mixed, mut local) = (0, false);
    for threshold in thresholds(table)? {
        let Threshold { model, fan_out, .. } = &threshold;
        let name = format!("{model}, fan-out {fan_out}");
        let Some(line) = &threshold.line else {
            why = why.or(Some(format!(
                "{name}: fewer than three depths, or a depth without a 50 % point"
            )));
            continue;
        };
        let predicted = 1.0 - drop_threshold(*fan_out as f64)?;
        let tolerance = z * line.intercept_error;
        let distance = (line.intercept - predicted).abs() / tolerance;
        let found = format!("{name}: p_c = {:.5} ± {:.5}", 1.0 - line.intercept, tolerance);
        if model == "neighbouring" {
            // Here the claim must not hold: children share parents as a rule.
            local = distance > 1.0;
            // Its own finite-depth law is another one, so that the intercept is not its threshold: only that it is not 1/b
            // counts.
            evidence.push(format!(
                "outside the condition, in local wiring with fan-out {fan_out}, the same line ends at {:.3} and not at {:.3}",
                1.0 - line.intercept,
                1.0 - predicted
            ));
            continue;
        }
        mixed += 1;
        // A rival that takes the fan-out for the coordination number of a lattice puts the threshold at 1/(b − 1).
        let gap = 1.0 / (*fan_out as f64 - 1.0) - predicted;
        hypotheses.push(format!(
            "{name}: {} depths follow the finite-size law (p = {:.3}); half-width {tolerance:.1e} against a gap of {gap:.1e} \
             to the rival 1 - 1/(b-1)",
            line.points, line.p_value
        ));
        if distance > 1.0 {
            counterexample = Some(format!("{found}, predicted {:.5}", 1.0 - predicted));
        } else if line.p_value < level {
            why = why.or(Some(format!("{name}: the 50 % points do not follow ln(L)/L^2")));
        } else if tolerance > 0.5 * gap {
            why = why.or(Some(format!(
                "{name}: too few replicates to tell 1 - 1/b from 1 - 1/(b-1)"
            )));
        }
        worst = worst.max(distance);
        evidence.push(format!("{found}, predicted {:.5}", 1.0 - predicted));
    }
    if mixed == 0 {
        let why = why.unwrap_or_else(|| "no threshold on a tree or in random wiring was measured".into());
        return Ok(Verdict::undecided(STATISTIC, vec!["none could be checked".into()], why));
    }
    if !local && why.is_none() {
        why = Some("local wiring, where 1 - 1/b must fail, is not told apart from it".into());
    }
    let decision = match (&counterexample, why) {
        (Some(_), _) => Decision::Fails,
        (None, Some(why)) => Decision::Undecided { why },
        (None, None) => Decision::HoldsUnder {
            condition:
                "a tree, or random wiring whose width grows before the depth (here like L^3/ln L); not local wiring"
                    .into(),
        },
    };
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (STATISTIC.into(), worst),
        tolerance: 1.0,
        evidence: format!("Dropped fraction at the threshold: {}.", evidence.join("; ")),
        counterexample,
    })
}
