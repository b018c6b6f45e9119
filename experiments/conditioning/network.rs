//! A small network on the digits: its tangent kernel under four masks, and what gradient descent really does.

use super::{along, projection, regime, row_of};
use crate::experiments::tickets;
use ticketsense::estimators::nonzero_conditioning;
use ticketsense::harness::Context;
use ticketsense::linalg::dense::symmetric_eigen;
use ticketsense::linearize::{Biases, Linearisation, RowTransform};
use ticketsense::networks::{Array, Initialisation, Loss, Network};
use ticketsense::pruning::{Criterion, CriterionInput, ImpPlan, LayerRate, controls, prune_lowest};
use ticketsense::support::Mask;
use ticketsense::table::Row;
use ticketsense::theory::gradient_descent::kernel_mode_curve;
use ticketsense::training::{Examples, Optimiser, TrainingPlan};
use ticketsense::{Error, Result, Seed};

/// Smooth, so that no unit is dead and the rank of the kernel is a property of weights and data.
const NETWORK: &str = "mlp:24:tanh";
const WIDTH: usize = 24;
/// Samples of the kernel and of gradient descent: a kernel of order 300 for ten classes.
pub(super) const SAMPLES: usize = 30;
/// Half of the weights go in each of two rounds.
const ROUNDS: usize = 2;
const PRUNE_FRACTION: f64 = 0.5;
/// The step of gradient descent, over the largest stable one of the dense network.
pub(super) const STEP_SHARE: f64 = 0.1;
/// When losses are compared.
const TIMES: [u64; 10] = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500];

/// The masks, in the order of the figure.
pub(super) const MASKS: [&str; 4] = ["dense", "imp", "one-shot", "random"];

fn plan() -> ImpPlan {
    ImpPlan {
        network: NETWORK.into(),
        initialisation: Initialisation::LECUN,
        training: TrainingPlan {
            optimiser: Optimiser::adam(3e-3),
            loss: Loss::Squared,
            batch: 60,
            steps: 300,
            evaluate_every: 300,
            ..TrainingPlan::default()
        },
        rounds: ROUNDS,
        prune_fraction: PRUNE_FRACTION,
        output_prune_fraction: None,
        ..ImpPlan::default()
    }
}

/// A network at its start, with the samples of its kernel.
pub(super) struct Pair {
    pub network: Network,
    /// Initial parameters, nothing pruned.
    pub start: Vec<f64>,
    pub inputs: Array<f64>,
    pub labels: Vec<usize>,
    /// Units of the hidden layer.
    pub width: usize,
}

/// Everything of one pair: the same start, samples and data order for every mask.
pub(super) fn rows(number: usize, context: &Context<'_>, seed: &Seed) -> Result<Vec<Row>> {
    let dataset = context.data()?;
    let samples = tickets::samples(context)?;
    let data = samples.view();
    let plan = plan();
    let network = plan.build_network(&data)?;
    let run = plan.run(&data, seed, &mut |_| !context.interrupted())?;
    let masks = masks(&plan, &network, &run, data.training, seed)?;

    let chosen = dataset.stratified(SAMPLES.min(data.training.inputs.rows()), seed)?;
    let inputs: Array<f64> = dataset.batch::<f32>(&chosen)?.convert();
    let labels = dataset.labels_of(&chosen)?;
    let start: Vec<f64> = run.initial.iter().map(|&w| f64::from(w)).collect();
    let mut rows = Vec::new();
    let dense_start = Linearisation::new(&network, &start, &inputs)?;
    let mut step = None;
    for (name, mask) in MASKS.into_iter().zip(&masks) {
        context.check()?;
        let mut own = start.clone();
        mask.apply(&mut own)?;
        let own_start = Linearisation::new(&network, &own, &inputs)?;
        for (at, point) in [("dense start", &dense_start), ("own start", &own_start)] {
            let kernel = point
                .jacobian(&mask.support(), RowTransform::Identity, Biases::Fixed)?
                .tangent_kernel();
            let found = nonzero_conditioning(&kernel, mask.kept())?;
            rows.push(row_of(&[
                ("part", "spectrum".into()),
                ("family", name.into()),
                ("at", at.into()),
                ("number", number.into()),
                ("order", found.order.into()),
                ("kept", kept_weights(&network, mask).into()),
                ("condition", found.condition().into()),
                ("largest", found.lambda_max.into()),
                ("smallest", found.lambda_min_nonzero.into()),
                ("rank", found.rank.into()),
                ("gap", found.gap().into()),
            ])?);
            if at == "own start" {
                // One step for all masks: a share of the largest stable one of the dense network.
                let step = *step.get_or_insert(STEP_SHARE * 2.0 / found.lambda_max);
                let targets = Loss::Squared.targets::<f64>((&labels).into(), inputs.rows(), network.classes())?;
                let residual: Vec<f64> = point
                    .outputs()
                    .as_slice()
                    .iter()
                    .zip(targets.as_slice())
                    .map(|(f, t)| f - t)
                    .collect();
                let (values, vectors) = symmetric_eigen(&kernel)?;
                let scale = 0.5 / inputs.rows() as f64;
                let coefficients: Vec<f64> = vectors
                    .column_iter()
                    .map(|u| scale * u.iter().zip(&residual).map(|(u, r)| u * r).sum::<f64>().powi(2))
                    .collect();
                let predicted = kernel_mode_curve(step, values.as_slice(), &coefficients, &TIMES)?;
                let measured = descend(
                    &network,
                    own.clone(),
                    mask,
                    &inputs,
                    &targets,
                    step * inputs.rows() as f64,
                )?;
                for ((time, predicted), measured) in TIMES.into_iter().zip(predicted).zip(measured) {
                    rows.push(row_of(&[
                        ("part", "training".into()),
                        ("family", name.into()),
                        ("at", at.into()),
                        ("number", number.into()),
                        ("kept", kept_weights(&network, mask).into()),
                        ("step", step.into()),
                        ("steps", time.into()),
                        ("predicted", predicted.into()),
                        ("measured", measured.into()),
                        ("deviation", (measured / predicted - 1.0).into()),
                    ])?);
                }
            }
        }
    }
    let Some(step) = step else {
        return Err(Error::numerical("tangent kernels", "no mask was examined"));
    };
    let pair = Pair {
        network,
        start,
        inputs,
        labels,
        width: WIDTH,
    };
    let layout = pair.network.layout();
    let [dense, ticket, _, random] = &masks[..] else {
        return Err(Error::numerical("masks", "not as many as are named"));
    };
    let shuffled = controls::shuffle_keeping_degrees(ticket, layout, &seed.stream("degrees"))?;
    for (name, mask) in [
        ("dense", dense),
        ("imp", ticket),
        ("shuffled", &shuffled),
        ("random", random),
    ] {
        context.check()?;
        rows.extend(regime::scales(&pair, name, mask, number, step)?);
    }
    for (name, mask) in [("dense", dense), ("imp", ticket)] {
        rows.extend(regime::stability(&pair, name, mask, number)?);
    }
    let rate = step * pair.inputs.rows() as f64;
    for (name, mask) in [("ticket", ticket), ("random mask", random)] {
        rows.extend(projection::network(
            &pair,
            name,
            mask,
            number,
            rate,
            &seed.stream("projection"),
        )?);
    }
    let again: Vec<f64> = pair
        .network
        .initial(&seed.stream("re-initialised"), &plan.initialisation)?;
    let subjects = [
        ("dense", &pair.start, dense),
        ("imp", &pair.start, ticket),
        ("random", &pair.start, random),
        ("re-initialised", &again, ticket),
    ];
    let chosen = dataset.stratified(along::SAMPLES.min(data.training.inputs.rows()), seed)?;
    let fewer = Pair {
        network: pair.network.clone(),
        start: pair.start.clone(),
        inputs: dataset.batch::<f32>(&chosen)?.convert(),
        labels: dataset.labels_of(&chosen)?,
        width: WIDTH,
    };
    for (name, initial, mask) in subjects {
        context.check()?;
        let of = along::Subject { name, initial, mask };
        rows.extend(along::rows(&fewer, &of, &plan.training, &data, number, seed)?);
    }
    Ok(rows)
}

pub(super) fn kept_weights(network: &Network, mask: &Mask) -> usize {
    network
        .layout()
        .weight_slots()
        .map(|slot| mask.kept_in(slot.range.clone()))
        .sum()
}

/// Nothing pruned, the iterated ticket, the one-shot ticket of the dense training, and random places at the same number of
/// weights a layer.
fn masks(
    plan: &ImpPlan,
    network: &Network,
    run: &ticketsense::pruning::ImpRun,
    training: Examples<'_, f32>,
    seed: &Seed,
) -> Result<Vec<Mask>> {
    let layout = network.layout();
    let (Some(dense), Some(ticket)) = (run.rounds.first(), run.rounds.last()) else {
        return Err(Error::numerical("iterative pruning", "no round was run"));
    };
    let input = CriterionInput {
        network,
        theta: &dense.outcome.theta,
        mask: &dense.mask,
        initial: &run.initial,
        loss: plan.training.loss,
        training,
        seed: seed.stream("criterion"),
    };
    let rates: Vec<LayerRate> = layout
        .weight_slots()
        .map(|slot| LayerRate {
            range: slot.range.clone(),
            prune_fraction: 1.0 - (1.0 - PRUNE_FRACTION).powi(ROUNDS as i32),
        })
        .collect();
    let one_shot = prune_lowest(&dense.mask, &Criterion::Magnitude.scores(&input)?, &rates, plan.scope)?;
    let layers: Vec<_> = rates.iter().map(|rate| rate.range.clone()).collect();
    let counts: Vec<usize> = layers.iter().map(|range| ticket.mask.kept_in(range.clone())).collect();
    let random = controls::random_mask(layout.len(), &layers, &counts, &seed.stream("control"))?;
    Ok(vec![dense.mask.clone(), ticket.mask.clone(), one_shot, random])
}

/// The mean loss of the masked network at [`TIMES`] under full-batch gradient descent.
fn descend(
    network: &Network,
    mut theta: Vec<f64>,
    mask: &Mask,
    inputs: &Array<f64>,
    targets: &Array<f64>,
    step: f64,
) -> Result<Vec<f64>> {
    let mut losses = Vec::with_capacity(TIMES.len());
    let last = TIMES[TIMES.len() - 1];
    for time in 0..=last {
        let (loss, gradient) = network.gradient(&theta, inputs, targets, Loss::Squared)?;
        if TIMES.contains(&time) {
            losses.push(loss);
        }
        for ((w, g), keep) in theta.iter_mut().zip(&gradient).zip(mask.bits()) {
            if *keep {
                *w -= step * g;
            }
        }
    }
    Ok(losses)
}
