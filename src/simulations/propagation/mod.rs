//! What a masked network does to signals: lengths, angles and gradients layer by layer, and all directions at once.
//!
//! The length of layer ℓ is the mean square of its pre-activations, `q^ℓ = (1/N) Σ_i (h_i^ℓ)²`. For random weights see
//! [`random`] (lengths alone, for any activation, drawn fast), [`signals`] (two inputs and a gradient through one network, dense or
//! convolutional) and [`jacobian`] (singular values); for the weights of a real network [`given`].

mod copies;
pub mod given;
pub mod jacobian;
pub mod lattice;
mod layer;
pub mod random;
pub mod signals;

pub use given::{LayerSignal, LayerWeights, signal};
pub use jacobian::JacobianSample;
pub use lattice::Lattice;
pub use random::{Drawing, LengthSample, RandomNetwork, Scaling};
pub use signals::{Measure, PairProbe, SignalSample};
