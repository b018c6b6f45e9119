//! Other initial values for the same mask: fresh, permuted, reduced to their signs, or with noise.

use super::layer_range;
use crate::error::{Error, Result, require_finite};
use crate::networks::Layout;
use crate::seed::Seed;
use crate::support::Mask;
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_distr::StandardNormal;
use std::ops::Range;

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
        let slice = layer_range(&mut permuted, range)?;
        slice.shuffle(&mut seed.stream("value-permutation").stream(number.to_string()).rng());
    }
    Ok(permuted)
}

/// Initial values permuted among the kept weights of each layer: what the ticket keeps are the same numbers, each at
/// another of its places. Pruned weights, and all that is no weight, keep theirs.
///
/// Unlike [`permute_within_layers`] it does not replace the large initial values that magnitude pruning prefers by
/// ordinary ones, so that places are all that changes.
///
/// # Errors
/// [`Error::Shape`] when the lengths differ or a layer lies outside the vector.
///
/// Source: the "reshuffle" treatment of Zhou, Lan, Liu & Yosinski, NeurIPS 2019.
pub fn permute_kept_within_layers(
    values: &[f32],
    mask: &Mask,
    layers: &[Range<usize>],
    seed: &Seed,
) -> Result<Vec<f32>> {
    if mask.dimension() != values.len() {
        return Err(Error::shape("mask", values.len(), mask.dimension()));
    }
    let mut permuted = values.to_vec();
    for (number, range) in layers.iter().enumerate() {
        layer_range(&mut permuted, range)?;
        let places: Vec<usize> = range.clone().filter(|&i| mask.keeps(i)).collect();
        let mut drawn: Vec<f32> = places.iter().map(|&i| values[i]).collect();
        drawn.shuffle(&mut seed.stream("kept-value-permutation").stream(number.to_string()).rng());
        for (place, value) in places.into_iter().zip(drawn) {
            permuted[place] = value;
        }
    }
    Ok(permuted)
}

/// The standard deviation of the initial weights of each layer about zero, `σ_ℓ = √(Σ w²/n_ℓ)`: what was drawn stands for
/// the law that it was drawn from, with relative error `1/√(2n_ℓ)`.
///
/// # Errors
/// [`Error::Shape`] when there are not as many values as parameters, [`Error::NotFinite`].
pub fn layer_deviations(initial: &[f32], layout: &Layout) -> Result<Vec<f64>> {
    check_length(initial, layout)?;
    let deviation = |range: &Range<usize>| -> Result<f64> {
        let values: Vec<f64> = initial[range.clone()].iter().map(|&w| f64::from(w)).collect();
        require_finite("initial weights", &values)?;
        Ok((values.iter().map(|w| w * w).sum::<f64>() / values.len().max(1) as f64).sqrt())
    };
    layout.weight_slots().map(|slot| deviation(&slot.range)).collect()
}

/// Signs alone: every weight `w` of layer ℓ becomes `sign(w) σ_ℓ`; a zero stays, and so does all that is no weight.
///
/// # Errors
/// [`Error::Shape`] when there are not as many values as parameters or deviations as layers.
///
/// Source: the "constant" treatment of Zhou, Lan, Liu & Yosinski, NeurIPS 2019, which takes for σ_ℓ the standard
/// deviation of the layer's initial law.
pub fn constant_magnitudes(values: &[f32], layout: &Layout, deviations: &[f64]) -> Result<Vec<f32>> {
    changed(values, layout, deviations, |_, slice, deviation| {
        for w in slice.iter_mut().filter(|w| **w != 0.0) {
            *w = (deviation as f32).copysign(*w);
        }
    })
}

/// Every weight of layer ℓ with noise, `w + ε`, `ε ~ N(0, τ²σ_ℓ²)`; what is no weight stays as it is.
///
/// The noise of a weight is τσ_ℓ times a standard normal number that depends on its place alone, so that two values of τ
/// differ by the size of the noise and by nothing else. Where `w ~ N(0, σ_ℓ²)`, a sign flips with probability
/// [`arctan(τ)/π`](crate::theory::sign_flip::flip_probability).
///
/// # Errors
/// [`Error::Argument`] for τ that is not positive and finite, [`Error::Shape`] when there are not as many values as
/// parameters or deviations as layers.
pub fn with_noise(values: &[f32], layout: &Layout, deviations: &[f64], tau: f64, seed: &Seed) -> Result<Vec<f32>> {
    noisy(values, layout, deviations, tau, seed, |w, noise| w + noise)
}

/// As [`with_noise`] with every sign kept: `|w + ε| sign(w)`. The magnitudes are those of [`with_noise`], number by
/// number.
///
/// # Errors
/// As [`with_noise`].
pub fn with_noise_keeping_signs(
    values: &[f32],
    layout: &Layout,
    deviations: &[f64],
    tau: f64,
    seed: &Seed,
) -> Result<Vec<f32>> {
    noisy(values, layout, deviations, tau, seed, |w, noise| {
        (w + noise).abs().copysign(w)
    })
}

/// Refuses a size of noise that is none.
pub(in crate::pruning) fn check_tau(control: &str, tau: f64) -> Result<()> {
    if tau > 0.0 && tau.is_finite() {
        Ok(())
    } else {
        Err(Error::argument(control, "noise of positive finite size", tau))
    }
}

fn noisy(
    values: &[f32],
    layout: &Layout,
    deviations: &[f64],
    tau: f64,
    seed: &Seed,
    add: impl Fn(f32, f32) -> f32,
) -> Result<Vec<f32>> {
    check_tau("tau", tau)?;
    changed(values, layout, deviations, |name, slice, deviation| {
        let mut rng = seed.stream("initial-noise").stream(name).rng();
        for w in slice {
            let draw: f64 = rng.sample(StandardNormal);
            *w = add(*w, (draw * tau * deviation) as f32);
        }
    })
}

/// The values with the weights of every layer changed, layer by layer with its name and deviation.
fn changed(
    values: &[f32],
    layout: &Layout,
    deviations: &[f64],
    change: impl Fn(&str, &mut [f32], f64),
) -> Result<Vec<f32>> {
    check_length(values, layout)?;
    let layers = layout.weight_slots().count();
    if deviations.len() != layers {
        return Err(Error::shape("deviations of layers", layers, deviations.len()));
    }
    let mut other = values.to_vec();
    for (slot, &deviation) in layout.weight_slots().zip(deviations) {
        change(&slot.name, layer_range(&mut other, &slot.range)?, deviation);
    }
    Ok(other)
}

fn check_length(values: &[f32], layout: &Layout) -> Result<()> {
    if values.len() == layout.len() {
        Ok(())
    } else {
        Err(Error::shape("parameters", layout.len(), values.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::{Initialisation, Network};
    use crate::theory::sign_flip::flip_probability;
    use proptest::prelude::*;

    fn network() -> (Network, Vec<f32>) {
        let network = Network::preset("mlp:40-30", 20, 4).unwrap();
        let initial = network.initial(&Seed::root(3), &"glorot:bias=0.1".parse::<Initialisation>().unwrap());
        (network, initial.unwrap())
    }

    fn layers(network: &Network) -> Vec<Range<usize>> {
        network.layout().weight_ranges()
    }

    #[test]
    fn signs_stay_and_magnitudes_are_fresh() {
        let kept = keep_signs(&[-1.0, 2.0, 0.0], &[0.5, -0.25, -3.0]).unwrap();
        assert_eq!(kept, [-0.5, 0.25, -3.0]);
        assert!(keep_signs(&[1.0], &[]).is_err());
    }

    proptest! {
        #[test]
        fn kept_values_change_places_within_their_layer_and_all_others_stay(
            bits in prop::collection::vec(any::<bool>(), 24), cut in 1usize..20, number in any::<u64>(),
        ) {
            let values: Vec<f32> = (0..24).map(|i| i as f32 - 11.5).collect();
            let (mask, ranges) = (Mask::from_bits(bits), [0..cut, cut..21]);
            let permuted = permute_kept_within_layers(&values, &mask, &ranges, &Seed::root(number)).unwrap();
            for i in (0..24).filter(|&i| i > 20 || !mask.keeps(i)) {
                prop_assert_eq!(permuted[i], values[i]);
            }
            for range in &ranges {
                let sorted = |of: &[f32]| {
                    let mut kept: Vec<f32> = range.clone().filter(|&i| mask.keeps(i)).map(|i| of[i]).collect();
                    kept.sort_by(f32::total_cmp);
                    kept
                };
                prop_assert_eq!(sorted(&permuted), sorted(&values));
            }
        }
    }

    #[test]
    fn constants_have_the_deviation_of_their_layer_and_biases_stay() {
        let (network, mut initial) = network();
        initial[0] = 0.0;
        let deviations = layer_deviations(&initial, network.layout()).unwrap();
        let constant = constant_magnitudes(&initial, network.layout(), &deviations).unwrap();
        let weights = network.layout().prunable_mask();
        for (i, (&old, &new)) in initial.iter().zip(&constant).enumerate() {
            let layer = layers(&network).iter().position(|range| range.contains(&i));
            let magnitude = layer.map_or(old.abs(), |layer| if i == 0 { 0.0 } else { deviations[layer] as f32 });
            assert_eq!((new.abs(), new < 0.0), (magnitude, old < 0.0), "{i}");
            assert_eq!(weights.keeps(i), layer.is_some());
        }
        // Glorot: variance 2/(20 + 40) over 800 weights, known to 1/√1600 of itself at one deviation; five of them.
        assert!((deviations[0] / (2.0_f64 / 60.0).sqrt() - 1.0).abs() < 5.0 / 40.0);
        assert!(constant_magnitudes(&initial, network.layout(), &deviations[1..]).is_err());
        assert!(layer_deviations(&initial[1..], network.layout()).is_err());
    }

    #[test]
    fn noise_flips_as_many_signs_as_the_closed_form_says_and_none_where_they_are_kept() {
        let network = Network::preset("mlp:300", 200, 10).unwrap();
        let initial: Vec<f32> = network.initial(&Seed::root(3), &Initialisation::HE).unwrap();
        let deviations = layer_deviations(&initial, network.layout()).unwrap();
        let weights = network.layout().weights();
        for tau in [0.1, 0.5, 2.0] {
            let seed = Seed::root(8);
            let plain = with_noise(&initial, network.layout(), &deviations, tau, &seed).unwrap();
            let kept = with_noise_keeping_signs(&initial, network.layout(), &deviations, tau, &seed).unwrap();
            let flips = |other: &[f32]| {
                let flipped = weights.indices().iter().filter(|&&i| other[i] * initial[i] < 0.0);
                flipped.count() as f64 / weights.len() as f64
            };
            assert_eq!(flips(&kept), 0.0);
            // 63,000 weights: five binomial standard deviations, and the deviation of the first layer known to 0.3 %.
            let expected = flip_probability(tau).unwrap();
            let deviation = (expected * (1.0 - expected) / weights.len() as f64).sqrt();
            assert!(
                (flips(&plain) - expected).abs() < 5.0 * deviation + 0.01 * expected,
                "{tau}"
            );
            for (i, (a, b)) in plain.iter().zip(&kept).enumerate() {
                assert_eq!(a.abs(), b.abs());
                assert!(weights.contains(i) || *a == initial[i]);
            }
        }
        for tau in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(with_noise(&initial, network.layout(), &deviations, tau, &Seed::root(0)).is_err());
        }
    }

    #[test]
    fn twice_the_noise_is_the_same_noise_twice() {
        let (network, initial) = network();
        let deviations = layer_deviations(&initial, network.layout()).unwrap();
        let noise = |tau| -> Vec<f64> {
            let other = with_noise(&initial, network.layout(), &deviations, tau, &Seed::root(5)).unwrap();
            other
                .iter()
                .zip(&initial)
                .map(|(a, b)| f64::from(*a) - f64::from(*b))
                .collect()
        };
        for (one, two) in noise(0.5).into_iter().zip(noise(1.0)) {
            // Each sum is rounded to f32 at a size below 4.
            assert!((2.0 * one - two).abs() < 4.0 * f64::from(f32::EPSILON) * 3.0);
        }
    }
}
