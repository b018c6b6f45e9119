//! The random matrices, all but the disturbed ones with a mean squared row norm of 1.

use nalgebra::DMatrix;
use std::f64::consts::{SQRT_2, TAU};
use ticketsense::linalg::dense::thin_qr;
use ticketsense::operators::GaussianEnsemble;
use ticketsense::operators::PartialFourierEnsemble;
use ticketsense::{Error, Result, Seed};

/// Common part of correlated rows: the correlation of any two.
const COMMON: f64 = 0.9;

/// Independent standard normal entries.
pub(super) fn normal(rows: usize, columns: usize, seed: &Seed) -> Result<DMatrix<f64>> {
    let drawn = GaussianEnsemble { rows, columns }.draw(seed)?;
    Ok(drawn.matrix() * (rows as f64).sqrt())
}

/// Rows with the directions of Gaussian ones and norms that are spread by further factors `e^{spread·z}`.
pub(super) fn spread(rows: usize, columns: usize, spread: f64, seed: &Seed) -> Result<DMatrix<f64>> {
    let mut a = normal(rows, columns, &seed.stream("directions"))?;
    let factors = normal(rows, 1, &seed.stream("norms"))?;
    for (mut row, z) in a.row_iter_mut().zip(factors.iter()) {
        row *= (spread * z).exp();
    }
    Ok(normalised(a))
}

fn normalised(a: DMatrix<f64>) -> DMatrix<f64> {
    let scale = (a.nrows() as f64).sqrt() / a.norm();
    a * scale
}

/// Orthonormal rows, uniformly distributed.
pub(super) fn orthonormal(rows: usize, columns: usize, seed: &Seed) -> Result<DMatrix<f64>> {
    Ok(thin_qr(&normal(columns, rows, seed)?)?.q.transpose())
}

/// A matrix of a named ensemble with m rows; for the unitary one n = m.
pub(super) fn draw(ensemble: &str, rows: usize, columns: usize, seed: &Seed) -> Result<DMatrix<f64>> {
    if let Some(word) = ensemble.strip_prefix("spread-") {
        let value = word.parse().map_err(|_| Error::argument("spread", "a number", word))?;
        return spread(rows, columns, value, seed);
    }
    match ensemble {
        "gaussian" => spread(rows, columns, 0.0, seed),
        "correlated" => {
            let common = normal(1, columns, &seed.stream("common"))?;
            let own = normal(rows, columns, &seed.stream("directions"))?;
            Ok(normalised(DMatrix::from_fn(rows, columns, |i, j| {
                COMMON.sqrt() * common[(0, j)] + (1.0 - COMMON).sqrt() * own[(i, j)]
            })))
        }
        "fourier" => fourier(rows, columns, seed),
        "unitary" => orthonormal(rows, rows, seed),
        other => Err(Error::unknown("ensemble", other, super::ENSEMBLES)),
    }
}

/// Samples at m even times of a real trigonometric polynomial with a constant and `(n − 1)/2` random frequencies below m/2:
/// every row has the norm 1, whatever the frequencies.
fn fourier(rows: usize, columns: usize, seed: &Seed) -> Result<DMatrix<f64>> {
    let available = (rows - 1) / 2;
    let wanted = (columns - 1) / 2;
    if columns != 2 * wanted + 1 || wanted > available {
        return Err(Error::argument("columns", "an odd number below the rows", columns));
    }
    let choice = PartialFourierEnsemble {
        rows: wanted,
        columns: available,
    };
    let frequencies = choice.draw(seed)?.rows().to_vec();
    let scale = 1.0 / (columns as f64).sqrt();
    Ok(DMatrix::from_fn(rows, columns, |i, j| {
        let angle = |pair: usize| TAU * ((i * (frequencies[pair] + 1)) % rows) as f64 / rows as f64;
        match j {
            0 => scale,
            j if j % 2 == 1 => scale * SQRT_2 * angle((j - 1) / 2).cos(),
            j => scale * SQRT_2 * angle((j - 1) / 2).sin(),
        }
    }))
}
