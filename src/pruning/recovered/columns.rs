//! Which columns may be chosen: not the zero ones, and of parallel ones the first.

use crate::error::Result;
use crate::linalg::dot;
use crate::linearize::Jacobian;
use crate::operators::MeasurementOperator;
use crate::seed::Seed;
use nalgebra::DMatrix;
use rand::RngExt;

/// Columns with |cosine| above 1 minus this are parallel.
const TOLERANCE: f64 = 1e-12;

/// Random directions that sort parallel columns together.
const PROBES: usize = 2;

pub(super) struct Candidates {
    pub candidate: Vec<bool>,
    pub merged: usize,
    pub applications: f64,
}

/// Finds the candidates without forming all cosines.
///
/// Unit vectors with |cosine| > 1 − ε differ, up to sign, by less than `√(2ε)`, so their inner products with a unit
/// vector z differ in size by less than that: after sorting by `|⟨a_j, z⟩|/‖a_j‖`, parallel columns stand within a
/// window. What a second direction does not tell apart is compared exactly. No pair is missed, whatever the directions.
pub(super) fn candidates(operator: &Jacobian, norms: &[f64]) -> Result<Candidates> {
    let rows = operator.shape().rows;
    let mut probes = Vec::with_capacity(PROBES);
    let directions = Seed::root(0).stream("parallel columns");
    for number in 0..PROBES {
        let mut rng = directions.replicate(number as u64).rng();
        let mut z: Vec<f64> = (0..rows).map(|_| rng.random::<f64>() - 0.5).collect();
        let length = dot(&z, &z).sqrt();
        z.iter_mut().for_each(|z| *z /= length);
        let mut image = operator.adjoint(&z)?;
        for (v, n) in image.iter_mut().zip(norms) {
            *v = if *n > 0.0 { v.abs() / n } else { 0.0 };
        }
        probes.push(image);
    }
    // Twice the window of the bound: inner products of `rows` terms are rounded far below that.
    let window = 2.0 * (2.0 * TOLERANCE).sqrt();
    let mut order: Vec<usize> = (0..norms.len()).filter(|&j| norms[j] > 0.0).collect();
    order.sort_by(|&i, &j| probes[0][i].total_cmp(&probes[0][j]).then(i.cmp(&j)));
    let mut parent: Vec<usize> = (0..norms.len()).collect();
    let mut pair = DMatrix::zeros(rows, 2);
    let mut compared = 0usize;
    for (place, &i) in order.iter().enumerate() {
        for &j in &order[place + 1..] {
            if probes[0][j] - probes[0][i] > window {
                break;
            }
            let alike = (1..PROBES).all(|p| (probes[p][i] - probes[p][j]).abs() <= window);
            let (x, y) = (root(&mut parent, i), root(&mut parent, j));
            if !alike || x == y {
                continue;
            }
            operator.columns_into(&[i, j], &mut pair);
            compared += 2;
            let (a, b) = pair.as_slice().split_at(rows);
            if dot(a, b).abs() > (1.0 - TOLERANCE) * (dot(a, a) * dot(b, b)).sqrt() {
                parent[x.max(y)] = x.min(y);
            }
        }
    }
    let candidate: Vec<bool> = (0..norms.len())
        .map(|j| norms[j] > 0.0 && root(&mut parent, j) == j)
        .collect();
    let live = order.len();
    Ok(Candidates {
        merged: live - candidate.iter().filter(|c| **c).count(),
        candidate,
        applications: PROBES as f64 + compared as f64 / norms.len() as f64,
    })
}

/// The root of a tree of the disjoint-set forest, the first column of its group; halves the path to it.
fn root(parent: &mut [usize], mut i: usize) -> usize {
    while parent[i] != i {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    i
}
