//! Edge-popup: a good subnetwork of random weights by descent on scores alone.

mod descent;
mod frozen;
#[cfg(test)]
mod tests;

use super::imp::{ImpData, finish};
use super::run::TrainingOutcome;
use crate::error::{Error, Result};
use crate::networks::Network;
use crate::seed::Seed;
use crate::support::{Density, Mask};
use crate::training::{Decay, Optimiser, Schedule, Shape, Trainer, TrainingPlan};
use descent::Descent;
pub use frozen::FrozenWeights;

/// By what of its score a weight is ranked within its layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ScoreRanking {
    /// The size |s| of the score, as the authors' program does; its straight-through gradient then carries sign(s).
    #[default]
    Magnitude,
    /// The score itself, as the paper's text has it.
    Value,
}

/// Edge-popup (Ramanujan, Wortsman, Kembhavi, Farhadi & Rastegari, CVPR 2020): every weight has a score, the forward pass
/// uses the weights of the highest scores of each layer, and only the scores learn.
///
/// With frozen weights `w`, scores `s` and the mask `m(s)` of the `k_ℓ` highest ranks of every layer, the network computes
/// with `θ = m(s) ⊙ w`. A step moves the scores along the straight-through gradient
///
/// `∂L/∂s ≈ (∂L/∂θ)(m ⊙ w) ⊙ w`, times `sign(s)` where ranks go by |s|,
///
/// which is not zero for pruned weights, so that they can come back. Weights never move; biases stay at their initial
/// zeros, the factors of normalisations at one, and running statistics follow the batches. Batches, their order and mixing,
/// the optimiser and the schedule are those of a [`Trainer`] with the same plan; weight decay acts on the scores.
///
/// ```
/// use ticketsense::data::{self, DataChoice};
/// use ticketsense::pruning::{EdgePopup, ImpSamples};
/// use ticketsense::training::TrainingPlan;
/// use ticketsense::{Density, Seed, networks::Network};
/// let samples = ImpSamples::new(data::load(&DataChoice::Digits)?)?;
/// let network = Network::preset("mlp:30:no-bias", 64, 10)?;
/// let default = EdgePopup::default();
/// let popup = EdgePopup { training: TrainingPlan { steps: 60, ..default.training }, ..default };
/// let found = popup.run_at(&network, &samples.view(), Density::new(0.5)?, &Seed::root(1))?;
/// assert_eq!(found.mask.kept(), (64 * 30 + 30 * 10) / 2);
/// assert!(found.outcome.test_accuracy > 0.5); // of ten classes, without a trained weight
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct EdgePopup {
    /// How the scores are trained.
    pub training: TrainingPlan,
    /// What ranks a weight.
    pub ranking: ScoreRanking,
    /// The law of the weights that never move.
    pub weights: FrozenWeights,
    /// Whether the weights of a layer of density ρ are multiplied by `1/√ρ`, which keeps the variance of what the kept ones
    /// compute.
    pub scaled: bool,
}

impl Default for EdgePopup {
    /// The authors' choice for small networks: stochastic gradient descent at 0.1 with momentum 0.9 and decay 1e-4, falling
    /// along a cosine, batches of 128; magnitudes of scores; signed constants scaled by the density. 1,000 steps.
    fn default() -> Self {
        EdgePopup {
            training: TrainingPlan {
                optimiser: Optimiser::sgd(0.1).with_decay(Decay::Penalty(1e-4)),
                batch: 128,
                schedule: Schedule {
                    shape: Shape::Cosine { floor: 0.0 },
                    ..Schedule::CONSTANT
                },
                ..TrainingPlan::default()
            },
            ranking: ScoreRanking::Magnitude,
            weights: FrozenWeights::SignedConstant,
            scaled: true,
        }
    }
}

/// What edge-popup found.
#[derive(Clone, Debug, PartialEq)]
pub struct Supermask {
    /// The mask of the highest ranks at the end; biases are always kept.
    pub mask: Mask,
    /// The frozen parameters, those that the mask prunes too.
    pub weights: Vec<f32>,
    /// The scores at the end; zero for what is not a weight.
    pub scores: Vec<f32>,
    /// The descent on the scores; its parameters are `mask ⊙ weights`, ready for a network.
    pub outcome: TrainingOutcome,
    /// How many weights the first mask had in another state than the last.
    pub changed: usize,
    /// Cost: passes over the training samples with a gradient of every weight, kept or not.
    pub gradient_passes: f64,
}

impl EdgePopup {
    /// Every field by name: with a network, the data, the counts and a seed it decides the result to the last bit.
    pub fn identity(&self) -> String {
        format!(
            "{};ranking={};weights={};scaled={}",
            self.training.identity(),
            match self.ranking {
                ScoreRanking::Magnitude => "magnitude",
                ScoreRanking::Value => "value",
            },
            self.weights.as_str(),
            self.scaled
        )
    }

    /// Searches with the same density in every layer: `kept_of` of it.
    ///
    /// # Errors
    /// As [`EdgePopup::run`].
    pub fn run_at(&self, network: &Network, data: &ImpData<'_>, density: Density, seed: &Seed) -> Result<Supermask> {
        let layers = network.layout().weight_slots();
        let counts: Vec<usize> = layers.map(|slot| density.kept_of(slot.len())).collect();
        self.run(network, data, &counts, seed)
    }

    /// Searches for a mask with `counts[l]` weights in the `l`-th weight layer.
    ///
    /// The weights come from the stream `weights` of the seed, the first scores, uniform on `±1/√fan_in`, from `scores`,
    /// batches and mixing from `training`. A search whose scores or loss are no longer finite ends as
    /// [`crate::outcome::Status::Diverged`] with its last finite scores.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of counts than layers, [`Error::Argument`] for a count of zero or above its layer,
    /// naming it; otherwise as [`Trainer::new`].
    ///
    /// Cost: a dense gradient of a batch a step, and one pass over the scores.
    pub fn run(&self, network: &Network, data: &ImpData<'_>, counts: &[usize], seed: &Seed) -> Result<Supermask> {
        check_counts(network, counts)?;
        let full = network.layout().full_mask();
        let (plan, order) = (self.training.clone(), seed.stream("training"));
        let trainer = Trainer::new(network, plan, data.training, data.validation, &full, &order)?;
        let weights: Vec<f32> = self
            .weights
            .draw(network, counts, self.scaled, &seed.stream("weights"))?;
        let scores = frozen::first_scores(network, &seed.stream("scores"));
        let mut descent = Descent::new(&trainer, network, self.ranking, counts, &weights, scores)?;
        let first = descent.mask();
        descent.run(&trainer)?;
        let mask = descent.mask();
        let changed = first.bits().iter().zip(mask.bits()).filter(|(a, b)| a != b).count();
        let Descent { scores, state, .. } = descent;
        let seen = (state.step * self.training.batch) as f64;
        Ok(Supermask {
            weights,
            scores,
            outcome: finish(network, &mask, data, self.training.loss, state, 0)?,
            changed,
            gradient_passes: seen / data.training.inputs.rows() as f64,
            mask,
        })
    }
}

/// Refuses counts that are not one a layer, from 1 to what it has.
fn check_counts(network: &Network, counts: &[usize]) -> Result<()> {
    if counts.len() != network.depth() {
        return Err(Error::shape("counts a layer", network.depth(), counts.len()));
    }
    for (slot, &count) in network.layout().weight_slots().zip(counts) {
        if count == 0 || count > slot.len() {
            let what = format!("weights to keep of {}", slot.name);
            return Err(Error::argument(what, format!("from 1 to {}", slot.len()), count));
        }
    }
    Ok(())
}
