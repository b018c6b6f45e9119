//! Least squares with separable penalties, `½‖y − A x‖² + Σ pⱼ|xⱼ| + (μ/2)‖x‖²`, over all x or over `x ≥ 0`.
//!
//! For every vector θ of measurements, `D(θ) = ½‖y‖² − ½‖y − θ‖² − Σ hⱼ(aⱼᵀθ)` lies below every value of the objective,
//! where `hⱼ(c) = sup_x (cx − pⱼ|x| − (μ/2)x²)`: `(|c| − pⱼ)₊²/2μ` with a ridge, and without one a constraint
//! `|c| ≤ pⱼ`; over `x ≥ 0` the `|c|` is `max(c, 0)`. The residual at the optimum is the dual optimum.

use super::common::{check_positive, check_tolerance, column_cost, residual_into, scatter};
use super::quadratic::Quadratic;
use super::{Certificate, Penalty, Recovery};
use crate::error::{Error, Result};
use crate::linalg::dense::{gram, transpose_product};
use crate::linalg::{dot, norm};
use crate::operators::MeasurementOperator;
use crate::outcome::{Progress, Status, Watch};
use crate::support::{Support, largest_by};
use nalgebra::DMatrix;

/// Columns that enter the working set at once, at least; otherwise as many as there are nonzeros.
const BATCH: usize = 64;

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

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopping {
    /// A duality gap of this multiple of `½‖y‖²`.
    pub tolerance: f64,
    /// The most full gradients.
    pub max_iterations: usize,
}

impl Stopping {
    /// The doors of its numbers.
    pub fn check(&self) -> Result<()> {
        check_tolerance(self.tolerance)?;
        check_positive("max-iterations", self.max_iterations)
    }
}

/// The door of a penalty.
pub(super) fn check_penalty(penalty: Penalty) -> Result<()> {
    let (name, value) = match penalty {
        Penalty::Absolute(lambda) => ("lambda", lambda),
        Penalty::RatioOfMax(ratio) => ("lambda-ratio", ratio),
    };
    check_not_negative(name, value)
}

/// The door of a number that is finite and not negative.
pub(super) fn check_not_negative(name: &str, value: f64) -> Result<()> {
    if value.is_finite() && value >= 0.0 {
        Ok(())
    } else {
        Err(Error::argument(name, "a finite number ≥ 0", value))
    }
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

/// The columns at work, with their quadratic.
struct WorkingColumns {
    indices: Vec<usize>,
    member: Vec<bool>,
    columns: DMatrix<f64>,
    quadratic: Quadratic,
    allowances: Vec<f64>,
    y_square: f64,
}

impl WorkingColumns {
    fn extend(&mut self, a: &dyn MeasurementOperator, y: &[f64], new: &[usize], problem: &Penalised) -> Result<()> {
        let (rows, old, added) = (y.len(), self.indices.len(), new.len());
        if added == 0 {
            return Ok(());
        }
        let mut block = DMatrix::zeros(rows, added);
        a.columns_into(new, &mut block);
        let cross = transpose_product(&self.columns, &block)?;
        let inner = gram(&block);
        let total = old + added;
        let q = &mut self.quadratic;
        let mut grown = DMatrix::zeros(total, total);
        grown.view_mut((0, 0), (old, old)).copy_from(&q.matrix);
        grown.view_mut((0, old), (old, added)).copy_from(&cross);
        grown.view_mut((old, 0), (added, old)).copy_from(&cross.transpose());
        grown.view_mut((old, old), (added, added)).copy_from(&inner);
        q.matrix = grown;
        q.linear
            .extend(block.as_slice().chunks_exact(rows).map(|column| dot(column, y)));
        q.penalties.extend(new.iter().map(|&j| problem.penalties[j]));
        q.x.resize(total, 0.0);
        q.refresh();
        let mut columns: Vec<f64> = std::mem::replace(&mut self.columns, DMatrix::zeros(0, 0)).data.into();
        columns.extend_from_slice(block.as_slice());
        self.columns = DMatrix::from_vec(rows, total, columns);
        self.indices.extend_from_slice(new);
        new.iter().for_each(|&j| self.member[j] = true);
        Ok(())
    }

    fn nonzeros(&self) -> (Vec<usize>, Vec<f64>) {
        let x = self.indices.iter().copied().zip(self.quadratic.x.iter().copied());
        x.filter(|(_, v)| *v != 0.0).unzip()
    }

    /// Minimises on these columns until their own duality gap is at most `target`.
    fn minimise(&mut self, target: f64) -> bool {
        let (allowances, y_square) = (&self.allowances, self.y_square);
        let gap = |q: &Quadratic| {
            let with_fit = dot(&q.linear, &q.x);
            let point = Point {
                penalties: &q.penalties,
                allowances,
                ridge: q.ridge,
                nonnegative: q.nonnegative,
                x: &q.x,
                correlations: &q.slopes,
                residual_square: (y_square - with_fit - dot(&q.slopes, &q.x)).max(0.0),
                y_with_residual: y_square - with_fit,
            };
            point.gap().0
        };
        self.quadratic.minimise(|q| gap(q) <= target)
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
        let shape = a.shape();
        let half_square = 0.5 * dot(y, y);
        let target = stopping.tolerance * half_square;
        let mut applications = 0.0;
        let norms = if (0..shape.columns).any(|j| self.unpenalised(j)) {
            applications += 1.0;
            a.column_norms()
        } else {
            vec![0.0; shape.columns]
        };
        let mut work = WorkingColumns {
            indices: Vec::new(),
            member: vec![false; shape.columns],
            columns: DMatrix::zeros(y.len(), 0),
            quadratic: Quadratic::empty(self.ridge, self.nonnegative),
            allowances: Vec::new(),
            y_square: 2.0 * half_square,
        };
        let free: Vec<usize> = (0..shape.columns).filter(|&j| self.smooth(j)).collect();
        work.extend(a, y, &free, self)?;
        applications += column_cost(shape, free.len());
        let (mut r, mut c) = (y.to_vec(), vec![0.0; shape.columns]);
        let mut iterations = 0;
        let (mut settled, mut stopped) = (false, false);
        let mut inner_target = f64::INFINITY;
        let y_norm = norm(y);
        let (status, support, values, gap, scale) = loop {
            a.adjoint_into(&r, &mut c);
            applications += 1.0;
            let (support, values) = work.nonzeros();
            let size = y_norm
                + support
                    .iter()
                    .zip(&values)
                    .map(|(&j, v)| v.abs() * norms[j])
                    .sum::<f64>();
            // The residual is a sum of products of this size, each rounded; m of them meet in an inner product.
            let rounding = 64.0 * y.len() as f64 * f64::EPSILON * size;
            let allowances: Vec<f64> = norms.iter().map(|n| rounding * n).collect();
            let point = Point {
                penalties: &self.penalties,
                allowances: &allowances,
                ridge: self.ridge,
                nonnegative: self.nonnegative,
                x: &scatter(shape.columns, &support, &values),
                correlations: &c,
                residual_square: dot(&r, &r),
                y_with_residual: dot(y, &r),
            };
            let (gap, scale) = point.gap();
            let status = if gap <= target {
                Some(Status::Converged)
            } else if stopped {
                Some(Status::Stopped)
            } else if iterations == stopping.max_iterations {
                Some(Status::IterationLimit)
            } else {
                None
            };
            if let Some(status) = status {
                break (status, support, values, gap, scale);
            }
            let excess = |j: usize| point.pull(c[j]) - self.penalties[j];
            let violates = |j: usize| excess(j) > if self.unpenalised(j) { allowances[j] } else { 0.0 };
            let violators = (0..shape.columns).filter(|&j| !work.member[j] && violates(j));
            let new = largest_by(support.len().max(BATCH), violators, excess);
            if new.is_empty() && settled {
                break (Status::Stalled, support, values, gap, scale);
            }
            work.extend(a, y, &new, self)?;
            work.allowances = work.indices.iter().map(|&j| allowances[j]).collect();
            applications += column_cost(shape, new.len());
            // Far from the end the working set is wrong anyway: solve it only as well as the gap there deserves.
            let deserved = (0.3 * target).max(0.02 * gap);
            inner_target = if new.is_empty() {
                deserved.min(0.1 * inner_target)
            } else {
                deserved
            };
            settled = !work.minimise(inner_target);
            iterations += 1;
            let (support, values) = work.nonzeros();
            residual_into(a, y, &support, &values, &mut r);
            applications += column_cost(shape, support.len());
            stopped = !watch.tell(&Progress {
                iteration: iterations,
                objective: self.objective(&r, &support, &values),
                nonzeros: support.len(),
            });
        };
        let objective = self.objective(&r, &support, &values);
        let x = scatter(shape.columns, &support, &values);
        Ok(Recovery {
            support: Support::of(&x).indices().to_vec(),
            x,
            status,
            iterations,
            applications,
            objective,
            residual_norm: norm(&r),
            certificate: Certificate::DualityGap {
                primal: objective,
                gap: gap.max(0.0),
                scale: half_square,
                dual: r.iter().map(|v| scale * v).collect(),
            },
        })
    }

    fn objective(&self, r: &[f64], support: &[usize], values: &[f64]) -> f64 {
        let penalty: f64 = support
            .iter()
            .zip(values)
            .map(|(&j, v)| self.penalties[j] * v.abs())
            .sum();
        0.5 * dot(r, r) + penalty + 0.5 * self.ridge * dot(values, values)
    }
}
