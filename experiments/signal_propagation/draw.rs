//! The figure: predicted means and typical values as lines, samples as points and bands.

use super::claims::deviations;
use super::{MIDDLE, Point, draw_maps};
use crate::experiments::pruned_masks::by_density;
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Colour, Figure, Marker, Panel, Series};
use ticketsense::table::Table;
use ticketsense::theory::relu_variance::{layer_factor, typical_growth};

const GAIN_COLOURS: [Colour; 3] = [Colour::BLUE, Colour::VERMILION, Colour::GREEN];
const WIDTH_COLOURS: [Colour; 4] = [Colour::PURPLE, Colour::ORANGE, Colour::SKY, Colour::GREY];

/// A layer's gain in really pruned networks against their density: means over networks with Student intervals.
fn inherited(table: &Table, title: &str, axis: &str, column: &str) -> Result<Panel> {
    let mut panel = Panel::new(
        title,
        Axis::log("density (fraction of weights kept)").reversed(),
        Axis::linear(axis).include(0.0).include(1.05),
    )
    .horizontal(1.0, "critical");
    for (kind, layer, label, colour) in [
        ("ticket", 2, "iterative pruning, layer 2", Colour::BLUE),
        ("ticket", 3, "iterative pruning, layer 3", Colour::SKY),
        ("random", 2, "random mask, layer 2", Colour::GREY),
        ("random", 3, "random mask, layer 3", Colour::BLACK),
    ] {
        let points = by_density(table, kind, |record| {
            if record.integer("layer")? == layer {
                record.optional_real(column)
            } else {
                Ok(None)
            }
        })?;
        panel = panel.series(Series::measured(label, points).colour(colour).connected());
    }
    Ok(panel)
}

pub(super) fn figure(table: &Table) -> Result<Figure> {
    let z = deviations(table)?;
    let points = Point::read(table)?;
    Ok(Figure::new()
        .columns(3)
        .panel_size(470.0, 350.0)
        .panel(lengths(&points, z)?)
        .panel(critical(&points, z)?)
        .panel(densities(&points, z)?)
        .panel(widths(&points)?)
        .panel(draw_maps::edge(table)?)
        .panel(draw_maps::band(table)?)
        .panel(draw_maps::angles(table)?)
        .panel(draw_maps::comparisons(table)?)
        .panel(draw_maps::spectra(table)?)
        .panel(draw_maps::retained(table)?)
        .panel(inherited(table, "pruned networks: what a mask leaves", "ρσ_w²/2 of a hidden layer", "mean_field_gain")?)
        .panel(inherited(table, "and what the test samples see", "measured q^ℓ/q^(ℓ−1)", "measured_gain")?)
        .caption(
            "(a) Points: means over networks, with the tolerance of the verdict (bare where the law is too skewed to be judged); \
             bands: 10 % to 90 % of the networks; solid: predicted mean; dashed: mean over the root of the second moment, the \
             typical value. (b) The mean of every width and density against the map. (c) Fan-in corrected to the kept inputs, \
             and not. (d) Dense networks at the critical point: the mean stays, the typical network forgets; dashed: exact.",
        )
        .caption(
            "(e) Lines: χ₁ = 1, gradients vanish to the left of a line and explode to the right; points: where the simulated gradient \
             neither vanishes nor explodes. (f) Six correlation lengths of dense tanh networks with σ_b² = 0.05, infinite at the edge; points: \
             fitted to simulated angles and gradients at density 0.5. (g) Angles of tanh networks on the way to their fixed point, by the map; \
             dashed: the law of ReLU. (h) Every number measured in networks of two widths, less its prediction, in units of its tolerance. \
             (i) Mean fourth power of the singular values of the Jacobian over the squared mean square; lines: exact.",
        )
        .caption(
            "(j) Lines: what the largest of Gaussian weights keep of their scale, and what a random mask keeps; points: samples, and hidden layers of \
             trained networks whose mask was chosen by the final weights. (k, l) Networks pruned by iterative magnitude pruning, at their \
             initial weights, beside random masks of the same counts: means over networks, bars 95 %.",
        ))
}

/// (x, mean, and its tolerance on both sides), as far as the point can be judged.
fn bar(point: &Point, x: f64, value: impl Fn(f64) -> f64, z: f64) -> Result<(f64, f64, f64, f64)> {
    let (low, high) = match point.tolerance(z)? {
        // A tolerance beyond the whole mean reaches down to nothing.
        Some(t) => (point.mean * (1.0 - t).max(1e-3), point.mean * (1.0 + t)),
        None => (point.mean, point.mean),
    };
    Ok((x, value(point.mean), value(low), value(high)))
}

/// The density at which the gains are shown: the sparsest that stays mild at the middle width.
const SHOWN_DENSITY: f64 = 0.2;

fn lengths(points: &[Point], z: f64) -> Result<Panel> {
    let mut panel = Panel::new(
        format!("signal length by layer, N = {MIDDLE}, ρ = {SHOWN_DENSITY}"),
        Axis::linear("layer ℓ"),
        Axis::log("signal length q^ℓ / q⁰"),
    );
    for (gain, colour) in super::GAINS.into_iter().zip(GAIN_COLOURS) {
        let label = format!("ρσ_w² = {gain}");
        let here = |p: &&Point| {
            !p.masked && p.width == MIDDLE as u64 && p.density == SHOWN_DENSITY && (p.gain() - gain).abs() < 1e-9
        };
        let group: Vec<&Point> = points.iter().filter(here).collect();
        let band = group.iter().map(|p| (p.layer as f64, p.quantiles[0], p.quantiles[2]));
        panel = panel.series(Series::band(label.as_str(), band).colour(colour));
        let (mut mean, mut typical, mut places) = (vec![(0.0, 1.0)], vec![(0.0, 1.0)], Vec::new());
        for point in group {
            let layer = point.layer as f64;
            mean.push((layer, point.predicted_mean()?));
            typical.push((layer, point.typical()?));
            places.push(bar(point, layer, |mean| mean, z)?);
        }
        panel = panel
            .series(Series::line(label.as_str(), mean).colour(colour))
            .series(Series::line(label.as_str(), typical).colour(colour).dashed().width(1.3))
            .series(Series::measured(label, places).colour(colour));
    }
    Ok(panel)
}

/// The points of every cell at its deepest judged layer.
fn deepest_judged<'a>(points: impl Iterator<Item = &'a Point>, z: f64) -> Result<Vec<&'a Point>> {
    let mut best: Vec<&Point> = Vec::new();
    for point in points {
        if point.tolerance(z)?.is_none() {
            continue;
        }
        let same = |p: &&Point| {
            (p.masked, p.width, p.density, p.weight_variance)
                == (point.masked, point.width, point.density, point.weight_variance)
        };
        match best.iter().position(same) {
            Some(place) if best[place].layer < point.layer => best[place] = point,
            Some(_) => {}
            None => best.push(point),
        }
    }
    Ok(best)
}

fn critical(points: &[Point], z: f64) -> Result<Panel> {
    let mut panel = Panel::new(
        "the mean grows above ρσ_w² = 2",
        Axis::linear("density times weight variance, ρσ_w²").range(0.0, 2.7),
        Axis::linear("factor on the mean per layer").range(0.0, 1.5),
    )
    .horizontal(1.0, "")
    .vertical(2.0, "critical");
    let mut map = Vec::new();
    for variance in [0.0, 2.7] {
        map.push((variance, layer_factor(1.0, variance)?));
    }
    panel = panel.series(Series::line("ρσ_w² / 2", map).colour(Colour::BLACK).width(1.3));
    let mut widths: Vec<u64> = points.iter().map(|p| p.width).collect();
    widths.sort_unstable();
    widths.dedup();
    for (place, width) in widths.into_iter().enumerate() {
        let group = points.iter().filter(|p| !p.masked && p.width == width);
        let mut places = Vec::new();
        for point in deepest_judged(group, z)? {
            // Widths stand side by side around the value they share.
            let x = point.gain() + 0.025 * (place as f64 - 1.0);
            places.push(bar(point, x, |mean| mean.powf(1.0 / point.layer as f64), z)?);
        }
        let colour = WIDTH_COLOURS[place % WIDTH_COLOURS.len()];
        panel = panel.series(Series::measured(format!("N = {width}"), places).colour(colour));
    }
    Ok(panel)
}

fn densities(points: &[Point], z: f64) -> Result<Panel> {
    let mut panel = Panel::new(
        format!("density drops out with the fan-in corrected, N = {MIDDLE}"),
        Axis::log("density ρ").range(0.04, 1.2),
        Axis::linear("factor on the mean per layer").range(0.0, 1.5),
    );
    let grid = (0..=100).map(|i| 0.04f64.powf(1.0 - f64::from(i) / 100.0));
    let middle = || points.iter().filter(|p| p.width == MIDDLE as u64);
    for (variance, colour) in super::GAINS.into_iter().zip(GAIN_COLOURS) {
        let label = format!("σ_w² = {variance}, fan-in corrected");
        let mut theory = Vec::new();
        for density in grid.clone() {
            let inputs = 1.0 - (1.0 - density).powf(MIDDLE as f64);
            theory.push((density, layer_factor(1.0, variance)? * inputs));
        }
        let mut places = Vec::new();
        for point in deepest_judged(middle().filter(|p| p.masked && p.weight_variance == variance), z)? {
            places.push(bar(
                point,
                point.density,
                |mean| mean.powf(1.0 / point.layer as f64),
                z,
            )?);
        }
        panel = panel
            .series(Series::line(label.as_str(), theory).colour(colour))
            .series(Series::measured(label, places).colour(colour).marker(Marker::Wedge));
    }
    let label = "σ_w² = 2, dense fan-in";
    let mut theory = Vec::new();
    for density in grid {
        theory.push((density, layer_factor(density, 2.0)?));
    }
    let mut places = Vec::new();
    for point in deepest_judged(
        middle().filter(|p| !p.masked && (p.weight_variance - 2.0).abs() < 1e-9),
        z,
    )? {
        places.push(bar(
            point,
            point.density,
            |mean| mean.powf(1.0 / point.layer as f64),
            z,
        )?);
    }
    let line = Series::line(label, theory).colour(Colour::BLACK).dashed();
    Ok(panel
        .series(line)
        .series(Series::measured(label, places).colour(Colour::BLACK)))
}

fn widths(points: &[Point]) -> Result<Panel> {
    let mut panel = Panel::new(
        "at the critical point, dense: typical against mean",
        Axis::linear("layer ℓ").include(0.0),
        Axis::linear("logarithm of q^ℓ / q⁰").include(0.2),
    )
    .horizontal(0.0, "ln of the mean: 0");
    let here = |p: &&Point| !p.masked && p.density == 1.0 && (p.gain() - 2.0).abs() < 1e-9;
    let group: Vec<&Point> = points.iter().filter(here).collect();
    let mut widths: Vec<u64> = group.iter().map(|p| p.width).collect();
    widths.sort_unstable();
    widths.dedup();
    let deepest = group.iter().map(|p| p.layer).max().unwrap_or(0);
    for (place, width) in widths.into_iter().enumerate() {
        let colour = WIDTH_COLOURS[place % WIDTH_COLOURS.len()];
        let label = format!("N = {width}");
        let mut theory = vec![(0.0, 0.0)];
        for layer in 1..=deepest {
            theory.push((layer as f64, layer as f64 * typical_growth(width, 2.0)?));
        }
        let places = group.iter().filter(|p| p.width == width).map(|p| {
            // Two standard errors on either side: this is a picture, not a verdict.
            (
                p.layer as f64,
                p.mean_log,
                p.mean_log - 2.0 * p.log_error,
                p.mean_log + 2.0 * p.log_error,
            )
        });
        let places: Vec<_> = places.collect();
        panel = panel
            .series(Series::line(label.as_str(), theory).colour(colour).dashed())
            .series(Series::measured(label, places).colour(colour));
    }
    Ok(panel)
}
