//! Does a mask improve the conditioning of training, and does conditioning predict how a masked network trains?
//!
//! Four kinds of rows in one table. `descent`: gradient descent on quadratics, dense, masked and singular, from the worst
//! start of each step. `masks`: every mask of small matrices. `spectrum` and `eigenvalue`: the tangent kernels of a
//! network on the digits under four masks, and the eigenvalues of two small matrices. `training`: the loss of that
//! network under full-batch gradient descent, beside the curve that the modes of its kernel predict.

mod claims;
mod draw;
mod network;
mod quadratic;
#[cfg(test)]
mod tests;

use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::table::{Column, Row, Table, Value};
use ticketsense::{Error, Result};

pub(super) struct Conditioning;

const COLUMNS: &[Column] = &[
    Column::text(
        "part",
        "What the row is about: descent, masks, eigenvalue, spectrum or training.",
    ),
    Column::text("family", "The kind of matrix, or the mask of the network."),
    Column::text(
        "at",
        "Where the kernel is taken: at the dense start, on the kept weights, or at the masked network's own start.",
    ),
    Column::integer(
        "number",
        "",
        "Number of the matrix, of the eigenvalue, or of the pair of networks.",
    ),
    Column::integer("order", "", "Order of the matrix."),
    Column::integer("kept", "", "Coordinates that the mask keeps; for a network, weights."),
    Column::real("step_ratio", "", "Step as a multiple of the best one."),
    Column::real("step", "", "Step of gradient descent, in units of one over curvature."),
    Column::integer("steps", "", "Number of steps done."),
    Column::integer("masks", "", "Masks of that size that were examined."),
    Column::integer(
        "worse",
        "",
        "Those of them that raise the condition number beyond rounding.",
    ),
    Column::integer(
        "doubtful",
        "",
        "Those of them whose rank is not clear, which count as not worse.",
    ),
    Column::real(
        "dense_condition",
        "",
        "Condition number of the nonzero spectrum of the whole matrix.",
    ),
    Column::real(
        "condition",
        "",
        "Condition number of the nonzero spectrum; the median over masks.",
    ),
    Column::real("worst_condition", "", "The largest condition number over the masks."),
    Column::text("worst_mask", "The mask that attains it, a digit a coordinate."),
    Column::real(
        "interlacing",
        "",
        "Largest violation of interlacing, over the largest eigenvalue.",
    ),
    Column::real(
        "distance",
        "",
        "Largest distance of a masked eigenvalue from the nearest one of the whole, over the largest eigenvalue.",
    ),
    Column::real("largest", "", "Largest eigenvalue."),
    Column::real(
        "smallest",
        "",
        "Smallest nonzero eigenvalue; for a row of one eigenvalue, that eigenvalue.",
    ),
    Column::integer("rank", "", "Number of nonzero eigenvalues."),
    Column::real(
        "gap",
        "",
        "Ratio of the smallest nonzero eigenvalue to what was taken for zero.",
    ),
    Column::real(
        "predicted",
        "",
        "Contraction factor a step, condition number or mean loss, by the closed form.",
    ),
    Column::real("measured", "", "The same as measured."),
    Column::real(
        "deviation",
        "",
        "Relative deviation of the two: the largest over the steps, divided by the step.",
    ),
];

fn row_of(values: &[(&str, Value)]) -> Result<Row> {
    super::rows::row_of(COLUMNS, values)
}

impl Experiment for Conditioning {
    fn id(&self) -> &'static str {
        "conditioning"
    }

    fn question(&self) -> &'static str {
        "Does a mask improve the conditioning of training?"
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn uses_data(&self) -> bool {
        true
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        let part = |name: &str| Cell::new().problem("part", name);
        let mut cells: Vec<Cell> = quadratic::CONDITIONS
            .iter()
            .map(|&condition| part("descent").problem("condition", condition))
            .collect();
        cells.extend(
            quadratic::FAMILIES
                .iter()
                .map(|f| part("masks").problem("family", f.name)),
        );
        cells.push(part("eigenvalue"));
        let pairs: usize = scale.pick(2, 24, 100);
        cells.extend((0..pairs).map(|number| part("network").problem("number", number)));
        cells
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        let seed = context.seed(cell);
        match cell.text("part")? {
            "descent" => quadratic::descent(cell.real("condition")?, &seed),
            "masks" => quadratic::masks(cell.text("family")?, context.scale().pick(4, 40, 400), &seed),
            "eigenvalue" => quadratic::eigenvalues(&seed),
            "network" => network::rows(cell.integer("number")?, context, &seed),
            other => Err(Error::unknown(
                "part",
                other,
                ["descent", "masks", "eigenvalue", "network"],
            )),
        }
    }

    fn claims(&self) -> &'static [Claim] {
        claims::CLAIMS
    }

    fn draw(&self, table: &Table) -> Result<Figure> {
        draw::figure(table)
    }

    fn budget(&self) -> Budget {
        Budget {
            seconds: 10,
            memory_mb: 90,
        }
    }
}
