//! Independent pruning and regrowth, simulated: the densities on the way, what is explored, and the variance at rest.

use super::super::comparison::Line;
use super::{COLUMNS, CYCLES};
use ticketsense::harness::{Cell, Context};
use ticketsense::simulations::dynamic_sparsity::BernoulliCycles;
use ticketsense::statistics::Summary;
use ticketsense::table::Row;
use ticketsense::theory::dynamic_sparsity::Protocol;
use ticketsense::{Error, Result};

/// Weights of the replicates for the variance.
pub const FEW: usize = 400;
pub const ACTIVE: &str = "active";
pub const EXPLORED: &str = "explored";
pub const VARIANCE: &str = "variance";
/// Cycles at which counts are kept, besides the last.
const LOOKS: [usize; 11] = [1, 2, 3, 5, 8, 12, 18, 27, 40, 60, 90];
/// What is left of the start at the last cycle.
const FORGOTTEN: f64 = 1e-9;

/// The three protocols at the prune probability that holds a density under one of them.
pub fn run(cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
    let (density, regrow) = (cell.real("density")?, cell.real("regrow")?);
    let rule = Protocol::from_name(cell.text("rule")?)?;
    let infeasible = || Error::argument("regrow", format!("a rate that density {density} allows"), regrow);
    let prune = rule.equilibrium_prune(density, regrow)?.ok_or_else(infeasible)?;
    let weights = context.scale().pick(100_000, 4_000_000, 16_000_000);
    let mut rows = Vec::new();
    for protocol in Protocol::ALL {
        context.check()?;
        let factor = protocol.convergence_factor(prune, regrow)?.abs();
        let last = (FORGOTTEN.ln() / factor.max(1e-3).ln()).ceil() as usize;
        let cycles = BernoulliCycles {
            protocol,
            weights,
            prune,
            regrow,
        };
        let seed = context.seed(cell).stream(protocol.as_str());
        let line = |quantity: &str, cycle: usize| {
            Line::new(CYCLES, 0, protocol.as_str(), density)
                .with("rule", rule.as_str())
                .with("quantity", quantity)
                .with("regrow", regrow)
                .with("prune", prune)
                .with("cycle", cycle)
        };
        let run = cycles.run(0.0, last, &seed)?;
        for cycle in LOOKS.into_iter().filter(|&cycle| cycle < last).chain([last]) {
            for (quantity, counts) in [(ACTIVE, &run.active), (EXPLORED, &run.explored)] {
                let counted = line(quantity, cycle)
                    .with("count", counts[cycle])
                    .with("trials", weights);
                rows.push(counted.row(&COLUMNS)?);
            }
        }
        if protocol != rule {
            continue;
        }
        let few = BernoulliCycles { weights: FEW, ..cycles };
        let replicates = context.scale().pick(50, 2000, 10_000);
        let mut densities = Vec::with_capacity(replicates);
        for t in 0..replicates {
            let small = few.run(0.0, last, &seed.stream("few").replicate(t as u64))?;
            densities.push(small.density(last));
        }
        let spread = Summary::of(&densities)?.standard_deviation;
        let varied = line(VARIANCE, last)
            .with("trials", replicates)
            .with("value", spread * spread);
        rows.push(varied.row(&COLUMNS)?);
    }
    Ok(rows)
}
