//! `structured-pruning`: whole neurons and channels against single weights, at equal parameters and at equal multiply-adds,
//! with patterns in between, and against a small dense network trained from scratch.

mod arms;
mod claims;
mod draw;
mod subject;
#[cfg(test)]
mod tests;

use super::comparison::{
    DENSE, FIRST_PILOT, Line, MAIN, PILOT, SHARED, Tuning, columns, part_cells, validation_accuracy,
};
use arms::{Arm, Made};
use subject::{Kind, Subject};
use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::table::{Column, Row, Table};
use ticketsense::{Error, Result};

/// The experiment.
#[derive(Debug)]
pub struct StructuredPruning;

/// Rows of the convolutional network, and of its dense pilots.
const CHANNELS: &str = "channels";
const CHANNELS_PILOT: &str = "channels-pilot";

const COLUMNS: [Column; SHARED + 3] = columns([
    Column::integer(
        "parameters",
        "parameters",
        "Weights and biases of what is left: of a smaller network its own, of a masked one the kept weights and all biases.",
    ),
    Column::integer(
        "multiply_adds",
        "operations",
        "Multiply-adds of the kept weights in one forward pass of one sample.",
    ),
    Column::text("widths", "Units left in every layer, where whole units go."),
]);

/// Rates that every arm and density chooses from.
const RATES: [f64; 3] = [3e-3, 1e-2, 3e-2];

/// Fractions of the weights, one over the size of a group of the n:m pattern.
fn densities(kind: Kind, scale: Scale) -> &'static [usize] {
    match kind {
        Kind::Perceptron => scale.pick(&[8], &[4, 8, 16], &[2, 4, 8, 16]),
        Kind::Convolutional => scale.pick(&[4], &[4, 8], &[2, 4, 8]),
    }
}

fn tuning(scale: Scale) -> Tuning {
    Tuning {
        kind: "structured-pruning",
        rates: scale.pick(&RATES[1..2], &RATES, &RATES),
        seeds: scale.pick(1, 2, 6),
    }
}

/// The parts of main and pilot rows.
fn parts(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Perceptron => (MAIN, PILOT),
        Kind::Convolutional => (CHANNELS, CHANNELS_PILOT),
    }
}

impl Experiment for StructuredPruning {
    fn id(&self) -> &'static str {
        "structured-pruning"
    }

    fn question(&self) -> &'static str {
        "At equal parameters and multiply-adds, do whole neurons and channels lose against single weights, and does pruning them \
         add anything to training a small network from scratch?"
    }

    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        let mut cells = Vec::new();
        for kind in Kind::ALL {
            let (main, pilot) = parts(kind);
            cells.extend(part_cells(main, 0..scale.pick(2, 24, 60)));
            cells.extend(part_cells(pilot, FIRST_PILOT..FIRST_PILOT + scale.pick(2, 24, 40)));
        }
        cells
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        let (number, part) = (cell.integer("seed")?, cell.text("part")?);
        let known = [MAIN, PILOT, CHANNELS, CHANNELS_PILOT];
        let kind = Kind::ALL
            .into_iter()
            .find(|&kind| parts(kind).0 == part || parts(kind).1 == part);
        let kind = kind.ok_or_else(|| Error::unknown("part", part, known))?;
        let subject = Subject::new(context, kind, number)?;
        let mut rows = vec![dense_row(&subject, part)?];
        if part == parts(kind).0 {
            for &group in densities(kind, context.scale()) {
                for arm in Arm::ALL {
                    context.check()?;
                    rows.push(arm_row(context, &subject, arm, group)?);
                }
            }
        }
        Ok(rows)
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

fn dense_row(subject: &Subject, part: &str) -> Result<Row> {
    let full = subject.network.layout().full_mask();
    Line::new(part, subject.number, DENSE, 1.0)
        .with("kept", subject.network.layout().prunable())
        .with("effective_density", subject.effective_density(&full)?)
        .with("parameters", subject.network.layout().len())
        .with("multiply_adds", subject.network.multiply_adds(None))
        .with("widths", subject.widths(&subject.units.all()))
        .trained(&subject.dense, subject.rate())
        .cost(0.0)
        .row(&COLUMNS)
}

fn arm_row(context: &Context<'_>, subject: &Subject, arm: Arm, group: usize) -> Result<Row> {
    let rate = rate_of(context, subject.kind, arm, group)?;
    let made = arm.make(subject, group)?;
    let outcome = subject.train(&made, rate)?;
    let Made {
        kept,
        effective_density,
        parameters,
        multiply_adds,
        passes,
        ..
    } = made;
    let line = Line::new(parts(subject.kind).0, subject.number, arm.name(), 1.0 / group as f64)
        .with("kept", kept)
        .with("effective_density", effective_density)
        .with("parameters", parameters)
        .with("multiply_adds", multiply_adds)
        .trained(&outcome, rate)
        .cost(passes);
    match made.widths {
        Some(widths) => line.with("widths", widths),
        None => line,
    }
    .row(&COLUMNS)
}

/// The rate of an arm, from seeds that are used for nothing else.
fn rate_of(context: &Context<'_>, kind: Kind, arm: Arm, group: usize) -> Result<f64> {
    let scale = context.scale();
    let setting = format!(
        "{};{};one of {group};{}",
        kind.as_str(),
        arm.name(),
        kind.identity(scale)
    );
    let prepare = |number: usize| {
        let subject = Subject::new(context, kind, number)?;
        let made = arm.make(&subject, group)?;
        Ok((subject, made))
    };
    tuning(scale).rate(context, &setting, prepare, |(subject, made), rate| {
        Ok(validation_accuracy(&subject.train(made, rate)?))
    })
}
