//! SynFlow: how much of what flows through the network of absolute weights flows through each of them.
//!
//! With absolute weights, no biases and no activations the network is a linear map (maxima pick the largest of what comes
//! in), and `R = 1ᵀ f(1)` is the sum over all paths of the product of the absolute weights on them. The score of a weight is
//! its share: the sum over the paths through it. Everything is double precision, in which products over a hundred layers
//! still have an exponent.

use super::super::edges::{for_each_edge, pooling_edges};
use super::super::paths::contains;
use super::CriterionInput;
use crate::error::{Error, Result};
use crate::networks::{Convolution, Dense, Layer, Network, Pooling, PoolingKind, Residual, Slot};

/// Refuses layers of which the network of absolute weights is no linear map, or that have no input of ones.
pub(super) fn check(network: &Network) -> Result<()> {
    let stranger = [
        (
            "normalisation",
            contains(network.layers(), &|l| matches!(l, Layer::Normalisation(_))),
        ),
        (
            "attention",
            contains(network.layers(), &|l| matches!(l, Layer::Attention(_))),
        ),
        (
            "a recurrent cell",
            contains(network.layers(), &|l| matches!(l, Layer::Recurrent(_))),
        ),
        (
            "an embedding",
            contains(network.layers(), &|l| matches!(l, Layer::Embedding(_))),
        ),
        (
            "positions",
            contains(network.layers(), &|l| matches!(l, Layer::Positions(_))),
        ),
    ];
    match stranger.iter().find(|(_, found)| *found) {
        None => Ok(()),
        Some((what, _)) => Err(Error::argument(
            "network of criterion synflow",
            "dense, convolution, pooling and residual layers",
            format!("{what} in {}", network.name()),
        )),
    }
}

pub(super) fn scores(input: &CriterionInput<'_>) -> Result<Vec<f64>> {
    let network = input.network;
    let flow = Flow {
        slots: network.layout().slots(),
        theta: input.theta,
    };
    let tape = flow.forwards(network.layers(), vec![1.0; network.inputs()]);
    let mut scores = vec![0.0; input.theta.len()];
    flow.backwards(network.layers(), &tape, vec![1.0; network.classes()], &mut scores);
    if scores.iter().all(|score| score.is_finite()) {
        Ok(scores)
    } else {
        let why = format!("what flows through {} overflows", network.name());
        Err(Error::numerical("criterion synflow", why))
    }
}

/// What stands before the first layer and after each, and the same inside residual layers.
struct Tape {
    values: Vec<Vec<f64>>,
    inner: Vec<Option<[Tape; 2]>>,
}

impl Tape {
    fn outputs(&self) -> &[f64] {
        &self.values[self.values.len() - 1]
    }
}

struct Flow<'a> {
    slots: &'a [Slot],
    theta: &'a [f32],
}

impl Flow<'_> {
    fn weights(&self, slot: usize) -> &[f32] {
        &self.theta[self.slots[slot].range.clone()]
    }

    fn forwards(&self, layers: &[Layer], input: Vec<f64>) -> Tape {
        let mut tape = Tape {
            values: vec![input],
            inner: Vec::with_capacity(layers.len()),
        };
        for layer in layers {
            let (output, inner) = self.step(layer, tape.outputs());
            tape.values.push(output);
            tape.inner.push(inner);
        }
        tape
    }

    fn step(&self, layer: &Layer, input: &[f64]) -> (Vec<f64>, Option<[Tape; 2]>) {
        let output = match layer {
            Layer::Residual(Residual { branch, shortcut }) => {
                let sides = [branch, shortcut].map(|side| self.forwards(side, input.to_vec()));
                let sum = sides[0].outputs().iter().zip(sides[1].outputs()).map(|(a, b)| a + b);
                return (sum.collect(), Some(sides));
            }
            Layer::Dense(dense) => {
                let weights = self.weights(dense.weight);
                let mut output = Vec::with_capacity(dense.positions * dense.outputs);
                for x in input.chunks_exact(dense.inputs) {
                    output.extend(weights.chunks_exact(dense.inputs).map(|row| absolute_dot(row, x)));
                }
                output
            }
            Layer::Convolution(convolution) => {
                let mut output = vec![0.0; convolution.positions() * convolution.to.channels];
                self.for_each_run(convolution, |_, weights, from, to| {
                    output[to] += absolute_dot(weights, &input[from..from + weights.len()]);
                });
                output
            }
            Layer::Pooling(pooling) => {
                let to = pooling.to();
                let mut output = vec![0.0; to.channels * to.height * to.width];
                let shares = shares(pooling, input);
                pooling_edges(pooling, |from, to| output[to] += shares(from, to) * input[from]);
                output
            }
            Layer::Interleave(_) => {
                let mut output = vec![0.0; input.len()];
                for_each_edge(layer, self.slots, |_| true, |_, from, to| output[to] = input[from]);
                output
            }
            // Activations are left out, and dropout is in evaluation.
            _ => input.to_vec(),
        };
        (output, None)
    }

    fn backwards(&self, layers: &[Layer], tape: &Tape, signal: Vec<f64>, scores: &mut [f64]) -> Vec<f64> {
        let steps = layers.iter().zip(&tape.inner).zip(&tape.values);
        steps.rev().fold(signal, |signal, ((layer, inner), input)| {
            self.step_back(layer, input, inner.as_ref(), signal, scores)
        })
    }

    fn step_back(
        &self,
        layer: &Layer,
        input: &[f64],
        inner: Option<&[Tape; 2]>,
        signal: Vec<f64>,
        scores: &mut [f64],
    ) -> Vec<f64> {
        let mut before = vec![0.0; input.len()];
        match (layer, inner) {
            (Layer::Residual(Residual { branch, shortcut }), Some([of_branch, of_shortcut])) => {
                let one = self.backwards(branch, of_branch, signal.clone(), scores);
                let other = self.backwards(shortcut, of_shortcut, signal, scores);
                before
                    .iter_mut()
                    .zip(one.iter().zip(&other))
                    .for_each(|(b, (x, y))| *b = x + y);
            }
            (Layer::Dense(dense), _) => self.dense_back(dense, input, &signal, &mut before, scores),
            (Layer::Convolution(convolution), _) => {
                self.for_each_run(convolution, |weight, weights, from, to| {
                    let run = from..from + weights.len();
                    let own = &mut scores[weight..weight + weights.len()];
                    add_share(weights, signal[to], &input[run.clone()], &mut before[run], own);
                });
            }
            (Layer::Pooling(pooling), _) => {
                let shares = shares(pooling, input);
                pooling_edges(pooling, |from, to| before[from] += shares(from, to) * signal[to]);
            }
            (Layer::Interleave(_), _) => {
                for_each_edge(layer, self.slots, |_| true, |_, from, to| before[from] = signal[to]);
            }
            _ => return signal,
        }
        before
    }

    fn dense_back(&self, dense: &Dense, input: &[f64], signal: &[f64], before: &mut [f64], scores: &mut [f64]) {
        let weights = self.weights(dense.weight);
        let scores = &mut scores[self.slots[dense.weight].range.clone()];
        let width = dense.inputs;
        let places = input.chunks_exact(width).zip(before.chunks_exact_mut(width));
        for ((x, before), signal) in places.zip(signal.chunks_exact(dense.outputs)) {
            let rows = weights.chunks_exact(width).zip(scores.chunks_exact_mut(width));
            for ((row, scores), &signal) in rows.zip(signal) {
                add_share(row, signal, x, before, scores);
            }
        }
    }

    /// Calls `visit(first weight, weights, first entry of the input, entry of the output)` for every run of channels.
    fn for_each_run(&self, convolution: &Convolution, mut visit: impl FnMut(usize, &[f32], usize, usize)) {
        let (to, kernel, channels) = (convolution.to, convolution.kernel, convolution.from.channels);
        let start = self.slots[convolution.weight].range.start;
        for pixel in 0..to.height * to.width {
            for place in 0..kernel * kernel {
                let (y, x) = (place / kernel, place % kernel);
                let Some(from) = convolution.source(pixel / to.width, pixel % to.width, y, x) else {
                    continue;
                };
                for unit in 0..to.channels {
                    let weight = start + unit * convolution.patch() + place * channels;
                    let weights = &self.theta[weight..weight + channels];
                    visit(weight, weights, from, pixel * to.channels + unit);
                }
            }
        }
    }
}

/// How much of an entry of the input goes to the entry of the output whose window it is in.
fn shares(pooling: &Pooling, input: &[f64]) -> impl Fn(usize, usize) -> f64 + use<> {
    let to = pooling.to();
    let windows = to.channels * to.height * to.width;
    // The first of the largest, as in the network.
    let winners: Option<Vec<usize>> = (pooling.kind == PoolingKind::Largest).then(|| {
        let winner = |out: usize| {
            let mut window = pooling.window(out);
            let first = window.next().unwrap_or(0);
            window.fold(first, |best, at| if input[at] > input[best] { at } else { best })
        };
        (0..windows).map(winner).collect()
    });
    let mean = 1.0 / (pooling.height * pooling.width) as f64;
    move |from, to| match &winners {
        Some(winners) => f64::from(u8::from(winners[to] == from)),
        None => mean,
    }
}

/// Partial sums that a sum over a row is split into.
const LANES: usize = 8;

/// `Σ |w| x`, in a fixed order.
fn absolute_dot(weights: &[f32], x: &[f64]) -> f64 {
    let (weights, rest) = weights.as_chunks::<LANES>();
    let (x, rest_of_x) = x.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (w, x) in weights.iter().zip(x) {
        for lane in 0..LANES {
            sums[lane] += f64::from(w[lane].abs()) * x[lane];
        }
    }
    let tail = rest.iter().zip(rest_of_x).map(|(w, x)| f64::from(w.abs()) * x);
    sums.iter().sum::<f64>() + tail.sum::<f64>()
}

/// Adds `|w| s` to what goes on to the layer before, and `|w| s x` to the scores.
fn add_share(weights: &[f32], signal: f64, x: &[f64], before: &mut [f64], scores: &mut [f64]) {
    let entries = weights.iter().zip(x).zip(before).zip(scores);
    for (((&w, &x), before), score) in entries {
        let share = f64::from(w.abs()) * signal;
        *before += share;
        *score += share * x;
    }
}
