//! Layers, each written once over [`Value`]: a forward pass and a vector-Jacobian product.
//!
//! To add a layer: its file with two rules composed of the primitives of [`Value`], and a variant here. Gradient, `J v`,
//! `H v` and the factored Jacobian of [`crate::linearize`] follow, because parameters are pulled back only through
//! [`Gradients`].

mod attention;
mod convolution;
mod dense;
mod gradients;
mod normalisation;
mod pooling;
mod rearrange;
mod recurrent;

pub use attention::Attention;
pub use convolution::{Convolution, Padding};
pub use dense::{Dense, Embedding};
pub(crate) use gradients::{Gradients, Summed};
pub use normalisation::{Normalisation, NormalisedOver};
pub use pooling::{Pooling, PoolingKind};
pub use rearrange::{Interleave, Positions};
pub use recurrent::Recurrent;

use super::activation::Activation;
use super::array::Array;
use super::real::Real;
use super::value::Value;
use crate::seed::Seed;
use rand::RngExt;

/// One layer of a network. Between layers the features of a sample stand position by position, the channels of one
/// position together.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Layer {
    /// A fully connected layer, the same at every position.
    Dense(Dense),
    /// A function applied to every entry.
    Activation(Activation),
    /// The planes of an image put together pixel by pixel.
    Interleave(Interleave),
    /// A two-dimensional convolution.
    Convolution(Convolution),
    /// The largest or the mean entry of every window.
    Pooling(Pooling),
    /// Batch, layer or group normalisation.
    Normalisation(Normalisation),
    /// Several layers beside a shortcut; the two are added.
    Residual(Residual),
    /// Entries left out at random while training.
    Dropout(Dropout),
    /// A vector for every token.
    Embedding(Embedding),
    /// A fixed vector added at every position.
    Positions(Positions),
    /// Multi-head self-attention.
    Attention(Attention),
    /// A recurrent cell run over a series.
    Recurrent(Recurrent),
}

/// `branch(x) + shortcut(x)`; an empty shortcut is the identity.
#[derive(Clone, Debug, PartialEq)]
pub struct Residual {
    /// The layers that learn the difference.
    pub branch: Vec<Layer>,
    /// The layers that bring the input to the shape of the branch's output.
    pub shortcut: Vec<Layer>,
}

/// Every entry is zero with probability `rate` and otherwise divided by `1 − rate`, while training; nothing in
/// evaluation (Srivastava et al., JMLR 2014).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// Probability of leaving an entry out, in `[0, 1)`.
    pub rate: f64,
    /// Names the random stream: its number among the dropout layers of the network.
    pub number: usize,
}

/// How a network is run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode<'a> {
    /// Nothing random, and every sample on its own: batch normalisation uses its running statistics. All derivatives of
    /// the theory are of this function.
    Evaluation,
    /// Nothing random, and batch normalisation uses the batch's own statistics: how these are found.
    Statistics,
    /// Dropout draws from the seed, and batch normalisation uses the batch's own statistics.
    Training(&'a Seed),
}

/// What a layer's vector-Jacobian product needs beside its input.
#[derive(Clone, Debug)]
pub(crate) struct Memory<V> {
    values: Vec<V>,
    inner: Vec<Tape<V>>,
}

impl<V> Memory<V> {
    fn none() -> Self {
        Memory::of(Vec::new())
    }

    fn of(values: Vec<V>) -> Self {
        Memory {
            values,
            inner: Vec::new(),
        }
    }
}

/// A run of several layers: the input and memory of each, and the output of the last.
#[derive(Clone, Debug)]
pub(crate) struct Tape<V> {
    /// One value more than there are layers: the input, then every output.
    pub values: Vec<V>,
    memories: Vec<Memory<V>>,
}

impl<V> Tape<V> {
    pub(crate) fn outputs(&self) -> &V {
        &self.values[self.values.len() - 1]
    }
}

/// Runs layers one after the other.
pub(crate) fn forward<T: Real, V: Value<T>>(layers: &[Layer], parameters: &[V], input: V, mode: Mode<'_>) -> Tape<V> {
    let mut tape = Tape {
        values: Vec::with_capacity(layers.len() + 1),
        memories: Vec::with_capacity(layers.len()),
    };
    tape.values.push(input);
    for layer in layers {
        let (output, memory) = layer.forward(parameters, tape.outputs(), mode);
        tape.values.push(output);
        tape.memories.push(memory);
    }
    tape
}

/// Pulls a cotangent of the output back through layers: parameters into `gradients`, the input's as the result where it
/// is wanted and exists.
pub(crate) fn pull_back<T: Real, V: Value<T>>(
    layers: &[Layer],
    parameters: &[V],
    tape: &Tape<V>,
    cotangent: V,
    gradients: &mut dyn Gradients<V>,
    input_wanted: bool,
) -> Option<V> {
    let mut current = Some(cotangent);
    for (index, layer) in layers.iter().enumerate().rev() {
        let cotangent = current?;
        let (input, memory) = (&tape.values[index], &tape.memories[index]);
        current = layer.pull_back(
            parameters,
            input,
            memory,
            cotangent,
            gradients,
            index > 0 || input_wanted,
        );
    }
    current
}

impl Layer {
    /// The output for an input (batch × features); `parameters` holds one value a slot.
    fn forward<T: Real, V: Value<T>>(&self, parameters: &[V], input: &V, mode: Mode<'_>) -> (V, Memory<V>) {
        let plain = |output: V| (output, Memory::none());
        match self {
            Layer::Dense(layer) => plain(layer.forward(parameters, input)),
            Layer::Activation(activation) => plain(input.map(|x| activation.value(x), |x| activation.derivative(x))),
            Layer::Interleave(layer) => plain(layer.forward(input)),
            Layer::Convolution(layer) => plain(layer.forward(parameters, input)),
            Layer::Pooling(layer) => plain(layer.forward(input)),
            Layer::Normalisation(layer) => layer.forward(parameters, input, mode),
            Layer::Residual(layer) => {
                let branch = forward(&layer.branch, parameters, input.clone(), mode);
                let shortcut = forward(&layer.shortcut, parameters, input.clone(), mode);
                let output = branch.outputs().add(shortcut.outputs());
                let inner = vec![branch, shortcut];
                (
                    output,
                    Memory {
                        values: Vec::new(),
                        inner,
                    },
                )
            }
            Layer::Dropout(layer) => match mode {
                Mode::Evaluation | Mode::Statistics => plain(input.clone()),
                Mode::Training(seed) => {
                    let kept = V::constant(layer.draw(input.value(), seed));
                    (input.multiply(&kept), Memory::of(vec![kept]))
                }
            },
            Layer::Embedding(layer) => plain(layer.forward(parameters, input)),
            Layer::Positions(layer) => plain(layer.forward(input)),
            Layer::Attention(layer) => layer.forward(parameters, input),
            Layer::Recurrent(layer) => layer.forward(parameters, input),
        }
    }

    /// Pulls a cotangent of the output back: the parameters' into `gradients`, the input's as the result when it is
    /// wanted.
    fn pull_back<T: Real, V: Value<T>>(
        &self,
        parameters: &[V],
        input: &V,
        memory: &Memory<V>,
        cotangent: V,
        gradients: &mut dyn Gradients<V>,
        input_wanted: bool,
    ) -> Option<V> {
        match self {
            Layer::Dense(layer) => layer.pull_back(parameters, input, &cotangent, gradients, input_wanted),
            Layer::Activation(activation) => input_wanted.then(|| {
                let slope = input.map(|x| activation.derivative(x), |x| activation.second_derivative(x));
                cotangent.multiply(&slope)
            }),
            Layer::Interleave(layer) => input_wanted.then(|| layer.pull_back(&cotangent)),
            Layer::Convolution(layer) => layer.pull_back(parameters, input, &cotangent, gradients, input_wanted),
            Layer::Pooling(layer) => input_wanted.then(|| layer.pull_back(input, &cotangent)),
            Layer::Normalisation(layer) => layer.pull_back(parameters, memory, &cotangent, gradients, input_wanted),
            Layer::Residual(layer) => {
                let back = |layers: &[Layer], tape: &Tape<V>, gradients: &mut dyn Gradients<V>| {
                    pull_back(layers, parameters, tape, cotangent.clone(), gradients, input_wanted)
                };
                let branch = back(&layer.branch, &memory.inner[0], gradients);
                let shortcut = back(&layer.shortcut, &memory.inner[1], gradients);
                match (branch, shortcut) {
                    (Some(branch), Some(shortcut)) if input_wanted => Some(branch.add(&shortcut)),
                    _ => None,
                }
            }
            Layer::Dropout(_) => input_wanted.then(|| match memory.values.first() {
                Some(kept) => cotangent.multiply(kept),
                None => cotangent,
            }),
            Layer::Embedding(layer) => {
                layer.pull_back(input, &cotangent, gradients);
                None
            }
            Layer::Positions(_) => Some(cotangent),
            Layer::Attention(layer) => layer.pull_back(parameters, input, memory, &cotangent, gradients, input_wanted),
            Layer::Recurrent(layer) => layer.pull_back(parameters, input, memory, cotangent, gradients, input_wanted),
        }
    }

    /// The layers inside, where there are any.
    pub fn inner(&self) -> impl Iterator<Item = &Layer> {
        let (branch, shortcut): (&[Layer], &[Layer]) = match self {
            Layer::Residual(residual) => (&residual.branch, &residual.shortcut),
            _ => (&[], &[]),
        };
        branch.iter().chain(shortcut)
    }

    /// The largest number of entries a sample that running it makes at once.
    pub(super) fn footprint(&self) -> usize {
        match self {
            Layer::Dense(layer) => layer.positions * layer.inputs.max(layer.outputs),
            Layer::Convolution(layer) => layer.positions() * layer.patch(),
            Layer::Attention(layer) => layer.heads * layer.positions * layer.positions,
            Layer::Embedding(layer) => layer.0.positions * layer.0.inputs.max(layer.0.outputs),
            Layer::Recurrent(layer) => layer.steps * layer.hidden.max(layer.inputs),
            other => other.inner().map(Layer::footprint).max().unwrap_or(0),
        }
    }
}

impl Dropout {
    fn draw<T: Real>(&self, like: &Array<T>, seed: &Seed) -> Array<T> {
        let mut rng = seed.stream(format!("dropout{}", self.number)).rng();
        let kept = T::of(1.0 / (1.0 - self.rate));
        Array::from_fn(like.rows(), like.columns(), |_, _| {
            if rng.random::<f64>() < self.rate { T::ZERO } else { kept }
        })
    }
}
