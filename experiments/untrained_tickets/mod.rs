//! `untrained-tickets`: what a random network contains before any of its weights is trained: numbers whose subset sums come
//! near every target, networks pruned towards a given one, and masks that edge-popup finds on real data.

mod claims;
mod draw;
mod search;
mod sums;
#[cfg(test)]
mod tests;

use super::comparison::{MAIN, PILOT, SHARED, columns, seed_cells};
use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::table::{Column, Row, Table};
use ticketsense::{Error, Result};

/// The experiment.
#[derive(Debug)]
pub struct UntrainedTickets;

/// Covering radii of subset sums.
const SUMS: &str = "sums";
/// Random networks pruned towards a target network.
const TARGETS: &str = "targets";

const COLUMNS: &[Column] = &columns::<7, { SHARED + 7 }>([
    Column::integer(
        "numbers",
        "",
        "Random numbers, uniform on [-1, 1], whose subset sums are formed.",
    ),
    Column::real(
        "radius",
        "1",
        "Largest distance of a target in [-1/2, 1/2] to its nearest subset sum, exact.",
    ),
    Column::integer(
        "units",
        "",
        "Random hidden units for every weight of the target network.",
    ),
    Column::real(
        "sup_error",
        "1",
        "Largest error of an output of the pruned network on a grid of 41 x 41 inputs in [-1, 1].",
    ),
    Column::real("bound", "1", "Proven bound of that error over all inputs in [-1, 1]."),
    Column::real("weight_error", "1", "Largest error of a single weight of the target."),
    Column::real(
        "changed",
        "1",
        "Weights whose state differs between the first mask of the search and the last, as a fraction of all.",
    ),
]);

impl Experiment for UntrainedTickets {
    fn id(&self) -> &'static str {
        "untrained-tickets"
    }

    fn question(&self) -> &'static str {
        "Does a random network contain, before any training, a subnetwork that computes what a trained one does?"
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        let mut cells = seed_cells(scale.pick(2, 24, 40), scale.pick(2, 24, 40));
        cells.extend(sums::numbers(scale).map(|n| Cell::new().problem("numbers", n).treatment("part", SUMS)));
        let units = sums::UNITS.iter().map(|&units| Cell::new().problem("units", units));
        cells.extend(units.map(|cell| cell.treatment("part", TARGETS)));
        cells
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        let lines = match cell.text("part")? {
            MAIN => search::compared(context, cell.integer("seed")?)?,
            PILOT => search::pilot(context, cell.integer("seed")?)?,
            SUMS => sums::radii(cell, context)?,
            TARGETS => sums::targets(cell, context)?,
            other => return Err(Error::unknown("part", other, [MAIN, PILOT, SUMS, TARGETS])),
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
            seconds: 40,
            memory_mb: 120,
        }
    }

    fn uses_data(&self) -> bool {
        true
    }
}
