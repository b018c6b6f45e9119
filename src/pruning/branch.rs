//! Controls by name: each is trained at the mask, or at the counts, of a round of a finished run.

use super::controls::{
    check_tau, constant_magnitudes, keep_signs, layer_deviations, permute_kept_within_layers, random_mask,
    shuffle_across_layers, shuffle_keeping_degrees, shuffle_within_layers, small_dense_widths, with_noise,
    with_noise_keeping_signs,
};
use super::imp::{ImpData, ImpPlan};
use super::retraining::Retraining;
use super::run::{ImpRun, TrainingOutcome};
use super::select::keep_highest;
use crate::error::{Error, Result};
use crate::networks::Network;
use crate::seed::Seed;
use crate::support::Mask;
use std::ops::Range;

/// What is trained beside the ticket of a round, each with one thing changed.
///
/// Where nothing else is said, a control keeps the ticket's mask, starts from the values that the ticket starts from,
/// and sees its data in the same order for the same number of steps. Where tickets keep their trained weights instead of
/// being rewound, a mask of other places starts from the trained weights of the dense network, in which every place has
/// a value.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Control {
    /// Fresh initial values under the ticket's mask.
    Reinit,
    /// Fresh magnitudes with the signs of the ticket's initial values, under its mask.
    Signs,
    /// The mask shuffled within each layer, over the ticket's initial values.
    Shuffle,
    /// The ticket itself on its data in another order.
    Order,
    /// A dense network of the same shape with about as many weights as the mask keeps.
    SmallDense,
    /// A random mask with the ticket's count in every layer. It has the law of [`Control::Shuffle`], drawn
    /// independently: that the two differ by chance alone is a test of the comparison itself.
    Random,
    /// As many weights in every layer as the ticket keeps, chosen at once by their magnitude after the dense training.
    OneShot,
    /// The ticket's initial values permuted among its own places within each layer, under its mask.
    Permute,
    /// The signs of the ticket's initial values, each with the standard deviation of its layer's initial weights for a
    /// magnitude, under its mask.
    ConstantSigns,
    /// The mask shuffled across all layers together, over the ticket's initial values: the total count alone is kept.
    ShuffleAcross,
    /// The mask shuffled within each layer among those in which every output and every input keeps its number of weights,
    /// over the ticket's initial values: see [`shuffle_keeping_degrees`].
    ShuffleDegrees,
    /// Gaussian noise of τ standard deviations of the layer's initial weights on the ticket's initial weights, under its
    /// mask. The noise is the same in every round, and for every τ but for its size.
    Noise(f64),
    /// The same with every sign kept, `|w + ε| sign(w)`.
    NoiseKeepingSigns(f64),
}

/// A control before its training.
#[derive(Clone, Debug)]
pub struct ControlStart {
    /// The network; another than the ticket's for [`Control::SmallDense`] only.
    pub network: Network,
    /// The mask over its parameters.
    pub mask: Mask,
    /// The parameters that it starts from, where the mask keeps them.
    pub values: Vec<f32>,
    /// The stream of the order of the data.
    pub order: Seed,
}

/// A control after its training.
#[derive(Clone, Debug)]
pub struct ControlRun {
    /// The network; another than the ticket's for [`Control::SmallDense`] only.
    pub network: Network,
    /// The mask over its parameters.
    pub mask: Mask,
    /// The training.
    pub outcome: TrainingOutcome,
}

impl ControlRun {
    /// How many weights were trained, biases not counted.
    pub fn kept(&self) -> usize {
        kept_weights(&self.network, &self.mask)
    }
}

/// How many weights a mask keeps, biases not counted.
pub fn kept_weights(network: &Network, mask: &Mask) -> usize {
    network.layout().kept(mask)
}

impl Control {
    /// Every control, those with a size at 0.1.
    pub const ALL: [Control; 13] = [
        Control::Reinit,
        Control::Signs,
        Control::Shuffle,
        Control::Order,
        Control::SmallDense,
        Control::Random,
        Control::OneShot,
        Control::Permute,
        Control::ConstantSigns,
        Control::ShuffleAcross,
        Control::ShuffleDegrees,
        Control::Noise(0.1),
        Control::NoiseKeepingSigns(0.1),
    ];

    /// Refuses a network for which this control does not exist, before anything is trained.
    ///
    /// # Errors
    /// [`Error::Argument`] for [`Control::SmallDense`] of a network that is no multilayer perceptron with hidden layers,
    /// whose widths it would shrink, for [`Control::ShuffleAcross`] of a network with a single weight layer, and for noise
    /// that is not of positive finite size.
    pub fn check(self, network: &Network) -> Result<()> {
        let needs = |what: &str| {
            let got = format!("{} with {} weight layers", network.name(), network.depth());
            Err(Error::argument("controls", format!("{what} for {self}"), got))
        };
        match self {
            Control::SmallDense if network.depth() < 2 || !network.is_multilayer() => {
                needs("a multilayer perceptron with a hidden layer")
            }
            Control::ShuffleAcross if network.depth() < 2 => needs("a network of several weight layers"),
            Control::Noise(tau) | Control::NoiseKeepingSigns(tau) => check_tau(self.word(), tau),
            _ => Ok(()),
        }
    }

    /// What this control is trained from, for one round of a run that `plan` made from `seed`.
    ///
    /// The streams of `seed` are `fresh` for new initial values, `order-again` for another data order, `shuffle`, `random`,
    /// `shuffle-across` and `shuffle-degrees` with the round as replicate for masks, `permute` with the round for places,
    /// `noise` for both kinds of noise, and `small-dense` for the small network.
    ///
    /// # Errors
    /// [`Error::Argument`] when the run has no such round or the network has no such control; as [`Network::preset`].
    pub fn start(
        self,
        plan: &ImpPlan,
        data: &ImpData<'_>,
        seed: &Seed,
        run: &ImpRun,
        round: usize,
    ) -> Result<ControlStart> {
        let network = plan.build_network(data)?;
        self.check(&network)?;
        let (Some(ticket), Some(dense)) = (run.rounds.get(round), run.rounds.first()) else {
            let has = match run.rounds.len() {
                0 => "none".into(),
                rounds => format!("0 to {}", rounds - 1),
            };
            let expected = format!("a round of the run for {self}, which has {has}");
            return Err(Error::argument("round", expected, round));
        };
        let layout = network.layout();
        let layers: Vec<Range<usize>> = layout.weight_ranges();
        let counts: Vec<usize> = layers.iter().map(|range| ticket.mask.kept_in(range.clone())).collect();
        let fresh = || network.initial::<f32>(&seed.stream("fresh"), &plan.initialisation);
        let of_round = |name: &str| seed.stream(name).replicate(round as u64);
        let deviations = || layer_deviations(&run.initial, layout);
        let before = round
            .checked_sub(1)
            .and_then(|before| run.rounds.get(before))
            .unwrap_or(dense);
        let rewinds = plan.retraining == Retraining::WeightRewinding;
        let theirs = if rewinds { &run.rewind } else { &before.outcome.theta };
        let elsewhere = if rewinds { &run.rewind } else { &dense.outcome.theta };
        let (mut mask, mut values, mut order) = (ticket.mask.clone(), theirs.clone(), seed.stream("training"));
        match self {
            Control::Reinit => values = fresh()?,
            Control::Signs => values = keep_signs(theirs, &fresh()?)?,
            Control::Permute => values = permute_kept_within_layers(theirs, &mask, &layers, &of_round("permute"))?,
            Control::ConstantSigns => values = constant_magnitudes(theirs, layout, &deviations()?)?,
            Control::Noise(tau) => values = with_noise(theirs, layout, &deviations()?, tau, &seed.stream("noise"))?,
            Control::NoiseKeepingSigns(tau) => {
                values = with_noise_keeping_signs(theirs, layout, &deviations()?, tau, &seed.stream("noise"))?;
            }
            Control::Order => order = seed.stream("order-again"),
            Control::Shuffle => mask = shuffle_within_layers(&mask, &layers, &of_round("shuffle"))?,
            Control::ShuffleAcross => mask = shuffle_across_layers(&mask, &layers, &of_round("shuffle-across"))?,
            Control::ShuffleDegrees => mask = shuffle_keeping_degrees(&mask, layout, &of_round("shuffle-degrees"))?,
            Control::Random => mask = random_mask(mask.dimension(), &layers, &counts, &of_round("random"))?,
            Control::OneShot => {
                let scores: Vec<f64> = dense.outcome.theta.iter().map(|v| f64::from(v.abs())).collect();
                mask = keep_highest(&layout.full_mask(), &scores, &layers, &counts)?;
            }
            Control::SmallDense => {
                let small = small_network(&network, counts.iter().sum())?;
                return Ok(ControlStart {
                    values: small.initial::<f32>(&seed.stream("small-dense"), &plan.initialisation)?,
                    mask: small.layout().full_mask(),
                    network: small,
                    order,
                });
            }
        }
        if self.moves_the_mask() {
            values.clone_from(elsewhere);
        }
        Ok(ControlStart {
            network,
            mask,
            values,
            order,
        })
    }

    /// Whether its mask keeps other places than the ticket's.
    fn moves_the_mask(self) -> bool {
        matches!(
            self,
            Control::Shuffle | Control::ShuffleAcross | Control::ShuffleDegrees | Control::Random | Control::OneShot
        )
    }

    /// Trains this control for one round of a run that `plan` made from `seed`: from [`Control::start`] as the ticket was
    /// trained; the small dense network for all steps of the plan.
    ///
    /// # Errors
    /// As [`Control::start`] and [`ImpPlan::train`].
    ///
    /// Cost: one training.
    pub fn train(
        self,
        plan: &ImpPlan,
        data: &ImpData<'_>,
        seed: &Seed,
        run: &ImpRun,
        round: usize,
    ) -> Result<ControlRun> {
        let ControlStart {
            network,
            mask,
            values,
            order,
        } = self.start(plan, data, seed, run, round)?;
        let whole = plan.build_network(data)?;
        let dense = run.rounds.first().map_or(&[][..], |dense| &dense.outcome.theta);
        let teacher = (&whole, dense);
        let outcome = if self == Control::SmallDense {
            plan.train_as(&plan.training, &network, data, &mask, &values, 0, &order, Some(teacher))?
        } else {
            plan.retrain(&network, data, &mask, &values, &order, teacher)?
        };
        Ok(ControlRun { network, mask, outcome })
    }
}

/// The dense network of the same shape whose number of weights comes nearest to `weights`.
fn small_network(network: &Network, weights: usize) -> Result<Network> {
    let mut hidden: Vec<usize> = network.dense_layers().map(|dense| dense.outputs).collect();
    hidden.pop();
    let (widths, _) = small_dense_widths(network.inputs(), &hidden, network.classes(), weights)?;
    network.with_hidden_widths(&widths)
}
