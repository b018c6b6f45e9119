//! Random numbers whose subset sums have to come near every target, and networks of random weights pruned towards a given
//! one by such sums.
//!
//! One weight is made of `units` random hidden ones: `w x ≈ Σ_{i∈S} aᵢ σ(bᵢ x)` with σ the ReLU. Where x ≥ 0 only units of
//! positive `bᵢ` answer, where x < 0 only those of negative `bᵢ`, so two subset sums of the products `aᵢ bᵢ` have to come
//! near w (Malach, Yehudai, Shalev-Shwartz & Shamir, ICML 2020; Pensia et al., NeurIPS 2020; Orseau, Hutter & Rivasplata,
//! NeurIPS 2020).

use super::require_between;
use crate::error::{Error, Result};
use crate::networks::{Activation, Network};
use crate::seed::Seed;
use crate::support::Mask;
use crate::theory::subset_sum::{
    Covering, MOST_NUMBERS, MOST_SEARCHED, covering_radius, covering_radius_of_size, nearest_subset,
};
use rand::RngExt;

/// Targets between these have a subset sum nearby with high probability (Lueker 1998).
pub const TARGETS: (f64, f64) = (-0.5, 0.5);

/// How well the subset sums of `numbers` random numbers, uniform on `[−1, 1]`, cover the targets `[−½, ½]`: all subsets,
/// or those of one size. Numbers come from the stream `numbers` of the seed, and fewer numbers are the first of more.
///
/// # Errors
/// [`Error::Argument`] for more than [`MOST_NUMBERS`] numbers or a size above them.
///
/// Cost: as [`covering_radius`].
pub fn random_covering(numbers: usize, size: Option<usize>, seed: &Seed) -> Result<Covering> {
    require_between("numbers", numbers, 0, MOST_NUMBERS)?;
    let values = uniform(numbers, &seed.stream("numbers"));
    match size {
        None => covering_radius(&values, TARGETS.0, TARGETS.1),
        Some(size) => covering_radius_of_size(&values, size, TARGETS.0, TARGETS.1),
    }
}

fn uniform(count: usize, seed: &Seed) -> Vec<f64> {
    let mut rng = seed.rng();
    (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// Which signs of the input a weight has to answer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InputSign {
    /// Both: an input of the network.
    Either,
    /// None below zero: the output of a ReLU.
    Nonnegative,
}

/// The units kept for one weight.
#[derive(Clone, Debug, PartialEq)]
pub struct PrunedWeight {
    /// Positions of the kept units, ascending.
    pub kept: Vec<usize>,
    /// The slope of what they compute where the input is positive.
    pub positive: f64,
    /// The slope where it is negative; zero where such inputs do not occur.
    pub negative: f64,
    /// The largest error over inputs of size at most 1: `max |w − slope|` over the signs that occur.
    pub error: f64,
}

/// Keeps those of the random units `x ↦ aᵢ σ(bᵢ x)` whose sum comes nearest to `w x`, exactly.
///
/// ```
/// use ticketsense::simulations::subset_sum::{InputSign, prune_to_weight};
/// // Products 0.3, 0.25 answer to positive inputs, 0.4 and −0.2 to negative ones.
/// let found = prune_to_weight(0.5, &[0.6, 0.5, -0.5, 0.4], &[0.5, 0.5, -0.8, -0.5], InputSign::Either)?;
/// assert_eq!(found.kept, [0, 1, 2]);
/// assert!((found.error - 0.1).abs() < 1e-15);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Shape`] for different numbers of `outgoing` a and `incoming` b, [`Error::Argument`] for more than
/// [`MOST_SEARCHED`] of either sign, [`Error::NotFinite`].
///
/// Cost: as [`nearest_subset`], once a sign.
pub fn prune_to_weight(weight: f64, outgoing: &[f64], incoming: &[f64], inputs: InputSign) -> Result<PrunedWeight> {
    if outgoing.len() != incoming.len() {
        return Err(Error::shape(
            "outgoing weights of the units",
            incoming.len(),
            outgoing.len(),
        ));
    }
    let mut kept = Vec::new();
    let mut towards = |sign: f64| -> Result<f64> {
        let units: Vec<usize> = (0..incoming.len()).filter(|&i| incoming[i] * sign > 0.0).collect();
        let products: Vec<f64> = units.iter().map(|&i| outgoing[i] * incoming[i]).collect();
        let found = nearest_subset(&products, weight)?;
        kept.extend(found.chosen.iter().map(|&place| units[place]));
        Ok(found.sum)
    };
    let positive = towards(1.0)?;
    let mut error = (weight - positive).abs();
    let negative = match inputs {
        InputSign::Nonnegative => 0.0,
        InputSign::Either => {
            let slope = towards(-1.0)?;
            error = error.max((weight - slope).abs());
            slope
        }
    };
    kept.sort_unstable();
    Ok(PrunedWeight {
        kept,
        positive,
        negative,
        error,
    })
}

/// A network of random weights pruned towards a target network.
#[derive(Clone, Debug, PartialEq)]
pub struct PrunedTarget {
    /// The random network: twice as deep, with `units` hidden units for every input of a layer of the target.
    pub network: Network,
    /// Its random weights, uniform on `[−1, 1]`, none of which was moved.
    pub theta: Vec<f64>,
    /// The weights that stay.
    pub mask: Mask,
    /// The largest error of a single weight of the target.
    pub weight_error: f64,
    /// A proven bound of the largest error of an output over inputs in `[−1, 1]`.
    pub bound: f64,
}

/// Prunes a random network towards a bias-free ReLU network at `theta`, weight by weight.
///
/// The layer `z = W a` becomes `z_o = Σ_i Σ_k a_{oik} σ(b_{ik} a_i)`: `units` hidden units listen to input `i` alone, and
/// every output keeps its own subset of their outgoing weights. Weights of the target beyond the reach of the sums are
/// approximated as well as they can be, which the error shows. Random weights come from the stream `weights` of the seed.
///
/// The bound follows errors through the layers: with `|a_i| ≤ A_i`, errors `e_i` of the inputs and `d_oi` of the weights,
/// an output errs by at most `Σ_i |w_oi| e_i + d_oi (A_i + e_i)`; the ReLU enlarges no error.
///
/// # Errors
/// [`Error::Argument`] for a target with biases, another activation or other layers, and for `units` not from 1 to
/// [`MOST_SEARCHED`]; [`Error::Shape`] or [`Error::NotFinite`] for parameters that do not fit.
///
/// Cost: two searches a weight of the target, `O(units 2^{units/4})` each on average.
pub fn prune_towards(target: &Network, theta: &[f64], units: usize, seed: &Seed) -> Result<PrunedTarget> {
    require_between("units a weight", units, 1, MOST_SEARCHED)?;
    target.check_parameters("target", theta)?;
    let relu = target.activation() == Activation::Relu;
    if !target.is_multilayer() || target.has_bias() || !relu {
        let expected = "a multilayer perceptron of ReLUs without biases";
        return Err(Error::argument("target network", expected, target.name()));
    }
    let shapes: Vec<(usize, usize)> = target
        .dense_layers()
        .map(|dense| (dense.outputs, dense.inputs))
        .collect();
    let mut widths = Vec::new();
    for &(outputs, inputs) in &shapes {
        widths.extend([(inputs * units).to_string(), outputs.to_string()]);
    }
    widths.pop();
    let name = format!("mlp:{}:no-bias", widths.join("-"));
    let network = Network::preset(&name, target.inputs(), target.classes())?;
    let random = uniform(network.layout().len(), &seed.stream("weights"));
    let mut mask = Mask::empty(random.len());
    let starts = |of: &Network| -> Vec<usize> { of.layout().weight_slots().map(|s| s.range.start).collect() };
    let (slots, given) = (starts(&network), starts(target));
    let mut weight_error = 0.0_f64;
    // Bounds of the inputs of a layer, and of their errors.
    let (mut size, mut errors) = (vec![1.0; target.inputs()], vec![0.0; target.inputs()]);
    for (layer, &(outputs, inputs)) in shapes.iter().enumerate() {
        let (first, second) = (slots[2 * layer], slots[2 * layer + 1]);
        let sign = if layer == 0 {
            InputSign::Either
        } else {
            InputSign::Nonnegative
        };
        let hidden = inputs * units;
        let (mut next_size, mut next_errors) = (vec![0.0; outputs], vec![0.0; outputs]);
        for i in 0..inputs {
            let own = i * units..(i + 1) * units;
            let listening: Vec<f64> = own.clone().map(|u| random[first + u * inputs + i]).collect();
            for o in 0..outputs {
                let weight = theta[given[layer] + o * inputs + i];
                let row = second + o * hidden;
                let found = prune_to_weight(weight, &random[row + own.start..row + own.end], &listening, sign)?;
                for unit in found.kept {
                    mask.set(row + own.start + unit, true);
                    mask.set(first + (own.start + unit) * inputs + i, true);
                }
                weight_error = weight_error.max(found.error);
                next_size[o] += weight.abs() * size[i];
                next_errors[o] += weight.abs() * errors[i] + found.error * (size[i] + errors[i]);
            }
        }
        (size, errors) = (next_size, next_errors);
    }
    Ok(PrunedTarget {
        network,
        theta: random,
        mask,
        weight_error,
        bound: errors.into_iter().fold(0.0, f64::max),
    })
}

impl PrunedTarget {
    /// What is left of the random network: `mask ⊙ theta`.
    ///
    /// # Errors
    /// None for what [`prune_towards`] returns.
    pub fn pruned(&self) -> Result<Vec<f64>> {
        let mut pruned = self.theta.clone();
        self.mask.apply(&mut pruned)?;
        Ok(pruned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::Array;

    #[test]
    fn the_kept_units_of_a_weight_are_the_best_of_all_subsets() {
        let seed = Seed::root(5);
        for replicate in 0..20 {
            let draws = uniform(18, &seed.replicate(replicate));
            let (a, b) = draws[1..].split_at(8);
            let b = &b[..8];
            let weight = 0.5 * draws[0];
            for inputs in [InputSign::Either, InputSign::Nonnegative] {
                let found = prune_to_weight(weight, a, b, inputs).unwrap();
                let slope = |kept: &dyn Fn(usize) -> bool, sign: f64| -> f64 {
                    let heard = |i: usize| a[i] * (b[i] * sign).max(0.0) * sign;
                    (0..8).filter(|&i| kept(i)).map(heard).sum()
                };
                let error = |kept: &dyn Fn(usize) -> bool| {
                    let above = (weight - slope(kept, 1.0)).abs();
                    let below = (weight - slope(kept, -1.0)).abs();
                    if inputs == InputSign::Either {
                        above.max(below)
                    } else {
                        above
                    }
                };
                let best = (0..256u32)
                    .map(|bits| error(&|i| bits >> i & 1 == 1))
                    .fold(f64::INFINITY, f64::min);
                assert!((found.error - best).abs() < 1e-15, "{} {best}", found.error);
                assert!((error(&|i| found.kept.contains(&i)) - best).abs() < 1e-15);
            }
        }
    }

    #[test]
    fn the_radius_shrinks_with_more_numbers_on_the_same_stream() {
        let seed = Seed::root(2);
        let mut last = f64::INFINITY;
        for numbers in [0, 3, 6, 9, 12] {
            let found = random_covering(numbers, None, &seed).unwrap();
            // More numbers only add sums.
            assert!(found.radius <= last);
            last = found.radius;
            let half = random_covering(numbers, Some(numbers / 2), &seed).unwrap();
            assert!(half.radius >= found.radius && half.sums <= found.sums);
        }
        assert!(last < 0.05, "{last}");
        assert!(random_covering(25, None, &seed).is_err());
    }

    #[test]
    fn a_pruned_random_network_computes_the_target_within_its_bound() {
        let target = Network::preset("mlp:3-2:no-bias", 2, 2).unwrap();
        let seed = Seed::root(9);
        let weights: Vec<f64> = uniform(target.layout().len(), &seed.stream("target"))
            .iter()
            .map(|w| w / 2.0)
            .collect();
        let grid = Array::from_fn(441, 2, |i, j| [i % 21, i / 21][j] as f64 / 10.0 - 1.0);
        let expected = target.outputs(&weights, &grid).unwrap();
        let mut last = f64::INFINITY;
        for units in [4, 12, 24] {
            let pruned = prune_towards(&target, &weights, units, &seed).unwrap();
            assert_eq!(pruned.network.depth(), 6);
            let found = pruned.network.outputs(&pruned.pruned().unwrap(), &grid).unwrap();
            let pairs = found.as_slice().iter().zip(expected.as_slice());
            let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            // A few hundred additions of numbers below one.
            assert!(worst <= pruned.bound + 1e-13, "{units}: {worst} {}", pruned.bound);
            assert!(worst > 0.0 && worst < last);
            last = worst;
            assert!(pruned.weight_error <= pruned.bound.max(1.0));
        }
        assert!(last < 1e-2, "{last}");
    }

    #[test]
    fn targets_that_the_construction_does_not_reach_are_refused() {
        for name in ["mlp:3", "mlp:3:tanh:no-bias"] {
            let target = Network::preset(name, 2, 2).unwrap();
            let theta = vec![0.1; target.layout().len()];
            assert!(matches!(
                prune_towards(&target, &theta, 4, &Seed::root(1)),
                Err(Error::Argument { .. })
            ));
        }
        let target = Network::preset("mlp:3:no-bias", 2, 2).unwrap();
        assert!(prune_towards(&target, &[0.1; 3], 4, &Seed::root(1)).is_err());
        assert!(prune_towards(&target, &[0.1; 12], 0, &Seed::root(1)).is_err());
        assert!(prune_to_weight(0.1, &[0.1], &[], InputSign::Either).is_err());
    }
}
