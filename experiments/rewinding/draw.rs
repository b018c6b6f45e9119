//! The figure: accuracy against density, the map of gains over steps and densities, the gains with their intervals, and
//! the effects of single layers.

use super::super::tickets::LEVEL;
use super::claims::layer_word;
use super::outcomes::{Case, Outcomes};
use super::{ALL, DENSE, SHUFFLE, TICKET};
use ticketsense::Result;
use ticketsense::harness::figures::{Anchor, Axis, Colour, ColourMap, Figure, HeatMap, Panel, Series};
use ticketsense::statistics::Summary;
use ticketsense::table::Table;

const STEPS: &str = "rewind step t (% of training)";

/// Draws the figure.
pub fn draw(table: &Table) -> Result<Figure> {
    let outcomes = Outcomes::read(table)?;
    let margin = outcomes
        .margin()
        .map_or("unknown".into(), |m| format!("{:.2} points", 100.0 * m.margin()));
    Ok(Figure::new()
        .columns(2)
        .panel_size(520.0, 360.0)
        .panel(accuracy(&outcomes)?)
        .panel(map(&outcomes)?)
        .panel(gains(&outcomes)?)
        .panel(layers(&outcomes)?)
        .caption(format!(
            "Means over {} paired seeds with 95 % Student intervals, each for itself, conditional on one test set. Gains are in \
             percentage points of test accuracy over the ticket that goes back to its initial weights (t = 0) at the same \
             density; a star marks gains that are shown, all together. One standard deviation of the accuracy of {} dense \
             pilots: {margin}.",
            outcomes.pairs(),
            outcomes.pilots.len(),
        )))
}

fn measured(outcomes: &Outcomes, branch: &str, rewind: i64, rounds: &[i64]) -> Result<Vec<(f64, f64, f64, f64)>> {
    let mut points = Vec::new();
    for &round in rounds {
        let case = Case { round, rewind };
        let summary = Summary::of(outcomes.accuracies(branch, case)?)?;
        let interval = summary.interval(LEVEL)?;
        points.push((outcomes.density(case)?, summary.mean, interval.lower, interval.upper));
    }
    Ok(points)
}

fn accuracy(outcomes: &Outcomes) -> Result<Panel> {
    let rewinds = outcomes.rewinds();
    let mut panel = Panel::new(
        "Test accuracy",
        Axis::log("density (fraction of weights kept)").reversed(),
        Axis::linear("test accuracy"),
    );
    let (first, last) = (rewinds.first().copied(), rewinds.last().copied());
    for (rewind, colour) in [(first, Colour::GREY), (last, Colour::ORANGE)] {
        if let Some(rewind) = rewind {
            let points = measured(outcomes, SHUFFLE, rewind, &outcomes.compared())?;
            let label = format!("mask shuffled, t = {}", outcomes.percent(rewind));
            panel = panel.series(Series::measured(label, points).connected().colour(colour));
        }
    }
    for (rewind, colour) in [(first, Colour::BLUE), (last, Colour::VERMILION)] {
        if let Some(rewind) = rewind {
            let points = measured(outcomes, TICKET, rewind, &outcomes.rounds())?;
            let label = format!("ticket, t = {}", outcomes.percent(rewind));
            panel = panel.series(Series::measured(label, points).connected().colour(colour));
        }
    }
    let dense = Summary::of(outcomes.accuracies(DENSE, Case { round: 0, rewind: 0 })?)?.mean;
    let smallest = match outcomes.rounds().last() {
        Some(&round) => outcomes.density(Case { round, rewind: 0 })?,
        None => 1.0,
    };
    let line = [(1.0, dense), (smallest, dense)];
    Ok(panel.series(Series::line("dense network", line).colour(Colour::BLACK).dashed()))
}

/// Steps along, densities up, each by its place in the order of the table.
fn map(outcomes: &Outcomes) -> Result<Panel> {
    let (rewinds, rounds) = (outcomes.rewinds(), outcomes.compared());
    let shown = outcomes.shown(&outcomes.cases(), 0.0, |case| outcomes.gain(TICKET, case))?;
    let (mut cells, mut notes) = (Vec::new(), Vec::new());
    let mut densities = Vec::new();
    for (up, &round) in rounds.iter().enumerate() {
        densities.push(format!("{:.3}", outcomes.density(Case { round, rewind: 0 })?));
        for (along, &rewind) in rewinds.iter().enumerate() {
            let case = Case { round, rewind };
            let gain = 100.0 * outcomes.gain(TICKET, case)?.mean;
            let star = if shown.contains(&case) { " *" } else { "" };
            cells.push((along as f64, up as f64, gain));
            notes.push((along as f64, up as f64, format!("{gain:+.2}{star}")));
        }
    }
    let largest = cells.iter().map(|cell| cell.2.abs()).fold(0.1, f64::max);
    let bar = Axis::linear("gain over t = 0 (points)").range(-largest, largest);
    let steps: Vec<String> = rewinds.iter().map(|&t| outcomes.percent(t)).collect();
    let mut panel = Panel::new(
        "Gain from rewinding",
        Axis::categories("rewind step t", steps),
        Axis::categories("density", densities),
    )
    .heat_map(HeatMap::new(bar, cells).colours(ColourMap::Diverging));
    for (x, y, text) in notes {
        panel = panel.note(x, y, text, Anchor::Middle);
    }
    Ok(panel)
}

fn gains(outcomes: &Outcomes) -> Result<Panel> {
    let rounds = outcomes.compared();
    let rewinds: Vec<i64> = outcomes.rewinds().into_iter().filter(|&t| t > 0).collect();
    let steps: Vec<String> = rewinds.iter().map(|&t| outcomes.percent(t)).collect();
    let mut panel = Panel::new(
        "The same gains with their intervals",
        Axis::categories(STEPS, steps),
        Axis::linear("gain over t = 0 (points)"),
    )
    .horizontal(0.0, "");
    for (place, &round) in rounds.iter().enumerate() {
        // Side by side within a step.
        let aside = 0.6 * ((place as f64 + 0.5) / rounds.len() as f64 - 0.5);
        let mut points = Vec::new();
        for (along, &rewind) in rewinds.iter().enumerate() {
            let gain = outcomes.gain(TICKET, Case { round, rewind })?;
            let interval = gain.interval(LEVEL)?;
            points.push((
                along as f64 + aside,
                100.0 * gain.mean,
                100.0 * interval.lower,
                100.0 * interval.upper,
            ));
        }
        let label = format!("density {:.3}", outcomes.density(Case { round, rewind: 0 })?);
        panel = panel.series(Series::measured(label, points));
    }
    Ok(panel)
}

fn layers(outcomes: &Outcomes) -> Result<Panel> {
    let mut names = outcomes.layer_names();
    let (density, rewind) = outcomes.layer_case()?;
    names.push(ALL);
    let mut bars = Vec::new();
    for (place, name) in names.iter().enumerate() {
        let effect = outcomes.layer_effect(name)?;
        let interval = effect.interval(LEVEL)?;
        bars.push((
            place as f64,
            100.0 * effect.mean,
            100.0 * interval.lower,
            100.0 * interval.upper,
        ));
    }
    let words: Vec<&str> = names.iter().map(|name| layer_word(name)).collect();
    Ok(Panel::new(
        format!(
            "One layer rewound to {} at density {density:.3}",
            outcomes.percent(rewind)
        ),
        Axis::categories("layer rewound, the others at their initial weights", words),
        Axis::linear("gain over none rewound (points)").include(0.0),
    )
    .series(Series::measured_bars("", bars).colour(Colour::SKY)))
}
