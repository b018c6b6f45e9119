//! The batches of a training, step by step: what the trainer trains on, for whoever else descends along them.

use super::mixing::MixedBatch;
use super::trainer::Trainer;
use crate::error::Result;
use crate::networks::{Array, Real, Workspace};
use crate::seed::Seed;
use rand::seq::SliceRandom;

/// The batches of a [`Trainer`], each by the number of its step.
#[derive(Debug)]
pub(crate) struct Batches<'t, 'a, T: Real> {
    trainer: &'t Trainer<'a, T>,
    mixed: Option<MixedBatch<T>>,
    /// The epoch that was asked for last, and its order.
    epoch: Option<usize>,
    order: Vec<usize>,
}

/// Rows of inputs and targets.
pub(crate) struct Batch<'b, T> {
    /// A row a sample.
    pub inputs: &'b Array<T>,
    /// What the loss compares outputs with.
    pub targets: &'b Array<T>,
    /// The samples of the batch.
    pub rows: &'b [usize],
}

impl<'t, 'a, T: Real> Batches<'t, 'a, T> {
    pub fn new(trainer: &'t Trainer<'a, T>) -> Result<Self> {
        let (features, classes) = (trainer.training.inputs.columns(), trainer.network.classes());
        let batch = |mixing| MixedBatch::new(mixing, trainer.plan.batch, features, classes);
        Ok(Batches {
            trainer,
            mixed: trainer.plan.mixing.map(batch).transpose()?,
            epoch: None,
            order: Vec::new(),
        })
    }

    /// The batch of step `step`, counted from 0, mixed where the plan says so; a teacher sees what the student sees.
    pub fn at(&mut self, step: usize) -> Result<Batch<'_, T>> {
        let trainer = self.trainer;
        let (epoch, place) = (step / trainer.steps_per_epoch(), step % trainer.steps_per_epoch());
        if self.epoch != Some(epoch) {
            self.order = order_of_epoch(trainer, epoch);
            self.epoch = Some(epoch);
        }
        let rows = &self.order[place * trainer.plan.batch..(place + 1) * trainer.plan.batch];
        let Some(mixed) = &mut self.mixed else {
            return Ok(Batch {
                inputs: trainer.training.inputs,
                targets: &trainer.targets,
                rows,
            });
        };
        let stream = trainer.mixing.replicate(step as u64);
        mixed.fill(trainer.training.inputs, &trainer.targets, rows, &stream);
        if let Some(teacher) = &trainer.teacher {
            teacher.teach(trainer.plan.loss, &mixed.inputs, &mut mixed.targets)?;
        }
        Ok(Batch {
            inputs: &mixed.inputs,
            targets: &mixed.targets,
            rows: &mixed.rows,
        })
    }
}

impl<T: Real> Batches<'_, '_, T> {
    /// The loss on the batch of a step at some parameters, and its gradient in every parameter of the workspace.
    pub fn loss_and_gradient(
        &mut self,
        step: usize,
        theta: &[T],
        workspace: &mut Workspace<T>,
        gradient: &mut [T],
    ) -> Result<f64> {
        if let Some(stream) = self.trainer.drawn_inside(step) {
            workspace.draw_from(stream);
        }
        let loss = self.trainer.plan.loss;
        let batch = self.at(step)?;
        Ok(workspace.loss_and_gradient(theta, batch.inputs, batch.targets, batch.rows, loss, gradient))
    }
}

impl<T: Real> Trainer<'_, T> {
    /// Where dropout draws from in a step; nothing for a network that draws no random numbers.
    pub(crate) fn drawn_inside(&self, step: usize) -> Option<Seed> {
        self.network.has_dropout().then(|| self.inside.replicate(step as u64))
    }
}

fn order_of_epoch<T: Real>(trainer: &Trainer<'_, T>, epoch: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..trainer.training.inputs.rows()).collect();
    order.shuffle(&mut trainer.order.replicate(epoch as u64).rng());
    order
}
