//! How likely random initial values are a given ticket, and how redundancy changes that.
//!
//! For any exchangeable continuous law of N weights the k largest magnitudes are each set of k with probability
//! `1/C(N, k)`, and with k given signs of a symmetric law `2^{−k}/C(N, k)`. One draw has one such set: its `C(N, k)` sets
//! are no independent chances for one given target. What helps is redundancy: K target units, each with n candidates of
//! its own that serve with probability π, are all served with probability `(1 − (1 − π)^n)^K`; out of one pool of n
//! candidates, each of which serves at most one unit, with `Σ_j (−1)^j C(K, j)(1 − jπ)^n`.

use super::registry::{Argument, Arguments, ClosedForm, Domain, Quantity};
use super::special::ln_choose;
use super::{require_fraction, require_positive};
use crate::error::{Error, Result};
use std::f64::consts::LN_2;

/// The closed form `lucky-support`.
pub static SUPPORT_FORM: ClosedForm = ClosedForm {
    name: "lucky-support",
    summary: "How likely the largest of some random weights are exactly a given set.",
    arguments: &[
        Argument::required("weights", "number of weights", "1", Domain::STEPS),
        Argument::required("nonzeros", "size of the set", "1", Domain::STEPS),
        Argument::optional("signs", "whether their signs are given too", "1", Domain::Flag, None),
        Argument::optional(
            "exceed",
            "probability that one weight exceeds a threshold",
            "1",
            Domain::FRACTION,
            None,
        ),
    ],
    formula: "1/C(N, k), with signs 2^-k/C(N, k)",
    source: "exchangeability; Feller, An Introduction to Probability Theory, vol. 1, II",
    claims: &["A10"],
    evaluate: evaluate_support,
};

/// The closed form `redundancy`.
pub static REDUNDANCY_FORM: ClosedForm = ClosedForm {
    name: "redundancy",
    summary: "How likely every unit of a target finds a candidate among random ones.",
    arguments: &[
        Argument::required(
            "units",
            "units of the target",
            "1",
            Domain::Integer {
                lower: 1,
                upper: 1_000_000,
            },
        ),
        Argument::required(
            "candidates",
            "candidates of each unit; in all, where shared",
            "1",
            Domain::COUNT,
        ),
        Argument::required(
            "adequate",
            "probability that a candidate serves a unit",
            "1",
            Domain::FRACTION,
        ),
        Argument::optional(
            "shared",
            "one pool, each candidate serves at most one unit",
            "1",
            Domain::Flag,
            None,
        ),
        Argument::optional(
            "failure",
            "accepted probability of failure",
            "1",
            Domain::POSITIVE_FRACTION,
            None,
        ),
    ],
    formula: "(1 - (1 - pi)^n)^K; shared: sum_j (-1)^j C(K, j) (1 - j pi)^n",
    source: "independence; inclusion and exclusion; as a mechanism, Malach et al., ICML 2020, and Pensia et al., NeurIPS 2020",
    claims: &["A10"],
    evaluate: evaluate_redundancy,
};

fn given(arguments: &Arguments, name: &str) -> bool {
    arguments
        .iter()
        .any(|(known, value)| known == name && *value == super::Scalar::Flag(true))
}

fn evaluate_support(arguments: &Arguments) -> Result<Vec<Quantity>> {
    let (weights, nonzeros) = (arguments.integer("weights")?, arguments.integer("nonzeros")?);
    let ln = ln_largest_set(weights, nonzeros, given(arguments, "signs"))?;
    let threshold = match arguments.optional_real("exceed") {
        Some(exceed) => threshold_set(weights, nonzeros, exceed)?,
        None => f64::NAN,
    };
    Ok(vec![
        Quantity::real("value", ln.exp(), "probability that the largest weights are the set"),
        Quantity::real("log2", ln / LN_2, "its binary logarithm"),
        Quantity::real(
            "threshold",
            threshold,
            "probability that exactly the set exceeds the threshold",
        ),
        Quantity::real(
            "as_if_independent",
            some_set_as_if_independent(weights, nonzeros)?,
            "what C(N, k) independent chances would give: no answer to any question about one network",
        ),
    ])
}

fn evaluate_redundancy(arguments: &Arguments) -> Result<Vec<Quantity>> {
    let (units, candidates) = (arguments.integer("units")?, arguments.integer("candidates")?);
    let adequate = arguments.real("adequate")?;
    let value = if given(arguments, "shared") {
        shared_pool(units, candidates, adequate)?
    } else {
        own_pools(units, candidates, adequate)?
    };
    let needed = match arguments.optional_real("failure") {
        Some(failure) if adequate > 0.0 && failure < 1.0 => candidates_needed(units, adequate, failure)?,
        _ => f64::NAN,
    };
    Ok(vec![
        Quantity::real("value", value, "probability that every unit is served"),
        Quantity::real(
            "candidates_needed",
            needed,
            "candidates of each unit for the accepted failure, own pools",
        ),
    ])
}

fn check(weights: u64, nonzeros: u64) -> Result<()> {
    if nonzeros > weights {
        return Err(Error::argument(
            "nonzeros",
            format!("at most {weights} weights"),
            nonzeros,
        ));
    }
    Ok(())
}

/// The natural logarithm of the probability that the `nonzeros` largest magnitudes of `weights` exchangeable continuous
/// ones are a given set: `−ln C(N, k)`, and `k ln 2` less with given signs of a symmetric law.
///
/// ```
/// let ln = ticketsense::theory::lucky_support::ln_largest_set(10, 3, false)?;
/// assert!((ln.exp() * 120.0 - 1.0).abs() < 1e-12);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for more nonzeros than weights.
pub fn ln_largest_set(weights: u64, nonzeros: u64, signs: bool) -> Result<f64> {
    check(weights, nonzeros)?;
    let signs = if signs { LN_2 * nonzeros as f64 } else { 0.0 };
    Ok(-ln_choose(weights, nonzeros) - signs)
}

/// The probability `π^k (1 − π)^{N−k}` that of N independent weights exactly a given set of k exceeds a threshold that one
/// exceeds with probability π. It is largest at `π = k/N`, where it is `2^{−N H(k/N)}`.
///
/// # Errors
/// [`Error::Argument`] for more nonzeros than weights or a probability outside `[0, 1]`.
pub fn threshold_set(weights: u64, nonzeros: u64, exceed: f64) -> Result<f64> {
    check(weights, nonzeros)?;
    require_fraction("exceed", exceed)?;
    let power = |ln: f64, count: u64| if count == 0 { 0.0 } else { ln * count as f64 };
    Ok((power(exceed.ln(), nonzeros) + power((-exceed).ln_1p(), weights - nonzeros)).exp())
}

/// `1 − (1 − P)^{C(N,k)}` with `P = 1/C(N, k)`, which tends to 1 − 1/e: what the sets of one network would give if they
/// were independent chances. They are not; claim A10 (c) shows that this does not fit.
///
/// # Errors
/// [`Error::Argument`] for more nonzeros than weights.
pub fn some_set_as_if_independent(weights: u64, nonzeros: u64) -> Result<f64> {
    let ln_sets = -ln_largest_set(weights, nonzeros, false)?;
    let chance = (-ln_sets).exp();
    // C ln(1 − 1/C) → −1 where C is beyond the doubles.
    let exponent = if chance > 1e-12 {
        (-chance).ln_1p() / chance
    } else {
        -1.0
    };
    Ok(-exponent.exp_m1())
}

/// The probability `(1 − (1 − π)^n)^K` that each of K units finds one of its own n candidates adequate.
///
/// # Errors
/// [`Error::Argument`] for a probability outside `[0, 1]`.
pub fn own_pools(units: u64, candidates: u64, adequate: f64) -> Result<f64> {
    require_fraction("adequate", adequate)?;
    if units == 0 {
        return Ok(1.0);
    }
    let missed = if candidates == 0 {
        1.0
    } else {
        (candidates as f64 * (-adequate).ln_1p()).exp()
    };
    Ok((units as f64 * (-missed).ln_1p()).exp())
}

/// The probability that each of K units finds a candidate in one pool of n, where a candidate serves unit j with
/// probability π and at most one unit: `Σ_j (−1)^j C(K, j)(1 − jπ)^n`.
///
/// The terms alternate; they are summed as the recursion over candidates that inclusion and exclusion solves, so that
/// nothing cancels: with j units served, the next candidate serves a new one with probability `(K − j)π`.
///
/// # Errors
/// [`Error::Argument`] when `K π > 1`, and beyond 10⁸ steps.
///
/// Cost: `n K`.
pub fn shared_pool(units: u64, candidates: u64, adequate: f64) -> Result<f64> {
    require_fraction("adequate", adequate)?;
    if units as f64 * adequate > 1.0 + 1e-12 {
        return Err(Error::argument(
            "adequate",
            format!("at most 1/{units} in a shared pool"),
            adequate,
        ));
    }
    let steps = units.saturating_mul(candidates);
    if steps > 100_000_000 {
        return Err(Error::argument(
            "candidates",
            "at most 1e8 units times candidates in a shared pool",
            candidates,
        ));
    }
    let units = units as usize;
    let mut served = vec![0.0; units + 1];
    served[0] = 1.0;
    for _ in 0..candidates {
        for count in (0..=units).rev() {
            let stays = 1.0 - (units - count) as f64 * adequate;
            let arrives = match count {
                0 => 0.0,
                _ => served[count - 1] * (units - count + 1) as f64 * adequate,
            };
            served[count] = served[count] * stays.max(0.0) + arrives;
        }
    }
    Ok(served[units].min(1.0))
}

/// How many candidates each of K units needs so that all are served but for a probability δ: the least integer
/// `n ≥ ln(1 − (1 − δ)^{1/K})/ln(1 − π)`, logarithmic in K/δ.
///
/// # Errors
/// [`Error::Argument`] for no units, or probabilities outside `(0, 1)` (π = 1 needs one candidate).
pub fn candidates_needed(units: u64, adequate: f64, failure: f64) -> Result<f64> {
    require_positive("adequate", adequate)?;
    require_fraction("adequate", adequate)?;
    if units == 0 || !(failure > 0.0 && failure < 1.0) {
        return Err(Error::argument(
            "failure",
            "a number in (0, 1), of at least one unit",
            failure,
        ));
    }
    if adequate == 1.0 {
        return Ok(1.0);
    }
    let missed = -((-failure).ln_1p() / units as f64).exp_m1();
    Ok((missed.ln() / (-adequate).ln_1p()).ceil().max(1.0))
}

#[cfg(test)]
mod tests {
    use super::super::special::binary_entropy;
    use super::*;

    #[test]
    fn small_sets_are_counted_and_thresholds_peak_at_the_density() {
        // C(5, 2) = 10 sets, four sign patterns each.
        assert!((ln_largest_set(5, 2, false).unwrap().exp() - 0.1).abs() < 1e-14);
        assert!((ln_largest_set(5, 2, true).unwrap().exp() - 0.025).abs() < 1e-14);
        let peak = threshold_set(20, 5, 0.25).unwrap();
        assert!((peak.log2() + 20.0 * binary_entropy(0.25)).abs() < 1e-12);
        for exceed in [0.2, 0.24, 0.26, 0.3] {
            assert!(threshold_set(20, 5, exceed).unwrap() < peak);
        }
        assert_eq!(threshold_set(4, 0, 0.0).unwrap(), 1.0);
        // 1 − 0.9¹⁰, and 1 − 1/e beyond all counting.
        assert!((some_set_as_if_independent(5, 2).unwrap() - (1.0 - 0.9_f64.powi(10))).abs() < 1e-14);
        assert!((some_set_as_if_independent(500, 200).unwrap() - (1.0 - (-1.0_f64).exp())).abs() < 1e-14);
    }

    #[test]
    fn the_recursion_of_a_shared_pool_is_the_alternating_sum() {
        for (units, candidates, adequate) in [(1_u64, 7_u64, 0.3), (3, 10, 0.2), (4, 12, 0.25), (5, 4, 0.1)] {
            let sum: f64 = (0..=units)
                .map(|j| {
                    let sign = if j % 2 == 0 { 1.0 } else { -1.0 };
                    sign * ln_choose(units, j).exp() * (1.0 - j as f64 * adequate).powi(candidates as i32)
                })
                .sum();
            // At most 2^K terms of at most 1, each good to a few rounding errors.
            assert!((shared_pool(units, candidates, adequate).unwrap() - sum.max(0.0)).abs() < 1e-13);
        }
        assert!(shared_pool(3, 10, 0.4).is_err());
        assert!(shared_pool(1000, 1 << 40, 1e-4).is_err());
    }

    #[test]
    fn the_candidates_needed_are_the_fewest_that_do() {
        for (units, adequate, failure) in [(1_u64, 0.5, 0.1), (10, 0.05, 0.01), (1000, 0.01, 1e-6), (5, 0.99, 0.5)] {
            let needed = candidates_needed(units, adequate, failure).unwrap() as u64;
            assert!(own_pools(units, needed, adequate).unwrap() >= 1.0 - failure * (1.0 + 1e-9));
            assert!(own_pools(units, needed - 1, adequate).unwrap() < 1.0 - failure);
        }
        assert_eq!(own_pools(3, 0, 0.5).unwrap(), 0.0);
        assert_eq!(candidates_needed(3, 1.0, 0.1).unwrap(), 1.0);
        assert!(candidates_needed(3, 0.0, 0.1).is_err());
    }
}
