//! Basis pursuit, `min ‖x‖₁` subject to `A x = y`.
//!
//! Its dual is `max yᵀν` subject to `‖Aᵀν‖∞ ≤ 1`.

use super::common::{check_positive, check_tolerance, in_safe_range, residual_into, scatter};
use super::entry::{COUNT, SolverEntry, TOLERANCE, option};
use super::homotopy::{Event, Homotopy};
use super::{Certificate, Recovery, Solver, check_right_hand_side};
use crate::error::Result;
use crate::linalg::{dot, norm};
use crate::operators::MeasurementOperator;
use crate::outcome::{Progress, Status, Watch};

/// Breakpoints in a row at which λ does not fall, before the path counts as stuck at a tie.
const TIES: usize = 200;

/// Basis pursuit, the end of the LASSO's path as λ falls to 0.
///
/// The path is followed breakpoint by breakpoint with an up- and down-dated Cholesky factor; at its end the nonzeros are
/// the least squares fit on the active columns and `ν = A_S(A_SᵀA_S)⁻¹ sign(x_S)` is the dual vector. The certificate is
/// computed from scratch there: `ν` is shrunk to `‖Aᵀν‖∞ ≤ 1`, and the gap is `‖x‖₁ − yᵀν`.
///
/// It ends with
/// - `Converged` when `‖y − A x‖₂ ≤ tolerance · ‖y‖₂` and the gap is at most `tolerance · ‖x‖₁`;
/// - `Unattainable` when the path has ended and the residual is larger: `y` is not in the range of `A`;
/// - `Stalled` when ties or dependent columns (columns of ±1, repeated columns) have led the path off the optimum: the
///   gap then says by how much at most;
/// - `IterationLimit` after [`BasisPursuit::max_iterations`] breakpoints.
///
/// The objective is `‖x‖₁`. Cost a breakpoint with k active columns: one adjoint, `2mk + 4k²` operations; sparse
/// answers that are recovered take little more than one breakpoint a nonzero, others a small multiple of m. Source: Donoho and Tsaig (2008).
///
/// ```
/// use nalgebra::dmatrix;
/// use ticketsense::operators::DenseOperator;
/// use ticketsense::recovery::{BasisPursuit, Solver};
/// // x₁ + 2x₂ = 4 is cheapest through x₂.
/// let a = DenseOperator::new(dmatrix![1.0, 2.0])?;
/// let answer = BasisPursuit::default().solve(&a, &[4.0])?;
/// assert_eq!(answer.x, [0.0, 2.0]);
/// assert_eq!(answer.status.as_str(), "converged");
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct BasisPursuit {
    /// Relative residual and relative gap that count as solved, in `[0, 1)`.
    pub tolerance: f64,
    /// The most breakpoints.
    pub max_iterations: usize,
}

impl Default for BasisPursuit {
    /// Tolerance 1e-8, at most 100,000 breakpoints.
    fn default() -> Self {
        BasisPursuit {
            tolerance: 1e-8,
            max_iterations: 100_000,
        }
    }
}

impl BasisPursuit {
    fn run(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        let shape = a.shape();
        let y_norm = norm(y);
        let mut path = Homotopy::new(a, y);
        let (mut iterations, mut tied) = (0, 0);
        let ended = loop {
            if path.lambda == 0.0 {
                break None;
            }
            if iterations == self.max_iterations {
                break Some(Status::IterationLimit);
            }
            let (event, fall) = path.step(0.0);
            iterations += 1;
            let progress = Progress {
                iteration: iterations,
                objective: path.values.iter().map(|v| v.abs()).sum(),
                nonzeros: path.active.len(),
            };
            let go_on = watch.tell(&progress);
            if event == Event::Reached {
                break None;
            }
            if !go_on {
                break Some(Status::Stopped);
            }
            tied = if fall > 0.0 { 0 } else { tied + 1 };
            if tied > TIES {
                break Some(Status::Stalled);
            }
        };
        path.refit();

        let mut r = vec![0.0; shape.rows];
        residual_into(a, y, &path.active, &path.values, &mut r);
        let mut correlations = vec![0.0; shape.columns];
        a.adjoint_into(path.dual(), &mut correlations);
        let largest = correlations.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        let shrink = if largest > 1.0 { largest.recip() } else { 1.0 };
        let dual: Vec<f64> = path.dual().iter().map(|v| v * shrink).collect();
        let primal: f64 = path.values.iter().map(|v| v.abs()).sum();
        // ‖x‖₁ − yᵀν with y = A x + r, so that nothing large cancels.
        let slack = |(&j, x): (&usize, &f64)| x.abs() - x * correlations[j] * shrink;
        let gap = (path.active.iter().zip(&path.values).map(slack).sum::<f64>() - dot(&r, &dual)).max(0.0);
        let residual_norm = norm(&r);
        // A path that never ran has its answer, 0, where y is 0 or orthogonal to every column.
        let status = match ended {
            Some(status) => status,
            None if residual_norm > self.tolerance * y_norm => Status::Unattainable,
            None if gap > self.tolerance * primal => Status::Stalled,
            None => Status::Converged,
        };
        Ok(Recovery {
            x: scatter(shape.columns, &path.active, &path.values),
            support: Vec::new(),
            status,
            iterations,
            applications: path.applications() + 1.0 + path.active.len() as f64 / shape.columns as f64,
            objective: primal,
            residual_norm,
            certificate: Certificate::DualityGap {
                primal,
                gap,
                scale: primal,
                dual,
            },
        })
    }
}

impl Solver for BasisPursuit {
    fn name(&self) -> &'static str {
        "basis-pursuit"
    }

    fn solve_watched(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        check_right_hand_side(a, y)?;
        check_tolerance(self.tolerance)?;
        check_positive("max-iterations", self.max_iterations)?;
        in_safe_range(y, 1, watch, |y, _, watch| self.run(a, y, watch))
    }
}

/// Its line in the list of solvers.
pub(super) const ENTRY: SolverEntry = SolverEntry {
    name: "basis-pursuit",
    help: "min ‖x‖₁ subject to A x = y, with a dual vector.",
    options: &[
        option(
            "tolerance",
            TOLERANCE,
            "‖y‖₂ and ‖x‖₁",
            "1e-8",
            "Residual and duality gap that count as solved, relative to these.",
        ),
        option(
            "max-iterations",
            COUNT,
            "breakpoints",
            "100000",
            "The most breakpoints of the path.",
        ),
    ],
    for_planted: |_| Vec::new(),
    builder: |o| {
        let default = BasisPursuit::default();
        Ok(Box::new(BasisPursuit {
            tolerance: o.real("tolerance").unwrap_or(default.tolerance),
            max_iterations: o.integer("max-iterations").unwrap_or(default.max_iterations),
        }))
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::{DenseOperator, GaussianEnsemble};
    use crate::recovery::reference;
    use crate::seed::Seed;
    use nalgebra::{DMatrix, dmatrix};

    /// Primal and dual value of an answer by plain loops, after checking that the dual vector is feasible.
    fn values_by_loops(a: &DMatrix<f64>, y: &[f64], answer: &Recovery) -> (f64, f64) {
        let Certificate::DualityGap { dual, .. } = &answer.certificate else {
            panic!("certificate of basis pursuit")
        };
        for j in 0..a.ncols() {
            let mut correlation = 0.0;
            for i in 0..a.nrows() {
                correlation += a[(i, j)] * dual[i];
            }
            let rounding = 4.0 * a.nrows() as f64 * f64::EPSILON * a.column(j).norm() * norm(dual);
            assert!(correlation.abs() <= 1.0 + rounding, "column {j}: {correlation}");
        }
        (
            answer.x.iter().map(|v| v.abs()).sum(),
            y.iter().zip(dual).map(|(y, v)| y * v).sum(),
        )
    }

    #[test]
    fn the_optimum_is_the_best_of_all_bases() {
        for replicate in 0..30 {
            let seed = Seed::root(3).replicate(replicate);
            let a = GaussianEnsemble { rows: 4, columns: 9 }.draw(&seed).unwrap();
            let y = reference::normal_vector(4, &seed);
            let answer = BasisPursuit::default().solve(&a, &y).unwrap();
            let (x, length) = reference::basis_pursuit(a.matrix(), &y);
            assert_eq!(answer.status, Status::Converged);
            // Both solve a system of four columns whose condition is below 1e4.
            let tolerance = 4.0 * f64::EPSILON * 1e4 * length;
            assert!((answer.objective - length).abs() <= tolerance);
            assert!(answer.x.iter().zip(&x).all(|(u, v)| (u - v).abs() <= tolerance));
            let (primal, dual) = values_by_loops(a.matrix(), &y, &answer);
            assert!((primal - dual).abs() <= 1e-8 * primal);
        }
    }

    #[test]
    fn certified_answers_hold_from_below_to_above_the_transition() {
        // δ = 1/2: the weak transition lies at ρ ≈ 0.385, here 12 of 32.
        let mut recovered = [0usize; 3];
        for (case, nonzeros) in [4, 12, 24].into_iter().enumerate() {
            for replicate in 0..20 {
                let seed = Seed::root(4).replicate(replicate);
                let a = GaussianEnsemble { rows: 32, columns: 64 }.draw(&seed).unwrap();
                let x = reference::planted(64, nonzeros, &seed);
                let y = a.apply(&x).unwrap();
                let answer = BasisPursuit::default().solve(&a, &y).unwrap();
                assert_eq!(answer.status, Status::Converged);
                let (primal, dual) = values_by_loops(a.matrix(), &y, &answer);
                assert!(primal - dual <= 1.01e-8 * primal);
                // The planted vector is feasible, so that the optimum cannot be longer.
                assert!(answer.objective <= nonzeros as f64 * (1.0 + 1e-8));
                let error = norm(&answer.x.iter().zip(&x).map(|(u, v)| u - v).collect::<Vec<_>>());
                recovered[case] += usize::from(error <= 1e-4 * norm(&x));
            }
        }
        // Exact theory at this size: success about 1, about one half, and below 1e-6.
        assert!(recovered[0] == 20 && recovered[2] == 0, "{recovered:?}");
        assert!((2..=18).contains(&recovered[1]), "{recovered:?}");
    }

    #[test]
    fn a_right_hand_side_outside_the_range_is_unattainable() {
        let tall = GaussianEnsemble { rows: 6, columns: 3 }.draw(&Seed::root(1)).unwrap();
        assert_eq!(
            BasisPursuit::default().solve(&tall, &[1.0; 6]).unwrap().status,
            Status::Unattainable
        );
        let orthogonal = DenseOperator::new(dmatrix![1.0, 2.0; 0.0, 0.0]).unwrap();
        let answer = BasisPursuit::default().solve(&orthogonal, &[0.0, 1.0]).unwrap();
        assert_eq!((answer.status, answer.support.len()), (Status::Unattainable, 0));
    }

    #[test]
    fn ties_and_repeated_columns_end_in_an_optimum_or_say_that_they_did_not() {
        let mut converged = 0;
        for replicate in 0..40 {
            // Signs ±1 with every column twice: ties at nearly every breakpoint.
            let seed = Seed::root(5).replicate(replicate);
            let base = GaussianEnsemble { rows: 5, columns: 8 }.draw(&seed).unwrap();
            let signs = DMatrix::from_fn(5, 16, |i, j| base.matrix()[(i, j / 2)].signum());
            let a = DenseOperator::new(signs).unwrap();
            let x = reference::planted(16, 3, &seed);
            let y = a.apply(&x).unwrap();
            let answer = BasisPursuit::default().solve(&a, &y).unwrap();
            let (primal, dual) = values_by_loops(a.matrix(), &y, &answer);
            if answer.status == Status::Converged {
                converged += 1;
                assert!(primal - dual <= 1.01e-8 * primal && answer.objective <= 3.0 + 1e-7);
            } else {
                assert!(
                    matches!(answer.status, Status::Stalled | Status::Unattainable),
                    "{}",
                    answer.status
                );
            }
        }
        assert!(converged >= 20, "{converged} of 40");
    }

    #[test]
    fn the_iteration_limit_is_kept() {
        let seed = Seed::root(6);
        let a = GaussianEnsemble { rows: 16, columns: 32 }.draw(&seed).unwrap();
        let short = BasisPursuit {
            max_iterations: 3,
            ..BasisPursuit::default()
        };
        let answer = short.solve(&a, &reference::normal_vector(16, &seed)).unwrap();
        assert_eq!((answer.status, answer.iterations), (Status::IterationLimit, 3));
    }
}
