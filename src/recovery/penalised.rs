//! Least squares with separable penalties, `½‖y − A x‖² + Σ pⱼ|xⱼ| + (μ/2)‖x‖²`, over all x or over `x ≥ 0`.
//!
//! For every vector θ of measurements, `D(θ) = ½‖y‖² − ½‖y − θ‖² − Σ hⱼ(aⱼᵀθ)` lies below every value of the objective,
//! where `hⱼ(c) = sup_x (cx − pⱼ|x| − (μ/2)x²)`: `(|c| − pⱼ)₊²/2μ` with a ridge, and without one a constraint
//! `|c| ≤ pⱼ`; over `x ≥ 0` the `|c|` is `max(c, 0)`. The residual at the optimum is the dual optimum.

use super::Recovery;
use super::common::at;
use super::descent::{Stopping, WorkingProblem, descend};
use super::least_squares::{LeastSquares, residual_terms};
use super::quadratic::Quadratic;
use super::working_columns::BATCH;
use crate::error::Result;
use crate::linalg::dot;
use crate::operators::MeasurementOperator;
use crate::outcome::Watch;
use crate::support::largest_by;

/// The problem, for an operator of `penalties.len()` columns. An infinite penalty leaves its column out.
#[derive(Clone, Debug)]
pub(super) struct Penalised {
    /// `p`, not negative.
    pub penalties: Vec<f64>,
    /// `μ`, not negative.
    pub ridge: f64,
    /// Whether `x ≥ 0`.
    pub nonnegative: bool,
}

/// A point with what its duality gap is made of; `x` and the rest have one entry a column.
struct Point<'p> {
    penalties: &'p [f64],
    /// How large `|aⱼᵀθ|` may be where the penalty is zero: the rounding of the product.
    allowances: &'p [f64],
    ridge: f64,
    nonnegative: bool,
    x: &'p [f64],
    /// `Aᵀr`.
    correlations: &'p [f64],
    residual_square: f64,
    y_with_residual: f64,
}

impl Point<'_> {
    /// The part of a correlation that a penalty has to hold.
    fn pull(&self, c: f64) -> f64 {
        if self.nonnegative { c.max(0.0) } else { c.abs() }
    }

    /// The largest `s ≥ 0` with `s(aⱼᵀr − μxⱼ)` within every penalty.
    fn bound(&self) -> f64 {
        let mut bound = f64::INFINITY;
        for (j, &p) in self.penalties.iter().enumerate() {
            let pull = self.pull(self.correlations[j] - self.ridge * self.x[j]);
            if p > 0.0 {
                bound = bound.min(p / pull);
            } else {
                // A multiple above 1 would magnify what is only rounding.
                bound = bound.min(1.0).min(self.allowances[j] / pull);
            }
        }
        bound
    }

    /// The duality gap with the dual point `s r`: a sum of terms that are each not negative, so that a tiny gap is not
    /// the difference of two large numbers.
    fn gap_at(&self, s: f64) -> f64 {
        let mut gap = 0.5 * (1.0 - s).powi(2) * self.residual_square;
        let mu = self.ridge;
        for ((&p, &x), &c) in self.penalties.iter().zip(self.x).zip(self.correlations) {
            let c = s * c;
            let excess = if mu > 0.0 { self.pull(c) - p } else { 0.0 };
            if x == 0.0 {
                if excess > 0.0 {
                    gap += excess * excess / (2.0 * mu);
                }
            } else if excess > 0.0 && c * x > 0.0 {
                gap += (excess - mu * x.abs()).powi(2) / (2.0 * mu);
            } else if p == 0.0 && mu == 0.0 {
                // The correlation is rounding, of either sign.
                gap += (x * c).abs();
            } else {
                gap += p * x.abs() + 0.5 * mu * x * x - x * c;
                if excess > 0.0 {
                    gap += excess * excess / (2.0 * mu);
                }
            }
        }
        gap
    }

    /// The smallest duality gap with a multiple `s` of the residual among those tried, and `s`.
    fn gap(&self) -> (f64, f64) {
        let bound = self.bound();
        let square = self.residual_square + self.ridge * dot(self.x, self.x);
        let best = if square > 0.0 {
            self.y_with_residual / square
        } else {
            1.0
        };
        let held = best.min(bound).max(0.0);
        let mut found = (self.gap_at(held), held);
        if self.ridge > 0.0 {
            // With a ridge every point is dual feasible, and the residual itself is the best one near the optimum.
            for s in [1.0, bound.min(1.0)] {
                let gap = self.gap_at(s);
                if gap < found.0 {
                    found = (gap, s);
                }
            }
        }
        found
    }
}

/// The problem on the columns at work.
struct Working<'a> {
    problem: &'a Penalised,
    fit: LeastSquares<'a>,
    quadratic: Quadratic,
}

impl Working<'_> {
    fn extend(&mut self, new: &[usize]) -> Result<()> {
        if new.is_empty() {
            return Ok(());
        }
        let q = &mut self.quadratic;
        self.fit.extend(new, &mut q.matrix, &mut q.linear)?;
        q.penalties.extend(new.iter().map(|&j| self.problem.penalties[j]));
        q.x.resize(q.linear.len(), 0.0);
        q.refresh();
        Ok(())
    }
}

impl WorkingProblem for Working<'_> {
    fn gap(&mut self) -> f64 {
        let x = self.fit.look(&self.quadratic.x, None);
        let (residual_square, y_with_residual) = self.fit.terms();
        let point = Point {
            penalties: &self.problem.penalties,
            allowances: &self.fit.allowances,
            ridge: self.problem.ridge,
            nonnegative: self.problem.nonnegative,
            x: &x,
            correlations: &self.fit.c,
            residual_square,
            y_with_residual,
        };
        let (gap, scale) = point.gap();
        self.fit.dual_scale = scale;
        gap
    }

    fn enter(&mut self) -> Result<usize> {
        let pull = |c: f64| if self.problem.nonnegative { c.max(0.0) } else { c.abs() };
        let excess = |j: usize| pull(self.fit.c[j]) - self.problem.penalties[j];
        let least = |j: usize| {
            if self.problem.unpenalised(j) {
                self.fit.allowances[j]
            } else {
                0.0
            }
        };
        let violators = (0..self.fit.c.len()).filter(|&j| !self.fit.columns.contains(j) && excess(j) > least(j));
        let new = largest_by(self.nonzeros().max(BATCH), violators, excess);
        self.extend(&new)?;
        Ok(new.len())
    }

    fn minimise(&mut self, target: f64) -> Result<bool> {
        let allowances = at(&self.fit.allowances, &self.fit.columns.indices);
        let y_square = self.fit.y_square;
        let gap = |q: &Quadratic| {
            let (residual_square, y_with_residual) = residual_terms(y_square, &q.linear, &q.slopes, &q.x);
            let point = Point {
                penalties: &q.penalties,
                allowances: &allowances,
                ridge: q.ridge,
                nonnegative: q.nonnegative,
                x: &q.x,
                correlations: &q.slopes,
                residual_square,
                y_with_residual,
            };
            point.gap().0
        };
        let solved = self.quadratic.minimise(|q| gap(q) <= target);
        self.fit.moved_to(&self.quadratic.x);
        Ok(solved)
    }

    fn objective(&self) -> f64 {
        let q = &self.quadratic;
        let penalty: f64 = q
            .penalties
            .iter()
            .zip(&q.x)
            .map(|(p, v)| if *v == 0.0 { 0.0 } else { p * v.abs() })
            .sum();
        0.5 * self.fit.terms().0 + penalty + 0.5 * self.problem.ridge * dot(&q.x, &q.x)
    }

    fn nonzeros(&self) -> usize {
        self.quadratic.x.iter().filter(|v| **v != 0.0).count()
    }
}

impl Penalised {
    /// Whether a penalty of zero must be met by a correlation of zero, up to rounding.
    fn unpenalised(&self, j: usize) -> bool {
        self.penalties[j] == 0.0 && self.ridge == 0.0
    }

    fn smooth(&self, j: usize) -> bool {
        self.penalties[j] == 0.0 && !self.nonnegative && self.ridge == 0.0
    }

    /// Minimises, from 0: a working set of columns grows by the largest violations, and the quadratic on it is minimised
    /// by coordinate descent and Newton steps. Certificate, statuses and cost are those of [`super::Lasso`].
    ///
    /// A column without penalty is in the working set from the start; that its dual constraint `aⱼᵀθ = 0` holds can be
    /// seen only up to the rounding of the product.
    ///
    /// # Errors
    /// When the operator gives columns of another length than `y`.
    pub fn solve(
        &self,
        a: &dyn MeasurementOperator,
        y: &[f64],
        stopping: Stopping,
        watch: &mut Watch<'_>,
    ) -> Result<Recovery> {
        let columns = a.shape().columns;
        let mut work = Working {
            problem: self,
            fit: LeastSquares::new(a, y, (0..columns).any(|j| self.unpenalised(j))),
            quadratic: Quadratic::empty(self.ridge, self.nonnegative),
        };
        let free: Vec<usize> = (0..columns).filter(|&j| self.smooth(j)).collect();
        work.extend(&free)?;
        let scale = 0.5 * work.fit.y_square;
        let descent = descend(&mut work, stopping, scale, watch)?;
        let objective = work.objective();
        Ok(work.fit.into_recovery(&work.quadratic.x, objective, descent))
    }
}
