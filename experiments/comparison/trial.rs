//! One seed of a comparison.

use super::super::tickets::{imp_run, samples, ticket_seed};
use std::ops::Range;
use ticketsense::harness::Context;
use ticketsense::networks::Network;
use ticketsense::pruning::{
    Criterion, CriterionInput, ImpPlan, ImpRun, ImpSamples, LivePaths, Round, TrainingOutcome, keep_highest,
    keep_highest_together, kept_weights,
};
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

    /// As [`Trial::new`] without rounds of pruning: the dense training alone.
    ///
    /// # Errors
    /// As [`Trial::new`].
    pub fn dense(context: &Context<'_>, plan: &ImpPlan, number: usize) -> Result<Self> {
        let dense = ImpPlan {
            rounds: 0,
            ..plan.clone()
        };
        Trial::new(context, &dense, number)
    }

    /// The same seed with arms that are looked at in the end alone.
    pub fn seen_at_the_end(mut self) -> Self {
        self.plan.training.evaluate_every = self.plan.training.steps;
        self
    }

    /// The learning rate of the run.
    pub fn rate(&self) -> f64 {
        self.plan.training.optimiser.learning_rate()
    }

    /// Initial weights that are drawn again: the same for every arm of the seed.
    ///
    /// # Errors
    /// As [`Network::initial`].
    pub fn fresh(&self) -> Result<Vec<f32>> {
        let law = &self.plan.initialisation;
        self.network.initial(&self.seed.stream("fresh"), law)
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

    /// How many weights a mask keeps, biases not counted.
    pub fn kept(&self, mask: &Mask) -> usize {
        kept_weights(&self.network, mask)
    }

    /// How many weights both of two masks keep.
    ///
    /// # Errors
    /// When they are of different networks.
    pub fn shared(&self, first: &Mask, second: &Mask) -> Result<usize> {
        Ok(self.kept(&first.and(second)?))
    }

    /// The fraction of the weights that a mask keeps.
    pub fn density(&self, mask: &Mask) -> f64 {
        self.kept(mask) as f64 / self.network.layout().prunable() as f64
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

    /// What a criterion looks at: some parameters, the weights that are left of them, and a stream for random scores.
    pub fn criterion_input<'a>(&'a self, theta: &'a [f32], mask: &'a Mask, seed: Seed) -> CriterionInput<'a> {
        CriterionInput {
            network: &self.network,
            theta,
            mask,
            initial: &self.run.initial,
            loss: self.plan.training.loss,
            training: self.samples.view().training,
            seed,
        }
    }

    /// The score of every weight at some parameters, nothing pruned.
    ///
    /// # Errors
    /// As [`Criterion::scores`].
    pub fn scores(&self, criterion: Criterion, theta: &[f32]) -> Result<Vec<f64>> {
        let full = self.network.layout().full_mask();
        criterion.scores(&self.criterion_input(theta, &full, self.seed.stream("criterion")))
    }

    /// The mask of the highest scores, so many in every layer.
    ///
    /// # Errors
    /// As [`Trial::scores`]; when a layer has fewer weights.
    pub fn highest(&self, criterion: Criterion, theta: &[f32], counts: &[usize]) -> Result<Mask> {
        let full = self.network.layout().full_mask();
        keep_highest(&full, &self.scores(criterion, theta)?, &self.layers(), counts)
    }

    /// The mask of the highest scores of all layers together.
    ///
    /// # Errors
    /// As [`Trial::scores`]; when there are fewer weights.
    pub fn highest_together(&self, criterion: Criterion, theta: &[f32], count: usize) -> Result<Mask> {
        let full = self.network.layout().full_mask();
        keep_highest_together(&full, &self.scores(criterion, theta)?, &self.layers(), count)
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

    /// As [`Trial::train`] from the first step, the accuracy on the validation samples at the end alone.
    ///
    /// # Errors
    /// As [`Trial::train`].
    pub fn validated(&self, mask: &Mask, values: &[f32], rate: f64) -> Result<f64> {
        Ok(validation_accuracy(&self.train(mask, values, 0, rate)?))
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
