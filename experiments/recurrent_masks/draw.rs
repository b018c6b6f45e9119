//! The figure: how long signals last, and the accuracy of tickets by density and by count.

use super::super::comparison::{DENSE, Outcomes, accuracy_panel, accuracy_series, column_mean};
use super::claims::{Case, groups};
use super::trained::arm;
use super::{DEGREES, TIED, UNTIED};
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Colour, Figure, Panel, Series};
use ticketsense::statistics::BinomialCount;
use ticketsense::table::Table;

const COLOURS: [Colour; 3] = [Colour::VERMILION, Colour::ORANGE, Colour::BLUE];
const FLOOR: f64 = 1e-3;
/// Arms with their labels and colours: cell and kind of mask.
const ARMS: [(&str, &str, &str, Colour); 4] = [
    (UNTIED, "random", "untied, random mask", Colour::SKY),
    (TIED, "random", "tied, random mask", Colour::ORANGE),
    (UNTIED, "imp", "untied ticket", Colour::BLUE),
    (TIED, "imp", "tied ticket", Colour::VERMILION),
];

/// Draws the figure.
pub fn draw(table: &Table) -> Result<Figure> {
    let outcomes = Outcomes::read(table)?;
    let names = ARMS.map(|(cell, kind, ..)| arm(cell, kind));
    let mut arms = Vec::new();
    for (name, (_, _, label, colour)) in names.iter().zip(ARMS) {
        arms.push((name.as_str(), label, colour));
    }
    let accuracy = || Axis::linear("test accuracy");
    let by_density = accuracy_panel("Trained: equal density", &outcomes, &arms, accuracy())?;
    let mut by_count = Panel::new(
        "Trained: equal numbers of weights",
        Axis::log("kept weights").reversed(),
        accuracy(),
    );
    for (name, label, colour) in arms {
        let mut points = Vec::new();
        for density in outcomes.densities(name) {
            let kept = column_mean(table, name, density, "kept")?;
            points.push((kept, outcomes.accuracies(name, density)?));
        }
        by_count = by_count.series(accuracy_series(label, &points)?.colour(colour));
    }
    Ok(Figure::new()
        .columns(2)
        .panel_size(520.0, 340.0)
        .panel(lasting(table, 4)?)
        .panel(lasting(table, 32)?)
        .panel(by_density)
        .panel(by_count)
        .caption(format!(
            "(a), (b) Lines: exact, solid for one mask at every step, dashed for a fresh one; points: simulation with exact binomial \
             intervals of 95 %, left out where nothing lasted. (c), (d) Means over {} seeds with 95 % Student intervals conditional \
             on one test set; the output layer is never pruned, and its weights count in (d) alone.",
            outcomes.accuracies(DENSE, 1.0).map_or(0, |values| values.len())
        )))
}

fn lasting(table: &Table, units: i64) -> Result<Panel> {
    let cases = Case::read(table)?;
    let mut panel = Panel::new(
        format!("{units} hidden units"),
        Axis::log("steps T").ticks([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]),
        Axis::log("P(some walk of T kept weights)").range(FLOOR, 1.5),
    );
    for group in groups(&cases).into_iter().filter(|group| group[0].units == units) {
        let first = group[0];
        let degree = first.keep * units as f64;
        let place = DEGREES.iter().position(|d| (d - degree).abs() < 1e-9).unwrap_or(0);
        let line = group
            .iter()
            .filter(|c| c.exact > FLOOR)
            .map(|c| (c.steps as f64, c.exact));
        let label = format!("{}, mean degree {degree}", first.cell);
        let mut series = Series::line(label, line.collect::<Vec<_>>()).colour(COLOURS[place]);
        if first.cell == UNTIED {
            series = series.dashed();
        }
        let mut points = Vec::new();
        for case in group.iter().filter(|c| c.lasting as f64 > FLOOR * c.replicates as f64) {
            let count = BinomialCount::new(case.lasting, case.replicates)?;
            let interval = count.interval(0.05)?;
            points.push((
                case.steps as f64,
                count.proportion(),
                interval.lower.max(FLOOR),
                interval.upper,
            ));
        }
        panel = panel
            .series(series)
            .series(Series::measured("", points).colour(COLOURS[place]));
    }
    Ok(panel)
}
