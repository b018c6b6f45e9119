//! What is left of the width: the first term beyond the limit of wide layers, for lengths.
//!
//! Given a layer, a pre-activation of the next one is normal with the variance `K_i = (σ_w²/N) Σ_j m_ij φ(h_j)² + σ_b²`. It scatters
//! twice: from network to network, with the mean `K` over the units, and from unit to unit, with the mask. To first order in 1/N
//!
//! ```text
//! network   v′ = F′(q)² v + s² (E φ⁴ − V²)
//! unit      u′ = s² (1/ρ − 1) E φ⁴
//! mean      b′ = F′(q) b + ½ F″(q) (v + u)           with F(q) = s V(q) + σ_b²
//! ```
//!
//! so that `E q^ℓ = q^ℓ(∞) + b/N + O(1/N²)`, from `b = v = u = 0` at a Gaussian input. For linear and ReLU layers F″ is 0, and the
//! map is exact at every width; for bounded functions F is concave, and narrow networks are shorter than wide ones.

use super::quadrature::mean;
use super::{MeanField, Nonlinearity};
use crate::error::{Error, Result};
use crate::theory::special::{normal_central_probability, normal_density, normal_probability};

/// Terms of a layer's length that fall as one over the width, each times the width.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WidthCorrection {
    /// b: what the mean length has beyond that of infinite width.
    pub mean: f64,
    /// v: the variance of the mean variance over networks.
    pub network_variance: f64,
    /// u: the variance over the units of one network, which see different masks.
    pub unit_variance: f64,
}

impl WidthCorrection {
    /// How large the neglected terms may be at a width: squares of the relative sizes of the first ones, in units of the length.
    pub fn neglected(&self, width: usize, length: f64) -> f64 {
        let n = width as f64;
        let scatter = (self.network_variance + self.unit_variance) / (n * length * length);
        let shift = self.mean / (n * length);
        length * (scatter * scatter + shift * shift)
    }
}

impl Nonlinearity {
    /// `E φ(√q z)⁴`.
    pub fn fourth_moment(self, q: f64) -> f64 {
        match self {
            Nonlinearity::Linear => 3.0 * q * q,
            Nonlinearity::Relu => 1.5 * q * q,
            Nonlinearity::HardTanh if q > 0.0 => {
                // E[z⁴; |z| < a] = 3P(|z| < a) − 2𝜑(a)(a³ + 3a).
                let a = q.sqrt().recip();
                let inner = 3.0 * normal_central_probability(a) - 2.0 * normal_density(a) * (a.powi(3) + 3.0 * a);
                q * q * inner + 2.0 * normal_probability(-a)
            }
            Nonlinearity::HardTanh => 0.0,
            Nonlinearity::Tanh | Nonlinearity::Erf | Nonlinearity::Gelu => mean(|z| self.value(q.sqrt() * z).powi(4)),
        }
    }

    /// `V″(q)` for a positive q: of normal means, `E[φ(√q z)² (z⁴ − 6z² + 3)]/(4q²)`.
    pub fn second_moment_curvature(self, q: f64) -> f64 {
        match self {
            Nonlinearity::Linear | Nonlinearity::Relu => 0.0,
            // d/dq of E[z²; |z| < q^{−1/2}].
            Nonlinearity::HardTanh => {
                let a = q.sqrt().recip();
                -a.powi(5) * normal_density(a)
            }
            Nonlinearity::Tanh | Nonlinearity::Erf | Nonlinearity::Gelu => {
                let hermite = |z: f64| (z * z - 6.0) * z * z + 3.0;
                mean(|z| self.value(q.sqrt() * z).powi(2) * hermite(z)) / (4.0 * q * q)
            }
        }
    }
}

impl MeanField {
    /// The corrections at depths 0 to `depth`, from independent normal pre-activations of variance `initial`, with the variance of
    /// a weight divided by the dense fan-in.
    ///
    /// ```
    /// use ticketsense::theory::mean_field::{MeanField, Nonlinearity};
    /// let network = |density| MeanField {
    ///     nonlinearity: Nonlinearity::Tanh, density, weight_variance: 2.0 / density, bias_variance: 0.05,
    /// };
    /// let dense = network(1.0).width_corrections(1.0, 4)?;
    /// let masked = network(0.05).width_corrections(1.0, 4)?;
    /// // Shorter than in the limit, and far more so when each unit keeps one input in twenty.
    /// assert!(dense[4].mean < 0.0 && masked[4].mean < 5.0 * dense[4].mean);
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Argument`] as [`MeanField::variances`], for a density of 0 or an initial variance of 0; [`Error::Numerical`] where the
    /// variances leave the doubles or vanish. Cost: four Gaussian means a layer.
    pub fn width_corrections(&self, initial: f64, depth: usize) -> Result<Vec<WidthCorrection>> {
        super::super::require_positive("density", self.density)?;
        super::super::require_positive("initial", initial)?;
        let lengths = self.variances(initial, depth)?;
        if lengths.diverged || lengths.values.contains(&0.0) {
            let why = "the variance overflows or vanishes on the way";
            return Err(Error::numerical("corrections for the width", why));
        }
        let s = self.scale();
        let mut found = vec![WidthCorrection::default()];
        let mut now = found[0];
        for &q in &lengths.values[..depth] {
            let (slope, fourth) = (self.variance_slope(q), self.nonlinearity.fourth_moment(q));
            let scatter = now.network_variance + now.unit_variance;
            let curvature = s * self.nonlinearity.second_moment_curvature(q);
            now = WidthCorrection {
                mean: slope * now.mean + 0.5 * curvature * scatter,
                network_variance: slope * slope * now.network_variance
                    + s * s * (fourth - self.nonlinearity.second_moment(q).powi(2)),
                unit_variance: s * s * (1.0 / self.density - 1.0) * fourth,
            };
            found.push(now);
        }
        Ok(found)
    }

    /// The map of correlations when each of the two inputs meets a mask of its own, as with dropout:
    /// `c ↦ (ρ s E φ(u)φ(v) + σ_b²)/(s V(q) + σ_b²)`. At c = 1 it is below 1 wherever weights are dropped: two copies of one
    /// input part.
    ///
    /// # Errors
    /// As [`MeanField::next_correlation`].
    pub fn next_redrawn_correlation(&self, q: f64, c: f64) -> Result<f64> {
        // Checks the arguments, and is the value at density 1.
        let fixed = self.next_correlation(q, c)?;
        let next = self.next_variance(q);
        let bias = self.bias_variance / next;
        Ok(self.density * (fixed - bias) + bias)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theory::relu_variance::fluctuation;

    const CURVED: [Nonlinearity; 4] = [
        Nonlinearity::Tanh,
        Nonlinearity::Erf,
        Nonlinearity::Gelu,
        Nonlinearity::HardTanh,
    ];

    #[test]
    fn the_curvature_is_the_difference_of_the_slopes() {
        for phi in CURVED {
            for q in [0.2, 1.0, 3.0] {
                // Fourth-order central difference: wrong by h⁴/30 of a fifth derivative of order 1 in ln q, and by ε/h.
                let h = 5e-3 * q;
                let slope = |k: f64| phi.second_moment_slope(q + k * h);
                let expected = (8.0 * (slope(1.0) - slope(-1.0)) - (slope(2.0) - slope(-2.0))) / (12.0 * h);
                let found = phi.second_moment_curvature(q);
                assert!(
                    (found - expected).abs() < 1e-8 * (1.0 + expected.abs()) / (q * q),
                    "{phi} {q}: {found} {expected}"
                );
            }
        }
    }

    #[test]
    fn fourth_moments_are_those_of_a_plain_rule() {
        for phi in Nonlinearity::ALL {
            for q in [0.05, 1.0, 20.0] {
                // Midpoints of 200,000 cells: exact to 1e-9 of a function with kinks.
                let cells = 200_000;
                let sum: f64 = (0..cells)
                    .map(|i| -10.0 + 20.0 * (f64::from(i) + 0.5) / f64::from(cells))
                    .map(|z| phi.value(f64::sqrt(q) * z).powi(4) * normal_density(z))
                    .sum();
                let expected = sum * 20.0 / f64::from(cells);
                let found = phi.fourth_moment(q);
                assert!((found / expected - 1.0).abs() < 1e-8, "{phi} {q}: {found} {expected}");
            }
        }
        assert_eq!(Nonlinearity::HardTanh.fourth_moment(0.0), 0.0);
    }

    #[test]
    fn relu_networks_scatter_as_their_exact_second_moments_say() {
        let (density, depth, width) = (0.25, 5, 1_000_000u64);
        let model = MeanField {
            nonlinearity: Nonlinearity::Relu,
            density,
            weight_variance: 2.0 / density,
            bias_variance: 0.0,
        };
        let found = model.width_corrections(1.0, depth).unwrap();
        assert!(found.iter().all(|c| c.mean == 0.0));
        // Critical: q = 1, and N(E K²/(E K)² − 1) is 5 a layer up to terms of relative size 1/(ρN). The first of the recursion is
        // that of the input.
        let exact = fluctuation(density, width, depth as u64).unwrap().second_moment;
        let known = found[depth].network_variance;
        let expected = (exact - 1.0) * width as f64;
        assert!((known / expected - 1.0).abs() < 1e-4, "{known} {expected}");
        assert_eq!(known, 25.0);
    }

    #[test]
    fn two_copies_part_only_where_weights_are_dropped() {
        let model = |density: f64| MeanField {
            nonlinearity: Nonlinearity::Tanh,
            density,
            weight_variance: 2.0,
            bias_variance: 0.1,
        };
        assert_eq!(model(1.0).next_redrawn_correlation(0.7, 1.0).unwrap(), 1.0);
        let half = model(0.5);
        let signal = half.next_variance(0.7) - 0.1;
        let expected = (0.5 * signal + 0.1) / (signal + 0.1);
        // A handful of roundings.
        assert!((half.next_redrawn_correlation(0.7, 1.0).unwrap() - expected).abs() < 1e-15);
        assert!(half.next_redrawn_correlation(0.7, 1.5).is_err());
    }

    #[test]
    fn networks_without_a_length_are_refused() {
        let model = MeanField {
            nonlinearity: Nonlinearity::Relu,
            density: 0.5,
            weight_variance: 1e200,
            bias_variance: 0.0,
        };
        assert!(matches!(model.width_corrections(1.0, 3), Err(Error::Numerical { .. })));
        assert!(model.width_corrections(0.0, 3).is_err());
        assert!(MeanField { density: 0.0, ..model }.width_corrections(1.0, 1).is_err());
    }
}
