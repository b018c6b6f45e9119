//! Small networks at random points, one or more for every layer: what the derivative tests run over.

use super::*;
use crate::seed::Seed;
use rand::RngExt;
use rand_distr::StandardNormal;

/// A network at a random point with inputs, labels and two directions.
pub(crate) struct Case {
    pub network: Network,
    pub theta: Vec<f64>,
    pub inputs: Array<f64>,
    pub labels: Vec<usize>,
    pub u: Vec<f64>,
    pub w: Vec<f64>,
}

pub(crate) fn normal(seed: &Seed, name: &str, count: usize) -> Vec<f64> {
    let mut rng = seed.stream(name).rng();
    (0..count).map(|_| rng.sample(StandardNormal)).collect()
}

impl Case {
    pub fn new(preset: &str) -> Self {
        Case::of(Network::preset(preset, 6, 4).unwrap(), preset)
    }

    /// Scales and shifts away from 1 and 0, running statistics those of other samples, directions zero at statistics.
    pub fn of(network: Network, name: &str) -> Self {
        let seed = Seed::root(11).stream(name);
        let initialisation = "lecun:bias=0.3".parse().unwrap();
        let mut theta: Vec<f64> = network.initial(&seed, &initialisation).unwrap();
        let layout = network.layout();
        for slot in layout
            .slots()
            .iter()
            .filter(|s| matches!(s.kind, SlotKind::Scale | SlotKind::Shift))
        {
            for (value, move_by) in theta[slot.range.clone()]
                .iter_mut()
                .zip(normal(&seed, &slot.name, slot.len()))
            {
                *value += 0.3 * move_by;
            }
        }
        let draw = |name: &str| {
            let count = network.inputs();
            let values = match network.input_shape() {
                InputShape::Tokens { vocabulary, .. } => {
                    let mut rng = seed.stream(name).rng();
                    (0..9 * count).map(|_| rng.random_range(0..vocabulary) as f64).collect()
                }
                _ => normal(&seed, name, 9 * count),
            };
            Array::new(9, count, values).unwrap()
        };
        theta = network.with_statistics_of(&theta, &draw("others")).unwrap();
        let direction = |name: &str| {
            let mut direction = normal(&seed, name, theta.len());
            for slot in layout.statistic_slots() {
                direction[slot.range.clone()].fill(0.0);
            }
            // Of length 1, so that differences are taken over equal distances in small and large networks.
            let length = crate::linalg::norm(&direction);
            direction.iter_mut().for_each(|d| *d /= length);
            direction
        };
        Case {
            inputs: draw("inputs"),
            labels: (0..9).map(|i| (i * 3 + 1) % 4).collect(),
            u: direction("u"),
            w: direction("w"),
            theta,
            network,
        }
    }

    pub fn moved(&self, step: f64) -> Vec<f64> {
        self.theta.iter().zip(&self.u).map(|(t, u)| t + step * u).collect()
    }

    pub fn gradient_at(&self, theta: &[f64], loss: Loss) -> Vec<f64> {
        self.network
            .gradient(theta, &self.inputs, &self.labels, loss)
            .unwrap()
            .1
    }

    pub fn hessian(&self, v: &[f64], loss: Loss) -> Vec<f64> {
        self.network
            .hessian_vector(&self.theta, v, &self.inputs, &self.labels, loss)
            .unwrap()
    }
}

/// Multilayer perceptrons with every activation, with and without biases.
pub(crate) fn multilayer_cases() -> Vec<(String, Case)> {
    let mut cases = Vec::new();
    for activation in Activation::ALL {
        for shape in ["mlp:7", "mlp:7-5"] {
            for bias in ["", ":no-bias"] {
                let name = format!("{shape}:{activation}{bias}");
                cases.push((name.clone(), Case::new(&name)));
            }
        }
    }
    for name in ["linear", "linear:no-bias"] {
        cases.push((name.into(), Case::new(name)));
    }
    cases
}

fn image(channels: usize, height: usize, width: usize) -> InputShape {
    InputShape::Image(ImageShape {
        channels,
        height,
        width,
    })
}

/// Networks that hold every other layer at least once.
pub(crate) fn layered_networks() -> Vec<Network> {
    let from = |name: &str, input: InputShape| NetworkBuilder::new(name, input).unwrap();
    let pair = image(2, 5, 4);
    let tokens = InputShape::Tokens {
        length: 5,
        vocabulary: 7,
    };
    let series = InputShape::Series { length: 4, features: 3 };
    let relu = Activation::Relu;
    let tanh = Activation::Tanh;
    let mut networks = vec![
        from("convolution and largest", pair)
            .convolution(3, 3, 1, Padding::Zero(1))
            .unwrap()
            .activation(relu)
            .pool(PoolingKind::Largest, 2, 2)
            .unwrap()
            .dense(4)
            .unwrap()
            .build(),
        from("strided torus and mean", pair)
            .convolution(3, 3, 2, Padding::Circular(2))
            .unwrap()
            .activation(tanh)
            .convolution(4, 2, 1, Padding::Zero(0))
            .unwrap()
            .pool_all(PoolingKind::Mean)
            .unwrap()
            .build(),
        from("no biases", image(1, 4, 4))
            .biased(false)
            .convolution(2, 2, 2, Padding::Zero(1))
            .unwrap()
            .activation(Activation::Gelu)
            .pool(PoolingKind::Mean, 3, 2)
            .unwrap()
            .dense(4)
            .unwrap()
            .build(),
        from("residual", pair)
            .convolution(3, 3, 1, Padding::Zero(1))
            .unwrap()
            .residual(
                |b| {
                    b.normalise(NormalisationKind::Batch)?
                        .activation(tanh)
                        .convolution(3, 3, 1, Padding::Zero(1))
                },
                Ok,
            )
            .unwrap()
            .residual(
                |b| b.activation(tanh).convolution(5, 3, 2, Padding::Zero(1)),
                |b| b.convolution(5, 1, 2, Padding::Zero(0)),
            )
            .unwrap()
            .activation(relu)
            .pool_all(PoolingKind::Mean)
            .unwrap()
            .dense(4)
            .unwrap()
            .build(),
        from("embedding and attention", tokens)
            .embedding(6)
            .unwrap()
            .positions()
            .unwrap()
            .residual(|b| b.normalise(NormalisationKind::Layer)?.attention(2), Ok)
            .unwrap()
            .dense_at_positions(5)
            .unwrap()
            .activation(Activation::Gelu)
            .pool_all(PoolingKind::Mean)
            .unwrap()
            .dense(4)
            .unwrap()
            .build(),
        from("attention and dropout", series)
            .biased(false)
            .dense_at_positions(4)
            .unwrap()
            .attention(4)
            .unwrap()
            .dropout(0.4)
            .unwrap()
            .attention(1)
            .unwrap()
            .dense(4)
            .unwrap()
            .build(),
        from("dropout", image(1, 2, 3))
            .dense(8)
            .unwrap()
            .activation(tanh)
            .dropout(0.5)
            .unwrap()
            .dense(4)
            .unwrap()
            .build(),
        from("recurrent on tokens", tokens)
            .embedding(3)
            .unwrap()
            .recurrent(5, tanh, true)
            .unwrap()
            .dense(4)
            .unwrap()
            .build(),
    ];
    for kind in [
        NormalisationKind::Batch,
        NormalisationKind::Layer,
        NormalisationKind::Groups(2),
    ] {
        networks.push(
            from(&format!("{kind:?}"), pair)
                .convolution(4, 2, 1, Padding::Zero(0))
                .unwrap()
                .normalise(kind)
                .unwrap()
                .activation(tanh)
                .dense(6)
                .unwrap()
                .normalise(kind)
                .unwrap()
                .activation(Activation::Gelu)
                .dense(4)
                .unwrap()
                .build(),
        );
    }
    for tied in [true, false] {
        for bias in [true, false] {
            networks.push(
                from(&format!("recurrent, tied {tied}, biased {bias}"), series)
                    .biased(bias)
                    .recurrent(5, tanh, tied)
                    .unwrap()
                    .dense(4)
                    .unwrap()
                    .build(),
            );
        }
    }
    let mut networks: Vec<Network> = networks.into_iter().map(|n| n.unwrap()).collect();
    for (preset, input) in [
        ("conv-2:circular:layer-norm", image(1, 2, 2)),
        ("resnet-20:tanh", image(1, 4, 4)),
        ("transformer", tokens),
        ("rnn:untied", image(1, 3, 3)),
    ] {
        networks.push(Network::preset(preset, input, 4).unwrap());
    }
    networks
}

pub(crate) fn every_case() -> Vec<(String, Case)> {
    let mut cases = multilayer_cases();
    for network in layered_networks() {
        let name = network.name().to_string();
        cases.push((name.clone(), Case::of(network, &name)));
    }
    cases
}
