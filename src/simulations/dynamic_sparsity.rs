//! Independent pruning and regrowth of single weights, cycle by cycle, under three protocols.

use super::coin::Coin;
use super::{require_between, require_probability};
use crate::error::Result;
use crate::seed::Seed;
use crate::theory::dynamic_sparsity::Protocol;
use rand::Rng;

/// A network of weights that know nothing of each other: a cycle prunes each active weight with one probability and
/// regrows each inactive one with another, in the order that the protocol says.
///
/// From an all-inactive or all-active start the weights are independent two-state chains, so the number of active ones
/// after t cycles has a binomial law exactly, and [`Protocol::next_density`] moves its mean.
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::simulations::dynamic_sparsity::BernoulliCycles;
/// use ticketsense::theory::dynamic_sparsity::Protocol;
/// let protocol = Protocol::PruneThenRegrow;
/// let prune = protocol.equilibrium_prune(0.2, 0.1)?.expect("0.1 is at most 0.2");
/// let cycles = BernoulliCycles { protocol, weights: 40_000, prune, regrow: 0.1 };
/// let run = cycles.run(0.0, 60, &Seed::root(0))?;
/// // Five standard deviations of the stationary law, √(0.2 · 0.8 / 40000) = 0.002.
/// assert!((run.density(60) - 0.2).abs() < 0.01);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BernoulliCycles {
    /// The order of pruning and regrowth in a cycle.
    pub protocol: Protocol,
    /// Number of weights, N.
    pub weights: usize,
    /// Probability that an active weight is pruned, p.
    pub prune: f64,
    /// Probability that an inactive weight is regrown, r.
    pub regrow: f64,
}

/// Counts after every cycle, the start first.
#[derive(Clone, Debug, PartialEq)]
pub struct BernoulliRun {
    /// Number of weights.
    pub weights: usize,
    /// Active weights.
    pub active: Vec<usize>,
    /// Weights that were inactive at the start and have been regrown since, whether or not a later step of that cycle
    /// pruned them again.
    pub explored: Vec<usize>,
}

impl BernoulliRun {
    /// The fraction of active weights after a cycle.
    ///
    /// # Panics
    /// When there was no such cycle: a bug of the caller.
    pub fn density(&self, cycle: usize) -> f64 {
        self.active[cycle] as f64 / self.weights as f64
    }

    /// Weights that were inactive at the start.
    pub fn inactive_at_start(&self) -> usize {
        self.weights - self.active[0]
    }
}

impl BernoulliCycles {
    /// Runs some cycles. Each weight is active at the start with probability `density`, independently.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) for a probability outside `[0, 1]` or no weights.
    ///
    /// Cost: about 16 random words a cycle for every 64 weights.
    pub fn run(&self, density: f64, cycles: usize, seed: &Seed) -> Result<BernoulliRun> {
        require_probability("density", density)?;
        require_probability("prune", self.prune)?;
        require_probability("regrow", self.regrow)?;
        require_between("weights", self.weights, 1, usize::MAX)?;
        let mut rng = seed.stream("bernoulli-cycles").rng();
        let (start, prune, regrow) = (Coin::new(density), Coin::new(self.prune), Coin::new(self.regrow));
        let words = self.weights.div_ceil(64);
        // The last word has lanes beyond the weights, which stay out of every count.
        let lanes = |word: usize| match self.weights - 64 * word {
            rest if rest < 64 => (1 << rest) - 1,
            _ => u64::MAX,
        };
        let mut active: Vec<u64> = (0..words).map(|word| start.toss_64(&mut rng) & lanes(word)).collect();
        let mut unexplored: Vec<u64> = active.iter().enumerate().map(|(w, a)| lanes(w) & !a).collect();
        let count = |bits: &[u64]| bits.iter().map(|word| word.count_ones() as usize).sum::<usize>();
        let at_start = count(&unexplored);
        let mut run = BernoulliRun {
            weights: self.weights,
            active: vec![count(&active)],
            explored: vec![0],
        };
        for _ in 0..cycles {
            for (word, (active, unexplored)) in active.iter_mut().zip(&mut unexplored).enumerate() {
                let all = lanes(word);
                let grown = self.cycle(active, all, &prune, &regrow, &mut rng);
                *unexplored &= !grown;
            }
            run.active.push(count(&active));
            run.explored.push(at_start - count(&unexplored));
        }
        Ok(run)
    }

    /// One cycle of 64 weights; the weights that were regrown on the way.
    fn cycle(&self, active: &mut u64, all: u64, prune: &Coin, regrow: &Coin, rng: &mut impl Rng) -> u64 {
        let (cut, grow) = (prune.toss_64(rng), regrow.toss_64(rng) & all);
        match self.protocol {
            Protocol::PruneThenRegrow => {
                let left = *active & !cut;
                *active = left | grow;
                grow & !left
            }
            Protocol::Simultaneous => {
                let grown = grow & !*active;
                *active = (*active & !cut) | grown;
                grown
            }
            Protocol::RegrowThenPrune => {
                let grown = grow & !*active;
                *active = (*active | grown) & !cut;
                grown
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulations::judging::plausible;
    use crate::theory::dynamic_sparsity::{explored, stationary_variance};
    use rand::RngExt;

    const PRUNE: f64 = 0.35;
    const REGROW: f64 = 0.12;

    fn cycles(protocol: Protocol, weights: usize) -> BernoulliCycles {
        BernoulliCycles {
            protocol,
            weights,
            prune: PRUNE,
            regrow: REGROW,
        }
    }

    #[test]
    fn every_count_has_the_binomial_law_of_the_expected_density() {
        const CYCLES: usize = 12;
        const WEIGHTS: usize = 100_003;
        let level = 1e-3 / (3 * 2 * 2 * CYCLES) as f64;
        for protocol in Protocol::ALL {
            for start in [0.0, 1.0] {
                let seed = Seed::root(7).stream(format!("{} {start}", protocol.as_str()));
                let run = cycles(protocol, WEIGHTS).run(start, CYCLES, &seed).unwrap();
                let (mut density, inactive) = (start, run.inactive_at_start());
                assert_eq!(
                    (run.active.len(), inactive),
                    (CYCLES + 1, ((1.0 - start) * WEIGHTS as f64) as usize)
                );
                for t in 1..=CYCLES {
                    density = protocol.next_density(density, PRUNE, REGROW).unwrap();
                    assert!(
                        plausible(run.active[t], WEIGHTS, density, level),
                        "{protocol:?} {start} {t}"
                    );
                    if inactive > 0 {
                        let chance = explored(REGROW, t).unwrap();
                        assert!(plausible(run.explored[t], inactive, chance, level), "{protocol:?} {t}");
                    }
                }
                // The power of it: another protocol would be seen, at this size, in every case.
                let other = Protocol::ALL[(protocol as usize + 1) % 3];
                let wrong = (0..CYCLES).fold(start, |d, _| other.next_density(d, PRUNE, REGROW).unwrap());
                assert!(
                    !plausible(run.active[CYCLES], WEIGHTS, wrong, level),
                    "{protocol:?} {other:?}"
                );
            }
        }
    }

    #[test]
    fn it_agrees_in_law_with_weights_that_toss_one_by_one() {
        const WEIGHTS: usize = 20_000;
        for protocol in Protocol::ALL {
            let mut rng = Seed::root(9).stream(protocol.as_str()).rng();
            let mut active: Vec<bool> = (0..WEIGHTS).map(|_| rng.random_bool(0.5)).collect();
            for _ in 0..4 {
                for weight in &mut active {
                    let before = *weight;
                    *weight = match protocol {
                        Protocol::PruneThenRegrow => (before && !rng.random_bool(PRUNE)) || rng.random_bool(REGROW),
                        Protocol::Simultaneous if before => !rng.random_bool(PRUNE),
                        Protocol::Simultaneous => rng.random_bool(REGROW),
                        Protocol::RegrowThenPrune => (before || rng.random_bool(REGROW)) && !rng.random_bool(PRUNE),
                    };
                }
            }
            let slow = active.iter().filter(|a| **a).count();
            let fast = cycles(protocol, WEIGHTS).run(0.5, 4, &Seed::root(8)).unwrap().active[4];
            // Both are binomial with one probability; their difference has deviation √(2 N ¼) at most: five of it.
            assert!(
                slow.abs_diff(fast) as f64 <= 5.0 * (0.5 * WEIGHTS as f64).sqrt(),
                "{slow} {fast}"
            );
        }
    }

    #[test]
    fn the_stationary_density_has_the_variance_of_independent_weights() {
        const RUNS: usize = 1000;
        for protocol in Protocol::ALL {
            let fixed = protocol.fixed_point(PRUNE, REGROW).unwrap().unwrap();
            let densities: Vec<f64> = (0..RUNS)
                .map(|t| {
                    let seed = Seed::root(11).replicate(t as u64);
                    // 0.57⁴⁰ is below 1e-9: the start is forgotten.
                    cycles(protocol, 500).run(0.0, 40, &seed).unwrap().density(40)
                })
                .collect();
            let mean = densities.iter().sum::<f64>() / RUNS as f64;
            let variance = densities.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / (RUNS - 1) as f64;
            // A sample variance of a nearly normal value has relative deviation √(2/T): five of it.
            let ratio = variance / stationary_variance(fixed, 500).unwrap();
            assert!(
                (ratio - 1.0).abs() < 5.0 * (2.0 / RUNS as f64).sqrt(),
                "{protocol:?}: {ratio}"
            );
        }
    }

    #[test]
    fn certain_and_impossible_changes_are_exact_and_bad_numbers_are_refused() {
        let certain = BernoulliCycles {
            prune: 1.0,
            regrow: 1.0,
            ..cycles(Protocol::PruneThenRegrow, 70)
        };
        let run = certain.run(0.0, 3, &Seed::root(0)).unwrap();
        assert_eq!((run.active, run.explored), (vec![0, 70, 70, 70], vec![0, 70, 70, 70]));
        let swap = BernoulliCycles {
            protocol: Protocol::Simultaneous,
            ..certain
        };
        assert_eq!(swap.run(0.0, 3, &Seed::root(0)).unwrap().active, [0, 70, 0, 70]);
        let gone = BernoulliCycles {
            protocol: Protocol::RegrowThenPrune,
            ..certain
        };
        let run = gone.run(0.0, 2, &Seed::root(0)).unwrap();
        assert_eq!((run.active, run.explored), (vec![0, 0, 0], vec![0, 70, 70]));
        assert!(
            BernoulliCycles { weights: 0, ..certain }
                .run(0.5, 1, &Seed::root(0))
                .is_err()
        );
        assert!(
            BernoulliCycles { prune: 1.5, ..certain }
                .run(0.5, 1, &Seed::root(0))
                .is_err()
        );
        assert!(certain.run(f64::NAN, 1, &Seed::root(0)).is_err());
    }
}
