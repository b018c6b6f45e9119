//! `sensor-selection`: when are the rows of largest norm the sensors that an optimal design would choose?
//!
//! *Definition* cells compare the Bayesian and the frequentist A-optimal choice of the same matrices over the noise, and the
//! greedy choice with the best one; *submodular* looks for a sensor that gains by another one; *orthogonal* cells start from
//! orthogonal rows and disturb them; *example* and *pairs* are duplicated sensors; *ensemble* cells compare the norm rule with
//! every choice of random matrices, *noise* cells over row norms and noise.

mod claims;
mod draw;
mod ensembles;
mod examples;
mod matrices;
mod measured;
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
        "definition, submodular, orthogonal, example, pairs, ensemble or noise.",
    ),
    Column::text("ensemble", "Law of the matrix."),
    Column::integer("number", "", "Number of the matrix."),
    Column::integer("rows", "", "Candidate sensors m."),
    Column::integer("columns", "", "Unknowns n."),
    Column::integer("chosen", "", "Sensors chosen, k."),
    Column::real(
        "setting",
        "",
        "Size of the disturbance (orthogonal), correlation of a pair (pairs), standard deviation of the logarithms of the row \
         norms (noise).",
    ),
    Column::real(
        "noise_ratio",
        "",
        "σ²/τ², beside a mean squared row norm of 1 in random matrices; 0 stands for the frequentist criterion.",
    ),
    Column::text("best_rows", "The best choice; the sensors found (submodular)."),
    Column::text("norm_rows", "The choice of the norm rule."),
    Column::real("best", "", "Least trace over all choices, in units of τ²."),
    Column::real("norm", "", "Trace of the norm rule."),
    Column::real("greedy", "", "Trace of greedy forward selection."),
    Column::real("average", "", "Mean trace over all choices."),
    Column::real(
        "lower_bound",
        "",
        "What the convex relaxation proves of the least trace.",
    ),
    Column::integer(
        "overlap",
        "",
        "Sensors common to the norm rule and the best choice; summed over matrices (noise).",
    ),
    Column::integer(
        "flat_overlap",
        "",
        "Sensors common to the best and the frequentist best choice.",
    ),
    Column::integer("best_ties", "", "Other choices that tie with the best one."),
    Column::integer("norm_ties", "", "Rows that tie for the last places of the norm rule."),
    Column::real(
        "better_share",
        "",
        "Share of all choices that surely do better than the norm rule.",
    ),
    Column::real(
        "variation",
        "",
        "Standard deviation over mean of the squared row norms.",
    ),
    Column::real(
        "deviation",
        "",
        "Difference from an independent formula of the trace, in units of nτ².",
    ),
    Column::real("tolerance", "", "What rounding allows of it."),
    Column::integer("matrices", "", "Matrices summed up; triples of sensors (submodular)."),
    Column::integer(
        "close",
        "",
        "Matrices whose norm rule is within 5 % of the least trace.",
    ),
    Column::integer(
        "identical",
        "",
        "Matrices whose norm rule is the best choice; triples that gain (submodular).",
    ),
    Column::real("median_ratio", "", "Median of the norm rule's trace over the least."),
    Column::real(
        "small_gain",
        "",
        "Fall of the trace by the last sensor beside the first alone.",
    ),
    Column::real("large_gain", "", "The same beside the first and the second."),
];

/// The noise of the ensembles.
const NOISE: f64 = 0.01;
/// Within this factor of the least trace a choice is close to it.
const CLOSE: f64 = 1.05;
/// Noise over which the definition is followed.
const NOISES: [f64; 5] = [1e-4, 1e-2, 1.0, 1e2, 1e4];
/// Disturbances of orthogonal rows.
const DISTURBANCES: [f64; 6] = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0];
const ENSEMBLES: [&str; 8] = [
    "gaussian",
    "spread-0.5",
    "spread-1",
    "spread-2",
    "spread-3",
    "correlated",
    "fourier",
    "unitary",
];
/// Standard deviations of the logarithms of the row norms.
const SPREADS: [f64; 5] = [0.0, 0.5, 1.0, 2.0, 3.0];
/// Noise over which they are followed; 0 is the frequentist criterion.
const LADDER: [f64; 9] = [0.0, 1e-3, 1e-2, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0];

fn row_of(values: &[(&str, Value)]) -> Result<Row> {
    rows::row_of(COLUMNS, values)
}

/// The experiment.
pub struct SensorSelection;

impl Experiment for SensorSelection {
    fn id(&self) -> &'static str {
        "sensor-selection"
    }

    fn question(&self) -> &'static str {
        "When are the rows of largest norm the sensors that an optimal design would choose?"
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        let part = |name: &str| Cell::new().problem("part", name);
        let random = |name: &str, number: usize| part(name).problem("matrices", number);
        let mut cells = Vec::new();
        let matrices: usize = scale.pick(6, 200, 1000);
        for ensemble in ENSEMBLES {
            cells.push(random("ensemble", matrices).problem("ensemble", ensemble));
        }
        // Every noise meets the same matrices.
        for spread in SPREADS {
            for noise in LADDER {
                cells.push(
                    random("noise", matrices)
                        .problem("spread", spread)
                        .treatment("noise", noise),
                );
            }
        }
        let few: usize = scale.pick(5, 100, 500);
        for noise in NOISES {
            cells.push(random("definition", few).treatment("noise", noise));
        }
        for noise in [0.01, 1.0, 100.0] {
            let cell = random("orthogonal", few).treatment("noise", noise);
            cells.push(cell.treatment("disturbance", 0.0));
        }
        for disturbance in DISTURBANCES {
            let cell = random("orthogonal", few).treatment("noise", NOISE);
            cells.push(cell.treatment("disturbance", disturbance));
        }
        cells.extend(["submodular", "example", "pairs"].map(part));
        cells
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        let seed = context.seed(cell);
        match cell.text("part")? {
            "definition" => measured::definition(cell, context, &seed),
            "orthogonal" => measured::orthogonal(cell, context, &seed),
            "ensemble" => measured::ensemble(cell, context, &seed),
            "noise" => measured::noise(cell, context, &seed),
            "submodular" => examples::submodular(),
            "example" => examples::example(),
            "pairs" => examples::pairs(),
            other => Err(Error::unknown(
                "part",
                other,
                [
                    "definition",
                    "orthogonal",
                    "ensemble",
                    "noise",
                    "submodular",
                    "example",
                    "pairs",
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
            seconds: 15,
            memory_mb: 60,
        }
    }
}
