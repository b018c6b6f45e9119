//! Random networks, planted vectors, and Gaussian matrices of the same size.

use super::{OPERATORS, SOLVERS, row_of};
use nalgebra::DMatrix;
use rand::RngExt;
use rand::seq::index::sample;
use ticketsense::estimators::{Estimator, ParallelColumns};
use ticketsense::harness::Context;
use ticketsense::linalg::dense::singular_values;
use ticketsense::linalg::norm;
use ticketsense::linearize::{Biases, Linearisation, RowTransform};
use ticketsense::networks::{Array, Initialisation, Network};
use ticketsense::operators::{DenseOperator, GaussianEnsemble, MeasurementOperator};
use ticketsense::recovery::{Omp, PlantedTest, PlantedVerdict, Solver};
use ticketsense::table::Row;
use ticketsense::{Result, Seed};

/// Features of an input and classes of every network here.
const INPUTS: usize = 8;
const CLASSES: usize = 4;
/// Nonzeros over rows that are examined, where they make different whole numbers.
const FRACTIONS: [f64; 12] = [
    0.015, 0.03, 0.05, 0.075, 0.105, 0.14, 0.18, 0.23, 0.29, 0.36, 0.44, 0.55,
];
/// Relative error that counts as recovered by matching pursuit.
const RECOVERED: f64 = 1e-4;

/// A family of networks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub layers: usize,
    pub width: usize,
    /// Rows over weights that is aimed at.
    pub ratio: f64,
}

impl Size {
    pub fn network(&self) -> Result<Network> {
        let widths = vec![self.width.to_string(); self.layers - 1].join("-");
        Network::preset(&format!("mlp:{widths}:no-bias"), INPUTS, CLASSES)
    }

    /// Samples whose outputs come nearest to the ratio.
    pub fn samples(&self, weights: usize) -> usize {
        ((self.ratio * weights as f64 / CLASSES as f64).round() as usize).max(1)
    }
}

/// Different numbers of nonzeros, ascending.
pub(super) fn numbers_of_nonzeros(rows: usize) -> Vec<usize> {
    let mut all: Vec<usize> = FRACTIONS
        .iter()
        .map(|f| ((f * rows as f64).round() as usize).max(1))
        .collect();
    all.dedup();
    all
}

/// The Jacobian of a random network on Gaussian inputs, over all weights.
pub(super) fn jacobian(network: &Network, samples: usize, seed: &Seed) -> Result<DMatrix<f64>> {
    let theta: Vec<f64> = network.initial(seed, &Initialisation::HE)?;
    let mut rng = seed.stream("inputs").rng();
    let inputs = Array::from_fn(samples, INPUTS, |_, _| rng.sample(rand_distr::StandardNormal));
    let at = Linearisation::new(network, &theta, &inputs)?;
    let weights = network.layout().weights();
    Ok(at.jacobian(&weights, RowTransform::Identity, Biases::Fixed)?.to_dense())
}

/// The columns that are not zero.
pub(super) fn live_columns(a: &DMatrix<f64>) -> Vec<usize> {
    (0..a.ncols()).filter(|&j| norm(a.column(j).as_slice()) > 0.0).collect()
}

/// Singular values above `max(m, n) ε σ_max`, the rounding of the decomposition.
pub(super) fn rank(a: &DMatrix<f64>) -> Result<usize> {
    let values = singular_values(a)?;
    let cut = a.nrows().max(a.ncols()) as f64 * f64::EPSILON * values.first().copied().unwrap_or(0.0);
    Ok(values.iter().filter(|v| **v > cut).count())
}

/// A vector of `nonzeros` entries ±1 on random columns among `of`, fewer where there are not so many.
pub(super) fn planted(columns: usize, of: &[usize], nonzeros: usize, seed: &Seed) -> Vec<f64> {
    let mut rng = seed.stream("planted").rng();
    let mut x = vec![0.0; columns];
    for place in sample(&mut rng, of.len(), nonzeros.min(of.len())) {
        x[of[place]] = if rng.random::<bool>() { 1.0 } else { -1.0 };
    }
    x
}

fn gaussian(rows: usize, columns: usize, seed: &Seed) -> Result<DMatrix<f64>> {
    let ensemble = GaussianEnsemble { rows, columns };
    Ok(ensemble.draw(seed)?.matrix().clone())
}

/// What happened to one planted vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Recovered,
    Missed,
    Undecided,
}

/// Matching pursuit, told k, finds x again, or basis pursuit is proven to.
pub(super) fn outcome(a: &DenseOperator, solver: &str, x: &[f64]) -> Result<Outcome> {
    if solver == "basis-pursuit" {
        return Ok(match PlantedTest::default().run(a, x)?.verdict {
            PlantedVerdict::Recovered { .. } => Outcome::Recovered,
            PlantedVerdict::Beaten { .. } => Outcome::Missed,
            PlantedVerdict::Undecided => Outcome::Undecided,
        });
    }
    let nonzeros = x.iter().filter(|v| **v != 0.0).count();
    let greedy = Omp {
        max_support: Some(nonzeros),
        ..Omp::default()
    };
    let found = greedy.solve(a, &a.apply(x)?)?.x;
    let error: Vec<f64> = found.iter().zip(x).map(|(a, b)| a - b).collect();
    Ok(if norm(&error) <= RECOVERED * norm(x) {
        Outcome::Recovered
    } else {
        Outcome::Missed
    })
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    successes: [usize; 2],
    undecided: [usize; 2],
    rank: usize,
    zero: usize,
    parallel: usize,
}

/// All rows of one family: every trial has a network, a planted vector and Gaussian matrices of its own, so that trials
/// are independent.
pub(super) fn rows(size: &Size, trials: usize, context: &Context<'_>, seed: &Seed) -> Result<Vec<Row>> {
    let network = size.network()?;
    let columns = network.layout().len();
    let samples = size.samples(columns);
    let measurements = samples * CLASSES;
    let mut rows = Vec::new();
    for nonzeros in numbers_of_nonzeros(measurements) {
        context.check()?;
        let mut tallies = [Tally::default(); 3];
        for trial in 0..trials {
            let seed = seed.stream(format!("nonzeros={nonzeros}")).replicate(trial as u64);
            let jacobian = jacobian(&network, samples, &seed)?;
            let (live, rank) = (live_columns(&jacobian), rank(&jacobian)?);
            let everywhere: Vec<usize> = (0..columns).collect();
            let effective: Vec<usize> = (0..live.len()).collect();
            let problems = [
                (jacobian, live),
                (gaussian(measurements, columns, &seed.stream("gaussian"))?, everywhere),
                (
                    gaussian(rank.max(1), effective.len().max(1), &seed.stream("effective"))?,
                    effective,
                ),
            ];
            for (number, ((matrix, of), tally)) in problems.into_iter().zip(&mut tallies).enumerate() {
                let x = planted(matrix.ncols(), &of, nonzeros, &seed);
                // A Gaussian matrix has full rank, and neither zero nor parallel columns, with probability 1.
                tally.rank += if number == 0 { rank } else { matrix.nrows() };
                tally.zero += matrix.ncols() - of.len();
                let operator = DenseOperator::new(matrix)?;
                if number == 0 {
                    tally.parallel += ParallelColumns::default().estimate(&operator, &seed)?.value.merged;
                }
                for (s, solver) in SOLVERS.into_iter().enumerate() {
                    match outcome(&operator, solver, &x)? {
                        Outcome::Recovered => tally.successes[s] += 1,
                        Outcome::Undecided => tally.undecided[s] += 1,
                        Outcome::Missed => {}
                    }
                }
            }
        }
        let mean = |sum: usize| sum as f64 / trials as f64;
        for (operator, tally) in OPERATORS.into_iter().zip(tallies) {
            for (s, solver) in SOLVERS.into_iter().enumerate() {
                rows.push(row_of(&[
                    ("operator", operator.into()),
                    ("solver", solver.into()),
                    ("layers", size.layers.into()),
                    ("width", size.width.into()),
                    ("ratio", size.ratio.into()),
                    ("rows", measurements.into()),
                    ("columns", columns.into()),
                    ("nonzeros", nonzeros.into()),
                    ("trials", trials.into()),
                    ("successes", tally.successes[s].into()),
                    ("undecided", tally.undecided[s].into()),
                    ("rank", mean(tally.rank).into()),
                    ("zero", mean(tally.zero).into()),
                    ("parallel", mean(tally.parallel).into()),
                ])?);
            }
        }
    }
    Ok(rows)
}
