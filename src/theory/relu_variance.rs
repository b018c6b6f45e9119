//! The variance of pre-activations through a deep sparse ReLU network, in the mean and around it.
//!
//! Weights `w_ij = m_ij v_ij` with `v_ij ~ N(0, σ_w²/N)`, N the *dense* fan-in, `m_ij ~ Bernoulli(ρ)`, no bias. (With
//! the variance scaled by the sparse fan-in instead, the density drops out and the critical σ_w² is 2 at every density.)

use super::registry::{Argument, Arguments, ClosedForm, Domain, Quantity};
use super::{require_fraction, require_nonnegative, require_positive};
use crate::error::Result;

/// The closed form `relu-variance`.
pub static FORM: ClosedForm = ClosedForm {
    name: "relu-variance",
    summary: "Mean pre-activation variance after layers of a randomly pruned ReLU network.",
    arguments: &[
        Argument::required("density", "fraction of the weights kept", "1", Domain::FRACTION),
        Argument::required(
            "weight-variance",
            "weight variance times the dense fan-in",
            "1",
            Domain::NONNEGATIVE,
        ),
        Argument::required("depth", "layers", "layers", Domain::STEPS),
        Argument::optional(
            "initial",
            "variance at depth 0",
            "variance",
            Domain::NONNEGATIVE,
            Some("1"),
        ),
        Argument::optional(
            "width",
            "units of a layer, for the fluctuations around the mean",
            "units",
            Domain::COUNT,
            None,
        ),
    ],
    formula: "E q_L = (d s/2)^L q_0; critical d s = 2",
    source: "He et al. 2015, arXiv:1502.01852; Poole et al. 2016, arXiv:1606.05340; Hayou et al., arXiv:2002.08797",
    claims: &["F6"],
    evaluate,
};

/// The factor `ρσ_w²/2` by which the mean variance changes per layer, at every width; also that of the backward pass
/// with the fan-out.
///
/// # Errors
/// [`crate::Error::Argument`] for a density outside `[0, 1]` or a negative variance.
pub fn layer_factor(density: f64, weight_variance: f64) -> Result<f64> {
    require_fraction("density", density)?;
    require_nonnegative("weight-variance", weight_variance)?;
    Ok(0.5 * density * weight_variance)
}

/// The mean variance at a depth, `(ρσ_w²/2)^L q₀`.
///
/// ```
/// use ticketsense::theory::relu_variance::mean_variance;
/// assert_eq!(mean_variance(0.5, 4.0, 100, 3.0)?, 3.0);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`crate::Error::Argument`] as [`layer_factor`], and for a negative initial variance.
pub fn mean_variance(density: f64, weight_variance: f64, depth: u64, initial: f64) -> Result<f64> {
    mean_variance_with_bias(density, weight_variance, 0.0, depth, initial)
}

/// The mean variance at a depth with biases of variance σ_b²: `a^L q₀ + σ_b² (1 + a + … + a^{L−1})`, `a = ρσ_w²/2`.
///
/// # Errors
/// [`crate::Error::Argument`] as [`mean_variance`], and for a negative bias variance.
pub fn mean_variance_with_bias(
    density: f64,
    weight_variance: f64,
    bias_variance: f64,
    depth: u64,
    initial: f64,
) -> Result<f64> {
    let factor = layer_factor(density, weight_variance)?;
    require_nonnegative("bias-variance", bias_variance)?;
    require_nonnegative("initial", initial)?;
    let depth = depth as f64;
    let carried = if initial == 0.0 {
        0.0
    } else {
        factor.powf(depth) * initial
    };
    if bias_variance == 0.0 {
        return Ok(carried);
    }
    // (a^L − 1)/(a − 1) with both differences taken without cancellation; a − 1 itself is exact near 1.
    let geometric = match factor {
        1.0 => depth,
        0.0 => depth.min(1.0),
        a => (depth * (a - 1.0).ln_1p()).exp_m1() / (a - 1.0),
    };
    Ok(carried + bias_variance * geometric)
}

/// The mean logarithm of the factor on the length of a dense layer, `E ln(q^{ℓ+1}/q^ℓ)` at a width N, exact: what a typical network
/// does, less than `ln(σ_w²/2)` by `5/(2N)` to leading order.
///
/// Given the layer before, its pre-activations are N independent normal numbers; B of them, a binomial number, are positive, and the
/// sum of their squares is χ² with B degrees of freedom. So the factor is `2χ²_B/N` times `σ_w²/2`, and
/// `E ln χ²_B = ψ(B/2) + ln 2`. Layers in which all are negative, a share 2^{−N}, are left out. Cost: N steps.
///
/// ```
/// use ticketsense::theory::relu_variance::typical_growth;
/// // −5/(2N), and a next term near −4.1/N².
/// assert!((typical_growth(100, 2.0)? + 2.5 / 100.0).abs() < 5e-4);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`crate::Error::Argument`] for no units, or a weight variance that is not positive and finite.
pub fn typical_growth(width: u64, weight_variance: f64) -> Result<f64> {
    require_positive("width", width as f64)?;
    require_positive("weight-variance", weight_variance)?;
    const EULER: f64 = 0.577_215_664_901_532_9;
    let n = width as f64;
    // ψ(1/2) and ψ(1), then ψ(x + 1) = ψ(x) + 1/x.
    let mut digamma = [-EULER, -EULER - 2.0 * std::f64::consts::LN_2];
    let (mut sum, mut weight) = (0.0, 0.0);
    for active in 1..=width {
        let half = 0.5 * active as f64;
        let place = (active % 2) as usize;
        if active > 2 {
            digamma[place] += (half - 1.0).recip();
        }
        let probability = (super::special::ln_choose(width, active) - n * std::f64::consts::LN_2).exp();
        sum += probability * digamma[place];
        weight += probability;
    }
    Ok(sum / weight + (4.0 / n).ln() + (0.5 * weight_variance).ln())
}

/// How a random network's variance scatters about the mean, relative to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fluctuation {
    /// `E[v²]/(E v)²`, where v is the variance of a pre-activation of that layer given the layers before it (averaged
    /// over the units of the layer).
    pub second_moment: f64,
    /// `E[q²]/(E q)²`, where `q = (1/N) Σᵢ hᵢ²` is the variance measured over the units of that layer.
    pub measured_second_moment: f64,
}

impl Fluctuation {
    /// The relative standard deviation of the measured variance, `√(E[q²]/(E q)² − 1)`.
    pub fn relative_deviation(&self) -> f64 {
        (self.measured_second_moment - 1.0).max(0.0).sqrt()
    }
}

/// The exact relative second moments of the variance after `depth` masked layers of `width` units, without bias, from
/// pre-activations at depth 0 that are independent `N(0, q₀)`.
///
/// Given the activations, a pre-activation is a mixture of normals over its mask row, so the mean square `Q` and the mean
/// fourth power `M` of the activations have a closed linear recursion. With `a = E Q²/(E Q)²`, `m = E M/(E Q)²`:
///
/// > m' = 6a + 6(1−ρ)/(ρN)·m,  a' = (1 − 1/N)a + m'/N,  from a = 1 + 5/N, m = 6.
///
/// At density 1 this is the known `(1 + 5/N)^L`; a mask adds `36(1−ρ)/(ρN²)` per layer to leading order. The law is
/// heavy-tailed: the median is nearer to the mean divided by the root of the second moment. Cost: `depth` steps.
///
/// # Errors
/// [`crate::Error::Argument`] for a density outside `(0, 1]` or no units.
pub fn fluctuation(density: f64, width: u64, depth: u64) -> Result<Fluctuation> {
    require_fraction("density", density)?;
    require_positive("density", density)?;
    require_positive("width", width as f64)?;
    let width = width as f64;
    let mask = (1.0 - density) / (density * width);
    if depth == 0 {
        return Ok(Fluctuation {
            second_moment: 1.0,
            measured_second_moment: 1.0 + 2.0 / width,
        });
    }
    let (mut square, mut fourth) = (1.0 + 5.0 / width, 6.0);
    for _ in 1..depth {
        fourth = 6.0 * square + 6.0 * mask * fourth;
        square = (1.0 - 1.0 / width) * square + fourth / width;
    }
    Ok(Fluctuation {
        second_moment: square,
        // E h⁴ = 3 E[(ρσ²Q)² + the variance over mask rows].
        measured_second_moment: (1.0 - 1.0 / width) * square + 3.0 / width * (square + mask * fourth),
    })
}

fn evaluate(arguments: &Arguments) -> Result<Vec<Quantity>> {
    let density = arguments.real("density")?;
    let variance = arguments.real("weight-variance")?;
    let depth = arguments.integer("depth")?;
    let factor = layer_factor(density, variance)?;
    let value = mean_variance(density, variance, depth, arguments.real("initial")?)?;
    let regime = match factor {
        f if f < 1.0 => "vanishing",
        f if f > 1.0 => "exploding",
        _ => "critical",
    };
    let critical_density = if variance >= 2.0 { 2.0 / variance } else { f64::NAN };
    let mut answer = vec![
        Quantity::real("value", value, "mean variance at that depth"),
        Quantity::real("layer_factor", factor, "factor on the mean variance per layer"),
        Quantity::text("regime", regime, "what the mean variance does with depth"),
        Quantity::real(
            "critical_weight_variance",
            2.0 / density,
            "weight variance times fan-in that keeps it",
        ),
        Quantity::real(
            "critical_density",
            critical_density,
            "density that keeps it; none where none does",
        ),
    ];
    if let Some(width) = arguments.optional_integer("width") {
        let moments = match density > 0.0 {
            true => fluctuation(density, width, depth)?,
            false => Fluctuation {
                second_moment: f64::NAN,
                measured_second_moment: f64::NAN,
            },
        };
        answer.extend([
            Quantity::real(
                "relative_second_moment",
                moments.second_moment,
                "E v^2/(E v)^2 of the conditional variance",
            ),
            Quantity::real(
                "measured_second_moment",
                moments.measured_second_moment,
                "E q^2/(E q)^2 of the variance measured over the units",
            ),
            Quantity::real(
                "relative_standard_deviation",
                (moments.measured_second_moment - 1.0).sqrt(),
                "standard deviation of the measured variance over its mean",
            ),
            Quantity::real(
                "typical_value",
                value / moments.second_moment.sqrt(),
                "log-normal estimate of the median variance",
            ),
        ]);
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;
    use crate::error::Error;
    use proptest::prelude::*;
    use rand::RngExt;
    use rand_distr::{Distribution, StandardNormal};

    #[test]
    fn the_typical_growth_is_that_of_a_single_unit_and_has_the_known_expansion() {
        // One unit: ln of twice a squared normal number, E ln z² = ψ(1/2) + ln 2.
        let one = -0.577_215_664_901_532_9 - 2.0 * std::f64::consts::LN_2 + 2.0f64.ln() + 2.0f64.ln();
        assert!((typical_growth(1, 2.0).unwrap() - one).abs() < 1e-14);
        // −5/(2N) and a term of order 1/N², seen at two widths.
        let rest = |n: u64| (typical_growth(n, 2.0).unwrap() + 2.5 / n as f64) * (n * n) as f64;
        assert!(
            (rest(400) / rest(800) - 1.0).abs() < 0.02,
            "{} {}",
            rest(400),
            rest(800)
        );
        let moved = typical_growth(50, 3.0).unwrap() - typical_growth(50, 2.0).unwrap();
        assert!((moved - 1.5f64.ln()).abs() < 1e-14);
        assert!(typical_growth(0, 2.0).is_err() && typical_growth(5, 0.0).is_err());
    }

    #[test]
    fn the_critical_point_is_two_over_the_density() {
        for density in [1.0, 0.5, 0.125] {
            assert_eq!(mean_variance(density, 2.0 / density, 1000, 1.0).unwrap(), 1.0);
            // Forgetting the ReLU's one half, 1/ρ would be critical.
            assert_eq!(
                mean_variance(density, 1.0 / density, 10, 1.0).unwrap(),
                0.5_f64.powi(10)
            );
        }
    }

    #[test]
    fn a_bias_adds_a_geometric_series() {
        let iterated = (0..30).fold(2.0, |q, _| 0.5 * 0.8 * 3.0 * q + 0.1);
        assert!((mean_variance_with_bias(0.8, 3.0, 0.1, 30, 2.0).unwrap() / iterated - 1.0).abs() < 1e-13);
        assert_eq!(mean_variance_with_bias(1.0, 2.0, 0.1, 10, 2.0).unwrap(), 3.0);
        assert_eq!(mean_variance_with_bias(0.0, 2.0, 0.1, 10, 2.0).unwrap(), 0.1);
        assert_eq!(mean_variance_with_bias(0.0, 2.0, 0.1, 0, 2.0).unwrap(), 2.0);
    }

    #[test]
    fn dense_fluctuations_grow_by_one_plus_five_over_the_width() {
        for depth in [0, 1, 7, 50] {
            let exact = (1.0_f64 + 5.0 / 64.0).powi(depth);
            let got = fluctuation(1.0, 64, depth as u64).unwrap();
            assert!((got.second_moment / exact - 1.0).abs() < 1e-14 * (1.0 + depth as f64));
            // Measured over 64 normal units there is a further factor 1 + 2/64.
            assert!(
                (got.measured_second_moment / exact / (1.0 + 2.0 / 64.0) - 1.0).abs() < 1e-14 * (1.0 + depth as f64)
            );
        }
    }

    #[test]
    fn a_mask_adds_thirty_six_times_the_odds_over_the_width_squared() {
        let (density, width) = (0.1, 10_000_u64);
        let n = width as f64;
        let per_layer = fluctuation(density, width, 12).unwrap().second_moment
            / fluctuation(density, width, 11).unwrap().second_moment
            - 1.0;
        let leading = 5.0 / n + 36.0 * (1.0 - density) / (density * n * n);
        // The next terms: 5·36·odds/N³ and (6·odds)²·6/N³, here 2e-8·9… of the leading ones.
        let odds = (1.0 - density) / density;
        let next = 6.0 * (36.0 * odds * odds + 30.0 * odds) / n.powi(3);
        assert!(
            (per_layer - leading).abs() < 2.0 * next,
            "{per_layer:e} {leading:e} {next:e}"
        );
    }

    #[test]
    fn two_masked_layers_of_eight_units_have_the_simulated_moments() {
        // A direct simulation of the definition at a width where the mask matters.
        let (density, variance, width, trials) = (0.5, 3.0, 8_usize, 200_000);
        let mut rng = Seed::root(0).stream("masked relu").rng();
        let normal = |rng: &mut rand_chacha::ChaCha8Rng| -> f64 { StandardNormal.sample(rng) };
        let (mut sum, mut squares, mut fourths) = (0.0, 0.0, 0.0);
        for _ in 0..trials {
            let mut h: Vec<f64> = (0..width).map(|_| normal(&mut rng)).collect();
            for _ in 0..2 {
                let previous = h.clone();
                for unit in &mut h {
                    *unit = 0.0;
                    for &activation in &previous {
                        let kept = rng.random::<f64>() < density;
                        let weight = normal(&mut rng) * (variance / width as f64).sqrt();
                        if kept && activation > 0.0 {
                            *unit += weight * activation;
                        }
                    }
                }
            }
            let q = h.iter().map(|x| x * x).sum::<f64>() / width as f64;
            sum += q;
            squares += q * q;
            fourths += q.powi(4);
        }
        let count = trials as f64;
        let (mean, second) = (sum / count, squares / count);
        let exact_mean = mean_variance(density, variance, 2, 1.0).unwrap();
        let exact = fluctuation(density, width as u64, 2).unwrap().measured_second_moment * exact_mean * exact_mean;
        // Five standard errors, each estimated from the next moments of the same sample.
        let mean_error = ((second - mean * mean) / count).sqrt();
        let second_error = ((fourths / count - second * second) / count).sqrt();
        assert!(
            (mean - exact_mean).abs() < 5.0 * mean_error,
            "{mean} {exact_mean} ± {mean_error}"
        );
        assert!(
            (second - exact).abs() < 5.0 * second_error,
            "{second} {exact} ± {second_error}"
        );
        // The power of this check: the dense law (1 + 5/8)² (1 + 2/8) lies more than ten standard errors away.
        let dense = fluctuation(1.0, width as u64, 2).unwrap().measured_second_moment * exact_mean * exact_mean;
        assert!((second - dense).abs() > 10.0 * second_error);
    }

    #[test]
    fn arguments_outside_their_domain_are_refused() {
        assert!(matches!(mean_variance(1.1, 2.0, 1, 1.0), Err(Error::Argument { .. })));
        assert!(mean_variance(0.5, -2.0, 1, 1.0).is_err());
        assert!(fluctuation(0.0, 10, 1).is_err());
        assert!(fluctuation(0.5, 0, 1).is_err());
    }

    proptest! {
        #[test]
        fn the_law_is_the_iterated_map(
            density in 0.01_f64..1.0, variance in 0.1_f64..10.0, depth in 0_u64..60, initial in 0.0_f64..10.0,
        ) {
            let iterated = (0..depth).fold(initial, |q, _| density * variance / 2.0 * q);
            let closed = mean_variance(density, variance, depth, initial).unwrap();
            prop_assert!((closed - iterated).abs() <= 1e-14 * (1.0 + depth as f64) * iterated.abs() + 1e-290);
        }
    }
}
