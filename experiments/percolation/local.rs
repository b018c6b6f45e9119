//! Local wiring: narrow rings with an exact law, survival far below the tree's threshold, finite-size scaling and spreading.

use super::COLUMNS;
use super::wide::alive_at;
use crate::experiments::rows::row_of;
use ticketsense::harness::{Cell, Context, Scale};
use ticketsense::simulations::percolation::{LayeredNetwork, ReachKernel, SetLaw, Wiring};
use ticketsense::table::{Row, Value};
use ticketsense::{Error, Result};

pub(super) const NEIGHBOURING: &str = "neighbouring";
pub(super) const TREE: &str = "tree";
/// Targets of a unit.
pub(super) const FAN_OUT: usize = 2;
/// A keep probability at which the tree survives and local wiring does not.
pub(super) const BETWEEN: f64 = 0.55;
/// The threshold of bond directed percolation (Jensen 1999), at which spreading is followed.
pub(super) const CRITICAL: f64 = 0.644_700_185;
const RING_DEPTHS: [usize; 3] = [5, 20, 60];
pub(super) const LOCAL_DEPTHS: [usize; 3] = [25, 100, 400];
/// Width of the random wiring beside them.
const MIXED_WIDTH: usize = 800;

pub(super) fn cells(scale: Scale) -> Vec<Cell> {
    let part = |name: &str, model: &str| Cell::new().problem("part", name).problem("model", model);
    let mut cells = Vec::new();
    for width in [6usize, 10] {
        for fan_out in [2usize, 3] {
            for keep in [0.5, 0.65, 0.8] {
                let cell = part("ring", NEIGHBOURING).problem("width", width);
                cells.push(cell.problem("fan_out", fan_out).problem("keep", keep));
            }
        }
    }
    for keep in [0.5, BETWEEN, 0.6, 0.625, 0.65, 0.675, 0.7, 0.75, 0.8, 0.9] {
        cells.push(part("local", NEIGHBOURING).problem("keep", keep));
    }
    cells.push(part("local", "random").problem("keep", BETWEEN));
    let depths: &[usize] = scale.pick(&[8, 16, 32], &[8, 16, 32, 64, 128], &[8, 16, 32, 64, 128, 256, 512]);
    for model in [NEIGHBOURING, TREE] {
        for &depth in depths {
            cells.push(part("scaling", model).problem("depth", depth));
        }
    }
    for model in [NEIGHBOURING, "random"] {
        for group in 0..scale.pick(3usize, 20, 100) {
            cells.push(part("spreading", model).problem("group", group));
        }
    }
    cells
}

/// The columns that all rows here have in common.
fn line(
    part: &str,
    model: &str,
    keep: f64,
    (from, depth): (usize, usize),
    counts: (usize, usize),
) -> Vec<(&'static str, Value)> {
    vec![
        ("part", part.into()),
        ("model", model.into()),
        ("law", "binomial".into()),
        ("fan_out", FAN_OUT.into()),
        ("keep", keep.into()),
        ("sources", 1usize.into()),
        ("from_depth", from.into()),
        ("depth", depth.into()),
        ("replicates", counts.0.into()),
        ("alive", counts.1.into()),
    ]
}

/// Narrow rings, simulated and by the exact law of the reached set.
pub(super) fn ring_rows(cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
    let network = LayeredNetwork {
        width: cell.integer("width")?,
        fan_out: cell.integer("fan_out")?,
        keep: cell.real("keep")?,
        wiring: Wiring::Neighbouring,
    };
    let deepest = RING_DEPTHS[RING_DEPTHS.len() - 1];
    let found = network.percolate(1, deepest, context.scale().pick(4, 64, 1024), &context.seed(cell))?;
    let mut law = SetLaw::new(&network, 1)?;
    let mut exact = vec![1.0];
    for _ in 0..deepest {
        law.step();
        exact.push(law.alive());
    }
    let row = |depth: usize| {
        let counts = (found.replicates(), found.connected(depth)?);
        let mut values = line("ring", NEIGHBOURING, network.keep, (0, depth), counts);
        values.retain(|(name, _)| *name != "fan_out");
        values.extend([
            ("fan_out", network.fan_out.into()),
            ("width", network.width.into()),
            ("exact_alive", exact[depth].into()),
        ]);
        row_of(COLUMNS, &values)
    };
    RING_DEPTHS.into_iter().map(row).collect()
}

/// Survival of one source by depth, where no path gets around the ring; in random wiring beside the exact law of its count.
pub(super) fn local_rows(cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
    let (model, keep) = (cell.text("model")?, cell.real("keep")?);
    let deepest = LOCAL_DEPTHS[LOCAL_DEPTHS.len() - 1];
    let scale = context.scale();
    let network = |width: usize, wiring: Wiring| LayeredNetwork {
        width,
        fan_out: FAN_OUT,
        keep,
        wiring,
    };
    if model == NEIGHBOURING {
        let batches = match keep == BETWEEN {
            true => scale.pick(2, 400, 4000),
            false => scale.pick(1, 16, 400),
        };
        let width = deepest * (FAN_OUT - 1) + 1;
        let found = network(width, Wiring::Neighbouring).percolate(1, deepest, batches, &context.seed(cell))?;
        let row = |depth: usize| {
            let counts = (found.replicates(), found.connected(depth)?);
            let mut values = line("local", model, keep, (0, depth), counts);
            values.push(("width", width.into()));
            row_of(COLUMNS, &values)
        };
        return LOCAL_DEPTHS.into_iter().map(row).collect();
    }
    let replicates = scale.pick(50, 300, 10_000);
    let found = network(MIXED_WIDTH, Wiring::Random).reached(1, deepest, replicates, &context.seed(cell))?;
    let kernel = ReachKernel::random_wiring(MIXED_WIDTH, FAN_OUT, keep)?;
    let laws = kernel.laws_from(1, deepest)?;
    let row = |depth: usize| {
        let counts = (found.replicates(), found.connected(depth)?);
        let mut values = line("local", model, keep, (0, depth), counts);
        let exact: f64 = laws[depth][1..].iter().sum();
        values.extend([("width", MIXED_WIDTH.into()), ("exact_alive", exact.into())]);
        row_of(COLUMNS, &values)
    };
    LOCAL_DEPTHS.into_iter().map(row).collect()
}

/// Replicates alive at depths L and 2L around a keep probability, in a window that narrows with L.
///
/// Centre and width of the windows follow the known thresholds and exponents: wide enough to see the slope at
/// every depth, and narrow enough for a cubic.
pub(super) fn scaling_rows(cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
    let (model, depth) = (cell.text("model")?, cell.integer("depth")?);
    let layers = depth as f64;
    let (centre, half_width) = match model {
        TREE => (0.5, 0.3 / layers),
        NEIGHBOURING => (0.65, 0.2 / layers.sqrt()),
        other => return Err(Error::unknown("model", other, [TREE, NEIGHBOURING])),
    };
    let width = 2 * depth * (FAN_OUT - 1) + 1;
    // Of trees a share of about 4/L lives to depth L, of local wiring most.
    let replicates = match model {
        TREE => context.scale().pick(20, 800, 15_000) * depth,
        _ => context.scale().pick(256, 32_768, 524_288),
    };
    let mut rows = Vec::new();
    for step in -3..=3 {
        context.check()?;
        let keep = centre + half_width * f64::from(step) / 3.0;
        let seed = context.seed(cell).stream(step.to_string());
        let counts = if model == TREE {
            alive_at(TREE, FAN_OUT, keep, width, depth, replicates, &seed)?
        } else {
            let network = LayeredNetwork {
                width,
                fan_out: FAN_OUT,
                keep,
                wiring: Wiring::Neighbouring,
            };
            let found = network.percolate(1, 2 * depth, replicates / 64, &seed)?;
            (found.connected(depth)?, found.connected(2 * depth)?)
        };
        let mut values = line("scaling", model, keep, (depth, 2 * depth), counts);
        if model != TREE {
            values.push(("width", width.into()));
        }
        rows.push(row_of(COLUMNS, &values)?);
    }
    Ok(rows)
}

/// One group of replicates at the threshold: how many live, and how many units they reach, by depth.
pub(super) fn spreading_rows(cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
    let (model, group) = (cell.text("model")?, cell.integer("group")?);
    let (scale, seed) = (context.scale(), context.seed(cell));
    let local = model == NEIGHBOURING;
    // In random wiring a critical population that lives to depth L is of order L, and shares of order L/width of its targets
    // collide in every layer.
    let deepest: usize = if local {
        scale.pick(64, 512, 2048)
    } else {
        scale.pick(32, 128, 256)
    };
    let width = if local {
        deepest + 1
    } else {
        scale.pick(1 << 12, 1 << 15, 1 << 18)
    };
    let depths = (2..).map(|power| 1usize << power).take_while(|depth| *depth <= deepest);
    let mut rows = Vec::new();
    let (keep, wiring) = match local {
        true => (CRITICAL, Wiring::Neighbouring),
        false => (1.0 / FAN_OUT as f64, Wiring::Random),
    };
    let network = LayeredNetwork {
        width,
        fan_out: FAN_OUT,
        keep,
        wiring,
    };
    let mut push = |depth: usize, counts: (usize, usize), reached: u64| -> Result<()> {
        let mut values = line("spreading", model, keep, (0, depth), counts);
        values.extend([
            ("width", width.into()),
            ("group", group.into()),
            ("reached", (reached as usize).into()),
        ]);
        rows.push(row_of(COLUMNS, &values)?);
        Ok(())
    };
    if local {
        let found = network.percolate(1, deepest, scale.pick(8, 32, 256), &seed)?;
        for depth in depths {
            push(
                depth,
                (found.replicates(), found.connected(depth)?),
                found.reached_units(depth)?,
            )?;
        }
    } else {
        let found = network.reached(1, deepest, scale.pick(128, 8192, 65_536), &seed)?;
        for depth in depths {
            push(
                depth,
                (found.replicates(), found.connected(depth)?),
                found.reached_units(depth)?,
            )?;
        }
    }
    Ok(rows)
}
