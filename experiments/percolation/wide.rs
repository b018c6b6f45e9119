//! Trees and wide networks: thresholds, survival, and what one narrow network makes of them.

use super::{DEPTHS, NARROW, NETWORK_DEPTH};
use ticketsense::harness::{Cell, Context};
use ticketsense::simulations::percolation::{LayeredNetwork, ReachKernel, SurvivalCounts, Wiring, survival};
use ticketsense::table::Row;
use ticketsense::theory::percolation::Offspring;
use ticketsense::{Error, Result, Seed, row};

fn alive(found: &SurvivalCounts, depth: usize) -> Result<usize> {
    found
        .alive(depth)
        .ok_or_else(|| Error::argument("depth", format!("at most {}", found.depth()), depth))
}

/// One pair of counts: replicates alive at `depth` and at `2 depth`.
pub(super) fn alive_at(
    model: &str,
    fan_out: usize,
    keep: f64,
    width: usize,
    depth: usize,
    replicates: usize,
    seed: &Seed,
) -> Result<(usize, usize)> {
    let wiring = match model {
        "tree" => {
            let found = survival(
                Offspring::Binomial {
                    fan_out: fan_out as u64,
                    keep,
                },
                2 * depth,
                replicates,
                seed,
            )?;
            return Ok((alive(&found, depth)?, alive(&found, 2 * depth)?));
        }
        "random" => Wiring::Random,
        _ => Wiring::Neighbouring,
    };
    let network = LayeredNetwork {
        width,
        fan_out,
        keep,
        wiring,
    };
    let reached = network.reached(1, 2 * depth, replicates, seed)?;
    Ok((reached.connected(depth)?, reached.connected(2 * depth)?))
}

/// Counts around the keep probability at which half of the replicates alive at depth L are alive at depth 2L.
///
/// Where that is, no formula says: a pilot run bisects the whole interval of keep probabilities down to `1/(bL)`, on
/// random numbers of its own, and seven values are spread over four and a half times that width around its answer.
pub(super) fn threshold_rows(cell: &Cell, per_layer: usize, context: &Context<'_>) -> Result<Vec<Row>> {
    let seed = context.seed(cell);
    let (model, fan_out, depth) = (cell.text("model")?, cell.integer("fan_out")?, cell.integer("depth")?);
    let layers = depth as f64;
    let width = match model {
        // The share of targets that collide is the population over the width, and a critical population that lives grows
        // like L: with the width ∝ L³/ln L collisions shift the threshold by the same ln L/L² as the finite depth does.
        "random" => (layers.powi(3) / layers.ln()).ceil() as usize,
        // No path gets around the ring.
        _ => fan_out * (2 * depth + 1),
    };
    let unit = 1.0 / (fan_out as f64 * layers);
    // Where the crossing is, a tree tells as well and without the cost of a flooded network.
    let pilot_model = if model == "neighbouring" { model } else { "tree" };
    let (mut low, mut high) = (0.0, 1.0);
    for step in 0.. {
        if high - low <= unit {
            break;
        }
        context.check()?;
        let middle = 0.5 * (low + high);
        let pilot = seed.stream("pilot").stream(step.to_string());
        let (before, after) = alive_at(pilot_model, fan_out, middle, width, depth, 20 * depth + 200, &pilot)?;
        if before > 0 && 2 * after >= before {
            high = middle;
        } else {
            low = middle;
        }
    }
    let mut rows = Vec::new();
    for step in -3..=3 {
        context.check()?;
        let keep = (0.5 * (low + high) + 0.75 * f64::from(step) * unit).clamp(0.0, 1.0);
        let replicates = per_layer * depth.max(50);
        let stream = seed.stream("count").stream(step.to_string());
        let (before, after) = alive_at(model, fan_out, keep, width, depth, replicates, &stream)?;
        let width = (model != "tree").then_some(width);
        rows.push(row![
            "threshold",
            model,
            "binomial",
            fan_out,
            keep,
            width,
            depth,
            2 * depth,
            before,
            after,
            None::<f64>,
            None::<f64>,
            None::<f64>,
            None::<f64>
        ]);
    }
    Ok(rows)
}

pub(super) fn survival_rows(cell: &Cell, replicates: usize, seed: &Seed) -> Result<Vec<Row>> {
    let (law, fan_out, keep) = (cell.text("law")?, cell.integer("fan_out")?, cell.real("keep")?);
    let offspring = match law {
        "poisson" => Offspring::Poisson {
            mean: fan_out as f64 * keep,
        },
        _ => Offspring::Binomial {
            fan_out: fan_out as u64,
            keep,
        },
    };
    let found = survival(offspring, DEPTHS[DEPTHS.len() - 1], replicates, seed)?;
    let row = |depth: usize| {
        let alive = alive(&found, depth)?;
        Ok(row![
            "survival",
            "tree",
            law,
            fan_out,
            keep,
            None::<usize>,
            0usize,
            depth,
            replicates,
            alive,
            None::<f64>,
            None::<f64>,
            None::<f64>,
            None::<f64>
        ])
    };
    DEPTHS.into_iter().map(row).collect()
}

pub(super) fn network_rows(cell: &Cell, replicates: usize, seed: &Seed) -> Result<Vec<Row>> {
    let (fan_out, keep, width) = (cell.integer("fan_out")?, cell.real("keep")?, cell.integer("width")?);
    let network = LayeredNetwork {
        width,
        fan_out,
        keep,
        wiring: Wiring::Random,
    };
    let reached = network.reached(1, NETWORK_DEPTH, replicates, seed)?;
    let alive = reached.connected(NETWORK_DEPTH)?;
    // The mean of fewer than two living replicates has no error.
    let fraction = if alive >= 2 {
        Some(reached.fraction_given_connected(NETWORK_DEPTH)?)
    } else {
        None
    };
    let error = fraction.as_ref().and_then(|f| match f.certainty {
        ticketsense::outcome::Certainty::Sampled { standard_error, .. } => Some(standard_error),
        _ => None,
    });
    let (exact_alive, exact_fraction) = exact_reach(width, fan_out, keep, NETWORK_DEPTH)?;
    Ok(vec![row![
        "network",
        "random",
        "binomial",
        fan_out,
        keep,
        width,
        0usize,
        NETWORK_DEPTH,
        replicates,
        alive,
        fraction.map(|f| f.value),
        error,
        exact_alive,
        exact_fraction
    ]])
}

/// The exact probability that one source reaches the layer at `depth`, and the mean fraction reached where it does.
pub(super) fn exact_reach(width: usize, fan_out: usize, keep: f64, depth: usize) -> Result<(f64, Option<f64>)> {
    let kernel = ReachKernel::random_wiring(width, fan_out, keep)?;
    let mut law = vec![0.0; width + 1];
    law[1] = 1.0;
    for _ in 0..depth {
        law = kernel.step(&law)?;
    }
    let alive: f64 = law[1..].iter().sum();
    let units: f64 = law
        .iter()
        .enumerate()
        .map(|(count, weight)| count as f64 * weight)
        .sum();
    Ok((alive, (alive > 0.0).then(|| units / alive / width as f64)))
}

pub(super) fn finite_width_rows(cell: &Cell) -> Result<Vec<Row>> {
    let (fan_out, width, depth) = (cell.integer("fan_out")?, cell.integer("width")?, NARROW.1);
    (1..50)
        .map(|step| {
            let keep = f64::from(step) / 50.0;
            let (alive, fraction) = exact_reach(width, fan_out, keep, depth)?;
            Ok(row![
                "finite-width",
                "random",
                "binomial",
                fan_out,
                keep,
                width,
                0usize,
                depth,
                None::<usize>,
                None::<usize>,
                None::<f64>,
                None::<f64>,
                alive,
                fraction
            ])
        })
        .collect()
}
