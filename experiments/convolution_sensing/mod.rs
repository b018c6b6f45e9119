//! `convolution-sensing`: what kind of measurement matrix is a convolution layer, and which kernel should go?
//!
//! *Spectrum* cells hold the matrix written out against the transfer matrices of its kernels, *isometry* cells exact
//! restricted isometry constants against energies and autocorrelations, in and out of the theorem's conditions. *Removal*
//! cells take kernels out of named banks, *sweep* cells out of random ones, *trained* cells out of the first layer of a
//! network. *Picture* cells leave what the figure shows of single kernels.

mod checks;
mod claims;
mod draw;
mod removal;
#[cfg(test)]
mod tests;
mod trained;

use super::rows;
use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::table::{Column, Row, Table, Value};
use ticketsense::{Error, Result};

const COLUMNS: &[Column] = &[
    Column::text(
        "part",
        "spectrum, padding, isometry, transfer, lag, bracket, removal or sweep: what the row is about.",
    ),
    Column::text("case", "Kernel, bank or family of kernels."),
    Column::text(
        "layout",
        "single kernel; blocks: one input a kernel; stack: one output a kernel; channels: several of both.",
    ),
    Column::text(
        "regime",
        "clear: circular, 2K − 1 ≤ N; double: circular, K ≤ N < 2K − 1; wrapped: circular, K > N; padded: zeros outside.",
    ),
    Column::integer("number", "", "Number of the instance."),
    Column::integer("taps", "", "Taps of a kernel, K on a line."),
    Column::integer("positions", "", "Positions of a channel, N on a line."),
    Column::integer("rows", "", "Rows of the matrix."),
    Column::integer("columns", "", "Columns of the matrix."),
    Column::real(
        "deviation",
        "",
        "Largest distance of a singular value from the one of the circular layer, over the largest.",
    ),
    Column::real(
        "outside",
        "",
        "How far a singular value of the padded layer lies outside of its bracket, over the largest; 0 inside.",
    ),
    Column::integer("index", "", "Place of a singular value, frequency or lag."),
    Column::real("value", "", "Singular value, |ĥ(ω)| or r[τ]."),
    Column::real(
        "circular",
        "",
        "Singular value of the circular layer at the same place.",
    ),
    Column::real("lower", "", "Lower end of the bracket."),
    Column::real("upper", "", "Upper end of the bracket."),
    Column::integer(
        "unit",
        "",
        "1 where every column of the layer without wrapping has energy 1.",
    ),
    Column::integer("order", "", "Order k."),
    Column::real("exact", "", "δ_k over all supports, by enumeration."),
    Column::real(
        "folded",
        "",
        "δ_k (k ≤ 2) or its bound (k > 2) from the lags of the folded kernels, energies included; circular layers.",
    ),
    Column::real(
        "stated",
        "",
        "As claimed, from the kernels as given: |r[0] − 1|, max |r[τ]|, or the sum of the k − 1 largest |r[τ]|.",
    ),
    Column::text("removed", "Kernel that was removed, or none."),
    Column::real("delta", "", "δ_2 of what is left, columns of unit length."),
    Column::real("delta_third", "", "δ_3 of what is left, columns of unit length."),
    Column::real("coherence", "", "Coherence of what is left."),
    Column::text("energies", "unit, or varied: drawn from 1/4 to 4."),
    Column::text("rule", "How the kernel to be removed is chosen."),
    Column::integer("kernels", "", "Kernels of a bank."),
    Column::integer("trials", "", "Banks."),
    Column::integer(
        "agree",
        "",
        "Banks in which no removal gives a smaller δ_2, rescaled, than the rule's.",
    ),
    Column::integer("improved", "", "Banks in which the rule's removal lowers δ_2."),
    Column::integer("worsened", "", "Banks in which the rule's removal raises δ_2."),
    Column::real("accuracy", "", "Mean validation accuracy of the trained networks."),
];

fn row_of(values: &[(&str, Value)]) -> Result<Row> {
    rows::row_of(COLUMNS, values)
}

/// Where the kernel stands to the grid, in the order of the figure.
const REGIMES: [&str; 4] = ["clear", "double", "wrapped", "padded"];
/// Ways to put kernels into one matrix.
const LAYOUTS: [&str; 2] = ["blocks", "stack"];

/// The experiment.
pub struct ConvolutionSensing;

impl Experiment for ConvolutionSensing {
    fn id(&self) -> &'static str {
        "convolution-sensing"
    }

    fn question(&self) -> &'static str {
        "What kind of measurement matrix is a convolution layer, and does it help to remove its weakly correlated kernels?"
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        let part = |name: &str| Cell::new().problem("part", name);
        let mut cells = Vec::new();
        let networks: usize = scale.pick(1, 40, 200);
        cells.extend((0..networks).map(|number| part("trained").problem("number", number)));
        for family in removal::FAMILIES {
            for energies in removal::ENERGIES {
                cells.push(part("sweep").problem("family", family).problem("energies", energies));
            }
        }
        for layout in checks::LAYOUTS {
            for regime in REGIMES {
                cells.push(part("isometry").problem("layout", layout).problem("regime", regime));
            }
        }
        cells.extend((0..checks::SHAPES.len()).map(|shape| part("spectrum").problem("shape", shape)));
        cells.extend(removal::BANKS.map(|bank| part("removal").problem("bank", bank)));
        cells.push(part("picture"));
        cells
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        let (scale, seed) = (context.scale(), context.seed(cell));
        match cell.text("part")? {
            "spectrum" => checks::spectrum(cell.integer("shape")?, scale.pick(2, 8, 40), &seed),
            "isometry" => {
                let instances = scale.pick(2, 10, 50);
                checks::isometry(cell.text("layout")?, cell.text("regime")?, instances, &seed)
            }
            "picture" => checks::picture(),
            "removal" => removal::named(cell.text("bank")?),
            "sweep" => {
                let trials = scale.pick(400, 4000, 20_000);
                removal::sweep(cell.text("family")?, cell.text("energies")?, trials, context, &seed)
            }
            "trained" => trained::rows(scale.pick(20, 200, 600), context, &seed),
            other => Err(Error::unknown(
                "part",
                other,
                ["spectrum", "isometry", "picture", "removal", "sweep", "trained"],
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
            seconds: 2,
            memory_mb: 60,
        }
    }

    fn uses_data(&self) -> bool {
        true
    }
}
