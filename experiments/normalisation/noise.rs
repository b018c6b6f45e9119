//! The statistics of a batch of Gaussian entries, independent or convolved, as the library's own layer takes them.

use super::super::rows::row_of;
use super::COLUMNS;
use rand::RngExt;
use rand_distr::StandardNormal;
use ticketsense::harness::{Cell, Context};
use ticketsense::networks::{Array, ImageShape, Network, NetworkBuilder, NormalisationKind};
use ticketsense::table::Row;
use ticketsense::{Error, Result, Seed};

/// Kernels with the sides of their images and the batch sizes: a single sample needs positions.
pub const GRID: [(&str, usize, &[usize]); 4] = [
    (NONE, 1, &[2, 4, 8, 32]),
    (NONE, 4, &[1, 2, 8, 32]),
    (SMOOTH, 4, &[1, 2, 8, 32]),
    (DIFFERENCE, 4, &[1, 2, 8, 32]),
];
pub const NONE: &str = "none";
pub const SMOOTH: &str = "smooth";
pub const DIFFERENCE: &str = "difference";

/// The variance of the mean, the mean of the unbiased variance, and the variance of the unbiased variance, all for entries
/// of variance 1.
pub const QUANTITIES: [&str; 3] = ["variance of the mean", "mean of the variance", "spread of the variance"];
/// Channels, each a replicate of its own.
const CHANNELS: usize = 16;
/// Width of the kernels.
const WIDTH: usize = 3;

/// A kernel of Euclidean norm 1, row by row: what it makes of independent entries has variance 1.
fn kernel(name: &str) -> Result<[f64; WIDTH * WIDTH]> {
    Ok(match name {
        NONE => std::array::from_fn(|i| if i == 4 { 1.0 } else { 0.0 }),
        SMOOTH => [1.0 / 3.0; 9],
        // Eight times the middle minus its neighbours.
        DIFFERENCE => std::array::from_fn(|i| if i == 4 { 8.0 } else { -1.0 } / 72f64.sqrt()),
        other => return Err(Error::unknown("kernel", other, [NONE, SMOOTH, DIFFERENCE])),
    })
}

/// The eigenvalues of the covariance of a convolved image on a torus, the one of the constant image first: squared absolute
/// values of the Fourier coefficients of the kernel.
fn eigenvalues(name: &str, side: usize) -> Result<Vec<f64>> {
    let kernel = kernel(name)?;
    let mut values = Vec::with_capacity(side * side);
    for row in 0..side {
        for column in 0..side {
            let (mut real, mut imaginary) = (0.0, 0.0);
            for (place, weight) in kernel.iter().enumerate() {
                let (down, right) = (place / WIDTH, place % WIDTH);
                let turns = (row * down + column * right) as f64 / side as f64;
                let angle = std::f64::consts::TAU * turns;
                real += weight * angle.cos();
                imaginary += weight * angle.sin();
            }
            values.push(real * real + imaginary * imaginary);
        }
    }
    Ok(values)
}

/// The laws of the three quantities, each with the standard deviation of one replicate of its estimate.
///
/// With eigenvalues λ_k of one image, λ_0 that of the constant one, and n = B · side² entries, the mean of a batch is Gaussian
/// of variance λ_0/n. The unbiased variance is a quadratic form of eigenvalues λ_k/(n − 1), each B times but for one λ_0 that
/// the mean takes away: its cumulants are Σ μ, 2 Σ μ², …, 48 Σ μ⁴.
pub fn laws(name: &str, side: usize, batch: usize) -> Result<[(f64, f64); 3]> {
    let values = eigenvalues(name, side)?;
    let entries = (batch * side * side) as f64;
    if entries < 2.0 {
        return Err(Error::argument("entries", "at least 2", entries));
    }
    let power = |k: i32| {
        let all: f64 = values.iter().map(|v| v.powi(k)).sum();
        (batch as f64 * all - values[0].powi(k)) / (entries - 1.0).powi(k)
    };
    let of_mean = values[0] / entries;
    let (mean, spread) = (power(1), 2.0 * power(2));
    let fourth = 48.0 * power(4) + 2.0 * spread * spread;
    Ok([
        (of_mean, of_mean * 2f64.sqrt()),
        (mean, spread.sqrt()),
        (spread, fourth.sqrt()),
    ])
}

/// One normalisation over the batch.
fn network(side: usize) -> Result<Network> {
    let image = ImageShape {
        channels: CHANNELS,
        height: side,
        width: side,
    };
    NetworkBuilder::new("statistics", image)?
        .normalise(NormalisationKind::Batch)?
        .dense(1)?
        .build()
}

/// A batch of independent images in every channel, convolved on a torus.
fn images(kernel: &[f64; WIDTH * WIDTH], side: usize, batch: usize, seed: &Seed) -> Result<Array<f64>> {
    let mut rng = seed.rng();
    let size = side * side;
    let mut values = Vec::with_capacity(batch * CHANNELS * size);
    let mut white = vec![0.0; size];
    for _ in 0..batch * CHANNELS {
        white.iter_mut().for_each(|v| *v = rng.sample(StandardNormal));
        if side < WIDTH {
            values.extend_from_slice(&white);
            continue;
        }
        for row in 0..side {
            for column in 0..side {
                let terms = kernel.iter().enumerate().map(|(place, weight)| {
                    let (down, right) = ((row + place / WIDTH) % side, (column + place % WIDTH) % side);
                    weight * white[down * side + right]
                });
                values.push(terms.sum());
            }
        }
    }
    Array::new(batch, CHANNELS * size, values)
}

/// The three quantities of one kernel, side and batch size.
pub fn rows(cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
    let (name, side, batch) = (cell.text("kernel")?, cell.integer("side")?, cell.integer("batch")?);
    let laws = laws(name, side, batch)?;
    let (kernel, network) = (kernel(name)?, network(side)?);
    let entries = batch * side * side;
    let scale = context.scale();
    // Few entries have heavy tails and cost little.
    let calls = if entries <= 32 {
        scale.pick(100, 3200, 20_000)
    } else {
        scale.pick(50, 400, 4000)
    };
    let seed = context.seed(cell);
    let theta: Vec<f64> = network.initial(&seed, &ticketsense::networks::Initialisation::GLOROT)?;
    let layout = network.layout();
    let (of_mean, of_variance) = (
        layout.slot("normalisation0.mean")?.range.clone(),
        layout.slot("normalisation0.variance")?.range.clone(),
    );
    let mut sums = [0.0; 3];
    for call in 0..calls {
        context.check()?;
        let inputs = images(&kernel, side, batch, &seed.replicate(call as u64))?;
        let found = network.with_statistics_of(&theta, &inputs)?;
        for (mean, variance) in found[of_mean.clone()].iter().zip(&found[of_variance.clone()]) {
            sums[0] += mean * mean;
            sums[1] += variance;
            sums[2] += (variance - laws[1].0).powi(2);
        }
    }
    let replicates = calls * CHANNELS;
    let rows = QUANTITIES
        .iter()
        .zip(laws)
        .zip(sums)
        .map(|((quantity, (exact, deviation)), sum)| {
            row_of(
                COLUMNS,
                &[
                    ("part", super::NOISE.into()),
                    ("norm", super::BATCH_NORM.into()),
                    ("batch", batch.into()),
                    ("side", side.into()),
                    ("kernel", name.into()),
                    ("entries", entries.into()),
                    ("quantity", (*quantity).into()),
                    ("exact", exact.into()),
                    ("found", (sum / replicates as f64).into()),
                    ("standard_error", (deviation / (replicates as f64).sqrt()).into()),
                    ("replicates", replicates.into()),
                ],
            )
        });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn independent_entries_have_the_textbook_laws() {
        for batch in [2usize, 4, 8, 32] {
            let n = batch as f64;
            let [mean, variance, spread] = laws(NONE, 1, batch).unwrap();
            assert!((mean.0 - 1.0 / n).abs() < 1e-15 && (variance.0 - 1.0).abs() < 1e-14);
            assert!((spread.0 - 2.0 / (n - 1.0)).abs() < 1e-14);
            // Fourth central moment of a chi-square of k over k: 12 (k + 4)/k³, minus the square of the variance.
            let k = n - 1.0;
            let fourth = 12.0 * (k + 4.0) / k.powi(3) - 4.0 / (k * k);
            assert!((spread.1 * spread.1 / fourth - 1.0).abs() < 1e-12, "{batch}");
        }
        assert!(laws(NONE, 1, 1).is_err() && laws("rough", 4, 2).is_err());
    }

    #[test]
    fn correlated_entries_have_the_laws_of_their_covariance_matrix() {
        // The plain route: traces of the centred covariance of all entries of a batch.
        for name in [NONE, SMOOTH, DIFFERENCE] {
            let (side, batch) = (4usize, 2usize);
            let kernel = kernel(name).unwrap();
            let size = side * side;
            let weight = |to: usize, from: usize| -> f64 {
                let reach = |place: usize| {
                    let (row, column) = (to / side + place / WIDTH, to % side + place % WIDTH);
                    (row % side) * side + column % side == from
                };
                (0..9).filter(|&place| reach(place)).map(|place| kernel[place]).sum()
            };
            let n = batch * size;
            let covariance = |i: usize, j: usize| -> f64 {
                if i / size != j / size {
                    return 0.0;
                }
                (0..size).map(|k| weight(i % size, k) * weight(j % size, k)).sum()
            };
            let full: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| covariance(i, j)).collect()).collect();
            let of_mean = full.iter().flatten().sum::<f64>() / (n * n) as f64;
            // A C with A = I − 11ᵀ/n: the mean over every column is taken off.
            let centred: Vec<Vec<f64>> = (0..n)
                .map(|i| {
                    let off = |j: usize| full.iter().map(|row| row[j]).sum::<f64>() / n as f64;
                    (0..n).map(|j| full[i][j] - off(j)).collect()
                })
                .collect();
            let trace: f64 = (0..n).map(|i| centred[i][i]).sum();
            let square: f64 = (0..n)
                .map(|i| (0..n).map(|j| centred[i][j] * centred[j][i]).sum::<f64>())
                .sum();
            let left = (n - 1) as f64;
            let [mean, variance, spread] = laws(name, side, batch).unwrap();
            assert!((mean.0 - of_mean).abs() < 1e-14, "{name}");
            assert!((variance.0 - trace / left).abs() < 1e-13, "{name}");
            assert!((spread.0 - 2.0 * square / (left * left)).abs() < 1e-13, "{name}");
        }
    }
}
