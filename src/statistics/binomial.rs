//! Exact inference on a proportion.

use super::distributions::{beta_quantile, incomplete_beta, two_sided_normal};
use super::{Interval, require_level};
use crate::error::{Error, Result};

/// So many successes in so many independent trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BinomialCount {
    successes: u64,
    trials: u64,
}

impl BinomialCount {
    /// A count.
    ///
    /// # Errors
    /// [`Error::Argument`] for no trials, or more successes than trials.
    pub fn new(successes: u64, trials: u64) -> Result<Self> {
        if trials == 0 {
            return Err(Error::argument("trials", "at least 1", trials));
        }
        if successes > trials {
            return Err(Error::argument(
                "successes",
                format!("at most {trials} trials"),
                successes,
            ));
        }
        Ok(BinomialCount { successes, trials })
    }

    /// The observed proportion.
    pub fn proportion(&self) -> f64 {
        self.successes as f64 / self.trials as f64
    }

    /// Number of successes.
    pub fn successes(&self) -> u64 {
        self.successes
    }

    /// Number of trials.
    pub fn trials(&self) -> u64 {
        self.trials
    }

    /// The Clopper-Pearson interval: covers the true probability with probability at least 1 − `level`, for every
    /// number of trials; one-sided ends at 0 and at all successes are exactly 0 and 1.
    ///
    /// Its ends are beta quantiles, found by bisection; about 60 incomplete beta functions each.
    ///
    /// ```
    /// use ticketsense::statistics::BinomialCount;
    /// let interval = BinomialCount::new(7, 20)?.interval(0.05)?;
    /// assert!((interval.lower - 0.153_909_204_784_541).abs() < 1e-12);
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Argument`] for a level outside `(0, 1)`.
    pub fn interval(&self, level: f64) -> Result<Interval> {
        require_level(level)?;
        let (k, failures) = (self.successes as f64, (self.trials - self.successes) as f64);
        let tail = 0.5 * level;
        // No failure (no success) leaves p^T (or (1−p)^T), which inverts without a search.
        let extreme = -(tail.ln() / self.trials as f64).exp_m1();
        let lower = match (self.successes, self.trials - self.successes) {
            (0, _) => 0.0,
            (_, 0) => 1.0 - extreme,
            _ => beta_quantile(k, failures + 1.0, tail, false)?,
        };
        let upper = match (self.successes, self.trials - self.successes) {
            (_, 0) => 1.0,
            (0, _) => extreme,
            _ => beta_quantile(k + 1.0, failures, tail, true)?,
        };
        Ok(Interval { lower, upper })
    }

    /// `P(X ≤ k)` and `P(X ≥ k)` under the probability π.
    fn tails(&self, probability: f64) -> Result<(f64, f64)> {
        let (k, n) = (self.successes as f64, self.trials as f64);
        let complement = 1.0 - probability;
        let at_most = if self.successes == self.trials {
            1.0
        } else {
            incomplete_beta(n - k, k + 1.0, complement, probability)?.0
        };
        let at_least = if self.successes == 0 {
            1.0
        } else {
            incomplete_beta(k, n - k + 1.0, probability, complement)?.0
        };
        Ok((at_most, at_least))
    }

    /// The two-sided p-value of a known probability, twice the smaller tail: at most `level` exactly where the
    /// Clopper-Pearson interval of that level excludes the probability.
    ///
    /// # Errors
    /// [`Error::Argument`] for a probability outside `[0, 1]`.
    pub fn p_value(&self, probability: f64) -> Result<f64> {
        if !(0.0..=1.0).contains(&probability) {
            return Err(Error::argument("probability", "a number in [0, 1]", probability));
        }
        let (at_most, at_least) = self.tails(probability)?;
        Ok((2.0 * at_most.min(at_least)).min(1.0))
    }

    /// Whether the exact two-sided test at `level` rejects a known probability.
    ///
    /// # Errors
    /// [`Error::Argument`] for a probability outside `[0, 1]` or a level outside `(0, 1)`.
    pub fn rejects(&self, probability: f64, level: f64) -> Result<bool> {
        require_level(level)?;
        Ok(self.p_value(probability)? <= level)
    }
}

/// The probability that the exact test of `null` at `level` rejects in `trials` trials when the truth is `truth`.
///
/// Exact: the two ends of the acceptance region by bisection over counts, about `2 log₂(trials)` tail probabilities.
///
/// # Errors
/// [`Error::Argument`] for probabilities outside `[0, 1]`, no trials or a level outside `(0, 1)`.
pub fn power(null: f64, truth: f64, trials: u64, level: f64) -> Result<f64> {
    require_level(level)?;
    BinomialCount::new(0, trials)?.p_value(null)?;
    let half = 0.5 * level;
    // The number of lowest (of highest) counts whose own tail under the null is at most half the level.
    let rejected = |low: bool| -> Result<u64> {
        let rejects = |index: u64| -> Result<bool> {
            let successes = if low { index } else { trials - index };
            let (at_most, at_least) = BinomialCount { successes, trials }.tails(null)?;
            Ok(if low { at_most } else { at_least } <= half)
        };
        let (mut inside, mut outside) = (0_u64, trials + 1);
        // Invariant: the first `inside` counts are rejected, count number `outside` is not (or does not exist).
        while inside < outside {
            let middle = inside + (outside - inside) / 2;
            if middle <= trials && rejects(middle)? {
                inside = middle + 1;
            } else {
                outside = middle;
            }
        }
        Ok(inside)
    };
    let (low, high) = (rejected(true)?, rejected(false)?);
    let mut total = 0.0;
    if low > 0 {
        total += BinomialCount {
            successes: low - 1,
            trials,
        }
        .tails(truth)?
        .0;
    }
    if high > 0 {
        total += BinomialCount {
            successes: trials - (high - 1),
            trials,
        }
        .tails(truth)?
        .1;
    }
    Ok(total.min(1.0))
}

/// Trials after which the half-width `z √(π₀(1−π₀)/T)` of an interval at `level` is below `gap`, the distance to the
/// rival hypothesis.
///
/// # Errors
/// [`Error::Argument`] for a probability outside `[0, 1]`, a gap that is not positive or a level outside `(0, 1)`.
pub fn trials_for_gap(probability: f64, gap: f64, level: f64) -> Result<u64> {
    let z = two_sided_normal(level)?;
    if !(0.0..=1.0).contains(&probability) {
        return Err(Error::argument("probability", "a number in [0, 1]", probability));
    }
    if !(gap > 0.0 && gap.is_finite()) {
        return Err(Error::argument("gap", "a positive number", gap));
    }
    let trials = (z / gap) * (z / gap) * probability * (1.0 - probability);
    if trials < 9e15 {
        Ok(trials.floor() as u64 + 1)
    } else {
        Err(Error::argument("gap", "a gap that fewer than 9e15 trials resolve", gap))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn intervals_match_beta_quantiles() {
        // scipy 1.17.1: stats.beta.ppf(level/2, k, n-k+1), stats.beta.ppf(1-level/2, k+1, n-k).
        for (k, n, level, lower, upper) in [
            (0, 50, 0.05, 0.0, 0.071_121_736_464_197_64),
            (50, 50, 0.05, 0.928_878_263_535_802_4, 1.0),
            (7, 20, 0.05, 0.153_909_204_784_541_18, 0.592_188_534_532_832_8),
            (1, 1000, 0.001, 5.001_249_166_197_902e-7, 0.009_953_814_340_950_932),
            (500_000, 1_000_000, 0.001, 0.498_354_241_502_883, 0.501_645_758_497_117),
        ] {
            let interval = BinomialCount::new(k, n).unwrap().interval(level).unwrap();
            // The origin's quantiles are good to about 1e-12.
            assert!((interval.lower - lower).abs() <= 2e-12 * lower, "{k}/{n}: {interval:?}");
            assert!((interval.upper - upper).abs() <= 2e-12 * upper, "{k}/{n}: {interval:?}");
        }
    }

    #[test]
    fn coverage_by_enumeration_is_never_below_one_minus_the_level() {
        let (trials, level) = (25, 0.1);
        let intervals: Vec<Interval> = (0..=trials)
            .map(|k| BinomialCount::new(k, trials).unwrap().interval(level).unwrap())
            .collect();
        for step in 0..=200 {
            let probability = f64::from(step) / 200.0;
            let mut law = vec![0.0; trials as usize + 1];
            law[0] = 1.0;
            for done in 0..trials as usize {
                for k in (0..=done + 1).rev() {
                    let from_below = if k > 0 { law[k - 1] * probability } else { 0.0 };
                    law[k] = law[k] * (1.0 - probability) + from_below;
                }
            }
            let covered: f64 = law
                .iter()
                .zip(&intervals)
                .filter(|(_, i)| i.contains(probability))
                .map(|(p, _)| p)
                .sum();
            assert!(covered >= 1.0 - level - 1e-12, "{probability}: {covered}");
        }
    }

    #[test]
    fn power_is_the_summed_law_of_the_rejected_counts() {
        let (null, truth, trials, level) = (0.5_f64, 0.7_f64, 60_u64, 0.05);
        let mut direct = 0.0;
        for k in 0..=trials {
            let count = BinomialCount::new(k, trials).unwrap();
            if count.rejects(null, level).unwrap() {
                direct += (crate::theory::special::ln_choose(trials, k)
                    + k as f64 * truth.ln()
                    + (trials - k) as f64 * (1.0 - truth).ln())
                .exp();
            }
        }
        let power = power(null, truth, trials, level).unwrap();
        assert!((power - direct).abs() < 1e-13, "{power} {direct}");
        assert!(power > 0.8);
        // Under the null itself the test keeps its level.
        assert!(super::power(null, null, trials, level).unwrap() <= level);
        // A null of 0 is refuted by a single success.
        assert!((super::power(0.0, 0.1, 10, level).unwrap() - (1.0 - 0.9_f64.powi(10))).abs() < 1e-14);
    }

    #[test]
    fn the_needed_trials_resolve_the_gap() {
        let trials = trials_for_gap(0.3, 0.01, 1e-3).unwrap();
        let half_width = |t: u64| two_sided_normal(1e-3).unwrap() * (0.21 / t as f64).sqrt();
        assert!(half_width(trials) < 0.01 && half_width(trials - 2) > 0.01);
        assert!(trials_for_gap(0.3, 0.0, 1e-3).is_err());
    }

    #[test]
    fn impossible_counts_are_refused() {
        assert!(BinomialCount::new(0, 0).is_err());
        assert!(BinomialCount::new(3, 2).is_err());
        assert!(BinomialCount::new(1, 2).unwrap().interval(0.0).is_err());
        assert!(BinomialCount::new(1, 2).unwrap().p_value(f64::NAN).is_err());
    }

    proptest! {
        #[test]
        fn the_test_rejects_exactly_outside_the_interval(
            trials in 1_u64..5000, part in 0.0_f64..=1.0, probability in 0.0_f64..=1.0, level in 1e-6_f64..0.5,
        ) {
            let count = BinomialCount::new((part * trials as f64) as u64, trials).unwrap();
            let interval = count.interval(level).unwrap();
            let distance = (probability - interval.lower).abs().min((probability - interval.upper).abs());
            prop_assume!(distance > 1e-12);
            prop_assert_eq!(count.rejects(probability, level).unwrap(), !interval.contains(probability));
            prop_assert!(interval.contains(count.proportion()));
        }
    }
}
