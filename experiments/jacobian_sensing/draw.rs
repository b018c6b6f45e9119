//! The figure.

use super::claims::{part, recovered};
use super::linear_model::{ERROR_NETWORKS, REVERSAL_DEPTHS};
use super::operators::OPERATORS;
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Figure, Panel, Series};
use ticketsense::statistics::BinomialCount;
use ticketsense::statistics::distributions::two_sided_normal;
use ticketsense::table::Table;
use ticketsense::theory::linearised_pruning::sign_reversal;

/// Level of the intervals drawn.
const LEVEL: f64 = 0.05;

pub(super) fn figure(table: &Table) -> Result<Figure> {
    Ok(Figure::new()
        .columns(2)
        .panel_size(520.0, 360.0)
        .panel(errors(table, "smallest", "Smallest weights first")?)
        .panel(errors(table, "random", "Random weights first")?)
        .panel(cosines(table)?)
        .panel(coefficient(table)?)
        .panel(planted(table, "basis-pursuit", "Planted recovery, basis pursuit")?)
        .panel(planted(table, "omp", "Planted recovery, orthogonal matching pursuit")?)
        .caption(
            "Dotted lines in (a) and (b): the same error over the change ‖f(θ) − f(θ₀)‖; dotted in (d): tanh networks. The \
             spectral surrogate has the singular values of J and random right singular vectors. Basis pursuit cannot \
             tell J from J with whitened rows: both have the same solutions. Intervals at 95 %.",
        ))
}

fn errors(table: &Table, removed: &str, title: &str) -> Result<Panel> {
    let z = two_sided_normal(LEVEL)?;
    let mut panel = Panel::new(
        title,
        Axis::linear("pruned fraction 1 − ρ").range(0.0, 1.0),
        Axis::log("linearisation error ‖f − f_lin‖ / ‖f(θ₀)‖"),
    )
    .horizontal(0.1, "10 %");
    for (activation, layers) in ERROR_NETWORKS.into_iter().filter(|(_, layers)| *layers > 1) {
        let (mut points, mut change) = (Vec::new(), Vec::new());
        for row in part(table, "error") {
            if row.text("activation")? == activation
                && row.integer("layers")? == layers as i64
                && row.text("removed")? == removed
            {
                let (x, mean, half) = (
                    1.0 - row.real("density")?,
                    row.real("mean")?,
                    z * row.real("standard_error")?,
                );
                points.push((x, mean, mean - half, mean + half));
                change.push((x, row.real("of_change")?));
            }
        }
        change.sort_by(|a, b| a.0.total_cmp(&b.0));
        let label = format!(
            "{}, L = {layers}",
            if activation == "relu" { "ReLU" } else { activation }
        );
        panel = panel
            .series(Series::line("", change).colour_of(label.clone()).dotted())
            .series(Series::measured(label, points).connected());
    }
    Ok(panel)
}

fn cosines(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "Cosines between columns",
        Axis::linear("|cosine| of two columns").range(0.0, 1.0),
        Axis::log("share of the pairs"),
    );
    for operator in ["jacobian", "surrogate", "gaussian"] {
        let mut counts = std::collections::BTreeMap::new();
        for row in part(table, "cosine") {
            if row.text("operator")? == operator {
                // Bins are labelled by whole thousandths, so that they can be keys.
                *counts
                    .entry((1000.0 * row.real("cosine_low")?).round() as i64)
                    .or_insert(0) += row.integer("count")?;
            }
        }
        let total: i64 = counts.values().sum();
        let half = 500.0 / counts.len().max(1) as f64;
        let share = |(low, count): (&i64, &i64)| ((*low as f64 + half) / 1000.0, *count as f64 / total.max(1) as f64);
        panel = panel.series(Series::points(words(operator), counts.iter().map(share)).connected());
    }
    Ok(panel)
}

fn words(operator: &str) -> &str {
    match operator {
        "jacobian" => "Jacobian J",
        "surrogate" => "spectral surrogate",
        "whitened" => "J, rows whitened",
        _ => "Gaussian",
    }
}

fn planted(table: &Table, solver: &str, title: &str) -> Result<Panel> {
    let mut panel = Panel::new(
        title,
        Axis::linear("nonzeros k"),
        Axis::linear("share recovered").range(0.0, 1.04),
    );
    for operator in OPERATORS {
        let mut points = Vec::new();
        for (k, successes, trials) in recovered(table, operator, solver)? {
            let count = BinomialCount::new(successes, trials)?;
            let interval = count.interval(LEVEL)?;
            points.push((k as f64, count.proportion(), interval.lower, interval.upper));
        }
        panel = panel.series(Series::measured(words(operator), points).connected());
    }
    Ok(panel)
}

fn coefficient(table: &Table) -> Result<Panel> {
    let z = two_sided_normal(LEVEL)?;
    let mut panel = Panel::new(
        "What the linear model answers under a random mask",
        Axis::linear("density ρ"),
        Axis::linear("coefficient on the original output"),
    )
    .horizontal(0.0, "");
    for layers in REVERSAL_DEPTHS {
        let label = format!("ReLU, L = {layers}");
        let mut line = Vec::new();
        for i in 0..=1 {
            line.push((f64::from(i), sign_reversal(f64::from(i), layers as u32)?));
        }
        panel = panel.series(Series::line("", line).colour_of(label.clone()));
        for (activation, label) in [("relu", label.clone()), ("tanh", format!("tanh, L = {layers}"))] {
            let mut points = Vec::new();
            for row in part(table, "reversal") {
                if row.text("activation")? == activation && row.integer("layers")? == layers as i64 {
                    let (mean, half) = (row.real("mean")?, z * row.real("standard_error")?);
                    points.push((row.real("density")?, mean, mean - half, mean + half));
                }
            }
            panel = panel.series(if activation == "relu" {
                Series::measured(label, points)
            } else {
                Series::line(label, points.iter().map(|p| (p.0, p.1))).dotted()
            });
        }
    }
    Ok(panel)
}
