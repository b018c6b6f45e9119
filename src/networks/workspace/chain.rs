//! The path in lanes: a chain of dense layers, convolutions, pooling and activations, each with kernels over its survivors
//! or, where it keeps most of its weights, the product of dense matrices.

use super::coordinates::Coordinates;
use super::field::Field;
use super::lanes::{Buffer, STRIP, Survivors};
use super::node::{Kernel, Node, Operation};
use super::turn::Gather;
use super::window::{Window, turned};
use crate::networks::activation::Activation;
use crate::networks::array::Array;
use crate::networks::layers::{Convolution, Layer, Padding};
use crate::networks::loss::Loss;
use crate::networks::network::{Network, argmax};
use crate::networks::real::Real;
use crate::support::Mask;
use pulp::Arch;

/// A chain of layers over activations in lanes.
#[derive(Debug)]
pub(super) struct Chain<T> {
    arch: Arch,
    classes: usize,
    /// Strips of a chunk at most, and of the last one that went through.
    strips: usize,
    last: usize,
    input_field: Field,
    input: Buffer<T>,
    nodes: Vec<Node<T>>,
    /// The first node with parameters: nothing is pulled back below it.
    lowest: usize,
    /// Outputs, targets and the gradient in the outputs of one chunk, a row a sample as [`Loss`] wants them.
    outputs: Vec<T>,
    targets: Vec<T>,
    cotangent: Vec<T>,
    /// Room for those of one sample.
    exponentials: Vec<f64>,
}

/// Strips of the widest chunk: 64 samples in single precision and 32 in double fill half of sixteen vector registers of
/// 32 bytes, which hides the time a multiply-add takes.
const fn widest<T: Real>() -> usize {
    32 / T::BYTES
}

/// Calls a function generic over the number of strips with the narrowest width that holds the samples left.
macro_rules! by_width {
    ($samples:expr, $call:ident ( $self:expr, $($argument:expr),* )) => {
        match $samples {
            0..=16 => $self.$call::<2>($($argument),*),
            17..=32 => $self.$call::<4>($($argument),*),
            _ => $self.$call::<8>($($argument),*),
        }
    };
}

/// Whether every layer has a node here: dense layers on whole samples, convolutions one pixel at a time inside a border of
/// zeros, pooling, and at most one activation behind each.
pub(super) fn is_chain(network: &Network) -> bool {
    let layers = network.layers();
    let fits = layers.iter().enumerate().all(|(index, layer)| match layer {
        Layer::Dense(dense) => dense.positions == 1,
        Layer::Convolution(convolution) => {
            convolution.stride == 1 && matches!(convolution.padding, Padding::Zero(width) if width < convolution.kernel)
        }
        Layer::Pooling(pooling) => index > 0 && pooling.to().height * pooling.to().width > 0,
        Layer::Interleave(_) => index == 0,
        Layer::Activation(_) => index > 0 && !matches!(layers[index - 1], Layer::Activation(_) | Layer::Interleave(_)),
        _ => false,
    });
    // What a dense layer pulls back is no image inside a border.
    let weights: Vec<&Layer> = layers
        .iter()
        .filter(|layer| !matches!(layer, Layer::Activation(_)))
        .collect();
    let flat = weights
        .windows(2)
        .all(|pair| !matches!(pair, [Layer::Convolution(_), Layer::Dense(_)]));
    fits && flat && matches!(layers.last(), Some(Layer::Dense(_)))
}

impl<T: Real> Chain<T> {
    /// Buffers for a network for which [`is_chain`] holds, under a mask, in its coordinates.
    pub(super) fn new(network: &Network, mask: &Mask, coordinates: &Coordinates) -> Self {
        let (layers, slots) = (network.layers(), network.layout().slots());
        let border = |index: usize| match layers.get(index) {
            Some(Layer::Convolution(convolution)) => convolution.padding.width(),
            _ => 0,
        };
        let strips = widest::<T>();
        let input_field = match layers.first() {
            Some(Layer::Convolution(first)) => image(first, border(0)),
            _ => Field::vector(network.inputs()),
        };
        let (mut nodes, mut field): (Vec<Node<T>>, Field) = (Vec::new(), input_field);
        for (index, layer) in layers.iter().enumerate() {
            // The activation is looked past: what reads the output decides its border.
            let reader = index + 1 + usize::from(matches!(layers.get(index + 1), Some(Layer::Activation(_))));
            let keep = |slot: usize| &mask.bits()[slots[slot].range.clone()];
            let (operation, out, delta_border, parameters) = match layer {
                Layer::Activation(activation) => {
                    if let Some(node) = nodes.last_mut() {
                        node.activation = *activation;
                        let separate = !matches!(activation, Activation::Relu | Activation::Linear);
                        node.post = separate.then(|| Buffer::new(node.field.places(), strips));
                    }
                    continue;
                }
                Layer::Interleave(layer) => {
                    let channels = layer.channels;
                    let out = match layers.get(reader) {
                        Some(Layer::Convolution(next)) => image(next, border(reader)),
                        Some(Layer::Pooling(next)) => Field {
                            height: next.from.height,
                            width: next.from.width,
                            channels,
                            border: 0,
                        },
                        _ => Field {
                            height: 1,
                            width: layer.positions,
                            channels,
                            border: 0,
                        },
                    };
                    (Operation::Interleave, out, 0, None)
                }
                Layer::Pooling(pooling) => {
                    let to = pooling.to();
                    let out = Field {
                        height: to.height,
                        width: to.width,
                        channels: to.channels,
                        border: border(reader),
                    };
                    (Operation::pool(*pooling), out, 0, None)
                }
                Layer::Convolution(layer) => {
                    let out = Field {
                        height: layer.to.height,
                        width: layer.to.width,
                        channels: layer.to.channels,
                        border: border(reader),
                    };
                    let (side, back) = (layer.kernel, layer.kernel - 1 - layer.padding.width());
                    let delta = out.within(back);
                    let back_field = nodes.last().map_or(field.within(0), |node: &Node<T>| node.delta_field);
                    let kernel = if coordinates.is_compact(layer.weight) {
                        Kernel::Survivors(convolved(layer, keep(layer.weight), field, delta))
                    } else {
                        Kernel::Windows(
                            Window::new(field, out, side, strips),
                            Window::new(delta, back_field, side, strips),
                            vec![T::ZERO; slots[layer.weight].len()],
                        )
                    };
                    let operation = Operation::Convolution { side, kernel };
                    (operation, out, back, Some((layer.weight, layer.bias)))
                }
                Layer::Dense(layer) => {
                    let kernel = if coordinates.is_compact(layer.weight) {
                        let bits = keep(layer.weight);
                        let same = |column| column;
                        Kernel::Survivors(Survivors::new(layer.inputs, bits, layer.inputs, same, |row, column| {
                            (column, row)
                        }))
                    } else {
                        Kernel::Product
                    };
                    let out = Field::vector(layer.outputs);
                    (Operation::Dense(kernel), out, 0, Some((layer.weight, layer.bias)))
                }
                // `is_chain` lets nothing else in.
                _ => continue,
            };
            let delta_field = out.within(delta_border);
            nodes.push(Node {
                operation,
                activation: Activation::Linear,
                weight: parameters.map_or(0..0, |(slot, _)| coordinates.range(slot)),
                bias: parameters
                    .and_then(|(_, bias)| bias)
                    .map(|slot| coordinates.range(slot)),
                field: out,
                pre: Buffer::new(out.places(), strips),
                post: None,
                delta_field,
                delta: Buffer::new(delta_field.places(), strips),
            });
            field = out;
        }
        let outputs = vec![T::ZERO; strips * STRIP * network.classes()];
        Chain {
            arch: Arch::new(),
            classes: network.classes(),
            strips,
            last: strips,
            input_field,
            input: Buffer::new(input_field.places(), strips),
            lowest: nodes
                .iter()
                .position(|node| !node.weight.is_empty() || node.bias.is_some())
                .unwrap_or(0),
            nodes,
            targets: outputs.clone(),
            cotangent: outputs.clone(),
            exponentials: vec![0.0; network.classes()],
            outputs,
        }
    }

    /// The loss averaged over the given rows, with its gradient.
    pub(super) fn loss_and_gradient(
        &mut self,
        own: &[T],
        inputs: &Array<T>,
        targets: &Array<T>,
        rows: &[usize],
        loss: Loss,
        gradient: &mut [T],
    ) -> f64 {
        let (n, mut sum) = (rows.len(), 0.0);
        for node in &mut self.nodes {
            if let Operation::Convolution {
                side,
                kernel: Kernel::Windows(_, back, weight),
            } = &mut node.operation
            {
                let (outputs, inputs) = (node.field.channels, back.channels());
                turned(&own[node.weight.clone()], outputs, *side, inputs, weight);
            }
        }
        for (index, rows) in rows.chunks(self.strips * STRIP).enumerate() {
            for (target, &row) in self.targets.chunks_exact_mut(self.classes).zip(rows) {
                target.copy_from_slice(targets.row(row));
            }
            sum += by_width!(
                rows.len(),
                chunk_gradient(self, own, inputs, rows, n, loss, gradient, index > 0)
            );
        }
        sum / n as f64
    }

    /// The sum of the loss over all samples, and how many are classified right.
    pub(super) fn score(&mut self, own: &[T], inputs: &Array<T>, targets: &Array<T>, loss: Loss) -> (f64, usize) {
        let (mut sum, mut right) = (0.0, 0);
        let (all, most) = (inputs.rows(), self.strips * STRIP);
        for first in (0..all).step_by(most) {
            let rows: [usize; 8 * STRIP] = std::array::from_fn(|lane| first + lane);
            let rows = &rows[..(all - first).min(most)];
            by_width!(rows.len(), forward(self, own, inputs, rows));
            let outputs = &self.outputs[..rows.len() * self.classes];
            let targets = &targets.as_slice()[first * self.classes..][..outputs.len()];
            sum += loss.sum(outputs, targets, self.classes);
            let rows = outputs
                .chunks_exact(self.classes)
                .zip(targets.chunks_exact(self.classes));
            right += rows.filter(|(f, t)| argmax(f) == argmax(t)).count();
        }
        (sum, right)
    }

    /// Makes room for chunks of another width: borders lie elsewhere then.
    fn widen<const K: usize>(&mut self) {
        if self.last != K {
            self.last = K;
            self.input.clear();
            for node in &mut self.nodes {
                node.pre.clear();
                node.delta.clear();
                if let Some(post) = &mut node.post {
                    post.clear();
                }
            }
        }
    }

    /// Fills every buffer for a chunk of samples, and the outputs.
    fn forward<const K: usize>(&mut self, own: &[T], inputs: &Array<T>, rows: &[usize]) {
        self.widen::<K>();
        let image = self.input_field;
        for row in 0..image.height {
            self.arch.dispatch(Gather::<T, K> {
                inputs,
                first: row * image.width * image.channels,
                rows,
                output: &mut self.input.lanes_mut(image.places())[image.row(row)],
            });
        }
        for index in 0..self.nodes.len() {
            let (below, from_here) = self.nodes.split_at_mut(index);
            let (input, from) = below
                .last()
                .map_or((&self.input, self.input_field), |node| (node.output(), node.field));
            from_here[0].forward::<K>(self.arch, own, input.lanes(from.places()), from);
        }
        let Some(last) = self.nodes.last() else { return };
        for (class, lanes) in last.output().lanes::<K>(self.classes).iter().enumerate() {
            for (sample, value) in lanes.as_flattened()[..rows.len()].iter().enumerate() {
                self.outputs[sample * self.classes + class] = *value;
            }
        }
    }

    /// The sum of the loss over a chunk, and the chunk's part of the gradient of the average over `total` samples.
    #[allow(clippy::too_many_arguments)]
    fn chunk_gradient<const K: usize>(
        &mut self,
        own: &[T],
        inputs: &Array<T>,
        rows: &[usize],
        total: usize,
        loss: Loss,
        gradient: &mut [T],
        add: bool,
    ) -> f64 {
        self.forward::<K>(own, inputs, rows);
        let samples = rows.len();
        let Some(last) = self.nodes.last_mut() else { return 0.0 };
        let length = samples * self.classes;
        let (outputs, targets) = (&self.outputs[..length], &self.targets[..length]);
        let cotangent = &mut self.cotangent[..length];
        let value = loss.sum_and_gradient_into(outputs, targets, total, cotangent, &mut self.exponentials);
        for (class, lanes) in last.delta.lanes_mut::<K>(self.classes).iter_mut().enumerate() {
            let lanes = lanes.as_flattened_mut();
            lanes[samples..].fill(T::ZERO);
            for (sample, lane) in lanes[..samples].iter_mut().enumerate() {
                *lane = cotangent[sample * self.classes + class];
            }
        }
        for index in (self.lowest..self.nodes.len()).rev() {
            let (below, from_here) = self.nodes.split_at_mut(index);
            let node = &mut from_here[0];
            let (input, from) = below
                .last()
                .map_or((&self.input, self.input_field), |node| (node.output(), node.field));
            node.gradient::<K>(self.arch, input.lanes(from.places()), from, gradient, add);
            if index > self.lowest
                && let Some(previous) = below.last_mut()
            {
                node.pull_back::<K>(self.arch, own, previous);
            }
        }
        value
    }
}

/// The image that comes into a convolution.
fn image(layer: &Convolution, border: usize) -> Field {
    Field {
        height: layer.from.height,
        width: layer.from.width,
        channels: layer.from.channels,
        border,
    }
}

/// The survivors of a convolution between these fields.
fn convolved(layer: &Convolution, keep: &[bool], from: Field, delta: Field) -> Survivors {
    let (side, channels) = (layer.kernel, from.channels);
    let place = |column: usize| (column / channels / side, column / channels % side);
    Survivors::new(
        layer.patch(),
        keep,
        channels,
        |column| {
            let (y, x) = place(column);
            from.corner(y, x) + column % channels
        },
        |row, column| {
            let (y, x) = place(column);
            (column % channels, delta.corner(side - 1 - y, side - 1 - x) + row)
        },
    )
}
