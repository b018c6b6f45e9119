//! Masked mini-batch training that can stop after any step and go on to the same bits.

use super::batches::Batches;
use super::compact::Compact;
use super::optimiser::Moments;
use super::plan::TrainingPlan;
use super::targets::smooth;
use super::teacher::Teaching;
use super::validation::Watched;
use crate::error::{Error, Result};
use crate::networks::{Array, Loss, Network, Real, Targets};
use crate::outcome::Status;
use crate::seed::Seed;
use crate::support::Mask;

/// Samples with the class of each, and what the outputs are compared with where that is something else.
#[derive(Clone, Copy, Debug)]
pub struct Examples<'a, T> {
    /// A row a sample.
    pub inputs: &'a Array<T>,
    /// The class of each sample: decides accuracy.
    pub labels: &'a [usize],
    /// What the loss compares outputs with; the labels, unless rows of targets are given.
    pub targets: Option<&'a Array<T>>,
}

impl<'a, T: Real> Examples<'a, T> {
    /// Samples whose targets are their labels.
    pub fn labelled(inputs: &'a Array<T>, labels: &'a [usize]) -> Self {
        Examples {
            inputs,
            labels,
            targets: None,
        }
    }

    /// The features that are zero in every sample, ascending. The gradient in the weights that read them is exactly
    /// zero, so that without decay they keep their first values, and a criterion of magnitude keeps or prunes them by
    /// those alone. Cost: a look at every feature until its first entry that is not zero.
    pub fn silent_inputs(&self) -> Vec<usize> {
        let mut silent: Vec<usize> = (0..self.inputs.columns()).collect();
        for row in self.inputs.iter_rows() {
            silent.retain(|&feature| row[feature] == T::ZERO);
            if silent.is_empty() {
                break;
            }
        }
        silent
    }

    pub(super) fn check(&self, what: &str) -> Result<()> {
        if self.inputs.rows() != self.labels.len() {
            return Err(Error::shape(
                format!("{what} labels"),
                self.inputs.rows(),
                self.labels.len(),
            ));
        }
        Ok(())
    }

    pub(super) fn loss_targets(&self, loss: Loss, classes: usize) -> Result<Array<T>> {
        let targets = self.targets.map_or(Targets::Labels(self.labels), Targets::Values);
        loss.targets(targets, self.inputs.rows(), classes)
    }
}

/// What was seen on the way, at one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Steps done before it.
    pub step: usize,
    /// Mean loss of the batches since the evaluation before; NaN at the first, where there were none.
    pub training_loss: f64,
    /// Loss on the validation samples.
    pub validation_loss: f64,
    /// Accuracy on the validation samples.
    pub validation_accuracy: f64,
}

/// A training between two steps: everything that decides how it goes on.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingState<T> {
    /// The parameters; exactly zero where the mask prunes.
    pub theta: Vec<T>,
    /// The optimiser's moments; exactly zero where the mask prunes.
    pub moments: Moments<T>,
    /// Steps done.
    pub step: usize,
    /// The step at which the moments were fresh; Adam's corrections count from there.
    pub first_step: usize,
    /// Evaluations so far, the first at `first_step`.
    pub history: Vec<Evaluation>,
    /// `Stopped` between steps, `Converged` when all steps are done, `Diverged` when the loss was no longer finite.
    pub status: Status,
    /// How many steps were done when a loss or a parameter was seen to be no longer finite, of a training that diverged.
    pub diverged_at: Option<usize>,
    pub(crate) loss_since: f64,
    pub(crate) batches_since: usize,
}

impl<T> TrainingState<T> {
    pub(crate) fn diverge(&mut self) {
        self.status = Status::Diverged;
        self.diverged_at = Some(self.step);
    }

    /// The evaluation of smallest validation loss, the first of equals: where early stopping would stop.
    pub fn early_stop(&self) -> Option<&Evaluation> {
        self.history
            .iter()
            .filter(|e| e.validation_loss.is_finite())
            .min_by(|a, b| a.validation_loss.total_cmp(&b.validation_loss))
    }
}

/// A network, its data, a mask and a plan, ready to train.
///
/// The data order of epoch `e` is a random permutation from the stream `data-order`, replicate `e`, of the seed; a last
/// batch that would be short is left out. One thread, fixed order of every sum: the same bits on every run.
#[derive(Debug)]
pub struct Trainer<'a, T: Real> {
    pub(super) network: &'a Network,
    pub(super) plan: TrainingPlan,
    pub(super) training: Examples<'a, T>,
    pub(super) targets: Array<T>,
    watched: Watched<'a, T>,
    pub(super) mask: &'a Mask,
    pub(super) order: Seed,
    pub(super) mixing: Seed,
    pub(super) inside: Seed,
    pub(super) teacher: Option<Teaching<'a, T>>,
}

impl<'a, T: Real> Trainer<'a, T> {
    /// Puts a training together.
    ///
    /// # Errors
    /// [`Error::Argument`] on a plan out of range, [`Error::Shape`] when data, mask and network do not fit.
    pub fn new(
        network: &'a Network,
        plan: TrainingPlan,
        training: Examples<'a, T>,
        validation: Examples<'a, T>,
        mask: &'a Mask,
        seed: &Seed,
    ) -> Result<Self> {
        training.check("training")?;
        validation.check("validation")?;
        plan.validate_for(training.inputs.rows(), training.inputs.columns())?;
        network.layout().check_mask(mask)?;
        let mut targets = training.loss_targets(plan.loss, network.classes())?;
        smooth(plan.loss, &mut targets, plan.label_smoothing);
        let watched = Watched::new(validation, &plan, network.classes())?;
        Ok(Trainer {
            network,
            plan,
            training,
            targets,
            watched,
            mask,
            order: seed.stream("data-order"),
            inside: seed.stream("inside-the-network"),
            mixing: seed.stream("mixing"),
            teacher: None,
        })
    }

    /// The plan.
    pub fn plan(&self) -> &TrainingPlan {
        &self.plan
    }

    /// Steps of one pass over the training samples.
    pub fn steps_per_epoch(&self) -> usize {
        self.training.inputs.rows() / self.plan.batch
    }

    /// The state before the first step, at `mask ⊙ initial`.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::NotFinite`] on initial values that do not fit.
    pub fn start(&self, initial: &[T]) -> Result<TrainingState<T>> {
        self.start_at(initial, 0)
    }

    /// A state that counts `step` steps as done: `mask ⊙ values` with fresh moments, the data order going on from
    /// there. This is how rewound weights start.
    ///
    /// # Errors
    /// As [`Trainer::start`]; [`Error::Argument`] when `step` is beyond the plan.
    pub fn start_at(&self, values: &[T], step: usize) -> Result<TrainingState<T>> {
        if step > self.plan.steps {
            return Err(Error::argument(
                "starting step",
                format!("at most {}", self.plan.steps),
                step,
            ));
        }
        let mut theta = values.to_vec();
        self.mask.apply(&mut theta)?;
        let moments = Moments::zeros(&self.plan.optimiser, theta.len());
        let mut state = TrainingState {
            theta,
            moments,
            step,
            first_step: step,
            history: Vec::new(),
            status: Status::Stopped,
            diverged_at: None,
            loss_since: 0.0,
            batches_since: 0,
        };
        self.evaluate(&mut state)?;
        Ok(state)
    }

    /// Goes on until `until` steps are done in all (never beyond the plan), while `go_on` says so; it is asked after
    /// every evaluation.
    ///
    /// # Errors
    /// As [`Network::loss`]; a loss that is no longer finite is not an error but ends the training as
    /// [`Status::Diverged`].
    ///
    /// Cost: one gradient of a batch a step.
    pub fn advance(
        &self,
        state: &mut TrainingState<T>,
        until: usize,
        go_on: &mut dyn FnMut(&Evaluation) -> bool,
    ) -> Result<()> {
        self.walk(state, until, go_on, &mut |_, _| ())
    }

    /// As [`Trainer::advance`], with all weights moved after every step: `project` is given the number of steps done and
    /// the parameters, before they are evaluated. This is projected descent; moments are not projected.
    ///
    /// # Errors
    /// [`Error::Argument`] when the mask of this trainer prunes, which is a projection already; otherwise as
    /// [`Trainer::advance`].
    pub fn advance_projected(
        &self,
        state: &mut TrainingState<T>,
        until: usize,
        project: &mut dyn FnMut(usize, &mut [T]),
    ) -> Result<()> {
        if self.mask.kept() < self.mask.dimension() {
            return Err(Error::argument(
                "mask",
                "nothing pruned where the steps are projected",
                self.mask.density(),
            ));
        }
        self.walk(state, until, &mut |_| true, project)
    }

    fn walk(
        &self,
        state: &mut TrainingState<T>,
        until: usize,
        go_on: &mut dyn FnMut(&Evaluation) -> bool,
        project: &mut dyn FnMut(usize, &mut [T]),
    ) -> Result<()> {
        let until = until.min(self.plan.steps);
        let mut compact = Compact::new(self.network, self.mask, self.plan.batch, state);
        let mut batches = Batches::new(self)?;
        while state.step < until && state.status != Status::Diverged {
            if let Some(stream) = self.drawn_inside(state.step) {
                compact.draw_from(stream);
            }
            let batch = batches.at(state.step)?;
            let loss = compact.gradient(batch.inputs, batch.targets, batch.rows, self.plan.loss);
            if !loss.is_finite() {
                state.diverge();
                break;
            }
            let optimiser = self.plan.optimiser_at(state.step);
            state.step += 1;
            let update = (state.step - state.first_step) as u64;
            compact.step(&optimiser, update);
            project(state.step, compact.theta_mut());
            state.loss_since += loss;
            state.batches_since += 1;
            if state.step.is_multiple_of(self.plan.evaluate_every) || state.step == self.plan.steps {
                compact.write_to(state);
                self.evaluate(state)?;
                if let Some(latest) = state.history.last()
                    && state.status != Status::Diverged
                    && !go_on(latest)
                {
                    break;
                }
            }
        }
        compact.write_to(state);
        if state.step == self.plan.steps && state.status == Status::Stopped {
            state.status = Status::Converged;
        }
        Ok(())
    }

    /// Trains from `mask ⊙ initial` to the end of the plan.
    ///
    /// # Errors
    /// As [`Trainer::start`] and [`Trainer::advance`].
    pub fn run(&self, initial: &[T]) -> Result<TrainingState<T>> {
        let mut state = self.start(initial)?;
        self.advance(&mut state, self.plan.steps, &mut |_| true)?;
        Ok(state)
    }

    /// Adds an evaluation, or ends a training whose parameters or loss are no longer finite.
    pub(crate) fn evaluate(&self, state: &mut TrainingState<T>) -> Result<()> {
        if !state.theta.iter().all(|v| v.finite()) {
            state.diverge();
            return Ok(());
        }
        let score = self
            .watched
            .score(self.network, self.mask, &state.theta, self.plan.loss)?;
        if !score.loss.is_finite() {
            state.diverge();
            return Ok(());
        }
        state.history.push(Evaluation {
            step: state.step,
            training_loss: state.loss_since / state.batches_since as f64,
            validation_loss: score.loss,
            validation_accuracy: score.accuracy,
        });
        (state.loss_since, state.batches_since) = (0.0, 0);
        Ok(())
    }
}
