//! A matrix held in memory, column by column.

use super::{MeasurementOperator, Shape};
use crate::error::{Error, Result, require_finite};
use crate::linalg::columns::{accumulate_of, correlate};
use crate::linalg::norm;
use nalgebra::DMatrix;

/// A stored matrix `A ∈ ℝ^{m×n}`, finite and not empty.
///
/// ```
/// use nalgebra::dmatrix;
/// use ticketsense::operators::{DenseOperator, MeasurementOperator};
/// let a = DenseOperator::new(dmatrix![1.0, 2.0; 0.0, 3.0])?;
/// assert_eq!(a.apply(&[1.0, 1.0])?, [3.0, 3.0]);
/// assert_eq!(a.adjoint(&[1.0, 1.0])?, [1.0, 5.0]);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct DenseOperator {
    matrix: DMatrix<f64>,
}

impl DenseOperator {
    /// Takes a matrix as an operator.
    ///
    /// # Errors
    /// [`Error::Shape`] when a dimension is 0, [`Error::NotFinite`] naming the first bad entry.
    pub fn new(matrix: DMatrix<f64>) -> Result<Self> {
        if matrix.is_empty() {
            return Err(Error::shape(
                "matrix",
                "at least one row and one column",
                format!("{}×{}", matrix.nrows(), matrix.ncols()),
            ));
        }
        require_finite("matrix", matrix.as_slice())?;
        Ok(DenseOperator { matrix })
    }

    /// The entries.
    pub fn matrix(&self) -> &DMatrix<f64> {
        &self.matrix
    }

    fn column(&self, j: usize) -> &[f64] {
        let rows = self.matrix.nrows();
        &self.matrix.as_slice()[j * rows..(j + 1) * rows]
    }
}

/// `y ← y + α x`.
pub(crate) fn axpy(alpha: f64, x: &[f64], y: &mut [f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += alpha * x;
    }
}

impl MeasurementOperator for DenseOperator {
    fn shape(&self) -> Shape {
        Shape {
            rows: self.matrix.nrows(),
            columns: self.matrix.ncols(),
        }
    }

    fn apply_into(&self, x: &[f64], y: &mut [f64]) {
        assert_eq!(
            (x.len(), y.len()),
            (self.matrix.ncols(), self.matrix.nrows()),
            "apply: lengths"
        );
        y.fill(0.0);
        for (j, &v) in x.iter().enumerate() {
            if v != 0.0 {
                axpy(v, self.column(j), y);
            }
        }
    }

    fn adjoint_into(&self, y: &[f64], x: &mut [f64]) {
        assert_eq!(
            (x.len(), y.len()),
            (self.matrix.ncols(), self.matrix.nrows()),
            "adjoint: lengths"
        );
        correlate(self.matrix.as_slice(), y, x);
    }

    fn apply_sparse_into(&self, support: &[usize], values: &[f64], y: &mut [f64]) {
        assert_eq!(
            (support.len(), y.len()),
            (values.len(), self.matrix.nrows()),
            "sparse product: lengths"
        );
        y.fill(0.0);
        accumulate_of(self.matrix.as_slice(), support, values, y);
    }

    fn columns_into(&self, support: &[usize], out: &mut DMatrix<f64>) {
        let rows = self.matrix.nrows();
        assert_eq!(out.shape(), (rows, support.len()), "columns: shape of the output");
        for (chunk, &j) in out.as_mut_slice().chunks_exact_mut(rows).zip(support) {
            chunk.copy_from_slice(self.column(j));
        }
    }

    fn column_norms(&self) -> Vec<f64> {
        (0..self.matrix.ncols()).map(|j| norm(self.column(j))).collect()
    }

    fn as_dense(&self) -> Option<&DMatrix<f64>> {
        Some(&self.matrix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::dot_test;
    use crate::seed::Seed;

    #[test]
    fn the_dense_operator_passes_the_dot_test() {
        let matrix = DMatrix::from_fn(7, 11, |i, j| ((i * 5 + j * 3) % 13) as f64 - 6.0);
        let a = DenseOperator::new(matrix).unwrap();
        dot_test::check(&a, &Seed::root(1)).unwrap();
    }

    #[test]
    fn an_empty_matrix_and_a_nan_are_refused() {
        assert!(matches!(
            DenseOperator::new(DMatrix::zeros(0, 3)),
            Err(Error::Shape { .. })
        ));
        assert!(matches!(
            DenseOperator::new(DMatrix::from_element(2, 2, f64::NAN)),
            Err(Error::NotFinite { .. })
        ));
    }
}
