//! The claim that random networks contain good subnetworks, read off the table.

use super::super::comparison::{DENSE, Outcomes, Pair};
use super::super::tickets::points;
use super::search::{POPUP, POPUP_NORMAL, RANDOM, SMALL};
use super::sums::{ALL_SUBSETS, HALF_SIZE};
use super::{SUMS, TARGETS};
use std::f64::consts::LN_2;
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::statistics::{Interval, LineFit};
use ticketsense::table::Table;
use ticketsense::theory::subset_sum::least_radius;

/// The claims of the experiment.
pub const CLAIMS: &[Claim] = &[Claim {
    id: "A12",
    name: "strong-lth",
    statement: "A random network that is large enough contains, before any training, a subnetwork that computes what a trained \
         network does: the subset sums of n random numbers come within a distance of every target that falls geometrically in \
         n, networks pruned by such sums approach a given network, and a search over masks alone (edge-popup) finds good ones.",
    source: "Ramanujan et al., CVPR 2020; Malach et al., ICML 2020; Pensia et al., NeurIPS 2020; Orseau et al., NeurIPS 2020; \
         Lueker, Random Structures & Algorithms 1998",
    expected: Expected::HoldsUnder,
    tolerance_rule: "Covering radii are exact, up to the rounding of sums. The slope of the log radius in n, by least squares over \
         at least 30 independent draws each, must lie below zero with its whole 99.9 % interval, and so must that of the later half \
         below what a power law through the earlier half would have there; it must not be shown to be flatter than that of the \
         earlier half. The error of pruned networks likewise falls with the \
         units a weight. It fails where the radius does not fall geometrically. What edge-popup finds is a condition and not the \
         decision: paired seeds, at least 20, Holm over densities, the margin one standard deviation of dense pilots.",
    check: untrained,
}];

/// The level of the intervals of slopes.
const SLOPE_LEVEL: f64 = 1e-3;
/// Independent draws of numbers, at least.
const LEAST_DRAWS: usize = 30;
/// `ln r ≈ −n ln 2 + (3/2) ln n`: sums crowd in a range of order √n, and the largest of 2ⁿ random gaps is of order n times
/// their mean.
const CROWDING: f64 = 1.5;

/// Log radii by the number of numbers.
pub struct Radii {
    /// (n, ln radius), in the order of the table.
    pub points: Vec<(f64, f64)>,
}

impl Radii {
    /// Those of one kind of subsets. A radius of zero has no logarithm and cannot come from random numbers.
    pub fn read(table: &Table, arm: &str) -> Result<Radii> {
        let mut points = Vec::new();
        for record in table.iter() {
            if record.text("part")? == SUMS && record.text("arm")? == arm {
                points.push((record.integer("numbers")? as f64, record.real("radius")?.ln()));
            }
        }
        Ok(Radii { points })
    }

    /// The numbers of numbers, ascending.
    pub fn numbers(&self) -> Vec<f64> {
        let mut numbers: Vec<f64> = self.points.iter().map(|p| p.0).collect();
        numbers.sort_by(f64::total_cmp);
        numbers.dedup();
        numbers
    }

    /// Log radii at one number.
    pub fn at(&self, numbers: f64) -> Vec<f64> {
        self.points.iter().filter(|p| p.0 == numbers).map(|p| p.1).collect()
    }

    /// The line of `ln r + crowding · ln n` over the numbers that `keep` chooses.
    pub fn line(&self, crowding: f64, keep: impl Fn(f64) -> bool) -> Result<LineFit> {
        let kept = self.points.iter().filter(|p| keep(p.0));
        let (x, y): (Vec<f64>, Vec<f64>) = kept.map(|p| (p.0, p.1 - crowding * p.0.ln())).unzip();
        LineFit::of(&x, &y)
    }
}

/// Whether the radius falls geometrically.
struct Decay {
    slope: f64,
    interval: Interval,
    early: Interval,
    later: Interval,
    /// The slope that a power law through the earlier half has in the later half.
    power: f64,
    /// The slope without the factor of crowding.
    uncrowded: Interval,
    /// Radii below what any numbers could have.
    impossible: usize,
    draws: usize,
}

impl Decay {
    fn read(radii: &Radii) -> Result<Option<Decay>> {
        let numbers = radii.numbers();
        let draws = numbers.iter().map(|&n| radii.at(n).len()).min().unwrap_or(0);
        if numbers.len() < 6 || draws < LEAST_DRAWS {
            return Ok(None);
        }
        let middle = numbers[numbers.len() / 2];
        let (early, later) = (radii.line(0.0, |n| n < middle)?, radii.line(0.0, |n| n >= middle)?);
        let all = radii.line(0.0, |_| true)?;
        // A power law r = c n^(−q) with the early drop has q = slope · Δn / Δ ln n, and later the smaller slope.
        let last = numbers[numbers.len() - 1];
        let before = numbers[numbers.len() / 2 - 1];
        let exponent = early.slope * (before - numbers[0]) / (before / numbers[0]).ln();
        let impossible = radii
            .points
            .iter()
            .filter(|(n, r)| r.exp() < least_radius(*n as usize, 1.0));
        Ok(Some(Decay {
            slope: all.slope,
            interval: all.slope_interval(SLOPE_LEVEL)?,
            early: early.slope_interval(SLOPE_LEVEL)?,
            later: later.slope_interval(SLOPE_LEVEL)?,
            power: exponent * (last / middle).ln() / (last - middle),
            uncrowded: radii.line(CROWDING, |_| true)?.slope_interval(SLOPE_LEVEL)?,
            impossible: impossible.count(),
            draws,
        }))
    }

    fn geometric(&self) -> bool {
        let flattens = self.later.lower > self.early.upper;
        self.interval.upper < 0.0 && self.later.upper < self.power && !flattens
    }
}

/// The line of the log error of pruned networks in the units a weight, and how many errors exceed their proven bound.
fn pruned(table: &Table) -> Result<(Option<LineFit>, usize)> {
    let (mut x, mut y, mut broken) = (Vec::new(), Vec::new(), 0);
    for record in table.iter() {
        if record.text("part")? == TARGETS {
            let (error, bound) = (record.real("sup_error")?, record.real("bound")?);
            // Some hundred additions of numbers below one.
            broken += usize::from(error > bound + 1e-12);
            x.push(record.integer("units")? as f64);
            y.push(error.ln());
        }
    }
    Ok((LineFit::of(&x, &y).ok(), broken))
}

/// Densities in words.
fn named(densities: &[f64]) -> String {
    if densities.is_empty() {
        return "none".into();
    }
    let words: Vec<String> = densities.iter().map(|d| format!("{d}")).collect();
    words.join(", ")
}

/// The densities at which `first − second` is shown to lie above a threshold.
fn shown(outcomes: &Outcomes, first: &str, second: &str, threshold: f64) -> Result<Vec<f64>> {
    let densities = outcomes.densities(first);
    let pairs: Vec<Pair> = densities.iter().map(|&d| Pair::new(first, second, d)).collect();
    let above = outcomes.above(&pairs, threshold)?;
    Ok(densities
        .iter()
        .zip(above)
        .filter(|(_, above)| *above)
        .map(|(d, _)| *d)
        .collect())
}

fn untrained(table: &Table) -> Result<Verdict> {
    let Some(decay) = Decay::read(&Radii::read(table, ALL_SUBSETS)?)? else {
        let hypotheses = vec![format!(
            "at least {LEAST_DRAWS} independent draws of six numbers of numbers"
        )];
        return Ok(Verdict::undecided(
            "slope of the log radius",
            hypotheses,
            "too few draws of numbers",
        ));
    };
    let half = Decay::read(&Radii::read(table, HALF_SIZE)?)?;
    let (line, broken) = pruned(table)?;
    let falls = line.map(|line| line.slope_interval(SLOPE_LEVEL)).transpose()?;
    let mut hypotheses = vec![
        format!(
            "{} independent draws of every number of numbers, uniform on [-1, 1]",
            decay.draws
        ),
        format!(
            "no radius lies below 2^-(n+1), where {} do: no set of sums could have one",
            decay.impossible
        ),
        format!("{broken} pruned networks err by more than their proven bound"),
    ];
    let mut evidence = format!(
        "ln radius falls by {:.3} a number [{:.3}, {:.3}] (ln 2 = {:.3}; with the factor n^(3/2) of crowded sums taken out the \
         slope lies in [{:.3}, {:.3}]); in the later half [{:.3}, {:.3}], where a power law would have {:.3}.",
        -decay.slope,
        -decay.interval.upper,
        -decay.interval.lower,
        LN_2,
        decay.uncrowded.lower,
        decay.uncrowded.upper,
        decay.later.lower,
        decay.later.upper,
        decay.power
    );
    if let Some(half) = half {
        evidence += &format!(" With subsets of half the numbers the slope is {:.3}.", half.slope);
    }
    if let (Some(line), Some(falls)) = (line, falls) {
        evidence += &format!(
            " The largest error of pruned networks falls by {:.3} a unit [{:.3}, {:.3}] in its logarithm.",
            -line.slope, -falls.upper, -falls.lower
        );
    }
    let statistic = ("slope of the log radius".to_string(), decay.slope);
    let counterexample = if decay.impossible + broken > 0 {
        Some("a radius or an error beyond its proven bound".to_string())
    } else if !decay.geometric() {
        Some("the radius does not fall geometrically".to_string())
    } else if falls.is_none_or(|interval| interval.upper >= 0.0) {
        Some("networks pruned towards a target do not approach it".to_string())
    } else {
        None
    };
    let decision = if counterexample.is_some() {
        Decision::Fails
    } else {
        let found = found(table, &mut hypotheses, &mut evidence)?;
        Decision::HoldsUnder {
            condition: format!(
                "as existence, with every weight given many random ones to choose from; found by search: {found}"
            ),
        }
    };
    Ok(Verdict {
        decision,
        hypotheses,
        statistic,
        tolerance: 0.0,
        evidence,
        counterexample,
    })
}

/// What edge-popup found on the data, in words.
fn found(table: &Table, hypotheses: &mut Vec<String>, evidence: &mut String) -> Result<String> {
    let outcomes = Outcomes::read(table)?;
    let Some(&smallest) = outcomes.densities(POPUP).last() else {
        return Ok("not looked for".into());
    };
    let (margin, checked) = match outcomes.assay(RANDOM, smallest)? {
        Ok(assay) => assay,
        Err(verdict) => return Ok(format!("undecided ({})", verdict.evidence)),
    };
    hypotheses.extend(checked);
    hypotheses.push(
        "rates of scores and of weights tuned for every arm and density in one budget; a search has as many steps on the same \
         batches as a training"
            .into(),
    );
    let above = shown(&outcomes, POPUP, RANDOM, 0.0)?;
    let small = shown(&outcomes, POPUP, SMALL, -margin.margin())?;
    let worse = shown(&outcomes, SMALL, POPUP, margin.margin())?;
    let dense = shown(&outcomes, POPUP, DENSE, -margin.margin())?;
    let constant = shown(&outcomes, POPUP, POPUP_NORMAL, 0.0)?;
    let mut best: Option<(f64, f64)> = None;
    for density in outcomes.densities(POPUP) {
        let mean = outcomes.summary(POPUP, density)?.mean;
        if best.is_none_or(|(_, known)| mean > known) {
            best = Some((density, mean));
        }
    }
    if let Some((density, mean)) = best {
        let against = |arm: &str| -> Result<String> { points(&outcomes.difference(&Pair::new(POPUP, arm, density))?) };
        *evidence += &format!(
            " Edge-popup is best at density {density}: test accuracy {:.2} %; against a random subnetwork of the same weights {}, \
             a trained dense network of as many weights {}, the trained network itself {} (95 % intervals, each for itself; \
             margin {:.2}). Signed constants are shown to be above normal weights at: {}.",
            100.0 * mean,
            against(RANDOM)?,
            against(SMALL)?,
            against(DENSE)?,
            100.0 * margin.margin(),
            named(&constant)
        );
    }
    Ok(format!(
        "above random subnetworks of the same weights at densities {}; within the margin of a trained dense network of as many \
         weights at {} (shown to be worse at {}); within the margin of the trained network itself at {}",
        named(&above),
        named(&small),
        named(&worse),
        named(&dense)
    ))
}
