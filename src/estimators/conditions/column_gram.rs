//! The Gram matrix that a recovery condition looks at: of columns, of weighted columns, or of a population.

use crate::error::{Error, Result, require_finite};
use crate::linalg::dense::{gram, symmetric_eigenvalues};
use crate::linalg::norm;
use crate::operators::{MeasurementOperator, check_vector};
use nalgebra::DMatrix;

/// The Gram matrix `G = AᵀA` of columns, or any positive semidefinite matrix in its place: `AᵀWA` with weights on the rows
/// (the Fisher information of a generalised linear model), or the covariance of a population.
///
/// It is kept as the lengths of the columns and their cosines, so that conditions are as sharp for columns of very
/// different lengths; a zero column has no cosine with any. Every computed cosine is within [`Self::cosine_error`] of the
/// true one. Cost: `mn²` operations.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnGram {
    lengths: Vec<f64>,
    cosines: DMatrix<f64>,
    cosine_error: f64,
}

impl ColumnGram {
    /// `AᵀA`.
    ///
    /// # Errors
    /// When the operator gives what is not finite, or a column is longer than any double.
    pub fn of(a: &dyn MeasurementOperator) -> Result<Self> {
        ColumnGram::of_columns(a.to_dense())
    }

    /// `Aᵀ diag(w) A` with a weight of at least 0 for every row.
    ///
    /// # Errors
    /// As [`Self::of`]; when the weights do not fit, are negative or not finite.
    pub fn weighted(a: &dyn MeasurementOperator, weights: &[f64]) -> Result<Self> {
        check_vector("weights", weights, a.shape().rows)?;
        if let Some(negative) = weights.iter().find(|w| **w < 0.0) {
            return Err(Error::argument("weights", "numbers of at least 0", negative));
        }
        let mut columns = a.to_dense();
        let roots: Vec<f64> = weights.iter().map(|w| w.sqrt()).collect();
        for mut column in columns.column_iter_mut() {
            column.iter_mut().zip(&roots).for_each(|(v, root)| *v *= root);
        }
        ColumnGram::of_columns(columns)
    }

    /// A symmetric positive semidefinite matrix as it is; its entries count as exact.
    ///
    /// ```
    /// use nalgebra::dmatrix;
    /// use ticketsense::estimators::ColumnGram;
    /// let population = ColumnGram::given(&dmatrix![4.0, 1.0; 1.0, 1.0])?;
    /// assert_eq!(population.lengths(), [2.0, 1.0]);
    /// assert_eq!(population.cosine(0, 1), 0.5);
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`] when it is not square, [`Error::NotFinite`], [`Error::Argument`] when it is not symmetric or has an
    /// eigenvalue below 0 by more than rounding.
    pub fn given(matrix: &DMatrix<f64>) -> Result<Self> {
        let n = matrix.nrows();
        if matrix.ncols() != n {
            return Err(Error::shape(
                "Gram matrix",
                "as many rows as columns",
                format!("{n}×{}", matrix.ncols()),
            ));
        }
        require_finite("Gram matrix", matrix.as_slice())?;
        if *matrix != matrix.transpose() {
            return Err(Error::argument("Gram matrix", "a symmetric matrix", "one that is not"));
        }
        let lowest = symmetric_eigenvalues(matrix)?.first().copied().unwrap_or(0.0);
        // Sixteen times the backward error n ε ‖G‖ of the eigenvalues.
        let trace: f64 = matrix.diagonal().iter().map(|d| d.abs()).sum();
        if lowest < -16.0 * n as f64 * f64::EPSILON * trace {
            return Err(Error::argument(
                "Gram matrix",
                "no eigenvalue below 0",
                format!("the eigenvalue {lowest:e}"),
            ));
        }
        let lengths: Vec<f64> = matrix.diagonal().iter().map(|d| d.max(0.0).sqrt()).collect();
        let cosines = DMatrix::from_fn(n, n, |i, j| {
            let scale = lengths[i] * lengths[j];
            if scale > 0.0 { matrix[(i, j)] / scale } else { 0.0 }
        });
        Ok(ColumnGram {
            lengths,
            cosines,
            cosine_error: 4.0 * f64::EPSILON,
        })
    }

    fn of_columns(mut columns: DMatrix<f64>) -> Result<Self> {
        require_finite("matrix", columns.as_slice())?;
        let rows = columns.nrows();
        let lengths: Vec<f64> = columns
            .column_iter()
            .map(|column| norm(column.into_owned().as_slice()))
            .collect();
        if lengths.iter().any(|length| !length.is_finite()) {
            return Err(Error::numerical(
                "column lengths",
                "one overflows; scale the matrix down",
            ));
        }
        for (mut column, length) in columns.column_iter_mut().zip(&lengths) {
            if *length > 0.0 {
                column.iter_mut().for_each(|v| *v /= length);
            }
        }
        Ok(ColumnGram {
            lengths,
            cosines: gram(&columns),
            // A sum of m products of unit columns errs by m ε, a division by ε for each factor, a weight by 2 ε.
            cosine_error: (rows + 8) as f64 * f64::EPSILON,
        })
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.lengths.len()
    }

    /// The lengths `√G_jj` of the columns.
    pub fn lengths(&self) -> &[f64] {
        &self.lengths
    }

    /// The cosine of columns i and j; 0 where one of them is zero.
    ///
    /// # Panics
    /// When there is no such column: a bug of the caller.
    pub fn cosine(&self, i: usize, j: usize) -> f64 {
        self.cosines[(i, j)]
    }

    /// No cosine is off by more than this: `(m + 8) ε` for columns of length m.
    pub fn cosine_error(&self) -> f64 {
        self.cosine_error
    }

    /// The same columns, every one brought to length 1 (zero columns stay).
    pub fn normalised(&self) -> Self {
        let lengths = self.lengths.iter().map(|l| f64::from(u8::from(*l > 0.0))).collect();
        ColumnGram {
            lengths,
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::{DenseOperator, GaussianEnsemble};
    use crate::seed::Seed;
    use nalgebra::dmatrix;

    #[test]
    fn weights_on_rows_are_rows_taken_several_times() {
        let a = DenseOperator::new(dmatrix![1.0, 2.0; -1.0, 1.0; 3.0, 0.5]).unwrap();
        let repeated = DenseOperator::new(dmatrix![1.0, 2.0; 3.0, 0.5; 3.0, 0.5; 3.0, 0.5; 3.0, 0.5]).unwrap();
        let weighted = ColumnGram::weighted(&a, &[1.0, 0.0, 4.0]).unwrap();
        let plain = ColumnGram::of(&repeated).unwrap();
        assert!((weighted.cosine(0, 1) - plain.cosine(0, 1)).abs() <= 2.0 * plain.cosine_error());
        assert!((weighted.lengths()[0] - 37f64.sqrt()).abs() < 1e-14);
    }

    #[test]
    fn columns_of_any_length_have_the_same_cosines() {
        let a = GaussianEnsemble { rows: 6, columns: 4 }.draw(&Seed::root(1)).unwrap();
        let mut scaled = a.matrix().clone();
        for (mut column, scale) in scaled.column_iter_mut().zip([1e-200, 1.0, 1e150, 3.0]) {
            column *= scale;
        }
        let (one, other) = (
            ColumnGram::of(&a).unwrap(),
            ColumnGram::of(&DenseOperator::new(scaled).unwrap()).unwrap(),
        );
        for (x, y) in one.cosines.iter().zip(&other.cosines) {
            assert!((x - y).abs() <= 2.0 * one.cosine_error());
        }
    }

    #[test]
    fn what_is_no_gram_matrix_is_refused() {
        assert!(ColumnGram::given(&dmatrix![1.0, 2.0; 2.0, 1.0]).is_err());
        assert!(ColumnGram::given(&dmatrix![1.0, 0.5; 0.4, 1.0]).is_err());
        assert!(ColumnGram::given(&DMatrix::zeros(2, 3)).is_err());
        assert!(ColumnGram::given(&dmatrix![f64::NAN]).is_err());
        let a = GaussianEnsemble { rows: 3, columns: 2 }.draw(&Seed::root(1)).unwrap();
        assert!(ColumnGram::weighted(&a, &[1.0, -1.0, 1.0]).is_err());
        assert!(ColumnGram::weighted(&a, &[1.0; 2]).is_err());
    }
}
