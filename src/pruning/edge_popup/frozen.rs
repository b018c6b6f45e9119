//! Weights that never move, and the scores that a search begins with.

use crate::error::Result;
use crate::networks::{Initialisation, Network, Real, Slot};
use crate::seed::Seed;
use rand::RngExt;

/// The law of frozen weights; both have variance `2 / fan_in` before they are scaled by their layer's density.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FrozenWeights {
    /// Normal with He's variance.
    KaimingNormal,
    /// `±√(2 / fan_in)` with equal chances: the signs of the normal draws.
    #[default]
    SignedConstant,
}

impl FrozenWeights {
    /// The word in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            FrozenWeights::KaimingNormal => "kaiming-normal",
            FrozenWeights::SignedConstant => "signed-constant",
        }
    }

    /// Parameters of a network of which `counts[l]` weights of layer `l` will be used; `scaled` multiplies a layer by the
    /// square root of its weights over those used. Both laws draw the same normal numbers.
    ///
    /// # Errors
    /// None for counts that [`super::EdgePopup::run`] accepts.
    pub(super) fn draw<T: Real>(
        self,
        network: &Network,
        counts: &[usize],
        scaled: bool,
        seed: &Seed,
    ) -> Result<Vec<T>> {
        let mut theta: Vec<f64> = network.initial(seed, &Initialisation::HE)?;
        for (slot, &count) in network.layout().weight_slots().zip(counts) {
            let scale = if scaled {
                (slot.len() as f64 / count as f64).sqrt()
            } else {
                1.0
            };
            let constant = (2.0 / fan_in(slot) as f64).sqrt();
            for weight in &mut theta[slot.range.clone()] {
                *weight = scale
                    * match self {
                        FrozenWeights::KaimingNormal => *weight,
                        FrozenWeights::SignedConstant => constant.copysign(*weight),
                    };
            }
        }
        Ok(theta.into_iter().map(T::of).collect())
    }
}

/// Connections that feed one output.
fn fan_in(slot: &Slot) -> usize {
    slot.len() / slot.shape[0]
}

/// Uniform on `±1/√fan_in`, every layer from the stream of its name.
pub(super) fn first_scores<T: Real>(network: &Network, seed: &Seed) -> Vec<T> {
    let mut scores = vec![T::ZERO; network.layout().len()];
    for slot in network.layout().weight_slots() {
        let bound = (fan_in(slot) as f64).sqrt().recip();
        let mut rng = seed.stream(&slot.name).rng();
        for score in &mut scores[slot.range.clone()] {
            *score = T::of(rng.random_range(-bound..bound));
        }
    }
    scores
}
