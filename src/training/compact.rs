//! Parameters and moments in the coordinates of a workspace, while a training goes on.

use super::optimiser::{Moments, Optimiser};
use super::trainer::TrainingState;
use crate::networks::{Array, Loss, Network, Real, SlotKind, Workspace};
use crate::seed::Seed;
use crate::support::Mask;
use std::ops::Range;

/// What changes from step to step, on the survivors alone where the mask leaves few: the state has to be written back
/// before it is looked at.
#[derive(Debug)]
pub(super) struct Compact<T> {
    workspace: Workspace<T>,
    theta: Vec<T>,
    moments: Moments<T>,
    gradient: Vec<T>,
    keep: Vec<bool>,
    /// Where the weights stand: what weight decay acts on.
    weights: Vec<Range<usize>>,
}

impl<T: Real> Compact<T> {
    /// Takes over the parameters and moments of a state.
    pub(super) fn new(network: &Network, mask: &Mask, batch: usize, state: &TrainingState<T>) -> Self {
        let workspace = Workspace::new(network, mask, batch);
        let theta = workspace.gather(&state.theta);
        let taken = |moment: &Vec<T>| {
            if moment.is_empty() {
                Vec::new()
            } else {
                workspace.gather(moment)
            }
        };
        let slots = network.layout().slots().iter().zip(workspace.ranges());
        let weights = slots.filter(|(slot, _)| slot.kind == SlotKind::Weight);
        Compact {
            weights: weights.map(|(_, range)| range.clone()).collect(),
            moments: Moments {
                first: taken(&state.moments.first),
                second: taken(&state.moments.second),
            },
            gradient: vec![T::ZERO; theta.len()],
            keep: workspace
                .keep()
                .map_or_else(|| vec![true; theta.len()], <[bool]>::to_vec),
            theta,
            workspace,
        }
    }

    /// Where dropout draws from in the step to come.
    pub(super) fn draw_from(&mut self, seed: Seed) {
        self.workspace.draw_from(seed);
    }

    /// The loss of a batch; its gradient is kept for the next step.
    pub(super) fn gradient(&mut self, inputs: &Array<T>, targets: &Array<T>, rows: &[usize], loss: Loss) -> f64 {
        self.workspace
            .loss_and_gradient(&self.theta, inputs, targets, rows, loss, &mut self.gradient)
    }

    /// One step along the gradient, with the running statistics after it.
    pub(super) fn step(&mut self, optimiser: &Optimiser, update: u64) {
        optimiser.decay_weights(&mut self.theta, &mut self.gradient, &self.weights);
        optimiser.step(update, &mut self.theta, &mut self.moments, &self.gradient, &self.keep);
        self.workspace.follow_statistics(&mut self.theta);
    }

    /// The parameters in the coordinates of the workspace: all of them, in order, where the mask prunes nothing.
    pub(super) fn theta_mut(&mut self) -> &mut [T] {
        &mut self.theta
    }

    /// Writes parameters and moments back.
    pub(super) fn write_to(&self, state: &mut TrainingState<T>) {
        self.workspace.scatter(&self.theta, &mut state.theta);
        for (own, full) in [
            (&self.moments.first, &mut state.moments.first),
            (&self.moments.second, &mut state.moments.second),
        ] {
            if !own.is_empty() {
                self.workspace.scatter(own, full);
            }
        }
    }
}
