//! Means, quantiles and their errors.

use super::Interval;
use super::distributions::{two_sided_normal, two_sided_student};
use crate::error::{Error, Result, require_finite};

/// The size, mean and spread of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Number of values.
    pub count: usize,
    /// Arithmetic mean.
    pub mean: f64,
    /// Sample standard deviation, with n − 1; NaN for a single value.
    pub standard_deviation: f64,
}

impl Summary {
    /// Summarises a sample, by a running mean that does not cancel.
    ///
    /// ```
    /// let summary = ticketsense::statistics::Summary::of(&[1.0, 2.0, 3.0, 4.0])?;
    /// assert_eq!(summary.mean, 2.5);
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Argument`] for an empty sample, [`Error::NotFinite`].
    pub fn of(values: &[f64]) -> Result<Self> {
        require_sample("sample", values, 1)?;
        let (mut mean, mut squares) = (0.0, 0.0);
        for (index, &value) in values.iter().enumerate() {
            let distance = value - mean;
            mean += distance / (index + 1) as f64;
            squares += distance * (value - mean);
        }
        let count = values.len();
        let standard_deviation = if count > 1 {
            (squares / (count - 1) as f64).sqrt()
        } else {
            f64::NAN
        };
        Ok(Summary {
            count,
            mean,
            standard_deviation,
        })
    }

    /// The standard error of the mean, `s/√n`; NaN for a single value.
    pub fn standard_error(&self) -> f64 {
        self.standard_deviation / (self.count as f64).sqrt()
    }

    /// The Student interval of the mean.
    ///
    /// # Errors
    /// [`Error::Argument`] for fewer than two values or a level outside `(0, 1)`.
    pub fn interval(&self, level: f64) -> Result<Interval> {
        if self.count < 2 {
            return Err(Error::argument("sample", "at least 2 values", self.count));
        }
        let half = two_sided_student(level, (self.count - 1) as f64)? * self.standard_error();
        Ok(Interval {
            lower: self.mean - half,
            upper: self.mean + half,
        })
    }

    /// How far a mean of known law may lie from its expectation at `level` split over `cells` comparisons:
    /// `z_{level/cells} s/√n`, for samples of at least 30.
    ///
    /// # Errors
    /// [`Error::Argument`] for fewer than 30 values, no cells or a level outside `(0, 1)`.
    pub fn tolerance(&self, level: f64, cells: usize) -> Result<f64> {
        if self.count < 30 {
            return Err(Error::argument("sample", "at least 30 values", self.count));
        }
        if cells == 0 {
            return Err(Error::argument("cells", "at least 1", cells));
        }
        Ok(two_sided_normal(level / cells as f64)? * self.standard_error())
    }
}

/// Refuses a sample with fewer than `least` values or one that is not finite.
pub(super) fn require_sample(name: &str, values: &[f64], least: usize) -> Result<()> {
    if values.len() < least {
        return Err(Error::argument(name, format!("at least {least} values"), values.len()));
    }
    require_finite(name, values)
}

/// The quantile of a sample, linear between order statistics at `(n−1)q` (Hyndman and Fan's type 7).
///
/// # Errors
/// [`Error::Argument`] for an empty sample or q outside `[0, 1]`, [`Error::NotFinite`].
pub fn quantile(values: &[f64], q: f64) -> Result<f64> {
    require_sample("sample", values, 1)?;
    if !(0.0..=1.0).contains(&q) {
        return Err(Error::argument("quantile", "a number in [0, 1]", q));
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    Ok(quantile_of_sorted(&sorted, q))
}

pub(super) fn quantile_of_sorted(sorted: &[f64], q: f64) -> f64 {
    let position = q * (sorted.len() - 1) as f64;
    let below = (position.floor() as usize).min(sorted.len() - 1);
    let above = (below + 1).min(sorted.len() - 1);
    let weight = position - below as f64;
    if weight == 0.0 {
        sorted[below]
    } else {
        sorted[below] * (1.0 - weight) + sorted[above] * weight
    }
}

/// The median of a sample.
///
/// # Errors
/// [`Error::Argument`] for an empty sample, [`Error::NotFinite`].
pub fn median(values: &[f64]) -> Result<f64> {
    quantile(values, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantiles_match_an_independent_implementation() {
        // numpy: numpy.quantile([1, 4, 2, 8, 5, 7], q).
        let sample = [1.0, 4.0, 2.0, 8.0, 5.0, 7.0];
        for (q, exact) in [(0.0, 1.0), (0.1, 1.5), (0.25, 2.5), (0.5, 4.5), (0.9, 7.5), (1.0, 8.0)] {
            assert!((quantile(&sample, q).unwrap() - exact).abs() < 1e-15 * 8.0);
        }
        assert_eq!(median(&[3.0]).unwrap(), 3.0);
        assert!(median(&[]).is_err());
        assert!(median(&[f64::NAN]).is_err());
        assert!(quantile(&sample, 1.5).is_err());
    }

    #[test]
    fn a_large_offset_does_not_destroy_the_spread() {
        let summary = Summary::of(&[1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0]).unwrap();
        assert_eq!(summary.mean, 1e9 + 10.0);
        assert!((summary.standard_deviation - 30_f64.sqrt()).abs() < 1e-7);
        assert!(Summary::of(&[1.0]).unwrap().standard_error().is_nan());
        assert!(Summary::of(&[1.0]).unwrap().interval(0.05).is_err());
    }

    #[test]
    fn tolerances_need_thirty_values_and_widen_with_the_cells() {
        let many: Vec<f64> = (0..100).map(|i| f64::from(i % 7)).collect();
        let summary = Summary::of(&many).unwrap();
        let one = summary.tolerance(1e-3, 1).unwrap();
        assert!((one / summary.standard_error() - 3.290_526_731_491_926).abs() < 1e-12);
        assert!(summary.tolerance(1e-3, 50).unwrap() > one);
        assert!(Summary::of(&many[..29]).unwrap().tolerance(1e-3, 1).is_err());
    }

    proptest! {
        #[test]
        fn the_running_mean_agrees_with_two_passes(values in prop::collection::vec(-10.0_f64..10.0, 2..50)) {
            let summary = Summary::of(&values).unwrap();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
            prop_assert!((summary.mean - mean).abs() < 1e-13);
            prop_assert!((summary.standard_deviation.powi(2) * (values.len() - 1) as f64 - squares).abs() < 1e-11);
        }
    }
}
