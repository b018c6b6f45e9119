//! The weighted LASSO, `½‖y − A x‖₂² + λ Σ wⱼ|xⱼ|`.

use super::common::{check_not_negative, check_penalty, in_safe_range};
use super::descent::Stopping;
use super::entry::{GAP_TOLERANCE, GRADIENTS, LAMBDA, LAMBDA_RATIO, OptionKind, SolverEntry, option};
use super::penalised::Penalised;
use super::{Lasso, Penalty, Recovery, Solver, check_right_hand_side};
use crate::error::Result;
use crate::operators::{MeasurementOperator, check_vector};
use crate::outcome::Watch;

/// The weighted LASSO, `min ½‖y − A x‖₂² + λ Σ wⱼ|xⱼ|` with weights `wⱼ ≥ 0`.
///
/// With positive weights it is the LASSO on the columns `aⱼ/wⱼ` ([`crate::operators::ScaledColumns`]). A weight of zero
/// leaves its column unpenalised: the column belongs to the answer from the start, and the residual is orthogonal to it.
/// `λ_max` is the largest `|aⱼᵀr|/wⱼ` over the penalised columns, with the residual `r` of the least squares fit on the
/// unpenalised ones: from there on those alone are used.
///
/// The dual is `max ½‖y‖² − ½‖y − θ‖²` subject to `|aⱼᵀθ| ≤ λwⱼ`. Working set, statuses and scale are those of [`Lasso`].
/// Where a weight is zero the constraint `aⱼᵀθ = 0` can hold only up to the rounding of the product, and does where the
/// status is `Converged`. Cost beyond the LASSO's: the Gram matrix of the unpenalised columns, all at once.
///
/// Source: Zou (2006); Candès, Wakin and Boyd (2008).
///
/// ```
/// use nalgebra::DMatrix;
/// use ticketsense::operators::DenseOperator;
/// use ticketsense::recovery::{Penalty, Solver, WeightedLasso};
/// // On orthonormal columns each entry has its own threshold; the last one has none.
/// let a = DenseOperator::new(DMatrix::identity(3, 3))?;
/// let solver = WeightedLasso::new(Penalty::Absolute(0.5), vec![1.0, 4.0, 0.0]);
/// assert_eq!(solver.solve(&a, &[3.0, -1.5, 0.25])?.x, [2.5, 0.0, 0.25]);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct WeightedLasso {
    /// The penalty; its ratio refers to the weighted `λ_max`.
    pub penalty: Penalty,
    /// One weight a column, finite and not negative; `None` is 1 for every column.
    pub weights: Option<Vec<f64>>,
    /// Stop at a duality gap of `tolerance · ½‖y‖²`, in `[0, 1)`.
    pub tolerance: f64,
    /// The most full gradients.
    pub max_iterations: usize,
}

impl WeightedLasso {
    /// The default numbers for a penalty and weights: tolerance 1e-8, at most 1000 full gradients.
    pub fn new(penalty: Penalty, weights: Vec<f64>) -> Self {
        WeightedLasso {
            penalty,
            weights: Some(weights),
            tolerance: 1e-8,
            max_iterations: 1000,
        }
    }

    fn stopping(&self) -> Stopping {
        Stopping {
            tolerance: self.tolerance,
            max_iterations: self.max_iterations,
        }
    }

    fn run(
        &self,
        a: &dyn MeasurementOperator,
        y: &[f64],
        weights: &[f64],
        factor: f64,
        watch: &mut Watch<'_>,
    ) -> Result<Recovery> {
        let problem = |penalties: Vec<f64>| Penalised {
            penalties,
            ridge: 0.0,
            nonnegative: false,
        };
        let (lambda, spent) = match self.penalty {
            Penalty::Absolute(lambda) => (lambda * factor, 0.0),
            Penalty::RatioOfMax(ratio) => {
                // An infinite penalty leaves a column out: least squares on the unpenalised columns.
                let only = weights
                    .iter()
                    .map(|&w| if w == 0.0 { 0.0 } else { f64::INFINITY })
                    .collect();
                let exact = Stopping {
                    tolerance: 1e-15,
                    ..self.stopping()
                };
                let fit = problem(only).solve(a, y, exact, &mut Watch::none())?;
                let r: Vec<f64> = a.apply(&fit.x)?.iter().zip(y).map(|(f, y)| y - f).collect();
                let correlations = a.adjoint(&r)?;
                let pulls = correlations.iter().zip(weights).filter(|(_, w)| **w > 0.0);
                let largest = pulls.map(|(c, w)| c.abs() / w).fold(0.0, f64::max);
                (ratio * largest, fit.applications + 2.0)
            }
        };
        if lambda == 0.0 {
            let squares = Lasso {
                tolerance: self.tolerance,
                max_iterations: self.max_iterations,
                ..Lasso::new(Penalty::Absolute(0.0))
            };
            return squares.solve_watched(a, y, watch);
        }
        // A product that underflows is a tiny penalty, not none.
        let penalties = weights
            .iter()
            .map(|&w| {
                if w == 0.0 {
                    0.0
                } else {
                    (lambda * w).max(f64::MIN_POSITIVE)
                }
            })
            .collect();
        let mut answer = problem(penalties).solve(a, y, self.stopping(), watch)?;
        answer.applications += spent;
        Ok(answer)
    }
}

impl Solver for WeightedLasso {
    fn name(&self) -> &'static str {
        "weighted-lasso"
    }

    fn solve_watched(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        check_right_hand_side(a, y)?;
        check_penalty(self.penalty)?;
        self.stopping().check()?;
        let ones;
        let weights = match &self.weights {
            Some(weights) => weights,
            None => {
                ones = vec![1.0; a.shape().columns];
                &ones
            }
        };
        check_vector("weights", weights, a.shape().columns)?;
        for &w in weights {
            check_not_negative("weights", w)?;
        }
        in_safe_range(y, 2, watch, |y, factor, watch| self.run(a, y, weights, factor, watch))
    }
}

/// Its line in the list of solvers.
pub(super) const ENTRY: SolverEntry = SolverEntry {
    name: "weighted-lasso",
    help: "½‖y − A x‖² + λ Σ wⱼ|xⱼ| to a certified duality gap; a weight of 0 leaves its column unpenalised.",
    options: &[
        LAMBDA,
        LAMBDA_RATIO,
        option(
            "weights",
            OptionKind::Vector {
                least: 0.0,
                whole: false,
            },
            "λ",
            "1 for every column",
            "The weight of every column's penalty.",
        ),
        GAP_TOLERANCE,
        GRADIENTS,
    ],
    for_planted: |_| vec![("lambda-ratio", "1e-6".to_string()), ("tolerance", "1e-14".to_string())],
    builder: |o| {
        let default = WeightedLasso::new(o.penalty()?, Vec::new());
        Ok(Box::new(WeightedLasso {
            weights: o.vector("weights"),
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
    use crate::linalg::{dot, norm};
    use crate::operators::{DenseOperator, GaussianEnsemble, ScaledColumns};
    use crate::outcome::Status;
    use crate::recovery::{Certificate, reference};
    use crate::seed::Seed;
    use nalgebra::{DMatrix, DVector};
    use proptest::prelude::*;

    fn weighted(penalty: Penalty, weights: &[f64], tolerance: f64) -> WeightedLasso {
        WeightedLasso {
            tolerance,
            ..WeightedLasso::new(penalty, weights.to_vec())
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn with_positive_weights_it_is_the_lasso_on_scaled_columns(
            number in 0u64..1_000_000,
            rows in 1usize..12,
            columns in 1usize..30,
            ratio in 0.001f64..1.2,
        ) {
            let seed = Seed::root(number);
            let a = GaussianEnsemble { rows, columns }.draw(&seed).unwrap();
            let y = reference::normal_vector(rows, &seed);
            let weights: Vec<f64> = (0..columns).map(|j| [1.0, 0.25, 3.0, 40.0][j % 4]).collect();
            let scaled = ScaledColumns::new(&a, weights.iter().map(|w| w.recip()).collect()).unwrap();
            let answer = weighted(Penalty::RatioOfMax(ratio), &weights, 1e-10).solve(&a, &y).unwrap();
            let lasso = Lasso { tolerance: 1e-10, ..Lasso::new(Penalty::RatioOfMax(ratio)) };
            let other = lasso.solve(&scaled, &y).unwrap();
            prop_assert_eq!(answer.status, Status::Converged);
            prop_assert!((answer.objective - other.objective).abs() <= 2e-10 * 0.5 * dot(&y, &y));
        }

        #[test]
        fn unpenalised_columns_are_projected_out(
            number in 0u64..1_000_000,
            columns in 3usize..25,
            ratio in 0.01f64..1.2,
            repeated in any::<bool>(),
        ) {
            let rows = 10;
            let seed = Seed::root(number);
            let mut matrix = GaussianEnsemble { rows, columns }.draw(&seed).unwrap().matrix().clone();
            if repeated {
                let first = matrix.column(0).into_owned();
                matrix.set_column(1, &first);
            }
            let a = DenseOperator::new(matrix.clone()).unwrap();
            let y = reference::normal_vector(rows, &seed);
            let weights: Vec<f64> = (0..columns).map(|j| if j < 2 { 0.0 } else { 1.0 + (j % 3) as f64 }).collect();
            let answer = weighted(Penalty::RatioOfMax(ratio), &weights, 1e-10).solve(&a, &y).unwrap();
            prop_assert_eq!(answer.status, Status::Converged);

            // The same by hand: the LASSO on what is orthogonal to the first two columns.
            let free = matrix.columns(0, 2).into_owned();
            let away = |v: &[f64]| -> Vec<f64> {
                let fit = &free * reference::least_squares(&free, v);
                v.iter().zip(fit.iter()).map(|(v, f)| v - f).collect()
            };
            let left = DMatrix::from_columns(&(2..columns).map(|j| {
                DVector::from_vec(away(matrix.column(j).as_slice())) / weights[j]
            }).collect::<Vec<_>>());
            let y_left = away(&y);
            let lasso = Lasso { tolerance: 1e-12, ..Lasso::new(Penalty::RatioOfMax(ratio)) };
            let other = lasso.solve(&DenseOperator::new(left).unwrap(), &y_left).unwrap();
            prop_assert!((answer.objective - other.objective).abs() <= 2e-10 * 0.5 * dot(&y, &y));
            let Certificate::DualityGap { dual, .. } = &answer.certificate else { panic!("certificate") };
            for j in 0..2 {
                let correlation: f64 = matrix.column(j).iter().zip(dual).map(|(u, v)| u * v).sum();
                let size = norm(&y) + answer.x.iter().map(|v| 5.0 * v.abs()).sum::<f64>();
                prop_assert!(correlation.abs() <= 128.0 * rows as f64 * f64::EPSILON * size * matrix.column(j).norm());
            }
        }
    }

    #[test]
    fn enough_unpenalised_columns_explain_everything() {
        let seed = Seed::root(35);
        let a = GaussianEnsemble { rows: 6, columns: 12 }.draw(&seed).unwrap();
        let y = reference::normal_vector(6, &seed);
        let weights: Vec<f64> = (0..12).map(|j| if j < 8 { 0.0 } else { 1.0 }).collect();
        let answer = weighted(Penalty::Absolute(1.0), &weights, 1e-12).solve(&a, &y).unwrap();
        assert_eq!(answer.status, Status::Converged);
        assert!(answer.objective <= 1e-12 * 0.5 * dot(&y, &y));
        assert!(answer.x[8..].iter().all(|v| *v == 0.0));
    }

    #[test]
    fn all_weights_zero_and_no_penalty_are_least_squares() {
        let seed = Seed::root(36);
        let a = GaussianEnsemble { rows: 12, columns: 5 }.draw(&seed).unwrap();
        let y = reference::normal_vector(12, &seed);
        let best = (DVector::from_column_slice(&y) - a.matrix() * reference::least_squares(a.matrix(), &y)).norm();
        for (penalty, weights) in [
            (Penalty::Absolute(1.0), [0.0; 5]),
            (Penalty::RatioOfMax(0.3), [0.0; 5]),
            (Penalty::Absolute(0.0), [1.0; 5]),
        ] {
            let answer = weighted(penalty, &weights, 1e-12).solve(&a, &y).unwrap();
            assert_eq!(answer.status, Status::Converged);
            // Both residuals are within m ε κ ‖y‖ of the smallest; κ below 1e3 here.
            assert!((answer.residual_norm - best).abs() <= 12.0 * f64::EPSILON * 1e3 * norm(&y));
        }
    }

    #[test]
    fn negative_and_misfitting_weights_are_refused() {
        let a = DenseOperator::new(DMatrix::identity(3, 3)).unwrap();
        let solve = |weights: &[f64]| weighted(Penalty::Absolute(1.0), weights, 1e-8).solve(&a, &[1.0, 2.0, 3.0]);
        assert!(matches!(solve(&[1.0, -1.0, 1.0]), Err(Error::Argument { .. })));
        assert!(matches!(solve(&[1.0, f64::NAN, 1.0]), Err(Error::NotFinite { .. })));
        assert!(matches!(solve(&[1.0, 1.0]), Err(Error::Shape { .. })));
    }
}
