//! `pruning-at-initialisation`: masks that are chosen before any training, beside those of iterative pruning, at equal
//! numbers of weights; each also shuffled within its layers and with fresh initial values.

mod arms;
mod claims;
mod draw;
#[cfg(test)]
mod tests;

use super::comparison::{Line, MAIN, PILOT, SHARED, Trial, Tuning, columns, seed_cells, setting, validation_accuracy};
use super::tickets::plan;
use arms::{ARMS, Arm, Seedling};
use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::pruning::ImpPlan;
use ticketsense::table::{Column, Row, Table};
use ticketsense::{Error, Result};

/// The experiment.
#[derive(Debug)]
pub struct PruningAtInitialisation;

const COLUMNS: [Column; SHARED + 2] = columns([
    Column::integer(
        "round",
        "",
        "Round of iterative pruning whose number of weights is kept.",
    ),
    Column::text(
        "layers",
        "Weights kept of every layer, from input to output, joined by plus signs.",
    ),
]);

/// The rounds whose numbers of weights are compared.
fn compared_rounds(scale: Scale) -> &'static [usize] {
    scale.pick(&[3, 6], &[3, 6, 8, 10], &[6, 10, 14, 18])
}

/// Every arm chooses from these, at every density.
fn tuning(scale: Scale) -> Tuning {
    Tuning {
        kind: "pruning-at-initialisation",
        rates: scale.pick(&[3e-3, 1e-2], &[3e-3, 1e-2, 3e-2], &[1.2e-3, 3e-3, 6e-3]),
        seeds: scale.pick(1, 4, 5),
    }
}

/// The step that the rewound arm goes back to: a twentieth of training.
fn rewind_step(plan: &ImpPlan) -> usize {
    plan.training.steps / 20
}

impl Experiment for PruningAtInitialisation {
    fn id(&self) -> &'static str {
        "pruning-at-initialisation"
    }

    fn question(&self) -> &'static str {
        "Does a mask that is chosen before training train as well as one that iterative pruning has found?"
    }

    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        seed_cells(scale.pick(2, 24, 40), scale.pick(3, 24, 40))
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        let number = cell.integer("seed")?;
        match cell.text("part")? {
            PILOT => pilot(context, number),
            MAIN => compared(context, number),
            other => Err(Error::unknown("part", other, [PILOT, MAIN])),
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
            seconds: 60,
            memory_mb: 60,
        }
    }

    fn uses_data(&self) -> bool {
        true
    }
}

/// The dense network of a trial.
fn dense(trial: &Trial, part: &str) -> Result<Row> {
    let counts = trial.counts(&trial.round(0)?.mask);
    let line = Line::dense(trial, part)?.with("round", 0);
    line.with("layers", words(&counts)).row(&COLUMNS)
}

fn words(counts: &[usize]) -> String {
    let counts: Vec<String> = counts.iter().map(usize::to_string).collect();
    counts.join("+")
}

fn pilot(context: &Context<'_>, number: usize) -> Result<Vec<Row>> {
    let trial = Trial::dense(context, &plan(context.scale()), number)?;
    Ok(vec![dense(&trial, PILOT)?])
}

fn compared(context: &Context<'_>, number: usize) -> Result<Vec<Row>> {
    let seedling = Seedling::new(context, number)?;
    let trial = &seedling.trial;
    let mut rows = vec![dense(trial, MAIN)?];
    for &round in compared_rounds(context.scale()) {
        let density = trial.density(&trial.round(round)?.mask);
        for arm in ARMS {
            context.check()?;
            let rate = rate(context, arm, round)?;
            let chosen = seedling.choose(arm, round)?;
            let outcome = seedling.train(&chosen, rate)?;
            let line = Line::new(MAIN, number, &arm.name(), density)
                .masked(trial, &chosen.mask)?
                .trained(&outcome, rate)
                .cost(chosen.passes)
                .with("round", round)
                .with("layers", words(&trial.counts(&chosen.mask)));
            rows.push(line.row(&COLUMNS)?);
        }
    }
    Ok(rows)
}

/// The learning rate of an arm at a density, from seeds that are used for nothing else.
fn rate(context: &Context<'_>, arm: Arm, round: usize) -> Result<f64> {
    let setting = setting(&plan(context.scale()), &arm.name(), round);
    let prepare = |number: usize| {
        let seedling = Seedling::new(context, number)?;
        let chosen = seedling.choose(arm, round)?;
        Ok((seedling, chosen))
    };
    tuning(context.scale()).rate(context, &setting, prepare, |(seedling, chosen), rate| {
        Ok(validation_accuracy(&seedling.train(chosen, rate)?))
    })
}
