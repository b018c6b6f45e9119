//! Masks of given counts at random places.

use super::layer_range;
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
        let slice = layer_range(&mut bits, range)?;
        slice.shuffle(&mut seed.stream("mask-shuffle").stream(number.to_string()).rng());
    }
    Ok(Mask::from_bits(bits))
}

/// Shuffles a mask across all layers together: the same number of weights in all, at random places of any layer.
///
/// What a layer keeps is then hypergeometric, so that a shuffle across layers and one within them differ in the layerwise
/// densities alone. Coordinates outside every layer are not touched.
///
/// # Errors
/// [`Error::Shape`] when a layer lies outside the mask.
///
/// Source: the "random pruning" of Liu et al., ICLR 2022, arXiv:2202.02643, with one density for all layers.
pub fn shuffle_across_layers(mask: &Mask, layers: &[Range<usize>], seed: &Seed) -> Result<Mask> {
    let mut bits = mask.bits().to_vec();
    let mut all = Vec::new();
    for range in layers {
        all.extend_from_slice(layer_range(&mut bits, range)?);
    }
    all.shuffle(&mut seed.stream("mask-shuffle-across").rng());
    let mut shuffled = all.into_iter();
    for range in layers {
        for (bit, drawn) in layer_range(&mut bits, range)?.iter_mut().zip(&mut shuffled) {
            *bit = drawn;
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn shuffles_keep_what_they_say_they_keep(
            bits in prop::collection::vec(any::<bool>(), 30), cut in 1usize..29, number in any::<u64>(),
        ) {
            let (mask, seed) = (Mask::from_bits(bits), Seed::root(number));
            // The last two coordinates belong to no layer.
            let layers = [0..cut.min(27), cut.min(27)..28];
            let within = shuffle_within_layers(&mask, &layers, &seed).unwrap();
            let across = shuffle_across_layers(&mask, &layers, &seed).unwrap();
            for range in &layers {
                prop_assert_eq!(within.kept_in(range.clone()), mask.kept_in(range.clone()));
            }
            for shuffled in [within, across] {
                prop_assert_eq!(shuffled.kept_in(0..28), mask.kept_in(0..28));
                prop_assert_eq!(&shuffled.bits()[28..], &mask.bits()[28..]);
            }
        }
    }

    #[test]
    fn a_shuffle_across_layers_spreads_the_weights_evenly_over_them() {
        // All 8 kept weights lie in the first of two layers of 10 and 30: a quarter of them is expected there afterwards,
        // hypergeometric with variance 8/4·(3/4)·32/39 = 1.23. The mean of 4,000 has sd 0.0175; five of them: 6e-7.
        let mask = Mask::from_bits((0..40).map(|i| i < 8).collect());
        let kept = |t| {
            let seed = Seed::root(9).replicate(t);
            let shuffled = shuffle_across_layers(&mask, &[0..10, 10..40], &seed).unwrap();
            assert_eq!(shuffled.kept(), 8);
            shuffled.kept_in(0..10) as f64
        };
        let mean = (0..4000).map(kept).sum::<f64>() / 4000.0;
        assert!((mean - 2.0).abs() < 5.0 * 0.0175, "{mean}");
        assert!(shuffle_across_layers(&mask, &[0..10, 10..41], &Seed::root(9)).is_err());
    }
}
