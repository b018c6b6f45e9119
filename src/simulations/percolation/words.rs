//! Percolation in 64 replicates at once, one bit of a machine word each.
//!
//! A unit holds one word: bit r says whether replicate r reaches it. An edge from u to v does `v |= u & coins`, where the
//! coins are 64 independent tosses, of which only those are decided that can change anything: lanes in which u is reached
//! and v is not. An edge costs a few random words for 64 replicates, instead of a random number for each.

use super::super::coin::Coin;
use super::super::{proportion, require_between, require_probability, sample_mean};
use super::{LayerMask, LayeredNetwork, Wiring};
use crate::error::{Error, Result};
use crate::outcome::Estimate;
use crate::seed::Seed;
use rand::{Rng, RngExt};

/// Replicates of one batch.
pub const LANES: usize = 64;

/// Which units of the next layer each unit of a layered network may reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayeredGraph {
    widths: Vec<usize>,
    /// Where the targets of a unit begin; units of all layers but the last are numbered through.
    starts: Vec<u32>,
    /// Places in the next layer.
    targets: Vec<u32>,
}

impl LayeredGraph {
    /// Layers in which every unit may reach every unit of the next one.
    ///
    /// # Errors
    /// [`Error::Argument`] for fewer than two layers, an empty one, or more than 2³¹ edges or units.
    pub fn full(widths: &[usize]) -> Result<Self> {
        let edges = widths.windows(2).map(|w| w[0].saturating_mul(w[1])).sum();
        Self::build(widths, edges, |layer, _, targets| {
            targets.extend(0..widths[layer + 1] as u32)
        })
    }

    /// `depth` layers below the first, wired once: to neighbours, or to distinct targets drawn from `seed`.
    ///
    /// # Errors
    /// [`Error::Argument`] as [`LayeredNetwork::reached`], and for more than 2³¹ edges or units.
    pub fn wired(network: &LayeredNetwork, depth: usize, seed: &Seed) -> Result<Self> {
        check(network)?;
        require_between("depth", depth, 1, 1 << 24)?;
        let widths = vec![network.width; depth + 1];
        let mut rng = seed.stream("wiring").rng();
        let mut wires = Wires::of(network);
        let edges = network.width.saturating_mul(network.fan_out).saturating_mul(depth);
        Self::build(&widths, edges, |_, unit, targets| {
            targets.extend_from_slice(wires.targets(unit, &mut rng))
        })
    }

    /// The kept weights of a network, from inputs to outputs.
    ///
    /// # Errors
    /// [`Error::Shape`] when a layer does not take what the one before it gives; otherwise as [`LayeredGraph::full`].
    pub fn of_masks(layers: &[LayerMask]) -> Result<Self> {
        let mut widths: Vec<usize> = layers.iter().take(1).map(LayerMask::inputs).collect();
        for layer in layers {
            if widths.last() != Some(&layer.inputs()) {
                return Err(Error::shape(
                    "inputs of a layer",
                    widths[widths.len() - 1],
                    layer.inputs(),
                ));
            }
            widths.push(layer.outputs());
        }
        let edges = layers.iter().map(LayerMask::kept).sum();
        Self::build(&widths, edges, |number, unit, targets| {
            let layer = &layers[number];
            let kept = |&to: &usize| layer.bits()[to * layer.inputs() + unit];
            targets.extend((0..layer.outputs()).filter(kept).map(|to| to as u32));
        })
    }

    fn build(widths: &[usize], edges: usize, mut wire: impl FnMut(usize, usize, &mut Vec<u32>)) -> Result<Self> {
        require_between("layers", widths.len(), 2, 1 << 25)?;
        for &width in widths {
            require_between("width", width, 1, 1 << 24)?;
        }
        require_between("edges", edges, 0, 1 << 31)?;
        let units: usize = widths[..widths.len() - 1].iter().sum();
        require_between("units", units, 1, 1 << 31)?;
        let mut graph = LayeredGraph {
            widths: widths.to_vec(),
            starts: Vec::with_capacity(units + 1),
            targets: Vec::with_capacity(edges),
        };
        graph.starts.push(0);
        for (layer, &width) in widths[..widths.len() - 1].iter().enumerate() {
            for unit in 0..width {
                wire(layer, unit, &mut graph.targets);
                graph.starts.push(graph.targets.len() as u32);
            }
        }
        Ok(graph)
    }

    /// Units of every layer.
    pub fn widths(&self) -> &[usize] {
        &self.widths
    }

    /// All edges.
    pub fn edges(&self) -> usize {
        self.targets.len()
    }

    fn targets_of(&self, unit: usize) -> &[u32] {
        &self.targets[self.starts[unit] as usize..self.starts[unit + 1] as usize]
    }

    /// Keeps every edge with probability `keep`, in `64 · batches` replicates, and follows the first `sources` units of the
    /// first layer to the last.
    ///
    /// Replicates are independent: batch b draws from `seed.replicate(b)`.
    ///
    /// # Errors
    /// [`Error::Argument`] for a probability outside `[0, 1]`, sources of 0 or beyond the first layer, or no batches.
    ///
    /// Cost: an edge of a unit that some replicate reaches takes about `2 + log₂ m` random words, m the replicates that it
    /// can still change; memory is two words a unit of a layer.
    ///
    /// ```
    /// use ticketsense::Seed;
    /// use ticketsense::simulations::percolation::LayeredGraph;
    /// // Two paths of two edges: 1 − (1 − ¼)² = 0.4375.
    /// let found = LayeredGraph::full(&[1, 2, 1])?.percolate(0.5, 1, 200, &Seed::root(0))?;
    /// assert!((found.connection_probability(2)?.value - 0.4375).abs() < 0.02);
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    pub fn percolate(&self, keep: f64, sources: usize, batches: usize, seed: &Seed) -> Result<WordCounts> {
        require_probability("keep probability", keep)?;
        require_between("sources", sources, 1, self.widths[0])?;
        require_between("batches", batches, 1, (1 << 30) / self.widths.len())?;
        let coin = Coin::new(keep);
        let mut counts = WordCounts::new(&self.widths, true);
        let mut words = Words::default();
        for batch in 0..batches {
            let mut rng = seed.replicate(batch as u64).rng();
            words.start(self.widths[0], sources);
            counts.record(&words.reached);
            let mut first = 0;
            for pair in self.widths.windows(2) {
                words.next.clear();
                words.next.resize(pair[1], 0);
                for (unit, &reached) in words.reached.iter().enumerate() {
                    if reached != 0 {
                        spread(reached, self.targets_of(first + unit), &mut words.next, coin, &mut rng);
                    }
                }
                first += pair[0];
                words.advance();
                counts.record(&words.reached);
            }
        }
        Ok(counts)
    }

    /// As [`LayeredGraph::percolate`] from all units of the first layer, and back from the last: for every hidden layer the
    /// units that no path from an input to an output passes, over all replicates, and the edges that one passes.
    ///
    /// # Errors
    /// As [`LayeredGraph::percolate`].
    ///
    /// Cost: one toss of 64 coins an edge of a reached unit; memory is one word an edge.
    pub fn live(&self, keep: f64, batches: usize, seed: &Seed) -> Result<LiveCounts> {
        require_probability("keep probability", keep)?;
        require_between("batches", batches, 1, (1 << 30) / self.widths.len())?;
        let coin = Coin::new(keep);
        let units: usize = self.widths.iter().sum();
        let (mut forward, mut backward) = (vec![0u64; units], vec![0u64; units]);
        let mut coins = vec![0u64; self.targets.len()];
        let mut found = LiveCounts {
            replicates: batches * LANES,
            connected: 0,
            live_units: vec![0; self.widths.len()],
            live_edges: 0,
        };
        let last = units - self.widths[self.widths.len() - 1];
        for batch in 0..batches {
            let mut rng = seed.replicate(batch as u64).rng();
            forward.fill(0);
            backward.fill(0);
            forward[..self.widths[0]].fill(u64::MAX);
            backward[last..].fill(u64::MAX);
            let mut first = 0;
            for &width in &self.widths[..self.widths.len() - 1] {
                let next = first + width;
                for unit in first..next {
                    for edge in self.starts[unit] as usize..self.starts[unit + 1] as usize {
                        coins[edge] = coin.toss_in(forward[unit], &mut rng);
                        forward[next + self.targets[edge] as usize] |= coins[edge];
                    }
                }
                first = next;
            }
            let mut next = last;
            for &width in self.widths[..self.widths.len() - 1].iter().rev() {
                for unit in next - width..next {
                    for edge in self.starts[unit] as usize..self.starts[unit + 1] as usize {
                        let passed = coins[edge] & backward[next + self.targets[edge] as usize];
                        backward[unit] |= passed;
                        found.live_edges += u64::from(passed.count_ones());
                    }
                }
                next -= width;
            }
            let mut unit = 0;
            for (layer, &width) in self.widths.iter().enumerate() {
                let live = forward[unit..unit + width].iter().zip(&backward[unit..unit + width]);
                found.live_units[layer] += live.map(|(f, b)| u64::from((f & b).count_ones())).sum::<u64>();
                unit += width;
            }
            let joined = backward[..self.widths[0]].iter().fold(0, |all, word| all | word);
            found.connected += joined.count_ones() as usize;
        }
        Ok(found)
    }
}

/// What [`LayeredGraph::live`] counted, summed over its replicates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveCounts {
    /// Independent replicates.
    pub replicates: usize,
    /// Those in which some input is joined to some output.
    pub connected: usize,
    /// Units of every layer on a path from an input to an output.
    pub live_units: Vec<u64>,
    /// Kept edges on such a path.
    pub live_edges: u64,
}

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
    /// Cost: as [`LayeredGraph::percolate`]; nothing is stored an edge.
    pub fn percolate(&self, sources: usize, depth: usize, batches: usize, seed: &Seed) -> Result<WordCounts> {
        check(self)?;
        require_between("sources", sources, 1, self.width)?;
        require_between("depth", depth, 1, 1 << 24)?;
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

fn check(network: &LayeredNetwork) -> Result<()> {
    require_between("width", network.width, 1, 1 << 24)?;
    require_between("fan-out", network.fan_out, 1, network.width)?;
    require_probability("keep probability", network.keep)
}

/// One unit's word through its edges.
#[inline]
fn spread(reached: u64, targets: &[u32], next: &mut [u64], coin: Coin, rng: &mut impl Rng) {
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
struct Words {
    reached: Vec<u64>,
    next: Vec<u64>,
}

impl Words {
    fn start(&mut self, width: usize, sources: usize) {
        self.reached.clear();
        self.reached.resize(width, 0);
        self.reached[..sources].fill(u64::MAX);
    }

    fn advance(&mut self) {
        std::mem::swap(&mut self.reached, &mut self.next);
    }
}

/// The targets of one unit after the other.
struct Wires {
    wiring: Wiring,
    width: usize,
    fan_out: usize,
    /// Random wiring: any permutation of the layer, whose first entries are swapped with random later ones.
    order: Vec<u32>,
}

impl Wires {
    fn of(network: &LayeredNetwork) -> Self {
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
    fn targets(&mut self, unit: usize, rng: &mut impl Rng) -> &[u32] {
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
    alive: Vec<u32>,
    /// Reached units, summed over the replicates of a batch.
    reached: Vec<u64>,
}

impl WordCounts {
    fn new(widths: &[usize], independent: bool) -> Self {
        WordCounts {
            widths: widths.to_vec(),
            independent,
            alive: Vec::new(),
            reached: Vec::new(),
        }
    }

    fn record(&mut self, words: &[u64]) {
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
    /// [`Error::Argument`] for a layer beyond the depth, as everywhere here.
    pub fn connected(&self, layer: usize) -> Result<usize> {
        Ok(self.column(&self.alive, layer)?.map(|count| count as usize).sum())
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

#[cfg(test)]
mod tests {
    use super::super::{ReachKernel, connectivity};
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

    /// The probability that some unit of each layer, and the mean number that, is reached: over all subsets of the edges.
    fn enumerated(graph: &LayeredGraph, keep: f64, sources: usize) -> Vec<(f64, f64)> {
        let edges = graph.edges();
        let mut found = vec![(0.0, 0.0); graph.widths().len()];
        for kept in 0u32..1 << edges {
            let count = kept.count_ones() as i32;
            let chance = keep.powi(count) * (1.0 - keep).powi(edges as i32 - count);
            let mut reached: u64 = (1 << sources) - 1;
            let mut first = 0;
            for (layer, &width) in graph.widths().iter().enumerate() {
                found[layer].0 += chance * f64::from(u8::from(reached != 0));
                found[layer].1 += chance * f64::from(reached.count_ones());
                let mut next = 0;
                if layer + 1 < graph.widths().len() {
                    for unit in (0..width).filter(|u| reached >> u & 1 == 1) {
                        for edge in graph.starts[first + unit]..graph.starts[first + unit + 1] {
                            if kept >> edge & 1 == 1 {
                                next |= 1 << graph.targets[edge as usize];
                            }
                        }
                    }
                }
                first += width;
                reached = next;
            }
        }
        found
    }

    #[test]
    fn words_agree_with_the_enumeration_of_all_edge_subsets() {
        const BATCHES: usize = 400;
        let mask = LayerMask::new(3, 2, vec![true, false, true, true, false, true]).unwrap();
        let out = LayerMask::new(2, 3, vec![true, true, false, false, true, true]).unwrap();
        let graphs = [
            (LayeredGraph::full(&[2, 3, 2]).unwrap(), 1),
            (LayeredGraph::full(&[1, 2, 2, 1]).unwrap(), 1),
            (LayeredGraph::of_masks(&[mask, out]).unwrap(), 2),
            (
                LayeredGraph::wired(&network(3, 2, 1.0, Wiring::Neighbouring), 2, &Seed::root(0)).unwrap(),
                1,
            ),
            (
                LayeredGraph::wired(&network(3, 2, 1.0, Wiring::Random), 2, &Seed::root(0)).unwrap(),
                2,
            ),
        ];
        let level = 1e-3 / 40.0;
        for (number, (graph, sources)) in graphs.iter().enumerate() {
            for keep in [0.3, 0.75] {
                let seed = Seed::root(1).stream(format!("{number} {keep}"));
                let found = graph.percolate(keep, *sources, BATCHES, &seed).unwrap();
                for (layer, (alive, mean)) in enumerated(graph, keep, *sources).into_iter().enumerate() {
                    let count = found.connected(layer).unwrap();
                    assert!(
                        plausible(count, BATCHES * LANES, alive, level),
                        "{number} {keep} {layer}"
                    );
                    let estimate = found.fraction(layer).unwrap();
                    let Certainty::Sampled { standard_error, .. } = estimate.certainty else {
                        panic!()
                    };
                    let gap = (estimate.value - mean / graph.widths()[layer] as f64).abs();
                    assert!(
                        gap <= deviations(level) * standard_error + 1e-12,
                        "{number} {keep} {layer}: {gap}"
                    );
                }
            }
        }
    }

    #[test]
    fn random_wiring_by_words_follows_the_exact_law_with_errors_between_batches() {
        const BATCHES: usize = 1000;
        let (width, fan_out, keep, depth) = (12, 3, 0.45, 8);
        let found = network(width, fan_out, keep, Wiring::Random)
            .percolate(1, depth, BATCHES, &Seed::root(2))
            .unwrap();
        assert!(!found.are_independent() && found.replicates() == BATCHES * LANES);
        let laws = ReachKernel::random_wiring(width, fan_out, keep)
            .unwrap()
            .laws_from(1, depth)
            .unwrap();
        for layer in [1, 3, depth] {
            let mean: f64 = laws[layer].iter().enumerate().map(|(n, p)| n as f64 * p).sum();
            for (estimate, truth) in [
                (found.connection_probability(layer).unwrap(), 1.0 - laws[layer][0]),
                (found.fraction(layer).unwrap(), mean / width as f64),
            ] {
                let Certainty::Sampled {
                    standard_error,
                    replicates,
                } = estimate.certainty
                else {
                    panic!()
                };
                assert_eq!(replicates, BATCHES);
                let gap = (estimate.value - truth).abs();
                assert!(
                    gap <= deviations(1e-3 / 6.0) * standard_error,
                    "{layer}: {gap} {standard_error}"
                );
            }
        }
    }

    #[test]
    fn given_and_implicit_neighbours_are_the_same_to_the_bit_and_batches_extend_a_run() {
        let net = network(30, 3, 0.4, Wiring::Neighbouring);
        let graph = LayeredGraph::wired(&net, 12, &Seed::root(0)).unwrap();
        assert_eq!(graph.edges(), 30 * 3 * 12);
        let few = net.percolate(5, 12, 3, &Seed::root(7)).unwrap();
        assert_eq!(few, graph.percolate(0.4, 5, 3, &Seed::root(7)).unwrap());
        let many = net.percolate(5, 12, 5, &Seed::root(7)).unwrap();
        assert_eq!(many.alive[..few.alive.len()], few.alive);
        assert_eq!(many.reached[..few.reached.len()], few.reached);
    }

    #[test]
    fn live_units_and_edges_are_those_of_the_masks_that_were_kept() {
        // With every edge kept the counts are those of the mask itself.
        let first = LayerMask::new(3, 4, (0..12).map(|i| i % 3 != 1).collect()).unwrap();
        let second = LayerMask::new(2, 3, vec![true, false, false, false, false, true]).unwrap();
        let masks = [first, second];
        let graph = LayeredGraph::of_masks(&masks).unwrap();
        let found = graph.live(1.0, 2, &Seed::root(0)).unwrap();
        let truth = connectivity(&masks).unwrap();
        assert_eq!(found.connected, found.replicates);
        assert_eq!(found.live_units[1] as usize, 128 * truth.live_units(1).unwrap());
        let live = truth.effective_density() * 18.0 * 128.0;
        assert!(
            (found.live_edges as f64 - live).abs() < 1e-6,
            "{} {live}",
            found.live_edges
        );
        // One chain of two edges: everything lives together, with probability keep².
        let chain = LayeredGraph::full(&[1, 1, 1]).unwrap();
        let found = chain.live(0.6, 300, &Seed::root(3)).unwrap();
        assert!(plausible(found.connected, found.replicates, 0.36, 1e-3));
        assert_eq!(found.live_units, [found.connected as u64; 3]);
        assert_eq!(found.live_edges, 2 * found.connected as u64);
    }

    #[test]
    fn nonsense_is_refused() {
        let seed = Seed::root(0);
        let graph = LayeredGraph::full(&[2, 2]).unwrap();
        for (keep, sources, batches) in [(1.5, 1, 1), (f64::NAN, 1, 1), (0.5, 0, 1), (0.5, 3, 1), (0.5, 1, 0)] {
            assert!(graph.percolate(keep, sources, batches, &seed).is_err());
        }
        assert!(graph.live(2.0, 1, &seed).is_err());
        assert!(LayeredGraph::full(&[3]).is_err() && LayeredGraph::full(&[3, 0]).is_err());
        assert!(LayeredGraph::full(&[1 << 20, 1 << 20]).is_err());
        let narrow = LayerMask::new(2, 3, vec![true; 6]).unwrap();
        assert!(LayeredGraph::of_masks(&[narrow.clone(), narrow]).is_err() && LayeredGraph::of_masks(&[]).is_err());
        assert!(network(3, 4, 0.5, Wiring::Random).percolate(1, 2, 1, &seed).is_err());
        let found = network(3, 2, 0.5, Wiring::Random).percolate(1, 2, 1, &seed).unwrap();
        assert!(found.connected(3).is_err() && found.fraction(9).is_err() && found.connection_probability(2).is_err());
    }
}
