//! Correlations of unit columns with a residual in single precision, with a rigorous bound on their error.

use crate::linalg::columns::correlate_single;
use crate::linalg::{dot, gemm, norm};
use nalgebra::DMatrix;

/// The columns of a stored matrix at length 1, in single precision.
#[derive(Debug)]
pub(super) struct Screen<'a> {
    matrix: &'a DMatrix<f64>,
    unit: Vec<f32>,
}

/// Approximate scores `aⱼᵀr/‖aⱼ‖` of one residual, off by at most `error`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screened<'a> {
    pub screen: &'a Screen<'a>,
    pub scores: &'a [f32],
    pub error: f64,
}

impl<'a> Screen<'a> {
    /// Scales and rounds the columns of these norms; a zero column stays zero. Cost: one pass.
    pub fn new(matrix: &'a DMatrix<f64>, norms: &[f64]) -> Self {
        let mut unit = Vec::with_capacity(matrix.len());
        for (column, &length) in matrix.as_slice().chunks_exact(matrix.nrows().max(1)).zip(norms) {
            let inverse = if length > 0.0 { length.recip() } else { 0.0 };
            if inverse.is_finite() {
                unit.extend(column.iter().map(|v| (v * inverse) as f32));
            } else {
                unit.extend(column.iter().map(|v| (v / length) as f32));
            }
        }
        Screen { matrix, unit }
    }

    /// `aⱼᵀr` in double precision, with the bits of an adjoint.
    pub fn correlation(&self, j: usize, r: &[f64]) -> f64 {
        let rows = self.matrix.nrows();
        dot(&self.matrix.as_slice()[j * rows..(j + 1) * rows], r)
    }

    /// The scores of one residual, and the bound on their error.
    pub fn scores_into(&self, r: &[f64], scores: &mut [f32]) -> f64 {
        let single: Vec<f32> = r.iter().map(|&v| v as f32).collect();
        correlate_single(&self.unit, &single, scores);
        self.error(r)
    }

    /// The scores of several residuals of so many rows, one after the other, and the bounds on their errors.
    pub fn block_scores_into(&self, rows: usize, residuals: &[&[f64]], scores: &mut Vec<f32>) -> Vec<f64> {
        let columns = self.matrix.ncols();
        let single: Vec<f32> = residuals.iter().flat_map(|r| r.iter().map(|&v| v as f32)).collect();
        scores.resize(residuals.len() * columns, 0.0);
        // Row-major: residuals by rows times the transpose of columns by rows.
        gemm(
            residuals.len(),
            rows,
            columns,
            &single,
            false,
            &self.unit,
            true,
            scores,
            false,
        );
        residuals.iter().map(|r| self.error(r)).collect()
    }

    /// With `u = 2⁻²⁴` the entries of a unit column and of r are rounded by u each, and m products and sums in any order
    /// by at most `(m + 1)u`, of `Σ|uᵢrᵢ| ≤ ‖r‖`; the length 1 itself is off by less than u. Entries below the range of
    /// single precision lose at most its smallest number each.
    fn error(&self, r: &[f64]) -> f64 {
        let rows = r.len() as f64;
        let unit = f64::from(f32::EPSILON) / 2.0;
        1.01 * (rows + 8.0) * unit * norm(r) + 4.0 * rows * f64::from(f32::MIN_POSITIVE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::{GaussianEnsemble, MeasurementOperator};
    use crate::recovery::reference;
    use crate::seed::Seed;

    #[test]
    fn scores_are_within_their_bound_for_columns_of_any_length() {
        for (rows, scale) in [(7, 1.0), (130, 1e-200), (130, 1e200)] {
            let seed = Seed::root(rows as u64);
            let a = GaussianEnsemble { rows, columns: 40 }.draw(&seed).unwrap();
            let matrix = a.matrix() * scale;
            let norms: Vec<f64> = a.column_norms().iter().map(|n| n * scale).collect();
            let screen = Screen::new(&matrix, &norms);
            let r: Vec<Vec<f64>> = (0..3)
                .map(|t| reference::normal_vector(rows, &seed.replicate(t)))
                .collect();
            let residuals: Vec<&[f64]> = r.iter().map(Vec::as_slice).collect();
            let mut block = Vec::new();
            let errors = screen.block_scores_into(rows, &residuals, &mut block);
            for (t, r) in r.iter().enumerate() {
                let mut one = vec![0.0; 40];
                let error = screen.scores_into(r, &mut one);
                assert_eq!(error, errors[t]);
                // A bound that is never near would be no bound worth having.
                assert!(error <= 1e-4 * norm(r));
                for j in 0..40 {
                    let exact = screen.correlation(j, r) / norms[j];
                    assert!((f64::from(one[j]) - exact).abs() <= error);
                    assert!((f64::from(block[t * 40 + j]) - exact).abs() <= error);
                }
            }
        }
    }
}
