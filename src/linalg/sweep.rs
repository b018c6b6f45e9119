//! A product with the transpose and one with the matrix itself in a single pass over its columns.

use super::columns::inner_products;
use pulp::{Arch, Simd, WithSimd};

/// Entries of a block of columns that stays in the second-level cache between its two products (256 KiB).
const BLOCK: usize = 1 << 15;
/// The most columns of a block.
const WIDEST: usize = 64;

/// For every column `cⱼ` of `C`, `t = coefficient(j, cⱼᵀv)` and `y ← y + t cⱼ` where `t` is not 0.
///
/// The second product finds its column in the cache, where the first has just brought it: for a `C` larger than the
/// cache both together cost hardly more than one pass over it. Inner products have the bits of [`super::dot`], and
/// columns are added four at a time. `coefficient` is called for every column in order. Cost: `2mn` operations, `2m`
/// for every `t` that is not 0.
///
/// # Panics
/// When the lengths do not fit: a bug of the caller.
pub fn sweep(columns: &[f64], v: &[f64], y: &mut [f64], coefficient: impl FnMut(usize, f64) -> f64) {
    assert_eq!(y.len(), v.len(), "sweep: lengths");
    if v.is_empty() {
        return;
    }
    assert_eq!(columns.len() % v.len(), 0, "sweep: whole columns");
    Arch::new().dispatch(Sweep {
        columns,
        v,
        y,
        coefficient,
    });
}

struct Sweep<'a, F> {
    columns: &'a [f64],
    v: &'a [f64],
    y: &'a mut [f64],
    coefficient: F,
}

impl<F: FnMut(usize, f64) -> f64> WithSimd for Sweep<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) {
        let rows = self.v.len();
        // Whole groups of four where they fit.
        let fitting = (BLOCK / rows).clamp(1, WIDEST);
        let width = if fitting < 4 {
            fitting
        } else {
            fitting.next_multiple_of(4)
        };
        let (mut products, mut hits) = ([0.0; WIDEST], [(0usize, 0.0); WIDEST]);
        let mut first = 0;
        for block in self.columns.chunks(width * rows) {
            let count = block.len() / rows;
            for (column, product) in block.chunks_exact(rows).zip(&mut products) {
                inner_products([column], self.v, std::slice::from_mut(product));
            }
            let mut found = 0;
            for (c, &product) in products[..count].iter().enumerate() {
                let t = (self.coefficient)(first + c, product);
                hits[found] = (c * rows, t);
                found += usize::from(t != 0.0);
            }
            let column = |start: usize| &block[start..start + rows];
            let (fours, rest) = hits[..found].as_chunks::<4>();
            for &[(a, ta), (b, tb), (c, tc), (d, td)] in fours {
                let parts = column(a).iter().zip(column(b)).zip(column(c)).zip(column(d));
                for (y, (((a, b), c), d)) in self.y.iter_mut().zip(parts) {
                    *y += (ta * a + tb * b) + (tc * c + td * d);
                }
            }
            for &(a, t) in rest {
                for (y, a) in self.y.iter_mut().zip(column(a)) {
                    *y += t * a;
                }
            }
            first += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::dot;

    #[test]
    fn it_is_the_two_products_one_after_the_other() {
        for (rows, count) in [(0, 0), (1, 3), (13, 207), (40, 1), (40000, 9)] {
            let columns: Vec<f64> = (0..rows * count)
                .map(|i| ((i * 37) % 101) as f64 / 101.0 - 0.5)
                .collect();
            let v: Vec<f64> = (0..rows).map(|i| (i as f64 + 0.5).sin()).collect();
            let (mut y, mut products) = (v.clone(), vec![0.0; count]);
            let every_second = |j: usize, product: f64| if j.is_multiple_of(2) { product - 1.0 } else { 0.0 };
            sweep(&columns, &v, &mut y, |j, product| {
                products[j] = product;
                every_second(j, product)
            });
            let mut plain = v.clone();
            for j in 0..count {
                let column = &columns[j * rows..(j + 1) * rows];
                assert_eq!(products[j], dot(column, &v), "{rows} {j}");
                let t = every_second(j, products[j]);
                plain.iter_mut().zip(column).for_each(|(y, c)| *y += t * c);
            }
            for (y, plain) in y.iter().zip(plain) {
                // At most 104 terms, each below (√m + 1)/2 in size and rounded a few times.
                let bound = 4.0 * 104.0 * 104.0 * ((rows as f64).sqrt() + 1.0) * f64::EPSILON;
                assert!((y - plain).abs() <= bound, "{y} {plain}");
            }
        }
    }
}
