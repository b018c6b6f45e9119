//! The figure.

use super::claims::part;
use super::{CORRELATIONS, DRAWN};
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Colour, ColourMap, Figure, Marker, Panel, Series};
use ticketsense::statistics::BinomialCount;
use ticketsense::statistics::distributions::two_sided_normal;
use ticketsense::table::Table;
use ticketsense::theory::thresholding::{ThresholdRisk, hard, soft};

/// The threshold of the drawn biases and risks.
const THRESHOLD: f64 = 2.0;
/// Level of the drawn intervals.
const LEVEL: f64 = 0.05;

/// Ticks of an axis of sizes.
const SIZES: [f64; 5] = [1.0, 4.0, 8.0, 12.0, 16.0];

const SOFT: &str = "soft threshold";
const HARD: &str = "hard threshold";

pub(super) fn figure(table: &Table) -> Result<Figure> {
    Ok(Figure::new()
        .title("Thresholds and what they do to the values they keep")
        .columns(2)
        .panel_size(520.0, 390.0)
        .panel(errors(table, "bias")?)
        .panel(errors(table, "risk")?)
        .panel(field(table, "group")?)
        .panel(field(table, "l1")?)
        .panel(weights(table, "lasso")?)
        .panel(weights(table, "pruning")?)
        .panel(different(table)?)
        .panel(passes(table)?)
        .caption(format!(
            "(a, b) Lines are the closed forms, points Monte Carlo means with {:.0} % intervals, mostly smaller than their \
             marks. (c, d) Lines run from a point to its image, the dot. (e–h) 50 samples, 16 features, autoregressive over \
             their number, 4 weights of ±1, noise 1; (e, f) the first model at correlation {DRAWN} \
             whose planted support lies on the path of pruning, but not on that of the LASSO.",
            100.0 * (1.0 - LEVEL)
        )))
}

fn errors(table: &Table, what: &'static str) -> Result<Panel> {
    let take = |risk: ThresholdRisk| if what == "bias" { risk.bias } else { risk.risk };
    let error = if what == "bias" { "bias_error" } else { "risk_error" };
    let z = two_sided_normal(LEVEL)?;
    let mut points = [Vec::new(), Vec::new()];
    let mut last = 0.0f64;
    for row in part(table, "scalar") {
        if row.real("threshold")? == THRESHOLD {
            let (x, y, half) = (row.real("mean")?, row.real(what)?, z * row.real(error)?);
            last = last.max(x);
            points[usize::from(row.text("estimator")? == "hard")].push((x, y, y - half, y + half));
        }
    }
    let mut lines = [Vec::new(), Vec::new()];
    for i in 0..=160 {
        let mean = last * f64::from(i) / 160.0;
        lines[0].push((mean, take(soft(mean, THRESHOLD)?)));
        lines[1].push((mean, take(hard(mean, THRESHOLD)?)));
    }
    let (title, axis) = match what {
        "bias" => ("Bias at threshold λ = 2", "bias, noise standard deviations"),
        _ => ("Risk at threshold λ = 2", "mean squared error"),
    };
    let mut panel = Panel::new(
        title,
        Axis::linear("true value θ, noise standard deviations"),
        Axis::linear(axis),
    )
    .vertical(THRESHOLD, "θ = λ");
    panel = match what {
        "bias" => panel.horizontal(-THRESHOLD, "−λ"),
        _ => panel.horizontal(1.0, "no threshold"),
    };
    let [soft_points, hard_points] = points;
    let [soft_line, hard_line] = lines;
    Ok(panel
        .series(Series::line("", soft_line).colour_of(SOFT))
        .series(Series::line("", hard_line).colour_of(HARD))
        .series(Series::measured(SOFT, soft_points))
        .series(Series::measured(HARD, hard_points)))
}

fn field(table: &Table, estimator: &str) -> Result<Panel> {
    let (title, colour) = match estimator {
        "group" => ("Block soft threshold: zero inside the disc", Colour::GREEN),
        _ => ("Each coordinate by itself: zero inside the square", Colour::PURPLE),
    };
    // One unit is as long on both axes of a panel of this shape.
    let axis = |name: &str, reach: f64| {
        let ticks = (-3..=3).map(f64::from).filter(|t| t.abs() < reach);
        Axis::linear(name).range(-reach, reach).ticks(ticks)
    };
    let edge: Vec<(f64, f64)> = match estimator {
        "group" => (0..=120)
            .map(|i| f64::from(i) * std::f64::consts::TAU / 120.0)
            .map(|angle| (angle.cos(), angle.sin()))
            .collect(),
        _ => vec![(1.0, 1.0), (-1.0, 1.0), (-1.0, -1.0), (1.0, -1.0), (1.0, 1.0)],
    };
    let mut panel = Panel::new(title, axis("first weight / λ", 3.87), axis("second weight / λ", 2.7));
    let mut images = Vec::new();
    for row in part(table, "field") {
        if row.text("estimator")? == estimator {
            let to = (row.real("to_x")?, row.real("to_y")?);
            let way = [(row.real("from_x")?, row.real("from_y")?), to];
            panel = panel.series(Series::line("", way).colour(colour).width(1.0));
            images.push(to);
        }
    }
    Ok(panel
        .series(
            Series::line("set that goes to zero", edge)
                .colour(Colour::VERMILION)
                .width(2.5),
        )
        .series(Series::points("", images).colour(colour).marker(Marker::Circle)))
}

/// The weight of one feature along a path.
struct Path {
    feature: i64,
    planted: bool,
    points: Vec<(f64, f64)>,
}

fn weights(table: &Table, estimator: &str) -> Result<Panel> {
    let x = match estimator {
        "lasso" => Axis::log("penalty λ/λ_max").reversed(),
        _ => Axis::linear("features kept").ticks(SIZES),
    };
    let title = match estimator {
        "lasso" => "Path of the LASSO",
        _ => "Path of magnitude pruning with refits",
    };
    let mut paths: Vec<Path> = Vec::new();
    for row in part(table, "weights") {
        if row.text("estimator")? == estimator {
            let feature = row.integer("feature")?;
            let point = (row.real("abscissa")?, row.real("weight")?);
            match paths.iter_mut().find(|p| p.feature == feature) {
                Some(path) => path.points.push(point),
                None => paths.push(Path {
                    feature,
                    planted: row.integer("planted")? == 1,
                    points: vec![point],
                }),
            }
        }
    }
    let mut panel = Panel::new(title, x, Axis::linear("weight")).horizontal(0.0, "");
    // The planted ones last, over the others.
    paths.sort_by_key(|p| p.planted);
    for path in paths {
        let (label, colour, width) = match path.planted {
            true => ("weight of a planted feature", Colour::BLUE, 2.2),
            false => ("weight of another feature", Colour::GREY, 1.0),
        };
        panel = panel.series(Series::line(label, path.points).colour(colour).width(width));
    }
    Ok(panel)
}

fn different(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "Both paths at equal size",
        Axis::linear("features kept").ticks(SIZES),
        Axis::linear("share of different supports").range(0.0, 1.0),
    );
    for (number, correlation) in CORRELATIONS.into_iter().enumerate() {
        let colour = ColourMap::Sequential.at(0.9 * number as f64 / CORRELATIONS.len() as f64);
        let mut points = Vec::new();
        for row in part(table, "size") {
            if row.real("correlation")? == correlation && row.integer("problems")? > 0 {
                let count = BinomialCount::new(row.integer("different")? as u64, row.integer("problems")? as u64)?;
                let interval = count.interval(LEVEL)?;
                points.push((row.real("size")?, count.proportion(), interval.lower, interval.upper));
            }
        }
        panel = panel.series(
            Series::measured(format!("correlation {correlation}"), points)
                .colour(colour)
                .connected(),
        );
    }
    Ok(panel)
}

fn passes(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "Does the path pass through the planted support?",
        Axis::linear("correlation of neighbouring features"),
        Axis::linear("probability").range(0.0, 1.0),
    );
    for (label, column, colour) in [
        ("LASSO", "lasso_true", Colour::BLUE),
        ("magnitude pruning", "pruning_true", Colour::VERMILION),
    ] {
        let mut points = Vec::new();
        for row in part(table, "paths") {
            let count = BinomialCount::new(row.integer(column)? as u64, row.integer("problems")? as u64)?;
            let interval = count.interval(LEVEL)?;
            points.push((
                row.real("correlation")?,
                count.proportion(),
                interval.lower,
                interval.upper,
            ));
        }
        panel = panel.series(Series::measured(label, points).colour(colour).connected());
    }
    Ok(panel)
}
