//! What a mask of the largest weights leaves of the scale of a Gaussian initialisation.
//!
//! Kept are the weights whose values at selection are the largest in size, a share ρ; at selection and at the start they are
//! jointly normal with correlation r (r = 1: chosen on the initial weights themselves). With the threshold t, `2Φ(−t) = ρ`,
//! and Mills' ratio `M(t) = Φ(−t)/𝜑(t)`, 𝜑 the normal density, the initial weights that are kept have
//!
//! ```text
//! E[w² | kept]/σ² = 1 + r² t/M(t),       ρ E[w² | kept]/σ² = r² 2[t𝜑(t) + 1 − Φ(t)] + (1 − r²)ρ
//! ```
//!
//! The second number multiplies `σ_w²`, the variance times the *dense* fan-in, where a random mask would put ρ. It is below 1
//! whenever weights are lost: no choice of a mask keeps the whole scale. Divided by ρ again it is what stands there when the
//! kept weights are rescaled to their own fan-in, and that is above 1.

use super::super::registry::{Argument, Arguments, ClosedForm, Domain, Quantity};
use super::super::require_fraction;
use super::super::special::{bisect, normal_probability, tail_moments};
use super::MeanField;
use super::arguments::{BIAS_VARIANCE, nonlinearity};
use crate::error::{Error, Result};

/// The threshold t that a share ρ of standard normal numbers exceeds in size, `2Φ(−t) = ρ`.
///
/// # Errors
/// [`Error::Argument`] for a density outside `(0, 1]`.
pub fn magnitude_threshold(density: f64) -> Result<f64> {
    if density > 0.0 && density <= 1.0 {
        // No double is below Φ(−39).
        Ok(bisect(0.0, 39.0, |t| 2.0 * normal_probability(-t) > density))
    } else {
        Err(Error::argument("density", "a number in (0, 1]", density))
    }
}

/// `E[w² | kept]/σ²`: the mean square of the initial weights that a mask of the largest keeps, over that of all.
///
/// # Errors
/// [`Error::Argument`] for a density outside `(0, 1]` or a correlation outside `[0, 1]`.
pub fn inherited_variance(density: f64, correlation: f64) -> Result<f64> {
    require_fraction("correlation", correlation)?;
    let threshold = magnitude_threshold(density)?;
    Ok(1.0 + correlation * correlation * threshold / tail_moments(threshold)[0])
}

/// `ρ E[w² | kept]/σ²`: what stands in the place of the density of a random mask when the variance of a weight was divided by
/// the dense fan-in.
///
/// ```
/// use ticketsense::theory::mean_field::inherited_scale;
/// // A tenth of the weights, the largest ones, has less than half of the squared length.
/// assert!((inherited_scale(0.1, 1.0)? - 0.439).abs() < 1e-3);
/// // Chosen by something unrelated, they have a tenth.
/// assert_eq!(inherited_scale(0.1, 0.0)?, 0.1);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// As [`inherited_variance`].
pub fn inherited_scale(density: f64, correlation: f64) -> Result<f64> {
    Ok(density * inherited_variance(density, correlation)?)
}

/// The closed form `inherited-scale`.
pub static INHERITED_FORM: ClosedForm = ClosedForm {
    name: "inherited-scale",
    summary: "What the largest weights keep of the scale of a Gaussian initialisation, and what signals make of it.",
    arguments: &[
        Argument::required(
            "density",
            "fraction of the weights kept, those largest at selection",
            "1",
            Domain::POSITIVE_FRACTION,
        ),
        Argument::optional(
            "correlation",
            "of the initial weights with those at selection; 1 selects on the initial ones",
            "1",
            Domain::FRACTION,
            Some("1"),
        ),
        Argument::optional(
            "weight-variance",
            "initial weight variance times the dense fan-in",
            "1",
            Domain::NONNEGATIVE,
            Some("2"),
        ),
        BIAS_VARIANCE,
        nonlinearity("relu"),
    ],
    formula: "r^2 2[t phi(t) + 1 - Phi(t)] + (1 - r^2) d with 2 Phi(-t) = d",
    source: "second moment of a truncated normal law, Johnson, Kotz and Balakrishnan 1994; the map of Poole et al. 2016",
    claims: &["F9"],
    evaluate,
};

fn evaluate(arguments: &Arguments) -> Result<Vec<Quantity>> {
    let (density, correlation) = (arguments.real("density")?, arguments.real("correlation")?);
    let weight_variance = arguments.real("weight-variance")?;
    let variance = inherited_variance(density, correlation)?;
    let scale = density * variance;
    let model = MeanField {
        nonlinearity: arguments.text("nonlinearity")?.parse()?,
        // Rounding may put the whole scale an ulp above 1.
        density: scale.min(1.0),
        weight_variance,
        bias_variance: arguments.real("bias-variance")?,
    };
    let found = model.fixed_points()?;
    let point = found.approached_from(&model, 1.0);
    Ok(vec![
        Quantity::real("value", scale, "inherited scale over that of the dense network"),
        Quantity::real(
            "variance",
            variance,
            "mean square of a kept initial weight over that of all",
        ),
        Quantity::real(
            "dense_fan_in_scale",
            scale * weight_variance,
            "inherited weight variance times the dense fan-in times the density",
        ),
        Quantity::real(
            "masked_fan_in_scale",
            variance * weight_variance,
            "the same with the kept weights rescaled to their own fan-in",
        ),
        Quantity::real(
            "random_mask_scale",
            density * weight_variance,
            "the same of a random mask with the dense fan-in",
        ),
        Quantity::real(
            "gradient_factor",
            point.map_or(f64::NAN, |p| p.gradient_factor),
            "chi_1 with the dense fan-in; none where lengths grow without bound",
        ),
        Quantity::text(
            "phase",
            point.map_or("divergent", |p| p.phase.as_str()),
            "ordered, critical or chaotic, by chi_1",
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::super::super::special::normal_density;
    use super::*;
    use crate::Seed;
    use proptest::prelude::*;
    use rand::RngExt;
    use rand_distr::StandardNormal;

    #[test]
    fn the_form_with_the_distribution_function_is_the_form_with_mills_ratio() {
        for density in [1e-6, 1e-3, 0.05, 0.3, 0.5, 0.9, 0.999] {
            let t = magnitude_threshold(density).unwrap();
            let plain = 2.0 * (t * normal_density(t) + normal_probability(-t));
            let found = inherited_scale(density, 1.0).unwrap();
            // The threshold is right to ε t, which the density at it multiplies by t.
            let tolerance = 20.0 * f64::EPSILON * (1.0 + t * t);
            assert!((found / plain - 1.0).abs() <= tolerance, "{density}: {found} {plain}");
        }
        assert_eq!(inherited_scale(1.0, 1.0).unwrap(), 1.0);
        for bad in [(0.0, 1.0), (1.1, 1.0), (f64::NAN, 1.0), (0.5, 1.5), (0.5, f64::NAN)] {
            assert!(inherited_scale(bad.0, bad.1).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_largest_of_a_sample_have_the_inherited_scale() {
        // A sum over the k largest of n is a smooth functional of the empirical law, of standard error at most
        // √(Var(w² 1[kept])/n) + b √(ρ/n), with b = r²t² + 1 − r² the mean of w² at the threshold, which the sample sets
        // itself. Five of them.
        const N: usize = 200_000;
        let mut rng = Seed::root(0).stream("inherited scale").rng();
        for (density, correlation) in [(0.1, 1.0), (0.02, 1.0), (0.5, 0.6), (0.1, 0.3)] {
            let rest = f64::sqrt(1.0 - correlation * correlation);
            let mut pairs: Vec<(f64, f64)> = (0..N)
                .map(|_| {
                    let last: f64 = rng.sample(StandardNormal);
                    let free: f64 = rng.sample(StandardNormal);
                    (last, correlation * last + rest * free)
                })
                .collect();
            pairs.sort_by(|a, b| b.0.abs().total_cmp(&a.0.abs()));
            let kept = (density * N as f64) as usize;
            let squares: Vec<f64> = pairs[..kept].iter().map(|p| p.1 * p.1).collect();
            let n = N as f64;
            let found = squares.iter().sum::<f64>() / n;
            let spread = (squares.iter().map(|s| s * s).sum::<f64>() / n - found * found).sqrt();
            let threshold = magnitude_threshold(density).unwrap();
            let boundary = (correlation * threshold).powi(2) + rest * rest;
            let error = (spread + boundary * density.sqrt()) / n.sqrt();
            let exact = inherited_scale(density, correlation).unwrap();
            assert!(
                (found - exact).abs() < 5.0 * error,
                "{density} {correlation}: {found} {exact}"
            );
            // A random mask of the same density is refuted.
            assert!(correlation < 0.5 || (found - density).abs() > 20.0 * error);
        }
    }

    #[test]
    fn a_critical_network_becomes_ordered_and_the_calculator_says_so() {
        let text = |words: &[(&str, &str)]| {
            let answer = INHERITED_FORM.evaluate_text(words).unwrap();
            answer
                .iter()
                .map(|q| format!("{}={}", q.name, q.value))
                .collect::<Vec<_>>()
                .join(" ")
        };
        let ticket = text(&[("density", "0.1")]);
        assert!(
            ticket.contains("phase=ordered") && ticket.contains("value=0.43"),
            "{ticket}"
        );
        assert!(text(&[("density", "1")]).contains("phase=critical"));
        assert!(text(&[("density", "0.1"), ("weight-variance", "6")]).contains("phase=divergent"));
        assert!(
            text(&[("density", "0.1"), ("weight-variance", "6"), ("nonlinearity", "tanh")]).contains("phase=chaotic")
        );
    }

    proptest! {
        #[test]
        fn no_mask_keeps_the_whole_scale_and_the_largest_weights_keep_more_than_their_share(
            density in 1e-6_f64..0.9999, correlation in 0.0_f64..1.0,
        ) {
            let scale = inherited_scale(density, correlation).unwrap();
            let best = inherited_scale(density, 1.0).unwrap();
            prop_assert!(scale >= density && scale <= best * (1.0 + 1e-14) && best < 1.0);
        }
    }
}
