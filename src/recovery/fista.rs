//! The LASSO by accelerated proximal gradient steps: only products with the operator and its adjoint.

use super::common::{at, check_penalty, check_positive, check_tolerance, in_safe_range};
use super::descent::{Certified, Descent};
use super::entry::{COUNT, GAP_TOLERANCE, LAMBDA, LAMBDA_RATIO, SolverEntry, option};
use super::{Penalty, Recovery, Solver, check_right_hand_side};
use crate::error::Result;
use crate::linalg::{dot, norm};
use crate::operators::MeasurementOperator;
use crate::outcome::{Progress, Status, Watch};

/// Power iterations for the first guess of `‖A‖²`.
const POWER_STEPS: usize = 10;
/// Steps between two looks at the gap from scratch, once the running gap says that the end is near.
const FRESH: usize = 10;

/// The LASSO, `min ½‖y − A x‖₂² + λ‖x‖₁`, by FISTA: for operators whose products are cheap and whose columns are not.
///
/// `x⁺ = S_{λ/L}(z + Aᵀ(y − A z)/L)`, with the momentum point `z` restarted whenever the step and the momentum disagree.
/// `L` starts at ten power iterations' estimate of `‖A‖²`, which never exceeds it, and grows where a step proves it too
/// small: every accepted step has `‖A(x⁺ − z)‖² ≤ L‖x⁺ − z‖²`, which is all that convergence needs.
///
/// It ends with
/// - `Converged` when the duality gap, computed from scratch at the answer, is at most `tolerance · ½‖y‖²`;
/// - `Stalled` when a step no longer moves the iterate, short of that;
/// - `IterationLimit` after [`Fista::max_iterations`] steps.
///
/// The certificate is that of [`super::Lasso`], which is faster wherever columns can be had; at `λ = 0` the dual
/// constraint holds only for a zero residual or dual vector, and the gap is as large. Cost an iteration: one application
/// each of `A` and `Aᵀ`. Source: Beck and Teboulle (2009); O'Donoghue and Candès (2015) for the restart.
///
/// ```
/// use ticketsense::operators::{MatrixFree, Shape};
/// use ticketsense::recovery::{Fista, Penalty, Solver};
/// // Running sums, without a matrix: a piecewise constant y has sparse x.
/// let sums = MatrixFree::new(
///     Shape { rows: 4, columns: 4 },
///     |x, y| { y[0] = x[0]; (1..4).for_each(|i| y[i] = y[i - 1] + x[i]) },
///     |y, x| { x[3] = y[3]; (0..3).rev().for_each(|i| x[i] = x[i + 1] + y[i]) },
/// )?;
/// let answer = Fista::new(Penalty::Absolute(0.3)).solve(&sums, &[0.0, 0.0, 2.0, 2.0])?;
/// assert_eq!(answer.status.as_str(), "converged");
/// assert!((answer.x[2] - 1.85).abs() < 1e-3);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Fista {
    /// The penalty.
    pub penalty: Penalty,
    /// Stop at a duality gap of `tolerance · ½‖y‖²`, in `[0, 1)`.
    pub tolerance: f64,
    /// The most steps.
    pub max_iterations: usize,
}

/// `P(x) − D(θ)` for the dual point `θ = s t` with the best feasible multiple of a residual `t`, and `s`.
///
/// `P(x) − D(θ) = ½‖r − θ‖² + Σ (λ|xⱼ| − xⱼ aⱼᵀθ)` with the residual `r` of x: terms that are each not negative.
fn gap(lambda: f64, y: &[f64], x: &[f64], r: &[f64], t: &[f64], correlations: &[f64]) -> (f64, f64) {
    let largest = correlations.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    let bound = if largest > 0.0 { lambda / largest } else { f64::INFINITY };
    let square = dot(t, t);
    let best = if square > 0.0 { dot(y, t) / square } else { 1.0 };
    let s = best.min(bound).max(0.0);
    let away: f64 = r.iter().zip(t).map(|(r, t)| (r - s * t).powi(2)).sum();
    let slack = |(x, c): (&f64, &f64)| if *x == 0.0 { 0.0 } else { lambda * x.abs() - s * x * c };
    (0.5 * away + x.iter().zip(correlations).map(slack).sum::<f64>(), s)
}

impl Fista {
    /// The default numbers for a penalty: tolerance 1e-8, at most 100,000 steps.
    pub fn new(penalty: Penalty) -> Self {
        Fista {
            penalty,
            tolerance: 1e-8,
            max_iterations: 100_000,
        }
    }

    fn run(&self, a: &dyn MeasurementOperator, y: &[f64], factor: f64, watch: &mut Watch<'_>) -> Result<Recovery> {
        let shape = a.shape();
        let half_square = 0.5 * dot(y, y);
        let target = self.tolerance * half_square;
        let mut applications = 1.0;
        let mut c = a.adjoint(y)?;
        let lambda = match self.penalty {
            Penalty::Absolute(lambda) => lambda * factor,
            Penalty::RatioOfMax(ratio) => ratio * c.iter().fold(0.0f64, |m, v| m.max(v.abs())),
        };
        let (mut x, mut z) = (vec![0.0; shape.columns], vec![0.0; shape.columns]);
        let (mut image, mut z_image) = (vec![0.0; shape.rows], vec![0.0; shape.rows]);
        let (mut r, mut z_residual) = (y.to_vec(), y.to_vec());
        let mut curvature = self.power_estimate(a, &c);
        applications += 2.0 * POWER_STEPS as f64;
        let (mut momentum, mut iterations, mut since) = (1.0f64, 0, FRESH);
        let (mut stopped, mut still) = (false, false);
        let (status, (gap, scale)) = loop {
            // At the iterate itself only when that is the momentum point, or the running gap allows the end.
            let running = gap(lambda, y, &x, &r, &z_residual, &c);
            let ended = stopped || still || iterations == self.max_iterations;
            if ended || (running.0 <= 4.0 * target && since >= FRESH) {
                since = 0;
                let mut fresh = vec![0.0; shape.columns];
                a.apply_into(&x, &mut image);
                applications += 2.0;
                r.iter_mut().zip(y).zip(&image).for_each(|((r, y), f)| *r = y - f);
                a.adjoint_into(&r, &mut fresh);
                let found = gap(lambda, y, &x, &r, &r, &fresh);
                if found.0 <= target {
                    break (Status::Converged, found);
                }
                if stopped {
                    break (Status::Stopped, found);
                }
                if still {
                    break (Status::Stalled, found);
                }
                if ended {
                    break (Status::IterationLimit, found);
                }
            }
            since += 1;
            // c is the gradient at z; a step that L does not bound is taken again with a larger one.
            let (next, next_image) = loop {
                let threshold = |(z, c): (&f64, &f64)| {
                    let free = z + c / curvature;
                    let size = free.abs() - lambda / curvature;
                    if size > 0.0 { size.copysign(free) } else { 0.0 }
                };
                let next: Vec<f64> = z.iter().zip(&c).map(threshold).collect();
                let mut next_image = vec![0.0; shape.rows];
                a.apply_into(&next, &mut next_image);
                applications += 1.0;
                let moved: f64 = next.iter().zip(&z).map(|(n, z)| (n - z).powi(2)).sum();
                let seen: f64 = next_image.iter().zip(&z_image).map(|(n, z)| (n - z).powi(2)).sum();
                // The images are rounded sums, whose difference cancels when the step is short.
                let rounding = 16.0 * f64::EPSILON * (norm(&next_image) + norm(&z_image));
                if seen.sqrt() <= (curvature * moved).sqrt() * (1.0 + 1e-10) + rounding {
                    break (next, next_image);
                }
                curvature = (1.2 * curvature).max(seen / moved);
            };
            still = next == x && next == z;
            let agrees: f64 = z.iter().zip(&next).zip(&x).map(|((z, n), x)| (z - n) * (n - x)).sum();
            if agrees > 0.0 {
                momentum = 1.0;
            }
            let grown = 0.5 * (1.0 + (1.0 + 4.0 * momentum * momentum).sqrt());
            let push = (momentum - 1.0) / grown;
            momentum = grown;
            let beyond = |to: &[f64], from: &[f64]| -> Vec<f64> {
                to.iter().zip(from).map(|(t, f)| t + push * (t - f)).collect()
            };
            z = beyond(&next, &x);
            z_image = beyond(&next_image, &image);
            (x, image) = (next, next_image);
            r.iter_mut().zip(y).zip(&image).for_each(|((r, y), f)| *r = y - f);
            z_residual
                .iter_mut()
                .zip(y)
                .zip(&z_image)
                .for_each(|((r, y), f)| *r = y - f);
            a.adjoint_into(&z_residual, &mut c);
            applications += 1.0;
            iterations += 1;
            stopped = !watch.tell(&Progress {
                iteration: iterations,
                objective: 0.5 * dot(&r, &r) + lambda * x.iter().map(|v| v.abs()).sum::<f64>(),
                nonzeros: x.iter().filter(|v| **v != 0.0).count(),
            });
        };
        let support: Vec<usize> = (0..x.len()).filter(|&j| x[j] != 0.0).collect();
        let values = at(&x, &support);
        let certified = Certified {
            objective: 0.5 * dot(&r, &r) + lambda * values.iter().map(|v| v.abs()).sum::<f64>(),
            support,
            values,
            scale: half_square,
            dual: r.iter().map(|v| scale * v).collect(),
        };
        let descent = Descent {
            status,
            iterations,
            gap,
        };
        Ok(certified.into_recovery(shape.columns, &r, descent, applications))
    }

    /// A lower bound of `‖A‖²` by power iterations from `Aᵀy`; 1 where that is 0, so that y is orthogonal to every column.
    fn power_estimate(&self, a: &dyn MeasurementOperator, start: &[f64]) -> f64 {
        let mut v = start.to_vec();
        let mut image = vec![0.0; a.shape().rows];
        let mut found = 0.0f64;
        for _ in 0..POWER_STEPS {
            let length = norm(&v);
            if length == 0.0 {
                break;
            }
            v.iter_mut().for_each(|v| *v /= length);
            a.apply_into(&v, &mut image);
            found = found.max(dot(&image, &image));
            a.adjoint_into(&image, &mut v);
        }
        if found > 0.0 { found } else { 1.0 }
    }
}

impl Solver for Fista {
    fn name(&self) -> &'static str {
        "fista"
    }

    fn solve_watched(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        check_right_hand_side(a, y)?;
        check_penalty(self.penalty)?;
        check_tolerance(self.tolerance)?;
        check_positive("max-iterations", self.max_iterations)?;
        in_safe_range(y, 2, watch, |y, factor, watch| self.run(a, y, factor, watch))
    }
}

/// Its line in the list of solvers.
pub(super) const ENTRY: SolverEntry = SolverEntry {
    name: "fista",
    help: "½‖y − A x‖² + λ‖x‖₁ by accelerated proximal gradient steps, with products only.",
    options: &[
        LAMBDA,
        LAMBDA_RATIO,
        GAP_TOLERANCE,
        option("max-iterations", COUNT, "steps", "100000", "The most steps."),
    ],
    for_planted: |_| {
        vec![
            ("lambda-ratio", "3e-5".to_string()),
            ("tolerance", "1e-12".to_string()),
            ("max-iterations", "20000".to_string()),
        ]
    },
    builder: |o| {
        let default = Fista::new(o.penalty()?);
        Ok(Box::new(Fista {
            tolerance: o.real("tolerance").unwrap_or(default.tolerance),
            max_iterations: o.integer("max-iterations").unwrap_or(default.max_iterations),
            ..default
        }))
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::{DenseOperator, GaussianEnsemble, MatrixFree};
    use crate::recovery::Certificate;
    use crate::recovery::{Lasso, lambda_max, reference};
    use crate::seed::Seed;
    use nalgebra::DMatrix;
    use proptest::prelude::*;

    fn fista(penalty: Penalty, tolerance: f64) -> Fista {
        Fista {
            tolerance,
            ..Fista::new(penalty)
        }
    }

    #[test]
    fn orthonormal_columns_give_the_soft_threshold_in_a_step() {
        let a = DenseOperator::new(DMatrix::identity(4, 4)).unwrap();
        let answer = fista(Penalty::Absolute(0.75), 1e-15)
            .solve(&a, &[1.0, -4.0, 0.5, 2.0])
            .unwrap();
        assert_eq!(answer.status, Status::Converged);
        // The power iterations find ‖A‖² = 1 up to rounding, and so does the threshold.
        let close = answer
            .x
            .iter()
            .zip([0.25, -3.25, 0.0, 1.25])
            .all(|(x, e)| (x - e).abs() <= 16.0 * f64::EPSILON);
        assert!(close && answer.iterations <= 2, "{answer:?}");
    }

    #[test]
    fn a_start_orthogonal_to_the_longest_direction_does_not_fool_the_step() {
        // Aᵀy lies along the short column, so that power iterations see ‖A‖² = 1 and never 10⁴.
        let a = DenseOperator::new(nalgebra::dmatrix![1.0, 0.0; 0.0, 100.0]).unwrap();
        let answer = fista(Penalty::Absolute(0.5), 1e-14).solve(&a, &[3.0, 0.0]).unwrap();
        assert_eq!(answer.status, Status::Converged);
        assert!((answer.x[0] - 2.5).abs() <= 1e-6 && answer.x[1] == 0.0);
    }

    #[test]
    fn a_step_that_proves_the_first_guess_too_long_is_taken_again() {
        // Singular values 3 and 1, and Aᵀy along the direction of the smaller one: the power iterations see 1 and a
        // trace of rounding, but the threshold turns the first step towards the larger one.
        let matrix = nalgebra::dmatrix![1.8, 2.4; 0.8, -0.6];
        let a = DenseOperator::new(matrix).unwrap();
        let y = [0.0, 3.0];
        let correlations = a.adjoint(&y).unwrap();
        let solver = fista(Penalty::Absolute(0.5), 1e-13);
        let guess = solver.power_estimate(&a, &correlations);
        assert!((1.0..1.001).contains(&guess), "{guess}");
        let answer = solver.solve(&a, &y).unwrap();
        assert_eq!(answer.status, Status::Converged);
        let lasso = Lasso::new(Penalty::Absolute(0.5)).solve(&a, &y).unwrap();
        assert!((answer.objective - lasso.objective).abs() <= 1.1e-8 * 4.5);
    }

    #[test]
    fn a_limit_of_steps_and_an_impossible_tolerance_end_honestly() {
        let seed = Seed::root(61);
        let a = GaussianEnsemble { rows: 20, columns: 50 }.draw(&seed).unwrap();
        let y = reference::normal_vector(20, &seed);
        let short = Fista {
            max_iterations: 3,
            ..fista(Penalty::RatioOfMax(0.1), 1e-12)
        };
        let answer = short.solve(&a, &y).unwrap();
        assert_eq!((answer.status, answer.iterations), (Status::IterationLimit, 3));
        assert!(answer.relative_gap().unwrap() > 1e-12);
        let exact = Fista {
            max_iterations: 20_000,
            ..fista(Penalty::RatioOfMax(0.1), 0.0)
        };
        let answer = exact.solve(&a, &y).unwrap();
        let honest = matches!(answer.status, Status::Stalled | Status::IterationLimit);
        assert!(honest || answer.relative_gap() == Some(0.0), "{}", answer.status);
        assert!(answer.relative_gap().unwrap() <= 1e-12);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn it_ends_at_the_optimum_of_the_lasso_and_its_gap_is_the_gap(
            number in 0u64..1_000_000,
            rows in 1usize..12,
            columns in 1usize..30,
            ratio in 0.01f64..1.2,
        ) {
            let seed = Seed::root(number);
            let a = GaussianEnsemble { rows, columns }.draw(&seed).unwrap();
            let y = reference::normal_vector(rows, &seed);
            let lambda = ratio * lambda_max(&a, &y).unwrap();
            let answer = fista(Penalty::Absolute(lambda), 1e-9).solve(&MatrixFree::wrapping(&a), &y).unwrap();
            let half_square = 0.5 * dot(&y, &y);
            prop_assert_eq!(answer.status, Status::Converged);
            let Certificate::DualityGap { gap, dual, .. } = &answer.certificate else { panic!("certificate") };
            prop_assert!(*gap <= 1e-9 * half_square);
            for column in a.matrix().column_iter() {
                let correlation: f64 = column.iter().zip(dual).map(|(u, v)| u * v).sum();
                prop_assert!(correlation.abs() <= lambda + 4.0 * rows as f64 * f64::EPSILON * column.norm() * norm(dual));
            }
            let away: f64 = y.iter().zip(dual).map(|(y, t)| (y - t).powi(2)).sum();
            let by_loops = answer.objective - half_square + 0.5 * away;
            prop_assert!((by_loops - gap).abs() <= 8.0 * (rows + columns) as f64 * f64::EPSILON * half_square);
            let lasso = Lasso { tolerance: 1e-10, ..Lasso::new(Penalty::Absolute(lambda)) };
            prop_assert!((answer.objective - lasso.solve(&a, &y).unwrap().objective).abs() <= 1.1e-9 * half_square);
        }
    }
}
