//! Structured pruning: whole neurons, channels and attention heads, as masks over the same flat parameter vector.

mod extract;
#[cfg(test)]
mod tests;
mod walk;

pub use extract::Extracted;

use crate::error::{Error, Result, require_finite};
use crate::networks::{Network, Real, SlotKind};
use crate::support::{Mask, largest_by};
use crate::theory::structured_cost::{LayerCost, kept_width};
use std::fmt;
use walk::{EntrySides, Side, Walk, WeightSides};

/// What a unit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnitKind {
    /// An output of a dense layer or a recurrent cell.
    Neuron,
    /// An output channel of a convolution.
    Channel,
    /// A head of an attention layer.
    Head,
}

impl UnitKind {
    /// The word for several of them.
    pub fn as_str(self) -> &'static str {
        match self {
            UnitKind::Neuron => "neurons",
            UnitKind::Channel => "channels",
            UnitKind::Head => "heads",
        }
    }
}

impl fmt::Display for UnitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Units of one width: the outputs of a layer, or of several layers whose outputs a residual connection adds, so that a
/// unit goes from all of them or from none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitFamily {
    /// What its units are.
    pub kind: UnitKind,
    /// How many there are.
    pub units: usize,
    /// The weights that give them, by slot name: incoming.
    pub producers: Vec<String>,
    /// The weights that take them, by slot name: outgoing.
    pub consumers: Vec<String>,
    /// Why none of them may go, where that is so.
    pub kept_whole: Option<String>,
}

/// How the incoming weights of a unit make a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnitNorm {
    /// `Σ|w|` (Li et al., ICLR 2017).
    AbsoluteSum,
    /// `√Σw²`.
    Euclidean,
}

impl UnitNorm {
    /// The word in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            UnitNorm::AbsoluteSum => "absolute-sum",
            UnitNorm::Euclidean => "euclidean",
        }
    }
}

/// Which units of every family stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitChoice {
    keep: Vec<Vec<bool>>,
}

impl UnitChoice {
    /// The units of a family, true where kept.
    ///
    /// # Panics
    /// When there is no such family: a bug of the caller.
    pub fn family(&self, family: usize) -> &[bool] {
        &self.keep[family]
    }

    /// How many units of every family stay.
    pub fn counts(&self) -> Vec<usize> {
        let count = |keep: &Vec<bool>| keep.iter().filter(|k| **k).count();
        self.keep.iter().map(count).collect()
    }

    fn keeps(&self, side: Side, index: usize) -> bool {
        side.unit(index).is_none_or(|(family, unit)| self.keep[family][unit])
    }
}

/// The units of a network as groups of its weights.
///
/// Each weight belongs to the unit that it feeds (its row) and to the one that it takes (its column); a mask of units
/// prunes a weight when either is gone, and keeps every bias, as all masks do. What is left computes the same as the smaller
/// network of [`Units::extract`], and [`Units::cost`] counts that exactly.
///
/// Families that a residual connection adds are one; those that layer or group normalisation takes together, or that are
/// added to the network's inputs, are kept whole and say why.
///
/// Source: Li, Kadav, Durdanovic, Samet and Graf, *Pruning Filters for Efficient ConvNets*, ICLR 2017 (arXiv:1608.08710);
/// Michel, Levy and Neubig, NeurIPS 2019, for heads.
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::networks::{Initialisation, Network};
/// use ticketsense::pruning::{UnitNorm, Units};
/// let network = Network::preset("lenet-5", 784, 10)?;
/// let theta: Vec<f32> = network.initial(&Seed::root(0), &Initialisation::HE)?;
/// let units = Units::of(&network);
/// let scores = units.norms(&theta, UnitNorm::AbsoluteSum)?;
/// let half = units.choose(&scores, &units.counts_at(0.5)?)?;
/// let small = units.extract(&theta, &half)?;
/// assert_eq!(units.cost(&half).multiply_adds as usize, small.network.multiply_adds(None));
/// assert_eq!(network.multiply_adds(Some(&units.mask(&half))), small.network.multiply_adds(None));
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Units {
    network: Network,
    families: Vec<UnitFamily>,
    weights: Vec<WeightSides>,
    entries: Vec<EntrySides>,
}

impl Units {
    /// The units of a network. Cost: one walk over its layers.
    pub fn of(network: &Network) -> Self {
        let walk = Walk::through(network);
        let (families, weights, entries) = (walk.families, walk.weights, walk.entries);
        Units {
            network: network.clone(),
            families,
            weights,
            entries,
        }
    }

    /// The families, from input to output.
    pub fn families(&self) -> &[UnitFamily] {
        &self.families
    }

    /// The families of a kind whose units may go.
    ///
    /// # Errors
    /// [`Error::Argument`] for a network without such units, or when every family of them is kept whole, with the reasons.
    pub fn prunable(&self, kind: UnitKind) -> Result<Vec<usize>> {
        let of_kind = |f: &usize| self.families[*f].kind == kind;
        let all: Vec<usize> = (0..self.families.len()).filter(of_kind).collect();
        let free: Vec<usize> = all
            .iter()
            .copied()
            .filter(|&f| self.families[f].kept_whole.is_none())
            .collect();
        if !free.is_empty() {
            return Ok(free);
        }
        let reasons: Vec<String> = all
            .iter()
            .filter_map(|&f| {
                let family = &self.families[f];
                Some(format!(
                    "{}: {}",
                    family.producers.join(" with "),
                    family.kept_whole.as_ref()?
                ))
            })
            .collect();
        let got = match reasons.is_empty() {
            true => format!("{}, which has none", self.network.name()),
            false => format!("{} ({})", self.network.name(), reasons.join("; ")),
        };
        Err(Error::argument(
            "structured pruning",
            format!("a network whose {kind} may go"),
            got,
        ))
    }

    /// How many units stay when every family that may be pruned keeps a fraction: to nearest, half up, at least 1.
    ///
    /// # Errors
    /// [`Error::Argument`] for a fraction outside `(0, 1]`.
    pub fn counts_at(&self, fraction: f64) -> Result<Vec<usize>> {
        let count = |family: &UnitFamily| {
            let kept = kept_width(family.units as u64, fraction)? as usize;
            Ok(if family.kept_whole.is_some() {
                family.units
            } else {
                kept
            })
        };
        self.families.iter().map(count).collect()
    }

    /// The norm of the incoming weights of every unit, family by family; weights that are already pruned are zeros of θ.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::NotFinite`] on parameters that do not fit.
    pub fn norms<T: Real>(&self, theta: &[T], norm: UnitNorm) -> Result<Vec<Vec<f64>>> {
        let of_weight = |v: &T| match norm {
            UnitNorm::AbsoluteSum => v.to_f64().abs(),
            UnitNorm::Euclidean => v.to_f64() * v.to_f64(),
        };
        let mut sums = self.incoming_sums(&theta.iter().map(of_weight).collect::<Vec<f64>>())?;
        if norm == UnitNorm::Euclidean {
            sums.iter_mut().flatten().for_each(|sum| *sum = sum.sqrt());
        }
        Ok(sums)
    }

    /// The sum of some scores of weights over the incoming weights of every unit: what becomes of any
    /// [`Criterion`](super::Criterion) when units are to go.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::NotFinite`] unless there is one finite score a parameter.
    pub fn incoming_sums(&self, scores: &[f64]) -> Result<Vec<Vec<f64>>> {
        if scores.len() != self.network.layout().len() {
            return Err(Error::shape("scores", self.network.layout().len(), scores.len()));
        }
        require_finite("scores", scores)?;
        let mut sums: Vec<Vec<f64>> = self.families.iter().map(|f| vec![0.0; f.units]).collect();
        for weight in &self.weights {
            let slot = &self.network.layout().slots()[weight.slot];
            let columns = slot.len() / slot.shape[0];
            for (row, values) in scores[slot.range.clone()].chunks_exact(columns).enumerate() {
                if let Some((family, unit)) = weight.rows.unit(row) {
                    sums[family][unit] += values.iter().sum::<f64>();
                }
            }
        }
        Ok(sums)
    }

    /// The family and unit that each parameter feeds, for weights.
    pub(in crate::pruning) fn fed_by_weights(&self) -> Vec<Option<(usize, usize)>> {
        let mut fed = vec![None; self.network.layout().len()];
        for weight in &self.weights {
            let slot = &self.network.layout().slots()[weight.slot];
            let columns = slot.len() / slot.shape[0];
            for (at, index) in slot.range.clone().enumerate() {
                fed[index] = weight.rows.unit(at / columns);
            }
        }
        fed
    }

    /// Keeps the units of largest score, `counts[f]` in family f; ties by number.
    ///
    /// # Errors
    /// [`Error::Shape`] when scores or counts do not fit the families, [`Error::NotFinite`] on scores; [`Error::Argument`] on
    /// a count of 0 or beyond the family, or one that takes units from a family which is kept whole, with the reason.
    pub fn choose(&self, scores: &[Vec<f64>], counts: &[usize]) -> Result<UnitChoice> {
        if scores.len() != self.families.len() || counts.len() != self.families.len() {
            let got = format!("{} and {}", scores.len(), counts.len());
            return Err(Error::shape("scores and counts of families", self.families.len(), got));
        }
        let mut keep = Vec::with_capacity(counts.len());
        for ((family, scores), &count) in self.families.iter().zip(scores).zip(counts) {
            let names = family.producers.join(" with ");
            if scores.len() != family.units {
                return Err(Error::shape(format!("scores of {names}"), family.units, scores.len()));
            }
            require_finite("scores of units", scores)?;
            if let Some(reason) = family.kept_whole.as_ref().filter(|_| count != family.units) {
                let expected = format!("all {} {} of {names}, since {reason}", family.units, family.kind);
                return Err(Error::argument("number of units", expected, count));
            }
            if count == 0 || count > family.units {
                let expected = format!("from 1 to {} {} of {names}", family.units, family.kind);
                return Err(Error::argument("number of units", expected, count));
            }
            let mut bits = vec![false; family.units];
            for unit in largest_by(count, 0..family.units, |u| scores[u]) {
                bits[unit] = true;
            }
            keep.push(bits);
        }
        Ok(UnitChoice { keep })
    }

    /// Every unit.
    pub fn all(&self) -> UnitChoice {
        UnitChoice {
            keep: self.families.iter().map(|f| vec![true; f.units]).collect(),
        }
    }

    /// The mask of a choice: a weight stays when the unit it feeds and the one it takes do. Biases and parameters of
    /// normalisation stay; those of a unit that is gone move nothing.
    pub fn mask(&self, choice: &UnitChoice) -> Mask {
        let mut mask = self.network.layout().full_mask();
        for weight in &self.weights {
            let slot = &self.network.layout().slots()[weight.slot];
            let columns = slot.len() / slot.shape[0];
            for (at, index) in slot.range.clone().enumerate() {
                let kept = choice.keeps(weight.rows, at / columns) && choice.keeps(weight.columns, at % columns);
                mask.set(index, kept);
            }
        }
        mask
    }

    /// What is left of the network, exactly: weights, biases, and scales and shifts of the units that stay, and the
    /// multiply-adds of one forward pass of one sample in the sense of [`Network::multiply_adds`].
    pub fn cost(&self, choice: &UnitChoice) -> LayerCost {
        let slots = self.network.layout().slots();
        let kept = |side: Side, length: usize| (0..length).filter(|&i| choice.keeps(side, i)).count() as u64;
        let mut cost = LayerCost {
            weights: 0,
            biases: 0,
            normalisation: 0,
            multiply_adds: 0,
        };
        for weight in &self.weights {
            let slot = &slots[weight.slot];
            let rows = slot.shape[0];
            let left = kept(weight.rows, rows) * kept(weight.columns, slot.len() / rows);
            cost.weights += left;
            cost.multiply_adds += left * slot.uses as u64;
        }
        for entry in &self.entries {
            let slot = &slots[entry.slot];
            let left = kept(entry.entries, slot.len());
            match slot.kind {
                SlotKind::Bias => cost.biases += left,
                SlotKind::Scale | SlotKind::Shift => cost.normalisation += left,
                _ => {}
            }
        }
        cost
    }
}
