//! A straight line through points whose standard errors are known.

use super::summary::require_sample;
use crate::error::{Error, Result};

/// The line `y = intercept + slope·x` that minimises `Σ ((yᵢ − intercept − slope·xᵢ)/σᵢ)²`, with errors from the σᵢ.
///
/// Where [`super::LineFit`] learns the scatter from the residuals, this one is told it: with few points and honest
/// standard errors its intervals are far narrower, and the fit itself can be tested.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WeightedLine {
    /// Number of points.
    pub points: usize,
    /// Value at x = 0.
    pub intercept: f64,
    /// Slope.
    pub slope: f64,
    /// Standard error of the intercept.
    pub intercept_error: f64,
    /// Standard error of the slope.
    pub slope_error: f64,
    /// `Σ ((yᵢ − line(xᵢ))/σᵢ)²`, which follows χ² with `points − 2` degrees of freedom when the line and the errors are
    /// right.
    pub chi_square: f64,
    /// Probability of a larger χ² under that law.
    pub p_value: f64,
}

impl WeightedLine {
    /// Fits a line to at least three points with positive standard errors.
    ///
    /// ```
    /// use ticketsense::statistics::WeightedLine;
    /// let line = WeightedLine::of(&[0.0, 1.0, 2.0], &[1.0, 3.0, 5.0], &[0.1, 0.1, 0.1])?;
    /// assert!((line.intercept - 1.0).abs() < 1e-14 && (line.slope - 2.0).abs() < 1e-14);
    /// assert!(line.p_value > 0.999);
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`] when the lengths differ, [`Error::Argument`] for fewer than three points, a standard error that
    /// is not positive, or points that share one x; [`Error::NotFinite`].
    pub fn of(x: &[f64], y: &[f64], standard_errors: &[f64]) -> Result<Self> {
        if x.len() != y.len() || x.len() != standard_errors.len() {
            let got = format!("{} and {}", y.len(), standard_errors.len());
            return Err(Error::shape("points of a weighted line", x.len(), got));
        }
        require_sample("x", x, 3)?;
        require_sample("y", y, 3)?;
        require_sample("standard errors", standard_errors, 3)?;
        if let Some(&bad) = standard_errors.iter().find(|e| **e <= 0.0) {
            return Err(Error::argument("standard error", "a positive number", bad));
        }
        let weights: Vec<f64> = standard_errors.iter().map(|e| (e * e).recip()).collect();
        let total: f64 = weights.iter().sum();
        let mean = |values: &[f64]| weights.iter().zip(values).map(|(w, v)| w * v).sum::<f64>() / total;
        let (mean_x, mean_y) = (mean(x), mean(y));
        let spread: f64 = weights
            .iter()
            .zip(x)
            .map(|(w, x)| w * (x - mean_x) * (x - mean_x))
            .sum();
        if spread <= 0.0 {
            return Err(Error::argument("x", "at least two different values", mean_x));
        }
        let centred = weights.iter().zip(x).zip(y);
        let slope = centred.map(|((w, x), y)| w * (x - mean_x) * (y - mean_y)).sum::<f64>() / spread;
        let intercept = mean_y - slope * mean_x;
        let chi_square = (0..x.len())
            .map(|i| ((y[i] - intercept - slope * x[i]) / standard_errors[i]).powi(2))
            .sum();
        let degrees = (x.len() - 2) as f64;
        Ok(WeightedLine {
            points: x.len(),
            intercept,
            slope,
            intercept_error: (1.0 / total + mean_x * mean_x / spread).sqrt(),
            slope_error: spread.recip().sqrt(),
            chi_square,
            p_value: chi_square_tail(chi_square, degrees),
        })
    }

    /// The line's height at x.
    pub fn at(&self, x: f64) -> f64 {
        self.intercept + self.slope * x
    }
}

/// `P(χ²_degrees > value)`: the regularised upper incomplete gamma function; NaN for degrees that are not positive.
pub fn chi_square_tail(value: f64, degrees: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    statrs::function::gamma::checked_gamma_ur(0.5 * degrees, 0.5 * value).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fit_solves_the_weighted_normal_equations() {
        let (x, y, e) = ([0.5, 1.0, 2.5, 4.0], [1.2, 0.7, 2.9, 3.1], [0.1, 0.3, 0.2, 0.5]);
        let line = WeightedLine::of(&x, &y, &e).unwrap();
        let moment = |power: i32| -> f64 {
            (0..4)
                .map(|i| (y[i] - line.at(x[i])) * x[i].powi(power) / (e[i] * e[i]))
                .sum()
        };
        // Residual sums of terms of size up to 300: rounding below 1e-12.
        assert!(moment(0).abs() < 1e-12 && moment(1).abs() < 1e-12);
    }

    #[test]
    fn errors_and_goodness_of_fit_have_their_simulated_law() {
        // With σ = 1 at x = 0, 1, 2 the intercept has variance 1/3 + 1/2 = 5/6.
        let line = WeightedLine::of(&[0.0, 1.0, 2.0], &[0.0; 3], &[1.0; 3]).unwrap();
        assert!((line.intercept_error - (5.0f64 / 6.0).sqrt()).abs() < 1e-15);
        assert!((line.slope_error - 0.5f64.sqrt()).abs() < 1e-15);
        // A point off by d in the middle leaves χ² = d²·(1 − 1/3) with one degree of freedom: P(χ²₁ > 3.841) = 0.05.
        let d = (3.841_458_820_694_124f64 * 1.5).sqrt();
        let bent = WeightedLine::of(&[0.0, 1.0, 2.0], &[0.0, d, 0.0], &[1.0; 3]).unwrap();
        assert!((bent.p_value - 0.05).abs() < 1e-12, "{}", bent.p_value);
    }

    #[test]
    fn unusable_points_are_refused() {
        assert!(WeightedLine::of(&[1.0, 2.0], &[1.0, 2.0], &[1.0, 1.0]).is_err());
        assert!(WeightedLine::of(&[1.0, 2.0, 3.0], &[1.0; 3], &[1.0, 0.0, 1.0]).is_err());
        assert!(WeightedLine::of(&[1.0; 3], &[1.0; 3], &[1.0; 3]).is_err());
        assert!(WeightedLine::of(&[1.0, 2.0, 3.0], &[1.0; 2], &[1.0; 3]).is_err());
    }
}
