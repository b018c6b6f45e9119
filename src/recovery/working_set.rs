//! The LASSO restricted to a working set of columns, solved through their Gram matrix.

use super::growing_gram::GrowingGram;
use super::parametric::{End, Walk};
use super::working_columns::{BATCH, WorkingColumns};
use crate::error::Result;
use crate::linalg::cholesky::solve_positive_definite;
use crate::linalg::columns::correlate;
use crate::linalg::dot;
use crate::operators::MeasurementOperator;
use crate::support::largest_by;
use nalgebra::DMatrix;
use pulp::{Arch, Simd, WithSimd};

/// Beyond the least number, one column enters for so many nonzeros.
const ENTERING: usize = 8;
/// The penalty of a stage is where so many times the entering columns would violate.
const AHEAD: usize = 3;
/// Sweeps of coordinate descent between two Newton steps.
const SWEEPS: usize = 3;
/// Halvings of a Newton step that are tried.
const HALVINGS: usize = 12;
/// From this share of active columns to measurements on the minimiser is followed rather than looked for.
const CROWDED: f64 = 0.9;
/// Newton steps on the way to a minimiser before the signs still to be mended are mended one by one.
const NEWTON_STEPS: usize = 16;
/// Rounds of a Newton step and sweeps before the caller looks at the whole gradient again.
const ROUNDS: usize = 200;

/// `½‖y − C x‖² + λ‖x‖₁` over the columns `C` of a working set that only grows.
#[derive(Debug)]
pub(super) struct WorkingSet {
    columns: WorkingColumns,
    x: Vec<f64>,
    gram: GrowingGram,
    with_y: Vec<f64>,
    /// `Cᵀ(y − C x)`, kept up to date.
    correlations: Vec<f64>,
    y_square: f64,
    /// The most columns that can be independent.
    rank: usize,
    /// The penalty at which `x` is about minimal.
    at: f64,
    /// A direction along which the objective falls for ever, where one has turned up.
    escape: Option<Vec<(usize, f64)>>,
}

impl WorkingSet {
    /// The empty set, of an operator with so many columns.
    pub fn new(y: &[f64], columns: usize) -> Self {
        WorkingSet {
            y_square: dot(y, y),
            ..Self::of_rank(y.len(), y.len(), columns)
        }
    }

    /// The empty set of `½‖C x‖² − bᵀx + λ‖x‖₁` for columns of that length, of which so many at most are independent.
    pub fn of_rank(rows: usize, rank: usize, columns: usize) -> Self {
        WorkingSet {
            columns: WorkingColumns::new(rows, columns),
            x: Vec::new(),
            gram: GrowingGram::default(),
            with_y: Vec::new(),
            correlations: Vec::new(),
            y_square: 0.0,
            rank,
            at: f64::INFINITY,
            escape: None,
        }
    }

    /// Adds columns of an operator with the given coefficients. Cost: the columns, and `2mw` operations each.
    ///
    /// # Errors
    /// When the columns do not have one row a measurement: a broken operator.
    pub fn extend(&mut self, a: &dyn MeasurementOperator, y: &[f64], new: &[usize], values: &[f64]) -> Result<()> {
        let block = self.columns.fetch(a, new);
        let mut linear = vec![0.0; new.len()];
        correlate(block.as_slice(), y, &mut linear);
        self.append(&block, new, values, &linear)
    }

    /// Adds columns with their coefficients and entries of the linear term.
    ///
    /// # Errors
    /// As [`Self::extend`].
    pub fn append(&mut self, block: &DMatrix<f64>, new: &[usize], values: &[f64], linear: &[f64]) -> Result<()> {
        if new.is_empty() {
            return Ok(());
        }
        self.gram.extend(&self.columns.matrix, block)?;
        self.columns.append(block, new);
        self.with_y.extend_from_slice(linear);
        self.x.extend_from_slice(values);
        self.refresh();
        Ok(())
    }

    /// A direction along which the objective falls for ever, where the last [`Self::minimise`] met one: pairs of column
    /// and entry. None for least squares, which has a minimiser.
    pub fn escape(&self) -> Option<Vec<(usize, f64)>> {
        let named =
            |direction: &Vec<(usize, f64)>| direction.iter().map(|&(i, v)| (self.columns.indices[i], v)).collect();
        self.escape.as_ref().map(named)
    }

    /// Whether a column of the operator belongs to the set.
    pub fn contains(&self, column: usize) -> bool {
        self.columns.contains(column)
    }

    /// Recomputes the correlations from the coefficients.
    fn refresh(&mut self) {
        let active = self.active();
        let minus: Vec<f64> = active.iter().map(|&j| -self.x[j]).collect();
        self.correlations.clone_from(&self.with_y);
        self.gram.accumulate(&active, &minus, &mut self.correlations);
    }

    /// Indices and values of the nonzero coefficients.
    pub fn nonzeros(&self) -> (Vec<usize>, Vec<f64>) {
        self.columns.nonzeros(&self.x)
    }

    fn active(&self) -> Vec<usize> {
        (0..self.x.len()).filter(|&j| self.x[j] != 0.0).collect()
    }

    /// Minimises until the duality gap on the working set is at most `target`; true when it got there.
    pub fn minimise(&mut self, lambda: f64, target: f64) -> bool {
        let crowded = self.active().len() as f64 >= CROWDED * self.rank as f64;
        if crowded && self.follow(lambda) && self.gap(lambda) <= target {
            return true;
        }
        self.at = lambda;
        let mut budget = NEWTON_STEPS;
        let everything: Vec<usize> = (0..self.x.len()).collect();
        // Down to the minimiser of a face, every step but the last leaves it for a smaller one; not worth it on the way.
        let steps = if target == f64::INFINITY { 1 } else { self.x.len() };
        // Updates have rounded the correlations; what looks solved, or stuck, by them is looked at again from scratch.
        let mut fresh = false;
        for _ in 0..ROUNDS {
            let mut improved = false;
            if budget == 0 {
                improved = self.walk(lambda, lambda);
                budget = usize::MAX;
            }
            for _ in 0..steps.min(budget) {
                budget -= 1;
                match self.newton(lambda) {
                    Some(left_face) => {
                        improved = true;
                        if !left_face {
                            break;
                        }
                    }
                    None => break,
                }
            }
            let mut moved = self.sweep(lambda, &everything);
            let active = self.active();
            for _ in 1..SWEEPS {
                moved = moved.max(self.sweep(lambda, &active));
            }
            let solved = self.gap(lambda) <= target;
            let stuck = moved == 0.0 && !improved;
            if (solved || stuck) && (fresh || target == f64::INFINITY) {
                return solved;
            }
            fresh = solved || stuck;
            if fresh {
                self.refresh();
                if self.gap(lambda) <= target {
                    return true;
                }
            }
        }
        false
    }

    /// Follows the minimiser from the penalty of the last call to this one; true when it arrived.
    pub fn follow(&mut self, lambda: f64) -> bool {
        let largest = self.correlations.iter().fold(lambda, |m, c| m.max(c.abs()));
        let from = if self.at.is_finite() {
            self.at.max(lambda)
        } else {
            largest
        };
        self.at = lambda;
        if self.walk(from, lambda) || self.escape.is_some() {
            return self.escape.is_none();
        }
        // Lost among nearly dependent columns; the whole way from 0 leads through other faces.
        self.x.fill(0.0);
        self.refresh();
        let largest = self.correlations.iter().fold(lambda, |m, c| m.max(c.abs()));
        self.walk(largest, lambda)
    }

    /// Walks from a point that is nearly minimal at one penalty to the minimiser at another; true when it arrived.
    fn walk(&mut self, from: f64, to: f64) -> bool {
        let (end, x) = Walk::new(&self.gram, &self.x, &self.correlations, from, to).run(&self.with_y);
        self.x.fill(0.0);
        x.into_iter().for_each(|(j, v)| self.x[j] = v);
        self.refresh();
        let reached = end == End::Reached;
        self.escape = match end {
            End::Unbounded(direction) => Some(direction),
            End::Reached | End::Lost => None,
        };
        reached
    }

    /// One pass of exact coordinate minimisation; the largest drop of the objective by one coordinate.
    fn sweep(&mut self, lambda: f64, over: &[usize]) -> f64 {
        Arch::new().dispatch(Sweep {
            gram: &self.gram,
            x: &mut self.x,
            correlations: &mut self.correlations,
            lambda,
            over,
        })
    }

    /// A Newton step on the face of the current signs, if one lowers the objective; true when it left the face.
    ///
    /// Where the step would change signs, the crossed coordinates stop at zero, and the best is taken of the full step,
    /// its halves and the first crossing: one step can leave many coordinates behind.
    fn newton(&mut self, lambda: f64) -> Option<bool> {
        let active = self.active();
        if active.is_empty() {
            return None;
        }
        let slope: Vec<f64> = active
            .iter()
            .map(|&j| self.correlations[j] - lambda * self.x[j].signum())
            .collect();
        let mut face = self.gram.lower_triangle(&active);
        let step = solve_positive_definite(&face, &slope).or_else(|_| {
            // Dependent columns: a trace of damping keeps the step a descent direction.
            let damping = 1e-10 * face.diagonal().amax();
            (0..active.len()).for_each(|i| face[(i, i)] += damping);
            solve_positive_definite(&face, &slope)
        });
        let line = Line::new(self, lambda, &active, step.ok()?);
        let halved = std::iter::successors(Some(1.0), |t| Some(0.5 * t))
            .take_while(|t| *t > line.first)
            .take(HALVINGS);
        let best = halved
            .chain([line.first])
            .map(|t| (line.change_of_objective(t), t))
            .min_by(|a, b| a.0.total_cmp(&b.0));
        // A step that is not finite has no finite change either.
        let (_, t) = best.filter(|(change, _)| *change < 0.0)?;
        let (to, left_face) = (line.at(t), line.first < 1.0);
        // `G Δ` is the image of the step but for the coordinates that stopped.
        let (stopped, lost): (Vec<usize>, Vec<f64>) = active
            .iter()
            .zip(&to)
            .zip(&line.step)
            .filter(|((_, v), _)| **v == 0.0)
            .map(|((&j, _), d)| (j, self.x[j] + t * d))
            .unzip();
        let image = line.image;
        self.correlations.iter_mut().zip(&image).for_each(|(c, v)| *c -= t * v);
        self.gram.accumulate(&stopped, &lost, &mut self.correlations);
        for (&j, v) in active.iter().zip(to) {
            self.x[j] = v;
        }
        Some(left_face)
    }

    /// The duality gap of the restricted problem, from the Gram matrix alone.
    fn gap(&self, lambda: f64) -> f64 {
        let with_fit = dot(&self.with_y, &self.x);
        let residual_square = (self.y_square - with_fit - dot(&self.correlations, &self.x)).max(0.0);
        let largest = self.correlations.iter().fold(0.0f64, |m, c| m.max(c.abs()));
        scaled_residual_gap(
            lambda,
            largest,
            residual_square,
            self.y_square - with_fit,
            self.x.iter().copied().zip(self.correlations.iter().copied()),
        )
        .0
    }
}

struct Sweep<'a> {
    gram: &'a GrowingGram,
    x: &'a mut [f64],
    correlations: &'a mut [f64],
    lambda: f64,
    over: &'a [usize],
}

impl WithSimd for Sweep<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        let mut largest = 0.0f64;
        for &j in self.over {
            let column = self.gram.column(j);
            let curvature = column[j];
            if curvature == 0.0 {
                continue;
            }
            let old = self.x[j];
            let free = self.correlations[j] + curvature * old;
            let excess = free.abs() - self.lambda;
            let new = if excess > 0.0 {
                excess.copysign(free) / curvature
            } else {
                0.0
            };
            let change = new - old;
            if change != 0.0 {
                self.x[j] = new;
                for (c, g) in self.correlations.iter_mut().zip(column) {
                    *c -= change * g;
                }
                largest = largest.max(curvature * change * change);
            }
        }
        largest
    }
}

/// The objective along a step `d` from `x` in which coordinates that cross zero stop there.
struct Line<'a> {
    set: &'a WorkingSet,
    lambda: f64,
    active: &'a [usize],
    start: Vec<f64>,
    step: Vec<f64>,
    /// `G d` on the whole working set.
    image: Vec<f64>,
    /// `dᵀG d`, `cᵀd` for the correlations c.
    curvature: f64,
    slope: f64,
    /// The length at which the first coordinate crosses; 1 when none does before.
    first: f64,
}

impl<'a> Line<'a> {
    fn new(set: &'a WorkingSet, lambda: f64, active: &'a [usize], step: Vec<f64>) -> Self {
        let start: Vec<f64> = active.iter().map(|&j| set.x[j]).collect();
        let mut image = vec![0.0; set.x.len()];
        set.gram.accumulate(active, &step, &mut image);
        let crossing = start.iter().zip(&step).filter_map(|(&x, &d)| crossing(x, d));
        Line {
            lambda,
            curvature: active.iter().zip(&step).map(|(&j, d)| image[j] * d).sum(),
            slope: active.iter().zip(&step).map(|(&j, d)| set.correlations[j] * d).sum(),
            first: crossing.fold(1.0f64, f64::min),
            set,
            active,
            start,
            step,
            image,
        }
    }

    fn at(&self, t: f64) -> Vec<f64> {
        let go = |(&x, &d): (&f64, &f64)| match crossing(x, d) {
            Some(at) if at <= t => 0.0,
            _ => x + t * d,
        };
        self.start.iter().zip(&self.step).map(go).collect()
    }

    /// The objective at length t minus that at 0.
    ///
    /// With `e` what the stopped coordinates lack of `t d`, the change is `−cᵀ(td + e) + ½(td + e)ᵀG(td + e)` and that of
    /// the penalty: `G d` is known, and `eᵀG e` needs the stopped coordinates alone.
    fn change_of_objective(&self, t: f64) -> f64 {
        let to = self.at(t);
        let (mut lost, mut penalty) = (Vec::new(), 0.0);
        for (i, ((&x, &d), &to)) in self.start.iter().zip(&self.step).zip(&to).enumerate() {
            penalty += to.abs() - x.abs();
            if crossing(x, d).is_some_and(|at| at <= t) {
                lost.push((i, -x - t * d));
            }
        }
        let mut linear = t * self.slope;
        let mut quadratic = t * t * self.curvature;
        for &(i, e) in &lost {
            linear += e * self.set.correlations[self.active[i]];
            quadratic += 2.0 * t * e * self.image[self.active[i]];
            let column = self.set.gram.column(self.active[i]);
            quadratic += e * lost.iter().map(|&(l, f)| f * column[self.active[l]]).sum::<f64>();
        }
        0.5 * quadratic - linear + self.lambda * penalty
    }
}

/// The length at which `x + t d` is 0, where that is at most 1.
fn crossing(x: f64, d: f64) -> Option<f64> {
    ((x + d) * x <= 0.0).then(|| -x / d)
}

/// The columns that enter next, of those `outside` the set, and the penalty of the next stage on the way to `lambda`.
///
/// Followed in stages the signs stay nearly right, which saves factorisations; and a column that only seems to be needed,
/// because others are not there yet, is often gone before its turn comes.
pub(super) fn next_stage(
    correlations: &[f64],
    outside: impl Iterator<Item = usize>,
    nonzeros: usize,
    lambda: f64,
    stage: f64,
) -> (Vec<usize>, f64) {
    let size = |j: usize| correlations[j].abs();
    let room = (nonzeros / ENTERING).max(BATCH);
    let next = largest_by(AHEAD * room, outside.filter(|&j| size(j) > lambda), size);
    let weakest = next.iter().map(|&j| size(j)).fold(f64::INFINITY, f64::min);
    let stage = if next.len() < AHEAD * room {
        lambda
    } else {
        weakest.min(stage)
    };
    (largest_by(room, next, size), stage)
}

/// The LASSO's duality gap at `x` with the dual point `s r`, and `s`.
///
/// `s` is the best scale that keeps `s‖Aᵀr‖∞ ≤ λ`: `yᵀr/‖r‖²` clipped. With `θ = s r`,
/// `P(x) − D(θ) = ½(1 − s)²‖r‖² + Σ (λ|xⱼ| − s xⱼ aⱼᵀr)`: terms that are each not negative, so that a tiny gap is not
/// the difference of two large numbers. `terms` are the pairs `(xⱼ, aⱼᵀr)` of the nonzeros.
pub(super) fn scaled_residual_gap(
    lambda: f64,
    largest_correlation: f64,
    residual_square: f64,
    y_with_residual: f64,
    terms: impl Iterator<Item = (f64, f64)>,
) -> (f64, f64) {
    let bound = if largest_correlation > 0.0 {
        lambda / largest_correlation
    } else {
        f64::INFINITY
    };
    let best = if residual_square > 0.0 {
        y_with_residual / residual_square
    } else {
        1.0
    };
    let scale = best.clamp(-bound, bound);
    let slack: f64 = terms.map(|(x, c)| lambda * x.abs() - scale * x * c).sum();
    (0.5 * (1.0 - scale).powi(2) * residual_square + slack, scale)
}
