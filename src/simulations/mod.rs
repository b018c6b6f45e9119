//! Random systems without training, simulated or solved exactly, for the claims that a closed form makes about them.
//!
//! Everything is a pure function of its arguments and `&Seed`; replicate `t` draws from `seed.replicate(t)`, so that
//! more replicates extend a run and never change it.

mod coin;
pub mod dynamic_sparsity;
pub mod percolation;
pub mod propagation;
pub mod subset_sum;

use crate::error::{Error, Result};
use crate::outcome::{Certainty, Estimate};

/// The mean of independent replicates with its standard error; needs at least two.
fn sample_mean(values: &[f64]) -> Result<Estimate<f64>> {
    let count = values.len();
    if count < 2 {
        return Err(Error::argument("replicates", "at least 2", count));
    }
    let n = count as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.0);
    let certainty = Certainty::Sampled {
        standard_error: (variance / n).sqrt(),
        replicates: count,
    };
    Ok(Estimate::new(mean, certainty, 0.0))
}

/// A proportion with its standard error `√(π(1 − π)/T)`.
///
/// The standard error of 0 or T successes is 0, which says nothing about the truth: judge a proportion by its counts
/// and an exact binomial interval.
fn proportion(successes: usize, trials: usize) -> Estimate<f64> {
    let value = successes as f64 / trials as f64;
    let certainty = Certainty::Sampled {
        standard_error: (value * (1.0 - value) / trials as f64).sqrt(),
        replicates: trials,
    };
    Estimate::new(value, certainty, 0.0)
}

fn require_probability(name: &str, value: f64) -> Result<()> {
    if (0.0..=1.0).contains(&value) {
        Ok(())
    } else {
        Err(Error::argument(name, "a probability in [0, 1]", value))
    }
}

fn require_between(name: &str, value: usize, least: usize, most: usize) -> Result<()> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(Error::argument(name, format!("{least} to {most}"), value))
    }
}

#[cfg(test)]
mod judging {
    //! Tolerances for the tests of simulations.

    use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, Normal};

    /// Whether a count of successes is one that probability `truth` brings forth: neither tail of the binomial law
    /// beyond the count is below `level / 2`.
    pub(crate) fn plausible(successes: usize, trials: usize, truth: f64, level: f64) -> bool {
        if truth <= 0.0 || truth >= 1.0 {
            return successes == if truth <= 0.0 { 0 } else { trials };
        }
        let law = Binomial::new(truth, trials as u64).unwrap();
        let k = successes as u64;
        let upper = if k == 0 { 1.0 } else { law.sf(k - 1) };
        law.cdf(k).min(upper) >= level / 2.0
    }

    /// The number of standard errors that a normal deviate exceeds in size with probability `level`.
    pub(crate) fn deviations(level: f64) -> f64 {
        Normal::standard().inverse_cdf(1.0 - level / 2.0)
    }

    #[test]
    fn the_judge_refuses_a_wrong_probability_and_accepts_the_right_one() {
        assert!(plausible(500, 1000, 0.5, 1e-3));
        assert!(!plausible(560, 1000, 0.5, 1e-3));
        assert!(!plausible(440, 1000, 0.5, 1e-3));
        assert!(plausible(0, 1000, 0.0, 1e-3) && !plausible(1, 1000, 0.0, 1e-3));
        // The 97.5 % point of the normal law from any table.
        assert!((deviations(0.05) - 1.959964).abs() < 1e-6);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_error_is_that_of_the_mean() {
        // Values 1, 2, 3, 4: mean 5/2, variance 5/3, standard error √(5/12).
        let estimate = sample_mean(&[1.0, 2.0, 3.0, 4.0]).unwrap();
        assert_eq!(estimate.value, 2.5);
        let Certainty::Sampled {
            standard_error,
            replicates,
        } = estimate.certainty
        else {
            panic!("a sample mean is sampled")
        };
        assert_eq!(replicates, 4);
        assert!((standard_error - (5.0f64 / 12.0).sqrt()).abs() < 1e-15);
        assert!(sample_mean(&[1.0]).is_err());
    }
}
