//! A straight line by least squares, for extrapolation to infinite size.

use super::Interval;
use super::distributions::{student_two_sided_tail, two_sided_student};
use super::summary::require_sample;
use crate::error::{Error, Result};

/// The least-squares line `y = intercept + slope·x` with its errors.
///
/// The claim that a threshold tends to a value is tested by regressing it on the finite-size variable (1/√N, 1/L, …) and
/// asking whether the interval of the intercept contains the value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LineFit {
    /// Number of points.
    pub points: usize,
    /// Value at x = 0.
    pub intercept: f64,
    /// Slope.
    pub slope: f64,
    /// Standard deviation of the residuals, with n − 2.
    pub residual_deviation: f64,
    /// Standard error of the intercept.
    pub intercept_error: f64,
    /// Standard error of the slope.
    pub slope_error: f64,
    /// Mean of x.
    pub mean_x: f64,
    /// Sum of squared distances of x from its mean.
    pub spread_x: f64,
}

impl LineFit {
    /// Fits a line to at least three points.
    ///
    /// ```
    /// let line = ticketsense::statistics::LineFit::of(&[1.0, 2.0, 3.0], &[3.0, 5.0, 7.0])?;
    /// assert_eq!((line.intercept, line.slope), (1.0, 2.0));
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`] for different numbers of x and y, [`Error::Argument`] for fewer than three points or x without
    /// spread, [`Error::NotFinite`].
    pub fn of(x: &[f64], y: &[f64]) -> Result<Self> {
        if x.len() != y.len() {
            return Err(Error::shape("points of a line", x.len(), y.len()));
        }
        require_sample("x", x, 3)?;
        require_sample("y", y, 3)?;
        let n = x.len() as f64;
        let mean_x = x.iter().sum::<f64>() / n;
        let mean_y = y.iter().sum::<f64>() / n;
        let spread_x: f64 = x.iter().map(|v| (v - mean_x).powi(2)).sum();
        if spread_x == 0.0 {
            return Err(Error::argument("x", "at least two different values", x[0]));
        }
        let slope = x.iter().zip(y).map(|(a, b)| (a - mean_x) * (b - mean_y)).sum::<f64>() / spread_x;
        let intercept = mean_y - slope * mean_x;
        let residuals = x.iter().zip(y).map(|(a, b)| b - mean_y - slope * (a - mean_x));
        let residual_deviation = (residuals.map(|r| r * r).sum::<f64>() / (n - 2.0)).sqrt();
        Ok(LineFit {
            points: x.len(),
            intercept,
            slope,
            residual_deviation,
            intercept_error: residual_deviation * (1.0 / n + mean_x * mean_x / spread_x).sqrt(),
            slope_error: residual_deviation / spread_x.sqrt(),
            mean_x,
            spread_x,
        })
    }

    fn around(&self, centre: f64, error: f64, level: f64) -> Result<Interval> {
        let half = two_sided_student(level, (self.points - 2) as f64)? * error;
        Ok(Interval {
            lower: centre - half,
            upper: centre + half,
        })
    }

    /// The interval of the intercept.
    ///
    /// # Errors
    /// [`Error::Argument`] for a level outside `(0, 1)`.
    pub fn intercept_interval(&self, level: f64) -> Result<Interval> {
        self.around(self.intercept, self.intercept_error, level)
    }

    /// The interval of the slope.
    ///
    /// # Errors
    /// [`Error::Argument`] for a level outside `(0, 1)`.
    pub fn slope_interval(&self, level: f64) -> Result<Interval> {
        self.around(self.slope, self.slope_error, level)
    }

    /// The two-sided p-value of a slope of zero.
    ///
    /// # Errors
    /// None for a fit that [`LineFit::of`] made.
    pub fn slope_p_value(&self) -> Result<f64> {
        if self.slope_error == 0.0 {
            return Ok(if self.slope == 0.0 { 1.0 } else { 0.0 });
        }
        student_two_sided_tail(self.slope / self.slope_error, (self.points - 2) as f64)
    }

    /// The line's height at x.
    pub fn at(&self, x: f64) -> f64 {
        self.intercept + self.slope * x
    }

    /// The interval of the line's height at x.
    ///
    /// # Errors
    /// [`Error::Argument`] for a level outside `(0, 1)`.
    pub fn interval_at(&self, x: f64, level: f64) -> Result<Interval> {
        let distance = x - self.mean_x;
        let error = self.residual_deviation * (1.0 / self.points as f64 + distance * distance / self.spread_x).sqrt();
        self.around(self.at(x), error, level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;
    use rand_distr::{Distribution, StandardNormal};

    #[test]
    fn the_fit_matches_an_independent_implementation() {
        // scipy 1.17.1: stats.linregress, with stats.t.ppf(0.975, 3) for the interval.
        let line = LineFit::of(&[0.1, 0.2, 0.25, 0.4, 0.5], &[1.02, 1.18, 1.31, 1.52, 1.71]).unwrap();
        for (got, want) in [
            (line.slope, 1.704_901_960_784_313_4),
            (line.intercept, 0.853_578_431_372_549_2),
            (line.slope_error, 0.067_580_719_579_250_34),
            (line.intercept_error, 0.021_846_454_113_877_353),
            (line.intercept_interval(0.05).unwrap().lower, 0.784_053_264_194_290_1),
            (line.intercept_interval(0.05).unwrap().upper, 0.923_103_598_550_808_3),
        ] {
            // Residuals of 0.02 of heights near 1.5: fifty rounding errors.
            assert!((got / want - 1.0).abs() < 1e-12, "{got} {want}");
        }
        assert_eq!(
            line.interval_at(0.0, 0.05).unwrap().lower,
            line.intercept_interval(0.05).unwrap().lower
        );
        assert!(line.slope_p_value().unwrap() < 1e-3);
    }

    #[test]
    fn the_intercept_is_covered_as_often_as_promised() {
        let x = [0.02, 0.03, 0.05, 0.08, 0.1, 0.2];
        let seed = Seed::root(0).stream("line coverage");
        let trials = 4000;
        let covered = (0..trials)
            .filter(|&t| {
                let mut rng = seed.replicate(t).rng();
                let noise = |rng: &mut rand_chacha::ChaCha8Rng| -> f64 { StandardNormal.sample(rng) };
                let y: Vec<f64> = x.iter().map(|v| 0.5 - 2.0 * v + 0.01 * noise(&mut rng)).collect();
                LineFit::of(&x, &y)
                    .unwrap()
                    .intercept_interval(0.1)
                    .unwrap()
                    .contains(0.5)
            })
            .count() as u64;
        // The exact test of coverage 0.9 at level 1e-3; a normal instead of a Student quantile would cover 0.825.
        let count = super::super::BinomialCount::new(covered, trials).unwrap();
        assert!(!count.rejects(0.9, 1e-3).unwrap(), "{covered}");
        assert!(count.rejects(0.825, 1e-3).unwrap());
    }

    #[test]
    fn bad_input_is_refused() {
        assert!(LineFit::of(&[1.0, 2.0], &[1.0, 2.0]).is_err());
        assert!(LineFit::of(&[1.0, 1.0, 1.0], &[1.0, 2.0, 3.0]).is_err());
        assert!(LineFit::of(&[1.0, 2.0, f64::NAN], &[1.0, 2.0, 3.0]).is_err());
        assert!(LineFit::of(&[1.0, 2.0, 3.0], &[1.0, 2.0]).is_err());
    }
}
