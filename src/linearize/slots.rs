//! A view of the factors behind a Jacobian, for those who can do better with them than with its columns.

use super::factors::{Block, Kind};
use super::jacobian::Jacobian;
use std::borrow::Cow;
use std::ops::Range;

/// The factors of one slot of parameters: signals times activations, summed over positions.
///
/// For output class c of sample s, parameter (unit o, input i) has the derivative
/// `Σ_p signals[o][(s C + c) P + p] · activations[i][s P + p]`, with P positions: 1 for a dense layer, the pixels of a
/// convolution, the steps of a recurrent cell. A bias (or any vector of parameters) is a slot of one input that is 1
/// everywhere, with its positions already summed. Row transforms are in the signals; a projection of free biases is not.
#[derive(Clone, Debug)]
pub struct SlotFactors<'a> {
    /// Place of the slot in the flat parameter vector; parameter (o, i) stands at `o · inputs + i` in it.
    pub parameters: Range<usize>,
    /// Inputs of a unit.
    pub inputs: usize,
    /// Units.
    pub outputs: usize,
    /// Positions P that share each weight.
    pub positions: usize,
    /// inputs × (n P), input by input.
    pub activations: Cow<'a, [f64]>,
    /// outputs × (n C P), unit by unit.
    pub signals: &'a [f64],
}

impl SlotFactors<'_> {
    /// The activations of one input, n P numbers.
    pub fn activation(&self, input: usize) -> &[f64] {
        let width = self.activations.len() / self.inputs.max(1);
        &self.activations[input * width..(input + 1) * width]
    }

    /// The signals of one unit, n C P numbers.
    pub fn signal(&self, unit: usize) -> &[f64] {
        let width = self.signals.len() / self.outputs.max(1);
        &self.signals[unit * width..(unit + 1) * width]
    }
}

impl Jacobian {
    /// The factors behind the columns, slot by slot in the order of the parameters. Slots without a derivative (running
    /// statistics) are left out; slots without a chosen column are not. Cost: nothing but a vector of ones a vector slot.
    pub fn slot_factors(&self) -> Vec<SlotFactors<'_>> {
        self.factors.blocks.iter().map(|block| self.slot(block)).collect()
    }

    fn slot<'a>(&'a self, block: &'a Block) -> SlotFactors<'a> {
        let parameters = block.range.clone();
        match &block.kind {
            Kind::Weight {
                inputs,
                outputs,
                positions,
                activations,
                signals,
            } => SlotFactors {
                parameters,
                inputs: *inputs,
                outputs: *outputs,
                positions: *positions,
                activations: Cow::Borrowed(activations),
                signals,
            },
            Kind::Vector { signals } => SlotFactors {
                outputs: block.range.len(),
                parameters,
                inputs: 1,
                positions: 1,
                activations: Cow::Owned(vec![1.0; self.samples()]),
                signals,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Biases, Linearisation, RowTransform};
    use crate::linalg::norm;
    use crate::networks::derivative_cases::{Case, layered_networks};
    use crate::operators::MeasurementOperator;

    #[test]
    fn every_column_is_its_signals_times_its_activations() {
        for network in layered_networks() {
            let name = network.name().to_string();
            let case = Case::of(network, &name);
            let at = Linearisation::new(&case.network, &case.theta, &case.inputs).unwrap();
            let every = case.network.layout().full_mask().support();
            let a = at.jacobian(&every, RowTransform::Centred, Biases::Fixed).unwrap();
            let (rows, classes) = (a.shape().rows, a.classes());
            for slot in a.slot_factors() {
                let places = slot.positions;
                let last = slot.inputs * slot.outputs - 1;
                for place in [0, last / 2, last] {
                    let (unit, input) = (place / slot.inputs, place % slot.inputs);
                    let (signal, activation) = (slot.signal(unit), slot.activation(input));
                    let mut column = vec![0.0; rows];
                    a.apply_sparse_into(&[slot.parameters.start + place], &[1.0], &mut column);
                    for (r, entry) in column.iter().enumerate() {
                        let terms = (0..places).map(|q| signal[r * places + q] * activation[r / classes * places + q]);
                        let expected: f64 = terms.clone().sum();
                        let size: f64 = terms.map(f64::abs).sum();
                        // A sum of P products in another order.
                        assert!(
                            (entry - expected).abs() <= (places + 2) as f64 * f64::EPSILON * size,
                            "{name}"
                        );
                    }
                    let length = a.column_norms()[slot.parameters.start + place];
                    assert!((length - norm(&column)).abs() <= 1e3 * f64::EPSILON * (1.0 + length));
                }
            }
        }
    }
}
