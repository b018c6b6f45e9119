//! Signals in a wide random network at a density: what becomes of lengths, of angles and of gradients, layer by layer.
//!
//! Weights `w = m v` with `v ~ N(0, σ_w²/N)`, N the *dense* fan-in, and `m ~ Bernoulli(ρ)` drawn once; biases `N(0, σ_b²)`. For
//! N → ∞ pre-activations are Gaussian, and everything depends on `s = ρσ_w²`: a mask only turns σ_w into `√ρ σ_w`. (A mask that
//! is drawn anew for every input is dropout and different: two copies of one input part ways. With the variance scaled by
//! the sparse fan-in, ρ drops out.)
//!
//! ```text
//! lengths        q′ = s E φ(√q z)² + σ_b²
//! correlations   c′ = (s E φ(u)φ(v) + σ_b²)/q   for u, v of variance q and correlation c, at a fixed point q
//! gradients      χ₁ = s E φ′(√q z)²: also the slope of the map of correlations at 1
//! ```
//!
//! `χ₁ = 1` is the edge of chaos. Below it all inputs become one, above it neighbours part. How unequally a network treats
//! directions there is in [`MeanField::jacobian`]; what a mask of the largest weights does to `s` is in [`inherited_scale`].
//!
//! Sources: Poole et al. 2016 (arXiv:1606.05340); Schoenholz et al. 2017 (arXiv:1611.01232); Hayou et al. 2019
//! (arXiv:1902.06853).

mod arguments;
mod edge;
mod finite_width;
mod fixed_points;
mod inherited;
mod jacobian;
mod kernels;
mod quadrature;
#[cfg(test)]
mod tests;

pub use edge::{CriticalPoint, EDGE_FORM, edge_of_chaos, edge_point};
pub use finite_width::WidthCorrection;
pub use fixed_points::{FIXED_POINT_FORM, FixedPoint, FixedPoints, Phase};
pub use inherited::{INHERITED_FORM, inherited_scale, inherited_variance, magnitude_threshold};
pub use jacobian::{Ensemble, FiniteJacobian, JACOBIAN_FORM, JacobianMoments};
pub use kernels::Nonlinearity;

use super::{require_fraction, require_nonnegative};
use crate::error::{Error, Result};

/// A wide random network at a density, far from its inputs and outputs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanField {
    /// φ.
    pub nonlinearity: Nonlinearity,
    /// ρ: the fraction of the weights kept at random.
    pub density: f64,
    /// σ_w²: the variance of a weight times the dense fan-in.
    pub weight_variance: f64,
    /// σ_b²: the variance of a bias.
    pub bias_variance: f64,
}

/// Variances of pre-activations, layer by layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectory {
    /// From depth 0 on; as far as they are finite.
    pub values: Vec<f64>,
    /// Whether the next would be beyond all doubles.
    pub diverged: bool,
}

impl MeanField {
    /// Refuses numbers outside their ranges.
    ///
    /// # Errors
    /// [`Error::Argument`] for a density outside `[0, 1]` or a variance that is negative or not finite.
    pub fn validate(&self) -> Result<()> {
        require_fraction("density", self.density)?;
        require_nonnegative("weight-variance", self.weight_variance)?;
        require_nonnegative("bias-variance", self.bias_variance)
    }

    /// `s = ρσ_w²`.
    pub fn scale(&self) -> f64 {
        self.density * self.weight_variance
    }

    /// The map of variances, `q ↦ s V(q) + σ_b²`.
    pub fn next_variance(&self, q: f64) -> f64 {
        self.scale() * self.nonlinearity.second_moment(q) + self.bias_variance
    }

    /// Its slope, `s V′(q)`.
    pub fn variance_slope(&self, q: f64) -> f64 {
        self.scale() * self.nonlinearity.second_moment_slope(q)
    }

    /// `χ₁(q) = s E φ′(√q z)²`.
    pub fn gradient_factor(&self, q: f64) -> f64 {
        self.scale() * self.nonlinearity.slope_moment(q)
    }

    /// The variances at depths 0 to `depth`, from that at depth 0; ends early where they leave the doubles, and says so.
    ///
    /// ```
    /// use ticketsense::theory::mean_field::{MeanField, Nonlinearity};
    /// let critical = MeanField { nonlinearity: Nonlinearity::Relu, density: 0.1, weight_variance: 20.0, bias_variance: 0.0 };
    /// assert_eq!(critical.variances(3.0, 50)?.values[50], 3.0);
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Argument`] as [`MeanField::validate`], and for an initial variance that is negative or not finite.
    pub fn variances(&self, initial: f64, depth: usize) -> Result<Trajectory> {
        self.validate()?;
        require_nonnegative("initial", initial)?;
        let mut values = vec![initial];
        let mut q = initial;
        for _ in 0..depth {
            q = self.next_variance(q);
            if !q.is_finite() {
                return Ok(Trajectory { values, diverged: true });
            }
            values.push(q);
        }
        Ok(Trajectory {
            values,
            diverged: false,
        })
    }

    /// The map of correlations at the variance q, `c ↦ (s E φ(u)φ(v) + σ_b²)/(s V(q) + σ_b²)`, which at a fixed point divides
    /// by q.
    ///
    /// # Errors
    /// [`Error::Argument`] as [`MeanField::validate`], for a correlation outside `[−1, 1]`, and where the variance of the next
    /// layer is zero: nothing has an angle to it.
    pub fn next_correlation(&self, q: f64, c: f64) -> Result<f64> {
        self.validate()?;
        require_nonnegative("variance", q)?;
        if !(-1.0..=1.0).contains(&c) {
            return Err(Error::argument("correlation", "a number in [-1, 1]", c));
        }
        let next = self.next_variance(q);
        if next <= 0.0 {
            return Err(Error::argument("variance of the next layer", "a positive number", next));
        }
        Ok(self.correlation_map(q, next, c))
    }

    fn correlation_map(&self, q: f64, next: f64, c: f64) -> f64 {
        ((self.scale() * self.nonlinearity.product_moment(q, c) + self.bias_variance) / next).clamp(-1.0, 1.0)
    }

    /// The correlations of two inputs at depths 0 to `depth` in a network whose variances stand at q.
    ///
    /// # Errors
    /// As [`MeanField::next_correlation`].
    pub fn correlations(&self, q: f64, initial: f64, depth: usize) -> Result<Vec<f64>> {
        let mut values = vec![initial];
        for _ in 0..depth {
            values.push(self.next_correlation(q, values[values.len() - 1])?);
        }
        Ok(values)
    }
}
