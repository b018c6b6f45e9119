//! Orthogonal matching pursuit: greedy selection with a least squares refit after every pick.

use super::common::{SafeRange, empty_answer, in_safe_range};
use super::entry::{BUDGETS, GROUPS, RESIDUAL_TOLERANCE, SolverEntry};
use super::picking::{MOST_PICKS, PickRequest};
use super::pursuit::{Correlations, Pursuit};
use super::screen::Screen;
use super::{Groups, Recovery, Solver};
use crate::error::Result;
use crate::linalg::dot;
use crate::operators::MeasurementOperator;
use crate::outcome::{Status, Watch};
use nalgebra::DMatrix;
use std::ops::ControlFlow;

/// Entries from which a matrix is screened: below, a whole pass in double precision is cheaper than the care.
const SCREENED: usize = 1 << 16;
/// Right-hand sides that are screened together.
const BLOCK: usize = 32;

/// Orthogonal matching pursuit.
///
/// Each step picks the column with the largest `|aⱼᵀr|/‖aⱼ‖` (never a zero column; ties by index), and refits
/// `x_S = argmin ‖y − A_S x_S‖₂`. A pick whose distance from the span of the columns before it is below `1e-8‖aⱼ‖` is
/// refused for good, and the next best is taken.
///
/// It ends with
/// - `SupportFull` at [`Omp::max_support`] columns, or at the rank bound where none is given;
/// - `ResidualReached` when `‖r‖₂ ≤ max(tolerance, 16(k+1)ε) ‖y‖₂` after k picks: below that floor a residual is
///   rounding;
/// - `Exhausted` when no usable column is left whose correlation exceeds its own rounding, `8√m ε ‖y‖₂`;
/// - `Unattainable`, with `x = 0`, when more nonzeros are asked for than the smaller dimension, the nonzero columns or
///   the budgets allow.
///
/// The objective is `½‖y − A x‖₂²`, the certificate [`Certificate::OrderMargins`](super::Certificate::OrderMargins) with a rounding bound for every margin:
/// the residual's own error, `‖r̂ − r‖ ≤ ‖A_Sᵀr̂‖/σ_min(A_S)` and what forming it rounded, and that of an inner product.
///
/// Cost: the column norms once, then one adjoint and one column a step, and `6mk` operations for the k-th. Where a large
/// matrix is stored, correlations are screened in 16-bit fixed point, a quarter of the memory to read, and the few columns
/// that a rigorous bound leaves in question are looked at again in double precision: the picks and margins are the same to
/// the last bit. Many right-hand sides share the screening as one matrix product. Memory: the chosen columns, and a
/// quarter of the matrix for the screen. Source: Pati, Rezaiifar and Krishnaprasad (1993); Tropp and Gilbert (2007).
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::operators::{GaussianEnsemble, MeasurementOperator};
/// use ticketsense::recovery::{Omp, Solver};
/// let a = GaussianEnsemble { rows: 30, columns: 60 }.draw(&Seed::root(1))?;
/// let mut x = vec![0.0; 60];
/// (x[7], x[40]) = (1.0, -2.0);
/// let answer = Omp::default().solve(&a, &a.apply(&x)?)?;
/// assert_eq!(answer.support, [7, 40]);
/// assert_eq!(answer.status.as_str(), "residual-reached");
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Omp {
    /// The most columns to pick; `None` is as many as the rank can allow.
    pub max_support: Option<usize>,
    /// Stop at `‖r‖₂ ≤ tolerance · ‖y‖₂`, in `[0, 1)`.
    pub tolerance: f64,
    /// Budgets for groups of columns.
    pub groups: Option<Groups>,
}

impl Default for Omp {
    /// No limit on the support, a residual of 1e-10 of the data, no budgets.
    fn default() -> Self {
        Omp {
            max_support: None,
            tolerance: 1e-10,
            groups: None,
        }
    }
}

impl Omp {
    fn request(&self) -> PickRequest<'_> {
        PickRequest {
            max_support: self.max_support,
            tolerance: self.tolerance,
            groups: self.groups.as_ref(),
        }
    }

    /// Whether a screen pays: it costs about as much as four passes.
    fn screen<'a>(&self, a: &'a dyn MeasurementOperator, norms: &[f64], right_hand_sides: usize) -> Option<Screen<'a>> {
        let matrix = a.as_dense()?;
        let picks = self
            .max_support
            .unwrap_or(matrix.nrows())
            .saturating_mul(right_hand_sides);
        if matrix.len() < SCREENED || picks < 8 {
            return None;
        }
        Screen::new(matrix, norms)
    }

    fn run(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        let columns = a.shape().columns;
        let norms = a.column_norms();
        let screen = self.screen(a, &norms, 1);
        let Some(mut pursuit) = Pursuit::new(self.request(), a, y, &norms) else {
            return Ok(unattainable(columns, y));
        };
        let (mut exact, mut scores) = (Vec::new(), Vec::new());
        let status = loop {
            if let Some(status) = pursuit.ended() {
                break status;
            }
            let correlations = match &screen {
                Some(screen) => {
                    let errors = screen.scores_into(&[pursuit.residual()], &mut scores);
                    Correlations::Screened(screen.of(&scores, errors[0]))
                }
                None => {
                    exact.resize(columns, 0.0);
                    a.adjoint_into(pursuit.residual(), &mut exact);
                    Correlations::Exact(&exact)
                }
            };
            if !pursuit.pick(correlations) {
                break Status::Exhausted;
            }
            if !watch.tell(&pursuit.progress()) {
                break Status::Stopped;
            }
        };
        Ok(pursuit.finish(status))
    }

    /// Pursuits for a block of scaled right-hand sides, a pick of each at a time behind one product with the screen.
    fn run_block(
        &self,
        a: &dyn MeasurementOperator,
        block: &[Vec<f64>],
        norms: &[f64],
        screen: &Screen<'_>,
    ) -> Vec<Recovery> {
        let columns = a.shape().columns;
        let mut answers: Vec<Option<Recovery>> = vec![None; block.len()];
        let mut running = Vec::with_capacity(block.len());
        for (i, y) in block.iter().enumerate() {
            let start = match Pursuit::new(self.request(), a, y, norms) {
                Some(pursuit) => pursuit.unless_ended(),
                None => ControlFlow::Break(unattainable(columns, y)),
            };
            sort_out(i, start, &mut running, &mut answers);
        }
        let mut scores = Vec::new();
        while !running.is_empty() {
            let residuals: Vec<&[f64]> = running.iter().map(|(_, pursuit)| pursuit.residual()).collect();
            let errors = screen.scores_into(&residuals, &mut scores);
            let before = std::mem::take(&mut running);
            for (((i, pursuit), scores), error) in before.into_iter().zip(scores.chunks_exact(columns)).zip(errors) {
                let next = pursuit.next(Correlations::Screened(screen.of(scores, error)));
                sort_out(i, next, &mut running, &mut answers);
            }
        }
        answers.into_iter().flatten().collect()
    }
}

/// A request for more columns than there can be.
fn unattainable(columns: usize, y: &[f64]) -> Recovery {
    empty_answer(columns, y, 0.5 * dot(y, y), Status::Unattainable, 1.0)
}

/// Puts the pursuit of right-hand side i among those running, or its answer among the answers.
fn sort_out<'a>(
    i: usize,
    state: ControlFlow<Recovery, Pursuit<'a>>,
    running: &mut Vec<(usize, Pursuit<'a>)>,
    answers: &mut [Option<Recovery>],
) {
    match state {
        ControlFlow::Continue(pursuit) => running.push((i, pursuit)),
        ControlFlow::Break(answer) => answers[i] = Some(answer),
    }
}

impl Solver for Omp {
    fn name(&self) -> &'static str {
        "omp"
    }

    fn solve_watched(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        self.request().check(a, y)?;
        in_safe_range(y, 2, watch, |y, _, watch| self.run(a, y, watch))
    }

    fn solve_many(&self, a: &dyn MeasurementOperator, rhs: &DMatrix<f64>) -> Result<Vec<Recovery>> {
        let columns: Vec<Vec<f64>> = rhs.column_iter().map(|y| y.into_owned().as_slice().to_vec()).collect();
        for y in &columns {
            self.request().check(a, y)?;
        }
        let norms = a.column_norms();
        let Some(screen) = self.screen(a, &norms, columns.len()).filter(|_| columns.len() > 1) else {
            return columns.iter().map(|y| self.solve(a, y)).collect();
        };
        let mut answers = Vec::with_capacity(columns.len());
        for block in columns.chunks(BLOCK) {
            let ranges: Vec<SafeRange> = block.iter().map(|y| SafeRange::of(y)).collect();
            let scaled: Vec<Vec<f64>> = block.iter().zip(&ranges).map(|(y, range)| range.down(y)).collect();
            let found = self.run_block(a, &scaled, &norms, &screen);
            answers.extend(ranges.iter().zip(found).map(|(range, answer)| range.up(answer, 2)));
        }
        Ok(answers)
    }
}

/// Its line in the list of solvers.
pub(super) const ENTRY: SolverEntry = SolverEntry {
    name: "omp",
    help: "Orthogonal matching pursuit: greedy selection, least squares refit.",
    options: &[MOST_PICKS, RESIDUAL_TOLERANCE, GROUPS, BUDGETS],
    for_planted: |nonzeros| vec![("max-support", nonzeros.to_string())],
    builder: |o| {
        let default = Omp::default();
        Ok(Box::new(Omp {
            max_support: o.integer("max-support"),
            tolerance: o.real("tolerance").unwrap_or(default.tolerance),
            groups: o.groups()?,
        }))
    },
};

#[cfg(test)]
#[path = "omp_tests.rs"]
mod tests;
