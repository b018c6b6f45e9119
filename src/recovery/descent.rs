//! How penalised problems are solved on a working set of columns, down to a duality gap.

use super::common::{check_positive, check_tolerance, scatter};
use super::{Certificate, Recovery};
use crate::error::Result;
use crate::linalg::norm;
use crate::outcome::{Progress, Status, Watch};
use crate::support::Support;

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopping {
    /// A duality gap of this multiple of the problem's scale.
    pub tolerance: f64,
    /// The most full gradients.
    pub max_iterations: usize,
}

impl Stopping {
    /// The doors of its numbers.
    pub fn check(&self) -> Result<()> {
        check_tolerance(self.tolerance)?;
        check_positive("max-iterations", self.max_iterations)
    }
}

/// A problem of which only a set of columns is at work, and a point on them.
pub(super) trait WorkingProblem {
    /// Looks at the whole gradient of the point, and says how large the duality gap is.
    fn gap(&mut self) -> f64;

    /// Takes in the columns that violate their bounds most; how many.
    ///
    /// # Errors
    /// When the operator gives columns that do not fit.
    fn enter(&mut self) -> Result<usize>;

    /// Whether it is the problem itself that is minimised, and not one on the way to it.
    fn at_last(&self) -> bool {
        true
    }

    /// Minimises on the columns at work until their own duality gap is at most `target`; whether it got there.
    ///
    /// # Errors
    /// As [`Self::enter`].
    fn minimise(&mut self, target: f64) -> Result<bool>;

    /// The objective of the point.
    fn objective(&self) -> f64;

    /// The nonzeros of the point.
    fn nonzeros(&self) -> usize;
}

/// How a descent ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Descent {
    /// Why.
    pub status: Status,
    /// Rounds on the working set.
    pub iterations: usize,
    /// The last duality gap.
    pub gap: f64,
}

/// Grows the working set and minimises on it in turn until the duality gap is at most `tolerance · scale`, the set is solved
/// to rounding and nothing violates (`Stalled`), or something else ends it.
///
/// # Errors
/// As [`WorkingProblem::enter`].
pub(super) fn descend(
    problem: &mut impl WorkingProblem,
    stopping: Stopping,
    scale: f64,
    watch: &mut Watch<'_>,
) -> Result<Descent> {
    let target = stopping.tolerance * scale;
    let (mut iterations, mut settled, mut stopped) = (0, false, false);
    let mut inner_target = f64::INFINITY;
    loop {
        let gap = problem.gap();
        let end = |status| {
            Ok(Descent {
                status,
                iterations,
                gap,
            })
        };
        if gap <= target {
            return end(Status::Converged);
        }
        if stopped {
            return end(Status::Stopped);
        }
        if iterations == stopping.max_iterations {
            return end(Status::IterationLimit);
        }
        let was_last = problem.at_last();
        let entered = problem.enter()?;
        if entered == 0 && settled && was_last {
            return end(Status::Stalled);
        }
        // Far from the end the working set is wrong anyway: solve it only as well as the gap there deserves.
        let deserved = (0.3 * target).max(0.02 * gap);
        inner_target = if !problem.at_last() {
            f64::INFINITY
        } else if entered == 0 {
            deserved.min(0.1 * inner_target)
        } else {
            deserved
        };
        settled = !problem.minimise(inner_target)?;
        iterations += 1;
        stopped = !watch.tell(&Progress {
            iteration: iterations,
            objective: problem.objective(),
            nonzeros: problem.nonzeros(),
        });
    }
}

/// A point with its duality gap.
pub(super) struct Certified {
    /// Positions of the values.
    pub support: Vec<usize>,
    /// The values there.
    pub values: Vec<f64>,
    /// The objective.
    pub objective: f64,
    /// What a tolerance on the gap refers to.
    pub scale: f64,
    /// The dual point of the gap.
    pub dual: Vec<f64>,
}

impl Certified {
    /// The answer, for so many columns; `r` is `y − A x`.
    pub fn into_recovery(self, columns: usize, r: &[f64], descent: Descent, applications: f64) -> Recovery {
        let x = scatter(columns, &self.support, &self.values);
        Recovery {
            support: Support::of(&x).indices().to_vec(),
            x,
            status: descent.status,
            iterations: descent.iterations,
            applications,
            objective: self.objective,
            residual_norm: norm(r),
            certificate: Certificate::DualityGap {
                primal: self.objective,
                gap: descent.gap.max(0.0),
                scale: self.scale,
                dual: self.dual,
            },
        }
    }
}

/// How large a correlation with a residual may be where the penalty is 0 and it should vanish: the residual is a sum of
/// products of size `data` and `|xⱼ|‖aⱼ‖`, each rounded, and m of them meet in an inner product. One number a column length.
pub(super) fn rounding_allowances(
    rows: usize,
    data: f64,
    (support, values): (&[usize], &[f64]),
    norms: &[f64],
    lengths: &[f64],
) -> Vec<f64> {
    let terms: f64 = support.iter().zip(values).map(|(&j, v)| v.abs() * norms[j]).sum();
    let rounding = 64.0 * rows as f64 * f64::EPSILON * (data + terms);
    lengths.iter().map(|n| rounding * n).collect()
}
