//! Multi-head self-attention (Vaswani et al., NeurIPS 2017), every position looking at every position.

use super::Memory;
use super::dense::Dense;
use super::gradients::Gradients;
use crate::networks::array::Array;
use crate::networks::loss::softmax;
use crate::networks::real::Real;
use crate::networks::value::Value;

/// `O(concat_h softmax(Q_h K_hᵀ / √d) V_h)` with `Q, K, V, O` dense layers on every position and `d = width / heads`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attention {
    /// Positions of a sample.
    pub positions: usize,
    /// Features of a position, in and out.
    pub width: usize,
    /// Heads; a divisor of the width.
    pub heads: usize,
    /// What a position asks for.
    pub query: Dense,
    /// What a position offers.
    pub key: Dense,
    /// What a position hands on.
    pub value: Dense,
    /// What becomes of the heads together.
    pub output: Dense,
}

impl Attention {
    fn head_width(&self) -> usize {
        self.width / self.heads
    }

    fn scale<T: Real>(&self) -> T {
        T::of(1.0 / (self.head_width() as f64).sqrt())
    }

    /// (samples × positions) × width to (samples × heads × positions) × head width.
    fn split<T: Real>(&self, x: &Array<T>) -> Array<T> {
        let (positions, d) = (self.positions, self.head_width());
        let mut out = Vec::with_capacity(x.as_slice().len());
        for sample in x.as_slice().chunks_exact(positions * self.width) {
            for head in 0..self.heads {
                for place in sample.chunks_exact(self.width) {
                    out.extend_from_slice(&place[head * d..(head + 1) * d]);
                }
            }
        }
        Array::raw(x.rows() * self.heads, d, out)
    }

    /// The inverse of [`Attention::split`], which is its adjoint.
    fn join<T: Real>(&self, x: &Array<T>) -> Array<T> {
        let (positions, d) = (self.positions, self.head_width());
        let mut out = Array::zeros(x.rows() / self.heads, self.width);
        let samples = out.as_mut_slice().chunks_exact_mut(positions * self.width);
        for (sample, heads) in samples.zip(x.as_slice().chunks_exact(self.heads * positions * d)) {
            for (head, rows) in heads.chunks_exact(positions * d).enumerate() {
                for (place, row) in sample.chunks_exact_mut(self.width).zip(rows.chunks_exact(d)) {
                    place[head * d..(head + 1) * d].copy_from_slice(row);
                }
            }
        }
        out
    }

    pub(super) fn forward<T: Real, V: Value<T>>(&self, parameters: &[V], input: &V) -> (V, Memory<V>) {
        let batch = input.value().rows();
        let rows = input.reshaped(batch * self.positions, self.width);
        let blocks = batch * self.heads;
        let part = |layer: &Dense| layer.forward_rows(parameters, &rows).linear(|x| self.split(x));
        let (query, key, value) = (part(&self.query), part(&self.key), part(&self.value));
        let scores = query.block_product(blocks, false, &key, true).scale(self.scale());
        let weights = softmax(&scores);
        let heads = weights.block_product(blocks, false, &value, false);
        let joined = heads.linear(|x| self.join(x));
        let output = self
            .output
            .forward_rows(parameters, &joined)
            .reshaped(batch, self.positions * self.width);
        (output, Memory::of(vec![query, key, value, weights, joined]))
    }

    pub(super) fn pull_back<T: Real, V: Value<T>>(
        &self,
        parameters: &[V],
        input: &V,
        memory: &Memory<V>,
        cotangent: &V,
        gradients: &mut dyn Gradients<V>,
        input_wanted: bool,
    ) -> Option<V> {
        let [query, key, value, weights, joined] = &memory.values[..] else {
            return None;
        };
        let batch = input.value().rows();
        let (blocks, count) = (batch * self.heads, batch * self.positions);
        let rows = input.reshaped(count, self.width);
        let signal = cotangent.reshaped(count, self.width);
        let heads = self
            .output
            .pull_back_rows(parameters, joined, &signal, gradients, true)?
            .linear(|x| self.split(x));
        let of_weights = heads.block_product(blocks, false, value, true);
        let of_value = weights.block_product(blocks, true, &heads, false);
        // The derivative of a softmax w along s is w (s − ⟨w, s⟩), and it is symmetric.
        let mean = of_weights.multiply(weights).linear(|x| x.row_sums_repeated());
        let of_scores = of_weights
            .add(&mean.scale(-T::ONE))
            .multiply(weights)
            .scale(self.scale());
        let of_query = of_scores.block_product(blocks, false, key, false);
        let of_key = of_scores.block_product(blocks, true, query, false);
        let mut back: Option<V> = None;
        for (layer, signal) in [(&self.query, of_query), (&self.key, of_key), (&self.value, of_value)] {
            let signal = signal.linear(|x| self.join(x));
            let term = layer.pull_back_rows(parameters, &rows, &signal, gradients, input_wanted);
            back = match (back, term) {
                (Some(sum), Some(term)) => Some(sum.add(&term)),
                (None, term) => term,
                (sum, None) => sum,
            };
        }
        back.map(|back| back.reshaped(batch, self.positions * self.width))
    }
}
