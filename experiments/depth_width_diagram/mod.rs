//! Is recovery through the Jacobian of a network, over depth and width, like recovery through a Gaussian matrix?
//!
//! A row is a share of planted vectors recovered: through Jacobians of random networks, through Gaussian matrices of their
//! size, and through Gaussian matrices of their *effective* size, rank × live columns.

mod claims;
mod contours;
mod draw;
mod problem;
#[cfg(test)]
mod tests;

use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::table::{Column, Row, Table, Value};
use ticketsense::{Result, Seed};

pub(super) struct DepthWidthDiagram;

const COLUMNS: &[Column] = &[
    Column::text("operator", "network, gaussian or effective."),
    Column::text("solver", "omp or basis-pursuit."),
    Column::integer("layers", "", "Weight layers L of the network."),
    Column::integer("width", "", "Units w of each hidden layer."),
    Column::real("ratio", "", "Rows over weights that was aimed at."),
    Column::integer("rows", "", "Rows m: samples times classes."),
    Column::integer("columns", "", "Columns N: weights of the network."),
    Column::integer("nonzeros", "", "Nonzeros k of the planted vector."),
    Column::integer("trials", "", "Planted vectors, each with a network of its own."),
    Column::integer("successes", "", "Those recovered."),
    Column::integer(
        "unproven",
        "",
        "Planted vectors that no proof settles, judged by what basis pursuit returns.",
    ),
    Column::real("rank", "", "Mean rank of the operators."),
    Column::real("zero", "", "Mean number of zero columns, which no planted vector uses."),
    Column::real("parallel", "", "Mean number of columns parallel to an earlier one."),
    Column::real(
        "redrawn",
        "",
        "Mean number of networks put aside for one with k live columns.",
    ),
];

fn row_of(values: &[(&str, Value)]) -> Result<Row> {
    super::rows::row_of(COLUMNS, values)
}

const OPERATORS: [&str; 3] = ["network", "gaussian", "effective"];
const SOLVERS: [&str; 2] = ["basis-pursuit", "omp"];

impl Experiment for DepthWidthDiagram {
    fn id(&self) -> &'static str {
        "depth-width-diagram"
    }

    fn question(&self) -> &'static str {
        "Over depth and width, does a network's Jacobian recover sparse vectors where a Gaussian matrix does?"
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        let depths: &[usize] = scale.pick(&[2, 3], &[2, 3, 5], &[2, 3, 5, 8]);
        let widths: &[usize] = scale.pick(&[4], &[4, 6, 10], &[4, 8, 16]);
        let ratios: &[f64] = scale.pick(&[0.5], &[0.25, 0.5], &[0.25, 0.5, 0.75]);
        let mut cells = Vec::new();
        for &layers in depths {
            for &width in widths {
                for &ratio in ratios {
                    let cell = Cell::new().problem("layers", layers);
                    cells.push(cell.problem("width", width).problem("ratio", ratio));
                }
            }
        }
        cells
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        let size = problem::Size {
            layers: cell.integer("layers")?,
            width: cell.integer("width")?,
            ratio: cell.real("ratio")?,
        };
        let seed: Seed = context.seed(cell);
        problem::rows(&size, context.scale().pick(6, 40, 200), context, &seed)
    }

    fn claims(&self) -> &'static [Claim] {
        claims::CLAIMS
    }

    fn draw(&self, table: &Table) -> Result<Figure> {
        draw::figure(table)
    }

    fn budget(&self) -> Budget {
        Budget {
            seconds: 20,
            memory_mb: 90,
        }
    }
}
