//! Hard thresholding on the candidate columns of the stacked operator.

use super::{Recovered, Stacked};
use crate::error::Result;
use crate::operators::{Damped, Restricted};
use crate::recovery::{Groups, NormalisedIht, Solver};
use crate::support::Support;

/// Accepted steps: the mask settles long before the values do.
const STEPS: usize = 150;

/// Relative change at which it has converged.
const CHANGE: f64 = 1e-4;

pub(super) fn solve(stacked: &Stacked<'_>) -> Result<Recovered> {
    let problem = stacked.problem;
    let columns: Vec<usize> = (0..problem.prior.len()).filter(|&j| problem.candidate[j]).collect();
    let prior: Vec<f64> = columns.iter().map(|&j| problem.prior[j]).collect();
    let layers = columns.iter().map(|&j| problem.layer_of[j]).collect();
    let restricted = Restricted::new(&problem.operator, Support::new(columns.clone(), problem.prior.len())?)?;
    let damped = Damped::new(&restricted, stacked.alpha)?;
    let solver = NormalisedIht {
        unit_columns: true,
        groups: Some(Groups::new(layers, stacked.counts.to_vec())?),
        tolerance: CHANGE,
        max_iterations: STEPS,
        ..NormalisedIht::new(stacked.counts.iter().sum())
    };
    let answer = solver.solve(&damped, &damped.data(stacked.b, &prior)?)?;
    let mut theta = vec![0.0; problem.prior.len()];
    let mut chosen = Vec::with_capacity(answer.support.len());
    for &c in &answer.support {
        theta[columns[c]] = answer.x[c];
        chosen.push(columns[c]);
    }
    let mut recovered = stacked.recovered(&chosen, &theta, answer.status, answer.certificate)?;
    recovered.applications += answer.applications;
    Ok(recovered)
}
