//! An orthogonal matching pursuit on its way: one pick after another from correlations, exact or screened.

use super::chosen::Chosen;
use super::common::{column_cost, residual_into, scatter};
use super::picking::{Open, PickRequest, Winner, noise};
use super::screen::Screened;
use super::{Certificate, Recovery};
use crate::linalg::{dot, norm};
use crate::operators::MeasurementOperator;
use crate::outcome::{Progress, Status};
use nalgebra::DMatrix;
use std::ops::ControlFlow;

/// The correlations of a residual with every column: exact, or scores with a bound on their error.
#[derive(Clone, Copy, Debug)]
pub(super) enum Correlations<'a> {
    /// `Aᵀr`.
    Exact(&'a [f64]),
    /// Approximate `aⱼᵀr/‖aⱼ‖`.
    Screened(Screened<'a>),
}

/// A pursuit on its way.
pub(super) struct Pursuit<'a> {
    a: &'a dyn MeasurementOperator,
    y: &'a [f64],
    request: PickRequest<'a>,
    y_norm: f64,
    target: usize,
    norms: &'a [f64],
    open: Open<'a>,
    chosen: Chosen,
    margins: Vec<f64>,
    uncertainties: Vec<f64>,
    r: Vec<f64>,
    column: DMatrix<f64>,
    maxima: Vec<i32>,
    applications: f64,
}

/// Scores that share one maximum: those of a block below what matters are passed over together.
const BLOCK: usize = 32;

/// The winner among all open columns, from approximate scores: those that may be first or second are scored again.
fn best_screened(
    open: &Open<'_>,
    screened: Screened<'_>,
    maxima: &mut Vec<i32>,
    score: impl Fn(usize) -> f64,
) -> Option<Winner> {
    // Exact products of vectors far shorter than what 32 bits hold: no magnitude overflows.
    let largest = |block: &[i32]| block.iter().fold(0, |m: i32, s| m.max(s.abs()));
    maxima.clear();
    maxima.extend(screened.scores.chunks(BLOCK).map(largest));
    let blocks = || screened.scores.chunks(BLOCK).zip(maxima.iter()).enumerate();
    let (mut first, mut second) = (-1, -1);
    for (b, (block, &largest)) in blocks() {
        if largest <= second {
            continue;
        }
        for (i, found) in block.iter().enumerate() {
            let found = found.abs();
            if found > second && open.admits(b * BLOCK + i) {
                second = found.min(first);
                first = first.max(found);
            }
        }
    }
    // Two columns score at least `second − error` for certain; what cannot reach that is out.
    let threshold = second.saturating_sub(screened.error.saturating_mul(2));
    let near = blocks()
        .filter(|&(_, (_, &largest))| largest >= threshold)
        .flat_map(|(b, (block, _))| block.iter().enumerate().map(move |(i, s)| (b * BLOCK + i, s.abs())))
        .filter(|&(j, found)| found >= threshold && open.admits(j));
    Winner::among(near.map(|(j, _)| (j, score(j))))
}

impl<'a> Pursuit<'a> {
    /// The start; none where the request cannot be met.
    pub fn new(
        request: PickRequest<'a>,
        a: &'a dyn MeasurementOperator,
        y: &'a [f64],
        norms: &'a [f64],
    ) -> Option<Self> {
        let open = Open::new(norms.iter().map(|&n| n > 0.0).collect(), request.groups);
        let target = request.target(y.len(), &open)?;
        Some(Pursuit {
            a,
            y,
            request,
            y_norm: norm(y),
            target,
            norms,
            open,
            chosen: Chosen::with_capacity(target.min(256)),
            margins: Vec::new(),
            uncertainties: Vec::new(),
            r: y.to_vec(),
            column: DMatrix::zeros(y.len(), 1),
            maxima: Vec::new(),
            applications: 1.0,
        })
    }

    /// The residual of the present fit.
    pub fn residual(&self) -> &[f64] {
        &self.r
    }

    /// What an observer is told.
    pub fn progress(&self) -> Progress {
        let picked = self.chosen.order.len();
        Progress {
            iteration: picked,
            objective: 0.5 * dot(&self.r, &self.r),
            nonzeros: picked,
        }
    }

    /// Why it is over, if it is.
    pub fn ended(&self) -> Option<Status> {
        self.request
            .ended(self.chosen.order.len(), self.target, norm(&self.r), self.y_norm)
    }

    /// Picks the next column and refits; false when there is none.
    pub fn pick(&mut self, correlations: Correlations<'_>) -> bool {
        let rows = self.y.len();
        let noise = noise(rows) * self.y_norm;
        self.applications += 1.0;
        loop {
            let (open, norms, r) = (&self.open, self.norms, &self.r);
            let best = match correlations {
                Correlations::Exact(c) => {
                    let admitted = (0..c.len()).filter(|&j| open.admits(j));
                    Winner::among(admitted.map(|j| (j, c[j].abs() / norms[j])))
                }
                Correlations::Screened(screened) => best_screened(open, screened, &mut self.maxima, |j| {
                    screened.screen.correlation(j, r).abs() / norms[j]
                }),
            };
            let Some(winner) = best.filter(|winner| winner.score > noise) else {
                return false;
            };
            let j = winner.column;
            self.a.columns_into(&[j], &mut self.column);
            self.applications += column_cost(self.a.shape(), 1);
            let column = self.column.as_slice();
            let met = self.chosen.meet(r, column);
            // Two inner products and two norms are rounded, and both see the residual's own error.
            let error = self.chosen.residual_error(self.y_norm, r, &met) + (rows + 4) as f64 * f64::EPSILON * norm(r);
            if self.chosen.offer(j, column, norms[j], dot(column, self.y), &met) {
                self.open.take(j);
                self.margins.push((winner.score - winner.second) / winner.score);
                self.uncertainties.push((2.0 * error / winner.score).min(1.0));
                self.chosen.residual_into(self.y, &mut self.r);
                return true;
            }
            self.open.refuse(j);
        }
    }

    /// Itself, or its answer when it is over.
    pub fn unless_ended(self) -> ControlFlow<Recovery, Self> {
        match self.ended() {
            Some(status) => ControlFlow::Break(self.finish(status)),
            None => ControlFlow::Continue(self),
        }
    }

    /// Itself after the next pick, or its answer when it is over.
    pub fn next(mut self, correlations: Correlations<'_>) -> ControlFlow<Recovery, Self> {
        if self.pick(correlations) {
            self.unless_ended()
        } else {
            ControlFlow::Break(self.finish(Status::Exhausted))
        }
    }

    /// The answer, its values refined once.
    pub fn finish(mut self, status: Status) -> Recovery {
        let shape = self.a.shape();
        self.chosen.refine(&self.r);
        let Chosen { order, values, .. } = self.chosen;
        residual_into(self.a, self.y, &order, &values, &mut self.r);
        let residual_norm = norm(&self.r);
        Recovery {
            support: Vec::new(),
            x: scatter(shape.columns, &order, &values),
            status,
            iterations: order.len(),
            applications: self.applications + column_cost(shape, order.len()),
            objective: 0.5 * residual_norm * residual_norm,
            residual_norm,
            certificate: Certificate::OrderMargins {
                order,
                margins: self.margins,
                uncertainties: Some(self.uncertainties),
            },
        }
    }
}
