//! `layerwise-sensing`: a layer is linear in its weights exactly. When are its sparse rows found from its inputs and
//! pre-activations, and do the masks found so train?
//!
//! *planted* cells recover known sparse rows from drawn and from real inputs over the number of samples. *main* cells prune
//! one trained network layer by layer and train the masks beside those of iterative pruning at equal counts.

mod claims;
mod draw;
mod planted;
#[cfg(test)]
mod tests;

use super::comparison::{DENSE, Line, MAIN, PILOT, SHARED, Trial, Tuning, columns, seed_cells, setting};
use super::tickets::plan;
use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::networks::Array;
use ticketsense::pruning::controls::{random_mask, shuffle_within_layers};
use ticketsense::pruning::{Criterion, Spread, TrimOrder, TrimRequest, TrimmedBy, net_trim};
use ticketsense::table::{Column, Row, Table};
use ticketsense::{Error, Mask, Result};

/// The experiment.
#[derive(Debug)]
pub struct LayerwiseSensing;

const PLANTED: &str = "planted";
const IMP: &str = "imp";
const CASCADE: &str = "net-trim";
const PARALLEL: &str = "net-trim-parallel";
const SHUFFLED: &str = "net-trim-shuffled";
const MAGNITUDE: &str = "magnitude";
const RANDOM: &str = "random";

/// Everything but the dense network, which needs no mask.
const ARMS: [&str; 6] = [IMP, CASCADE, PARALLEL, SHUFFLED, MAGNITUDE, RANDOM];

const COLUMNS: [Column; SHARED + 6] = columns([
    Column::integer("samples", "", "Samples on which the layers were seen."),
    Column::integer("fan_in", "", "Inputs of a planted row."),
    Column::integer("nonzeros", "", "Weights of a planted row."),
    Column::integer("trials", "", "Planted rows, each with inputs of its own."),
    Column::integer("recovered", "", "Planted rows found to a relative error of 1e-4."),
    Column::real(
        "accuracy_untrained",
        "1",
        "Test accuracy of the layer-wise recovered weights as they are.",
    ),
]);

const TUNING: Tuning = Tuning {
    kind: "layerwise-sensing",
    rates: &[3e-3, 1e-2],
    seeds: 2,
};

/// The rounds of iterative pruning whose counts are used.
fn rounds(scale: Scale) -> &'static [usize] {
    scale.pick(&[4, 6], &[3, 5, 7], &[6, 9, 12, 15])
}

/// Training samples on which the layers are seen.
fn samples(scale: Scale) -> usize {
    scale.pick(120, 300, 1000)
}

impl Experiment for LayerwiseSensing {
    fn id(&self) -> &'static str {
        "layerwise-sensing"
    }

    fn question(&self) -> &'static str {
        "When do a layer's inputs and pre-activations give its sparse rows, and do the masks found so train?"
    }

    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        let mut cells = seed_cells(scale.pick(2, 24, 40), scale.pick(2, 24, 40));
        cells.extend(planted::cells());
        cells
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        match cell.text("part")? {
            MAIN => main_rows(context, cell.integer("seed")?),
            PILOT => {
                let trial = Trial::dense(context, &plan(context.scale()), cell.integer("seed")?)?;
                Ok(vec![dense(&trial, PILOT)?])
            }
            PLANTED => planted::rows(cell, context),
            other => Err(Error::unknown("part", other, [MAIN, PILOT, PLANTED])),
        }
    }

    fn claims(&self) -> &'static [Claim] {
        claims::CLAIMS
    }

    fn draw(&self, table: &Table) -> Result<Figure> {
        draw::draw(table)
    }

    fn budget(&self) -> Budget {
        Budget {
            seconds: 45,
            memory_mb: 80,
        }
    }

    fn uses_data(&self) -> bool {
        true
    }
}

/// The dense network, which needs no mask.
fn dense(trial: &Trial, part: &str) -> Result<Row> {
    let line = Line::new(part, trial.number, DENSE, 1.0);
    line.trained(&trial.round(0)?.outcome, trial.rate()).row(&COLUMNS)
}

/// The mask of an arm at the counts of a round, what it cost, and the accuracy of recovered weights as they are.
struct Found {
    mask: Mask,
    passes: f64,
    untrained: Option<f64>,
}

fn find(trial: &Trial, arm: &str, round: usize, samples: usize) -> Result<Found> {
    let ticket = &trial.round(round)?.mask;
    let (layers, counts) = (trial.layers(), trial.counts(ticket));
    let dense = trial.passes(trial.plan.training.steps);
    let found = |mask: Mask, passes: f64| Found {
        mask,
        passes,
        untrained: None,
    };
    let stream = |name: &str| trial.seed.stream(name).replicate(round as u64);
    Ok(match arm {
        IMP => found(ticket.clone(), round as f64 * dense),
        CASCADE => trimmed(trial, TrimOrder::Cascade, &counts, samples)?,
        PARALLEL => trimmed(trial, TrimOrder::Parallel, &counts, samples)?,
        SHUFFLED => {
            let own = trimmed(trial, TrimOrder::Cascade, &counts, samples)?;
            let mask = shuffle_within_layers(&own.mask, &layers, &stream("layer-wise shuffle"))?;
            found(mask, own.passes)
        }
        MAGNITUDE => {
            let mask = trial.highest(Criterion::Magnitude, trial.trained()?, &counts)?;
            found(mask, dense)
        }
        RANDOM => {
            let dimension = trial.network.layout().len();
            found(
                random_mask(dimension, &layers, &counts, &stream("layer-wise random"))?,
                0.0,
            )
        }
        other => return Err(Error::unknown("arm", other, ARMS)),
    })
}

/// Orthogonal matching pursuit of every trained layer, its units competing for the count of the layer.
fn trimmed(trial: &Trial, order: TrimOrder, counts: &[usize], samples: usize) -> Result<Found> {
    let view = trial.samples.view();
    let seen: Array<f64> = view.training.inputs.rows_between(0..samples).convert();
    let theta: Vec<f64> = trial.trained()?.iter().map(|&v| f64::from(v)).collect();
    let request = TrimRequest {
        solver: TrimmedBy::Omp,
        spread: Spread::Layer,
        order,
        counts,
    };
    let answer = net_trim(&trial.network, &theta, &seen, &request)?;
    let ticket = answer.ticket.ok_or_else(|| {
        let expected = "as many independent inputs in every layer as weights a unit";
        Error::argument("samples of layer-wise recovery", expected, samples)
    })?;
    let test: Array<f64> = view.test.inputs.convert();
    let untrained = trial.network.accuracy(&ticket.theta, &test, view.test.labels)?;
    // One forward pass of the given network, and one of the pruned one a layer; the least squares are no passes.
    let forwards = (1 + counts.len()) as f64 * samples as f64 / view.training.inputs.rows() as f64;
    Ok(Found {
        mask: ticket.mask,
        passes: trial.passes(trial.plan.training.steps) + forwards,
        untrained: Some(untrained),
    })
}

fn main_rows(context: &Context<'_>, number: usize) -> Result<Vec<Row>> {
    let scale = context.scale();
    let (plan, seen) = (plan(scale), samples(scale));
    let trial = Trial::new(context, &plan, number)?;
    let mut rows = vec![dense(&trial, MAIN)?];
    for &round in rounds(scale) {
        let density = trial.density(&trial.round(round)?.mask);
        for arm in ARMS {
            context.check()?;
            let setting = format!("{};samples={seen}", setting(&plan, arm, round));
            let prepare = |number: usize| {
                let pilot = Trial::new(context, &plan, number)?;
                let mask = find(&pilot, arm, round, seen)?.mask;
                Ok((pilot, mask))
            };
            let rate = TUNING.rate(context, &setting, prepare, |(pilot, mask), rate| {
                pilot.validated(mask, &pilot.run.initial, rate)
            })?;
            let found = find(&trial, arm, round, seen)?;
            let outcome = trial.train(&found.mask, &trial.run.initial, 0, rate)?;
            rows.push(
                Line::new(MAIN, number, arm, density)
                    .masked(&trial, &found.mask)?
                    .trained(&outcome, rate)
                    .cost(found.passes)
                    .with("samples", seen)
                    .with("accuracy_untrained", found.untrained)
                    .row(&COLUMNS)?,
            );
        }
    }
    Ok(rows)
}
