//! The figure: densities on the way, accuracies, gains against what was tried, and what is left after calibration.

use super::super::comparison::{Outcomes, Pair, accuracy_panel, column_mean, density_axis};
use super::super::tickets::LEVEL;
use super::claims::Counted;
use super::cycles::ACTIVE;
use super::trained::{RESCALED, RIGL, SET, STATIC, TICKET};
use super::trained_claims::{THRESHOLD, explored_gains};
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Colour, Figure, Panel, Series};
use ticketsense::table::Table;
use ticketsense::theory::dynamic_sparsity::Protocol;

/// Draws the figure.
pub fn draw(table: &Table) -> Result<Figure> {
    let outcomes = Outcomes::read(table)?;
    let arms = [
        (STATIC, "fixed random mask", Colour::GREY),
        (RESCALED, "fixed, rescaled start", Colour::PURPLE),
        (SET, "SET", Colour::GREEN),
        (RIGL, "RigL", Colour::ORANGE),
        (TICKET, "ticket", Colour::BLUE),
    ];
    let margin = outcomes
        .margin()
        .map_or("unknown".into(), |m| format!("{:.2} points", 100.0 * m.margin()));
    Ok(Figure::new()
        .columns(2)
        .panel_size(520.0, 360.0)
        .panel(trajectories(table)?)
        .panel(accuracy_panel("Test accuracy", &outcomes, &arms, Axis::linear("test accuracy"))?)
        .panel(tried(table)?)
        .panel(gaps(table, &outcomes)?)
        .caption(format!(
            "First panel: lines are closed forms, points simulations of which the intervals are narrower than the marks; p = \
             r(1-d)/(d(1-r)) in all three. Other panels: means over paired seeds with 95 % Student intervals, each for itself, \
             conditional on one test set; equal counts in every layer. One standard deviation of the accuracy of {} dense \
             pilots: {margin}. The dashed line of the last panel is where the mean degree of the narrowest layer is 1.",
            outcomes.pilots.len()
        )))
}

/// Density after every cycle at the formula's rate, under the three protocols.
fn trajectories(table: &Table) -> Result<Panel> {
    let rows = Counted::read(table)?;
    let first = rows.first().map(|row| (row.density, row.regrow));
    let title = first.map_or("Density by cycle".into(), |(d, r)| {
        format!("Density by cycle, d = {d}, r = {r}")
    });
    let mut panel = Panel::new(title, Axis::linear("cycle"), Axis::linear("density").include(0.0));
    let Some((density, regrow)) = first else {
        return Ok(panel);
    };
    panel = panel.horizontal(density, "density to hold");
    let colours = [Colour::BLUE, Colour::VERMILION, Colour::GREEN];
    for (protocol, colour) in Protocol::ALL.into_iter().zip(colours) {
        let of: Vec<&Counted> = rows
            .iter()
            .filter(|row| (row.protocol, row.rule) == (protocol, Protocol::PruneThenRegrow))
            .filter(|row| (row.density, row.regrow, row.quantity.as_str()) == (density, regrow, ACTIVE))
            .collect();
        let Some(last) = of.iter().map(|row| row.cycle).max() else {
            continue;
        };
        let mut line = vec![(0.0, 0.0)];
        for cycle in 1..=last {
            let before = line.last().map_or(0.0, |point: &(f64, f64)| point.1);
            line.push((cycle as f64, protocol.next_density(before, of[0].prune, regrow)?));
        }
        let points = of.iter().map(|row| {
            let share = row.count.unwrap_or(0) as f64 / row.trials as f64;
            (row.cycle as f64, share)
        });
        panel = panel
            .series(Series::line(protocol.as_str(), line).colour(colour))
            .series(Series::points("", points).colour(colour));
    }
    Ok(panel)
}

/// Gains over the fixed mask against the fraction of weights that was ever active.
fn tried(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "Gain and exploration, by interval of exchange",
        Axis::linear("fraction of weights ever active"),
        Axis::linear("gain over the fixed mask (points)").include(0.0),
    )
    .horizontal(0.0, "");
    for (arm, label, colour) in [(SET, "SET", Colour::GREEN), (RIGL, "RigL", Colour::ORANGE)] {
        let gains = explored_gains(table, arm)?;
        if !gains.is_empty() {
            let points = gains
                .iter()
                .map(|(x, y, low, high)| (*x, 100.0 * y, 100.0 * low, 100.0 * high));
            panel = panel.series(Series::measured(label, points).connected().colour(colour));
        }
    }
    Ok(panel)
}

/// The lead of the ticket, and the density at which percolation is lost.
fn gaps(table: &Table, outcomes: &Outcomes) -> Result<Panel> {
    let densities = outcomes.densities(TICKET);
    let mut panel = Panel::new(
        "Lead of the ticket over scratch",
        density_axis(),
        Axis::linear("lead (points)").include(0.0),
    )
    .horizontal(0.0, "");
    for (arm, label, colour) in [
        (STATIC, "fixed random mask", Colour::GREY),
        (RESCALED, "fixed, rescaled start", Colour::PURPLE),
    ] {
        let mut points = Vec::new();
        for &density in &densities {
            let lead = outcomes.difference(&Pair::new(TICKET, arm, density))?;
            let interval = lead.interval(LEVEL)?;
            points.push((
                density,
                100.0 * lead.mean,
                100.0 * interval.lower,
                100.0 * interval.upper,
            ));
        }
        panel = panel.series(Series::measured(label, points).connected().colour(colour));
    }
    let mut degrees = Vec::new();
    for &density in &densities {
        degrees.push((density, column_mean(table, STATIC, density, "mean_degree")?));
    }
    Ok(match crossing(&degrees) {
        Some(density) => panel.vertical(density, "mean degree 1"),
        None => panel,
    })
}

/// The density at which a degree crosses the threshold, between two that are measured, by the line through their
/// logarithms.
pub fn crossing(degrees: &[(f64, f64)]) -> Option<f64> {
    let pair = degrees
        .windows(2)
        .find(|w| (w[0].1 > THRESHOLD) != (w[1].1 > THRESHOLD))?;
    let share = (THRESHOLD / pair[0].1).ln() / (pair[1].1 / pair[0].1).ln();
    Some((pair[0].0.ln() + share * (pair[1].0 / pair[0].0).ln()).exp())
}
