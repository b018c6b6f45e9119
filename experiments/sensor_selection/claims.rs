//! What is claimed about choosing sensors, and the checks, pure functions of the table.

use super::NOISE;
use super::ensembles::verdict_on_ensembles;
use super::examples::crossing;
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::table::{Record, Table};

pub(super) const CLAIMS: &[Claim] = &[
    Claim {
        id: "J1",
        name: "a-optimality",
        statement: "A-optimal selection, the k rows with the least trace of the posterior covariance of the unknowns, is one \
                    choice that belongs to the matrix.",
        source: "Pukelsheim 1993; Joshi & Boyd, IEEE Trans. Signal Process. 2009; Chamon & Ribeiro 2017",
        expected: Expected::HoldsUnder,
        tolerance_rule: "the trace against that of conditioning in the space of measurements: 1e2 ε times the condition number \
                         of the matrix inverted there. Choices are compared as sets, from enumeration, where neither ties with \
                         another choice",
        check: definition,
    },
    Claim {
        id: "J2",
        name: "norm-rule-agreement",
        statement: "For orthogonal rows the k rows of largest norm are A-optimal: the trace is nτ² less the sum of \
                    τ⁴‖a‖²/(σ² + τ²‖a‖²) over the rows chosen.",
        source: "elementary: orthogonal rows are eigenvectors of the information",
        expected: Expected::Holds,
        tolerance_rule: "zero: the chosen rows and the best ones of all choices are the same set; the formula to 1e2 ε times \
                         the condition number of the information",
        check: orthogonal,
    },
    Claim {
        id: "J3",
        name: "norm-rule-correlated",
        statement: "Of the sensors (1, 0), (1, 0.001) and (0, 0.5), the rule of largest norms takes the two that are nearly one \
                    and the same, and an A-optimal pair is another.",
        source: "elementary",
        expected: Expected::HoldsUnder,
        tolerance_rule: "zero: sets of rows from enumeration, none of them tied",
        check: duplicated,
    },
    Claim {
        id: "J4",
        name: "norm-rule-ensembles",
        statement: "For random matrices the k rows of largest norm come within 5 % of the least trace.",
        source: "Joshi & Boyd, IEEE Trans. Signal Process. 2009, for optimal selections to compare with",
        expected: Expected::HoldsUnder,
        tolerance_rule: "a law is close where at least half of its matrices are within 5 %, the whole Clopper-Pearson interval \
                         at 0.001 shared by all settings being above one half, and not close where it is below. Overlaps \
                         against the exact law of the sum of hypergeometric ones at the same level shared by the ensembles",
        check: verdict_on_ensembles,
    },
];

/// Level of a whole claim.
pub(super) const LEVEL: f64 = 1e-3;

pub(super) fn part<'a>(table: &'a Table, name: &str) -> Result<Vec<Record<'a>>> {
    let mut found = Vec::new();
    for row in table.iter() {
        if row.text("part")? == name {
            found.push(row);
        }
    }
    Ok(found)
}

/// The rows of one value of a column.
pub(super) fn at<'a>(rows: &[Record<'a>], column: &str, value: f64) -> Vec<Record<'a>> {
    let same = |row: &&Record<'_>| row.real(column).is_ok_and(|v| v == value);
    rows.iter().filter(same).copied().collect()
}

/// The values of a column, ascending, each once.
pub(super) fn values(rows: &[Record<'_>], column: &str) -> Result<Vec<f64>> {
    let mut values: Vec<f64> = Vec::new();
    for row in rows {
        values.push(row.real(column)?);
    }
    values.sort_by(f64::total_cmp);
    values.dedup();
    Ok(values)
}

/// The number of rows whose norm rule found the best choice.
fn identical(rows: &[Record<'_>]) -> Result<usize> {
    let mut count = 0;
    for row in rows {
        count += usize::from(row.text("best_rows")? == row.text("norm_rows")?);
    }
    Ok(count)
}

/// The first row whose deviation is beyond its tolerance, and the largest share of a tolerance.
fn deviations<'a>(rows: &[Record<'a>]) -> Result<(Option<Record<'a>>, f64)> {
    let (mut bad, mut worst) = (None, 0.0_f64);
    for row in rows {
        let share = row.real("deviation")? / row.real("tolerance")?;
        if (share > 1.0 || share.is_nan()) && bad.is_none() {
            bad = Some(*row);
        }
        worst = worst.max(share);
    }
    Ok((bad, worst))
}

fn definition(table: &Table) -> Result<Verdict> {
    let statistic = "share of matrices whose best choice is not the same at all noise levels";
    let hypotheses = vec![
        "14 Gaussian rows in 4 unknowns, 6 chosen, mean squared row norm 1; prior variance 1".to_string(),
        "every choice enumerated; neither of two choices compared ties with another".to_string(),
        "the trace is that of conditioning in the space of measurements".to_string(),
    ];
    let rows = part(table, "definition")?;
    let noises = values(&rows, "noise_ratio")?;
    let (Some(&least), Some(&most)) = (noises.first(), noises.last()) else {
        return Ok(Verdict::undecided(statistic, hypotheses, "no matrices"));
    };
    let (low, high) = (at(&rows, "noise_ratio", least), at(&rows, "noise_ratio", most));
    let (mut compared, mut changed, mut example) = (0, 0, None);
    for (first, last) in low.iter().zip(&high) {
        if first.integer("number")? != last.integer("number")? {
            return Ok(Verdict::undecided(
                statistic,
                hypotheses,
                "the noise levels do not share their matrices",
            ));
        }
        if first.integer("best_ties")? > 0 || last.integer("best_ties")? > 0 {
            continue;
        }
        compared += 1;
        if first.text("best_rows")? != last.text("best_rows")? {
            changed += 1;
            example = example.or(Some(format!(
                "matrix {}: rows {} at σ²/τ² = {least}, rows {} at {most}",
                first.integer("number")?,
                first.text("best_rows")?,
                last.text("best_rows")?
            )));
        }
    }
    let (bad, worst) = deviations(&rows)?;
    let decision = if bad.is_some() {
        Decision::Fails
    } else if least == most || compared == 0 {
        Decision::Undecided {
            why: "no matrix without ties at two noise levels".into(),
        }
    } else if changed > 0 {
        Decision::HoldsUnder {
            condition: "σ²/τ² is given with the matrix: it decides which choice is best".into(),
        }
    } else {
        Decision::Holds
    };
    let (mut optimal, mut ratio, mut gap) = (0, 1.0_f64, 1.0_f64);
    for row in &rows {
        let greedy = row.real("greedy")? / row.real("best")?;
        ratio = ratio.max(greedy);
        optimal += usize::from(greedy <= 1.0 + 1e-9);
        gap = gap.max(row.real("best")? / row.real("lower_bound")?);
    }
    let whole = |rows: &[Record<'_>], column: &str| -> Result<usize> {
        let mut count = 0;
        for row in rows {
            count += usize::from(row.integer(column)? == row.integer("chosen")?);
        }
        Ok(count)
    };
    let submodular = match part(table, "submodular")?.first() {
        Some(row) if row.integer("identical")? > 0 => format!(
            "The fall of the trace is not submodular: it grows with company in {} of {} triples of small whole sensors, most for \
             {}, where the last gains {:.4} beside the first and {:.4} beside both",
            row.integer("identical")?,
            row.integer("matrices")?,
            row.text("best_rows")?,
            row.real("small_gain")?,
            row.real("large_gain")?
        ),
        _ => "No sensor was found that gains by company".to_string(),
    };
    let share = changed as f64 / compared.max(1) as f64;
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (statistic.into(), share),
        tolerance: 0.0,
        evidence: format!(
            "the best choice at σ²/τ² = {least} and at {most} differs in {changed} of {compared} matrices; with little noise it \
             is the frequentist one, min tr (A_SᵀA_S)⁻¹, in {} of {}, with much noise that of the largest norms in {} of {}. \
             Greedy selection is optimal in {optimal} of {} and at worst {ratio:.3} of the least trace, which the relaxation \
             bounds within a factor of {gap:.3}. {submodular}. Formula: at most {worst:.3} of the rounding allowed",
            whole(&low, "flat_overlap")?,
            low.len(),
            identical(&high)?,
            high.len(),
            rows.len(),
        ),
        counterexample: match bad {
            Some(row) => Some(format!(
                "matrix {}: the traces differ by {:e}",
                row.integer("number")?,
                row.real("deviation")?
            )),
            None => example,
        },
    })
}

fn orthogonal(table: &Table) -> Result<Verdict> {
    let statistic = "share of matrices with orthogonal rows whose norm rule is not the best choice";
    let hypotheses = vec![
        "12 orthogonal rows in 14 unknowns (no more rows than unknowns can be orthogonal), 5 chosen".to_string(),
        "norms e^(z/2) with z standard normal, without ties; σ²/τ² = 0.01, 1 and 100; every choice enumerated"
            .to_string(),
    ];
    let rows = part(table, "orthogonal")?;
    let exact = at(&rows, "setting", 0.0);
    if exact.is_empty() {
        return Ok(Verdict::undecided(statistic, hypotheses, "no orthogonal rows"));
    }
    let same = identical(&exact)?;
    let (bad, worst) = deviations(&exact)?;
    let mut disturbed = Vec::new();
    for size in values(&rows, "setting")?.into_iter().filter(|s| *s > 0.0) {
        let of_size = at(&rows, "setting", size);
        disturbed.push(format!("{} of {} at {size}", identical(&of_size)?, of_size.len()));
    }
    let mut counterexample = None;
    for row in &exact {
        if row.text("best_rows")? != row.text("norm_rows")? && counterexample.is_none() {
            counterexample = Some(format!(
                "matrix {} at σ²/τ² = {}: rows {} are better than {}",
                row.integer("number")?,
                row.real("noise_ratio")?,
                row.text("best_rows")?,
                row.text("norm_rows")?
            ));
        }
    }
    if let Some(row) = bad {
        counterexample = Some(format!(
            "matrix {}: the formula is off by {:e}",
            row.integer("number")?,
            row.real("deviation")?
        ));
    }
    let decision = match same == exact.len() && bad.is_none() {
        true => Decision::Holds,
        false => Decision::Fails,
    };
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (statistic.into(), 1.0 - same as f64 / exact.len() as f64),
        tolerance: 0.0,
        evidence: format!(
            "the norm rule is the best of all choices in {same} of {} matrices, and the formula of the trace is right to {worst:.3} \
             of the rounding allowed. Disturbed by independent rows of a relative size, at σ²/τ² = {NOISE}, it still is in {}",
            exact.len(),
            disturbed.join(", ")
        ),
        counterexample,
    })
}

fn duplicated(table: &Table) -> Result<Verdict> {
    let statistic = "trace of the norm rule over the least, frequentist";
    let hypotheses = vec![
        "two sensors of three; frequentist, and Bayesian over σ²/τ²".to_string(),
        "every pair enumerated, without ties".to_string(),
    ];
    let rows = part(table, "example")?;
    let frequentist = at(&rows, "noise_ratio", 0.0);
    let Some(flat) = frequentist.first() else {
        return Ok(Verdict::undecided(
            statistic,
            hypotheses,
            "the example was not computed",
        ));
    };
    let (mut parted, mut agreed) = (Vec::new(), Vec::new());
    for row in rows.iter().filter(|r| r.integer("best_ties").is_ok_and(|t| t == 0)) {
        match row.text("best_rows")? == row.text("norm_rows")? {
            true => agreed.push(row.real("noise_ratio")?),
            false => parted.push(row.real("noise_ratio")?),
        }
    }
    let takes_both = |row: &Record<'_>| -> Result<bool> { Ok(row.text("norm_rows")? == "0 1") };
    let mut as_worded = true;
    for row in &rows {
        as_worded &= takes_both(row)?;
    }
    let first_agreed = agreed.iter().copied().fold(f64::INFINITY, f64::min);
    let last_parted = parted.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let decision = if !as_worded || parted.is_empty() || agreed.contains(&0.0) {
        Decision::Fails
    } else if agreed.is_empty() {
        Decision::Holds
    } else if last_parted < first_agreed {
        Decision::HoldsUnder {
            condition: format!(
                "σ²/τ² below {:.3}, where the norm rule becomes the best choice",
                crossing()
            ),
        }
    } else {
        Decision::Undecided {
            why: "agreement and disagreement alternate over the noise".into(),
        }
    };
    // Over the correlation of pairs: where the norm rule parts from the best choice.
    let pairs = part(table, "pairs")?;
    let mut turn = f64::INFINITY;
    for row in &pairs {
        if row.text("best_rows")? != row.text("norm_rows")? {
            turn = turn.min(row.real("setting")?);
        }
    }
    let worst = match pairs.last() {
        Some(row) => format!(
            "at correlation {} its trace is {:.3} of the least, the mean of all choices {:.3}, greedy {:.3}",
            row.real("setting")?,
            row.real("norm")? / row.real("best")?,
            row.real("average")? / row.real("best")?,
            row.real("greedy")? / row.real("best")?
        ),
        None => "none were computed".to_string(),
    };
    let ratio = flat.real("norm")? / flat.real("best")?;
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (statistic.into(), ratio),
        tolerance: 1.0,
        evidence: format!(
            "frequentist: rows {} with trace {:.0} instead of rows {} with {:.6}; Bayesian: they differ up to σ²/τ² = \
             {last_parted:.3}, and agree from {first_agreed:.3} on (closed form of a perfect duplicate: {:.4}). In four pairs of \
             sensors the norm rule parts from the best choice at correlation {turn}; {worst}",
            flat.text("norm_rows")?,
            flat.real("norm")?,
            flat.text("best_rows")?,
            flat.real("best")?,
            crossing(),
        ),
        counterexample: agreed
            .first()
            .map(|noise| format!("σ²/τ² = {noise:.3}: the norm rule is the best choice")),
    })
}
