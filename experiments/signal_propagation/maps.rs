//! The maps of wide networks alone: fixed points, the edge of chaos, starts, and how angles approach theirs.

use super::COLUMNS;
use crate::experiments::rows::row_of;
use std::sync::{Mutex, PoisonError};
use ticketsense::harness::{Cell, Scale};
use ticketsense::table::{Row, Value};
use ticketsense::theory::mean_field::{FixedPoint, MeanField, Nonlinearity, edge_of_chaos};
use ticketsense::{Error, Result};

/// Every fixed point of the variance, its slope and its χ₁, by the closed forms and by a plain rule of integration.
pub(super) const FIXED_POINT: &str = "fixed-point";
/// The critical scale, by the parametric curve and by bisection on what the iterated map does.
pub(super) const EDGE: &str = "edge";
/// Where variances go from a start, by the list of fixed points and by iteration.
pub(super) const START: &str = "start";
/// How fast a deviation of c or q falls near its fixed point, by the slope there and by iteration.
pub(super) const DECAY: &str = "decay";
/// `ℓ²(1 − c_ℓ)` of ReLU layers.
pub(super) const ALGEBRAIC: &str = "algebraic";
/// `|c_ℓ − c*|` by layer.
pub(super) const CURVE: &str = "curve";

/// The functions that have an edge of chaos with biases.
pub(super) const CURVED: [Nonlinearity; 4] = [
    Nonlinearity::Tanh,
    Nonlinearity::Erf,
    Nonlinearity::Gelu,
    Nonlinearity::HardTanh,
];
pub(super) const DENSITIES: [f64; 3] = [1.0, 0.2, 0.05];
/// σ_b² of everything that is not the edge.
pub(super) const BIAS: f64 = 0.05;
const EDGE_BIASES: [f64; 5] = [0.01, 0.02, BIAS, 0.1, 0.2];
/// Scales over the critical one.
const MULTIPLES: [f64; 6] = [0.5, 0.7, 0.85, 1.0, 1.25, 1.6];
/// σ_w of tanh networks in the band of trainable depths; the density is 1.
const BAND: [f64; 11] = [0.6, 0.8, 1.0, 1.1, 1.2, 1.25, 1.4, 1.5, 1.8, 2.3, 3.0];
/// Scales over the critical one of the angles by layer.
const ANGLES: [f64; 4] = [0.5, 0.85, 1.0, 1.6];
/// Variances from which GELU networks start.
const STARTS: [f64; 9] = [1e-3, 1e-2, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0, 1e4];

pub(super) fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for phi in Nonlinearity::ALL {
        for part in [FIXED_POINT, EDGE] {
            cells.push(Cell::new().problem("part", part).problem("nonlinearity", phi.as_str()));
        }
    }
    for phi in CURVED {
        cells.push(Cell::new().problem("part", DECAY).problem("nonlinearity", phi.as_str()));
    }
    for part in [START, ALGEBRAIC, CURVE] {
        cells.push(Cell::new().problem("part", part));
    }
    cells
}

pub(super) fn rows(cell: &Cell, scale: Scale) -> Result<Vec<Row>> {
    let multiples = scale.pick(&[0.7, 1.6][..], &MULTIPLES, &MULTIPLES);
    match cell.text("part")? {
        FIXED_POINT => fixed_points(cell.text("nonlinearity")?.parse()?, multiples),
        EDGE => edge(
            cell.text("nonlinearity")?.parse()?,
            scale.pick(&[BIAS][..], &EDGE_BIASES, &EDGE_BIASES),
        ),
        START => starts(),
        DECAY => decay(cell.text("nonlinearity")?.parse()?, multiples),
        ALGEBRAIC => algebraic(),
        CURVE => curve(
            scale.pick(&[0.8, 1.2, 1.6][..], &BAND, &BAND),
            scale.pick(&[0.5][..], &ANGLES, &ANGLES),
        ),
        other => Err(Error::unknown(
            "part",
            other,
            [FIXED_POINT, EDGE, START, DECAY, ALGEBRAIC, CURVE],
        )),
    }
}

/// The scale at which gradients neither vanish nor explode, with biases of [`BIAS`] but for linear and ReLU layers.
pub(super) fn critical(phi: Nonlinearity) -> Result<(f64, f64)> {
    // Hundreds of Gaussian means, asked for by many cells.
    static KNOWN: Mutex<Vec<(Nonlinearity, f64, f64)>> = Mutex::new(Vec::new());
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, scale, bias)) = known().iter().find(|k| k.0 == phi) {
        return Ok((*scale, *bias));
    }
    let bias = if phi.homogeneous().is_some() { 0.0 } else { BIAS };
    let edge = edge_of_chaos(phi, bias)?;
    let first = edge
        .first()
        .ok_or_else(|| Error::numerical("edge of chaos", phi.as_str()))?;
    known().push((phi, first.scale, bias));
    Ok((first.scale, bias))
}

/// The network of a scale at a density.
pub(super) fn at_scale(nonlinearity: Nonlinearity, density: f64, scale: f64, bias_variance: f64) -> MeanField {
    MeanField {
        nonlinearity,
        density,
        weight_variance: scale / density,
        bias_variance,
    }
}

/// The fixed point that a small variance, or a unit one where there is no scale, approaches.
pub(super) fn settled(model: &MeanField) -> Result<Option<FixedPoint>> {
    let start = if model.nonlinearity.homogeneous().is_some() {
        1.0
    } else {
        0.01
    };
    Ok(model.fixed_points()?.approached_from(model, start).copied())
}

fn axes(part: &'static str, model: &MeanField) -> Vec<(&'static str, Value)> {
    vec![
        ("part", part.into()),
        ("nonlinearity", model.nonlinearity.as_str().into()),
        ("density", model.density.into()),
        ("weight_variance", model.weight_variance.into()),
        ("bias_variance", model.bias_variance.into()),
    ]
}

fn row(mut axes: Vec<(&'static str, Value)>, rest: Vec<(&'static str, Value)>) -> Result<Row> {
    axes.extend(rest);
    row_of(COLUMNS, &axes)
}

/// `E f(z)` for a standard normal z by Gauss's rule of two points on many cells, cut where φ(√q z) has a kink.
fn plain_mean(q: f64, f: impl Fn(f64) -> f64) -> f64 {
    const CELLS: usize = 1000;
    let corner = q.sqrt().recip().min(9.0);
    let mut sum = 0.0;
    for ends in [-10.0, -corner, 0.0, corner, 10.0].windows(2) {
        let step = (ends[1] - ends[0]) / CELLS as f64;
        for cell in 0..CELLS {
            let middle = ends[0] + step * (cell as f64 + 0.5);
            for z in [middle - step / 12f64.sqrt(), middle + step / 12f64.sqrt()] {
                sum += 0.5 * step * f(z) * (-0.5 * z * z).exp();
            }
        }
    }
    sum / std::f64::consts::TAU.sqrt()
}

fn fixed_points(phi: Nonlinearity, multiples: &[f64]) -> Result<Vec<Row>> {
    let (scale, bias) = critical(phi)?;
    let mut rows = Vec::new();
    for &multiple in multiples {
        // GELU without biases is where there are two.
        for bias in if phi == Nonlinearity::Gelu {
            vec![0.0, bias]
        } else {
            vec![bias]
        } {
            let model = at_scale(phi, 0.2, multiple * scale, bias);
            for point in model.fixed_points()?.points {
                let q = point.variance;
                let s = model.scale();
                let plain = if q > 0.0 {
                    let root = q.sqrt();
                    [
                        s * plain_mean(q, |z| phi.value(root * z).powi(2)) + bias,
                        s * plain_mean(q, |z| phi.value(root * z) * phi.slope(root * z) * z) / root,
                        s * plain_mean(q, |z| phi.slope(root * z).powi(2)),
                    ]
                } else {
                    // Of ReLU, which has no slope at 0, from both sides.
                    let slope = 0.5 * (phi.slope(1e-12).powi(2) + phi.slope(-1e-12).powi(2));
                    [bias, s * slope, s * slope]
                };
                let told = [
                    ("variance", q),
                    ("variance-slope", point.slope),
                    ("gradient-factor", point.gradient_factor),
                ];
                for ((measure, predicted), value) in told.into_iter().zip(plain) {
                    let rest = vec![
                        ("initial", q.into()),
                        ("measure", measure.into()),
                        ("value", value.into()),
                        ("predicted", predicted.into()),
                    ];
                    rows.push(row(axes(FIXED_POINT, &model), rest)?);
                }
            }
        }
    }
    Ok(rows)
}

/// The variance at which one that starts small (or at 1, where there is no scale) comes to rest; none where it leaves all bounds.
pub(super) fn resting(model: &MeanField) -> Option<f64> {
    if model.nonlinearity.homogeneous().is_some() {
        return Some(1.0);
    }
    let mut q = 0.01;
    for _ in 0..5000 {
        let next = model.next_variance(q);
        if !next.is_finite() || next > 1e6 {
            return None;
        }
        let moved = (next - q).abs();
        q = next;
        if moved <= 2.0 * f64::EPSILON * q {
            break;
        }
    }
    Some(q)
}

/// By bisection on where the variance comes to rest: the weight variance at which χ₁ passes 1 or variances leave all bounds, and
/// whether they do just above it.
fn passing(at: impl Fn(f64) -> MeanField, mut below: f64, mut above: f64) -> (f64, bool) {
    for _ in 0..60 {
        let middle = 0.5 * (below + above);
        let model = at(middle);
        if resting(&model).is_some_and(|q| model.gradient_factor(q) < 1.0) {
            below = middle;
        } else {
            above = middle;
        }
    }
    // Just above the scale at which the last fixed point disappears, variances linger where it was.
    (0.5 * (below + above), resting(&at(above * (1.0 + 1e-4))).is_none())
}

fn edge(phi: Nonlinearity, biases: &[f64]) -> Result<Vec<Row>> {
    let homogeneous = phi.homogeneous().is_some();
    let mut rows = Vec::new();
    for &bias in if homogeneous { &[0.0][..] } else { biases } {
        let Some(point) = edge_of_chaos(phi, bias)?.first().copied() else {
            continue;
        };
        for density in DENSITIES {
            let at = |weight_variance: f64| MeanField {
                nonlinearity: phi,
                density,
                weight_variance,
                bias_variance: bias,
            };
            let critical = at(point.weight_variance(density));
            let mut add = |regime: &'static str, measure: &'static str, value: f64, predicted: Option<f64>| {
                let rest = vec![
                    ("initial", point.variance.into()),
                    ("regime", regime.into()),
                    ("measure", measure.into()),
                    ("value", value.into()),
                    ("predicted", predicted.into()),
                ];
                rows.push(row(axes(EDGE, &critical), rest)?);
                Ok::<(), Error>(())
            };
            let (passed, diverges) = passing(at, 0.1 / density, 6.0 / density);
            let predicted = Some(critical.weight_variance);
            if critical.variance_slope(point.variance) <= 1.0 {
                add("stable", "critical-variance", passed, predicted)?;
                continue;
            }
            // No iteration comes to rest there: both conditions by the plain rule instead.
            let root = point.variance.sqrt();
            let scale = plain_mean(point.variance, |z| phi.slope(root * z).powi(2)).recip();
            add("unstable", "critical-variance", scale / density, predicted)?;
            if diverges {
                let last = at(passed * (1.0 - 1e-5));
                let factor = resting(&last).map_or(f64::NAN, |q| last.gradient_factor(q));
                add("unstable", "divergence-variance", passed, None)?;
                add("unstable", "divergence-gradient-factor", factor, None)?;
            }
        }
    }
    Ok(rows)
}

fn starts() -> Result<Vec<Row>> {
    const LAYERS: usize = 20_000;
    let mut rows = Vec::new();
    for (scale, bias) in [(1.5, 0.0), (2.5, 0.0), (3.0, 0.0), (3.5, 0.0), (5.0, 0.0), (2.5, 0.02)] {
        let model = at_scale(Nonlinearity::Gelu, 0.2, scale, bias);
        let points = model.fixed_points()?;
        for start in STARTS {
            let mut q = start;
            let mut layers = 0;
            while layers < LAYERS && q < 1e9 {
                let next = model.next_variance(q);
                layers += 1;
                // Below, the approach to 0 is certain: the map is then a line of slope s/4.
                if next == q || next < 1e-250 {
                    q = next;
                    break;
                }
                q = next;
            }
            let end = match q {
                q if q >= 1e9 => None,
                q if q < 1e-200 => Some(0.0),
                q => Some(q),
            };
            let rest = vec![
                ("initial", start.into()),
                ("measure", "end".into()),
                ("layer", layers.into()),
                ("value", end.into()),
                (
                    "predicted",
                    points.approached_from(&model, start).map(|p| p.variance).into(),
                ),
            ];
            rows.push(row(axes(START, &model), rest)?);
        }
    }
    Ok(rows)
}

/// The ratio of successive deviations when they are small, and how far it may be from its limit.
///
/// The ratios r_ℓ approach the slope χ as `χ + A d_ℓ` in the deviations d_ℓ, or as `χ + A √d_ℓ` for functions with kinks, whose map of
/// correlations has a term `(1 − c)^{3/2}`. At the slower of the two the last is off by `(r_{ℓ−1} − r_ℓ) √χ/(1 − √χ)`, of which twice is
/// allowed, and by the rounding of the deviations, the argument being known to ε.
fn ratio(deviations: &[f64], size: f64) -> Option<(f64, f64)> {
    let [.., a, b, c] = deviations else { return None };
    let (before, last) = (b / a, c / b);
    let bound = 2.0 * ((before - last) * last.sqrt() / (1.0 - last.sqrt())).abs() + 64.0 * f64::EPSILON * size / c;
    bound.is_finite().then_some((last, bound))
}

fn decay(phi: Nonlinearity, multiples: &[f64]) -> Result<Vec<Row>> {
    let (scale, _) = critical(phi)?;
    let mut rows = Vec::new();
    for &multiple in multiples.iter().filter(|&&m| m != 1.0) {
        let model = at_scale(phi, 0.2, multiple * scale, BIAS);
        let Some(point) = settled(&model)? else { continue };
        let regime = if multiple < 1.0 { "ordered" } else { "chaotic" };
        let q = point.variance;
        if let (Some(limit), Some(slope)) = (point.correlation, point.correlation_slope) {
            let (mut c, mut deviations) = (0.5, Vec::new());
            while deviations.len() < 400 && deviations.last().is_none_or(|&d| d > 1e-6) {
                c = model.next_correlation(q, c)?;
                deviations.push((c - limit).abs());
            }
            if let Some((value, bound)) = ratio(&deviations, 1.0) {
                let rest = vec![
                    ("regime", regime.into()),
                    ("measure", "correlation-slope".into()),
                    ("layer", deviations.len().into()),
                    ("value", value.into()),
                    ("value_error", bound.into()),
                    ("predicted", slope.into()),
                    ("rival", (multiple > 1.0).then_some(point.gradient_factor).into()),
                ];
                rows.push(row(axes(DECAY, &model), rest)?);
            }
        }
        let (mut now, mut deviations) = (1.2 * q, Vec::new());
        while deviations.len() < 400 && deviations.last().is_none_or(|&d| d > 1e-6 * q) {
            now = model.next_variance(now);
            deviations.push((now - q).abs());
        }
        if let Some((value, bound)) = ratio(&deviations, q) {
            let rest = vec![
                ("regime", regime.into()),
                ("measure", "variance-slope".into()),
                ("layer", deviations.len().into()),
                ("value", value.into()),
                ("value_error", bound.into()),
                ("predicted", point.slope.abs().into()),
                ("rival", point.gradient_factor.into()),
            ];
            rows.push(row(axes(DECAY, &model), rest)?);
        }
    }
    Ok(rows)
}

fn algebraic() -> Result<Vec<Row>> {
    let model = at_scale(Nonlinearity::Relu, 0.2, 2.0, 0.0);
    let (mut c, mut rows) = (0.0, Vec::new());
    for layer in 1..=10_000usize {
        c = model.next_correlation(1.0, c)?;
        if [10, 30, 100, 300, 1000, 3000, 10_000].contains(&layer) {
            let rest = vec![
                ("measure", "scaled-separation".into()),
                ("layer", layer.into()),
                ("value", ((layer * layer) as f64 * (1.0 - c)).into()),
                ("predicted", (4.5 * std::f64::consts::PI.powi(2)).into()),
            ];
            rows.push(row(axes(ALGEBRAIC, &model), rest)?);
        }
    }
    Ok(rows)
}

/// The lengths of correlation and variance over σ_w of tanh networks, and angles by layer at some of them.
fn curve(band: &[f64], multiples: &[f64]) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for &weight_deviation in band {
        let model = at_scale(Nonlinearity::Tanh, 1.0, weight_deviation * weight_deviation, BIAS);
        let Some(point) = settled(&model)? else { continue };
        let lengths = [
            ("correlation-length", point.correlation_length),
            ("variance-length", point.variance_length),
        ];
        for (measure, length) in lengths {
            let rest = vec![
                ("regime", point.phase.as_str().into()),
                ("measure", measure.into()),
                ("value", length.into()),
            ];
            rows.push(row(axes(CURVE, &model), rest)?);
        }
    }
    let (scale, _) = critical(Nonlinearity::Tanh)?;
    for &multiple in multiples {
        let model = at_scale(Nonlinearity::Tanh, 1.0, multiple * scale, BIAS);
        let Some(point) = settled(&model)? else { continue };
        let limit = point.correlation.unwrap_or(1.0);
        for (layer, c) in model.correlations(point.variance, 0.5, 40)?.into_iter().enumerate() {
            let rest = vec![
                ("regime", format!("{multiple}").into()),
                ("measure", "deviation".into()),
                ("layer", layer.into()),
                ("value", (c - limit).abs().into()),
            ];
            rows.push(row(axes(CURVE, &model), rest)?);
        }
    }
    Ok(rows)
}
