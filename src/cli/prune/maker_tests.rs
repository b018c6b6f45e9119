//! Every maker of masks through the command line: what it writes is loaded, trained, certified and percolated.

use super::super::test_folder::Folder;
use super::super::{certify, linearize, percolate, train};
use super::*;
use std::path::Path;
use ticketsense::data::{self, DataChoice};
use ticketsense::harness::Stop;
use ticketsense::networks::Network;
use ticketsense::pruning::{MaskMaker, kept_weights};
use ticketsense::support::Mask;

/// A command line in one string; the folders of tests have no spaces.
fn matches(command: clap::Command, line: &str) -> ArgMatches {
    let name = command.get_name().to_string();
    command
        .try_get_matches_from(std::iter::once(name.as_str()).chain(line.split_whitespace()))
        .unwrap()
}

fn prune(line: &str) -> Result<Answer> {
    run(&matches(command(), line))
}

fn trained(line: &str) -> Answer {
    train::train(&matches(train::command(), line), &Stop::new()).unwrap()
}

fn network(name: &str) -> Network {
    let dataset = data::load(&DataChoice::Digits).unwrap();
    Network::preset(name, dataset.shape(), dataset.classes()).unwrap()
}

fn read(path: &str, network: &Network) -> Mask {
    network_files::mask(Path::new(path), network).unwrap()
}

/// What a maker is tried on: a network that it applies to, and what it is told besides.
fn case(maker: MaskMaker) -> (&'static str, String) {
    let (network, words) = match maker.as_str() {
        "neurons" => ("mlp:6-5", "--density 0.4"),
        "group-lasso" => ("mlp:6-5", "--density 0.4 --units neurons"),
        "channels" => ("conv-2", "--density 0.3 --norm l2"),
        "heads" => ("transformer", "--density 0.9"),
        "synflow" => ("mlp:6-5", "--density 0.2 --rounds 10"),
        "relinearised" => ("mlp:6-5", "--density 0.2 --rounds 2 --solver omp"),
        "elimination" => ("mlp:6-5", "--density 0.2 --rounds 3"),
        "net-trim" => ("mlp:6-5", "--density 0.15 --allocation erk"),
        _ => ("mlp:6-5", "--density 0.2"),
    };
    let samples = if maker.sees_samples() { " --samples 30" } else { "" };
    (network, format!("{words}{samples}"))
}

/// Makes a mask, loads it, trains and percolates it, and certifies the network linearised on it.
fn saved_and_used(name: &str, network_name: &str, words: &str) -> Answer {
    let folder = Folder::new(&format!("maker-{}", name.replace(':', "-")));
    let (mask, weights) = (folder.path("m.npy"), folder.path("w.safetensors"));
    let files = format!("--network {network_name} --out {mask} --weights-out {weights}");
    let told = prune(&format!("{files} {words}")).unwrap_or_else(|error| panic!("{name}: {error}"));
    let network = network(network_name);
    let loaded = read(&mask, &network);
    let kept = kept_weights(&network, &loaded);
    assert_eq!(told.json["kept"].as_u64(), Some(kept as u64), "{name}");
    let biases = network.layout().len() - network.layout().prunable();
    assert_eq!(loaded.kept(), kept + biases, "{name}: every bias is kept");
    // Trained from the weights that it was chosen for: what is pruned is and stays zero.
    let out = folder.path("trained");
    let after = trained(&format!(
        "--data digits --network {network_name} --steps 2 --batch 20 --validation-samples 20 --mask {mask} \
         --checkpoint {weights} --out {out}"
    ));
    assert_eq!(after.json["kept"].as_u64(), Some(kept as u64), "{name}");
    let checkpoint = format!("{out}/checkpoint.safetensors");
    let (theta, stored) = network_files::checkpoint::<f64>(Path::new(&checkpoint), &network).unwrap();
    assert_eq!(stored.as_ref(), Some(&loaded), "{name}");
    assert!((0..theta.len()).all(|i| loaded.keeps(i) || theta[i] == 0.0), "{name}");
    let line = format!("--network {network_name} --mask {mask}");
    match percolate::run(&matches(percolate::command(), &line)) {
        Ok(paths) => assert_eq!(paths.json["kept"].as_u64(), Some(kept as u64), "{name}"),
        Err(error) => assert!(
            network_name == "transformer" && error.to_string().contains("attention"),
            "{error}"
        ),
    }
    // Whole units leave more columns than a certificate in passing can take: their mask is thinned once more.
    let (certified, columns) = if kept <= 250 {
        (mask, kept)
    } else {
        let (thin, density) = (folder.path("thin.npy"), 60.0 / network.layout().prunable() as f64);
        prune(&format!(
            "--network {network_name} --criterion magnitude --checkpoint {weights} --mask {mask} --density {density} \
             --out {thin}"
        ))
        .unwrap();
        (thin, 60)
    };
    let matrix = folder.path("A.npy");
    let line = format!(
        "--network {network_name} --checkpoint {checkpoint} --mask {certified} --samples 10 --max-comparisons 10 \
         --matrix-out {matrix}"
    );
    let seen = linearize::run(&matches(linearize::command(), &line)).unwrap();
    assert_eq!(seen.json["columns"].as_u64(), Some(columns as u64), "{name}");
    let line = format!("--matrix {matrix} --order 1 --max-programs 0 --max-problems 1 --node-limit 10");
    let proven = certify::run(&matches(certify::command(), &line)).unwrap();
    assert_eq!(proven.json["columns"].as_u64(), Some(columns as u64), "{name}");
    told
}

#[test]
fn what_any_maker_writes_is_loaded_trained_percolated_and_certified() {
    let folder = Folder::new("makers-change");
    // A training, and other weights, for the criteria that compare with the weights before it.
    let (out, mask, before) = (
        folder.path("trained"),
        folder.path("m.npy"),
        folder.path("w.safetensors"),
    );
    trained(&format!("--data digits --network mlp:6-5 --steps 5 --out {out}"));
    prune(&format!(
        "--network mlp:6-5 --criterion random --density 0.5 --out {mask} --weights-out {before}"
    ))
    .unwrap();
    for maker in MaskMaker::all() {
        let (network, mut words) = case(maker);
        words += &format!(" --criterion {maker}");
        if matches!(maker, MaskMaker::Scores(criterion) if criterion.needs_training()) {
            words += &format!(" --checkpoint {out}/checkpoint.safetensors --initial {before}");
        }
        let told = saved_and_used(maker.as_str(), network, &words).json;
        assert_eq!(told["criterion"], maker.as_str());
        assert_eq!(told["samples"].is_null(), !maker.sees_samples(), "{maker}");
        let exact = told["asked"]
            .as_u64()
            .is_some_and(|asked| told["kept"].as_u64() == Some(asked));
        let units = told["units"].as_array().is_some_and(|units| !units.is_empty());
        let explained = told["status"] == "residual-reached";
        assert!(exact || units || explained, "{maker}: {told}");
    }
}

#[test]
fn patterns_of_any_scores_are_written_and_used_too() {
    for (pattern, words, expected) in [
        ("2:4", "--edge ragged", 0.5),
        ("1:4", "--edge ragged", 0.25),
        ("block:2x2", "--edge ragged --density 0.25", 0.25),
        ("1x1", "--density 0.25 --allocation uniform", 0.25),
    ] {
        let words = format!("--criterion snip --samples 30 --pattern {pattern} {words}");
        let told = saved_and_used(&format!("pattern-{pattern}"), "mlp:6-5", &words).json;
        assert_eq!(told["pattern"], pattern.trim_start_matches("block:"));
        let density = told["density"].as_f64().unwrap();
        // The second and third weights have 6 and 5 inputs: their last group keeps one of two or of one.
        assert!((density - expected).abs() < 0.05, "{pattern}: {density}");
    }
}

#[test]
fn a_criterion_that_does_not_fit_is_refused_with_both_names_and_no_file() {
    let folder = Folder::new("makers-refused");
    let mask = folder.path("m.npy");
    let refused = |words: &str, parts: &[&str]| {
        let line = match words.contains("--network") {
            true => format!("--out {mask} {words}"),
            false => format!("--network mlp:6-5 --out {mask} {words}"),
        };
        let error = prune(&line).unwrap_err();
        let wrong = matches!(error, Error::Argument { .. } | Error::Unknown { .. });
        assert!(wrong, "{words}: {error}");
        for part in parts {
            assert!(error.to_string().contains(part), "{words}: {error} without {part}");
        }
        assert!(!Path::new(&mask).exists(), "{words}");
    };
    refused("--criterion heads --density 0.2", &["heads", "mlp:6-5"]);
    refused("--criterion channels --density 0.2", &["channels", "mlp:6-5"]);
    refused(
        "--criterion neurons --network linear --density 0.2",
        &["neurons", "linear"],
    );
    refused(
        "--criterion group-lasso --network linear --density 0.2",
        &["group-lasso", "linear"],
    );
    refused(
        "--criterion group-lasso --units heads --density 0.2",
        &["heads", "mlp:6-5"],
    );
    refused(
        "--criterion net-trim --network conv-2 --density 0.2",
        &["net-trim", "multilayer", "conv-2"],
    );
    refused(
        "--criterion synflow --network transformer --density 0.2",
        &["synflow", "transformer"],
    );
    // 888 of 2220 weights, from ten samples of ten classes.
    let undamped = "--network mlp:30 --density 0.4 --damping 0 --samples 10";
    for criterion in ["omp", "lasso", "a-design", "d-design"] {
        let parts = [criterion, "rank bound", "10 samples", "888"];
        refused(&format!("--criterion {criterion} {undamped}"), &parts);
    }
    // The pixels that are never lit have no column.
    refused(
        "--criterion omp --density 1 --samples 10",
        &["dense0.weight", "384", "parallel"],
    );
    refused("--criterion neurons --density 0.01", &["density", "one unit"]);
    refused("--criterion omp", &["density", "none"]);
    refused("--criterion omp --density 1.2", &["density", "1.2"]);
    refused("--criterion relinearised --density 0.2 --rounds 0", &["rounds"]);
    // Every word that is known is listed.
    let all = MaskMaker::all();
    let known: Vec<&str> = all.iter().map(|maker| maker.as_str()).collect();
    refused(
        "--criterion neuron --density 0.2",
        &[&known[..], &["did you mean 'neurons'"]].concat(),
    );
    refused("--criterion neurons --density 0.2 --norm l3", &["l1", "l2"]);
    refused("--criterion snip --pattern 4-4", &["2:4", "4x4"]);
    refused("--criterion snip --pattern 2:4", &["dense1.weight", "2:4"]);
    refused(
        "--criterion net-trim --density 0.2 --solver niht",
        &["niht", "net-trim", "omp"],
    );
    refused("--criterion group-lasso --density 0.2 --damping 0", &["damping"]);
    for criterion in ["relinearised", "net-trim", "a-design"] {
        let global = format!("--criterion {criterion} --density 0.2 --allocation global");
        refused(&global, &[criterion, "budget", "global"]);
    }
    refused(
        "--criterion neurons --density 0.2 --allocation erk",
        &["neurons", "uniform", "erk"],
    );
    let law = "--criterion magnitude --density 0.2 --initialisation he --checkpoint c";
    refused(law, &["initialisation", "--checkpoint"]);
}

#[test]
fn what_a_criterion_does_not_use_is_refused_and_not_ignored() {
    let refused = |words: &str, parts: &[&str]| {
        let line = format!("--network mlp:6-5 --out /no/such/folder/m.npy {words}");
        let error = prune(&line).unwrap_err();
        assert!(matches!(error, Error::Argument { .. }), "{words}: {error}");
        for part in parts {
            assert!(error.to_string().contains(part), "{words}: {error} without {part}");
        }
    };
    for (criterion, option, value) in [
        ("magnitude", "damping", "0.1"),
        ("magnitude", "norm", "l2"),
        ("magnitude", "loss", "squared"),
        ("magnitude", "samples", "30"),
        ("synflow", "loss", "squared"),
        ("snip", "edge", "ragged"),
        ("snip", "initial", "before"),
        ("omp", "rounds", "3"),
        ("omp", "loss", "squared"),
        ("lasso", "pattern", "2:4"),
        ("niht", "solver", "omp"),
        ("neurons", "samples", "30"),
        ("neurons", "units", "neurons"),
        ("group-lasso", "norm", "l1"),
        ("relinearised", "mask", "m"),
        ("elimination", "prior", "magnitude"),
        ("d-design", "spread", "units"),
        ("net-trim", "damping", "0.1"),
        ("a-design", "order", "parallel"),
    ] {
        let words = format!("--criterion {criterion} --density 0.2 --{option} {value}");
        refused(&words, &[option, criterion, value]);
    }
    for (option, value) in [
        ("density", "0.5"),
        ("allocation", "erk"),
        ("rounds", "2"),
        ("mask", "m"),
    ] {
        let words = format!("--criterion snip --pattern 2:4 --edge ragged --{option} {value}");
        refused(&words, &["snip in the pattern 2:4", option, value]);
    }
}

#[test]
fn a_mask_to_begin_with_is_never_left_and_one_budget_lets_layers_compete() {
    let folder = Folder::new("makers-within");
    let (first, mask) = (folder.path("first.npy"), folder.path("m.npy"));
    prune(&format!(
        "--network mlp:6-5 --criterion random --density 0.6 --out {first}"
    ))
    .unwrap();
    let network = network("mlp:6-5");
    for criterion in ["snip", "neurons", "omp", "niht", "lasso", "elimination", "a-design"] {
        let samples = if criterion == "neurons" { "" } else { "--samples 30" };
        prune(&format!(
            "--network mlp:6-5 --criterion {criterion} --density 0.2 --mask {first} {samples} --out {mask}"
        ))
        .unwrap();
        let found = read(&mask, &network);
        assert_eq!(found.and(&read(&first, &network)).unwrap(), found, "{criterion}");
    }
    for criterion in ["omp", "niht", "lasso", "elimination"] {
        let told = prune(&format!(
            "--network mlp:6-5 --criterion {criterion} --density 0.2 --samples 30 --allocation global --out {mask}"
        ))
        .unwrap()
        .json;
        assert_eq!(told["allocation"], "global");
        assert_eq!(told["kept"], told["asked"], "{criterion}");
        let shares = (0..3).map(|l| told["layers"][l]["density"].as_f64().unwrap());
        assert!(
            shares.into_iter().any(|share| (share - 0.2).abs() > 0.03),
            "{criterion}: {told}"
        );
    }
}
