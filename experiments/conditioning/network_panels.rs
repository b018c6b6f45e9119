//! The panels on masked descent, on supports, and on the networks' curvature.

use super::along::{SUBJECTS, TIMES};
use super::draw::rows;
use super::network_claims::{FAMILIES, deviations, logs};
use super::regime;
use super::supports::{COLUMNS, SHAPES};
use ticketsense::Result;
use ticketsense::harness::figures::{Anchor, Axis, Colour, Panel, Series};
use ticketsense::statistics::{Summary, median};
use ticketsense::table::Table;

fn label(mask: &str) -> String {
    match mask {
        "imp" => "iterated ticket".into(),
        "dense" => "dense network".into(),
        "re-initialised" => "ticket, fresh weights".into(),
        other => format!("{other} mask"),
    }
}

/// Deviation from the kernel against the size of the residual.
pub(super) fn regime(table: &Table) -> Result<Panel> {
    let last = regime::TIMES[regime::TIMES.len() - 1];
    let mut panel = Panel::new(
        format!("Departure from the kernel after {last} steps"),
        Axis::log("residual at the start, over that of the labels"),
        Axis::log("relative deviation of the residual"),
    );
    let mut anchor = None;
    for family in FAMILIES {
        let mut points = Vec::new();
        for (scale, found) in deviations(table, "regime", family, last, "scale")? {
            let logs: Vec<f64> = found.values().map(|d| d.ln()).collect();
            if logs.len() > 1 {
                let (mean, interval) = (Summary::of(&logs)?.mean, Summary::of(&logs)?.interval(0.05)?);
                points.push((1.0 / scale, mean.exp(), interval.lower.exp(), interval.upper.exp()));
            }
        }
        if family == "dense" {
            anchor = points.last().map(|p| (p.0, p.1));
        }
        panel = panel.series(Series::measured(label(family), points).connected());
    }
    if let Some((x, y)) = anchor {
        panel = panel.series(Series::line("proportional", [(x, 0.5 * y), (1.0, 0.5 * y / x)]).dashed());
    }
    Ok(panel)
}

/// The loss on both sides of the largest stable step.
pub(super) fn stability(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "Dense network beside the stable step 2/λ_max",
        Axis::log("steps t"),
        Axis::log("loss, over that at the start"),
    );
    let smallest = regime::LAZY;
    let (near, far) = (regime::STABILITY[0], regime::STABILITY[1]);
    for (place, (scale, ratio)) in [(smallest, near), (smallest, far), (1.0, far)].into_iter().enumerate() {
        let (mut line, mut points) = (Vec::new(), Vec::new());
        for time in regime::STABILITY_TIMES {
            let (mut predicted, mut measured) = (Vec::new(), Vec::new());
            for row in rows(table, "stability") {
                if row.text("family")? == "dense"
                    && row.real("scale")? == scale
                    && row.real("step_ratio")? == ratio
                    && row.integer("steps")? == time as i64
                    && let Some(loss) = row.optional_real("measured")?
                {
                    predicted.push(row.real("predicted")?);
                    measured.push(loss);
                }
            }
            if !measured.is_empty() {
                line.push((time as f64, median(&predicted)?));
                points.push((time as f64, median(&measured)?));
            }
        }
        // Above the stable step the linear model leaves all bounds; that it does so is seen earlier.
        line.retain(|p| p.1 < 1e2);
        let colour = Colour::nth(place);
        if let Some(&(_, middle)) = points.get(1) {
            let (shift, words) = match (scale == 1.0, ratio == near) {
                (true, _) => (0.45, format!("{ratio} times, whole residual")),
                (_, true) => (1.4, format!("{ratio} times, residual/64")),
                _ => (1.0, format!("{ratio} times, residual/64")),
            };
            panel = panel.note(11.5, middle * shift, words, Anchor::Start);
        }
        panel = panel.series(Series::points("", points).colour(colour).connected());
        if scale != 1.0 {
            panel = panel.series(Series::line("kernel modes", line).colour(colour).dashed());
        }
    }
    Ok(panel)
}

/// The condition number of Gauss-Newton along training.
pub(super) fn conditions(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "Gauss-Newton matrix along training, at own weights",
        Axis::categories("steps of training", TIMES.map(|t| t.to_string())),
        Axis::log("condition number κ⁺"),
    );
    for (place, subject) in SUBJECTS.into_iter().enumerate() {
        let mut points = Vec::new();
        for (at, time) in TIMES.into_iter().enumerate() {
            let found: Vec<f64> = logs(table, subject, time, "condition")?.into_values().collect();
            if found.len() > 1 {
                let (mean, interval) = (Summary::of(&found)?.mean, Summary::of(&found)?.interval(0.05)?);
                let power = |v: f64| 10f64.powf(v);
                let x = at as f64 + 0.12 * (place as f64 - 1.5);
                points.push((x, power(mean), power(interval.lower), power(interval.upper)));
            }
        }
        panel = panel.series(Series::measured(label(subject), points));
    }
    Ok(panel)
}

/// Gradients at the end of masked least squares.
pub(super) fn projection(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "Masked least squares, every mask of 8 columns",
        Axis::linear("kept coordinates"),
        Axis::log("gradient, over that at 0"),
    );
    for (column, label) in [
        ("masked_gradient", "kept part at the end, largest"),
        ("unmasked_gradient", "dropped part, smallest"),
        ("late", "kept part, masked once, smallest"),
    ] {
        let mut points = Vec::new();
        for row in rows(table, "projection") {
            if row.text("family")? == "least squares"
                && let Some(value) = row.optional_real(column)?
                && value > 0.0
            {
                points.push((row.integer("kept")? as f64, value));
            }
        }
        let (colour, height) = match column {
            "masked_gradient" => (Colour::nth(0), 1e-12),
            "unmasked_gradient" => (Colour::nth(1), 1e-5),
            _ => (Colour::nth(2), 1e-7),
        };
        panel = panel
            .series(Series::points("", points).colour(colour))
            .series(Series::points("", [(1.0, height)]).colour(colour))
            .note(1.3, height, label, Anchor::Start);
    }
    Ok(panel)
}

/// Condition numbers over all supports of a size.
pub(super) fn supports(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "Least squares on every support of 12 columns",
        Axis::linear("columns in the support").range(0.5, COLUMNS as f64 + 0.5),
        Axis::log("worst condition number κ_S"),
    );
    for (place, (shape, samples)) in SHAPES.into_iter().enumerate() {
        let mut points = Vec::new();
        for row in rows(table, "support") {
            if row.text("family")? == shape
                && let Some(condition) = row.optional_real("worst_condition")?
            {
                points.push((row.integer("kept")? as f64, condition));
            }
        }
        // Above the last points, or left of those that rise out of the others.
        let place_of_words = match samples < COLUMNS {
            true => (6.7, 1e6),
            false => (12.3, 2.5 * points.last().map_or(1.0, |p| p.1)),
        };
        panel = panel
            .series(Series::points("", points).colour(Colour::nth(place)))
            .note(
                place_of_words.0,
                place_of_words.1,
                format!("{samples} rows"),
                Anchor::End,
            );
    }
    Ok(panel.vertical(SHAPES[0].1 as f64 + 0.5, "κ_S infinite at 8 rows"))
}

/// Steps of hard thresholding against their bound.
pub(super) fn thresholding(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "One step of hard thresholding at worst, k = 2",
        Axis::log("bound √3 max |1 − ηλ| over supports of 3k")
            .include(0.4)
            .include(2.2),
        Axis::log("largest factor on the error"),
    );
    let (mut low, mut high) = (f64::INFINITY, 0.0f64);
    for (place, (shape, samples)) in SHAPES.into_iter().enumerate() {
        let mut points: Vec<(f64, f64)> = Vec::new();
        for row in rows(table, "thresholding") {
            if row.text("family")? == shape {
                let point = (row.real("predicted")?, row.real("measured")?);
                (low, high) = (low.min(point.0), high.max(point.0));
                points.push(point);
            }
        }
        if let Some(highest) = points.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1)) {
            panel = panel.note(highest.0, 1.15 * highest.1, format!("{samples} rows"), Anchor::End);
        }
        panel = panel.series(Series::points("", points).colour(Colour::nth(place)));
    }
    if low < high {
        panel = panel
            .series(Series::line("", [(low, low), (high, high)]).dashed())
            .note(0.8, 1.25, "the bound", Anchor::Middle);
    }
    Ok(panel.horizontal(1.0, "").vertical(1.0, ""))
}
