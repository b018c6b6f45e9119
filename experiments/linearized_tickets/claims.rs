//! The verdicts, fixed before the run: T1 (own mask against its shuffle), T2 (against iterative pruning), T3 (overlap).

use super::DENSITIES;
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::statistics::{Interval, NonInferiority, NonInferiorityVerdict, PairedComparison, Summary, holm};
use ticketsense::table::{Record, Table};

/// Pairs of seeds below which nothing is decided.
pub const LEAST_PAIRS: usize = 20;

/// Level of each claim.
pub const LEVEL: f64 = 0.05;

/// A dense network below this accuracy has not learnt the task.
const LEARNT: f64 = 0.9;

/// The solvers of the primary claim.
pub const SOLVERS: [&str; 3] = ["omp@initial", "niht@initial", "lasso@initial"];

pub const CLAIMS: &[Claim] = &[
    Claim {
        id: "T1",
        name: "recovered-beats-its-shuffle",
        statement: "At density 0.10, a mask recovered from labels on the network linearised at its initial weights trains \
                    to a higher test accuracy than the same mask shuffled within layers.",
        source: "The project's own question; the shuffle is the control of Frankle, Dziugaite, Roy & Carbin, ICLR 2021",
        expected: Expected::Open,
        tolerance_rule: "Paired t tests over at least 20 seeds, Holm over the three solvers at 0.05; undecided unless \
                         dense training reaches 0.9 and iterative pruning beats random masks at the same level.",
        check: primary,
    },
    Claim {
        id: "T2",
        name: "recovered-matches-iterative-pruning",
        statement: "At density 0.10, the mask that OMP recovers at the initial weights trains to a test accuracy that is \
                    not inferior to that of iterative magnitude pruning.",
        source: "The project's own question; margins as in the analysis of equivalence trials",
        expected: Expected::Open,
        tolerance_rule: "The 95 % interval of the paired difference over at least 20 seeds must lie above minus the \
                         margin: one standard deviation of iterative pruning's accuracy over the pilot seeds.",
        check: non_inferiority,
    },
    Claim {
        id: "T3",
        name: "recovered-overlaps-the-ticket",
        statement: "At density 0.10, the mask that OMP recovers at the initial weights shares more weights with the ticket \
                    of iterative pruning than chance gives, among live columns.",
        source: "The project's own question; chance is the hypergeometric law in each layer",
        expected: Expected::Open,
        tolerance_rule: "The 95 % t interval of overlap minus its hypergeometric mean over at least 20 seeds against 0.",
        check: overlap,
    },
];

/// Values of a column over seeds for the rows that match, ascending in the seed.
fn values(table: &Table, part: &str, arm: &str, density: f64, mask: &str, column: &str) -> Result<Vec<(i64, f64)>> {
    let mut found = Vec::new();
    for r in table.iter() {
        let is = |r: &Record<'_>| -> Result<bool> {
            Ok(r.text("part")? == part
                && r.text("arm")? == arm
                && r.text("mask")? == mask
                && r.real("density")? == density)
        };
        if is(&r)?
            && let Some(value) = r.optional_real(column)?
        {
            found.push((r.integer("seed")?, value));
        }
    }
    found.sort_by_key(|f| f.0);
    Ok(found)
}

/// Test accuracies of one arm over seeds.
pub fn accuracies(table: &Table, arm: &str, density: f64, mask: &str) -> Result<Vec<(i64, f64)>> {
    values(table, "main", arm, density, mask, "test_accuracy")
}

/// The paired comparison of two lists over the seeds that both have; none for fewer than two.
pub fn paired(first: &[(i64, f64)], second: &[(i64, f64)]) -> Result<Option<PairedComparison>> {
    let both: Vec<(f64, f64)> = first
        .iter()
        .filter_map(|(seed, a)| Some((*a, second.iter().find(|(s, _)| s == seed)?.1)))
        .collect();
    if both.len() < 2 {
        return Ok(None);
    }
    let (a, b): (Vec<f64>, Vec<f64>) = both.into_iter().unzip();
    PairedComparison::of(&a, &b).map(Some)
}

/// Own mask against its shuffle at the primary density.
pub fn against_shuffle(table: &Table, arm: &str) -> Result<Option<PairedComparison>> {
    let own = accuracies(table, arm, DENSITIES[0], "own")?;
    let other = accuracies(table, arm, DENSITIES[0], "shuffled")?;
    paired(&own, &other)
}

/// Why the task cannot tell masks apart, where it cannot; and what was found on the way.
fn assay(table: &Table) -> Result<(Option<String>, String)> {
    let dense: Vec<f64> = accuracies(table, "dense", 1.0, "own")?
        .into_iter()
        .map(|v| v.1)
        .collect();
    if dense.is_empty() {
        return Ok((Some("no dense network was trained".into()), String::new()));
    }
    let dense = Summary::of(&dense)?.mean;
    let imp = accuracies(table, "imp", DENSITIES[0], "own")?;
    let random = accuracies(table, "random", DENSITIES[0], "own")?;
    let Some(gain) = paired(&imp, &random)?.filter(|g| g.pairs >= LEAST_PAIRS) else {
        return Ok((Some(format!("fewer than {LEAST_PAIRS} paired seeds")), String::new()));
    };
    let Interval { lower, upper } = gain.interval(LEVEL)?;
    let found = format!(
        "dense training reaches {dense:.4}, iterative pruning beats random masks by {:+.4} [{lower:+.4}, {upper:+.4}]",
        gain.mean
    );
    let why = if dense < LEARNT {
        Some(format!("the task cannot tell: dense training reaches only {dense:.3}"))
    } else if lower <= 0.0 {
        Some("the task cannot tell: iterative pruning is not clear of random masks".into())
    } else {
        None
    };
    Ok((why, found))
}

fn undecided(why: String, hypotheses: Vec<String>, statistic: &str, tolerance: f64) -> Verdict {
    Verdict {
        tolerance,
        ..Verdict::undecided(statistic, hypotheses, why)
    }
}

const CONDITIONAL: &str = "intervals are over seeds and conditional on the one test set";

fn primary(table: &Table) -> Result<Verdict> {
    let (why, found) = assay(table)?;
    let hypotheses = vec![
        "64-50-30-10 on squared loss, 300 stratified samples; α and learning rates chosen on pilot seeds' validation data".into(),
        if found.is_empty() { "assay sensitivity: not established".into() } else { format!("assay sensitivity: {found}") },
        CONDITIONAL.into(),
    ];
    let name = "smallest Holm-adjusted p-value";
    if let Some(why) = why {
        return Ok(undecided(why, hypotheses, name, LEVEL));
    }
    let mut compared = Vec::new();
    for solver in SOLVERS {
        match against_shuffle(table, solver)? {
            Some(c) if c.pairs >= LEAST_PAIRS => compared.push((solver, c)),
            _ => {
                let why = format!("{solver} has fewer than {LEAST_PAIRS} paired seeds");
                return Ok(undecided(why, hypotheses, name, LEVEL));
            }
        }
    }
    let p_values: Vec<f64> = compared.iter().map(|(_, c)| c.p_value(0.0)).collect::<Result<_>>()?;
    let decisions = holm(&p_values, LEVEL)?;
    let mut evidence = Vec::new();
    let (mut better, mut worse) = (Vec::new(), Vec::new());
    for ((solver, c), d) in compared.iter().zip(&decisions) {
        let Interval { lower, upper } = c.interval(LEVEL / SOLVERS.len() as f64)?;
        evidence.push(format!(
            "{solver} {:+.4} [{lower:+.4}, {upper:+.4}], adjusted p = {:.2e}",
            c.mean, d.adjusted
        ));
        match (d.rejected, c.mean > 0.0) {
            (true, true) => better.push(*solver),
            (true, false) => worse.push(*solver),
            _ => {}
        }
    }
    let decision = if better.len() == SOLVERS.len() {
        Decision::Holds
    } else if !better.is_empty() {
        Decision::HoldsUnder {
            condition: format!("the solver is {}", better.join(" or ")),
        }
    } else if !worse.is_empty() {
        Decision::Fails
    } else {
        Decision::Undecided {
            why: "no solver's difference is clear of zero".into(),
        }
    };
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (name.into(), decisions.iter().map(|d| d.adjusted).fold(1.0, f64::min)),
        tolerance: LEVEL,
        evidence: format!(
            "Own mask minus its shuffle over {} seeds, simultaneous 95 % intervals: {}.",
            compared[0].1.pairs,
            evidence.join("; ")
        ),
        counterexample: worse
            .first()
            .map(|solver| format!("{solver} trains worse than its shuffle")),
    })
}

fn non_inferiority(table: &Table) -> Result<Verdict> {
    let (why, found) = assay(table)?;
    let hypotheses = vec![
        if found.is_empty() {
            "assay sensitivity: not established".into()
        } else {
            format!("assay sensitivity: {found}")
        },
        "the margin is in validation accuracy over pilot seeds and is used for test accuracy".to_string(),
        CONDITIONAL.into(),
    ];
    let name = "lower end of the 95 % interval";
    // The pilot's best learning rate for iterative pruning, as the main part uses it.
    let rate = values(table, "main", "imp", DENSITIES[0], "own", "learning_rate")?
        .first()
        .map(|v| v.1);
    let rates = values(table, "pilot", "imp", DENSITIES[0], "own", "learning_rate")?;
    let pilot = values(table, "pilot", "imp", DENSITIES[0], "own", "validation_accuracy")?;
    let pilot: Vec<f64> = rates
        .iter()
        .zip(&pilot)
        .filter(|(r, _)| Some(r.1) == rate)
        .map(|(_, v)| v.1)
        .collect();
    let claim = match NonInferiority::with_margin_from(&pilot, LEVEL) {
        Ok(claim) => claim,
        Err(e) => return Ok(undecided(format!("no margin: {e}"), hypotheses, name, f64::NAN)),
    };
    let own = accuracies(table, SOLVERS[0], DENSITIES[0], "own")?;
    let imp = accuracies(table, "imp", DENSITIES[0], "own")?;
    let compared = paired(&own, &imp)?.filter(|c| c.pairs >= LEAST_PAIRS);
    let why = why.or_else(|| {
        compared
            .is_none()
            .then(|| format!("fewer than {LEAST_PAIRS} paired seeds"))
    });
    let (None, Some(c)) = (&why, compared) else {
        let why = why.unwrap_or_default();
        return Ok(undecided(why, hypotheses, name, -claim.margin()));
    };
    let Interval { lower, upper } = c.interval(LEVEL)?;
    Ok(Verdict {
        decision: match claim.judge(&c)? {
            NonInferiorityVerdict::NonInferior => Decision::Holds,
            NonInferiorityVerdict::Inferior => Decision::Fails,
            NonInferiorityVerdict::Undecided => Decision::Undecided {
                why: "the interval contains the margin".into(),
            },
        },
        hypotheses,
        statistic: (name.into(), lower),
        tolerance: -claim.margin(),
        evidence: format!(
            "OMP at θ₀ minus iterative pruning: {:+.4} [{lower:+.4}, {upper:+.4}] over {} seeds; margin {:.4} from {} pilot seeds.",
            c.mean,
            c.pairs,
            claim.margin(),
            pilot.len()
        ),
        counterexample: None,
    })
}

fn overlap(table: &Table) -> Result<Verdict> {
    let shared = values(table, "main", SOLVERS[0], DENSITIES[0], "own", "overlap")?;
    let chance = values(table, "main", SOLVERS[0], DENSITIES[0], "own", "chance")?;
    let hypotheses = vec![
        "zero and merged columns take no part; counts of both masks are fixed in each layer".to_string(),
        "an overlap says where a mask is, not that it trains".to_string(),
    ];
    let name = "lower end of the 95 % interval of overlap minus chance";
    let Some(c) = paired(&shared, &chance)?.filter(|c| c.pairs >= LEAST_PAIRS) else {
        return Ok(undecided(
            format!("fewer than {LEAST_PAIRS} seeds"),
            hypotheses,
            name,
            0.0,
        ));
    };
    let Interval { lower, upper } = c.interval(LEVEL)?;
    let mean = Summary::of(&chance.iter().map(|v| v.1).collect::<Vec<_>>())?.mean;
    Ok(Verdict {
        decision: if lower > 0.0 {
            Decision::Holds
        } else if upper <= 0.0 {
            Decision::Fails
        } else {
            Decision::Undecided {
                why: "the interval contains 0".into(),
            }
        },
        hypotheses,
        statistic: (name.into(), lower),
        tolerance: 0.0,
        evidence: format!(
            "{:+.1} weights [{lower:+.1}, {upper:+.1}] above the {mean:.1} of chance, over {} seeds.",
            c.mean, c.pairs
        ),
        counterexample: None,
    })
}

/// Overlaps of a rung of the ladder as (observed − chance)/(ceiling − chance), one a seed.
pub fn normalised(table: &Table, rung: &str) -> Result<Vec<f64>> {
    let mut found = Vec::new();
    for r in table.iter() {
        if r.text("part")? == "ladder" && r.text("arm")? == rung {
            let parts = [
                r.optional_real("overlap")?,
                r.optional_real("chance")?,
                r.optional_real("ceiling")?,
            ];
            if let [Some(overlap), Some(chance), ceiling] = parts {
                // Two masks of equal counts agree in all kept weights at best, where no other ceiling is known.
                let ceiling = ceiling.or(r.optional_real("kept")?);
                if let Some(ceiling) = ceiling.filter(|c| *c > chance) {
                    found.push((overlap - chance) / (ceiling - chance));
                }
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;
