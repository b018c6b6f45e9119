//! What one layer does to Gaussian numbers: the moments of φ and φ′ under one and under two correlated normal laws.

use super::super::special::{normal_central_probability, normal_density, normal_probability};
use super::quadrature::{mean, mean_of_two};
use crate::error::{Error, Result};
use std::f64::consts::{FRAC_2_PI, PI};
use std::fmt;
use std::str::FromStr;

/// A nonlinearity whose Gaussian moments are known in closed form, or, for tanh, to quadrature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Nonlinearity {
    /// `x`.
    Linear,
    /// `max(0, x)`.
    Relu,
    /// `tanh x`.
    Tanh,
    /// `erf x`.
    Erf,
    /// `x Φ(x)`, the exact form.
    Gelu,
    /// `x` cut off at ±1.
    HardTanh,
}

impl Nonlinearity {
    /// All of them.
    pub const ALL: [Nonlinearity; 6] = [
        Nonlinearity::Linear,
        Nonlinearity::Relu,
        Nonlinearity::Tanh,
        Nonlinearity::Erf,
        Nonlinearity::Gelu,
        Nonlinearity::HardTanh,
    ];

    /// Their words, in that order.
    pub const WORDS: [&'static str; 6] = ["linear", "relu", "tanh", "erf", "gelu", "hard-tanh"];

    /// The word in tables and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Nonlinearity::Linear => "linear",
            Nonlinearity::Relu => "relu",
            Nonlinearity::Tanh => "tanh",
            Nonlinearity::Erf => "erf",
            Nonlinearity::Gelu => "gelu",
            Nonlinearity::HardTanh => "hard-tanh",
        }
    }

    /// `φ(x)`.
    pub fn value(self, x: f64) -> f64 {
        match self {
            Nonlinearity::Linear => x,
            Nonlinearity::Relu => x.max(0.0),
            Nonlinearity::Tanh => x.tanh(),
            Nonlinearity::Erf => libm::erf(x),
            Nonlinearity::Gelu => x * normal_probability(x),
            Nonlinearity::HardTanh => x.clamp(-1.0, 1.0),
        }
    }

    /// `φ′(x)`; 0 at a kink.
    pub fn slope(self, x: f64) -> f64 {
        match self {
            Nonlinearity::Linear => 1.0,
            Nonlinearity::Relu => f64::from(u8::from(x > 0.0)),
            Nonlinearity::Tanh => 1.0 - x.tanh().powi(2),
            Nonlinearity::Erf => std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp(),
            Nonlinearity::Gelu => normal_probability(x) + x * normal_density(x),
            Nonlinearity::HardTanh => f64::from(u8::from(x.abs() < 1.0)),
        }
    }

    /// The least upper bound of `φ²`, infinite where there is none.
    pub fn bound(self) -> f64 {
        match self {
            Nonlinearity::Linear | Nonlinearity::Relu | Nonlinearity::Gelu => f64::INFINITY,
            Nonlinearity::Tanh | Nonlinearity::Erf | Nonlinearity::HardTanh => 1.0,
        }
    }

    /// `V(q)/q` where it does not depend on q: such a network has no scale of its own.
    pub fn homogeneous(self) -> Option<f64> {
        match self {
            Nonlinearity::Linear => Some(1.0),
            Nonlinearity::Relu => Some(0.5),
            _ => None,
        }
    }

    /// `V(q) = E φ(√q z)²` for a standard normal z and q ≥ 0.
    ///
    /// Closed forms: Williams 1997 for erf; for GELU and hard tanh by partial integration.
    pub fn second_moment(self, q: f64) -> f64 {
        match self {
            Nonlinearity::Linear => q,
            Nonlinearity::Relu => 0.5 * q,
            Nonlinearity::Tanh => mean(|z| (q.sqrt() * z).tanh().powi(2)),
            Nonlinearity::HardTanh if q > 0.0 => {
                let a = q.sqrt().recip();
                q * inner_square(a) + 2.0 * normal_probability(-a)
            }
            Nonlinearity::HardTanh => 0.0,
            Nonlinearity::Erf | Nonlinearity::Gelu => self.product_moment(q, 1.0),
        }
    }

    /// `V′(q) = E[φ′² + φφ″](√q z)`, the slope of the map of variances for unit weights.
    pub fn second_moment_slope(self, q: f64) -> f64 {
        match self {
            Nonlinearity::Linear => 1.0,
            Nonlinearity::Relu => 0.5,
            Nonlinearity::Tanh => mean(|z| {
                let t = (q.sqrt() * z).tanh();
                (1.0 - t * t) * (1.0 - 3.0 * t * t)
            }),
            // (2/π) d/dq asin(2q/(1 + 2q)).
            Nonlinearity::Erf => 2.0 * FRAC_2_PI / ((1.0 + 2.0 * q) * (1.0 + 4.0 * q).sqrt()),
            Nonlinearity::Gelu => {
                // V = q/4 + q(a + b)/2π with a = asin(q/(1 + q)) and b = 2q/((1 + q)√(1 + 2q)).
                let root = (1.0 + 2.0 * q).sqrt();
                let (a, b) = ((q / (1.0 + q)).asin(), 2.0 * q / ((1.0 + q) * root));
                let moved = 0.5 * b + b * (1.0 - q / (1.0 + q) - q / (1.0 + 2.0 * q));
                0.25 + (a + b + moved) / (2.0 * PI)
            }
            Nonlinearity::HardTanh if q > 0.0 => inner_square(q.sqrt().recip()),
            Nonlinearity::HardTanh => 1.0,
        }
    }

    /// `E φ′(√q z)²`: what one layer multiplies small differences, and squared gradients, by, for unit weights.
    pub fn slope_moment(self, q: f64) -> f64 {
        match self {
            Nonlinearity::Linear => 1.0,
            Nonlinearity::Relu => 0.5,
            Nonlinearity::Tanh => mean(|z| (1.0 - (q.sqrt() * z).tanh().powi(2)).powi(2)),
            Nonlinearity::HardTanh if q > 0.0 => normal_central_probability(q.sqrt().recip()),
            Nonlinearity::HardTanh => 1.0,
            Nonlinearity::Erf | Nonlinearity::Gelu => self.slope_product_moment(q, 1.0),
        }
    }

    /// `E φ′(√q z)⁴`: with the square of [`Nonlinearity::slope_moment`], how unequally a layer treats directions.
    pub fn slope_fourth_moment(self, q: f64) -> f64 {
        match self {
            Nonlinearity::Linear => 1.0,
            // φ′ is 0 or 1.
            Nonlinearity::Relu | Nonlinearity::HardTanh => self.slope_moment(q),
            Nonlinearity::Tanh => mean(|z| (1.0 - (q.sqrt() * z).tanh().powi(2)).powi(4)),
            Nonlinearity::Erf => 4.0 * FRAC_2_PI * FRAC_2_PI / (1.0 + 8.0 * q).sqrt(),
            Nonlinearity::Gelu => mean(|z| self.slope(q.sqrt() * z).powi(4)),
        }
    }

    /// `E φ(u)φ(v)` for two normal numbers of variance q and correlation c.
    ///
    /// Closed forms: Cho and Saul 2009 for ReLU; Williams 1997 for erf; for GELU by Stein's identity, twice. Hard tanh: by
    /// Price's theorem `∂/∂c = q P(|u|<1, |v|<1)` and Plackett's for that probability, a single smooth integral. Tanh: by
    /// quadrature in the plane.
    pub fn product_moment(self, q: f64, c: f64) -> f64 {
        let k = q * c;
        match self {
            Nonlinearity::Linear => k,
            Nonlinearity::Relu => {
                let angle = c.clamp(-1.0, 1.0).acos();
                q * (angle.sin() + c * (PI - angle)) / (2.0 * PI)
            }
            Nonlinearity::Erf => FRAC_2_PI * (2.0 * k / (1.0 + 2.0 * q)).asin(),
            Nonlinearity::Gelu => {
                let determinant = ((1.0 + q).powi(2) - k * k).sqrt();
                let both = 0.25 + (k / (1.0 + q)).asin() / (2.0 * PI);
                k * both + (q * q + k * k * (1.0 - q) / (1.0 + q)) / (2.0 * PI * determinant)
            }
            Nonlinearity::HardTanh => {
                let inner = normal_central_probability(q.sqrt().recip());
                // ∫₀ᶜ (c − r) P′(r) dr with r = sin t.
                let end = c.clamp(-1.0, 1.0).asin();
                let rest = integral(end, |t| (c - t.sin()) * corners(q, t));
                q * (c * inner * inner + rest)
            }
            Nonlinearity::Tanh => correlated(q, c, f64::tanh),
        }
    }

    /// `E φ′(u)φ′(v)` for two normal numbers of variance q and correlation c: the derivative of
    /// [`Nonlinearity::product_moment`] in their covariance (Price's theorem).
    pub fn slope_product_moment(self, q: f64, c: f64) -> f64 {
        let k = q * c;
        match self {
            Nonlinearity::Linear => 1.0,
            Nonlinearity::Relu => (PI - c.clamp(-1.0, 1.0).acos()) / (2.0 * PI),
            Nonlinearity::Erf => 2.0 * FRAC_2_PI / ((1.0 + 2.0 * q).powi(2) - 4.0 * k * k).sqrt(),
            Nonlinearity::Gelu => {
                let determinant = ((1.0 + q).powi(2) - k * k).sqrt();
                let both = 0.25 + (k / (1.0 + q)).asin() / (2.0 * PI);
                let ratio = (1.0 - q) / (1.0 + q);
                let density = (2.0 * PI * determinant).recip();
                both + density * k * (1.0 + 2.0 * ratio + (q * q + k * k * ratio) / (determinant * determinant))
            }
            Nonlinearity::HardTanh => {
                let inner = normal_central_probability(q.sqrt().recip());
                inner * inner + integral(c.clamp(-1.0, 1.0).asin(), |t| corners(q, t))
            }
            Nonlinearity::Tanh => correlated(q, c, |x| 1.0 - x.tanh().powi(2)),
        }
    }
}

impl fmt::Display for Nonlinearity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Nonlinearity {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        let known = Nonlinearity::ALL.into_iter().find(|n| n.as_str() == word);
        known.ok_or_else(|| Error::unknown("nonlinearity", word, Nonlinearity::WORDS))
    }
}

/// `E[z²; |z| < a] = erf(a/√2) − 2a𝜑(a)`, without cancellation for small a.
fn inner_square(a: f64) -> f64 {
    if a > 0.5 {
        return normal_central_probability(a) - 2.0 * a * normal_density(a);
    }
    // 2𝜑(0)∫₀ᵃ z² exp(−z²/2) dz term by term.
    let (mut term, mut sum) = (a.powi(3), 0.0);
    for k in 0..30 {
        sum += term / (2 * k + 3) as f64;
        term *= -0.5 * a * a / (k + 1) as f64;
    }
    2.0 * normal_density(0.0) * sum
}

/// `cos t` times the derivative of `P(|u|<1, |v|<1)` in the correlation at `sin t`, both of variance q: the density at the
/// four corners (Plackett 1954), where the factor takes the root out of it.
fn corners(q: f64, t: f64) -> f64 {
    let at = |sign: f64| {
        let below = q * (1.0 + sign * t.sin());
        if below > 0.0 { (-below.recip()).exp() } else { 0.0 }
    };
    (at(1.0) - at(-1.0)) / PI
}

/// `E f(u)f(v)`.
fn correlated(q: f64, c: f64, f: impl Fn(f64) -> f64) -> f64 {
    let (scale, rest) = (q.sqrt(), ((1.0 - c) * (1.0 + c)).max(0.0).sqrt());
    if rest == 0.0 {
        return mean(|z| f(scale * z) * f(c * scale * z));
    }
    // In the sum and difference of u and v, which are independent, the rule sees f at a slant and needs no finer step as c
    // goes to 1.
    let (plus, minus) = (
        scale * (0.5 * (1.0 + c)).sqrt(),
        scale * (0.5 * (1.0 - c)).max(0.0).sqrt(),
    );
    mean_of_two(|x, y| f(plus * x + minus * y) * f(plus * x - minus * y))
}

/// `∫₀ᵗ f`, for smooth f on at most a quarter turn: the tanh-sinh rule, whose error falls as fast at ends where derivatives
/// do not exist.
fn integral(end: f64, f: impl Fn(f64) -> f64) -> f64 {
    if end == 0.0 {
        return 0.0;
    }
    const STEP: f64 = 1.0 / 32.0;
    let half = 0.5 * end;
    let mut sum = 0.0;
    for k in -128i32..=128 {
        let s = f64::from(k) * STEP;
        let inner = 0.5 * PI * s.sinh();
        let weight = 0.5 * PI * s.cosh() / inner.cosh().powi(2);
        sum += weight * f(half * (1.0 + inner.tanh()));
    }
    half * STEP * sum
}
