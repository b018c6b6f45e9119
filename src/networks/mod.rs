//! Networks whose first and second derivatives are exact: one flat parameter vector, layers written once over values
//! with and without tangents.
//!
//! Start at [`Network::preset`]. A mask bit, a column of the Jacobian, a coordinate of the Hessian and an entry of θ
//! share one index, cut into named slots by [`Layout`]. Everything is generic over `f32` (training) and `f64`
//! (Jacobians, Hessians), runs on one thread and gives the same bits on every run.

mod activation;
mod array;
mod initialisation;
mod layer;
mod layout;
mod loss;
mod network;
mod preset;
mod real;
mod value;
mod workspace;

#[cfg(test)]
mod derivative_tests;

pub use activation::Activation;
pub use array::Array;
pub use initialisation::{Fan, Initialisation, Scheme};
pub use layer::{Dense, Layer};
pub use layout::{Layout, Slot, SlotKind};
pub use loss::{Loss, Targets};
pub use network::Network;
pub use real::Real;
pub use value::{Dual, Value};
pub use workspace::{Score, Workspace};
