//! Random signs.

use super::DenseOperator;
use super::ensemble::storable;
use crate::error::Result;
use crate::seed::Seed;
use nalgebra::DMatrix;
use rand::RngExt;

/// Matrices with independent entries `±1/√rows`, each sign equally likely, whose columns have length 1.
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::operators::RademacherEnsemble;
/// let a = RademacherEnsemble { rows: 4, columns: 9 }.draw(&Seed::root(0))?;
/// assert!(a.matrix().iter().all(|v| v.abs() == 0.5));
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RademacherEnsemble {
    /// Measurements, m.
    pub rows: usize,
    /// Unknowns, n.
    pub columns: usize,
}

impl RademacherEnsemble {
    /// Draws one matrix, column by column from the stream `rademacher` of `seed`. Cost: `mn` random signs.
    ///
    /// # Errors
    /// [`crate::Error::Argument`] when a dimension is 0 or the matrix cannot be addressed.
    pub fn draw(&self, seed: &Seed) -> Result<DenseOperator> {
        let length = storable("Rademacher ensemble", self.rows, self.columns)?;
        let size = (self.rows as f64).sqrt().recip();
        let mut rng = seed.stream("rademacher").rng();
        let entries = (0..length)
            .map(|_| if rng.random::<bool>() { size } else { -size })
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
    fn a_draw_passes_the_dot_test_has_unit_columns_and_repeats_by_its_seed() {
        let ensemble = RademacherEnsemble { rows: 13, columns: 29 };
        let a = ensemble.draw(&Seed::root(4)).unwrap();
        dot_test::check(&a, &Seed::root(5)).unwrap();
        assert_eq!(a, ensemble.draw(&Seed::root(4)).unwrap());
        assert_ne!(a, ensemble.draw(&Seed::root(4).replicate(1)).unwrap());
        // Thirteen squares of one rounded number.
        assert!(a.column_norms().iter().all(|n| (n - 1.0).abs() <= 14.0 * f64::EPSILON));
    }

    #[test]
    fn signs_are_balanced_and_columns_uncorrelated_within_their_standard_errors() {
        let (rows, columns) = (100, 300);
        let a = RademacherEnsemble { rows, columns }.draw(&Seed::root(6)).unwrap();
        let positive = a.matrix().iter().filter(|v| **v > 0.0).count() as f64;
        let total = (rows * columns) as f64;
        // A binomial count of 30,000 halves: five standard deviations of √(N/4).
        assert!(
            (positive - total / 2.0).abs() <= 5.0 * (total / 4.0).sqrt(),
            "{positive}"
        );
        // Neighbouring columns: n − 1 cosines of variance 1/m, so their mean square 1/m has relative error √(2/(n−1)).
        let square: f64 = (1..columns)
            .map(|j| a.matrix().column(j).dot(&a.matrix().column(j - 1)).powi(2))
            .sum();
        let mean = square * rows as f64 / (columns - 1) as f64;
        assert!(
            (mean - 1.0).abs() <= 5.0 * (2.0 / (columns - 1) as f64).sqrt(),
            "{mean}"
        );
    }

    #[test]
    fn an_empty_or_unaddressable_matrix_is_refused() {
        for (rows, columns) in [(0, 3), (3, 0), (usize::MAX, 2)] {
            let refused = RademacherEnsemble { rows, columns }.draw(&Seed::root(0));
            assert!(matches!(refused, Err(Error::Argument { .. })));
        }
    }
}
