//! Quadratics: gradient descent from the worst start, and every mask of small matrices.

use super::row_of;
use nalgebra::{DMatrix, DVector};
use rand::RngExt;
use rand_distr::StandardNormal;
use ticketsense::estimators::{
    MaskedCurvature, for_each_mask, interlacing_violation, masked_curvature, nonzero_conditioning, spectrum_distance,
};
use ticketsense::linalg::dense::{product, symmetric_eigen, symmetric_eigenvalues};
use ticketsense::statistics::median;
use ticketsense::support::Mask;
use ticketsense::table::Row;
use ticketsense::theory::gradient_descent::{contraction_factor, optimal_step};
use ticketsense::{Error, Result, Seed};

/// Condition numbers of the quadratics that are descended.
pub(super) const CONDITIONS: [f64; 4] = [2.0, 10.0, 100.0, 1000.0];
/// Steps as multiples of the best one.
const STEP_RATIOS: [f64; 11] = [0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.05, 1.1, 1.2, 1.4, 1.6];
/// Steps of gradient descent.
const STEPS: usize = 100;
/// Order of the random matrices: 255 masks each.
const ORDER: usize = 8;

/// A kind of positive semidefinite matrix.
pub(super) struct Family {
    pub name: &'static str,
    /// Whether every member is positive definite.
    pub definite: bool,
}

const fn family(name: &'static str, definite: bool) -> Family {
    Family { name, definite }
}

pub(super) const FAMILIES: [Family; 6] = [
    family("wishart", true),
    family("ill-conditioned", true),
    family("diagonal", true),
    family("whole-blocks", true),
    family("low-rank", false),
    family("projector", false),
];

pub(super) fn gaussian(rows: usize, columns: usize, seed: &Seed) -> DMatrix<f64> {
    let mut rng = seed.rng();
    DMatrix::from_fn(rows, columns, |_, _| rng.sample(StandardNormal))
}

/// `Q diag(λ) Qᵀ` with Q the eigenvectors of a symmetric Gaussian matrix, whose law no rotation changes.
pub(super) fn rotated(spectrum: &[f64], seed: &Seed) -> Result<DMatrix<f64>> {
    let g = gaussian(spectrum.len(), spectrum.len(), seed);
    let (_, q) = symmetric_eigen(&(&g + g.transpose()))?;
    let scaled = DMatrix::from_fn(spectrum.len(), spectrum.len(), |i, j| q[(i, j)] * spectrum[j]);
    let mut h = product(&scaled, &q.transpose())?;
    h.fill_upper_triangle_with_lower_triangle();
    Ok(h)
}

/// `order` numbers from 1 to `condition`, evenly spaced in logarithm.
pub(super) fn logarithmic(order: usize, condition: f64) -> Vec<f64> {
    (0..order)
        .map(|i| condition.powf(i as f64 / (order - 1) as f64))
        .collect()
}

/// Gradient descent `e ← e − ηHe` on a dense matrix, on a principal submatrix and on a singular one.
pub(super) fn descent(condition: f64, seed: &Seed) -> Result<Vec<Row>> {
    let spectrum = logarithmic(ORDER, condition);
    let dense = rotated(&spectrum, &seed.stream("dense"))?;
    let masked = dense.view((0, 0), (ORDER / 2, ORDER / 2)).into_owned();
    let mut deficient = spectrum;
    deficient[..2].fill(0.0);
    let singular = rotated(&deficient, &seed.stream("singular"))?;
    let mut rows = Vec::new();
    for (name, matrix) in [("dense", &dense), ("masked", &masked), ("singular", &singular)] {
        let rank = nonzero_conditioning(matrix, 0)?.rank;
        let (values, vectors) = symmetric_eigen(matrix)?;
        let order = matrix.nrows();
        let (low, high) = (values[order - rank], values[order - 1]);
        let range = vectors.columns(order - rank, rank).into_owned();
        let best = optimal_step(low, high)?;
        for ratio in STEP_RATIOS {
            let step = ratio * best;
            let factor = contraction_factor(step, low, high)?;
            // At the best step both ends of the spectrum shrink alike; at any other one of them is the worst start.
            let start = match (1.0 - step * low).abs() - (1.0 - step * high).abs() {
                _ if ratio == 1.0 => (range.column(0) + range.column(rank - 1)).normalize(),
                difference if difference > 0.0 => range.column(0).into_owned(),
                _ => range.column(rank - 1).into_owned(),
            };
            let (measured, deviation) = descend(matrix, &range, step, factor, start);
            rows.push(row_of(&[
                ("part", "descent".into()),
                ("family", name.into()),
                ("order", order.into()),
                ("rank", rank.into()),
                ("dense_condition", condition.into()),
                ("condition", (high / low).into()),
                ("largest", high.into()),
                ("smallest", low.into()),
                ("step_ratio", ratio.into()),
                ("step", step.into()),
                ("steps", STEPS.into()),
                ("predicted", factor.into()),
                ("measured", measured.into()),
                ("deviation", deviation.into()),
            ])?);
        }
    }
    Ok(rows)
}

/// The measured factor a step, and the largest relative deviation of `‖e_t‖/‖e_0‖` from `factor^t`, divided by t.
fn descend(h: &DMatrix<f64>, range: &DMatrix<f64>, step: f64, factor: f64, start: DVector<f64>) -> (f64, f64) {
    let first = start.norm();
    let mut error = start;
    let (mut ratio, mut deviation) = (1.0, 0.0f64);
    for t in 1..=STEPS {
        error -= step * (h * &error);
        if range.ncols() < range.nrows() {
            // Exact iterates stay in the range of H; what rounding adds outside of it would never shrink.
            error = range * (range.transpose() * error);
        }
        ratio = error.norm() / first;
        deviation = deviation.max((ratio / factor.powi(t as i32) - 1.0).abs() / t as f64);
    }
    (ratio.powf(1.0 / STEPS as f64), deviation)
}

/// One random matrix of a family.
fn member(name: &str, seed: &Seed) -> Result<DMatrix<f64>> {
    let wishart = |order: usize, rank: usize, seed: &Seed| {
        let g = gaussian(rank, order, seed);
        ticketsense::linalg::dense::gram(&g)
    };
    match name {
        "wishart" => Ok(wishart(ORDER, 2 * ORDER, seed)),
        "ill-conditioned" => rotated(&logarithmic(ORDER, 1e6), seed),
        "diagonal" => {
            let mut rng = seed.rng();
            Ok(DMatrix::from_diagonal(&DVector::from_fn(ORDER, |_, _| {
                10f64.powf(rng.random::<f64>() * 3.0)
            })))
        }
        "whole-blocks" => {
            let mut h = DMatrix::zeros(ORDER, ORDER);
            for block in 0..ORDER / 2 {
                let part = wishart(2, 4, &seed.stream(format!("block {block}")));
                h.view_mut((2 * block, 2 * block), (2, 2)).copy_from(&part);
            }
            Ok(h)
        }
        "low-rank" => Ok(wishart(ORDER, ORDER / 2, seed)),
        "projector" => {
            let n = gaussian(3, 1, seed).column(0).normalize();
            Ok(DMatrix::identity(3, 3) - &n * n.transpose())
        }
        other => Err(Error::unknown("family", other, FAMILIES.iter().map(|f| f.name))),
    }
}

/// Whether a family's masks are the unions of its 2×2 blocks only.
fn examined(name: &str, mask: &Mask) -> bool {
    name != "whole-blocks" || mask.bits().chunks_exact(2).all(|pair| pair[0] == pair[1])
}

/// A separation of the spectrum at the cut-off below which the rank, and with it κ⁺, is not clear.
const CLEAR_GAP: f64 = 1e3;

/// Relative error of a computed condition number: eigenvalues err by about `n ε λ_max`, the smallest one therefore by
/// `n ε κ` of itself.
fn rounding(condition: f64) -> f64 {
    1e2 * f64::EPSILON * condition
}

fn digits(mask: &Mask) -> String {
    mask.bits().iter().map(|b| if *b { '1' } else { '0' }).collect()
}

/// Every mask of `matrices` members of a family, a row for each matrix and number of kept coordinates.
pub(super) fn masks(name: &str, matrices: usize, seed: &Seed) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for number in 0..matrices {
        let h = member(name, &seed.replicate(number as u64))?;
        let order = h.nrows();
        let whole = symmetric_eigenvalues(&h)?;
        let dense = nonzero_conditioning(&h, 0)?;
        let mut by_size: Vec<Vec<MaskedCurvature>> = vec![Vec::new(); order + 1];
        for_each_mask(&h, |found| {
            if examined(name, &found.mask) {
                by_size[found.mask.kept()].push(found.clone());
            }
        })?;
        for (kept, found) in by_size.iter().enumerate().filter(|(_, found)| !found.is_empty()) {
            let clear: Vec<&MaskedCurvature> = found.iter().filter(|f| f.conditioning.gap() >= CLEAR_GAP).collect();
            let conditions: Vec<f64> = clear.iter().map(|f| f.conditioning.condition()).collect();
            let limit = dense.condition() * (1.0 + rounding(dense.condition()));
            let worst = clear
                .iter()
                .max_by(|a, b| a.conditioning.condition().total_cmp(&b.conditioning.condition()));
            let (mut interlacing, mut distance, mut deviation) = (f64::NEG_INFINITY, 0.0f64, None);
            for f in found {
                interlacing = interlacing.max(interlacing_violation(&whole, &f.eigenvalues)? / dense.lambda_max);
                distance = distance.max(spectrum_distance(&whole, &f.eigenvalues)? / dense.lambda_max);
            }
            if name == "projector" && kept == 2 {
                // κ of the kept pair is 1/n_k², and n_k² = 1 − H_kk of the dropped coordinate k.
                let error = |f: &&MaskedCurvature| {
                    let dropped = (0..order).find(|&k| !f.mask.keeps(k)).unwrap_or(0);
                    let condition = f.conditioning.condition();
                    (condition * (1.0 - h[(dropped, dropped)]) - 1.0).abs() / condition
                };
                deviation = Some(clear.iter().map(error).fold(0.0, f64::max));
            }
            rows.push(row_of(&[
                ("part", "masks".into()),
                ("family", name.into()),
                ("number", number.into()),
                ("order", order.into()),
                ("kept", kept.into()),
                ("masks", found.len().into()),
                ("worse", conditions.iter().filter(|&&c| c > limit).count().into()),
                ("doubtful", (found.len() - clear.len()).into()),
                ("dense_condition", dense.condition().into()),
                (
                    "condition",
                    if conditions.is_empty() {
                        None
                    } else {
                        Some(median(&conditions)?)
                    }
                    .into(),
                ),
                ("worst_condition", worst.map(|f| f.conditioning.condition()).into()),
                ("worst_mask", worst.map(|f| digits(&f.mask)).into()),
                ("interlacing", interlacing.into()),
                ("distance", distance.into()),
                ("largest", dense.lambda_max.into()),
                ("smallest", dense.lambda_min_nonzero.into()),
                ("rank", dense.rank.into()),
                ("deviation", deviation.into()),
            ])?);
        }
    }
    Ok(rows)
}

/// The spectra of a rotated and of a diagonal matrix of the same eigenvalues, whole and on half of the coordinates.
pub(super) fn eigenvalues(seed: &Seed) -> Result<Vec<Row>> {
    let spectrum: Vec<f64> = (1..=ORDER).map(|i| i as f64).collect();
    let matrices = [
        ("rotated", rotated(&spectrum, seed)?),
        ("diagonal", DMatrix::from_diagonal(&DVector::from_vec(spectrum))),
    ];
    let mut rows = Vec::new();
    for (name, h) in &matrices {
        let half = Mask::from_bits((0..ORDER).map(|i| i % 2 == 0).collect());
        for mask in [Mask::full(ORDER), half] {
            for (number, value) in masked_curvature(h, &mask)?.eigenvalues.iter().enumerate() {
                rows.push(row_of(&[
                    ("part", "eigenvalue".into()),
                    ("family", (*name).into()),
                    ("number", number.into()),
                    ("order", ORDER.into()),
                    ("kept", mask.kept().into()),
                    ("smallest", (*value).into()),
                ])?);
            }
        }
    }
    Ok(rows)
}
