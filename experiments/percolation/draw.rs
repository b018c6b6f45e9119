//! The figure: closed forms as lines, counts as points with exact intervals.

use super::claims::level;
use super::point::Point;
use super::threshold::{finite_size, thresholds};
use super::{NARROW, draw_finite};
use crate::experiments::pruned_masks::by_density;
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Colour, Figure, Marker, Panel, Series};
use ticketsense::statistics::BinomialCount;
use ticketsense::statistics::distributions::two_sided_normal;
use ticketsense::table::{Record, Table};
use ticketsense::theory::percolation::{Offspring, drop_threshold, reached_fraction};

/// The depths of the first panel, from shallow and light to deep and dark.
const SHADES: [(u64, Colour); 4] = [
    (5, Colour(0xc3, 0xb1, 0xe1)),
    (20, Colour(0x9a, 0x7f, 0xcb)),
    (100, Colour(0x6a, 0x47, 0xa5)),
    (500, Colour(0x36, 0x17, 0x69)),
];

fn colour_of(fan_out: u64) -> Colour {
    match fan_out {
        2 => Colour::BLUE,
        3 => Colour::VERMILION,
        _ => Colour::GREEN,
    }
}

pub(super) fn figure(table: &Table) -> Result<Figure> {
    let level = level(table);
    Ok(Figure::new()
        .columns(3)
        .panel_size(470.0, 350.0)
        .panel(by_dropped_fraction(table, level)?)
        .panel(extrapolation(table, level)?)
        .panel(two_laws(table, level)?)
        .panel(by_depth(table, level)?)
        .panel(draw_finite::connection(table, level)?)
        .panel(draw_finite::drift(table, level)?)
        .panel(draw_finite::lifetime(table)?)
        .panel(draw_finite::local(table, level)?)
        .panel(draw_finite::collapse(table, level)?)
        .panel(draw_finite::spread(table, level)?)
        .panel(pruned(table, "dead hidden units of pruned networks", "share of hidden units on no path", |r| {
            Ok(r.real("dead_units")? / r.real("hidden_units")?)
        })?)
        .panel(pruned(table, "weights that no path uses", "kept weights on no path, share", |r| {
            Ok(1.0 - r.real("effective_density")? / r.real("density")?)
        })?)
        .panel(draw_finite::idle(table)?)
        .panel(draw_finite::disjoint(table)?)
        .caption(
            "Lines: closed forms. Points: simulation, with exact binomial intervals (or normal ones for means) at the level of \
             the verdicts; counts of no survivor have no place on a logarithmic axis. (a) Trees; grey: the exact law of one narrow \
             random wiring, where the threshold is only a crossover. (b) 50 % points of P(alive at 2L | alive at L) with the lines \
             that extrapolate them to infinite depth; circles and solid lines: trees, diamonds and dashes: random wiring. (c) \
             Colours: one source survives for ever (out-degree law); black: fraction of a layer reached (in-degree law). (e) Full \
             connection from a full first layer: solid, depth 100; dashed, depth 10. (f) Circles: full connection, diamonds and dashes: \
             random wiring with two targets. (g) Exact medians, solid full connection, dashed random wiring; dotted: ln(2w)/(-ln mean). \
             (h) Two neighbouring targets (points) beside trees (lines). (i) Two neighbouring targets: the exponent without its \
             correction, all depths on one curve. (j) Circles: survival; squares: reached units a replicate. \
             (k, l) Masks of networks pruned by iterative magnitude pruning and random masks of the same counts: \
             means over networks, bars 95 %. (m, n) Differences between the mask of a criterion on a trained network and a random mask of \
             its counts a layer, by pairs.",
        ))
}

/// A share of each pruned network against its density: means over networks of equal round, with Student intervals.
fn pruned(table: &Table, title: &str, axis: &str, share: fn(&Record<'_>) -> Result<f64>) -> Result<Panel> {
    let mut panel = Panel::new(
        title,
        Axis::log("density (fraction of weights kept)").reversed(),
        Axis::linear(axis).range(0.0, 1.0),
    );
    for (kind, label, colour) in [
        ("ticket", "iterative pruning", Colour::BLUE),
        ("random", "random mask", Colour::GREY),
    ] {
        let points = by_density(table, kind, |record| share(record).map(Some))?
            .into_iter()
            .map(|(density, mean, lower, upper)| (density, mean, lower.max(0.0), upper.min(1.0)));
        panel = panel.series(Series::measured(label, points).colour(colour).connected());
    }
    Ok(panel)
}

/// Estimate and interval of the survivors of a point.
fn measured(point: &Point, level: f64) -> Result<(f64, f64, f64)> {
    let count = BinomialCount::new(point.alive, point.replicates)?;
    let interval = count.interval(level)?;
    Ok((count.proportion(), interval.lower, interval.upper))
}

fn binomial(fan_out: u64, keep: f64) -> Offspring {
    Offspring::Binomial { fan_out, keep }
}

fn grid(low: f64, high: f64, steps: u32) -> impl Iterator<Item = f64> {
    (0..=steps).map(move |i| low + (high - low) * f64::from(i) / f64::from(steps))
}

fn by_dropped_fraction(table: &Table, level: f64) -> Result<Panel> {
    let mut panel = Panel::new(
        "survival sharpens with depth, fan-out b = 2",
        Axis::linear("dropped fraction p_drop").range(0.0, 1.0),
        Axis::linear("survival probability s_L").range(0.0, 1.02),
    )
    .vertical(drop_threshold(2.0)?, "1 − 1/b");
    let narrow = Point::read(table, "finite-width")?;
    let exact = narrow.iter().filter_map(|p| Some((1.0 - p.keep, p.exact_alive?)));
    let label = format!("width {}, L = {} (exact)", NARROW.0, NARROW.1);
    panel = panel.series(Series::line(label, exact).colour(Colour::GREY).dotted());
    let points = Point::read(table, "survival")?;
    for (depth, colour) in SHADES {
        let label = format!("L = {depth}");
        let mut theory = Vec::new();
        for keep in grid(0.0, 1.0, 400) {
            theory.push((1.0 - keep, binomial(2, keep).survival_to_depth(depth)?));
        }
        let mut places = Vec::new();
        for point in points
            .iter()
            .filter(|p| p.law == "binomial" && p.fan_out == 2 && p.depth == depth)
        {
            let (value, low, high) = measured(point, level)?;
            places.push((1.0 - point.keep, value, low, high));
        }
        panel = panel
            .series(Series::line(label.as_str(), theory).colour(colour))
            .series(Series::measured(label, places).colour(colour).marker(Marker::Circle));
    }
    Ok(panel)
}

fn extrapolation(table: &Table, level: f64) -> Result<Panel> {
    let z = two_sided_normal(level)?;
    let mut panel = Panel::new(
        "50 % points tend to one kept edge a unit",
        Axis::linear("finite-depth variable ln L / L²").include(0.0),
        Axis::linear("b · keep at the 50 % point"),
    )
    .horizontal(1.0, "");
    for threshold in thresholds(table)?.iter().filter(|t| t.model != "neighbouring") {
        let fan_out = threshold.fan_out as f64;
        let colour = colour_of(threshold.fan_out);
        // Trees carry the label of their fan-out; random wiring shares its colour without an entry of its own.
        let tree = threshold.model == "tree";
        let label = if tree { format!("b = {fan_out}") } else { String::new() };
        let places = threshold.halves.iter().map(|&(layers, half, error)| {
            let (half, error) = (fan_out * half, fan_out * z * error);
            (finite_size(layers), half, half - error, half + error)
        });
        let marker = if tree { Marker::Circle } else { Marker::Diamond };
        panel = panel.series(Series::measured(label.as_str(), places).colour(colour).marker(marker));
        if let Some(line) = &threshold.line {
            let end = threshold.halves.iter().map(|h| finite_size(h.0)).fold(0.0, f64::max);
            let series = Series::line(label, [0.0, end].map(|x| (x, fan_out * line.at(x)))).width(1.2);
            panel = panel.series(if tree { series } else { series.dashed() }.colour(colour));
        }
    }
    Ok(panel)
}

fn two_laws(table: &Table, level: f64) -> Result<Panel> {
    let z = two_sided_normal(level)?;
    let mut panel = Panel::new(
        "one threshold, two laws",
        Axis::linear("mean kept edges a unit, b q").range(0.4, 1.9),
        Axis::linear("probability or fraction").range(0.0, 1.0),
    )
    .vertical(1.0, "b q = 1");
    let fraction_label = "fraction reached, any b";
    let mut fraction_line = Vec::new();
    for mean in grid(0.4, 1.9, 300) {
        fraction_line.push((mean, reached_fraction(mean)?));
    }
    panel = panel.series(Series::line(fraction_label, fraction_line).colour(Colour::BLACK));
    let networks = Point::read(table, "network")?;
    let widest = networks.iter().filter_map(|p| p.width).fold(0.0, f64::max);
    let settled = networks.iter().filter(|p| p.width == Some(widest));
    let reached = settled.filter_map(|p| {
        let (mean, error) = p.fraction?;
        Some((p.mean(), mean, mean - z * error, mean + z * error))
    });
    panel = panel.series(
        Series::measured(fraction_label, reached)
            .colour(Colour::BLACK)
            .marker(Marker::Square),
    );
    let points = Point::read(table, "survival")?;
    for fan_out in super::FAN_OUTS {
        let fan_out = fan_out as u64;
        let (label, colour) = (format!("b = {fan_out}"), colour_of(fan_out));
        let mut theory = Vec::new();
        for mean in grid(0.4, 1.9, 300) {
            theory.push((mean, binomial(fan_out, mean / fan_out as f64).survival()?.survival));
        }
        let mut places = Vec::new();
        let deepest = points.iter().map(|p| p.depth).max();
        // At the threshold itself even the deepest layer is far from the limit.
        let chosen = |p: &&Point| {
            p.law == "binomial" && p.fan_out == fan_out && Some(p.depth) == deepest && (p.mean() - 1.0).abs() > 1e-9
        };
        for point in points.iter().filter(chosen).filter(|p| (0.4..=1.9).contains(&p.mean())) {
            let (value, low, high) = measured(point, level)?;
            places.push((point.mean(), value, low, high));
        }
        panel = panel
            .series(Series::line(label.as_str(), theory).colour(colour))
            .series(Series::measured(label, places).colour(colour).marker(Marker::Circle));
    }
    Ok(panel)
}

fn by_depth(table: &Table, level: f64) -> Result<Panel> {
    let points = Point::read(table, "survival")?;
    let chosen = [0.4, 0.5, 0.6];
    let colours = [Colour::ORANGE, Colour::PURPLE, Colour::SKY];
    let smallest = points
        .iter()
        .filter(|p| p.law == "binomial" && p.fan_out == 2 && chosen.contains(&p.keep) && p.alive > 0)
        .map(|p| p.alive as f64 / p.replicates as f64)
        .fold(1.0, f64::min);
    let mut panel = Panel::new(
        "below, at and above the threshold, b = 2",
        Axis::log("depth L").range(0.9, 600.0),
        Axis::log("survival probability s_L").range(0.2 * smallest, 1.3),
    );
    for (keep, colour) in chosen.into_iter().zip(colours) {
        let law = binomial(2, keep);
        let label = format!("b q = {}", (200.0 * keep).round() / 100.0);
        let mut theory = Vec::new();
        for exponent in grid(0.0, 500f64.log10(), 200) {
            let depth = 10f64.powf(exponent).round();
            theory.push((depth, law.survival_to_depth(depth as u64)?));
        }
        let mut places = Vec::new();
        let here = |p: &&Point| p.law == "binomial" && p.fan_out == 2 && p.keep == keep && p.alive > 0;
        for point in points.iter().filter(here) {
            let (value, low, high) = measured(point, level)?;
            places.push((point.depth as f64, value, low, high));
        }
        panel = panel
            .series(Series::line(label.as_str(), theory).colour(colour))
            .series(Series::measured(label, places).colour(colour).marker(Marker::Circle));
    }
    let mut asymptote = Vec::new();
    for depth in [3, 500] {
        asymptote.push((depth as f64, binomial(2, 0.5).critical_asymptote(depth)?));
    }
    Ok(panel.series(
        Series::line("2 / (L f''(1))", asymptote)
            .colour(Colour::BLACK)
            .dashed()
            .width(1.2),
    ))
}
