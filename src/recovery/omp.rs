//! Orthogonal matching pursuit: greedy selection with a least squares refit after every pick.

use super::common::{
    SafeRange, check_positive, check_tolerance, column_cost, empty_answer, in_safe_range, residual_into, scatter,
};
use super::entry::{COUNT, SolverEntry, TOLERANCE, option};
use super::screen::{Screen, Screened};
use super::{Certificate, Groups, Recovery, Solver, check_right_hand_side};
use crate::error::Result;
use crate::linalg::cholesky::UpdatableCholesky;
use crate::linalg::columns::{accumulate, correlate};
use crate::linalg::{dot, norm};
use crate::operators::MeasurementOperator;
use crate::outcome::{Progress, Status, Watch};
use nalgebra::DMatrix;

/// A column nearer than this to the span of the chosen ones, relative to its length, is refused for good.
const DEPENDENT: f64 = 1e-8;
/// Entries from which a matrix is screened: below, a whole pass in double precision is cheaper than the care.
const SCREENED: usize = 1 << 16;
/// Right-hand sides that are screened together.
const BLOCK: usize = 64;

/// Orthogonal matching pursuit.
///
/// Each step picks the column with the largest `|aⱼᵀr|/‖aⱼ‖` (never a zero column; ties by index), and refits
/// `x_S = argmin ‖y − A_S x_S‖₂`. A pick whose distance from the span of the columns before it is below `1e-8‖aⱼ‖` is
/// refused for good, and the next best is taken.
///
/// It ends with
/// - `SupportFull` at [`Omp::max_support`] columns, or at the rank bound where none is given;
/// - `ResidualReached` when `‖r‖₂ ≤ max(tolerance, 16(k+1)ε) ‖y‖₂` after k picks: below that floor a residual is
///   rounding;
/// - `Exhausted` when no usable column is left whose correlation exceeds its own rounding, `8√m ε ‖y‖₂`;
/// - `Unattainable`, with `x = 0`, when more nonzeros are asked for than the smaller dimension, the nonzero columns or
///   the budgets allow.
///
/// The objective is `½‖y − A x‖₂²`, the certificate [`Certificate::OrderMargins`] with a rounding bound for every margin:
/// the residual's own error, `‖r̂ − r‖ ≤ ‖A_Sᵀr̂‖/σ_min(A_S)` and what forming it rounded, and that of an inner product.
///
/// Cost: the column norms once, then one adjoint and one column a step, and `6mk` operations for the k-th. Where a large
/// matrix is stored, correlations are screened in single precision, half the memory to read, and the few columns that a
/// rigorous bound leaves in question are looked at again in double: the picks and margins are the same to the last bit.
/// Many right-hand sides share the screening as one matrix product. Memory: the chosen columns, and half the matrix for
/// the screen. Source: Pati, Rezaiifar and Krishnaprasad (1993); Tropp and Gilbert (2007).
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::operators::{GaussianEnsemble, MeasurementOperator};
/// use ticketsense::recovery::{Omp, Solver};
/// let a = GaussianEnsemble { rows: 30, columns: 60 }.draw(&Seed::root(1))?;
/// let mut x = vec![0.0; 60];
/// (x[7], x[40]) = (1.0, -2.0);
/// let answer = Omp::default().solve(&a, &a.apply(&x)?)?;
/// assert_eq!(answer.support, [7, 40]);
/// assert_eq!(answer.status.as_str(), "residual-reached");
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Omp {
    /// The most columns to pick; `None` is as many as the rank can allow.
    pub max_support: Option<usize>,
    /// Stop at `‖r‖₂ ≤ tolerance · ‖y‖₂`, in `[0, 1)`.
    pub tolerance: f64,
    /// Budgets for groups of columns.
    pub groups: Option<Groups>,
}

impl Default for Omp {
    /// No limit on the support, a residual of 1e-10 of the data, no budgets.
    fn default() -> Self {
        Omp {
            max_support: None,
            tolerance: 1e-10,
            groups: None,
        }
    }
}

/// The columns that may still be picked.
struct Candidates<'a> {
    norms: Vec<f64>,
    usable: Vec<bool>,
    room: Vec<usize>,
    groups: Option<&'a Groups>,
}

impl Candidates<'_> {
    fn admits(&self, j: usize) -> bool {
        self.usable[j] && self.groups.is_none_or(|g| self.room[g.of(j)] > 0)
    }

    /// The best score and column among `columns`, and the best score of all the others; ties to the smaller index.
    fn best(&self, columns: impl Iterator<Item = usize>, score: impl Fn(usize) -> f64) -> Option<(f64, usize, f64)> {
        let (mut first, mut second) = (None, 0.0f64);
        for j in columns.filter(|&j| self.admits(j)) {
            let score = score(j);
            match first {
                Some((best, _)) if score <= best => second = second.max(score),
                _ => {
                    second = first.map_or(second, |(best, _): (f64, usize)| second.max(best));
                    first = Some((score, j));
                }
            }
        }
        first.map(|(score, j)| (score, j, second))
    }

    /// As [`Self::best`] over all columns, from approximate scores: those that may be first or second are scored again.
    fn best_screened(&self, screened: Screened<'_>, score: impl Fn(usize) -> f64) -> Option<(f64, usize, f64)> {
        let (mut first, mut second) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
        for (j, &found) in screened.scores.iter().enumerate() {
            let found = f64::from(found.abs());
            if found > second && self.admits(j) {
                second = found.min(first);
                first = first.max(found);
            }
        }
        // Two columns score at least `second − error` for certain; what cannot reach that is out.
        let threshold = second - 2.0 * screened.error;
        let near = (0..screened.scores.len()).filter(|&j| f64::from(screened.scores[j].abs()) >= threshold);
        self.best(near, score)
    }

    fn take(&mut self, j: usize) {
        self.usable[j] = false;
        if let Some(groups) = self.groups {
            self.room[groups.of(j)] -= 1;
        }
    }
}

/// The chosen columns with their factor and inner products with `y`.
struct Chosen {
    order: Vec<usize>,
    margins: Vec<f64>,
    uncertainties: Vec<f64>,
    columns: Vec<f64>,
    factor: UpdatableCholesky,
    /// `‖R⁻¹‖_F²`, which bounds `1/σ_min(A_S)²`.
    inverse_square: f64,
    with_y: Vec<f64>,
    values: Vec<f64>,
}

impl Chosen {
    /// Offers a column; true when it is independent enough of those chosen before.
    fn offer(&mut self, column: &[f64], length: f64) -> bool {
        let mut cross = vec![0.0; self.order.len()];
        correlate(&self.columns, column, &mut cross);
        let columns = &self.columns;
        let distance = |w: &[f64]| {
            let minus: Vec<f64> = w.iter().map(|w| -w).collect();
            let mut rest = column.to_vec();
            accumulate(columns, &minus, &mut rest);
            norm(&rest)
        };
        let accepted = self
            .factor
            .append_measured(&cross, length * length, DEPENDENT, distance)
            .accepted;
        if accepted {
            // The new column of R⁻¹ is (−R⁻¹z, 1)/ρ.
            let order = self.factor.order();
            let last = self.factor.column(order - 1);
            let mut z = vec![0.0; order];
            z[order - 1] = 1.0;
            self.factor.solve_upper(&mut z);
            debug_assert!(last[order - 1] > 0.0);
            self.inverse_square += dot(&z, &z);
        }
        accepted
    }

    /// A bound on `‖r̂ − r‖` for the residual r̂ as computed and r as defined, the distance of `y` from the span.
    ///
    /// `r̂ − r` is what r̂ has within the span, `‖R⁻ᵀA_Sᵀr̂‖`, and what forming r̂ rounded.
    fn residual_error(&self, y_norm: f64, norms: &[f64], r: &[f64]) -> f64 {
        let mut inside = vec![0.0; self.order.len()];
        correlate(&self.columns, r, &mut inside);
        let terms: f64 = self
            .order
            .iter()
            .zip(&self.values)
            .map(|(&j, v)| norms[j] * v.abs())
            .sum();
        let forming = (self.order.len() + 2) as f64 * f64::EPSILON * (y_norm + terms);
        // What the inner products with r̂ round is part of the bound as well.
        let rounded = r.len() as f64 * f64::EPSILON * norm(r) * (self.order.len() as f64).sqrt();
        let longest = self.order.iter().map(|&j| norms[j]).fold(0.0, f64::max);
        (norm(&inside) + rounded * longest) * self.inverse_square.sqrt() + forming
    }

    /// `r ← y − A_S x_S` from the chosen columns, in the order of picking.
    fn residual_into(&self, y: &[f64], r: &mut [f64]) {
        let minus: Vec<f64> = self.values.iter().map(|v| -v).collect();
        r.copy_from_slice(y);
        accumulate(&self.columns, &minus, r);
    }

    fn refit(&mut self) {
        self.values.clone_from(&self.with_y);
        self.factor.solve_in_place(&mut self.values);
    }

    /// One step of iterative refinement: what the residual still holds of the chosen columns.
    fn refine(&mut self, r: &[f64]) {
        let mut rest = vec![0.0; self.order.len()];
        correlate(&self.columns, r, &mut rest);
        self.factor.solve_in_place(&mut rest);
        self.values.iter_mut().zip(&rest).for_each(|(v, d)| *v += d);
    }
}

/// A pursuit on its way.
struct Pursuit<'a> {
    a: &'a dyn MeasurementOperator,
    y: &'a [f64],
    y_norm: f64,
    tolerance: f64,
    /// The most columns, and whether somebody asked for that many.
    target: usize,
    limited: bool,
    candidates: Candidates<'a>,
    chosen: Chosen,
    r: Vec<f64>,
    column: DMatrix<f64>,
    applications: f64,
}

/// The correlations of a residual with every column: exact, or normalised scores with a bound on their error.
enum Correlations<'a> {
    Exact(&'a [f64]),
    Screened(Screened<'a>),
}

impl<'a> Pursuit<'a> {
    /// The start; none where the request cannot be met.
    fn new(omp: &'a Omp, a: &'a dyn MeasurementOperator, y: &'a [f64], norms: Vec<f64>) -> Option<Self> {
        let candidates = Candidates {
            usable: norms.iter().map(|&n| n > 0.0).collect(),
            norms,
            room: omp.groups.as_ref().map_or(Vec::new(), |g| g.budgets().to_vec()),
            groups: omp.groups.as_ref(),
        };
        let live = candidates.usable.iter().filter(|&&u| u).count();
        let capacity = omp
            .groups
            .as_ref()
            .map_or(live, |g| g.capacity(|j| candidates.usable[j]));
        let bound = y.len().min(capacity);
        let target = omp.max_support.unwrap_or(bound);
        (target <= bound).then(|| Pursuit {
            a,
            y,
            y_norm: norm(y),
            tolerance: omp.tolerance,
            target,
            limited: omp.max_support.is_some(),
            candidates,
            chosen: Chosen {
                order: Vec::new(),
                margins: Vec::new(),
                uncertainties: Vec::new(),
                columns: Vec::new(),
                factor: UpdatableCholesky::with_capacity(target.min(256)),
                inverse_square: 0.0,
                with_y: Vec::new(),
                values: Vec::new(),
            },
            r: y.to_vec(),
            column: DMatrix::zeros(y.len(), 1),
            applications: 1.0,
        })
    }

    /// Why it is over, if it is.
    fn ended(&self) -> Option<Status> {
        let picked = self.chosen.order.len();
        let floor = self.tolerance.max(16.0 * (picked + 1) as f64 * f64::EPSILON) * self.y_norm;
        if norm(&self.r) <= floor {
            return Some(Status::ResidualReached);
        }
        // Without a limit the rank bound ends the search, not a count that somebody asked for.
        let full = if self.limited {
            Status::SupportFull
        } else {
            Status::Exhausted
        };
        (picked == self.target).then_some(full)
    }

    /// Picks the next column and refits; false when there is none.
    fn pick(&mut self, correlations: &Correlations<'_>) -> bool {
        let rows = self.y.len();
        let noise = 8.0 * (rows as f64).sqrt() * f64::EPSILON * self.y_norm;
        self.applications += 1.0;
        let (j, margin, score) = loop {
            let candidates = &self.candidates;
            let best = match correlations {
                Correlations::Exact(c) => candidates.best(0..c.len(), |j| c[j].abs() / candidates.norms[j]),
                Correlations::Screened(screened) => candidates.best_screened(*screened, |j| {
                    screened.screen.correlation(j, &self.r).abs() / candidates.norms[j]
                }),
            };
            let Some((score, j, second)) = best.filter(|best| best.0 > noise) else {
                return false;
            };
            self.a.columns_into(&[j], &mut self.column);
            self.applications += column_cost(self.a.shape(), 1);
            // Two inner products and two norms are rounded, and both see the residual's own error.
            let error = self.chosen.residual_error(self.y_norm, &self.candidates.norms, &self.r)
                + (rows + 4) as f64 * f64::EPSILON * norm(&self.r);
            if self.chosen.offer(self.column.as_slice(), self.candidates.norms[j]) {
                self.chosen.uncertainties.push((2.0 * error / score).min(1.0));
                break (j, (score - second) / score, score);
            }
            self.candidates.usable[j] = false;
        };
        debug_assert!(score > 0.0);
        self.candidates.take(j);
        self.chosen.order.push(j);
        self.chosen.margins.push(margin);
        self.chosen.columns.extend_from_slice(self.column.as_slice());
        self.chosen.with_y.push(dot(self.column.as_slice(), self.y));
        self.chosen.refit();
        self.chosen.residual_into(self.y, &mut self.r);
        true
    }

    fn finish(mut self, status: Status) -> Recovery {
        let columns = self.a.shape().columns;
        self.chosen.refine(&self.r);
        let x = scatter(columns, &self.chosen.order, &self.chosen.values);
        residual_into(self.a, self.y, &self.chosen.order, &self.chosen.values, &mut self.r);
        self.applications += column_cost(self.a.shape(), self.chosen.order.len());
        let residual_norm = norm(&self.r);
        Recovery {
            support: Vec::new(),
            x,
            status,
            iterations: self.chosen.order.len(),
            applications: self.applications,
            objective: 0.5 * residual_norm * residual_norm,
            residual_norm,
            certificate: Certificate::OrderMargins {
                order: self.chosen.order,
                margins: self.chosen.margins,
                uncertainties: Some(self.chosen.uncertainties),
            },
        }
    }
}

impl Omp {
    fn check(&self, a: &dyn MeasurementOperator, y: &[f64]) -> Result<()> {
        check_right_hand_side(a, y)?;
        check_tolerance(self.tolerance)?;
        if let Some(count) = self.max_support {
            check_positive("max-support", count)?;
        }
        if let Some(groups) = &self.groups {
            groups.check(a.shape().columns)?;
        }
        Ok(())
    }

    /// Whether a screen pays: it costs about as much as four passes.
    fn screen<'a>(&self, a: &'a dyn MeasurementOperator, norms: &[f64], right_hand_sides: usize) -> Option<Screen<'a>> {
        let matrix = a.as_dense()?;
        let picks = self.max_support.unwrap_or(matrix.nrows()) * right_hand_sides;
        (matrix.len() >= SCREENED && picks >= 8).then(|| Screen::new(matrix, norms))
    }

    fn run(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        let columns = a.shape().columns;
        let norms = a.column_norms();
        let screen = self.screen(a, &norms, 1);
        let Some(mut pursuit) = Pursuit::new(self, a, y, norms) else {
            return Ok(empty_answer(columns, y, 0.5 * dot(y, y), Status::Unattainable, 1.0));
        };
        let mut exact = if screen.is_some() {
            Vec::new()
        } else {
            vec![0.0; columns]
        };
        let mut scores = if screen.is_some() {
            vec![0.0; columns]
        } else {
            Vec::new()
        };
        let status = loop {
            if let Some(status) = pursuit.ended() {
                break status;
            }
            let correlations = match &screen {
                Some(screen) => {
                    let error = screen.scores_into(&pursuit.r, &mut scores);
                    Correlations::Screened(Screened {
                        screen,
                        scores: &scores,
                        error,
                    })
                }
                None => {
                    a.adjoint_into(&pursuit.r, &mut exact);
                    Correlations::Exact(&exact)
                }
            };
            if !pursuit.pick(&correlations) {
                break Status::Exhausted;
            }
            let progress = Progress {
                iteration: pursuit.chosen.order.len(),
                objective: 0.5 * dot(&pursuit.r, &pursuit.r),
                nonzeros: pursuit.chosen.order.len(),
            };
            if !watch.tell(&progress) {
                break Status::Stopped;
            }
        };
        Ok(pursuit.finish(status))
    }

    /// Pursuits for a block of scaled right-hand sides, a pick of each at a time behind one product with the screen.
    fn run_block(
        &self,
        a: &dyn MeasurementOperator,
        block: &[Vec<f64>],
        norms: &[f64],
        screen: &Screen<'_>,
    ) -> Vec<Recovery> {
        let (rows, columns) = (a.shape().rows, a.shape().columns);
        let mut pursuits: Vec<Option<Pursuit<'_>>> =
            block.iter().map(|y| Pursuit::new(self, a, y, norms.to_vec())).collect();
        let mut answers: Vec<Option<Recovery>> = block
            .iter()
            .zip(&pursuits)
            .map(|(y, pursuit)| match pursuit {
                Some(_) => None,
                None => Some(empty_answer(columns, y, 0.5 * dot(y, y), Status::Unattainable, 1.0)),
            })
            .collect();
        let mut scores = Vec::new();
        loop {
            for (pursuit, answer) in pursuits.iter_mut().zip(&mut answers) {
                if let Some(status) = pursuit.as_ref().and_then(Pursuit::ended) {
                    *answer = pursuit.take().map(|p| p.finish(status));
                }
            }
            let running: Vec<usize> = (0..pursuits.len()).filter(|&i| pursuits[i].is_some()).collect();
            if running.is_empty() {
                break;
            }
            let residuals: Vec<&[f64]> = pursuits.iter().flatten().map(|p| p.r.as_slice()).collect();
            let errors = screen.block_scores_into(rows, &residuals, &mut scores);
            for ((&i, error), scores) in running.iter().zip(errors).zip(scores.chunks_exact(columns)) {
                let correlations = Correlations::Screened(Screened { screen, scores, error });
                if !pursuits[i].as_mut().is_some_and(|p| p.pick(&correlations)) {
                    answers[i] = pursuits[i].take().map(|p| p.finish(Status::Exhausted));
                }
            }
        }
        answers.into_iter().flatten().collect()
    }
}

impl Solver for Omp {
    fn name(&self) -> &'static str {
        "omp"
    }

    fn solve_watched(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        self.check(a, y)?;
        in_safe_range(y, 2, watch, |y, _, watch| self.run(a, y, watch))
    }

    fn solve_many(&self, a: &dyn MeasurementOperator, rhs: &DMatrix<f64>) -> Result<Vec<Recovery>> {
        let columns: Vec<Vec<f64>> = rhs.column_iter().map(|y| y.into_owned().as_slice().to_vec()).collect();
        for y in &columns {
            self.check(a, y)?;
        }
        let norms = a.column_norms();
        let Some(screen) = self.screen(a, &norms, columns.len()).filter(|_| columns.len() > 1) else {
            return columns.iter().map(|y| self.solve(a, y)).collect();
        };
        let mut answers = Vec::with_capacity(columns.len());
        for block in columns.chunks(BLOCK) {
            let ranges: Vec<SafeRange> = block.iter().map(|y| SafeRange::of(y)).collect();
            let scaled: Vec<Vec<f64>> = block.iter().zip(&ranges).map(|(y, range)| range.down(y)).collect();
            let found = self.run_block(a, &scaled, &norms, &screen);
            answers.extend(ranges.iter().zip(found).map(|(range, answer)| range.up(answer, 2)));
        }
        Ok(answers)
    }
}

/// Its line in the list of solvers.
pub(super) const ENTRY: SolverEntry = SolverEntry {
    name: "omp",
    help: "Orthogonal matching pursuit: greedy selection, least squares refit.",
    options: &[
        option(
            "max-support",
            COUNT,
            "nonzeros",
            "as many as the rank allows",
            "The most columns to pick.",
        ),
        option(
            "tolerance",
            TOLERANCE,
            "‖y‖₂",
            "1e-10",
            "Stop when the residual norm is at most this multiple of the data's.",
        ),
    ],
    for_planted: |nonzeros| vec![("max-support", nonzeros.to_string())],
    builder: |o| {
        let default = Omp::default();
        Ok(Box::new(Omp {
            max_support: o.integer("max-support"),
            tolerance: o.real("tolerance").unwrap_or(default.tolerance),
            ..default
        }))
    },
};

#[cfg(test)]
#[path = "omp_tests.rs"]
mod tests;
