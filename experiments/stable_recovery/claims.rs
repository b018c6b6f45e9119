//! What is claimed about stable recovery, and the check, a pure function of the table.

use super::METHODS;
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::table::{Record, Table};

pub(super) const CLAIMS: &[Claim] = &[Claim {
    id: "I12",
    name: "stable-recovery",
    statement: "Recovery is stable: with δ_2k < √2 − 1 the error of basis pursuit denoising is at most \
                C₀ σ_k(x)₁/√k + C₁ ε, and with δ_3k < 1/√3 that of iterative hard thresholding and hard thresholding pursuit \
                at most a constant times the tail of x and the noise, for every signal and every noise.",
    source: "Candès, C. R. Math. 2008, Theorem 1.2; Foucart & Rauhut 2013, Theorem 6.18; Needell & Tropp 2009",
    expected: Expected::Holds,
    tolerance_rule: "Zero: upper ends of enumerated constants make the bound, and the solver's own gap and residual are added to \
                     it. 1e-12 stands for rounding, signals having norm 1",
    check: stable,
}];

pub(super) fn part<'a>(table: &'a Table, name: &'static str) -> impl Iterator<Item = Record<'a>> {
    table.filter(move |record| record.text("part").is_ok_and(|part| part == name))
}

/// The rows of random and of searched problems of a method.
pub(super) fn judged<'a>(table: &'a Table, name: &'static str, method: &str) -> Result<Vec<Record<'a>>> {
    let mut rows = Vec::new();
    for row in part(table, name) {
        if row.text("method")? == method && row.optional_real("ratio")?.is_some() {
            rows.push(row);
        }
    }
    Ok(rows)
}

/// The largest error over bound of some rows; not a number counts as infinite.
pub(super) fn largest(rows: &[Record<'_>]) -> Result<f64> {
    let mut largest = 0.0f64;
    for row in rows {
        let ratio = row.real("ratio")?;
        largest = largest.max(if ratio.is_nan() { f64::INFINITY } else { ratio });
    }
    Ok(largest)
}

/// The different matrices with a number of nonzeros for which a method is certified, and those for which it is not.
fn certified(table: &Table, method: &str) -> Result<(usize, usize)> {
    let mut seen = Vec::new();
    for row in part(table, "certified") {
        if row.text("method")? == method {
            let key = (
                row.text("matrix")?,
                [row.integer("rows")?, row.integer("number")?, row.integer("nonzeros")?],
                row.integer("certified")?,
            );
            if !seen.contains(&key) {
                seen.push(key);
            }
        }
    }
    let proven = seen.iter().filter(|key| key.2 == 1).count();
    Ok((proven, seen.len() - proven))
}

/// Mean value of a vector at the place nearest to a fraction of the weights.
pub(super) fn weight_at(table: &Table, vector: &str, fraction: f64) -> Result<Option<f64>> {
    let mut nearest: Option<(f64, Vec<f64>)> = None;
    for row in part(table, "weights") {
        if row.text("vector")? != vector {
            continue;
        }
        let (distance, value) = ((row.real("fraction")? - fraction).abs(), row.real("value")?);
        match &mut nearest {
            Some((d, values)) if (*d - distance).abs() < 1e-12 => values.push(value),
            Some((d, _)) if *d < distance => {}
            _ => nearest = Some((distance, vec![value])),
        }
    }
    Ok(nearest.map(|(_, values)| values.iter().sum::<f64>() / values.len() as f64))
}

/// The smallest and the largest mean error over tail plus noise of the large matrices.
fn typical(table: &Table, method: &str) -> Result<Option<(f64, f64)>> {
    let mut range: Option<(f64, f64)> = None;
    for row in part(table, "typical") {
        let scale = row.real("tail")? + row.real("noise")?;
        if row.text("method")? == method && scale > 0.0 {
            let share = row.real("error")? / scale;
            let (low, high) = range.unwrap_or((share, share));
            range = Some((low.min(share), high.max(share)));
        }
    }
    Ok(range)
}

fn stable(table: &Table) -> Result<Verdict> {
    let statistic = "largest error over bound, searched for";
    let mut hypotheses = vec![
        "isometry constants over all supports, after the scaling that makes the deciding one smallest".to_string(),
        "ε is the norm of the noise and the method is told it, or k".to_string(),
    ];
    let (mut worst, mut exceeded, mut missing) = (0.0f64, None, Vec::new());
    let (mut problems, mut told) = (0, Vec::new());
    for method in METHODS {
        let (proven, refused) = certified(table, method)?;
        hypotheses.push(format!(
            "{method}: condition proven for {proven} pairs of matrix and k, not for {refused}"
        ));
        let (random, searched) = (judged(table, "certified", method)?, judged(table, "search", method)?);
        if random.is_empty() || searched.is_empty() {
            missing.push(method);
            continue;
        }
        for row in random.iter().chain(&searched) {
            problems += row.integer("trials")?;
            let ratio = row.real("ratio")?;
            if (ratio.is_nan() || ratio > 1.0) && exceeded.is_none() {
                exceeded = Some(format!(
                    "{method}, {} {}×{}, k = {}, {} signal, noise {}: error {} above {}",
                    row.text("matrix")?,
                    row.integer("rows")?,
                    row.integer("columns")?,
                    row.integer("nonzeros")?,
                    row.text("signal")?,
                    row.real("noise")?,
                    row.real("error")?,
                    row.real("bound")?
                ));
            }
        }
        let (by_chance, by_search) = (largest(&random)?, largest(&searched)?);
        worst = worst.max(by_chance).max(by_search);
        told.push(format!(
            "{method}: {by_chance:.3} of the bound at random, {by_search:.3} by search"
        ));
    }
    let decision = if exceeded.is_some() {
        Decision::Fails
    } else if missing.is_empty() {
        Decision::Holds
    } else {
        Decision::Undecided {
            why: format!("no certified problem for {}", missing.join(", ")),
        }
    };
    let mut weights = Vec::new();
    for vector in ["trained", "initial", "update", "gaussian"] {
        if let Some(value) = weight_at(table, vector, 0.1)? {
            weights.push(format!("{value:.2} {vector}"));
        }
    }
    let mut large = Vec::new();
    for method in super::typical::METHODS {
        if let Some((low, high)) = typical(table, method)? {
            large.push(format!("{low:.2} to {high:.2} ({method})"));
        }
    }
    let large = match large.is_empty() {
        true => "not measured".to_string(),
        false => large.join(", "),
    };
    let weights = match weights.is_empty() {
        true => "nothing measured".to_string(),
        false => weights.join(", "),
    };
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (statistic.into(), worst),
        tolerance: 1.0,
        evidence: format!(
            "{problems} problems on certified matrices. {}. Mean errors on larger matrices, where nothing is certified, over \
             σ_k(x)₁/√k + ε: {large}. A tenth of the weights of a network leaves σ_k(θ)₁/√k over ‖θ‖₂ = {weights}",
            told.join(". ")
        ),
        counterexample: exceeded,
    })
}
