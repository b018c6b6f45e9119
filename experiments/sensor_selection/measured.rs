//! Random matrices: the norm rule and the greedy choice against every choice.

use super::matrices::{draw, normal, orthonormal, spread};
use super::{CLOSE, row_of};
use nalgebra::DMatrix;
use ticketsense::estimators::design::{
    Criterion, DesignProblem, Exhaustive, ForwardGreedy, LargestNorms, Prior, Relaxation, RelaxationSettings,
    RowSelector, Selection, visit_subsets,
};
use ticketsense::harness::{Cell, Context};
use ticketsense::statistics::{Summary, median};
use ticketsense::table::{Row, Value};
use ticketsense::{Error, Result, Seed};

/// The A-criterion with prior variance τ² = 1 and the given σ²; with 0 the frequentist one.
pub(super) fn problem(a: &DMatrix<f64>, noise_ratio: f64) -> Result<DesignProblem> {
    if noise_ratio == 0.0 {
        return DesignProblem::new(a, &Prior::Flat, 1.0, Criterion::A);
    }
    let prior = Prior::Isotropic { precision: 1.0 };
    DesignProblem::new(a, &prior, noise_ratio.sqrt(), Criterion::A)
}

pub(super) fn select(method: &dyn RowSelector, problem: &DesignProblem, chosen: usize) -> Result<Selection> {
    // None of the methods used here makes a random choice.
    method.select(problem, chosen, &Seed::root(0))
}

pub(super) fn common(a: &[usize], b: &[usize]) -> usize {
    a.iter().filter(|i| b.contains(i)).count()
}

/// `0 2 5`.
pub(super) fn listed(rows: &[usize]) -> String {
    let words: Vec<String> = rows.iter().map(usize::to_string).collect();
    words.join(" ")
}

/// What all choices say about the norm rule.
pub(super) struct Against {
    pub best: Selection,
    pub norm: Selection,
    pub average: f64,
    pub better_share: f64,
}

pub(super) fn against(problem: &DesignProblem, chosen: usize) -> Result<Against> {
    let best = select(&Exhaustive::default(), problem, chosen)?;
    let norm = select(&LargestNorms, problem, chosen)?;
    let (mut sum, mut better) = (0.0, 0_u64);
    let ways = visit_subsets(problem, chosen, Exhaustive::default().limit, &mut |subset| {
        sum += subset.loss;
        better += u64::from(subset.loss + subset.error < norm.loss);
        Ok(())
    })?;
    Ok(Against {
        best,
        norm,
        average: sum / ways as f64,
        better_share: better as f64 / ways as f64,
    })
}

fn variation(problem: &DesignProblem) -> Result<f64> {
    let squares: Vec<f64> = problem.norms().iter().map(|v| v * v).collect();
    let summary = Summary::of(&squares)?;
    Ok(summary.standard_deviation / summary.mean)
}

/// The trace by conditioning in the space of measurements, `nτ² − τ⁴ tr A_Sᵀ(τ²A_S A_Sᵀ + σ²I)⁻¹A_S`, and what rounding
/// allows of the difference over nτ²: `1e2 ε` times the condition number of the inverted matrix, at most
/// `1 + Σ‖aᵢ‖²/σ²`.
fn conditioned(a: &DMatrix<f64>, rows: &[usize], noise_ratio: f64) -> Result<(f64, f64)> {
    let chosen = a.select_rows(rows);
    let k = rows.len();
    let covariance = &chosen * chosen.transpose() + DMatrix::identity(k, k) * noise_ratio;
    let inverse = covariance
        .try_inverse()
        .ok_or_else(|| Error::numerical("covariance of the measurements", "singular"))?;
    let trace = a.ncols() as f64 - (inverse * &chosen * chosen.transpose()).trace();
    let condition = 1.0 + chosen.norm_squared() / noise_ratio;
    Ok((trace, 1e2 * f64::EPSILON * condition))
}

pub(super) fn definition(cell: &Cell, context: &Context<'_>, seed: &Seed) -> Result<Vec<Row>> {
    let (m, n, k) = (14, 4, 6);
    let noise = cell.real("noise")?;
    let mut rows = Vec::new();
    for number in 0..cell.integer("matrices")? {
        context.check()?;
        let a = draw("gaussian", m, n, &seed.replicate(number as u64))?;
        let problem = problem(&a, noise)?;
        let found = against(&problem, k)?;
        let flat = select(&Exhaustive::default(), &self::problem(&a, 0.0)?, k)?;
        let greedy = select(&ForwardGreedy, &problem, k)?;
        let relaxation = Relaxation::solve(&problem, k, RelaxationSettings::default())?;
        let (trace, tolerance) = conditioned(&a, &found.best.rows, noise)?;
        rows.push(row_of(&[
            ("part", "definition".into()),
            ("ensemble", "gaussian".into()),
            ("number", number.into()),
            ("rows", m.into()),
            ("columns", n.into()),
            ("chosen", k.into()),
            ("noise_ratio", noise.into()),
            ("best_rows", listed(&found.best.rows).into()),
            ("norm_rows", listed(&found.norm.rows).into()),
            ("best", found.best.loss.into()),
            ("norm", found.norm.loss.into()),
            ("greedy", greedy.loss.into()),
            ("lower_bound", relaxation.lower_bound.into()),
            ("overlap", common(&found.norm.rows, &found.best.rows).into()),
            ("flat_overlap", common(&flat.rows, &found.best.rows).into()),
            ("best_ties", found.best.alternatives.into()),
            ("deviation", ((trace - found.best.loss).abs() / n as f64).into()),
            ("tolerance", tolerance.into()),
        ])?);
    }
    Ok(rows)
}

pub(super) fn orthogonal(cell: &Cell, context: &Context<'_>, seed: &Seed) -> Result<Vec<Row>> {
    let (m, n, k) = (12, 14, 5);
    let (noise, disturbance) = (cell.real("noise")?, cell.real("disturbance")?);
    let mut rows = Vec::new();
    for number in 0..cell.integer("matrices")? {
        context.check()?;
        let seed = seed.replicate(number as u64);
        let q = orthonormal(m, n, &seed.stream("rows"))?;
        let g = normal(m, n, &seed.stream("disturbance"))?;
        let norms = normal(m, 1, &seed.stream("norms"))?;
        let size = disturbance / (n as f64).sqrt();
        let a = DMatrix::from_fn(m, n, |i, j| {
            (0.5 * norms[(i, 0)]).exp() * (q[(i, j)] + size * g[(i, j)])
        });
        let problem = problem(&a, noise)?;
        let found = against(&problem, k)?;
        let squares: Vec<f64> = problem.norms().iter().map(|v| v * v).collect();
        let seen = found.norm.rows.iter().map(|&i| squares[i]);
        let formula = n as f64 - seen.clone().map(|s| s / (noise + s)).sum::<f64>();
        let tolerance = 1e2 * f64::EPSILON * (1.0 + seen.fold(0.0, f64::max) / noise);
        rows.push(row_of(&[
            ("part", "orthogonal".into()),
            ("ensemble", "orthogonal".into()),
            ("number", number.into()),
            ("rows", m.into()),
            ("columns", n.into()),
            ("chosen", k.into()),
            ("setting", disturbance.into()),
            ("noise_ratio", noise.into()),
            ("best_rows", listed(&found.best.rows).into()),
            ("norm_rows", listed(&found.norm.rows).into()),
            ("best", found.best.loss.into()),
            ("norm", found.norm.loss.into()),
            ("overlap", common(&found.norm.rows, &found.best.rows).into()),
            ("best_ties", found.best.alternatives.into()),
            // The formula is that of orthogonal rows.
            (
                "deviation",
                (disturbance == 0.0)
                    .then_some((formula - found.norm.loss).abs() / n as f64)
                    .into(),
            ),
            ("tolerance", (disturbance == 0.0).then_some(tolerance).into()),
        ])?);
    }
    Ok(rows)
}

pub(super) fn ensemble(cell: &Cell, context: &Context<'_>, seed: &Seed) -> Result<Vec<Row>> {
    let (m, n, k) = (14, 7, 7);
    let name = cell.text("ensemble")?;
    let mut rows = Vec::new();
    for number in 0..cell.integer("matrices")? {
        context.check()?;
        let a = draw(name, m, n, &seed.replicate(number as u64))?;
        let problem = problem(&a, super::NOISE)?;
        let found = against(&problem, k)?;
        let greedy = select(&ForwardGreedy, &problem, k)?;
        rows.push(row_of(&[
            ("part", "ensemble".into()),
            ("ensemble", name.into()),
            ("number", number.into()),
            ("rows", m.into()),
            ("columns", a.ncols().into()),
            ("chosen", k.into()),
            ("noise_ratio", super::NOISE.into()),
            ("best", found.best.loss.into()),
            ("norm", found.norm.loss.into()),
            ("greedy", greedy.loss.into()),
            ("average", found.average.into()),
            ("overlap", common(&found.norm.rows, &found.best.rows).into()),
            ("best_ties", found.best.alternatives.into()),
            ("norm_ties", LargestNorms.tied(&problem, k)?.len().into()),
            ("better_share", found.better_share.into()),
            ("variation", variation(&problem)?.into()),
        ])?);
    }
    Ok(rows)
}

pub(super) fn noise(cell: &Cell, context: &Context<'_>, seed: &Seed) -> Result<Vec<Row>> {
    let (m, n, k) = (12, 6, 6);
    let (width, noise, matrices) = (cell.real("spread")?, cell.real("noise")?, cell.integer("matrices")?);
    let (mut ratios, mut overlap, mut close, mut identical) = (Vec::new(), 0, 0, 0);
    for number in 0..matrices {
        context.check()?;
        let problem = problem(&spread(m, n, width, &seed.replicate(number as u64))?, noise)?;
        let best = select(&Exhaustive::default(), &problem, k)?;
        let norm = select(&LargestNorms, &problem, k)?;
        let shared = common(&best.rows, &norm.rows);
        overlap += shared;
        identical += usize::from(shared == k);
        close += usize::from(norm.loss <= CLOSE * best.loss);
        ratios.push(norm.loss / best.loss);
    }
    let values: [(&str, Value); 12] = [
        ("part", "noise".into()),
        ("ensemble", "gaussian".into()),
        ("rows", m.into()),
        ("columns", n.into()),
        ("chosen", k.into()),
        ("setting", width.into()),
        ("noise_ratio", noise.into()),
        ("overlap", overlap.into()),
        ("matrices", matrices.into()),
        ("close", close.into()),
        ("identical", identical.into()),
        ("median_ratio", median(&ratios)?.into()),
    ];
    Ok(vec![row_of(&values)?])
}
