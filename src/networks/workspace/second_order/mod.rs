//! Products with the Hessian or the Gauss-Newton matrix at a kept point: what does not depend on the direction is computed
//! once.
//!
//! With `z_l = W_l a_{l−1} + b_l`, `a_l = φ(z_l)` and cotangents `δ_l` of `z_l`, a direction `(V, v)` of the parameters moves
//!
//! ```text
//! ż_l = W_l ȧ_{l−1} + V_l a_{l−1} + v_l              ȧ_l = φ′(z_l) ∘ ż_l                δ̇_L = ∂²loss/∂f² ż_L
//! Ẇ_l = δ̇_l a_{l−1}ᵀ + δ_l ȧ_{l−1}ᵀ                  δ̇_{l−1} = φ′ ∘ (W_lᵀ δ̇_l + V_lᵀ δ_l) + φ″ ∘ (W_lᵀ δ_l) ∘ ż_{l−1}
//! ```
//!
//! and the Gauss-Newton matrix leaves out every term with δ. Kept are `a`, `φ′`, `δ` and `φ″ ∘ Wᵀδ`; layers below the first one
//! that the chosen coordinates touch take no part. Source: Pearlmutter 1994; Schraudolph 2002.

mod dense;
mod kernels;
mod survivors;

use super::coordinates::Coordinates;
use super::sparse_density;
use crate::networks::activation::Activation;
use crate::networks::array::Array;
use crate::networks::layers::{Dense, Layer};
use crate::networks::loss::Loss;
use crate::networks::network::Network;
use crate::networks::real::Real;
use crate::support::Mask;
use kernels::{close, multiply, rectify};
use pulp::Arch;
use std::ops::Range;

/// What is kept of a multilayer perceptron at one point, for products on some of its coordinates.
#[derive(Debug)]
pub(crate) struct SecondOrder<T> {
    /// The place among the engine's own coordinates of every chosen one; nothing where all are chosen.
    places: Option<Vec<usize>>,
    engine: Engine<T>,
}

#[derive(Debug)]
enum Engine<T> {
    Dense(dense::Kept<T>),
    Survivors(survivors::Kept<T>),
}

/// Room for one product.
#[derive(Debug)]
pub(crate) struct Room<T> {
    /// Own coordinates of the direction; zero at those that are not chosen.
    direction: Vec<T>,
    product: Vec<T>,
    engine: EngineRoom<T>,
}

#[derive(Debug)]
enum EngineRoom<T> {
    Dense(dense::Room<T>),
    Survivors(survivors::Room<T>),
}

/// The point and the loss at which curvature is taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point<'a, T> {
    pub(crate) network: &'a Network,
    pub(crate) theta: &'a [T],
    pub(crate) inputs: &'a Array<T>,
    /// The rows that [`Loss::targets`] gives.
    pub(crate) targets: &'a Array<T>,
    pub(crate) loss: Loss,
    /// Whether the terms with δ are left out.
    pub(crate) gauss_newton: bool,
}

/// A dense layer, the activation behind it, and what of it the chosen coordinates touch.
#[derive(Clone, Copy, Debug)]
struct Plan {
    dense: Dense,
    activation: Activation,
    weight_moves: bool,
    bias_moves: bool,
}

impl Plan {
    fn moves(&self) -> bool {
        self.weight_moves || self.bias_moves
    }
}

impl<T: Real> SecondOrder<T> {
    /// Keeps a forward and a backward pass; nothing for a network that is no multilayer perceptron.
    ///
    /// `chosen` are ascending indices of parameters. Where weights that are neither chosen nor different from zero make up
    /// enough of the network, the others alone are computed with, as in a [`Workspace`](super::Workspace).
    pub(crate) fn new(point: Point<'_, T>, chosen: &[usize]) -> Option<Self> {
        let network = point.network;
        if !network.is_multilayer() {
            return None;
        }
        let layout = network.layout();
        let moves = |slot: usize| {
            let range = &layout.slots()[slot].range;
            let first = chosen.partition_point(|&i| i < range.start);
            chosen.get(first).is_some_and(|&i| i < range.end)
        };
        let mut plans: Vec<Plan> = Vec::new();
        for layer in network.layers() {
            match *layer {
                Layer::Dense(dense) => plans.push(Plan {
                    dense,
                    activation: Activation::Linear,
                    weight_moves: moves(dense.weight),
                    bias_moves: dense.bias.is_some_and(moves),
                }),
                Layer::Activation(activation) => plans.last_mut()?.activation = activation,
                _ => return None,
            }
        }
        // The outputs are pre-activations, and something moves.
        if plans.last()?.activation != Activation::Linear || !plans.iter().any(Plan::moves) {
            return None;
        }
        if let Some(used) = few_used(&point, chosen) {
            let coordinates = Coordinates::new(layout, &used, |_, _| true);
            Some(SecondOrder {
                places: Some(coordinates.places_of(chosen)),
                engine: Engine::Survivors(survivors::Kept::new(point, &plans, &used, coordinates)),
            })
        } else {
            Some(SecondOrder {
                places: (chosen.len() < layout.len()).then(|| chosen.to_vec()),
                engine: Engine::Dense(dense::Kept::new(point, &plans)),
            })
        }
    }

    /// Moves to another point of the same network, in the room that is there, for products on the same coordinates. Whether it
    /// could: where it depends on the point which weights are computed with, it cannot.
    pub(crate) fn move_to(&mut self, point: Point<'_, T>) -> bool {
        let own = self.places.as_deref();
        match &mut self.engine {
            Engine::Dense(kept) if own.is_none_or(|chosen| !few_chosen(&point, chosen)) => {
                kept.fill(point);
                true
            }
            _ => false,
        }
    }

    /// Whether only the weights that are chosen or not zero are computed with.
    pub(crate) fn follows_density(&self) -> bool {
        matches!(self.engine, Engine::Survivors(_))
    }

    /// Room for a product.
    pub(crate) fn room(&self) -> Room<T> {
        let (length, engine) = match &self.engine {
            Engine::Dense(kept) => (kept.parameters(), EngineRoom::Dense(kept.room())),
            Engine::Survivors(kept) => (kept.parameters(), EngineRoom::Survivors(kept.room())),
        };
        Room {
            direction: vec![T::ZERO; length],
            product: vec![T::ZERO; length],
            engine,
        }
    }

    /// `put(k, (H x)_k)` for every chosen coordinate k, with `x_k = get(k)`.
    pub(crate) fn product(&self, room: &mut Room<T>, get: impl Fn(usize) -> T, mut put: impl FnMut(usize, T)) {
        match &self.places {
            None => room.direction.iter_mut().enumerate().for_each(|(k, x)| *x = get(k)),
            Some(places) => places
                .iter()
                .enumerate()
                .for_each(|(k, &place)| room.direction[place] = get(k)),
        }
        match (&self.engine, &mut room.engine) {
            (Engine::Dense(kept), EngineRoom::Dense(rest)) => kept.product(rest, &room.direction, &mut room.product),
            (Engine::Survivors(kept), EngineRoom::Survivors(rest)) => {
                kept.product(rest, &room.direction, &mut room.product);
            }
            // A room is used with the point that made it.
            _ => return,
        }
        match &self.places {
            None => room.product.iter().enumerate().for_each(|(k, y)| put(k, *y)),
            Some(places) => places
                .iter()
                .enumerate()
                .for_each(|(k, &place)| put(k, room.product[place])),
        }
    }
}

/// The gradient of the mean loss in the outputs, where there is room for it, and the softmax of every row, which the curvature
/// of the cross-entropy is made of, in the room `p`; nothing for other losses.
fn output_derivatives<T: Real>(
    point: &Point<'_, T>,
    outputs: &[T],
    classes: usize,
    mut p: Vec<T>,
    gradient: &mut [T],
) -> Option<Vec<T>> {
    let (samples, targets) = (outputs.len() / classes, point.targets.as_slice());
    if point.loss != Loss::CrossEntropy {
        if !gradient.is_empty() {
            point.loss.gradient_into(outputs, targets, classes, samples, gradient);
        }
        return None;
    }
    p.resize(outputs.len(), T::ZERO);
    let (scale, mut exponentials) = (1.0 / samples as f64, vec![0.0; classes]);
    for (row, (f, p)) in outputs
        .chunks_exact(classes)
        .zip(p.chunks_exact_mut(classes))
        .enumerate()
    {
        let top = f.iter().fold(f64::NEG_INFINITY, |m, v| m.max(v.to_f64()));
        for (e, v) in exponentials.iter_mut().zip(f) {
            *e = (v.to_f64() - top).exp();
        }
        let sum: f64 = exponentials.iter().sum();
        for (p, e) in p.iter_mut().zip(&exponentials) {
            *p = T::of(e / sum);
        }
        // From the unrounded probability: of a sample that is fitted well little is left.
        if let Some(gradient) = gradient.get_mut(row * classes..(row + 1) * classes) {
            let targets = &targets[row * classes..(row + 1) * classes];
            for ((g, e), t) in gradient.iter_mut().zip(&exponentials).zip(targets) {
                *g = T::of(scale * (e / sum - t.to_f64()));
            }
        }
    }
    Some(p)
}

/// `out ← ∂²loss/∂f² tangent` for rows of a mean over `samples`.
fn output_curvature<T: Real>(
    probabilities: Option<&[T]>,
    tangent: &[T],
    classes: usize,
    samples: usize,
    out: &mut [T],
) {
    let scale = T::of(1.0 / samples as f64);
    match probabilities {
        None => {
            for (o, &v) in out.iter_mut().zip(tangent) {
                *o = scale * v;
            }
        }
        Some(p) => {
            let rows = p.chunks_exact(classes).zip(tangent.chunks_exact(classes));
            for ((p, v), out) in rows.zip(out.chunks_exact_mut(classes)) {
                let mut mean = T::ZERO;
                for (&p, &v) in p.iter().zip(v) {
                    mean += p * v;
                }
                for ((o, &p), &v) in out.iter_mut().zip(p).zip(v) {
                    *o = scale * p * (v - mean);
                }
            }
        }
    }
}

/// Whether so many weights are few enough for the path over survivors.
fn is_few<T: Real>(network: &Network, weights: usize) -> bool {
    (weights as f64) < sparse_density::<T>() * network.layout().prunable() as f64
}

fn few_chosen<T: Real>(point: &Point<'_, T>, chosen: &[usize]) -> bool {
    let within = |range: &Range<usize>| {
        chosen.partition_point(|&i| i < range.end) - chosen.partition_point(|&i| i < range.start)
    };
    let weights = point.network.layout().weight_slots().map(|slot| within(&slot.range));
    is_few::<T>(point.network, weights.sum())
}

/// The weights that are chosen or not zero, with everything that is no weight, where they are few enough for the path over them.
fn few_used<T: Real>(point: &Point<'_, T>, chosen: &[usize]) -> Option<Mask> {
    let layout = point.network.layout();
    if !few_chosen(point, chosen) {
        return None;
    }
    let mut used = layout.full_mask();
    for slot in layout.weight_slots() {
        slot.range.clone().for_each(|i| used.set(i, point.theta[i] != T::ZERO));
    }
    chosen.iter().for_each(|&i| used.set(i, true));
    is_few::<T>(point.network, layout.kept(&used)).then_some(used)
}

/// Turns pre-activations into activations. `φ′` before that where the activations do not show it, and `φ″` where it is not zero,
/// the curvature of a `bent` network being wanted.
fn activate<T: Real>(
    arch: Arch,
    activation: Activation,
    values: &mut [T],
    bent: Option<bool>,
) -> (Option<Vec<T>>, Option<Vec<T>>) {
    match activation {
        Activation::Linear => (None, None),
        Activation::Relu => {
            rectify(arch, values);
            (None, None)
        }
        _ => {
            let slope = bent.map(|_| values.iter().map(|&z| activation.derivative(z)).collect());
            let bend = bent.filter(|bent| *bent);
            let bend = bend.map(|_| values.iter().map(|&z| activation.second_derivative(z)).collect());
            values.iter_mut().for_each(|z| *z = activation.value(*z));
            (slope, bend)
        }
    }
}

/// `out ← φ′ ∘ out`, with the slopes of smooth activations; a rectifier's stand in its activations.
fn through<T: Real>(arch: Arch, activation: Activation, slope: Option<&[T]>, post: &[T], out: &mut [T]) {
    match slope {
        Some(slope) => multiply(arch, slope, out),
        None if activation == Activation::Relu => close(arch, post, out),
        None => {}
    }
}

/// The mask of the weights of one slot.
fn bits<'a>(used: &'a Mask, network: &Network, slot: usize) -> &'a [bool] {
    &used.bits()[network.layout().slots()[slot].range.clone()]
}
