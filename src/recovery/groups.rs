//! Budgets for groups of columns: at most so many nonzeros in each layer of a network, say.

use crate::error::{Error, Result};
use crate::support::largest_by;

/// A partition of the columns into groups, each with the largest number of nonzeros that it may hold.
///
/// ```
/// use ticketsense::recovery::Groups;
/// let layers = Groups::new(vec![0, 0, 0, 1, 1], vec![1, 2])?;
/// assert_eq!(layers.largest(5, |j| [3.0, 2.0, 9.0, 1.0, 0.5][j], |_| true), [2, 3, 4]);
/// assert!(Groups::new(vec![0, 2], vec![1, 2]).is_err()); // there is no group 2
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups {
    of_column: Vec<usize>,
    budgets: Vec<usize>,
}

impl Groups {
    /// The group of every column, and the budget of every group.
    ///
    /// # Errors
    /// [`Error::Argument`] when a column names a group without a budget.
    pub fn new(of_column: Vec<usize>, budgets: Vec<usize>) -> Result<Self> {
        if let Some(column) = of_column.iter().position(|&g| g >= budgets.len()) {
            return Err(Error::argument(
                format!("group of column {column}"),
                format!("below {}, the number of budgets", budgets.len()),
                of_column[column],
            ));
        }
        Ok(Groups { of_column, budgets })
    }

    /// The group of a column.
    ///
    /// # Panics
    /// When `column` is not below the number of columns: a bug of the caller.
    pub fn of(&self, column: usize) -> usize {
        self.of_column[column]
    }

    /// The budget of every group.
    pub fn budgets(&self) -> &[usize] {
        &self.budgets
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.of_column.len()
    }

    /// The same partition with every budget doubled: what may stand in the sum of two admissible vectors.
    pub(super) fn doubled(&self) -> Groups {
        Groups {
            of_column: self.of_column.clone(),
            budgets: self.budgets.iter().map(|b| b.saturating_mul(2)).collect(),
        }
    }

    /// How many nonzeros fit in all, counting only columns that `usable` admits.
    pub fn capacity(&self, usable: impl Fn(usize) -> bool) -> usize {
        let mut sizes = vec![0; self.budgets.len()];
        for (column, &group) in self.of_column.iter().enumerate() {
            sizes[group] += usize::from(usable(column));
        }
        sizes.iter().zip(&self.budgets).map(|(s, b)| s.min(b)).sum()
    }

    /// The at most `count` usable columns with the largest scores that keep every budget, ties by index, ascending.
    ///
    /// The largest of each group, then the largest of those: the exact projection, because the admissible sets form a
    /// matroid. Cost: linear expected time.
    pub fn largest(&self, count: usize, score: impl Fn(usize) -> f64, usable: impl Fn(usize) -> bool) -> Vec<usize> {
        let mut members: Vec<Vec<usize>> = vec![Vec::new(); self.budgets.len()];
        for (column, &group) in self.of_column.iter().enumerate() {
            if usable(column) {
                members[group].push(column);
            }
        }
        let winners = members
            .into_iter()
            .zip(&self.budgets)
            .flat_map(|(columns, &budget)| largest_by(budget, columns, &score));
        largest_by(count, winners.collect::<Vec<_>>(), &score)
    }

    /// The door of a solver: the groups must cover exactly its columns.
    pub(super) fn check(&self, columns: usize) -> Result<()> {
        if self.of_column.len() != columns {
            return Err(Error::shape(
                "groups",
                format!("{columns} columns"),
                self.of_column.len(),
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn capacity_counts_only_usable_columns() {
        let groups = Groups::new(vec![0, 0, 0, 1, 1], vec![2, 9]).unwrap();
        assert_eq!(groups.capacity(|_| true), 4);
        assert_eq!(groups.capacity(|j| j != 0 && j != 1 && j != 4), 2);
        assert!(groups.check(4).is_err());
    }

    proptest! {
        #[test]
        fn the_selection_is_the_best_of_all_admissible_sets(
            scores in proptest::collection::vec(0u8..20, 7),
            of_column in proptest::collection::vec(0usize..3, 7),
            budgets in proptest::collection::vec(0usize..4, 3),
            count in 0usize..8,
        ) {
            let groups = Groups::new(of_column, budgets.clone()).unwrap();
            let score = |j: usize| f64::from(scores[j]);
            let chosen = groups.largest(count, score, |_| true);
            let total = |set: &[usize]| set.iter().map(|&j| score(j)).sum::<f64>();
            let admissible = |set: &[usize]| {
                set.len() <= count
                    && (0..3).all(|g| set.iter().filter(|&&j| groups.of(j) == g).count() <= budgets[g])
            };
            prop_assert!(admissible(&chosen));
            for bits in 0u32..128 {
                let set: Vec<usize> = (0..7).filter(|j| bits >> j & 1 == 1).collect();
                prop_assert!(!admissible(&set) || total(&set) <= total(&chosen));
            }
        }
    }
}
