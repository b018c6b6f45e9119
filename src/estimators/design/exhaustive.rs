//! Every choice of k rows, with shared updates.
//!
//! With `H = σ⁻² A C Aᵀ` and `T = σ⁻² A C² Aᵀ` over the candidates, a row j that joins (sign +) or leaves (sign −) divides
//! `det C` by `π = 1 ± H_jj` and lowers `tr C` by `±T_jj/π`, and what it does to H and T needs no other numbers (Sherman and
//! Morrison). Choices are walked in lexicographic order; those with a common beginning share its H and T on the rows
//! behind, so that a last row costs three operations whatever n is. With a flat prior the walk starts from all candidates
//! and removes rows, for nothing could start from a singular information. For E the choices under one parent share its
//! eigendecomposition.

use super::criterion::Criterion;
use super::problem::DesignProblem;
use super::secular::Spectrum;
use super::selection::{RowSelector, Selection};
use crate::error::{Error, Result};
use crate::estimators::subsets::choose;
use crate::linalg::dense::transpose_product;
use crate::outcome::Certainty;
use crate::seed::Seed;
use nalgebra::DMatrix;

/// The number of choices of `count` out of `all`, `u64::MAX` where it is larger.
pub fn subsets(all: usize, count: usize) -> u64 {
    choose(all, count).unwrap_or(u64::MAX)
}

/// One choice on the walk.
#[derive(Clone, Copy, Debug)]
pub struct Subset<'a> {
    /// The rows, ascending.
    pub rows: &'a [usize],
    /// The loss as updated on the way.
    pub loss: f64,
    /// An allowance for the rounding of the updates: first order in ε times the growth on the way.
    pub error: f64,
}

/// Shows every choice of `count` rows once, and returns how many there are.
///
/// The order is lexicographic in the rows, or with a flat prior (A and D) in the rows left out.
///
/// # Errors
/// As [`RowSelector::select`], [`Error::Argument`] where there are more choices than `limit`, and what `visit` returns.
///
/// Cost: three operations a choice and `O(m²)` a beginning for A and D, `2n² + 200n` a choice for E; `m²` numbers a level.
pub fn visit_subsets(
    problem: &DesignProblem,
    count: usize,
    limit: u64,
    visit: &mut dyn FnMut(&Subset<'_>) -> Result<()>,
) -> Result<u64> {
    problem.require_count(count)?;
    let ways = subsets(problem.candidates(), count);
    if ways > limit {
        return Err(Error::argument("number of choices", format!("at most {limit}"), ways));
    }
    if problem.criterion() == Criterion::E {
        let m = problem.candidates();
        // What rounding does to an eigenvalue of any choice.
        let trace = problem.information(&(0..m).collect::<Vec<_>>()).trace();
        let mut walk = EigenWalk {
            problem,
            count,
            rounding: 16.0 * (problem.unknowns() + count) as f64 * f64::EPSILON * trace,
            rows: Vec::with_capacity(count),
            visit,
        };
        walk.node(0, problem.information(&[]))?;
        return Ok(ways);
    }
    let mut walk = Walk::new(problem, count, visit)?;
    walk.node(0, 1.0)?;
    Ok(ways)
}

/// H and T on the candidates behind the last pick of a beginning, the upper triangles, row by row.
#[derive(Debug, Default)]
struct Level {
    size: usize,
    h: Vec<f64>,
    t: Vec<f64>,
    loss: f64,
}

struct Walk<'a> {
    criterion: Criterion,
    /// +1 where picks join, −1 where they leave.
    sign: f64,
    candidates: usize,
    picked: usize,
    levels: Vec<Level>,
    picks: Vec<usize>,
    rows: Vec<usize>,
    /// A pivot this small is singular.
    singular: f64,
    /// The allowance for rounding, before growth.
    rounding: f64,
    visit: &'a mut dyn FnMut(&Subset<'_>) -> Result<()>,
}

impl<'a> Walk<'a> {
    fn new(problem: &DesignProblem, count: usize, visit: &'a mut dyn FnMut(&Subset<'_>) -> Result<()>) -> Result<Self> {
        let m = problem.candidates();
        let (sign, picked, start): (f64, usize, Vec<usize>) = match problem.is_flat() {
            true => (-1.0, m - count, (0..m).collect()),
            false => (1.0, count, Vec::new()),
        };
        let information = problem.information(&start);
        let Some(covariance) = problem.covariance(&information)? else {
            // A prior is positive definite, and so is the information of all candidates under a flat one.
            return Err(Error::numerical(
                "covariance",
                "singular at the start of the enumeration",
            ));
        };
        let images = problem.images(&covariance)?;
        let root = Level {
            size: m,
            h: row_major(&transpose_product(problem.sensors(), &images)?),
            t: row_major(&transpose_product(&images, &images)?),
            loss: problem.loss_of(&information)?,
        };
        let largest = |entries: &[f64]| (0..m).map(|i| entries[i * m + i]).fold(0.0, f64::max);
        let scale = match problem.criterion() {
            Criterion::A => covariance.trace().max(largest(&root.t)),
            _ => 1.0 + root.loss.abs(),
        };
        let rounding = 16.0 * m as f64 * f64::EPSILON * (1.0 + largest(&root.h)) * scale;
        let mut levels = vec![root];
        levels.extend((1..picked.max(1)).map(|_| Level::default()));
        Ok(Walk {
            criterion: problem.criterion(),
            sign,
            candidates: m,
            picked,
            levels,
            picks: Vec::with_capacity(picked),
            rows: Vec::with_capacity(count),
            singular: problem.singular_pivot().powi(2),
            rounding,
            visit,
        })
    }

    /// `growth` is the product of the inverse pivots where rows leave: by so much errors may have grown.
    fn node(&mut self, depth: usize, growth: f64) -> Result<()> {
        let remaining = self.picked - depth;
        if remaining == 0 {
            return self.show(self.levels[0].loss, growth);
        }
        let size = self.levels[depth].size;
        for pick in 0..=size - remaining {
            self.picks.push(self.candidates - size + pick);
            let level = &self.levels[depth];
            let pivot = 1.0 + self.sign * level.h[pick * size + pick];
            let growth = if self.sign < 0.0 { growth / pivot } else { 1.0 };
            // Without this row the information is singular, and so it is without more of them.
            let loss = match pivot > self.singular && level.loss.is_finite() {
                false => f64::INFINITY,
                true if self.criterion == Criterion::D => level.loss - pivot.ln(),
                true => level.loss - self.sign * level.t[pick * size + pick] / pivot,
            };
            if remaining == 1 {
                self.show(loss, growth)?;
            } else {
                let (above, below) = self.levels.split_at_mut(depth + 1);
                below[0].follow(&above[depth], pick, self.sign, pivot);
                below[0].loss = loss;
                self.node(depth + 1, growth)?;
            }
            self.picks.pop();
        }
        Ok(())
    }

    fn show(&mut self, loss: f64, growth: f64) -> Result<()> {
        self.rows.clear();
        if self.sign > 0.0 {
            self.rows.extend_from_slice(&self.picks);
        } else {
            let mut out = self.picks.iter().peekable();
            for i in 0..self.candidates {
                if out.next_if_eq(&&i).is_none() {
                    self.rows.push(i);
                }
            }
        }
        let error = match self.criterion {
            Criterion::A if growth > 1.0 => self.rounding * growth * (1.0 + loss.abs() / self.levels[0].loss),
            _ => self.rounding * growth,
        };
        (self.visit)(&Subset {
            rows: &self.rows,
            loss,
            error,
        })
    }
}

impl Level {
    /// What `pick` of the level above leaves on the rows behind it.
    fn follow(&mut self, parent: &Level, pick: usize, sign: f64, pivot: f64) {
        let n = parent.size;
        let size = n - pick - 1;
        self.size = size;
        self.h.resize(size * size, 0.0);
        self.t.resize(size * size, 0.0);
        let beside = pick * n + pick + 1..(pick + 1) * n;
        let (h, t) = (&parent.h[beside.clone()], &parent.t[beside]);
        let square = parent.t[pick * n + pick] / (pivot * pivot);
        for a in 0..size {
            let from = (pick + 1 + a) * n + pick + 1;
            // H − ±h_a h_b/π and T − ±(h_a t_b + t_a h_b)/π + T_jj h_a h_b/π².
            let (by_h, by_t) = (sign * h[a] / pivot, sign * t[a] / pivot);
            let both = by_t - square * h[a];
            for b in a..size {
                self.h[a * size + b] = parent.h[from + b] - by_h * h[b];
                self.t[a * size + b] = parent.t[from + b] - by_h * t[b] - both * h[b];
            }
        }
    }
}

/// A symmetric matrix: its columns are its rows.
fn row_major(symmetric: &DMatrix<f64>) -> Vec<f64> {
    symmetric.as_slice().to_vec()
}

struct EigenWalk<'a> {
    problem: &'a DesignProblem,
    count: usize,
    rounding: f64,
    rows: Vec<usize>,
    visit: &'a mut dyn FnMut(&Subset<'_>) -> Result<()>,
}

impl EigenWalk<'_> {
    fn show(&mut self, least: f64) -> Result<()> {
        let (loss, error) = match least > self.rounding {
            true => (1.0 / least, self.rounding / (least * (least - self.rounding))),
            false => (f64::INFINITY, f64::INFINITY),
        };
        (self.visit)(&Subset {
            rows: &self.rows,
            loss,
            error,
        })
    }

    fn node(&mut self, start: usize, information: DMatrix<f64>) -> Result<()> {
        let remaining = self.count - self.rows.len();
        let m = self.problem.candidates();
        if remaining <= 1 {
            let spectrum = Spectrum::of(&information)?;
            if remaining == 0 {
                return self.show(spectrum.values()[0]);
            }
            for i in start..m {
                self.rows.push(i);
                self.show(spectrum.least_after(self.problem.sensor(i)))?;
                self.rows.pop();
            }
            return Ok(());
        }
        for i in start..=m - remaining {
            self.rows.push(i);
            let mut next = information.clone();
            super::tracker::add_outer(&mut next, self.problem.sensor(i), 1.0);
            self.node(i + 1, next)?;
            self.rows.pop();
        }
        Ok(())
    }
}

/// The least loss over all choices: exact, up to the rounding of a loss computed afresh.
///
/// Every choice that the updates cannot tell from the best one is computed afresh. Losses that differ by less than
/// `64 n ε κ(M)` are ties, which the rows decide in lexicographic order, and are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhaustive {
    /// The largest number of choices that will be tried.
    pub limit: u64,
}

impl Default for Exhaustive {
    /// Five million choices: seconds.
    fn default() -> Self {
        Exhaustive { limit: 5_000_000 }
    }
}

impl RowSelector for Exhaustive {
    fn name(&self) -> &'static str {
        "exhaustive"
    }

    fn select(&self, problem: &DesignProblem, count: usize, _seed: &Seed) -> Result<Selection> {
        let mut best = Selection {
            rows: Vec::new(),
            loss: f64::INFINITY,
            certainty: Certainty::Exact,
            evaluations: 0,
            alternatives: Some(0),
        };
        let (mut width, mut ties, mut afresh) = (0.0, 0_u64, 0_u64);
        let ways = visit_subsets(problem, count, self.limit, &mut |subset| {
            if subset.loss - subset.error > best.loss + width {
                return Ok(());
            }
            let information = problem.information(subset.rows);
            let loss = problem.loss_of(&information)?;
            afresh += 1;
            if best.rows.is_empty() || loss < best.loss - width {
                (best.loss, ties) = (loss, 0);
                best.rows = subset.rows.to_vec();
                width = tie_width(&information, loss)?;
            } else if (loss - best.loss).abs() <= width {
                ties += 1;
                if subset.rows < best.rows.as_slice() {
                    best.loss = loss;
                    best.rows = subset.rows.to_vec();
                }
            }
            Ok(())
        })?;
        Ok(Selection {
            evaluations: ways + afresh,
            alternatives: Some(ties),
            ..best
        })
    }
}

/// By how much rounding may part two equal losses.
fn tie_width(information: &DMatrix<f64>, loss: f64) -> Result<f64> {
    let values = Spectrum::of(information)?;
    let (least, largest) = match values.values() {
        [] => return Ok(0.0),
        v => (v[0], v[v.len() - 1]),
    };
    let width = 64.0 * values.values().len() as f64 * f64::EPSILON * largest / least * (1.0 + loss.abs());
    Ok(if width.is_finite() { width } else { 0.0 })
}
