//! The same factorisations through LAPACK: a second route that shares no code with the first.
//!
//! Only with the feature `lapack`. Results agree with [`super::dense`] up to backward error, which the tests of this
//! module check; nothing else in the crate calls it.

// Links the system OpenBLAS, whose symbols nalgebra-lapack calls.
extern crate openblas_src;

use super::dense::ThinSvd;
use crate::error::{Error, Result, require_finite};
use nalgebra::{DMatrix, DVector};

/// Eigenvalues, ascending, and orthonormal eigenvectors of a symmetric matrix (LAPACK `dsyev`).
///
/// # Errors
/// [`Error::Shape`], [`Error::NotFinite`], [`Error::Numerical`] when LAPACK reports a failure.
pub fn symmetric_eigen(a: &DMatrix<f64>) -> Result<(DVector<f64>, DMatrix<f64>)> {
    if a.nrows() != a.ncols() {
        return Err(Error::shape(
            "symmetric eigenvectors",
            "a square matrix",
            format!("{}×{}", a.nrows(), a.ncols()),
        ));
    }
    require_finite("symmetric eigenvectors", a.as_slice())?;
    // Its routine for eigenvalues alone asks LAPACK for a job that does not exist; the full one is right.
    let eigen = nalgebra_lapack::SymmetricEigen::try_new(a.clone())
        .ok_or_else(|| Error::numerical("symmetric eigenvectors", "dsyev failed"))?;
    let mut order: Vec<usize> = (0..a.nrows()).collect();
    order.sort_by(|&i, &j| eigen.eigenvalues[i].total_cmp(&eigen.eigenvalues[j]));
    Ok((
        DVector::from_fn(order.len(), |i, _| eigen.eigenvalues[order[i]]),
        DMatrix::from_fn(order.len(), order.len(), |r, c| eigen.eigenvectors[(r, order[c])]),
    ))
}

/// The thin singular value decomposition (LAPACK `dgesvd`).
///
/// # Errors
/// [`Error::NotFinite`], [`Error::Numerical`] when LAPACK reports a failure.
pub fn thin_svd(a: &DMatrix<f64>) -> Result<ThinSvd> {
    require_finite("singular value decomposition", a.as_slice())?;
    let rank = a.nrows().min(a.ncols());
    let svd = nalgebra_lapack::SVD::new(a.clone())
        .ok_or_else(|| Error::numerical("singular value decomposition", "dgesvd failed"))?;
    Ok(ThinSvd {
        u: svd.u.columns(0, rank).into_owned(),
        singular_values: svd.singular_values,
        v: svd.vt.rows(0, rank).transpose(),
    })
}

/// The lower Cholesky factor of a symmetric positive definite matrix (LAPACK `dpotrf`).
///
/// # Errors
/// [`Error::NotFinite`], [`Error::Numerical`] when the matrix is not positive definite.
pub fn cholesky(a: &DMatrix<f64>) -> Result<DMatrix<f64>> {
    require_finite("Cholesky factor", a.as_slice())?;
    nalgebra_lapack::Cholesky::new(a.clone())
        .map(|factor| factor.l())
        .ok_or_else(|| Error::numerical("Cholesky factor", "the matrix is not positive definite"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::dense;
    use crate::seed::Seed;
    use rand::RngExt;
    use rand_distr::StandardNormal;

    fn gaussian(rows: usize, columns: usize) -> DMatrix<f64> {
        let mut rng = Seed::root(11).stream(format!("{rows}x{columns}")).rng();
        DMatrix::from_fn(rows, columns, |_, _| rng.sample(StandardNormal))
    }

    // Both routes are backward stable: each value is off by at most a modest multiple of n ε ‖A‖.
    fn tolerance(n: usize, size: f64) -> f64 {
        20.0 * n as f64 * f64::EPSILON * size
    }

    #[test]
    fn eigenvalues_agree_with_lapack_also_for_singular_matrices() {
        for (rows, n) in [(30, 20), (10, 20), (1, 5)] {
            let g = dense::gram(&gaussian(rows, n));
            let (ours, theirs) = (dense::symmetric_eigen(&g).unwrap(), symmetric_eigen(&g).unwrap());
            assert!((ours.0 - &theirs.0).amax() <= tolerance(n, g.norm()));
            let residual = &g * &theirs.1 - &theirs.1 * DMatrix::from_diagonal(&theirs.0);
            assert!(residual.amax() <= tolerance(n, g.norm()));
        }
    }

    #[test]
    fn singular_values_agree_with_lapack() {
        for (m, n) in [(12, 7), (7, 12), (9, 9)] {
            let a = gaussian(m, n);
            let (ours, theirs) = (dense::thin_svd(&a).unwrap(), thin_svd(&a).unwrap());
            assert!((ours.singular_values - &theirs.singular_values).amax() <= tolerance(m + n, a.norm()));
            let rebuilt = &theirs.u * DMatrix::from_diagonal(&theirs.singular_values) * theirs.v.transpose();
            assert!((rebuilt - &a).amax() <= tolerance(m + n, a.norm()));
            for (x, y) in dense::singular_values(&a)
                .unwrap()
                .iter()
                .zip(theirs.singular_values.iter())
            {
                assert!((x - y).abs() <= tolerance(m + n, a.norm()));
            }
        }
    }

    #[test]
    fn the_cholesky_factor_rebuilds_the_matrix_and_an_indefinite_one_is_refused() {
        let g = dense::gram(&gaussian(30, 12));
        let l = cholesky(&g).unwrap();
        assert!((&l * l.transpose() - &g).amax() <= tolerance(12, g.norm()));
        assert!(cholesky(&-&g).is_err());
    }
}
