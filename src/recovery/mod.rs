//! Sparse recovery: find `x` with few nonzeros from `y ≈ A x`, with a certificate.
//!
//! To add a solver: one file with a plain struct of documented numbers, its [`Solver`] implementation and its entry
//! (name, options, builder), and one word in the list (`list.rs`); the conformance tests and the command line then
//! know it.

mod active_columns;
mod amp;
mod basis_pursuit;
mod basis_pursuit_denoising;
mod chosen;
mod common;
mod cosamp;
mod descent;
mod elastic_net;
mod entry;
mod exchange;
mod face;
mod fista;
mod group_lasso;
mod group_quadratic;
mod groups;
mod growing_gram;
mod homotopy;
mod htp;
mod iht;
mod inactive;
mod iterate;
mod lasso;
mod lasso_path;
mod lazy;
mod least_squares;
mod list;
mod logistic_lasso;
mod niht;
mod nonnegative_basis_pursuit;
mod nonnegative_lasso;
mod ols;
mod omp;
mod parametric;
mod penalised;
mod picking;
mod planted;
mod pursuit;
mod quadratic;
mod request;
mod screen;
mod seen;
mod segment_gap;
mod selection;
mod subspace_pursuit;
mod support_fit;
mod vamp;
mod weighted_lasso;
mod working_columns;
mod working_set;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod conic_tests;
#[cfg(test)]
mod pursuit_conformance;
#[cfg(test)]
mod pursuit_reference;
#[cfg(test)]
mod reference;

pub use amp::{ApproximateMessagePassing, Threshold};
pub use basis_pursuit::BasisPursuit;
pub use basis_pursuit_denoising::{BasisPursuitDenoising, Radius};
pub use cosamp::Cosamp;
pub use elastic_net::ElasticNet;
pub use entry::{OptionKind, OptionValues, SolverEntry, SolverOption};
pub use fista::Fista;
pub use group_lasso::{GroupLasso, Grouping};
pub use groups::Groups;
pub use htp::HardThresholdingPursuit;
pub use iht::IterativeHardThresholding;
pub use lasso::{Lasso, Penalty, lambda_max};
pub use lasso_path::{Breakpoint, LassoPath, Path, PathEnd, PathEvent};
pub use list::{SOLVERS, find};
pub use logistic_lasso::LogisticLasso;
pub use niht::NormalisedIht;
pub use nonnegative_basis_pursuit::NonnegativeBasisPursuit;
pub use nonnegative_lasso::NonnegativeLasso;
pub use ols::OrthogonalLeastSquares;
pub use omp::Omp;
pub(crate) use planted::proven_smallest_singular_value;
pub use planted::{PlantedAnswer, PlantedTest, PlantedVerdict};
pub use subspace_pursuit::SubspacePursuit;
pub use vamp::VectorAmp;
pub use weighted_lasso::WeightedLasso;

use crate::error::Result;
use crate::operators::{MeasurementOperator, check_vector};
use crate::outcome::{Status, Watch};
use nalgebra::DMatrix;
use std::fmt::Debug;

/// What proves a solver's answer, or says how near it is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Certificate {
    /// None: the method promises nothing about this answer.
    None,
    /// Primal value, and a dual feasible value below it: `primal − optimum ≤ gap`.
    DualityGap {
        /// The solver's own objective at `x`.
        primal: f64,
        /// `primal − dual`, not negative up to rounding.
        gap: f64,
        /// What the solver's relative tolerance on the gap refers to: `½‖y‖²` for penalised least squares, `‖x‖₁` for
        /// basis pursuit, `m log 2` for the logistic loss.
        scale: f64,
        /// A dual feasible point, of length m.
        dual: Vec<f64>,
    },
    /// The order in which columns were picked, and by how much each pick won against the best column not picked,
    /// relative to the winner; 0 is a tie, decided by index.
    OrderMargins {
        /// Column picked at each step.
        order: Vec<usize>,
        /// Relative margin of each pick.
        margins: Vec<f64>,
        /// How far rounding may have moved each margin, relative to the winner, where the method bounds that: a pick whose
        /// margin is larger is certain, any other is a tie.
        uncertainties: Option<Vec<f64>>,
    },
}

/// The answer of a solver.
#[derive(Clone, Debug, PartialEq)]
pub struct Recovery {
    /// The recovered vector, of length n.
    pub x: Vec<f64>,
    /// Positions of its nonzeros, ascending.
    pub support: Vec<usize>,
    /// How the solve ended.
    pub status: Status,
    /// Iterations done.
    pub iterations: usize,
    /// Operator applications spent: a product with `A` or `Aᵀ` is 1, `s` columns are `s/n`.
    pub applications: f64,
    /// The solver's own objective at `x`.
    pub objective: f64,
    /// `‖y − A x‖₂`.
    pub residual_norm: f64,
    /// What proves the answer.
    pub certificate: Certificate,
}

impl Recovery {
    /// The duality gap relative to what the solver's tolerance refers to, where the certificate is a gap; 0 for a gap
    /// of 0 whatever the scale.
    pub fn relative_gap(&self) -> Option<f64> {
        match self.certificate {
            Certificate::DualityGap { gap: 0.0, .. } => Some(0.0),
            Certificate::DualityGap { gap, scale, .. } => Some(gap / scale),
            _ => None,
        }
    }
}

/// What a solver takes `y` to be, and where it looks for `x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Model {
    /// `y ≈ A x`, entries of either sign.
    Linear,
    /// `y ≈ A x` with `x ≥ 0`.
    NonnegativeLinear,
    /// `y` are labels ±1, and `aᵢᵀx` the log-odds of `yᵢ = 1`.
    Labels,
}

/// A sparse recovery method: a plain struct of documented numbers.
pub trait Solver: Debug + Send + Sync {
    /// The name on the command line and in tables.
    fn name(&self) -> &'static str;

    /// What the method takes its data to be.
    fn model(&self) -> Model {
        Model::Linear
    }

    /// Solves for one right-hand side, reporting every iteration to `watch`.
    ///
    /// # Errors
    /// When the solver's own numbers, the operator or `y` are unusable; how the iteration ended is
    /// [`Recovery::status`].
    fn solve_watched(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery>;

    /// Solves for one right-hand side.
    ///
    /// # Errors
    /// As [`Solver::solve_watched`].
    fn solve(&self, a: &dyn MeasurementOperator, y: &[f64]) -> Result<Recovery> {
        self.solve_watched(a, y, &mut Watch::none())
    }

    /// Solves for every column of `rhs` (m × number of right-hand sides).
    ///
    /// # Errors
    /// As [`Solver::solve_watched`]; the first refused column ends the call.
    fn solve_many(&self, a: &dyn MeasurementOperator, rhs: &DMatrix<f64>) -> Result<Vec<Recovery>> {
        rhs.column_iter()
            .map(|y| self.solve(a, y.into_owned().as_slice()))
            .collect()
    }
}

/// The door of every solver: refuses a right-hand side that does not fit.
fn check_right_hand_side(a: &dyn MeasurementOperator, y: &[f64]) -> Result<()> {
    check_vector("y", y, a.shape().rows)
}
