//! The figure.

use super::claims::{deviation, log_conditions};
use super::network::MASKS;
use super::network_panels;
use super::quadratic::FAMILIES;
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Figure, Panel, Series};
use ticketsense::statistics::Summary;
use ticketsense::table::{Record, Table};
use ticketsense::theory::gradient_descent::contraction_factor;

/// The condition number whose descents are drawn.
const DRAWN_CONDITION: f64 = 10.0;

pub(super) fn rows<'a>(table: &'a Table, part: &'static str) -> impl Iterator<Item = Record<'a>> {
    table.filter(move |r| r.text("part").is_ok_and(|p| p == part))
}

pub(super) fn figure(table: &Table) -> Result<Figure> {
    let at_50 = |mask: &str| -> Result<String> {
        Ok(deviation(table, mask, 50)?.map_or("unknown".into(), |d| format!("{:.1} %", 100.0 * d)))
    };
    Ok(Figure::new()
        .columns(3)
        .panel_size(500.0, 350.0)
        .panel(contraction(table)?)
        .panel(scatter(table, true)?)
        .panel(scatter(table, false)?)
        .panel(spectra(table)?)
        .panel(kernels(table)?)
        .panel(training(table)?)
        .panel(network_panels::regime(table)?)
        .panel(network_panels::stability(table)?)
        .panel(network_panels::conditions(table)?)
        .panel(network_panels::projection(table)?)
        .panel(network_panels::supports(table)?)
        .panel(network_panels::thresholding(table)?)
        .caption(format!(
            "Loss curves: lines are the sum over kernel modes at each network's own start, points are full-batch gradient \
             descent of the real network, geometric means over the pairs. Median deviation after 50 steps: dense {}, \
             iterated ticket {}, random mask {}. At a masked network's own start the smallest eigenvalue can stand close \
             to the rank cut-off, so that κ⁺ is soft there.",
            at_50("dense")?,
            at_50("imp")?,
            at_50("random")?
        )))
}

fn contraction(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "Worst contraction of one step, κ = 10",
        Axis::linear("step η"),
        Axis::linear("factor on the error"),
    )
    .horizontal(1.0, "no progress");
    for family in ["dense", "masked", "singular"] {
        let (mut points, mut ends) = (Vec::new(), None);
        for row in rows(table, "descent") {
            if row.text("family")? == family && row.real("dense_condition")? == DRAWN_CONDITION {
                points.push((row.real("step")?, row.real("measured")?));
                ends = Some((row.real("smallest")?, row.real("largest")?));
            }
        }
        let Some((low, high)) = ends else { continue };
        let last = points.iter().map(|p| p.0).fold(0.0, f64::max);
        let mut line = Vec::new();
        for i in 0..=120 {
            let step = last * f64::from(i) / 120.0;
            line.push((step, contraction_factor(step, low, high)?));
        }
        panel = panel
            .series(Series::line("", line).colour_of(format!("{family} quadratic")))
            .series(Series::points(format!("{family} quadratic"), points));
    }
    Ok(panel)
}

fn scatter(table: &Table, definite: bool) -> Result<Panel> {
    let title = if definite {
        "Positive definite: a mask never raises κ"
    } else {
        "Singular: a mask can raise κ⁺ without bound"
    };
    let mut panel = Panel::new(
        title,
        Axis::log("condition number of the whole κ⁺(H)").include(1.0),
        Axis::log("largest over masks κ⁺(H_SS)").include(1.0),
    );
    let (mut low, mut high) = (f64::INFINITY, 1.0f64);
    for family in FAMILIES.iter().filter(|f| f.definite == definite) {
        let mut points = Vec::new();
        for row in rows(table, "masks") {
            // A single coordinate has κ = 1, and the full mask changes nothing.
            let part = row.integer("kept")? > 1 && row.integer("kept")? < row.integer("order")?;
            if row.text("family")? == family.name
                && part
                && let Some(condition) = row.optional_real("worst_condition")?
            {
                points.push((row.real("dense_condition")?, condition));
            }
        }
        for (x, _) in &points {
            (low, high) = (low.min(*x), high.max(*x));
        }
        panel = panel.series(Series::points(family.name.replace('-', " "), points));
    }
    let ends = if low < high {
        [(low, low), (high, high)]
    } else {
        [(1.0, 1.0), (10.0, 10.0)]
    };
    Ok(panel.series(Series::line("unchanged κ", ends).dashed()))
}

fn spectra(table: &Table) -> Result<Panel> {
    let names = ["rotated", "rotated, masked", "diagonal", "diagonal, masked"];
    let mut panel = Panel::new(
        "A mask selects eigenvalues only of a diagonal H",
        Axis::linear("eigenvalue λ"),
        Axis::categories("", names),
    );
    for (label, masked) in [("whole spectrum", false), ("masked spectrum", true)] {
        let mut points = Vec::new();
        for row in rows(table, "eigenvalue") {
            let is_masked = row.integer("kept")? < row.integer("order")?;
            if is_masked == masked {
                let line = if row.text("family")? == "rotated" { 0.0 } else { 2.0 };
                points.push((row.real("smallest")?, line + f64::from(u8::from(masked))));
            }
        }
        panel = panel.series(Series::points(label, points));
    }
    Ok(panel)
}

fn kernels(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "Tangent kernel of the network, density 1/4",
        Axis::categories("mask", MASKS),
        Axis::log("condition number κ⁺"),
    );
    for (at, shift) in [("dense start", -0.12), ("own start", 0.12)] {
        let mut points = Vec::new();
        for (place, mask) in MASKS.into_iter().enumerate() {
            let logs: Vec<f64> = log_conditions(table, at, mask)?.into_iter().map(|(_, v)| v).collect();
            if logs.len() > 1 {
                let (mean, interval) = (Summary::of(&logs)?.mean, Summary::of(&logs)?.interval(0.05)?);
                let power = |v: f64| 10f64.powf(v);
                points.push((
                    place as f64 + shift,
                    power(mean),
                    power(interval.lower),
                    power(interval.upper),
                ));
            }
        }
        panel = panel.series(Series::measured(format!("kernel at the {at}"), points));
    }
    Ok(panel)
}

fn training(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "Predicted and observed training",
        Axis::log("steps t"),
        Axis::log("mean loss, over that at the start"),
    );
    for mask in ["dense", "imp", "random"] {
        let mut times: Vec<i64> = Vec::new();
        for row in rows(table, "training") {
            let time = row.integer("steps")?;
            if row.text("family")? == mask && !times.contains(&time) {
                times.push(time);
            }
        }
        let logs = |time: i64, column: &str| -> Result<Vec<f64>> {
            let mut starts = std::collections::BTreeMap::new();
            let mut found = Vec::new();
            for row in rows(table, "training").filter(|r| r.text("family").is_ok_and(|m| m == mask)) {
                if row.integer("steps")? == 0 {
                    starts.insert(row.integer("number")?, row.real("measured")?);
                }
            }
            for row in rows(table, "training").filter(|r| r.text("family").is_ok_and(|m| m == mask)) {
                if let (true, Some(start)) = (row.integer("steps")? == time, starts.get(&row.integer("number")?)) {
                    found.push((row.real(column)? / start).ln());
                }
            }
            Ok(found)
        };
        let (mut line, mut points) = (Vec::new(), Vec::new());
        for &time in times.iter().filter(|t| **t > 0) {
            let (predicted, measured) = (logs(time, "predicted")?, logs(time, "measured")?);
            if measured.len() < 2 {
                continue;
            }
            line.push((time as f64, Summary::of(&predicted)?.mean.exp()));
            let (mean, interval) = (Summary::of(&measured)?.mean, Summary::of(&measured)?.interval(0.05)?);
            points.push((time as f64, mean.exp(), interval.lower.exp(), interval.upper.exp()));
        }
        let label = match mask {
            "imp" => "iterated ticket".to_string(),
            "dense" => "dense network".to_string(),
            other => format!("{other} mask"),
        };
        panel = panel
            .series(Series::line("", line).colour_of(label.clone()))
            .series(Series::measured(label, points));
    }
    Ok(panel)
}
