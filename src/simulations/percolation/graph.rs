//! Given layered graphs, and percolation over them in machine words.

use super::super::coin::Coin;
use super::super::{require_between, require_probability};
use super::masks::widths_of;
use super::words::{LANES, Wires, WordCounts, Words, spread};
use super::{LayerMask, LayeredNetwork};
use crate::error::Result;
use crate::seed::Seed;

/// Which units of the next layer each unit of a layered network may reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayeredGraph {
    widths: Vec<usize>,
    /// Where the targets of a unit begin; units of all layers but the last are numbered through.
    pub(super) starts: Vec<u32>,
    /// Places in the next layer.
    pub(super) targets: Vec<u32>,
}

impl LayeredGraph {
    /// Layers in which every unit may reach every unit of the next one.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) for fewer than two layers, an empty one, or more than 2³¹ edges or units.
    pub fn full(widths: &[usize]) -> Result<Self> {
        let edges = |sum: usize, pair: &[usize]| sum.saturating_add(pair[0].saturating_mul(pair[1]));
        let edges = widths.windows(2).fold(0, edges);
        Self::build(widths, edges, |layer, _, targets| {
            targets.extend(0..widths[layer + 1] as u32)
        })
    }

    /// `depth` layers below the first, wired once: to neighbours, or to distinct targets drawn from `seed`.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) as [`LayeredNetwork::reached`], and for more than 2³¹ edges or units.
    pub fn wired(network: &LayeredNetwork, depth: usize, seed: &Seed) -> Result<Self> {
        network.check(depth)?;
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
    /// [`Error::Shape`](crate::Error::Shape) when a layer does not take what the one before it gives; otherwise as [`LayeredGraph::full`].
    pub fn of_masks(layers: &[LayerMask]) -> Result<Self> {
        let widths = widths_of(layers)?;
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
    /// [`Error::Argument`](crate::Error::Argument) for a probability outside `[0, 1]`, sources of 0 or beyond the first layer, or no batches.
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
