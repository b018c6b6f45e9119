//! Where the cotangents of parameters go: into one sum a slot, or, sample by sample, into the factors of a Jacobian.

use crate::networks::array::Array;
use crate::networks::real::Real;
use crate::networks::value::Value;

/// Receives what a vector-Jacobian product finds for the parameters, one call for every use of a slot.
pub(crate) trait Gradients<V> {
    /// A weight `W` (outputs × inputs) was used as `z = a Wᵀ`: its cotangent is `δᵀ a`. Rows of `signal` δ and of
    /// `input` a are samples × positions.
    fn product(&mut self, slot: usize, signal: &V, input: &V, positions: usize);

    /// A vector was added to (or multiplied into) every row: its cotangent is the sum of the rows of `terms`, which are
    /// samples × positions.
    fn sum(&mut self, slot: usize, terms: V, positions: usize);

    /// The statistic of a batch that a running average is to follow; no cotangent at all.
    fn statistic(&mut self, slot: usize, value: &V) {
        let _ = (slot, value);
    }
}

/// The sum over everything: the gradient, one value a slot.
#[derive(Debug)]
pub(crate) struct Summed<T, V> {
    /// The cotangent of every slot that was used.
    pub slots: Vec<Option<V>>,
    /// Statistics of the batch, as rows.
    pub statistics: Vec<(usize, Array<T>)>,
}

impl<T: Real, V: Value<T>> Summed<T, V> {
    pub fn new(slots: usize) -> Self {
        Summed {
            slots: vec![None; slots],
            statistics: Vec::new(),
        }
    }

    fn add(&mut self, slot: usize, term: V) {
        let sum = &mut self.slots[slot];
        *sum = Some(match sum.take() {
            None => term,
            Some(old) => old.add(&term),
        });
    }
}

impl<T: Real, V: Value<T>> Gradients<V> for Summed<T, V> {
    fn product(&mut self, slot: usize, signal: &V, input: &V, _: usize) {
        self.add(slot, signal.product(true, input, false));
    }

    fn sum(&mut self, slot: usize, terms: V, _: usize) {
        self.add(slot, terms.linear(|t| t.sum_of_rows()));
    }

    fn statistic(&mut self, slot: usize, value: &V) {
        self.statistics.push((slot, value.value().clone()));
    }
}
