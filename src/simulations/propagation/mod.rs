//! How long a signal is after each layer of a masked network.
//!
//! The length of layer ℓ is the mean square of its pre-activations, `q^ℓ = (1/N) Σ_i (h_i^ℓ)²`. For random weights see
//! [`random`], for the weights of a real network [`given`].

pub mod given;
pub mod random;

pub use given::{LayerSignal, LayerWeights, signal};
pub use random::{Drawing, LengthSample, RandomNetwork, Scaling};
