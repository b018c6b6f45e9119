//! The Jacobian of a network as factors: a dense layer's block is `δ ⊗ a`, signal times activation.
//!
//! For output class c of sample s, weight (o, i) of a layer has the derivative `∂f_c(x_s)/∂W_oi = δ_o^{(s,c)} a_i^{(s)}`
//! and bias o the derivative `δ_o^{(s,c)}`, with δ the derivative of the output in the layer's pre-activation and `a`
//! the layer's input. For n samples, C classes and a layer from `in` to `out` units that is `n (C out + in)` numbers in
//! place of `n C out in`.

use crate::linalg::{dot, gemm};
use crate::networks::{Array, Layer, Network};
use std::ops::Range;

/// One dense layer. Both factors are stored feature by feature, so that a column of the Jacobian reads two contiguous
/// slices.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// Place of the weights in θ, outputs × inputs.
    pub weight: Range<usize>,
    /// Place of the biases in θ.
    pub bias: Option<Range<usize>>,
    pub inputs: usize,
    pub outputs: usize,
    /// inputs × n.
    pub activations: Vec<f64>,
    /// outputs × (n C), the column of sample s and class c at `s C + c`.
    pub signals: Vec<f64>,
}

/// The factors of every dense layer, from input to output.
#[derive(Clone, Debug)]
pub(super) struct Factors {
    pub blocks: Vec<Block>,
    pub samples: usize,
    pub classes: usize,
    pub parameters: usize,
}

/// Where a parameter stands among the factors.
pub(super) enum Entry<'a> {
    /// Signal of its output unit and activation of its input unit.
    Weight(&'a [f64], &'a [f64]),
    /// Signal of its unit.
    Bias(&'a [f64]),
}

impl Factors {
    /// The outputs `f(θ)` and the factors of `∂f/∂θ`. Cost: one forward pass and C backward passes without their
    /// parameter part.
    pub fn new(network: &Network, theta: &[f64], inputs: &Array<f64>) -> (Array<f64>, Factors) {
        let (samples, classes) = (inputs.rows(), network.classes());
        let rows = samples * classes;
        let tape = network.forward(&network.plain(theta), inputs.clone());
        let slots = network.layout().slots();
        let mut signals = vec![0.0; classes * rows];
        for s in 0..samples {
            for c in 0..classes {
                signals[c * rows + s * classes + c] = 1.0;
            }
        }
        let mut blocks = Vec::new();
        for (index, layer) in network.layers().iter().enumerate().rev() {
            let input = tape.input_of(index);
            match *layer {
                Layer::Dense(dense) => {
                    let weight = slots[dense.weight].range.clone();
                    let mut below = Vec::new();
                    if index > 0 {
                        below = vec![0.0; dense.inputs * rows];
                        let w = &theta[weight.clone()];
                        gemm(
                            dense.inputs,
                            dense.outputs,
                            rows,
                            w,
                            true,
                            &signals,
                            false,
                            &mut below,
                            false,
                        );
                    }
                    blocks.push(Block {
                        weight,
                        bias: dense.bias.map(|slot| slots[slot].range.clone()),
                        inputs: dense.inputs,
                        outputs: dense.outputs,
                        activations: transposed(input),
                        signals: std::mem::replace(&mut signals, below),
                    });
                }
                Layer::Activation(activation) => {
                    for (unit, row) in signals.chunks_exact_mut(rows).enumerate() {
                        for (s, of_sample) in row.chunks_exact_mut(classes).enumerate() {
                            let slope = activation.derivative(input.row(s)[unit]);
                            of_sample.iter_mut().for_each(|d| *d *= slope);
                        }
                    }
                }
            }
        }
        blocks.reverse();
        let factors = Factors {
            blocks,
            samples,
            classes,
            parameters: theta.len(),
        };
        (tape.outputs().clone(), factors)
    }

    /// Number of rows, n C.
    pub fn rows(&self) -> usize {
        self.samples * self.classes
    }

    /// Applies a linear map of `ℝ^C` to the signals of every sample: the Jacobian becomes `R J`, R block diagonal.
    pub fn transform(&mut self, map: impl Fn(usize, &mut [f64])) {
        for block in &mut self.blocks {
            for unit in block.signals.chunks_exact_mut(self.samples * self.classes) {
                for (s, of_sample) in unit.chunks_exact_mut(self.classes).enumerate() {
                    map(s, of_sample);
                }
            }
        }
    }

    /// `y ← J v` for a direction in all parameters.
    pub fn apply(&self, v: &[f64], y: &mut [f64]) {
        y.fill(0.0);
        for block in &self.blocks {
            let mut z = vec![0.0; block.outputs * self.samples];
            let w = &v[block.weight.clone()];
            gemm(
                block.outputs,
                block.inputs,
                self.samples,
                w,
                false,
                &block.activations,
                false,
                &mut z,
                false,
            );
            if let Some(bias) = &block.bias {
                for (z, b) in z.chunks_exact_mut(self.samples).zip(&v[bias.clone()]) {
                    z.iter_mut().for_each(|z| *z += b);
                }
            }
            for (z, signal) in z
                .chunks_exact(self.samples)
                .zip(block.signals.chunks_exact(self.rows()))
            {
                add_scaled_signal(1.0, signal, z, self.classes, y);
            }
        }
    }

    /// `v ← Jᵀ u`, over all parameters.
    pub fn adjoint(&self, u: &[f64], v: &mut [f64]) {
        for block in &self.blocks {
            let g = self.contracted(block, u);
            let (outs, ins) = (block.outputs, block.inputs);
            gemm(
                outs,
                self.samples,
                ins,
                &g,
                false,
                &block.activations,
                true,
                &mut v[block.weight.clone()],
                false,
            );
            if let Some(bias) = &block.bias {
                for (v, g) in v[bias.clone()].iter_mut().zip(g.chunks_exact(self.samples)) {
                    *v = g.iter().sum();
                }
            }
        }
    }

    /// `Σ_c δ_o^{(s,c)} u_{sc}`: outputs × n.
    pub fn contracted(&self, block: &Block, u: &[f64]) -> Vec<f64> {
        let mut g = Vec::with_capacity(block.outputs * self.samples);
        for signal in block.signals.chunks_exact(self.rows()) {
            let pairs = signal.chunks_exact(self.classes).zip(u.chunks_exact(self.classes));
            g.extend(pairs.map(|(d, u)| d.iter().zip(u).map(|(d, u)| d * u).sum::<f64>()));
        }
        g
    }

    /// The factors of one parameter.
    pub fn entry(&self, parameter: usize) -> Entry<'_> {
        let rows = self.rows();
        let block = &self.blocks[self
            .blocks
            .partition_point(|b| b.bias.as_ref().unwrap_or(&b.weight).end <= parameter)];
        let signal = |unit: usize| &block.signals[unit * rows..(unit + 1) * rows];
        if block.weight.contains(&parameter) {
            let place = parameter - block.weight.start;
            let (unit, input) = (place / block.inputs, place % block.inputs);
            let start = input * self.samples;
            Entry::Weight(signal(unit), &block.activations[start..start + self.samples])
        } else {
            let bias = block.bias.as_ref().map_or(0, |b| b.start);
            Entry::Bias(signal(parameter - bias))
        }
    }

    /// `y ← y + α J_j` for one column.
    pub fn add_column(&self, parameter: usize, alpha: f64, y: &mut [f64]) {
        match self.entry(parameter) {
            Entry::Weight(signal, activation) => add_scaled_signal(alpha, signal, activation, self.classes, y),
            Entry::Bias(signal) => {
                for (y, d) in y.iter_mut().zip(signal) {
                    *y += alpha * d;
                }
            }
        }
    }

    /// The squared norm of every column, from the factors: `Σ_s a_i² Σ_c δ_o²`.
    pub fn squared_norms(&self) -> Vec<f64> {
        let mut out = vec![0.0; self.parameters];
        for block in &self.blocks {
            let energy: Vec<f64> = block.signals.chunks_exact(self.classes).map(|d| dot(d, d)).collect();
            let squares: Vec<f64> = block.activations.iter().map(|a| a * a).collect();
            let (outs, ins) = (block.outputs, block.inputs);
            gemm(
                outs,
                self.samples,
                ins,
                &energy,
                false,
                &squares,
                true,
                &mut out[block.weight.clone()],
                false,
            );
            if let Some(bias) = &block.bias {
                for (n, e) in out[bias.clone()].iter_mut().zip(energy.chunks_exact(self.samples)) {
                    *n = e.iter().sum();
                }
            }
        }
        out
    }
}

/// `y ← y + α signal ∘ (factor repeated over the classes)`.
fn add_scaled_signal(alpha: f64, signal: &[f64], factor: &[f64], classes: usize, y: &mut [f64]) {
    for ((y, d), a) in y
        .chunks_exact_mut(classes)
        .zip(signal.chunks_exact(classes))
        .zip(factor)
    {
        let a = alpha * a;
        if a != 0.0 {
            for (y, d) in y.iter_mut().zip(d) {
                *y += a * d;
            }
        }
    }
}

fn transposed(a: &Array<f64>) -> Vec<f64> {
    let mut out = vec![0.0; a.as_slice().len()];
    for (r, row) in a.iter_rows().enumerate() {
        for (c, v) in row.iter().enumerate() {
            out[c * a.rows() + r] = *v;
        }
    }
    out
}
