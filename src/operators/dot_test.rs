//! One random test that finds nearly every mistake in an operator.

use super::{MeasurementOperator, Shape};
use crate::error::{Error, Result};
use crate::linalg::{dot, norm};
use crate::seed::Seed;
use nalgebra::DMatrix;
use rand::RngExt;
use rand_distr::StandardNormal;

/// Checks `⟨A x, y⟩ = ⟨x, Aᵀ y⟩` on random vectors, and that sparse products, columns, norms and the dense view all
/// describe the same matrix.
///
/// The two inner products are sums of `m` and `n` terms: each check allows `64 (m + n) ε` times the sizes involved.
/// Cost: about ten applications and `n` columns.
///
/// # Errors
/// [`Error::Numerical`] naming the identity that fails, with both sides.
pub fn check(a: &dyn MeasurementOperator, seed: &Seed) -> Result<()> {
    let Shape { rows, columns } = a.shape();
    let mut rng = seed.stream("dot-test").rng();
    let mut normal = |n: usize| -> Vec<f64> { (0..n).map(|_| rng.sample(StandardNormal)).collect() };
    let relative = 64.0 * (rows + columns) as f64 * f64::EPSILON;
    let norms = a.column_norms();
    let size = norm(&norms);
    let fail = |what: &str, left: f64, right: f64| {
        Err(Error::numerical(
            "dot test",
            format!("{what}: {left:e} against {right:e}"),
        ))
    };

    for _ in 0..3 {
        let (x, y) = (normal(columns), normal(rows));
        let (ax, aty) = (a.apply(&x)?, a.adjoint(&y)?);
        let (left, right) = (dot(&ax, &y), dot(&x, &aty));
        if (left - right).abs() > relative * size * norm(&x) * norm(&y) {
            return fail("⟨Ax, y⟩ and ⟨x, Aᵀy⟩", left, right);
        }
    }

    // Every second column, with values, through the sparse product and through the full one.
    let support: Vec<usize> = (0..columns).step_by(2).collect();
    let values = normal(support.len());
    let mut x = vec![0.0; columns];
    for (&j, &v) in support.iter().zip(&values) {
        x[j] = v;
    }
    let full = a.apply(&x)?;
    let mut sparse = vec![f64::NAN; rows];
    a.apply_sparse_into(&support, &values, &mut sparse);
    let mut cols = DMatrix::from_element(rows, support.len(), f64::NAN);
    a.columns_into(&support, &mut cols);
    let from_columns = &cols * nalgebra::DVector::from_column_slice(&values);
    for i in 0..rows {
        if (full[i] - sparse[i]).abs() > relative * size * norm(&values) || sparse[i].is_nan() {
            return fail("A x and the sparse product", full[i], sparse[i]);
        }
        if (full[i] - from_columns[i]).abs() > relative * size * norm(&values) || from_columns[i].is_nan() {
            return fail("A x and the sum of columns", full[i], from_columns[i]);
        }
    }
    for (c, &j) in support.iter().enumerate() {
        let length = cols.column(c).norm();
        if (length - norms[j]).abs() > relative * (length + f64::MIN_POSITIVE) {
            return fail("norm of a column and column_norms", length, norms[j]);
        }
    }
    if let Some(view) = a.as_dense() {
        for (c, &j) in support.iter().enumerate() {
            if view.column(j) != cols.column(c) {
                return fail("dense view and columns", view.column(j).norm(), cols.column(c).norm());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rotation whose adjoint forgets to turn back.
    #[derive(Debug)]
    struct Wrong;

    impl MeasurementOperator for Wrong {
        fn shape(&self) -> Shape {
            Shape { rows: 2, columns: 2 }
        }
        fn apply_into(&self, x: &[f64], y: &mut [f64]) {
            (y[0], y[1]) = (-x[1], x[0]);
        }
        fn adjoint_into(&self, y: &[f64], x: &mut [f64]) {
            (x[0], x[1]) = (-y[1], y[0]);
        }
    }

    #[test]
    fn a_wrong_adjoint_is_found() {
        assert!(check(&Wrong, &Seed::root(0)).is_err());
    }
}
