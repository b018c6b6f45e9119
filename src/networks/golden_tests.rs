//! Outputs and gradients of small networks against those of PyTorch, in `tests/golden/layers.json`; the program that
//! wrote it is `benches/peers/layers.py`.

use super::layers::{self, Summed};
use super::*;
use crate::linalg::norm;
use crate::seed::Seed;
use serde_json::Value as Json;

fn numbers(value: &Json) -> Vec<f64> {
    match value {
        Json::Array(entries) => entries.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

fn build(name: &str, shape: &[usize]) -> Network {
    let input = match *shape {
        [channels, height, width] => InputShape::Image(ImageShape {
            channels,
            height,
            width,
        }),
        [length, features] => InputShape::Series { length, features },
        _ => panic!("{shape:?}"),
    };
    let start = NetworkBuilder::new(name, input).unwrap();
    let built = match name {
        "convolution-largest" => start
            .convolution(3, 3, 1, Padding::Zero(1))
            .unwrap()
            .activation(Activation::Relu)
            .pool(PoolingKind::Largest, 2, 2),
        "circular-strided-mean" => start
            .convolution(3, 3, 2, Padding::Circular(1))
            .unwrap()
            .activation(Activation::Tanh)
            .pool(PoolingKind::Mean, 2, 1),
        "batch-norm" => start
            .convolution(4, 2, 1, Padding::Zero(0))
            .unwrap()
            .normalise(NormalisationKind::Batch)
            .map(|b| b.activation(Activation::Tanh)),
        "group-norm" => start
            .convolution(4, 2, 1, Padding::Zero(0))
            .unwrap()
            .normalise(NormalisationKind::Groups(2))
            .map(|b| b.activation(Activation::Gelu)),
        "attention" => start
            .residual(|b| b.normalise(NormalisationKind::Layer)?.attention(3), Ok)
            .unwrap()
            .pool_all(PoolingKind::Mean),
        "recurrent" => start.recurrent(5, Activation::Tanh, true),
        other => panic!("{other}"),
    };
    built.unwrap().dense(4).unwrap().build().unwrap()
}

#[test]
fn outputs_and_gradients_are_those_of_pytorch() {
    let file: Json = serde_json::from_str(include_str!("../../tests/golden/layers.json")).unwrap();
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 7);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let shape: Vec<usize> = numbers(&case["input"]).iter().map(|&v| v as usize).collect();
        let network = build(name, &shape);
        let layout = network.layout();
        let (given, statistics) = (numbers(&case["parameters"]), numbers(&case["statistics"]));
        let mut theta = vec![0.0; layout.len()];
        let (mut taken, mut followed) = (0, 0);
        for slot in layout.slots() {
            let (source, at) = match slot.kind.is_trained() {
                true => (&given, &mut taken),
                false => (&statistics, &mut followed),
            };
            theta[slot.range.clone()].copy_from_slice(&source[*at..*at + slot.len()]);
            *at += slot.len();
        }
        assert_eq!((taken, followed), (given.len(), statistics.len()), "{name}");
        let inputs = Array::new(3, network.inputs(), numbers(&case["inputs"])).unwrap();
        let cotangent = Array::new(3, 4, numbers(&case["cotangent"])).unwrap();
        let seed = Seed::root(0);
        let mode = match case["training"].as_bool().unwrap() {
            true => Mode::Training(&seed),
            false => Mode::Evaluation,
        };
        let parameters = network.plain(&theta);
        let tape = network.forward(&parameters, inputs, mode);
        let mut summed = Summed::<f64, Array<f64>>::new(layout.slots().len());
        layers::pull_back(network.layers(), &parameters, &tape, cotangent, &mut summed, false);
        let slots = layout.slots().iter().zip(summed.slots);
        let gradient: Vec<f64> = slots
            .filter(|(slot, _)| slot.kind.is_trained())
            .flat_map(|(_, value)| value.unwrap().into_vec())
            .collect();
        for (what, ours, theirs) in [
            ("outputs", tape.outputs().as_slice(), numbers(&case["outputs"])),
            ("gradient", &gradient, numbers(&case["gradient"])),
        ] {
            let error: Vec<f64> = ours.iter().zip(&theirs).map(|(a, b)| a - b).collect();
            assert_eq!(ours.len(), theirs.len());
            // Sums of at most a hundred products, and elementary functions good to a few last bits, in both.
            assert!(
                norm(&error) <= 1e3 * f64::EPSILON * norm(&theirs),
                "{name}, {what}: {:e}",
                norm(&error) / norm(&theirs)
            );
        }
    }
}
