//! Orthogonal matching pursuit: greedy selection with a least squares refit after every pick.

use super::common::{
    check_positive, check_tolerance, column_cost, empty_answer, in_safe_range, residual_into, scatter,
};
use super::entry::{COUNT, SolverEntry, TOLERANCE, option};
use super::{Certificate, Groups, Recovery, Solver, check_right_hand_side};
use crate::error::Result;
use crate::linalg::cholesky::UpdatableCholesky;
use crate::linalg::columns::{accumulate, correlate};
use crate::linalg::{dot, norm};
use crate::operators::MeasurementOperator;
use crate::outcome::{Progress, Status, Watch};
use nalgebra::DMatrix;

/// A column nearer than this to the span of the chosen ones, relative to its length, is refused for good.
const DEPENDENT: f64 = 1e-8;

/// Orthogonal matching pursuit.
///
/// Each step picks the column with the largest `|aⱼᵀr|/‖aⱼ‖` (never a zero column; ties by index), and refits
/// `x_S = argmin ‖y − A_S x_S‖₂`. A pick whose distance from the span of the columns before it is below `1e-8‖aⱼ‖` is
/// refused for good, and the next best is taken.
///
/// It ends with
/// - `SupportFull` at [`Omp::max_support`] columns, or at the rank bound where none is given;
/// - `ResidualReached` when `‖r‖₂ ≤ max(tolerance, 16(k+1)ε) ‖y‖₂` after k picks: below that floor a residual is
///   rounding;
/// - `Exhausted` when no usable column is left whose correlation exceeds its own rounding, `8√m ε ‖y‖₂`;
/// - `Unattainable`, with `x = 0`, when more nonzeros are asked for than the smaller dimension, the nonzero columns or
///   the budgets allow.
///
/// The objective is `½‖y − A x‖₂²`, the certificate [`Certificate::OrderMargins`]. Cost: the column norms once, then one
/// adjoint and one column a step, and `4mk` operations for the k-th. Memory: the chosen columns. Source: Pati, Rezaiifar
/// and Krishnaprasad (1993); Tropp and Gilbert (2007).
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::operators::{GaussianEnsemble, MeasurementOperator};
/// use ticketsense::recovery::{Omp, Solver};
/// let a = GaussianEnsemble { rows: 30, columns: 60 }.draw(&Seed::root(1))?;
/// let mut x = vec![0.0; 60];
/// (x[7], x[40]) = (1.0, -2.0);
/// let answer = Omp::default().solve(&a, &a.apply(&x)?)?;
/// assert_eq!(answer.support, [7, 40]);
/// assert_eq!(answer.status.as_str(), "residual-reached");
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Omp {
    /// The most columns to pick; `None` is as many as the rank can allow.
    pub max_support: Option<usize>,
    /// Stop at `‖r‖₂ ≤ tolerance · ‖y‖₂`, in `[0, 1)`.
    pub tolerance: f64,
    /// Budgets for groups of columns.
    pub groups: Option<Groups>,
}

impl Default for Omp {
    /// No limit on the support, a residual of 1e-10 of the data, no budgets.
    fn default() -> Self {
        Omp {
            max_support: None,
            tolerance: 1e-10,
            groups: None,
        }
    }
}

/// The columns that may still be picked.
struct Candidates<'a> {
    norms: Vec<f64>,
    usable: Vec<bool>,
    room: Vec<usize>,
    groups: Option<&'a Groups>,
}

impl Candidates<'_> {
    /// The best score and column, and the best score of all the others.
    fn best(&self, correlations: &[f64]) -> Option<(f64, usize, f64)> {
        let (mut first, mut second) = (None, 0.0f64);
        for (j, c) in correlations.iter().enumerate() {
            if !self.usable[j] || self.groups.is_some_and(|g| self.room[g.of(j)] == 0) {
                continue;
            }
            let score = c.abs() / self.norms[j];
            match first {
                Some((best, _)) if score <= best => second = second.max(score),
                _ => {
                    second = first.map_or(second, |(best, _): (f64, usize)| second.max(best));
                    first = Some((score, j));
                }
            }
        }
        first.map(|(score, j)| (score, j, second))
    }

    fn take(&mut self, j: usize) {
        self.usable[j] = false;
        if let Some(groups) = self.groups {
            self.room[groups.of(j)] -= 1;
        }
    }
}

/// The chosen columns with their factor and inner products with `y`.
struct Chosen {
    order: Vec<usize>,
    margins: Vec<f64>,
    columns: Vec<f64>,
    factor: UpdatableCholesky,
    with_y: Vec<f64>,
    values: Vec<f64>,
}

impl Chosen {
    /// Offers a column; true when it is independent enough of those chosen before.
    fn offer(&mut self, column: &[f64], length: f64) -> bool {
        let mut cross = vec![0.0; self.order.len()];
        correlate(&self.columns, column, &mut cross);
        let columns = &self.columns;
        let distance = |w: &[f64]| {
            let minus: Vec<f64> = w.iter().map(|w| -w).collect();
            let mut rest = column.to_vec();
            accumulate(columns, &minus, &mut rest);
            norm(&rest)
        };
        self.factor
            .append_measured(&cross, length * length, DEPENDENT, distance)
            .accepted
    }

    /// `r ← y − A_S x_S` from the chosen columns, in the order of picking.
    fn residual_into(&self, y: &[f64], r: &mut [f64]) {
        let minus: Vec<f64> = self.values.iter().map(|v| -v).collect();
        r.copy_from_slice(y);
        accumulate(&self.columns, &minus, r);
    }

    fn refit(&mut self) {
        self.values.clone_from(&self.with_y);
        self.factor.solve_in_place(&mut self.values);
    }

    /// One step of iterative refinement: what the residual still holds of the chosen columns.
    fn refine(&mut self, r: &[f64]) {
        let mut rest = vec![0.0; self.order.len()];
        correlate(&self.columns, r, &mut rest);
        self.factor.solve_in_place(&mut rest);
        self.values.iter_mut().zip(&rest).for_each(|(v, d)| *v += d);
    }
}

impl Omp {
    fn run(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        let shape = a.shape();
        let (rows, columns) = (shape.rows, shape.columns);
        let norms = a.column_norms();
        let mut applications = 1.0;
        let mut candidates = Candidates {
            usable: norms.iter().map(|&n| n > 0.0).collect(),
            norms,
            room: self.groups.as_ref().map_or(Vec::new(), |g| g.budgets().to_vec()),
            groups: self.groups.as_ref(),
        };
        let live = candidates.usable.iter().filter(|&&u| u).count();
        let capacity = self
            .groups
            .as_ref()
            .map_or(live, |g| g.capacity(|j| candidates.usable[j]));
        let bound = rows.min(capacity);
        let target = self.max_support.unwrap_or(bound);
        let y_norm = norm(y);
        if target > bound {
            return Ok(empty_answer(
                columns,
                y,
                0.5 * y_norm * y_norm,
                Status::Unattainable,
                applications,
            ));
        }

        let mut chosen = Chosen {
            order: Vec::new(),
            margins: Vec::new(),
            columns: Vec::new(),
            factor: UpdatableCholesky::with_capacity(target.min(256)),
            with_y: Vec::new(),
            values: Vec::new(),
        };
        let (mut r, mut correlations) = (y.to_vec(), vec![0.0; columns]);
        let mut column = DMatrix::zeros(rows, 1);
        let noise = 8.0 * (rows as f64).sqrt() * f64::EPSILON * y_norm;
        let status = loop {
            let picked = chosen.order.len();
            let floor = self.tolerance.max(16.0 * (picked + 1) as f64 * f64::EPSILON) * y_norm;
            if norm(&r) <= floor {
                break Status::ResidualReached;
            }
            if picked == target {
                // Without a limit the rank bound ends the search, not a count that somebody asked for.
                break if self.max_support.is_some() {
                    Status::SupportFull
                } else {
                    Status::Exhausted
                };
            }
            a.adjoint_into(&r, &mut correlations);
            applications += 1.0;
            let winner = loop {
                let Some((score, j, second)) = candidates.best(&correlations).filter(|best| best.0 > noise) else {
                    break None;
                };
                a.columns_into(&[j], &mut column);
                applications += column_cost(shape, 1);
                if chosen.offer(column.as_slice(), candidates.norms[j]) {
                    break Some((j, (score - second) / score));
                }
                candidates.usable[j] = false;
            };
            let Some((j, margin)) = winner else {
                break Status::Exhausted;
            };
            candidates.take(j);
            chosen.order.push(j);
            chosen.margins.push(margin);
            chosen.columns.extend_from_slice(column.as_slice());
            chosen.with_y.push(dot(column.as_slice(), y));
            chosen.refit();
            chosen.residual_into(y, &mut r);
            let progress = Progress {
                iteration: picked + 1,
                objective: 0.5 * dot(&r, &r),
                nonzeros: picked + 1,
            };
            if !watch.tell(&progress) {
                break Status::Stopped;
            }
        };

        chosen.refine(&r);
        let x = scatter(columns, &chosen.order, &chosen.values);
        residual_into(a, y, &chosen.order, &chosen.values, &mut r);
        applications += column_cost(shape, chosen.order.len());
        let residual_norm = norm(&r);
        Ok(Recovery {
            support: Vec::new(),
            x,
            status,
            iterations: chosen.order.len(),
            applications,
            objective: 0.5 * residual_norm * residual_norm,
            residual_norm,
            certificate: Certificate::OrderMargins {
                order: chosen.order,
                margins: chosen.margins,
            },
        })
    }
}

impl Solver for Omp {
    fn name(&self) -> &'static str {
        "omp"
    }

    fn solve_watched(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        check_right_hand_side(a, y)?;
        check_tolerance(self.tolerance)?;
        if let Some(count) = self.max_support {
            check_positive("max-support", count)?;
        }
        if let Some(groups) = &self.groups {
            groups.check(a.shape().columns)?;
        }
        in_safe_range(y, 2, watch, |y, _, watch| self.run(a, y, watch))
    }
}

/// Its line in the list of solvers.
pub(super) const ENTRY: SolverEntry = SolverEntry {
    name: "omp",
    help: "Orthogonal matching pursuit: greedy selection, least squares refit.",
    options: &[
        option(
            "max-support",
            COUNT,
            "nonzeros",
            "as many as the rank allows",
            "The most columns to pick.",
        ),
        option(
            "tolerance",
            TOLERANCE,
            "‖y‖₂",
            "1e-10",
            "Stop when the residual norm is at most this multiple of the data's.",
        ),
    ],
    for_planted: |nonzeros| vec![("max-support", nonzeros.to_string())],
    builder: |o| {
        let default = Omp::default();
        Ok(Box::new(Omp {
            max_support: o.integer("max-support"),
            tolerance: o.real("tolerance").unwrap_or(default.tolerance),
            ..default
        }))
    },
};

#[cfg(test)]
#[path = "omp_tests.rs"]
mod tests;
