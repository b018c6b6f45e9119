//! The extreme singular values of an operator.

use super::Estimator;
use crate::error::Result;
use crate::linalg::dense::singular_values;
use crate::linalg::lanczos::Lanczos;
use crate::linalg::norm;
use crate::operators::MeasurementOperator;
use crate::outcome::{Certainty, Estimate};
use crate::seed::Seed;

/// The largest and the smallest of the `min(m, n)` singular values.
///
/// By a full decomposition while the smaller dimension is at most `dense_up_to`, exact up to rounding; otherwise by
/// Golub-Kahan bidiagonalisation: the largest Ritz value is a lower bound of `‖A‖` (with `‖A‖_F` as the upper one), the
/// smallest an upper bound of the smallest singular value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SingularExtremes {
    /// The largest smaller dimension that is decomposed in full.
    pub dense_up_to: usize,
    /// The Krylov method beyond.
    pub lanczos: Lanczos,
}

impl Default for SingularExtremes {
    /// A full decomposition up to 400.
    fn default() -> Self {
        SingularExtremes {
            dense_up_to: 400,
            lanczos: Lanczos::default(),
        }
    }
}

/// The two extreme singular values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SingularRange {
    /// The largest singular value, or the largest Ritz value.
    pub largest: f64,
    /// What is known about `largest`.
    pub largest_certainty: Certainty,
    /// The smallest of the `min(m, n)` singular values, or the smallest Ritz value.
    pub smallest: f64,
    /// What is known about `smallest`.
    pub smallest_certainty: Certainty,
    /// Radius around `largest` and `smallest` within which some singular value lies; 0 for a full decomposition.
    pub residual_norms: (f64, f64),
}

impl Estimator for SingularExtremes {
    type Quantity = SingularRange;

    /// The certainty of the estimate is that of the largest singular value.
    fn estimate(&self, a: &dyn MeasurementOperator, seed: &Seed) -> Result<Estimate<SingularRange>> {
        let shape = a.shape();
        if shape.rows.min(shape.columns) <= self.dense_up_to {
            let values = match a.as_dense() {
                Some(matrix) => singular_values(matrix)?,
                None => singular_values(&a.to_dense())?,
            };
            let range = SingularRange {
                largest: values.first().copied().unwrap_or(0.0),
                largest_certainty: Certainty::Exact,
                smallest: values.last().copied().unwrap_or(0.0),
                smallest_certainty: Certainty::Exact,
                residual_norms: (0.0, 0.0),
            };
            return Ok(Estimate::exact(range, 1.0));
        }
        let found = self.lanczos.singular_values(
            shape.rows,
            shape.columns,
            |x, y| a.apply_into(x, y),
            |y, x| a.adjoint_into(y, x),
            &seed.stream("singular extremes"),
        )?;
        let frobenius = norm(&a.column_norms());
        let largest = found.largest();
        let certainty = Certainty::Interval {
            lower: largest.value,
            upper: frobenius.max(largest.value),
        };
        let range = SingularRange {
            largest: largest.value,
            largest_certainty: certainty,
            smallest: found.smallest().value,
            smallest_certainty: Certainty::UpperBound,
            residual_norms: (largest.residual_norm, found.smallest().residual_norm),
        };
        Ok(Estimate::new(range, certainty, found.applications as f64 + 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::DenseOperator;
    use nalgebra::DMatrix;
    use rand::RngExt;
    use rand_distr::StandardNormal;

    #[test]
    fn the_krylov_bounds_enclose_what_the_full_decomposition_finds() {
        for (m, n) in [(30, 50), (50, 30)] {
            let mut rng = Seed::root(m as u64).stream("matrix").rng();
            let matrix = DMatrix::from_fn(m, n, |_, _| rng.sample(StandardNormal));
            let a = DenseOperator::new(matrix).unwrap();
            let full = SingularExtremes::default().estimate(&a, &Seed::root(1)).unwrap();
            assert_eq!(full.certainty, Certainty::Exact);
            let krylov = SingularExtremes {
                dense_up_to: 0,
                lanczos: Lanczos {
                    max_steps: 12,
                    tolerance: 0.0,
                },
            };
            let bound = krylov.estimate(&a, &Seed::root(1)).unwrap();
            let rounding = 1e3 * f64::EPSILON * full.value.largest;
            let Certainty::Interval { lower, upper } = bound.certainty else {
                panic!("{bound:?}")
            };
            assert!(lower <= full.value.largest + rounding && full.value.largest <= upper);
            assert!(bound.value.smallest >= full.value.smallest - rounding);
            // Twelve steps leave both ends open, so the bounds are strict.
            assert!(lower < full.value.largest - rounding);
            assert_eq!(bound.applications, 25.0);
        }
    }
}
