//! Special functions that keep their digits in the tails, and bisection.
//!
//! The normal distribution is computed here rather than taken from a library: the usual rational approximations of the
//! error function are right to ten digits only in places, and the curves built on them are compared to thirteen.

use std::f64::consts::{LN_2, PI};

/// `ln √(2π)`.
pub(crate) const LN_SQRT_TWO_PI: f64 = 0.918_938_533_204_672_8;

/// `1/√(2π)`.
const DENSITY_AT_ZERO: f64 = 0.398_942_280_401_432_7;

/// The standard normal density `φ(z) = e^{−z²/2}/√(2π)`, to full relative precision: what squaring z rounds off is put
/// back.
pub fn normal_density(z: f64) -> f64 {
    let square = z * z;
    if square > 1500.0 {
        return 0.0;
    }
    let lost = z.mul_add(z, -square);
    DENSITY_AT_ZERO * (-0.5 * square).exp() * (1.0 - 0.5 * lost)
}

/// `(Φ(z) − ½)/φ(z) = Σ z^{2k+1}/(2k+1)!!` for |z| ≤ 1: terms of one sign.
fn central_series(z: f64) -> f64 {
    let mut term = z;
    let mut sum = z;
    for k in 1..40 {
        term *= z * z / (2 * k + 1) as f64;
        sum += term;
    }
    sum
}

/// The standard normal distribution function `Φ(z)`, with full relative precision in the lower tail.
///
/// ```
/// use ticketsense::theory::special::normal_probability;
/// assert_eq!(normal_probability(0.0), 0.5);
/// // mpmath.ncdf(-20) = 2.753_624_118_606_233_7e-89
/// assert!((normal_probability(-20.0) / 2.753_624_118_606_233_7e-89 - 1.0).abs() < 1e-14);
/// ```
pub fn normal_probability(z: f64) -> f64 {
    if z.abs() < 1.0 {
        0.5 + normal_density(z) * central_series(z)
    } else if z > 0.0 {
        1.0 - normal_density(z) * tail_moments(z)[0]
    } else {
        normal_density(z) * tail_moments(-z)[0]
    }
}

/// `2Φ(z) − 1 = erf(z/√2)`, without cancellation at small `z`.
pub fn normal_central_probability(z: f64) -> f64 {
    if z.abs() < 1.0 {
        2.0 * normal_density(z) * central_series(z)
    } else {
        (1.0 - 2.0 * normal_density(z) * tail_moments(z.abs())[0]).copysign(z)
    }
}

/// The moments of the part of a standard normal `g` above a threshold `z ≥ 0`, relative to the density there:
/// `E[(g − z)₊ⁿ] / φ(z)` for n = 0, 1, 2.
///
/// The elementary forms `M`, `1 − zM`, `(1 + z²)M − z` with `M = Φ(−z)/φ(z)` lose every digit as z grows. The iterated
/// integrals `Iₙ = E[(g − z)₊ⁿ]/n!` obey `(n+1) Iₙ₊₁ = Iₙ₋₁ − z Iₙ` and are its minimal solution, so their ratios are a
/// continued fraction of positive terms, `Iₙ/Iₙ₋₁ = 1/(z + (n+1) Iₙ₊₁/Iₙ)` (Pincherle), which is what is used from
/// z = 1 on. Cost: 10 + 400/z² divisions.
pub fn tail_moments(z: f64) -> [f64; 3] {
    if z < 1.0 {
        let mills = 0.5 / normal_density(z) - central_series(z);
        // At z < 1 the two differences lose less than a factor of 10: 1 − zM ≥ 0.34, (1+z²)M − z ≥ 0.31.
        return [mills, 1.0 - z * mills, (1.0 + z * z) * mills - z];
    }
    // The truncation error falls like e^{−2z√(2n)}: 400/z² terms are below 1e-24.
    let terms = 10 + (400.0 / (z * z)).ceil() as usize;
    let mut ratio = 1.0 / z;
    let mut ratios = [0.0; 3];
    for n in (0..terms).rev() {
        ratio = 1.0 / (z + (n + 1) as f64 * ratio);
        if n < 3 {
            ratios[n] = ratio;
        }
    }
    let first = ratios[0];
    let second = first * ratios[1];
    [first, second, 2.0 * second * ratios[2]]
}

/// The binary entropy `H(x) = −x log₂ x − (1−x) log₂(1−x)` in bits, for x in `[0, 1]`; `H(0) = H(1) = 0`.
pub fn binary_entropy(x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    // 1 − x is exact for x ≥ 1/2, and ln(1 − x) through ln_1p is accurate below.
    let y = 1.0 - x;
    let ln_y = if x < 0.5 { (-x).ln_1p() } else { y.ln() };
    let ln_x = if x < 0.5 { x.ln() } else { (-y).ln_1p() };
    -(x * ln_x + y * ln_y) / LN_2
}

/// `−ln(1 − x)/x − 1 = x/2 + x²/3 + …` for x in `[0, 1]`; infinite at 1.
pub(crate) fn log_excess(x: f64) -> f64 {
    if x < 0.1 {
        // xⁿ/(n+1) falls below 1e-17 of the first term before n = 20.
        (1..=20).rev().fold(0.0, |sum, n| (sum + 1.0 / (n + 1) as f64) * x)
    } else {
        -(-x).ln_1p() / x - 1.0
    }
}

/// Stirling's error `ln Γ(n+1) − ln(√(2πn) (n/e)ⁿ)` for real n > 0.
///
/// From 15 on by its asymptotic series, whose first neglected term `1/(156 n¹³)` is below 4e-18; below 15 stepped up to
/// there by `S(n) − S(n+1) = artanh(v)/v − 1` with `v = 1/(2n+1)`, a series of positive terms.
pub(crate) fn stirling_error(n: f64) -> f64 {
    let mut steps = 0.0;
    let mut n = n;
    while n < 15.0 {
        steps += if n < 0.5 {
            (n + 0.5) * (1.0 / n).ln_1p() - 1.0
        } else {
            // v ≤ 1/2: thirty terms reach 1e-19 of the first.
            let square = (2.0 * n + 1.0).powi(-2);
            (1..=30)
                .rev()
                .fold(0.0, |sum, k| (sum + 1.0 / (2 * k + 1) as f64) * square)
        };
        n += 1.0;
    }
    let square = n * n;
    let series = [691.0 / 360_360.0, 1.0 / 1188.0, 1.0 / 1680.0, 1.0 / 1260.0, 1.0 / 360.0];
    let folded = series.iter().fold(0.0, |sum, c| (c - sum) / square);
    (1.0 / 12.0 - folded) / n + steps
}

/// The deviance term `x ln(x/m) + m − x`, without cancellation where `x` is near `m`; `x, m > 0`.
pub(crate) fn deviance_term(x: f64, m: f64) -> f64 {
    let difference = x - m;
    if difference.abs() < 0.1 * (x + m) {
        // ln(x/m) = 2 atanh v with v = (x−m)/(x+m), |v| < 0.1: Σ 2 v^{2j+1}/(2j+1).
        let v = difference / (x + m);
        let mut power = 2.0 * x * v;
        let mut sum = difference * v;
        for j in 1..30 {
            power *= v * v;
            let next = sum + power / (2 * j + 1) as f64;
            if next == sum {
                break;
            }
            sum = next;
        }
        sum
    } else {
        x * (x / m).ln() + m - x
    }
}

/// `ln C(n, k)`, the logarithm of a binomial coefficient; −∞ for k > n.
///
/// `n·H(k/n) ln 2 − ½ ln(2π k(n−k)/n)` plus Stirling errors: relative precision at every size.
///
/// ```
/// use ticketsense::theory::special::ln_choose;
/// assert!((ln_choose(10, 3) - 120_f64.ln()).abs() < 1e-13);
/// ```
pub fn ln_choose(n: u64, k: u64) -> f64 {
    if k > n {
        return f64::NEG_INFINITY;
    }
    let k = k.min(n - k);
    if k == 0 {
        return 0.0;
    }
    if k == 1 {
        return (n as f64).ln();
    }
    let (total, few, rest) = (n as f64, k as f64, (n - k) as f64);
    let entropy = few * (total / few).ln() - rest * (-few / total).ln_1p();
    entropy - 0.5 * (2.0 * PI * few * (rest / total)).ln() + stirling_error(total)
        - stirling_error(few)
        - stirling_error(rest)
}

/// The point of `[lower, upper]` where `negative` turns from true to false, to the last bit.
///
/// `negative` must be true below some point and false above it; the answer is the upper of the two neighbouring doubles
/// between which it turns (an end of the interval where it never does). Halves by value, so at most about 1100 steps
/// when the point is a denormal, about 60 when it is of the size of the interval.
pub fn bisect(mut lower: f64, mut upper: f64, negative: impl Fn(f64) -> bool) -> f64 {
    loop {
        let middle = lower + 0.5 * (upper - lower);
        if middle <= lower || middle >= upper {
            return upper;
        }
        if negative(middle) {
            lower = middle;
        } else {
            upper = middle;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn relative(a: f64, b: f64) -> f64 {
        (a / b - 1.0).abs()
    }

    #[test]
    fn tail_moments_keep_their_digits_where_the_elementary_forms_lose_them() {
        // mpmath 1.4.1, 40 digits: [ncdf(-z)/npdf(z), 1 - z*M, (1+z^2)*M - z].
        let table = [
            (0.0, [1.253_314_137_315_500_3, 1.0, 1.253_314_137_315_500_3]),
            (
                0.25,
                [
                    1.037_824_575_853_726_8,
                    0.740_543_856_036_568_2,
                    0.852_688_611_844_584_8,
                ],
            ),
            (
                0.99,
                [
                    0.659_138_378_061_951_6,
                    0.347_453_005_718_667_83,
                    0.315_159_902_400_470_54,
                ],
            ),
            (
                1.0,
                [
                    0.655_679_542_418_798_4,
                    0.344_320_457_581_201_56,
                    0.311_359_084_837_596_94,
                ],
            ),
            (
                1.5,
                [
                    0.515_815_638_217_963_4,
                    0.226_276_542_673_054_97,
                    0.176_400_824_208_380_9,
                ],
            ),
            (
                3.0,
                [
                    0.304_590_298_710_103_3,
                    0.086_229_103_869_690_11,
                    0.045_902_987_101_032_96,
                ],
            ),
            (
                10.0,
                [
                    0.099_028_596_471_731_93,
                    0.009_714_035_282_680_786,
                    0.001_888_243_644_924_061,
                ],
            ),
            (
                35.0,
                [
                    0.028_548_161_843_509_27,
                    8.143_354_771_755_885e-4,
                    4.642_014_236_367_207e-5,
                ],
            ),
        ];
        for (z, expected) in table {
            for (got, want) in tail_moments(z).into_iter().zip(expected) {
                // 40 significant rounding errors of the fraction at most; below z = 1 a factor 10 of cancellation.
                assert!(relative(got, want) < 1e-14, "z = {z}: {got} against {want}");
            }
        }
    }

    #[test]
    fn tail_moments_agree_on_both_sides_of_the_switch() {
        for (below, above) in tail_moments(1.0 - 1e-15).into_iter().zip(tail_moments(1.0)) {
            assert!(relative(below, above) < 1e-13);
        }
    }

    #[test]
    fn entropy_is_one_bit_at_a_half_and_symmetric() {
        assert_eq!(binary_entropy(0.5), 1.0);
        assert_eq!(binary_entropy(0.25), binary_entropy(0.75));
        assert_eq!((binary_entropy(0.0), binary_entropy(1.0)), (0.0, 0.0));
        // mpmath 1.4.1, 60 digits, at the double nearest to 1e-12.
        assert!(relative(binary_entropy(1e-12), 4.130_583_217_953_659e-11) < 1e-14);
    }

    #[test]
    fn binomial_coefficients_match_exact_integers_and_high_precision_logarithms() {
        let mut row: Vec<u128> = vec![1];
        for n in 0..120_u64 {
            for (k, &exact) in row.iter().enumerate() {
                let error = (ln_choose(n, k as u64) - (exact as f64).ln()).abs();
                assert!(error < 2e-13, "C({n}, {k}): {error}");
            }
            let mut next = vec![1; row.len() + 1];
            for k in 1..row.len() {
                next[k] = row[k - 1] + row[k];
            }
            row = next;
        }
        // mpmath 1.4.1, 60 digits, by loggamma.
        assert!(relative(ln_choose(1_000_000_000, 123_456_789), 373_756_275.636_492_9) < 1e-15);
        assert_eq!(ln_choose(3, 4), f64::NEG_INFINITY);
    }

    #[test]
    fn stirling_error_matches_high_precision_on_both_sides_of_its_switch() {
        // mpmath 1.4.1, 60 digits: loggamma(n+1) - ((n+1/2) log(n) - n + log(2 pi)/2).
        for (n, exact) in [
            (0.1, 0.512_740_081_331_915),
            (0.5, 0.153_426_409_720_027_36),
            (1.0, 0.081_061_466_795_327_26),
            (2.0, 0.041_340_695_955_409_3),
            (7.5, 0.011_104_559_758_206_917),
            (14.9, 0.005_592_002_512_250_83),
            (15.0, 0.005_554_733_551_962_801),
            (40.0, 0.002_083_289_938_302_421_8),
        ] {
            // The neglected term of the series, and rounding.
            assert!(
                (stirling_error(n) - exact).abs() < 4e-18 + 4e-16 * exact,
                "{n}: {}",
                stirling_error(n)
            );
        }
    }

    #[test]
    fn the_normal_distribution_matches_high_precision_in_both_tails() {
        // mpmath 1.4.1, 60 digits: ncdf(z), erf(z/sqrt(2)).
        for (z, probability, central) in [
            (-37.0, 5.725_571_222_524_577e-300, -1.0),
            (-20.0, 2.753_624_118_606_233_7e-89, -1.0),
            (-5.0, 2.866_515_718_791_939e-7, -0.999_999_426_696_856_3),
            (-1.0, 0.158_655_253_931_457_05, -0.682_689_492_137_085_9),
            (-0.7, 0.241_963_652_223_073_03, -0.516_072_695_553_853_9),
            (1e-09, 0.500_000_000_398_942_3, 7.978_845_608_028_654e-10),
            (0.3, 0.617_911_422_188_952_7, 0.235_822_844_377_905_27),
            (0.99, 0.838_912_940_489_169_1, 0.677_825_880_978_338_2),
            (1.0, 0.841_344_746_068_542_9, 0.682_689_492_137_085_9),
            (2.5, 0.993_790_334_674_223_8, 0.987_580_669_348_447_7),
            (8.0, 0.999_999_999_999_999_3, 0.999_999_999_999_998_8),
        ] {
            assert!(
                relative(normal_probability(z), probability) < 1e-15,
                "{z}: {}",
                normal_probability(z)
            );
            assert!(relative(normal_central_probability(z), central) < 1e-15, "{z}");
        }
        assert_eq!(normal_probability(f64::INFINITY), 1.0);
        assert_eq!(normal_probability(f64::NEG_INFINITY), 0.0);
    }

    proptest! {
        #[test]
        fn bisection_returns_the_first_double_that_is_not_negative(root in 1e-300_f64..1.0) {
            prop_assert_eq!(bisect(0.0, 1.0, |x| x < root), root);
        }

        #[test]
        fn the_deviance_term_is_nonnegative_and_vanishes_only_on_the_diagonal(x in 0.01_f64..100.0, m in 0.01_f64..100.0) {
            prop_assert!(deviance_term(x, m) >= 0.0);
            prop_assert_eq!(deviance_term(x, x), 0.0);
            let direct = x * (x / m).ln() + m - x;
            prop_assert!((deviance_term(x, m) - direct).abs() <= 1e-14 * (x + m) * (1.0 + (x / m).ln().abs()));
        }
    }
}
