//! Random signs at random places.

use super::DenseOperator;
use super::ensemble::storable;
use crate::error::{Error, Result};
use crate::seed::Seed;
use nalgebra::DMatrix;
use rand::RngExt;

/// Matrices with independent entries that are 0 with probability `1 − density` and else `±1/√(density · rows)`, whose
/// columns have expected squared length 1.
///
/// At density 1 these are random signs throughout; at density 1/3 the signs of Achlioptas (2003). A column is zero with
/// probability `(1 − density)^rows`.
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::operators::SparseSignEnsemble;
/// let a = SparseSignEnsemble { rows: 8, columns: 20, density: 0.5 }.draw(&Seed::root(0))?;
/// assert!(a.matrix().iter().all(|v| *v == 0.0 || v.abs() == 0.5));
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SparseSignEnsemble {
    /// Measurements, m.
    pub rows: usize,
    /// Unknowns, n.
    pub columns: usize,
    /// Expected fraction of nonzero entries, in `(0, 1]`.
    pub density: f64,
}

impl SparseSignEnsemble {
    /// Draws one matrix, column by column from the stream `sparse-signs` of `seed`. Cost: `mn` random numbers.
    ///
    /// # Errors
    /// [`Error::Argument`] when a dimension is 0, the matrix cannot be addressed, or the density is not in `(0, 1]`.
    pub fn draw(&self, seed: &Seed) -> Result<DenseOperator> {
        let length = storable("sparse sign ensemble", self.rows, self.columns)?;
        let size = (self.density * self.rows as f64).sqrt().recip();
        if !(self.density > 0.0 && self.density <= 1.0 && size.is_finite()) {
            return Err(Error::argument("density", "a number in (0, 1]", self.density));
        }
        let mut rng = seed.stream("sparse-signs").rng();
        let entries = (0..length)
            .map(|_| {
                // One uniform number serves both: its place below the density tells the sign.
                let u: f64 = rng.random();
                if u >= self.density {
                    0.0
                } else if u < 0.5 * self.density {
                    size
                } else {
                    -size
                }
            })
            .collect();
        DenseOperator::new(DMatrix::from_vec(self.rows, self.columns, entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::{MeasurementOperator, dot_test};

    #[test]
    fn a_draw_passes_the_dot_test_and_repeats_by_its_seed() {
        let ensemble = SparseSignEnsemble {
            rows: 13,
            columns: 29,
            density: 0.3,
        };
        let a = ensemble.draw(&Seed::root(4)).unwrap();
        dot_test::check(&a, &Seed::root(5)).unwrap();
        assert_eq!(a, ensemble.draw(&Seed::root(4)).unwrap());
        assert_ne!(a, ensemble.draw(&Seed::root(4).replicate(1)).unwrap());
    }

    #[test]
    fn places_and_signs_have_their_frequencies_and_columns_their_length() {
        let (rows, columns, density) = (100, 400, 0.2);
        let a = SparseSignEnsemble { rows, columns, density }
            .draw(&Seed::root(6))
            .unwrap();
        let total = (rows * columns) as f64;
        let positive = a.matrix().iter().filter(|v| **v > 0.0).count() as f64;
        let negative = a.matrix().iter().filter(|v| **v < 0.0).count() as f64;
        for count in [positive, negative] {
            let half = 0.5 * density;
            // A binomial count: five standard deviations.
            assert!(
                (count - half * total).abs() <= 5.0 * (half * (1.0 - half) * total).sqrt(),
                "{count}"
            );
        }
        let mean = a.column_norms().iter().map(|l| l * l).sum::<f64>() / columns as f64;
        // The count of nonzeros over its mean.
        assert!(
            (mean - 1.0).abs() <= 5.0 * ((1.0 - density) / (density * total)).sqrt(),
            "{mean}"
        );
        let full = SparseSignEnsemble {
            rows,
            columns,
            density: 1.0,
        };
        assert!(
            full.draw(&Seed::root(6))
                .unwrap()
                .matrix()
                .iter()
                .all(|v| v.abs() == 0.1)
        );
    }

    #[test]
    fn a_density_outside_its_range_and_an_empty_matrix_are_refused() {
        for (rows, density) in [(3, 0.0), (3, 1.5), (3, f64::NAN), (0, 0.5)] {
            let ensemble = SparseSignEnsemble {
                rows,
                columns: 3,
                density,
            };
            assert!(matches!(ensemble.draw(&Seed::root(0)), Err(Error::Argument { .. })));
        }
    }
}
