//! Hidden units of a network: what comes into one and what leaves it.

use crate::networks::{Layer, Network, Slot};
use std::ops::Range;

/// The units between two layers of weights with nothing but activations and pooling between them: a dense layer's
/// outputs, a convolution's channels.
#[derive(Clone, Debug)]
pub(super) struct HiddenLayer {
    pub units: usize,
    /// Parameters of the incoming weights, unit by unit.
    pub incoming: Range<usize>,
    pub bias: Option<Range<usize>>,
    /// Parameters of the outgoing weights; input i of one belongs to unit `i mod units`.
    pub outgoing: Range<usize>,
    /// Inputs of a unit of the next layer.
    pub outgoing_inputs: usize,
}

impl HiddenLayer {
    /// Places of a unit's incoming weights.
    pub fn weights_into(&self, unit: usize) -> Range<usize> {
        let inputs = self.incoming.len() / self.units;
        let start = self.incoming.start + unit * inputs;
        start..start + inputs
    }

    /// Places of a unit's outgoing weights, ascending.
    pub fn weights_out_of(&self, unit: usize) -> impl Iterator<Item = usize> + '_ {
        let of_next = self.outgoing.clone().step_by(self.outgoing_inputs);
        of_next.flat_map(move |start| (unit..self.outgoing_inputs).step_by(self.units).map(move |i| start + i))
    }
}

/// The hidden layers of a network that lie between two dense or convolutional layers, from input to output. Layers inside
/// residual branches, attention and recurrent cells, and those followed by a normalisation, are left out.
pub(super) fn hidden_layers(network: &Network) -> Vec<HiddenLayer> {
    let slots: &[Slot] = network.layout().slots();
    let mut found = Vec::new();
    let mut before: Option<(usize, Option<usize>, usize)> = None;
    for layer in network.layers() {
        let (weight, bias, units) = match layer {
            Layer::Dense(dense) => (dense.weight, dense.bias, dense.outputs),
            Layer::Convolution(convolution) => (convolution.weight, convolution.bias, convolution.to.channels),
            Layer::Activation(_) | Layer::Pooling(_) | Layer::Dropout(_) => continue,
            _ => {
                before = None;
                continue;
            }
        };
        if let Some((incoming, incoming_bias, hidden)) = before {
            let outgoing = slots[weight].range.clone();
            let inputs = outgoing.len() / units.max(1);
            if hidden > 0 && inputs.is_multiple_of(hidden) {
                found.push(HiddenLayer {
                    units: hidden,
                    incoming: slots[incoming].range.clone(),
                    bias: incoming_bias.map(|b| slots[b].range.clone()),
                    outgoing,
                    outgoing_inputs: inputs,
                });
            }
        }
        before = Some((weight, bias, units));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hidden_units_of_perceptrons_and_convolutions_are_found_with_their_weights() {
        let network = Network::preset("mlp:5-4", 3, 2).unwrap();
        let layers = hidden_layers(&network);
        assert_eq!(layers.iter().map(|l| l.units).collect::<Vec<_>>(), [5, 4]);
        // 15 weights and 5 biases stand before the 20 weights of the second layer.
        assert_eq!(layers[0].weights_into(1), 3..6);
        assert_eq!(layers[0].bias, Some(15..20));
        assert_eq!(layers[0].weights_out_of(1).collect::<Vec<_>>(), [21, 26, 31, 36]);
        assert_eq!(layers[1].weights_into(3), 35..40);
        let inputs = crate::networks::InputShape::Image(crate::networks::ImageShape {
            channels: 1,
            height: 28,
            width: 28,
        });
        let network = Network::preset("lenet-5", inputs, 10).unwrap();
        let layers = hidden_layers(&network);
        assert_eq!(layers.iter().map(|l| l.units).collect::<Vec<_>>(), [6, 16, 120, 84]);
        // A channel meets every place of the next kernel: 25 places of 16 channels.
        assert_eq!(layers[0].weights_out_of(0).count(), 25 * 16);
        let resnet = Network::preset("resnet-20", inputs, 10).unwrap();
        assert!(hidden_layers(&resnet).is_empty());
    }
}
