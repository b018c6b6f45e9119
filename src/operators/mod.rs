//! Measurement operators `A ∈ ℝ^{m×n}`: everything that a recovery solver or an estimator may ask of one.
//!
//! To add an operator: one file with the type and its [`MeasurementOperator`] implementation, one line here. Its unit
//! tests call [`dot_test::check`], which finds a wrong adjoint in one line.

mod convolution;
mod correlated;
mod damped;
mod dense;
pub mod dot_test;
mod ensemble;
mod fourier;
mod gaussian;
mod matrix_free;
mod rademacher;
mod restricted;
mod scaled;
mod sparse_signs;

pub use convolution::{CircularConvolution, Grid, KernelBank, ZeroPaddedConvolution};
pub use correlated::CorrelatedGaussianEnsemble;
pub use damped::Damped;
pub use dense::DenseOperator;
pub use fourier::{PartialFourier, PartialFourierEnsemble};
pub use gaussian::GaussianEnsemble;
pub use matrix_free::MatrixFree;
pub use rademacher::RademacherEnsemble;
pub use restricted::Restricted;
pub use scaled::ScaledColumns;
pub use sparse_signs::SparseSignEnsemble;

use crate::error::{Error, Result, require_finite};
use nalgebra::DMatrix;
use std::fmt::{self, Debug};

/// The size of an operator: `rows` measurements of `columns` unknowns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Measurements, m.
    pub rows: usize,
    /// Unknowns, n.
    pub columns: usize,
}

impl Shape {
    /// The smaller dimension, `min(m, n)`: no support of independent columns is larger.
    pub fn smaller(self) -> usize {
        self.rows.min(self.columns)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{}", self.rows, self.columns)
    }
}

/// A linear map `A ∈ ℝ^{m×n}` that can be applied and transposed.
///
/// The `_into` methods are called behind checked doors and assert their lengths; [`MeasurementOperator::apply`] and
/// [`MeasurementOperator::adjoint`] are the checked, allocating forms. Work is counted in *applications*: one product
/// with `A` or `Aᵀ` is 1, `s` columns of it are `s/n`.
pub trait MeasurementOperator: Debug + Sync {
    /// Rows m and columns n.
    fn shape(&self) -> Shape;

    /// `y ← A x`, with `x` of length n and `y` of length m.
    fn apply_into(&self, x: &[f64], y: &mut [f64]);

    /// `x ← Aᵀ y`, with `y` of length m and `x` of length n.
    fn adjoint_into(&self, y: &[f64], x: &mut [f64]);

    /// `y ← A_S x_S` for the columns `support`; overridden where it costs only those columns.
    fn apply_sparse_into(&self, support: &[usize], values: &[f64], y: &mut [f64]) {
        assert_eq!(support.len(), values.len(), "sparse product: support and values");
        let mut x = vec![0.0; self.shape().columns];
        for (&j, &v) in support.iter().zip(values) {
            x[j] += v;
        }
        self.apply_into(&x, y);
    }

    /// Writes the columns `support` into `out`, one a column, in the given order.
    ///
    /// The provided form multiplies by unit vectors: one application a column.
    fn columns_into(&self, support: &[usize], out: &mut DMatrix<f64>) {
        let Shape { rows, columns } = self.shape();
        assert_eq!(out.shape(), (rows, support.len()), "columns: shape of the output");
        let mut unit = vec![0.0; columns];
        for (c, &j) in support.iter().enumerate() {
            unit[j] = 1.0;
            let start = c * rows;
            self.apply_into(&unit, &mut out.as_mut_slice()[start..start + rows]);
            unit[j] = 0.0;
        }
    }

    /// The Euclidean norm of every column. The provided form reads every column once.
    fn column_norms(&self) -> Vec<f64> {
        let Shape { rows, columns } = self.shape();
        let mut column = DMatrix::zeros(rows, 1);
        (0..columns)
            .map(|j| {
                self.columns_into(&[j], &mut column);
                crate::linalg::norm(column.as_slice())
            })
            .collect()
    }

    /// The entries, where they are stored: the fast path of a solver.
    fn as_dense(&self) -> Option<&DMatrix<f64>> {
        None
    }

    /// `A x`, checked.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::NotFinite`].
    fn apply(&self, x: &[f64]) -> Result<Vec<f64>> {
        check_vector("x", x, self.shape().columns)?;
        let mut y = vec![0.0; self.shape().rows];
        self.apply_into(x, &mut y);
        Ok(y)
    }

    /// `Aᵀ y`, checked.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::NotFinite`].
    fn adjoint(&self, y: &[f64]) -> Result<Vec<f64>> {
        check_vector("y", y, self.shape().rows)?;
        let mut x = vec![0.0; self.shape().columns];
        self.adjoint_into(y, &mut x);
        Ok(x)
    }

    /// The whole matrix, column by column. Cost: n columns, `8mn` bytes.
    fn to_dense(&self) -> DMatrix<f64> {
        if let Some(view) = self.as_dense() {
            return view.clone();
        }
        let Shape { rows, columns } = self.shape();
        let mut out = DMatrix::zeros(rows, columns);
        let all: Vec<usize> = (0..columns).collect();
        self.columns_into(&all, &mut out);
        out
    }
}

/// Refuses a vector of the wrong length or with an entry that is not finite.
///
/// # Errors
/// [`Error::Shape`] or [`Error::NotFinite`], naming `what`.
pub fn check_vector(what: &str, values: &[f64], length: usize) -> Result<()> {
    if values.len() != length {
        return Err(Error::shape(
            format!("vector {what}"),
            format!("length {length}"),
            format!("length {}", values.len()),
        ));
    }
    require_finite(what, values)
}
