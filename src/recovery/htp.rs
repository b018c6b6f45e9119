//! Hard thresholding pursuit.

use super::common::column_cost;
use super::entry::{
    BUDGETS, GROUPS, OptionKind, PURSUIT_ITERATIONS, RESIDUAL_TOLERANCE, SolverEntry, THRESHOLDING_SUPPORT, option,
};
use super::exchange::{Exchange, Step};
use super::iterate::{Difference, Iterate};
use super::request::Request;
use super::seen::{Seen, residual_floor};
use super::selection::Selector;
use super::{Groups, Recovery, Solver};
use crate::error::Result;
use crate::linalg::{dot, norm};
use crate::operators::MeasurementOperator;
use crate::outcome::{Status, Watch};

/// The safety `c` and the shrink factor of the line search, as in [`super::NormalisedIht`].
const SAFETY: f64 = 0.01;
const SHRINK: f64 = 2.0 * (1.0 - SAFETY);

/// Hard thresholding pursuit, from `x = 0`:
///
/// > `S⁺ = L_k(x + μ Aᵀ(y − A x))`,  `x⁺ = argmin {‖y − A z‖₂ : supp(z) ⊆ S⁺}`,
///
/// where `L_k` are the places of the k largest magnitudes, ties by index, within the budgets where there are any.
/// Dependent columns get the value 0.
///
/// The step μ is 1 where [`HardThresholdingPursuit::unit_step`] is set. Otherwise it starts from
/// `‖g_U‖²/‖A_U g_U‖²`, with the k largest entries `U` of the gradient `g = Aᵀr` (which vanishes on the support), and is
/// halved until `u = H_k(x + μg)` has `μ ≤ (1 − c)‖u − x‖²/‖A(u − x)‖²`: then `u`, and still more the fit on its
/// support, lowers `½‖y − A x‖₂²` whatever the norm of the operator. So with either step it ends after finitely
/// many iterations: with the adaptive step no support can come twice, with the unit step the first that does closes a
/// cycle.
///
/// It ends with
/// - `Converged` when `S⁺ = S`: the support is a fixed point of the step;
/// - `ResidualReached` when `‖r‖₂ ≤ max(tolerance, 16(k+1)ε) · ‖y‖₂`;
/// - `Stalled` when the unit step meets an earlier support again, or the adaptive one no longer lowers the residual in
///   floating point;
/// - `Unattainable`, with `x = 0`, when [`HardThresholdingPursuit::max_support`] exceeds the smaller dimension.
///
/// Short of success the iterate with the smallest residual is returned. The answer is the least squares fit on its
/// support; the objective is `½‖y − A x‖₂²`; there is no certificate. Cost an iteration: one adjoint, 2k columns (5k
/// with the adaptive step) and `2mk²` operations. Source: Foucart (2011).
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::operators::{GaussianEnsemble, MeasurementOperator};
/// use ticketsense::recovery::{HardThresholdingPursuit, Solver};
/// let a = GaussianEnsemble { rows: 30, columns: 60 }.draw(&Seed::root(1))?;
/// let mut x = vec![0.0; 60];
/// (x[7], x[40]) = (1.0, -2.0);
/// let answer = HardThresholdingPursuit::new(2).solve(&a, &a.apply(&x)?)?;
/// assert_eq!(answer.support, [7, 40]);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct HardThresholdingPursuit {
    /// Nonzeros kept, k.
    pub max_support: usize,
    /// Relative residual at which it ends, in `[0, 1)`.
    pub tolerance: f64,
    /// The most iterations.
    pub max_iterations: usize,
    /// Step 1 instead of the adaptive one.
    pub unit_step: bool,
    /// Budgets for groups of columns.
    pub groups: Option<Groups>,
}

impl HardThresholdingPursuit {
    /// The default numbers for k nonzeros: tolerance 1e-10, at most 200 iterations, the adaptive step, no budgets.
    pub fn new(max_support: usize) -> Self {
        HardThresholdingPursuit {
            max_support,
            tolerance: 1e-10,
            max_iterations: 200,
            unit_step: false,
            groups: None,
        }
    }

    fn run(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        let shape = a.shape();
        let floor = residual_floor(self.tolerance, self.max_support);
        let mut search = Search {
            a,
            max_support: self.max_support,
            selector: Selector::new(self.groups.as_ref()),
            g: vec![0.0; shape.columns],
            moved: vec![0.0; shape.columns],
            image: vec![0.0; shape.rows],
            values: Vec::new(),
            point: Iterate::zero(y),
            difference: Difference::default(),
            chosen: Vec::new(),
            applications: 0.0,
        };
        let (mut seen, mut exchange) = (Seen::new(&Iterate::zero(y)), Exchange::new(a, y));
        let mut support: Vec<usize> = Vec::new();
        let mut applications = 0.0;
        let ended = self.request().iterate(y, floor, watch, |current, next| {
            a.adjoint_into(&current.r, &mut search.g);
            if self.unit_step {
                search.select(current, 1.0);
            } else {
                search.adapt(current, &support);
            }
            applications += 1.0;
            if search.chosen == support {
                return Step::Refused(Status::Converged);
            }
            if !seen.insert(&search.chosen) {
                return Step::Refused(Status::Stalled);
            }
            exchange.fit_into(&search.chosen, next);
            applications += column_cost(shape, next.support.len());
            if !self.unit_step && norm(&next.r) >= norm(&current.r) {
                return Step::Refused(Status::Stalled);
            }
            std::mem::swap(&mut support, &mut search.chosen);
            seen.offer(next);
            Step::Taken(None)
        });
        applications += exchange.applications() + search.applications;
        let answer = seen.answer(ended.last, ended.status);
        Ok(answer.into_recovery(shape.columns, ended.status, ended.iterations, applications))
    }

    fn request(&self) -> Request<'_> {
        Request::new(self.max_support, self.tolerance, self.max_iterations, &self.groups)
    }
}

/// The choice of the next support.
struct Search<'a> {
    a: &'a dyn MeasurementOperator,
    max_support: usize,
    selector: Selector,
    g: Vec<f64>,
    moved: Vec<f64>,
    image: Vec<f64>,
    values: Vec<f64>,
    /// Support and values of `H_k(x + μ g)`; its residual is not used.
    point: Iterate,
    difference: Difference,
    chosen: Vec<usize>,
    applications: f64,
}

impl Search<'_> {
    /// The places of the k largest entries of `x + μ g`.
    fn select(&mut self, current: &Iterate, step: f64) {
        for (moved, g) in self.moved.iter_mut().zip(&self.g) {
            *moved = step * g;
        }
        current.add_to(&mut self.moved);
        self.selector
            .largest_into(self.max_support, &self.moved, &mut self.chosen);
    }

    /// `‖A_S v‖²`.
    fn image_square(&mut self, support: &[usize], values: &[f64]) -> f64 {
        self.a.apply_sparse_into(support, values, &mut self.image);
        self.applications += column_cost(self.a.shape(), support.len());
        dot(&self.image, &self.image)
    }

    /// The support of the first step, from long to short, that is sure to lower the objective.
    fn adapt(&mut self, current: &Iterate, support: &[usize]) {
        self.selector.largest_into(self.max_support, &self.g, &mut self.chosen);
        if current.support.is_empty() {
            return;
        }
        let largest = std::mem::take(&mut self.chosen);
        let mut values = std::mem::take(&mut self.values);
        values.clear();
        values.extend(largest.iter().map(|&j| self.g[j]));
        let image = self.image_square(&largest, &values);
        let mut step = if image > 0.0 {
            dot(&values, &values) / image
        } else {
            1.0
        };
        self.chosen = largest;
        self.values = values;
        loop {
            self.select(current, step);
            if self.chosen == support {
                return;
            }
            self.point.support.clone_from(&self.chosen);
            self.point.values.clear();
            self.point.values.extend(self.chosen.iter().map(|&j| self.moved[j]));
            let mut difference = std::mem::take(&mut self.difference);
            let distance = difference.take(&self.point, current);
            let image = self.image_square(&difference.support, &difference.values);
            self.difference = difference;
            // Also when the image is not a number: a shorter step has a smaller one.
            if step * image <= (1.0 - SAFETY) * distance * distance || step < f64::MIN_POSITIVE {
                return;
            }
            step /= SHRINK;
        }
    }
}

impl Solver for HardThresholdingPursuit {
    fn name(&self) -> &'static str {
        "htp"
    }

    fn solve_watched(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        let attainable = a.shape().smaller();
        self.request()
            .solve(a, y, attainable, watch, |y, watch| self.run(a, y, watch))
    }
}

/// Its line in the list of solvers.
pub(super) const ENTRY: SolverEntry = SolverEntry {
    name: "htp",
    help: "Hard thresholding pursuit: a gradient step chooses the support, least squares the values.",
    options: &[
        THRESHOLDING_SUPPORT,
        RESIDUAL_TOLERANCE,
        PURSUIT_ITERATIONS,
        option(
            "unit-step",
            OptionKind::Flag,
            "",
            "the step adapts to the operator",
            "Choose the support by a gradient step of length 1.",
        ),
        GROUPS,
        BUDGETS,
    ],
    for_planted: |nonzeros| vec![("max-support", nonzeros.to_string())],
    builder: |o| {
        let default = HardThresholdingPursuit::new(o.required("max-support")?);
        Ok(Box::new(HardThresholdingPursuit {
            tolerance: o.real("tolerance").unwrap_or(default.tolerance),
            max_iterations: o.integer("max-iterations").unwrap_or(default.max_iterations),
            unit_step: o.flag("unit-step"),
            groups: o.groups()?,
            ..default
        }))
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::{DenseOperator, GaussianEnsemble, ScaledColumns};
    use crate::outcome::Progress;
    use crate::recovery::pursuit_reference as reference;
    use crate::recovery::reference::normal_vector;
    use crate::seed::Seed;
    use nalgebra::DMatrix;

    #[test]
    fn on_orthonormal_columns_one_step_is_the_answer() {
        let a = DenseOperator::new(DMatrix::identity(4, 4)).unwrap();
        for unit_step in [false, true] {
            let solver = HardThresholdingPursuit {
                unit_step,
                ..HardThresholdingPursuit::new(2)
            };
            let answer = solver.solve(&a, &[1.0, -4.0, 0.5, 2.0]).unwrap();
            assert_eq!(answer.x, [0.0, -4.0, 0.0, 2.0]);
            assert_eq!((answer.status, answer.iterations), (Status::Converged, 1));
        }
    }

    #[test]
    fn the_unit_step_follows_the_plain_method() {
        let (mut converged, mut cycled) = (0, 0);
        for replicate in 0..40 {
            let seed = Seed::root(1).replicate(replicate);
            let a = GaussianEnsemble { rows: 24, columns: 60 }.draw(&seed).unwrap();
            let y = normal_vector(24, &seed);
            let solver = HardThresholdingPursuit {
                unit_step: true,
                ..HardThresholdingPursuit::new(5)
            };
            let answer = solver.solve(&a, &y).unwrap();
            let supports = reference::hard_thresholding_pursuit(a.matrix(), &y, 5, answer.iterations + 1);
            let last = supports.last().unwrap();
            match answer.status {
                Status::Converged => {
                    converged += 1;
                    assert_eq!(&answer.support, last);
                    assert_eq!(last, &supports[supports.len() - 2]);
                }
                Status::Stalled => {
                    cycled += 1;
                    assert!(supports[..supports.len() - 2].contains(last));
                    assert!(supports.contains(&answer.support));
                }
                other => panic!("{other}"),
            }
        }
        assert!(converged > 0 && cycled > 0, "{converged} {cycled}");
    }

    #[test]
    fn the_adaptive_step_lowers_the_residual_every_time_and_does_not_see_the_scale_of_the_operator() {
        for replicate in 0..10 {
            let seed = Seed::root(2).replicate(replicate);
            let a = GaussianEnsemble { rows: 20, columns: 50 }.draw(&seed).unwrap();
            let y = normal_vector(20, &seed);
            let (mut last, mut lower) = (f64::INFINITY, true);
            let mut observer = |p: &Progress| {
                lower &= p.objective < last;
                last = p.objective;
                true
            };
            let solver = HardThresholdingPursuit::new(8);
            let answer = solver.solve_watched(&a, &y, &mut Watch::new(&mut observer)).unwrap();
            assert!(lower && answer.status == Status::Converged, "{}", answer.status);
            let larger = ScaledColumns::new(&a, vec![1024.0; 50]).unwrap();
            let other = solver.solve(&larger, &y).unwrap();
            assert_eq!(other.support, answer.support);
            assert_eq!(other.iterations, answer.iterations);
        }
    }
}
