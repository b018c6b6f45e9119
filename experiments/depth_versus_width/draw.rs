//! The figure: connection by depth at a width, and at a number of weights.

use super::claims::{Case, groups};
use super::{BUDGET, BUDGETS, CONNECTION, DISJOINT, FULL, KEEPS};
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Colour, Figure, Panel, Series};
use ticketsense::statistics::BinomialCount;
use ticketsense::table::Table;

const COLOURS: [Colour; 3] = [Colour::VERMILION, Colour::ORANGE, Colour::BLUE];

/// Draws the figure.
pub fn draw(table: &Table) -> Result<Figure> {
    let mut figure = Figure::new()
        .columns(2)
        .panel_size(520.0, 340.0)
        .panel(connection(table, 3)?)
        .panel(connection(table, 8)?);
    for budget in BUDGETS {
        figure = figure.panel(divided(table, budget)?);
    }
    Ok(figure.caption(
        "(a), (b) Lines: exact. Points: 64 replicates a machine word, with exact binomial intervals of 95 %; points of no joined \
         replicate are left out. (c), (d) The widest network of that many weights at every depth, exact; a full network ends where \
         its layers have one unit.",
    ))
}

fn words(model: &str, keep: f64) -> String {
    match model {
        FULL => format!("full, q = {keep}"),
        _ => format!("disjoint, q = {keep}"),
    }
}

fn connection(table: &Table, width: u64) -> Result<Panel> {
    let cases = Case::read(table, CONNECTION)?;
    let mut panel = Panel::new(
        format!("{width} units or paths wide"),
        Axis::log("hidden layers").ticks([1.0, 2.0, 4.0, 8.0, 16.0]),
        Axis::log("P(input joined to output)").range(1e-6, 1.5),
    );
    for model in [DISJOINT, FULL] {
        for (keep, colour) in KEEPS.into_iter().zip(COLOURS) {
            let of = || {
                cases
                    .iter()
                    .filter(|c| c.width == width && c.model == model && c.keep == keep)
            };
            let line = of().filter(|c| c.exact > 1e-6).map(|c| (c.layers as f64, c.exact));
            let mut series = Series::line(words(model, keep), line.collect::<Vec<_>>()).colour(colour);
            if model == DISJOINT {
                series = series.dashed();
            }
            let mut points = Vec::new();
            for case in of() {
                if let Some((joined, replicates)) = case.counts.filter(|(joined, _)| *joined > 0) {
                    let count = BinomialCount::new(joined, replicates)?;
                    let interval = count.interval(0.05)?;
                    points.push((
                        case.layers as f64,
                        count.proportion(),
                        interval.lower.max(1e-6),
                        interval.upper,
                    ));
                }
            }
            panel = panel.series(series).series(Series::measured("", points).colour(colour));
        }
    }
    Ok(panel)
}

fn divided(table: &Table, budget: usize) -> Result<Panel> {
    let cases = Case::read(table, BUDGET)?;
    let mut panel = Panel::new(
        format!("{budget} weights"),
        Axis::log("hidden layers").ticks([1.0, 2.0, 4.0, 8.0, 16.0, 32.0]),
        Axis::log("P(input joined to output)").range(1e-6, 1.5),
    );
    for group in groups(&cases) {
        let first = group[0];
        if first.budget != Some(budget as i64) {
            continue;
        }
        let place = KEEPS.iter().position(|k| *k == first.keep).unwrap_or(0);
        let line = group
            .iter()
            .filter(|c| c.exact > 1e-6)
            .map(|c| (c.layers as f64, c.exact));
        let mut series = Series::line(words(&first.model, first.keep), line.collect::<Vec<_>>()).colour(COLOURS[place]);
        if first.model == DISJOINT {
            series = series.dashed();
        }
        panel = panel.series(series);
    }
    Ok(panel)
}
