//! The LASSO, `P(x) = ½‖y − A x‖₂² + λ‖x‖₁`, with `λ_max = ‖Aᵀy‖∞`.
//!
//! Its dual is `max D(θ) = ½‖y‖² − ½‖y − θ‖²` subject to `‖Aᵀθ‖∞ ≤ λ`; the residual at the optimum is the dual optimum,
//! so a scaled residual certifies how near an iterate is.

use super::common::{check_positive, check_tolerance, column_cost, in_safe_range, residual_into, scatter};
use super::entry::{COUNT, NOT_NEGATIVE, SolverEntry, TOLERANCE, option};
use super::omp::Omp;
use super::working_set::{WorkingSet, next_stage, scaled_residual_gap};
use super::{Certificate, Recovery, Solver, check_right_hand_side};
use crate::error::{Error, Result};
use crate::linalg::{dot, norm};
use crate::operators::{MeasurementOperator, check_vector};
use crate::outcome::{Progress, Status, Watch};

/// How strong the ℓ₁ penalty is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Penalty {
    /// λ itself.
    Absolute(f64),
    /// λ as a multiple of `λ_max = ‖Aᵀy‖∞`, from which on the answer is 0.
    RatioOfMax(f64),
}

/// The LASSO, `min ½‖y − A x‖₂² + λ‖x‖₁`.
///
/// The penalty falls in stages to λ while a working set of columns grows by the largest violations of `|aⱼᵀr| ≤ λ`; on it,
/// Newton steps on the face of the current signs, which end in the exact minimiser of a face once its signs are right,
/// alternate with coordinate descent through the Gram matrix. Only the full gradient, one adjoint an iteration, touches
/// the rest of the operator.
///
/// It ends with
/// - `Converged` when the duality gap, computed from scratch at the answer, is at most `tolerance · ½‖y‖²`;
/// - `Stalled` when the working set is solved to rounding and no column violates, short of that;
/// - `IterationLimit` after [`Lasso::max_iterations`] full gradients.
///
/// At `λ = 0` the objective is least squares, solved by adding columns until none correlates with the residual; the dual
/// constraint `Aᵀθ = 0` can then hold only up to the rounding of the products, and does where the status is `Converged`.
///
/// The certificate is [`Certificate::DualityGap`] with scale `½‖y‖²`. Cost: an adjoint an iteration (about five at λ_max/10, twenty at λ_max/100), every
/// working column once, `2mw²` operations for their Gram matrix. Sources: Tibshirani (1996); Massias, Gramfort and
/// Salmon (2018) for working sets and gaps; Li, Sun and Toh (2018) for second-order steps.
///
/// ```
/// use nalgebra::DMatrix;
/// use ticketsense::operators::DenseOperator;
/// use ticketsense::recovery::{Lasso, Penalty, Solver};
/// // On orthonormal columns the answer is the soft threshold of y.
/// let a = DenseOperator::new(DMatrix::identity(3, 3))?;
/// let answer = Lasso::new(Penalty::Absolute(1.0)).solve(&a, &[3.0, -1.5, 0.5])?;
/// assert_eq!(answer.x, [2.0, -0.5, 0.0]);
/// assert_eq!(answer.relative_gap(), Some(0.0));
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Lasso {
    /// The penalty.
    pub penalty: Penalty,
    /// Stop at a duality gap of `tolerance · ½‖y‖²`, in `[0, 1)`.
    pub tolerance: f64,
    /// The most full gradients.
    pub max_iterations: usize,
    /// Where to start, of length n; `None` is 0.
    pub start: Option<Vec<f64>>,
}

impl Lasso {
    /// The default numbers for a penalty: tolerance 1e-8, at most 1000 full gradients, from 0.
    pub fn new(penalty: Penalty) -> Self {
        Lasso {
            penalty,
            tolerance: 1e-8,
            max_iterations: 1000,
            start: None,
        }
    }

    fn run(&self, a: &dyn MeasurementOperator, y: &[f64], factor: f64, watch: &mut Watch<'_>) -> Result<Recovery> {
        let shape = a.shape();
        let half_square = 0.5 * dot(y, y);
        let target = self.tolerance * half_square;
        let mut set = WorkingSet::new(y, shape.columns);
        let (mut r, mut c) = (y.to_vec(), vec![0.0; shape.columns]);
        let mut applications = 0.0;
        // The gradient at 0 gives λ_max, and is the first one of the iteration unless that starts elsewhere.
        let mut gradient_known = false;
        let lambda = match self.penalty {
            Penalty::Absolute(lambda) => lambda * factor,
            Penalty::RatioOfMax(ratio) => {
                a.adjoint_into(y, &mut c);
                applications += 1.0;
                gradient_known = self.start.is_none();
                ratio * c.iter().fold(0.0f64, |m, v| m.max(v.abs()))
            }
        };
        if lambda == 0.0 {
            return self.least_squares(a, y, watch);
        }
        if let Some(start) = &self.start {
            let nonzero = start.iter().enumerate().filter(|(_, v)| **v != 0.0);
            let (indices, values): (Vec<usize>, Vec<f64>) = nonzero.map(|(j, v)| (j, v * factor)).unzip();
            set.extend(a, y, &indices, &values)?;
            residual_into(a, y, &indices, &values, &mut r);
            applications += 2.0 * column_cost(shape, indices.len());
        }

        let mut iterations = 0;
        let (mut settled, mut stopped) = (false, false);
        let mut inner_target = f64::INFINITY;
        // The penalty of the stage: it falls to λ as fast as the working set can follow.
        let mut stage = f64::INFINITY;
        let (status, support, values, gap, scale) = loop {
            if !gradient_known {
                a.adjoint_into(&r, &mut c);
                applications += 1.0;
            }
            gradient_known = false;
            let (support, values) = set.nonzeros();
            let residual_square = dot(&r, &r);
            let largest = c.iter().fold(0.0f64, |m, v| m.max(v.abs()));
            let terms = support.iter().zip(&values).map(|(&j, &v)| (v, c[j]));
            let (gap, scale) = scaled_residual_gap(lambda, largest, residual_square, dot(y, &r), terms);
            let status = if gap <= target {
                Some(Status::Converged)
            } else if stopped {
                Some(Status::Stopped)
            } else if iterations == self.max_iterations {
                Some(Status::IterationLimit)
            } else {
                None
            };
            if let Some(status) = status {
                break (status, support, values, gap, scale);
            }
            let outside = (0..shape.columns).filter(|&j| !set.contains(j));
            let (new, next) = next_stage(&c, outside, support.len(), lambda, stage);
            if new.is_empty() && settled && stage == lambda {
                break (Status::Stalled, support, values, gap, scale);
            }
            stage = next;
            set.extend(a, y, &new, &vec![0.0; new.len()])?;
            applications += column_cost(shape, new.len());
            // Far from the end the working set is wrong anyway: one round, or as good as the gap there deserves.
            inner_target = if stage > lambda {
                f64::INFINITY
            } else if new.is_empty() && settled {
                0.1 * inner_target
            } else {
                (0.3 * target).max(0.02 * gap)
            };
            settled = !set.minimise(stage, inner_target);
            iterations += 1;
            let (support, values) = set.nonzeros();
            residual_into(a, y, &support, &values, &mut r);
            applications += column_cost(shape, support.len());
            let penalty: f64 = values.iter().map(|v| v.abs()).sum();
            stopped = !watch.tell(&Progress {
                iteration: iterations,
                objective: 0.5 * dot(&r, &r) + lambda * penalty,
                nonzeros: support.len(),
            });
        };

        let residual_norm = norm(&r);
        let penalty: f64 = values.iter().map(|v| v.abs()).sum();
        let objective = 0.5 * residual_norm * residual_norm + lambda * penalty;
        Ok(Recovery {
            x: scatter(shape.columns, &support, &values),
            support,
            status,
            iterations,
            applications,
            objective,
            residual_norm,
            certificate: Certificate::DualityGap {
                primal: objective,
                gap: gap.max(0.0),
                scale: half_square,
                dual: r.iter().map(|v| scale * v).collect(),
            },
        })
    }

    /// `λ = 0`: a least squares solution on independent columns.
    fn least_squares(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        let pursuit = Omp {
            max_support: None,
            tolerance: 0.0,
            groups: None,
        };
        let mut answer = pursuit.solve_watched(a, y, watch)?;
        let mut r = vec![0.0; y.len()];
        let values: Vec<f64> = answer.support.iter().map(|&j| answer.x[j]).collect();
        residual_into(a, y, &answer.support, &values, &mut r);
        let correlations = a.adjoint(&r)?;
        let norms = a.column_norms();
        answer.applications += 3.0;
        // The residual is a sum of products of this size, each rounded; m of them meet in an inner product.
        let size = norm(y)
            + answer
                .support
                .iter()
                .map(|&j| answer.x[j].abs() * norms[j])
                .sum::<f64>();
        let rounding = 64.0 * y.len() as f64 * f64::EPSILON * size;
        let stationary = correlations.iter().zip(&norms).all(|(c, n)| c.abs() <= rounding * n);
        if answer.status != Status::Stopped {
            answer.status = if stationary { Status::Converged } else { Status::Stalled };
        }
        let half_square = 0.5 * dot(y, y);
        let gap = if stationary {
            answer
                .support
                .iter()
                .map(|&j| (answer.x[j] * correlations[j]).abs())
                .sum()
        } else {
            answer.objective
        };
        answer.certificate = Certificate::DualityGap {
            primal: answer.objective,
            gap,
            scale: half_square,
            dual: if stationary { r } else { vec![0.0; y.len()] },
        };
        Ok(answer)
    }
}

/// `λ_max = ‖Aᵀy‖∞`: from here on the LASSO's answer is 0. Cost: one adjoint.
///
/// # Errors
/// When `y` does not fit the operator.
pub fn lambda_max(a: &dyn MeasurementOperator, y: &[f64]) -> Result<f64> {
    Ok(a.adjoint(y)?.iter().fold(0.0, |m, v| v.abs().max(m)))
}

impl Solver for Lasso {
    fn name(&self) -> &'static str {
        "lasso"
    }

    fn solve_watched(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        check_right_hand_side(a, y)?;
        check_tolerance(self.tolerance)?;
        check_positive("max-iterations", self.max_iterations)?;
        let (name, value) = match self.penalty {
            Penalty::Absolute(lambda) => ("lambda", lambda),
            Penalty::RatioOfMax(ratio) => ("lambda-ratio", ratio),
        };
        if !(value.is_finite() && value >= 0.0) {
            return Err(Error::argument(name, "a finite number ≥ 0", value));
        }
        if let Some(start) = &self.start {
            check_vector("start", start, a.shape().columns)?;
        }
        in_safe_range(y, 2, watch, |y, factor, watch| self.run(a, y, factor, watch))
    }
}

/// Its line in the list of solvers.
pub(super) const ENTRY: SolverEntry = SolverEntry {
    name: "lasso",
    help: "½‖y − A x‖² + λ‖x‖₁ to a certified duality gap.",
    options: &[
        option(
            "lambda",
            NOT_NEGATIVE,
            "the data's times the columns'",
            "none: lambda or lambda-ratio",
            "The penalty λ.",
        ),
        option(
            "lambda-ratio",
            NOT_NEGATIVE,
            "λ_max = ‖Aᵀy‖∞",
            "none: lambda or lambda-ratio",
            "The penalty as a multiple of the smallest one whose answer is 0.",
        ),
        option(
            "tolerance",
            TOLERANCE,
            "½‖y‖²",
            "1e-8",
            "Stop at a duality gap of at most this multiple of ½‖y‖².",
        ),
        option(
            "max-iterations",
            COUNT,
            "full gradients",
            "1000",
            "The most full gradients.",
        ),
    ],
    for_planted: |_| vec![("lambda-ratio", "1e-6".to_string()), ("tolerance", "1e-14".to_string())],
    builder: |o| {
        let penalty = match (o.real("lambda"), o.real("lambda-ratio")) {
            (Some(lambda), None) => Penalty::Absolute(lambda),
            (None, Some(ratio)) => Penalty::RatioOfMax(ratio),
            (None, None) => return Err(Error::argument("lambda", "a value, or one for lambda-ratio", "none")),
            (Some(_), Some(_)) => return Err(Error::argument("lambda", "lambda or lambda-ratio", "both")),
        };
        let default = Lasso::new(penalty);
        Ok(Box::new(Lasso {
            tolerance: o.real("tolerance").unwrap_or(default.tolerance),
            max_iterations: o.integer("max-iterations").unwrap_or(default.max_iterations),
            ..default
        }))
    },
};

#[cfg(test)]
#[path = "lasso_tests.rs"]
mod tests;
