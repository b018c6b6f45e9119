//! What kind of measurement matrix is the Jacobian of a small network, and what does the linear model say when weights
//! are set to zero?
//!
//! Rows of one table: `euler` and `error`, how the linear model and the network part when weights go; `reversal`, the
//! coefficient of the linear model on the original output under random masks; `operator` and `cosine`, the columns of
//! the Jacobian and of three matrices of the same size; `recovery`, planted vectors recovered through them; `state` and
//! `kind`, the columns of networks of the data along training and under masks; `design`, what moves the columns.

mod claims;
mod designs;
mod draw;
mod linear_model;
mod operators;
mod states;
#[cfg(test)]
mod tests;

use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::table::{Column, Row, Table, Value};
use ticketsense::{Error, Result};

pub(super) struct JacobianSensing;

const COLUMNS: &[Column] = &[
    Column::text(
        "part",
        "What the row is about: euler, error, reversal, operator, cosine, recovery, state, kind or design.",
    ),
    Column::text("activation", "Activation of the network."),
    Column::integer("layers", "", "Weight layers L of the network."),
    Column::text("removed", "Which weights go first: smallest or random."),
    Column::real("density", "", "Fraction of the weights kept."),
    Column::integer("networks", "", "Networks behind a mean."),
    Column::real(
        "mean",
        "",
        "Mean: Euler's relative deviation (the largest), relative error, or coefficient.",
    ),
    Column::real("standard_error", "", "Standard error of that mean over networks."),
    Column::real(
        "of_change",
        "",
        "Mean error of the linear model over the true change of the output.",
    ),
    Column::real("of_change_error", "", "Standard error of that mean over networks."),
    Column::text("operator", "jacobian, surrogate, whitened or gaussian."),
    Column::integer("number", "", "Number of the network."),
    Column::integer("rows", "", "Rows of the operator."),
    Column::integer("columns", "", "Columns of the operator."),
    Column::integer("zero", "", "Columns that are exactly zero."),
    Column::integer("merged", "", "Columns parallel to an earlier one."),
    Column::integer("rank", "", "Number of singular values above rounding."),
    Column::integer("hidden", "", "Hidden units."),
    Column::integer(
        "null_units",
        "",
        "Hidden units whose scaling direction the operator does not see.",
    ),
    Column::real("coherence", "", "Largest |cosine| of two columns."),
    Column::real(
        "merged_coherence",
        "",
        "The same without zero columns and with parallel ones merged.",
    ),
    Column::real(
        "isometry",
        "",
        "Lower end of the restricted isometry constant of order 2, unit merged columns.",
    ),
    Column::integer(
        "certified",
        "",
        "Most nonzeros that any guarantee certifies, unit merged columns.",
    ),
    Column::real("cosine_low", "", "Lower edge of a bin of |cosine|."),
    Column::integer("count", "", "Pairs of columns in the bin."),
    Column::text("solver", "omp or basis-pursuit."),
    Column::integer("nonzeros", "", "Nonzeros of the planted vector."),
    Column::integer("trials", "", "Planted vectors."),
    Column::integer("successes", "", "Those recovered to a relative error of 1e-4."),
    Column::text(
        "network",
        "Network of the data: mlp:60-30, lenet-300-100 or convolution, without biases.",
    ),
    Column::integer("step", "", "Steps of training before the state."),
    Column::text("mask", "What the mask keeps of each layer: none, magnitude or random."),
    Column::integer("silent", "", "Hidden units all of whose columns are zero."),
    Column::text(
        "certainty",
        "What is known of merged_coherence or of mean_square: exact, lower-bound or sampled.",
    ),
    Column::text(
        "kind",
        "What two weights share: same-unit, same-input, consecutive or unrelated.",
    ),
    Column::integer("first_layer", "", "Layer of the first weight, from 0."),
    Column::integer("second_layer", "", "Layer of the second weight."),
    Column::integer("pairs", "", "Pairs of live columns of the kind."),
    Column::real("mean_square", "", "Mean square of their cosines."),
    Column::text("design", "Word of the design."),
    Column::integer("width", "", "Units of a hidden layer."),
    Column::real("scale", "", "Factor on the standard deviation of the first weights."),
    Column::text(
        "quantity",
        "coherence, zero and parallel (shares of the columns), or a kind (root mean square cosine).",
    ),
];

fn row_of(values: &[(&str, Value)]) -> Result<Row> {
    super::rows::row_of(COLUMNS, values)
}

/// The networks of the data that a scale examines.
fn studied(scale: Scale) -> Vec<states::Studied> {
    match scale {
        Scale::Smoke => vec![states::CONVOLUTION],
        Scale::Quick => vec![states::SMALL, states::LENET, states::CONVOLUTION],
        Scale::Paper => vec![states::SMALL, states::LENET_PAPER, states::CONVOLUTION],
    }
}

impl Experiment for JacobianSensing {
    fn id(&self) -> &'static str {
        "jacobian-sensing"
    }

    fn question(&self) -> &'static str {
        "Is the Jacobian of a network a usable measurement matrix for finding sparse weights?"
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        let part = |name: &str| Cell::new().problem("part", name);
        let mut cells = Vec::new();
        for (activation, layers) in linear_model::ERROR_NETWORKS {
            cells.push(
                part("error")
                    .problem("activation", activation)
                    .problem("layers", layers),
            );
        }
        for layers in linear_model::REVERSAL_DEPTHS {
            for activation in ["relu", "tanh"] {
                cells.push(
                    part("reversal")
                        .problem("layers", layers)
                        .treatment("activation", activation),
                );
            }
        }
        let networks: usize = scale.pick(2, 32, 100);
        cells.extend((0..networks).map(|number| part("operator").problem("number", number)));
        for studied in studied(scale) {
            let networks: usize = if studied.name == states::LENET.name {
                1
            } else {
                scale.pick(1, 5, 20)
            };
            let named = |number: usize| part("state").problem("network", studied.name).problem("number", number);
            cells.extend((0..networks).map(named));
        }
        // Designs are treatments: all of them see the same random numbers.
        cells.extend(
            designs::DESIGNS
                .iter()
                .map(|d| part("design").treatment("design", d.word)),
        );
        cells
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        let (scale, seed) = (context.scale(), context.seed(cell));
        match cell.text("part")? {
            "error" => {
                let networks = scale.pick(10, 100, 400);
                linear_model::error(cell.text("activation")?, cell.integer("layers")?, networks, &seed)
            }
            "reversal" => {
                let (networks, masks) = scale.pick((30, 4), (100, 20), (400, 50));
                linear_model::reversal(
                    cell.text("activation")?,
                    cell.integer("layers")?,
                    networks,
                    masks,
                    &seed,
                )
            }
            "operator" => operators::rows(cell.integer("number")?, scale.pick(2, 10, 20), context, &seed),
            "state" => {
                let name = cell.text("network")?;
                let known = studied(scale);
                match known.iter().find(|s| s.name == name) {
                    Some(studied) => states::rows(studied, cell.integer("number")?, context, &seed),
                    None => Err(Error::unknown("network", name, known.iter().map(|s| s.name))),
                }
            }
            "design" => designs::rows(cell.text("design")?, scale.pick(2, 16, 60), &seed),
            other => Err(Error::unknown(
                "part",
                other,
                ["error", "reversal", "operator", "state", "design"],
            )),
        }
    }

    fn uses_data(&self) -> bool {
        true
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
            memory_mb: 150,
        }
    }
}
