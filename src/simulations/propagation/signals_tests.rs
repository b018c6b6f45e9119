use super::super::random::{Drawing, Scaling};
use super::*;
use crate::outcome::Certainty;
use crate::simulations::judging::deviations;
use crate::support::Density;
use crate::theory::mean_field::{Ensemble, MeanField};

const LEVEL: f64 = 1e-3;

fn network(width: usize, depth: usize, model: &MeanField, initial_length: f64) -> RandomNetwork {
    RandomNetwork {
        width,
        depth,
        density: Density::new(model.density).unwrap(),
        weight_variance: model.weight_variance,
        bias_variance: model.bias_variance,
        scaling: Scaling::DenseFanIn,
        initial_length,
    }
}

fn error_of(estimate: &Estimate<f64>) -> f64 {
    match estimate.certainty {
        Certainty::Sampled { standard_error, .. } => standard_error,
        _ => panic!("a sample mean is sampled"),
    }
}

/// The value for infinite width from those at a width and at twice it, with its standard error and what may be left of the bias.
///
/// `m(N) = m + a/N + b/N²` gives `2m(2N) − m(N) = m − b/(2N²)`. The first bias is measured, `a/N ≈ 2(m(N) − m(2N))`; the second
/// is taken to be at most its square over the size of the value, as for powers of `1 + a/N`, plus its noise.
struct Limit {
    value: f64,
    error: f64,
    left: f64,
}

impl Limit {
    fn of(narrow: &Estimate<f64>, wide: &Estimate<f64>, size: f64) -> Limit {
        let (e1, e2) = (error_of(narrow), error_of(wide));
        let bias = 2.0 * (narrow.value - wide.value);
        Limit {
            value: 2.0 * wide.value - narrow.value,
            error: (e1 * e1 + 4.0 * e2 * e2).sqrt(),
            left: bias * bias / size,
        }
    }

    fn tolerance(&self, cells: usize) -> f64 {
        deviations(LEVEL / cells as f64) * self.error + self.left
    }
}

#[test]
fn the_first_input_sees_the_networks_of_the_sample_of_lengths() {
    let model = MeanField {
        nonlinearity: Nonlinearity::Relu,
        density: 0.3,
        weight_variance: 6.0,
        bias_variance: 0.2,
    };
    for scaling in [Scaling::DenseFanIn, Scaling::MaskedFanIn] {
        let net = RandomNetwork {
            scaling,
            ..network(40, 5, &model, 1.5)
        };
        let seed = Seed::root(3).stream("same networks");
        let lengths = net.lengths(|h| h.max(0.0), Drawing::EveryWeight, 8, &seed).unwrap();
        let probe = PairProbe {
            correlation: 0.5,
            ..PairProbe::default()
        };
        let sample = net.signals(&probe, 8, &seed).unwrap();
        assert_eq!((sample.replicates(), sample.depth()), (8, 5));
        for layer in 0..=5 {
            for (t, found) in sample.values(Measure::Length, layer).unwrap().into_iter().enumerate() {
                let expected = lengths.of(t).unwrap()[layer];
                // Sums of forty terms in another order, five layers deep, with cancellation in the sums of √40.
                let tolerance = 40.0 * 7.0 * 5.0 * f64::EPSILON;
                assert!(
                    (found / expected - 1.0).abs() < tolerance,
                    "{layer}: {found} {expected}"
                );
            }
        }
        // More replicates extend the sample, and the first input does not know the second.
        let more = net.signals(&PairProbe::default(), 9, &seed).unwrap();
        assert_eq!(
            more.values(Measure::Length, 5).unwrap()[..8],
            sample.values(Measure::Length, 5).unwrap()
        );
        assert_eq!(
            more.values(Measure::Gradient, 0).unwrap()[..8],
            sample.values(Measure::Gradient, 0).unwrap()
        );
    }
}

#[test]
fn lengths_and_gradients_without_biases_have_their_exact_means_at_every_width() {
    const TRIALS: usize = 1500;
    let cases = [
        (Nonlinearity::Relu, 0.25, 8.0),
        (Nonlinearity::Relu, 1.0, 1.7),
        (Nonlinearity::Linear, 0.25, 4.0),
        (Nonlinearity::Linear, 1.0, 1.1),
    ];
    for (nonlinearity, density, weight_variance) in cases {
        let model = MeanField {
            nonlinearity,
            density,
            weight_variance,
            bias_variance: 0.0,
        };
        let probe = PairProbe {
            nonlinearity,
            ..PairProbe::default()
        };
        let seed = Seed::root(4).stream(format!("exact means {nonlinearity} {density}"));
        let sample = network(64, 4, &model, 2.0).signals(&probe, TRIALS, &seed).unwrap();
        let exact = model.finite_jacobian(Ensemble::Gaussian, 64, 4).unwrap().unwrap();
        let (last, first) = (
            sample.values(Measure::Length, 4).unwrap(),
            sample.values(Measure::Length, 0).unwrap(),
        );
        let ratio = last.iter().zip(&first).map(|(a, b)| a / b).sum::<f64>() / TRIALS as f64;
        let gradient = sample.mean(Measure::Gradient, 0).unwrap().value;
        for (name, found, moment) in [("length", ratio, exact.forward), ("gradient", gradient, exact.backward)] {
            // The exact variance; the mean of 1500 such numbers is normal enough: skewness below 3/√1500 < 0.1.
            let tolerance = 1.1 * deviations(LEVEL / 8.0) * ((moment - 1.0) / TRIALS as f64).sqrt();
            let gap = (found / exact.mean_square - 1.0).abs();
            assert!(gap < tolerance, "{nonlinearity} {density} {name}: {found} {exact:?}");
            // A factor a layer that is wrong by a twentieth is refuted.
            assert!((1.05_f64.powi(4) - 1.0) > 1.5 * tolerance);
        }
        // Typical values lie below: Jensen, by about half of the relative variance.
        let typical = sample.typical(Measure::Gradient, 0).unwrap();
        assert!(typical.value + 3.0 * error_of(&typical) < gradient.ln());
    }
}

/// Compares length, correlation and gradient of a network with the maps, at two widths.
///
/// With the masked fan-in the map is that of density 1. Units without inputs are then 0, a share `(1 − ρ)^(fan-in)` that is far
/// below every tolerance here.
fn judge(model: &MeanField, scaling: Scaling, lattice: Lattice, widths: [usize; 2], trials: usize, cells: usize) {
    const DEPTH: usize = 4;
    let probe = PairProbe {
        nonlinearity: model.nonlinearity,
        lattice,
        correlation: 0.4,
    };
    let samples = widths.map(|width| {
        let seed = Seed::root(5).stream(format!("{} {scaling:?} {lattice:?} {width}", model.nonlinearity));
        let net = RandomNetwork {
            scaling,
            ..network(width, DEPTH, model, 1.3)
        };
        net.signals(&probe, trials, &seed).unwrap()
    });
    let dense = MeanField { density: 1.0, ..*model };
    let (map, other) = match scaling {
        Scaling::DenseFanIn => (model, &dense),
        Scaling::MaskedFanIn => (&dense, model),
    };
    let lengths = map.variances(1.3, DEPTH).unwrap().values;
    let correlation = (0..DEPTH).fold(0.4, |c, l| map.next_correlation(lengths[l], c).unwrap());
    let gradient: f64 = lengths[..DEPTH].iter().map(|&q| map.gradient_factor(q)).product();
    for (measure, layer, expected) in [
        (Measure::Length, DEPTH, lengths[DEPTH]),
        (Measure::Correlation, DEPTH, correlation),
        (Measure::Gradient, 0, gradient),
    ] {
        let [narrow, wide] = samples.each_ref().map(|s| s.mean(measure, layer).unwrap());
        let limit = Limit::of(&narrow, &wide, expected.abs().max(0.1));
        let tolerance = limit.tolerance(cells);
        assert!(
            (limit.value - expected).abs() < tolerance,
            "{model:?} {scaling:?} {lattice:?} {measure:?}: {} {expected} ± {tolerance}",
            limit.value
        );
        // The map of the other fan-in is refuted by the length.
        let rival = other.variances(1.3, DEPTH).unwrap().values[DEPTH];
        assert!(
            measure != Measure::Length || (limit.value - rival).abs() > 3.0 * tolerance,
            "{model:?}"
        );
    }
}

const MODELS: [MeanField; 4] = [
    MeanField {
        nonlinearity: Nonlinearity::Tanh,
        density: 0.5,
        weight_variance: 5.0,
        bias_variance: 0.05,
    },
    MeanField {
        nonlinearity: Nonlinearity::Erf,
        density: 0.5,
        weight_variance: 1.4,
        bias_variance: 0.3,
    },
    MeanField {
        nonlinearity: Nonlinearity::Gelu,
        density: 0.5,
        weight_variance: 3.2,
        bias_variance: 0.1,
    },
    MeanField {
        nonlinearity: Nonlinearity::HardTanh,
        density: 0.5,
        weight_variance: 3.0,
        bias_variance: 0.1,
    },
];

#[test]
fn dense_networks_of_growing_width_follow_the_maps() {
    for model in &MODELS {
        judge(
            model,
            Scaling::DenseFanIn,
            Lattice::POINT,
            [40, 80],
            600,
            3 * MODELS.len(),
        );
    }
}

#[test]
fn networks_scaled_by_their_own_fan_in_follow_the_maps_of_density_one() {
    let ring = Lattice::ring(6, 3).unwrap();
    let model = MeanField {
        weight_variance: 1.6,
        ..MODELS[0]
    };
    judge(&model, Scaling::MaskedFanIn, Lattice::POINT, [40, 80], 500, 3 * 2);
    judge(&model, Scaling::MaskedFanIn, ring, [12, 24], 400, 3 * 2);
}

#[test]
fn circular_convolutions_follow_the_maps_of_dense_layers() {
    // Fan-ins of 36 and 72; the positions of one network share their weights and count as one replicate.
    let lattices = [Lattice::ring(9, 3).unwrap(), Lattice::torus([4, 5], [3, 3]).unwrap()];
    for (lattice, channels) in lattices.into_iter().zip([[12, 24], [8, 16]]) {
        for model in &MODELS[..2] {
            judge(model, Scaling::DenseFanIn, lattice, channels, 400, 3 * 2 * 2);
        }
    }
}

#[test]
fn a_lattice_of_one_position_is_a_dense_network() {
    let net = network(24, 3, &MODELS[0], 1.0);
    let sample = |lattice| {
        let probe = PairProbe {
            nonlinearity: Nonlinearity::Tanh,
            lattice,
            correlation: 0.2,
        };
        net.signals(&probe, 3, &Seed::root(6)).unwrap()
    };
    assert_eq!(sample(Lattice::POINT), sample(Lattice::torus([1, 1], [1, 1]).unwrap()));
    assert_ne!(sample(Lattice::POINT), sample(Lattice::ring(2, 1).unwrap()));
}

#[test]
fn gradients_fall_by_the_same_factor_in_every_layer() {
    let mut model = MODELS[0];
    model.weight_variance = 2.0;
    let point = model.fixed_points().unwrap().points[0];
    assert!(point.gradient_factor < 0.95);
    let probe = PairProbe {
        nonlinearity: model.nonlinearity,
        ..PairProbe::default()
    };
    let samples = [32, 64].map(|width| {
        let seed = Seed::root(7).stream(format!("gradients {width}"));
        network(width, 8, &model, point.variance)
            .signals(&probe, 600, &seed)
            .unwrap()
    });
    for layers in [2, 5, 8] {
        let expected = point.gradient_factor.powi(layers as i32);
        let [narrow, wide] = samples
            .each_ref()
            .map(|s| s.mean(Measure::Gradient, 8 - layers).unwrap());
        let limit = Limit::of(&narrow, &wide, expected);
        let tolerance = limit.tolerance(3);
        assert!(
            (limit.value - expected).abs() < tolerance,
            "{layers}: {} {expected} ± {tolerance}",
            limit.value
        );
    }
    // As a rate of typical values, which the extrapolation takes to the same limit.
    let [narrow, wide] = samples.each_ref().map(|s| s.rate(Measure::Gradient, 0..=8).unwrap());
    let limit = Limit::of(&narrow, &wide, 1.0);
    let expected = -point.gradient_factor.ln();
    assert!(
        (limit.value - expected).abs() < limit.tolerance(1),
        "{} {expected}",
        limit.value
    );
}

#[test]
fn the_fitted_correlation_length_is_that_of_the_fixed_point() {
    let model = MeanField {
        weight_variance: 1.9,
        ..MODELS[0]
    };
    let point = model.fixed_points().unwrap().points[0];
    // Near 1 the map is a line to a relative error of the order of the separation itself.
    const START: f64 = 1e-4;
    let probe = PairProbe {
        nonlinearity: model.nonlinearity,
        lattice: Lattice::POINT,
        correlation: 1.0 - START,
    };
    let rates = [40, 80].map(|width| {
        let seed = Seed::root(8).stream(format!("correlation length {width}"));
        let sample = network(width, 8, &model, point.variance)
            .signals(&probe, 500, &seed)
            .unwrap();
        sample.rate(Measure::Separation, 1..=8).unwrap()
    });
    let limit = Limit::of(&rates[0], &rates[1], 1.0);
    let expected = -point.correlation_length.unwrap().recip();
    let tolerance = limit.tolerance(1) + 10.0 * START;
    assert!(
        (limit.value - expected).abs() < tolerance,
        "{} {expected} ± {tolerance}",
        limit.value
    );
    // The length that gradients would have without the mask is refuted.
    let dense = MeanField { density: 1.0, ..model };
    assert!((limit.value - dense.gradient_factor(point.variance).ln()).abs() > 5.0 * tolerance);
}

#[test]
fn silent_networks_are_counted_and_have_no_angle() {
    // A plain simulation in Python has 49 % of 4000 such networks alive: 98 of 200, give or take seven.
    let model = MeanField {
        nonlinearity: Nonlinearity::Relu,
        density: 0.5,
        weight_variance: 4.0,
        bias_variance: 0.0,
    };
    let sample = network(5, 6, &model, 1.0)
        .signals(&PairProbe::default(), 200, &Seed::root(9))
        .unwrap();
    let alive = sample
        .values(Measure::Length, 6)
        .unwrap()
        .iter()
        .filter(|&&q| q > 0.0)
        .count();
    assert!((70..=126).contains(&alive), "{alive}");
    let replicates = |estimate: Estimate<f64>| match estimate.certainty {
        Certainty::Sampled { replicates, .. } => replicates,
        _ => panic!("a sample mean is sampled"),
    };
    assert_eq!(replicates(sample.typical(Measure::Length, 6).unwrap()), alive);
    assert_eq!(replicates(sample.mean(Measure::Length, 6).unwrap()), 200);
    assert!(replicates(sample.mean(Measure::Correlation, 6).unwrap()) <= alive);
    // A dead layer passes no gradient either.
    let dead = sample
        .values(Measure::Length, 6)
        .unwrap()
        .into_iter()
        .zip(sample.values(Measure::Gradient, 0).unwrap());
    assert!(dead.filter(|d| d.0 == 0.0).all(|d| d.1 == 0.0));
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let net = network(10, 3, &MODELS[0], 1.0);
    let refused = |net: RandomNetwork, probe: PairProbe, replicates: usize, name: &str| {
        let error = net.signals(&probe, replicates, &Seed::root(0)).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    };
    let probe = PairProbe::default();
    refused(
        net,
        PairProbe {
            correlation: 1.5,
            ..probe
        },
        3,
        "correlation",
    );
    refused(
        net,
        PairProbe {
            correlation: f64::NAN,
            ..probe
        },
        3,
        "correlation",
    );
    refused(net, probe, 0, "replicates");
    refused(RandomNetwork { width: 0, ..net }, probe, 3, "width");
    refused(
        RandomNetwork { width: 1 << 16, ..net },
        probe,
        3,
        "weights of a network",
    );
    let wide = Lattice::torus([256, 256], [64, 64]).unwrap();
    refused(
        RandomNetwork { width: 1, ..net },
        PairProbe { lattice: wide, ..probe },
        3,
        "units seen",
    );
    let wild = RandomNetwork {
        depth: 400,
        weight_variance: 1e4,
        ..net
    };
    assert!(matches!(
        wild.signals(&probe, 2, &Seed::root(0)),
        Err(Error::Numerical { .. })
    ));
    let sample = net.signals(&probe, 3, &Seed::root(0)).unwrap();
    assert!(sample.values(Measure::Length, 4).is_err() && sample.typical(Measure::Correlation, 1).is_err());
    assert!(sample.rate(Measure::Length, 2..=2).is_err() && sample.rate(Measure::Length, 2..=4).is_err());
    assert!(sample.rate(Measure::Correlation, 0..=2).is_err());
}
