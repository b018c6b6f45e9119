//! The figure: accuracy against multiply-adds and against parameters, for both networks.

use super::super::comparison::accuracy_series;
use super::claims::read;
use super::subject::Kind;
use super::{Arm, parts};
use std::collections::BTreeMap;
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Colour, Figure, Panel, Series};
use ticketsense::statistics::Summary;
use ticketsense::table::Table;

/// Arms with their labels and colours; the later lies above.
const SHOWN: [(Arm, &str, Colour); 10] = [
    (Arm::Scratch, "small network from scratch", Colour::GREY),
    (Arm::Units, "units, initial weights", Colour::ORANGE),
    (Arm::UnitsTunedOn, "units, trained on", Colour::VERMILION),
    (Arm::Blocks, "4×4 blocks", Colour::PURPLE),
    (Arm::OneOfEvery, "1 of every m inputs", Colour::GREEN),
    (Arm::WeightsAtParameters, "weights, equal parameters", Colour::BLACK),
    (Arm::WeightsAtMultiplyAdds, "weights, equal multiply-adds", Colour::SKY),
    (Arm::Weights, "weights, counts of the units", Colour::BLUE),
    (Arm::UnitsInRounds, "units in three rounds", Colour(0x7f, 0x3f, 0x00)),
    (
        Arm::WeightsInRounds,
        "weights in three rounds, equal multiply-adds",
        Colour(0x00, 0x2b, 0x6b),
    ),
];

/// Draws the figure.
pub fn draw(table: &Table) -> Result<Figure> {
    let mut figure = Figure::new().columns(2).panel_size(540.0, 380.0);
    for kind in Kind::ALL {
        for (column, title) in [
            ("multiply_adds", "multiply-adds of one forward pass"),
            ("parameters", "parameters left"),
        ] {
            figure = figure.panel(panel(table, kind, column, title)?);
        }
    }
    Ok(figure.caption(
        "Means over paired seeds with 95 % Student intervals, each for itself, conditional on one test set. Everything is ranked by \
         magnitude after one dense training and cut at once, but for what goes in three rounds, and trained at the learning rate that pilot seeds chose for it. Units: \
         whole neurons or channels by Σ|w|; the other masks are trained from the initial weights.",
    ))
}

fn panel(table: &Table, kind: Kind, column: &str, title: &str) -> Result<Panel> {
    let main = parts(kind).0;
    // (arm, density) to the costs and accuracies of all seeds.
    let mut found: BTreeMap<(String, u64), (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    for record in table.iter() {
        if record.text("part")? != main {
            continue;
        }
        if let Some(accuracy) = record.optional_real("test_accuracy")? {
            let key = (record.text("arm")?.to_string(), record.real("density")?.to_bits());
            let of = found.entry(key).or_default();
            of.0.push(record.integer(column)? as f64);
            of.1.push(accuracy);
        }
    }
    let words = match kind {
        Kind::Perceptron => "neurons: layers of 50 and 30",
        Kind::Convolutional => "channels: convolutions of 8 and 12",
    };
    let mut panel = Panel::new(words, Axis::log(title), Axis::linear("test accuracy"));
    let (mut low, mut high) = (f64::INFINITY, 0.0f64);
    for (arm, label, colour) in SHOWN {
        let mut groups = Vec::new();
        for ((name, _), (costs, accuracies)) in &found {
            if name == arm.name() {
                let cost = Summary::of(costs)?.mean;
                (low, high) = (low.min(cost), high.max(cost));
                groups.push((cost, accuracies.clone()));
            }
        }
        if !groups.is_empty() {
            panel = panel.series(accuracy_series(label, &groups)?.colour(colour));
        }
    }
    let outcomes = read(table, kind)?;
    if low < high && outcomes.has("dense", 1.0) {
        let dense = outcomes.summary("dense", 1.0)?.mean;
        let line = [(low, dense), (high, dense)];
        panel = panel.series(Series::line("dense network", line).colour(Colour::BLACK).dashed());
    }
    Ok(panel)
}
