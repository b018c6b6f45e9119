//! Orthogonal matching pursuit on the stacked operator, three products a step and no stored column.

use super::{Recovered, Stacked};
use crate::error::Result;
use crate::linalg::cholesky::UpdatableCholesky;
use crate::linalg::norm;
use crate::operators::MeasurementOperator;
use crate::outcome::Status;
use crate::recovery::Certificate;
use nalgebra::DMatrix;

/// A column nearer than this to the span of the chosen ones, relative to its length, is refused for good.
const DEPENDENT: f64 = 1e-8;

/// The chosen columns with the factor of their stacked Gram matrix `A_SᵀA_S + αI`.
pub(super) struct Chosen<'a> {
    stacked: &'a Stacked<'a>,
    pub order: Vec<usize>,
    factor: UpdatableCholesky,
    /// `A_Sᵀb + αϑ_S`.
    right: Vec<f64>,
    at_data: Vec<f64>,
    column: DMatrix<f64>,
    row: Vec<f64>,
    pub applications: f64,
}

impl<'a> Chosen<'a> {
    /// Nothing chosen yet. Cost: one adjoint.
    pub fn new(stacked: &'a Stacked<'a>) -> Self {
        let columns = stacked.problem.prior.len();
        let mut at_data = vec![0.0; columns];
        stacked.correlations_into(stacked.b, &vec![0.0; columns], &mut at_data);
        Chosen {
            stacked,
            order: Vec::new(),
            factor: UpdatableCholesky::with_capacity(stacked.counts.iter().sum()),
            right: Vec::new(),
            at_data,
            column: DMatrix::zeros(stacked.b.len(), 1),
            row: vec![0.0; columns],
            applications: 1.0,
        }
    }

    /// Offers a column; true when it is independent enough of those chosen before. The new row of the Gram matrix is
    /// one adjoint.
    pub fn offer(&mut self, j: usize) -> bool {
        let operator = &self.stacked.problem.operator;
        operator.columns_into(&[j], &mut self.column);
        operator.adjoint_into(self.column.as_slice(), &mut self.row);
        self.applications += 1.0;
        let cross: Vec<f64> = self.order.iter().map(|&i| self.row[i]).collect();
        let length = self.stacked.length(j);
        let (order, column, alpha) = (&self.order, &self.column, self.stacked.alpha);
        // The distance from the span in the stacked rows: those of A, and √α times (unit vector j − coefficients).
        let distance = |w: &[f64]| {
            let mut fit = vec![0.0; column.nrows()];
            operator.apply_sparse_into(order, w, &mut fit);
            fit.iter_mut().zip(column.as_slice()).for_each(|(f, a)| *f = a - *f);
            let identity = alpha * (1.0 + w.iter().map(|w| w * w).sum::<f64>());
            norm(&fit).hypot(identity.sqrt())
        };
        let pivot = self
            .factor
            .append_measured(&cross, length * length, DEPENDENT, distance);
        if pivot.accepted {
            self.order.push(j);
            self.right.push(self.at_data[j]);
        }
        pivot.accepted
    }

    /// The damped least squares fit on the chosen columns.
    pub fn fit_into(&self, theta: &mut [f64]) {
        let mut values = self.right.clone();
        self.factor.solve_in_place(&mut values);
        for (&j, v) in self.order.iter().zip(values) {
            theta[j] = v;
        }
    }
}

pub(super) fn solve(stacked: &Stacked<'_>) -> Result<Recovered> {
    let problem = stacked.problem;
    let mut usable = problem.candidate.clone();
    let mut room = stacked.counts.to_vec();
    let lengths: Vec<f64> = (0..usable.len()).map(|j| stacked.length(j)).collect();
    let mut chosen = Chosen::new(stacked);
    let mut theta = vec![0.0; usable.len()];
    let mut c = chosen.at_data.clone();
    let mut r = stacked.b.to_vec();
    let mut margins = Vec::new();
    let target: usize = stacked.counts.iter().sum();
    let data = (2.0 * stacked.objective(stacked.b, &theta)).sqrt();
    // The rounding of a correlation: a few roundings of sums of so many terms of the size of the data.
    let noise = 8.0 * (stacked.b.len() as f64).sqrt() * f64::EPSILON * data;
    let status = loop {
        let floor = 16.0 * (chosen.order.len() + 1) as f64 * f64::EPSILON * data;
        if (2.0 * stacked.objective(&r, &theta)).sqrt() <= floor {
            break Status::ResidualReached;
        }
        if chosen.order.len() == target {
            break Status::SupportFull;
        }
        let winner = loop {
            let (mut best, mut second) = (None, 0.0f64);
            for j in (0..usable.len()).filter(|&j| usable[j] && room[problem.layer_of[j]] > 0) {
                let score = c[j].abs() / lengths[j];
                match best {
                    Some((leader, _)) if score <= leader => second = second.max(score),
                    _ => {
                        second = best.map_or(second, |(leader, _)| leader);
                        best = Some((score, j));
                    }
                }
            }
            let Some((score, j)) = best.filter(|(score, _)| *score > noise) else {
                break None;
            };
            usable[j] = false;
            if chosen.offer(j) {
                break Some((j, (score - second) / score));
            }
        };
        let Some((j, margin)) = winner else {
            break Status::Exhausted;
        };
        room[problem.layer_of[j]] -= 1;
        margins.push(margin);
        chosen.fit_into(&mut theta);
        stacked.residual_into(&theta, &mut r);
        stacked.correlations_into(&r, &theta, &mut c);
        chosen.applications += 2.0;
    };
    let certificate = Certificate::OrderMargins {
        order: chosen.order.clone(),
        margins,
        uncertainties: None,
    };
    let mut recovered = stacked.recovered(&chosen.order, &theta, status, certificate)?;
    recovered.applications += chosen.applications;
    Ok(recovered)
}
