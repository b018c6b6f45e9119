//! What single layers promise, and the derivatives of networks while they train.

use super::derivative_cases::{Case, layered_networks, normal};
use super::layers::{self, Summed};
use super::*;
use crate::linalg::{dot, norm};
use crate::seed::Seed;

/// Relative difference allowed between two sums of the same few hundred products in another order.
const ROUNDING: f64 = 1e3 * f64::EPSILON;
/// Step and error of central differences, as in the tests of evaluation.
const STEP: f64 = 6e-6;
const DIFFERENCE: f64 = 1e-7;

fn difference(a: &[f64], b: &[f64]) -> f64 {
    let d: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    norm(&d)
}

/// The training loss at a point, with its gradient.
fn training(case: &Case, theta: &[f64], loss: Loss) -> (f64, Vec<f64>) {
    let targets = loss.targets((&case.labels).into(), 9, 4).unwrap();
    let found = case
        .network
        .training_gradient(theta, case.inputs.clone(), &targets, loss, &Seed::root(2));
    (found.loss, found.gradient)
}

#[test]
fn gradients_while_training_match_differences_through_the_statistics_of_the_batch_and_a_fixed_dropout() {
    for network in layered_networks() {
        let name = network.name().to_string();
        let case = Case::of(network, &name);
        for loss in Loss::ALL {
            let (_, gradient) = training(&case, &case.theta, loss);
            let (up, down) = (
                training(&case, &case.moved(STEP), loss).0,
                training(&case, &case.moved(-STEP), loss).0,
            );
            let (found, exact) = ((up - down) / (2.0 * STEP), dot(&gradient, &case.u));
            let size = norm(&gradient) * norm(&case.u);
            assert!(
                (found - exact).abs() <= DIFFERENCE * (1.0 + size),
                "{name} {loss}: {found} {exact}"
            );
            for slot in case.network.layout().statistic_slots() {
                assert!(gradient[slot.range.clone()].iter().all(|&g| g == 0.0), "{name}");
            }
        }
    }
}

#[test]
fn hessian_products_while_training_match_differences_of_the_gradient() {
    for network in layered_networks() {
        let name = network.name().to_string();
        let case = Case::of(network, &name);
        let (loss, network) = (Loss::CrossEntropy, &case.network);
        let targets = loss.targets((&case.labels).into(), 9, 4).unwrap();
        let dual = |theta: &[f64], direction: &[f64]| -> Vec<Dual<f64>> {
            let pairs = network.plain(theta).into_iter().zip(network.plain(direction));
            pairs.map(|(value, tangent)| Dual { value, tangent }).collect()
        };
        let parameters = dual(&case.theta, &case.u);
        let seed = Seed::root(2);
        let tape = network.forward(&parameters, Dual::constant(case.inputs.clone()), Mode::Training(&seed));
        let mut summed = Summed::new(network.layout().slots().len());
        let cotangent = loss.gradient(tape.outputs(), &targets, 9);
        layers::pull_back(network.layers(), &parameters, &tape, cotangent, &mut summed, false);
        let mut exact = vec![0.0; case.theta.len()];
        for (slot, value) in network.layout().slots().iter().zip(summed.slots) {
            if let Some(value) = value {
                exact[slot.range.clone()].copy_from_slice(value.tangent.as_slice());
            }
        }
        let (up, down) = (
            training(&case, &case.moved(STEP), loss).1,
            training(&case, &case.moved(-STEP), loss).1,
        );
        let found: Vec<f64> = up.iter().zip(&down).map(|(a, b)| (a - b) / (2.0 * STEP)).collect();
        assert!(
            difference(&found, &exact) <= DIFFERENCE * (1.0 + norm(&exact)),
            "{name}: {:e}",
            difference(&found, &exact) / norm(&exact)
        );
    }
}

#[test]
fn running_statistics_have_no_derivative() {
    for network in layered_networks() {
        let name = network.name().to_string();
        let case = Case::of(network, &name);
        let mut direction = vec![0.0; case.theta.len()];
        let mut any = false;
        for slot in case.network.layout().statistic_slots() {
            direction[slot.range.clone()].fill(1.0);
            any = true;
        }
        let product = case
            .network
            .jacobian_vector(&case.theta, &direction, &case.inputs)
            .unwrap();
        assert!(product.as_slice().iter().all(|&v| v == 0.0), "{name}");
        if any {
            // They do change the outputs.
            let moved: Vec<f64> = case.theta.iter().zip(&direction).map(|(t, d)| t + d).collect();
            let (a, b) = (
                case.network.outputs(&case.theta, &case.inputs).unwrap(),
                case.network.outputs(&moved, &case.inputs).unwrap(),
            );
            assert!(difference(a.as_slice(), b.as_slice()) > 1e-3, "{name}");
        }
    }
}

/// Convolution by its definition, entry by entry.
fn slow_convolution(c: &Convolution, weight: &[f64], bias: &[f64], image: &[f64]) -> Vec<f64> {
    let mut out = Vec::new();
    for row in 0..c.to.height as i64 {
        for column in 0..c.to.width as i64 {
            for o in 0..c.to.channels {
                let mut sum = bias.get(o).copied().unwrap_or(0.0);
                for y in 0..c.kernel as i64 {
                    for x in 0..c.kernel as i64 {
                        let (height, width) = (c.from.height as i64, c.from.width as i64);
                        let margin = c.padding.width() as i64;
                        let (mut v, mut h) = (
                            row * c.stride as i64 + y - margin,
                            column * c.stride as i64 + x - margin,
                        );
                        if let Padding::Circular(_) = c.padding {
                            (v, h) = (v.rem_euclid(height), h.rem_euclid(width));
                        }
                        if v < 0 || v >= height || h < 0 || h >= width {
                            continue;
                        }
                        for channel in 0..c.from.channels {
                            let at =
                                ((o as i64 * c.kernel as i64 + y) * c.kernel as i64 + x) as usize * c.from.channels;
                            let pixel = (v * width + h) as usize * c.from.channels;
                            sum += weight[at + channel] * image[pixel + channel];
                        }
                    }
                }
                out.push(sum);
            }
        }
    }
    out
}

#[test]
fn a_convolution_is_its_definition_for_every_kernel_stride_and_border() {
    for kernel in 1..=4 {
        for stride in 1..=3 {
            for padding in [
                Padding::Zero(0),
                Padding::Zero(2),
                Padding::Circular(1),
                Padding::Circular(7),
            ] {
                let image = ImageShape {
                    channels: 1,
                    height: 5,
                    width: 4,
                };
                let network = NetworkBuilder::new("c", image)
                    .unwrap()
                    .convolution(2, 1, 1, Padding::Zero(0))
                    .unwrap()
                    .convolution(3, kernel, stride, padding)
                    .unwrap();
                let network = network.dense(2).unwrap().build().unwrap();
                let theta: Vec<f64> = network.initial(&Seed::root(1), &"he:bias=1".parse().unwrap()).unwrap();
                let inputs = Array::new(2, 20, normal(&Seed::root(4), "x", 40)).unwrap();
                let outputs = network.activations(&theta, &inputs).unwrap();
                let Layer::Convolution(layer) = &network.layers()[1] else {
                    panic!()
                };
                let slots = network.layout().slots();
                let part = |slot: usize| &theta[slots[slot].range.clone()];
                for sample in 0..2 {
                    let slow = slow_convolution(
                        layer,
                        part(layer.weight),
                        part(layer.bias.unwrap()),
                        outputs[0].row(sample),
                    );
                    let error = difference(outputs[1].row(sample), &slow);
                    assert!(
                        error <= ROUNDING * (1.0 + norm(&slow)),
                        "{kernel} {stride} {padding:?}: {error}"
                    );
                }
            }
        }
    }
}

#[test]
fn circular_convolution_commutes_with_shifts_and_zero_padding_does_not() {
    for (padding, commutes) in [(Padding::Circular(1), true), (Padding::Zero(1), false)] {
        let image = ImageShape {
            channels: 1,
            height: 4,
            width: 5,
        };
        let network = NetworkBuilder::new("c", image)
            .unwrap()
            .convolution(2, 3, 1, padding)
            .unwrap();
        let network = network.dense(2).unwrap().build().unwrap();
        let theta: Vec<f64> = network.initial(&Seed::root(1), &Initialisation::HE).unwrap();
        let x = normal(&Seed::root(4), "x", 20);
        let shifted: Vec<f64> = (0..20).map(|k| x[(k / 5 + 1) % 4 * 5 + (k % 5 + 2) % 5]).collect();
        let run = |x: Vec<f64>| network.activations(&theta, &Array::new(1, 20, x).unwrap()).unwrap()[0].clone();
        let (plain, moved) = (run(x), run(shifted));
        let expected: Vec<f64> = (0..40)
            .map(|k| plain.as_slice()[((k / 2 / 5 + 1) % 4 * 5 + (k / 2 % 5 + 2) % 5) * 2 + k % 2])
            .collect();
        assert_eq!(
            difference(&expected, moved.as_slice()) <= 1e-12,
            commutes,
            "{padding:?}"
        );
    }
}

#[test]
fn the_largest_entry_takes_the_whole_cotangent_and_of_equals_the_first() {
    let pooling = |kind| {
        Layer::Pooling(Pooling {
            kind,
            from: ImageShape {
                channels: 1,
                height: 2,
                width: 2,
            },
            height: 2,
            width: 2,
        })
    };
    for (kind, window, expected, back) in [
        (PoolingKind::Largest, [1.0, 2.0, 3.0, 4.0], 4.0, [0.0, 0.0, 0.0, 2.0]),
        (PoolingKind::Largest, [1.0, 4.0, 4.0, 4.0], 4.0, [0.0, 2.0, 0.0, 0.0]),
        (PoolingKind::Mean, [1.0, 2.0, 3.0, 4.0], 2.5, [0.5, 0.5, 0.5, 0.5]),
    ] {
        let layers = [pooling(kind)];
        let input = Array::new(1, 4, window.to_vec()).unwrap();
        let tape = layers::forward::<f64, Array<f64>>(&layers, &[], input, Mode::Evaluation);
        assert_eq!(tape.outputs().as_slice(), [expected]);
        let signal = Array::new(1, 1, vec![2.0]).unwrap();
        let pulled = layers::pull_back(&layers, &[], &tape, signal, &mut Summed::new(0), true).unwrap();
        assert_eq!(pulled.as_slice(), back);
    }
}

#[test]
fn normalised_entries_have_mean_zero_and_variance_one_and_the_statistics_are_those_of_the_batch() {
    let image = ImageShape {
        channels: 1,
        height: 3,
        width: 2,
    };
    for kind in [
        NormalisationKind::Batch,
        NormalisationKind::Layer,
        NormalisationKind::Groups(2),
    ] {
        let network = NetworkBuilder::new("n", image)
            .unwrap()
            .convolution(4, 1, 1, Padding::Zero(0))
            .unwrap()
            .normalise(kind)
            .unwrap()
            .dense(2)
            .unwrap()
            .build()
            .unwrap();
        let theta: Vec<f64> = network.initial(&Seed::root(1), &"he:bias=1".parse().unwrap()).unwrap();
        let inputs = Array::new(7, 6, normal(&Seed::root(4), "x", 42)).unwrap();
        let theta = network.with_statistics_of(&theta, &inputs).unwrap();
        let seed = Seed::root(0);
        let tape = network.forward(&network.plain(&theta), inputs.clone(), Mode::Training(&seed));
        let (before, after) = (&tape.values[1], &tape.values[2]);
        // Entry (s, p, c) stands at s · 24 + p · 4 + c; name its set.
        let set = |k: usize| match kind {
            NormalisationKind::Batch => k % 4,
            NormalisationKind::Layer => k / 4,
            NormalisationKind::Groups(_) => k / 24 * 2 + k % 4 / 2,
        };
        for wanted in (0..7 * 24).map(set).collect::<std::collections::BTreeSet<usize>>() {
            let of = |a: &Array<f64>| -> Vec<f64> {
                let own = a.as_slice().iter().enumerate().filter(|(k, _)| set(*k) == wanted);
                own.map(|(_, v)| *v).collect()
            };
            let moments = |v: &[f64]| {
                let mean = v.iter().sum::<f64>() / v.len() as f64;
                (mean, v.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / v.len() as f64)
            };
            let ((mean, variance), (m, v)) = (moments(&of(before)), moments(&of(after)));
            assert!(m.abs() <= 1e-12, "{kind:?}: mean {m}");
            assert!(
                (v - variance / (variance + 1e-5)).abs() <= 1e-10,
                "{kind:?}: variance {v}"
            );
            if kind == NormalisationKind::Batch {
                let statistic = |word: &str| {
                    let slot = network.layout().slot(&format!("normalisation0.{word}")).unwrap();
                    theta[slot.range.clone()][wanted]
                };
                assert!((statistic("mean") - mean).abs() <= 1e-12 * (1.0 + mean.abs()));
                // The running variance is unbiased: n = 7 samples × 6 positions.
                assert!((statistic("variance") - variance * 42.0 / 41.0).abs() <= 1e-12 * variance);
            }
        }
    }
}

#[test]
fn attention_without_positions_is_blind_to_their_order() {
    let series = InputShape::Series { length: 4, features: 6 };
    for told_apart in [false, true] {
        let start = NetworkBuilder::new("a", series).unwrap();
        let start = if told_apart { start.positions().unwrap() } else { start };
        let network = start.attention(3).unwrap().pool_all(PoolingKind::Mean).unwrap();
        let network = network.dense(2).unwrap().build().unwrap();
        let theta: Vec<f64> = network.initial(&Seed::root(1), &Initialisation::HE).unwrap();
        let x = normal(&Seed::root(4), "x", 24);
        let turned: Vec<f64> = [&x[12..], &x[..12]].concat();
        let run = |x: Vec<f64>| network.outputs(&theta, &Array::new(1, 24, x).unwrap()).unwrap();
        let change = difference(run(x).as_slice(), run(turned).as_slice());
        assert_eq!(change <= 1e-12, !told_apart, "{change}");
    }
}

#[test]
fn an_untied_cell_with_equal_weights_is_the_tied_one_and_tied_gradients_are_the_sums() {
    let series = InputShape::Series { length: 4, features: 3 };
    let of = |tied: bool| {
        let builder = NetworkBuilder::new("r", series).unwrap();
        builder
            .recurrent(5, Activation::Tanh, tied)
            .unwrap()
            .dense(4)
            .unwrap()
            .build()
            .unwrap()
    };
    let (tied, untied) = (of(true), of(false));
    let theta: Vec<f64> = tied.initial(&Seed::root(1), &"he:bias=0.5".parse().unwrap()).unwrap();
    // The slot of the tied cell that an untied slot is a copy of.
    let origin = |name: &str| match name.split_once(".step") {
        Some((cell, rest)) => format!("{cell}.{}", rest.split_once('.').unwrap().1),
        None => name.to_string(),
    };
    let mut copies = vec![0.0; untied.layout().len()];
    for slot in untied.layout().slots() {
        let from = tied.layout().slot(&origin(&slot.name)).unwrap();
        copies[slot.range.clone()].copy_from_slice(&theta[from.range.clone()]);
    }
    let inputs = Array::new(6, 12, normal(&Seed::root(4), "x", 72)).unwrap();
    let labels = vec![0, 1, 2, 3, 0, 1];
    let (a, g) = tied.gradient(&theta, &inputs, &labels, Loss::CrossEntropy).unwrap();
    let (b, h) = untied.gradient(&copies, &inputs, &labels, Loss::CrossEntropy).unwrap();
    assert!((a - b).abs() <= 1e-14 * a);
    let mut summed = vec![0.0; g.len()];
    for slot in untied.layout().slots() {
        let from = tied.layout().slot(&origin(&slot.name)).unwrap();
        for (sum, v) in summed[from.range.clone()].iter_mut().zip(&h[slot.range.clone()]) {
            *sum += v;
        }
    }
    assert!(difference(&summed, &g) <= ROUNDING * norm(&g));
}

#[test]
fn dropout_keeps_the_mean_and_leaves_out_its_share_anew_for_every_seed() {
    let network = NetworkBuilder::new("d", 1)
        .unwrap()
        .dense(20_000)
        .unwrap()
        .dropout(0.3)
        .unwrap();
    let network = network.dense(1).unwrap().build().unwrap();
    let mut theta = vec![0.0f64; network.layout().len()];
    theta[..20_000].fill(1.0);
    let input = || Array::new(1, 1, vec![1.0]).unwrap();
    let run = |number: u64| {
        let seed = Seed::root(number);
        network
            .forward(&network.plain(&theta), input(), Mode::Training(&seed))
            .values[2]
            .clone()
    };
    let (one, again, other) = (run(1), run(1), run(2));
    assert_eq!(one, again);
    assert_ne!(one, other);
    let zeros = one.as_slice().iter().filter(|v| **v == 0.0).count() as f64;
    // A binomial count with standard deviation √(20000 · 0.3 · 0.7) = 65; five of them.
    assert!((zeros - 6000.0).abs() <= 5.0 * 65.0, "{zeros}");
    assert!(
        one.as_slice()
            .iter()
            .all(|&v| v == 0.0 || (v - 1.0 / 0.7).abs() < 1e-15)
    );
}

#[test]
fn shapes_that_do_not_chain_are_refused() {
    let image = ImageShape {
        channels: 3,
        height: 4,
        width: 4,
    };
    let start = || NetworkBuilder::new("n", image).unwrap();
    let tokens = || {
        NetworkBuilder::new(
            "n",
            InputShape::Tokens {
                length: 3,
                vocabulary: 5,
            },
        )
        .unwrap()
    };
    assert!(start().convolution(2, 5, 1, Padding::Zero(0)).is_err());
    assert!(start().convolution(2, 3, 0, Padding::Zero(0)).is_err());
    assert!(start().pool(PoolingKind::Mean, 5, 1).is_err());
    assert!(start().normalise(NormalisationKind::Groups(2)).is_err());
    assert!(start().attention(2).is_err());
    assert!(start().embedding(4).is_err());
    assert!(start().dropout(1.0).is_err());
    assert!(
        start()
            .residual(|b| b.convolution(4, 3, 1, Padding::Zero(1)), Ok)
            .is_err()
    );
    assert!(start().build().is_err());
    assert!(tokens().dense(4).is_err());
    assert!(NetworkBuilder::new("n", 0).is_err());
    let network = tokens().embedding(2).unwrap().dense(2).unwrap().build().unwrap();
    let theta = vec![0.1f64; network.layout().len()];
    for bad in [5.0, -1.0, 0.5] {
        let inputs = Array::new(1, 3, vec![0.0, bad, 4.0]).unwrap();
        assert!(
            matches!(network.outputs(&theta, &inputs), Err(crate::Error::Argument { .. })),
            "{bad}"
        );
    }
}
