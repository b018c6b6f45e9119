//! Fully connected layers: on whole samples, on every position of a sample, and on tokens.

use super::gradients::Gradients;
use crate::networks::array::Array;
use crate::networks::real::Real;
use crate::networks::value::Value;

/// A fully connected layer `z = a Wᵀ + 1 bᵀ`, the same at every position of a sample: batch × (positions · inputs) to
/// batch × (positions · outputs).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dense {
    /// Features in, at each position.
    pub inputs: usize,
    /// Features out, at each position.
    pub outputs: usize,
    /// Positions of a sample; 1 for a layer on the whole sample.
    pub positions: usize,
    /// Slot of `W`, outputs × inputs, stored row by row.
    pub weight: usize,
    /// Slot of `b`, where there is one.
    pub bias: Option<usize>,
}

impl Dense {
    pub(super) fn forward<T: Real, V: Value<T>>(&self, parameters: &[V], input: &V) -> V {
        if self.positions == 1 {
            return self.forward_rows(parameters, input);
        }
        let batch = input.value().rows();
        let rows = input.reshaped(batch * self.positions, self.inputs);
        self.forward_rows(parameters, &rows)
            .reshaped(batch, self.positions * self.outputs)
    }

    /// [`Dense::forward`] on samples × positions as rows.
    pub(super) fn forward_rows<T: Real, V: Value<T>>(&self, parameters: &[V], input: &V) -> V {
        let z = input.product(false, &parameters[self.weight], true);
        match self.bias {
            None => z,
            Some(slot) => {
                let rows = input.value().rows();
                z.add(&parameters[slot].linear(|b| b.repeat_row(rows)))
            }
        }
    }

    pub(super) fn pull_back<T: Real, V: Value<T>>(
        &self,
        parameters: &[V],
        input: &V,
        cotangent: &V,
        gradients: &mut dyn Gradients<V>,
        input_wanted: bool,
    ) -> Option<V> {
        if self.positions == 1 {
            return self.pull_back_rows(parameters, input, cotangent, gradients, input_wanted);
        }
        let batch = input.value().rows();
        let rows = batch * self.positions;
        let input = input.reshaped(rows, self.inputs);
        let signal = cotangent.reshaped(rows, self.outputs);
        self.pull_back_rows(parameters, &input, &signal, gradients, input_wanted)
            .map(|back| back.reshaped(batch, self.positions * self.inputs))
    }

    /// [`Dense::pull_back`] on samples × positions as rows.
    pub(super) fn pull_back_rows<T: Real, V: Value<T>>(
        &self,
        parameters: &[V],
        input: &V,
        signal: &V,
        gradients: &mut dyn Gradients<V>,
        input_wanted: bool,
    ) -> Option<V> {
        gradients.product(self.weight, signal, input, self.positions);
        if let Some(slot) = self.bias {
            gradients.sum(slot, signal.clone(), self.positions);
        }
        input_wanted.then(|| signal.product(false, &parameters[self.weight], false))
    }
}

/// A vector for every token: a dense layer on tokens written as unit vectors. The tokens are not differentiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Embedding(
    /// From the vocabulary to the vector, without a bias.
    pub Dense,
);

impl Embedding {
    pub(super) fn forward<T: Real, V: Value<T>>(&self, parameters: &[V], input: &V) -> V {
        self.0.forward(parameters, &self.unit_vectors(input))
    }

    pub(super) fn pull_back<T: Real, V: Value<T>>(&self, input: &V, cotangent: &V, gradients: &mut dyn Gradients<V>) {
        let rows = input.value().rows() * self.0.positions;
        let tokens = self.unit_vectors(input).reshaped(rows, self.0.inputs);
        gradients.product(
            self.0.weight,
            &cotangent.reshaped(rows, self.0.outputs),
            &tokens,
            self.0.positions,
        );
    }

    /// Tokens as unit vectors; a number that is no token gives zeros (the door refuses it).
    fn unit_vectors<T: Real, V: Value<T>>(&self, input: &V) -> V {
        let tokens = input.value();
        let mut unit = Array::zeros(tokens.rows(), self.0.positions * self.0.inputs);
        let places = unit.as_mut_slice().chunks_exact_mut(self.0.inputs);
        for (place, token) in places.zip(tokens.as_slice()) {
            if let Some(entry) = place.get_mut(token.to_f64() as usize) {
                *entry = T::ONE;
            }
        }
        V::constant(unit)
    }
}
