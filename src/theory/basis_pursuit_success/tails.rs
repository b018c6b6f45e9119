//! Bounds on the tails of the intrinsic volumes that hold before any volume is computed.
//!
//! For V distributed as v and any η, `E e^{ηV} ≤ exp(δ(e^{2η} − 1)/2)` with the statistical dimension δ (from the
//! logarithmic Sobolev inequality; McCoy & Tropp 2014, arXiv:1308.5265), which gives Chernoff bounds for both tails, and
//! the same for the polar cone, whose volumes are `v_{N−j}`. δ itself is at most `D = min_τ E dist²(g, τ∂f)` and, the
//! squared distance being convex in τ with second derivative at least 2k, at least `D − 1 − (N−k)κη(τ)/k`.

use super::super::donoho_tanner::{Signs, distance_to_subdifferential};
use super::super::scaled_erfc::{ln_central_probability, ln_probability, scaled_erfc};
use super::super::special::{LN_SQRT_TWO_PI, deviance_term};
use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// Bounds on the tails of the volumes of one cone.
#[derive(Debug)]
pub(super) struct Tails {
    columns: f64,
    nonzeros: f64,
    signs: Signs,
    pub(super) dimension_above: f64,
    pub(super) dimension_below: f64,
}

impl Tails {
    pub(super) fn new(columns: usize, nonzeros: usize, signs: Signs) -> Self {
        let (total, k) = (columns as f64, nonzeros as f64);
        let (fraction, overshoot) = distance_to_subdifferential(k / total, signs);
        let dimension = fraction * total;
        Tails {
            columns: total,
            nonzeros: k,
            signs,
            // A few roundings wider.
            dimension_above: (dimension * (1.0 + 1e-13)).min(total),
            dimension_below: (dimension * (1.0 - 1e-13) - 1.0 - (total - k) / k * overshoot).max(0.0),
        }
    }

    fn bound(&self, j: f64, dimension: f64) -> f64 {
        let deviance = |x: f64, m: f64| match (x, m) {
            (0.0, m) => m,
            (_, 0.0) => f64::INFINITY,
            (x, m) => deviance_term(x, m),
        };
        -0.5 * deviance(j, dimension).max(deviance(self.columns - j, self.columns - dimension))
    }

    /// Bound on `ln P(V ≥ j)`.
    pub(super) fn ln_above(&self, j: usize) -> f64 {
        let j = j as f64;
        match j {
            _ if j > self.columns => f64::NEG_INFINITY,
            _ if j > self.dimension_above => self.bound(j, self.dimension_above),
            _ => 0.0,
        }
    }

    /// Bound on `ln P(V ≤ j)`.
    pub(super) fn ln_below(&self, j: usize) -> f64 {
        let j = j as f64;
        match j < self.dimension_below {
            true => self.bound(j, self.dimension_below),
            false => 0.0,
        }
    }

    /// A rate η and a constant with `ln P(V ≥ i) ≤ constant − ηi` for every i, chosen for the index j.
    ///
    /// Since `E e^{ηV} = E e^{ξ‖Π(g)‖²}` with `1 − 2ξ = e^{−2η}`, and the squared length of the projection Π(g) onto the
    /// cone is the least of the `dist²(g, τ∂f)`, every η and τ gives a bound, which is a product over the coordinates.
    /// At the best of them it is right to the exponential order. Cost: some 3000 Mills' ratios.
    pub(super) fn exponential_bound(&self, j: usize) -> (f64, f64) {
        let (k, zeros) = (self.nonzeros, self.columns - self.nonzeros);
        let constant = |rate: f64, tau: f64| {
            let kept = (-2.0 * rate).exp();
            let xi = -0.5 * (-2.0 * rate).exp_m1();
            let (inside, tails) = match self.signs {
                Signs::Signed => (ln_central_probability(tau).exp(), 2.0),
                Signs::Nonnegative => (ln_probability(tau).exp(), 1.0),
            };
            // ∫₀^∞ e^{ξu²} φ(u+τ) du = φ(τ) M(τ/√(1−2ξ))/√(1−2ξ).
            let root = kept.sqrt();
            let mills = (0.5 * PI).sqrt() * scaled_erfc(tau / root * FRAC_1_SQRT_2);
            let outside = (-0.5 * tau * tau - LN_SQRT_TWO_PI).exp() * mills / root;
            k * (rate + xi * tau * tau / kept) + zeros * (inside + tails * outside).ln()
        };
        let least = |rate: f64| trisect(0.0, 12.0, |tau| constant(rate, tau)).1;
        let (rate, _) = trisect(0.0, 10.0, |rate| least(rate) - rate * j as f64);
        (rate, least(rate))
    }
}

/// An argument near the minimum of a function that falls and then rises, and the value there.
fn trisect(mut lower: f64, mut upper: f64, f: impl Fn(f64) -> f64) -> (f64, f64) {
    for _ in 0..28 {
        let third = (upper - lower) / 3.0;
        if f(lower + third) < f(upper - third) {
            upper -= third;
        } else {
            lower += third;
        }
    }
    let middle = 0.5 * (lower + upper);
    (middle, f(middle))
}
