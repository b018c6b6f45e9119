use super::*;
use proptest::prelude::*;

type Golden = (f64, f64, [f64; 4]);

/// (θ, λ, [bias, variance, risk, kept]); mpmath 1.4.1, 50 digits, by quadrature over the density of y.
const SOFT: [Golden; 11] = [
    (
        0.0,
        1.0,
        [0.0, 0.1506795666875415, 0.1506795666875415, 0.3173105078629141],
    ),
    (
        0.01,
        0.02,
        [
            -0.00015956361529458727,
            0.9684840600805863,
            0.9684840855411336,
            0.9840441702712558,
        ],
    ),
    (
        0.3,
        0.1,
        [
            -0.023544201084176493,
            0.8566135514682667,
            0.8571678808729588,
            0.9238379678287788,
        ],
    ),
    (
        0.5,
        2.0,
        [
            -0.4726973434165236,
            0.02330089794639151,
            0.24674367641943032,
            0.0730168665946342,
        ],
    ),
    (
        1e-06,
        3.0,
        [
            -9.973002039367354e-07,
            0.00040687016097653997,
            0.0004068701619711477,
            0.0026997960632734845,
        ],
    ),
    (
        2.0,
        2.0,
        [
            -1.6010648648569998,
            0.34085384815653963,
            2.9042625496361025,
            0.5000316712418331,
        ],
    ),
    (
        3.0,
        1.0,
        [
            -0.9915164426416028,
            0.9602281633145414,
            1.9433330193432001,
            0.9772815392936539,
        ],
    ),
    (
        5.0,
        2.5,
        [
            -2.497995862820876,
            0.9887759751605922,
            7.228759305830804,
            0.9937903346742558,
        ],
    ),
    (
        1.0,
        6.0,
        [
            -0.9999999465385206,
            1.9343339913759134e-08,
            0.9999999124203841,
            2.866528516917378e-07,
        ],
    ),
    (
        9.0,
        3.0,
        [
            -2.999999999843643,
            0.9999999980752705,
            9.99999999713713,
            0.9999999990134123,
        ],
    ),
    (
        0.2,
        12.0,
        [-0.2, 2.727722154684671e-34, 0.04000000000000001, 1.967098491033467e-32],
    ),
];

/// As [`SOFT`].
const HARD: [Golden; 11] = [
    (
        0.0,
        1.0,
        [0.0, 0.8012519569012008, 0.8012519569012008, 0.3173105078629141],
    ),
    (
        0.01,
        0.02,
        [
            -2.1273304966434466e-08,
            0.999997873094952,
            0.9999978730949525,
            0.9840441702712558,
        ],
    ),
    (
        0.3,
        0.1,
        [
            -7.605597923377285e-05,
            0.9997920622659149,
            0.9997920680504269,
            0.9238379678287788,
        ],
    ),
    (
        0.5,
        2.0,
        [
            -0.35150227153035973,
            0.41930594778773184,
            0.5428597946787346,
            0.0730168665946342,
        ],
    ),
    (
        1e-06,
        3.0,
        [
            -9.70709113465072e-07,
            0.029290886535036326,
            0.0292908865359786,
            0.0026997960632734845,
        ],
    ),
    (
        2.0,
        2.0,
        [
            -0.601128207340666,
            2.1390851855169575,
            2.50044030717756,
            0.5000316712418331,
        ],
    ),
    (
        3.0,
        1.0,
        [
            -0.014298245831615096,
            1.0740966336935909,
            1.074301073527452,
            0.9772815392936539,
        ],
    ),
    (
        5.0,
        2.5,
        [
            -0.013520026135396025,
            1.105028425479064,
            1.105211216585766,
            0.9937903346742558,
        ],
    ),
    (
        1.0,
        6.0,
        [
            -0.9999982266367683,
            1.098038483530845e-05,
            1.0000074336615168,
            2.866528516917378e-07,
        ],
    ),
    (
        9.0,
        3.0,
        [
            -2.803405955515998e-09,
            1.0000000424717146,
            1.0000000424717146,
            0.9999999990134123,
        ],
    ),
    (
        0.2,
        12.0,
        [-0.2, 2.872338362347938e-30, 0.04000000000000001, 1.967098491033467e-32],
    ),
];

fn numbers(risk: ThresholdRisk) -> [f64; 4] {
    [risk.bias, risk.variance, risk.risk, risk.kept]
}

#[test]
fn bias_variance_and_risk_match_quadratures_of_fifty_digits() {
    for (table, estimator) in [(SOFT, soft as fn(f64, f64) -> Result<ThresholdRisk>), (HARD, hard)] {
        for (mean, threshold, expected) in table {
            let got = numbers(estimator(mean, threshold).unwrap());
            for (got, expected) in got.into_iter().zip(expected) {
                // |λ−θ| and λ+θ are rounded, and a tail at z multiplies that by z²; the parts of a variance or a
                // bias of size one cancel up to terms of size 1 + λ² and λ.
                let far = mean + threshold;
                let tolerance =
                    f64::EPSILON * (8.0 * expected.abs() * (1.0 + far * far) + 4.0 * expected.abs().min(1.0));
                assert!(
                    (got - expected).abs() <= tolerance,
                    "{mean} {threshold}: {got:e} {expected:e}"
                );
            }
        }
    }
}

#[test]
fn the_published_forms_hold_where_they_do_not_cancel() {
    for (mean, threshold) in [(0.0, 0.5), (0.7, 1.3), (2.0, 1.0), (1.5, 1.5), (3.0, 2.0)] {
        let (near, far): (f64, f64) = (threshold - mean, threshold + mean);
        let zeroed = super::super::special::normal_probability(near) - super::super::special::normal_probability(-far);
        let tails = super::super::special::normal_probability(-near) + super::super::special::normal_probability(-far);
        let by_soft = 1.0 + threshold * threshold + (mean * mean - threshold * threshold - 1.0) * zeroed
            - near * normal_density(far)
            - far * normal_density(near);
        let by_hard = mean * mean * zeroed + tails + near * normal_density(near) + far * normal_density(far);
        // Terms of size 1 + λ² + θ², rounded.
        let tolerance = 8.0 * f64::EPSILON * (1.0 + mean * mean + threshold * threshold);
        assert!((soft(mean, threshold).unwrap().risk - by_soft).abs() < tolerance);
        assert!((hard(mean, threshold).unwrap().risk - by_hard).abs() < tolerance);
    }
}

#[test]
fn limits_are_least_squares_zero_and_a_constant_bias() {
    for mean in [0.0, 0.3, 7.0] {
        for estimator in [soft, hard] {
            let plain = estimator(mean, 0.0).unwrap();
            assert!(
                plain.bias.abs() < 1e-15 && (plain.risk - 1.0).abs() < 1e-14,
                "{mean} {plain:?}"
            );
            let nothing = estimator(mean, 60.0).unwrap();
            assert_eq!((nothing.variance, nothing.kept), (0.0, 0.0));
            // Sixteen weights of a quadrature, summed.
            assert!((nothing.bias + mean).abs() <= 8.0 * f64::EPSILON * mean);
            assert!((nothing.risk - mean * mean).abs() <= 1e-15 * mean * mean);
        }
    }
    let [shrunk, kept] = [soft(60.0, 3.0).unwrap(), hard(60.0, 3.0).unwrap()];
    assert_eq!((shrunk.bias, shrunk.variance, shrunk.risk), (-3.0, 1.0, 10.0));
    assert_eq!((kept.bias, kept.variance, kept.risk), (0.0, 1.0, 1.0));
    // Neither dominates: soft wins at zero, hard far out.
    assert!(soft(0.0, 3.0).unwrap().risk < hard(0.0, 3.0).unwrap().risk);
    for (mean, threshold) in [(1e100, 1e100), (1e100, 0.0), (0.0, 1e100), (1e100, 1.0)] {
        for estimator in [soft, hard] {
            let far = estimator(mean, threshold).unwrap();
            assert!(numbers(far).iter().all(|v| v.is_finite()), "{mean} {threshold} {far:?}");
        }
    }
}

#[test]
fn a_group_is_the_absolute_value_of_its_norm_and_its_factor_solves_the_optimality_condition() {
    for (norm, threshold) in [(2.0, 0.5), (0.5, 0.5), (0.1, 3.0), (0.0, 0.0), (1.0 + 1e-12, 1.0)] {
        let factor = group_factor(norm, threshold).unwrap();
        assert!((factor * norm - soft_threshold(norm, threshold)).abs() <= 2e-16 * norm);
        // x − w + λ x/‖x‖ = 0 along w where x ≠ 0; otherwise ‖w‖ ≤ λ.
        let residual = if factor > 0.0 {
            factor * norm - norm + threshold
        } else {
            (norm - threshold).max(0.0)
        };
        assert!(residual.abs() <= 4e-16 * norm, "{norm} {threshold}: {residual}");
    }
    assert!(group_factor(-1.0, 1.0).is_err() && group_factor(1.0, f64::NAN).is_err());
}

#[test]
fn wrong_arguments_are_refused_and_the_noise_scales_everything() {
    for (mean, threshold) in [
        (-1.0, 1.0),
        (1.0, -1.0),
        (f64::NAN, 1.0),
        (1.0, f64::INFINITY),
        (1e101, 1.0),
    ] {
        assert!(
            soft(mean, threshold).is_err() && hard(mean, threshold).is_err(),
            "{mean} {threshold}"
        );
    }
    let unit = SOFT_FORM.evaluate_text(&[("mean", "0.5"), ("threshold", "2")]).unwrap();
    let scaled = SOFT_FORM
        .evaluate_text(&[("mean", "2"), ("threshold", "8"), ("noise-std", "4")])
        .unwrap();
    for ((one, other), factor) in unit.iter().zip(&scaled).zip([16.0, 4.0, 16.0, 1.0]) {
        let (super::super::Scalar::Real(one), super::super::Scalar::Real(other)) = (&one.value, &other.value) else {
            panic!("numbers")
        };
        assert_eq!(factor * one, *other);
    }
}

proptest! {
    #[test]
    fn risk_is_variance_plus_squared_bias(mean in 0.0_f64..8.0, threshold in 0.0_f64..8.0) {
        for estimator in [soft, hard] {
            let ThresholdRisk { bias, variance, risk, kept } = estimator(mean, threshold).unwrap();
            let far = mean + threshold;
            prop_assert!((variance + bias * bias - risk).abs() <= 16.0 * f64::EPSILON * risk * (1.0 + far * far));
            prop_assert!(variance >= 0.0 && (0.0..=1.0).contains(&kept) && bias <= 0.0);
        }
        prop_assert!((zeroed_probability(mean, threshold) + kept_probability(mean, threshold) - 1.0).abs() < 1e-15);
    }

    #[test]
    fn the_proximal_maps_minimise_and_split_their_argument(y in -5.0_f64..5.0, threshold in 0.0_f64..3.0, x in -6.0_f64..6.0) {
        let soft_objective = |x: f64| 0.5 * (x - y).powi(2) + threshold * x.abs();
        let hard_objective = |x: f64| 0.5 * (x - y).powi(2) + if x == 0.0 { 0.0 } else { 0.5 * threshold * threshold };
        prop_assert!(soft_objective(soft_threshold(y, threshold)) <= soft_objective(x) + 1e-14);
        prop_assert!(hard_objective(hard_threshold(y, threshold)) <= hard_objective(x) + 1e-14);
        // Moreau: y is its soft threshold plus its projection onto [−λ, λ].
        prop_assert!((soft_threshold(y, threshold) + y.clamp(-threshold, threshold) - y).abs() <= 1e-15 * y.abs());
    }
}
