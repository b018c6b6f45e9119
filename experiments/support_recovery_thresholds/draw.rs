//! The figure.

use super::fits::{Half, halves, series};
use super::problem::predicted;
use super::{CORRELATIONS, SWEPT};
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Colour, ColourMap, Figure, Panel, Series};
use ticketsense::statistics::BinomialCount;
use ticketsense::table::{Record, Table};

/// Level of the drawn intervals.
const LEVEL: f64 = 0.05;
/// Where runs without noise stand on the axis of decibels.
const NO_NOISE: f64 = 40.0;

pub(super) fn figure(table: &Table) -> Result<Figure> {
    let middle = match series(table, "sweep", "sublinear", "flat")?.first() {
        Some(row) => row.integer("columns")?,
        None => 0,
    };
    Ok(Figure::new()
        .title("Rows that a support needs, over 2k ln(p − k)")
        .columns(2)
        .panel_size(520.0, 380.0)
        .panel(curves(table, "LASSO with noise, k ≈ 0.4 p^(3/4)", "lasso", "sublinear", "gram")?)
        .panel(curves(table, "LASSO with noise, k = 8", "lasso", "fixed", "gram")?)
        .panel(curves(table, "OMP without noise, k ≈ 0.4 p^(3/4)", "pursuit", "sublinear", "flat")?)
        .panel(curves(table, "OMP without noise, k = 8", "pursuit", "fixed", "flat")?)
        .panel(followed(table)?)
        .panel(swept(table)?)
        .caption(format!(
            "Points are shares of successes with {:.0} % Clopper–Pearson intervals, dashed line θ = 1. (c) The diamonds have \
             magnitudes that decay from 1 to 0.1, p = {middle}. (e) 50 % points with 95 % profile intervals; lines: prediction \
             for the LASSO from the median of the largest dual entry. (f) OMP at θ = {SWEPT}, p = {middle}, \
             k ≈ 0.4 p^(3/4).",
            100.0 * (1.0 - LEVEL)
        )))
}

fn shares(rows: &[Record<'_>], x: &str) -> Result<Vec<(f64, f64, f64, f64)>> {
    let mut points = Vec::new();
    for row in rows {
        let count = BinomialCount::new(row.integer("successes")? as u64, row.integer("trials")? as u64)?;
        let interval = count.interval(LEVEL)?;
        points.push((row.real(x)?, count.proportion(), interval.lower, interval.upper));
    }
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok(points)
}

fn of_size<'a>(rows: &[Record<'a>], columns: i64) -> Vec<Record<'a>> {
    let mut kept = Vec::new();
    for row in rows {
        if row.integer("columns").is_ok_and(|c| c == columns) {
            kept.push(*row);
        }
    }
    kept
}

fn sizes(table: &Table) -> Result<Vec<i64>> {
    let mut sizes = Vec::new();
    for row in table.iter() {
        if ["lasso", "pursuit"].contains(&row.text("part")?) {
            sizes.push(row.integer("columns")?);
        }
    }
    sizes.sort_unstable();
    sizes.dedup();
    Ok(sizes)
}

fn curves(table: &Table, title: &str, part: &str, rule: &str, drawn: &str) -> Result<Panel> {
    let mut panel = Panel::new(
        title,
        Axis::linear("θ = n/(2k ln(p − k)), rescaled number of rows").include(0.3),
        Axis::linear("probability of the exact support").range(0.0, 1.0),
    )
    .vertical(1.0, "");
    let rows = series(table, part, rule, drawn)?;
    let sizes = sizes(table)?;
    for (number, &columns) in sizes.iter().enumerate() {
        let colour = ColourMap::Sequential.at(0.9 * number as f64 / sizes.len() as f64);
        let points = shares(&of_size(&rows, columns), "theta")?;
        panel = panel.series(
            Series::measured(format!("p = {columns}"), points)
                .colour(colour)
                .connected(),
        );
    }
    let decaying = series(table, part, rule, "decaying")?;
    if !decaying.is_empty() {
        let points = shares(&decaying, "theta")?;
        panel = panel.series(
            Series::measured("decaying magnitudes", points)
                .colour(Colour::PURPLE)
                .connected(),
        );
    }
    Ok(panel)
}

fn followed(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "50 % points over sizes",
        Axis::log("columns p"),
        Axis::linear("θ at 50 %").include(0.4),
    )
    .horizontal(1.0, "θ = 1");
    let as_points = |halves: Vec<Half>| {
        let each = halves.into_iter();
        each.map(|h| (h.columns, h.point, h.interval.lower, h.interval.upper))
            .collect::<Vec<_>>()
    };
    let all = [
        ("LASSO, k ≈ 0.4 p^(3/4)", "lasso", "sublinear", "gram", Colour::BLUE),
        ("LASSO, k = 8", "lasso", "fixed", "gram", Colour::SKY),
        (
            "OMP, k ≈ 0.4 p^(3/4)",
            "pursuit",
            "sublinear",
            "flat",
            Colour::VERMILION,
        ),
        ("OMP, k = 8", "pursuit", "fixed", "flat", Colour::ORANGE),
    ];
    for (label, part, rule, drawn, colour) in all {
        let points = as_points(halves(table, part, rule, drawn, "theta")?);
        if part == "lasso" && !points.is_empty() {
            let ends = points
                .iter()
                .fold((f64::INFINITY, 0.0f64), |e, p| (e.0.min(p.0), e.1.max(p.0)));
            let mut line = Vec::new();
            for step in 0..=40 {
                let columns = (ends.0 * (ends.1 / ends.0).powf(f64::from(step) / 40.0)).round();
                line.push((columns, predicted(rule, columns as usize)?));
            }
            panel = panel.series(Series::line("", line).colour(colour));
        }
        panel = panel.series(Series::measured(label, points).colour(colour));
    }
    let noisy = as_points(halves(table, "lasso", "sublinear", "gram", "theta_noisy")?);
    Ok(panel.series(Series::measured("LASSO, noise term in θ", noisy).colour(Colour::GREEN)))
}

fn swept(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "OMP at θ = 1 with noise and correlation",
        Axis::linear("signal-to-noise ratio, dB").ticks([-5.0, 0.0, 5.0, 10.0, 15.0, 20.0, 30.0]),
        Axis::linear("probability of the exact support").range(0.0, 1.0),
    )
    .vertical(NO_NOISE, "no noise");
    let rows = series(table, "sweep", "sublinear", "flat")?;
    let colours = [Colour::BLACK, Colour::GREY, Colour(0x8c, 0x51, 0x0a)];
    for (correlation, colour) in CORRELATIONS.into_iter().zip(colours) {
        let mut of_correlation = Vec::new();
        for row in &rows {
            if row.real("correlation")? == correlation {
                of_correlation.push(*row);
            }
        }
        let points = shares(&of_correlation, "decibels")?;
        let (noisy, quiet): (Vec<_>, Vec<_>) = points.into_iter().partition(|p| p.0.is_finite());
        let quiet = quiet.into_iter().map(|p| (NO_NOISE, p.1, p.2, p.3));
        let label = format!("correlation {correlation}");
        panel = panel
            .series(Series::measured(label.clone(), noisy).colour(colour).connected())
            .series(Series::measured(label, quiet).colour(colour));
    }
    Ok(panel)
}
