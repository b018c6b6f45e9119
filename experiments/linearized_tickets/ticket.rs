//! Everything that belongs to one seed.

use super::super::comparison::Trial;
use super::masks::Arm;
use super::{DENSITIES, Sizes};
use ticketsense::harness::Context;
use ticketsense::networks::Array;
use ticketsense::pruning::TrainingOutcome;
use ticketsense::pruning::controls::shuffle_within_layers;
use ticketsense::{Mask, Result};

/// What belongs to one seed.
pub struct Ticket {
    /// Its run of iterative pruning.
    pub trial: Trial,
    /// The samples of the linearisation with their labels.
    pub samples: Array<f64>,
    pub labels: Vec<usize>,
    pub sizes: Sizes,
}

impl Ticket {
    pub fn new(context: &Context<'_>, number: usize, sizes: Sizes) -> Result<Ticket> {
        let trial = Trial::new(context, &sizes.plan(), number)?;
        let dataset = context.data()?;
        let chosen = dataset.stratified(sizes.samples, &trial.seed.stream("samples"))?;
        Ok(Ticket {
            samples: dataset.batch(&chosen)?,
            labels: dataset.labels_of(&chosen)?,
            trial,
            sizes,
        })
    }

    /// The rounds of iterative pruning down to a density.
    pub fn rounds(&self, density: f64) -> usize {
        self.sizes.rounds[usize::from(density != DENSITIES[0])]
    }

    /// The mask of iterative pruning at a density.
    pub fn reference(&self, density: f64) -> Result<&Mask> {
        Ok(&self.trial.round(self.rounds(density))?.mask)
    }

    /// Its weights in every layer.
    pub fn counts(&self, density: f64) -> Result<Vec<usize>> {
        Ok(self.trial.counts(self.reference(density)?))
    }

    /// Trains `m ⊙ θ₀` on the data order of iterative pruning.
    pub fn train(&self, mask: &Mask, rate: f64) -> Result<TrainingOutcome> {
        self.trial.train(mask, &self.trial.run.initial, 0, rate)
    }

    /// The accuracy on the validation samples at the end of a training; NaN where it diverged before.
    pub fn validation(outcome: &TrainingOutcome) -> f64 {
        outcome.history.last().map_or(f64::NAN, |e| e.validation_accuracy)
    }

    /// Passes over the training set of one training.
    pub fn training_passes(&self) -> f64 {
        self.trial.passes(self.sizes.steps)
    }

    pub fn shuffle(&self, mask: &Mask, arm: Arm, density: f64) -> Result<Mask> {
        let seed = self
            .trial
            .seed
            .stream("shuffled")
            .stream(arm.name())
            .stream(density.to_string());
        shuffle_within_layers(mask, &self.trial.layers(), &seed)
    }

    /// Passes over the training set that so many passes over the samples of the linearisation are.
    pub fn sample_passes(&self, passes: f64) -> f64 {
        passes * self.samples.rows() as f64 / self.trial.samples.view().training.inputs.rows() as f64
    }
}
