//! Networks of two widths beside the maps of infinite width: lengths, angles and gradients, and copies under masks of their own.

use super::maps::{BIAS, CURVED, DENSITIES, at_scale, critical, resting};
use super::observed::{Sampled, sampled_row};
use ticketsense::harness::{Cell, Context, Scale};
use ticketsense::simulations::propagation::{Lattice, Measure, PairProbe, RandomNetwork, Scaling};
use ticketsense::table::{Row, Value};
use ticketsense::theory::mean_field::{MeanField, Nonlinearity};
use ticketsense::{Density, Error, Result, Seed};

/// Two inputs and a gradient through masked networks.
pub(super) const WIDE: &str = "wide";
/// One input twice, each time through a mask of its own.
pub(super) const COPIES: &str = "copies";
/// Rates at which angles and gradients fall a layer, near the fixed point.
pub(super) const RATES: &str = "rates";

const DEPTH: usize = 4;
/// Layers at which the rates are fitted.
const RATE_DEPTH: usize = 8;
/// 1 − c of the inputs of the rates: the map is a line there, to a relative error of this order.
pub(super) const NEAR: f64 = 1e-4;
/// Correlation of the two inputs elsewhere.
const CORRELATION: f64 = 0.5;
/// Scale over the critical one, by regime.
const REGIMES: [(&str, f64); 3] = [("ordered", 0.7), ("critical", 1.0), ("chaotic", 1.4)];
/// Starts of GELU networks of scale 3 without biases, over the unstable fixed point.
const GELU_STARTS: [(&str, f64); 2] = [("low start", 0.5), ("high start", 2.0)];
const GELU_SCALE: f64 = 3.0;
const RATE_MULTIPLES: [(&str, f64); 3] = [("0.5", 0.5), ("0.7", 0.7), ("0.85", 0.85)];

/// The narrower of the two widths: a unit keeps ten inputs or more.
fn narrow(density: f64) -> usize {
    if density < 0.1 { 200 } else { 100 }
}

pub(super) fn cells(scale: Scale) -> Vec<Cell> {
    let mut cells = Vec::new();
    let mut wide = |phi: Nonlinearity,
                    regime: &'static str,
                    lattice: &'static str,
                    density: f64,
                    width: usize,
                    scaling: Scaling| {
        for factor in [1, 2] {
            let cell = Cell::new()
                .problem("part", WIDE)
                .problem("nonlinearity", phi.as_str())
                .problem("regime", regime)
                .problem("lattice", lattice)
                .problem("density", density)
                .problem("width", factor * width)
                .problem("scaling", scaling.as_str());
            cells.push(cell);
        }
    };
    let (densities, kinds): (&[f64], &[Nonlinearity]) = scale.pick(
        (&[0.2], &[Nonlinearity::Tanh]),
        (&DENSITIES, &Nonlinearity::ALL),
        (&DENSITIES, &Nonlinearity::ALL),
    );
    for &phi in kinds {
        for &density in densities {
            for (regime, _) in REGIMES {
                wide(phi, regime, "dense", density, narrow(density), Scaling::DenseFanIn);
            }
        }
    }
    for &density in densities {
        for (regime, _) in GELU_STARTS {
            wide(
                Nonlinearity::Gelu,
                regime,
                "dense",
                density,
                narrow(density),
                Scaling::DenseFanIn,
            );
        }
    }
    for phi in [Nonlinearity::Tanh, Nonlinearity::Relu] {
        wide(phi, "critical", "dense", 0.2, 100, Scaling::MaskedFanIn);
        wide(phi, "critical", "ring", 0.5, 24, Scaling::DenseFanIn);
        wide(phi, "critical", "torus", 0.5, 16, Scaling::DenseFanIn);
    }
    for &phi in scale.pick(
        &[Nonlinearity::Tanh][..],
        &[Nonlinearity::Tanh, Nonlinearity::Relu],
        &Nonlinearity::ALL,
    ) {
        for width in [100usize, 200] {
            for density in [0.5, 0.2] {
                let cell = Cell::new()
                    .problem("part", COPIES)
                    .problem("nonlinearity", phi.as_str());
                cells.push(cell.problem("density", density).problem("width", width));
            }
        }
    }
    for &phi in scale.pick(&CURVED[..1], &CURVED[..2], &CURVED[..]) {
        for (regime, _) in RATE_MULTIPLES {
            for width in [80usize, 160] {
                let cell = Cell::new().problem("part", RATES).problem("nonlinearity", phi.as_str());
                cells.push(cell.problem("regime", regime).problem("width", width));
            }
        }
    }
    cells
}

pub(super) fn rows(cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
    let (scale, seed) = (context.scale(), context.seed(cell));
    context.check()?;
    match cell.text("part")? {
        WIDE => wide(cell, scale.pick(30, 120, 2000), &seed),
        COPIES => copies(cell, scale.pick(30, 150, 2000), &seed),
        RATES => rates(cell, scale.pick(30, 150, 2000), &seed),
        other => Err(Error::unknown("part", other, [WIDE, COPIES, RATES])),
    }
}

fn network(
    model: &MeanField,
    width: usize,
    depth: usize,
    scaling: Scaling,
    initial_length: f64,
) -> Result<RandomNetwork> {
    Ok(RandomNetwork {
        width,
        depth,
        density: Density::new(model.density)?,
        weight_variance: model.weight_variance,
        bias_variance: model.bias_variance,
        scaling,
        initial_length,
    })
}

fn axes(
    part: &'static str,
    model: &MeanField,
    width: usize,
    layer: usize,
    initial: f64,
    measure: &'static str,
) -> Vec<(&'static str, Value)> {
    vec![
        ("part", part.into()),
        ("nonlinearity", model.nonlinearity.as_str().into()),
        ("width", width.into()),
        ("density", model.density.into()),
        ("weight_variance", model.weight_variance.into()),
        ("bias_variance", model.bias_variance.into()),
        ("layer", layer.into()),
        ("initial", initial.into()),
        ("measure", measure.into()),
    ]
}

/// The network of a regime, and the variance of its first layer.
fn subject(phi: Nonlinearity, regime: &str, density: f64) -> Result<(MeanField, f64)> {
    if let Some((_, factor)) = GELU_STARTS.iter().find(|(name, _)| *name == regime) {
        let model = at_scale(phi, density, GELU_SCALE, 0.0);
        let unstable = model.fixed_points()?.points.into_iter().find(|p| !p.is_stable());
        let unstable = unstable.ok_or_else(|| Error::numerical("bistable network", "no unstable fixed point"))?;
        return Ok((model, factor * unstable.variance));
    }
    let names = REGIMES.iter().map(|r| r.0);
    let (_, multiple) = REGIMES
        .iter()
        .find(|(name, _)| *name == regime)
        .ok_or_else(|| Error::unknown("regime", regime, names))?;
    let (scale, bias) = critical(phi)?;
    let model = at_scale(phi, density, multiple * scale, bias);
    // At the edge from the fixed point, where χ₁ is 1; elsewhere on the way to it.
    let initial = if regime == "critical" { resting(&model) } else { None };
    Ok((model, initial.unwrap_or(1.0)))
}

fn wide(cell: &Cell, replicates: usize, seed: &Seed) -> Result<Vec<Row>> {
    let phi: Nonlinearity = cell.text("nonlinearity")?.parse()?;
    let (width, density, regime, shape) = (
        cell.integer("width")?,
        cell.real("density")?,
        cell.text("regime")?,
        cell.text("lattice")?,
    );
    let lattice = match shape {
        "ring" => Lattice::ring(9, 3)?,
        "torus" => Lattice::torus([4, 5], [3, 3])?,
        _ => Lattice::POINT,
    };
    let masked = cell.text("scaling")? == Scaling::MaskedFanIn.as_str();
    let (model, initial) = subject(phi, regime, density)?;
    // With the fan-in corrected, the network of density 1 is what the masked one must follow.
    let dense = |weight_variance: f64| MeanField {
        density: 1.0,
        weight_variance,
        ..model
    };
    let (drawn, map, rival, scaling) = if masked {
        let drawn = MeanField {
            weight_variance: model.scale(),
            ..model
        };
        (drawn, dense(model.scale()), drawn, Scaling::MaskedFanIn)
    } else {
        (model, model, dense(model.weight_variance), Scaling::DenseFanIn)
    };
    let probe = PairProbe {
        nonlinearity: phi,
        lattice,
        correlation: CORRELATION,
    };
    let sample = network(&drawn, width, DEPTH, scaling, initial)?.signals(&probe, replicates, seed)?;
    let lengths = map.variances(initial, DEPTH)?.values;
    let wrong = rival.variances(initial, DEPTH)?.values;
    let mut correlations = vec![CORRELATION];
    for layer in 0..DEPTH {
        correlations.push(map.next_correlation(lengths[layer], correlations[layer])?);
    }
    let plain = shape == "dense" && !masked;
    let corrections = if plain {
        Some(map.width_corrections(initial, DEPTH)?)
    } else {
        None
    };
    let mut rows = Vec::new();
    let shared = [
        ("regime", regime.into()),
        ("lattice", shape.into()),
        ("scaling", scaling.as_str().into()),
    ];
    let mut add = |measure: Measure, layer: usize, predicted: f64, wrong: Option<f64>| {
        let mut values = sample.values(measure, layer)?;
        values.retain(|v| !v.is_nan());
        let correction = corrections
            .as_ref()
            .filter(|_| measure == Measure::Length)
            .map(|c| c[layer]);
        let mut rest = shared.to_vec();
        rest.extend([
            ("predicted", predicted.into()),
            ("rival", wrong.into()),
            ("width_term", correction.map(|c| c.mean / width as f64).into()),
            ("neglected", correction.map(|c| c.neglected(width, predicted)).into()),
        ]);
        let axes = axes(WIDE, &drawn, width, layer, initial, measure.as_str());
        rows.push(sampled_row(&axes, &Sampled::of(&values)?, &rest)?);
        Ok::<(), Error>(())
    };
    for layer in [2, DEPTH] {
        let rival = (density < 1.0).then_some(wrong[layer]);
        add(Measure::Length, layer, lengths[layer], rival)?;
        add(Measure::Separation, layer, 1.0 - correlations[layer], None)?;
    }
    let gradient =
        |map: &MeanField, lengths: &[f64]| lengths[..DEPTH].iter().map(|&q| map.gradient_factor(q)).product();
    let wrong: f64 = gradient(&rival, &wrong);
    add(
        Measure::Gradient,
        0,
        gradient(&map, &lengths),
        (density < 1.0).then_some(wrong),
    )?;
    Ok(rows)
}

fn copies(cell: &Cell, replicates: usize, seed: &Seed) -> Result<Vec<Row>> {
    let phi: Nonlinearity = cell.text("nonlinearity")?.parse()?;
    let (width, density) = (cell.integer("width")?, cell.real("density")?);
    let (scale, bias) = critical(phi)?;
    let model = at_scale(phi, density, scale, bias);
    let initial = resting(&model).unwrap_or(1.0);
    let found = network(&model, width, DEPTH, Scaling::DenseFanIn, initial)?.copies(phi, replicates, seed)?;
    let (mut q, mut c, mut rows) = (initial, 1.0, Vec::new());
    for (layer, values) in found.iter().enumerate().skip(1) {
        c = model.next_redrawn_correlation(q, c)?;
        q = model.next_variance(q);
        let mut values = values.clone();
        values.retain(|v| !v.is_nan());
        let rest = [
            ("regime", "redrawn mask".into()),
            ("predicted", c.into()),
            ("rival", 1.0.into()),
        ];
        let axes = axes(COPIES, &model, width, layer, initial, "copy-correlation");
        rows.push(sampled_row(&axes, &Sampled::of(&values)?, &rest)?);
    }
    Ok(rows)
}

fn rates(cell: &Cell, replicates: usize, seed: &Seed) -> Result<Vec<Row>> {
    let phi: Nonlinearity = cell.text("nonlinearity")?.parse()?;
    let (width, regime) = (cell.integer("width")?, cell.text("regime")?);
    let names = RATE_MULTIPLES.iter().map(|r| r.0);
    let (_, multiple) = RATE_MULTIPLES
        .iter()
        .find(|(name, _)| *name == regime)
        .ok_or_else(|| Error::unknown("regime", regime, names))?;
    let model = at_scale(phi, 0.5, multiple * critical(phi)?.0, BIAS);
    let initial = resting(&model).ok_or_else(|| Error::numerical("rates", "no fixed point"))?;
    let factor = model.gradient_factor(initial);
    let probe = PairProbe {
        nonlinearity: phi,
        lattice: Lattice::POINT,
        correlation: 1.0 - NEAR,
    };
    let net = network(&model, width, RATE_DEPTH, Scaling::DenseFanIn, initial)?;
    let sample = net.signals(&probe, replicates, seed)?;
    let rate = factor.ln();
    // What the rates would be with the density forgotten.
    let wrong = (factor / model.density).ln();
    let mut rows = Vec::new();
    for (measure, name, sign) in [
        (Measure::Separation, "separation-rate", 1.0),
        (Measure::Gradient, "gradient-rate", -1.0),
    ] {
        let first = if measure == Measure::Separation { 1 } else { 0 };
        let mut values = Vec::new();
        // The slope of every network's own line over the layers.
        let columns: Vec<Vec<f64>> = (first..=RATE_DEPTH)
            .map(|layer| sample.values(measure, layer))
            .collect::<Result<_>>()?;
        let middle = 0.5 * (columns.len() - 1) as f64;
        let spread: f64 = (0..columns.len()).map(|i| (i as f64 - middle).powi(2)).sum();
        for t in 0..sample.replicates() {
            if columns.iter().all(|c| c[t] > 0.0) {
                let terms = columns.iter().enumerate().map(|(i, c)| (i as f64 - middle) * c[t].ln());
                values.push(sign * terms.sum::<f64>() / spread);
            }
        }
        let rest = [
            ("regime", regime.into()),
            ("predicted", rate.into()),
            ("rival", wrong.into()),
        ];
        let axes = axes(RATES, &model, width, RATE_DEPTH, initial, name);
        rows.push(sampled_row(&axes, &Sampled::of(&values)?, &rest)?);
    }
    Ok(rows)
}
