//! Compressive sampling matching pursuit.

use super::common::column_cost;
use super::entry::{BUDGETS, GROUPS, PURSUIT_ITERATIONS, SolverEntry, THRESHOLDING_SUPPORT, THRESHOLDING_TOLERANCE};
use super::exchange::{Exchange, Step};
use super::iterate::{Difference, Iterate};
use super::request::Request;
use super::seen::{Seen, residual_floor};
use super::selection::Selector;
use super::{Groups, Recovery, Solver};
use crate::error::Result;
use crate::linalg::norm;
use crate::operators::MeasurementOperator;
use crate::outcome::{Status, Watch};

/// Compressive sampling matching pursuit, from `x = 0`:
///
/// > `T = supp(x) ∪ L_2k(Aᵀ(y − A x))`,  `b = argmin {‖y − A z‖₂ : supp(z) ⊆ T}`,  `x⁺ = H_k(b)`,
///
/// where `L_2k` are the places of the 2k largest magnitudes and `H_k` keeps the k largest, ties by index, within the
/// budgets (twice the budgets for `L_2k`) where there are any. `T` is cut to m columns, the smallest correlations
/// first; dependent columns get the value 0.
///
/// It ends with
/// - `Converged` when `‖x⁺ − x‖₂ ≤ max(tolerance, 16(3k+1)ε) · ‖x⁺‖₂`;
/// - `ResidualReached` when `‖r‖₂ ≤ max(tolerance, 16(3k+1)ε) · ‖y‖₂`;
/// - `Stalled` when a set `T` comes again after others: the iteration cycles;
/// - `Unattainable`, with `x = 0`, when [`Cosamp::max_support`] exceeds the smaller dimension.
///
/// Short of success the iterate with the smallest residual is returned. The values are those of the larger fit, not a
/// refit on the k places kept: with noise [`super::SubspacePursuit`] has the smaller residual. The objective is
/// `½‖y − A x‖₂²`; there is no certificate. The error contracts when `δ_4k < 0.478` (Foucart and Rauhut, theorem 6.28).
/// Cost an iteration: one adjoint, 4k columns and `18mk²` operations. Source: Needell and Tropp (2009).
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::operators::{GaussianEnsemble, MeasurementOperator};
/// use ticketsense::recovery::{Cosamp, Solver};
/// let a = GaussianEnsemble { rows: 30, columns: 60 }.draw(&Seed::root(1))?;
/// let mut x = vec![0.0; 60];
/// (x[7], x[40]) = (1.0, -2.0);
/// let answer = Cosamp::new(2).solve(&a, &a.apply(&x)?)?;
/// assert_eq!(answer.support, [7, 40]);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Cosamp {
    /// Nonzeros kept, k.
    pub max_support: usize,
    /// Relative change of the iterate, and relative residual, at which it ends, in `[0, 1)`.
    pub tolerance: f64,
    /// The most iterations.
    pub max_iterations: usize,
    /// Budgets for groups of columns.
    pub groups: Option<Groups>,
}

impl Cosamp {
    /// The default numbers for k nonzeros: tolerance 1e-10, at most 200 iterations, no budgets.
    pub fn new(max_support: usize) -> Self {
        Cosamp {
            max_support,
            tolerance: 1e-10,
            max_iterations: 200,
            groups: None,
        }
    }

    fn run(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        let shape = a.shape();
        let floor = residual_floor(self.tolerance, 3 * self.max_support);
        let twice = self.groups.as_ref().map(Groups::doubled);
        let (mut wide, mut narrow) = (Selector::new(twice.as_ref()), Selector::new(self.groups.as_ref()));
        let (mut seen, mut exchange) = (Seen::new(&Iterate::zero(y)), Exchange::new(a, y));
        let (mut chosen, mut difference) = (Vec::new(), Difference::default());
        let mut applications = 0.0;
        let ended = self.request().iterate(y, floor, watch, |current, next| {
            let merged = exchange.widen(&current.support, &current.r, 2 * self.max_support, &mut wide);
            let new = seen.insert(merged);
            narrow.largest_into(self.max_support, exchange.values(), &mut chosen);
            next.set(a, y, &chosen, exchange.values());
            applications += 1.0 + column_cost(shape, next.support.len());
            seen.offer(next);
            Step::Taken(if difference.take(next, current) <= floor * norm(&next.values) {
                Some(Status::Converged)
            } else {
                (!new).then_some(Status::Stalled)
            })
        });
        let answer = seen.answer(ended.last, ended.status);
        applications += exchange.applications();
        Ok(answer.into_recovery(shape.columns, ended.status, ended.iterations, applications))
    }

    fn request(&self) -> Request<'_> {
        Request::new(self.max_support, self.tolerance, self.max_iterations, &self.groups)
    }
}

impl Solver for Cosamp {
    fn name(&self) -> &'static str {
        "cosamp"
    }

    fn solve_watched(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        let attainable = a.shape().smaller();
        self.request()
            .solve(a, y, attainable, watch, |y, watch| self.run(a, y, watch))
    }
}

/// Its line in the list of solvers.
pub(super) const ENTRY: SolverEntry = SolverEntry {
    name: "cosamp",
    help: "Compressive sampling matching pursuit: fit on up to 3k columns, keep the k largest.",
    options: &[
        THRESHOLDING_SUPPORT,
        THRESHOLDING_TOLERANCE,
        PURSUIT_ITERATIONS,
        GROUPS,
        BUDGETS,
    ],
    for_planted: |nonzeros| vec![("max-support", nonzeros.to_string())],
    builder: |o| {
        let default = Cosamp::new(o.required("max-support")?);
        Ok(Box::new(Cosamp {
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
    use crate::operators::{DenseOperator, GaussianEnsemble};
    use crate::recovery::pursuit_reference as reference;
    use crate::recovery::reference::normal_vector;
    use crate::seed::Seed;
    use nalgebra::DMatrix;

    #[test]
    fn on_orthonormal_columns_one_step_keeps_the_largest_entries() {
        let a = DenseOperator::new(DMatrix::identity(4, 4)).unwrap();
        let answer = Cosamp::new(2).solve(&a, &[1.0, -4.0, 0.5, 2.0]).unwrap();
        assert_eq!(answer.x, [0.0, -4.0, 0.0, 2.0]);
        assert_eq!((answer.status, answer.iterations), (Status::Converged, 2));
    }

    #[test]
    fn it_takes_the_steps_of_the_plain_method() {
        for replicate in 0..8 {
            let seed = Seed::root(1).replicate(replicate);
            let a = GaussianEnsemble { rows: 24, columns: 40 }.draw(&seed).unwrap();
            let y = normal_vector(24, &seed);
            for steps in 1..4 {
                let solver = Cosamp {
                    max_iterations: steps,
                    tolerance: 0.0,
                    ..Cosamp::new(5)
                };
                let answer = solver.solve(&a, &y).unwrap();
                let path = reference::cosamp(a.matrix(), &y, 5, steps);
                let residual = |x: &DMatrix<f64>| (DMatrix::from_column_slice(24, 1, &y) - a.matrix() * x).norm();
                let best = path.iter().min_by(|u, v| residual(u).total_cmp(&residual(v))).unwrap();
                let expected = if answer.status.is_success() {
                    &path[steps - 1]
                } else {
                    best
                };
                // Fits on at most 15 of 24 Gaussian columns, where κ² stays below 1e3: 1e3 · m ε ‖y‖ and ten to spare.
                let bound = 1e3 * 10.0 * 24.0 * f64::EPSILON * norm(&y);
                for (found, expected) in answer.x.iter().zip(expected.iter()) {
                    assert!(
                        (found - expected).abs() <= bound,
                        "{replicate} {steps}: {found} {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn budgets_bound_the_nonzeros_of_every_group() {
        let seed = Seed::root(4);
        let a = GaussianEnsemble { rows: 20, columns: 30 }.draw(&seed).unwrap();
        let y = normal_vector(20, &seed);
        let solver = Cosamp {
            groups: Some(Groups::new((0..30).map(|j| j % 3).collect(), vec![2, 0, 5]).unwrap()),
            ..Cosamp::new(6)
        };
        let answer = solver.solve(&a, &y).unwrap();
        let count = |g| answer.support.iter().filter(|&&j| j % 3 == g).count();
        assert!(count(0) <= 2 && count(1) == 0 && count(2) <= 5);
        assert_eq!(answer.support.len(), 6);
    }
}
