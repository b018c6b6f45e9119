//! Controls by name: each is trained at the mask, or at the counts, of a round of a finished run.

use super::controls::{keep_signs, random_mask, shuffle_within_layers, small_dense_widths};
use super::imp::{ImpData, ImpPlan};
use super::retraining::Retraining;
use super::run::{ImpRun, TrainingOutcome};
use super::select::keep_highest;
use crate::error::{Error, Result};
use crate::networks::Network;
use crate::seed::Seed;
use crate::support::Mask;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// What is trained beside the ticket of a round, each with one thing changed.
///
/// Where nothing else is said, a control keeps the ticket's mask, starts from the values that the ticket starts from,
/// and sees its data in the same order for the same number of steps. Where tickets keep their trained weights instead of
/// being rewound, a mask of other places starts from the trained weights of the dense network, in which every place has
/// a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    let slots = network.layout().weight_slots();
    slots.map(|slot| mask.kept_in(slot.range.clone())).sum()
}

impl Control {
    /// Every control.
    pub const ALL: [Control; 7] = [
        Control::Reinit,
        Control::Signs,
        Control::Shuffle,
        Control::Order,
        Control::SmallDense,
        Control::Random,
        Control::OneShot,
    ];

    /// The word on the command line and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Control::Reinit => "reinit",
            Control::Signs => "signs",
            Control::Shuffle => "shuffle",
            Control::Order => "order",
            Control::SmallDense => "small-dense",
            Control::Random => "random",
            Control::OneShot => "one-shot",
        }
    }

    /// Refuses a network for which this control does not exist, before anything is trained.
    ///
    /// # Errors
    /// [`Error::Argument`] for [`Control::SmallDense`] of a network that is no multilayer perceptron with hidden layers, whose
    /// widths it would shrink.
    pub fn check(self, network: &Network) -> Result<()> {
        if self == Control::SmallDense && (network.depth() < 2 || !network.is_multilayer()) {
            return Err(Error::argument(
                "controls",
                "a multilayer perceptron with a hidden layer for small-dense",
                network.name(),
            ));
        }
        Ok(())
    }

    /// Trains this control for one round of a run that `plan` made from `seed`.
    ///
    /// The streams of `seed` are `fresh` for new initial values, `order-again` for another data order, `shuffle` and
    /// `random` with the round as replicate for masks, and `small-dense` for the small network, which is trained for
    /// all steps of the plan.
    ///
    /// # Errors
    /// [`Error::Argument`] when the run has no such round or the network has no such control; otherwise as
    /// [`ImpPlan::train`].
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
        let network = plan.build_network(data)?;
        self.check(&network)?;
        let (Some(ticket), Some(dense)) = (run.rounds.get(round), run.rounds.first()) else {
            let expected = format!("below the {} rounds of the run", run.rounds.len());
            return Err(Error::argument("round", expected, round));
        };
        let layers: Vec<Range<usize>> = network.layout().weight_slots().map(|s| s.range.clone()).collect();
        let counts: Vec<usize> = layers.iter().map(|range| ticket.mask.kept_in(range.clone())).collect();
        let fresh = || network.initial::<f32>(&seed.stream("fresh"), &plan.initialisation);
        let before = round
            .checked_sub(1)
            .and_then(|before| run.rounds.get(before))
            .unwrap_or(dense);
        let rewinds = plan.retraining == Retraining::WeightRewinding;
        let theirs = if rewinds { &run.rewind } else { &before.outcome.theta };
        let elsewhere = if rewinds { &run.rewind } else { &dense.outcome.theta };
        let teacher = (&network, &dense.outcome.theta[..]);
        let (mut mask, mut values, mut order) = (ticket.mask.clone(), theirs.clone(), seed.stream("training"));
        match self {
            Control::Reinit => values = fresh()?,
            Control::Signs => values = keep_signs(theirs, &fresh()?)?,
            Control::Order => order = seed.stream("order-again"),
            Control::Shuffle => {
                values.clone_from(elsewhere);
                mask = shuffle_within_layers(&mask, &layers, &seed.stream("shuffle").replicate(round as u64))?;
            }
            Control::Random => {
                values.clone_from(elsewhere);
                let stream = seed.stream("random").replicate(round as u64);
                mask = random_mask(mask.dimension(), &layers, &counts, &stream)?;
            }
            Control::OneShot => {
                values.clone_from(elsewhere);
                let scores: Vec<f64> = dense.outcome.theta.iter().map(|v| f64::from(v.abs())).collect();
                mask = keep_highest(&network.layout().full_mask(), &scores, &layers, &counts)?;
            }
            Control::SmallDense => {
                let small = small_network(&network, counts.iter().sum())?;
                let values = small.initial::<f32>(&seed.stream("small-dense"), &plan.initialisation)?;
                let mask = small.layout().full_mask();
                let outcome = plan.train_as(&plan.training, &small, data, &mask, &values, 0, &order, Some(teacher))?;
                return Ok(ControlRun {
                    network: small,
                    mask,
                    outcome,
                });
            }
        }
        let outcome = plan.retrain(&network, data, &mask, &values, &order, teacher)?;
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

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Control {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        Control::ALL
            .into_iter()
            .find(|c| c.as_str() == word)
            .ok_or_else(|| Error::unknown("control", word, Control::ALL.map(Control::as_str)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::Array;
    use crate::training::{Examples, TrainingPlan};

    struct Small {
        inputs: Array<f32>,
        labels: Vec<usize>,
    }

    impl Small {
        /// Three classes that one coordinate each tells apart.
        fn new() -> Self {
            let labels: Vec<usize> = (0..90).map(|i| i % 3).collect();
            let inputs = Array::from_fn(90, 6, |i, j| {
                ((i * 7 + j * 5) % 11) as f32 / 11.0 + if labels[i] == j { 1.0 } else { 0.0 }
            });
            Small { inputs, labels }
        }

        fn view(&self) -> ImpData<'_> {
            let examples = Examples::labelled(&self.inputs, &self.labels);
            ImpData {
                training: examples,
                validation: examples,
                test: examples,
                shape: 6.into(),
                classes: 3,
                identity: "small",
            }
        }
    }

    fn plan(network: &str, rewind_step: usize) -> ImpPlan {
        ImpPlan {
            network: network.into(),
            training: TrainingPlan {
                batch: 30,
                steps: 12,
                evaluate_every: 6,
                ..TrainingPlan::default()
            },
            rounds: 2,
            prune_fraction: 0.4,
            rewind_step,
            ..ImpPlan::default()
        }
    }

    #[test]
    fn every_control_changes_what_it_says_and_nothing_else() {
        let (small, seed) = (Small::new(), Seed::root(4));
        for rewind_step in [0, 3] {
            let plan = plan("mlp:9-7:tanh:no-bias", rewind_step);
            let run = plan.run(&small.view(), &seed, &mut |_| true).unwrap();
            let network = plan.build_network(&small.view()).unwrap();
            let ticket = &run.rounds[2];
            let layer_counts = |mask: &Mask| -> Vec<usize> {
                network
                    .layout()
                    .weight_slots()
                    .map(|s| mask.kept_in(s.range.clone()))
                    .collect()
            };
            for control in Control::ALL {
                let trained = control.train(&plan, &small.view(), &seed, &run, 2).unwrap();
                let theta = &trained.outcome.theta;
                assert!(
                    theta
                        .iter()
                        .enumerate()
                        .all(|(i, &v)| trained.mask.keeps(i) || v == 0.0)
                );
                // After little training pruning at once may find the very mask of the rounds.
                if control != Control::OneShot {
                    assert_ne!(theta, &ticket.outcome.theta, "{control}");
                }
                assert_eq!(control.as_str().parse::<Control>().unwrap(), control);
                match control {
                    Control::Reinit | Control::Signs | Control::Order => assert_eq!(trained.mask, ticket.mask),
                    Control::SmallDense => {
                        assert_eq!(trained.kept(), trained.network.layout().prunable());
                        assert!(
                            trained.network.name().ends_with(":tanh:no-bias"),
                            "{}",
                            trained.network.name()
                        );
                        continue;
                    }
                    _ => {
                        let dense = &run.rounds[0].outcome.theta;
                        for slot in network.layout().weight_slots().filter(|_| control == Control::OneShot) {
                            let sizes = |kept: bool| -> Vec<f32> {
                                let of_kind = slot.range.clone().filter(|&i| trained.mask.keeps(i) == kept);
                                of_kind.map(|i| dense[i].abs()).collect()
                            };
                            let largest_pruned = sizes(false).into_iter().fold(0.0, f32::max);
                            assert!(largest_pruned <= sizes(true).into_iter().fold(f32::MAX, f32::min));
                        }
                        if control != Control::OneShot {
                            assert_ne!(trained.mask, ticket.mask, "{control}");
                        }
                        assert_eq!(layer_counts(&trained.mask), layer_counts(&ticket.mask), "{control}");
                    }
                }
                assert_eq!(trained.outcome.steps, ticket.outcome.steps, "{control}");
                assert_eq!(trained.kept(), kept_weights(&network, &ticket.mask));
            }
        }
    }

    #[test]
    fn one_shot_pruning_is_the_first_round_of_iterative_pruning() {
        let (small, seed, plan) = (Small::new(), Seed::root(6), plan("mlp:9-7", 0));
        let run = plan.run(&small.view(), &seed, &mut |_| true).unwrap();
        let once = Control::OneShot.train(&plan, &small.view(), &seed, &run, 1).unwrap();
        assert_eq!(once.mask, run.rounds[1].mask);
        assert_eq!(once.outcome.theta, run.rounds[1].outcome.theta);
    }

    #[test]
    fn rounds_and_controls_that_do_not_exist_are_refused() {
        let (small, seed, plan) = (Small::new(), Seed::root(6), plan("linear", 0));
        let run = plan.run(&small.view(), &seed, &mut |_| true).unwrap();
        assert!(Control::Reinit.train(&plan, &small.view(), &seed, &run, 3).is_err());
        assert!(Control::SmallDense.train(&plan, &small.view(), &seed, &run, 1).is_err());
        assert!(
            "re-init"
                .parse::<Control>()
                .unwrap_err()
                .to_string()
                .contains("did you mean 'reinit'")
        );
    }
}
