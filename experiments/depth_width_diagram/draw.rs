//! The figure.

use super::SOLVERS;
use super::contours::contours;
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Figure, Panel, Series};
use ticketsense::table::Table;

/// Level of the intervals drawn.
const LEVEL: f64 = 0.05;
/// Widths stand beside one another at each depth.
const BESIDE: f64 = 0.07;

pub(super) fn figure(table: &Table) -> Result<Figure> {
    let mut ratios: Vec<i64> = Vec::new();
    for place in contours(table, "network", LEVEL)?.keys() {
        ratios.push(place.ratio);
    }
    ratios.sort_unstable();
    ratios.dedup();
    let mut figure = Figure::new()
        .columns(ratios.len().max(1))
        .panel_size(500.0, 400.0)
        .caption(
            "50 % points of planted recovery with 95 % profile intervals, each trial a network of its own. Solid: the Jacobian of \
             a random bias-free ReLU network, all N weights as columns, planted on live ones. Dashed: Gaussian matrices of the \
             same m and N. Dotted: Gaussian matrices of the effective size, rank of J × live columns.",
        );
    for solver in SOLVERS {
        for &ratio in &ratios {
            figure = figure.panel(panel(table, solver, ratio)?);
        }
    }
    Ok(figure)
}

fn panel(table: &Table, solver: &str, ratio: i64) -> Result<Panel> {
    let name = if solver == "omp" {
        "Orthogonal matching pursuit"
    } else {
        "Basis pursuit"
    };
    let (network, gaussian, effective) = (
        contours(table, "network", LEVEL)?,
        contours(table, "gaussian", LEVEL)?,
        contours(table, "effective", LEVEL)?,
    );
    let here = |p: &&super::contours::Place| p.solver == solver && p.ratio == ratio;
    let mut widths: Vec<i64> = network.keys().filter(here).map(|p| p.width).collect();
    let mut depths: Vec<i64> = network.keys().filter(here).map(|p| p.layers).collect();
    for list in [&mut widths, &mut depths] {
        list.sort_unstable();
        list.dedup();
    }
    let (first, last) = (
        depths.first().copied().unwrap_or(2) as f64,
        depths.last().copied().unwrap_or(2) as f64,
    );
    let mut panel = Panel::new(
        format!("{name}, m/N = {}", ratio as f64 / 1000.0),
        Axis::linear("weight layers L")
            .range(first - 0.4, last + 0.4)
            .ticks(depths.iter().map(|d| *d as f64)),
        Axis::log("50 % point k/m"),
    );
    for (number, &width) in widths.iter().enumerate() {
        let shift = BESIDE * (number as f64 - (widths.len() - 1) as f64 / 2.0);
        let of = |contours: &std::collections::BTreeMap<super::contours::Place, super::contours::Contour>,
                  more: f64| {
            let mut points = Vec::new();
            for (place, contour) in contours.iter().filter(|(p, _)| here(p) && p.width == width) {
                let (lower, upper) = (contour.interval.lower, contour.interval.upper);
                if let Some(half) = contour.half.filter(|_| lower > 0.0 && upper.is_finite()) {
                    points.push((place.layers as f64 + shift + more, half, lower, upper));
                }
            }
            points
        };
        let label = format!("w = {width}");
        let (solid, dashed, dotted) = (
            of(&network, 0.0),
            of(&gaussian, BESIDE / 4.0),
            of(&effective, -BESIDE / 4.0),
        );
        let line = |points: &[(f64, f64, f64, f64)]| points.iter().map(|p| (p.0, p.1)).collect::<Vec<_>>();
        panel = panel
            .series(Series::line("", line(&dashed)).colour_of(label.clone()).dashed())
            .series(Series::line("", line(&dotted)).colour_of(label.clone()).dotted())
            .series(Series::measured("", dashed).colour_of(label.clone()))
            .series(Series::measured(label, solid).connected());
    }
    Ok(panel)
}
