//! Subspace pursuit.

use super::common::column_cost;
use super::entry::{BUDGETS, GROUPS, PURSUIT_ITERATIONS, RESIDUAL_TOLERANCE, SolverEntry, THRESHOLDING_SUPPORT};
use super::exchange::{Exchange, Step};
use super::request::Request;
use super::seen::residual_floor;
use super::selection::Selector;
use super::{Groups, Recovery, Solver};
use crate::error::Result;
use crate::linalg::norm;
use crate::operators::MeasurementOperator;
use crate::outcome::{Status, Watch};

/// Subspace pursuit: from the empty support `S`, fit on `T = S ∪ L_k(Aᵀr)`, keep the places of the k largest fitted
/// magnitudes, and fit again on those.
///
/// Ties go to the smaller index; budgets, where there are any, hold for both selections. `T` is cut to m columns;
/// dependent columns get the value 0. An exchange is accepted only when it lowers `‖y − A x‖₂`, so no support comes
/// twice and the method ends after finitely many steps.
///
/// It ends with
/// - `Converged` when the exchange leaves the support as it is, or would not lower the residual: a fixed point;
/// - `ResidualReached` when `‖r‖₂ ≤ max(tolerance, 16(2k+1)ε) · ‖y‖₂`;
/// - `Unattainable`, with `x = 0`, when [`SubspacePursuit::max_support`] exceeds the smaller dimension.
///
/// The answer is the least squares fit on its support. The objective is `½‖y − A x‖₂²`; there is no certificate. Cost
/// an iteration: one adjoint, 4k columns and `10mk²` operations. Source: Dai and Milenkovic (2009).
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::operators::{GaussianEnsemble, MeasurementOperator};
/// use ticketsense::recovery::{Solver, SubspacePursuit};
/// let a = GaussianEnsemble { rows: 30, columns: 60 }.draw(&Seed::root(1))?;
/// let mut x = vec![0.0; 60];
/// (x[7], x[40]) = (1.0, -2.0);
/// let answer = SubspacePursuit::new(2).solve(&a, &a.apply(&x)?)?;
/// assert_eq!(answer.support, [7, 40]);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SubspacePursuit {
    /// Nonzeros kept, k.
    pub max_support: usize,
    /// Relative residual at which it ends, in `[0, 1)`.
    pub tolerance: f64,
    /// The most exchanges.
    pub max_iterations: usize,
    /// Budgets for groups of columns.
    pub groups: Option<Groups>,
}

impl SubspacePursuit {
    /// The default numbers for k nonzeros: tolerance 1e-10, at most 200 exchanges, no budgets.
    pub fn new(max_support: usize) -> Self {
        SubspacePursuit {
            max_support,
            tolerance: 1e-10,
            max_iterations: 200,
            groups: None,
        }
    }

    fn run(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        let shape = a.shape();
        let floor = residual_floor(self.tolerance, 2 * self.max_support);
        let mut selector = Selector::new(self.groups.as_ref());
        let mut exchange = Exchange::new(a, y);
        let (mut support, mut chosen) = (Vec::new(), Vec::new());
        let mut applications = 0.0;
        let ended = self.request().iterate(y, floor, watch, |current, next| {
            exchange.widen(&support, &current.r, self.max_support, &mut selector);
            selector.largest_into(self.max_support, exchange.values(), &mut chosen);
            applications += 1.0;
            if chosen == support {
                return Step::Refused(Status::Converged);
            }
            exchange.fit_into(&chosen, next);
            applications += column_cost(shape, next.support.len());
            if norm(&next.r) >= norm(&current.r) {
                return Step::Refused(Status::Converged);
            }
            std::mem::swap(&mut support, &mut chosen);
            Step::Taken(None)
        });
        applications += exchange.applications();
        let last = ended.last;
        Ok(last.into_recovery(shape.columns, ended.status, ended.iterations, applications))
    }

    fn request(&self) -> Request<'_> {
        Request::new(self.max_support, self.tolerance, self.max_iterations, &self.groups)
    }
}

impl Solver for SubspacePursuit {
    fn name(&self) -> &'static str {
        "subspace-pursuit"
    }

    fn solve_watched(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        let attainable = a.shape().smaller();
        self.request()
            .solve(a, y, attainable, watch, |y, watch| self.run(a, y, watch))
    }
}

/// Its line in the list of solvers.
pub(super) const ENTRY: SolverEntry = SolverEntry {
    name: "subspace-pursuit",
    help: "Subspace pursuit: exchange columns while the least squares residual falls.",
    options: &[
        THRESHOLDING_SUPPORT,
        RESIDUAL_TOLERANCE,
        PURSUIT_ITERATIONS,
        GROUPS,
        BUDGETS,
    ],
    for_planted: |nonzeros| vec![("max-support", nonzeros.to_string())],
    builder: |o| {
        let default = SubspacePursuit::new(o.required("max-support")?);
        Ok(Box::new(SubspacePursuit {
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
    use crate::outcome::Progress;
    use crate::recovery::pursuit_reference as reference;
    use crate::recovery::reference::normal_vector;
    use crate::seed::Seed;
    use nalgebra::DMatrix;

    #[test]
    fn on_orthonormal_columns_the_first_support_is_the_answer() {
        let a = DenseOperator::new(DMatrix::identity(4, 4)).unwrap();
        let answer = SubspacePursuit::new(2).solve(&a, &[1.0, -4.0, 0.5, 2.0]).unwrap();
        assert_eq!(answer.x, [0.0, -4.0, 0.0, 2.0]);
        assert_eq!((answer.status, answer.iterations), (Status::Converged, 1));
    }

    #[test]
    fn it_agrees_with_the_plain_method_and_every_exchange_lowers_the_residual() {
        let mut exchanges = 0;
        for replicate in 0..20 {
            let seed = Seed::root(1).replicate(replicate);
            let a = GaussianEnsemble { rows: 24, columns: 60 }.draw(&seed).unwrap();
            let y = normal_vector(24, &seed);
            let (mut last, mut lower) = (f64::INFINITY, true);
            let mut observer = |p: &Progress| {
                lower &= p.objective < last;
                last = p.objective;
                true
            };
            let answer = SubspacePursuit::new(5)
                .solve_watched(&a, &y, &mut Watch::new(&mut observer))
                .unwrap();
            assert!(lower && answer.status == Status::Converged, "{}", answer.status);
            exchanges += answer.iterations - 1;
            let (support, values) = reference::subspace_pursuit(a.matrix(), &y, 5);
            assert_eq!(answer.support, support, "{replicate}");
            for (&j, expected) in support.iter().zip(values.iter()) {
                // Five of 24 Gaussian columns have κ below 10.
                assert!((answer.x[j] - expected).abs() <= 100.0 * 24.0 * f64::EPSILON * norm(&y));
            }
        }
        assert!(exchanges > 10, "{exchanges}");
    }
}
