//! How a network is trained, as a value with an identity.

use super::mixing::Mixing;
use super::optimiser::Optimiser;
use super::schedule::Schedule;
use crate::error::{Error, Result};
use crate::networks::Loss;
use std::fmt::Write;

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
    /// How the learning rate moves.
    pub schedule: Schedule,
    /// ε in `[0, 1)` of the smoothed labels `(1 − ε) t + ε u` that are trained on, with `u` the uniform distribution.
    pub label_smoothing: f64,
    /// How the samples of a batch are mixed, if they are.
    pub mixing: Option<Mixing>,
    /// How many validation samples are watched: the first of every class in turn; all of them for `None`.
    pub validation_samples: Option<usize>,
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
            schedule: Schedule::CONSTANT,
            label_smoothing: 0.0,
            mixing: None,
            validation_samples: None,
        }
    }
}

impl TrainingPlan {
    /// Every field, by name: part of the identity of a run. What came later than the first five is named only where it
    /// changes something, so that a new field renames no old run.
    pub fn identity(&self) -> String {
        let mut identity = format!(
            "optimiser={};loss={};batch={};steps={};evaluate-every={}",
            self.optimiser,
            self.loss.as_str(),
            self.batch,
            self.steps,
            self.evaluate_every
        );
        let mut add = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                let _ = write!(identity, ";{name}={value}");
            }
        };
        let schedule = (self.schedule != Schedule::CONSTANT).then(|| self.schedule.to_string());
        add("schedule", schedule);
        let smoothing = (self.label_smoothing != 0.0).then(|| self.label_smoothing.to_string());
        add("label-smoothing", smoothing);
        add("mixing", self.mixing.map(|mixing| mixing.to_string()));
        add(
            "validation-samples",
            self.validation_samples.map(|count| count.to_string()),
        );
        identity
    }

    /// The optimiser of step `step`, counted from 0: at the rate that the schedule gives it.
    pub fn optimiser_at(&self, step: usize) -> Optimiser {
        let factor = self.schedule.factor(step, self.steps);
        self.optimiser.at_rate(self.optimiser.learning_rate() * factor)
    }

    /// Refuses what is out of range, whatever the network and the data.
    ///
    /// # Errors
    /// [`Error::Argument`] naming the field.
    pub fn validate(&self) -> Result<()> {
        self.optimiser.validate()?;
        self.schedule.validate(self.steps)?;
        if !(0.0..1.0).contains(&self.label_smoothing) {
            return Err(Error::argument(
                "label smoothing",
                "a number in [0, 1)",
                self.label_smoothing,
            ));
        }
        if self.evaluate_every == 0 {
            return Err(Error::argument("evaluate-every", "at least 1 step", 0));
        }
        if self.validation_samples == Some(0) {
            return Err(Error::argument("validation samples", "at least 1", 0));
        }
        Ok(())
    }

    /// As [`TrainingPlan::validate`], for so many training samples of so many features.
    ///
    /// # Errors
    /// [`Error::Argument`] naming the field.
    pub fn validate_for(&self, samples: usize, features: usize) -> Result<()> {
        self.validate()?;
        if self.batch == 0 || self.batch > samples {
            return Err(Error::argument(
                "batch",
                format!("from 1 to {samples} training samples"),
                self.batch,
            ));
        }
        self.mixing.map_or(Ok(()), |mixing| mixing.validate(features))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_changes_nothing_is_not_named_and_every_other_is() {
        let plan = TrainingPlan::default();
        // The identity from before there were schedules, smoothing, mixing and thinned validation: stored runs of plans
        // without them keep their names.
        let before = "optimiser=adam:learning-rate=0.0012,beta1=0.9,beta2=0.999,epsilon=0.00000001;loss=cross-entropy;\
                      batch=60;steps=1000;evaluate-every=50";
        assert_eq!(plan.identity(), before);
        let changed = TrainingPlan {
            schedule: "cosine".parse().unwrap(),
            label_smoothing: 0.1,
            mixing: Some("mixup".parse().unwrap()),
            validation_samples: Some(20),
            ..plan
        };
        let after = ";schedule=cosine:floor=0;label-smoothing=0.1;mixing=mixup:alpha=1;validation-samples=20";
        assert_eq!(changed.identity(), format!("{before}{after}"));
    }

    #[test]
    fn the_rate_of_a_step_is_the_optimisers_times_the_schedules() {
        let plan = TrainingPlan {
            optimiser: Optimiser::sgd(0.5),
            schedule: "steps:at=3,factor=0.5".parse().unwrap(),
            steps: 6,
            ..TrainingPlan::default()
        };
        let rates: Vec<f64> = (0..6).map(|step| plan.optimiser_at(step).learning_rate()).collect();
        assert_eq!(rates, [0.5, 0.5, 0.5, 0.25, 0.25, 0.25]);
        assert_eq!(
            TrainingPlan::default().optimiser_at(7),
            TrainingPlan::default().optimiser
        );
    }
}
