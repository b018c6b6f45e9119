//! `imp-as-hard-thresholding`: is iterative magnitude pruning a hard-thresholding iteration? Both in a linear model with
//! correlated columns, and both on the loss of a network.

mod claims;
mod draw;
mod linear;
mod network;
#[cfg(test)]
mod tests;

use super::comparison::{MAIN, PILOT, SHARED, columns, seed_cells};
use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::table::{Column, Row, Table};
use ticketsense::{Error, Result};

/// The experiment.
#[derive(Debug)]
pub struct ImpAsHardThresholding;

/// Sparse recovery in a linear model.
const LINEAR: &str = "linear";
/// Designs, besides those with correlated columns.
const ORTHONORMAL: &str = "orthonormal";
const CORRELATED: &str = "correlated";

const COLUMNS: [Column; SHARED + 20] = columns([
    Column::text(
        "design",
        "Part linear: orthonormal columns, or Gaussian ones that resemble their neighbours.",
    ),
    Column::real("correlation", "1", "Of neighbouring columns."),
    Column::integer("rows", "", "Rows of the design."),
    Column::integer("trials", "", "Problems, each met by both methods."),
    Column::integer("imp_exact", "", "Problems of which pruning finds the support."),
    Column::integer(
        "iht_exact",
        "",
        "Problems of which hard thresholding finds the support.",
    ),
    Column::integer("only_imp", "", "Problems that pruning alone solves."),
    Column::integer("only_iht", "", "Problems that hard thresholding alone solves."),
    Column::integer(
        "same_support",
        "",
        "Problems for which both return the same support, right or wrong.",
    ),
    Column::real("imp_share", "1", "Mean fraction of the support that pruning finds."),
    Column::real(
        "iht_share",
        "1",
        "Mean fraction of the support that hard thresholding finds.",
    ),
    Column::real(
        "imp_products",
        "products",
        "Mean products with the design that pruning took.",
    ),
    Column::real("iht_products", "products", "Mean products that hard thresholding took."),
    Column::integer(
        "iht_settled",
        "",
        "Problems for which hard thresholding ended by itself.",
    ),
    Column::real("descent_rate", "1", "Learning rate of the descent with thresholds."),
    Column::integer("every", "steps", "Steps from threshold to threshold."),
    Column::integer("returned", "weights", "How often a cut weight came back."),
    Column::real("ever_kept", "1", "Fraction of the weights that some threshold kept."),
    Column::real("shared", "1", "Fraction of the kept weights that the ticket keeps too."),
    Column::real(
        "chance",
        "1",
        "The same for a random mask of equal counts, in the mean.",
    ),
]);

/// Correlations of neighbouring columns.
const CORRELATIONS: [f64; 6] = [0.0, 0.5, 0.7, 0.8, 0.9, 0.95];
/// Fewer rows than columns, and more.
const ROWS: [usize; 2] = [40, 120];

impl Experiment for ImpAsHardThresholding {
    fn id(&self) -> &'static str {
        "imp-as-hard-thresholding"
    }

    fn question(&self) -> &'static str {
        "Is iterative magnitude pruning a hard-thresholding iteration, in a linear model and on the loss of a network?"
    }

    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        let linear = |design: &'static str, rows: usize, correlation: f64| {
            let cell = Cell::new().problem("design", design).problem("rows", rows);
            cell.problem("correlation", correlation).treatment("part", LINEAR)
        };
        let mut cells = vec![linear(ORTHONORMAL, ROWS[1], 0.0)];
        for rows in ROWS {
            cells.extend(CORRELATIONS.map(|correlation| linear(CORRELATED, rows, correlation)));
        }
        cells.extend(seed_cells(scale.pick(2, 24, 40), scale.pick(2, 24, 40)));
        cells
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        match cell.text("part")? {
            LINEAR => linear::run(cell, context),
            MAIN => network::main(context, cell.integer("seed")?),
            PILOT => network::pilot(context, cell.integer("seed")?),
            other => Err(Error::unknown("part", other, [LINEAR, MAIN, PILOT])),
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
            memory_mb: 100,
        }
    }

    fn uses_data(&self) -> bool {
        true
    }
}
