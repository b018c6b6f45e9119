//! The k largest magnitudes, again and again, without an allocation.

use super::Groups;
use std::cmp::Ordering;

/// Selects the largest magnitudes of vectors of one length, within budgets where there are any.
///
/// Ties go to the smaller index and a NaN loses against every number, as in [`crate::support::largest_by`], whose
/// choice this is.
///
/// Without budgets, the k-th largest of at least 2k block maxima is a lower bound on the k-th largest magnitude, so
/// only blocks that reach it are looked into. Cost: one pass over the vector, and linear expected time in the few
/// candidates.
#[derive(Debug)]
pub(super) struct Selector {
    /// The columns, group by group, with the end of every group and its budget; empty without budgets.
    members: Vec<usize>,
    groups: Vec<(usize, usize)>,
    maxima: Vec<f64>,
    sorted: Vec<f64>,
    ranked: Vec<(f64, usize)>,
    winners: Vec<(f64, usize)>,
}

/// The largest block: beyond, a block holds too many candidates for its one maximum.
const BLOCK: usize = 64;

fn rank(value: f64) -> f64 {
    if value.is_nan() { f64::NEG_INFINITY } else { value.abs() }
}

fn better(a: &(f64, usize), b: &(f64, usize)) -> Ordering {
    b.0.total_cmp(&a.0).then(a.1.cmp(&b.1))
}

/// Keeps the `count` best.
fn keep_best(count: usize, ranked: &mut Vec<(f64, usize)>) {
    if count > 0 && count < ranked.len() {
        ranked.select_nth_unstable_by(count - 1, better);
    }
    ranked.truncate(count);
}

impl Selector {
    /// A selector; the budgets, where there are any, cover the vectors that it will see.
    pub fn new(groups: Option<&Groups>) -> Self {
        let mut selector = Selector {
            members: Vec::new(),
            groups: Vec::new(),
            maxima: Vec::new(),
            sorted: Vec::new(),
            ranked: Vec::new(),
            winners: Vec::new(),
        };
        if let Some(groups) = groups {
            selector.members.extend(0..groups.columns());
            selector.members.sort_by_key(|&j| groups.of(j));
            let mut end = 0;
            for (group, &budget) in groups.budgets().iter().enumerate() {
                end += selector.members[end..].partition_point(|&j| groups.of(j) == group);
                selector.groups.push((end, budget));
            }
        }
        selector
    }

    /// Writes the positions of the at most `count` largest `|values|` into `chosen`, ascending.
    pub fn largest_into(&mut self, count: usize, values: &[f64], chosen: &mut Vec<usize>) {
        self.ranked.clear();
        if self.groups.is_empty() {
            self.gather(count, values);
        } else {
            self.winners.clear();
            let mut start = 0;
            for &(end, budget) in &self.groups {
                self.ranked.clear();
                let group = &self.members[start..end];
                self.ranked.extend(group.iter().map(|&j| (rank(values[j]), j)));
                keep_best(budget, &mut self.ranked);
                self.winners.append(&mut self.ranked);
                start = end;
            }
            std::mem::swap(&mut self.winners, &mut self.ranked);
        }
        keep_best(count, &mut self.ranked);
        chosen.clear();
        chosen.extend(self.ranked.iter().map(|&(_, j)| j));
        chosen.sort_unstable();
    }

    /// Gathers a superset of the `count` best.
    fn gather(&mut self, count: usize, values: &[f64]) {
        let block = (values.len() / (2 * count.max(1))).min(BLOCK);
        if block < 4 {
            self.ranked
                .extend(values.iter().enumerate().map(|(j, &v)| (rank(v), j)));
            return;
        }
        let largest = |block: &[f64]| {
            block.iter().fold(f64::NEG_INFINITY, |m, v| {
                // False for a NaN.
                if v.abs() > m { v.abs() } else { m }
            })
        };
        self.maxima.clear();
        self.maxima.extend(values.chunks(block).map(largest));
        self.sorted.clone_from(&self.maxima);
        let (_, floor, _) = self
            .sorted
            .select_nth_unstable_by(count.saturating_sub(1), |a, b| b.total_cmp(a));
        for (b, part) in values.chunks(block).enumerate() {
            if self.maxima[b] >= *floor {
                let ranks = part.iter().enumerate().map(|(i, &v)| (rank(v), b * block + i));
                self.ranked.extend(ranks.filter(|(rank, _)| rank >= floor));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::largest_by;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_choice_is_that_of_the_plain_selection(
            digits in proptest::collection::vec(-6i32..6, 1..400),
            count in 0usize..60,
            with_nan: bool,
        ) {
            // Few distinct values: ties in every call.
            let value = |d: &i32| if with_nan && *d == 5 { f64::NAN } else { f64::from(*d) };
            let values: Vec<f64> = digits.iter().map(value).collect();
            let expected = largest_by(count, 0..values.len(), |j| values[j].abs());
            let (mut selector, mut chosen) = (Selector::new(None), vec![7; 3]);
            for _ in 0..2 {
                selector.largest_into(count, &values, &mut chosen);
                prop_assert_eq!(&chosen, &expected);
            }
        }

        #[test]
        fn with_budgets_it_is_the_choice_of_the_groups(
            digits in proptest::collection::vec(-9i32..9, 12),
            of_column in proptest::collection::vec(0usize..4, 12),
            budgets in proptest::collection::vec(0usize..5, 4),
            count in 0usize..13,
        ) {
            let groups = Groups::new(of_column, budgets).unwrap();
            let values: Vec<f64> = digits.iter().map(|&d| f64::from(d)).collect();
            let mut chosen = Vec::new();
            let mut selector = Selector::new(Some(&groups));
            for _ in 0..2 {
                selector.largest_into(count, &values, &mut chosen);
                prop_assert_eq!(&chosen, &groups.largest(count, |j| values[j].abs(), |_| true));
            }
        }
    }

    #[test]
    fn many_blocks_and_one_large_block_give_the_same_choice() {
        let values: Vec<f64> = (0..5000).map(|i| ((i * 7919) % 4999) as f64 - 2500.0).collect();
        let mut chosen = Vec::new();
        for count in [1, 2, 50, 700, 4999, 5000, 6000] {
            Selector::new(None).largest_into(count, &values, &mut chosen);
            assert_eq!(chosen, largest_by(count, 0..5000, |j| values[j].abs()), "{count}");
        }
    }
}
