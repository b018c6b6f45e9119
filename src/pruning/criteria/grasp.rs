//! GraSP: what gradient descent would be slower without.

use super::CriterionInput;
use super::gradient::{loss_gradient, mean_over_samples};
use crate::error::Result;

/// `θ (H g)` with g the gradient in the kept weights; biases move by neither.
pub(super) fn scores(input: &CriterionInput<'_>) -> Result<Vec<f64>> {
    let theta = input.theta();
    let mut direction = loss_gradient(input, &theta)?;
    input.mask.apply(&mut direction)?;
    for slot in input
        .network
        .layout()
        .unpruned_slots()
        .chain(input.network.layout().statistic_slots())
    {
        direction[slot.range.clone()].fill(0.0);
    }
    let mut scores = mean_over_samples(input, |inputs, targets| {
        input
            .network
            .hessian_vector(&theta, &direction, inputs, targets, input.loss)
    })?;
    scores
        .iter_mut()
        .zip(&theta)
        .for_each(|(score, weight)| *score *= weight);
    Ok(scores)
}
