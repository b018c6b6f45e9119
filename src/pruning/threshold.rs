//! The score that parts those that stay from those that go, found without sorting.

/// Numbers below which a plain selection is as fast as anything.
const FEW: usize = 1024;

/// Of what, in the order of which, there may be many: numbers by their rank.
pub(super) trait Ranked: Copy {
    /// An integer in the order of [`f64::total_cmp`].
    fn rank(self) -> i64;
}

impl Ranked for f64 {
    #[inline(always)]
    fn rank(self) -> i64 {
        let bits = self.to_bits() as i64;
        bits ^ (((bits >> 63) as u64) >> 1) as i64
    }
}

impl Ranked for i64 {
    #[inline(always)]
    fn rank(self) -> i64 {
        self
    }
}

/// What stays: whatever ranks above the bar, and of those that equal it the first so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bar {
    rank: i64,
    equals: usize,
}

impl Bar {
    /// The bar that lets the `keep` largest of all scores stay, ties in the order in which they ask.
    ///
    /// Cost: one pass over the scores and a few over a twentieth of them, whatever their values.
    pub fn of(scores: &[f64], keep: usize) -> Bar {
        if keep == 0 {
            Bar {
                rank: i64::MAX,
                equals: 0,
            }
        } else if keep >= scores.len() {
            Bar {
                rank: i64::MIN,
                equals: scores.len(),
            }
        } else {
            Bar::among(scores, keep)
        }
    }

    /// Whether the next score stays. To be asked once for every score, in order.
    #[inline(always)]
    pub fn admits(&mut self, score: f64) -> bool {
        let rank = score.rank();
        let tied = (rank == self.rank) & (self.equals > 0);
        self.equals -= usize::from(tied);
        tied | (rank > self.rank)
    }

    /// Whether all of these stay without any question of ties.
    #[inline(always)]
    pub fn clears<const N: usize>(&self, scores: &[f64; N]) -> bool {
        scores.iter().fold(true, |all, score| all & (score.rank() > self.rank))
    }

    /// For `0 < keep < n`: a sample tells between which ranks the bar lies, but for bad luck, and one pass counts what is
    /// above them and collects what is between (Floyd & Rivest 1975). Where luck was bad, everything is between.
    fn among<R: Ranked>(values: &[R], keep: usize) -> Bar {
        if values.len() <= FEW {
            return Bar::plain(values, keep);
        }
        let (low, high) = bracket(values, keep);
        let (above, between) = divide(values, low, high);
        if above < keep && keep <= above + between.len() && between.len() < values.len() {
            Bar::among(&between, keep - above)
        } else {
            Bar::plain(values, keep)
        }
    }

    fn plain<R: Ranked>(values: &[R], keep: usize) -> Bar {
        let mut ranks: Vec<i64> = values.iter().map(|value| value.rank()).collect();
        let (before, &mut rank, _) = ranks.select_nth_unstable_by(keep - 1, |a, b| b.cmp(a));
        let above = before.iter().filter(|&&other| other > rank).count();
        Bar {
            rank,
            equals: keep - above,
        }
    }
}

/// Two ranks between which that of the `keep`-th largest most likely lies: those of a sample three standard deviations
/// away from its share.
fn bracket<R: Ranked>(values: &[R], keep: usize) -> (i64, i64) {
    let size = (values.len() / 64).clamp(128, 512);
    // Steps of the golden ratio are in no rhythm with the rows of a layer.
    let place = |i: usize| {
        let fraction = (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        ((u128::from(fraction) * values.len() as u128) >> 32) as usize
    };
    let mut sample: Vec<i64> = (0..size).map(|i| values[place(i)].rank()).collect();
    sample.sort_unstable_by(|a, b| b.cmp(a));
    let share = keep as f64 / values.len() as f64;
    let middle = share * size as f64;
    let margin = 3.0 * (middle * (1.0 - share)).sqrt() + 2.0;
    let high = if middle < margin {
        i64::MAX
    } else {
        sample[(middle - margin) as usize]
    };
    let low = sample.get((middle + margin) as usize).copied();
    (low.unwrap_or(i64::MIN), high)
}

/// How many rank above `high`, and the ranks from `low` to `high`, in order.
fn divide<R: Ranked>(values: &[R], low: i64, high: i64) -> (usize, Vec<i64>) {
    const TOGETHER: usize = 8;
    let (mut above, mut used) = (0, 0);
    let mut between = vec![0; values.len() / 16 + TOGETHER];
    for chunk in values.chunks(TOGETHER) {
        if between.len() < used + TOGETHER {
            between.resize(2 * between.len(), 0);
        }
        // Everything is written, and what does not belong is written over: no branch to predict.
        let room = &mut between[used..used + TOGETHER];
        let mut found = 0;
        for value in chunk {
            let rank = value.rank();
            above += usize::from(rank > high);
            room[found % TOGETHER] = rank;
            found += usize::from((low <= rank) & (rank <= high));
        }
        used += found;
    }
    between.truncate(used);
    (above, between)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::largest_by;
    use proptest::prelude::*;

    fn admitted(scores: &[f64], keep: usize) -> Vec<usize> {
        let mut bar = Bar::of(scores, keep);
        (0..scores.len()).filter(|&i| bar.admits(scores[i])).collect()
    }

    #[test]
    fn ranks_are_in_the_total_order_of_numbers_with_both_zeros_and_infinities() {
        let ascending = [
            f64::NEG_INFINITY,
            f64::MIN,
            -1.5,
            -f64::MIN_POSITIVE,
            -5e-324,
            -0.0,
            0.0,
            5e-324,
            1.0,
            1.0 + f64::EPSILON,
            f64::MAX,
            f64::INFINITY,
        ];
        for pair in ascending.windows(2) {
            assert!(
                pair[0].total_cmp(&pair[1]).is_lt() && pair[0].rank() < pair[1].rank(),
                "{pair:?}"
            );
        }
    }

    #[test]
    fn the_ends_keep_nothing_and_everything() {
        let scores = [f64::INFINITY, -0.0, 0.0, f64::NEG_INFINITY];
        assert!(admitted(&scores, 0).is_empty());
        assert_eq!(admitted(&scores, 1), [0]);
        assert_eq!(admitted(&scores, 2), [0, 2]);
        assert_eq!(admitted(&scores, 3), [0, 1, 2]);
        assert_eq!(admitted(&scores, 4), [0, 1, 2, 3]);
        assert!(Bar::of(&scores, 2).clears(&[0.5, 1.0]) && !Bar::of(&scores, 2).clears(&[0.5, 0.0]));
    }

    #[test]
    fn scores_in_an_order_that_deceives_the_sample_are_parted_all_the_same() {
        // Only what the sample looks at is large, so that it says nothing of the others.
        let count = 40_000;
        let mut scores: Vec<f64> = (0..count).map(|i| f64::from(i % 1000)).collect();
        for i in 0..512_u64 {
            let fraction = i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
            scores[((fraction * count as u64) >> 32) as usize] = 1e6 + i as f64;
        }
        for keep in [1, 300, 512, 513, 20_000, 39_000, 39_999] {
            assert_eq!(
                admitted(&scores, keep),
                largest_by(keep, 0..scores.len(), |i| scores[i]),
                "{keep}"
            );
        }
    }

    proptest! {
        #[test]
        fn what_is_admitted_is_what_sorting_keeps_ties_by_index(
            count in 1usize..9000, share in 0.0f64..=1.0, levels in 1u64..5000, salt in any::<u64>(), sign in any::<bool>(),
        ) {
            let scores: Vec<f64> = (0..count as u64).map(|i| {
                let mixed = (i ^ salt).wrapping_mul(0xD6E8_FEB8_6659_FD93);
                let level = (mixed >> 32) % levels;
                if sign { (level as f64).sqrt() } else { level as f64 - levels as f64 / 2.0 }
            }).collect();
            let keep = (share * count as f64) as usize;
            prop_assert_eq!(admitted(&scores, keep), largest_by(keep, 0..count, |i| scores[i]));
        }
    }
}
