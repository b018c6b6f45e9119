//! The LASSO, `P(x) = ½‖y − A x‖₂² + λ‖x‖₁`, with `λ_max = ‖Aᵀy‖∞`.
//!
//! Its dual is `max D(θ) = ½‖y‖² − ½‖y − θ‖²` subject to `‖Aᵀθ‖∞ ≤ λ`; the residual at the optimum is the dual optimum,
//! so a scaled residual certifies how near an iterate is.

use super::common::{check_positive, check_tolerance, column_cost, in_safe_range, residual_into, scatter};
use super::omp::Omp;
use super::working_set::{WorkingSet, scaled_residual_gap};
use super::{Certificate, Recovery, Solver, check_right_hand_side};
use crate::error::{Error, Result};
use crate::linalg::{dot, norm};
use crate::operators::{MeasurementOperator, check_vector};
use crate::outcome::{Progress, Status, Watch};
use crate::support::largest_by;

/// Columns that enter the working set at once, at least; otherwise as many as there are nonzeros.
const BATCH: usize = 64;

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
/// A working set of columns grows by the largest violations of `|aⱼᵀr| ≤ λ`; on it, coordinate descent through the Gram
/// matrix alternates with Newton steps on the face of the current signs, which end in the exact minimiser of a face once
/// its signs are right. Only the full gradient, one adjoint an iteration, touches the rest of the operator.
///
/// It ends with
/// - `Converged` when the duality gap, computed from scratch at the answer, is at most `tolerance · ½‖y‖²`;
/// - `Stalled` when the working set is solved to rounding and no column violates, short of that;
/// - `IterationLimit` after [`Lasso::max_iterations`] full gradients.
///
/// At `λ = 0` the objective is least squares, solved by adding columns until none correlates with the residual; the dual
/// constraint `Aᵀθ = 0` can then hold only up to the rounding of the products, and does where the status is `Converged`.
///
/// The certificate is [`Certificate::DualityGap`] with scale `½‖y‖²`. Cost: an adjoint an iteration (about ten), every
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
            let violators = (0..shape.columns).filter(|&j| !set.contains(j) && c[j].abs() > lambda);
            let new = largest_by(support.len().max(BATCH), violators, |j| c[j].abs());
            if new.is_empty() && settled {
                break (Status::Stalled, support, values, gap, scale);
            }
            set.extend(a, y, &new, &vec![0.0; new.len()])?;
            applications += column_cost(shape, new.len());
            // Far from the end the working set is wrong anyway: solve it only as well as the gap there deserves.
            inner_target = if new.is_empty() {
                0.1 * inner_target
            } else {
                (0.3 * target).max(0.02 * gap)
            };
            settled = !set.minimise(lambda, inner_target);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::{DenseOperator, GaussianEnsemble};
    use crate::recovery::reference;
    use crate::seed::Seed;
    use nalgebra::{DMatrix, dmatrix};
    use proptest::prelude::*;

    /// The duality gap at an answer, with nothing but loops over the entries.
    fn gap_by_loops(a: &DMatrix<f64>, y: &[f64], lambda: f64, answer: &Recovery) -> f64 {
        let Certificate::DualityGap { dual, .. } = &answer.certificate else {
            panic!("certificate of the LASSO")
        };
        let (m, n) = a.shape();
        let mut primal = 0.0;
        let mut dual_value = 0.0;
        for i in 0..m {
            let mut fit = 0.0;
            for j in 0..n {
                fit += a[(i, j)] * answer.x[j];
            }
            primal += 0.5 * (y[i] - fit) * (y[i] - fit);
            dual_value += 0.5 * y[i] * y[i] - 0.5 * (y[i] - dual[i]) * (y[i] - dual[i]);
        }
        for j in 0..n {
            primal += lambda * answer.x[j].abs();
            let mut correlation = 0.0;
            for i in 0..m {
                correlation += a[(i, j)] * dual[i];
            }
            // Feasible but for the rounding of an inner product of m terms.
            let size = a.column(j).norm() * norm(dual);
            assert!(
                correlation.abs() <= lambda + 4.0 * m as f64 * f64::EPSILON * size,
                "column {j}: {correlation}"
            );
        }
        assert!((primal - answer.objective).abs() <= 1e-12 * primal.max(1e-300));
        primal - dual_value
    }

    fn lasso(penalty: Penalty, tolerance: f64) -> Lasso {
        Lasso {
            tolerance,
            ..Lasso::new(penalty)
        }
    }

    #[test]
    fn orthonormal_columns_give_the_soft_threshold() {
        let a = DenseOperator::new(DMatrix::identity(4, 4)).unwrap();
        let answer = Lasso::new(Penalty::Absolute(0.75))
            .solve(&a, &[1.0, -4.0, 0.5, 2.0])
            .unwrap();
        assert_eq!(answer.x, [0.25, -3.25, 0.0, 1.25]);
        assert_eq!(answer.status, Status::Converged);
    }

    #[test]
    fn at_and_above_lambda_max_the_answer_is_zero_and_just_below_it_is_not() {
        let seed = Seed::root(5);
        let a = GaussianEnsemble { rows: 20, columns: 40 }.draw(&seed).unwrap();
        let y = reference::normal_vector(20, &seed);
        let largest = lambda_max(&a, &y).unwrap();
        for penalty in [
            Penalty::Absolute(largest),
            Penalty::Absolute(3.0 * largest),
            Penalty::RatioOfMax(1.0),
        ] {
            let answer = lasso(penalty, 1e-14).solve(&a, &y).unwrap();
            assert_eq!((answer.support.len(), answer.status), (0, Status::Converged));
            assert_eq!(answer.relative_gap(), Some(0.0));
        }
        let answer = lasso(Penalty::RatioOfMax(0.999), 1e-14).solve(&a, &y).unwrap();
        assert_eq!(answer.support.len(), 1);
    }

    #[test]
    fn without_a_penalty_it_is_least_squares_tall_and_wide() {
        let seed = Seed::root(6);
        for (rows, columns) in [(30, 8), (8, 30)] {
            let a = GaussianEnsemble { rows, columns }.draw(&seed).unwrap();
            let y = reference::normal_vector(rows, &seed);
            let answer = lasso(Penalty::Absolute(0.0), 1e-12).solve(&a, &y).unwrap();
            let fit = reference::least_squares(a.matrix(), &y);
            let best = (nalgebra::DVector::from_column_slice(&y) - a.matrix() * fit).norm();
            assert_eq!(answer.status, Status::Converged);
            // Both residuals are within m ε κ ‖y‖ of the smallest; κ below 1e3 here.
            assert!((answer.residual_norm - best).abs() <= 30.0 * f64::EPSILON * 1e3 * norm(&y));
            assert!(answer.relative_gap().unwrap() <= 1e-12);
        }
    }

    #[test]
    fn zero_columns_stay_out_and_repeated_columns_share_one_optimum() {
        let seed = Seed::root(7);
        let single = GaussianEnsemble { rows: 15, columns: 10 }.draw(&seed).unwrap();
        let y = reference::normal_vector(15, &seed);
        let mut doubled = DMatrix::zeros(15, 21);
        for j in 0..10 {
            doubled.set_column(2 * j, &single.matrix().column(j));
            doubled.set_column(2 * j + 1, &single.matrix().column(j));
        }
        let doubled = DenseOperator::new(doubled).unwrap();
        let solver = lasso(Penalty::RatioOfMax(0.05), 1e-12);
        let (one, two) = (solver.solve(&single, &y).unwrap(), solver.solve(&doubled, &y).unwrap());
        assert_eq!(two.status, Status::Converged);
        assert_eq!(two.x[20], 0.0);
        // Both objectives lie within their gaps above the common optimum.
        assert!((one.objective - two.objective).abs() <= 2e-12 * 0.5 * dot(&y, &y));
        for j in 0..10 {
            assert!(two.x[2 * j] * two.x[2 * j + 1] >= 0.0);
        }
    }

    #[test]
    fn a_warm_start_ends_at_the_same_certified_point_in_fewer_gradients() {
        let seed = Seed::root(9);
        let a = GaussianEnsemble { rows: 60, columns: 300 }.draw(&seed).unwrap();
        let y = reference::normal_vector(60, &seed);
        let cold = lasso(Penalty::RatioOfMax(0.1), 1e-12);
        let first = cold.solve(&a, &y).unwrap();
        let warm = Lasso {
            start: Some(first.x.clone()),
            ..cold.clone()
        };
        let again = warm.solve(&a, &y).unwrap();
        assert!(again.iterations < first.iterations);
        assert!((again.objective - first.objective).abs() <= 2e-12 * 0.5 * dot(&y, &y));
        // A far start changes nothing either.
        let far = Lasso {
            start: Some(reference::normal_vector(300, &seed)),
            ..cold
        };
        let answer = far.solve(&a, &y).unwrap();
        assert_eq!(answer.status, Status::Converged);
        assert!((answer.objective - first.objective).abs() <= 2e-12 * 0.5 * dot(&y, &y));
    }

    #[test]
    fn it_agrees_with_plain_proximal_gradient_steps() {
        let seed = Seed::root(10);
        let a = GaussianEnsemble { rows: 20, columns: 12 }.draw(&seed).unwrap();
        let y = reference::normal_vector(20, &seed);
        let lambda = 0.2 * lambda_max(&a, &y).unwrap();
        let answer = lasso(Penalty::Absolute(lambda), 1e-15).solve(&a, &y).unwrap();
        // The reference contracts by 1 − 1/κ(AᵀA) a step; κ is below 100 here, so 10⁴ steps leave rounding only.
        let slow = reference::ista(a.matrix(), &y, lambda, 10_000);
        // A gap of 1e-15·½‖y‖² bounds ½λ_min‖x − x*‖², with λ_min(AᵀA) above 1/100.
        let tolerance = (1e-15 * dot(&y, &y) * 100.0).sqrt() * 2.0;
        assert!(answer.x.iter().zip(&slow).all(|(u, v)| (u - v).abs() <= tolerance));
    }

    #[test]
    fn coherent_columns_and_small_penalties_converge_to_their_tolerance() {
        let seed = Seed::root(11);
        let noise = GaussianEnsemble { rows: 50, columns: 120 }.draw(&seed).unwrap();
        // Neighbours correlate by 0.95.
        let mut a = noise.matrix().clone();
        for j in 1..120 {
            let column = a.column(j - 1) * 0.95 + noise.matrix().column(j) * (1.0f64 - 0.95 * 0.95).sqrt();
            a.set_column(j, &column);
        }
        let a = DenseOperator::new(a).unwrap();
        let y = reference::normal_vector(50, &seed);
        for ratio in [0.3, 0.03, 1e-3, 1e-5] {
            let answer = lasso(Penalty::RatioOfMax(ratio), 1e-10).solve(&a, &y).unwrap();
            assert_eq!(answer.status, Status::Converged, "{ratio}");
            let lambda = ratio * lambda_max(&a, &y).unwrap();
            assert!(gap_by_loops(a.matrix(), &y, lambda, &answer) <= 1.01e-10 * 0.5 * dot(&y, &y));
        }
    }

    #[test]
    fn penalties_that_are_not_numbers_and_misfitting_starts_are_refused() {
        let a = DenseOperator::new(dmatrix![1.0, 2.0]).unwrap();
        for penalty in [
            Penalty::Absolute(-1.0),
            Penalty::RatioOfMax(f64::NAN),
            Penalty::Absolute(f64::INFINITY),
        ] {
            assert!(matches!(
                Lasso::new(penalty).solve(&a, &[1.0]),
                Err(Error::Argument { .. })
            ));
        }
        let bad = Lasso {
            start: Some(vec![1.0]),
            ..Lasso::new(Penalty::Absolute(1.0))
        };
        assert!(matches!(bad.solve(&a, &[1.0]), Err(Error::Shape { .. })));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn the_reported_gap_is_the_gap_and_meets_the_tolerance(
            number in 0u64..1_000_000,
            rows in 1usize..12,
            columns in 1usize..30,
            ratio in 0.001f64..1.2,
        ) {
            let seed = Seed::root(number);
            let a = GaussianEnsemble { rows, columns }.draw(&seed).unwrap();
            let y = reference::normal_vector(rows, &seed);
            let lambda = ratio * lambda_max(&a, &y).unwrap();
            let answer = lasso(Penalty::Absolute(lambda), 1e-10).solve(&a, &y).unwrap();
            let half_square = 0.5 * dot(&y, &y);
            let Certificate::DualityGap { gap, scale, .. } = answer.certificate else { panic!("certificate") };
            prop_assert_eq!(answer.status, Status::Converged);
            prop_assert!((scale / half_square - 1.0).abs() <= 1e-14);
            let by_loops = gap_by_loops(a.matrix(), &y, lambda, &answer);
            // By loops the gap is a difference of numbers of size ½‖y‖², each rounded about m + n times.
            prop_assert!((by_loops - gap).abs() <= 4.0 * (rows + columns) as f64 * f64::EPSILON * half_square);
            prop_assert!(gap <= 1e-10 * half_square);
        }
    }
}
