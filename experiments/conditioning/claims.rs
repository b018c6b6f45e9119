//! What is claimed about conditioning, and the checks, pure functions of the table.

use super::quadratic::FAMILIES;
use super::{exact_claims, network_claims};
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::statistics::{PairedComparison, median};
use ticketsense::table::{Record, Table};
use ticketsense::theory::gradient_descent::optimal_rate;

pub(super) const CLAIMS: &[Claim] = &[
    Claim {
        id: "C1",
        name: "optimal-step-rate",
        statement: "On a quadratic, constant-step gradient descent contracts by max(|1 - step l_min|, |1 - step l_max|); \
                    the best step 2/(l_min + l_max) gives (k - 1)/(k + 1), attained from the worst start. A singular \
                    matrix takes its smallest nonzero eigenvalue and errors in its range.",
        source: "Polyak 1964; Nesterov, Introductory Lectures on Convex Optimization, 2004, Theorem 2.1.15",
        expected: Expected::Holds,
        tolerance_rule: "relative 1e-12 after each step, times the number of steps: a step on order 8 errs by about 8 epsilon \
                         times 1 + step l_max over the factor, some 6e-15 for the smallest factor 1/3",
        check: best_step,
    },
    Claim {
        id: "C2",
        name: "mask-improves-conditioning",
        statement: "Masking weights improves the condition number of the curvature.",
        source: "Horn & Johnson, Matrix Analysis, Theorem 4.3.28 (interlacing); Evci et al. 2022, arXiv:2010.03533 \
                 (tickets do not improve gradient flow)",
        expected: Expected::HoldsUnder,
        tolerance_rule: "every mask is examined; a condition number k counts as raised above 100 epsilon k of itself, because \
                         an eigenvalue errs by about epsilon l_max; masks whose nonzero spectrum stands less than 1000 \
                         times above what was taken for zero are not counted; interlacing to 100 epsilon l_max. Networks \
                         are compared by paired Student intervals at 0.05, from 20 pairs on",
        check: masks_and_conditioning,
    },
    Claim {
        id: "C3",
        name: "pruning-selects-eigenmodes",
        statement: "A mask selects eigenmodes of the curvature: the masked spectrum is a part of the whole one.",
        source: "Horn & Johnson, Matrix Analysis, Theorem 4.3.28: masked eigenvalues interlace",
        expected: Expected::Fails,
        tolerance_rule: "distance of a masked eigenvalue from the nearest one of the whole matrix, against 100 epsilon l_max, \
                         the rounding of an eigenvalue at order 8",
        check: eigenmodes,
    },
    exact_claims::C4,
    exact_claims::C5,
    network_claims::C2A,
    network_claims::C2B,
];

/// Relative deviation allowed for each step of descent.
const STEP_ROUNDING: f64 = 1e-12;
/// Rounding of an eigenvalue of order 8, over the largest.
const EIGENVALUE_ROUNDING: f64 = 1e2 * f64::EPSILON;
/// Pairs of networks below which nothing is said about networks.
pub(super) const LEAST_PAIRS: usize = 20;

pub(super) fn part<'a>(table: &'a Table, name: &'static str) -> Vec<Record<'a>> {
    table.filter(move |r| r.text("part").is_ok_and(|p| p == name)).collect()
}

fn best_step(table: &Table) -> Result<Verdict> {
    let statistic = "largest relative deviation for each step";
    let hypotheses = vec![
        "the error starts in the range of the matrix, in the worst direction for the step".into(),
        "dense, masked and singular matrices, condition numbers 2 to 1000".into(),
        "steps from 0.2 to 1.6 times the best one".into(),
    ];
    let rows = part(table, "descent");
    if rows.is_empty() {
        return Ok(Verdict::undecided(statistic, hypotheses, "no descent was run"));
    }
    let (mut worst, mut counterexample) = (0.0f64, None);
    for row in &rows {
        let name = format!(
            "{} matrix of condition number {}, {} times the best step",
            row.text("family")?,
            row.real("condition")?,
            row.real("step_ratio")?
        );
        let mut deviation = row.real("deviation")?;
        if row.real("step_ratio")? == 1.0 {
            let rate = optimal_rate(row.real("smallest")?, row.real("largest")?)?;
            deviation = deviation.max((row.real("predicted")? / rate - 1.0).abs());
        } else {
            let same = |r: &&Record<'_>| -> Result<bool> {
                Ok(r.text("family")? == row.text("family")?
                    && r.real("dense_condition")? == row.real("dense_condition")?
                    && r.real("step_ratio")? == 1.0)
            };
            let best = rows.iter().find(|r| same(r).unwrap_or(false));
            let faster = match best {
                Some(best) => row.real("measured")? <= best.real("measured")?,
                None => false,
            };
            if faster && counterexample.is_none() {
                counterexample = Some(format!("{name} contracts at least as fast as the best step"));
            }
        }
        if (deviation.is_nan() || deviation > STEP_ROUNDING) && counterexample.is_none() {
            counterexample = Some(format!("{name}: deviation {deviation:e}"));
        }
        worst = worst.max(if deviation.is_nan() { f64::INFINITY } else { deviation });
    }
    Ok(Verdict {
        decision: match counterexample {
            None => Decision::Holds,
            Some(_) => Decision::Fails,
        },
        hypotheses,
        statistic: (statistic.into(), worst),
        tolerance: STEP_ROUNDING,
        evidence: format!(
            "{} descents follow the closed form to {worst:.1e} for each step, and no step from its worst start is as fast \
             as the best one",
            rows.len()
        ),
        counterexample,
    })
}

/// Counts over the masks of the definite or of the singular families.
#[derive(Debug, Default)]
struct Counted {
    masks: i64,
    worse: i64,
    doubtful: i64,
    interlacing: f64,
    /// The matrix and mask of the largest increase, with that increase.
    worst: Option<(f64, String)>,
}

fn count(table: &Table, definite: bool) -> Result<Counted> {
    let mut counted = Counted {
        interlacing: f64::NEG_INFINITY,
        ..Counted::default()
    };
    for row in part(table, "masks") {
        let family = row.text("family")?;
        if !FAMILIES.iter().any(|f| f.name == family && f.definite == definite) {
            continue;
        }
        counted.masks += row.integer("masks")?;
        counted.worse += row.integer("worse")?;
        counted.doubtful += row.integer("doubtful")?;
        let violation = row.real("interlacing")?;
        counted.interlacing = counted
            .interlacing
            .max(if violation.is_nan() { f64::INFINITY } else { violation });
        if row.integer("worse")? > 0
            && let Some(condition) = row.optional_real("worst_condition")?
        {
            let increase = condition / row.real("dense_condition")?;
            if counted.worst.as_ref().is_none_or(|(largest, _)| increase > *largest) {
                let words = format!(
                    "{family} matrix {}, mask {}: condition number {:.3e} instead of {:.3e}",
                    row.integer("number")?,
                    row.text("worst_mask")?,
                    condition,
                    row.real("dense_condition")?
                );
                counted.worst = Some((increase, words));
            }
        }
    }
    Ok(counted)
}

/// The base-10 logarithm of the condition number under `mask`, by pair.
pub(super) fn log_conditions(table: &Table, at: &str, mask: &str) -> Result<Vec<(i64, f64)>> {
    let mut found = Vec::new();
    for row in part(table, "spectrum") {
        if row.text("at")? == at && row.text("family")? == mask {
            found.push((row.integer("number")?, row.real("condition")?.log10()));
        }
    }
    found.sort_by_key(|(number, _)| *number);
    Ok(found)
}

/// What the networks say: a sentence, and whether there are pairs enough.
pub(super) fn networks(table: &Table, at: &str) -> Result<String> {
    let dense = log_conditions(table, at, "dense")?;
    if dense.len() < LEAST_PAIRS {
        return Ok(format!(
            "undecided for networks: {} pairs, fewer than {LEAST_PAIRS}",
            dense.len()
        ));
    }
    let first: Vec<f64> = dense.iter().map(|(_, v)| *v).collect();
    let mut words = Vec::new();
    for mask in ["imp", "one-shot", "random"] {
        let masked: Vec<f64> = log_conditions(table, at, mask)?.iter().map(|(_, v)| *v).collect();
        let difference = PairedComparison::of(&masked, &first)?;
        let interval = difference.interval(0.05)?;
        let lower = masked.iter().zip(&first).filter(|(m, d)| m < d).count();
        words.push(format!(
            "{mask} {:+.2} [{:+.2}, {:+.2}] ({lower} lower)",
            difference.mean, interval.lower, interval.upper
        ));
    }
    Ok(format!(
        "{} pairs, change of log10 κ⁺: {}",
        dense.len(),
        words.join("; ")
    ))
}

/// The median of |measured/predicted − 1| under a mask after `steps` steps.
pub(super) fn deviation(table: &Table, mask: &str, steps: i64) -> Result<Option<f64>> {
    let mut found = Vec::new();
    for row in part(table, "training") {
        if row.text("family")? == mask && row.integer("steps")? == steps {
            found.push(row.real("deviation")?.abs());
        }
    }
    if found.is_empty() {
        Ok(None)
    } else {
        median(&found).map(Some)
    }
}

fn masks_and_conditioning(table: &Table) -> Result<Verdict> {
    let statistic = "masks of definite matrices that raise the condition number";
    let hypotheses = vec![
        "the masked curvature is the principal submatrix at the same point".into(),
        "condition numbers of the nonzero spectrum, masks of unclear rank left out".into(),
        "every mask of matrices of order 3 and 8".into(),
    ];
    let (definite, singular) = (count(table, true)?, count(table, false)?);
    if definite.masks == 0 || singular.masks == 0 {
        return Ok(Verdict::undecided(
            statistic,
            hypotheses,
            "definite and singular matrices are both needed",
        ));
    }
    let broken = definite.worse > 0 || definite.interlacing > EIGENVALUE_ROUNDING;
    let decision = if broken {
        Decision::Fails
    } else if singular.worse > 0 {
        Decision::HoldsUnder {
            condition: "H positive definite".into(),
        }
    } else {
        Decision::Undecided {
            why: "no mask of a singular matrix raised the condition number".into(),
        }
    };
    let interlaced = format!(
        "masked eigenvalues leave the interlacing bounds by {:e}",
        definite.interlacing
    );
    let counterexample = if definite.worse > 0 {
        definite.worst
    } else if broken {
        Some((0.0, interlaced))
    } else {
        singular.worst
    };
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (statistic.into(), definite.worse as f64),
        tolerance: 0.0,
        evidence: format!(
            "Raised by {} of {} masks of positive definite matrices and by {} of {} masks of singular ones ({} of unclear \
             rank). Tangent kernels of the network at the dense start: {}",
            definite.worse,
            definite.masks,
            singular.worse,
            singular.masks,
            singular.doubtful,
            networks(table, "dense start")?
        ),
        counterexample: counterexample.map(|(_, words)| words),
    })
}

fn eigenmodes(table: &Table) -> Result<Verdict> {
    let statistic = "largest distance of a masked eigenvalue from the whole spectrum, over l_max";
    let hypotheses = vec![
        "generic matrices: Wishart, rotated, low-rank".into(),
        "for contrast, matrices that are diagonal in the masked coordinates, and masks of whole blocks".into(),
    ];
    let (mut generic, mut aligned) = ((0.0f64, String::new()), 0.0f64);
    let (mut generic_rows, mut aligned_rows) = (0, 0);
    for row in part(table, "masks") {
        let distance = row.real("distance")?;
        let family = row.text("family")?;
        if ["diagonal", "whole-blocks"].contains(&family) {
            aligned_rows += 1;
            aligned = aligned.max(distance);
        } else {
            generic_rows += 1;
            if distance > generic.0 {
                let words = format!(
                    "{family} matrix {}, {} kept",
                    row.integer("number")?,
                    row.integer("kept")?
                );
                generic = (distance, words);
            }
        }
    }
    if generic_rows == 0 || aligned_rows == 0 {
        return Ok(Verdict::undecided(
            statistic,
            hypotheses,
            "generic and aligned matrices are both needed",
        ));
    }
    let decision = if aligned > EIGENVALUE_ROUNDING {
        Decision::Undecided {
            why: format!("even aligned masks move eigenvalues, by {aligned:e}: the measurement is not trusted"),
        }
    } else if generic.0 > EIGENVALUE_ROUNDING {
        Decision::Fails
    } else {
        Decision::Holds
    };
    let fails = decision == Decision::Fails;
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (statistic.into(), generic.0),
        tolerance: EIGENVALUE_ROUNDING,
        evidence: format!(
            "Masked eigenvalues lie up to {:.2} l_max from the whole spectrum in general, and within {aligned:.0e} l_max where \
             the matrix is diagonal or the mask keeps whole blocks",
            generic.0
        ),
        counterexample: fails.then_some(generic.1),
    })
}
