use super::super::signals::{Measure, PairProbe};
use super::*;
use crate::outcome::Certainty;
use crate::simulations::judging::deviations;
use crate::support::Density;
use crate::theory::mean_field::MeanField;
use nalgebra::DVector;

const LEVEL: f64 = 1e-3;
const ENSEMBLES: [Ensemble; 2] = [Ensemble::Gaussian, Ensemble::Orthogonal];

fn network(width: usize, depth: usize, model: &MeanField, initial_length: f64) -> RandomNetwork {
    RandomNetwork {
        width,
        depth,
        density: Density::new(model.density).unwrap(),
        weight_variance: model.weight_variance,
        bias_variance: model.bias_variance,
        initial_length,
        ..RandomNetwork::default()
    }
}

fn error_of(estimate: &Estimate<f64>) -> f64 {
    match estimate.certainty {
        Certainty::Sampled { standard_error, .. } => standard_error,
        _ => panic!("a sample mean is sampled"),
    }
}

#[test]
fn small_linear_and_relu_networks_have_the_exact_moments() {
    // Biases must not matter for ReLU.
    const TRIALS: usize = 3000;
    let cells = 2.0 * 8.0;
    for nonlinearity in [Nonlinearity::Linear, Nonlinearity::Relu] {
        for ensemble in ENSEMBLES {
            for density in [1.0, 0.5] {
                let model = MeanField {
                    nonlinearity,
                    density,
                    weight_variance: 1.5 / density,
                    bias_variance: 0.3,
                };
                let exact = model.finite_jacobian(ensemble, 8, 2).unwrap().unwrap();
                let seed = Seed::root(1).stream(format!("moments {nonlinearity} {ensemble} {density}"));
                let sample = network(8, 2, &model, 1.0)
                    .jacobians(nonlinearity, ensemble, TRIALS, &seed)
                    .unwrap();
                let square = sample.moment(1).unwrap().value / exact.mean_square;
                let exact_error = ((exact.squared_mean - 1.0).max(0.0) / TRIALS as f64).sqrt();
                // Skewness of at most 4 over √3000; and sums of eight singular values, each right to ε σ_max.
                let z = 1.15 * deviations(LEVEL / cells);
                let rounding = 100.0 * f64::EPSILON;
                assert!(
                    (square - 1.0).abs() <= z * exact_error + rounding,
                    "{model:?} {ensemble}: {square} {exact:?}"
                );
                let fourth = sample.moment(2).unwrap();
                let expected = exact.relative_second_moment * exact.mean_square.powi(2);
                let tolerance = z * error_of(&fourth) + rounding * expected;
                assert!(
                    (fourth.value - expected).abs() <= tolerance,
                    "{model:?} {ensemble}: {} {expected} ± {tolerance}",
                    fourth.value
                );
                // The spectrum of the other ensemble is refuted.
                let other = ENSEMBLES[usize::from(ensemble == Ensemble::Gaussian)];
                let rival = model.finite_jacobian(other, 8, 2).unwrap().unwrap();
                let gap = (fourth.value / exact.mean_square.powi(2) - rival.relative_second_moment).abs();
                assert!(gap * exact.mean_square.powi(2) > tolerance, "{model:?} {ensemble}");
            }
        }
    }
}

#[test]
fn orthogonal_linear_networks_are_isometries_until_they_are_masked() {
    let dense = MeanField {
        nonlinearity: Nonlinearity::Linear,
        density: 1.0,
        weight_variance: 1.21,
        bias_variance: 0.0,
    };
    let sample = network(50, 6, &dense, 1.0)
        .jacobians(dense.nonlinearity, Ensemble::Orthogonal, 3, &Seed::root(2))
        .unwrap();
    let length = 1.1_f64.powi(6);
    for t in 0..3 {
        // Products of six matrices and one decomposition: errors of some √50 ε each.
        let gaps = sample
            .singular_values(t)
            .unwrap()
            .iter()
            .map(|s| (s / length - 1.0).abs());
        assert!(gaps.fold(0.0, f64::max) < 7.0 * 50.0 * f64::EPSILON);
    }
    assert!(sample.singular_values(3).is_none() && sample.ranks() == [50; 3]);
    // Conditions of ever sparser masks, and of independent weights.
    let condition = |ensemble, density| {
        let model = MeanField {
            density,
            weight_variance: 1.0 / density,
            ..dense
        };
        let seed = Seed::root(2).stream(format!("{ensemble} {density}"));
        let found = network(50, 6, &model, 1.0)
            .jacobians(dense.nonlinearity, ensemble, 9, &seed)
            .unwrap();
        quantile(&found.conditions(), 0.5).unwrap()
    };
    let medians = [0.99, 0.9, 0.5].map(|density| condition(Ensemble::Orthogonal, density));
    assert!(
        medians[0] > 1.5 && medians[1] > 2.0 * medians[0] && medians[2] > 2.0 * medians[1],
        "{medians:?}"
    );
    assert!(condition(Ensemble::Gaussian, 1.0) > medians[1]);
}

#[test]
fn wide_networks_have_the_moments_of_free_factors() {
    // Extrapolated from two widths: 2m(2N) − m(N), what is left of the bias as in powers of 1 + a/N.
    let cases = [
        (Nonlinearity::Tanh, 0.5, 3.0, Ensemble::Gaussian),
        (Nonlinearity::Tanh, 0.5, 3.0, Ensemble::Orthogonal),
        (Nonlinearity::Erf, 0.8, 1.2, Ensemble::Orthogonal),
        (Nonlinearity::HardTanh, 0.5, 2.4, Ensemble::Orthogonal),
    ];
    for (nonlinearity, density, weight_variance, ensemble) in cases {
        let model = MeanField {
            nonlinearity,
            density,
            weight_variance,
            bias_variance: 0.05,
        };
        let exact = model.jacobian(ensemble, 0.8, 4).unwrap();
        let samples = [24, 48].map(|width| {
            let seed = Seed::root(3).stream(format!("free {nonlinearity} {ensemble} {width}"));
            network(width, 4, &model, 0.8)
                .jacobians(nonlinearity, ensemble, 250, &seed)
                .unwrap()
        });
        let squares = samples.each_ref().map(|s| s.moment(1).unwrap());
        let seconds = samples.each_ref().map(|s| s.relative_second_moment().unwrap());
        for (name, [narrow, wide], expected) in [
            ("square", squares, exact.mean_square),
            ("second", seconds, exact.relative_second_moment),
        ] {
            let bias = 2.0 * (narrow.value - wide.value);
            let error = (error_of(&narrow).powi(2) + 4.0 * error_of(&wide).powi(2)).sqrt();
            let tolerance = deviations(LEVEL / 8.0) * error + bias * bias / expected;
            let found = 2.0 * wide.value - narrow.value;
            assert!(
                (found - expected).abs() < tolerance,
                "{nonlinearity} {ensemble} {name}: {found} {expected} ± {tolerance}"
            );
            // An orthogonal matrix that the mask left orthogonal is refuted.
            let spreads = 4.0 * (1.0 - density * density);
            let rival = exact.relative_second_moment - spreads;
            assert!(name == "square" || ensemble == Ensemble::Gaussian || (found - rival).abs() > 2.0 * tolerance);
        }
    }
}

#[test]
fn jacobians_and_signals_see_the_same_networks_forwards_and_backwards() {
    // Both draw inputs and layers in the same order; a ReLU network without biases is its Jacobian times its input.
    for (nonlinearity, bias_variance) in [
        (Nonlinearity::Relu, 0.0),
        (Nonlinearity::Tanh, 0.2),
        (Nonlinearity::Gelu, 0.2),
    ] {
        let model = MeanField {
            nonlinearity,
            density: 0.6,
            weight_variance: 3.0,
            bias_variance,
        };
        let net = network(12, 4, &model, 1.3);
        let probe = PairProbe {
            nonlinearity,
            ..PairProbe::default()
        };
        let seed = Seed::root(4).stream("same networks");
        let sample = net.signals(&probe, 5, &seed).unwrap();
        let lengths = sample.values(Measure::Length, 4).unwrap();
        let gradients = sample.values(Measure::Gradient, 0).unwrap();
        for t in 0..5 {
            let own = seed.replicate(t as u64);
            let jacobian = net.jacobian(nonlinearity, Ensemble::Gaussian, &own).unwrap();
            let draw = |rng: &mut rand_chacha::ChaCha8Rng| DVector::from_fn(12, |_, _| normal(rng));
            let direction = draw(&mut own.stream("gradient").rng());
            let backwards = (jacobian.transpose() * &direction).norm_squared() / direction.norm_squared();
            // Four products of twelve terms each; cancellation costs at most the ratio of norms, some hundreds.
            assert!(
                (backwards / gradients[t] - 1.0).abs() < 1e-12,
                "{nonlinearity} {t}: {backwards}"
            );
            if nonlinearity == Nonlinearity::Relu {
                let input = draw(&mut own.rng()) * 1.3_f64.sqrt();
                let forwards = (&jacobian * input).norm_squared() / 12.0;
                assert!((forwards / lengths[t] - 1.0).abs() < 1e-12, "{t}: {forwards}");
            }
        }
    }
}

#[test]
fn relu_jacobians_lose_rank_and_what_does_not_fit_is_refused() {
    let net = RandomNetwork {
        width: 20,
        depth: 3,
        ..RandomNetwork::default()
    };
    let sample = net
        .jacobians(Nonlinearity::Relu, Ensemble::Gaussian, 20, &Seed::root(5))
        .unwrap();
    assert!(sample.ranks().iter().all(|&r| r > 0 && r < 20));
    assert!(sample.conditions().iter().all(|c| c.is_infinite()));
    assert!(sample.quantile(0.0).unwrap() <= sample.quantile(1.0).unwrap() && sample.quantile(1.5).is_err());
    let typical = sample.typical_square().unwrap().value;
    assert!(typical < sample.moment(1).unwrap().value.ln());
    assert!(sample.moment(0).is_err() && sample.moment(9).is_err());
    let refused = |net: RandomNetwork, replicates| {
        net.jacobians(Nonlinearity::Relu, Ensemble::Orthogonal, replicates, &Seed::root(0))
            .is_err()
    };
    assert!(refused(net, 0) && refused(RandomNetwork { width: 5000, ..net }, 1));
    assert!(refused(
        RandomNetwork {
            weight_variance: f64::INFINITY,
            ..net
        },
        1
    ));
    let wild = RandomNetwork {
        depth: 400,
        weight_variance: 1e5,
        ..net
    };
    let found = wild.jacobians(Nonlinearity::Linear, Ensemble::Orthogonal, 1, &Seed::root(0));
    assert!(matches!(found, Err(Error::Numerical { .. })));
}
