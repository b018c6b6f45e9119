use super::super::super::relu_variance::fluctuation;
use super::super::quadrature::mean;
use super::*;
use crate::theory::mean_field::Nonlinearity;
use proptest::prelude::*;

const ENSEMBLES: [Ensemble; 2] = [Ensemble::Gaussian, Ensemble::Orthogonal];

fn model(nonlinearity: Nonlinearity, density: f64) -> MeanField {
    MeanField {
        nonlinearity,
        density,
        weight_variance: 1.0 / (density * nonlinearity.slope_moment(0.0)),
        bias_variance: 0.0,
    }
}

#[test]
fn fourth_moments_of_slopes_are_those_of_the_functions_themselves() {
    for phi in [Nonlinearity::Tanh, Nonlinearity::Erf, Nonlinearity::Gelu] {
        for q in [1e-3, 0.5, 4.0, 30.0] {
            let direct = mean(|z| phi.slope(f64::sqrt(q) * z).powi(4));
            assert!((phi.slope_fourth_moment(q) / direct - 1.0).abs() < 1e-12, "{phi} {q}");
        }
    }
    for phi in Nonlinearity::ALL {
        // Cauchy and Schwarz.
        assert!(
            phi.slope_fourth_moment(0.7) >= phi.slope_moment(0.7).powi(2) * (1.0 - 1e-14),
            "{phi}"
        );
    }
}

#[test]
fn the_square_of_a_direction_has_the_second_moment_of_the_length_map() {
    // A ReLU network without biases is its own Jacobian times its input, and a Gaussian input has a length of relative second
    // moment 1 + 2/N that is independent of its direction.
    for (density, width) in [(1.0, 64_usize), (0.3, 20), (0.05, 100)] {
        for depth in [1, 5, 40] {
            let found = model(Nonlinearity::Relu, density)
                .finite_jacobian(Ensemble::Gaussian, width, depth)
                .unwrap()
                .unwrap();
            let lengths = fluctuation(density, width as u64, depth as u64)
                .unwrap()
                .measured_second_moment;
            let own = found.forward * (1.0 + 2.0 / width as f64);
            // Two recursions of positive terms, some twenty roundings a layer.
            assert!(
                (own / lengths - 1.0).abs() <= 40.0 * depth as f64 * f64::EPSILON,
                "{own} {lengths}"
            );
        }
    }
}

#[test]
fn dense_linear_networks_have_their_known_moments() {
    for depth in [1, 4, 30] {
        let linear = model(Nonlinearity::Linear, 1.0);
        let gaussian = linear.finite_jacobian(Ensemble::Gaussian, 25, depth).unwrap().unwrap();
        let known = (1.0 + 2.0 / 25.0_f64).powi(depth as i32);
        for found in [gaussian.forward, gaussian.backward] {
            assert!(
                (found / known - 1.0).abs() <= 20.0 * depth as f64 * f64::EPSILON,
                "{found} {known}"
            );
        }
        let isometry = linear
            .finite_jacobian(Ensemble::Orthogonal, 25, depth)
            .unwrap()
            .unwrap();
        for found in [
            isometry.relative_second_moment,
            isometry.squared_mean,
            isometry.forward,
            isometry.backward,
        ] {
            assert!((found - 1.0).abs() <= 20.0 * depth as f64 * f64::EPSILON, "{found}");
        }
    }
}

#[test]
fn exact_moments_tend_to_those_of_wide_networks_with_the_inverse_width() {
    for phi in [Nonlinearity::Linear, Nonlinearity::Relu] {
        for ensemble in ENSEMBLES {
            for density in [0.1, 0.6] {
                let model = model(phi, density);
                let wide = model.jacobian(ensemble, 1.0, 7).unwrap();
                let gap = |width| {
                    let exact = model.finite_jacobian(ensemble, width, 7).unwrap().unwrap();
                    assert!((exact.mean_square / wide.mean_square - 1.0).abs() < 1e-13);
                    exact.relative_second_moment - wide.relative_second_moment
                };
                // The next term is O(1/N²), with factors of the square of the first.
                let ratio = gap(200_000) / gap(100_000);
                assert!((ratio - 0.5).abs() < 0.005, "{phi} {ensemble} {density}: {ratio}");
            }
        }
    }
}

#[test]
fn one_masked_orthogonal_matrix_has_its_closed_second_moment() {
    // From the moments of Haar entries, summed by hand: [3/ρ + (2 − ρ²)(N − 1)]/(N + 2).
    for (density, width) in [(0.5, 3_usize), (0.2, 10), (1.0, 7)] {
        let n = width as f64;
        let exact = (3.0 / density + (2.0 - density * density) * (n - 1.0)) / (n + 2.0);
        let found = model(Nonlinearity::Linear, density)
            .finite_jacobian(Ensemble::Orthogonal, width, 1)
            .unwrap()
            .unwrap();
        assert!((found.relative_second_moment / exact - 1.0).abs() < 1e-14);
    }
}

#[test]
fn unequal_lengths_add_their_own_spreads() {
    let tanh = MeanField {
        nonlinearity: Nonlinearity::Tanh,
        density: 0.4,
        weight_variance: 4.0,
        bias_variance: 0.1,
    };
    let whole = tanh.jacobian(Ensemble::Orthogonal, 2.0, 3).unwrap();
    let lengths = tanh.variances(2.0, 3).unwrap().values;
    let (mut square, mut spread) = (1.0, 1.0);
    for &q in &lengths[..3] {
        let part = tanh.jacobian(Ensemble::Orthogonal, q, 1).unwrap();
        square *= part.mean_square;
        spread += part.relative_second_moment - 1.0;
    }
    assert!((whole.mean_square / square - 1.0).abs() < 1e-12);
    assert!((whole.relative_second_moment / spread - 1.0).abs() < 1e-12);
    let none = tanh.jacobian(Ensemble::Gaussian, 2.0, 0).unwrap();
    assert_eq!((none.mean_square, none.relative_second_moment), (1.0, 1.0));
    assert_eq!(tanh.finite_jacobian(Ensemble::Gaussian, 10, 2).unwrap(), None);
}

#[test]
fn what_does_not_fit_is_refused_and_the_calculator_answers() {
    let good = model(Nonlinearity::Relu, 0.5);
    assert!(good.finite_jacobian(Ensemble::Gaussian, 0, 2).is_err());
    assert!(
        MeanField { density: 0.0, ..good }
            .finite_jacobian(Ensemble::Gaussian, 3, 2)
            .is_err()
    );
    assert!(good.jacobian(Ensemble::Gaussian, -1.0, 2).is_err());
    let wild = MeanField {
        weight_variance: 1e200,
        ..good
    };
    assert!(matches!(
        wild.jacobian(Ensemble::Gaussian, 1.0, 9),
        Err(Error::Numerical { .. })
    ));
    assert!(
        "haar"
            .parse::<Ensemble>()
            .unwrap_err()
            .to_string()
            .contains("orthogonal")
    );
    let words = [
        ("density", "0.5"),
        ("weight-variance", "4"),
        ("depth", "10"),
        ("nonlinearity", "relu"),
        ("ensemble", "orthogonal"),
        ("width", "64"),
    ];
    let answer = JACOBIAN_FORM.evaluate_text(&words).unwrap();
    assert_eq!(answer[0], Quantity::real("value", 1.0 + 10.0 * 1.75, answer[0].meaning));
    assert_eq!(answer[1], Quantity::real("mean_square", 1.0, answer[1].meaning));
    assert_eq!(answer.len(), 5);
}

proptest! {
    #[test]
    fn second_moments_are_at_least_one_and_masks_only_raise_them(
        density in 0.02f64..1.0, width in 2usize..300, depth in 1usize..30, relu: bool, orthogonal: bool,
    ) {
        let phi = if relu { Nonlinearity::Relu } else { Nonlinearity::Linear };
        let ensemble = ENSEMBLES[usize::from(orthogonal)];
        let masked = model(phi, density).finite_jacobian(ensemble, width, depth).unwrap().unwrap();
        let dense = model(phi, 1.0).finite_jacobian(ensemble, width, depth).unwrap().unwrap();
        let slack = 1.0 - 1e-12;
        for (m, d) in [
            (masked.relative_second_moment, dense.relative_second_moment),
            (masked.squared_mean, dense.squared_mean),
            (masked.forward, dense.forward),
            (masked.backward, dense.backward),
        ] {
            prop_assert!(d >= slack && m >= d * slack, "{m} {d}");
        }
        // Of every network, and so of the mean: E σ⁴ is at least the square of E σ².
        prop_assert!(masked.relative_second_moment >= masked.squared_mean * slack);
    }
}
