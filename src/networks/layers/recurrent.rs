//! A recurrent cell run over a series, with the same weights at every step or with weights of each step's own.

use super::Memory;
use super::gradients::Gradients;
use crate::networks::activation::Activation;
use crate::networks::array::Array;
use crate::networks::real::Real;
use crate::networks::value::Value;

/// `h_t = φ(W x_t + U h_{t−1} + b)` with `h_0 = 0`; the output is the last h.
///
/// Tied over time, all steps name the same slots, and pruning a weight removes it from every step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recurrent {
    /// Vectors of the series.
    pub steps: usize,
    /// Entries of each.
    pub inputs: usize,
    /// Entries of h.
    pub hidden: usize,
    /// φ.
    pub activation: Activation,
    /// Slot of W (hidden × inputs) at every step.
    pub input_weight: Vec<usize>,
    /// Slot of U (hidden × hidden) at every step but the first, where h is zero.
    pub hidden_weight: Vec<usize>,
    /// Slot of b at every step; empty without biases.
    pub bias: Vec<usize>,
}

impl Recurrent {
    fn at(&self, step: usize) -> std::ops::Range<usize> {
        step * self.inputs..(step + 1) * self.inputs
    }

    fn step_of<T: Real, V: Value<T>>(&self, input: &V, step: usize) -> V {
        input.linear(|x| {
            let values = x.iter_rows().flat_map(|row| row[self.at(step)].iter().copied());
            Array::raw(x.rows(), self.inputs, values.collect())
        })
    }

    pub(super) fn forward<T: Real, V: Value<T>>(&self, parameters: &[V], input: &V) -> (V, Memory<V>) {
        // Pre-activation and activation of every step.
        let mut values: Vec<V> = Vec::with_capacity(2 * self.steps);
        let batch = input.value().rows();
        for step in 0..self.steps {
            let mut z = self
                .step_of(input, step)
                .product(false, &parameters[self.input_weight[step]], true);
            if let Some(before) = values.last() {
                z = z.add(&before.product(false, &parameters[self.hidden_weight[step - 1]], true));
            }
            if let Some(&slot) = self.bias.get(step) {
                z = z.add(&parameters[slot].linear(|b| b.repeat_row(batch)));
            }
            let h = z.map(|x| self.activation.value(x), |x| self.activation.derivative(x));
            values.push(z);
            values.push(h);
        }
        (values[2 * self.steps - 1].clone(), Memory::of(values))
    }

    pub(super) fn pull_back<T: Real, V: Value<T>>(
        &self,
        parameters: &[V],
        input: &V,
        memory: &Memory<V>,
        cotangent: V,
        gradients: &mut dyn Gradients<V>,
        input_wanted: bool,
    ) -> Option<V> {
        let width = input.value().columns();
        let mut of_hidden = cotangent;
        let mut back: Option<V> = None;
        for step in (0..self.steps).rev() {
            let z = &memory.values[2 * step];
            let slope = z.map(
                |x| self.activation.derivative(x),
                |x| self.activation.second_derivative(x),
            );
            let signal = of_hidden.multiply(&slope);
            let weight = self.input_weight[step];
            gradients.product(weight, &signal, &self.step_of(input, step), 1);
            if let Some(&slot) = self.bias.get(step) {
                gradients.sum(slot, signal.clone(), 1);
            }
            if input_wanted {
                let term = signal.product(false, &parameters[weight], false).linear(|x| {
                    let mut out = Array::zeros(x.rows(), width);
                    for (row, own) in out.as_mut_slice().chunks_exact_mut(width).zip(x.iter_rows()) {
                        row[self.at(step)].copy_from_slice(own);
                    }
                    out
                });
                back = Some(match back {
                    None => term,
                    Some(sum) => sum.add(&term),
                });
            }
            if step == 0 {
                break;
            }
            let weight = self.hidden_weight[step - 1];
            gradients.product(weight, &signal, &memory.values[2 * step - 1], 1);
            of_hidden = signal.product(false, &parameters[weight], false);
        }
        back
    }
}
