//! The weights that are left while rounds of scores prune, in a list that shrinks with them: a round costs what is left,
//! not what there was.

use super::threshold::Bar;
use crate::networks::Layout;
use crate::support::Mask;
use std::ops::Range;

/// A weight that is left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Its place in the flat parameter vector.
    pub index: u32,
    /// Its absolute value.
    pub size: f32,
}

/// The weights of one slot in runs: the weights of a run are neighbours, as are the entries of the input that they read (a
/// row of a dense weight, the channels of one pixel of a kernel).
#[derive(Clone, Debug, Default)]
struct Runs {
    /// Number of the first run.
    number: usize,
    /// Place of the first weight in the flat parameter vector.
    start: usize,
    /// Weights of a run, left or not.
    width: usize,
    /// Number of runs.
    count: usize,
}

/// All weights that are left, in ascending order, in runs.
#[derive(Clone, Debug)]
pub(super) struct Remaining {
    entries: Vec<Entry>,
    /// Where every run begins among the entries, and the end.
    starts: Vec<u32>,
    /// By slot of the layout; only weight slots have runs.
    slots: Vec<Runs>,
    /// The runs that compete with one another.
    groups: Vec<Range<usize>>,
}

impl Remaining {
    /// What a mask leaves of the weights; they compete all together, or within each layer.
    pub fn new(layout: &Layout, mask: &Mask, theta: &[f32], together: bool) -> Self {
        let mut found = Remaining {
            entries: Vec::with_capacity(mask.kept()),
            starts: vec![0],
            slots: vec![Runs::default(); layout.slots().len()],
            groups: Vec::new(),
        };
        let weights: Vec<Range<usize>> = layout.weight_ranges();
        for (slot, runs) in layout.slots().iter().zip(&mut found.slots) {
            if !weights.contains(&slot.range) {
                continue;
            }
            let number = found.starts.len() - 1;
            let width = slot.shape.last().copied().unwrap_or(1).max(1);
            *runs = Runs {
                number,
                start: slot.range.start,
                width,
                count: slot.len() / width,
            };
            for first in slot.range.clone().step_by(width) {
                let kept = (first..first + width).filter(|&i| mask.keeps(i));
                found.entries.extend(kept.map(|i| Entry {
                    index: i as u32,
                    size: theta[i].abs(),
                }));
                found.starts.push(found.entries.len() as u32);
            }
            found.groups.push(number..found.starts.len() - 1);
        }
        if together {
            found.groups.clear();
            found.groups.push(0..found.starts.len() - 1);
        }
        found
    }

    /// The weights that are left, in ascending order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entries of a run of a weight slot, by places among all entries, and the flat place of the run's first weight.
    #[inline(always)]
    pub fn run(&self, slot: usize, row: usize) -> (Range<usize>, u32) {
        let runs = &self.slots[slot];
        let number = runs.number + row;
        let span = self.starts[number] as usize..self.starts[number + 1] as usize;
        (span, (runs.start + row * runs.width) as u32)
    }

    /// The mask that keeps what is left, and of `mask` everything that is no weight.
    pub fn mask(&self, mask: &Mask) -> Mask {
        let mut bits = mask.bits().to_vec();
        for runs in &self.slots {
            bits[runs.start..runs.start + runs.count * runs.width].fill(false);
        }
        self.entries.iter().for_each(|entry| bits[entry.index as usize] = true);
        Mask::from_bits(bits)
    }

    /// Of every group that competes, keeps the `counts[g]` entries of largest score, ties by index. `scores` has one for
    /// every entry.
    ///
    /// Cost: a few passes over what is left.
    pub fn keep(&mut self, scores: &[f64], counts: &[usize]) {
        let (mut from, mut kept) = (0, 0);
        for (group, &count) in self.groups.iter().zip(counts) {
            let mut bar = Bar::of(&scores[from..self.starts[group.end] as usize], count);
            for end in &mut self.starts[group.start + 1..=group.end] {
                let to = *end as usize;
                kept = retain(&mut self.entries, from..to, kept, scores, &mut bar);
                (from, *end) = (to, kept as u32);
            }
        }
        self.entries.truncate(kept);
    }
}

/// Moves the entries of a span that the bar admits to `kept` and behind, and returns the place after them.
fn retain(entries: &mut [Entry], span: Range<usize>, mut kept: usize, scores: &[f64], bar: &mut Bar) -> usize {
    let mut place = span.start;
    let (chunks, rest) = scores[span].as_chunks::<8>();
    for chunk in chunks {
        // Most of the time nothing goes.
        if bar.clears(chunk) {
            entries.copy_within(place..place + 8, kept);
            kept += 8;
        } else {
            for (i, &score) in chunk.iter().enumerate() {
                entries[kept] = entries[place + i];
                kept += usize::from(bar.admits(score));
            }
        }
        place += 8;
    }
    for (i, &score) in rest.iter().enumerate() {
        entries[kept] = entries[place + i];
        kept += usize::from(bar.admits(score));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::Network;
    use crate::pruning::{keep_highest, keep_highest_together};
    use proptest::prelude::*;

    fn ranges(network: &Network) -> Vec<Range<usize>> {
        network.layout().weight_ranges()
    }

    proptest! {
        #[test]
        fn rounds_on_the_list_leave_what_rounds_on_masks_leave(
            widths in prop::collection::vec(1usize..40, 1..4), density in 0.2f64..1.0, together in any::<bool>(),
            rounds in 1usize..6, levels in 1u64..60, salt in any::<u64>(),
        ) {
            let words: Vec<String> = widths.iter().map(usize::to_string).collect();
            let network = Network::preset(&format!("mlp:{}", words.join("-")), 19, 3).unwrap();
            let mixed = |i: usize, round: u64| {
                let mixed = (i as u64 ^ salt).wrapping_add(round).wrapping_mul(0xD6E8_FEB8_6659_FD93);
                mixed >> 32
            };
            let mut mask = network.layout().full_mask();
            for &i in network.layout().weights().indices() {
                mask.set(i, (mixed(i, 77) % 1000) as f64 <= 1000.0 * density);
            }
            let first = mask.clone();
            let theta: Vec<f32> = (0..mask.dimension()).map(|i| -(i as f32)).collect();
            let mut remaining = Remaining::new(network.layout(), &mask, &theta, together);
            for round in 0..rounds as u64 {
                let scores: Vec<f64> = (0..mask.dimension()).map(|i| (mixed(i, round) % levels) as f64).collect();
                let kept: Vec<usize> = ranges(&network).into_iter().map(|range| mask.kept_in(range)).collect();
                let counts: Vec<usize> = match together {
                    true => vec![kept.iter().sum::<usize>() * 4 / 5],
                    false => kept.iter().map(|kept| kept * 4 / 5).collect(),
                };
                let own: Vec<f64> = remaining.entries().iter().map(|entry| scores[entry.index as usize]).collect();
                remaining.keep(&own, &counts);
                mask = match together {
                    true => keep_highest_together(&mask, &scores, &ranges(&network), counts[0]).unwrap(),
                    false => keep_highest(&mask, &scores, &ranges(&network), &counts).unwrap(),
                };
                prop_assert_eq!(&remaining.mask(&first), &mask);
                prop_assert_eq!(remaining.entries().len(), counts.iter().sum::<usize>());
            }
            for entry in remaining.entries() {
                prop_assert_eq!(entry.size, entry.index as f32);
            }
            // Every run still knows its own.
            for (number, slot) in network.layout().slots().iter().enumerate().filter(|(_, slot)| slot.shape.len() > 1) {
                for row in 0..slot.shape[0] {
                    let (span, start) = remaining.run(number, row);
                    let own = start as usize..start as usize + slot.shape[1];
                    prop_assert_eq!(span.len(), mask.kept_in(own.clone()));
                    prop_assert!(remaining.entries()[span].iter().all(|entry| own.contains(&(entry.index as usize))));
                }
            }
        }
    }
}
