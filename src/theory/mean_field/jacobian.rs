//! Singular values of the Jacobian from the pre-activations of one layer to those of a later one.
//!
//! `J = W^L D^{L−1} ⋯ W¹ D⁰` with `D^ℓ = diag φ′(h^ℓ)`. A network is *dynamically isometric* when all of its singular values are
//! near 1, which takes more than their mean square being 1:
//!
//! ```text
//! mean over the spectrum of σ²          m₁ = χ₁^L
//! that of σ⁴, over m₁²                  1 + Σ_ℓ (E φ′⁴/(E φ′²)² − 1 + a),   N → ∞
//! ```
//!
//! with a = 1 for independent weights and a = 1 − ρ² for orthogonal matrices seen through a mask of density ρ: a mask turns
//! `O` into `ρO` and independent noise of squared size ρ(1 − ρ), so that a matrix of density ½ is already three quarters as
//! spread as an independent one. For linear and ReLU networks the recursion of [`MeanField::finite_jacobian`] is exact at every
//! width: there, signs of pre-activations are fair coins independent of all sizes.
//!
//! Sources: Pennington, Schoenholz and Ganguli 2017 (arXiv:1711.04735) and 2018 (arXiv:1802.09979) for dense networks; Hanin and
//! Nica 2020 (arXiv:1812.05994) for the coins. The masked matrices are by the moments of Haar matrices of order four (Collins
//! and Śniady 2006).

use super::super::registry::{Argument, Arguments, ClosedForm, Domain, Quantity};
use super::super::require_positive;
use super::MeanField;
use super::arguments::{BIAS_VARIANCE, WEIGHT_VARIANCE, nonlinearity};
use crate::error::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// The law of a matrix of weights before its mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ensemble {
    /// Independent normal entries.
    Gaussian,
    /// σ_w times a matrix of the uniform law on the orthogonal group: entries have the same variance σ_w²/N.
    Orthogonal,
}

impl Ensemble {
    /// Their words.
    pub const WORDS: [&'static str; 2] = ["gaussian", "orthogonal"];

    /// The word in tables and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Ensemble::Gaussian => "gaussian",
            Ensemble::Orthogonal => "orthogonal",
        }
    }

    /// The variance of the squared singular values of one masked matrix over their squared mean, for N → ∞: 1, or `1 − ρ²`.
    pub fn spread(self, density: f64) -> f64 {
        match self {
            Ensemble::Gaussian => 1.0,
            Ensemble::Orthogonal => 1.0 - density * density,
        }
    }
}

impl fmt::Display for Ensemble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Ensemble {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        match word {
            "gaussian" => Ok(Ensemble::Gaussian),
            "orthogonal" => Ok(Ensemble::Orthogonal),
            _ => Err(Error::unknown("ensemble of weights", word, Ensemble::WORDS)),
        }
    }
}

/// Moments of the squared singular values of a wide network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JacobianMoments {
    /// Mean of σ² over the spectrum.
    pub mean_square: f64,
    /// Mean of σ⁴ over the spectrum, over the square of the mean of σ²: 1 at isometry.
    pub relative_second_moment: f64,
}

/// Moments over networks of a given width, each over the square of the mean of σ².
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FiniteJacobian {
    /// `E (1/N) Σσ²`, exact.
    pub mean_square: f64,
    /// `E (1/N) Σσ⁴`, relative.
    pub relative_second_moment: f64,
    /// `E ((1/N) Σσ²)²`, relative: what it is above 1 is the relative variance over networks.
    pub squared_mean: f64,
    /// `E |J u|⁴/(E |J u|²)²` for a uniformly random direction u of the first layer.
    pub forward: f64,
    /// `E |Jᵀ v|⁴/(E |Jᵀ v|²)²` for a uniformly random direction v of the last layer: a gradient's.
    pub backward: f64,
}

/// `E (tr A)²/N²`, `E tr A²/N` and `E Σ A_ii²/N` of a random symmetric A.
#[derive(Clone, Copy)]
struct Traces {
    squared: f64,
    square: f64,
    diagonal: f64,
}

impl Traces {
    const IDENTITY: Traces = Traces {
        squared: 1.0,
        square: 1.0,
        diagonal: 1.0,
    };

    /// Of `u uᵀ` for a uniform direction.
    fn direction(n: f64) -> Traces {
        Traces {
            squared: 1.0 / (n * n),
            square: 1.0 / n,
            diagonal: 3.0 / (n * (n + 2.0)),
        }
    }

    /// Of `D A D/g` for coins that are 1 with probability g.
    fn gated(self, probability: f64, n: f64) -> Traces {
        let odds = 1.0 / probability - 1.0;
        Traces {
            squared: self.squared + odds * self.diagonal / n,
            square: self.square + odds * self.diagonal,
            diagonal: self.diagonal / probability,
        }
    }

    /// Of `W A Wᵀ` for a masked matrix of entries of variance 1/N.
    fn weighted(self, ensemble: Ensemble, density: f64, n: f64) -> Traces {
        let odds = 3.0 * (1.0 - density) / density;
        let Traces {
            squared: t,
            square: s,
            diagonal: k,
        } = self;
        let rows = n * t + 2.0 * s + odds * k;
        match ensemble {
            Ensemble::Gaussian => Traces {
                squared: rows / (n * n) + (1.0 - 1.0 / n) * t,
                square: rows / n + (1.0 - 1.0 / n) * s,
                diagonal: rows / n,
            },
            Ensemble::Orthogonal => {
                // Two different rows: E o_ia² o_jb² = (N+1)/((N−1)N(N+2)), E o_ia² o_ja² = 1/(N(N+2)) and
                // E o_ia o_ja o_ib o_jb = −1/((N−1)N(N+2)), the last of which needs all four bits.
                let m = n + 2.0;
                let four = density * density;
                let pairs = (n + 1.0) * (n * t - k) + (n - 1.0) * k - 2.0 * four * (s - k);
                let cross = (n + 1.0) * (s - k) + (n - 1.0) * k - four * (n * t + s - 2.0 * k);
                Traces {
                    squared: (rows + pairs) / (n * m),
                    square: (rows + cross) / m,
                    diagonal: rows / m,
                }
            }
        }
    }
}

impl MeanField {
    /// The first two moments of the squared singular values of the Jacobian across `depth` layers of a wide network, from
    /// pre-activations of the variance `initial`.
    ///
    /// `m₁ = Π χ₁(q^ℓ)`, and the relative variances of the factors add, for factors that are free: ever wider independent
    /// rotations. Sizes of the spectrum's edges are not given.
    ///
    /// ```
    /// use ticketsense::theory::mean_field::{Ensemble, MeanField, Nonlinearity};
    /// let network = |density| MeanField {
    ///     nonlinearity: Nonlinearity::Linear, density, weight_variance: 1.0 / density, bias_variance: 0.0,
    /// };
    /// let dense = network(1.0).jacobian(Ensemble::Orthogonal, 1.0, 10)?;
    /// let masked = network(0.5).jacobian(Ensemble::Orthogonal, 1.0, 10)?;
    /// assert_eq!((dense.relative_second_moment, masked.relative_second_moment), (1.0, 8.5));
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Argument`] as [`MeanField::variances`], and [`Error::Numerical`] where the variances leave the doubles.
    pub fn jacobian(&self, ensemble: Ensemble, initial: f64, depth: usize) -> Result<JacobianMoments> {
        let lengths = self.variances(initial, depth.saturating_sub(1))?;
        if lengths.diverged {
            let why = format!("the variance overflows after layer {}", lengths.values.len() - 1);
            return Err(Error::numerical("moments of the Jacobian", why));
        }
        let spread = ensemble.spread(self.density);
        let mut moments = JacobianMoments {
            mean_square: 1.0,
            relative_second_moment: 1.0,
        };
        for &q in lengths.values.iter().take(depth) {
            let slopes = self.nonlinearity.slope_moment(q);
            moments.mean_square *= self.scale() * slopes;
            moments.relative_second_moment +=
                self.nonlinearity.slope_fourth_moment(q) / (slopes * slopes) - 1.0 + spread;
        }
        Ok(moments)
    }

    /// The exact moments over linear or ReLU networks of `width` units a layer, variance divided by the dense fan-in; biases do
    /// not matter. `None` for other nonlinearities.
    ///
    /// With `T = E (tr A)²/N²`, `S = E tr A²/N` and `K = E Σ A_ii²/N` of `A = J Jᵀ`, one layer of coins of probability g and one
    /// masked matrix map (T, S, K) linearly, from (1, 1, 1).
    ///
    /// # Errors
    /// [`Error::Argument`] as [`MeanField::validate`], for a density of 0, and for no units. Cost: `depth` steps.
    pub fn finite_jacobian(&self, ensemble: Ensemble, width: usize, depth: usize) -> Result<Option<FiniteJacobian>> {
        self.validate()?;
        require_positive("density", self.density)?;
        require_positive("width", width as f64)?;
        let Some(probability) = self.nonlinearity.homogeneous() else {
            return Ok(None);
        };
        let n = width as f64;
        let gate = |a: Traces| a.gated(probability, n);
        let weigh = |a: Traces| a.weighted(ensemble, self.density, n);
        let (mut all, mut forward, mut backward) = (Traces::IDENTITY, Traces::direction(n), Traces::direction(n));
        for _ in 0..depth {
            all = weigh(gate(all));
            forward = weigh(gate(forward));
            backward = gate(weigh(backward));
        }
        Ok(Some(FiniteJacobian {
            mean_square: (self.scale() * probability).powf(depth as f64),
            relative_second_moment: all.square,
            squared_mean: all.squared,
            forward: forward.squared * n * n,
            backward: backward.squared * n * n,
        }))
    }
}

/// The closed form `jacobian-spectrum`.
pub static JACOBIAN_FORM: ClosedForm = ClosedForm {
    name: "jacobian-spectrum",
    summary: "How far the singular values of a random masked network's Jacobian are from all being one.",
    arguments: &[
        Argument::required(
            "density",
            "fraction of the weights kept",
            "1",
            Domain::POSITIVE_FRACTION,
        ),
        WEIGHT_VARIANCE,
        Argument::required("depth", "layers", "layers", Domain::STEPS),
        nonlinearity("tanh"),
        Argument::optional(
            "ensemble",
            "law of the weights before the mask",
            "1",
            Domain::Choice(&Ensemble::WORDS),
            Some("gaussian"),
        ),
        BIAS_VARIANCE,
        Argument::optional(
            "initial",
            "variance at depth 0",
            "variance",
            Domain::NONNEGATIVE,
            Some("1"),
        ),
        Argument::optional(
            "width",
            "units of a layer, for the exact moments of linear and ReLU networks",
            "units",
            Domain::COUNT,
            None,
        ),
    ],
    formula: "m_2/m_1^2 = 1 + sum over layers of (E phi'^4/(E phi'^2)^2 - 1 + a); a = 1, or 1 - d^2 if orthogonal",
    source: "Pennington, Schoenholz and Ganguli, arXiv:1711.04735 and arXiv:1802.09979; masks by moments of Haar matrices",
    claims: &["F7"],
    evaluate,
};

fn evaluate(arguments: &Arguments) -> Result<Vec<Quantity>> {
    let model = MeanField::asked(arguments)?;
    let ensemble: Ensemble = arguments.text("ensemble")?.parse()?;
    let depth = arguments.integer("depth")? as usize;
    let found = model.jacobian(ensemble, arguments.real("initial")?, depth)?;
    let mut answer = vec![
        Quantity::real(
            "value",
            found.relative_second_moment,
            "mean of the fourth powers of singular values over the squared mean of squares; 1 at isometry",
        ),
        Quantity::real("mean_square", found.mean_square, "mean of the squared singular values"),
    ];
    if let Some(width) = arguments.optional_integer("width") {
        let exact = model.finite_jacobian(ensemble, width as usize, depth)?;
        let of = |take: fn(&FiniteJacobian) -> f64| exact.as_ref().map_or(f64::NAN, take);
        answer.extend([
            Quantity::real(
                "finite_second_moment",
                of(|e| e.relative_second_moment),
                "the value at that width; none but for linear and ReLU networks",
            ),
            Quantity::real(
                "network_deviation",
                of(|e| (e.squared_mean - 1.0).max(0.0).sqrt()),
                "relative standard deviation over networks of the mean square",
            ),
            Quantity::real(
                "gradient_second_moment",
                of(|e| e.backward),
                "relative second moment over networks of a squared gradient",
            ),
        ]);
    }
    Ok(answer)
}

#[cfg(test)]
#[path = "jacobian_tests.rs"]
mod tests;
