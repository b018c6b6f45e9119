//! Products over all coordinates: activations sample by sample, and products of dense matrices.

use super::kernels::{add_products, add_rows, multiply};
use super::{Plan, Point, activate, output_curvature, output_derivatives, through};
use crate::linalg::gemm;
use crate::networks::activation::Activation;
use crate::networks::real::Real;
use pulp::Arch;
use std::ops::Range;

/// Samples that go through a product together: enough for the products of matrices to be at their speed, few enough that the
/// room does not grow with the data.
const CHUNK: usize = 512;

/// One dense layer with the activation behind it. Everything that is kept is samples × outputs.
#[derive(Debug)]
struct Stage<T> {
    inputs: usize,
    outputs: usize,
    activation: Activation,
    weight: Range<usize>,
    bias: Option<Range<usize>>,
    weight_moves: bool,
    bias_moves: bool,
    /// Whether anything at or below this layer moves.
    moves: bool,
    /// Activations, where a layer above multiplies them.
    post: Vec<T>,
    slope: Option<Vec<T>>,
    /// `φ″ ∘ Wᵀδ`, with W and δ of the layer above.
    bend: Option<Vec<T>>,
    /// Cotangents of the pre-activations, where they meet a direction or a tangent.
    delta: Option<Vec<T>>,
}

/// A point of a multilayer perceptron.
#[derive(Debug)]
pub(super) struct Kept<T> {
    theta: Vec<T>,
    samples: usize,
    /// What the first layer multiplies; empty where it does not move.
    inputs: Vec<T>,
    stages: Vec<Stage<T>>,
    /// The first stage that moves.
    lowest: usize,
    probabilities: Option<Vec<T>>,
    arch: Arch,
}

/// The tangents of one chunk, stage by stage.
#[derive(Debug)]
pub(super) struct Room<T> {
    stages: Vec<Tangents<T>>,
}

#[derive(Debug)]
struct Tangents<T> {
    /// ż, where φ″ asks for it.
    pre: Vec<T>,
    /// ȧ.
    post: Vec<T>,
    /// δ̇.
    delta: Vec<T>,
}

impl<T: Real> Kept<T> {
    /// One forward pass over all samples, and the cotangents that products need.
    pub(super) fn new(point: Point<'_, T>, plans: &[Plan]) -> Self {
        let slots = point.network.layout().slots();
        let lowest = plans.iter().position(Plan::moves).unwrap_or(0);
        let stages = plans.iter().enumerate().map(|(index, plan)| Stage {
            inputs: plan.dense.inputs,
            outputs: plan.dense.outputs,
            activation: plan.activation,
            weight: slots[plan.dense.weight].range.clone(),
            bias: plan.dense.bias.map(|slot| slots[slot].range.clone()),
            weight_moves: plan.weight_moves,
            bias_moves: plan.bias_moves,
            moves: index >= lowest,
            post: Vec::new(),
            slope: None,
            bend: None,
            delta: None,
        });
        let mut kept = Kept {
            theta: Vec::new(),
            samples: 0,
            inputs: Vec::new(),
            stages: stages.collect(),
            lowest,
            probabilities: None,
            arch: Arch::new(),
        };
        kept.fill(point);
        kept
    }

    /// The same at another point of the same network, on the same coordinates, in the room that is there.
    pub(super) fn fill(&mut self, point: Point<'_, T>) {
        let (samples, arch) = (point.inputs.rows(), self.arch);
        self.samples = samples;
        replace(&mut self.theta, point.theta);
        if self.lowest == 0 {
            replace(&mut self.inputs, point.inputs.as_slice());
        }
        for index in 0..self.stages.len() {
            let (below, from_here) = self.stages.split_at_mut(index);
            let stage = &mut from_here[0];
            let (ins, outs) = (stage.inputs, stage.outputs);
            let mut pre = sized(std::mem::take(&mut stage.post), samples * outs);
            if let Some(bias) = &stage.bias {
                repeat(&self.theta[bias.clone()], &mut pre);
            }
            let input = below.last().map_or(point.inputs.as_slice(), |below| &below.post[..]);
            let weight = &self.theta[stage.weight.clone()];
            gemm(
                samples,
                ins,
                outs,
                input,
                false,
                weight,
                true,
                &mut pre,
                stage.bias.is_some(),
            );
            let bent = stage.moves.then_some(!point.gauss_newton);
            (stage.slope, stage.bend) = activate(arch, stage.activation, &mut pre, bent);
            stage.post = pre;
            if let Some(below) = below.last_mut().filter(|_| index < self.lowest) {
                below.post = Vec::new();
            }
        }
        let (Some(last), classes) = (self.stages.last_mut(), point.network.classes()) else {
            return;
        };
        let outputs = std::mem::take(&mut last.post);
        let mut delta = last.delta.take().unwrap_or_default();
        if !point.gauss_newton {
            delta = sized(delta, outputs.len());
        }
        let p = self.probabilities.take().unwrap_or_default();
        self.probabilities = output_derivatives(&point, &outputs, classes, p, &mut delta);
        if !point.gauss_newton {
            self.pull_back(delta);
        }
    }

    /// Fills δ and φ″ ∘ Wᵀδ from the cotangent of the outputs.
    fn pull_back(&mut self, mut delta: Vec<T>) {
        for index in (self.lowest + 1..self.stages.len()).rev() {
            let (below, from_here) = self.stages.split_at_mut(index);
            let (stage, Some(under)) = (&mut from_here[0], below.last_mut()) else {
                return;
            };
            let (ins, outs) = (stage.inputs, stage.outputs);
            // The cotangent of the lowest stage meets nothing: only a bend asks for it.
            if index == self.lowest + 1 && under.bend.is_none() {
                stage.delta = Some(delta);
                return;
            }
            let mut back = sized(under.delta.take().unwrap_or_default(), self.samples * ins);
            let weight = &self.theta[stage.weight.clone()];
            gemm(self.samples, outs, ins, &delta, false, weight, false, &mut back, false);
            stage.delta = Some(delta);
            if let Some(bend) = &mut under.bend {
                multiply(self.arch, &back, bend);
            }
            through(
                self.arch,
                under.activation,
                under.slope.as_deref(),
                &under.post,
                &mut back,
            );
            delta = back;
        }
    }

    pub(super) fn parameters(&self) -> usize {
        self.theta.len()
    }

    pub(super) fn room(&self) -> Room<T> {
        let rows = self.samples.min(CHUNK);
        let of_stage = |stage: &Stage<T>| {
            let room = |wanted: bool| vec![T::ZERO; if wanted { rows * stage.outputs } else { 0 }];
            Tangents {
                pre: room(stage.bend.is_some()),
                post: room(stage.moves),
                delta: room(stage.moves),
            }
        };
        Room {
            stages: self.stages.iter().map(of_stage).collect(),
        }
    }

    /// The product with a direction, on the slots that move; the others are left as they are.
    pub(super) fn product(&self, room: &mut Room<T>, direction: &[T], product: &mut [T]) {
        for start in (0..self.samples).step_by(CHUNK) {
            let rows = start..(start + CHUNK).min(self.samples);
            self.forward(room, direction, rows.clone());
            self.backward(room, direction, product, rows, start > 0);
        }
    }

    /// What a stage multiplies, for some samples.
    fn input(&self, index: usize, rows: &Range<usize>) -> &[T] {
        let width = self.stages[index].inputs;
        let all = match index {
            0 => &self.inputs,
            _ => &self.stages[index - 1].post,
        };
        &all[rows.start * width..rows.end * width]
    }

    /// Takes some samples through the slopes of a stage.
    fn through(&self, index: usize, places: Range<usize>, out: &mut [T]) {
        let stage = &self.stages[index];
        let slope = stage.slope.as_ref().map(|slope| &slope[places.clone()]);
        // The outputs have neither slopes nor activations.
        let post = stage.post.get(places).unwrap_or_default();
        through(self.arch, stage.activation, slope, post, out);
    }

    fn forward(&self, room: &mut Room<T>, direction: &[T], rows: Range<usize>) {
        let n = rows.len();
        for index in self.lowest..self.stages.len() {
            let (below, from_here) = room.stages.split_at_mut(index);
            let (stage, tangents) = (&self.stages[index], &mut from_here[0]);
            let (ins, outs) = (stage.inputs, stage.outputs);
            let out = &mut tangents.post[..n * outs];
            let bias = stage.bias.as_ref().filter(|_| stage.bias_moves);
            let mut started = bias.is_some();
            if let Some(bias) = bias {
                repeat(&direction[bias.clone()], out);
            }
            if let Some(below) = below.last()
                && index > self.lowest
            {
                let weight = &self.theta[stage.weight.clone()];
                gemm(n, ins, outs, &below.post[..n * ins], false, weight, true, out, started);
                started = true;
            }
            if stage.weight_moves {
                let moved = &direction[stage.weight.clone()];
                gemm(n, ins, outs, self.input(index, &rows), false, moved, true, out, started);
            }
            if stage.bend.is_some() {
                tangents.pre[..n * outs].copy_from_slice(out);
            }
            self.through(index, rows.start * outs..rows.end * outs, out);
        }
    }

    fn backward(&self, room: &mut Room<T>, direction: &[T], product: &mut [T], rows: Range<usize>, add: bool) {
        let n = rows.len();
        let (Some(last), Some(stage)) = (room.stages.last_mut(), self.stages.last()) else {
            return;
        };
        let classes = stage.outputs;
        let p = self.probabilities.as_ref();
        output_curvature(
            p.map(|p| &p[rows.start * classes..rows.end * classes]),
            &last.post[..n * classes],
            classes,
            self.samples,
            &mut last.delta[..n * classes],
        );
        for index in (self.lowest..self.stages.len()).rev() {
            let (below, from_here) = room.stages.split_at_mut(index);
            let stage = &self.stages[index];
            let (ins, outs) = (stage.inputs, stage.outputs);
            let moved = &from_here[0].delta[..n * outs];
            let kept = stage.delta.as_ref().map(|d| &d[rows.start * outs..rows.end * outs]);
            let mut previous = below.last_mut().filter(|_| index > self.lowest);
            if stage.weight_moves {
                let sum = &mut product[stage.weight.clone()];
                gemm(outs, n, ins, moved, true, self.input(index, &rows), false, sum, add);
                if let (Some(kept), Some(previous)) = (kept, &previous) {
                    gemm(outs, n, ins, kept, true, &previous.post[..n * ins], false, sum, true);
                }
            }
            if let Some(bias) = stage.bias.as_ref().filter(|_| stage.bias_moves) {
                let sum = &mut product[bias.clone()];
                if !add {
                    sum.fill(T::ZERO);
                }
                add_rows(self.arch, moved, sum);
            }
            let Some(previous) = previous.as_mut() else { return };
            let out = &mut previous.delta[..n * ins];
            gemm(
                n,
                outs,
                ins,
                moved,
                false,
                &self.theta[stage.weight.clone()],
                false,
                out,
                false,
            );
            if let Some(kept) = kept.filter(|_| stage.weight_moves) {
                gemm(
                    n,
                    outs,
                    ins,
                    kept,
                    false,
                    &direction[stage.weight.clone()],
                    false,
                    out,
                    true,
                );
            }
            let under = &self.stages[index - 1];
            let places = rows.start * ins..rows.end * ins;
            self.through(index - 1, places.clone(), out);
            if let Some(bend) = &under.bend {
                add_products(self.arch, &bend[places], &previous.pre[..n * ins], out);
            }
        }
    }
}

/// Writes the same row again and again.
fn repeat<T: Real>(row: &[T], out: &mut [T]) {
    for out in out.chunks_exact_mut(row.len()) {
        out.copy_from_slice(row);
    }
}

/// Copies values into room of another size only where it has to.
fn replace<T: Real>(room: &mut Vec<T>, values: &[T]) {
    room.clear();
    room.extend_from_slice(values);
}

/// Room for so many numbers: that which is given where it fits.
fn sized<T: Real>(room: Vec<T>, length: usize) -> Vec<T> {
    if room.len() == length {
        return room;
    }
    vec![T::ZERO; length]
}
