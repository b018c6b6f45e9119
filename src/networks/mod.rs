//! Networks whose first and second derivatives are exact: one flat parameter vector, layers written once over values
//! with and without tangents.
//!
//! Start at [`Network::preset`]. A mask bit, a column of the Jacobian, a coordinate of the Hessian and an entry of θ
//! share one index, cut into named slots by [`Layout`]. Everything is generic over `f32` (training) and `f64`
//! (Jacobians, Hessians), runs on one thread and gives the same bits on every run.

mod activation;
mod array;
mod builder;
mod compaction;
mod general;
mod initialisation;
mod layers;
mod layout;
mod loss;
mod network;
mod preset;
mod real;
mod shape;
mod value;
mod workspace;

#[cfg(test)]
pub(crate) mod derivative_cases;
#[cfg(test)]
mod derivative_tests;
#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod layer_tests;

pub use activation::Activation;
pub use array::Array;
pub use builder::{NetworkBuilder, NormalisationKind};
pub use compaction::Compacted;
pub use initialisation::{Fan, Initialisation, Scheme};
pub use layers::{
    Attention, Convolution, Dense, Dropout, Embedding, Interleave, Layer, Normalisation, NormalisedOver, Padding,
    Pooling, PoolingKind, Positions, Recurrent, Residual,
};
pub(crate) use layers::{Gradients, Mode};
pub use layout::{Layout, Slot, SlotKind};
pub use loss::{Loss, Targets};
pub use network::Network;
pub(crate) use network::argmax;
pub use real::Real;
pub use shape::{ImageShape, InputShape};
pub use value::{Dual, Value};
pub(crate) use workspace::{Point, Room, SecondOrder};
pub use workspace::{SPARSE_DENSITY_DOUBLE, SPARSE_DENSITY_SINGLE, Score, Workspace};
