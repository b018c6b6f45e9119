//! The claim on local wiring, and its check.

use super::claims::{Comparisons, level};
use super::local::{BETWEEN, FAN_OUT, NEIGHBOURING, TREE};
use super::point::Point;
use super::scaling::{profiles, spreading};
use ticketsense::Result;
use ticketsense::harness::{Decision, Verdict};
use ticketsense::statistics::distributions::two_sided_normal;
use ticketsense::statistics::{BinomialCount, Interval, chi_square_tail};
use ticketsense::table::Table;
use ticketsense::theory::percolation::Offspring;

/// What theory says of one universality class.
#[derive(Clone, Copy, Debug)]
pub(super) struct Class {
    pub name: &'static str,
    pub threshold: f64,
    /// Survival at the threshold falls like `L^(−δ)`.
    pub survival: f64,
    /// Reached units at the threshold grow like `L^θ`.
    pub reached: f64,
    /// The length along depth diverges like `|q − q_c|^(−ν)`.
    pub length: f64,
}

/// Jensen 1999, one dimension, two neighbouring targets.
pub(super) const DIRECTED: Class = Class {
    name: "directed percolation",
    threshold: 0.644_700_185,
    survival: 0.159_464,
    reached: 0.313_686,
    length: 1.733_847,
};

/// Trees and wide random wiring.
pub(super) const MEAN_FIELD: Class = Class {
    name: "mean field",
    threshold: 1.0 / FAN_OUT as f64,
    survival: 1.0,
    reached: 0.0,
    length: 1.0,
};

fn told(name: &str, value: f64, interval: &Interval) -> String {
    let half = 0.5 * interval.width();
    if half < 1e-2 {
        format!("{name} = {value:.4} in [{:.4}, {:.4}]", interval.lower, interval.upper)
    } else {
        format!("{name} = {value:.3} in [{:.3}, {:.3}]", interval.lower, interval.upper)
    }
}

/// Exponents and thresholds that were estimated: sentences; those that miss their own class; those that do not exclude the other.
#[derive(Default)]
struct Estimates {
    told: Vec<String>,
    missed: Vec<String>,
    open: Vec<String>,
}

impl Estimates {
    fn note(&mut self, name: &str, value: f64, interval: &Interval, own: f64, other: f64) {
        let words = told(name, value, interval);
        if !interval.contains(own) {
            self.missed.push(format!("{words}, theory {own}"));
        }
        if interval.contains(other) {
            self.open.push(format!("{words} does not exclude {other}"));
        }
        self.told.push(format!("{words} ({own})"));
    }
}

pub(super) fn local(table: &Table) -> Result<Verdict> {
    const STATISTIC: &str = "distance of the threshold from 1/b, in half-widths of its interval";
    let level = level(table);
    let z = two_sided_normal(level)?;
    let mut comparisons = Comparisons::default();
    for part in ["ring", "local"] {
        for point in Point::read(table, part)?.iter().filter(|p| p.replicates > 0) {
            if let Some(exact) = point.exact_alive {
                comparisons.count(point, exact.clamp(0.0, 1.0))?;
            }
        }
    }
    let mut hypotheses = vec![format!(
        "{} counts on narrow rings and in random wiring against their exact laws, least p-value {:.2e} against {level:.1e}",
        comparisons.made,
        comparisons.least()
    )];
    let mut why = None;
    if comparisons.least() <= level {
        why = comparisons
            .worst
            .as_ref()
            .map(|w| format!("the simulation is not its law: {}", w.1));
    }
    // Below its threshold, above that of the tree.
    let tree = Offspring::Binomial {
        fan_out: FAN_OUT as u64,
        keep: BETWEEN,
    };
    let mut between = None;
    for point in Point::read(table, "local")? {
        if point.model == NEIGHBOURING && point.keep == BETWEEN && point.replicates > 0 {
            let count = BinomialCount::new(point.alive, point.replicates)?;
            let predicted = tree.survival_to_depth(point.depth)?;
            between = Some((count.rejects(predicted, level)?, point.alive));
            hypotheses.retain(|h| !h.starts_with("at keep"));
            hypotheses.push(format!(
                "at keep {BETWEEN} and depth {} {} of {} are alive (at most {:.1e}), {predicted:.3} on a tree",
                point.depth,
                point.alive,
                point.replicates,
                count.interval(level)?.upper
            ));
        }
    }
    let mut estimates = Estimates::default();
    let (mut threshold, mut fits) = (None, 0);
    for (model, own, other) in [(NEIGHBOURING, DIRECTED, MEAN_FIELD), (TREE, MEAN_FIELD, DIRECTED)] {
        let Some(found) = profiles(table, model, z)? else {
            continue;
        };
        fits += 1;
        let fit = &found.fit;
        let p_value = chi_square_tail(fit.chi_square, fit.degrees as f64);
        hypotheses.push(format!(
            "{model}: {} octaves of depth follow one scaling law (chi-square {:.1} for {} degrees, p = {p_value:.3})",
            fit.degrees + 8,
            fit.chi_square,
            fit.degrees
        ));
        if p_value < level {
            why = why.or(Some(format!("{model}: the octaves follow no common scaling law")));
        }
        let name = |quantity: &str| format!("{model}: {quantity}");
        estimates.note(
            &name("threshold"),
            fit.keep,
            &found.keep,
            own.threshold,
            other.threshold,
        );
        estimates.note(
            &name("delta"),
            fit.coefficients[0],
            &found.exponent,
            own.survival,
            other.survival,
        );
        estimates.note(
            &name("nu"),
            fit.inverse.recip(),
            &found.length,
            own.length,
            other.length,
        );
        if model == NEIGHBOURING {
            threshold = Some((fit.keep, found.keep));
        }
    }
    let mut spreads = 0;
    for (model, own, other) in [(NEIGHBOURING, DIRECTED, MEAN_FIELD), ("random", MEAN_FIELD, DIRECTED)] {
        let Some(found) = spreading(table, model, level)? else {
            continue;
        };
        spreads += 1;
        let name = |quantity: &str| format!("{model}, spreading: {quantity}");
        let (delta, theta) = (found.survival, found.reached);
        estimates.note(&name("delta"), delta.0, &delta.1, own.survival, other.survival);
        estimates.note(&name("theta"), theta.0, &theta.1, own.reached, other.reached);
    }
    hypotheses.extend(estimates.told.iter().cloned());
    let Some((place, interval)) = threshold else {
        return Ok(Verdict::undecided(
            STATISTIC,
            hypotheses,
            "no threshold of local wiring was fitted",
        ));
    };
    let distance = (place - MEAN_FIELD.threshold).abs() / (0.5 * interval.width());
    let tree_there = interval.contains(MEAN_FIELD.threshold);
    let directed_there = interval.contains(DIRECTED.threshold);
    let why = why
        .or_else(|| {
            (comparisons.made == 0 || between.is_none() || fits < 2 || spreads < 2)
                .then(|| "a part was not measured".into())
        })
        .or_else(|| {
            (tree_there && directed_there).then(|| "too few replicates to tell 1/b from directed percolation".into())
        })
        .or_else(|| {
            (!tree_there && !directed_there)
                .then(|| "the threshold is neither 1/b nor that of directed percolation".into())
        })
        .or_else(|| estimates.missed.first().filter(|_| !tree_there).cloned())
        .or_else(|| estimates.open.first().filter(|_| !tree_there).cloned())
        .or_else(|| {
            let survives = between.is_none_or(|(refuted, _)| !refuted);
            (survives != tree_there)
                .then(|| "survival between the two thresholds contradicts the threshold found".into())
        });
    let counterexample = format!(
        "two neighbouring targets: {}, not {}; {}",
        told("threshold", place, &interval),
        MEAN_FIELD.threshold,
        hypotheses
            .iter()
            .find(|h| h.starts_with("at keep"))
            .cloned()
            .unwrap_or_default()
    );
    let (decision, counterexample) = match why {
        Some(why) => (Decision::Undecided { why }, None),
        None if tree_there => (Decision::Holds, None),
        None => (Decision::Fails, Some(counterexample)),
    };
    Ok(Verdict {
        decision,
        evidence: format!(
            "Local wiring is {}, trees and random wiring are {}: {}.",
            DIRECTED.name,
            MEAN_FIELD.name,
            hypotheses.join("; ")
        ),
        hypotheses,
        statistic: (STATISTIC.into(), distance),
        tolerance: 1.0,
        counterexample,
    })
}
