//! What masks of the largest weights leave of the initial scale: Gaussian weights, signals through such masks, trained networks.

use super::COLUMNS;
use super::observed::{Sampled, sampled_row};
use crate::experiments::rows::row_of;
use crate::experiments::tickets::samples;
use rand::RngExt;
use rand_distr::StandardNormal;
use ticketsense::harness::{Cell, Context, Scale};
use ticketsense::networks::{Initialisation, Network};
use ticketsense::simulations::propagation::{LayerWeights, signal};
use ticketsense::table::Row;
use ticketsense::theory::mean_field::{inherited_scale, magnitude_threshold};
use ticketsense::training::{Optimiser, Trainer, TrainingPlan};
use ticketsense::{Error, Result, Seed};

/// The share of the squared length that the largest of Gaussian weights have.
pub(super) const INHERITED: &str = "inherited";
/// Lengths in critical ReLU networks of which the largest weights are kept.
pub(super) const MAGNITUDE: &str = "magnitude-network";
/// The same share in the hidden layers of trained networks: by the final weights, by the initial ones, at random.
pub(super) const TRAINED: &str = "trained";

const DENSITIES: [f64; 10] = [0.9, 0.8, 0.7, 0.5, 0.35, 0.2, 0.1, 0.05, 0.02, 0.01];
/// Weights of a sample of Gaussian ones.
const WEIGHTS: usize = 20_000;
const WIDTH: usize = 100;
const DEPTH: usize = 6;
/// Who chooses the weights that a mask keeps.
pub(super) const CHOSEN: [&str; 3] = ["final", "initial", "random"];
pub(super) const TRAINED_DENSITIES: [f64; 5] = [0.5, 0.2, 0.1, 0.05, 0.02];

pub(super) fn cells(scale: Scale) -> Vec<Cell> {
    let mut cells = vec![Cell::new().problem("part", INHERITED)];
    for density in [0.5, 0.2, 0.1, 0.05] {
        cells.push(Cell::new().problem("part", MAGNITUDE).problem("density", density));
    }
    for number in 0..scale.pick(2usize, 24, 40) {
        cells.push(Cell::new().problem("part", TRAINED).problem("seed", number));
    }
    cells
}

pub(super) fn rows(cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
    let seed = context.seed(cell);
    match cell.text("part")? {
        INHERITED => gaussian(context.scale().pick(30, 100, 1000), &seed),
        MAGNITUDE => networks(cell.real("density")?, context.scale().pick(30, 150, 3000), &seed),
        TRAINED => trained(cell.integer("seed")?, context, &seed),
        other => Err(Error::unknown("part", other, [INHERITED, MAGNITUDE, TRAINED])),
    }
}

fn gaussian(replicates: usize, seed: &Seed) -> Result<Vec<Row>> {
    let counts = DENSITIES.map(|density| (density * WEIGHTS as f64).round() as usize);
    let mut shares = vec![Vec::new(); DENSITIES.len()];
    for replicate in 0..replicates {
        let mut rng = seed.replicate(replicate as u64).rng();
        let mut squares: Vec<f64> = (0..WEIGHTS)
            .map(|_| rng.sample::<f64, _>(StandardNormal).powi(2))
            .collect();
        let total: f64 = squares.iter().sum();
        squares.sort_by(|a, b| b.total_cmp(a));
        for (share, &count) in shares.iter_mut().zip(&counts) {
            share.push(squares[..count].iter().sum::<f64>() / total);
        }
    }
    let mut rows = Vec::new();
    for (density, share) in DENSITIES.into_iter().zip(&shares) {
        let axes = [
            ("part", INHERITED.into()),
            ("regime", CHOSEN[1].into()),
            ("density", density.into()),
            ("measure", "retained".into()),
        ];
        // The sum over the k largest of n is low by ½ρ(1 − ρ)t/𝜑(t) < 1 at these densities, t the threshold; dividing by the sample's
        // own sum B moves the mean by a Var B/n − Cov(A, B)/n, between −E z⁴/n and 2/n.
        let rest = [
            ("predicted", inherited_scale(density, 1.0)?.into()),
            ("rival", density.into()),
            ("neglected", (4.0 / WEIGHTS as f64).into()),
        ];
        rows.push(sampled_row(&axes, &Sampled::of(share)?, &rest)?);
    }
    Ok(rows)
}

fn networks(density: f64, replicates: usize, seed: &Seed) -> Result<Vec<Row>> {
    let threshold = magnitude_threshold(density)?;
    let retained = inherited_scale(density, 1.0)?;
    let deviation = (2.0 / WIDTH as f64).sqrt();
    let mut ratios = vec![Vec::new(); DEPTH + 1];
    for replicate in 0..replicates {
        let mut rng = seed.replicate(replicate as u64).rng();
        let mut normal = || rng.sample::<f64, _>(StandardNormal);
        let units: Vec<f64> = (0..WIDTH).map(|_| normal()).collect();
        let weights: Vec<Vec<f64>> = (0..DEPTH)
            .map(|_| (0..WIDTH * WIDTH).map(|_| normal()).collect())
            .collect();
        let masks: Vec<Vec<bool>> = weights
            .iter()
            .map(|layer| layer.iter().map(|w| w.abs() > threshold).collect())
            .collect();
        let scaled: Vec<Vec<f64>> = weights
            .iter()
            .map(|layer| layer.iter().map(|w| deviation * w).collect())
            .collect();
        let layers: Vec<LayerWeights<'_>> = scaled
            .iter()
            .zip(&masks)
            .map(|(weights, mask)| LayerWeights {
                outputs: WIDTH,
                inputs: WIDTH,
                weights,
                mask: Some(mask),
                bias: None,
            })
            .collect();
        let length = units.iter().map(|h| h * h).sum::<f64>() / WIDTH as f64;
        let inputs: Vec<f64> = units.iter().map(|h| h.max(0.0)).collect();
        for (layer, found) in signal(&layers, |h| h.max(0.0), &inputs)?.into_iter().enumerate() {
            ratios[layer + 1].push(found.length / length);
        }
    }
    let mut rows = Vec::new();
    for layer in [1, 3, DEPTH] {
        let axes = [
            ("part", MAGNITUDE.into()),
            ("nonlinearity", "relu".into()),
            ("regime", CHOSEN[1].into()),
            ("width", WIDTH.into()),
            ("density", density.into()),
            ("weight_variance", 2.0.into()),
            ("layer", layer.into()),
            ("measure", "length-ratio".into()),
        ];
        let rest = [
            ("predicted", retained.powi(layer as i32).into()),
            // That the ticket inherits the critical scale of the dense network.
            ("rival", 1.0.into()),
        ];
        rows.push(sampled_row(&axes, &Sampled::of(&ratios[layer])?, &rest)?);
    }
    Ok(rows)
}

/// Trains one network and asks what masks of its hidden layers keep of the initial squared length.
fn trained(number: usize, context: &Context<'_>, seed: &Seed) -> Result<Vec<Row>> {
    let samples = samples(context)?;
    let data = samples.view();
    let network = Network::preset("mlp:60-60", data.shape, data.classes)?;
    let layout = network.layout();
    let steps = context.scale().pick(40, 300, 1500);
    let plan = TrainingPlan {
        optimiser: Optimiser::adam(3e-3),
        steps,
        evaluate_every: steps,
        ..TrainingPlan::default()
    };
    let full = layout.full_mask();
    let trainer = Trainer::new(
        &network,
        plan,
        data.training,
        data.validation,
        &full,
        &seed.stream("training"),
    )?;
    let initial: Vec<f32> = network.initial(seed, &Initialisation::HE)?;
    let mut state = trainer.start(&initial)?;
    trainer.advance(&mut state, steps, &mut |_| !context.interrupted())?;
    context.check()?;
    if state.step != steps {
        return Err(Error::numerical("training", format!("it ended at step {}", state.step)));
    }
    let mut rows = Vec::new();
    for (layer, slot) in layout.weight_slots().enumerate().take(2) {
        let range = slot.range.clone();
        let first: Vec<f64> = initial[range.clone()].iter().map(|&w| f64::from(w)).collect();
        let last: Vec<f64> = state.theta[range].iter().map(|&w| f64::from(w)).collect();
        let total: f64 = first.iter().map(|w| w * w).sum();
        let product: f64 = first.iter().zip(&last).map(|(a, b)| a * b).sum();
        let correlation = product / (total * last.iter().map(|w| w * w).sum::<f64>()).sqrt();
        let mut rng = seed.stream(format!("random mask of layer {layer}")).rng();
        let noise: Vec<f64> = first.iter().map(|_| rng.random::<f64>()).collect();
        for (chosen, scores) in CHOSEN.into_iter().zip([&last, &first, &noise]) {
            let mut order: Vec<usize> = (0..first.len()).collect();
            order.sort_by(|&a, &b| scores[b].abs().total_cmp(&scores[a].abs()));
            for density in TRAINED_DENSITIES {
                let kept = (density * first.len() as f64).round() as usize;
                let share = order[..kept].iter().map(|&i| first[i] * first[i]).sum::<f64>() / total;
                let agreement = match chosen {
                    "final" => correlation.clamp(0.0, 1.0),
                    "initial" => 1.0,
                    _ => 0.0,
                };
                let entries = [
                    ("part", TRAINED.into()),
                    ("regime", chosen.into()),
                    ("seed", number.into()),
                    ("layer", (layer + 1).into()),
                    ("density", density.into()),
                    ("measure", "retained".into()),
                    ("value", share.into()),
                    // Were initial and final weights jointly normal.
                    ("predicted", inherited_scale(density, agreement)?.into()),
                ];
                rows.push(row_of(COLUMNS, &entries)?);
            }
        }
    }
    Ok(rows)
}
