//! The check of the spread over orders of the data, a pure function of the table.

use super::claims::Means;
use super::fits::{self, ByNumber, common};
use super::{DENSE, RANDOM, REST, SMALLEST, TICKET};
use crate::experiments::tickets::{LEAST_PAIRS, LEVEL};
use std::collections::BTreeMap;
use ticketsense::Result;
use ticketsense::harness::{Decision, Verdict};
use ticketsense::statistics::{PairedComparison, Summary};
use ticketsense::table::Table;

/// With fewer orders of the data a variance is not looked at.
const LEAST_ORDERS: usize = 30;

/// Mean squared error and its standard error, the largest kept and the smallest.
type BothMasks = [Option<(f64, f64)>; 2];

/// What is known of one spread over another.
#[derive(Clone, Debug)]
pub(super) struct Against {
    pub words: String,
    pub comparison: PairedComparison,
    /// Below, above, or neither beyond doubt.
    pub sign: i8,
}

/// The measures of spread of every number of an arm: the logarithm of the variance of the loss, the standard deviation of the
/// accuracy, and the logarithm of the variance of the loss over its squared mean.
pub(super) type Spreads = BTreeMap<String, [BTreeMap<i64, f64>; MEASURES]>;

const MEASURES: usize = 3;

/// Reads the spreads; none of numbers with fewer than [`LEAST_ORDERS`] orders.
pub(super) fn spreads(table: &Table) -> Result<Spreads> {
    let mut found = Spreads::new();
    let [losses, accuracies] = fits::orders(table)?;
    let logarithm = |summary: Summary| 2.0 * summary.standard_deviation.ln();
    let deviation = |summary: Summary| summary.standard_deviation;
    let relative = |summary: Summary| 2.0 * (summary.standard_deviation / summary.mean).ln();
    let measures: [(&ByNumber, &dyn Fn(Summary) -> f64); MEASURES] =
        [(&losses, &logarithm), (&accuracies, &deviation), (&losses, &relative)];
    for (measure, (values, of)) in measures.into_iter().enumerate() {
        for ((_, kind), by_number) in values {
            for (number, values) in by_number.iter().filter(|(_, v)| v.len() >= LEAST_ORDERS) {
                let spread = of(Summary::of(values)?);
                if spread.is_finite() {
                    found.entry(kind.clone()).or_default()[measure].insert(*number, spread);
                }
            }
        }
    }
    Ok(found)
}

/// Ticket and random mask against the dense network, and ticket against random mask, in all measures.
pub(super) fn comparisons(spreads: &Spreads) -> Result<[Vec<Against>; MEASURES]> {
    let pairs = [(TICKET, DENSE), (TICKET, RANDOM), (RANDOM, DENSE)];
    let level = LEVEL / (MEASURES * pairs.len()) as f64;
    let mut found = [const { Vec::new() }; MEASURES];
    for (measure, found) in found.iter_mut().enumerate() {
        for (first, second) in pairs {
            let (Some(of_first), Some(of_second)) = (spreads.get(first), spreads.get(second)) else {
                continue;
            };
            let (a, b) = common(&of_first[measure], &of_second[measure]);
            if a.len() < 2 {
                continue;
            }
            let comparison = PairedComparison::of(&a, &b)?;
            let interval = comparison.interval(level)?;
            let sign = i8::from(interval.lower > 0.0) - i8::from(interval.upper < 0.0);
            let words = match measure {
                1 => format!(
                    "standard deviation of the accuracy, {first} minus {second}: {:+.2} [{:+.2}, {:+.2}] points",
                    100.0 * comparison.mean,
                    100.0 * interval.lower,
                    100.0 * interval.upper
                ),
                _ => format!(
                    "variance of the test loss{}, {first} over {second}: {:.2} [{:.2}, {:.2}]",
                    if measure == 2 { " over its squared mean" } else { "" },
                    comparison.mean.exp(),
                    interval.lower.exp(),
                    interval.upper.exp()
                ),
            };
            found.push(Against {
                words,
                comparison,
                sign,
            });
        }
    }
    Ok(found)
}

pub(super) fn check(table: &Table) -> Result<Verdict> {
    const STATISTIC: &str = "largest distance of a mean squared error from its closed form, over its tolerance";
    let mut means = Means::default();
    let (mut beyond, mut growth, mut fewest) = (0, f64::INFINITY, i64::MAX);
    let mut errors: BTreeMap<(i64, i64, u64), BothMasks> = BTreeMap::new();
    for record in table.filter(|r| r.text("part").is_ok_and(|p| p == REST)) {
        let (kept, batch, share) = (record.integer("kept")?, record.integer("batch")?, record.real("share")?);
        let replicates = record.integer("replicates")?;
        fewest = fewest.min(replicates);
        let (measured, error) = (record.real("measured")?, record.real("measured_error")?);
        let mask = record.text("mask")?;
        means.add(measured, error, replicates, record.real("exact")?, || {
            format!("{kept} weights, {mask} kept, batch {batch}, {share} of the largest step")
        });
        if share > 1.0 {
            beyond += 1;
            growth = growth.min(record.real("later")? / record.real("exact")?);
        }
        let place = usize::from(mask == SMALLEST);
        errors.entry((kept, batch, (1e6 * share) as u64)).or_default()[place] = Some((measured, error));
    }
    let (worst, counterexample) = means.worst()?;
    let quantile = means.quantile(fewest.min(1_000_000))?;
    let mut raised: Option<(f64, String)> = None;
    for ((kept, batch, _), pair) in &errors {
        let [Some((low, low_error)), Some((high, high_error))] = pair else {
            continue;
        };
        if high - low > quantile * low_error.hypot(*high_error)
            && raised.as_ref().is_none_or(|(most, _)| high / low > *most)
        {
            let told = format!(
                "{:.1} times as far from rest, {kept} weights, batch {batch}",
                high / low
            );
            raised = Some((high / low, told));
        }
    }
    let mut hypotheses = vec![format!(
        "{} mean squared errors agree with their closed form; the worst distance is {worst:.2} of its tolerance",
        means.count()
    )];
    if beyond > 0 {
        hypotheses.push(format!(
            "beyond the largest stable step there is no rest: {beyond} of these grow, in four times the steps at least {growth:.0}-fold"
        ));
    }
    hypotheses.extend(
        raised
            .iter()
            .map(|(_, told)| format!("losing the largest instead of the smallest coefficients: {told}")),
    );
    let spreads = spreads(table)?;
    let against = comparisons(&spreads)?;
    hypotheses.extend(against.iter().flatten().map(|a| a.words.clone()));
    if means.count() == 0 || fewest < 30 {
        return Ok(Verdict::undecided(
            STATISTIC,
            hypotheses,
            "too little descent was simulated",
        ));
    }
    let pairs = against.iter().flatten().map(|a| a.comparison.pairs).min().unwrap_or(0);
    let decision = if counterexample.is_some() {
        Decision::Fails
    } else if pairs < LEAST_PAIRS || against.iter().any(|a| a.len() < 3) {
        Decision::Undecided {
            why: format!("not every comparison has {LEAST_PAIRS} seeds with {LEAST_ORDERS} orders of the data each"),
        }
    } else {
        judged(&against)
    };
    Ok(Verdict {
        decision,
        evidence: format!("{}.", hypotheses.join("; ")),
        hypotheses,
        statistic: (STATISTIC.into(), worst),
        tolerance: 1.0,
        counterexample,
    })
}

/// The networks' part. As stated, where the ticket spreads less than both others in loss and accuracy, and the random mask no
/// more than the dense network, whose weights are more. Under a condition, where the ticket is shown to spread less than both
/// in one measure without spreading more in the other, or where something else is shown than what is stated. Open, where
/// neither is.
fn judged(against: &[Vec<Against>; MEASURES]) -> Decision {
    let of = |place: usize| [against[0][place].sign, against[1][place].sign];
    let (dense, random, control) = (of(0), of(1), of(2));
    if dense == [-1, -1] && random == [-1, -1] && !control.contains(&1) {
        return Decision::Holds;
    }
    let word = |signs: [i8; 2]| match signs {
        [-1, -1] => "less in loss and accuracy",
        [1, 1] => "more in loss and accuracy",
        [-1, 0] => "less in loss",
        [0, -1] => "less in accuracy",
        [1, 0] => "more in loss",
        [0, 1] => "more in accuracy",
        [-1, 1] => "less in loss and more in accuracy",
        [1, -1] => "more in loss and less in accuracy",
        _ => "no less beyond doubt",
    };
    let less = |signs: [i8; 2]| signs.contains(&-1) && !signs.contains(&1);
    let otherwise = dense.contains(&1) || random.contains(&1) || control.iter().any(|sign| *sign != 0);
    if otherwise || (less(dense) && less(random)) {
        let relative = match against[2][1].sign {
            0 => "cannot be told from",
            sign if sign < 0 => "lies below",
            _ => "lies above",
        };
        return Decision::HoldsUnder {
            condition: format!(
                "masks that leave the signal; in networks a ticket varies {} than the dense network and {} than a random mask, a \
                 random mask {} than the dense network, and over its squared mean the ticket's variance of the loss {relative} that of \
                 the random mask",
                word(dense),
                word(random),
                word(control)
            ),
        };
    }
    Decision::Undecided {
        why: format!(
            "a ticket varies {} than the dense network and {} than a random mask",
            word(dense),
            word(random)
        ),
    }
}
