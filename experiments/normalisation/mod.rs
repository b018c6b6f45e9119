//! `normalisation`: what small batches do to batch normalisation, beside normalisations within a sample, in dense and in
//! sparse networks.

mod alone;
mod claims;
mod draw;
mod noise;
#[cfg(test)]
mod tests;
mod trained;
mod trained_claims;
mod units;

use super::comparison::{MAIN, PILOT, SHARED, columns, seed_cells};
use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::table::{Column, Row, Table};
use ticketsense::{Error, Result};

/// The experiment.
#[derive(Debug)]
pub struct Normalising;

/// How much the statistics of a batch of Gaussian entries vary.
const NOISE: &str = "noise";
/// What one sample is among others, and what a batch of one sample is.
const ALONE: &str = "alone";
/// Units whose inputs are pruned away.
const UNITS: &str = "units";

/// The normalisations by their word in the name of a network.
const NORMS: [&str; 3] = [BATCH_NORM, "layer-norm", "group-norm=5"];
const BATCH_NORM: &str = "batch-norm";
/// Samples of a step in the trained part.
const BATCHES: [usize; 4] = [2, 4, 8, 32];

const OWN: usize = 12;
const COLUMNS: &[Column] = &columns::<OWN, { SHARED + OWN }>([
    Column::text("norm", "The normalisation."),
    Column::integer("batch", "samples", "Samples of a batch, B."),
    Column::integer("side", "positions", "Height and width of the image that a channel is."),
    Column::text(
        "kernel",
        "What independent entries were convolved with: none, smooth (equal weights), difference (weights that sum to 0).",
    ),
    Column::integer("entries", "", "Entries that a statistic is taken over, n = B · side²."),
    Column::text("quantity", "What is compared; the chapter lists the quantities."),
    Column::real("exact", "", "Its value by the closed form."),
    Column::real("found", "", "Its value as simulated or computed."),
    Column::real(
        "standard_error",
        "",
        "Of the simulated value, by the law of Gaussian entries.",
    ),
    Column::integer("replicates", "", "Independent replicates, or units, of the simulation."),
    Column::integer(
        "dead",
        "units",
        "Units of the first layer whose pre-activation does not vary over the samples.",
    ),
    Column::integer(
        "below_epsilon",
        "units",
        "Units whose variance is below the constant 1e-5 that is added to it.",
    ),
]);

impl Experiment for Normalising {
    fn id(&self) -> &'static str {
        "normalisation"
    }

    fn question(&self) -> &'static str {
        "What do small batches do to batch normalisation, and does sparsity make it worse?"
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        let mut cells = Vec::new();
        for (kernel, side, batches) in noise::GRID {
            for &batch in batches {
                let here = Cell::new().problem("kernel", kernel).problem("side", side);
                cells.push(here.problem("batch", batch).treatment("part", NOISE));
            }
        }
        cells.push(Cell::new().treatment("part", ALONE));
        for density in units::DENSITIES {
            cells.push(Cell::new().problem("density", density).treatment("part", UNITS));
        }
        cells.extend(seed_cells(scale.pick(2, 24, 40), scale.pick(2, 24, 40)));
        cells
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        match cell.text("part")? {
            NOISE => noise::rows(cell, context),
            ALONE => alone::rows(context),
            UNITS => units::rows(cell, context),
            PILOT => trained::pilot(context, cell.integer("seed")?),
            MAIN => trained::main(context, cell.integer("seed")?),
            other => Err(Error::unknown("part", other, [NOISE, ALONE, UNITS, MAIN, PILOT])),
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
