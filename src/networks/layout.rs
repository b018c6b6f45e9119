//! One flat parameter vector with named slices: a mask bit, a column of the Jacobian and a coordinate of the Hessian
//! are the same index.

use crate::error::{Error, Result};
use crate::support::{Mask, Support};
use std::ops::Range;

/// What the parameters of a slot are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SlotKind {
    /// Connection weights: the parameters that pruning may remove.
    Weight,
    /// Additive biases: never pruned.
    Bias,
    /// The factors γ of a normalisation: trained, never pruned.
    Scale,
    /// The offsets β of a normalisation: trained, never pruned.
    Shift,
    /// The running means of a batch normalisation: followed, neither trained nor pruned.
    Mean,
    /// The running variances of a batch normalisation: followed, neither trained nor pruned.
    Variance,
}

impl SlotKind {
    /// Whether training moves it along its gradient: everything but running statistics.
    pub fn is_trained(self) -> bool {
        !matches!(self, SlotKind::Mean | SlotKind::Variance)
    }
}

/// A named slice of the flat parameter vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Name, such as `dense0.weight`.
    pub name: String,
    /// Place in the flat vector.
    pub range: Range<usize>,
    /// Shape of the slice, stored row by row: a dense weight is outputs × inputs, that of a convolution outputs × kernel ×
    /// kernel × inputs, a bias has one entry an output.
    pub shape: Vec<usize>,
    /// What its parameters are.
    pub kind: SlotKind,
    /// Weight layer that the slot belongs to, from zero at the input.
    pub layer: usize,
    /// How often one sample uses each parameter: the positions of a convolution, the steps of a recurrent cell; 1 for a
    /// dense layer.
    pub uses: usize,
}

impl Slot {
    /// Number of parameters.
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// Whether the slot holds no parameter.
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }
}

/// How the flat parameter vector is cut into slots, in order and without gaps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    slots: Vec<Slot>,
    length: usize,
}

impl Layout {
    /// Appends a slot and returns its position in [`Layout::slots`].
    pub(super) fn push(&mut self, name: String, shape: Vec<usize>, kind: SlotKind, layer: usize, uses: usize) -> usize {
        let count: usize = shape.iter().product();
        self.slots.push(Slot {
            name,
            range: self.length..self.length + count,
            shape,
            kind,
            layer,
            uses,
        });
        self.length += count;
        self.slots.len() - 1
    }

    /// All slots in the order of the flat vector.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Number of parameters.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there is no parameter.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The slots that pruning may touch, from input to output.
    pub fn weight_slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().filter(|s| s.kind == SlotKind::Weight)
    }

    /// The slots that are trained and never pruned, from input to output: biases, and the scales and shifts of
    /// normalisations.
    pub fn unpruned_slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots
            .iter()
            .filter(|s| s.kind != SlotKind::Weight && s.kind.is_trained())
    }

    /// The slots of running statistics, which follow the data and have no derivative.
    pub fn statistic_slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().filter(|s| !s.kind.is_trained())
    }

    /// A slot by name.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest name.
    pub fn slot(&self, name: &str) -> Result<&Slot> {
        self.slots
            .iter()
            .find(|s| s.name == name)
            .ok_or_else(|| Error::unknown("parameter slot", name, self.slots.iter().map(|s| &s.name)))
    }

    /// The slot that holds parameter `index`. Cost: a binary search.
    ///
    /// # Panics
    /// When `index` is not below the number of parameters: a bug of the caller.
    pub fn slot_of(&self, index: usize) -> &Slot {
        assert!(index < self.length, "parameter index");
        &self.slots[self.slots.partition_point(|s| s.range.end <= index)]
    }

    /// Keeps exactly the prunable parameters: the weights.
    pub fn prunable_mask(&self) -> Mask {
        let mut bits = vec![false; self.length];
        for slot in self.weight_slots() {
            bits[slot.range.clone()].fill(true);
        }
        Mask::from_bits(bits)
    }

    /// The prunable parameters: the weights.
    pub fn weights(&self) -> Support {
        self.prunable_mask().support()
    }

    /// Where the weights of every layer stand, from input to output.
    pub fn weight_ranges(&self) -> Vec<Range<usize>> {
        self.weight_slots().map(|slot| slot.range.clone()).collect()
    }

    /// Number of prunable parameters that a mask keeps.
    pub fn kept(&self, mask: &Mask) -> usize {
        self.weight_slots().map(|slot| mask.kept_in(slot.range.clone())).sum()
    }

    /// Number of prunable parameters.
    pub fn prunable(&self) -> usize {
        self.weight_slots().map(Slot::len).sum()
    }

    /// The mask that keeps everything: the start of pruning.
    pub fn full_mask(&self) -> Mask {
        Mask::full(self.length)
    }

    /// Refuses a mask of another length, or one that prunes a parameter which is not a weight.
    ///
    /// # Errors
    /// [`Error::Shape`], or [`Error::Argument`] naming the slot.
    pub fn check_mask(&self, mask: &Mask) -> Result<()> {
        if mask.dimension() != self.length {
            return Err(Error::shape("mask", format!("{} bits", self.length), mask.dimension()));
        }
        let mut unpruned = self.slots.iter().filter(|s| s.kind != SlotKind::Weight);
        match unpruned.find(|s| mask.kept_in(s.range.clone()) < s.len()) {
            None => Ok(()),
            Some(slot) => Err(Error::argument(
                "mask",
                "only weights pruned",
                format!("pruned entries in {}", slot.name),
            )),
        }
    }

    /// Fraction of the prunable parameters that a mask keeps; 1 where nothing is prunable.
    pub fn density(&self, mask: &Mask) -> f64 {
        let kept = self.kept(mask);
        match self.prunable() {
            0 => 1.0,
            total => kept as f64 / total as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Layout {
        let mut layout = Layout::default();
        layout.push("dense0.weight".into(), vec![2, 3], SlotKind::Weight, 0, 1);
        layout.push("dense0.bias".into(), vec![2], SlotKind::Bias, 0, 1);
        layout.push("dense1.weight".into(), vec![1, 2], SlotKind::Weight, 1, 1);
        layout
    }

    #[test]
    fn slots_follow_one_another_without_gaps() {
        let layout = example();
        assert_eq!(layout.len(), 10);
        assert_eq!(layout.slot("dense1.weight").unwrap().range, 8..10);
        for index in 0..layout.len() {
            assert!(layout.slot_of(index).range.contains(&index));
        }
        let error = layout.slot("dense1.weigth").unwrap_err().to_string();
        assert!(error.contains("did you mean 'dense1.weight'"), "{error}");
    }

    #[test]
    fn only_weights_are_prunable() {
        let layout = example();
        assert_eq!(layout.weights().indices(), [0, 1, 2, 3, 4, 5, 8, 9]);
        assert_eq!(layout.prunable(), 8);
        let mut mask = layout.full_mask();
        mask.set(0, false);
        mask.set(9, false);
        layout.check_mask(&mask).unwrap();
        assert_eq!(layout.density(&mask), 0.75);
        mask.set(6, false);
        assert!(matches!(layout.check_mask(&mask), Err(Error::Argument { .. })));
        assert!(matches!(layout.check_mask(&Mask::full(9)), Err(Error::Shape { .. })));
    }
}
