//! What is claimed about the curvature of networks under masks, and the checks.

use super::claims::{LEAST_PAIRS, part};
use super::{along, regime};
use std::collections::BTreeMap;
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::statistics::{PairedComparison, Summary, median};
use ticketsense::table::{Record, Table};

pub(super) const C2A: Claim = Claim {
    id: "C2a",
    name: "ticket-conditioning",
    statement: "The Gauss-Newton matrix of a ticket, at its own weights, is better conditioned than that of a random mask with the same \
                counts and initial weights, at the start and along training.",
    source: "the network part of C2; Evci et al. 2022, arXiv:2010.03533",
    expected: Expected::Open,
    tolerance_rule: "paired Student intervals of the difference of log10 condition numbers at 0.05 over the three times, from 20 pairs on \
                     in which the smallest nonzero eigenvalue of both stands 1000 times above what was taken for zero. One ticket is \
                     held against all its eigenvalues: the largest to 1e-6, the condition number k to 100 epsilon k, the negative \
                     fraction within its interval",
    check: ticket_conditioning,
};

pub(super) const C2B: Claim = Claim {
    id: "C2b",
    name: "kernel-modes-predict-descent",
    statement: "The modes of a network's tangent kernel at its own start predict the loss of full-batch descent, dense or masked.",
    source: "Jacot, Gabriel & Hongler 2018, arXiv:1806.07572; Chizat, Oyallon & Bach 2019, arXiv:1812.07956 (lazy training)",
    expected: Expected::HoldsUnder,
    tolerance_rule: "dividing the residual at the start by c divides the relative deviation of the residual by c, up to a relative O(1/c): \
                     the order between c = 64 and 512 must have 1 in its Student interval at 0.001 over masks and times, widened by an \
                     eighth of what the order between 8 and 64 misses, which is the next term; 20 pairs",
    check: kernel_modes,
};

/// Separation of the spectrum below which a rank, and with it κ⁺, is not clear.
const CLEAR_GAP: f64 = 1e3;
const LEVEL: f64 = 0.05;
/// The masks whose descent is compared with their kernel.
pub(super) const FAMILIES: [&str; 4] = ["dense", "imp", "shuffled", "random"];

/// The base-10 logarithm of a column by pair, where the rank is clear.
pub(super) fn logs(table: &Table, subject: &str, time: usize, column: &str) -> Result<BTreeMap<i64, f64>> {
    let mut found = BTreeMap::new();
    for row in part(table, "curvature") {
        if row.text("family")? == subject && row.integer("steps")? == time as i64 {
            let clear = column != "condition" || row.real("gap")? >= CLEAR_GAP;
            let value = row.real(column)?;
            if clear && value > 0.0 {
                found.insert(row.integer("number")?, value.log10());
            }
        }
    }
    Ok(found)
}

/// Differences by pair, in the pairs that both have.
fn paired(first: &BTreeMap<i64, f64>, second: &BTreeMap<i64, f64>) -> Result<Option<PairedComparison>> {
    let both: Vec<(f64, f64)> = first
        .iter()
        .filter_map(|(number, a)| second.get(number).map(|b| (*a, *b)))
        .collect();
    if both.len() < LEAST_PAIRS {
        return Ok(None);
    }
    let (a, b): (Vec<f64>, Vec<f64>) = both.into_iter().unzip();
    PairedComparison::of(&a, &b).map(Some)
}

/// What the dense spectrum refutes, if anything.
fn dense_check(table: &Table) -> Result<Option<String>> {
    for row in part(table, "dense check") {
        let (dense, found, family) = (row.real("predicted")?, row.real("measured")?, row.text("family")?);
        let deviation = row.real("deviation")?.abs();
        let within = match family {
            "negative fraction" => row.real("negative_lower")? <= dense && dense <= row.real("negative_upper")?,
            "condition of Gauss-Newton" => deviation <= 1e2 * f64::EPSILON * dense,
            _ => deviation <= 1e-6,
        };
        if !within {
            return Ok(Some(format!(
                "{family}: {found} by products, {dense} from all eigenvalues"
            )));
        }
    }
    Ok(None)
}

fn ticket_conditioning(table: &Table) -> Result<Verdict> {
    const STATISTIC: &str = "largest mean difference of log10 condition numbers, ticket less random mask";
    let level = LEVEL / along::TIMES.len() as f64;
    let mut hypotheses = vec![
        "squared loss, 20 samples, a quarter of the weights, more parameters than outputs".to_string(),
        "every network at its own weights, trained as it would be in iterative pruning".into(),
    ];
    let (mut better, mut worse, mut told, mut largest) = (Vec::new(), Vec::new(), Vec::new(), f64::NEG_INFINITY);
    let mut pairs = 0;
    for time in along::TIMES {
        let ticket = logs(table, "imp", time, "condition")?;
        let Some(difference) = paired(&ticket, &logs(table, "random", time, "condition")?)? else {
            continue;
        };
        pairs = pairs.max(difference.pairs);
        let interval = difference.interval(level)?;
        largest = largest.max(difference.mean);
        if interval.upper < 0.0 {
            better.push(time);
        }
        if interval.lower > 0.0 {
            worse.push(time);
        }
        let mut words = format!(
            "{time} steps: {:+.2} [{:+.2}, {:+.2}] over {} pairs",
            difference.mean, interval.lower, interval.upper, difference.pairs
        );
        for (other, name) in [("dense", "dense"), ("re-initialised", "re-initialised")] {
            if let Some(against) = paired(&ticket, &logs(table, other, time, "condition")?)? {
                words += &format!(", against {name} {:+.2}", against.mean);
            }
        }
        for (column, name) in [("largest", "largest eigenvalue"), ("smallest", "smallest")] {
            let (a, b) = (logs(table, "imp", time, column)?, logs(table, "random", time, column)?);
            if let Some(against) = paired(&a, &b)? {
                words += &format!(", {name} against random {:+.2}", against.mean);
            }
        }
        told.push(words);
    }
    hypotheses.push(format!("{pairs} pairs at most in which both ranks are clear"));
    if told.len() < along::TIMES.len() {
        let why = format!("fewer than {LEAST_PAIRS} pairs of clear rank at some time");
        return Ok(Verdict::undecided(STATISTIC, hypotheses, why));
    }
    if let Some(refuted) = dense_check(table)? {
        let why = format!("the measurement is not trusted: {refuted}");
        return Ok(Verdict::undecided(STATISTIC, hypotheses, why));
    }
    let at = |times: &[usize]| {
        let words: Vec<String> = times.iter().map(usize::to_string).collect();
        format!("after {} steps", words.join(", "))
    };
    let (decision, counterexample) = match (better.len(), worse.len()) {
        (n, _) if n == along::TIMES.len() => (Decision::Holds, None),
        (0, 0) => (
            Decision::Undecided {
                why: "no interval excludes 0".into(),
            },
            None,
        ),
        (0, _) => (Decision::Fails, Some(format!("worse {}", at(&worse)))),
        (_, _) => (
            Decision::HoldsUnder {
                condition: format!("{} of training", at(&better)),
            },
            (!worse.is_empty()).then(|| format!("worse {}", at(&worse))),
        ),
    };
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (STATISTIC.into(), largest),
        tolerance: 0.0,
        evidence: format!(
            "log10 κ⁺ of the ticket less that of the random mask: {}",
            told.join("; ")
        ),
        counterexample,
    })
}

/// The deviations of a part by pair and level of one column, for one mask and time.
pub(super) fn deviations(
    table: &Table,
    of: &'static str,
    family: &str,
    time: usize,
    column: &str,
) -> Result<Vec<(f64, BTreeMap<i64, f64>)>> {
    let mut found: Vec<(f64, BTreeMap<i64, f64>)> = Vec::new();
    for row in part(table, of) {
        if row.text("family")? != family || row.integer("steps")? != time as i64 {
            continue;
        }
        let (level, number, deviation) = (real(&row, column)?, row.integer("number")?, row.real("deviation")?);
        match found.iter_mut().find(|(l, _)| *l == level) {
            Some((_, values)) => drop(values.insert(number, deviation)),
            None => found.push((level, BTreeMap::from([(number, deviation)]))),
        }
    }
    Ok(found)
}

fn real(row: &Record<'_>, column: &str) -> Result<f64> {
    row.real(column).or_else(|_| row.integer(column).map(|v| v as f64))
}

/// By pair, `ln(first/second)/ln(levels)`: the power of the level by which deviations fall.
fn orders(first: &(f64, BTreeMap<i64, f64>), second: &(f64, BTreeMap<i64, f64>)) -> Vec<f64> {
    let ratio = (second.0 / first.0).ln();
    let both = first.1.iter().filter_map(|(n, a)| second.1.get(n).map(|b| (a, b)));
    both.map(|(a, b)| (a / b).ln() / ratio).collect()
}

fn kernel_modes(table: &Table) -> Result<Verdict> {
    const STATISTIC: &str = "largest distance of an order from 1";
    let mut hypotheses = vec![
        "squared loss, smooth activation, full batches, step a tenth of the largest stable one of the dense network"
            .to_string(),
        "the residual is made small by moving the targets: the kernel at the start stays what it was".into(),
    ];
    let last = regime::TIMES[regime::TIMES.len() - 1];
    let level = 1e-3 / (FAMILIES.len() * regime::TIMES.len()) as f64;
    let (mut worst, mut widest, mut least, mut counterexample) = (0.0f64, 0.0f64, usize::MAX, None);
    let mut told = Vec::new();
    for family in FAMILIES {
        for time in regime::TIMES {
            let found = deviations(table, "regime", family, time, "scale")?;
            let [plain, eighth, small, smaller] = &found[..] else {
                least = 0;
                continue;
            };
            let (next, order) = (orders(eighth, small), orders(small, smaller));
            least = least.min(order.len());
            if order.len() < LEAST_PAIRS {
                continue;
            }
            let summary = Summary::of(&order)?;
            let interval = summary.interval(level)?;
            let bias = (Summary::of(&next)?.mean - 1.0).abs() / (small.0 / eighth.0);
            worst = worst.max((summary.mean - 1.0).abs());
            widest = widest.max(interval.upper - summary.mean + bias);
            let inside = interval.lower - bias <= 1.0 && 1.0 <= interval.upper + bias;
            if !inside && counterexample.is_none() {
                counterexample = Some(format!(
                    "{family}, {time} steps: order {:.5} [{:.5}, {:.5}], next term {bias:.5}",
                    summary.mean, interval.lower, interval.upper
                ));
            }
            if time == last {
                let middle = |values: &BTreeMap<i64, f64>| median(&values.values().copied().collect::<Vec<f64>>());
                told.push(format!(
                    "{family} {:.1} %, {:.2} % and {:.2} %",
                    100.0 * middle(&plain.1)?,
                    100.0 * middle(&eighth.1)?,
                    100.0 * middle(&small.1)?
                ));
            }
        }
    }
    if least < LEAST_PAIRS {
        let why = format!("fewer than {LEAST_PAIRS} pairs at some mask and time");
        return Ok(Verdict::undecided(STATISTIC, hypotheses, why));
    }
    let told = told.join("; ");
    let widths = widths(table, last)?;
    hypotheses.push(stability(table)?);
    let decision = match &counterexample {
        Some(_) => Decision::Fails,
        None => Decision::HoldsUnder {
            condition: "the residual at the start is small (lazy training): the deviation is proportional to it".into(),
        },
    };
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (STATISTIC.into(), worst),
        tolerance: widest,
        evidence: format!(
            "Median deviation of the residual after {last} steps, with the residual at the start as it is, over 8 and over 64: {told}. \
             {widths}"
        ),
        counterexample,
    })
}

/// How deviations fall with width, in words.
fn widths(table: &Table, time: usize) -> Result<String> {
    let mut told = Vec::new();
    for family in ["dense", "random"] {
        let found = deviations(table, "width", family, time, "order")?;
        let [narrow, _, wide] = &found[..] else { continue };
        let order = orders(narrow, wide);
        if order.len() < LEAST_PAIRS {
            continue;
        }
        let (summary, interval) = (Summary::of(&order)?, Summary::of(&order)?.interval(LEVEL)?);
        told.push(format!(
            "{family} {:.2} [{:.2}, {:.2}]",
            summary.mean, interval.lower, interval.upper
        ));
    }
    Ok(match told.is_empty() {
        true => "No widths were compared".into(),
        false => format!(
            "With the plain residual it falls from 12 to 192 units like one over width to the power of {}",
            told.join(" and ")
        ),
    })
}

/// What was seen on both sides of the largest stable step, in words.
fn stability(table: &Table) -> Result<String> {
    let mut told = Vec::new();
    let last = regime::STABILITY_TIMES[regime::STABILITY_TIMES.len() - 1] as i64;
    for scale in [regime::LAZY, regime::SCALES[0]] {
        for ratio in regime::STABILITY {
            let (mut runs, mut lost, mut fell, mut rose) = (0, 0, 0, 0);
            let (mut sharp, mut early) = (Vec::new(), BTreeMap::new());
            for row in part(table, "stability") {
                if row.real("scale")? != scale || row.real("step_ratio")? != ratio {
                    continue;
                }
                let time = row.integer("steps")?;
                let key = (row.text("family")?.to_string(), row.integer("number")?);
                let measured = row.optional_real("measured")?.filter(|v| v.is_finite());
                if time == regime::STABILITY_TIMES[0] as i64 {
                    early.insert(key, measured);
                } else if time == regime::STABILITY_TIMES[1] as i64 {
                    let before = early.get(&key).copied().flatten();
                    rose += usize::from(measured.zip(before).is_none_or(|(now, before)| now > before));
                } else if time == last {
                    runs += 1;
                    match measured {
                        Some(loss) => fell += usize::from(loss < 1.0),
                        None => lost += 1,
                    }
                    sharp.extend(row.optional_real("change")?);
                }
            }
            if runs > 0 && !sharp.is_empty() {
                told.push(format!(
                    "residual over {scale}, {ratio} times 2/l_max: {rose} of {runs} losses rise from step 5 to 10, {fell} are below the \
                     start after {last}, {lost} are lost, and step times l_max over 2 then is {:.2} (median)",
                    median(&sharp)?
                ));
            }
        }
    }
    Ok(match told.is_empty() {
        true => "no step near the largest stable one was tried".into(),
        false => told.join("; "),
    })
}
