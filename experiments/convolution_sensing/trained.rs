//! The kernels that a small network learns in its first layer.

use super::removal::Tally;
use crate::experiments::tickets;
use ticketsense::harness::Context;
use ticketsense::networks::{Activation, Initialisation, InputShape, NetworkBuilder, Padding, PoolingKind};
use ticketsense::operators::Grid;
use ticketsense::table::Row;
use ticketsense::training::{Optimiser, Trainer, TrainingPlan};
use ticketsense::{Error, Result, Seed};

/// Kernels of the first layer and their side.
const KERNELS: usize = 6;
const SIDE: usize = 3;

/// One network: its first kernels before and after training, on the images' own grid; nothing for data that are not images.
pub(super) fn rows(steps: usize, context: &Context<'_>, seed: &Seed) -> Result<Vec<Row>> {
    let InputShape::Image(image) = context.data()?.shape() else {
        return Ok(Vec::new());
    };
    let samples = tickets::samples(context)?;
    let data = samples.view();
    let network = NetworkBuilder::new("first layer", image)?
        .convolution(KERNELS, SIDE, 1, Padding::Zero(1))?
        .activation(Activation::Relu)
        .pool(PoolingKind::Largest, 2, 2)?
        .dense(data.classes)?
        .build()?;
    let plan = TrainingPlan {
        optimiser: Optimiser::adam(3e-3),
        steps,
        evaluate_every: steps,
        ..TrainingPlan::default()
    };
    let mask = network.layout().full_mask();
    let initial: Vec<f32> = network.initial(seed, &Initialisation::HE)?;
    let trainer = Trainer::new(&network, plan, data.training, data.validation, &mask, seed)?;
    context.check()?;
    let trained = trainer.run(&initial)?;
    let Some(slot) = network.layout().weight_slots().next() else {
        return Err(Error::argument("network", "weights", "none"));
    };
    // Slots of kernels are output by output, and the input channels vary fastest: the first alone is looked at.
    let inputs = image.channels;
    let kernels = |theta: &[f32]| -> Vec<Vec<f64>> {
        let weights = &theta[slot.range.clone()];
        let kernels = weights.chunks_exact(SIDE * SIDE * inputs);
        kernels
            .map(|kernel| kernel.iter().step_by(inputs).map(|&w| f64::from(w)).collect())
            .collect()
    };
    let grid = Grid {
        height: image.height,
        width: image.width,
    };
    let accuracy = trained.history.last().map(|e| e.validation_accuracy);
    let mut rows = Vec::new();
    for (family, theta, accuracy) in [
        ("initial layer", &initial, None),
        ("trained layer", &trained.theta, accuracy),
    ] {
        let mut tally = Tally::new(KERNELS);
        tally.add(&kernels(theta), Grid::square(SIDE), grid)?;
        rows.extend(tally.rows(family, "own", accuracy)?);
    }
    Ok(rows)
}
