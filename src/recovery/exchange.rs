//! The iteration that methods with a fixed count of nonzeros share, and the exchange of columns behind a fit.

use super::iterate::Iterate;
use super::request::Request;
use super::seen::union_into;
use super::selection::Selector;
use super::support_fit::SupportFit;
use crate::linalg::norm;
use crate::operators::MeasurementOperator;
use crate::outcome::{Status, Watch};

/// What a step came to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// The next iterate is taken, and with a status it is the last one.
    Taken(Option<Status>),
    /// The next iterate is not taken: the present one is the last.
    Refused(Status),
}

/// Where an iteration ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// The last iterate taken.
    pub last: Iterate,
    /// Why it is the last.
    pub status: Status,
    /// Iterates taken.
    pub iterations: usize,
}

impl Request<'_> {
    /// Iterates from 0 until the residual is at most `floor · ‖y‖`, the iterations are spent, the observer stops it, or
    /// `step`, which sees the present iterate and fills in the next one, says so.
    pub fn iterate(
        &self,
        y: &[f64],
        floor: f64,
        watch: &mut Watch<'_>,
        mut step: impl FnMut(&Iterate, &mut Iterate) -> Step,
    ) -> Ended {
        let y_norm = norm(y);
        let (mut current, mut next) = (Iterate::zero(y), Iterate::zero(y));
        let mut iterations = 0;
        let status = loop {
            if norm(&current.r) <= floor * y_norm {
                break Status::ResidualReached;
            }
            if iterations == self.max_iterations {
                break Status::IterationLimit;
            }
            let ended = match step(&current, &mut next) {
                Step::Taken(ended) => ended,
                Step::Refused(status) => break status,
            };
            std::mem::swap(&mut current, &mut next);
            iterations += 1;
            if !watch.tell(&current.progress(iterations)) {
                break Status::Stopped;
            }
            if let Some(status) = ended {
                break status;
            }
        };
        Ended {
            last: current,
            status,
            iterations,
        }
    }
}

/// Fits on one support after another, whose values are read off a dense vector.
#[derive(Debug)]
pub(super) struct Exchange<'a> {
    a: &'a dyn MeasurementOperator,
    y: &'a [f64],
    fit: SupportFit,
    dense: Vec<f64>,
    merged: Vec<usize>,
    chosen: Vec<usize>,
}

impl<'a> Exchange<'a> {
    /// Before the first fit.
    pub fn new(a: &'a dyn MeasurementOperator, y: &'a [f64]) -> Self {
        Exchange {
            a,
            y,
            fit: SupportFit::default(),
            dense: vec![0.0; a.shape().columns],
            merged: Vec::new(),
            chosen: Vec::new(),
        }
    }

    /// Fits on `support` and the places of the `count` largest `|Aᵀr|`, cut to m columns. Returns the union, with the
    /// fitted values in [`Self::values`].
    pub fn widen(&mut self, support: &[usize], r: &[f64], count: usize, selector: &mut Selector) -> &[usize] {
        self.a.adjoint_into(r, &mut self.dense);
        let room = self.y.len() - support.len();
        selector.largest_into(count.min(room), &self.dense, &mut self.chosen);
        union_into(support, &self.chosen, &mut self.merged);
        self.fit.fit(self.a, self.y, &self.merged);
        self.fit.scatter_into(&self.merged, &mut self.dense);
        &self.merged
    }

    /// The values of the last fit, 0 elsewhere.
    pub fn values(&self) -> &[f64] {
        &self.dense
    }

    /// Moves `next` to the fit on `support`.
    pub fn fit_into(&mut self, support: &[usize], next: &mut Iterate) {
        self.fit.fit(self.a, self.y, support);
        self.fit.scatter_into(support, &mut self.dense);
        next.set(self.a, self.y, support, &self.dense);
    }

    /// Operator applications spent in all fits.
    pub fn applications(&self) -> f64 {
        self.fit.applications
    }
}
