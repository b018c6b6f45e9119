//! I6: the 50 % point of basis pursuit tends to the Donoho-Tanner weak transition.

use super::FOLLOWED;
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::statistics::distributions::two_sided_normal;
use ticketsense::statistics::logistic::Point;
use ticketsense::statistics::{Interval, ThresholdFit, WeightedLine, fit_threshold};
use ticketsense::table::{Record, Table};
use ticketsense::theory::donoho_tanner::{Signs, transition};

pub const CLAIMS: &[Claim] = &[Claim {
    id: "I6",
    name: "donoho-tanner",
    statement: "For Gaussian matrices the success probability of basis pursuit at measurement ratio δ has its 50 % point \
                at the weak transition ρ*(δ) in the limit n → ∞, at δ = 1/4, 1/2 and 3/4.",
    source: "Donoho & Tanner, J. AMS 2009; Amelunxen, Lotz, McCoy & Tropp, Information and Inference 2014",
    expected: Expected::Holds,
    tolerance_rule: "For each δ the 50 % points of all sizes (logistic fits, standard errors from profile likelihood) are \
                     extrapolated in 1/n by a weighted line; the intercept must meet ρ*(δ) within z standard errors, z \
                     for level 0.001 shared by the three ratios.",
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
            trials: r.integer("trials")? as u64,
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
        for (columns, rows) in sizes {
            let of_size = |r: &Record<'_>| {
                Ok::<bool, ticketsense::Error>(
                    r.text("part")? == "size" && r.integer("columns")? == columns && r.integer("rows")? == rows,
                )
            };
            let fit = threshold(table.iter().filter(|r| of_size(r).unwrap_or(false)), ONE_SIGMA)?;
            let Interval { lower, upper } = fit.interval;
            let error = 0.5 * (upper - lower);
            if let Some(point) = fit.point().filter(|_| error.is_finite() && error > 0.0) {
                let theory = transition(rows as f64 / columns as f64, Signs::Signed)?.rho;
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

fn check(table: &Table) -> Result<Verdict> {
    let followed = followed(table)?;
    let z = two_sided_normal(LEVEL / FOLLOWED.len() as f64)?;
    let hypotheses = vec![
        "Gaussian matrices N(0, 1/m), ±1 spikes at uniformly random places, success at relative error 1e-4".to_string(),
        "the 50 % point is linear in 1/n over the sizes tried (goodness of fit below)".to_string(),
    ];
    let incomplete = |why: &str| Verdict {
        decision: Decision::Undecided { why: why.to_string() },
        hypotheses: hypotheses.clone(),
        statistic: ("standard errors from the theory".into(), f64::NAN),
        tolerance: z,
        evidence: why.to_string(),
        counterexample: None,
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
    } else if distance(worst) <= z {
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
        evidence: format!("extrapolated 50 % point minus ρ*(δ): {}", summary.join("; ")),
        counterexample: failed.then(|| format!("δ = {}: {:+.4}", worst.delta, worst.line.intercept)),
    })
}
