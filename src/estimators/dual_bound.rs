//! A bound on `λ_max(B_S)` over all supports of order k by splitting `B = (B − U) + U`.
//!
//! For any symmetric U, `λ_max(B_S) ≤ λ_max(B − U) + max_i (U_ii + Σ |U_ij|)`, the sum over the `k − 1` largest
//! `|U_ij|` of a row: interlacing for the first part, Gershgorin's discs for the second. With `U = 0` it is the spectrum of
//! the whole, with `U = B` the discs alone. With all `|U_ij| ≤ ρ` the second part is at most `kρ`, and
//! `min_{U, ρ} λ_max(B − U) + kρ` is the dual of the semidefinite relaxation of sparse principal components
//! (d'Aspremont, El Ghaoui, Jordan & Lanckriet 2007). U is looked for in that box, and the sharper value of whatever was
//! found is returned.

use super::coherence::LargestOfEach;
use crate::error::Result;
use crate::linalg::dense::{product, symmetric_eigen, symmetric_eigenvalues};
use nalgebra::DMatrix;

/// More columns than this would take minutes.
const MAX_COLUMNS: usize = 256;

/// Values of ρ that are tried by golden sections of `ln ρ`, and steps of the accelerated gradient method at each.
const SECTIONS: usize = 8;
const STEPS: usize = 40;

/// The smallest bound found, with the rounding of its evaluation added; none above 256 columns.
///
/// Cost: about 350 spectra of the whole matrix.
pub(super) fn dual_bound(b: &DMatrix<f64>, k: usize) -> Result<Option<f64>> {
    let n = b.nrows();
    if !(2..=MAX_COLUMNS).contains(&n) {
        return Ok(None);
    }
    let off_diagonal = (0..n)
        .flat_map(|j| (0..j).map(move |i| (i, j)))
        .fold(0.0f64, |m, place| m.max(b[place].abs()));
    if off_diagonal == 0.0 {
        return Ok(None);
    }
    let mut best = f64::INFINITY;
    // Each box is searched from what was found in the one before, the first from the discs alone.
    let mut warm = b.clone();
    let mut evaluate = |logarithm: f64| -> Result<f64> {
        let rho = off_diagonal * logarithm.exp();
        warm = minimise(b, rho, &warm)?;
        let value = bound_of(b, &warm, k)?;
        best = best.min(value);
        Ok(value)
    };
    // The minimum over U is convex in ρ.
    let golden = 0.5 * (5f64.sqrt() - 1.0);
    let (mut low, mut high) = (-4.0, 0.0);
    let mut left = high - golden * (high - low);
    let mut right = low + golden * (high - low);
    let (mut at_left, mut at_right) = (evaluate(left)?, evaluate(right)?);
    for _ in 2..SECTIONS {
        if at_left < at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - golden * (high - low);
            at_left = evaluate(left)?;
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + golden * (high - low);
            at_right = evaluate(right)?;
        }
    }
    Ok(Some(best))
}

/// The bound that U proves, rounded outwards: the difference errs by `ε` an entry, the spectrum by `16 n² ε` of its size.
fn bound_of(b: &DMatrix<f64>, u: &DMatrix<f64>, k: usize) -> Result<f64> {
    let n = b.nrows();
    let rest = b - u;
    let values = symmetric_eigenvalues(&rest)?;
    let mut top = LargestOfEach::new(n, k - 1);
    for j in 0..n {
        for i in 0..j {
            top.offer(i, u[(i, j)].abs());
            top.offer(j, u[(i, j)].abs());
        }
    }
    let disc = (0..n).map(|i| u[(i, i)] + top.partial_sums(i).last().unwrap_or(0.0));
    let disc = disc.fold(f64::NEG_INFINITY, f64::max);
    let size = rest.norm() + u.norm() + b.norm();
    Ok(values[n - 1] + disc + (16 * n * n + 2 * k + 8) as f64 * f64::EPSILON * size)
}

/// A near-minimiser of `λ_max(B − U)` over `|U_ij| ≤ ρ`, by Nesterov's smoothing: the largest eigenvalue is replaced by
/// `μ ln tr exp((B − U)/μ)`, whose gradient `−exp(·)/tr exp(·)` changes by at most `1/μ` of the change of U.
fn minimise(b: &DMatrix<f64>, rho: f64, start: &DMatrix<f64>) -> Result<DMatrix<f64>> {
    let n = b.nrows();
    let clip = |m: DMatrix<f64>| m.map(|v| v.clamp(-rho, rho));
    let mut u = clip(start.clone());
    let mut ahead = u.clone();
    let mut momentum = 1.0f64;
    let mut smoothing = 0.0;
    for _ in 0..STEPS {
        let (values, vectors) = symmetric_eigen(&(b - &ahead))?;
        let largest = values[n - 1];
        if smoothing == 0.0 {
            smoothing = 0.01 * (largest - values[0]).max(f64::MIN_POSITIVE);
        }
        let mut weights: Vec<f64> = values.iter().map(|v| ((v - largest) / smoothing).exp()).collect();
        let total: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|w| *w /= total);
        let mut scaled = vectors.clone();
        for (mut column, w) in scaled.column_iter_mut().zip(&weights) {
            column *= *w;
        }
        let gradient = product(&scaled, &vectors.transpose())?;
        let next = clip(&ahead + gradient * smoothing);
        let following = 0.5 * (1.0 + (1.0 + 4.0 * momentum * momentum).sqrt());
        ahead = &next + (&next - &u) * ((momentum - 1.0) / following);
        (u, momentum) = (next, following);
    }
    // Rounding may have made it a little unsymmetric.
    Ok(DMatrix::from_fn(n, n, |i, j| u[(i.max(j), i.min(j))]))
}
