//! Convolutions that keep most of their weights: patches of a few positions at a time, and the product of dense matrices.

use super::field::Field;
use super::lanes::{Lanes, STRIP};
use crate::linalg::gemm;
use crate::networks::real::Real;

/// Columns of one product: positions times samples. Enough to be worth a product, few enough for the second cache.
const COLUMNS: usize = 512;

/// A square window that moves over an image one pixel at a time, and room for the patches of some positions.
#[derive(Debug)]
pub(super) struct Window<T> {
    /// What it moves over: counted from the corner of the border.
    over: Field,
    /// What comes out, position by position.
    out: Field,
    side: usize,
    patches: Vec<T>,
    products: Vec<T>,
}

impl<T: Real> Window<T> {
    pub(super) fn new(over: Field, out: Field, side: usize, strips: usize) -> Self {
        let columns = COLUMNS.max(strips * STRIP);
        Window {
            over,
            out,
            side,
            patches: vec![T::ZERO; side * side * over.channels * columns],
            products: vec![T::ZERO; out.channels * columns],
        }
    }

    /// Channels of what comes out.
    pub(super) fn channels(&self) -> usize {
        self.out.channels
    }

    fn patch(&self) -> usize {
        self.side * self.side * self.over.channels
    }

    /// Runs of positions `(row, first column, how many)` whose patches are taken together.
    fn runs<const K: usize>(&self) -> impl Iterator<Item = (usize, usize, usize)> + use<T, K> {
        let (height, width, most) = (self.out.height, self.out.width, (COLUMNS / (K * STRIP)).max(1));
        (0..height).flat_map(move |row| {
            (0..width)
                .step_by(most)
                .map(move |column| (row, column, most.min(width - column)))
        })
    }

    /// Brings the patches of a run together: patch entry × (position, sample).
    fn collect<const K: usize>(&mut self, input: &[Lanes<T, K>], (row, column, count): (usize, usize, usize)) {
        let channels = self.over.channels;
        let out = self.patches.as_chunks_mut::<STRIP>().0.as_chunks_mut::<K>().0;
        for y in 0..self.side {
            for x in 0..self.side {
                let entry = (y * self.side + x) * channels;
                for position in 0..count {
                    let first = self.over.corner(row + y, column + position + x);
                    for (channel, lanes) in input[first..first + channels].iter().enumerate() {
                        out[(entry + channel) * count + position] = *lanes;
                    }
                }
            }
        }
    }

    /// `output(p) ← W patch(p)` at every position, for `W` with a row an output channel.
    pub(super) fn forward<const K: usize>(&mut self, weight: &[T], input: &[Lanes<T, K>], output: &mut [Lanes<T, K>]) {
        let (patch, outputs) = (self.patch(), self.out.channels);
        for run in self.runs::<K>() {
            self.collect(input, run);
            let columns = run.2 * K * STRIP;
            let products = &mut self.products[..outputs * columns];
            let patches = &self.patches[..patch * columns];
            gemm(outputs, patch, columns, weight, false, patches, false, products, false);
            let products = products.as_chunks::<STRIP>().0.as_chunks::<K>().0;
            for (channel, lanes) in products.chunks_exact(run.2).enumerate() {
                for (position, lanes) in lanes.iter().enumerate() {
                    output[self.out.at(run.0, run.1 + position) + channel] = *lanes;
                }
            }
        }
    }

    /// `W̄ ← Σ_p cotangent(p) patch(p)ᵀ`; added to what is there when `add`. The cotangent lies in `field`.
    pub(super) fn gradient<const K: usize>(
        &mut self,
        input: &[Lanes<T, K>],
        (delta, field): (&[Lanes<T, K>], Field),
        gradient: &mut [T],
        add: bool,
    ) {
        let (patch, outputs) = (self.patch(), self.out.channels);
        for (index, run) in self.runs::<K>().enumerate() {
            self.collect(input, run);
            let columns = run.2 * K * STRIP;
            let products = self.products.as_chunks_mut::<STRIP>().0.as_chunks_mut::<K>().0;
            for position in 0..run.2 {
                for (channel, lanes) in delta[field.pixel(run.0, run.1 + position)].iter().enumerate() {
                    products[channel * run.2 + position] = *lanes;
                }
            }
            let (products, patches) = (&self.products[..outputs * columns], &self.patches[..patch * columns]);
            let add = add || index > 0;
            gemm(outputs, columns, patch, products, false, patches, true, gradient, add);
        }
    }
}

/// The weights that take a cotangent back: a row an input channel, the window turned by half a turn.
pub(super) fn turned<T: Real>(weight: &[T], outputs: usize, side: usize, inputs: usize, out: &mut [T]) {
    let places = side * side;
    for (output, row) in weight.chunks_exact(places * inputs).enumerate() {
        for (place, channels) in row.chunks_exact(inputs).enumerate() {
            for (input, value) in channels.iter().enumerate() {
                out[(input * places + places - 1 - place) * outputs + output] = *value;
            }
        }
    }
}
