//! Constant-step gradient descent on a quadratic: rates, the best step, and losses by kernel mode.

use super::registry::{Argument, Arguments, ClosedForm, Domain, Quantity};
use super::{require_nonnegative, require_positive};
use crate::error::{Error, Result, require_finite};
use std::f64::consts::LN_10;

/// The closed form `optimal-step`.
pub static FORM: ClosedForm = ClosedForm {
    name: "optimal-step",
    summary: "Best constant step of gradient descent on a quadratic, and its rate.",
    arguments: &[
        Argument::required(
            "lambda-min",
            "smallest eigenvalue (the smallest nonzero one of a singular Hessian)",
            "curvature",
            Domain::POSITIVE,
        ),
        Argument::required("lambda-max", "largest eigenvalue", "curvature", Domain::POSITIVE),
    ],
    formula: "step = 2/(l_min + l_max), rate = (k - 1)/(k + 1), k = l_max/l_min",
    source: "Polyak 1964; Nesterov, Introductory Lectures on Convex Optimization, 2004, Theorem 2.1.15",
    claims: &["C1", "C5"],
    evaluate,
};

fn require_spectrum(lambda_min: f64, lambda_max: f64) -> Result<()> {
    require_positive("lambda-min", lambda_min)?;
    require_positive("lambda-max", lambda_max)?;
    if lambda_min > lambda_max {
        return Err(Error::argument(
            "lambda-min",
            format!("at most lambda-max = {lambda_max}"),
            lambda_min,
        ));
    }
    Ok(())
}

/// The step `2/(λ_min + λ_max)` with the smallest contraction factor.
///
/// ```
/// use ticketsense::theory::gradient_descent::{optimal_rate, optimal_step};
/// assert_eq!(optimal_step(1.0, 3.0)?, 0.5);
/// assert_eq!(optimal_rate(1.0, 3.0)?, 0.5);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for eigenvalues that are not positive or in the wrong order.
pub fn optimal_step(lambda_min: f64, lambda_max: f64) -> Result<f64> {
    require_spectrum(lambda_min, lambda_max)?;
    // Halved first: the sum of two large eigenvalues may overflow.
    Ok(1.0 / (0.5 * lambda_min + 0.5 * lambda_max))
}

/// The contraction factor at the best step, `(κ−1)/(κ+1) = (λ_max − λ_min)/(λ_max + λ_min)`.
///
/// # Errors
/// [`Error::Argument`] as [`optimal_step`].
pub fn optimal_rate(lambda_min: f64, lambda_max: f64) -> Result<f64> {
    require_spectrum(lambda_min, lambda_max)?;
    Ok((0.5 * lambda_max - 0.5 * lambda_min) / (0.5 * lambda_max + 0.5 * lambda_min))
}

/// The factor `max(|1−ηλ_min|, |1−ηλ_max|)` by which the error shrinks at worst in one step η; above 1 it may grow.
///
/// # Errors
/// [`Error::Argument`] as [`optimal_step`], and for a negative step.
pub fn contraction_factor(step: f64, lambda_min: f64, lambda_max: f64) -> Result<f64> {
    require_spectrum(lambda_min, lambda_max)?;
    require_nonnegative("step", step)?;
    Ok((1.0 - step * lambda_min).abs().max((1.0 - step * lambda_max).abs()))
}

/// The loss of linearised training after each of `times` steps, by kernel mode: `Σᵢ (1 − ηλᵢ)^{2t} cᵢ`, where λᵢ are the
/// eigenvalues of the tangent kernel and cᵢ the squared residual in their directions (½ of it for the loss ½‖r‖²).
///
/// Cost: one power a mode and time.
///
/// ```
/// use ticketsense::theory::gradient_descent::kernel_mode_curve;
/// let curve = kernel_mode_curve(0.5, &[1.0, 2.0], &[4.0, 8.0], &[0, 1, 2])?;
/// assert_eq!(curve, [12.0, 1.0, 0.25]);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Shape`] when the numbers of eigenvalues and coefficients differ, [`Error::NotFinite`] and
/// [`Error::Argument`] for entries that are not finite, negative coefficients or a negative step.
pub fn kernel_mode_curve(step: f64, eigenvalues: &[f64], coefficients: &[f64], times: &[u64]) -> Result<Vec<f64>> {
    require_nonnegative("step", step)?;
    require_finite("eigenvalues", eigenvalues)?;
    require_finite("coefficients", coefficients)?;
    if eigenvalues.len() != coefficients.len() {
        return Err(Error::shape(
            "coefficients of kernel modes",
            eigenvalues.len(),
            coefficients.len(),
        ));
    }
    if let Some(negative) = coefficients.iter().find(|c| **c < 0.0) {
        return Err(Error::argument("coefficients", "nonnegative numbers", negative));
    }
    let factors: Vec<f64> = eigenvalues
        .iter()
        .map(|l| (1.0 - step * l) * (1.0 - step * l))
        .collect();
    let loss = |t: &u64| {
        let modes = factors.iter().zip(coefficients);
        // A mode without residual stays without, even where its factor overflows.
        modes
            .filter(|(_, c)| **c > 0.0)
            .map(|(f, c)| f.powf(*t as f64) * c)
            .sum()
    };
    Ok(times.iter().map(loss).collect())
}

fn evaluate(arguments: &Arguments) -> Result<Vec<Quantity>> {
    let smallest = arguments.real("lambda-min")?;
    let largest = arguments.real("lambda-max")?;
    let step = optimal_step(smallest, largest)?;
    // −ln rate = 2 artanh(1/κ), which keeps its digits where the rate is 1 to all of its own.
    let per_step = 2.0 * (smallest / largest).atanh();
    Ok(vec![
        Quantity::real("value", step, "best constant step"),
        Quantity::real("rate", optimal_rate(smallest, largest)?, "factor on the error per step"),
        Quantity::real(
            "condition_number",
            largest / smallest,
            "largest over smallest eigenvalue",
        ),
        Quantity::real(
            "steps_per_decade",
            LN_10 / per_step,
            "steps that divide the error by ten",
        ),
        Quantity::real(
            "largest_stable_step",
            2.0 / largest,
            "step from which the error no longer shrinks",
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_worst_start_shrinks_by_exactly_the_rate_at_every_step() {
        let (smallest, largest) = (0.3, 7.1);
        let step = optimal_step(smallest, largest).unwrap();
        let rate = optimal_rate(smallest, largest).unwrap();
        let mut error = [1.0_f64, 1.0];
        for t in 1..=200 {
            error = [error[0] * (1.0 - step * smallest), error[1] * (1.0 - step * largest)];
            let shrunk = error[0].hypot(error[1]) / 2f64.sqrt();
            // 1 − ηλ loses a factor 1/|1 − ηλ| ≈ 1.1, once a step.
            assert!((shrunk / rate.powi(t) - 1.0).abs() < 1e-15 * 4.0 * t as f64);
        }
    }

    #[test]
    fn the_best_step_is_not_the_reciprocal_of_the_largest_eigenvalue() {
        let classic = contraction_factor(1.0 / 9.0, 1.0, 9.0).unwrap();
        assert!((classic - 8.0 / 9.0).abs() < 1e-15);
        assert_eq!(optimal_rate(1.0, 9.0).unwrap(), 0.8);
    }

    #[test]
    fn equal_eigenvalues_need_one_step() {
        let answer = FORM.evaluate_text(&[("lambda-min", "4"), ("lambda-max", "4")]).unwrap();
        let reals: Vec<_> = answer.iter().map(|q| q.value.clone()).collect();
        use super::super::Scalar::Real;
        assert_eq!(reals, [Real(0.25), Real(0.0), Real(1.0), Real(0.0), Real(0.5)]);
    }

    #[test]
    fn reversed_or_singular_spectra_are_refused() {
        assert!(optimal_step(2.0, 1.0).is_err());
        assert!(optimal_step(0.0, 1.0).is_err());
        assert!(optimal_step(1e308, 1.5e308).unwrap() > 0.0);
        assert!(contraction_factor(-1.0, 1.0, 2.0).is_err());
        assert!(kernel_mode_curve(0.1, &[1.0], &[1.0, 2.0], &[0]).is_err());
        assert!(kernel_mode_curve(0.1, &[1.0], &[-1.0], &[0]).is_err());
        assert!(kernel_mode_curve(0.1, &[f64::NAN], &[1.0], &[0]).is_err());
    }

    #[test]
    fn steps_per_decade_keep_their_digits_for_bad_conditioning() {
        // −ln((κ−1)/(κ+1)) = 2/κ (1 + O(κ⁻²)).
        let answer = FORM
            .evaluate_text(&[("lambda-min", "1e-12"), ("lambda-max", "1")])
            .unwrap();
        let super::super::Scalar::Real(steps) = answer[3].value else {
            panic!("a number")
        };
        assert!((steps / (LN_10 / 2e-12) - 1.0).abs() < 1e-14);
    }

    proptest! {
        #[test]
        fn no_step_beats_the_best_one(smallest in 0.01_f64..10.0, ratio in 1.0_f64..1e4, other in 0.0_f64..3.0) {
            let largest = smallest * ratio;
            let best = optimal_step(smallest, largest).unwrap();
            let rate = optimal_rate(smallest, largest).unwrap();
            let attained = contraction_factor(best, smallest, largest).unwrap();
            prop_assert!((attained - rate).abs() < 4e-16);
            prop_assert!(contraction_factor(best * other, smallest, largest).unwrap() >= rate - 4e-16);
        }

        #[test]
        fn the_curve_of_modes_is_the_iterated_residual(
            eigenvalues in prop::collection::vec(0.0_f64..2.0, 1..6), step in 0.0_f64..1.0, time in 0_u64..50,
        ) {
            let mut residual = vec![1.0; eigenvalues.len()];
            for _ in 0..time {
                for (r, l) in residual.iter_mut().zip(&eigenvalues) {
                    *r *= 1.0 - step * l;
                }
            }
            let direct: f64 = residual.iter().map(|r| r * r).sum();
            let curve = kernel_mode_curve(step, &eigenvalues, &vec![1.0; eigenvalues.len()], &[time]).unwrap();
            prop_assert!((curve[0] - direct).abs() <= 1e-14 * (time as f64 + 1.0) * direct + 1e-290);
        }
    }
}
