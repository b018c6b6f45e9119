//! Movement pruning: what stays are the weights that training moves away from zero.

use super::hard_thresholding::check_counts;
use super::imp::{ImpData, finish};
use super::run::TrainingOutcome;
use super::threshold::Bar;
use crate::error::{Error, Result};
use crate::networks::{Network, Real, Workspace};
use crate::outcome::Status;
use crate::seed::Seed;
use crate::support::{Mask, round_half_up};
use crate::training::{Batches, Trainer, TrainingPlan, TrainingState};
use std::ops::Range;

/// Movement pruning (Sanh, Wolf & Rush, NeurIPS 2020, the hard variant with top-v): weights and scores learn together, and
/// the weights of the highest scores are the network.
///
/// With weights W, scores S and the mask M of the highest scores the network computes with `θ = M ⊙ W`. A step takes the
/// gradient `g = ∂L/∂θ` of a batch, kept weights or not, and
///
/// `S ← S − g ⊙ W`, the straight-through gradient, and W goes along `M ⊙ g` by the optimiser,
///
/// so that after T steps `S_i = −Σ_t g_i W_i`: it grows where descent moves a weight away from zero, whatever its size. A
/// pruned weight has no gradient of its own (momentum and decay still move it), but its score has one, and it may come
/// back. Scores begin at zero and rates of theirs would change no rank, so there is none; ties go to the lower index.
///
/// The number of kept weights falls along a cube (Zhu & Gupta 2017): of n weights, k stay in the end, and after step t
///
/// `k + (n − k) (1 − u)³` with `u = (t/T − first) / (last − first)`, clamped to `[0, 1]`, rounded to nearest.
///
/// Not [`Criterion::Movement`](super::Criterion::Movement), which compares with the initial values once training is over.
///
/// ```
/// use ticketsense::data::{self, DataChoice};
/// use ticketsense::networks::{Initialisation, Network};
/// use ticketsense::pruning::{ImpSamples, MovementPruning};
/// use ticketsense::training::{Optimiser, TrainingPlan};
/// use ticketsense::Seed;
/// let samples = ImpSamples::new(data::load(&DataChoice::Digits)?)?;
/// let network = Network::preset("mlp:20", 64, 10)?;
/// let initial: Vec<f32> = network.initial(&Seed::root(0), &Initialisation::HE)?;
/// let method = MovementPruning {
///     training: TrainingPlan { steps: 60, optimiser: Optimiser::adam(3e-3), ..TrainingPlan::default() },
///     ..MovementPruning::default()
/// };
/// let found = method.run(&network, &samples.view(), &[128, 50], &initial, &Seed::root(0))?;
/// assert_eq!(found.mask.kept(), 128 + 50 + 30); // with the biases
/// let together = method.run_together(&network, &samples.view(), 178, &initial, &Seed::root(0))?;
/// assert_eq!(together.mask.kept(), found.mask.kept());
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct MovementPruning {
    /// The descent on weights and scores.
    pub training: TrainingPlan,
    /// The fraction of the steps before which nothing goes, in `[0, 1]`.
    pub first_fraction: f64,
    /// The fraction of the steps after which the number of weights stays, from `first_fraction` to 1. Which they are still
    /// follows the scores.
    pub last_fraction: f64,
}

impl Default for MovementPruning {
    /// The default training, with the number of weights falling from a tenth of its steps to eight tenths.
    fn default() -> Self {
        MovementPruning {
            training: TrainingPlan::default(),
            first_fraction: 0.1,
            last_fraction: 0.8,
        }
    }
}

/// What movement pruning ends at.
#[derive(Clone, Debug, PartialEq)]
pub struct MovementPruned {
    /// The mask of the highest scores, with exactly as many weights as asked for; biases are always kept.
    pub mask: Mask,
    /// `−Σ_t g_i W_i` for every weight, pruned or not; zero for what is not a weight.
    pub scores: Vec<f64>,
    /// The descent; its parameters are `M ⊙ W`.
    pub outcome: TrainingOutcome,
    /// How many weights came back in all: were pruned after one step and kept after the next.
    pub returned: usize,
    /// Gradients of a batch in all, dense ones.
    pub gradients: usize,
    /// The same in passes over the training samples.
    pub passes: f64,
}

impl MovementPruning {
    /// Refuses what is out of range.
    ///
    /// # Errors
    /// [`Error::Argument`] naming the field.
    pub fn validate(&self) -> Result<()> {
        let (first, last) = (self.first_fraction, self.last_fraction);
        if !(0.0..=1.0).contains(&first) {
            let what = "fraction of training before pruning";
            return Err(Error::argument(what, "a number in [0, 1]", first));
        }
        if !(first..=1.0).contains(&last) {
            let expected = format!("a number in [{first}, 1]");
            return Err(Error::argument("fraction of training with pruning", expected, last));
        }
        self.training.validate()
    }

    /// Every field by name.
    pub fn identity(&self) -> String {
        format!(
            "{};first-fraction={};last-fraction={}",
            self.training.identity(),
            self.first_fraction,
            self.last_fraction
        )
    }

    /// How many of `weights` weights are kept after `step` steps, when `keep` are in the end.
    pub fn kept_after(&self, step: usize, weights: usize, keep: usize) -> usize {
        let steps = self.training.steps as f64;
        let (begin, end) = (self.first_fraction * steps, self.last_fraction * steps);
        if step as f64 >= end || step >= self.training.steps {
            return keep;
        }
        let share = ((step as f64 - begin) / (end - begin)).max(0.0);
        keep + round_half_up(weights.saturating_sub(keep) as f64 * (1.0 - share).powi(3))
    }

    /// Descends from the weights `from` to `counts[ℓ]` weights of each layer, from input to output, whose scores compete
    /// within the layer; `order` is the stream of the data order.
    ///
    /// # Errors
    /// [`Error::Argument`] on numbers out of range or a layer with fewer weights than asked for, [`Error::Shape`] for
    /// another number of layers; otherwise as [`Trainer::run`].
    ///
    /// Cost: one dense gradient of a batch a step, and a linear selection.
    pub fn run(
        &self,
        network: &Network,
        data: &ImpData<'_>,
        counts: &[usize],
        from: &[f32],
        order: &Seed,
    ) -> Result<MovementPruned> {
        check_counts(network.layout(), counts)?;
        let layers = network.layout().weight_slots().zip(counts);
        let groups = layers.map(|(slot, &keep)| Group::new(vec![slot.range.clone()], keep));
        self.descend(network, data, groups.collect(), from, order)
    }

    /// The same with all weights competing for `count` places.
    ///
    /// # Errors
    /// As [`MovementPruning::run`].
    pub fn run_together(
        &self,
        network: &Network,
        data: &ImpData<'_>,
        count: usize,
        from: &[f32],
        order: &Seed,
    ) -> Result<MovementPruned> {
        let group = Group::new(network.layout().weight_ranges(), count);
        if count > group.weights {
            let expected = format!("at most {}", group.weights);
            return Err(Error::argument("count of all layers", expected, count));
        }
        self.descend(network, data, vec![group], from, order)
    }

    fn descend(
        &self,
        network: &Network,
        data: &ImpData<'_>,
        groups: Vec<Group>,
        from: &[f32],
        order: &Seed,
    ) -> Result<MovementPruned> {
        self.validate()?;
        let full = network.layout().full_mask();
        let plan = self.training.clone();
        let trainer = Trainer::new(network, plan, data.training, data.validation, &full, order)?;
        let mut descent = Descent::new(self, network, &trainer, groups, from)?;
        descent.run(&trainer, self.training.steps)?;
        let (mask, gradients) = (descent.finish(), descent.state.step);
        Ok(MovementPruned {
            outcome: finish(network, &mask, data, self.training.loss, descent.state, 0)?,
            mask,
            scores: descent.scores,
            returned: descent.returned,
            gradients,
            passes: (gradients * self.training.batch) as f64 / data.training.inputs.rows() as f64,
        })
    }
}

/// Weights whose scores compete.
#[derive(Clone, Debug)]
pub(super) struct Group {
    layers: Vec<Range<usize>>,
    weights: usize,
    /// In the end.
    keep: usize,
}

impl Group {
    pub(super) fn new(layers: Vec<Range<usize>>, keep: usize) -> Self {
        Group {
            weights: layers.iter().map(Range::len).sum(),
            layers,
            keep,
        }
    }
}

/// Weights and scores between two steps, in the number type of a trainer.
#[derive(Debug)]
pub(super) struct Descent<'a, T> {
    method: &'a MovementPruning,
    network: &'a Network,
    groups: Vec<Group>,
    /// All parameters, the weights that the mask prunes too.
    pub weights: Vec<T>,
    pub scores: Vec<f64>,
    pub bits: Vec<bool>,
    /// Its parameters are `M ⊙ W`; its moments are those of W.
    pub state: TrainingState<T>,
    pub returned: usize,
}

impl<'a, T: Real> Descent<'a, T> {
    pub fn new(
        method: &'a MovementPruning,
        network: &'a Network,
        trainer: &Trainer<'_, T>,
        groups: Vec<Group>,
        from: &[T],
    ) -> Result<Self> {
        // Evaluated before anything is pruned.
        let state = trainer.start(from)?;
        let mut descent = Descent {
            method,
            network,
            groups,
            weights: from.to_vec(),
            scores: vec![0.0; from.len()],
            bits: vec![true; from.len()],
            state,
            returned: 0,
        };
        descent.choose(0);
        Ok(descent)
    }

    /// Goes on until `until` steps are done.
    pub fn run(&mut self, trainer: &Trainer<'_, T>, until: usize) -> Result<()> {
        let plan = trainer.plan();
        let layout = self.network.layout();
        let mut workspace = Workspace::new(self.network, &layout.full_mask(), plan.batch);
        let layers: Vec<Range<usize>> = layout.weight_ranges();
        let (mut gradient, everything) = (vec![T::ZERO; layout.len()], vec![true; layout.len()]);
        let mut batches = Batches::new(trainer)?;
        while self.state.step < until.min(plan.steps) && self.state.status == Status::Stopped {
            let theta = &self.state.theta;
            let loss = batches.loss_and_gradient(self.state.step, theta, &mut workspace, &mut gradient)?;
            if !loss.is_finite() {
                self.state.diverge();
                break;
            }
            self.accumulate(&mut gradient, &layers);
            let optimiser = plan.optimiser_at(self.state.step);
            self.state.step += 1;
            let update = (self.state.step - self.state.first_step) as u64;
            optimiser.decay_weights(&mut self.weights, &mut gradient, &layers);
            optimiser.step(
                update,
                &mut self.weights,
                &mut self.state.moments,
                &gradient,
                &everything,
            );
            workspace.follow_statistics(&mut self.weights);
            self.choose(self.state.step);
            self.state.loss_since += loss;
            self.state.batches_since += 1;
            if self.state.step.is_multiple_of(plan.evaluate_every) || self.state.step == plan.steps {
                trainer.evaluate(&mut self.state)?;
            }
        }
        if self.state.step == plan.steps && self.state.status == Status::Stopped {
            self.state.status = Status::Converged;
        }
        Ok(())
    }

    /// The scores take the gradient in `M ⊙ W` times W, and what is pruned loses its gradient.
    fn accumulate(&mut self, gradient: &mut [T], layers: &[Range<usize>]) {
        for i in layers.iter().cloned().flatten() {
            self.scores[i] -= gradient[i].to_f64() * self.weights[i].to_f64();
            if !self.bits[i] {
                gradient[i] = T::ZERO;
            }
        }
    }

    /// The mask after so many steps and the parameters under it.
    fn choose(&mut self, step: usize) {
        for group in &self.groups {
            let keep = self.method.kept_after(step, group.weights, group.keep);
            let places = || group.layers.iter().cloned().flatten();
            let scores: Vec<f64> = places().map(|i| self.scores[i]).collect();
            let mut bar = Bar::of(&scores, keep);
            for (i, score) in places().zip(scores) {
                let stays = bar.admits(score);
                self.returned += usize::from(stays && !self.bits[i]);
                self.bits[i] = stays;
            }
        }
        for ((theta, &weight), &keep) in self.state.theta.iter_mut().zip(&self.weights).zip(&self.bits) {
            *theta = if keep { weight } else { T::ZERO };
        }
    }

    /// The mask with its final number of weights, which a training that diverged has not come to by itself.
    pub fn finish(&mut self) -> Mask {
        if self.state.status == Status::Diverged {
            let returned = self.returned;
            self.choose(self.method.training.steps);
            self.returned = returned;
        }
        Mask::from_bits(self.bits.clone())
    }
}
