//! State evolution: the scalar recursion that predicts approximate message passing and the LASSO for Gaussian matrices.
//!
//! For y = Ax + w with m × n entries A ~ N(0, 1/m), δ = m/n, noise of variance σ² a measurement, and the entries of x
//! drawn like X, the estimate of iteration t behaves in the limit of large sizes like a soft threshold of X + τ_t Z:
//!
//! > τ²_{t+1} = σ² + (1/δ) E[(η(X + τ_t Z; ατ_t) − X)²],  τ₀² = σ² + E X²/δ,  Z ~ N(0, 1)
//!
//! (Donoho, Maleki & Montanari 2009; Bayati & Montanari 2011). The LASSO min ½‖y − Ax‖² + λ‖x‖₁ has the mean squared
//! error of the fixed point τ* of that α for which
//!
//! > λ = ατ* (1 − P(|X + τ*Z| > ατ*)/δ)
//!
//! (Bayati & Montanari 2012). X is zero with probability 1 − ε, and otherwise ±A with equal odds, or N(0, A²); the
//! expectations are then Gaussian integrals in closed form. The recursion is concave in τ², so a fixed point above zero
//! is unique, and it exists whenever α exceeds the root of `2[(1+α²)Φ(−α) − αφ(α)] = δ`.

use super::registry::{Argument, Arguments, ClosedForm, Domain, Quantity};
use super::special::{bisect, normal_central_probability, normal_density, tail_moments};
use super::thresholding::{Parts, kept_probability, soft_parts};
use super::{require_fraction, require_nonnegative, require_positive};
use crate::error::{Error, Result};

const DELTA: Argument = Argument::required("delta", "measurements per unknown, m/n", "1", Domain::POSITIVE);
const NONZERO_FRACTION: Argument =
    Argument::required("nonzero-fraction", "nonzeros per unknown, k/n", "1", Domain::FRACTION);
const NOISE_VARIANCE: Argument = Argument::required(
    "noise-variance",
    "variance of the noise of a measurement",
    "1",
    Domain::NONNEGATIVE,
);
const SIGNAL: Argument = Argument::optional(
    "signal",
    "law of the nonzeros: one size with random signs, or Gaussian",
    "1",
    Domain::Choice(&["spikes", "gaussian"]),
    Some("spikes"),
);
const AMPLITUDE: Argument = Argument::optional(
    "amplitude",
    "root mean square of the nonzeros",
    "1",
    Domain::POSITIVE,
    Some("1"),
);

/// The closed form `amp-state-evolution`.
pub static EVOLUTION_FORM: ClosedForm = ClosedForm {
    name: "amp-state-evolution",
    summary: "Mean squared error of approximate message passing with soft thresholding, after some iterations or for ever.",
    arguments: &[
        DELTA,
        NONZERO_FRACTION,
        NOISE_VARIANCE,
        Argument::required(
            "threshold",
            "threshold alpha in units of the effective noise",
            "1",
            Domain::POSITIVE,
        ),
        SIGNAL,
        AMPLITUDE,
        Argument::optional(
            "iterations",
            "iterations; for ever where not given",
            "1",
            Domain::STEPS,
            None,
        ),
    ],
    formula: "E[(eta(X + t Z; a t) - X)^2] at the fixed point of t^2 = s^2 + (1/d) E[(eta(X + t Z; a t) - X)^2]",
    source: "Donoho, Maleki & Montanari 2009, arXiv:0907.3574; Bayati & Montanari 2011, arXiv:1001.3448",
    claims: &["I6"],
    evaluate: evaluate_evolution,
};

/// The closed form `lasso-risk`.
pub static LASSO_FORM: ClosedForm = ClosedForm {
    name: "lasso-risk",
    summary: "Mean squared error of the LASSO for a Gaussian matrix with columns of unit norm, in the limit of large sizes.",
    arguments: &[
        DELTA,
        NONZERO_FRACTION,
        NOISE_VARIANCE,
        Argument::required("lambda", "penalty of |x|_1 beside |y - Ax|^2/2", "1", Domain::POSITIVE),
        SIGNAL,
        AMPLITUDE,
    ],
    formula: "d (t^2 - s^2) at the fixed point t of state evolution with l = a t (1 - P(|X + t Z| > a t)/d)",
    source: "Bayati & Montanari 2012, arXiv:1008.2581",
    claims: &["I6"],
    evaluate: evaluate_lasso,
};

/// The law of the nonzero entries, by their root mean square.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Nonzeros {
    /// ±amplitude with equal odds.
    Spikes {
        /// Their size.
        amplitude: f64,
    },
    /// N(0, amplitude²).
    Gaussian {
        /// Their standard deviation.
        amplitude: f64,
    },
}

/// A problem in the limit of large sizes.
///
/// ```
/// use ticketsense::theory::state_evolution::{Nonzeros, StateEvolution};
/// let problem = StateEvolution {
///     delta: 0.64,
///     nonzero_fraction: 0.128,
///     noise_variance: 0.2,
///     nonzeros: Nonzeros::Spikes { amplitude: 1.0 },
/// };
/// let lasso = problem.lasso(1.0)?;
/// // Both expressions of the mean squared error.
/// assert!((lasso.mean_squared_error - 0.64 * (lasso.noise_squared - 0.2)).abs() < 1e-13);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StateEvolution {
    /// Measurements per unknown δ = m/n.
    pub delta: f64,
    /// Nonzeros per unknown ε = k/n.
    pub nonzero_fraction: f64,
    /// Variance σ² of the noise of one measurement.
    pub noise_variance: f64,
    /// The law of the nonzeros.
    pub nonzeros: Nonzeros,
}

/// A state of the recursion, or its fixed point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct State {
    /// The threshold α in units of τ.
    pub threshold: f64,
    /// The effective noise τ².
    pub noise_squared: f64,
    /// `E[(η(X + τZ; ατ) − X)²]`, per unknown: the mean squared error of the estimate made from this τ.
    pub mean_squared_error: f64,
    /// The derivative of the recursion in τ²: at a fixed point, the factor on a small deviation per iteration.
    pub rate: f64,
    /// Nonzeros of the estimate per unknown, `P(|X + τZ| > ατ)`.
    pub estimated_nonzeros: f64,
    /// Probability that a zero of the signal is estimated as nonzero.
    pub false_positives: f64,
    /// Probability that a nonzero of the signal is estimated as nonzero.
    pub true_positives: f64,
    /// The penalty λ of the LASSO that this state solves if it is a fixed point; not positive where there is none.
    pub lambda: f64,
}

impl StateEvolution {
    /// Refuses what is no problem.
    ///
    /// # Errors
    /// [`Error::Argument`] for a δ or an amplitude that is not positive, a fraction outside `[0, 1]`, or a negative
    /// variance; sizes must lie within 1e±50, so that their squares and quotients are doubles.
    pub fn validate(&self) -> Result<()> {
        require_fraction("nonzero-fraction", self.nonzero_fraction)?;
        require_nonnegative("noise-variance", self.noise_variance)?;
        require_positive("delta", self.delta)?;
        let (Nonzeros::Spikes { amplitude } | Nonzeros::Gaussian { amplitude }) = self.nonzeros;
        require_positive("amplitude", amplitude)?;
        let sizes = [
            ("delta", self.delta),
            ("amplitude", amplitude),
            ("noise-variance", self.noise_variance),
        ];
        for (name, value) in sizes {
            if value != 0.0 && !(1e-50..=1e50).contains(&value) {
                return Err(Error::argument(name, "a size between 1e-50 and 1e50", value));
            }
        }
        Ok(())
    }

    /// `E[X²]`.
    pub fn second_moment(&self) -> f64 {
        let (Nonzeros::Spikes { amplitude } | Nonzeros::Gaussian { amplitude }) = self.nonzeros;
        self.nonzero_fraction * amplitude * amplitude
    }

    /// The mean squared error of an entry that is nonzero, in units of τ².
    fn nonzero_parts(&self, noise: f64, threshold: f64) -> Parts {
        match self.nonzeros {
            Nonzeros::Spikes { amplitude } => soft_parts(amplitude / noise, threshold),
            Nonzeros::Gaussian { amplitude } => gaussian_parts(amplitude / noise, threshold),
        }
    }

    fn true_positives(&self, noise: f64, threshold: f64) -> f64 {
        match self.nonzeros {
            Nonzeros::Spikes { amplitude } => kept_probability((amplitude / noise).min(1e100), threshold),
            Nonzeros::Gaussian { amplitude } => kept_probability(0.0, threshold / 1.0_f64.hypot(amplitude / noise)),
        }
    }

    /// `E[(η(X + τZ; ατ) − X)²]/τ²`, by whether the entry is estimated as zero.
    fn parts(&self, noise: f64, threshold: f64) -> Parts {
        let (zero, nonzero) = (soft_parts(0.0, threshold), self.nonzero_parts(noise, threshold));
        let fraction = self.nonzero_fraction;
        let mix = |zero: f64, nonzero: f64| {
            // An absent kind counts nothing, even where its error overflows.
            let part = |weight: f64, value: f64| if weight == 0.0 { 0.0 } else { weight * value };
            part(1.0 - fraction, zero) + part(fraction, nonzero)
        };
        Parts {
            zeroed: mix(zero.zeroed, nonzero.zeroed),
            kept: mix(zero.kept, nonzero.kept),
        }
    }

    /// The state with that effective noise τ² > 0.
    ///
    /// The derivative of the recursion is the part of the error that comes from entries estimated as nonzero, over δτ²:
    /// the recursion is homogeneous in τ² and the variances of the signal together, and the derivative in the latter is
    /// the part that comes from the others.
    ///
    /// # Errors
    /// [`Error::Argument`] as [`StateEvolution::validate`], for a τ² that is not positive or a negative threshold.
    pub fn state(&self, noise_squared: f64, threshold: f64) -> Result<State> {
        self.validate()?;
        require_positive("effective noise", noise_squared)?;
        require_nonnegative("threshold", threshold)?;
        Ok(self.state_at(noise_squared, threshold))
    }

    fn state_at(&self, noise_squared: f64, threshold: f64) -> State {
        let noise = noise_squared.sqrt();
        let Parts { zeroed, kept } = self.parts(noise, threshold);
        let false_positives = kept_probability(0.0, threshold);
        let true_positives = self.true_positives(noise, threshold);
        let estimated = (1.0 - self.nonzero_fraction) * false_positives + self.nonzero_fraction * true_positives;
        State {
            threshold,
            noise_squared,
            mean_squared_error: noise_squared * (zeroed + kept),
            rate: kept / self.delta,
            estimated_nonzeros: estimated,
            false_positives,
            true_positives,
            lambda: threshold * noise * (1.0 - estimated / self.delta),
        }
    }

    /// τ² → σ² + E[…]/δ.
    fn advance(&self, noise_squared: f64, threshold: f64) -> f64 {
        let Parts { zeroed, kept } = self.parts(noise_squared.sqrt(), threshold);
        self.noise_variance + noise_squared * (zeroed + kept) / self.delta
    }

    /// The states τ₀², τ₁², … after 0 to `iterations` iterations, from the estimate zero.
    ///
    /// Ends where τ² reaches zero.
    ///
    /// # Errors
    /// [`Error::Argument`] as [`StateEvolution::state`], and for a recursion that grows beyond every double.
    pub fn trajectory(&self, threshold: f64, iterations: u64) -> Result<Vec<State>> {
        self.validate()?;
        require_nonnegative("threshold", threshold)?;
        let mut noise_squared = self.noise_variance + self.second_moment() / self.delta;
        let mut states = Vec::new();
        for _ in 0..=iterations {
            if noise_squared < f64::MIN_POSITIVE {
                break;
            }
            if noise_squared > 1e200 {
                return Err(Error::argument(
                    "threshold",
                    "one for which the recursion stays bounded",
                    threshold,
                ));
            }
            states.push(self.state_at(noise_squared, threshold));
            noise_squared = self.advance(noise_squared, threshold);
        }
        Ok(states)
    }

    /// The largest fixed point for a threshold: the limit of the recursion from the estimate zero.
    ///
    /// Without noise it is τ² = 0, the exact recovery, where the slope at zero,
    /// `[ε(1+α²) + 2(1−ε)((1+α²)Φ(−α) − αφ(α))]/δ`, is at most one. Cost: some ten evaluations of the recursion.
    ///
    /// # Errors
    /// [`Error::Argument`] as [`StateEvolution::state`], and for a threshold at or below [`smallest_threshold`], where
    /// the recursion grows without bound.
    pub fn fixed_point(&self, threshold: f64) -> Result<State> {
        self.validate()?;
        require_nonnegative("threshold", threshold)?;
        let smallest = smallest_threshold(self.delta)?;
        let unbounded = || {
            let expected = format!("above {smallest}, where the recursion has a fixed point");
            Error::argument("threshold", expected, threshold)
        };
        let noise_only = soft_parts(0.0, threshold).kept;
        if noise_only >= self.delta {
            return Err(unbounded());
        }
        let slope = (self.nonzero_fraction * (1.0 + threshold * threshold)
            + (1.0 - self.nonzero_fraction) * noise_only)
            / self.delta;
        let start = self.noise_variance + self.second_moment() / self.delta;
        if start == 0.0 || (self.noise_variance == 0.0 && slope <= 1.0) {
            return Ok(self.recovered(threshold, slope));
        }
        let mut upper = start;
        while self.advance(upper, threshold) > upper {
            upper *= 2.0;
            if upper > 1e200 {
                return Err(unbounded());
            }
        }
        // The recursion is concave, so from above Newton's iteration descends to the root; where rounding ends the
        // descent, it is there.
        let mut state = self.state_at(upper, threshold);
        loop {
            let u = state.noise_squared;
            let excess = self.noise_variance + state.mean_squared_error / self.delta - u;
            let next = u + excess / (1.0 - state.rate);
            if next >= u || next < f64::MIN_POSITIVE {
                return Ok(state);
            }
            state = self.state_at(next, threshold);
        }
    }

    /// The limit of states as τ² → 0.
    fn recovered(&self, threshold: f64, slope: f64) -> State {
        let false_positives = kept_probability(0.0, threshold);
        State {
            threshold,
            noise_squared: 0.0,
            mean_squared_error: 0.0,
            rate: slope,
            estimated_nonzeros: (1.0 - self.nonzero_fraction) * false_positives + self.nonzero_fraction,
            false_positives,
            true_positives: 1.0,
            lambda: 0.0,
        }
    }

    /// The fixed point that describes the LASSO min ½‖y − Ax‖² + λ‖x‖₁.
    ///
    /// λ rises from −∞ (0 for δ > 1) to ∞ with α, crossing every positive value once (Bayati & Montanari 2012, Corollary
    /// 1.7), so α is bisected. Cost: about sixty fixed points, a few milliseconds.
    ///
    /// # Errors
    /// [`Error::Argument`] as [`StateEvolution::validate`], for a λ that is not positive, and for a problem with neither
    /// signal nor noise.
    pub fn lasso(&self, lambda: f64) -> Result<State> {
        self.validate()?;
        require_positive("lambda", lambda)?;
        if self.noise_variance + self.second_moment() == 0.0 {
            return Err(Error::argument(
                "noise-variance",
                "positive where the signal is zero",
                self.noise_variance,
            ));
        }
        let smallest = smallest_threshold(self.delta)?;
        let below = |threshold: f64| self.fixed_point(threshold).map_or(true, |state| state.lambda < lambda);
        let mut upper = smallest.max(0.5) * 2.0;
        while below(upper) {
            upper *= 2.0;
            if upper > 1e50 {
                return Err(Error::argument(
                    "lambda",
                    "a penalty within 1e50 of the effective noise",
                    lambda,
                ));
            }
        }
        self.fixed_point(bisect(smallest, upper, below))
    }
}

/// The threshold α at and below which state evolution has no fixed point: the root of `2[(1+α²)Φ(−α) − αφ(α)] = δ`; 0 for
/// δ ≥ 1.
///
/// # Errors
/// [`Error::Argument`] for a δ that is not positive.
pub fn smallest_threshold(delta: f64) -> Result<f64> {
    require_positive("delta", delta)?;
    if delta >= 1.0 {
        return Ok(0.0);
    }
    Ok(bisect(0.0, 40.0, |threshold| soft_parts(0.0, threshold).kept > delta))
}

/// `E[g²; |g| ≤ z]`, with relative precision.
fn central_square(z: f64) -> f64 {
    if z < 1.0 {
        // 2φ(z) Σ_{k≥1} z^{2k+1}/(2k+1)!!: the series of Φ − ½ without its first term.
        let mut term = z;
        let mut sum = 0.0;
        for k in 1..20 {
            term *= z * z / (2 * k + 1) as f64;
            sum += term;
        }
        2.0 * normal_density(z) * sum
    } else {
        normal_central_probability(z) - 2.0 * z * normal_density(z)
    }
}

/// The mean squared error of soft thresholding `X + g` at α, with X ~ N(0, a²), in its two parts.
///
/// Given Y = X + g of variance s² = 1 + a², X has mean `(a²/s²)Y` and variance a²/s², and g has mean Y/s² and the same
/// variance; with Y = s·h and z = α/s, the error above the threshold is `(h − z)/s − za²/s` plus that variance.
fn gaussian_parts(amplitude: f64, threshold: f64) -> Parts {
    let amplitude = amplitude.min(1e100);
    let spread = 1.0_f64.hypot(amplitude);
    let z = threshold / spread;
    // a²/s² and za²/s.
    let share = (amplitude / spread).powi(2);
    let pull = z * share * spread;
    let density = normal_density(z);
    let [mass, first, second] = tail_moments(z).map(|moment| 2.0 * density * moment);
    let square = second / (spread * spread) - 2.0 * pull * (first / spread) + pull * pull * mass;
    Parts {
        zeroed: share * (amplitude * amplitude * central_square(z) + normal_central_probability(z)),
        kept: square + share * mass,
    }
}

fn problem(arguments: &Arguments) -> Result<StateEvolution> {
    let amplitude = arguments.real("amplitude")?;
    Ok(StateEvolution {
        delta: arguments.real("delta")?,
        nonzero_fraction: arguments.real("nonzero-fraction")?,
        noise_variance: arguments.real("noise-variance")?,
        nonzeros: match arguments.text("signal")? {
            "gaussian" => Nonzeros::Gaussian { amplitude },
            _ => Nonzeros::Spikes { amplitude },
        },
    })
}

fn quantities(problem: &StateEvolution, state: &State) -> Vec<Quantity> {
    let relative = state.mean_squared_error / problem.second_moment();
    vec![
        Quantity::real("value", state.mean_squared_error, "mean squared error per unknown"),
        Quantity::real(
            "relative_error_squared",
            if relative.is_finite() { relative } else { f64::NAN },
            "the same over the mean square of the signal",
        ),
        Quantity::real("noise_squared", state.noise_squared, "effective noise tau^2"),
        Quantity::real("threshold", state.threshold, "threshold alpha in units of tau"),
        Quantity::real(
            "rate",
            state.rate,
            "derivative of the recursion; at a fixed point, the factor per iteration",
        ),
        Quantity::real("lambda", state.lambda, "penalty of the LASSO with that fixed point"),
        Quantity::real(
            "estimated_nonzeros",
            state.estimated_nonzeros,
            "nonzeros of the estimate per unknown",
        ),
        Quantity::real(
            "false_positives",
            state.false_positives,
            "probability that a zero is estimated as nonzero",
        ),
        Quantity::real(
            "true_positives",
            state.true_positives,
            "probability that a nonzero is estimated as nonzero",
        ),
    ]
}

fn evaluate_evolution(arguments: &Arguments) -> Result<Vec<Quantity>> {
    let problem = problem(arguments)?;
    let threshold = arguments.real("threshold")?;
    let state = match arguments.optional_integer("iterations") {
        None => problem.fixed_point(threshold)?,
        Some(iterations) => {
            let states = problem.trajectory(threshold, iterations)?;
            match states.get(iterations as usize) {
                Some(state) => *state,
                None => problem.fixed_point(threshold)?,
            }
        }
    };
    Ok(quantities(&problem, &state))
}

fn evaluate_lasso(arguments: &Arguments) -> Result<Vec<Quantity>> {
    let problem = problem(arguments)?;
    Ok(quantities(&problem, &problem.lasso(arguments.real("lambda")?)?))
}

#[cfg(test)]
#[path = "state_evolution_tests.rs"]
mod tests;
