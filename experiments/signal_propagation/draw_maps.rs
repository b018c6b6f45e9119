//! The panels on maps, angles, singular values and inherited scale.

use super::inherited::{INHERITED, TRAINED_DENSITIES};
use super::inherited_claim::{self, shares};
use super::maps::CURVE;
use super::maps_claim::{lengths_by_width, level, spectra as compared_spectra, wide_limits};
use super::networks::{COPIES, NEAR, RATES, WIDE};
use super::observed::{Comparison, Observed, limits};
use super::spectrum::JACOBIAN;
use ticketsense::Result;
use ticketsense::harness::figures::{Anchor, Axis, Colour, Marker, Panel, Series};
use ticketsense::statistics::Summary;
use ticketsense::table::Table;
use ticketsense::theory::mean_field::{MeanField, Nonlinearity, edge_point, inherited_scale};

const DENSITY_COLOURS: [(f64, Colour); 3] = [(1.0, Colour::BLUE), (0.2, Colour::ORANGE), (0.05, Colour::VERMILION)];

/// The edge of chaos of two functions at three densities, and where simulated gradients cross 1.
pub(super) fn edge(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "edge of chaos: density only rescales σ_w",
        Axis::log("σ_w").range(0.7, 11.0),
        Axis::linear("σ_b").range(0.0, 0.6),
    );
    for (density, colour) in DENSITY_COLOURS {
        for (phi, dashed) in [(Nonlinearity::Tanh, false), (Nonlinearity::Erf, true)] {
            let mut line = Vec::new();
            for i in 0..=160 {
                let q = 1e-4 * 10f64.powf(5.0 * f64::from(i) / 160.0);
                if let Some(point) = edge_point(phi, q)? {
                    line.push((point.weight_variance(density).sqrt(), point.bias_variance.sqrt()));
                }
            }
            line.retain(|p| p.1 <= 0.6 && p.0 <= 11.0);
            let series = Series::line(format!("{phi}, ρ = {density}"), line).colour(colour);
            panel = panel.series(if dashed { series.dashed() } else { series });
        }
        let mut points = Vec::new();
        for phi in [Nonlinearity::Tanh, Nonlinearity::Erf] {
            points.extend(crossing(table, phi, density)?);
        }
        panel = panel.series(
            Series::points(format!("tanh, ρ = {density}"), points)
                .colour(colour)
                .marker(Marker::Wedge),
        );
    }
    Ok(panel)
}

/// Where the logarithm of the simulated gradient at infinite width, by regime, crosses zero: σ_w and σ_b.
fn crossing(table: &Table, phi: Nonlinearity, density: f64) -> Result<Option<(f64, f64)>> {
    let mut rows = Observed::read(table, WIDE)?;
    rows.retain(|r| {
        r.measure == "gradient"
            && r.nonlinearity == phi.as_str()
            && r.density == density
            && r.lattice == "dense"
            && r.scaling == "dense-fan-in"
            && r.bias_variance > 0.0
    });
    let mut at: Vec<(f64, f64)> = Vec::new();
    for narrow in &rows {
        let wide = rows
            .iter()
            .find(|w| w.width == 2 * narrow.width && w.regime == narrow.regime);
        if let Some((a, b)) = wide.and_then(|w| narrow.value.zip(w.value)) {
            at.push((narrow.weight_variance.ln(), (2.0 * b - a).max(1e-9).ln()));
        }
    }
    at.sort_by(|a, b| a.0.total_cmp(&b.0));
    let bias = rows.first().map_or(0.0, |r| r.bias_variance);
    let crossed = at.windows(2).find(|w| w[0].1 <= 0.0 && w[1].1 > 0.0);
    Ok(crossed.map(|w| {
        let x = w[0].0 - w[0].1 * (w[1].0 - w[0].0) / (w[1].1 - w[0].1);
        ((0.5 * x).exp(), bias.sqrt())
    }))
}

/// Six correlation lengths over σ_w.
pub(super) fn band(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "trainable depth of tanh networks, 6 ξ",
        Axis::linear("√ρ σ_w"),
        Axis::log("layers").range(1.0, 1000.0),
    );
    let rows = Observed::read(table, CURVE)?;
    let line = |measure: &str| -> Vec<(f64, f64)> {
        let mut line: Vec<(f64, f64)> = rows
            .iter()
            .filter(|r| r.measure == measure)
            .filter_map(|r| Some((r.scale().sqrt(), 6.0 * r.value?)))
            .collect();
        line.sort_by(|a, b| a.0.total_cmp(&b.0));
        line
    };
    // A finer line by the theory itself, which costs nothing in the ordered phase.
    let mut ordered = Vec::new();
    for i in 0..=72 {
        let deviation = 0.6 + 0.01 * f64::from(i);
        let model = MeanField {
            nonlinearity: Nonlinearity::Tanh,
            density: 1.0,
            weight_variance: deviation * deviation,
            bias_variance: super::maps::BIAS,
        };
        let point = super::maps::settled(&model)?;
        ordered.extend(point.and_then(|p| p.correlation_length).map(|l| (deviation, 6.0 * l)));
    }
    let edge = super::maps_claim::TANH_EDGE.sqrt();
    let chaotic: Vec<(f64, f64)> = line("correlation-length").into_iter().filter(|p| p.0 > edge).collect();
    panel = panel
        .series(Series::line("6 ξ_c", ordered).colour(Colour::BLACK))
        .series(Series::line("6 ξ_c", chaotic).colour(Colour::BLACK))
        .series(
            Series::line("6 ξ_q", line("variance-length"))
                .colour(Colour::GREY)
                .dashed(),
        )
        .vertical(edge, "edge");
    let comparisons = limits(&Observed::read(table, RATES)?, level(table), 10.0 * NEAR)?;
    for (measure, colour, marker) in [
        ("separation-rate", Colour::BLUE, Marker::Circle),
        ("gradient-rate", Colour::VERMILION, Marker::Wedge),
    ] {
        let rows = Observed::read(table, RATES)?;
        let places = comparisons
            .iter()
            .filter(|c| c.name.starts_with(measure) && c.name.contains("tanh"))
            .filter_map(|c| {
                let row = rows
                    .iter()
                    .find(|r| r.measure == measure && r.predicted == Some(c.predicted))?;
                let depth = |rate: f64| -6.0 / rate;
                let (low, high) = (c.value - c.tolerance, (c.value + c.tolerance).min(-6e-3));
                Some((row.scale().sqrt(), depth(c.value), depth(low), depth(high)))
            });
        let places: Vec<_> = places.filter(|p| p.1 > 0.0).collect();
        panel = panel.series(
            Series::measured(format!("simulated {}", measure.replace('-', " ")), places)
                .colour(colour)
                .marker(marker),
        );
    }
    Ok(panel)
}

/// How angles approach their fixed point.
pub(super) fn angles(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "angles by layer: exponential off the edge",
        Axis::linear("layer ℓ"),
        Axis::log("|c_ℓ − c*|").range(1e-6, 1.0),
    );
    let rows = Observed::read(table, CURVE)?;
    for (regime, colour) in [
        ("0.5", Colour::BLUE),
        ("0.85", Colour::GREEN),
        ("1", Colour::BLACK),
        ("1.6", Colour::VERMILION),
    ] {
        let line: Vec<(f64, f64)> = rows
            .iter()
            .filter(|r| r.measure == "deviation" && r.regime == regime)
            .filter_map(|r| Some((r.layer as f64, r.value.filter(|&v| v > 1e-6)?)))
            .collect();
        panel = panel.series(Series::line(format!("tanh, {regime} of the critical scale"), line).colour(colour));
    }
    let relu = (4..=40).map(|l| (f64::from(l), 4.5 * std::f64::consts::PI.powi(2) / f64::from(l * l)));
    let relu: Vec<(f64, f64)> = relu.filter(|p| p.1 < 1.0).collect();
    Ok(panel.series(Series::line("9π²/(2ℓ²)", relu).colour(Colour::GREY).dashed()))
}

/// Every comparison of two widths in its tolerance.
pub(super) fn comparisons(table: &Table) -> Result<Panel> {
    let level = level(table);
    let groups = [
        ("lengths", wide_limits(table, &["length"])?),
        ("lengths at N", lengths_by_width(table)?.0),
        ("gradients", wide_limits(table, &["gradient"])?),
        ("angles", wide_limits(table, &["separation"])?),
        ("rates", limits(&Observed::read(table, RATES)?, level, 10.0 * NEAR)?),
        ("copies", limits(&Observed::read(table, COPIES)?, level, 0.0)?),
        ("σ of J", compared_spectra(table)?),
        (
            "masks",
            [
                inherited_claim::comparisons(table, INHERITED)?,
                inherited_claim::comparisons(table, super::inherited::MAGNITUDE)?,
            ]
            .concat(),
        ),
    ];
    let mut panel = Panel::new(
        "every comparison, in its tolerance",
        Axis::categories("", groups.iter().map(|g| g.0)),
        Axis::linear("distance in tolerances").range(-1.2, 1.2),
    )
    .horizontal(1.0, "")
    .horizontal(-1.0, "")
    .horizontal(0.0, "");
    for (place, (_, comparisons)) in groups.iter().enumerate() {
        let count = comparisons.len().max(1) as f64;
        let spread = |i: usize| place as f64 - 0.35 + 0.7 * (i as f64 + 0.5) / count;
        let distance = |c: &Comparison| ((c.value - c.predicted) / c.tolerance).clamp(-1.2, 1.2);
        let points: Vec<(f64, f64)> = comparisons
            .iter()
            .enumerate()
            .map(|(i, c)| (spread(i), distance(c)))
            .collect();
        panel = panel.series(
            Series::points("a comparison", points)
                .colour(Colour::SKY)
                .marker(Marker::Circle),
        );
        panel = panel.note(place as f64, 1.1, format!("{}", comparisons.len()), Anchor::Middle);
    }
    Ok(panel)
}

/// Spread of the singular values over depth, linear networks.
pub(super) fn spectra(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "spread of the Jacobian, linear, N = 64",
        Axis::linear("layers").range(0.0, 4.4),
        Axis::linear("mean σ⁴ / (mean σ²)²").include(0.0),
    )
    .horizontal(1.0, "isometry");
    let rows = Observed::read(table, JACOBIAN)?;
    let level = level(table);
    for (ensemble, density, colour) in [
        ("gaussian", 1.0, Colour::VERMILION),
        ("orthogonal", 1.0, Colour::BLUE),
        ("orthogonal", 0.5, Colour::GREEN),
        ("orthogonal", 0.1, Colour::ORANGE),
    ] {
        let label = format!("{ensemble}, ρ = {density}");
        let (mut line, mut places) = (vec![(0.0, 1.0)], Vec::new());
        let here = |r: &&Observed| {
            r.nonlinearity == "linear" && r.measure == "mean-fourth" && r.ensemble == ensemble && r.density == density
        };
        for row in rows.iter().filter(here) {
            let Some(predicted) = row.predicted else { continue };
            line.push((row.layer as f64, predicted));
            if let Some(c) = row.against(predicted, 0.0, level)? {
                places.push((row.layer as f64, c.value, c.value - c.tolerance, c.value + c.tolerance));
            }
        }
        panel = panel
            .series(Series::line(label.as_str(), line).colour(colour))
            .series(Series::measured(label, places).colour(colour));
    }
    Ok(panel)
}

/// The share of the scale that masks keep.
pub(super) fn retained(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "what masks keep of the critical scale",
        Axis::log("density ρ").range(0.008, 1.2).reversed(),
        Axis::linear("share of ρσ_w² = 2").range(0.0, 1.08),
    )
    .horizontal(1.0, "critical");
    let grid: Vec<f64> = (0..=100).map(|i| 0.008f64.powf(1.0 - f64::from(i) / 100.0)).collect();
    let mut best = Vec::new();
    for &density in &grid {
        best.push((density, inherited_scale(density, 1.0)?));
    }
    let samples = Observed::read(table, INHERITED)?;
    let samples: Vec<(f64, f64)> = samples.iter().filter_map(|r| Some((r.density, r.value?))).collect();
    panel = panel
        .series(Series::line("largest initial weights", best).colour(Colour::BLUE))
        .series(Series::points("largest initial weights", samples).colour(Colour::BLUE))
        .series(
            Series::line("at random", grid.iter().map(|&d| (d, d)))
                .colour(Colour::GREY)
                .dashed(),
        );
    for (layer, colour) in [(1, Colour::VERMILION), (2, Colour::ORANGE)] {
        let mut places = Vec::new();
        for density in TRAINED_DENSITIES {
            let [last, ..] = shares(table, layer, density)?;
            let values: Vec<f64> = last.iter().map(|v| v.1).collect();
            if values.len() > 1 {
                let summary = Summary::of(&values)?;
                let interval = summary.interval(0.05)?;
                places.push((density, summary.mean, interval.lower, interval.upper));
            }
        }
        panel = panel.series(
            Series::measured(format!("largest final weights, layer {layer}"), places)
                .colour(colour)
                .connected(),
        );
    }
    Ok(panel)
}
