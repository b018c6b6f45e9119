//! Activation functions with their first two derivatives.

use super::real::Real;
use crate::error::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// A function applied to every pre-activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Activation {
    /// `max(0, x)`; its derivative at 0 is taken as 0.
    Relu,
    /// `tanh x`.
    Tanh,
    /// `erf x = 2/√π ∫₀ˣ exp(−t²) dt`.
    Erf,
    /// `x Φ(x)` with the normal distribution function Φ: the exact form, not the tanh approximation.
    Gelu,
    /// `x`.
    Linear,
}

/// `2/√π`.
const ERF_SLOPE: f64 = std::f64::consts::FRAC_2_SQRT_PI;

impl Activation {
    /// Every activation.
    pub const ALL: [Activation; 5] = [
        Activation::Relu,
        Activation::Tanh,
        Activation::Erf,
        Activation::Gelu,
        Activation::Linear,
    ];

    /// The word in preset names.
    pub fn as_str(self) -> &'static str {
        match self {
            Activation::Relu => "relu",
            Activation::Tanh => "tanh",
            Activation::Erf => "erf",
            Activation::Gelu => "gelu",
            Activation::Linear => "linear",
        }
    }

    /// `φ(x)`.
    #[inline(always)]
    pub fn value<T: Real>(self, x: T) -> T {
        match self {
            Activation::Relu => {
                if x > T::ZERO {
                    x
                } else {
                    T::ZERO
                }
            }
            Activation::Tanh => x.tanh(),
            Activation::Erf => Real::erf(x),
            Activation::Gelu => x * x.normal_cdf(),
            Activation::Linear => x,
        }
    }

    /// `φ′(x)`.
    #[inline(always)]
    pub fn derivative<T: Real>(self, x: T) -> T {
        match self {
            Activation::Relu => {
                if x > T::ZERO {
                    T::ONE
                } else {
                    T::ZERO
                }
            }
            Activation::Tanh => {
                let h = x.tanh();
                T::ONE - h * h
            }
            Activation::Erf => T::of(ERF_SLOPE) * Real::exp(-(x * x)),
            Activation::Gelu => x.normal_cdf() + x * x.normal_pdf(),
            Activation::Linear => T::ONE,
        }
    }

    /// `φ″(x)`; zero everywhere for ReLU, whose kink carries no mass.
    pub fn second_derivative<T: Real>(self, x: T) -> T {
        match self {
            Activation::Relu | Activation::Linear => T::ZERO,
            Activation::Tanh => {
                let h = x.tanh();
                T::of(-2.0) * h * (T::ONE - h * h)
            }
            Activation::Erf => T::of(-2.0 * ERF_SLOPE) * x * Real::exp(-(x * x)),
            Activation::Gelu => x.normal_pdf() * (T::of(2.0) - x * x),
        }
    }

    /// Whether `φ(c x) = c φ(x)` for every `c > 0`: then Euler's identity holds for networks without biases.
    pub fn is_homogeneous(self) -> bool {
        matches!(self, Activation::Relu | Activation::Linear)
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Activation {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        Activation::ALL
            .into_iter()
            .find(|a| a.as_str() == word)
            .ok_or_else(|| Error::unknown("activation", word, Activation::ALL.map(Activation::as_str)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activations_have_their_known_values() {
        assert_eq!(Activation::Relu.value(-2.0f64), 0.0);
        assert_eq!(Activation::Relu.derivative(0.0f64), 0.0);
        assert_eq!(Activation::Linear.value(3.5f64), 3.5);
        // erf(1) from Abramowitz & Stegun table 7.1; gelu(1) = Φ(1); tanh(1) = (e² − 1)/(e² + 1).
        assert!((Activation::Erf.value(1.0f64) - 0.842_700_792_949_714_9).abs() <= 4.0 * f64::EPSILON);
        assert!((Activation::Gelu.value(1.0f64) - 0.841_344_746_068_542_9).abs() <= 4.0 * f64::EPSILON);
        assert!((Activation::Tanh.value(1.0f64) - 0.761_594_155_955_764_9).abs() <= 4.0 * f64::EPSILON);
    }

    #[test]
    fn derivatives_match_central_differences() {
        for activation in Activation::ALL {
            for x in [-3.1, -1.0, -0.2, 0.3, 0.9, 2.4] {
                let h = 1e-5;
                // Truncation h²/6 · max|φ‴| (below 8 for all of these) plus rounding 2ε/h, both times 2 for safety of φ″.
                let tolerance = 2.0 * (8.0 * h * h / 6.0 + 4.0 * f64::EPSILON / h);
                let first = (activation.value(x + h) - activation.value(x - h)) / (2.0 * h);
                let second = (activation.derivative(x + h) - activation.derivative(x - h)) / (2.0 * h);
                assert!(
                    (first - activation.derivative(x)).abs() <= tolerance,
                    "{activation} at {x}"
                );
                assert!(
                    (second - activation.second_derivative(x)).abs() <= tolerance,
                    "{activation} at {x}"
                );
            }
        }
    }

    #[test]
    fn names_are_read_back_and_a_slip_is_met_with_a_suggestion() {
        for activation in Activation::ALL {
            assert_eq!(activation.as_str().parse::<Activation>().unwrap(), activation);
        }
        let error = "geluu".parse::<Activation>().unwrap_err().to_string();
        assert!(error.contains("did you mean 'gelu'"), "{error}");
    }
}
