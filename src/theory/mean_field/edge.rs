//! The edge of chaos, where gradients neither vanish nor explode: χ₁ = 1 at a fixed point.

use super::super::registry::{Argument, Arguments, ClosedForm, Domain, Quantity};
use super::super::special::bisect;
use super::Nonlinearity;
use super::arguments::{BIAS_VARIANCE, nonlinearity};
use crate::error::{Error, Result};

/// A point of the edge of chaos.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CriticalPoint {
    /// `s = ρσ_w²` there.
    pub scale: f64,
    /// σ_b².
    pub bias_variance: f64,
    /// The fixed point of the variance.
    pub variance: f64,
}

impl CriticalPoint {
    /// σ_w² at a density: s/ρ.
    pub fn weight_variance(&self, density: f64) -> f64 {
        self.scale / density
    }
}

/// The point of the edge with a given fixed point of the variance: `s = 1/E φ′²`, `σ_b² = q − E φ²/E φ′²`; none where that
/// would be negative.
///
/// # Errors
/// [`Error::Argument`] for a variance that is negative or not finite.
pub fn edge_point(nonlinearity: Nonlinearity, variance: f64) -> Result<Option<CriticalPoint>> {
    super::require_nonnegative("variance", variance)?;
    let point = at(nonlinearity, variance);
    // In a network without a scale of its own the difference is zero, and so is its rounding.
    let rounding = 8.0 * f64::EPSILON * variance;
    Ok((point.bias_variance >= -rounding).then(|| CriticalPoint {
        bias_variance: point.bias_variance.max(0.0),
        ..point
    }))
}

fn at(nonlinearity: Nonlinearity, variance: f64) -> CriticalPoint {
    let scale = nonlinearity.slope_moment(variance).recip();
    let bias_variance = match nonlinearity.homogeneous() {
        Some(_) => 0.0,
        None => variance - scale * nonlinearity.second_moment(variance),
    };
    CriticalPoint {
        scale,
        bias_variance,
        variance,
    }
}

/// Every point of the edge of chaos with a given σ_b², by ascending variance, up to a variance of 1e6; ReLU and linear networks
/// have the one at σ_b = 0.
///
/// ```
/// use ticketsense::theory::mean_field::{Nonlinearity, edge_of_chaos};
/// let edge = edge_of_chaos(Nonlinearity::Tanh, 0.05)?;
/// assert!((edge[0].scale - 1.76).abs() < 0.005);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for a variance that is negative or not finite.
///
/// Cost: some 400 Gaussian means.
pub fn edge_of_chaos(nonlinearity: Nonlinearity, bias_variance: f64) -> Result<Vec<CriticalPoint>> {
    super::require_nonnegative("bias-variance", bias_variance)?;
    if nonlinearity.homogeneous().is_some() {
        let point = at(nonlinearity, 1.0);
        return Ok(if bias_variance == 0.0 { vec![point] } else { Vec::new() });
    }
    let excess = |q: f64| at(nonlinearity, q).bias_variance - bias_variance;
    let mut found = Vec::new();
    if bias_variance == 0.0 {
        found.push(at(nonlinearity, 0.0));
    }
    const DECADES: f64 = 15.0;
    const POINTS: usize = 360;
    let place = |i: usize| 1e-9 * 10f64.powf(DECADES * i as f64 / POINTS as f64);
    // Below, the excess without biases is smaller than its rounding.
    let first = if bias_variance == 0.0 { 96 } else { 0 };
    let mut left = (place(first), excess(place(first)));
    for i in first + 1..=POINTS {
        let right = (place(i), excess(place(i)));
        if (left.1 < 0.0) != (right.1 < 0.0) {
            let rises = left.1 < 0.0;
            let q = bisect(left.0, right.0, |q| (excess(q) < 0.0) == rises);
            found.push(CriticalPoint {
                bias_variance,
                ..at(nonlinearity, q)
            });
        }
        left = right;
    }
    Ok(found)
}

/// The closed form `edge-of-chaos`.
pub static EDGE_FORM: ClosedForm = ClosedForm {
    name: "edge-of-chaos",
    summary: "Weight variance at which gradients of a wide random network at a density neither vanish nor explode.",
    arguments: &[
        nonlinearity("tanh"),
        Argument::optional(
            "density",
            "fraction of the weights kept",
            "1",
            Domain::POSITIVE_FRACTION,
            Some("1"),
        ),
        BIAS_VARIANCE,
    ],
    formula: "d s E phi'(sqrt(q) z)^2 = 1 at q = d s E phi(sqrt(q) z)^2 + b",
    source: "Poole et al. 2016, arXiv:1606.05340; Schoenholz et al. 2017, arXiv:1611.01232; Hayou et al. 2019, arXiv:1902.06853",
    claims: &["F7"],
    evaluate,
};

fn evaluate(arguments: &Arguments) -> Result<Vec<Quantity>> {
    let nonlinearity: Nonlinearity = arguments.text("nonlinearity")?.parse()?;
    let (density, bias) = (arguments.real("density")?, arguments.real("bias-variance")?);
    let edge = edge_of_chaos(nonlinearity, bias)?;
    let Some(first) = edge.first() else {
        return Err(Error::argument(
            "bias-variance",
            format!("one for which {nonlinearity} has an edge of chaos"),
            bias,
        ));
    };
    let others: Vec<String> = edge[1..]
        .iter()
        .map(|p| (p.weight_variance(density)).to_string())
        .collect();
    Ok(vec![
        Quantity::real(
            "value",
            first.weight_variance(density),
            "critical weight variance times the dense fan-in",
        ),
        Quantity::real("variance", first.variance, "fixed point of the variance there"),
        Quantity::text(
            "others",
            if others.is_empty() {
                "none".into()
            } else {
                others.join(", ")
            },
            "critical weight variances with larger fixed points",
        ),
    ])
}
