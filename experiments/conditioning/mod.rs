//! Does a mask improve the conditioning of training, and does conditioning predict how a masked network trains?
//!
//! Many kinds of rows in one table. `descent`: gradient descent on quadratics, dense, masked and singular, from the worst
//! start of each step. `masks`: every mask of small matrices. `spectrum` and `eigenvalue`: the tangent kernels of a
//! network on the digits under four masks, and the eigenvalues of two small matrices. `training`: the loss of that
//! network under full-batch gradient descent, beside the curve that the modes of its kernel predict; `regime`, `width` and
//! `stability`: where that prediction ends. `projection`: masked descent beside projected descent. `support`: every support of
//! small least-squares problems; `thresholding` and `relaxation`: iterations on them that change their support. `curvature` and
//! `dense check`: both second derivatives along the training of that network under three masks.

mod along;
mod claims;
mod draw;
mod exact_claims;
#[cfg(test)]
mod more_tests;
mod network;
mod network_claims;
mod network_panels;
mod projection;
mod quadratic;
mod regime;
mod supports;
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
        "What the row is about: descent, masks, eigenvalue, spectrum, training, regime, stability, projection, curvature, dense \
         check, width, support, thresholding or relaxation.",
    ),
    Column::text("family", "The kind of matrix, or the mask of the network."),
    Column::text(
        "at",
        "Where the kernel is taken: at the dense start, on the kept weights, or at the masked network's own start; which \
         training; which rule of the step.",
    ),
    Column::integer(
        "number",
        "",
        "Number of the matrix, of the eigenvalue, or of the pair of networks.",
    ),
    Column::integer(
        "order",
        "",
        "Order of the matrix; for rows of regime and width, hidden units.",
    ),
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
        "Relative deviation of the two: the largest over the steps, divided by the step. Times the factor for supports; of the \
         residual for networks; of the solution or the parameters for projections.",
    ),
    Column::integer(
        "samples",
        "",
        "Rows of the least-squares problem, or samples of the loss.",
    ),
    Column::integer(
        "different",
        "",
        "Entries in which masked and projected descent differ at all.",
    ),
    Column::real(
        "masked_gradient",
        "",
        "Gradient on the kept coordinates at the end of descent, over that at 0; for a network its share at the start.",
    ),
    Column::real("unmasked_gradient", "", "The same on the dropped coordinates."),
    Column::real(
        "late",
        "",
        "The masked gradient where the whole is solved and masked once, the least over masks; for a network, how far its \
         parameters then lie off.",
    ),
    Column::real("rounding", "", "What rounding allows for the deviation."),
    Column::integer("runs", "", "Runs of hard thresholding, one for each planted support."),
    Column::integer("recovered", "", "Those of them that find the planted vector."),
    Column::integer("relaxed", "", "Those that find it with twice as many places kept."),
    Column::integer(
        "slower",
        "",
        "Those that fall behind descent on the planted support with the same step.",
    ),
    Column::real(
        "excess",
        "",
        "Largest factor of one step over that of descent on the planted support.",
    ),
    Column::real("scale", "", "What the residual at the start is divided by."),
    Column::real(
        "change",
        "",
        "Relative change of the kernel at the end; for rows of stability, step times the largest eigenvalue there over 2.",
    ),
    Column::real("hessian", "", "Largest eigenvalue of the Hessian, by Lanczos."),
    Column::real("negative", "", "Fraction of negative eigenvalues of the Hessian."),
    Column::real("negative_lower", "", "Lower end of its interval."),
    Column::real("negative_upper", "", "Upper end of its interval."),
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
        cells.extend((0..pairs).map(|number| part("width").problem("number", number)));
        cells.push(part("projection"));
        cells.extend(
            supports::SHAPES
                .iter()
                .map(|(shape, _)| part("support").problem("shape", *shape)),
        );
        cells.push(part("relaxation"));
        cells
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        let seed = context.seed(cell);
        match cell.text("part")? {
            "descent" => quadratic::descent(cell.real("condition")?, &seed),
            "masks" => quadratic::masks(cell.text("family")?, context.scale().pick(4, 40, 400), &seed),
            "eigenvalue" => quadratic::eigenvalues(&seed),
            "network" => network::rows(cell.integer("number")?, context, &seed),
            "width" => regime::widths(cell.integer("number")?, context, &seed),
            "projection" => projection::least_squares(context.scale().pick(2, 10, 100), &seed),
            "support" => supports::rows(cell.text("shape")?, context.scale().pick(1, 4, 40), &seed),
            "relaxation" => supports::relaxation(&seed),
            other => Err(Error::unknown(
                "part",
                other,
                [
                    "descent",
                    "masks",
                    "eigenvalue",
                    "network",
                    "width",
                    "projection",
                    "support",
                    "relaxation",
                ],
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
            seconds: 25,
            memory_mb: 90,
        }
    }
}
