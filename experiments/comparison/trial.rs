//! One seed of a comparison.

use super::super::tickets::{imp_run, samples, ticket_seed};
use std::ops::Range;
use ticketsense::harness::Context;
use ticketsense::networks::Network;
use ticketsense::pruning::{ImpPlan, ImpRun, ImpSamples, LivePaths, Round, TrainingOutcome, kept_weights};
use ticketsense::training::TrainingPlan;
use ticketsense::{Error, Mask, Result, Seed};

/// Everything that the arms of one seed have in common.
pub struct Trial {
    /// Its number.
    pub number: usize,
    /// The data.
    pub samples: ImpSamples,
    /// How the run below was made, and how every mask is trained but for its learning rate.
    pub plan: ImpPlan,
    /// The network.
    pub network: Network,
    /// Iterative pruning: the dense training is round 0.
    pub run: ImpRun,
    /// The streams of this seed: `training` is the data order of the run.
    pub seed: Seed,
}

impl Trial {
    /// The `number`-th seed of a plan; its run is computed once for all experiments that ask for the same.
    ///
    /// # Errors
    /// As [`imp_run`].
    pub fn new(context: &Context<'_>, plan: &ImpPlan, number: usize) -> Result<Self> {
        context.check()?;
        let run = imp_run(context, plan, number)?;
        let samples = samples(context)?;
        Ok(Trial {
            number,
            network: plan.build_network(&samples.view())?,
            samples,
            plan: plan.clone(),
            run,
            seed: ticket_seed(context, number),
        })
    }

    /// The weights of every layer in the flat parameter vector, from input to output.
    pub fn layers(&self) -> Vec<Range<usize>> {
        let slots = self.network.layout().weight_slots();
        slots.map(|slot| slot.range.clone()).collect()
    }

    /// How many weights a mask keeps in every layer.
    pub fn counts(&self, mask: &Mask) -> Vec<usize> {
        self.layers().into_iter().map(|range| mask.kept_in(range)).collect()
    }

    /// The fraction of the weights that a mask keeps.
    pub fn density(&self, mask: &Mask) -> f64 {
        kept_weights(&self.network, mask) as f64 / self.network.layout().prunable() as f64
    }

    /// The fraction of the weights that a mask keeps and that lie on a path from an input to an output.
    ///
    /// # Errors
    /// When the mask is of another network, or the network has no paths to follow.
    pub fn effective_density(&self, mask: &Mask) -> Result<f64> {
        Ok(LivePaths::of(&self.network, mask)?.effective_density())
    }

    /// A round of the run.
    ///
    /// # Errors
    /// [`Error::Shape`] when the run ended before it.
    pub fn round(&self, round: usize) -> Result<&Round> {
        let missing = || Error::shape("rounds of a run", format!("more than {round}"), self.run.rounds.len());
        self.run.rounds.get(round).ok_or_else(missing)
    }

    /// The parameters after the dense training.
    ///
    /// # Errors
    /// As [`Trial::round`].
    pub fn trained(&self) -> Result<&[f32]> {
        Ok(&self.round(0)?.outcome.theta)
    }

    /// The plan of training at another learning rate.
    pub fn training_at(&self, rate: f64) -> TrainingPlan {
        let training = self.plan.training.clone();
        TrainingPlan {
            optimiser: training.optimiser.at_rate(rate),
            ..training
        }
    }

    /// Trains `mask ⊙ values` from step `start` on the run's order of the data, at a learning rate.
    ///
    /// # Errors
    /// As [`ImpPlan::train`].
    pub fn train(&self, mask: &Mask, values: &[f32], start: usize, rate: f64) -> Result<TrainingOutcome> {
        self.train_in_order(mask, values, start, rate, &self.seed.stream("training"))
    }

    /// As [`Trial::train`] on the order of the data that another stream gives.
    ///
    /// # Errors
    /// As [`ImpPlan::train`].
    pub fn train_in_order(
        &self,
        mask: &Mask,
        values: &[f32],
        start: usize,
        rate: f64,
        order: &Seed,
    ) -> Result<TrainingOutcome> {
        let plan = ImpPlan {
            training: self.training_at(rate),
            ..self.plan.clone()
        };
        plan.train(&self.network, &self.samples.view(), mask, values, start, order)
    }

    /// The cost of so many training steps in passes over the training set.
    pub fn passes(&self, steps: usize) -> f64 {
        (steps * self.plan.training.batch) as f64 / self.samples.view().training.inputs.rows() as f64
    }
}

/// The accuracy on the validation samples at the end of a training; chance where it diverged before any look.
pub fn validation_accuracy(outcome: &TrainingOutcome) -> f64 {
    outcome.history.last().map_or(0.0, |last| last.validation_accuracy)
}
