//! Exchanges of one row against another, to a local optimum.

use super::criterion::Criterion;
use super::problem::DesignProblem;
use super::secular::Spectrum;
use super::selection::{RowSelector, Selection};
use super::spanning::repaired;
use super::tracker::add_outer;
use crate::error::Result;
use crate::linalg::dense::transpose_product;
use crate::seed::Seed;
use nalgebra::DMatrix;

/// Fedorov's exchange: from the rows that another method chooses, the best exchange of a chosen row against another one is
/// made as long as it lowers the loss.
///
/// For a row i that leaves and a row j that joins, with `H` and `T` as in the enumeration and
/// `δ = (1 + H_jj)(1 − H_ii) + H_ij²`, `det C` is divided by δ and `tr C` falls by
/// `((1 − H_ii) T_jj + 2 H_ij T_ij − (1 + H_jj) T_ii)/δ`, also where i alone could not leave. An exchange is kept only where
/// the loss computed afresh is smaller, so the answer is never worse than the start, and the search ends: losses fall
/// strictly and there are finitely many. Under a flat prior a singular start is first completed to full rank.
///
/// Source: Fedorov, *Theory of Optimal Experiments*, 1972. Cost of an exchange: `2n³ + 4kmn` operations for A and D, `k`
/// eigenproblems and `2kmn²` for E.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange<S> {
    /// The method that makes the start.
    pub start: S,
    /// The largest number of exchanges.
    pub max_exchanges: usize,
}

impl<S: RowSelector> Exchange<S> {
    /// Exchanges from that start until none helps, or 10 000 are made.
    pub fn from(start: S) -> Self {
        Exchange {
            start,
            max_exchanges: 10_000,
        }
    }
}

impl<S: RowSelector> RowSelector for Exchange<S> {
    fn name(&self) -> &'static str {
        "exchange"
    }

    fn select(&self, problem: &DesignProblem, count: usize, seed: &Seed) -> Result<Selection> {
        let start = self.start.select(problem, count, seed)?;
        let mut evaluations = start.evaluations;
        let mut rows = repaired(problem, &start.rows)?;
        let mut loss = problem.loss(&rows)?;
        for _ in 0..self.max_exchanges {
            let outside: Vec<usize> = (0..problem.candidates()).filter(|i| !rows.contains(i)).collect();
            evaluations += (rows.len() * outside.len()) as u64;
            let found = match problem.criterion() {
                Criterion::E => best_for_eigenvalue(problem, &rows, &outside)?,
                _ => best_by_updates(problem, &rows, &outside)?,
            };
            let Some((place, j)) = found else {
                break;
            };
            let mut next = rows.clone();
            next[place] = j;
            let value = problem.loss(&next)?;
            evaluations += 1;
            if value >= loss {
                break;
            }
            (rows, loss) = (next, value);
        }
        Selection::bounding(problem, rows, evaluations)
    }
}

/// The place in `rows` and the row outside whose exchange promises the least loss, if any promises less than the present.
fn best_by_updates(problem: &DesignProblem, rows: &[usize], outside: &[usize]) -> Result<Option<(usize, usize)>> {
    let Some(covariance) = problem.covariance(&problem.information(rows))? else {
        return Ok(None);
    };
    let n = problem.unknowns();
    let of = |rows: &[usize], from: &DMatrix<f64>| {
        let mut out = DMatrix::zeros(n, rows.len());
        for (c, &i) in rows.iter().enumerate() {
            out.set_column(c, &from.column(i));
        }
        out
    };
    let images = problem.images(&covariance)?;
    let (inner, outer) = (of(rows, &images), of(outside, &images));
    let own = of(rows, problem.sensors());
    // H and T between the chosen (rows of these) and the others (columns).
    let (cross, cross_squares) = (transpose_product(&own, &outer)?, transpose_product(&inner, &outer)?);
    let leverages = |rows: &[usize]| -> Vec<f64> {
        let each = rows.iter();
        each.map(|&i| images.column(i).dot(&problem.sensors().column(i)))
            .collect()
    };
    let squares = |images: &DMatrix<f64>| -> Vec<f64> { images.column_iter().map(|u| u.norm_squared()).collect() };
    let (h_in, h_out) = (leverages(rows), leverages(outside));
    let (t_in, t_out) = (squares(&inner), squares(&outer));
    let singular = problem.singular_pivot().powi(2);
    let mut best: Option<((usize, usize), f64)> = None;
    for place in 0..rows.len() {
        let leaving = 1.0 - h_in[place];
        for (c, &j) in outside.iter().enumerate() {
            let (h, joining) = (cross[(place, c)], 1.0 + h_out[c]);
            let ratio = joining * leaving + h * h;
            if ratio <= singular * joining {
                continue;
            }
            let fall = match problem.criterion() {
                Criterion::D => ratio - 1.0,
                _ => (leaving * t_out[c] + 2.0 * h * cross_squares[(place, c)] - joining * t_in[place]) / ratio,
            };
            if fall > best.map_or(0.0, |(_, most)| most) {
                best = Some(((place, j), fall));
            }
        }
    }
    Ok(best.map(|(pair, _)| pair))
}

fn best_for_eigenvalue(problem: &DesignProblem, rows: &[usize], outside: &[usize]) -> Result<Option<(usize, usize)>> {
    let information = problem.information(rows);
    let present = Spectrum::of(&information)?.values().first().copied().unwrap_or(0.0);
    let mut best: Option<((usize, usize), f64)> = None;
    for (place, &leaving) in rows.iter().enumerate() {
        let mut without = information.clone();
        add_outer(&mut without, problem.sensor(leaving), -1.0);
        let spectrum = Spectrum::of(&without)?;
        for &j in outside {
            let least = spectrum.least_after(problem.sensor(j));
            if least > best.map_or(present, |(_, most)| most) {
                best = Some(((place, j), least));
            }
        }
    }
    Ok(best.map(|(pair, _)| pair))
}
