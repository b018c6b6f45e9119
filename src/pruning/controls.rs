//! Controls: what else could explain that a ticket trains? Each changes one thing and leaves the rest.

use crate::error::{Error, Result};
use crate::seed::Seed;
use crate::support::Mask;
use rand::seq::SliceRandom;
use std::ops::Range;

/// Shuffles a mask within each layer: the same number of weights a layer, at random places.
///
/// # Errors
/// [`Error::Shape`] when a layer lies outside the mask.
///
/// Source: the "random sparsity with the same layerwise proportions" control of Frankle et al., ICLR 2021.
pub fn shuffle_within_layers(mask: &Mask, layers: &[Range<usize>], seed: &Seed) -> Result<Mask> {
    let mut bits = mask.bits().to_vec();
    for (number, range) in layers.iter().enumerate() {
        let length = bits.len();
        let slice = bits.get_mut(range.clone()).ok_or_else(|| {
            Error::shape(
                "layer of a mask",
                format!("a range below {length}"),
                format!("{range:?}"),
            )
        })?;
        slice.shuffle(&mut seed.stream("mask-shuffle").stream(number.to_string()).rng());
    }
    Ok(Mask::from_bits(bits))
}

/// A mask that keeps exactly `counts[l]` weights of layer `l`, drawn uniformly, and every coordinate outside all layers.
///
/// # Errors
/// [`Error::Argument`] when a count exceeds its layer, [`Error::Shape`] when the lists or ranges do not fit.
pub fn random_mask(dimension: usize, layers: &[Range<usize>], counts: &[usize], seed: &Seed) -> Result<Mask> {
    if layers.len() != counts.len() {
        return Err(Error::shape("counts a layer", layers.len(), counts.len()));
    }
    let mut mask = Mask::full(dimension);
    for (range, &count) in layers.iter().zip(counts) {
        if range.end > dimension {
            return Err(Error::shape(
                "layer of a mask",
                format!("a range below {dimension}"),
                format!("{range:?}"),
            ));
        }
        if count > range.len() {
            return Err(Error::argument(
                "count of a layer",
                format!("at most {}", range.len()),
                count,
            ));
        }
        for i in range.clone().skip(count) {
            mask.set(i, false);
        }
    }
    shuffle_within_layers(&mask, layers, &seed.stream("random-mask"))
}

/// Fresh magnitudes with the old signs: `|w_i'| sign(w_i)`, where `w'` is a fresh draw and `w` the original one.
///
/// A coordinate that was exactly zero (a bias at its start) takes the fresh value as it is.
///
/// # Errors
/// [`Error::Shape`] when the lengths differ.
///
/// Source: Zhou, Lan, Liu & Yosinski, NeurIPS 2019, on what of the initial values matters.
pub fn keep_signs(original: &[f32], fresh: &[f32]) -> Result<Vec<f32>> {
    if original.len() != fresh.len() {
        return Err(Error::shape("fresh initial values", original.len(), fresh.len()));
    }
    Ok(original
        .iter()
        .zip(fresh)
        .map(|(&w, &f)| if w == 0.0 { f } else { f.abs().copysign(w) })
        .collect())
}

/// Initial values permuted within each layer: the same numbers at other places.
///
/// # Errors
/// [`Error::Shape`] when a layer lies outside the vector.
pub fn permute_within_layers(values: &[f32], layers: &[Range<usize>], seed: &Seed) -> Result<Vec<f32>> {
    let mut permuted = values.to_vec();
    for (number, range) in layers.iter().enumerate() {
        let length = permuted.len();
        let slice = permuted.get_mut(range.clone()).ok_or_else(|| {
            Error::shape(
                "layer of a parameter vector",
                format!("a range below {length}"),
                format!("{range:?}"),
            )
        })?;
        slice.shuffle(&mut seed.stream("value-permutation").stream(number.to_string()).rng());
    }
    Ok(permuted)
}

/// Hidden widths of a dense network of the same shape with about `weights` weights: every width is scaled by one
/// factor, and the factor is the one whose count comes nearest (the smaller network on a tie).
///
/// Returns the widths and their number of weights; no width falls below 1, so very small targets are missed from
/// above, which the count shows.
///
/// # Errors
/// [`Error::Argument`] when there is no hidden layer or a size is 0.
pub fn small_dense_widths(
    inputs: usize,
    hidden: &[usize],
    outputs: usize,
    weights: usize,
) -> Result<(Vec<usize>, usize)> {
    if hidden.is_empty() || inputs == 0 || outputs == 0 || hidden.contains(&0) {
        return Err(Error::argument(
            "layer widths",
            "at least one hidden layer and no empty layer",
            format!("{hidden:?}"),
        ));
    }
    let count = |widths: &[usize]| -> usize {
        let all: Vec<usize> = [inputs].iter().chain(widths).chain(&[outputs]).copied().collect();
        all.windows(2).map(|w| w[0] * w[1]).sum()
    };
    // Widths change one unit at a time along the line of a common factor, so trying every factor at which some width
    // steps covers every distinct choice.
    let mut factors: Vec<f64> = hidden
        .iter()
        .flat_map(|&w| (1..=w).map(move |unit| unit as f64 / w as f64))
        .collect();
    factors.sort_by(f64::total_cmp);
    let candidates = factors.iter().map(|&factor| {
        let widths: Vec<usize> = hidden
            .iter()
            .map(|&w| ((w as f64 * factor).round() as usize).max(1))
            .collect();
        let total = count(&widths);
        (widths, total)
    });
    candidates
        .min_by_key(|(_, total)| (total.abs_diff(weights), *total))
        .ok_or_else(|| Error::argument("layer widths", "at least one hidden unit", "none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shuffle_keeps_the_count_of_every_layer_and_moves_something() {
        let mask = Mask::from_bits((0..60).map(|i| i % 4 == 0 || (30..40).contains(&i)).collect());
        let layers = [0..30, 30..60];
        let shuffled = shuffle_within_layers(&mask, &layers, &Seed::root(1)).unwrap();
        for range in &layers {
            assert_eq!(shuffled.kept_in(range.clone()), mask.kept_in(range.clone()));
        }
        assert_ne!(shuffled, mask);
        assert!(shuffle_within_layers(&mask, std::slice::from_ref(&(50..61)), &Seed::root(1)).is_err());
    }

    #[test]
    fn a_random_mask_has_the_asked_counts_and_leaves_the_rest_alone() {
        let mask = random_mask(20, &[2..10, 12..20], &[3, 8], &Seed::root(2)).unwrap();
        assert_eq!((mask.kept_in(2..10), mask.kept_in(12..20), mask.kept()), (3, 8, 15));
        assert!(random_mask(20, &[2..10, 12..20], &[9, 0], &Seed::root(2)).is_err());
    }

    #[test]
    fn every_place_of_a_layer_is_equally_likely_in_a_random_mask() {
        // 4,000 masks keep 3 of 10: each place is kept Binomial(4000, 0.3) times, sd 29; ten places at five standard
        // deviations fail by chance with probability below 6e-6.
        let mut counts = [0usize; 10];
        for t in 0..4000 {
            let mask = random_mask(10, std::slice::from_ref(&(0..10)), &[3], &Seed::root(3).replicate(t)).unwrap();
            for &i in mask.support().indices() {
                counts[i] += 1;
            }
        }
        assert!(
            counts.iter().all(|&c| (c as f64 - 1200.0).abs() < 5.0 * 29.0),
            "{counts:?}"
        );
    }

    #[test]
    fn signs_stay_and_magnitudes_are_fresh() {
        let kept = keep_signs(&[-1.0, 2.0, 0.0], &[0.5, -0.25, -3.0]).unwrap();
        assert_eq!(kept, [-0.5, 0.25, -3.0]);
        assert!(keep_signs(&[1.0], &[]).is_err());
    }

    #[test]
    fn the_small_dense_network_is_the_nearest_in_weights() {
        // 64-50-30-10 has 5,000 weights; a tenth of it is 500: by enumeration the nearest common factor is near 0.13.
        let (widths, total) = small_dense_widths(64, &[50, 30], 10, 500).unwrap();
        assert_eq!(total, 64 * widths[0] + widths[0] * widths[1] + widths[1] * 10);
        assert!(total.abs_diff(500) <= 64, "{widths:?} has {total}");
        let (full, all) = small_dense_widths(64, &[50, 30], 10, 5000).unwrap();
        assert_eq!((full, all), (vec![50, 30], 5000));
        assert!(small_dense_widths(64, &[], 10, 5).is_err());
    }
}
