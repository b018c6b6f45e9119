//! The nonnegative LASSO, `½‖y − A x‖₂² + λ Σ xⱼ` over `x ≥ 0`.

use super::common::{check_penalty, in_safe_range};
use super::descent::Stopping;
use super::entry::{GAP_TOLERANCE, GRADIENTS, LAMBDA, LAMBDA_RATIO, SolverEntry};
use super::penalised::Penalised;
use super::{Model, Penalty, Recovery, Solver, check_right_hand_side};
use crate::error::Result;
use crate::operators::MeasurementOperator;
use crate::outcome::Watch;

/// The nonnegative LASSO, `min ½‖y − A x‖₂² + λ Σ xⱼ` over `x ≥ 0`, with `λ_max = max(0, maxⱼ aⱼᵀy)`.
///
/// Its dual is `max ½‖y‖² − ½‖y − θ‖²` subject to `Aᵀθ ≤ λ`. Working set, statuses and scale are those of
/// [`super::Lasso`].
///
/// At `λ = 0` it is nonnegative least squares; the dual constraint `Aᵀθ ≤ 0` can then hold only up to the rounding of the
/// products, and does where the status is `Converged`.
///
/// Source: Lawson and Hanson (1974) for `λ = 0`; Efron, Hastie, Johnstone and Tibshirani (2004), section 3.4.
///
/// ```
/// use nalgebra::DMatrix;
/// use ticketsense::operators::DenseOperator;
/// use ticketsense::recovery::{NonnegativeLasso, Penalty, Solver};
/// // On orthonormal columns: (y − λ)₊.
/// let a = DenseOperator::new(DMatrix::identity(3, 3))?;
/// let answer = NonnegativeLasso::new(Penalty::Absolute(1.0)).solve(&a, &[3.0, -1.5, 0.5])?;
/// assert_eq!(answer.x, [2.0, 0.0, 0.0]);
/// assert_eq!(answer.relative_gap(), Some(0.0));
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct NonnegativeLasso {
    /// The penalty; its ratio refers to `max(0, maxⱼ aⱼᵀy)`.
    pub penalty: Penalty,
    /// Stop at a duality gap of `tolerance · ½‖y‖²`, in `[0, 1)`.
    pub tolerance: f64,
    /// The most full gradients.
    pub max_iterations: usize,
}

impl NonnegativeLasso {
    /// The default numbers for a penalty: tolerance 1e-8, at most 1000 full gradients.
    pub fn new(penalty: Penalty) -> Self {
        NonnegativeLasso {
            penalty,
            tolerance: 1e-8,
            max_iterations: 1000,
        }
    }

    /// `λ_max = max(0, maxⱼ aⱼᵀy)`: from here on the answer is 0. Cost: one adjoint.
    ///
    /// # Errors
    /// When `y` does not fit the operator.
    pub fn lambda_max(a: &dyn MeasurementOperator, y: &[f64]) -> Result<f64> {
        Ok(a.adjoint(y)?.into_iter().fold(0.0, f64::max))
    }

    fn stopping(&self) -> Stopping {
        Stopping {
            tolerance: self.tolerance,
            max_iterations: self.max_iterations,
        }
    }

    fn run(&self, a: &dyn MeasurementOperator, y: &[f64], factor: f64, watch: &mut Watch<'_>) -> Result<Recovery> {
        let (lambda, adjoints) = match self.penalty {
            Penalty::Absolute(lambda) => (lambda * factor, 0.0),
            Penalty::RatioOfMax(ratio) => (ratio * Self::lambda_max(a, y)?, 1.0),
        };
        let problem = Penalised {
            penalties: vec![lambda; a.shape().columns],
            ridge: 0.0,
            nonnegative: true,
        };
        let mut answer = problem.solve(a, y, self.stopping(), watch)?;
        answer.applications += adjoints;
        Ok(answer)
    }
}

impl Solver for NonnegativeLasso {
    fn name(&self) -> &'static str {
        "nonnegative-lasso"
    }

    fn model(&self) -> Model {
        Model::NonnegativeLinear
    }

    fn solve_watched(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        check_right_hand_side(a, y)?;
        check_penalty(self.penalty)?;
        self.stopping().check()?;
        in_safe_range(y, 2, watch, |y, factor, watch| self.run(a, y, factor, watch))
    }
}

/// Its line in the list of solvers.
pub(super) const ENTRY: SolverEntry = SolverEntry {
    name: "nonnegative-lasso",
    help: "½‖y − A x‖² + λ Σ xⱼ over x ≥ 0 to a certified duality gap.",
    options: &[LAMBDA, LAMBDA_RATIO, GAP_TOLERANCE, GRADIENTS],
    for_planted: |_| vec![("lambda-ratio", "1e-6".to_string()), ("tolerance", "1e-14".to_string())],
    builder: |o| {
        let default = NonnegativeLasso::new(o.penalty()?);
        Ok(Box::new(NonnegativeLasso {
            tolerance: o.real("tolerance").unwrap_or(default.tolerance),
            max_iterations: o.integer("max-iterations").unwrap_or(default.max_iterations),
            ..default
        }))
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::{dot, norm};
    use crate::operators::{DenseOperator, GaussianEnsemble};
    use crate::outcome::Status;
    use crate::recovery::{Certificate, reference};
    use crate::seed::Seed;
    use nalgebra::{DMatrix, DVector, dmatrix};
    use proptest::prelude::*;

    fn lasso(lambda: f64, tolerance: f64) -> NonnegativeLasso {
        NonnegativeLasso {
            tolerance,
            ..NonnegativeLasso::new(Penalty::Absolute(lambda))
        }
    }

    /// The optimal value by trying every support: on the right one the minimiser is unconstrained and positive.
    fn by_every_support(a: &DMatrix<f64>, y: &[f64], lambda: f64) -> f64 {
        let target = DVector::from_column_slice(y);
        let mut best = 0.5 * dot(y, y);
        for bits in 1u32..1 << a.ncols() {
            let support: Vec<usize> = (0..a.ncols()).filter(|j| bits >> j & 1 == 1).collect();
            let columns = a.select_columns(&support);
            let gram = columns.transpose() * &columns;
            let rest = columns.transpose() * &target - DVector::from_element(support.len(), lambda);
            let Some(x) = gram.lu().solve(&rest) else { continue };
            if x.iter().all(|v| *v >= 0.0) {
                best = best.min(0.5 * (&target - columns * &x).norm_squared() + lambda * x.sum());
            }
        }
        best
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn the_optimum_is_the_best_of_all_supports_and_its_gap_is_the_gap(
            number in 0u64..1_000_000,
            rows in 1usize..9,
            columns in 1usize..9,
            ratio in prop::sample::select(vec![0.0, 1e-3, 0.1, 0.7]),
        ) {
            let seed = Seed::root(number);
            let a = GaussianEnsemble { rows, columns }.draw(&seed).unwrap();
            let y = reference::normal_vector(rows, &seed);
            let lambda = ratio * NonnegativeLasso::lambda_max(&a, &y).unwrap();
            let answer = lasso(lambda, 1e-11).solve(&a, &y).unwrap();
            let half_square = 0.5 * dot(&y, &y);
            prop_assert_eq!(answer.status, Status::Converged);
            prop_assert!(answer.x.iter().all(|v| *v >= 0.0));
            let best = by_every_support(a.matrix(), &y, lambda);
            // The gap, and the rounding of normal equations whose condition is below 1e6 where they matter.
            prop_assert!((answer.objective - best).abs() <= (1e-11 + 1e6 * f64::EPSILON) * half_square);
            let Certificate::DualityGap { dual, gap, .. } = &answer.certificate else { panic!("certificate") };
            for (j, column) in a.matrix().column_iter().enumerate() {
                // Feasible but for the rounding of inner products; at λ = 0 of those that made the residual too.
                let rounding = 64.0 * rows as f64 * f64::EPSILON * column.norm() * (norm(&y) + answer.x.iter().zip(
                    a.matrix().column_iter()).map(|(x, c)| x * c.norm()).sum::<f64>());
                let correlation: f64 = column.iter().zip(dual).map(|(u, v)| u * v).sum();
                prop_assert!(correlation <= lambda + 2.0 * rounding, "column {}: {}", j, correlation);
            }
            let dual_value = half_square - 0.5 * y.iter().zip(dual).map(|(u, v)| (u - v).powi(2)).sum::<f64>();
            let rounding = 8.0 * (rows + columns) as f64 * f64::EPSILON * half_square;
            let by_loops = answer.objective - dual_value;
            // At λ = 0 what the dual point violates by rounding is counted as if it were a gap.
            prop_assert!(by_loops - gap <= rounding && (lambda == 0.0 || gap - by_loops <= rounding));
        }
    }

    #[test]
    fn data_that_no_column_points_to_give_zero() {
        let a = DenseOperator::new(dmatrix![1.0, 2.0, 0.0; 0.0, 1.0, 0.0]).unwrap();
        for penalty in [Penalty::Absolute(0.0), Penalty::Absolute(1.0), Penalty::RatioOfMax(0.5)] {
            let answer = NonnegativeLasso::new(penalty).solve(&a, &[-1.0, -1.0]).unwrap();
            assert_eq!(answer.status, Status::Converged);
            assert_eq!((answer.support.len(), answer.objective), (0, 1.0));
            assert_eq!(answer.relative_gap(), Some(0.0));
        }
    }

    #[test]
    fn repeated_columns_reach_the_same_optimum_as_single_ones() {
        let seed = Seed::root(33);
        let single = GaussianEnsemble { rows: 15, columns: 10 }.draw(&seed).unwrap();
        let doubled = DenseOperator::new(DMatrix::from_fn(15, 20, |i, j| single.matrix()[(i, j / 2)])).unwrap();
        let y = reference::normal_vector(15, &seed);
        for ratio in [0.0, 0.05] {
            let solver = NonnegativeLasso {
                tolerance: 1e-12,
                ..NonnegativeLasso::new(Penalty::RatioOfMax(ratio))
            };
            let (one, two) = (solver.solve(&single, &y).unwrap(), solver.solve(&doubled, &y).unwrap());
            assert_eq!((one.status, two.status), (Status::Converged, Status::Converged));
            assert!((one.objective - two.objective).abs() <= 2e-12 * 0.5 * dot(&y, &y));
        }
    }
}
