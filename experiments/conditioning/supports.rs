//! Restricted curvature of least squares: descent on a fixed support, the constants over every support of small matrices,
//! and iterations that change their support.

use super::quadratic::{gaussian, logarithmic, rotated};
use super::row_of;
use nalgebra::{DMatrix, DVector};
use rand::RngExt;
use rand_distr::StandardNormal;
use ticketsense::estimators::rank_tolerance;
use ticketsense::linalg::dense::{gram, symmetric_eigen};
use ticketsense::statistics::median;
use ticketsense::support::largest_by;
use ticketsense::table::Row;
use ticketsense::theory::gradient_descent::{contraction_factor, optimal_rate, optimal_step};
use ticketsense::{Error, Result, Seed};

/// Columns of every matrix: 4095 supports.
pub(super) const COLUMNS: usize = 12;
/// Names and rows of the matrices; the first has fewer rows than columns.
pub(super) const SHAPES: [(&str, usize); 3] = [("wide", 8), ("moderate", 24), ("tall", 300)];
/// Nonzeros that are planted.
pub(super) const PLANTED: usize = 2;
/// Steps of descent on a fixed support.
const STEPS: usize = 30;
/// The most steps of an iteration that changes its support.
const ITERATIONS: usize = 1000;
/// Error, over that at the start, that counts as recovered; steps of smaller errors are not measured, as rounding rules them.
const RECOVERED: f64 = 1e-6;

/// The bound of one step of iterative hard thresholding over that of a step of descent on three times the support: the square
/// root of 3 (Foucart & Rauhut 2013, Theorem 6.18).
fn thresholding_bound(factor: f64) -> f64 {
    3f64.sqrt() * factor
}

/// What the supports of one size have in common.
#[derive(Clone, Debug, Default)]
struct OfSize {
    supports: usize,
    conditions: Vec<f64>,
    worse: usize,
    singular: usize,
    least: f64,
    largest: f64,
    slowest: f64,
    deviation: f64,
}

fn indices(number: usize) -> Vec<usize> {
    (0..COLUMNS).filter(|i| number >> i & 1 == 1).collect()
}

fn block(gram: &DMatrix<f64>, support: &[usize]) -> DMatrix<f64> {
    DMatrix::from_fn(support.len(), support.len(), |i, j| gram[(support[i], support[j])])
}

/// Every support of the matrices of one shape, and the iterations on them.
pub(super) fn rows(name: &str, matrices: usize, seed: &Seed) -> Result<Vec<Row>> {
    let Some(&(_, samples)) = SHAPES.iter().find(|(shape, _)| *shape == name) else {
        return Err(Error::unknown("shape", name, SHAPES.map(|(shape, _)| shape)));
    };
    let mut rows = Vec::new();
    for number in 0..matrices {
        let seed = seed.replicate(number as u64);
        let gram = gram(&gaussian(samples, COLUMNS, &seed)) / samples as f64;
        let sizes = every_support(&gram, samples)?;
        // The support of all columns comes last; without full rank there is no condition number of the whole.
        let whole = sizes[COLUMNS].conditions.first().copied();
        for (kept, of) in sizes.iter().enumerate().skip(1) {
            let conditions = match of.conditions.is_empty() {
                true => None,
                false => Some(median(&of.conditions)?),
            };
            rows.push(row_of(&[
                ("part", "support".into()),
                ("family", name.into()),
                ("number", number.into()),
                ("order", COLUMNS.into()),
                ("samples", samples.into()),
                ("kept", kept.into()),
                ("masks", of.supports.into()),
                ("worse", of.worse.into()),
                ("doubtful", of.singular.into()),
                ("dense_condition", whole.into()),
                ("condition", conditions.into()),
                ("worst_condition", of.conditions.iter().copied().reduce(f64::max).into()),
                ("smallest", of.least.into()),
                ("largest", of.largest.into()),
                ("steps", STEPS.into()),
                (
                    "predicted",
                    (of.least > 0.0)
                        .then(|| optimal_rate(of.least, of.largest))
                        .transpose()?
                        .into(),
                ),
                ("measured", of.slowest.into()),
                ("deviation", of.deviation.into()),
            ])?);
        }
        let (double, triple) = (&sizes[2 * PLANTED], &sizes[3 * PLANTED]);
        let steps = [
            ("1/L over 2k", 1.0 / double.largest),
            ("best over 3k", optimal_step(triple.least, triple.largest)?),
        ];
        for (rule, step) in steps {
            let bound = thresholding_bound(contraction_factor(step, triple.least, triple.largest)?);
            let found = thresholding(&gram, step, &seed.stream("planted"))?;
            rows.push(row_of(&[
                ("part", "thresholding".into()),
                ("family", name.into()),
                ("at", rule.into()),
                ("number", number.into()),
                ("order", COLUMNS.into()),
                ("samples", samples.into()),
                ("kept", PLANTED.into()),
                ("step", step.into()),
                ("runs", found.runs.into()),
                ("recovered", found.recovered.into()),
                ("relaxed", found.relaxed.into()),
                ("slower", found.slower.into()),
                ("excess", found.excess.into()),
                ("predicted", bound.into()),
                ("measured", found.worst.into()),
            ])?);
        }
    }
    Ok(rows)
}

fn every_support(gram: &DMatrix<f64>, samples: usize) -> Result<Vec<OfSize>> {
    let all = symmetric_eigen(gram)?.0;
    let (low, high) = (all[0], all[COLUMNS - 1]);
    let whole = (samples >= COLUMNS).then(|| high / low);
    let mut sizes = vec![
        OfSize {
            least: f64::INFINITY,
            ..OfSize::default()
        };
        COLUMNS + 1
    ];
    for number in 1..1usize << COLUMNS {
        let support = indices(number);
        let part = block(gram, &support);
        let (values, vectors) = symmetric_eigen(&part)?;
        let kept = support.len();
        let (low, high) = (values[0], values[kept - 1]);
        let of = &mut sizes[kept];
        of.supports += 1;
        of.largest = of.largest.max(high);
        if low <= rank_tolerance(kept, samples, high, part.trace()) {
            of.singular += 1;
            of.least = of.least.min(0.0);
            continue;
        }
        of.least = of.least.min(low);
        let condition = high / low;
        of.conditions.push(condition);
        of.worse += usize::from(whole.is_some_and(|w| condition > w * (1.0 + 1e2 * f64::EPSILON * w)));
        // One column is done in one step: there is no factor to attain.
        if kept > 1 {
            let factor = optimal_rate(low, high)?;
            let start = (vectors.column(0) + vectors.column(kept - 1)).normalize();
            of.slowest = of.slowest.max(factor);
            of.deviation = of
                .deviation
                .max(descend(&part, optimal_step(low, high)?, factor, start));
        }
    }
    Ok(sizes)
}

/// The largest relative deviation of `‖e_t‖/‖e_0‖` from `factor^t`, for each step and times the factor: a step rounds by some
/// `k ε` of the error before it, which is that over the factor of the error after it.
fn descend(h: &DMatrix<f64>, step: f64, factor: f64, start: DVector<f64>) -> f64 {
    let mut error = start;
    let mut deviation = 0.0f64;
    for t in 1..=STEPS {
        error -= step * (h * &error);
        let off = (error.norm() / factor.powi(t as i32) - 1.0).abs();
        deviation = deviation.max(off * factor / t as f64);
    }
    deviation
}

/// Runs of iterative hard thresholding.
#[derive(Debug, Default)]
struct Thresholded {
    runs: usize,
    recovered: usize,
    relaxed: usize,
    slower: usize,
    /// The largest factor of one step.
    worst: f64,
    /// The largest factor of one step over that of the planted support at the same step.
    excess: f64,
}

/// `x ← H_k(x − ηG(x − x*))` from 0, noiseless, for values planted on every support of [`PLANTED`] columns.
fn thresholding(gram: &DMatrix<f64>, step: f64, seed: &Seed) -> Result<Thresholded> {
    let mut rng = seed.rng();
    let mut found = Thresholded::default();
    for number in 1..1usize << COLUMNS {
        let support = indices(number);
        if support.len() != PLANTED {
            continue;
        }
        let values = symmetric_eigen(&block(gram, &support))?.0;
        let own = contraction_factor(step, values[0], values[PLANTED - 1])?;
        let mut target = DVector::zeros(COLUMNS);
        for &i in &support {
            target[i] = rng.sample(StandardNormal);
        }
        found.runs += 1;
        let start = target.norm();
        let (mut before, mut allowed, mut slower) = (start, start, false);
        let last = iterate(gram, &target, step, PLANTED, |after| {
            if before > RECOVERED * start {
                found.worst = found.worst.max(after / before);
                found.excess = found.excess.max(after / before / own);
                allowed *= own;
                // A part in a million is far above the rounding of these steps and far below what a wrong support costs.
                slower |= after > allowed * (1.0 + 1e-6) && after > RECOVERED * start;
            }
            before = after;
            after > 0.1 * RECOVERED * start && after < 1e8 * start
        });
        found.recovered += usize::from((&last - &target).norm() <= RECOVERED * start);
        found.slower += usize::from(slower);
        let twice = iterate(gram, &target, step, 2 * PLANTED, |after| {
            after > 0.1 * RECOVERED * start && after < 1e8 * start
        });
        found.relaxed += usize::from((twice - &target).norm() <= RECOVERED * start);
    }
    Ok(found)
}

/// Iterates while `go_on` of the error says so.
fn iterate(
    gram: &DMatrix<f64>,
    target: &DVector<f64>,
    step: f64,
    nonzeros: usize,
    mut go_on: impl FnMut(f64) -> bool,
) -> DVector<f64> {
    let mut x = DVector::zeros(target.len());
    for _ in 0..ITERATIONS {
        let moved = &x - step * (gram * (&x - target));
        x.fill(0.0);
        for i in largest_by(nonzeros, 0..moved.len(), |i| moved[i].abs()) {
            x[i] = moved[i];
        }
        if !go_on((&x - target).norm()) {
            break;
        }
    }
    x
}

/// Columns and condition number of the matrix for a relaxed support.
const RELAXED_COLUMNS: usize = 80;
const RELAXED_CONDITION: f64 = 1.05;

/// Hard thresholding to far more places than are planted, where the theorem of Jain, Tewari & Kar (2014) applies: planted 1, kept
/// `k ≥ 32κ²`, step `2/(3L)`; the constants over all supports are within those of the whole matrix.
pub(super) fn relaxation(seed: &Seed) -> Result<Vec<Row>> {
    let matrix = rotated(&logarithmic(RELAXED_COLUMNS, RELAXED_CONDITION), &seed.stream("matrix"))?;
    let kept = (32.0 * RELAXED_CONDITION * RELAXED_CONDITION).ceil() as usize;
    let step = 2.0 / (3.0 * RELAXED_CONDITION);
    let mut rng = seed.stream("planted").rng();
    let (mut worst, mut recovered) = (0.0f64, 0);
    for place in 0..RELAXED_COLUMNS {
        let mut target = DVector::zeros(RELAXED_COLUMNS);
        target[place] = 1.0 + rng.random::<f64>();
        let objective = |x: &DVector<f64>| {
            let e = x - &target;
            0.5 * e.dot(&(&matrix * &e))
        };
        let start = objective(&DVector::zeros(RELAXED_COLUMNS));
        let (mut x, mut before) = (DVector::zeros(RELAXED_COLUMNS), start);
        for _ in 0..ITERATIONS {
            let moved = &x - step * (&matrix * (&x - &target));
            x.fill(0.0);
            for i in largest_by(kept, 0..moved.len(), |i| moved[i].abs()) {
                x[i] = moved[i];
            }
            let after = objective(&x);
            worst = worst.max(after / before);
            before = after;
            if after <= RECOVERED * RECOVERED * start {
                recovered += 1;
                break;
            }
        }
    }
    Ok(vec![row_of(&[
        ("part", "relaxation".into()),
        ("family", "rotated".into()),
        ("order", RELAXED_COLUMNS.into()),
        ("kept", kept.into()),
        ("condition", RELAXED_CONDITION.into()),
        ("largest", RELAXED_CONDITION.into()),
        ("smallest", 1.0f64.into()),
        ("step", step.into()),
        ("runs", RELAXED_COLUMNS.into()),
        ("recovered", recovered.into()),
        ("predicted", (1.0 - 1.0 / (12.0 * RELAXED_CONDITION)).into()),
        ("measured", worst.into()),
    ])?])
}
