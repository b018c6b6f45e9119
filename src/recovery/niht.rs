//! Iterative hard thresholding with a step that adapts to the operator.

use super::common::column_cost;
use super::entry::{
    BUDGETS, GROUPS, OptionKind, SolverEntry, THRESHOLDING_ITERATIONS, THRESHOLDING_SUPPORT, THRESHOLDING_TOLERANCE,
    option,
};
use super::exchange::Step;
use super::iterate::Difference;
use super::request::Request;
use super::selection::Selector;
use super::{Groups, Recovery, Solver};
use crate::error::Result;
use crate::linalg::{dot, norm};
use crate::operators::{MeasurementOperator, ScaledColumns};
use crate::outcome::{Status, Watch};

/// The safety `c` and the shrink factor `κ` of the line search; the paper asks for `c < 1` and `κ > 1/(1 − c)`.
const SAFETY: f64 = 0.01;
const SHRINK: f64 = 2.0;

/// Normalised iterative hard thresholding, `x ← H_k(x + μ Aᵀ(y − A x))` from `x = 0`.
///
/// On an unchanged support the step `μ = ‖g_S‖²/‖A_S g_S‖²` minimises along the gradient `g = Aᵀr`; a step that changes
/// the support is accepted only when `μ ≤ (1 − c)‖x⁺ − x‖²/‖A(x⁺ − x)‖²`, and halved until it is. Every accepted step
/// therefore lowers `½‖y − A x‖₂²`, whatever the norm of the operator.
///
/// It ends with
/// - `Converged` when `‖x⁺ − x‖₂ ≤ tolerance · ‖x⁺‖₂` or `g` vanishes on the support and on what could enter it;
/// - `ResidualReached` when `‖r‖₂ ≤ tolerance · ‖y‖₂`;
/// - `Stalled` when no step lowers the objective in floating point while the iterate still moves;
/// - `Unattainable`, with `x = 0`, when [`NormalisedIht::max_support`] exceeds the number of columns.
///
/// There is no certificate. Cost an iteration: one adjoint and at least 3k columns. Source: Blumensath and Davies
/// (2010), algorithm 1.
#[derive(Clone, Debug, PartialEq)]
pub struct NormalisedIht {
    /// Nonzeros kept, k.
    pub max_support: usize,
    /// Relative change at which the iteration has converged, in `[0, 1)`.
    pub tolerance: f64,
    /// The most accepted steps.
    pub max_iterations: usize,
    /// Work with columns scaled to length 1, so that selection does not depend on column lengths.
    pub unit_columns: bool,
    /// Budgets for groups of columns.
    pub groups: Option<Groups>,
}

impl NormalisedIht {
    /// The default numbers for k nonzeros: tolerance 1e-10, at most 2000 steps, columns as given, no budgets.
    pub fn new(max_support: usize) -> Self {
        NormalisedIht {
            max_support,
            tolerance: 1e-10,
            max_iterations: 2000,
            unit_columns: false,
            groups: None,
        }
    }

    fn run(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        let shape = a.shape();
        let (mut g, mut moved, mut image) = (
            vec![0.0; shape.columns],
            vec![0.0; shape.columns],
            vec![0.0; shape.rows],
        );
        let mut selector = Selector::new(self.groups.as_ref());
        let (mut working, mut on_working, mut support) = (Vec::new(), Vec::new(), Vec::new());
        let mut difference = Difference::default();
        let mut applications = 0.0;
        let ended = self.request().iterate(y, self.tolerance, watch, |current, next| {
            a.adjoint_into(&current.r, &mut g);
            applications += 1.0;
            // Entries that vanish take no part: with fewer nonzeros than k there is room for the gradient's largest.
            if current.support.is_empty() {
                selector.largest_into(self.max_support, &g, &mut working);
            } else {
                working.clone_from(&current.support);
            }
            on_working.clear();
            on_working.extend(working.iter().map(|&j: &usize| g[j]));
            a.apply_sparse_into(&working, &on_working, &mut image);
            applications += column_cost(shape, working.len());
            let (rise, run) = (dot(&on_working, &on_working), dot(&image, &image));
            // On a support where the fit is already exact the gradient vanishes up to rounding: probe with unit length.
            let mut step = if run > 0.0 { rise / run } else { 1.0 };
            loop {
                for (moved, g) in moved.iter_mut().zip(&g) {
                    *moved = step * g;
                }
                current.add_to(&mut moved);
                selector.largest_into(self.max_support, &moved, &mut support);
                next.set(a, y, &support, &moved);
                applications += column_cost(shape, next.support.len());
                let distance = difference.take(next, current);
                if distance <= self.tolerance.max(f64::EPSILON) * norm(&next.values) {
                    return Step::Refused(Status::Converged);
                }
                if next.support == working && next.objective() < current.objective() {
                    return Step::Taken(None);
                }
                a.apply_sparse_into(&difference.support, &difference.values, &mut image);
                applications += column_cost(shape, difference.support.len());
                let limit = (1.0 - SAFETY) * distance * distance / dot(&image, &image);
                if step <= limit && next.objective() < current.objective() {
                    return Step::Taken(None);
                }
                if step <= f64::EPSILON * limit {
                    return Step::Refused(Status::Stalled);
                }
                step /= SHRINK * (1.0 - SAFETY);
            }
        });
        let last = ended.last;
        Ok(last.into_recovery(shape.columns, ended.status, ended.iterations, applications))
    }

    fn request(&self) -> Request<'_> {
        Request::new(self.max_support, self.tolerance, self.max_iterations, &self.groups)
    }
}

impl Solver for NormalisedIht {
    fn name(&self) -> &'static str {
        "niht"
    }

    fn solve_watched(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        let attainable = a.shape().columns;
        let request = self.request();
        if !self.unit_columns {
            return request.solve(a, y, attainable, watch, |y, watch| self.run(a, y, watch));
        }
        request.solve(a, y, attainable, watch, |y, watch| {
            let unit = ScaledColumns::unit(a);
            let mut recovery = self.run(&unit, y, watch)?;
            // The norms that made the columns unit were read once.
            recovery.applications += 1.0;
            recovery.x = unit.unscale(&recovery.x)?;
            Ok(recovery)
        })
    }
}

/// Its line in the list of solvers.
pub(super) const ENTRY: SolverEntry = SolverEntry {
    name: "niht",
    help: "Normalised iterative hard thresholding: the step adapts to the operator.",
    options: &[
        THRESHOLDING_SUPPORT,
        THRESHOLDING_TOLERANCE,
        THRESHOLDING_ITERATIONS,
        option(
            "unit-columns",
            OptionKind::Flag,
            "",
            "columns as given",
            "Work with columns scaled to length 1.",
        ),
        GROUPS,
        BUDGETS,
    ],
    for_planted: |nonzeros| vec![("max-support", nonzeros.to_string())],
    builder: |o| {
        let default = NormalisedIht::new(o.required("max-support")?);
        Ok(Box::new(NormalisedIht {
            tolerance: o.real("tolerance").unwrap_or(default.tolerance),
            max_iterations: o.integer("max-iterations").unwrap_or(default.max_iterations),
            unit_columns: o.flag("unit-columns"),
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
    use crate::recovery::reference;
    use crate::seed::Seed;
    use nalgebra::DMatrix;

    #[test]
    fn an_operator_that_makes_the_unit_step_diverge_is_solved() {
        let a = DenseOperator::new(DMatrix::identity(3, 3) * 3.0).unwrap();
        let answer = NormalisedIht::new(3).solve(&a, &[3.0, 6.0, 9.0]).unwrap();
        assert!(answer.status.is_success());
        for (x, truth) in answer.x.iter().zip([1.0, 2.0, 3.0]) {
            assert!((x - truth).abs() <= 1e-9 * truth);
        }
    }

    #[test]
    fn every_accepted_step_lowers_the_objective() {
        for replicate in 0..10 {
            let seed = Seed::root(2).replicate(replicate);
            let a = GaussianEnsemble { rows: 20, columns: 50 }.draw(&seed).unwrap();
            let y = reference::normal_vector(20, &seed);
            let mut last = f64::INFINITY;
            let mut lower = true;
            let mut observer = |p: &Progress| {
                lower &= p.objective < last;
                last = p.objective;
                true
            };
            let answer = NormalisedIht::new(8)
                .solve_watched(&a, &y, &mut Watch::new(&mut observer))
                .unwrap();
            assert!(lower && answer.iterations > 1);
            assert!(answer.status.is_success(), "{}", answer.status);
        }
    }

    #[test]
    fn with_unit_columns_the_selection_ignores_column_lengths() {
        let seed = Seed::root(3);
        let a = GaussianEnsemble { rows: 40, columns: 80 }.draw(&seed).unwrap();
        let scales: Vec<f64> = (0..80).map(|j| 10f64.powi(j % 5 - 2)).collect();
        let scaled = ScaledColumns::new(&a, scales.clone()).unwrap();
        let planted = reference::planted(80, 4, &seed);
        let y = a.apply(&planted).unwrap();
        let solver = NormalisedIht {
            unit_columns: true,
            ..NormalisedIht::new(4)
        };
        let answer = solver.solve(&scaled, &y).unwrap();
        for j in 0..80 {
            assert!((answer.x[j] * scales[j] - planted[j]).abs() <= 1e-8);
        }
    }

    #[test]
    fn budgets_bound_the_nonzeros_of_every_group() {
        let seed = Seed::root(4);
        let a = GaussianEnsemble { rows: 20, columns: 30 }.draw(&seed).unwrap();
        let y = reference::normal_vector(20, &seed);
        let solver = NormalisedIht {
            groups: Some(Groups::new((0..30).map(|j| j % 3).collect(), vec![2, 0, 5]).unwrap()),
            ..NormalisedIht::new(6)
        };
        let answer = solver.solve(&a, &y).unwrap();
        let count = |g| answer.support.iter().filter(|&&j| j % 3 == g).count();
        assert!(count(0) <= 2 && count(1) == 0 && count(2) <= 5);
        assert_eq!(answer.support.len(), 6);
    }
}
