//! The conic intrinsic volumes of the descent cone of the ℓ₁ norm at a vector with k nonzeros in N dimensions.
//!
//! `v_j` is the probability that the projection of a standard normal vector onto the cone falls into the relative
//! interior of a face of dimension j. With n = N − k zeros, and r = j + 1 − k of them on their facets, a face's internal
//! and external angles are one-dimensional integrals (Affentranger & Schneider 1992; Vershik & Sporyshev 1992):
//!
//! > v_j = C(n,r) √(2πq) f_r(0) ∫₀^∞ φ(t) (2Φ(t/√q) − 1)^{n−r} dt,  q = j + 1 = k + r,  k − 1 ≤ j < N,
//! > v_N = P(Y_n ≤ 0),
//!
//! where `Y_r = √k g₀ + |g₁| + … + |g_r|` has the density f_r. For nonnegative vectors, minimising Σ xⱼ over x ≥ 0, the
//! cone has N − k + 1 facets and
//!
//! > v_j = C(n,r) 2^{−r} √(2πq) f_r(0) ∫₀^∞ φ(t) Φ(t/√q)^{n−r} dt + C(n, j−k) 2^{−n} P(Y_{j−k} ≤ 0).
//!
//! Both are computed in logarithms. `f_r(0)` and `P(Y_r ≤ 0)` are inverse Laplace transforms
//! `(2πi)⁻¹ ∫ e^{K(s)} [1/s] ds` with `K(s) = ks²/2 + r ln erfcx(s/√2)`, taken along the vertical line through the saddle
//! point of the second: the angle itself, some `e^{−N}`, is a factor and no sum of large terms. All integrands are
//! entire and fall like Gaussians, so that the trapezoidal rule converges faster than geometrically in 1/step: halving
//! the step squares the error at least. Each step is halved until two sums agree to the root of the rounding that the
//! exponents carry anyway.

use super::super::donoho_tanner::Signs;
use super::super::scaled_erfc::{ln_central_probability, ln_half_normal_transform, ln_probability, scaled_erfc};
use super::super::special::{LN_SQRT_TWO_PI, ln_choose};
use std::f64::consts::{FRAC_1_SQRT_2, LN_2, PI};

/// Terms of a sum below this fraction of it are left out.
const NEGLIGIBLE: f64 = 1e-17;

/// First step of the trapezoidal rule, in units of the width of a Gaussian with the curvature of the integrand's peak:
/// for a Gaussian, twice this step leaves `2e^{−2π²/1.1²} = 2e-7`.
const STEP: f64 = 0.55;

/// A logarithm with a bound on its absolute error, which is the relative error of the number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Logarithm {
    /// The natural logarithm; −∞ for zero.
    pub value: f64,
    /// First-order bound on its rounding and quadrature error.
    pub error: f64,
}

impl Logarithm {
    pub(super) const ZERO: Logarithm = Logarithm {
        value: f64::NEG_INFINITY,
        error: 0.0,
    };

    /// The logarithm of a sum.
    pub(super) fn add(self, other: Logarithm) -> Logarithm {
        let (large, small) = if self.value >= other.value {
            (self, other)
        } else {
            (other, self)
        };
        if small.value == f64::NEG_INFINITY {
            return large;
        }
        Logarithm {
            value: large.value + (small.value - large.value).exp().ln_1p(),
            error: large.error.max(small.error) + f64::EPSILON,
        }
    }
}

/// The descent cone of the ℓ₁ norm at a vector with `nonzeros` of `columns` entries, 1 ≤ nonzeros ≤ columns.
#[derive(Clone, Debug)]
pub(super) struct DescentCone {
    columns: usize,
    nonzeros: usize,
    signs: Signs,
    /// `ln v_j` as far as computed.
    volumes: Vec<Option<Logarithm>>,
    /// `ln f_r(0)` and `ln P(Y_r ≤ 0)` of the last two r.
    recent: [Option<(usize, [Logarithm; 2])>; 2],
    /// Saddle point and peak of the last volume, from which the next searches start.
    saddle: f64,
    peak: f64,
}

impl DescentCone {
    pub(super) fn new(columns: usize, nonzeros: usize, signs: Signs) -> Self {
        DescentCone {
            columns,
            nonzeros,
            signs,
            volumes: vec![None; columns + 1],
            recent: [None; 2],
            saddle: 0.0,
            peak: 0.0,
        }
    }

    /// `ln v_j`, 0 ≤ j ≤ columns. Cost: about sixty transcendental functions the first time.
    pub(super) fn ln_volume(&mut self, j: usize) -> Logarithm {
        if let Some(known) = self.volumes[j] {
            return known;
        }
        let volume = self.compute(j);
        self.volumes[j] = Some(volume);
        volume
    }

    fn compute(&mut self, j: usize) -> Logarithm {
        let (k, zeros) = (self.nonzeros, self.columns - self.nonzeros);
        if j + 1 < k {
            return Logarithm::ZERO;
        }
        let mut volume = Logarithm::ZERO;
        if j < self.columns {
            let on_facets = j + 1 - k;
            let (q, free) = (j + 1, zeros - on_facets);
            let [density, _] = self.inverse_transforms(on_facets);
            let integral = self.ln_angle_integral(free, q as f64);
            let mut value = ln_choose(zeros as u64, on_facets as u64);
            let magnitude = value;
            if self.signs == Signs::Nonnegative {
                value -= on_facets as f64 * LN_2;
            }
            value += 0.5 * (q as f64).ln() + LN_SQRT_TWO_PI + density.value + integral.value;
            volume = Logarithm {
                value,
                error: density.error + integral.error + rounding(magnitude),
            };
        }
        match self.signs {
            Signs::Signed if j == self.columns => self.inverse_transforms(zeros)[1],
            Signs::Nonnegative if j >= k => {
                let [_, probability] = self.inverse_transforms(j - k);
                let magnitude = ln_choose(zeros as u64, (j - k) as u64);
                volume.add(Logarithm {
                    value: magnitude - zeros as f64 * LN_2 + probability.value,
                    error: probability.error + rounding(magnitude + zeros as f64),
                })
            }
            _ => volume,
        }
    }

    /// `ln f_r(0)` and `ln P(Y_r ≤ 0)`.
    fn inverse_transforms(&mut self, r: usize) -> [Logarithm; 2] {
        for (known, pair) in self.recent.iter().flatten() {
            if *known == r {
                return *pair;
            }
        }
        let pair = self.compute_inverse_transforms(r);
        self.recent = [self.recent[1], Some((r, pair))];
        pair
    }

    fn compute_inverse_transforms(&mut self, r: usize) -> [Logarithm; 2] {
        let (k, count) = (self.nonzeros as f64, r as f64);
        if r == 0 {
            let error = rounding(k.ln());
            return [-0.5 * k.ln() - LN_SQRT_TWO_PI, -LN_2].map(|value| Logarithm { value, error });
        }
        // Newton's iteration for K'(θ) = 1/θ, K'(θ) = (k+r)θ − r/M(θ), with Mills' ratio M; only its neighbourhood is
        // needed, since every vertical line gives the same integral.
        let mut theta = if self.saddle > 0.0 {
            self.saddle
        } else {
            ((count + 1.0) / k).sqrt()
        };
        let mut curvature = k;
        for _ in 0..50 {
            let mills = (0.5 * PI).sqrt() * scaled_erfc(theta * FRAC_1_SQRT_2);
            curvature = (k + count - count * (1.0 - theta * mills) / (mills * mills)).max(k);
            let slope = (k + count) * theta - count / mills - 1.0 / theta;
            let step = slope / (curvature + 1.0 / (theta * theta));
            let next = theta - step;
            theta = if next > 0.0 { next } else { 0.5 * theta };
            if next > 0.0 && step * step * curvature < 1e-3 {
                break;
            }
        }
        self.saddle = theta;
        let (at_saddle, _) = ln_half_normal_transform(theta, 0.0);
        // e^{K(θ+it) − K(θ)} as its real part, and that of its quotient by θ + it.
        let node = |t: f64| {
            let (ln_modulus, angle) = ln_half_normal_transform(theta, t);
            let modulus = (-0.5 * k * t * t + count * (ln_modulus - at_saddle)).exp();
            let (sine, cosine) = (k * theta * t + count * angle).sin_cos();
            let quotient = (theta * cosine + t * sine) / (theta * theta + t * t);
            [modulus, modulus * cosine, modulus * quotient]
        };
        let error = rounding(0.5 * k * theta * theta + count * (1.0 + at_saddle.abs()));
        let step = STEP / curvature.sqrt();
        let [density, probability] = half_line_sums(step, [1.0, 1.0 / theta], 0.5 * error.sqrt(), node);
        let exponent = 0.5 * k * theta * theta + count * at_saddle;
        [density, probability].map(|sum| Logarithm {
            value: exponent + (sum / PI).ln(),
            error,
        })
    }

    /// `ln ∫₀^∞ φ(t) G(t/√q)^l dt` with G = 2Φ − 1, or Φ for nonnegative vectors.
    fn ln_angle_integral(&mut self, free: usize, q: f64) -> Logarithm {
        if free == 0 {
            return Logarithm {
                value: -LN_2,
                error: f64::EPSILON,
            };
        }
        let (count, root) = (free as f64, q.sqrt());
        let signs = self.signs;
        let ln_g = |x: f64| match signs {
            Signs::Signed => ln_central_probability(x),
            Signs::Nonnegative => ln_probability(x),
        };
        // The ratio G'/G.
        let ratio = |x: f64| {
            let ln_derivative = -0.5 * x * x - LN_SQRT_TWO_PI + if signs == Signs::Signed { LN_2 } else { 0.0 };
            (ln_derivative - ln_g(x)).exp()
        };
        // The integrand is log-concave; Newton's iteration for its peak.
        let mut peak = if self.peak > 0.0 { self.peak } else { root };
        let mut curvature = 1.0;
        for _ in 0..60 {
            let x = peak / root;
            let decay = ratio(x);
            curvature = 1.0 + count / q * decay * (x + decay);
            let step = (peak - count / root * decay) / curvature;
            let next = peak - step;
            peak = if next > 0.0 { next } else { 0.5 * peak };
            if next > 0.0 && step * step * curvature < 1e-3 {
                break;
            }
        }
        self.peak = peak;
        let ln_integrand = |t: f64| -0.5 * t * t + count * ln_g(t / root);
        let top = ln_integrand(peak);
        let width = 1.0 / curvature.sqrt();
        // The rounding of ln G is relative to it where G is near one, and absolute otherwise.
        let at_peak = ln_g(peak / root).abs();
        let error = rounding(0.5 * peak * peak + count * (1.0 + at_peak).min(4.0 * at_peak));
        let agreement = 0.5 * error.sqrt();
        let sum = if peak > 12.0 * width {
            // What lies below zero is below e^{−72}.
            line_sum(STEP * width, agreement, |shift| {
                let t = peak + shift;
                if t > 0.0 { (ln_integrand(t) - top).exp() } else { 0.0 }
            })
        } else {
            // t = exp(x − e^{−x}) maps the line to the half-line, and any power of t at zero to nothing.
            let image = |x: f64| (x - (-x).exp()).exp();
            let mut centre = 0.0_f64;
            for _ in 0..60 {
                let step = (centre - (-centre).exp() - peak.ln()) / (1.0 + (-centre).exp());
                centre -= step;
                if step.abs() < 1e-3 {
                    break;
                }
            }
            let speed = |x: f64, t: f64| t * (1.0 + (-x).exp());
            let step = (STEP * width / speed(centre, peak)).min(0.25);
            line_sum(step, agreement, |shift| {
                let x = centre + shift;
                let t = image(x);
                if t > 0.0 {
                    (ln_integrand(t) - top).exp() * speed(x, t)
                } else {
                    0.0
                }
            })
        };
        Logarithm {
            value: top - LN_SQRT_TWO_PI + sum.ln(),
            error,
        }
    }
}

/// The bound on the error of a logarithm that was summed from terms of that total size, each right to a few roundings;
/// the constant covers the quadrature.
fn rounding(magnitude: f64) -> f64 {
    4.0 * f64::EPSILON * (magnitude.abs() + 8.0)
}

/// The trapezoidal rule on `[0, ∞)` for two even integrands at once, whose values at zero are given and whose common
/// modulus comes first from `node`; the step is halved until both sums agree with their last.
fn half_line_sums(step: f64, at_zero: [f64; 2], agreement: f64, node: impl Fn(f64) -> [f64; 3]) -> [f64; 2] {
    // Nodes (offset + i)·step, until their modulus is negligible.
    let pass = |step: f64, offset: f64| {
        let mut sums = [0.0; 2];
        for i in 0..100_000 {
            let [modulus, first, second] = node((offset + i as f64) * step);
            sums[0] += first;
            sums[1] += second;
            if modulus < NEGLIGIBLE {
                break;
            }
        }
        sums
    };
    // The first step is twice the one asked for, to compare with.
    let mut step = 2.0 * step;
    let mut sums = pass(step, 1.0);
    for (sum, zero) in sums.iter_mut().zip(at_zero) {
        *sum += 0.5 * zero;
    }
    for _ in 0..10 {
        let between = pass(step, 0.5);
        let mut converged = true;
        for (sum, more) in sums.iter_mut().zip(between) {
            // T(2h) = 2h·sum against T(h) = h(sum + more).
            converged &= (*sum - more).abs() <= agreement * (*sum + more);
            *sum += more;
        }
        step *= 0.5;
        if converged {
            break;
        }
    }
    sums.map(|sum| sum * step)
}

/// The trapezoidal rule on the line for an integrand of one peak, near zero and near one there; as above.
fn line_sum(step: f64, agreement: f64, integrand: impl Fn(f64) -> f64) -> f64 {
    let pass = |step: f64, offset: f64| {
        let mut sum = 0.0;
        for direction in [1.0, -1.0] {
            for i in 0..100_000 {
                let value = integrand(direction * (offset + i as f64) * step);
                sum += value;
                if value <= NEGLIGIBLE * sum {
                    break;
                }
            }
        }
        sum
    };
    let mut step = 2.0 * step;
    let mut sum = integrand(0.0) + pass(step, 1.0);
    for _ in 0..10 {
        let between = pass(step, 0.5);
        let converged = (sum - between).abs() <= agreement * (sum + between);
        sum += between;
        step *= 0.5;
        if converged {
            break;
        }
    }
    sum * step
}
