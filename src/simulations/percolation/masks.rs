//! Connectivity of a given mask: what a pruned network could still compute with, whatever its weights are.

use crate::error::{Error, Result};
use crate::networks::Network;
use crate::support::Mask;

/// The kept weights between two layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerMask {
    outputs: usize,
    inputs: usize,
    bits: Vec<bool>,
}

impl LayerMask {
    /// A mask of `outputs × inputs` bits, row-major: the weight from input i to output o is bit `o · inputs + i`.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of bits, [`Error::Argument`] for a layer without units.
    pub fn new(outputs: usize, inputs: usize, bits: Vec<bool>) -> Result<Self> {
        if outputs == 0 || inputs == 0 {
            let got = format!("{outputs} × {inputs}");
            return Err(Error::argument("mask of a layer", "at least one output and input", got));
        }
        if outputs.checked_mul(inputs) != Some(bits.len()) {
            let expected = format!("{outputs} × {inputs} bits");
            return Err(Error::shape("mask of a layer", expected, bits.len()));
        }
        Ok(LayerMask { outputs, inputs, bits })
    }

    /// Units of the later layer.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Units of the earlier layer.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The bits, row-major.
    pub fn bits(&self) -> &[bool] {
        &self.bits
    }

    /// The number of kept weights.
    pub fn kept(&self) -> usize {
        self.bits.iter().filter(|&&b| b).count()
    }

    fn rows(&self) -> impl DoubleEndedIterator<Item = &[bool]> {
        self.bits.chunks_exact(self.inputs)
    }
}

/// The kept weights of a multilayer perceptron, layer by layer from input to output.
///
/// # Errors
/// [`Error::Argument`] for a network that is no multilayer perceptron, [`Error::Shape`] for a mask of another network.
pub fn layer_masks(network: &Network, mask: &Mask) -> Result<Vec<LayerMask>> {
    if !network.is_multilayer() {
        return Err(Error::argument("network", "a multilayer perceptron", network.name()));
    }
    network.layout().check_mask(mask)?;
    let slots = network.layout().weight_slots();
    slots
        .map(|slot| LayerMask::new(slot.shape[0], slot.shape[1], mask.bits()[slot.range.clone()].to_vec()))
        .collect()
}

/// What is connected to what in a masked layered network.
#[derive(Clone, Debug, PartialEq)]
pub struct Connectivity {
    /// `from_inputs[ℓ][u]`: a path of kept weights leads from some input to unit u of layer ℓ; layer 0 are the inputs.
    pub from_inputs: Vec<Vec<bool>>,
    /// `to_outputs[ℓ][u]`: a path of kept weights leads from unit u of layer ℓ to some output.
    pub to_outputs: Vec<Vec<bool>>,
    /// Weights by layer, kept or not.
    pub weights: Vec<usize>,
    /// Kept weights by layer.
    pub kept: Vec<usize>,
    /// Kept weights by layer that lie on a path from an input to an output: the only ones that gradients through zero
    /// biases or the output can reach.
    pub live: Vec<usize>,
    /// The natural logarithm of the number of paths of kept weights from inputs to outputs; −∞ where there is none.
    pub log_paths: f64,
}

impl Connectivity {
    /// Whether any path leads from an input to an output.
    pub fn is_connected(&self) -> bool {
        self.log_paths > f64::NEG_INFINITY
    }

    /// Units of a layer on some path from an input to an output.
    pub fn live_units(&self, layer: usize) -> Option<usize> {
        let (from, to) = (self.from_inputs.get(layer)?, self.to_outputs.get(layer)?);
        Some(from.iter().zip(to).filter(|&(&f, &t)| f && t).count())
    }

    /// Hidden units that are on no path from an input to an output, in all hidden layers together. (Such a unit with a
    /// path to an output and a bias still shifts that output by a constant.)
    pub fn dead_hidden_units(&self) -> usize {
        let hidden = 1..self.from_inputs.len() - 1;
        hidden
            .map(|l| self.from_inputs[l].len() - self.live_units(l).unwrap_or(0))
            .sum()
    }

    /// The fraction of all weights that is kept.
    pub fn density(&self) -> f64 {
        self.kept.iter().sum::<usize>() as f64 / self.weights.iter().sum::<usize>() as f64
    }

    /// The fraction of all weights that is kept and lies on a path from an input to an output; at most the density.
    pub fn effective_density(&self) -> f64 {
        self.live.iter().sum::<usize>() as f64 / self.weights.iter().sum::<usize>() as f64
    }
}

/// Units from the inputs of the first layer to the outputs of the last, where each layer takes what the one before it gives.
pub(super) fn widths_of(layers: &[LayerMask]) -> Result<Vec<usize>> {
    let Some(first) = layers.first() else {
        return Err(Error::argument("masks of layers", "at least one", 0));
    };
    if let Some((l, pair)) = layers.windows(2).enumerate().find(|(_, w)| w[1].inputs != w[0].outputs) {
        let what = format!("inputs of layer {}", l + 1);
        return Err(Error::shape(what, pair[0].outputs, pair[1].inputs));
    }
    Ok(std::iter::once(first.inputs)
        .chain(layers.iter().map(|layer| layer.outputs))
        .collect())
}

/// Follows the kept weights of a layered network forwards from all inputs and backwards from all outputs.
///
/// # Errors
/// [`Error::Argument`] without layers, [`Error::Shape`] where a layer's inputs are not the outputs of the one before.
///
/// Cost: three passes over the bits.
///
/// ```
/// use ticketsense::simulations::percolation::{LayerMask, connectivity};
/// // Two inputs, two hidden units, one output; the second hidden unit has no input left.
/// let hidden = LayerMask::new(2, 2, vec![true, true, false, false])?;
/// let output = LayerMask::new(1, 2, vec![true, true])?;
/// let found = connectivity(&[hidden, output])?;
/// assert_eq!(found.dead_hidden_units(), 1);
/// assert_eq!((found.kept.clone(), found.live.clone()), (vec![2, 2], vec![2, 1]));
/// assert!((found.log_paths.exp() - 2.0).abs() < 1e-12);
/// # Ok::<(), ticketsense::Error>(())
/// ```
pub fn connectivity(layers: &[LayerMask]) -> Result<Connectivity> {
    let widths = widths_of(layers)?;
    let mut from_inputs = vec![vec![true; widths[0]]];
    for (l, layer) in layers.iter().enumerate() {
        let before = &from_inputs[l];
        let meets = |row: &[bool]| row.iter().zip(before).any(|(&kept, &reached)| kept && reached);
        from_inputs.push(layer.rows().map(meets).collect());
    }
    let mut to_outputs = vec![vec![true; widths[layers.len()]]];
    for layer in layers.iter().rev() {
        let mut leads = vec![false; layer.inputs];
        let after = &to_outputs[to_outputs.len() - 1];
        for (row, _) in layer.rows().zip(after).filter(|(_, led)| **led) {
            leads.iter_mut().zip(row).for_each(|(l, &kept)| *l |= kept);
        }
        to_outputs.push(leads);
    }
    to_outputs.reverse();
    let live = layers.iter().enumerate().map(|(l, layer)| {
        let from = &from_inputs[l];
        let led_rows = layer.rows().zip(&to_outputs[l + 1]).filter(|(_, led)| **led);
        let count = |row: &[bool]| {
            row.iter()
                .zip(from)
                .filter(|&(&kept, &reached)| kept && reached)
                .count()
        };
        led_rows.map(|(row, _)| count(row)).sum()
    });
    Ok(Connectivity {
        live: live.collect(),
        weights: layers.iter().map(|l| l.bits.len()).collect(),
        kept: layers.iter().map(LayerMask::kept).collect(),
        log_paths: log_paths(layers, widths[0]),
        from_inputs,
        to_outputs,
    })
}

/// Counts paths layer by layer. Counts are exact while below 2⁵³; beyond, scaling by powers of two keeps them within
/// range and each layer adds a relative rounding of at most `inputs · ε`.
fn log_paths(layers: &[LayerMask], inputs: usize) -> f64 {
    const LARGE: f64 = 1.2676506002282294e30; // 2¹⁰⁰
    let mut counts = vec![1.0; inputs];
    let mut exponent = 0.0;
    for layer in layers {
        let ending_in = |row: &[bool]| row.iter().zip(&counts).filter(|(kept, _)| **kept).map(|(_, c)| c).sum();
        counts = layer.rows().map(ending_in).collect::<Vec<f64>>();
        while counts.iter().any(|&c| c > LARGE) {
            counts.iter_mut().for_each(|c| *c /= LARGE);
            exponent += 100.0;
        }
    }
    counts.iter().sum::<f64>().ln() + exponent * std::f64::consts::LN_2
}

#[cfg(test)]
mod tests {
    use super::super::reach::reach_laws;
    use super::*;
    use proptest::prelude::*;

    fn layers(widths: &[usize], bits: &[bool]) -> Vec<LayerMask> {
        let mut rest = bits;
        let mut out = Vec::new();
        for pair in widths.windows(2) {
            let (own, later) = rest.split_at(pair[0] * pair[1]);
            out.push(LayerMask::new(pair[1], pair[0], own.to_vec()).unwrap());
            rest = later;
        }
        out
    }

    /// Every path as the units it visits, by trying all of them.
    fn paths(masks: &[LayerMask]) -> Vec<Vec<usize>> {
        let mut found: Vec<Vec<usize>> = (0..masks[0].inputs).map(|u| vec![u]).collect();
        for mask in masks {
            let mut longer = Vec::new();
            for path in &found {
                let from = path[path.len() - 1];
                for to in (0..mask.outputs).filter(|to| mask.bits[to * mask.inputs + from]) {
                    longer.push([&path[..], &[to]].concat());
                }
            }
            found = longer;
        }
        found
    }

    const WIDTHS: [usize; 4] = [3, 4, 3, 2];
    const EDGES: usize = 12 + 12 + 6;

    proptest! {
        #[test]
        fn units_weights_and_paths_agree_with_listing_every_path(
            bits in prop::collection::vec(prop::bool::weighted(0.4), EDGES)
        ) {
            let masks = layers(&WIDTHS, &bits);
            let found = connectivity(&masks).unwrap();
            let all = paths(&masks);
            prop_assert_eq!(found.log_paths.exp().round() as usize, all.len());
            prop_assert_eq!(found.is_connected(), !all.is_empty());
            for (layer, &width) in WIDTHS.iter().enumerate() {
                let visited = (0..width).filter(|&u| all.iter().any(|p| p[layer] == u)).count();
                prop_assert_eq!(found.live_units(layer), Some(visited));
            }
            for (l, mask) in masks.iter().enumerate() {
                let used = |o: usize, i: usize| all.iter().any(|p| p[l] == i && p[l + 1] == o);
                let live = (0..mask.outputs).flat_map(|o| (0..mask.inputs).map(move |i| (o, i)));
                prop_assert_eq!(found.live[l], live.filter(|&(o, i)| used(o, i)).count());
            }
            let dead: usize = (1..3).map(|l| WIDTHS[l] - found.live_units(l).unwrap()).sum();
            prop_assert_eq!(found.dead_hidden_units(), dead);
            prop_assert!(found.effective_density() <= found.density());
        }
    }

    #[test]
    fn the_share_of_connected_masks_is_the_exact_law_of_percolation() {
        // One input, one output, 2 + 4 + 2 edges: every mask is equally likely at keep ½.
        let widths = [1, 2, 2, 1];
        let connected = (0u32..256)
            .filter(|set| {
                let bits: Vec<bool> = (0..8).map(|e| set >> e & 1 == 1).collect();
                connectivity(&layers(&widths, &bits)).unwrap().is_connected()
            })
            .count();
        let law = reach_laws(&widths, 1, 0.5).unwrap().pop().unwrap();
        // Both are small sums of dyadic fractions; only the powers of the law round.
        assert!(
            (connected as f64 / 256.0 - law[1]).abs() < 1e-14,
            "{connected} {}",
            law[1]
        );
    }

    #[test]
    fn a_full_network_has_the_product_of_its_widths_as_paths() {
        // 400 layers of 100: 100⁴⁰¹ paths, far beyond the range of a float.
        let full = LayerMask::new(100, 100, vec![true; 10_000]).unwrap();
        let found = connectivity(&vec![full; 400]).unwrap();
        let exact = 401.0 * 100f64.ln();
        // 400 layers of at most 100 ε each on the count, and the rounding of the logarithm itself.
        assert!((found.log_paths - exact).abs() <= 400.0 * 100.0 * f64::EPSILON + exact * 4.0 * f64::EPSILON);
        assert_eq!(
            (found.dead_hidden_units(), found.density(), found.effective_density()),
            (0, 1.0, 1.0)
        );
    }

    #[test]
    fn a_cut_network_has_no_live_weight() {
        let masks = [
            LayerMask::new(2, 2, vec![true; 4]).unwrap(),
            LayerMask::new(2, 2, vec![false; 4]).unwrap(),
            LayerMask::new(1, 2, vec![true; 2]).unwrap(),
        ];
        let found = connectivity(&masks).unwrap();
        assert_eq!(found.log_paths, f64::NEG_INFINITY);
        assert_eq!((found.live.clone(), found.dead_hidden_units()), (vec![0, 0, 0], 4));
        assert_eq!(found.density(), 0.6);
        assert_eq!(found.effective_density(), 0.0);
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(LayerMask::new(2, 2, vec![true; 3]).is_err());
        assert!(LayerMask::new(0, 2, vec![]).is_err());
        assert!(connectivity(&[]).is_err());
        let (a, b) = (LayerMask::new(2, 3, vec![true; 6]), LayerMask::new(1, 3, vec![true; 3]));
        assert!(matches!(
            connectivity(&[a.unwrap(), b.unwrap()]),
            Err(Error::Shape { .. })
        ));
    }
}
