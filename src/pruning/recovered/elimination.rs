//! Iterative magnitude pruning inside the linear model: fit, prune the smallest, refit.

use super::{Recovered, SensingProblem};
use crate::error::Result;
use crate::operators::Restricted;
use crate::pruning::backward_elimination::{BackwardElimination, EliminationProblem};
use crate::recovery::{Certificate, Groups};
use crate::support::Support;

/// Iterative magnitude pruning of the linearised network: [`BackwardElimination`] on the candidate columns of a
/// [`SensingProblem`], every fit damped towards ϑ and begun there, as training begins at the rewound weights.
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::linearize::RowTransform;
/// use ticketsense::networks::{Array, Initialisation, Network};
/// use ticketsense::pruning::{LinearImp, SensingProblem};
/// let network = Network::preset("mlp:6", 4, 3)?;
/// let theta: Vec<f64> = network.initial(&Seed::root(0), &Initialisation::HE)?;
/// let inputs = Array::from_fn(8, 4, |i, j| ((i * i * 3 + j * 5) as f64).sin());
/// let problem = SensingProblem::new(&network, &theta, &inputs, RowTransform::Centred)?;
/// let b = problem.right_hand_side(&vec![0, 1, 2, 0, 1, 2, 0, 1])?;
/// let answer = LinearImp { rounds: 5, ..LinearImp::default() }.recover(&problem, &b, &[5, 4], 0.1)?;
/// assert_eq!(answer.ticket.expect("there are enough columns").mask.kept_in(0..24), 5);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearImp {
    /// Pruning rounds, at least 1; one round is magnitude pruning of the dense fit.
    pub rounds: usize,
    /// Relative size of the gradient at which a fit is done: the order of magnitudes settles long before it is exact.
    pub tolerance: f64,
    /// Steps of conjugate gradients a fit, each of two products; fewer are a training that stops early.
    pub max_iterations: usize,
}

impl Default for LinearImp {
    /// Ten rounds, every fit to 1e-6 of its gradient or 300 steps.
    fn default() -> Self {
        LinearImp {
            rounds: 10,
            tolerance: 1e-6,
            max_iterations: 300,
        }
    }
}

impl LinearImp {
    /// Chooses `counts[ℓ]` weights in each layer; `damping` is α as a multiple of the mean squared column norm, as in a
    /// [`RecoveryRequest`](super::RecoveryRequest).
    ///
    /// The status is [`Unattainable`](crate::outcome::Status::Unattainable), without a ticket, when a layer has fewer
    /// candidates than asked for, and [`IterationLimit`](crate::outcome::Status::IterationLimit) when a fit was not done
    /// within its steps, as without damping it may not be.
    ///
    /// # Errors
    /// As [`SensingProblem::recover`]; [`Error::Argument`](crate::Error::Argument) for no rounds, no steps or a tolerance out of range.
    ///
    /// Cost: `rounds + 1` fits of two products a step.
    pub fn recover(&self, problem: &SensingProblem, b: &[f64], counts: &[usize], damping: f64) -> Result<Recovered> {
        let (stacked, missing) = problem.stacked(b, damping, counts)?;
        if missing {
            return Ok(stacked.unattainable());
        }
        let columns: Vec<usize> = (0..problem.prior.len()).filter(|&j| problem.candidate[j]).collect();
        let prior: Vec<f64> = columns.iter().map(|&j| problem.prior[j]).collect();
        let layers = columns.iter().map(|&j| problem.layer_of[j]).collect();
        let restricted = Restricted::new(&problem.operator, Support::new(columns.clone(), problem.prior.len())?)?;
        let answer = BackwardElimination {
            rounds: self.rounds,
            tolerance: self.tolerance,
            max_iterations: self.max_iterations,
        }
        .run(&EliminationProblem {
            operator: &restricted,
            b,
            prior: &prior,
            alpha: stacked.alpha,
            groups: &Groups::new(layers, counts.to_vec())?,
        })?;
        let mut theta = vec![0.0; problem.prior.len()];
        let mut chosen = Vec::with_capacity(answer.support.len());
        for &c in &answer.support {
            theta[columns[c]] = answer.x[c];
            chosen.push(columns[c]);
        }
        let mut recovered = stacked.recovered(&chosen, &theta, answer.status, Certificate::None)?;
        recovered.applications += answer.applications;
        Ok(recovered)
    }
}
