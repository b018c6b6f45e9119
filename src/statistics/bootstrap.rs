//! Bootstrap intervals of any statistic.

use super::distributions::normal_quantile;
use super::summary::{quantile_of_sorted, require_sample};
use super::{Interval, require_level};
use crate::error::{Error, Result};
use crate::seed::Seed;
use crate::theory::special::normal_probability;
use rand::RngExt;

/// How the resampled statistics become an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BootstrapKind {
    /// Their plain quantiles.
    Percentile,
    /// Quantiles corrected for bias and for a variance that changes with the statistic (Efron 1987).
    BiasCorrectedAccelerated,
}

/// An interval for `statistic` by resampling `values` with replacement.
///
/// Deterministic in the seed. Cost: `resamples` evaluations of the statistic, and n more for the acceleration.
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::statistics::{BootstrapKind, bootstrap_interval, median};
/// let values: Vec<f64> = (0..50).map(f64::from).collect();
/// let middle = |sample: &[f64]| median(sample).unwrap_or(f64::NAN);
/// let kind = BootstrapKind::BiasCorrectedAccelerated;
/// let interval = bootstrap_interval(&values, middle, kind, 0.05, 2000, &Seed::root(0))?;
/// assert!(interval.contains(24.5));
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for fewer than two values, fewer than 100 resamples or a level outside `(0, 1)`,
/// [`Error::NotFinite`], and [`Error::Numerical`] when the statistic of some resample is not finite.
pub fn bootstrap_interval(
    values: &[f64],
    statistic: impl Fn(&[f64]) -> f64,
    kind: BootstrapKind,
    level: f64,
    resamples: usize,
    seed: &Seed,
) -> Result<Interval> {
    require_sample("sample", values, 2)?;
    let of = |units: &[usize]| {
        let sample: Vec<f64> = units.iter().map(|&unit| values[unit]).collect();
        statistic(&sample)
    };
    bootstrap_units(values.len(), of, kind, level, resamples, seed)
}

/// As [`bootstrap_interval`] for units that are more than one number each, such as networks with all that was measured of
/// them: `statistic` is given the numbers of the drawn units, `0 … units − 1`, some of them several times.
///
/// # Errors
/// As [`bootstrap_interval`].
pub fn bootstrap_units(
    units: usize,
    statistic: impl Fn(&[usize]) -> f64,
    kind: BootstrapKind,
    level: f64,
    resamples: usize,
    seed: &Seed,
) -> Result<Interval> {
    if units < 2 {
        return Err(Error::argument("units", "at least 2", units));
    }
    require_level(level)?;
    if resamples < 100 {
        return Err(Error::argument("resamples", "at least 100", resamples));
    }
    let finite = |value: f64| match value.is_finite() {
        true => Ok(value),
        false => Err(Error::numerical(
            "bootstrap",
            format!("the statistic of a resample is {value}"),
        )),
    };
    let mut rng = seed.rng();
    let mut sample = vec![0; units];
    let mut replicates = Vec::with_capacity(resamples);
    for _ in 0..resamples {
        for entry in &mut sample {
            *entry = rng.random_range(0..units);
        }
        replicates.push(finite(statistic(&sample))?);
    }
    replicates.sort_by(f64::total_cmp);
    let (mut low, mut high) = (0.5 * level, 1.0 - 0.5 * level);
    if kind == BootstrapKind::BiasCorrectedAccelerated && replicates[0] < replicates[resamples - 1] {
        let observed = finite(statistic(&(0..units).collect::<Vec<_>>()))?;
        // Replicates equal to the observed value count half, as for a statistic with ties it must be.
        let below = replicates.partition_point(|r| *r < observed);
        let not_above = replicates.partition_point(|r| *r <= observed);
        let share = 0.5 * (below + not_above) as f64 / resamples as f64;
        // An observed value outside all replicates is held half a replicate inside.
        let inside = 0.5 / resamples as f64;
        let bias = normal_quantile(share.clamp(inside, 1.0 - inside))?;
        let acceleration = acceleration(units, &statistic, finite)?;
        let adjust = |probability: f64| -> Result<f64> {
            let shifted = bias + normal_quantile(probability)?;
            let stretched = 1.0 - acceleration * shifted;
            // A stretch through zero sends the end to the edge of the replicates.
            let z = if stretched > 0.0 {
                bias + shifted / stretched
            } else {
                shifted.signum() * f64::INFINITY
            };
            Ok(normal_probability(z))
        };
        (low, high) = (adjust(low)?, adjust(high)?);
    }
    Ok(Interval {
        lower: quantile_of_sorted(&replicates, low),
        upper: quantile_of_sorted(&replicates, high),
    })
}

/// The acceleration `Σd³/(6(Σd²)^{3/2})` from the jackknife, `d` = mean less value of the leave-one-out statistics.
fn acceleration(
    units: usize,
    statistic: &impl Fn(&[usize]) -> f64,
    finite: impl Fn(f64) -> Result<f64>,
) -> Result<f64> {
    let mut left = Vec::with_capacity(units);
    let mut jackknife = Vec::with_capacity(units);
    for out in 0..units {
        left.clear();
        left.extend((0..units).filter(|unit| *unit != out));
        jackknife.push(finite(statistic(&left))?);
    }
    let mean = jackknife.iter().sum::<f64>() / jackknife.len() as f64;
    let moment = |power: i32| jackknife.iter().map(|j| (mean - j).powi(power)).sum::<f64>();
    let squares = moment(2);
    Ok(if squares > 0.0 {
        moment(3) / (6.0 * squares.powf(1.5))
    } else {
        0.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_distr::{Distribution, Exp1};

    fn mean(sample: &[f64]) -> f64 {
        sample.iter().sum::<f64>() / sample.len() as f64
    }

    #[test]
    fn the_percentile_interval_of_a_mean_matches_its_exact_resampling_law() {
        // Of the values 0 and 1 (five each) the resampled mean is Binomial(10, 1/2)/10: P(X ≤ 1) = 11/1024,
        // P(X ≤ 2) = 56/1024, so the 2.5 % quantile is 0.2 and the 97.5 % quantile 0.8.
        let values = [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0];
        let seed = Seed::root(0).stream("binary");
        let interval = bootstrap_interval(&values, mean, BootstrapKind::Percentile, 0.05, 20_000, &seed).unwrap();
        assert!(
            (interval.lower - 0.2).abs() < 1e-12 && (interval.upper - 0.8).abs() < 1e-12,
            "{interval:?}"
        );
    }

    #[test]
    fn the_corrected_interval_of_a_skewed_mean_has_its_known_ends() {
        // For a mean, bias 0 and acceleration a = skewness/(6√n); the corrected ends are the quantiles at
        // Φ(z/(1 − az)), above the plain ones on both sides for positive skewness.
        let values: Vec<f64> = (0..40).map(|i| (f64::from(i) / 8.0).exp()).collect();
        let seed = Seed::root(1).stream("skewed");
        let run = |kind| bootstrap_interval(&values, mean, kind, 0.1, 20_000, &seed).unwrap();
        let plain = run(BootstrapKind::Percentile);
        let corrected = run(BootstrapKind::BiasCorrectedAccelerated);
        assert!(
            corrected.lower > plain.lower && corrected.upper > plain.upper,
            "{plain:?} {corrected:?}"
        );
        let centre = mean(&values);
        let moment = |power| values.iter().map(|v| (v - centre).powi(power)).sum::<f64>();
        let by_skewness = moment(3) / (6.0 * moment(2).powf(1.5));
        let jackknife = acceleration(
            values.len(),
            &|units: &[usize]| mean(&units.iter().map(|&u| values[u]).collect::<Vec<_>>()),
            Ok,
        )
        .unwrap();
        assert!((jackknife / by_skewness - 1.0).abs() < 1e-10);
    }

    #[test]
    fn the_corrected_interval_covers_a_skewed_mean_about_as_promised() {
        let seed = Seed::root(2).stream("coverage");
        let trials = 400;
        let covered = (0..trials)
            .filter(|&t| {
                let mut rng = seed.replicate(t).rng();
                let values: Vec<f64> = (0..40).map(|_| Exp1.sample(&mut rng)).collect();
                let kind = BootstrapKind::BiasCorrectedAccelerated;
                let stream = seed.stream("resample").replicate(t);
                bootstrap_interval(&values, mean, kind, 0.1, 400, &stream)
                    .unwrap()
                    .contains(1.0)
            })
            .count() as u64;
        // Second-order correct: within O(1/n) = 0.025 of 0.9, which the exact test at level 1e-3 must not refute.
        let count = super::super::BinomialCount::new(covered, trials).unwrap();
        assert!(!count.rejects(0.875, 1e-3).unwrap(), "{covered}");
    }

    #[test]
    fn a_constant_sample_has_a_point_interval_and_seeds_repeat() {
        let seed = Seed::root(3);
        let kind = BootstrapKind::BiasCorrectedAccelerated;
        let interval = bootstrap_interval(&[2.0; 5], mean, kind, 0.05, 100, &seed).unwrap();
        assert_eq!(interval, Interval { lower: 2.0, upper: 2.0 });
        let values = [1.0, 4.0, 2.0, 8.0];
        let run = |seed: &Seed| bootstrap_interval(&values, mean, kind, 0.05, 500, seed).unwrap();
        assert_eq!(run(&seed), run(&seed));
    }

    #[test]
    fn bad_input_is_refused() {
        let seed = Seed::root(4);
        let run = |values: &[f64], level, resamples| {
            bootstrap_interval(values, mean, BootstrapKind::Percentile, level, resamples, &seed)
        };
        assert!(run(&[1.0], 0.05, 500).is_err());
        assert!(run(&[1.0, f64::NAN], 0.05, 500).is_err());
        assert!(run(&[1.0, 2.0], 0.0, 500).is_err());
        assert!(run(&[1.0, 2.0], 0.05, 10).is_err());
        let broken = |_: &[f64]| f64::NAN;
        assert!(bootstrap_interval(&[1.0, 2.0], broken, BootstrapKind::Percentile, 0.05, 500, &seed).is_err());
    }
}
