//! `selection-conditions`: which condition says that a support can be found, and how far is each from the truth?
//!
//! *Matrix* cells enumerate small matrices: the chain of conditions from coherence to basis pursuit itself. *Signs* cells
//! run the LASSO on designs whose irrepresentable value is known, *signal* cells on an orthogonal design, *threshold* cells
//! hold its closed form, *logistic* cells ask which Gram matrix predicts the logistic LASSO.

mod chain;
mod claims;
mod draw;
mod ensembles;
mod logistic;
mod read;
mod selection;
mod signal;
mod signs;
#[cfg(test)]
mod tests;

use super::rows;
use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::table::{Column, Row, Table, Value};
use ticketsense::{Error, Result};

const COLUMNS: &[Column] = &[
    Column::text(
        "part",
        "matrix: a small matrix, enumerated; signs: the LASSO on three columns; signal: the LASSO on orthogonal columns; \
         threshold: their closed form; logistic: the logistic LASSO.",
    ),
    Column::text(
        "family",
        "Ensemble of matrices or designs (matrix, logistic); rule for k (threshold).",
    ),
    Column::text(
        "lengths",
        "Columns of a matrix: unit length, or varied between a quarter and four.",
    ),
    Column::integer("replicate", "", "Number of the matrix or design."),
    Column::integer("rows", "", "Rows."),
    Column::integer("columns", "", "Columns."),
    Column::integer("nonzeros", "", "Nonzeros k."),
    Column::real("coherence", "", "Mutual coherence of the columns at unit length."),
    Column::integer("coherence_nonzeros", "", "The largest k that coherence certifies."),
    Column::integer(
        "welch_nonzeros",
        "",
        "The largest k that coherence could certify at this size (Welch bound).",
    ),
    Column::integer("by_coherence", "", "1 where (2k−1)μ < 1 is proven."),
    Column::integer("by_babel", "", "1 where μ₁(k−1) + μ₁(k) < 1 is proven."),
    Column::integer(
        "by_exact_recovery",
        "",
        "1 where every support is proven to fulfil the exact recovery condition.",
    ),
    Column::integer(
        "by_irrepresentable",
        "",
        "1 where every signed support is proven to be irrepresentable.",
    ),
    Column::integer(
        "by_concentration",
        "",
        "1 where the kernel is proven to hold less than half on any k coordinates.",
    ),
    Column::integer(
        "by_enumeration",
        "",
        "1 where basis pursuit is proven to recover every signed support.",
    ),
    Column::real(
        "concentration",
        "",
        "Proven upper bound of the share of the kernel on k coordinates.",
    ),
    Column::integer("supports", "", "Supports."),
    Column::integer(
        "supports_babel",
        "",
        "Supports that fulfil the Babel condition of their own columns.",
    ),
    Column::integer(
        "supports_exact_recovery",
        "",
        "Supports proven to fulfil the exact recovery condition.",
    ),
    Column::integer("exact_recovery_refuted", "", "Supports proven not to fulfil it."),
    Column::integer(
        "supports_recovered",
        "",
        "Supports proven to be recovered with all signs.",
    ),
    Column::integer("signed", "", "Signed supports, up to the sign of the whole."),
    Column::integer(
        "signed_irrepresentable",
        "",
        "Signed supports proven to be irrepresentable.",
    ),
    Column::integer(
        "signed_recovered",
        "",
        "Signed supports proven to be recovered by basis pursuit.",
    ),
    Column::integer("signed_refuted", "", "Signed supports proven not to be recovered."),
    Column::integer(
        "babel_broken",
        "",
        "Supports that fulfil their Babel condition and are proven to fail the exact recovery one.",
    ),
    Column::integer(
        "tried",
        "",
        "Irrepresentable signed supports that basis pursuit was run on.",
    ),
    Column::integer("basis_missed", "", "Of these, those that it did not recover."),
    Column::integer(
        "pursuit_tried",
        "",
        "Signed supports under the exact recovery condition that matching pursuit was run on.",
    ),
    Column::integer("pursuit_missed", "", "Of these, those that it did not find."),
    Column::real(
        "irrepresentable",
        "",
        "Irrepresentable value of the population (signs); by the Fisher information (logistic).",
    ),
    Column::real(
        "unweighted",
        "",
        "Irrepresentable value by the plain Gram matrix (logistic).",
    ),
    Column::real(
        "difference",
        "",
        "Difference of these two, mean over independent parts of a population (logistic).",
    ),
    Column::real("difference_error", "", "Its standard error (logistic)."),
    Column::text(
        "chosen",
        "Designs (logistic): any, or discordant, where the two values lie on different sides of 1.",
    ),
    Column::text("signs", "Signs of the two nonzeros (signs)."),
    Column::real("signal", "", "Size of the nonzeros over σ/√n (signal)."),
    Column::real("penalty", "", "Penalty λ; over σ/√n (signal)."),
    Column::integer("trials", "", "Independent problems."),
    Column::integer(
        "successes",
        "",
        "Problems whose signed support the LASSO found exactly.",
    ),
    Column::integer(
        "thresholded",
        "",
        "Problems whose support was that of the k largest of the least squares fit.",
    ),
    Column::integer(
        "disagreements",
        "",
        "Problems on which the solver and the primal-dual witness differ (signs).",
    ),
    Column::real(
        "probability",
        "",
        "Closed form of the probability of the signed support (signal).",
    ),
    Column::real(
        "largest_probability",
        "",
        "Closed form of the probability that the k largest are the nonzeros (signal).",
    ),
    Column::real(
        "half_point",
        "",
        "Size over σ/√n at which the k largest are the nonzeros with probability ½ (threshold).",
    ),
    Column::real("threshold", "", "√(2 ln(p−k)) + √(2 ln k) (threshold)."),
    Column::real("bounded", "", "√(2 ln p) (threshold)."),
];

const UNIT: &str = "unit";
const VARIED: &str = "varied";
/// Orders of the supports that are enumerated.
const ORDERS: std::ops::RangeInclusive<usize> = 1..=3;
/// Irrepresentable values of equal signs.
const VALUES: [f64; 5] = [0.5, 0.8, 1.0, 1.2, 4.0 / 3.0];
/// Designs of one cell.
const BATCH: usize = 5;

fn row_of(values: &[(&str, Value)]) -> Result<Row> {
    rows::row_of(COLUMNS, values)
}

/// The experiment.
pub struct SelectionConditions;

impl Experiment for SelectionConditions {
    fn id(&self) -> &'static str {
        "selection-conditions"
    }

    fn question(&self) -> &'static str {
        "Which conditions on a design say that its sparse weights can be found, and how far is each from the truth?"
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        let part = |name: &str| Cell::new().problem("part", name);
        let mut cells = Vec::new();
        for batch in 0..scale.pick(1_usize, 8, 40) {
            for family in logistic::FAMILIES {
                cells.push(part("logistic").problem("family", family).problem("batch", batch));
            }
        }
        for ensemble in ensembles::ENSEMBLES {
            let batches = if ensemble.is_random() {
                scale.pick(1_usize, 6, 40)
            } else {
                1
            };
            for batch in 0..batches {
                for lengths in [UNIT, VARIED] {
                    cells.push(
                        part("matrix")
                            .problem("ensemble", ensemble.name)
                            .problem("batch", batch)
                            .treatment("lengths", lengths),
                    );
                }
            }
        }
        let sizes: &[usize] = scale.pick(&[50, 200], &[100, 400, 1600, 6400], &[100, 400, 1600, 6400, 25_600]);
        for &rows in sizes.iter().rev() {
            for value in VALUES {
                cells.push(part("signs").problem("value", value).problem("rows", rows));
            }
        }
        for signal in signal::SIGNALS {
            cells.push(part("signal").problem("signal", signal));
        }
        cells.push(part("threshold"));
        cells
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        let seed = context.seed(cell);
        let scale = context.scale();
        match cell.text("part")? {
            "matrix" => chain::enumerate(cell, scale.pick(1, BATCH, BATCH), context, &seed),
            "signs" => signs::recovery(cell, scale.pick(30, 300, 1000), context, &seed),
            "signal" => signal::recovery(cell, scale.pick(40, 400, 4000), context, &seed),
            "threshold" => signal::thresholds(),
            "logistic" => logistic::designs(cell, scale.pick(1, BATCH, BATCH), context, &seed),
            other => Err(Error::unknown(
                "part",
                other,
                ["matrix", "signs", "signal", "threshold", "logistic"],
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
            seconds: 15,
            memory_mb: 100,
        }
    }
}
