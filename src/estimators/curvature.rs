//! What the curvature of a loss looks like: both ends of its spectrum, its trace, and how its eigenvalues are distributed.

use super::conditioning::{NonzeroConditioning, nonzero_conditioning};
use crate::error::{Error, Result};
use crate::linalg::lanczos::{Lanczos, RitzValue};
use crate::linalg::spectral_distribution::{LanczosQuadrature, SpectralBracket, SpectralDistribution};
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
    /// Examines a symmetric matrix; that it is symmetric, and positive semidefinite where it is called
    /// [`CurvatureKind::GaussNewton`], is the caller's promise.
    ///
    /// # Errors
    /// [`Error::Shape`] for a matrix that is not square, [`Error::Argument`] for numbers out of range, [`Error::NotFinite`] where
    /// a product is not finite.
    ///
    /// Cost: `lanczos.max_steps + 4 sketch + 2 probes + steps · directions` products, fewer for small matrices.
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
            },
            smallest: SpectrumEnd {
                ritz: least,
                bound: lower,
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

/// The nonzero spectrum of the Gauss-Newton matrix of the mean loss on chosen parameters S: that of `R J_S J_Sᵀ Rᵀ / n`, with
/// `RᵀR` the curvature of the loss in the outputs of n samples.
///
/// # Errors
/// As [`Linearisation::jacobian`] and [`nonzero_conditioning`].
///
/// Cost: the tangent kernel and all its eigenvalues, `4 (nC)³/3` operations; that grows with the samples and hardly with S.
pub fn gauss_newton_conditioning(at: &Linearisation, chosen: &Support, loss: Loss) -> Result<NonzeroConditioning> {
    let rows = match loss {
        Loss::Squared => RowTransform::Identity,
        Loss::CrossEntropy => RowTransform::CrossEntropy,
    };
    let kernel = at.jacobian(chosen, rows, Biases::Fixed)?.tangent_kernel() / at.inputs().rows() as f64;
    nonzero_conditioning(&kernel, chosen.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimators::interlacing_violation;
    use crate::linalg::dense::symmetric_eigenvalues;
    use crate::linearize::Curvature;
    use crate::networks::derivative_cases::Case;
    use crate::support::Mask;

    fn curvature(case: &Case, kind: CurvatureKind, loss: Loss, mask: &Mask) -> Curvature {
        Curvature::of_mask(kind, &case.network, &case.theta, &case.inputs, &case.labels, loss, mask).unwrap()
    }

    /// Every second weight and all biases.
    fn half(case: &Case) -> Mask {
        let mut mask = case.network.layout().full_mask();
        let weights = case.network.layout().weights();
        weights.indices().iter().step_by(2).for_each(|&i| mask.set(i, false));
        mask
    }

    #[test]
    fn everything_agrees_with_the_eigenvalues_of_the_dense_matrix() {
        let few = CurvatureSummary {
            lanczos: Lanczos {
                max_steps: 30,
                tolerance: 0.0,
            },
            trace: HutchPlusPlus { sketch: 8, probes: 30 },
            distribution: LanczosQuadrature { steps: 12, probes: 20 },
            // Far below one miss over all that is asked here.
            level: 1e-4,
            zero: 1e-6,
            damping: 1e-2,
        };
        for preset in ["mlp:7-5:tanh", "mlp:7-5", "mlp:9:gelu"] {
            let case = Case::new(preset);
            for mask in [case.network.layout().full_mask(), half(&case)] {
                for (kind, loss) in [
                    (CurvatureKind::Hessian, Loss::Squared),
                    (CurvatureKind::Hessian, Loss::CrossEntropy),
                    (CurvatureKind::GaussNewton, Loss::CrossEntropy),
                ] {
                    let h = curvature(&case, kind, loss, &mask);
                    let found = few.examine(&h, kind, &Seed::root(2)).unwrap();
                    let values = symmetric_eigenvalues(&h.to_dense()).unwrap();
                    let (n, size) = (values.len(), values[values.len() - 1].max(-values[0]));
                    let rounding = 1e3 * f64::EPSILON * size;
                    assert_eq!(found.order, n);
                    let name = format!("{preset} {kind:?} {loss} {n}");
                    assert!(found.largest.ritz.value <= values[n - 1] + rounding, "{name}");
                    assert!(found.largest.bound >= values[n - 1] - rounding, "{name}");
                    assert!(found.smallest.ritz.value >= values[0] - rounding, "{name}");
                    assert!(found.smallest.bound <= values[0] + rounding, "{name}");
                    for end in [found.largest, found.smallest] {
                        let (low, high) = end.ritz.interval();
                        assert!(
                            values.iter().any(|v| (low - rounding..=high + rounding).contains(v)),
                            "{name}"
                        );
                    }
                    assert!(found.trace.interval.contains(values.iter().sum()), "{name}");
                    let squares: f64 = values.iter().map(|v| v * v).sum();
                    assert!(found.squared_frobenius.interval.contains(squares), "{name}");
                    let fraction = |x: f64| values.iter().filter(|v| **v <= x).count() as f64 / n as f64;
                    assert!(found.negative.interval.contains(fraction(-found.zero)), "{name}");
                    assert!(found.not_positive.interval.contains(fraction(found.zero)), "{name}");
                    let shift = found.shift;
                    match (kind, found.effective_dimension, found.log_determinant) {
                        (CurvatureKind::GaussNewton, Some(dimension), Some(determinant)) => {
                            let truth = values.iter().map(|v| v.max(0.0) / (v.max(0.0) + shift)).sum();
                            assert!(dimension.interval.contains(truth), "{name} {dimension:?} {truth}");
                            let truth = values.iter().map(|v| (v.max(0.0) + shift).ln()).sum();
                            assert!(determinant.interval.contains(truth), "{name} {determinant:?} {truth}");
                        }
                        (kind, dimension, _) => assert!(kind == CurvatureKind::Hessian && dimension.is_none()),
                    }
                }
            }
        }
    }

    #[test]
    fn the_nonzero_spectrum_from_the_kernel_is_that_of_the_gauss_newton_matrix() {
        let case = Case::new("mlp:7-5:tanh");
        let at = Linearisation::new(&case.network, &case.theta, &case.inputs).unwrap();
        let mask = case.network.layout().full_mask();
        for loss in Loss::ALL {
            let g = curvature(&case, CurvatureKind::GaussNewton, loss, &mask);
            let whole = symmetric_eigenvalues(&g.to_dense()).unwrap();
            let found = gauss_newton_conditioning(&at, &mask.support(), loss).unwrap();
            // 9 samples with 4 outputs, which the softmax ties to one another.
            let rank = if loss == Loss::Squared { 36 } else { 27 };
            assert_eq!((found.order, found.rank), (36, rank));
            let rounding = 1e3 * f64::EPSILON * found.lambda_max;
            assert!((found.lambda_max - whole[whole.len() - 1]).abs() <= rounding);
            assert!((found.lambda_min_nonzero - whole[whole.len() - rank]).abs() <= rounding);
        }
    }

    #[test]
    fn the_spectrum_of_a_block_interlaces_with_that_of_the_whole() {
        let case = Case::new("mlp:7-5:gelu");
        let full = case.network.layout().full_mask();
        for kind in CurvatureKind::ALL {
            let on = |support: &Support| {
                let (theta, inputs, labels) = (&case.theta, &case.inputs, &case.labels);
                let loss = Loss::CrossEntropy;
                let h = Curvature::new(kind, &case.network, theta, inputs, labels, loss, support).unwrap();
                symmetric_eigenvalues(&h.to_dense()).unwrap()
            };
            let (whole, part) = (on(&full.support()), on(&half(&case).support()));
            let rounding = 1e3 * f64::EPSILON * whole[whole.len() - 1];
            assert!(interlacing_violation(&whole, &part).unwrap() <= rounding);
        }
    }

    #[test]
    fn the_gap_closes_with_the_square_of_the_steps_and_what_makes_no_sense_is_refused() {
        let gap = |steps| lanczos_gap(10_000, steps, 0.05).unwrap();
        // ln(1.648 · 100 / 0.05) = 8.10049…
        let ln = (1.648f64 * 100.0 / 0.05).ln();
        assert!((gap(50) - (ln / 99.0).powi(2)).abs() <= 4.0 * f64::EPSILON);
        assert_eq!((gap(1), gap(10_000)), (1.0, 0.0));
        assert!(lanczos_gap(0, 3, 0.05).is_err() && lanczos_gap(3, 0, 0.05).is_err());
        assert!(lanczos_gap(3, 1, 1.0).is_err());
        let case = Case::new("mlp:7");
        let h = curvature(&case, CurvatureKind::Hessian, Loss::Squared, &half(&case));
        let ask = |summary: CurvatureSummary| summary.examine(&h, CurvatureKind::Hessian, &Seed::root(0));
        let with = CurvatureSummary::default();
        assert!(ask(CurvatureSummary { zero: 0.0, ..with }).is_err());
        assert!(
            ask(CurvatureSummary {
                damping: f64::NAN,
                ..with
            })
            .is_err()
        );
        assert!(ask(CurvatureSummary { level: 0.0, ..with }).is_err());
        // More steps than dimensions are cut.
        assert!(ask(with).unwrap().steps <= h.shape().columns);
    }
}
