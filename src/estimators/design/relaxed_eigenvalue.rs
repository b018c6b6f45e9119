//! The relaxation of E: the largest smallest eigenvalue over weights, a semidefinite programme, along its central path.

use super::problem::{DesignProblem, inverse_of_factor};
use super::relaxation::{Relaxation, RelaxationSettings, barrier, reach, smallest, step_within, weighted};
use crate::error::{Error, Result};
use crate::linalg::dense::{symmetric_eigenvalues, transpose_product};
use crate::linalg::dot;
use nalgebra::DMatrix;

/// `M(w) − tI` and what its inverse S says.
struct Slack {
    log_determinant: f64,
    /// S.
    inverse: DMatrix<f64>,
}

impl Slack {
    /// None where `M(w) − tI` is not positive definite.
    fn at(problem: &DesignProblem, weights: &[f64], t: f64) -> Result<Option<Self>> {
        let mut slack = weighted(problem, weights);
        for j in 0..slack.nrows() {
            slack[(j, j)] -= t;
        }
        let Some(factor) = problem.factor(&slack) else {
            return Ok(None);
        };
        let inverse = inverse_of_factor(&factor);
        Ok(Some(Slack {
            log_determinant: (0..factor.order()).map(|j| 2.0 * factor.column(j)[j].ln()).sum(),
            inverse: transpose_product(&inverse, &inverse)?,
        }))
    }
}

/// Minimises `−t/μ − ln det(M(w) − tI) + barrier(w)` on `Σ w = k` for falling μ.
///
/// On the path `tr S = 1/μ`, and `X = S/tr S` is a density matrix: the bound of the relaxation, which holds for any of
/// them, then is within `μ(n + 2m)` of t.
pub(super) fn largest_eigenvalue(
    problem: &DesignProblem,
    count: usize,
    start: Vec<f64>,
    settings: RelaxationSettings,
) -> Result<Relaxation> {
    let (m, n) = (problem.candidates(), problem.unknowns());
    let least = |weights: &[f64]| -> Result<f64> { Ok(symmetric_eigenvalues(&weighted(problem, weights))?[0]) };
    let singular = || Error::numerical("relaxation", "the candidates are singular to working precision");
    let mut weights = start;
    let (mut reached, mut best) = (least(&weights)?, weights.clone());
    let mut t = 0.5 * reached;
    let mut slack = Slack::at(problem, &weights, t)?.ok_or_else(singular)?;
    let mut mu = 1.0 / slack.inverse.trace();
    let mut ceiling = f64::INFINITY;
    // Sums of scores `bᵀXb ≤ ‖b‖²` and of `⟨X, P⟩`, each to a few nε.
    let squares: Vec<f64> = problem.sensors().column_iter().map(|b| -b.norm_squared()).collect();
    let magnitude = problem.precisions().iter().copied().fold(0.0, f64::max) - smallest(&squares, count);
    let rounding = 8.0 * (n + m) as f64 * f64::EPSILON * magnitude;
    let constraint: Vec<f64> = (0..=m).map(|i| f64::from(i < m)).collect();
    let mut steps = 0;
    loop {
        let images = problem.images(&slack.inverse)?;
        let h = transpose_product(problem.sensors(), &images)?;
        let trace = slack.inverse.trace();
        let scores: Vec<f64> = h.diagonal().iter().map(|v| -v / trace).collect();
        let prior: f64 = (0..n).map(|j| problem.precisions()[j] * slack.inverse[(j, j)]).sum();
        let bound = prior / trace - smallest(&scores, count) + rounding;
        if bound < ceiling {
            ceiling = bound;
        }
        if steps >= settings.max_steps || ceiling - reached <= settings.tolerance * ceiling {
            break;
        }
        steps += 1;
        let mut gradient: Vec<f64> = (0..m)
            .map(|i| -h[(i, i)] - 1.0 / weights[i] + 1.0 / (1.0 - weights[i]))
            .collect();
        gradient.push(trace - 1.0 / mu);
        let mut hessian = DMatrix::zeros(m + 1, m + 1);
        for j in 0..m {
            for i in 0..m {
                hessian[(i, j)] = h[(i, j)] * h[(i, j)];
            }
            let (w, image) = (weights[j], images.column(j));
            hessian[(j, j)] += 1.0 / (w * w) + 1.0 / ((1.0 - w) * (1.0 - w));
            hessian[(m, j)] = -image.norm_squared();
            hessian[(j, m)] = hessian[(m, j)];
        }
        hessian[(m, m)] = slack.inverse.norm_squared();
        let Some(step) = step_within(&hessian, &gradient, &constraint) else {
            break;
        };
        let decrement = -dot(&gradient, &step);
        let objective = |t: f64, slack: &Slack, weights: &[f64]| -t / mu - slack.log_determinant + barrier(weights);
        let present = objective(t, &slack, &weights);
        let mut length = reach(&weights, &step[..m]);
        let mut moved = false;
        for _ in 0..40 {
            let trial: Vec<f64> = weights.iter().zip(&step).map(|(w, d)| w + length * d).collect();
            let height = t + length * step[m];
            if let Some(next) = Slack::at(problem, &trial, height)?
                && objective(height, &next, &trial) <= present - 0.25 * length * decrement
            {
                (weights, t, slack) = (trial, height, next);
                moved = true;
                break;
            }
            length *= 0.5;
        }
        let centred = decrement <= 0.5;
        if !moved && !centred {
            break;
        }
        if centred {
            mu *= 0.1;
        }
        let value = least(&weights)?;
        if value > reached {
            reached = value;
            best.clone_from(&weights);
        }
    }
    Ok(Relaxation {
        value: if reached > 0.0 { 1.0 / reached } else { f64::INFINITY },
        weights: best,
        lower_bound: 1.0 / ceiling,
        steps,
    })
}
