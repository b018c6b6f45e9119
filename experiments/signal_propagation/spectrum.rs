//! Singular values of the Jacobian across masked layers: independent and orthogonal weights, at the critical scale.

use super::maps::{at_scale, critical, resting};
use super::observed::{Sampled, sampled_row};
use ticketsense::harness::{Cell, Context};
use ticketsense::simulations::propagation::{RandomNetwork, Scaling};
use ticketsense::table::Row;
use ticketsense::theory::mean_field::{Ensemble, Nonlinearity};
use ticketsense::{Density, Result};

/// Moments of the squared singular values.
pub(super) const JACOBIAN: &str = "jacobian";

const DENSITIES: [f64; 3] = [1.0, 0.5, 0.1];
const DEPTHS: [usize; 3] = [1, 2, 4];
/// Width at which linear and ReLU networks meet their exact moments; tanh networks have this and half of it.
const WIDTH: usize = 64;

pub(super) fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for phi in [Nonlinearity::Linear, Nonlinearity::Relu, Nonlinearity::Tanh] {
        for ensemble in [Ensemble::Gaussian, Ensemble::Orthogonal] {
            for density in DENSITIES {
                for width in if phi == Nonlinearity::Tanh {
                    vec![WIDTH / 2, WIDTH]
                } else {
                    vec![WIDTH]
                } {
                    let cell = Cell::new()
                        .problem("part", JACOBIAN)
                        .problem("nonlinearity", phi.as_str())
                        .problem("ensemble", ensemble.as_str())
                        .problem("density", density)
                        .problem("width", width);
                    cells.push(cell);
                }
            }
        }
    }
    cells
}

pub(super) fn rows(cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
    let phi: Nonlinearity = cell.text("nonlinearity")?.parse()?;
    let ensemble: Ensemble = cell.text("ensemble")?.parse()?;
    let (width, density) = (cell.integer("width")?, cell.real("density")?);
    let (scale, bias) = critical(phi)?;
    let model = at_scale(phi, density, scale, bias);
    let initial = resting(&model).unwrap_or(1.0);
    let replicates = context.scale().pick(30, 120, 3000);
    let mut rows = Vec::new();
    for depth in DEPTHS {
        context.check()?;
        let network = RandomNetwork {
            width,
            depth,
            density: Density::new(density)?,
            weight_variance: model.weight_variance,
            bias_variance: bias,
            scaling: Scaling::DenseFanIn,
            initial_length: initial,
        };
        let seed = context.seed(cell).stream(format!("depth={depth}"));
        let sample = network.jacobians(phi, ensemble, replicates, &seed)?;
        let wide = model.jacobian(ensemble, initial, depth)?;
        let exact = model.finite_jacobian(ensemble, width, depth)?;
        let mean = exact.map_or(wide.mean_square, |e| e.mean_square);
        let second = exact.map_or(wide.relative_second_moment, |e| e.relative_second_moment);
        for (measure, power, predicted) in [("mean-square", 2, mean), ("mean-fourth", 4, second * mean * mean)] {
            let values: Vec<f64> = (0..sample.replicates())
                .filter_map(|t| sample.singular_values(t))
                .map(|spectrum| spectrum.iter().map(|v| v.powi(power)).sum::<f64>() / width as f64)
                .collect();
            // That a mask leaves orthogonal weights as they were.
            let unmasked = (ensemble == Ensemble::Orthogonal && density < 1.0 && power == 4)
                .then(|| (wide.relative_second_moment - depth as f64 * ensemble.spread(density)) * mean * mean);
            let axes = [
                ("part", JACOBIAN.into()),
                ("nonlinearity", phi.as_str().into()),
                ("ensemble", ensemble.as_str().into()),
                ("width", width.into()),
                ("density", density.into()),
                ("weight_variance", model.weight_variance.into()),
                ("bias_variance", bias.into()),
                ("initial", initial.into()),
                ("layer", depth.into()),
                ("measure", measure.into()),
            ];
            let rest = [("predicted", predicted.into()), ("rival", unmasked.into())];
            rows.push(sampled_row(&axes, &Sampled::of(&values)?, &rest)?);
        }
    }
    Ok(rows)
}
