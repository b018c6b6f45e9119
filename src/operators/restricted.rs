//! Some columns of another operator.

use super::{MeasurementOperator, Shape};
use crate::error::{Error, Result};
use crate::support::Support;
use nalgebra::DMatrix;

/// The operator `A_S`: the columns `S` of `A`, in ascending order.
///
/// ```
/// use nalgebra::dmatrix;
/// use ticketsense::Support;
/// use ticketsense::operators::{DenseOperator, MeasurementOperator, Restricted};
/// let a = DenseOperator::new(dmatrix![1.0, 2.0, 3.0; 4.0, 5.0, 6.0])?;
/// let outer = Restricted::new(&a, Support::new(vec![0, 2], 3)?)?;
/// assert_eq!(outer.apply(&[1.0, 1.0])?, [4.0, 10.0]);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Debug)]
pub struct Restricted<'a> {
    inner: &'a dyn MeasurementOperator,
    support: Support,
}

impl<'a> Restricted<'a> {
    /// Restricts an operator to the columns of a support.
    ///
    /// # Errors
    /// [`Error::Shape`] when the support has another dimension than the operator has columns, or is empty.
    pub fn new(inner: &'a dyn MeasurementOperator, support: Support) -> Result<Self> {
        let columns = inner.shape().columns;
        if support.dimension() != columns || support.is_empty() {
            return Err(Error::shape(
                "support of a restricted operator",
                format!("at least one of {columns} columns"),
                format!("{} of {}", support.len(), support.dimension()),
            ));
        }
        Ok(Restricted { inner, support })
    }

    /// The columns kept.
    pub fn support(&self) -> &Support {
        &self.support
    }

    fn outer(&self, local: &[usize]) -> Vec<usize> {
        local.iter().map(|&j| self.support.indices()[j]).collect()
    }
}

impl MeasurementOperator for Restricted<'_> {
    fn shape(&self) -> Shape {
        Shape {
            rows: self.inner.shape().rows,
            columns: self.support.len(),
        }
    }

    fn apply_into(&self, x: &[f64], y: &mut [f64]) {
        self.inner.apply_sparse_into(self.support.indices(), x, y);
    }

    fn adjoint_into(&self, y: &[f64], x: &mut [f64]) {
        assert_eq!(x.len(), self.support.len(), "adjoint: length of the result");
        if let Some(matrix) = self.inner.as_dense() {
            let rows = matrix.nrows();
            for (out, &j) in x.iter_mut().zip(self.support.indices()) {
                *out = crate::linalg::dot(&matrix.as_slice()[j * rows..(j + 1) * rows], y);
            }
            return;
        }
        let mut full = vec![0.0; self.inner.shape().columns];
        self.inner.adjoint_into(y, &mut full);
        for (out, &j) in x.iter_mut().zip(self.support.indices()) {
            *out = full[j];
        }
    }

    fn apply_sparse_into(&self, support: &[usize], values: &[f64], y: &mut [f64]) {
        self.inner.apply_sparse_into(&self.outer(support), values, y);
    }

    fn columns_into(&self, support: &[usize], out: &mut DMatrix<f64>) {
        self.inner.columns_into(&self.outer(support), out);
    }

    fn column_norms(&self) -> Vec<f64> {
        let norms = self.inner.column_norms();
        self.support.indices().iter().map(|&j| norms[j]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::{GaussianEnsemble, MatrixFree, dot_test};
    use crate::seed::Seed;

    #[test]
    fn it_passes_the_dot_test_over_stored_and_over_matrix_free_operators() {
        let a = GaussianEnsemble { rows: 9, columns: 20 }.draw(&Seed::root(1)).unwrap();
        let free = MatrixFree::wrapping(&a);
        for inner in [&a as &dyn MeasurementOperator, &free] {
            let restricted = Restricted::new(inner, Support::new(vec![19, 3, 4, 11], 20).unwrap()).unwrap();
            dot_test::check(&restricted, &Seed::root(2)).unwrap();
            assert_eq!(restricted.to_dense(), a.matrix().select_columns(&[3, 4, 11, 19]));
        }
    }

    #[test]
    fn a_support_of_another_dimension_and_an_empty_one_are_refused() {
        let a = GaussianEnsemble { rows: 3, columns: 5 }.draw(&Seed::root(1)).unwrap();
        for support in [Support::new(vec![1], 4).unwrap(), Support::new(vec![], 5).unwrap()] {
            assert!(matches!(Restricted::new(&a, support), Err(Error::Shape { .. })));
        }
    }
}
