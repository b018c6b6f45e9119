//! `rip-certificates`: what restricted isometry constants certify, beside what is recovered.
//!
//! *Matrix* cells compare the guarantees for basis pursuit and matching pursuit with an enumeration of every signed
//! support; *sharp* cells stand on both sides of the constants that cannot be improved; *iteration* cells follow the error
//! of hard thresholding step by step.

mod claims;
mod draw;
mod iterations;
mod matrices;
mod sharp;
#[cfg(test)]
mod tests;

use super::rows;
use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::table::{Column, Row, Table, Value};
use ticketsense::{Error, Result};

const COLUMNS: &[Column] = &[
    Column::text("part", "matrix, sharp or iteration."),
    Column::text("family", "How the matrix is made."),
    Column::integer("rows", "", "Rows m."),
    Column::integer("columns", "", "Columns n."),
    Column::integer("number", "", "Number of the matrix among those of its family and size."),
    Column::integer("nonzeros", "", "Nonzeros k."),
    Column::real(
        "isometry_next",
        "",
        "Upper end of δ of order k + 1, at the best scale (sharp: as given).",
    ),
    Column::real(
        "isometry_double",
        "",
        "Upper end of δ of order 2k, at the best scale (iteration: of the matrix that is worked with).",
    ),
    Column::real("isometry_triple", "", "The same of order 3k."),
    Column::text(
        "certified",
        "Guarantees for basis pursuit that reach k nonzeros, or none.",
    ),
    Column::text(
        "greedy",
        "Guarantees for matching pursuit that reach k nonzeros, or none.",
    ),
    Column::integer("total", "", "Signed supports of order k, up to a sign."),
    Column::integer("recovered", "", "Those that basis pursuit is proven to recover."),
    Column::integer("undecided", "", "Those that could not be decided."),
    Column::integer("supports", "", "Supports of order k."),
    Column::integer(
        "exact_recovery",
        "",
        "Those with the exact recovery condition: matching pursuit finds every vector on them.",
    ),
    Column::text("method", "basis-pursuit, omp, iht, htp or niht."),
    Column::real("offset", "", "Distance from the sharp example."),
    Column::real("threshold", "", "The constant that the guarantee asks for."),
    Column::real(
        "lead",
        "",
        "By how much the right column leads at the first pick, or the planted vector over a shorter one.",
    ),
    Column::real("factor", "", "Factor by which the error must fall in every step."),
    Column::real("worst", "", "Largest factor that was seen."),
    Column::integer("trials", "", "Planted vectors."),
    Column::integer("successes", "", "Those found to a relative error of 1e-8."),
    Column::integer("diverged", "", "Runs that diverged."),
    Column::integer("steps", "", "Most steps that a run took."),
];

fn row_of(values: &[(&str, Value)]) -> Result<Row> {
    rows::row_of(COLUMNS, values)
}

/// The experiment.
pub struct RipCertificates;

impl Experiment for RipCertificates {
    fn id(&self) -> &'static str {
        "rip-certificates"
    }

    fn question(&self) -> &'static str {
        "What do restricted isometry constants certify, and how much is recovered beyond it?"
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        let part = |name: &str| Cell::new().problem("part", name);
        let mut cells = Vec::new();
        for (family, rows) in matrices::sizes(scale) {
            cells.push(part("matrix").problem("family", family).problem("rows", rows));
        }
        for (family, rows) in iterations::sizes(scale) {
            cells.push(part("iteration").problem("family", family).problem("rows", rows));
        }
        cells.push(part("sharp"));
        cells
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        let (scale, seed) = (context.scale(), context.seed(cell));
        match cell.text("part")? {
            "matrix" => matrices::rows(cell, scale.pick(3, 40, 200), context, &seed),
            "iteration" => iterations::rows(cell, scale.pick(2, 12, 60), scale.pick(10, 60, 200), context, &seed),
            "sharp" => sharp::rows(scale.pick(4, 6, 6), &seed),
            other => Err(Error::unknown("part", other, ["matrix", "iteration", "sharp"])),
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
            seconds: 5,
            memory_mb: 60,
        }
    }
}
