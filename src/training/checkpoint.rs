//! A training between two steps as a file, and back.

use super::bundle::Bundle;
use super::optimiser::Moments;
use super::trainer::{Evaluation, Trainer, TrainingState};
use crate::error::{Error, Result};
use crate::files::hex;
use crate::networks::Real;
use crate::outcome::Status;
use serde_json::{Value, json};
use std::fmt::Write;

/// What a checkpoint says that it is.
const KIND: &str = "training checkpoint";
/// Counts up whenever the meaning of a field changes.
const VERSION: u64 = 2;

impl<T: Real> Trainer<'_, T> {
    /// What a checkpoint must agree with to be resumed here.
    pub(super) fn identity(&self) -> String {
        let mut identity = format!(
            "network={};{};samples={};precision={}",
            self.network.name(),
            self.plan.identity(),
            self.training.inputs.rows(),
            T::NAME
        );
        if let Some(teacher) = &self.teacher {
            let _ = write!(identity, ";teacher={}", teacher.identity);
        }
        identity
    }

    /// The state as a file: parameters, moments, mask, history, and the position of the random stream.
    pub fn checkpoint(&self, state: &TrainingState<T>) -> Bundle {
        let steps_per_epoch = self.steps_per_epoch();
        let mut bundle = Bundle::new(json!({
            "kind": KIND,
            "version": VERSION,
            "identity": self.identity(),
            "step": state.step,
            "first_step": state.first_step,
            "status": state.status.as_str(),
            "diverged_at": state.diverged_at,
            "batches_since_evaluation": state.batches_since,
            "random_stream": {
                "generator": "ChaCha8",
                "key": hex(&self.order.key()),
                "epoch": state.step / steps_per_epoch,
                "batch_in_epoch": state.step % steps_per_epoch,
            },
            "mixing_stream": self.plan.mixing.map(|_| json!({
                "generator": "ChaCha8",
                "key": hex(&self.mixing.key()),
                "stream": state.step,
            })),
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
    /// [`Error::Format`] when the file is no checkpoint, one of another version or of another training (network, plan,
    /// data size, teacher, random stream or mask), or its arrays and numbers do not fit.
    pub fn resume(&self, bundle: &Bundle) -> Result<TrainingState<T>> {
        let agree = |field: &str, expected: String, got: String| {
            if expected == got {
                Ok(())
            } else {
                Err(Error::format("checkpoint", field, expected, got))
            }
        };
        let text = |field: &str| -> Result<String> { Ok(bundle.field(field, "text", Value::as_str)?.to_string()) };
        agree("kind", KIND.to_string(), text("kind")?)?;
        let version = bundle.field("version", "a number", Value::as_u64)?;
        agree("version", VERSION.to_string(), version.to_string())?;
        agree("identity", self.identity(), text("identity")?)?;
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
        let known = [Status::Stopped, Status::Converged, Status::Diverged];
        let status = text("status")?;
        let status = known
            .into_iter()
            .find(|known| known.as_str() == status)
            .ok_or_else(|| Error::format("checkpoint", "status", "stopped, converged or diverged", &status))?;
        let diverged_at = match &bundle.description()["diverged_at"] {
            Value::Null => None,
            _ => Some(bundle.field("diverged_at", "a step", Value::as_u64)? as usize),
        };
        if diverged_at.is_some() != (status == Status::Diverged) {
            return Err(Error::format(
                "checkpoint",
                "diverged_at",
                "a step where the status says so",
                status,
            ));
        }
        let count = |name: &str| -> Result<usize> { Ok(bundle.field(name, "a count", Value::as_u64)? as usize) };
        let (step, first_step) = (count("step")?, count("first_step")?);
        if first_step > step || step > self.plan.steps {
            let expected = format!("from {first_step} to {}", self.plan.steps);
            return Err(Error::format("checkpoint", "step", expected, step));
        }
        let loss_since: Vec<f64> = bundle.get("loss_since_evaluation")?;
        let &[loss_since] = &loss_since[..] else {
            return Err(Error::format(
                "checkpoint",
                "loss_since_evaluation",
                "1 number",
                loss_since.len(),
            ));
        };
        Ok(TrainingState {
            theta: vector("theta", dimension)?,
            moments: Moments {
                first: vector("moment_first", dimension)?,
                second: vector("moment_second", second)?,
            },
            step,
            first_step,
            history: get_history(bundle)?,
            status,
            diverged_at,
            loss_since,
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
