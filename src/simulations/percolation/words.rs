//! Percolation in 64 replicates at once, one bit of a machine word each.
//!
//! A unit holds one word: bit r says whether replicate r reaches it. An edge from u to v does `v |= u & coins`, where the
//! coins are 64 independent tosses, of which only those are decided that can change anything: lanes in which u is reached
//! and v is not. An edge costs a few random words for 64 replicates, instead of a random number for each.

use super::super::coin::Coin;
use super::super::{proportion, require_between, sample_mean};
use super::{LayeredNetwork, Wiring};
use crate::error::Result;
use crate::outcome::Estimate;
use crate::seed::Seed;
use rand::{Rng, RngExt};

/// Replicates of one batch.
pub const LANES: usize = 64;

impl LayeredNetwork {
    /// As [`LayeredNetwork::reached`] in `64 · batches` replicates by machine words.
    ///
    /// Neighbouring wiring is the same in all replicates and they are independent. Random wiring is drawn anew in every
    /// batch for the units that it reaches, and shared by its 64 replicates, whose edges are kept independently: each of them
    /// is a draw from the law of [`LayeredNetwork::reached`], but those of one batch are correlated. Standard errors are
    /// taken between batches then.
    ///
    /// # Errors
    /// As [`LayeredNetwork::reached`].
    ///
    /// Cost: as [`LayeredGraph::percolate`](super::LayeredGraph::percolate); nothing is stored an edge.
    pub fn percolate(&self, sources: usize, depth: usize, batches: usize, seed: &Seed) -> Result<WordCounts> {
        self.check(depth)?;
        require_between("sources", sources, 1, self.width)?;
        require_between("batches", batches, 1, (1 << 30) / (depth + 1))?;
        let coin = Coin::new(self.keep);
        let mut counts = WordCounts::new(&vec![self.width; depth + 1], self.wiring == Wiring::Neighbouring);
        let mut words = Words::default();
        let mut wires = Wires::of(self);
        for batch in 0..batches {
            let mut rng = seed.replicate(batch as u64).rng();
            // A batch must not depend on those before it.
            wires.reset();
            words.start(self.width, sources);
            counts.record(&words.reached);
            for _ in 0..depth {
                words.next.clear();
                words.next.resize(self.width, 0);
                for (unit, &reached) in words.reached.iter().enumerate() {
                    if reached != 0 {
                        let targets = wires.targets(unit, &mut rng);
                        spread(reached, targets, &mut words.next, coin, &mut rng);
                    }
                }
                words.advance();
                counts.record(&words.reached);
            }
        }
        Ok(counts)
    }
}

/// One unit's word through its edges.
#[inline]
pub(super) fn spread(reached: u64, targets: &[u32], next: &mut [u64], coin: Coin, rng: &mut impl Rng) {
    for &target in targets {
        let word = &mut next[target as usize];
        let open = reached & !*word;
        if open != 0 {
            *word |= coin.toss_in(open, rng);
        }
    }
}

/// Two layers of words.
#[derive(Default)]
pub(super) struct Words {
    pub reached: Vec<u64>,
    pub next: Vec<u64>,
}

impl Words {
    pub fn start(&mut self, width: usize, sources: usize) {
        self.reached.clear();
        self.reached.resize(width, 0);
        self.reached[..sources].fill(u64::MAX);
    }

    pub fn advance(&mut self) {
        std::mem::swap(&mut self.reached, &mut self.next);
    }
}

/// The targets of one unit after the other.
pub(super) struct Wires {
    wiring: Wiring,
    width: usize,
    fan_out: usize,
    /// Random wiring: any permutation of the layer, whose first entries are swapped with random later ones.
    order: Vec<u32>,
}

impl Wires {
    pub fn of(network: &LayeredNetwork) -> Self {
        let LayeredNetwork {
            wiring, width, fan_out, ..
        } = *network;
        Wires {
            wiring,
            width,
            fan_out,
            order: (0..width as u32).collect(),
        }
    }

    fn reset(&mut self) {
        self.order.iter_mut().zip(0..).for_each(|(target, i)| *target = i);
    }

    #[inline]
    pub fn targets(&mut self, unit: usize, rng: &mut impl Rng) -> &[u32] {
        match self.wiring {
            Wiring::Random => {
                for k in 0..self.fan_out {
                    self.order.swap(k, rng.random_range(k..self.width));
                }
            }
            Wiring::Neighbouring => {
                for k in 0..self.fan_out {
                    let target = unit + k;
                    self.order[k] = (if target < self.width {
                        target
                    } else {
                        target - self.width
                    }) as u32;
                }
            }
        }
        &self.order[..self.fan_out]
    }
}

/// Reached units by batch of 64 replicates and layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WordCounts {
    widths: Vec<usize>,
    independent: bool,
    /// Replicates of a batch in which some unit of the layer is reached.
    pub(super) alive: Vec<u32>,
    /// Reached units, summed over the replicates of a batch.
    pub(super) reached: Vec<u64>,
}

impl WordCounts {
    pub(super) fn new(widths: &[usize], independent: bool) -> Self {
        WordCounts {
            widths: widths.to_vec(),
            independent,
            alive: Vec::new(),
            reached: Vec::new(),
        }
    }

    pub(super) fn record(&mut self, words: &[u64]) {
        let (mut any, mut sum) = (0, 0);
        for &word in words {
            any |= word;
            sum += u64::from(word.count_ones());
        }
        self.alive.push(any.count_ones());
        self.reached.push(sum);
    }

    /// The number of replicates.
    pub fn replicates(&self) -> usize {
        self.alive.len() / self.widths.len() * LANES
    }

    /// Layers below the sources.
    pub fn depth(&self) -> usize {
        self.widths.len() - 1
    }

    /// Whether all replicates are independent; otherwise those of different batches are.
    pub fn are_independent(&self) -> bool {
        self.independent
    }

    fn column<'a, T: Copy>(&self, values: &'a [T], layer: usize) -> Result<impl Iterator<Item = T> + 'a> {
        require_between("layer", layer, 0, self.depth())?;
        Ok(values.iter().copied().skip(layer).step_by(self.widths.len()))
    }

    /// The number of replicates in which some unit of a layer is reached.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) for a layer beyond the depth, as everywhere here.
    pub fn connected(&self, layer: usize) -> Result<usize> {
        Ok(self.column(&self.alive, layer)?.map(|count| count as usize).sum())
    }

    /// The reached units of a layer, summed over all replicates.
    ///
    /// # Errors
    /// As [`WordCounts::connected`].
    pub fn reached_units(&self, layer: usize) -> Result<u64> {
        Ok(self.column(&self.reached, layer)?.sum())
    }

    /// The estimated probability that some unit of a layer is reached: with its binomial standard error where replicates are
    /// independent, and that between batches where they are not.
    ///
    /// # Errors
    /// As [`WordCounts::connected`], and for a single batch of replicates that are not independent.
    pub fn connection_probability(&self, layer: usize) -> Result<Estimate<f64>> {
        if self.independent {
            return Ok(proportion(self.connected(layer)?, self.replicates()));
        }
        let shares: Vec<f64> = self
            .column(&self.alive, layer)?
            .map(|count| f64::from(count) / LANES as f64)
            .collect();
        sample_mean(&shares)
    }

    /// The mean fraction of a layer that is reached, with its standard error between batches.
    ///
    /// # Errors
    /// As [`WordCounts::connected`], and for a single batch.
    pub fn fraction(&self, layer: usize) -> Result<Estimate<f64>> {
        let all = (LANES * self.widths[layer.min(self.depth())]) as f64;
        let shares: Vec<f64> = self.column(&self.reached, layer)?.map(|sum| sum as f64 / all).collect();
        sample_mean(&shares)
    }
}
