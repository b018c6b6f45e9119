//! The linear model of a network at its initial weights, asked about weights that are set to zero.

use super::row_of;
use crate::experiments::random_networks::{CLASSES, INPUTS, gaussian_inputs, network_name};
use rand::RngExt;
use rand::seq::SliceRandom;
use ticketsense::linalg::{dot, norm};
use ticketsense::linearize::Linearisation;
use ticketsense::networks::{Initialisation, Network};
use ticketsense::statistics::Summary;
use ticketsense::support::round_half_up;
use ticketsense::table::Row;
use ticketsense::{Result, Seed};

/// Activation and weight layers of the networks whose linearisation error is measured. The first is linear in θ.
pub(super) const ERROR_NETWORKS: [(&str, usize); 5] = [("relu", 1), ("relu", 2), ("relu", 3), ("tanh", 2), ("tanh", 3)];
/// Weight layers of the networks whose coefficient is measured.
pub(super) const REVERSAL_DEPTHS: [usize; 3] = [2, 3, 5];
/// Densities at which errors are measured; 0.9 and 0.1 are what the claim is judged at.
const DENSITIES: [f64; 9] = [0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95];
const WIDTH: usize = 32;
const SAMPLES: usize = 20;

/// One network with random weights and inputs, linearised there.
fn draw(activation: &str, layers: usize, width: usize, seed: &Seed) -> Result<Linearisation> {
    let network = Network::preset(&network_name(activation, layers, width), INPUTS, CLASSES)?;
    let scheme = if activation == "relu" {
        Initialisation::HE
    } else {
        Initialisation::LECUN
    };
    let theta: Vec<f64> = network.initial(seed, &scheme)?;
    Linearisation::new(&network, &theta, &gaussian_inputs(SAMPLES, seed))
}

/// `‖Jθ − L f(θ)‖ / ‖L f(θ)‖`: rounding for a network that is homogeneous of degree L in its weights.
fn euler_deviation(at: &Linearisation, layers: usize) -> Result<f64> {
    // f_lin(0) = f − Jθ, from the factors of the backward pass: the forward one would repeat the sums of f itself.
    let at_zero = at.linear_outputs(&vec![0.0; at.theta().len()])?;
    let expected: Vec<f64> = at.outputs().as_slice().iter().map(|f| layers as f64 * f).collect();
    let product: Vec<f64> = at
        .outputs()
        .as_slice()
        .iter()
        .zip(at_zero.as_slice())
        .map(|(f, l)| f - l)
        .collect();
    Ok(distance(&product, &expected) / norm(&expected))
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    norm(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<f64>>())
}

/// The parameters in the order in which they go.
fn order(at: &Linearisation, removed: &str, seed: &Seed) -> Vec<usize> {
    let theta = at.theta();
    let mut order: Vec<usize> = (0..theta.len()).collect();
    if removed == "smallest" {
        order.sort_by(|&i, &j| theta[i].abs().total_cmp(&theta[j].abs()));
    } else {
        order.shuffle(&mut seed.stream("order").rng());
    }
    order
}

/// Errors of the linear model against density, and Euler's identity.
pub(super) fn error(activation: &str, layers: usize, networks: usize, seed: &Seed) -> Result<Vec<Row>> {
    let places = DENSITIES.len();
    let mut euler = 0.0f64;
    let mut errors = [
        vec![(Vec::new(), Vec::new()); places],
        vec![(Vec::new(), Vec::new()); places],
    ];
    for number in 0..networks {
        let seed = seed.replicate(number as u64);
        let at = draw(activation, layers, WIDTH, &seed)?;
        euler = euler.max(euler_deviation(&at, layers)?);
        for (errors, removed) in errors.iter_mut().zip(["smallest", "random"]) {
            let order = order(&at, removed, &seed);
            for (errors, density) in errors.iter_mut().zip(DENSITIES) {
                let mut masked = at.theta().to_vec();
                for &i in &order[..round_half_up((1.0 - density) * order.len() as f64)] {
                    masked[i] = 0.0;
                }
                let truth = at.network().outputs(&masked, at.inputs())?;
                let error = distance(truth.as_slice(), at.linear_outputs(&masked)?.as_slice());
                errors.0.push(error / norm(at.outputs().as_slice()));
                errors
                    .1
                    .push(error / distance(truth.as_slice(), at.outputs().as_slice()));
            }
        }
    }
    let mut rows = vec![row_of(&[
        ("part", "euler".into()),
        ("activation", activation.into()),
        ("layers", layers.into()),
        ("networks", networks.into()),
        ("mean", euler.into()),
    ])?];
    for (errors, removed) in errors.iter().zip(["smallest", "random"]) {
        for ((of_output, of_change), density) in errors.iter().zip(DENSITIES) {
            let (output, change) = (Summary::of(of_output)?, Summary::of(of_change)?);
            rows.push(row_of(&[
                ("part", "error".into()),
                ("activation", activation.into()),
                ("layers", layers.into()),
                ("removed", removed.into()),
                ("density", density.into()),
                ("networks", networks.into()),
                ("mean", output.mean.into()),
                ("standard_error", output.standard_error().into()),
                ("of_change", change.mean.into()),
                ("of_change_error", change.standard_error().into()),
            ])?);
        }
    }
    Ok(rows)
}

/// The coefficient `⟨f_lin(m ∘ θ₀), f₀⟩ / ‖f₀‖²` of the linear model on the original output, under masks that keep each
/// weight with the probability of the density. Networks of one depth share weights and inputs over activations.
pub(super) fn reversal(
    activation: &str,
    layers: usize,
    networks: usize,
    masks: usize,
    seed: &Seed,
) -> Result<Vec<Row>> {
    let densities: Vec<f64> = (0..=10).map(|i| f64::from(i) / 10.0).collect();
    let mut means = vec![Vec::with_capacity(networks); densities.len()];
    for number in 0..networks {
        let seed = seed.replicate(number as u64);
        let at = draw(activation, layers, 16, &seed)?;
        let original = at.outputs().as_slice().to_vec();
        let energy = dot(&original, &original);
        let mut rng = seed.stream("masks").rng();
        for (means, &density) in means.iter_mut().zip(&densities) {
            let mut sum = 0.0;
            for _ in 0..masks {
                let keep = |w: &f64| if rng.random::<f64>() < density { *w } else { 0.0 };
                let masked: Vec<f64> = at.theta().iter().map(keep).collect();
                sum += dot(at.linear_outputs(&masked)?.as_slice(), &original) / energy;
            }
            means.push(sum / masks as f64);
        }
    }
    let row = |(means, density): (&Vec<f64>, &f64)| {
        let summary = Summary::of(means)?;
        row_of(&[
            ("part", "reversal".into()),
            ("activation", activation.into()),
            ("layers", layers.into()),
            ("density", (*density).into()),
            ("networks", networks.into()),
            ("mean", summary.mean.into()),
            ("standard_error", summary.standard_error().into()),
        ])
    };
    means.iter().zip(&densities).map(row).collect()
}
