//! Slow, plain methods that the solvers are checked against.

use crate::linalg::dense::thin_svd;
use crate::linalg::norm;
use crate::seed::Seed;
use nalgebra::{DMatrix, DVector};
use rand::RngExt;
use rand::seq::index::sample;
use rand_distr::StandardNormal;

/// A vector of independent standard normal entries.
pub fn normal_vector(length: usize, seed: &Seed) -> Vec<f64> {
    let mut rng = seed.stream("normal-vector").rng();
    (0..length).map(|_| rng.sample(StandardNormal)).collect()
}

/// A vector with so many entries ±1 at random places.
pub fn planted(length: usize, nonzeros: usize, seed: &Seed) -> Vec<f64> {
    let mut rng = seed.stream("planted").rng();
    let mut x = vec![0.0; length];
    for j in sample(&mut rng, length, nonzeros) {
        x[j] = if rng.random::<bool>() { 1.0 } else { -1.0 };
    }
    x
}

/// The least squares solution of smallest norm, by singular values.
pub fn least_squares(a: &DMatrix<f64>, y: &[f64]) -> DVector<f64> {
    let svd = thin_svd(a).unwrap();
    let cut = 1e-12 * svd.singular_values[0];
    let mut along = svd.u.transpose() * DVector::from_column_slice(y);
    for (c, s) in along.iter_mut().zip(svd.singular_values.iter()) {
        *c = if *s > cut { *c / s } else { 0.0 };
    }
    &svd.v * along
}

/// Every subset of `0..n` with `k` members.
pub fn subsets(n: usize, k: usize) -> Vec<Vec<usize>> {
    if k == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for last in k - 1..n {
        for mut subset in subsets(last, k - 1) {
            subset.push(last);
            all.push(subset);
        }
    }
    all
}

/// `min ‖y − A x‖` over all `x` with at most `k` nonzeros, by trying every support.
pub fn exhaustive_l0(a: &DMatrix<f64>, y: &[f64], k: usize) -> (Vec<usize>, f64) {
    let target = DVector::from_column_slice(y);
    subsets(a.ncols(), k)
        .into_iter()
        .map(|support| {
            let columns = a.select_columns(&support);
            let residual = (&target - &columns * least_squares(&columns, y)).norm();
            (support, residual)
        })
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .unwrap()
}

/// Orthogonal matching pursuit with a fresh least squares problem a step: the order of picks, and the answer.
pub fn omp(a: &DMatrix<f64>, y: &[f64], steps: usize) -> (Vec<usize>, Vec<f64>) {
    let target = DVector::from_column_slice(y);
    let (mut order, mut fit) = (Vec::new(), DVector::zeros(0));
    for _ in 0..steps {
        let residual = if order.is_empty() {
            target.clone()
        } else {
            &target - a.select_columns(&order) * &fit
        };
        let score = |j: usize| a.column(j).dot(&residual).abs() / a.column(j).norm();
        let best = (0..a.ncols())
            .filter(|j| !order.contains(j))
            .max_by(|&i, &j| score(i).total_cmp(&score(j)))
            .unwrap();
        order.push(best);
        fit = least_squares(&a.select_columns(&order), y);
    }
    let mut x = vec![0.0; a.ncols()];
    order.iter().zip(fit.iter()).for_each(|(&j, &v)| x[j] = v);
    (order, x)
}

/// The LASSO by proximal gradient steps of length `1/‖A‖²`.
pub fn ista(a: &DMatrix<f64>, y: &[f64], lambda: f64, steps: usize) -> Vec<f64> {
    let target = DVector::from_column_slice(y);
    let step = thin_svd(a).unwrap().singular_values[0].powi(-2);
    let mut x = DVector::zeros(a.ncols());
    for _ in 0..steps {
        let gradient = a.transpose() * (a * &x - &target);
        x = (x - gradient * step).map(|v: f64| (v.abs() - step * lambda).max(0.0) * v.signum());
    }
    x.as_slice().to_vec()
}

/// `min ‖x‖₁` subject to `A x = y`, by trying every basis: some optimum has at most m nonzeros.
pub fn basis_pursuit(a: &DMatrix<f64>, y: &[f64]) -> (Vec<f64>, f64) {
    let mut best = (Vec::new(), f64::INFINITY);
    for support in subsets(a.ncols(), a.nrows()) {
        let columns = a.select_columns(&support);
        let fit = least_squares(&columns, y);
        let residual: Vec<f64> = (DVector::from_column_slice(y) - columns * &fit).as_slice().to_vec();
        let length: f64 = fit.iter().map(|v| v.abs()).sum();
        if norm(&residual) <= 1e-9 * norm(y) && length < best.1 {
            let mut x = vec![0.0; a.ncols()];
            support.iter().zip(fit.iter()).for_each(|(&j, &v)| x[j] = v);
            best = (x, length);
        }
    }
    best
}
