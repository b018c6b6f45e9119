//! Soft and hard thresholding of one noisy number: bias, variance and risk, with their digits in every tail; and the
//! thresholds as proximal maps.
//!
//! For y = θ + g with g standard normal, and a threshold λ,
//!
//! > soft: η(y) = sign(y)(|y| − λ)₊,  risk = 1 + λ² + (θ²−λ²−1)[Φ(λ−θ) − Φ(−λ−θ)] − (λ−θ)φ(λ+θ) − (λ+θ)φ(λ−θ),
//! > hard: η(y) = y·1{|y| > λ},  risk = θ²[Φ(λ−θ) − Φ(−λ−θ)] + Φ(θ−λ) + Φ(−λ−θ) + (λ−θ)φ(λ−θ) + (λ+θ)φ(λ+θ).
//!
//! These forms cancel away in the tails; what is computed are the two parts of the risk, below the threshold and above
//! it, each from moments of a normal tail. Hard thresholding leaves what it keeps unchanged, yet is biased near the
//! threshold, because it keeps selectively; the bias of soft thresholding tends to −λ for large θ. Neither dominates.

use super::registry::{Argument, Arguments, ClosedForm, Domain, Quantity};
use super::special::{normal_central_probability, normal_density, tail_moments};
use super::{require_nonnegative, require_positive};
use crate::error::{Error, Result};

const ARGUMENTS: &[Argument] = &[
    Argument::required(
        "mean",
        "size of the true value; the risk is even in it",
        "1",
        Domain::NONNEGATIVE,
    ),
    Argument::required(
        "threshold",
        "size at or below which an observation becomes zero",
        "1",
        Domain::NONNEGATIVE,
    ),
    Argument::optional(
        "noise-std",
        "standard deviation of the noise",
        "1",
        Domain::POSITIVE,
        Some("1"),
    ),
];

/// The closed form `soft-threshold-risk`.
pub static SOFT_FORM: ClosedForm = ClosedForm {
    name: "soft-threshold-risk",
    summary: "Bias, variance and mean squared error of soft thresholding one observation with Gaussian noise.",
    arguments: ARGUMENTS,
    formula: "1 + l^2 + (t^2 - l^2 - 1)[Phi(l-t) - Phi(-l-t)] - (l-t) phi(l+t) - (l+t) phi(l-t), in units of the noise",
    source: "Donoho & Johnstone, Biometrika 1994",
    claims: &["C8"],
    evaluate: evaluate_soft,
};

/// The closed form `hard-threshold-risk`.
pub static HARD_FORM: ClosedForm = ClosedForm {
    name: "hard-threshold-risk",
    summary: "Bias, variance and mean squared error of hard thresholding one observation with Gaussian noise.",
    arguments: ARGUMENTS,
    formula: "t^2 [Phi(l-t) - Phi(-l-t)] + Phi(t-l) + Phi(-l-t) + (l-t) phi(l-t) + (l+t) phi(l+t), in units of the noise",
    source: "Donoho & Johnstone, Biometrika 1994",
    claims: &["C8"],
    evaluate: evaluate_hard,
};

/// Mean and threshold, in units of the noise, above which squares of them would overflow.
const LARGEST: f64 = 1e100;

/// How an estimator of one number errs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ThresholdRisk {
    /// Expected estimate minus the true value.
    pub bias: f64,
    /// Variance of the estimate.
    pub variance: f64,
    /// Mean squared error.
    pub risk: f64,
    /// Probability that the estimate is not zero.
    pub kept: f64,
}

/// The two parts of a mean squared error: from observations at or below the threshold, and above it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Parts {
    pub(super) zeroed: f64,
    pub(super) kept: f64,
}

/// Sixteen-point Gauss-Legendre rule on `[−1, 1]`, positive nodes and their weights; mpmath 1.4.1, 40 digits.
const GAUSS_LEGENDRE: [(f64, f64); 8] = [
    (0.989_400_934_991_649_9, 0.027_152_459_411_754_096),
    (0.944_575_023_073_232_6, 0.062_253_523_938_647_894),
    (0.865_631_202_387_831_8, 0.095_158_511_682_492_79),
    (0.755_404_408_355_003, 0.124_628_971_255_533_88),
    (0.617_876_244_402_643_8, 0.149_595_988_816_576_74),
    (0.458_016_777_657_227_37, 0.169_156_519_395_002_54),
    (0.281_603_550_779_258_9, 0.182_603_415_044_923_58),
    (0.095_012_509_837_637_44, 0.189_450_610_455_068_5),
];

/// `∫ f` over `[middle − half, middle + half]`.
pub(super) fn gauss_legendre(middle: f64, half: f64, f: impl Fn(f64) -> f64) -> f64 {
    let sum: f64 = GAUSS_LEGENDRE
        .iter()
        .map(|(node, weight)| weight * (f(middle - half * node) + f(middle + half * node)))
        .sum();
    half * sum
}

/// `Σ coefficient[n] E[(g − z)₊ⁿ]` for z ≥ 0, n = 0, 1, 2.
fn tail_expectation(z: f64, coefficients: [f64; 3]) -> f64 {
    let density = normal_density(z);
    if density == 0.0 {
        return 0.0;
    }
    let moments = tail_moments(z);
    density * (0..3).map(|n| coefficients[n] * moments[n]).sum::<f64>()
}

/// `Φ(−z)` for z ≥ 0.
fn tail(z: f64) -> f64 {
    tail_expectation(z, [1.0, 0.0, 0.0])
}

/// `E (g − z)₊` for z ≥ 0.
fn overshoot(z: f64) -> f64 {
    tail_expectation(z, [0.0, 1.0, 0.0])
}

/// `E[g²; g > z]` for z ≥ 0.
fn tail_square(z: f64) -> f64 {
    z * normal_density(z) + tail(z)
}

/// `P(|θ + g| ≤ λ)`, with relative precision.
pub(super) fn zeroed_probability(mean: f64, threshold: f64) -> f64 {
    if mean <= threshold {
        0.5 * (normal_central_probability(threshold + mean) + normal_central_probability(threshold - mean))
    } else if 2.0 * threshold * (1.0 + mean + threshold) < 1.0 {
        // A narrow interval, over which the density changes by a factor e at most.
        gauss_legendre(mean, threshold, normal_density)
    } else {
        tail(mean - threshold) - tail(mean + threshold)
    }
}

/// `P(|θ + g| > λ)`.
pub(super) fn kept_probability(mean: f64, threshold: f64) -> f64 {
    let near = threshold - mean;
    let upper = if near >= 0.0 { tail(near) } else { 1.0 - tail(-near) };
    upper + tail(threshold + mean)
}

/// The mean squared error of soft thresholding, in its two parts; θ, λ ≥ 0 in units of the noise.
pub(super) fn soft_parts(mean: f64, threshold: f64) -> Parts {
    let mean = mean.min(LARGEST);
    let square = mean * mean;
    let near = threshold - mean;
    // Above λ the error is g − λ: (g − near) − θ there, and on the far side (g − far) + θ with g reflected.
    let upper = if near >= 0.0 {
        tail_expectation(near, [square, -2.0 * mean, 1.0])
    } else {
        1.0 + threshold * threshold - tail_expectation(-near, [square, 2.0 * mean, 1.0])
    };
    Parts {
        zeroed: square * zeroed_probability(mean, threshold),
        kept: upper + tail_expectation(threshold + mean, [square, 2.0 * mean, 1.0]),
    }
}

fn require(mean: f64, threshold: f64) -> Result<()> {
    for (name, value) in [("mean", mean), ("threshold", threshold)] {
        require_nonnegative(name, value)?;
        if value > LARGEST {
            return Err(Error::argument(
                name,
                format!("at most {LARGEST:e} in units of the noise"),
                value,
            ));
        }
    }
    Ok(())
}

/// Bias, variance and risk of soft thresholding `θ + g` at λ; θ, λ ≥ 0 in units of the noise.
///
/// Relative error of all four a few roundings of θ and λ: e^{−z²/2} of a tail at z loses z² of them.
///
/// ```
/// let at_zero = ticketsense::theory::thresholding::soft(0.0, 0.0)?;
/// assert!((at_zero.risk - 1.0).abs() < 1e-15);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for a negative or non-finite argument, or one above 1e100.
pub fn soft(mean: f64, threshold: f64) -> Result<ThresholdRisk> {
    require(mean, threshold)?;
    let Parts { zeroed, kept } = soft_parts(mean, threshold);
    let (near, far) = ((threshold - mean).abs(), threshold + mean);
    // The derivative of E η in θ is P(|y| > λ): bias = −½ ∫ (2Φ(c) − 1) dc over [|λ−θ|, λ+θ].
    let half = mean.min(threshold);
    let bias = if half < 0.5 {
        -0.5 * gauss_legendre(mean.max(threshold), half, normal_central_probability)
    } else {
        overshoot(near) - overshoot(far) - half
    };
    let shift = overshoot(near) - overshoot(far);
    let variance = if mean <= threshold {
        tail_expectation(near, [0.0, 0.0, 1.0]) + tail_expectation(far, [0.0, 0.0, 1.0]) - shift * shift
    } else {
        let difference = tail_expectation(far, [0.0, 0.0, 1.0]) - tail_expectation(near, [0.0, 0.0, 1.0]);
        1.0 + difference - shift * (2.0 * near + shift)
    };
    Ok(ThresholdRisk {
        bias,
        variance,
        risk: zeroed + kept,
        kept: kept_probability(mean, threshold),
    })
}

/// Bias, variance and risk of hard thresholding `θ + g` at λ; θ, λ ≥ 0 in units of the noise.
///
/// ```
/// // A large value passes unchanged; one near the threshold is pulled away from zero by selection.
/// let far = ticketsense::theory::thresholding::hard(20.0, 3.0)?;
/// let near = ticketsense::theory::thresholding::hard(3.0, 3.0)?;
/// assert!(far.bias.abs() < 1e-50 && near.bias < -1.0);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] as [`soft`].
pub fn hard(mean: f64, threshold: f64) -> Result<ThresholdRisk> {
    require(mean, threshold)?;
    let square = mean * mean;
    let (near, far) = (threshold - mean, threshold + mean);
    let zeroed = zeroed_probability(mean, threshold);
    let upper = if near >= 0.0 {
        tail_square(near)
    } else {
        1.0 - tail_square(-near)
    };
    // Minus the mean of what is zeroed: ∫₀^λ y [φ(y−θ) − φ(y+θ)] dy.
    let lost = if threshold * (1.0 + mean) <= 1.0 {
        let integrand = |y: f64| y * (-0.5 * y * y).exp() * (y * mean).sinh();
        2.0 * normal_density(mean) * gauss_legendre(0.5 * threshold, 0.5 * threshold, integrand)
    } else if threshold * mean < 1.0 {
        mean * zeroed - 2.0 * normal_density(mean) * (-0.5 * threshold * threshold).exp() * (threshold * mean).sinh()
    } else {
        mean * zeroed + normal_density(far) - normal_density(near)
    };
    let variance = if mean <= threshold {
        // Above λ the estimate is (g − near) + λ, and its mirror image on the far side.
        let ends = [near, far].map(|z| {
            [
                tail_expectation(z, [threshold, 1.0, 0.0]),
                tail_expectation(z, [threshold * threshold, 2.0 * threshold, 1.0]),
            ]
        });
        ends[0][1] + ends[1][1] - (ends[0][0] - ends[1][0]).powi(2)
    } else {
        // The estimate is y − u with u = y·1{|y| ≤ λ}, and yu = u².
        let pulled = normal_density(far) - normal_density(near);
        let lost_square = square * zeroed + 2.0 * mean * pulled + tail_square(-near) - tail_square(far);
        1.0 - lost_square + lost * (2.0 * mean - lost)
    };
    Ok(ThresholdRisk {
        bias: -lost,
        variance,
        risk: square * zeroed + upper + tail_square(far),
        kept: kept_probability(mean, threshold),
    })
}

/// Soft thresholding, the proximal map of λ|·|: `argmin_x ½(x − y)² + λ|x| = sign(y)(|y| − λ)₊`.
pub fn soft_threshold(y: f64, threshold: f64) -> f64 {
    if y.abs() > threshold {
        y - threshold.copysign(y)
    } else {
        0.0
    }
}

/// Hard thresholding, `y·1{|y| > λ}`: a proximal map of `½λ²·1{x ≠ 0}`.
pub fn hard_threshold(y: f64, threshold: f64) -> f64 {
    if y.abs() > threshold { y } else { 0.0 }
}

/// The factor `(1 − λ/‖w‖)₊` by which the proximal map of λ‖·‖₂ multiplies a group of that norm: block soft thresholding,
/// which zeroes whole groups and shrinks those that it keeps. 0 for a zero group.
///
/// Groups that overlap have no such factor; groups of different sizes are compared with λ√size (Yuan & Lin 2006).
///
/// # Errors
/// [`Error::Argument`] for a negative or non-finite norm or threshold.
pub fn group_factor(norm: f64, threshold: f64) -> Result<f64> {
    require_nonnegative("norm", norm)?;
    require_nonnegative("threshold", threshold)?;
    // The difference of the sizes is exact where they are close, that of the quotient from one is not.
    Ok(if norm > threshold {
        (norm - threshold) / norm
    } else {
        0.0
    })
}

fn answer(arguments: &Arguments, estimator: fn(f64, f64) -> Result<ThresholdRisk>) -> Result<Vec<Quantity>> {
    let noise = arguments.real("noise-std")?;
    require_positive("noise-std", noise)?;
    let risk = estimator(arguments.real("mean")? / noise, arguments.real("threshold")? / noise)?;
    Ok(vec![
        Quantity::real("value", noise * noise * risk.risk, "mean squared error"),
        Quantity::real("bias", noise * risk.bias, "expected estimate minus the true value"),
        Quantity::real("variance", noise * noise * risk.variance, "variance of the estimate"),
        Quantity::real("kept", risk.kept, "probability that the estimate is not zero"),
    ])
}

fn evaluate_soft(arguments: &Arguments) -> Result<Vec<Quantity>> {
    answer(arguments, soft)
}

fn evaluate_hard(arguments: &Arguments) -> Result<Vec<Quantity>> {
    answer(arguments, hard)
}

#[cfg(test)]
#[path = "thresholding_tests.rs"]
mod tests;
