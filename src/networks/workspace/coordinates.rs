//! The coordinates that a workspace computes in, and their places in the flat parameter vector.

use crate::networks::layout::{Layout, SlotKind};
use crate::networks::real::Real;
use crate::support::Mask;
use std::ops::Range;

/// A subset of the flat parameter vector in its order: of some slots all entries, of others only the kept ones.
#[derive(Debug)]
pub(super) struct Coordinates {
    /// The flat index of each coordinate; absent when they are all of them.
    indices: Option<Vec<u32>>,
    /// The place of each slot.
    ranges: Vec<Range<usize>>,
    compact: Vec<bool>,
    /// Which coordinates are kept; absent when all are.
    keep: Option<Vec<bool>>,
    full: usize,
}

impl Coordinates {
    /// Of the weight slots that `compact` names by kept and all entries only the kept ones, of the others everything.
    pub(super) fn new(layout: &Layout, mask: &Mask, compact: impl Fn(usize, usize) -> bool) -> Self {
        let (mut indices, mut ranges, mut chosen) = (Vec::new(), Vec::new(), Vec::new());
        for slot in layout.slots() {
            let start = indices.len();
            let is_compact = slot.kind == SlotKind::Weight && compact(mask.kept_in(slot.range.clone()), slot.len());
            let all = slot.range.clone().filter(|&i| !is_compact || mask.keeps(i));
            indices.extend(all.map(|i| i as u32));
            ranges.push(start..indices.len());
            chosen.push(is_compact);
        }
        let keep: Vec<bool> = indices.iter().map(|&i| mask.keeps(i as usize)).collect();
        Coordinates {
            keep: keep.iter().any(|keep| !keep).then_some(keep),
            indices: (indices.len() < layout.len()).then_some(indices),
            ranges,
            compact: chosen,
            full: layout.len(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.ranges.last().map_or(0, |range| range.end)
    }

    /// The place of slot `slot`.
    pub(super) fn range(&self, slot: usize) -> Range<usize> {
        self.ranges[slot].clone()
    }

    /// The places of all slots.
    pub(super) fn ranges(&self) -> &[Range<usize>] {
        &self.ranges
    }

    /// Whether only the kept entries of slot `slot` have coordinates.
    pub(super) fn is_compact(&self, slot: usize) -> bool {
        self.compact[slot]
    }

    pub(super) fn keep(&self) -> Option<&[bool]> {
        self.keep.as_deref()
    }

    /// The entries of a full vector that have coordinates, zero where the mask prunes.
    pub(super) fn gather<T: Real>(&self, full: &[T]) -> Vec<T> {
        assert_eq!(full.len(), self.full, "workspace: length of the full vector");
        let mut own = match &self.indices {
            None => full.to_vec(),
            Some(indices) => indices.iter().map(|&i| full[i as usize]).collect(),
        };
        if let Some(keep) = &self.keep {
            for (value, _) in own.iter_mut().zip(keep).filter(|(_, keep)| !**keep) {
                *value = T::ZERO;
            }
        }
        own
    }

    /// The places of ascending indices of the full vector among the coordinates; indices that have none are left out.
    pub(super) fn places_of(&self, chosen: &[usize]) -> Vec<usize> {
        match &self.indices {
            None => chosen.to_vec(),
            Some(indices) => {
                let place = |i: &usize| indices.binary_search(&(*i as u32)).ok();
                chosen.iter().filter_map(place).collect()
            }
        }
    }

    /// Writes back what [`Coordinates::gather`] took; other entries stay.
    pub(super) fn scatter<T: Real>(&self, own: &[T], full: &mut [T]) {
        assert_eq!(
            (own.len(), full.len()),
            (self.len(), self.full),
            "workspace: lengths of the vectors"
        );
        match &self.indices {
            None => full.copy_from_slice(own),
            Some(indices) => {
                for (value, &i) in own.iter().zip(indices) {
                    full[i as usize] = *value;
                }
            }
        }
    }
}
