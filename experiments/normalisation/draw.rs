//! The figure: the noise of statistics, accuracies by batch size, and dead units.

use super::super::comparison::{Outcomes, accuracy_series, density_axis};
use super::super::tickets::LEVEL;
use super::claims::Quantity;
use super::noise::{DIFFERENCE, NONE, QUANTITIES, SMOOTH};
use super::trained::{DENSITIES, REFERENCE, arm};
use super::trained_claims::{Dead, leads};
use super::{BATCH_NORM, BATCHES, NORMS};
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Colour, Figure, Panel, Series};
use ticketsense::statistics::BinomialCount;
use ticketsense::table::Table;

const KERNELS: [(&str, &str, Colour); 3] = [
    (NONE, "independent entries", Colour::BLACK),
    (SMOOTH, "smoothed positions", Colour::GREEN),
    (DIFFERENCE, "differences of positions", Colour::PURPLE),
];
const COLOURS: [Colour; 3] = [Colour::VERMILION, Colour::BLUE, Colour::SKY];
const LABELS: [&str; 3] = ["batch normalisation", "layer normalisation", "group normalisation"];
const DENSITY_COLOURS: [Colour; 3] = [Colour::BLACK, Colour::ORANGE, Colour::VERMILION];
/// Least share of dead units that is shown.
const FLOOR: f64 = 1e-4;

fn batch_axis() -> Axis {
    Axis::log("samples of a step B").ticks(BATCHES.map(|batch| batch as f64))
}

/// Draws the figure.
pub fn draw(table: &Table) -> Result<Figure> {
    let outcomes = Outcomes::read(table)?;
    let sparse = DENSITIES[DENSITIES.len() - 1];
    Ok(Figure::new()
        .columns(2)
        .panel_size(520.0, 320.0)
        .panel(noise(table, QUANTITIES[0], "Variance of the mean of a batch", "variance, of that of an entry")?)
        .panel(noise(table, QUANTITIES[2], "Noise of the variance of a batch", "standard deviation, of σ²")?)
        .panel(accuracies(&outcomes, 1.0, "Dense networks")?)
        .panel(accuracies(&outcomes, sparse, &format!("Random masks of density {sparse}"))?)
        .panel(lead_panel(&outcomes)?)
        .panel(dead(table)?)
        .caption(format!(
            "(a), (b) Lines: exact; points: the library's layer on Gaussian entries with intervals of 95 %, one sample or more of one or \
             16 positions; differences have a mean that does not vary, and are not in (a). (c) to (e) Means over {} seeds with 95 % \
             Student intervals conditional on one test set; as many samples seen at every batch size. (f) Line: all inputs that vary \
             are pruned; points: units of the first layer with exact binomial intervals of 95 %.",
            outcomes
                .accuracies(&arm(BATCH_NORM, BATCHES[0]), 1.0)
                .map_or(0, |values| values.len())
        )))
}

fn noise(table: &Table, quantity: &str, title: &str, axis: &str) -> Result<Panel> {
    let all = Quantity::read(table)?;
    let root = quantity == QUANTITIES[2];
    let shown = |value: f64| if root { value.max(0.0).sqrt() } else { value };
    let mut panel = Panel::new(title, Axis::log("entries n"), Axis::log(axis));
    for (kernel, label, colour) in KERNELS {
        let mut of: Vec<&Quantity> = all
            .iter()
            .filter(|q| q.kernel == kernel && q.quantity == quantity && q.exact > 1e-12)
            .collect();
        of.sort_by(|a, b| a.entries.total_cmp(&b.entries));
        if of.is_empty() {
            continue;
        }
        let line: Vec<(f64, f64)> = of.iter().map(|q| (q.entries, shown(q.exact))).collect();
        let point = |q: &&Quantity| {
            let ends = [q.found - 1.96 * q.error, q.found + 1.96 * q.error];
            (q.entries, shown(q.found), shown(ends[0].max(1e-9)), shown(ends[1]))
        };
        let points: Vec<_> = of.iter().map(point).collect();
        panel = panel
            .series(Series::line(label, line).colour(colour))
            .series(Series::measured("", points).colour(colour));
    }
    Ok(panel)
}

fn accuracies(outcomes: &Outcomes, density: f64, title: &str) -> Result<Panel> {
    let mut panel = Panel::new(title, batch_axis(), Axis::linear("test accuracy").range(0.0, 1.0));
    for ((norm, label), colour) in NORMS.into_iter().zip(LABELS).zip(COLOURS) {
        let mut groups = Vec::new();
        for batch in BATCHES {
            groups.push((batch as f64, outcomes.accuracies(&arm(norm, batch), density)?));
        }
        panel = panel.series(accuracy_series(label, &groups)?.colour(colour));
    }
    Ok(panel)
}

fn lead_panel(outcomes: &Outcomes) -> Result<Panel> {
    let mut panel = Panel::new(
        "What batch normalisation loses against layer normalisation",
        batch_axis(),
        Axis::linear("accuracy lost (points)").include(0.0),
    )
    .horizontal(0.0, "");
    for (place, (density, colour)) in DENSITIES.into_iter().zip(DENSITY_COLOURS).enumerate() {
        let mut points = Vec::new();
        for (batch, lead) in leads(outcomes, REFERENCE.0, density)? {
            let interval = lead.interval(LEVEL)?;
            let x = batch as f64 * (1.0 + 0.04 * (place as f64 - 1.0));
            points.push((x, 100.0 * lead.mean, 100.0 * interval.lower, 100.0 * interval.upper));
        }
        let label = if density == 1.0 {
            "dense".to_string()
        } else {
            format!("density {density}")
        };
        panel = panel.series(Series::measured(label, points).connected().colour(colour));
    }
    Ok(panel)
}

fn dead(table: &Table) -> Result<Panel> {
    let units = Dead::read(table)?;
    let line = units.iter().filter(|dead| dead.exact > FLOOR);
    let line: Vec<(f64, f64)> = line.map(|dead| (dead.density, dead.exact)).collect();
    let mut panel = Panel::new(
        "Units without variance in the first layer",
        density_axis(),
        Axis::log("fraction of units").range(FLOOR, 1.0),
    )
    .series(Series::line("no input that varies is kept", line).colour(Colour::GREY));
    for (label, colour) in [("dead", Colour::BLACK), ("variance below ε", Colour::ORANGE)] {
        let count = |dead: &Dead| if label == "dead" { dead.dead } else { dead.below };
        let mut points = Vec::new();
        for dead in units
            .iter()
            .filter(|dead| count(dead) as f64 > FLOOR * dead.units as f64)
        {
            let found = BinomialCount::new(count(dead), dead.units)?;
            let interval = found.interval(LEVEL)?;
            points.push((
                dead.density,
                found.proportion(),
                interval.lower.max(FLOOR),
                interval.upper,
            ));
        }
        panel = panel.series(Series::measured(label, points).colour(colour));
    }
    Ok(panel)
}
