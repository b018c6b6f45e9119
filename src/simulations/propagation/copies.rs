//! Two copies of one input, each through a mask of its own: dropout, in the place of a mask that is drawn once.
//!
//! Weights and biases are shared, masks are not. Given the masks and the layer before, the pre-activations of a unit for both copies
//! are jointly normal, with variances `(σ_w²/N) Σ m φ(h)²` and `(σ_w²/N) Σ m′ φ(h′)²` and covariance
//! `(σ_w²/N) Σ m m′ φ(h)φ(h′)`, plus the variance of the bias in all three: only masks and two normal numbers a unit are drawn.

use super::super::coin::Coin;
use super::super::require_between;
use super::random::{RandomNetwork, Scaling, normal};
use crate::error::{Error, Result};
use crate::linalg::{dot, norm};
use crate::seed::Seed;
use crate::theory::mean_field::Nonlinearity;

impl RandomNetwork {
    /// The cosine of the pre-activations of two copies of one Gaussian input, by layer from 0 and then by network, when every layer
    /// draws a mask anew for each copy. NaN where a copy is silent.
    ///
    /// [`MeanField::next_redrawn_correlation`](crate::theory::mean_field::MeanField::next_redrawn_correlation) is its limit for wide
    /// layers. With the mask of the library's other networks, drawn once, it would be 1.
    ///
    /// # Errors
    /// [`Error::Argument`] as [`RandomNetwork::lengths`], and for the masked fan-in: the copies share weights, and no variance fits both
    /// masks. [`Error::Numerical`] where pre-activations overflow.
    ///
    /// Cost a replicate and layer: two masks.
    pub fn copies(&self, nonlinearity: Nonlinearity, replicates: usize, seed: &Seed) -> Result<Vec<Vec<f64>>> {
        self.check()?;
        require_between("replicates", replicates, 1, (1 << 27) / (self.depth + 1))?;
        if self.scaling == Scaling::MaskedFanIn {
            return Err(Error::argument(
                "scaling",
                Scaling::DenseFanIn.as_str(),
                self.scaling.as_str(),
            ));
        }
        let coin = Coin::new(self.density.value());
        let mut found = vec![Vec::new(); self.depth + 1];
        for replicate in 0..replicates {
            let mut rng = seed.replicate(replicate as u64).rng();
            let scale = self.initial_length.sqrt();
            let mut first: Vec<f64> = (0..self.width).map(|_| scale * normal(&mut rng)).collect();
            let mut second = first.clone();
            found[0].push(1.0);
            for layer in found.iter_mut().skip(1) {
                for values in [&mut first, &mut second] {
                    values.iter_mut().for_each(|h| *h = nonlinearity.value(*h));
                }
                let next: Vec<(f64, f64)> = (0..self.width)
                    .map(|_| self.pair(coin, &first, &second, &mut rng))
                    .collect();
                (first, second) = next.into_iter().unzip();
                let (a, b) = (norm(&first), norm(&second));
                if !(a.is_finite() && b.is_finite()) {
                    let why = format!("pre-activations overflow in replicate {replicate}");
                    return Err(Error::numerical("copies of an input", why));
                }
                layer.push(dot(&first, &second) / (a * b));
            }
        }
        Ok(found)
    }

    /// The pre-activations of one unit for both copies.
    fn pair(&self, coin: Coin, first: &[f64], second: &[f64], rng: &mut impl rand::Rng) -> (f64, f64) {
        let (mut own, mut other, mut both) = (0.0, 0.0, 0.0);
        for (x, y) in first.chunks(64).zip(second.chunks(64)) {
            let (m, n) = (coin.toss_64(rng), coin.toss_64(rng));
            for (bit, (x, y)) in x.iter().zip(y).enumerate() {
                let (a, b) = ((m >> bit & 1) as f64, (n >> bit & 1) as f64);
                own += a * x * x;
                other += b * y * y;
                both += a * b * x * y;
            }
        }
        let factor = self.weight_variance / self.width as f64;
        let (u, v) = (normal(rng), normal(rng));
        let bias = self.bias_variance.sqrt() * normal(rng);
        if own == 0.0 {
            return (bias, (factor * other).sqrt() * v + bias);
        }
        let rest = (other - both * both / own).max(0.0);
        (
            (factor * own).sqrt() * u + bias,
            factor.sqrt() * (both / own.sqrt() * u + rest.sqrt() * v) + bias,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulations::judging::deviations;
    use crate::simulations::sample_mean;
    use crate::support::Density;
    use crate::theory::mean_field::MeanField;

    fn network(width: usize, density: f64, weight_variance: f64) -> RandomNetwork {
        RandomNetwork {
            width,
            depth: 3,
            density: Density::new(density).unwrap(),
            weight_variance,
            bias_variance: 0.1,
            ..RandomNetwork::default()
        }
    }

    #[test]
    fn copies_part_as_the_map_of_redrawn_masks_says_and_stay_together_without_a_mask() {
        let model = MeanField {
            nonlinearity: Nonlinearity::Tanh,
            density: 0.5,
            weight_variance: 4.0,
            bias_variance: 0.1,
        };
        let (mut q, mut c, mut expected) = (1.0, 1.0, Vec::new());
        for _ in 0..3 {
            c = model.next_redrawn_correlation(q, c).unwrap();
            q = model.next_variance(q);
            expected.push(c);
        }
        let seed = Seed::root(2).stream("copies");
        let at = |width: usize| {
            let found = network(width, 0.5, 4.0).copies(Nonlinearity::Tanh, 400, &seed).unwrap();
            found.iter().map(|v| sample_mean(v).unwrap()).collect::<Vec<_>>()
        };
        let (narrow, wide) = (at(60), at(120));
        for (layer, expected) in expected.iter().enumerate() {
            let (a, b) = (&narrow[layer + 1], &wide[layer + 1]);
            let error = |e: &crate::outcome::Estimate<f64>| match e.certainty {
                crate::outcome::Certainty::Sampled { standard_error, .. } => standard_error,
                _ => panic!("a sample mean is sampled"),
            };
            // m(N) = m + a/N + b/N²: the first term is extrapolated away, the second is at most its square.
            let limit = 2.0 * b.value - a.value;
            let tolerance = deviations(1e-3 / 3.0) * (error(a).powi(2) + 4.0 * error(b).powi(2)).sqrt()
                + (2.0 * (a.value - b.value)).powi(2);
            assert!(
                (limit - expected).abs() < tolerance,
                "{layer}: {limit} {expected} ± {tolerance}"
            );
            assert!(1.0 - limit > 3.0 * tolerance);
        }
        let dense = network(30, 1.0, 2.0).copies(Nonlinearity::Tanh, 3, &seed).unwrap();
        assert!(dense.concat().iter().all(|c| (c - 1.0).abs() < 1e-14));
    }

    #[test]
    fn a_fan_in_that_differs_by_copy_is_refused() {
        let masked = RandomNetwork {
            scaling: Scaling::MaskedFanIn,
            ..network(10, 0.5, 2.0)
        };
        assert!(masked.copies(Nonlinearity::Relu, 2, &Seed::root(0)).is_err());
        assert!(
            network(10, 0.5, 2.0)
                .copies(Nonlinearity::Relu, 0, &Seed::root(0))
                .is_err()
        );
    }
}
