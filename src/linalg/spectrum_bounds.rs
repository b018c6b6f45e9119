//! Bounds on the ends of a spectrum that hold for certain, whatever directions were drawn.
//!
//! A residual proves that *some* eigenvalue is near a Ritz value, not that none lies beyond it. What excludes that is a norm: of
//! the matrix itself where it is there, or a trace that is known exactly, from which Ritz values take away the part that belongs
//! to the other eigenvalues.

use super::lanczos::RitzValue;
use crate::error::{Error, Result, require_finite};
use crate::statistics::Interval;
use nalgebra::DMatrix;

/// An interval that contains all eigenvalues of a symmetric matrix: what Gershgorin's discs and the Frobenius norm leave.
///
/// Widened by the rounding of its sums, `n ε` of them. Only the symmetric part is looked at by the discs, as the mean of both
/// sums of an index.
///
/// # Errors
/// [`Error::Shape`] for a matrix that is not square or empty; [`Error::NotFinite`].
///
/// ```
/// use ticketsense::linalg::spectrum_bounds::matrix_interval;
/// let a = nalgebra::dmatrix![2.0, 1.0; 1.0, 2.0];
/// let all = matrix_interval(&a)?;
/// assert!(all.contains(1.0) && all.contains(3.0) && all.width() < 2.0 + 1e-12);
/// # Ok::<(), ticketsense::Error>(())
/// ```
pub fn matrix_interval(a: &DMatrix<f64>) -> Result<Interval> {
    let n = a.nrows();
    if n != a.ncols() || n == 0 {
        let got = format!("{n}×{}", a.ncols());
        return Err(Error::shape("bounds of eigenvalues", "a square matrix", got));
    }
    require_finite("bounds of eigenvalues", a.as_slice())?;
    let (mut lower, mut upper) = (f64::INFINITY, f64::NEG_INFINITY);
    for i in 0..n {
        let beside = |j: usize| 0.5 * (a[(i, j)].abs() + a[(j, i)].abs());
        let radius: f64 = (0..n).filter(|j| *j != i).map(beside).sum();
        lower = lower.min(a[(i, i)] - radius);
        upper = upper.max(a[(i, i)] + radius);
    }
    let frobenius = a.norm();
    let slack = 4.0 * n as f64 * f64::EPSILON * frobenius.max(upper.abs()).max(lower.abs());
    Ok(Interval {
        lower: lower.max(-frobenius) - slack,
        upper: upper.min(frobenius) + slack,
    })
}

/// The largest eigenvalue of a positive semidefinite matrix of this trace is at most what the other Ritz values, from one
/// orthonormal basis, leave of the trace.
///
/// `λ₁ ≤ tr A − Σ_{i ≥ 2} θᵢ`, for `θᵢ ≤ λᵢ` in descending order (Cauchy) and `Σ λᵢ = tr A`. Equal where the basis holds every
/// eigenvector. Never below the largest Ritz value.
///
/// # Errors
/// [`Error::Argument`] for no Ritz value, or a trace that is negative or not finite.
pub fn largest_from_trace(trace: f64, ritz: &[RitzValue]) -> Result<f64> {
    rest("trace", trace, ritz, |value| value.max(0.0))
}

/// No eigenvalue of a symmetric matrix of this squared Frobenius norm is larger in size than this, on the side of the named Ritz
/// value: `λ² ≤ ‖A‖_F² − Σ θᵢ²` over all others.
///
/// Positive Ritz values are below the eigenvalues of their rank counted from the top, negative ones above those counted from the
/// bottom, so that the squares of all but the named one belong to as many other eigenvalues.
///
/// # Errors
/// [`Error::Argument`] for no Ritz value, or a norm that is negative or not finite.
pub fn size_from_squared_norm(squared_norm: f64, ritz: &[RitzValue], side: End) -> Result<f64> {
    let square = |value: f64| value * value;
    let left = match side {
        End::Largest => rest("squared norm", squared_norm, ritz, square)?,
        End::Smallest => {
            let turned: Vec<RitzValue> = ritz.iter().rev().copied().collect();
            rest("squared norm", squared_norm, &turned, square)?
        }
    };
    Ok(left.sqrt())
}

/// An end of a spectrum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// The smallest eigenvalue.
    Smallest,
    /// The largest eigenvalue.
    Largest,
}

/// What is left of a sum over all eigenvalues when the parts of all Ritz values but the last are taken away, widened by rounding.
fn rest(what: &str, total: f64, ascending: &[RitzValue], part: impl Fn(f64) -> f64) -> Result<f64> {
    if !(total >= 0.0 && total.is_finite()) {
        return Err(Error::argument(what, "finite and at least 0", total));
    }
    let (last, others) = ascending
        .split_last()
        .ok_or_else(|| Error::argument("Ritz values", "at least 1", 0))?;
    let taken: f64 = others.iter().map(|r| part(r.value)).sum();
    let slack = 64.0 * ascending.len() as f64 * f64::EPSILON * total;
    Ok((total - taken + slack).max(part(last.value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::dense::{gram, symmetric_eigenvalues};
    use crate::linalg::lanczos::Lanczos;
    use crate::seed::Seed;
    use nalgebra::DVector;
    use rand::RngExt;
    use rand_distr::StandardNormal;

    fn gaussian(rows: usize, columns: usize, number: u64) -> DMatrix<f64> {
        let mut rng = Seed::root(number).stream("matrix").rng();
        DMatrix::from_fn(rows, columns, |_, _| rng.sample(StandardNormal))
    }

    fn ritz(a: &DMatrix<f64>, max_steps: usize, seed: u64) -> Vec<RitzValue> {
        let apply = |x: &[f64], y: &mut [f64]| y.copy_from_slice((a * DVector::from_column_slice(x)).as_slice());
        let method = Lanczos {
            max_steps,
            tolerance: 0.0,
        };
        method.symmetric(a.nrows(), apply, &Seed::root(seed)).unwrap().ritz
    }

    #[test]
    fn every_bound_holds_for_every_start_and_closes_with_the_basis() {
        for number in 0..40 {
            let n = 24;
            let g = gram(&gaussian(10, n, number));
            let b = gaussian(n, n, number + 100);
            let a = &b + b.transpose();
            for (matrix, semidefinite) in [(&g, true), (&a, false)] {
                let truth = symmetric_eigenvalues(matrix).unwrap();
                let all = matrix_interval(matrix).unwrap();
                assert!(all.contains(truth[0]) && all.contains(truth[n - 1]));
                let squares = matrix.norm_squared();
                let mut before = f64::INFINITY;
                for steps in [1, 4, 12, 24] {
                    let found = ritz(matrix, steps, number);
                    let size = size_from_squared_norm(squares, &found, End::Largest).unwrap();
                    assert!(size >= truth[n - 1], "{number} {steps}");
                    let size = size_from_squared_norm(squares, &found, End::Smallest).unwrap();
                    assert!(size >= -truth[0], "{number} {steps}");
                    if semidefinite {
                        let bound = largest_from_trace(matrix.trace(), &found).unwrap();
                        assert!(bound >= truth[n - 1] && bound <= before * (1.0 + 1e-12));
                        before = bound;
                    }
                }
                // A rank of 10 is exhausted after 11 steps.
                assert!(
                    !semidefinite || before <= truth[n - 1] * (1.0 + 1e-10),
                    "{number}: {before}"
                );
            }
        }
    }

    #[test]
    fn an_end_that_the_start_never_sees_is_still_bounded() {
        // Ritz values of a basis orthogonal to the top eigenvector.
        let blind = [0.5, 1.0].map(|value| RitzValue {
            value,
            residual_norm: 0.0,
        });
        assert!(largest_from_trace(7.5, &blind).unwrap() >= 6.0);
        assert!(size_from_squared_norm(37.25, &blind, End::Largest).unwrap() >= 6.0);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert!(matrix_interval(&DMatrix::zeros(2, 3)).is_err() && matrix_interval(&DMatrix::zeros(0, 0)).is_err());
        assert!(matrix_interval(&DMatrix::from_element(2, 2, f64::NAN)).is_err());
        let zero = matrix_interval(&DMatrix::zeros(3, 3)).unwrap();
        assert_eq!((zero.lower, zero.upper), (0.0, 0.0));
        assert!(largest_from_trace(1.0, &[]).is_err());
        let one = [RitzValue {
            value: 1.0,
            residual_norm: 0.0,
        }];
        assert!(largest_from_trace(-1.0, &one).is_err() && largest_from_trace(f64::NAN, &one).is_err());
    }
}
