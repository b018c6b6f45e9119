//! `ticket-interaction`: whose is the accuracy of a ticket, that of its mask, of its initial values, of the order of the
//! data, or of their meeting? Masks, values and orders of several networks are crossed; and batches are made larger.

mod claims;
mod crossed;
mod draw;
#[cfg(test)]
mod tests;

use super::comparison::{DENSE, Line, SHARED, Trial, Tuning, columns, part_cells, setting};
use super::tickets;
use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::pruning::{Control, ImpPlan};
use ticketsense::table::{Column, Row, Table};
use ticketsense::{Error, Result};

/// The experiment.
#[derive(Debug)]
pub struct TicketInteraction;

/// Masks, values and orders of the networks of a block in all combinations.
const CROSSED: &str = "crossed";
/// Tickets and dense networks at several batch sizes.
const BATCH: &str = "batch";
const TICKET: &str = "imp";
/// Networks of a block: levels of each factor.
const LEVELS: usize = 3;

const OWN: usize = 5;
const COLUMNS: &[Column] = &columns::<OWN, { SHARED + OWN }>([
    Column::integer(
        "block",
        "",
        "Block of three networks that are crossed with one another.",
    ),
    Column::integer("mask", "", "Network of the block that the mask was found in."),
    Column::integer("values", "", "Network of the block that the initial values come from."),
    Column::integer(
        "order",
        "",
        "Network of the block that the order of the data comes from.",
    ),
    Column::integer("batch", "samples", "Samples of a step."),
]);

fn plan(scale: Scale) -> ImpPlan {
    let steps = scale.pick(60, 300, 2000);
    let mut plan = ImpPlan {
        rounds: scale.pick(2, 5, 6),
        prune_fraction: 0.5,
        output_prune_fraction: Some(0.25),
        ..tickets::plan(scale)
    };
    plan.training.steps = steps;
    // Only the end is looked at.
    plan.training.evaluate_every = steps;
    plan
}

/// The rounds whose tickets are taken apart.
fn rounds(scale: Scale) -> [usize; 2] {
    scale.pick([1, 2], [3, 5], [4, 6])
}

fn batches(scale: Scale) -> &'static [usize] {
    scale.pick(&[30, 90], &[10, 30, 90, 270], &[10, 30, 90, 270, 810])
}

fn tuning(scale: Scale) -> Tuning {
    Tuning {
        kind: "ticket-interaction",
        rates: scale.pick(&[3e-3], &[3e-3, 1e-2, 1e-3], &[1.2e-3, 3e-3, 6e-4]),
        seeds: scale.pick(1, 2, 4),
    }
}

impl Experiment for TicketInteraction {
    fn id(&self) -> &'static str {
        "ticket-interaction"
    }

    fn question(&self) -> &'static str {
        "Is the accuracy of a ticket that of its mask, of its initial values, of the order of its data, or of their meeting?"
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        let mut cells = Vec::new();
        for block in 0..scale.pick::<usize>(2, 24, 40) {
            for round in rounds(scale) {
                let cell = Cell::new().problem("block", block).problem("round", round);
                cells.push(cell.treatment("part", CROSSED));
            }
        }
        cells.extend(part_cells(BATCH, 0..scale.pick(2, 24, 40)));
        cells
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        match cell.text("part")? {
            CROSSED => cross(context, cell.integer("block")?, cell.integer("round")?),
            BATCH => batch(context, cell.integer("seed")?),
            other => Err(Error::unknown("part", other, [CROSSED, BATCH])),
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
            seconds: 15,
            memory_mb: 60,
        }
    }

    fn uses_data(&self) -> bool {
        true
    }
}

/// The rate of all combinations of a round: the best on the mean of a ticket and of its mask over fresh values, so that
/// neither is favoured.
fn crossed_rate(context: &Context<'_>, round: usize) -> Result<f64> {
    let plan = plan(context.scale());
    let setting = setting(&plan, CROSSED, round);
    let prepare = |number: usize| {
        let trial = Trial::new(context, &plan, number)?;
        let data = trial.samples.view();
        let other = Control::Reinit.start(&trial.plan, &data, &trial.seed, &trial.run, round)?;
        Ok((trial, other))
    };
    tuning(context.scale()).rate(context, &setting, prepare, |(trial, other), rate| {
        let ticket = trial.validated(&other.mask, &trial.run.rewind, rate)?;
        let fresh = trial.validated(&other.mask, &other.values, rate)?;
        Ok(0.5 * (ticket + fresh))
    })
}

/// Every mask, every initial values and every order of the networks of a block.
fn cross(context: &Context<'_>, block: usize, round: usize) -> Result<Vec<Row>> {
    let plan = plan(context.scale());
    let networks = (0..LEVELS).map(|level| Trial::new(context, &plan, block * LEVELS + level));
    let networks = networks.collect::<Result<Vec<Trial>>>()?;
    let rate = crossed_rate(context, round)?;
    let mut rows = Vec::new();
    for (mask, found) in networks.iter().enumerate() {
        let ticket = &found.round(round)?.mask;
        let density = found.density(ticket);
        for (values, initial) in networks.iter().enumerate() {
            for (order, ordered) in networks.iter().enumerate() {
                context.check()?;
                let stream = ordered.seed.stream("training");
                let outcome = found.train_in_order(ticket, &initial.run.rewind, 0, rate, &stream)?;
                let line = Line::new(CROSSED, block * LEVELS + mask, TICKET, density)
                    .masked(found, ticket)?
                    .trained(&outcome, rate)
                    .with("block", block)
                    .with("mask", mask)
                    .with("values", values)
                    .with("order", order)
                    .with("batch", plan.training.batch);
                rows.push(line.row(COLUMNS)?);
            }
        }
    }
    Ok(rows)
}

/// The rate of a round's ticket at a batch size, for the steps of the plan.
fn batch_rate(context: &Context<'_>, round: usize, batch: usize) -> Result<f64> {
    let plan = plan(context.scale());
    let setting = format!("{};batch={batch}", setting(&plan, BATCH, round));
    let prepare = |number: usize| {
        let mut trial = Trial::new(context, &plan, number)?;
        trial.plan.training.batch = batch;
        let mask = trial.round(round)?.mask.clone();
        Ok((trial, mask))
    };
    tuning(context.scale()).rate(context, &setting, prepare, |(trial, mask), rate| {
        trial.validated(mask, &trial.run.rewind, rate)
    })
}

/// The dense network and two tickets at every batch size, with the rates that suit each.
fn batch(context: &Context<'_>, number: usize) -> Result<Vec<Row>> {
    let scale = context.scale();
    let mut trial = Trial::new(context, &plan(scale), number)?;
    let mut rows = Vec::new();
    for round in [0].into_iter().chain(rounds(scale)) {
        let mask = trial.round(round)?.mask.clone();
        let (arm, density) = if round == 0 {
            (DENSE, 1.0)
        } else {
            (TICKET, trial.density(&mask))
        };
        for &batch in batches(scale) {
            context.check()?;
            let rate = batch_rate(context, round, batch)?;
            trial.plan.training.batch = batch;
            let outcome = trial.train(&mask, &trial.run.rewind, 0, rate)?;
            let line = Line::new(BATCH, number, arm, density)
                .masked(&trial, &mask)?
                .trained(&outcome, rate)
                .with("batch", batch);
            rows.push(line.row(COLUMNS)?);
        }
    }
    Ok(rows)
}
