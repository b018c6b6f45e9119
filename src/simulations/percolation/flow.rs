//! How many paths a mask keeps that share nothing: what could be cut before inputs and outputs are apart.
//!
//! By Menger's theorem the largest number of paths from inputs to outputs without a common unit is the smallest number of units
//! whose loss cuts all paths, and the same with weights in place of units. Both are maximal flows with unit capacities, found by
//! Dinic's algorithm.

use super::LayerMask;
use super::masks::widths_of;
use crate::error::Result;

/// The largest numbers of disjoint paths from inputs to outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DisjointPaths {
    /// Without a common unit, inputs and outputs among them: at most the narrowest layer.
    pub by_units: usize,
    /// Without a common weight, though with common units.
    pub by_weights: usize,
}

/// Counts the disjoint paths of kept weights from all inputs to all outputs.
///
/// # Errors
/// [`Error::Argument`](crate::Error::Argument) without layers, [`Error::Shape`](crate::Error::Shape) where a layer's inputs are not the outputs of the one before.
///
/// Cost: `O(E √V)` for E kept weights and V units where units are not shared, `O(E^{3/2})` where weights are not (Even and Tarjan
/// 1975); memory some 40 bytes a kept weight.
///
/// ```
/// use ticketsense::simulations::percolation::{LayerMask, disjoint_paths};
/// // Three inputs and outputs through two hidden units.
/// let full = |outputs: usize, inputs: usize| LayerMask::new(outputs, inputs, vec![true; outputs * inputs]);
/// let found = disjoint_paths(&[full(2, 3)?, full(3, 2)?])?;
/// assert_eq!((found.by_units, found.by_weights), (2, 6));
/// # Ok::<(), ticketsense::Error>(())
/// ```
pub fn disjoint_paths(layers: &[LayerMask]) -> Result<DisjointPaths> {
    let widths = widths_of(layers)?;
    Ok(DisjointPaths {
        by_units: flow(layers, &widths, true),
        by_weights: flow(layers, &widths, false),
    })
}

fn flow(layers: &[LayerMask], widths: &[usize], units_once: bool) -> usize {
    let units: usize = widths.iter().sum();
    // Unit u is entered at node 2u and left at 2u + 1; source and sink come last.
    let (source, sink) = (2 * units, 2 * units + 1);
    let mut network = Network::new(2 * units + 2);
    let often = u32::MAX / 2;
    let through = if units_once { 1 } else { often };
    for unit in 0..units {
        network.connect(2 * unit, 2 * unit + 1, through);
    }
    let mut from = 0;
    for (layer, &width) in layers.iter().zip(widths) {
        let to = from + width;
        for (place, _) in layer.bits().iter().enumerate().filter(|(_, kept)| **kept) {
            let (output, input) = (place / width, place % width);
            network.connect(2 * (from + input) + 1, 2 * (to + output), 1);
        }
        from = to;
    }
    (0..widths[0]).for_each(|input| network.connect(source, 2 * input, often));
    (from..units).for_each(|output| network.connect(2 * output + 1, sink, often));
    network.maximal_flow(source, sink)
}

/// A directed graph with capacities; edge `e ^ 1` is edge e turned round.
struct Network {
    edges_of: Vec<Vec<u32>>,
    to: Vec<u32>,
    capacity: Vec<u32>,
    level: Vec<u32>,
    /// Edges of a node that have been tried in this phase.
    tried: Vec<u32>,
}

const UNSEEN: u32 = u32::MAX;

impl Network {
    fn new(nodes: usize) -> Self {
        Network {
            edges_of: vec![Vec::new(); nodes],
            to: Vec::new(),
            capacity: Vec::new(),
            level: vec![UNSEEN; nodes],
            tried: vec![0; nodes],
        }
    }

    fn connect(&mut self, from: usize, to: usize, capacity: u32) {
        for (a, b, capacity) in [(from, to, capacity), (to, from, 0)] {
            self.edges_of[a].push(self.to.len() as u32);
            self.to.push(b as u32);
            self.capacity.push(capacity);
        }
    }

    fn maximal_flow(&mut self, source: usize, sink: usize) -> usize {
        let mut flow = 0;
        while self.reaches(source, sink) {
            self.tried.fill(0);
            while self.augment(source, sink) {
                flow += 1;
            }
        }
        flow
    }

    /// Distances from the source along edges with capacity left.
    fn reaches(&mut self, source: usize, sink: usize) -> bool {
        self.level.fill(UNSEEN);
        self.level[source] = 0;
        let (mut queue, mut next) = (vec![source], 0);
        while next < queue.len() {
            let node = queue[next];
            next += 1;
            for &edge in &self.edges_of[node] {
                let to = self.to[edge as usize] as usize;
                if self.capacity[edge as usize] > 0 && self.level[to] == UNSEEN {
                    self.level[to] = self.level[node] + 1;
                    queue.push(to);
                }
            }
        }
        self.level[sink] != UNSEEN
    }

    /// One more unit of flow along a shortest path. Every path passes a weight, whose capacity is one.
    fn augment(&mut self, source: usize, sink: usize) -> bool {
        let mut path: Vec<u32> = Vec::new();
        let mut node = source;
        while node != sink {
            let tried = self.tried[node] as usize;
            if let Some(&edge) = self.edges_of[node].get(tried) {
                let to = self.to[edge as usize] as usize;
                if self.capacity[edge as usize] > 0 && self.level[to] == self.level[node] + 1 {
                    path.push(edge);
                    node = to;
                } else {
                    self.tried[node] += 1;
                }
            } else {
                // A dead end: back, and not this way again.
                let Some(edge) = path.pop() else { return false };
                node = self.to[edge as usize ^ 1] as usize;
                self.tried[node] += 1;
            }
        }
        for edge in path {
            self.capacity[edge as usize] -= 1;
            self.capacity[edge as usize ^ 1] += 1;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::connectivity;
    use super::*;
    use crate::seed::Seed;
    use rand::RngExt;

    fn random(widths: &[usize], keep: f64, number: u64) -> Vec<LayerMask> {
        let mut rng = Seed::root(number).rng();
        let pairs = widths.windows(2);
        pairs
            .map(|w| LayerMask::new(w[1], w[0], (0..w[0] * w[1]).map(|_| rng.random_bool(keep)).collect()).unwrap())
            .collect()
    }

    /// Whether a path is left without some units and weights.
    fn joined(layers: &[LayerMask], lost_units: u32, lost_weights: u32) -> bool {
        let (mut unit, mut weight) = (0, 0);
        let kept_units = |first: usize, count: usize| -> Vec<bool> {
            (first..first + count).map(|u| lost_units >> u & 1 == 0).collect()
        };
        let mut reached = kept_units(0, layers[0].inputs());
        for layer in layers {
            unit += layer.inputs();
            let alive = kept_units(unit, layer.outputs());
            let mut next = vec![false; layer.outputs()];
            for (place, _) in layer.bits().iter().enumerate().filter(|(_, kept)| **kept) {
                let (output, input) = (place / layer.inputs(), place % layer.inputs());
                if lost_weights >> weight & 1 == 0 && reached[input] && alive[output] {
                    next[output] = true;
                }
                weight += 1;
            }
            reached = next;
        }
        reached.contains(&true)
    }

    #[test]
    fn disjoint_paths_are_as_many_as_the_smallest_cut_has_units_or_weights() {
        for (number, widths) in [
            &[3usize, 3, 2][..],
            &[2, 3, 3, 2],
            &[4, 1, 3],
            &[3, 2],
            &[2, 2, 2, 2, 2],
        ]
        .iter()
        .enumerate()
        {
            for try_ in 0..6 {
                let layers = random(widths, 0.55, 10 * number as u64 + try_);
                let units: usize = widths.iter().sum();
                let weights: usize = layers.iter().map(LayerMask::kept).sum();
                let smallest = |count: usize, cuts: &dyn Fn(u32) -> bool| {
                    (0u32..1 << count)
                        .filter(|&lost| cuts(lost))
                        .map(|lost| lost.count_ones() as usize)
                        .min()
                        .unwrap()
                };
                let found = disjoint_paths(&layers).unwrap();
                assert_eq!(
                    found.by_units,
                    smallest(units, &|lost| !joined(&layers, lost, 0)),
                    "{widths:?} {try_}"
                );
                if weights <= 14 {
                    assert_eq!(
                        found.by_weights,
                        smallest(weights, &|lost| !joined(&layers, 0, lost)),
                        "{widths:?} {try_}"
                    );
                }
                assert_eq!(found.by_units > 0, connectivity(&layers).unwrap().is_connected());
                assert!(found.by_weights >= found.by_units);
            }
        }
    }

    #[test]
    fn a_full_network_has_as_many_as_its_narrowest_layer() {
        let found = disjoint_paths(&random(&[30, 12, 25, 9, 40], 1.0, 0)).unwrap();
        assert_eq!((found.by_units, found.by_weights), (9, 9 * 25));
    }

    #[test]
    fn layers_that_do_not_fit_are_refused() {
        assert!(disjoint_paths(&[]).is_err());
        let layer = random(&[2, 3], 1.0, 0).remove(0);
        assert!(disjoint_paths(&[layer.clone(), layer]).is_err());
    }
}
