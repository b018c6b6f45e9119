//! What the curvature of a loss looks like: both ends of its spectrum, its trace, and how its eigenvalues are distributed.

use super::conditioning::{NonzeroConditioning, nonzero_conditioning};
use crate::error::{Error, Result};
use crate::linalg::lanczos::{Lanczos, RitzValue};
use crate::linalg::spectral_distribution::{LanczosQuadrature, SpectralBracket, SpectralDistribution};
use crate::linalg::spectrum_bounds::{End, largest_from_trace, matrix_interval, size_from_squared_norm};
use crate::linalg::traces::{HutchPlusPlus, SplitTrace};
use crate::linearize::{Biases, CurvatureKind, Linearisation, RowTransform};
use crate::networks::Loss;
use crate::operators::MeasurementOperator;
use crate::seed::Seed;
use crate::statistics::Interval;
use crate::support::Support;

/// How a symmetric curvature matrix is examined through products alone.
///
/// A Hessian of a network is singular far beyond rounding: its smallest *nonzero* eigenvalue is no computable quantity, and no
/// condition number is reported. What can be told are its two ends, its trace and norm, and what fraction of its eigenvalues lies
/// on either side of zero. Of a Gauss-Newton matrix, whose eigenvalues are at least 0, [`gauss_newton_conditioning`] finds the
/// nonzero spectrum from the tangent kernel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurvatureSummary {
    /// The Krylov method for the two ends.
    pub lanczos: Lanczos,
    /// The sketch and the probes for `tr H` and `‖H‖_F²`.
    pub trace: HutchPlusPlus,
    /// Steps and directions for the distribution of the eigenvalues.
    pub distribution: LanczosQuadrature,
    /// Probability with which every interval may miss, and every probabilistic bound may fail.
    pub level: f64,
    /// Eigenvalues up to this fraction of the largest absolute Ritz value count as zero.
    pub zero: f64,
    /// The shift of effective dimension and log-determinant, as a fraction of the largest Ritz value.
    pub damping: f64,
}

impl Default for CurvatureSummary {
    /// 100 steps for the ends, a trace from 90 products, 80 steps from 10 directions, level 0.05, zero below 1e-6 and damping
    /// 1e-3 of the largest.
    fn default() -> Self {
        CurvatureSummary {
            lanczos: Lanczos {
                max_steps: 100,
                tolerance: 1e-10,
            },
            trace: HutchPlusPlus::default(),
            distribution: LanczosQuadrature::default(),
            level: 0.05,
            zero: 1e-6,
            damping: 1e-3,
        }
    }
}

/// One end of a spectrum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpectrumEnd {
    /// The extreme Ritz value, which never lies beyond the extreme eigenvalue, with the radius around it that holds some
    /// eigenvalue.
    pub ritz: RitzValue,
    /// The extreme eigenvalue does not lie beyond this, except with probability [`CurvatureSummary::level`] over the random start;
    /// infinite where there were too few steps to say anything.
    pub bound: f64,
    /// The extreme eigenvalue does not lie beyond this, for certain up to rounding: from what is known of the matrix besides
    /// products with it ([`KnownSize`]). Nothing where nothing is known.
    pub proven: Option<f64>,
}

/// What is known of a matrix for certain, besides products with it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct KnownSize {
    /// Its exact trace; of use where it is positive semidefinite. [`gauss_newton_trace`] computes one.
    pub trace: Option<f64>,
    /// Its exact squared Frobenius norm.
    pub squared_norm: Option<f64>,
    /// An interval that contains all its eigenvalues.
    pub interval: Option<Interval>,
}

/// A trace with Student's interval for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TraceFound {
    /// The estimate by Hutch++.
    pub value: f64,
    /// Where the trace lies, as far as the probes of the rest are normal.
    pub interval: Interval,
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct CurvatureFindings {
    /// The order of the matrix.
    pub order: usize,
    /// The largest eigenvalue: 2 over it is the largest stable step of gradient descent.
    pub largest: SpectrumEnd,
    /// The smallest eigenvalue.
    pub smallest: SpectrumEnd,
    /// Lanczos steps for the two ends: no more than the order.
    pub steps: usize,
    /// `tr H`.
    pub trace: TraceFound,
    /// `‖H‖_F²`, the sum of the squared eigenvalues.
    pub squared_frobenius: TraceFound,
    /// What counts as zero.
    pub zero: f64,
    /// The fraction of the eigenvalues at or below `−zero`.
    pub negative: SpectralBracket,
    /// The fraction of the eigenvalues at or below `zero`; the others are positive.
    pub not_positive: SpectralBracket,
    /// The shift of the next two.
    pub shift: f64,
    /// `Σ λᵢ/(λᵢ + shift)`, of a Gauss-Newton matrix that is not zero.
    pub effective_dimension: Option<SpectralBracket>,
    /// `ln det(H + shift·I)`, of a Gauss-Newton matrix that is not zero.
    pub log_determinant: Option<SpectralBracket>,
    /// The distribution itself.
    pub distribution: SpectralDistribution,
    /// Products with the matrix.
    pub applications: usize,
}

/// How far the extreme eigenvalue lies from the extreme Ritz value after `steps` Lanczos steps from a direction uniform on the
/// sphere, as a fraction of the spread of the spectrum: more with probability `level` at most.
///
/// `ε = (ln(1.648 √order / level) / (2 steps − 1))²`; 0 where `steps` reach the order. For a positive semidefinite matrix the
/// largest eigenvalue itself may stand for the spread; shifting by the smallest eigenvalue, which changes no Krylov space, gives
/// the rest.
///
/// # Errors
/// [`Error::Argument`] for order or steps 0, or a level outside `(0, 1)`.
///
/// Source: Kuczyński and Woźniakowski, SIAM J. Matrix Anal. Appl. 13, 1992, Theorem 4.2.
pub fn lanczos_gap(order: usize, steps: usize, level: f64) -> Result<f64> {
    if order == 0 || steps == 0 {
        return Err(Error::argument("order and steps", "at least 1", order.min(steps)));
    }
    if !(level > 0.0 && level < 1.0) {
        return Err(Error::argument("level", "between 0 and 1", level));
    }
    if steps >= order {
        return Ok(0.0);
    }
    let exponent = (1.648 * (order as f64).sqrt() / level).ln() / (2 * steps - 1) as f64;
    Ok((exponent * exponent).min(1.0))
}

impl CurvatureSummary {
    /// Examines a symmetric matrix; that it is positive semidefinite where it is called [`CurvatureKind::GaussNewton`] is the
    /// caller's promise. That it is symmetric is tested, to the accuracy of single precision.
    ///
    /// Of a matrix that is there as a whole the ends are bounded by its discs and its norm for certain; of others see
    /// [`CurvatureSummary::examine_known`].
    ///
    /// # Errors
    /// [`Error::Shape`] for a matrix that is not square, [`Error::Argument`] for numbers out of range, [`Error::Asymmetric`] for
    /// one that is found not to be symmetric, [`Error::NotFinite`] where a product is not finite.
    ///
    /// Cost: `4 + lanczos.max_steps + 4 sketch + 2 probes + steps · directions` products, fewer for small matrices.
    ///
    /// ```
    /// use nalgebra::{DMatrix, DVector};
    /// use ticketsense::Seed;
    /// use ticketsense::estimators::CurvatureSummary;
    /// use ticketsense::linearize::CurvatureKind;
    /// use ticketsense::operators::DenseOperator;
    /// let values = DVector::from_fn(40, |i, _| if i < 10 { -1.0 } else { i as f64 });
    /// let h = DenseOperator::new(DMatrix::from_diagonal(&values))?;
    /// let found = CurvatureSummary::default().examine(&h, CurvatureKind::Hessian, &Seed::root(0))?;
    /// assert!((found.largest.ritz.value - 39.0).abs() < 1e-8);
    /// assert!(found.negative.interval.contains(0.25));
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    pub fn examine(&self, h: &dyn MeasurementOperator, kind: CurvatureKind, seed: &Seed) -> Result<CurvatureFindings> {
        let known = match h.as_dense() {
            Some(matrix) => KnownSize {
                trace: None,
                squared_norm: Some(matrix.norm_squared()),
                interval: Some(matrix_interval(matrix)?),
            },
            None => KnownSize::default(),
        };
        self.examine_known(h, kind, known, seed)
    }

    /// The same with bounds on both ends from what is known of the matrix.
    ///
    /// # Errors
    /// As [`CurvatureSummary::examine`], and on a trace or norm that is negative or not finite.
    pub fn examine_known(
        &self,
        h: &dyn MeasurementOperator,
        kind: CurvatureKind,
        known: KnownSize,
        seed: &Seed,
    ) -> Result<CurvatureFindings> {
        let order = h.shape().columns;
        if h.shape().rows != order {
            let got = format!("{}×{order}", h.shape().rows);
            return Err(Error::shape("curvature", "a square matrix", got));
        }
        for (what, value) in [("what counts as zero", self.zero), ("damping", self.damping)] {
            if !(value > 0.0 && value < 1.0) {
                return Err(Error::argument(what, "between 0 and 1", value));
            }
        }
        let apply = |x: &[f64], y: &mut [f64]| h.apply_into(x, y);
        let ends = self.lanczos.symmetric(order, apply, &seed.stream("spectrum ends"))?;
        let (least, most) = (ends.smallest(), ends.largest());
        // An invariant space from a random start has met every eigenvalue.
        let gap = |level: f64| match ends.invariant {
            true => Ok(0.0),
            false => lanczos_gap(order, ends.steps, level),
        };
        let (lower, upper) = match kind {
            CurvatureKind::GaussNewton => (0.0, most.value / (1.0 - gap(self.level)?)),
            CurvatureKind::Hessian => {
                // Each end fails with half the level; the spread is at most that of the Ritz values and what both ends lack.
                let gap = gap(self.level / 2.0)?;
                let spread = match gap < 0.5 {
                    true => (most.value - least.value) / (1.0 - 2.0 * gap),
                    false => f64::INFINITY,
                };
                let lack = if gap == 0.0 { 0.0 } else { gap * spread };
                (least.value - lack, most.value + lack)
            }
        };
        let proven = proven_ends(kind, known, &ends.ritz)?;
        let trace = self.trace.trace(order, apply, &seed.stream("trace"))?;
        let frobenius = self
            .trace
            .squared_frobenius(order, apply, &seed.stream("squared norm"))?;
        let distribution = self
            .distribution
            .distribution(order, apply, &seed.stream("distribution"))?;
        let size = most.value.abs().max(least.value.abs());
        let (zero, shift) = (self.zero * size, self.damping * size);
        let semidefinite = kind == CurvatureKind::GaussNewton && shift > 0.0;
        let only = |wanted: bool, found: &dyn Fn() -> Result<SpectralBracket>| wanted.then(found).transpose();
        Ok(CurvatureFindings {
            order,
            largest: SpectrumEnd {
                ritz: most,
                bound: upper,
                proven: proven.1,
            },
            smallest: SpectrumEnd {
                ritz: least,
                bound: lower,
                proven: proven.0,
            },
            steps: ends.steps,
            trace: self.found(&trace)?,
            squared_frobenius: self.found(&frobenius)?,
            zero,
            negative: distribution.below(-zero, self.level)?,
            not_positive: distribution.below(zero, self.level)?,
            shift,
            effective_dimension: only(semidefinite, &|| distribution.effective_dimension(shift, self.level))?,
            log_determinant: only(semidefinite, &|| distribution.log_determinant(shift, self.level))?,
            applications: ends.applications + trace.applications + frobenius.applications + distribution.applications(),
            distribution,
        })
    }

    fn found(&self, split: &SplitTrace) -> Result<TraceFound> {
        let (lower, upper) = split.interval(self.level)?;
        Ok(TraceFound {
            value: split.estimate()?.value,
            interval: Interval { lower, upper },
        })
    }
}

/// The tightest of the certain bounds on the smallest and the largest eigenvalue.
fn proven_ends(kind: CurvatureKind, known: KnownSize, ritz: &[RitzValue]) -> Result<(Option<f64>, Option<f64>)> {
    let (mut lower, mut upper) = (Vec::new(), Vec::new());
    if let Some(interval) = known.interval {
        lower.push(interval.lower);
        upper.push(interval.upper);
    }
    if let Some(squares) = known.squared_norm {
        lower.push(-size_from_squared_norm(squares, ritz, End::Smallest)?);
        upper.push(size_from_squared_norm(squares, ritz, End::Largest)?);
    }
    if kind == CurvatureKind::GaussNewton {
        lower.push(0.0);
        if let Some(trace) = known.trace {
            upper.push(largest_from_trace(trace, ritz)?);
        }
    }
    Ok((lower.into_iter().reduce(f64::max), upper.into_iter().reduce(f64::min)))
}

/// The trace of the Gauss-Newton matrix of the mean loss on chosen parameters S, `‖R J_S‖_F²/n`, exact up to rounding; R as in
/// [`gauss_newton_conditioning`].
///
/// # Errors
/// As [`Linearisation::jacobian`].
///
/// Cost: that of the norms of all columns of the Jacobian, from its factors.
pub fn gauss_newton_trace(at: &Linearisation, chosen: &Support, loss: Loss) -> Result<f64> {
    let norms = at.jacobian(chosen, rows_of(loss), Biases::Fixed)?.column_norms();
    Ok(norms.iter().map(|v| v * v).sum::<f64>() / at.inputs().rows() as f64)
}

/// What turns the Jacobian into the root of the Gauss-Newton matrix.
fn rows_of(loss: Loss) -> RowTransform {
    match loss {
        Loss::Squared => RowTransform::Identity,
        Loss::CrossEntropy => RowTransform::CrossEntropy,
    }
}

/// The nonzero spectrum of the Gauss-Newton matrix of the mean loss on chosen parameters S: that of `R J_S J_Sᵀ Rᵀ / n`, with
/// `RᵀR` the curvature of the loss in the outputs of n samples.
///
/// # Errors
/// As [`Linearisation::jacobian`] and [`nonzero_conditioning`].
///
/// Cost: the tangent kernel and all its eigenvalues, `4 (nC)³/3` operations; that grows with the samples and hardly with S.
pub fn gauss_newton_conditioning(at: &Linearisation, chosen: &Support, loss: Loss) -> Result<NonzeroConditioning> {
    let kernel = at.jacobian(chosen, rows_of(loss), Biases::Fixed)?.tangent_kernel() / at.inputs().rows() as f64;
    nonzero_conditioning(&kernel, chosen.len())
}

#[cfg(test)]
#[path = "curvature_tests.rs"]
mod tests;
