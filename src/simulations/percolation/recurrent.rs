//! Walks through the hidden weights of a recurrent cell: how many steps a signal lasts.

use super::super::coin::Coin;
use super::super::{proportion, require_between, require_probability};
use super::words::LANES;
use crate::error::Result;
use crate::outcome::Estimate;
use crate::seed::Seed;

/// Which masks the steps of a recurrent cell use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reuse {
    /// One mask, used again at every step: the cell as it is.
    Tied,
    /// A fresh mask at every step: a feed-forward network with a matrix of hidden weights for each step.
    Untied,
}

/// In how many replicates some walk of kept weights lasts so many steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastingCounts {
    replicates: usize,
    counts: Vec<usize>,
}

impl LastingCounts {
    /// Independent replicates.
    pub fn replicates(&self) -> usize {
        self.replicates
    }

    /// The counts for `0, 1, …` steps; they never rise, as a walk of t + 1 steps contains one of t.
    pub fn counts(&self) -> &[usize] {
        &self.counts
    }

    /// The estimated probability to last so many steps, with its binomial standard error.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) for more steps than were simulated.
    pub fn probability(&self, steps: usize) -> Result<Estimate<f64>> {
        require_between("steps", steps, 0, self.counts.len() - 1)?;
        Ok(proportion(self.counts[steps], self.replicates))
    }
}

/// Keeps every hidden weight of a cell of `units` units with probability `keep`, in `64 · batches` replicates, and asks
/// after how many of `steps` steps a signal that began in all units is still anywhere.
///
/// Every replicate is followed through all steps: that a tied mask loses nothing after `units` steps is found, not used.
/// The laws are [`tied_survival`](crate::theory::recurrent_walks::tied_survival) and, untied, the chain of the reached count
/// ([`ReachKernel`](super::ReachKernel)). Batch b draws from `seed.replicate(b)`.
///
/// # Errors
/// [`Error::Argument`](crate::Error::Argument) for a probability outside `[0, 1]`, no units or more than 4,096, or no batches.
///
/// Cost: `units²` words a step and batch; untied, about `2 + log₂ 64` random words for each of them in addition.
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::simulations::percolation::{Reuse, lasting};
/// // One unit: its loop is kept once and for all, or has to be kept at every step.
/// let tied = lasting(1, 0.5, 3, Reuse::Tied, 100, &Seed::root(0))?;
/// assert_eq!(tied.counts()[1], tied.counts()[3]);
/// let untied = lasting(1, 0.5, 3, Reuse::Untied, 100, &Seed::root(0))?;
/// assert!((untied.probability(3)?.value - 0.125).abs() < 0.02);
/// # Ok::<(), ticketsense::Error>(())
/// ```
pub fn lasting(
    units: usize,
    keep: f64,
    steps: usize,
    reuse: Reuse,
    batches: usize,
    seed: &Seed,
) -> Result<LastingCounts> {
    require_between("units", units, 1, 4096)?;
    require_probability("keep probability", keep)?;
    require_between("batches", batches, 1, 1 << 30)?;
    let coin = Coin::new(keep);
    let mut counts = vec![0; steps + 1];
    // kept[from · units + to]: the replicates that keep the weight.
    let mut kept = vec![0u64; units * units];
    let (mut reached, mut next) = (vec![0u64; units], vec![0u64; units]);
    for batch in 0..batches {
        let mut rng = seed.replicate(batch as u64).rng();
        reached.fill(u64::MAX);
        counts[0] += LANES;
        for step in 0..steps {
            if step == 0 || reuse == Reuse::Untied {
                for (edges, &lanes) in kept.chunks_exact_mut(units).zip(&reached) {
                    edges.iter_mut().for_each(|edge| *edge = coin.toss_in(lanes, &mut rng));
                }
            }
            next.fill(0);
            for (edges, &from) in kept.chunks_exact(units).zip(&reached).filter(|(_, from)| **from != 0) {
                for (to, edge) in next.iter_mut().zip(edges) {
                    *to |= from & edge;
                }
            }
            std::mem::swap(&mut reached, &mut next);
            let alive = reached.iter().fold(0, |all, word| all | word);
            if alive == 0 {
                break;
            }
            counts[step + 1] += alive.count_ones() as usize;
        }
    }
    Ok(LastingCounts {
        replicates: batches * LANES,
        counts,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulations::judging::plausible;
    use crate::simulations::percolation::reach::reach_laws;
    use crate::theory::recurrent_walks::tied_survival;

    #[test]
    fn both_kinds_follow_their_laws_and_not_each_others() {
        const BATCHES: usize = 400;
        let steps = 14;
        let (mut told_apart, mut cells) = (0, 0);
        for (units, keep) in [(3usize, 0.3), (6, 0.2), (12, 0.1)] {
            let seed = Seed::root(3).stream(format!("{units} {keep}"));
            let laws = reach_laws(&vec![units; steps + 1], units, keep).unwrap();
            let tied = lasting(units, keep, steps, Reuse::Tied, BATCHES, &seed).unwrap();
            let untied = lasting(units, keep, steps, Reuse::Untied, BATCHES, &seed).unwrap();
            for (step, law) in laws.iter().enumerate().skip(1) {
                let of_tied = tied_survival(units as u64, keep, step as u64).unwrap();
                let of_untied = 1.0 - law[0];
                let level = 1e-3 / (3 * 2 * steps) as f64;
                assert!(
                    plausible(tied.counts()[step], tied.replicates(), of_tied, level),
                    "{units} {step}"
                );
                assert!(
                    plausible(untied.counts()[step], untied.replicates(), of_untied, level),
                    "{units} {step}"
                );
                told_apart += usize::from(!plausible(tied.counts()[step], tied.replicates(), of_untied, level));
                cells += 1;
            }
        }
        assert!(told_apart > cells / 2, "{told_apart} of {cells}");
    }

    #[test]
    fn a_tied_mask_loses_nothing_after_as_many_steps_as_units_and_ends_are_exact() {
        let found = lasting(5, 0.2, 40, Reuse::Tied, 50, &Seed::root(1)).unwrap();
        assert!(found.counts().windows(2).all(|pair| pair[0] >= pair[1]));
        assert!(found.counts()[5..].iter().all(|&count| count == found.counts()[5]));
        assert!(found.counts()[5] > 0 && found.counts()[5] < found.counts()[1]);
        for reuse in [Reuse::Tied, Reuse::Untied] {
            let all = lasting(4, 1.0, 9, reuse, 2, &Seed::root(1)).unwrap();
            assert!(all.counts().iter().all(|&count| count == all.replicates()));
            let none = lasting(4, 0.0, 2, reuse, 2, &Seed::root(1)).unwrap();
            assert_eq!(none.counts(), [128, 0, 0]);
            assert!(lasting(0, 0.5, 2, reuse, 2, &Seed::root(1)).is_err());
            assert!(lasting(2, 1.5, 2, reuse, 2, &Seed::root(1)).is_err());
            assert!(lasting(2, 0.5, 2, reuse, 0, &Seed::root(1)).is_err());
            assert!(none.probability(3).is_err());
        }
    }
}
