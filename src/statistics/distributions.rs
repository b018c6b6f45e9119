//! The normal, Student and beta distributions, and quantiles that never panic.

use super::require_level;
use crate::error::{Error, Result};
use crate::theory::special::{bisect, deviance_term, normal_probability, stirling_error};
use std::f64::consts::PI;

/// The logarithm of `x^a (1−x)^b Γ(a+b+1)/(Γ(a+1)Γ(b+1))`, a binomial probability for real counts a, b > 0.
///
/// Through Stirling errors and deviances from the mean (Loader 2000): the large parts are never formed, so that the
/// result is right to a few units in the last place where the logarithm of the gamma function would lose six digits.
fn ln_binomial_density(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let n = a + b;
    let errors = stirling_error(n) - stirling_error(a) - stirling_error(b);
    errors - deviance_term(a, n * x) - deviance_term(b, n * y) + 0.5 * (n / (2.0 * PI * a * b)).ln()
}

/// The regularised incomplete beta function `I_x(a, b)` and its complement, each to full relative precision, from x and
/// y = 1 − x (given apart, because y may be the small one).
///
/// The continued fraction of Lentz and DiDonato-Morris on the side of the mean where it converges fast, about
/// `√max(a, b)` terms.
///
/// # Errors
/// [`Error::Argument`] for shapes that are not positive and finite or x, y outside `[0, 1]`; [`Error::Numerical`] when the
/// fraction needs more than a million terms (shapes beyond about 1e11).
pub fn incomplete_beta(a: f64, b: f64, x: f64, y: f64) -> Result<(f64, f64)> {
    for (name, shape) in [("a", a), ("b", b)] {
        if !(shape > 0.0 && shape.is_finite()) {
            return Err(Error::argument(name, "a positive finite shape", shape));
        }
    }
    if !(0.0..=1.0).contains(&x) || !(0.0..=1.0).contains(&y) || (x + y - 1.0).abs() > 1e-15 {
        return Err(Error::argument(
            "x",
            "a number in [0, 1] and its complement",
            format!("{x} and {y}"),
        ));
    }
    if x == 0.0 {
        return Ok((0.0, 1.0));
    }
    if y == 0.0 {
        return Ok((1.0, 0.0));
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        let (upper, lower) = lower_tail(b, a, y, x)?;
        return Ok((lower, upper));
    }
    lower_tail(a, b, x, y)
}

/// `I_x(a, b)` and its complement for x below about the mean.
fn lower_tail(a: f64, b: f64, x: f64, y: f64) -> Result<(f64, f64)> {
    // x^a y^b/(a B(a, b)) = density · b/(a + b).
    let front = ln_binomial_density(a, b, x, y).exp() * (b / (a + b));
    if front == 0.0 {
        return Ok((0.0, 1.0));
    }
    // Modified Lentz evaluation; a vanishing denominator is moved off zero.
    let nudge = |v: f64| if v.abs() < 1e-300 { 1e-300 } else { v };
    let mut d = 1.0 / nudge(1.0 - (a + b) * x / (a + 1.0));
    let mut c = 1.0;
    let mut value = d;
    for term in 1..1_000_000 {
        let m = f64::from(term);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / nudge(1.0 + even * d);
        c = nudge(1.0 + even / c);
        value *= c * d;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / nudge(1.0 + odd * d);
        c = nudge(1.0 + odd / c);
        let change = c * d;
        value *= change;
        if (change - 1.0).abs() <= 2.0 * f64::EPSILON {
            let lower = (front * value).clamp(0.0, 1.0);
            return Ok((lower, 1.0 - lower));
        }
    }
    Err(Error::numerical(
        "incomplete beta function",
        format!("no convergence at shapes {a}, {b}"),
    ))
}

fn require_probability(probability: f64) -> Result<()> {
    if probability > 0.0 && probability < 1.0 {
        Ok(())
    } else {
        Err(Error::argument("probability", "a number in (0, 1)", probability))
    }
}

/// The standard normal quantile, `Φ⁻¹(p)`, to the last bits of the smaller tail.
///
/// # Errors
/// [`Error::Argument`] outside `(0, 1)`.
pub fn normal_quantile(probability: f64) -> Result<f64> {
    require_probability(probability)?;
    if probability == 0.5 {
        return Ok(0.0);
    }
    // 1 − p is exact above one half. No double is below Φ(−39).
    let tail = probability.min(1.0 - probability);
    let magnitude = bisect(0.0, 39.0, |z| normal_probability(-z) > tail);
    Ok(if probability < 0.5 { -magnitude } else { magnitude })
}

/// The z with `P(|Z| > z) = level`, right for levels far below machine epsilon.
///
/// # Errors
/// [`Error::Argument`] outside `(0, 1)`.
pub fn two_sided_normal(level: f64) -> Result<f64> {
    require_level(level)?;
    // Half of the smallest double is zero.
    Ok(-normal_quantile((0.5 * level).max(f64::from_bits(1)))?)
}

fn require_degrees(degrees: f64) -> Result<()> {
    if degrees > 0.0 && degrees.is_finite() {
        Ok(())
    } else {
        Err(Error::argument(
            "degrees of freedom",
            "a positive finite number",
            degrees,
        ))
    }
}

/// `P(|T| > t)` for a Student variable: `I_x(ν/2, ½)` with `x = ν/(ν + t²)`.
///
/// # Errors
/// [`Error::Argument`] for degrees of freedom that are not positive or a NaN.
pub fn student_two_sided_tail(t: f64, degrees: f64) -> Result<f64> {
    require_degrees(degrees)?;
    if t.is_nan() {
        return Err(Error::argument("t", "a number", t));
    }
    if t.is_infinite() {
        return Ok(0.0);
    }
    let square = t * t;
    if square.is_infinite() {
        return Ok(0.0);
    }
    let (x, y) = (degrees / (degrees + square), square / (degrees + square));
    Ok(incomplete_beta(0.5 * degrees, 0.5, x, y)?.0)
}

/// The Student distribution function.
///
/// # Errors
/// [`Error::Argument`] for degrees of freedom that are not positive or a NaN.
pub fn student_probability(t: f64, degrees: f64) -> Result<f64> {
    let tail = 0.5 * student_two_sided_tail(t, degrees)?;
    Ok(if t < 0.0 { tail } else { 1.0 - tail })
}

/// The t with `P(|T| > t) = level`.
///
/// ```
/// let t = ticketsense::statistics::distributions::two_sided_student(0.05, 5.0)?;
/// assert!((t - 2.570_581_835_636_314).abs() < 1e-12);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for a level outside `(0, 1)` or degrees of freedom that are not positive.
pub fn two_sided_student(level: f64, degrees: f64) -> Result<f64> {
    require_level(level)?;
    student_two_sided_tail(1.0, degrees)?;
    let mut upper = 1.0;
    // Stops at the largest power of two when even that has too much tail (a tiny level with few degrees).
    while upper < 1e150 && student_two_sided_tail(upper, degrees)? > level {
        upper *= 2.0;
    }
    Ok(bisect(0.0, upper, |t| {
        student_two_sided_tail(t, degrees).is_ok_and(|tail| tail > level)
    }))
}

/// The Student quantile.
///
/// # Errors
/// [`Error::Argument`] for a probability outside `(0, 1)` or degrees of freedom that are not positive.
pub fn student_quantile(probability: f64, degrees: f64) -> Result<f64> {
    require_probability(probability)?;
    require_degrees(degrees)?;
    if probability == 0.5 {
        return Ok(0.0);
    }
    let t = two_sided_student(2.0 * probability.min(1.0 - probability), degrees)?;
    Ok(if probability < 0.5 { -t } else { t })
}

/// The quantile of a beta distribution with shapes a and b at `probability` in the lower tail or, with `upper`, in the
/// upper one.
pub(super) fn beta_quantile(a: f64, b: f64, probability: f64, upper: bool) -> Result<f64> {
    require_probability(probability)?;
    incomplete_beta(a, b, 0.5, 0.5)?;
    let below = |x: f64| {
        incomplete_beta(a, b, x, 1.0 - x).is_ok_and(|(lower_tail, upper_tail)| match upper {
            false => lower_tail < probability,
            true => upper_tail > probability,
        })
    };
    Ok(bisect(0.0, 1.0, below))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn relative(a: f64, b: f64) -> f64 {
        (a / b - 1.0).abs()
    }

    #[test]
    fn the_incomplete_beta_function_matches_forty_digits_up_to_a_hundred_million() {
        // mpmath 1.4.1, 40 digits: betainc(a, b, 0, x, regularized=True); by quadrature for the large shapes.
        for (a, b, x, exact) in [
            (2.5, 3.5, 0.3, 0.296_752_989_295_666_4),
            (0.5, 0.5, 1e-10, 6.366_197_723_781_917e-6),
            (0.5, 20.0, 0.01, 0.471_369_935_485_015_55),
            (5000.0, 1.0, 0.999, 0.006_721_111_959_865_588),
            (1e6, 2e6, 0.3333, 0.451_314_704_978_406_03),
            (1e8, 1e8, 0.500_03, 0.801_928_045_341_101_6),
        ] {
            let (lower, upper) = incomplete_beta(a, b, x, 1.0 - x).unwrap();
            // x is known to half a unit in the last place, which moves I by density·ε·x ≈ ε·√(a+b) relative.
            let tolerance = 1e-14 + 1e-15 * (a + b).sqrt() * 4.0;
            assert!(relative(lower, exact) < tolerance, "{a} {b} {x}: {lower} {exact}");
            assert!((lower + upper - 1.0).abs() < 1e-15);
        }
        assert!(incomplete_beta(0.0, 1.0, 0.5, 0.5).is_err());
        assert!(incomplete_beta(1.0, 1.0, f64::NAN, 0.5).is_err());
    }

    #[test]
    fn normal_quantiles_match_high_precision_to_the_far_tail() {
        // mpmath 1.4.1, 40 digits, at the doubles given.
        for (p, exact) in [
            (1e-300, -37.047_096_299_361_2),
            (1e-10, -6.361_340_902_404_057),
            (0.025, -1.959_963_984_540_054_3),
            (0.7, 0.524_400_512_708_040_7),
            (0.9995, 3.290_526_731_491_926),
            (1.0 - 1e-12, 7.034_486_910_047_835_6),
        ] {
            assert!(relative(normal_quantile(p).unwrap(), exact) < 1e-14, "{p}");
        }
        assert_eq!(normal_quantile(0.5).unwrap(), 0.0);
        for bad in [0.0, 1.0, -1.0, f64::NAN] {
            assert!(normal_quantile(bad).is_err());
            assert!(student_quantile(bad, 3.0).is_err());
        }
        assert!(normal_quantile(5e-324).unwrap().is_finite());
    }

    #[test]
    fn student_quantiles_match_known_ones() {
        // scipy 1.17.1: stats.t.ppf(p, df), itself good to about 1e-12.
        for (degrees, p, exact) in [
            (1.0, 0.975, 12.706_204_736_174_694),
            (2.0, 0.9, 1.885_618_083_164_127_2),
            (5.0, 0.975, 2.570_581_835_636_314_6),
            (29.0, 0.9995, 3.659_405_019_466_374_8),
            (1e6, 0.975, 1.959_966_356_814_107),
            (3.0, 1e-8, -479.525_069_579_738_2),
        ] {
            assert!(
                relative(student_quantile(p, degrees).unwrap(), exact) < 1e-11,
                "{degrees} {p}"
            );
        }
        // One degree of freedom is Cauchy's law, two have an elementary one.
        assert!(relative(student_probability(1.0, 1.0).unwrap(), 0.75) < 1e-15);
        assert!(relative(student_probability(-3.0, 2.0).unwrap(), 0.5 - 1.5 / 11.0_f64.sqrt()) < 1e-13);
        assert!(student_quantile(0.9, 0.0).is_err());
        assert!(two_sided_student(1e-300, 1.0).unwrap().is_finite());
    }

    proptest! {
        #[test]
        fn quantiles_invert_probabilities(p in 1e-6_f64..1.0, degrees in 0.5_f64..500.0) {
            prop_assume!(p < 1.0 - 1e-6);
            let t = student_quantile(p, degrees).unwrap();
            prop_assert!((student_probability(t, degrees).unwrap() - p).abs() < 1e-13);
            let z = normal_quantile(p).unwrap();
            prop_assert!((normal_probability(z) - p).abs() < 1e-15);
        }

        #[test]
        fn reflection_swaps_the_tails(a in 0.1_f64..500.0, b in 0.1_f64..500.0, x in 0.0_f64..1.0) {
            let (lower, upper) = incomplete_beta(a, b, x, 1.0 - x).unwrap();
            let (mirrored_lower, mirrored_upper) = incomplete_beta(b, a, 1.0 - x, x).unwrap();
            prop_assert!((lower - mirrored_upper).abs() < 1e-13 && (upper - mirrored_lower).abs() < 1e-13);
        }
    }
}
