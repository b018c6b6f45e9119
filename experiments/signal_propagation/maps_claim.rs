//! The check of the maps of wide networks: fixed points, the edge of chaos, and networks of two widths beside them.

use super::maps::{EDGE, FIXED_POINT, START};
use super::networks::{COPIES, WIDE};
use super::observed::{Comparison, Observed, judged, limits};
use super::spectrum::JACOBIAN;
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::table::Table;

/// ρσ_w² of tanh at σ_b² = 0.05: 50 digits by Newton's method on both conditions give 1.760954639606739.
pub(super) const TANH_EDGE: f64 = 1.760_954_639_606_739;

pub(super) const CLAIM: Claim = Claim {
    id: "F7",
    name: "general-activation-eoc",
    statement: "In wide networks of any activation the lengths follow q' = d s E phi(sqrt(q)z)^2 + b and squared gradients the product of \
                chi_1 = d s E phi'(sqrt(q)z)^2, so that a fixed mask of density d only rescales the weight variance s to d s and \
                chi_1 = 1 at a stable fixed point is the edge of chaos.",
    source: "Poole et al. 2016, arXiv:1606.05340; Schoenholz et al. 2017, arXiv:1611.01232; Hayou et al. 2019, arXiv:1902.06853; \
             Xiao et al. 2018, arXiv:1806.05393; Pennington et al. 2017, arXiv:1711.04735",
    expected: Expected::Holds,
    tolerance_rule: "closed forms against a plain rule of integration at 1e-9, the edge against bisection on the iterated map at 1e-9; \
                     simulated means by Student's quantile at 0.001 over twice the rows, widened for skewness: lengths at each width \
                     with their derived 1/N term and the squares of the first-order terms neglected, everything at infinite width from \
                     N and 2N with the square of the measured bias allowed; singular values of linear and ReLU networks against exact \
                     moments; refuted must be: the density forgotten, copies of an input staying one under redrawn masks, a mask that \
                     leaves orthogonal weights isometric",
    check,
};

/// The level of one comparison: each row may be compared twice.
pub(super) fn level(table: &Table) -> f64 {
    1e-3 / (2 * table.len().max(1)) as f64
}

/// The networks of two widths, at infinite width.
pub(super) fn wide_limits(table: &Table, measures: &[&str]) -> Result<Vec<Comparison>> {
    let mut rows = Observed::read(table, WIDE)?;
    rows.retain(|r| measures.contains(&r.measure.as_str()));
    limits(&rows, level(table), 0.0)
}

/// Lengths at each width, with and without their correction.
pub(super) fn lengths_by_width(table: &Table) -> Result<(Vec<Comparison>, Vec<Comparison>)> {
    let level = level(table);
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for row in Observed::read(table, WIDE)? {
        let Some((predicted, term)) = row.predicted.zip(row.width_term).filter(|_| row.measure == "length") else {
            continue;
        };
        with.extend(row.against(predicted + term, row.neglected, level)?);
        without.extend(row.against(predicted, 0.0, level)?);
    }
    Ok((with, without))
}

/// Singular values: exact at one width, or at infinite width from two.
pub(super) fn spectra(table: &Table) -> Result<Vec<Comparison>> {
    let level = level(table);
    let rows = Observed::read(table, JACOBIAN)?;
    let (tanh, exact): (Vec<Observed>, Vec<Observed>) = rows.into_iter().partition(|r| r.nonlinearity == "tanh");
    let mut found = limits(&tanh, level, 0.0)?;
    for row in &exact {
        if let Some(predicted) = row.predicted {
            // Dense orthogonal matrices scatter by rounding alone: N values, each to N ε a layer.
            let rounding = (row.width * row.width * row.layer) as f64 * f64::EPSILON * predicted;
            found.extend(row.against(predicted, rounding, level)?);
        }
    }
    Ok(found)
}

/// The largest relative difference of the value and the prediction of a part's rows, their number, and the first beyond a tolerance.
fn closed_forms(rows: &[Observed], tolerance: f64) -> (f64, Option<String>) {
    let (mut worst, mut outside) = (0.0f64, None);
    for row in rows {
        let (Some(value), Some(predicted)) = (row.value, row.predicted) else {
            outside = Some(format!("{}: nothing to compare", row.name()));
            continue;
        };
        let difference = (value - predicted).abs() / predicted.abs().max(1e-3);
        worst = worst.max(difference);
        if difference.is_nan() || difference > tolerance {
            outside = Some(format!("{}: {value} against {predicted}", row.name()));
        }
    }
    (worst, outside)
}

/// What is said of edges on an unstable fixed point: where variances diverge instead, and χ₁ there.
fn unstable(edges: &[Observed], folds: &[Observed]) -> Option<String> {
    let count = edges.iter().filter(|e| e.regime == "unstable").count();
    let cases = folds
        .iter()
        .filter(|f| f.measure == "divergence-variance" && f.density == 1.0);
    let told: Vec<String> = cases
        .filter_map(|f| {
            let factor = folds.iter().find(|g| {
                g.measure == "divergence-gradient-factor" && g.density == f.density && g.bias_variance == f.bias_variance
            })?;
            Some(format!(
                "{} at bias variance {}: chi_1 = 1 at scale {:.4}, all lengths diverge from {:.4} on, where chi_1 is {:.4}",
                f.nonlinearity,
                f.bias_variance,
                f.scale(),
                f.value?,
                factor.value?
            ))
        })
        .collect();
    (count > 0).then(|| format!("{count} edges are at an unstable fixed point: {}", told.join("; ")))
}

fn check(table: &Table) -> Result<Verdict> {
    const STATISTIC: &str = "largest deviation from a prediction, in its tolerance";
    const CLOSE: f64 = 1e-9;
    let mut hypotheses = Vec::new();
    let mut counterexample: Option<String> = None;
    let mut note = |found: Option<String>| counterexample = counterexample.take().or(found);
    let (points, mut edges) = (Observed::read(table, FIXED_POINT)?, Observed::read(table, EDGE)?);
    let (folds, kept) = edges.into_iter().partition(|r| r.measure.starts_with("divergence"));
    edges = kept;
    hypotheses.extend(unstable(&edges, &folds));
    let mut worst = 0.0f64;
    for (rows, what) in [
        (&points, "variances, slopes and gradient factors of fixed points"),
        (&edges, "critical weight variances"),
    ] {
        let (difference, outside) = closed_forms(rows, CLOSE);
        hypotheses.push(format!(
            "{} {what} agree with a second route to {difference:.1e}",
            rows.len()
        ));
        worst = worst.max(difference / CLOSE);
        note(outside);
    }
    let tanh: Vec<f64> = edges
        .iter()
        .filter(|e| e.nonlinearity == "tanh" && e.bias_variance == 0.05)
        .map(|e| (e.scale() / TANH_EDGE - 1.0).abs())
        .collect();
    if let Some(off) = tanh.iter().copied().reduce(f64::max) {
        hypotheses.push(format!(
            "tanh at bias variance 0.05: density x variance = {TANH_EDGE} at every density, to {off:.0e}"
        ));
        // The fixed point is known to ε over one less its slope, and the scale with it.
        if off > 1e-12 {
            note(Some(format!("the critical scale of tanh is off by {off:e}")));
        }
    }
    let starts = Observed::read(table, START)?;
    let (mut bistable, mut parted) = (Vec::new(), 0);
    for row in &starts {
        let same = match (row.value, row.predicted) {
            (None, None) => true,
            // Where the slope is s/4 the approach to 0 is followed to the end; elsewhere to where it stands still.
            (Some(value), Some(predicted)) => (value - predicted).abs() <= 1e-6 * predicted.max(1e-3),
            _ => false,
        };
        if !same {
            parted += 1;
            note(Some(format!(
                "from {} GELU networks of scale {} do not end where the fixed points say",
                row.initial,
                row.scale()
            )));
        }
        let dies = |r: &Observed| r.value.is_some() && r.scale() == row.scale() && r.bias_variance == row.bias_variance;
        if row.value.is_none() && starts.iter().any(dies) && !bistable.contains(&row.scale()) {
            bistable.push(row.scale());
        }
    }
    hypotheses.push(format!(
        "{} of {} starts of GELU networks end where the fixed points say; at scales {bistable:?} small starts stay finite and large ones diverge",
        starts.len() - parted,
        starts.len()
    ));
    let mut compare = |what: &str, comparisons: &[Comparison]| {
        let (distance, rivals, outside) = judged(comparisons);
        worst = worst.max(distance);
        note(outside);
        let wrong = if rivals.1 > 0 {
            format!("; the rival is refuted {} of {} times", rivals.0, rivals.1)
        } else {
            String::new()
        };
        hypotheses.push(format!(
            "{} {what} within {:.0} % of their tolerance{wrong}",
            comparisons.len(),
            100.0 * distance
        ));
        rivals
    };
    let lengths = wide_limits(table, &["length"])?;
    let gradients = wide_limits(table, &["gradient"])?;
    let forgotten = compare("lengths at infinite width", &lengths);
    compare("squared gradients at infinite width", &gradients);
    let (with, without) = lengths_by_width(table)?;
    compare("lengths at their own width with the derived 1/N term", &with);
    let copies = limits(&Observed::read(table, COPIES)?, level(table), 0.0)?;
    let dropout = compare("correlations of copies under redrawn masks", &copies);
    let spectra = spectra(table)?;
    let isometric = compare("moments of singular values", &spectra);
    let (narrow, ..) = judged(&without);
    hypotheses.push(format!(
        "without the 1/N term {} of {} lengths are outside, the worst by {narrow:.1} tolerances",
        without.iter().filter(|c| c.distance() > 1.0).count(),
        without.len()
    ));
    if lengths.is_empty() || gradients.is_empty() || edges.is_empty() || points.is_empty() {
        return Ok(Verdict::undecided(
            STATISTIC,
            hypotheses,
            "no networks of two widths, or no maps",
        ));
    }
    let unrefuted = [
        ("the density forgotten", forgotten),
        ("one correlation under redrawn masks", dropout),
        ("isometry under a mask", isometric),
    ]
    .into_iter()
    .find(|(_, rivals)| rivals.0 == 0);
    let decision = match (&counterexample, unrefuted) {
        (Some(_), _) => Decision::Fails,
        (None, Some((name, _))) => Decision::Undecided {
            why: format!("too few networks to refute {name}"),
        },
        (None, None) => Decision::Holds,
    };
    Ok(Verdict {
        decision,
        evidence: format!(
            "{} lengths, {} gradients and {} moments of singular values agree with the maps within {:.0} % of their tolerance at most; the \
             density forgotten is refuted {} of {} times, and redrawn masks part copies of an input in {} of {} cases.",
            lengths.len() + with.len(),
            gradients.len(),
            spectra.len(),
            100.0 * worst,
            forgotten.0,
            forgotten.1,
            dropout.0,
            dropout.1
        ),
        hypotheses,
        statistic: (STATISTIC.into(), worst),
        tolerance: 1.0,
        counterexample,
    })
}
