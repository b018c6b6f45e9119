//! What is claimed about the diagram over depth and width, and the check, a pure function of the table.

use super::contours::{Contour, Place, contours};
use std::collections::BTreeMap;
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::table::Table;

pub(super) const CLAIMS: &[Claim] = &[Claim {
    id: "I11",
    name: "depth-width-phase-diagram",
    statement: "Over depth and width, recovery of sparse weights through a network's Jacobian has a phase diagram that is \
                highly consistent with the classical one: the same 50 % contour as a Gaussian matrix of equal size.",
    source: "Donoho & Tanner 2009 for the classical transition and its universality; the effective measurement ratio of a \
             network is a choice of the model, here rank over live columns",
    expected: Expected::Fails,
    tolerance_rule: "50 % points of logistic curves in ln(k/m), each trial with a network of its own, with profile-likelihood \
                     intervals at 0.001 over twice the points compared: contours differ where the intervals are disjoint, and \
                     agree where all overlap and no two ends allow a factor of 1.5",
    check: consistent,
}];

const LEVEL: f64 = 1e-3;
/// The factor between contours that overlapping intervals may allow when they are to agree.
const AGREE: f64 = 1.5;

/// Two contours at one place.
struct Pair {
    place: Place,
    network: Contour,
    gaussian: Contour,
}

impl Pair {
    fn differ(&self) -> bool {
        self.network.interval.upper < self.gaussian.interval.lower
            || self.gaussian.interval.upper < self.network.interval.lower
    }

    /// How many times later the Gaussian contour comes.
    fn factor(&self) -> Option<f64> {
        Some(self.gaussian.half? / self.network.half?)
    }

    /// The largest factor, either way, that the intervals allow.
    fn allowed(&self) -> f64 {
        let (a, b) = (self.network.interval, self.gaussian.interval);
        (a.upper / b.lower).max(b.upper / a.lower)
    }
}

fn pairs(table: &Table, other: &str, level: f64) -> Result<Vec<Pair>> {
    let gaussian: BTreeMap<Place, Contour> = contours(table, other, level)?;
    let network = contours(table, "network", level)?;
    let pair = |(place, network): (Place, Contour)| {
        let gaussian = *gaussian.get(&place)?;
        Some(Pair {
            place,
            network,
            gaussian,
        })
    };
    Ok(network.into_iter().filter_map(pair).collect())
}

fn consistent(table: &Table) -> Result<Verdict> {
    let statistic = "largest factor between the 50 % points of a Gaussian matrix and of the Jacobian";
    let hypotheses = vec![
        "bias-free ReLU networks at He's initialisation on Gaussian inputs, all their weights as columns".into(),
        "k entries of ±1 on random live columns; as many Gaussian columns as the network has weights, zero ones included".into(),
        "matching pursuit is told k; basis pursuit is decided by proof, and by its solution where rounding leaves none".into(),
    ];
    let count = pairs(table, "gaussian", LEVEL)?.len();
    if count == 0 {
        return Ok(Verdict::undecided(statistic, hypotheses, "no place has both contours"));
    }
    let level = LEVEL / (2 * count) as f64;
    let compared = pairs(table, "gaussian", level)?;
    let differing: Vec<&Pair> = compared.iter().filter(|p| p.differ()).collect();
    let mut factors: Vec<f64> = compared.iter().filter_map(Pair::factor).collect();
    factors.sort_by(f64::total_cmp);
    let (least, most) = (
        factors.first().copied().unwrap_or(f64::NAN),
        factors.last().copied().unwrap_or(f64::NAN),
    );
    let worst = compared
        .iter()
        .filter_map(|p| p.factor().map(|f| (f, &p.place)))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let decision = if !differing.is_empty() {
        Decision::Fails
    } else if compared.iter().all(|p| p.allowed() < AGREE) {
        Decision::Holds
    } else {
        Decision::Undecided {
            why: format!("the intervals overlap but allow factors of {AGREE} and more"),
        }
    };
    let fails = decision == Decision::Fails;
    let effective = pairs(table, "effective", level)?;
    let effective_differing = effective.iter().filter(|p| p.differ()).count();
    let mut effective_factors: Vec<f64> = effective.iter().filter_map(Pair::factor).collect();
    effective_factors.sort_by(f64::total_cmp);
    let (rising, steps) = order(&compared);
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (statistic.into(), most),
        tolerance: AGREE,
        evidence: format!(
            "{} of {count} points of the contours differ beyond their intervals; a Gaussian matrix recovers {least:.2} to \
             {most:.2} times as many nonzeros. With the effective size, rank by live columns, {effective_differing} of {} \
             differ, by factors of {:.2} to {:.2}. The order is that of the classical diagram in {rising} of {steps} steps: \
             more nonzeros with more rows",
            differing.len(),
            effective.len(),
            effective_factors.first().copied().unwrap_or(f64::NAN),
            effective_factors.last().copied().unwrap_or(f64::NAN),
        ),
        counterexample: worst.filter(|_| fails).map(|(factor, place)| {
            format!(
                "{}, L = {}, w = {}, m/N = {}: a factor of {factor:.2}",
                place.solver,
                place.layers,
                place.width,
                place.ratio as f64 / 1000.0
            )
        }),
    })
}

/// In how many steps to the next ratio of rows, at one solver, depth and width, the network's contour in k rises, and how
/// many steps there are. Contours are in k/m, so that k rises where `half · ratio` does.
fn order(pairs: &[Pair]) -> (usize, usize) {
    let (mut rising, mut steps) = (0, 0);
    for pair in pairs {
        let follows = |other: &&Pair| {
            let (a, b) = (&pair.place, &other.place);
            (&a.solver, a.layers, a.width) == (&b.solver, b.layers, b.width) && b.ratio > a.ratio
        };
        let next = pairs.iter().filter(follows).min_by_key(|p| p.place.ratio);
        if let Some((next, low, high)) = next.and_then(|n| Some((n, pair.network.half?, n.network.half?))) {
            steps += 1;
            rising += usize::from(high * next.place.ratio as f64 > low * pair.place.ratio as f64);
        }
    }
    (rising, steps)
}
