//! Random networks, planted vectors, and Gaussian matrices of the same size.

use super::{OPERATORS, SOLVERS, row_of};
use nalgebra::DMatrix;
use rand::RngExt;
use rand::seq::index::sample;
use ticketsense::estimators::{Estimator, ParallelColumns};
use ticketsense::harness::Context;
use ticketsense::linalg::dense::thin_svd;
use ticketsense::linalg::norm;
use ticketsense::linearize::{Biases, Linearisation, RowTransform};
use ticketsense::networks::{Array, Initialisation, Network};
use ticketsense::operators::{DenseOperator, GaussianEnsemble, MeasurementOperator};
use ticketsense::recovery::{BasisPursuit, Omp, PlantedTest, PlantedVerdict, Solver};
use ticketsense::table::Row;
use ticketsense::{Error, Result, Seed};

/// Features of an input and classes of every network here.
const INPUTS: usize = 8;
const CLASSES: usize = 4;
/// Nonzeros over rows that are examined, where they make different whole numbers.
const FRACTIONS: [f64; 12] = [
    0.015, 0.03, 0.05, 0.075, 0.105, 0.14, 0.18, 0.23, 0.29, 0.36, 0.44, 0.55,
];
/// The most networks drawn for one trial.
const DRAWS: usize = 1000;
/// Relative error that counts as recovered by a solver.
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

/// An orthonormal basis of the row space, a row each: singular values count above `max(m, n) ε σ_max`, the rounding of the
/// decomposition. `A x = A z` exactly where `R x = R z`, so that basis pursuit cannot tell the two apart, while a proof
/// asks for independent rows.
pub(super) fn independent_rows(a: &DMatrix<f64>) -> Result<DMatrix<f64>> {
    let svd = thin_svd(a)?;
    let largest = svd.singular_values.iter().fold(0.0f64, |m, v| m.max(*v));
    let cut = a.nrows().max(a.ncols()) as f64 * f64::EPSILON * largest;
    let rank = svd.singular_values.iter().filter(|v| **v > cut).count();
    Ok(svd.v.columns(0, rank).transpose())
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
pub(super) struct Outcome {
    pub recovered: bool,
    /// Whether basis pursuit's own solution had to tell, where rounding leaves no proof.
    pub unproven: bool,
}

/// Matching pursuit, told k, finds x again, or basis pursuit is proven to; where neither that nor its opposite can be proven,
/// it is solved.
pub(super) fn outcome(a: &DenseOperator, solver: &str, x: &[f64]) -> Result<Outcome> {
    let proven = |recovered: bool| Outcome {
        recovered,
        unproven: false,
    };
    if solver == "basis-pursuit" {
        match PlantedTest::default().run(a, x)?.verdict {
            PlantedVerdict::Recovered { .. } => return Ok(proven(true)),
            PlantedVerdict::Beaten { .. } => return Ok(proven(false)),
            PlantedVerdict::Undecided => {}
        }
        return Ok(Outcome {
            recovered: is_found(&BasisPursuit::default(), a, x)?,
            unproven: true,
        });
    }
    let greedy = Omp {
        max_support: Some(x.iter().filter(|v| **v != 0.0).count()),
        ..Omp::default()
    };
    Ok(proven(is_found(&greedy, a, x)?))
}

fn is_found(solver: &dyn Solver, a: &DenseOperator, x: &[f64]) -> Result<bool> {
    let found = solver.solve(a, &a.apply(x)?)?.x;
    let error: Vec<f64> = found.iter().zip(x).map(|(a, b)| a - b).collect();
    Ok(norm(&error) <= RECOVERED * norm(x))
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    successes: [usize; 2],
    unproven: [usize; 2],
    rank: usize,
    zero: usize,
    parallel: usize,
    redrawn: usize,
}

/// The first of a sequence of random Jacobians with at least `nonzeros` live columns, these, and how many came before: small
/// deep networks are dead at times.
fn with_room(
    network: &Network,
    samples: usize,
    nonzeros: usize,
    seed: &Seed,
) -> Result<(DMatrix<f64>, Vec<usize>, usize)> {
    for redrawn in 0..DRAWS {
        let a = jacobian(network, samples, &seed.stream(format!("draw={redrawn}")))?;
        let live = live_columns(&a);
        if live.len() >= nonzeros {
            return Ok((a, live, redrawn));
        }
    }
    Err(Error::numerical(
        "random networks",
        format!("none of {DRAWS} has {nonzeros} live columns"),
    ))
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
            let (jacobian, live, redrawn) = with_room(&network, samples, nonzeros, &seed)?;
            tallies[0].redrawn += redrawn;
            let independent = independent_rows(&jacobian)?;
            let rank = independent.nrows();
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
                let for_proof = match number {
                    0 => Some(DenseOperator::new(independent.clone())?),
                    _ => None,
                };
                if number == 0 {
                    tally.parallel += ParallelColumns::default().estimate(&operator, &seed)?.value.merged;
                }
                for (s, solver) in SOLVERS.into_iter().enumerate() {
                    let through = for_proof.as_ref().filter(|_| solver == "basis-pursuit");
                    let found = outcome(through.unwrap_or(&operator), solver, &x)?;
                    tally.successes[s] += usize::from(found.recovered);
                    tally.unproven[s] += usize::from(found.unproven);
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
                    ("unproven", tally.unproven[s].into()),
                    ("rank", mean(tally.rank).into()),
                    ("zero", mean(tally.zero).into()),
                    ("parallel", mean(tally.parallel).into()),
                    ("redrawn", mean(tally.redrawn).into()),
                ])?);
            }
        }
    }
    Ok(rows)
}
