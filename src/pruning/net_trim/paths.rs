//! The LASSO paths of the units of a layer, cut where enough weights are active.

use super::Spread;
use super::layer::LayerSensing;
use crate::error::Result;
use crate::outcome::Status;
use crate::recovery::{LassoPath, Path, Penalty};
use crate::support::largest_by;
use nalgebra::DMatrix;

/// How far down a path is followed, relative to where it starts: below, the LASSO is least squares to six digits.
const LEAST: f64 = 1e-6;

/// The chosen columns of every unit: the largest `|w_j|‖a_j‖` at the largest penalty that leaves enough of them active.
pub(super) fn choose(
    layer: &LayerSensing,
    targets: &DMatrix<f64>,
    spread: Spread,
    budgets: &[usize],
    count: usize,
) -> Result<(Vec<Vec<usize>>, Status)> {
    let units = targets.ncols();
    if layer.live().is_empty() {
        let status = if count == 0 {
            Status::SupportFull
        } else {
            Status::Exhausted
        };
        return Ok((vec![Vec::new(); units], status));
    }
    let operator = layer.operator()?;
    let mut paths = Vec::with_capacity(units);
    for u in 0..units {
        let target = &targets.as_slice()[u * layer.samples()..(u + 1) * layer.samples()];
        let path = match target.iter().all(|z| *z == 0.0) {
            true => None,
            false => Some(LassoPath::new(Penalty::RatioOfMax(LEAST)).solve(&operator, target)?),
        };
        paths.push(path);
    }
    let mut chosen = vec![Vec::new(); units];
    match spread {
        Spread::Units => {
            for (u, (path, &budget)) in paths.iter().zip(budgets).enumerate() {
                let Some(path) = path else { continue };
                let values = active(path, penalty_with(&[path], budget))?;
                let places = largest_by(budget, 0..values.len(), |i| values[i].1.abs());
                chosen[u] = places.into_iter().map(|i| values[i].0).collect();
            }
        }
        Spread::Layer => {
            let all: Vec<&Path> = paths.iter().flatten().collect();
            let penalty = penalty_with(&all, count);
            let mut values = Vec::new();
            for (u, path) in paths.iter().enumerate() {
                if let Some(path) = path {
                    values.extend(active(path, penalty)?.into_iter().map(|(c, v)| (u, c, v)));
                }
            }
            for i in largest_by(count, 0..values.len(), |i| values[i].2.abs()) {
                chosen[values[i].0].push(values[i].1);
            }
        }
    }
    let reached = chosen.iter().map(Vec::len).sum::<usize>() == count;
    let status = if reached {
        Status::SupportFull
    } else {
        Status::Exhausted
    };
    Ok((chosen, status))
}

/// A penalty in the middle of the first stretch on which at least `count` columns are active in all paths together; where
/// there is none, the end of the longest path.
fn penalty_with(paths: &[&Path], count: usize) -> f64 {
    let mut events: Vec<(f64, usize, usize)> = Vec::new();
    for (p, path) in paths.iter().enumerate() {
        events.extend(path.breakpoints.iter().map(|b| (b.lambda, p, b.nonzeros)));
    }
    // Stable: what happens at one penalty of a path stays in its order.
    events.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut nonzeros = vec![0; paths.len()];
    for (i, &(lambda, path, active)) in events.iter().enumerate() {
        nonzeros[path] = active;
        if nonzeros.iter().sum::<usize>() >= count
            && let Some(next) = events[i..].iter().map(|e| e.0).find(|next| *next < lambda)
        {
            return 0.5 * (lambda + next);
        }
    }
    events.last().map_or(0.0, |e| e.0)
}

/// The active columns and values at a penalty, or where the path ends before it.
fn active(path: &Path, penalty: f64) -> Result<Vec<(usize, f64)>> {
    let end = path.breakpoints.last().map_or(0.0, |b| b.lambda);
    let (columns, values) = path.at(penalty.max(end))?;
    Ok(columns.into_iter().zip(values).collect())
}
