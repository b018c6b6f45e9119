//! Signs of weights: how often noise flips them, and how often they agree with their start where nothing was learnt.
//!
//! The null model of training is a random walk: `w_T = w_0 + Δ` with `w_0 ~ N(0, σ²)` and independent `Δ ~ N(0, d²σ²)`,
//! d the *drift*. Then `ϱ = corr(w_0, w_T) = 1/√(1 + d²)` and, with `z = w_T/sd(w_T)`,
//!
//! > P(sign w_0 = sign w_T | w_T) = Φ(ϱ|z|/√(1 − ϱ²)) = Φ(|z|/d),
//! > P(agree) = ½ + asin(ϱ)/π,
//! > P(agree | |z| > t) = ½ + T(t, 1/d)/Φ(−t),   T(t, a) = (1/2π) ∫₀^{arctan a} exp(−t²/(2cos²θ)) dθ   (Owen 1956),
//!
//! t the threshold that a density ρ keeps, `2Φ(−t) = ρ`. Large trained weights agree more than others by selection alone.

use super::registry::{Argument, Arguments, ClosedForm, Domain, Quantity};
use super::special::{bisect, normal_probability};
use super::thresholding::gauss_legendre;
use super::{require_fraction, require_nonnegative, require_positive};
use crate::error::Result;
use std::f64::consts::PI;

/// The closed form `sign-flip`.
pub static FLIP_FORM: ClosedForm = ClosedForm {
    name: "sign-flip",
    summary: "How often Gaussian noise flips the sign of a Gaussian weight.",
    arguments: &[Argument::required(
        "tau",
        "standard deviation of the noise in units of that of the weight",
        "1",
        Domain::NONNEGATIVE,
    )],
    formula: "arctan(tau)/pi",
    source: "Sheppard 1899, the orthant probability of a bivariate normal law",
    claims: &["A8"],
    evaluate: evaluate_flip,
};

/// The closed form `sign-agreement`.
pub static AGREEMENT_FORM: ClosedForm = ClosedForm {
    name: "sign-agreement",
    summary: "How often the largest weights have the sign that they started with, where they moved at random.",
    arguments: &[
        Argument::required(
            "drift",
            "standard deviation of the movement in units of that of the initial weight",
            "1",
            Domain::POSITIVE,
        ),
        Argument::optional(
            "density",
            "fraction of the weights kept, those largest at the end",
            "1",
            Domain::POSITIVE_FRACTION,
            Some("1"),
        ),
    ],
    formula: "1/2 + T(t, 1/drift)/Phi(-t) with 2 Phi(-t) = density and Owen's T",
    source: "Sheppard 1899; Owen, Annals of Mathematical Statistics 1956; signs of tickets, Zhou et al., NeurIPS 2019",
    claims: &["A9"],
    evaluate: evaluate_agreement,
};

fn evaluate_flip(arguments: &Arguments) -> Result<Vec<Quantity>> {
    let tau = arguments.real("tau")?;
    Ok(vec![Quantity::real(
        "value",
        flip_probability(tau)?,
        "probability of a flip",
    )])
}

fn evaluate_agreement(arguments: &Arguments) -> Result<Vec<Quantity>> {
    let (drift, density) = (arguments.real("drift")?, arguments.real("density")?);
    let kept = kept_agreement(drift, density)?;
    let all = kept_agreement(drift, 1.0)?;
    let pruned = if density < 1.0 {
        (all - density * kept) / (1.0 - density)
    } else {
        f64::NAN
    };
    Ok(vec![
        Quantity::real("value", kept, "probability that a kept weight has its first sign"),
        Quantity::real("pruned", pruned, "the same of a pruned weight"),
        Quantity::real("all", all, "the same of any weight"),
        Quantity::real(
            "correlation",
            correlation(drift)?,
            "of the initial with the final weight",
        ),
    ])
}

/// The probability `arctan(τ)/π` that `w` and `w + ε` differ in sign, `w ~ N(0, σ²)` and `ε ~ N(0, τ²σ²)` independent.
///
/// ```
/// use ticketsense::theory::sign_flip::flip_probability;
/// assert_eq!(flip_probability(1.0)?, 0.25);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`crate::Error::Argument`] for τ below 0 or not finite.
pub fn flip_probability(tau: f64) -> Result<f64> {
    require_nonnegative("tau", tau)?;
    Ok(tau.atan() / PI)
}

/// The correlation `1/√(1 + d²)` of the initial with the final weight in the null model.
///
/// # Errors
/// [`crate::Error::Argument`] for a drift that is not positive and finite.
pub fn correlation(drift: f64) -> Result<f64> {
    require_positive("drift", drift)?;
    Ok(1.0 / 1.0_f64.hypot(drift))
}

/// The probability `Φ(ϱ|z|/√(1 − ϱ²))` that a weight which ended at z standard deviations of the final weights has its
/// first sign, in the null model with correlation ϱ.
///
/// # Errors
/// [`crate::Error::Argument`] for a correlation outside `(−1, 1)` or a place that is not finite.
pub fn agreement_at(correlation: f64, z: f64) -> Result<f64> {
    require_nonnegative("distance from zero", z.abs())?;
    if !(correlation > -1.0 && correlation < 1.0) {
        return Err(crate::Error::argument(
            "correlation",
            "a number in (-1, 1)",
            correlation,
        ));
    }
    let slope = correlation / ((1.0 - correlation) * (1.0 + correlation)).sqrt();
    Ok(normal_probability(slope * z.abs()))
}

/// The probability that a weight among the largest fraction `density` has its first sign, in the null model.
///
/// ```
/// use ticketsense::theory::sign_flip::kept_agreement;
/// assert!((kept_agreement(1.0, 1.0)? - 0.75).abs() < 1e-15);
/// assert!(kept_agreement(1.0, 0.1)? > 0.95);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`crate::Error::Argument`] for a drift that is not positive and finite or a density outside `(0, 1]`.
///
/// Cost: 16 panels of a sixteen-point rule.
pub fn kept_agreement(drift: f64, density: f64) -> Result<f64> {
    require_positive("drift", drift)?;
    require_positive("density", density)?;
    require_fraction("density", density)?;
    // 2Φ(−t) = ρ; at t = 39 the tail is below the smallest double.
    let threshold = bisect(0.0, 39.0, |t| 2.0 * normal_probability(-t) > density);
    let angle = (1.0 / drift).atan();
    if threshold == 0.0 || density == 1.0 {
        return Ok(0.5 + angle / PI);
    }
    // Taken relative to the value at θ = 0, so that nothing underflows: ρ/2 = Φ(−t) = φ(t) M(t).
    let half = 0.5 * angle / PANELS as f64;
    let scaled = |theta: f64| (-0.5 * (threshold * theta.tan()).powi(2)).exp();
    let integral: f64 = (0..PANELS)
        .map(|panel| gauss_legendre((2 * panel + 1) as f64 * half, half, scaled))
        .sum();
    let owen = (-0.5 * threshold * threshold).exp() * integral / (2.0 * PI);
    Ok((0.5 + owen / (0.5 * density)).min(1.0))
}

const PANELS: usize = 16;

#[cfg(test)]
mod tests {
    use super::super::special::normal_density;
    use super::*;

    #[test]
    fn the_agreement_of_kept_weights_is_the_mean_of_that_at_each_place() {
        for (drift, density) in [
            (0.2, 0.5),
            (1.0, 0.1),
            (3.0, 0.01),
            (0.7, 0.9),
            (20.0, 0.2),
            (1.0, 1e-4),
        ] {
            let t = bisect(0.0, 39.0, |t| 2.0 * normal_probability(-t) > density);
            let rho = correlation(drift).unwrap();
            // E[Φ(ϱ|z|/√(1 − ϱ²)) | |z| > t] by a trapezoid of 400,000 steps over twelve deviations, error h²/12 of the
            // slope at the ends (below 1e-9); beyond lies e^{−72}.
            let (steps, width) = (400_000, 12.0);
            let h = width / f64::from(steps);
            let sum: f64 = (0..=steps)
                .map(|i| {
                    let z = t + f64::from(i) * h;
                    let end = if i == 0 || i == steps { 0.5 } else { 1.0 };
                    end * normal_density(z) * agreement_at(rho, z).unwrap()
                })
                .sum();
            let expected = sum * h / (0.5 * density);
            assert!(
                (kept_agreement(drift, density).unwrap() - expected).abs() < 1e-8,
                "{drift} {density}"
            );
        }
    }

    #[test]
    fn without_a_choice_it_is_the_orthant_law_and_flips_are_its_complement() {
        for drift in [0.1, 1.0, 5.0] {
            let all = kept_agreement(drift, 1.0).unwrap();
            assert!((all - (0.5 + correlation(drift).unwrap().asin() / PI)).abs() < 1e-15);
            assert!((all + flip_probability(drift).unwrap() - 1.0).abs() < 1e-15);
        }
    }

    #[test]
    fn fewer_kept_weights_agree_more_and_the_two_kinds_average_to_all() {
        let mut last = 0.5;
        for density in [1.0, 0.5, 0.2, 0.1, 0.01, 1e-6, 1e-300] {
            let kept = kept_agreement(1.5, density).unwrap();
            assert!(kept >= last && kept <= 1.0, "{density}: {kept}");
            last = kept;
        }
        let answer = AGREEMENT_FORM
            .evaluate_text(&[("drift", "1.5"), ("density", "0.2")])
            .unwrap();
        let value = |i: usize| match answer[i].value {
            super::super::Scalar::Real(v) => v,
            ref other => panic!("{other:?}"),
        };
        assert!(value(0) > value(2) && value(2) > value(1) && value(1) > 0.5);
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        assert!(flip_probability(-0.1).is_err());
        assert!(correlation(0.0).is_err());
        assert!(agreement_at(1.0, 0.5).is_err());
        assert!(agreement_at(0.5, f64::NAN).is_err());
        assert!(kept_agreement(1.0, 0.0).is_err());
        assert!(kept_agreement(1.0, 1.1).is_err());
    }
}
