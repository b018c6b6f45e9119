//! Optimal brain damage: half the curvature times the squared weight.

use super::CriterionInput;
use crate::error::Result;
use crate::linearize::{Biases, Linearisation, RowTransform};
use crate::networks::Loss;
use crate::operators::MeasurementOperator;

/// The rows of the Jacobian that a loss weighs: their inner products are n times the Gauss-Newton matrix.
pub(super) fn rows_of(loss: Loss) -> RowTransform {
    match loss {
        Loss::CrossEntropy => RowTransform::CrossEntropy,
        _ => RowTransform::Identity,
    }
}

/// Weights only; biases score 0.
pub(super) fn scores(input: &CriterionInput<'_>) -> Result<Vec<f64>> {
    let theta = input.theta();
    let weights = input.network.layout().weights();
    let at = Linearisation::new(input.network, &theta, &input.training.inputs.convert())?;
    // Column norms of the rows that the loss weighs: their squares are n times the diagonal of the Gauss-Newton matrix.
    let norms = at
        .jacobian(&weights, rows_of(input.loss), Biases::Fixed)?
        .column_norms();
    let samples = input.training.inputs.rows() as f64;
    let mut scores = vec![0.0; theta.len()];
    for (&i, norm) in weights.indices().iter().zip(norms) {
        scores[i] = 0.5 * norm * norm / samples * theta[i] * theta[i];
    }
    Ok(scores)
}
