use super::*;
use crate::networks::derivative_cases::{Case, layered_networks};
use crate::networks::{
    Activation, Array, ImageShape, NetworkBuilder, NormalisationKind, Padding, PoolingKind, SlotKind,
};
use crate::seed::Seed;
use crate::simulations::percolation::{LayerMask, connectivity};
use proptest::prelude::*;
use rand::RngExt;

/// Every weight kept with the same chance.
fn random_mask(network: &Network, density: f64, seed: &Seed) -> Mask {
    let mut rng = seed.rng();
    let mut mask = network.layout().full_mask();
    for &weight in network.layout().weights().indices() {
        mask.set(weight, rng.random::<f64>() < density);
    }
    mask
}

proptest! {
    #[test]
    fn on_perceptrons_the_live_weights_are_those_of_percolation(
        bits in prop::collection::vec(prop::bool::weighted(0.35), 5 * 6 + 6 * 4 + 4 * 3)
    ) {
        let network = Network::preset("mlp:6-4", 5, 3).unwrap();
        let mut mask = network.layout().full_mask();
        for (&weight, &bit) in network.layout().weights().indices().iter().zip(&bits) {
            mask.set(weight, bit);
        }
        let found = LivePaths::of(&network, &mask).unwrap();
        let layers: Vec<LayerMask> = network
            .layout()
            .weight_slots()
            .map(|s| LayerMask::new(s.shape[0], s.shape[1], mask.bits()[s.range.clone()].to_vec()).unwrap())
            .collect();
        let expected = connectivity(&layers).unwrap();
        let live: Vec<usize> = found.layers().iter().map(|layer| layer.live).collect();
        prop_assert_eq!(live, expected.live.clone());
        prop_assert_eq!(found.effective_density(), expected.effective_density());
        prop_assert_eq!(found.density(), expected.density());
        prop_assert_eq!(found.is_connected(), expected.is_connected());
        prop_assert_eq!(found.live().and(&mask).unwrap(), found.live().clone());
        // What is live is so by itself, without the rest.
        let again = LivePaths::of(&network, found.live()).unwrap();
        prop_assert_eq!(again.live(), found.live());
    }
}

/// A network of smooth layers without biases at a random point: a weight is live when some output depends on it, because
/// a sum over paths is then zero at no random point, and it is exactly zero where there is no path.
fn agrees_with_derivatives(network: Network, densities: &[f64]) {
    let name = network.name().to_string();
    let case = Case::of(network, &name);
    let network = &case.network;
    let mut theta = case.theta;
    for slot in network.layout().slots() {
        match slot.kind {
            SlotKind::Bias | SlotKind::Shift | SlotKind::Mean => theta[slot.range.clone()].fill(0.0),
            SlotKind::Variance => theta[slot.range.clone()].fill(1.0),
            _ => {}
        }
    }
    for (number, &density) in densities.iter().enumerate() {
        let mask = random_mask(network, density, &Seed::root(number as u64).stream(&name));
        let mut at = theta.clone();
        mask.apply(&mut at).unwrap();
        let mut depends = vec![false; at.len()];
        for class in 0..network.classes() {
            let unit = Array::from_fn(case.inputs.rows(), network.classes(), |r, c| {
                // One class, and another factor a sample: sums over samples do not cancel.
                if c == class { 1.0 + 0.1 * r as f64 } else { 0.0 }
            });
            let derivative = network.jacobian_transpose_vector(&at, &unit, &case.inputs).unwrap();
            depends.iter_mut().zip(derivative).for_each(|(d, v)| *d |= v != 0.0);
        }
        let paths = LivePaths::of(network, &mask).unwrap();
        for slot in network.layout().weight_slots() {
            for weight in slot.range.clone() {
                assert_eq!(
                    paths.live().keeps(weight),
                    mask.keeps(weight) && depends[weight],
                    "{name} at density {density}: {} {}",
                    slot.name,
                    weight - slot.range.start
                );
            }
        }
    }
}

#[test]
fn a_weight_is_live_exactly_where_some_output_depends_on_it() {
    // Maxima and ReLU cut off what happens to lose; attention has no paths; a vocabulary is not seen whole.
    let smooth = |layer: &Layer| match layer {
        Layer::Activation(activation) => *activation != Activation::Relu,
        Layer::Pooling(pooling) => pooling.kind == PoolingKind::Mean,
        Layer::Attention(_) | Layer::Embedding(_) => false,
        Layer::Recurrent(cell) => cell.activation != Activation::Relu,
        _ => true,
    };
    let mut seen = 0;
    for network in layered_networks() {
        if !contains(network.layers(), &|layer| !smooth(layer)) {
            agrees_with_derivatives(network, &[1.0, 0.5, 0.25, 0.1]);
            seen += 1;
        }
    }
    assert!(seen >= 5, "{seen}");
    let pair = ImageShape {
        channels: 2,
        height: 4,
        width: 4,
    };
    let residual = NetworkBuilder::new("two residual layers", pair)
        .unwrap()
        .biased(false)
        .convolution(3, 3, 1, Padding::Zero(1))
        .unwrap()
        .residual(
            |b| {
                b.normalise(NormalisationKind::Batch)?
                    .activation(Activation::Tanh)
                    .convolution(3, 3, 1, Padding::Circular(1))
            },
            Ok,
        )
        .unwrap()
        .residual(
            |b| b.activation(Activation::Tanh).convolution(5, 3, 2, Padding::Zero(1)),
            |b| b.convolution(5, 1, 2, Padding::Zero(0)),
        )
        .unwrap()
        .pool_all(PoolingKind::Mean)
        .unwrap()
        .dense(4)
        .unwrap()
        .build()
        .unwrap();
    agrees_with_derivatives(residual, &[0.6, 0.3, 0.2, 0.1, 0.05]);
    for preset in ["rnn:no-bias", "rnn:no-bias:untied"] {
        let series = crate::networks::InputShape::Series { length: 3, features: 4 };
        agrees_with_derivatives(Network::preset(preset, series, 3).unwrap(), &[0.3, 0.02, 0.01]);
    }
}

#[test]
fn a_branch_and_a_shortcut_die_by_name() {
    let image = ImageShape {
        channels: 1,
        height: 2,
        width: 2,
    };
    let network = NetworkBuilder::new("residual", image)
        .unwrap()
        .convolution(2, 1, 1, Padding::Zero(0))
        .unwrap()
        .residual(|b| b.convolution(2, 1, 1, Padding::Zero(0)), Ok)
        .unwrap()
        .residual(
            |b| b.convolution(3, 1, 1, Padding::Zero(0)),
            |b| b.convolution(3, 1, 1, Padding::Zero(0)),
        )
        .unwrap()
        .pool_all(PoolingKind::Largest)
        .unwrap()
        .dense(2)
        .unwrap()
        .build()
        .unwrap();
    let slots: Vec<_> = network.layout().weight_slots().cloned().collect();
    let mut mask = network.layout().full_mask();
    let prune = |mask: &mut Mask, slot: usize| slots[slot].range.clone().for_each(|weight| mask.set(weight, false));
    prune(&mut mask, 1);
    let paths = LivePaths::of(&network, &mask).unwrap();
    assert_eq!(paths.dead_branches(), ["residual0.branch"]);
    assert_eq!(paths.dead_layers(), [slots[1].name.as_str()]);
    assert!(paths.is_connected());
    prune(&mut mask, 3);
    let paths = LivePaths::of(&network, &mask).unwrap();
    assert_eq!(paths.dead_branches(), ["residual0.branch", "residual1.shortcut"]);
    assert_eq!(paths.reached_outputs(), 2);
    prune(&mut mask, 2);
    let paths = LivePaths::of(&network, &mask).unwrap();
    assert_eq!(paths.effective_density(), 0.0);
    assert!(!paths.is_connected());
    assert_eq!(paths.dead_layers().len(), 5);
    assert_eq!(paths.dead_branches().len(), 4);
}

#[test]
fn an_emptied_layer_of_a_chain_leaves_nothing_live() {
    let network = Network::preset("mlp:4-3", 5, 2).unwrap();
    let mut mask = network.layout().full_mask();
    let middle = network.layout().slot("dense1.weight").unwrap().range.clone();
    middle.for_each(|weight| mask.set(weight, false));
    let paths = LivePaths::of(&network, &mask).unwrap();
    assert_eq!(paths.dead_layers(), ["dense0.weight", "dense1.weight", "dense2.weight"]);
    let kept: Vec<usize> = paths.layers().iter().map(|layer| layer.kept).collect();
    assert_eq!((kept, paths.effective_density()), (vec![20, 0, 6], 0.0));
}

#[test]
fn every_preset_is_followed_or_refused_with_a_reason() {
    let image = ImageShape {
        channels: 3,
        height: 32,
        width: 32,
    };
    let resnet = Network::preset("resnet-20", image, 10).unwrap();
    let full = LivePaths::of(&resnet, &resnet.layout().full_mask()).unwrap();
    assert_eq!((full.effective_density(), full.dead_branches().len()), (1.0, 0));
    let tokens = crate::networks::InputShape::Tokens {
        length: 4,
        vocabulary: 7,
    };
    let cell = Network::preset("rnn", tokens, 3).unwrap();
    let paths = LivePaths::of(&cell, &cell.layout().full_mask()).unwrap();
    assert_eq!(paths.effective_density(), 1.0);
    let transformer = Network::preset("transformer", tokens, 3).unwrap();
    let error = LivePaths::of(&transformer, &transformer.layout().full_mask()).unwrap_err();
    assert!(error.to_string().contains("attention multiplies it"), "{error}");
    let short = LivePaths::of(&cell, &Mask::full(3)).unwrap_err();
    assert!(matches!(short, Error::Shape { .. }));
}

#[test]
fn entries_that_share_statistics_are_connected() {
    let image = ImageShape {
        channels: 4,
        height: 1,
        width: 1,
    };
    let build = |kind| {
        NetworkBuilder::new("normalised", image)
            .unwrap()
            .convolution(4, 1, 1, Padding::Zero(0))
            .unwrap()
            .normalise(kind)
            .unwrap()
            .dense(4)
            .unwrap()
            .build()
            .unwrap()
    };
    // One weight into the first channel, one out of the second: only shared statistics connect them.
    for (kind, connected) in [
        (NormalisationKind::Batch, false),
        (NormalisationKind::Layer, true),
        (NormalisationKind::Groups(2), true),
        (NormalisationKind::Groups(4), false),
    ] {
        let network = build(kind);
        let mut mask = network.layout().full_mask();
        let ranges: Vec<_> = network.layout().weight_ranges();
        for (range, kept) in ranges.iter().zip([0, 1]) {
            for weight in range.clone() {
                mask.set(weight, weight == range.start + kept);
            }
        }
        let paths = LivePaths::of(&network, &mask).unwrap();
        assert_eq!(paths.is_connected(), connected, "{kind:?}");
    }
}
