//! Signal lengths in random masked dense networks of finite width.
//!
//! `h_i^{ℓ+1} = Σ_j m_ij v_ij φ(h_j^ℓ) + β_i`, with `m_ij ~ Bernoulli(density)`, Gaussian `v_ij` of the chosen scaling and
//! Gaussian `β_i`. For ReLU without biases `E q^{ℓ+1} = (density · weight_variance / 2) q^ℓ` at every width.

use super::super::coin::Coin;
use super::super::{require_between, sample_mean};
use crate::error::{Error, Result};
use crate::outcome::Estimate;
use crate::seed::Seed;
use crate::support::{Density, Mask};
use rand::{Rng, RngExt};
use rand_distr::{Binomial, Distribution, StandardNormal};

/// What the variance of a weight is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scaling {
    /// The width: the network was initialised dense and then pruned.
    DenseFanIn,
    /// The number of kept inputs of the unit: the initialisation knows the mask. A unit without inputs is 0, so for ReLU
    /// the factor is `weight_variance / 2 · (1 − (1 − density)^width)` and the density all but drops out.
    MaskedFanIn,
}

impl Scaling {
    /// The word in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Scaling::DenseFanIn => "dense-fan-in",
            Scaling::MaskedFanIn => "masked-fan-in",
        }
    }
}

/// How a layer is drawn. The law of the lengths is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Drawing {
    /// Every kept weight is drawn and multiplied: the plain meaning of the model.
    EveryWeight,
    /// Only masks are drawn: given the mask and the layer before, a pre-activation is exactly Gaussian, with variance
    /// `Σ_j m_ij φ(h_j)²` times that of a weight, plus that of the bias, independently by unit. A few times
    /// faster with a mask; a dense layer costs no more than its width.
    Conditional,
}

/// A random masked dense network of constant width.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RandomNetwork {
    /// Units a layer, N.
    pub width: usize,
    /// Layers of weights.
    pub depth: usize,
    /// Probability of keeping a weight.
    pub density: Density,
    /// Variance of a weight times the fan-in that `scaling` names, σ_w².
    pub weight_variance: f64,
    /// Variance of a bias, σ_b².
    pub bias_variance: f64,
    /// What the variance of a weight is divided by.
    pub scaling: Scaling,
    /// Variance of the independent Gaussian pre-activations of layer 0.
    pub initial_length: f64,
}

impl Default for RandomNetwork {
    /// Width 100, depth 10, dense, critical for ReLU (σ_w² = 2), without biases, of unit initial length.
    fn default() -> Self {
        RandomNetwork {
            width: 100,
            depth: 10,
            density: Mask::full(1).density(),
            weight_variance: 2.0,
            bias_variance: 0.0,
            scaling: Scaling::DenseFanIn,
            initial_length: 1.0,
        }
    }
}

/// Signal lengths by replicate and layer.
#[derive(Clone, Debug, PartialEq)]
pub struct LengthSample {
    depth: usize,
    values: Vec<f64>,
}

impl LengthSample {
    /// Layers of weights.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The number of replicates.
    pub fn replicates(&self) -> usize {
        self.values.len() / (self.depth + 1)
    }

    /// The lengths `q⁰, …, q^depth` of one replicate.
    pub fn of(&self, replicate: usize) -> Option<&[f64]> {
        self.values.chunks_exact(self.depth + 1).nth(replicate)
    }

    /// `q^ℓ / q⁰` of every replicate.
    ///
    /// # Errors
    /// [`Error::Argument`] for a layer beyond the depth, as everywhere here.
    pub fn ratios(&self, layer: usize) -> Result<Vec<f64>> {
        require_between("layer", layer, 0, self.depth)?;
        let ratio = |lengths: &[f64]| lengths[layer] / lengths[0];
        Ok(self.values.chunks_exact(self.depth + 1).map(ratio).collect())
    }

    /// The mean length of a layer.
    ///
    /// # Errors
    /// As [`LengthSample::ratios`], and for a single replicate.
    pub fn mean_length(&self, layer: usize) -> Result<Estimate<f64>> {
        require_between("layer", layer, 0, self.depth)?;
        let lengths = self.values.iter().skip(layer).step_by(self.depth + 1);
        sample_mean(&lengths.copied().collect::<Vec<_>>())
    }

    /// The mean of `q^ℓ / q⁰`.
    ///
    /// Its law has a heavy tail in deep and narrow networks (the second moment grows by the factor 1 + 5/N a dense
    /// layer): the standard error is then itself uncertain, and the typical ratio lies below the mean.
    ///
    /// # Errors
    /// As [`LengthSample::mean_length`].
    pub fn mean_ratio(&self, layer: usize) -> Result<Estimate<f64>> {
        sample_mean(&self.ratios(layer)?)
    }

    /// The mean of `ln(q^ℓ / q⁰)` over replicates whose signal is alive, and the number of those in which it is 0.
    ///
    /// # Errors
    /// As [`LengthSample::ratios`], and when fewer than two are alive.
    pub fn mean_log_ratio(&self, layer: usize) -> Result<(Estimate<f64>, usize)> {
        let ratios = self.ratios(layer)?;
        let logs: Vec<f64> = ratios.iter().filter(|&&r| r > 0.0).map(|r| r.ln()).collect();
        Ok((sample_mean(&logs)?, ratios.len() - logs.len()))
    }
}

impl RandomNetwork {
    pub(super) fn check(&self) -> Result<()> {
        require_between("width", self.width, 1, 1 << 16)?;
        require_between("depth", self.depth, 1, 1 << 16)?;
        let nonnegative = [
            ("weight variance", self.weight_variance),
            ("bias variance", self.bias_variance),
        ];
        for (name, value) in nonnegative {
            if !(value.is_finite() && value >= 0.0) {
                return Err(Error::argument(name, "a finite number of at least 0", value));
            }
        }
        if !(self.initial_length.is_finite() && self.initial_length > 0.0) {
            return Err(Error::argument(
                "initial length",
                "a finite number above 0",
                self.initial_length,
            ));
        }
        Ok(())
    }

    /// Draws `replicates` independent networks, each with its own Gaussian input, and measures every layer.
    ///
    /// # Errors
    /// [`Error::Argument`] for a width or depth of 0 or above 65,536, negative or infinite variances, no replicates or
    /// more than 2²⁷ lengths in all; [`Error::Numerical`] when a length overflows or the activation gives a NaN.
    ///
    /// Cost a replicate and layer: `width²` weights, or about an eighth of a random word a weight and an addition a kept
    /// one with [`Drawing::Conditional`] (for ReLU of the active half only).
    ///
    /// ```
    /// use ticketsense::Seed;
    /// use ticketsense::simulations::propagation::{Drawing, RandomNetwork};
    /// let network = RandomNetwork { depth: 3, ..RandomNetwork::default() };
    /// let sample = network.lengths(|h| h.max(0.0), Drawing::Conditional, 200, &Seed::root(0))?;
    /// assert!((sample.mean_ratio(3)?.value - 1.0).abs() < 0.2);
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    pub fn lengths(
        &self,
        activation: impl Fn(f64) -> f64,
        drawing: Drawing,
        replicates: usize,
        seed: &Seed,
    ) -> Result<LengthSample> {
        self.check()?;
        require_between("replicates", replicates, 1, (1 << 27) / (self.depth + 1))?;
        let coin = Coin::new(self.density.value());
        let mut values = Vec::with_capacity(replicates * (self.depth + 1));
        let mut units = vec![0.0; self.width];
        let mut outputs = vec![0.0; self.width];
        for replicate in 0..replicates {
            let mut rng = seed.replicate(replicate as u64).rng();
            let scale = self.initial_length.sqrt();
            units.fill_with(|| scale * normal(&mut rng));
            values.push(mean_square(&units));
            for layer in 1..=self.depth {
                outputs.iter_mut().zip(&units).for_each(|(x, &h)| *x = activation(h));
                match drawing {
                    Drawing::EveryWeight => self.draw_weights(&outputs, &mut units, coin, &mut rng),
                    Drawing::Conditional => self.draw_masks(&mut outputs, &mut units, coin, &mut rng)?,
                }
                let length = mean_square(&units);
                if !length.is_finite() {
                    let why = format!("the length of layer {layer} is {length} in replicate {replicate}");
                    return Err(Error::numerical("signal propagation", why));
                }
                values.push(length);
            }
        }
        Ok(LengthSample {
            depth: self.depth,
            values,
        })
    }

    /// The variance of a weight of a unit that keeps `kept` of `fan_in` inputs.
    pub(super) fn weight_factor(&self, kept: usize, fan_in: usize) -> f64 {
        match self.scaling {
            Scaling::DenseFanIn => self.weight_variance / fan_in as f64,
            Scaling::MaskedFanIn if kept == 0 => 0.0,
            Scaling::MaskedFanIn => self.weight_variance / kept as f64,
        }
    }

    fn draw_weights(&self, inputs: &[f64], units: &mut [f64], coin: Coin, rng: &mut impl Rng) {
        let mut kept = Vec::with_capacity(self.width);
        for unit in units {
            kept.clear();
            coin.heads_below(self.width, rng, |j| kept.push(j));
            let sum: f64 = kept.iter().map(|&j| normal(rng) * inputs[j]).sum();
            let bias = self.bias_variance.sqrt() * normal(rng);
            *unit = self.weight_factor(kept.len(), self.width).sqrt() * sum + bias;
        }
    }

    /// Overwrites `inputs` with the squares of its nonzero entries.
    fn draw_masks(&self, inputs: &mut [f64], units: &mut [f64], coin: Coin, rng: &mut impl Rng) -> Result<()> {
        let mut active = 0;
        for j in 0..self.width {
            if inputs[j] != 0.0 {
                inputs[active] = inputs[j] * inputs[j];
                active += 1;
            }
        }
        let squares = &inputs[..active];
        let total: f64 = squares.iter().sum();
        let dense = self.density.value() >= 1.0;
        let kept_silent = Binomial::new((self.width - active) as u64, self.density.value())
            .map_err(|e| Error::numerical("kept inputs of a unit", e.to_string()))?;
        for unit in units {
            let (mut sum, mut kept) = (0.0, 0);
            if dense {
                (sum, kept) = (total, self.width);
            } else {
                coin.heads_below(active, rng, |j| {
                    sum += squares[j];
                    kept += 1;
                });
                // Silent inputs count for the fan-in only.
                if self.scaling == Scaling::MaskedFanIn {
                    kept += kept_silent.sample(rng) as usize;
                }
            }
            let variance = self.weight_factor(kept, self.width) * sum + self.bias_variance;
            *unit = variance.sqrt() * normal(rng);
        }
        Ok(())
    }
}

pub(super) fn normal(rng: &mut impl Rng) -> f64 {
    rng.sample(StandardNormal)
}

pub(super) fn mean_square(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64
}

#[cfg(test)]
#[path = "random_tests.rs"]
mod tests;
