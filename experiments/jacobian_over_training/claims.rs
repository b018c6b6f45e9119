//! The verdicts: whether later Jacobians recover more of the ticket (T7), and whether that goes with stability (T8).

use super::super::tickets::{LEAST_PAIRS, LEVEL, above};
use super::{FRACTIONS, RECOVERED, TICKET};
use std::collections::BTreeMap;
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::statistics::PairedComparison;
use ticketsense::table::Table;

pub const CLAIMS: &[Claim] = &[
    Claim {
        id: "T7",
        name: "later-jacobians-recover-more",
        statement: "The mask recovered from labels on the network linearised after 20 % of training shares more weights with \
                    the ticket rewound to that step, as a fraction of what lies between chance and agreement, than the mask \
                    recovered at the initial weights with the ticket of the initial weights.",
        source: "The project's own question, after Frankle et al., ICML 2020, on when rewinding works",
        expected: Expected::Open,
        tolerance_rule: "Paired t interval over at least 20 seeds at 0.05 against 0.",
        check: overlap,
    },
    Claim {
        id: "T8",
        name: "recovery-follows-stability",
        statement: "From the initial weights to 20 % of training the instability of the ticket falls, and with it what the \
                    recovered mask lacks in accuracy to the ticket of the same step.",
        source: "The project's own question, after Frankle et al., ICML 2020",
        expected: Expected::Open,
        tolerance_rule: "Both paired falls over at least 20 seeds above 0 by Holm's procedure at 0.05; where only the \
                         instability falls the statement fails.",
        check: stability,
    },
];

/// A value of the rows of an arm by seed, at one fraction of training.
pub fn values(
    table: &Table,
    arm: &str,
    fraction: f64,
    value: impl Fn(&ticketsense::table::Record<'_>) -> Result<Option<f64>>,
) -> Result<BTreeMap<i64, f64>> {
    let mut found = BTreeMap::new();
    for r in table.iter() {
        if r.text("arm")? == arm
            && (r.real("fraction")? - fraction).abs() < 1e-9
            && let Some(value) = value(&r)?
        {
            found.insert(r.integer("seed")?, value);
        }
    }
    Ok(found)
}

/// The overlap between chance and full agreement.
pub fn normalised_overlap(r: &ticketsense::table::Record<'_>) -> Result<Option<f64>> {
    let (Some(overlap), Some(chance), Some(kept)) = (
        r.optional_real("overlap")?,
        r.optional_real("chance")?,
        r.optional_real("kept")?,
    ) else {
        return Ok(None);
    };
    Ok((kept > chance).then(|| (overlap - chance) / (kept - chance)))
}

/// What the recovered mask lacks in accuracy to the ticket of the same step.
pub fn gap(table: &Table, fraction: f64) -> Result<BTreeMap<i64, f64>> {
    let accuracy = |r: &ticketsense::table::Record<'_>| r.optional_real("test_accuracy");
    let ticket = values(table, TICKET, fraction, accuracy)?;
    let recovered = values(table, RECOVERED, fraction, accuracy)?;
    let both = ticket
        .iter()
        .filter_map(|(seed, t)| Some((*seed, t - recovered.get(seed)?)));
    Ok(both.collect())
}

/// `first − second` over the seeds that have both; none with fewer than it takes to decide.
fn paired(first: &BTreeMap<i64, f64>, second: &BTreeMap<i64, f64>) -> Result<Option<PairedComparison>> {
    let both = first.iter().filter_map(|(seed, a)| Some((*a, *second.get(seed)?)));
    let (a, b): (Vec<f64>, Vec<f64>) = both.unzip();
    if a.len() < LEAST_PAIRS {
        return Ok(None);
    }
    PairedComparison::of(&a, &b).map(Some)
}

const FIRST: f64 = FRACTIONS[0];
const LAST: f64 = FRACTIONS[FRACTIONS.len() - 1];

fn hypotheses() -> Vec<String> {
    vec![
        "64-50-30-30-30-10 on the embedded data at a high learning rate, one cross-entropy step of the linear model"
            .into(),
        "the ticket of a step was found with survivors back at that step; its counts are the recovered mask's".into(),
        "both are trained from m ⊙ θ_t for the steps that remain".into(),
    ]
}

fn few() -> String {
    format!("fewer than {LEAST_PAIRS} paired seeds")
}

fn words(comparison: &PairedComparison) -> Result<String> {
    let interval = comparison.interval(LEVEL)?;
    Ok(format!(
        "{:+.4} [{:+.4}, {:+.4}]",
        comparison.mean, interval.lower, interval.upper
    ))
}

fn overlap(table: &Table) -> Result<Verdict> {
    let name = "lower end of the interval of the difference";
    let late = values(table, RECOVERED, LAST, normalised_overlap)?;
    let early = values(table, RECOVERED, FIRST, normalised_overlap)?;
    let Some(difference) = paired(&late, &early)? else {
        return Ok(Verdict::undecided(name, hypotheses(), few()));
    };
    let interval = difference.interval(LEVEL)?;
    Ok(Verdict {
        decision: if interval.lower > 0.0 {
            Decision::Holds
        } else if interval.upper < 0.0 {
            Decision::Fails
        } else {
            Decision::Undecided {
                why: "the interval contains 0".into(),
            }
        },
        hypotheses: hypotheses(),
        statistic: (name.into(), interval.lower),
        tolerance: 0.0,
        evidence: format!(
            "Overlap from chance to agreement, 20 % of training minus initial weights: {} over {} seeds.",
            words(&difference)?,
            difference.pairs
        ),
        counterexample: None,
    })
}

fn stability(table: &Table) -> Result<Verdict> {
    let name = "fall of what the recovered mask lacks";
    let barrier = |fraction| values(table, TICKET, fraction, |r| r.optional_real("ticket_barrier"));
    let (Some(calmer), Some(nearer)) = (
        paired(&barrier(FIRST)?, &barrier(LAST)?)?,
        paired(&gap(table, FIRST)?, &gap(table, LAST)?)?,
    ) else {
        return Ok(Verdict::undecided(name, hypotheses(), few()));
    };
    let shown = above(&[calmer, nearer], 0.0)?;
    let decision = match (shown[0], shown[1]) {
        (true, true) => Decision::Holds,
        (true, false) => Decision::Fails,
        (false, _) => Decision::Undecided {
            why: "the instability of the ticket does not fall clear of zero: there is nothing to follow".into(),
        },
    };
    Ok(Verdict {
        decision,
        hypotheses: hypotheses(),
        statistic: (name.into(), nearer.mean),
        tolerance: 0.0,
        evidence: format!(
            "Fall of the ticket's instability {}, and of what the recovered mask lacks in accuracy {}, over {} seeds.",
            words(&calmer)?,
            words(&nearer)?,
            nearer.pairs
        ),
        counterexample: None,
    })
}
