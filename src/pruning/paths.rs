//! Which kept weights lie on a path from an input to an output, in any network of which that can be said.
//!
//! A mask may keep weights that do nothing: those into a unit whose every weight towards the outputs is pruned carry
//! nothing on, those out of a unit that no input reaches carry a constant. What is left without them is the *effective*
//! density (Vysogorets & Kempe, JMLR 2023). On multilayer perceptrons this is
//! [`connectivity`](crate::simulations::percolation::connectivity).

use super::edges::{for_each_edge, recurrent_edges};
use crate::error::{Error, Result};
use crate::networks::{Layer, Network, Normalisation, NormalisedOver, Recurrent, Residual, Slot};
use crate::support::Mask;

/// The kept weights of a mask that lie on a path of kept weights from an input to an output.
///
/// A path goes through an activation, dropout and batch normalisation entry by entry; from every entry of a window to what
/// pools it; from every entry of a layer or group normalisation to every other that shares its statistics; through either
/// side of a residual layer; and through a recurrent cell step by step. A weight used at several places (a convolution, a
/// tied cell) is live when one of its uses is.
///
/// ```
/// use ticketsense::networks::Network;
/// use ticketsense::pruning::LivePaths;
/// let network = Network::preset("mlp:2:no-bias", 2, 1)?;
/// let mut mask = network.layout().full_mask();
/// mask.set(2, false); // both weights into the second hidden unit
/// mask.set(3, false);
/// let paths = LivePaths::of(&network, &mask)?;
/// assert!(!paths.live().keeps(5)); // and so the weight out of it carries nothing
/// assert_eq!((paths.density(), paths.effective_density()), (4.0 / 6.0, 3.0 / 6.0));
/// assert!(paths.is_connected() && paths.dead_layers().is_empty());
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LivePaths {
    live: Mask,
    layers: Vec<LayerPaths>,
    dead_branches: Vec<String>,
    reached_outputs: usize,
}

/// The weights of one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerPaths {
    /// Slot name, such as `dense0.weight`.
    pub name: String,
    /// Weights, kept or not.
    pub weights: usize,
    /// Kept weights.
    pub kept: usize,
    /// Kept weights on a path from an input to an output.
    pub live: usize,
}

impl LivePaths {
    /// Follows the kept weights of a network forwards from all inputs and backwards from all outputs.
    ///
    /// # Errors
    /// [`Error::Argument`] for a network with attention, where entries multiply each other and no path says what depends on
    /// what; as [`Layout::check_mask`](crate::networks::Layout::check_mask) for a mask that does not fit.
    ///
    /// Cost: two passes over the uses of the kept weights.
    pub fn of(network: &Network, mask: &Mask) -> Result<Self> {
        Self::check(network)?;
        network.layout().check_mask(mask)?;
        let mut follower = Follower {
            slots: network.layout().slots(),
            mask,
            live: network.layout().full_mask(),
            residuals: 0,
            dead_branches: Vec::new(),
        };
        for &weight in network.layout().weights().indices() {
            follower.live.set(weight, false);
        }
        let trace = follower.forwards(network.layers(), vec![true; network.inputs()]);
        let reached_outputs = trace.outputs().iter().filter(|&&reached| reached).count();
        follower.backwards(network.layers(), &trace, vec![true; network.classes()]);
        follower.dead_branches.sort_unstable();
        let dead_branches = follower.dead_branches.iter();
        let dead_branches = dead_branches.map(|(number, side)| format!("residual{number}.{side}"));
        let dead_branches = dead_branches.collect();
        let live = follower.live;
        let layers = network.layout().weight_slots().map(|slot| LayerPaths {
            name: slot.name.clone(),
            weights: slot.len(),
            kept: mask.kept_in(slot.range.clone()),
            live: live.kept_in(slot.range.clone()),
        });
        Ok(LivePaths {
            layers: layers.collect(),
            dead_branches,
            reached_outputs,
            live,
        })
    }

    /// Refuses a network of which no path can be followed, whatever the mask.
    ///
    /// # Errors
    /// As [`LivePaths::of`].
    pub fn check(network: &Network) -> Result<()> {
        if contains(network.layers(), &|layer| matches!(layer, Layer::Attention(_))) {
            return Err(Error::argument(
                "network of live paths",
                "layers that add up what comes in, since attention multiplies it",
                network.name(),
            ));
        }
        Ok(())
    }

    /// The mask without the weights that lie on no path; biases stay kept.
    pub fn live(&self) -> &Mask {
        &self.live
    }

    /// The counts of every weight layer, from input to output.
    pub fn layers(&self) -> &[LayerPaths] {
        &self.layers
    }

    /// Kept weights as a fraction of all.
    pub fn density(&self) -> f64 {
        self.fraction(|layer| layer.kept)
    }

    /// Kept weights on a path from an input to an output, as a fraction of all weights; at most the density.
    pub fn effective_density(&self) -> f64 {
        self.fraction(|layer| layer.live)
    }

    fn fraction(&self, count: impl Fn(&LayerPaths) -> usize) -> f64 {
        let weights: usize = self.layers.iter().map(|layer| layer.weights).sum();
        self.layers.iter().map(count).sum::<usize>() as f64 / weights.max(1) as f64
    }

    /// The weight layers without a live weight, by slot name: whether nothing of them is kept or what is kept is cut off.
    pub fn dead_layers(&self) -> Vec<&str> {
        let dead = self.layers.iter().filter(|layer| layer.live == 0);
        dead.map(|layer| layer.name.as_str()).collect()
    }

    /// The sides of residual layers that carry nothing from an input to an output, such as `residual1.branch` or
    /// `residual0.shortcut`, numbered from the input.
    pub fn dead_branches(&self) -> &[String] {
        &self.dead_branches
    }

    /// Outputs that some input reaches.
    pub fn reached_outputs(&self) -> usize {
        self.reached_outputs
    }

    /// Whether any path leads from an input to an output.
    pub fn is_connected(&self) -> bool {
        self.reached_outputs > 0
    }
}

pub(super) fn contains(layers: &[Layer], found: &dyn Fn(&Layer) -> bool) -> bool {
    layers
        .iter()
        .any(|layer| found(layer) || layer.inner().any(|inner| contains(std::slice::from_ref(inner), found)))
}

/// Which entries an input reaches, before the first layer and after each.
struct Trace {
    values: Vec<Vec<bool>>,
    memories: Vec<Memory>,
}

enum Memory {
    Nothing,
    /// The inputs of a recurrent cell and its hidden states.
    States(Vec<bool>),
    /// The number of a residual layer, its branch and its shortcut.
    Sides(usize, Trace, Trace),
}

impl Trace {
    fn outputs(&self) -> &[bool] {
        &self.values[self.values.len() - 1]
    }
}

struct Follower<'a> {
    slots: &'a [Slot],
    mask: &'a Mask,
    live: Mask,
    residuals: usize,
    dead_branches: Vec<(usize, &'static str)>,
}

impl Follower<'_> {
    fn forwards(&mut self, layers: &[Layer], reached: Vec<bool>) -> Trace {
        let mut trace = Trace {
            values: vec![reached],
            memories: Vec::with_capacity(layers.len()),
        };
        for layer in layers {
            let (next, memory) = self.step(layer, trace.outputs());
            trace.values.push(next);
            trace.memories.push(memory);
        }
        trace
    }

    fn step(&mut self, layer: &Layer, reached: &[bool]) -> (Vec<bool>, Memory) {
        let keeps = |weight: usize| self.mask.keeps(weight);
        match layer {
            Layer::Residual(Residual { branch, shortcut }) => {
                let number = self.residuals;
                self.residuals += 1;
                let branch = self.forwards(branch, reached.to_vec());
                let shortcut = self.forwards(shortcut, reached.to_vec());
                let either = branch.outputs().iter().zip(shortcut.outputs()).map(|(a, b)| *a || *b);
                (either.collect(), Memory::Sides(number, branch, shortcut))
            }
            Layer::Recurrent(cell) => {
                let mut states = reached.to_vec();
                states.resize(reached.len() + cell.steps * cell.hidden, false);
                for step in 0..cell.steps {
                    recurrent_edges(cell, step, self.slots, keeps, |_, from, to| states[to] |= states[from]);
                }
                (states[states.len() - cell.hidden..].to_vec(), Memory::States(states))
            }
            Layer::Normalisation(layer) => (shared(layer, reached.to_vec()), Memory::Nothing),
            _ => match outputs_of(layer) {
                Some(outputs) => {
                    let mut next = vec![false; outputs];
                    // A token stands for any row of the embedding.
                    let token = matches!(layer, Layer::Embedding(_));
                    for_each_edge(layer, self.slots, keeps, |_, from, to| {
                        next[to] |= token || reached[from]
                    });
                    (next, Memory::Nothing)
                }
                None => (reached.to_vec(), Memory::Nothing),
            },
        }
    }

    /// Marks the live weights and returns which entries before the first layer lead to an output.
    fn backwards(&mut self, layers: &[Layer], trace: &Trace, mut leads: Vec<bool>) -> Vec<bool> {
        let steps = layers.iter().zip(&trace.memories).zip(&trace.values);
        for ((layer, memory), reached) in steps.rev() {
            leads = self.step_back(layer, reached, memory, leads);
        }
        leads
    }

    fn step_back(&mut self, layer: &Layer, reached: &[bool], memory: &Memory, leads: Vec<bool>) -> Vec<bool> {
        match (layer, memory) {
            (Layer::Residual(Residual { branch, shortcut }), Memory::Sides(number, of_branch, of_shortcut)) => {
                for (side, trace) in [("branch", of_branch), ("shortcut", of_shortcut)] {
                    if !trace
                        .outputs()
                        .iter()
                        .zip(&leads)
                        .any(|(reached, leads)| *reached && *leads)
                    {
                        self.dead_branches.push((*number, side));
                    }
                }
                let before = self.backwards(shortcut, of_shortcut, leads.clone());
                let other = self.backwards(branch, of_branch, leads);
                before.iter().zip(&other).map(|(a, b)| *a || *b).collect()
            }
            (Layer::Recurrent(cell), Memory::States(states)) => self.cell_back(cell, states, &leads),
            (Layer::Normalisation(layer), _) => shared(layer, leads),
            _ if outputs_of(layer).is_some() => {
                let mut before = vec![false; reached.len()];
                let (mask, live) = (self.mask, &mut self.live);
                let token = matches!(layer, Layer::Embedding(_));
                for_each_edge(
                    layer,
                    self.slots,
                    |weight| mask.keeps(weight),
                    |weight, from, to| {
                        if leads[to] {
                            if let Some(weight) = weight.filter(|_| token || reached[from]) {
                                live.set(weight, true);
                            }
                            if !token {
                                before[from] = true;
                            }
                        }
                    },
                );
                before
            }
            _ => leads,
        }
    }

    fn cell_back(&mut self, cell: &Recurrent, states: &[bool], leads: &[bool]) -> Vec<bool> {
        let mut leading = vec![false; states.len()];
        let last = states.len() - cell.hidden;
        leading[last..].copy_from_slice(leads);
        let (mask, live) = (self.mask, &mut self.live);
        for step in (0..cell.steps).rev() {
            recurrent_edges(
                cell,
                step,
                self.slots,
                |weight| mask.keeps(weight),
                |weight, from, to| {
                    if leading[to] {
                        leading[from] = true;
                        if states[from] {
                            live.set(weight, true);
                        }
                    }
                },
            );
        }
        leading.truncate(cell.steps * cell.inputs);
        leading
    }
}

/// Entries that go out of a layer with connections of its own; none for those that act entry by entry.
fn outputs_of(layer: &Layer) -> Option<usize> {
    match layer {
        Layer::Dense(dense) => Some(dense.positions * dense.outputs),
        Layer::Embedding(embedding) => Some(embedding.0.positions * embedding.0.outputs),
        Layer::Convolution(convolution) => Some(convolution.positions() * convolution.to.channels),
        Layer::Pooling(pooling) => {
            let to = pooling.to();
            Some(to.channels * to.height * to.width)
        }
        Layer::Interleave(interleave) => Some(interleave.channels * interleave.positions),
        _ => None,
    }
}

/// Every entry that shares statistics with a marked one is marked. Batch normalisation is a map of single entries: its
/// statistics belong to other samples.
fn shared(layer: &Normalisation, mut marks: Vec<bool>) -> Vec<bool> {
    let (positions, channels) = (layer.positions, layer.channels);
    // Positions and channels of every set that shares statistics.
    let (blocks, width) = match layer.over {
        NormalisedOver::Batch { .. } => return marks,
        NormalisedOver::Layer => (positions, channels),
        NormalisedOver::Groups(groups) => (1, channels / groups.max(1)),
    };
    let height = positions / blocks.max(1);
    for block in 0..blocks {
        for group in 0..channels / width.max(1) {
            let entries = || {
                (block * height..(block + 1) * height)
                    .flat_map(|place| (0..width).map(move |c| place * channels + group * width + c))
            };
            if entries().any(|entry| marks[entry]) {
                entries().for_each(|entry| marks[entry] = true);
            }
        }
    }
    marks
}

#[cfg(test)]
#[path = "paths_tests.rs"]
mod tests;
