//! Panels on finite width, local wiring and the masks of criteria.

use super::local::{FAN_OUT, LOCAL_DEPTHS, NEIGHBOURING};
use super::local_claim::{DIRECTED, MEAN_FIELD};
use super::narrow::{FULL, MEANS, SHALLOW_AND_DEEP, WIDTHS};
use super::narrow_claim::{drifts, lifetimes};
use super::point::Point;
use super::scaling::{octaves, profiles, spreading};
use std::collections::BTreeMap;
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Colour, Marker, Panel, Series};
use ticketsense::simulations::percolation::ReachKernel;
use ticketsense::statistics::distributions::two_sided_normal;
use ticketsense::statistics::{BinomialCount, PairedComparison};
use ticketsense::table::{Record, Table};
use ticketsense::theory::percolation::Offspring;

const SHADES: [Colour; 7] = [
    Colour(0xc3, 0xb1, 0xe1),
    Colour(0x9a, 0x7f, 0xcb),
    Colour(0x6a, 0x47, 0xa5),
    Colour(0x36, 0x17, 0x69),
    Colour::BLUE,
    Colour::GREEN,
    Colour::ORANGE,
];

fn counted(point: &Point, level: f64) -> Result<(f64, f64, f64)> {
    let count = BinomialCount::new(point.alive, point.replicates)?;
    let interval = count.interval(level)?;
    Ok((count.proportion(), interval.lower, interval.upper))
}

fn width_colour(width: f64) -> Colour {
    let place = WIDTHS.iter().position(|&w| w as f64 == width);
    [Colour::BLUE, Colour::VERMILION, Colour::GREEN][place.unwrap_or(0)]
}

/// Full connection: probability of being connected against the mean number of kept edges.
pub(super) fn connection(table: &Table, level: f64) -> Result<Panel> {
    let mut panel = Panel::new(
        "finite width: a crossover that moves with depth",
        Axis::linear("mean kept edges a unit").range(0.4, 3.2),
        Axis::linear("probability of being connected").range(0.0, 1.02),
    )
    .vertical(1.0, "");
    let points = Point::read(table, "connection")?;
    let mut widths: Vec<f64> = points.iter().filter_map(|p| p.width).collect();
    widths.sort_by(f64::total_cmp);
    widths.dedup();
    for width in widths {
        let colour = width_colour(width);
        for depth in SHALLOW_AND_DEEP {
            let deep = depth == SHALLOW_AND_DEEP[1];
            let label = if deep { format!("width {width}") } else { String::new() };
            let mut law = Vec::new();
            for step in 0..=56 {
                let mean = 0.4 + 0.05 * f64::from(step);
                let units = width as usize;
                let laws = ReachKernel::full(units, units, mean / width)?.laws_from(units, depth)?;
                law.push((mean, laws[depth][1..].iter().sum::<f64>()));
            }
            let line = Series::line(label.as_str(), law).colour(colour);
            panel = panel.series(if deep { line } else { line.dashed() });
            let here = |p: &&Point| {
                p.model == FULL
                    && p.width == Some(width)
                    && p.depth == depth as u64
                    && p.sources == p.width
                    && p.replicates > 0
            };
            let mut places = Vec::new();
            for point in points.iter().filter(here) {
                let (value, low, high) = counted(point, level)?;
                places.push((point.mean(), value, low, high));
            }
            let marker = if deep { Marker::Circle } else { Marker::Diamond };
            panel = panel.series(Series::measured(label, places).colour(colour).marker(marker));
        }
    }
    Ok(panel)
}

/// 50 % points against depth.
pub(super) fn drift(table: &Table, level: f64) -> Result<Panel> {
    let z = two_sided_normal(level)?;
    let mut panel = Panel::new(
        "where half of all networks are connected",
        Axis::log("depth L"),
        Axis::linear("mean kept edges at the 50 % point"),
    )
    .horizontal(1.0, "");
    for drift in drifts(table)? {
        let full = drift.model == FULL;
        let colour = width_colour(drift.width);
        let label = if full {
            format!("width {}", drift.width)
        } else {
            String::new()
        };
        let exact = drift.halves.iter().map(|h| (h.0, h.3));
        let line = Series::line(label.as_str(), exact).colour(colour).width(1.2);
        let measured = drift.halves.iter().map(|h| (h.0, h.1, h.1 - z * h.2, h.1 + z * h.2));
        let marker = if full { Marker::Circle } else { Marker::Diamond };
        panel = panel
            .series(if full { line } else { line.dashed() })
            .series(Series::measured(label, measured).colour(colour).marker(marker));
    }
    Ok(panel)
}

/// Exact median depths against width: the 50 % contour.
pub(super) fn lifetime(table: &Table) -> Result<Panel> {
    let colours = [
        Colour::GREY,
        Colour::SKY,
        Colour::BLACK,
        Colour::ORANGE,
        Colour::VERMILION,
        Colour::PURPLE,
    ];
    let mut panel = Panel::new(
        "half of all networks are cut by depth",
        Axis::log("width w"),
        Axis::log("median depth, layers").range(1.0, 1e9),
    );
    for group in lifetimes(table)? {
        let full = group.model == FULL;
        let place = MEANS.iter().position(|m| *m == group.mean).unwrap_or(0);
        let label = if full {
            format!("mean {}", group.mean)
        } else {
            String::new()
        };
        let line = Series::line(label, group.medians.iter().copied()).colour(colours[place]);
        panel = panel.series(if full { line } else { line.dashed() });
        if full && group.mean < 1.0 {
            let bound = group.medians.iter().map(|m| (m.0, (2.0 * m.0).ln() / -group.mean.ln()));
            panel = panel.series(Series::line("", bound).colour(colours[place]).dotted());
        }
    }
    Ok(panel)
}

/// Survival of one source in local wiring and on trees.
pub(super) fn local(table: &Table, level: f64) -> Result<Panel> {
    let mut panel = Panel::new(
        "two neighbours are not two branches",
        Axis::linear("dropped fraction p_drop").range(0.0, 0.6),
        Axis::linear("survival probability of one source").range(0.0, 1.02),
    )
    .vertical(1.0 - DIRECTED.threshold, "q_c")
    .vertical(1.0 - MEAN_FIELD.threshold, "1 − 1/b");
    let points = Point::read(table, "local")?;
    for (depth, colour) in LOCAL_DEPTHS.into_iter().zip([SHADES[0], SHADES[2], SHADES[3]]) {
        let label = format!("L = {depth}");
        let mut law = Vec::new();
        for step in 0..=120 {
            let drop = 0.005 * f64::from(step);
            let tree = Offspring::Binomial {
                fan_out: FAN_OUT as u64,
                keep: 1.0 - drop,
            };
            law.push((drop, tree.survival_to_depth(depth as u64)?));
        }
        let mut places = Vec::new();
        let here = |p: &&Point| p.model == NEIGHBOURING && p.depth == depth as u64 && p.replicates > 0;
        for point in points.iter().filter(here) {
            let (value, low, high) = counted(point, level)?;
            places.push((1.0 - point.keep, value, low, high));
        }
        panel = panel
            .series(Series::line(label.as_str(), law).colour(colour).width(1.2))
            .series(Series::measured(label, places).colour(colour).connected());
    }
    Ok(panel)
}

/// All octaves of depth on one curve.
pub(super) fn collapse(table: &Table, level: f64) -> Result<Panel> {
    let z = two_sided_normal(level)?;
    let mut panel = Panel::new(
        "local wiring: every depth on one curve",
        Axis::linear("x = (q − q_c) · L^(1/ν)"),
        Axis::linear("exponent of survival from L to 2L"),
    )
    .horizontal(DIRECTED.survival, "δ of directed percolation");
    let Some(found) = profiles(table, NEIGHBOURING, z)? else {
        return Ok(panel);
    };
    let fit = &found.fit;
    let octaves = octaves(table, NEIGHBOURING)?;
    let places = octaves.iter().map(|o| fit.variable(o));
    let (low, high) = places.fold((0.0f64, 0.0f64), |(low, high), x| (low.min(x), high.max(x)));
    let curve = (0..=60)
        .map(|i| low + (high - low) * f64::from(i) / 60.0)
        .map(|x| (x, fit.at(x)));
    panel = panel.series(Series::line("scaling law", curve).colour(Colour::BLACK).width(1.2));
    let mut depths: Vec<f64> = octaves.iter().map(|o| o.layers).collect();
    depths.dedup();
    for (depth, colour) in depths.into_iter().zip(SHADES) {
        let here = octaves.iter().filter(|o| o.layers == depth).map(|o| {
            let (x, y) = (fit.variable(o), fit.corrected(NEIGHBOURING, o));
            (x, y, y - z * o.error, y + z * o.error)
        });
        panel = panel.series(Series::measured(format!("from L = {depth}"), here).colour(colour));
    }
    Ok(panel)
}

/// Survival and reached units at the thresholds.
pub(super) fn spread(table: &Table, level: f64) -> Result<Panel> {
    let z = two_sided_normal(level)?;
    let mut panel = Panel::new(
        "at the threshold: powers of depth",
        Axis::log("depth L"),
        Axis::log("survival (below 1), reached units (above)"),
    );
    for (model, class, colour) in [
        (NEIGHBOURING, DIRECTED, Colour::VERMILION),
        ("random", MEAN_FIELD, Colour::BLUE),
    ] {
        let Some(found) = spreading(table, model, level)? else {
            continue;
        };
        let label = format!("{model} wiring");
        let alive = found
            .means
            .iter()
            .map(|m| (m[0], m[1], m[1] - z * m[2], m[1] + z * m[2]));
        let reached = found
            .means
            .iter()
            .map(|m| (m[0], m[3], m[3] - z * m[4], m[3] + z * m[4]));
        panel = panel
            .series(Series::measured(label.as_str(), alive).colour(colour))
            .series(Series::measured(label, reached).colour(colour).marker(Marker::Square));
        // The powers of theory, through the deepest point.
        let Some(last) = found.means.last() else { continue };
        let words = format!("{}: powers of theory", class.name);
        for (power, value) in [(-class.survival, last[1]), (class.reached, last[3])] {
            let line = found.means.iter().map(|m| (m[0], value * (m[0] / last[0]).powf(power)));
            panel = panel.series(Series::line(words.as_str(), line).colour(colour).dashed().width(1.2));
        }
    }
    Ok(panel)
}

/// Those of the criteria that are drawn.
const DRAWN: [(&str, Colour); 6] = [
    ("magnitude", Colour::BLUE),
    ("snip", Colour::VERMILION),
    ("grasp", Colour::GREEN),
    ("synflow", Colour::PURPLE),
    ("optimal-brain-surgeon", Colour::ORANGE),
    ("neurons", Colour::SKY),
];

/// Mean differences between a criterion and its random twins, by density: (density, difference by pairs).
pub(super) fn differences(
    table: &Table,
    criterion: &str,
    value: fn(&Record<'_>) -> Result<f64>,
) -> Result<Vec<(f64, PairedComparison)>> {
    // By number of weights kept, at most, then by network: the mask and its twin.
    let mut found: BTreeMap<u64, BTreeMap<i64, [Option<f64>; 2]>> = BTreeMap::new();
    let here = |r: &Record<'_>| {
        r.text("part").is_ok_and(|p| p == "criteria") && r.text("beside").is_ok_and(|b| b == criterion)
    };
    for record in table.filter(here) {
        let density = record.real("density")?;
        let place = usize::from(record.text("mask")? == "random");
        let pair = found
            .entry(density.to_bits())
            .or_default()
            .entry(record.integer("seed")?)
            .or_default();
        pair[place] = Some(value(&record)?);
    }
    let mut differences = Vec::new();
    for (density, pairs) in found {
        let pairs: Vec<(f64, f64)> = pairs.values().filter_map(|p| p[0].zip(p[1])).collect();
        let (first, second): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        if first.len() > 1 {
            differences.push((f64::from_bits(density), PairedComparison::of(&first, &second)?));
        }
    }
    Ok(differences)
}

fn paired(table: &Table, title: &str, axis: &str, value: fn(&Record<'_>) -> Result<f64>) -> Result<Panel> {
    let mut panel = Panel::new(
        title,
        Axis::log("density (fraction of weights kept)").reversed(),
        Axis::linear(axis),
    )
    .horizontal(0.0, "");
    for (criterion, colour) in DRAWN {
        let mut places = Vec::new();
        for (density, pairs) in differences(table, criterion, value)? {
            let interval = pairs.interval(0.05)?;
            places.push((density, pairs.mean, interval.lower, interval.upper));
        }
        panel = panel.series(Series::measured(criterion, places).colour(colour).connected());
    }
    Ok(panel)
}

/// The share of kept weights that no path uses.
pub(super) fn share_idle(record: &Record<'_>) -> Result<f64> {
    Ok(1.0 - record.real("effective_density")? / record.real("density")?)
}

pub(super) fn idle(table: &Table) -> Result<Panel> {
    paired(
        table,
        "kept weights on no path, beside chance",
        "share, criterion minus random",
        share_idle,
    )
}

pub(super) fn disjoint(table: &Table) -> Result<Panel> {
    paired(
        table,
        "disjoint paths, beside chance",
        "paths without a common weight, minus random",
        |record| record.real("weight_paths"),
    )
}
