//! Percolation of a signal through random sparse layers, as a branching process.
//!
//! One active unit has `fan_out` potential successors, each edge kept with probability `keep`. Exact on trees; in a
//! random wiring, in the limit of wide layers. Two quantities share the threshold and nothing else: whether a *single
//! source* survives is decided by the law of the out-degree, the *fraction* of a layer reached by that of the in-degree,
//! which random targets make Poisson.

use super::registry::{Argument, Arguments, ClosedForm, Domain, Quantity};
use super::special::{bisect, log_excess};
use super::{require_fraction, require_positive};
use crate::error::{Error, Result};

/// The closed form `percolation-survival`.
pub static FORM: ClosedForm = ClosedForm {
    name: "percolation-survival",
    summary: "Probability that the signal of one unit survives random pruning, to a depth or for ever.",
    arguments: &[
        Argument::required(
            "fan-out",
            "potential successors of a unit; an integer under the binomial law",
            "units",
            Domain::POSITIVE,
        ),
        Argument::required("keep", "probability that an edge is kept", "1", Domain::FRACTION),
        Argument::optional(
            "law",
            "law of the number of kept edges",
            "1",
            Domain::Choice(&LAWS),
            Some(LAWS[0]),
        ),
        Argument::optional(
            "depth",
            "layers to survive; for ever where left out",
            "layers",
            Domain::STEPS,
            None,
        ),
    ],
    formula: "largest root of x = 1-(1-qx)^b (binomial) or x = 1-exp(-bqx) (poisson); depth: s' = F(s), s_0 = 1",
    source: "Harris, The Theory of Branching Processes, 1963; Athreya & Ney, Branching Processes, 1972",
    claims: &["F1", "F2", "F3"],
    evaluate,
};

const LAWS: [&str; 2] = ["binomial", "poisson"];

/// The law of the number of successors that one active unit reaches.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Offspring {
    /// Each of `fan_out` edges is kept independently with probability `keep`.
    Binomial {
        /// Potential successors, b ≥ 1.
        fan_out: u64,
        /// Probability that an edge is kept, q.
        keep: f64,
    },
    /// A Poisson number.
    Poisson {
        /// Its mean, c.
        mean: f64,
    },
}

/// A probability together with its complement, each to full relative precision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Survival {
    /// The probability of surviving for ever.
    pub survival: f64,
    /// The probability of dying out, one minus it.
    pub extinction: f64,
}

impl Offspring {
    /// Refuses a law outside its domain.
    ///
    /// # Errors
    /// [`Error::Argument`] for a fan-out of 0, a probability outside `[0, 1]` or a mean that is negative or not finite.
    pub fn validate(self) -> Result<()> {
        match self {
            Offspring::Binomial { fan_out, keep } => {
                require_positive("fan-out", fan_out as f64)?;
                require_fraction("keep", keep)
            }
            Offspring::Poisson { mean } => super::require_nonnegative("mean", mean),
        }
    }

    /// The mean number of successors, `bq` or c. Supercritical above 1.
    pub fn mean(self) -> f64 {
        match self {
            Offspring::Binomial { fan_out, keep } => fan_out as f64 * keep,
            Offspring::Poisson { mean } => mean,
        }
    }

    /// `mean − 1` in one rounding, which decides on which side of the threshold the law lies.
    fn margin(self) -> f64 {
        match self {
            Offspring::Binomial { fan_out, keep } => (fan_out as f64).mul_add(keep, -1.0),
            Offspring::Poisson { mean } => mean - 1.0,
        }
    }

    /// The second factorial moment `f''(1)`: `b(b−1)q²` or c².
    pub fn second_factorial_moment(self) -> f64 {
        match self {
            Offspring::Binomial { fan_out, keep } => fan_out as f64 * (fan_out as f64 - 1.0) * keep * keep,
            Offspring::Poisson { mean } => mean * mean,
        }
    }

    /// `F(s)`, the probability that at least one successor is reached which itself survives with probability s.
    fn step(self, s: f64) -> f64 {
        match self {
            Offspring::Binomial { fan_out, keep } => -(fan_out as f64 * (-keep * s).ln_1p()).exp_m1(),
            Offspring::Poisson { mean } => -(-mean * s).exp_m1(),
        }
    }

    /// `ln P(no successor survives)` when one dies out with probability e.
    fn ln_extinct(self, e: f64) -> f64 {
        match self {
            Offspring::Binomial { fan_out, keep } => {
                // 1 − q(1 − e), through the small one of its two forms.
                let lost = (1.0 - keep) + keep * e;
                let ln_lost = if lost < 0.5 {
                    lost.ln()
                } else {
                    (-keep * (1.0 - e)).ln_1p()
                };
                fan_out as f64 * ln_lost
            }
            Offspring::Poisson { mean } => -mean * (1.0 - e),
        }
    }

    /// The probability that the descendants of one unit reach every depth: the largest root of `x = F(x)`.
    ///
    /// F is concave with F(0) = 0, so a positive root exists iff the mean exceeds 1 and `x > F(x)` exactly above it.
    /// In logarithms, with `ψ(x) = −ln(1−x)/x − 1`, that is `ψ(x) − c ψ(qx) > c − 1` (Poisson: `ψ(x) > c − 1`), where
    /// nothing cancels as x → 0: the root keeps its digits at the threshold, where it is `≈ 2(c−1)/f''(1)`. Above one
    /// half the probability of extinction is found instead, in its logarithm. Cost: about 100 logarithms.
    ///
    /// ```
    /// use ticketsense::theory::percolation::Offspring;
    /// // fan-out 2: (2q−1)/q².
    /// let survival = Offspring::Binomial { fan_out: 2, keep: 0.8 }.survival()?.survival;
    /// assert!((survival - 0.6 / 0.64).abs() < 1e-15);
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Argument`] as [`Offspring::validate`].
    pub fn survival(self) -> Result<Survival> {
        self.validate()?;
        let margin = self.margin();
        let certain = matches!(self, Offspring::Binomial { keep, .. } if keep == 1.0);
        if certain {
            return Ok(Survival {
                survival: 1.0,
                extinction: 0.0,
            });
        }
        if margin <= 0.0 {
            return Ok(Survival {
                survival: 0.0,
                extinction: 1.0,
            });
        }
        let above = |x: f64| match self {
            Offspring::Binomial { keep, .. } => log_excess(x) - self.mean() * log_excess(keep * x) > margin,
            Offspring::Poisson { .. } => log_excess(x) > margin,
        };
        let survival = bisect(0.0, 1.0, |x| !above(x));
        if survival <= 0.5 {
            return Ok(Survival {
                survival,
                extinction: 1.0 - survival,
            });
        }
        // ln e < ln_extinct(e) exactly below the root; ln_extinct is increasing, so the root is above its value at 0.
        let lowest = self.ln_extinct(0.0);
        let ln_extinction = bisect(lowest, -std::f64::consts::LN_2 * 0.5, |t| t < self.ln_extinct(t.exp()));
        Ok(Survival {
            survival: -ln_extinction.exp_m1(),
            extinction: ln_extinction.exp(),
        })
    }

    /// The probability that one unit has a descendant `depth` layers on: `s_{L+1} = F(s_L)` from `s_0 = 1`.
    ///
    /// At most `depth` steps; ends earlier at the fixed point.
    ///
    /// # Errors
    /// [`Error::Argument`] as [`Offspring::validate`].
    pub fn survival_to_depth(self, depth: u64) -> Result<f64> {
        self.validate()?;
        let mut s = 1.0;
        for _ in 0..depth {
            let next = self.step(s);
            // Below the smallest normal double rounding holds a dying sequence up: it is zero.
            if next < f64::MIN_POSITIVE {
                return Ok(0.0);
            }
            // The sequence never rises in exact arithmetic: where it stops falling it is at its limit.
            if next >= s {
                return Ok(s);
            }
            s = next;
        }
        Ok(s)
    }

    /// The factor by which the distance of `s_L` from its limit shrinks per layer: `F'` at the limit, which is the mean
    /// below the threshold, 1 at it, and below 1 above it.
    ///
    /// # Errors
    /// [`Error::Argument`] as [`Offspring::validate`].
    pub fn approach_ratio(self) -> Result<f64> {
        let Survival { survival, extinction } = self.survival()?;
        if survival == 0.0 {
            return Ok(self.mean());
        }
        Ok(match self {
            Offspring::Binomial { fan_out, keep } => {
                // F'(x) = bq(1−qx)^{b−1}.
                let survivors = (1.0 - keep) + keep * extinction;
                self.mean() * survivors.powf(fan_out as f64 - 1.0)
            }
            Offspring::Poisson { mean } => mean * extinction,
        })
    }

    /// The upper bound `mean^L` on the survival to depth L, from the expected number of descendants (Markov).
    ///
    /// # Errors
    /// [`Error::Argument`] as [`Offspring::validate`].
    pub fn subcritical_bound(self, depth: u64) -> Result<f64> {
        self.validate()?;
        Ok(self.mean().powf(depth as f64).min(1.0))
    }

    /// The survival to depth L of a law *at* the threshold, to leading order: `2/(L f''(1))` (Kolmogorov's estimate).
    ///
    /// # Errors
    /// [`Error::Argument`] as [`Offspring::validate`], away from the threshold by more than 1e-9, or at depth 0.
    pub fn critical_asymptote(self, depth: u64) -> Result<f64> {
        self.validate()?;
        require_positive("depth", depth as f64)?;
        if self.margin().abs() > 1e-9 {
            return Err(Error::argument("mean", "1, the threshold, to within 1e-9", self.mean()));
        }
        Ok(2.0 / (depth as f64 * self.second_factorial_moment()))
    }
}

/// The fraction of a wide layer that is reached far from the input when every unit sends `mean` kept edges to random
/// targets: the largest root of `y = 1 − e^{−cy}`.
///
/// # Errors
/// [`Error::Argument`] for a mean that is negative or not finite.
pub fn reached_fraction(mean: f64) -> Result<f64> {
    Ok(Offspring::Poisson { mean }.survival()?.survival)
}

/// The threshold of the dropped fraction, `p_c = 1 − 1/b`, below which a signal survives.
///
/// # Errors
/// [`Error::Argument`] for a fan-out below 1.
pub fn drop_threshold(fan_out: f64) -> Result<f64> {
    if fan_out >= 1.0 && fan_out.is_finite() {
        Ok(1.0 - 1.0 / fan_out)
    } else {
        Err(Error::argument("fan-out", "a finite number of at least 1", fan_out))
    }
}

fn evaluate(arguments: &Arguments) -> Result<Vec<Quantity>> {
    let fan_out = arguments.real("fan-out")?;
    let keep = arguments.real("keep")?;
    let law = match arguments.text("law")? {
        "poisson" => Offspring::Poisson { mean: fan_out * keep },
        _ if fan_out.fract() == 0.0 && fan_out <= super::registry::LARGEST_EXACT_INTEGER as f64 => {
            Offspring::Binomial {
                fan_out: fan_out as u64,
                keep,
            }
        }
        _ => {
            return Err(Error::argument(
                "fan-out",
                "an integer of at most 2^53 under the binomial law",
                fan_out,
            ));
        }
    };
    let Survival { survival, extinction } = law.survival()?;
    let reached = Offspring::Poisson { mean: law.mean() };
    let depth = arguments.optional_integer("depth");
    let value = match depth {
        Some(depth) => law.survival_to_depth(depth)?,
        None => survival,
    };
    let meaning = if depth.is_some() {
        "probability of surviving to that depth"
    } else {
        "probability of surviving for ever"
    };
    let mut answer = vec![Quantity::real("value", value, meaning)];
    if let Some(depth) = depth {
        answer.push(Quantity::real(
            "reached_fraction_at_depth",
            reached.survival_to_depth(depth)?,
            "fraction of that layer reached from a fully active input layer (Poisson in-degrees)",
        ));
    }
    let threshold = if fan_out >= 1.0 { 1.0 / fan_out } else { f64::NAN };
    answer.extend([
        Quantity::real("survival", survival, "probability of surviving for ever"),
        Quantity::real("extinction", extinction, "probability of dying out"),
        Quantity::real(
            "reached_fraction",
            reached.survival()?.survival,
            "fraction of a deep layer reached (Poisson in-degrees)",
        ),
        Quantity::real(
            "mean_offspring",
            law.mean(),
            "kept edges of a unit on average; above 1 a signal can survive",
        ),
        Quantity::real("keep_threshold", threshold, "keep probability at the threshold, 1/b"),
        Quantity::real(
            "drop_threshold",
            1.0 - threshold,
            "dropped fraction at the threshold, 1 - 1/b",
        ),
        Quantity::real(
            "approach_ratio",
            law.approach_ratio()?,
            "factor on the distance from the limit per layer",
        ),
        Quantity::real(
            "second_factorial_moment",
            law.second_factorial_moment(),
            "f''(1); at the threshold s_L ~ 2/(L f''(1))",
        ),
    ]);
    Ok(answer)
}

#[cfg(test)]
#[path = "percolation_tests.rs"]
mod tests;
