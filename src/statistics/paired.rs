//! Comparing two treatments on the same seeds.

use super::distributions::{student_two_sided_tail, two_sided_student};
use super::summary::{Summary, require_sample};
use super::{Interval, require_level};
use crate::error::{Error, Result};

/// The mean of paired differences `first − second`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedComparison {
    /// Number of pairs.
    pub pairs: usize,
    /// Mean difference.
    pub mean: f64,
    /// Standard error of the mean difference.
    pub standard_error: f64,
}

impl PairedComparison {
    /// Compares two treatments, pair by pair.
    ///
    /// ```
    /// use ticketsense::statistics::PairedComparison;
    /// let comparison = PairedComparison::of(&[3.0, 5.0, 4.0], &[2.0, 3.0, 1.0])?;
    /// assert_eq!(comparison.mean, 2.0);
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`] for different numbers of values, [`Error::Argument`] for fewer than two pairs,
    /// [`Error::NotFinite`].
    pub fn of(first: &[f64], second: &[f64]) -> Result<Self> {
        if first.len() != second.len() {
            return Err(Error::shape("paired samples", first.len(), second.len()));
        }
        require_sample("first sample", first, 2)?;
        require_sample("second sample", second, 2)?;
        let differences: Vec<f64> = first.iter().zip(second).map(|(a, b)| a - b).collect();
        let summary = Summary::of(&differences)?;
        Ok(PairedComparison {
            pairs: summary.count,
            mean: summary.mean,
            standard_error: summary.standard_error(),
        })
    }

    fn degrees(&self) -> f64 {
        (self.pairs.saturating_sub(1)) as f64
    }

    /// The Student interval of the mean difference.
    ///
    /// # Errors
    /// [`Error::Argument`] for a level outside `(0, 1)`.
    pub fn interval(&self, level: f64) -> Result<Interval> {
        let half = two_sided_student(level, self.degrees())? * self.standard_error;
        Ok(Interval {
            lower: self.mean - half,
            upper: self.mean + half,
        })
    }

    /// The two-sided p-value of a given mean difference (0 for "no difference").
    ///
    /// Differences without any spread decide by themselves: 1 where their common value is the given one, else 0.
    ///
    /// # Errors
    /// [`Error::Argument`] when the given difference is not finite.
    pub fn p_value(&self, difference: f64) -> Result<f64> {
        if !difference.is_finite() {
            return Err(Error::argument("difference", "a finite number", difference));
        }
        if self.standard_error == 0.0 {
            return Ok(if self.mean == difference { 1.0 } else { 0.0 });
        }
        student_two_sided_tail((self.mean - difference) / self.standard_error, self.degrees())
    }
}

/// A claim that a treatment is worse than its reference by less than a margin, with the margin fixed before the run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NonInferiority {
    margin: f64,
    level: f64,
}

/// What the pairs say about a non-inferiority claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NonInferiorityVerdict {
    /// The whole interval lies above minus the margin.
    NonInferior,
    /// The whole interval lies below minus the margin.
    Inferior,
    /// The interval contains minus the margin: the run cannot tell.
    Undecided,
}

impl NonInferiority {
    /// A claim with its margin, in the units of the outcome, and the level of its two-sided interval.
    ///
    /// # Errors
    /// [`Error::Argument`] for a margin that is not positive or a level outside `(0, 1)`.
    pub fn new(margin: f64, level: f64) -> Result<Self> {
        if !(margin > 0.0 && margin.is_finite()) {
            return Err(Error::argument("margin", "a positive finite number", margin));
        }
        require_level(level)?;
        Ok(NonInferiority { margin, level })
    }

    /// The default margin: one standard deviation over seeds of the reference's outcome, from seeds that are not those
    /// of the comparison.
    ///
    /// # Errors
    /// [`Error::Argument`] for fewer than two values, values without spread, or a level outside `(0, 1)`.
    pub fn with_margin_from(reference_pilot: &[f64], level: f64) -> Result<Self> {
        require_sample("pilot outcomes of the reference", reference_pilot, 2)?;
        NonInferiority::new(Summary::of(reference_pilot)?.standard_deviation, level)
    }

    /// The margin.
    pub fn margin(&self) -> f64 {
        self.margin
    }

    /// Judges the difference `treatment − reference` of an outcome where larger is better.
    ///
    /// ```
    /// use ticketsense::statistics::{NonInferiority, NonInferiorityVerdict, PairedComparison};
    /// let difference = PairedComparison::of(&[0.90, 0.92, 0.91, 0.93], &[0.91, 0.92, 0.92, 0.93])?;
    /// let claim = NonInferiority::new(0.02, 0.05)?;
    /// assert_eq!(claim.judge(&difference)?, NonInferiorityVerdict::NonInferior);
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Argument`] for a comparison of fewer than two pairs.
    pub fn judge(&self, difference: &PairedComparison) -> Result<NonInferiorityVerdict> {
        let interval = difference.interval(self.level)?;
        Ok(if interval.lower > -self.margin {
            NonInferiorityVerdict::NonInferior
        } else if interval.upper < -self.margin {
            NonInferiorityVerdict::Inferior
        } else {
            NonInferiorityVerdict::Undecided
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: [f64; 6] = [0.91, 0.93, 0.88, 0.95, 0.90, 0.92];
    const SECOND: [f64; 6] = [0.89, 0.94, 0.85, 0.93, 0.88, 0.91];

    #[test]
    fn the_paired_test_matches_an_independent_implementation() {
        // scipy 1.17.1: stats.ttest_rel(FIRST, SECOND), .confidence_interval(0.95).
        let comparison = PairedComparison::of(&FIRST, &SECOND).unwrap();
        let interval = comparison.interval(0.05).unwrap();
        // Differences of size 0.01 of numbers near 1 are known to 1e-16/0.01.
        assert!((comparison.p_value(0.0).unwrap() - 0.044_584_823_509_798_37).abs() < 1e-12);
        assert!((interval.lower - 0.000_534_527_977_492_803_6).abs() < 1e-14);
        assert!((interval.upper - 0.029_465_472_022_507_225).abs() < 1e-14);
    }

    #[test]
    fn the_p_value_and_the_interval_agree() {
        let comparison = PairedComparison::of(&FIRST, &SECOND).unwrap();
        for level in [0.3, 0.05, 0.001] {
            let interval = comparison.interval(level).unwrap();
            for end in [interval.lower, interval.upper] {
                assert!((comparison.p_value(end).unwrap() / level - 1.0).abs() < 1e-10);
            }
        }
    }

    #[test]
    fn not_rejecting_equality_is_not_a_match() {
        // A wide interval around 0 and below −margin: undecided, although p > 0.05.
        let noisy = PairedComparison::of(&[0.5, 0.9, 0.4, 0.8], &[0.8, 0.5, 0.7, 0.7]).unwrap();
        assert!(noisy.p_value(0.0).unwrap() > 0.05);
        let claim = NonInferiority::new(0.02, 0.05).unwrap();
        assert_eq!(claim.judge(&noisy).unwrap(), NonInferiorityVerdict::Undecided);
        let worse = PairedComparison::of(&[0.5, 0.51, 0.49, 0.5], &[0.8, 0.8, 0.8, 0.8]).unwrap();
        assert_eq!(claim.judge(&worse).unwrap(), NonInferiorityVerdict::Inferior);
        // Significantly worse, and still within the margin.
        let slightly = PairedComparison::of(&[0.79, 0.791, 0.789, 0.79], &[0.8, 0.8, 0.8, 0.8]).unwrap();
        assert!(slightly.p_value(0.0).unwrap() < 0.01);
        assert_eq!(claim.judge(&slightly).unwrap(), NonInferiorityVerdict::NonInferior);
    }

    #[test]
    fn pairs_without_spread_decide_by_themselves() {
        let equal = PairedComparison::of(&[1.0, 2.0], &[1.0, 2.0]).unwrap();
        assert_eq!(equal.p_value(0.0).unwrap(), 1.0);
        let shifted = PairedComparison::of(&[2.0, 3.0], &[1.0, 2.0]).unwrap();
        assert_eq!(shifted.p_value(0.0).unwrap(), 0.0);
        assert_eq!(shifted.interval(0.05).unwrap(), Interval { lower: 1.0, upper: 1.0 });
    }

    #[test]
    fn bad_input_is_refused() {
        assert!(PairedComparison::of(&[1.0], &[1.0]).is_err());
        assert!(PairedComparison::of(&[1.0, 2.0], &[1.0]).is_err());
        assert!(PairedComparison::of(&[1.0, f64::NAN], &[1.0, 2.0]).is_err());
        assert!(NonInferiority::new(0.0, 0.05).is_err());
        assert!(NonInferiority::with_margin_from(&[0.9, 0.9], 0.05).is_err());
        let margin = NonInferiority::with_margin_from(&[0.9, 0.92], 0.05).unwrap().margin();
        assert!((margin - 0.02 / 2_f64.sqrt()).abs() < 1e-15);
    }
}
