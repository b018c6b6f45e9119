//! The numbers that networks are written for.

use crate::error::{Error, Result};
use crate::linalg::Scalar;
use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// A real number with the elementary functions that layers, losses and optimisers use: `f32` for training, `f64` for
/// Jacobians and Hessians.
pub trait Real: Scalar {
    /// The name used in files: `f32` or `f64`.
    const NAME: &'static str;
    /// Bytes a number takes.
    const BYTES: usize;
    /// Optimiser moments below this size are set to zero. Its square root is a gradient whose square would be as small,
    /// and both stay clear of the subnormal numbers, on which processors are slow.
    const NEGLIGIBLE: Self;

    /// `eˣ`.
    fn exp(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// Absolute value.
    fn magnitude(self) -> Self;
    /// Whether the number is neither infinite nor NaN.
    fn finite(self) -> bool;
    /// The error function `2/√π ∫₀ˣ exp(−t²) dt`, to the last bit or two.
    fn erf(self) -> Self {
        Self::of(libm::erf(self.to_f64()))
    }
    /// The standard normal distribution function, without cancellation in the lower tail.
    fn normal_cdf(self) -> Self {
        Self::of(0.5 * libm::erfc(-self.to_f64() * FRAC_1_SQRT_2))
    }
    /// The standard normal density.
    fn normal_pdf(self) -> Self {
        let x = self.to_f64();
        Self::of((-0.5 * x * x).exp() / (2.0 * PI).sqrt())
    }
    /// Appends the number's bytes, little-endian.
    fn push_bytes(self, out: &mut Vec<u8>);
    /// The number from its little-endian bytes.
    ///
    /// # Panics
    /// When there are not [`Real::BYTES`] of them: a bug of the caller.
    fn from_bytes(bytes: &[u8]) -> Self;
}

macro_rules! real {
    ($type:ident, $negligible:expr) => {
        impl Real for $type {
            const NAME: &'static str = stringify!($type);
            const BYTES: usize = size_of::<$type>();
            const NEGLIGIBLE: Self = $negligible;

            #[inline(always)]
            fn exp(self) -> Self {
                $type::exp(self)
            }
            #[inline(always)]
            fn ln(self) -> Self {
                $type::ln(self)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                $type::sqrt(self)
            }
            #[inline(always)]
            fn tanh(self) -> Self {
                $type::tanh(self)
            }
            #[inline(always)]
            fn magnitude(self) -> Self {
                $type::abs(self)
            }
            #[inline(always)]
            fn finite(self) -> bool {
                $type::is_finite(self)
            }
            fn push_bytes(self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
            fn from_bytes(bytes: &[u8]) -> Self {
                let mut exact = [0; size_of::<$type>()];
                exact.copy_from_slice(bytes);
                $type::from_le_bytes(exact)
            }
        }
    };
}

real!(f32, 1e-30);
real!(f64, 1e-290);

/// Refuses the first entry that is not finite.
///
/// # Errors
/// [`Error::NotFinite`] naming `what` and the entry.
pub fn require_finite<T: Real>(what: &str, values: &[T]) -> Result<()> {
    match values.iter().position(|v| !v.finite()) {
        None => Ok(()),
        Some(index) => Err(Error::NotFinite {
            what: what.to_string(),
            index,
            value: values[index].to_f64(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn erf_and_the_normal_law_have_their_tabulated_values() {
        // Abramowitz & Stegun, tables 7.1 and 26.1, and erfc(10/√2)/2 from the asymptotic series.
        assert!((Real::erf(0.5f64) - 0.520_499_877_813_046_5).abs() <= 4.0 * f64::EPSILON);
        assert!((1.0f64.normal_cdf() - 0.841_344_746_068_542_9).abs() <= 4.0 * f64::EPSILON);
        assert!(((-10.0f64).normal_cdf() / 7.619_853_024_160_527e-24 - 1.0).abs() <= 1e-12);
        assert!((0.0f64.normal_pdf() - 0.398_942_280_401_432_7).abs() <= f64::EPSILON);
    }

    #[test]
    fn bytes_give_the_number_back() {
        let mut bytes = Vec::new();
        (-1.5f32).push_bytes(&mut bytes);
        assert_eq!(bytes.len(), f32::BYTES);
        assert_eq!(f32::from_bytes(&bytes), -1.5);
    }
}
