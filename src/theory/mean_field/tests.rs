use super::kernels::Nonlinearity;
use super::quadrature::{mean, mean_of_two};
use super::*;
use proptest::prelude::*;

const SMOOTH: [Nonlinearity; 4] = [
    Nonlinearity::Linear,
    Nonlinearity::Tanh,
    Nonlinearity::Erf,
    Nonlinearity::Gelu,
];

fn model(nonlinearity: Nonlinearity, scale: f64, bias_variance: f64) -> MeanField {
    MeanField {
        nonlinearity,
        density: 0.5,
        weight_variance: 2.0 * scale,
        bias_variance,
    }
}

#[test]
fn closed_forms_agree_with_quadrature_of_the_functions_themselves() {
    for phi in SMOOTH {
        for q in [1e-3, 0.3, 2.0, 30.0] {
            let scale = f64::sqrt(q);
            let direct = [
                (phi.second_moment(q), mean(|z| phi.value(scale * z).powi(2))),
                (phi.slope_moment(q), mean(|z| phi.slope(scale * z).powi(2))),
            ];
            for (found, expected) in direct {
                assert!((found / expected - 1.0).abs() < 1e-12, "{phi} {q}: {found} {expected}");
            }
            for c in [-0.7, 0.0, 0.4, 0.95] {
                let rest = f64::sqrt(1.0 - c * c);
                let pair = |f: &dyn Fn(f64) -> f64| mean_of_two(|x, y| f(scale * x) * f(scale * (c * x + rest * y)));
                let (product, slopes) = (pair(&|x| phi.value(x)), pair(&|x| phi.slope(x)));
                let size = phi.second_moment(q);
                assert!(
                    (phi.product_moment(q, c) - product).abs() < 1e-12 * size,
                    "{phi} {q} {c}"
                );
                let size = phi.slope_moment(q);
                assert!(
                    (phi.slope_product_moment(q, c) - slopes).abs() < 1e-12 * size,
                    "{phi} {q} {c}"
                );
            }
        }
    }
}

#[test]
fn kinked_functions_agree_with_a_plain_sum_over_a_fine_grid() {
    // The midpoint rule on steps of 0.01 is wrong by O(h²) at kinks: 1e-5 of the moments here.
    for phi in [Nonlinearity::Relu, Nonlinearity::HardTanh] {
        for (q, c) in [(0.5, 0.3), (3.0, -0.6), (3.0, 0.9)] {
            let (scale, rest) = (f64::sqrt(q), f64::sqrt(1.0 - c * c));
            let grid: Vec<(f64, f64)> = (-800..800)
                .map(|k| (f64::from(k) + 0.5) * 0.01)
                .map(|z| (z, 0.01 * super::super::special::normal_density(z)))
                .collect();
            let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
                grid.iter()
                    .map(|&(x, a)| a * grid.iter().map(|&(y, b)| b * f(x, y)).sum::<f64>())
                    .sum()
            };
            let product = sum(&|x, y| phi.value(scale * x) * phi.value(scale * (c * x + rest * y)));
            let slopes = sum(&|x, y| phi.slope(scale * x) * phi.slope(scale * (c * x + rest * y)));
            let (found, found_slopes) = (phi.product_moment(q, c), phi.slope_product_moment(q, c));
            assert!((found - product).abs() < 1e-4, "{phi} {q} {c}: {found} {product}");
            // Steps instead of kinks: O(h) at the edge of the square.
            assert!(
                (found_slopes - slopes).abs() < 5e-3,
                "{phi} {q} {c}: {found_slopes} {slopes}"
            );
        }
    }
}

#[test]
fn every_slope_is_the_difference_quotient_of_its_moment() {
    for phi in Nonlinearity::ALL {
        for q in [0.2, 1.0, 7.0] {
            let h = 1e-5 * q;
            let quotient = (phi.second_moment(q + h) - phi.second_moment(q - h)) / (2.0 * h);
            // Truncation h²V‴ and rounding ε/h: 1e-9 is above both.
            assert!((phi.second_moment_slope(q) - quotient).abs() < 1e-9, "{phi} {q}");
            let c = 0.35;
            let quotient = (phi.product_moment(q, c + 1e-5) - phi.product_moment(q, c - 1e-5)) / (2e-5 * q);
            assert!((phi.slope_product_moment(q, c) - quotient).abs() < 1e-9, "{phi} {q}");
            assert!(
                (phi.product_moment(q, 1.0) / phi.second_moment(q) - 1.0).abs() < 1e-12,
                "{phi} {q}"
            );
            assert!(
                (phi.slope_product_moment(q, 1.0) / phi.slope_moment(q) - 1.0).abs() < 1e-9,
                "{phi} {q}"
            );
        }
    }
}

#[test]
fn the_edge_of_chaos_of_tanh_has_its_published_place() {
    // Poole et al. 2016 and Schoenholz et al. 2017 quote σ_w² = 1.76 at σ_b² = 0.05. The digits: mpmath 1.3.0, 30 digits, findroot
    // on q of q − E tanh²/E sech⁴ = 0.05 with quad over [−12, 12].
    let edge = edge_of_chaos(Nonlinearity::Tanh, 0.05).unwrap();
    assert_eq!(edge.len(), 1);
    assert!((edge[0].scale - EDGE.0).abs() < 1e-11, "{:?}", edge[0]);
    assert!((edge[0].variance - EDGE.1).abs() < 1e-11, "{:?}", edge[0]);
    assert_eq!(edge[0].weight_variance(0.1), edge[0].scale / 0.1);
    // Without biases: slope 1 at the origin.
    for (phi, scale) in [
        (Nonlinearity::Tanh, 1.0),
        (Nonlinearity::Relu, 2.0),
        (Nonlinearity::HardTanh, 1.0),
    ] {
        let edge = edge_of_chaos(phi, 0.0).unwrap();
        assert!((edge[0].scale - scale).abs() < 1e-14, "{phi}: {edge:?}");
    }
    assert!(edge_of_chaos(Nonlinearity::Relu, 0.1).unwrap().is_empty());
}

const EDGE: (f64, f64) = (1.760_954_639_606_739, 0.570_047_881_640_764_1);

#[test]
fn a_point_of_the_edge_is_a_fixed_point_with_gradient_factor_one() {
    for phi in [
        Nonlinearity::Tanh,
        Nonlinearity::Erf,
        Nonlinearity::HardTanh,
        Nonlinearity::Gelu,
    ] {
        for variance in [0.1, 1.0, 5.0] {
            let Some(point) = edge_point(phi, variance).unwrap() else {
                continue;
            };
            let found = model(phi, point.scale, point.bias_variance).fixed_points().unwrap();
            let nearest = found.points.iter().find(|p| (p.variance / variance - 1.0).abs() < 1e-6);
            let nearest = nearest.unwrap_or_else(|| panic!("{phi} {point:?}: {found:?}"));
            assert!((nearest.gradient_factor - 1.0).abs() < 1e-6, "{phi}: {nearest:?}");
        }
    }
}

#[test]
fn gelu_between_two_and_four_is_bistable_and_the_start_decides() {
    let model = model(Nonlinearity::Gelu, 3.0, 0.0);
    let found = model.fixed_points().unwrap();
    let slopes: Vec<bool> = found.points.iter().map(FixedPoint::is_stable).collect();
    assert_eq!(slopes, [true, false], "{found:?}");
    let unstable = found.points[1].variance;
    let low = model.variances(0.99 * unstable, 400).unwrap();
    let high = model.variances(1.01 * unstable, 4000).unwrap();
    assert!(low.values[400] < 1e-3 * unstable && !low.diverged);
    assert!(high.diverged && high.values.len() > 10);
    assert_eq!(found.approached_from(&model, 0.99 * unstable).unwrap().variance, 0.0);
    assert!(found.approached_from(&model, 1.01 * unstable).is_none());
}

#[test]
fn lengths_and_angles_approach_their_fixed_points_at_the_stated_rates() {
    for (phi, scale, bias, phase) in [
        (Nonlinearity::Tanh, 0.9, 0.1, Phase::Ordered),
        (Nonlinearity::Tanh, 3.0, 0.05, Phase::Chaotic),
        (Nonlinearity::Erf, 2.5, 0.3, Phase::Chaotic),
        (Nonlinearity::HardTanh, 4.0, 0.1, Phase::Chaotic),
        (Nonlinearity::Relu, 1.2, 0.5, Phase::Ordered),
    ] {
        let model = model(phi, scale, bias);
        let found = model.fixed_points().unwrap();
        assert_eq!(found.points.len(), 1, "{phi}: {found:?}");
        let point = found.points[0];
        assert_eq!(point.phase, phase, "{phi} {point:?}");
        let lengths = model.variances(1.5 * point.variance, 40).unwrap().values;
        let deviation = |l: usize| (lengths[l] - point.variance).abs();
        // Late enough for the slope to be that of the fixed point, early enough to be above rounding.
        let late = (1..40)
            .take_while(|&l| deviation(l + 1) > 1e-9 * point.variance)
            .last()
            .unwrap();
        assert!(
            (deviation(late + 1) / deviation(late) - point.slope).abs() < 1e-3,
            "{phi}"
        );
        let c = point.correlation.unwrap();
        let angles = model.correlations(point.variance, 0.3, 60).unwrap();
        let late = (1..60)
            .take_while(|&l| (angles[l + 1] - c).abs() > 1e-8)
            .last()
            .unwrap();
        let ratio = (angles[late + 1] - c) / (angles[late] - c);
        assert!(
            (ratio - point.correlation_slope.unwrap()).abs() < 2e-3,
            "{phi}: {ratio} {point:?}"
        );
        assert!(point.correlation_length.unwrap() > 0.0);
    }
}

#[test]
fn a_critical_relu_network_forgets_angles_algebraically() {
    // Hayou et al. 2019: 1 − c ~ 9π²/(2ℓ²). The next term is O(ln ℓ/ℓ³).
    let model = model(Nonlinearity::Relu, 2.0, 0.0);
    let found = model.fixed_points().unwrap();
    assert!(found.every && found.points[0].phase == Phase::Critical && found.points[0].correlation_length.is_none());
    let depth = 20_000;
    let angles = model.correlations(1.0, 0.0, depth).unwrap();
    let law = 9.0 * std::f64::consts::PI.powi(2) / (2.0 * (depth as f64).powi(2));
    assert!(
        ((1.0 - angles[depth]) / law - 1.0).abs() < 0.01,
        "{}",
        (1.0 - angles[depth]) / law
    );
}

#[test]
fn numbers_outside_their_ranges_are_refused_and_the_calculator_answers() {
    for bad in [
        MeanField {
            density: 1.5,
            ..model(Nonlinearity::Tanh, 1.0, 0.0)
        },
        MeanField {
            weight_variance: -1.0,
            ..model(Nonlinearity::Tanh, 1.0, 0.0)
        },
        MeanField {
            bias_variance: f64::NAN,
            ..model(Nonlinearity::Tanh, 1.0, 0.0)
        },
    ] {
        assert!(bad.fixed_points().is_err() && bad.variances(1.0, 3).is_err());
    }
    let good = model(Nonlinearity::Tanh, 1.0, 0.0);
    assert!(good.variances(-1.0, 3).is_err() && good.next_correlation(1.0, 1.1).is_err());
    assert!(
        good.next_correlation(0.0, 0.5)
            .unwrap_err()
            .to_string()
            .contains("next layer")
    );
    assert!(
        "swish"
            .parse::<Nonlinearity>()
            .unwrap_err()
            .to_string()
            .contains("hard-tanh")
    );
    let ask = |words: &[(&str, &str)]| FIXED_POINT_FORM.evaluate_text(words);
    let answer = ask(&[
        ("nonlinearity", "gelu"),
        ("density", "0.5"),
        ("weight-variance", "6"),
        ("initial", "1000"),
    ])
    .unwrap();
    assert!(
        answer
            .iter()
            .any(|q| q.name == "phase" && format!("{q:?}").contains("divergent")),
        "{answer:?}"
    );
    let error = EDGE_FORM
        .evaluate_text(&[("nonlinearity", "relu"), ("bias-variance", "0.1")])
        .unwrap_err();
    assert!(error.to_string().contains("relu"), "{error}");
}

proptest! {
    #[test]
    fn density_only_rescales_the_weights(density in 0.01f64..1.0, scale in 0.1f64..6.0, bias in 0.0f64..1.0, n in 0usize..6) {
        let phi = Nonlinearity::ALL[n];
        let sparse = MeanField { nonlinearity: phi, density, weight_variance: scale / density, bias_variance: bias };
        let dense = MeanField { density: 1.0, weight_variance: sparse.scale(), ..sparse };
        prop_assert_eq!(sparse.next_variance(0.7), dense.next_variance(0.7));
        prop_assert_eq!(sparse.gradient_factor(0.7), dense.gradient_factor(0.7));
    }

    #[test]
    fn correlation_maps_are_convex_and_end_at_one(q in 0.01f64..20.0, n in 0usize..6) {
        let model = model(Nonlinearity::ALL[n], 1.7, 0.2);
        let at: Vec<f64> = (0..=10).map(|i| model.next_correlation(q, f64::from(i) / 10.0).unwrap()).collect();
        prop_assert!((at[10] - 1.0).abs() < 1e-12);
        for three in at.windows(3) {
            prop_assert!(three[0] + three[2] - 2.0 * three[1] >= -1e-12);
        }
    }
}
