//! The LASSO's solution path, followed exactly from `λ_max` down.
//!
//! Between two breakpoints the nonzeros move along a line: with active columns `S` of signs `s`,
//! `t = (A_SᵀA_S)⁻¹ s` and `u = A_S t`, lowering λ by γ moves `x_S` by `γt` and the correlations `c = Aᵀr` by `−γAᵀu`. The
//! line ends where an inactive `|cⱼ|` meets λ (the column joins) or a nonzero reaches 0 (it is dropped).
//! Source: Osborne, Presnell and Turlach (2000); Efron, Hastie, Johnstone and Tibshirani (2004).

use super::common::column_cost;
use crate::linalg::cholesky::UpdatableCholesky;
use crate::linalg::columns::{accumulate, correlate};
use crate::linalg::{dot, norm};
use crate::operators::{MeasurementOperator, Shape};
use nalgebra::DMatrix;

/// A column nearer than this to the span of the active ones, relative to its length, is refused.
const DEPENDENT: f64 = 1e-8;
/// After so many steps the correlations are computed from scratch: rounding must not add up.
const REFRESH: usize = 64;
/// Below this multiple of λ_max the correlations are rounding. On the last line of a noiseless problem every correlation
/// falls to 0 together with λ, so that there every column seems to meet it.
const FLOOR: f64 = 1e-11;
/// Slopes nearer to 1 than this keep pace with λ: such a column never meets it but through rounding.
const PARALLEL: f64 = 1e-12;

/// What ended a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A column became active.
    Joined,
    /// A nonzero became zero.
    Dropped,
    /// A column met λ but depends on the active ones; it is left out for good.
    Refused,
    /// The penalty asked for is reached.
    Reached,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Out,
    Active,
    Refused,
}

/// A point of the path.
#[derive(Debug)]
pub(super) struct Homotopy<'a> {
    a: &'a dyn MeasurementOperator,
    y: &'a [f64],
    shape: Shape,
    /// The penalty of this point.
    pub lambda: f64,
    lambda_max: f64,
    /// Active columns in the order of the factor.
    pub active: Vec<usize>,
    signs: Vec<f64>,
    /// Their values.
    pub values: Vec<f64>,
    columns: Vec<f64>,
    with_y: Vec<f64>,
    factor: UpdatableCholesky,
    places: Vec<Place>,
    correlations: Vec<f64>,
    /// The column dropped last and the sign it had: it must leave the bound before it may meet it again.
    left: Option<(usize, f64)>,
    /// `t`, `u` and `Aᵀu` of the current line.
    direction: Vec<f64>,
    image: Vec<f64>,
    slopes: Vec<f64>,
    since_refresh: usize,
    /// Operator applications so far.
    pub applications: f64,
}

impl<'a> Homotopy<'a> {
    /// The start of the path, `x = 0` at `λ_max`.
    pub fn new(a: &'a dyn MeasurementOperator, y: &'a [f64]) -> Self {
        let shape = a.shape();
        let mut path = Homotopy {
            a,
            y,
            shape,
            lambda: 0.0,
            lambda_max: 0.0,
            active: Vec::new(),
            signs: Vec::new(),
            values: Vec::new(),
            columns: Vec::new(),
            with_y: Vec::new(),
            factor: UpdatableCholesky::new(),
            places: vec![Place::Out; shape.columns],
            correlations: vec![0.0; shape.columns],
            left: None,
            direction: Vec::new(),
            image: vec![0.0; shape.rows],
            slopes: vec![0.0; shape.columns],
            since_refresh: 0,
            applications: 1.0,
        };
        a.adjoint_into(y, &mut path.correlations);
        let largest = path
            .correlations
            .iter()
            .enumerate()
            .fold(
                (0.0f64, None),
                |best, (j, c)| {
                    if c.abs() > best.0 { (c.abs(), Some(j)) } else { best }
                },
            );
        (path.lambda, path.lambda_max) = (largest.0, largest.0);
        if let Some(first) = largest.1 {
            let sign = 1.0f64.copysign(path.correlations[first]);
            path.join(first, sign);
        }
        path
    }

    /// `y − A_S x_S`.
    fn residual(&self) -> Vec<f64> {
        let minus: Vec<f64> = self.values.iter().map(|v| -v).collect();
        let mut r = self.y.to_vec();
        accumulate(&self.columns, &minus, &mut r);
        r
    }

    /// `image ← A_S t`.
    fn combine(&mut self) {
        self.image.fill(0.0);
        accumulate(&self.columns, &self.direction, &mut self.image);
    }

    /// Makes a column active with the sign of its correlation; false when it depends on those that are.
    fn join(&mut self, j: usize, sign: f64) -> bool {
        let rows = self.shape.rows;
        let mut column = DMatrix::zeros(rows, 1);
        self.a.columns_into(&[j], &mut column);
        self.applications += column_cost(self.shape, 1);
        let column = column.as_slice();
        let mut cross = vec![0.0; self.active.len()];
        correlate(&self.columns, column, &mut cross);
        let columns = &self.columns;
        let distance = |w: &[f64]| {
            let minus: Vec<f64> = w.iter().map(|w| -w).collect();
            let mut rest = column.to_vec();
            accumulate(columns, &minus, &mut rest);
            norm(&rest)
        };
        let pivot = self
            .factor
            .append_measured(&cross, dot(column, column), DEPENDENT, distance);
        if !pivot.accepted {
            self.places[j] = Place::Refused;
            return false;
        }
        self.places[j] = Place::Active;
        self.active.push(j);
        self.signs.push(sign);
        self.values.push(0.0);
        self.with_y.push(dot(column, self.y));
        self.columns.extend_from_slice(column);
        true
    }

    fn drop_at(&mut self, i: usize) {
        let rows = self.shape.rows;
        let j = self.active.remove(i);
        self.places[j] = Place::Out;
        self.left = Some((j, self.signs.remove(i)));
        self.values.remove(i);
        self.with_y.remove(i);
        self.columns.drain(i * rows..(i + 1) * rows);
        self.factor.delete(i);
    }

    /// Computes the line from here: `t`, `u = A_S t` and the slopes `Aᵀu`, with one step of refinement where the active
    /// slopes, which are the signs in exact arithmetic, show that `t` is not accurate.
    fn aim(&mut self) {
        self.direction.clone_from(&self.signs);
        self.factor.solve_in_place(&mut self.direction);
        self.combine();
        self.a.adjoint_into(&self.image, &mut self.slopes);
        self.applications += 1.0;
        let mut miss: Vec<f64> = self
            .active
            .iter()
            .zip(&self.signs)
            .map(|(&j, s)| s - self.slopes[j])
            .collect();
        if miss.iter().any(|m| m.abs() > 1e-11) {
            self.factor.solve_in_place(&mut miss);
            self.direction.iter_mut().zip(&miss).for_each(|(t, d)| *t += d);
            self.combine();
            self.a.adjoint_into(&self.image, &mut self.slopes);
            self.applications += 1.0;
        }
    }

    /// How far λ falls until an inactive column meets it, which, and with which sign; ties by index.
    fn next_to_join(&self) -> (f64, Option<(usize, f64)>) {
        let mut best = (f64::INFINITY, None);
        for (j, place) in self.places.iter().enumerate() {
            if *place != Place::Out {
                continue;
            }
            let (c, w) = (self.correlations[j], self.slopes[j]);
            for sign in [1.0, -1.0] {
                let approach = 1.0 - sign * w;
                if approach <= PARALLEL || self.left == Some((j, sign)) {
                    continue;
                }
                let fall = ((self.lambda - sign * c) / approach).max(0.0);
                if fall < best.0 {
                    best = (fall, Some((j, sign)));
                }
            }
        }
        best
    }

    /// How far λ falls until a nonzero reaches 0, and its position.
    fn next_to_drop(&self) -> (f64, Option<usize>) {
        let mut best = (f64::INFINITY, None);
        for (i, ((&x, &t), &s)) in self.values.iter().zip(&self.direction).zip(&self.signs).enumerate() {
            if t * s < 0.0 {
                let fall = (x * s).max(0.0) / t.abs();
                if fall < best.0 {
                    best = (fall, Some(i));
                }
            }
        }
        best
    }

    /// Follows the path to its next breakpoint, but not below `stop`; also says how far λ fell.
    pub fn step(&mut self, stop: f64) -> (Event, f64) {
        self.aim();
        let (join, drop) = (self.next_to_join(), self.next_to_drop());
        let whole = self.lambda - stop;
        let to_event = join.0.min(drop.0);
        let reached = to_event >= whole || self.lambda - to_event <= FLOOR * self.lambda_max;
        let fall = if reached { whole } else { to_event };
        self.values
            .iter_mut()
            .zip(&self.direction)
            .for_each(|(x, t)| *x += fall * t);
        self.correlations
            .iter_mut()
            .zip(&self.slopes)
            .for_each(|(c, w)| *c -= fall * w);
        self.lambda -= fall;
        self.left = None;
        if reached {
            self.lambda = stop;
            return (Event::Reached, fall);
        }
        self.since_refresh += 1;
        if self.since_refresh == REFRESH {
            self.refresh();
        }
        let event = match (join, drop) {
            ((to_join, _), (to_drop, Some(i))) if to_drop <= to_join => {
                self.drop_at(i);
                Event::Dropped
            }
            ((_, Some((j, sign))), _) if self.join(j, sign) => Event::Joined,
            ((_, Some(_)), _) => Event::Refused,
            _ => Event::Reached,
        };
        (event, fall)
    }

    /// Solves for the values at this λ, and the correlations, from scratch.
    fn refresh(&mut self) {
        self.since_refresh = 0;
        let lambda = self.lambda;
        self.values = self
            .with_y
            .iter()
            .zip(&self.signs)
            .map(|(b, s)| b - lambda * s)
            .collect();
        self.factor.solve_in_place(&mut self.values);
        let r = self.residual();
        self.a.adjoint_into(&r, &mut self.correlations);
        self.applications += 1.0;
    }

    /// `u = A_S (A_SᵀA_S)⁻¹ s` of the line that led here: at λ = 0 the dual vector of basis pursuit.
    pub fn dual(&self) -> &[f64] {
        &self.image
    }

    /// Replaces the values by the least squares fit of `y` on the active columns, refined once.
    pub fn refit(&mut self) {
        self.values.clone_from(&self.with_y);
        self.factor.solve_in_place(&mut self.values);
        let r = self.residual();
        let mut rest = vec![0.0; self.active.len()];
        correlate(&self.columns, &r, &mut rest);
        self.factor.solve_in_place(&mut rest);
        self.values.iter_mut().zip(&rest).for_each(|(v, d)| *v += d);
    }
}
