//! Branching processes, simulated by population counts.
//!
//! Each unit of a generation keeps a random number of children, independently. The process is what a random layered
//! network looks like from one source before its branches collide.

use super::super::{proportion, require_between};
use crate::error::{Error, Result};
use crate::outcome::Estimate;
use crate::seed::Seed;
use crate::theory::percolation::Offspring;
use rand::Rng;
use rand_distr::{Binomial, Distribution, Poisson};

/// The largest fan-out and the largest Poisson mean: beyond them the totals of a generation leave 64 bits.
const MAXIMUM_FAN_OUT: u64 = 1 << 16;
/// A population this large that is not surely immortal is given up as one.
const MAXIMUM_POPULATION: u64 = 1 << 45;
/// What a replicate's answer may be wrong by in probability, as a natural logarithm: 2⁻⁴⁵.
const LOG_ERROR: f64 = -45.0 * std::f64::consts::LN_2;

fn check(law: Offspring) -> Result<()> {
    law.validate()?;
    match law {
        Offspring::Binomial { fan_out, .. } if fan_out > MAXIMUM_FAN_OUT => {
            let expected = format!("at most {MAXIMUM_FAN_OUT}");
            Err(Error::argument("fan-out", expected, fan_out))
        }
        Offspring::Poisson { mean } if mean > MAXIMUM_FAN_OUT as f64 => {
            let expected = format!("at most {MAXIMUM_FAN_OUT}");
            Err(Error::argument("mean", expected, mean))
        }
        _ => Ok(()),
    }
}

/// `1 − f(1 − x)` for the generating function `f`: the chance of at least one child that is marked, when each is marked
/// with probability `x`.
fn some_marked(law: Offspring, x: f64) -> f64 {
    match law {
        Offspring::Binomial { fan_out, keep } => -(fan_out as f64 * (-keep * x).ln_1p()).exp_m1(),
        Offspring::Poisson { mean } => -(-mean * x).exp_m1(),
    }
}

/// The total offspring of `population` units.
fn total_offspring(law: Offspring, population: u64, rng: &mut impl Rng) -> Result<u64> {
    let broken = |e: &dyn ToString| Error::numerical("total offspring", e.to_string());
    match law {
        Offspring::Binomial { fan_out, keep } => {
            let total = Binomial::new(population * fan_out, keep).map_err(|e| broken(&e))?;
            Ok(total.sample(rng))
        }
        Offspring::Poisson { mean: 0.0 } => Ok(0),
        Offspring::Poisson { mean } => {
            let total = Poisson::new(population as f64 * mean).map_err(|e| broken(&e))?;
            Ok(total.sample(rng) as u64)
        }
    }
}

/// A population from which extinction is less likely than 2⁻⁴⁵.
///
/// The survival probability of one unit is at least every x with `1 − f(1 − x) ≥ x` (the left side is concave and its
/// largest fixed point is the survival probability), so a population B dies out with probability at most `(1 − x)^B`.
/// Where no such x above 10⁻¹² exists the mean is at most about 1; the population is then a supermartingale up to that
/// excess, and ever reaches 2⁴⁵ with probability at most 2⁻⁴⁵ (Doob).
fn immortal_population(law: Offspring) -> u64 {
    let mut x = 0.5;
    while x > 1e-12 {
        // The margin is above the rounding of the left side.
        if some_marked(law, x) >= x * (1.0 + 1e-13) {
            let bound = (LOG_ERROR / (-x).ln_1p()).ceil() as u64;
            return bound.min(MAXIMUM_POPULATION);
        }
        x /= 2.0;
    }
    MAXIMUM_POPULATION
}

/// How many replicates of a branching process were alive at each depth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SurvivalCounts {
    alive: Vec<usize>,
    replicates: usize,
}

impl SurvivalCounts {
    /// Replicates with at least one unit at `depth`; the source stands at depth 0.
    pub fn alive(&self, depth: usize) -> Option<usize> {
        self.alive.get(depth).copied()
    }

    /// The number of replicates.
    pub fn replicates(&self) -> usize {
        self.replicates
    }

    /// The largest depth.
    pub fn depth(&self) -> usize {
        self.alive.len() - 1
    }

    /// The estimated probability of being alive at `depth`, with its binomial standard error (0 where none or all
    /// survived: use the counts with an exact interval there).
    pub fn probability(&self, depth: usize) -> Option<Estimate<f64>> {
        Some(proportion(self.alive(depth)?, self.replicates))
    }
}

/// Simulates `replicates` branching processes from one unit down to `depth`.
///
/// A generation's total offspring is drawn at once: `Binomial(fan_out · Z, keep)` or `Poisson(mean · Z)`. A population
/// from which extinction has probability below 2⁻⁴⁵ counts as alive at every later depth; a replicate is therefore wrong
/// with at most that probability.
///
/// # Errors
/// [`Error::Argument`] for a probability outside `[0, 1]`, a fan-out of 0 or above 65,536, no replicates.
///
/// Cost: one random number a generation and living replicate, until the population is immortal.
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::simulations::percolation::survival;
/// use ticketsense::theory::percolation::Offspring;
/// let certain = survival(Offspring::Binomial { fan_out: 2, keep: 1.0 }, 500, 10, &Seed::root(0))?;
/// assert_eq!(certain.alive(500), Some(10));
/// # Ok::<(), ticketsense::Error>(())
/// ```
pub fn survival(offspring: Offspring, depth: usize, replicates: usize, seed: &Seed) -> Result<SurvivalCounts> {
    check(offspring)?;
    require_between("depth", depth, 1, 1 << 24)?;
    require_between("replicates", replicates, 1, 1 << 40)?;
    let immortal = immortal_population(offspring);
    let mut deaths = vec![0; depth + 1];
    for replicate in 0..replicates {
        let mut rng = seed.replicate(replicate as u64).rng();
        let mut population = 1;
        for deaths in &mut deaths[1..] {
            population = total_offspring(offspring, population, &mut rng)?;
            if population == 0 {
                *deaths += 1;
                break;
            }
            if population >= immortal {
                break;
            }
        }
    }
    let mut living = replicates;
    let alive = deaths.iter().map(|dead| {
        living -= dead;
        living
    });
    Ok(SurvivalCounts {
        alive: alive.collect(),
        replicates,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulations::judging::plausible;

    /// The survival probability by depth, by iterating the generating function without any trick.
    fn exact(offspring: Offspring, depth: usize) -> Vec<f64> {
        let generating = |s: f64| match offspring {
            Offspring::Binomial { fan_out, keep } => (1.0 - keep + keep * s).powi(fan_out as i32),
            Offspring::Poisson { mean } => (mean * (s - 1.0)).exp(),
        };
        let mut dead = 0.0;
        let mut out = vec![1.0];
        for _ in 0..depth {
            dead = generating(dead);
            out.push(1.0 - dead);
        }
        out
    }

    const LAWS: [Offspring; 8] = [
        Offspring::Binomial { fan_out: 2, keep: 0.4 },
        Offspring::Binomial { fan_out: 2, keep: 0.5 },
        Offspring::Binomial { fan_out: 2, keep: 0.55 },
        Offspring::Binomial { fan_out: 3, keep: 0.9 },
        Offspring::Binomial {
            fan_out: 300,
            keep: 0.004,
        },
        Offspring::Poisson { mean: 0.8 },
        Offspring::Poisson { mean: 1.0 },
        Offspring::Poisson { mean: 1.3 },
    ];

    #[test]
    fn survival_by_depth_follows_the_iterated_generating_function() {
        const TRIALS: usize = 20_000;
        let depths = [1, 2, 5, 20, 100];
        let level = 1e-3 / (LAWS.len() * depths.len()) as f64;
        for law in LAWS {
            let truth = exact(law, 100);
            let seed = Seed::root(1).stream(format!("{law:?}"));
            let found = survival(law, 100, TRIALS, &seed).unwrap();
            for depth in depths {
                let count = found.alive(depth).unwrap();
                let expected = truth[depth];
                assert!(
                    plausible(count, TRIALS, expected, level),
                    "{law:?} at {depth}: {count}, {expected}"
                );
            }
        }
    }

    #[test]
    fn an_immortal_population_dies_with_less_than_the_stated_probability() {
        for law in LAWS {
            let bound = immortal_population(law);
            let survives = exact(law, 200_000).pop().unwrap();
            if law.mean() > 1.0 {
                let log_extinction = bound as f64 * (1.0 - survives).ln();
                // The iteration has converged to a relative 1e-9 of the survival probability at worst.
                assert!(log_extinction <= LOG_ERROR * (1.0 - 1e-9), "{law:?}: {log_extinction}");
                assert!(bound < 10_000, "{law:?}: {bound}");
            } else {
                assert_eq!(bound, MAXIMUM_POPULATION);
            }
        }
    }

    #[test]
    fn giving_up_on_immortal_populations_changes_no_answer() {
        // The same random numbers, never given up: 30 generations of mean 1.8 stay within 64 bits.
        let law = Offspring::Binomial { fan_out: 2, keep: 0.9 };
        let seed = Seed::root(7);
        let fast = survival(law, 30, 2000, &seed).unwrap();
        let mut alive = [0; 31];
        for replicate in 0..2000 {
            let mut rng = seed.replicate(replicate).rng();
            let mut population = 1;
            for count in &mut alive {
                if population == 0 {
                    break;
                }
                *count += 1;
                population = total_offspring(law, population, &mut rng).unwrap();
            }
        }
        assert_eq!(fast.alive, alive);
    }

    #[test]
    fn more_replicates_extend_a_run() {
        let law = Offspring::Poisson { mean: 0.9 };
        let seed = Seed::root(2);
        let few = survival(law, 50, 300, &seed).unwrap();
        let many = survival(law, 50, 900, &seed).unwrap();
        assert_eq!(few, survival(law, 50, 300, &seed).unwrap());
        for depth in 0..=50 {
            assert!(few.alive[depth] <= many.alive[depth]);
            assert!(few.alive[depth] + 600 >= many.alive[depth]);
        }
        let estimate = many.probability(3).unwrap();
        assert_eq!(estimate.value, many.alive[3] as f64 / 900.0);
        assert!(many.probability(51).is_none());
    }

    #[test]
    fn nonsense_is_refused() {
        let seed = Seed::root(0);
        for law in [
            Offspring::Binomial { fan_out: 0, keep: 0.5 },
            Offspring::Binomial { fan_out: 2, keep: 1.1 },
            Offspring::Binomial {
                fan_out: 2,
                keep: f64::NAN,
            },
            Offspring::Poisson { mean: -1.0 },
            Offspring::Poisson { mean: f64::INFINITY },
        ] {
            assert!(survival(law, 5, 5, &seed).is_err(), "{law:?}");
        }
        assert!(survival(LAWS[0], 0, 5, &seed).is_err());
        assert!(survival(LAWS[0], 5, 0, &seed).is_err());
    }
}
