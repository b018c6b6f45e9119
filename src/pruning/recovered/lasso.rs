//! The LASSO at exact counts: penalties lowered layer by layer until every layer has enough nonzeros, then the cut.

use super::{Recovered, Stacked};
use crate::error::Result;
use crate::linalg::cholesky::UpdatableCholesky;
use crate::linalg::{dot, gemm};
use crate::operators::MeasurementOperator;
use crate::outcome::Status;
use crate::recovery::Certificate;
use crate::support::largest_by;
use nalgebra::DMatrix;

/// Factors by which a layer's penalty falls while it has less than half of its nonzeros, and after: the penalties found
/// are the largest to within the second.
const COARSE: f64 = 0.75;
const FINE: f64 = 0.9;

/// A penalty below this fraction of λ_max fits the data: no lower one gives more nonzeros.
const LEAST: f64 = 1e-7;

/// Columns that enter the working set at once, at least.
const BATCH: usize = 64;

/// Sweeps of coordinate descent for one working set.
const SWEEPS: usize = 400;

/// Changes of a coordinate, relative to the smallest penalty, below which a sweep ends: on the way, and at the end.
const ON_THE_WAY: f64 = 1e-2;
const AT_THE_END: f64 = 1e-4;

/// The relative duality gap that counts as converged.
const GAP: f64 = 1e-3;

/// Coordinate descent in `z_j = θ_j ‖stacked a_j‖` on a working set with its Gram matrix.
struct Path<'a> {
    stacked: &'a Stacked<'a>,
    /// Column of the operator for each working one.
    columns: Vec<usize>,
    working: Vec<bool>,
    /// Unit columns, one after another.
    dense: Vec<f64>,
    /// Stacked Gram matrix of the unit columns.
    gram: Vec<Vec<f64>>,
    z: Vec<f64>,
    /// Correlations of the working columns with the residual.
    q: Vec<f64>,
    penalties: Vec<f64>,
    applications: f64,
}

impl<'a> Path<'a> {
    fn layer(&self, i: usize) -> usize {
        self.stacked.problem.layer_of[self.columns[i]]
    }

    fn extend(&mut self, new: &[usize], g: &[f64]) {
        let operator = &self.stacked.problem.operator;
        let rows = self.stacked.b.len();
        let mut block = DMatrix::zeros(rows, new.len());
        operator.columns_into(new, &mut block);
        self.applications += new.len() as f64 / self.working.len() as f64;
        for (column, &j) in block.as_mut_slice().chunks_exact_mut(rows).zip(new) {
            let length = self.stacked.length(j);
            column.iter_mut().for_each(|v| *v /= length);
        }
        let before = self.columns.len();
        self.dense.extend_from_slice(block.as_slice());
        let all = before + new.len();
        let mut cross = vec![0.0; all * new.len()];
        gemm(
            all,
            rows,
            new.len(),
            &self.dense,
            false,
            block.as_slice(),
            true,
            &mut cross,
            false,
        );
        for (i, row) in self.gram.iter_mut().enumerate() {
            row.extend_from_slice(&cross[i * new.len()..(i + 1) * new.len()]);
        }
        for c in 0..new.len() {
            let mut row: Vec<f64> = (0..all).map(|i| cross[i * new.len() + c]).collect();
            // The damping adds to the diagonal what makes the stacked column a unit vector.
            row[before + c] = 1.0;
            self.gram.push(row);
        }
        for &j in new {
            self.columns.push(j);
            self.working[j] = true;
            self.z.push(0.0);
            self.q.push(g[j]);
        }
    }

    /// Coordinate descent until no coordinate moves by more than `tolerance`: sweeps over the nonzeros between sweeps over
    /// all. False when the sweeps ran out.
    fn minimise(&mut self, tolerance: f64) -> bool {
        let mut everything = true;
        for _ in 0..SWEEPS {
            let mut moved = 0.0f64;
            for i in 0..self.columns.len() {
                if !everything && self.z[i] == 0.0 {
                    continue;
                }
                let u = self.q[i] + self.z[i];
                let next = u.signum() * (u.abs() - self.penalties[self.layer(i)]).max(0.0);
                let change = next - self.z[i];
                if change != 0.0 {
                    self.z[i] = next;
                    for (q, g) in self.q.iter_mut().zip(&self.gram[i]) {
                        *q -= change * g;
                    }
                    moved = moved.max(change.abs());
                }
            }
            if moved <= tolerance {
                if everything {
                    return true;
                }
                everything = true;
            } else {
                everything = false;
            }
        }
        false
    }

    fn theta(&self) -> Vec<f64> {
        let mut theta = vec![0.0; self.working.len()];
        for (&j, z) in self.columns.iter().zip(&self.z) {
            theta[j] = z / self.stacked.length(j);
        }
        theta
    }

    /// Residual of the rows of A and the gradient of every unit column, from scratch.
    fn gradient(&mut self) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let theta = self.theta();
        let (mut r, mut g) = (vec![0.0; self.stacked.b.len()], vec![0.0; theta.len()]);
        self.stacked.residual_into(&theta, &mut r);
        self.stacked.correlations_into(&r, &theta, &mut g);
        self.applications += 2.0;
        for (j, g) in g.iter_mut().enumerate() {
            *g = if self.stacked.problem.candidate[j] {
                *g / self.stacked.length(j)
            } else {
                0.0
            };
        }
        for (q, &j) in self.q.iter_mut().zip(&self.columns) {
            *q = g[j];
        }
        (theta, r, g)
    }

    /// Solves at the current penalties; returns θ, the residual and the gradient there.
    fn solve(&mut self, relative: f64) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        loop {
            let least = self.penalties.iter().copied().fold(f64::INFINITY, f64::min);
            self.minimise(relative * least);
            let (theta, r, g) = self.gradient();
            let layer_of = &self.stacked.problem.layer_of;
            let violators: Vec<usize> = (0..g.len())
                .filter(|&j| !self.working[j] && g[j].abs() > self.penalties[layer_of[j]] * (1.0 + relative))
                .collect();
            if violators.is_empty() {
                return (theta, r, g);
            }
            let nonzeros = self.z.iter().filter(|z| **z != 0.0).count();
            let excess = |j: usize| g[j].abs() / self.penalties[layer_of[j]];
            let new = largest_by(BATCH.max(nonzeros / 4), violators, excess);
            self.extend(&new, &g);
        }
    }

    fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.penalties.len()];
        for i in (0..self.z.len()).filter(|&i| self.z[i] != 0.0) {
            counts[self.layer(i)] += 1;
        }
        counts
    }

    /// The duality gap of the stacked problem at the current point, from a residual scaled into the dual feasible set.
    fn certificate(&self, theta: &[f64], r: &[f64], g: &[f64]) -> Certificate {
        let problem = self.stacked.problem;
        let zero = vec![0.0; theta.len()];
        let scale = self.stacked.objective(self.stacked.b, &zero);
        let away: Vec<f64> = (0..theta.len())
            .filter(|&j| problem.candidate[j])
            .map(|j| self.stacked.alpha.sqrt() * (problem.prior[j] - theta[j]))
            .collect();
        let squares = dot(r, r) + dot(&away, &away);
        let prior: Vec<f64> = (0..theta.len())
            .filter(|&j| problem.candidate[j])
            .map(|j| self.stacked.alpha.sqrt() * problem.prior[j])
            .collect();
        let inner = dot(self.stacked.b, r) + dot(&prior, &away);
        let feasible = (0..g.len())
            .filter(|&j| g[j] != 0.0)
            .map(|j| self.penalties[problem.layer_of[j]] / g[j].abs())
            .fold(f64::INFINITY, f64::min);
        let s = if squares > 0.0 {
            (inner / squares).clamp(-feasible, feasible)
        } else {
            0.0
        };
        let penalty: f64 = (0..self.z.len())
            .map(|i| self.penalties[self.layer(i)] * self.z[i].abs())
            .sum();
        let primal = 0.5 * squares + penalty;
        Certificate::DualityGap {
            primal,
            gap: (primal - (s * inner - 0.5 * s * s * squares)).max(0.0),
            scale,
            dual: r.iter().chain(&away).map(|v| s * v).collect(),
        }
    }

    /// The refit on chosen working positions: damped least squares through the Gram matrix. A position that depends on
    /// those before it keeps its place with the value 0.
    fn refit(&self, chosen: &[usize], right: &[f64]) -> Vec<f64> {
        let mut factor = UpdatableCholesky::with_capacity(chosen.len());
        let (mut kept, mut values): (Vec<usize>, Vec<f64>) = (Vec::new(), Vec::new());
        for &i in chosen {
            let cross: Vec<f64> = kept.iter().map(|&k| self.gram[i][k]).collect();
            // Squared pivots below 1e-12 are rounding noise of Gram entries.
            if factor.append(&cross, 1.0, 1e-6).accepted {
                kept.push(i);
                values.push(right[self.columns[i]]);
            }
        }
        factor.solve_in_place(&mut values);
        let mut theta = vec![0.0; self.working.len()];
        for (&i, z) in kept.iter().zip(values) {
            theta[self.columns[i]] = z / self.stacked.length(self.columns[i]);
        }
        theta
    }
}

pub(super) fn solve(stacked: &Stacked<'_>) -> Result<Recovered> {
    let problem = stacked.problem;
    let mut path = Path {
        stacked,
        columns: Vec::new(),
        working: vec![false; problem.prior.len()],
        dense: Vec::new(),
        gram: Vec::new(),
        z: Vec::new(),
        q: Vec::new(),
        penalties: vec![0.0; stacked.counts.len()],
        applications: 0.0,
    };
    let (_, _, at_zero) = path.gradient();
    for (&layer, g) in problem.layer_of.iter().zip(&at_zero) {
        path.penalties[layer] = path.penalties[layer].max(g.abs());
    }
    let largest = path.penalties.clone();
    let mut polished = None;
    let (theta, r, g) = loop {
        let counts = path.counts();
        let mut enough = true;
        for layer in 0..counts.len() {
            let (have, want) = (counts[layer], stacked.counts[layer]);
            if have < want {
                enough = false;
                path.penalties[layer] *= if 2 * have < want { COARSE } else { FINE };
                if path.penalties[layer] <= LEAST * largest[layer] {
                    let mut answer = stacked.unattainable();
                    answer.applications = path.applications;
                    answer.nonzeros_before_cut = counts;
                    return Ok(answer);
                }
            }
        }
        // A sharper solve at the end may lose a nonzero: then it goes on.
        match (enough, polished) {
            (true, Some(point)) => break point,
            (true, None) => polished = Some(path.solve(AT_THE_END)),
            (false, _) => {
                path.solve(ON_THE_WAY);
                polished = None;
            }
        }
    };
    let before = path.counts();
    let certificate = path.certificate(&theta, &r, &g);
    let status = match &certificate {
        Certificate::DualityGap { gap, scale, .. } if *gap <= GAP * scale => Status::Converged,
        _ => Status::IterationLimit,
    };
    let mut chosen = Vec::new();
    for (layer, &count) in stacked.counts.iter().enumerate() {
        let members: Vec<usize> = (0..path.z.len())
            .filter(|&i| path.layer(i) == layer && path.z[i] != 0.0)
            .collect();
        chosen.extend(largest_by(count, members, |i| path.z[i].abs()));
    }
    chosen.sort_by(|&a, &b| path.z[b].abs().total_cmp(&path.z[a].abs()).then(a.cmp(&b)));
    let refitted = path.refit(&chosen, &at_zero);
    let columns: Vec<usize> = chosen.iter().map(|&i| path.columns[i]).collect();
    let mut recovered = stacked.recovered(&columns, &refitted, status, certificate)?;
    recovered.nonzeros_before_cut = before;
    recovered.penalty_ratios = Some(path.penalties.iter().zip(&largest).map(|(p, l)| p / l).collect());
    recovered.applications += path.applications;
    Ok(recovered)
}
