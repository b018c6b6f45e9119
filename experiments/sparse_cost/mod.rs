//! `sparse-cost`: what a pruned network costs to run, counted in operations and bits, and what a narrower one costs.

mod claims;
mod draw;
mod forward;
mod measured;
mod operations;
mod structured;
#[cfg(test)]
mod tests;

use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::table::{Column, Row, Table};
use ticketsense::{Error, Result};

/// The experiment.
#[derive(Debug)]
pub struct SparseCost;

/// Networks under masks.
const OPERATIONS: &str = "operations";
/// Networks of fewer channels.
const STRUCTURED: &str = "structured";
/// Times, which leave no rows.
const MEASURED: &str = "measured";

const COLUMNS: &[Column] = &[
    Column::text(
        "part",
        "operations: a network under a mask; structured: one slot of a network with narrower hidden layers.",
    ),
    Column::text("network", "The network."),
    Column::integer("seed", "", "Number of the repetition."),
    Column::text(
        "mask",
        "Who chose it: ticket (iterative magnitude pruning), magnitude (largest initial values over all layers), random (as \
         many in every layer).",
    ),
    Column::real("density", "1", "Fraction of the weights that are kept."),
    Column::real(
        "largest_layer_density",
        "1",
        "Of the weight layer that is pruned least.",
    ),
    Column::integer("weights", "", "Weights of the full network."),
    Column::integer("kept", "", "Weights that are kept."),
    Column::integer(
        "full_multiply_adds",
        "",
        "Multiply-adds of one sample through the full network.",
    ),
    Column::integer(
        "multiply_adds",
        "",
        "The same under the mask, as the library states it.",
    ),
    Column::integer(
        "products",
        "",
        "Multiplications counted while compressed rows computed the outputs of one sample.",
    ),
    Column::integer("sums", "", "Additions counted there."),
    Column::integer(
        "kernel_multiply_adds",
        "",
        "Multiply-adds of one sample in the training kernels, which hold so many weights for this mask.",
    ),
    Column::real(
        "deviation",
        "1",
        "Largest distance of the counted outputs from the network's, over the bound of rounding errors.",
    ),
    Column::integer("full_bits", "bits", "Stored bits of the full weight matrices."),
    Column::integer(
        "compressed_bits",
        "bits",
        "Stored bits of the compressed rows: values, column indices, row starts.",
    ),
    Column::integer("rows", "", "Rows of all compressed matrices, and one more for each."),
    Column::real("kept_fraction", "1", "Fraction r of every hidden width that is kept."),
    Column::text("slot", "Name of the slot."),
    Column::text(
        "place",
        "Weights: interior (both sides shrink), end (one side does) or kept; biases and normalisation of hidden units.",
    ),
    Column::integer("parameters", "", "Parameters of the slot in the narrower network."),
    Column::integer("full_parameters", "", "The same in the full network."),
    Column::integer("uses", "", "How often one sample uses each parameter."),
    Column::integer("predicted_parameters", "", "Closed form in whole channels."),
    Column::integer("predicted_multiply_adds", "", "Closed form; weights alone."),
    Column::integer(
        "exact",
        "",
        "1 where the fraction leaves a whole number of every width, so that no rounding enters.",
    ),
    Column::integer(
        "refused",
        "",
        "1 where the network could not be built at all: a shortcut of another width.",
    ),
];

/// Fractions of the hidden widths: whole channels of every network here, but for 0.3.
const FRACTIONS: [f64; 7] = [1.0, 0.875, 0.75, 0.5, 0.3, 0.25, 0.125];

impl Experiment for SparseCost {
    fn id(&self) -> &'static str {
        "sparse-cost"
    }

    fn question(&self) -> &'static str {
        "What does a pruned network cost to run, in operations, in bits and in time, and what does a narrower one cost?"
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        let part = |name: &'static str| Cell::new().problem("part", name);
        let mut cells = Vec::new();
        for seed in 0..scale.pick(1_usize, 4, 20) {
            cells.extend(
                operations::NETWORKS.map(|network| part(OPERATIONS).problem("network", network).problem("seed", seed)),
            );
        }
        cells.extend(
            structured::FAMILIES
                .iter()
                .map(|family| part(STRUCTURED).problem("network", family.name)),
        );
        cells.extend(
            measured::densities(scale)
                .iter()
                .map(|&d| part(MEASURED).treatment("density", d)),
        );
        cells
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        match cell.text("part")? {
            OPERATIONS => operations::rows(
                cell.text("network")?,
                cell.integer("seed")?,
                &context.seed(cell),
                context,
            ),
            STRUCTURED => structured::rows(cell.text("network")?),
            MEASURED => measured::measure(cell.real("density")?, context).map(|()| Vec::new()),
            other => Err(Error::unknown("part", other, [OPERATIONS, STRUCTURED, MEASURED])),
        }
    }

    fn claims(&self) -> &'static [Claim] {
        claims::CLAIMS
    }

    fn draw(&self, table: &Table) -> Result<Figure> {
        draw::draw(table)
    }

    fn draw_timings(&self, timings: &Table) -> Result<Option<Figure>> {
        measured::draw(timings).map(Some)
    }

    fn budget(&self) -> Budget {
        Budget {
            seconds: 5,
            memory_mb: 60,
        }
    }

    fn uses_data(&self) -> bool {
        true
    }
}
