//! The columns that a pursuit has chosen, their least squares fit, and how far its residual can be trusted.

use crate::linalg::cholesky::UpdatableCholesky;
use crate::linalg::columns::{correlate, correlate_two, distance, subtract};
use crate::linalg::{dot, norm};

/// A column nearer than this to the span of the chosen ones, relative to its length, is refused for good.
const DEPENDENT: f64 = 1e-8;

/// The chosen columns with their factor, in the order of picking.
#[derive(Debug)]
pub(super) struct Chosen {
    /// Their places in the operator.
    pub order: Vec<usize>,
    /// The values of the fit.
    pub values: Vec<f64>,
    columns: Vec<f64>,
    lengths: Vec<f64>,
    factor: UpdatableCholesky,
    /// `‖R⁻¹‖_F²`, which bounds `1/σ_min(A_S)²`.
    inverse_square: f64,
    /// `R⁻ᵀ A_Sᵀy`.
    along: Vec<f64>,
}

/// Inner products of the chosen columns with the residual and with a column offered.
#[derive(Debug)]
pub(super) struct Met {
    with_residual: Vec<f64>,
    with_column: Vec<f64>,
}

impl Chosen {
    /// None, with room for a factor of that order.
    pub fn with_capacity(order: usize) -> Self {
        Chosen {
            order: Vec::new(),
            values: Vec::new(),
            columns: Vec::new(),
            lengths: Vec::new(),
            factor: UpdatableCholesky::with_capacity(order),
            inverse_square: 0.0,
            along: Vec::new(),
        }
    }

    /// Both products in one pass over the chosen columns.
    pub fn meet(&self, r: &[f64], column: &[f64]) -> Met {
        let (mut with_residual, mut with_column) = (vec![0.0; self.order.len()], vec![0.0; self.order.len()]);
        correlate_two(&self.columns, [r, column], [&mut with_residual, &mut with_column]);
        Met {
            with_residual,
            with_column,
        }
    }

    /// Offers column j, with its inner product with `y`; true when it is independent enough of those chosen before, and
    /// now one of them and of the fit.
    pub fn offer(&mut self, j: usize, column: &[f64], length: f64, with_y: f64, met: &Met) -> bool {
        let columns = &self.columns;
        let away = |w: &[f64]| distance(columns, w, column);
        let pivot = self
            .factor
            .append_measured(&met.with_column, length * length, DEPENDENT, away);
        if pivot.accepted {
            self.inverse_square += self.factor.last_of_inverse_square();
            self.order.push(j);
            self.lengths.push(length);
            self.columns.extend_from_slice(column);
            self.refit(with_y);
        }
        pivot.accepted
    }

    /// Fits again with one column more, whose inner product with `y` is given.
    fn refit(&mut self, with_y: f64) {
        // One more step of the forward substitution: the last row of Rᵀ is (z, ρ).
        let order = self.along.len();
        let last = self.factor.column(order);
        self.along
            .push((with_y - dot(&last[..order], &self.along)) / last[order]);
        self.values.clone_from(&self.along);
        self.factor.solve_upper(&mut self.values);
    }

    /// A bound on `‖r̂ − r‖` for the residual r̂ as computed and r as defined, the distance of `y` from the span.
    ///
    /// `r̂ − r` is what r̂ has within the span, `‖R⁻ᵀA_Sᵀr̂‖`, and what forming r̂ rounded.
    pub fn residual_error(&self, y_norm: f64, r: &[f64], met: &Met) -> f64 {
        let count = self.order.len() as f64;
        let terms: f64 = self.lengths.iter().zip(&self.values).map(|(n, v)| n * v.abs()).sum();
        let forming = (count + 2.0) * f64::EPSILON * (y_norm + terms);
        // What the inner products with r̂ round is part of the bound as well.
        let rounded = r.len() as f64 * f64::EPSILON * norm(r) * count.sqrt();
        let longest = self.lengths.iter().copied().fold(0.0, f64::max);
        (norm(&met.with_residual) + rounded * longest) * self.inverse_square.sqrt() + forming
    }

    /// `r ← y − A_S x_S` from the chosen columns, in the order of picking.
    pub fn residual_into(&self, y: &[f64], r: &mut [f64]) {
        r.copy_from_slice(y);
        subtract(&self.columns, &self.values, r);
    }

    /// One step of iterative refinement: what the residual still holds of the chosen columns.
    pub fn refine(&mut self, r: &[f64]) {
        let mut rest = vec![0.0; self.order.len()];
        correlate(&self.columns, r, &mut rest);
        self.factor.solve_in_place(&mut rest);
        self.values.iter_mut().zip(&rest).for_each(|(v, d)| *v += d);
    }
}
