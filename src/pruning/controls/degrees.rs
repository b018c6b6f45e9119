//! Masks drawn among all those of the same degrees: every output keeps as many weights as before, and every input too.

use super::layer_range;
use crate::error::{Error, Result};
use crate::networks::Layout;
use crate::seed::Seed;
use crate::support::Mask;
use rand::{Rng, RngExt};

/// Attempted swaps for each place of the rarer kind, kept or pruned (Milo et al. 2003 find 100 more than enough).
const SWAPS_A_PLACE: usize = 100;

/// Shuffles a mask within each layer so that every row and every column of the layer keeps its number of weights.
///
/// A layer is the bipartite graph of its kept weights, a row an output and a column an input. Two edges `(r, c)`,
/// `(r', c')` drawn at random become `(r, c')`, `(r', c)` where neither is there yet, else nothing happens: a symmetric
/// chain that reaches every graph of these degrees (Ryser 1957), so that its stationary law is uniform over them. 100
/// swaps are tried for each edge, or for each missing one where those are fewer: the chain is the same seen from either.
/// Degrees that allow one graph only leave the mask as it is.
///
/// A convolution is seen as channels and kernel places: a row is an output channel, a column one input channel at one
/// place of the kernel. What a filter keeps in all, and how many filters read a channel at a place, stay.
///
/// # Errors
/// [`Error::Shape`] when the mask is of another layout.
///
/// Cost: `100 min(kept, pruned)` attempts a layer.
///
/// Source: the edge-switching chain, Rao, Jana & Bandyopadhyay, Sankhyā A 58 (1996); the number of swaps, Milo, Kashtan,
/// Itzkovitz, Newman & Alon, arXiv:cond-mat/0312028; row and column sums as a null model for masks, claim A14.
pub fn shuffle_keeping_degrees(mask: &Mask, layout: &Layout, seed: &Seed) -> Result<Mask> {
    layout.check_mask(mask)?;
    let mut bits = mask.bits().to_vec();
    for (number, slot) in layout.weight_slots().enumerate() {
        let layer = layer_range(&mut bits, &slot.range)?;
        let rows = slot.shape.first().copied().unwrap_or(0);
        let mut rng = seed.stream("degree-shuffle").stream(number.to_string()).rng();
        swap_edges(layer, rows, &mut rng)?;
    }
    Ok(Mask::from_bits(bits))
}

/// Runs the chain on one matrix of bits, stored row by row.
fn swap_edges(bits: &mut [bool], rows: usize, rng: &mut impl Rng) -> Result<()> {
    if rows == 0 || !bits.len().is_multiple_of(rows) {
        return Err(Error::shape(
            "entries of a layer",
            format!("a multiple of {rows}"),
            bits.len(),
        ));
    }
    let columns = bits.len() / rows;
    let kept = bits.iter().filter(|bit| **bit).count();
    // A swap moves as many holes as edges, the other way round: the rarer kind is the cheaper one to follow.
    let kind = kept * 2 <= bits.len();
    let mut places: Vec<usize> = (0..bits.len()).filter(|&place| bits[place] == kind).collect();
    if places.len() < 2 {
        return Ok(());
    }
    for _ in 0..SWAPS_A_PLACE * places.len() {
        let (a, b) = (rng.random_range(0..places.len()), rng.random_range(0..places.len()));
        let (first, second) = (places[a], places[b]);
        let crossed = first / columns * columns + second % columns;
        let back = second / columns * columns + first % columns;
        // In one row or one column the crossed places are the old ones, which are taken.
        if bits[crossed] == kind || bits[back] == kind {
            continue;
        }
        for place in [first, second] {
            bits[place] = !kind;
        }
        for place in [crossed, back] {
            bits[place] = kind;
        }
        (places[a], places[b]) = (crossed, back);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::{ImageShape, InputShape, Network};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn degrees(bits: &[bool], rows: usize) -> (Vec<usize>, Vec<usize>) {
        let columns = bits.len() / rows;
        let of = |line: usize, step: usize, length: usize| (0..length).filter(|i| bits[line + i * step]).count();
        (
            (0..rows).map(|row| of(row * columns, 1, columns)).collect(),
            (0..columns).map(|column| of(column, columns, rows)).collect(),
        )
    }

    proptest! {
        #[test]
        fn every_row_and_every_column_keeps_its_count(
            rows in 1usize..9, columns in 1usize..9, share in 0.05_f64..0.95, number in any::<u64>(),
        ) {
            let mut rng = Seed::root(number).rng();
            let bits: Vec<bool> = (0..rows * columns).map(|_| rng.random::<f64>() < share).collect();
            let mut shuffled = bits.clone();
            swap_edges(&mut shuffled, rows, &mut rng).unwrap();
            prop_assert_eq!(degrees(&shuffled, rows), degrees(&bits, rows));
        }
    }

    #[test]
    fn every_matrix_of_the_same_degrees_is_equally_likely() {
        // Row sums (2, 2, 1) and column sums (2, 2, 1) have 5 matrices, by enumeration of all 512. Of 5,000 shuffles each
        // is hit Binomial(5000, 1/5) times, sd 28.3: five at five deviations fail by chance below 3e-6. The start is not
        // among those that are easiest to leave, so a chain that is too short shows too. The complement, with row sums
        // (1, 1, 2), is followed by its holes.
        let start = [true, true, false, true, false, true, false, true, false];
        for flip in [false, true] {
            let start: Vec<bool> = start.iter().map(|bit| bit ^ flip).collect();
            let all = (0..512_u32).map(|code| (0..9).map(|i| code >> i & 1 == 1).collect::<Vec<bool>>());
            let same: Vec<Vec<bool>> = all.filter(|bits| degrees(bits, 3) == degrees(&start, 3)).collect();
            assert_eq!(same.len(), 5);
            let mut counts: BTreeMap<Vec<bool>, usize> = BTreeMap::new();
            for t in 0..5000 {
                let mut bits = start.clone();
                swap_edges(&mut bits, 3, &mut Seed::root(7).replicate(t).rng()).unwrap();
                *counts.entry(bits).or_default() += 1;
            }
            assert_eq!(counts.len(), 5);
            assert!(
                counts.values().all(|&n| (n as f64 - 1000.0).abs() < 5.0 * 28.3),
                "{counts:?}"
            );
        }
    }

    #[test]
    fn degrees_that_allow_one_graph_leave_it_and_a_convolution_keeps_filters_and_places() {
        let mut full = vec![true, true, true, false];
        let before = full.clone();
        swap_edges(&mut full, 2, &mut Seed::root(0).rng()).unwrap();
        assert_eq!(full, before);

        let image = ImageShape {
            channels: 2,
            height: 8,
            width: 8,
        };
        let network = Network::preset("conv-2", InputShape::Image(image), 3).unwrap();
        let mut mask = network.layout().full_mask();
        for slot in network.layout().weight_slots() {
            slot.range
                .clone()
                .filter(|i| i * i % 7 < 4)
                .for_each(|i| mask.set(i, false));
        }
        let shuffled = shuffle_keeping_degrees(&mask, network.layout(), &Seed::root(1)).unwrap();
        for slot in network.layout().weight_slots() {
            let [old, new] = [&mask, &shuffled].map(|m| &m.bits()[slot.range.clone()]);
            assert_eq!(
                degrees(old, slot.shape[0]),
                degrees(new, slot.shape[0]),
                "{}",
                slot.name
            );
            assert_ne!(old, new, "{}", slot.name);
        }
        assert!(shuffle_keeping_degrees(&Mask::full(3), network.layout(), &Seed::root(1)).is_err());
    }
}
