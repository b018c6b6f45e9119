//! What a selection method returns, and the two rules that look at no covariance.

use super::problem::DesignProblem;
use super::relaxation::Relaxation;
use crate::error::{Error, Result};
use crate::outcome::Certainty;
use crate::seed::Seed;
use rand::RngExt;
use std::fmt::Debug;

/// Chosen rows, their loss, and how sure it is that no other choice does better.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// The rows, ascending.
    pub rows: Vec<usize>,
    /// Their loss, computed afresh from the rows; `+∞` where their information is singular.
    pub loss: f64,
    /// What is known about the *least* loss of that many rows: the loss is it, or is at least it (an upper bound), or the
    /// least loss lies in an interval that ends with this loss.
    pub certainty: Certainty,
    /// Choices whose loss was found, by an update or afresh.
    pub evaluations: u64,
    /// Other choices that the rule could not tell from this one within rounding, so that only the row numbers decided; none
    /// where that is not counted.
    pub alternatives: Option<u64>,
}

impl Selection {
    /// A selection that only bounds the least loss from above.
    pub(super) fn bounding(problem: &DesignProblem, mut rows: Vec<usize>, evaluations: u64) -> Result<Self> {
        rows.sort_unstable();
        Ok(Selection {
            loss: problem.loss(&rows)?,
            rows,
            certainty: Certainty::UpperBound,
            evaluations,
            alternatives: None,
        })
    }

    /// The same selection with the interval `[bound of the relaxation, loss]` for the least loss; exact ones stay so.
    ///
    /// The relaxation must be that of the same problem and number of rows: one serves the selections of every method.
    pub fn certified(mut self, relaxation: &Relaxation) -> Self {
        if self.certainty != Certainty::Exact {
            self.certainty = Certainty::Interval {
                lower: relaxation.lower_bound.min(self.loss),
                upper: self.loss,
            };
        }
        self
    }
}

/// A way to choose rows: a plain struct of documented numbers.
pub trait RowSelector: Debug + Sync {
    /// The word used in reports and tables.
    fn name(&self) -> &'static str;

    /// Chooses `count` rows. `seed` drives every random choice; a method that makes none ignores it.
    ///
    /// # Errors
    /// [`Error::Argument`] for more rows than there are, or with a flat prior fewer than unknowns: then every choice has an
    /// infinite loss.
    fn select(&self, problem: &DesignProblem, count: usize, seed: &Seed) -> Result<Selection>;
}

/// The `count` rows of largest norm, ties by row number: what magnitude pruning is among sensors.
///
/// Cost: a sort, and the loss of the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LargestNorms;

impl LargestNorms {
    /// The rows whose norm equals that of the last one chosen, up to the rounding of two computed norms, `2(n+2)ε`; empty
    /// where all of them, or none beside the last one, are chosen, so that no tie had to be broken.
    ///
    /// # Errors
    /// [`Error::Argument`] for more rows than there are.
    pub fn tied(&self, problem: &DesignProblem, count: usize) -> Result<Vec<usize>> {
        let (sure, tied) = Self::ranked(problem, count)?;
        Ok(if sure.len() + tied.len() > count {
            tied
        } else {
            Vec::new()
        })
    }

    /// The rows that are surely chosen, and those that tie with the last one, both ascending.
    fn ranked(problem: &DesignProblem, count: usize) -> Result<(Vec<usize>, Vec<usize>)> {
        let norms = problem.norms();
        if count > norms.len() {
            let expected = format!("at most {} rows", norms.len());
            return Err(Error::argument("number of rows", expected, count));
        }
        let mut sorted = norms.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let Some(&last) = count.checked_sub(1).and_then(|i| sorted.get(i)) else {
            return Ok((Vec::new(), Vec::new()));
        };
        let width = 2.0 * (problem.unknowns() + 2) as f64 * f64::EPSILON * last;
        let rows = 0..norms.len();
        Ok((
            rows.clone().filter(|&i| norms[i] > last + width).collect(),
            rows.filter(|&i| (norms[i] - last).abs() <= width).collect(),
        ))
    }
}

impl RowSelector for LargestNorms {
    fn name(&self) -> &'static str {
        "largest-norms"
    }

    fn select(&self, problem: &DesignProblem, count: usize, _seed: &Seed) -> Result<Selection> {
        problem.require_count(count)?;
        let (mut rows, tied) = Self::ranked(problem, count)?;
        let free = count - rows.len();
        let ways = super::exhaustive::subsets(tied.len(), free);
        rows.extend(tied.into_iter().take(free));
        Ok(Selection {
            alternatives: Some(ways - 1),
            ..Selection::bounding(problem, rows, 1)?
        })
    }
}

/// Rows at random, every choice equally likely, from the stream `rows` of the seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RandomRows;

impl RowSelector for RandomRows {
    fn name(&self) -> &'static str {
        "random"
    }

    fn select(&self, problem: &DesignProblem, count: usize, seed: &Seed) -> Result<Selection> {
        problem.require_count(count)?;
        let mut rng = seed.stream("rows").rng();
        let mut rows: Vec<usize> = (0..problem.candidates()).collect();
        for place in 0..count {
            let other = rng.random_range(place..rows.len());
            rows.swap(place, other);
        }
        rows.truncate(count);
        Selection::bounding(problem, rows, 1)
    }
}

/// Rows that are given: a start for [`super::Exchange`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenRows(
    /// The rows.
    pub Vec<usize>,
);

impl RowSelector for GivenRows {
    fn name(&self) -> &'static str {
        "given"
    }

    fn select(&self, problem: &DesignProblem, count: usize, _seed: &Seed) -> Result<Selection> {
        problem.require_count(count)?;
        if self.0.len() != count {
            return Err(Error::shape("given rows", count, self.0.len()));
        }
        Selection::bounding(problem, self.0.clone(), 1)
    }
}
