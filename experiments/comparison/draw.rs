//! Accuracy against density, drawn the same way everywhere.

use super::super::tickets::LEVEL;
use super::DENSE;
use super::outcomes::Outcomes;
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Colour, Panel, Series};
use ticketsense::statistics::Summary;

/// The axis of densities, dense on the left.
pub fn density_axis() -> Axis {
    Axis::log("density (fraction of weights kept)").reversed()
}

/// Means with their 95 % Student intervals, joined by lines; the bare mean of a single value.
pub fn mean_series(label: &str, groups: &[(f64, Vec<f64>)]) -> Result<Series> {
    means_within(label, groups, (f64::NEG_INFINITY, f64::INFINITY))
}

/// As [`mean_series`], with intervals cut to what an accuracy can be.
pub fn accuracy_series(label: &str, groups: &[(f64, Vec<f64>)]) -> Result<Series> {
    means_within(label, groups, (0.0, 1.0))
}

fn means_within(label: &str, groups: &[(f64, Vec<f64>)], (least, most): (f64, f64)) -> Result<Series> {
    let mut points = Vec::new();
    for (x, values) in groups.iter().filter(|(_, values)| !values.is_empty()) {
        let summary = Summary::of(values)?;
        let (mut lower, mut upper) = (summary.mean, summary.mean);
        if summary.count > 1 {
            let interval = summary.interval(LEVEL)?;
            (lower, upper) = (interval.lower.max(least), interval.upper.min(most));
        }
        points.push((*x, summary.mean, lower, upper));
    }
    Ok(Series::measured(label, points).connected())
}

/// Mean test accuracy of some arms (name, label, colour; the later lies above) against density, with the dense network as
/// a line. Arms without rows are left out.
pub fn accuracy_panel(title: &str, outcomes: &Outcomes, arms: &[(&str, &str, Colour)], axis: Axis) -> Result<Panel> {
    let mut panel = Panel::new(title, density_axis(), axis);
    let mut ends: Option<(f64, f64)> = None;
    for (arm, label, colour) in arms {
        let mut groups = Vec::new();
        for density in outcomes.densities(arm) {
            groups.push((density, outcomes.accuracies(arm, density)?));
            ends = Some(ends.map_or((density, density), |(low, high)| (low.min(density), high.max(density))));
        }
        if !groups.is_empty() {
            panel = panel.series(accuracy_series(label, &groups)?.colour(*colour));
        }
    }
    if let Some((low, high)) = ends.filter(|_| outcomes.has(DENSE, 1.0)) {
        let dense = outcomes.summary(DENSE, 1.0)?.mean;
        let line = [high, low].map(|density| (density, dense));
        panel = panel.series(Series::line("dense network", line).colour(Colour::BLACK).dashed());
    }
    Ok(panel)
}
