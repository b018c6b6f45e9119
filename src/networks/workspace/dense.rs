//! The dense path: a chain of dense layers over activations that stand sample by sample.

use crate::linalg::gemm;
use crate::networks::activation::Activation;
use crate::networks::array::Array;
use crate::networks::layers::{Dense, Layer};
use crate::networks::loss::Loss;
use crate::networks::network::{Network, argmax};
use crate::networks::real::Real;
use pulp::Arch;

/// One dense layer, the activation behind it, and its buffers.
#[derive(Debug)]
struct Stage<T> {
    dense: Dense,
    activation: Option<Activation>,
    /// Pre-activations, capacity × outputs.
    pre: Vec<T>,
    /// Activations; unused where no activation follows.
    post: Vec<T>,
    /// Cotangent of the pre-activations.
    delta: Vec<T>,
}

impl<T> Stage<T> {
    fn output(&self) -> &[T] {
        if self.activation.is_some() {
            &self.post
        } else {
            &self.pre
        }
    }
}

/// A chain of dense layers and its buffers.
#[derive(Debug)]
pub(super) struct Chain<T> {
    network: Network,
    capacity: usize,
    inputs: Vec<T>,
    targets: Vec<T>,
    stages: Vec<Stage<T>>,
    arch: Arch,
}

impl<T: Real> Chain<T> {
    /// Buffers for batches of up to `capacity` samples.
    pub(super) fn new(network: &Network, capacity: usize) -> Self {
        let mut stages: Vec<Stage<T>> = Vec::new();
        for layer in network.layers() {
            match *layer {
                Layer::Dense(dense) => stages.push(Stage {
                    dense,
                    activation: None,
                    pre: vec![T::ZERO; capacity * dense.outputs],
                    post: Vec::new(),
                    delta: vec![T::ZERO; capacity * dense.outputs],
                }),
                Layer::Activation(activation) => {
                    // A network begins with a dense layer and never has two activations in a row.
                    if let Some(stage) = stages.last_mut() {
                        stage.activation = Some(activation);
                        stage.post = vec![T::ZERO; stage.pre.len()];
                    }
                }
                _ => {}
            }
        }
        Chain {
            network: network.clone(),
            capacity,
            inputs: vec![T::ZERO; capacity * network.inputs()],
            targets: vec![T::ZERO; capacity * network.classes()],
            stages,
            arch: Arch::new(),
        }
    }

    /// The loss averaged over the given rows, with its gradient.
    pub(super) fn loss_and_gradient(
        &mut self,
        theta: &[T],
        inputs: &Array<T>,
        targets: &Array<T>,
        rows: &[usize],
        loss: Loss,
        gradient: &mut [T],
    ) -> f64 {
        let (features, classes) = (self.network.inputs(), self.network.classes());
        for (k, &row) in rows.iter().enumerate() {
            self.inputs[k * features..(k + 1) * features].copy_from_slice(inputs.row(row));
            self.targets[k * classes..(k + 1) * classes].copy_from_slice(targets.row(row));
        }
        let (n, slots) = (rows.len(), self.network.layout().slots());
        let batch = &self.inputs[..n * features];
        forward(&self.network, &mut self.stages, self.arch, theta, batch, n);

        let Some(last) = self.stages.last_mut() else { return 0.0 };
        let targets = &self.targets[..n * classes];
        let outputs = &last.pre[..n * classes];
        let value = loss.sum(outputs, targets, classes) / n as f64;
        loss.gradient_into(outputs, targets, classes, n, &mut last.delta[..n * classes]);

        for index in (0..self.stages.len()).rev() {
            let (below, from_here) = self.stages.split_at_mut(index);
            let stage = &from_here[0];
            let Dense {
                inputs: ins,
                outputs: outs,
                weight,
                bias,
                ..
            } = stage.dense;
            let delta = &stage.delta[..n * outs];
            let input = below.last().map_or(batch, |s| &s.output()[..n * ins]);
            gemm(
                outs,
                n,
                ins,
                delta,
                true,
                input,
                false,
                &mut gradient[slots[weight].range.clone()],
                false,
            );
            if let Some(slot) = bias {
                let sum = &mut gradient[slots[slot].range.clone()];
                sum.fill(T::ZERO);
                for row in delta.chunks_exact(outs) {
                    for (s, d) in sum.iter_mut().zip(row) {
                        *s += *d;
                    }
                }
            }
            if let Some(previous) = below.last_mut() {
                let weight = &theta[slots[weight].range.clone()];
                let out = &mut previous.delta[..n * ins];
                gemm(n, outs, ins, delta, false, weight, false, out, false);
                if let Some(activation) = previous.activation {
                    multiply_by_slope(self.arch, activation, &previous.pre[..n * ins], out);
                }
            }
        }
        value
    }

    /// The sum of the loss over all samples, and how many are classified right.
    pub(super) fn score(&mut self, theta: &[T], inputs: &Array<T>, targets: &Array<T>, loss: Loss) -> (f64, usize) {
        let (features, classes) = (self.network.inputs(), self.network.classes());
        let (mut sum, mut right) = (0.0, 0usize);
        let batches = inputs.as_slice().chunks(self.capacity * features);
        for (x, t) in batches.zip(targets.as_slice().chunks(self.capacity * classes)) {
            let n = x.len() / features;
            forward(&self.network, &mut self.stages, self.arch, theta, x, n);
            if let Some(last) = self.stages.last() {
                let outputs = &last.pre[..n * classes];
                sum += loss.sum(outputs, t, classes);
                let rows = outputs.chunks_exact(classes).zip(t.chunks_exact(classes));
                right += rows.filter(|(f, t)| argmax(f) == argmax(t)).count();
            }
        }
        (sum, right)
    }
}

/// Fills the buffers of every stage for the `n` samples of `input`.
fn forward<T: Real>(network: &Network, stages: &mut [Stage<T>], arch: Arch, theta: &[T], input: &[T], n: usize) {
    let slots = network.layout().slots();
    for index in 0..stages.len() {
        let (below, from_here) = stages.split_at_mut(index);
        let stage = &mut from_here[0];
        let Dense {
            inputs: ins,
            outputs: outs,
            weight,
            bias,
            ..
        } = stage.dense;
        let input = below.last().map_or(input, |s| &s.output()[..n * ins]);
        let pre = &mut stage.pre[..n * outs];
        gemm(
            n,
            ins,
            outs,
            input,
            false,
            &theta[slots[weight].range.clone()],
            true,
            pre,
            false,
        );
        if let Some(slot) = bias {
            add_to_rows(arch, &theta[slots[slot].range.clone()], pre);
        }
        if let Some(activation) = stage.activation {
            activate(arch, activation, pre, &mut stage.post[..n * outs]);
        }
    }
}

/// Adds `bias` to every row of `values`.
fn add_to_rows<T: Real>(arch: Arch, bias: &[T], values: &mut [T]) {
    arch.dispatch(|| {
        for row in values.chunks_exact_mut(bias.len()) {
            for (v, b) in row.iter_mut().zip(bias) {
                *v += *b;
            }
        }
    });
}

/// `out ← φ(pre)`. Only ReLU is worth vector instructions: the others are calls.
fn activate<T: Real>(arch: Arch, activation: Activation, pre: &[T], out: &mut [T]) {
    if activation == Activation::Relu {
        arch.dispatch(|| {
            for (h, &z) in out.iter_mut().zip(pre) {
                *h = if z > T::ZERO { z } else { T::ZERO };
            }
        });
        return;
    }
    for (h, &z) in out.iter_mut().zip(pre) {
        *h = activation.value(z);
    }
}

/// `delta ← φ′(pre) ∘ delta`.
fn multiply_by_slope<T: Real>(arch: Arch, activation: Activation, pre: &[T], delta: &mut [T]) {
    if activation == Activation::Relu {
        arch.dispatch(|| {
            for (d, &z) in delta.iter_mut().zip(pre) {
                *d = if z > T::ZERO { *d } else { T::ZERO };
            }
        });
        return;
    }
    for (d, &z) in delta.iter_mut().zip(pre) {
        *d *= activation.derivative(z);
    }
}
