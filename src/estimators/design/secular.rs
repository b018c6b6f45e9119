//! The smallest eigenvalue after a change of rank one.

use crate::error::Result;
use crate::linalg::columns::correlate;
use crate::linalg::dense::symmetric_eigen;
use nalgebra::DMatrix;

/// The eigendecomposition `M = Q diag(d) Qᵀ`, asked for the smallest eigenvalue of `M + bbᵀ`.
#[derive(Debug)]
pub(super) struct Spectrum {
    values: Vec<f64>,
    vectors: DMatrix<f64>,
}

impl Spectrum {
    /// Cost: about `9n³` operations.
    pub fn of(m: &DMatrix<f64>) -> Result<Self> {
        let (values, vectors) = symmetric_eigen(m)?;
        Ok(Spectrum {
            values: values.as_slice().to_vec(),
            vectors,
        })
    }

    /// The eigenvalues, ascending.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// `λ_min(M + bbᵀ)`: with `z = Qᵀb`, the root of `1 + Σ zᵢ²/(dᵢ − λ) = 0` between `d₁` and `min(d₂, d₁ + ‖z‖²)`, by
    /// bisection, for the sum rises there. An eigenvector orthogonal to b, or a double eigenvalue, leaves `d₁`.
    ///
    /// Source: Golub, SIAM Review 1973. Cost: `2n²` operations and `3n` a bisection.
    pub fn least_after(&self, b: &[f64]) -> f64 {
        let mut z = vec![0.0; b.len()];
        correlate(self.vectors.as_slice(), b, &mut z);
        let squares: Vec<f64> = z.iter().map(|z| z * z).collect();
        let first = self.values[0];
        let reach = first + squares.iter().sum::<f64>();
        let (mut low, mut high) = (first, self.values.get(1).map_or(reach, |second| second.min(reach)));
        // A double has no more than 2100 values a halving could go through; intervals of doubles end sooner.
        for _ in 0..200 {
            let middle = low + 0.5 * (high - low);
            if middle <= low || middle >= high {
                break;
            }
            let sum: f64 = squares.iter().zip(&self.values).map(|(s, d)| s / (d - middle)).sum();
            match 1.0 + sum < 0.0 {
                true => low = middle,
                false => high = middle,
            }
        }
        low
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::dense::symmetric_eigenvalues;
    use proptest::prelude::*;

    #[test]
    fn a_diagonal_matrix_in_the_plane_has_the_eigenvalue_of_the_quadratic() {
        // diag(1, 3) + [1, 1]ᵀ[1, 1] = [2 1; 1 4]: 3 − √2.
        let m = DMatrix::from_row_slice(2, 2, &[1.0, 0.0, 0.0, 3.0]);
        let spectrum = Spectrum::of(&m).unwrap();
        assert!((spectrum.least_after(&[1.0, 1.0]) - (3.0 - 2.0_f64.sqrt())).abs() < 1e-15);
        // Orthogonal to the first eigenvector, and a zero vector.
        assert_eq!(spectrum.least_after(&[0.0, 5.0]), 1.0);
        assert_eq!(spectrum.least_after(&[0.0, 0.0]), 1.0);
        // One direction cannot raise a double eigenvalue.
        let twice = Spectrum::of(&DMatrix::identity(2, 2)).unwrap();
        assert_eq!(twice.least_after(&[3.0, 4.0]), 1.0);
        let alone = Spectrum::of(&DMatrix::from_element(1, 1, 2.0)).unwrap();
        assert!((alone.least_after(&[3.0]) - 11.0).abs() < 1e-14);
    }

    proptest! {
        #[test]
        fn it_is_the_smallest_eigenvalue_of_the_sum(entries in prop::collection::vec(-2.0_f64..2.0, 20), n in 1_usize..5) {
            let a = DMatrix::from_fn(3, n, |i, j| entries[3 * j + i]);
            let b: Vec<f64> = entries[12..12 + n].to_vec();
            let m = crate::linalg::dense::gram(&a);
            let sum = DMatrix::from_fn(n, n, |i, j| m[(i, j)] + b[i] * b[j]);
            let told = Spectrum::of(&m).unwrap().least_after(&b);
            let exact = symmetric_eigenvalues(&sum).unwrap()[0];
            // Both are backward stable: each within a few nε of the norm, at most 12·4 + 16.
            prop_assert!((told - exact).abs() < 64.0 * n as f64 * f64::EPSILON * 64.0, "{told} {exact}");
        }
    }
}
