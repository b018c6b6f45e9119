//! Both methods on the loss of a network: the ticket, and the mask of a descent with thresholds of the same budget.

use super::super::comparison::{Line, MAIN, PILOT, Trial, Tuning, setting, validation_accuracy};
use super::super::tickets;
use super::COLUMNS;
use ticketsense::harness::{Context, Scale};
use ticketsense::pruning::controls::random_mask;
use ticketsense::pruning::{HardThresholded, HardThresholding, ImpPlan};
use ticketsense::table::Row;
use ticketsense::training::{Decay, Optimiser, TrainingPlan};
use ticketsense::{Mask, Result};

/// The ticket of iterative pruning.
pub const IMP: &str = "imp";
/// Thresholds every twelfth of a training; the mask is then trained as the ticket is.
pub const SPACED: &str = "iht-spaced";
/// Plain gradient descent with a threshold after every step; the mask is then trained as the ticket is.
pub const EACH: &str = "iht-each";
/// The weights that the spaced descent ends at, trained on where they are for as long as the ticket is.
pub const OWN: &str = "iht-own";
/// Random masks with the ticket's counts.
pub const RANDOM: &str = "random";

pub const ARMS: [&str; 5] = [IMP, SPACED, EACH, OWN, RANDOM];

const RATES: [f64; 3] = [3e-3, 1e-2, 3e-2];
const ADAM_RATES: [f64; 3] = [3e-3, 1e-3, 1e-2];
const PLAIN_RATES: [f64; 3] = [0.1, 0.03, 0.3];

pub fn plan(scale: Scale) -> ImpPlan {
    tickets::plan(scale)
}

/// The rounds of iterative pruning whose tickets are compared.
pub fn rounds(scale: Scale) -> &'static [usize] {
    scale.pick(&[4], &[5, 8], &[8, 16])
}

fn tuning(scale: Scale, kind: &'static str, rates: &'static [f64]) -> Tuning {
    Tuning {
        kind,
        rates,
        seeds: scale.pick(1, 4, 6),
    }
}

/// A descent with as many gradients as the rounds of pruning took.
fn descent(trial: &Trial, arm: &str, round: usize, rate: f64) -> Result<HardThresholded> {
    let training = &trial.plan.training;
    let steps = round * training.steps;
    let optimiser = match arm {
        EACH => Optimiser::Sgd {
            learning_rate: rate,
            momentum: 0.0,
            nesterov: false,
            decay: Decay::None,
        },
        _ => training.optimiser.at_rate(rate),
    };
    let method = HardThresholding {
        training: TrainingPlan {
            optimiser,
            steps,
            evaluate_every: steps,
            ..training.clone()
        },
        warm_up: 0,
        every: every(trial, arm),
        debias_steps: if arm == OWN { training.steps } else { 0 },
    };
    let counts = trial.counts(&trial.round(round)?.mask);
    let order = trial.seed.stream("training");
    method.run(
        &trial.network,
        &trial.samples.view(),
        &counts,
        &trial.run.initial,
        &order,
    )
}

fn every(trial: &Trial, arm: &str) -> usize {
    match arm {
        EACH => 1,
        _ => (trial.plan.training.steps / 12).max(1),
    }
}

/// The rate of a descent: that whose thresholded weights are the most accurate on validation samples.
fn descent_rate(context: &Context<'_>, arm: &str, round: usize) -> Result<f64> {
    let scale = context.scale();
    let arm = if arm == OWN { SPACED } else { arm };
    let rates: &[f64] = if arm == EACH { &PLAIN_RATES } else { &ADAM_RATES };
    let tuning = tuning(scale, "imp-as-hard-thresholding-descent", rates);
    let plan = plan(scale);
    let prepare = |number: usize| Trial::new(context, &plan, number);
    tuning.rate(context, &setting(&plan, arm, round), prepare, |trial, rate| {
        Ok(validation_accuracy(&descent(trial, arm, round, rate)?.outcome))
    })
}

/// The mask of an arm with the counts of a round, and the descent that it comes from.
fn masked(
    context: &Context<'_>,
    trial: &Trial,
    arm: &str,
    round: usize,
) -> Result<(Mask, Option<(HardThresholded, f64)>)> {
    let ticket = &trial.round(round)?.mask;
    match arm {
        IMP => Ok((ticket.clone(), None)),
        RANDOM => {
            let seed = trial.seed.stream("random").replicate(round as u64);
            let mask = random_mask(ticket.dimension(), &trial.layers(), &trial.counts(ticket), &seed)?;
            Ok((mask, None))
        }
        _ => {
            let rate = descent_rate(context, arm, round)?;
            let found = descent(trial, arm, round, rate)?;
            Ok((found.mask.clone(), Some((found, rate))))
        }
    }
}

/// The rate of the last training of a mask.
fn rate(context: &Context<'_>, arm: &str, round: usize) -> Result<f64> {
    let scale = context.scale();
    let tuning = tuning(scale, "imp-as-hard-thresholding", &RATES);
    let plan = plan(scale);
    let prepare = |number: usize| {
        let trial = Trial::new(context, &plan, number)?;
        let mask = masked(context, &trial, arm, round)?.0;
        Ok((trial, mask))
    };
    tuning.rate(context, &setting(&plan, arm, round), prepare, |(trial, mask), rate| {
        trial.validated(mask, &trial.run.initial, rate)
    })
}

/// A dense network that helps to fix the margin.
pub fn pilot(context: &Context<'_>, number: usize) -> Result<Vec<Row>> {
    let trial = Trial::dense(context, &plan(context.scale()), number)?;
    Ok(vec![Line::dense(&trial, PILOT)?.row(&COLUMNS)?])
}

/// Every arm at every density from one seed.
pub fn main(context: &Context<'_>, number: usize) -> Result<Vec<Row>> {
    let scale = context.scale();
    let trial = Trial::new(context, &plan(scale), number)?;
    let mut rows = vec![Line::dense(&trial, MAIN)?.row(&COLUMNS)?];
    for &round in rounds(scale) {
        let ticket = &trial.round(round)?.mask;
        let (counts, kept) = (trial.counts(ticket), trial.kept(ticket) as f64);
        let chance: f64 = trial
            .layers()
            .iter()
            .zip(&counts)
            .map(|(range, &k)| (k * k) as f64 / range.len() as f64)
            .sum();
        for arm in ARMS {
            context.check()?;
            let (mask, found) = masked(context, &trial, arm, round)?;
            let both = trial.shared(&mask, ticket)?;
            let mut line = Line::new(MAIN, number, arm, trial.density(ticket))
                .masked(&trial, &mask)?
                .with("shared", both as f64 / kept)
                .with("chance", chance / kept);
            line = match &found {
                Some((found, rate)) => line
                    .with("descent_rate", *rate)
                    .with("every", every(&trial, arm))
                    .with("returned", found.returned)
                    .with("ever_kept", found.ever_kept)
                    .cost(trial.passes(round * trial.plan.training.steps)),
                None if arm == IMP => line.cost(trial.passes(round * trial.plan.training.steps)),
                None => line.cost(0.0),
            };
            line = match &found {
                Some((found, rate)) if arm == OWN => line.trained(&found.outcome, *rate),
                _ => {
                    let rate = rate(context, arm, round)?;
                    line.trained(&trial.train(&mask, &trial.run.initial, 0, rate)?, rate)
                }
            };
            rows.push(line.row(&COLUMNS)?);
        }
    }
    Ok(rows)
}
