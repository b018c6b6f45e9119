//! `mode-connectivity`: two copies trained from common values on different orders of the data, what lies on the straight path
//! between them, and whether tickets match the dense network exactly where that path stays low.

mod claims;
mod draw;
mod outcomes;
#[cfg(test)]
mod tests;

use super::comparison::{DENSE, FIRST_PILOT, Line, MAIN, PILOT, SHARED, Trial, columns};
use super::rewinding;
use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::pruning::{Control, ImpPlan, PathErrors, Siblings, train_siblings};
use ticketsense::table::{Column, Row, Table};
use ticketsense::training::TrainingPlan;
use ticketsense::{Error, Mask, Result};

/// The experiment.
#[derive(Debug)]
pub struct ModeConnectivity;

/// What lies between two copies.
const BARRIER: &str = "barrier";
/// Points of some of those paths.
const PATH: &str = "path";

const TICKET: &str = "ticket";
const SHUFFLE: &str = "shuffle";

/// Points of a path.
const POINTS: usize = 31;
/// Seeds of which the paths between dense copies are kept for the figure.
const DRAWN: usize = 8;

const COLUMNS: &[Column] = &columns::<11, { SHARED + 11 }>([
    Column::integer(
        "round",
        "",
        "Pruning rounds before this training; 0 is the dense network.",
    ),
    Column::integer(
        "rewind_step",
        "steps",
        "Step of the dense training that values, and the two copies, start from.",
    ),
    Column::real("rewind_fraction", "1", "The same as a fraction of training."),
    Column::real("copies_accuracy", "1", "Mean test accuracy of the two copies."),
    Column::real(
        "test_barrier",
        "1",
        "Largest test error on the path minus the mean of its ends: the instability.",
    ),
    Column::real("training_barrier", "1", "The same for the training error."),
    Column::real("loss_barrier", "1", "The same for the training loss."),
    Column::real(
        "loss_over_chord",
        "1",
        "Largest training loss inside the path minus the straight line between its ends.",
    ),
    Column::real("alpha", "1", "Place on the path."),
    Column::real("path_loss", "1", "Training loss there."),
    Column::real("path_error", "1", "Test error there."),
]);

/// The rounds whose tickets are copied.
fn rounds(scale: Scale) -> &'static [usize] {
    scale.pick(&[4], &[1, 2, 4, 8], &[2, 4, 8, 16])
}

/// Learning rates, each a training procedure of its own: that of the experiment on rewinding, whose runs are shared, and a
/// higher one. In a first run every ticket was stable at the first, which leaves nothing to tell stable tickets from; at the
/// second some are not, as other root seeds had shown.
fn rates(scale: Scale) -> &'static [f64] {
    scale.pick(&[1e-2], &[1e-2, 3e-2], &[1e-2, 3e-2])
}

/// How the tickets of a step and a learning rate are found.
fn plan(scale: Scale, step: usize, rate: f64) -> ImpPlan {
    let plan = rewinding::plan(scale, step);
    let training = TrainingPlan {
        optimiser: plan.training.optimiser.at_rate(rate),
        ..plan.training
    };
    ImpPlan { training, ..plan }
}

impl Experiment for ModeConnectivity {
    fn id(&self) -> &'static str {
        "mode-connectivity"
    }

    fn question(&self) -> &'static str {
        "From which step on do two trainings on different orders of data end in one valley, and do tickets match only from there?"
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        let mut cells = Vec::new();
        let count = scale.pick(2usize, 24, 40);
        for &rate in rates(scale) {
            let cell = |number: usize, part: &'static str| {
                Cell::new()
                    .problem("seed", number)
                    .treatment("part", part)
                    .treatment("rate", rate)
            };
            for number in 0..count {
                let step = |t: f64| rewinding::rewind_step(scale, t);
                cells.extend(rewinding::FRACTIONS.map(|t| cell(number, MAIN).treatment("rewind", step(t))));
            }
            cells.extend((0..count).map(|number| cell(FIRST_PILOT + number, PILOT)));
        }
        cells
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        let (number, rate) = (cell.integer("seed")?, cell.real("rate")?);
        let lines = match cell.text("part")? {
            MAIN => copied(context, number, cell.integer("rewind")?, rate)?,
            PILOT => pilot(context, number, rate)?,
            other => return Err(Error::unknown("part", other, [MAIN, PILOT])),
        };
        lines.iter().map(|line| line.row(COLUMNS)).collect()
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
            memory_mb: 80,
        }
    }

    fn uses_data(&self) -> bool {
        true
    }
}

/// A dense network whose accuracy fixes the margin.
fn pilot(context: &Context<'_>, number: usize, rate: f64) -> Result<Vec<Line>> {
    let trial = Trial::dense(context, &plan(context.scale(), 0, rate), number)?;
    let line = Line::new(PILOT, number, DENSE, 1.0).trained(&trial.round(0)?.outcome, rate);
    Ok(vec![
        line.with("round", 0usize)
            .with("rewind_step", 0usize)
            .with("rewind_fraction", 0.0),
    ])
}

/// One seed and one step: tickets that were found with survivors back at that step, and two copies of each and of the dense
/// network from there. The dense network and the shuffled masks, which tell where any mask would do, do not depend on the
/// step and stand in the rows of step zero alone.
fn copied(context: &Context<'_>, number: usize, step: usize, rate: f64) -> Result<Vec<Line>> {
    let scale = context.scale();
    let plan = plan(scale, step, rate);
    let trial = Trial::new(context, &plan, number)?;
    let placed = |line: Line, round: usize| {
        line.with("round", round)
            .with("rewind_step", step)
            .with("rewind_fraction", step as f64 / plan.training.steps as f64)
    };
    let mut lines = Vec::new();
    for round in std::iter::once(0).chain(rounds(scale).iter().copied()) {
        context.check()?;
        let found = trial.round(round)?;
        let density = trial.density(&found.mask);
        let (arm, name) = if round == 0 {
            (DENSE, DENSE.to_string())
        } else {
            (TICKET, arm_of(step))
        };
        if round > 0 || step == 0 {
            let line = Line::new(MAIN, number, &name, density).masked(&trial, &found.mask)?;
            lines.push(placed(
                line.trained(&found.outcome, rate).cost(cost(&trial, round)),
                round,
            ));
        }
        if round > 0 && step == 0 {
            let shuffled = Control::Shuffle.train(&plan, &trial.samples.view(), &trial.seed, &trial.run, round)?;
            let line = Line::new(MAIN, number, SHUFFLE, density).masked(&trial, &shuffled.mask)?;
            lines.push(placed(line.trained(&shuffled.outcome, rate), round));
        }
        let siblings = siblings(&trial, &found.mask, step)?;
        let line = Line::new(BARRIER, number, arm, density).masked(&trial, &found.mask)?;
        lines.push(placed(barriers(line, &siblings)?.with("learning_rate", rate), round));
        if let (0, true, Some(training), Some(test)) = (round, number < DRAWN, &siblings.training, &siblings.test) {
            for (alpha, loss, error) in points(training, test) {
                let line = Line::new(PATH, number, arm, density)
                    .with("learning_rate", rate)
                    .with("alpha", alpha);
                lines.push(placed(line.with("path_loss", loss).with("path_error", error), round));
            }
        }
    }
    Ok(lines)
}

/// The name of the tickets of a step.
fn arm_of(step: usize) -> String {
    format!("{TICKET}-{step}")
}

/// Passes over the training set before a round began.
fn cost(trial: &Trial, round: usize) -> f64 {
    let before = trial.run.rounds.iter().take(round);
    trial.passes(before.map(|r| r.outcome.steps).sum())
}

fn siblings(trial: &Trial, mask: &Mask, step: usize) -> Result<Siblings> {
    let data = trial.samples.view();
    let seed = trial.seed.stream("siblings");
    train_siblings(
        &trial.plan,
        &trial.network,
        &data,
        mask,
        &trial.run.rewind,
        step,
        POINTS,
        &seed,
    )
}

fn barriers(line: Line, siblings: &Siblings) -> Result<Line> {
    let [first, second] = &siblings.copies;
    let line = line
        .with("copies_accuracy", 0.5 * (first.test_accuracy + second.test_accuracy))
        .with("status", first.status.as_str());
    let (Some(training), Some(test)) = (&siblings.training, &siblings.test) else {
        return Ok(line);
    };
    let loss = training.loss_barrier()?;
    Ok(line
        .with("test_barrier", test.error_barrier()?.over_mean)
        .with("training_barrier", training.error_barrier()?.over_mean)
        .with("loss_barrier", loss.over_mean)
        .with("loss_over_chord", loss.over_chord))
}

fn points(training: &PathErrors, test: &PathErrors) -> Vec<(f64, f64, f64)> {
    let values = training.losses.iter().zip(&test.errors);
    training
        .alphas
        .iter()
        .zip(values)
        .map(|(alpha, (loss, error))| (*alpha, *loss, *error))
        .collect()
}
