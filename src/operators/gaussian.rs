//! The Gaussian ensemble, the reference of compressed sensing.

use super::DenseOperator;
use super::ensemble::storable;
use crate::error::Result;
use crate::seed::Seed;
use nalgebra::DMatrix;
use rand::RngExt;
use rand_distr::StandardNormal;

/// Matrices with independent entries `A_ij ~ N(0, 1/rows)`, whose columns have expected squared length 1.
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::operators::{GaussianEnsemble, MeasurementOperator};
/// let a = GaussianEnsemble { rows: 30, columns: 90 }.draw(&Seed::root(0))?;
/// assert_eq!(a.shape().to_string(), "30×90");
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GaussianEnsemble {
    /// Measurements, m.
    pub rows: usize,
    /// Unknowns, n.
    pub columns: usize,
}

impl GaussianEnsemble {
    /// Draws one matrix, column by column from the stream `gaussian` of `seed`. Cost: `mn` normal samples.
    ///
    /// # Errors
    /// [`crate::Error::Argument`] when a dimension is 0 or the matrix cannot be addressed.
    pub fn draw(&self, seed: &Seed) -> Result<DenseOperator> {
        let length = storable("Gaussian ensemble", self.rows, self.columns)?;
        let deviation = (self.rows as f64).sqrt().recip();
        let mut rng = seed.stream("gaussian").rng();
        let entries: Vec<f64> = (0..length)
            .map(|_| deviation * rng.sample::<f64, _>(StandardNormal))
            .collect();
        DenseOperator::new(DMatrix::from_vec(self.rows, self.columns, entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::operators::{MeasurementOperator, dot_test};

    #[test]
    fn a_draw_passes_the_dot_test_and_repeats_by_its_seed() {
        let ensemble = GaussianEnsemble { rows: 13, columns: 29 };
        let a = ensemble.draw(&Seed::root(4)).unwrap();
        dot_test::check(&a, &Seed::root(5)).unwrap();
        assert_eq!(a, ensemble.draw(&Seed::root(4)).unwrap());
        assert_ne!(a, ensemble.draw(&Seed::root(4).replicate(1)).unwrap());
    }

    #[test]
    fn the_mean_squared_column_length_is_one_within_its_standard_error() {
        let (rows, columns) = (50, 400);
        let a = GaussianEnsemble { rows, columns }.draw(&Seed::root(6)).unwrap();
        let mean = a.column_norms().iter().map(|l| l * l).sum::<f64>() / columns as f64;
        // Each squared length has variance 2/m, so the mean of n has standard error √(2/(mn)) = 0.01; five of them.
        assert!(
            (mean - 1.0).abs() <= 5.0 * (2.0 / (rows * columns) as f64).sqrt(),
            "{mean}"
        );
    }

    #[test]
    fn an_empty_or_unaddressable_matrix_is_refused() {
        for (rows, columns) in [(0, 3), (3, 0), (usize::MAX, 2)] {
            assert!(matches!(
                GaussianEnsemble { rows, columns }.draw(&Seed::root(0)),
                Err(Error::Argument { .. })
            ));
        }
    }
}
