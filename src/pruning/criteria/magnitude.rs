//! Scores of the weights alone: their size, and what training made of it.

use super::CriterionInput;

/// `|θ|`.
pub(super) fn magnitude(input: &CriterionInput<'_>) -> Vec<f64> {
    input.theta.iter().map(|v| f64::from(v.abs())).collect()
}

/// `|θ − θ₀|`.
pub(super) fn movement(input: &CriterionInput<'_>) -> Vec<f64> {
    compared(input, |now, before| (now - before).abs())
}

/// `|θ| − |θ₀|`.
pub(super) fn increase(input: &CriterionInput<'_>) -> Vec<f64> {
    compared(input, |now, before| now.abs() - before.abs())
}

fn compared(input: &CriterionInput<'_>, score: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let pairs = input.theta.iter().zip(input.initial);
    pairs
        .map(|(&now, &before)| score(f64::from(now), f64::from(before)))
        .collect()
}
