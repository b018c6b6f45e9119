//! Upper bounds of the concentration of a kernel from any multipliers, and the multipliers that make them small.

use crate::error::{Error, Result};
use crate::linalg::norm;
use clarabel::algebra::CscMatrix;
use clarabel::solver::{DefaultSettingsBuilder, DefaultSolver, IPSolver, SupportedConeT};
use nalgebra::DMatrix;

/// What multipliers Y (m × n, one column a coordinate) prove.
#[derive(Clone, Debug)]
pub(super) struct MultiplierBounds {
    /// `max_j |(I − YᵀA)_ij|` for each coordinate i.
    pub coordinates: Vec<f64>,
    /// `max_j` of the k largest entries of column j of `|I − YᵀA|`, summed, for k = 1, 2, …
    pub orders: Vec<f64>,
}

/// The bounds, rounded outwards: `yᵢᵀaⱼ` errs by `(m + 1) ε ‖yᵢ‖ ‖aⱼ‖`, the difference from 1 by ε more.
pub(super) fn multiplier_bounds(a: &DMatrix<f64>, y: &DMatrix<f64>, max_order: usize) -> Result<MultiplierBounds> {
    let (m, n) = a.shape();
    let lengths = |x: &DMatrix<f64>| -> Vec<f64> { x.column_iter().map(|c| norm(c.into_owned().as_slice())).collect() };
    let (own, others) = (lengths(y), lengths(a));
    let mut coordinates = vec![0.0f64; n];
    let mut orders = vec![0.0f64; max_order];
    let unit = f64::EPSILON;
    for (j, length) in others.iter().enumerate() {
        let mut entries: Vec<f64> = (0..n)
            .map(|i| {
                let product: f64 = y.column(i).iter().zip(a.column(j).iter()).map(|(y, a)| y * a).sum();
                let entry = (f64::from(u8::from(i == j)) - product).abs();
                entry * (1.0 + unit) + (m + 2) as f64 * unit * own[i] * length
            })
            .collect();
        for (largest, entry) in coordinates.iter_mut().zip(&entries) {
            *largest = largest.max(*entry);
        }
        if entries.iter().any(|entry| !entry.is_finite()) {
            return Err(Error::numerical("kernel concentration", "a multiplier overflows"));
        }
        entries.sort_by(|x, y| y.total_cmp(x));
        let mut sum = 0.0;
        for (k, (entry, largest)) in entries.iter().zip(orders.iter_mut()).enumerate() {
            sum += entry;
            *largest = largest.max(sum * (1.0 + (k + 1) as f64 * unit));
        }
    }
    Ok(MultiplierBounds { coordinates, orders })
}

/// Multipliers that nearly minimise the bound of order k, by one linear program: `min s` subject to
/// `k λⱼ + Σᵢ uᵢⱼ ≤ s` and `uᵢⱼ ≥ |δᵢⱼ − yᵢᵀaⱼ| − λⱼ`, `u ≥ 0`, for every column j.
///
/// However the interior-point method ends, its Y gives a bound; where it ends without numbers, Y is 0.
pub(super) fn joint_multipliers(a: &DMatrix<f64>, k: usize) -> Result<DMatrix<f64>> {
    let (m, n) = a.shape();
    let scale = a.amax();
    let (bound, levels, excess) = (m * n, m * n + 1, m * n + 1 + n);
    let unknowns = excess + n * n;
    let mut entries: Vec<(usize, usize, f64)> = Vec::with_capacity(n * n * (2 * m + 6));
    let mut right = Vec::with_capacity(3 * n * n + n);
    for j in 0..n {
        let row = right.len();
        entries.push((row, bound, -1.0));
        entries.push((row, levels + j, k as f64));
        entries.extend((0..n).map(|i| (row, excess + j * n + i, 1.0)));
        right.push(0.0);
        for i in 0..n {
            let own = f64::from(u8::from(i == j));
            for sign in [1.0, -1.0] {
                let row = right.len();
                entries.push((row, levels + j, -1.0));
                entries.push((row, excess + j * n + i, -1.0));
                entries.extend((0..m).map(|l| (row, i * m + l, -sign * a[(l, j)] / scale)));
                right.push(-sign * own);
            }
            entries.push((right.len(), excess + j * n + i, -1.0));
            right.push(0.0);
        }
    }
    let (rows, columns): (Vec<usize>, Vec<usize>) = entries.iter().map(|e| (e.0, e.1)).unzip();
    let values = entries.iter().map(|e| e.2).collect();
    let constraints = CscMatrix::new_from_triplets(right.len(), unknowns, rows, columns, values);
    let mut cost = vec![0.0; unknowns];
    cost[bound] = 1.0;
    let failed = |why: String| Error::numerical("linear program of the kernel concentration", why);
    let settings = DefaultSettingsBuilder::default()
        .verbose(false)
        .build()
        .map_err(|e| failed(e.to_string()))?;
    let none = CscMatrix::zeros((unknowns, unknowns));
    let cones = [SupportedConeT::NonnegativeConeT(right.len())];
    let mut solver =
        DefaultSolver::new(&none, &cost, &constraints, &right, &cones, settings).map_err(|e| failed(e.to_string()))?;
    solver.solve();
    let found = &solver.solution.x[..m * n];
    if scale == 0.0 || found.iter().any(|v| !v.is_finite()) {
        return Ok(DMatrix::zeros(m, n));
    }
    Ok(DMatrix::from_fn(m, n, |l, i| found[i * m + l] / scale))
}
