//! First-order scores: gradient times weight, and its size.

use super::CriterionInput;
use crate::error::Result;
use crate::networks::{Array, Targets};

/// Samples that are held in double precision at once.
const CHUNK: usize = 1024;

/// `|g θ|`.
pub(super) fn snip(input: &CriterionInput<'_>) -> Result<Vec<f64>> {
    let mut scores = signed(input)?;
    scores.iter_mut().for_each(|score| *score = score.abs());
    Ok(scores)
}

/// `−g θ`.
pub(super) fn signed(input: &CriterionInput<'_>) -> Result<Vec<f64>> {
    let mut scores = loss_gradient(input, &input.theta())?;
    for (score, &weight) in scores.iter_mut().zip(input.theta) {
        *score *= -f64::from(weight);
    }
    Ok(scores)
}

/// The gradient of the loss over all samples, in double precision.
pub(super) fn loss_gradient(input: &CriterionInput<'_>, theta: &[f64]) -> Result<Vec<f64>> {
    mean_over_samples(input, |inputs, targets| {
        Ok(input.network.gradient(theta, inputs, targets, input.loss)?.1)
    })
}

/// The mean over all samples of a vector that `of` finds as the mean over some of them, which keeps their copies in double
/// precision small.
pub(super) fn mean_over_samples(
    input: &CriterionInput<'_>,
    of: impl Fn(&Array<f64>, &Array<f64>) -> Result<Vec<f64>>,
) -> Result<Vec<f64>> {
    let examples = input.training;
    let samples = examples.inputs.rows();
    let targets = examples
        .targets
        .map_or(Targets::Labels(examples.labels), Targets::Values);
    let targets = input.loss.targets(targets, samples, input.network.classes())?;
    let part = |start: usize| {
        let rows = start..(start + CHUNK).min(samples);
        let found = of(
            &examples.inputs.rows_between(rows.clone()).convert(),
            &targets.rows_between(rows.clone()).convert(),
        )?;
        Ok((found, rows.len() as f64 / samples as f64))
    };
    let (mut mean, share) = part(0)?;
    if share < 1.0 {
        mean.iter_mut().for_each(|value| *value *= share);
        for start in (CHUNK..samples).step_by(CHUNK) {
            let (found, share) = part(start)?;
            mean.iter_mut()
                .zip(found)
                .for_each(|(sum, value)| *sum += share * value);
        }
    }
    Ok(mean)
}
