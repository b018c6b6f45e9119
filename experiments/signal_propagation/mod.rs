//! `signal-propagation`: what becomes of lengths, angles and gradients in randomly pruned networks, and of the scale under a ticket?

mod angles_claim;
mod claims;
mod draw;
mod draw_maps;
mod inherited;
mod inherited_claim;
mod lengths;
mod maps;
mod maps_claim;
mod networks;
mod observed;
mod spectrum;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_maps;

use lengths::Point;
use ticketsense::Result;
use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::table::{Column, Row, Table};

pub(super) struct SignalPropagation;

const COLUMNS: &[Column] = &[
    Column::text(
        "part",
        "random: lengths under random masks; pruned: really pruned networks; then by nonlinearity fixed-point, edge and start (maps \
         alone), wide, copies and rates (networks of two widths against the maps), decay, algebraic and curve (angles by the maps), \
         jacobian (singular values), inherited, magnitude-network and trained (masks of the largest weights).",
    ),
    Column::text(
        "scaling",
        "What the weight variance is divided by: dense-fan-in or masked-fan-in.",
    ),
    Column::integer("width", "units", "Units a layer, N."),
    Column::real("density", "", "Probability that a weight is kept, ρ."),
    Column::real("weight_variance", "", "Variance of a weight times that fan-in, σ_w²."),
    Column::integer("layer", "layers", "Layers of weights passed."),
    Column::integer("replicates", "", "Independent networks, each with its own input."),
    Column::real("mean_ratio", "", "Mean of q^ℓ/q⁰ over the networks."),
    Column::real("standard_error", "", "Standard error of that mean, from the sample."),
    Column::integer("dead", "", "Networks whose signal is exactly zero."),
    Column::real(
        "mean_log",
        "",
        "Mean of ln(q^ℓ/q⁰) over the networks whose signal is not zero.",
    ),
    Column::real("log_error", "", "Standard error of that mean."),
    Column::real("lower", "", "10 % quantile of q^ℓ/q⁰."),
    Column::real("median", "", "Median of q^ℓ/q⁰."),
    Column::real("upper", "", "90 % quantile of q^ℓ/q⁰."),
    Column::text(
        "mask",
        "Who chose the mask of a pruned network: ticket (iterative pruning) or random (same counts a layer).",
    ),
    Column::integer("seed", "", "Number of the pruned network."),
    Column::real(
        "mean_field_gain",
        "",
        "ρσ_w²/2 of the layer from the initial weights that the mask keeps.",
    ),
    Column::real(
        "measured_gain",
        "",
        "q^ℓ/q^(ℓ−1) of the test samples through those weights; none for the first layer.",
    ),
    Column::text("nonlinearity", "φ."),
    Column::text(
        "regime",
        "On which side of the edge of chaos, or from which start; of a mask: by which weights it was chosen.",
    ),
    Column::text(
        "lattice",
        "dense, ring (9 positions, kernel 3) or torus (4 × 5, kernel 3 × 3).",
    ),
    Column::text(
        "ensemble",
        "Law of the weights before the mask: gaussian or orthogonal.",
    ),
    Column::real("bias_variance", "", "Variance of a bias, σ_b²."),
    Column::real("initial", "", "Variance, or 1 − c, at layer 0."),
    Column::text("measure", "What the value is."),
    Column::real(
        "value",
        "",
        "Measured, iterated or computed by a second route; none where it is beyond bounds.",
    ),
    Column::real(
        "value_error",
        "",
        "Standard error over networks; in a map alone, what is neglected.",
    ),
    Column::real("value_skewness", "", "Skewness over networks."),
    Column::real(
        "predicted",
        "",
        "By theory, for infinite width unless the theory is exact.",
    ),
    Column::real("rival", "", "By a wrong theory that must be refuted."),
    Column::real(
        "width_term",
        "",
        "First correction for the width, added to the prediction.",
    ),
    Column::real("neglected", "", "Size of the corrections behind the first."),
];

/// Values of ρσ_w² below, at and above the critical one (of σ_w² alone where the fan-in is corrected).
const GAINS: [f64; 3] = [1.5, 2.0, 2.5];
/// The width at which both scalings are compared.
const MIDDLE: usize = 100;

impl Experiment for SignalPropagation {
    fn id(&self) -> &'static str {
        "signal-propagation"
    }

    fn question(&self) -> &'static str {
        "At which weight variance does a randomly pruned network keep its signal, and does a ticket inherit it?"
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        let mut cells = lengths::cells(scale);
        cells.extend(maps::cells());
        cells.extend(networks::cells(scale));
        cells.extend(spectrum::cells());
        cells.extend(inherited::cells(scale));
        cells
    }

    fn uses_data(&self) -> bool {
        true
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        if let Ok(number) = cell.integer("pruned_network") {
            return lengths::pruned_rows(number, cell, context);
        }
        match cell.text("part") {
            Err(_) => lengths::random_rows(cell, context),
            Ok(maps::FIXED_POINT | maps::EDGE | maps::START | maps::DECAY | maps::ALGEBRAIC | maps::CURVE) => {
                maps::rows(cell, context.scale())
            }
            Ok(networks::WIDE | networks::COPIES | networks::RATES) => networks::rows(cell, context),
            Ok(spectrum::JACOBIAN) => spectrum::rows(cell, context),
            Ok(_) => inherited::rows(cell, context),
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
            seconds: 35,
            memory_mb: 80,
        }
    }
}
