//! Signals, noise, and one problem solved by one method.

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_distr::StandardNormal;
use ticketsense::linalg::norm;
use ticketsense::operators::{DenseOperator, MeasurementOperator};
use ticketsense::recovery::{
    BasisPursuitDenoising, Certificate, HardThresholdingPursuit, IterativeHardThresholding, NormalisedIht, Radius,
    Recovery, Solver,
};
use ticketsense::{Result, Seed};

/// A signal and noise.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub signal: Vec<f64>,
    pub noise: Vec<f64>,
}

/// Brings a vector to a norm; zero stays zero.
pub(super) fn scale_to(vector: &mut [f64], size: f64) {
    let found = norm(vector);
    let factor = if found > 0.0 { size / found } else { 0.0 };
    vector.iter_mut().for_each(|v| *v *= factor);
}

/// A random vector of a norm, all directions alike.
pub(super) fn direction(length: usize, size: f64, rng: &mut impl rand::Rng) -> Vec<f64> {
    let mut vector: Vec<f64> = (0..length).map(|_| rng.sample(StandardNormal)).collect();
    scale_to(&mut vector, size);
    vector
}

/// A signal of norm 1 with these magnitudes, at random places with random signs.
pub(super) fn placed(magnitudes: Vec<f64>, rng: &mut impl rand::Rng) -> Vec<f64> {
    let mut signal = magnitudes;
    for v in &mut signal {
        if rng.random::<bool>() {
            *v = -*v;
        }
    }
    signal.shuffle(rng);
    scale_to(&mut signal, 1.0);
    signal
}

/// The magnitudes of a kind of signal.
pub(super) fn magnitudes(kind: &str, columns: usize, nonzeros: usize, rng: &mut impl rand::Rng) -> Vec<f64> {
    (0..columns)
        .map(|j| match kind {
            "sparse" if j < nonzeros => rng.sample::<f64, _>(StandardNormal),
            "sparse" => 0.0,
            "flat" if j < nonzeros => 1.0,
            "flat" => 0.2,
            _ => power(j, 1.0),
        })
        .collect()
}

/// The entry of rank j, counted from 0, of a signal that decays.
pub(super) fn power(j: usize, decay: f64) -> f64 {
    ((j + 1) as f64).powf(-decay)
}

/// Norms of a signal around its k largest entries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Norms {
    pub head: f64,
    pub tail_l1: f64,
    pub tail_l2: f64,
}

impl Norms {
    pub fn of(signal: &[f64], nonzeros: usize) -> Self {
        let mut sizes: Vec<f64> = signal.iter().map(|v| v.abs()).collect();
        sizes.sort_by(|x, y| y.total_cmp(x));
        let (head, tail) = sizes.split_at(nonzeros.min(sizes.len()));
        Norms {
            head: norm(head),
            tail_l1: tail.iter().sum(),
            tail_l2: norm(tail),
        }
    }
}

/// What a method made of a problem.
pub(super) struct Answer {
    pub recovery: Recovery,
    pub error: f64,
}

/// Solves `y = A x + e` by a method that is told k and ‖e‖.
pub(super) fn solve(
    a: &DenseOperator,
    problem: &Problem,
    method: &str,
    nonzeros: usize,
    unit_step: bool,
) -> Result<Answer> {
    let mut y = a.apply(&problem.signal)?;
    y.iter_mut().zip(&problem.noise).for_each(|(y, e)| *y += e);
    let solver: &dyn Solver = match method {
        "iht" => &IterativeHardThresholding::new(nonzeros),
        "normalised iht" => &NormalisedIht::new(nonzeros),
        "htp" => &HardThresholdingPursuit {
            unit_step,
            ..HardThresholdingPursuit::new(nonzeros)
        },
        _ => &BasisPursuitDenoising::new(Radius::Absolute(norm(&problem.noise))),
    };
    let recovery = solver.solve(a, &y)?;
    let difference: Vec<f64> = recovery.x.iter().zip(&problem.signal).map(|(f, x)| f - x).collect();
    Ok(Answer {
        error: norm(&difference),
        recovery,
    })
}

/// The proven gap of a convex answer; infinite without one.
pub(super) fn gap(recovery: &Recovery) -> f64 {
    match &recovery.certificate {
        Certificate::DualityGap { gap, .. } => gap.max(0.0),
        _ => f64::INFINITY,
    }
}

/// The random numbers of a named stream.
pub(super) fn stream(seed: &Seed, name: &str, number: u64) -> impl rand::Rng + use<> {
    seed.stream(name).replicate(number).rng()
}
