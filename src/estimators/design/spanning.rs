//! Rows that span the unknowns, chosen one after another under a flat prior.

use super::criterion::Criterion;
use super::problem::DesignProblem;
use super::tracker::axpy;
use crate::error::{Error, Result};
use crate::linalg::columns::correlate;
use crate::linalg::dot;

/// Independent rows among the candidates, as the greedy choice under a prior of vanishing precision takes them.
///
/// As the precision falls to zero, the loss is dominated by the number of directions not yet seen, so that any independent
/// row is equally good in the first order; the next order decides: for A the least growth of
/// `tr (A_S A_Sᵀ)⁻¹`, which a row with coefficients c in the rows before it and distance d from their span raises by
/// `(1 + ‖c‖²)/d²`; for D, and here for E, the largest distance.
#[derive(Debug)]
pub(super) struct Span<'a> {
    problem: &'a DesignProblem,
    /// What every candidate has outside the span, one a column.
    residuals: Vec<f64>,
    distances: Vec<f64>,
    /// The coefficients of every candidate in the rows of the span: one vector over the candidates for each row.
    coefficients: Vec<Vec<f64>>,
    /// The rows of the span in the order taken.
    pub rows: Vec<usize>,
    /// Losses found by an update.
    pub evaluations: u64,
}

impl<'a> Span<'a> {
    pub fn new(problem: &'a DesignProblem) -> Self {
        let mut span = Span {
            problem,
            residuals: problem.sensors().as_slice().to_vec(),
            distances: Vec::new(),
            coefficients: Vec::new(),
            rows: Vec::new(),
            evaluations: 0,
        };
        span.measure();
        span
    }

    fn residual(&self, i: usize) -> &[f64] {
        let n = self.problem.unknowns();
        &self.residuals[i * n..(i + 1) * n]
    }

    fn measure(&mut self) {
        let n = self.problem.unknowns();
        self.distances = self.residuals.chunks_exact(n).map(|r| dot(r, r)).collect();
    }

    /// Takes the best independent candidates among those allowed until they span the unknowns or none is left.
    pub fn grow(&mut self, allowed: impl Fn(usize) -> bool) {
        while self.rows.len() < self.problem.unknowns() {
            match self.best(&allowed) {
                Some(j) => self.take(j),
                None => return,
            }
        }
    }

    fn best(&mut self, allowed: &impl Fn(usize) -> bool) -> Option<usize> {
        let n = self.problem.unknowns();
        let dependent = self.problem.singular_pivot().powi(2);
        let width = 8.0 * (n + 2) as f64 * f64::EPSILON;
        let mut best: Option<(usize, f64)> = None;
        for i in (0..self.problem.candidates()).filter(|&i| allowed(i)) {
            let (sensor, distance) = (self.problem.sensor(i), self.distances[i]);
            if distance <= dependent * dot(sensor, sensor) {
                continue;
            }
            let growth = match self.problem.criterion() {
                Criterion::A => {
                    let square: f64 = self.coefficients.iter().map(|c| c[i] * c[i]).sum();
                    (1.0 + square) / distance
                }
                _ => 1.0 / distance,
            };
            self.evaluations += 1;
            if best.is_none_or(|(_, least)| growth < least * (1.0 - width)) {
                best = Some((i, growth));
            }
        }
        best.map(|(i, _)| i)
    }

    fn take(&mut self, j: usize) {
        let n = self.problem.unknowns();
        let (direction, square) = (self.residual(j).to_vec(), self.distances[j]);
        let mut along = vec![0.0; self.problem.candidates()];
        // Against the residuals, not the rows: what rounding left of earlier directions is taken out again.
        correlate(&self.residuals, &direction, &mut along);
        for (i, residual) in self.residuals.chunks_exact_mut(n).enumerate() {
            along[i] /= square;
            axpy(-along[i], &direction, residual);
        }
        for earlier in &mut self.coefficients {
            let own = earlier[j];
            axpy(-own, &along, earlier);
        }
        self.coefficients.push(along);
        self.rows.push(j);
        self.measure();
    }
}

/// Rows of the same number whose information is not singular: the given ones where it is not, else those of them that are
/// independent, what is missing for the rank, and as many of the rest as there is room for.
pub(super) fn repaired(problem: &DesignProblem, rows: &[usize]) -> Result<Vec<usize>> {
    if problem.loss(rows)? < f64::INFINITY {
        return Ok(rows.to_vec());
    }
    let mut span = Span::new(problem);
    span.grow(|i| rows.contains(&i));
    span.grow(|_| true);
    let mut repaired = span.rows;
    for &i in rows {
        if repaired.len() < rows.len() && !repaired.contains(&i) {
            repaired.push(i);
        }
    }
    match problem.loss(&repaired)? {
        loss if loss < f64::INFINITY => Ok(repaired),
        _ => Err(Error::numerical(
            "start of the exchange",
            "singular to working precision",
        )),
    }
}
