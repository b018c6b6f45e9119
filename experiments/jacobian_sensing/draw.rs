//! The figure.

use super::claims::{part, recovered};
use super::linear_model::{ERROR_NETWORKS, REVERSAL_DEPTHS};
use super::operators::OPERATORS;
use super::{designs, states};
use std::collections::BTreeMap;
use ticketsense::Result;
use ticketsense::estimators::PairKind;
use ticketsense::harness::figures::{Anchor, Axis, Colour, Figure, Panel, Series};
use ticketsense::statistics::distributions::two_sided_normal;
use ticketsense::statistics::{BinomialCount, Summary};
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
        .panel(under_masks(table)?)
        .panel(kinds(table)?)
        .panel(designs(table)?)
        .caption(
            "Dotted lines in (a) and (b): the same error over the change ‖f(θ) − f(θ₀)‖; dotted in (d): tanh networks. The \
             spectral surrogate has the singular values of J and random right singular vectors. Basis pursuit cannot \
             tell J from J with whitened rows: both have the same solutions. (g) mlp:60-30 on the data, shares of the kept columns, \
             dotted before training. (h) Root mean square over the layers, first weights and trained ones; two weights share the \
             unit they lead into, the input they lead from, the hidden unit between them, or nothing. (i) Three layers of width \
             12 but for what is named. Intervals at 95 %.",
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

/// Shares of the kept columns that are zero or parallel to an earlier one, against density.
fn under_masks(table: &Table) -> Result<Panel> {
    let z = two_sided_normal(LEVEL)?;
    let mut panel = Panel::new(
        "Zero and parallel columns under masks",
        Axis::log("density"),
        Axis::linear("share of the kept columns").range(0.0, 1.0),
    )
    .note(0.035, 0.9, "zero", Anchor::Start)
    .note(0.5, 0.24, "parallel", Anchor::Middle);
    for (mask, label) in [("magnitude", "largest weights kept"), ("random", "random weights kept")] {
        for what in ["zero", "merged"] {
            for last in [false, true] {
                let points = shares(table, mask, what, last)?;
                let points = points.into_iter().map(|(x, s)| {
                    let half = z * s.standard_error();
                    (x, s.mean, s.mean - half, s.mean + half)
                });
                let points: Vec<_> = points.collect();
                panel = panel.series(if last {
                    Series::measured(label, points).connected()
                } else {
                    Series::line("", points.iter().map(|p| (p.0, p.1)))
                        .colour_of(label)
                        .dotted()
                });
            }
        }
    }
    Ok(panel)
}

/// Means over networks of one share by density, before training or after it; without a mask at density 1.
fn shares(table: &Table, mask: &str, what: &str, trained: bool) -> Result<Vec<(f64, Summary)>> {
    let last = states::SMALL.steps.last().copied().unwrap_or(0) as i64;
    // Densities by whole thousandths, so that they can be keys.
    let mut shares: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for row in part(table, "state") {
        let step = if trained { last } else { 0 };
        let kept = row.text("mask")?;
        if row.text("network")? == states::SMALL.name
            && row.integer("step")? == step
            && (kept == mask || kept == "none")
        {
            let density = (1000.0 * row.real("density")?).round() as i64;
            let share = row.integer(what)? as f64 / row.integer("columns")? as f64;
            shares.entry(density).or_default().push(share);
        }
    }
    let summary = |(density, values): (i64, Vec<f64>)| Ok((density as f64 / 1000.0, Summary::of(&values)?));
    shares.into_iter().map(summary).collect()
}

/// Root mean square cosines by kind, over all layers of a network.
fn kinds(table: &Table) -> Result<Panel> {
    let networks = [("lenet-300-100", "LeNet"), ("convolution", "conv.")];
    let kinds = ["same unit", "same input", "consecutive", "unrelated"];
    let names = networks
        .iter()
        .flat_map(|(_, n)| kinds.iter().map(move |k| format!("{n}, {k}")));
    let mut panel = Panel::new(
        "What two weights share",
        Axis::categories("", names.collect::<Vec<_>>()),
        Axis::linear("root mean square cosine").include(0.0),
    );
    for trained in [false, true] {
        let mut bars = Vec::new();
        for (place, (network, _)) in networks.iter().enumerate() {
            for (k, kind) in PairKind::ALL.iter().enumerate() {
                let (mut squares, mut pairs) = (0.0, 0.0);
                for row in part(table, "kind") {
                    if row.text("network")? == *network
                        && (row.integer("step")? > 0) == trained
                        && row.text("kind")? == kind.as_str()
                    {
                        let count = row.integer("pairs")? as f64;
                        squares += count * row.real("mean_square")?;
                        pairs += count;
                    }
                }
                if pairs > 0.0 {
                    bars.push(((place * kinds.len() + k) as f64, (squares / pairs).sqrt()));
                }
            }
        }
        let label = if trained { "trained weights" } else { "first weights" };
        panel = panel.series(Series::bars(label, bars));
    }
    Ok(panel)
}

fn designs(table: &Table) -> Result<Panel> {
    let z = two_sided_normal(LEVEL)?;
    let words = designs::DESIGNS.map(|d| d.word);
    let mut panel = Panel::new(
        "What moves the columns",
        Axis::categories("", words),
        Axis::linear("mean over networks").range(0.0, 1.2),
    );
    let quantities = [
        ("coherence", "coherence, parallel columns merged", 1.1),
        ("same-unit", "root mean square cosine, same unit", 0.58),
        ("unrelated", "root mean square cosine, unrelated", 0.27),
        ("zero", "zero columns", 0.06),
    ];
    for (number, (quantity, words_of, height)) in quantities.into_iter().enumerate() {
        let mut points = Vec::new();
        for row in part(table, "design") {
            if row.text("quantity")? == quantity
                && let Some(place) = words.iter().position(|w| row.text("design").is_ok_and(|d| d == *w))
            {
                let (mean, half) = (row.real("mean")?, z * row.real("standard_error")?);
                points.push((place as f64, mean, mean - half, mean + half));
            }
        }
        panel = panel
            .series(Series::measured("", points).colour(Colour::nth(number)))
            .note(12.3, height, words_of, Anchor::End);
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
