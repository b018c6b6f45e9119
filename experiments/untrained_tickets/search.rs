//! Edge-popup on real data, beside networks that are trained and random ones that are not.

use super::super::comparison::{DENSE, Line, MAIN, PILOT, Trial, Tuning, validation_accuracy};
use super::super::tickets;
use ticketsense::harness::{Context, Scale};
use ticketsense::networks::Network;
use ticketsense::pruning::controls::{random_mask, small_dense_widths};
use ticketsense::pruning::{EdgePopup, FrozenWeights, ImpPlan, Supermask, TrainingOutcome};
use ticketsense::training::{Decay, Examples, Optimiser, TrainingPlan};
use ticketsense::{Density, Result};

/// Edge-popup on signed constants.
pub const POPUP: &str = "edge-popup";
/// Edge-popup on normal weights.
pub const POPUP_NORMAL: &str = "edge-popup-normal";
/// A random mask on the signed constants of the same search.
pub const RANDOM: &str = "random-untrained";
/// A dense network with as many weights as a mask keeps, trained.
pub const SMALL: &str = "small-dense";

/// Kept fractions of every layer.
pub fn densities(scale: Scale) -> &'static [f64] {
    scale.pick(
        &[0.5, 0.1],
        &[0.9, 0.7, 0.5, 0.3, 0.1],
        &[0.9, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05],
    )
}

/// How networks are trained: biases would be trained weights, so there are none.
fn plan(scale: Scale) -> ImpPlan {
    let usual = tickets::plan(scale);
    let steps = scale.pick(60, 600, 2000);
    ImpPlan {
        network: scale
            .pick("mlp:20:no-bias", "mlp:50-30:no-bias", "lenet-300-100:no-bias")
            .into(),
        training: TrainingPlan {
            steps,
            evaluate_every: steps,
            ..usual.training
        },
        rounds: 0,
        ..usual
    }
}

/// Rates of Adam for trained weights, and as many of descent with momentum for scores.
fn tuning(scale: Scale, scores: bool) -> Tuning {
    Tuning {
        kind: "untrained-tickets",
        rates: if scores { &[0.1, 0.3, 1.0] } else { &[3e-3, 1e-2, 1e-3] },
        seeds: scale.pick(1, 4, 4),
    }
}

/// The search at a rate; steps, batches and their order are those of the trainings.
fn popup(trial: &Trial, weights: FrozenWeights, rate: f64) -> EdgePopup {
    let usual = EdgePopup::default();
    EdgePopup {
        training: TrainingPlan {
            optimiser: Optimiser::sgd(rate).with_decay(Decay::Penalty(1e-4)),
            schedule: usual.training.schedule.clone(),
            ..trial.plan.training.clone()
        },
        weights,
        ..usual
    }
}

fn counts(trial: &Trial, density: f64) -> Result<Vec<usize>> {
    let density = Density::new(density)?;
    Ok(trial
        .layers()
        .iter()
        .map(|layer| density.kept_of(layer.len()))
        .collect())
}

fn searched(trial: &Trial, weights: FrozenWeights, density: f64, rate: f64) -> Result<Supermask> {
    let counts = counts(trial, density)?;
    popup(trial, weights, rate).run(&trial.network, &trial.samples.view(), &counts, &trial.seed)
}

fn dense(trial: &Trial, rate: f64) -> Result<TrainingOutcome> {
    trial.train(&trial.network.layout().full_mask(), &trial.run.initial, 0, rate)
}

fn small(trial: &Trial, density: f64, rate: f64) -> Result<(Network, TrainingOutcome)> {
    let network = &trial.network;
    let mut hidden: Vec<usize> = network.dense_layers().map(|layer| layer.outputs).collect();
    hidden.pop();
    let weights: usize = counts(trial, density)?.iter().sum();
    let (widths, _) = small_dense_widths(network.inputs(), &hidden, network.classes(), weights)?;
    let small = network.with_hidden_widths(&widths)?;
    let plan = ImpPlan {
        training: trial.training_at(rate),
        ..trial.plan.clone()
    };
    let values = small.initial::<f32>(&trial.seed.stream("small-dense"), &plan.initialisation)?;
    let (mask, order) = (small.layout().full_mask(), trial.seed.stream("training"));
    let outcome = plan.train(&small, &trial.samples.view(), &mask, &values, 0, &order)?;
    Ok((small, outcome))
}

/// The rate of an arm at a density, chosen on seeds that are used for nothing else.
fn rate(context: &Context<'_>, arm: &str, density: f64, accuracy: impl Fn(&Trial, f64) -> Result<f64>) -> Result<f64> {
    let plan = plan(context.scale());
    let tuning = tuning(context.scale(), arm == POPUP || arm == POPUP_NORMAL);
    let setting = format!("{arm};density={density};{}", plan.training.identity());
    tuning.rate(context, &setting, |number| Trial::new(context, &plan, number), accuracy)
}

fn dense_rate(context: &Context<'_>) -> Result<f64> {
    rate(context, DENSE, 1.0, |trial, rate| {
        Ok(validation_accuracy(&dense(trial, rate)?))
    })
}

/// A dense network whose accuracy fixes the margin.
pub fn pilot(context: &Context<'_>, number: usize) -> Result<Vec<Line>> {
    let trial = Trial::new(context, &plan(context.scale()), number)?;
    let rate = dense_rate(context)?;
    let line = Line::new(PILOT, number, DENSE, 1.0);
    Ok(vec![line.trained(&dense(&trial, rate)?, rate)])
}

/// Every arm of one seed.
pub fn compared(context: &Context<'_>, number: usize) -> Result<Vec<Line>> {
    let trial = Trial::new(context, &plan(context.scale()), number)?;
    let weights = trial.network.layout().prunable();
    let dense_rate = dense_rate(context)?;
    let line = Line::new(MAIN, number, DENSE, 1.0).masked(&trial, &trial.network.layout().full_mask())?;
    let mut lines = vec![line.trained(&dense(&trial, dense_rate)?, dense_rate).cost(0.0)];
    for &density in densities(context.scale()) {
        let mut constants = None;
        for (arm, law) in [
            (POPUP_NORMAL, FrozenWeights::KaimingNormal),
            (POPUP, FrozenWeights::SignedConstant),
        ] {
            context.check()?;
            let chosen = rate(context, arm, density, |trial, rate| {
                Ok(validation_accuracy(&searched(trial, law, density, rate)?.outcome))
            })?;
            let found = searched(&trial, law, density, chosen)?;
            let line = Line::new(MAIN, number, arm, density)
                .masked(&trial, &found.mask)?
                .trained(&found.outcome, chosen)
                .cost(found.gradient_passes);
            lines.push(line.with("changed", found.changed as f64 / weights as f64));
            constants = Some(found.weights);
        }
        if let Some(values) = constants {
            lines.push(untrained(&trial, density, values)?);
        }
        let chosen = rate(context, SMALL, density, |trial, rate| {
            Ok(validation_accuracy(&small(trial, density, rate)?.1))
        })?;
        let (network, outcome) = small(&trial, density, chosen)?;
        let kept = network.layout().prunable();
        let line = Line::new(MAIN, number, SMALL, density)
            .trained(&outcome, chosen)
            .cost(0.0);
        lines.push(
            line.with("kept", kept)
                .with("effective_density", kept as f64 / weights as f64),
        );
    }
    Ok(lines)
}

/// A random mask of the same counts on the same weights: what edge-popup starts from.
fn untrained(trial: &Trial, density: f64, mut values: Vec<f32>) -> Result<Line> {
    let network = &trial.network;
    let stream = trial.seed.stream("random-untrained");
    let mask = random_mask(values.len(), &trial.layers(), &counts(trial, density)?, &stream)?;
    mask.apply(&mut values)?;
    let (data, loss) = (trial.samples.view(), trial.plan.training.loss);
    let score = |examples: Examples<'_, f32>| {
        Examples::labelled(examples.inputs, examples.labels).score(network, &mask, &values, loss)
    };
    let (validation, test) = (score(data.validation)?, score(data.test)?);
    let line = Line::new(MAIN, trial.number, RANDOM, density).masked(trial, &mask)?;
    Ok(line
        .with("validation_accuracy", validation.accuracy)
        .with("test_accuracy", test.accuracy)
        .with("test_loss", test.loss)
        .with("status", "untrained")
        .cost(0.0))
}
