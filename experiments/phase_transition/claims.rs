//! I6: the 50 % point of basis pursuit tends to the Donoho-Tanner weak transition.

use super::FOLLOWED;
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::statistics::distributions::two_sided_normal;
use ticketsense::statistics::logistic::Point;
use ticketsense::statistics::{BinomialCount, Interval, ThresholdFit, WeightedLine, fit_threshold};
use ticketsense::table::{Record, Table};
use ticketsense::theory::donoho_tanner::{Signs, transition};

pub const CLAIMS: &[Claim] = &[Claim {
    id: "I6",
    name: "donoho-tanner",
    statement: "For Gaussian matrices the success probability of basis pursuit at measurement ratio δ has its 50 % point \
                at the weak transition ρ*(δ) in the limit n → ∞, at δ = 1/4, 1/2 and 3/4, and is at every finite n the \
                sum of conic intrinsic volumes.",
    source: "Donoho & Tanner, J. AMS 2009; Amelunxen, Lotz, McCoy & Tropp, Information and Inference 2014",
    expected: Expected::Holds,
    tolerance_rule: "For each δ the 50 % points of all sizes (logistic fits, standard errors from profile likelihood) are \
                     extrapolated in 1/n by a weighted line; the intercept must meet ρ*(δ) within z standard errors, z \
                     for level 0.001 shared by the three ratios. Every count of basis pursuit is tested against the exact \
                     probability at its size, two-sided and binomial, at 0.001 over the counts, trials without proof taken in favour; and so is the sum of the \
                     counts at each size and ratio, whose errors would otherwise hide in those of single counts.",
    check,
}];

/// Level of the whole figure.
const LEVEL: f64 = 1e-3;

/// The level whose normal interval is one standard error to each side.
const ONE_SIGMA: f64 = 0.317_310_507_862_914_1;

/// The 50 % points of one ratio over sizes, extrapolated.
pub struct Followed {
    /// The followed ratio.
    pub delta: f64,
    /// (size, 50 % point, standard error, theory at the size's exact ratio).
    pub points: Vec<(f64, f64, f64, f64)>,
    /// The weighted line of `50 % point − theory` over 1/n.
    pub line: WeightedLine,
}

/// The threshold of one group of rows.
pub fn threshold<'a>(rows: impl Iterator<Item = Record<'a>>, level: f64) -> Result<ThresholdFit> {
    let mut points = Vec::new();
    for r in rows {
        points.push(Point {
            x: r.real("rho")?,
            successes: r.integer("successes")? as u64,
            trials: (r.integer("trials")? - r.integer("undecided")?) as u64,
        });
    }
    fit_threshold(&points, level)
}

/// The extrapolations that the table allows; a ratio with fewer than three bounded 50 % points is left out.
pub fn followed(table: &Table) -> Result<Vec<Followed>> {
    let mut all = Vec::new();
    for delta in FOLLOWED {
        let mut sizes: Vec<(i64, i64)> = Vec::new();
        for r in table.iter() {
            let size = (r.integer("columns")?, r.integer("rows")?);
            let near = (r.real("delta")? - delta).abs() <= 0.5 / size.0 as f64;
            if r.text("part")? == "size" && near && !sizes.contains(&size) {
                sizes.push(size);
            }
        }
        let mut points = Vec::new();
        for (columns, measurements) in sizes {
            let of_size = |r: &Record<'_>| {
                Ok::<bool, ticketsense::Error>(
                    r.text("part")? == "size" && r.integer("columns")? == columns && r.integer("rows")? == measurements,
                )
            };
            let rows: Vec<Record<'_>> = table.iter().filter(|r| of_size(r).unwrap_or(false)).collect();
            // One count bounds no threshold.
            if rows.len() < 2 {
                continue;
            }
            let fit = threshold(rows.into_iter(), ONE_SIGMA)?;
            let Interval { lower, upper } = fit.interval;
            let error = 0.5 * (upper - lower);
            if let Some(point) = fit.point().filter(|_| error.is_finite() && error > 0.0) {
                let theory = transition(measurements as f64 / columns as f64, Signs::Signed)?.rho;
                points.push((columns as f64, point, error, theory));
            }
        }
        if points.len() >= 3 {
            let x: Vec<f64> = points.iter().map(|p| 1.0 / p.0).collect();
            let y: Vec<f64> = points.iter().map(|p| p.1 - p.3).collect();
            let errors: Vec<f64> = points.iter().map(|p| p.2).collect();
            all.push(Followed {
                delta,
                line: WeightedLine::of(&x, &y, &errors)?,
                points,
            });
        }
    }
    Ok(all)
}

/// How the counts of basis pursuit compare with the exact probabilities.
struct Exact {
    /// Rows compared, and how many of their probabilities lie between 5 % and 95 %.
    compared: usize,
    telling: usize,
    /// Trials in all of them that are undecided.
    open: u64,
    /// The smallest p-value times the number of comparisons, and where.
    smallest: f64,
    place: String,
    /// The largest pooled distance over the groups of equal size and ratio, in standard errors; groups, and where.
    pooled: f64,
    groups: usize,
    pooled_place: String,
}

fn exact(table: &Table) -> Result<Exact> {
    let mut counts: Vec<(BinomialCount, f64, String)> = Vec::new();
    // (columns, rows, part), difference from the expected number, its variance.
    let mut groups: Vec<((i64, i64, String), f64, f64)> = Vec::new();
    let mut open = 0;
    for r in table.iter() {
        if r.text("solver")? != "basis-pursuit" || r.text("ensemble")? != "gaussian" {
            continue;
        }
        let probability = r.real("exact_success")?.clamp(0.0, 1.0);
        let (least, trials) = (r.integer("successes")? as u64, r.integer("trials")? as u64);
        // What is undecided may be either; the counts that speak for the law are taken, so that only proofs refute it.
        let most = least + r.integer("undecided")? as u64;
        let successes = ((trials as f64 * probability).round() as u64).clamp(least, most);
        open += most - least;
        let key = (r.integer("columns")?, r.integer("rows")?, r.text("part")?.to_string());
        let place = format!("n = {}, m = {}, k = {}", key.0, key.1, r.integer("nonzeros")?);
        counts.push((BinomialCount::new(successes, trials)?, probability, place));
        let index = groups.iter().position(|g| g.0 == key).unwrap_or_else(|| {
            groups.push((key, 0.0, 0.0));
            groups.len() - 1
        });
        groups[index].1 += successes as f64 - trials as f64 * probability;
        groups[index].2 += trials as f64 * probability * (1.0 - probability);
    }
    let (mut smallest, mut place) = (f64::INFINITY, String::new());
    for (count, probability, at) in &counts {
        let p = count.p_value(*probability)? * counts.len() as f64;
        if p < smallest {
            (smallest, place) = (
                p,
                format!(
                    "{at}: {} of {}, exact {probability:.4}",
                    count.successes(),
                    count.trials()
                ),
            );
        }
    }
    let (mut pooled, mut pooled_place, mut counted) = (0.0f64, String::new(), 0);
    // A sum of counts is nearly normal once its variance is that of some forty even coins.
    for ((columns, rows, _), difference, variance) in groups.iter().filter(|g| g.2 >= 10.0) {
        counted += 1;
        let distance = difference / variance.sqrt();
        if distance.abs() > pooled.abs() {
            (pooled, pooled_place) = (distance, format!("n = {columns}, m = {rows}"));
        }
    }
    Ok(Exact {
        compared: counts.len(),
        open,
        telling: counts.iter().filter(|c| (0.05..=0.95).contains(&c.1)).count(),
        smallest,
        place,
        pooled,
        groups: counted,
        pooled_place,
    })
}

fn check(table: &Table) -> Result<Verdict> {
    let exact = exact(table)?;
    let followed = followed(table)?;
    let z = two_sided_normal(LEVEL / FOLLOWED.len() as f64)?;
    let hypotheses = vec![
        "Gaussian matrices N(0, 1/m), ±1 spikes at uniformly random places, success and failure proven".to_string(),
        "the 50 % point is linear in 1/n over the sizes tried (goodness of fit below)".to_string(),
        "the exact probabilities are those of the closed form basis-pursuit-success, signed".to_string(),
    ];
    let incomplete = |why: &str| Verdict {
        tolerance: z,
        ..Verdict::undecided("standard errors from the theory", hypotheses.clone(), why)
    };
    if followed.len() < FOLLOWED.len() {
        return Ok(incomplete(
            "fewer than three sizes have a bounded 50 % point at some ratio: more trials are needed",
        ));
    }
    let distance = |f: &Followed| (f.line.intercept / f.line.intercept_error).abs();
    let worst = followed.iter().max_by(|a, b| distance(a).total_cmp(&distance(b)));
    let Some(worst) = worst else {
        return Ok(incomplete("no ratio was followed"));
    };
    let summary: Vec<String> = followed
        .iter()
        .map(|f| {
            format!(
                "δ = {}: {:+.4} ± {:.4}",
                f.delta,
                f.line.intercept,
                z * f.line.intercept_error
            )
        })
        .collect();
    let exact_agrees =
        exact.smallest >= LEVEL && exact.pooled.abs() <= two_sided_normal(LEVEL / exact.groups.max(1) as f64)?;
    // A test that could not see a shift of a tenth of the transition itself would prove nothing.
    let blunt = followed
        .iter()
        .find(|f| z * f.line.intercept_error > 0.1 * f.points[0].3);
    let bent = followed.iter().find(|f| f.line.p_value < LEVEL / FOLLOWED.len() as f64);
    let decision = if let Some(f) = blunt {
        Decision::Undecided {
            why: format!("at δ = {} the extrapolation is less sure than a tenth of ρ*", f.delta),
        }
    } else if let Some(f) = bent {
        Decision::Undecided {
            why: format!("at δ = {} the 50 % points are not linear in 1/n", f.delta),
        }
    } else if exact.telling < 20 {
        Decision::Undecided {
            why: format!(
                "only {} counts lie where the exact probability is neither 0 nor 1",
                exact.telling
            ),
        }
    } else if distance(worst) <= z && exact_agrees {
        Decision::Holds
    } else {
        Decision::Fails
    };
    let failed = decision == Decision::Fails;
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (
            "worst distance of an extrapolated 50 % point from ρ*, in standard errors".into(),
            distance(worst),
        ),
        tolerance: z,
        evidence: format!(
            "extrapolated 50 % point minus ρ*(δ): {}. {} counts ({} of them between 5 and 95 %) against the exact \
             probability at their size, {} trials undecided: smallest p-value times their number {:.2}, largest pooled distance of {} sizes and \
             ratios {:+.2} standard errors",
            summary.join("; "),
            exact.compared,
            exact.telling,
            exact.open,
            exact.smallest,
            exact.groups,
            exact.pooled
        ),
        counterexample: failed.then(|| {
            if exact_agrees {
                format!("δ = {}: {:+.4}", worst.delta, worst.line.intercept)
            } else {
                format!(
                    "{}; pooled at {}: {:+.2}",
                    exact.place, exact.pooled_place, exact.pooled
                )
            }
        }),
    })
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;
