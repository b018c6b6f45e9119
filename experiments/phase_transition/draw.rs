//! Maps of success with the transition over them, and the 50 % contours of every method with intervals.

use super::claims::{followed, threshold};
use super::{ENSEMBLE_COLUMNS, ENSEMBLES, FOLLOWED, SOLVERS};
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Colour, Figure, HeatMap, Legend, Panel, Series};
use ticketsense::statistics::Interval;
use ticketsense::table::{Record, Table};
use ticketsense::theory::basis_pursuit_success::even_odds_nonzeros;
use ticketsense::theory::donoho_tanner::{Signs, transition};

/// One colour a solver, none of them that of the theory.
const COLOURS: [Colour; 8] = [
    Colour::BLUE,
    Colour::SKY,
    Colour::BLACK,
    Colour::ORANGE,
    Colour::GREY,
    Colour(0x7a, 0x3b, 0x12),
    Colour::GREEN,
    Colour::PURPLE,
];

/// One colour a followed ratio.
const SIZE_COLOURS: [Colour; 3] = [Colour::ORANGE, Colour::SKY, Colour::GREY];

fn label(solver: &str) -> &'static str {
    match solver {
        "basis-pursuit" => "basis pursuit",
        "omp" => "OMP",
        "niht" => "normalised IHT",
        "amp" => "AMP",
        "subspace-pursuit" => "subspace pursuit",
        "cosamp" => "CoSaMP",
        "htp" => "HTP",
        _ => "IHT, unit step",
    }
}

fn axes() -> (Axis, Axis) {
    let ticks = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0];
    (
        Axis::linear("δ = m/n, measurements per unknown")
            .range(0.0, 1.0)
            .ticks(ticks),
        Axis::linear("ρ = k/m, nonzeros per measurement")
            .range(0.0, 1.0)
            .ticks(ticks),
    )
}

fn curve() -> Result<Series> {
    let points: Result<Vec<(f64, f64)>> = (1..200)
        .map(|i| f64::from(i) / 200.0)
        .map(|d| Ok((d, transition(d, Signs::Signed)?.rho)))
        .collect();
    Ok(Series::line("ρ*(δ), Donoho–Tanner", points?)
        .colour(Colour::VERMILION)
        .width(2.5))
}

/// The 50 % points of basis pursuit at one size from the exact probability.
fn exact_curve(columns: u64) -> Result<Vec<(f64, f64)>> {
    let steps = 60.min(columns - 1);
    (1..=steps)
        .map(|i| i * (columns - 1) / steps)
        .map(|rows| {
            let nonzeros = even_odds_nonzeros(columns, rows, Signs::Signed)?;
            Ok((rows as f64 / columns as f64, nonzeros / rows as f64))
        })
        .collect()
}

/// The exact 50 % points of one ratio minus the limit, over 1/n, from the largest size down to the smallest.
fn exact_approach(delta: f64, smallest: u64) -> Result<Vec<(f64, f64)>> {
    // Whole numbers of rows at every followed ratio.
    let mut points = vec![(0.0, 0.0)];
    for step in (1..=16u64).rev() {
        let columns = 4 * (4 * smallest / step);
        let rows = (delta * columns as f64).round() as u64;
        let ratio = rows as f64 / columns as f64;
        let point = even_odds_nonzeros(columns, rows, Signs::Signed)? / rows as f64;
        points.push((1.0 / columns as f64, point - transition(ratio, Signs::Signed)?.rho));
    }
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points.dedup_by(|a, b| a.0 == b.0);
    Ok(points)
}

pub fn draw(table: &Table) -> Result<Figure> {
    let mut figure = Figure::new()
        .title("Recovery of a planted sparse vector")
        .columns(4)
        .legend(Legend::Below);
    let is_map = |r: &Record<'_>, solver: &str| {
        r.text("part").is_ok_and(|p| p == "map") && r.text("solver").is_ok_and(|s| s == solver)
    };
    let (x, y) = axes();
    let mut contours = Panel::new("50 % points with intervals", x, y).series(curve()?);
    for (number, solver) in SOLVERS.into_iter().enumerate() {
        let rows: Vec<Record<'_>> = table.iter().filter(|r| is_map(r, solver)).collect();
        let mut cells = Vec::with_capacity(rows.len());
        let mut ratios: Vec<f64> = Vec::new();
        for r in &rows {
            let success = r.real("successes")? / r.real("trials")?;
            cells.push((r.real("delta")?, r.real("rho")?, success));
            if !ratios.contains(&r.real("delta")?) {
                ratios.push(r.real("delta")?);
            }
        }
        let (x, y) = axes();
        let bar = Axis::linear("success probability").range(0.0, 1.0);
        figure = figure.panel(
            Panel::new(label(solver), x, y)
                .heat_map(HeatMap::new(bar, on_grid(&cells)))
                .series(curve()?),
        );
        let mut points = Vec::new();
        for delta in ratios {
            let of_ratio = rows
                .iter()
                .copied()
                .filter(|r| r.real("delta").is_ok_and(|d| d == delta));
            let fit = threshold(of_ratio, 0.05)?;
            if let Some(point) = fit.point() {
                points.push((delta, point, fit.interval.lower.max(0.0), fit.interval.upper.min(1.0)));
            }
        }
        contours = contours.series(
            Series::measured(label(solver), points)
                .colour(COLOURS[number])
                .connected(),
        );
    }
    let map_size = match table.iter().find(|r| is_map(r, SOLVERS[0])) {
        Some(r) => r.integer("columns")?.unsigned_abs(),
        None => 0,
    };
    if map_size >= 2 {
        contours = contours.series(
            Series::line(format!("exact at n = {map_size}"), exact_curve(map_size)?)
                .colour(Colour::VERMILION)
                .dashed(),
        );
    }
    figure = figure.panel(contours);

    let mut sizes = Panel::new(
        "Basis pursuit: towards the limit",
        Axis::linear("1/n").include(0.0),
        Axis::linear("50 % point − ρ*(δ)"),
    )
    .horizontal(0.0, "");
    for (number, f) in followed(table)?.into_iter().enumerate() {
        let colour = SIZE_COLOURS[number];
        let name = format!("δ = {}", f.delta);
        let points = f.points.iter().map(|&(n, point, error, theory)| {
            (
                1.0 / n,
                point - theory,
                point - theory - 2.0 * error,
                point - theory + 2.0 * error,
            )
        });
        let far = f.points.iter().map(|p| 1.0 / p.0).fold(0.0, f64::max);
        sizes = sizes
            .series(
                Series::line(format!("{name}, weighted line"), [0.0, far].map(|x| (x, f.line.at(x))))
                    .colour(colour)
                    .dashed(),
            )
            .series(
                Series::line(
                    format!("{name}, exact"),
                    exact_approach(f.delta, far.recip().round() as u64)?,
                )
                .colour(colour),
            )
            .series(Series::measured(name, points).colour(colour));
    }
    figure = figure.panel(sizes);
    figure = figure.panel(ensembles(table)?);
    let first = table.iter().find(|r| is_map(r, SOLVERS[0]));
    let (n, trials) = match &first {
        Some(r) => (r.integer("columns")?, r.integer("trials")?),
        None => (0, 0),
    };
    Ok(figure.caption(format!(
        "A ~ N(0, 1/m), ±1 spikes; success: basis pursuit proven, AMP relative ℓ₂ error ≤ 1e-4, others the right support; n = {n}, {trials} trials a cell; 95 % profile \
             intervals for the 50 % points. Towards the limit: bars of two standard errors, dashed the weighted lines, solid the exact \
             50 % points. Other matrices: δ = {}, side by side.",
        FOLLOWED.map(|d| d.to_string()).join(", ")
    )))
}

/// The 50 % points of basis pursuit through other matrices, over the exact ones of a Gaussian matrix.
fn ensembles(table: &Table) -> Result<Panel> {
    let x = Axis::linear("δ = m/n, measurements per unknown").range(0.0, 1.0);
    let y = Axis::linear("50 % point − exact Gaussian one");
    let mut panel =
        Panel::new(format!("Basis pursuit, other matrices, n = {ENSEMBLE_COLUMNS}"), x, y).horizontal(0.0, "");
    for (number, ensemble) in ENSEMBLES.into_iter().enumerate() {
        let mut points = Vec::new();
        for delta in FOLLOWED {
            let of_ratio = table.iter().filter(|r| {
                r.text("part").is_ok_and(|p| p == "ensemble")
                    && r.text("ensemble").is_ok_and(|e| e == ensemble)
                    && r.real("delta").is_ok_and(|d| (d - delta).abs() <= 1e-9)
            });
            let rows: Vec<Record<'_>> = of_ratio.collect();
            if rows.is_empty() {
                continue;
            }
            let fit = threshold(rows.into_iter(), 0.05)?;
            if let Some(point) = fit.point() {
                let rows = (delta * ENSEMBLE_COLUMNS as f64).round();
                let exact = even_odds_nonzeros(ENSEMBLE_COLUMNS as u64, rows as u64, Signs::Signed)? / rows;
                // Side by side, so that intervals do not hide one another.
                let shifted = delta + 0.02 * (number as f64 - 2.0);
                let Interval { lower, upper } = fit.interval;
                points.push((shifted, point - exact, lower - exact, upper - exact));
            }
        }
        let label = match ensemble {
            "gaussian" => "Gaussian",
            "rademacher" => "random signs",
            "partial-fourier" => "Fourier rows",
            "correlated" => "correlated columns",
            _ => "Jacobian",
        };
        panel = panel.series(Series::measured(label, points).colour(Colour::nth(number)));
    }
    Ok(panel)
}

/// Cells of a heat map on the regular grid of ρ nearest to the whole-number ratios, so that columns of different m line
/// up.
fn on_grid(cells: &[(f64, f64, f64)]) -> Vec<(f64, f64, f64)> {
    let mut deltas: Vec<f64> = cells.iter().map(|c| c.0).collect();
    deltas.sort_by(f64::total_cmp);
    deltas.dedup();
    let steps = deltas
        .iter()
        .map(|d| cells.iter().filter(|c| c.0 == *d).count())
        .max()
        .unwrap_or(1);
    let mut grid = Vec::with_capacity(deltas.len() * steps);
    for delta in deltas {
        let column: Vec<&(f64, f64, f64)> = cells.iter().filter(|c| c.0 == delta).collect();
        for i in 1..=steps {
            let rho = i as f64 / steps as f64;
            let nearest = column
                .iter()
                .min_by(|a, b| (a.1 - rho).abs().total_cmp(&(b.1 - rho).abs()));
            if let Some(cell) = nearest {
                grid.push((delta, rho, cell.2));
            }
        }
    }
    grid
}
