//! Dynamic sparse training: a network that is sparse all the time and exchanges some of its weights now and then.

mod exchange;
#[cfg(test)]
mod tests;

use super::imp::{ImpData, finish};
use super::run::TrainingOutcome;
use crate::error::{Error, Result};
use crate::networks::Network;
use crate::outcome::Status;
use crate::seed::Seed;
use crate::support::Mask;
use crate::training::{Trainer, TrainingPlan};
use exchange::Exchanger;
use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

/// Which inactive weights are grown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Growth {
    /// Uniformly random ones: SET (Mocanu et al., Nature Communications 2018).
    Random,
    /// Those of largest `|∂L/∂θ_i|` on the next batch: RigL (Evci et al., ICML 2020).
    Gradient,
}

impl Growth {
    /// Both.
    pub const ALL: [Growth; 2] = [Growth::Random, Growth::Gradient];

    /// The name of the method that grows so: `set` or `rigl`.
    pub fn as_str(self) -> &'static str {
        match self {
            Growth::Random => "set",
            Growth::Gradient => "rigl",
        }
    }
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Growth {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        let found = Growth::ALL.into_iter().find(|growth| growth.as_str() == word);
        found.ok_or_else(|| Error::unknown("method of growth", word, Growth::ALL.map(Growth::as_str)))
    }
}

/// How the exchanged fraction moves with the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FractionDecay {
    /// The same at every exchange.
    Constant,
    /// `½ ζ (1 + cos(π t / t_end))`, which ends at zero with the exchanges.
    Cosine,
}

/// Dynamic sparse training at exactly constant density.
///
/// Every `every` steps, while `t < last_fraction · steps`, each layer with `k` active of `n` weights gives up the
/// `round(ζ_t k)` active weights of smallest `|θ|` (never more than the `n − k` that could replace them) and grows as many
/// of those that are inactive by then, the ones just given up included, as published. A grown weight starts at zero with
/// fresh moments, so that the network is the same function before its first step. Pruned weights and their moments are
/// exactly zero after every step. Layers keep the counts of the mask that training starts with.
///
/// ```
/// use ticketsense::data::{self, DataChoice};
/// use ticketsense::pruning::controls::random_mask;
/// use ticketsense::pruning::{DynamicTraining, ImpSamples, Growth};
/// use ticketsense::networks::{Initialisation, Network};
/// use ticketsense::training::TrainingPlan;
/// use ticketsense::Seed;
/// let samples = ImpSamples::new(data::load(&DataChoice::Digits)?)?;
/// let network = Network::preset("mlp:20", 64, 10)?;
/// let layers: Vec<_> = network.layout().weight_ranges();
/// let mask = random_mask(network.layout().len(), &layers, &[128, 50], &Seed::root(1))?;
/// let initial: Vec<f32> = network.initial(&Seed::root(0), &Initialisation::HE)?;
/// let plan = TrainingPlan { steps: 40, evaluate_every: 40, ..TrainingPlan::default() };
/// let rigl = DynamicTraining { every: 10, ..DynamicTraining::new(Growth::Gradient) };
/// let grown = rigl.train(&network, &samples.view(), &plan, &mask, &initial, &Seed::root(0))?;
/// assert_eq!(grown.mask.kept(), mask.kept());
/// assert!(grown.ever_active > 178.0 / 1480.0);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DynamicTraining {
    /// What is grown.
    pub growth: Growth,
    /// Steps between two exchanges, at least 1.
    pub every: usize,
    /// ζ in `[0, 1]`: the fraction of each layer's active weights that is exchanged, at the start of the decay.
    pub fraction: f64,
    /// How ζ moves.
    pub decay: FractionDecay,
    /// The fraction of the steps after which the mask stays, in `[0, 1]`.
    pub last_fraction: f64,
}

impl DynamicTraining {
    /// The numbers of Evci et al. (ICML 2020) for either growth: ζ = 0.3 with the cosine, an exchange every 100 steps,
    /// none in the last quarter. (Mocanu et al. exchange ζ = 0.3 after every epoch, without decay and to the end.)
    pub const fn new(growth: Growth) -> Self {
        DynamicTraining {
            growth,
            every: 100,
            fraction: 0.3,
            decay: FractionDecay::Cosine,
            last_fraction: 0.75,
        }
    }

    /// Every field by name.
    pub fn identity(&self) -> String {
        let decay = match self.decay {
            FractionDecay::Constant => "constant",
            FractionDecay::Cosine => "cosine",
        };
        format!(
            "growth={};every={};fraction={};decay={decay};last-fraction={}",
            self.growth, self.every, self.fraction, self.last_fraction
        )
    }

    /// Refuses what is out of range.
    ///
    /// # Errors
    /// [`Error::Argument`] naming the field.
    pub fn validate(&self) -> Result<()> {
        if self.every == 0 {
            return Err(Error::argument("steps between exchanges", "at least 1", 0));
        }
        for (name, value) in [
            ("exchanged fraction", self.fraction),
            ("fraction of training with exchanges", self.last_fraction),
        ] {
            if !(0.0..=1.0).contains(&value) {
                return Err(Error::argument(name, "a number in [0, 1]", value));
            }
        }
        Ok(())
    }

    /// ζ before step `step` of `steps`, zero once the exchanges are over.
    pub fn fraction_at(&self, step: usize, steps: usize) -> f64 {
        let end = self.last_fraction * steps as f64;
        if step as f64 >= end {
            return 0.0;
        }
        match self.decay {
            FractionDecay::Constant => self.fraction,
            FractionDecay::Cosine => 0.5 * self.fraction * (1.0 + (PI * step as f64 / end).cos()),
        }
    }

    /// Trains from `mask ⊙ from` by `plan`, on the data order that a training of a fixed mask has for this stream, and
    /// exchanges weights on the way. Random growth draws from the stream `growth` of `order`, replicate by exchange.
    ///
    /// # Errors
    /// [`Error::Argument`] on numbers out of range; otherwise as [`Trainer::run`].
    ///
    /// Cost: one gradient of a batch a step, and one dense gradient an exchange for [`Growth::Gradient`].
    pub fn train(
        &self,
        network: &Network,
        data: &ImpData<'_>,
        plan: &TrainingPlan,
        mask: &Mask,
        from: &[f32],
        order: &Seed,
    ) -> Result<DynamicOutcome> {
        self.validate()?;
        let growth = order.stream("growth");
        let mut exchanger = Exchanger::new(network.layout(), mask)?;
        let mut mask = mask.clone();
        let mut state = trainer(network, plan, data, &mask, order)?.start(from)?;
        let (mut exchanges, mut dense_gradients) = (Vec::new(), 0);
        while state.status == Status::Stopped {
            let now = trainer(network, plan, data, &mask, order)?;
            let until = state.step.saturating_add(self.every);
            now.advance(&mut state, until, &mut |_| true)?;
            let fraction = self.fraction_at(state.step, plan.steps);
            if state.status != Status::Stopped || fraction == 0.0 || state.theta.iter().any(|v| !v.is_finite()) {
                continue;
            }
            let grown = match self.growth {
                Growth::Random => {
                    let stream = growth.replicate(exchanges.len() as u64);
                    exchanger.exchange(&mask, &state.theta, fraction, None, &stream)
                }
                Growth::Gradient => {
                    dense_gradients += 1;
                    let gradient = now.dense_gradient(&state)?;
                    exchanger.exchange(&mask, &state.theta, fraction, Some(&gradient), &growth)
                }
            };
            exchanges.push(Exchange {
                step: state.step,
                exchanged: grown.exchanged,
                ever_active: exchanger.ever_active(),
            });
            // What was given up loses its value even where it is grown again: two masks, one after the other.
            trainer(network, plan, data, &grown.kept, order)?.take_over(&mut state)?;
            mask = grown.mask;
        }
        let steps = state.step;
        Ok(DynamicOutcome {
            outcome: finish(network, &mask, data, plan.loss, state, 0)?,
            ever_active: exchanger.ever_active(),
            mask,
            exchanges,
            dense_gradients,
            gradients: steps + dense_gradients,
            passes: ((steps + dense_gradients) * plan.batch) as f64 / data.training.inputs.rows() as f64,
        })
    }
}

fn trainer<'a>(
    network: &'a Network,
    plan: &TrainingPlan,
    data: &ImpData<'a>,
    mask: &'a Mask,
    order: &Seed,
) -> Result<Trainer<'a, f32>> {
    Trainer::new(network, plan.clone(), data.training, data.validation, mask, order)
}

/// One exchange.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// Steps done before it.
    pub step: usize,
    /// Weights given up, and as many grown, in each layer from input to output.
    pub exchanged: Vec<usize>,
    /// The fraction of all weights that has been active by then.
    pub ever_active: f64,
}

/// What dynamic sparse training leaves behind.
#[derive(Clone, Debug, PartialEq)]
pub struct DynamicOutcome {
    /// The training.
    pub outcome: TrainingOutcome,
    /// The mask at the end, with the counts of the first one in every layer.
    pub mask: Mask,
    /// The exchanges, in order.
    pub exchanges: Vec<Exchange>,
    /// The fraction of all weights that was active at any time.
    pub ever_active: f64,
    /// Dense gradients of a batch that growth took.
    pub dense_gradients: usize,
    /// Gradients of a batch in all: steps and dense gradients.
    pub gradients: usize,
    /// The same in passes over the training samples.
    pub passes: f64,
}
