use super::*;
use crate::linearize::{Biases, Linearisation, RowTransform};
use crate::networks::derivative_cases::{Case, every_case, normal};
use crate::networks::{Activation, Array, ImageShape, NetworkBuilder, Padding, PoolingKind};
use crate::operators::MeasurementOperator;
use nalgebra::DMatrix;
use proptest::prelude::*;

/// A network at a random point with samples, in single precision as criteria take them and in double precision of equal
/// value.
struct Point {
    network: Network,
    theta: Vec<f32>,
    initial: Vec<f32>,
    mask: Mask,
    inputs: Array<f32>,
    labels: Vec<usize>,
}

impl Point {
    fn of(case: Case, density: f64) -> Self {
        let name = case.network.name().to_string();
        let mut mask = case.network.layout().full_mask();
        let mut rng = Seed::root(7).stream(&name).rng();
        for &weight in case.network.layout().weights().indices() {
            mask.set(weight, rng.random::<f64>() < density);
        }
        let mut theta: Vec<f32> = case.theta.iter().map(|&v| v as f32).collect();
        mask.apply(&mut theta).unwrap();
        Point {
            initial: normal(&Seed::root(8), &name, theta.len())
                .iter()
                .map(|&v| v as f32)
                .collect(),
            theta,
            mask,
            inputs: case.inputs.convert(),
            labels: case.labels,
            network: case.network,
        }
    }

    fn new(preset: &str, density: f64) -> Self {
        Point::of(Case::new(preset), density)
    }

    fn input(&self, loss: Loss) -> CriterionInput<'_> {
        CriterionInput {
            network: &self.network,
            theta: &self.theta,
            mask: &self.mask,
            initial: &self.initial,
            loss,
            training: Examples::labelled(&self.inputs, &self.labels),
            seed: Seed::root(9),
        }
    }

    fn double(&self) -> Vec<f64> {
        self.theta.iter().map(|&v| f64::from(v)).collect()
    }

    fn loss_at(&self, theta: &[f64], loss: Loss) -> f64 {
        self.network
            .loss(theta, &self.inputs.convert(), &self.labels, loss)
            .unwrap()
    }

    /// Half the squared gradient over the kept weights, of outputs divided by the temperature: softmax and its error written
    /// out, and multiplied by the temperature so that values are of order one.
    fn speed_at(&self, theta: &[f64], loss: Loss) -> f64 {
        let inputs = self.inputs.convert();
        let gradient = match loss {
            Loss::CrossEntropy => {
                let outputs = self.network.outputs(theta, &inputs).unwrap();
                let samples = self.labels.len() as f64;
                let error = Array::from_fn(self.labels.len(), outputs.columns(), |r, c| {
                    let powers: Vec<f64> = outputs.row(r).iter().map(|f| (f / grasp::TEMPERATURE).exp()).collect();
                    let target = if self.labels[r] == c { 1.0 } else { 0.0 };
                    (powers[c] / powers.iter().sum::<f64>() - target) / samples
                });
                self.network.jacobian_transpose_vector(theta, &error, &inputs).unwrap()
            }
            _ => self.network.gradient(theta, &inputs, &self.labels, loss).unwrap().1,
        };
        let weights = self.network.layout().weights();
        let kept = weights.indices().iter().filter(|&&i| self.mask.keeps(i));
        kept.map(|&i| 0.5 * gradient[i] * gradient[i]).sum()
    }

    /// The derivative of `of` along weight `i`, by central differences of two widths (Richardson): the error is of fourth
    /// order in the width.
    fn derivative(&self, i: usize, of: impl Fn(&[f64]) -> f64) -> f64 {
        let slope = |h: f64| {
            let mut theta = self.double();
            theta[i] += h;
            let above = of(&theta);
            theta[i] -= 2.0 * h;
            (above - of(&theta)) / (2.0 * h)
        };
        let h = 1e-3;
        (4.0 * slope(h) - slope(2.0 * h)) / 3.0
    }
}

/// Differences of width 1e-3 leave `h⁴ = 1e-12` times a fifth derivative, which is below 1e3 for these values of order 1,
/// and `ε/h = 1e-12` of rounding.
const DIFFERENCES: f64 = 2e-9;

#[test]
fn first_order_scores_are_the_slopes_of_the_loss_towards_zero() {
    for (preset, density) in [("mlp:5:tanh", 1.0), ("mlp:5-4:gelu", 0.6), ("mlp:5:erf:no-bias", 0.5)] {
        for loss in Loss::ALL {
            let point = Point::new(preset, density);
            let signed = Criterion::GradientWeight.scores(&point.input(loss)).unwrap();
            let snip = Criterion::Snip.scores(&point.input(loss)).unwrap();
            for i in 0..point.theta.len() {
                let slope = point.derivative(i, |theta| point.loss_at(theta, loss));
                let expected = -slope * f64::from(point.theta[i]);
                assert!((signed[i] - expected).abs() <= DIFFERENCES, "{preset} {loss:?} {i}");
                assert_eq!(snip[i], signed[i].abs());
            }
        }
    }
}

#[test]
fn grasp_is_the_slope_of_the_squared_gradient_with_the_sign_that_keeps_speed() {
    for (preset, density) in [("mlp:5:tanh", 1.0), ("mlp:5-4:gelu", 0.6)] {
        for loss in Loss::ALL {
            let point = Point::new(preset, density);
            let mut scores = Criterion::Grasp.scores(&point.input(loss)).unwrap();
            if loss == Loss::CrossEntropy {
                let square = grasp::TEMPERATURE * grasp::TEMPERATURE;
                scores.iter_mut().for_each(|score| *score *= square);
            }
            for &i in point.network.layout().weights().indices() {
                let slope = point.derivative(i, |theta| point.speed_at(theta, loss));
                let expected = slope * f64::from(point.theta[i]);
                assert!(
                    (scores[i] - expected).abs() <= 10.0 * DIFFERENCES,
                    "{preset} {loss:?} {i}"
                );
            }
            // The weight of least score is one whose loss leaves the gradient largest, to first order.
            let kept = |i: &&usize| point.mask.keeps(**i);
            let weights = point.network.layout().weights();
            let least = weights
                .indices()
                .iter()
                .filter(kept)
                .min_by(|a, b| scores[**a].total_cmp(&scores[**b]));
            let mut theta = point.double();
            let before = point.speed_at(&theta, loss);
            let &least = least.unwrap();
            theta[least] *= 1.0 - 1e-4;
            assert_eq!(point.speed_at(&theta, loss) > before, scores[least] < 0.0);
        }
    }
}

#[test]
fn samples_beyond_one_chunk_count_the_same() {
    let point = Point::new("mlp:4:tanh", 0.8);
    let many = Array::from_fn(2500, 6, |r, c| point.inputs.row(r % 9)[c]);
    let labels: Vec<usize> = (0..2500).map(|r| point.labels[r % 9]).collect();
    let input = CriterionInput {
        training: Examples::labelled(&many, &labels),
        ..point.input(Loss::CrossEntropy)
    };
    let chunked = Criterion::GradientWeight.scores(&input).unwrap();
    let (_, whole) = point
        .network
        .gradient(&point.double(), &many.convert(), &labels, Loss::CrossEntropy)
        .unwrap();
    for ((score, gradient), weight) in chunked.iter().zip(&whole).zip(&point.theta) {
        // Two sums of 2,500 terms of order one in different orders.
        assert!((score + gradient * f64::from(*weight)).abs() <= 2500.0 * f64::EPSILON);
    }
}

/// Chains and residual layers, with the activations that SynFlow leaves out and without.
fn positive_pair(build: impl Fn(Activation) -> Network) -> (Network, Network) {
    (build(Activation::Tanh), build(Activation::Linear))
}

fn image_networks(activation: Activation) -> Vec<Network> {
    let image = ImageShape {
        channels: 2,
        height: 5,
        width: 4,
    };
    let start = |name: &str| NetworkBuilder::new(name, image).unwrap();
    vec![
        start("maxima")
            .convolution(3, 3, 1, Padding::Zero(1))
            .unwrap()
            .activation(activation)
            .pool(PoolingKind::Largest, 2, 2)
            .unwrap()
            .dense(4)
            .unwrap()
            .build()
            .unwrap(),
        start("residual")
            .convolution(3, 3, 1, Padding::Circular(1))
            .unwrap()
            .residual(|b| b.activation(activation).convolution(3, 3, 1, Padding::Zero(1)), Ok)
            .unwrap()
            .residual(
                |b| b.activation(activation).convolution(5, 3, 2, Padding::Zero(1)),
                |b| b.convolution(5, 1, 2, Padding::Zero(0)),
            )
            .unwrap()
            .pool_all(PoolingKind::Mean)
            .unwrap()
            .dense(4)
            .unwrap()
            .build()
            .unwrap(),
    ]
}

#[test]
fn synflow_is_weight_times_gradient_of_the_linear_network_of_absolute_weights() {
    let mut pairs = vec![
        positive_pair(|activation| Network::preset(&format!("mlp:7-5:{activation}"), 6, 4).unwrap()),
        positive_pair(|activation| Network::preset(&format!("mlp:20-9-3:{activation}"), 6, 4).unwrap()),
    ];
    pairs.extend(
        image_networks(Activation::Tanh)
            .into_iter()
            .zip(image_networks(Activation::Linear)),
    );
    for (network, linear) in pairs {
        let name = network.name().to_string();
        let point = Point::of(Case::of(network, &name), 0.5);
        let scores = Criterion::SynFlow.scores(&point.input(Loss::Squared)).unwrap();
        let mut absolute: Vec<f64> = point.double().iter().map(|v| v.abs()).collect();
        for slot in linear.layout().unpruned_slots() {
            absolute[slot.range.clone()].fill(0.0);
        }
        let ones = Array::from_fn(1, linear.inputs(), |_, _| 1.0);
        let all = Array::from_fn(1, linear.classes(), |_, _| 1.0);
        let slopes = linear.jacobian_transpose_vector(&absolute, &all, &ones).unwrap();
        for (i, score) in scores.iter().enumerate() {
            let expected = slopes[i] * absolute[i];
            // Sums of positive terms, a few hundred along any path.
            assert!((score - expected).abs() <= 1e3 * f64::EPSILON * expected, "{name} {i}");
        }
    }
}

proptest! {
    #[test]
    fn what_flows_through_one_layer_of_a_chain_flows_through_every_other(
        widths in prop::collection::vec(1usize..9, 1..5), density in 0.3f64..1.0, seed in any::<u64>(),
    ) {
        let words: Vec<String> = widths.iter().map(usize::to_string).collect();
        let network = Network::preset(&format!("mlp:{}", words.join("-")), 6, 4).unwrap();
        let mut rng = Seed::root(seed).rng();
        let mut mask = network.layout().full_mask();
        for &weight in network.layout().weights().indices() {
            mask.set(weight, rng.random::<f64>() < density);
        }
        let mut theta: Vec<f32> = (0..network.layout().len()).map(|_| rng.random::<f32>() - 0.5).collect();
        mask.apply(&mut theta).unwrap();
        let (inputs, labels) = (Array::from_fn(1, 6, |_, _| 0.0), [0]);
        let scores = Criterion::SynFlow.scores(&CriterionInput {
            network: &network,
            theta: &theta,
            mask: &mask,
            initial: &theta,
            loss: Loss::CrossEntropy,
            training: Examples::labelled(&inputs, &labels),
            seed: Seed::root(0),
        }).unwrap();
        let sums: Vec<f64> = network.layout().weight_slots().map(|s| scores[s.range.clone()].iter().sum()).collect();
        for sum in &sums {
            // Positive terms: each of at most six layers adds fewer than 100 roundings.
            prop_assert!((sum - sums[0]).abs() <= 600.0 * f64::EPSILON * sums[0]);
        }
        // What is live on paths is what has a share.
        let paths = crate::pruning::LivePaths::of(&network, &mask).unwrap();
        for &weight in network.layout().weights().indices() {
            prop_assert_eq!(scores[weight] > 0.0, paths.live().keeps(weight) && theta[weight] != 0.0);
        }
    }
}

#[test]
fn synflow_refuses_what_is_no_linear_map_and_names_both_sides() {
    let mut refused = 0;
    for (name, case) in every_case() {
        if let Err(error) = Criterion::SynFlow.check(&case.network) {
            let text = error.to_string();
            assert!(text.contains("synflow") && text.contains(case.network.name()), "{text}");
            refused += 1;
        } else {
            let point = Point::of(case, 0.7);
            let scores = Criterion::SynFlow.scores(&point.input(Loss::Squared)).unwrap();
            assert!(scores.iter().all(|score| score.is_finite() && *score >= 0.0), "{name}");
        }
    }
    assert!(refused > 3);
    let network = Network::preset("mlp:4", 6, 4).unwrap();
    let point = Point::new("mlp:4", 1.0);
    let huge = vec![f32::MAX; network.layout().len()];
    let deep = Network::preset("mlp:4-4-4-4-4-4-4-4-4", 6, 4).unwrap();
    let overflow = CriterionInput {
        network: &deep,
        theta: &vec![f32::MAX; deep.layout().len()],
        initial: &vec![f32::MAX; deep.layout().len()],
        mask: &deep.layout().full_mask(),
        ..point.input(Loss::Squared)
    };
    assert!(matches!(
        Criterion::SynFlow.scores(&overflow),
        Err(Error::Numerical { .. })
    ));
    let short = CriterionInput {
        theta: &huge[1..],
        ..point.input(Loss::Squared)
    };
    assert!(matches!(Criterion::Magnitude.scores(&short), Err(Error::Shape { .. })));
}

#[test]
fn movement_and_magnitude_increase_compare_with_the_initial_values() {
    let mut point = Point::new("mlp:1:no-bias", 1.0);
    point.theta = vec![1.0, -2.0, 0.5, 0.0, 3.0, -1.0, 0.25, 2.0, -4.0, 1.0];
    point.initial = vec![0.5, 2.0, 0.5, -1.0, 3.5, -0.5, 0.0, -2.0, -3.0, 2.0];
    let input = point.input(Loss::Squared);
    let movement = Criterion::Movement.scores(&input).unwrap();
    assert_eq!(movement, [0.5, 4.0, 0.0, 1.0, 0.5, 0.5, 0.25, 4.0, 1.0, 1.0]);
    let increase = Criterion::MagnitudeIncrease.scores(&input).unwrap();
    assert_eq!(increase, [0.5, 0.0, 0.0, -1.0, -0.5, 0.5, 0.25, 0.0, 1.0, -1.0]);
}

/// The kept weights into every unit, and the damped Gauss-Newton block between them from the whole Jacobian.
fn blocks(point: &Point, loss: Loss, damping: f64) -> Vec<(Vec<usize>, DMatrix<f64>)> {
    let network = &point.network;
    let at = Linearisation::new(network, &point.double(), &point.inputs.convert()).unwrap();
    let rows = match loss {
        Loss::CrossEntropy => RowTransform::CrossEntropy,
        _ => RowTransform::Identity,
    };
    let all = network.layout().full_mask().support();
    let jacobian = at.jacobian(&all, rows, Biases::Fixed).unwrap();
    let mut found = Vec::new();
    for slot in network.layout().weight_slots() {
        let fan_in = slot.len() / slot.shape[0];
        for unit in 0..slot.shape[0] {
            let first = slot.range.start + unit * fan_in;
            let kept: Vec<usize> = (first..first + fan_in).filter(|&i| point.mask.keeps(i)).collect();
            let column = |i: usize| {
                let mut column = vec![0.0; jacobian.shape().rows];
                jacobian.apply_sparse_into(&[i], &[1.0], &mut column);
                column
            };
            let columns: Vec<Vec<f64>> = kept.iter().map(|&i| column(i)).collect();
            let mut block = DMatrix::from_fn(kept.len(), kept.len(), |i, j| {
                let products = columns[i].iter().zip(&columns[j]).map(|(a, b)| a * b);
                products.sum::<f64>() / point.labels.len() as f64
            });
            let mean = block.trace() / kept.len().max(1) as f64;
            (0..kept.len()).for_each(|i| block[(i, i)] += damping * mean);
            if !kept.is_empty() {
                found.push((kept, block));
            }
        }
    }
    found
}

#[test]
fn the_surgeon_agrees_with_inverting_every_block_by_brute_force() {
    let convolution = image_networks(Activation::Tanh).remove(0);
    let name = convolution.name().to_string();
    for point in [
        Point::new("mlp:5:tanh", 0.7),
        Point::new("mlp:6-4:gelu", 1.0),
        Point::of(Case::of(convolution, &name), 0.6),
    ] {
        for loss in Loss::ALL {
            let surgeon = BrainSurgeon { damping: 0.05 };
            let scores = surgeon.scores(&point.input(loss)).unwrap();
            let damage = Criterion::OptimalBrainDamage.scores(&point.input(loss)).unwrap();
            for (kept, block) in blocks(&point, loss, surgeon.damping) {
                let inverse = block.clone().try_inverse().unwrap();
                for (place, &i) in kept.iter().enumerate() {
                    let weight = f64::from(point.theta[i]);
                    let expected = 0.5 * weight * weight / inverse[(place, place)];
                    // The condition of a block is at most its order over the damping, some 400.
                    assert!((scores[i] - expected).abs() <= 1e5 * f64::EPSILON * (expected + 1e-12));
                    let extra = 0.5 * weight * weight * (block[(place, place)] - 2.0 * damage[i] / (weight * weight));
                    assert!(scores[i] <= (damage[i] + extra) * (1.0 + 1e-12) + 1e-15);
                }
            }
        }
    }
}

#[test]
fn the_rest_of_a_block_moves_to_where_its_quadratic_model_is_least() {
    let point = Point::new("mlp:5:tanh", 0.9);
    let input = point.input(Loss::CrossEntropy);
    let surgeon = BrainSurgeon::default();
    let mut next = point.mask.clone();
    for &i in point.network.layout().weights().indices() {
        if i % 3 == 0 {
            next.set(i, false);
        }
    }
    let updated = surgeon.update(&input, &next).unwrap();
    for (kept, block) in blocks(&point, Loss::CrossEntropy, surgeon.damping) {
        // Lagrange's conditions: the slope of the model along every weight that stays is zero, and what goes is gone.
        let step = DMatrix::from_fn(kept.len(), 1, |i, _| updated[kept[i]] - f64::from(point.theta[kept[i]]));
        let slope = &block * &step;
        let size = block.norm() * step.norm();
        for (place, &i) in kept.iter().enumerate() {
            if next.keeps(i) {
                assert!(
                    slope[place].abs() <= 1e4 * f64::EPSILON * size,
                    "{} of {size}",
                    slope[place]
                );
            } else {
                assert_eq!(updated[i], 0.0);
            }
        }
    }
    // One weight alone: the model rises by its score.
    let scores = surgeon.scores(&input).unwrap();
    let (kept, block) = blocks(&point, Loss::CrossEntropy, surgeon.damping).remove(0);
    let mut one = point.mask.clone();
    one.set(kept[1], false);
    let updated = surgeon.update(&input, &one).unwrap();
    let step = DMatrix::from_fn(kept.len(), 1, |i, _| updated[kept[i]] - f64::from(point.theta[kept[i]]));
    let rise = 0.5 * (step.transpose() * &block * &step)[0];
    assert!((rise - scores[kept[1]]).abs() <= 1e5 * f64::EPSILON * rise);
    let biases = point
        .network
        .layout()
        .unpruned_slots()
        .flat_map(|slot| slot.range.clone());
    assert!(biases.into_iter().all(|i| updated[i] == f64::from(point.theta[i])));
    let bad = BrainSurgeon { damping: 0.0 };
    assert!(matches!(bad.scores(&input), Err(Error::Argument { .. })));
    assert!(matches!(
        surgeon.update(&input, &point.network.layout().full_mask()),
        Err(Error::Argument { .. })
    ));
}

#[test]
fn words_are_read_back_and_costs_are_known() {
    for criterion in Criterion::ALL {
        assert_eq!(criterion.to_string().parse::<Criterion>().unwrap(), criterion);
        assert!(criterion.gradient_passes(100, 10) >= 0.0);
    }
    assert_eq!(Criterion::SynFlow.gradient_passes(100, 10), 0.01);
    assert!(
        "obs"
            .parse::<Criterion>()
            .unwrap_err()
            .to_string()
            .contains("optimal-brain-surgeon")
    );
}
