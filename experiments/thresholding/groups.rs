//! Block soft thresholding of random groups, and both maps in the plane.

use super::row_of;
use rand::RngExt;
use rand_distr::StandardNormal;
use ticketsense::linalg::norm;
use ticketsense::table::Row;
use ticketsense::theory::thresholding::{group_factor, soft_threshold};
use ticketsense::{Result, Seed};

/// Groups so much above the threshold are also solved by majorisation, which contracts by threshold over norm.
const ABOVE: f64 = 1.25;
/// Steps of majorisation: 0.8 to this power is below 1e-19.
const STEPS: usize = 200;
/// Norms so near to the threshold are drawn on purpose, now and then.
const NEAR: f64 = 1e-9;

/// The proximal map of `threshold · ‖·‖₂`.
pub(super) fn block_threshold(w: &[f64], threshold: f64) -> Result<Vec<f64>> {
    let factor = group_factor(norm(w), threshold)?;
    Ok(w.iter().map(|v| factor * v).collect())
}

/// How far 0 is from the subdifferential of `½‖x − w‖² + threshold ‖x‖₂`.
pub(super) fn subgradient_residual(x: &[f64], w: &[f64], threshold: f64) -> f64 {
    let length = norm(x);
    if length == 0.0 {
        return (norm(w) - threshold).max(0.0);
    }
    let gradient: Vec<f64> = x.iter().zip(w).map(|(x, w)| x - w + threshold * (x / length)).collect();
    norm(&gradient)
}

/// The minimiser without the closed form: ‖x‖ is majorised by a parabola that touches at the iterate.
fn by_majorisation(w: &[f64], threshold: f64) -> Vec<f64> {
    let mut x = w.to_vec();
    for _ in 0..STEPS {
        let shrink = 1.0 / (1.0 + threshold / norm(&x));
        x = w.iter().map(|v| shrink * v).collect();
    }
    x
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    norm(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<f64>>())
}

/// Random groups of one size with the threshold √size of groups that are compared with others.
pub(super) fn rows(size: usize, groups: usize, seed: &Seed) -> Result<Vec<Row>> {
    let mut rng = seed.rng();
    let threshold = (size as f64).sqrt();
    let (mut kept, mut mixed, mut mixed_l1, mut unshrunk) = (0usize, 0usize, 0usize, 0usize);
    let [mut residual, mut deviation, mut shrinkage] = [0.0f64; 3];
    for number in 0..groups {
        let mut w: Vec<f64> = (0..size).map(|_| rng.sample(StandardNormal)).collect();
        let wanted = match number % 10 {
            0 => threshold * (1.0 + NEAR * rng.random_range(-1.0..1.0)),
            _ => threshold * rng.random_range(0.0..3.0),
        };
        let scale = wanted / norm(&w);
        w.iter_mut().for_each(|v| *v *= scale);
        let length = norm(&w);
        let x = block_threshold(&w, threshold)?;
        let zeros = x.iter().filter(|v| **v == 0.0).count();
        mixed += usize::from(zeros > 0 && zeros < size);
        let by_itself = w.iter().filter(|v| soft_threshold(**v, 1.0) == 0.0).count();
        mixed_l1 += usize::from(by_itself > 0 && by_itself < size);
        residual = worst(residual, subgradient_residual(&x, &w, threshold) / length);
        if zeros < size {
            kept += 1;
            unshrunk += usize::from(norm(&x) >= length);
            shrinkage = worst(shrinkage, (length - norm(&x) - threshold).abs() / length);
        }
        if length >= ABOVE * threshold {
            deviation = worst(deviation, distance(&x, &by_majorisation(&w, threshold)) / length);
        }
    }
    Ok(vec![row_of(&[
        ("part", "group".into()),
        ("group_size", size.into()),
        ("groups", groups.into()),
        ("kept", kept.into()),
        ("mixed", mixed.into()),
        ("mixed_l1", mixed_l1.into()),
        ("unshrunk", unshrunk.into()),
        ("residual", residual.into()),
        ("deviation", deviation.into()),
        ("shrinkage", shrinkage.into()),
    ])?])
}

/// The larger one, where not a number counts as infinite.
pub(super) fn worst(so_far: f64, value: f64) -> f64 {
    so_far.max(if value.is_nan() { f64::INFINITY } else { value })
}

/// Where the two maps with threshold 1 take the points of a grid.
pub(super) fn field() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for i in -7..=7 {
        for j in -5..=5 {
            let (a, b) = (0.5 * f64::from(i), 0.5 * f64::from(j));
            let group = block_threshold(&[a, b], 1.0)?;
            let each = [soft_threshold(a, 1.0), soft_threshold(b, 1.0)];
            for (name, to) in [("group", [group[0], group[1]]), ("l1", each)] {
                rows.push(row_of(&[
                    ("part", "field".into()),
                    ("estimator", name.into()),
                    ("from_x", a.into()),
                    ("from_y", b.into()),
                    ("to_x", to[0].into()),
                    ("to_y", to[1].into()),
                ])?);
            }
        }
    }
    Ok(rows)
}
