//! Every way to make a mask of a network as it stands: one list of makers, one request, one input.
//!
//! [`MaskMaker`] is the list, [`MaskRequest`] says what one of them is to do, and [`MaskRequest::make`] does it, from the
//! same [`CriterionInput`](super::CriterionInput) that scores take. What is found *during* a training (iterative pruning,
//! dynamic training, edge-popup, hard thresholds) is not here.

mod linear;
mod made;
#[cfg(test)]
mod refusal_tests;
mod request;
mod scored;
mod setting;
#[cfg(test)]
mod tests;
mod units;
mod words;

pub use made::{KeptUnits, MadeMask, Missing, SeenColumns};
pub use request::MaskRequest;
pub use setting::Setting;

use super::criteria::Criterion;
use super::design::DesignCriterion;
use super::net_trim;
use super::recovered::RecoveredBy;
use super::structured::{UnitKind, Units};
use crate::error::{Error, Result};
use crate::networks::Network;
use std::fmt;
use std::str::FromStr;

/// Who chooses a mask.
///
/// ```
/// use ticketsense::networks::Network;
/// use ticketsense::pruning::{MaskMaker, RecoveredBy};
/// let maker: MaskMaker = "omp".parse()?;
/// assert_eq!(maker, MaskMaker::Recovered(RecoveredBy::Omp));
/// let heads: MaskMaker = "heads".parse()?;
/// let refused = heads.check(&Network::preset("mlp:5", 4, 2)?).unwrap_err().to_string();
/// assert!(refused.contains("heads") && refused.contains("mlp:5"));
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MaskMaker {
    /// The weights of largest score stay, or, with a [`Pattern`](super::Pattern), those of largest score that it allows:
    /// [`ScoredPruning`](super::ScoredPruning), [`keep_of_every`](super::keep_of_every),
    /// [`keep_blocks`](super::keep_blocks).
    Scores(Criterion),
    /// Whole units of largest norm: [`Units::choose`].
    Units(UnitKind),
    /// Whole units by the group LASSO on the linearised network:
    /// [`SensingProblem::recover_units`](super::SensingProblem::recover_units).
    GroupLasso,
    /// Sparse recovery from the labels on the network linearised at its weights:
    /// [`SensingProblem::recover`](super::SensingProblem::recover).
    Recovered(RecoveredBy),
    /// The same in rounds, each linearised at what the last one left: [`Relinearised`](super::Relinearised).
    Relinearised,
    /// Iterative magnitude pruning inside the linear model: [`LinearImp`](super::LinearImp).
    Elimination,
    /// Optimal design of the columns of the Jacobian: [`SensingProblem::design`](super::SensingProblem::design).
    Design(DesignCriterion),
    /// Sparse recovery layer by layer: [`net_trim`](fn@super::net_trim).
    NetTrim,
}

impl MaskMaker {
    /// Every maker: all criteria first, then units, recovery, design and layers.
    pub fn all() -> Vec<MaskMaker> {
        let scores = Criterion::ALL.into_iter().map(MaskMaker::Scores);
        let units = [UnitKind::Neuron, UnitKind::Channel, UnitKind::Head].map(MaskMaker::Units);
        let recovered = RecoveredBy::ALL.map(MaskMaker::Recovered);
        let linear = [MaskMaker::GroupLasso, MaskMaker::Relinearised, MaskMaker::Elimination];
        let designs = [DesignCriterion::A, DesignCriterion::D].map(MaskMaker::Design);
        scores
            .chain(units)
            .chain(recovered)
            .chain(linear)
            .chain(designs)
            .chain([MaskMaker::NetTrim])
            .collect()
    }

    /// The word on the command line and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            MaskMaker::Scores(criterion) => criterion.as_str(),
            MaskMaker::Units(kind) => kind.as_str(),
            MaskMaker::GroupLasso => "group-lasso",
            MaskMaker::Recovered(solver) => solver.as_str(),
            MaskMaker::Relinearised => "relinearised",
            MaskMaker::Elimination => "elimination",
            MaskMaker::Design(DesignCriterion::A) => "a-design",
            MaskMaker::Design(DesignCriterion::D) => "d-design",
            MaskMaker::NetTrim => "net-trim",
        }
    }

    /// Refuses a network to which the maker does not apply, before any work.
    ///
    /// # Errors
    /// [`Error::Argument`] naming both: as [`Criterion::check`] for scores, [`Units::prunable`] for units; for the group
    /// LASSO of a network all of whose widths are given; for Net-Trim of one that is no multilayer perceptron.
    pub fn check(self, network: &Network) -> Result<()> {
        match self {
            MaskMaker::Scores(criterion) => criterion.check(network),
            MaskMaker::Units(kind) => Units::of(network).prunable(kind).map(drop),
            MaskMaker::GroupLasso => units::check_group_lasso(network, None),
            MaskMaker::NetTrim => net_trim::check(network),
            MaskMaker::Recovered(_) | MaskMaker::Relinearised | MaskMaker::Elimination | MaskMaker::Design(_) => Ok(()),
        }
    }

    /// Whether what it chooses depends on the training samples.
    pub fn sees_samples(self) -> bool {
        match self {
            // What does not grow with the samples is the pass of a criterion that brings its own input.
            MaskMaker::Scores(criterion) => criterion.gradient_passes(1 << 20, 2) * f64::from(1 << 20) > 1.5,
            MaskMaker::Units(_) => false,
            _ => true,
        }
    }
}

impl fmt::Display for MaskMaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for MaskMaker {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        let all = MaskMaker::all();
        let found = all.iter().copied().find(|maker| maker.as_str() == word);
        found.ok_or_else(|| Error::unknown("criterion", word, all.iter().map(|maker| maker.as_str())))
    }
}
