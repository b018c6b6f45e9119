//! Gaussian columns that resemble their neighbours.

use super::DenseOperator;
use super::ensemble::storable;
use crate::error::{Error, Result};
use crate::seed::Seed;
use nalgebra::DMatrix;
use rand::RngExt;
use rand_distr::StandardNormal;

/// Matrices with independent Gaussian rows of an autoregressive process along the columns: `A_ij ~ N(0, 1/rows)` with
///
/// > `corr(A_ij, A_il) = correlation^|j − l|`.
///
/// Columns have expected squared length 1, and the expected cosine of neighbours is the correlation: the common hard case
/// for selection, where a wrong column explains nearly what the right one does. At correlation 0 the entries are
/// independent.
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::operators::{CorrelatedGaussianEnsemble, MeasurementOperator};
/// let a = CorrelatedGaussianEnsemble { rows: 30, columns: 90, correlation: 0.9 }.draw(&Seed::root(0))?;
/// assert_eq!(a.shape().to_string(), "30×90");
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CorrelatedGaussianEnsemble {
    /// Measurements, m.
    pub rows: usize,
    /// Unknowns, n.
    pub columns: usize,
    /// Correlation of neighbouring columns, in `(−1, 1)`.
    pub correlation: f64,
}

impl CorrelatedGaussianEnsemble {
    /// Draws one matrix, column by column from the stream `correlated-gaussian` of `seed`:
    /// `a_{j+1} = r a_j + √(1 − r²) g`. Cost: `mn` normal samples.
    ///
    /// # Errors
    /// [`Error::Argument`] when a dimension is 0, the matrix cannot be addressed, or the correlation is not in `(−1, 1)`.
    pub fn draw(&self, seed: &Seed) -> Result<DenseOperator> {
        let length = storable("correlated Gaussian ensemble", self.rows, self.columns)?;
        let r = self.correlation;
        if !(r > -1.0 && r < 1.0) {
            return Err(Error::argument("correlation", "a number in (−1, 1)", r));
        }
        let deviation = (self.rows as f64).sqrt().recip();
        let innovation = deviation * ((1.0 - r) * (1.0 + r)).sqrt();
        let mut rng = seed.stream("correlated-gaussian").rng();
        let mut entries: Vec<f64> = Vec::with_capacity(length);
        for i in 0..length {
            let g: f64 = rng.sample(StandardNormal);
            entries.push(if i < self.rows {
                deviation * g
            } else {
                r * entries[i - self.rows] + innovation * g
            });
        }
        DenseOperator::new(DMatrix::from_vec(self.rows, self.columns, entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::dot_test;

    #[test]
    fn a_draw_passes_the_dot_test_and_repeats_by_its_seed() {
        let ensemble = CorrelatedGaussianEnsemble {
            rows: 13,
            columns: 29,
            correlation: -0.7,
        };
        let a = ensemble.draw(&Seed::root(4)).unwrap();
        dot_test::check(&a, &Seed::root(5)).unwrap();
        assert_eq!(a, ensemble.draw(&Seed::root(4)).unwrap());
        assert_ne!(a, ensemble.draw(&Seed::root(4).replicate(1)).unwrap());
    }

    #[test]
    fn correlations_fall_by_the_power_of_the_distance_within_their_standard_errors() {
        // Rows are independent, so every pair of columns gives m independent products: their scaled sum has mean r^d and
        // variance (1 + r^2d)/m. Pairs far apart share nothing (r^60 < 1e-5), which leaves n/60 independent ones.
        let (rows, columns) = (500, 1200);
        for correlation in [0.8, -0.5, 0.0] {
            let ensemble = CorrelatedGaussianEnsemble {
                rows,
                columns,
                correlation,
            };
            let a = ensemble.draw(&Seed::root(6)).unwrap();
            for distance in [0, 1, 2, 5] {
                let cosines = (0..20).map(|b| {
                    let j = 60 * b;
                    a.matrix().column(j).dot(&a.matrix().column(j + distance))
                });
                let mean = cosines.sum::<f64>() / 20.0;
                let expected = correlation.powi(distance as i32);
                let error = ((1.0 + expected * expected) / (20 * rows) as f64).sqrt();
                assert!(
                    (mean - expected).abs() <= 5.0 * error,
                    "{correlation} {distance}: {mean}"
                );
            }
        }
    }

    #[test]
    fn a_correlation_of_one_and_an_empty_matrix_are_refused() {
        for (rows, correlation) in [(3, 1.0), (3, -1.0), (3, f64::NAN), (0, 0.5)] {
            let ensemble = CorrelatedGaussianEnsemble {
                rows,
                columns: 3,
                correlation,
            };
            assert!(matches!(ensemble.draw(&Seed::root(0)), Err(Error::Argument { .. })));
        }
    }
}
