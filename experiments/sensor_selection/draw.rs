//! The figure.

use super::claims::{at, part, values};
use super::examples::crossing;
use super::{CLOSE, ENSEMBLES, NOISE};
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Colour, ColourMap, Figure, Marker, Panel, Series};
use ticketsense::statistics::{BinomialCount, median};
use ticketsense::table::{Record, Table};

/// Matrices of an ensemble that are drawn as dots.
const DOTS: usize = 60;
/// Where the frequentist criterion stands on the axis of noise.
const NO_NOISE: f64 = 2e-4;
/// Where undisturbed rows stand on the axis of disturbances.
const ORTHOGONAL: f64 = 0.003;
/// Level of the drawn intervals.
const LEVEL: f64 = 0.05;

pub(super) fn figure(table: &Table) -> Result<Figure> {
    Ok(Figure::new()
        .title("Rows of largest norm against the A-optimal choice")
        .columns(2)
        .panel_size(540.0, 370.0)
        .panel(strips(table)?)
        .panel(overlaps(table)?)
        .panel(over_noise(table)?)
        .panel(disturbed(table)?)
        .panel(duplicates(table, "example", "Two near-duplicates and a shorter sensor")?)
        .panel(duplicates(table, "pairs", "Four pairs of sensors, four chosen")?)
        .caption(format!(
            "(a, b) 7 of 14 rows in 7 unknowns, σ²/τ² = {NOISE}: a dot is one of the first {DOTS} matrices, a diamond the median \
             of all, in (b) the mean; the dashed line of (a) is {0:.0} % above the least trace; Fourier and unitary rows have \
             equal norms, so that row numbers choose. (c) 6 of 12 Gaussian rows in 6 unknowns, norms spread by e^(spread·z): \
             share of matrices within {0:.0} % of the least trace. (d) 5 of 12 orthogonal rows disturbed by Gaussian ones. (e) \
             Dashed: where a perfect duplicate becomes the better choice. (f) σ²/τ² = {NOISE}. Bars: {1:.0} % Clopper–Pearson.",
            100.0 * (CLOSE - 1.0),
            100.0 * (1.0 - LEVEL)
        )))
}

fn of_ensemble<'a>(rows: &[Record<'a>], name: &str) -> Vec<Record<'a>> {
    let same = |row: &&Record<'_>| row.text("ensemble").is_ok_and(|e| e == name);
    rows.iter().filter(same).copied().collect()
}

/// Dots beside one another, so that equal ones show their number.
fn aside(number: usize) -> f64 {
    0.5 * ((number as f64 * 0.618_033_988_749_895).fract() - 0.5)
}

fn words() -> Vec<String> {
    let each = ENSEMBLES.iter();
    each.map(|name| match name.split_once('-') {
        Some((word, value)) => format!("{word} {value}"),
        None => name.to_string(),
    })
    .collect()
}

fn strips(table: &Table) -> Result<Panel> {
    let rows = part(table, "ensemble")?;
    let mut panel = Panel::new(
        "Trace over the least one",
        Axis::categories("law of the rows", words()),
        Axis::log("trace / least trace").include(1.0),
    )
    .horizontal(CLOSE, "");
    let (mut norm, mut average, mut greedy) = (Vec::new(), Vec::new(), Vec::new());
    let mut dots = Vec::new();
    for (place, name) in ENSEMBLES.into_iter().enumerate() {
        let of_name = of_ensemble(&rows, name);
        let mut ratios = [Vec::new(), Vec::new(), Vec::new()];
        for (number, row) in of_name.iter().enumerate() {
            for (kind, column) in ["norm", "average", "greedy"].into_iter().enumerate() {
                ratios[kind].push(row.real(column)? / row.real("best")?);
            }
            if number < DOTS {
                dots.push((place as f64 - 0.12 + aside(number), ratios[0][number]));
            }
        }
        if !of_name.is_empty() {
            norm.push((place as f64 - 0.12, median(&ratios[0])?));
            average.push((place as f64 + 0.22, median(&ratios[1])?));
            greedy.push((place as f64 + 0.34, median(&ratios[2])?));
        }
    }
    panel = panel
        .series(
            Series::points("norm rule, one matrix", dots)
                .colour(Colour::SKY)
                .width(0.6),
        )
        .series(
            Series::points("norm rule", norm)
                .colour(Colour::BLUE)
                .marker(Marker::Diamond),
        )
        .series(
            Series::points("mean of all choices", average)
                .colour(Colour::ORANGE)
                .marker(Marker::Diamond),
        )
        .series(
            Series::points("greedy", greedy)
                .colour(Colour::GREEN)
                .marker(Marker::Diamond),
        );
    Ok(panel)
}

fn overlaps(table: &Table) -> Result<Panel> {
    let rows = part(table, "ensemble")?;
    let (mut means, mut chance) = (Vec::new(), f64::NAN);
    let mut dots = Vec::new();
    for (place, name) in ENSEMBLES.into_iter().enumerate() {
        let of_name = of_ensemble(&rows, name);
        let mut sum = 0.0;
        for (number, row) in of_name.iter().enumerate() {
            let overlap = row.real("overlap")?;
            // Whole numbers, spread so that their share shows.
            if number < DOTS {
                dots.push((place as f64 + aside(number), overlap + 0.5 * aside(7 * number + 3)));
            }
            sum += overlap;
            chance = row.real("chosen")?.powi(2) / row.real("rows")?;
        }
        if !of_name.is_empty() {
            means.push((place as f64, sum / of_name.len() as f64));
        }
    }
    let mut panel = Panel::new(
        "Rows common to the norm rule and the best choice",
        Axis::categories("law of the rows", words()),
        Axis::linear("rows in common").range(0.0, 7.5),
    );
    if chance.is_finite() {
        panel = panel.horizontal(chance, "chance k²/m");
    }
    Ok(panel
        .series(Series::points("one matrix", dots).colour(Colour::SKY).width(0.6))
        .series(
            Series::points("mean", means)
                .colour(Colour::BLUE)
                .marker(Marker::Diamond),
        ))
}

fn share(row: &Record<'_>, column: &str, x: f64) -> Result<(f64, f64, f64, f64)> {
    let count = BinomialCount::new(row.integer(column)? as u64, row.integer("matrices")? as u64)?;
    let interval = count.interval(LEVEL)?;
    Ok((x, count.proportion(), interval.lower, interval.upper))
}

fn over_noise(table: &Table) -> Result<Panel> {
    let rows = part(table, "noise")?;
    let mut panel = Panel::new(
        "Gaussian rows: noise makes norms decide",
        Axis::log("σ²/τ² over the mean squared row norm"),
        Axis::linear("share within 5 %").range(0.0, 1.0),
    )
    .horizontal(0.5, "")
    .vertical(NO_NOISE, "frequentist");
    let spreads = values(&rows, "setting")?;
    for (number, &spread) in spreads.iter().enumerate() {
        let mut points = Vec::new();
        for row in at(&rows, "setting", spread) {
            let noise = row.real("noise_ratio")?;
            let x = if noise == 0.0 { NO_NOISE } else { noise };
            points.push(share(&row, "close", x)?);
        }
        let colour = ColourMap::Sequential.at(0.85 * number as f64 / spreads.len() as f64);
        panel = panel.series(
            Series::measured(format!("spread {spread}"), points)
                .colour(colour)
                .connected(),
        );
    }
    Ok(panel)
}

fn disturbed(table: &Table) -> Result<Panel> {
    let rows = at(&part(table, "orthogonal")?, "noise_ratio", NOISE);
    let mut points = Vec::new();
    for size in values(&rows, "setting")? {
        let of_size = at(&rows, "setting", size);
        let mut identical = 0;
        for row in &of_size {
            identical += u64::from(row.text("best_rows")? == row.text("norm_rows")?);
        }
        let count = BinomialCount::new(identical, of_size.len() as u64)?;
        let interval = count.interval(LEVEL)?;
        // Orthogonal rows stand a step left of the least disturbance.
        let x = if size == 0.0 { ORTHOGONAL } else { size };
        points.push((x, count.proportion(), interval.lower, interval.upper));
    }
    Ok(Panel::new(
        "Nearly orthogonal rows",
        Axis::log("relative size of the disturbance"),
        Axis::linear("share of matrices").range(0.0, 1.0),
    )
    .vertical(ORTHOGONAL, "orthogonal")
    .series(
        Series::measured("norm rule is the best choice", points)
            .colour(Colour::BLUE)
            .connected(),
    ))
}

fn duplicates(table: &Table, name: &str, title: &str) -> Result<Panel> {
    let rows = part(table, name)?;
    let (x, column) = match name {
        "example" => (Axis::log("σ²/τ²"), "noise_ratio"),
        _ => (Axis::linear("correlation of a pair").range(0.0, 1.0), "setting"),
    };
    let y = match name {
        "example" => Axis::log("trace / least trace").include(1.0),
        _ => Axis::linear("trace / least trace").include(1.0),
    };
    let mut panel = Panel::new(title, x, y);
    if name == "example" {
        panel = panel.vertical(crossing(), "");
    }
    let kinds = [
        ("norm rule", "norm", Colour::BLUE),
        ("mean of all choices", "average", Colour::ORANGE),
        ("greedy", "greedy", Colour::GREEN),
    ];
    for (label, kind, colour) in kinds {
        let mut points = Vec::new();
        for row in &rows {
            // The frequentist criterion is far outside.
            if row.real("noise_ratio")? > 0.0 {
                points.push((row.real(column)?, row.real(kind)? / row.real("best")?));
            }
        }
        let line = Series::line(label, points).colour(colour);
        panel = panel.series(if kind == "greedy" { line.dashed() } else { line });
    }
    Ok(panel)
}
