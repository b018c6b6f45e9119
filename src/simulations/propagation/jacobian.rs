//! Singular values of the input-output Jacobian of random masked dense networks.
//!
//! `J = W^L D^{L−1} ⋯ W¹ D⁰`, from the pre-activations of layer 0 to those of layer L, at a Gaussian input; see
//! [`MeanField::jacobian`](crate::theory::mean_field::MeanField::jacobian) for what the moments of its spectrum tend to.

use super::super::coin::Coin;
use super::super::{require_between, sample_mean};
use super::random::{RandomNetwork, normal};
use crate::error::{Error, Result};
use crate::linalg::dense::singular_values;
use crate::linalg::gemm;
use crate::outcome::Estimate;
use crate::seed::Seed;
use crate::statistics::quantile;
use crate::theory::mean_field::{Ensemble, Nonlinearity};
use nalgebra::DMatrix;

/// Largest width of a Jacobian.
const WIDEST: usize = 4096;

/// The spectra of the Jacobians of independent networks.
#[derive(Clone, Debug, PartialEq)]
pub struct JacobianSample {
    width: usize,
    values: Vec<f64>,
}

impl JacobianSample {
    /// Units a layer: singular values of a network.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The number of networks.
    pub fn replicates(&self) -> usize {
        self.values.len() / self.width
    }

    /// The singular values of one network, descending.
    pub fn singular_values(&self, replicate: usize) -> Option<&[f64]> {
        self.values.chunks_exact(self.width).nth(replicate)
    }

    /// `(1/N) Σ σ^{2k}` of every network.
    fn powers(&self, k: i32) -> impl Iterator<Item = f64> + '_ {
        let width = self.width as f64;
        let mean = move |s: &[f64]| s.iter().map(|v| v.powi(2 * k)).sum::<f64>() / width;
        self.values.chunks_exact(self.width).map(mean)
    }

    /// The mean over networks of `(1/N) Σ σ^{2k}`: for k = 1 that of the squared singular values.
    ///
    /// # Errors
    /// [`Error::Argument`] for a power k of 0 or above 8, or a single network.
    pub fn moment(&self, power: usize) -> Result<Estimate<f64>> {
        require_between("power", power, 1, 8)?;
        sample_mean(&self.powers(power as i32).collect::<Vec<_>>())
    }

    /// The mean over networks of `ln (1/N) Σ σ²`, without those whose Jacobian vanishes.
    ///
    /// # Errors
    /// [`Error::Argument`] when fewer than two do not vanish.
    pub fn typical_square(&self) -> Result<Estimate<f64>> {
        let logs: Vec<f64> = self.powers(1).filter(|&m| m > 0.0).map(f64::ln).collect();
        sample_mean(&logs)
    }

    /// The mean over networks of `N Σσ⁴/(Σσ²)²`: 1 when all singular values are equal, N when there is one. Networks whose Jacobian
    /// vanishes are left out.
    ///
    /// # Errors
    /// As [`JacobianSample::typical_square`].
    pub fn relative_second_moment(&self) -> Result<Estimate<f64>> {
        let pairs = self.powers(1).zip(self.powers(2));
        let ratios: Vec<f64> = pairs.filter(|p| p.0 > 0.0).map(|(a, b)| b / (a * a)).collect();
        sample_mean(&ratios)
    }

    /// The quantile of the singular values of all networks together.
    ///
    /// # Errors
    /// [`Error::Argument`] for a level outside `[0, 1]`.
    pub fn quantile(&self, level: f64) -> Result<f64> {
        quantile(&self.values, level)
    }

    /// By network, how many singular values are above `N ε σ_max`, the rounding of the decomposition.
    pub fn ranks(&self) -> Vec<usize> {
        let rank = |s: &[f64]| {
            let cut = self.width as f64 * f64::EPSILON * s[0];
            s.iter().filter(|&&v| v > cut).count()
        };
        self.values.chunks_exact(self.width).map(rank).collect()
    }

    /// By network, the largest singular value over the smallest; infinite where the rank is not full.
    pub fn conditions(&self) -> Vec<f64> {
        let spectra = self.values.chunks_exact(self.width);
        let condition = |(s, rank): (&[f64], usize)| {
            if rank == self.width {
                s[0] / s[self.width - 1]
            } else {
                f64::INFINITY
            }
        };
        spectra.zip(self.ranks()).map(condition).collect()
    }
}

impl RandomNetwork {
    /// Draws `replicates` independent dense networks, each with its own Gaussian input, and takes the singular values of the
    /// Jacobian across all layers.
    ///
    /// A mask over orthogonal weights breaks their orthogonality: rows keep their mean squared length and are no longer at right
    /// angles.
    ///
    /// # Errors
    /// [`Error::Argument`] as [`RandomNetwork::lengths`], for a width above 4096 or more than 2²⁷ singular values in all;
    /// [`Error::Numerical`] when pre-activations or the Jacobian overflow.
    ///
    /// Cost a replicate: `2N³` operations a layer, `3N³` more for orthogonal weights, and one decomposition.
    ///
    /// ```
    /// use ticketsense::Seed;
    /// use ticketsense::simulations::propagation::RandomNetwork;
    /// use ticketsense::support::Density;
    /// use ticketsense::theory::mean_field::{Ensemble, Nonlinearity};
    /// let dense = RandomNetwork { width: 30, depth: 5, weight_variance: 1.0, ..RandomNetwork::default() };
    /// let masked = RandomNetwork { density: Density::new(0.5)?, weight_variance: 2.0, ..dense };
    /// let conditions = |network: RandomNetwork| {
    ///     Ok::<_, ticketsense::Error>(network.jacobians(Nonlinearity::Linear, Ensemble::Orthogonal, 3, &Seed::root(0))?.conditions())
    /// };
    /// assert!(conditions(dense)?.iter().all(|&c| c < 1.0 + 1e-12));
    /// assert!(conditions(masked)?.iter().all(|&c| c > 100.0));
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    pub fn jacobians(
        &self,
        nonlinearity: Nonlinearity,
        ensemble: Ensemble,
        replicates: usize,
        seed: &Seed,
    ) -> Result<JacobianSample> {
        self.check()?;
        require_between("width of a Jacobian", self.width, 1, WIDEST)?;
        require_between("replicates", replicates, 1, (1 << 27) / self.width)?;
        let mut sample = JacobianSample {
            width: self.width,
            values: Vec::with_capacity(replicates * self.width),
        };
        for replicate in 0..replicates {
            let jacobian = self.jacobian(nonlinearity, ensemble, &seed.replicate(replicate as u64))?;
            sample.values.extend(singular_values(&jacobian)?);
        }
        Ok(sample)
    }

    fn jacobian(&self, nonlinearity: Nonlinearity, ensemble: Ensemble, seed: &Seed) -> Result<DMatrix<f64>> {
        let (n, mut rng) = (self.width, seed.rng());
        let coin = Coin::new(self.density.value());
        let scale = self.initial_length.sqrt();
        let mut units: Vec<f64> = (0..n).map(|_| scale * normal(&mut rng)).collect();
        let (mut weights, mut next) = (vec![0.0; n * n], vec![0.0; n]);
        // Row-major.
        let (mut jacobian, mut product) = (Vec::new(), vec![0.0; n * n]);
        for layer in 1..=self.depth {
            match ensemble {
                Ensemble::Gaussian => self.draw_layer(coin, &mut weights, &mut next, &mut rng),
                Ensemble::Orthogonal => self.draw_orthogonal_layer(coin, &mut weights, &mut next, &mut rng)?,
            }
            let slopes: Vec<f64> = units.iter().map(|&h| nonlinearity.slope(h)).collect();
            units.iter_mut().for_each(|h| *h = nonlinearity.value(*h));
            gemm(n, n, 1, &weights, false, &units, false, &mut next, true);
            std::mem::swap(&mut units, &mut next);
            if layer == 1 {
                jacobian = weights.clone();
                for row in jacobian.chunks_exact_mut(n) {
                    row.iter_mut().zip(&slopes).for_each(|(j, d)| *j *= d);
                }
            } else {
                for (row, d) in jacobian.chunks_exact_mut(n).zip(&slopes) {
                    row.iter_mut().for_each(|j| *j *= d);
                }
                gemm(n, n, n, &weights, false, &jacobian, false, &mut product, false);
                std::mem::swap(&mut jacobian, &mut product);
            }
            if !units.iter().chain(&jacobian).all(|v| v.is_finite()) {
                let why = format!("layer {layer} overflows in replicate {}", seed.replicate_number());
                return Err(Error::numerical("Jacobian of a random network", why));
            }
        }
        Ok(DMatrix::from_row_slice(n, n, &jacobian))
    }
}

#[cfg(test)]
#[path = "jacobian_tests.rs"]
mod tests;
