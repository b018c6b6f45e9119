//! Nonnegative basis pursuit, `min Σ xⱼ` subject to `A x = y` and `x ≥ 0`.
//!
//! Its dual is `max yᵀν` subject to `Aᵀν ≤ 1`.

use super::common::{
    check_positive, check_tolerance, column_cost, empty_answer, in_safe_range, residual_into, scatter,
};
use super::descent::Stopping;
use super::entry::{COUNT, SolverEntry, TOLERANCE, option};
use super::face::Face;
use super::penalised::Penalised;
use super::{Certificate, Model, NonnegativeLasso, Recovery, Solver, check_right_hand_side};
use crate::error::Result;
use crate::linalg::{dot, norm};
use crate::operators::MeasurementOperator;
use crate::outcome::{Progress, Status, Watch};
use crate::support::Support;

/// The penalty falls by this factor from one solve to the next, as a multiple of λ_max.
const FALL: f64 = 0.1;
/// Below this multiple of λ_max the correlations are rounding.
const LEAST: f64 = 2e-12;

/// Nonnegative basis pursuit, `min Σ xⱼ` subject to `A x = y` and `x ≥ 0`: a linear program.
///
/// The nonnegative LASSO's answer is piecewise linear in λ, and its last piece ends in the answer here. So it is solved
/// for falling penalties, and each time the piece is followed to λ = 0: to the least squares fit on the support, with
/// the dual vector `ν = A_S(A_SᵀA_S)⁻¹1`. The certificate is computed from scratch there: `ν` is shrunk to `Aᵀν ≤ 1`, and
/// the gap is `Σ xⱼ − yᵀν`.
///
/// It ends with
/// - `Converged` when `‖y − A x‖₂ ≤ tolerance · ‖y‖₂` and the gap is at most `tolerance · Σ xⱼ`;
/// - `Unattainable` when the residual does not fall so far: y is not a nonnegative combination of columns;
/// - `Stalled` when it does, and no support reached certifies itself: the gap then says by how much at most;
/// - `IterationLimit` after [`NonnegativeBasisPursuit::max_iterations`] penalties, where they are fewer than twelve.
///
/// The objective is `Σ xⱼ`. Cost: a handful of nonnegative LASSO solves. Source: Donoho and Tanner (2005).
///
/// ```
/// use nalgebra::dmatrix;
/// use ticketsense::operators::DenseOperator;
/// use ticketsense::recovery::{NonnegativeBasisPursuit, Solver};
/// // −3x₁ + x₂ + 2x₃ = 4: the sign forbids the longest column.
/// let a = DenseOperator::new(dmatrix![-3.0, 1.0, 2.0])?;
/// let answer = NonnegativeBasisPursuit::default().solve(&a, &[4.0])?;
/// assert_eq!(answer.x, [0.0, 0.0, 2.0]);
/// assert_eq!(answer.status.as_str(), "converged");
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct NonnegativeBasisPursuit {
    /// Relative residual and relative gap that count as solved, in `[0, 1)`.
    pub tolerance: f64,
    /// The most penalties, each ten times smaller than the one before.
    pub max_iterations: usize,
}

impl Default for NonnegativeBasisPursuit {
    /// Tolerance 1e-8, and the twelve penalties down to 1e-12 of λ_max, below which there is only rounding.
    fn default() -> Self {
        NonnegativeBasisPursuit {
            tolerance: 1e-8,
            max_iterations: 12,
        }
    }
}

/// A nonnegative point with its residual and certificate.
struct Candidate {
    x: Vec<f64>,
    length: f64,
    residual_norm: f64,
    gap: f64,
    dual: Vec<f64>,
}

impl Candidate {
    /// The certificate of a point with a dual vector, shrunk to be feasible. Cost: one adjoint and the columns.
    fn new(a: &dyn MeasurementOperator, y: &[f64], x: Vec<f64>, mut dual: Vec<f64>) -> Self {
        let support = Support::of(&x);
        let values: Vec<f64> = support.indices().iter().map(|&j| x[j]).collect();
        let mut r = vec![0.0; y.len()];
        residual_into(a, y, support.indices(), &values, &mut r);
        let mut correlations = vec![0.0; x.len()];
        a.adjoint_into(&dual, &mut correlations);
        let largest = correlations.iter().copied().fold(1.0, f64::max);
        dual.iter_mut().for_each(|v| *v /= largest);
        // Σ xⱼ − yᵀν with y = A x + r, so that nothing large cancels.
        let slack = x
            .iter()
            .zip(&correlations)
            .filter(|(x, _)| **x != 0.0)
            .map(|(x, c)| x - x * c / largest);
        Candidate {
            gap: slack.sum::<f64>() - dot(&r, &dual),
            length: x.iter().sum(),
            residual_norm: norm(&r),
            x,
            dual,
        }
    }
}

impl NonnegativeBasisPursuit {
    fn run(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        let shape = a.shape();
        let y_norm = norm(y);
        let certificate = |primal: f64, gap: f64, dual: Vec<f64>| Certificate::DualityGap {
            primal,
            gap,
            scale: primal,
            dual,
        };
        let largest = NonnegativeLasso::lambda_max(a, y)?;
        let mut applications = 1.0;
        if largest == 0.0 {
            let status = if y_norm == 0.0 {
                Status::Converged
            } else {
                Status::Unattainable
            };
            return Ok(Recovery {
                certificate: certificate(0.0, 0.0, vec![0.0; shape.rows]),
                ..empty_answer(shape.columns, y, 0.0, status, applications)
            });
        }
        let near = |c: &Candidate| c.residual_norm <= self.tolerance * y_norm;
        let solved = |c: &Candidate| near(c) && c.gap <= self.tolerance * c.length;
        // Of the points that meet the data the one with the smallest gap, of the others the nearest.
        let better = |new: &Candidate, old: &Candidate| match (near(new), near(old)) {
            (true, true) => new.gap < old.gap,
            (false, false) => new.residual_norm < old.residual_norm,
            (new, _) => new,
        };
        let mut ratio = 1.0;
        let mut best: Option<Candidate> = None;
        let mut iterations = 0;
        let (status, found) = loop {
            ratio *= FALL;
            iterations += 1;
            let problem = Penalised {
                penalties: vec![ratio * largest; shape.columns],
                ridge: 0.0,
                nonnegative: true,
            };
            let stopping = Stopping {
                tolerance: (1e-9 * ratio).max(1e-16),
                max_iterations: 1000,
            };
            let answer = problem.solve(a, y, stopping, &mut Watch::none())?;
            applications += answer.applications + 1.0;
            let support = &answer.support;
            let values: Vec<f64> = support.iter().map(|&j| answer.x[j]).collect();
            let zero = vec![0.0; shape.columns];
            let mut found = best
                .take()
                .unwrap_or_else(|| Candidate::new(a, y, zero, vec![0.0; shape.rows]));
            for (face, _, fit) in Face::near(a, y, support, &values, |_| Some(0.0)) {
                applications += column_cost(shape, 3 * fit.len()) + 1.0;
                // The fit may lie outside by rounding; farther outside, the certificate tells.
                let fit: Vec<f64> = fit.iter().map(|v| v.max(0.0)).collect();
                let candidate = Candidate::new(a, y, scatter(shape.columns, &face.support, &fit), face.image);
                if better(&candidate, &found) {
                    found = candidate;
                }
                if solved(&found) {
                    break;
                }
            }
            let go_on = watch.tell(&Progress {
                iteration: iterations,
                objective: found.length,
                nonzeros: found.x.iter().filter(|v| **v != 0.0).count(),
            });
            if solved(&found) {
                break (Status::Converged, found);
            }
            if !go_on {
                break (Status::Stopped, found);
            }
            if ratio < LEAST {
                let status = if near(&found) {
                    Status::Stalled
                } else {
                    Status::Unattainable
                };
                break (status, found);
            }
            if iterations == self.max_iterations {
                break (Status::IterationLimit, found);
            }
            best = Some(found);
        };
        Ok(Recovery {
            support: Vec::new(),
            status,
            iterations,
            applications,
            objective: found.length,
            residual_norm: found.residual_norm,
            certificate: certificate(found.length, found.gap.max(0.0), found.dual),
            x: found.x,
        })
    }
}

impl Solver for NonnegativeBasisPursuit {
    fn name(&self) -> &'static str {
        "nonnegative-basis-pursuit"
    }

    fn model(&self) -> Model {
        Model::NonnegativeLinear
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
    name: "nonnegative-basis-pursuit",
    help: "min Σ xⱼ subject to A x = y and x ≥ 0, with a dual vector.",
    options: &[
        option(
            "tolerance",
            TOLERANCE,
            "‖y‖₂ and Σ xⱼ",
            "1e-8",
            "Residual and duality gap that count as solved, relative to these.",
        ),
        option("max-iterations", COUNT, "penalties", "12", "The most penalties."),
    ],
    for_planted: |_| Vec::new(),
    builder: |o| {
        let default = NonnegativeBasisPursuit::default();
        Ok(Box::new(NonnegativeBasisPursuit {
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
    use nalgebra::{DMatrix, DVector, dmatrix};

    /// The optimum by trying every basis.
    fn by_every_basis(a: &DMatrix<f64>, y: &[f64]) -> f64 {
        let target = DVector::from_column_slice(y);
        let mut best = f64::INFINITY;
        for support in reference::subsets(a.ncols(), a.nrows()) {
            let Some(x) = a.select_columns(&support).lu().solve(&target) else {
                continue;
            };
            if x.iter().all(|v| *v >= -1e-12) {
                best = best.min(x.sum());
            }
        }
        best
    }

    #[test]
    fn the_optimum_is_the_best_of_all_bases_and_certified() {
        let mut attained = 0;
        for replicate in 0..40 {
            let seed = Seed::root(81).replicate(replicate);
            let a = GaussianEnsemble { rows: 4, columns: 9 }.draw(&seed).unwrap();
            let y = reference::normal_vector(4, &seed);
            let answer = NonnegativeBasisPursuit::default().solve(&a, &y).unwrap();
            let best = by_every_basis(a.matrix(), &y);
            if best.is_infinite() {
                assert_eq!(answer.status, Status::Unattainable);
                continue;
            }
            attained += 1;
            assert_eq!(answer.status, Status::Converged);
            // Both solve a system of four columns whose condition is below 1e4.
            assert!((answer.objective - best).abs() <= 4.0 * f64::EPSILON * 1e4 * best);
            let Certificate::DualityGap { dual, .. } = &answer.certificate else {
                panic!("certificate")
            };
            for column in a.matrix().column_iter() {
                let correlation: f64 = column.iter().zip(dual).map(|(u, v)| u * v).sum();
                assert!(correlation <= 1.0 + 16.0 * f64::EPSILON * column.norm() * norm(dual));
            }
            assert!(answer.objective - dot(&y, dual) <= 1.01e-8 * answer.objective);
        }
        // A random point lies in a random cone of nine rays in four dimensions often enough (Wendel: about one half).
        assert!((8..=35).contains(&attained), "{attained}");
    }

    #[test]
    fn a_sparse_nonnegative_vector_is_recovered_beyond_the_signed_transition() {
        // δ = 1/2: nonnegativity moves the weak transition from ρ ≈ 0.385 to 0.558; here ρ = 14/32.
        let mut recovered = 0;
        for replicate in 0..20 {
            let seed = Seed::root(82).replicate(replicate);
            let a = GaussianEnsemble { rows: 32, columns: 64 }.draw(&seed).unwrap();
            let x: Vec<f64> = reference::planted(64, 14, &seed).iter().map(|v| v.abs()).collect();
            let answer = NonnegativeBasisPursuit::default()
                .solve(&a, &a.apply(&x).unwrap())
                .unwrap();
            assert_eq!(answer.status, Status::Converged);
            let error = norm(&answer.x.iter().zip(&x).map(|(u, v)| u - v).collect::<Vec<_>>());
            recovered += usize::from(error <= 1e-4 * norm(&x));
        }
        // Far from the transition on this scale (its width is about 3/32); a fair coin would not reach 16 of 20.
        assert!(recovered >= 16, "{recovered}");
    }

    #[test]
    fn data_of_the_wrong_sign_are_unattainable() {
        let a = DenseOperator::new(dmatrix![1.0, 2.0; 1.0, 0.5]).unwrap();
        for y in [[-1.0, -1.0], [1.0, -1.0]] {
            let answer = NonnegativeBasisPursuit::default().solve(&a, &y).unwrap();
            assert_eq!(answer.status, Status::Unattainable, "{y:?}");
            assert!(answer.x.iter().all(|v| *v >= 0.0));
        }
    }

    #[test]
    fn repeated_columns_and_ties_end_in_an_optimum_or_say_that_they_did_not() {
        let mut converged = 0;
        for replicate in 0..20 {
            let seed = Seed::root(83).replicate(replicate);
            let base = GaussianEnsemble { rows: 5, columns: 8 }.draw(&seed).unwrap();
            let signs = DMatrix::from_fn(5, 16, |i, j| base.matrix()[(i, j / 2)].signum());
            let a = DenseOperator::new(signs).unwrap();
            let x: Vec<f64> = reference::planted(16, 3, &seed).iter().map(|v| v.abs()).collect();
            let answer = NonnegativeBasisPursuit::default()
                .solve(&a, &a.apply(&x).unwrap())
                .unwrap();
            let honest = matches!(
                answer.status,
                Status::Converged | Status::Stalled | Status::Unattainable
            );
            assert!(honest, "{}", answer.status);
            if answer.status == Status::Converged {
                converged += 1;
                assert!(answer.objective <= 3.0 + 1e-7);
            }
        }
        assert!(converged >= 10, "{converged} of 20");
    }
}
