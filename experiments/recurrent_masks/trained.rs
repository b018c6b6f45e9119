//! Recurrent networks that are trained and pruned, with one mask for all steps and with one for each.

use super::super::comparison::{DENSE, Line, MAIN, PILOT, Trial, Tuning, setting};
use super::super::tickets;
use super::{CELLS, COLUMNS, TIED};
use ticketsense::harness::{Context, Scale};
use ticketsense::networks::{Layer, Network, Recurrent};
use ticketsense::pruning::{Control, ImpPlan, Scope};
use ticketsense::table::Row;
use ticketsense::{Mask, Result};

/// Who chose a mask.
pub const KINDS: [&str; 2] = ["imp", "random"];
/// Rounds after which the untied network, of about T times the weights, has as few as the tied one began with.
const ROUNDS_APART: usize = 3;

/// The arm of a cell and a kind of mask; the dense tied network is the one that all are measured by.
pub fn arm(cell: &str, kind: &str) -> String {
    match (cell, kind) {
        (TIED, DENSE) => DENSE.into(),
        _ => format!("{cell} {kind}"),
    }
}

fn network_name(scale: Scale, cell: &str) -> String {
    let units = scale.pick(8, 24, 64);
    match cell {
        TIED => format!("rnn:relu:hidden={units}"),
        _ => format!("rnn:relu:hidden={units}:untied"),
    }
}

/// The weights of a cell, without those of the output layer.
fn recurrent_weights(network: &Network) -> usize {
    let weights = network.layout().prunable();
    weights - network.layout().weight_slots().last().map_or(0, |slot| slot.len())
}

/// Iterative pruning of a cell: all of its weights compete, the output layer stays dense, and the fraction of a round is that
/// by which three rounds make the untied network as large as the tied one.
fn plan(context: &Context<'_>, cell: &str) -> Result<ImpPlan> {
    let scale = context.scale();
    let samples = tickets::samples(context)?;
    let view = samples.view();
    let mut weights = [0.0; 2];
    for (place, (cell, _)) in weights.iter_mut().zip(CELLS) {
        let network = Network::preset(&network_name(scale, cell), view.shape, view.classes)?;
        *place = recurrent_weights(&network) as f64;
    }
    let steps = scale.pick(40, 300, 1500);
    let mut plan = ImpPlan {
        network: network_name(scale, cell),
        rounds: rounds(scale, cell).last().copied().unwrap_or(0),
        prune_fraction: 1.0 - (weights[0] / weights[1]).powf(1.0 / ROUNDS_APART as f64),
        output_prune_fraction: Some(0.0),
        scope: Scope::Global,
        ..tickets::plan(scale)
    };
    plan.training.optimiser = plan.training.optimiser.at_rate(scale.pick(1e-2, 1e-2, 3e-3));
    plan.training.batch = scale.pick(20, 30, 60);
    plan.training.steps = steps;
    plan.training.evaluate_every = steps;
    Ok(plan)
}

/// The rounds whose masks are compared. Those of the untied network begin with the densities of the tied one, and end with
/// its counts.
fn rounds(scale: Scale, cell: &str) -> Vec<usize> {
    let tied: &[usize] = scale.pick(&[2], &[2, 3, 4], &[2, 3, 4, 5, 6]);
    let mut rounds = tied.to_vec();
    if cell != TIED {
        rounds.extend(tied.iter().map(|round| round + ROUNDS_APART));
    }
    rounds.sort_unstable();
    rounds.dedup();
    rounds
}

fn tuning(scale: Scale) -> Tuning {
    Tuning {
        kind: "recurrent-masks",
        rates: scale.pick(&[1e-2], &[1e-2, 2e-2, 5e-3], &[3e-3, 1e-2, 1e-3]),
        seeds: scale.pick(1, 2, 4),
    }
}

/// The mask of a kind at the counts of a round.
fn mask(trial: &Trial, kind: &str, round: usize) -> Result<Mask> {
    match kind {
        "random" => {
            let data = trial.samples.view();
            let start = Control::Random.start(&trial.plan, &data, &trial.seed, &trial.run, round)?;
            Ok(start.mask)
        }
        _ => Ok(trial.round(round)?.mask.clone()),
    }
}

/// The rate of an arm at the counts of a round.
fn rate(context: &Context<'_>, plan: &ImpPlan, kind: &str, round: usize) -> Result<f64> {
    let prepare = |number: usize| {
        let trial = Trial::new(context, plan, number)?;
        let mask = mask(&trial, kind, round)?;
        Ok((trial, mask))
    };
    tuning(context.scale()).rate(context, &setting(plan, kind, round), prepare, |(trial, mask), rate| {
        trial.validated(mask, &trial.run.rewind, rate)
    })
}

/// One training at its rate.
fn line(context: &Context<'_>, trial: &Trial, plan: &ImpPlan, arm: (&str, &str), round: usize) -> Result<Line> {
    context.check()?;
    let (part, name) = arm;
    let kind = name.rsplit(' ').next().unwrap_or(name);
    let mask = mask(trial, kind, round)?;
    let rate = rate(context, plan, kind, round)?;
    let outcome = trial.train(&mask, &trial.run.rewind, 0, rate)?;
    let density = (1.0 - plan.prune_fraction).powi(round as i32);
    let lasts = cell_of(&trial.network).is_none_or(|cell| lasts(cell, &trial.network, &mask));
    Ok(Line::new(part, trial.number, name, density)
        .masked(trial, &mask)?
        .trained(&outcome, rate)
        .with("lasts", i64::from(lasts)))
}

/// The dense tied network on a seed of its own.
pub fn pilot(context: &Context<'_>, number: usize) -> Result<Vec<Row>> {
    let plan = plan(context, TIED)?;
    let trial = Trial::dense(context, &plan, number)?;
    Ok(vec![line(context, &trial, &plan, (PILOT, DENSE), 0)?.row(COLUMNS)?])
}

/// Both networks, dense and at the masks of their rounds.
pub fn main(context: &Context<'_>, number: usize) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (cell, _) in CELLS {
        let plan = plan(context, cell)?;
        let trial = Trial::new(context, &plan, number)?;
        rows.push(line(context, &trial, &plan, (MAIN, &arm(cell, DENSE)), 0)?.row(COLUMNS)?);
        for round in rounds(context.scale(), cell) {
            for kind in KINDS {
                rows.push(line(context, &trial, &plan, (MAIN, &arm(cell, kind)), round)?.row(COLUMNS)?);
            }
        }
    }
    Ok(rows)
}

fn cell_of(network: &Network) -> Option<&Recurrent> {
    network.layers().iter().find_map(|layer| match layer {
        Layer::Recurrent(cell) => Some(cell),
        _ => None,
    })
}

/// Whether some walk of kept hidden weights goes from the first step to the last.
fn lasts(cell: &Recurrent, network: &Network, mask: &Mask) -> bool {
    let mut reached = vec![true; cell.hidden];
    for &slot in &cell.hidden_weight {
        let first = network.layout().slots()[slot].range.start;
        let row = |to: usize| first + to * cell.hidden;
        let next = |to: usize| (0..cell.hidden).any(|from| reached[from] && mask.keeps(row(to) + from));
        reached = (0..cell.hidden).map(next).collect();
    }
    reached.contains(&true)
}
