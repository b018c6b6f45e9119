//! One noisy number, thresholded many times.

use super::row_of;
use rand::RngExt;
use rand_distr::StandardNormal;
use ticketsense::harness::Context;
use ticketsense::table::Row;
use ticketsense::theory::thresholding::{hard_threshold, soft_threshold};
use ticketsense::{Result, Seed};

/// The true values reach so far beyond the threshold, where hard thresholding has no bias left.
const BEYOND: f64 = 6.0;

/// Powers of the errors of one estimator, summed.
#[derive(Default)]
struct Moments {
    sums: [f64; 3],
    kept: usize,
}

impl Moments {
    fn add(&mut self, estimate: f64, mean: f64) {
        let error = estimate - mean;
        let square = error * error;
        self.sums[0] += error;
        self.sums[1] += square;
        self.sums[2] += square * square;
        self.kept += usize::from(estimate != 0.0);
    }
}

/// Both estimators on the same observations, at true values from 0 to beyond the threshold in steps of `step`.
pub(super) fn rows(threshold: f64, trials: usize, step: f64, context: &Context<'_>, seed: &Seed) -> Result<Vec<Row>> {
    let count = ((threshold + BEYOND) / step) as usize;
    let mut rows = Vec::with_capacity(2 * count + 2);
    for number in 0..=count {
        context.check()?;
        let mean = number as f64 * step;
        let mut rng = seed.replicate(number as u64).rng();
        let [mut soft, mut hard] = [Moments::default(), Moments::default()];
        for _ in 0..trials {
            let y = mean + rng.sample::<f64, _>(StandardNormal);
            soft.add(soft_threshold(y, threshold), mean);
            hard.add(hard_threshold(y, threshold), mean);
        }
        for (name, moments) in [("soft", soft), ("hard", hard)] {
            let n = trials as f64;
            let [bias, risk, fourth] = moments.sums.map(|s| s / n);
            let error = |second: f64, first: f64| ((second - first * first).max(0.0) / (n - 1.0)).sqrt();
            rows.push(row_of(&[
                ("part", "scalar".into()),
                ("estimator", name.into()),
                ("threshold", threshold.into()),
                ("mean", mean.into()),
                ("trials", trials.into()),
                ("kept", moments.kept.into()),
                ("bias", bias.into()),
                ("bias_error", error(risk, bias).into()),
                ("risk", risk.into()),
                ("risk_error", error(fourth, risk).into()),
            ])?);
        }
    }
    Ok(rows)
}
