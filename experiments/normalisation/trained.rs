//! Networks with the three normalisations, dense and under random masks, trained in batches of several sizes.

use super::super::comparison::{MAIN, PILOT, Tuning, setting, validation_accuracy};
use super::super::rows::row_of;
use super::super::tickets;
use super::{BATCHES, COLUMNS, NORMS};
use ticketsense::harness::{Context, Scale};
use ticketsense::networks::Network;
use ticketsense::pruning::controls::random_mask;
use ticketsense::pruning::{ImpPlan, ImpSamples, TrainingOutcome};
use ticketsense::table::Row;
use ticketsense::training::{Optimiser, TrainingPlan};
use ticketsense::{Mask, Result, Seed};

/// Fractions of the weights of every layer that are kept.
pub const DENSITIES: [f64; 3] = [1.0, 0.3, 0.1];
/// The batch size and normalisation of the pilots.
pub const REFERENCE: (&str, usize) = ("layer-norm", 32);
/// Seeds of the first steps.
pub const FIRST_STEP_SEEDS: usize = 8;

pub fn network_name(norm: &str) -> String {
    format!("mlp:50-30:{norm}")
}

/// The arm of a normalisation at a batch size.
pub fn arm(norm: &str, batch: usize) -> String {
    format!("{norm} B={batch}")
}

/// Training on as many samples in all, whatever the batch size.
fn plan(scale: Scale, norm: &str, batch: usize) -> ImpPlan {
    let samples: usize = scale.pick(320, 4000, 40_000);
    let steps = samples.div_ceil(batch);
    ImpPlan {
        network: network_name(norm),
        training: TrainingPlan {
            optimiser: Optimiser::adam(3e-3),
            batch,
            steps,
            evaluate_every: steps,
            ..TrainingPlan::default()
        },
        rounds: 0,
        ..tickets::plan(scale)
    }
}

/// One step of plain gradient descent.
pub fn one_step_plan(norm: &str, batch: usize) -> ImpPlan {
    let mut plan = plan(Scale::Quick, norm, batch);
    plan.training.optimiser = Optimiser::sgd(0.1);
    plan.training.steps = 1;
    plan.training.evaluate_every = 1;
    plan
}

fn tuning(scale: Scale) -> Tuning {
    Tuning {
        kind: "normalisation",
        rates: scale.pick(&[3e-3], &[3e-3, 1e-2, 1e-3], &[1e-3, 3e-3, 3e-4, 1e-2]),
        seeds: scale.pick(1, 2, 4),
    }
}

/// One training before its rate: the same initial weights, mask and order of data for every normalisation.
struct Start {
    plan: ImpPlan,
    network: Network,
    samples: ImpSamples,
    mask: Mask,
    initial: Vec<f32>,
    order: Seed,
}

impl Start {
    fn new(context: &Context<'_>, plan: &ImpPlan, density: f64, number: usize) -> Result<Self> {
        let samples = tickets::samples(context)?;
        let network = plan.build_network(&samples.view())?;
        let seed = context.common_seed("normalisation").stream(number.to_string());
        let layout = network.layout();
        let layers = layout.weight_ranges();
        let counts: Vec<usize> = layers
            .iter()
            .map(|range| ((range.len() as f64 * density).round() as usize).max(1))
            .collect();
        let mask = random_mask(layout.len(), &layers, &counts, &seed.stream("mask"))?;
        Ok(Start {
            initial: network.initial(&seed, &plan.initialisation)?,
            order: seed.stream("order"),
            plan: plan.clone(),
            network,
            samples,
            mask,
        })
    }

    fn train(&self, rate: f64) -> Result<TrainingOutcome> {
        let mut plan = self.plan.clone();
        plan.training.optimiser = plan.training.optimiser.at_rate(rate);
        plan.train(
            &self.network,
            &self.samples.view(),
            &self.mask,
            &self.initial,
            0,
            &self.order,
        )
    }
}

/// One arm at one density, at the rate that pilot seeds chose for it.
fn row(context: &Context<'_>, part: &str, number: usize, norm: &str, batch: usize, density: f64) -> Result<Row> {
    context.check()?;
    let plan = plan(context.scale(), norm, batch);
    let setting = setting(&plan, &format!("density {density}"), 0);
    let prepare = |number: usize| Start::new(context, &plan, density, number);
    let accuracy = |start: &Start, rate: f64| Ok(validation_accuracy(&start.train(rate)?));
    let rate = tuning(context.scale()).rate(context, &setting, prepare, accuracy)?;
    let start = Start::new(context, &plan, density, number)?;
    let outcome = start.train(rate)?;
    row_of(
        COLUMNS,
        &[
            ("part", part.into()),
            ("seed", number.into()),
            ("arm", arm(norm, batch).into()),
            ("density", density.into()),
            ("kept", start.network.layout().kept(&start.mask).into()),
            ("learning_rate", rate.into()),
            ("validation_accuracy", validation_accuracy(&outcome).into()),
            ("test_accuracy", outcome.test_accuracy.into()),
            (
                "test_loss",
                Some(outcome.test_loss).filter(|loss| loss.is_finite()).into(),
            ),
            ("status", outcome.status.as_str().into()),
            ("norm", norm.into()),
            ("batch", batch.into()),
        ],
    )
}

/// The reference on a seed of its own.
pub fn pilot(context: &Context<'_>, number: usize) -> Result<Vec<Row>> {
    let (norm, batch) = REFERENCE;
    Ok(vec![row(context, PILOT, number, norm, batch, 1.0)?])
}

/// Every normalisation, batch size and density.
pub fn main(context: &Context<'_>, number: usize) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for norm in NORMS {
        for batch in BATCHES {
            for density in DENSITIES {
                rows.push(row(context, MAIN, number, norm, batch, density)?);
            }
        }
    }
    Ok(rows)
}
