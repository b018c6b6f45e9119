//! The path in lanes: a chain of dense layers, most of whose weights are pruned.

use super::coordinates::Coordinates;
use super::lanes::{
    BiasGradient, Buffer, Close, Finish, Forward, Gather, Lanes, PullBack, STRIP, Survivors, WeightGradient,
};
use super::sparse_density;
use crate::linalg::gemm;
use crate::networks::activation::Activation;
use crate::networks::array::Array;
use crate::networks::layers::{Dense, Layer};
use crate::networks::loss::Loss;
use crate::networks::network::{Network, argmax};
use crate::networks::real::Real;
use crate::support::Mask;
use pulp::Arch;
use std::ops::Range;

/// One dense layer, the activation behind it, and its buffers for one chunk of samples.
#[derive(Debug)]
struct Link<T> {
    dense: Dense,
    activation: Activation,
    /// Where the kept weights are; absent when the layer is dense enough for the product of dense matrices.
    survivors: Option<Survivors>,
    weight: Range<usize>,
    bias: Option<Range<usize>>,
    /// Pre-activations; after a rectifier the activations themselves, which show where it was open.
    pre: Buffer<T>,
    /// Activations; unused behind a rectifier and where there is no activation.
    post: Option<Buffer<T>>,
    /// Cotangent of the pre-activations.
    delta: Buffer<T>,
}

impl<T: Real> Link<T> {
    fn output(&self) -> &Buffer<T> {
        self.post.as_ref().unwrap_or(&self.pre)
    }

    fn rectifies(&self) -> bool {
        self.activation == Activation::Relu
    }
}

/// A chain of dense layers over activations in lanes.
#[derive(Debug)]
pub(super) struct Chain<T> {
    arch: Arch,
    classes: usize,
    features: usize,
    input: Buffer<T>,
    links: Vec<Link<T>>,
    /// Outputs, targets and the gradient in the outputs of one chunk, a row a sample as [`Loss`] wants them.
    outputs: Vec<T>,
    targets: Vec<T>,
    cotangent: Vec<T>,
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

impl<T: Real> Chain<T> {
    /// Buffers for a network under a mask, in its coordinates.
    pub(super) fn new(network: &Network, mask: &Mask, coordinates: &Coordinates) -> Self {
        let (strips, slots) = (widest::<T>(), network.layout().slots());
        let mut links: Vec<Link<T>> = Vec::new();
        for layer in network.layers() {
            match *layer {
                Layer::Dense(dense) => {
                    let keep = &mask.bits()[slots[dense.weight].range.clone()];
                    let survivors = coordinates
                        .is_compact(dense.weight)
                        .then(|| Survivors::new(dense.outputs, dense.inputs, keep));
                    links.push(Link {
                        dense,
                        activation: Activation::Linear,
                        survivors,
                        weight: coordinates.range(dense.weight),
                        bias: dense.bias.map(|slot| coordinates.range(slot)),
                        pre: Buffer::new(dense.outputs, strips),
                        post: None,
                        delta: Buffer::new(dense.outputs, strips),
                    });
                }
                Layer::Activation(activation) => {
                    // A network begins with a dense layer and never has two activations in a row.
                    if let Some(link) = links.last_mut() {
                        link.activation = activation;
                        let separate = !matches!(activation, Activation::Relu | Activation::Linear);
                        link.post = separate.then(|| Buffer::new(link.dense.outputs, strips));
                    }
                }
                _ => {}
            }
        }
        let (features, classes) = (network.inputs(), network.classes());
        let outputs = vec![T::ZERO; strips * STRIP * classes];
        Chain {
            arch: Arch::new(),
            classes,
            features,
            input: Buffer::new(features, strips),
            links,
            targets: outputs.clone(),
            cotangent: outputs.clone(),
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
        for (index, rows) in rows.chunks(widest::<T>() * STRIP).enumerate() {
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
        let all = inputs.rows();
        for first in (0..all).step_by(widest::<T>() * STRIP) {
            let rows: [usize; 8 * STRIP] = std::array::from_fn(|lane| first + lane);
            let rows = &rows[..(all - first).min(widest::<T>() * STRIP)];
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

    /// Fills every buffer for a chunk of samples, and the outputs.
    fn forward<const K: usize>(&mut self, own: &[T], inputs: &Array<T>, rows: &[usize]) {
        self.arch.dispatch(Gather::<T, K> {
            inputs,
            rows,
            output: self.input.lanes_mut(self.features),
        });
        for index in 0..self.links.len() {
            let (below, from_here) = self.links.split_at_mut(index);
            let link = &mut from_here[0];
            let Dense { inputs, outputs, .. } = link.dense;
            let input = below.last().map_or(&self.input, |link| link.output());
            let values = &own[link.weight.clone()];
            let bias = link.bias.clone().map(|range| &own[range]);
            let rectify = link.rectifies();
            match &link.survivors {
                Some(survivors) => self.arch.dispatch(Forward::<T, K> {
                    survivors,
                    values,
                    bias,
                    input: input.lanes(inputs),
                    output: link.pre.lanes_mut(outputs),
                    rectify,
                }),
                None => {
                    let (x, z) = (input.flat::<K>(inputs), link.pre.flat_mut::<K>(outputs));
                    gemm(outputs, inputs, K * STRIP, values, false, x, false, z, false);
                    self.arch.dispatch(Finish::<T, K> {
                        bias,
                        output: link.pre.lanes_mut(outputs),
                        rectify,
                    });
                }
            }
            if let Some(post) = &mut link.post {
                for (h, &z) in post.flat_mut::<K>(outputs).iter_mut().zip(link.pre.flat::<K>(outputs)) {
                    *h = link.activation.value(z);
                }
            }
        }
        let Some(last) = self.links.last() else { return };
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
        let Some(last) = self.links.last_mut() else { return 0.0 };
        let length = samples * self.classes;
        let (outputs, targets) = (&self.outputs[..length], &self.targets[..length]);
        let cotangent = &mut self.cotangent[..length];
        let value = loss.sum(outputs, targets, self.classes);
        loss.gradient_into(outputs, targets, self.classes, total, cotangent);
        for (class, lanes) in last.delta.lanes_mut::<K>(self.classes).iter_mut().enumerate() {
            let lanes = lanes.as_flattened_mut();
            lanes[samples..].fill(T::ZERO);
            for (sample, lane) in lanes[..samples].iter_mut().enumerate() {
                *lane = cotangent[sample * self.classes + class];
            }
        }
        for index in (0..self.links.len()).rev() {
            let (below, from_here) = self.links.split_at_mut(index);
            let link = &from_here[0];
            let Dense { inputs, outputs, .. } = link.dense;
            let delta: &[Lanes<T, K>] = link.delta.lanes(outputs);
            let input = below.last().map_or(&self.input, |link| link.output());
            let values = &own[link.weight.clone()];
            let into = &mut gradient[link.weight.clone()];
            match &link.survivors {
                Some(survivors) => self.arch.dispatch(WeightGradient::<T, K> {
                    survivors,
                    input: input.lanes(inputs),
                    delta,
                    gradient: into,
                    add,
                }),
                None => {
                    let (d, x) = (link.delta.flat::<K>(outputs), input.flat::<K>(inputs));
                    gemm(outputs, K * STRIP, inputs, d, false, x, true, into, add);
                }
            }
            if let Some(range) = link.bias.clone() {
                let gradient = &mut gradient[range];
                self.arch.dispatch(BiasGradient { delta, gradient, add });
            }
            let Some(previous) = below.last_mut() else { continue };
            let gate = previous.rectifies().then(|| previous.pre.lanes::<K>(inputs));
            match &link.survivors {
                Some(survivors) => self.arch.dispatch(PullBack::<T, K> {
                    survivors,
                    values,
                    delta,
                    gate,
                    output: previous.delta.lanes_mut(inputs),
                }),
                None => {
                    let (d, out) = (link.delta.flat::<K>(outputs), previous.delta.flat_mut::<K>(inputs));
                    gemm(inputs, outputs, K * STRIP, values, true, d, false, out, false);
                    if let Some(gate) = gate {
                        let values = previous.delta.lanes_mut(inputs);
                        self.arch.dispatch(Close { gate, values });
                    }
                }
            }
            if previous.post.is_some() {
                let pre = previous.pre.flat::<K>(inputs);
                for (d, &z) in previous.delta.flat_mut::<K>(inputs).iter_mut().zip(pre) {
                    *d *= previous.activation.derivative(z);
                }
            }
        }
        value
    }
}

/// Whether the layer's weights are few enough for kernels over survivors.
pub(super) fn is_sparse<T: Real>(kept: usize, weights: usize) -> bool {
    (kept as f64) < sparse_density::<T>() * weights as f64
}
