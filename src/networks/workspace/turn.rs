//! Kernels in lanes beside the products: turning a batch into lanes, biases, gates and pooling.

use super::lanes::{Lanes, STRIP, close, dispatched, rectify};
use crate::networks::array::Array;
use crate::networks::real::Real;

/// `Z ← Z + b 1ᵀ`, then `max(0, Z)` where `rectify`: what follows a product that was not over survivors.
pub(super) struct Finish<'a, T, const K: usize> {
    pub(super) bias: Option<&'a [T]>,
    pub(super) output: &'a mut [Lanes<T, K>],
    pub(super) rectify: bool,
}

impl<T: Real, const K: usize> Finish<'_, T, K> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        for (row, out) in self.output.iter_mut().enumerate() {
            if let Some(bias) = self.bias {
                for strip in out.iter_mut() {
                    for value in strip {
                        *value += bias[row];
                    }
                }
            }
            if self.rectify {
                rectify(out);
            }
        }
    }
}

/// Zero where the gate is not positive.
pub(super) struct Close<'a, T, const K: usize> {
    pub(super) gate: &'a [Lanes<T, K>],
    pub(super) values: &'a mut [Lanes<T, K>],
}

impl<T: Real, const K: usize> Close<'_, T, K> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        for (values, gate) in self.values.iter_mut().zip(self.gate) {
            close(values, gate);
        }
    }
}

/// The largest entry of every window, channel by channel, or the mean.
pub(super) struct Pool<'a, T, const K: usize> {
    pub(super) input: &'a [Lanes<T, K>],
    /// The first features of the window's pixels.
    pub(super) pixels: &'a [usize],
    /// What their sum is multiplied by; the largest entry is taken where there is nothing.
    pub(super) share: Option<T>,
    pub(super) output: &'a mut [Lanes<T, K>],
}

impl<T: Real, const K: usize> Pool<'_, T, K> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        for (channel, out) in self.output.iter_mut().enumerate() {
            *out = pooled(self.input, self.pixels, channel, self.share.is_none());
            if let Some(share) = self.share {
                multiply(out, share);
            }
        }
    }
}

#[inline(always)]
fn multiply<T: Real, const K: usize>(values: &mut Lanes<T, K>, factor: T) {
    for value in values.as_flattened_mut() {
        *value *= factor;
    }
}

#[inline(always)]
fn pooled<T: Real, const K: usize>(
    input: &[Lanes<T, K>],
    pixels: &[usize],
    channel: usize,
    largest: bool,
) -> Lanes<T, K> {
    let mut out = input[pixels[0] + channel];
    for &pixel in &pixels[1..] {
        let next = &input[pixel + channel];
        for (out, next) in out.as_flattened_mut().iter_mut().zip(next.as_flattened()) {
            if largest {
                *out = if *next > *out { *next } else { *out };
            } else {
                *out += *next;
            }
        }
    }
    out
}

/// The cotangent of a pooled entry to the first largest entry of its window, where that is open, or to all alike.
pub(super) struct Unpool<'a, T, const K: usize> {
    pub(super) input: &'a [Lanes<T, K>],
    pub(super) pixels: &'a [usize],
    /// What their sum is multiplied by; the largest entry is taken where there is nothing.
    pub(super) share: Option<T>,
    /// Whether only positive entries let a cotangent through.
    pub(super) gated: bool,
    pub(super) delta: &'a [Lanes<T, K>],
    pub(super) output: &'a mut [Lanes<T, K>],
    /// The first features in the output of the window's pixels.
    pub(super) places: &'a [usize],
}

impl<T: Real, const K: usize> Unpool<'_, T, K> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        for (channel, delta) in self.delta.iter().enumerate() {
            if let Some(share) = self.share {
                let mut part = *delta;
                multiply(&mut part, share);
                for (&pixel, &place) in self.pixels.iter().zip(self.places) {
                    self.output[place + channel] = part;
                    if self.gated {
                        close(&mut self.output[place + channel], &self.input[pixel + channel]);
                    }
                }
                continue;
            }
            let top = pooled(self.input, self.pixels, channel, true);
            let mut left = *delta;
            for (&pixel, &place) in self.pixels.iter().zip(self.places) {
                let input = self.input[pixel + channel];
                let mut part = taken(&input, &top, &mut left);
                if self.gated {
                    close(&mut part, &input);
                }
                self.output[place + channel] = part;
            }
        }
    }
}

/// What is left, where the value is the largest; nothing is left there then.
#[inline(always)]
fn taken<T: Real, const K: usize>(value: &Lanes<T, K>, top: &Lanes<T, K>, left: &mut Lanes<T, K>) -> Lanes<T, K> {
    let mut part = [[T::ZERO; STRIP]; K];
    for strip in 0..K {
        for lane in 0..STRIP {
            let rest = left[strip][lane];
            let won = value[strip][lane] == top[strip][lane];
            part[strip][lane] = if won { rest } else { T::ZERO };
            left[strip][lane] = if won { T::ZERO } else { rest };
        }
    }
    part
}

/// Samples turned into lanes: `output[j][lane] ← inputs[rows[lane]][first + j]`, the last sample again in the lanes left over.
pub(super) struct Gather<'a, T, const K: usize> {
    pub(super) inputs: &'a Array<T>,
    pub(super) first: usize,
    pub(super) rows: &'a [usize],
    pub(super) output: &'a mut [Lanes<T, K>],
}

impl<T: Real, const K: usize> Gather<'_, T, K> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        // A strip of samples at a time, few enough streams for the processor to read ahead, in square tiles.
        for strip in 0..K {
            let last = self.rows.len() - 1;
            let rows: [&[T]; STRIP] =
                std::array::from_fn(|lane| &self.inputs.row(self.rows[(strip * STRIP + lane).min(last)])[self.first..]);
            let tiles = rows.map(|row| row.as_chunks::<STRIP>().0);
            let (outputs, rest) = self.output.as_chunks_mut::<STRIP>();
            for (tile, output) in outputs.iter_mut().enumerate() {
                let square: [[T; STRIP]; STRIP] = std::array::from_fn(|lane| tiles[lane][tile]);
                for (feature, out) in output.iter_mut().enumerate() {
                    out[strip] = std::array::from_fn(|lane| square[lane][feature]);
                }
            }
            let done = outputs.len() * STRIP;
            for (feature, out) in rest.iter_mut().enumerate() {
                out[strip] = std::array::from_fn(|lane| rows[lane][done + feature]);
            }
        }
    }
}

dispatched!(Finish, Close, Pool, Unpool, Gather);
