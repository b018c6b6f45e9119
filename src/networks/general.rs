//! Training of networks for which there is no path in place: the layers as they are written, over plain arrays.

use super::array::Array;
use super::loss::Loss;
use super::network::{Network, argmax};
use super::real::Real;
use crate::seed::Seed;
use std::ops::Range;

/// How far the running statistics of a batch normalisation follow those of one batch.
const FOLLOW: f64 = 0.1;

/// A network that is trained by [`Network::training_gradient`].
#[derive(Debug)]
pub(super) struct General<T> {
    network: Network,
    /// Where dropout draws from in the step to come.
    seed: Seed,
    /// Statistics of the last batch, with the places of the running ones.
    statistics: Vec<(Range<usize>, Array<T>)>,
}

impl<T: Real> General<T> {
    pub fn new(network: &Network) -> Self {
        General {
            network: network.clone(),
            seed: Seed::root(0),
            statistics: Vec::new(),
        }
    }

    pub fn draw_from(&mut self, seed: Seed) {
        self.seed = seed;
    }

    pub fn loss_and_gradient(
        &mut self,
        theta: &[T],
        inputs: &Array<T>,
        targets: &Array<T>,
        rows: &[usize],
        loss: Loss,
        gradient: &mut [T],
    ) -> f64 {
        let found = self
            .network
            .training_gradient(theta, inputs.picked(rows), &targets.picked(rows), loss, &self.seed);
        gradient.copy_from_slice(&found.gradient);
        let slots = self.network.layout().slots();
        self.statistics = found
            .statistics
            .into_iter()
            .map(|(slot, values)| (slots[slot].range.clone(), values))
            .collect();
        found.loss
    }

    /// Moves the running statistics a tenth of the way to those of the last batch.
    pub fn follow_statistics(&self, theta: &mut [T]) {
        let (old, new) = (T::of(1.0 - FOLLOW), T::of(FOLLOW));
        for (range, values) in &self.statistics {
            for (running, batch) in theta[range.clone()].iter_mut().zip(values.as_slice()) {
                *running = old * *running + new * *batch;
            }
        }
    }

    /// The sum of the loss, and how many samples are classified as their target says.
    pub fn score(&self, theta: &[T], inputs: &Array<T>, targets: &Array<T>, loss: Loss) -> (f64, usize) {
        let classes = self.network.classes();
        let (mut sum, mut right) = (0.0, 0);
        self.network.for_each_output(theta, inputs, |rows, outputs| {
            let targets = &targets.as_slice()[rows.start * classes..rows.end * classes];
            sum += loss.sum(outputs, targets, classes);
            let pairs = outputs.chunks_exact(classes).zip(targets.chunks_exact(classes));
            right += pairs.filter(|(f, t)| argmax(f) == argmax(t)).count();
        });
        (sum, right)
    }
}
