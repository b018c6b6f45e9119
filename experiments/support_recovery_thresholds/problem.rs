//! Sizes of the problems, and the penalty and prediction of the LASSO.

use ticketsense::theory::special::normal_central_probability;
use ticketsense::theory::support_thresholds::{lasso_rows, noiseless_rows};
use ticketsense::{Error, Result};

/// Standard deviation of the LASSO's noise, beside weights of size 1.
pub(super) const NOISE: f64 = 0.5;
/// Nonzeros of the fixed rule.
const FIXED: usize = 8;

/// Columns, nonzeros and rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sizes {
    pub columns: usize,
    pub nonzeros: usize,
    pub rows: usize,
}

/// The number of nonzeros that a rule gives.
pub(super) fn nonzeros(rule: &str, columns: usize) -> Result<usize> {
    match rule {
        "sublinear" => Ok((0.4 * (columns as f64).powf(0.75)).round() as usize),
        "fixed" => Ok(FIXED),
        other => Err(Error::unknown("rule", other, super::RULES)),
    }
}

impl Sizes {
    /// The sizes whose θ is nearest to the one given.
    pub(super) fn at(rule: &str, columns: usize, theta: f64) -> Result<Self> {
        let nonzeros = nonzeros(rule, columns)?;
        let rows = (theta * noiseless_rows(columns as u64, nonzeros as u64)?).round() as usize;
        Ok(Sizes {
            columns,
            nonzeros,
            rows,
        })
    }

    /// θ from the whole numbers.
    pub(super) fn theta(&self) -> Result<f64> {
        Ok(self.rows as f64 / noiseless_rows(self.columns as u64, self.nonzeros as u64)?)
    }

    /// The LASSO's penalty `√(2σ² ln k ln(p−k)/n)`, which keeps the noise term at `θ/ln k`.
    pub(super) fn penalty(&self) -> f64 {
        let (k, zeros) = (self.nonzeros as f64, (self.columns - self.nonzeros) as f64);
        (2.0 * NOISE * NOISE * k.ln() * zeros.ln() / self.rows as f64).sqrt()
    }

    /// θ with the noise term.
    pub(super) fn theta_noisy(&self) -> Result<f64> {
        let (p, k) = (self.columns as u64, self.nonzeros as u64);
        Ok(self.rows as f64 / lasso_rows(p, k, NOISE * NOISE, self.penalty())?)
    }
}

/// The median of the largest of so many absolute standard normal values.
fn median_largest(count: f64) -> f64 {
    let (mut low, mut high) = (0.0, 40.0);
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        match count * normal_central_probability(middle).ln() < -std::f64::consts::LN_2 {
            true => low = middle,
            false => high = middle,
        }
    }
    0.5 * (low + high)
}

/// The θ at which the LASSO's dual is inside the cube with probability one half, but for the fluctuation of one number.
///
/// Given the columns on the support, the dual on the p − k others is independent normal with variance
/// `V = zᵀG⁻¹z + ‖Π⊥ε‖²/(nλ)²`. With the means k/(n−k−1) and (n−k)σ²/(nλ)² of its terms, and M the median of the largest of
/// p − k absolute normals, the dual is in the cube half the time where V M² = 1. As p and k grow this tends to θ = 1 for
/// the penalty above: M² ~ 2 ln(p−k), and the noise term is θ/ln k of the other.
pub(super) fn predicted(rule: &str, columns: usize) -> Result<f64> {
    let count = nonzeros(rule, columns)?;
    let (k, zeros) = (count as f64, (columns - count) as f64);
    let square = median_largest(zeros).powi(2);
    let threshold = noiseless_rows(columns as u64, count as u64)?;
    let excess = |n: f64| {
        // σ²/(nλ²) is 1/(2 ln k ln(p−k)) at every n.
        let noise = (1.0 - k / n) / (2.0 * k.ln() * zeros.ln());
        square * (k / (n - k - 1.0) + noise) - 1.0
    };
    let (mut low, mut high) = (k + 2.0, 1e3 * threshold);
    if excess(high) > 0.0 {
        return Err(Error::argument(
            "nonzeros",
            "enough for the penalty to dominate the noise",
            count,
        ));
    }
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        match excess(middle) > 0.0 {
            true => low = middle,
            false => high = middle,
        }
    }
    Ok(0.5 * (low + high) / threshold)
}
