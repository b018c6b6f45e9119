//! The descent on scores, in the number type of its trainer.

use super::ScoreRanking;
use crate::error::Result;
use crate::networks::{Network, Real, Workspace};
use crate::outcome::Status;
use crate::support::Mask;
use crate::training::{Batches, Trainer, TrainingState};
use std::cmp::Ordering;
use std::ops::Range;

/// Scores between two steps, with the parameters that they make.
#[derive(Debug)]
pub(super) struct Descent<'a, T> {
    network: &'a Network,
    ranking: ScoreRanking,
    counts: &'a [usize],
    layers: Vec<Range<usize>>,
    frozen: &'a [T],
    pub scores: Vec<T>,
    bits: Vec<bool>,
    /// Its parameters are `mask ⊙ frozen`, with the running statistics of normalisations; its moments are those of the
    /// scores.
    pub state: TrainingState<T>,
    ranks: Vec<T>,
}

impl<'a, T: Real> Descent<'a, T> {
    pub fn new(
        trainer: &Trainer<'_, T>,
        network: &'a Network,
        ranking: ScoreRanking,
        counts: &'a [usize],
        frozen: &'a [T],
        scores: Vec<T>,
    ) -> Result<Self> {
        network.check_parameters("scores", &scores)?;
        let mut state = trainer.start(frozen)?;
        state.history.clear();
        let mut descent = Descent {
            network,
            ranking,
            counts,
            layers: network.layout().weight_ranges(),
            frozen,
            scores,
            bits: vec![true; frozen.len()],
            state,
            ranks: Vec::new(),
        };
        descent.choose();
        Ok(descent)
    }

    /// The mask of the present scores.
    pub fn mask(&self) -> Mask {
        Mask::from_bits(self.bits.clone())
    }

    /// Descends to the end of the trainer's plan. The trainer's mask keeps everything.
    pub fn run(&mut self, trainer: &Trainer<'_, T>) -> Result<()> {
        let plan = trainer.plan();
        let full = self.network.layout().full_mask();
        let keep = self.network.layout().prunable_mask();
        let mut workspace = Workspace::new(self.network, &full, plan.batch);
        let mut gradient = vec![T::ZERO; self.scores.len()];
        let mut batches = Batches::new(trainer)?;
        trainer.evaluate(&mut self.state)?;
        while self.state.step < plan.steps && self.state.status == Status::Stopped {
            let theta = &self.state.theta;
            let loss = batches.loss_and_gradient(self.state.step, theta, &mut workspace, &mut gradient)?;
            if !loss.is_finite() {
                self.state.diverge();
                break;
            }
            workspace.follow_statistics(&mut self.state.theta);
            self.pass_through(&mut gradient);
            let optimiser = plan.optimiser_at(self.state.step);
            self.state.step += 1;
            let update = self.state.step as u64;
            optimiser.decay_weights(&mut self.scores, &mut gradient, &self.layers);
            optimiser.step(
                update,
                &mut self.scores,
                &mut self.state.moments,
                &gradient,
                keep.bits(),
            );
            if !self.scores.iter().all(|s| s.finite()) {
                self.state.diverge();
                break;
            }
            self.choose();
            self.state.loss_since += loss;
            self.state.batches_since += 1;
            if self.state.step.is_multiple_of(plan.evaluate_every) || self.state.step == plan.steps {
                trainer.evaluate(&mut self.state)?;
            }
        }
        if self.state.status == Status::Stopped {
            self.state.status = Status::Converged;
        }
        Ok(())
    }

    /// Turns the gradient in `θ = m ⊙ w` into the straight-through gradient in the scores.
    pub fn pass_through(&self, gradient: &mut [T]) {
        for layer in &self.layers {
            for i in layer.clone() {
                let towards = gradient[i] * self.frozen[i];
                let turned = self.ranking == ScoreRanking::Magnitude && self.scores[i] < T::ZERO;
                gradient[i] = if turned { T::ZERO - towards } else { towards };
            }
        }
    }

    /// The mask of the highest ranks of every layer, ties by index, and the parameters under it.
    fn choose(&mut self) {
        let rank = |s: T| match self.ranking {
            ScoreRanking::Magnitude => s.magnitude(),
            ScoreRanking::Value => s,
        };
        for (layer, &count) in self.layers.iter().zip(self.counts) {
            let scores = &self.scores[layer.clone()];
            self.ranks.clear();
            self.ranks.extend(scores.iter().map(|&s| rank(s)));
            let descending = |a: &T, b: &T| b.partial_cmp(a).unwrap_or(Ordering::Equal);
            let least = *self.ranks.select_nth_unstable_by(count - 1, descending).1;
            let above = scores.iter().filter(|&&s| rank(s) > least).count();
            let mut ties = count - above;
            for (place, &score) in scores.iter().enumerate() {
                let i = layer.start + place;
                let tied = rank(score) == least && ties > 0;
                ties -= usize::from(tied);
                self.bits[i] = tied || rank(score) > least;
                self.state.theta[i] = if self.bits[i] { self.frozen[i] } else { T::ZERO };
            }
        }
    }
}
