//! The claims about rewinding, read off the table.

use super::super::tickets::{LEVEL, points};
use super::outcomes::{Case, Outcomes};
use super::{ALL, DENSE, SHUFFLE, TICKET};
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::statistics::{NonInferiorityVerdict, PairedComparison, holm};
use ticketsense::table::Table;

/// The claims of the experiment.
pub const CLAIMS: &[Claim] = &[
    Claim {
        id: "A6",
        name: "rewinding",
        statement: "Survivors that go back to an early step t > 0 of training reach a higher accuracy than survivors that go \
             back to their initial weights.",
        source: "Frankle et al. 2019, arXiv:1903.01611; Frankle et al., ICML 2020, arXiv:1912.05671; Renda et al., ICLR 2020, \
             arXiv:2003.02389",
        expected: Expected::Open,
        tolerance_rule: "Paired seeds, at least 20; Student tests one-sided at 0.025 over all steps and densities together \
             (Holm). It fails where there is something to gain, a ticket of initial weights worse than the dense network by \
             more than the margin, and every gain is bounded below the margin, all intervals together. The margin is one \
             standard deviation of the dense test accuracy, from pilot seeds that are used for nothing else.",
        check: rewinding,
    },
    Claim {
        id: "A7",
        name: "layer-rewinding",
        statement: "Layers differ in how much the ticket gains when they alone are rewound to a later step.",
        source: "Zhang, Bengio & Singer 2019, arXiv:1902.01996 (layers set back one at a time); the claim itself has no source",
        expected: Expected::Open,
        tolerance_rule: "Paired seeds, at least 20; two-sided Student tests at 0.05 over all pairs of layers together (Holm). \
             It fails where rewinding all layers has an effect (two-sided at 0.05), so that there is something to share out, \
             and every difference is bounded by the margin, all intervals together.",
        check: layer_rewinding,
    },
];

/// The assay of a table, or the verdict that ends the check.
macro_rules! assay {
    ($outcomes:expr) => {
        match $outcomes.assay()? {
            Ok(assay) => assay,
            Err(verdict) => return Ok(*verdict),
        }
    };
}

/// Cases in words: the densities step by step.
fn words(outcomes: &Outcomes, cases: &[Case]) -> Result<String> {
    let mut parts = Vec::new();
    for rewind in outcomes.rewinds() {
        let mut densities = Vec::new();
        for case in cases.iter().filter(|case| case.rewind == rewind) {
            densities.push(format!("{:.3}", outcomes.density(*case)?));
        }
        if !densities.is_empty() {
            parts.push(format!(
                "{} at densities {}",
                outcomes.percent(rewind),
                densities.join(", ")
            ));
        }
    }
    Ok(if parts.is_empty() {
        "none".into()
    } else {
        parts.join("; ")
    })
}

/// The case of largest mean gain, of tickets or of shuffled masks.
fn largest_gain(outcomes: &Outcomes, branch: &str, cases: &[Case]) -> Result<Option<(Case, PairedComparison)>> {
    let mut largest: Option<(Case, PairedComparison)> = None;
    for &case in cases {
        let gain = outcomes.gain(branch, case)?;
        if largest.is_none_or(|(_, best)| gain.mean > best.mean) {
            largest = Some((case, gain));
        }
    }
    Ok(largest)
}

fn rewinding(table: &Table) -> Result<Verdict> {
    let outcomes = Outcomes::read(table)?;
    let (margin, mut hypotheses) = assay!(outcomes);
    let cases = outcomes.cases();
    let largest = largest_gain(&outcomes, TICKET, &cases)?.zip(largest_gain(&outcomes, SHUFFLE, &cases)?);
    let Some(((best, gain), (shuffled, shuffled_gain))) = largest else {
        return Ok(Verdict::undecided(
            "rewind steps",
            hypotheses,
            "no rewind step but zero",
        ));
    };
    let gains = outcomes.shown(&cases, 0.0, |case| outcomes.gain(TICKET, case))?;
    let losses = outcomes.shown(&cases, 0.0, |case| {
        PairedComparison::of(
            outcomes.accuracies(TICKET, Case { rewind: 0, ..case })?,
            outcomes.accuracies(TICKET, case)?,
        )
    })?;
    // All intervals together: each at the level split over them.
    let mut bound = f64::NEG_INFINITY;
    for &case in &cases {
        bound = bound.max(outcomes.gain(TICKET, case)?.interval(LEVEL / cases.len() as f64)?.upper);
    }
    let (mut room, mut worst) = (0.0_f64, 0);
    for round in outcomes.compared() {
        let lost = outcomes.difference(TICKET, DENSE, Case { round, rewind: 0 })?;
        room = room.max(-lost.mean);
        worst += usize::from(margin.judge(&lost)? == NonInferiorityVerdict::Inferior);
    }
    let structure = outcomes.shown(&cases, 0.0, |case| outcomes.difference(TICKET, SHUFFLE, case))?;
    let matched = outcomes.shown(&cases, -margin.margin(), |case| {
        outcomes.difference(TICKET, DENSE, case)
    })?;
    hypotheses.push(format!(
        "the mask matters at the rewound values too: tickets beat shuffled masks in {} of {} cases",
        structure.len(),
        cases.len()
    ));
    hypotheses.push(format!(
        "there is something to gain: tickets of initial weights lose up to {:.2} points against the dense network, more than \
         the margin at {worst} of {} densities",
        100.0 * room,
        outcomes.compared().len()
    ));
    // What rewound values give to a mask that was not found for them.
    let shuffled_gains = outcomes.shown(&cases, 0.0, |case| outcomes.gain(SHUFFLE, case))?;
    let decision = if !gains.is_empty() {
        Decision::HoldsUnder {
            condition: format!("rewound to {}", words(&outcomes, &gains)?),
        }
    } else if worst == 0 {
        Decision::Undecided {
            why:
                "the task is too easy: tickets of initial weights are at no density shown to lose more than the margin"
                    .into(),
        }
    } else if bound < margin.margin() {
        Decision::Fails
    } else {
        Decision::Undecided {
            why: format!(
                "accuracy is flat in the rewind step within its intervals, and gains up to {:.2} points are not excluded",
                100.0 * bound
            ),
        }
    };
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: ("largest mean gain in accuracy over rewinding to zero".into(), gain.mean),
        tolerance: margin.margin(),
        evidence: format!(
            "Largest gain: rewound to {} of training at density {:.3}, {}; all gains together are below {:.2} points (margin \
             {:.2}). Gains are shown for: {}; losses for: {}. Rewound tickets match the dense network: {}. Shuffled masks gain \
             for: {}; most at {} and density {:.3}, {}.",
            outcomes.percent(best.rewind),
            outcomes.density(best)?,
            points(&gain)?,
            100.0 * bound,
            100.0 * margin.margin(),
            words(&outcomes, &gains)?,
            words(&outcomes, &losses)?,
            words(&outcomes, &matched)?,
            words(&outcomes, &shuffled_gains)?,
            outcomes.percent(shuffled.rewind),
            outcomes.density(shuffled)?,
            points(&shuffled_gain)?
        ),
        counterexample: None,
    })
}

fn layer_rewinding(table: &Table) -> Result<Verdict> {
    let outcomes = Outcomes::read(table)?;
    let (margin, mut hypotheses) = assay!(outcomes);
    let names = outcomes.layer_names();
    let mut pairs = Vec::new();
    for (place, &first) in names.iter().enumerate() {
        for &second in &names[place + 1..] {
            pairs.push((first, second, outcomes.layer_difference(first, second)?));
        }
    }
    if pairs.is_empty() {
        return Ok(Verdict::undecided(
            "pairs of layers",
            hypotheses,
            "fewer than two layers",
        ));
    }
    let p_values: Result<Vec<f64>> = pairs.iter().map(|(_, _, d)| d.p_value(0.0)).collect();
    let shown: Vec<_> = pairs
        .iter()
        .zip(holm(&p_values?, LEVEL)?)
        .filter(|(_, d)| d.rejected)
        .collect();
    let mut bound = 0.0_f64;
    for (_, _, difference) in &pairs {
        let interval = difference.interval(LEVEL / pairs.len() as f64)?;
        bound = bound.max(interval.upper).max(-interval.lower);
    }
    let mut largest = pairs[0];
    for pair in &pairs {
        if pair.2.mean.abs() > largest.2.mean.abs() {
            largest = *pair;
        }
    }
    // Each layer against none: a layer that gains and one that does not need not differ, so this decides nothing.
    let effects: Result<Vec<_>> = names.iter().map(|name| outcomes.layer_effect(name)).collect();
    let effects = effects?;
    let p_values: Result<Vec<f64>> = effects.iter().map(|effect| effect.p_value(0.0)).collect();
    let judged = holm(&p_values?, LEVEL)?;
    let mut told = Vec::new();
    for ((name, effect), decision) in names.iter().zip(&effects).zip(judged) {
        told.push(format!(
            "{} {}{}",
            layer_word(name),
            points(effect)?,
            if decision.rejected { " (shown)" } else { "" }
        ));
    }
    let all = outcomes.layer_effect(ALL)?;
    let (density, rewind) = outcomes.layer_case()?;
    hypotheses.push(format!(
        "one density, {density:.3}, and one step, {} of training; the mask is that of the ticket of initial weights in every \
         branch",
        outcomes.percent(rewind)
    ));
    let decision = if !shown.is_empty() {
        let gains: Vec<String> = shown
            .iter()
            .map(|((first, second, difference), _)| {
                let (more, less) = if difference.mean > 0.0 {
                    (first, second)
                } else {
                    (second, first)
                };
                format!("{} above {}", layer_word(more), layer_word(less))
            })
            .collect();
        Decision::HoldsUnder {
            condition: format!(
                "at density {density:.3}, rewound to {} of training: {}",
                outcomes.percent(rewind),
                gains.join(", ")
            ),
        }
    } else if bound < margin.margin() && all.p_value(0.0)? < LEVEL {
        Decision::Fails
    } else if bound < margin.margin() {
        Decision::Undecided {
            why: format!(
                "rewinding all layers has no effect that is shown, so there is nothing to share out; layers differ by less than \
                 {:.2} points",
                100.0 * bound
            ),
        }
    } else {
        Decision::Undecided {
            why: format!(
                "no two layers are shown to differ, and differences up to {:.2} points are not excluded",
                100.0 * bound
            ),
        }
    };
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (
            "largest mean difference between two layers".into(),
            largest.2.mean.abs(),
        ),
        tolerance: margin.margin(),
        evidence: format!(
            "Against no layer rewound: {}; all layers {}. The two layers farthest apart, {} and {}: {}; all differences \
             together below {:.2} points (margin {:.2}).",
            told.join(", "),
            points(&all)?,
            layer_word(largest.0),
            layer_word(largest.1),
            points(&largest.2)?,
            100.0 * bound,
            100.0 * margin.margin()
        ),
        counterexample: None,
    })
}

/// A layer by the name of its weights, in a word.
pub fn layer_word(slot: &str) -> &str {
    slot.strip_suffix(".weight").unwrap_or(slot)
}
