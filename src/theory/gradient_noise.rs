//! How noisy stochastic gradients are, when larger batches stop paying, and where constant steps come to rest: the linear
//! model `y = ⟨θ, x⟩ + noise` with Gaussian features, fitted with the squared loss `½ r²` on the kept features S.

use super::registry::{Argument, Arguments, ClosedForm, Domain, Quantity};
use super::{require_nonnegative, require_positive};
use crate::error::{Error, Result, require_finite};

/// The closed form `gradient-noise-scale`.
pub static SCALE_FORM: ClosedForm = ClosedForm {
    name: "gradient-noise-scale",
    summary: "Simple noise scale of the gradient of linear regression on Gaussian features, and what a batch then wins.",
    arguments: &[
        Argument::required(
            "residual-variance",
            "variance of the residual at the weights, of lost signal too",
            "variance",
            Domain::POSITIVE,
        ),
        Argument::required(
            "trace",
            "trace of the covariance of the kept features",
            "variance",
            Domain::POSITIVE,
        ),
        Argument::required(
            "squared-gradient",
            "squared norm of the covariance of kept features and residual",
            "squared gradient",
            Domain::POSITIVE,
        ),
        Argument::optional("batch", "samples of a batch", "samples", Domain::COUNT, Some("1")),
    ],
    formula: "B = 1 + v tr(Sigma_SS)/|c|^2, c = E[x_S r]; steps at batch b over steps at any larger one: 1 + B/b",
    source: "Isserlis 1918 for the fourth moment; McCandlish, Kaplan, Amodei et al., arXiv:1812.06162, section 2",
    claims: &["C6"],
    evaluate: evaluate_scale,
};

/// The closed form `stationary-error`.
pub static ERROR_FORM: ClosedForm = ClosedForm {
    name: "stationary-error",
    summary: "Mean squared distance from the optimum at which constant steps on fresh isotropic samples come to rest.",
    arguments: &[
        Argument::required("step", "learning rate", "1/variance", Domain::POSITIVE),
        Argument::required("batch", "samples of a batch", "samples", Domain::COUNT),
        Argument::required(
            "noise-variance",
            "variance of the residual at the optimum, of pruned signal too",
            "variance",
            Domain::NONNEGATIVE,
        ),
        Argument::required("weights", "kept weights", "weights", Domain::COUNT),
    ],
    formula: "E|e|^2 = step v d/(b (2 - step (1 + (d+1)/b))), stable while the bracket is positive",
    source: "Feuer & Weinstein, IEEE Transactions on Acoustics, Speech and Signal Processing 33, 1985",
    claims: &["C7"],
    evaluate: evaluate_error,
};

/// The simple noise scale `tr Cov(g)/‖E g‖² = 1 + v tr Σ/‖c‖²` of the gradient `g = −x r` of one sample.
///
/// Features and residual are jointly Gaussian with mean zero, so that by Isserlis' theorem `E ‖x‖² r² = v tr Σ + 2‖c‖²` with
/// the residual's variance v and `c = E[x r] = −E g`. Pruning makes `tr Σ` smaller, and so it does `‖c‖²`: which of the two
/// wins decides whether the noise scale falls or grows.
///
/// ```
/// use ticketsense::theory::gradient_noise::noise_scale;
/// // Ten independent features of variance 1, all signal, none fitted yet: v = ‖θ‖² = ‖c‖².
/// assert_eq!(noise_scale(3.0, 10.0, 3.0)?, 11.0);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for numbers that are not positive.
pub fn noise_scale(residual_variance: f64, trace: f64, squared_gradient: f64) -> Result<f64> {
    require_positive("residual-variance", residual_variance)?;
    require_positive("trace", trace)?;
    require_positive("squared-gradient", squared_gradient)?;
    Ok(1.0 + residual_variance * trace / squared_gradient)
}

/// The least noise scale that features of this covariance allow, `1 + tr Σ/λ_max`: by the inequality of Cauchy and Schwarz
/// `‖c‖² ≤ v λ_max`, whatever the weights and the signal.
///
/// # Errors
/// [`Error::Argument`] for numbers that are not positive, or a trace below the largest eigenvalue.
pub fn least_noise_scale(trace: f64, largest_eigenvalue: f64) -> Result<f64> {
    require_positive("trace", trace)?;
    require_positive("largest eigenvalue", largest_eigenvalue)?;
    if trace < largest_eigenvalue {
        return Err(Error::argument(
            "trace",
            format!("at least the largest eigenvalue {largest_eigenvalue}"),
            trace,
        ));
    }
    Ok(1.0 + trace / largest_eigenvalue)
}

/// The factor `1 + B/b` by which batches of b need more steps than batches without limit, each at its own best learning rate:
/// the law by which a critical batch size B is read off measured steps (McCandlish et al., equation 2.7).
///
/// # Errors
/// [`Error::Argument`] for a negative critical batch or a batch that is not positive.
pub fn steps_factor(critical_batch: f64, batch: f64) -> Result<f64> {
    require_nonnegative("critical batch", critical_batch)?;
    require_positive("batch", batch)?;
    Ok(1.0 + critical_batch / batch)
}

/// The bracket `2 − η(1 + (d+1)/b)`: positive exactly where constant steps on isotropic features of variance 1 are stable in
/// the mean square. From `e' = (I − ηH)e + η·noise`, H the second-moment matrix of the batch, with `E H = I` and
/// `E H² = (1 + (d+1)/b) I`, the mean of `‖e‖²` is multiplied by `1 − η·bracket` a step.
///
/// # Errors
/// [`Error::Argument`] for a step that is not positive, no samples or no weights.
pub fn stability(step: f64, batch: u64, weights: u64) -> Result<f64> {
    require_positive("step", step)?;
    require_positive("batch", batch as f64)?;
    require_positive("weights", weights as f64)?;
    Ok(2.0 - step * (1.0 + (weights as f64 + 1.0) / batch as f64))
}

/// The step at which stability ends, `2/(1 + (d+1)/b)`.
///
/// # Errors
/// As [`stability`].
pub fn largest_step(batch: u64, weights: u64) -> Result<f64> {
    Ok(2.0 / (2.0 - stability(1.0, batch, weights)?))
}

/// The mean of `‖e‖²` after `steps` steps from a start at squared distance `initial`: exact, stable or not.
///
/// With the factor `a = 1 − η(2 − η(1 + (d+1)/b))` a step and the noise `η²vd/b` added each time it is
/// `aᵗ·initial + η²vd/b·(1 + a + … + aᵗ⁻¹)`.
///
/// # Errors
/// [`Error::Argument`] as [`stability`], and for a negative variance or start.
pub fn mean_squared_error(
    step: f64,
    batch: u64,
    noise_variance: f64,
    weights: u64,
    initial: f64,
    steps: u64,
) -> Result<f64> {
    require_nonnegative("noise-variance", noise_variance)?;
    require_nonnegative("initial", initial)?;
    let bracket = stability(step, batch, weights)?;
    let added = step * step * noise_variance * weights as f64 / batch as f64;
    let factor = 1.0 - step * bracket;
    let power = factor.powf(steps as f64);
    let geometric = if bracket == 0.0 {
        steps as f64
    } else {
        (1.0 - power) / (step * bracket)
    };
    Ok(power * initial + added * geometric)
}

/// Where `E‖e‖²` comes to rest, `ηvd/(b(2 − η(1 + (d+1)/b)))`; infinite where the steps are not stable.
///
/// Fewer weights d rest nearer to their optimum; pruned signal joins the noise v and takes them away from it.
///
/// ```
/// use ticketsense::theory::gradient_noise::stationary_error;
/// assert_eq!(stationary_error(0.5, 1, 4.0, 1)?, 4.0);
/// assert_eq!(stationary_error(0.5, 1, 4.0, 2)?, f64::INFINITY);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] as [`stability`], and for a negative variance.
pub fn stationary_error(step: f64, batch: u64, noise_variance: f64, weights: u64) -> Result<f64> {
    require_nonnegative("noise-variance", noise_variance)?;
    let bracket = stability(step, batch, weights)?;
    Ok(match bracket > 0.0 {
        true => step * noise_variance * weights as f64 / (batch as f64 * bracket),
        false if noise_variance == 0.0 => f64::NAN,
        false => f64::INFINITY,
    })
}

/// [`stationary_error`] for Gaussian features of any covariance, by its eigenvalues λ: with `K = Σ (η/b)λᵢ/(2 − ηλᵢ(1 + 1/b))`
/// it is `(η/b)·v/(1 − K)·Σ 1/(2 − ηλᵢ(1 + 1/b))`, stable while `K < 1` and every denominator is positive.
///
/// In the eigenbasis `E[x xᵀ C x xᵀ] = 2ΣCΣ + Σ tr(ΣC)` couples the mean squares of the coordinates through their weighted
/// sum alone. Cost: one division an eigenvalue.
///
/// # Errors
/// [`Error::Argument`] for a step, batch or eigenvalue that is not positive, no eigenvalue, or a negative variance;
/// [`Error::NotFinite`].
pub fn stationary_error_of_spectrum(step: f64, batch: u64, noise_variance: f64, eigenvalues: &[f64]) -> Result<f64> {
    require_positive("step", step)?;
    require_positive("batch", batch as f64)?;
    require_nonnegative("noise-variance", noise_variance)?;
    require_positive("eigenvalues", eigenvalues.len() as f64)?;
    require_finite("eigenvalues", eigenvalues)?;
    let batch = batch as f64;
    let (mut coupling, mut sum) = (0.0, 0.0);
    for &eigenvalue in eigenvalues {
        require_positive("eigenvalue", eigenvalue)?;
        let denominator = 2.0 - step * eigenvalue * (1.0 + 1.0 / batch);
        if denominator <= 0.0 {
            return Ok(f64::INFINITY);
        }
        coupling += step / batch * eigenvalue / denominator;
        sum += denominator.recip();
    }
    Ok(match coupling < 1.0 {
        true => step / batch * noise_variance / (1.0 - coupling) * sum,
        false => f64::INFINITY,
    })
}

fn evaluate_scale(arguments: &Arguments) -> Result<Vec<Quantity>> {
    let scale = noise_scale(
        arguments.real("residual-variance")?,
        arguments.real("trace")?,
        arguments.real("squared-gradient")?,
    )?;
    let factor = steps_factor(scale, arguments.integer("batch")? as f64)?;
    Ok(vec![
        Quantity::real("value", scale, "simple noise scale, in samples"),
        Quantity::real("steps_factor", factor, "steps of that batch over the fewest possible"),
        Quantity::real(
            "step_efficiency",
            1.0 / factor,
            "progress of a step over that of a step without noise",
        ),
    ])
}

fn evaluate_error(arguments: &Arguments) -> Result<Vec<Quantity>> {
    let (step, batch) = (arguments.real("step")?, arguments.integer("batch")?);
    let weights = arguments.integer("weights")?;
    let error = stationary_error(step, batch, arguments.real("noise-variance")?, weights)?;
    let bracket = stability(step, batch, weights)?;
    Ok(vec![
        Quantity::real("value", error, "mean squared distance from the optimum at rest"),
        Quantity::real("stability", bracket, "the bracket; stable while positive"),
        Quantity::real(
            "largest_stable_step",
            largest_step(batch, weights)?,
            "step from which the mean square grows",
        ),
        Quantity::real(
            "factor",
            1.0 - step * bracket,
            "factor on the distance of the mean square from rest per step",
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;
    use proptest::prelude::*;
    use rand::RngExt;
    use rand_distr::StandardNormal;

    /// `E ‖x‖² r²` and `E x r` summed over all outcomes of a three-point variable that has the moments of a Gaussian up to
    /// the fifth (0 with weight 2/3, ±√3 with weight 1/6): products of four are exact.
    fn by_quadrature(mix: &[[f64; 4]; 3], residual: &[f64; 4]) -> (f64, f64) {
        let (mut square, mut mean) = (0.0, [0.0; 3]);
        for outcome in 0..81usize {
            let mut weight = 1.0;
            let mut z = [0.0; 4];
            for (k, z) in z.iter_mut().enumerate() {
                let digit = outcome / 3usize.pow(k as u32) % 3;
                weight *= [2.0 / 3.0, 1.0 / 6.0, 1.0 / 6.0][digit];
                *z = [0.0, 3f64.sqrt(), -(3f64.sqrt())][digit];
            }
            let of = |row: &[f64; 4]| row.iter().zip(&z).map(|(a, z)| a * z).sum::<f64>();
            let r = of(residual);
            for (mean, row) in mean.iter_mut().zip(mix) {
                let x = of(row);
                *mean += weight * x * r;
                square += weight * x * x * r * r;
            }
        }
        (square, mean.iter().map(|m| m * m).sum())
    }

    #[test]
    fn the_noise_scale_of_correlated_features_is_that_of_their_exact_fourth_moments() {
        let mix = [[1.0, 0.5, 0.0, -0.25], [0.75, 1.0, 0.5, 0.0], [0.0, -1.0, 2.0, 0.5]];
        let residual = [0.5, -1.5, 0.25, 1.0];
        let (square, squared_gradient) = by_quadrature(&mix, &residual);
        let variance: f64 = residual.iter().map(|a| a * a).sum();
        let trace: f64 = mix.iter().flatten().map(|a| a * a).sum();
        let found = noise_scale(variance, trace, squared_gradient).unwrap();
        // Sums of 81 products of numbers of order ten.
        assert!((found / ((square - squared_gradient) / squared_gradient) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_rest_of_a_spectrum_is_the_fixed_point_of_its_second_moments() {
        let eigenvalues = [2.0, 1.0, 0.5, 0.1];
        let (step, batch, variance) = (0.2, 3.0, 1.5);
        let mut squares = [1.0; 4];
        for _ in 0..4000 {
            let coupled: f64 = squares.iter().zip(&eigenvalues).map(|(c, l)| c * l).sum();
            for (c, l) in squares.iter_mut().zip(&eigenvalues) {
                *c += -2.0 * step * l * *c
                    + step * step * ((1.0 + 1.0 / batch) * l * l * *c + l * (coupled + variance) / batch);
            }
        }
        let found = stationary_error_of_spectrum(step, 3, variance, &eigenvalues).unwrap();
        // The slowest factor, 0.96, to the 4000th is nothing; each step rounds a few times, forgotten after 25.
        assert!((found / squares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!(
            stationary_error_of_spectrum(1.0, 1, 1.0, &[1.0, 1.0]).unwrap(),
            f64::INFINITY
        );
    }

    #[test]
    fn simulated_descent_comes_to_rest_where_the_closed_form_says() {
        let (step, batch, variance, weights) = (0.15, 2, 0.5, 4);
        let rest = stationary_error(step, batch, variance, weights).unwrap();
        let mut rng = Seed::root(5).stream("stationary-error").rng();
        let (mut squares, mut fourth, chains) = (0.0, 0.0, 4000);
        for _ in 0..chains {
            let mut e = [0.0f64; 4];
            // The start is forgotten: the factor 0.78 to the 60th is 3e-7, far below a standard error of one per cent.
            for _ in 0..60 {
                let mut gradient = [0.0; 4];
                for _ in 0..batch {
                    let x: [f64; 4] = std::array::from_fn(|_| rng.sample(StandardNormal));
                    let noise: f64 = rng.sample(StandardNormal);
                    let residual = x.iter().zip(&e).map(|(x, e)| x * e).sum::<f64>() - variance.sqrt() * noise;
                    gradient
                        .iter_mut()
                        .zip(&x)
                        .for_each(|(g, x)| *g += x * residual / batch as f64);
                }
                e.iter_mut().zip(&gradient).for_each(|(e, g)| *e -= step * g);
            }
            let square: f64 = e.iter().map(|e| e * e).sum();
            squares += square / chains as f64;
            fourth += square * square / chains as f64;
        }
        // Four standard errors: 6e-5 under the law, and the seed is fixed.
        let error = ((fourth - squares * squares) / chains as f64).sqrt();
        assert!((squares - rest).abs() < 4.0 * error, "{squares} ± {error}, {rest}");
        assert!(error < 0.03 * rest);
    }

    #[test]
    fn beyond_the_largest_step_the_mean_square_grows_without_end() {
        let largest = largest_step(4, 10).unwrap();
        assert!(stability(0.999 * largest, 4, 10).unwrap() > 0.0);
        let beyond = 1.01 * largest;
        assert_eq!(stationary_error(beyond, 4, 1.0, 10).unwrap(), f64::INFINITY);
        let after = |steps| mean_squared_error(beyond, 4, 1.0, 10, 0.0, steps).unwrap();
        assert!(after(10_000) > 1e6 * after(100));
        // At the bound itself the noise adds up: a step adds the same for ever.
        let at = |steps| mean_squared_error(0.5, 1, 2.0, 2, 1.0, steps).unwrap();
        assert_eq!((at(0), at(10)), (1.0, 11.0));
        for refused in [
            stationary_error(0.0, 1, 1.0, 1),
            stationary_error(0.1, 0, 1.0, 1),
            stationary_error(0.1, 1, -1.0, 1),
            noise_scale(1.0, 0.0, 1.0),
            least_noise_scale(1.0, 2.0),
            steps_factor(1.0, 0.0),
            stationary_error_of_spectrum(0.1, 1, 1.0, &[]),
        ] {
            assert!(matches!(refused, Err(Error::Argument { .. })), "{refused:?}");
        }
    }

    proptest! {
        #[test]
        fn a_flat_spectrum_rests_as_the_isotropic_form_says(
            share in 0.01..0.95f64, batch in 1u64..100, weights in 1u64..60, variance in 0.01..10.0f64,
        ) {
            let step = share * largest_step(batch, weights).unwrap();
            let flat = vec![1.0; weights as usize];
            let by_spectrum = stationary_error_of_spectrum(step, batch, variance, &flat).unwrap();
            let isotropic = stationary_error(step, batch, variance, weights).unwrap();
            // Sums of at most 60 terms, divided by 1 − K, which is at least a twentieth of the terms it comes from.
            prop_assert!((by_spectrum / isotropic - 1.0).abs() < 1e-10);
            // The recursion comes to rest there.
            let late = mean_squared_error(step, batch, variance, weights, isotropic, 1000).unwrap();
            prop_assert!((late / isotropic - 1.0).abs() < 1e-10);
        }
    }
}
