//! What iterative pruning leaves behind, as values and as files.

use crate::error::{Error, Result};
use crate::networks::Layout;
use crate::outcome::Status;
use crate::support::Mask;
use crate::training::{Bundle, Evaluation, get_history, put_history};
use serde_json::{Value, json};
use std::path::Path;

/// One round: the mask, how its training went, and what came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Round {
    /// 0 is the dense training.
    pub round: usize,
    /// Biases are always kept.
    pub mask: Mask,
    /// The weight layers of which the mask keeps nothing, by slot name. Where no other path leads around such a layer,
    /// what follows it sees biases alone, and the ticket is no function of its inputs any more.
    pub emptied: Vec<String>,
    /// The training.
    pub outcome: TrainingOutcome,
}

/// What a finished training leaves behind.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingOutcome {
    /// The trained parameters.
    pub theta: Vec<f32>,
    /// Evaluations on the validation samples.
    pub history: Vec<Evaluation>,
    /// How the training ended.
    pub status: Status,
    /// How many steps were done when the loss was no longer finite, of a training that diverged.
    pub diverged_at: Option<usize>,
    /// Steps that were trained here.
    pub steps: usize,
    /// Accuracy on the test samples at the end.
    pub test_accuracy: f64,
    /// Loss on the test samples at the end.
    pub test_loss: f64,
}

impl TrainingOutcome {
    /// The step of smallest validation loss, the first of equals; none when every loss was infinite.
    pub fn early_stop_step(&self) -> Option<usize> {
        let finite = self.history.iter().filter(|e| e.validation_loss.is_finite());
        finite
            .min_by(|a, b| a.validation_loss.total_cmp(&b.validation_loss))
            .map(|e| e.step)
    }
}

/// A whole run.
#[derive(Clone, Debug, PartialEq)]
pub struct ImpRun {
    /// The initial parameters θ₀.
    pub initial: Vec<f32>,
    /// The parameters that survivors go back to; θ₀ when the rewind step is 0.
    pub rewind: Vec<f32>,
    /// Round 0 is dense; round `r` has been pruned `r` times.
    pub rounds: Vec<Round>,
}

/// The weight layers of which a mask keeps nothing, by slot name.
pub(super) fn emptied(layout: &Layout, mask: &Mask) -> Vec<String> {
    let empty = layout
        .weight_slots()
        .filter(|slot| mask.kept_in(slot.range.clone()) == 0);
    empty.map(|slot| slot.name.clone()).collect()
}

impl TrainingOutcome {
    /// What of the outcome is no array.
    pub(super) fn describe(&self) -> Value {
        let mut description = json!({ "status": self.status.as_str(), "steps": self.steps });
        if let Some(step) = self.diverged_at {
            description["diverged_at"] = step.into();
        }
        description
    }

    /// The arrays of the outcome.
    pub(super) fn put(&self, bundle: &mut Bundle) {
        bundle.put("theta", &self.theta);
        bundle.put("test", &[self.test_accuracy, self.test_loss]);
        put_history(bundle, &self.history);
    }

    /// Reads back what [`TrainingOutcome::describe`] and [`TrainingOutcome::put`] wrote; `place` names it in errors.
    pub(super) fn get(path: &Path, place: &str, description: &Value, part: &Bundle) -> Result<Self> {
        let wrong =
            |field: &str, expected: &str, got: String| Error::format(path, format!("{place}: {field}"), expected, got);
        let test: Vec<f64> = part.get("test")?;
        let &[test_accuracy, test_loss] = &test[..] else {
            return Err(wrong("test", "2 numbers", test.len().to_string()));
        };
        let ended = [Status::Converged, Status::Diverged];
        let word = description["status"].as_str().unwrap_or("nothing");
        let status = ended
            .into_iter()
            .find(|status| status.as_str() == word)
            .ok_or_else(|| wrong("status", "an ended training", word.to_string()))?;
        let count = |field: &str| {
            let value = &description[field];
            let count = value.as_u64().map(|count| count as usize);
            count.ok_or_else(|| wrong(field, "a count", value.to_string()))
        };
        let diverged = status == Status::Diverged;
        Ok(TrainingOutcome {
            theta: part.get("theta")?,
            history: get_history(part)?,
            status,
            diverged_at: if diverged { Some(count("diverged_at")?) } else { None },
            steps: count("steps")?,
            test_accuracy,
            test_loss,
        })
    }
}

impl Round {
    pub(super) fn describe(&self) -> Value {
        let mut description = self.outcome.describe();
        if !self.emptied.is_empty() {
            description["emptied"] = self.emptied.clone().into();
        }
        description
    }

    pub(super) fn put(&self, bundle: &mut Bundle) {
        self.outcome.put(bundle);
        bundle.put_bits("mask", self.mask.bits());
    }

    pub(super) fn get(path: &Path, round: usize, description: &Value, part: &Bundle) -> Result<Self> {
        let place = format!("round {round}");
        let emptied = match &description["emptied"] {
            Value::Null => Vec::new(),
            names => serde_json::from_value(names.clone())
                .map_err(|_| Error::format(path, format!("{place}: emptied"), "names of layers", names))?,
        };
        Ok(Round {
            round,
            mask: Mask::from_bits(part.bits("mask")?),
            emptied,
            outcome: TrainingOutcome::get(path, &place, description, part)?,
        })
    }
}

impl ImpRun {
    /// The run as the bytes of a safetensors file.
    ///
    /// # Errors
    /// As [`Bundle::to_bytes`].
    pub fn to_bytes(&self, identity: &str) -> Result<Vec<u8>> {
        let mut bundle = Bundle::new(json!({
            "kind": "iterative pruning run",
            "identity": identity,
            "rounds": self.rounds.iter().map(Round::describe).collect::<Vec<_>>(),
        }));
        bundle.put("initial", &self.initial);
        bundle.put("rewind", &self.rewind);
        for r in &self.rounds {
            let mut part = Bundle::new(Value::Null);
            r.put(&mut part);
            bundle.include(&format!("round{}.", r.round), &part);
        }
        bundle.to_bytes()
    }

    /// Reads back what [`ImpRun::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`Error::Format`] naming the field that does not fit.
    pub fn from_bytes(path: impl AsRef<std::path::Path>, bytes: &[u8]) -> Result<Self> {
        let path = path.as_ref();
        let bundle = Bundle::from_bytes(path, bytes)?;
        let described = bundle.field("rounds", "a list", Value::as_array)?;
        let mut rounds = Vec::with_capacity(described.len());
        for (round, description) in described.iter().enumerate() {
            let part = bundle.part(&format!("round{round}."));
            rounds.push(Round::get(path, round, description, &part)?);
        }
        Ok(ImpRun {
            initial: bundle.get("initial")?,
            rewind: bundle.get("rewind")?,
            rounds,
        })
    }
}
