//! The masks of scores through the command line.

use super::super::test_folder::Folder;
use super::*;
use serde_json::{Value, json};
use ticketsense::networks::Network;
use ticketsense::pruning::kept_weights;
use ticketsense::training::Bundle;

fn ask(words: &[&str]) -> Result<Answer> {
    let line = ["prune", "--network", "mlp:20-10"].iter().chain(words);
    run(&command().try_get_matches_from(line).unwrap())
}

#[test]
fn the_mask_that_is_written_is_the_one_that_is_told_of_and_linearize_reads_it() {
    let folder = Folder::new("prune");
    let path = folder.path("mask.npy");
    let words = [
        "--criterion",
        "synflow",
        "--density",
        "0.05",
        "--rounds",
        "100",
        "--out",
        &path,
    ];
    let answer = ask(&words).unwrap();
    let weights = 64 * 20 + 20 * 10 + 100;
    assert_eq!(answer.json["kept"].as_u64(), Some(79));
    assert_eq!(answer.json["weights"].as_u64(), Some(weights));
    assert_eq!(answer.json["warnings"], json!([]));
    assert!((answer.json["gradient_passes"].as_f64().unwrap() - 100.0 / 1258.0).abs() < 1e-12);
    assert!(answer.text.contains("dense1.weight") && answer.text.contains("effective density"));
    let network = Network::preset("mlp:20-10", 64, 10).unwrap();
    let mask = network_files::mask(std::path::Path::new(&path), &network).unwrap();
    assert_eq!(kept_weights(&network, &mask), 79);
    // Pruned once more, from what is left.
    let again = folder.path("again.npy");
    let words = [
        "--criterion",
        "snip",
        "--density",
        "0.02",
        "--samples",
        "50",
        "--mask",
        &path,
        "--out",
        &again,
    ];
    let answer = ask(&words).unwrap();
    assert_eq!(answer.json["samples"].as_u64(), Some(50));
    let less = network_files::mask(std::path::Path::new(&again), &network).unwrap();
    assert_eq!(less.and(&mask).unwrap(), less);
}

#[test]
fn a_layer_that_dies_is_a_warning_and_one_that_is_promised_too_little_a_mistake() {
    let folder = Folder::new("prune-dead");
    let path = folder.path("mask.npy");
    let list = [
        "--criterion",
        "random",
        "--allocation",
        "0.0008,0.01,0.1",
        "--out",
        &path,
    ];
    let answer = ask(&list).unwrap();
    assert_eq!(answer.json["kept"].as_u64(), Some(1 + 2 + 10));
    assert!(
        answer.text.contains("warning: no kept weight lies on a path"),
        "{}",
        answer.text
    );
    let refused = |words: &[&str], part: &str| {
        let error = ask(&[words, &["--out", &path]].concat()).unwrap_err();
        assert!(
            matches!(error, Error::Argument { .. } | Error::Unknown { .. }),
            "{error}"
        );
        assert!(error.to_string().contains(part), "{error}");
    };
    refused(
        &["--criterion", "random", "--density", "0.001", "--allocation", "uniform"],
        "dense1.weight",
    );
    refused(&["--criterion", "random"], "density");
    refused(
        &[
            "--criterion",
            "random",
            "--density",
            "0.9",
            "--allocation",
            "0.1,0.1,0.1",
        ],
        "0.1",
    );
    refused(&["--criterion", "movement", "--density", "0.1"], "--initial");
    refused(&["--criterion", "snap", "--density", "0.1"], "snip");
    refused(&["--criterion", "snip", "--density", "0.1", "--rounds", "0"], "rounds");
    let line = [
        "prune",
        "--network",
        "transformer",
        "--criterion",
        "synflow",
        "--density",
        "0.1",
        "--out",
        &path,
    ];
    let error = run(&command().try_get_matches_from(line).unwrap()).unwrap_err();
    assert!(
        error.to_string().contains("synflow") && error.to_string().contains("transformer"),
        "{error}"
    );
    let line = [
        "prune",
        "--network",
        "transformer",
        "--criterion",
        "magnitude",
        "--density",
        "0.1",
        "--out",
        &path,
    ];
    let answer = run(&command().try_get_matches_from(line).unwrap()).unwrap();
    assert_eq!(answer.json["effective_density"], Value::Null);
}

#[test]
fn checkpoints_bring_trained_and_initial_weights() {
    let folder = Folder::new("prune-checkpoint");
    let network = Network::preset("mlp:20-10", 64, 10).unwrap();
    let store = |name: &str, value: &dyn Fn(usize) -> f32| {
        let path = folder.path(name);
        let mut bundle = Bundle::new(json!({"identity": "network=mlp:20-10;steps=1"}));
        let theta: Vec<f32> = (0..network.layout().len()).map(value).collect();
        bundle.put("theta", &theta);
        bundle.save(&path).unwrap();
        path
    };
    // Only the first hundred weights have moved.
    let before = store("initial.safetensors", &|i| (i as f32).sin());
    let after = store("trained.safetensors", &|i| {
        (i as f32).sin() + if i < 100 { 1.0 } else { 0.0 }
    });
    let out = folder.path("mask.npy");
    let density = (100.0 / network.layout().prunable() as f64).to_string();
    let words = [
        "--checkpoint",
        &after,
        "--initial",
        &before,
        "--criterion",
        "movement",
        "--density",
        &density,
    ];
    ask(&[&words[..], &["--out", &out]].concat()).unwrap();
    let mask = network_files::mask(std::path::Path::new(&out), &network).unwrap();
    assert_eq!(mask.kept_in(0..100), 100);
}
