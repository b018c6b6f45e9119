//! One sample among others, and batches of very few: statements that are exact.

use super::super::rows::row_of;
use super::super::tickets;
use super::trained::{FIRST_STEP_SEEDS, network_name, one_step_plan};
use super::{BATCH_NORM, COLUMNS, NORMS};
use rand::RngExt;
use rand_distr::StandardNormal;
use ticketsense::harness::Context;
use ticketsense::networks::{Array, ImageShape, Initialisation, Layer, Network, NetworkBuilder, NormalisationKind};
use ticketsense::pruning::ImpPlan;
use ticketsense::statistics::median;
use ticketsense::table::{Row, Value};
use ticketsense::{Error, Result, Seed};

/// How much the output of a sample changes when others join its batch.
pub const COMPANY: &str = "change of a sample's output in company";
/// How far a batch of one sample without positions is from the shift β.
pub const SHIFT: &str = "distance from the shift";
/// How far one step moves the weights of the median unit below the normalisation, as a fraction of how far layer normalisation
/// lets it. The median, because at two samples a unit of rare luck (a variance near ε) moves by a hundred times the usual.
pub const MOVED: &str = "first step below, against layer-norm";

/// Batch sizes of the first steps.
const FIRST_STEPS: [usize; 5] = [1, 2, 4, 8, 32];
const SAMPLES: usize = 8;

fn kind(norm: &str) -> NormalisationKind {
    match norm {
        BATCH_NORM => NormalisationKind::Batch,
        "layer-norm" => NormalisationKind::Layer,
        _ => NormalisationKind::Groups(2),
    }
}

/// One normalisation of six channels with random γ and β.
fn layer(norm: &str, side: usize, seed: &Seed) -> Result<(Network, Vec<f64>)> {
    let image = ImageShape {
        channels: 6,
        height: side,
        width: side,
    };
    let network = NetworkBuilder::new(norm, image)?
        .normalise(kind(norm))?
        .dense(1)?
        .build()?;
    let mut theta: Vec<f64> = network.initial(seed, &Initialisation::GLOROT)?;
    let mut rng = seed.stream("scale and shift").rng();
    for name in ["normalisation0.scale", "normalisation0.shift"] {
        let range = network.layout().slot(name)?.range.clone();
        theta[range].iter_mut().for_each(|v| *v = rng.sample(StandardNormal));
    }
    Ok((network, theta))
}

/// What the normalisation gives, with the statistics of this very batch.
fn normalised(network: &Network, theta: &[f64], inputs: &Array<f64>) -> Result<Array<f64>> {
    let own = network.with_statistics_of(theta, inputs)?;
    let place = network
        .layers()
        .iter()
        .position(|l| matches!(l, Layer::Normalisation(_)));
    let outputs = network.activations(&own, inputs)?;
    let found = place.and_then(|place| outputs.into_iter().nth(place));
    found.ok_or_else(|| Error::shape("normalisations", 1, 0))
}

fn gaussian(rows: usize, columns: usize, seed: &Seed) -> Array<f64> {
    let mut rng = seed.stream("inputs").rng();
    Array::from_fn(rows, columns, |_, _| rng.sample(StandardNormal))
}

fn largest(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn row(norm: &str, batch: usize, quantity: &str, exact: Option<f64>, found: f64) -> Result<Row> {
    row_of(
        COLUMNS,
        &[
            ("part", super::ALONE.into()),
            ("norm", norm.into()),
            ("batch", batch.into()),
            ("quantity", quantity.into()),
            ("exact", exact.map_or(Value::Missing, Value::Real)),
            ("found", found.into()),
        ],
    )
}

/// All of them.
pub fn rows(context: &Context<'_>) -> Result<Vec<Row>> {
    let seed = context.common_seed("normalisation").stream("alone");
    let mut rows = Vec::new();
    for norm in NORMS {
        let (network, theta) = layer(norm, 2, &seed)?;
        let inputs = gaussian(SAMPLES, network.inputs(), &seed);
        let together = normalised(&network, &theta, &inputs)?;
        let mut change = 0.0f64;
        for sample in 0..SAMPLES {
            let alone = normalised(&network, &theta, &inputs.rows_between(sample..sample + 1))?;
            change = change.max(largest(alone.as_slice(), together.row(sample)));
        }
        let exact = (norm != BATCH_NORM).then_some(0.0);
        rows.push(row(norm, SAMPLES, COMPANY, exact, change)?);
    }
    let (network, theta) = layer(BATCH_NORM, 1, &seed)?;
    let single = normalised(&network, &theta, &gaussian(1, network.inputs(), &seed))?;
    let shift = &theta[network.layout().slot("normalisation0.shift")?.range.clone()];
    rows.push(row(BATCH_NORM, 1, SHIFT, Some(0.0), largest(single.as_slice(), shift))?);
    for batch in FIRST_STEPS {
        let [batch_norm, layer_norm] = [BATCH_NORM, "layer-norm"].map(|norm| first_step(context, norm, batch));
        let exact = (batch == 1).then_some(0.0);
        rows.push(row(BATCH_NORM, batch, MOVED, exact, batch_norm? / layer_norm?)?);
    }
    Ok(rows)
}

/// How far one step of plain gradient descent moves the weights of a unit of the first layer, the median over units and seeds.
fn first_step(context: &Context<'_>, norm: &str, batch: usize) -> Result<f64> {
    let samples = tickets::samples(context)?;
    let view = samples.view();
    let plan: ImpPlan = one_step_plan(norm, batch);
    let network = plan.build_network(&view)?;
    let full = network.layout().full_mask();
    let first = network.layout().weight_slots().next().map(|slot| slot.range.clone());
    let first = first.ok_or_else(|| Error::argument("network", "a layer of weights", network_name(norm)))?;
    let mut steps = Vec::new();
    for number in 0..FIRST_STEP_SEEDS {
        let seed = context.common_seed("normalisation").stream(format!("step {number}"));
        let initial: Vec<f32> = network.initial(&seed, &plan.initialisation)?;
        let outcome = plan.train(&network, &view, &full, &initial, 0, &seed.stream("order"))?;
        let after = outcome.theta[first.clone()].chunks_exact(network.inputs());
        let before = initial[first.clone()].chunks_exact(network.inputs());
        let moved = |(a, b): (&[f32], &[f32])| a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
        steps.extend(after.zip(before).map(|unit| moved(unit).sqrt()));
    }
    median(&steps)
}
