//! The law of the cosines between the columns of a Jacobian, by layer and by what two weights share.

use super::hidden::hidden_layers;
use super::jacobian_pairs::Examination;
use super::units::Units;
use crate::error::{Error, Result};
use crate::linearize::Jacobian;
use crate::networks::Network;
use crate::operators::MeasurementOperator;
use crate::outcome::Certainty;
use crate::seed::Seed;
use std::ops::Range;

/// What two parameters share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PairKind {
    /// The unit that both lead into: the same signals.
    SameUnit,
    /// The input that both lead from, into different units: the same activations.
    SameInput,
    /// One leads into the hidden unit that the other leads from.
    Consecutive,
    /// Nothing of these.
    Unrelated,
}

impl PairKind {
    /// All kinds, in order.
    pub const ALL: [PairKind; 4] = [
        PairKind::SameUnit,
        PairKind::SameInput,
        PairKind::Consecutive,
        PairKind::Unrelated,
    ];

    /// The word used in reports and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            PairKind::SameUnit => "same-unit",
            PairKind::SameInput => "same-input",
            PairKind::Consecutive => "consecutive",
            PairKind::Unrelated => "unrelated",
        }
    }
}

/// The cosines between nonzero columns of a Jacobian, for every two slots of parameters and every kind of pair.
///
/// A dense layer's column (i, j) is `Σ_s e_s ⊗ δ_s(i) a_s(j)`, so that `⟨(i, j), (i', j')⟩ = Σ_s D_s(i, i') a_s(j) a_s(j')` with
/// `D_s(i, i') = ⟨δ_s(i), δ_s(i')⟩`: all pairs of the columns of two units are one product of matrices with n columns, and
/// not n C, after D. Convolutions have their columns formed.
///
/// A kind is examined pair by pair when that costs at most `exhaustive_up_to` multiplications, and by a random sample
/// otherwise; pairs of one unit, of one input and consecutive ones have a cheaper way of their own, so that they are exact at sizes where
/// unrelated pairs are sampled. Source: the factors of a Jacobian are those of backpropagation; see
/// [`crate::linearize::SlotFactors`].
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::estimators::{JacobianCosines, PairKind};
/// use ticketsense::linearize::{Biases, Linearisation, RowTransform};
/// use ticketsense::networks::{Array, Initialisation, Network};
/// let network = Network::preset("mlp:6:no-bias", 4, 3)?;
/// let theta: Vec<f64> = network.initial(&Seed::root(0), &Initialisation::HE)?;
/// let inputs = Array::from_fn(20, 4, |i, j| ((i * 3 + 5 * j) as f64).sin());
/// let at = Linearisation::new(&network, &theta, &inputs)?;
/// let a = at.jacobian(&network.layout().weights(), RowTransform::Identity, Biases::Fixed)?;
/// let law = JacobianCosines::default().examine(&network, &a, &Seed::root(0))?;
/// // Weights of two output units have their derivatives in different rows.
/// let last = law.laws.iter().rfind(|l| l.kind == PairKind::SameInput).unwrap();
/// assert_eq!((last.slots.0.clone(), last.largest), (24..42, 0.0));
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JacobianCosines {
    /// Bins of |cosine|, from 1 to 100,000; the last one holds 1 too.
    pub bins: usize,
    /// The most multiplications for which one kind of pair of two slots is examined in full.
    pub exhaustive_up_to: f64,
    /// Pairs of a kind that are sampled otherwise, with replacement; at least 2.
    pub sampled_pairs: usize,
    /// Sampled pairs from which a climb searches for the largest cosine of their kind; each costs some adjoints.
    pub climbs: usize,
}

impl Default for JacobianCosines {
    /// 50 bins; about a second a kind, or 20,000 pairs and 4 climbs.
    fn default() -> Self {
        JacobianCosines {
            bins: 50,
            exhaustive_up_to: 2e10,
            sampled_pairs: 20_000,
            climbs: 4,
        }
    }
}

/// The cosines of one kind of pairs between two slots.
#[derive(Clone, Debug, PartialEq)]
pub struct PairLaw {
    /// Parameters of the two slots, the first one first.
    pub slots: (Range<usize>, Range<usize>),
    /// What two parameters share.
    pub kind: PairKind,
    /// Number of pairs of nonzero columns.
    pub pairs: u64,
    /// Pairs examined: all, or a sample with replacement.
    pub examined: u64,
    /// Examined pairs by |cosine|: bin b of B holds `b/B ≤ |cosine| < (b + 1)/B`.
    pub counts: Vec<u64>,
    /// Mean square of the cosines.
    pub mean_square: f64,
    /// Exact, or sampled with its standard error.
    pub certainty: Certainty,
    /// The largest |cosine| found.
    pub largest: f64,
    /// Exact, or a lower bound.
    pub largest_certainty: Certainty,
    /// Columns of the operator that attain it.
    pub largest_pair: Option<(usize, usize)>,
}

/// The cosines of every kind of pair.
#[derive(Clone, Debug, PartialEq)]
pub struct JacobianCosineLaw {
    /// Ascending by slots and kind; kinds without a pair are left out.
    pub laws: Vec<PairLaw>,
    /// Number of zero columns, left out.
    pub zero_columns: usize,
    /// Rounding error of a cosine.
    pub error_bound: f64,
}

impl JacobianCosines {
    /// Examines the columns of a Jacobian of `network`.
    ///
    /// Cost: `n` multiplications a pair of dense columns and `n C` one of a convolution, up to the limit; memory: the
    /// columns of the convolutions, and some megabytes.
    ///
    /// # Errors
    /// [`Error::Argument`] for numbers out of range, a Jacobian with projected biases, or one of another network.
    pub fn examine(&self, network: &Network, jacobian: &Jacobian, seed: &Seed) -> Result<JacobianCosineLaw> {
        if !(1..=100_000).contains(&self.bins) {
            return Err(Error::argument("bins", "an integer in 1..=100000", self.bins));
        }
        if self.sampled_pairs < 2 {
            return Err(Error::argument("sampled pairs", "at least 2", self.sampled_pairs));
        }
        if self.exhaustive_up_to.is_nan() {
            return Err(Error::argument("exhaustive_up_to", "a number", self.exhaustive_up_to));
        }
        let fits = |j: &usize| *j < network.layout().len();
        if !jacobian.parameters().iter().all(fits) || jacobian.classes() != network.classes() {
            let got = format!("{} of another network", jacobian.shape());
            return Err(Error::argument("operator", "a Jacobian of the network", got));
        }
        let units = Units::new(jacobian)?;
        let examination = Examination {
            settings: *self,
            hidden: hidden_layers(network),
            jacobian,
            units: &units,
        };
        let mut laws = Vec::new();
        for a in 0..units.slots.len() {
            for b in a..units.slots.len() {
                laws.extend(examination.pair_of_slots(a, b, seed)?);
            }
        }
        Ok(JacobianCosineLaw {
            laws,
            zero_columns: units.zero,
            error_bound: units.cosine_error(),
        })
    }
}

#[cfg(test)]
#[path = "jacobian_cosines_tests.rs"]
mod tests;
