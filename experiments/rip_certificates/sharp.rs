//! Examples on both sides of the constants that cannot be improved.

use super::row_of;
use nalgebra::DMatrix;
use ticketsense::estimators::{Estimator, RestrictedIsometry, RestrictedIsometryConstant};
use ticketsense::linalg::dense::symmetric_eigen;
use ticketsense::operators::{DenseOperator, MeasurementOperator};
use ticketsense::recovery::{PlantedTest, PlantedVerdict};
use ticketsense::table::Row;
use ticketsense::{Result, Seed};

/// How far from the sharp example, relative to what decides.
pub(super) const OFFSETS: [f64; 2] = [-1e-4, 1e-4];
/// k and the number of small entries of the kernel vector, convergents of `N/k → 1 + √2`.
pub(super) const KERNELS: [(usize, usize); 3] = [(1, 2), (2, 5), (5, 12)];

pub(super) fn rows(most_nonzeros: usize, seed: &Seed) -> Result<Vec<Row>> {
    let mut out = Vec::new();
    for nonzeros in 1..=most_nonzeros {
        for offset in OFFSETS {
            out.push(matching_pursuit(nonzeros, offset, seed)?);
        }
    }
    for (nonzeros, small) in KERNELS {
        for offset in OFFSETS {
            out.push(basis_pursuit(nonzeros, small, offset, seed)?);
        }
    }
    Ok(out)
}

fn constant(a: &DenseOperator, order: usize, seed: &Seed) -> Result<RestrictedIsometry> {
    Ok(RestrictedIsometryConstant::of_order(order).estimate(a, seed)?.value)
}

/// Gram matrix `[[k/(k+1) I, c 1], [c 1ᵀ, (k+2)/(k+1)]]` with `c = (1 + offset)/(k+1)`: at offset 0 the constant of order
/// k + 1 is `1/√(k+1)`, and for `x = (1, …, 1, 0)` every column has the same inner product with `A x` (Mo 2015).
fn matching_pursuit(nonzeros: usize, offset: f64, seed: &Seed) -> Result<Row> {
    let k = nonzeros as f64;
    let n = nonzeros + 1;
    let gram = DMatrix::from_fn(n, n, |i, j| match (i == j, i.max(j) == nonzeros) {
        (true, true) => (k + 2.0) / (k + 1.0),
        (true, false) => k / (k + 1.0),
        (false, true) => (1.0 + offset) / (k + 1.0),
        (false, false) => 0.0,
    });
    // The symmetric root: its columns have this Gram matrix.
    let (values, vectors) = symmetric_eigen(&gram)?;
    let root = &vectors * DMatrix::from_diagonal(&values.map(|v| v.max(0.0).sqrt()));
    let a = DenseOperator::new(root * vectors.transpose())?;
    let mut x = vec![1.0; nonzeros];
    x.push(0.0);
    let first = a.adjoint(&a.apply(&x)?)?;
    let right = first[..nonzeros].iter().fold(0.0f64, |m, v| m.max(v.abs()));
    let found = constant(&a, n, seed)?;
    row_of(&[
        ("part", "sharp".into()),
        ("method", "omp".into()),
        ("rows", n.into()),
        ("columns", n.into()),
        ("nonzeros", nonzeros.into()),
        ("isometry_next", found.upper.into()),
        ("offset", offset.into()),
        ("threshold", (1.0 / (k + 1.0).sqrt()).into()),
        ("lead", (right - first[nonzeros].abs()).into()),
    ])
}

/// `AᵀA = I − γγᵀ` with the unit kernel vector γ ∝ (1, …, 1, b, …, b), k ones and N times `b = (1 + offset) k/N`: with
/// `N b < k` the vector of k ones is beaten, with `N b > k` it is not, and near `b = √2 − 1` the constant of order 2k is
/// `1/√2` (after Cai & Zhang 2014).
fn basis_pursuit(nonzeros: usize, small: usize, offset: f64, seed: &Seed) -> Result<Row> {
    let n = nonzeros + small;
    let b = (1.0 + offset) * nonzeros as f64 / small as f64;
    let length = (nonzeros as f64 + small as f64 * b * b).sqrt();
    let gamma = |i: usize| if i < nonzeros { 1.0 / length } else { b / length };
    let projector = DMatrix::from_fn(n, n, |i, j| f64::from(u8::from(i == j)) - gamma(i) * gamma(j));
    // Its eigenvectors to the eigenvalue 1, as rows: the same Gram matrix without a dependent row.
    let (_, vectors) = symmetric_eigen(&projector)?;
    let a = DenseOperator::new(vectors.columns(1, n - 1).transpose())?;
    let found = constant(&a, (2 * nonzeros).min(n), seed)?;
    let x: Vec<f64> = (0..n).map(|i| f64::from(u8::from(i < nonzeros))).collect();
    // γ is the only direction in which the measurements do not change.
    let lead = match PlantedTest::default().run(&a, &x)?.verdict {
        PlantedVerdict::Recovered { margin, .. } => Some(margin),
        PlantedVerdict::Beaten { by, .. } => Some(-by),
        PlantedVerdict::Undecided => None,
    };
    row_of(&[
        ("part", "sharp".into()),
        ("method", "basis-pursuit".into()),
        ("rows", (n - 1).into()),
        ("columns", n.into()),
        ("nonzeros", nonzeros.into()),
        ("isometry_double", found.rescaled().upper.into()),
        ("offset", offset.into()),
        ("threshold", std::f64::consts::FRAC_1_SQRT_2.into()),
        ("lead", lead.into()),
    ])
}
