use super::*;
use crate::networks::{Activation, Array, ImageShape, Initialisation, NetworkBuilder, Padding, PoolingKind};
use crate::seed::Seed;
use crate::theory::structured_cost::convolution;
use proptest::prelude::*;
use rand::RngExt;

fn parameters(network: &Network, seed: u64) -> Vec<f64> {
    let initialisation: Initialisation = "he:bias=0.3".parse().unwrap();
    let mut theta: Vec<f64> = network.initial(&Seed::root(seed), &initialisation).unwrap();
    // Normalisations away from their start, so that a channel that is left in place by mistake shows.
    let mut rng = Seed::root(seed).stream("normalisation").rng();
    for slot in network.layout().slots() {
        if matches!(
            slot.kind,
            SlotKind::Scale | SlotKind::Shift | SlotKind::Mean | SlotKind::Variance
        ) {
            theta[slot.range.clone()]
                .iter_mut()
                .for_each(|v| *v = 0.5 + rng.random::<f64>());
        }
    }
    theta
}

fn random_choice(units: &Units, seed: u64, fraction: f64) -> UnitChoice {
    let mut rng = Seed::root(seed).stream("choice").rng();
    let scores: Vec<Vec<f64>> = units
        .families()
        .iter()
        .map(|f| (0..f.units).map(|_| rng.random()).collect())
        .collect();
    units.choose(&scores, &units.counts_at(fraction).unwrap()).unwrap()
}

/// Masked and smaller network give the same outputs, and mask, count and smaller network agree.
fn agree(network: &Network, fraction: f64, seed: u64) {
    let units = Units::of(network);
    let choice = random_choice(&units, seed, fraction);
    let mut theta = parameters(network, seed);
    let mask = units.mask(&choice);
    network.layout().check_mask(&mask).unwrap();
    let small = units.extract(&theta, &choice).unwrap();
    let cost = units.cost(&choice);
    let weights: usize = network
        .layout()
        .weight_slots()
        .map(|s| mask.kept_in(s.range.clone()))
        .sum();
    let of = |kinds: &[SlotKind]| -> usize {
        let slots = small.network.layout().slots().iter();
        slots.filter(|s| kinds.contains(&s.kind)).map(|s| s.len()).sum()
    };
    assert_eq!(cost.weights as usize, weights);
    assert_eq!(weights, small.network.layout().prunable());
    assert_eq!(cost.biases as usize, of(&[SlotKind::Bias]));
    assert_eq!(cost.normalisation as usize, of(&[SlotKind::Scale, SlotKind::Shift]));
    assert_eq!(cost.multiply_adds as usize, network.multiply_adds(Some(&mask)));
    assert_eq!(cost.multiply_adds as usize, small.network.multiply_adds(None));
    mask.apply(&mut theta).unwrap();
    let inputs = Array::from_fn(3, network.inputs(), |i, j| ((7 * i * i + 3 * j) as f64).sin());
    let (all, few) = (
        network.outputs(&theta, &inputs).unwrap(),
        small.network.outputs(&small.theta, &inputs).unwrap(),
    );
    for (a, b) in all.as_slice().iter().zip(few.as_slice()) {
        // Sums of at most a few thousand numbers of the size of the outputs, in another order, through few layers.
        assert!(
            (a - b).abs() <= 1e4 * f64::EPSILON * (1.0 + a.abs()),
            "{} {a} {b}",
            network.name()
        );
    }
}

#[test]
fn a_mask_of_units_computes_what_the_smaller_network_does_and_both_counts_agree() {
    for (name, inputs) in [
        ("mlp:12-9-7:tanh", 6),
        ("mlp:12-9:no-bias", 6),
        ("mlp:10-8:batch-norm", 5),
        ("lenet-5", 144),
        ("conv-2:circular", 64),
        ("conv-2:batch-norm", 3 * 8 * 8),
        ("resnet-20", 64),
    ] {
        let shape: crate::networks::InputShape = match inputs {
            192 => ImageShape {
                channels: 3,
                height: 8,
                width: 8,
            }
            .into(),
            n => n.into(),
        };
        let network = Network::preset(name, shape, 3).unwrap();
        let fractions: &[f64] = if name.starts_with("mlp") {
            &[0.1, 0.5, 1.0]
        } else {
            &[0.3]
        };
        for &fraction in fractions {
            agree(&network, fraction, 1);
        }
    }
}

#[test]
fn nothing_is_lost_when_every_unit_stays() {
    let network = Network::preset("mlp:5-4", 3, 2).unwrap();
    let units = Units::of(&network);
    let theta = parameters(&network, 2);
    let same = units.extract(&theta, &units.all()).unwrap();
    assert_eq!((&same.network, &same.theta), (&network, &theta));
    assert_eq!(units.mask(&units.all()), network.layout().full_mask());
}

#[test]
fn units_without_a_path_are_what_compaction_takes_out() {
    let network = Network::preset("mlp:9-8-7", 5, 3).unwrap();
    let units = Units::of(&network);
    let theta = parameters(&network, 3);
    for fraction in [0.2, 0.5, 0.8] {
        let choice = random_choice(&units, 4, fraction);
        let compacted = network.compacted(&theta, &units.mask(&choice)).unwrap();
        let extracted = units.extract(&theta, &choice).unwrap();
        assert_eq!(compacted.network, extracted.network);
        // What is taken out reaches no output and adds nothing to a bias behind it: its outgoing weights are pruned.
        assert_eq!(compacted.theta, extracted.theta);
    }
}

#[test]
fn the_count_of_a_convolution_is_the_closed_form() {
    let image = ImageShape {
        channels: 2,
        height: 6,
        width: 6,
    };
    let network = NetworkBuilder::new("two", image)
        .unwrap()
        .convolution(8, 3, 1, Padding::Zero(1))
        .and_then(|b| b.activation(Activation::Relu).convolution(6, 3, 1, Padding::Zero(0)))
        .and_then(|b| b.pool_all(PoolingKind::Mean))
        .and_then(|b| b.dense(3))
        .and_then(NetworkBuilder::build)
        .unwrap();
    let units = Units::of(&network);
    let kinds: Vec<UnitKind> = units.families().iter().map(|f| f.kind).collect();
    assert_eq!(kinds, [UnitKind::Channel, UnitKind::Channel, UnitKind::Neuron]);
    let scores = units.norms(&parameters(&network, 5), UnitNorm::Euclidean).unwrap();
    let cost = units.cost(&units.choose(&scores, &[5, 2, 3]).unwrap());
    let (first, second, last) = (
        convolution(2, 5, 3, 36).unwrap(),
        convolution(5, 2, 3, 16).unwrap(),
        convolution(2, 3, 1, 1).unwrap(),
    );
    assert_eq!(cost.weights, first.weights + second.weights + last.weights);
    assert_eq!(
        cost.multiply_adds,
        first.multiply_adds + second.multiply_adds + last.multiply_adds
    );
    assert_eq!(cost.biases, 5 + 2 + 3);
}

#[test]
fn norms_of_incoming_weights_are_sums_over_rows_and_the_largest_stay() {
    let network = Network::preset("mlp:3", 2, 2).unwrap();
    // Rows of the hidden layer: (3, 4), (−5, 1), (6, 0); then its biases.
    let theta = [
        3.0f64, 4.0, -5.0, 1.0, 6.0, 0.0, 9.0, 9.0, 9.0, 1.0, 1.0, 1.0, -2.0, 2.0, 0.0, 0.0, 0.0,
    ];
    let units = Units::of(&network);
    let sums = units.norms(&theta, UnitNorm::AbsoluteSum).unwrap();
    assert_eq!(sums, [vec![7.0, 6.0, 6.0], vec![3.0, 4.0]]);
    let lengths = units.norms(&theta, UnitNorm::Euclidean).unwrap();
    assert_eq!(lengths[0], [5.0, 26f64.sqrt(), 6.0]);
    // Of equal scores the first stays.
    assert_eq!(units.choose(&sums, &[2, 2]).unwrap().family(0), [true, true, false]);
    assert_eq!(units.choose(&lengths, &[2, 2]).unwrap().family(0), [false, true, true]);
}

#[test]
fn a_residual_connection_makes_one_family_of_the_channels_that_it_adds() {
    let network = Network::preset("resnet-20", 64, 10).unwrap();
    let units = Units::of(&network);
    let stream = &units.families()[0];
    assert_eq!(
        (stream.kind, stream.units, stream.producers.len()),
        (UnitKind::Channel, 16, 4)
    );
    assert_eq!(stream.kept_whole, None);
    // Three streams, and one inner family in each of nine blocks.
    assert_eq!(units.prunable(UnitKind::Channel).unwrap().len(), 12);
    let scores = units.norms(&parameters(&network, 6), UnitNorm::AbsoluteSum).unwrap();
    let choice = units.choose(&scores, &units.counts_at(0.5).unwrap()).unwrap();
    let theta = parameters(&network, 6);
    let small = units.extract(&theta, &choice).unwrap();
    let widths = |n: &Network| n.layout().slot("convolution0.weight").unwrap().shape[0];
    assert_eq!((widths(&network), widths(&small.network)), (16, 8));
}

#[test]
fn channels_added_to_the_inputs_stay_and_the_refusal_names_both_sides() {
    let image = ImageShape {
        channels: 2,
        height: 4,
        width: 4,
    };
    let network = NetworkBuilder::new("added", image)
        .unwrap()
        .residual(|b| b.convolution(2, 3, 1, Padding::Zero(1)), Ok)
        .and_then(|b| b.dense(3))
        .and_then(NetworkBuilder::build)
        .unwrap();
    let units = Units::of(&network);
    let error = units.prunable(UnitKind::Channel).unwrap_err().to_string();
    assert!(
        error.contains("convolution0.weight") && error.contains("inputs of the network"),
        "{error}"
    );
    let scores = units.norms(&parameters(&network, 1), UnitNorm::AbsoluteSum).unwrap();
    let error = units.choose(&scores, &[1, 3]).unwrap_err().to_string();
    assert!(
        error.contains("convolution0.weight") && error.contains("inputs of the network"),
        "{error}"
    );
    assert_eq!(units.counts_at(0.5).unwrap(), [2, 3]);
}

#[test]
fn a_network_without_the_units_asked_for_is_refused_by_name() {
    let network = Network::preset("mlp:5", 3, 2).unwrap();
    let units = Units::of(&network);
    let error = units.prunable(UnitKind::Channel).unwrap_err().to_string();
    assert!(error.contains("channels") && error.contains("mlp:5"), "{error}");
    assert!(units.prunable(UnitKind::Head).is_err());
    assert_eq!(units.prunable(UnitKind::Neuron).unwrap(), [0]);
    let scores = units.norms(&parameters(&network, 1), UnitNorm::AbsoluteSum).unwrap();
    assert!(units.choose(&scores, &[0, 2]).is_err());
    assert!(units.choose(&scores, &[6, 2]).is_err());
    assert!(
        units
            .choose(&scores, &[3, 1])
            .unwrap_err()
            .to_string()
            .contains("outputs of the network")
    );
    assert!(units.choose(&scores, &[3]).is_err());
    assert!(units.counts_at(0.0).is_err() && units.counts_at(1.5).is_err());
    assert!(units.incoming_sums(&[1.0]).is_err());
}

#[test]
fn a_head_that_is_gone_adds_nothing_and_layer_normalisation_keeps_the_stream_whole() {
    let network = Network::preset("transformer", 64, 3).unwrap();
    let units = Units::of(&network);
    let heads = units.prunable(UnitKind::Head).unwrap();
    assert_eq!(heads.len(), 2);
    assert!(
        units.families()[0]
            .kept_whole
            .as_ref()
            .unwrap()
            .contains("layer normalisation")
    );
    let theta = parameters(&network, 7);
    let mut counts: Vec<usize> = units.families().iter().map(|f| f.units).collect();
    counts[heads[0]] = 3;
    let choice = units
        .choose(&units.norms(&theta, UnitNorm::Euclidean).unwrap(), &counts)
        .unwrap();
    let gone = choice.family(heads[0]).iter().position(|k| !k).unwrap();
    let mask = units.mask(&choice);
    let mut masked = theta.clone();
    mask.apply(&mut masked).unwrap();
    // Whatever its queries, keys and values are, the outputs stay: of its width 8 nothing is taken.
    let mut disturbed = masked.clone();
    for part in ["query", "key", "value"] {
        let name = units.families()[heads[0]]
            .producers
            .iter()
            .find(|n| n.contains(part))
            .unwrap();
        let start = network.layout().slot(name).unwrap().range.start;
        disturbed[start + gone * 8 * 32..start + (gone + 1) * 8 * 32].fill(0.7);
    }
    let inputs = Array::from_fn(2, 64, |i, j| ((i + 3 * j) as f64).cos());
    assert_eq!(
        network.outputs(&masked, &inputs).unwrap(),
        network.outputs(&disturbed, &inputs).unwrap()
    );
    assert_ne!(
        network.outputs(&theta, &inputs).unwrap(),
        network.outputs(&masked, &inputs).unwrap()
    );
    // Eight rows of three and eight columns of one 32×32 weight, at every one of eight positions.
    let lost = units.cost(&units.all()).weights - units.cost(&choice).weights;
    assert_eq!(lost, 4 * 8 * 32);
    assert_eq!(
        units.cost(&choice).multiply_adds as usize,
        network.multiply_adds(Some(&mask))
    );
    let error = units.extract(&theta, &choice).unwrap_err().to_string();
    assert!(error.contains("transformer"), "{error}");
}

#[test]
fn a_recurrent_unit_goes_with_its_row_and_its_column() {
    let network = Network::preset("rnn", 64, 3).unwrap();
    let units = Units::of(&network);
    let theta = parameters(&network, 8);
    let choice = random_choice(&units, 8, 0.25);
    let mask = units.mask(&choice);
    let hidden = network.layout().slot("recurrent0.hidden").unwrap().range.clone();
    assert_eq!(mask.kept_in(hidden), 16 * 16);
    assert_eq!(
        units.cost(&choice).multiply_adds as usize,
        network.multiply_adds(Some(&mask))
    );
    assert!(units.extract(&theta, &choice).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn mask_count_and_smaller_network_agree_for_any_perceptron(
        widths in prop::collection::vec(1usize..9, 1..4), fraction in 0.05f64..1.0, seed in any::<u64>(),
    ) {
        let name = format!("mlp:{}", widths.iter().map(usize::to_string).collect::<Vec<_>>().join("-"));
        agree(&Network::preset(&name, 4, 3).unwrap(), fraction, seed);
    }
}
