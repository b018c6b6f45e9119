//! Plain forms of the pursuits, with a fresh least squares problem by singular values at every fit.

use super::reference::least_squares;
use nalgebra::{DMatrix, DVector};

/// The places of the `count` largest magnitudes, ties by index, ascending, by sorting all of them.
fn largest(v: &DVector<f64>, count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..v.len()).collect();
    order.sort_by(|&i, &j| v[j].abs().total_cmp(&v[i].abs()).then(i.cmp(&j)));
    order.truncate(count);
    order.sort();
    order
}

fn union(first: &[usize], second: &[usize]) -> Vec<usize> {
    let mut all = [first, second].concat();
    all.sort();
    all.dedup();
    all
}

/// The fit on a support, as a vector of length n, and its residual.
fn fit(a: &DMatrix<f64>, y: &DVector<f64>, support: &[usize]) -> (DVector<f64>, DVector<f64>) {
    let mut x = DVector::zeros(a.ncols());
    if !support.is_empty() {
        let values = least_squares(&a.select_columns(support), y.as_slice());
        support.iter().zip(values.iter()).for_each(|(&j, &v)| x[j] = v);
    }
    let r = y - a * &x;
    (x, r)
}

/// The iterates of compressive sampling matching pursuit.
pub fn cosamp(a: &DMatrix<f64>, y: &[f64], k: usize, steps: usize) -> Vec<DMatrix<f64>> {
    let y = DVector::from_column_slice(y);
    let mut x = DVector::zeros(a.ncols());
    let mut path = Vec::new();
    for _ in 0..steps {
        let proxy = a.transpose() * (&y - a * &x);
        let support: Vec<usize> = (0..x.len()).filter(|&j| x[j] != 0.0).collect();
        let (b, _) = fit(a, &y, &union(&support, &largest(&proxy, 2 * k)));
        x.fill(0.0);
        largest(&b, k).into_iter().for_each(|j| x[j] = b[j]);
        path.push(DMatrix::from_column_slice(x.len(), 1, x.as_slice()));
    }
    path
}

/// Subspace pursuit to its end: support and values there.
pub fn subspace_pursuit(a: &DMatrix<f64>, y: &[f64], k: usize) -> (Vec<usize>, Vec<f64>) {
    let y = DVector::from_column_slice(y);
    let mut support = largest(&(a.transpose() * &y), k);
    loop {
        let (x, r) = fit(a, &y, &support);
        let (b, _) = fit(a, &y, &union(&support, &largest(&(a.transpose() * &r), k)));
        let next = largest(&b, k);
        if next == support || fit(a, &y, &next).1.norm() >= r.norm() {
            return (support.clone(), support.iter().map(|&j| x[j]).collect());
        }
        support = next;
    }
}

/// The supports of hard thresholding pursuit with step 1.
pub fn hard_thresholding_pursuit(a: &DMatrix<f64>, y: &[f64], k: usize, steps: usize) -> Vec<Vec<usize>> {
    let y = DVector::from_column_slice(y);
    let mut supports: Vec<Vec<usize>> = Vec::new();
    for _ in 0..steps {
        let (x, r) = fit(a, &y, supports.last().map_or(&[], |s| s.as_slice()));
        supports.push(largest(&(x + a.transpose() * r), k));
    }
    supports
}

/// Orthogonal least squares: each step tries every column, and takes the one whose fit has the smallest residual.
pub fn orthogonal_least_squares(a: &DMatrix<f64>, y: &[f64], steps: usize) -> (Vec<usize>, Vec<f64>) {
    let y = DVector::from_column_slice(y);
    let mut order = Vec::new();
    for _ in 0..steps {
        let residual = |j: usize| fit(a, &y, &[order.as_slice(), &[j]].concat()).1.norm();
        let best = (0..a.ncols())
            .filter(|j| !order.contains(j))
            .min_by(|&i, &j| residual(i).total_cmp(&residual(j)))
            .unwrap();
        order.push(best);
    }
    let (x, _) = fit(a, &y, &order);
    (order, x.as_slice().to_vec())
}
