//! Units of the first layer that a random mask leaves without an input that varies.

use super::super::rows::row_of;
use super::super::tickets;
use super::COLUMNS;
use super::trained::network_name;
use rand::RngExt;
use ticketsense::harness::{Cell, Context};
use ticketsense::networks::{Array, Initialisation, Network};
use ticketsense::table::Row;
use ticketsense::{Error, Result};

/// Probabilities to keep a weight.
pub const DENSITIES: [f64; 7] = [0.3, 0.2, 0.1, 0.05, 0.03, 0.02, 0.01];
/// Samples over which a unit varies or not.
const SAMPLES: usize = 200;
/// Below this a variance is rounding: it is that of sums of numbers of order 1.
const ROUNDING: f64 = 1e-20;
/// What batch normalisation adds to a variance.
const EPSILON: f64 = 1e-5;

/// The dead units of many masked networks at one density.
pub fn rows(cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
    let density = cell.real("density")?;
    let samples = tickets::samples(context)?;
    let view = samples.view();
    let rows = SAMPLES.min(view.training.inputs.rows());
    let inputs: Array<f64> = view.training.inputs.rows_between(0..rows).convert();
    let varying = (0..inputs.columns())
        .filter(|&column| inputs.iter_rows().any(|row| row[column] != inputs.row(0)[column]))
        .count();
    let network = Network::preset(&network_name(super::BATCH_NORM), view.shape, view.classes)?;
    let weights = network.layout().weight_slots().next().map(|slot| slot.range.clone());
    let weights = weights.ok_or_else(|| Error::argument("network", "a layer of weights", network.name()))?;
    let networks: usize = context.scale().pick(4, 60, 400);
    let (mut units, mut dead, mut below) = (0usize, 0usize, 0usize);
    for number in 0..networks {
        context.check()?;
        let seed = context.seed(cell).replicate(number as u64);
        let mut theta: Vec<f64> = network.initial(&seed.stream("weights"), &Initialisation::GLOROT)?;
        let mut rng = seed.rng();
        for weight in &mut theta[weights.clone()] {
            if rng.random::<f64>() >= density {
                *weight = 0.0;
            }
        }
        let outputs = network.activations(&theta, &inputs)?;
        let Some(first) = outputs.first() else { continue };
        for unit in 0..first.columns() {
            let values = || first.iter_rows().map(|row| row[unit]);
            let mean = values().sum::<f64>() / rows as f64;
            let variance = values().map(|v| (v - mean) * (v - mean)).sum::<f64>() / rows as f64;
            units += 1;
            dead += usize::from(variance < ROUNDING);
            below += usize::from(variance < EPSILON);
        }
    }
    Ok(vec![row_of(
        COLUMNS,
        &[
            ("part", super::UNITS.into()),
            ("density", density.into()),
            ("norm", super::BATCH_NORM.into()),
            ("quantity", "dead units".into()),
            ("exact", (1.0 - density).powi(varying as i32).into()),
            ("found", (dead as f64 / units as f64).into()),
            ("replicates", units.into()),
            ("dead", dead.into()),
            ("below_epsilon", below.into()),
        ],
    )?])
}
