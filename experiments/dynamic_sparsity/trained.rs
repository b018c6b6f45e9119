//! Sparse networks trained from scratch, with fixed and with exchanged weights, beside the ticket of their counts.

use super::super::comparison::{Line, MAIN, PILOT, Trial, Tuning, setting, validation_accuracy};
use super::super::tickets;
use super::{COLUMNS, EXPLORATION};
use ticketsense::harness::{Context, Scale};
use ticketsense::pruning::controls::random_mask;
use ticketsense::pruning::{DynamicTraining, Growth, ImpPlan, LivePaths, TrainingOutcome};
use ticketsense::table::Row;
use ticketsense::{Mask, Result};

/// The ticket of iterative pruning.
pub const TICKET: &str = "ticket";
/// A random mask with the ticket's counts, from the ticket's initial values.
pub const STATIC: &str = "static";
/// The same with the values of each layer multiplied by 1/√density: the variance that its units saw before.
pub const RESCALED: &str = "rescaled";
/// The static mask exchanged on the way, with random growth.
pub const SET: &str = "set";
/// The static mask exchanged on the way, grown by gradients.
pub const RIGL: &str = "rigl";

/// Every arm at a density.
pub const ARMS: [&str; 5] = [TICKET, STATIC, RESCALED, SET, RIGL];

/// The rates that every arm may choose from at every density.
const RATES: [f64; 3] = [3e-3, 1e-2, 3e-2];

pub fn plan(scale: Scale) -> ImpPlan {
    tickets::plan(scale)
}

/// The rounds of iterative pruning whose counts are compared.
pub fn rounds(scale: Scale) -> &'static [usize] {
    scale.pick(&[4, 8], &[4, 5, 6, 8, 10], &[8, 10, 12, 16, 20])
}

/// The round at which the interval of exchanges moves.
fn explored_round(scale: Scale) -> usize {
    scale.pick(8, 6, 16)
}

/// Exchanges in all steps, were they never to stop: thirty, and what else is tried.
const EXCHANGES: usize = 30;
const OTHER_EXCHANGES: [usize; 3] = [6, 15, 60];

fn tuning(scale: Scale) -> Tuning {
    Tuning {
        kind: "dynamic-sparsity",
        rates: &RATES,
        seeds: scale.pick(1, 3, 4),
    }
}

/// What an arm begins with, with the counts of a round.
struct Start {
    arm: &'static str,
    round: usize,
    mask: Mask,
    values: Vec<f32>,
}

/// What it ended at.
struct Trained {
    mask: Mask,
    outcome: TrainingOutcome,
    ever_active: f64,
    passes: f64,
}

/// The random mask of a seed with the counts of a round.
fn random(trial: &Trial, round: usize) -> Result<Mask> {
    let counts = trial.counts(&trial.round(round)?.mask);
    let seed = trial.seed.stream("static").replicate(round as u64);
    random_mask(trial.network.layout().len(), &trial.layers(), &counts, &seed)
}

/// The initial values with each layer's weights multiplied by the root of what its mask keeps one of.
fn rescaled(trial: &Trial, mask: &Mask) -> Vec<f32> {
    let mut values = trial.run.initial.clone();
    for range in trial.layers() {
        let kept = mask.kept_in(range.clone()).max(1);
        let factor = (range.len() as f64 / kept as f64).sqrt() as f32;
        values[range].iter_mut().for_each(|v| *v *= factor);
    }
    values
}

fn start(trial: &Trial, arm: &'static str, round: usize) -> Result<Start> {
    let mask = match arm {
        TICKET => trial.round(round)?.mask.clone(),
        _ => random(trial, round)?,
    };
    let values = match arm {
        RESCALED => rescaled(trial, &mask),
        _ => trial.run.initial.clone(),
    };
    Ok(Start {
        arm,
        round,
        mask,
        values,
    })
}

fn train(trial: &Trial, start: &Start, exchanges: usize, rate: f64) -> Result<Trained> {
    let growth = match start.arm {
        SET => Growth::Random,
        RIGL => Growth::Gradient,
        arm => {
            return Ok(Trained {
                outcome: trial.train(&start.mask, &start.values, 0, rate)?,
                ever_active: trial.density(&start.mask),
                passes: if arm == TICKET {
                    trial.passes(start.round * trial.plan.training.steps)
                } else {
                    0.0
                },
                mask: start.mask.clone(),
            });
        }
    };
    let plan = trial.training_at(rate);
    let dynamic = DynamicTraining {
        every: (plan.steps / exchanges).max(1),
        ..DynamicTraining::new(growth)
    };
    let order = trial.seed.stream("training");
    let data = trial.samples.view();
    let found = dynamic.train(&trial.network, &data, &plan, &start.mask, &start.values, &order)?;
    Ok(Trained {
        mask: found.mask,
        outcome: found.outcome,
        ever_active: found.ever_active,
        // What exchanging took on top of the steps that every arm trains.
        passes: trial.passes(found.dense_gradients),
    })
}

/// The learning rate of an arm with the counts of a round.
fn rate(context: &Context<'_>, arm: &'static str, round: usize) -> Result<f64> {
    let plan = plan(context.scale());
    let setting = format!("{};exchanges={EXCHANGES}", setting(&plan, arm, round));
    let prepare = |number: usize| {
        let trial = Trial::new(context, &plan, number)?;
        let start = start(&trial, arm, round)?;
        Ok((trial, start))
    };
    tuning(context.scale()).rate(context, &setting, prepare, |(trial, start), rate| {
        Ok(validation_accuracy(&train(trial, start, EXCHANGES, rate)?.outcome))
    })
}

fn line(trial: &Trial, part: &str, start: &Start, trained: &Trained, rate: f64) -> Result<Line> {
    let density = trial.density(&trial.round(start.round)?.mask);
    let paths = LivePaths::of(&trial.network, &start.mask)?;
    let (mut degree, mut gain) = (f64::INFINITY, f64::INFINITY);
    for slot in trial.network.layout().weight_slots() {
        let (outputs, inputs) = (slot.shape[0] as f64, slot.shape[1] as f64);
        degree = degree.min(start.mask.kept_in(slot.range.clone()) as f64 / inputs.max(outputs));
        let kept = slot.range.clone().filter(|&i| start.mask.keeps(i));
        let square: f64 = kept.map(|i| f64::from(start.values[i]).powi(2)).sum();
        gain = gain.min(0.5 * square / outputs);
    }
    Ok(Line::new(part, trial.number, start.arm, density)
        .masked(trial, &trained.mask)?
        .trained(&trained.outcome, rate)
        .cost(trained.passes)
        .with("ever_active", trained.ever_active)
        .with("mean_degree", degree)
        .with("live_fraction", paths.effective_density() / paths.density())
        .with("signal_gain", gain))
}

fn dense(trial: &Trial, part: &str) -> Result<Row> {
    Line::dense(trial, part)?.with("ever_active", 1.0).row(&COLUMNS)
}

/// A dense network that helps to fix the margin.
pub fn pilot(context: &Context<'_>, number: usize) -> Result<Vec<Row>> {
    let trial = Trial::dense(context, &plan(context.scale()), number)?;
    Ok(vec![dense(&trial, PILOT)?])
}

/// Every arm at every density from one seed, and exchanges at other intervals at one of them.
pub fn main(context: &Context<'_>, number: usize) -> Result<Vec<Row>> {
    let scale = context.scale();
    let trial = Trial::new(context, &plan(scale), number)?;
    let mut rows = vec![dense(&trial, MAIN)?];
    let every = |exchanges: usize| (trial.plan.training.steps / exchanges).max(1);
    for &round in rounds(scale) {
        for arm in ARMS {
            context.check()?;
            let rate = rate(context, arm, round)?;
            let start = start(&trial, arm, round)?;
            let trained = train(&trial, &start, EXCHANGES, rate)?;
            let mut row = line(&trial, MAIN, &start, &trained, rate)?;
            if [SET, RIGL].contains(&arm) {
                row = row.with("every", every(EXCHANGES));
            }
            rows.push(row.row(&COLUMNS)?);
            if row_is_explored(scale, arm, round) {
                for exchanges in OTHER_EXCHANGES {
                    let trained = train(&trial, &start, exchanges, rate)?;
                    let row = line(&trial, EXPLORATION, &start, &trained, rate)?;
                    rows.push(row.with("every", every(exchanges)).row(&COLUMNS)?);
                }
            }
        }
    }
    Ok(rows)
}

fn row_is_explored(scale: Scale, arm: &str, round: usize) -> bool {
    round == explored_round(scale) && [SET, RIGL].contains(&arm)
}
