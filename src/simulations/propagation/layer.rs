//! Whole layers of random masked weights.

use super::super::coin::Coin;
use super::random::{RandomNetwork, normal};
use crate::error::Result;
use crate::linalg::dense::thin_qr;
use nalgebra::DMatrix;
use rand::Rng;

impl RandomNetwork {
    /// Draws independent weights, a row a unit, and biases: unit by unit the mask, its kept weights, the bias.
    pub(super) fn draw_layer(&self, coin: Coin, weights: &mut [f64], biases: &mut [f64], rng: &mut impl Rng) {
        let fan_in = weights.len() / biases.len();
        let mut kept = Vec::with_capacity(fan_in);
        for (row, bias) in weights.chunks_exact_mut(fan_in).zip(biases) {
            kept.clear();
            coin.heads_below(fan_in, rng, |j| kept.push(j));
            let scale = self.weight_factor(kept.len(), fan_in).sqrt();
            row.fill(0.0);
            for &j in &kept {
                row[j] = scale * normal(rng);
            }
            *bias = self.bias_variance.sqrt() * normal(rng);
        }
    }

    /// The same with a matrix of the uniform law on the orthogonal group under the mask, in the place of independent weights.
    ///
    /// The orthogonal factor of a Gaussian matrix is uniform once the triangular one has a positive diagonal (Mezzadri, Notices
    /// of the AMS 54, 2007).
    pub(super) fn draw_orthogonal_layer(
        &self,
        coin: Coin,
        weights: &mut [f64],
        biases: &mut [f64],
        rng: &mut impl Rng,
    ) -> Result<()> {
        let n = biases.len();
        let factors = thin_qr(&DMatrix::from_fn(n, n, |_, _| normal(rng)))?;
        let mut kept = Vec::with_capacity(n);
        for (i, (row, bias)) in weights.chunks_exact_mut(n).zip(biases).enumerate() {
            kept.clear();
            coin.heads_below(n, rng, |j| kept.push(j));
            // Entries of the orthogonal matrix have variance 1/N.
            let scale = (self.weight_factor(kept.len(), n) * n as f64).sqrt();
            row.fill(0.0);
            for &j in &kept {
                row[j] = scale * factors.q[(i, j)].copysign(factors.q[(i, j)] * factors.r[(j, j)]);
            }
            *bias = self.bias_variance.sqrt() * normal(rng);
        }
        Ok(())
    }
}
