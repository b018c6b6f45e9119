use super::super::test_folder::Folder;
use super::super::{linearize, percolate};
use super::*;
use ticketsense::data::{self, DataChoice};
use ticketsense::harness::Stop;
use ticketsense::networks::Initialisation;
use ticketsense::pruning::{DynamicTraining, Growth};
use ticketsense::training::Bundle;

/// A command line in one string; the folders of tests have no spaces.
fn matches(command: clap::Command, line: &str) -> ArgMatches {
    let name = command.get_name().to_string();
    command
        .try_get_matches_from(std::iter::once(name.as_str()).chain(line.split_whitespace()))
        .unwrap()
}

fn ask(line: &str) -> Result<Answer> {
    let line = format!("--data digits --network mlp:12 --batch 40 {line}");
    run(&matches(command(), &line))
}

fn network() -> Network {
    Network::preset("mlp:12", 64, 10).unwrap()
}

#[test]
fn every_method_writes_a_mask_that_is_loaded_trained_linearised_and_percolated() {
    let folder = Folder::new("grow");
    for (method, own) in [
        ("set", "--every 10 --fraction 0.5 --decay constant"),
        ("rigl", "--every 10 --last-fraction 0.6"),
        (
            "hard-thresholding",
            "--every 3 --warm-up 4 --debias-steps 5 --allocation erk",
        ),
        (
            "movement-pruning",
            "--first-fraction 0.2 --last-fraction 0.9 --allocation global",
        ),
        (
            "edge-popup",
            "--ranking value --frozen-weights kaiming-normal --unscaled",
        ),
    ] {
        let out = folder.path(method);
        let line = format!("--method {method} {own} --density 0.25 --steps 30 --evaluate-every 10 --out {out}");
        let told = ask(&line).unwrap();
        let json = &told.json;
        let mask = format!("{out}/mask.npy");
        let loaded = network_files::mask(Path::new(&mask), &network()).unwrap();
        assert_eq!(json["kept"].as_u64(), Some(222), "{method}");
        assert_eq!(kept_weights(&network(), &loaded), 222, "{method}");
        let checkpoint = format!("{out}/checkpoint.safetensors");
        let (theta, stored) = network_files::checkpoint::<f32>(Path::new(&checkpoint), &network()).unwrap();
        assert_eq!(stored.as_ref(), Some(&loaded), "{method}");
        // What is judged is what is written.
        let samples = ImpSamples::new(data::load(&DataChoice::Digits).unwrap()).unwrap();
        let loss = ticketsense::networks::Loss::CrossEntropy;
        let score = samples.view().test.score(&network(), &loaded, &theta, loss).unwrap();
        assert_eq!(json["test_accuracy"], score.accuracy, "{method}");
        assert_eq!(json["status"], "converged", "{method}");
        let rows = std::fs::read_to_string(format!("{out}/history.csv")).unwrap();
        assert!(rows.lines().count() >= 5, "{method}: {rows}");
        // And used by the others.
        let line = format!(
            "--data digits --network mlp:12 --steps 2 --mask {mask} --out {}",
            folder.path(&format!("{method}-again"))
        );
        let again = train::train(&matches(train::command(), &line), &Stop::new()).unwrap();
        assert_eq!(again.json["kept"].as_u64(), Some(222), "{method}");
        let line = format!("--network mlp:12 --mask {mask}");
        percolate::run(&matches(percolate::command(), &line)).unwrap();
        let line = format!("--network mlp:12 --checkpoint {checkpoint} --samples 5 --max-comparisons 10");
        let seen = linearize::run(&matches(linearize::command(), &line)).unwrap();
        assert_eq!(seen.json["columns"].as_u64(), Some(222), "{method}");
        assert!(
            told.text.contains("test accuracy") && told.text.contains(method),
            "{}",
            told.text
        );
    }
}

#[test]
fn rigl_on_the_command_line_is_rigl_of_the_library_on_the_streams_of_train() {
    let folder = Folder::new("grow-rigl");
    let (out, mask) = (folder.path("out"), folder.path("m.npy"));
    let seed = Seed::root(7).stream("imp").stream("0");
    let network = network();
    let layers: Vec<_> = network.layout().weight_ranges();
    let first = random_mask(network.layout().len(), &layers, &[100, 40], &Seed::root(3)).unwrap();
    write_mask(Path::new(&mask), &first).unwrap();
    let told = ask(&format!(
        "--method rigl --every 5 --steps 20 --seed 7 --mask {mask} --out {out}"
    ))
    .unwrap()
    .json;
    let samples = ImpSamples::new(data::load(&DataChoice::Digits).unwrap()).unwrap();
    let initial: Vec<f32> = network
        .initial(&seed.stream("initial"), &Initialisation::GLOROT)
        .unwrap();
    let plan = TrainingPlan {
        optimiser: ticketsense::training::Optimiser::adam(0.0012),
        batch: 40,
        steps: 20,
        evaluate_every: 50,
        ..TrainingPlan::default()
    };
    let method = DynamicTraining {
        every: 5,
        ..DynamicTraining::new(Growth::Gradient)
    };
    let order = seed.stream("training");
    let expected = method
        .train(&network, &samples.view(), &plan, &first, &initial, &order)
        .unwrap();
    let bundle = Bundle::load(folder.path("out/checkpoint.safetensors")).unwrap();
    assert_eq!(bundle.get::<f32>("theta").unwrap(), expected.outcome.theta);
    assert_eq!(bundle.bits("mask").unwrap(), expected.mask.bits());
    assert_eq!(told["exchanges"].as_array().unwrap().len(), expected.exchanges.len());
    assert_eq!(told["layers"][0]["kept"], 100);
    assert_eq!(told["ever_active"], expected.ever_active);
}

#[test]
fn options_that_a_method_does_not_use_and_words_that_are_unknown_are_refused() {
    let refused = |line: &str, parts: &[&str]| {
        let error = ask(&format!("--steps 5 --out /no/such/folder/out {line}")).unwrap_err();
        let wrong = matches!(error, Error::Argument { .. } | Error::Unknown { .. });
        assert!(wrong, "{line}: {error}");
        for part in parts {
            assert!(error.to_string().contains(part), "{line}: {error} without {part}");
        }
    };
    refused(
        "--method rigel --density 0.2",
        &["did you mean 'rigl'", "set", "hard-thresholding", "edge-popup"],
    );
    for (method, option) in [
        ("set", "warm-up 3"),
        ("rigl", "ranking value"),
        ("rigl", "unscaled"),
        ("movement-pruning", "every 3"),
        ("movement-pruning", "fraction 0.3"),
        ("rigl", "first-fraction 0.1"),
        ("hard-thresholding", "fraction 0.5"),
        ("hard-thresholding", "mask m.npy"),
        ("edge-popup", "every 3"),
        ("edge-popup", "checkpoint c"),
        ("edge-popup", "initialisation he"),
    ] {
        let name = option.split(' ').next().unwrap();
        refused(&format!("--method {method} --density 0.2 --{option}"), &[method, name]);
    }
    refused("--method set", &["density"]);
    refused("--method set --density 0.2 --allocation global", &["global", "set"]);
    refused("--method set --density 0.2 --decay linear", &["cosine", "constant"]);
    refused("--method set --density 0.2 --fraction 1.5", &["1.5"]);
    refused(
        "--method movement-pruning --density 0.2 --first-fraction 0.9",
        &["0.9", "0.8"],
    );
    refused(
        "--method movement-pruning --density 0 --allocation global",
        &["density"],
    );
    refused("--method hard-thresholding --density 0.2 --warm-up 9", &["9"]);
    refused(
        "--method edge-popup --density 0.2 --frozen-weights normal",
        &["kaiming-normal"],
    );
    refused("--method set --density 0.2 --mask m.npy", &["density", "--mask"]);
}
