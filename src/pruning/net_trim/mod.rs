//! Layer-wise sparse recovery: every layer on its own, from its inputs and pre-activations on some samples.
//!
//! Where the linearised network ([`super::SensingProblem`]) is wrong by its linearisation, a layer is linear in its weights
//! exactly. [`net_trim`] prunes a network so; [`PlantedRows`] is the same problem with a known answer.

mod layer;
mod paths;
mod planted;
mod pursuit;
#[cfg(test)]
mod tests;

pub use layer::{LayerSensing, SparseRows};
pub use planted::{PlantedInputs, PlantedRows, PlantedRowsOutcome};

use super::recovered::RecoveredTicket;
use crate::error::{Error, Result};
use crate::networks::{Array, Layer, Network};
use crate::outcome::Status;
use nalgebra::DMatrix;
use std::fmt;
use std::str::FromStr;

/// How the rows of a layer are recovered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TrimmedBy {
    /// Orthogonal matching pursuit.
    Omp,
    /// The LASSO on inputs of unit length: the largest penalty that leaves enough weights active, then the largest
    /// `|w_j|‖a_j‖`, refitted.
    Lasso,
}

impl TrimmedBy {
    /// Every solver.
    pub const ALL: [TrimmedBy; 2] = [TrimmedBy::Omp, TrimmedBy::Lasso];

    /// The word in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            TrimmedBy::Omp => "omp",
            TrimmedBy::Lasso => "lasso",
        }
    }
}

impl fmt::Display for TrimmedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TrimmedBy {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        TrimmedBy::ALL
            .into_iter()
            .find(|s| s.as_str() == word)
            .ok_or_else(|| Error::unknown("solver of a layer", word, TrimmedBy::ALL.map(TrimmedBy::as_str)))
    }
}

/// How the weights of a layer are spread over its output units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Spread {
    /// The same number in every unit.
    Units,
    /// The units compete for the weights of the layer.
    Layer,
}

/// Which inputs a layer is recovered from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrimOrder {
    /// Those of the given network: the layers do not depend on each other.
    Parallel,
    /// Those that the layers pruned before it give, so that it may make good what they spoiled.
    Cascade,
}

/// What is asked of [`net_trim`].
#[derive(Clone, Debug, PartialEq)]
pub struct TrimRequest<'a> {
    /// The method.
    pub solver: TrimmedBy,
    /// Spread over the units.
    pub spread: Spread,
    /// Inputs of the pruned or of the given network.
    pub order: TrimOrder,
    /// Weights to keep in each weight layer, from input to output.
    pub counts: &'a [usize],
}

/// The answer to a [`TrimRequest`].
#[derive(Clone, Debug, PartialEq)]
pub struct Trimmed {
    /// The mask with every bias kept, and the recovered weights; none when a layer has not as many independent inputs as
    /// asked for: nothing is padded. A layer that is given exactly by fewer weights keeps fewer.
    pub ticket: Option<RecoveredTicket>,
    /// How each layer ended, up to the first without an answer.
    pub statuses: Vec<Status>,
    /// `‖Z − Â Wᵀ‖_F/‖Z‖_F` of each layer, with the inputs Â that it was recovered from.
    pub relative_residuals: Vec<f64>,
}

/// Refuses a network whose layers are no plain matrices.
pub(super) fn check(network: &Network) -> Result<()> {
    if network.is_multilayer() {
        return Ok(());
    }
    Err(Error::argument(
        "network of layer-wise recovery (net-trim)",
        "a multilayer perceptron, whose every weight has one input and one output unit",
        network.name(),
    ))
}

/// Prunes a multilayer perceptron layer by layer: for every output unit a sparse row that gives its pre-activations.
///
/// With the inputs `a_{ℓ−1}` and pre-activations `z_ℓ = a_{ℓ−1} W_ℓᵀ + b_ℓ` of the given network on some samples,
///
/// ```text
/// minimise ‖(z_ℓ − b_ℓ) − â_{ℓ−1} Wᵀ‖_F   subject to k_ℓ nonzeros of W
/// ```
///
/// with `â = a` in parallel, and in a cascade the inputs that the pruned layers before it give. Biases stay. This is the
/// linear part of Net-Trim, which asks for equality only where a ReLU is active and for no more than an inequality where
/// it is not, and minimises ‖W‖₁; here the count of weights is exact, so that masks can be compared.
///
/// Source: Aghasi, Abdi, Nguyen and Romberg, Net-Trim, NeurIPS 2017 (arXiv:1611.05162).
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::networks::{Array, Initialisation, Network};
/// use ticketsense::pruning::{Spread, TrimOrder, TrimRequest, TrimmedBy, net_trim};
/// let network = Network::preset("mlp:6", 4, 3)?;
/// let theta: Vec<f64> = network.initial(&Seed::root(0), &Initialisation::HE)?;
/// let inputs = Array::from_fn(20, 4, |i, j| ((i * i * 3 + i * j * 5) as f64).sin());
/// let request = TrimRequest {
///     solver: TrimmedBy::Omp, spread: Spread::Layer, order: TrimOrder::Cascade, counts: &[12, 9],
/// };
/// let ticket = net_trim(&network, &theta, &inputs, &request)?.ticket.expect("independent inputs");
/// assert_eq!(network.layout().density(&ticket.mask), 0.5);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for a network that is no multilayer perceptron or a count that exceeds its layer; [`Error::Shape`] or
/// [`Error::NotFinite`] on parameters, inputs or counts that do not fit.
///
/// Cost: one forward pass a layer, and [`LayerSensing::recover`] for each.
pub fn net_trim(network: &Network, theta: &[f64], inputs: &Array<f64>, request: &TrimRequest<'_>) -> Result<Trimmed> {
    check(network)?;
    if request.counts.len() != network.depth() {
        return Err(Error::shape("counts a layer", network.depth(), request.counts.len()));
    }
    let given = network.activations(theta, inputs)?;
    let mut mask = network.layout().full_mask();
    let mut pruned = theta.to_vec();
    let mut answer = Trimmed {
        ticket: None,
        statuses: Vec::new(),
        relative_residuals: Vec::new(),
    };
    let mut number = 0;
    for (place, layer) in network.layers().iter().enumerate() {
        let Layer::Dense(dense) = layer else { continue };
        let before = |values: &[Array<f64>]| {
            let values = place.checked_sub(1).map_or(inputs, |p| &values[p]);
            DMatrix::from_row_slice(values.rows(), values.columns(), values.as_slice())
        };
        let true_inputs = before(&given);
        let weights = network.layout().slots()[dense.weight].range.clone();
        let matrix = DMatrix::from_row_slice(dense.outputs, dense.inputs, &theta[weights.clone()]);
        let targets = crate::linalg::dense::product(&true_inputs, &matrix.transpose())?;
        let seen = match request.order {
            TrimOrder::Parallel => true_inputs,
            TrimOrder::Cascade => before(&network.activations(&pruned, inputs)?),
        };
        let rows =
            LayerSensing::new(seen)?.recover(&targets, request.solver, request.spread, request.counts[number])?;
        answer.statuses.push(rows.status);
        answer.relative_residuals.push(rows.relative_residual);
        if !rows.status.is_success() {
            return Ok(answer);
        }
        for index in weights.clone() {
            mask.set(index, false);
        }
        for (u, support) in rows.supports.iter().enumerate() {
            for i in 0..dense.inputs {
                pruned[weights.start + u * dense.inputs + i] = rows.weights[(u, i)];
            }
            for &i in support {
                mask.set(weights.start + u * dense.inputs + i, true);
            }
        }
        number += 1;
    }
    answer.ticket = Some(RecoveredTicket { mask, theta: pruned });
    Ok(answer)
}
