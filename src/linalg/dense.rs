//! Dense factorisations and products: faer behind nalgebra types, one thread, the same bits on every run.

use crate::error::{Error, Result, require_finite};
use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::{Accum, MatMut, MatRef, Par, Side};
use nalgebra::{DMatrix, DVector};

/// Floating-point numbers that the products are written for.
pub trait Scalar: faer::traits::ComplexField + faer::traits::RealField + num_like::Float {}
impl Scalar for f32 {}
impl Scalar for f64 {}

/// What numerical code asks of a floating-point type.
pub mod num_like {
    use std::fmt::{Debug, Display};
    use std::iter::Sum;
    use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

    /// A real floating-point number: `f32` for training, `f64` for theory.
    pub trait Float:
        Copy
        + Debug
        + Display
        + Default
        + PartialOrd
        + Send
        + Sync
        + 'static
        + Add<Output = Self>
        + Sub<Output = Self>
        + Mul<Output = Self>
        + Div<Output = Self>
        + Neg<Output = Self>
        + AddAssign
        + SubAssign
        + MulAssign
        + DivAssign
        + Sum
    {
        /// 0.
        const ZERO: Self;
        /// 1.
        const ONE: Self;
        /// The nearest number of this type.
        fn of(value: f64) -> Self;
        /// The same number as `f64`.
        fn to_f64(self) -> f64;
        /// `self · factor + term` in one rounding. Slow where the processor has no such instruction.
        fn fused(self, factor: Self, term: Self) -> Self;
    }

    impl Float for f32 {
        const ZERO: Self = 0.0;
        const ONE: Self = 1.0;
        fn of(value: f64) -> Self {
            value as f32
        }
        fn to_f64(self) -> f64 {
            f64::from(self)
        }
        #[inline(always)]
        fn fused(self, factor: Self, term: Self) -> Self {
            self.mul_add(factor, term)
        }
    }

    impl Float for f64 {
        const ZERO: Self = 0.0;
        const ONE: Self = 1.0;
        fn of(value: f64) -> Self {
            value
        }
        fn to_f64(self) -> f64 {
            self
        }
        #[inline(always)]
        fn fused(self, factor: Self, term: Self) -> Self {
            self.mul_add(factor, term)
        }
    }
}

/// A nalgebra matrix as a faer view, without a copy.
pub fn as_faer(a: &DMatrix<f64>) -> MatRef<'_, f64> {
    MatRef::from_column_major_slice(a.as_slice(), a.nrows(), a.ncols())
}

/// A nalgebra matrix as a mutable faer view, without a copy.
pub fn as_faer_mut(a: &mut DMatrix<f64>) -> MatMut<'_, f64> {
    let (rows, columns) = a.shape();
    MatMut::from_column_major_slice_mut(a.as_mut_slice(), rows, columns)
}

/// `C ← op(A) op(B)`, or `C ← C + op(A) op(B)`, on row-major slices.
///
/// `A` is `m×k` (`k×m` when `transpose_a`), `B` is `k×n` (`n×k` when `transpose_b`), `C` is `m×n`. Cost: `2mkn`
/// operations on one thread.
///
/// # Panics
/// When a slice has another length than its shape says: a bug of the caller.
#[allow(clippy::too_many_arguments)]
pub fn gemm<T: Scalar>(
    m: usize,
    k: usize,
    n: usize,
    a: &[T],
    transpose_a: bool,
    b: &[T],
    transpose_b: bool,
    c: &mut [T],
    accumulate: bool,
) {
    assert_eq!(
        (a.len(), b.len(), c.len()),
        (m * k, k * n, m * n),
        "gemm: lengths of A, B and C"
    );
    let a = if transpose_a {
        MatRef::from_row_major_slice(a, k, m).transpose()
    } else {
        MatRef::from_row_major_slice(a, m, k)
    };
    let b = if transpose_b {
        MatRef::from_row_major_slice(b, n, k).transpose()
    } else {
        MatRef::from_row_major_slice(b, k, n)
    };
    let c = MatMut::from_row_major_slice_mut(c, m, n);
    let accum = if accumulate { Accum::Add } else { Accum::Replace };
    matmul(c, accum, a, b, T::ONE, Par::Seq);
}

/// `A B`, both column-major.
///
/// # Errors
/// [`Error::Shape`] when the inner dimensions differ.
pub fn product(a: &DMatrix<f64>, b: &DMatrix<f64>) -> Result<DMatrix<f64>> {
    if a.ncols() != b.nrows() {
        return Err(Error::shape(
            "product of matrices",
            format!("{} rows on the right", a.ncols()),
            b.nrows(),
        ));
    }
    let mut c = DMatrix::zeros(a.nrows(), b.ncols());
    matmul(
        as_faer_mut(&mut c),
        Accum::Replace,
        as_faer(a),
        as_faer(b),
        1.0,
        Par::Seq,
    );
    Ok(c)
}

/// `AᵀB`, both column-major.
///
/// # Errors
/// [`Error::Shape`] when the numbers of rows differ.
pub fn transpose_product(a: &DMatrix<f64>, b: &DMatrix<f64>) -> Result<DMatrix<f64>> {
    let mut c = DMatrix::zeros(a.ncols(), b.ncols());
    let stride = a.ncols();
    transpose_product_into(a, b, c.as_mut_slice(), stride)?;
    Ok(c)
}

/// `C ← AᵀB` for a column-major `C` whose columns start `stride` entries apart.
///
/// # Errors
/// [`Error::Shape`] when the numbers of rows differ.
///
/// # Panics
/// When `out` is too short or the stride is below the number of rows of `C`: a bug of the caller.
pub fn transpose_product_into(a: &DMatrix<f64>, b: &DMatrix<f64>, out: &mut [f64], stride: usize) -> Result<()> {
    if a.nrows() != b.nrows() {
        return Err(Error::shape(
            "transposed product of matrices",
            format!("{} rows on the right", a.nrows()),
            b.nrows(),
        ));
    }
    if a.ncols() == 0 || b.ncols() == 0 {
        return Ok(());
    }
    let c = MatMut::from_column_major_slice_with_stride_mut(out, a.ncols(), b.ncols(), stride);
    matmul(c, Accum::Replace, as_faer(a).transpose(), as_faer(b), 1.0, Par::Seq);
    Ok(())
}

/// The Gram matrix `AᵀA` of the columns, symmetric to the last bit. Cost: `mn²` operations.
pub fn gram(a: &DMatrix<f64>) -> DMatrix<f64> {
    let n = a.ncols();
    let mut g = DMatrix::zeros(n, n);
    gram_into(a, g.as_mut_slice(), n);
    g
}

/// `G ← AᵀA`, symmetric to the last bit, for a column-major `G` whose columns start `stride` entries apart.
///
/// # Panics
/// As [`transpose_product_into`].
pub fn gram_into(a: &DMatrix<f64>, out: &mut [f64], stride: usize) {
    let n = a.ncols();
    if n == 0 {
        return;
    }
    let g = MatMut::from_column_major_slice_with_stride_mut(out, n, n, stride);
    triangular::matmul(
        g,
        BlockStructure::TriangularLower,
        Accum::Replace,
        as_faer(a).transpose(),
        BlockStructure::Rectangular,
        as_faer(a),
        BlockStructure::Rectangular,
        1.0,
        Par::Seq,
    );
    // Tile by tile: a whole row of a large matrix is a cache line an entry.
    for first in (0..n).step_by(TILE) {
        for above in (0..=first).step_by(TILE) {
            for j in first..n.min(first + TILE) {
                for i in above..j.min(above + TILE) {
                    out[j * stride + i] = out[i * stride + j];
                }
            }
        }
    }
}

/// Side of the square tiles in which a matrix is transposed.
const TILE: usize = 32;

/// `B ← Aᵀ` for column-major slices whose columns start `stride_a` and `stride_b` entries apart.
///
/// # Panics
/// When a slice is too short: a bug of the caller.
pub fn transpose_into(rows: usize, columns: usize, a: &[f64], stride_a: usize, b: &mut [f64], stride_b: usize) {
    for first_column in (0..columns).step_by(TILE) {
        for first_row in (0..rows).step_by(TILE) {
            for j in first_column..columns.min(first_column + TILE) {
                for i in first_row..rows.min(first_row + TILE) {
                    b[i * stride_b + j] = a[j * stride_a + i];
                }
            }
        }
    }
}

/// The eigenvalues of a symmetric matrix, ascending. Only the lower triangle is read.
///
/// # Errors
/// [`Error::Shape`] when the matrix is not square, [`Error::NotFinite`], [`Error::Numerical`] when the iteration fails.
///
/// Cost: about `4n³/3` operations.
pub fn symmetric_eigenvalues(a: &DMatrix<f64>) -> Result<Vec<f64>> {
    check_square("symmetric eigenvalues", a)?;
    if a.is_empty() {
        return Ok(Vec::new());
    }
    let mut values = sequential(|| as_faer(a).self_adjoint_eigenvalues(Side::Lower))
        .map_err(|e| Error::numerical("symmetric eigenvalues", format!("{e:?}")))?;
    values.sort_by(f64::total_cmp);
    Ok(values)
}

/// Eigenvalues, ascending, and orthonormal eigenvectors (columns, same order) of a symmetric matrix.
///
/// # Errors
/// As [`symmetric_eigenvalues`].
pub fn symmetric_eigen(a: &DMatrix<f64>) -> Result<(DVector<f64>, DMatrix<f64>)> {
    check_square("symmetric eigenvectors", a)?;
    let n = a.nrows();
    if n == 0 {
        return Ok((DVector::zeros(0), DMatrix::zeros(0, 0)));
    }
    let eigen = sequential(|| as_faer(a).self_adjoint_eigen(Side::Lower))
        .map_err(|e| Error::numerical("symmetric eigenvectors", format!("{e:?}")))?;
    let (values, vectors) = (eigen.S().column_vector(), eigen.U());
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    Ok((
        DVector::from_fn(n, |i, _| values[order[i]]),
        DMatrix::from_fn(n, n, |r, c| vectors[(r, order[c])]),
    ))
}

/// The singular values, descending.
///
/// # Errors
/// [`Error::NotFinite`], [`Error::Numerical`] when the iteration fails.
pub fn singular_values(a: &DMatrix<f64>) -> Result<Vec<f64>> {
    require_finite("singular values", a.as_slice())?;
    if a.is_empty() {
        return Ok(Vec::new());
    }
    let mut values = sequential(|| as_faer(a).singular_values())
        .map_err(|e| Error::numerical("singular values", format!("{e:?}")))?;
    values.sort_by(|x, y| y.total_cmp(x));
    Ok(values)
}

/// A thin singular value decomposition `A = U diag(σ) Vᵀ` with `min(m, n)` terms, `σ` descending.
#[derive(Clone, Debug)]
pub struct ThinSvd {
    /// Left singular vectors, `m × min(m, n)`.
    pub u: DMatrix<f64>,
    /// Singular values, descending.
    pub singular_values: DVector<f64>,
    /// Right singular vectors, `n × min(m, n)`.
    pub v: DMatrix<f64>,
}

impl ThinSvd {
    /// The number of singular values above `max(m, n) ε σ_max`, the rounding of the decomposition.
    pub fn rank(&self) -> usize {
        let largest = self.singular_values.iter().fold(0.0f64, |m, s| m.max(*s));
        let cut = self.u.nrows().max(self.v.nrows()) as f64 * f64::EPSILON * largest;
        self.singular_values.iter().filter(|s| **s > cut).count()
    }
}

/// The thin singular value decomposition.
///
/// # Errors
/// [`Error::NotFinite`], [`Error::Numerical`] when the iteration fails.
pub fn thin_svd(a: &DMatrix<f64>) -> Result<ThinSvd> {
    require_finite("singular value decomposition", a.as_slice())?;
    let (m, n) = a.shape();
    let rank = m.min(n);
    if rank == 0 {
        return Ok(ThinSvd {
            u: DMatrix::zeros(m, 0),
            singular_values: DVector::zeros(0),
            v: DMatrix::zeros(n, 0),
        });
    }
    let svd = sequential(|| as_faer(a).thin_svd())
        .map_err(|e| Error::numerical("singular value decomposition", format!("{e:?}")))?;
    let (u, s, v) = (svd.U(), svd.S().column_vector(), svd.V());
    let mut order: Vec<usize> = (0..rank).collect();
    order.sort_by(|&i, &j| s[j].total_cmp(&s[i]));
    Ok(ThinSvd {
        u: DMatrix::from_fn(m, rank, |r, c| u[(r, order[c])]),
        singular_values: DVector::from_fn(rank, |i, _| s[order[i]]),
        v: DMatrix::from_fn(n, rank, |r, c| v[(r, order[c])]),
    })
}

/// An orthonormal basis of the space that the rows of A span, as the rows of an `r × n` matrix: `M A` for some M.
///
/// `A x = A x₀` and `(M A) x = (M A) x₀` have the same solutions. Directions beyond [`ThinSvd::rank`] are left out. Cost: a
/// thin singular value decomposition.
///
/// # Errors
/// As [`thin_svd`].
pub fn orthonormal_rows(a: &DMatrix<f64>) -> Result<DMatrix<f64>> {
    let svd = thin_svd(a)?;
    Ok(svd.v.columns(0, svd.rank()).transpose())
}

/// An orthonormal basis of columns and their coordinates in it, `A = Q R`.
#[derive(Clone, Debug)]
pub struct ThinQr {
    /// Orthonormal columns, `m × min(m, n)`.
    pub q: DMatrix<f64>,
    /// Upper triangular or trapezoidal, `min(m, n) × n`; `|R_jj|` is the distance of column j from those before it.
    pub r: DMatrix<f64>,
}

/// The thin QR decomposition by Householder reflections, without pivoting. Cost: `4mn²` operations for `n ≤ m`.
///
/// # Errors
/// [`Error::NotFinite`].
pub fn thin_qr(a: &DMatrix<f64>) -> Result<ThinQr> {
    require_finite("QR decomposition", a.as_slice())?;
    let qr = sequential(|| as_faer(a).qr());
    let (q, r) = sequential(|| (qr.compute_thin_Q(), qr.thin_R().to_owned()));
    Ok(ThinQr {
        q: DMatrix::from_fn(q.nrows(), q.ncols(), |i, j| q[(i, j)]),
        r: DMatrix::from_fn(r.nrows(), r.ncols(), |i, j| r[(i, j)]),
    })
}

/// Euclidean norm without overflow or underflow for any finite entries.
pub fn norm(x: &[f64]) -> f64 {
    let square = dot(x, x);
    if square.is_finite() && square > 1e-280 {
        return square.sqrt();
    }
    let scale = x.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    if scale == 0.0 || !scale.is_finite() {
        return scale;
    }
    scale * x.iter().map(|v| (v / scale) * (v / scale)).sum::<f64>().sqrt()
}

/// Inner product, summed in eight interleaved partial sums of fixed order.
///
/// # Panics
/// When the lengths differ: a bug of the caller.
pub fn dot(x: &[f64], y: &[f64]) -> f64 {
    assert_eq!(x.len(), y.len(), "inner product: lengths");
    let mut partial = [0.0f64; 8];
    let (xs, ys) = (x.chunks_exact(8), y.chunks_exact(8));
    let tail: f64 = xs.remainder().iter().zip(ys.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in xs.zip(ys) {
        for lane in 0..8 {
            partial[lane] += a[lane] * b[lane];
        }
    }
    let [a, b, c, d, e, f, g, h] = partial;
    ((a + b) + (c + d)) + ((e + f) + (g + h)) + tail
}

fn check_square(what: &str, a: &DMatrix<f64>) -> Result<()> {
    if a.nrows() != a.ncols() {
        return Err(Error::shape(
            what,
            "a square matrix",
            format!("{}×{}", a.nrows(), a.ncols()),
        ));
    }
    require_finite(what, a.as_slice())
}

/// Runs a faer routine with its global parallelism off: results must not depend on the number of threads.
pub(super) fn sequential<R>(run: impl FnOnce() -> R) -> R {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| faer::set_global_parallelism(Par::Seq));
    run()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(rows: usize, columns: usize) -> DMatrix<f64> {
        DMatrix::from_fn(rows, columns, |i, j| {
            ((3 * i + 7 * j + i * j) % 11) as f64 - 5.0 + 0.1 * i as f64
        })
    }

    #[test]
    fn products_match_the_triple_loop() {
        let (a, b) = (example(5, 4), example(4, 3));
        let slow = DMatrix::from_fn(5, 3, |i, j| (0..4).map(|k| a[(i, k)] * b[(k, j)]).sum::<f64>());
        // 4 products of entries below 60: rounding below 4 · 4 · 60² · ε.
        let tolerance = 16.0 * 3600.0 * f64::EPSILON;
        assert!((product(&a, &b).unwrap() - &slow).amax() <= tolerance);
        assert!((transpose_product(&a.transpose(), &b).unwrap() - &slow).amax() <= tolerance);
        for (ta, tb) in [(false, false), (true, false), (false, true), (true, true)] {
            // Row-major A is the column-major storage of Aᵀ.
            let left = if ta { a.clone() } else { a.transpose() };
            let right = if tb { b.clone() } else { b.transpose() };
            let mut c = vec![1.0; 15];
            gemm(5, 4, 3, left.as_slice(), ta, right.as_slice(), tb, &mut c, true);
            for i in 0..5 {
                for j in 0..3 {
                    assert!((c[i * 3 + j] - 1.0 - slow[(i, j)]).abs() <= tolerance);
                }
            }
        }
    }

    #[test]
    fn eigenvectors_diagonalise_and_values_ascend() {
        let g = gram(&example(6, 4));
        let (values, vectors) = symmetric_eigen(&g).unwrap();
        assert!(values.as_slice().windows(2).all(|w| w[0] <= w[1]));
        let residual = &g * &vectors - &vectors * DMatrix::from_diagonal(&values);
        // Backward stability: a modest multiple of n ε ‖G‖.
        let tolerance = 40.0 * f64::EPSILON * g.norm();
        assert!(residual.amax() <= tolerance, "{residual}");
        for (a, b) in symmetric_eigenvalues(&g).unwrap().iter().zip(values.iter()) {
            assert!((a - b).abs() <= tolerance);
        }
    }

    #[test]
    fn the_thin_svd_rebuilds_the_matrix_with_descending_values() {
        for (m, n) in [(6, 4), (4, 6), (1, 3)] {
            let a = example(m, n);
            let svd = thin_svd(&a).unwrap();
            let rebuilt = &svd.u * DMatrix::from_diagonal(&svd.singular_values) * svd.v.transpose();
            assert!((rebuilt - &a).amax() <= 60.0 * f64::EPSILON * a.norm());
            assert!(svd.singular_values.as_slice().windows(2).all(|w| w[0] >= w[1]));
        }
    }

    #[test]
    fn a_matrix_with_a_nan_is_refused_and_an_empty_one_is_not() {
        let mut a = example(3, 3);
        assert!(symmetric_eigenvalues(&DMatrix::zeros(0, 0)).unwrap().is_empty());
        a[(2, 1)] = f64::NAN;
        assert!(matches!(symmetric_eigenvalues(&a), Err(Error::NotFinite { .. })));
        assert!(matches!(singular_values(&a), Err(Error::NotFinite { .. })));
    }

    #[test]
    fn the_norm_survives_tiny_and_huge_entries() {
        for scale in [1e-200, 1e200] {
            assert!((norm(&[3.0 * scale, 4.0 * scale]) / (5.0 * scale) - 1.0).abs() <= 4.0 * f64::EPSILON);
        }
        assert_eq!(norm(&[]), 0.0);
    }
}
