//! Hidden units that a mask leaves without a path, taken out: a smaller dense network with the same outputs.

use super::activation::Activation;
use super::network::Network;
use super::real::Real;
use crate::error::{Error, Result};
use crate::support::Mask;

/// A network without the units that no longer matter.
#[derive(Clone, Debug, PartialEq)]
pub struct Compacted<T> {
    /// The smaller network.
    pub network: Network,
    /// Its parameters.
    pub theta: Vec<T>,
    /// The mask of the weights that are left.
    pub mask: Mask,
    /// Units taken out of every hidden layer.
    pub removed: Vec<usize>,
}

impl Network {
    /// The multilayer perceptron of the same activation and biases with other hidden widths.
    ///
    /// # Errors
    /// [`Error::Argument`] when this network is no multilayer perceptron with as many hidden layers, or a width is 0.
    pub fn with_hidden_widths(&self, widths: &[usize]) -> Result<Network> {
        if !self.is_multilayer() || widths.len() + 1 != self.depth() {
            return Err(Error::argument(
                "hidden widths",
                "as many as the multilayer perceptron has hidden layers",
                format!("{} for {}", widths.len(), self.name()),
            ));
        }
        let widths: Vec<String> = widths.iter().map(usize::to_string).collect();
        let mut name = match widths.is_empty() {
            true => "linear".to_string(),
            false => format!("mlp:{}", widths.join("-")),
        };
        if self.activation() != Activation::Relu {
            name.push_str(&format!(":{}", self.activation()));
        }
        if !self.has_bias() {
            name.push_str(":no-bias");
        }
        Network::preset(&name, self.input_shape(), self.classes())
    }

    /// Takes out the hidden units that reach no output, and those that no input reaches: what the latter add is a
    /// constant, which goes into the biases behind them. Outputs stay what they are to rounding; training from there does
    /// not, because a constant unit's bias would have been trained as well.
    ///
    /// A layer of which nothing would be left keeps one unit.
    ///
    /// ```
    /// use ticketsense::networks::Network;
    /// let network = Network::preset("mlp:3", 2, 1)?;
    /// let mut mask = network.layout().full_mask();
    /// mask.set(10, false); // the one weight behind the second hidden unit
    /// mask.set(4, false); // both weights before the third
    /// mask.set(5, false);
    /// let mut theta: Vec<f64> = (0..13).map(|i| f64::from(i) / 4.0).collect();
    /// mask.apply(&mut theta)?;
    /// let small = network.compacted(&theta, &mask)?;
    /// assert_eq!((small.network.name(), &small.removed[..]), ("mlp:1", &[2][..]));
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Argument`] for a network that is no multilayer perceptron; [`Error::Shape`] or [`Error::NotFinite`] on
    /// parameters or a mask that do not fit.
    ///
    /// Cost: a few passes over the weights.
    pub fn compacted<T: Real>(&self, theta: &[T], mask: &Mask) -> Result<Compacted<T>> {
        if !self.is_multilayer() {
            return Err(Error::argument("network", "a multilayer perceptron", self.name()));
        }
        self.check_parameters("parameters", theta)?;
        self.layout().check_mask(mask)?;
        let mut theta = theta.to_vec();
        mask.apply(&mut theta)?;
        let mut units = Units::new(self, mask);
        units.take_out(&mut theta);
        let keep: Vec<Vec<usize>> = units.alive.iter().map(|layer| positions(layer)).collect();
        let hidden = &keep[1..keep.len() - 1];
        let widths: Vec<usize> = hidden.iter().map(Vec::len).collect();
        let before = units.alive[1..keep.len() - 1].iter().map(Vec::len);
        let removed = before.zip(&widths).map(|(all, kept)| all - kept).collect();
        let network = self.with_hidden_widths(&widths)?;
        let mut source = Vec::with_capacity(network.layout().len());
        for (layer, dense) in self.dense_layers().enumerate() {
            let slots = self.layout().slots();
            let weight = slots[dense.weight].range.start;
            for &o in &keep[layer + 1] {
                source.extend(keep[layer].iter().map(|&i| weight + o * dense.inputs + i));
            }
            if let Some(bias) = dense.bias {
                source.extend(keep[layer + 1].iter().map(|&o| slots[bias].range.start + o));
            }
        }
        Ok(Compacted {
            theta: source.iter().map(|&index| theta[index]).collect(),
            mask: Mask::from_bits(source.iter().map(|&index| mask.keeps(index)).collect()),
            network,
            removed,
        })
    }
}

fn positions(alive: &[bool]) -> Vec<usize> {
    (0..alive.len()).filter(|&unit| alive[unit]).collect()
}

/// Which units still matter: inputs, hidden layers, outputs.
struct Units<'a> {
    network: &'a Network,
    mask: &'a Mask,
    alive: Vec<Vec<bool>>,
}

impl<'a> Units<'a> {
    fn new(network: &'a Network, mask: &'a Mask) -> Self {
        let mut alive = vec![vec![true; network.inputs()]];
        alive.extend(network.dense_layers().map(|dense| vec![true; dense.outputs]));
        Units { network, mask, alive }
    }

    /// The place of the weight from unit `i` to unit `o` of dense layer `layer`, where it is kept.
    fn kept(&self, layer: usize, o: usize, i: usize) -> Option<usize> {
        let dense = self.network.dense_layers().nth(layer)?;
        let index = self.network.layout().slots()[dense.weight].range.start + o * dense.inputs + i;
        Some(index).filter(|&index| self.mask.keeps(index))
    }

    fn bias(&self, layer: usize, o: usize) -> Option<usize> {
        let slot = self.network.dense_layers().nth(layer)?.bias?;
        Some(self.network.layout().slots()[slot].range.start + o)
    }

    /// Takes units out from the first hidden layer to the last until none is left to take.
    fn take_out<T: Real>(&mut self, theta: &mut [T]) {
        let depth = self.alive.len() - 1;
        loop {
            let mut changed = false;
            for layer in 1..depth {
                for unit in 0..self.alive[layer].len() {
                    if !self.alive[layer][unit] || self.alive[layer].iter().filter(|a| **a).count() == 1 {
                        continue;
                    }
                    let reached = (0..self.alive[layer - 1].len())
                        .any(|i| self.alive[layer - 1][i] && self.kept(layer - 1, unit, i).is_some());
                    let behind: Vec<(usize, usize)> = (0..self.alive[layer + 1].len())
                        .filter(|&o| self.alive[layer + 1][o])
                        .filter_map(|o| Some((o, self.kept(layer, o, unit)?)))
                        .collect();
                    if reached && !behind.is_empty() {
                        continue;
                    }
                    if !reached {
                        let own = self.bias(layer - 1, unit).map_or(T::ZERO, |b| theta[b]);
                        let constant = self.network.activation().value(own);
                        // Without biases the constant is φ(0), which is 0 for every activation here.
                        for (o, weight) in behind {
                            if let Some(bias) = self.bias(layer, o) {
                                theta[bias] += theta[weight] * constant;
                            }
                        }
                    }
                    self.alive[layer][unit] = false;
                    changed = true;
                }
            }
            if !changed {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::Array;
    use crate::seed::Seed;
    use rand::RngExt;

    #[test]
    fn the_outputs_stay_and_the_widths_shrink_for_every_activation_with_and_without_biases() {
        let mut shrunk = 0;
        for activation in Activation::ALL {
            for bias in ["", ":no-bias"] {
                for (number, density) in [0.02, 0.05, 0.1, 0.3, 1.0].into_iter().enumerate() {
                    let network = Network::preset(&format!("mlp:12-9-7:{activation}{bias}"), 6, 3).unwrap();
                    let seed = Seed::root(number as u64).stream(activation.as_str());
                    let mut rng = seed.stream("mask").rng();
                    let mut mask = network.layout().full_mask();
                    for &index in network.layout().weights().indices() {
                        mask.set(index, rng.random::<f64>() < density);
                    }
                    let initialisation = "lecun:bias=0.5".parse().unwrap();
                    let theta: Vec<f64> = network.initial_masked(&seed, &initialisation, &mask).unwrap();
                    let inputs = Array::from_fn(8, 6, |i, j| ((5 * i + 3 * j) % 7) as f64 / 3.0 - 1.0);
                    let small = network.compacted(&theta, &mask).unwrap();
                    let expected = network.outputs(&theta, &inputs).unwrap();
                    let found = small.network.outputs(&small.theta, &inputs).unwrap();
                    for (a, b) in found.as_slice().iter().zip(expected.as_slice()) {
                        // Sums of at most a dozen numbers of size 1 through four layers, in another order.
                        assert!(
                            (a - b).abs() <= 1e3 * f64::EPSILON * (1.0 + b.abs()),
                            "{activation}{bias} {density}"
                        );
                    }
                    small.network.layout().check_mask(&small.mask).unwrap();
                    let pruned = (0..small.theta.len()).filter(|&i| !small.mask.keeps(i));
                    assert!(pruned.into_iter().all(|i| small.theta[i] == 0.0));
                    shrunk += small.removed.iter().sum::<usize>();
                    if density == 1.0 {
                        assert_eq!((small.removed, small.theta), (vec![0, 0, 0], theta));
                    }
                }
            }
        }
        assert!(shrunk > 200, "{shrunk}");
    }

    #[test]
    fn a_layer_that_is_pruned_whole_keeps_one_unit() {
        let network = Network::preset("mlp:4-3", 2, 2).unwrap();
        let mut mask = network.layout().full_mask();
        for index in network.layout().slot("dense1.weight").unwrap().range.clone() {
            mask.set(index, false);
        }
        let initialisation = "he:bias=0.5".parse().unwrap();
        let theta: Vec<f64> = network.initial_masked(&Seed::root(1), &initialisation, &mask).unwrap();
        let small = network.compacted(&theta, &mask).unwrap();
        assert_eq!(small.network.name(), "mlp:1-1");
        let inputs = Array::from_fn(2, 2, |i, j| (i + j) as f64);
        let (a, b) = (
            network.outputs(&theta, &inputs).unwrap(),
            small.network.outputs(&small.theta, &inputs).unwrap(),
        );
        for (a, b) in a.as_slice().iter().zip(b.as_slice()) {
            assert!((a - b).abs() <= 100.0 * f64::EPSILON);
        }
    }

    #[test]
    fn other_networks_and_widths_that_do_not_fit_are_refused() {
        let convolutional = Network::preset("conv-2", 16, 2).unwrap();
        let theta = vec![0.0f32; convolutional.layout().len()];
        assert!(
            convolutional
                .compacted(&theta, &convolutional.layout().full_mask())
                .is_err()
        );
        assert!(convolutional.with_hidden_widths(&[3]).is_err());
        let network = Network::preset("mlp:4-3:tanh:no-bias", 2, 2).unwrap();
        assert!(network.with_hidden_widths(&[3]).is_err());
        assert_eq!(
            network.with_hidden_widths(&[2, 1]).unwrap().name(),
            "mlp:2-1:tanh:no-bias"
        );
    }
}
