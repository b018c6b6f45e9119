//! The figure: shares of the variance, what matching gains, and accuracy against batch size.

use super::super::tickets::LEVEL;
use super::crossed::{Designs, PARTS, by_batch};
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Colour, Figure, Panel, Series};
use ticketsense::statistics::{PairedComparison, Summary};
use ticketsense::table::Table;

const COLOURS: [Colour; 3] = [Colour::BLUE, Colour::VERMILION, Colour::GREEN];

/// Draws the figure.
pub fn draw(table: &Table) -> Result<Figure> {
    let designs = Designs::read(table)?;
    let blocks = designs.first().map_or(0, |design| design.blocks.len());
    let batches = by_batch(table)?;
    Ok(Figure::new()
        .columns(2)
        .panel_size(540.0, 350.0)
        .panel(shares(&designs)?)
        .panel(matched(&designs)?)
        .panel(accuracy(&batches)?)
        .panel(changes(&batches)?)
        .caption(format!(
            "(a) Shares in the variance of test accuracy over {blocks} blocks of three masks × three initial values × three \
             orders of data, what a mask gains from its own values taken off first; 95 % bootstrap intervals over blocks; estimates \
             may be negative. (b) Accuracy of combinations \
             whose two parts come from one network minus that of the others. (c), (d) The same number of steps at every batch \
             size, with a learning rate chosen for each; paired differences from the smallest batch. 95 % Student intervals over \
             blocks or seeds, conditional on one test set."
        )))
}

fn shares(designs: &[Designs]) -> Result<Panel> {
    let mut panel = Panel::new(
        "Shares of the variance of accuracy",
        Axis::categories("", PARTS),
        Axis::linear("share").include(0.0),
    );
    for (place, design) in designs.iter().enumerate() {
        let mut bars = Vec::new();
        for part in 0..PARTS.len() {
            let (share, interval) = design.share_interval(&[part], LEVEL)?;
            bars.push((part as f64, share, interval.lower, interval.upper));
        }
        let label = format!("density {:.3}", design.density);
        panel = panel.series(Series::measured_bars(label, bars).colour(COLOURS[place % COLOURS.len()]));
    }
    Ok(panel)
}

fn matched(designs: &[Designs]) -> Result<Panel> {
    let pairs = ["mask and values", "mask and order", "values and order"];
    let mut panel = Panel::new(
        "What is gained where two parts are of one network",
        Axis::categories("", pairs),
        Axis::linear("accuracy gained (points)").include(0.0),
    )
    .horizontal(0.0, "");
    for (place, design) in designs.iter().enumerate() {
        let mut points = Vec::new();
        for along in 0..pairs.len() {
            let gained = Summary::of(design.gains(along))?;
            let interval = gained.interval(LEVEL)?;
            let x = along as f64 + 0.2 * (place as f64 - 0.5);
            points.push((x, 100.0 * gained.mean, 100.0 * interval.lower, 100.0 * interval.upper));
        }
        let label = format!("density {:.3}", design.density);
        panel = panel.series(Series::measured(label, points).colour(COLOURS[place % COLOURS.len()]));
    }
    Ok(panel)
}

type ByBatch = [(f64, Vec<(usize, Vec<f64>)>)];

fn label(density: f64) -> String {
    if density == 1.0 {
        "dense network".into()
    } else {
        format!("ticket of density {density:.3}")
    }
}

fn colour(place: usize) -> Colour {
    [Colour::BLACK, Colour::BLUE, Colour::VERMILION][place % 3]
}

fn accuracy(batches: &ByBatch) -> Result<Panel> {
    let mut panel = Panel::new(
        "Accuracy against batch size",
        Axis::log("samples of a step"),
        Axis::linear("test accuracy"),
    );
    for (place, (density, of_batch)) in batches.iter().enumerate() {
        let mut points = Vec::new();
        for (batch, values) in of_batch {
            let summary = Summary::of(values)?;
            let interval = summary.interval(LEVEL)?;
            let x = *batch as f64 * (1.0 + 0.04 * (place as f64 - 1.0));
            points.push((x, summary.mean, interval.lower.max(0.0), interval.upper.min(1.0)));
        }
        panel = panel.series(
            Series::measured(label(*density), points)
                .connected()
                .colour(colour(place)),
        );
    }
    Ok(panel)
}

fn changes(batches: &ByBatch) -> Result<Panel> {
    let sizes: Vec<String> = match batches.first() {
        Some((_, of_batch)) => of_batch.iter().skip(1).map(|(batch, _)| batch.to_string()).collect(),
        None => Vec::new(),
    };
    let mut panel = Panel::new(
        "Change from the smallest batch",
        Axis::categories("samples of a step", sizes),
        Axis::linear("accuracy gained (points)").include(0.0),
    )
    .horizontal(0.0, "");
    for (place, (density, of_batch)) in batches.iter().enumerate() {
        let Some((_, smallest)) = of_batch.first() else {
            continue;
        };
        let mut points = Vec::new();
        for (along, (_, values)) in of_batch.iter().skip(1).enumerate() {
            let change = PairedComparison::of(values, smallest)?;
            let interval = change.interval(LEVEL)?;
            let x = along as f64 + 0.15 * (place as f64 - 1.0);
            points.push((x, 100.0 * change.mean, 100.0 * interval.lower, 100.0 * interval.upper));
        }
        panel = panel.series(Series::measured(label(*density), points).colour(colour(place)));
    }
    Ok(panel)
}
