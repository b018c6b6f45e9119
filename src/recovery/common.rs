//! What every solver does in the same way: scaling into a safe range, residuals, and the answer's bookkeeping.

use super::{Certificate, Penalty, Recovery};
use crate::error::{Error, Result};
use crate::operators::{MeasurementOperator, Shape};
use crate::outcome::{Progress, Status, Watch};
use crate::support::Support;

/// Solves with `y` scaled by a power of two so that its largest entry lies in `[1, 2)`, and scales the answer back.
///
/// Scaling by a power of two changes no digit, so an answer is equivariant to it bit for bit, and squares of tiny or
/// huge data neither vanish nor overflow on the way. `degree` is the homogeneity of the objective: 2 for squared loss,
/// 1 for a norm; a dual point then has degree `degree − 1`. `solve` receives the scaled `y` and the factor.
pub(super) fn in_safe_range(
    y: &[f64],
    degree: i32,
    watch: &mut Watch<'_>,
    solve: impl FnOnce(&[f64], f64, &mut Watch<'_>) -> Result<Recovery>,
) -> Result<Recovery> {
    let range = SafeRange::of(y);
    let mut observer = |p: &Progress| {
        watch.tell(&Progress {
            objective: range.raise(p.objective, degree),
            ..*p
        })
    };
    let recovery = solve(&range.down(y), range.factor(), &mut Watch::new(&mut observer))?;
    Ok(range.up(recovery, degree))
}

/// The power of two that brings the largest entry of a right-hand side into `[1, 2)`.
#[derive(Clone, Copy, Debug)]
pub(super) struct SafeRange {
    exponent: i32,
}

impl SafeRange {
    pub fn of(y: &[f64]) -> Self {
        let largest = y.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        let exponent = if largest > 0.0 {
            (largest.log2().floor() as i32).clamp(-1000, 1000)
        } else {
            0
        };
        SafeRange { exponent }
    }

    pub fn factor(self) -> f64 {
        2.0f64.powi(-self.exponent)
    }

    pub fn down(self, y: &[f64]) -> Vec<f64> {
        y.iter().map(|v| v * self.factor()).collect()
    }

    /// A value of that degree, scaled back factor by factor: the power itself may overflow where the product does not.
    pub fn raise(self, value: f64, degree: i32) -> f64 {
        let up = 2.0f64.powi(self.exponent);
        (0..degree).fold(value, |value, _| value * up)
    }

    /// An answer for the scaled right-hand side as one for the given one; `degree` is that of the objective.
    pub fn up(self, mut recovery: Recovery, degree: i32) -> Recovery {
        let up = 2.0f64.powi(self.exponent);
        recovery.x.iter_mut().for_each(|v| *v *= up);
        recovery.support = Support::of(&recovery.x).indices().to_vec();
        recovery.objective = self.raise(recovery.objective, degree);
        recovery.residual_norm *= up;
        if let Certificate::DualityGap {
            primal,
            gap,
            scale,
            dual,
        } = &mut recovery.certificate
        {
            for value in [primal, gap, scale] {
                *value = self.raise(*value, degree);
            }
            dual.iter_mut().for_each(|v| *v = self.raise(*v, degree - 1));
        }
        recovery
    }
}

/// `r ← y − A_S x_S`.
pub(super) fn residual_into(a: &dyn MeasurementOperator, y: &[f64], support: &[usize], values: &[f64], r: &mut [f64]) {
    a.apply_sparse_into(support, values, r);
    for (r, y) in r.iter_mut().zip(y) {
        *r = y - *r;
    }
}

/// The vector of length `n` with `values` on `support`.
pub(super) fn scatter(n: usize, support: &[usize], values: &[f64]) -> Vec<f64> {
    let mut x = vec![0.0; n];
    for (&j, &v) in support.iter().zip(values) {
        x[j] = v;
    }
    x
}

/// An answer without nonzeros: what is returned when the request itself cannot be met.
pub(super) fn empty_answer(columns: usize, y: &[f64], objective: f64, status: Status, applications: f64) -> Recovery {
    Recovery {
        x: vec![0.0; columns],
        support: Vec::new(),
        status,
        iterations: 0,
        applications,
        objective,
        residual_norm: crate::linalg::norm(y),
        certificate: Certificate::None,
    }
}

/// What `count` columns cost, in applications.
pub(super) fn column_cost(shape: Shape, count: usize) -> f64 {
    count as f64 / shape.columns as f64
}

/// The door for relative tolerances.
pub(super) fn check_tolerance(tolerance: f64) -> Result<()> {
    if (0.0..1.0).contains(&tolerance) {
        Ok(())
    } else {
        Err(Error::argument("tolerance", "a number in [0, 1)", tolerance))
    }
}

/// The door for counts that must not be zero.
pub(super) fn check_positive(name: &str, count: usize) -> Result<()> {
    if count == 0 {
        return Err(Error::argument(name, "a whole number ≥ 1", count));
    }
    Ok(())
}

/// The door of a penalty.
pub(super) fn check_penalty(penalty: Penalty) -> Result<()> {
    let (name, value) = match penalty {
        Penalty::Absolute(lambda) => ("lambda", lambda),
        Penalty::RatioOfMax(ratio) => ("lambda-ratio", ratio),
    };
    check_not_negative(name, value)
}

/// The door of a number that is finite and not negative.
pub(super) fn check_not_negative(name: &str, value: f64) -> Result<()> {
    if value.is_finite() && value >= 0.0 {
        Ok(())
    } else {
        Err(Error::argument(name, "a finite number ≥ 0", value))
    }
}

/// The entries of a vector at these places.
pub(super) fn at(v: &[f64], places: &[usize]) -> Vec<f64> {
    places.iter().map(|&j| v[j]).collect()
}
