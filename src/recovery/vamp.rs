//! Vector approximate message passing with the soft threshold.

use super::amp::{Threshold, minimax_multiple, soft, unit_scales};
use super::common::{check_positive, check_tolerance, column_cost, in_safe_range, residual_into};
use super::entry::{COUNT, NOT_NEGATIVE, SolverEntry, TOLERANCE, option};
use super::iterate::Iterate;
use super::{Recovery, Solver, check_right_hand_side};
use crate::error::{Error, Result};
use crate::linalg::columns::{accumulate, correlate};
use crate::linalg::dense::thin_svd;
use crate::linalg::sweep::sweep;
use crate::linalg::{dot, norm};
use crate::operators::MeasurementOperator;
use crate::outcome::{Progress, Status, Watch};

/// The estimated error has grown by this factor over the signal's own size.
const DIVERGENCE: f64 = 1e6;
/// A singular value below this multiple of the largest is zero to working precision.
const RANK: f64 = 1e-12;

/// Vector (or orthogonal) approximate message passing, from `r = 0`:
///
/// > linear step: `u = r + W(y − A r)/c`, `W = v Aᵀ(v A Aᵀ + σ²I)⁻¹`, `c = tr(W A)/n`;
/// > denoising: `x = η(u; α√(v(1 − c)/c))`, `d = ‖x‖₀/n`, `r⁺ = (x − d u)/(1 − d)`,
///
/// with the soft threshold η, the noise level σ, and `v = (‖y − A r‖² − mσ²)₊/‖A‖_F²` the estimated square error of an
/// entry of `r`. Both steps are free of divergence, so that for *matrices with Haar distributed right singular vectors*
/// and any spectrum their errors stay Gaussian and independent; [`super::ApproximateMessagePassing`] needs independent
/// entries. With `σ = 0` the linear step is the pseudo-inverse. Columns are scaled to length 1 inside.
///
/// It ends with
/// - `Converged` when `x` and `r` move by at most `τ` of their lengths, `τ = max(tolerance, 16ε)`;
/// - `ResidualReached` when `‖y − A x‖₂ ≤ τ‖y‖₂`;
/// - `Exhausted`, with `x = 0`, when every column is zero;
/// - `Diverged` when `v` exceeds 10⁶ times its first value or the next iterate is not finite, with the last finite one.
///
/// The objective is `½‖y − A x‖₂²`; there is no certificate. Cost: the thin singular value decomposition once, then one
/// pass over the n × min(m, n) singular vectors, two with noise, and the columns of the support an iteration. Sources: Ma and Ping
/// (2017); Rangan, Schniter and Fletcher (2019).
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::operators::{MeasurementOperator, PartialFourierEnsemble};
/// use ticketsense::recovery::{Solver, VectorAmp};
/// let a = PartialFourierEnsemble { rows: 100, columns: 200 }.draw(&Seed::root(1))?;
/// let mut x = vec![0.0; 200];
/// (x[7], x[40]) = (1.0, -2.0);
/// let answer = VectorAmp::default().solve(&a, &a.apply(&x)?)?;
/// assert!(answer.status.is_success());
/// assert!((answer.x[40] + 2.0).abs() < 1e-8);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct VectorAmp {
    /// The threshold as a multiple of the effective noise; `None` is the minimax one for the measured m/n.
    pub alpha: Option<f64>,
    /// Standard deviation σ of the noise of an entry of `y`.
    pub noise: f64,
    /// Relative change, and relative residual, at which it ends, in `[0, 1)`.
    pub tolerance: f64,
    /// The most iterations.
    pub max_iterations: usize,
}

impl Default for VectorAmp {
    /// The minimax threshold, no noise, tolerance 1e-10, at most 1000 iterations.
    fn default() -> Self {
        VectorAmp {
            alpha: None,
            noise: 0.0,
            tolerance: 1e-10,
            max_iterations: 1000,
        }
    }
}

/// The linear step in the coordinates of the singular vectors.
struct Linear {
    /// Right singular vectors of the nonzero singular values, n × rank.
    v: Vec<f64>,
    singular: Vec<f64>,
    /// `Uᵀy`, and the square of what `U` does not reach.
    along: Vec<f64>,
    beyond: f64,
    /// `Uᵀ(y − A r)`, then the step's coefficients.
    error: Vec<f64>,
    /// The variance of the noise of an entry of `y`.
    noise_square: f64,
}

impl Linear {
    fn new(a: &dyn MeasurementOperator, scales: &[f64], y: &[f64], noise_square: f64) -> Result<Self> {
        let mut matrix = a.to_dense();
        for (mut column, scale) in matrix.column_iter_mut().zip(scales) {
            column *= *scale;
        }
        let svd = thin_svd(&matrix)?;
        let largest = svd.singular_values.iter().fold(0.0f64, |m, s| m.max(*s));
        let rank = svd.singular_values.iter().filter(|s| **s > RANK * largest).count();
        let mut along = vec![0.0; rank];
        correlate(&svd.u.as_slice()[..rank * y.len()], y, &mut along);
        Ok(Linear {
            v: svd.v.as_slice()[..rank * scales.len()].to_vec(),
            singular: svd.singular_values.as_slice()[..rank].to_vec(),
            beyond: (dot(y, y) - dot(&along, &along)).max(0.0),
            error: vec![0.0; rank],
            along,
            noise_square,
        })
    }

    /// Leaves `Uᵀ(y − A r)` in `error`, and returns `‖y − A r‖²`.
    ///
    /// Without noise the step does not depend on how large that is: `u ← r + W(y − A r)/c` then comes from the same pass.
    fn measure(&mut self, r: &[f64], u: &mut [f64]) -> f64 {
        u.copy_from_slice(r);
        if self.noise_square == 0.0 {
            let (error, singular, along) = (&mut self.error, &self.singular, &self.along);
            // The pseudo-inverse has 1 for s·W in the singular basis.
            let c = singular.len() as f64 / r.len() as f64;
            sweep(&self.v, r, u, |i, product| {
                error[i] = along[i] - singular[i] * product;
                error[i] / (singular[i] * c)
            });
        } else {
            correlate(&self.v, r, &mut self.error);
            for ((e, s), y) in self.error.iter_mut().zip(&self.singular).zip(&self.along) {
                *e = y - s * *e;
            }
        }
        dot(&self.error, &self.error) + self.beyond
    }

    /// Makes `u`, as [`Self::measure`] left it, `r + W(y − A r)/c`; returns c.
    fn step_into(&mut self, variance: f64, u: &mut [f64]) -> f64 {
        let columns = u.len() as f64;
        if self.noise_square == 0.0 {
            return self.singular.len() as f64 / columns;
        }
        let gain = |s: f64| s * s * variance / (s * s * variance + self.noise_square);
        let c = self.singular.iter().map(|&s| gain(s)).sum::<f64>() / columns;
        for (e, &s) in self.error.iter_mut().zip(&self.singular) {
            *e *= gain(s) / (s * c);
        }
        accumulate(&self.v, &self.error, u);
        c
    }
}

impl VectorAmp {
    fn run(&self, a: &dyn MeasurementOperator, y: &[f64], factor: f64, watch: &mut Watch<'_>) -> Result<Recovery> {
        let shape = a.shape();
        let (columns, y_norm) = (shape.columns as f64, norm(y));
        let multiple = match self.alpha {
            Some(alpha) => alpha,
            None => minimax_multiple(shape.rows, shape.columns)?,
        };
        let tolerance = self.tolerance.max(16.0 * f64::EPSILON);
        let scales = unit_scales(a);
        let noise_square = (self.noise * factor).powi(2);
        let mut linear = Linear::new(a, &scales, y, noise_square)?;
        let energy: f64 = linear.singular.iter().map(|s| s * s).sum();
        // The norms and the matrix were read once each.
        let mut applications = 2.0;
        let mut answer = Iterate::zero(y);
        let (mut x, mut next) = (vec![0.0; shape.columns], vec![0.0; shape.columns]);
        let (mut r, mut u) = (vec![0.0; shape.columns], vec![0.0; shape.columns]);
        let mut first = None;
        let mut iterations = 0;
        let status = loop {
            if norm(&answer.r) <= tolerance * y_norm {
                break Status::ResidualReached;
            }
            if linear.singular.is_empty() {
                break Status::Exhausted;
            }
            if iterations == self.max_iterations {
                break Status::IterationLimit;
            }
            let square = linear.measure(&r, &mut u);
            // Never 0: where the noise explains all that is left, the linear step still moves a little.
            let least = f64::EPSILON * (square + noise_square);
            let variance = ((square - shape.rows as f64 * noise_square) / energy).max(least);
            if !variance.is_finite() || variance > DIVERGENCE * *first.get_or_insert(variance) {
                break Status::Diverged;
            }
            let c = linear.step_into(variance, &mut u);
            let theta = multiple * (variance * (1.0 - c).max(0.0) / c).sqrt();
            let mut nonzeros = 0usize;
            for (next, u) in next.iter_mut().zip(&u) {
                *next = soft(*u, theta);
                nonzeros += usize::from(*next != 0.0);
            }
            if !(c > 0.0 && u.iter().all(|v| v.is_finite())) {
                break Status::Diverged;
            }
            // Where everything passes the threshold, the denoiser's own part of the answer would be 0/0.
            let passed = (nonzeros as f64 / columns).min(1.0 - 0.5 / columns);
            let (mut x_square, mut r_square) = (0.0, 0.0);
            for (((r, u), next), x) in r.iter_mut().zip(&u).zip(&next).zip(&x) {
                let new = (next - passed * u) / (1.0 - passed);
                r_square += (new - *r) * (new - *r);
                x_square += (next - x) * (next - x);
                *r = new;
            }
            std::mem::swap(&mut x, &mut next);
            answer.support.clear();
            answer
                .support
                .extend((0..shape.columns).filter(|&j| x[j] * scales[j] != 0.0));
            answer.values.clear();
            answer.values.extend(answer.support.iter().map(|&j| x[j] * scales[j]));
            residual_into(a, y, &answer.support, &answer.values, &mut answer.r);
            applications += 2.0 + column_cost(shape, answer.support.len());
            iterations += 1;
            let progress = Progress {
                nonzeros,
                ..answer.progress(iterations)
            };
            if !watch.tell(&progress) {
                break Status::Stopped;
            }
            if x_square.sqrt() <= tolerance * norm(&x) && r_square.sqrt() <= tolerance * norm(&r) {
                break Status::Converged;
            }
        };
        Ok(answer.into_recovery(shape.columns, status, iterations, applications))
    }
}

impl Solver for VectorAmp {
    fn name(&self) -> &'static str {
        "vamp"
    }

    fn solve_watched(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        check_right_hand_side(a, y)?;
        check_tolerance(self.tolerance)?;
        check_positive("max-iterations", self.max_iterations)?;
        self.alpha.map_or(Ok(()), |alpha| Threshold::Multiple(alpha).check())?;
        if !(self.noise.is_finite() && self.noise >= 0.0) {
            return Err(Error::argument("noise", "a finite number ≥ 0", self.noise));
        }
        in_safe_range(y, 2, watch, |y, factor, watch| self.run(a, y, factor, watch))
    }
}

/// Its line in the list of solvers.
pub(super) const ENTRY: SolverEntry = SolverEntry {
    name: "vamp",
    help: "Vector approximate message passing with the soft threshold, for matrices of any spectrum.",
    options: &[
        option(
            "alpha",
            NOT_NEGATIVE,
            "effective noise",
            "minimax for the measured m/n",
            "The threshold as a multiple of the effective noise.",
        ),
        option(
            "noise",
            NOT_NEGATIVE,
            "the data's",
            "0",
            "Standard deviation of the noise of a measurement.",
        ),
        option(
            "tolerance",
            TOLERANCE,
            "relative change of the iterate, relative residual",
            "1e-10",
            "Stop when the iterate moves, or the residual is, by no more than this.",
        ),
        option("max-iterations", COUNT, "iterations", "1000", "The most iterations."),
    ],
    for_planted: |_| Vec::new(),
    builder: |o| {
        let default = VectorAmp::default();
        Ok(Box::new(VectorAmp {
            alpha: o.real("alpha"),
            noise: o.real("noise").unwrap_or(default.noise),
            tolerance: o.real("tolerance").unwrap_or(default.tolerance),
            max_iterations: o.integer("max-iterations").unwrap_or(default.max_iterations),
        }))
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::dense::product;
    use crate::operators::{DenseOperator, GaussianEnsemble};
    use crate::recovery::ApproximateMessagePassing;
    use crate::recovery::reference::{normal_vector, planted};
    use crate::seed::Seed;
    use nalgebra::DMatrix;

    /// Gaussian singular vectors with a spectrum that falls geometrically to 1/condition.
    fn ill_conditioned(rows: usize, columns: usize, condition: f64, seed: &Seed) -> DenseOperator {
        let a = GaussianEnsemble { rows, columns }.draw(seed).unwrap();
        let svd = thin_svd(a.matrix()).unwrap();
        let spectrum = DMatrix::from_fn(rows, rows, |i, j| {
            let fall = condition.powf(-(i as f64) / (rows - 1) as f64);
            if i == j { fall } else { 0.0 }
        });
        let left = product(&svd.u, &spectrum).unwrap();
        DenseOperator::new(product(&left, &svd.v.transpose()).unwrap()).unwrap()
    }

    #[test]
    fn the_linear_step_is_the_plain_formula() {
        let seed = Seed::root(1);
        let a = GaussianEnsemble { rows: 6, columns: 9 }.draw(&seed).unwrap();
        let (y, r) = (normal_vector(6, &seed), normal_vector(9, &seed.stream("r")));
        for (variance, noise) in [(0.7, 0.0), (0.7, 0.3)] {
            let mut linear = Linear::new(&a, &[1.0; 9], &y, noise).unwrap();
            let mut u = vec![0.0; 9];
            let m = a.matrix();
            let e = nalgebra::DVector::from_column_slice(&y) - m * nalgebra::DVector::from_column_slice(&r);
            let square = linear.measure(&r, &mut u);
            let inner = m * m.transpose() * variance + DMatrix::identity(6, 6) * noise;
            let w = m.transpose() * inner.clone().try_inverse().unwrap() * variance;
            let c = (&w * m).trace() / 9.0;
            let expected = nalgebra::DVector::from_column_slice(&r) + &w * &e / c;
            let found = linear.step_into(variance, &mut u);
            let spectrum = crate::linalg::dense::singular_values(&inner).unwrap();
            // The plain formula inverts a matrix: its condition times the roundings of 9-term sums.
            let bound = 100.0 * spectrum[0] / spectrum[5] * f64::EPSILON * (1.0 + expected.norm());
            assert!((square - e.norm_squared()).abs() <= bound * (1.0 + e.norm_squared()));
            assert!((found - c).abs() <= bound, "{found} {c}");
            assert!(u.iter().zip(expected.iter()).all(|(u, v)| (u - v).abs() <= bound));
        }
    }

    #[test]
    fn a_spectrum_that_makes_plain_message_passing_fail_is_recovered() {
        let seed = Seed::root(2);
        let a = ill_conditioned(150, 300, 30.0, &seed);
        let x = planted(300, 15, &seed);
        let y = a.apply(&x).unwrap();
        let plain = ApproximateMessagePassing::default().solve(&a, &y).unwrap();
        assert!(!plain.status.is_success(), "{}", plain.status);
        let answer = VectorAmp::default().solve(&a, &y).unwrap();
        assert!(answer.status.is_success(), "{}", answer.status);
        let error = norm(&answer.x.iter().zip(&x).map(|(u, v)| u - v).collect::<Vec<_>>());
        // A residual of 1e-10‖y‖ through singular values no smaller than 1/30 on a sparse difference.
        assert!(error <= 1e-6 * norm(&x), "{error:e}");
    }

    #[test]
    fn the_effective_noise_is_what_it_believes_it_to_be() {
        // One linear step from 0: u = x + noise of variance v(1 − c)/c, over 4000 entries.
        let (rows, columns) = (200, 400);
        let mut ratio = Vec::new();
        for replicate in 0..10 {
            let seed = Seed::root(3).replicate(replicate);
            let a = ill_conditioned(rows, columns, 10.0, &seed);
            let x = planted(columns, 40, &seed);
            let sigma = 0.02;
            let mut y = a.apply(&x).unwrap();
            y.iter_mut()
                .zip(normal_vector(rows, &seed))
                .for_each(|(y, w)| *y += sigma * w);
            let mut linear = Linear::new(&a, &vec![1.0; columns], &y, sigma * sigma).unwrap();
            let (r, mut u) = (vec![0.0; columns], vec![0.0; columns]);
            let square = linear.measure(&r, &mut u);
            let energy: f64 = linear.singular.iter().map(|s| s * s).sum();
            let variance = (square - rows as f64 * sigma * sigma) / energy;
            let c = linear.step_into(variance, &mut u);
            let error: f64 = u.iter().zip(&x).map(|(u, x)| (u - x) * (u - x)).sum();
            ratio.push(error / columns as f64 / (variance * (1.0 - c) / c));
        }
        let mean = ratio.iter().sum::<f64>() / 10.0;
        let spread = ratio.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 9.0;
        // Six standard errors of ten replicates, and a bias of order 1/m.
        assert!(
            (mean - 1.0).abs() <= 6.0 * (spread / 10.0).sqrt() + 5.0 / rows as f64,
            "{mean}"
        );
    }

    #[test]
    fn a_zero_matrix_is_exhausted_and_noise_that_is_no_number_refused() {
        let zero = DenseOperator::new(DMatrix::zeros(3, 4)).unwrap();
        let answer = VectorAmp::default().solve(&zero, &[1.0, 2.0, 3.0]).unwrap();
        assert_eq!((answer.status, answer.support.len()), (Status::Exhausted, 0));
        for noise in [-1.0, f64::NAN, f64::INFINITY] {
            let solver = VectorAmp {
                noise,
                ..VectorAmp::default()
            };
            assert!(matches!(solver.solve(&zero, &[1.0; 3]), Err(Error::Argument { .. })));
        }
    }
}
