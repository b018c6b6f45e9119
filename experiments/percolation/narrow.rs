//! Networks of finite width: simulated and from the exact chain of the reached count.

use super::COLUMNS;
use crate::experiments::rows::row_of;
use ticketsense::harness::{Cell, Context, Scale};
use ticketsense::simulations::percolation::{LayeredGraph, LayeredNetwork, ReachKernel, Wiring};
use ticketsense::table::Row;
use ticketsense::{Error, Result, Seed};

pub(super) const FULL: &str = "full";
pub(super) const RANDOM: &str = "random";
/// Fan-out of the random wiring; full connection has that of its width.
const FAN_OUT: usize = 2;
pub(super) const WIDTHS: [usize; 3] = [8, 32, 128];
/// Depths at which connection is counted.
pub(super) const SHALLOW_AND_DEEP: [usize; 2] = [10, 100];
/// Probabilities of the exact law around its 50 % point at which networks are simulated.
const LEVELS: [f64; 7] = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8];
/// Mean kept edges a unit of the lifetimes: two below the threshold, one at it, three above.
pub(super) const MEANS: [f64; 6] = [0.5, 0.8, 1.0, 1.2, 1.5, 1.8];

pub(super) fn cells(scale: Scale) -> Vec<Cell> {
    let mut cells = Vec::new();
    let widths = scale.pick(&[8usize, 16][..], &WIDTHS, &WIDTHS);
    for model in [FULL, RANDOM] {
        let means: &[f64] = match model {
            FULL => &[0.6, 1.0, 1.2, 1.5, 2.0, 3.0],
            _ => &[0.6, 1.0, 1.2, 1.4, 1.6, 1.8],
        };
        let at = |part: &str| Cell::new().problem("part", part).problem("model", model);
        for &width in widths {
            for &mean in means {
                for sources in [1, width] {
                    let cell = at("connection").problem("width", width).problem("mean", mean);
                    cells.push(cell.problem("sources", sources));
                }
            }
            for &depth in scale.pick(&[5usize, 10, 20][..], &[10, 20, 50, 100], &[10, 30, 100, 300, 1000]) {
                cells.push(at("drift").problem("width", width).problem("depth", depth));
            }
        }
        for mean in MEANS {
            cells.push(at("lifetime").problem("mean", mean));
        }
    }
    cells
}

/// Targets of a unit, and the probability that gives `mean` kept edges.
fn edges(model: &str, width: usize, mean: f64) -> (usize, f64) {
    let fan_out = if model == FULL { width } else { FAN_OUT };
    (fan_out, mean / fan_out as f64)
}

fn kernel(model: &str, width: usize, keep: f64) -> Result<ReachKernel> {
    match model {
        FULL => ReachKernel::full(width, width, keep),
        RANDOM => ReachKernel::random_wiring(width, FAN_OUT, keep),
        other => Err(Error::unknown("model", other, [FULL, RANDOM])),
    }
}

/// The probability that some unit is reached, by depth.
fn exact(model: &str, width: usize, keep: f64, sources: usize, depth: usize) -> Result<Vec<f64>> {
    let laws = kernel(model, width, keep)?.laws_from(sources, depth)?;
    Ok(laws.iter().map(|law| law[1..].iter().sum::<f64>().min(1.0)).collect())
}

/// Replicates, and those of them in which some unit is reached, at every depth asked for.
fn simulated(
    (model, width, keep): (&str, usize, f64),
    sources: usize,
    depths: &[usize],
    replicates: usize,
    seed: &Seed,
) -> Result<(usize, Vec<usize>)> {
    let deepest = depths.iter().copied().max().unwrap_or(1);
    if model == FULL {
        // All replicates of a given graph are independent.
        let graph = LayeredGraph::full(&vec![width; deepest + 1])?;
        let found = graph.percolate(keep, sources, replicates.div_ceil(64), seed)?;
        let counts: Result<Vec<usize>> = depths.iter().map(|&depth| found.connected(depth)).collect();
        return Ok((found.replicates(), counts?));
    }
    // Random wiring is drawn anew for every replicate: words would share it, and their counts were not binomial.
    let network = LayeredNetwork {
        width,
        fan_out: FAN_OUT,
        keep,
        wiring: Wiring::Random,
    };
    let found = network.reached(sources, deepest, replicates, seed)?;
    let counts: Result<Vec<usize>> = depths.iter().map(|&depth| found.connected(depth)).collect();
    Ok((found.replicates(), counts?))
}

/// Counts of connected networks, from one source and from all units, beside the exact probability.
pub(super) fn connection_rows(cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
    let (model, width, sources) = (cell.text("model")?, cell.integer("width")?, cell.integer("sources")?);
    let (fan_out, keep) = edges(model, width, cell.real("mean")?);
    let deepest = SHALLOW_AND_DEEP[1];
    let law = exact(model, width, keep, sources, deepest)?;
    let replicates = context.scale().pick(192, 512, 65_536);
    let (replicates, alive) = simulated(
        (model, width, keep),
        sources,
        &SHALLOW_AND_DEEP,
        replicates,
        &context.seed(cell),
    )?;
    let rows = SHALLOW_AND_DEEP.into_iter().zip(alive).map(|(depth, alive)| {
        row_of(
            COLUMNS,
            &[
                ("part", "connection".into()),
                ("model", model.into()),
                ("law", "binomial".into()),
                ("fan_out", fan_out.into()),
                ("keep", keep.into()),
                ("width", width.into()),
                ("sources", sources.into()),
                ("from_depth", 0usize.into()),
                ("depth", depth.into()),
                ("replicates", replicates.into()),
                ("alive", alive.into()),
                ("exact_alive", law[depth].into()),
            ],
        )
    });
    rows.collect()
}

/// The mean number of kept edges at which the exact probability of being connected has a value.
pub(super) fn mean_at(model: &str, width: usize, depth: usize, value: f64) -> Result<f64> {
    let most = edges(model, width, 1.0).0 as f64;
    let (mut low, mut high) = (0.0, most);
    // To 2⁻³⁰ of the range, far below any standard error.
    for _ in 0..30 {
        let middle = 0.5 * (low + high);
        let (_, keep) = edges(model, width, middle);
        if exact(model, width, keep, width, depth)?[depth] < value {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok(0.5 * (low + high))
}

/// Counts of connected networks around the 50 % point of the exact law, from a full first layer.
pub(super) fn drift_rows(cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
    let (model, width, depth) = (cell.text("model")?, cell.integer("width")?, cell.integer("depth")?);
    let replicates = context.scale().pick(192, 512, 16_384);
    let mut rows = Vec::new();
    for value in LEVELS {
        context.check()?;
        let mean = mean_at(model, width, depth, value)?;
        let (fan_out, keep) = edges(model, width, mean);
        let law = exact(model, width, keep, width, depth)?;
        let seed = context.seed(cell).stream(value.to_string());
        let (replicates, alive) = simulated((model, width, keep), width, &[depth], replicates, &seed)?;
        rows.push(row_of(
            COLUMNS,
            &[
                ("part", "drift".into()),
                ("model", model.into()),
                ("law", "binomial".into()),
                ("fan_out", fan_out.into()),
                ("keep", keep.into()),
                ("width", width.into()),
                ("sources", width.into()),
                ("from_depth", 0usize.into()),
                ("depth", depth.into()),
                ("replicates", replicates.into()),
                ("alive", alive[0].into()),
                ("exact_alive", law[depth].into()),
            ],
        )?);
    }
    Ok(rows)
}

/// Exact median depths by width.
pub(super) fn lifetime_rows(cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
    let (model, mean) = (cell.text("model")?, cell.real("mean")?);
    let widths: &[usize] = context.scale().pick(
        &[8, 16, 32, 64],
        &[8, 12, 16, 24, 32, 48, 64, 96, 128, 256],
        &[8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512],
    );
    let action = match model == FULL && mean > 1.0 {
        true => {
            // The grid's own error is of first order in its step.
            let steps = context.scale().pick(50, 200, 400);
            Some(2.0 * least_action(mean, 2 * steps) - least_action(mean, steps))
        }
        false => None,
    };
    let mut rows = Vec::new();
    for &width in widths {
        context.check()?;
        let (fan_out, keep) = edges(model, width, mean);
        let kernel = kernel(model, width, keep)?;
        rows.push(row_of(
            COLUMNS,
            &[
                ("part", "lifetime".into()),
                ("model", model.into()),
                ("law", "binomial".into()),
                ("fan_out", fan_out.into()),
                ("keep", keep.into()),
                ("width", width.into()),
                ("sources", width.into()),
                ("median_depth", kernel.half_depth(width)?.into()),
                ("extinction", kernel.quasi_stationary()?.extinction.into()),
                ("action", action.into()),
            ],
        )?);
    }
    Ok(rows)
}

/// What it costs a wide, fully connected layer, per unit of width, to lose its signal.
///
/// Where a share x of a layer is reached, the next share is binomial around `p(x) = 1 − e^{−mx}`, and a share y instead of it costs
/// `KL(y ‖ p(x))` in the exponent. The least total cost over all ways from the settled share to 0 is the growth of the logarithm of the
/// lifetime per unit of width (Freidlin & Wentzell). Here it is found on shares `0, 1/steps, …, 1`, by relaxation.
pub(super) fn least_action(mean: f64, steps: usize) -> f64 {
    let share = |place: usize| place as f64 / steps as f64;
    let part = |y: f64, p: f64| if y > 0.0 { y * (y / p).ln() } else { 0.0 };
    let cost = |from: usize, to: usize| {
        let missed = (-mean * share(from)).exp();
        let y = share(to);
        match (from, to) {
            (0, 0) => 0.0,
            (0, _) => f64::INFINITY,
            _ => part(y, 1.0 - missed) + part(1.0 - y, missed),
        }
    };
    let table: Vec<f64> = (0..=steps)
        .flat_map(|to| (0..=steps).map(move |from| (from, to)))
        .map(|(from, to)| cost(from, to))
        .collect();
    // From everything: the way down to the settled share costs nothing.
    let mut least = vec![f64::INFINITY; steps + 1];
    least[steps] = 0.0;
    loop {
        let mut next = least.clone();
        for (to, next) in next.iter_mut().enumerate() {
            let row = &table[to * (steps + 1)..(to + 1) * (steps + 1)];
            let through = row.iter().zip(&least).map(|(cost, before)| cost + before);
            *next = through.fold(*next, f64::min);
        }
        // Every round is one layer more; sums of fewer than a thousand costs below 10 do not change any more than this.
        let change = least
            .iter()
            .zip(&next)
            .any(|(a, b)| a.is_infinite() != b.is_infinite() || a - b > 1e-12);
        least = next;
        if !change {
            return least[0];
        }
    }
}
