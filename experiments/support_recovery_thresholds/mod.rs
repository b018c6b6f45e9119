//! `support-recovery-thresholds`: how many Gaussian rows do the LASSO and orthogonal matching pursuit need for the support?
//!
//! *Lasso* cells decide by the primal-dual witness whether the LASSO finds the signed support, *law* cells compare two
//! ways to draw the witness, *pursuit* cells run orthogonal matching pursuit without noise, *sweep* cells with noise and
//! with correlated columns.

mod claims;
mod draw;
mod fits;
mod problem;
mod pursuit;
#[cfg(test)]
mod tests;
mod witness;

use super::rows;
use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::table::{Column, Row, Table, Value};
use ticketsense::{Error, Result};

const COLUMNS: &[Column] = &[
    Column::text(
        "part",
        "lasso: the witness, drawn through the Gram matrix; law: the same, and drawn as a whole matrix; pursuit: matching \
         pursuit without noise; sweep: with noise and correlated columns.",
    ),
    Column::text("rule", "sublinear: k nearest to 0.4 p^(3/4); fixed: k = 8."),
    Column::text(
        "drawn",
        "How the witness is drawn: gram or matrix (lasso, law); magnitudes of the nonzeros (pursuit).",
    ),
    Column::integer("columns", "", "Unknowns p."),
    Column::integer("nonzeros", "", "Nonzeros k, of size 1, signs at random."),
    Column::integer("rows", "", "Rows n."),
    Column::real("theta", "", "n/(2k ln(p − k)), from the whole numbers."),
    Column::real(
        "theta_noisy",
        "",
        "n/(2k ln(p − k)(1 + σ²/(λ²k))): the threshold of the LASSO with its noise and penalty.",
    ),
    Column::real("penalty", "", "λ beside ‖y − Xw‖²/(2n)."),
    Column::real("correlation", "", "Correlation of neighbouring columns."),
    Column::real(
        "decibels",
        "dB",
        "Signal-to-noise ratio 10 log₁₀(k/σ²); infinite without noise.",
    ),
    Column::integer("trials", "", "Independent problems."),
    Column::integer(
        "successes",
        "",
        "Problems whose support (with signs, for the LASSO) was found exactly.",
    ),
    Column::integer(
        "wrong_sign",
        "",
        "Problems in which the witness has another sign on the support.",
    ),
    Column::integer("not_dual", "", "Problems in which the dual leaves the unit cube."),
];

/// How the number of nonzeros follows the number of columns.
const RULES: [&str; 2] = ["sublinear", "fixed"];

/// Rows over those of the predicted 50 % point of the LASSO.
const AROUND: [f64; 13] = [0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2, 1.3, 1.6];
/// θ of matching pursuit.
const THETAS: [f64; 12] = [0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8, 0.9, 1.0, 1.2];
/// θ of the sweeps over noise and correlation.
const SWEPT: f64 = 1.0;
/// Signal-to-noise ratios of the sweeps.
const DECIBELS: [f64; 8] = [-5.0, 0.0, 5.0, 10.0, 15.0, 20.0, 30.0, f64::INFINITY];
/// Correlations of the sweeps.
const CORRELATIONS: [f64; 3] = [0.0, 0.5, 0.9];

fn row_of(values: &[(&str, Value)]) -> Result<Row> {
    rows::row_of(COLUMNS, values)
}

/// The experiment.
pub struct SupportRecoveryThresholds;

impl Experiment for SupportRecoveryThresholds {
    fn id(&self) -> &'static str {
        "support-recovery-thresholds"
    }

    fn question(&self) -> &'static str {
        "How many Gaussian rows do the LASSO and orthogonal matching pursuit need to find a support?"
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        let part = |name: &str| Cell::new().problem("part", name);
        let mut cells = Vec::new();
        let swept: usize = scale.pick(64, 256, 512);
        // The largest first: a long cell at the end would leave the other cores idle.
        let sizes: &[usize] = scale.pick(&[128, 96, 64], &[1024, 512, 256, 128], &[2048, 1024, 512, 256, 128]);
        for &columns in sizes {
            for rule in RULES {
                let decays = rule == "sublinear" && columns == swept;
                for theta in THETAS {
                    let cell = part("pursuit")
                        .problem("columns", columns)
                        .problem("rule", rule)
                        .problem("theta", theta);
                    if decays {
                        cells.push(cell.clone().treatment("magnitudes", "decaying"));
                    }
                    cells.push(cell.treatment("magnitudes", "flat"));
                }
            }
        }
        // Every signal-to-noise ratio and correlation meets the same supports, signs and innovations.
        for correlation in CORRELATIONS {
            for decibels in DECIBELS {
                cells.push(
                    part("sweep")
                        .problem("columns", swept)
                        .treatment("correlation", correlation)
                        .treatment("decibels", decibels),
                );
            }
        }
        let sizes: &[usize] = scale.pick(
            &[256, 128, 64],
            &[2048, 1024, 512, 256, 128],
            &[8192, 4096, 2048, 1024, 512, 256, 128],
        );
        for &columns in sizes {
            for rule in RULES {
                for around in AROUND {
                    cells.push(
                        part("lasso")
                            .problem("columns", columns)
                            .problem("rule", rule)
                            .problem("around", around),
                    );
                }
            }
        }
        for around in [0.8, 1.0, 1.2] {
            for drawn in ["gram", "matrix"] {
                cells.push(part("law").problem("around", around).treatment("drawn", drawn));
            }
        }
        cells
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        let seed = context.seed(cell);
        let scale = context.scale();
        match cell.text("part")? {
            "pursuit" => pursuit::recovery(cell, scale.pick(24, 160, 500), context, &seed),
            "sweep" => pursuit::sweep(cell, scale.pick(40, 250, 1000), context, &seed),
            "lasso" => witness::recovery(cell, scale.pick(100, 1200, 4000), context, &seed),
            "law" => witness::laws(cell, scale.pick(100, 1000, 10_000), context, &seed),
            other => Err(Error::unknown("part", other, ["pursuit", "sweep", "lasso", "law"])),
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
            memory_mb: 100,
        }
    }
}
