//! The LASSO, `P(x) = ½‖y − A x‖₂² + λ‖x‖₁`, with `λ_max = ‖Aᵀy‖∞`.
//!
//! Its dual is `max D(θ) = ½‖y‖² − ½‖y − θ‖²` subject to `‖Aᵀθ‖∞ ≤ λ`; the residual at the optimum is the dual optimum,
//! so a scaled residual certifies how near an iterate is.

use super::common::{check_penalty, column_cost, in_safe_range, residual_into};
use super::descent::{Certified, Stopping, WorkingProblem, descend, rounding_allowances};
use super::entry::{GAP_TOLERANCE, GRADIENTS, LAMBDA, LAMBDA_RATIO, START, SolverEntry};
use super::omp::Omp;
use super::working_set::{WorkingSet, next_stage, scaled_residual_gap};
use super::{Certificate, Recovery, Solver, check_right_hand_side};
use crate::error::Result;
use crate::linalg::{dot, norm};
use crate::operators::{MeasurementOperator, check_vector};
use crate::outcome::{Status, Watch};

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

/// The LASSO on a working set, with a penalty that falls to λ in stages.
struct Staged<'a> {
    a: &'a dyn MeasurementOperator,
    y: &'a [f64],
    lambda: f64,
    set: WorkingSet,
    /// The residual and its correlations with every column, where those are known already.
    r: Vec<f64>,
    c: Vec<f64>,
    gradient_known: bool,
    /// The penalty of the stage: it falls to λ as fast as the working set can follow.
    stage: f64,
    /// The dual point is this multiple of the residual.
    dual_scale: f64,
    applications: f64,
}

impl WorkingProblem for Staged<'_> {
    fn gap(&mut self) -> f64 {
        if !self.gradient_known {
            self.a.adjoint_into(&self.r, &mut self.c);
            self.applications += 1.0;
        }
        self.gradient_known = false;
        let (support, values) = self.set.nonzeros();
        let largest = self.c.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        let terms = support.iter().zip(&values).map(|(&j, &v)| (v, self.c[j]));
        let (square, with_y) = (dot(&self.r, &self.r), dot(self.y, &self.r));
        let (gap, scale) = scaled_residual_gap(self.lambda, largest, square, with_y, terms);
        self.dual_scale = scale;
        gap
    }

    fn enter(&mut self) -> Result<usize> {
        let outside = (0..self.c.len()).filter(|&j| !self.set.contains(j));
        let (new, stage) = next_stage(&self.c, outside, self.nonzeros(), self.lambda, self.stage);
        self.stage = stage;
        self.set.extend(self.a, self.y, &new, &vec![0.0; new.len()])?;
        self.applications += column_cost(self.a.shape(), new.len());
        Ok(new.len())
    }

    fn at_last(&self) -> bool {
        self.stage == self.lambda
    }

    fn minimise(&mut self, target: f64) -> Result<bool> {
        let solved = self.set.minimise(self.stage, target);
        let (support, values) = self.set.nonzeros();
        residual_into(self.a, self.y, &support, &values, &mut self.r);
        self.applications += column_cost(self.a.shape(), support.len());
        Ok(solved)
    }

    fn objective(&self) -> f64 {
        let penalty: f64 = self.set.nonzeros().1.iter().map(|v| v.abs()).sum();
        0.5 * dot(&self.r, &self.r) + self.lambda * penalty
    }

    fn nonzeros(&self) -> usize {
        self.set.nonzeros().0.len()
    }
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

        let mut problem = Staged {
            a,
            y,
            lambda,
            set,
            r,
            c,
            gradient_known,
            stage: f64::INFINITY,
            dual_scale: 0.0,
            applications,
        };
        let descent = descend(&mut problem, self.stopping(), half_square, watch)?;
        let objective = problem.objective();
        let Staged {
            set,
            r,
            dual_scale,
            applications,
            ..
        } = problem;
        let (support, values) = set.nonzeros();
        let dual = r.iter().map(|v| dual_scale * v).collect();
        let certified = Certified {
            support,
            values,
            objective,
            scale: half_square,
            dual,
        };
        Ok(certified.into_recovery(shape.columns, &r, descent, applications))
    }

    fn stopping(&self) -> Stopping {
        Stopping {
            tolerance: self.tolerance,
            max_iterations: self.max_iterations,
        }
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
        let terms = (answer.support.as_slice(), values.as_slice());
        let allowances = rounding_allowances(y.len(), norm(y), terms, &norms, &norms);
        let stationary = correlations.iter().zip(&allowances).all(|(c, n)| c.abs() <= *n);
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
        check_penalty(self.penalty)?;
        self.stopping().check()?;
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
    options: &[LAMBDA, LAMBDA_RATIO, GAP_TOLERANCE, GRADIENTS, START],
    for_planted: |_| vec![("lambda-ratio", "1e-6".to_string()), ("tolerance", "1e-14".to_string())],
    builder: |o| {
        let default = Lasso::new(o.penalty()?);
        Ok(Box::new(Lasso {
            tolerance: o.real("tolerance").unwrap_or(default.tolerance),
            max_iterations: o.integer("max-iterations").unwrap_or(default.max_iterations),
            start: o.vector("start"),
            ..default
        }))
    },
};

#[cfg(test)]
#[path = "lasso_tests.rs"]
mod tests;
