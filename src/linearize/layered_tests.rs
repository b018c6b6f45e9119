//! The factored Jacobian of every layer against products of the network with unit vectors.

use super::*;
use crate::linalg::{dot, norm};
use crate::networks::derivative_cases::{Case, layered_networks, normal};
use crate::networks::{Array, Network};
use crate::operators::MeasurementOperator;
use crate::seed::Seed;
use crate::support::Support;
use nalgebra::DMatrix;

/// Relative difference allowed between two sums of at most a few thousand products in another order.
const ROUNDING: f64 = 1e4 * f64::EPSILON;

/// All parameters of small networks, a spread of large ones; every slot is met.
fn columns(case: &Case) -> Support {
    let layout = case.network.layout();
    let picked = layout.slots().iter().flat_map(|slot| {
        let step = slot.len().div_ceil(if layout.len() > 5000 { 4 } else { 40 });
        slot.range.clone().step_by(step)
    });
    Support::new(picked.collect(), layout.len()).unwrap()
}

#[test]
fn columns_products_norms_and_kernel_of_every_layer_agree_with_the_network() {
    for network in layered_networks() {
        let name = network.name().to_string();
        let case = Case::of(network, &name);
        let at = Linearisation::new(&case.network, &case.theta, &case.inputs).unwrap();
        let support = columns(&case);
        let a = at.jacobian(&support, RowTransform::Identity, Biases::Fixed).unwrap();
        let rows = 9 * 4;
        assert_eq!((a.shape().rows, a.shape().columns), (rows, support.len()));
        // Column by column through the network's own product.
        let dense = DMatrix::from_iterator(
            rows,
            support.len(),
            support.indices().iter().flat_map(|&j| {
                let mut unit = vec![0.0; case.theta.len()];
                unit[j] = 1.0;
                let product = case.network.jacobian_vector(&case.theta, &unit, &case.inputs).unwrap();
                product.into_vec()
            }),
        );
        let size = dense.amax();
        let every: Vec<usize> = (0..support.len()).collect();
        let mut formed = DMatrix::zeros(rows, support.len());
        a.columns_into(&every, &mut formed);
        assert!((&formed - &dense).amax() <= ROUNDING * size, "{name}: columns");
        for (c, length) in a.column_norms().into_iter().enumerate() {
            let expected = dense.column(c).norm();
            assert!(
                (length - expected).abs() <= ROUNDING * (expected + size),
                "{name}: norm of column {c}"
            );
        }
        let x = normal(&Seed::root(3), "x", support.len());
        let y = normal(&Seed::root(3), "y", rows);
        let (ax, ay) = (a.apply(&x).unwrap(), a.adjoint(&y).unwrap());
        let expected = &dense * nalgebra::DVector::from_column_slice(&x);
        let error: Vec<f64> = ax.iter().zip(expected.iter()).map(|(a, b)| a - b).collect();
        assert!(norm(&error) <= ROUNDING * size * norm(&x) * 6.0, "{name}: product");
        // Two of three columns, in an order of their own.
        let few: Vec<usize> = every.iter().rev().copied().filter(|c| c % 3 != 1).collect();
        let values: Vec<f64> = few.iter().map(|&c| x[c]).collect();
        let mut sparse = vec![0.0; rows];
        a.apply_sparse_into(&few, &values, &mut sparse);
        let expected = dense.select_columns(&few) * nalgebra::DVector::from_vec(values);
        let error: Vec<f64> = sparse.iter().zip(expected.iter()).map(|(a, b)| a - b).collect();
        assert!(
            norm(&error) <= ROUNDING * size * norm(&x) * 6.0,
            "{name}: sparse product"
        );
        let (left, right) = (dot(&ax, &y), dot(&x, &ay));
        assert!(
            (left - right).abs() <= ROUNDING * size * norm(&x) * norm(&y),
            "{name}: adjoint"
        );
        let gram = &dense * dense.transpose();
        let kernel = a.tangent_kernel();
        assert!((&kernel - &gram).amax() <= ROUNDING * gram.amax(), "{name}: kernel");
    }
}

#[test]
fn transformed_rows_and_free_parameters_hold_for_every_layer() {
    for network in layered_networks() {
        let name = network.name().to_string();
        let case = Case::of(network, &name);
        let at = Linearisation::new(&case.network, &case.theta, &case.inputs).unwrap();
        let layout = case.network.layout();
        let weights: Vec<usize> = layout
            .weight_slots()
            .flat_map(|s| s.range.clone().step_by(s.len().div_ceil(30)))
            .collect();
        let weights = Support::new(weights, layout.len()).unwrap();
        let plain = at.jacobian(&weights, RowTransform::Identity, Biases::Fixed).unwrap();
        let centred = at.jacobian(&weights, RowTransform::Centred, Biases::Fixed).unwrap();
        let x = normal(&Seed::root(3), "x", weights.len());
        let (ax, rx) = (plain.apply(&x).unwrap(), centred.apply(&x).unwrap());
        for (a, r) in ax.chunks_exact(4).zip(rx.chunks_exact(4)) {
            let mean = a.iter().sum::<f64>() / 4.0;
            for (a, r) in a.iter().zip(r) {
                assert!((a - mean - r).abs() <= ROUNDING * norm(&ax), "{name}");
            }
        }
        // With everything that is not pruned left free, its columns are projected out.
        let free = at.jacobian(&weights, RowTransform::Centred, Biases::Free).unwrap();
        let fx = free.apply(&x).unwrap();
        let other: Vec<usize> = layout
            .unpruned_slots()
            .flat_map(|s| s.range.clone().step_by(s.len().div_ceil(9)))
            .collect();
        if other.is_empty() {
            assert_eq!(free.projection_rank(), 0, "{name}");
            continue;
        }
        let others = Support::new(other, layout.len()).unwrap();
        let other = at.jacobian(&others, RowTransform::Centred, Biases::Fixed).unwrap();
        let norms = other.column_norms();
        for (inner, length) in other.adjoint(&fx).unwrap().iter().zip(norms) {
            // The projection drops directions below its own resolution, √ε of the largest column.
            assert!(inner.abs() <= 1e-7 * (1.0 + length) * norm(&ax), "{name}: {inner:e}");
        }
    }
}

#[test]
fn ten_classes_whose_loops_are_unrolled_agree_with_the_network_too() {
    let network = Network::preset("mlp:7-6:tanh", 5, 10).unwrap();
    let theta = normal(&Seed::root(7), "theta", network.layout().len());
    let inputs = Array::from_fn(9, 5, |i, j| ((i * 5 + j * 3) as f64).sin());
    let at = Linearisation::new(&network, &theta, &inputs).unwrap();
    let weights = network.layout().weights();
    let a = at.jacobian(&weights, RowTransform::Identity, Biases::Fixed).unwrap();
    let (x, y) = (
        normal(&Seed::root(7), "x", weights.len()),
        normal(&Seed::root(7), "y", 90),
    );
    let near = |found: &[f64], expected: &[f64], what: &str| {
        let error: Vec<f64> = found.iter().zip(expected).map(|(a, b)| a - b).collect();
        assert!(norm(&error) <= ROUNDING * (1.0 + norm(expected)), "{what}");
    };
    let product = network.jacobian_vector(&theta, &a.scatter(&x), &inputs).unwrap();
    near(&a.apply(&x).unwrap(), product.as_slice(), "product");
    // Every other column, the rest of the direction being zero.
    let few: Vec<usize> = (0..weights.len()).step_by(2).collect();
    let values: Vec<f64> = few.iter().map(|&c| x[c]).collect();
    let mut direction = vec![0.0; weights.len()];
    few.iter().zip(&values).for_each(|(&c, v)| direction[c] = *v);
    let product = network
        .jacobian_vector(&theta, &a.scatter(&direction), &inputs)
        .unwrap();
    let mut sparse = vec![0.0; 90];
    a.apply_sparse_into(&few, &values, &mut sparse);
    near(&sparse, product.as_slice(), "sparse product");
    let cotangent = Array::from_fn(9, 10, |i, j| y[i * 10 + j]);
    let pulled = network.jacobian_transpose_vector(&theta, &cotangent, &inputs).unwrap();
    let expected: Vec<f64> = weights.indices().iter().map(|&j| pulled[j]).collect();
    near(&a.adjoint(&y).unwrap(), &expected, "adjoint");
}
