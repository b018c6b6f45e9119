//! What decides who stays: a score for every weight, larger is better.
//!
//! A criterion is a file with one function from a [`CriterionInput`] to scores, and a variant of [`Criterion`].

mod damage;
mod gradient;
mod grasp;
mod magnitude;
mod surgeon;
mod synflow;

#[cfg(test)]
mod point;
#[cfg(test)]
mod tests;

pub use surgeon::BrainSurgeon;

use super::remaining::Remaining;
use crate::error::{Error, Result};
use crate::networks::{Loss, Network};
use crate::seed::Seed;
use crate::support::Mask;
use crate::training::Examples;
use rand::RngExt;
use std::fmt;
use std::str::FromStr;

/// A rule that scores the weights of a trained (or untrained) network. Where a rule of the literature prunes its largest
/// scores, the sign is turned here: the smallest go, always.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Criterion {
    /// `|θ_i|`.
    Magnitude,
    /// `½ G_ii θ_i²` with the diagonal of the Gauss-Newton matrix of the loss: the increase of the loss that a second-order
    /// expansion with a diagonal, positive curvature predicts when weight `i` goes (LeCun, Denker & Solla, NeurIPS 1989).
    OptimalBrainDamage,
    /// A uniform random number.
    Random,
    /// `|g_i θ_i|` with the gradient g of the loss over all given samples: how much the loss moves, either way, with the
    /// first steps of weight `i` towards zero (SNIP: Lee, Ajanthan & Torr, ICLR 2019).
    Snip,
    /// `−g_i θ_i`: the *signed* first-order increase of the loss when weight `i` goes, so that weights which the loss would
    /// rather lose go first (the Taylor criterion without its absolute value; Molchanov et al., ICLR 2017).
    GradientWeight,
    /// `θ_i (H g)_i` with the exact Hessian H of the loss and its gradient g over the kept weights (GraSP: Wang, Zhang &
    /// Grosse, ICLR 2020). To first order, losing weight `i` changes `‖g‖²`, the speed of gradient descent, by
    /// `−2 θ_i (H g)_i`; what is kept is what descent would be slower without. Wang et al. score `−θ_i (H g)_i` and prune
    /// the largest, which is the same. As there, outputs are divided by 200 before the cross-entropy.
    Grasp,
    /// `|θ_i| ∂R/∂|θ_i|` with R the sum of the outputs, for an input of ones, of the network of absolute weights with
    /// activations and biases left out (SynFlow: Tanaka et al., NeurIPS 2020). No data are seen. In a chain of layers the
    /// scores of every layer have the same sum R, so that no layer is emptied while another has more to give; meant for
    /// many rounds. Batch normalisation is the factor `|γ|/√(variance + ε)` of each channel, with its running variance.
    SynFlow,
    /// `|θ_i − θ_{0,i}|`: how far training has moved a weight from its initial value (Zhou et al., NeurIPS 2019, the mask
    /// criterion *movement*). Not the movement pruning of Sanh et al. (NeurIPS 2020), which sums `−g θ` over the steps of
    /// a training that learns the mask.
    Movement,
    /// `|θ_i| − |θ_{0,i}|`: how much training has enlarged a weight (Zhou et al., NeurIPS 2019, *magnitude increase*).
    MagnitudeIncrease,
    /// `θ_i² / (2 [B⁻¹]_ii)` with `B` the damped Gauss-Newton block of the weights into one unit: the increase of the loss
    /// when weight `i` goes and the others of its unit make up for it (Hassibi & Stork, NeurIPS 1992, in blocks). See
    /// [`BrainSurgeon`], whose default damping this is.
    OptimalBrainSurgeon,
}

/// What a criterion may look at.
#[derive(Clone, Debug)]
pub struct CriterionInput<'a> {
    /// The network.
    pub network: &'a Network,
    /// Its parameters, zero where pruned.
    pub theta: &'a [f32],
    /// Which of them are left: the candidates.
    pub mask: &'a Mask,
    /// The parameters that its training began with; `theta` itself where nothing was trained.
    pub initial: &'a [f32],
    /// The loss it was trained with.
    pub loss: Loss,
    /// The samples it was trained on.
    pub training: Examples<'a, f32>,
    /// For random scores.
    pub seed: Seed,
}

impl CriterionInput<'_> {
    /// The parameters in double precision.
    fn theta(&self) -> Vec<f64> {
        self.theta.iter().map(|&v| f64::from(v)).collect()
    }

    pub(super) fn check(&self) -> Result<()> {
        let parameters = self.network.layout().len();
        for (what, length) in [
            ("parameters", self.theta.len()),
            ("initial parameters", self.initial.len()),
        ] {
            if length != parameters {
                return Err(Error::shape(what, parameters, length));
            }
        }
        self.network.layout().check_mask(self.mask)
    }
}

impl Criterion {
    /// Every criterion.
    pub const ALL: [Criterion; 10] = [
        Criterion::Magnitude,
        Criterion::OptimalBrainDamage,
        Criterion::Random,
        Criterion::Snip,
        Criterion::GradientWeight,
        Criterion::Grasp,
        Criterion::SynFlow,
        Criterion::Movement,
        Criterion::MagnitudeIncrease,
        Criterion::OptimalBrainSurgeon,
    ];

    /// The word on the command line and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Criterion::Magnitude => "magnitude",
            Criterion::OptimalBrainDamage => "optimal-brain-damage",
            Criterion::Random => "random",
            Criterion::Snip => "snip",
            Criterion::GradientWeight => "gradient-weight",
            Criterion::Grasp => "grasp",
            Criterion::SynFlow => "synflow",
            Criterion::Movement => "movement",
            Criterion::MagnitudeIncrease => "magnitude-increase",
            Criterion::OptimalBrainSurgeon => "optimal-brain-surgeon",
        }
    }

    /// Whether it compares the weights with those that training began with, so that it says nothing before any training.
    pub fn needs_training(self) -> bool {
        matches!(self, Criterion::Movement | Criterion::MagnitudeIncrease)
    }

    /// Refuses a network to which the criterion does not apply, before anything is trained.
    ///
    /// # Errors
    /// [`Error::Argument`] naming both for [`Criterion::SynFlow`] of a network with layer or group normalisation,
    /// attention, recurrent cells or embeddings, of which the network of absolute weights is no linear map, and for
    /// [`Criterion::Grasp`] of one that does not end in a dense layer.
    pub fn check(self, network: &Network) -> Result<()> {
        match self {
            Criterion::SynFlow => synflow::check(network),
            Criterion::Grasp => grasp::check(network),
            _ => Ok(()),
        }
    }

    /// What scoring costs in passes over `samples` training samples, a pass being one gradient of the loss; the exact
    /// Hessian product of GraSP counts as two. Work without passes (the factorisations of optimal brain surgeon) does not
    /// count.
    pub fn gradient_passes(self, samples: usize, classes: usize) -> f64 {
        match self {
            Criterion::Magnitude | Criterion::Random | Criterion::Movement | Criterion::MagnitudeIncrease => 0.0,
            Criterion::Snip | Criterion::GradientWeight => 1.0,
            Criterion::Grasp => 3.0,
            Criterion::SynFlow => 1.0 / samples.max(1) as f64,
            Criterion::OptimalBrainDamage | Criterion::OptimalBrainSurgeon => classes as f64,
        }
    }

    /// A score for every parameter. Only those of kept weights mean anything.
    ///
    /// ```
    /// use ticketsense::Seed;
    /// use ticketsense::networks::{Array, Initialisation, Loss, Network};
    /// use ticketsense::pruning::{Criterion, CriterionInput};
    /// use ticketsense::training::Examples;
    /// let network = Network::preset("mlp:5:no-bias", 3, 2)?;
    /// let theta: Vec<f32> = network.initial(&Seed::root(0), &Initialisation::GLOROT)?;
    /// let (inputs, labels) = (Array::from_fn(4, 3, |i, j| (i as f32 - j as f32) / 2.0), [0, 1, 1, 0]);
    /// let scores = Criterion::SynFlow.scores(&CriterionInput {
    ///     network: &network,
    ///     theta: &theta,
    ///     mask: &network.layout().full_mask(),
    ///     initial: &theta,
    ///     loss: Loss::CrossEntropy,
    ///     training: Examples::labelled(&inputs, &labels),
    ///     seed: Seed::root(1),
    /// })?;
    /// // What flows through one layer flows through the next.
    /// let (first, second): (f64, f64) = (scores[..15].iter().sum(), scores[15..].iter().sum());
    /// assert!((first - second).abs() < 1e-12);
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::NotFinite`] when parameters, mask or samples do not fit the network, [`Error::Argument`]
    /// as [`Criterion::check`], [`Error::Numerical`] when what flows through a network of absolute weights overflows.
    ///
    /// Cost: a pass over the weights and [`Criterion::gradient_passes`]; optimal brain surgeon as
    /// [`BrainSurgeon::scores`].
    pub fn scores(self, input: &CriterionInput<'_>) -> Result<Vec<f64>> {
        input.check()?;
        self.check(input.network)?;
        match self {
            Criterion::Magnitude => Ok(magnitude::magnitude(input)),
            Criterion::OptimalBrainDamage => damage::scores(input),
            Criterion::Random => {
                let mut rng = input.seed.stream("random-scores").rng();
                Ok(input.theta.iter().map(|_| rng.random()).collect())
            }
            Criterion::Snip => gradient::snip(input),
            Criterion::GradientWeight => gradient::signed(input),
            Criterion::Grasp => grasp::scores(input),
            Criterion::SynFlow => synflow::scores(input),
            Criterion::Movement => Ok(magnitude::movement(input)),
            Criterion::MagnitudeIncrease => Ok(magnitude::increase(input)),
            Criterion::OptimalBrainSurgeon => BrainSurgeon::default().scores(input),
        }
    }

    /// Writes a score for every weight that is left of those in the mask of `input`.
    ///
    /// Errors as [`Criterion::scores`] of an input that fits, and [`Error::NotFinite`] for a score that is no number.
    /// Cost: as [`Criterion::scores`], and of what is left alone for [`Criterion::SynFlow`].
    pub(super) fn rescore(
        self,
        input: &CriterionInput<'_>,
        remaining: &Remaining,
        scores: &mut Vec<f64>,
    ) -> Result<()> {
        if self == Criterion::SynFlow {
            return synflow::rescore(input.network, input.theta, remaining, scores);
        }
        let (mask, mut theta) = (remaining.mask(input.mask), input.theta.to_vec());
        mask.apply(&mut theta)?;
        let all = self.scores(&CriterionInput {
            theta: &theta,
            mask: &mask,
            ..input.clone()
        })?;
        scores.clear();
        let left = remaining.entries().iter();
        scores.extend(left.map(|entry| all[entry.index as usize]));
        match scores.iter().position(|score| !score.is_finite()) {
            None => Ok(()),
            Some(place) => Err(Error::NotFinite {
                what: "scores".into(),
                index: remaining.entries()[place].index as usize,
                value: scores[place],
            }),
        }
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Criterion {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        Criterion::ALL
            .into_iter()
            .find(|c| c.as_str() == word)
            .ok_or_else(|| Error::unknown("criterion", word, Criterion::ALL.map(Criterion::as_str)))
    }
}
