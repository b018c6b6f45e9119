//! GraSP: what gradient descent would be slower without.
//!
//! The outputs are divided by a temperature T before the cross-entropy, as Wang et al. do: near uniform probabilities, no
//! sample is so wrong that its gradient drowns the others. With a dense output layer this is the network of parameters
//! `S θ`, S = 1/T for those of the output layer and 1 elsewhere, so that the gradient is `S g(Sθ)` and a Hessian product
//! `S H(Sθ) S v`.

use super::CriterionInput;
use super::gradient::{loss_gradient, mean_over_samples};
use crate::error::{Error, Result};
use crate::networks::{Layer, Loss, Network};

/// The temperature of Wang et al.
pub(super) const TEMPERATURE: f64 = 200.0;

/// Refuses a network whose outputs are not those of a dense layer: nothing else divides them.
pub(super) fn check(network: &Network) -> Result<()> {
    match network.layers().last() {
        Some(Layer::Dense(_)) => Ok(()),
        _ => Err(Error::argument(
            "network of criterion grasp",
            "a dense layer at its end",
            network.name(),
        )),
    }
}

/// `θ (H g)` with g the gradient in the kept weights; biases move by neither.
pub(super) fn scores(input: &CriterionInput<'_>) -> Result<Vec<f64>> {
    let theta = input.theta();
    let tempered = |values: &mut [f64]| {
        if let (Loss::CrossEntropy, Some(Layer::Dense(last))) = (input.loss, input.network.layers().last()) {
            for slot in [Some(last.weight), last.bias].into_iter().flatten() {
                let range = input.network.layout().slots()[slot].range.clone();
                values[range].iter_mut().for_each(|value| *value /= TEMPERATURE);
            }
        }
    };
    let mut at = theta.clone();
    tempered(&mut at);
    // S g, and S once more for the direction that the inner Hessian takes.
    let mut direction = loss_gradient(input, &at)?;
    input.mask.apply(&mut direction)?;
    let layout = input.network.layout();
    for slot in layout.unpruned_slots().chain(layout.statistic_slots()) {
        direction[slot.range.clone()].fill(0.0);
    }
    tempered(&mut direction);
    tempered(&mut direction);
    let mut scores = mean_over_samples(input, |inputs, targets| {
        input
            .network
            .hessian_vector(&at, &direction, inputs, targets, input.loss)
    })?;
    tempered(&mut scores);
    scores
        .iter_mut()
        .zip(&theta)
        .for_each(|(score, weight)| *score *= weight);
    Ok(scores)
}
