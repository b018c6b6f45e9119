//! The phase diagram of planted rows, and accuracy against density.

use super::super::comparison::{Outcomes, Pair, accuracy_panel, accuracy_series, density_axis};
use super::super::tickets::LEVEL;
use super::planted::{FRACTIONS, GAUSSIAN, HIDDEN, PIXELS, RECTIFIED};
use super::{CASCADE, IMP, MAGNITUDE, PARALLEL, PLANTED, RANDOM, SHUFFLED};
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Colour, Figure, Panel, Series};
use ticketsense::statistics::BinomialCount;
use ticketsense::table::Table;

const KINDS: [(&str, &str, Colour); 4] = [
    (GAUSSIAN, "Gaussian inputs", Colour::BLUE),
    (RECTIFIED, "rectified Gaussian inputs", Colour::SKY),
    (PIXELS, "pixels of digits", Colour::ORANGE),
    (HIDDEN, "second layer of a trained network", Colour::VERMILION),
];

const ARMS: [(&str, &str, Colour); 6] = [
    (RANDOM, "random mask", Colour::GREY),
    (SHUFFLED, "layer-wise mask shuffled", Colour::ORANGE),
    (MAGNITUDE, "magnitude, at once", Colour::PURPLE),
    (PARALLEL, "layer-wise, in parallel", Colour::SKY),
    (CASCADE, "layer-wise, cascade", Colour::VERMILION),
    (IMP, "iterative pruning", Colour::BLUE),
];

/// Draws the figure.
pub fn draw(table: &Table) -> Result<Figure> {
    let mut figure = Figure::new().columns(2).panel_size(520.0, 330.0);
    for fraction in FRACTIONS {
        figure = figure.panel(planted(table, fraction)?);
    }
    let outcomes = Outcomes::read(table)?;
    let axis = Axis::linear("test accuracy, trained");
    figure = figure
        .panel(accuracy_panel("masks at equal counts", &outcomes, &ARMS, axis)?)
        .panel(differences(&outcomes)?)
        .panel(untrained(table, &outcomes)?);
    Ok(figure.caption(
        "Sparse rows ±1 behind inputs of equal fan-in, found by orthogonal matching pursuit from pre-activations; bars are \
         exact 95 % intervals. Below: masks of every layer of 64-50-30-10 from its inputs on some training samples, with \
         95 % Student intervals over paired seeds for one test set.",
    ))
}

fn planted(table: &Table, fraction: f64) -> Result<Panel> {
    let mut panel = Panel::new(
        format!("nonzeros / inputs = {fraction}"),
        Axis::linear("samples / inputs").range(0.0, 3.1),
        Axis::linear("fraction of rows found").range(-0.02, 1.02),
    );
    for (kind, label, colour) in KINDS {
        let mut points = Vec::new();
        for r in table.iter() {
            if r.text("part")? == PLANTED && r.text("arm")? == kind && r.real("density")? == fraction {
                let (found, trials) = (r.integer("recovered")? as u64, r.integer("trials")? as u64);
                let interval = BinomialCount::new(found, trials)?.interval(0.05)?;
                points.push((
                    r.real("samples")? / r.real("fan_in")?,
                    found as f64 / trials as f64,
                    interval.lower,
                    interval.upper,
                ));
            }
        }
        panel = panel.series(Series::measured(label, points).connected().colour(colour));
    }
    Ok(panel)
}

/// Accuracy minus that of iterative pruning at equal counts, with the margin.
fn differences(outcomes: &Outcomes) -> Result<Panel> {
    let mut panel = Panel::new(
        "difference from iterative pruning",
        density_axis(),
        Axis::linear("test accuracy − iterative pruning"),
    );
    let densities = outcomes.densities(IMP);
    if let (Some(margin), Some(high), Some(low)) = (outcomes.margin(), densities.first(), densities.last()) {
        let band = [*high, *low].map(|density| (density, -margin.margin(), 0.0));
        panel = panel.series(Series::band("margin of non-inferiority", band).colour(Colour::GREY));
    }
    for (arm, label, colour) in ARMS
        .into_iter()
        .filter(|(arm, ..)| [MAGNITUDE, PARALLEL, CASCADE].contains(arm))
    {
        let mut points = Vec::new();
        for &density in &densities {
            let difference = outcomes.difference(&Pair::new(arm, IMP, density))?;
            let interval = difference.interval(LEVEL)?;
            points.push((density, difference.mean, interval.lower, interval.upper));
        }
        panel = panel.series(Series::measured(label, points).connected().colour(colour));
    }
    Ok(panel)
}

/// What the recovered weights do before any training.
fn untrained(table: &Table, outcomes: &Outcomes) -> Result<Panel> {
    let mut panel = Panel::new(
        "recovered weights as they are",
        density_axis(),
        Axis::linear("test accuracy without training"),
    );
    for (arm, label, colour) in ARMS.into_iter().filter(|(arm, ..)| [PARALLEL, CASCADE].contains(arm)) {
        let mut groups: Vec<(f64, Vec<f64>)> = outcomes.densities(arm).into_iter().map(|d| (d, Vec::new())).collect();
        for r in table.iter() {
            if r.text("arm")? != arm {
                continue;
            }
            let density = r.real("density")?;
            if let Some(value) = r.optional_real("accuracy_untrained")?
                && let Some((_, values)) = groups.iter_mut().find(|(d, _)| *d == density)
            {
                values.push(value);
            }
        }
        panel = panel.series(accuracy_series(label, &groups)?.colour(colour));
    }
    Ok(panel.horizontal(0.1, "chance"))
}
