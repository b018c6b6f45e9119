//! An operator stacked on a multiple of the identity: ridge regularisation as more measurements.

use super::{MeasurementOperator, Shape, check_vector};
use crate::error::{Error, Result};
use nalgebra::DMatrix;

/// The stacked operator `[A; √α I] ∈ ℝ^{(m+n)×n}`.
///
/// With data `[b; √α ϑ]` ([`Damped::data`]) its least squares objective is `½‖A x − b‖² + (α/2)‖x − ϑ‖²`.
///
/// ```
/// use nalgebra::dmatrix;
/// use ticketsense::operators::{Damped, DenseOperator, MeasurementOperator};
/// let a = DenseOperator::new(dmatrix![3.0, 0.0])?;
/// let damped = Damped::new(&a, 16.0)?;
/// assert_eq!(damped.apply(&[1.0, 2.0])?, [3.0, 4.0, 8.0]);
/// assert_eq!(damped.column_norms(), [5.0, 4.0]);
/// assert_eq!(damped.data(&[7.0], &[1.0, 0.5])?, [7.0, 4.0, 2.0]);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Debug)]
pub struct Damped<'a> {
    inner: &'a dyn MeasurementOperator,
    alpha: f64,
}

impl<'a> Damped<'a> {
    /// Stacks `A` on `√α I`.
    ///
    /// # Errors
    /// [`Error::Argument`] unless `alpha` is finite and not negative.
    pub fn new(inner: &'a dyn MeasurementOperator, alpha: f64) -> Result<Self> {
        if !(alpha.is_finite() && alpha >= 0.0) {
            return Err(Error::argument("alpha", "a finite number ≥ 0", alpha));
        }
        Ok(Damped { inner, alpha })
    }

    /// The data `[b; √α prior]` for this operator.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::NotFinite`] when `b` (length m) or `prior` (length n) does not fit.
    pub fn data(&self, b: &[f64], prior: &[f64]) -> Result<Vec<f64>> {
        let Shape { rows, columns } = self.inner.shape();
        check_vector("b", b, rows)?;
        check_vector("prior", prior, columns)?;
        let root = self.alpha.sqrt();
        Ok(b.iter().copied().chain(prior.iter().map(|p| root * p)).collect())
    }
}

impl MeasurementOperator for Damped<'_> {
    fn shape(&self) -> Shape {
        let Shape { rows, columns } = self.inner.shape();
        Shape {
            rows: rows + columns,
            columns,
        }
    }

    fn apply_into(&self, x: &[f64], y: &mut [f64]) {
        let (top, bottom) = y.split_at_mut(self.inner.shape().rows);
        assert_eq!(x.len(), bottom.len(), "apply: lengths");
        self.inner.apply_into(x, top);
        let root = self.alpha.sqrt();
        for (out, x) in bottom.iter_mut().zip(x) {
            *out = root * x;
        }
    }

    fn adjoint_into(&self, y: &[f64], x: &mut [f64]) {
        let (top, bottom) = y.split_at(self.inner.shape().rows);
        assert_eq!(x.len(), bottom.len(), "adjoint: lengths");
        self.inner.adjoint_into(top, x);
        let root = self.alpha.sqrt();
        for (x, y) in x.iter_mut().zip(bottom) {
            *x += root * y;
        }
    }

    fn apply_sparse_into(&self, support: &[usize], values: &[f64], y: &mut [f64]) {
        let (top, bottom) = y.split_at_mut(self.inner.shape().rows);
        self.inner.apply_sparse_into(support, values, top);
        let root = self.alpha.sqrt();
        bottom.fill(0.0);
        for (&j, v) in support.iter().zip(values) {
            bottom[j] += root * v;
        }
    }

    fn columns_into(&self, support: &[usize], out: &mut DMatrix<f64>) {
        let Shape { rows, columns } = self.inner.shape();
        assert_eq!(
            out.shape(),
            (rows + columns, support.len()),
            "columns: shape of the output"
        );
        let mut top = DMatrix::zeros(rows, support.len());
        self.inner.columns_into(support, &mut top);
        let root = self.alpha.sqrt();
        out.fill(0.0);
        for (c, &j) in support.iter().enumerate() {
            out.view_mut((0, c), (rows, 1)).copy_from(&top.column(c));
            out[(rows + j, c)] = root;
        }
    }

    fn column_norms(&self) -> Vec<f64> {
        let root = self.alpha.sqrt();
        self.inner.column_norms().iter().map(|n| n.hypot(root)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::norm;
    use crate::operators::{GaussianEnsemble, dot_test};
    use crate::seed::Seed;

    #[test]
    fn it_passes_the_dot_test_damped_and_undamped() {
        let a = GaussianEnsemble { rows: 7, columns: 12 }.draw(&Seed::root(1)).unwrap();
        for alpha in [0.0, 0.3, 100.0] {
            dot_test::check(&Damped::new(&a, alpha).unwrap(), &Seed::root(2)).unwrap();
        }
    }

    #[test]
    fn the_stacked_residual_is_the_ridge_objective() {
        let a = GaussianEnsemble { rows: 4, columns: 6 }.draw(&Seed::root(1)).unwrap();
        let (b, prior, alpha) = ([1.0, -1.0, 2.0, 0.5], [0.5, 0.0, 1.0, -1.0, 0.25, 2.0], 0.7);
        let x = [1.0, 0.0, -2.0, 0.0, 0.5, 0.0];
        let damped = Damped::new(&a, alpha).unwrap();
        let difference = |u: &[f64], v: &[f64]| -> Vec<f64> { u.iter().zip(v).map(|(u, v)| u - v).collect() };
        let stacked = norm(&difference(
            &damped.apply(&x).unwrap(),
            &damped.data(&b, &prior).unwrap(),
        ))
        .powi(2);
        let apart =
            norm(&difference(&a.apply(&x).unwrap(), &b)).powi(2) + alpha * norm(&difference(&x, &prior)).powi(2);
        // Sums of ten squares: rounding below 40 ε of the sum.
        assert!((stacked - apart).abs() <= 40.0 * f64::EPSILON * apart);
    }

    #[test]
    fn a_negative_or_infinite_damping_is_refused() {
        let a = GaussianEnsemble { rows: 2, columns: 2 }.draw(&Seed::root(1)).unwrap();
        for alpha in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(Damped::new(&a, alpha), Err(Error::Argument { .. })));
        }
    }
}
