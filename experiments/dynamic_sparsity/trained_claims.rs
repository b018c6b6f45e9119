//! The checks of claims about trained networks.

use super::super::comparison::{MAIN, Outcomes, Pair, column_mean, listed, shown};
use super::super::tickets::{LEVEL, points};
use super::EXPLORATION;
use super::trained::{RESCALED, RIGL, SET, STATIC, TICKET};
use ticketsense::Result;
use ticketsense::harness::{Decision, Verdict};
use ticketsense::statistics::NonInferiority;
use ticketsense::table::Table;

/// A random mask is connected when every layer has a mean degree above this and most kept weights are live.
pub const THRESHOLD: f64 = 1.0;
pub const LIVE: f64 = 0.95;

/// The assay of a table, or the verdict that ends the check.
macro_rules! assay {
    ($outcomes:expr) => {{
        let smallest = $outcomes.densities(STATIC).last().copied().unwrap_or(1.0);
        if !$outcomes.has(STATIC, smallest) {
            return Ok(Verdict::undecided(
                "paired seeds",
                vec!["no rows".into()],
                "nothing was trained",
            ));
        }
        match $outcomes.assay(STATIC, smallest)? {
            Ok(assay) => assay,
            Err(verdict) => return Ok(*verdict),
        }
    }};
}

/// The pairs in words, with their differences.
fn words<'a>(outcomes: &Outcomes, pairs: impl IntoIterator<Item = &'a Pair>) -> Result<String> {
    let mut parts = Vec::new();
    for pair in pairs {
        let difference = points(&outcomes.difference(pair)?)?;
        parts.push(format!(
            "{} over {} at density {:.3} ({difference})",
            pair.first, pair.second, pair.density
        ));
    }
    Ok(listed(parts, "; "))
}

/// The largest upper end of the intervals of some pairs, all together.
fn bound(outcomes: &Outcomes, pairs: &[Pair]) -> Result<f64> {
    let mut upper = f64::NEG_INFINITY;
    for difference in outcomes.differences(pairs)? {
        upper = upper.max(difference.interval(LEVEL / pairs.len() as f64)?.upper);
    }
    Ok(upper)
}

pub fn beats_static(table: &Table) -> Result<Verdict> {
    let outcomes = Outcomes::read(table)?;
    let (margin, mut hypotheses): (NonInferiority, Vec<String>) = assay!(outcomes);
    let (mut gains, mut losses, mut between) = (Vec::new(), Vec::new(), Vec::new());
    for density in outcomes.densities(STATIC) {
        for arm in [SET, RIGL] {
            gains.push(Pair::new(arm, STATIC, density));
            losses.push(Pair::new(STATIC, arm, density));
        }
        between.push(Pair::new(RIGL, SET, density));
        let seen = |arm| column_mean(table, arm, density, "ever_active");
        hypotheses.push(format!(
            "density {density:.3}: SET has tried {:.0} % of the weights, RigL {:.0} %",
            100.0 * seen(SET)?,
            100.0 * seen(RIGL)?
        ));
    }
    hypotheses
        .push("equal counts in every layer at every step, equal steps, a rate tuned for each arm and density".into());
    let all: Vec<Pair> = gains.iter().chain(&losses).cloned().collect();
    let flags = outcomes.above(&all, 0.0)?;
    let better: Vec<&Pair> = shown(&gains, &flags).collect();
    let worse = shown(&losses, &flags[gains.len()..]);
    let largest = bound(&outcomes, &gains)?;
    let decision = if better.len() == gains.len() {
        Decision::Holds
    } else if !better.is_empty() {
        Decision::HoldsUnder {
            condition: better
                .iter()
                .map(|pair| format!("{} at density {:.3}", pair.first, pair.density))
                .collect::<Vec<_>>()
                .join(", "),
        }
    } else if largest < margin.margin() {
        Decision::Fails
    } else {
        Decision::Undecided {
            why: format!(
                "no gain is shown, and gains up to {:.2} points are not excluded",
                100.0 * largest
            ),
        }
    };
    let (_, best) = outcomes.extremes(&gains)?;
    let ahead = outcomes.above(&between, 0.0)?;
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: ("largest mean gain in accuracy over the fixed random mask".into(), best),
        tolerance: margin.margin(),
        evidence: format!(
            "Gains shown: {}. Losses shown: {}. RigL is ahead of SET: {}.",
            words(&outcomes, better)?,
            words(&outcomes, worse)?,
            words(&outcomes, shown(&between, &ahead))?
        ),
        counterexample: None,
    })
}

pub fn scratch(table: &Table) -> Result<Verdict> {
    let outcomes = Outcomes::read(table)?;
    let (margin, mut hypotheses): (NonInferiority, Vec<String>) = assay!(outcomes);
    let densities = outcomes.densities(TICKET);
    let mut connected = Vec::new();
    for &density in &densities {
        let of = |arm, column| column_mean(table, arm, density, column);
        let (degree, live) = (of(STATIC, "mean_degree")?, of(STATIC, "live_fraction")?);
        connected.push(degree > THRESHOLD && live >= LIVE);
        hypotheses.push(format!(
            "density {density:.3}: mean degree {degree:.2}, {:.0} % of the kept weights live, signal gain {:.3} from the \
             initial values and {:.3} rescaled, {:.3} for the ticket",
            100.0 * live,
            of(STATIC, "signal_gain")?,
            of(RESCALED, "signal_gain")?,
            of(TICKET, "signal_gain")?
        ));
    }
    let pairs = |arm: &str| densities.iter().map(|&d| Pair::new(TICKET, arm, d)).collect::<Vec<_>>();
    let (plain, calibrated) = (pairs(STATIC), pairs(RESCALED));
    let helped: Vec<Pair> = densities.iter().map(|&d| Pair::new(RESCALED, STATIC, d)).collect();
    let all = [plain.clone(), calibrated.clone(), helped.clone()].concat();
    let flags = outcomes.above(&all, 0.0)?;
    let n = densities.len();
    let above = |from: usize, i: usize| flags[from + i] && connected[i];
    let losing: Vec<usize> = (0..n).filter(|&i| above(0, i)).collect();
    let remaining: Vec<usize> = losing.iter().copied().filter(|&i| above(n, i)).collect();
    let judged: Vec<Pair> = shown(&calibrated, &connected).cloned().collect();
    let decision = if judged.is_empty() {
        Decision::Undecided {
            why: "no density lies above the percolation threshold".into(),
        }
    } else if !remaining.is_empty() {
        Decision::Fails
    } else if bound(&outcomes, &judged)? < margin.margin() {
        if losing.is_empty() && !flags[..n].iter().any(|s| *s) {
            Decision::Undecided {
                why: "scratch networks do not lose: there is nothing to explain".into(),
            }
        } else {
            Decision::Holds
        }
    } else {
        Decision::Undecided {
            why: "above the threshold no difference is shown after calibration, and none above the margin is excluded"
                .into(),
        }
    };
    let (_, largest) = outcomes.extremes(&judged)?;
    let counterexample = match remaining.first() {
        Some(&i) => Some(format!(
            "density {:.3}, connected and calibrated: the ticket is ahead by {}",
            densities[i],
            points(&outcomes.difference(&calibrated[i])?)?
        )),
        None => None,
    };
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (
            "largest lead of the ticket over a connected, calibrated scratch network".into(),
            largest,
        ),
        tolerance: margin.margin(),
        evidence: format!(
            "Ticket ahead of scratch: {}. Ahead of rescaled scratch: {}. Rescaling helps: {}.",
            outcomes.told(&plain)?,
            outcomes.told(&calibrated)?,
            words(&outcomes, shown(&helped, &flags[2 * n..]))?
        ),
        counterexample,
    })
}

/// Weights tried, and the gain over the fixed mask with the ends of its interval.
pub type Tried = (f64, f64, f64, f64);

/// Gains over the fixed mask against the weights tried, for every interval of exchange that an arm has.
pub fn explored_gains(table: &Table, arm: &str) -> Result<Vec<Tried>> {
    use std::collections::BTreeMap;
    let outcomes = Outcomes::read(table)?;
    let mut found: BTreeMap<i64, (f64, Vec<f64>, Vec<f64>)> = BTreeMap::new();
    let mut bases: BTreeMap<i64, f64> = BTreeMap::new();
    let explored = table
        .iter()
        .find(|r| r.text("part").is_ok_and(|part| part == EXPLORATION));
    let Some(explored) = explored else {
        return Ok(Vec::new());
    };
    let density = explored.real("density")?;
    if !outcomes.has(STATIC, density) {
        return Ok(Vec::new());
    }
    for record in table.iter() {
        let part = record.text("part")?;
        if ![MAIN, EXPLORATION].contains(&part) || record.real("density")? != density {
            continue;
        }
        if record.text("arm")? == STATIC {
            bases.insert(record.integer("seed")?, record.real("test_accuracy")?);
        }
    }
    for record in table.iter() {
        let part = record.text("part")?;
        let here = [MAIN, EXPLORATION].contains(&part) && record.text("arm")? == arm;
        if !here || record.real("density")? != density {
            continue;
        }
        let entry = found.entry(record.integer("every")?).or_default();
        if let Some(base) = bases.get(&record.integer("seed")?) {
            entry.0 += record.real("ever_active")?;
            entry.1.push(record.real("test_accuracy")?);
            entry.2.push(*base);
        }
    }
    let mut gains = Vec::new();
    for (tried, first, second) in found.into_values() {
        let difference = ticketsense::statistics::PairedComparison::of(&first, &second)?;
        let interval = difference.interval(LEVEL)?;
        let tried = tried / first.len() as f64;
        gains.push((tried, difference.mean, interval.lower, interval.upper));
    }
    gains.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok(gains)
}
