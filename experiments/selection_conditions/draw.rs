//! The figure.

use super::claims::{CERTIFICATES, certified_nonzeros};
use super::ensembles::ENSEMBLES;
use super::read::{LEVELS, matrices, of_part, total};
use super::signal::PENALTIES;
use super::{ORDERS, UNIT};
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Colour, ColourMap, Figure, Panel, Series};
use ticketsense::statistics::BinomialCount;
use ticketsense::table::{Record, Table};

/// Level of the drawn intervals.
const LEVEL: f64 = 0.05;
/// Counts over supports and signed supports, each with what it is a share of.
const SHARES: [(&str, &str, &str); 5] = [
    ("Babel", "supports_babel", "supports"),
    ("ERC", "supports_exact_recovery", "supports"),
    ("BP, all signs", "supports_recovered", "supports"),
    ("irrepr., signed", "signed_irrepresentable", "signed"),
    ("BP, signed", "signed_recovered", "signed"),
];

pub(super) fn figure(table: &Table) -> Result<Figure> {
    Ok(Figure::new()
        .title("Conditions under which a support can be found")
        .columns(2)
        .panel_size(560.0, 360.0)
        .panel(levels(table)?)
        .panel(supports(table)?)
        .panel(orders(table)?)
        .panel(signs(table)?)
        .panel(signal(table)?)
        .panel(logistic(table)?)
        .caption(format!(
            "(a) Share of small matrices with unit columns that each condition certifies for all vectors with k nonzeros. (b) Share of \
             single supports and signed supports, k = 3. (c) Mean of the largest k ≤ 3 that is certified. (d) Points: {:.0} % \
             intervals; at 0: opposite signs on the same designs. (e) n = p = 64, k = 6; lines: closed form. (f) Outcome of most \
             of five problems; lines at 1, values beyond 2.15 at the edge.",
            100.0 * (1.0 - LEVEL)
        )))
}

fn of_order<'a>(rows: &[Record<'a>], k: usize) -> Result<Vec<Record<'a>>> {
    let mut kept = Vec::new();
    for row in rows {
        if row.integer("nonzeros")? == k as i64 {
            kept.push(*row);
        }
    }
    Ok(kept)
}

fn levels(table: &Table) -> Result<Panel> {
    let rows = matrices(table, UNIT)?;
    let mut panel = Panel::new(
        "Matrices: each level holds the one before",
        Axis::categories("condition", LEVELS.map(|(name, _)| name)),
        Axis::linear("share of matrices").range(0.0, 1.0),
    );
    for k in ORDERS {
        let rows = of_order(&rows, k)?;
        let mut bars = Vec::new();
        for (place, (_, column)) in LEVELS.iter().enumerate() {
            bars.push((place as f64, total(&rows, column)? as f64 / rows.len().max(1) as f64));
        }
        panel =
            panel.series(Series::bars(format!("k = {k}"), bars).colour(ColourMap::Sequential.at(0.3 * k as f64 - 0.2)));
    }
    Ok(panel)
}

fn supports(table: &Table) -> Result<Panel> {
    let rows = of_order(&matrices(table, UNIT)?, *ORDERS.end())?;
    let mut panel = Panel::new(
        "Supports and signed supports, k = 3",
        Axis::categories("condition", SHARES.map(|(name, _, _)| name)),
        Axis::linear("share that fulfils it").range(0.0, 1.0),
    );
    for (number, ensemble) in ENSEMBLES.iter().enumerate() {
        let mut own = Vec::new();
        for row in &rows {
            if row.text("family")? == ensemble.name {
                own.push(*row);
            }
        }
        let mut bars = Vec::new();
        for (place, (_, column, of)) in SHARES.iter().enumerate() {
            bars.push((
                place as f64,
                total(&own, column)? as f64 / total(&own, of)?.max(1) as f64,
            ));
        }
        panel = panel.series(Series::bars(ensemble.name, bars).colour(Colour::nth(number)));
    }
    Ok(panel)
}

fn orders(table: &Table) -> Result<Panel> {
    let rows = matrices(table, UNIT)?;
    let mut panel = Panel::new(
        "Nonzeros that are certified",
        Axis::categories("", ["Gaussian", "tall", "tight", "Fourier", "equal", "bases"]),
        Axis::linear("mean of the largest certified k").range(0.0, 3.2),
    );
    let colours = [0.05, 0.25, 0.45, 0.65, 0.85];
    for (way, (name, _)) in CERTIFICATES.iter().enumerate() {
        let mut bars = Vec::new();
        for (place, ensemble) in ENSEMBLES.iter().enumerate() {
            let each = certified_nonzeros(&rows, ensemble.name)?;
            let sum: i64 = each.iter().map(|m| m[way]).sum();
            bars.push((place as f64, sum as f64 / each.len().max(1) as f64));
        }
        panel = panel.series(Series::bars(format!("by {name}"), bars).colour(ColourMap::Sequential.at(colours[way])));
    }
    Ok(panel)
}

fn share(row: &Record<'_>, column: &str) -> Result<(f64, f64, f64)> {
    let count = BinomialCount::new(row.integer(column)? as u64, row.integer("trials")? as u64)?;
    let interval = count.interval(LEVEL)?;
    Ok((count.proportion(), interval.lower, interval.upper))
}

fn signs(table: &Table) -> Result<Panel> {
    let rows = of_part(table, "signs");
    let mut sizes = Vec::new();
    for row in &rows {
        sizes.push(row.integer("rows")?);
    }
    sizes.sort_unstable();
    sizes.dedup();
    let mut panel = Panel::new(
        "LASSO: signs found by irrepresentable value",
        Axis::linear("irrepresentable value of the population").include(-0.05),
        Axis::linear("probability of the signed support").range(0.0, 1.0),
    )
    .vertical(1.0, "");
    for (number, &size) in sizes.iter().enumerate() {
        let (mut equal, mut opposite) = (Vec::new(), Vec::new());
        for row in &rows {
            if row.integer("rows")? == size {
                let (share, low, high) = share(row, "successes")?;
                let point = (row.real("irrepresentable")?, share, low, high);
                match row.text("signs")? {
                    "equal" => equal.push(point),
                    _ => opposite.push(point),
                }
            }
        }
        equal.sort_by(|a, b| a.0.total_cmp(&b.0));
        let colour = ColourMap::Sequential.at(0.9 * number as f64 / sizes.len() as f64);
        panel = panel
            .series(
                Series::measured(format!("n = {size}"), equal)
                    .colour(colour)
                    .connected(),
            )
            .series(Series::measured("", opposite).colour(colour));
    }
    Ok(panel)
}

fn signal(table: &Table) -> Result<Panel> {
    let rows = of_part(table, "signal");
    let mut panel = Panel::new(
        "Orthogonal design: size of the nonzeros",
        Axis::linear("size of the nonzeros over σ/√n"),
        Axis::linear("probability of the support").range(0.0, 1.0),
    );
    let first = rows.first();
    if let Some(row) = first {
        let design = ticketsense::theory::beta_min::OrthogonalDesign::new(
            row.integer("columns")? as u64,
            row.integer("nonzeros")? as u64,
        )?;
        let of = |f: &dyn Fn(f64) -> f64| {
            (0..=140)
                .map(|i| 0.05 * f64::from(i))
                .map(|s| (s, f(s)))
                .collect::<Vec<_>>()
        };
        let fixed = rows.iter().find(|r| r.text("family").is_ok_and(|f| f == "fixed"));
        let cut = fixed.map(|r| r.real("penalty")).transpose()?.unwrap_or(f64::NAN);
        panel = panel
            .series(
                Series::line("", of(&|s| design.best_cut(s).1))
                    .colour(Colour::BLUE)
                    .width(1.2),
            )
            .series(
                Series::line("", of(&|s| design.signed_recovery(s, cut)))
                    .colour(Colour::VERMILION)
                    .width(1.2),
            )
            .series(
                Series::line("", of(&|s| design.largest_recovery(s)))
                    .colour(Colour::GREEN)
                    .width(1.2),
            )
            .vertical(design.bounded_threshold(), "√(2 ln p)")
            .vertical(design.threshold(), "with √(2 ln k)");
    }
    for (name, colour) in PENALTIES.into_iter().zip([Colour::BLUE, Colour::VERMILION]) {
        let mut points = Vec::new();
        for row in &rows {
            if row.text("family")? == name {
                let (share, low, high) = share(row, "successes")?;
                points.push((row.real("signal")?, share, low, high));
            }
        }
        panel = panel.series(Series::measured(format!("LASSO, {name} penalty"), points).colour(colour));
    }
    let mut largest = Vec::new();
    for row in &rows {
        if row.text("family")? == PENALTIES[0] {
            let (share, low, high) = share(row, "thresholded")?;
            largest.push((row.real("signal")?, share, low, high));
        }
    }
    Ok(panel.series(Series::measured("k largest", largest).colour(Colour::GREEN)))
}

fn logistic(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "Logistic LASSO: which value tells?",
        Axis::linear("irrepresentable value by the plain Gram matrix").range(0.0, 2.2),
        Axis::linear("value by the Fisher information").range(0.0, 2.2),
    )
    .horizontal(1.0, "")
    .vertical(1.0, "");
    let rows = of_part(table, "logistic");
    for (label, family, found, colour) in [
        ("rectified inputs, found", "rectified", true, Colour::GREEN),
        ("rectified inputs, lost", "rectified", false, Colour::VERMILION),
        ("Gaussian inputs, found", "gaussian", true, Colour::SKY),
        ("Gaussian inputs, lost", "gaussian", false, Colour::ORANGE),
    ] {
        let mut points = Vec::new();
        for row in &rows {
            let outcome = 2 * row.integer("successes")? > row.integer("trials")?;
            if row.text("family")? == family && outcome == found {
                points.push((
                    row.real("unweighted")?.min(2.15),
                    row.real("irrepresentable")?.min(2.15),
                ));
            }
        }
        panel = panel.series(Series::points(label, points).colour(colour));
    }
    Ok(panel)
}
