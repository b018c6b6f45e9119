//! Every network with a name trains on data it is made for, and is pruned: at small scale on embedded data and data made
//! by the program, and on the real sets where they are.

use std::path::PathBuf;
use ticketsense::Seed;
use ticketsense::data::{self, DataChoice, Dataset, SequenceTask, Split};
use ticketsense::networks::{Array, Initialisation};
use ticketsense::pruning::{ImpData, ImpPlan, ImpRun, Scope};
use ticketsense::training::{Examples, Optimiser, TrainingPlan};

struct Samples {
    dataset: Dataset,
    parts: Vec<(Array<f32>, Vec<usize>)>,
}

impl Samples {
    /// At most so many samples of every split, in their order.
    fn new(choice: &DataChoice, most: usize) -> Self {
        let dataset = data::load(choice).unwrap();
        let parts = [Split::Train, Split::Validation, Split::Test].map(|split| {
            let indices = dataset.split(split);
            let indices = &indices[..indices.len().min(most)];
            (dataset.batch(indices).unwrap(), dataset.labels_of(indices).unwrap())
        });
        Samples {
            dataset,
            parts: parts.into(),
        }
    }

    fn view(&self) -> ImpData<'_> {
        let of = |part: usize| Examples::labelled(&self.parts[part].0, &self.parts[part].1);
        ImpData {
            training: of(0),
            validation: of(1),
            test: of(2),
            shape: self.dataset.shape(),
            classes: self.dataset.classes(),
            identity: self.dataset.checksum(),
        }
    }
}

fn run(network: &str, samples: &Samples, steps: usize, rounds: usize, rate: f64) -> ImpRun {
    let plan = ImpPlan {
        network: network.into(),
        initialisation: Initialisation::GLOROT,
        training: TrainingPlan {
            optimiser: Optimiser::adam(rate),
            batch: 30,
            steps,
            evaluate_every: steps,
            ..TrainingPlan::default()
        },
        rounds,
        prune_fraction: 0.5,
        output_prune_fraction: None,
        scope: Scope::Global,
        rewind_step: steps / 10,
        ..ImpPlan::default()
    };
    let run = plan.run(&samples.view(), &Seed::root(7), &mut |_| true).unwrap();
    let built = plan.build_network(&samples.view()).unwrap();
    for round in &run.rounds {
        let kept = built.layout().density(&round.mask) * built.layout().prunable() as f64;
        let mut expected = built.layout().prunable();
        for _ in 0..round.round {
            expected -= expected.div_ceil(2);
        }
        assert_eq!(kept.round() as usize, expected, "{network}");
        let leaked = (0..round.outcome.theta.len()).filter(|&i| !round.mask.keeps(i) && round.outcome.theta[i] != 0.0);
        assert_eq!(leaked.count(), 0, "{network}");
    }
    run
}

/// Fails unless every round classifies the test samples better than `least`.
fn require(network: &str, samples: &Samples, steps: usize, rate: f64, least: f64) {
    let found = run(network, samples, steps, 2, rate);
    for round in &found.rounds {
        let seen = round.outcome.test_accuracy;
        assert!(seen > least, "{network}, round {}: {seen}", round.round);
    }
}

#[test]
fn networks_for_images_learn_the_embedded_digits_and_are_pruned() {
    let digits = Samples::new(&DataChoice::Digits, 600);
    // Chance is 0.1; the standard error of an accuracy near 0.7 on 359 samples is 0.024.
    for (network, steps, rate, least) in [
        ("mlp:30:batch-norm:dropout=0.1", 120, 3e-3, 0.6),
        ("conv-2", 40, 1e-3, 0.5),
        ("conv-4:circular", 40, 1e-3, 0.4),
        ("conv-6", 40, 1e-3, 0.4),
        ("resnet-20", 40, 3e-3, 0.3),
        ("transformer", 150, 3e-3, 0.5),
        ("rnn", 150, 3e-3, 0.5),
    ] {
        require(network, &digits, steps, rate, least);
    }
}

#[test]
fn networks_for_sequences_learn_sentences_and_are_pruned() {
    // Chance is 0.25 in every task.
    for (network, task, least) in [
        ("transformer", SequenceTask::Majority, 0.6),
        ("rnn", SequenceTask::Majority, 0.5),
        ("rnn:untied", SequenceTask::Majority, 0.5),
    ] {
        let sentences = Samples::new(&DataChoice::Sequences(task), 1000);
        require(network, &sentences, 200, 3e-3, least);
    }
}

#[test]
fn a_shortcut_that_is_pruned_away_whole_is_named() {
    let digits = Samples::new(&DataChoice::Digits, 100);
    let mut plan = ImpPlan {
        network: "resnet-20".into(),
        training: TrainingPlan {
            batch: 10,
            steps: 2,
            evaluate_every: 2,
            ..TrainingPlan::default()
        },
        rounds: 1,
        output_prune_fraction: None,
        ..ImpPlan::default()
    };
    // The 1×1 convolution beside the first block that halves the image: 512 weights, of which half a weight may stay.
    let shortcut = "convolution9.weight";
    plan.layer_prune_fractions.insert(shortcut.into(), 0.9995);
    let network = plan.build_network(&digits.view()).unwrap();
    assert_eq!(network.layout().slot(shortcut).unwrap().shape, [32, 1, 1, 16]);
    let run = plan.run(&digits.view(), &Seed::root(3), &mut |_| true).unwrap();
    assert_eq!(run.rounds[1].emptied, [shortcut]);
    assert!(run.rounds[0].emptied.is_empty());
}

fn real(set: &str) -> DataChoice {
    let folder = std::env::var_os("TICKETSENSE_DATA").expect("TICKETSENSE_DATA names a folder");
    DataChoice::Folder(PathBuf::from(folder).join(set))
}

#[test]
#[ignore = "needs TICKETSENSE_DATA"]
fn the_networks_of_the_papers_learn_their_own_data_and_are_pruned() {
    let mnist = Samples::new(&real("mnist"), 3000);
    require("lenet-300-100", &mnist, 200, 1.2e-3, 0.8);
    require("lenet-5", &mnist, 120, 2e-3, 0.8);
    let cifar = Samples::new(&real("cifar10"), 600);
    require("conv-2", &cifar, 30, 1e-3, 0.15);
}
