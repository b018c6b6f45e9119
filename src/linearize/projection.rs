//! The orthogonal projection that frees the biases of a linearised network.

use crate::error::Result;
use crate::linalg::columns::{correlate, subtract};
use crate::linalg::dense::thin_svd;
use crate::linalg::{gemm, norm};
use nalgebra::DMatrix;

/// `Q = I − U Uᵀ` with `U` an orthonormal basis of the range of some columns.
#[derive(Clone, Debug)]
pub(super) struct Projection {
    /// rank × rows, one basis vector a row.
    basis: Vec<f64>,
    rows: usize,
    rank: usize,
    /// A vector of that range is left with at most this fraction of its norm.
    resolution: f64,
}

impl Projection {
    /// Projects out the range of `columns`, each of length `rows`.
    ///
    /// The columns are brought to unit length first, so that the rank is decided on directions and not on scale:
    /// singular values up to `max(rows, columns) ε σ_max` count as zero. Cost: one thin singular value decomposition.
    ///
    /// # Errors
    /// When the decomposition fails.
    pub fn out_of(columns: &[Vec<f64>], rows: usize) -> Result<Self> {
        let unit: Vec<f64> = columns
            .iter()
            .filter_map(|column| {
                let length = norm(column);
                (length > 0.0).then(|| column.iter().map(move |v| v / length))
            })
            .flatten()
            .collect();
        let count = unit.len() / rows;
        let svd = thin_svd(&DMatrix::from_vec(rows, count, unit))?;
        let largest = svd.singular_values.iter().fold(0.0f64, |m, v| m.max(*v));
        let floor = rows.max(count) as f64 * f64::EPSILON * largest;
        let rank = svd.singular_values.iter().filter(|v| **v > floor).count();
        let basis = svd.u.as_slice()[..rank * rows].to_vec();
        Ok(Projection {
            basis,
            rows,
            rank,
            // The basis spans the range of a matrix within ε-rounding of the given one, cut at the floor: a unit column
            // sticks out by a small multiple of that.
            resolution: 16.0 * floor,
        })
    }

    /// Dimension of the range projected out.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// Fraction of its norm below which what is left of a vector is rounding.
    pub fn resolution(&self) -> f64 {
        self.resolution
    }

    /// One basis vector.
    pub fn basis_vector(&self, k: usize) -> &[f64] {
        &self.basis[k * self.rows..(k + 1) * self.rows]
    }

    /// `y ← Q y`.
    pub fn apply(&self, y: &mut [f64]) {
        let mut coefficients = vec![0.0; self.rank];
        correlate(&self.basis, y, &mut coefficients);
        subtract(&self.basis, &coefficients, y);
    }

    /// `Y ← Q Y` for vectors stored one after another.
    pub fn apply_many(&self, y: &mut [f64]) {
        let count = y.len() / self.rows;
        if self.rank == 0 || count == 0 {
            return;
        }
        // Rows of `y` are the vectors: Y ← Y − (Y Uᵀ) U.
        let mut coefficients = vec![0.0; count * self.rank];
        gemm(
            count,
            self.rows,
            self.rank,
            y,
            false,
            &self.basis,
            true,
            &mut coefficients,
            false,
        );
        coefficients.iter_mut().for_each(|c| *c = -*c);
        gemm(
            count,
            self.rank,
            self.rows,
            &coefficients,
            false,
            &self.basis,
            false,
            y,
            true,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::dot;

    #[test]
    fn the_projection_is_idempotent_symmetric_and_kills_its_columns() {
        let column = |k: usize| -> Vec<f64> { (0..12).map(|i| ((i * (k + 2) + k) % 7) as f64 - 3.0).collect() };
        let mut columns: Vec<Vec<f64>> = (0..4).map(column).collect();
        columns.push(vec![0.0; 12]);
        columns.push(
            columns[0]
                .iter()
                .zip(&columns[1])
                .map(|(a, b)| 1e-6 * (a - 2.0 * b))
                .collect(),
        );
        let q = Projection::out_of(&columns, 12).unwrap();
        assert_eq!(q.rank(), 4);
        // 12 products a coefficient and orthonormality to a few ε.
        let tolerance = 100.0 * f64::EPSILON;
        for mut column in columns {
            let length = norm(&column);
            q.apply(&mut column);
            assert!(norm(&column) <= tolerance * length);
        }
        let (x, y): (Vec<f64>, Vec<f64>) = (0..12).map(|i| ((i as f64).sin(), (3.0 * i as f64).cos())).unzip();
        let (mut qx, mut qy) = (x.clone(), y.clone());
        q.apply(&mut qx);
        q.apply(&mut qy);
        assert!((dot(&qx, &y) - dot(&x, &qy)).abs() <= tolerance * 12.0);
        let mut twice = [qx.clone(), qy.clone()].concat();
        q.apply_many(&mut twice);
        for (a, b) in twice.iter().zip(qx.iter().chain(&qy)) {
            assert!((a - b).abs() <= tolerance * 4.0);
        }
    }
}
