//! The checks on trained networks and on dead units, pure functions of the table.

use super::super::comparison::{Outcomes, listed};
use super::super::tickets::{LEAST_PAIRS, above, percent, points};
use super::trained::{DENSITIES, REFERENCE, arm};
use super::{BATCH_NORM, BATCHES, NORMS, UNITS};
use std::collections::BTreeMap;
use ticketsense::Result;
use ticketsense::harness::{Decision, Verdict};
use ticketsense::statistics::{BinomialCount, PairedComparison};
use ticketsense::table::Table;

const SMALLEST: usize = BATCHES[0];
const LARGEST: usize = BATCHES[BATCHES.len() - 1];

/// A sum of accuracies of one seed with signs.
type Terms = Vec<(f64, String, f64)>;

/// The lead of a normalisation over batch normalisation at a batch size and density.
fn lead(norm: &str, batch: usize, density: f64) -> Terms {
    vec![
        (1.0, arm(norm, batch), density),
        (-1.0, arm(BATCH_NORM, batch), density),
    ]
}

/// `first − second`.
fn minus(first: Terms, second: Terms) -> Terms {
    let turned = second.into_iter().map(|(sign, arm, density)| (-sign, arm, density));
    first.into_iter().chain(turned).collect()
}

/// The mean of such a sum over the seeds that have all of it.
fn contrast(outcomes: &Outcomes, terms: &Terms) -> Result<PairedComparison> {
    let mut sums: BTreeMap<i64, (usize, f64)> = BTreeMap::new();
    for (sign, arm, density) in terms {
        for (seed, accuracy) in outcomes.by_seed(arm, *density)? {
            let entry = sums.entry(*seed).or_default();
            *entry = (entry.0 + 1, entry.1 + sign * accuracy);
        }
    }
    let whole = sums.values().filter(|(count, _)| *count == terms.len());
    let values: Vec<f64> = whole.map(|(_, sum)| *sum).collect();
    PairedComparison::of(&values, &vec![0.0; values.len()])
}

/// The lead of a normalisation over batch normalisation at every batch size, in words.
pub(super) fn leads(outcomes: &Outcomes, norm: &str, density: f64) -> Result<Vec<(usize, PairedComparison)>> {
    let at = |&batch: &usize| Ok((batch, contrast(outcomes, &lead(norm, batch, density))?));
    BATCHES.iter().map(at).collect()
}

fn told(leads: &[(usize, PairedComparison)]) -> Result<String> {
    let words = leads
        .iter()
        .map(|(batch, lead)| Ok(format!("B = {batch} {}", points(lead)?)));
    Ok(words.collect::<Result<Vec<_>>>()?.join(", "))
}

/// Margin and hypotheses, or the verdict that nothing can be decided.
type Assay = std::result::Result<(f64, Vec<String>), Box<Verdict>>;

fn assay(outcomes: &Outcomes) -> Result<Assay> {
    let mut pairs = usize::MAX;
    for norm in NORMS {
        for batch in BATCHES {
            for density in DENSITIES {
                let name = arm(norm, batch);
                let seeds = match outcomes.has(&name, density) {
                    true => outcomes.by_seed(&name, density)?.len(),
                    false => 0,
                };
                pairs = pairs.min(seeds);
            }
        }
    }
    let pilots = outcomes.pilots.len();
    let refuse = |why: String| {
        let hypotheses = vec![format!("{pairs} seeds, {pilots} pilots")];
        Ok(Err(Box::new(Verdict::undecided("paired seeds", hypotheses, why))))
    };
    if pairs < LEAST_PAIRS || pilots < LEAST_PAIRS {
        return refuse(format!(
            "{pairs} paired seeds and {pilots} pilots, of {LEAST_PAIRS} needed"
        ));
    }
    let Some(margin) = outcomes.margin() else {
        return refuse("the pilots have no spread, so there is no margin".into());
    };
    let reference = outcomes.summary(&arm(REFERENCE.0, REFERENCE.1), 1.0)?.mean;
    Ok(Ok((
        margin.margin(),
        vec![
            format!(
                "{pairs} paired seeds: same data, initial weights and masks, and as many samples seen at every batch size"
            ),
            "the learning rate is chosen for every normalisation, batch size and density on pilot seeds of their own"
                .into(),
            format!(
                "layer normalisation trains: test accuracy {} at B = {LARGEST}, dense; {} of all trainings diverged",
                percent(reference),
                outcomes.diverged
            ),
            format!(
                "margin {} from {pilots} pilots that are used for nothing else",
                percent(margin.margin())
            ),
            "intervals are conditional on one test set".into(),
        ],
    )))
}

fn turned(differences: &[PairedComparison]) -> Vec<PairedComparison> {
    let turn = |d: &PairedComparison| PairedComparison { mean: -d.mean, ..*d };
    differences.iter().map(turn).collect()
}

pub(super) fn small_batches(table: &Table) -> Result<Verdict> {
    let outcomes = Outcomes::read(table)?;
    let (margin, hypotheses) = match assay(&outcomes)? {
        Ok(found) => found,
        Err(verdict) => return Ok(*verdict),
    };
    let others: Vec<&str> = NORMS.into_iter().filter(|norm| *norm != BATCH_NORM).collect();
    let growth = |norm: &&str| contrast(&outcomes, &minus(lead(norm, SMALLEST, 1.0), lead(norm, LARGEST, 1.0)));
    let grown: Vec<PairedComparison> = others.iter().map(growth).collect::<Result<_>>()?;
    let shown = above(&grown, 0.0)?;
    let refuted = above(&turned(&grown), -margin)?;
    let mut words = Vec::new();
    for (norm, growth) in others.iter().zip(&grown) {
        words.push(format!(
            "{norm} leads by {}: {} more at B = {SMALLEST} than at B = {LARGEST}",
            told(&leads(&outcomes, norm, 1.0)?)?,
            points(growth)?
        ));
    }
    let decision = if shown.iter().all(|&flag| flag) {
        Decision::Holds
    } else if shown.contains(&true) {
        let against = others.iter().zip(&shown).filter(|(_, shown)| **shown);
        Decision::HoldsUnder {
            condition: format!("against {}", listed(against.map(|(norm, _)| norm.to_string()), ", ")),
        }
    } else if refuted.iter().all(|&flag| flag) {
        Decision::Fails
    } else {
        Decision::Undecided {
            why: "the loss is neither shown nor shown to be below the margin".into(),
        }
    };
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (
            format!("smallest mean loss from B = {LARGEST} to B = {SMALLEST}"),
            grown.iter().map(|d| d.mean).fold(f64::INFINITY, f64::min),
        ),
        tolerance: 0.0,
        evidence: format!("Dense networks: {}.", words.join("; ")),
        counterexample: None,
    })
}

/// Dead units at one density of a random mask.
#[derive(Clone, Debug)]
pub(super) struct Dead {
    pub density: f64,
    pub exact: f64,
    pub dead: u64,
    pub below: u64,
    pub units: u64,
}

impl Dead {
    /// The rows on units.
    pub(super) fn read(table: &Table) -> Result<Vec<Dead>> {
        let rows = table.filter(|r| r.text("part").is_ok_and(|p| p == UNITS));
        let dead = |r: ticketsense::table::Record<'_>| {
            Ok(Dead {
                density: r.real("density")?,
                exact: r.real("exact")?,
                dead: r.integer("dead")? as u64,
                below: r.integer("below_epsilon")? as u64,
                units: r.integer("replicates")? as u64,
            })
        };
        rows.map(dead).collect()
    }
}

pub(super) fn sparsity(table: &Table) -> Result<Verdict> {
    const STATISTIC: &str = "largest mean loss that a sparse network adds";
    let units = Dead::read(table)?;
    let level = 1e-3 / units.len().max(1) as f64;
    let (mut wrong, mut least) = (None, 1.0f64);
    for dead in &units {
        let p = BinomialCount::new(dead.dead, dead.units)?.p_value(dead.exact)?;
        least = least.min(p);
        if p <= level {
            wrong = Some(format!(
                "density {}: {} of {} units are dead, {:.5} by law",
                dead.density, dead.dead, dead.units, dead.exact
            ));
        }
    }
    let outcomes = Outcomes::read(table)?;
    let (margin, mut hypotheses) = match assay(&outcomes)? {
        Ok(found) => found,
        Err(verdict) => return Ok(*verdict),
    };
    let share = |count: u64, dead: &Dead| percent(count as f64 / dead.units as f64);
    let shares = units.iter().map(|dead| {
        let (none, below) = (share(dead.dead, dead), share(dead.below, dead));
        format!("{} ({below}) at {}", none, dead.density)
    });
    let dead = format!(
        "{} counts of dead units agree with their law (the least likely has p = {least:.3}); dead, and in brackets with a variance below \
         1e-5: {}",
        units.len(),
        listed(shares, ", ")
    );
    hypotheses.push(dead.clone());
    if units.is_empty() {
        return Ok(Verdict::undecided(STATISTIC, hypotheses, "no units were counted"));
    }
    let (mut cases, mut added) = (Vec::new(), Vec::new());
    for density in DENSITIES.into_iter().filter(|&density| density < 1.0) {
        for batch in BATCHES {
            let terms = minus(lead(REFERENCE.0, batch, density), lead(REFERENCE.0, batch, 1.0));
            added.push(contrast(&outcomes, &terms)?);
            cases.push((density, batch));
        }
    }
    let larger = above(&added, margin)?;
    let smaller = above(&turned(&added), -margin)?;
    let words = cases
        .iter()
        .zip(&added)
        .map(|((density, batch), added)| Ok(format!("density {density}, B = {batch} {}", points(added)?)));
    let words: Vec<String> = words.collect::<Result<_>>()?;
    let of = |flags: &[bool]| {
        let chosen = cases.iter().zip(flags).filter(|(_, flag)| **flag);
        listed(
            chosen.map(|((density, batch), _)| format!("{density} with B = {batch}")),
            ", ",
        )
    };
    let largest = added.iter().zip(&words).max_by(|a, b| a.0.mean.total_cmp(&b.0.mean));
    let (decision, counterexample) = if let Some(wrong) = wrong {
        (Decision::Fails, Some(wrong))
    } else if larger.contains(&true) {
        (Decision::Fails, largest.map(|(_, word)| word.clone()))
    } else if smaller.iter().all(|&flag| flag) {
        (Decision::Holds, None)
    } else {
        let why = "losses are neither shown above the margin anywhere nor below it everywhere".into();
        (Decision::Undecided { why }, None)
    };
    Ok(Verdict {
        decision,
        evidence: format!(
            "Beyond the dense network, batch normalisation loses against layer normalisation: {}. More than the margin is shown at \
             densities {}; less at {}. In the first layer {dead}.",
            words.join("; "),
            of(&larger),
            of(&smaller)
        ),
        hypotheses,
        statistic: (STATISTIC.into(), largest.map_or(f64::NAN, |(added, _)| added.mean)),
        tolerance: margin,
        counterexample,
    })
}
