//! The figure: covering radii, errors of pruned networks, and accuracies of searches beside trainings.

use super::super::comparison::{DENSE, Outcomes, Pair, accuracy_panel, density_axis};
use super::super::tickets::LEVEL;
use super::TARGETS;
use super::claims::Radii;
use super::search::{POPUP, POPUP_NORMAL, RANDOM, SMALL};
use super::sums::{ALL_SUBSETS, HALF_SIZE};
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Colour, Figure, Panel, Series};
use ticketsense::statistics::Summary;
use ticketsense::table::Table;
use ticketsense::theory::subset_sum::least_radius;

/// Draws the figure.
pub fn draw(table: &Table) -> Result<Figure> {
    let outcomes = Outcomes::read(table)?;
    let arms = [
        (RANDOM, "random mask, untrained", Colour::GREY),
        (POPUP_NORMAL, "edge-popup, normal weights", Colour::ORANGE),
        (POPUP, "edge-popup, signed constants", Colour::VERMILION),
        (SMALL, "dense network of as many weights, trained", Colour::BLUE),
    ];
    let axis = Axis::linear("test accuracy").range(0.0, 1.0);
    Ok(Figure::new()
        .columns(2)
        .panel_size(520.0, 370.0)
        .panel(radii(table)?)
        .panel(targets(table)?)
        .panel(accuracy_panel("Searched masks and trained networks", &outcomes, &arms, axis)?)
        .panel(differences(&outcomes)?)
        .caption(
            "Subset sums: geometric means over independent draws of numbers uniform on [-1, 1] with 95 % Student intervals; the \
             least radius 2^-(n+1) is that of sums at equal distances over a unit length. Pruned networks: every weight of a \
             random 2-4-3-2 network of ReLUs is made of so many random hidden units, pruned. Accuracies: means over paired seeds \
             with 95 % Student intervals, each for itself, conditional on one test set; weights of searches are never trained.",
        ))
}

/// Geometric means with their intervals.
fn geometric(groups: impl IntoIterator<Item = (f64, Vec<f64>)>) -> Result<Vec<(f64, f64, f64, f64)>> {
    let mut points = Vec::new();
    for (x, logarithms) in groups {
        if logarithms.len() > 1 {
            let summary = Summary::of(&logarithms)?;
            let interval = summary.interval(LEVEL)?;
            points.push((x, summary.mean.exp(), interval.lower.exp(), interval.upper.exp()));
        }
    }
    Ok(points)
}

fn radii(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "Subset sums come near every target",
        Axis::linear("numbers n").ticks((3..=11).map(|n| 2.0 * f64::from(n))),
        Axis::log("covering radius of [-1/2, 1/2]"),
    );
    for (arm, label, colour) in [
        (HALF_SIZE, "subsets of half the numbers", Colour::ORANGE),
        (ALL_SUBSETS, "all subsets", Colour::VERMILION),
    ] {
        let radii = Radii::read(table, arm)?;
        let groups = radii.numbers().into_iter().map(|n| (n, radii.at(n)));
        panel = panel.series(Series::measured(label, geometric(groups)?).colour(colour).connected());
    }
    let numbers = Radii::read(table, ALL_SUBSETS)?.numbers();
    let least = numbers.iter().map(|&n| (n, least_radius(n as usize, 1.0)));
    Ok(panel.series(
        Series::line("least radius of any numbers", least)
            .colour(Colour::BLACK)
            .dashed(),
    ))
}

fn targets(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "Random networks pruned towards a target",
        Axis::linear("random units for a weight"),
        Axis::log("largest error of an output"),
    );
    for (column, label, colour) in [
        ("bound", "proven bound", Colour::GREY),
        ("sup_error", "on a grid of inputs", Colour::GREEN),
    ] {
        let mut groups: Vec<(f64, Vec<f64>)> = Vec::new();
        for record in table.iter() {
            if record.text("part")? == TARGETS {
                let (units, value) = (record.integer("units")? as f64, record.real(column)?.ln());
                match groups.iter_mut().find(|(x, _)| *x == units) {
                    Some((_, values)) => values.push(value),
                    None => groups.push((units, vec![value])),
                }
            }
        }
        panel = panel.series(Series::measured(label, geometric(groups)?).colour(colour).connected());
    }
    Ok(panel)
}

/// What a search loses against trained networks.
fn differences(outcomes: &Outcomes) -> Result<Panel> {
    let mut panel = Panel::new(
        "Edge-popup (signed constants) minus a trained network",
        density_axis(),
        Axis::linear("difference in accuracy (points)").include(0.0),
    )
    .horizontal(0.0, "");
    for (arm, label, colour) in [
        (SMALL, "minus the dense network of as many weights", Colour::BLUE),
        (DENSE, "minus the network itself, trained", Colour::BLACK),
    ] {
        let mut points = Vec::new();
        for density in outcomes.densities(POPUP) {
            let difference = outcomes.difference(&Pair::new(POPUP, arm, density))?;
            let interval = difference.interval(LEVEL)?;
            let scaled = [difference.mean, interval.lower, interval.upper].map(|v| 100.0 * v);
            points.push((density, scaled[0], scaled[1], scaled[2]));
        }
        panel = panel.series(Series::measured(label, points).colour(colour).connected());
    }
    if let Some(margin) = outcomes.margin() {
        panel = panel.horizontal(-100.0 * margin.margin(), "margin");
    }
    Ok(panel)
}
