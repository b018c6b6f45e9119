//! Fixed maps without parameters: planes to pixels, and the vectors that tell positions apart.

use crate::networks::array::Array;
use crate::networks::real::Real;
use crate::networks::value::Value;

/// From plane after plane (as images are stored) to pixel after pixel (as layers take them).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interleave {
    /// Colour planes.
    pub channels: usize,
    /// Pixels of a plane.
    pub positions: usize,
}

impl Interleave {
    pub(super) fn forward<T: Real, V: Value<T>>(&self, input: &V) -> V {
        input.linear(|x| transposed_within(x, self.channels, self.positions))
    }

    pub(super) fn pull_back<T: Real, V: Value<T>>(&self, cotangent: &V) -> V {
        cotangent.linear(|x| transposed_within(x, self.positions, self.channels))
    }
}

/// Every row seen as a `rows × columns` matrix, transposed.
fn transposed_within<T: Real>(x: &Array<T>, rows: usize, columns: usize) -> Array<T> {
    let mut out = Vec::with_capacity(x.as_slice().len());
    for sample in x.iter_rows() {
        for c in 0..columns {
            out.extend((0..rows).map(|r| sample[r * columns + c]));
        }
    }
    Array::raw(x.rows(), x.columns(), out)
}

/// Adds at position `t` the vector with entries `sin(t / 10000^{2i/d})` and `cos(t / 10000^{2i/d})` in turn (Vaswani et
/// al., NeurIPS 2017, section 3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Positions {
    /// Positions of a sample.
    pub positions: usize,
    /// Width d of each.
    pub width: usize,
}

impl Positions {
    pub(super) fn forward<T: Real, V: Value<T>>(&self, input: &V) -> V {
        let row = Array::from_fn(1, self.positions * self.width, |_, k| {
            let (place, entry) = ((k / self.width) as f64, k % self.width);
            let pair = (entry / 2 * 2) as f64;
            let angle = place / 1e4f64.powf(pair / self.width as f64);
            T::of(if entry % 2 == 0 { angle.sin() } else { angle.cos() })
        });
        input.add(&V::constant(row.repeat_row(input.value().rows())))
    }
}
