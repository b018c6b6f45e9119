//! The claim about interactions, read off the table.

use super::super::tickets::{LEAST_PAIRS, LEVEL, points};
use super::crossed::{Designs, MASK_VALUES, PARTS, by_batch};
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::statistics::{PairedComparison, Summary};
use ticketsense::table::Table;

/// A share below this is no part of the variance worth the name.
const NEGLIGIBLE: f64 = 0.1;

/// The claims of the experiment.
pub const CLAIMS: &[Claim] = &[Claim {
    id: "A15",
    name: "ticket-interaction",
    statement: "Over crossed masks, initial values and orders of data, the interaction of mask and initial values has a share in \
                the variance of the final accuracy.",
    source: "the claim has no source; mask and values together: Frankle & Carbin, ICLR 2019; order of data: Frankle et al., ICML \
             2020, arXiv:1912.05671",
    expected: Expected::Open,
    tolerance_rule: "Random-effects analysis of variance in blocks of three networks, at least 20 blocks; the mean gain of parts of one \
                     network taken off, then unbiased components, pooled over blocks; the share of mask × values is that of the \
                     gain and of the component together; bootstrap intervals over blocks (bias-corrected and accelerated, 4,000 resamples) at 0.05 \
                     over both densities together (Bonferroni). It is shown at a density where the share of mask × values is \
                     clear of zero, and refuted where it is shown to be below a tenth.",
    check: ticket_interaction,
}];

/// What batch size does, in words: the largest against the smallest, for every density, and tickets against the dense network.
fn batches(table: &Table) -> Result<Vec<String>> {
    let all = by_batch(table)?;
    let mut words = Vec::new();
    let mut dense: Option<Vec<f64>> = None;
    for (density, of_batch) in &all {
        let (Some((small, first)), Some((large, last))) = (of_batch.first(), of_batch.last()) else {
            continue;
        };
        let change = PairedComparison::of(last, first)?;
        let difference: Vec<f64> = last.iter().zip(first).map(|(a, b)| a - b).collect();
        let mut word = format!("density {density:.3}: {}", points(&change)?);
        match &dense {
            None => dense = Some(difference),
            Some(dense) if dense.len() == difference.len() => {
                let more = PairedComparison::of(&difference, dense)?;
                word.push_str(&format!(", beyond the dense network {}", points(&more)?));
            }
            Some(_) => {}
        }
        words.push(format!("{word} (batches of {large} against {small})"));
    }
    Ok(words)
}

fn ticket_interaction(table: &Table) -> Result<Verdict> {
    let designs = Designs::read(table)?;
    let blocks = designs.iter().map(|d| d.blocks.len()).min().unwrap_or(0);
    let statistic = "smallest share of mask × values";
    if blocks < LEAST_PAIRS {
        let why = format!("{blocks} blocks, of {LEAST_PAIRS} needed");
        return Ok(Verdict::undecided(statistic, vec![format!("{blocks} blocks")], why));
    }
    let level = LEVEL / designs.len() as f64;
    let (mut clear, mut negligible, mut words) = (Vec::new(), 0, Vec::new());
    let mut smallest = f64::INFINITY;
    let mut hypotheses = vec![
        format!("{blocks} blocks of three networks, every combination of mask, initial values and order trained once"),
        "one learning rate for all combinations of a density, the best on the mean of tickets and of their masks over fresh \
         values on pilot networks"
            .into(),
        "every mask meets its own values once in a block, which is no random interaction: the mean gain of such pairs is a part \
         of its own, and the components are those of what is left; with more networks a block such pairs are rarer, and that \
         part smaller"
            .into(),
        "intervals are conditional on one test set".into(),
    ];
    for design in &designs {
        let (share, interval) = design.share_interval(&MASK_VALUES, level)?;
        smallest = smallest.min(share);
        if interval.lower > 0.0 {
            clear.push(format!("{:.3}", design.density));
        }
        negligible += usize::from(interval.upper < NEGLIGIBLE);
        let mut shares = Vec::new();
        for (part, name) in PARTS.iter().enumerate() {
            let (share, interval) = design.share_interval(&[part], LEVEL)?;
            let ends = (100.0 * interval.lower, 100.0 * interval.upper);
            shares.push(format!("{name} {:.0} % [{:.0}, {:.0}]", 100.0 * share, ends.0, ends.1));
        }
        let gain = |pair: usize| -> Result<String> {
            let values = design.gains(pair);
            points(&PairedComparison::of(values, &vec![0.0; values.len()])?)
        };
        words.push(format!(
            "at density {:.3} (standard deviation {:.2} points): {}; a mask over its own values gains {}, in its own order {}, \
             values in their own order {}",
            design.density,
            100.0 * design.deviation(),
            shares.join(", "),
            gain(0)?,
            gain(1)?,
            gain(2)?
        ));
        let mean = Summary::of(&design.blocks.concat())?.mean;
        hypotheses.push(format!("mean accuracy {:.3} at density {:.3}", mean, design.density));
    }
    let decision = if clear.len() == designs.len() {
        Decision::Holds
    } else if !clear.is_empty() {
        Decision::HoldsUnder {
            condition: format!("density {}", clear.join(", ")),
        }
    } else if negligible == designs.len() {
        Decision::Fails
    } else {
        Decision::Undecided {
            why: "the share is neither clear of zero nor shown to be below a tenth at every density".into(),
        }
    };
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (statistic.into(), smallest),
        tolerance: 0.0,
        evidence: format!(
            "{}. Larger batches for the same number of steps: {}.",
            words.join(". "),
            batches(table)?.join("; ")
        ),
        counterexample: None,
    })
}
