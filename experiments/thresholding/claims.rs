//! What is claimed about thresholds, and the checks, pure functions of the table.

use super::groups::worst;
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::statistics::distributions::two_sided_normal;
use ticketsense::table::{Record, Table};
use ticketsense::theory::thresholding::{ThresholdRisk, hard, soft};

pub(super) const CLAIMS: &[Claim] = &[
    Claim {
        id: "C8",
        name: "soft-vs-hard",
        statement: "Soft thresholding of a noisy value shrinks it and is biased; hard thresholding has no bias.",
        source: "Donoho & Johnstone, Biometrika 1994",
        expected: Expected::HoldsUnder,
        tolerance_rule: "bias and risk of every true value and threshold lie within z standard errors of the closed forms, \
                         and a bias counts as present beyond z standard errors; z for level 0.001 shared by all these \
                         means. A mean is used where 1000 estimates at least are expected to be kept: its skewness then \
                         changes the tail beyond z by less than a factor two",
        check: soft_and_hard,
    },
    Claim {
        id: "C9",
        name: "group-lasso-prox",
        statement: "The proximal map of the norm of a group keeps or zeroes the group as a whole, by its norm, and shrinks \
                    what it keeps by the threshold.",
        source: "Yuan & Lin, J. R. Stat. Soc. B 2006",
        expected: Expected::Holds,
        tolerance_rule: "1e-12 of the norm of the group, for the subgradient residual, the distance from the minimiser that \
                         majorisation finds without the closed form, and the loss of norm: a norm of 100 coordinates errs \
                         by about 50 epsilon, and majorisation contracts by 0.8 or better",
        check: groups,
    },
    Claim {
        id: "C10",
        name: "prox-vs-imp-paths",
        statement: "On its support S with signs s the LASSO's weights are those of least squares less λ(X_SᵀX_S)⁻¹s; where \
                    features correlate, its path and that of magnitude pruning with refits can keep different features.",
        source: "Tibshirani, J. R. Stat. Soc. B 1996; Osborne, Presnell & Turlach, IMA J. Numer. Anal. 2000",
        expected: Expected::Holds,
        tolerance_rule: "of each solution, 100 epsilon times the condition number of X_SᵀX_S of its weights and of ‖y‖/‖X_S‖, for \
                         both sides solve systems with that matrix; and √(2 gap/λ_min(X_SᵀX_S)), for the solver's answer is \
                         as near to the minimiser as its duality gap says. Supports count as different only where both \
                         have margins of 1e-9: no tie, no feature about to enter or leave",
        check: paths,
    },
];

/// Level of a whole claim.
const LEVEL: f64 = 1e-3;
/// Kept estimates below which a mean is too skew for a normal law.
const LEAST_KEPT: f64 = 1000.0;
/// Relative rounding of the group maps.
const GROUP_ROUNDING: f64 = 1e-12;
/// Bias, in standard deviations of the noise, that is called none in words.
const SMALL_BIAS: f64 = 0.01;

pub(super) fn part<'a>(table: &'a Table, name: &'static str) -> Vec<Record<'a>> {
    table.filter(move |r| r.text("part").is_ok_and(|p| p == name)).collect()
}

/// One estimator at one true value.
struct Measured {
    estimator: String,
    threshold: f64,
    mean: f64,
    bias: (f64, f64),
    risk: (f64, f64),
    theory: ThresholdRisk,
}

fn measured(table: &Table) -> Result<(Vec<Measured>, usize)> {
    let (mut all, mut left_out) = (Vec::new(), 0);
    for row in part(table, "scalar") {
        let (threshold, mean) = (row.real("threshold")?, row.real("mean")?);
        let estimator = row.text("estimator")?.to_string();
        let theory = if estimator == "soft" {
            soft(mean, threshold)?
        } else {
            hard(mean, threshold)?
        };
        if theory.kept * row.real("trials")? < LEAST_KEPT {
            left_out += 1;
            continue;
        }
        all.push(Measured {
            estimator,
            threshold,
            mean,
            bias: (row.real("bias")?, row.real("bias_error")?),
            risk: (row.real("risk")?, row.real("risk_error")?),
            theory,
        });
    }
    Ok((all, left_out))
}

/// The least distance above every threshold from which on the bias of hard thresholding is small, in steps of 0.01.
pub(super) fn harmless_distance(thresholds: &[f64]) -> Result<f64> {
    let mut distance = 0.0f64;
    for &threshold in thresholds {
        for step in (0..=600).rev() {
            let beyond = f64::from(step) * 0.01;
            if hard(threshold + beyond, threshold)?.bias.abs() >= SMALL_BIAS {
                distance = distance.max(beyond + 0.01);
                break;
            }
        }
    }
    Ok(distance)
}

fn soft_and_hard(table: &Table) -> Result<Verdict> {
    let statistic = "largest distance of a bias or risk from its closed form, in standard errors";
    let (all, left_out) = measured(table)?;
    let mut thresholds: Vec<f64> = all.iter().map(|m| m.threshold).collect();
    thresholds.dedup();
    let hypotheses = vec![
        "y = θ + g with standard normal g, known noise, threshold fixed before the data".into(),
        format!("thresholds {thresholds:?}, both estimators on the same observations"),
        format!("{left_out} cells left out, in which fewer than 1000 estimates are expected to be kept"),
    ];
    let of = |name: &'static str| all.iter().filter(move |m| m.estimator == name);
    if of("soft").count() == 0 || of("hard").count() == 0 {
        return Ok(Verdict::undecided(statistic, hypotheses, "both estimators are needed"));
    }
    let z = two_sided_normal(LEVEL / (2 * all.len()) as f64)?;
    let (mut largest, mut counterexample) = (0.0f64, None);
    for m in &all {
        for (what, (value, error), theory) in [("bias", m.bias, m.theory.bias), ("risk", m.risk, m.theory.risk)] {
            let distance = (value - theory).abs() / error;
            if (distance.is_nan() || distance > z) && counterexample.is_none() {
                counterexample = Some(format!(
                    "{} threshold {} at θ = {}: {what} {value:.5} ± {error:.5}, by the closed form {theory:.5}",
                    m.estimator, m.threshold, m.mean
                ));
            }
            largest = worst(largest, distance);
        }
    }
    let present = |m: &&Measured| m.bias.0.abs() > z * m.bias.1;
    let soft_biased = of("soft").filter(present).count();
    let hard_biased = of("hard").filter(present).count();
    let strongest = of("hard")
        .filter(present)
        .max_by(|a, b| a.bias.0.abs().total_cmp(&b.bias.0.abs()));
    let beyond = harmless_distance(&thresholds)?;
    let decision = match (&counterexample, strongest) {
        (Some(_), _) => Decision::Fails,
        _ if soft_biased == 0 => Decision::Undecided {
            why: "not even the bias of soft thresholding was seen: more trials are needed".into(),
        },
        (None, None) => Decision::Undecided {
            why: "no bias of hard thresholding was seen, though the closed form has one".into(),
        },
        (None, Some(_)) => Decision::HoldsUnder {
            condition: format!(
                "values {beyond:.2} noise standard deviations or more above the threshold (bias below {SMALL_BIAS}), or 0; nearer, \
                 hard thresholding is biased too"
            ),
        },
    };
    let strong = strongest.map_or(String::new(), |m| {
        format!(
            "; the strongest of hard is {:+.3} at θ = {}, λ = {}, where soft has {:+.3}",
            m.bias.0,
            m.mean,
            m.threshold,
            of("soft")
                .find(|s| s.mean == m.mean && s.threshold == m.threshold)
                .map_or(f64::NAN, |s| s.bias.0)
        )
    });
    let wins = crossings(&all, z);
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (statistic.into(), largest),
        tolerance: z,
        evidence: format!(
            "{} means within {largest:.2} standard errors of the closed forms; a bias is seen in {soft_biased} cells of soft \
             and {hard_biased} of hard thresholding{strong}. Risk: soft is better for {} values and hard for {} of those \
             compared",
            2 * all.len(),
            wins.0,
            wins.1
        ),
        counterexample,
    })
}

/// How many values soft and hard thresholding estimate with significantly less risk than the other.
fn crossings(all: &[Measured], z: f64) -> (usize, usize) {
    let (mut for_soft, mut for_hard) = (0, 0);
    for s in all.iter().filter(|m| m.estimator == "soft") {
        let same = |m: &&Measured| m.estimator == "hard" && m.mean == s.mean && m.threshold == s.threshold;
        if let Some(h) = all.iter().find(same) {
            // The observations are shared; adding the variances is then at worst off by a factor of two.
            let error = 2.0f64.sqrt() * s.risk.1.hypot(h.risk.1);
            for_soft += usize::from(h.risk.0 - s.risk.0 > z * error);
            for_hard += usize::from(s.risk.0 - h.risk.0 > z * error);
        }
    }
    (for_soft, for_hard)
}

fn groups(table: &Table) -> Result<Verdict> {
    let statistic = "largest deviation, over the norm of its group";
    let hypotheses = vec![
        "groups that do not overlap, thresholds √size".into(),
        "directions uniform, norms from 0 to three thresholds, one group in ten within 1e-9 of the threshold".into(),
    ];
    let rows = part(table, "group");
    let [mut total, mut kept, mut mixed, mut mixed_l1, mut unshrunk] = [0i64; 5];
    let (mut largest, mut counterexample) = (0.0f64, None);
    for row in &rows {
        total += row.integer("groups")?;
        kept += row.integer("kept")?;
        mixed += row.integer("mixed")?;
        mixed_l1 += row.integer("mixed_l1")?;
        unshrunk += row.integer("unshrunk")?;
        for name in ["residual", "deviation", "shrinkage"] {
            let value = row.real(name)?;
            if (value.is_nan() || value > GROUP_ROUNDING) && counterexample.is_none() {
                counterexample = Some(format!("{name} {value:e} in groups of {}", row.integer("group_size")?));
            }
            largest = worst(largest, value);
        }
    }
    if kept == 0 || kept == total {
        return Ok(Verdict::undecided(
            statistic,
            hypotheses,
            "kept and zeroed groups are both needed",
        ));
    }
    if mixed > 0 || unshrunk > 0 {
        counterexample.get_or_insert(format!("{mixed} groups partly zero, {unshrunk} kept without shrinkage"));
    }
    Ok(Verdict {
        decision: match counterexample {
            None => Decision::Holds,
            Some(_) => Decision::Fails,
        },
        hypotheses,
        statistic: (statistic.into(), largest),
        tolerance: GROUP_ROUNDING,
        evidence: format!(
            "{total} groups, {kept} kept: optimal to {largest:.1e}, every kept one shorter by the threshold, none partly zero \
             (coordinate by coordinate {mixed_l1} would be)"
        ),
        counterexample,
    })
}

fn paths(table: &Table) -> Result<Verdict> {
    let statistic = "largest deviation from the closed form, over its tolerance";
    let hypotheses = vec![
        "standardised features, unique solutions: fewer features than samples".into(),
        "solutions whose KKT conditions hold with a margin; supports of equal size compared, the LASSO's at the largest penalty of its grid that has that size".into(),
    ];
    let rows = part(table, "paths");
    let (mut supports, mut turned, mut exact, mut counterexample) = (0, 0, 0, None);
    let [mut largest, mut relative] = [0.0f64; 2];
    for row in &rows {
        supports += row.integer("supports")?;
        turned += row.integer("signs_differ")?;
        exact += row.integer("exact")?;
        relative = worst(relative, row.real("relative")?);
        let value = row.real("identity")?;
        if (value.is_nan() || value > 1.0) && counterexample.is_none() {
            counterexample = Some(format!(
                "deviation {value:e} times its tolerance at correlation {}",
                row.real("correlation")?
            ));
        }
        largest = worst(largest, value);
    }
    if supports == 0 {
        return Ok(Verdict::undecided(statistic, hypotheses, "no solution was compared"));
    }
    let (mut different, mut compared, mut doubtful) = (0, 0, 0);
    let mut example = None;
    for row in part(table, "size") {
        if row.real("correlation")? == 0.0 {
            continue;
        }
        compared += row.integer("problems")?;
        different += row.integer("different")?;
        doubtful += row.integer("doubtful")?;
        let share = (
            row.integer("different")?,
            row.integer("problems")?,
            row.integer("size")?,
        );
        if example.is_none_or(|(most, _, _, _)| share.0 > most) {
            example = Some((share.0, share.1, share.2, row.real("correlation")?));
        }
    }
    let decision = if counterexample.is_some() {
        Decision::Fails
    } else if different > 0 {
        Decision::Holds
    } else {
        Decision::Undecided {
            why: "the identity holds, but no model had different supports".into(),
        }
    };
    let most = example.map_or(String::new(), |(count, of, size, correlation)| {
        format!(", most often at {size} features and correlation {correlation}: {count} of {of}")
    });
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (statistic.into(), largest),
        tolerance: 1.0,
        evidence: format!(
            "{supports} solutions follow the closed form to {relative:.1e} of their size, {exact} of them up to rounding (the refit \
             turns a sign in {turned}); with \
             correlated features {different} of {compared} supports of equal size differ{most} ({doubtful} within rounding)"
        ),
        counterexample,
    })
}
