//! Masks by sparse recovery: which few weights let the linearised network fit, at a named point ϑ?
//!
//! [`SensingProblem`] is the problem at one point, [`SensingProblem::recover`] solves it.

mod columns;
mod elimination;
mod group;
#[cfg(test)]
mod group_tests;
mod lasso;
mod niht;
mod pursuit;
mod relinearised;

#[cfg(test)]
mod tests;

pub use elimination::LinearImp;
pub use group::RecoveredUnits;
pub use relinearised::{Relinearised, RelinearisedMask};

use crate::error::{Error, Result, require_finite};
use crate::linearize::{Biases, Jacobian, Linearisation, RowTransform};
use crate::networks::{Array, Network, Targets};
use crate::operators::{MeasurementOperator, check_vector};
use crate::outcome::Status;
use crate::recovery::Certificate;
use crate::support::Mask;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// How the sparse recovery problem is solved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecoveredBy {
    /// Orthogonal matching pursuit with a budget for each layer: greedy, one weight a step.
    Omp,
    /// Normalised iterative hard thresholding on unit columns with a budget for each layer.
    NormalisedIht,
    /// The LASSO on unit columns, with the largest penalties that leave enough nonzeros in each layer; then the largest
    /// `|θ_j|‖a_j‖` of each layer, refitted.
    Lasso,
}

impl RecoveredBy {
    /// Every solver.
    pub const ALL: [RecoveredBy; 3] = [RecoveredBy::Omp, RecoveredBy::NormalisedIht, RecoveredBy::Lasso];

    /// The word in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            RecoveredBy::Omp => "omp",
            RecoveredBy::NormalisedIht => "niht",
            RecoveredBy::Lasso => "lasso",
        }
    }
}

impl fmt::Display for RecoveredBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RecoveredBy {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        RecoveredBy::ALL
            .into_iter()
            .find(|s| s.as_str() == word)
            .ok_or_else(|| Error::unknown("solver", word, RecoveredBy::ALL.map(RecoveredBy::as_str)))
    }
}

/// What is asked of a [`SensingProblem`].
#[derive(Clone, Debug, PartialEq)]
pub struct RecoveryRequest<'a> {
    /// The method.
    pub solver: RecoveredBy,
    /// α as a multiple of the mean squared norm of the nonzero columns, finite and not negative.
    pub damping: f64,
    /// Weights to keep in each weight layer, from input to output.
    pub counts: &'a [usize],
}

/// A recovered mask and the weights recovered on it.
#[derive(Clone, Debug, PartialEq)]
pub struct RecoveredTicket {
    /// Keeps the recovered weights and every bias.
    pub mask: Mask,
    /// Recovered weights, 0 where pruned; biases as in ϑ.
    pub theta: Vec<f64>,
}

/// The answer to a [`RecoveryRequest`].
#[derive(Clone, Debug, PartialEq)]
pub struct Recovered {
    /// None when the status is [`Status::Unattainable`]: nothing is padded.
    pub ticket: Option<RecoveredTicket>,
    /// How the solve ended.
    pub status: Status,
    /// What proves the solver's answer. For the LASSO it certifies the penalised value and not the mask: the cut to the
    /// budgets follows it. The dual point is that of the stacked rows.
    pub certificate: Certificate,
    /// Nonzeros in each layer before the cut to the budgets.
    pub nonzeros_before_cut: Vec<usize>,
    /// λ/λ_max in each layer, for the LASSO.
    pub penalty_ratios: Option<Vec<f64>>,
    /// `½‖Aθ − b‖² + (α/2)‖θ − ϑ‖²` at the ticket, over the candidate columns; at θ = 0 without one.
    pub objective: f64,
    /// Products with A or Aᵀ, s single columns of n counting s/n.
    pub applications: f64,
}

/// The linearised network at a point ϑ as a sensing problem in its weights.
///
/// With P the centring of the class outputs and Q the projection off the biases, `A = QP ∂f/∂θ(ϑ)` and
/// `b = QP(y − f(ϑ) + Jϑ)`, the problem is
///
/// ```text
/// minimise ½‖Aθ − b‖² + (α/2)‖θ − ϑ‖²   subject to at most k_ℓ nonzeros in layer ℓ
/// ```
///
/// The unknown is the weight vector θ itself: a pruned weight is a zero of θ, not of a change of it. Zero columns are
/// dropped and of parallel ones (|cosine| > 1 − 1e-12) the first alone is a candidate, because no data tell them apart;
/// their counts are kept. As α grows the answer becomes magnitude pruning of ϑ among the candidates.
///
/// Sources: the lottery ticket as sparse approximation in the tangent space; Pati, Rezaiifar and Krishnaprasad (1993),
/// Blumensath and Davies (2010) and Tibshirani (1996) for the solvers.
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::linearize::RowTransform;
/// use ticketsense::networks::{Array, Initialisation, Network};
/// use ticketsense::pruning::{RecoveredBy, RecoveryRequest, SensingProblem};
/// let network = Network::preset("mlp:6", 4, 3)?;
/// let theta: Vec<f64> = network.initial(&Seed::root(0), &Initialisation::HE)?;
/// let inputs = Array::from_fn(8, 4, |i, j| ((i * i * 3 + j * 5) as f64).sin());
/// let problem = SensingProblem::new(&network, &theta, &inputs, RowTransform::Centred)?;
/// let b = problem.right_hand_side(&vec![0, 1, 2, 0, 1, 2, 0, 1])?;
/// let request = RecoveryRequest { solver: RecoveredBy::Omp, damping: 0.1, counts: &[5, 4] };
/// let answer = problem.recover(&b, &request)?;
/// let ticket = answer.ticket.expect("nine weights are within the rank");
/// assert_eq!(ticket.mask.kept_in(0..24), 5);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SensingProblem {
    at: Linearisation,
    operator: Jacobian,
    /// Layers as ranges of columns of the operator.
    layers: Vec<Range<usize>>,
    layer_of: Vec<usize>,
    /// ϑ on the columns.
    prior: Vec<f64>,
    norms: Vec<f64>,
    candidate: Vec<bool>,
    zero: usize,
    merged: usize,
    mean_square: f64,
    rank_bound: usize,
    applications: f64,
}

impl SensingProblem {
    /// Linearises a network at ϑ on some samples and finds the candidate columns.
    ///
    /// Cost: `C` backward passes, one product a bias, two products and a few columns for the parallel ones.
    ///
    /// # Errors
    /// As [`Linearisation::new`] and [`Linearisation::jacobian`]; [`Error::Numerical`] when every column is zero.
    pub fn new(network: &Network, theta: &[f64], inputs: &Array<f64>, rows: RowTransform) -> Result<Self> {
        let at = Linearisation::new(network, theta, inputs)?;
        let weights = network.layout().weights();
        let operator = at.jacobian(&weights, rows, Biases::Free)?;
        let mut layers = Vec::new();
        let mut layer_of = Vec::with_capacity(weights.len());
        for (number, slot) in network.layout().weight_slots().enumerate() {
            layers.push(layer_of.len()..layer_of.len() + slot.len());
            layer_of.resize(layer_of.len() + slot.len(), number);
        }
        let norms = operator.column_norms();
        let found = columns::candidates(&operator, &norms)?;
        let live = norms.iter().filter(|n| **n > 0.0).count();
        if live == 0 {
            let why = match operator.projection_rank() {
                0 => "every column of the Jacobian is zero: nothing can be measured".into(),
                rank => format!(
                    "every column of the Jacobian is zero once the {rank} dimensions that the biases explain are taken out: \
                     nothing can be measured on {} samples",
                    inputs.rows()
                ),
            };
            return Err(Error::numerical("sensing problem", why));
        }
        let classes = match rows {
            RowTransform::Identity => network.classes(),
            // Centring takes the constants out of the rows of each sample, and so do the cross-entropy rows √p.
            _ => network.classes() - 1,
        };
        Ok(SensingProblem {
            prior: weights.indices().iter().map(|&j| theta[j]).collect(),
            mean_square: norms.iter().map(|n| n * n).sum::<f64>() / live as f64,
            zero: norms.len() - live,
            merged: found.merged,
            candidate: found.candidate,
            // What the biases explain is no longer there.
            rank_bound: (inputs.rows() * classes).saturating_sub(operator.projection_rank()),
            // The norms cost an adjoint for every dimension projected out, and one without any.
            applications: found.applications + 1.0 + operator.projection_rank() as f64,
            norms,
            layers,
            layer_of,
            operator,
            at,
        })
    }

    /// The same problem with the weights that a mask prunes taken out: they are no candidates, and the unit of the damping
    /// stays.
    ///
    /// # Errors
    /// [`Error::Shape`] when the mask is of another network; [`Error::Numerical`] when it leaves no candidate.
    pub fn within(mut self, mask: &Mask) -> Result<Self> {
        self.at.network().layout().check_mask(mask)?;
        for (candidate, &j) in self.candidate.iter_mut().zip(self.operator.parameters()) {
            *candidate &= mask.keeps(j);
        }
        if self.candidate.iter().any(|candidate| *candidate) {
            return Ok(self);
        }
        Err(Error::numerical(
            "sensing problem",
            "the mask leaves no weight whose column is not zero",
        ))
    }

    /// The same problem with one budget for all layers together: a request then has a single count.
    pub fn with_one_budget(mut self) -> Self {
        self.layers = std::iter::once(0..self.layer_of.len()).collect();
        self.layer_of.fill(0);
        self
    }

    /// Candidates in each layer.
    pub fn candidates_by_layer(&self) -> Vec<usize> {
        let count = |layer: &Range<usize>| self.candidate[layer.clone()].iter().filter(|c| **c).count();
        self.layers.iter().map(count).collect()
    }

    /// The linear model behind the problem.
    pub fn linearisation(&self) -> &Linearisation {
        &self.at
    }

    /// The operator A over all weights, zero and merged columns included.
    pub fn operator(&self) -> &Jacobian {
        &self.operator
    }

    /// Number of zero columns: weights that no measurement sees.
    pub fn zero_columns(&self) -> usize {
        self.zero
    }

    /// Number of columns that are parallel to an earlier one.
    pub fn merged_columns(&self) -> usize {
        self.merged
    }

    /// Whether each weight of the network (in the order of the operator's columns) may be chosen.
    pub fn candidates(&self) -> &[bool] {
        &self.candidate
    }

    /// No support of independent columns is larger: n(C − 1) less the dimensions that the biases explain, or the number
    /// of candidates.
    pub fn rank_bound(&self) -> usize {
        self.rank_bound.min(self.candidate.iter().filter(|c| **c).count())
    }

    /// The mean squared norm of the nonzero columns: the unit of the damping.
    pub fn mean_square_norm(&self) -> f64 {
        self.mean_square
    }

    /// Operator applications that it took to set the problem up.
    pub fn applications(&self) -> f64 {
        self.applications
    }

    /// b for labels or rows of outputs.
    ///
    /// # Errors
    /// As [`Linearisation::right_hand_side`].
    pub fn right_hand_side<'a>(&self, targets: impl Into<Targets<'a, f64>>) -> Result<Vec<f64>> {
        self.at.right_hand_side(&self.operator, targets)
    }

    /// `b = A θ` for planted weights: a problem with an exact sparse answer.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::NotFinite`] unless `theta` holds every parameter of the network.
    pub fn planted(&self, theta: &[f64]) -> Result<Vec<f64>> {
        check_vector("planted parameters", theta, self.at.theta().len())?;
        let weights: Vec<f64> = self.operator.parameters().iter().map(|&j| theta[j]).collect();
        self.operator.apply(&weights)
    }

    /// Chooses `counts[ℓ]` weights in each layer.
    ///
    /// The status is [`Status::Unattainable`], without a ticket, when a layer has fewer candidates than asked for, or
    /// when OMP or the LASSO is asked without damping for more weights than [`SensingProblem::rank_bound`]. With
    /// damping the stacked operator `[A; √α I]` has full rank.
    ///
    /// # Errors
    /// [`Error::Argument`] on a damping that is negative or not finite, or counts that are all zero; [`Error::Shape`]
    /// when the counts or `b` do not fit.
    ///
    /// Cost: three products a weight for OMP; about a hundred products for hard thresholding; for the LASSO a product
    /// an iteration and `2mw²` operations for the Gram matrix of its w working columns.
    pub fn recover(&self, b: &[f64], request: &RecoveryRequest<'_>) -> Result<Recovered> {
        let (problem, missing) = self.stacked(b, request.damping, request.counts)?;
        let total: usize = request.counts.iter().sum();
        let needs_rank = request.solver != RecoveredBy::NormalisedIht && problem.alpha == 0.0;
        if missing || (needs_rank && total > self.rank_bound()) {
            return Ok(problem.unattainable());
        }
        match request.solver {
            RecoveredBy::Omp => pursuit::solve(&problem),
            RecoveredBy::NormalisedIht => niht::solve(&problem),
            RecoveredBy::Lasso => lasso::solve(&problem),
        }
    }

    /// A request behind its checks, and whether some layer has fewer candidates than asked for.
    fn stacked<'a>(&'a self, b: &'a [f64], damping: f64, counts: &'a [usize]) -> Result<(Stacked<'a>, bool)> {
        check_vector("b", b, self.operator.shape().rows)?;
        if !(damping.is_finite() && damping >= 0.0) {
            return Err(Error::argument("damping", "a finite number ≥ 0", damping));
        }
        if counts.len() != self.layers.len() {
            return Err(Error::shape("counts a layer", self.layers.len(), counts.len()));
        }
        if counts.iter().sum::<usize>() == 0 {
            return Err(Error::argument("counts a layer", "at least one weight", 0));
        }
        let room = self.candidates_by_layer();
        let missing = room.iter().zip(counts).any(|(room, count)| count > room);
        let stacked = Stacked {
            problem: self,
            b,
            alpha: damping * self.mean_square,
            counts,
        };
        Ok((stacked, missing))
    }
}

/// A request behind its checks: the problem stacked with its damping, whose rows are never formed.
struct Stacked<'a> {
    problem: &'a SensingProblem,
    b: &'a [f64],
    alpha: f64,
    counts: &'a [usize],
}

impl Stacked<'_> {
    /// The length of the stacked column j.
    fn length(&self, j: usize) -> f64 {
        let norm = self.problem.norms[j];
        (norm * norm + self.alpha).sqrt()
    }

    /// The residual of the rows of A: `b − Aθ`.
    fn residual_into(&self, theta: &[f64], r: &mut [f64]) {
        self.problem.operator.apply_into(theta, r);
        for (r, b) in r.iter_mut().zip(self.b) {
            *r = b - *r;
        }
    }

    /// The correlations of every stacked column with the stacked residual: `Aᵀr + α(ϑ − θ)`.
    fn correlations_into(&self, r: &[f64], theta: &[f64], c: &mut [f64]) {
        self.problem.operator.adjoint_into(r, c);
        for ((c, p), t) in c.iter_mut().zip(&self.problem.prior).zip(theta) {
            *c += self.alpha * (p - t);
        }
    }

    /// `½‖b − Aθ‖² + (α/2)‖θ − ϑ‖²` over the candidates, given the residual.
    fn objective(&self, r: &[f64], theta: &[f64]) -> f64 {
        let squares = |(j, t): (usize, &f64)| (t - self.problem.prior[j]).powi(2);
        let away: f64 = theta
            .iter()
            .enumerate()
            .filter(|(j, _)| self.problem.candidate[*j])
            .map(squares)
            .sum();
        0.5 * crate::linalg::dot(r, r) + 0.5 * self.alpha * away
    }

    fn unattainable(&self) -> Recovered {
        let theta = vec![0.0; self.problem.prior.len()];
        Recovered {
            ticket: None,
            status: Status::Unattainable,
            certificate: Certificate::None,
            nonzeros_before_cut: vec![0; self.counts.len()],
            penalty_ratios: None,
            objective: self.objective(self.b, &theta),
            applications: 0.0,
        }
    }

    /// The answer for chosen columns with their values.
    fn recovered(
        &self,
        chosen: &[usize],
        theta: &[f64],
        status: Status,
        certificate: Certificate,
    ) -> Result<Recovered> {
        require_finite("recovered weights", theta)?;
        let problem = self.problem;
        let mut r = vec![0.0; self.b.len()];
        self.residual_into(theta, &mut r);
        let mut mask = problem.at.network().layout().full_mask();
        let mut full = problem.at.theta().to_vec();
        for (&j, &t) in problem.operator.parameters().iter().zip(theta) {
            mask.set(j, false);
            full[j] = t;
        }
        let mut nonzeros = vec![0; self.counts.len()];
        for &j in chosen {
            mask.set(problem.operator.parameters()[j], true);
            nonzeros[problem.layer_of[j]] += 1;
        }
        Ok(Recovered {
            ticket: Some(RecoveredTicket { mask, theta: full }),
            status,
            certificate,
            nonzeros_before_cut: nonzeros,
            penalty_ratios: None,
            objective: self.objective(&r, theta),
            applications: 1.0,
        })
    }
}
