//! Layers, each written once over [`Value`]: a forward pass and a vector-Jacobian product.
//!
//! To add a layer: a variant here with its two rules, composed of the primitives of [`Value`]; Jacobian, gradient,
//! `J v` and `H v` follow. The factored Jacobian of [`crate::linearize`] and the in-place path of
//! [`super::Workspace`] each match on this list.

use super::activation::Activation;
use super::real::Real;
use super::value::Value;

/// A fully connected layer `z = a Wᵀ + 1 bᵀ`: batch × inputs to batch × outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dense {
    /// Features in.
    pub inputs: usize,
    /// Features out.
    pub outputs: usize,
    /// Slot of `W`, outputs × inputs, stored row by row.
    pub weight: usize,
    /// Slot of `b`, where there is one.
    pub bias: Option<usize>,
}

/// One layer of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layer {
    /// A fully connected layer.
    Dense(Dense),
    /// A function applied to every entry.
    Activation(Activation),
}

impl Layer {
    /// The output for an input (batch × features); `parameters` holds one value a slot.
    pub fn forward<T: Real, V: Value<T>>(&self, parameters: &[V], input: &V) -> V {
        match *self {
            Layer::Dense(dense) => {
                let z = input.product(false, &parameters[dense.weight], true);
                match dense.bias {
                    None => z,
                    Some(slot) => {
                        let rows = input.value().rows();
                        z.add(&parameters[slot].linear(|b| b.repeat_row(rows)))
                    }
                }
            }
            Layer::Activation(activation) => input.map(|x| activation.value(x), |x| activation.derivative(x)),
        }
    }

    /// Pulls a cotangent of the output back: adds to the cotangents of the parameters, one a slot, and returns the
    /// cotangent of the input when it is wanted.
    pub fn pull_back<T: Real, V: Value<T>>(
        &self,
        parameters: &[V],
        input: &V,
        cotangent: V,
        gradient: &mut [Option<V>],
        input_wanted: bool,
    ) -> Option<V> {
        match *self {
            Layer::Dense(dense) => {
                add_to(&mut gradient[dense.weight], cotangent.product(true, input, false));
                if let Some(slot) = dense.bias {
                    add_to(&mut gradient[slot], cotangent.linear(|c| c.sum_of_rows()));
                }
                input_wanted.then(|| cotangent.product(false, &parameters[dense.weight], false))
            }
            Layer::Activation(activation) => {
                let slope = input.map(|x| activation.derivative(x), |x| activation.second_derivative(x));
                input_wanted.then(|| cotangent.multiply(&slope))
            }
        }
    }
}

fn add_to<T: Real, V: Value<T>>(sum: &mut Option<V>, term: V) {
    *sum = Some(match sum.take() {
        None => term,
        Some(old) => old.add(&term),
    });
}
