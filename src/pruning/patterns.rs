//! Masks with a pattern that hardware likes: n of every m weights along the inputs, and whole blocks.

use super::select::Scope;
use crate::error::{Error, Result, require_finite};
use crate::networks::Layout;
use crate::support::{Mask, largest_by};
use std::fmt;
use std::str::FromStr;

/// A regular pattern of kept weights. Every weight slot is seen as a matrix: outputs × what feeds each of them, for a
/// convolution outputs × (kernel · kernel · inputs).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// Of every `of` neighbouring inputs of an output, `keep` stay (Zhou et al., ICLR 2021, for 2:4).
    OfEvery {
        /// Kept in every group, at least 1.
        keep: usize,
        /// The size of a group.
        of: usize,
    },
    /// Blocks of `rows` outputs × `columns` inputs stay or go as a whole (Gray, Radford & Kingma 2017).
    Blocks {
        /// Outputs of a block.
        rows: usize,
        /// Inputs of a block.
        columns: usize,
    },
}

/// What happens at the edge of a weight that the pattern does not divide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Edge {
    /// The pattern must divide every weight.
    Refused,
    /// The last group of an output keeps its share, `⌈keep · length / of⌉`, and the last blocks are smaller.
    Ragged,
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pattern::OfEvery { keep, of } => write!(f, "{keep}:{of}"),
            Pattern::Blocks { rows, columns } => write!(f, "{rows}x{columns}"),
        }
    }
}

impl FromStr for Pattern {
    type Err = Error;

    /// Reads `2:4` and `4x4`, which may also be written `block:4x4`.
    fn from_str(word: &str) -> Result<Self> {
        let pair = |word: &str, separator| {
            let (a, b) = word.split_once(separator)?;
            Some((a.parse().ok()?, b.parse().ok()?))
        };
        let pattern = match (pair(word, ':'), pair(word.strip_prefix("block:").unwrap_or(word), 'x')) {
            (Some((keep, of)), _) => Pattern::OfEvery { keep, of },
            (None, Some((rows, columns))) => Pattern::Blocks { rows, columns },
            (None, None) => {
                return Err(Error::argument(
                    "pattern",
                    "KEEP:OF or ROWSxCOLUMNS, such as 2:4 or 4x4",
                    word,
                ));
            }
        };
        pattern.validate()?;
        Ok(pattern)
    }
}

impl Pattern {
    /// Refuses numbers that make no pattern.
    ///
    /// # Errors
    /// [`Error::Argument`] on a size of 0, or more kept weights than a group has.
    pub fn validate(self) -> Result<()> {
        match self {
            Pattern::OfEvery { keep, of } if keep == 0 || keep > of => {
                let expected = format!("from 1 to {of} of every {of}");
                Err(Error::argument("pattern", expected, self))
            }
            Pattern::Blocks { rows, columns } if rows == 0 || columns == 0 => {
                Err(Error::argument("pattern", "blocks of at least 1×1", self))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a weight that the pattern does not divide, unless its edge may be ragged.
    fn check_edge(self, name: &str, shape: (usize, usize), edge: Edge) -> Result<()> {
        let divided = match self {
            Pattern::OfEvery { of, .. } => shape.1.is_multiple_of(of),
            Pattern::Blocks { rows, columns } => shape.0.is_multiple_of(rows) && shape.1.is_multiple_of(columns),
        };
        if divided || edge == Edge::Ragged {
            return Ok(());
        }
        let expected = match self {
            Pattern::OfEvery { of, .. } => format!("a multiple of {of} inputs for the pattern {self}"),
            Pattern::Blocks { .. } => format!("multiples of the block for the pattern {self}"),
        };
        Err(Error::argument(
            format!("shape of {name}"),
            expected,
            format!("{}×{}", shape.0, shape.1),
        ))
    }
}

/// Keeps the `keep` weights of largest score in every group of `of` neighbouring inputs, in every weight of a network; ties
/// by index.
///
/// Scores may be those of any [`Criterion`](super::Criterion). How many weights stay is known before: see
/// [`kept_of_every`].
///
/// ```
/// use ticketsense::networks::Network;
/// use ticketsense::pruning::{Edge, keep_of_every};
/// let network = Network::preset("linear:no-bias", 4, 2)?;
/// let mask = keep_of_every(network.layout(), &[4.0, 1.0, 2.0, 3.0, 0.0, 0.0, 5.0, 0.0], 2, 4, Edge::Refused)?;
/// assert_eq!(mask.support().indices(), [0, 3, 4, 6]);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] on numbers that make no pattern, or on a weight that it does not divide where the edge is refused;
/// [`Error::Shape`] or [`Error::NotFinite`] on scores.
///
/// Cost: linear in the number of weights.
pub fn keep_of_every(layout: &Layout, scores: &[f64], keep: usize, of: usize, edge: Edge) -> Result<Mask> {
    let pattern = Pattern::OfEvery { keep, of };
    pattern.validate()?;
    check_scores(layout, scores)?;
    let mut mask = layout.full_mask();
    for slot in layout.weight_slots() {
        let columns = slot.len() / slot.shape[0];
        pattern.check_edge(&slot.name, (slot.shape[0], columns), edge)?;
        for output in slot.range.clone().step_by(columns) {
            for start in (output..output + columns).step_by(of) {
                let group = start..(start + of).min(output + columns);
                let count = share(keep, of, group.len());
                for index in group.clone() {
                    mask.set(index, false);
                }
                for index in largest_by(count, group, |i| scores[i]) {
                    mask.set(index, true);
                }
            }
        }
    }
    Ok(mask)
}

/// How many weights of a slot [`keep_of_every`] keeps: for each output `keep` of every whole group, and the share of a
/// ragged one.
///
/// # Errors
/// [`Error::Argument`] on numbers that make no pattern.
pub fn kept_of_every(rows: usize, columns: usize, keep: usize, of: usize) -> Result<usize> {
    Pattern::OfEvery { keep, of }.validate()?;
    Ok(rows * (columns / of * keep + share(keep, of, columns % of)))
}

/// What a group of so many keeps: `⌈keep · length / of⌉`.
fn share(keep: usize, of: usize, length: usize) -> usize {
    (keep * length).div_ceil(of)
}

/// A block of a weight: its indices in the flat vector, and the mean of their scores.
struct Block {
    indices: Vec<usize>,
    score: f64,
}

/// Keeps the blocks of largest mean score, as many as hold at most `counts[ℓ]` weights of layer ℓ.
///
/// Within a layer blocks are taken in the order of their mean score, ties by the first index; one that would exceed the
/// count is passed over for a smaller one, if the edge has any, so that what stays never exceeds the count and misses it by
/// less than a block. [`Mask::kept_in`] has the exact number. With [`Scope::Global`] all blocks of the network compete for
/// the sum of the counts.
///
/// # Errors
/// As [`keep_of_every`]; [`Error::Shape`] when there is not one count a weight layer.
///
/// Cost: sorting the blocks.
pub fn keep_blocks(
    layout: &Layout,
    scores: &[f64],
    (rows, columns): (usize, usize),
    counts: &[usize],
    scope: Scope,
    edge: Edge,
) -> Result<Mask> {
    let pattern = Pattern::Blocks { rows, columns };
    pattern.validate()?;
    check_scores(layout, scores)?;
    let layers = layout.weight_slots().count();
    if counts.len() != layers {
        return Err(Error::shape("counts a layer", layers, counts.len()));
    }
    let mut mask = layout.full_mask();
    let mut by_layer = Vec::with_capacity(layers);
    for slot in layout.weight_slots() {
        let (outputs, inputs) = (slot.shape[0], slot.len() / slot.shape[0]);
        pattern.check_edge(&slot.name, (outputs, inputs), edge)?;
        let mut blocks = Vec::new();
        for top in (0..outputs).step_by(rows) {
            for left in (0..inputs).step_by(columns) {
                let indices: Vec<usize> = (top..(top + rows).min(outputs))
                    .flat_map(|r| (left..(left + columns).min(inputs)).map(move |c| (r, c)))
                    .map(|(r, c)| slot.range.start + r * inputs + c)
                    .collect();
                let score = indices.iter().map(|&i| scores[i]).sum::<f64>() / indices.len() as f64;
                blocks.push(Block { indices, score });
            }
        }
        for index in slot.range.clone() {
            mask.set(index, false);
        }
        by_layer.push(blocks);
    }
    let groups = match scope {
        Scope::Layerwise => by_layer.into_iter().zip(counts.iter().copied()).collect(),
        Scope::Global => vec![(by_layer.into_iter().flatten().collect(), counts.iter().sum::<usize>())],
    };
    for (mut blocks, mut room) in groups {
        // Stable: blocks of equal score stay in the order of their first index.
        blocks.sort_by(|a: &Block, b: &Block| b.score.total_cmp(&a.score));
        for block in blocks {
            if block.indices.len() <= room {
                room -= block.indices.len();
                block.indices.iter().for_each(|&i| mask.set(i, true));
            }
        }
    }
    Ok(mask)
}

fn check_scores(layout: &Layout, scores: &[f64]) -> Result<()> {
    if scores.len() != layout.len() {
        return Err(Error::shape("scores", layout.len(), scores.len()));
    }
    layout
        .weight_slots()
        .try_for_each(|slot| require_finite(&format!("scores of {}", slot.name), &scores[slot.range.clone()]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::{Network, SlotKind};
    use crate::pruning::keep_highest;
    use crate::seed::Seed;
    use proptest::prelude::*;
    use rand::RngExt;

    fn scores(length: usize, seed: u64) -> Vec<f64> {
        let mut rng = Seed::root(seed).rng();
        (0..length).map(|_| rng.random()).collect()
    }

    /// Every subset of a group of the right size, the best of them.
    fn best_sum(group: &[f64], count: usize) -> f64 {
        (0u32..1 << group.len())
            .filter(|bits| bits.count_ones() as usize == count)
            .map(|bits| {
                (0..group.len())
                    .filter(|i| bits >> i & 1 == 1)
                    .map(|i| group[i])
                    .sum::<f64>()
            })
            .fold(f64::NEG_INFINITY, f64::max)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn every_group_keeps_its_share_and_no_other_choice_of_that_size_scores_more(
            width in 1usize..9, inputs in 1usize..11, of in 1usize..7, keep in 1usize..7, seed in any::<u64>(),
        ) {
            let keep = keep.min(of);
            let network = Network::preset(&format!("mlp:{width}"), inputs, 3).unwrap();
            let scores = scores(network.layout().len(), seed);
            let mask = keep_of_every(network.layout(), &scores, keep, of, Edge::Ragged).unwrap();
            network.layout().check_mask(&mask).unwrap();
            for slot in network.layout().weight_slots() {
                let (rows, columns) = (slot.shape[0], slot.shape[1]);
                prop_assert_eq!(mask.kept_in(slot.range.clone()), kept_of_every(rows, columns, keep, of).unwrap());
                for row in slot.range.clone().collect::<Vec<_>>().chunks(columns) {
                    for group in row.chunks(of) {
                        let values: Vec<f64> = group.iter().map(|&i| scores[i]).collect();
                        let kept: f64 = group.iter().filter(|&&i| mask.keeps(i)).map(|&i| scores[i]).sum();
                        let count = group.iter().filter(|&&i| mask.keeps(i)).count();
                        prop_assert_eq!(count, (keep * group.len()).div_ceil(of));
                        prop_assert!((kept - best_sum(&values, count)).abs() < 1e-12);
                    }
                }
            }
        }

        #[test]
        fn blocks_are_whole_and_the_best_and_miss_the_count_by_less_than_one(
            width in 1usize..10, inputs in 1usize..10, rows in 1usize..5, columns in 1usize..5,
            fraction in 0.0f64..1.0, seed in any::<u64>(),
        ) {
            let network = Network::preset(&format!("mlp:{width}"), inputs, 4).unwrap();
            let layout = network.layout();
            let scores = scores(layout.len(), seed);
            let counts: Vec<usize> = layout.weight_slots().map(|s| (fraction * s.len() as f64) as usize).collect();
            let mask = keep_blocks(layout, &scores, (rows, columns), &counts, Scope::Layerwise, Edge::Ragged).unwrap();
            layout.check_mask(&mask).unwrap();
            for (slot, &count) in layout.weight_slots().zip(&counts) {
                let kept = mask.kept_in(slot.range.clone());
                prop_assert!(kept <= count && count < kept + rows * columns);
                let (mut worst_kept, mut best_whole_gone) = (f64::INFINITY, f64::NEG_INFINITY);
                for top in (0..slot.shape[0]).step_by(rows) {
                    for left in (0..slot.shape[1]).step_by(columns) {
                        let mut members = Vec::new();
                        for r in top..(top + rows).min(slot.shape[0]) {
                            for c in left..(left + columns).min(slot.shape[1]) {
                                members.push(slot.range.start + r * slot.shape[1] + c);
                            }
                        }
                        let kept = members.iter().filter(|&&i| mask.keeps(i)).count();
                        prop_assert!(kept == 0 || kept == members.len());
                        let mean = members.iter().map(|&i| scores[i]).sum::<f64>() / members.len() as f64;
                        if kept > 0 && members.len() == rows * columns {
                            worst_kept = worst_kept.min(mean);
                        }
                        if kept == 0 && members.len() == rows * columns {
                            best_whole_gone = best_whole_gone.max(mean);
                        }
                    }
                }
                // Among blocks of one size the order is that of the scores.
                prop_assert!(best_whole_gone <= worst_kept);
            }
        }
    }

    #[test]
    fn blocks_of_one_weight_are_unstructured_pruning() {
        let network = Network::preset("mlp:7", 5, 3).unwrap();
        let layout = network.layout();
        let scores = scores(layout.len(), 1);
        let (counts, ranges) = (vec![11, 6], layout.weight_ranges());
        let expected = keep_highest(&layout.full_mask(), &scores, &ranges, &counts).unwrap();
        let mask = keep_blocks(layout, &scores, (1, 1), &counts, Scope::Layerwise, Edge::Refused).unwrap();
        assert_eq!(mask, expected);
        let global = keep_blocks(layout, &scores, (1, 1), &counts, Scope::Global, Edge::Refused).unwrap();
        let weights = layout.weights();
        let best = largest_by(17, weights.indices().iter().copied(), |i| scores[i]);
        let kept = weights
            .indices()
            .iter()
            .copied()
            .filter(|&i| global.keeps(i))
            .collect::<Vec<_>>();
        assert_eq!(kept, best);
    }

    #[test]
    fn a_kernel_is_seen_as_one_row_of_places_and_channels() {
        let network = Network::preset("conv-2", 64, 2).unwrap();
        let layout = network.layout();
        let scores = scores(layout.len(), 2);
        let mask = keep_of_every(layout, &scores, 1, 4, Edge::Ragged).unwrap();
        let first = layout.slot("convolution0.weight").unwrap();
        assert_eq!(first.shape, [64, 3, 3, 1]);
        // Nine places of one channel: two groups of four, and one that keeps its share of ⌈1/4⌉.
        assert_eq!(mask.kept_in(first.range.clone()), 64 * 3);
        let error = keep_of_every(layout, &scores, 1, 4, Edge::Refused)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("convolution0.weight") && error.contains("64×9"),
            "{error}"
        );
    }

    #[test]
    fn numbers_that_make_no_pattern_and_scores_that_do_not_fit_are_refused() {
        let network = Network::preset("mlp:4", 4, 2).unwrap();
        let layout = network.layout();
        let good = scores(layout.len(), 3);
        for (keep, of) in [(0, 4), (5, 4), (0, 0)] {
            assert!(keep_of_every(layout, &good, keep, of, Edge::Ragged).is_err());
            assert!(kept_of_every(4, 4, keep, of).is_err());
        }
        let blocks = |size, counts: &[usize], edge| keep_blocks(layout, &good, size, counts, Scope::Layerwise, edge);
        assert!(blocks((0, 2), &[4, 4], Edge::Ragged).is_err());
        assert!(blocks((2, 2), &[4], Edge::Ragged).is_err());
        assert!(blocks((3, 2), &[4, 4], Edge::Refused).is_err());
        assert!(blocks((3, 2), &[4, 4], Edge::Ragged).is_ok());
        assert!(keep_of_every(layout, &good[1..], 1, 2, Edge::Ragged).is_err());
        let mut bad = good.clone();
        bad[layout.slot("dense1.weight").unwrap().range.start] = f64::NAN;
        assert!(keep_of_every(layout, &bad, 1, 2, Edge::Ragged).is_err());
        // Scores of biases are not looked at.
        let mut unused = good.clone();
        let bias = layout.slots().iter().find(|s| s.kind == SlotKind::Bias).unwrap();
        unused[bias.range.start] = f64::NAN;
        assert!(keep_of_every(layout, &unused, 1, 2, Edge::Ragged).is_ok());
    }

    #[test]
    fn patterns_are_written_and_read_the_same_way() {
        for word in ["2:4", "1:16", "4x4", "1x8"] {
            assert_eq!(word.parse::<Pattern>().unwrap().to_string(), word);
        }
        assert_eq!("block:4x4".parse::<Pattern>().unwrap().to_string(), "4x4");
        for word in ["4:2", "block:2:4", "0:4", "0x3", "2-4", "", "2:x"] {
            assert!(word.parse::<Pattern>().is_err(), "{word}");
        }
    }
}
