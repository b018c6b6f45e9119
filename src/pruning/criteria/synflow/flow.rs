//! Forwards and backwards through the network of absolute weights.

use super::super::super::edges::{for_each_edge, pooling_edges};
use super::weights::{Run, Weights};
use crate::networks::{Convolution, Dense, Layer, Normalisation, Pooling, PoolingKind, Residual, Slot};

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

/// A network with absolute weights of one kind or the other.
pub(super) struct Flow<'a, W> {
    pub slots: &'a [Slot],
    /// Of which the factors and variances of batch normalisations are read.
    pub theta: &'a [f32],
    pub weights: &'a W,
}

impl<W: Weights> Flow<'_, W> {
    /// Writes for every weight what flows from `input` to so many outputs through it.
    pub fn shares(&self, layers: &[Layer], input: Vec<f64>, outputs: usize, scores: &mut [f64]) {
        let tape = self.forwards(layers, input);
        self.backwards(layers, &tape, vec![1.0; outputs], false, scores);
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
                let slot = dense.weight;
                let mut output = Vec::with_capacity(dense.positions * dense.outputs);
                for x in input.chunks_exact(dense.inputs) {
                    output.extend((0..dense.outputs).map(|row| self.weights.dot(Run { slot, row }, x)));
                }
                output
            }
            Layer::Convolution(convolution) => {
                let mut output = vec![0.0; convolution.positions() * convolution.to.channels];
                for_each_run(convolution, |run, from, to| {
                    output[to] += self.weights.dot(run, &input[from..from + convolution.from.channels]);
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
            Layer::Normalisation(normalisation) => self.scaled(normalisation, input.to_vec()),
            // Activations are left out, and dropout is in evaluation.
            _ => input.to_vec(),
        };
        (output, None)
    }

    /// Every entry times the size of the slope of its channel; a diagonal map is its own transpose.
    fn scaled(&self, normalisation: &Normalisation, mut values: Vec<f64>) -> Vec<f64> {
        if let Some(slopes) = normalisation.slopes(self.slots, self.theta) {
            for place in values.chunks_exact_mut(normalisation.channels) {
                place.iter_mut().zip(&slopes).for_each(|(v, slope)| *v *= slope.abs());
            }
        }
        values
    }

    /// Returns what leads back to the input, where that is `wanted`, and else nothing.
    fn backwards(
        &self,
        layers: &[Layer],
        tape: &Tape,
        mut signal: Vec<f64>,
        wanted: bool,
        scores: &mut [f64],
    ) -> Vec<f64> {
        let weighted = |layer: &Layer| matches!(layer, Layer::Dense(_) | Layer::Convolution(_) | Layer::Residual(_));
        // Before the first weights nobody asks.
        let first = layers.iter().position(weighted).filter(|_| !wanted);
        let steps = layers.iter().zip(&tape.inner).zip(&tape.values).enumerate();
        for (place, ((layer, inner), input)) in steps.skip(first.unwrap_or(0)).rev() {
            let wanted = first != Some(place);
            signal = self.step_back(layer, input, inner.as_ref(), signal, wanted, scores);
        }
        signal
    }

    fn step_back(
        &self,
        layer: &Layer,
        input: &[f64],
        inner: Option<&[Tape; 2]>,
        signal: Vec<f64>,
        wanted: bool,
        scores: &mut [f64],
    ) -> Vec<f64> {
        let mut before = vec![0.0; if wanted { input.len() } else { 0 }];
        match (layer, inner) {
            (Layer::Residual(Residual { branch, shortcut }), Some([of_branch, of_shortcut])) => {
                let one = self.backwards(branch, of_branch, signal.clone(), wanted, scores);
                let other = self.backwards(shortcut, of_shortcut, signal, wanted, scores);
                before
                    .iter_mut()
                    .zip(one.iter().zip(&other))
                    .for_each(|(b, (x, y))| *b = x + y);
            }
            (Layer::Dense(dense), _) => self.dense_back(dense, input, &signal, &mut before, scores),
            (Layer::Convolution(convolution), _) => {
                let rows = convolution.to.channels * convolution.kernel * convolution.kernel;
                let slot = convolution.weight;
                (0..rows).for_each(|row| self.weights.clear(Run { slot, row }, convolution.from.channels, scores));
                for_each_run(convolution, |run, from, to| {
                    let span = from..from + convolution.from.channels;
                    let own = before.get_mut(span.clone());
                    self.weights.share::<false>(run, signal[to], &input[span], own, scores);
                });
            }
            (Layer::Pooling(pooling), _) => {
                let shares = shares(pooling, input);
                pooling_edges(pooling, |from, to| before[from] += shares(from, to) * signal[to]);
            }
            (Layer::Interleave(_), _) => {
                for_each_edge(layer, self.slots, |_| true, |_, from, to| before[from] = signal[to]);
            }
            (Layer::Normalisation(normalisation), _) => return self.scaled(normalisation, signal),
            _ => return signal,
        }
        before
    }

    /// `before` is empty where nobody asks for it.
    fn dense_back(&self, dense: &Dense, input: &[f64], signal: &[f64], before: &mut [f64], scores: &mut [f64]) {
        let (slot, width) = (dense.weight, dense.inputs);
        let places = input.chunks_exact(width).zip(signal.chunks_exact(dense.outputs));
        for (place, (x, signal)) in places.enumerate() {
            for (row, &signal) in signal.iter().enumerate() {
                let own = before.get_mut(place * width..(place + 1) * width);
                let run = Run { slot, row };
                match place {
                    0 => self.weights.share::<true>(run, signal, x, own, scores),
                    _ => self.weights.share::<false>(run, signal, x, own, scores),
                }
            }
        }
    }
}

/// Calls `visit(run, first entry of the input, entry of the output)` for every run of channels at every pixel.
fn for_each_run(convolution: &Convolution, mut visit: impl FnMut(Run, usize, usize)) {
    let (to, kernel, slot) = (convolution.to, convolution.kernel, convolution.weight);
    for pixel in 0..to.height * to.width {
        for place in 0..kernel * kernel {
            let (y, x) = (place / kernel, place % kernel);
            let Some(from) = convolution.source(pixel / to.width, pixel % to.width, y, x) else {
                continue;
            };
            for unit in 0..to.channels {
                let row = unit * kernel * kernel + place;
                visit(Run { slot, row }, from, pixel * to.channels + unit);
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
