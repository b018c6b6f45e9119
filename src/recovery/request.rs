//! What a method that keeps k nonzeros is asked for, and the doors before it.

use super::common::{check_positive, check_tolerance, empty_answer, in_safe_range};
use super::{Groups, Recovery, check_right_hand_side};
use crate::error::Result;
use crate::linalg::dot;
use crate::operators::MeasurementOperator;
use crate::outcome::{Status, Watch};

/// The numbers that every method with a fixed count of nonzeros has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'s> {
    /// Nonzeros kept, k.
    pub max_support: usize,
    /// Relative change, and relative residual, at which the iteration ends.
    pub tolerance: f64,
    /// The most iterations.
    pub max_iterations: usize,
    /// Budgets for groups of columns.
    pub groups: Option<&'s Groups>,
}

impl<'s> Request<'s> {
    /// For k nonzeros.
    pub fn new(max_support: usize, tolerance: f64, max_iterations: usize, groups: &'s Option<Groups>) -> Self {
        Request {
            max_support,
            tolerance,
            max_iterations,
            groups: groups.as_ref(),
        }
    }

    /// Runs a method behind its doors: arguments are checked, `y` is scaled into a safe range, and a request for more
    /// than `attainable` nonzeros is answered by 0 and `Unattainable`.
    pub fn solve(
        &self,
        a: &dyn MeasurementOperator,
        y: &[f64],
        attainable: usize,
        watch: &mut Watch<'_>,
        run: impl FnOnce(&[f64], &mut Watch<'_>) -> Result<Recovery>,
    ) -> Result<Recovery> {
        let columns = a.shape().columns;
        check_right_hand_side(a, y)?;
        check_tolerance(self.tolerance)?;
        check_positive("max-support", self.max_support)?;
        check_positive("max-iterations", self.max_iterations)?;
        self.groups.map_or(Ok(()), |g| g.check(columns))?;
        in_safe_range(y, 2, watch, |y, _, watch| {
            if self.max_support > attainable {
                let objective = 0.5 * dot(y, y);
                return Ok(empty_answer(columns, y, objective, Status::Unattainable, 0.0));
            }
            run(y, watch)
        })
    }
}
