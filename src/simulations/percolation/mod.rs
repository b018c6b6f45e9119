//! Which units of a pruned layered network a signal can still reach.
//!
//! Four views of one question: the branching process that the theory is about ([`galton_watson`]), layered networks of
//! finite width with their collisions ([`layered`]), the exact law of the reached count in them ([`reach`]), and the
//! connectivity of a given mask ([`masks`]).

pub mod galton_watson;
pub mod layered;
pub mod masks;
pub mod reach;

pub use galton_watson::{SurvivalCounts, survival};
pub use layered::{LayeredNetwork, ReachedCounts, Wiring};
pub use masks::{Connectivity, LayerMask, connectivity, layer_masks};
pub use reach::ReachKernel;
