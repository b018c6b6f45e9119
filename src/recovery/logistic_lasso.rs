//! The logistic LASSO, `Σ log(1 + exp(−yᵢ aᵢᵀx)) + λ‖x‖₁` for labels `yᵢ = ±1`.
//!
//! With `θᵢ = 1/(1 + exp(yᵢ aᵢᵀx))`, the doubt in label i, the gradient of the loss is `−Aᵀ(y∘θ)`. The dual is the largest
//! entropy `D(θ) = −Σ [θᵢ log θᵢ + (1 − θᵢ) log(1 − θᵢ)]` subject to `‖Aᵀ(y∘θ)‖∞ ≤ λ`: scaled doubts certify how near an
//! iterate is.

use super::common::{check_penalty, column_cost, scatter};
use super::descent::{Certified, Stopping, WorkingProblem, descend, rounding_allowances};
use super::entry::{GRADIENTS, LAMBDA, LAMBDA_RATIO, SolverEntry, TOLERANCE, option};
use super::growing_gram::GrowingGram;
use super::quadratic::Quadratic;
use super::working_columns::{BATCH, WorkingColumns};
use super::{Model, Penalty, Recovery, Solver, check_right_hand_side};
use crate::error::{Error, Result};
use crate::linalg::columns::{accumulate, correlate};
use crate::operators::MeasurementOperator;
use crate::outcome::Watch;
use crate::support::largest_by;

/// Proximal Newton steps on a working set before the whole gradient is looked at again.
const STEPS: usize = 60;
/// Halvings of a step that are tried.
const HALVINGS: usize = 30;

/// The logistic LASSO, `min Σ log(1 + exp(−yᵢ aᵢᵀx)) + λ‖x‖₁` for labels `yᵢ = ±1`, with `λ_max = ½‖Aᵀy‖∞`.
///
/// A working set of columns grows by the largest violations of `|aⱼᵀ(y∘θ)| ≤ λ`; on it, proximal Newton steps with a line
/// search minimise the quadratic model of the loss plus the penalty. There is no intercept: a column of ones, which is
/// penalised as every other, stands for one.
///
/// It ends with
/// - `Converged` when the duality gap, computed from scratch at the answer, is at most `tolerance · m log 2`, a multiple
///   of the objective at 0;
/// - `Stalled` when no step lowers the objective and no column violates, short of that;
/// - `IterationLimit` after [`LogisticLasso::max_iterations`] full gradients.
///
/// Separable labels have a minimiser only for `λ > 0`. At `λ = 0` the gap is the objective itself for them, with θ = 0,
/// so that `Converged` says that the loss is that near its infimum, which no x attains.
///
/// The certificate is [`Certificate::DualityGap`](super::Certificate::DualityGap) with scale `m log 2` and the dual vector `y∘θ`. Cost: an adjoint an
/// iteration, every working column once, `2mw²` operations a Newton step. Source: Koh, Kim and Boyd (2007) for the dual;
/// Lee, Sun and Saunders (2014) for the steps; Massias, Vaiter, Gramfort and Salmon (2020) for the working sets.
///
/// ```
/// use nalgebra::DMatrix;
/// use ticketsense::operators::DenseOperator;
/// use ticketsense::recovery::{LogisticLasso, Penalty, Solver};
/// // With one measurement a column, every doubt is λ: x = y log((1 − λ)/λ).
/// let a = DenseOperator::new(DMatrix::identity(2, 2))?;
/// let answer = LogisticLasso::new(Penalty::Absolute(0.2)).solve(&a, &[1.0, -1.0])?;
/// assert!((answer.x[0] - 4f64.ln()).abs() < 1e-3 && (answer.x[1] + 4f64.ln()).abs() < 1e-3);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LogisticLasso {
    /// The penalty; its ratio refers to `½‖Aᵀy‖∞`.
    pub penalty: Penalty,
    /// Stop at a duality gap of `tolerance · m log 2`, in `[0, 1)`.
    pub tolerance: f64,
    /// The most full gradients.
    pub max_iterations: usize,
}

/// What the loss needs to know of a margin `t = yᵢ aᵢᵀx`.
#[derive(Clone, Copy, Debug)]
struct Margin {
    /// `log(1 + exp(−t))`.
    loss: f64,
    /// `1/(1 + exp(t))`.
    doubt: f64,
    /// `1/(1 + exp(−t))`, one minus the doubt without cancellation.
    trust: f64,
}

impl Margin {
    fn at(t: f64) -> Self {
        let small = (-t.abs()).exp();
        let (less, more) = (small / (1.0 + small), 1.0 / (1.0 + small));
        Margin {
            loss: small.ln_1p() + (-t).max(0.0),
            doubt: if t > 0.0 { less } else { more },
            trust: if t > 0.0 { more } else { less },
        }
    }

    /// `log(1 + exp(−t)) + sθt − H(sθ)`, the relative entropy of sθ from θ: not negative, and 0 at s = 1.
    fn slack(&self, s: f64) -> f64 {
        let rest = 1.0 - s;
        if rest == 0.0 {
            return 0.0;
        }
        let scaled = s * self.doubt;
        let first = if scaled > 0.0 { scaled * (-rest).ln_1p() } else { 0.0 };
        (first + (1.0 - scaled) * (rest * self.doubt / self.trust).ln_1p()).max(0.0)
    }
}

/// The duality gap with the doubts scaled by the largest `s ≤ 1` that is feasible, and `s`. `terms` are
/// `(xⱼ, aⱼᵀ(y∘θ), allowance)`; the allowance stands for a penalty of zero.
fn gap_of(lambda: f64, margins: &[Margin], terms: impl Iterator<Item = (f64, f64, f64)> + Clone) -> (f64, f64) {
    let held = |c: f64, allowance: f64| if lambda > 0.0 { lambda } else { allowance } / c.abs();
    let s = terms
        .clone()
        .fold(1.0, |s: f64, (_, c, allowance)| s.min(held(c, allowance)));
    let at = |s: f64| {
        let loss: f64 = margins.iter().map(|m| m.slack(s)).sum();
        // Without a penalty the correlations are rounding, of either sign.
        let slack = |(x, c, _): (f64, f64, f64)| {
            if lambda > 0.0 {
                lambda * x.abs() - s * x * c
            } else {
                (s * x * c).abs()
            }
        };
        (loss + terms.clone().map(slack).sum::<f64>(), s)
    };
    let (scaled, zero) = (at(s), at(0.0));
    if zero.0 < scaled.0 { zero } else { scaled }
}

/// The problem on the columns at work.
struct Working<'a> {
    a: &'a dyn MeasurementOperator,
    labels: &'a [f64],
    lambda: f64,
    norms: Vec<f64>,
    columns: WorkingColumns,
    x: Vec<f64>,
    /// The margins from the columns at work, and `A x` from the operator.
    margins: Vec<f64>,
    fit: Vec<f64>,
    /// The correlations of the doubts with every column, and how large these may be where they should be 0.
    c: Vec<f64>,
    allowances: Vec<f64>,
    dual: Vec<f64>,
    applications: f64,
}

impl Working<'_> {
    /// Recomputes the margins from the point.
    fn refresh(&mut self) {
        self.margins.fill(0.0);
        accumulate(self.columns.matrix.as_slice(), &self.x, &mut self.margins);
        self.margins.iter_mut().zip(self.labels).for_each(|(t, y)| *t *= y);
    }

    /// How far the point is from stationary, in one unknown.
    fn violation(&self, x: f64, slope: f64) -> f64 {
        if x == 0.0 {
            (slope.abs() - self.lambda).max(0.0)
        } else {
            (slope - self.lambda.copysign(x)).abs()
        }
    }

    /// The margins' parts of the loss, and the doubts with the signs of the labels.
    fn doubts(&self, margins: impl Iterator<Item = f64>) -> (Vec<Margin>, Vec<f64>) {
        let margins: Vec<Margin> = margins.map(Margin::at).collect();
        let signed = margins.iter().zip(self.labels).map(|(m, y)| y * m.doubt).collect();
        (margins, signed)
    }

    /// Proximal Newton steps until the duality gap on these columns is at most `target`; false when it ended without.
    fn newton(&mut self, target: f64) -> Result<bool> {
        for _ in 0..STEPS {
            let (margins, signed) = self.doubts(self.margins.iter().copied());
            let mut slopes = vec![0.0; self.x.len()];
            correlate(self.columns.matrix.as_slice(), &signed, &mut slopes);
            let place = |i: usize| self.allowances[self.columns.indices[i]];
            let terms = (0..self.x.len()).map(|i| (self.x[i], slopes[i], place(i)));
            if gap_of(self.lambda, &margins, terms).0 <= target {
                return Ok(true);
            }
            if !self.step(&margins, slopes)? {
                return Ok(false);
            }
        }
        Ok(false)
    }

    /// One proximal Newton step; whether it lowered the objective.
    fn step(&mut self, margins: &[Margin], slopes: Vec<f64>) -> Result<bool> {
        let rows = self.labels.len();
        let mut weighted = self.columns.matrix.clone();
        let roots: Vec<f64> = margins.iter().map(|m| (m.doubt * m.trust).sqrt()).collect();
        for column in weighted.as_mut_slice().chunks_exact_mut(rows) {
            column.iter_mut().zip(&roots).for_each(|(v, w)| *v *= w);
        }
        let mut model = Quadratic {
            matrix: GrowingGram::of(&weighted)?,
            linear: vec![0.0; self.x.len()],
            penalties: vec![self.lambda; self.x.len()],
            x: self.x.clone(),
            ..Quadratic::empty(0.0, false)
        };
        // The model's slopes at the point are the loss's own: b = slopes + G x.
        model.refresh();
        model.linear = slopes.iter().zip(&model.slopes).map(|(s, minus)| s - minus).collect();
        model.slopes.clone_from(&slopes);
        let worst = |x: &[f64], slopes: &[f64]| {
            let each = x.iter().zip(slopes).map(|(x, s)| self.violation(*x, *s));
            each.fold(0.0, f64::max)
        };
        let now = worst(&self.x, &slopes);
        let largest = slopes.iter().fold(0.0f64, |m, c| m.max(c.abs()));
        // The model is the better the nearer the end, and is then solved the better.
        let wanted = 1e-3 * now * (now / largest).min(1.0);
        model.minimise(|q| worst(&q.x, &q.slopes) <= wanted);

        let step: Vec<f64> = model.x.iter().zip(&self.x).map(|(to, from)| to - from).collect();
        let mut along = vec![0.0; rows];
        accumulate(self.columns.matrix.as_slice(), &step, &mut along);
        along.iter_mut().zip(self.labels).for_each(|(d, y)| *d *= y);
        let lambda = self.lambda;
        let penalty_change = |t: f64| -> f64 {
            let each = self.x.iter().zip(&step);
            lambda * each.map(|(x, d)| (x + t * d).abs() - x.abs()).sum::<f64>()
        };
        let promised = penalty_change(1.0) - step.iter().zip(&slopes).map(|(d, s)| d * s).sum::<f64>();
        let loss: f64 = margins.iter().map(|m| m.loss).sum();
        // Below this a change of the objective is rounding; near the end a full Newton step is still the better point.
        let rounding = 4.0 * f64::EPSILON * (loss + lambda * self.x.iter().map(|v| v.abs()).sum::<f64>());
        let accepted = std::iter::successors(Some(1.0), |t| Some(0.5 * t))
            .take(HALVINGS)
            .find(|&t| {
                let moved = self.margins.iter().zip(&along).zip(margins);
                let change: f64 = moved.map(|((m, d), old)| Margin::at(m + t * d).loss - old.loss).sum();
                change + penalty_change(t) <= 1e-4 * t * promised + rounding
            });
        let Some(t) = accepted.filter(|_| promised < 0.0 && step.iter().all(|d| d.is_finite())) else {
            return Ok(false);
        };
        let before = self.x.clone();
        if t == 1.0 {
            self.x = model.x;
        } else {
            self.x.iter_mut().zip(&step).for_each(|(x, d)| *x += t * d);
        }
        self.refresh();
        Ok(self.x != before)
    }
}

impl WorkingProblem for Working<'_> {
    fn gap(&mut self) -> f64 {
        let fit = self.fit.iter().zip(self.labels).map(|(f, y)| f * y);
        let (margins, signed) = self.doubts(fit);
        self.a.adjoint_into(&signed, &mut self.c);
        self.applications += 1.0;
        let (support, values) = self.columns.nonzeros(&self.x);
        // A doubt is at most 1.
        let terms = (support.as_slice(), values.as_slice());
        self.allowances = rounding_allowances(self.labels.len(), 1.0, terms, &self.norms, &self.norms);
        let x = scatter(self.c.len(), &support, &values);
        let terms = (0..x.len()).map(|j| (x[j], self.c[j], self.allowances[j]));
        let (gap, s) = gap_of(self.lambda, &margins, terms);
        self.dual = signed.iter().map(|v| s * v).collect();
        gap
    }

    fn enter(&mut self) -> Result<usize> {
        let violates = |j: usize| self.c[j].abs() > self.lambda.max(self.allowances[j]);
        let violators = (0..self.c.len()).filter(|&j| !self.columns.contains(j) && violates(j));
        let new = largest_by(self.nonzeros().max(BATCH), violators, |j| self.c[j].abs());
        let block = self.columns.fetch(self.a, &new);
        self.columns.append(&block, &new);
        self.x.resize(self.columns.indices.len(), 0.0);
        self.applications += column_cost(self.a.shape(), new.len());
        Ok(new.len())
    }

    fn minimise(&mut self, target: f64) -> Result<bool> {
        let solved = self.newton(target)?;
        let (support, values) = self.columns.nonzeros(&self.x);
        self.a.apply_sparse_into(&support, &values, &mut self.fit);
        self.applications += column_cost(self.a.shape(), support.len());
        Ok(solved)
    }

    fn objective(&self) -> f64 {
        let margins = self.fit.iter().zip(self.labels).map(|(f, y)| f * y);
        let loss: f64 = margins.map(|t| Margin::at(t).loss).sum();
        loss + self.lambda * self.x.iter().map(|v| v.abs()).sum::<f64>()
    }

    fn nonzeros(&self) -> usize {
        self.columns.nonzeros(&self.x).0.len()
    }
}

impl LogisticLasso {
    /// The default numbers for a penalty: tolerance 1e-8, at most 1000 full gradients.
    pub fn new(penalty: Penalty) -> Self {
        LogisticLasso {
            penalty,
            tolerance: 1e-8,
            max_iterations: 1000,
        }
    }

    fn stopping(&self) -> Stopping {
        Stopping {
            tolerance: self.tolerance,
            max_iterations: self.max_iterations,
        }
    }

    /// `λ_max = ½‖Aᵀy‖∞`: from here on the answer is 0. Cost: one adjoint.
    ///
    /// # Errors
    /// When `y` does not fit the operator, or an entry is not ±1.
    pub fn lambda_max(a: &dyn MeasurementOperator, y: &[f64]) -> Result<f64> {
        check_labels(a, y)?;
        Ok(0.5 * super::lambda_max(a, y)?)
    }
}

fn check_labels(a: &dyn MeasurementOperator, y: &[f64]) -> Result<()> {
    check_right_hand_side(a, y)?;
    match y.iter().position(|v| v.abs() != 1.0) {
        None => Ok(()),
        Some(i) => Err(Error::argument(format!("label {i} of y"), "1 or -1", y[i])),
    }
}

impl Solver for LogisticLasso {
    fn name(&self) -> &'static str {
        "logistic-lasso"
    }

    fn model(&self) -> Model {
        Model::Labels
    }

    fn solve_watched(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        check_labels(a, y)?;
        check_penalty(self.penalty)?;
        self.stopping().check()?;
        let shape = a.shape();
        let scale = shape.rows as f64 * std::f64::consts::LN_2;
        let mut applications = 0.0;
        let lambda = match self.penalty {
            Penalty::Absolute(lambda) => lambda,
            Penalty::RatioOfMax(ratio) => {
                applications += 1.0;
                ratio * Self::lambda_max(a, y)?
            }
        };
        let norms = if lambda == 0.0 {
            applications += 1.0;
            a.column_norms()
        } else {
            vec![0.0; shape.columns]
        };
        let mut work = Working {
            a,
            labels: y,
            lambda,
            norms,
            columns: WorkingColumns::new(y.len(), shape.columns),
            x: Vec::new(),
            margins: vec![0.0; y.len()],
            fit: vec![0.0; y.len()],
            c: vec![0.0; shape.columns],
            allowances: Vec::new(),
            dual: Vec::new(),
            applications,
        };
        let descent = descend(&mut work, self.stopping(), scale, watch)?;
        let (support, values) = work.columns.nonzeros(&work.x);
        let r: Vec<f64> = y.iter().zip(&work.fit).map(|(y, f)| y - f).collect();
        let certified = Certified {
            support,
            values,
            objective: work.objective(),
            scale,
            dual: work.dual,
        };
        Ok(certified.into_recovery(shape.columns, &r, descent, work.applications))
    }
}

/// Its line in the list of solvers.
pub(super) const ENTRY: SolverEntry = SolverEntry {
    name: "logistic-lasso",
    help: "Σ log(1 + exp(−yᵢ aᵢᵀx)) + λ‖x‖₁ for labels yᵢ = ±1, to a certified duality gap.",
    options: &[
        LAMBDA,
        LAMBDA_RATIO,
        option(
            "tolerance",
            TOLERANCE,
            "m log 2",
            "1e-8",
            "Stop at a duality gap of at most this multiple of the objective at 0.",
        ),
        GRADIENTS,
    ],
    for_planted: |_| vec![("lambda-ratio", "0.05".to_string()), ("tolerance", "1e-14".to_string())],
    builder: |o| {
        let default = LogisticLasso::new(o.penalty()?);
        Ok(Box::new(LogisticLasso {
            tolerance: o.real("tolerance").unwrap_or(default.tolerance),
            max_iterations: o.integer("max-iterations").unwrap_or(default.max_iterations),
            ..default
        }))
    },
};

#[cfg(test)]
#[path = "logistic_lasso_tests.rs"]
mod tests;
