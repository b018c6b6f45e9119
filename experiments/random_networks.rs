//! Small random networks without biases on Gaussian inputs, and sparse vectors planted behind their Jacobians.

use rand::RngExt;
use rand::seq::index::sample;
use ticketsense::linalg::norm;
use ticketsense::networks::Array;
use ticketsense::operators::MeasurementOperator;
use ticketsense::recovery::Solver;
use ticketsense::{Result, Seed};

/// Features of an input and classes of every network here.
pub const INPUTS: usize = 8;
pub const CLASSES: usize = 4;

/// Relative error that counts as recovered.
const RECOVERED: f64 = 1e-4;

/// The name of a bias-free network of `layers` weight layers of the given hidden width.
pub fn network_name(activation: &str, layers: usize, width: usize) -> String {
    let widths = vec![width.to_string(); layers - 1].join("-");
    let base = if layers == 1 {
        "linear".to_string()
    } else {
        format!("mlp:{widths}")
    };
    format!("{base}:{activation}:no-bias")
}

/// Independent standard normal inputs.
pub fn gaussian_inputs(samples: usize, seed: &Seed) -> Array<f64> {
    let mut rng = seed.stream("inputs").rng();
    Array::from_fn(samples, INPUTS, |_, _| rng.sample(rand_distr::StandardNormal))
}

/// A vector of `nonzeros` entries ±1 on random columns among `of`, fewer where there are not so many.
pub fn planted_signs(columns: usize, of: &[usize], nonzeros: usize, rng: &mut impl rand::Rng) -> Vec<f64> {
    let mut x = vec![0.0; columns];
    for place in sample(rng, of.len(), nonzeros.min(of.len())) {
        x[of[place]] = if rng.random::<bool>() { 1.0 } else { -1.0 };
    }
    x
}

/// Whether a solver finds x again from `A x`.
pub fn is_found(solver: &dyn Solver, a: &dyn MeasurementOperator, x: &[f64]) -> Result<bool> {
    let found = solver.solve(a, &a.apply(x)?)?.x;
    let error: Vec<f64> = found.iter().zip(x).map(|(a, b)| a - b).collect();
    Ok(norm(&error) <= RECOVERED * norm(x))
}
