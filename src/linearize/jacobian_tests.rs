//! The factored operators against explicit Jacobians, one row a one-hot vector-Jacobian product.

use super::*;
use crate::linalg::{dot, norm};
use crate::networks::{Activation, Array, Initialisation, Loss, Network};
use crate::operators::{MeasurementOperator, dot_test};
use crate::seed::Seed;
use crate::support::Support;
use nalgebra::{DMatrix, DVector};

const CLASSES: usize = 3;
const SAMPLES: usize = 6;

struct Case {
    network: Network,
    theta: Vec<f64>,
    inputs: Array<f64>,
    labels: Vec<usize>,
    at: Linearisation,
}

fn case(preset: &str) -> Case {
    let network = Network::preset(preset, 5, CLASSES).unwrap();
    let initialisation: Initialisation = "lecun:bias=0.3".parse().unwrap();
    let theta = network.initial(&Seed::root(4).stream(preset), &initialisation).unwrap();
    // The last feature is zero everywhere, the one before it constant: a dead column and one that acts like a bias.
    let inputs = Array::from_fn(SAMPLES, 5, |i, j| match j {
        4 => 0.0,
        3 => 0.7,
        _ => ((i * 5 + j * 3) as f64).sin(),
    });
    Case {
        at: Linearisation::new(&network, &theta, &inputs).unwrap(),
        labels: (0..SAMPLES).map(|i| (2 * i + 1) % CLASSES).collect(),
        network,
        theta,
        inputs,
    }
}

/// `∂f/∂θ` over all parameters: row s C + c is a vector-Jacobian product with the unit cotangent of class c, sample s.
fn explicit(case: &Case) -> DMatrix<f64> {
    let mut rows = Vec::new();
    for s in 0..SAMPLES {
        for c in 0..CLASSES {
            let hot = Array::from_fn(SAMPLES, CLASSES, |i, k| f64::from(u8::from((i, k) == (s, c))));
            let row = case
                .network
                .jacobian_transpose_vector(&case.theta, &hot, &case.inputs)
                .unwrap();
            rows.extend(row);
        }
    }
    DMatrix::from_row_slice(SAMPLES * CLASSES, case.theta.len(), &rows)
}

/// The block-diagonal matrix R of a row transform.
fn transform(case: &Case, rows: RowTransform) -> DMatrix<f64> {
    let mut r = DMatrix::identity(SAMPLES * CLASSES, SAMPLES * CLASSES);
    for s in 0..SAMPLES {
        let f = case.at.outputs().row(s);
        let sum: f64 = f.iter().map(|v| v.exp()).sum();
        let p = DVector::from_fn(CLASSES, |c, _| f[c].exp() / sum);
        let one = DVector::from_element(CLASSES, 1.0);
        let identity = DMatrix::identity(CLASSES, CLASSES);
        let block = match rows {
            RowTransform::Identity => identity,
            RowTransform::Centred => identity - &one * one.transpose() / CLASSES as f64,
            RowTransform::CrossEntropy => DMatrix::from_diagonal(&p.map(f64::sqrt)) * (identity - &one * p.transpose()),
        };
        let start = s * CLASSES;
        r.view_mut((start, start), (CLASSES, CLASSES)).copy_from(&block);
    }
    r
}

/// Q by Gram-Schmidt with the longest remaining column first: another route than the one under test.
fn projection(b: &DMatrix<f64>) -> DMatrix<f64> {
    let mut rest = b.clone();
    let mut q = DMatrix::identity(b.nrows(), b.nrows());
    while let Some(length) = rest.column_iter().map(|c| c.norm()).max_by(f64::total_cmp) {
        if length <= 1e-9 * b.norm() {
            break;
        }
        let longest = rest.column_iter().position(|c| c.norm() == length).unwrap();
        // Projected once more, so that rounding of the earlier steps does not build up.
        let direction = (&q * rest.column(longest)).normalize();
        let away = DMatrix::identity(b.nrows(), b.nrows()) - &direction * direction.transpose();
        rest = &away * rest;
        q = &away * q;
    }
    q
}

fn biases(case: &Case) -> Vec<usize> {
    case.network
        .layout()
        .unpruned_slots()
        .flat_map(|s| s.range.clone())
        .collect()
}

const TRANSFORMS: [RowTransform; 3] = [
    RowTransform::Identity,
    RowTransform::Centred,
    RowTransform::CrossEntropy,
];

fn presets() -> Vec<String> {
    let mut names = vec!["linear".to_string(), "mlp:4:no-bias".to_string()];
    names.extend(Activation::ALL.map(|a| format!("mlp:4-3:{a}")));
    names
}

/// Some hundred products of numbers of order one, decompositions included.
const ROUNDING: f64 = 1e-12;

#[test]
fn every_jacobian_equals_the_explicit_one_and_passes_the_dot_test() {
    for preset in presets() {
        let case = case(&preset);
        let j = explicit(&case);
        let bias = biases(&case);
        let weights = case.network.layout().weights();
        let every_third = Support::new(weights.indices().iter().copied().step_by(3).collect(), j.ncols()).unwrap();
        let all = case.network.layout().full_mask().support();
        for rows in TRANSFORMS {
            let rj = transform(&case, rows) * &j;
            let q = projection(&rj.select_columns(&bias));
            for (support, free) in [(&weights, false), (&weights, true), (&every_third, true), (&all, false)] {
                let a = case
                    .at
                    .jacobian(support, rows, if free { Biases::Free } else { Biases::Fixed })
                    .unwrap();
                let mut expected = rj.select_columns(support.indices());
                if free && !bias.is_empty() {
                    expected = &q * expected;
                }
                let error = (a.to_dense() - &expected).amax();
                assert!(error <= ROUNDING, "{preset} {rows:?} free={free}: {error:e}");
                dot_test::check(&a, &Seed::root(9)).unwrap_or_else(|e| panic!("{preset} {rows:?} free={free}: {e}"));
                let x: Vec<f64> = (0..support.len()).map(|i| (i as f64).cos()).collect();
                let product = DVector::from_vec(a.apply(&x).unwrap());
                assert!(
                    (product - &expected * DVector::from_vec(x)).amax() <= 10.0 * ROUNDING,
                    "{preset} {rows:?}"
                );
                let kernel = a.tangent_kernel();
                let error = (&kernel - &expected * expected.transpose()).amax();
                assert!(
                    error <= 10.0 * ROUNDING,
                    "{preset} {rows:?} free={free}: kernel {error:e}"
                );
                assert_eq!(kernel, kernel.transpose());
                let squares: Vec<f64> = expected.singular_values().iter().map(|s| s * s).collect();
                let (sum, sum_of_squares) = (squares.iter().sum::<f64>(), squares.iter().map(|s| s * s).sum::<f64>());
                // Projected rows that vanish leave rounding in the explicit matrix.
                let participation = if sum > ROUNDING {
                    sum * sum / sum_of_squares
                } else {
                    0.0
                };
                let found = a.kernel_participation();
                assert!(
                    (found - participation).abs() <= 10.0 * ROUNDING * participation,
                    "{preset}: {found}"
                );
            }
        }
    }
}

#[test]
fn projected_rows_are_blind_to_biases_and_class_shifts() {
    let case = case("mlp:4-3:tanh");
    let weights = case.network.layout().weights();
    let a = case.at.jacobian(&weights, RowTransform::Centred, Biases::Free).unwrap();
    let j = explicit(&case);
    let bias_jacobian = transform(&case, RowTransform::Centred) * j.select_columns(&biases(&case));
    let dense = a.to_dense();
    assert!((dense.transpose() * bias_jacobian).amax() <= ROUNDING);
    for s in 0..SAMPLES {
        assert!(dense.rows(s * CLASSES, CLASSES).row_sum().amax() <= ROUNDING);
    }
    assert!(a.projection_rank() > 0);
}

#[test]
fn dead_and_constant_inputs_give_columns_that_are_exactly_zero() {
    let case = case("mlp:4-3:tanh");
    let layout = case.network.layout();
    let a = case
        .at
        .jacobian(&layout.weights(), RowTransform::Centred, Biases::Free)
        .unwrap();
    let norms = a.column_norms();
    for (c, &j) in a.parameters().iter().enumerate() {
        let slot = layout.slot_of(j);
        let dead = slot.layer == 0 && j % 5 >= 3;
        assert_eq!(norms[c] == 0.0, dead, "weight {j} of {}: {:e}", slot.name, norms[c]);
    }
    let mut column = DMatrix::from_element(SAMPLES * CLASSES, 1, 1.0);
    a.columns_into(&[3], &mut column);
    assert_eq!(column.amax(), 0.0);
}

#[test]
fn least_squares_of_the_operator_is_least_squares_of_the_linear_model_over_weights_and_biases() {
    // ‖Aθ − b‖ must be the smallest ‖R(t − f_lin(θ, β))‖ over the biases β, found here by dense least squares.
    for preset in ["mlp:4-3:tanh", "mlp:4:relu", "linear"] {
        let case = case(preset);
        let layout = case.network.layout();
        let weights = layout.weights();
        for rows in [RowTransform::Identity, RowTransform::Centred] {
            let r = transform(&case, rows);
            let bias_jacobian = &r * explicit(&case).select_columns(&biases(&case));
            let targets = Loss::Squared
                .targets::<f64>((&case.labels).into(), SAMPLES, CLASSES)
                .unwrap();
            let x: Vec<f64> = (0..weights.len()).map(|i| 0.4 * (i as f64 * 1.7).sin()).collect();
            let mut theta = case.theta.clone();
            for (&j, &v) in weights.indices().iter().zip(&x) {
                theta[j] = v;
            }
            let linear = case.at.linear_outputs(&theta).unwrap();
            let error = DVector::from_iterator(
                SAMPLES * CLASSES,
                targets.as_slice().iter().zip(linear.as_slice()).map(|(t, f)| t - f),
            );
            let error = &r * error;
            for (choice, best) in [
                (Biases::Fixed, error.norm()),
                (Biases::Free, (projection(&bias_jacobian) * &error).norm()),
            ] {
                let a = case.at.jacobian(&weights, rows, choice).unwrap();
                let b = case.at.right_hand_side(&a, &case.labels).unwrap();
                let residual: Vec<f64> = a.apply(&x).unwrap().iter().zip(&b).map(|(a, b)| b - a).collect();
                assert!(
                    (norm(&residual) - best).abs() <= ROUNDING * (1.0 + best),
                    "{preset} {rows:?} {choice:?}"
                );
            }
        }
    }
}

#[test]
fn chosen_biases_are_unknowns_at_their_own_values() {
    let case = case("mlp:4:tanh");
    let all = case.network.layout().full_mask().support();
    let a = case.at.jacobian(&all, RowTransform::Identity, Biases::Fixed).unwrap();
    let b = case.at.right_hand_side(&a, case.at.outputs()).unwrap();
    // With the target f(ϑ) the point ϑ itself, biases included, solves A θ = b.
    let product = a.apply(&case.theta).unwrap();
    let error: Vec<f64> = product.iter().zip(&b).map(|(a, b)| a - b).collect();
    assert!(norm(&error) <= ROUNDING * norm(&b));
}

#[test]
fn cross_entropy_rows_give_the_gauss_newton_step() {
    let case = case("mlp:4-3:tanh");
    let layout = case.network.layout();
    let all = layout.full_mask().support();
    let a = case
        .at
        .jacobian(&all, RowTransform::CrossEntropy, Biases::Fixed)
        .unwrap();
    let gauss_newton = Curvature::new(
        CurvatureKind::GaussNewton,
        &case.network,
        &case.theta,
        &case.inputs,
        &case.labels,
        Loss::CrossEntropy,
        &all,
    )
    .unwrap();
    let x: Vec<f64> = (0..all.len()).map(|i| (i as f64).sin()).collect();
    // AᵀA = n G.
    let normal = a.adjoint(&a.apply(&x).unwrap()).unwrap();
    let product = gauss_newton.apply(&x).unwrap();
    for (left, right) in normal.iter().zip(&product) {
        assert!((left - SAMPLES as f64 * right).abs() <= ROUNDING * (1.0 + norm(&normal)));
    }
    // At ϑ the gradient of ½‖Aθ − b‖² is n times the gradient of the mean loss.
    let b = case.at.right_hand_side(&a, &case.labels).unwrap();
    let residual: Vec<f64> = a
        .apply(&case.theta)
        .unwrap()
        .iter()
        .zip(&b)
        .map(|(a, b)| a - b)
        .collect();
    let (_, gradient) = case
        .network
        .gradient(&case.theta, &case.inputs, &case.labels, Loss::CrossEntropy)
        .unwrap();
    for (left, right) in a.adjoint(&residual).unwrap().iter().zip(&gradient) {
        assert!((left - SAMPLES as f64 * right).abs() <= ROUNDING);
    }
}

#[test]
fn at_uniform_probabilities_a_cross_entropy_row_is_a_centred_row_with_increment_c_times_the_target_minus_one() {
    // Zero weights give equal outputs, so p = 1/C: L = P/√C, and the working response is C e_y − 1.
    let network = Network::preset("linear", 5, CLASSES).unwrap();
    let theta = vec![0.0; network.layout().len()];
    let inputs = case("linear").inputs;
    let labels: Vec<usize> = (0..SAMPLES).map(|i| i % CLASSES).collect();
    let at = Linearisation::new(&network, &theta, &inputs).unwrap();
    let weights = network.layout().weights();
    let scale = (CLASSES as f64).sqrt();
    let cross = at.jacobian(&weights, RowTransform::CrossEntropy, Biases::Free).unwrap();
    let centred = at.jacobian(&weights, RowTransform::Centred, Biases::Free).unwrap();
    assert!((cross.to_dense() * scale - centred.to_dense()).amax() <= ROUNDING);
    let increment = Array::from_fn(SAMPLES, CLASSES, |i, c| {
        f64::from(u8::from(labels[i] == c)) * CLASSES as f64 - 1.0
    });
    let left = at.right_hand_side(&cross, &labels).unwrap();
    let right = at.right_hand_side(&centred, &increment).unwrap();
    for (l, r) in left.iter().zip(&right) {
        assert!((l * scale - r).abs() <= ROUNDING);
    }
}

#[test]
fn the_hessian_on_a_mask_is_the_principal_submatrix() {
    let case = case("mlp:4:tanh");
    let layout = case.network.layout();
    let kept = Support::new(
        layout.weights().indices().iter().copied().step_by(2).collect(),
        layout.len(),
    )
    .unwrap();
    for kind in [CurvatureKind::Hessian, CurvatureKind::GaussNewton] {
        for loss in Loss::ALL {
            let on = |support: &Support| {
                Curvature::new(
                    kind,
                    &case.network,
                    &case.theta,
                    &case.inputs,
                    &case.labels,
                    loss,
                    support,
                )
                .unwrap()
            };
            let part = on(&kept);
            let whole = on(&layout.full_mask().support()).to_dense();
            let expected = whole.select_columns(kept.indices()).select_rows(kept.indices());
            assert_eq!(part.to_dense(), expected);
            assert!((&whole - whole.transpose()).amax() <= ROUNDING);
            dot_test::check(&part, &Seed::root(1)).unwrap();
        }
    }
}

#[test]
fn the_right_hand_side_of_a_relu_network_is_the_target_plus_depth_minus_one_times_the_output() {
    // Euler: J ϑ = L f(ϑ) without biases, so t − f + Jϑ = t + (L − 1) f.
    let case = case("mlp:4-3:no-bias");
    let weights = case.network.layout().weights();
    let a = case
        .at
        .jacobian(&weights, RowTransform::Identity, Biases::Fixed)
        .unwrap();
    let b = case.at.right_hand_side(&a, &case.labels).unwrap();
    let targets = Loss::Squared
        .targets::<f64>((&case.labels).into(), SAMPLES, CLASSES)
        .unwrap();
    for ((b, t), f) in b.iter().zip(targets.as_slice()).zip(case.at.outputs().as_slice()) {
        assert!((b - t - 2.0 * f).abs() <= ROUNDING);
    }
}

/// `E f_lin(m ∘ θ₀)` over random masks of the given density, by enumeration of all of them.
fn mean_linear_output(network: &Network, at: &Linearisation, density: f64) -> Vec<f64> {
    let count = network.layout().len();
    let mut mean = vec![0.0; at.outputs().as_slice().len()];
    for bits in 0u32..1 << count {
        let kept = bits.count_ones() as i32;
        let probability = density.powi(kept) * (1.0 - density).powi(count as i32 - kept);
        let keep = |(j, t): (usize, &f64)| if bits >> j & 1 == 1 { *t } else { 0.0 };
        let masked: Vec<f64> = at.theta().iter().enumerate().map(keep).collect();
        for (m, f) in mean.iter_mut().zip(at.linear_outputs(&masked).unwrap().as_slice()) {
            *m += probability * f;
        }
    }
    mean
}

#[test]
fn the_mean_of_a_randomly_masked_linearised_relu_network_reverses_its_sign_below_one_minus_one_over_depth() {
    for (preset, inputs, classes, depth) in [("mlp:2:no-bias", 2, 2, 2.0), ("mlp:2-2:no-bias", 2, 1, 3.0)] {
        for (activation, holds) in [("", true), (":tanh", false)] {
            let network = Network::preset(&format!("{preset}{activation}"), inputs, classes).unwrap();
            // The first seed whose network is not dead on these samples.
            let x = Array::from_fn(3, inputs, |i, j| 1.0 + 0.5 * ((2 * i + j) as f64).sin());
            let at = (0..20)
                .map(|seed| network.initial::<f64>(&Seed::root(seed), &Initialisation::HE).unwrap())
                .map(|theta| Linearisation::new(&network, &theta, &x).unwrap())
                .find(|at| norm(at.outputs().as_slice()) > 0.1)
                .unwrap();
            for density in [0.0, 0.3, 1.0 - 1.0 / depth, 0.9, 1.0] {
                let mean = mean_linear_output(&network, &at, density);
                let factor = 1.0 - depth * (1.0 - density);
                let expected: Vec<f64> = at.outputs().as_slice().iter().map(|f| factor * f).collect();
                let error: Vec<f64> = mean.iter().zip(&expected).map(|(a, b)| a - b).collect();
                let relative = norm(&error) / norm(at.outputs().as_slice());
                if holds {
                    // At most 2^10 terms of a convex combination.
                    assert!(relative <= 1e3 * f64::EPSILON, "{preset} at {density}: {relative:e}");
                } else if density < 1.0 {
                    assert!(relative > 1e-4, "{preset}{activation} at {density}: {relative:e}");
                }
            }
        }
    }
}

#[test]
fn at_full_pruning_the_linear_model_errs_by_depth_minus_one_outputs() {
    let case = case("mlp:4-3:no-bias");
    let zero = vec![0.0; case.theta.len()];
    // f(0) = 0, so the error relative to ‖f(0) − f(ϑ)‖ is ‖f_lin(0)‖/‖f‖ = L − 1 = 2.
    assert!((case.at.relative_error(&zero).unwrap() - 2.0).abs() <= ROUNDING);
    assert_eq!(case.at.relative_error(&case.theta).unwrap(), 0.0);
}

#[test]
fn the_linearisation_error_shrinks_in_proportion_to_the_step() {
    let case = case("mlp:4-3:tanh");
    let at = |h: f64| {
        let theta: Vec<f64> = case
            .theta
            .iter()
            .enumerate()
            .map(|(i, t)| t + h * (i as f64).sin())
            .collect();
        case.at.relative_error(&theta).unwrap()
    };
    // Error ~ h², change ~ h: halving h halves the ratio up to terms of order h.
    let ratio = at(1e-3) / at(5e-4);
    assert!((ratio - 2.0).abs() <= 0.05, "{ratio}");
}

#[test]
fn scattered_values_stand_at_their_parameters() {
    let case = case("mlp:4");
    let support = Support::new(vec![2, 9], case.theta.len()).unwrap();
    let a = case
        .at
        .jacobian(&support, RowTransform::Identity, Biases::Fixed)
        .unwrap();
    let all = a.scatter(&[1.5, -2.0]);
    assert_eq!((all[2], all[9], dot(&all, &all)), (1.5, -2.0, 6.25));
}

#[test]
fn what_does_not_fit_is_refused() {
    let case = case("mlp:4");
    let layout = case.network.layout();
    let (all, weights) = (layout.full_mask().support(), layout.weights());
    let make = |s: &Support, b| case.at.jacobian(s, RowTransform::Centred, b);
    assert!(make(&all, Biases::Free).is_err());
    assert!(make(&Support::new(vec![], layout.len()).unwrap(), Biases::Fixed).is_err());
    assert!(make(&Support::new(vec![0], 3).unwrap(), Biases::Fixed).is_err());
    let a = make(&weights, Biases::Free).unwrap();
    assert!(case.at.right_hand_side(&a, &vec![0; SAMPLES - 1]).is_err());
    assert!(case.at.right_hand_side(&a, &vec![CLASSES; SAMPLES]).is_err());
    let other = Linearisation::new(&case.network, &case.theta, &case.inputs.rows_between(0..2)).unwrap();
    assert!(other.right_hand_side(&a, &vec![0, 1]).is_err());
    assert!(case.at.relative_error(&[0.0]).is_err());
    assert!(Linearisation::new(&case.network, &case.theta[1..], &case.inputs).is_err());
}
