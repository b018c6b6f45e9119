//! The figure: supports found and supports shared against correlation, accuracies and shared weights on the network.

use super::super::comparison::{Outcomes, accuracy_panel, accuracy_series, density_axis};
use super::super::tickets::LEVEL;
use super::claims::Design;
use super::network::{EACH, IMP, OWN, RANDOM, SPACED};
use super::{MAIN, ROWS};
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Colour, Figure, Panel, Series};
use ticketsense::statistics::BinomialCount;
use ticketsense::table::Table;

/// Draws the figure.
pub fn draw(table: &Table) -> Result<Figure> {
    let designs = Design::read(table)?;
    let outcomes = Outcomes::read(table)?;
    let arms = [
        (RANDOM, "random mask", Colour::GREY),
        (OWN, "spaced thresholds, own weights", Colour::SKY),
        (EACH, "threshold each step", Colour::ORANGE),
        (SPACED, "spaced thresholds", Colour::VERMILION),
        (IMP, "pruning", Colour::BLUE),
    ];
    Ok(Figure::new()
        .columns(2)
        .panel_size(520.0, 360.0)
        .panel(exact(&designs)?)
        .panel(alike(&designs)?)
        .panel(accuracy_panel("Network: test accuracy", &outcomes, &arms, Axis::linear("test accuracy"))?)
        .panel(shared(table, &outcomes)?)
        .caption(format!(
            "Linear model: 60 unknowns, 8 of them ±1, unit columns, noise of length 0.3; 95 % Clopper-Pearson intervals, each for \
             itself. Network: masks of equal counts from equal numbers of gradients, each then trained from the initial weights \
             (own weights: trained on from where the descent ended); means over {} paired seeds with 95 % Student intervals. \
             Dotted: weights that a random mask shares with the ticket.",
            outcomes.accuracies(IMP, outcomes.densities(IMP).first().copied().unwrap_or(1.0)).map_or(0, |a| a.len())
        )))
}

fn points(designs: &[Design], rows: usize, count: impl Fn(&Design) -> u64) -> Result<Vec<(f64, f64, f64, f64)>> {
    let mut points = Vec::new();
    for design in designs.iter().filter(|d| !d.orthonormal && d.rows == rows as i64) {
        let count = BinomialCount::new(count(design), design.trials)?;
        let interval = count.interval(LEVEL)?;
        points.push((design.correlation, count.proportion(), interval.lower, interval.upper));
    }
    Ok(points)
}

fn exact(designs: &[Design]) -> Result<Panel> {
    let mut panel = Panel::new(
        "Linear model: supports found",
        Axis::linear("correlation of neighbouring columns"),
        Axis::linear("fraction of problems solved").range(0.0, 1.05),
    );
    for (rows, dashed) in ROWS.into_iter().zip([true, false]) {
        let imp = Series::measured(format!("pruning, {rows} rows"), points(designs, rows, |d| d.imp_exact)?);
        let iht = Series::measured(
            format!("thresholding, {rows} rows"),
            points(designs, rows, |d| d.iht_exact)?,
        );
        for (series, colour) in [(imp, Colour::BLUE), (iht, Colour::VERMILION)] {
            let series = series.connected().colour(colour);
            panel = panel.series(if dashed { series.dashed() } else { series });
        }
    }
    Ok(panel)
}

fn alike(designs: &[Design]) -> Result<Panel> {
    let mut panel = Panel::new(
        "Linear model: the same support from both",
        Axis::linear("correlation of neighbouring columns"),
        Axis::linear("fraction of problems").range(0.0, 1.05),
    );
    for (rows, colour) in ROWS.into_iter().zip([Colour::PURPLE, Colour::GREEN]) {
        let series = Series::measured(format!("{rows} rows"), points(designs, rows, |d| d.same)?);
        panel = panel.series(series.connected().colour(colour));
    }
    if let Some(design) = designs.iter().find(|d| d.orthonormal) {
        let at = [(-0.06, design.same as f64 / design.trials as f64)];
        panel = panel.series(Series::points("orthonormal columns (left of 0)", at).colour(Colour::BLACK));
    }
    Ok(panel)
}

fn shared(table: &Table, outcomes: &Outcomes) -> Result<Panel> {
    let mut panel = Panel::new(
        "Network: weights shared with the ticket",
        density_axis(),
        Axis::linear("fraction of the kept weights").range(0.0, 1.0),
    );
    let of = |arm: &str, column: &str| -> Result<Vec<(f64, Vec<f64>)>> {
        let mut groups: Vec<(f64, Vec<f64>)> = outcomes.densities(arm).into_iter().map(|d| (d, Vec::new())).collect();
        for record in table.iter() {
            if record.text("part")? != MAIN || record.text("arm")? != arm {
                continue;
            }
            let density = record.real("density")?;
            if let Some(group) = groups.iter_mut().find(|(d, _)| *d == density) {
                group.1.push(record.real(column)?);
            }
        }
        Ok(groups)
    };
    for (arm, label, colour) in [
        (EACH, "threshold each step", Colour::ORANGE),
        (SPACED, "spaced thresholds", Colour::VERMILION),
    ] {
        panel = panel.series(accuracy_series(label, &of(arm, "shared")?)?.colour(colour));
    }
    let chance: Vec<(f64, f64)> = of(IMP, "chance")?
        .into_iter()
        .filter(|(_, values)| !values.is_empty())
        .map(|(density, values)| (density, values[0]))
        .collect();
    Ok(panel.series(Series::line("chance", chance).colour(Colour::BLACK).dotted()))
}
