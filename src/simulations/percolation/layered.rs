//! Percolation through a layered network of finite width, wired at random or to neighbours.
//!
//! Every unit has `fan_out` distinct targets in the next layer and each edge is kept independently. Unlike in a
//! branching process, targets of different units collide, and a layer holds no more than its width.

use super::super::coin::Coin;
use super::super::{proportion, require_between, require_probability, sample_mean};
use crate::error::{Error, Result};
use crate::outcome::Estimate;
use crate::seed::Seed;
use rand::RngExt;
use rand_distr::{Binomial, Distribution};

/// Which targets a unit has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Wiring {
    /// Distinct targets drawn uniformly from the next layer, anew for every unit and replicate: well mixed.
    Random,
    /// Unit i has the targets i, i+1, …, i + fan_out − 1, around the ring: directed percolation.
    Neighbouring,
}

impl Wiring {
    /// The word in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Wiring::Random => "random",
            Wiring::Neighbouring => "neighbouring",
        }
    }
}

/// A layered network whose edges are pruned at random; all layers have the same width.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayeredNetwork {
    /// Units a layer.
    pub width: usize,
    /// Targets of a unit before pruning, at most the width.
    pub fan_out: usize,
    /// Probability of keeping an edge.
    pub keep: f64,
    /// Which targets.
    pub wiring: Wiring,
}

/// Reached units by replicate and layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReachedCounts {
    width: usize,
    depth: usize,
    counts: Vec<u32>,
}

impl ReachedCounts {
    /// Units a layer.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Layers below the sources.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The number of replicates.
    pub fn replicates(&self) -> usize {
        self.counts.len() / (self.depth + 1)
    }

    /// The reached units of one replicate in layers `0, …, depth`; layer 0 holds the sources.
    pub fn of(&self, replicate: usize) -> Option<&[u32]> {
        self.counts.chunks_exact(self.depth + 1).nth(replicate)
    }

    fn layer(&self, layer: usize) -> Result<impl Iterator<Item = u32> + '_> {
        require_between("layer", layer, 0, self.depth)?;
        Ok(self.counts.iter().skip(layer).step_by(self.depth + 1).copied())
    }

    /// The number of replicates in which some unit of a layer is reached.
    ///
    /// # Errors
    /// [`Error::Argument`] for a layer beyond the depth, as everywhere here.
    pub fn connected(&self, layer: usize) -> Result<usize> {
        Ok(self.layer(layer)?.filter(|&c| c > 0).count())
    }

    /// The reached units of a layer, summed over all replicates.
    ///
    /// # Errors
    /// As [`ReachedCounts::connected`].
    pub fn reached_units(&self, layer: usize) -> Result<u64> {
        Ok(self.layer(layer)?.map(u64::from).sum())
    }

    /// The estimated probability that some unit of a layer is reached, with its binomial standard error (0 where none
    /// or all are: use the counts with an exact interval there).
    ///
    /// # Errors
    /// As [`ReachedCounts::connected`].
    pub fn connection_probability(&self, layer: usize) -> Result<Estimate<f64>> {
        Ok(proportion(self.connected(layer)?, self.replicates()))
    }

    /// The mean fraction of a layer that is reached.
    ///
    /// # Errors
    /// As [`ReachedCounts::connected`], and for a single replicate.
    pub fn fraction(&self, layer: usize) -> Result<Estimate<f64>> {
        let width = self.width as f64;
        let values: Vec<f64> = self.layer(layer)?.map(|c| f64::from(c) / width).collect();
        sample_mean(&values)
    }

    /// The mean fraction of a layer that is reached in those replicates in which some of it is.
    ///
    /// # Errors
    /// As [`ReachedCounts::connected`], and when fewer than two replicates are connected.
    pub fn fraction_given_connected(&self, layer: usize) -> Result<Estimate<f64>> {
        let width = self.width as f64;
        let connected = self.layer(layer)?.filter(|&c| c > 0);
        let values: Vec<f64> = connected.map(|c| f64::from(c) / width).collect();
        sample_mean(&values)
    }
}

impl LayeredNetwork {
    /// Follows the first `sources` units of layer 0 down to layer `depth`, in independent replicates of the network.
    ///
    /// # Errors
    /// [`Error::Argument`] for a width of 0 or above 2²⁴, a fan-out or a number of sources of 0 or above the width, a
    /// probability outside `[0, 1]`, no layers, no replicates, or more than 2³⁰ counts in all.
    ///
    /// Cost: one random number a kept edge of a reached unit and one or two for the unit; only reached units are wired.
    ///
    /// ```
    /// use ticketsense::Seed;
    /// use ticketsense::simulations::percolation::{LayeredNetwork, Wiring};
    /// let network = LayeredNetwork { width: 64, fan_out: 3, keep: 0.9, wiring: Wiring::Random };
    /// let reached = network.reached(1, 20, 100, &Seed::root(0))?;
    /// assert!(reached.fraction_given_connected(20)?.value > 0.8);
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    pub fn reached(&self, sources: usize, depth: usize, replicates: usize, seed: &Seed) -> Result<ReachedCounts> {
        self.check(depth)?;
        require_between("sources", sources, 1, self.width)?;
        require_between("replicates", replicates, 1, (1 << 30) / (depth + 1))?;
        let mut counts = Vec::with_capacity(replicates * (depth + 1));
        let mut walk = Walk::new(*self)?;
        for replicate in 0..replicates {
            walk.run(sources, depth, &seed.replicate(replicate as u64), &mut counts);
        }
        Ok(ReachedCounts {
            width: self.width,
            depth,
            counts,
        })
    }

    /// Refuses a network, or a depth of it, that cannot be followed.
    pub(super) fn check(&self, depth: usize) -> Result<()> {
        require_between("width", self.width, 1, 1 << 24)?;
        require_between("fan-out", self.fan_out, 1, self.width)?;
        require_between("depth", depth, 1, 1 << 24)?;
        require_probability("keep probability", self.keep)
    }
}

/// The buffers of one simulation.
struct Walk {
    network: LayeredNetwork,
    kept_edges: Binomial,
    coin: Coin,
    reached: Vec<u32>,
    next: Vec<u32>,
    /// Any permutation of the layer: swapping the first k entries with random later ones draws k distinct targets, and
    /// leaves a permutation that serves as well for the next draw.
    targets: Vec<u32>,
    /// The swaps of this replicate, as long as taking them back costs less than a new permutation.
    swaps: Vec<(u32, u32)>,
    /// The generation in which a unit was last reached.
    stamps: Vec<u64>,
    generation: u64,
}

impl Walk {
    fn new(network: LayeredNetwork) -> Result<Self> {
        let kept_edges = Binomial::new(network.fan_out as u64, network.keep)
            .map_err(|e| Error::numerical("kept edges of a unit", e.to_string()))?;
        Ok(Walk {
            network,
            kept_edges,
            coin: Coin::new(network.keep),
            reached: Vec::new(),
            next: Vec::new(),
            targets: (0..network.width as u32).collect(),
            swaps: Vec::new(),
            stamps: vec![0; network.width],
            generation: 0,
        })
    }

    fn run(&mut self, sources: usize, depth: usize, seed: &Seed, counts: &mut Vec<u32>) {
        let LayeredNetwork {
            width, fan_out, wiring, ..
        } = self.network;
        let mut rng = seed.rng();
        self.reached.clear();
        self.reached.extend(0..sources as u32);
        // A replicate must not depend on those before it.
        if self.swaps.len() < width {
            while let Some((a, b)) = self.swaps.pop() {
                self.targets.swap(a as usize, b as usize);
            }
        } else {
            self.targets.iter_mut().zip(0..).for_each(|(t, i)| *t = i);
            self.swaps.clear();
        }
        counts.push(sources as u32);
        for _ in 0..depth {
            self.generation += 1;
            self.next.clear();
            let (stamps, next, generation) = (&mut self.stamps, &mut self.next, self.generation);
            let mut reach = |target: u32| {
                let stamp = &mut stamps[target as usize];
                if *stamp != generation {
                    *stamp = generation;
                    next.push(target);
                }
            };
            for &unit in &self.reached {
                match wiring {
                    Wiring::Random => {
                        // Which of the drawn targets are kept is independent of what they are, so only the kept ones
                        // are drawn.
                        for k in 0..self.kept_edges.sample(&mut rng) as usize {
                            let other = rng.random_range(k..width);
                            self.targets.swap(k, other);
                            if self.swaps.len() < width {
                                self.swaps.push((k as u32, other as u32));
                            }
                            reach(self.targets[k]);
                        }
                    }
                    Wiring::Neighbouring => {
                        let start = unit as usize;
                        self.coin
                            .heads_below(fan_out, &mut rng, |offset| reach(((start + offset) % width) as u32));
                    }
                }
            }
            counts.push(self.next.len() as u32);
            std::mem::swap(&mut self.reached, &mut self.next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ReachKernel;
    use super::*;
    use crate::outcome::Certainty;
    use crate::simulations::judging::{deviations, plausible};

    fn network(width: usize, fan_out: usize, keep: f64, wiring: Wiring) -> LayeredNetwork {
        LayeredNetwork {
            width,
            fan_out,
            keep,
            wiring,
        }
    }

    #[test]
    fn random_wiring_follows_the_exact_law_of_the_reached_count() {
        const TRIALS: usize = 10_000;
        let cases = [
            (1, 1, 0.8, 1),
            (6, 2, 0.6, 1),
            (6, 2, 0.6, 6),
            (12, 12, 0.1, 1),
            (40, 3, 0.5, 40),
            (9, 4, 1.0, 2),
        ];
        let layers = [1, 2, 10];
        let level = 1e-3 / (2 * cases.len() * layers.len()) as f64;
        for (width, fan_out, keep, sources) in cases {
            let net = network(width, fan_out, keep, Wiring::Random);
            let seed = Seed::root(3).stream(format!("{net:?} {sources}"));
            let found = net.reached(sources, 10, TRIALS, &seed).unwrap();
            let kernel = ReachKernel::random_wiring(width, fan_out, keep).unwrap();
            let laws = kernel.laws_from(sources, 10).unwrap();
            for layer in layers {
                let law = &laws[layer];
                let count = found.connected(layer).unwrap();
                assert!(
                    plausible(count, TRIALS, 1.0 - law[0], level),
                    "{net:?} at {layer}: {count}, {}",
                    1.0 - law[0]
                );
                let mean: f64 = law.iter().enumerate().map(|(n, p)| n as f64 * p).sum();
                let square: f64 = law.iter().enumerate().map(|(n, p)| (n * n) as f64 * p).sum();
                let deviation = ((square - mean * mean).max(0.0) / TRIALS as f64).sqrt() / width as f64;
                let estimate = found.fraction(layer).unwrap();
                // Normal tolerance from the exact variance; 1e-12 for the rounding of a degenerate law.
                let gap = (estimate.value - mean / width as f64).abs();
                assert!(
                    gap <= deviations(level) * deviation + 1e-12,
                    "{net:?} at {layer}: {gap}"
                );
            }
        }
    }

    #[test]
    fn neighbouring_wiring_of_width_three_agrees_with_enumeration() {
        // Two targets each on a ring of three units: six edges, 64 kept sets, one layer at a time on sets of units.
        const TRIALS: usize = 20_000;
        let keep = 0.6f64;
        let mut law = [0.0; 8];
        law[1] = 1.0;
        let mut alive = vec![1.0];
        for _ in 0..6 {
            let mut next = [0.0; 8];
            for (set, weight) in law.iter().enumerate() {
                for edges in 0u32..64 {
                    let kept = edges.count_ones() as i32;
                    let chance = keep.powi(kept) * (1.0 - keep).powi(6 - kept);
                    let mut reached = 0;
                    for unit in (0..3).filter(|u| set >> u & 1 == 1) {
                        for offset in (0..2).filter(|o| edges >> (2 * unit + o) & 1 == 1) {
                            reached |= 1 << ((unit + offset) % 3);
                        }
                    }
                    next[reached as usize] += weight * chance;
                }
            }
            law = next;
            alive.push(1.0 - law[0]);
        }
        let found = network(3, 2, keep, Wiring::Neighbouring)
            .reached(1, 6, TRIALS, &Seed::root(4))
            .unwrap();
        for (layer, &truth) in alive.iter().enumerate() {
            let count = found.connected(layer).unwrap();
            assert!(plausible(count, TRIALS, truth, 1e-3 / 7.0), "{layer}: {count}, {truth}");
        }
    }

    #[test]
    fn neighbours_need_more_than_the_branching_threshold() {
        // At keep 0.55 with two targets a branching process survives with probability (2q − 1)/q² = 0.33; directed
        // percolation, whose threshold is 0.6447, dies. 400 layers are many correlation times.
        const TRIALS: usize = 300;
        let local = network(1000, 2, 0.55, Wiring::Neighbouring)
            .reached(1, 400, TRIALS, &Seed::root(5))
            .unwrap();
        let mixed = network(1000, 2, 0.55, Wiring::Random)
            .reached(1, 400, TRIALS, &Seed::root(5))
            .unwrap();
        assert_eq!(local.connected(400).unwrap(), 0);
        let truth = (2.0 * 0.55 - 1.0) / (0.55f64 * 0.55);
        let survivors = mixed.connected(400).unwrap();
        // 0.33 is the limit of infinite width; at width 1000 the first collisions change it by order 1/1000, which the
        // half-width of this test, some 0.09, covers.
        assert!(plausible(survivors, TRIALS, truth, 1e-3), "{survivors}");
    }

    #[test]
    fn a_replicate_depends_on_its_own_number_only() {
        let net = network(20, 3, 0.5, Wiring::Random);
        let seed = Seed::root(6);
        let few = net.reached(1, 15, 5, &seed).unwrap();
        let many = net.reached(1, 15, 9, &seed).unwrap();
        for replicate in 0..5 {
            assert_eq!(few.of(replicate), many.of(replicate));
        }
        assert_eq!((many.replicates(), many.of(9)), (9, None));
        // Short replicates take their draws back one by one, long ones begin anew: each is what it is alone.
        for (width, keep) in [(400, 0.55), (30, 0.9)] {
            let net = network(width, 3, keep, Wiring::Random);
            let together = net.reached(2, 40, 6, &seed).unwrap();
            let mut alone = Walk::new(net).unwrap();
            for replicate in 0..6 {
                let mut counts = Vec::new();
                alone.targets.iter_mut().zip(0..).for_each(|(t, i)| *t = i);
                alone.swaps.clear();
                alone.run(2, 40, &seed.replicate(replicate), &mut counts);
                assert_eq!(together.of(replicate as usize).unwrap(), counts);
            }
        }
    }

    #[test]
    fn nothing_is_reached_after_a_dead_layer_and_everything_when_everything_is_kept() {
        let net = network(10, 2, 0.45, Wiring::Random);
        let found = net.reached(10, 60, 50, &Seed::root(8)).unwrap();
        for replicate in 0..50 {
            let counts = found.of(replicate).unwrap();
            let death = counts.iter().position(|&c| c == 0).unwrap_or(61);
            assert!(counts[death..].iter().all(|&c| c == 0));
        }
        let full = network(7, 7, 1.0, Wiring::Random)
            .reached(1, 4, 3, &Seed::root(0))
            .unwrap();
        assert_eq!(full.of(2).unwrap(), [1, 7, 7, 7, 7]);
        let fraction = full.fraction_given_connected(4).unwrap();
        assert_eq!(fraction.value, 1.0);
        assert!(matches!(fraction.certainty, Certainty::Sampled { replicates: 3, .. }));
    }

    #[test]
    fn nonsense_is_refused() {
        let seed = Seed::root(0);
        let net = network(10, 2, 0.5, Wiring::Random);
        assert!(network(10, 11, 0.5, Wiring::Random).reached(1, 5, 5, &seed).is_err());
        assert!(network(0, 0, 0.5, Wiring::Random).reached(1, 5, 5, &seed).is_err());
        assert!(network(10, 2, -0.1, Wiring::Random).reached(1, 5, 5, &seed).is_err());
        assert!(net.reached(11, 5, 5, &seed).is_err());
        assert!(net.reached(0, 5, 5, &seed).is_err());
        assert!(net.reached(1, 0, 5, &seed).is_err());
        assert!(net.reached(1, 1 << 20, 1 << 20, &seed).is_err());
        assert!(net.reached(1, 5, 5, &seed).unwrap().connected(6).is_err());
    }
}
