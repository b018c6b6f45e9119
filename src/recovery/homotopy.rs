//! The LASSO's solution path, followed exactly from `λ_max` down.
//!
//! Between two breakpoints the nonzeros move along a line: with active columns `S` of signs `s`,
//! `t = (A_SᵀA_S)⁻¹ s` and `u = A_S t`, lowering λ by γ moves `x_S` by `γt`, the residual by `−γu` and the correlations
//! `c = Aᵀr` by `−γAᵀu`. The line ends where an inactive `|cⱼ|` meets λ (the column joins) or a nonzero reaches 0 (it is
//! dropped).
//!
//! Where several events meet at one λ the next line is that of the least squares problem with signs
//! `min ½‖A_Z d‖² − sᵀd` over the columns `Z` on the bound, `dⱼsⱼ ≥ 0` where `xⱼ = 0`. It is solved as nonnegative least
//! squares are: columns join while they would grow with their sign, and of those that a step would drive through zero
//! the first is dropped. Each such move lowers its objective, so that in exact arithmetic no set of columns returns.
//! Sources: Osborne, Presnell and Turlach (2000); Efron, Hastie, Johnstone and Tibshirani (2004); Lawson and Hanson
//! (1974), chapter 23.

use super::active_columns::ActiveColumns;
use super::common::column_cost;
use super::inactive::{Inactive, Line};
use crate::linalg::cholesky::UpdatableCholesky;
use crate::linalg::{dot, norm};
use crate::operators::{MeasurementOperator, Shape};
use nalgebra::DMatrix;

/// A column nearer than this to the span of the active ones, relative to its length, is refused.
const DEPENDENT: f64 = 1e-8;
/// After so many steps what is carried along is computed from scratch: rounding must not add up.
const REFRESH: usize = 64;
/// Below this multiple of λ_max the correlations are rounding. On the last line of a noiseless problem every correlation
/// falls to 0 together with λ, so that there every column seems to meet it.
const FLOOR: f64 = 1e-11;
/// A fall of λ by no more than this multiple of it is rounding: the events on both sides of it are one tie.
const TIE: f64 = 16.0 * f64::EPSILON;

/// What ended a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A column became active.
    Joined,
    /// A nonzero became zero.
    Dropped,
    /// A column met λ but depends on the active ones; it is left out until one of them is dropped.
    Refused,
    /// The penalty asked for is reached.
    Reached,
}

/// What waits at the end of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Next {
    /// This column meets λ with this sign.
    Join(usize, f64),
    /// The nonzero at this position reaches 0.
    Drop(usize),
    /// The penalty asked for.
    Reached,
}

/// How a column stands to the active ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Place {
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
    /// `‖Aᵀy‖∞`.
    pub lambda_max: f64,
    /// Active columns in the order of the factor.
    pub active: Vec<usize>,
    /// Their signs.
    pub signs: Vec<f64>,
    /// Their values.
    pub values: Vec<f64>,
    /// `y − A_S x_S`, carried along.
    pub residual: Vec<f64>,
    columns: ActiveColumns,
    with_y: Vec<f64>,
    factor: UpdatableCholesky,
    /// `R⁻ᵀ s`.
    forward: Vec<f64>,
    places: Vec<Place>,
    refused: Vec<usize>,
    inactive: Inactive<'a>,
    /// The column dropped last and the sign it had: it must leave the bound before it may meet it again.
    left: Option<(usize, f64)>,
    /// `t` and `u` of the current line.
    direction: Vec<f64>,
    image: Vec<f64>,
    /// A direction whose zeros move with their signs: `t` of the line before, carried through the events at one λ.
    feasible: Vec<f64>,
    /// `A_Sᵀ aⱼ` for the column that is about to join, where it is known already.
    cross: Option<Vec<f64>>,
    since_refresh: usize,
    /// Whether the residual is computed from scratch at the start of every line.
    renews: bool,
    applications: f64,
}

impl<'a> Homotopy<'a> {
    /// The start of the path, `x = 0` at `λ_max`.
    pub fn new(a: &'a dyn MeasurementOperator, y: &'a [f64]) -> Self {
        Self::following(a, y, Inactive::suited(a))
    }

    /// As [`Homotopy::new`], with a given way to follow the inactive columns.
    pub fn following(a: &'a dyn MeasurementOperator, y: &'a [f64], mut inactive: Inactive<'a>) -> Self {
        let shape = a.shape();
        let largest = inactive
            .start(y)
            .iter()
            .enumerate()
            .fold((0.0f64, None), |best, (j, c)| {
                if c.abs() > best.0 {
                    (c.abs(), Some((j, *c)))
                } else {
                    best
                }
            });
        let mut path = Homotopy {
            a,
            y,
            shape,
            lambda: largest.0,
            lambda_max: largest.0,
            active: Vec::new(),
            signs: Vec::new(),
            values: Vec::new(),
            residual: y.to_vec(),
            columns: ActiveColumns::new(shape.rows),
            with_y: Vec::new(),
            factor: UpdatableCholesky::new(),
            forward: Vec::new(),
            places: vec![Place::Out; shape.columns],
            refused: Vec::new(),
            inactive,
            left: None,
            direction: Vec::new(),
            image: vec![0.0; shape.rows],
            feasible: Vec::new(),
            cross: None,
            since_refresh: 0,
            renews: false,
            applications: 0.0,
        };
        if let Some((first, correlation)) = largest.1 {
            path.join(first, 1.0f64.copysign(correlation));
        }
        path
    }

    /// Computes the residual from scratch at the start of every line from now on, for those who measure it.
    pub fn renew_always(&mut self) {
        self.renews = true;
    }

    /// Operator applications so far.
    pub fn applications(&self) -> f64 {
        self.applications + self.inactive.applications()
    }

    /// `A_Sᵀ r − λs` at this point, in the order of the factor, and on the way what is needed if `next` joins.
    /// Cost: one pass over the active columns.
    pub fn measure(&mut self, next: Next) -> Vec<f64> {
        let mut errors = vec![0.0; self.active.len()];
        match next {
            Next::Join(j, _) => {
                let column = fetch(self.a, j);
                let mut cross = vec![0.0; self.active.len()];
                self.columns
                    .correlate_both([&self.residual, &column], [&mut errors, &mut cross]);
                self.cross = Some(cross);
            }
            _ => self.columns.correlate(&self.residual, &mut errors),
        }
        let lambda = self.lambda;
        errors.iter_mut().zip(&self.signs).for_each(|(e, s)| *e -= lambda * s);
        errors
    }

    /// `aⱼᵀr − λs` of the column that joined last.
    pub fn last_error(&self) -> f64 {
        match (self.active.last(), self.signs.last()) {
            (Some(&j), Some(s)) => dot(&fetch(self.a, j), &self.residual) - self.lambda * s,
            _ => 0.0,
        }
    }

    /// By how much a correlation outside the active columns exceeds λ at this point, where it does.
    pub fn overshoot(&self) -> f64 {
        self.inactive.overshoot(self.lambda, &self.places)
    }

    /// Columns that have met λ without being able to join, as a multiple of an active combination moves with λ, each once,
    /// with the λ of the first time.
    pub fn parallel(&self) -> &[(usize, f64)] {
        self.inactive.parallel()
    }

    /// Makes a column active with the sign of its correlation; false when it depends on those that are.
    fn join(&mut self, j: usize, sign: f64) -> bool {
        let column = fetch(self.a, j);
        self.applications += column_cost(self.shape, 1);
        let cross = self.cross.take().unwrap_or_else(|| {
            let mut cross = vec![0.0; self.active.len()];
            self.columns.correlate(&column, &mut cross);
            cross
        });
        let columns = &self.columns;
        let distance = |w: &[f64]| {
            let minus: Vec<f64> = w.iter().map(|w| -w).collect();
            let mut rest = column.to_vec();
            columns.accumulate(&minus, &mut rest);
            norm(&rest)
        };
        let pivot = self
            .factor
            .append_measured(&cross, dot(&column, &column), DEPENDENT, distance);
        if !pivot.accepted {
            self.places[j] = Place::Refused;
            self.refused.push(j);
            return false;
        }
        self.push_forward(sign);
        self.places[j] = Place::Active;
        self.inactive.leave(j);
        self.active.push(j);
        self.signs.push(sign);
        self.values.push(0.0);
        self.feasible.push(0.0);
        self.with_y.push(dot(&column, self.y));
        self.columns.push(&column);
        true
    }

    /// One more step of the forward substitution `R⁻ᵀ s`, whose entries do not depend on later columns.
    fn push_forward(&mut self, sign: f64) {
        let last = self.factor.column(self.forward.len());
        if let Some((pivot, above)) = last.split_last() {
            self.forward.push((sign - dot(above, &self.forward)) / pivot);
        }
    }

    fn drop_at(&mut self, i: usize) {
        let j = self.active.remove(i);
        self.places[j] = Place::Out;
        self.left = Some((j, self.signs.remove(i)));
        self.values.remove(i);
        self.with_y.remove(i);
        self.feasible.remove(i);
        self.columns.remove(i);
        self.factor.delete(i);
        self.forward.clone_from(&self.signs);
        self.factor.solve_lower(&mut self.forward);
        for j in self.refused.drain(..) {
            self.places[j] = Place::Out;
        }
    }

    /// `u ← A_S t`.
    fn combine(&mut self) {
        self.image.fill(0.0);
        self.columns.accumulate(&self.direction, &mut self.image);
    }

    /// `u ← A_S t` and `r ← y − A_S x_S`, in one pass over the active columns.
    fn combine_and_renew(&mut self) {
        let minus: Vec<f64> = self.values.iter().map(|v| -v).collect();
        self.image.fill(0.0);
        self.residual.copy_from_slice(self.y);
        self.columns
            .accumulate_both([&self.direction, &minus], [&mut self.image, &mut self.residual]);
    }

    /// Improves `t` by what `A_Sᵀu` misses of the signs.
    fn refine(&mut self, mut missed: Vec<f64>) {
        self.factor.solve_in_place(&mut missed);
        self.direction.iter_mut().zip(&missed).for_each(|(t, d)| *t += d);
        self.combine();
    }

    /// Computes the line from here: `t` and `u = A_S t`, with one step of refinement where every slope is known and those
    /// of the active columns, which are the signs in exact arithmetic, show that `t` is not accurate.
    fn aim(&mut self) {
        self.direction.clone_from(&self.forward);
        self.factor.solve_upper(&mut self.direction);
        if self.renews {
            self.combine_and_renew();
        } else {
            self.combine();
        }
        if let Some(slopes) = self.inactive.aim(&self.image) {
            let miss = |(&j, s): (&usize, &f64)| s - slopes[j];
            let missed: Vec<f64> = self.active.iter().zip(&self.signs).map(miss).collect();
            if missed.iter().any(|m| m.abs() > 1e-11) {
                self.refine(missed);
                self.inactive.aim(&self.image);
            }
        }
    }

    /// How far λ falls until a nonzero reaches 0, and its position; of those that are 0 already, the first that the way
    /// from the feasible direction to this line's drives through zero.
    fn next_to_drop(&self) -> (f64, Option<usize>) {
        let falls = || {
            let entries = self.values.iter().zip(&self.direction).zip(&self.signs);
            entries
                .enumerate()
                .filter(|(_, ((_, t), s))| **t * **s < 0.0)
                .map(|(i, ((x, t), s))| (i, (x * s).max(0.0) / t.abs()))
        };
        let mut best = (f64::INFINITY, None);
        for (i, fall) in falls() {
            if fall < best.0 {
                best = (fall, Some(i));
            }
        }
        if best.0 > TIE * self.lambda {
            return best;
        }
        let tied = falls().filter(|(_, fall)| *fall <= TIE * self.lambda);
        let first = tied.map(|(i, _)| (self.share(i), self.active[i], i)).min_by(|a, b| {
            let by_share = a.0.total_cmp(&b.0);
            by_share.then(a.1.cmp(&b.1))
        });
        (0.0, first.map(|(_, _, i)| i))
    }

    /// How much of the way from the feasible direction to `t` the entry goes until it is 0.
    fn share(&self, i: usize) -> f64 {
        let (d, t) = (
            (self.feasible[i] * self.signs[i]).max(0.0),
            self.direction[i] * self.signs[i],
        );
        d / (d - t)
    }

    /// Follows the line to its end, but not below `stop`; says what waits there and how far λ fell.
    pub fn advance(&mut self, stop: f64) -> (Next, f64) {
        self.aim();
        let drop = self.next_to_drop();
        let whole = self.lambda - stop;
        let line = Line {
            lambda: self.lambda,
            residual: &self.residual,
            image: &self.image,
        };
        let join = self
            .inactive
            .first_to_meet(&line, drop.0.min(whole), &self.places, self.left);
        let to_event = join.0.min(drop.0);
        let reached = to_event >= whole || self.lambda - to_event <= FLOOR * self.lambda_max;
        let fall = match to_event {
            _ if reached => whole,
            tie if tie <= TIE * self.lambda => 0.0,
            fall => fall,
        };
        let next = match (join, drop) {
            _ if reached => Next::Reached,
            ((to_join, _), (to_drop, Some(i))) if to_drop <= to_join => Next::Drop(i),
            ((_, Some((j, sign))), _) => Next::Join(j, sign),
            _ => Next::Reached,
        };
        self.keep_feasible(next, fall);
        self.go(fall);
        self.lambda -= fall;
        self.left = None;
        if next == Next::Reached {
            self.lambda = stop;
            if self.inactive.is_lazy() {
                let mut missed = vec![0.0; self.active.len()];
                self.columns.correlate(&self.image, &mut missed);
                missed.iter_mut().zip(&self.signs).for_each(|(m, s)| *m = s - *m);
                self.refine(missed);
            }
            return (next, fall);
        }
        self.since_refresh += 1;
        if self.since_refresh == REFRESH {
            self.refresh();
        }
        self.settle(next);
        (next, fall)
    }

    /// The feasible direction of the next line's start.
    fn keep_feasible(&mut self, next: Next, fall: f64) {
        match next {
            Next::Drop(i) if fall == 0.0 => {
                let share = self.share(i);
                let way = self.feasible.iter_mut().zip(&self.direction);
                way.for_each(|(d, t)| *d += share * (t - *d));
            }
            _ => self.feasible.clone_from(&self.direction),
        }
    }

    /// Moves values, residual and correlations along the line.
    fn go(&mut self, fall: f64) {
        if fall == 0.0 {
            return self.inactive.go(0.0);
        }
        let moves = self.values.iter_mut().zip(&self.direction);
        moves.for_each(|(x, t)| *x += fall * t);
        let moves = self.residual.iter_mut().zip(&self.image);
        moves.for_each(|(r, u)| *r -= fall * u);
        self.inactive.go(fall);
    }

    /// Sets the value that reaches 0 here to 0: what rounding has left of it goes back to the residual.
    fn settle(&mut self, next: Next) {
        if let Next::Drop(i) = next {
            let rest = std::mem::take(&mut self.values[i]);
            self.columns.add(i, rest, &mut self.residual);
        }
    }

    /// Takes what waits here.
    pub fn turn(&mut self, next: Next) -> Event {
        let event = match next {
            Next::Drop(i) => {
                self.drop_at(i);
                Event::Dropped
            }
            Next::Join(j, sign) if self.join(j, sign) => Event::Joined,
            Next::Join(..) => Event::Refused,
            Next::Reached => Event::Reached,
        };
        self.cross = None;
        event
    }

    /// Follows the path to its next breakpoint, but not below `stop`; also says how far λ fell.
    pub fn step(&mut self, stop: f64) -> (Event, f64) {
        let (next, fall) = self.advance(stop);
        (self.turn(next), fall)
    }

    /// Solves for the values at this λ from scratch, and computes the residual and what else is carried along.
    fn refresh(&mut self) {
        self.since_refresh = 0;
        let lambda = self.lambda;
        let right = self.with_y.iter().zip(&self.signs);
        self.values = right.map(|(b, s)| b - lambda * s).collect();
        self.factor.solve_in_place(&mut self.values);
        self.renew_residual();
        self.inactive.renew(&self.residual);
    }

    fn renew_residual(&mut self) {
        let minus: Vec<f64> = self.values.iter().map(|v| -v).collect();
        self.residual.copy_from_slice(self.y);
        self.columns.accumulate(&minus, &mut self.residual);
    }

    /// Factorises the active columns anew and solves for the values here, where `next` waits, with one step of refinement.
    /// Cost: `mk² + k³/3` operations.
    pub fn factorise_anew(&mut self, next: Next) {
        let matrix = DMatrix::from_column_slice(self.shape.rows, self.active.len(), &self.columns.in_order());
        let gram = crate::linalg::dense::gram(&matrix);
        let mut factor = UpdatableCholesky::with_capacity(self.active.len());
        let whole = (0..self.active.len()).all(|j| {
            let column = &gram.as_slice()[j * self.active.len()..][..=j];
            factor.append(&column[..j], column[j], 0.0).accepted
        });
        // Where rounding leaves no positive pivot the factor at hand, whose pivots were measured, is the better one.
        if whole {
            self.factor = factor;
            self.forward.clone_from(&self.signs);
            self.factor.solve_lower(&mut self.forward);
        }
        self.refresh();
        let mut rest = self.measure(Next::Reached);
        self.factor.solve_in_place(&mut rest);
        self.values.iter_mut().zip(&rest).for_each(|(v, d)| *v += d);
        self.renew_residual();
        self.settle(next);
        self.inactive.renew(&self.residual);
    }

    /// `u = A_S (A_SᵀA_S)⁻¹ s` of the line that led here: at λ = 0 the dual vector of basis pursuit.
    pub fn dual(&self) -> &[f64] {
        &self.image
    }

    /// Replaces the values by the least squares fit of `y` on the active columns, refined once.
    pub fn refit(&mut self) {
        self.values.clone_from(&self.with_y);
        self.factor.solve_in_place(&mut self.values);
        self.renew_residual();
        let mut rest = vec![0.0; self.active.len()];
        self.columns.correlate(&self.residual, &mut rest);
        self.factor.solve_in_place(&mut rest);
        self.values.iter_mut().zip(&rest).for_each(|(v, d)| *v += d);
    }
}

/// A column of the operator, borrowed where it is stored.
fn fetch(a: &dyn MeasurementOperator, j: usize) -> std::borrow::Cow<'_, [f64]> {
    let rows = a.shape().rows;
    match a.as_dense() {
        Some(matrix) => matrix.as_slice()[j * rows..(j + 1) * rows].into(),
        None => {
            let mut column = DMatrix::zeros(rows, 1);
            a.columns_into(&[j], &mut column);
            column.as_slice().to_vec().into()
        }
    }
}
