//! Optimisers whose pruned weights and moments are exactly zero after every step.

use crate::error::{Error, Result};
use crate::networks::Real;
use pulp::{Arch, WithSimd};
use std::ops::Range;

/// A first-order optimiser: a plain description, no state.
///
/// With gradient `g` (zero on pruned weights), step number `t = 1, 2, …` and learning rate `η`:
///
/// - `Sgd`: `v ← μ v + g`, then `θ ← θ − η v`, or with Nesterov's look ahead `θ ← θ − η (g + μ v)` (Sutskever et al.,
///   ICML 2013, in the form whose gradient is taken at θ);
/// - `Adam`: `m ← β₁ m + (1−β₁) g`, `v ← β₂ v + (1−β₂) g²`, `θ ← θ − η m̂ / (√v̂ + ε)` with `m̂ = m / (1−β₁ᵗ)`,
///   `v̂ = v / (1−β₂ᵗ)` (Kingma & Ba, ICLR 2015, algorithm 1).
///
/// Either may decay the connection weights, see [`Decay`]; decoupled decay makes AdamW of Adam.
///
/// ```
/// use ticketsense::training::Optimiser;
/// let adam = Optimiser::adam(1.2e-3);
/// assert_eq!(adam.to_string(), "adam:learning-rate=0.0012,beta1=0.9,beta2=0.999,epsilon=0.00000001");
/// assert_eq!(adam.to_string().parse::<Optimiser>()?, adam);
/// let nesterov = Optimiser::named("nesterov:weight-decay=0.0001", 0.1)?;
/// assert_eq!(nesterov.to_string(), "sgd:learning-rate=0.1,momentum=0.9,nesterov=true,weight-decay=0.0001");
/// # Ok::<(), ticketsense::Error>(())
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
        /// Whether the step looks ahead; needs a positive momentum.
        nesterov: bool,
        /// What pulls the weights towards zero.
        decay: Decay,
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
        /// What pulls the weights towards zero.
        decay: Decay,
    },
}

/// What pulls the connection weights towards zero: never biases or the parameters of a normalisation, whose size says
/// how the layer is centred and scaled and not how complicated its function is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Decay {
    /// Nothing.
    #[default]
    None,
    /// `g ← g + λ θ` before everything else: the gradient of `½ λ ‖θ‖²` joins that of the loss.
    Penalty(f64),
    /// `θ ← (1 − η λ) θ` before the step, which the moments do not see (Loshchilov & Hutter, ICLR 2019).
    Decoupled(f64),
}

impl Optimiser {
    /// Stochastic gradient descent with momentum 0.9.
    pub const fn sgd(learning_rate: f64) -> Self {
        Optimiser::Sgd {
            learning_rate,
            momentum: 0.9,
            nesterov: false,
            decay: Decay::None,
        }
    }

    /// Adam with its published constants.
    pub const fn adam(learning_rate: f64) -> Self {
        Optimiser::Adam {
            learning_rate,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            decay: Decay::None,
        }
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

    /// What pulls the weights towards zero.
    pub fn decay(&self) -> Decay {
        match *self {
            Optimiser::Sgd { decay, .. } | Optimiser::Adam { decay, .. } => decay,
        }
    }

    /// The same optimiser with another decay.
    pub fn with_decay(mut self, new: Decay) -> Self {
        match &mut self {
            Optimiser::Sgd { decay, .. } | Optimiser::Adam { decay, .. } => *decay = new,
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
        let fraction = |name: &str, value: f64| {
            if (0.0..1.0).contains(&value) {
                Ok(())
            } else {
                Err(Error::argument(name, "a number in [0, 1)", value))
            }
        };
        positive("learning rate", self.learning_rate())?;
        match self.decay() {
            Decay::None => {}
            Decay::Penalty(strength) => positive("weight decay", strength)?,
            Decay::Decoupled(strength) => {
                positive("decoupled decay", strength)?;
                fraction("learning rate times decoupled decay", self.learning_rate() * strength)?;
            }
        }
        match *self {
            Optimiser::Sgd { momentum, nesterov, .. } => {
                fraction("momentum", momentum)?;
                if nesterov && momentum == 0.0 {
                    return Err(Error::argument("momentum", "above 0 for nesterov", momentum));
                }
                Ok(())
            }
            Optimiser::Adam {
                beta1, beta2, epsilon, ..
            } => {
                fraction("beta1", beta1)?;
                fraction("beta2", beta2)?;
                positive("epsilon", epsilon)
            }
        }
    }

    /// The decay of one step, to be called before [`Optimiser::step`]: on `theta` where it is decoupled, else on the
    /// `gradient`, and only within the ranges of `weights`. A pruned weight is zero and stays so.
    ///
    /// Cost: one pass over the weights; nothing without decay.
    ///
    /// # Panics
    /// When a range does not fit: a bug of the caller.
    pub fn decay_weights<T: Real>(&self, theta: &mut [T], gradient: &mut [T], weights: &[Range<usize>]) {
        match self.decay() {
            Decay::None => {}
            Decay::Penalty(strength) => {
                let strength = T::of(strength);
                for range in weights {
                    for (g, w) in gradient[range.clone()].iter_mut().zip(&theta[range.clone()]) {
                        *g += strength * *w;
                    }
                }
            }
            Decay::Decoupled(strength) => {
                let kept = T::of(1.0 - self.learning_rate() * strength);
                for range in weights {
                    theta[range.clone()].iter_mut().for_each(|w| *w *= kept);
                }
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
                nesterov,
                ..
            } => {
                let step = SgdStep {
                    theta,
                    velocity: &mut moments.first,
                    gradient,
                    keep,
                    rate: T::of(learning_rate),
                    momentum: T::of(momentum),
                };
                if nesterov {
                    Arch::new().dispatch(NesterovStep(step));
                } else {
                    Arch::new().dispatch(step);
                }
            }
            Optimiser::Adam {
                learning_rate,
                beta1,
                beta2,
                epsilon,
                ..
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

struct NesterovStep<'a, T>(SgdStep<'a, T>);

impl<T: Real> WithSimd for NesterovStep<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let step = self.0;
        let n = step.theta.len();
        let (velocity, gradient, keep) = (&mut step.velocity[..n], &step.gradient[..n], &step.keep[..n]);
        for i in 0..n {
            let g = gradient[i];
            let moved = flush(step.momentum * velocity[i] + g);
            let next = step.theta[i] - step.rate * (g + step.momentum * moved);
            velocity[i] = if keep[i] { moved } else { T::ZERO };
            step.theta[i] = if keep[i] { next } else { T::ZERO };
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
