//! The figure: accuracy against density, the gains over random masks, and what the masks cost.

use super::super::comparison::{Outcomes, Pair, accuracy_panel};
use super::super::tickets::LEVEL;
use std::collections::BTreeMap;
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Colour, Figure, Marker, Panel, Series};
use ticketsense::statistics::Summary;
use ticketsense::table::Table;

/// Arms with their labels, short names and colours; the later lies above.
const SHOWN: [(&str, &str, &str, Colour); 12] = [
    ("random", "random", "random", Colour::GREY),
    ("norms@initial", "norms, initial (N0)", "N0", Colour(0xb8, 0xb8, 0xb8)),
    ("omp@initial", "OMP, initial", "OMP", Colour(0x8c, 0x56, 0x4b)),
    ("a@initial", "A, initial (A0)", "A0", Colour::ORANGE),
    ("d@initial", "D, initial (D0)", "D0", Colour::VERMILION),
    ("bayes-a@initial", "Bayesian A, initial (BA0)", "BA0", Colour::PURPLE),
    ("bayes-a@trained", "Bayesian A, trained (BAT)", "BAT", Colour::SKY),
    (
        "bayes-d-prior@trained",
        "Bayesian D with prior (BDT)",
        "BDT",
        Colour::GREEN,
    ),
    (
        "norms-prior@trained",
        "norms with prior (NT)",
        "NT",
        Colour(0x8f, 0xbc, 0x5a),
    ),
    (
        "damage@trained",
        "optimal brain damage",
        "OBD",
        Colour(0x00, 0x3b, 0x5c),
    ),
    ("magnitude@trained", "magnitude, trained", "mag", Colour::BLACK),
    ("imp", "iterative magnitude", "IMP", Colour::BLUE),
];

/// Densities from the largest on.
const SHADES: [Colour; 4] = [
    Colour(0xc9, 0xa7, 0xeb),
    Colour(0x9b, 0x5d, 0xe5),
    Colour(0x5a, 0x18, 0x9a),
    Colour(0x24, 0x00, 0x46),
];

/// Draws the figure.
pub fn draw(table: &Table) -> Result<Figure> {
    let outcomes = Outcomes::read(table)?;
    Ok(Figure::new()
        .columns(2)
        .panel_size(560.0, 400.0)
        .panel(accuracy_panel(
            "Test accuracy at equal counts in every layer",
            &outcomes,
            &SHOWN.map(|(arm, label, _, colour)| (arm, label, colour)),
            Axis::linear("test accuracy"),
        )?)
        .panel(costs(table, &outcomes)?)
        .panel(gains(&outcomes)?)
        .panel(alive(table, &outcomes)?)
        .caption(
            "Means over paired seeds with 95 % Student intervals, each for itself, conditional on one test set; all masks are \
             trained from the initial weights, each at the learning rate that pilot seeds chose for it. A, D: optimal design \
             among the columns of the Jacobian at the initial or the trained weights; Bayesian: with a prior on the weights, \
             equal or of standard deviation |weight|; norms: the same without a look from column to column. Cost: passes over the training set to find the mask.",
        ))
}

/// Gains over random masks, density by density side by side.
fn gains(outcomes: &Outcomes) -> Result<Panel> {
    let densities = outcomes.densities("random");
    let arms: Vec<_> = SHOWN.iter().filter(|(arm, ..)| *arm != "random").collect();
    let mut panel = Panel::new(
        "Gain over random masks",
        Axis::categories("who chose the mask", arms.iter().map(|(_, _, short, _)| *short)),
        Axis::linear("gain over random (points)").include(0.0),
    )
    .horizontal(0.0, "");
    for (place, &density) in densities.iter().enumerate() {
        let aside = 0.5 * ((place as f64 + 0.5) / densities.len() as f64 - 0.5);
        let mut points = Vec::new();
        for (along, (arm, ..)) in arms.iter().enumerate() {
            if !outcomes.has(arm, density) {
                continue;
            }
            let gain = outcomes.difference(&Pair::new(*arm, "random", density))?;
            let interval = gain.interval(LEVEL)?;
            points.push((
                along as f64 + aside,
                100.0 * gain.mean,
                100.0 * interval.lower,
                100.0 * interval.upper,
            ));
        }
        panel = panel
            .series(Series::measured(format!("density {density:.3}"), points).colour(SHADES[place % SHADES.len()]));
    }
    Ok(panel)
}

/// Accuracy against cost at the smallest density.
fn costs(table: &Table, outcomes: &Outcomes) -> Result<Panel> {
    let sparsest = outcomes.densities("random").last().copied().unwrap_or(1.0);
    let mut found: BTreeMap<String, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    for record in table.iter() {
        if record.text("part")? == "main" && record.real("density")? == sparsest {
            let (Some(cost), Some(accuracy)) = (
                record.optional_real("gradient_passes")?,
                record.optional_real("test_accuracy")?,
            ) else {
                continue;
            };
            let of = found.entry(record.text("arm")?.to_string()).or_default();
            of.0.push(cost);
            of.1.push(accuracy);
        }
    }
    let mut panel = Panel::new(
        format!("Cost of the mask at density {sparsest:.3}"),
        Axis::log("passes over the training set (0 drawn at 0.1)"),
        Axis::linear("test accuracy"),
    );
    for (arm, label, _, colour) in SHOWN {
        if let Some((costs, accuracies)) = found.get(arm) {
            let (x, y) = (Summary::of(costs)?.mean.max(0.1), Summary::of(accuracies)?.mean);
            panel = panel.series(Series::points(label, [(x, y)]).colour(colour).marker(Marker::Circle));
        }
    }
    Ok(panel)
}

/// How much of a mask lies on paths from inputs to outputs.
fn alive(table: &Table, outcomes: &Outcomes) -> Result<Panel> {
    let mut found: BTreeMap<(String, u64), Vec<f64>> = BTreeMap::new();
    let mut all = 0.0f64;
    for record in table.iter() {
        if record.text("arm")? == "dense" {
            all = all.max(record.integer("kept")? as f64);
        }
    }
    for record in table.iter() {
        let Some(effective) = record.optional_real("effective_density")? else {
            continue;
        };
        let kept = record.integer("kept")?;
        if record.text("part")? == "main" && kept > 0 {
            let key = (record.text("arm")?.to_string(), record.real("density")?.to_bits());
            found.entry(key).or_default().push(effective * all / kept as f64);
        }
    }
    let mut panel = Panel::new(
        "Weights on paths from an input to an output",
        Axis::categories("who chose the mask", SHOWN.iter().map(|(_, _, short, _)| *short)),
        Axis::linear("fraction of the kept weights").include(0.0).include(1.0),
    );
    for (place, &density) in outcomes.densities("random").iter().enumerate() {
        let mut points = Vec::new();
        for (along, (arm, ..)) in SHOWN.iter().enumerate() {
            if let Some(values) = found.get(&(arm.to_string(), density.to_bits())) {
                points.push((along as f64, Summary::of(values)?.mean));
            }
        }
        panel =
            panel.series(Series::points(format!("density {density:.3}"), points).colour(SHADES[place % SHADES.len()]));
    }
    Ok(panel)
}
