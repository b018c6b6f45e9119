//! The in-place path of training: the same loss and gradient as [`Network::gradient`], without an allocation a step and
//! at a cost that follows the density.

mod chain;
mod coordinates;
mod dense;
mod field;
mod lanes;
mod node;
mod second_order;
#[cfg(test)]
mod tests;
mod turn;
mod window;

use super::array::Array;
use super::general::General;
use super::loss::Loss;
use super::network::Network;
use super::real::Real;
use crate::seed::Seed;
use crate::support::Mask;
use coordinates::Coordinates;
pub(crate) use second_order::{Point, Room, SecondOrder};
use std::ops::Range;

/// Density of the weights below which single precision trains on the survivors alone, of a network and within it of a
/// layer.
///
/// Measured on LeNet-300-100 with batches of 60 on a processor with vectors of 64 bytes, for which the product of dense
/// matrices has kernels and the path over survivors has not: a step costs the same both ways at a density of 0.30, in
/// double precision of 0.35. The constants lie a little below, where the sparse path is surely the faster.
pub const SPARSE_DENSITY_SINGLE: f64 = 0.25;

/// The same for double precision.
pub const SPARSE_DENSITY_DOUBLE: f64 = 0.3;

/// The density below which numbers of this type go the sparse way.
const fn sparse_density<T: Real>() -> f64 {
    if T::BYTES == 4 {
        SPARSE_DENSITY_SINGLE
    } else {
        SPARSE_DENSITY_DOUBLE
    }
}

/// Loss and accuracy over a data set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// The loss, averaged over the samples.
    pub loss: f64,
    /// The fraction of samples whose largest output is where their target is largest, first among equals.
    pub accuracy: f64,
}

#[derive(Debug)]
enum Engine<T> {
    Dense(dense::Chain<T>),
    Lanes(chain::Chain<T>),
    General(General<T>),
}

/// Preallocated buffers for one network under a mask and batches of up to `capacity` samples.
///
/// A workspace has *its own coordinates*: those entries of the flat parameter vector that it computes with, in their
/// order. Three kinds of network are told apart:
///
/// - multilayer perceptrons whose density as a whole is at least [`SPARSE_DENSITY_SINGLE`] (in double precision
///   [`SPARSE_DENSITY_DOUBLE`]): all coordinates, pruned ones being zero, and products of dense matrices;
/// - below it, and chains of convolutions (stride 1, borders of zeros), pooling, activations and dense layers at any
///   density: activations in lanes of samples. A weight layer below that density has only its survivors, and its cost
///   follows their number; the others have all coordinates and products of dense matrices;
/// - everything else: all coordinates, and the layers as they are written, which allocate.
///
/// The choice depends on network and density alone, never on a timing, because the ways add in different orders: runs
/// stay reproducible on one type of processor.
///
/// Lengths are asserted, finiteness is not looked at: the door is the caller's. A diverging run shows in a loss or a
/// gradient that is not finite.
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::networks::{Array, Initialisation, Loss, Network, Workspace};
/// use ticketsense::support::Mask;
/// let network = Network::preset("mlp:20:no-bias", 8, 2)?;
/// let mask = Mask::from_bits((0..network.layout().len()).map(|i| i % 10 == 0).collect());
/// let mut workspace = Workspace::<f32>::new(&network, &mask, 4);
/// assert_eq!(workspace.parameters(), 20); // of 200
///
/// let theta: Vec<f32> = network.initial(&Seed::root(0), &Initialisation::HE)?;
/// let own = workspace.gather(&theta);
/// let inputs = Array::from_fn(4, 8, |i, j| (i as f32 - j as f32) / 4.0);
/// let targets = Loss::CrossEntropy.targets((&vec![0, 1, 1, 0]).into(), 4, 2)?;
/// let mut gradient = vec![0.0; own.len()];
/// let loss = workspace.loss_and_gradient(&own, &inputs, &targets, &[0, 1, 2, 3], Loss::CrossEntropy, &mut gradient);
/// assert!(loss > 0.0);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Debug)]
pub struct Workspace<T> {
    inputs: usize,
    classes: usize,
    capacity: usize,
    coordinates: Coordinates,
    engine: Engine<T>,
}

impl<T: Real> Workspace<T> {
    /// Buffers for batches of up to `capacity` samples (at least 1).
    ///
    /// # Panics
    /// When the mask does not fit the network or prunes a parameter that is not a weight: a bug of the caller.
    pub fn new(network: &Network, mask: &Mask, capacity: usize) -> Self {
        let (layout, capacity) = (network.layout(), capacity.max(1));
        assert!(layout.check_mask(mask).is_ok(), "workspace: mask");
        let bound = sparse_density::<T>();
        let lanes = Self::follows_density(network, mask) || (chain::is_chain(network) && !network.is_multilayer());
        let coordinates = Coordinates::new(layout, mask, |kept, weights| {
            lanes && (kept as f64) < bound * weights as f64
        });
        let engine = if lanes {
            Engine::Lanes(chain::Chain::new(network, mask, &coordinates))
        } else if network.is_multilayer() {
            Engine::Dense(dense::Chain::new(network, capacity))
        } else {
            Engine::General(General::new(network))
        };
        Workspace {
            inputs: network.inputs(),
            classes: network.classes(),
            capacity,
            coordinates,
            engine,
        }
    }

    /// Whether the cost of this network under this mask follows the number of survivors: whether there is a path over
    /// them, and few enough are left for it.
    pub fn follows_density(network: &Network, mask: &Mask) -> bool {
        chain::is_chain(network) && network.layout().density(mask) < sparse_density::<T>()
    }

    /// The largest batch.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Number of the workspace's own coordinates.
    pub fn parameters(&self) -> usize {
        self.coordinates.len()
    }

    /// Which of the own coordinates the mask keeps; nothing where it keeps all of them.
    pub fn keep(&self) -> Option<&[bool]> {
        self.coordinates.keep()
    }

    /// Where the entries of each slot of the layout stand among the own coordinates.
    pub fn ranges(&self) -> &[Range<usize>] {
        self.coordinates.ranges()
    }

    /// The own coordinates of a full vector; zero where the mask prunes.
    ///
    /// # Panics
    /// When the length is not that of the layout: a bug of the caller.
    pub fn gather(&self, full: &[T]) -> Vec<T> {
        self.coordinates.gather(full)
    }

    /// Writes own coordinates back to their places in a full vector; its other entries stay as they are.
    ///
    /// # Panics
    /// When a length does not fit: a bug of the caller.
    pub fn scatter(&self, own: &[T], full: &mut [T]) {
        self.coordinates.scatter(own, full);
    }

    /// Where dropout draws from in the step to come.
    pub fn draw_from(&mut self, seed: Seed) {
        if let Engine::General(general) = &mut self.engine {
            general.draw_from(seed);
        }
    }

    /// Moves the running statistics of batch normalisation among the own coordinates a tenth of the way to those of the
    /// last batch whose gradient was taken.
    pub fn follow_statistics(&self, own: &mut [T]) {
        if let Engine::General(general) = &self.engine {
            general.follow_statistics(own);
        }
    }

    /// The loss averaged over the given rows of a data set, with its gradient, in own coordinates, written to
    /// `gradient`. Where a coordinate is pruned, whatever stands there is no part of it.
    ///
    /// `targets` are the rows that [`Loss::targets`] gives.
    ///
    /// # Panics
    /// When lengths do not fit, a row does not exist, or there are no rows or more than the capacity: bugs of the
    /// caller.
    pub fn loss_and_gradient(
        &mut self,
        own: &[T],
        inputs: &Array<T>,
        targets: &Array<T>,
        rows: &[usize],
        loss: Loss,
        gradient: &mut [T],
    ) -> f64 {
        self.assert_fit(own, inputs, targets);
        assert_eq!(gradient.len(), own.len(), "workspace: length of the gradient");
        assert!(
            (1..=self.capacity).contains(&rows.len()),
            "workspace: size of the batch"
        );
        match &mut self.engine {
            Engine::Dense(chain) => chain.loss_and_gradient(own, inputs, targets, rows, loss, gradient),
            Engine::Lanes(chain) => chain.loss_and_gradient(own, inputs, targets, rows, loss, gradient),
            Engine::General(general) => general.loss_and_gradient(own, inputs, targets, rows, loss, gradient),
        }
    }

    /// Loss and accuracy over a whole data set, batch by batch in order.
    ///
    /// # Panics
    /// When lengths do not fit or there are no samples: bugs of the caller.
    pub fn score(&mut self, own: &[T], inputs: &Array<T>, targets: &Array<T>, loss: Loss) -> Score {
        self.assert_fit(own, inputs, targets);
        let (sum, right) = match &mut self.engine {
            Engine::Dense(chain) => chain.score(own, inputs, targets, loss),
            Engine::Lanes(chain) => chain.score(own, inputs, targets, loss),
            Engine::General(general) => general.score(own, inputs, targets, loss),
        };
        let n = inputs.rows() as f64;
        Score {
            loss: sum / n,
            accuracy: right as f64 / n,
        }
    }

    fn assert_fit(&self, own: &[T], inputs: &Array<T>, targets: &Array<T>) {
        assert_eq!(own.len(), self.parameters(), "workspace: length of θ");
        assert_eq!(inputs.columns(), self.inputs, "workspace: input features");
        assert_eq!(
            (targets.rows(), targets.columns()),
            (inputs.rows(), self.classes),
            "workspace: targets"
        );
        assert!(inputs.rows() > 0, "workspace: at least one sample");
    }
}
