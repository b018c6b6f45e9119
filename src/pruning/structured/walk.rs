//! Which rows and columns of which weights belong to which unit: one walk from input to output.

use super::{UnitFamily, UnitKind};
use crate::networks::{Dense, Layer, Layout, Network, Normalisation, NormalisedOver};

/// What the rows or the columns of a weight stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Inputs of the network: they stay.
    Fixed,
    /// Units of a family: `unit = (index / block) % units`.
    Of {
        family: usize,
        /// Neighbouring indices of one unit: the width of a head, 1 otherwise.
        block: usize,
        /// Units of the family.
        units: usize,
    },
}

impl Side {
    /// The family and unit of an index.
    pub fn unit(self, index: usize) -> Option<(usize, usize)> {
        match self {
            Side::Fixed => None,
            Side::Of { family, block, units } => Some((family, index / block % units)),
        }
    }
}

/// A weight slot as rows (what it gives) times columns (what it takes).
#[derive(Clone, Copy, Debug)]
pub(super) struct WeightSides {
    pub slot: usize,
    pub rows: Side,
    pub columns: Side,
}

/// A slot of one entry a unit: biases, scales, shifts, running statistics.
#[derive(Clone, Copy, Debug)]
pub(super) struct EntrySides {
    pub slot: usize,
    pub entries: Side,
}

/// The walk, and what it has found.
pub(super) struct Walk<'a> {
    layout: &'a Layout,
    pub families: Vec<UnitFamily>,
    /// Families that were tied together point to an earlier one.
    parent: Vec<usize>,
    pub weights: Vec<WeightSides>,
    pub entries: Vec<EntrySides>,
}

impl<'a> Walk<'a> {
    /// Walks through a network; families that are tied together have become one, in order of their first unit.
    pub fn through(network: &'a Network) -> Self {
        let mut walk = Walk {
            layout: network.layout(),
            families: Vec::new(),
            parent: Vec::new(),
            weights: Vec::new(),
            entries: Vec::new(),
        };
        let end = walk.layers(network.layers(), Side::Fixed);
        walk.keep_whole(end, || "its units are the outputs of the network".into());
        walk.join_tied();
        walk
    }

    fn layers(&mut self, layers: &[Layer], from: Side) -> Side {
        layers.iter().fold(from, |side, layer| self.layer(layer, side))
    }

    fn layer(&mut self, layer: &Layer, from: Side) -> Side {
        match layer {
            Layer::Dense(dense) => self.dense(dense, UnitKind::Neuron, from),
            Layer::Embedding(embedding) => self.dense(&embedding.0, UnitKind::Neuron, Side::Fixed),
            Layer::Convolution(convolution) => {
                let to = self.family(UnitKind::Channel, convolution.to.channels);
                self.weight(convolution.weight, to, from);
                self.entry(convolution.bias, to);
                to
            }
            Layer::Normalisation(normalisation) => {
                self.normalisation(normalisation, from);
                from
            }
            Layer::Residual(residual) => {
                let branch = self.layers(&residual.branch, from);
                let shortcut = self.layers(&residual.shortcut, from);
                self.tie(branch, shortcut)
            }
            Layer::Attention(attention) => {
                let heads = self.family(UnitKind::Head, attention.heads);
                let heads = match heads {
                    Side::Of { family, units, .. } => Side::Of {
                        family,
                        block: attention.width / attention.heads,
                        units,
                    },
                    fixed => fixed,
                };
                for part in [&attention.query, &attention.key, &attention.value] {
                    self.weight(part.weight, heads, from);
                    self.entry(part.bias, heads);
                }
                self.dense(&attention.output, UnitKind::Neuron, heads)
            }
            Layer::Recurrent(recurrent) => {
                let to = self.family(UnitKind::Neuron, recurrent.hidden);
                let mut seen = Vec::new();
                let inputs = recurrent.input_weight.iter().map(|&slot| (slot, from));
                for (slot, columns) in inputs.chain(recurrent.hidden_weight.iter().map(|&slot| (slot, to))) {
                    if !seen.contains(&slot) {
                        seen.push(slot);
                        self.weight(slot, to, columns);
                    }
                }
                for &slot in &recurrent.bias {
                    if !seen.contains(&slot) {
                        seen.push(slot);
                        self.entry(Some(slot), to);
                    }
                }
                to
            }
            // Channel by channel and without parameters. A layer that is added later and mixes channels has to be named
            // here: what is not known keeps what feeds it whole.
            Layer::Activation(_)
            | Layer::Interleave(_)
            | Layer::Pooling(_)
            | Layer::Dropout(_)
            | Layer::Positions(_) => from,
        }
    }

    fn dense(&mut self, dense: &Dense, kind: UnitKind, from: Side) -> Side {
        let to = self.family(kind, dense.outputs);
        self.weight(dense.weight, to, from);
        self.entry(dense.bias, to);
        to
    }

    fn normalisation(&mut self, normalisation: &Normalisation, from: Side) {
        let slots = [Some(normalisation.scale), Some(normalisation.shift)];
        let (statistics, together) = match normalisation.over {
            NormalisedOver::Batch { mean, variance } => ([Some(mean), Some(variance)], None),
            NormalisedOver::Groups(_) => ([None, None], Some("group")),
            _ => ([None, None], Some("layer")),
        };
        for slot in slots.into_iter().chain(statistics) {
            self.entry(slot, from);
        }
        if let Some(word) = together {
            let scale = self.layout.slots()[normalisation.scale].name.clone();
            self.keep_whole(from, || {
                format!("the {word} normalisation with {scale} takes the mean of all its units together")
            });
        }
    }

    fn family(&mut self, kind: UnitKind, units: usize) -> Side {
        let family = self.families.len();
        self.families.push(UnitFamily {
            kind,
            units,
            producers: Vec::new(),
            consumers: Vec::new(),
            kept_whole: None,
        });
        self.parent.push(family);
        Side::Of {
            family,
            block: 1,
            units,
        }
    }

    fn weight(&mut self, slot: usize, rows: Side, columns: Side) {
        let name = &self.layout.slots()[slot].name;
        if let Side::Of { family, .. } = rows {
            self.families[family].producers.push(name.clone());
        }
        if let Side::Of { family, .. } = columns {
            self.families[family].consumers.push(name.clone());
        }
        self.weights.push(WeightSides { slot, rows, columns });
    }

    fn entry(&mut self, slot: Option<usize>, entries: Side) {
        if let Some(slot) = slot {
            self.entries.push(EntrySides { slot, entries });
        }
    }

    fn keep_whole(&mut self, side: Side, reason: impl FnOnce() -> String) {
        if let Side::Of { family, .. } = side {
            let family = self.root(family);
            self.families[family].kept_whole.get_or_insert_with(reason);
        }
    }

    fn root(&self, mut family: usize) -> usize {
        while self.parent[family] != family {
            family = self.parent[family];
        }
        family
    }

    /// Two flows that are added: their units are the same ones.
    fn tie(&mut self, branch: Side, shortcut: Side) -> Side {
        match (branch, shortcut) {
            (
                Side::Of { family: a, units, .. },
                Side::Of {
                    family: b,
                    units: others,
                    ..
                },
            ) => {
                let (a, b) = (self.root(a), self.root(b));
                let (first, second) = (a.min(b), a.max(b));
                if units != others {
                    for (side, other) in [(branch, b), (shortcut, a)] {
                        let names = self.families[other].producers.join(", ");
                        self.keep_whole(side, || {
                            format!("it is added to the units of {names}, which are cut differently")
                        });
                    }
                } else if first != second {
                    let moved = std::mem::take(&mut self.families[second].producers);
                    self.families[first].producers.extend(moved);
                    let moved = std::mem::take(&mut self.families[second].consumers);
                    self.families[first].consumers.extend(moved);
                    let reason = self.families[second].kept_whole.take();
                    self.families[first].kept_whole = self.families[first].kept_whole.take().or(reason);
                    if self.families[second].kind == UnitKind::Channel {
                        self.families[first].kind = UnitKind::Channel;
                    }
                    self.parent[second] = first;
                }
                branch
            }
            (side @ Side::Of { family, .. }, Side::Fixed) | (Side::Fixed, side @ Side::Of { family, .. }) => {
                let names = self.families[self.root(family)].producers.join(", ");
                self.keep_whole(side, || {
                    format!("a residual connection adds the units of {names} to the inputs of the network, which stay")
                });
                Side::Fixed
            }
            (Side::Fixed, Side::Fixed) => Side::Fixed,
        }
    }

    /// Numbers the families that are left and points every side to them.
    fn join_tied(&mut self) {
        let roots: Vec<usize> = (0..self.families.len()).map(|f| self.root(f)).collect();
        let mut number = vec![0; roots.len()];
        let mut left = Vec::new();
        for (f, family) in std::mem::take(&mut self.families).into_iter().enumerate() {
            if roots[f] == f {
                number[f] = left.len();
                left.push(family);
            }
        }
        // What consumed a family that was tied later is still listed at the family it was tied to.
        let moved = |side: &mut Side| {
            if let Side::Of { family, .. } = side {
                *family = number[roots[*family]];
            }
        };
        for weight in &mut self.weights {
            moved(&mut weight.rows);
            moved(&mut weight.columns);
        }
        for entry in &mut self.entries {
            moved(&mut entry.entries);
        }
        self.families = left;
    }
}
