use super::{Curvature, CurvatureKind};
use crate::error::Error;
use crate::linalg::norm;
use crate::networks::derivative_cases::{Case, layered_networks, multilayer_cases, normal};
use crate::networks::{Array, Loss, Network};
use crate::operators::{MeasurementOperator, dot_test};
use crate::seed::Seed;
use crate::support::{Mask, Support};

/// The product by layers over values with tangents, on a support.
fn reference(case: &Case, kind: CurvatureKind, loss: Loss, support: &Support, x: &[f64]) -> Vec<f64> {
    let mut direction = vec![0.0; case.theta.len()];
    for (&j, v) in support.indices().iter().zip(x) {
        direction[j] = *v;
    }
    let (theta, inputs, labels) = (&case.theta, &case.inputs, &case.labels);
    let whole = match kind {
        CurvatureKind::Hessian => case.network.hessian_vector(theta, &direction, inputs, labels, loss),
        CurvatureKind::GaussNewton => case
            .network
            .gauss_newton_vector(theta, &direction, inputs, labels, loss),
    };
    let whole = whole.unwrap();
    support.indices().iter().map(|&j| whole[j]).collect()
}

fn sample(case: &Case, s: usize) -> Case {
    Case {
        network: case.network.clone(),
        theta: case.theta.clone(),
        inputs: case.inputs.rows_between(s..s + 1),
        labels: vec![case.labels[s]],
        u: case.u.clone(),
        w: case.w.clone(),
    }
}

/// Every entry is a sum over samples of chains of products: as many roundings as there are samples, and terms in the sums of all
/// layers four times over (the values and their tangents, forwards and backwards). Each is relative to what is added up: the
/// Gauss-Newton part and the rest of every sample, whose cancellation against one another and between samples is left out of the
/// size. Within a layer signs cancel further, by no more than the root of its width for these random networks.
fn tolerance(case: &Case, loss: Loss, support: &Support, x: &[f64], epsilon: f64) -> f64 {
    let n = case.inputs.rows();
    let size: f64 = (0..n)
        .map(|s| {
            let one = sample(case, s);
            let of = |kind| norm(&reference(&one, kind, loss, support, x));
            of(CurvatureKind::Hessian) + 2.0 * of(CurvatureKind::GaussNewton)
        })
        .sum();
    let widths: usize = case.network.dense_layers().map(|d| d.inputs + d.outputs).sum();
    let widest = case.network.dense_layers().map(|d| d.inputs).max().unwrap();
    (n + 4 * widths) as f64 * epsilon * (widest as f64).sqrt() * size / n as f64
}

fn assert_close(name: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    let error: Vec<f64> = found.iter().zip(expected).map(|(a, b)| a - b).collect();
    assert!(norm(&error) <= tolerance, "{name}: {} beyond {tolerance}", norm(&error));
}

/// Everything, the weights, a layer, the biases, and every third coordinate.
fn supports(network: &Network) -> Vec<Support> {
    let layout = network.layout();
    let all = layout.full_mask().support();
    let mut found = vec![all.clone(), layout.weights()];
    found.extend(
        layout
            .slots()
            .iter()
            .map(|s| Support::new(s.range.clone().collect(), layout.len()).unwrap()),
    );
    let some = all.indices().iter().copied().skip(1).step_by(3).collect();
    found.push(Support::new(some, layout.len()).unwrap());
    found
}

#[test]
fn products_at_a_kept_point_are_those_of_the_layers() {
    for (name, case) in multilayer_cases() {
        for kind in CurvatureKind::ALL {
            for loss in Loss::ALL {
                for support in supports(&case.network) {
                    let x = normal(&Seed::root(3), &name, support.len());
                    let (theta, inputs, labels) = (&case.theta, &case.inputs, &case.labels);
                    let kept = Curvature::new(kind, &case.network, theta, inputs, labels, loss, &support).unwrap();
                    assert!(!kept.follows_density());
                    let expected = reference(&case, kind, loss, &support, &x);
                    let bound = tolerance(&case, loss, &support, &x, f64::EPSILON);
                    assert_close(&name, &kept.apply(&x).unwrap(), &expected, bound);
                    // The room of the first product is used again.
                    assert_eq!(kept.apply(&x).unwrap(), kept.clone().apply(&x).unwrap());
                    let (theta, inputs) = (theta.iter().map(|&t| t as f32).collect::<Vec<_>>(), inputs.convert());
                    let single = Curvature::<f32>::new(kind, &case.network, &theta, &inputs, labels, loss, &support);
                    let found = single.unwrap().apply(&x).unwrap();
                    let bound = tolerance(&case, loss, &support, &x, f64::from(f32::EPSILON));
                    assert_close(&name, &found, &expected, bound);
                }
            }
        }
    }
}

/// A network whose mask is sparse enough for the path over survivors, with more samples than a chunk has.
fn ticket(preset: &str, samples: usize) -> (Case, Mask) {
    let mut case = Case::of(Network::preset(preset, 9, 4).unwrap(), preset);
    let seed = Seed::root(5).stream(preset);
    case.inputs = Array::new(samples, 9, normal(&seed, "inputs", 9 * samples)).unwrap();
    case.labels = (0..samples).map(|i| (i * 7 + 2) % 4).collect();
    let (layout, scores) = (case.network.layout(), normal(&seed, "mask", case.theta.len()));
    let mut mask = layout.full_mask();
    for &i in layout.weights().indices() {
        mask.set(i, scores[i] > 1.1);
    }
    for (t, _) in case.theta.iter_mut().zip(mask.bits()).filter(|(_, keep)| !**keep) {
        *t = 0.0;
    }
    (case, mask)
}

#[test]
fn products_over_the_survivors_are_those_of_the_layers() {
    for preset in [
        "mlp:20-15",
        "mlp:20-15:tanh",
        "mlp:20-15-8:gelu:no-bias",
        "mlp:30:erf",
        "linear",
    ] {
        // One sample, a part of a chunk, whole chunks, and a little more than that.
        for samples in [1, 9, 64, 150] {
            let (case, mask) = ticket(preset, samples);
            let layout = case.network.layout();
            let slot = layout.weight_slots().last().unwrap().range.clone();
            let top = Support::new(slot.filter(|&i| mask.keeps(i)).collect(), layout.len()).unwrap();
            for kind in CurvatureKind::ALL {
                for loss in Loss::ALL {
                    for support in [mask.support(), top.clone()] {
                        let (theta, inputs, labels) = (&case.theta, &case.inputs, &case.labels);
                        let kept = Curvature::new(kind, &case.network, theta, inputs, labels, loss, &support).unwrap();
                        assert!(kept.follows_density());
                        let x = normal(&Seed::root(4), preset, support.len());
                        let expected = reference(&case, kind, loss, &support, &x);
                        let bound = tolerance(&case, loss, &support, &x, f64::EPSILON);
                        let name = format!("{preset} {samples} {kind:?} {loss}");
                        assert_close(&name, &kept.apply(&x).unwrap(), &expected, bound);
                        assert_eq!(kept.apply(&x).unwrap(), kept.clone().apply(&x).unwrap());
                        let (theta, inputs) = (theta.iter().map(|&t| t as f32).collect::<Vec<_>>(), inputs.convert());
                        let single =
                            Curvature::<f32>::new(kind, &case.network, &theta, &inputs, labels, loss, &support);
                        let bound = tolerance(&case, loss, &support, &x, f64::from(f32::EPSILON));
                        assert_close(&name, &single.unwrap().apply(&x).unwrap(), &expected, bound);
                    }
                }
            }
        }
    }
}

#[test]
fn chunks_of_the_dense_path_add_up() {
    let (case, _) = ticket("mlp:5-4:tanh", 1100);
    let support = case.network.layout().full_mask().support();
    // Zeros among the parameters are no reason to leave them out where they are chosen.
    for kind in CurvatureKind::ALL {
        let (theta, inputs, labels) = (&case.theta, &case.inputs, &case.labels);
        let loss = Loss::CrossEntropy;
        let kept = Curvature::new(kind, &case.network, theta, inputs, labels, loss, &support).unwrap();
        assert!(!kept.follows_density());
        let x = normal(&Seed::root(6), "x", support.len());
        let bound = tolerance(&case, loss, &support, &x, f64::EPSILON);
        let expected = reference(&case, kind, loss, &support, &x);
        assert_close("chunks", &kept.apply(&x).unwrap(), &expected, bound);
    }
}

#[test]
fn the_curvature_of_a_mask_is_symmetric_and_that_of_the_network_without_the_pruned_weights() {
    for preset in ["mlp:20-15:tanh", "mlp:20-15"] {
        let (case, mask) = ticket(preset, 40);
        for kind in CurvatureKind::ALL {
            // Values at pruned places are no part of the network.
            let mut theta = case.theta.clone();
            for (t, _) in theta.iter_mut().zip(mask.bits()).filter(|(_, keep)| !**keep) {
                *t = 0.7;
            }
            let (inputs, labels, loss) = (&case.inputs, &case.labels, Loss::CrossEntropy);
            let on_mask = Curvature::of_mask(kind, &case.network, &theta, inputs, labels, loss, &mask).unwrap();
            let support = mask.support();
            assert_eq!(on_mask.parameters(), support.indices());
            let same = Curvature::new(kind, &case.network, &case.theta, inputs, labels, loss, &support).unwrap();
            let x = normal(&Seed::root(7), preset, support.len());
            assert_eq!(on_mask.apply(&x).unwrap(), same.apply(&x).unwrap());
            dot_test::check(&on_mask, &Seed::root(8)).unwrap();
        }
    }
}

#[test]
fn running_statistics_are_no_coordinates_of_a_mask() {
    for network in layered_networks()
        .into_iter()
        .filter(|network| !network.is_multilayer())
    {
        let name = network.name().to_string();
        let case = Case::of(network, &name);
        let (layout, loss, kind) = (case.network.layout(), Loss::CrossEntropy, CurvatureKind::Hessian);
        let (theta, inputs, labels, full) = (&case.theta, &case.inputs, &case.labels, layout.full_mask());
        let all = Curvature::of_mask(kind, &case.network, theta, inputs, labels, loss, &full).unwrap();
        let statistics: usize = layout.statistic_slots().map(|slot| slot.len()).sum();
        assert_eq!(all.parameters().len(), layout.len() - statistics, "{name}");
    }
}

#[test]
fn the_block_of_a_layer_is_a_block_of_the_whole() {
    let case = Case::new("mlp:7-5:gelu");
    let (theta, inputs, labels, loss) = (&case.theta, &case.inputs, &case.labels, Loss::CrossEntropy);
    for kind in CurvatureKind::ALL {
        let every = case.network.layout().full_mask().support();
        let whole = Curvature::new(kind, &case.network, theta, inputs, labels, loss, &every)
            .unwrap()
            .to_dense();
        for slot in case.network.layout().slots() {
            let name = &slot.name;
            let block = Curvature::of_layer(kind, &case.network, theta, inputs, labels, loss, name).unwrap();
            let range = &slot.range;
            let expected = whole.view((range.start, range.start), (range.len(), range.len()));
            // Both within the tolerance of the reference; entries of the whole bound its size.
            let bound = 1e3 * f64::EPSILON * whole.norm();
            assert!((block.to_dense() - expected).norm() <= bound, "{name}");
        }
        let unknown = Curvature::of_layer(kind, &case.network, theta, inputs, labels, loss, "dense9.weight");
        assert!(matches!(unknown, Err(Error::Unknown { .. })));
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let case = Case::new("mlp:7");
    let layout = case.network.layout();
    let on = |theta: &[f64], mask: &Mask| {
        let (kind, loss) = (CurvatureKind::Hessian, Loss::Squared);
        Curvature::of_mask(kind, &case.network, theta, &case.inputs, &case.labels, loss, mask).map(|_| ())
    };
    let full = layout.full_mask();
    assert!(matches!(on(&case.theta[1..], &full), Err(Error::Shape { .. })));
    assert!(matches!(on(&case.theta, &Mask::full(3)), Err(Error::Shape { .. })));
    assert!(matches!(
        on(&case.theta, &Mask::empty(layout.len())),
        Err(Error::Argument { .. })
    ));
    let mut broken = case.theta.clone();
    broken[2] = f64::NAN;
    assert!(matches!(on(&broken, &full), Err(Error::NotFinite { .. })));
    let bare = Network::preset("mlp:7:no-bias", 6, 4).unwrap();
    let theta = vec![0.5; bare.layout().len()];
    let nothing = Mask::empty(theta.len());
    let (kind, loss) = (CurvatureKind::Hessian, Loss::Squared);
    let kept = Curvature::of_mask(kind, &bare, &theta, &case.inputs, &case.labels, loss, &nothing);
    assert!(matches!(kept, Err(Error::Shape { .. })));
}

#[test]
fn moving_to_another_point_gives_the_operator_of_that_point_to_the_bit() {
    for (name, case) in multilayer_cases() {
        let support = case.network.layout().full_mask().support();
        // Other parameters, and fewer samples.
        let later: Vec<f64> = case.theta.iter().map(|t| 0.7 * t + 0.01).collect();
        let few = sample(&case, 1);
        for kind in CurvatureKind::ALL {
            for loss in Loss::ALL {
                for support in supports(&case.network).into_iter().chain([support.clone()]) {
                    let (network, theta, inputs, labels) = (&case.network, &case.theta, &case.inputs, &case.labels);
                    let at = |theta: &[f64], inputs, labels: &Vec<usize>| {
                        Curvature::new(kind, network, theta, inputs, labels, loss, &support).unwrap()
                    };
                    let x = normal(&Seed::root(9), &name, support.len());
                    let mut moving = at(theta, inputs, labels);
                    let other = moving.clone();
                    for (theta, inputs, labels) in [
                        (&later, inputs, labels),
                        (theta, &few.inputs, &few.labels),
                        (&later, inputs, labels),
                    ] {
                        moving.move_to(theta, inputs, labels).unwrap();
                        assert_eq!(moving.samples(), inputs.rows());
                        let expected = at(theta, inputs, labels).apply(&x).unwrap();
                        assert_eq!(moving.apply(&x).unwrap(), expected, "{name}");
                    }
                    drop(other);
                    moving.move_to(theta, inputs, labels).unwrap();
                    assert_eq!(moving.apply(&x).unwrap(), at(theta, inputs, labels).apply(&x).unwrap());
                    let before = moving.apply(&x).unwrap();
                    assert!(moving.move_to(&theta[1..], inputs, labels).is_err());
                    assert!(moving.move_to(theta, inputs, &labels[1..]).is_err());
                    assert_eq!(moving.apply(&x).unwrap(), before);
                }
            }
        }
    }
}

#[test]
fn a_sparse_point_moves_and_may_change_its_way_of_computing() {
    let (case, mask) = ticket("mlp:20-15:tanh", 70);
    let (network, theta, inputs, labels) = (&case.network, &case.theta, &case.inputs, &case.labels);
    let support = mask.support();
    let x = normal(&Seed::root(10), "x", support.len());
    let full: Vec<f64> = theta.iter().map(|t| t + 0.1).collect();
    let (kind, loss) = (CurvatureKind::Hessian, Loss::CrossEntropy);
    let mut moving = Curvature::new(kind, network, theta, inputs, labels, loss, &support).unwrap();
    for (theta, follows) in [(&full, false), (theta, true), (&full, false)] {
        moving.move_to(theta, inputs, labels).unwrap();
        assert_eq!(moving.follows_density(), follows);
        let expected = Curvature::new(kind, network, theta, inputs, labels, loss, &support).unwrap();
        assert_eq!(moving.apply(&x).unwrap(), expected.apply(&x).unwrap());
    }
}
