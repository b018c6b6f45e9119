//! Orthogonal least squares: each step takes the column whose fit leaves the smallest residual.

use super::common::{column_cost, empty_answer, in_safe_range, residual_into, scatter};
use super::entry::{BUDGETS, GROUPS, RESIDUAL_TOLERANCE, SolverEntry};
use super::picking::{MOST_PICKS, Open, PickRequest, Winner, noise};
use super::support_fit::SupportFit;
use super::{Certificate, Groups, Recovery, Solver};
use crate::error::Result;
use crate::linalg::columns::{accumulate, correlate};
use crate::linalg::{dot, norm};
use crate::operators::MeasurementOperator;
use crate::outcome::{Progress, Status, Watch};
use nalgebra::DMatrix;

/// A column nearer than this to the span of the chosen ones, relative to its length, is refused for good.
const DEPENDENT: f64 = 1e-8;
/// Below this squared relative distance, the one kept by subtraction has lost half of its digits and is measured.
const CANCELLATION: f64 = 1e-6;
/// When the residual has fallen by this factor, the correlations kept by subtraction are computed anew.
const REFRESH: f64 = 1e-3;

/// Orthogonal least squares, also called orthogonal forward regression.
///
/// Each step picks the column that lowers `min ‖y − A_S x_S‖₂` most, which is the one with the largest
///
/// > `|aⱼᵀr| / ‖P aⱼ‖`,  `P` the projection off the columns chosen before,
///
/// ties by index. [`super::Omp`] divides by `‖aⱼ‖` instead: the first pick is the same, and later ones differ where a
/// column leans on those chosen. A column with `‖P aⱼ‖ < 1e-8‖aⱼ‖` is refused for good.
///
/// With the orthonormal direction `q` of a pick, `‖P aⱼ‖²` falls by `(aⱼᵀq)²` and `aⱼᵀr` by `(aⱼᵀq)(qᵀr)`, so one
/// adjoint `Aᵀq` a step serves all columns. Both are measured anew before rounding can decide: the distance of every
/// column that may win below `1e-3‖aⱼ‖`, the correlations when the residual has fallen a thousandfold.
///
/// It ends with
/// - `SupportFull` at [`OrthogonalLeastSquares::max_support`] columns;
/// - `ResidualReached` when `‖r‖₂ ≤ max(tolerance, 16(k+1)ε) ‖y‖₂` after k picks;
/// - `Exhausted` at the rank bound where no count is given, or when no usable column is left whose correlation exceeds
///   its own rounding, `8√m ε ‖y‖₂‖aⱼ‖`;
/// - `Unattainable`, with `x = 0`, when more nonzeros are asked for than the smaller dimension, the nonzero columns or
///   the budgets allow.
///
/// The certificate is [`Certificate::OrderMargins`], whose rounding is not bounded; the objective is `½‖y − A x‖₂²`.
/// Cost: an adjoint and one column a step, `4mk` operations for the k-th, and one fit at the end. Source: Chen, Billings
/// and Luo (1989); Blumensath and Davies (2007) for the difference from OMP.
///
/// ```
/// use nalgebra::dmatrix;
/// use ticketsense::operators::DenseOperator;
/// use ticketsense::recovery::{OrthogonalLeastSquares, Solver};
/// let a = DenseOperator::new(dmatrix![1.0, 0.0, 0.6; 0.0, 1.0, 0.8])?;
/// let answer = OrthogonalLeastSquares::default().solve(&a, &[3.0, 4.0])?;
/// assert_eq!(answer.support, [2]);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct OrthogonalLeastSquares {
    /// The most columns to pick; `None` is as many as the rank can allow.
    pub max_support: Option<usize>,
    /// Stop at `‖r‖₂ ≤ tolerance · ‖y‖₂`, in `[0, 1)`.
    pub tolerance: f64,
    /// Budgets for groups of columns.
    pub groups: Option<Groups>,
}

impl Default for OrthogonalLeastSquares {
    /// No limit on the support, a residual of 1e-10 of the data, no budgets.
    fn default() -> Self {
        OrthogonalLeastSquares {
            max_support: None,
            tolerance: 1e-10,
            groups: None,
        }
    }
}

/// Columns at unit length as seen from the span of the chosen ones.
struct Candidates<'a> {
    /// Lengths of the columns as given.
    lengths: Vec<f64>,
    open: Open<'a>,
    /// `‖P aⱼ‖²/‖aⱼ‖²`, and a bound on what subtraction has done to it since it was measured.
    square: Vec<f64>,
    slack: Vec<f64>,
    /// `aⱼᵀr/‖aⱼ‖`.
    correlation: Vec<f64>,
}

impl Candidates<'_> {
    fn best(&self, noise: f64) -> Option<Winner> {
        let admitted = self
            .correlation
            .iter()
            .enumerate()
            .filter(|&(j, c)| self.open.admits(j) && c.abs() > noise);
        Winner::among(admitted.map(|(j, c)| {
            // A spoiled distance counts as the shortest that it may be, so that no winner is missed: it is then measured.
            let least = if self.square[j] < CANCELLATION {
                self.square[j] - self.slack[j]
            } else {
                self.square[j]
            };
            (j, c.abs() / least.max(DEPENDENT * DEPENDENT).sqrt())
        }))
    }
}

/// Removes from `v` its part in the span of the orthonormal `basis`, twice: the second round takes what the rounding of
/// the first has left.
fn orthogonalise(basis: &[f64], v: &mut [f64], along: &mut Vec<f64>) {
    along.resize(basis.len() / v.len(), 0.0);
    for _ in 0..2 {
        correlate(basis, v, along);
        along.iter_mut().for_each(|c| *c = -*c);
        accumulate(basis, along, v);
    }
}

impl OrthogonalLeastSquares {
    fn request(&self) -> PickRequest<'_> {
        PickRequest {
            max_support: self.max_support,
            tolerance: self.tolerance,
            groups: self.groups.as_ref(),
        }
    }

    fn run(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        let shape = a.shape();
        let request = self.request();
        let lengths = a.column_norms();
        let mut applications = 1.0;
        let y_norm = norm(y);
        // A column whose reciprocal length is infinite is zero to working precision.
        let usable = lengths.iter().map(|n| *n > 0.0 && n.recip().is_finite()).collect();
        let open = Open::new(usable, request.groups);
        let Some(target) = request.target(shape.rows, &open) else {
            let objective = 0.5 * y_norm * y_norm;
            let status = Status::Unattainable;
            return Ok(empty_answer(shape.columns, y, objective, status, applications));
        };
        let mut candidates = Candidates {
            lengths,
            open,
            square: vec![1.0; shape.columns],
            slack: vec![0.0; shape.columns],
            correlation: vec![0.0; shape.columns],
        };

        let (mut order, mut margins) = (Vec::new(), Vec::new());
        let mut basis: Vec<f64> = Vec::new();
        let (mut r, mut along) = (y.to_vec(), Vec::new());
        let mut products = vec![0.0; shape.columns];
        let mut column = DMatrix::zeros(shape.rows, 1);
        let noise = noise(shape.rows) * y_norm;
        let mut refreshed = f64::INFINITY;
        let status = loop {
            let size = norm(&r);
            if let Some(status) = request.ended(order.len(), target, size, y_norm) {
                break status;
            }
            if size <= REFRESH * refreshed {
                a.adjoint_into(&r, &mut candidates.correlation);
                applications += 1.0;
                let correlations = candidates.correlation.iter_mut().zip(&candidates.lengths);
                for (j, (c, length)) in correlations.enumerate() {
                    *c = if candidates.open.is_usable(j) { *c / length } else { 0.0 };
                }
                refreshed = size;
            }
            let picked = loop {
                let Some(winner) = candidates.best(noise) else {
                    break None;
                };
                let j = winner.column;
                a.columns_into(&[j], &mut column);
                applications += column_cost(shape, 1);
                let q = column.as_mut_slice();
                q.iter_mut().for_each(|v| *v /= candidates.lengths[j]);
                orthogonalise(&basis, q, &mut along);
                let distance = norm(q);
                if distance < DEPENDENT {
                    candidates.open.refuse(j);
                    continue;
                }
                q.iter_mut().for_each(|v| *v /= distance);
                // What it takes off the residual, as measured; it wins at once unless subtraction had spoiled its distance.
                let score = dot(q, &r).abs();
                let spoiled = candidates.square[j] < CANCELLATION && candidates.slack[j] > 0.0;
                candidates.square[j] = distance * distance;
                candidates.slack[j] = 0.0;
                if spoiled && score < winner.second {
                    continue;
                }
                break Some((j, ((score - winner.second) / score).max(0.0)));
            };
            let Some((j, margin)) = picked else {
                break Status::Exhausted;
            };
            candidates.open.take(j);
            order.push(j);
            margins.push(margin);
            let q = column.as_slice();
            let step = dot(q, &r);
            basis.extend_from_slice(q);
            accumulate(q, &[-step], &mut r);
            a.adjoint_into(q, &mut products);
            applications += 1.0;
            for (j, product) in products.iter().enumerate() {
                if candidates.open.is_usable(j) {
                    let cosine = product / candidates.lengths[j];
                    candidates.square[j] = (candidates.square[j] - cosine * cosine).max(0.0);
                    candidates.slack[j] += 4.0 * f64::EPSILON;
                    candidates.correlation[j] -= cosine * step;
                }
            }
            let progress = Progress {
                iteration: order.len(),
                objective: 0.5 * dot(&r, &r),
                nonzeros: order.len(),
            };
            if !watch.tell(&progress) {
                break Status::Stopped;
            }
        };

        let mut fit = SupportFit::default();
        fit.fit(a, y, &order);
        residual_into(a, y, &order, &fit.values, &mut r);
        applications += fit.applications + column_cost(shape, order.len());
        let residual_norm = norm(&r);
        Ok(Recovery {
            support: Vec::new(),
            x: scatter(shape.columns, &order, &fit.values),
            status,
            iterations: order.len(),
            applications,
            objective: 0.5 * residual_norm * residual_norm,
            residual_norm,
            certificate: Certificate::OrderMargins {
                order,
                margins,
                uncertainties: None,
            },
        })
    }
}

impl Solver for OrthogonalLeastSquares {
    fn name(&self) -> &'static str {
        "ols"
    }

    fn solve_watched(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        self.request().check(a, y)?;
        in_safe_range(y, 2, watch, |y, _, watch| self.run(a, y, watch))
    }
}

/// Its line in the list of solvers.
pub(super) const ENTRY: SolverEntry = SolverEntry {
    name: "ols",
    help: "Orthogonal least squares: take the column whose fit leaves the smallest residual.",
    options: &[MOST_PICKS, RESIDUAL_TOLERANCE, GROUPS, BUDGETS],
    for_planted: |nonzeros| vec![("max-support", nonzeros.to_string())],
    builder: |o| {
        let default = OrthogonalLeastSquares::default();
        Ok(Box::new(OrthogonalLeastSquares {
            max_support: o.integer("max-support"),
            tolerance: o.real("tolerance").unwrap_or(default.tolerance),
            groups: o.groups()?,
        }))
    },
};

#[cfg(test)]
#[path = "ols_tests.rs"]
mod tests;
