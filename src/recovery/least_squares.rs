//! What every penalised least squares problem on a working set keeps: the residual, what it correlates with, and the cost.

use super::Recovery;
use super::common::{column_cost, residual_into, scatter};
use super::descent::{Certified, Descent, rounding_allowances};
use super::growing_gram::GrowingGram;
use super::working_columns::WorkingColumns;
use crate::error::Result;
use crate::linalg::columns::correlate;
use crate::linalg::dot;
use crate::operators::MeasurementOperator;

/// `½‖y − A x‖²` with some columns at work.
#[derive(Debug)]
pub(super) struct LeastSquares<'a> {
    a: &'a dyn MeasurementOperator,
    y: &'a [f64],
    /// `‖y‖²`.
    pub y_square: f64,
    /// `‖aⱼ‖`, or 0 where no column goes without penalty.
    pub norms: Vec<f64>,
    /// The columns at work.
    pub columns: WorkingColumns,
    r: Vec<f64>,
    /// `Aᵀr`.
    pub c: Vec<f64>,
    /// How large correlations may be where they should be 0.
    pub allowances: Vec<f64>,
    /// The dual point is this multiple of the residual.
    pub dual_scale: f64,
    applications: f64,
}

/// `‖r‖²` and `yᵀr` at the coefficients x of the columns at work, from their inner products with y and with r.
pub(super) fn residual_terms(y_square: f64, linear: &[f64], slopes: &[f64], x: &[f64]) -> (f64, f64) {
    let with_fit = dot(linear, x);
    ((y_square - with_fit - dot(slopes, x)).max(0.0), y_square - with_fit)
}

impl<'a> LeastSquares<'a> {
    /// At 0, with no columns; lengths are computed where some go without `penalty`. Cost: one pass then.
    pub fn new(a: &'a dyn MeasurementOperator, y: &'a [f64], unpenalised: bool) -> Self {
        let columns = a.shape().columns;
        LeastSquares {
            a,
            y,
            y_square: dot(y, y),
            norms: if unpenalised {
                a.column_norms()
            } else {
                vec![0.0; columns]
            },
            columns: WorkingColumns::new(y.len(), columns),
            r: y.to_vec(),
            c: vec![0.0; columns],
            allowances: Vec::new(),
            dual_scale: 0.0,
            applications: f64::from(u8::from(unpenalised)),
        }
    }

    /// Takes columns in: their Gram matrix grows, and so does their product with y.
    ///
    /// # Errors
    /// When the columns do not fit.
    pub fn extend(&mut self, new: &[usize], gram: &mut GrowingGram, linear: &mut Vec<f64>) -> Result<()> {
        let block = self.columns.fetch(self.a, new);
        self.applications += column_cost(self.a.shape(), new.len());
        gram.extend(&self.columns.matrix, &block)?;
        let old = linear.len();
        linear.resize(old + new.len(), 0.0);
        correlate(block.as_slice(), self.y, &mut linear[old..]);
        self.columns.append(&block, new);
        Ok(())
    }

    /// Computes all correlations, and what rounding allows them, one number a length; the point, dense.
    pub fn look(&mut self, x: &[f64], lengths: Option<&[f64]>) -> Vec<f64> {
        self.a.adjoint_into(&self.r, &mut self.c);
        self.applications += 1.0;
        let (support, values) = self.columns.nonzeros(x);
        let (terms, data) = ((support.as_slice(), values.as_slice()), self.y_square.sqrt());
        let lengths = lengths.unwrap_or(&self.norms);
        self.allowances = rounding_allowances(self.y.len(), data, terms, &self.norms, lengths);
        scatter(self.c.len(), &support, &values)
    }

    /// `‖r‖²` and `yᵀr`.
    pub fn terms(&self) -> (f64, f64) {
        (dot(&self.r, &self.r), dot(self.y, &self.r))
    }

    /// Recomputes the residual for these coefficients of the columns at work.
    pub fn moved_to(&mut self, x: &[f64]) {
        let (support, values) = self.columns.nonzeros(x);
        residual_into(self.a, self.y, &support, &values, &mut self.r);
        self.applications += column_cost(self.a.shape(), support.len());
    }

    /// The answer at these coefficients.
    pub fn into_recovery(self, x: &[f64], objective: f64, descent: Descent) -> Recovery {
        let (support, values) = self.columns.nonzeros(x);
        let certified = Certified {
            support,
            values,
            objective,
            scale: 0.5 * self.y_square,
            dual: self.r.iter().map(|v| self.dual_scale * v).collect(),
        };
        certified.into_recovery(self.c.len(), &self.r, descent, self.applications)
    }
}
