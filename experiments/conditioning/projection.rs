//! Masked descent beside projected descent: on least squares under every mask, and in the training of a network.

use super::network::Pair;
use super::quadratic::gaussian;
use super::row_of;
use nalgebra::{DMatrix, DVector};
use ticketsense::linalg::dense::{gram, symmetric_eigen};
use ticketsense::networks::{Loss, Targets};
use ticketsense::support::Mask;
use ticketsense::table::Row;
use ticketsense::theory::gradient_descent::{optimal_rate, optimal_step};
use ticketsense::training::{Examples, Optimiser, Trainer, TrainingPlan};
use ticketsense::{Result, Seed};

/// Rows and columns of a least-squares problem: 255 masks.
const ROWS: usize = 24;
const ORDER: usize = 8;
/// Steps of a network's training beside its projected twin.
const STEPS: usize = 20;

/// What the masks of one size have in common.
#[derive(Clone, Debug)]
struct OfSize {
    masks: usize,
    steps: usize,
    different: usize,
    masked: f64,
    unmasked: f64,
    late: f64,
    distance: f64,
}

/// Descent on `½‖Aw − y‖²` under every mask, with the gradients at its end over `‖Aᵀy‖`.
pub(super) fn least_squares(problems: usize, seed: &Seed) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for number in 0..problems {
        let seed = seed.replicate(number as u64);
        let a = gaussian(ROWS, ORDER, &seed.stream("matrix")) / (ROWS as f64).sqrt();
        let y = gaussian(ROWS, 1, &seed.stream("data")).column(0).into_owned();
        let mut sizes = vec![
            OfSize {
                masks: 0,
                steps: 0,
                different: 0,
                masked: 0.0,
                unmasked: f64::INFINITY,
                late: f64::INFINITY,
                distance: 0.0,
            };
            ORDER + 1
        ];
        let whole = normal_equations(&a, &y, &Mask::full(ORDER))?.0;
        for bits in 1..1usize << ORDER {
            let mask = Mask::from_bits((0..ORDER).map(|i| bits >> i & 1 == 1).collect());
            masked_problem(&a, &y, &whole, &mask, &mut sizes[mask.kept()])?;
        }
        for (kept, of) in sizes.iter().enumerate().skip(1) {
            let part = kept < ORDER;
            rows.push(row_of(&[
                ("part", "projection".into()),
                ("family", "least squares".into()),
                ("number", number.into()),
                ("order", ORDER.into()),
                ("samples", ROWS.into()),
                ("kept", kept.into()),
                ("masks", of.masks.into()),
                ("steps", of.steps.into()),
                ("different", of.different.into()),
                ("masked_gradient", of.masked.into()),
                ("unmasked_gradient", part.then_some(of.unmasked).into()),
                ("late", part.then_some(of.late).into()),
                ("deviation", of.distance.into()),
            ])?);
        }
    }
    Ok(rows)
}

/// The least-squares solution on the kept coordinates, and the smallest and largest eigenvalue of its matrix.
fn normal_equations(a: &DMatrix<f64>, y: &DVector<f64>, mask: &Mask) -> Result<(DVector<f64>, f64, f64)> {
    let kept = mask.support();
    let part = a.select_columns(kept.indices());
    let (values, vectors) = symmetric_eigen(&gram(&part))?;
    let inner = vectors.transpose() * (part.transpose() * y);
    let solved = vectors * inner.component_div(&values);
    let mut whole = DVector::zeros(a.ncols());
    for (&j, &v) in kept.indices().iter().zip(solved.iter()) {
        whole[j] = v;
    }
    Ok((whole, values[0], values[values.len() - 1]))
}

fn masked_problem(
    a: &DMatrix<f64>,
    y: &DVector<f64>,
    whole: &DVector<f64>,
    mask: &Mask,
    of: &mut OfSize,
) -> Result<()> {
    let (solution, low, high) = normal_equations(a, y, mask)?;
    let (step, rate) = (optimal_step(low, high)?, optimal_rate(low, high)?);
    // As many steps as take the error below rounding, and one for a single coordinate.
    let steps = match rate > f64::EPSILON {
        true => (f64::EPSILON.ln() / rate.ln()).ceil() as usize,
        false => 1,
    };
    let transposed = a.transpose();
    let gradient = |w: &DVector<f64>| &transposed * (a * w - y);
    let (mut masked, mut projected) = (DVector::zeros(ORDER), DVector::zeros(ORDER));
    for _ in 0..steps {
        let (g, full) = (gradient(&masked), gradient(&projected));
        for (i, &keep) in mask.bits().iter().enumerate() {
            masked[i] -= step * f64::from(u8::from(keep)) * g[i];
        }
        projected -= step * full;
        mask.apply(projected.as_mut_slice())?;
        of.different += masked.iter().zip(projected.iter()).filter(|(m, p)| m != p).count();
    }
    let scale = (&transposed * y).norm();
    let (inside, outside) = split(gradient(&masked).as_slice(), mask);
    of.masks += 1;
    of.steps = of.steps.max(steps);
    of.masked = of.masked.max(inside / scale);
    of.unmasked = of.unmasked.min(outside / scale);
    of.distance = of.distance.max((masked - &solution).norm() / solution.norm());
    let mut late = whole.clone();
    mask.apply(late.as_mut_slice())?;
    of.late = of.late.min(split(gradient(&late).as_slice(), mask).0 / scale);
    Ok(())
}

/// Norms of a vector on the kept coordinates and on the others.
fn split(values: &[f64], mask: &Mask) -> (f64, f64) {
    let norm = |kept: bool| {
        let part = values.iter().zip(mask.bits()).filter(|(_, keep)| **keep == kept);
        part.map(|(v, _)| v * v).sum::<f64>().sqrt()
    };
    (norm(true), norm(false))
}

/// A network trained under a mask, beside the whole network put back onto the mask after every step, with full batches.
pub(super) fn network(pair: &Pair, name: &str, mask: &Mask, number: usize, rate: f64, seed: &Seed) -> Result<Vec<Row>> {
    let examples = Examples::labelled(&pair.inputs, &pair.labels);
    let full = pair.network.layout().full_mask();
    let mut start = pair.start.clone();
    mask.apply(&mut start)?;
    let samples = pair.inputs.rows();
    let (_, whole) = pair
        .network
        .gradient(&start, &pair.inputs, &pair.labels, Loss::Squared)?;
    let (inside, outside) = split(&whole, mask);
    let mut rows = Vec::new();
    for (at, optimiser, steps) in [
        ("one step", Optimiser::sgd(rate), 1),
        ("20 steps", Optimiser::sgd(rate), STEPS),
        ("20 steps of Adam", Optimiser::adam(3e-3), STEPS),
    ] {
        let plan = TrainingPlan {
            optimiser,
            loss: Loss::Squared,
            batch: samples,
            steps,
            evaluate_every: steps,
            ..TrainingPlan::default()
        };
        let masked = Trainer::new(&pair.network, plan.clone(), examples, examples, mask, seed)?.run(&start)?;
        let dense = Trainer::new(&pair.network, plan, examples, examples, &full, seed)?;
        let mut projected = dense.start(&start)?;
        let mut fits = Ok(());
        dense.advance_projected(&mut projected, steps, &mut |_, theta| {
            if let Err(e) = mask.apply(theta) {
                fits = Err(e);
            }
        })?;
        fits?;
        let mut late = dense.run(&start)?.theta;
        mask.apply(&mut late)?;
        let distance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let moved = distance(&masked.theta, &start);
        let different = masked
            .theta
            .iter()
            .zip(&projected.theta)
            .filter(|(a, b)| a != b)
            .count();
        rows.push(row_of(&[
            ("part", "projection".into()),
            ("family", format!("network, {name}").into()),
            ("at", at.into()),
            ("number", number.into()),
            ("kept", mask.kept().into()),
            ("samples", samples.into()),
            ("steps", steps.into()),
            ("different", different.into()),
            ("masked_gradient", (inside / (inside + outside)).into()),
            ("unmasked_gradient", (outside / (inside + outside)).into()),
            ("late", (distance(&late, &masked.theta) / moved).into()),
            ("deviation", (distance(&masked.theta, &projected.theta) / moved).into()),
            (
                "rounding",
                (steps == 1)
                    .then(|| rounding(pair, &start, rate, moved))
                    .transpose()?
                    .into(),
            ),
        ])?);
    }
    Ok(rows)
}

/// How far two orders of the sums of one gradient step may end apart, over the largest change: all terms of a path through the
/// network, m of them one after the other, round by `m ε` of the mean over samples of the absolute gradients of each sample.
/// The input layer, both activations and the loss are passed twice, forward and backward.
fn rounding(pair: &Pair, start: &[f64], rate: f64, moved: f64) -> Result<f64> {
    let samples = pair.inputs.rows();
    let mut absolute = vec![0.0; start.len()];
    for i in 0..samples {
        let one = ticketsense::networks::Array::new(1, pair.inputs.columns(), pair.inputs.row(i).to_vec())?;
        let labels = [pair.labels[i]];
        let targets: Targets<'_, f64> = Targets::Labels(&labels);
        let (_, gradient) = pair.network.gradient(start, &one, targets, Loss::Squared)?;
        for (a, g) in absolute.iter_mut().zip(gradient) {
            *a += g.abs() / samples as f64;
        }
    }
    let terms = 2 * (pair.inputs.columns() + pair.width + pair.network.classes()) + samples;
    let largest = absolute.into_iter().fold(0.0, f64::max);
    Ok(rate * largest * terms as f64 * f64::EPSILON / moved)
}
