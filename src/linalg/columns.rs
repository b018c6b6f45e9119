//! Products with a column-major matrix and a vector, for the widest vector unit that the processor has.
//!
//! Every entry is summed in the same order whatever the unit, so that the bits do not depend on the processor's width.

use super::norm;
use pulp::{Arch, Simd, WithSimd};

const LANES: usize = 8;
/// Columns that share one pass over the vector.
const BLOCK: usize = 4;
/// Above this many entries (2 MiB) a matrix comes from beyond the second-level cache, which reads one stream of columns
/// faster than four.
const CACHED: usize = 1 << 18;

/// `out ← Cᵀ v` for the columns `C`, stored one after the other; each entry has the bits of [`super::dot`].
///
/// Cost: `2mn` operations, one pass over `C`.
///
/// # Panics
/// When the lengths do not fit: a bug of the caller.
pub fn correlate(columns: &[f64], v: &[f64], out: &mut [f64]) {
    assert_eq!(columns.len(), v.len() * out.len(), "correlations: lengths");
    Arch::new().dispatch(Correlate { columns, v, out });
}

/// `out ← (Cᵀu, Cᵀv)` in one pass over `C`, each entry with the bits of [`super::dot`]. Cost: `4mn` operations.
///
/// # Panics
/// As [`correlate`].
pub fn correlate_two(columns: &[f64], vectors: [&[f64]; 2], out: [&mut [f64]; 2]) {
    assert_eq!(vectors[0].len(), vectors[1].len(), "two correlations: vectors");
    assert_eq!(out[0].len(), out[1].len(), "two correlations: results");
    assert_eq!(
        columns.len(),
        vectors[0].len() * out[0].len(),
        "two correlations: lengths"
    );
    Arch::new().dispatch(CorrelateTwo { columns, vectors, out });
}

/// `y ← y + C t` for the columns `C`, stored one after the other. Cost: `2mk` operations, one pass over `C`.
///
/// # Panics
/// When the lengths do not fit: a bug of the caller.
pub fn accumulate(columns: &[f64], t: &[f64], y: &mut [f64]) {
    assert_eq!(columns.len(), t.len() * y.len(), "combination of columns: lengths");
    let rows = y.len();
    Arch::new().dispatch(Accumulate {
        columns,
        start: |i| i * rows,
        t,
        y,
    });
}

/// `y ← y − C t`, with the bits of [`accumulate`] for the coefficients `−t`.
///
/// # Panics
/// As [`accumulate`].
pub fn subtract(columns: &[f64], t: &[f64], y: &mut [f64]) {
    let minus: Vec<f64> = t.iter().map(|t| -t).collect();
    accumulate(columns, &minus, y);
}

/// `‖v − C t‖`. Cost: `2mk` operations.
///
/// # Panics
/// As [`accumulate`].
pub fn distance(columns: &[f64], t: &[f64], v: &[f64]) -> f64 {
    let mut rest = v.to_vec();
    subtract(columns, t, &mut rest);
    norm(&rest)
}

/// `y ← y + Σ tᵢ c_{jᵢ}` for the columns `of` among those stored one after the other in `columns`. Cost: `2mk` operations
/// for k columns.
///
/// # Panics
/// When the numbers of indices and coefficients differ or an index is out of range: a bug of the caller.
pub fn accumulate_of(columns: &[f64], of: &[usize], t: &[f64], y: &mut [f64]) {
    assert_eq!(of.len(), t.len(), "combination of chosen columns: lengths");
    accumulate_strided(columns, y.len(), of, t, y);
}

/// As [`accumulate_of`], for columns that start `stride` entries apart, of which the first `y.len()` entries count.
///
/// # Panics
/// As [`accumulate_of`].
pub fn accumulate_strided(columns: &[f64], stride: usize, of: &[usize], t: &[f64], y: &mut [f64]) {
    assert_eq!(of.len(), t.len(), "combination of chosen columns: lengths");
    Arch::new().dispatch(Accumulate {
        columns,
        start: |i| of[i] * stride,
        t,
        y,
    });
}

struct Correlate<'a> {
    columns: &'a [f64],
    v: &'a [f64],
    out: &'a mut [f64],
}

impl WithSimd for Correlate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let rows = self.v.len();
        if rows == 0 {
            self.out.fill(0.0);
            return;
        }
        if self.columns.len() > CACHED {
            for (column, out) in self.columns.chunks_exact(rows).zip(self.out) {
                inner_products([column], self.v, std::slice::from_mut(out));
            }
            return;
        }
        let mut blocks = self.columns.chunks_exact(BLOCK * rows);
        let mut outs = self.out.chunks_exact_mut(BLOCK);
        for (block, out) in (&mut blocks).zip(&mut outs) {
            let (a, rest) = block.split_at(rows);
            let (b, rest) = rest.split_at(rows);
            let (c, d) = rest.split_at(rows);
            inner_products([a, b, c, d], self.v, out);
        }
        for (column, out) in blocks.remainder().chunks_exact(rows).zip(outs.into_remainder()) {
            inner_products([column], self.v, std::slice::from_mut(out));
        }
    }
}

#[inline(always)]
pub(super) fn inner_products<const N: usize>(columns: [&[f64]; N], v: &[f64], out: &mut [f64]) {
    let mut partial = [[0.0f64; LANES]; N];
    let (whole, tail) = v.as_chunks::<LANES>();
    let parts: [&[[f64; LANES]]; N] = columns.map(|column| column.as_chunks::<LANES>().0);
    for (i, v) in whole.iter().enumerate() {
        for (partial, part) in partial.iter_mut().zip(&parts) {
            let a = &part[i];
            for lane in 0..LANES {
                partial[lane] += a[lane] * v[lane];
            }
        }
    }
    // Seen through, the sums below would make the compiler keep the lanes of several columns interleaved, and shuffle them
    // at every step of the loop above.
    let partial = std::hint::black_box(partial);
    let done = whole.len() * LANES;
    for ((partial, column), out) in partial.iter().zip(&columns).zip(out) {
        let rest: f64 = column[done..].iter().zip(tail).map(|(a, v)| a * v).sum();
        let [a, b, c, d, e, f, g, h] = *partial;
        *out = ((a + b) + (c + d)) + ((e + f) + (g + h)) + rest;
    }
}

struct CorrelateTwo<'a> {
    columns: &'a [f64],
    vectors: [&'a [f64]; 2],
    out: [&'a mut [f64]; 2],
}

impl WithSimd for CorrelateTwo<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let [first, second] = self.out;
        let rows = self.vectors[0].len();
        if rows == 0 {
            first.fill(0.0);
            second.fill(0.0);
            return;
        }
        for ((column, first), second) in self.columns.chunks_exact(rows).zip(first).zip(second) {
            let mut products = [0.0; 2];
            inner_products(self.vectors, column, &mut products);
            [*first, *second] = products;
        }
    }
}

/// `y ← y + Σ tᵢ cᵢ` for columns that start where `start` says.
struct Accumulate<'a, F> {
    columns: &'a [f64],
    start: F,
    t: &'a [f64],
    y: &'a mut [f64],
}

impl<F: Fn(usize) -> usize> WithSimd for Accumulate<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let rows = self.y.len();
        let column = |i: usize| &self.columns[(self.start)(i)..][..rows];
        let (blocks, rest) = self.t.as_chunks::<BLOCK>();
        for (b, t) in blocks.iter().enumerate() {
            let [a, b, c, d] = std::array::from_fn(|i| column(BLOCK * b + i));
            for ((((y, a), b), c), d) in self.y.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                *y += (t[0] * a + t[1] * b) + (t[2] * c + t[3] * d);
            }
        }
        for (i, t) in rest.iter().enumerate() {
            for (y, a) in self.y.iter_mut().zip(column(BLOCK * blocks.len() + i)) {
                *y += t * a;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::dot;
    use proptest::prelude::*;

    #[test]
    fn a_matrix_beyond_the_cache_gives_the_same_bits() {
        let (rows, count) = (1001, 270);
        assert!(rows * count > CACHED);
        let columns: Vec<f64> = (0..rows * count)
            .map(|i| ((i * 7919) % 2003) as f64 / 2003.0 - 0.5)
            .collect();
        let v = &columns[5..5 + rows];
        let mut out = vec![f64::NAN; count];
        correlate(&columns, v, &mut out);
        for (column, found) in columns.chunks_exact(rows).zip(out) {
            assert_eq!(found, dot(column, v));
        }
    }

    #[test]
    fn what_a_combination_leaves_and_how_long_that_is() {
        let columns = [1.0, 0.0, 0.0, 1.0, 1.0, 0.0];
        let mut y = [4.0, 2.0, 5.0];
        subtract(&columns, &[1.0, 2.0], &mut y);
        assert_eq!(y, [1.0, 0.0, 5.0]);
        assert_eq!(distance(&columns, &[1.0, 2.0], &[6.0, 2.0, 4.0]), 5.0);
    }

    proptest! {
        #[test]
        fn correlations_are_inner_products_bit_for_bit_and_combinations_are_sums(
            rows in 0usize..40,
            count in 0usize..14,
            seed in 0u64..1000,
        ) {
            let entry = |i: usize| ((i as u64 * 2654435761 + seed * 97) % 1009) as f64 / 1009.0 - 0.5;
            let columns: Vec<f64> = (0..rows * count).map(entry).collect();
            let v: Vec<f64> = (0..rows).map(|i| entry(i + 7)).collect();
            let t: Vec<f64> = (0..count).map(|i| entry(i + 13)).collect();
            let mut out = vec![f64::NAN; count];
            correlate(&columns, &v, &mut out);
            for (j, &found) in out.iter().enumerate() {
                prop_assert_eq!(found, dot(&columns[j * rows..(j + 1) * rows], &v));
            }
            let u: Vec<f64> = (0..rows).map(|i| entry(i + 3)).collect();
            let (mut first, mut second) = (vec![f64::NAN; count], vec![f64::NAN; count]);
            correlate_two(&columns, [&u, &v], [&mut first, &mut second]);
            prop_assert_eq!(&second, &out);
            for (j, &found) in first.iter().enumerate() {
                prop_assert_eq!(found, dot(&columns[j * rows..(j + 1) * rows], &u));
            }
            let mut y = v.clone();
            accumulate(&columns, &t, &mut y);
            for i in 0..rows {
                let plain = v[i] + (0..count).map(|j| t[j] * columns[j * rows + i]).sum::<f64>();
                // Entries below one half: at most 15 terms below 1/4, each rounded twice.
                prop_assert!((y[i] - plain).abs() <= 30.0 * 4.0 * f64::EPSILON);
            }
        }
    }
}
