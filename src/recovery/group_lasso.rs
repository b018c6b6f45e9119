//! The group LASSO, `½‖y − A x‖₂² + λ Σ w_g‖x_g‖₂`.

use super::common::{at, check_not_negative, check_penalty, in_safe_range};
use super::descent::{Stopping, WorkingProblem, descend};
use super::entry::{COUNT, GAP_TOLERANCE, GRADIENTS, LAMBDA, LAMBDA_RATIO, OptionKind, SolverEntry, option};
use super::group_quadratic::{Block, GroupQuadratic};
use super::least_squares::{LeastSquares, residual_terms};
use super::working_columns::BATCH;
use super::{Penalty, Recovery, Solver, check_right_hand_side};
use crate::error::{Error, Result};
use crate::linalg::{dot, norm};
use crate::operators::{MeasurementOperator, check_vector};
use crate::outcome::Watch;
use crate::support::largest_by;

/// Which columns belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Grouping {
    /// Blocks of so many neighbouring columns; the last may be shorter.
    Consecutive(usize),
    /// Columns with the same label; the groups are ordered by label.
    Labels(Vec<usize>),
}

impl Grouping {
    /// The columns of every group.
    fn members(&self, columns: usize) -> Result<Vec<Vec<usize>>> {
        let all: Vec<usize> = (0..columns).collect();
        match self {
            Grouping::Consecutive(0) => Err(Error::argument("group-size", "a whole number ≥ 1", 0)),
            Grouping::Consecutive(size) => Ok(all.chunks(*size).map(<[usize]>::to_vec).collect()),
            Grouping::Labels(labels) if labels.len() != columns => {
                Err(Error::shape("groups", format!("{columns} columns"), labels.len()))
            }
            Grouping::Labels(labels) => {
                let mut members = std::collections::BTreeMap::<usize, Vec<usize>>::new();
                for (j, &label) in labels.iter().enumerate() {
                    members.entry(label).or_default().push(j);
                }
                Ok(members.into_values().collect())
            }
        }
    }
}

/// The group LASSO, `min ½‖y − A x‖₂² + λ Σ w_g‖x_g‖₂`, over groups that do not overlap.
///
/// Whole groups are zero, and the others are shrunk. A working set of groups grows by the largest `‖A_gᵀr‖/w_g`; on it,
/// exact minimisation in one group after the other, through the group's eigenvalues, alternates with Newton steps in all
/// groups that are not zero, where the norms are smooth. `λ_max` is the largest `‖A_gᵀr‖/w_g` over the penalised groups,
/// with the residual `r` of the least squares fit on the unpenalised ones, and `r = y` where there are none.
///
/// The dual is `max ½‖y‖² − ½‖y − θ‖²` subject to `‖A_gᵀθ‖ ≤ λw_g`. Statuses and scale are those of [`super::Lasso`].
/// Where `λw_g` is zero the constraint `A_gᵀθ = 0` can hold only up to the rounding of the products, and does where the
/// status is `Converged`.
///
/// Cost: an adjoint an iteration, every working column once, `2mw²` operations for their Gram matrix, `|g|³` once a
/// group. Source: Yuan and Lin (2006); Ndiaye, Fercoq, Gramfort and Salmon (2016) for the gap.
///
/// ```
/// use nalgebra::DMatrix;
/// use ticketsense::operators::DenseOperator;
/// use ticketsense::recovery::{GroupLasso, Grouping, Penalty, Solver};
/// // On orthonormal columns every group is shrunk by 1 − λw/‖y_g‖ or dropped.
/// let a = DenseOperator::new(DMatrix::identity(4, 4))?;
/// let solver = GroupLasso {
///     weights: Some(vec![1.0, 1.0]),
///     ..GroupLasso::new(Penalty::Absolute(2.5), Grouping::Consecutive(2))
/// };
/// let answer = solver.solve(&a, &[3.0, -4.0, 1.0, 2.0])?;
/// assert!((answer.x[0] - 1.5).abs() < 1e-3 && (answer.x[1] + 2.0).abs() < 1e-3);
/// assert_eq!(answer.x[2..], [0.0, 0.0]);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct GroupLasso {
    /// The penalty.
    pub penalty: Penalty,
    /// The groups.
    pub groups: Grouping,
    /// One weight a group, finite and not negative; `None` is `√|g|`.
    pub weights: Option<Vec<f64>>,
    /// Stop at a duality gap of `tolerance · ½‖y‖²`, in `[0, 1)`.
    pub tolerance: f64,
    /// The most full gradients.
    pub max_iterations: usize,
}

/// Groups with their columns and the factors of their norms.
struct Problem {
    members: Vec<Vec<usize>>,
    penalties: Vec<f64>,
}

/// The duality gap with the best multiple `s` of the residual that keeps every `s‖A_gᵀr‖` within its bound, and `s`.
///
/// `groups` are `(τ, x_g, A_gᵀr, allowance)`; the allowance stands for a τ of zero.
fn gap_of(
    groups: impl Iterator<Item = (f64, Vec<f64>, Vec<f64>, f64)> + Clone,
    residual_square: f64,
    y_with_residual: f64,
) -> (f64, f64) {
    let mut bound = f64::INFINITY;
    for (tau, _, c, allowance) in groups.clone() {
        let pull = norm(&c);
        if tau > 0.0 {
            bound = bound.min(tau / pull);
        } else {
            // A multiple above 1 would magnify what is only rounding.
            bound = bound.min(1.0).min(allowance / pull);
        }
    }
    let best = if residual_square > 0.0 {
        y_with_residual / residual_square
    } else {
        1.0
    };
    let s = best.min(bound).max(0.0);
    let slack = |(tau, x, c, _): (f64, Vec<f64>, Vec<f64>, f64)| match norm(&x) {
        0.0 => 0.0,
        // The correlations are rounding, of either sign.
        _ if tau == 0.0 => s * dot(&x, &c).abs(),
        length => tau * length - s * dot(&x, &c),
    };
    (
        0.5 * (1.0 - s).powi(2) * residual_square + groups.map(slack).sum::<f64>(),
        s,
    )
}

/// The problem on the groups at work.
struct Working<'a> {
    problem: &'a Problem,
    fit: LeastSquares<'a>,
    /// The lengths of the groups' columns together.
    lengths: Vec<f64>,
    groups: Vec<usize>,
    member: Vec<bool>,
    quadratic: GroupQuadratic,
}

impl Working<'_> {
    fn extend(&mut self, new: &[usize]) -> Result<()> {
        let members = &self.problem.members;
        let places: Vec<usize> = new.iter().flat_map(|&g| members[g].iter().copied()).collect();
        if places.is_empty() {
            return Ok(());
        }
        let q = &mut self.quadratic;
        self.fit.extend(&places, &mut q.matrix, &mut q.linear)?;
        q.x.resize(q.linear.len(), 0.0);
        for &g in new {
            q.append(members[g].len(), self.problem.penalties[g])?;
            self.member[g] = true;
        }
        q.refresh();
        self.groups.extend_from_slice(new);
        Ok(())
    }
}

impl WorkingProblem for Working<'_> {
    fn gap(&mut self) -> f64 {
        let x = self.fit.look(&self.quadratic.x, Some(&self.lengths));
        let (residual_square, y_with_residual) = self.fit.terms();
        let Problem { members, penalties } = self.problem;
        let c = &self.fit.c;
        let each = members.iter().zip(penalties).zip(&self.fit.allowances);
        let terms = each.map(|((members, tau), allowance)| (*tau, at(&x, members), at(c, members), *allowance));
        let (gap, scale) = gap_of(terms, residual_square, y_with_residual);
        self.fit.dual_scale = scale;
        gap
    }

    fn enter(&mut self) -> Result<usize> {
        let Problem { members, penalties } = self.problem;
        let pulls: Vec<f64> = members.iter().map(|m| norm(&at(&self.fit.c, m))).collect();
        let violators = (0..members.len()).filter(|&g| !self.member[g] && pulls[g] > penalties[g]);
        let room = self.nonzeros().max(BATCH) * members.len() / self.fit.c.len();
        let new = largest_by(room.max(1), violators, |g| pulls[g] / penalties[g]);
        self.extend(&new)?;
        Ok(new.len())
    }

    fn minimise(&mut self, target: f64) -> Result<bool> {
        let (groups, allowances, y_square) = (&self.groups, &self.fit.allowances, self.fit.y_square);
        let solved = self.quadratic.minimise(|q| {
            let terms = q.blocks.iter().zip(groups).map(|(b, &g)| {
                let (x, c) = (q.x[b.range.clone()].to_vec(), q.slopes[b.range.clone()].to_vec());
                (b.penalty, x, c, allowances[g])
            });
            let (residual_square, y_with_residual) = residual_terms(y_square, &q.linear, &q.slopes, &q.x);
            gap_of(terms, residual_square, y_with_residual).0 <= target
        });
        self.fit.moved_to(&self.quadratic.x);
        Ok(solved)
    }

    fn objective(&self) -> f64 {
        let q = &self.quadratic;
        let length = |b: &Block| match norm(&q.x[b.range.clone()]) {
            0.0 => 0.0,
            length => b.penalty * length,
        };
        0.5 * self.fit.terms().0 + q.blocks.iter().map(length).sum::<f64>()
    }

    fn nonzeros(&self) -> usize {
        self.quadratic.x.iter().filter(|v| **v != 0.0).count()
    }
}

impl Problem {
    fn solve(
        &self,
        a: &dyn MeasurementOperator,
        y: &[f64],
        stopping: Stopping,
        watch: &mut Watch<'_>,
    ) -> Result<Recovery> {
        let count = self.members.len();
        let free: Vec<usize> = (0..count).filter(|&g| self.penalties[g] == 0.0).collect();
        let fit = LeastSquares::new(a, y, !free.is_empty());
        let mut work = Working {
            problem: self,
            lengths: self.members.iter().map(|m| norm(&at(&fit.norms, m))).collect(),
            fit,
            groups: Vec::new(),
            member: vec![false; count],
            quadratic: GroupQuadratic::empty(),
        };
        work.extend(&free)?;
        let scale = 0.5 * work.fit.y_square;
        let descent = descend(&mut work, stopping, scale, watch)?;
        let objective = work.objective();
        Ok(work.fit.into_recovery(&work.quadratic.x, objective, descent))
    }
}

impl GroupLasso {
    /// The default numbers for a penalty and groups: weights `√|g|`, tolerance 1e-8, at most 1000 full gradients.
    pub fn new(penalty: Penalty, groups: Grouping) -> Self {
        GroupLasso {
            penalty,
            groups,
            weights: None,
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

    /// The groups of so many columns with their weights, checked.
    fn weighted(&self, columns: usize) -> Result<(Vec<Vec<usize>>, Vec<f64>)> {
        let members = self.groups.members(columns)?;
        let weights = match &self.weights {
            None => members.iter().map(|m| (m.len() as f64).sqrt()).collect(),
            Some(weights) => {
                check_vector("group weights", weights, members.len())?;
                for &w in weights {
                    check_not_negative("group-weights", w)?;
                }
                weights.clone()
            }
        };
        Ok((members, weights))
    }

    /// The penalty from which on every penalised group is zero. Cost: one adjoint, and a least squares fit where there
    /// are unpenalised groups.
    ///
    /// # Errors
    /// When `y`, the groups or the weights do not fit the operator.
    pub fn lambda_max(&self, a: &dyn MeasurementOperator, y: &[f64]) -> Result<f64> {
        check_right_hand_side(a, y)?;
        let (members, weights) = self.weighted(a.shape().columns)?;
        Ok(self.largest_penalty(a, y, &members, &weights)?.0)
    }

    /// λ_max, and the applications that it took.
    fn largest_penalty(
        &self,
        a: &dyn MeasurementOperator,
        y: &[f64],
        members: &[Vec<usize>],
        weights: &[f64],
    ) -> Result<(f64, f64)> {
        let (mut r, mut applications) = (y.to_vec(), 1.0);
        if weights.contains(&0.0) {
            // An infinite penalty leaves a group out.
            let only = Problem {
                members: members.to_vec(),
                penalties: weights
                    .iter()
                    .map(|&w| if w == 0.0 { 0.0 } else { f64::INFINITY })
                    .collect(),
            };
            let exact = Stopping {
                tolerance: 1e-15,
                ..self.stopping()
            };
            let fit = only.solve(a, y, exact, &mut Watch::none())?;
            r = a.apply(&fit.x)?.iter().zip(y).map(|(f, y)| y - f).collect();
            applications += fit.applications + 1.0;
        }
        let c = a.adjoint(&r)?;
        let pulls = members.iter().zip(weights).filter(|(_, w)| **w > 0.0);
        Ok((
            pulls.map(|(m, w)| norm(&at(&c, m)) / w).fold(0.0, f64::max),
            applications,
        ))
    }

    fn run(&self, a: &dyn MeasurementOperator, y: &[f64], factor: f64, watch: &mut Watch<'_>) -> Result<Recovery> {
        let (members, weights) = self.weighted(a.shape().columns)?;
        let (lambda, spent) = match self.penalty {
            Penalty::Absolute(lambda) => (lambda * factor, 0.0),
            Penalty::RatioOfMax(ratio) => {
                let (largest, spent) = self.largest_penalty(a, y, &members, &weights)?;
                (ratio * largest, spent)
            }
        };
        // A product that underflows is a tiny penalty, not none.
        let penalty = |&w: &f64| {
            if w * lambda == 0.0 && w > 0.0 && lambda > 0.0 {
                f64::MIN_POSITIVE
            } else {
                w * lambda
            }
        };
        let problem = Problem {
            penalties: weights.iter().map(penalty).collect(),
            members,
        };
        let mut answer = problem.solve(a, y, self.stopping(), watch)?;
        answer.applications += spent;
        Ok(answer)
    }
}

impl Solver for GroupLasso {
    fn name(&self) -> &'static str {
        "group-lasso"
    }

    fn solve_watched(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        check_right_hand_side(a, y)?;
        check_penalty(self.penalty)?;
        self.stopping().check()?;
        in_safe_range(y, 2, watch, |y, factor, watch| self.run(a, y, factor, watch))
    }
}

/// Its line in the list of solvers.
pub(super) const ENTRY: SolverEntry = SolverEntry {
    name: "group-lasso",
    help: "½‖y − A x‖² + λ Σ w_g‖x_g‖₂ over groups of columns, to a certified duality gap.",
    options: &[
        LAMBDA,
        LAMBDA_RATIO,
        option(
            "group-size",
            COUNT,
            "columns",
            "none: group-size or groups",
            "Groups of so many neighbouring columns.",
        ),
        option(
            "groups",
            OptionKind::Vector {
                least: 0.0,
                whole: true,
            },
            "labels",
            "none: group-size or groups",
            "The group of every column; those with the same number belong together.",
        ),
        option(
            "group-weights",
            OptionKind::Vector {
                least: 0.0,
                whole: false,
            },
            "λ",
            "the square root of the group's size",
            "The weight of every group's penalty, by ascending label.",
        ),
        GAP_TOLERANCE,
        GRADIENTS,
    ],
    for_planted: |_| {
        vec![
            ("lambda-ratio", "1e-6".to_string()),
            ("group-size", "2".to_string()),
            ("tolerance", "1e-14".to_string()),
        ]
    },
    builder: |o| {
        let groups = match (o.integer("group-size"), o.vector("groups")) {
            (Some(size), None) => Grouping::Consecutive(size),
            (None, Some(labels)) => Grouping::Labels(labels.iter().map(|l| *l as usize).collect()),
            (None, None) => return Err(Error::argument("group-size", "a value, or a file for groups", "none")),
            (Some(_), Some(_)) => return Err(Error::argument("group-size", "group-size or groups", "both")),
        };
        let default = GroupLasso::new(o.penalty()?, groups);
        Ok(Box::new(GroupLasso {
            weights: o.vector("group-weights"),
            tolerance: o.real("tolerance").unwrap_or(default.tolerance),
            max_iterations: o.integer("max-iterations").unwrap_or(default.max_iterations),
            ..default
        }))
    },
};

#[cfg(test)]
#[path = "group_lasso_tests.rs"]
mod tests;
