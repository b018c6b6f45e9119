use super::*;
use proptest::prelude::*;

fn problem(delta: f64, nonzero_fraction: f64, noise_variance: f64, nonzeros: Nonzeros) -> StateEvolution {
    StateEvolution {
        delta,
        nonzero_fraction,
        noise_variance,
        nonzeros,
    }
}

const SPIKES: fn(f64) -> Nonzeros = |amplitude| Nonzeros::Spikes { amplitude };
const GAUSSIAN: fn(f64) -> Nonzeros = |amplitude| Nonzeros::Gaussian { amplitude };

/// A root is found to the last bit of a function that is right to some twenty roundings, and moves by them over one
/// minus its slope there.
fn close(got: f64, expected: f64, rate: f64) -> bool {
    (got / expected - 1.0).abs() < 40.0 * f64::EPSILON / (1.0 - rate)
}

#[test]
fn fixed_points_match_high_precision() {
    // mpmath 1.4.1, 30 digits: root of the recursion with the risk of Donoho & Johnstone's form, integrated over the law
    // of the nonzeros by quadrature: τ², error, derivative (by differences), estimated nonzeros, λ.
    let table = [
        (
            0.64,
            0.128,
            0.2,
            SPIKES(1.0),
            1.5,
            [
                0.350_214_417_472_650_64,
                0.096_137_227_182_496_41,
                0.186_769_870_402_576_42,
                0.190_236_612_703_659_74,
                0.623_824_453_235_048_9,
            ],
        ),
        (
            0.64,
            0.128,
            0.2,
            GAUSSIAN(1.0),
            1.5,
            [
                0.301_290_344_297_059_3,
                0.064_825_820_350_117_97,
                0.211_063_710_776_612_8,
                0.176_727_823_873_221_97,
                0.595_991_559_723_353_4,
            ],
        ),
        (
            0.5,
            0.1,
            0.01,
            SPIKES(2.0),
            1.2,
            [
                0.029_402_098_826_427_38,
                0.009_701_049_413_213_689,
                0.659_888_225_700_005_5,
                0.307_125_406_399_074_93,
                0.079_373_481_927_716_86,
            ],
        ),
        (
            2.0,
            0.3,
            0.5,
            GAUSSIAN(0.7),
            0.4,
            [
                0.689_404_570_918_316_1,
                0.378_809_141_836_632_2,
                0.259_436_020_255_712_6,
                0.710_332_106_531_659_9,
                0.214_163_257_039_073_02,
            ],
        ),
        (
            0.5,
            0.25,
            0.0,
            SPIKES(1.0),
            1.1,
            [
                0.277_112_621_243_861_55,
                0.138_556_310_621_930_77,
                0.619_996_498_141_804_8,
                0.400_847_208_178_688_46,
                0.114_830_110_056_532_71,
            ],
        ),
        (
            0.5,
            0.25,
            0.0,
            GAUSSIAN(1.0),
            1.1,
            [
                0.057_986_585_509_341_8,
                0.028_993_292_754_670_9,
                0.867_665_074_319_690_9,
                0.402_692_817_007_013_8,
                0.051_550_318_052_605_91,
            ],
        ),
    ];
    for (delta, fraction, noise, nonzeros, threshold, expected) in table {
        let problem = problem(delta, fraction, noise, nonzeros);
        let state = problem.fixed_point(threshold).unwrap();
        let got = [
            state.noise_squared,
            state.mean_squared_error,
            state.rate,
            state.estimated_nonzeros,
            state.lambda,
        ];
        for (got, expected) in got.into_iter().zip(expected) {
            assert!(close(got, expected, state.rate), "{problem:?}: {got} {expected}");
        }
    }
}

#[test]
fn the_lasso_matches_a_joint_solution_in_high_precision() {
    // mpmath 1.4.1, 30 digits: Newton's iteration for α and τ² together.
    let table = [
        (
            0.64,
            0.128,
            0.2,
            SPIKES(1.0),
            1.0,
            1.945_845_809_356_777_6,
            0.104_745_673_651_725_27,
        ),
        (
            0.64,
            0.128,
            0.2,
            GAUSSIAN(1.0),
            0.5,
            1.367_729_198_937_969_4,
            0.065_685_904_511_243_87,
        ),
        (
            0.3,
            0.05,
            0.01,
            SPIKES(1.0),
            0.1,
            1.468_242_682_588_197_3,
            0.006_459_892_975_471_966,
        ),
        (
            2.0,
            0.3,
            0.5,
            SPIKES(0.7),
            0.2,
            0.375_924_173_036_033_8,
            0.407_924_687_883_840_2,
        ),
    ];
    for (delta, fraction, noise, nonzeros, lambda, threshold, error) in table {
        let state = problem(delta, fraction, noise, nonzeros).lasso(lambda).unwrap();
        // dλ/dα is of size one in all four, and the rate below 0.6.
        assert!((state.threshold / threshold - 1.0).abs() < 1e-13, "{state:?}");
        assert!((state.mean_squared_error / error - 1.0).abs() < 1e-13, "{state:?}");
        assert!((state.lambda / lambda - 1.0).abs() < 1e-13, "{state:?}");
    }
}

#[test]
fn the_smallest_threshold_matches_high_precision_and_bounds_the_fixed_points() {
    // mpmath 1.4.1, 30 digits.
    for (delta, expected) in [
        (0.05, 1.464_719_566_943_768_7),
        (0.5, 0.405_233_807_362_786_8),
        (0.95, 0.031_967_815_535_220_025),
    ] {
        let smallest = smallest_threshold(delta).unwrap();
        // The slope of the root in ln δ is largest near δ = 1, where the root itself tends to zero.
        assert!(
            (smallest - expected).abs() < 4.0 * f64::EPSILON,
            "{delta}: {smallest} {expected}"
        );
        let problem = problem(delta, 0.01, 0.1, SPIKES(1.0));
        assert!(problem.fixed_point(smallest * (1.0 - 1e-9)).is_err());
        assert!(problem.fixed_point(smallest * 1.01).unwrap().noise_squared > 0.1);
    }
    assert_eq!(smallest_threshold(1.0).unwrap(), 0.0);
    assert_eq!(smallest_threshold(3.0).unwrap(), 0.0);
}

#[test]
fn without_noise_recovery_turns_exactly_at_the_phase_transition() {
    use super::super::donoho_tanner::{Signs, transition};
    for delta in [0.1, 0.5, 0.9] {
        let curve = transition(delta, Signs::Signed).unwrap();
        for nonzeros in [SPIKES(1.0), GAUSSIAN(1.0)] {
            let at = |factor: f64| {
                let problem = problem(delta, curve.rho * delta * factor, 0.0, nonzeros);
                problem.fixed_point(curve.threshold).unwrap().noise_squared
            };
            assert_eq!(at(1.0 - 1e-9), 0.0);
            assert!(at(1.01) > 1e-8, "{delta} {nonzeros:?}");
        }
    }
}

#[test]
fn least_squares_ridge_free_limits_hold() {
    // No threshold, more rows than columns: τ² = σ² + τ²/δ, whatever the signal.
    let state = problem(4.0, 0.3, 0.6, SPIKES(1.0)).fixed_point(0.0).unwrap();
    assert!((state.noise_squared - 0.8).abs() < 1e-14, "{state:?}");
    assert!((state.rate - 0.25).abs() < 1e-15 && (state.estimated_nonzeros - 1.0).abs() < 1e-15);
    // A penalty above every correlation: the estimate is zero, and its error the signal itself.
    let silent = problem(0.5, 0.2, 0.1, SPIKES(1.0)).lasso(50.0).unwrap();
    assert!((silent.mean_squared_error - 0.2).abs() < 1e-14 && silent.estimated_nonzeros < 1e-100);
    // No signal: the error is that of the noise alone, 2η(α)τ².
    let noise = problem(0.5, 0.0, 0.1, GAUSSIAN(1.0)).fixed_point(1.0).unwrap();
    let slope = 2.0 * tail_moments(1.0)[2] * normal_density(1.0) / 0.5;
    assert!((noise.noise_squared - 0.1 / (1.0 - slope)).abs() < 1e-15);
    assert!((noise.rate - slope).abs() < 1e-15);
}

#[test]
fn the_trajectory_descends_to_the_fixed_point_at_its_rate() {
    let problem = problem(0.5, 0.1, 0.05, GAUSSIAN(1.0));
    let limit = problem.fixed_point(1.3).unwrap();
    let states = problem.trajectory(1.3, 60).unwrap();
    assert_eq!(states.len(), 61);
    assert!((states[0].noise_squared - 0.25).abs() < 1e-15);
    // Concave: the deviations shrink by a factor that rises to the derivative at the fixed point.
    let deviation = |t: usize| states[t].noise_squared - limit.noise_squared;
    let mut ratio = 0.0;
    for t in 0..12 {
        let next = deviation(t + 1) / deviation(t);
        assert!(ratio < next && next < limit.rate, "{t}: {next} {}", limit.rate);
        ratio = next;
    }
    assert!((states[60].noise_squared / limit.noise_squared - 1.0).abs() < 1e-13);
    // Exact recovery ends a trajectory before its tau is below every double.
    let noiseless = StateEvolution {
        noise_variance: 0.0,
        nonzero_fraction: 0.02,
        ..problem
    };
    assert!(noiseless.trajectory(1.3, 10_000).unwrap().len() < 2000);
}

#[test]
fn wrong_problems_are_refused_by_name() {
    let good = problem(0.5, 0.1, 0.1, SPIKES(1.0));
    let bad = [
        ("delta", StateEvolution { delta: 0.0, ..good }),
        (
            "delta",
            StateEvolution {
                delta: f64::NAN,
                ..good
            },
        ),
        (
            "nonzero-fraction",
            StateEvolution {
                nonzero_fraction: 1.1,
                ..good
            },
        ),
        (
            "noise-variance",
            StateEvolution {
                noise_variance: -0.1,
                ..good
            },
        ),
        (
            "noise-variance",
            StateEvolution {
                noise_variance: 1e-60,
                ..good
            },
        ),
        (
            "amplitude",
            StateEvolution {
                nonzeros: SPIKES(0.0),
                ..good
            },
        ),
        (
            "amplitude",
            StateEvolution {
                nonzeros: GAUSSIAN(f64::INFINITY),
                ..good
            },
        ),
    ];
    for (expected, problem) in bad {
        match problem.lasso(1.0) {
            Err(Error::Argument { name, .. }) => assert_eq!(name, expected),
            other => panic!("{problem:?}: {other:?}"),
        }
    }
    assert!(good.lasso(0.0).is_err() && good.fixed_point(-1.0).is_err() && good.state(0.0, 1.0).is_err());
    let nothing = StateEvolution {
        nonzero_fraction: 0.0,
        noise_variance: 0.0,
        ..good
    };
    assert!(nothing.lasso(1.0).is_err());
    assert_eq!(nothing.fixed_point(1.0).unwrap().mean_squared_error, 0.0);
}

#[test]
fn the_calculator_gives_the_state_after_some_iterations_or_for_ever() {
    let given = [
        ("delta", "0.5"),
        ("nonzero-fraction", "0.1"),
        ("noise-variance", "0.05"),
        ("threshold", "1.3"),
    ];
    let value = |extra: &[(&str, &str)]| {
        let answer = EVOLUTION_FORM.evaluate_text(&[&given[..], extra].concat()).unwrap();
        match answer[0].value {
            super::super::Scalar::Real(value) => value,
            ref other => panic!("{other:?}"),
        }
    };
    let problem = problem(0.5, 0.1, 0.05, SPIKES(1.0));
    assert_eq!(value(&[]), problem.fixed_point(1.3).unwrap().mean_squared_error);
    assert_eq!(
        value(&[("iterations", "3")]),
        problem.trajectory(1.3, 3).unwrap()[3].mean_squared_error
    );
    assert!(value(&[("signal", "gaussian")]) < value(&[]));
    assert!(value(&[("iterations", "2")]) > value(&[("iterations", "3")]));
}

proptest! {
    #[test]
    fn the_derivative_is_that_of_the_recursion(
        fraction in 0.0_f64..1.0, noise in 0.1_f64..4.0, threshold in 0.0_f64..4.0, gaussian in any::<bool>(),
    ) {
        let nonzeros = if gaussian { GAUSSIAN(1.0) } else { SPIKES(1.0) };
        let problem = problem(0.7, fraction, 0.0, nonzeros);
        let state = problem.state(noise, threshold).unwrap();
        let step = 1e-4 * noise;
        let difference = (problem.advance(noise + step, threshold) - problem.advance(noise - step, threshold)) / (2.0 * step);
        // The third derivative, of size 1/τ⁴ times the recursion, and rounding over the step.
        let size = problem.advance(noise, threshold) / noise;
        prop_assert!((difference - state.rate).abs() < 1e-7 * size * (1.0 + threshold.powi(4)), "{} {}", difference, state.rate);
    }

    #[test]
    fn the_two_expressions_of_the_lasso_error_agree_and_the_penalty_orders_the_thresholds(
        delta in 0.2_f64..2.0, fraction in 0.01_f64..0.3, noise in 0.05_f64..1.0, lambda in 0.1_f64..3.0,
    ) {
        let problem = problem(delta, fraction, noise, SPIKES(1.0));
        let state = problem.lasso(lambda).unwrap();
        let other = delta * (state.noise_squared - noise);
        prop_assert!((state.mean_squared_error - other).abs() < 1e-12 * (1.0 + delta * state.noise_squared) / (1.0 - state.rate));
        prop_assert!(state.estimated_nonzeros < delta && state.rate < 1.0);
        prop_assert!(problem.lasso(1.1 * lambda).unwrap().threshold > state.threshold);
    }
}
