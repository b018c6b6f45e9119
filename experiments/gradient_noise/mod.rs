//! `gradient-noise`: how noisy stochastic gradients are at a density, which batch that makes worth its samples, and how much
//! trained networks differ over orders of the data.
//!
//! Parts of one table. `gradient` and `rest`: linear models against closed forms, the noise scale of the gradient and the
//! mean squared error at which constant steps come to rest. `rate` and `margin`: what pilot seeds fix. `steps`, `accuracy` and
//! `along`: networks at every batch size, and the noise scale while they train. `orders`: many orders of the data.

mod claims;
mod draw;
mod fits;
mod linear;
mod network;
mod spread;
#[cfg(test)]
mod tests;

use super::comparison::FIRST_PILOT;
use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::table::{Column, Row, Table};
use ticketsense::{Error, Result};

/// The experiment.
#[derive(Debug)]
pub struct GradientNoise;

const GRADIENT: &str = "gradient";
const REST: &str = "rest";
const RATE: &str = "rate";
const MARGIN: &str = "margin";
const STEPS: &str = "steps";
const ACCURACY: &str = "accuracy";
const ALONG: &str = "along";
const ORDERS: &str = "orders";
const PARTS: [&str; 8] = [GRADIENT, REST, RATE, MARGIN, STEPS, ACCURACY, ALONG, ORDERS];

const ISOTROPIC: &str = "isotropic";
const CORRELATED: &str = "correlated";

const LARGEST: &str = "largest";
const SMALLEST: &str = "smallest";
const RANDOM: &str = "random";
const TICKET: &str = "ticket";
const DENSE: &str = "dense";

/// Equal passes over the data for every batch size, and equal steps.
const EPOCHS: &str = "equal-epochs";
const UPDATES: &str = "equal-steps";

/// Densities of the gradients.
const DENSITIES: [f64; 5] = [1.0, 0.75, 0.5, 0.25, 0.125];
/// How far towards the best weights on the mask the gradients are taken.
const TRAINED: [f64; 2] = [0.0, 0.5];

const COLUMNS: &[Column] = &[
    Column::text("part", "What the row is about."),
    Column::text(
        "features",
        "Gaussian features: isotropic, or neighbours correlated by one half.",
    ),
    Column::text(
        "mask",
        "What is kept: the largest or the smallest coefficients, a random choice, or the mask of iterative pruning.",
    ),
    Column::text(
        "setting",
        "What is equal for all batch sizes: passes over the data, or steps.",
    ),
    Column::integer("number", "", "Number of the seed."),
    Column::integer("round", "", "Rounds of pruning behind the counts of the mask."),
    Column::integer("order", "", "Number of the order of the data."),
    Column::real("density", "1", "Fraction of the weights kept."),
    Column::integer("kept", "", "Kept weights of a linear model."),
    Column::real(
        "trained",
        "1",
        "How far from zero to the best weights on the mask the gradient is taken.",
    ),
    Column::integer("batch", "samples", "Samples of a batch."),
    Column::real("step", "", "Learning rate."),
    Column::real("share", "1", "The same over the largest that is stable."),
    Column::integer("steps", "steps", "Steps done."),
    Column::real("progress", "1", "Share of the steps to the target."),
    Column::real("variance", "", "Variance of the residual, lost signal included."),
    Column::real("trace", "", "Trace of the covariance of the gradient, in closed form."),
    Column::real("squared_gradient", "", "Squared norm of the mean gradient, exact."),
    Column::real("scale", "samples", "Noise scale: trace over squared gradient, exact."),
    Column::real("least_scale", "samples", "The least that the features allow."),
    Column::integer("replicates", "", "Independent repetitions behind a mean."),
    Column::real("measured_trace", "", "The trace from samples."),
    Column::real("trace_error", "", "Its standard error."),
    Column::real("measured_square", "", "The squared gradient from samples."),
    Column::real("square_error", "", "Its standard error."),
    Column::real(
        "gap",
        "",
        "Measured trace minus the closed scale times the measured squared gradient.",
    ),
    Column::real("gap_error", "", "Its standard error."),
    Column::real("exact", "", "Mean squared error after these steps, in closed form."),
    Column::real("later", "", "The same after four times as many."),
    Column::real("rest", "", "Where it comes to rest; infinite where it does not."),
    Column::real("measured", "", "Mean squared error after these steps, simulated."),
    Column::real("measured_error", "", "Its standard error."),
    Column::real(
        "steps_to_target",
        "steps",
        "Steps until the validation loss is at the target.",
    ),
    Column::real("loss", "", "Loss on the test samples."),
    Column::real("accuracy", "1", "Accuracy on the test samples."),
];

impl Experiment for GradientNoise {
    fn id(&self) -> &'static str {
        "gradient-noise"
    }

    fn question(&self) -> &'static str {
        "Does a sparse network need another batch size, and is a small spread over orders of the data the mark of a ticket?"
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        let part = |part: &'static str| Cell::new().problem("part", part);
        let mut cells = Vec::new();
        for features in [ISOTROPIC, CORRELATED] {
            for mask in [LARGEST, RANDOM] {
                for density in DENSITIES {
                    for trained in TRAINED {
                        let cell = part(GRADIENT).problem("features", features).treatment("mask", mask);
                        cells.push(cell.treatment("density", density).treatment("trained", trained));
                    }
                }
            }
        }
        let rest = |mask: &'static str, kept: usize, batch: usize, share: f64| {
            let cell = part(REST).treatment("mask", mask).treatment("kept", kept);
            cell.treatment("batch", batch).treatment("share", share)
        };
        for mask in [LARGEST, SMALLEST] {
            for kept in [4usize, 8, 16, 32] {
                for batch in [1usize, 4, 16] {
                    cells.extend([0.1, 0.5].map(|share| rest(mask, kept, batch, share)));
                }
            }
        }
        for kept in [16usize, 32] {
            cells.extend([4usize, 16].map(|batch| rest(LARGEST, kept, batch, 1.25)));
        }
        for arm in network::ARMS {
            for &batch in network::batches(scale) {
                let cell = part(RATE).treatment("mask", arm.kind).treatment("round", arm.round);
                cells.push(cell.treatment("batch", batch));
            }
        }
        let count = scale.pick(3usize, 20, 40);
        for number in 0..count {
            cells.push(part(STEPS).problem("seed", number));
            cells.push(part(ORDERS).problem("seed", number));
            cells.push(part(MARGIN).problem("seed", FIRST_PILOT + number));
        }
        cells
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        match cell.text("part")? {
            GRADIENT => linear::gradient(cell, context),
            REST => linear::rest(cell, context),
            RATE => network::rate(cell, context),
            MARGIN => network::margin(cell, context),
            STEPS => network::steps(cell, context),
            ORDERS => network::orders(cell, context),
            other => Err(Error::unknown("part", other, PARTS)),
        }
    }

    fn claims(&self) -> &'static [Claim] {
        claims::CLAIMS
    }

    fn draw(&self, table: &Table) -> Result<Figure> {
        draw::draw(table)
    }

    fn budget(&self) -> Budget {
        Budget {
            seconds: 25,
            memory_mb: 80,
        }
    }

    fn uses_data(&self) -> bool {
        true
    }
}
