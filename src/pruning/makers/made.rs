//! What a maker hands back.

use super::MaskMaker;
use crate::error::{Error, Result};
use crate::networks::Network;
use crate::outcome::Status;
use crate::pruning::run::emptied;
use crate::pruning::structured::UnitKind;
use crate::support::Mask;

/// A mask, where there is one, what it cost, and what was counted on the way.
#[derive(Clone, Debug, PartialEq)]
pub struct MadeMask {
    /// What is left, with every bias; none where `missing` says why.
    pub mask: Option<Mask>,
    /// Why there is no mask.
    pub missing: Option<Missing>,
    /// How many weights were asked for, of makers that promise a number.
    pub asked: Option<usize>,
    /// How the choice ended: [`Status::SupportFull`] for what is picked from a ranking, otherwise that of the solver, of the
    /// last round, or of the last layer.
    pub status: Status,
    /// How every round, or every layer, ended up to the first without an answer; empty of makers without either.
    pub statuses: Vec<Status>,
    /// The cost in passes over the given samples, a pass being one gradient of the loss: of makers in the linear model at
    /// most, a product with the Jacobian or its transpose counting as one, and setting it up as one a class.
    pub gradient_passes: f64,
    /// The weight layers of which nothing is left, by slot name.
    pub emptied: Vec<String>,
    /// The columns of the Jacobian, of makers that look at them.
    pub columns: Option<SeenColumns>,
    /// The families of units, of makers that choose units.
    pub units: Vec<KeptUnits>,
    /// Nonzeros before the cut to the counts, of sparse recovery.
    pub nonzeros_before_cut: Option<usize>,
    /// The smallest λ/λ_max of all layers or families, of the LASSO and the group LASSO.
    pub penalty_ratio: Option<f64>,
    /// Duality gap relative to its scale, of solvers that prove one.
    pub relative_gap: Option<f64>,
    /// What was made small: the damped squares of recovery, the criterion of a design.
    pub objective: Option<f64>,
    /// `‖Z − Â Wᵀ‖_F/‖Z‖_F` of each layer, of recovery layer by layer.
    pub relative_residuals: Vec<f64>,
}

/// Why there is no mask: what there was, and what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Of what there is not enough.
    pub what: String,
    /// What there is, in words.
    pub expected: String,
    /// What was asked for.
    pub got: String,
}

/// The columns of a linearised network at its first linearisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenColumns {
    /// Weights that no sample sees.
    pub zero: usize,
    /// Weights whose column is parallel to an earlier one.
    pub merged: usize,
    /// Weights that may be chosen.
    pub candidates: usize,
    /// No support of independent columns is larger.
    pub rank_bound: usize,
}

/// The units of one width.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptUnits {
    /// What they are.
    pub kind: UnitKind,
    /// The weights that give them, by slot name.
    pub producers: Vec<String>,
    /// How many there are.
    pub units: usize,
    /// How many stay.
    pub kept: usize,
}

impl MadeMask {
    /// A mask and how the choice ended, with nothing counted yet.
    pub(super) fn new(network: &Network, mask: Option<Mask>, status: Status, gradient_passes: f64) -> Self {
        MadeMask {
            emptied: mask
                .as_ref()
                .map_or_else(Vec::new, |mask| emptied(network.layout(), mask)),
            mask,
            missing: None,
            asked: None,
            status,
            statuses: Vec::new(),
            gradient_passes,
            columns: None,
            units: Vec::new(),
            nonzeros_before_cut: None,
            penalty_ratio: None,
            relative_gap: None,
            objective: None,
            relative_residuals: Vec::new(),
        }
    }

    /// The mask.
    ///
    /// # Errors
    /// [`Error::Argument`] with what there was and what was asked for where there is none.
    pub fn require(&self) -> Result<&Mask> {
        self.mask.as_ref().ok_or_else(|| match &self.missing {
            Some(missing) => Error::argument(&missing.what, &missing.expected, &missing.got),
            None => Error::numerical("mask", format!("none was found: {}", self.status)),
        })
    }
}

impl Missing {
    pub(super) fn new(what: impl Into<String>, expected: impl Into<String>, got: impl ToString) -> Self {
        Missing {
            what: what.into(),
            expected: expected.into(),
            got: got.to_string(),
        }
    }

    /// What a maker says of counts for which its way ended before them.
    pub(super) fn ended(maker: MaskMaker, status: Status, asked: usize) -> Self {
        Missing::new(
            format!("weights that {maker} keeps"),
            format!("so many that their columns are independent (it ended: {status})"),
            asked,
        )
    }
}
