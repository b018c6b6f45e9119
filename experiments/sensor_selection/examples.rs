//! Duplicated sensors, and a sensor that gains by another one.

use super::measured::{against, common, listed, problem, select};
use super::row_of;
use nalgebra::{DMatrix, dmatrix};
use ticketsense::Result;
use ticketsense::estimators::design::ForwardGreedy;
use ticketsense::table::Row;

/// Length of the third sensor of the example.
pub(super) const THIRD: f64 = 0.5;

/// Noise above which the two longest sensors of the example are the best pair after all, for a perfect duplicate: with
/// `s = τ²/σ²` and the third sensor's length c, `1/(1+2s) + 1 = 1/(1+s) + 1/(1+c²s)` at `s = (√(2/c² − 1) − 1)/2`.
pub(super) fn crossing() -> f64 {
    2.0 / ((2.0 / (THIRD * THIRD) - 1.0).sqrt() - 1.0)
}

fn row(part: &'static str, a: &DMatrix<f64>, chosen: usize, setting: f64, noise_ratio: f64) -> Result<Row> {
    let problem = problem(a, noise_ratio)?;
    let found = against(&problem, chosen)?;
    let greedy = select(&ForwardGreedy, &problem, chosen)?;
    row_of(&[
        ("part", part.into()),
        ("rows", a.nrows().into()),
        ("columns", a.ncols().into()),
        ("chosen", chosen.into()),
        ("setting", setting.into()),
        ("noise_ratio", noise_ratio.into()),
        ("best_rows", listed(&found.best.rows).into()),
        ("norm_rows", listed(&found.norm.rows).into()),
        ("best", found.best.loss.into()),
        ("norm", found.norm.loss.into()),
        ("greedy", greedy.loss.into()),
        ("average", found.average.into()),
        ("overlap", common(&found.norm.rows, &found.best.rows).into()),
        ("best_ties", found.best.alternatives.into()),
    ])
}

/// Two sensors that see nearly the same, and a shorter one that sees something else.
pub(super) fn example() -> Result<Vec<Row>> {
    let a = dmatrix![1.0, 0.0; 1.0, 0.001; 0.0, THIRD];
    let bayesian = (0..=48).map(|step| 10_f64.powf(-4.0 + f64::from(step) / 8.0));
    let noises = std::iter::once(0.0).chain(bayesian);
    noises.map(|noise| row("example", &a, 2, 0.001, noise)).collect()
}

/// Four pairs of sensors on planes of their own, two of them longer than the others: with uncorrelated pairs all rows are
/// orthogonal.
pub(super) fn paired(correlation: f64) -> DMatrix<f64> {
    let lengths = [1.0, 0.99, 0.98, 0.97, 0.7, 0.69, 0.68, 0.67];
    let beside = (1.0 - correlation * correlation).sqrt();
    DMatrix::from_fn(8, 8, |i, j| {
        let (pair, second) = (i / 2, i % 2 == 1);
        let entry = match (j, second) {
            (j, false) if j == 2 * pair => 1.0,
            (j, true) if j == 2 * pair => correlation,
            (j, true) if j == 2 * pair + 1 => beside,
            _ => 0.0,
        };
        lengths[i] * entry
    })
}

/// They over their correlation.
pub(super) fn pairs() -> Result<Vec<Row>> {
    let correlations = (0..=40).map(|step| f64::from(step) / 40.0);
    correlations
        .map(|c| row("pairs", &paired(c), 4, c, super::NOISE))
        .collect()
}

/// `tr (I + Σ aaᵀ)⁻¹` of sensors with whole coordinates in the plane, as an exact fraction.
fn trace(sensors: &[[i128; 2]]) -> (i128, i128) {
    let sum = |i: usize, j: usize| sensors.iter().map(|a| a[i] * a[j]).sum::<i128>() + i128::from(i == j);
    (sum(0, 0) + sum(1, 1), sum(0, 0) * sum(1, 1) - sum(0, 1) * sum(0, 1))
}

/// By how much the trace falls where a sensor joins, as an exact fraction.
fn gain(beside: &[[i128; 2]], last: [i128; 2]) -> (i128, i128) {
    let with: Vec<[i128; 2]> = beside.iter().copied().chain([last]).collect();
    let ((p, q), (r, s)) = (trace(beside), trace(&with));
    (p * s - r * q, q * s)
}

/// All ordered triples of sensors with coordinates 0 to 3 (τ = σ = 1): does the last one gain more beside two than beside the
/// first alone? In whole numbers, so without rounding.
pub(super) fn submodular() -> Result<Vec<Row>> {
    let sensors: Vec<[i128; 2]> = (1..16).map(|code| [code / 4, code % 4]).collect();
    let (mut triples, mut gaining) = (0_usize, 0_usize);
    let mut most: Option<(f64, [[i128; 2]; 3], [f64; 2])> = None;
    for &first in &sensors {
        for &second in &sensors {
            for &last in &sensors {
                triples += 1;
                let ((p, q), (r, s)) = (gain(&[first], last), gain(&[first, second], last));
                if r * q <= p * s {
                    continue;
                }
                gaining += 1;
                let gains = [p as f64 / q as f64, r as f64 / s as f64];
                let ratio = gains[1] / gains[0];
                if most.as_ref().is_none_or(|(best, ..)| ratio > *best) {
                    most = Some((ratio, [first, second, last], gains));
                }
            }
        }
    }
    let words = most.as_ref().map(|(_, sensors, _)| {
        let each = sensors.map(|[x, y]| format!("({x} {y})"));
        each.join(" ")
    });
    Ok(vec![row_of(&[
        ("part", "submodular".into()),
        ("best_rows", words.into()),
        ("matrices", triples.into()),
        ("identical", gaining.into()),
        ("small_gain", most.as_ref().map(|m| m.2[0]).into()),
        ("large_gain", most.as_ref().map(|m| m.2[1]).into()),
    ])?])
}
