use super::*;
use crate::networks::{Activation, ImageShape, Layer, NetworkBuilder, Padding, PoolingKind};
use crate::seed::Seed;
use rand::RngExt;

fn check<T: Real>(preset: &str, epsilon: f64) {
    let network = Network::preset(preset, 5, 3).unwrap();
    let initialisation = "lecun:bias=0.4".parse().unwrap();
    let theta: Vec<T> = network.initial(&Seed::root(2), &initialisation).unwrap();
    let inputs = Array::from_fn(11, 5, |i, j| T::of(((7 * i + 3 * j) % 9) as f64 / 4.0 - 1.0));
    let labels: Vec<usize> = (0..11).map(|i| i % 3).collect();
    let rows = [9usize, 2, 4, 4];
    let mut workspace = Workspace::new(&network, &network.layout().full_mask(), 4);
    for loss in Loss::ALL {
        let targets = loss.targets((&labels).into(), 11, 3).unwrap();
        let picked = inputs.select_rows(&rows).unwrap();
        let picked_labels: Vec<usize> = rows.iter().map(|&r| labels[r]).collect();
        let (value, expected) = network.gradient(&theta, &picked, &picked_labels, loss).unwrap();
        let mut gradient = vec![T::of(f64::NAN); theta.len()];
        let fast = workspace.loss_and_gradient(&theta, &inputs, &targets, &rows, loss, &mut gradient);
        // The same few hundred products, added in another order.
        let tolerance = 1e3 * epsilon;
        assert!((fast - value).abs() <= tolerance * (1.0 + value), "{preset} {loss}");
        for (a, b) in gradient.iter().zip(&expected) {
            let (a, b) = (a.to_f64(), b.to_f64());
            assert!(
                (a - b).abs() <= tolerance * (1.0 + b.abs()),
                "{preset} {loss}: {a} against {b}"
            );
        }
        let score = workspace.score(&theta, &inputs, &targets, loss);
        let whole = network.loss(&theta, &inputs, &labels, loss).unwrap();
        assert!(
            (score.loss - whole).abs() <= tolerance * (1.0 + whole),
            "{preset} {loss}"
        );
        assert_eq!(score.accuracy, network.accuracy(&theta, &inputs, &labels).unwrap());
    }
}

#[test]
fn the_path_in_place_gives_the_gradient_of_the_generic_one() {
    for activation in Activation::ALL {
        for rest in ["", ":no-bias"] {
            check::<f64>(&format!("mlp:7-4:{activation}{rest}"), f64::EPSILON);
            check::<f32>(&format!("mlp:7-4:{activation}{rest}"), f64::from(f32::EPSILON));
        }
    }
    check::<f64>("linear", f64::EPSILON);
}

#[test]
fn a_short_batch_after_a_long_one_leaves_nothing_behind() {
    let network = Network::preset("mlp:4", 3, 2).unwrap();
    let theta: Vec<f64> = network.initial(&Seed::root(2), &Default::default()).unwrap();
    let inputs = Array::from_fn(6, 3, |i, j| (i + j) as f64 / 3.0 - 1.0);
    let targets = Loss::Squared
        .targets((&[0usize, 1, 0, 1, 1, 0][..]).into(), 6, 2)
        .unwrap();
    let run = |workspace: &mut Workspace<f64>, rows: &[usize]| {
        let mut gradient = vec![0.0; theta.len()];
        workspace.loss_and_gradient(&theta, &inputs, &targets, rows, Loss::Squared, &mut gradient);
        gradient
    };
    let fresh = run(&mut Workspace::new(&network, &network.layout().full_mask(), 6), &[5]);
    let mut used = Workspace::new(&network, &network.layout().full_mask(), 6);
    run(&mut used, &[0, 1, 2, 3, 4, 5]);
    assert_eq!(run(&mut used, &[5]), fresh);
}

/// Masks of every kind, by name: the first layer of the network is 24 × 19.
fn masks(network: &Network) -> Vec<(String, Mask)> {
    let layout = network.layout();
    let mut rng = Seed::root(5).rng();
    let mut random = |density: f64| {
        let mut mask = layout.full_mask();
        for &i in layout.weights().indices() {
            mask.set(i, rng.random::<f64>() < density);
        }
        mask
    };
    let only = |kept: &dyn Fn(usize, usize, usize) -> bool| {
        let mut mask = layout.full_mask();
        for (layer, slot) in layout.weight_slots().enumerate() {
            let columns = slot.len() / slot.shape[0];
            for (place, index) in slot.range.clone().enumerate() {
                mask.set(index, kept(layer, place / columns, place % columns));
            }
        }
        mask
    };
    let mut masks: Vec<(String, Mask)> = [0.0, 0.01, 0.05, 0.15, 0.24, 0.5]
        .map(|density| (format!("random at {density}"), random(density)))
        .into();
    masks.push(("full".into(), layout.full_mask()));
    masks.push((
        "one weight a row".into(),
        only(&|_, row, column| (3 * row) % 10 == column),
    ));
    masks.push((
        "empty rows".into(),
        only(&|_, row, column| row % 5 == 0 && column % 2 == 0),
    ));
    masks.push((
        "empty columns".into(),
        only(&|_, row, column| column % 5 == 2 && row % 2 == 0),
    ));
    masks.push((
        "sparse layers below a full one".into(),
        only(&|layer, row, column| layer == 2 || (row + 2 * column) % 9 == 0),
    ));
    masks.push((
        "a full layer between sparse ones".into(),
        only(&|layer, row, column| layer == 1 || (row + 2 * column) % 20 == 0),
    ));
    masks
}

/// Every path against the generic gradient: on the own coordinates alone, whatever stood there before.
fn agrees<T: Real>(network: &Network, epsilon: f64) {
    let full: Vec<T> = network
        .initial(&Seed::root(2), &"lecun:bias=0.4".parse().unwrap())
        .unwrap();
    let inputs = Array::from_fn(140, network.inputs(), |i, j| {
        T::of(((7 * i + 3 * j + i * j) % 23) as f64 / 8.0 - 1.4)
    });
    let labels: Vec<usize> = (0..140).map(|i| (i * i) % 4).collect();
    let targets = Loss::CrossEntropy.targets((&labels).into(), 140, 4).unwrap();
    // Sums of products of numbers of size 1: over the inputs of each layer going forward, over samples and positions for a
    // gradient, one inside the other.
    let positions = network.layers().iter().map(|layer| match layer {
        Layer::Convolution(convolution) => convolution.positions(),
        _ => 1,
    });
    let terms = 130 * positions.max().unwrap()
        + network
            .layout()
            .slots()
            .iter()
            .map(|s| s.len() / s.shape[0])
            .sum::<usize>();
    let tolerance = 4.0 * terms as f64 * epsilon;
    for (name, mask) in masks(network) {
        let mut masked = full.clone();
        mask.apply(&mut masked).unwrap();
        let mut workspace = Workspace::<T>::new(network, &mask, 130);
        // What is pruned is not taken over, whatever it is.
        let own = workspace.gather(&full);
        let mut back: Vec<T> = masked.iter().map(|_| T::ZERO).collect();
        workspace.scatter(&own, &mut back);
        assert_eq!(back, masked, "{name}");
        let mut gradient = vec![T::of(f64::NAN); own.len()];
        for batch in [1usize, 59, 60, 64, 65, 130] {
            let rows: Vec<usize> = (0..batch).map(|k| (11 * k + 5) % 140).collect();
            let value = workspace.loss_and_gradient(&own, &inputs, &targets, &rows, Loss::CrossEntropy, &mut gradient);
            let picked: Vec<usize> = rows.iter().map(|&row| labels[row]).collect();
            let (expected_value, mut expected) = network
                .gradient(
                    &masked,
                    &inputs.select_rows(&rows).unwrap(),
                    &picked,
                    Loss::CrossEntropy,
                )
                .unwrap();
            mask.apply(&mut expected).unwrap();
            let mut found = vec![T::ZERO; expected.len()];
            workspace.scatter(&gradient, &mut found);
            mask.apply(&mut found).unwrap();
            assert!(
                (value - expected_value).abs() <= tolerance * (1.0 + value),
                "{name}: {batch}"
            );
            for (index, (a, b)) in found.iter().zip(&expected).enumerate() {
                let (a, b) = (a.to_f64(), b.to_f64());
                assert!(
                    (a - b).abs() <= tolerance * (1.0 + b.abs()),
                    "{} {name}, batch {batch}, parameter {index}: {a} against {b}",
                    network.name()
                );
            }
        }
        let score = workspace.score(&own, &inputs, &targets, Loss::CrossEntropy);
        let loss = network.loss(&masked, &inputs, &labels, Loss::CrossEntropy).unwrap();
        assert!((score.loss - loss).abs() <= tolerance * (1.0 + loss), "{name}");
        assert_eq!(
            score.accuracy,
            network.accuracy(&masked, &inputs, &labels).unwrap(),
            "{name}"
        );
    }
}

#[test]
fn every_path_gives_the_generic_gradient_under_every_mask_and_batch_size() {
    for activation in Activation::ALL {
        for rest in ["", ":no-bias"] {
            let network = Network::preset(&format!("mlp:24-11:{activation}{rest}"), 19, 4).unwrap();
            agrees::<f64>(&network, f64::EPSILON);
            agrees::<f32>(&network, f64::from(f32::EPSILON));
        }
    }
}

/// Small networks with every kind of node: borders of every width, windows that do not fill the image, both poolings,
/// planes to interleave or a single one, an activation behind a pooling, layers without one.
fn convolutional(activation: Activation, bias: bool) -> Vec<Network> {
    let image = |channels, height, width| ImageShape {
        channels,
        height,
        width,
    };
    let build = |name: &str, image: ImageShape| NetworkBuilder::new(name, image).unwrap().biased(bias);
    let two = build("two convolutions", image(3, 6, 5))
        .convolution(9, 3, 1, Padding::Zero(1))
        .unwrap()
        .activation(activation)
        .convolution(10, 3, 1, Padding::Zero(1))
        .unwrap()
        .activation(activation)
        .pool(PoolingKind::Largest, 2, 2)
        .unwrap();
    let narrow = build("no border", image(1, 7, 7))
        .convolution(6, 3, 1, Padding::Zero(0))
        .unwrap()
        .pool(PoolingKind::Mean, 2, 2)
        .unwrap()
        .activation(activation)
        .convolution(7, 2, 1, Padding::Zero(1))
        .unwrap()
        .activation(activation)
        .pool(PoolingKind::Mean, 1, 3)
        .unwrap();
    let pooled = build("pooled twice", image(2, 8, 8))
        .convolution(5, 5, 1, Padding::Zero(2))
        .unwrap()
        .activation(activation)
        .pool(PoolingKind::Largest, 2, 2)
        .unwrap()
        .convolution(8, 4, 1, Padding::Zero(3))
        .unwrap()
        .pool(PoolingKind::Largest, 3, 2)
        .unwrap()
        .activation(activation);
    [two, narrow, pooled]
        .map(|builder| {
            let hidden = builder.dense(11).unwrap().activation(activation);
            hidden.dense(4).unwrap().build().unwrap()
        })
        .into()
}

#[test]
fn convolutions_in_lanes_give_the_generic_gradient_under_every_mask_and_batch_size() {
    for (activation, bias) in [
        (Activation::Relu, true),
        (Activation::Relu, false),
        (Activation::Gelu, true),
    ] {
        for network in convolutional(activation, bias) {
            assert!(chain::is_chain(&network), "{}", network.name());
            agrees::<f64>(&network, f64::EPSILON);
            agrees::<f32>(&network, f64::from(f32::EPSILON));
        }
    }
}

#[test]
fn own_coordinates_are_the_survivors_and_biases_where_few_weights_are_left() {
    let network = Network::preset("mlp:24-11", 19, 4).unwrap();
    let layout = network.layout();
    for (name, mask) in masks(&network) {
        let workspace = Workspace::<f32>::new(&network, &mask, 8);
        let whole = layout.density(&mask) < SPARSE_DENSITY_SINGLE;
        for (slot, range) in layout.slots().iter().zip(workspace.ranges()) {
            let kept = mask.kept_in(slot.range.clone());
            let compact = whole && (kept as f64) < SPARSE_DENSITY_SINGLE * slot.len() as f64;
            assert_eq!(range.len(), if compact { kept } else { slot.len() }, "{name}");
        }
        assert_eq!(workspace.ranges().last().unwrap().end, workspace.parameters());
        let kept = workspace
            .keep()
            .map_or(workspace.parameters(), |keep| keep.iter().filter(|k| **k).count());
        assert_eq!(kept, mask.kept(), "{name}");
        // Ascending: the positions themselves, gathered, come in order.
        let positions: Vec<f32> = (0..layout.len()).map(|i| i as f32).collect();
        let own = workspace.gather(&positions);
        let kept: Vec<f32> = own.iter().copied().filter(|v| *v != 0.0).collect();
        assert!(kept.is_sorted(), "{name}");
    }
}

#[test]
fn a_short_batch_on_the_survivors_leaves_nothing_of_a_long_one_behind() {
    let network = Network::preset("mlp:24-11:tanh", 19, 4).unwrap();
    let (_, mask) = masks(&network).swap_remove(2);
    let theta: Vec<f32> = network.initial(&Seed::root(2), &Default::default()).unwrap();
    let inputs = Array::from_fn(70, 19, |i, j| ((i + j) % 9) as f32 / 3.0 - 1.0);
    let labels: Vec<usize> = (0..70).map(|i| i % 4).collect();
    let targets = Loss::Squared.targets((&labels).into(), 70, 4).unwrap();
    let run = |workspace: &mut Workspace<f32>, rows: &[usize]| {
        let own = workspace.gather(&theta);
        let mut gradient = vec![0.0; own.len()];
        workspace.loss_and_gradient(&own, &inputs, &targets, rows, Loss::Squared, &mut gradient);
        gradient
    };
    let all: Vec<usize> = (0..70).collect();
    let mut used = Workspace::new(&network, &mask, 70);
    run(&mut used, &all);
    for few in [1, 7, 20, 40] {
        assert_eq!(
            run(&mut used, &all[..few]),
            run(&mut Workspace::new(&network, &mask, 70), &all[..few])
        );
    }
}
