//! Which units of a pruned layered network a signal can still reach.
//!
//! Views of one question: the branching process that the theory is about ([`galton_watson`]), layered networks of finite
//! width with their collisions ([`layered`], and 64 replicates at a time [`words`], over any given graph [`graph`]), the exact law
//! of the reached count in them ([`reach`], and how long it lives [`lifetime`]) and of the reached set of a narrow layer wired to
//! neighbours ([`transfer`]), a recurrent cell whose mask is one for all steps ([`recurrent`]), and
//! the connectivity of a given mask ([`masks`]) with its disjoint paths ([`flow`]).

pub mod flow;
pub mod galton_watson;
pub mod graph;
pub mod layered;
pub mod lifetime;
pub mod masks;
pub mod reach;
pub mod recurrent;
pub mod transfer;
pub mod words;
#[cfg(test)]
mod words_tests;

pub use flow::{DisjointPaths, disjoint_paths};
pub use galton_watson::{SurvivalCounts, survival};
pub use graph::{LayeredGraph, LiveCounts};
pub use layered::{LayeredNetwork, ReachedCounts, Wiring};
pub use lifetime::QuasiStationary;
pub use masks::{Connectivity, LayerMask, connectivity, layer_masks};
pub use reach::ReachKernel;
pub use recurrent::{LastingCounts, Reuse, lasting};
pub use transfer::SetLaw;
pub use words::WordCounts;
