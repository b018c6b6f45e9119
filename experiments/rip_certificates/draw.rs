//! The figure.

use super::claims::part;
use super::matrices::{FAMILIES, MOST_NONZEROS};
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Figure, Marker, Panel, Series};
use ticketsense::table::Table;

pub(super) fn figure(table: &Table) -> Result<Figure> {
    Ok(Figure::new()
        .columns(2)
        .panel_size(520.0, 360.0)
        .panel(recovered(table)?)
        .panel(certified(table)?)
        .panel(greedy(table)?)
        .panel(factors(table)?)
        .caption(
            "Matrices with 16 unit columns; constants are upper ends of proven intervals at the best scale, recovery is counted \
             over all signed supports. Left of the lines in (a) nothing is lost, and right of them most is still found. In (d) \
             the largest factor seen in a step, over starts and vectors, against the factor that the theorem allows.",
        ))
}

fn recovered(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "Basis pursuit against δ_2k",
        Axis::linear("restricted isometry constant δ of order 2k").range(0.0, 1.0),
        Axis::linear("signed supports recovered").range(0.0, 1.0),
    )
    .vertical(std::f64::consts::SQRT_2 - 1.0, "√2 − 1")
    .vertical(std::f64::consts::FRAC_1_SQRT_2, "1/√2");
    for k in 1..=MOST_NONZEROS {
        let mut points = Vec::new();
        for row in part(table, "matrix") {
            if row.integer("nonzeros")? == k as i64 {
                let share = row.integer("recovered")? as f64 / row.integer("total")? as f64;
                points.push((row.real("isometry_double")?, share));
            }
        }
        panel = panel.series(Series::points(format!("k = {k}"), points).marker(Marker::Circle));
    }
    Ok(panel)
}

/// Shares of the pairs of a matrix and k: recovered by enumeration, and certified.
fn certified(table: &Table) -> Result<Panel> {
    let groups: Vec<(String, &str, i64)> = FAMILIES
        .iter()
        .flat_map(|f| (1..=MOST_NONZEROS as i64).map(move |k| (format!("{f} {k}"), *f, k)))
        .collect();
    let names: Vec<String> = groups.iter().map(|g| g.0.clone()).collect();
    let mut panel = Panel::new(
        "What is true and what is certified",
        Axis::categories("family of matrices, nonzeros k", names),
        Axis::linear("share of the matrices").range(0.0, 1.0),
    );
    /// Whether a matrix counts, by the names of its guarantees and whether every signed support is recovered.
    type Counts = fn(&str, bool) -> bool;
    let kinds: [(&str, Counts); 4] = [
        ("every signed support recovered", |_, every| every),
        ("some guarantee for basis pursuit", |names, _| names != "none"),
        ("δ_2k < 1/√2", |names, _| {
            names.split(' ').any(|n| n == "basis-pursuit-2k-sharp")
        }),
        ("coherence", |names, _| names.split(' ').any(|n| n == "coherence")),
    ];
    for (label, counts) in kinds {
        let mut points = Vec::new();
        for (place, (_, family, k)) in groups.iter().enumerate() {
            let (mut count, mut of) = (0usize, 0usize);
            for row in part(table, "matrix") {
                if row.text("family")? == *family && row.integer("nonzeros")? == *k {
                    let every = row.integer("recovered")? == row.integer("total")?;
                    count += usize::from(counts(row.text("certified")?, every));
                    of += 1;
                }
            }
            if of > 0 {
                points.push((place as f64, count as f64 / of as f64));
            }
        }
        panel = panel.series(Series::bars(label, points));
    }
    Ok(panel)
}

fn greedy(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "Matching pursuit against δ of order k + 1",
        Axis::linear("√(k + 1) δ of order k + 1").include(0.0),
        Axis::linear("supports with exact recovery").range(0.0, 1.0),
    )
    .vertical(1.0, "guarantee");
    for k in 1..=MOST_NONZEROS {
        let mut points = Vec::new();
        for row in part(table, "matrix") {
            if row.integer("nonzeros")? == k as i64 {
                let share = row.integer("exact_recovery")? as f64 / row.integer("supports")? as f64;
                points.push((row.real("isometry_next")? * ((k + 1) as f64).sqrt(), share));
            }
        }
        panel = panel.series(Series::points(format!("k = {k}"), points).marker(Marker::Circle));
    }
    Ok(panel)
}

fn factors(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "One step of hard thresholding",
        Axis::linear("factor allowed").range(0.0, 1.0),
        Axis::linear("largest factor seen").range(0.0, 1.0),
    )
    .series(Series::line("bound", [(0.0, 0.0), (1.0, 1.0)]));
    for (method, label) in [
        ("iht", "iterative hard thresholding"),
        ("htp", "hard thresholding pursuit"),
    ] {
        let mut points = Vec::new();
        for row in part(table, "iteration") {
            if row.text("method")? == method
                && let Some(factor) = row.optional_real("factor")?
            {
                points.push((factor, row.real("worst")?));
            }
        }
        panel = panel.series(Series::points(label, points));
    }
    Ok(panel)
}
