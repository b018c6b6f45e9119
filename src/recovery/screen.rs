//! Correlations of unit columns with residuals in 16-bit fixed point, with a rigorous bound on their error.

use crate::linalg::columns::correlate;
use crate::linalg::fixed::{STEP, inner_products, round_into};
use crate::linalg::norm;
use nalgebra::DMatrix;

/// Columns and residuals are scaled to this length before they are rounded to integers: no entry leaves 16 bits, and no
/// sum of products 32.
const LENGTH: f64 = 32000.0;
/// The most rows for which the last holds: rounding adds at most `√m/2` to a length, and `(32000 + 2¹³)² < 2³¹`.
const MOST_ROWS: usize = 1 << 28;

/// The columns of a stored matrix at one length, as 16-bit integers: a quarter of its memory.
///
/// Rounding moves a column by about `√(m/12)`, nothing beside its length 32000, and the products of integers are exact.
/// So a score is off by about `2√(m/12)/32000` of `‖r‖`, for a thousand rows 6e-4, while the scores of columns unrelated
/// to `r` are about `1/√m`, 3e-2: few columns are near enough to the best two to be looked at again. Bounds that would
/// spare the product, `|aⱼᵀr| + ‖aⱼ‖‖Δr‖` after a pick, are of no use: `‖Δr‖` is about the score that has just won, so that in
/// a pursuit of a hundred planted signs by 1000 × 5000 Gaussian measurements they exclude 1 % of the columns.
#[derive(Debug)]
pub(super) struct Screen<'a> {
    matrix: &'a DMatrix<f64>,
    padded: usize,
    unit: Vec<i16>,
    /// The largest distance between a column and its integers.
    rounding: f64,
}

/// Approximate scores `aⱼᵀr/‖aⱼ‖` of one residual, in a common unit, each off by at most `error`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screened<'a> {
    pub screen: &'a Screen<'a>,
    pub scores: &'a [i32],
    pub error: i32,
}

/// `values` at length [`LENGTH`] as integers, and the length of what rounding did.
fn fix(values: &[f64], length: f64, out: &mut [i16]) -> f64 {
    if length == 0.0 {
        out.fill(0);
        return 0.0;
    }
    let scale = LENGTH / length;
    if scale.is_finite() {
        return round_into(values, scale, out);
    }
    // Lengths near the smallest numbers.
    let up = 2.0f64.powi(200);
    let raised: Vec<f64> = values.iter().map(|v| v * up).collect();
    round_into(&raised, LENGTH / (length * up), out)
}

impl<'a> Screen<'a> {
    /// Scales and rounds the columns of these norms; a zero column stays zero. `None` for columns too long to be summed
    /// in 32 bits. Cost: one pass.
    pub fn new(matrix: &'a DMatrix<f64>, norms: &[f64]) -> Option<Self> {
        let rows = matrix.nrows();
        if rows == 0 || rows > MOST_ROWS {
            return None;
        }
        let padded = rows.next_multiple_of(STEP);
        let mut unit = vec![0; padded * matrix.ncols()];
        let columns = matrix.as_slice().chunks_exact(rows).zip(norms);
        let rounding = columns
            .zip(unit.chunks_exact_mut(padded))
            .map(|((column, &length), unit)| fix(column, length, unit))
            .fold(0.0, f64::max);
        Some(Screen {
            matrix,
            padded,
            unit,
            rounding,
        })
    }

    /// `aⱼᵀr` in double precision, with the bits of an adjoint.
    pub fn correlation(&self, j: usize, r: &[f64]) -> f64 {
        let rows = self.matrix.nrows();
        let mut product = [0.0];
        correlate(&self.matrix.as_slice()[j * rows..(j + 1) * rows], r, &mut product);
        product[0]
    }

    /// The scores of several residuals, one after the other, and the bounds on their errors.
    pub fn scores_into(&self, residuals: &[&[f64]], scores: &mut Vec<i32>) -> Vec<i32> {
        let mut fixed = vec![0; residuals.len() * self.padded];
        let errors = residuals
            .iter()
            .zip(fixed.chunks_exact_mut(self.padded))
            .map(|(r, fixed)| self.error(fix(r, norm(r), fixed)))
            .collect();
        scores.resize(residuals.len() * self.matrix.ncols(), 0);
        inner_products(self.padded, &self.unit, &fixed, scores);
        errors
    }

    /// Scores with the bound on their error, as [`Self::scores_into`] found them.
    pub fn of(&'a self, scores: &'a [i32], error: i32) -> Screened<'a> {
        Screened {
            screen: self,
            scores,
            error,
        }
    }

    /// Where rounding moved a column `a` of length L by e and a residual `r` of that length by f, the integers' product
    /// is `(a + e)ᵀ(r + f)`, off by at most `‖e‖(L + ‖f‖) + L‖f‖`. The scaling before it, and the lengths themselves, are
    /// off by less than `(m + 8)ε` of L each.
    fn error(&self, rounding: f64) -> i32 {
        let scaling = 4.0 * (self.padded + 8) as f64 * f64::EPSILON * LENGTH;
        let (e, f) = (1.001 * self.rounding + scaling, 1.001 * rounding + scaling);
        (e * (LENGTH + f) + LENGTH * f).ceil() as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::GaussianEnsemble;
    use crate::recovery::reference;
    use crate::seed::Seed;

    #[test]
    fn scores_are_within_their_bound_for_columns_of_any_length() {
        for (rows, scale) in [(7, 1.0), (130, 1e-200), (130, 1e200), (130, 1e-307)] {
            let seed = Seed::root(rows as u64);
            let a = GaussianEnsemble { rows, columns: 40 }.draw(&seed).unwrap();
            let matrix = a.matrix() * scale;
            let norms: Vec<f64> = matrix.column_iter().map(|c| norm(c.as_slice())).collect();
            let screen = Screen::new(&matrix, &norms).unwrap();
            let r: Vec<Vec<f64>> = (0..3)
                .map(|t| reference::normal_vector(rows, &seed.replicate(t)))
                .collect();
            let residuals: Vec<&[f64]> = r.iter().map(Vec::as_slice).collect();
            let mut block = Vec::new();
            let errors = screen.scores_into(&residuals, &mut block);
            for (t, r) in r.iter().enumerate() {
                let mut one = Vec::new();
                assert_eq!(screen.scores_into(&[r], &mut one), errors[t..t + 1]);
                assert_eq!(one, block[t * 40..][..40]);
                let unit = LENGTH * LENGTH / norm(r);
                // A bound that is never near would be no bound worth having.
                assert!(f64::from(errors[t]) / unit <= 1e-3 * norm(r));
                for j in 0..40 {
                    let exact = screen.correlation(j, r) / norms[j] * unit;
                    assert!((f64::from(one[j]) - exact).abs() <= f64::from(errors[t]));
                }
            }
        }
    }

    #[test]
    fn entries_at_the_end_of_the_range_keep_their_sign_and_sum() {
        // One entry holds all the length, here and in the residual.
        let mut matrix = DMatrix::zeros(40, 3);
        (matrix[(0, 0)], matrix[(39, 1)]) = (-5.0, 1e-3);
        matrix.column_mut(2).fill(1.0);
        let norms: Vec<f64> = matrix.column_iter().map(|c| norm(c.as_slice())).collect();
        let screen = Screen::new(&matrix, &norms).unwrap();
        let mut r = vec![0.0; 40];
        r[0] = 3.0;
        let mut scores = Vec::new();
        let errors = screen.scores_into(&[&r], &mut scores);
        let square = (LENGTH * LENGTH) as i32;
        assert!(scores[0].abs_diff(-square) <= errors[0] as u32 && scores[1] == 0);
        assert!((f64::from(scores[2]) - LENGTH * LENGTH / 40f64.sqrt()).abs() <= f64::from(errors[0]));
    }
}
