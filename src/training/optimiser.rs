//! Optimisers whose pruned weights and moments are exactly zero after every step.

use crate::error::{Error, Result};
use crate::networks::Real;
use pulp::{Arch, WithSimd};
use std::fmt;
use std::str::FromStr;

/// A first-order optimiser: a plain description, no state.
///
/// With gradient `g` (zero on pruned weights), step number `t = 1, 2, …` and learning rate `η`:
///
/// - `Sgd`: `v ← μ v + g`, `θ ← θ − η v`;
/// - `Adam`: `m ← β₁ m + (1−β₁) g`, `v ← β₂ v + (1−β₂) g²`, `θ ← θ − η m̂ / (√v̂ + ε)` with `m̂ = m / (1−β₁ᵗ)`,
///   `v̂ = v / (1−β₂ᵗ)` (Kingma & Ba, ICLR 2015, algorithm 1).
///
/// ```
/// use ticketsense::training::Optimiser;
/// let adam = Optimiser::adam(1.2e-3);
/// assert_eq!(adam.to_string(), "adam:learning-rate=0.0012,beta1=0.9,beta2=0.999,epsilon=0.00000001");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Optimiser {
    /// Stochastic gradient descent with momentum.
    Sgd {
        /// η, positive.
        learning_rate: f64,
        /// μ in `[0, 1)`; 0 is plain gradient descent.
        momentum: f64,
    },
    /// Adaptive moments.
    Adam {
        /// η, positive.
        learning_rate: f64,
        /// β₁ in `[0, 1)`.
        beta1: f64,
        /// β₂ in `[0, 1)`.
        beta2: f64,
        /// ε, positive.
        epsilon: f64,
    },
}

impl Optimiser {
    /// Stochastic gradient descent with momentum 0.9.
    pub const fn sgd(learning_rate: f64) -> Self {
        Optimiser::Sgd {
            learning_rate,
            momentum: 0.9,
        }
    }

    /// Adam with its published constants.
    pub const fn adam(learning_rate: f64) -> Self {
        Optimiser::Adam {
            learning_rate,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
        }
    }

    /// Adam or momentum with its published constants, by name: `adam` or `sgd`.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest name.
    pub fn named(name: &str, learning_rate: f64) -> Result<Self> {
        let optimiser = match name.parse()? {
            Kind::Sgd => Optimiser::sgd(learning_rate),
            Kind::Adam => Optimiser::adam(learning_rate),
        };
        optimiser.validate()?;
        Ok(optimiser)
    }

    /// The learning rate.
    pub fn learning_rate(&self) -> f64 {
        match *self {
            Optimiser::Sgd { learning_rate, .. } | Optimiser::Adam { learning_rate, .. } => learning_rate,
        }
    }

    /// The same optimiser at another learning rate.
    pub fn at_rate(mut self, rate: f64) -> Self {
        match &mut self {
            Optimiser::Sgd { learning_rate, .. } | Optimiser::Adam { learning_rate, .. } => *learning_rate = rate,
        }
        self
    }

    /// How many moments it keeps a weight.
    pub fn moments(&self) -> usize {
        match self {
            Optimiser::Sgd { .. } => 1,
            Optimiser::Adam { .. } => 2,
        }
    }

    /// Refuses numbers outside their ranges.
    ///
    /// # Errors
    /// [`Error::Argument`] naming the number.
    pub fn validate(&self) -> Result<()> {
        let positive = |name: &str, value: f64| {
            if value > 0.0 && value.is_finite() {
                Ok(())
            } else {
                Err(Error::argument(name, "a positive number", value))
            }
        };
        let decay = |name: &str, value: f64| {
            if (0.0..1.0).contains(&value) {
                Ok(())
            } else {
                Err(Error::argument(name, "a number in [0, 1)", value))
            }
        };
        positive("learning rate", self.learning_rate())?;
        match *self {
            Optimiser::Sgd { momentum, .. } => decay("momentum", momentum),
            Optimiser::Adam {
                beta1, beta2, epsilon, ..
            } => {
                decay("beta1", beta1)?;
                decay("beta2", beta2)?;
                positive("epsilon", epsilon)
            }
        }
    }

    /// One step: number `step` (the first is 1) from `gradient`, in place.
    ///
    /// Where `keep` is false the weight and its moments become exactly zero, whatever the gradient holds there; moments
    /// too small to matter are set to zero, which keeps subnormal numbers out of the loop. Cost: one pass.
    ///
    /// # Panics
    /// When the lengths differ or `step` is 0: a bug of the caller.
    pub fn step<T: Real>(&self, step: u64, theta: &mut [T], moments: &mut Moments<T>, gradient: &[T], keep: &[bool]) {
        let n = theta.len();
        assert!(step > 0, "steps are counted from 1");
        assert_eq!(
            (moments.first.len(), gradient.len(), keep.len()),
            (n, n, n),
            "optimiser: lengths"
        );
        match *self {
            Optimiser::Sgd {
                learning_rate,
                momentum,
            } => Arch::new().dispatch(SgdStep {
                theta,
                velocity: &mut moments.first,
                gradient,
                keep,
                rate: T::of(learning_rate),
                momentum: T::of(momentum),
            }),
            Optimiser::Adam {
                learning_rate,
                beta1,
                beta2,
                epsilon,
            } => {
                assert_eq!(moments.second.len(), n, "optimiser: lengths");
                let t = i32::try_from(step).unwrap_or(i32::MAX);
                Arch::new().dispatch(AdamStep {
                    theta,
                    first: &mut moments.first,
                    second: &mut moments.second,
                    gradient,
                    keep,
                    rate: T::of(learning_rate),
                    beta1: T::of(beta1),
                    beta2: T::of(beta2),
                    epsilon: T::of(epsilon),
                    first_correction: T::of(1.0 / (1.0 - beta1.powi(t))),
                    second_correction: T::of(1.0 / (1.0 - beta2.powi(t))),
                });
            }
        }
    }
}

impl fmt::Display for Optimiser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Optimiser::Sgd {
                learning_rate,
                momentum,
            } => {
                write!(f, "sgd:learning-rate={learning_rate},momentum={momentum}")
            }
            Optimiser::Adam {
                learning_rate,
                beta1,
                beta2,
                epsilon,
            } => {
                write!(
                    f,
                    "adam:learning-rate={learning_rate},beta1={beta1},beta2={beta2},epsilon={epsilon}"
                )
            }
        }
    }
}

enum Kind {
    Sgd,
    Adam,
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        match word {
            "sgd" => Ok(Kind::Sgd),
            "adam" => Ok(Kind::Adam),
            _ => Err(Error::unknown("optimiser", word, ["adam", "sgd"])),
        }
    }
}

/// The state of an optimiser beside the weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments<T> {
    /// Velocity, or first moment.
    pub first: Vec<T>,
    /// Second moment; empty for an optimiser without one.
    pub second: Vec<T>,
}

impl<T: Real> Moments<T> {
    /// All zero, for `dimension` weights.
    pub fn zeros(optimiser: &Optimiser, dimension: usize) -> Self {
        let second = if optimiser.moments() > 1 { dimension } else { 0 };
        Moments {
            first: vec![T::ZERO; dimension],
            second: vec![T::ZERO; second],
        }
    }
}

/// Zero where a moment no longer matters.
#[inline(always)]
fn flush<T: Real>(moment: T) -> T {
    if moment.magnitude() < T::NEGLIGIBLE {
        T::ZERO
    } else {
        moment
    }
}

struct SgdStep<'a, T> {
    theta: &'a mut [T],
    velocity: &'a mut [T],
    gradient: &'a [T],
    keep: &'a [bool],
    rate: T,
    momentum: T,
}

impl<T: Real> WithSimd for SgdStep<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let n = self.theta.len();
        let (velocity, gradient, keep) = (&mut self.velocity[..n], &self.gradient[..n], &self.keep[..n]);
        for i in 0..n {
            let moved = flush(self.momentum * velocity[i] + gradient[i]);
            let next = self.theta[i] - self.rate * moved;
            velocity[i] = if keep[i] { moved } else { T::ZERO };
            self.theta[i] = if keep[i] { next } else { T::ZERO };
        }
    }
}

struct AdamStep<'a, T> {
    theta: &'a mut [T],
    first: &'a mut [T],
    second: &'a mut [T],
    gradient: &'a [T],
    keep: &'a [bool],
    rate: T,
    beta1: T,
    beta2: T,
    epsilon: T,
    first_correction: T,
    second_correction: T,
}

impl<T: Real> WithSimd for AdamStep<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let n = self.theta.len();
        let (first, second) = (&mut self.first[..n], &mut self.second[..n]);
        let (gradient, keep) = (&self.gradient[..n], &self.keep[..n]);
        let (one_minus_beta1, one_minus_beta2) = (T::ONE - self.beta1, T::ONE - self.beta2);
        for i in 0..n {
            let g = gradient[i];
            let m = flush(self.beta1 * first[i] + one_minus_beta1 * g);
            let v = flush(self.beta2 * second[i] + one_minus_beta2 * g * g);
            let size = (v * self.second_correction).sqrt() + self.epsilon;
            let next = self.theta[i] - self.rate * (m * self.first_correction) / size;
            first[i] = if keep[i] { m } else { T::ZERO };
            second[i] = if keep[i] { v } else { T::ZERO };
            self.theta[i] = if keep[i] { next } else { T::ZERO };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adam_follows_its_definition_written_out() {
        let (beta1, beta2, rate, epsilon) = (0.9f64, 0.999f64, 0.01f64, 1e-8f64);
        let optimiser = Optimiser::adam(rate);
        let gradients = [[0.5, -2.0], [0.25, 1.0], [-1.0, 0.125]];
        let mut theta = vec![1.0f64, -1.0];
        let mut moments = Moments::zeros(&optimiser, 2);
        let (mut m, mut v, mut expected) = ([0.0f64; 2], [0.0f64; 2], [1.0f64, -1.0]);
        for (t, gradient) in gradients.iter().enumerate() {
            optimiser.step(t as u64 + 1, &mut theta, &mut moments, gradient, &[true, true]);
            for i in 0..2 {
                m[i] = beta1 * m[i] + (1.0 - beta1) * gradient[i];
                v[i] = beta2 * v[i] + (1.0 - beta2) * gradient[i] * gradient[i];
                let (m_hat, v_hat) = (
                    m[i] / (1.0 - beta1.powi(t as i32 + 1)),
                    v[i] / (1.0 - beta2.powi(t as i32 + 1)),
                );
                expected[i] -= rate * m_hat / (v_hat.sqrt() + epsilon);
                // A handful of roundings of numbers of size 1 a step.
                assert!((theta[i] - expected[i]).abs() <= 32.0 * f64::EPSILON);
            }
        }
    }

    #[test]
    fn momentum_accumulates_gradients() {
        let optimiser = Optimiser::Sgd {
            learning_rate: 0.5,
            momentum: 0.5,
        };
        let (mut theta, mut moments) = (vec![0.0f64], Moments::zeros(&optimiser, 1));
        for step in 1..=3 {
            optimiser.step(step, &mut theta, &mut moments, &[1.0], &[true]);
        }
        // Velocities 1, 1.5, 1.75: θ = −0.5 · 4.25, all exact in binary.
        assert_eq!((theta[0], moments.first[0]), (-2.125, 1.75));
    }

    #[test]
    fn a_pruned_weight_and_its_moments_are_exactly_zero_even_under_a_broken_gradient() {
        for optimiser in [Optimiser::sgd(0.1), Optimiser::adam(0.1)] {
            let mut theta = vec![1.0f32, 2.0, 3.0];
            let mut moments = Moments::zeros(&optimiser, 3);
            moments.first[1] = 5.0;
            optimiser.step(
                1,
                &mut theta,
                &mut moments,
                &[0.5, f32::NAN, f32::INFINITY],
                &[true, false, false],
            );
            assert_eq!(theta[1..], [0.0, 0.0]);
            assert_eq!(moments.first[1..], [0.0, 0.0]);
            assert!(moments.second.iter().skip(1).all(|&v| v == 0.0));
            assert!(theta[0] != 1.0);
        }
    }

    #[test]
    fn decaying_moments_never_become_subnormal() {
        for optimiser in [Optimiser::sgd(0.1), Optimiser::adam(0.1)] {
            let (mut theta, mut moments) = (vec![0.0f32], Moments::zeros(&optimiser, 1));
            optimiser.step(1, &mut theta, &mut moments, &[1.0], &[true]);
            for step in 2..100_000 {
                optimiser.step(step, &mut theta, &mut moments, &[0.0], &[true]);
                for &moment in moments.first.iter().chain(&moments.second) {
                    assert!(moment == 0.0 || moment.is_normal(), "{moment:e}");
                }
            }
            assert_eq!(moments.first[0], 0.0);
        }
    }

    #[test]
    fn numbers_outside_their_ranges_are_refused() {
        assert!(Optimiser::named("adam", 0.0).is_err());
        assert!(Optimiser::named("adan", 0.1).unwrap_err().to_string().contains("adam"));
        assert!(
            Optimiser::Sgd {
                learning_rate: 0.1,
                momentum: 1.0
            }
            .validate()
            .is_err()
        );
        assert!(Optimiser::adam(f64::NAN).validate().is_err());
    }
}
