//! What makes a choice of rows good, and what is known of the unknowns before any measurement.

use crate::error::{Error, Result, require_finite};

/// The size of the posterior covariance `C` that a choice of rows is to make small.
///
/// All three are convex in the information matrix `C⁻¹` and fall as rows are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Criterion {
    /// `tr C`: the mean squared error summed over the unknowns.
    A,
    /// `ln det C`: the logarithm of the volume of the confidence ellipsoid, but for a constant.
    D,
    /// `λ_max(C)`, one over the smallest eigenvalue of the information: the variance in the worst direction.
    E,
}

impl Criterion {
    /// Every criterion.
    pub const ALL: [Criterion; 3] = [Criterion::A, Criterion::D, Criterion::E];

    /// The word used in reports and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Criterion::A => "a-optimal",
            Criterion::D => "d-optimal",
            Criterion::E => "e-optimal",
        }
    }
}

/// What is known of the unknowns `x` before any measurement.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Prior {
    /// Nothing (the frequentist criteria): the information is that of the rows alone, and fewer rows than unknowns leave
    /// the covariance infinite.
    Flat,
    /// `x ~ N(0, I/precision)`.
    Isotropic {
        /// One over the prior variance τ² of every unknown.
        precision: f64,
    },
    /// `x ~ N(0, diag(1/precision))`.
    Diagonal {
        /// One over the prior variance of each unknown.
        precisions: Vec<f64>,
    },
}

impl Prior {
    /// The diagonal of the prior's information for `unknowns` unknowns: zeros for the flat one.
    pub(super) fn diagonal(&self, unknowns: usize) -> Result<Vec<f64>> {
        let positive = |value: f64| value > 0.0 && value.is_finite();
        match self {
            Prior::Flat => Ok(vec![0.0; unknowns]),
            Prior::Isotropic { precision } if positive(*precision) => Ok(vec![*precision; unknowns]),
            Prior::Isotropic { precision } => Err(Error::argument(
                "prior precision",
                "a positive finite number",
                precision,
            )),
            Prior::Diagonal { precisions } => {
                if precisions.len() != unknowns {
                    return Err(Error::shape("prior precisions", unknowns, precisions.len()));
                }
                require_finite("prior precisions", precisions)?;
                match precisions.iter().find(|p| !positive(**p)) {
                    Some(bad) => Err(Error::argument("prior precisions", "positive numbers", bad)),
                    None => Ok(precisions.clone()),
                }
            }
        }
    }
}
