//! `stable-recovery`: what noise and a compressible signal cost.
//!
//! *Certified* cells: small matrices whose restricted isometry constants are enumerated, random and searched-for signals and
//! noise, errors against the bounds. *Typical* cells: larger Gaussian matrices, where nothing is certified. *Weights* cells:
//! how compressible a trained network is.

mod certified;
mod claims;
mod draw;
mod problems;
#[cfg(test)]
mod tests;
mod typical;
mod weights;

use super::rows;
use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::table::{Column, Row, Table, Value};
use ticketsense::{Error, Result};

const COLUMNS: &[Column] = &[
    Column::text("part", "certified, search, typical or weights: what the row is about."),
    Column::text(
        "matrix",
        "tight: orthonormal rows, orthogonal to a flat vector; random: rows of a random orthogonal matrix; gaussian.",
    ),
    Column::integer("number", "", "Number of the matrix."),
    Column::integer("rows", "", "Rows m."),
    Column::integer("columns", "", "Unknowns n."),
    Column::integer("nonzeros", "", "k of σ_k and of the thresholding methods."),
    Column::real("second", "", "δ_2k of the matrix as scaled, upper end."),
    Column::real(
        "third",
        "",
        "δ_3k of the matrix as scaled, upper end; thresholding methods.",
    ),
    Column::integer("certified", "", "1 where the method's condition is proven."),
    Column::text("method", "basis pursuit denoising, iht, normalised iht or htp."),
    Column::text(
        "signal",
        "sparse: k Gaussian nonzeros; flat: k ones and a tail of equal entries; or power, entries j^(−decay), by random places and signs; \
         searched: the worst found by search.",
    ),
    Column::real("decay", "", "Exponent of the entries of a typical signal."),
    Column::real("noise", "", "Norm ε of the noise; signals have norm 1."),
    Column::integer("trials", "", "Problems, or steps of a search."),
    Column::real(
        "error",
        "",
        "‖x̂ − x‖₂ where error over bound is largest (certified, search); its mean (typical).",
    ),
    Column::real("bound", "", "The bound of the same problem."),
    Column::real("ratio", "", "Largest error over bound of all trials."),
    Column::real("start", "", "Ratio at the start of the search."),
    Column::real(
        "tail",
        "",
        "σ_k(x)₁/√k of the same problem (certified, search), of every signal (typical).",
    ),
    Column::real("standard_error", "", "Standard error of the mean error."),
    Column::text("vector", "trained, initial, update (trained − initial) or gaussian."),
    Column::real("fraction", "", "k over the number of weights."),
    Column::real("value", "", "σ_k(θ)₁/√k over ‖θ‖₂."),
];

fn row_of(values: &[(&str, Value)]) -> Result<Row> {
    rows::row_of(COLUMNS, values)
}

/// The methods, in the order of the figure.
const METHODS: [&str; 3] = ["basis pursuit denoising", "iht", "htp"];

/// The experiment.
pub struct StableRecovery;

impl Experiment for StableRecovery {
    fn id(&self) -> &'static str {
        "stable-recovery"
    }

    fn question(&self) -> &'static str {
        "How far do noise and a signal that is only nearly sparse throw recovery off, and are trained weights nearly sparse?"
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        let part = |name: &str| Cell::new().problem("part", name);
        let mut cells = Vec::new();
        for decay in typical::DECAYS {
            for method in typical::METHODS {
                cells.push(part("typical").problem("decay", decay).treatment("method", method));
            }
        }
        for matrix in 0..certified::MATRICES.len() {
            let numbers: usize = if certified::MATRICES[matrix].kind == "tight" {
                1
            } else {
                scale.pick(1, 4, 16)
            };
            for number in 0..numbers {
                for method in METHODS {
                    cells.push(
                        part("certified")
                            .problem("matrix", matrix)
                            .problem("number", number)
                            .treatment("method", method),
                    );
                }
            }
        }
        cells.extend((0..scale.pick(1, 3, 10)).map(|number: usize| part("weights").problem("number", number)));
        cells
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        let (scale, seed) = (context.scale(), context.seed(cell));
        match cell.text("part")? {
            "certified" => {
                let effort = certified::Effort {
                    trials: scale.pick(2, 40, 200),
                    search: scale.pick(20, 1000, 10_000),
                };
                certified::rows(cell, &effort, context, &seed)
            }
            "typical" => typical::rows(cell, scale, context, &seed),
            "weights" => weights::rows(cell.integer("number")?, scale.pick(60, 600, 2000), context, &seed),
            other => Err(Error::unknown("part", other, ["certified", "typical", "weights"])),
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
            seconds: 7,
            memory_mb: 80,
        }
    }

    fn uses_data(&self) -> bool {
        true
    }
}
