//! The linear model: gradients and constant steps on Gaussian features, drawn and in closed form.

use super::{COLUMNS, GRADIENT, LARGEST, REST};
use crate::experiments::rows::row_of;
use nalgebra::{DMatrix, DVector};
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_distr::StandardNormal;
use ticketsense::harness::{Cell, Context};
use ticketsense::linalg::dense::symmetric_eigenvalues;
use ticketsense::statistics::Summary;
use ticketsense::table::Row;
use ticketsense::theory::gradient_noise::{
    largest_step, least_noise_scale, mean_squared_error, noise_scale, stability, stationary_error,
};
use ticketsense::{Error, Result, Seed};

/// Features of the gradients.
pub(super) const FEATURES: usize = 64;
/// The largest coefficient is 1, each next one so many times the one before: none is zero, so that every mask sees some
/// gradient.
const DECAY: f64 = 0.9;
/// Variance of the noise over that of the signal.
const NOISE: f64 = 0.1;
/// Correlation of neighbours, of the features that are not independent.
const CORRELATION: f64 = 0.5;
/// Samples of a replicate of the gradient.
const SAMPLES: usize = 128;

/// Features of the descent, and of its noise beside them.
pub(super) const DESCENT_FEATURES: usize = 32;

/// A linear model with Gaussian features of variance 1 and neighbours correlated by `correlation`.
pub(super) struct Model {
    pub coefficients: Vec<f64>,
    pub noise_variance: f64,
    pub correlation: f64,
}

impl Model {
    /// Coefficients of falling size at random places and with random signs.
    fn new(features: usize, correlation: f64, seed: &Seed) -> Self {
        let mut rng = seed.stream("signal").rng();
        let mut coefficients: Vec<f64> = (0..features)
            .map(|j| DECAY.powi(j as i32) * if rng.random::<bool>() { 1.0 } else { -1.0 })
            .collect();
        coefficients.shuffle(&mut rng);
        let squares: f64 = coefficients.iter().map(|c| c * c).sum();
        Model {
            coefficients,
            noise_variance: NOISE * squares,
            correlation,
        }
    }

    /// The places that a mask keeps: those of the largest coefficients, of the smallest, or a random choice that holds every
    /// smaller one.
    fn kept(&self, mask: &str, count: usize, seed: &Seed) -> Vec<usize> {
        let mut places: Vec<usize> = (0..self.coefficients.len()).collect();
        places.shuffle(&mut seed.stream("mask").rng());
        if mask != super::RANDOM {
            places.sort_by(|&a, &b| self.coefficients[b].abs().total_cmp(&self.coefficients[a].abs()));
            if mask != LARGEST {
                places.reverse();
            }
        }
        places.truncate(count);
        places.sort_unstable();
        places
    }

    fn covariance(&self, i: usize, j: usize) -> f64 {
        if i == j {
            1.0
        } else {
            self.correlation.powi(i.abs_diff(j) as i32)
        }
    }

    /// `Σ u`.
    fn correlate(&self, u: &[f64]) -> Vec<f64> {
        let entry = |i: usize| (0..u.len()).map(|j| self.covariance(i, j) * u[j]).sum();
        (0..u.len()).map(entry).collect()
    }

    fn covariance_of(&self, kept: &[usize]) -> DMatrix<f64> {
        DMatrix::from_fn(kept.len(), kept.len(), |i, j| self.covariance(kept[i], kept[j]))
    }

    /// The best linear prediction from the kept features, `Σ_SS⁻¹ (Σθ)_S`, with zeros elsewhere.
    pub(super) fn best_on(&self, kept: &[usize]) -> Result<Vec<f64>> {
        let all = self.correlate(&self.coefficients);
        let moments = DVector::from_iterator(kept.len(), kept.iter().map(|&j| all[j]));
        let solved = self
            .covariance_of(kept)
            .cholesky()
            .ok_or_else(|| Error::argument("covariance", "positive definite", "a matrix that is not"))?
            .solve(&moments);
        let mut weights = vec![0.0; self.coefficients.len()];
        for (&j, value) in kept.iter().zip(solved.iter()) {
            weights[j] = *value;
        }
        Ok(weights)
    }

    /// One sample: features into `x`; the label.
    fn sample(&self, x: &mut [f64], rng: &mut impl rand::Rng) -> f64 {
        let fresh = (1.0 - self.correlation * self.correlation).sqrt();
        for j in 0..x.len() {
            let normal: f64 = rng.sample(StandardNormal);
            x[j] = match j {
                0 => normal,
                _ => self.correlation * x[j - 1] + fresh * normal,
            };
        }
        let noise: f64 = rng.sample(StandardNormal);
        x.iter().zip(&self.coefficients).map(|(x, c)| x * c).sum::<f64>() + self.noise_variance.sqrt() * noise
    }
}

/// The moments behind the noise scale at some weights, in closed form.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moments {
    pub residual_variance: f64,
    pub trace: f64,
    pub squared_gradient: f64,
    pub largest_eigenvalue: f64,
}

impl Moments {
    pub(super) fn of(model: &Model, kept: &[usize], weights: &[f64]) -> Result<Self> {
        let error: Vec<f64> = model.coefficients.iter().zip(weights).map(|(c, w)| c - w).collect();
        let moments = model.correlate(&error);
        let lost: f64 = error.iter().zip(&moments).map(|(e, m)| e * m).sum();
        let eigenvalues = symmetric_eigenvalues(&model.covariance_of(kept))?;
        Ok(Moments {
            residual_variance: model.noise_variance + lost,
            trace: kept.len() as f64,
            squared_gradient: kept.iter().map(|&j| moments[j] * moments[j]).sum(),
            largest_eigenvalue: eigenvalues.iter().copied().fold(0.0, f64::max),
        })
    }
}

/// Gradients of one cell, against the closed form.
pub(super) fn gradient(cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
    let seed = context.seed(cell);
    let features = cell.text("features")?;
    let (mask, density, trained) = (cell.text("mask")?, cell.real("density")?, cell.real("trained")?);
    let model = Model::new(FEATURES, correlation(features), &seed);
    let count = (density * FEATURES as f64).round() as usize;
    let kept = model.kept(mask, count, &seed);
    let mut weights = model.best_on(&kept)?;
    weights.iter_mut().for_each(|w| *w *= trained);
    let moments = Moments::of(&model, &kept, &weights)?;
    let scale = noise_scale(moments.residual_variance, moments.trace, moments.squared_gradient)?;

    let replicates = context.scale().pick(60, 400, 4000);
    let (mut traces, mut squares, mut gaps) = (Vec::new(), Vec::new(), Vec::new());
    let mut x = vec![0.0; FEATURES];
    for replicate in 0..replicates {
        let mut rng = seed.stream("samples").replicate(replicate as u64).rng();
        let mut sum = vec![0.0; count];
        let mut total = 0.0;
        for _ in 0..SAMPLES {
            let label = model.sample(&mut x, &mut rng);
            let residual = label - x.iter().zip(&weights).map(|(x, w)| x * w).sum::<f64>();
            for (sum, &j) in sum.iter_mut().zip(&kept) {
                let entry = x[j] * residual;
                *sum += entry;
                total += entry * entry;
            }
        }
        let samples = SAMPLES as f64;
        let of_mean: f64 = sum.iter().map(|s| (s / samples).powi(2)).sum();
        // Both unbiased: the sum of sample variances, and the square of the mean without what its own noise adds.
        let trace = (total - samples * of_mean) / (samples - 1.0);
        let square = of_mean - trace / samples;
        traces.push(trace);
        squares.push(square);
        gaps.push(trace - scale * square);
    }
    let (trace, square, gap) = (Summary::of(&traces)?, Summary::of(&squares)?, Summary::of(&gaps)?);
    let row = row_of(
        COLUMNS,
        &[
            ("part", GRADIENT.into()),
            ("features", features.into()),
            ("mask", mask.into()),
            ("density", density.into()),
            ("kept", count.into()),
            ("trained", trained.into()),
            ("variance", moments.residual_variance.into()),
            ("trace", (scale * moments.squared_gradient).into()),
            ("squared_gradient", moments.squared_gradient.into()),
            ("scale", scale.into()),
            (
                "least_scale",
                least_noise_scale(moments.trace, moments.largest_eigenvalue)?.into(),
            ),
            ("replicates", replicates.into()),
            ("measured_trace", trace.mean.into()),
            ("trace_error", trace.standard_error().into()),
            ("measured_square", square.mean.into()),
            ("square_error", square.standard_error().into()),
            ("gap", gap.mean.into()),
            ("gap_error", gap.standard_error().into()),
        ],
    )?;
    Ok(vec![row])
}

/// Constant steps of one cell, against the closed form.
pub(super) fn rest(cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
    let seed = context.seed(cell);
    let (mask, count) = (cell.text("mask")?, cell.integer("kept")?);
    let (batch, share) = (cell.integer("batch")?, cell.real("share")?);
    let model = Model::new(DESCENT_FEATURES, 0.0, &seed);
    let kept = model.kept(mask, count, &seed);
    let optimum = model.best_on(&kept)?;
    // Independent features: what the others carry is noise to the kept ones.
    let variance = Moments::of(&model, &kept, &optimum)?.residual_variance;
    let step = share * largest_step(batch as u64, count as u64)?;
    let steps = steps(step, batch, count)?;
    let replicates = context.scale().pick(60, 600, 6000);
    let mut squares = Vec::with_capacity(replicates);
    let (mut x, mut gradient) = (vec![0.0; DESCENT_FEATURES], vec![0.0; count]);
    for replicate in 0..replicates {
        if replicate % 50 == 0 {
            context.check()?;
        }
        let mut rng = seed.stream("samples").replicate(replicate as u64).rng();
        // Deviations from the optimum, which is where the descent starts.
        let mut deviation = vec![0.0; count];
        for _ in 0..steps {
            gradient.fill(0.0);
            for _ in 0..batch {
                let mut residual = model.sample(&mut x, &mut rng);
                for (e, &j) in deviation.iter().zip(&kept) {
                    residual -= x[j] * (optimum[j] + e);
                }
                for (g, &j) in gradient.iter_mut().zip(&kept) {
                    *g += x[j] * residual / batch as f64;
                }
            }
            deviation.iter_mut().zip(&gradient).for_each(|(e, g)| *e += step * g);
        }
        squares.push(deviation.iter().map(|e| e * e).sum::<f64>());
    }
    let seen = Summary::of(&squares)?;
    let exact = |steps| mean_squared_error(step, batch as u64, variance, count as u64, 0.0, steps);
    let row = row_of(
        COLUMNS,
        &[
            ("part", REST.into()),
            ("mask", mask.into()),
            ("kept", count.into()),
            ("density", (count as f64 / DESCENT_FEATURES as f64).into()),
            ("batch", batch.into()),
            ("share", share.into()),
            ("step", step.into()),
            ("steps", (steps as usize).into()),
            ("variance", variance.into()),
            ("exact", exact(steps)?.into()),
            ("later", exact(4 * steps)?.into()),
            (
                "rest",
                stationary_error(step, batch as u64, variance, count as u64)?.into(),
            ),
            ("replicates", replicates.into()),
            ("measured", seen.mean.into()),
            ("measured_error", seen.standard_error().into()),
        ],
    )?;
    Ok(vec![row])
}

/// Steps after which a thousandth of the way to rest is left, or, beyond the stable steps, the noise has grown fourfold.
fn steps(step: f64, batch: usize, count: usize) -> Result<u64> {
    let factor = 1.0 - step * stability(step, batch as u64, count as u64)?;
    let goal: f64 = if factor < 1.0 { 1e-3 } else { 4.0 };
    Ok((goal.ln() / factor.ln()).ceil() as u64)
}

fn correlation(features: &str) -> f64 {
    if features == super::CORRELATED {
        CORRELATION
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drawn_features_have_the_covariance_that_the_closed_form_uses() {
        let seed = Seed::root(2);
        let model = Model::new(5, CORRELATION, &seed);
        let mut rng = seed.stream("test").rng();
        let (mut products, mut x, samples) = (DMatrix::<f64>::zeros(5, 5), vec![0.0; 5], 40_000);
        for _ in 0..samples {
            model.sample(&mut x, &mut rng);
            products += DMatrix::from_fn(5, 5, |i, j| x[i] * x[j] / samples as f64);
        }
        for i in 0..5 {
            for j in 0..5 {
                // A product has a variance of at most 2; five standard errors of its mean.
                let error = (2.0 / samples as f64).sqrt();
                assert!((products[(i, j)] - model.covariance(i, j)).abs() < 5.0 * error);
            }
        }
    }

    #[test]
    fn at_the_best_prediction_no_gradient_is_left_and_masks_keep_what_they_are_named_for() {
        let seed = Seed::root(3);
        let model = Model::new(FEATURES, CORRELATION, &seed);
        for mask in [LARGEST, super::super::RANDOM] {
            let kept = model.kept(mask, 24, &seed);
            let moments = Moments::of(&model, &kept, &model.best_on(&kept).unwrap()).unwrap();
            // Solved to rounding: a correlation of one half has a condition number of 9.
            assert!(moments.squared_gradient < 1e-24);
            assert!(moments.residual_variance > model.noise_variance - 1e-12);
            assert!(moments.largest_eigenvalue < 3.0 && moments.largest_eigenvalue > 1.0);
        }
        let extreme = |mask: &str| {
            let kept = model.kept(mask, 16, &seed);
            kept.iter().map(|&j| model.coefficients[j].abs()).collect::<Vec<_>>()
        };
        assert!(extreme(LARGEST).iter().all(|c| *c > DECAY.powf(15.5)));
        assert!(extreme(super::super::SMALLEST).iter().all(|c| *c < DECAY.powf(47.5)));
        let (few, many) = (
            model.kept(super::super::RANDOM, 8, &seed),
            model.kept(super::super::RANDOM, 32, &seed),
        );
        assert!(few.iter().all(|j| many.contains(j)));
    }
}
