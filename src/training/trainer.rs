//! Masked mini-batch training that can stop after any step and go on to the same bits.

use super::bundle::Bundle;
use super::optimiser::{Moments, Optimiser};
use crate::error::{Error, Result};
use crate::files::hex;
use crate::networks::{Array, Loss, Network, Real, Targets, Workspace};
use crate::outcome::Status;
use crate::seed::Seed;
use crate::support::Mask;
use rand::seq::SliceRandom;
use serde_json::{Value, json};
use std::ops::Range;

/// How a network is trained: everything but the network, the data and the random streams.
///
/// Every field is part of a run's identity: two runs of equal plans on equal inputs are equal to the last bit.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingPlan {
    /// The optimiser.
    pub optimiser: Optimiser,
    /// The loss, averaged over a batch.
    pub loss: Loss,
    /// Samples a step, from 1 to the number of training samples.
    pub batch: usize,
    /// Steps in all.
    pub steps: usize,
    /// Steps between two evaluations on the validation samples; the last step is always evaluated.
    pub evaluate_every: usize,
}

impl Default for TrainingPlan {
    /// Adam at 1.2e-3 on cross-entropy, batches of 60 (Frankle & Carbin, ICLR 2019, for LeNet-300-100), 1,000 steps,
    /// evaluated every 50.
    fn default() -> Self {
        TrainingPlan {
            optimiser: Optimiser::adam(1.2e-3),
            loss: Loss::CrossEntropy,
            batch: 60,
            steps: 1000,
            evaluate_every: 50,
        }
    }
}

impl TrainingPlan {
    /// Every field, by name: part of the identity of a run.
    pub fn identity(&self) -> String {
        format!(
            "optimiser={};loss={};batch={};steps={};evaluate-every={}",
            self.optimiser,
            self.loss.as_str(),
            self.batch,
            self.steps,
            self.evaluate_every
        )
    }

    fn validate(&self, samples: usize) -> Result<()> {
        self.optimiser.validate()?;
        if self.batch == 0 || self.batch > samples {
            return Err(Error::argument(
                "batch",
                format!("from 1 to {samples} training samples"),
                self.batch,
            ));
        }
        if self.evaluate_every == 0 {
            return Err(Error::argument("evaluate-every", "at least 1 step", 0));
        }
        Ok(())
    }
}

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

    fn check(&self, what: &str) -> Result<()> {
        if self.inputs.rows() != self.labels.len() {
            return Err(Error::shape(
                format!("{what} labels"),
                self.inputs.rows(),
                self.labels.len(),
            ));
        }
        Ok(())
    }

    fn loss_targets(&self, loss: Loss, classes: usize) -> Result<Array<T>> {
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
    loss_since: f64,
    batches_since: usize,
}

impl<T> TrainingState<T> {
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
    network: &'a Network,
    plan: TrainingPlan,
    training: Examples<'a, T>,
    targets: Array<T>,
    validation: Examples<'a, T>,
    mask: &'a Mask,
    weights: Vec<Range<usize>>,
    order: Seed,
    inside: Seed,
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
        plan.validate(training.inputs.rows())?;
        network.layout().check_mask(mask)?;
        let targets = training.loss_targets(plan.loss, network.classes())?;
        Ok(Trainer {
            network,
            plan,
            training,
            targets,
            validation,
            mask,
            weights: network.layout().weight_slots().map(|slot| slot.range.clone()).collect(),
            order: seed.stream("data-order"),
            inside: seed.stream("inside-the-network"),
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
        let until = until.min(self.plan.steps);
        let mut workspace = Workspace::new(self.network, self.plan.batch);
        let mut gradient = vec![T::ZERO; state.theta.len()];
        let keep = self.mask.bits();
        let mut epoch_order: Option<(usize, Vec<usize>)> = None;
        while state.step < until && state.status != Status::Diverged {
            let (epoch, place) = (state.step / self.steps_per_epoch(), state.step % self.steps_per_epoch());
            let order = match &mut epoch_order {
                Some((known, order)) if *known == epoch => order,
                other => &mut other.insert((epoch, self.order_of_epoch(epoch))).1,
            };
            let rows = &order[place * self.plan.batch..(place + 1) * self.plan.batch];
            if self.network.has_dropout() {
                workspace.draw_from(self.inside.replicate(state.step as u64));
            }
            let loss = workspace.loss_and_gradient(
                &state.theta,
                self.training.inputs,
                &self.targets,
                rows,
                self.plan.loss,
                &mut gradient,
            );
            if !loss.is_finite() {
                state.status = Status::Diverged;
                break;
            }
            state.step += 1;
            let update = (state.step - state.first_step) as u64;
            self.plan
                .optimiser
                .decay_weights(&mut state.theta, &mut gradient, &self.weights);
            self.plan
                .optimiser
                .step(update, &mut state.theta, &mut state.moments, &gradient, keep);
            workspace.follow_statistics(&mut state.theta);
            state.loss_since += loss;
            state.batches_since += 1;
            if state.step.is_multiple_of(self.plan.evaluate_every) || state.step == self.plan.steps {
                if !state.theta.iter().all(|v| v.finite()) {
                    state.status = Status::Diverged;
                    break;
                }
                self.evaluate(state)?;
                if let Some(latest) = state.history.last()
                    && !go_on(latest)
                {
                    break;
                }
            }
        }
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

    fn order_of_epoch(&self, epoch: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.training.inputs.rows()).collect();
        order.shuffle(&mut self.order.replicate(epoch as u64).rng());
        order
    }

    fn evaluate(&self, state: &mut TrainingState<T>) -> Result<()> {
        let validation_loss = self.network.loss(
            &state.theta,
            self.validation.inputs,
            self.validation
                .targets
                .map_or(Targets::Labels(self.validation.labels), Targets::Values),
            self.plan.loss,
        )?;
        state.history.push(Evaluation {
            step: state.step,
            training_loss: state.loss_since / state.batches_since as f64,
            validation_loss,
            validation_accuracy: self
                .network
                .accuracy(&state.theta, self.validation.inputs, self.validation.labels)?,
        });
        (state.loss_since, state.batches_since) = (0.0, 0);
        Ok(())
    }

    /// What a checkpoint must agree with to be resumed here.
    fn identity(&self) -> String {
        format!(
            "network={};{};samples={};precision={}",
            self.network.name(),
            self.plan.identity(),
            self.training.inputs.rows(),
            T::NAME
        )
    }

    /// The state as a file: parameters, moments, mask, history, and the position of the random stream.
    pub fn checkpoint(&self, state: &TrainingState<T>) -> Bundle {
        let steps_per_epoch = self.steps_per_epoch();
        let mut bundle = Bundle::new(json!({
            "kind": "training checkpoint",
            "identity": self.identity(),
            "step": state.step,
            "first_step": state.first_step,
            "status": state.status.as_str(),
            "batches_since_evaluation": state.batches_since,
            "random_stream": {
                "generator": "ChaCha8",
                "key": hex(&self.order.key()),
                "epoch": state.step / steps_per_epoch,
                "batch_in_epoch": state.step % steps_per_epoch,
            },
        }));
        bundle.put("theta", &state.theta);
        bundle.put("moment_first", &state.moments.first);
        bundle.put("moment_second", &state.moments.second);
        bundle.put_bits("mask", self.mask.bits());
        bundle.put("loss_since_evaluation", &[state.loss_since]);
        put_history(&mut bundle, &state.history);
        bundle
    }

    /// Goes back to a checkpoint of this very training.
    ///
    /// # Errors
    /// [`Error::Format`] when the file is of another training (network, plan, data size, random stream or mask), or
    /// its arrays do not fit.
    pub fn resume(&self, bundle: &Bundle) -> Result<TrainingState<T>> {
        let agree = |field: &str, expected: String, got: String| {
            if expected == got {
                Ok(())
            } else {
                Err(Error::format("checkpoint", field, expected, got))
            }
        };
        agree(
            "identity",
            self.identity(),
            bundle.field("identity", "text", Value::as_str)?.to_string(),
        )?;
        let key = bundle.field("random_stream", "an object with a key", |v| v["key"].as_str())?;
        agree("random_stream.key", hex(&self.order.key()), key.to_string())?;
        if bundle.bits("mask")? != self.mask.bits() {
            return Err(Error::format(
                "checkpoint",
                "mask",
                "the mask of this training",
                "another",
            ));
        }
        let dimension = self.network.layout().len();
        let vector = |name: &str, length: usize| -> Result<Vec<T>> {
            let values: Vec<T> = bundle.get(name)?;
            if values.len() == length && values.iter().all(|v| v.finite()) {
                Ok(values)
            } else {
                let got = format!("{} numbers", values.len());
                Err(Error::format(
                    "checkpoint",
                    format!("array {name}"),
                    format!("{length} finite numbers"),
                    got,
                ))
            }
        };
        let second = if self.plan.optimiser.moments() > 1 {
            dimension
        } else {
            0
        };
        let status = match bundle.field("status", "a status", Value::as_str)? {
            "converged" => Status::Converged,
            "diverged" => Status::Diverged,
            _ => Status::Stopped,
        };
        let count = |name: &str| -> Result<usize> { Ok(bundle.field(name, "a count", Value::as_u64)? as usize) };
        let loss_since: Vec<f64> = bundle.get("loss_since_evaluation")?;
        Ok(TrainingState {
            theta: vector("theta", dimension)?,
            moments: Moments {
                first: vector("moment_first", dimension)?,
                second: vector("moment_second", second)?,
            },
            step: count("step")?,
            first_step: count("first_step")?,
            history: get_history(bundle)?,
            status,
            loss_since: loss_since.first().copied().unwrap_or(0.0),
            batches_since: count("batches_since_evaluation")?,
        })
    }
}

/// Adds a history as four arrays.
pub fn put_history(bundle: &mut Bundle, history: &[Evaluation]) {
    let column = |read: fn(&Evaluation) -> f64| -> Vec<f64> { history.iter().map(read).collect() };
    bundle.put("history_step", &column(|e| e.step as f64));
    bundle.put("history_training_loss", &column(|e| e.training_loss));
    bundle.put("history_validation_loss", &column(|e| e.validation_loss));
    bundle.put("history_validation_accuracy", &column(|e| e.validation_accuracy));
}

/// Reads back what [`put_history`] added.
///
/// # Errors
/// [`Error::Format`] when an array is absent or their lengths differ.
pub fn get_history(bundle: &Bundle) -> Result<Vec<Evaluation>> {
    let steps: Vec<f64> = bundle.get("history_step")?;
    let read = |name: &str| -> Result<Vec<f64>> {
        let values: Vec<f64> = bundle.get(name)?;
        if values.len() == steps.len() {
            Ok(values)
        } else {
            Err(Error::format(
                "bundle",
                format!("array {name}"),
                steps.len(),
                values.len(),
            ))
        }
    };
    let training = read("history_training_loss")?;
    let loss = read("history_validation_loss")?;
    let accuracy = read("history_validation_accuracy")?;
    Ok((0..steps.len())
        .map(|i| Evaluation {
            step: steps[i] as usize,
            training_loss: training[i],
            validation_loss: loss[i],
            validation_accuracy: accuracy[i],
        })
        .collect())
}
