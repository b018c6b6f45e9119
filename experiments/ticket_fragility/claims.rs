//! The claim about noise on initial weights, read off the table.

use super::super::comparison::{self, DENSE, MAIN, Outcomes, Pair, listed};
use super::super::tickets::{above, percent, points};
use super::noise::{REINIT, TICKET, arm};
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::pruning::Control;
use ticketsense::statistics::{PairedComparison, Summary};
use ticketsense::table::Table;
use ticketsense::theory::sign_flip::flip_probability;

/// Noise is tiny up to this many standard deviations of the initial weights.
const TINY: f64 = 0.1;

/// A8.
pub const NOISE: Claim = Claim {
    id: "A8",
    name: "noise-fragility",
    statement: "Noise of at most a tenth of their standard deviation on the initial weights of a ticket lowers its accuracy, \
                and by more than it lowers that of the dense network.",
    source: "the claim has no source; what contradicts it: Zhou et al., NeurIPS 2019, arXiv:1905.01067; Frankle, Schwab & \
             Morcos, ICLR 2020, arXiv:2002.10365",
    expected: Expected::Fails,
    tolerance_rule: "Paired seeds, at least 20; Student tests one-sided at 0.025 over all such noises and densities together \
                     (Holm). It is shown at a density where a ticket loses more than the margin, and more than the dense \
                     network loses; it fails where every loss is shown to be smaller than the margin. The margin is one \
                     standard deviation of the dense test accuracy, from pilot seeds that are used for nothing else. Nothing \
                     is decided where the mask over fresh initial values is not worse than the dense network.",
    check: noise_fragility,
};

/// The sizes of noise in a table, ascending.
pub fn sizes(table: &Table) -> Result<Vec<f64>> {
    let mut sizes: Vec<f64> = Vec::new();
    for record in table.iter() {
        if record.text("part")? == MAIN
            && let Some(tau) = record.optional_real("tau")?
            && !sizes.contains(&tau)
        {
            sizes.push(tau);
        }
    }
    sizes.sort_by(f64::total_cmp);
    Ok(sizes)
}

/// What plain noise costs a ticket more than it costs the dense network.
fn beyond_dense(outcomes: &Outcomes, density: f64, tau: f64) -> Result<PairedComparison> {
    let lost = |of: &str, density: f64| -> Result<Vec<f64>> {
        let noisy = outcomes.accuracies(&arm(of, Control::Noise(tau)), density)?;
        let plain = outcomes.accuracies(of, density)?;
        Ok(plain.iter().zip(noisy).map(|(a, b)| a - b).collect())
    };
    PairedComparison::of(&lost(TICKET, density)?, &lost(DENSE, 1.0)?)
}

/// The mean fraction of flipped signs of an arm, with the closed form.
fn flips(table: &Table, of: &str, tau: f64) -> Result<String> {
    let name = arm(of, Control::Noise(tau));
    let mut seen = Vec::new();
    for record in table.iter().filter(|r| r.text("arm").is_ok_and(|a| a == name)) {
        seen.extend(record.optional_real("flipped")?);
    }
    Ok(percent(Summary::of(&seen)?.mean))
}

fn noise_fragility(table: &Table) -> Result<Verdict> {
    let outcomes = Outcomes::read(table)?;
    let (densities, sizes) = (outcomes.densities(TICKET), sizes(table)?);
    let tiny: Vec<f64> = sizes.iter().copied().filter(|tau| *tau <= TINY).collect();
    let (Some(&smallest), Some(&largest_tiny)) = (densities.last(), tiny.last()) else {
        return Ok(Verdict::undecided(
            "noise",
            vec!["no rows".into()],
            "there is no ticket with tiny noise",
        ));
    };
    let (margin, mut hypotheses) = match outcomes.assay(REINIT, smallest)? {
        Ok(found) => found,
        Err(verdict) => return Ok(*verdict),
    };
    let every = |sizes: &[f64]| -> Vec<(f64, f64)> {
        let all = densities.iter().flat_map(|&d| sizes.iter().map(move |&tau| (d, tau)));
        all.collect()
    };
    let cases = every(&tiny);
    let lost = |&(density, tau): &(f64, f64)| Pair::new(TICKET, arm(TICKET, Control::Noise(tau)), density);
    let losses: Vec<Pair> = cases.iter().map(lost).collect();
    let fragile = outcomes.above(&losses, margin.margin())?;
    let bounded = outcomes.above(&losses.iter().map(Pair::turned).collect::<Vec<_>>(), -margin.margin())?;
    let further: Result<Vec<PairedComparison>> =
        cases.iter().map(|&(d, tau)| beyond_dense(&outcomes, d, tau)).collect();
    let more = above(&further?, 0.0)?;
    let shown: Vec<(f64, f64)> = (0..cases.len())
        .filter(|&i| fragile[i] && more[i])
        .map(|i| cases[i])
        .collect();
    let (_, worst) = outcomes.extremes(&losses)?;
    // From which noise on anything is lost, and whether the signs are what is lost.
    let all = every(&sizes);
    let dropped = outcomes.above(&all.iter().map(lost).collect::<Vec<_>>(), 0.0)?;
    let signs: Vec<Pair> = all
        .iter()
        .map(|&(d, tau)| {
            Pair::new(
                arm(TICKET, Control::NoiseKeepingSigns(tau)),
                arm(TICKET, Control::Noise(tau)),
                d,
            )
        })
        .collect();
    let saved = outcomes.above(&signs, 0.0)?;
    let case_words = |(d, tau): &(f64, f64)| format!("τ = {tau} at density {d:.3}");
    let chosen = |flags: &[bool]| listed(comparison::shown(&all, flags).map(case_words), ", ");
    hypotheses.push(
        "the learning rate is chosen on pilot seeds of their own, one for a network of a density with all its noises"
            .into(),
    );
    hypotheses.push(format!(
        "noise of τ = {largest_tiny} flips {} of the signs of a dense network (arctan(τ)/π = {}) and {} of those of tickets, \
         whose initial weights are larger",
        flips(table, DENSE, largest_tiny)?,
        percent(flip_probability(largest_tiny)?),
        flips(table, TICKET, largest_tiny)?
    ));
    let mut lines = Vec::new();
    for &tau in &sizes {
        for &density in &densities {
            let kept = Pair::new(TICKET, arm(TICKET, Control::NoiseKeepingSigns(tau)), density);
            lines.push(format!(
                "τ = {tau} at density {density:.3} costs {}, with signs kept {}",
                points(&outcomes.difference(&lost(&(density, tau)))?)?,
                points(&outcomes.difference(&kept)?)?
            ));
        }
        let dense = Pair::new(DENSE, arm(DENSE, Control::Noise(tau)), 1.0);
        lines.push(format!("the dense network {}", points(&outcomes.difference(&dense)?)?));
    }
    let decision = if shown.len() == cases.len() {
        Decision::Holds
    } else if !shown.is_empty() {
        Decision::HoldsUnder {
            condition: listed(shown.iter().map(case_words), ", "),
        }
    } else if bounded.iter().all(|bounded| *bounded) {
        Decision::Fails
    } else {
        Decision::Undecided {
            why: "losses by tiny noise are neither shown to exceed the margin nor shown to lie within it everywhere"
                .into(),
        }
    };
    let fails = decision == Decision::Fails;
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (format!("largest mean loss by noise of at most {TINY}"), worst),
        tolerance: margin.margin(),
        evidence: format!(
            "{}. A loss is shown for: {}. Keeping the signs is shown to help for: {}.",
            lines.join("; "),
            chosen(&dropped),
            chosen(&saved)
        ),
        counterexample: fails.then(|| format!("τ = {largest_tiny} at density {smallest:.3}")),
    })
}
