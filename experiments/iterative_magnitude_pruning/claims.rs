//! The claims about tickets, read off the table.

use super::super::tickets::{LEVEL, points};
use super::assay::Assay;
use super::outcomes::Outcome;
use super::{DENSE, MAIN, TICKET};
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::statistics::NonInferiorityVerdict;
use ticketsense::table::Table;
use ticketsense::theory::imp_density;
use ticketsense::{Error, Result};

const PAIRED_RULE: &str = "Paired seeds, at least 20; Student tests one-sided at 0.025 over all densities together (Holm). \
     Non-inferior means above minus one standard deviation of the dense test accuracy, taken from pilot seeds that are used \
     for nothing else.";

/// The claims of the experiment.
pub const CLAIMS: &[Claim] = &[
    Claim {
        id: "A1",
        name: "ticket-definition",
        statement: "A ticket is a mask m with initial weights w0: trained from m * w0 under the mask, no pruned weight is ever \
             anything but exactly zero. Biases are not pruned.",
        source: "Frankle & Carbin, ICLR 2019, arXiv:1803.03635",
        expected: Expected::Holds,
        tolerance_rule: "Zero: the optimiser sets masked weights and moments to zero instead of computing them.",
        check: ticket_definition,
    },
    Claim {
        id: "A2",
        name: "ticket-matching",
        statement: "Below half of the weights there is a ticket that matches the dense network in as many steps.",
        source: "Frankle & Carbin, ICLR 2019, arXiv:1803.03635; Frankle et al., ICML 2020, arXiv:1912.05671",
        expected: Expected::Open,
        tolerance_rule: PAIRED_RULE,
        check: ticket_matching,
    },
    Claim {
        id: "A3",
        name: "reinit-destroys",
        statement: "Under the ticket's mask fresh initial weights train to a lower accuracy, and fresh magnitudes with the old \
             signs to a higher one than fresh weights.",
        source: "Frankle & Carbin, ICLR 2019; Zhou et al., NeurIPS 2019, arXiv:1905.01067; Liu et al., ICLR 2019, \
             arXiv:1810.05270",
        expected: Expected::HoldsUnder,
        tolerance_rule: PAIRED_RULE,
        check: reinit_destroys,
    },
    Claim {
        id: "A4",
        name: "imp-procedure",
        statement: "Train, prune the smallest, rewind, repeat: it reaches a tenth of the weights without loss, and does better \
             than pruning as much at once.",
        source: "Frankle & Carbin, ICLR 2019, arXiv:1803.03635; Han et al., NeurIPS 2015 (without rewinding)",
        expected: Expected::Open,
        tolerance_rule: PAIRED_RULE,
        check: imp_procedure,
    },
    Claim {
        id: "A5",
        name: "better-generalisation",
        statement: "At densities from 0.1 to 0.7 tickets reach a higher test accuracy than the dense network, and their smallest \
             validation loss earlier.",
        source: "Frankle & Carbin, ICLR 2019, arXiv:1803.03635",
        expected: Expected::HoldsUnder,
        tolerance_rule: "Paired seeds, at least 20; Student tests one-sided at 0.025 over the densities (Holm) for each of the \
             two outcomes. It fails where both gains are bounded: the accuracy's below one standard deviation of dense pilots, \
             the early-stop step's below zero.",
        check: better_generalisation,
    },
    Claim {
        id: "B5",
        name: "imp-density",
        statement: "After S rounds that each prune a fraction a of what remains, a layer of N weights keeps N (1 - a)^S, up to \
             the rounding of whole weights.",
        source: "Frankle & Carbin, ICLR 2019, arXiv:1803.03635; elementary",
        expected: Expected::Holds,
        tolerance_rule: "Zero against the recursion in whole weights k -> k - floor(a k + 1/2), layer by layer; against the \
             unrounded law the proven bound (1 - (1-a)^S) / (2 a).",
        check: imp_density_law,
    },
];

/// The counts of a `kept_by_layer` entry.
///
/// # Errors
/// When an entry is no list of counts.
pub fn layers(entry: &str) -> Result<Vec<usize>> {
    let wrong = || {
        Error::shape(
            "column kept_by_layer",
            "counts separated by spaces",
            format!("'{entry}'"),
        )
    };
    let counts: Option<Vec<usize>> = entry.split(' ').map(|word| word.parse().ok()).collect();
    counts.filter(|counts| counts.len() > 1).ok_or_else(wrong)
}

fn ticket_definition(table: &Table) -> Result<Verdict> {
    let (mut trainings, mut stepwise, mut largest) = (0, 0, 0.0_f64);
    let mut worst = None;
    for record in table.iter() {
        // Dense networks have no pruned weight that could move.
        trainings += usize::from(![DENSE, "small-dense"].contains(&record.text("branch")?));
        let at_end = record.real("pruned_magnitude")?;
        let each_step = record.optional_real("pruned_magnitude_each_step")?;
        stepwise += usize::from(each_step.is_some());
        for value in [Some(at_end), each_step].into_iter().flatten() {
            // Not a number counts as the largest of all.
            let value = if value.is_nan() { f64::INFINITY } else { value };
            if value > largest {
                largest = value;
                worst = Some(format!(
                    "seed {}, round {}, {}: {value:e}",
                    record.integer("seed")?,
                    record.integer("round")?,
                    record.text("branch")?
                ));
            }
        }
    }
    let decision = match (largest > 0.0, stepwise) {
        (true, _) => Decision::Fails,
        (false, 0) => Decision::Undecided {
            why: "no training was watched step by step".into(),
        },
        _ => Decision::Holds,
    };
    Ok(Verdict {
        decision,
        hypotheses: vec![
            "only weights are pruned, biases never".into(),
            "the optimiser's moments are masked with the weights".into(),
        ],
        statistic: ("largest magnitude of a pruned weight".into(), largest),
        tolerance: 0.0,
        evidence: format!(
            "The largest pruned weight is {largest} at the end of {trainings} trainings under a mask, and at every step, with the moments, of \
             {stepwise}."
        ),
        counterexample: worst,
    })
}

/// The assay of a table, or the verdict that ends the check.
macro_rules! assay {
    ($table:expr) => {
        match Assay::new($table)? {
            Ok(assay) => assay,
            Err(verdict) => return Ok(*verdict),
        }
    };
}

fn ticket_matching(table: &Table) -> Result<Verdict> {
    let assay = assay!(table);
    let rounds = assay.rounds_where(|density| density < 0.5)?;
    let matched = assay.non_inferior(TICKET, DENSE, &rounds)?;
    let small = assay.non_inferior("small-dense", DENSE, &rounds)?;
    let shown = match matched.last().or(rounds.first()) {
        Some(&round) => round,
        None => assay.outcomes.last_round()?,
    };
    let comparison = assay.accuracy(TICKET, DENSE, shown)?;
    let inferior = !rounds.is_empty() && {
        let mut all = true;
        for &round in &rounds {
            let judged = assay.margin.judge(&assay.accuracy(TICKET, DENSE, round)?)?;
            all &= judged == NonInferiorityVerdict::Inferior;
        }
        all
    };
    let decision = if !matched.is_empty() {
        Decision::Holds
    } else if inferior || !small.is_empty() {
        Decision::Fails
    } else {
        Decision::Undecided {
            why: "no ticket below half of the weights is shown to match, and not every one to be worse".into(),
        }
    };
    let evidence = format!(
        "Tickets match down to density {} (of {} tried below 0.5); at {:.3} the ticket is {} from the dense network, margin {:.2}. \
         A small dense network of equal size matches down to: {}.",
        assay.smallest(&matched)?,
        rounds.len(),
        assay.density(shown)?,
        points(&comparison)?,
        100.0 * assay.margin.margin(),
        assay.smallest(&small)?
    );
    let statistic = (
        "lower end of the accuracy of ticket minus dense".into(),
        comparison.interval(LEVEL)?.lower,
    );
    let tolerance = -assay.margin.margin();
    Ok(assay.verdict(decision, statistic, tolerance, evidence))
}

fn reinit_destroys(table: &Table) -> Result<Verdict> {
    let assay = assay!(table);
    let rounds = assay.outcomes.rounds();
    let lost = assay.better(TICKET, "reinit", &rounds)?;
    let signs = assay.better("signs", "reinit", &lost)?;
    let harmless = assay.non_inferior("reinit", TICKET, &rounds)?;
    let suffices = assay.non_inferior("signs", TICKET, &rounds)?;
    let shown = match lost.last() {
        Some(&round) => round,
        None => assay.outcomes.last_round()?,
    };
    let loss = assay.accuracy("reinit", TICKET, shown)?;
    let decision = if harmless.len() == rounds.len() {
        Decision::Fails
    } else if !lost.is_empty() && !signs.is_empty() {
        Decision::HoldsUnder {
            condition: format!(
                "at densities {}, and it is the signs that are missed: fresh magnitudes with the old signs do better than fresh \
                 weights at {}",
                assay.densities(&lost)?,
                assay.densities(&signs)?
            ),
        }
    } else {
        Decision::Undecided {
            why: "at no density are both fresh weights shown to be worse than the ticket and old signs better than fresh weights"
                .into(),
        }
    };
    let evidence = format!(
        "At density {:.3} fresh weights are {} from the ticket, old signs with fresh magnitudes {}; the latter are non-inferior to \
         the ticket at {}.",
        assay.density(shown)?,
        points(&loss)?,
        points(&assay.accuracy("signs", TICKET, shown)?)?,
        assay.densities(&suffices)?
    );
    let statistic = (
        "upper end of the accuracy of fresh weights minus ticket".into(),
        loss.interval(LEVEL)?.upper,
    );
    Ok(assay.verdict(decision, statistic, 0.0, evidence))
}

fn imp_procedure(table: &Table) -> Result<Verdict> {
    let assay = assay!(table);
    let rounds = assay.outcomes.rounds();
    let matched = assay.non_inferior(TICKET, DENSE, &rounds)?;
    let better = assay.better(TICKET, "one-shot", &rounds)?;
    let Some(&tenth) = assay.rounds_where(|density| density <= 0.1)?.first() else {
        let why = "no round comes down to a tenth of the weights".to_string();
        let statistic = ("rounds".into(), rounds.len() as f64);
        let evidence = format!("Nothing is decided: {why}.");
        return Ok(assay.verdict(Decision::Undecided { why }, statistic, f64::NAN, evidence));
    };
    let comparison = assay.accuracy(TICKET, DENSE, tenth)?;
    let once = assay.accuracy(TICKET, "one-shot", tenth)?;
    let inferior = assay.margin.judge(&comparison)? == NonInferiorityVerdict::Inferior;
    let decision = match (matched.contains(&tenth), inferior, better.is_empty()) {
        (true, _, false) => Decision::Holds,
        (true, _, true) => Decision::HoldsUnder {
            condition: "without the comparison: pruning at once is not shown to be worse at any density".into(),
        },
        (false, true, false) => Decision::HoldsUnder {
            condition: format!(
                "without loss only down to density {}; iterating does better than pruning at once at {}",
                assay.smallest(&matched)?,
                assay.densities(&better)?
            ),
        },
        (false, true, true) => Decision::Fails,
        (false, false, _) => Decision::Undecided {
            why: "the interval at a tenth of the weights contains the margin".into(),
        },
    };
    let evidence = format!(
        "At density {:.3} the ticket is {} from the dense network (margin {:.2}) and {} from pruning at once.",
        assay.density(tenth)?,
        points(&comparison)?,
        100.0 * assay.margin.margin(),
        points(&once)?
    );
    let statistic = (
        "accuracy of ticket minus dense at a tenth of the weights".into(),
        comparison.mean,
    );
    let tolerance = -assay.margin.margin();
    Ok(assay.verdict(decision, statistic, tolerance, evidence))
}

fn better_generalisation(table: &Table) -> Result<Verdict> {
    let assay = assay!(table);
    let rounds = assay.rounds_where(|density| (0.1..=0.7).contains(&density))?;
    let Some(&first) = rounds.first() else {
        let why = "no round lies between densities 0.1 and 0.7".to_string();
        let evidence = format!("Nothing is decided: {why}.");
        return Ok(assay.verdict(Decision::Undecided { why }, ("rounds".into(), 0.0), f64::NAN, evidence));
    };
    let higher = assay.better(TICKET, DENSE, &rounds)?;
    let earlier = assay.outcomes.above(Outcome::EarlyStop, DENSE, TICKET, 0.0, &rounds)?;
    // Bounds for all densities at once: each interval at the level split over them.
    let each = LEVEL / rounds.len() as f64;
    let (mut best, mut gain_bound, mut steps_bound) = (first, f64::NEG_INFINITY, f64::NEG_INFINITY);
    for &round in &rounds {
        let gain = assay.accuracy(TICKET, DENSE, round)?;
        if gain.mean > assay.accuracy(TICKET, DENSE, best)?.mean {
            best = round;
        }
        gain_bound = gain_bound.max(gain.interval(each)?.upper);
        let steps = assay.outcomes.difference(Outcome::EarlyStop, DENSE, TICKET, round)?;
        steps_bound = steps_bound.max(steps.interval(each)?.upper);
    }
    let margin = assay.margin.margin();
    let decision = match (higher.is_empty(), earlier.is_empty()) {
        (false, false) => Decision::HoldsUnder {
            condition: format!(
                "higher accuracy at densities {}, an earlier stop at {}",
                assay.densities(&higher)?,
                assay.densities(&earlier)?
            ),
        },
        (false, true) => Decision::HoldsUnder {
            condition: format!(
                "higher accuracy at densities {}; no earlier stop is shown",
                assay.densities(&higher)?
            ),
        },
        (true, false) => Decision::HoldsUnder {
            condition: format!(
                "an earlier stop at densities {}; no higher accuracy is shown",
                assay.densities(&earlier)?
            ),
        },
        (true, true) if gain_bound < margin && steps_bound < 0.0 => Decision::Fails,
        (true, true) => Decision::Undecided {
            why: format!(
                "no gain is shown at densities {}, and gains up to {:.2} points and {:.0} steps are not excluded",
                assay.densities(&rounds)?,
                100.0 * gain_bound,
                steps_bound.max(0.0)
            ),
        },
    };
    let comparison = assay.accuracy(TICKET, DENSE, best)?;
    let steps = assay.outcomes.difference(Outcome::EarlyStop, TICKET, DENSE, best)?;
    let evidence = format!(
        "Largest accuracy gain at density {:.3}: {}; the early-stop step there differs by {:+.0} of {:.0} steps. All densities \
         together: gain below {:.2} points.",
        assay.density(best)?,
        points(&comparison)?,
        steps.mean,
        assay.outcomes.summary(Outcome::EarlyStop, DENSE, 0)?.mean,
        100.0 * gain_bound
    );
    let statistic = (
        "largest mean gain in accuracy over the dense network".into(),
        comparison.mean,
    );
    Ok(assay.verdict(decision, statistic, margin, evidence))
}

fn imp_density_law(table: &Table) -> Result<Verdict> {
    let mut sizes: Option<Vec<usize>> = None;
    let (mut counts, mut worst, mut worst_share, mut last_round) = (0, 0_usize, 0.0_f64, 0);
    let mut counterexample = None;
    let mut fractions = (f64::NAN, f64::NAN);
    for record in table.filter(|r| r.text("branch").is_ok_and(|b| [DENSE, TICKET].contains(&b))) {
        if record.text("role")? != MAIN {
            continue;
        }
        let (round, kept) = (record.integer("round")?, layers(record.text("kept_by_layer")?)?);
        fractions = (record.real("prune_fraction")?, record.real("output_prune_fraction")?);
        if round == 0 {
            sizes = Some(kept.clone());
        }
        let full = sizes.as_ref().filter(|full| full.len() == kept.len());
        let full = full.ok_or_else(|| Error::shape("rows", "a dense round before the pruned ones", "none"))?;
        let rounds = u64::try_from(round).map_err(|_| Error::argument("round", "a count", round))?;
        last_round = last_round.max(round);
        for (layer, (&size, &kept)) in full.iter().zip(&kept).enumerate() {
            let fraction = if layer + 1 == full.len() {
                fractions.1
            } else {
                fractions.0
            };
            let expected = imp_density::kept(fraction, rounds, size)?;
            let apart = kept.abs_diff(expected);
            counts += 1;
            if apart > worst {
                worst = apart;
                counterexample = Some(format!(
                    "seed {}, round {round}, layer {layer}: {kept} kept, {expected} expected",
                    record.integer("seed")?
                ));
            }
            let bound = imp_density::rounding_bound(fraction, rounds)?;
            let law = size as f64 * imp_density::density(fraction, rounds)?;
            // The bound is attained where a half is rounded. The law is an exponential of a logarithm, each good to an
            // epsilon and the exponent of size below 8: together less than 16 epsilon of the layer.
            let rounding = 16.0 * f64::EPSILON * size as f64;
            if bound > 0.0 {
                worst_share = worst_share.max(((kept as f64 - law).abs() - rounding) / bound);
            }
        }
    }
    let decision = match (worst, counts, worst_share <= 1.0) {
        (0, 1.., true) => Decision::Holds,
        (_, 0, _) => Decision::Undecided {
            why: "no pruned round".into(),
        },
        _ => Decision::Fails,
    };
    let needed = match imp_density::rounds_to_reach(fractions.0, 0.1) {
        Ok(rounds) => format!(
            " A hidden layer needs {rounds} rounds at a = {} for a tenth.",
            fractions.0
        ),
        Err(_) => String::new(),
    };
    Ok(Verdict {
        decision,
        hypotheses: vec![
            "each layer is a scope of its own, the output layer at its own rate".into(),
            "fractions are of the weights that remain, biases not counted".into(),
        ],
        statistic: (
            "largest difference from the recursion in whole weights".into(),
            worst as f64,
        ),
        tolerance: 0.0,
        evidence: format!(
            "{counts} layer counts over {last_round} rounds equal the recursion in whole weights up to {worst}; from the unrounded \
             law they are at most {worst_share:.2} of the proven bound away.{needed}"
        ),
        counterexample,
    })
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;
