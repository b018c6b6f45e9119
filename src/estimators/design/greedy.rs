//! One row at a time: the best to join, or the least missed.

use super::problem::DesignProblem;
use super::selection::{RowSelector, Selection};
use super::spanning::Span;
use super::tracker::Tracker;
use crate::error::Result;
use crate::seed::Seed;

/// Starting from nothing, lets the row join that lowers the loss most, until there are enough.
///
/// With a flat prior the first n rows are those that a prior of vanishing precision would take. Ties are broken by number.
/// Every update is of rank one; a residual check and a period of 64 changes bound the rounding, and the loss of the answer
/// is computed afresh. For D the loss falls by at least `1 − 1/e` of the greatest possible fall (the fall is submodular;
/// Nemhauser, Wolsey & Fisher 1978); for A and E there is no such guarantee, for their falls are not submodular.
///
/// ```
/// use nalgebra::dmatrix;
/// use ticketsense::Seed;
/// use ticketsense::estimators::design::{Criterion, DesignProblem, ForwardGreedy, LargestNorms, Prior, RowSelector};
/// let a = dmatrix![1.0, 0.0; 1.0, 0.001; 0.0, 0.5];
/// let problem = DesignProblem::new(&a, &Prior::Isotropic { precision: 1.0 }, 0.1, Criterion::A)?;
/// assert_eq!(ForwardGreedy.select(&problem, 2, &Seed::root(0))?.rows, [1, 2]);
/// assert_eq!(LargestNorms.select(&problem, 2, &Seed::root(0))?.rows, [0, 1]);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// Cost: `6mn` operations a row; `9n³ + 2mn²` a row for E.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ForwardGreedy;

impl RowSelector for ForwardGreedy {
    fn name(&self) -> &'static str {
        "forward-greedy"
    }

    fn select(&self, problem: &DesignProblem, count: usize, _seed: &Seed) -> Result<Selection> {
        problem.require_count(count)?;
        let mut span = Span::new(problem);
        if problem.is_flat() {
            span.grow(|_| true);
        }
        let mut tracker = Tracker::new(problem, &span.rows)?;
        for _ in span.rows.len()..count {
            tracker.join_best()?;
        }
        Selection::bounding(problem, tracker.rows(), span.evaluations + tracker.evaluations + 1)
    }
}

/// Starting from all rows, lets the one leave whose absence raises the loss least, until few enough are left.
///
/// Rounding is watched as in [`ForwardGreedy`]. Cost: `6mn` operations a row that leaves; `m` eigenproblems of order n for
/// E.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackwardGreedy;

impl RowSelector for BackwardGreedy {
    fn name(&self) -> &'static str {
        "backward-greedy"
    }

    fn select(&self, problem: &DesignProblem, count: usize, _seed: &Seed) -> Result<Selection> {
        problem.require_count(count)?;
        let all: Vec<usize> = (0..problem.candidates()).collect();
        let mut tracker = Tracker::new(problem, &all)?;
        for _ in count..all.len() {
            if tracker.leave_best()?.is_none() {
                return Err(crate::Error::numerical(
                    "backward selection",
                    "every row left is needed for the rank, to working precision",
                ));
            }
        }
        Selection::bounding(problem, tracker.rows(), tracker.evaluations + 1)
    }
}
