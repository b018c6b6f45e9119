//! Iterative hard thresholding with the unit step.

use super::common::{
    check_positive, check_tolerance, column_cost, empty_answer, in_safe_range, residual_into, scatter,
};
use super::entry::{SolverEntry, THRESHOLDING_ITERATIONS, THRESHOLDING_SUPPORT, THRESHOLDING_TOLERANCE};
use super::groups::largest;
use super::{Certificate, Groups, Recovery, Solver, check_right_hand_side};
use crate::error::Result;
use crate::linalg::{dot, norm};
use crate::operators::MeasurementOperator;
use crate::outcome::{Progress, Status, Watch};

/// The residual has grown by this factor over the data: the unit step does not contract.
pub(super) const DIVERGENCE: f64 = 1e8;

/// Iterative hard thresholding, `x ← H_k(x + Aᵀ(y − A x))` from `x = 0`, with the unit step.
///
/// `H_k` keeps the k largest magnitudes, ties by index, within the budgets where there are any. The iteration contracts
/// when the restricted isometry constant of order 3k is below `1/√3`; for an operator much longer than 1 it *diverges*,
/// which is a finding and not a failure: [`super::NormalisedIht`] chooses its step.
///
/// It ends with
/// - `Converged` when `‖x⁺ − x‖₂ ≤ tolerance · ‖x⁺‖₂`;
/// - `ResidualReached` when `‖r‖₂ ≤ tolerance · ‖y‖₂`;
/// - `Diverged` when `‖r‖₂ > 10⁸ ‖y‖₂` or the next iterate is not finite, with the last finite iterate;
/// - `Unattainable`, with `x = 0`, when [`IterativeHardThresholding::max_support`] exceeds the number of columns.
///
/// The objective is `½‖y − A x‖₂²`; there is no certificate. Cost an iteration: one adjoint and k columns. Source:
/// Blumensath and Davies (2009); Foucart and Rauhut (2013), theorem 6.18.
#[derive(Clone, Debug, PartialEq)]
pub struct IterativeHardThresholding {
    /// Nonzeros kept, k.
    pub max_support: usize,
    /// Relative change at which the iteration has converged, in `[0, 1)`.
    pub tolerance: f64,
    /// The most iterations.
    pub max_iterations: usize,
    /// Budgets for groups of columns.
    pub groups: Option<Groups>,
}

impl IterativeHardThresholding {
    /// The default numbers for k nonzeros: tolerance 1e-10, at most 2000 iterations, no budgets.
    pub fn new(max_support: usize) -> Self {
        IterativeHardThresholding {
            max_support,
            tolerance: 1e-10,
            max_iterations: 2000,
            groups: None,
        }
    }
}

/// The doors that both thresholding methods share.
pub(super) fn check(
    a: &dyn MeasurementOperator,
    y: &[f64],
    max_support: usize,
    tolerance: f64,
    max_iterations: usize,
    groups: Option<&Groups>,
) -> Result<()> {
    check_right_hand_side(a, y)?;
    check_tolerance(tolerance)?;
    check_positive("max-support", max_support)?;
    check_positive("max-iterations", max_iterations)?;
    groups.map_or(Ok(()), |g| g.check(a.shape().columns))
}

/// A sparse iterate with its residual.
#[derive(Clone)]
pub(super) struct Iterate {
    pub support: Vec<usize>,
    pub values: Vec<f64>,
    pub r: Vec<f64>,
}

impl Iterate {
    /// The point 0.
    pub fn zero(y: &[f64]) -> Self {
        Iterate {
            support: Vec::new(),
            values: Vec::new(),
            r: y.to_vec(),
        }
    }

    /// The point `values` on `support`, where they are not zero, with its residual from scratch.
    pub fn at(a: &dyn MeasurementOperator, y: &[f64], support: Vec<usize>, values: Vec<f64>) -> Self {
        let (support, values): (Vec<usize>, Vec<f64>) =
            support.into_iter().zip(values).filter(|(_, v)| *v != 0.0).unzip();
        let mut r = vec![0.0; y.len()];
        residual_into(a, y, &support, &values, &mut r);
        Iterate { support, values, r }
    }

    pub fn objective(&self) -> f64 {
        0.5 * dot(&self.r, &self.r)
    }

    /// The difference `self − earlier`, as a sparse vector.
    pub fn minus(&self, earlier: &Iterate) -> (Vec<usize>, Vec<f64>) {
        let (mut i, mut j) = (0, 0);
        let (mut support, mut values) = (Vec::new(), Vec::new());
        while i < self.support.len() || j < earlier.support.len() {
            let here = self.support.get(i).copied().unwrap_or(usize::MAX);
            let there = earlier.support.get(j).copied().unwrap_or(usize::MAX);
            let mut value = 0.0;
            if here <= there {
                value += self.values[i];
                i += 1;
            }
            if there <= here {
                value -= earlier.values[j];
                j += 1;
            }
            support.push(here.min(there));
            values.push(value);
        }
        (support, values)
    }

    /// The answer at this point.
    pub fn into_recovery(self, columns: usize, status: Status, iterations: usize, applications: f64) -> Recovery {
        let residual_norm = norm(&self.r);
        Recovery {
            x: scatter(columns, &self.support, &self.values),
            support: self.support,
            status,
            iterations,
            applications,
            objective: 0.5 * residual_norm * residual_norm,
            residual_norm,
            certificate: Certificate::None,
        }
    }
}

impl IterativeHardThresholding {
    fn run(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        let shape = a.shape();
        let y_norm = norm(y);
        if self.max_support > shape.columns {
            return Ok(empty_answer(
                shape.columns,
                y,
                0.5 * y_norm * y_norm,
                Status::Unattainable,
                0.0,
            ));
        }
        let mut current = Iterate::zero(y);
        let mut moved = vec![0.0; shape.columns];
        let (mut iterations, mut applications) = (0, 0.0);
        let status = loop {
            if norm(&current.r) <= self.tolerance * y_norm {
                break Status::ResidualReached;
            }
            if iterations == self.max_iterations {
                break Status::IterationLimit;
            }
            a.adjoint_into(&current.r, &mut moved);
            for (&j, &v) in current.support.iter().zip(&current.values) {
                moved[j] += v;
            }
            let support = largest(self.groups.as_ref(), self.max_support, shape.columns, |j| {
                moved[j].abs()
            });
            let values: Vec<f64> = support.iter().map(|&j| moved[j]).collect();
            applications += 1.0 + column_cost(shape, support.len());
            let next = Iterate::at(a, y, support, values);
            let size = norm(&next.r);
            if !size.is_finite() || next.values.iter().any(|v| !v.is_finite()) {
                break Status::Diverged;
            }
            iterations += 1;
            let change = norm(&next.minus(&current).1);
            current = next;
            if size > DIVERGENCE * y_norm {
                break Status::Diverged;
            }
            let progress = Progress {
                iteration: iterations,
                objective: current.objective(),
                nonzeros: current.support.len(),
            };
            if !watch.tell(&progress) {
                break Status::Stopped;
            }
            if change <= self.tolerance * norm(&current.values) {
                break Status::Converged;
            }
        };
        Ok(current.into_recovery(shape.columns, status, iterations, applications))
    }
}

impl Solver for IterativeHardThresholding {
    fn name(&self) -> &'static str {
        "iht"
    }

    fn solve_watched(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        check(
            a,
            y,
            self.max_support,
            self.tolerance,
            self.max_iterations,
            self.groups.as_ref(),
        )?;
        in_safe_range(y, 2, watch, |y, _, watch| self.run(a, y, watch))
    }
}

/// Its line in the list of solvers.
pub(super) const ENTRY: SolverEntry = SolverEntry {
    name: "iht",
    help: "Iterative hard thresholding with the unit step.",
    options: &[THRESHOLDING_SUPPORT, THRESHOLDING_TOLERANCE, THRESHOLDING_ITERATIONS],
    for_planted: |nonzeros| vec![("max-support", nonzeros.to_string())],
    builder: |o| {
        let default = IterativeHardThresholding::new(o.required("max-support")?);
        Ok(Box::new(IterativeHardThresholding {
            tolerance: o.real("tolerance").unwrap_or(default.tolerance),
            max_iterations: o.integer("max-iterations").unwrap_or(default.max_iterations),
            ..default
        }))
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::operators::{DenseOperator, GaussianEnsemble, ScaledColumns};
    use crate::seed::Seed;
    use nalgebra::DMatrix;

    #[test]
    fn on_orthonormal_columns_one_step_is_the_answer() {
        let a = DenseOperator::new(DMatrix::identity(4, 4)).unwrap();
        let answer = IterativeHardThresholding::new(2)
            .solve(&a, &[1.0, -4.0, 0.5, 2.0])
            .unwrap();
        assert_eq!(answer.x, [0.0, -4.0, 0.0, 2.0]);
        assert_eq!((answer.status, answer.iterations), (Status::Converged, 2));
    }

    #[test]
    fn an_operator_of_norm_three_diverges_to_a_finite_iterate() {
        let a = DenseOperator::new(DMatrix::identity(3, 3) * 3.0).unwrap();
        let answer = IterativeHardThresholding::new(3).solve(&a, &[1.0, 2.0, 3.0]).unwrap();
        assert_eq!(answer.status, Status::Diverged);
        assert!(answer.x.iter().all(|v| v.is_finite()));
        // The error factor is 1 − 9 = −8: after t steps the residual is 8ᵗ‖y‖, and 8⁹ is the first power above 1e8.
        assert_eq!(answer.iterations, 9);
        assert!((answer.residual_norm / (8f64.powi(9) * norm(&[1.0, 2.0, 3.0])) - 1.0).abs() <= 1e-14);
    }

    #[test]
    fn a_step_that_overflows_leaves_the_last_finite_iterate() {
        let a = GaussianEnsemble { rows: 6, columns: 9 }.draw(&Seed::root(1)).unwrap();
        let huge = ScaledColumns::new(&a, vec![1e160; 9]).unwrap();
        let answer = IterativeHardThresholding::new(3).solve(&huge, &[1.0; 6]).unwrap();
        assert_eq!(answer.status, Status::Diverged);
        assert!(answer.x.iter().all(|v| v.is_finite()) && answer.residual_norm.is_finite());
    }

    #[test]
    fn more_nonzeros_than_columns_are_unattainable_and_none_is_refused() {
        let a = GaussianEnsemble { rows: 4, columns: 5 }.draw(&Seed::root(1)).unwrap();
        let answer = IterativeHardThresholding::new(6).solve(&a, &[1.0; 4]).unwrap();
        assert_eq!(answer.status, Status::Unattainable);
        let error = IterativeHardThresholding::new(0).solve(&a, &[1.0; 4]).unwrap_err();
        assert!(matches!(error, Error::Argument { .. }));
    }
}
