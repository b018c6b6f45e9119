//! The claim about luck, read off the table.

use super::LUCKY as PART;
use super::lucky::{CORRELATED, LARGEST, SIGNED, THRESHOLD};
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::statistics::BinomialCount;
use ticketsense::table::{Record, Table};

/// The chance that any frequency is refused although its closed form is right.
const LEVEL: f64 = 1e-3;
/// With fewer draws nothing is decided: the smallest probabilities are about 1e-5.
const LEAST_DRAWS: i64 = 100_000;

/// A10.
pub const LUCKY: Claim = Claim {
    id: "A10",
    name: "lucky-initialisation",
    statement: "The k largest of N random weights are a given support with probability 1/C(N,k), with given signs 2^-k/C(N,k), \
                and the number of supports of one draw does not raise it; K units with n candidates each are all served with \
                probability (1-(1-π)^n)^K.",
    source: "exchangeability; independence; Malach et al., ICML 2020; Pensia et al., NeurIPS 2020",
    expected: Expected::HoldsUnder,
    tolerance_rule: "Exact binomial tests (Clopper-Pearson) at 0.001 over all frequencies together. It fails where a closed form \
                     is refused under its hypotheses, or where 1-(1-P)^C(N,k), which takes the supports of one draw for \
                     independent chances, is not refused. Correlated exchangeable weights are outside the hypotheses for signs \
                     and thresholds; where they are refused there, the claim holds for independent weights.",
    check: lucky_initialisation,
};

/// What a row is about, in words.
fn name(record: &Record<'_>) -> Result<String> {
    let case = record.text("case")?;
    Ok(match case {
        LARGEST | SIGNED | THRESHOLD => format!(
            "{case}, {} of {} {} weights",
            record.integer("nonzeros")?,
            record.integer("weights")?,
            record.text("law")?
        ),
        _ => format!(
            "{case}, {} units and {} candidates",
            record.integer("units")?,
            record.integer("candidates")?
        ),
    })
}

fn lucky_initialisation(table: &Table) -> Result<Verdict> {
    let mut rows = Vec::new();
    for record in table.iter() {
        if record.text("part")? == PART {
            rows.push(record);
        }
    }
    let draws = rows
        .iter()
        .map(|row| row.integer("trials"))
        .collect::<Result<Vec<i64>>>()?;
    let fewest = draws.into_iter().min().unwrap_or(0);
    let statistic = "smallest adjusted p-value of a closed form";
    if fewest < LEAST_DRAWS {
        let why = format!("{fewest} draws, of {LEAST_DRAWS} needed");
        return Ok(Verdict::undecided(
            statistic,
            vec![format!("{} frequencies", rows.len())],
            why,
        ));
    }
    let level = LEVEL / rows.len() as f64;
    let (mut refused, mut outside, mut fits) = (Vec::new(), Vec::new(), Vec::new());
    let (mut smallest, mut supports, mut beyond) = (1.0_f64, 0, 0);
    let (mut widest, mut gap) = (0.0_f64, f64::INFINITY);
    for row in &rows {
        let count = BinomialCount::new(row.integer("successes")? as u64, row.integer("trials")? as u64)?;
        let expected = row.real("expected")?;
        let case = row.text("case")?;
        let described = || -> Result<String> {
            Ok(format!(
                "{}: {:.3e} seen, {expected:.3e} expected",
                name(row)?,
                count.proportion()
            ))
        };
        if row.text("law")? == CORRELATED && case != LARGEST {
            beyond += 1;
            if count.rejects(expected, level)? {
                outside.push(described()?);
            }
            continue;
        }
        smallest = smallest.min((count.p_value(expected)? * rows.len() as f64).min(1.0));
        if count.rejects(expected, level)? {
            refused.push(described()?);
        }
        if case == LARGEST {
            supports += 1;
            let rival = row.real("as_if_independent")?;
            widest = widest.max(0.5 * count.interval(level)?.width());
            gap = gap.min((rival - expected).abs());
            if !count.rejects(rival, level)? {
                fits.push(name(row)?);
            }
        }
    }
    let hypotheses = vec![
        format!(
            "{} frequencies of at least {fewest} draws each; those of one law and size share their draws",
            rows.len()
        ),
        "exactly one support is that of the largest weights of a draw: the supports are no independent chances".into(),
        format!(
            "taken for independent, they would serve with probability of about 1-1/e: not refused in {} of {supports} cases; \
             the half-width of an interval is at most {widest:.1e}, the gap between the formulas at least {gap:.2}",
            fits.len()
        ),
    ];
    let decision = if !refused.is_empty() || !fits.is_empty() {
        Decision::Fails
    } else if !outside.is_empty() {
        Decision::HoldsUnder {
            condition: "supports of any exchangeable law; signs and thresholds of independent weights".into(),
        }
    } else {
        Decision::Holds
    };
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (statistic.into(), smallest),
        tolerance: LEVEL,
        evidence: format!(
            "{} of {} closed forms are refused under their hypotheses; for correlated weights {} of {beyond} (signs, thresholds): \
             {}.",
            refused.len(),
            rows.len() - beyond,
            outside.len(),
            outside.first().map_or("none", String::as_str)
        ),
        counterexample: refused.first().or(fits.first()).cloned(),
    })
}
