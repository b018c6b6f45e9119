//! How nearly sparse the weights of a network are, before and after training.

use super::row_of;
use crate::experiments::tickets;
use rand::RngExt;
use rand_distr::StandardNormal;
use ticketsense::harness::Context;
use ticketsense::linalg::norm;
use ticketsense::networks::{Initialisation, Network};
use ticketsense::table::Row;
use ticketsense::training::{Optimiser, Trainer, TrainingPlan};
use ticketsense::{Result, Seed};

/// The network of the experiments on tickets.
const NETWORK: &str = "mlp:50-30";
/// Places on the axis of k.
const PLACES: usize = 60;

/// σ_k over √k and the norm, for every vector and some k.
pub(super) fn rows(number: usize, steps: usize, context: &Context<'_>, seed: &Seed) -> Result<Vec<Row>> {
    let samples = tickets::samples(context)?;
    let data = samples.view();
    let network = Network::preset(NETWORK, data.shape, data.classes)?;
    let mask = network.layout().full_mask();
    let initial: Vec<f32> = network.initial(seed, &Initialisation::GLOROT)?;
    let plan = TrainingPlan {
        optimiser: Optimiser::adam(3e-3),
        steps,
        evaluate_every: steps,
        ..TrainingPlan::default()
    };
    let trained = Trainer::new(&network, plan, data.training, data.validation, &mask, seed)?.run(&initial)?;
    context.check()?;
    let weights = |theta: &[f32]| -> Vec<f64> {
        let slots = network.layout().weight_slots();
        let values = slots.flat_map(|slot| theta[slot.range.clone()].iter().map(|&w| f64::from(w)));
        values.collect()
    };
    let (before, after) = (weights(&initial), weights(&trained.theta));
    let update = after.iter().zip(&before).map(|(a, b)| a - b).collect();
    let mut rng = seed.stream("gaussian").rng();
    let gaussian = (0..before.len()).map(|_| rng.sample(StandardNormal)).collect();
    let mut rows = Vec::new();
    for (vector, values) in [
        ("trained", after),
        ("initial", before),
        ("update", update),
        ("gaussian", gaussian),
    ] {
        for (k, value) in profile(values) {
            rows.push(row_of(&[
                ("part", "weights".into()),
                ("number", number.into()),
                ("columns", k.1.into()),
                ("nonzeros", k.0.into()),
                ("vector", vector.into()),
                ("fraction", (k.0 as f64 / k.1 as f64).into()),
                ("value", value.into()),
            ])?);
        }
    }
    Ok(rows)
}

/// `σ_k(v)₁/(√k ‖v‖₂)` at some k, as ((k, n), value).
pub(super) fn profile(values: Vec<f64>) -> Vec<((usize, usize), f64)> {
    let (length, size) = (values.len(), norm(&values));
    let mut sizes: Vec<f64> = values.iter().map(|v| v.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    // Sums of the smallest: σ_k is that of n − k of them.
    let mut sums = vec![0.0];
    for v in &sizes {
        sums.push(sums[sums.len() - 1] + v);
    }
    let mut places: Vec<usize> = (1..=PLACES).map(|i| (i * length).div_ceil(PLACES + 1).max(1)).collect();
    places.dedup();
    places
        .into_iter()
        .filter(|k| *k < length && size > 0.0)
        .map(|k| ((k, length), sums[length - k] / ((k as f64).sqrt() * size)))
        .collect()
}
