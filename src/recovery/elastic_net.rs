//! The elastic net, `½‖y − A x‖₂² + λ‖x‖₁ + (μ/2)‖x‖₂²`.

use super::common::{check_not_negative, check_penalty, in_safe_range};
use super::descent::Stopping;
use super::entry::{GAP_TOLERANCE, GRADIENTS, LAMBDA, LAMBDA_RATIO, NOT_NEGATIVE, SolverEntry, option};
use super::penalised::Penalised;
use super::{Lasso, Penalty, Recovery, Solver, check_right_hand_side, lambda_max};
use crate::error::{Error, Result};
use crate::operators::MeasurementOperator;
use crate::outcome::Watch;

/// The elastic net, `min ½‖y − A x‖₂² + λ‖x‖₁ + (μ/2)‖x‖₂²`, with `λ_max = ‖Aᵀy‖∞`.
///
/// It is the LASSO on the stacked operator `[A; √μ I]` ([`crate::operators::Damped`]), solved without forming the stack,
/// and certified by the dual of the problem itself, whose every point is feasible:
/// `D(θ) = ½‖y‖² − ½‖y − θ‖² − Σ (|aⱼᵀθ| − λ)₊²/2μ`. Working set, statuses and scale are those of [`Lasso`]; for `μ = 0`
/// it is that solver.
///
/// At `λ = 0` the objective is ridge regression, whose answer has no zeros: cost `n³/3` operations then.
///
/// Source: Zou and Hastie (2005).
///
/// ```
/// use nalgebra::DMatrix;
/// use ticketsense::operators::DenseOperator;
/// use ticketsense::recovery::{ElasticNet, Penalty, Solver};
/// // On orthonormal columns: the soft threshold of y, divided by 1 + μ.
/// let a = DenseOperator::new(DMatrix::identity(3, 3))?;
/// let answer = ElasticNet::new(Penalty::Absolute(1.0), 3.0).solve(&a, &[5.0, -3.0, 0.5])?;
/// assert_eq!(answer.x, [1.0, -0.5, 0.0]);
/// assert_eq!(answer.relative_gap(), Some(0.0));
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ElasticNet {
    /// The ℓ₁ penalty.
    pub penalty: Penalty,
    /// The ridge μ, in squared column lengths; finite and not negative.
    pub ridge: f64,
    /// Stop at a duality gap of `tolerance · ½‖y‖²`, in `[0, 1)`.
    pub tolerance: f64,
    /// The most full gradients.
    pub max_iterations: usize,
}

impl ElasticNet {
    /// The default numbers for a penalty and a ridge: tolerance 1e-8, at most 1000 full gradients.
    pub fn new(penalty: Penalty, ridge: f64) -> Self {
        ElasticNet {
            penalty,
            ridge,
            tolerance: 1e-8,
            max_iterations: 1000,
        }
    }

    fn run(&self, a: &dyn MeasurementOperator, y: &[f64], factor: f64, watch: &mut Watch<'_>) -> Result<Recovery> {
        let (lambda, adjoints) = match self.penalty {
            Penalty::Absolute(lambda) => (lambda * factor, 0.0),
            Penalty::RatioOfMax(ratio) => (ratio * lambda_max(a, y)?, 1.0),
        };
        let problem = Penalised {
            penalties: vec![lambda; a.shape().columns],
            ridge: self.ridge,
            nonnegative: false,
        };
        let stopping = Stopping {
            tolerance: self.tolerance,
            max_iterations: self.max_iterations,
        };
        let mut answer = problem.solve(a, y, stopping, watch)?;
        answer.applications += adjoints;
        Ok(answer)
    }
}

impl Solver for ElasticNet {
    fn name(&self) -> &'static str {
        "elastic-net"
    }

    fn solve_watched(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        check_not_negative("ridge", self.ridge)?;
        if self.ridge == 0.0 {
            let lasso = Lasso {
                tolerance: self.tolerance,
                max_iterations: self.max_iterations,
                ..Lasso::new(self.penalty)
            };
            return lasso.solve_watched(a, y, watch);
        }
        check_right_hand_side(a, y)?;
        check_penalty(self.penalty)?;
        Stopping {
            tolerance: self.tolerance,
            max_iterations: self.max_iterations,
        }
        .check()?;
        in_safe_range(y, 2, watch, |y, factor, watch| self.run(a, y, factor, watch))
    }
}

/// Its line in the list of solvers.
pub(super) const ENTRY: SolverEntry = SolverEntry {
    name: "elastic-net",
    help: "½‖y − A x‖² + λ‖x‖₁ + (μ/2)‖x‖² to a certified duality gap.",
    options: &[
        LAMBDA,
        LAMBDA_RATIO,
        option(
            "ridge",
            NOT_NEGATIVE,
            "squared column lengths",
            "none: it must be given",
            "The quadratic penalty μ.",
        ),
        GAP_TOLERANCE,
        GRADIENTS,
    ],
    for_planted: |_| {
        vec![
            ("lambda-ratio", "1e-6".to_string()),
            ("ridge", "1e-6".to_string()),
            ("tolerance", "1e-14".to_string()),
        ]
    },
    builder: |o| {
        let ridge = o
            .real("ridge")
            .ok_or_else(|| Error::argument("ridge", "a value: this solver needs one", "none"))?;
        let default = ElasticNet::new(o.penalty()?, ridge);
        Ok(Box::new(ElasticNet {
            tolerance: o.real("tolerance").unwrap_or(default.tolerance),
            max_iterations: o.integer("max-iterations").unwrap_or(default.max_iterations),
            ..default
        }))
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::dot;
    use crate::operators::{Damped, DenseOperator, GaussianEnsemble};
    use crate::outcome::Status;
    use crate::recovery::{Certificate, reference};
    use crate::seed::Seed;
    use nalgebra::{DMatrix, dmatrix};
    use proptest::prelude::*;

    fn net(lambda: f64, ridge: f64, tolerance: f64) -> ElasticNet {
        ElasticNet {
            tolerance,
            ..ElasticNet::new(Penalty::Absolute(lambda), ridge)
        }
    }

    /// Primal minus dual value at an answer, with nothing but loops over the entries.
    fn gap_by_loops(a: &DMatrix<f64>, y: &[f64], lambda: f64, ridge: f64, answer: &Recovery) -> f64 {
        let Certificate::DualityGap { dual, .. } = &answer.certificate else {
            panic!("certificate of the elastic net")
        };
        let (mut primal, mut dual_value) = (0.0, 0.0);
        for i in 0..a.nrows() {
            let fit: f64 = (0..a.ncols()).map(|j| a[(i, j)] * answer.x[j]).sum();
            primal += 0.5 * (y[i] - fit).powi(2);
            dual_value += 0.5 * y[i] * y[i] - 0.5 * (y[i] - dual[i]).powi(2);
        }
        for j in 0..a.ncols() {
            primal += lambda * answer.x[j].abs() + 0.5 * ridge * answer.x[j].powi(2);
            let correlation: f64 = (0..a.nrows()).map(|i| a[(i, j)] * dual[i]).sum();
            dual_value -= (correlation.abs() - lambda).max(0.0).powi(2) / (2.0 * ridge);
        }
        assert!((primal - answer.objective).abs() <= 1e-12 * primal);
        primal - dual_value
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn it_is_the_lasso_on_the_stacked_operator_and_its_gap_is_the_gap(
            number in 0u64..1_000_000,
            rows in 1usize..12,
            columns in 1usize..30,
            ratio in 0.001f64..1.2,
            ridge in prop::sample::select(vec![1e-6, 1e-3, 0.1, 10.0]),
        ) {
            let seed = Seed::root(number);
            let a = GaussianEnsemble { rows, columns }.draw(&seed).unwrap();
            let y = reference::normal_vector(rows, &seed);
            let lambda = ratio * lambda_max(&a, &y).unwrap();
            let answer = net(lambda, ridge, 1e-10).solve(&a, &y).unwrap();
            prop_assert_eq!(answer.status, Status::Converged);
            let half_square = 0.5 * dot(&y, &y);
            let Certificate::DualityGap { gap, .. } = answer.certificate else { panic!("certificate") };
            prop_assert!(gap <= 1e-10 * half_square);
            // By loops the gap is a difference of numbers of size ½‖y‖², each rounded about m + n times; the squares over
            // 2μ amplify the rounding of a correlation of size ‖y‖ near the threshold.
            let rounding = 8.0 * (rows + columns) as f64 * f64::EPSILON;
            let by_loops = gap_by_loops(a.matrix(), &y, lambda, ridge, &answer);
            let amplified = (columns as f64) * (rounding * rounding / ridge + rounding);
            prop_assert!((by_loops - gap).abs() <= amplified * 2.0 * half_square, "{by_loops} {gap}");

            let stack = Damped::new(&a, ridge).unwrap();
            let data = stack.data(&y, &vec![0.0; columns]).unwrap();
            let lasso = Lasso { tolerance: 1e-10, ..Lasso::new(Penalty::Absolute(lambda)) };
            let other = lasso.solve(&stack, &data).unwrap();
            // Both objectives lie within their gaps above the common optimum.
            prop_assert!((answer.objective - other.objective).abs() <= 2e-10 * half_square);
            // Strong convexity with modulus μ: ½μ‖x − x*‖² is at most the gap.
            let reach = 2.0 * (2.0 * 1e-10 * half_square / ridge).sqrt();
            prop_assert!(answer.x.iter().zip(&other.x).all(|(u, v)| (u - v).abs() <= reach));
        }
    }

    #[test]
    fn without_an_l1_penalty_it_is_ridge_regression() {
        let seed = Seed::root(31);
        for (rows, columns) in [(20, 6), (6, 20)] {
            let a = GaussianEnsemble { rows, columns }.draw(&seed).unwrap();
            let y = reference::normal_vector(rows, &seed);
            let ridge = 0.3;
            let answer = net(0.0, ridge, 1e-14).solve(&a, &y).unwrap();
            let stack = Damped::new(&a, ridge).unwrap();
            let data = stack.data(&y, &vec![0.0; columns]).unwrap();
            let fit = reference::least_squares(&stack.to_dense(), &data);
            assert_eq!(answer.status, Status::Converged);
            // ½μ‖x − x*‖² ≤ 1e-14·½‖y‖².
            let reach = (1e-14 * dot(&y, &y) / ridge).sqrt();
            assert!(answer.x.iter().zip(fit.iter()).all(|(u, v)| (u - v).abs() <= reach));
        }
    }

    #[test]
    fn repeated_columns_share_their_coefficient_evenly() {
        let a = DenseOperator::new(dmatrix![1.0, 1.0, 0.0; 1.0, 1.0, 0.0]).unwrap();
        let answer = net(1.0, 2.0, 1e-15).solve(&a, &[3.0, 3.0]).unwrap();
        // Stationarity with x₁ = x₂: 6 − 4x = 1 + 2x, and the zero column stays out.
        assert!((answer.x[0] - 5.0 / 6.0).abs() <= 1e-14 && (answer.x[1] - 5.0 / 6.0).abs() <= 1e-14);
        assert_eq!(answer.x[2], 0.0);
    }

    #[test]
    fn from_lambda_max_on_the_answer_is_zero_and_bad_numbers_are_refused() {
        let seed = Seed::root(32);
        let a = GaussianEnsemble { rows: 10, columns: 20 }.draw(&seed).unwrap();
        let y = reference::normal_vector(10, &seed);
        let answer = ElasticNet::new(Penalty::RatioOfMax(1.0), 0.5).solve(&a, &y).unwrap();
        assert_eq!((answer.support.len(), answer.relative_gap()), (0, Some(0.0)));
        let below = ElasticNet::new(Penalty::RatioOfMax(0.999), 0.5).solve(&a, &y).unwrap();
        assert_eq!(below.support.len(), 1);
        for ridge in [-1.0, f64::NAN, f64::INFINITY] {
            let refused = ElasticNet::new(Penalty::RatioOfMax(0.5), ridge).solve(&a, &y);
            assert!(matches!(refused, Err(Error::Argument { .. })));
        }
    }
}
