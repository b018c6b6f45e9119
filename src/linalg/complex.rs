//! Singular values of complex matrices.

use crate::error::{Error, Result};
use crate::linalg::dense::{self, norm};
use nalgebra::{Complex, DMatrix};

/// The singular values of a complex matrix, descending.
///
/// From the real matrix `[Re −Im; Im Re]`, which has each of them twice. Cost: `O(mn min(m, n))`, about twice that of a complex
/// decomposition; a single row or column is a norm.
///
/// ```
/// use nalgebra::{Complex, dmatrix};
/// use ticketsense::linalg::complex::singular_values;
/// // A rotation by i of diag(3, 1).
/// let a = dmatrix![Complex::new(0.0, 3.0), Complex::new(0.0, 0.0); Complex::new(0.0, 0.0), Complex::new(1.0, 0.0)];
/// let values = singular_values(&a)?;
/// assert!((values[0] - 3.0).abs() < 1e-15 && (values[1] - 1.0).abs() < 1e-15);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::NotFinite`], [`Error::Numerical`] when the iteration fails.
pub fn singular_values(a: &DMatrix<Complex<f64>>) -> Result<Vec<f64>> {
    if let Some(index) = a.iter().position(|z| !(z.re.is_finite() && z.im.is_finite())) {
        let z = a[index];
        return Err(Error::NotFinite {
            what: "singular values".into(),
            index,
            value: if z.re.is_finite() { z.im } else { z.re },
        });
    }
    let (rows, columns) = a.shape();
    if a.is_empty() {
        return Ok(Vec::new());
    }
    if rows == 1 || columns == 1 {
        let parts: Vec<f64> = a.iter().flat_map(|z| [z.re, z.im]).collect();
        return Ok(vec![norm(&parts)]);
    }
    let real = DMatrix::from_fn(2 * rows, 2 * columns, |i, j| {
        let z = a[(i % rows, j % columns)];
        match (i < rows, j < columns) {
            (true, false) => -z.im,
            (false, true) => z.im,
            _ => z.re,
        }
    });
    Ok(dense::singular_values(&real)?.into_iter().step_by(2).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use rand::RngExt;
    use rand_distr::StandardNormal;

    #[test]
    fn they_are_those_of_a_complex_decomposition() {
        for (m, n) in [(2, 2), (3, 5), (17, 9), (1, 4), (4, 1)] {
            let mut rng = Seed::root(m as u64).stream("complex").rng();
            let mut normal = || rng.sample::<f64, _>(StandardNormal);
            let a = DMatrix::from_fn(m, n, |_, _| Complex::new(normal(), normal()));
            let mut expected: Vec<f64> = a.clone().singular_values().iter().copied().collect();
            expected.sort_by(|x, y| y.total_cmp(x));
            let found = singular_values(&a).unwrap();
            assert_eq!(found.len(), m.min(n));
            for (value, expected) in found.iter().zip(&expected) {
                // Both decompositions are backward stable: some ten ε of the norm a side.
                assert!((value - expected).abs() <= 30.0 * (m + n) as f64 * f64::EPSILON * found[0]);
            }
        }
    }

    #[test]
    fn a_matrix_of_rank_one_and_a_unitary_one_keep_theirs() {
        let i = Complex::new(0.0, 1.0);
        let u = [1.0 + i, 2.0 * i, Complex::new(3.0, 0.0)];
        let outer = DMatrix::from_fn(3, 3, |r, c| u[r] * u[c]);
        // ‖u‖² = 2 + 4 + 9.
        let found = singular_values(&outer).unwrap();
        assert!((found[0] - 15.0).abs() < 1e-14 * 15.0 && found[1] < 1e-14 * 15.0);
        let root = |r: usize, c: usize| (i * std::f64::consts::TAU * ((r * c) % 6) as f64 / 6.0).exp() / 6f64.sqrt();
        let fourier = DMatrix::from_fn(6, 6, root);
        assert!(
            singular_values(&fourier)
                .unwrap()
                .iter()
                .all(|s| (s - 1.0).abs() < 1e-14)
        );
    }

    #[test]
    fn what_is_not_finite_is_refused() {
        let a = DMatrix::from_element(2, 2, Complex::new(0.0, f64::NAN));
        assert!(matches!(singular_values(&a), Err(Error::NotFinite { index: 0, .. })));
        assert!(singular_values(&DMatrix::zeros(0, 3)).unwrap().is_empty());
    }
}
