//! The exact probability that basis pursuit recovers a sparse vector from finitely many Gaussian measurements.
//!
//! Basis pursuit recovers x exactly when the null space of A, a uniformly random subspace of dimension N − m, meets the
//! descent cone of the norm at x only in zero. The kinematic formula of conic integral geometry gives the probability
//! from the intrinsic volumes v_j of that cone (Amelunxen, Lotz, McCoy & Tropp 2014, §5),
//!
//! > P(success) = 2 (v_{m−1} + v_{m−3} + …),  P(failure) = 2 (v_{m+1} + v_{m+3} + …),
//!
//! which depends on N, m, k and nothing else: neither the sizes of the nonzeros nor their signs. It holds for every
//! matrix whose null space is uniformly distributed. The same numbers count the faces that a random projection of the
//! cross-polytope or the simplex keeps (Affentranger & Schneider 1992; Donoho & Tanner 2009).

mod intrinsic_volumes;
mod tails;

pub use intrinsic_volumes::Logarithm;

use super::donoho_tanner::{Signs, transition};
use super::registry::{Argument, Arguments, ClosedForm, Domain, Quantity};
use crate::error::{Error, Result};
use intrinsic_volumes::DescentCone;
use std::f64::consts::LN_2;
use tails::Tails;

/// The largest number of columns: beyond, rounding in the exponents leaves fewer than nine digits.
pub const LARGEST_DIMENSION: u64 = 1_000_000;

const DIMENSION: Domain = Domain::Integer {
    lower: 1,
    upper: LARGEST_DIMENSION,
};
const UP_TO_DIMENSION: Domain = Domain::Integer {
    lower: 0,
    upper: LARGEST_DIMENSION,
};

/// The closed form `basis-pursuit-success`.
pub static FORM: ClosedForm = ClosedForm {
    name: "basis-pursuit-success",
    summary: "Exact probability that basis pursuit recovers a sparse vector from Gaussian measurements.",
    arguments: &[
        Argument::required("columns", "unknowns N", "1", DIMENSION),
        Argument::required("rows", "measurements m, at most N", "1", UP_TO_DIMENSION),
        Argument::required("nonzeros", "nonzeros k of the vector, at most N", "1", UP_TO_DIMENSION),
        Argument::optional(
            "nonnegative",
            "the vector is known to be nonnegative",
            "1",
            Domain::Flag,
            None,
        ),
    ],
    formula: "P = 2 (v_{m-1} + v_{m-3} + ...), v_j = C(N-k,r) sqrt(2 pi q) f_r(0) int_0^inf phi(t) (2 Phi(t/sqrt q) - 1)^(N-q) dt, q = j+1 = k+r",
    source: "Amelunxen, Lotz, McCoy & Tropp 2014, arXiv:1303.6672, section 5; Affentranger & Schneider 1992; Donoho & Tanner 2009, arXiv:math/0607364",
    claims: &["I6"],
    evaluate,
};

/// The exact probability of success and of failure, each from its own sum: neither is one minus the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SuccessProbability {
    /// Probability that the vector is the unique minimiser.
    pub success: f64,
    /// Probability that it is not.
    pub failure: f64,
    /// Natural logarithm of `success`, also where that is below every double.
    pub ln_success: f64,
    /// Natural logarithm of `failure`, likewise.
    pub ln_failure: f64,
    /// Bound on the relative error of both: rounding, quadrature and the volumes that were left out.
    pub relative_error: f64,
    /// Mean of the intrinsic volumes, Σ j v_j: the number of measurements near which success turns.
    pub statistical_dimension: f64,
    /// Their standard deviation: the number of measurements over which it turns.
    pub standard_deviation: f64,
}

/// Volumes below `e^LEFT_OUT` of their sum are left out.
const LEFT_OUT: f64 = -35.0;

/// Σ of every second volume from `start` upwards, or downwards; what is left out is bounded, and its bound is part of the
/// error.
fn sum_volumes(cone: &mut DescentCone, tails: &Tails, columns: usize, start: usize, upwards: bool) -> Logarithm {
    let mut sum = Logarithm::ZERO;
    let mut left_out: f64 = 0.0;
    let mut j = start;
    // What lies before the middle counts for nothing.
    if upwards {
        while tails.ln_below(j + 2) < LEFT_OUT {
            j += 2;
        }
    } else {
        while j >= 2 && tails.ln_above(j - 2) < LEFT_OUT {
            j -= 2;
        }
    }
    if j != start {
        // The sum is nearly one half then.
        left_out = 2.0 * LEFT_OUT.exp();
    }
    // Far up in the tail the bounds by the statistical dimension are too wide to end the sum soon.
    let exponential = (upwards && tails.ln_above(j) < 0.5 * LEFT_OUT).then(|| tails.exponential_bound(j));
    loop {
        sum = sum.add(cone.ln_volume(j));
        let next = if upwards { Some(j + 2) } else { j.checked_sub(2) };
        let Some(next) = next.filter(|next| *next <= columns) else {
            break;
        };
        let beyond = if upwards {
            tails.ln_above(next)
        } else {
            tails.ln_below(next)
        };
        let beyond = exponential.map_or(beyond, |(rate, constant)| beyond.min(constant - rate * next as f64));
        if beyond < sum.value + LEFT_OUT {
            left_out += (beyond - sum.value).exp();
            break;
        }
        j = next;
    }
    sum.error += left_out;
    sum
}

/// The exact probability that basis pursuit recovers a vector with `nonzeros` of `columns` entries from `rows` Gaussian
/// measurements.
///
/// Signed: min ‖x‖₁ with Ax = y; nonnegative: min Σ xⱼ with Ax = y, x ≥ 0. Only the volumes that matter are computed,
/// some `12 √min(δ, N−δ)` on either side of the statistical dimension δ, and as many more as the sum needs when rows is
/// far from it; those left out are bounded rigorously by concentration of the intrinsic volumes. A few milliseconds at
/// N = 10,000. The relative error is the rounding of exponents of size N: about 1e-11 at N = 10,000, in the far tails as
/// in the middle.
///
/// ```
/// use ticketsense::theory::basis_pursuit_success::success;
/// use ticketsense::theory::donoho_tanner::Signs;
/// // One nonzero of two, one measurement: the null space is a line, the descent cone a right angle.
/// let exact = success(2, 1, 1, Signs::Signed)?;
/// assert!((exact.success - 0.5).abs() < 1e-14);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for no columns, more than [`LARGEST_DIMENSION`], or more rows or nonzeros than columns.
pub fn success(columns: u64, rows: u64, nonzeros: u64, signs: Signs) -> Result<SuccessProbability> {
    let (columns, rows, nonzeros) = require_sizes(columns, rows, nonzeros)?;
    if nonzeros == 0 {
        // The cone is {0}, a subspace: the kinematic formula is not needed.
        return Ok(certain(true, 0.0, 0.0));
    }
    let mut cone = DescentCone::new(columns, nonzeros, signs);
    let tails = Tails::new(columns, nonzeros, signs);
    let (dimension, deviation) = moments(&mut cone, &tails, columns, rows + 1);
    if rows == columns || rows < nonzeros {
        // An injective matrix, and a cone that contains a subspace of dimension k − 1 ≥ m.
        return Ok(certain(rows == columns, dimension, deviation));
    }
    let success = sum_volumes(&mut cone, &tails, columns, rows - 1, false);
    let failure = sum_volumes(&mut cone, &tails, columns, rows + 1, true);
    let [ln_success, ln_failure] = [success, failure].map(|sum| (sum.value + LN_2).min(0.0));
    Ok(SuccessProbability {
        success: ln_success.exp(),
        failure: ln_failure.exp(),
        ln_success,
        ln_failure,
        relative_error: success.error.max(failure.error),
        statistical_dimension: dimension,
        standard_deviation: deviation,
    })
}

fn certain(success: bool, statistical_dimension: f64, standard_deviation: f64) -> SuccessProbability {
    let (success, failure) = if success { (1.0, 0.0_f64) } else { (0.0_f64, 1.0) };
    SuccessProbability {
        success,
        failure,
        ln_success: success.ln(),
        ln_failure: failure.ln(),
        relative_error: 0.0,
        statistical_dimension,
        standard_deviation,
    }
}

fn require_sizes(columns: u64, rows: u64, nonzeros: u64) -> Result<(usize, usize, usize)> {
    if !(1..=LARGEST_DIMENSION).contains(&columns) {
        let expected = format!("an integer from 1 to {LARGEST_DIMENSION}");
        return Err(Error::argument("columns", expected, columns));
    }
    for (name, value) in [("rows", rows), ("nonzeros", nonzeros)] {
        if value > columns {
            return Err(Error::argument(name, format!("at most the {columns} columns"), value));
        }
    }
    Ok((columns as usize, rows as usize, nonzeros as usize))
}

/// Mean and standard deviation of the intrinsic volumes, from those around the mean; first from the indices of the
/// parity of `shared` alone, which the sums need too.
///
/// For a distribution of Gaussian shape and deviation σ the even indices have the same moments as the odd ones to
/// `e^{−π²σ²/2}` (Poisson's summation), which is 1e-137 at σ = 8; below that all of them are used.
fn moments(cone: &mut DescentCone, tails: &Tails, columns: usize, shared: usize) -> (f64, f64) {
    let (first, last) = central_range(tails, columns);
    let mut over = |indices: &mut dyn Iterator<Item = usize>| {
        let origin = (first + last) as f64 / 2.0;
        let (mut mass, mut mean, mut square) = (0.0, 0.0, 0.0);
        for j in indices {
            let volume = cone.ln_volume(j).value.exp();
            let shift = j as f64 - origin;
            mass += volume;
            mean += volume * shift;
            square += volume * shift * shift;
        }
        // Every volume carries nearly the same rounding of its exponent, which the division takes out.
        mean /= mass;
        (origin + mean, (square / mass - mean * mean).max(0.0).sqrt())
    };
    let half = over(&mut (first + (first + shared) % 2..=last).step_by(2));
    match half.1 > 8.0 {
        true => half,
        false => over(&mut (first..=last)),
    }
}

/// The indices beyond which all volumes together are below `e^LEFT_OUT`.
fn central_range(tails: &Tails, columns: usize) -> (usize, usize) {
    let mut first = tails.dimension_below as usize;
    while first > 0 && tails.ln_below(first - 1) > LEFT_OUT {
        first -= 1;
    }
    let mut last = (tails.dimension_above.ceil() as usize).min(columns);
    while last < columns && tails.ln_above(last + 1) > LEFT_OUT {
        last += 1;
    }
    (first, last)
}

/// The intrinsic volumes `v_0, …, v_N` of the descent cone, as logarithms with error bounds.
///
/// Cost: N times about ten microseconds.
///
/// # Errors
/// [`Error::Argument`] as [`success`], and for no nonzeros (the cone is then {0}).
pub fn ln_intrinsic_volumes(columns: u64, nonzeros: u64, signs: Signs) -> Result<Vec<Logarithm>> {
    let (columns, _, nonzeros) = require_sizes(columns, 0, nonzeros)?;
    if nonzeros == 0 {
        return Err(Error::argument("nonzeros", "at least 1", nonzeros));
    }
    let mut cone = DescentCone::new(columns, nonzeros, signs);
    Ok((0..=columns).map(|j| cone.ln_volume(j)).collect())
}

/// The number of nonzeros at which success and failure are equally likely, given N and m: the 50 % point of the
/// finite phase diagram.
///
/// Success falls with k; between the two integers that enclose one half, `ln(success/failure)` is interpolated
/// linearly, and success itself where one of the two is certain (k = 0, or k = m + 1).
/// Cost: about eight evaluations of [`success`].
///
/// ```
/// use ticketsense::theory::basis_pursuit_success::even_odds_nonzeros;
/// use ticketsense::theory::donoho_tanner::Signs;
/// let nonzeros = even_odds_nonzeros(200, 100, Signs::Signed)?;
/// // The asymptotic transition is at 38.57.
/// assert!((nonzeros - 39.0).abs() < 1.0);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] as [`success`], and for rows outside `1..columns`, where success does not cross one half.
pub fn even_odds_nonzeros(columns: u64, rows: u64, signs: Signs) -> Result<f64> {
    require_sizes(columns, rows, 0)?;
    if !(1..columns).contains(&rows) {
        return Err(Error::argument(
            "rows",
            format!("an integer from 1 to {}", columns.saturating_sub(1)),
            rows,
        ));
    }
    let odds = |nonzeros: u64| {
        let exact = success(columns, rows, nonzeros, signs)?;
        Ok::<[f64; 2], Error>([exact.success, exact.ln_success - exact.ln_failure])
    };
    // Certain success at k = 0, certain failure at k = m + 1; the asymptotic curve is a first guess.
    let (mut lower, mut upper) = (0, rows + 1);
    let (mut at_lower, mut at_upper) = ([1.0, f64::INFINITY], [0.0, f64::NEG_INFINITY]);
    let guess = transition(rows as f64 / columns as f64, signs)?.rho * rows as f64;
    let mut next = (guess as u64).clamp(1, rows);
    let mut reach = 1;
    while upper - lower > 1 {
        let at_next = odds(next)?;
        if at_next[1] >= 0.0 {
            (lower, at_lower) = (next, at_next);
            next = lower + reach;
        } else {
            (upper, at_upper) = (next, at_next);
            next = upper.saturating_sub(reach);
        }
        // From the guess outwards in doubling steps, and by halves once enclosed.
        if !(lower + 1..upper).contains(&next) {
            next = lower.midpoint(upper);
        }
        reach *= 2;
    }
    let [high, low, level] = match (at_lower[1] - at_upper[1]).is_finite() {
        true => [at_lower[1], at_upper[1], 0.0],
        false => [at_lower[0], at_upper[0], 0.5],
    };
    Ok(lower as f64 + (high - level) / (high - low))
}

fn evaluate(arguments: &Arguments) -> Result<Vec<Quantity>> {
    let (columns, rows) = (arguments.integer("columns")?, arguments.integer("rows")?);
    let nonzeros = arguments.integer("nonzeros")?;
    let signs = match arguments.flag("nonnegative") {
        true => Signs::Nonnegative,
        false => Signs::Signed,
    };
    let exact = success(columns, rows, nonzeros, signs)?;
    Ok(vec![
        Quantity::real("value", exact.success, "probability that the vector is recovered"),
        Quantity::real("failure", exact.failure, "probability that it is not, by its own sum"),
        Quantity::real("ln_value", exact.ln_success, "natural logarithm of the value"),
        Quantity::real("ln_failure", exact.ln_failure, "natural logarithm of the failure"),
        Quantity::real(
            "relative_error",
            exact.relative_error,
            "bound on the relative error of both",
        ),
        Quantity::real(
            "statistical_dimension",
            exact.statistical_dimension,
            "rows near which success turns",
        ),
        Quantity::real(
            "standard_deviation",
            exact.standard_deviation,
            "rows over which it turns",
        ),
    ])
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
