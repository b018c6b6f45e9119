//! The weak phase transition of basis pursuit: how many nonzeros m Gaussian measurements of n unknowns recover, in the
//! limit of large sizes.
//!
//! With δ = m/n and ρ = k/m, recovery of a typical k-sparse vector succeeds below ρ(δ) and fails above it. Two theories
//! give the curve by formulas that share nothing: approximate message passing, whose noise map loses its only fixed
//! point there (Donoho, Maleki & Montanari 2009),
//!
//! > ρ(δ) = max_z [1 − (κ/δ) η(z)] / [1 + z² − κ η(z)],  η(z) = (1+z²)Φ(−z) − zφ(z),
//!
//! and the statistical dimension of the descent cone, which equals m there (Amelunxen, Lotz, McCoy & Tropp 2014),
//!
//! > δ = min_τ { ε(1+τ²) + (1−ε) κ η(τ) },  ε = k/n = ρδ,
//!
//! with κ = 2 for signed vectors and κ = 1 for nonnegative ones. Note `η(z) = E[(g−z)₊²]`.

use super::registry::{Argument, Arguments, ClosedForm, Domain, Quantity};
use super::special::{
    LN_SQRT_TWO_PI, bisect, normal_central_probability, normal_density, normal_probability, tail_moments,
};
use super::{require_fraction, require_positive};
use crate::error::Result;

/// The closed form `donoho-tanner`.
pub static FORM: ClosedForm = ClosedForm {
    name: "donoho-tanner",
    summary: "Weak phase transition of basis pursuit: nonzeros per measurement that are just recovered.",
    arguments: &[
        Argument::required("delta", "measurements per unknown, m/n", "1", Domain::POSITIVE_FRACTION),
        Argument::optional(
            "nonnegative",
            "the vector is known to be nonnegative",
            "1",
            Domain::Flag,
            None,
        ),
    ],
    formula: "rho(d) = max_z [1 - (k/d) e(z)]/[1 + z^2 - k e(z)], e(z) = (1+z^2) Phi(-z) - z phi(z), k = 2 (1 if nonnegative)",
    source: "Donoho & Tanner 2009, arXiv:0906.2530; Donoho, Maleki & Montanari 2009, arXiv:0907.3574; Amelunxen et al. 2014, arXiv:1303.6672",
    claims: &["I6"],
    evaluate,
};

/// What is known about the signs of the vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signs {
    /// Nothing: minimise `‖x‖₁`.
    Signed,
    /// They are nonnegative: minimise `Σ xⱼ` over x ≥ 0.
    Nonnegative,
}

impl Signs {
    /// The number κ of half-lines that a zero coordinate may leave along.
    fn tails(self) -> f64 {
        match self {
            Signs::Signed => 2.0,
            Signs::Nonnegative => 1.0,
        }
    }
}

/// A point of the curve, with the threshold at which the maximum of the message-passing formula is attained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transition {
    /// Measurements per unknown, m/n.
    pub delta: f64,
    /// Nonzeros per measurement, k/m, at the transition.
    pub rho: f64,
    /// The maximiser z: the minimax threshold in units of the effective noise.
    pub threshold: f64,
}

/// `ln δ` and `1 − δ` at which z is the maximiser: `δ = κφ/(z + κ(φ − zΦ(−z)))`.
fn delta_at(z: f64, tails: f64) -> (f64, f64) {
    // φ − zΦ(−z) = φ·moments[1]; the quotient is divided by κφ in logarithms, so that no δ is too small.
    let [_, first, _] = tail_moments(z);
    let ln_scale = tails.ln() - 0.5 * z * z - LN_SQRT_TWO_PI;
    let scaled = z * (-ln_scale).exp();
    let ln_delta = if scaled.is_finite() {
        -(scaled + first).ln()
    } else {
        ln_scale - z.ln()
    };
    // z + κ(φ − zΦ(−z)) − κφ = z(1 − κΦ(−z)).
    let kept = if tails == 2.0 {
        normal_central_probability(z)
    } else {
        normal_probability(z)
    };
    let complement = z * kept / (z + tails * first * normal_density(z));
    (ln_delta, if z == 0.0 { 0.0 } else { complement })
}

/// The weak transition ρ(δ) by the message-passing formula.
///
/// The objective is stationary where `δ = κφ(z)/(z + κ(φ(z) − zΦ(−z)))`, which falls from 1 to 0 as z grows from 0; its
/// value there is `ρ = 1 − zΦ(−z)/φ(z)`. So z is found by bisection, in ln δ below one half and in 1−δ above, and ρ
/// without cancellation: relative error about 1e-14 from δ = 1e-300 to δ = 1. About 60 evaluations.
///
/// ```
/// use ticketsense::theory::donoho_tanner::{Signs, transition};
/// let rho = transition(0.5, Signs::Signed)?.rho;
/// assert!((rho - 0.385_689_666_181_480_93).abs() < 1e-14);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`crate::Error::Argument`] for δ outside `(0, 1]`.
pub fn transition(delta: f64, signs: Signs) -> Result<Transition> {
    require_fraction("delta", delta)?;
    require_positive("delta", delta)?;
    let tails = signs.tails();
    if delta == 1.0 {
        return Ok(Transition {
            delta,
            rho: 1.0,
            threshold: 0.0,
        });
    }
    // φ(z) is below every positive double at z = 40.
    let threshold = if delta < 0.5 {
        let target = delta.ln();
        bisect(0.0, 40.0, |z| delta_at(z, tails).0 > target)
    } else {
        bisect(0.0, 40.0, |z| delta_at(z, tails).1 < 1.0 - delta)
    };
    let [_, rho, _] = tail_moments(threshold);
    Ok(Transition { delta, rho, threshold })
}

/// The objective `[1 − (κ/δ)η(z)]/[1 + z² − κη(z)]` of the message-passing formula, whose maximum over z ≥ 0 is the
/// transition.
///
/// # Errors
/// [`crate::Error::Argument`] for δ outside `(0, 1]` or a negative z.
pub fn message_passing_objective(delta: f64, z: f64, signs: Signs) -> Result<f64> {
    require_fraction("delta", delta)?;
    require_positive("delta", delta)?;
    super::require_nonnegative("z", z)?;
    let overshoot = signs.tails() * tail_moments(z)[2] * normal_density(z);
    Ok((1.0 - overshoot / delta) / (1.0 + z * z - overshoot))
}

/// The statistical dimension per unknown of the descent cone at a vector with a fraction ε = k/n of nonzeros,
/// `min_τ {ε(1+τ²) + (1−ε)κη(τ)}`: the m/n at which recovery becomes typical.
///
/// The minimum is where `κ(φ(τ)/τ − Φ(−τ)) = ε/(1−ε)`; an error in τ enters only squared.
///
/// # Errors
/// [`crate::Error::Argument`] for a fraction outside `[0, 1]`.
pub fn statistical_dimension(nonzero_fraction: f64, signs: Signs) -> Result<f64> {
    require_fraction("nonzero fraction", nonzero_fraction)?;
    Ok(distance_to_subdifferential(nonzero_fraction, signs).0)
}

/// The minimum of [`statistical_dimension`] and the `κη(τ)` at which it is attained.
pub(super) fn distance_to_subdifferential(nonzero_fraction: f64, signs: Signs) -> (f64, f64) {
    let tails = signs.tails();
    if nonzero_fraction == 0.0 {
        return (0.0, 0.0);
    }
    let odds = nonzero_fraction / (1.0 - nonzero_fraction);
    // φ/τ − Φ(−τ) = E[(g−τ)₊]/τ falls from ∞ to 0.
    let tau = bisect(0.0, 40.0, |tau| {
        tails * tail_moments(tau)[1] * normal_density(tau) > odds * tau
    });
    let overshoot = tails * tail_moments(tau)[2] * normal_density(tau);
    let dimension = nonzero_fraction * (1.0 + tau * tau) + (1.0 - nonzero_fraction) * overshoot;
    (dimension, overshoot)
}

/// The weak transition ρ(δ) by the statistical dimension: bisection for the ε at which it equals δ, then ρ = ε/δ.
///
/// Independent of [`transition`] in its formula and its search; about 60² evaluations.
///
/// # Errors
/// [`crate::Error::Argument`] for δ outside `(0, 1]`.
pub fn transition_by_statistical_dimension(delta: f64, signs: Signs) -> Result<f64> {
    require_fraction("delta", delta)?;
    require_positive("delta", delta)?;
    // The dimension exceeds ε, so the root is below δ.
    let below = |fraction: f64| statistical_dimension(fraction, signs).is_ok_and(|dimension| dimension < delta);
    Ok(bisect(0.0, delta, below) / delta)
}

/// The inverse of the curve: the m/n at which a ratio ρ = k/m is just recovered.
///
/// # Errors
/// [`crate::Error::Argument`] for ρ outside `(0, 1]`, or so small (below about 6e-4) that δ is below every double.
pub fn delta_of(rho: f64, signs: Signs) -> Result<Transition> {
    require_fraction("rho", rho)?;
    require_positive("rho", rho)?;
    if rho == 1.0 {
        return Ok(Transition {
            delta: 1.0,
            rho,
            threshold: 0.0,
        });
    }
    let threshold = bisect(0.0, 40.0, |z| tail_moments(z)[1] > rho);
    let (ln_delta, complement) = delta_at(threshold, signs.tails());
    let delta = if complement < 0.5 {
        1.0 - complement
    } else {
        ln_delta.exp()
    };
    require_positive("delta at that rho", delta)?;
    Ok(Transition { delta, rho, threshold })
}

fn evaluate(arguments: &Arguments) -> Result<Vec<Quantity>> {
    let delta = arguments.real("delta")?;
    let signs = if arguments.flag("nonnegative") {
        Signs::Nonnegative
    } else {
        Signs::Signed
    };
    let Transition { rho, threshold, .. } = transition(delta, signs)?;
    let other = transition_by_statistical_dimension(delta, signs)?;
    Ok(vec![
        Quantity::real("value", rho, "nonzeros per measurement k/m at the weak transition"),
        Quantity::real("nonzeros_per_unknown", rho * delta, "the same as k/n"),
        Quantity::real("measurements_per_nonzero", 1.0 / rho, "the same as m/k"),
        Quantity::real(
            "threshold",
            threshold,
            "maximiser z: minimax soft threshold in units of the noise",
        ),
        Quantity::real(
            "by_statistical_dimension",
            other,
            "the value by the second, independent formula",
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// mpmath 1.4.1, 60 digits: golden-section maximisation of the message-passing objective (δ, signed, nonnegative).
    const GOLDEN: [(f64, f64, f64); 28] = [
        (1e-6, 0.037_307_820_833_918_356, 0.039_268_784_811_649_755),
        (0.01, 0.106_877_620_243_241_7, 0.123_369_390_254_207_23),
        (0.1, 0.189_429_367_759_673_62, 0.240_975_896_186_354_45),
        (0.25, 0.267_383_552_407_757_1, 0.365_089_159_561_012),
        (0.5, 0.385_689_666_181_480_93, 0.558_227_691_314_179_5),
        (0.75, 0.533_711_676_804_468_7, 0.765_883_538_797_149_3),
        (0.9, 0.678_169_378_134_499_5, 0.902_657_232_687_374_7),
        (0.99, 0.883_714_865_083_354_2, 0.990_027_249_254_070_4),
        (0.999_999, 0.998_747_684_819_237, 0.999_999_000_000_273_2),
        (1e-300, 0.000_726_285_117_825_892_9, 0.000_727_016_580_436_535_9),
        (1e-100, 0.002_188_497_779_971_24, 0.002_195_143_156_722_659),
        (1e-30, 0.007_365_309_906_984_032, 0.007_440_736_204_154_807),
        (1e-15, 0.014_842_157_720_417_139, 0.015_149_425_854_548_556),
        (1e-10, 0.022_350_416_385_476_52, 0.023_049_504_087_224_355),
        (0.000_1, 0.055_663_950_209_394_45, 0.060_064_181_724_327_22),
        (0.03, 0.135_511_531_689_372, 0.162_112_920_868_060_42),
        (0.3, 0.290_784_368_246_775_9, 0.403_600_538_855_958_9),
        (0.45, 0.361_130_536_581_871, 0.519_004_480_673_221_2),
        (0.499_999, 0.385_689_165_404_091_9, 0.558_226_900_893_309_5),
        (0.55, 0.411_320_247_023_935_8, 0.598_086_924_417_275_5),
        (0.65, 0.467_360_361_455_374_4, 0.680_140_660_385_105_3),
        (0.8, 0.573_313_317_388_462_6, 0.810_322_240_295_945_5),
        (0.95, 0.760_104_943_299_832_6, 0.950_673_738_431_582_8),
        (0.995, 0.916_031_359_645_513_7, 0.995_006_821_653_634_1),
        (0.999_9, 0.987_565_824_097_382, 0.999_900_002_732_320_8),
        (0.999_999_999, 0.999_960_367_727_551_4, 0.999_999_999),
        (0.999_999_999_999, 0.999_998_746_700_725_4, 0.999_999_999_999),
        (
            0.999_999_999_999_999_9,
            0.999_999_986_794_189_9,
            0.999_999_999_999_999_9,
        ),
    ];

    fn curves() -> impl Iterator<Item = (f64, f64, Signs)> {
        let both =
            |(delta, signed, nonnegative)| [(delta, signed, Signs::Signed), (delta, nonnegative, Signs::Nonnegative)];
        GOLDEN.into_iter().flat_map(both)
    }

    #[test]
    fn the_curve_matches_sixty_digit_maximisations() {
        for (delta, exact, signs) in curves() {
            let rho = transition(delta, signs).unwrap().rho;
            assert!((rho / exact - 1.0).abs() < 2e-14, "{delta} {signs:?}: {rho} {exact}");
        }
    }

    #[test]
    fn the_second_route_gives_the_same_curve() {
        for (delta, exact, signs) in curves() {
            let rho = transition_by_statistical_dimension(delta, signs).unwrap();
            // Near δ = 1 the curve is steep: dρ/dδ of the signed one grows like 1/(1−ρ), and δ is known to 1e-16.
            let slope = 1.0 + 1.0 / (1.0 - exact);
            assert!(
                (rho / exact - 1.0).abs() < 2e-14 * slope,
                "{delta} {signs:?}: {rho} {exact}"
            );
        }
    }

    #[test]
    fn the_value_is_the_maximum_of_the_objective() {
        for (delta, exact, signs) in curves().filter(|(delta, ..)| *delta < 0.999) {
            let Transition { threshold, .. } = transition(delta, signs).unwrap();
            let at = message_passing_objective(delta, threshold, signs).unwrap();
            // The difference 1 − κη/δ cancels like 1/(1−δ).
            assert!((at / exact - 1.0).abs() < 4e-15 / (1.0 - delta), "{delta} {signs:?}");
            for step in 0..400 {
                let z = 0.02 * step as f64;
                assert!(message_passing_objective(delta, z, signs).unwrap() <= exact * (1.0 + 4e-15 / (1.0 - delta)));
            }
        }
    }

    #[test]
    fn the_curve_ends_at_one_and_falls_like_an_inverse_logarithm() {
        assert_eq!(transition(1.0, Signs::Signed).unwrap().rho, 1.0);
        assert_eq!(transition(1.0, Signs::Nonnegative).unwrap().rho, 1.0);
        // z² = 2 ln(κ/(δ z √2π)) (1+o(1)) and ρ = 1/z² − 3/z⁴ + 15/z⁶ − …
        let Transition { rho, threshold: z, .. } = transition(1e-300, Signs::Signed).unwrap();
        let square = z * z;
        assert!((rho - (1.0 / square - 3.0 / square.powi(2) + 15.0 / square.powi(3))).abs() < 105.0 / square.powi(4));
        let implied = (2.0_f64 / z).ln() - LN_SQRT_TWO_PI - 0.5 * square;
        assert!((implied / 1e-300_f64.ln() - 1.0).abs() < 1e-13);
        assert!(transition(0.0, Signs::Signed).is_err());
        assert!(transition(f64::NAN, Signs::Signed).is_err());
        assert!(transition(1.0 + 1e-15, Signs::Signed).is_err());
    }

    #[test]
    fn the_flag_selects_the_nonnegative_curve() {
        let signed = FORM.evaluate_text(&[("delta", "0.5")]).unwrap();
        let nonnegative = FORM
            .evaluate_text(&[("delta", "0.5"), ("nonnegative", "true")])
            .unwrap();
        for (answer, exact) in [(signed, GOLDEN[4].1), (nonnegative, GOLDEN[4].2)] {
            let super::super::Scalar::Real(value) = answer[0].value else {
                panic!("a number")
            };
            assert!((value - exact).abs() < 1e-14);
        }
    }

    proptest! {
        #[test]
        fn both_routes_agree_everywhere(delta in 1e-4_f64..0.999, signed in any::<bool>()) {
            let signs = if signed { Signs::Signed } else { Signs::Nonnegative };
            let first = transition(delta, signs).unwrap().rho;
            let second = transition_by_statistical_dimension(delta, signs).unwrap();
            prop_assert!((first / second - 1.0).abs() < 1e-12, "{} {}", first, second);
        }

        #[test]
        fn the_inverse_undoes_the_curve(delta in 1e-12_f64..1.0, signed in any::<bool>()) {
            let signs = if signed { Signs::Signed } else { Signs::Nonnegative };
            let there = transition(delta, signs).unwrap();
            let back = delta_of(there.rho, signs).unwrap();
            // d ln δ/dρ = O(1/ρ²) for small ρ.
            prop_assert!((back.delta / delta - 1.0).abs() < 1e-14 / (there.rho * there.rho));
        }

        #[test]
        fn knowing_the_signs_helps_and_more_measurements_help(delta in 1e-6_f64..0.99, more in 1e-3_f64..0.01) {
            let signed = transition(delta, Signs::Signed).unwrap().rho;
            let nonnegative = transition(delta, Signs::Nonnegative).unwrap().rho;
            prop_assert!(0.0 < signed && signed < nonnegative && nonnegative < 1.0);
            prop_assert!(transition(delta + more, Signs::Signed).unwrap().rho > signed);
        }
    }
}
