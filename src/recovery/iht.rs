//! Iterative hard thresholding with the unit step.

use super::common::column_cost;
use super::entry::{
    BUDGETS, GROUPS, SolverEntry, THRESHOLDING_ITERATIONS, THRESHOLDING_SUPPORT, THRESHOLDING_TOLERANCE,
};
use super::exchange::Step;
use super::iterate::Difference;
use super::request::Request;
use super::selection::Selector;
use super::{Groups, Recovery, Solver};
use crate::error::Result;
use crate::linalg::norm;
use crate::operators::MeasurementOperator;
use crate::outcome::{Status, Watch};

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

    fn run(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        let shape = a.shape();
        let largest = DIVERGENCE * norm(y);
        let mut moved = vec![0.0; shape.columns];
        let (mut selector, mut support) = (Selector::new(self.groups.as_ref()), Vec::new());
        let mut difference = Difference::default();
        let mut applications = 0.0;
        let ended = self.request().iterate(y, self.tolerance, watch, |current, next| {
            a.adjoint_into(&current.r, &mut moved);
            current.add_to(&mut moved);
            selector.largest_into(self.max_support, &moved, &mut support);
            applications += 1.0 + column_cost(shape, support.len());
            next.set(a, y, &support, &moved);
            let size = norm(&next.r);
            if !size.is_finite() || next.values.iter().any(|v| !v.is_finite()) {
                return Step::Refused(Status::Diverged);
            }
            let converged = difference.take(next, current) <= self.tolerance * norm(&next.values);
            Step::Taken(if size > largest {
                Some(Status::Diverged)
            } else {
                converged.then_some(Status::Converged)
            })
        });
        let last = ended.last;
        Ok(last.into_recovery(shape.columns, ended.status, ended.iterations, applications))
    }

    fn request(&self) -> Request<'_> {
        Request::new(self.max_support, self.tolerance, self.max_iterations, &self.groups)
    }
}

impl Solver for IterativeHardThresholding {
    fn name(&self) -> &'static str {
        "iht"
    }

    fn solve_watched(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        let attainable = a.shape().columns;
        self.request()
            .solve(a, y, attainable, watch, |y, watch| self.run(a, y, watch))
    }
}

/// Its line in the list of solvers.
pub(super) const ENTRY: SolverEntry = SolverEntry {
    name: "iht",
    help: "Iterative hard thresholding with the unit step.",
    options: &[
        THRESHOLDING_SUPPORT,
        THRESHOLDING_TOLERANCE,
        THRESHOLDING_ITERATIONS,
        GROUPS,
        BUDGETS,
    ],
    for_planted: |nonzeros| vec![("max-support", nonzeros.to_string())],
    builder: |o| {
        let default = IterativeHardThresholding::new(o.required("max-support")?);
        Ok(Box::new(IterativeHardThresholding {
            tolerance: o.real("tolerance").unwrap_or(default.tolerance),
            max_iterations: o.integer("max-iterations").unwrap_or(default.max_iterations),
            groups: o.groups()?,
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
