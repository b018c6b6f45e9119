//! The LASSO over its penalty, and magnitude pruning with refits over the number of weights, on the same linear models.

use super::{DRAWN, groups::worst, row_of};
use nalgebra::DMatrix;
use rand::RngExt;
use rand_distr::StandardNormal;
use ticketsense::harness::Context;
use ticketsense::linalg::cholesky::solve_positive_definite;
use ticketsense::linalg::dense::{gram, symmetric_eigenvalues};
use ticketsense::linalg::{dot, norm};
use ticketsense::operators::{DenseOperator, MeasurementOperator};
use ticketsense::recovery::{Certificate, Lasso, Penalty, Solver, lambda_max};
use ticketsense::table::Row;
use ticketsense::{Result, Seed};

/// Samples, features, features with a nonzero weight.
const SAMPLES: usize = 50;
const FEATURES: usize = 16;
const PLANTED: usize = 4;
/// Penalties on the path of the LASSO, each this share of the one before.
const PENALTIES: usize = 60;
const SHARE: f64 = 0.9;
/// Relative margins of a support below which it is left to rounding.
const MARGIN: f64 = 1e-9;
/// Rounding of a solved system, over its condition number.
const SYSTEM_ROUNDING: f64 = 1e2 * f64::EPSILON;

/// `y = X w + g` with standard normal noise.
pub(super) struct Model {
    pub(super) x: DenseOperator,
    pub(super) y: Vec<f64>,
    pub(super) planted: Vec<usize>,
}

/// Features of a first-order autoregression over their number, scaled to ‖x_j‖² = samples; weights ±1.
pub(super) fn model(correlation: f64, seed: &Seed) -> Result<Model> {
    let mut rng = seed.stream("features").rng();
    let mut x = DMatrix::from_fn(SAMPLES, FEATURES, |_, _| rng.sample::<f64, _>(StandardNormal));
    let fresh = (1.0 - correlation * correlation).sqrt();
    for j in 1..FEATURES {
        for i in 0..SAMPLES {
            x[(i, j)] = correlation * x[(i, j - 1)] + fresh * x[(i, j)];
        }
    }
    for mut column in x.column_iter_mut() {
        let scale = (SAMPLES as f64).sqrt() / norm(column.as_slice());
        column.iter_mut().for_each(|v| *v *= scale);
    }
    let x = DenseOperator::new(x)?;
    let mut rng = seed.stream("weights").rng();
    let mut planted = rand::seq::index::sample(&mut rng, FEATURES, PLANTED).into_vec();
    planted.sort_unstable();
    let mut w = vec![0.0; FEATURES];
    for &j in &planted {
        w[j] = if rng.random::<bool>() { 1.0 } else { -1.0 };
    }
    let mut y = x.apply(&w)?;
    let mut rng = seed.stream("noise").rng();
    y.iter_mut().for_each(|v| *v += rng.sample::<f64, _>(StandardNormal));
    Ok(Model { x, y, planted })
}

/// Least squares on some features, and what they have in common with the LASSO.
struct Refit {
    gram: DMatrix<f64>,
    weights: Vec<f64>,
}

fn refit(model: &Model, support: &[usize]) -> Result<Refit> {
    let columns = model.x.matrix().select_columns(support);
    let gram = gram(&columns);
    let correlations = DenseOperator::new(columns)?.adjoint(&model.y)?;
    let weights = solve_positive_definite(&gram, &correlations)?;
    Ok(Refit { gram, weights })
}

/// The LASSO at one penalty.
pub(super) struct Solution {
    pub(super) lambda: f64,
    pub(super) x: Vec<f64>,
    pub(super) support: Vec<usize>,
    /// Its duality gap, at least what rounding leaves of it.
    pub(super) gap: f64,
    /// Whether KKT conditions hold with a margin: no zero weight on the edge of entering, no nonzero one of leaving.
    pub(super) certain: bool,
}

/// How a solution compares with the closed form.
pub(super) struct Compared {
    /// Deviation over the size of the weights.
    pub(super) relative: f64,
    /// Deviation over what rounding and the duality gap allow.
    pub(super) over_bound: f64,
    /// Whether rounding alone allows it.
    pub(super) exact: bool,
    /// Whether least squares on the support has another sign somewhere.
    pub(super) turned: bool,
}

/// Compares a solution with least squares on its support S less λG⁻¹s, G = X_SᵀX_S.
///
/// Both terms solve systems with G, whose solutions err by ε κ(G) of themselves, and by ε κ(G) ‖y‖/‖X_S‖ from the rounding
/// of X_Sᵀy. The solver's answer x is as near to the minimiser x* as its gap says: `½‖X(x − x*)‖² ≤ gap`, and both live on S.
pub(super) fn compare(model: &Model, solution: &Solution) -> Result<Compared> {
    let fit = refit(model, &solution.support)?;
    let signs: Vec<f64> = solution.support.iter().map(|&j| solution.x[j].signum()).collect();
    let shift = solve_positive_definite(&fit.gram, &signs)?;
    let eigenvalues = symmetric_eigenvalues(&fit.gram)?;
    let fold = |f: fn(f64, f64) -> f64, from| eigenvalues.iter().copied().fold(from, f);
    let (low, high) = (fold(f64::min, f64::INFINITY), fold(f64::max, 0.0));
    let difference: Vec<f64> = (0..signs.len())
        .map(|i| solution.x[solution.support[i]] - (fit.weights[i] - solution.lambda * shift[i]))
        .collect();
    let size = norm(&fit.weights) + solution.lambda * norm(&shift);
    let deviation = norm(&difference);
    let rounding = SYSTEM_ROUNDING * (high / low) * (size + norm(&model.y) / high.sqrt());
    Ok(Compared {
        relative: deviation / size,
        over_bound: deviation / (rounding + (2.0 * solution.gap / low).sqrt()),
        exact: deviation <= rounding,
        turned: fit.weights.iter().zip(&signs).any(|(w, s)| w * s < 0.0),
    })
}

/// The solutions for falling penalties.
pub(super) fn lasso_path(model: &Model) -> Result<Vec<Solution>> {
    let largest = lambda_max(&model.x, &model.y)?;
    let mut path: Vec<Solution> = Vec::with_capacity(PENALTIES);
    for number in 1..=PENALTIES {
        let lambda = largest * SHARE.powi(number as i32);
        let solver = Lasso {
            // A gap allows the weights an error of its square root: near rounding, which may also keep it from its target.
            tolerance: 1e-15,
            max_iterations: 20,
            start: path.last().map(|s| s.x.clone()),
            ..Lasso::new(Penalty::Absolute(lambda))
        };
        let answer = solver.solve(&model.x, &model.y)?;
        let fitted = model.x.apply(&answer.x)?;
        let residual: Vec<f64> = model.y.iter().zip(&fitted).map(|(y, f)| y - f).collect();
        let correlations = model.x.adjoint(&residual)?;
        let largest_weight = answer.x.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        let certain = (0..FEATURES).all(|j| {
            let (weight, correlation) = (answer.x[j].abs(), correlations[j].abs());
            match weight > 0.0 {
                true => weight > MARGIN * largest_weight && (correlation / lambda - 1.0).abs() < MARGIN,
                false => correlation < (1.0 - MARGIN) * lambda,
            }
        });
        // The gap is a difference of sums over the samples, of size ½‖y‖².
        let floor = SAMPLES as f64 * f64::EPSILON * dot(&model.y, &model.y);
        let gap = match answer.certificate {
            Certificate::DualityGap { gap, .. } => gap.max(floor),
            _ => f64::NAN,
        };
        path.push(Solution {
            lambda,
            gap,
            support: answer.support,
            x: answer.x,
            certain,
        });
    }
    Ok(path)
}

/// What pruning keeps at one size.
pub(super) struct Pruned {
    pub(super) support: Vec<usize>,
    pub(super) weights: Vec<f64>,
    /// Whether every weight that fell so far was smaller than the next one by a margin.
    pub(super) certain: bool,
}

/// Least squares on all features; then, again and again, the smallest weight goes and the others are fitted anew.
pub(super) fn pruning_path(model: &Model) -> Result<Vec<Pruned>> {
    let mut support: Vec<usize> = (0..FEATURES).collect();
    let mut certain = true;
    let mut path = Vec::with_capacity(FEATURES);
    while !support.is_empty() {
        let weights = refit(model, &support)?.weights;
        let mut order: Vec<usize> = (0..support.len()).collect();
        order.sort_by(|&a, &b| weights[a].abs().total_cmp(&weights[b].abs()));
        path.push(Pruned {
            support: support.clone(),
            weights: weights.clone(),
            certain,
        });
        if let [first, second, ..] = order[..] {
            certain &= weights[first].abs() < (1.0 - MARGIN) * weights[second].abs();
        }
        support.remove(order[0]);
    }
    Ok(path)
}

/// Supports of one size over the models.
#[derive(Clone, Copy, Default)]
struct OfSize {
    met: usize,
    different: usize,
    doubtful: usize,
}

/// Many models of one correlation, and both paths of one of them where that correlation is drawn.
pub(super) fn rows(correlation: f64, problems: usize, context: &Context<'_>, seed: &Seed) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut sizes = [OfSize::default(); FEATURES + 1];
    let [mut supports, mut turned, mut exact] = [0usize; 3];
    let [mut over_bound, mut relative] = [0.0f64; 2];
    let (mut lasso_true, mut pruning_true) = (0usize, 0usize);
    for number in 0..problems {
        context.check()?;
        let model = model(correlation, &seed.replicate(number as u64))?;
        let (lasso, pruned) = (lasso_path(&model)?, pruning_path(&model)?);
        for solution in lasso.iter().filter(|s| s.certain && !s.support.is_empty()) {
            let compared = compare(&model, solution)?;
            over_bound = worst(over_bound, compared.over_bound);
            relative = worst(relative, compared.relative);
            exact += usize::from(compared.exact);
            turned += usize::from(compared.turned);
            supports += 1;
        }
        let by_lasso = lasso.iter().any(|s| s.support == model.planted);
        let by_pruning = pruned.iter().any(|p| p.support == model.planted);
        lasso_true += usize::from(by_lasso);
        pruning_true += usize::from(by_pruning);
        // The drawn model is the first that only pruning solves: the two paths certainly differ there.
        if correlation == DRAWN && rows.is_empty() && by_pruning && !by_lasso {
            rows.extend(weights(&model, &lasso, &pruned, correlation)?);
        }
        for kept in &pruned {
            let size = kept.support.len();
            let Some(first) = lasso.iter().find(|s| s.support.len() == size) else {
                continue;
            };
            sizes[size].met += 1;
            if first.support != kept.support {
                match first.certain && kept.certain {
                    true => sizes[size].different += 1,
                    false => sizes[size].doubtful += 1,
                }
            }
        }
    }
    rows.push(row_of(&[
        ("part", "paths".into()),
        ("correlation", correlation.into()),
        ("problems", problems.into()),
        ("supports", supports.into()),
        ("identity", over_bound.into()),
        ("relative", relative.into()),
        ("exact", exact.into()),
        ("signs_differ", turned.into()),
        ("lasso_true", lasso_true.into()),
        ("pruning_true", pruning_true.into()),
    ])?);
    for (size, found) in sizes.iter().enumerate().skip(1) {
        rows.push(row_of(&[
            ("part", "size".into()),
            ("correlation", correlation.into()),
            ("size", size.into()),
            ("problems", found.met.into()),
            ("different", found.different.into()),
            ("doubtful", found.doubtful.into()),
        ])?);
    }
    Ok(rows)
}

fn weights(model: &Model, lasso: &[Solution], pruned: &[Pruned], correlation: f64) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut push = |estimator: &str, feature: usize, abscissa: f64, weight: f64| -> Result<()> {
        rows.push(row_of(&[
            ("part", "weights".into()),
            ("estimator", estimator.into()),
            ("correlation", correlation.into()),
            ("feature", feature.into()),
            ("planted", model.planted.contains(&feature).into()),
            ("abscissa", abscissa.into()),
            ("weight", weight.into()),
        ])?);
        Ok(())
    };
    for feature in 0..FEATURES {
        for (number, solution) in lasso.iter().enumerate() {
            push("lasso", feature, SHARE.powi(number as i32 + 1), solution.x[feature])?;
        }
        for kept in pruned {
            let weight = kept.support.binary_search(&feature).map_or(0.0, |i| kept.weights[i]);
            push("pruning", feature, kept.support.len() as f64, weight)?;
        }
    }
    Ok(rows)
}
