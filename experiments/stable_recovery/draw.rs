//! The figure.

use super::METHODS;
use super::claims::{judged, largest, part};
use super::typical::{self, DECAYS};
use std::collections::BTreeMap;
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Colour, Figure, Panel, Series};
use ticketsense::statistics::distributions::two_sided_normal;
use ticketsense::table::Table;
use ticketsense::theory::stable_recovery::basis_pursuit;

/// Level of the drawn intervals.
const LEVEL: f64 = 0.05;
/// The decay at which noise is drawn.
const SHOWN: f64 = 2.0;

pub(super) fn figure(table: &Table) -> Result<Figure> {
    Ok(Figure::new()
        .columns(2)
        .panel_size(520.0, 350.0)
        .panel(against_bound(table)?)
        .panel(ratios(table)?)
        .panel(constants(table)?)
        .panel(by_tail(table)?)
        .panel(by_noise(table)?)
        .panel(weights(table)?)
        .caption(format!(
            "(a) The worst of every group of problems, and the worst that a search found; on the line the error is the bound. \
             (c) Candès' constants. (d) Without noise, entries j^(−q), q from {} to \
             {}. (e) q = {SHOWN}. (d, e) Gaussian matrices, nothing is certified; grey: error = σ_k(x)₁/√k + ε; 95 % intervals. (f) \
             Means over networks on the digits.",
            DECAYS[0],
            DECAYS[DECAYS.len() - 1]
        )))
}

fn colour(method: &str) -> Colour {
    match method {
        "iht" => Colour::VERMILION,
        "htp" => Colour::GREEN,
        "normalised iht" => Colour::ORANGE,
        _ => Colour::BLUE,
    }
}

fn words(method: &str) -> &str {
    match method {
        "iht" => "IHT",
        "htp" => "HTP",
        "normalised iht" => "normalised IHT",
        other => other,
    }
}

fn against_bound(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "Certified matrices: errors and bounds",
        Axis::log("bound").range(1e-2, 1e3),
        Axis::log("error ‖x̂ − x‖₂").range(1e-4, 1e1),
    )
    .series(
        Series::line("error = bound", [(1e-4, 1e-4), (1e3, 1e3)])
            .colour(Colour::BLACK)
            .dashed(),
    );
    for method in METHODS {
        for name in ["certified", "search"] {
            let mut points = Vec::new();
            for row in judged(table, name, method)? {
                points.push((row.real("bound")?, row.real("error")?));
            }
            panel = panel.series(Series::points(words(method), points).colour(colour(method)));
        }
    }
    Ok(panel)
}

fn ratios(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "The worst error over its bound",
        Axis::categories("", METHODS.map(words)),
        Axis::linear("error over bound").range(0.0, 1.1),
    )
    .horizontal(1.0, "bound");
    for (name, label, colour) in [
        ("certified", "at random", Colour::SKY),
        ("search", "by search", Colour::ORANGE),
    ] {
        let mut bars = Vec::new();
        for (at, method) in METHODS.into_iter().enumerate() {
            bars.push((at as f64, largest(&judged(table, name, method)?)?));
        }
        panel = panel.series(Series::bars(label, bars).colour(colour));
    }
    Ok(panel)
}

fn constants(table: &Table) -> Result<Panel> {
    let (mut tail, mut noise) = (Vec::new(), Vec::new());
    for i in 0..=80 {
        let delta = 0.005 * f64::from(i);
        let found = basis_pursuit(delta)?;
        tail.push((delta, found.compressibility));
        noise.push((delta, found.noise));
    }
    let mut places = Vec::new();
    for row in judged(table, "certified", METHODS[0])? {
        let delta = row.real("second")?;
        // The upper end of the axis is where the constants end.
        if let Ok(found) = basis_pursuit(delta)
            && !places.iter().any(|(d, _)| *d == delta)
        {
            places.push((delta, found.compressibility));
            places.push((delta, found.noise));
        }
    }
    Ok(Panel::new(
        "What the isometry constant costs",
        Axis::linear("isometry constant δ_2k").range(0.0, 2f64.sqrt() - 1.0),
        Axis::log("constant").range(1.0, 300.0),
    )
    .series(Series::line("C₀, before σ_k(x)₁/√k", tail).colour(Colour::PURPLE))
    .series(Series::line("C₁, before ε", noise).colour(Colour::BLACK))
    .series(Series::points("certified matrices", places).colour(Colour::SKY)))
}

fn by_tail(table: &Table) -> Result<Panel> {
    means(
        table,
        "Larger matrices, no noise: compressibility",
        Axis::log("σ_k(x)₁/√k"),
        |decay, noise| (noise == 0.0).then_some(decay),
        |row| row.0,
    )
}

fn by_noise(table: &Table) -> Result<Panel> {
    means(
        table,
        "Larger matrices: noise",
        Axis::log("σ_k(x)₁/√k + ε"),
        |decay, noise| (decay == SHOWN && noise > 0.0).then_some(noise),
        |row| row.0 + row.1,
    )
}

fn means(
    table: &Table,
    title: &str,
    x: Axis,
    shown: impl Fn(f64, f64) -> Option<f64>,
    place: impl Fn((f64, f64)) -> f64,
) -> Result<Panel> {
    let z = two_sided_normal(LEVEL)?;
    let mut panel = Panel::new(title, x, Axis::log("mean error ‖x̂ − x‖₂"));
    let mut all = Vec::new();
    for method in typical::METHODS {
        let mut points = Vec::new();
        for row in part(table, "typical") {
            let (decay, noise) = (row.real("decay")?, row.real("noise")?);
            if row.text("method")? != method || shown(decay, noise).is_none() {
                continue;
            }
            let at = place((row.real("tail")?, noise));
            let (mean, half) = (row.real("error")?, z * row.real("standard_error")?);
            points.push((at, mean, (mean - half).max(0.5 * mean), mean + half));
            all.push(at);
        }
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        panel = panel.series(
            Series::measured(words(method), points)
                .colour(colour(method))
                .connected(),
        );
    }
    all.sort_by(f64::total_cmp);
    if let (Some(&first), Some(&last)) = (all.first(), all.last()) {
        panel = panel.series(
            Series::line("", [(first, first), (last, last)])
                .colour(Colour::GREY)
                .dotted(),
        );
    }
    Ok(panel)
}

fn weights(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "How nearly sparse weights are",
        Axis::linear("k over the number of weights").range(0.0, 1.0),
        Axis::log("σ_k(θ)₁ / (√k ‖θ‖₂)"),
    );
    for (number, vector) in ["trained", "initial", "update", "gaussian"].into_iter().enumerate() {
        // Equal places of all networks, by k.
        let mut sums: BTreeMap<i64, (f64, f64, f64)> = BTreeMap::new();
        for row in part(table, "weights") {
            if row.text("vector")? == vector {
                let sum = sums.entry(row.integer("nonzeros")?).or_default();
                *sum = (row.real("fraction")?, sum.1 + row.real("value")?, sum.2 + 1.0);
            }
        }
        let line = sums.values().map(|(x, sum, count)| (*x, sum / count));
        let label = match vector {
            "gaussian" => "Gaussian vector",
            "update" => "trained − initial",
            other => other,
        };
        let series = Series::line(label, line).colour(Colour::nth(number + 4));
        panel = panel.series(if vector == "gaussian" { series.dashed() } else { series });
    }
    Ok(panel)
}
