//! The LASSO on a known support with known signs: a line in λ.

use super::common::residual_into;
use crate::linalg::cholesky::UpdatableCholesky;
use crate::linalg::columns::{accumulate, correlate, distance};
use crate::linalg::{dot, norm};
use crate::operators::MeasurementOperator;
use nalgebra::DMatrix;

/// A column nearer than this to the span of those before it, relative to its length, is left out.
const DEPENDENT: f64 = 1e-8;
/// How often columns of the wrong sign are left out.
const ROUNDS: usize = 8;

/// On active columns `A_S` with signs `s`, `x_S(λ) = x_S(0) − λt` with `t = (A_SᵀA_S)⁻¹s`, and `r(λ) = r(0) + λu` with
/// `u = A_S t`, which is orthogonal to `r(0)`.
#[derive(Debug)]
pub(super) struct Face {
    /// `S`: of the support asked for, columns that do not depend on those before them.
    pub support: Vec<usize>,
    /// `x_S(0)`, the least squares fit.
    fit: Vec<f64>,
    /// `t`.
    direction: Vec<f64>,
    /// `r(0)`.
    rest: Vec<f64>,
    /// `u`: at λ = 0 the dual vector of basis pursuit.
    pub image: Vec<f64>,
}

impl Face {
    /// The face of a support with these signs. Cost: the columns three times, `m|S|² + |S|³/3` operations.
    pub fn new(a: &dyn MeasurementOperator, y: &[f64], support: &[usize], signs: &[f64]) -> Self {
        let mut offered = DMatrix::zeros(y.len(), support.len());
        a.columns_into(support, &mut offered);
        let mut factor = UpdatableCholesky::with_capacity(support.len());
        let (mut kept, mut columns, mut signs_kept) = (Vec::new(), Vec::new(), Vec::new());
        for (i, column) in offered.as_slice().chunks_exact(y.len()).enumerate() {
            let mut cross = vec![0.0; kept.len()];
            correlate(&columns, column, &mut cross);
            let away = |w: &[f64]| distance(&columns, w, column);
            if factor
                .append_measured(&cross, dot(column, column), DEPENDENT, away)
                .accepted
            {
                kept.push(support[i]);
                signs_kept.push(signs[i]);
                columns.extend_from_slice(column);
            }
        }
        // Every solution is refined once, by what is still missing.
        let inverse = |v: &[f64]| {
            let mut out = v.to_vec();
            factor.solve_in_place(&mut out);
            out
        };
        let correlations = |v: &[f64]| {
            let mut out = vec![0.0; kept.len()];
            correlate(&columns, v, &mut out);
            out
        };
        let mut fit = inverse(&correlations(y));
        let mut rest = vec![0.0; y.len()];
        residual_into(a, y, &kept, &fit, &mut rest);
        let missed = inverse(&correlations(&rest));
        fit.iter_mut().zip(missed).for_each(|(x, d)| *x += d);
        residual_into(a, y, &kept, &fit, &mut rest);

        let mut direction = inverse(&signs_kept);
        let mut image = vec![0.0; y.len()];
        accumulate(&columns, &direction, &mut image);
        let missed: Vec<f64> = signs_kept
            .iter()
            .zip(correlations(&image))
            .map(|(s, c)| s - c)
            .collect();
        direction.iter_mut().zip(inverse(&missed)).for_each(|(t, d)| *t += d);
        image.fill(0.0);
        accumulate(&columns, &direction, &mut image);
        Face {
            support: kept,
            fit,
            direction,
            rest,
            image,
        }
    }

    /// The faces near an approximate minimiser, each with the λ in question and `x_S(λ)`: the first on its whole support, of
    /// whose dependent columns the larger stay, and each further one without the columns that have the wrong sign on the
    /// face before it. None from where on `lambda_of` finds no λ. Cost: [`Face::new`] for each, eight at most.
    pub fn near(
        a: &dyn MeasurementOperator,
        y: &[f64],
        support: &[usize],
        values: &[f64],
        lambda_of: impl Fn(&Face) -> Option<f64>,
    ) -> Vec<(Self, f64, Vec<f64>)> {
        let mut order: Vec<(usize, f64)> = support.iter().copied().zip(values.iter().copied()).collect();
        order.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(&b.0)));
        let mut found = Vec::new();
        for _ in 0..ROUNDS {
            let (columns, signs): (Vec<usize>, Vec<f64>) = order.iter().map(|(j, v)| (*j, v.signum())).unzip();
            let face = Face::new(a, y, &columns, &signs);
            let Some(lambda) = lambda_of(&face) else { break };
            let x = face.at(lambda);
            order.retain(|(j, v)| face.support.iter().position(|k| k == j).is_some_and(|i| v * x[i] > 0.0));
            let settled = order.len() == face.support.len();
            found.push((face, lambda, x));
            if settled {
                break;
            }
        }
        found
    }

    /// The λ at which the residual has this norm, where there is one.
    pub fn lambda_at(&self, residual_norm: f64) -> Option<f64> {
        let square = residual_norm * residual_norm - dot(&self.rest, &self.rest);
        let length = dot(&self.image, &self.image);
        (square > 0.0 && length > 0.0).then(|| (square / length).sqrt())
    }

    /// `r(λ)/λ = u + r(0)/λ`, the dual vector; without `r(0)` where that is only the rounding of data of this norm, which a
    /// small λ would magnify.
    pub fn dual(&self, lambda: f64, data_norm: f64) -> Vec<f64> {
        let rounding = 64.0 * (self.rest.len() as f64).sqrt() * f64::EPSILON * data_norm;
        if norm(&self.rest) <= rounding {
            return self.image.clone();
        }
        self.image.iter().zip(&self.rest).map(|(u, r)| u + r / lambda).collect()
    }

    /// `x_S(λ)`.
    pub fn at(&self, lambda: f64) -> Vec<f64> {
        self.fit
            .iter()
            .zip(&self.direction)
            .map(|(x, t)| x - lambda * t)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::DenseOperator;
    use nalgebra::dmatrix;

    #[test]
    fn on_orthogonal_columns_the_line_is_the_soft_threshold() {
        let a = DenseOperator::new(dmatrix![1.0, 0.0; 0.0, 2.0; 0.0, 0.0]).unwrap();
        let face = Face::new(&a, &[3.0, -4.0, 1.0], &[0, 1], &[1.0, -1.0]);
        assert_eq!(face.at(0.5), [2.5, -1.875]);
        assert_eq!((face.rest, face.image), (vec![0.0, 0.0, 1.0], vec![1.0, -0.5, 0.0]));
    }

    #[test]
    fn a_repeated_column_counts_once_and_the_penalty_of_a_residual_norm_is_found_unless_the_rest_exceeds_it() {
        let a = DenseOperator::new(dmatrix![1.0; 0.0]).unwrap();
        let face = Face::new(&a, &[3.0, 4.0], &[0, 0], &[1.0, 1.0]);
        assert_eq!(face.support, [0]);
        // ‖(λ, 4)‖ = 5 at λ = 3.
        assert_eq!(face.lambda_at(5.0), Some(3.0));
        assert_eq!(face.lambda_at(3.9), None);
    }
}
