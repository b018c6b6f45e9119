use super::*;
use crate::outcome::Certainty;
use crate::simulations::judging::deviations;

fn relu(h: f64) -> f64 {
    h.max(0.0)
}

fn network(width: usize, depth: usize, density: f64, weight_variance: f64, scaling: Scaling) -> RandomNetwork {
    RandomNetwork {
        width,
        depth,
        density: Density::new(density).unwrap(),
        weight_variance,
        scaling,
        ..RandomNetwork::default()
    }
}

/// Mean and variance of `q^ℓ/q⁰` for ReLU without biases and dense fan-in, for ℓ up to the depth.
///
/// With `Q = E (q^ℓ)²`, `M = E (1/N) Σ h⁴` and signs of pre-activations independent of their sizes, the squared
/// activations have `E (Σa)² = (N² Q + N M)/4` and `E Σ a² = N M/2`. Given them, a pre-activation is Gaussian of
/// variance `v = (σ²/N) Σ m a`, with `E v² = (σ²/N)² (ρ² (Σa)² + ρ(1 − ρ) Σa²)`, independently by unit; hence
/// `M' = 3 E v²` and `Q' = E v²·3/N + (1 − 1/N)(σ²ρ/N)² E(Σa)²`. A Gaussian input has a uniform direction, so that the
/// ratio starts from `Q = 1`, `M = 3N/(N + 2)`. Dense, this is the factor `(σ²/2)² (1 + 5/N)` a layer.
fn relu_moments(net: &RandomNetwork) -> Vec<(f64, f64)> {
    let (n, rho) = (net.width as f64, net.density.value());
    let weight = net.weight_variance / n;
    let (mut mean, mut square, mut fourth) = (1.0, 1.0, 3.0 * n / (n + 2.0));
    let mut out = vec![(1.0, 0.0)];
    for _ in 0..net.depth {
        let total_squared = (n * n * square + n * fourth) / 4.0;
        let sum_of_squares = n * fourth / 2.0;
        let second = weight * weight * (rho * rho * total_squared + rho * (1.0 - rho) * sum_of_squares);
        square = 3.0 / n * second + (1.0 - 1.0 / n) * (weight * rho).powi(2) * total_squared;
        fourth = 3.0 * second;
        mean *= rho * net.weight_variance / 2.0;
        out.push((mean, square - mean * mean));
    }
    out
}

#[test]
fn the_second_moment_of_a_dense_layer_grows_by_one_plus_five_over_the_width() {
    let net = network(40, 6, 1.0, 2.0, Scaling::DenseFanIn);
    for (layer, (mean, variance)) in relu_moments(&net).into_iter().enumerate() {
        let exact = (1.0 + 5.0 / 40.0f64).powi(layer as i32) - 1.0;
        // Six layers of some ten roundings each.
        assert!((mean, (variance - exact).abs()) <= (1.0, 100.0 * f64::EPSILON * (1.0 + exact)));
    }
}

#[test]
fn the_reference_moments_are_those_of_the_closed_form() {
    // The closed form scatters the input length too: independent of its direction, a factor 1 + 2/N on second moments.
    for (width, density) in [(20, 0.1), (100, 0.5), (7, 1.0)] {
        let net = network(width, 12, density, 2.0, Scaling::DenseFanIn);
        for (layer, (mean, variance)) in relu_moments(&net).into_iter().enumerate().skip(1) {
            let theory = crate::theory::relu_variance::fluctuation(density, width as u64, layer as u64).unwrap();
            let own = (1.0 + variance / (mean * mean)) * (1.0 + 2.0 / width as f64);
            // Two recursions of positive terms, some ten roundings a layer each.
            let tolerance = 20.0 * 12.0 * f64::EPSILON * own;
            assert!(
                (own - theory.measured_second_moment).abs() <= tolerance,
                "{net:?} layer {layer}: {own}"
            );
        }
    }
}

#[test]
fn the_mean_length_of_relu_networks_is_multiplied_by_half_the_kept_variance() {
    const TRIALS: usize = 3000;
    let cases = [
        (1.0, 2.0),
        (1.0, 1.5),
        (0.5, 4.0),
        (0.2, 10.0),
        (0.05, 50.0),
        (0.1, 8.0),
    ];
    let layers = [1, 4, 10];
    let level = 1e-3 / (2 * cases.len() * layers.len()) as f64;
    for drawing in [Drawing::Conditional, Drawing::EveryWeight] {
        // Every weight is drawn for fewer networks of the same law: the reference is slow.
        let trials = if drawing == Drawing::EveryWeight {
            TRIALS / 10
        } else {
            TRIALS
        };
        for (density, variance) in cases {
            let net = network(100, 10, density, variance, Scaling::DenseFanIn);
            let seed = Seed::root(1).stream(format!("{drawing:?} {density} {variance}"));
            let sample = net.lengths(relu, drawing, trials, &seed).unwrap();
            let moments = relu_moments(&net);
            for layer in layers {
                let (mean, spread) = moments[layer];
                let found = sample.mean_ratio(layer).unwrap().value;
                let tolerance = deviations(level) * (spread / trials as f64).sqrt();
                assert!(
                    (found - mean).abs() <= tolerance,
                    "{net:?} layer {layer}: {found}, {mean} ± {tolerance}"
                );
            }
        }
    }
}

#[test]
fn the_spread_over_networks_is_the_exact_second_moment() {
    // The variance of a sample variance needs fourth moments, so independent batches estimate its error instead.
    const BATCHES: usize = 40;
    for (density, drawing) in [
        (1.0, Drawing::Conditional),
        (0.1, Drawing::Conditional),
        (0.1, Drawing::EveryWeight),
    ] {
        let net = network(50, 2, density, 2.0 / density, Scaling::DenseFanIn);
        let sample = net
            .lengths(relu, drawing, 100 * BATCHES, &Seed::root(2).stream("spread"))
            .unwrap();
        let (mean, spread) = relu_moments(&net)[2];
        let squares: Vec<f64> = sample.ratios(2).unwrap().iter().map(|r| (r - mean).powi(2)).collect();
        let batches: Vec<f64> = squares.chunks(100).map(|b| b.iter().sum::<f64>() / 100.0).collect();
        let estimate = sample_mean(&batches).unwrap();
        let Certainty::Sampled { standard_error, .. } = estimate.certainty else {
            panic!("a sample mean is sampled")
        };
        // Student's t with 39 degrees of freedom at level 1e-3/3 is 3.9 against the normal 3.6.
        let gap = (estimate.value - spread).abs();
        assert!(
            gap <= 3.9 * standard_error,
            "{density} {drawing:?}: {} {spread}",
            estimate.value
        );
    }
}

#[test]
fn a_fan_in_that_knows_the_mask_makes_the_density_drop_out() {
    const TRIALS: usize = 2000;
    // Few kept inputs a unit make tails too heavy for a normal tolerance beyond a layer.
    let cases = [(1.0, 100, 3), (0.3, 100, 3), (0.05, 100, 3), (0.05, 20, 1)];
    let level = 1e-3 / (2 * cases.len()) as f64;
    for drawing in [Drawing::Conditional, Drawing::EveryWeight] {
        let trials = if drawing == Drawing::EveryWeight {
            TRIALS / 4
        } else {
            TRIALS
        };
        for (density, width, depth) in cases {
            let net = network(width, depth, density, 2.0, Scaling::MaskedFanIn);
            let seed = Seed::root(3).stream(format!("{drawing:?} {density} {width}"));
            let estimate = net
                .lengths(relu, drawing, trials, &seed)
                .unwrap()
                .mean_ratio(depth)
                .unwrap();
            let Certainty::Sampled { standard_error, .. } = estimate.certainty else {
                panic!("a sample mean is sampled")
            };
            // A unit keeps some input with this probability, and is then of full variance.
            let exact = (1.0 - (1.0 - density).powi(width as i32)).powi(depth as i32);
            let tolerance = deviations(level) * standard_error;
            assert!(
                (estimate.value - exact).abs() <= tolerance,
                "{net:?}: {} {exact}",
                estimate.value
            );
        }
    }
}

#[test]
fn both_ways_of_drawing_give_lengths_of_the_same_law() {
    // Two-sample Kolmogorov–Smirnov: the distance exceeds √(−ln(level/2)/T) for two samples of T with probability at
    // most `level` asymptotically; tanh, biases and few kept weights leave no symmetry to hide behind.
    const TRIALS: usize = 2000;
    let cases = [
        (0.15, Scaling::DenseFanIn),
        (0.15, Scaling::MaskedFanIn),
        (1.0, Scaling::DenseFanIn),
    ];
    let bound = (-(1e-3 / 3.0 / 2.0f64).ln() / TRIALS as f64).sqrt();
    for (density, scaling) in cases {
        let mut net = network(12, 4, density, 3.0, scaling);
        net.bias_variance = 0.2;
        let mut ratios = [Drawing::Conditional, Drawing::EveryWeight].map(|drawing| {
            let seed = Seed::root(4).stream(format!("{drawing:?}"));
            net.lengths(|h| (h + 0.3).tanh(), drawing, TRIALS, &seed)
                .unwrap()
                .ratios(4)
                .unwrap()
        });
        ratios.iter_mut().for_each(|r| r.sort_by(f64::total_cmp));
        let below = |sorted: &[f64], x: f64| sorted.partition_point(|&v| v <= x) as f64 / TRIALS as f64;
        let [a, b] = &ratios;
        let distance = a
            .iter()
            .chain(b)
            .map(|&x| (below(a, x) - below(b, x)).abs())
            .fold(0.0, f64::max);
        assert!(distance <= bound, "{density} {scaling:?}: {distance} > {bound}");
    }
}

#[test]
fn a_linear_dense_network_with_biases_follows_its_exact_mean() {
    // φ(h) = h: E q' = σ_w² q + σ_b² at every width.
    let net = RandomNetwork {
        width: 30,
        depth: 4,
        weight_variance: 0.8,
        bias_variance: 0.5,
        initial_length: 3.0,
        ..RandomNetwork::default()
    };
    let sample = net.lengths(|h| h, Drawing::Conditional, 4000, &Seed::root(5)).unwrap();
    let mut exact = 3.0;
    for layer in 0..=4 {
        let estimate = sample.mean_length(layer).unwrap();
        let Certainty::Sampled { standard_error, .. } = estimate.certainty else {
            panic!("a sample mean is sampled")
        };
        let tolerance = deviations(1e-3 / 5.0) * standard_error;
        assert!(
            (estimate.value - exact).abs() <= tolerance,
            "{layer}: {} {exact}",
            estimate.value
        );
        exact = 0.8 * exact + 0.5;
    }
}

#[test]
fn the_typical_length_decays_at_criticality_while_the_mean_does_not() {
    // E ln q falls by about 5/(2N) a layer: ten layers of width 50 lose 0.5 in the logarithm.
    let net = network(50, 10, 1.0, 2.0, Scaling::DenseFanIn);
    let sample = net.lengths(relu, Drawing::Conditional, 2000, &Seed::root(6)).unwrap();
    let (log, dead) = sample.mean_log_ratio(10).unwrap();
    let Certainty::Sampled { standard_error, .. } = log.certainty else {
        panic!("a sample mean is sampled")
    };
    assert_eq!(dead, 0);
    // The drift is known to leading order in 1/N, the next being a twentieth of it here.
    let tolerance = deviations(1e-3) * standard_error + 0.5 * 5.0 / 50.0;
    assert!((log.value + 0.5).abs() <= tolerance, "{} ± {tolerance}", log.value);
}

#[test]
fn a_network_without_weights_is_silent_and_says_so() {
    let net = network(10, 3, 0.0, 2.0, Scaling::MaskedFanIn);
    for drawing in [Drawing::Conditional, Drawing::EveryWeight] {
        let sample = net.lengths(relu, drawing, 5, &Seed::root(0)).unwrap();
        assert_eq!(sample.ratios(3).unwrap(), [0.0; 5]);
        assert!(sample.mean_log_ratio(3).is_err());
    }
}

#[test]
fn replicates_have_their_own_streams_and_nonsense_is_refused() {
    let net = network(10, 3, 0.4, 2.0, Scaling::DenseFanIn);
    let seed = Seed::root(9);
    let few = net.lengths(relu, Drawing::Conditional, 3, &seed).unwrap();
    let many = net.lengths(relu, Drawing::Conditional, 6, &seed).unwrap();
    assert_eq!(few.of(2), many.of(2));
    assert_eq!((many.replicates(), many.of(6)), (6, None));
    assert!(many.ratios(4).is_err());
    let refused = |net: RandomNetwork| net.lengths(relu, Drawing::Conditional, 3, &seed).is_err();
    assert!(refused(RandomNetwork { width: 0, ..net }));
    assert!(refused(RandomNetwork { depth: 0, ..net }));
    assert!(refused(RandomNetwork {
        weight_variance: -1.0,
        ..net
    }));
    assert!(refused(RandomNetwork {
        bias_variance: f64::NAN,
        ..net
    }));
    assert!(refused(RandomNetwork {
        initial_length: 0.0,
        ..net
    }));
    let wild = net.lengths(|_| f64::NAN, Drawing::Conditional, 3, &seed);
    assert!(matches!(wild, Err(Error::Numerical { .. })));
    let explosive = network(100, 400, 1.0, 1e4, Scaling::DenseFanIn);
    assert!(matches!(
        explosive.lengths(relu, Drawing::Conditional, 3, &seed),
        Err(Error::Numerical { .. })
    ));
}

#[test]
fn narrow_networks_are_shorter_by_the_derived_term_in_one_over_the_width() {
    use crate::theory::mean_field::{MeanField, Nonlinearity};
    const TRIALS: usize = 20_000;
    let cases = [
        (Nonlinearity::Tanh, 1.0, 20),
        (Nonlinearity::Tanh, 0.5, 40),
        (Nonlinearity::HardTanh, 0.5, 40),
    ];
    let mut refuted = Vec::new();
    for (nonlinearity, density, width) in cases {
        let model = MeanField {
            nonlinearity,
            density,
            weight_variance: 2.5 / density,
            bias_variance: 0.05,
        };
        let net = RandomNetwork {
            bias_variance: 0.05,
            ..network(width, 3, density, model.weight_variance, Scaling::DenseFanIn)
        };
        let seed = Seed::root(11).stream(format!("width {nonlinearity} {density}"));
        let sample = net
            .lengths(|h| nonlinearity.value(h), Drawing::Conditional, TRIALS, &seed)
            .unwrap();
        let lengths = model.variances(1.0, 3).unwrap().values;
        let corrections = model.width_corrections(1.0, 3).unwrap();
        for layer in 1..=3 {
            let found = sample.mean_length(layer).unwrap();
            let Certainty::Sampled { standard_error, .. } = found.certainty else {
                panic!("a sample mean is sampled")
            };
            let (q, correction) = (lengths[layer], corrections[layer]);
            let gap = found.value - q - correction.mean / width as f64;
            let tolerance = deviations(1e-3 / 9.0) * standard_error + correction.neglected(width, q);
            assert!(
                gap.abs() < tolerance,
                "{nonlinearity} {density} {layer}: {} {q} {correction:?} ± {tolerance}",
                found.value
            );
            refuted.push(((found.value - q).abs() / tolerance, nonlinearity, layer));
        }
    }
    // Without the term the map is refuted somewhere: the sample is large enough to see it.
    assert!(refuted.iter().any(|(distance, ..)| *distance > 1.5), "{refuted:?}");
}
