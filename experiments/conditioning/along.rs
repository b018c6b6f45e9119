//! Curvature along training: both second derivatives of the loss of a network and of what three masks leave of it.

use super::network::{Pair, kept_weights};
use super::row_of;
use nalgebra::DMatrix;
use ticketsense::estimators::gauss_newton_conditioning;
use ticketsense::linalg::dense::symmetric_eigenvalues;
use ticketsense::linalg::lanczos::Lanczos;
use ticketsense::linalg::spectral_distribution::LanczosQuadrature;
use ticketsense::linearize::{Curvature, CurvatureKind, Linearisation};
use ticketsense::networks::Loss;
use ticketsense::operators::MeasurementOperator;
use ticketsense::pruning::ImpData;
use ticketsense::support::Mask;
use ticketsense::table::Row;
use ticketsense::training::{Trainer, TrainingPlan};
use ticketsense::{Result, Seed};

/// Steps of training after which the curvature is examined.
pub(super) const TIMES: [usize; 3] = [0, 30, 300];
/// The subjects, in the order of the figure.
pub(super) const SUBJECTS: [&str; 4] = ["dense", "imp", "random", "re-initialised"];
/// Samples of the loss. With 30, as for descent, a quarter of the weights is so close to the number of outputs that the rank of the
/// Gauss-Newton matrix is often unclear.
pub(super) const SAMPLES: usize = 20;
/// Level of the interval for the fraction of negative eigenvalues.
const LEVEL: f64 = 0.05;
/// Eigenvalues up to this fraction of the largest count as zero.
const ZERO: f64 = 1e-6;
/// Steps and directions of the quadrature, and steps for the ends.
const QUADRATURE: LanczosQuadrature = LanczosQuadrature { steps: 40, probes: 2 };
const ENDS: Lanczos = Lanczos {
    max_steps: 40,
    tolerance: 1e-10,
};

/// A network before its training.
pub(super) struct Subject<'a> {
    pub name: &'static str,
    pub initial: &'a [f64],
    pub mask: &'a Mask,
}

/// What the curvature is at a point.
struct Seen {
    loss: f64,
    largest: f64,
    smallest: f64,
    condition: f64,
    rank: usize,
    gap: f64,
    hessian: f64,
    negative: (f64, f64, f64),
}

/// Trains as the tickets are trained, and examines the mean loss over the samples of the pair on the way.
pub(super) fn rows(
    pair: &Pair,
    of: &Subject<'_>,
    plan: &TrainingPlan,
    data: &ImpData<'_>,
    number: usize,
    seed: &Seed,
) -> Result<Vec<Row>> {
    let trainer = Trainer::new(
        &pair.network,
        plan.clone(),
        data.training,
        data.validation,
        of.mask,
        seed,
    )?;
    let initial: Vec<f32> = of.initial.iter().map(|&w| w as f32).collect();
    let mut state = trainer.start(&initial)?;
    let mut rows = Vec::new();
    for time in TIMES {
        trainer.advance(&mut state, time, &mut |_| true)?;
        let theta: Vec<f64> = state.theta.iter().map(|&w| f64::from(w)).collect();
        let seen = see(pair, &theta, of.mask, seed)?;
        rows.push(row_of(&[
            ("part", "curvature".into()),
            ("family", of.name.into()),
            ("number", number.into()),
            ("kept", kept_weights(&pair.network, of.mask).into()),
            ("order", of.mask.kept().into()),
            ("samples", pair.inputs.rows().into()),
            ("steps", time.into()),
            ("measured", seen.loss.into()),
            ("condition", seen.condition.into()),
            ("largest", seen.largest.into()),
            ("smallest", seen.smallest.into()),
            ("rank", seen.rank.into()),
            ("gap", seen.gap.into()),
            ("hessian", seen.hessian.into()),
            ("negative", seen.negative.0.into()),
            ("negative_lower", seen.negative.1.into()),
            ("negative_upper", seen.negative.2.into()),
        ])?);
        if number == 0 && of.name == "imp" && time == TIMES[1] {
            rows.extend(beside_dense(pair, &theta, of, &seen)?);
        }
    }
    Ok(rows)
}

fn operator(kind: CurvatureKind, pair: &Pair, theta: &[f64], mask: &Mask) -> Result<Curvature> {
    Curvature::of_mask(
        kind,
        &pair.network,
        theta,
        &pair.inputs,
        &pair.labels,
        Loss::Squared,
        mask,
    )
}

fn see(pair: &Pair, theta: &[f64], mask: &Mask, seed: &Seed) -> Result<Seen> {
    let hessian = operator(CurvatureKind::Hessian, pair, theta, mask)?;
    let order = hessian.shape().columns;
    let apply = |x: &[f64], y: &mut [f64]| hessian.product_into(x, y);
    let ends = ENDS.symmetric(order, apply, &seed.stream("ends"))?;
    let (least, most) = (ends.smallest().value, ends.largest().value);
    let distribution = QUADRATURE.distribution(order, apply, &seed.stream("distribution"))?;
    let negative = distribution.below(-ZERO * most.max(-least), LEVEL)?;
    let at = Linearisation::new(&pair.network, theta, &pair.inputs)?;
    let found = gauss_newton_conditioning(&at, &mask.support(), Loss::Squared)?;
    Ok(Seen {
        loss: pair.network.loss(theta, &pair.inputs, &pair.labels, Loss::Squared)?,
        largest: found.lambda_max,
        smallest: found.lambda_min_nonzero,
        condition: found.condition(),
        rank: found.rank,
        gap: found.gap(),
        hessian: most,
        negative: (negative.value, negative.interval.lower, negative.interval.upper),
    })
}

/// The same from all eigenvalues of both matrices, formed column by column.
fn beside_dense(pair: &Pair, theta: &[f64], of: &Subject<'_>, seen: &Seen) -> Result<Vec<Row>> {
    let spectrum = |kind: CurvatureKind| -> Result<Vec<f64>> {
        let matrix: DMatrix<f64> = operator(kind, pair, theta, of.mask)?.to_dense();
        symmetric_eigenvalues(&((&matrix + matrix.transpose()) * 0.5))
    };
    let hessian = spectrum(CurvatureKind::Hessian)?;
    let gauss_newton = spectrum(CurvatureKind::GaussNewton)?;
    let order = hessian.len();
    let (least, most) = (hessian[0], hessian[order - 1]);
    let zero = ZERO * most.max(-least);
    let negative = hessian.iter().filter(|v| **v <= -zero).count() as f64 / order as f64;
    // What counts as zero is told by the rank that the kernel has found.
    let top = gauss_newton[order - 1];
    let bottom = gauss_newton[order - seen.rank.clamp(1, order)];
    let pairs = [
        ("largest of the Hessian", most, seen.hessian),
        ("negative fraction", negative, seen.negative.0),
        ("largest of Gauss-Newton", top, seen.largest),
        ("condition of Gauss-Newton", top / bottom, seen.condition),
    ];
    pairs
        .into_iter()
        .map(|(name, dense, found)| {
            let negative = name == "negative fraction";
            row_of(&[
                ("part", "dense check".into()),
                ("family", name.into()),
                ("order", order.into()),
                ("rank", seen.rank.into()),
                ("steps", TIMES[1].into()),
                ("predicted", dense.into()),
                ("measured", found.into()),
                (
                    "deviation",
                    if negative { found - dense } else { found / dense - 1.0 }.into(),
                ),
                ("negative_lower", negative.then_some(seen.negative.1).into()),
                ("negative_upper", negative.then_some(seen.negative.2).into()),
            ])
        })
        .collect()
}
