//! What is claimed, and the check of lengths in ReLU networks, a pure function of the table.

use super::Point;
use super::{angles_claim, inherited_claim, maps_claim};
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::statistics::WeightedLine;
use ticketsense::statistics::distributions::two_sided_normal;
use ticketsense::table::Table;

pub(super) const CLAIMS: &[Claim] = &[
    Claim {
        id: "F6",
        name: "relu-variance-map",
        statement: "With weights of variance s/N masked at density d, and no biases, a ReLU layer multiplies the mean squared \
                    pre-activation by d s/2 at every width, so d s = 2 is critical; with the variance divided by the kept inputs \
                    instead, the density drops out.",
        source: "He et al. 2015, arXiv:1502.01852; Poole et al. 2016, arXiv:1606.05340; Hayou et al., arXiv:2002.08797; \
                 Evci et al. 2022",
        expected: Expected::Holds,
        tolerance_rule: "means within z standard errors, z two-sided at 0.001 over the rows of the table, the variance from the \
                         exact second-moment recursion with its mask term (from the sample for the corrected fan-in), widened by \
                         the first Cornish-Fisher term for log-normal skewness; rows too skewed for it are not judged; growth \
                         rates against ln(d s/2), and against ln d for the corrected fan-in, by weighted lines; mean logarithms of \
                         dense networks against the exact growth of a typical network, at the same z",
        check,
    },
    maps_claim::CLAIM,
    angles_claim::CLAIM,
    inherited_claim::CLAIM,
];

/// z for one of as many two-sided comparisons as the table has rows on lengths, random and pruned, at 0.001 in all.
pub(super) fn deviations(table: &Table) -> Result<f64> {
    let rows = table.filter(|r| r.text("part").is_ok_and(|part| part == "random" || part == "pruned"));
    two_sided_normal(1e-3 / rows.count().max(1) as f64)
}

/// The deepest layer that can be judged in all of some points of one width and scaling.
fn deepest<'a>(points: &[&'a Point], z: f64) -> Result<Vec<&'a Point>> {
    let mut layers: Vec<u64> = points.iter().map(|p| p.layer).collect();
    layers.sort_unstable();
    layers.dedup();
    for layer in layers.into_iter().rev() {
        let here: Vec<&Point> = points.iter().copied().filter(|p| p.layer == layer).collect();
        let mut judged = true;
        for point in &here {
            judged &= point.tolerance(z)?.is_some();
        }
        if judged {
            return Ok(here);
        }
    }
    Ok(Vec::new())
}

/// The growth rates of one width with the dense fan-in, against `ln(ρσ_w²/2)`.
#[derive(Clone, Debug)]
pub(super) struct Critical {
    pub width: u64,
    pub layer: u64,
    /// The value of ρσ_w² at which the line crosses zero, and how far it may be off.
    pub gain: f64,
    pub tolerance: f64,
    pub slope: f64,
    pub slope_tolerance: f64,
}

pub(super) fn critical_gains(points: &[Point], z: f64) -> Result<Vec<Critical>> {
    let mut widths: Vec<u64> = points.iter().filter(|p| !p.masked).map(|p| p.width).collect();
    widths.sort_unstable();
    widths.dedup();
    let mut found = Vec::new();
    for width in widths {
        let all: Vec<&Point> = points.iter().filter(|p| !p.masked && p.width == width).collect();
        let used = deepest(&all, z)?;
        if used.len() < 3 {
            continue;
        }
        let x: Vec<f64> = used.iter().map(|p| (0.5 * p.gain()).ln()).collect();
        let mut y = Vec::new();
        let mut errors = Vec::new();
        for point in &used {
            let (growth, error) = point.growth()?;
            y.push(growth);
            errors.push(error);
        }
        let line = WeightedLine::of(&x, &y, &errors)?;
        // The line crosses zero at x = −intercept/slope, and x = 0 is ρσ_w² = 2.
        let gain = 2.0 * (-line.intercept / line.slope).exp();
        found.push(Critical {
            width,
            layer: used[0].layer,
            gain,
            tolerance: z * gain * (line.intercept_error / line.slope).abs(),
            slope: line.slope,
            slope_tolerance: z * line.slope_error,
        });
    }
    Ok(found)
}

/// How the growth rate depends on ln ρ with the corrected fan-in, at one weight variance: (σ_w², slope, tolerance), after
/// the units that lost all inputs are allowed for.
pub(super) fn density_slopes(points: &[Point], z: f64) -> Result<Vec<(f64, f64, f64)>> {
    let mut variances: Vec<f64> = points.iter().filter(|p| p.masked).map(|p| p.weight_variance).collect();
    variances.sort_by(f64::total_cmp);
    variances.dedup();
    let mut found = Vec::new();
    for variance in variances {
        let all: Vec<&Point> = points
            .iter()
            .filter(|p| p.masked && p.weight_variance == variance)
            .collect();
        let used = deepest(&all, z)?;
        if used.len() < 3 {
            continue;
        }
        let x: Vec<f64> = used.iter().map(|p| p.density.ln()).collect();
        let mut y = Vec::new();
        let mut errors = Vec::new();
        for point in &used {
            let (growth, error) = point.growth()?;
            y.push(growth - point.unit_has_inputs().ln());
            errors.push(error);
        }
        let line = WeightedLine::of(&x, &y, &errors)?;
        found.push((variance, line.slope, z * line.slope_error));
    }
    Ok(found)
}

fn check(table: &Table) -> Result<Verdict> {
    let z = deviations(table)?;
    let points = Point::read(table)?;
    let (mut judged, mut skipped, mut worst) = (0, 0, 0.0f64);
    let mut counterexample = None;
    // Wrong laws put in the place of the right one: (name, times refuted, times tried).
    let mut rivals = [
        ("without the 1/2", 0, 0),
        ("without the density", 0, 0),
        ("the typical value", 0, 0),
    ];
    let mut typical = (0, 0.0f64);
    for point in &points {
        if let Some(expected) = point.predicted_log()? {
            let distance = (point.mean_log - expected).abs() / (z * point.log_error);
            typical = (typical.0 + 1, typical.1.max(distance));
            // Not a number is no agreement.
            if distance.is_nan() || distance > 1.0 {
                counterexample = Some(format!(
                    "{}: mean logarithm {:.4}, {expected:.4} by the growth of a typical network",
                    point.name(),
                    point.mean_log
                ));
            }
        }
        let Some(tolerance) = point.tolerance(z)? else {
            skipped += 1;
            continue;
        };
        judged += 1;
        let predicted = point.predicted_mean()?;
        let distance = |truth: f64| (point.mean / truth - 1.0).abs() / tolerance;
        let found = distance(predicted);
        if found > worst {
            worst = found;
        }
        if found > 1.0 && counterexample.is_none() {
            counterexample = Some(format!(
                "{}: mean ratio {:.4e}, predicted {predicted:.4e} within {:.1} %",
                point.name(),
                point.mean,
                100.0 * tolerance
            ));
        }
        let layers = point.layer as f64;
        let mut rival = |which: usize, truth: f64| {
            rivals[which].1 += usize::from(distance(truth) > 1.0);
            rivals[which].2 += 1;
        };
        rival(0, point.gain().powf(layers));
        if !point.masked {
            if point.density < 1.0 {
                rival(1, (0.5 * point.weight_variance).powf(layers));
            }
            rival(2, point.typical()?);
        }
    }
    let mut hypotheses = vec![format!(
        "{judged} means judged at {z:.2} standard errors; {skipped} too skewed at that depth for the number of networks"
    )];
    hypotheses.push(format!(
        "{} mean logarithms of dense networks within {:.0} % of their tolerance of the exact typical growth",
        typical.0,
        100.0 * typical.1
    ));
    worst = worst.max(typical.1);
    let critical = critical_gains(&points, z)?;
    for c in &critical {
        hypotheses.push(format!(
            "width {}, {} layers: growth vanishes at density x variance = {:.4} ± {:.4}, slope {:.4} ± {:.4}",
            c.width, c.layer, c.gain, c.tolerance, c.slope, c.slope_tolerance
        ));
        worst = worst
            .max((c.gain - 2.0).abs() / c.tolerance)
            .max((c.slope - 1.0).abs() / c.slope_tolerance);
        if (c.gain - 2.0).abs() > c.tolerance || (c.slope - 1.0).abs() > c.slope_tolerance {
            let found = format!(
                "width {}: critical at {:.4} ± {:.4}, slope {:.4}",
                c.width, c.gain, c.tolerance, c.slope
            );
            counterexample = counterexample.or(Some(found));
        }
    }
    let slopes = density_slopes(&points, z)?;
    for (variance, slope, tolerance) in &slopes {
        hypotheses.push(format!(
            "corrected fan-in, weight variance {variance}: the growth rate changes by {slope:.4} ± {tolerance:.4} per unit of ln density"
        ));
        worst = worst.max(slope.abs() / tolerance);
        if slope.abs() > *tolerance {
            let found = format!("corrected fan-in, weight variance {variance}: slope {slope:.4} in ln density");
            counterexample = counterexample.or(Some(found));
        }
    }
    for (name, refuted, tried) in rivals {
        hypotheses.push(format!("wrong law, {name}: refuted {refuted} of {tried} times"));
    }
    hypotheses.push(drift(&points));
    let undecided = if critical.is_empty() || slopes.is_empty() {
        Some("no three densities or gains that can be judged at one depth".to_string())
    } else if slopes.iter().any(|(_, _, tolerance)| *tolerance > 0.5) || critical.iter().any(|c| c.tolerance > 0.5) {
        Some("too few networks to locate the critical point or to see the density drop out".to_string())
    } else {
        let unrefuted = rivals[..2].iter().find(|(_, refuted, _)| *refuted == 0);
        unrefuted.map(|(name, ..)| format!("no mean refutes the wrong law {name}: too few networks"))
    };
    let decision = match (&counterexample, undecided) {
        (Some(_), _) => Decision::Fails,
        (None, Some(why)) => Decision::Undecided { why },
        (None, None) => Decision::Holds,
    };
    let crossings = critical
        .iter()
        .map(|c| format!("{:.4} ± {:.4} at width {}", c.gain, c.tolerance, c.width));
    let largest = slopes.iter().map(|(_, slope, _)| slope.abs()).fold(0.0, f64::max);
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: ("largest deviation from a prediction, in its tolerance".into(), worst),
        tolerance: 1.0,
        evidence: format!(
            "{judged} means within {:.0} % of their tolerance at most; the mean neither grows nor decays at density x variance = {}; with the \
             corrected fan-in the growth rate per layer changes by at most {largest:.4} per unit of ln density.",
            100.0 * worst,
            crossings.collect::<Vec<_>>().join(", ")
        ),
        counterexample,
    })
}

/// The typical drift at criticality in words: the mean logarithm beside half the logarithm of the second moment.
fn drift(points: &[Point]) -> String {
    let critical = points
        .iter()
        .filter(|p| !p.masked && p.density == 1.0 && (p.gain() - 2.0).abs() < 1e-12);
    let mut parts: Vec<String> = Vec::new();
    let deepest = points.iter().map(|p| p.layer).max();
    for point in critical.filter(|p| Some(p.layer) == deepest) {
        let expected = -2.5 * point.layer as f64 / point.width as f64;
        parts.push(format!(
            "{:.3} ± {:.3} at width {} (leading order {expected:.3})",
            point.mean_log, point.log_error, point.width
        ));
    }
    format!(
        "at the critical point the mean logarithm of the ratio drifts by {}",
        parts.join(", ")
    )
}
