//! Iterative hard thresholding on the real loss: descent over all weights, of which the largest of each layer stay.

use super::imp::{ImpData, finish};
use super::run::TrainingOutcome;
use crate::error::{Error, Result};
use crate::networks::{Layout, Network};
use crate::outcome::Status;
use crate::seed::Seed;
use crate::support::{Mask, largest_by};
use crate::training::{Optimiser, Schedule, Trainer, TrainingPlan};
use std::ops::Range;

/// Descent on the loss with hard thresholds, `θ ← H_k(θ − step)`: the optimiser moves *all* weights, then the `k_ℓ`
/// largest `|θ_i|` of each layer stay and the others become zero, ties by index. A weight that was cut is moved again by
/// the next step and may come back, which is what tells the method from pruning.
///
/// With plain gradient descent on a squared loss, a threshold after every step and all samples in a batch this is
/// iterative hard thresholding (Blumensath & Davies, 2009). In steps small against the weights little can come back
/// at once: `every > 1` lets cut weights grow for some steps before they compete again (Jin et al., 2016, who alternate
/// so). The optimiser's moments are those of all weights and are not cut.
///
/// `debias_steps` more steps train what is left from where it is, at the last learning rate and with fresh moments.
///
/// ```
/// use ticketsense::data::{self, DataChoice};
/// use ticketsense::networks::{Initialisation, Network};
/// use ticketsense::pruning::{HardThresholding, ImpSamples};
/// use ticketsense::training::{Optimiser, TrainingPlan};
/// use ticketsense::Seed;
/// let samples = ImpSamples::new(data::load(&DataChoice::Digits)?)?;
/// let network = Network::preset("mlp:20", 64, 10)?;
/// let initial: Vec<f32> = network.initial(&Seed::root(0), &Initialisation::HE)?;
/// let method = HardThresholding {
///     training: TrainingPlan { steps: 40, optimiser: Optimiser::sgd(0.05), ..TrainingPlan::default() },
///     every: 5,
///     ..HardThresholding::default()
/// };
/// let found = method.run(&network, &samples.view(), &[128, 50], &initial, &Seed::root(0))?;
/// assert_eq!(found.mask.kept(), 128 + 50 + 30); // with the biases
/// assert_eq!(found.gradients, 40);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct HardThresholding {
    /// The descent; its `steps` are those with thresholds and the warm-up.
    pub training: TrainingPlan,
    /// Steps before the first threshold is due.
    pub warm_up: usize,
    /// Steps from threshold to threshold, at least 1; the last step ends with one in any case.
    pub every: usize,
    /// Steps with the support held fixed at the end.
    pub debias_steps: usize,
}

impl Default for HardThresholding {
    /// Gradient descent without momentum at 0.1, a threshold after every step, no warm-up and no debiasing.
    fn default() -> Self {
        let plain = Optimiser::sgd(0.1);
        let optimiser = match plain {
            Optimiser::Sgd {
                learning_rate, decay, ..
            } => Optimiser::Sgd {
                learning_rate,
                momentum: 0.0,
                nesterov: false,
                decay,
            },
            other => other,
        };
        HardThresholding {
            training: TrainingPlan {
                optimiser,
                ..TrainingPlan::default()
            },
            warm_up: 0,
            every: 1,
            debias_steps: 0,
        }
    }
}

/// What descent with hard thresholds ends at.
#[derive(Clone, Debug, PartialEq)]
pub struct HardThresholded {
    /// Exactly `k_ℓ` weights of each layer, and every bias.
    pub mask: Mask,
    /// The descent and what it ended at, thresholded. After a divergence the mask is that of the last threshold.
    pub outcome: TrainingOutcome,
    /// How many weights came back in all: were cut by one threshold and kept by the next.
    pub returned: usize,
    /// The fraction of all weights that was kept by any threshold.
    pub ever_kept: f64,
    /// Gradients of a batch in all.
    pub gradients: usize,
    /// The same in passes over the training samples.
    pub passes: f64,
}

impl HardThresholding {
    /// Refuses what is out of range.
    ///
    /// # Errors
    /// [`Error::Argument`] naming the field.
    pub fn validate(&self) -> Result<()> {
        if self.every == 0 {
            return Err(Error::argument("steps between thresholds", "at least 1", 0));
        }
        if self.warm_up > self.training.steps {
            let expected = format!("at most the {} steps", self.training.steps);
            return Err(Error::argument("steps of warm-up", expected, self.warm_up));
        }
        self.training.validate()
    }

    /// Every field by name.
    pub fn identity(&self) -> String {
        format!(
            "{};warm-up={};every={};debias-steps={}",
            self.training.identity(),
            self.warm_up,
            self.every,
            self.debias_steps
        )
    }

    /// Descends from the values `from`, in which nothing is pruned yet, to `counts[ℓ]` weights of each layer, from input
    /// to output; `order` is the stream of the data order.
    ///
    /// # Errors
    /// [`Error::Argument`] on numbers out of range or a layer with fewer weights than asked for, [`Error::Shape`] for
    /// another number of layers; otherwise as [`Trainer::run`].
    ///
    /// Cost: one dense gradient of a batch a step, a linear selection a threshold; `debias_steps` sparse ones.
    pub fn run(
        &self,
        network: &Network,
        data: &ImpData<'_>,
        counts: &[usize],
        from: &[f32],
        order: &Seed,
    ) -> Result<HardThresholded> {
        self.validate()?;
        let full = network.layout().full_mask();
        let plan = &self.training;
        let trainer = Trainer::new(network, plan.clone(), data.training, data.validation, &full, order)?;
        let mut state = trainer.start(from)?;
        let mut threshold = Threshold::new(network.layout(), counts, from)?;
        trainer.advance_projected(&mut state, plan.steps, &mut |step, theta| {
            if step == plan.steps || (step > self.warm_up && (step - self.warm_up).is_multiple_of(self.every)) {
                threshold.apply(theta);
            }
        })?;
        let mask = threshold.mask;
        let mut gradients = state.step;
        if self.debias_steps > 0 && state.status == Status::Converged {
            let longer = TrainingPlan {
                optimiser: plan.optimiser_at(plan.steps.saturating_sub(1)),
                schedule: Schedule::CONSTANT,
                steps: plan.steps + self.debias_steps,
                ..plan.clone()
            };
            let trainer = Trainer::new(network, longer, data.training, data.validation, &mask, order)?;
            let mut fixed = trainer.start_at(&state.theta, plan.steps)?;
            trainer.advance(&mut fixed, usize::MAX, &mut |_| true)?;
            gradients = fixed.step;
            // The evaluation at the start of debiasing is the last one of the descent.
            let later = fixed.history.split_off(1.min(fixed.history.len()));
            fixed.history = std::mem::take(&mut state.history);
            fixed.history.extend(later);
            state = fixed;
        }
        // A descent without steps has met no threshold.
        mask.apply(&mut state.theta)?;
        let unpruned = network.layout().len() - network.layout().prunable();
        let ever_kept = (threshold.seen.kept() - unpruned) as f64 / network.layout().prunable().max(1) as f64;
        Ok(HardThresholded {
            outcome: finish(network, &mask, data, plan.loss, state, 0)?,
            returned: threshold.returned,
            ever_kept,
            mask,
            gradients,
            passes: (gradients * plan.batch) as f64 / data.training.inputs.rows() as f64,
        })
    }
}

/// Refuses counts that are not one a layer, or more than it has.
pub(super) fn check_counts(layout: &Layout, counts: &[usize]) -> Result<()> {
    let layers = layout.weight_slots().count();
    if layers != counts.len() {
        return Err(Error::shape("counts a layer", layers, counts.len()));
    }
    for (slot, &count) in layout.weight_slots().zip(counts) {
        if count > slot.len() {
            let expected = format!("at most {}", slot.len());
            return Err(Error::argument(format!("count of {}", slot.name), expected, count));
        }
    }
    Ok(())
}

/// The thresholds with what they have kept.
struct Threshold {
    layers: Vec<(Range<usize>, usize)>,
    mask: Mask,
    /// Kept by any threshold.
    seen: Mask,
    returned: usize,
    met: bool,
}

impl Threshold {
    fn new(layout: &Layout, counts: &[usize], from: &[f32]) -> Result<Self> {
        check_counts(layout, counts)?;
        let layers = layout
            .weight_slots()
            .zip(counts)
            .map(|(slot, &count)| (slot.range.clone(), count));
        let mut threshold = Threshold {
            layers: layers.collect(),
            mask: layout.full_mask(),
            seen: layout.full_mask(),
            returned: 0,
            met: false,
        };
        threshold.mask = threshold.largest(from);
        Ok(threshold)
    }

    fn largest(&self, theta: &[f32]) -> Mask {
        let mut mask = Mask::full(theta.len());
        for (range, count) in &self.layers {
            range.clone().for_each(|i| mask.set(i, false));
            for i in largest_by(*count, range.clone(), |i| f64::from(theta[i].abs())) {
                mask.set(i, true);
            }
        }
        mask
    }

    fn apply(&mut self, theta: &mut [f32]) {
        let next = self.largest(theta);
        for (range, _) in &self.layers {
            for i in range.clone() {
                if !next.keeps(i) {
                    theta[i] = 0.0;
                } else if self.met {
                    self.returned += usize::from(!self.mask.keeps(i));
                    self.seen.set(i, true);
                }
            }
        }
        if !self.met {
            self.seen = next.clone();
        }
        self.met = true;
        self.mask = next;
    }
}
