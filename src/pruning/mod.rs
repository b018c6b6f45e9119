//! Which weights go: criteria, iterative magnitude pruning with rewinding, and its controls.

pub mod controls;
mod select;

pub use select::{LayerRate, Scope, keep_highest, prune_lowest, survivors};
