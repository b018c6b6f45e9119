//! SynFlow: how much of what flows through the network of absolute weights flows through each of them.
//!
//! With absolute weights, no biases and no activations the network is a linear map (maxima pick the largest of what comes
//! in), and `R = 1ᵀ f(1)` is the sum over all paths of the product of the absolute weights on them. The score of a weight is
//! its share: the sum over the paths through it. Everything is double precision, in which products over a hundred layers
//! still have an exponent.
//!
//! Batch normalisation in evaluation is the map `x ↦ γ (x − mean) / √(variance + ε) + β` of every channel. In the network of
//! absolute values it is a factor `|γ| / √(variance + ε)` a channel on every path through it; its offset, like every bias, is
//! on none. A factor that stands on every path through a layer leaves the sum over that layer's weights what it is for
//! every other: R. Normalisations over a sample's own entries have no such factors, and are refused.

mod flow;
#[cfg(test)]
mod tests;
mod weights;

use super::super::paths::contains;
use super::super::remaining::Remaining;
use super::CriterionInput;
use crate::error::{Error, Result};
use crate::networks::{Layer, Network, Normalisation, NormalisedOver};
use flow::Flow;
use weights::{Every, Weights};

/// Refuses layers of which the network of absolute weights is no linear map, or that have no input of ones.
pub(super) fn check(network: &Network) -> Result<()> {
    let of_the_sample = |layer: &Layer| match layer {
        Layer::Normalisation(Normalisation { over, .. }) => !matches!(over, NormalisedOver::Batch { .. }),
        _ => false,
    };
    let holds = |is: &dyn Fn(&Layer) -> bool| contains(network.layers(), is);
    let strangers = [
        ("normalisation over a sample's own entries", holds(&of_the_sample)),
        ("attention", holds(&|l| matches!(l, Layer::Attention(_)))),
        ("a recurrent cell", holds(&|l| matches!(l, Layer::Recurrent(_)))),
        ("an embedding", holds(&|l| matches!(l, Layer::Embedding(_)))),
        ("positions", holds(&|l| matches!(l, Layer::Positions(_)))),
    ];
    match strangers.iter().find(|(_, found)| *found) {
        None => Ok(()),
        Some((what, _)) => Err(Error::argument(
            "network of criterion synflow",
            "dense, convolution, pooling and residual layers and batch normalisation",
            format!("{what} in {}", network.name()),
        )),
    }
}

/// A score for every parameter.
pub(super) fn scores(input: &CriterionInput<'_>) -> Result<Vec<f64>> {
    let every = Every {
        slots: input.network.layout().slots(),
        theta: input.theta,
    };
    let mut scores = vec![0.0; input.theta.len()];
    flow(input.network, input.theta, &every, &mut scores)?;
    Ok(scores)
}

/// A score for every weight that is left, to the last bit those of [`scores`] under its mask, at a cost that follows what is
/// left.
pub(in crate::pruning) fn rescore(
    network: &Network,
    theta: &[f32],
    remaining: &Remaining,
    scores: &mut Vec<f64>,
) -> Result<()> {
    // Whatever stands there is written over.
    scores.resize(remaining.entries().len(), 0.0);
    flow(network, theta, remaining, scores)
}

/// `theta` gives the factors of normalisations alone.
fn flow(network: &Network, theta: &[f32], weights: &impl Weights, scores: &mut [f64]) -> Result<()> {
    let flow = Flow {
        slots: network.layout().slots(),
        theta,
        weights,
    };
    flow.shares(network.layers(), vec![1.0; network.inputs()], network.classes(), scores);
    if all_finite(scores) {
        Ok(())
    } else {
        let why = format!("what flows through {} overflows", network.name());
        Err(Error::numerical("criterion synflow", why))
    }
}

/// Without a branch: zero times a finite number is zero, and times any other is not a number.
fn all_finite(scores: &[f64]) -> bool {
    let (chunks, rest) = scores.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for chunk in chunks {
        for lane in 0..8 {
            sums[lane] += 0.0 * chunk[lane];
        }
    }
    sums.iter().chain(rest).all(|value| value.is_finite())
}
