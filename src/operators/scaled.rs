//! An operator with scaled columns.

use super::{MeasurementOperator, Shape, check_vector};
use crate::error::Result;
use nalgebra::DMatrix;

/// The operator `A diag(d)`.
///
/// A solver that depends on column lengths is made independent of them by [`ScaledColumns::unit`]: solve for `z`, and
/// `x = d ∘ z` ([`ScaledColumns::unscale`]) solves for `A`.
///
/// ```
/// use nalgebra::dmatrix;
/// use ticketsense::operators::{DenseOperator, MeasurementOperator, ScaledColumns};
/// let a = DenseOperator::new(dmatrix![3.0, 0.0; 4.0, 0.0])?;
/// let unit = ScaledColumns::unit(&a);
/// assert_eq!(unit.scales(), [0.2, 0.0]); // a zero column stays zero
/// assert_eq!(unit.column_norms(), [1.0, 0.0]);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Debug)]
pub struct ScaledColumns<'a> {
    inner: &'a dyn MeasurementOperator,
    scales: Vec<f64>,
    norms: Vec<f64>,
}

impl<'a> ScaledColumns<'a> {
    /// Multiplies column j by `scales[j]`.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] or [`crate::Error::NotFinite`] when there is not one finite scale a column.
    pub fn new(inner: &'a dyn MeasurementOperator, scales: Vec<f64>) -> Result<Self> {
        check_vector("column scales", &scales, inner.shape().columns)?;
        let norms = inner
            .column_norms()
            .iter()
            .zip(&scales)
            .map(|(n, d)| n * d.abs())
            .collect();
        Ok(ScaledColumns { inner, scales, norms })
    }

    /// Every column scaled to length 1, a zero column left zero. Cost: the column norms.
    pub fn unit(inner: &'a dyn MeasurementOperator) -> Self {
        // The reciprocal of a subnormal length is infinite: such a column is zero to working precision.
        let scale = |n: &f64| if n.recip().is_finite() { n.recip() } else { 0.0 };
        let scales: Vec<f64> = inner.column_norms().iter().map(scale).collect();
        let norms = scales.iter().map(|&d| if d == 0.0 { 0.0 } else { 1.0 }).collect();
        ScaledColumns { inner, scales, norms }
    }

    /// The scales `d`.
    pub fn scales(&self) -> &[f64] {
        &self.scales
    }

    /// The vector `d ∘ z` that the inner operator sees.
    ///
    /// # Errors
    /// As [`check_vector`].
    pub fn unscale(&self, z: &[f64]) -> Result<Vec<f64>> {
        check_vector("z", z, self.scales.len())?;
        Ok(z.iter().zip(&self.scales).map(|(z, d)| z * d).collect())
    }
}

impl MeasurementOperator for ScaledColumns<'_> {
    fn shape(&self) -> Shape {
        self.inner.shape()
    }

    fn apply_into(&self, x: &[f64], y: &mut [f64]) {
        assert_eq!(x.len(), self.scales.len(), "apply: length");
        let scaled: Vec<f64> = x.iter().zip(&self.scales).map(|(x, d)| x * d).collect();
        self.inner.apply_into(&scaled, y);
    }

    fn adjoint_into(&self, y: &[f64], x: &mut [f64]) {
        self.inner.adjoint_into(y, x);
        for (x, d) in x.iter_mut().zip(&self.scales) {
            *x *= d;
        }
    }

    fn apply_sparse_into(&self, support: &[usize], values: &[f64], y: &mut [f64]) {
        let scaled: Vec<f64> = support.iter().zip(values).map(|(&j, v)| v * self.scales[j]).collect();
        self.inner.apply_sparse_into(support, &scaled, y);
    }

    fn columns_into(&self, support: &[usize], out: &mut DMatrix<f64>) {
        self.inner.columns_into(support, out);
        let rows = self.inner.shape().rows;
        for (column, &j) in out.as_mut_slice().chunks_exact_mut(rows).zip(support) {
            column.iter_mut().for_each(|v| *v *= self.scales[j]);
        }
    }

    fn column_norms(&self) -> Vec<f64> {
        self.norms.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::{GaussianEnsemble, dot_test};
    use crate::seed::Seed;

    #[test]
    fn scaled_and_unit_columns_pass_the_dot_test() {
        let a = GaussianEnsemble { rows: 7, columns: 12 }.draw(&Seed::root(1)).unwrap();
        let scales: Vec<f64> = (0..12).map(|j| j as f64 - 4.0).collect();
        let scaled = ScaledColumns::new(&a, scales).unwrap();
        dot_test::check(&scaled, &Seed::root(2)).unwrap();
        let unit = ScaledColumns::unit(&scaled);
        dot_test::check(&unit, &Seed::root(3)).unwrap();
        assert_eq!(unit.scales()[4], 0.0);
    }

    #[test]
    fn unscaling_gives_the_same_measurements() {
        let a = GaussianEnsemble { rows: 5, columns: 6 }.draw(&Seed::root(1)).unwrap();
        let unit = ScaledColumns::unit(&a);
        let z = [1.0, -2.0, 0.0, 0.5, 3.0, 0.0];
        assert_eq!(unit.apply(&z).unwrap(), a.apply(&unit.unscale(&z).unwrap()).unwrap());
        assert!(unit.unscale(&[1.0]).is_err());
        assert!(ScaledColumns::new(&a, vec![f64::NAN; 6]).is_err());
    }
}
