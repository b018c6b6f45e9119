//! The convex relaxation: rows in part, a lower bound on the least loss, and rounding.

use super::criterion::Criterion;
use super::problem::DesignProblem;
use super::relaxed_eigenvalue::largest_eigenvalue;
use super::secular::Spectrum;
use super::selection::{RowSelector, Selection};
use super::spanning::repaired;
use crate::error::{Error, Result};
use crate::linalg::cholesky::UpdatableCholesky;
use crate::linalg::dense::transpose_product;
use crate::linalg::dot;
use crate::seed::Seed;
use nalgebra::DMatrix;

/// How long the relaxed problem is worked on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RelaxationSettings {
    /// The relaxation ends where its own value and its bound are this near, relative to the value (for D absolutely, in
    /// units of `ln det`).
    pub tolerance: f64,
    /// The largest number of Newton's steps.
    pub max_steps: usize,
}

impl Default for RelaxationSettings {
    /// A gap of `1e-6`, which takes tens of steps.
    fn default() -> Self {
        RelaxationSettings {
            tolerance: 1e-6,
            max_steps: 400,
        }
    }
}

/// Weights `0 ≤ w ≤ 1` with `Σ w = k` for the rows, and what they prove.
///
/// A choice of k rows is the weights of zeros and ones, so the least loss over all weights bounds every choice. The loss f is
/// convex in w, so at *any* w with a gradient g, whatever the quality of w,
///
/// ```text
/// f(S) ≥ f(w) + min_v gᵀ(v − w) = f(w) − gᵀw + (sum of the k smallest entries of g),
/// ```
///
/// the linear programme over the weights being solved by sorting. For E, with any density matrix X (`X ⪰ 0`, `tr X = 1`),
/// `λ_min(M_S) ≤ ⟨X, P⟩ + (sum of the k largest bᵢᵀXbᵢ)`. Bounds are lowered by what rounding may have raised them:
/// `8nεκ(M)` of the magnitudes summed.
///
/// Source: Joshi & Boyd, IEEE Trans. Signal Process. 2009.
#[derive(Clone, Debug, PartialEq)]
pub struct Relaxation {
    /// The weight of every candidate.
    pub weights: Vec<f64>,
    /// The loss of the weights, an upper bound of the relaxed optimum.
    pub value: f64,
    /// No choice of that many rows has a smaller loss.
    pub lower_bound: f64,
    /// Steps made.
    pub steps: usize,
}

impl Relaxation {
    /// Solves the relaxed problem for `count` rows by Newton's method with a logarithmic barrier.
    ///
    /// # Errors
    /// As [`RowSelector::select`], and [`Error::Argument`] for a tolerance that is not positive; [`Error::Numerical`] where
    /// the candidates are singular to working precision. Cost of a step: `2m²n + m³/3 + 9n³`.
    pub fn solve(problem: &DesignProblem, count: usize, settings: RelaxationSettings) -> Result<Self> {
        problem.require_count(count)?;
        if !(settings.tolerance > 0.0 && settings.tolerance.is_finite()) {
            return Err(Error::argument(
                "tolerance of the relaxation",
                "a positive finite number",
                settings.tolerance,
            ));
        }
        let m = problem.candidates();
        let start = vec![count as f64 / m as f64; m];
        if count == 0 || count == m {
            let value = problem.loss(&(0..count).collect::<Vec<_>>())?;
            return Ok(Relaxation {
                weights: start,
                value,
                lower_bound: value,
                steps: 0,
            });
        }
        match problem.criterion() {
            Criterion::E => largest_eigenvalue(problem, count, start, settings),
            _ => newton(problem, count, start, settings),
        }
    }
}

/// The sum of the `count` smallest entries.
pub(super) fn smallest(values: &[f64], count: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[..count].iter().sum()
}

/// Value, gradient, Hessian and bound of A or D at weights.
struct Point {
    value: f64,
    gradient: Vec<f64>,
    hessian: DMatrix<f64>,
    bound: f64,
}

pub(super) fn weighted(problem: &DesignProblem, weights: &[f64]) -> DMatrix<f64> {
    problem.weighted_information(weights.iter().copied().enumerate().collect::<Vec<_>>().into_iter())
}

fn point(problem: &DesignProblem, weights: &[f64], count: usize) -> Result<Point> {
    let information = weighted(problem, weights);
    let Some(covariance) = problem.covariance(&information)? else {
        return Err(Error::numerical(
            "relaxation",
            "the candidates are singular to working precision",
        ));
    };
    let value = problem.loss_of(&information)?;
    let images = problem.images(&covariance)?;
    let h = transpose_product(problem.sensors(), &images)?;
    let (gradient, hessian): (Vec<f64>, DMatrix<f64>) = match problem.criterion() {
        Criterion::D => (h.diagonal().iter().map(|v| -v).collect(), h.map(|v| v * v)),
        _ => {
            let t = transpose_product(&images, &images)?;
            (
                t.diagonal().iter().map(|v| -v).collect(),
                h.zip_map(&t, |h, t| 2.0 * h * t),
            )
        }
    };
    let spectrum = Spectrum::of(&information)?;
    let eigenvalues = spectrum.values();
    let condition = eigenvalues[eigenvalues.len() - 1] / eigenvalues[0];
    let (along, corner) = (dot(&gradient, weights), smallest(&gradient, count));
    let rounding = 8.0 * problem.unknowns() as f64 * f64::EPSILON * condition;
    let magnitude = value.abs() + along.abs() + corner.abs();
    let bound = value - along + corner - rounding * magnitude;
    Ok(Point {
        value,
        gradient,
        hessian,
        bound: if bound.is_nan() { f64::NEG_INFINITY } else { bound },
    })
}

/// `−Σ ln w − Σ ln(1 − w)`.
pub(super) fn barrier(weights: &[f64]) -> f64 {
    -weights.iter().map(|w| w.ln() + (-w).ln_1p()).sum::<f64>()
}

/// Newton's step `−H⁻¹(g + νc)` with ν such that `cᵀd = 0`; none where H is not positive definite.
pub(super) fn step_within(hessian: &DMatrix<f64>, gradient: &[f64], constraint: &[f64]) -> Option<Vec<f64>> {
    let factor = UpdatableCholesky::of(hessian, 0.0)?;
    let (mut by_gradient, mut by_constraint) = (gradient.to_vec(), constraint.to_vec());
    factor.solve_in_place(&mut by_gradient);
    factor.solve_in_place(&mut by_constraint);
    let shift = dot(constraint, &by_gradient) / dot(constraint, &by_constraint);
    let pairs = by_gradient.iter().zip(&by_constraint);
    let mut step: Vec<f64> = pairs.map(|(g, c)| shift * c - g).collect();
    // What an ill-conditioned Hessian leaves along c would move the weights off their sum. It is taken out in the metric of
    // the Hessian, in which small weights hardly move.
    let refined = dot(constraint, &step) / dot(constraint, &by_constraint);
    for (d, c) in step.iter_mut().zip(&by_constraint) {
        *d -= refined * c;
    }
    Some(step)
}

/// The longest step, at most 1, that goes 99 % of the way to the nearest bound of a weight.
pub(super) fn reach(weights: &[f64], step: &[f64]) -> f64 {
    step.iter().zip(weights).fold(1.0_f64, |reach, (d, w)| match *d {
        d if d < 0.0 => reach.min(-0.99 * w / d),
        d if d > 0.0 => reach.min(0.99 * (1.0 - w) / d),
        _ => reach,
    })
}

/// Minimises `f(w) + μ · barrier(w)` on `Σ w = k` for falling μ: the gap to the relaxed optimum is at most `2mμ`.
fn newton(problem: &DesignProblem, count: usize, start: Vec<f64>, settings: RelaxationSettings) -> Result<Relaxation> {
    let m = start.len();
    let mut weights = start;
    let mut here = point(problem, &weights, count)?;
    let mut lower_bound = here.bound;
    let scale = |value: f64| match problem.criterion() {
        Criterion::D => 1.0,
        _ => value.abs(),
    };
    let mut mu = ((here.value - here.bound) / (2 * m) as f64).max(settings.tolerance * scale(here.value) / m as f64);
    let mut steps = 0;
    while steps < settings.max_steps && here.value - lower_bound > settings.tolerance * scale(here.value) {
        steps += 1;
        let gradient: Vec<f64> = here
            .gradient
            .iter()
            .zip(&weights)
            .map(|(g, w)| g - mu / w + mu / (1.0 - w))
            .collect();
        let mut matrix = here.hessian.clone();
        for (j, w) in weights.iter().enumerate() {
            matrix[(j, j)] += mu / (w * w) + mu / ((1.0 - w) * (1.0 - w));
        }
        let Some(step) = step_within(&matrix, &gradient, &vec![1.0; m]) else {
            break;
        };
        let decrement = -dot(&gradient, &step);
        let reach = reach(&weights, &step);
        let objective = here.value + mu * barrier(&weights);
        let mut length = reach;
        let mut moved = false;
        for _ in 0..40 {
            let trial: Vec<f64> = weights.iter().zip(&step).map(|(w, d)| w + length * d).collect();
            let value = problem.loss_of(&weighted(problem, &trial))?;
            if value + mu * barrier(&trial) <= objective - 0.25 * length * decrement {
                weights = trial;
                moved = true;
                break;
            }
            length *= 0.5;
        }
        // Close enough to the centre: the next μ. A step that cannot be made at all ends at the floor of rounding.
        let centred = decrement <= 0.5 * mu;
        if !moved && !centred {
            break;
        }
        if centred {
            mu *= 0.1;
        }
        here = point(problem, &weights, count)?;
        lower_bound = lower_bound.max(here.bound);
    }
    Ok(Relaxation {
        value: here.value,
        weights,
        lower_bound,
        steps,
    })
}

/// The `count` rows of largest weight in the relaxation, ties by number, with the interval that it proves.
///
/// Under a flat prior a singular choice is completed to full rank.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RoundedRelaxation {
    /// How long the relaxed problem is worked on.
    pub settings: RelaxationSettings,
}

impl RowSelector for RoundedRelaxation {
    fn name(&self) -> &'static str {
        "relaxation"
    }

    fn select(&self, problem: &DesignProblem, count: usize, _seed: &Seed) -> Result<Selection> {
        let relaxation = Relaxation::solve(problem, count, self.settings)?;
        let mut order: Vec<usize> = (0..problem.candidates()).collect();
        order.sort_by(|&i, &j| relaxation.weights[j].total_cmp(&relaxation.weights[i]).then(i.cmp(&j)));
        order.truncate(count);
        let selection = Selection::bounding(problem, repaired(problem, &order)?, relaxation.steps as u64 + 1)?;
        Ok(selection.certified(&relaxation))
    }
}
