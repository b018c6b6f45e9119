//! Optimal design: which k of m sensors, the rows of `A`, say most about the unknowns of `y = A x + ε`?
//!
//! A [`DesignProblem`] holds the candidates, the prior, the noise and the [`Criterion`]; a [`RowSelector`] chooses. Finding the
//! best choice is NP-hard in general, so each answer says what is known about it: [`Exhaustive`] is exact, and
//! [`Relaxation`] bounds the least loss from below for all the others. With a flat prior fewer rows than unknowns, or
//! candidates of a smaller rank, are refused, and a single choice that is singular has the loss `+∞`.
//!
//! The same code chooses *weights* of a linearised network, the columns of its Jacobian: see
//! [`DesignProblem::of_columns`].
//!
//! Sources: Pukelsheim, *Optimal Design of Experiments*, 1993; Joshi & Boyd, IEEE Trans. Signal Process. 2009.

mod criterion;
mod exchange;
mod exhaustive;
mod greedy;
mod problem;
mod relaxation;
mod relaxed_eigenvalue;
#[cfg(test)]
mod search_tests;
mod secular;
mod selection;
mod spanning;
#[cfg(test)]
mod tests;
mod tracker;

pub use criterion::{Criterion, Prior};
pub use exchange::Exchange;
pub use exhaustive::{Exhaustive, Subset, subsets, visit_subsets};
pub use greedy::{BackwardGreedy, ForwardGreedy};
pub use problem::DesignProblem;
pub use relaxation::{Relaxation, RelaxationSettings, RoundedRelaxation};
pub use selection::{GivenRows, LargestNorms, RandomRows, RowSelector, Selection};
