//! Subset sums of random numbers, and networks pruned towards a target by them: no data, no training.

use super::super::comparison::Line;
use super::{SUMS, TARGETS};
use ticketsense::harness::{Cell, Context, Scale};
use ticketsense::networks::{Array, Network};
use ticketsense::simulations::subset_sum::{prune_towards, random_covering};
use ticketsense::{Result, Seed};

/// All subsets of the numbers.
pub const ALL_SUBSETS: &str = "all-subsets";
/// Those of half of them.
pub const HALF_SIZE: &str = "half-size";
/// A random network pruned towards a target.
pub const PRUNED: &str = "pruned";

/// Random hidden units for every weight of the target.
pub const UNITS: [usize; 6] = [4, 8, 12, 16, 20, 24];

/// The numbers of numbers. Below six a set of sums often misses most of the targets, and its radius says where it lies
/// rather than how dense it is.
pub fn numbers(scale: Scale) -> std::ops::RangeInclusive<usize> {
    6..=scale.pick(9, 20, 22)
}

/// The target network: two inputs, so that all of them can be looked at.
const TARGET: &str = "mlp:4-3:no-bias";
/// Inputs of the grid along each axis.
const GRID: usize = 41;

fn replicates(context: &Context<'_>) -> u64 {
    context.scale().pick(4, 40, 100)
}

/// The covering radius of all subsets and of those of half the numbers, for the same numbers.
pub fn radii(cell: &Cell, context: &Context<'_>) -> Result<Vec<Line>> {
    let (numbers, seed) = (cell.integer("numbers")?, context.seed(cell));
    let mut lines = Vec::new();
    for replicate in 0..replicates(context) {
        context.check()?;
        let seed = seed.replicate(replicate);
        for (arm, size) in [(ALL_SUBSETS, None), (HALF_SIZE, Some(numbers / 2))] {
            let found = random_covering(numbers, size, &seed)?;
            let density = if size.is_some() { 0.5 } else { 1.0 };
            let line = Line::new(SUMS, replicate as usize, arm, density);
            lines.push(line.with("numbers", numbers).with("radius", found.radius));
        }
    }
    Ok(lines)
}

/// Random networks pruned towards random targets. The targets of a replicate are the same for every number of units.
pub fn targets(cell: &Cell, context: &Context<'_>) -> Result<Vec<Line>> {
    let (units, seed) = (cell.integer("units")?, context.seed(cell));
    let target = Network::preset(TARGET, 2, 2)?;
    let at = |i: usize| 2.0 * i as f64 / (GRID - 1) as f64 - 1.0;
    let grid = Array::from_fn(GRID * GRID, 2, |i, j| at([i % GRID, i / GRID][j]));
    let mut lines = Vec::new();
    for replicate in 0..context.scale().pick(2, 30, 60) {
        context.check()?;
        let theta = target_weights(&target, &context.common_seed("targets").replicate(replicate));
        let pruned = prune_towards(&target, &theta, units, &seed.replicate(replicate))?;
        let found = pruned.network.outputs(&pruned.pruned()?, &grid)?;
        let expected = target.outputs(&theta, &grid)?;
        let pairs = found.as_slice().iter().zip(expected.as_slice());
        let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let kept = pruned.mask.kept();
        let line = Line::new(TARGETS, replicate as usize, PRUNED, pruned.mask.density().value());
        lines.push(
            line.with("units", units)
                .with("kept", kept)
                .with("sup_error", worst)
                .with("bound", pruned.bound)
                .with("weight_error", pruned.weight_error),
        );
    }
    Ok(lines)
}

/// Weights of a target, uniform on `[−½, ½]`: what subset sums reach.
fn target_weights(target: &Network, seed: &Seed) -> Vec<f64> {
    use rand::RngExt;
    let mut rng = seed.rng();
    (0..target.layout().len())
        .map(|_| rng.random_range(-0.5..0.5))
        .collect()
}
