//! What methods that pick one column after another share: the request, the columns still open, and the winner.

use super::common::{check_positive, check_tolerance};
use super::entry::{COUNT, SolverOption, option};
use super::seen::residual_floor;
use super::{Groups, check_right_hand_side};
use crate::error::Result;
use crate::operators::MeasurementOperator;
use crate::outcome::Status;

/// The option that bounds the picks.
pub(super) const MOST_PICKS: SolverOption = option(
    "max-support",
    COUNT,
    "nonzeros",
    "as many as the rank allows",
    "The most columns to pick.",
);

/// The numbers that every such method has.
#[derive(Clone, Copy, Debug)]
pub(super) struct PickRequest<'s> {
    /// The most columns to pick; `None` is as many as the rank can allow.
    pub max_support: Option<usize>,
    /// The relative residual at which it ends.
    pub tolerance: f64,
    /// Budgets for groups of columns.
    pub groups: Option<&'s Groups>,
}

impl PickRequest<'_> {
    /// The doors.
    pub fn check(&self, a: &dyn MeasurementOperator, y: &[f64]) -> Result<()> {
        check_right_hand_side(a, y)?;
        check_tolerance(self.tolerance)?;
        self.max_support
            .map_or(Ok(()), |count| check_positive("max-support", count))?;
        self.groups.map_or(Ok(()), |g| g.check(a.shape().columns))
    }

    /// How many columns to pick from the open ones; `None` where more are asked for than rank and budgets allow.
    pub fn target(&self, rows: usize, open: &Open<'_>) -> Option<usize> {
        let bound = rows.min(open.capacity());
        let target = self.max_support.unwrap_or(bound);
        (target <= bound).then_some(target)
    }

    /// Why it is over with so many picked of the target and a residual of that relative size, if it is.
    pub fn ended(&self, picked: usize, target: usize, residual: f64, y_norm: f64) -> Option<Status> {
        if residual <= residual_floor(self.tolerance, picked) * y_norm {
            return Some(Status::ResidualReached);
        }
        // Without a limit the rank bound ends the search, not a count that somebody asked for.
        let full = if self.max_support.is_some() {
            Status::SupportFull
        } else {
            Status::Exhausted
        };
        (picked == target).then_some(full)
    }
}

/// Correlations of size up to this times `‖y‖‖aⱼ‖` are rounding.
pub(super) fn noise(rows: usize) -> f64 {
    8.0 * (rows as f64).sqrt() * f64::EPSILON
}

/// The columns that may still be picked.
#[derive(Debug)]
pub(super) struct Open<'s> {
    usable: Vec<bool>,
    room: Vec<usize>,
    groups: Option<&'s Groups>,
}

impl<'s> Open<'s> {
    /// The usable ones, within the budgets where there are any.
    pub fn new(usable: Vec<bool>, groups: Option<&'s Groups>) -> Self {
        Open {
            usable,
            room: groups.map_or(Vec::new(), |g| g.budgets().to_vec()),
            groups,
        }
    }

    fn capacity(&self) -> usize {
        match self.groups {
            Some(groups) => groups.capacity(|j| self.usable[j]),
            None => self.usable.iter().filter(|&&u| u).count(),
        }
    }

    /// Whether column j is neither taken nor refused.
    pub fn is_usable(&self, j: usize) -> bool {
        self.usable[j]
    }

    /// Whether column j is usable and its group has room.
    pub fn admits(&self, j: usize) -> bool {
        self.usable[j] && self.groups.is_none_or(|g| self.room[g.of(j)] > 0)
    }

    /// Column j is never looked at again.
    pub fn refuse(&mut self, j: usize) {
        self.usable[j] = false;
    }

    /// Column j is picked.
    pub fn take(&mut self, j: usize) {
        self.usable[j] = false;
        if let Some(groups) = self.groups {
            self.room[groups.of(j)] -= 1;
        }
    }
}

/// The best score and its column, and the best score of the others, 0 without others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Winner {
    /// The largest score.
    pub score: f64,
    /// Its column.
    pub column: usize,
    /// The largest score of the other columns.
    pub second: f64,
}

impl Winner {
    /// The winner among columns with scores, offered in ascending order; ties go to the smaller index.
    pub fn among(scores: impl Iterator<Item = (usize, f64)>) -> Option<Winner> {
        let mut winner: Option<Winner> = None;
        for (column, score) in scores {
            match &mut winner {
                Some(best) if score <= best.score => best.second = best.second.max(score),
                _ => {
                    winner = Some(Winner {
                        score,
                        column,
                        second: winner.map_or(0.0, |best| best.score),
                    });
                }
            }
        }
        winner
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_winner_is_the_first_of_a_stable_sort(digits in proptest::collection::vec(0u8..9, 0..20)) {
            let mut sorted: Vec<(usize, f64)> = digits.iter().map(|&d| f64::from(d)).enumerate().collect();
            let winner = Winner::among(sorted.clone().into_iter());
            sorted.sort_by(|u, v| v.1.total_cmp(&u.1));
            let expected = sorted.first().map(|&(column, score)| Winner {
                score,
                column,
                second: sorted.get(1).map_or(0.0, |s| s.1),
            });
            prop_assert_eq!(winner, expected);
        }
    }

    #[test]
    fn a_column_is_open_until_it_is_taken_refused_or_its_group_is_full() {
        let groups = Groups::new(vec![0, 0, 1, 1], vec![1, 2]).unwrap();
        let mut open = Open::new(vec![true, true, true, false], Some(&groups));
        assert_eq!(open.capacity(), 2);
        open.take(0);
        assert!(!open.admits(0) && !open.admits(1) && open.is_usable(1) && open.admits(2));
        open.refuse(2);
        assert!((0..4).all(|j| !open.admits(j)));
    }
}
