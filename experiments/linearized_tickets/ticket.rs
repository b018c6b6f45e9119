//! Everything that belongs to one seed.

use super::super::tickets::{imp_run, samples, ticket_seed};
use super::masks::Arm;
use super::{DENSITIES, Sizes, training};
use std::ops::Range;
use ticketsense::data::Dataset;
use ticketsense::harness::Context;
use ticketsense::networks::{Array, Network};
use ticketsense::pruning::controls::shuffle_within_layers;
use ticketsense::pruning::{ImpPlan, ImpRun, ImpSamples, TrainingOutcome};
use ticketsense::{Mask, Result, Seed};

/// What belongs to one seed.
pub struct Ticket {
    pub data: ImpSamples,
    pub plan: ImpPlan,
    pub network: Network,
    pub run: ImpRun,
    pub seed: Seed,
    pub samples: Array<f64>,
    pub labels: Vec<usize>,
    /// One pass over the training set, in samples.
    pub training_samples: usize,
    pub sizes: Sizes,
}

impl Ticket {
    pub fn new(context: &Context<'_>, number: usize, sizes: Sizes) -> Result<Ticket> {
        context.check()?;
        let dataset: &Dataset = context.data()?;
        let plan = sizes.plan();
        let run = imp_run(context, &plan, number)?;
        let data = samples(context)?;
        let seed = ticket_seed(context, number);
        let chosen = dataset.stratified(sizes.samples, &seed.stream("samples"))?;
        Ok(Ticket {
            network: plan.build_network(&data.view())?,
            samples: dataset.batch(&chosen)?,
            labels: dataset.labels_of(&chosen)?,
            training_samples: data.view().training.inputs.rows(),
            data,
            plan,
            run,
            seed,
            sizes,
        })
    }

    /// The mask of iterative pruning at a density.
    pub fn reference(&self, density: f64) -> &Mask {
        let place = usize::from(density != DENSITIES[0]);
        &self.run.rounds[self.sizes.rounds[place]].mask
    }

    pub fn counts(&self, density: f64) -> Vec<usize> {
        let mask = self.reference(density);
        let slots = self.network.layout().weight_slots();
        slots.map(|slot| mask.kept_in(slot.range.clone())).collect()
    }

    /// The weights of every layer in the flat parameter vector.
    pub fn layers(&self) -> Vec<Range<usize>> {
        let slots = self.network.layout().weight_slots();
        slots.map(|slot| slot.range.clone()).collect()
    }

    /// Weights that a mask keeps, biases apart.
    pub fn kept(&self, mask: &Mask) -> usize {
        self.layers().into_iter().map(|range| mask.kept_in(range)).sum()
    }

    /// Fresh initial values: the same for every mask, and those of a fresh re-initialisation elsewhere.
    pub fn fresh(&self) -> Result<Vec<f32>> {
        self.network
            .initial(&self.seed.stream("fresh"), &self.plan.initialisation)
    }

    /// Trains `m ⊙ θ₀` on the data order of iterative pruning.
    pub fn train(&self, mask: &Mask, rate: f64) -> Result<TrainingOutcome> {
        self.train_from(mask, &self.run.initial, rate)
    }

    /// Trains `m ⊙ values` on that data order.
    pub fn train_from(&self, mask: &Mask, values: &[f32], rate: f64) -> Result<TrainingOutcome> {
        let plan = ImpPlan {
            training: training(rate, self.sizes.steps),
            ..self.plan.clone()
        };
        let order = self.seed.stream("training");
        plan.train(&self.network, &self.data.view(), mask, values, 0, &order)
    }

    pub fn validation(outcome: &TrainingOutcome) -> f64 {
        outcome.history.last().map_or(f64::NAN, |e| e.validation_accuracy)
    }

    /// Passes over the training set of one training.
    pub fn training_passes(&self) -> f64 {
        (self.sizes.steps * self.plan.training.batch) as f64 / self.training_samples as f64
    }

    pub fn shuffle(&self, mask: &Mask, arm: Arm, density: f64) -> Result<Mask> {
        let seed = self
            .seed
            .stream("shuffled")
            .stream(arm.name())
            .stream(density.to_string());
        shuffle_within_layers(mask, &self.layers(), &seed)
    }

    /// Passes over the training set that so many passes over the samples of the linearisation are.
    pub fn sample_passes(&self, passes: f64) -> f64 {
        passes * self.samples.rows() as f64 / self.training_samples as f64
    }
}
