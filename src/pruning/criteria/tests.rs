use super::point::{Point, image_networks};
use super::*;
use crate::linearize::{Biases, Linearisation, RowTransform};
use crate::networks::derivative_cases::Case;
use crate::networks::{Activation, Array, ImageShape};
use crate::operators::MeasurementOperator;
use nalgebra::DMatrix;

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
fn snip_and_grasp_of_a_residual_network_with_batch_normalisation_are_slopes_too() {
    let image = ImageShape {
        channels: 1,
        height: 4,
        width: 4,
    };
    let network = Network::preset("resnet-20:tanh", image, 4).unwrap();
    let point = Point::of(Case::of(network, "resnet"), 0.7);
    let input = point.input(Loss::CrossEntropy);
    let weights = point.network.layout().weights();
    let looked_at = weights
        .indices()
        .iter()
        .copied()
        .filter(|&i| point.mask.keeps(i))
        .step_by(23_917);
    // The change from one width to half of it is 15/16 of the error of the wider; both are far below the slopes.
    let compare = |i: usize, score: f64, scale: f64, of: &dyn Fn(&[f64]) -> f64| {
        let [wide, narrow] = [4e-3, 2e-3].map(|h| point.derivative_by(h, i, of));
        let (slope, weight) = (narrow, f64::from(point.theta[i]));
        let error = (wide - narrow).abs() + 1e-12 * scale / 2e-3;
        assert!(
            (score - slope * weight).abs() <= error * weight.abs(),
            "{i}: {score} {slope} {error}"
        );
        (score.abs(), error * weight.abs())
    };
    let snip = Criterion::GradientWeight.scores(&input).unwrap();
    let grasp = Criterion::Grasp.scores(&input).unwrap();
    let (mut sizes, mut errors) = ([0.0; 2], [0.0; 2]);
    for i in looked_at {
        let square = grasp::TEMPERATURE * grasp::TEMPERATURE;
        let found = [
            compare(i, -snip[i], 2.0, &|theta| point.loss_at(theta, Loss::CrossEntropy)),
            compare(
                i,
                square * grasp[i],
                point.speed_at(&point.double(), Loss::CrossEntropy),
                &|theta| point.speed_at(theta, Loss::CrossEntropy),
            ),
        ];
        for (place, (size, error)) in found.into_iter().enumerate() {
            sizes[place] += size;
            errors[place] += error;
        }
    }
    assert!(
        (0..2).all(|place| errors[place] < 1e-3 * sizes[place]),
        "{sizes:?} {errors:?}"
    );
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

#[test]
fn damage_is_half_the_curvature_of_the_loss_in_outputs_carried_to_the_weights() {
    for (preset, density) in [("mlp:5:tanh", 1.0), ("mlp:5-4:gelu", 0.6)] {
        for loss in Loss::ALL {
            let point = Point::new(preset, density);
            let scores = Criterion::OptimalBrainDamage.scores(&point.input(loss)).unwrap();
            let inputs = point.inputs.convert();
            let outputs = |theta: &[f64]| point.network.outputs(theta, &inputs).unwrap();
            let at = outputs(&point.double());
            for &i in point.network.layout().weights().indices() {
                let mut expected = 0.0;
                for (sample, row) in at.iter_rows().enumerate() {
                    let slopes: Vec<f64> = (0..row.len())
                        .map(|class| point.derivative(i, |theta| outputs(theta).row(sample)[class]))
                        .collect();
                    let squares: f64 = slopes.iter().map(|slope| slope * slope).sum();
                    expected += match loss {
                        // The variance of the slopes under the class probabilities: diag(p) − ppᵀ.
                        Loss::CrossEntropy => {
                            let total: f64 = row.iter().map(|f| f.exp()).sum();
                            let mean = |power: i32| -> f64 {
                                let terms = row.iter().zip(&slopes);
                                terms.map(|(f, slope)| f.exp() / total * slope.powi(power)).sum()
                            };
                            mean(2) - mean(1) * mean(1)
                        }
                        _ => squares,
                    };
                }
                expected *= 0.5 * f64::from(point.theta[i]).powi(2) / point.labels.len() as f64;
                // Slopes of order one, each by differences.
                assert!(
                    (scores[i] - expected).abs() <= 20.0 * DIFFERENCES,
                    "{preset} {loss:?} {i}"
                );
            }
        }
    }
}

#[test]
fn magnitudes_are_sizes_and_random_scores_are_uniform_numbers_of_their_seed() {
    let point = Point::new("mlp:40-30", 0.8);
    let input = point.input(Loss::CrossEntropy);
    let sizes = Criterion::Magnitude.scores(&input).unwrap();
    assert!(
        sizes
            .iter()
            .zip(&point.theta)
            .all(|(size, weight)| *size == f64::from(weight.abs()))
    );
    let draw = |number| {
        let input = CriterionInput {
            seed: Seed::root(number),
            ..input.clone()
        };
        Criterion::Random.scores(&input).unwrap()
    };
    let (one, other) = (draw(1), draw(2));
    assert_eq!(one, draw(1));
    assert_ne!(one, other);
    // Means of n uniform numbers have the standard deviation 1/√(12 n), and so have those of products less a quarter by
    // √(7/144 n): five of them fail by chance below 6e-7.
    let n = one.len() as f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / n;
    let products: Vec<f64> = one.iter().zip(&other).map(|(a, b)| a * b).collect();
    assert!(one.iter().all(|score| (0.0..1.0).contains(score)));
    assert!((mean(&one) - 0.5).abs() < 5.0 / (12.0 * n).sqrt());
    assert!((mean(&products) - 0.25).abs() < 5.0 * (7.0 / 144.0 / n).sqrt());
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
