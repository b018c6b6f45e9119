//! The exact law of the set of reached units in a narrow layer that is wired to neighbours.
//!
//! Units are not exchangeable here, so the chain lives on all subsets of a layer. Given the reached set, the units of the next
//! layer are independent: target v is missed by all its reached predecessors with probability `(1 − keep)ⁿ`. Targets are
//! decided one after the other, each in the place of a predecessor that is needed no longer, so that a layer costs
//! `width · 2^(width + fan_out − 1)` and not `4^width`. All sums are of positive terms.

use super::super::{require_between, require_probability};
use super::{LayeredNetwork, Wiring};
use crate::error::{Error, Result};

/// Most bits of a state: 2²⁴ doubles are 128 MiB.
const MAXIMUM_BITS: usize = 24;

/// The exact law of the reached set, layer by layer.
#[derive(Clone, Debug, PartialEq)]
pub struct SetLaw {
    width: usize,
    fan_out: usize,
    /// Probability that a target is missed by n reached predecessors.
    missed: Vec<f64>,
    /// By set; bit i is unit i.
    law: Vec<f64>,
}

impl SetLaw {
    /// The law in the layer of the sources: the first `sources` units.
    ///
    /// # Errors
    /// [`Error::Argument`] for random wiring (whose reached count has an exact law of its own, see
    /// [`ReachKernel`](super::ReachKernel)), `width + fan_out` above 25, or arguments that
    /// [`LayeredNetwork::reached`] refuses.
    ///
    /// ```
    /// use ticketsense::simulations::percolation::{LayeredNetwork, SetLaw, Wiring};
    /// let ring = LayeredNetwork { width: 10, fan_out: 2, keep: 0.5, wiring: Wiring::Neighbouring };
    /// let mut law = SetLaw::new(&ring, 1)?;
    /// law.step();
    /// assert_eq!(law.alive(), 0.75);
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    pub fn new(network: &LayeredNetwork, sources: usize) -> Result<Self> {
        let LayeredNetwork {
            width,
            fan_out,
            keep,
            wiring,
        } = *network;
        if wiring != Wiring::Neighbouring {
            return Err(Error::argument(
                "wiring",
                Wiring::Neighbouring.as_str(),
                wiring.as_str(),
            ));
        }
        require_between("width", width, 1, MAXIMUM_BITS)?;
        require_between("fan-out", fan_out, 1, width.min(MAXIMUM_BITS + 1 - width))?;
        require_between("sources", sources, 1, width)?;
        require_probability("keep probability", keep)?;
        let mut law = vec![0.0; 1 << width];
        law[(1 << sources) - 1] = 1.0;
        Ok(SetLaw {
            width,
            fan_out,
            missed: (0..=fan_out as i32).map(|n| (1.0 - keep).powi(n)).collect(),
            law,
        })
    }

    /// One layer on.
    ///
    /// Cost: `width · 2^(width + fan_out − 1)`.
    pub fn step(&mut self) {
        let (width, fan_out) = (self.width, self.fan_out);
        // Bits: the units of the layer, and after them the first `fan_out − 1` targets, whose predecessors are all needed again.
        let mut state = vec![0.0; 1 << (width + fan_out - 1)];
        state[..1 << width].copy_from_slice(&self.law);
        for target in 0..width {
            let before: usize = (0..fan_out).map(|k| 1 << ((target + width - k) % width)).sum();
            let place = if target + 1 < fan_out {
                width + target
            } else {
                target + 1 - fan_out
            };
            let bit = 1 << place;
            for index in 0..state.len() {
                if index & bit != 0 {
                    continue;
                }
                let missed = |index: usize| self.missed[(index & before).count_ones() as usize];
                // In an extra place there is nothing yet at the other value of the bit.
                let (a, b) = (state[index], state[index | bit]);
                let (miss_a, miss_b) = (missed(index), missed(index | bit));
                state[index] = a * miss_a + b * miss_b;
                state[index | bit] = a * (1.0 - miss_a) + b * (1.0 - miss_b);
            }
        }
        // The places from 0 hold targets fan_out − 1, …; then come units that nobody needs, then targets 0, ….
        let kept = width + 1 - fan_out;
        self.law.fill(0.0);
        for (index, weight) in state.into_iter().enumerate() {
            let late = index & ((1 << kept) - 1);
            let early = index >> width;
            self.law[late << (fan_out - 1) | early] += weight;
        }
    }

    /// The probabilities of all reached sets; bit i of an index is unit i.
    pub fn law(&self) -> &[f64] {
        &self.law
    }

    /// The probability that some unit is reached: summed, not one minus the rest, so that it keeps its digits when it is small.
    pub fn alive(&self) -> f64 {
        self.law[1..].iter().sum()
    }

    /// The mean fraction of the layer that is reached.
    pub fn fraction(&self) -> f64 {
        let sum: f64 = self
            .law
            .iter()
            .enumerate()
            .map(|(set, p)| f64::from(set.count_ones()) * p)
            .sum();
        sum / self.width as f64
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LayeredGraph, ReachKernel};
    use super::*;
    use crate::seed::Seed;

    fn ring(width: usize, fan_out: usize, keep: f64) -> LayeredNetwork {
        LayeredNetwork {
            width,
            fan_out,
            keep,
            wiring: Wiring::Neighbouring,
        }
    }

    /// One layer by every subset of its edges.
    fn plain(network: &LayeredNetwork, law: &[f64]) -> Vec<f64> {
        let LayeredNetwork {
            width, fan_out, keep, ..
        } = *network;
        let mut next = vec![0.0; law.len()];
        let edges = width * fan_out;
        for kept in 0u32..1 << edges {
            let count = kept.count_ones() as i32;
            let chance = keep.powi(count) * (1.0 - keep).powi(edges as i32 - count);
            for (set, weight) in law.iter().enumerate() {
                let mut reached = 0usize;
                for unit in (0..width).filter(|u| set >> u & 1 == 1) {
                    for k in (0..fan_out).filter(|k| kept >> (unit * fan_out + k) & 1 == 1) {
                        reached |= 1 << ((unit + k) % width);
                    }
                }
                next[reached] += weight * chance;
            }
        }
        next
    }

    #[test]
    fn every_step_is_the_sum_over_all_edge_subsets() {
        for (width, fan_out, keep, sources) in [
            (1, 1, 0.3, 1),
            (3, 1, 0.7, 2),
            (3, 2, 0.6, 1),
            (5, 2, 0.45, 1),
            (4, 3, 0.2, 2),
            (3, 3, 0.5, 1),
            (2, 2, 0.9, 1),
        ] {
            let network = ring(width, fan_out, keep);
            let mut law = SetLaw::new(&network, sources).unwrap();
            let mut expected = law.law().to_vec();
            for _ in 0..4 {
                law.step();
                expected = plain(&network, &expected);
                for (found, truth) in law.law().iter().zip(&expected) {
                    // The plain sum rounds once an edge subset and layer.
                    let rounding = 4.0 * f64::EPSILON * f64::from(1u32 << (width * fan_out)).max(16.0);
                    assert!((found - truth).abs() < rounding, "{network:?}: {:e}", found - truth);
                }
            }
        }
    }

    #[test]
    fn wired_to_all_it_is_the_chain_of_the_reached_count() {
        let (width, keep) = (6, 0.2);
        let mut law = SetLaw::new(&ring(width, width, keep), 2).unwrap();
        let laws = ReachKernel::full(width, width, keep).unwrap().laws_from(2, 5).unwrap();
        for counts in &laws[1..] {
            law.step();
            for (count, truth) in counts.iter().enumerate() {
                let sets = law
                    .law()
                    .iter()
                    .enumerate()
                    .filter(|(set, _)| set.count_ones() as usize == count);
                let found: f64 = sets.map(|(_, p)| p).sum();
                assert!((found - truth).abs() < 1e-14);
            }
        }
    }

    #[test]
    fn simulation_by_words_agrees_and_small_probabilities_keep_their_digits() {
        let network = ring(12, 2, 0.6);
        let mut law = SetLaw::new(&network, 1).unwrap();
        let found = LayeredGraph::wired(&network, 30, &Seed::root(0)).unwrap();
        let found = found.percolate(0.6, 1, 500, &Seed::root(5)).unwrap();
        for layer in 1..=30 {
            law.step();
            let count = found.connected(layer).unwrap();
            assert!(
                crate::simulations::judging::plausible(count, found.replicates(), law.alive(), 1e-3 / 30.0),
                "{layer}"
            );
        }
        // Alone in a ring of one, a chain: keepⁿ to the last digits.
        let mut chain = SetLaw::new(&ring(1, 1, 1e-3), 1).unwrap();
        (0..60).for_each(|_| chain.step());
        assert!((chain.alive() / 1e-180 - 1.0).abs() < 1e-12);
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(
            SetLaw::new(
                &LayeredNetwork {
                    wiring: Wiring::Random,
                    ..ring(4, 2, 0.5)
                },
                1
            )
            .is_err()
        );
        assert!(SetLaw::new(&ring(24, 2, 0.5), 1).is_err() && SetLaw::new(&ring(23, 2, 0.5), 1).is_ok());
        assert!(SetLaw::new(&ring(4, 5, 0.5), 1).is_err() && SetLaw::new(&ring(4, 2, 1.5), 1).is_err());
        assert!(SetLaw::new(&ring(4, 2, 0.5), 5).is_err() && SetLaw::new(&ring(4, 2, 0.5), 0).is_err());
    }
}
