//! Approximate message passing with the soft threshold.

use super::common::{check_positive, check_tolerance, column_cost, in_safe_range, residual_into, scatter};
use super::entry::{COUNT, NOT_NEGATIVE, SolverEntry, TOLERANCE, option};
use super::working_set::scaled_residual_gap;
use super::{Certificate, Penalty, Recovery, Solver, check_right_hand_side};
use crate::error::{Error, Result};
use crate::linalg::sweep::sweep;
use crate::linalg::{dot, norm};
use crate::operators::MeasurementOperator;
use crate::outcome::{Progress, Status, Watch};
use crate::theory::donoho_tanner::{Signs, transition};

/// State evolution never lets the residual grow; one this much longer than the data is no fluctuation.
const DIVERGENCE: f64 = 1e3;
/// Where the minimax threshold is no longer read off the curve: at δ = 1 it would be 0.
const LARGEST_DELTA: f64 = 0.9;

/// How the threshold of a message passing method follows from what it sees.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Threshold {
    /// The multiple of the effective noise that is minimax for the measured δ = m/n: with it sparse vectors are recovered
    /// from noiseless Gaussian measurements up to the Donoho–Tanner transition. It is read at `min(δ, 0.9)`.
    Minimax,
    /// This multiple α of the effective noise.
    Multiple(f64),
    /// Whatever makes the fixed point the LASSO with this penalty on the columns at unit length.
    Lasso(Penalty),
}

impl Threshold {
    pub(super) fn check(self) -> Result<()> {
        let (name, value) = match self {
            Threshold::Minimax => return Ok(()),
            Threshold::Multiple(alpha) => ("alpha", alpha),
            Threshold::Lasso(Penalty::Absolute(lambda)) => ("lambda", lambda),
            Threshold::Lasso(Penalty::RatioOfMax(ratio)) => ("lambda-ratio", ratio),
        };
        if value.is_finite() && value >= 0.0 {
            Ok(())
        } else {
            Err(Error::argument(name, "a finite number ≥ 0", value))
        }
    }
}

/// The minimax multiple of the effective noise for m × n measurements.
pub(super) fn minimax_multiple(rows: usize, columns: usize) -> Result<f64> {
    let delta = (rows as f64 / columns as f64).min(LARGEST_DELTA);
    Ok(transition(delta, Signs::Signed)?.threshold)
}

/// The soft threshold `η(v; θ) = sign(v) (|v| − θ)₊`.
pub(super) fn soft(v: f64, theta: f64) -> f64 {
    (v.abs() - theta).max(0.0).copysign(v)
}

/// Approximate message passing for columns of equal length, from `x = 0` and `z = y`:
///
/// > `x⁺ = η(x + Aᵀz; θ)`,  `z⁺ = y − A x⁺ + (‖x⁺‖₀/m) z`,  `θ = α ‖z‖₂/√m`,
///
/// with the soft threshold η. The last term (after Onsager) keeps `x + Aᵀz` distributed as the unknown plus independent
/// Gaussian noise of variance `‖z‖²/m`, which then follows the scalar state evolution: for *independent, centred,
/// identically distributed entries* and large sizes. On other matrices it may diverge, and says so. Columns are scaled to
/// length 1 inside, so their lengths do not matter; a zero column gets 0.
///
/// Every fixed point solves the LASSO `½‖y − A x‖² + λ Σ ‖aⱼ‖|xⱼ|` with `λ = θ(1 − ‖x‖₀/m)`. The objective is that of
/// the last λ, and the certificate its [`Certificate::DualityGap`] (scale `½‖y‖²`), computed from scratch; none where λ
/// is not positive. With [`Threshold::Lasso`] λ is given, in units of unit columns, and θ follows from it as
/// `θ⁺ = λ + θ‖x⁺‖₀/m`.
///
/// It ends with
/// - `Converged` when `‖x⁺ − x‖₂ ≤ τ‖x⁺‖₂` and `‖z⁺ − z‖₂ ≤ τ‖y‖₂`, `τ = max(tolerance, 16ε)`;
/// - `ResidualReached` when `‖y − A x‖₂ ≤ τ‖y‖₂`;
/// - `Diverged` when `‖z‖₂ > 10³‖y‖₂` or the next iterate is not finite, with the last finite iterate.
///
/// Cost an iteration: one adjoint and the columns of the support. A stored matrix is read once: its column is used for
/// both products while it is in the cache. Sources: Donoho, Maleki and Montanari (2009); Bayati and Montanari (2011).
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::operators::{GaussianEnsemble, MeasurementOperator};
/// use ticketsense::recovery::{ApproximateMessagePassing, Solver};
/// let a = GaussianEnsemble { rows: 100, columns: 200 }.draw(&Seed::root(1))?;
/// let mut x = vec![0.0; 200];
/// (x[7], x[40]) = (1.0, -2.0);
/// let answer = ApproximateMessagePassing::default().solve(&a, &a.apply(&x)?)?;
/// assert!(answer.status.is_success());
/// assert!((answer.x[40] + 2.0).abs() < 1e-8);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ApproximateMessagePassing {
    /// Where the threshold comes from.
    pub threshold: Threshold,
    /// Relative change, and relative residual, at which it ends, in `[0, 1)`.
    pub tolerance: f64,
    /// The most iterations.
    pub max_iterations: usize,
}

impl Default for ApproximateMessagePassing {
    /// The minimax threshold, tolerance 1e-10, at most 1000 iterations.
    fn default() -> Self {
        ApproximateMessagePassing {
            threshold: Threshold::Minimax,
            tolerance: 1e-10,
            max_iterations: 1000,
        }
    }
}

/// The state of the iteration, in the coordinates of unit columns.
struct State<'a> {
    a: &'a dyn MeasurementOperator,
    y: &'a [f64],
    /// Reciprocal column lengths, 0 for a zero column.
    scales: Vec<f64>,
    x: Vec<f64>,
    z: Vec<f64>,
    /// `y − A x`.
    r: Vec<f64>,
    /// Nonzeros of `x`, and `‖x‖₁`.
    nonzeros: usize,
    sum: f64,
    next: Vec<f64>,
    next_r: Vec<f64>,
    /// Products, support and values of an operator without stored entries.
    products: Vec<f64>,
    support: Vec<usize>,
    values: Vec<f64>,
    applications: f64,
}

/// How far a step went: `‖x⁺ − x‖` and `‖z⁺ − z‖`.
#[derive(Debug)]
struct Moved {
    x: f64,
    z: f64,
}

/// Reciprocal column lengths; 0 for a column that is zero to working precision.
pub(super) fn unit_scales(a: &dyn MeasurementOperator) -> Vec<f64> {
    let scale = |n: &f64| if n.recip().is_finite() { n.recip() } else { 0.0 };
    a.column_norms().iter().map(scale).collect()
}

impl<'a> State<'a> {
    fn new(a: &'a dyn MeasurementOperator, y: &'a [f64]) -> Self {
        let columns = a.shape().columns;
        State {
            a,
            y,
            scales: unit_scales(a),
            x: vec![0.0; columns],
            z: y.to_vec(),
            r: y.to_vec(),
            nonzeros: 0,
            sum: 0.0,
            next: vec![0.0; columns],
            next_r: vec![0.0; y.len()],
            products: Vec::new(),
            support: Vec::new(),
            values: Vec::new(),
            applications: 1.0,
        }
    }

    /// The standard deviation of the effective noise, `‖z‖/√m`.
    fn noise(&self) -> f64 {
        norm(&self.z) / (self.y.len() as f64).sqrt()
    }

    /// The factor of the Onsager term, `‖x‖₀/m`.
    fn feedback(&self) -> f64 {
        self.nonzeros as f64 / self.y.len() as f64
    }

    /// One step with threshold θ; `None`, with `x` and `z` as they were, when it leaves the finite numbers.
    fn step(&mut self, theta: f64) -> Option<Moved> {
        let (mut nonzeros, mut sum, mut square, mut finite) = (0usize, 0.0, 0.0, true);
        let (x, next, scales) = (&self.x, &mut self.next, &self.scales);
        // The new entry, in the coordinates of the columns as given.
        let mut update = |j: usize, product: f64| {
            finite &= product.is_finite();
            let value = soft(x[j] + product * scales[j], theta) * f64::from(scales[j] != 0.0);
            next[j] = value;
            nonzeros += usize::from(value != 0.0);
            sum += value.abs();
            square += (value - x[j]) * (value - x[j]);
            value * scales[j]
        };
        if let Some(matrix) = self.a.as_dense() {
            self.next_r.copy_from_slice(self.y);
            sweep(matrix.as_slice(), &self.z, &mut self.next_r, |j, product| {
                -update(j, product)
            });
        } else {
            self.products.resize(x.len(), 0.0);
            self.a.adjoint_into(&self.z, &mut self.products);
            self.support.clear();
            self.values.clear();
            for (j, &product) in self.products.iter().enumerate() {
                let value = update(j, product);
                if value != 0.0 {
                    self.support.push(j);
                    self.values.push(value);
                }
            }
            residual_into(self.a, self.y, &self.support, &self.values, &mut self.next_r);
        }
        self.applications += 1.0 + column_cost(self.a.shape(), nonzeros);
        if !(finite && sum.is_finite() && norm(&self.next_r).is_finite()) {
            return None;
        }
        (self.nonzeros, self.sum) = (nonzeros, sum);
        std::mem::swap(&mut self.x, &mut self.next);
        std::mem::swap(&mut self.r, &mut self.next_r);
        let feedback = self.feedback();
        let mut z_square = 0.0;
        for (z, r) in self.z.iter_mut().zip(&self.r) {
            let new = r + feedback * *z;
            z_square += (new - *z) * (new - *z);
            *z = new;
        }
        Some(Moved {
            x: square.sqrt(),
            z: z_square.sqrt(),
        })
    }
}

/// A point of the LASSO `½‖y − A x‖² + λ Σ ‖aⱼ‖|xⱼ|` as an answer, with its gap where λ is positive.
///
/// `unit` holds `‖aⱼ‖xⱼ`, `scales` the reciprocal lengths. Cost: the columns of the support and one adjoint.
pub(super) struct LassoPoint<'a> {
    pub a: &'a dyn MeasurementOperator,
    pub y: &'a [f64],
    pub scales: &'a [f64],
    pub unit: &'a [f64],
    pub lambda: f64,
    pub status: Status,
    pub iterations: usize,
    pub applications: f64,
}

impl LassoPoint<'_> {
    pub fn answer(self) -> Recovery {
        let shape = self.a.shape();
        let support: Vec<usize> = (0..shape.columns).filter(|&j| self.unit[j] != 0.0).collect();
        let values: Vec<f64> = support.iter().map(|&j| self.unit[j] * self.scales[j]).collect();
        let mut r = vec![0.0; shape.rows];
        residual_into(self.a, self.y, &support, &values, &mut r);
        let square = dot(&r, &r);
        let sum: f64 = support.iter().map(|&j| self.unit[j].abs()).sum();
        let objective = 0.5 * square + self.lambda * sum;
        let mut applications = self.applications + column_cost(shape, support.len());
        let certificate = if self.lambda > 0.0 {
            let mut c = vec![0.0; shape.columns];
            self.a.adjoint_into(&r, &mut c);
            applications += 1.0;
            c.iter_mut().zip(self.scales).for_each(|(c, d)| *c *= d);
            let largest = c.iter().fold(0.0f64, |m, v| m.max(v.abs()));
            let terms = support.iter().map(|&j| (self.unit[j], c[j]));
            let (gap, scale) = scaled_residual_gap(self.lambda, largest, square, dot(self.y, &r), terms);
            Certificate::DualityGap {
                primal: objective,
                gap,
                scale: 0.5 * dot(self.y, self.y),
                dual: r.iter().map(|r| scale * r).collect(),
            }
        } else {
            Certificate::None
        };
        Recovery {
            x: scatter(shape.columns, &support, &values),
            support,
            status: self.status,
            iterations: self.iterations,
            applications,
            objective,
            residual_norm: norm(&r),
            certificate,
        }
    }
}

impl ApproximateMessagePassing {
    fn run(&self, a: &dyn MeasurementOperator, y: &[f64], factor: f64, watch: &mut Watch<'_>) -> Result<Recovery> {
        let shape = a.shape();
        let multiple = match self.threshold {
            Threshold::Multiple(alpha) => alpha,
            _ => minimax_multiple(shape.rows, shape.columns)?,
        };
        let tolerance = self.tolerance.max(16.0 * f64::EPSILON);
        let y_norm = norm(y);
        let mut state = State::new(a, y);
        let penalty = match self.threshold {
            Threshold::Lasso(Penalty::Absolute(lambda)) => Some(lambda * factor),
            Threshold::Lasso(Penalty::RatioOfMax(ratio)) => {
                a.adjoint_into(y, &mut state.next);
                state.applications += 1.0;
                let largest = |m: f64, (c, d): (&f64, &f64)| m.max((c * d).abs());
                Some(ratio * state.next.iter().zip(&state.scales).fold(0.0, largest))
            }
            _ => None,
        };
        let mut lambda = penalty.unwrap_or(0.0);
        // For a given penalty: at first no smaller than the minimax threshold, with which hardly anything enters.
        let mut theta = lambda.max(multiple * state.noise());
        let mut iterations = 0;
        let status = loop {
            if norm(&state.r) <= tolerance * y_norm {
                break Status::ResidualReached;
            }
            if iterations == self.max_iterations {
                break Status::IterationLimit;
            }
            if penalty.is_none() {
                theta = multiple * state.noise();
            } else if iterations > 0 {
                theta = lambda + theta * state.feedback();
            }
            let Some(moved) = state.step(theta) else {
                break Status::Diverged;
            };
            iterations += 1;
            lambda = penalty.unwrap_or((theta * (1.0 - state.feedback())).max(0.0));
            let progress = Progress {
                iteration: iterations,
                objective: 0.5 * dot(&state.r, &state.r) + lambda * state.sum,
                nonzeros: state.nonzeros,
            };
            if !watch.tell(&progress) {
                break Status::Stopped;
            }
            if norm(&state.z) > DIVERGENCE * y_norm {
                break Status::Diverged;
            }
            if moved.x <= tolerance * norm(&state.x) && moved.z <= tolerance * y_norm {
                break Status::Converged;
            }
        };
        let point = LassoPoint {
            a,
            y,
            scales: &state.scales,
            unit: &state.x,
            lambda,
            status,
            iterations,
            applications: state.applications,
        };
        Ok(point.answer())
    }
}

impl Solver for ApproximateMessagePassing {
    fn name(&self) -> &'static str {
        "amp"
    }

    fn solve_watched(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        check_right_hand_side(a, y)?;
        check_tolerance(self.tolerance)?;
        check_positive("max-iterations", self.max_iterations)?;
        self.threshold.check()?;
        in_safe_range(y, 2, watch, |y, factor, watch| self.run(a, y, factor, watch))
    }
}

/// Its line in the list of solvers.
pub(super) const ENTRY: SolverEntry = SolverEntry {
    name: "amp",
    help: "Approximate message passing with the soft threshold, for matrices with independent entries.",
    options: &[
        option(
            "alpha",
            NOT_NEGATIVE,
            "effective noise ‖z‖₂/√m",
            "minimax for the measured m/n",
            "The threshold as a multiple of the effective noise.",
        ),
        option(
            "lambda",
            NOT_NEGATIVE,
            "the data's times 1",
            "none: the threshold follows from alpha",
            "Solve the LASSO with this penalty on columns at unit length instead.",
        ),
        option(
            "tolerance",
            TOLERANCE,
            "relative change of iterate and residual, relative residual",
            "1e-10",
            "Stop when the iterate moves, or the residual is, by no more than this.",
        ),
        option("max-iterations", COUNT, "iterations", "1000", "The most iterations."),
    ],
    for_planted: |_| Vec::new(),
    builder: |o| {
        let default = ApproximateMessagePassing::default();
        let threshold = match (o.real("alpha"), o.real("lambda")) {
            (None, None) => default.threshold,
            (Some(alpha), None) => Threshold::Multiple(alpha),
            (None, Some(lambda)) => Threshold::Lasso(Penalty::Absolute(lambda)),
            (Some(_), Some(_)) => return Err(Error::argument("alpha", "alpha or lambda", "both")),
        };
        Ok(Box::new(ApproximateMessagePassing {
            threshold,
            tolerance: o.real("tolerance").unwrap_or(default.tolerance),
            max_iterations: o.integer("max-iterations").unwrap_or(default.max_iterations),
        }))
    },
};

#[cfg(test)]
#[path = "amp_tests.rs"]
mod tests;
