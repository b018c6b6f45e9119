//! Random networks, planted vectors, and Gaussian matrices of the same size.

use super::{OPERATORS, SOLVERS, row_of};
use crate::experiments::random_networks::{CLASSES, INPUTS, gaussian_inputs, is_found, network_name, planted_signs};
use nalgebra::DMatrix;
use ticketsense::estimators::{Estimator, ParallelColumns};
use ticketsense::harness::Context;
use ticketsense::linalg::dense::orthonormal_rows;
use ticketsense::linalg::norm;
use ticketsense::linearize::{Biases, Linearisation, RowTransform};
use ticketsense::networks::{Initialisation, Network};
use ticketsense::operators::{DenseOperator, GaussianEnsemble, MeasurementOperator};
use ticketsense::recovery::{BasisPursuit, Omp, PlantedTest, PlantedVerdict};
use ticketsense::table::Row;
use ticketsense::{Error, Result, Seed};

/// Nonzeros over rows that are examined, where they make different whole numbers.
const FRACTIONS: [f64; 12] = [
    0.015, 0.03, 0.05, 0.075, 0.105, 0.14, 0.18, 0.23, 0.29, 0.36, 0.44, 0.55,
];
/// The most networks drawn for one trial.
const DRAWS: usize = 1000;

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
        Network::preset(&network_name("relu", self.layers, self.width), INPUTS, CLASSES)
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
    let at = Linearisation::new(network, &theta, &gaussian_inputs(samples, seed))?;
    let weights = network.layout().weights();
    Ok(at.jacobian(&weights, RowTransform::Identity, Biases::Fixed)?.to_dense())
}

/// The columns that are not zero.
pub(super) fn live_columns(a: &DMatrix<f64>) -> Vec<usize> {
    (0..a.ncols()).filter(|&j| norm(a.column(j).as_slice()) > 0.0).collect()
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
            // `A x = A z` exactly where `R x = R z` for a basis R of the rows, so that basis pursuit cannot tell the two
            // apart, while a proof asks for independent rows.
            let independent = orthonormal_rows(&jacobian)?;
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
                let x = planted_signs(matrix.ncols(), &of, nonzeros, &mut seed.stream("planted").rng());
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
