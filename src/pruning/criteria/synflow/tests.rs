use super::super::point::{Point, image_networks};
use super::super::{Criterion, CriterionInput};
use super::rescore;
use crate::error::Error;
use crate::networks::derivative_cases::{Case, every_case};
use crate::networks::{
    Activation, Array, ImageShape, Loss, Network, NetworkBuilder, NormalisationKind, Padding, PoolingKind, Slot,
    SlotKind,
};
use crate::pruning::allocation::exponential;
use crate::pruning::remaining::Remaining;
use crate::pruning::{Allocation, LivePaths, ScoredPruning, keep_highest, keep_highest_together};
use crate::seed::Seed;
use crate::support::Mask;
use crate::training::Examples;
use proptest::prelude::*;
use rand::RngExt;

/// Chains and residual layers, with the activations that SynFlow leaves out and without.
fn positive_pair(build: impl Fn(Activation) -> Network) -> (Network, Network) {
    (build(Activation::Tanh), build(Activation::Linear))
}

#[test]
fn synflow_is_weight_times_gradient_of_the_linear_network_of_absolute_weights() {
    let mut pairs = vec![
        positive_pair(|activation| Network::preset(&format!("mlp:7-5:{activation}"), 6, 4).unwrap()),
        positive_pair(|activation| Network::preset(&format!("mlp:20-9-3:{activation}"), 6, 4).unwrap()),
    ];
    pairs.push(positive_pair(|activation| {
        Network::preset(&format!("mlp:9-5:{activation}:batch-norm"), 6, 4).unwrap()
    }));
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
        // No offsets; of a normalisation the size of its factor over the root of the running variance is left.
        let offset = |slot: &&Slot| matches!(slot.kind, SlotKind::Bias | SlotKind::Shift | SlotKind::Mean);
        for slot in linear.layout().slots().iter().filter(offset) {
            absolute[slot.range.clone()].fill(0.0);
        }
        let ones = Array::from_fn(1, linear.inputs(), |_, _| 1.0);
        let all = Array::from_fn(1, linear.classes(), |_, _| 1.0);
        let slopes = linear.jacobian_transpose_vector(&absolute, &all, &ones).unwrap();
        for (i, score) in scores.iter().enumerate() {
            let is_weight = linear.layout().slot_of(i).kind == SlotKind::Weight;
            let expected = if is_weight { slopes[i] * absolute[i] } else { 0.0 };
            // Sums of positive terms, a few hundred along any path.
            assert!((score - expected).abs() <= 1e3 * f64::EPSILON * expected, "{name} {i}");
        }
    }
}

/// Weights at random, of which a mask keeps some, with factors and variances of normalisations away from 1.
fn random_scores(network: &Network, density: f64, seed: u64) -> (Mask, Vec<f32>, Vec<f64>) {
    let mut rng = Seed::root(seed).rng();
    let mut mask = network.layout().full_mask();
    for &weight in network.layout().weights().indices() {
        mask.set(weight, rng.random::<f64>() < density);
    }
    let mut theta: Vec<f32> = (0..network.layout().len()).map(|_| rng.random::<f32>() - 0.5).collect();
    for slot in network
        .layout()
        .slots()
        .iter()
        .filter(|slot| slot.kind == SlotKind::Variance)
    {
        theta[slot.range.clone()].iter_mut().for_each(|v| *v += 1.0);
    }
    mask.apply(&mut theta).unwrap();
    let (inputs, labels) = (Array::from_fn(1, network.inputs(), |_, _| 0.0), [0]);
    let scores = Criterion::SynFlow.scores(&CriterionInput {
        network,
        theta: &theta,
        mask: &mask,
        initial: &theta,
        loss: Loss::CrossEntropy,
        training: Examples::labelled(&inputs, &labels),
        seed: Seed::root(0),
    });
    (mask, theta, scores.unwrap())
}

fn sums(network: &Network, scores: &[f64]) -> Vec<f64> {
    let slots = network.layout().weight_slots();
    slots.map(|slot| scores[slot.range.clone()].iter().sum()).collect()
}

proptest! {
    #[test]
    fn what_flows_through_one_layer_of_a_chain_flows_through_every_other_and_into_a_unit_flows_what_flows_out(
        widths in prop::collection::vec(1usize..9, 1..5), density in 0.3f64..1.0, seed in any::<u64>(),
        normalised in any::<bool>(),
    ) {
        let words: Vec<String> = widths.iter().map(usize::to_string).collect();
        let option = if normalised { ":batch-norm" } else { "" };
        let network = Network::preset(&format!("mlp:{}{option}", words.join("-")), 6, 4).unwrap();
        let (mask, theta, scores) = random_scores(&network, density, seed);
        let sums = sums(&network, &scores);
        // Positive terms: each of at most six layers adds fewer than 100 roundings.
        let close = |a: f64, b: f64| (a - b).abs() <= 600.0 * f64::EPSILON * sums[0];
        for sum in &sums {
            prop_assert!(close(*sum, sums[0]));
        }
        let slots: Vec<&Slot> = network.layout().weight_slots().collect();
        for pair in slots.windows(2) {
            let ([into, out], width) = ([&scores[pair[0].range.clone()], &scores[pair[1].range.clone()]], pair[0].shape[1]);
            for (unit, row) in into.chunks_exact(width).enumerate() {
                prop_assert!(close(row.iter().sum(), out.iter().skip(unit).step_by(pair[1].shape[1]).sum()));
            }
        }
        // What is live on paths is what has a share.
        let paths = LivePaths::of(&network, &mask).unwrap();
        for &weight in network.layout().weights().indices() {
            prop_assert_eq!(scores[weight] > 0.0, paths.live().keeps(weight) && theta[weight] != 0.0);
        }
    }

    #[test]
    fn layer_sums_stay_the_same_through_windows_and_normalisations(density in 0.4f64..1.0, seed in any::<u64>()) {
        let image = ImageShape { channels: 2, height: 6, width: 4 };
        let network = NetworkBuilder::new("chain", image).unwrap()
            .convolution(3, 3, 1, Padding::Zero(1)).unwrap()
            .normalise(NormalisationKind::Batch).unwrap()
            .activation(Activation::Relu)
            .pool(PoolingKind::Largest, 2, 2).unwrap()
            .convolution(5, 2, 1, Padding::Circular(1)).unwrap()
            .pool(PoolingKind::Mean, 2, 1).unwrap()
            .normalise(NormalisationKind::Batch).unwrap()
            .dense(7).unwrap()
            .dense(4).unwrap()
            .build().unwrap();
        let (_, _, scores) = random_scores(&network, density, seed);
        let sums = sums(&network, &scores);
        for sum in &sums {
            // Positive terms, fewer than 1000 roundings on any path.
            prop_assert!((sum - sums[0]).abs() <= 2000.0 * f64::EPSILON * sums[0]);
        }
    }
}

#[test]
fn in_a_residual_network_the_first_and_the_last_layer_share_the_same_flow() {
    let image = ImageShape {
        channels: 1,
        height: 4,
        width: 4,
    };
    let network = Network::preset("resnet-20", image, 4).unwrap();
    let (_, _, scores) = random_scores(&network, 0.5, 3);
    let sums = sums(&network, &scores);
    let (first, last) = (sums[0], sums[sums.len() - 1]);
    // Every path goes through both; positive terms, at most 20 layers of 600 roundings.
    assert!(first > 0.0 && (first - last).abs() <= 2.0 * 20.0 * 600.0 * f64::EPSILON * first);
    // Within it the flow divides between branch and shortcut.
    assert!(sums[1..sums.len() - 1].iter().all(|sum| *sum > 0.0 && *sum < first));
}

/// Pruning in rounds as it is defined: scores of the whole network under a mask, and the largest of them kept.
fn by_masks(input: &CriterionInput<'_>, counts: &[Vec<usize>], together: bool) -> Vec<Mask> {
    let ranges: Vec<_> = input.network.layout().weight_ranges();
    let (mut mask, mut masks) = (input.mask.clone(), Vec::new());
    for counts in counts {
        let mut theta = input.theta.to_vec();
        mask.apply(&mut theta).unwrap();
        let now = CriterionInput {
            theta: &theta,
            mask: &mask,
            ..input.clone()
        };
        let scores = Criterion::SynFlow.scores(&now).unwrap();
        // A buffer that holds something else is written over.
        let mut left = vec![f64::NAN; 7000];
        let remaining = Remaining::new(input.network.layout(), &mask, input.theta, together);
        rescore(input.network, input.theta, &remaining, &mut left).unwrap();
        for (entry, score) in remaining.entries().iter().zip(&left) {
            assert_eq!(score.to_bits(), scores[entry.index as usize].to_bits());
        }
        mask = match together {
            true => keep_highest_together(&mask, &scores, &ranges, counts[0]).unwrap(),
            false => keep_highest(&mask, &scores, &ranges, counts).unwrap(),
        };
        masks.push(mask.clone());
    }
    masks
}

#[test]
fn rounds_on_what_is_left_are_rounds_of_the_whole_network_to_the_last_bit() {
    let mut networks = image_networks(Activation::Relu);
    networks.push(Network::preset("mlp:37-22-9", 21, 4).unwrap());
    networks.push(Network::preset("mlp:20-33:batch-norm", 16, 4).unwrap());
    for network in networks {
        let name = network.name().to_string();
        let point = Point::of(Case::of(network, &name), 0.9);
        let input = point.input(Loss::Squared);
        let layout = point.network.layout();
        for (allocation, density) in [(Allocation::Global, 0.08), (Allocation::Uniform, 0.2)] {
            let together = allocation == Allocation::Global;
            let pruning = ScoredPruning {
                criterion: Criterion::SynFlow,
                density,
                allocation,
                rounds: 9,
            };
            let found = pruning.prune(&input).unwrap();
            let left: Vec<usize> = layout
                .weight_slots()
                .map(|s| point.mask.kept_in(s.range.clone()))
                .collect();
            let (left, last) = match pruning.allocation.counts(layout, density).unwrap() {
                Some(counts) => (left, counts),
                None => (
                    vec![left.iter().sum()],
                    vec![(density * layout.prunable() as f64).round() as usize],
                ),
            };
            let lists: Vec<_> = left.iter().zip(&last).map(|(&a, &b)| exponential(a, b, 9)).collect();
            let counts: Vec<Vec<usize>> = (0..9).map(|r| lists.iter().map(|list| list[r]).collect()).collect();
            let masks = by_masks(&input, &counts, together);
            assert_eq!(&found.mask, masks.last().unwrap(), "{name}");
            assert!(masks.windows(2).all(|pair| pair[0] != pair[1]));
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
    for (preset, word) in [
        ("mlp:5:layer-norm", "normalisation over a sample's own entries"),
        ("mlp:6:group-norm=2", "normalisation over"),
    ] {
        let network = Network::preset(preset, 6, 4).unwrap();
        let error = Criterion::SynFlow.check(&network).unwrap_err().to_string();
        assert!(error.contains(word) && error.contains("batch normalisation"), "{error}");
    }
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
