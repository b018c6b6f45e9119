//! Known sparse rows behind drawn and real inputs, over the number of samples.

use super::super::comparison::{Line, Trial};
use super::super::tickets::{plan, ticket_seed};
use super::{COLUMNS, PLANTED};
use nalgebra::DMatrix;
use ticketsense::harness::{Cell, Context};
use ticketsense::networks::{Array, Layer};
use ticketsense::pruning::{PlantedInputs, PlantedRows, TrimmedBy};
use ticketsense::table::Row;
use ticketsense::{Error, Result};

/// Inputs that are drawn, beside the real ones of equal fan-in.
pub const GAUSSIAN: &str = "gaussian";
pub const RECTIFIED: &str = "rectified";
/// The pixels of the training samples.
pub const PIXELS: &str = "pixels";
/// What the second layer of a trained network sees.
pub const HIDDEN: &str = "hidden";
pub const INPUTS: [&str; 4] = [GAUSSIAN, RECTIFIED, PIXELS, HIDDEN];

/// Nonzeros over fan-in.
pub const FRACTIONS: [f64; 3] = [0.1, 0.2, 0.4];

/// Samples over fan-in.
const RATIOS: [f64; 14] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0, 3.0];

/// Trained networks that the hidden inputs come from.
const NETWORKS: usize = 4;

/// The cells: kinds of inputs and fractions. Every kind meets the same streams.
pub fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for fraction in FRACTIONS {
        for inputs in INPUTS {
            cells.push(
                Cell::new()
                    .problem("fraction", fraction)
                    .treatment("part", PLANTED)
                    .treatment("inputs", inputs),
            );
        }
    }
    cells
}

/// The inputs of the second dense layer of a network on all training samples.
fn hidden(trial: &Trial, inputs: &Array<f64>) -> Result<DMatrix<f64>> {
    let theta: Vec<f64> = trial.trained()?.iter().map(|&v| f64::from(v)).collect();
    let layers = trial.network.layers();
    let dense = |place: &usize| matches!(layers[*place], Layer::Dense(_));
    let second = (0..layers.len()).filter(dense).nth(1);
    let missing = || Error::argument("network", "at least two dense layers", trial.network.name());
    let before = second.and_then(|place| place.checked_sub(1)).ok_or_else(missing)?;
    let values = trial.network.activations(&theta, inputs)?.swap_remove(before);
    Ok(DMatrix::from_row_slice(
        values.rows(),
        values.columns(),
        values.as_slice(),
    ))
}

/// The rows of a cell: one a number of samples.
pub fn rows(cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
    let (kind, fraction) = (cell.text("inputs")?.to_string(), cell.real("fraction")?);
    let scale = context.scale();
    let plan = plan(scale);
    let mut given: Vec<DMatrix<f64>> = Vec::new();
    for number in 0..scale.pick(1, NETWORKS, NETWORKS) {
        // Pixels are the same for every network.
        if kind == PIXELS && number > 0 || ![PIXELS, HIDDEN].contains(&kind.as_str()) {
            break;
        }
        let trial = Trial::dense(context, &plan, number)?;
        let pixels: Array<f64> = trial.samples.view().training.inputs.convert();
        given.push(match kind.as_str() {
            HIDDEN => hidden(&trial, &pixels)?,
            _ => DMatrix::from_row_slice(pixels.rows(), pixels.columns(), pixels.as_slice()),
        });
    }
    // Drawn inputs have the fan-in of the hidden layer, real ones their own.
    let network = plan.build_network(&super::super::tickets::samples(context)?.view())?;
    let width = network.dense_layers().next().map_or(1, |first| first.outputs);
    let fan_in = given.first().map_or(width, DMatrix::ncols);
    let nonzeros = (fraction * fan_in as f64).round() as usize;
    let trials = scale.pick(8, 120, 400);
    let seed = ticket_seed(context, 0).stream("planted rows").stream(cell.key());
    let mut rows = Vec::new();
    for ratio in RATIOS {
        context.check()?;
        let samples = (ratio * fan_in as f64).round() as usize;
        if samples < nonzeros {
            continue;
        }
        let mut recovered = 0;
        for trial in 0..trials {
            let inputs = match (kind.as_str(), given.get(trial % given.len().max(1))) {
                (GAUSSIAN, _) => PlantedInputs::Gaussian,
                (RECTIFIED, _) => PlantedInputs::Rectified,
                (_, Some(matrix)) => PlantedInputs::Given(matrix),
                (other, None) => return Err(Error::unknown("inputs", other, INPUTS)),
            };
            let problem = PlantedRows {
                inputs,
                samples,
                fan_in,
                nonzeros,
                rows: 1,
            };
            let stream = seed.stream(samples.to_string()).stream(trial.to_string());
            recovered += problem.run(TrimmedBy::Omp, &stream)?.recovered();
        }
        rows.push(
            Line::new(PLANTED, 0, &kind, fraction)
                .with("samples", samples)
                .with("fan_in", fan_in)
                .with("nonzeros", nonzeros)
                .with("trials", trials)
                .with("recovered", recovered)
                .row(&COLUMNS)?,
        );
    }
    Ok(rows)
}
