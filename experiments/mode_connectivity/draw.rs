//! The figure: losses along paths, barriers over steps, and stability against matching.

use super::super::tickets::LEVEL;
use super::outcomes::{Case, Copies, STABLE};
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Colour, Figure, Marker, Panel, Series};
use ticketsense::table::Table;

/// Early steps light, late ones dark.
const SHADES: [Colour; 5] = [
    Colour(0xc3, 0xb1, 0xe1),
    Colour(0xa3, 0x8a, 0xd1),
    Colour(0x80, 0x62, 0xba),
    Colour(0x5c, 0x3c, 0x97),
    Colour(0x36, 0x17, 0x69),
];
/// The dense network, then tickets of falling density.
const DENSITIES: [Colour; 5] = [
    Colour::BLACK,
    Colour::BLUE,
    Colour::GREEN,
    Colour::ORANGE,
    Colour::VERMILION,
];

/// Draws the figure.
pub fn draw(table: &Table) -> Result<Figure> {
    let procedures = Copies::procedures(table)?;
    let mut figure = Figure::new().columns(procedures.len().max(1)).panel_size(520.0, 370.0);
    for copies in &procedures {
        figure = figure.panel(path(copies));
    }
    for copies in &procedures {
        figure = figure.panel(barriers(copies)?);
    }
    for copies in &procedures {
        figure = figure.panel(cases(copies)?);
    }
    Ok(figure
        .caption(format!(
            "Copies start from the values after t of training and see the data in two new orders. Paths: means over the first seeds, \
             {} points of each. Instability: largest test error on the path minus the mean of its ends, means over seeds with 95 % \
             Student intervals, each for itself; dashes at {:.0} points, below which a case is stable. Last row: one point a \
             step and density; right of the dashes cases are unstable, below the line they lose more than the margin.",
            super::POINTS,
            100.0 * STABLE,
        )))
}

fn path(copies: &Copies) -> Panel {
    let mut panel = Panel::new(
        format!("Between dense copies, learning rate {}", copies.rate),
        Axis::linear("place α on the straight path"),
        Axis::linear("training loss").include(0.0),
    );
    for (step, colour) in copies.steps().into_iter().zip(SHADES.into_iter().cycle()) {
        let points = copies.path(Case { round: 0, step });
        let line = points.into_iter().map(|(alpha, loss, _)| (alpha, loss));
        panel = panel.series(Series::line(format!("t = {}", copies.percent(step)), line).colour(colour));
    }
    panel
}

fn label(copies: &Copies, round: i64) -> String {
    match round {
        0 => "dense".into(),
        _ => format!("density {:.3}", copies.density(round)),
    }
}

fn barriers(copies: &Copies) -> Result<Panel> {
    let steps = copies.steps();
    let names: Vec<String> = steps.iter().map(|&step| copies.percent(step)).collect();
    let mut panel = Panel::new(
        format!("Instability over steps, learning rate {}", copies.rate),
        Axis::categories("copies start at t of training", names),
        Axis::linear("instability (points of test error)").include(0.0),
    )
    .horizontal(100.0 * STABLE, "");
    let rounds = copies.rounds();
    for (place, (&round, colour)) in rounds.iter().zip(DENSITIES.into_iter().cycle()).enumerate() {
        // Side by side within a step.
        let aside = 0.5 * ((place as f64 + 0.5) / rounds.len() as f64 - 0.5);
        let mut points = Vec::new();
        for (along, &step) in steps.iter().enumerate() {
            let summary = copies.barrier(Case { round, step }, |b| b.test)?;
            let interval = match summary.count {
                0 | 1 => (summary.mean, summary.mean),
                _ => {
                    let interval = summary.interval(LEVEL)?;
                    (interval.lower, interval.upper)
                }
            };
            let scaled = [summary.mean, interval.0, interval.1].map(|v| 100.0 * v);
            points.push((along as f64 + aside, scaled[0], scaled[1], scaled[2]));
        }
        panel = panel.series(
            Series::measured(label(copies, round), points)
                .colour(colour)
                .connected(),
        );
    }
    Ok(panel)
}

fn cases(copies: &Copies) -> Result<Panel> {
    let mut panel = Panel::new(
        format!("Stability against matching, learning rate {}", copies.rate),
        Axis::linear("instability (points of test error)").include(0.0),
        Axis::linear("ticket minus dense (points)").include(0.0),
    )
    .vertical(100.0 * STABLE, "");
    if let Some(margin) = copies.outcomes.margin() {
        panel = panel.horizontal(-100.0 * margin.margin(), "");
    }
    for (round, colour) in copies.rounds().into_iter().zip(DENSITIES.into_iter().cycle()).skip(1) {
        let mut points = Vec::new();
        for step in copies.steps() {
            let case = Case { round, step };
            let lost = copies.lost(case)?;
            let interval = lost.interval(LEVEL)?;
            let x = 100.0 * copies.barrier(case, |b| b.test)?.mean;
            points.push((x, 100.0 * lost.mean, 100.0 * interval.lower, 100.0 * interval.upper));
        }
        let series = Series::measured(label(copies, round), points).colour(colour);
        panel = panel.series(series.marker(Marker::Circle));
    }
    Ok(panel)
}
