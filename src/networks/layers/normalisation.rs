//! Normalisation: entries that belong together are brought to mean 0 and variance 1, then scaled and shifted.
//!
//! `y = γ x̂ + β` with `x̂ = (x − A x) s`, `s = (A (x − A x)² + ε)^{−1/2}`, where `A` replaces every entry by the mean of
//! those that belong with it. `A` is symmetric, so the cotangent of x is `s (g − A g − x̂ A (g x̂))` with `g = γ δ`.

use super::gradients::Gradients;
use super::{Memory, Mode};
use crate::networks::array::Array;
use crate::networks::layout::Slot;
use crate::networks::real::Real;
use crate::networks::value::Value;

/// Added to every variance: the usual constant of all three.
const EPSILON: f64 = 1e-5;

/// Which entries belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NormalisedOver {
    /// A channel over the whole batch and all positions (Ioffe & Szegedy, ICML 2015). In evaluation the running mean
    /// and variance in the slots `mean` and `variance` stand in for those of the batch.
    Batch {
        /// Slot of the running means.
        mean: usize,
        /// Slot of the running variances.
        variance: usize,
    },
    /// All channels of one position of one sample (Ba, Kiros & Hinton 2016).
    Layer,
    /// So many groups of neighbouring channels, each over all positions of one sample (Wu & He, ECCV 2018).
    Groups(usize),
}

/// A normalisation of `positions × channels` entries a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Normalisation {
    /// Which entries belong together.
    pub over: NormalisedOver,
    /// Positions of a sample.
    pub positions: usize,
    /// Channels of a position.
    pub channels: usize,
    /// Slot of γ, one entry a channel.
    pub scale: usize,
    /// Slot of β, one entry a channel.
    pub shift: usize,
}

impl Normalisation {
    /// In evaluation a batch normalisation is a map of single entries, `x ↦ a (x − mean) + β` with one slope
    /// `a = γ / √(variance + ε)` a channel: these slopes. None for normalisations over the entries of a sample.
    ///
    /// # Panics
    /// When the slots or parameters are not those of the network: a bug of the caller.
    pub fn slopes<T: Real>(&self, slots: &[Slot], theta: &[T]) -> Option<Vec<f64>> {
        let NormalisedOver::Batch { variance, .. } = self.over else {
            return None;
        };
        let values = |slot: usize| theta[slots[slot].range.clone()].iter().map(|v| v.to_f64());
        let pairs = values(self.scale).zip(values(variance));
        Some(
            pairs
                .map(|(scale, variance)| scale / (variance + EPSILON).sqrt())
                .collect(),
        )
    }

    /// A row of one entry a channel, for every position of `batch` samples.
    fn spread<T: Real, V: Value<T>>(&self, channels: &V, batch: usize) -> V {
        channels.linear(|row| {
            Array::raw(
                batch,
                self.positions * self.channels,
                row.as_slice().repeat(batch * self.positions),
            )
        })
    }

    /// The running statistics: constants, whatever direction the parameters move in.
    fn frozen<T: Real, V: Value<T>>(&self, parameters: &[V], slot: usize, batch: usize, f: impl Fn(T) -> T) -> V {
        let row = parameters[slot].value().mapped(f);
        self.spread(&V::constant(row), batch)
    }

    /// Every entry replaced by the mean of those that belong with it: `A`.
    fn means<T: Real>(&self, x: &Array<T>) -> Array<T> {
        let (positions, channels) = (self.positions, self.channels);
        let mut out = x.clone();
        match self.over {
            NormalisedOver::Batch { .. } => {
                let share = T::of(1.0 / (x.rows() * positions) as f64);
                let mut sums = vec![T::ZERO; channels];
                for place in x.as_slice().chunks_exact(channels) {
                    for (sum, v) in sums.iter_mut().zip(place) {
                        *sum += *v;
                    }
                }
                sums.iter_mut().for_each(|sum| *sum *= share);
                for place in out.as_mut_slice().chunks_exact_mut(channels) {
                    place.copy_from_slice(&sums);
                }
            }
            NormalisedOver::Layer => {
                let share = T::of(1.0 / channels as f64);
                for place in out.as_mut_slice().chunks_exact_mut(channels) {
                    let sum: T = place.iter().copied().sum();
                    place.fill(share * sum);
                }
            }
            NormalisedOver::Groups(groups) => {
                let size = channels / groups;
                let share = T::of(1.0 / (size * positions) as f64);
                for sample in out.as_mut_slice().chunks_exact_mut(positions * channels) {
                    for group in 0..groups {
                        let own = group * size..(group + 1) * size;
                        let places = sample.chunks_exact(channels);
                        let sum: T = places.flat_map(|place| place[own.clone()].iter().copied()).sum();
                        for place in sample.chunks_exact_mut(channels) {
                            place[own.clone()].fill(share * sum);
                        }
                    }
                }
            }
        }
        out
    }

    pub(super) fn forward<T: Real, V: Value<T>>(&self, parameters: &[V], input: &V, mode: Mode<'_>) -> (V, Memory<V>) {
        let batch = input.value().rows();
        let epsilon = T::of(EPSILON);
        let mut values = Vec::new();
        let (normal, inverse) = match (self.over, mode) {
            (NormalisedOver::Batch { mean, variance }, Mode::Evaluation) => {
                let inverse = self.frozen(parameters, variance, batch, |v| T::ONE / (v + epsilon).sqrt());
                let centred = input.add(&self.frozen(parameters, mean, batch, |m| -m));
                (centred.multiply(&inverse), inverse)
            }
            _ => {
                let mean = input.linear(|x| self.means(x));
                let centred = input.add(&mean.scale(-T::ONE));
                let variance = centred.multiply(&centred).linear(|x| self.means(x));
                let inverse = variance.map(
                    |v| T::ONE / (v + epsilon).sqrt(),
                    |v| {
                        let s = T::ONE / (v + epsilon).sqrt();
                        T::of(-0.5) * s * s * s
                    },
                );
                values = vec![mean, variance];
                (centred.multiply(&inverse), inverse)
            }
        };
        let output = normal
            .multiply(&self.spread(&parameters[self.scale], batch))
            .add(&self.spread(&parameters[self.shift], batch));
        values.splice(0..0, [normal, inverse]);
        (output, Memory::of(values))
    }

    pub(super) fn pull_back<T: Real, V: Value<T>>(
        &self,
        parameters: &[V],
        memory: &Memory<V>,
        cotangent: &V,
        gradients: &mut dyn Gradients<V>,
        input_wanted: bool,
    ) -> Option<V> {
        let [normal, inverse, own @ ..] = &memory.values[..] else {
            return None;
        };
        let batch = normal.value().rows();
        let rows = batch * self.positions;
        let in_rows = |v: V| v.reshaped(rows, self.channels);
        gradients.sum(self.scale, in_rows(cotangent.multiply(normal)), self.positions);
        gradients.sum(self.shift, in_rows(cotangent.clone()), self.positions);
        if let (NormalisedOver::Batch { mean, variance }, [own_mean, own_variance]) = (self.over, own) {
            let first = |v: &V| v.linear(|x| Array::raw(1, self.channels, x.as_slice()[..self.channels].to_vec()));
            // The running variance is to estimate the population's, from n numbers a channel.
            let unbiased = T::of(rows as f64 / (rows.max(2) - 1) as f64);
            gradients.statistic(mean, &first(own_mean));
            gradients.statistic(variance, &first(own_variance).scale(unbiased));
        }
        if !input_wanted {
            return None;
        }
        let g = cotangent.multiply(&self.spread(&parameters[self.scale], batch));
        let g = if own.is_empty() {
            g
        } else {
            let mean = g.linear(|x| self.means(x));
            let along = g.multiply(normal).linear(|x| self.means(x)).multiply(normal);
            g.add(&mean.add(&along).scale(-T::ONE))
        };
        Some(g.multiply(inverse))
    }
}
