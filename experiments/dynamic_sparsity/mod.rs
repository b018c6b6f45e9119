//! `dynamic-sparsity`: which rates of pruning and regrowth hold a density, whether exchanged weights train better than a
//! fixed random mask, and why sparse networks from scratch lose against tickets.

mod claims;
mod cycles;
mod draw;
#[cfg(test)]
mod tests;
mod trained;
mod trained_claims;

use super::comparison::{MAIN, PILOT, SHARED, columns, seed_cells};
use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::table::{Column, Row, Table};
use ticketsense::theory::dynamic_sparsity::Protocol;
use ticketsense::{Error, Result};

/// The experiment.
#[derive(Debug)]
pub struct DynamicSparsity;

/// Weights that are pruned and regrown independently, without training.
const CYCLES: &str = "cycles";
/// Exchanges at several intervals.
const EXPLORATION: &str = "exploration";

const COLUMNS: [Column; SHARED + 13] = columns([
    Column::text(
        "rule",
        "Part cycles: the protocol whose equilibrium gives the prune probability; arm is the protocol that is run.",
    ),
    Column::text(
        "quantity",
        "Part cycles: active or explored weights after a cycle, or the variance of the density over replicates.",
    ),
    Column::real(
        "regrow",
        "1",
        "Probability that an inactive weight is regrown in a cycle.",
    ),
    Column::real("prune", "1", "Probability that an active weight is pruned in a cycle."),
    Column::integer("cycle", "cycles", "Cycles done; all weights are inactive at the start."),
    Column::integer("count", "weights", "Active or explored weights."),
    Column::integer("trials", "", "Weights; replicates where the quantity is the variance."),
    Column::real("value", "1", "The variance of the density of 400 weights."),
    Column::integer("every", "steps", "Steps between two exchanges."),
    Column::real(
        "ever_active",
        "1",
        "Fraction of the weights that was active at any time.",
    ),
    Column::real(
        "mean_degree",
        "1",
        "Kept weights of a layer over its inputs or outputs, the more of the two; the smallest of all layers. Percolation \
         needs more than 1.",
    ),
    Column::real(
        "live_fraction",
        "1",
        "Fraction of the kept weights that lies on a path from an input to an output.",
    ),
    Column::real(
        "signal_gain",
        "1",
        "½ ρ n σ² of the starting values, n inputs a unit: 1 keeps the variance through ReLU; the smallest of all layers.",
    ),
]);

/// The densities that are held, with the probability of regrowth.
fn settings(scale: Scale) -> &'static [(f64, f64)] {
    scale.pick(
        &[(0.2, 0.1)],
        &[(0.2, 0.1), (0.5, 0.3), (0.1, 0.02)],
        &[(0.2, 0.1), (0.5, 0.3), (0.1, 0.02), (0.05, 0.01)],
    )
}

impl Experiment for DynamicSparsity {
    fn id(&self) -> &'static str {
        "dynamic-sparsity"
    }

    fn question(&self) -> &'static str {
        "Which pruning balances regrowth, does exchanging weights beat a fixed random mask, and why does scratch lose to tickets?"
    }

    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        let mut cells = Vec::new();
        for &(density, regrow) in settings(scale) {
            for rule in Protocol::ALL {
                let cell = Cell::new().problem("density", density).problem("regrow", regrow);
                cells.push(cell.problem("rule", rule.as_str()).treatment("part", CYCLES));
            }
        }
        cells.extend(seed_cells(scale.pick(2, 24, 40), scale.pick(2, 24, 40)));
        cells
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        match cell.text("part")? {
            CYCLES => cycles::run(cell, context),
            MAIN => trained::main(context, cell.integer("seed")?),
            PILOT => trained::pilot(context, cell.integer("seed")?),
            other => Err(Error::unknown("part", other, [CYCLES, MAIN, PILOT])),
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
            seconds: 60,
            memory_mb: 100,
        }
    }

    fn uses_data(&self) -> bool {
        true
    }
}
