//! Inner products of vectors of 16-bit integers, exact and a multiple as fast as those of floating-point numbers.

use pulp::{Arch, Simd, WithSimd};

/// Vectors are padded with zeros to a multiple of this many entries.
pub const STEP: usize = 32;

/// Rounds `scale · values` to integers, pads with zeros, and returns `‖out − scale · values‖₂`.
///
/// `scale · values` must lie within the range of `i16`; a half goes to the even neighbour. Cost: one pass.
///
/// # Panics
/// When `out` is shorter than `values`: a bug of the caller.
pub fn round_into(values: &[f64], scale: f64, out: &mut [i16]) -> f64 {
    let (head, padding) = out.split_at_mut(values.len());
    padding.fill(0);
    Arch::new()
        .dispatch(Round {
            values,
            scale,
            out: head,
        })
        .sqrt()
}

/// `out[t·n + j] ← cⱼᵀ v_t` for n columns and some vectors, each of `length` entries and stored one after the other.
///
/// Exact wherever `‖cⱼ‖₂‖v_t‖₂ < 2³¹`, since then no partial sum leaves 32 bits; otherwise it is the result modulo `2³²`.
/// Cost: one multiplication an entry and vector, one pass over the columns.
///
/// # Panics
/// When `length` is no multiple of [`STEP`] or the lengths do not fit: a bug of the caller.
pub fn inner_products(length: usize, columns: &[i16], vectors: &[i16], out: &mut [i32]) {
    assert_eq!(length % STEP, 0, "integer inner products: padding");
    if length == 0 || columns.is_empty() || vectors.is_empty() {
        out.fill(0);
        return;
    }
    let (n, count) = (columns.len() / length, vectors.len() / length);
    assert_eq!(
        (columns.len(), vectors.len(), out.len()),
        (n * length, count * length, n * count),
        "integer inner products: lengths"
    );
    // A single vector waits for the columns to arrive: nothing is gained by keeping several of them in registers.
    #[cfg(target_arch = "x86_64")]
    if count > 1
        && let Some(simd) = pulp::x86::V3::try_new()
    {
        simd.vectorize(tiles::Tiles {
            simd,
            length,
            columns,
            vectors,
            out,
        });
        return;
    }
    Arch::new().dispatch(Plain {
        length,
        columns,
        vectors,
        out,
    });
}

struct Round<'a> {
    values: &'a [f64],
    scale: f64,
    out: &'a mut [i16],
}

impl WithSimd for Round<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        const LANES: usize = 8;
        // Adding this leaves the nearest integer in the lowest bits of the sum, in two's complement.
        const SHIFT: f64 = 1.5 * (1u64 << 52) as f64;
        let round = |v: f64| {
            let shifted = v * self.scale + SHIFT;
            let rest = (shifted - SHIFT) - v * self.scale;
            (shifted.to_bits() as i16, rest * rest)
        };
        let (whole, tail) = self.values.as_chunks::<LANES>();
        let (whole_out, tail_out) = self.out.as_chunks_mut::<LANES>();
        let mut squares = [0.0; LANES];
        for (values, out) in whole.iter().zip(whole_out) {
            for lane in 0..LANES {
                let (rounded, square) = round(values[lane]);
                out[lane] = rounded;
                squares[lane] += square;
            }
        }
        let mut sum: f64 = squares.iter().sum();
        for (&value, out) in tail.iter().zip(tail_out) {
            let (rounded, square) = round(value);
            *out = rounded;
            sum += square;
        }
        sum
    }
}

struct Plain<'a> {
    length: usize,
    columns: &'a [i16],
    vectors: &'a [i16],
    out: &'a mut [i32],
}

impl WithSimd for Plain<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let n = self.columns.len() / self.length;
        for (vector, out) in self.vectors.chunks_exact(self.length).zip(self.out.chunks_exact_mut(n)) {
            for (column, out) in self.columns.chunks_exact(self.length).zip(out) {
                *out = column.iter().zip(vector).fold(0i32, |sum, (&c, &v)| {
                    sum.wrapping_add(i32::from(c).wrapping_mul(i32::from(v)))
                });
            }
        }
    }
}

/// Several columns with two vectors at a time, by the instruction that multiplies 16-bit integers and adds pairs.
#[cfg(target_arch = "x86_64")]
mod tiles {
    use pulp::NullaryFnOnce;
    use pulp::x86::V3;
    use std::arch::x86_64::__m256i;
    use std::hint::black_box;

    const COLUMNS: usize = 4;
    const VECTORS: usize = 2;
    /// Entries of a register.
    const WIDTH: usize = 16;

    pub struct Tiles<'a> {
        pub simd: V3,
        pub length: usize,
        pub columns: &'a [i16],
        pub vectors: &'a [i16],
        pub out: &'a mut [i32],
    }

    impl NullaryFnOnce for Tiles<'_> {
        type Output = ();

        #[inline(always)]
        fn call(self) {
            let (n, count) = (self.columns.len() / self.length, self.vectors.len() / self.length);
            // Beyond the end the last one is taken again, and its products are written again.
            let column = |j: usize| &self.columns[j.min(n - 1) * self.length..][..self.length];
            let vector = |t: usize| &self.vectors[t.min(count - 1) * self.length..][..self.length];
            for j in (0..n).step_by(COLUMNS) {
                let columns = [column(j), column(j + 1), column(j + 2), column(j + 3)];
                for t in (0..count).step_by(VECTORS) {
                    let products = tile(self.simd, columns, [vector(t), vector(t + 1)]);
                    for (c, products) in products.iter().enumerate() {
                        for (v, &product) in products.iter().enumerate() {
                            self.out[(t + v).min(count - 1) * n + (j + c).min(n - 1)] = product;
                        }
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn tile(simd: V3, columns: [&[i16]; COLUMNS], vectors: [&[i16]; VECTORS]) -> [[i32; VECTORS]; COLUMNS] {
        // Seen through, the places of all six would be computed again at every step of the loop below.
        let (columns, vectors) = black_box((columns, vectors));
        let [a, b, c, d] = columns.map(|column| column.as_chunks::<WIDTH>().0.iter());
        let [u, v] = vectors.map(|vector| vector.as_chunks::<WIDTH>().0.iter());
        let mut sums = [[simd.avx._mm256_setzero_si256(); VECTORS]; COLUMNS];
        for (((((a, b), c), d), u), v) in a.zip(b).zip(c).zip(d).zip(u).zip(v) {
            let vectors: [__m256i; VECTORS] = [pulp::cast(*u), pulp::cast(*v)];
            for (sums, entries) in sums.iter_mut().zip([a, b, c, d]) {
                for (sum, vector) in sums.iter_mut().zip(vectors) {
                    let pairs = simd.avx2._mm256_madd_epi16(pulp::cast(*entries), vector);
                    *sum = simd.avx2._mm256_add_epi32(*sum, pairs);
                }
            }
        }
        totals(simd, sums)
    }

    /// The sum of the eight parts of every register.
    #[inline(always)]
    fn totals(simd: V3, sums: [[__m256i; VECTORS]; COLUMNS]) -> [[i32; VECTORS]; COLUMNS] {
        let pair = |c: usize| simd.avx2._mm256_hadd_epi32(sums[c][0], sums[c][1]);
        let low = simd.avx2._mm256_hadd_epi32(pair(0), pair(1));
        let high = simd.avx2._mm256_hadd_epi32(pair(2), pair(3));
        // The lower halves of both beside each other, and the upper ones.
        let one = simd.avx2._mm256_permute2x128_si256::<0x20>(low, high);
        let other = simd.avx2._mm256_permute2x128_si256::<0x31>(low, high);
        pulp::cast(simd.avx2._mm256_add_epi32(one, other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rounding_goes_to_the_nearest_integer_and_tells_its_error() {
        let values = [0.25, -0.25, 1.0, -8000.0, 0.625, 0.0, 1e-9, 2.0, -0.375, 3.0];
        let mut out = [7i16; 12];
        let error = round_into(&values, 4.0, &mut out);
        // 2.5 and −1.5 lie in the middle and go to the even neighbour.
        assert_eq!(out, [1, -1, 4, -32000, 2, 0, 0, 8, -2, 12, 0, 0]);
        let exact = (0.25f64 + 0.25 + (4e-9f64).powi(2)).sqrt();
        assert!((error - exact).abs() <= 4.0 * f64::EPSILON);
    }

    proptest! {
        #[test]
        fn products_are_those_of_integers(
            steps in 0usize..4,
            n in 0usize..11,
            count in 0usize..6,
            seed in 0u64..1000,
        ) {
            let length = steps * STEP;
            // Norms below 4095·√96, whose square is below 2³¹.
            let entry = |i: usize| ((i as u64 + 1).wrapping_mul(2654435761 + seed * 97) >> 7) as i16 >> 3;
            let columns: Vec<i16> = (0..length * n).map(entry).collect();
            let vectors: Vec<i16> = (0..length * count).map(|i| entry(i + 7919)).collect();
            let mut out = vec![7; n * count];
            inner_products(length, &columns, &vectors, &mut out);
            for t in 0..count {
                for j in 0..n {
                    let expected: i64 = (0..length)
                        .map(|i| i64::from(columns[j * length + i]) * i64::from(vectors[t * length + i]))
                        .sum();
                    prop_assert_eq!(i64::from(out[t * n + j]), expected);
                }
            }
        }
    }
}
