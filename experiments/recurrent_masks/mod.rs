//! `recurrent-masks`: what one mask for all steps of a recurrent network does, to the walks of a signal through random
//! masks and to the accuracy of tickets, beside a mask of its own for every step.

mod claims;
mod draw;
#[cfg(test)]
mod tests;
mod trained;
mod walks;

use super::comparison::{MAIN, PILOT, SHARED, columns, seed_cells};
use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::simulations::percolation::Reuse;
use ticketsense::table::{Column, Row, Table};
use ticketsense::{Error, Result};

/// The experiment.
#[derive(Debug)]
pub struct RecurrentMasks;

/// How long a signal lasts through random masks: by law, by all masks, by simulation.
const WALKS: &str = "walks";
/// One mask for all steps, or one for each.
const CELLS: [(&str, Reuse); 2] = [(TIED, Reuse::Tied), (UNTIED, Reuse::Untied)];
const TIED: &str = "tied";
const UNTIED: &str = "untied";

/// Units of the cells of the first part, the least of which are enumerated.
const UNITS: [usize; 5] = [2, 3, 4, 12, 32];
/// Mean number of kept weights out of a unit.
const DEGREES: [f64; 3] = [0.5, 1.0, 1.5];
/// Steps that a signal may last.
const STEPS: [usize; 11] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64];

const OWN: usize = 9;
const COLUMNS: &[Column] = &columns::<OWN, { SHARED + OWN }>([
    Column::integer("units", "units", "Hidden units of the cell, n."),
    Column::integer("steps", "steps", "Steps that the signal is to last, T."),
    Column::real(
        "exact",
        "",
        "Probability that some walk of T kept weights exists, by its law.",
    ),
    Column::real(
        "lost",
        "",
        "Probability that none exists, by its law, to full relative precision.",
    ),
    Column::real(
        "enumerated",
        "",
        "The same summed over all masks of the n² weights, up to four units.",
    ),
    Column::integer("replicates", "", "Independent replicates of the simulation."),
    Column::integer("lasting", "", "Those in which a signal lasts T steps."),
    Column::integer(
        "mask_bits",
        "bits",
        "Bits of the masks on the hidden weights that T steps use: n², or T n².",
    ),
    Column::integer(
        "lasts",
        "",
        "Whether the kept hidden weights of a trained network carry a signal through all steps of a series: 1 or 0.",
    ),
]);

impl Experiment for RecurrentMasks {
    fn id(&self) -> &'static str {
        "recurrent-masks"
    }

    fn question(&self) -> &'static str {
        "What does it change that a recurrent network uses one mask at every step?"
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        let mut cells = Vec::new();
        for (cell, _) in CELLS {
            for units in UNITS {
                for degree in DEGREES {
                    let here = Cell::new().problem("units", units).problem("degree", degree);
                    cells.push(here.treatment("part", WALKS).treatment("cell", cell));
                }
            }
        }
        cells.extend(seed_cells(scale.pick(2, 24, 40), scale.pick(2, 24, 40)));
        cells
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        match cell.text("part")? {
            WALKS => walks::rows(cell, context),
            PILOT => trained::pilot(context, cell.integer("seed")?),
            MAIN => trained::main(context, cell.integer("seed")?),
            other => Err(Error::unknown("part", other, [WALKS, MAIN, PILOT])),
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
            seconds: 25,
            memory_mb: 60,
        }
    }

    fn uses_data(&self) -> bool {
        true
    }
}
