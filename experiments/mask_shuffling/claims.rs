//! The claim about shuffled masks, read off the table.

use super::super::comparison::{Outcomes, Pair, column_mean, listed, shown};
use super::super::tickets::points;
use super::{TREATMENTS, arm};
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::table::Table;

/// The claims of the experiment.
pub const CLAIMS: &[Claim] = &[Claim {
    id: "A14",
    name: "mask-not-random",
    statement: "Shuffling the mask of a ticket within its layers, which keeps the density of every layer, lowers its accuracy.",
    source: "Frankle & Carbin, ICLR 2019; for masks found before training the contrary: Frankle et al., ICLR 2021, \
             arXiv:2009.08576",
    expected: Expected::Open,
    tolerance_rule: "Paired seeds, at least 20; Student tests one-sided at 0.025 over all densities together (Holm): at a \
                     density the claim is shown where the shuffle loses more than the margin against the ticket, and refuted \
                     where it is shown to lose less. The margin is one standard deviation of the dense test accuracy, from \
                     pilot seeds that are used for nothing else. Nothing is decided where the shuffle across layers is not \
                     worse than the dense network.",
    check: mask_not_random,
}];

/// What a treatment costs: `found − treated` at every density.
fn losses(outcomes: &Outcomes, source: &str, treatment: &str) -> Result<Vec<String>> {
    let mut words = Vec::new();
    for density in outcomes.densities(source) {
        let pair = Pair::new(source, arm(source, treatment), density);
        words.push(points(&outcomes.difference(&pair)?)?);
    }
    Ok(words)
}

fn densities_in_words(densities: &[f64]) -> String {
    listed(densities.iter().map(|density| format!("{density:.3}")), ", ")
}

/// What shuffles do to the mask of the smallest density: how many of its weights they move, and how many lie on paths.
fn about_shuffles(table: &Table, density: f64) -> Result<String> {
    let mut words = Vec::new();
    for treatment in TREATMENTS {
        let name = arm("imp", treatment);
        words.push(format!(
            "{treatment} {:.2} and {:.3}",
            column_mean(table, &name, density, "moved")?,
            column_mean(table, &name, density, "effective_density")?
        ));
    }
    Ok(words.join(", "))
}

fn mask_not_random(table: &Table) -> Result<Verdict> {
    let outcomes = Outcomes::read(table)?;
    let densities = outcomes.densities("imp");
    let Some(&smallest) = densities.last() else {
        return Ok(Verdict::undecided(
            "shuffled masks",
            vec!["no rows".into()],
            "there is no ticket",
        ));
    };
    let (margin, mut hypotheses) = match outcomes.assay(&arm("imp", "across"), smallest)? {
        Ok(found) => found,
        Err(verdict) => return Ok(*verdict),
    };
    let shuffled = arm("imp", "within");
    let lost: Vec<Pair> = densities.iter().map(|&d| Pair::new("imp", &shuffled, d)).collect();
    let kept: Vec<Pair> = lost.iter().map(Pair::turned).collect();
    let costly = outcomes.above(&lost, margin.margin())?;
    let refuted = outcomes.above(&kept, -margin.margin())?;
    let chosen = |flags: &[bool]| -> Vec<f64> { shown(&densities, flags).copied().collect() };
    let (worse, matched) = (chosen(&costly), chosen(&refuted));
    let (_, largest) = outcomes.extremes(&lost)?;
    let snip: Vec<Pair> = densities
        .iter()
        .map(|&d| Pair::new("snip", arm("snip", "within"), d))
        .collect();
    let snip_lost = chosen(&outcomes.above(&snip, margin.margin())?);
    let degrees: Vec<Pair> = densities
        .iter()
        .map(|&d| Pair::new(arm("imp", "degrees"), &shuffled, d))
        .collect();
    let helped = chosen(&outcomes.above(&degrees, 0.0)?);
    hypotheses.push("the learning rate is chosen for every arm and density on pilot seeds of their own".into());
    hypotheses.push(format!(
        "shuffles do move weights; fraction moved and effective density of a ticket at density {smallest:.3}: {}",
        about_shuffles(table, smallest)?
    ));
    let decision = if worse.len() == densities.len() {
        Decision::Holds
    } else if !worse.is_empty() {
        Decision::HoldsUnder {
            condition: format!(
                "a mask of iterative pruning at densities {}",
                densities_in_words(&worse)
            ),
        }
    } else if matched.len() == densities.len() {
        Decision::Fails
    } else {
        Decision::Undecided {
            why: "shuffled masks are neither shown to lose more than the margin nor to lose less at all densities"
                .into(),
        }
    };
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: ("largest mean loss from a shuffle within layers".into(), largest),
        tolerance: margin.margin(),
        evidence: format!(
            "On this task, at densities {}, a ticket loses {} by a shuffle within layers, {} where rows and columns keep their \
             counts, {} across layers. More than the margin is shown lost within layers at: {}; less at: {}. Keeping rows and \
             columns is shown to help at: {}. A mask of one-shot pruning loses {} within layers, one of SNIP {} (more than the \
             margin at: {}), and {} where rows and columns keep their counts.",
            densities_in_words(&densities),
            losses(&outcomes, "imp", "within")?.join(", "),
            losses(&outcomes, "imp", "degrees")?.join(", "),
            losses(&outcomes, "imp", "across")?.join(", "),
            densities_in_words(&worse),
            densities_in_words(&matched),
            densities_in_words(&helped),
            losses(&outcomes, "one-shot", "within")?.join(", "),
            losses(&outcomes, "snip", "within")?.join(", "),
            densities_in_words(&snip_lost),
            losses(&outcomes, "snip", "degrees")?.join(", "),
        ),
        counterexample: (decision_is_fail(&matched, &densities)).then(|| format!("{shuffled} at all densities")),
    })
}

fn decision_is_fail(matched: &[f64], densities: &[f64]) -> bool {
    !densities.is_empty() && matched.len() == densities.len()
}
