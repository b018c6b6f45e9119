//! What is claimed about masked descent and about restricted curvature, and the checks.

use super::claims::part;
use super::supports::COLUMNS;
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::table::Table;

pub(super) const C4: Claim = Claim {
    id: "C4",
    name: "masked-gd-projection",
    statement: "Descent with a masked gradient is projected descent onto the masked subspace; at a minimum over that subspace the \
                masked gradient is 0, and the gradient itself in general is not.",
    source: "elementary: zeroing coordinates is the orthogonal projection onto their coordinate subspace",
    expected: Expected::Holds,
    tolerance_rule: "least squares: both iterations to the last bit; masked gradient over the gradient at 0, and distance from the \
                     solution of the normal equations, to 1e-10 after as many steps as take the rate below epsilon: what rounding \
                     leaves is below (rows + columns) epsilon times the condition number, some 1e-12. A network's step: m epsilon \
                     times the sum of absolute terms, m their number along a path; rows of several steps are told, not judged. \
                     Dropped gradients a thousand times that must be seen under every mask, so that using the whole gradient would show",
    check: projection,
};

pub(super) const C5: Claim = Claim {
    id: "C5",
    name: "rsc-rss-rate",
    statement: "On a fixed support descent contracts by (k_S - 1)/(k_S + 1), with k_S at most the condition number of the whole where \
                that is finite, and finite for least squares with no more columns than rows. An iteration that changes its support \
                is ruled by the constants over all supports of three times the size.",
    source: "Negahban et al. 2012; Foucart & Rauhut 2013, Theorem 6.18; Jain, Tewari & Kar 2014, arXiv:1410.5137, Theorem 1",
    expected: Expected::Holds,
    tolerance_rule: "every support of 12 columns; the factor is attained within 100 epsilon over itself a step; k_S exceeds the whole \
                     above 100 epsilon k of it; every step of hard thresholding within sqrt(3) max |1 - step l| over all supports of \
                     three times the size, and of the relaxed one within 1 - 1/(12 k), both with a relative 1e-6 for rounding at \
                     errors of 1e-6; one run slower than descent on its support by more than 1e-6 must be seen",
    check: restricted,
};

/// What the claim states of the masked gradient.
const GRADIENT: f64 = 1e-10;
/// A dropped gradient that would be seen.
const SEEN: f64 = 1e3 * GRADIENT;

/// NaN as the worst there is.
fn worst(so_far: f64, value: f64) -> f64 {
    so_far.max(if value.is_nan() { f64::INFINITY } else { value })
}

fn projection(table: &Table) -> Result<Verdict> {
    const STATISTIC: &str = "largest masked gradient or distance from the normal equations";
    let mut hypotheses = vec!["the start lies in the masked subspace".to_string()];
    let (mut largest, mut masks, mut dropped, mut late) = (0.0f64, 0, f64::INFINITY, f64::INFINITY);
    let mut counterexample = None;
    let (mut steps, mut bits, mut off, mut allowed) = (0, 0, 0.0f64, 0.0f64);
    let mut longer = 0.0f64;
    for row in part(table, "projection") {
        let family = row.text("family")?;
        let name = format!("{family} {}, {} kept", row.integer("number")?, row.integer("kept")?);
        if family == "least squares" {
            masks += row.integer("masks")?;
            let found = worst(row.real("masked_gradient")?, row.real("deviation")?);
            largest = worst(largest, found);
            dropped = dropped.min(row.optional_real("unmasked_gradient")?.unwrap_or(f64::INFINITY));
            late = late.min(row.optional_real("late")?.unwrap_or(f64::INFINITY));
            if row.integer("different")? > 0 {
                counterexample = Some(format!("{name}: masked and projected iterates differ"));
            }
            if found.is_nan() || found > GRADIENT {
                counterexample = Some(format!("{name}: masked gradient or distance {found:e}"));
            }
        } else if let Some(rounding) = row.optional_real("rounding")? {
            steps += 1;
            bits += i64::from(row.integer("different")? == 0);
            let deviation = row.real("deviation")?;
            (off, allowed) = (worst(off, deviation), allowed.max(rounding));
            if deviation.is_nan() || deviation > rounding {
                counterexample = Some(format!(
                    "{name}: one step is off by {deviation:e}, rounding {rounding:e}"
                ));
            }
            if row.real("unmasked_gradient")?.is_nan() || row.real("unmasked_gradient")? < SEEN {
                dropped = 0.0;
            }
        } else {
            longer = worst(longer, row.real("deviation")?);
        }
    }
    if masks == 0 {
        return Ok(Verdict::undecided(
            STATISTIC,
            hypotheses,
            "no masked problem was solved",
        ));
    }
    hypotheses.extend([
        format!("{masks} masks of least-squares problems, every one of each problem"),
        format!("{steps} steps of networks"),
        format!("dropped gradients at the solutions are at least {dropped:.1e} of the gradient at 0"),
    ]);
    let decision = match &counterexample {
        Some(_) => Decision::Fails,
        None if dropped < SEEN => Decision::Undecided {
            why: "the gradient on the dropped coordinates is too small to be told from a masked one".into(),
        },
        None => Decision::Holds,
    };
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (STATISTIC.into(), largest),
        tolerance: GRADIENT,
        evidence: format!(
            "{masks} masked descents equal projected ones bit for bit and end within {largest:.0e} of the normal equations, where the \
             dropped gradient is at least {dropped:.1e}; solving the whole and masking once leaves a masked gradient of at least \
             {late:.1e}. {steps} steps of networks agree with their projected twins to {off:.0e} ({bits} bit for bit; rounding allows \
             {allowed:.0e}), {longer:.0e} after 20 steps"
        ),
        counterexample,
    })
}

/// Attained factor of one step, times the factor.
const ATTAINED: f64 = 1e2 * f64::EPSILON;
/// Rounding of a step at errors of a millionth.
const STEP: f64 = 1e-6;

fn restricted(table: &Table) -> Result<Verdict> {
    const STATISTIC: &str = "largest deviation from the factor of a fixed support, for each step and times the factor";
    let (mut deviation, mut supports, mut finite, mut rescued) = (0.0f64, 0, 0, 0);
    let mut counterexample = None;
    for row in part(table, "support") {
        let (kept, samples) = (row.integer("kept")?, row.integer("samples")?);
        let name = format!(
            "{} matrix {}, {kept} columns",
            row.text("family")?,
            row.integer("number")?
        );
        let masks = row.integer("masks")?;
        supports += masks;
        deviation = worst(deviation, row.real("deviation")?);
        if row.real("deviation")?.is_nan() || row.real("deviation")? > ATTAINED {
            counterexample = Some(format!("{name}: off the closed form by {:e}", row.real("deviation")?));
        }
        if row.integer("worse")? > 0 {
            counterexample = Some(format!("{name}: a condition number above that of the whole"));
        }
        if samples >= COLUMNS as i64 {
            finite += masks;
        } else if kept <= samples {
            rescued += masks - row.integer("doubtful")?;
        }
        if (kept <= samples && row.integer("doubtful")? > 0) || (kept > samples && row.integer("doubtful")? < masks) {
            counterexample = Some(format!("{name}: the rank is not the smaller of rows and columns"));
        }
    }
    let (mut runs, mut recovered, mut relaxed, mut slower, mut tight, mut binding) = (0, 0, 0, 0, 0.0f64, 0);
    let mut excess: (f64, String) = (0.0, String::new());
    for row in part(table, "thresholding") {
        let name = format!(
            "{} matrix {}, step {}",
            row.text("family")?,
            row.integer("number")?,
            row.text("at")?
        );
        runs += row.integer("runs")?;
        recovered += row.integer("recovered")?;
        relaxed += row.integer("relaxed")?;
        slower += row.integer("slower")?;
        let (bound, measured) = (row.real("predicted")?, row.real("measured")?);
        tight = worst(tight, measured / bound);
        if measured.is_nan() || measured > bound * (1.0 + STEP) {
            counterexample = Some(format!(
                "hard thresholding, {name}: a step by {measured}, bound {bound}"
            ));
        }
        if bound < 1.0 {
            binding += row.integer("runs")?;
            if row.integer("recovered")? < row.integer("runs")? {
                counterexample = Some(format!(
                    "hard thresholding, {name}: not every vector found below a bound of {bound}"
                ));
            }
        }
        if row.real("excess")? > excess.0 {
            excess = (row.real("excess")?, name);
        }
    }
    let mut relaxation = String::new();
    for row in part(table, "relaxation") {
        let (bound, measured) = (row.real("predicted")?, row.real("measured")?);
        if measured.is_nan() || measured > bound * (1.0 + STEP) || row.integer("recovered")? < row.integer("runs")? {
            counterexample = Some(format!(
                "relaxed hard thresholding: a step by {measured}, bound {bound}"
            ));
        }
        relaxation = format!(
            " With {} places kept for one planted, where the theorem of Jain, Tewari and Kar applies, the loss falls by {measured:.3} a \
             step at worst, bound {bound:.3}.",
            row.integer("kept")?
        );
    }
    let hypotheses = vec![
        format!("every support of 12 columns: {supports} in all, {finite} of them of matrices of full rank"),
        format!("{rescued} supports no larger than the rows of matrices with more columns than rows"),
        format!("noiseless vectors of two nonzeros on every pair of columns: {runs} runs of hard thresholding"),
        format!("{binding} of those runs have a bound below 1, and find their vector"),
    ];
    if supports == 0 || runs == 0 || finite == 0 || rescued == 0 || relaxation.is_empty() {
        return Ok(Verdict::undecided(
            STATISTIC,
            hypotheses,
            "supports of singular and of full matrices and both iterations are needed",
        ));
    }
    let decision = match &counterexample {
        Some(_) => Decision::Fails,
        None if slower == 0 => Decision::Undecided {
            why: "no run was slower than descent on its support: changing the support has not been seen to cost".into(),
        },
        None => Decision::Holds,
    };
    Ok(Verdict {
        decision,
        evidence: format!(
            "{supports} supports contract by their own factor, to {deviation:.0e}; none of {finite} is worse conditioned than the whole, \
             and {rescued} are definite where the whole is singular. Hard thresholding finds {recovered} of {runs} planted vectors \
             ({relaxed} with twice the places), {slower} runs fall behind descent on their support, a step by up to {:.1} times its \
             factor ({}), and all steps stay within {tight:.2} of the bound over supports of three times the size; where that is \
             below 1, in {binding} runs, every vector is found.{relaxation}",
            excess.0, excess.1
        ),
        hypotheses,
        statistic: (STATISTIC.into(), deviation),
        tolerance: ATTAINED,
        counterexample,
    })
}
