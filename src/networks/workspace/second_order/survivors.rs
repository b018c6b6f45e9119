//! Products over the survivors alone: activations feature by feature, a chunk of samples side by side in lanes.

use super::kernels::{TangentForward, TangentPullBack, add_products, multiply};
use super::{Plan, Point, activate, bits, output_curvature, output_derivatives, through};
use crate::networks::activation::Activation;
use crate::networks::real::Real;
use crate::networks::workspace::coordinates::Coordinates;
use crate::networks::workspace::lanes::{
    BiasGradient, Buffer, Forward, Lanes, PullBack, STRIP, Survivors, WeightGradient,
};
use crate::networks::workspace::turn::Gather;
use crate::support::Mask;
use pulp::Arch;
use std::ops::Range;

/// Strips of a chunk: 64 samples in single precision, 32 in double.
const SINGLE: usize = 8;
const DOUBLE: usize = 4;

/// Calls a function generic over the number of strips with that of the type of number.
macro_rules! by_type {
    ($self:ident . $call:ident ( $($argument:expr),* )) => {
        if T::BYTES == 4 { $self.$call::<SINGLE>($($argument),*) } else { $self.$call::<DOUBLE>($($argument),*) }
    };
}

const fn strips<T: Real>() -> usize {
    if T::BYTES == 4 { SINGLE } else { DOUBLE }
}

/// One dense layer with the activation behind it. What is kept stands chunk by chunk, outputs × lanes in each.
#[derive(Debug)]
struct Stage<T> {
    inputs: usize,
    outputs: usize,
    activation: Activation,
    survivors: Survivors,
    weight: Range<usize>,
    bias: Option<Range<usize>>,
    weight_moves: bool,
    bias_moves: bool,
    post: Buffer<T>,
    slope: Option<Buffer<T>>,
    /// `φ″ ∘ Wᵀδ`, with W and δ of the layer above.
    bend: Option<Buffer<T>>,
    /// Cotangents of the pre-activations, where they meet a direction or a tangent.
    delta: Option<Buffer<T>>,
}

/// A point of a multilayer perceptron.
#[derive(Debug)]
pub(super) struct Kept<T> {
    /// The own coordinates.
    theta: Vec<T>,
    samples: usize,
    classes: usize,
    inputs: Buffer<T>,
    features: usize,
    stages: Vec<Stage<T>>,
    lowest: usize,
    /// Samples × classes.
    probabilities: Option<Vec<T>>,
    arch: Arch,
}

/// The tangents of one chunk, stage by stage.
#[derive(Debug)]
pub(super) struct Room<T> {
    stages: Vec<Tangents<T>>,
    /// Tangents of the outputs and their cotangents, a row a sample.
    outputs: Vec<T>,
    cotangent: Vec<T>,
}

#[derive(Debug)]
struct Tangents<T> {
    pre: Option<Buffer<T>>,
    post: Buffer<T>,
    delta: Buffer<T>,
}

/// The part of a kept buffer that belongs to one chunk.
fn part<T: Real, const K: usize>(buffer: &Buffer<T>, features: usize, chunk: usize) -> &[Lanes<T, K>] {
    &buffer.lanes::<K>((chunk + 1) * features)[chunk * features..]
}

fn part_mut<T: Real, const K: usize>(buffer: &mut Buffer<T>, features: usize, chunk: usize) -> &mut [Lanes<T, K>] {
    &mut buffer.lanes_mut::<K>((chunk + 1) * features)[chunk * features..]
}

/// The numbers of lanes, one after the other.
fn flat<T, const K: usize>(lanes: &[Lanes<T, K>]) -> &[T] {
    lanes.as_flattened().as_flattened()
}

fn flat_mut<T, const K: usize>(lanes: &mut [Lanes<T, K>]) -> &mut [T] {
    lanes.as_flattened_mut().as_flattened_mut()
}

impl<T: Real> Kept<T> {
    /// One forward pass over all samples, and the cotangents that products need. `coordinates` are those of `used`.
    pub(super) fn new(point: Point<'_, T>, plans: &[Plan], used: &Mask, coordinates: Coordinates) -> Self {
        let (network, samples) = (point.network, point.inputs.rows());
        let chunks = samples.div_ceil(strips::<T>() * STRIP);
        let stages = plans.iter().map(|plan| {
            let (ins, outs) = (plan.dense.inputs, plan.dense.outputs);
            let bits = bits(used, network, plan.dense.weight);
            Stage {
                inputs: ins,
                outputs: outs,
                activation: plan.activation,
                survivors: Survivors::new(ins, bits, ins, |column| column, |row, column| (column, row)),
                weight: coordinates.range(plan.dense.weight),
                bias: plan.dense.bias.map(|slot| coordinates.range(slot)),
                weight_moves: plan.weight_moves,
                bias_moves: plan.bias_moves,
                post: Buffer::new(outs * chunks, strips::<T>()),
                slope: None,
                bend: None,
                delta: None,
            }
        });
        let mut kept = Kept {
            theta: coordinates.gather(point.theta),
            samples,
            classes: network.classes(),
            inputs: Buffer::new(network.inputs() * chunks, strips::<T>()),
            features: network.inputs(),
            stages: stages.collect(),
            lowest: plans.iter().position(Plan::moves).unwrap_or(0),
            probabilities: None,
            arch: Arch::new(),
        };
        by_type!(kept.fill(point));
        kept
    }

    /// Chunks, with their samples.
    fn chunks<const K: usize>(&self) -> impl Iterator<Item = (usize, Range<usize>)> + use<T, K> {
        let (samples, width) = (self.samples, K * STRIP);
        let range = move |chunk: usize| (chunk, chunk * width..((chunk + 1) * width).min(samples));
        (0..samples.div_ceil(width)).map(range)
    }

    fn fill<const K: usize>(&mut self, point: Point<'_, T>) {
        let (features, arch) = (self.features, self.arch);
        let mut outputs = vec![T::ZERO; self.samples * self.classes];
        for (chunk, rows) in self.chunks::<K>() {
            let samples: Vec<usize> = rows.clone().collect();
            arch.dispatch(Gather::<T, K> {
                inputs: point.inputs,
                first: 0,
                rows: &samples,
                output: part_mut(&mut self.inputs, features, chunk),
            });
        }
        let length = |stage: &Stage<T>, chunks: usize| stage.outputs * chunks;
        let chunks = self.chunks::<K>().count();
        for index in 0..self.stages.len() {
            let (below, from_here) = self.stages.split_at_mut(index);
            let stage = &mut from_here[0];
            let input = below.last().map_or(&self.inputs, |below| &below.post);
            for chunk in 0..chunks {
                arch.dispatch(Forward::<T, K> {
                    survivors: &stage.survivors,
                    values: &self.theta[stage.weight.clone()],
                    bias: stage.bias.clone().map(|range| &self.theta[range]),
                    input: part(input, stage.inputs, chunk),
                    output: part_mut(&mut stage.post, stage.outputs, chunk),
                    rectify: false,
                });
            }
            let count = length(stage, chunks);
            let pre = flat_mut(stage.post.lanes_mut::<K>(count));
            let bent = (index >= self.lowest).then_some(!point.gauss_newton);
            let (slope, bend) = activate(arch, stage.activation, pre, bent);
            let buffered = |values: Vec<T>| {
                let mut buffer = Buffer::new(count, K);
                flat_mut(buffer.lanes_mut::<K>(count)).copy_from_slice(&values);
                buffer
            };
            (stage.slope, stage.bend) = (slope.map(buffered), bend.map(buffered));
        }
        let Some(last) = self.stages.last() else { return };
        for (chunk, rows) in self.chunks::<K>() {
            let out = &mut outputs[rows.start * self.classes..rows.end * self.classes];
            to_rows::<T, K>(part(&last.post, last.outputs, chunk), self.classes, out);
        }
        let mut delta = vec![T::ZERO; if point.gauss_newton { 0 } else { outputs.len() }];
        self.probabilities = output_derivatives(&point, &outputs, self.classes, Vec::new(), &mut delta);
        if point.gauss_newton {
            return;
        }
        let mut top = Buffer::new(self.classes * chunks, K);
        for (chunk, rows) in self.chunks::<K>() {
            let delta = &delta[rows.start * self.classes..rows.end * self.classes];
            to_lanes::<T, K>(delta, self.classes, part_mut(&mut top, self.classes, chunk));
        }
        for index in (self.lowest + 1..self.stages.len()).rev() {
            let (below, from_here) = self.stages.split_at_mut(index);
            let (Some(under), stage) = (below.last_mut(), &mut from_here[0]) else {
                return;
            };
            let mut back = Buffer::new(stage.inputs * chunks, K);
            for chunk in 0..chunks {
                arch.dispatch(PullBack::<T, K> {
                    survivors: &stage.survivors,
                    values: &self.theta[stage.weight.clone()],
                    delta: part(&top, stage.outputs, chunk),
                    first: 0,
                    gate: None,
                    output: part_mut(&mut back, stage.inputs, chunk),
                });
            }
            let count = stage.inputs * chunks;
            if let Some(bend) = &mut under.bend {
                multiply(arch, flat(back.lanes::<K>(count)), flat_mut(bend.lanes_mut::<K>(count)));
            }
            let slope = under.slope.as_ref().map(|slope| flat(slope.lanes::<K>(count)));
            let post = flat(under.post.lanes::<K>(count));
            through(
                arch,
                under.activation,
                slope,
                post,
                flat_mut(back.lanes_mut::<K>(count)),
            );
            stage.delta = Some(std::mem::replace(&mut top, back));
        }
    }

    pub(super) fn parameters(&self) -> usize {
        self.theta.len()
    }

    pub(super) fn room(&self) -> Room<T> {
        let of_stage = |stage: &Stage<T>| {
            let buffer = || Buffer::new(stage.outputs, strips::<T>());
            Tangents {
                pre: stage.bend.is_some().then(buffer),
                post: buffer(),
                delta: buffer(),
            }
        };
        let rows = vec![T::ZERO; strips::<T>() * STRIP * self.classes];
        Room {
            stages: self.stages.iter().map(of_stage).collect(),
            cotangent: rows.clone(),
            outputs: rows,
        }
    }

    /// The product with a direction, on the slots that move; the others are left as they are.
    pub(super) fn product(&self, room: &mut Room<T>, direction: &[T], product: &mut [T]) {
        by_type!(self.all_chunks(room, direction, product));
    }

    fn all_chunks<const K: usize>(&self, room: &mut Room<T>, direction: &[T], product: &mut [T]) {
        for (chunk, rows) in self.chunks::<K>() {
            self.forward::<K>(room, direction, chunk);
            self.at_outputs::<K>(room, rows);
            self.backward::<K>(room, direction, product, chunk);
        }
    }

    fn input<const K: usize>(&self, index: usize, chunk: usize) -> &[Lanes<T, K>] {
        match index {
            0 => part(&self.inputs, self.features, chunk),
            _ => part(&self.stages[index - 1].post, self.stages[index].inputs, chunk),
        }
    }

    /// Takes a chunk through the slopes of a stage.
    fn through<const K: usize>(&self, index: usize, chunk: usize, out: &mut [T]) {
        let stage = &self.stages[index];
        let slope = stage
            .slope
            .as_ref()
            .map(|slope| flat(part::<T, K>(slope, stage.outputs, chunk)));
        let post = flat(part::<T, K>(&stage.post, stage.outputs, chunk));
        through(self.arch, stage.activation, slope, post, out);
    }

    fn forward<const K: usize>(&self, room: &mut Room<T>, direction: &[T], chunk: usize) {
        for index in self.lowest..self.stages.len() {
            let (below, from_here) = room.stages.split_at_mut(index);
            let (stage, tangents) = (&self.stages[index], &mut from_here[0]);
            let bias = stage
                .bias
                .clone()
                .filter(|_| stage.bias_moves)
                .map(|range| &direction[range]);
            let (weights, directions) = (&self.theta[stage.weight.clone()], &direction[stage.weight.clone()]);
            let (survivors, rectify) = (&stage.survivors, false);
            let output = tangents.post.lanes_mut::<K>(stage.outputs);
            let below = below.last().filter(|_| index > self.lowest);
            match below.map(|below| below.post.lanes::<K>(stage.inputs)) {
                Some(tangent) if stage.weight_moves => self.arch.dispatch(TangentForward {
                    survivors,
                    weights,
                    directions,
                    bias,
                    tangent,
                    input: self.input::<K>(index, chunk),
                    output,
                }),
                Some(input) => self.arch.dispatch(Forward {
                    survivors,
                    values: weights,
                    bias,
                    input,
                    output,
                    rectify,
                }),
                None => self.arch.dispatch(Forward {
                    survivors,
                    values: directions,
                    bias,
                    input: self.input::<K>(index, chunk),
                    output,
                    rectify,
                }),
            }
            let out = tangents.post.lanes_mut::<K>(stage.outputs);
            if let Some(pre) = &mut tangents.pre {
                pre.lanes_mut::<K>(stage.outputs).copy_from_slice(out);
            }
            self.through::<K>(index, chunk, flat_mut(out));
        }
    }

    /// The curvature of the loss in the outputs, sample by sample.
    fn at_outputs<const K: usize>(&self, room: &mut Room<T>, rows: Range<usize>) {
        let Some(last) = room.stages.last_mut() else { return };
        let length = rows.len() * self.classes;
        let (tangent, cotangent) = (&mut room.outputs[..length], &mut room.cotangent[..length]);
        to_rows::<T, K>(last.post.lanes(self.classes), self.classes, tangent);
        let p = self.probabilities.as_ref();
        let p = p.map(|p| &p[rows.start * self.classes..rows.end * self.classes]);
        output_curvature(p, tangent, self.classes, self.samples, cotangent);
        to_lanes::<T, K>(cotangent, self.classes, last.delta.lanes_mut(self.classes));
    }

    fn backward<const K: usize>(&self, room: &mut Room<T>, direction: &[T], product: &mut [T], chunk: usize) {
        let add = chunk > 0;
        for index in (self.lowest..self.stages.len()).rev() {
            let (below, from_here) = room.stages.split_at_mut(index);
            let (stage, under) = (&self.stages[index], below.last_mut().filter(|_| index > self.lowest));
            let survivors = &stage.survivors;
            let moved = from_here[0].delta.lanes::<K>(stage.outputs);
            let kept = stage
                .delta
                .as_ref()
                .map(|delta| part::<T, K>(delta, stage.outputs, chunk));
            if stage.weight_moves {
                let gradient = &mut product[stage.weight.clone()];
                self.arch.dispatch(WeightGradient {
                    survivors,
                    input: self.input::<K>(index, chunk),
                    delta: moved,
                    gradient,
                    add,
                });
                if let (Some(delta), Some(under)) = (kept, &under) {
                    self.arch.dispatch(WeightGradient {
                        survivors,
                        input: under.post.lanes::<K>(stage.inputs),
                        delta,
                        gradient: &mut product[stage.weight.clone()],
                        add: true,
                    });
                }
            }
            if let Some(bias) = stage.bias.clone().filter(|_| stage.bias_moves) {
                self.arch.dispatch(BiasGradient {
                    delta: moved,
                    gradient: &mut product[bias],
                    add,
                });
            }
            let Some(under) = under else { return };
            let weights = &self.theta[stage.weight.clone()];
            let output = under.delta.lanes_mut::<K>(stage.inputs);
            match kept.filter(|_| stage.weight_moves) {
                Some(delta) => self.arch.dispatch(TangentPullBack {
                    survivors,
                    weights,
                    directions: &direction[stage.weight.clone()],
                    tangent: moved,
                    delta,
                    output,
                }),
                None => self.arch.dispatch(PullBack {
                    survivors,
                    values: weights,
                    delta: moved,
                    first: 0,
                    gate: None,
                    output,
                }),
            }
            let out = flat_mut(under.delta.lanes_mut::<K>(stage.inputs));
            let below = &self.stages[index - 1];
            self.through::<K>(index - 1, chunk, out);
            if let (Some(bend), Some(pre)) = (&below.bend, &under.pre) {
                let pre = flat(pre.lanes::<K>(stage.inputs));
                add_products(self.arch, flat(part::<T, K>(bend, stage.inputs, chunk)), pre, out);
            }
        }
    }
}

/// Lanes as rows, a row a sample; lanes left over have none.
fn to_rows<T: Real, const K: usize>(lanes: &[Lanes<T, K>], classes: usize, rows: &mut [T]) {
    for (class, lanes) in lanes.iter().enumerate() {
        for (row, value) in rows.chunks_exact_mut(classes).zip(lanes.as_flattened()) {
            row[class] = *value;
        }
    }
}

/// Rows as lanes, zero in lanes without a row.
fn to_lanes<T: Real, const K: usize>(rows: &[T], classes: usize, lanes: &mut [Lanes<T, K>]) {
    let samples = rows.len() / classes;
    for (class, lanes) in lanes.iter_mut().enumerate() {
        let lanes = lanes.as_flattened_mut();
        lanes[samples..].fill(T::ZERO);
        for (lane, row) in lanes.iter_mut().zip(rows.chunks_exact(classes)) {
            *lane = row[class];
        }
    }
}
