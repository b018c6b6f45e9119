//! Where the modes of the tangent kernel predict the descent of a network, and where not: how large the residual is, how wide
//! the network, how long the step.

use super::network::{Pair, SAMPLES, STEP_SHARE, kept_weights};
use super::row_of;
use nalgebra::{DMatrix, DVector};
use ticketsense::harness::Context;
use ticketsense::linalg::dense::symmetric_eigen;
use ticketsense::linearize::{Biases, Linearisation, RowTransform};
use ticketsense::networks::{Array, Initialisation, Loss, Network};
use ticketsense::pruning::controls::random_mask;
use ticketsense::support::Mask;
use ticketsense::table::Row;
use ticketsense::{Result, Seed};

/// The residual at the start is divided by these: targets are moved towards the outputs.
pub(super) const SCALES: [f64; 4] = [1.0, 8.0, 64.0, 512.0];
/// The one of them at which steps near the largest stable one are taken too.
pub(super) const LAZY: f64 = 64.0;
/// When residuals are compared.
pub(super) const TIMES: [usize; 4] = [1, 10, 30, 100];
/// Steps as multiples of the largest stable one, and when the loss is looked at.
pub(super) const STABILITY: [f64; 2] = [0.9, 1.1];
pub(super) const STABILITY_TIMES: [usize; 3] = [5, 10, 100];
/// Hidden units of the networks that are compared by width.
pub(super) const WIDTHS: [usize; 3] = [12, 48, 192];

/// A kernel at a start, in its modes.
struct Modes {
    values: DVector<f64>,
    vectors: DMatrix<f64>,
    kernel: DMatrix<f64>,
    outputs: Array<f64>,
}

impl Modes {
    fn at(pair: &Pair, theta: &[f64], mask: &Mask) -> Result<Self> {
        let at = Linearisation::new(&pair.network, theta, &pair.inputs)?;
        let kernel = kernel(&at, mask)?;
        let (values, vectors) = symmetric_eigen(&kernel)?;
        Ok(Modes {
            values,
            vectors,
            kernel,
            outputs: at.outputs().clone(),
        })
    }

    fn largest(&self) -> f64 {
        self.values[self.values.len() - 1]
    }

    /// Targets whose residual is that of the labels over `scale`, and that residual.
    fn targets(&self, pair: &Pair, scale: f64) -> Result<(Array<f64>, DVector<f64>)> {
        let labels = Loss::Squared.targets::<f64>((&pair.labels).into(), pair.inputs.rows(), pair.network.classes())?;
        let residual = DVector::from_iterator(
            labels.as_slice().len(),
            self.outputs
                .as_slice()
                .iter()
                .zip(labels.as_slice())
                .map(|(f, t)| (f - t) / scale),
        );
        let classes = pair.network.classes();
        let outputs = self.outputs.as_slice();
        let targets = Array::from_fn(pair.inputs.rows(), classes, |i, c| {
            outputs[i * classes + c] - residual[i * classes + c]
        });
        Ok((targets, residual))
    }

    /// The residual after `time` steps of descent of the linear model.
    fn linear(&self, residual: &DVector<f64>, step: f64, time: usize) -> DVector<f64> {
        let mut modes = self.vectors.transpose() * residual;
        for (mode, value) in modes.iter_mut().zip(self.values.iter()) {
            *mode *= (1.0 - step * value).powi(time as i32);
        }
        &self.vectors * modes
    }
}

fn kernel(at: &Linearisation, mask: &Mask) -> Result<DMatrix<f64>> {
    Ok(at
        .jacobian(&mask.support(), RowTransform::Identity, Biases::Fixed)?
        .tangent_kernel())
}

/// Full-batch descent: the residuals at some times, and the last parameters.
fn descend(
    pair: &Pair,
    mut theta: Vec<f64>,
    mask: &Mask,
    targets: &Array<f64>,
    step: f64,
    times: &[usize],
) -> Result<(Vec<DVector<f64>>, Vec<f64>)> {
    let mut residuals = Vec::with_capacity(times.len());
    let last = times.last().copied().unwrap_or(0);
    for time in 0..=last {
        if times.contains(&time) {
            let outputs = pair.network.outputs(&theta, &pair.inputs)?;
            let difference = outputs.as_slice().iter().zip(targets.as_slice()).map(|(f, t)| f - t);
            residuals.push(DVector::from_iterator(targets.as_slice().len(), difference));
        }
        if time < last {
            let (_, gradient) = pair.network.gradient(&theta, &pair.inputs, targets, Loss::Squared)?;
            for ((w, g), keep) in theta.iter_mut().zip(&gradient).zip(mask.bits()) {
                if *keep {
                    *w -= step * g;
                }
            }
        }
    }
    Ok((residuals, theta))
}

/// Mean loss of a residual.
fn loss(residual: &DVector<f64>, pair: &Pair) -> f64 {
    0.5 * residual.norm_squared() / pair.inputs.rows() as f64
}

/// Descent with the residual of the start at every scale, beside the linear model. `step` is that on the sum over samples.
pub(super) fn scales(pair: &Pair, name: &str, mask: &Mask, number: usize, step: f64) -> Result<Vec<Row>> {
    compare(pair, "regime", name, mask, number, step, &SCALES)
}

fn compare(
    pair: &Pair,
    part: &str,
    name: &str,
    mask: &Mask,
    number: usize,
    step: f64,
    scales: &[f64],
) -> Result<Vec<Row>> {
    let mut start = pair.start.clone();
    mask.apply(&mut start)?;
    let modes = Modes::at(pair, &start, mask)?;
    let samples = pair.inputs.rows() as f64;
    let mut rows = Vec::new();
    for &scale in scales {
        let (targets, residual) = modes.targets(pair, scale)?;
        let (found, last) = descend(pair, start.clone(), mask, &targets, step * samples, &TIMES)?;
        let end = Linearisation::new(&pair.network, &last, &pair.inputs)?;
        let change = (kernel(&end, mask)? - &modes.kernel).norm() / modes.kernel.norm();
        for (&time, measured) in TIMES.iter().zip(&found) {
            let linear = modes.linear(&residual, step, time);
            rows.push(row_of(&[
                ("part", part.into()),
                ("family", name.into()),
                ("at", "own start".into()),
                ("number", number.into()),
                ("order", pair.width.into()),
                ("kept", kept_weights(&pair.network, mask).into()),
                ("scale", scale.into()),
                ("step", step.into()),
                ("steps", time.into()),
                ("predicted", (loss(&linear, pair) / loss(&residual, pair)).into()),
                ("measured", (loss(measured, pair) / loss(&residual, pair)).into()),
                ("deviation", ((measured - &linear).norm() / linear.norm()).into()),
                ("change", (time == TIMES[TIMES.len() - 1]).then_some(change).into()),
            ])?);
        }
    }
    Ok(rows)
}

/// Descent just below and just above the largest stable step `2/λ_max` of the network's own kernel.
pub(super) fn stability(pair: &Pair, name: &str, mask: &Mask, number: usize) -> Result<Vec<Row>> {
    let mut start = pair.start.clone();
    mask.apply(&mut start)?;
    let modes = Modes::at(pair, &start, mask)?;
    let samples = pair.inputs.rows() as f64;
    let mut rows = Vec::new();
    for scale in [SCALES[0], LAZY] {
        let (targets, residual) = modes.targets(pair, scale)?;
        for ratio in STABILITY {
            let step = ratio * 2.0 / modes.largest();
            // A run that leaves all finite numbers is told by missing values.
            let run = descend(pair, start.clone(), mask, &targets, step * samples, &STABILITY_TIMES).ok();
            let sharpness = match &run {
                Some((_, last)) => {
                    let end = Linearisation::new(&pair.network, last, &pair.inputs)?;
                    let values = ticketsense::linalg::dense::symmetric_eigenvalues(&kernel(&end, mask)?)?;
                    values.last().map(|largest| 0.5 * step * largest)
                }
                None => None,
            };
            for (place, &time) in STABILITY_TIMES.iter().enumerate() {
                let linear = modes.linear(&residual, step, time);
                let measured = run
                    .as_ref()
                    .map(|(found, _)| loss(&found[place], pair) / loss(&residual, pair));
                rows.push(row_of(&[
                    ("part", "stability".into()),
                    ("family", name.into()),
                    ("number", number.into()),
                    ("kept", kept_weights(&pair.network, mask).into()),
                    ("scale", scale.into()),
                    ("step_ratio", ratio.into()),
                    ("step", step.into()),
                    ("steps", time.into()),
                    ("predicted", (loss(&linear, pair) / loss(&residual, pair)).into()),
                    ("measured", measured.into()),
                    (
                        "change",
                        (place + 1 == STABILITY_TIMES.len())
                            .then_some(sharpness)
                            .flatten()
                            .into(),
                    ),
                ])?);
            }
        }
    }
    Ok(rows)
}

/// Networks of several widths at the same samples, whole and with a quarter of their weights at random places.
pub(super) fn widths(number: usize, context: &Context<'_>, seed: &Seed) -> Result<Vec<Row>> {
    let dataset = context.data()?;
    let chosen = dataset.stratified(SAMPLES, seed)?;
    let inputs: Array<f64> = dataset.batch::<f32>(&chosen)?.convert();
    let labels = dataset.labels_of(&chosen)?;
    let mut rows = Vec::new();
    for width in WIDTHS {
        context.check()?;
        let seed = seed.stream(width.to_string());
        let network = Network::preset(&format!("mlp:{width}:tanh"), inputs.columns(), dataset.classes())?;
        let start: Vec<f64> = network.initial(&seed, &Initialisation::LECUN)?;
        let layout = network.layout();
        let layers = layout.weight_ranges();
        let quarter: Vec<usize> = layers.iter().map(|range| range.len() / 4).collect();
        let random = random_mask(layout.len(), &layers, &quarter, &seed.stream("mask"))?;
        let full = layout.full_mask();
        let pair = Pair {
            network,
            start,
            inputs: inputs.clone(),
            labels: labels.clone(),
            width,
        };
        for (name, mask) in [("dense", &full), ("random", &random)] {
            let mut own = pair.start.clone();
            mask.apply(&mut own)?;
            // Each at the same share of its own stable step: the modes then shrink alike at every width.
            let step = STEP_SHARE * 2.0 / Modes::at(&pair, &own, mask)?.largest();
            rows.extend(compare(&pair, "width", name, mask, number, step, &SCALES[..1])?);
        }
    }
    Ok(rows)
}
