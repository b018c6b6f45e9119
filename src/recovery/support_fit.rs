//! Least squares on some columns, with detection of dependent ones.

use super::common::column_cost;
use crate::linalg::cholesky::UpdatableCholesky;
use crate::linalg::columns::{correlate, distance, subtract};
use crate::linalg::{gemm, norm};
use crate::operators::MeasurementOperator;
use nalgebra::DMatrix;

/// A column nearer than this to the span of those before it, relative to its length, takes no part in a fit.
const DEPENDENT: f64 = 1e-8;

/// `argmin ‖y − A_S x_S‖₂` on one support after another, keeping the memory.
///
/// Columns are scaled to length 1 and factored by Cholesky through their Gram matrix in the order offered; a column
/// whose distance from the span of those before it is below 1e-8 of its length, and a zero column, get the value 0. One
/// step of iterative refinement takes the error from `κ(A_S)² ε` to about `κ(A_S) ε` where `κ(A_S)² ε` is well
/// below 1. Cost: the columns, `2mk²` operations for the Gram matrix and `k³/3` for the factor.
#[derive(Debug, Default)]
pub(super) struct SupportFit {
    /// The value of every column offered.
    pub values: Vec<f64>,
    /// The residual `y − A_S x_S`.
    pub r: Vec<f64>,
    /// Operator applications spent in all fits.
    pub applications: f64,
    columns: Vec<f64>,
    lengths: Vec<f64>,
    gram: Vec<f64>,
    kept: Vec<usize>,
    factor: UpdatableCholesky,
    coefficients: Vec<f64>,
    correction: Vec<f64>,
    work: Vec<f64>,
}

impl SupportFit {
    /// Fits `y` on the columns `support`.
    pub fn fit(&mut self, a: &dyn MeasurementOperator, y: &[f64], support: &[usize]) {
        let rows = y.len();
        self.fetch(a, rows, support);
        self.factorise(rows, support.len());
        let columns = &self.columns[..self.kept.len() * rows];
        self.coefficients.resize(self.kept.len(), 0.0);
        self.correction.resize(self.kept.len(), 0.0);
        self.r.clear();
        self.r.extend_from_slice(y);
        self.coefficients.fill(0.0);
        // The first round solves, the second refines by what the residual still holds of the columns.
        for _ in 0..2 {
            correlate(columns, &self.r, &mut self.correction);
            self.factor.solve_in_place(&mut self.correction);
            for (c, d) in self.coefficients.iter_mut().zip(&self.correction) {
                *c += d;
            }
            self.r.copy_from_slice(y);
            subtract(columns, &self.coefficients, &mut self.r);
        }
        self.values.clear();
        self.values.resize(support.len(), 0.0);
        for (&position, c) in self.kept.iter().zip(&self.coefficients) {
            self.values[position] = c / self.lengths[position];
        }
    }

    /// Writes the fitted values into a dense vector of zeros elsewhere.
    pub fn scatter_into(&self, support: &[usize], dense: &mut [f64]) {
        dense.fill(0.0);
        for (&j, &v) in support.iter().zip(&self.values) {
            dense[j] = v;
        }
    }

    /// Columns at unit length; those of no length stay zero.
    fn fetch(&mut self, a: &dyn MeasurementOperator, rows: usize, support: &[usize]) {
        let mut storage = std::mem::take(&mut self.columns);
        storage.resize(rows * support.len(), 0.0);
        let mut matrix = DMatrix::from_vec(rows, support.len(), storage);
        a.columns_into(support, &mut matrix);
        self.applications += column_cost(a.shape(), support.len());
        self.columns = matrix.data.into();
        self.lengths.clear();
        for column in self.columns.chunks_exact_mut(rows) {
            let length = norm(column);
            let scale = length.recip();
            // The reciprocal of a subnormal length is infinite: such a column is zero to working precision.
            let usable = scale.is_finite() && scale > 0.0;
            column
                .iter_mut()
                .for_each(|v| *v = if usable { *v * scale } else { 0.0 });
            self.lengths.push(if usable { length } else { 0.0 });
        }
    }

    /// Factors the independent columns and moves them to the front.
    fn factorise(&mut self, rows: usize, count: usize) {
        self.gram.clear();
        self.gram.resize(count * count, 0.0);
        // Columns one after the other are the rows of the transpose.
        gemm(
            count,
            rows,
            count,
            &self.columns,
            false,
            &self.columns,
            true,
            &mut self.gram,
            false,
        );
        self.kept.clear();
        self.factor.clear();
        for position in 0..count {
            if self.lengths[position] == 0.0 {
                continue;
            }
            let row = &self.gram[position * count..][..count];
            self.work.clear();
            self.work.extend(self.kept.iter().map(|&i| row[i]));
            let (before, rest) = self.columns.split_at(position * rows);
            let column = &rest[..rows];
            let before = &before[..self.kept.len() * rows];
            let away = |w: &[f64]| distance(before, w, column);
            let pivot = self.factor.append_measured(&self.work, row[position], DEPENDENT, away);
            if pivot.accepted {
                let from = position * rows;
                self.columns.copy_within(from..from + rows, self.kept.len() * rows);
                self.kept.push(position);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::dense::singular_values;
    use crate::operators::{DenseOperator, GaussianEnsemble, ScaledColumns};
    use crate::recovery::reference::{least_squares, normal_vector};
    use crate::seed::Seed;

    #[test]
    fn it_agrees_with_singular_values_whatever_the_scale_of_the_columns() {
        let seed = Seed::root(1);
        let a = GaussianEnsemble { rows: 15, columns: 12 }.draw(&seed).unwrap();
        let y = normal_vector(15, &seed);
        let mut fit = SupportFit::default();
        // Large supports and small ones in turn: nothing of an earlier fit stays.
        for support in [vec![3, 0, 7, 11, 5, 1, 2], vec![4], (0..12).collect(), vec![9, 2]] {
            let columns = a.matrix().select_columns(&support);
            let expected = least_squares(&columns, &y);
            let spectrum = singular_values(&columns).unwrap();
            let condition = spectrum[0] / spectrum[spectrum.len() - 1];
            for scale in [1.0, 1e-200, 1e200] {
                let scaled = ScaledColumns::new(&a, vec![scale; 12]).unwrap();
                fit.fit(&scaled, &y, &support);
                for (found, expected) in fit.values.iter().zip(expected.iter()) {
                    // Least squares perturbation: κ² ε ‖y‖/σ_min covers both solutions; m terms a sum.
                    let bound = 15.0 * condition * condition * f64::EPSILON * norm(&y) / spectrum[spectrum.len() - 1];
                    assert!((found * scale - expected).abs() <= bound, "{scale} {found} {expected}");
                }
            }
            fit.fit(&a, &y, &support);
            let mut rest = vec![0.0; support.len()];
            correlate(columns.as_slice(), &fit.r, &mut rest);
            // The residual is orthogonal to the columns: 2m roundings of entries of size ‖y‖, times κ for the solve.
            let bound = 2.0 * 15.0 * condition * f64::EPSILON * norm(&y) * spectrum[0];
            assert!(rest.iter().all(|c| c.abs() <= bound), "{rest:?}");
        }
    }

    #[test]
    fn repeated_dependent_and_zero_columns_get_zero_and_the_fit_stays_best() {
        let seed = Seed::root(2);
        let base = GaussianEnsemble { rows: 6, columns: 3 }.draw(&seed).unwrap();
        let mut matrix = base.matrix().clone().insert_columns(3, 3, 0.0);
        let copy = matrix.column(1) * -3.0;
        let sum = matrix.column(0) + matrix.column(2);
        matrix.set_column(3, &copy);
        matrix.set_column(5, &sum);
        let a = DenseOperator::new(matrix).unwrap();
        let y = normal_vector(6, &seed);
        let (mut whole, mut part) = (SupportFit::default(), SupportFit::default());
        whole.fit(&a, &y, &[0, 1, 2, 3, 4, 5]);
        part.fit(&a, &y, &[0, 1, 2]);
        assert_eq!(whole.values[..3], part.values[..]);
        assert_eq!(whole.values[3..], [0.0; 3]);
        assert_eq!(whole.r, part.r);
    }

    #[test]
    fn more_columns_than_rows_interpolate_with_as_many_as_the_rank() {
        let seed = Seed::root(3);
        let a = GaussianEnsemble { rows: 5, columns: 9 }.draw(&seed).unwrap();
        let y = normal_vector(5, &seed);
        let mut fit = SupportFit::default();
        fit.fit(&a, &y, &(0..9).collect::<Vec<_>>());
        assert!(fit.values[..5].iter().all(|&v| v != 0.0) && fit.values[5..] == [0.0; 4]);
        let spectrum = singular_values(&a.matrix().columns(0, 5).into_owned()).unwrap();
        assert!(norm(&fit.r) <= 25.0 * f64::EPSILON * norm(&y) * spectrum[0] / spectrum[4]);
    }
}
