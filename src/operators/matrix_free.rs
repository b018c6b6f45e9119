//! An operator given by its two products.

use super::{MeasurementOperator, Shape};
use crate::error::{Error, Result};
use std::fmt;

type Product<'a> = Box<dyn Fn(&[f64], &mut [f64]) + Sync + 'a>;

/// An operator known only by `x ↦ A x` and `y ↦ Aᵀ y`.
///
/// Whoever passes two closures that are not adjoint to each other gets wrong answers from every solver:
/// [`super::dot_test::check`] finds out.
///
/// ```
/// use ticketsense::operators::{MatrixFree, MeasurementOperator, Shape, dot_test};
/// // Differences of neighbours, ℝ³ → ℝ².
/// let a = MatrixFree::new(
///     Shape { rows: 2, columns: 3 },
///     |x, y| (0..2).for_each(|i| y[i] = x[i + 1] - x[i]),
///     |y, x| (x[0], x[1], x[2]) = (-y[0], y[0] - y[1], y[1]),
/// )?;
/// dot_test::check(&a, &ticketsense::Seed::root(0))?;
/// assert_eq!(a.apply(&[1.0, 4.0, 9.0])?, [3.0, 5.0]);
/// # Ok::<(), ticketsense::Error>(())
/// ```
pub struct MatrixFree<'a> {
    shape: Shape,
    forward: Product<'a>,
    adjoint: Product<'a>,
}

impl<'a> MatrixFree<'a> {
    /// An operator from `forward(x, y)`, which overwrites `y` (length m) with `A x`, and `adjoint(y, x)`, which
    /// overwrites `x` (length n) with `Aᵀ y`.
    ///
    /// # Errors
    /// [`Error::Shape`] when a dimension is 0.
    pub fn new(
        shape: Shape,
        forward: impl Fn(&[f64], &mut [f64]) + Sync + 'a,
        adjoint: impl Fn(&[f64], &mut [f64]) + Sync + 'a,
    ) -> Result<Self> {
        if shape.rows == 0 || shape.columns == 0 {
            return Err(Error::shape(
                "matrix-free operator",
                "at least one row and one column",
                shape,
            ));
        }
        Ok(MatrixFree {
            shape,
            forward: Box::new(forward),
            adjoint: Box::new(adjoint),
        })
    }

    /// Hides everything about an operator except its two products: what a solver must not depend on.
    pub fn wrapping(inner: &'a dyn MeasurementOperator) -> Self {
        MatrixFree {
            shape: inner.shape(),
            forward: Box::new(|x, y| inner.apply_into(x, y)),
            adjoint: Box::new(|y, x| inner.adjoint_into(y, x)),
        }
    }
}

impl fmt::Debug for MatrixFree<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MatrixFree")
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

impl MeasurementOperator for MatrixFree<'_> {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn apply_into(&self, x: &[f64], y: &mut [f64]) {
        assert_eq!(
            (x.len(), y.len()),
            (self.shape.columns, self.shape.rows),
            "apply: lengths"
        );
        (self.forward)(x, y);
    }

    fn adjoint_into(&self, y: &[f64], x: &mut [f64]) {
        assert_eq!(
            (x.len(), y.len()),
            (self.shape.columns, self.shape.rows),
            "adjoint: lengths"
        );
        (self.adjoint)(y, x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::{GaussianEnsemble, dot_test};
    use crate::seed::Seed;

    #[test]
    fn wrapping_keeps_the_matrix_and_hides_its_entries() {
        let a = GaussianEnsemble { rows: 6, columns: 8 }.draw(&Seed::root(3)).unwrap();
        let free = MatrixFree::wrapping(&a);
        dot_test::check(&free, &Seed::root(4)).unwrap();
        assert!(free.as_dense().is_none());
        assert_eq!(&free.to_dense(), a.matrix());
        assert!(format!("{free:?}").contains("rows: 6"));
    }

    #[test]
    fn an_empty_shape_is_refused() {
        let shape = Shape { rows: 0, columns: 2 };
        assert!(matches!(
            MatrixFree::new(shape, |_, _| (), |_, _| ()),
            Err(Error::Shape { .. })
        ));
    }
}
