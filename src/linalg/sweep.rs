//! A product with the transpose and one with the matrix itself in a single pass over its columns.

use super::columns::{accumulate, correlate};

/// For every column `cⱼ` of `C` in turn, `t = coefficient(j, cⱼᵀv)` and `y ← y + t cⱼ` where `t` is not 0.
///
/// The second product finds its column in the cache, where the first has just brought it: for a `C` larger than the
/// cache both together cost hardly more than one pass over it. Inner products have the bits of [`super::dot`].
/// Cost: `2mn` operations, `2m` for every `t` that is not 0.
///
/// # Panics
/// When the lengths do not fit: a bug of the caller.
pub fn sweep(columns: &[f64], v: &[f64], y: &mut [f64], mut coefficient: impl FnMut(usize, f64) -> f64) {
    assert_eq!(y.len(), v.len(), "sweep: lengths");
    if v.is_empty() {
        return;
    }
    let mut product = [0.0];
    for (j, column) in columns.chunks_exact(v.len()).enumerate() {
        correlate(column, v, &mut product);
        let t = coefficient(j, product[0]);
        if t != 0.0 {
            accumulate(column, &[t], y);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::dot;

    #[test]
    fn it_is_the_two_products_one_after_the_other() {
        for (rows, count) in [(0, 0), (1, 3), (13, 7), (40, 1)] {
            let columns: Vec<f64> = (0..rows * count)
                .map(|i| ((i * 37) % 101) as f64 / 101.0 - 0.5)
                .collect();
            let v: Vec<f64> = (0..rows).map(|i| (i as f64 + 0.5).sin()).collect();
            let (mut y, mut products) = (v.clone(), vec![0.0; count]);
            let every_second = |j: usize, product: f64| if j % 2 == 0 { product - 1.0 } else { 0.0 };
            sweep(&columns, &v, &mut y, |j, product| {
                products[j] = product;
                every_second(j, product)
            });
            let mut plain = v.clone();
            for j in 0..count {
                let column = &columns[j * rows..(j + 1) * rows];
                assert_eq!(products[j], dot(column, &v));
                let t = every_second(j, products[j]);
                plain.iter_mut().zip(column).for_each(|(y, c)| *y += t * c);
            }
            assert_eq!(y, plain);
        }
    }
}
