//! The inactive columns of a solution path: which of them meets the penalty first.

use super::homotopy::Place;
use super::lazy::Lazy;
use crate::operators::MeasurementOperator;

/// Slopes nearer to 1 than this keep pace with λ: such a column never meets it but through rounding.
const PARALLEL: f64 = 1e-12;
/// A correlation that near to λ, relative to it, is on the bound.
const ON_BOUND: f64 = 1e-11;
/// From so many entries on (1 MiB) columns are looked at only when they may matter: smaller matrices are read faster than
/// bounds are computed.
const LARGE: usize = 1 << 17;

/// The line ahead: the residual is `r − γu` where the penalty is `λ − γ`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'l> {
    pub lambda: f64,
    pub residual: &'l [f64],
    pub image: &'l [f64],
}

/// How far λ falls, and which column then meets it with which sign.
pub(super) type Meeting = (f64, Option<(usize, f64)>);

/// One of two ways to follow the columns, with the same answers up to rounding.
#[derive(Debug)]
pub(super) enum Inactive<'a> {
    /// All correlations and slopes at every step.
    Every(Every<'a>),
    /// Those of columns that a bound does not exclude.
    Lazy(Lazy<'a>),
}

impl<'a> Inactive<'a> {
    /// The faster way for this operator.
    pub fn suited(a: &'a dyn MeasurementOperator) -> Self {
        match a.as_dense() {
            Some(matrix) if matrix.len() >= LARGE => Inactive::Lazy(Lazy::new(matrix)),
            _ => Inactive::Every(Every::new(a)),
        }
    }

    pub fn is_lazy(&self) -> bool {
        matches!(self, Inactive::Lazy(_))
    }

    /// The start at `x = 0`: all correlations.
    pub fn start(&mut self, y: &[f64]) -> &[f64] {
        match self {
            Inactive::Every(every) => {
                every.correlate(y);
                &every.correlations
            }
            Inactive::Lazy(lazy) => lazy.start(y),
        }
    }

    /// A new line with this `u`; all slopes, where they are computed.
    pub fn aim(&mut self, image: &[f64]) -> Option<&[f64]> {
        match self {
            Inactive::Every(every) => Some(every.aim(image)),
            Inactive::Lazy(_) => None,
        }
    }

    /// The first column to meet λ before it falls by `limit`; of several the one with the smallest index.
    pub fn first_to_meet(
        &mut self,
        line: &Line<'_>,
        limit: f64,
        places: &[Place],
        left: Option<(usize, f64)>,
    ) -> Meeting {
        match self {
            Inactive::Every(every) => every.first_to_meet(line, limit, places, left),
            Inactive::Lazy(lazy) => lazy.first_to_meet(line, limit, places, left),
        }
    }

    /// λ has fallen by so much.
    pub fn go(&mut self, fall: f64) {
        match self {
            Inactive::Every(every) => every.go(fall),
            Inactive::Lazy(lazy) => lazy.go(fall),
        }
    }

    /// By how much the largest correlation outside the active columns exceeds this λ, where it does.
    pub fn overshoot(&self, lambda: f64, places: &[Place]) -> f64 {
        match self {
            Inactive::Every(every) => every.overshoot(lambda, places),
            Inactive::Lazy(lazy) => lazy.overshoot(lambda, places),
        }
    }

    /// The column is active from now on.
    pub fn leave(&mut self, j: usize) {
        if let Inactive::Lazy(lazy) = self {
            lazy.forget(j);
        }
    }

    /// The residual has been computed anew.
    pub fn renew(&mut self, residual: &[f64]) {
        if let Inactive::Every(every) = self {
            every.correlate(residual);
        }
    }

    /// Columns on the bound whose slope keeps pace with λ, with the λ at which each was first seen.
    pub fn parallel(&self) -> &[(usize, f64)] {
        match self {
            Inactive::Every(every) => &every.parallel.found,
            Inactive::Lazy(lazy) => &lazy.parallel.found,
        }
    }

    /// Operator applications so far.
    pub fn applications(&self) -> f64 {
        match self {
            Inactive::Every(every) => every.applications,
            Inactive::Lazy(lazy) => lazy.applications(),
        }
    }
}

/// Columns that stay on the bound without joining.
#[derive(Debug)]
pub(super) struct Parallel {
    found: Vec<(usize, f64)>,
    seen: Vec<bool>,
}

impl Parallel {
    pub fn new(columns: usize) -> Self {
        Parallel {
            found: Vec::new(),
            seen: vec![false; columns],
        }
    }

    fn note(&mut self, j: usize, lambda: f64) {
        if !self.seen[j] {
            self.seen[j] = true;
            self.found.push((j, lambda));
        }
    }
}

/// A column's own meeting with λ, if that comes before `best`; of equal ones the smaller index is kept.
pub(super) fn meet(
    (j, correlation, slope): (usize, f64, f64),
    lambda: f64,
    left: Option<(usize, f64)>,
    parallel: &mut Parallel,
    best: &mut Meeting,
) {
    for sign in [1.0, -1.0] {
        let approach = 1.0 - sign * slope;
        if left == Some((j, sign)) {
            continue;
        }
        let distance = lambda - sign * correlation;
        if approach <= PARALLEL {
            if approach >= -PARALLEL && distance.abs() <= ON_BOUND * lambda {
                parallel.note(j, lambda);
            }
            continue;
        }
        let fall = (distance / approach).max(0.0);
        if fall < best.0 || (fall == best.0 && best.1.is_some_and(|(k, _)| j < k)) {
            *best = (fall, Some((j, sign)));
        }
    }
}

/// All columns at every step, through the adjoint of any operator.
#[derive(Debug)]
pub(super) struct Every<'a> {
    a: &'a dyn MeasurementOperator,
    correlations: Vec<f64>,
    slopes: Vec<f64>,
    parallel: Parallel,
    applications: f64,
}

impl<'a> Every<'a> {
    pub fn new(a: &'a dyn MeasurementOperator) -> Self {
        let columns = a.shape().columns;
        Every {
            a,
            correlations: vec![0.0; columns],
            slopes: vec![0.0; columns],
            parallel: Parallel::new(columns),
            applications: 0.0,
        }
    }

    fn correlate(&mut self, residual: &[f64]) {
        self.a.adjoint_into(residual, &mut self.correlations);
        self.applications += 1.0;
    }

    fn aim(&mut self, image: &[f64]) -> &[f64] {
        self.a.adjoint_into(image, &mut self.slopes);
        self.applications += 1.0;
        &self.slopes
    }

    fn first_to_meet(&mut self, line: &Line<'_>, limit: f64, places: &[Place], left: Option<(usize, f64)>) -> Meeting {
        let mut best = (limit, None);
        let columns = self.correlations.iter().zip(&self.slopes).zip(places);
        for (j, ((&c, &w), place)) in columns.enumerate() {
            if *place == Place::Out {
                meet((j, c, w), line.lambda, left, &mut self.parallel, &mut best);
            }
        }
        best
    }

    fn go(&mut self, fall: f64) {
        let columns = self.correlations.iter_mut().zip(&self.slopes);
        columns.for_each(|(c, w)| *c -= fall * w);
    }

    fn overshoot(&self, lambda: f64, places: &[Place]) -> f64 {
        let columns = self.correlations.iter().zip(places);
        let outside = columns.filter(|(_, place)| **place != Place::Active);
        outside.fold(0.0, |worst: f64, (c, _)| worst.max(c.abs() - lambda))
    }
}
