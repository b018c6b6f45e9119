//! `prune`: a mask from the scores of one network, without training in between.

use super::network_files::{self, checkpoint};
use super::{Answer, file, option};
use clap::{Arg, ArgMatches, value_parser};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;
use ticketsense::data::{self, DataChoice, Split, npy};
use ticketsense::networks::{Array, Initialisation, Loss, Network};
use ticketsense::pruning::{Allocation, Criterion, CriterionInput, LivePaths, ScoredMask, ScoredPruning, kept_weights};
use ticketsense::training::Examples;
use ticketsense::{Error, Mask, Result, Seed};

/// The command line of `prune`.
pub fn command() -> clap::Command {
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    clap::Command::new("prune")
        .about("Choose a mask by scores, without training: at initialisation, or of a trained network")
        .arg(
            text(
                "network",
                "PRESET",
                "The network: mlp:100-50, mlp:20:tanh:no-bias, linear, lenet-300-100, lenet-5, conv-2, resnet-20, transformer, rnn",
            )
            .required(true),
        )
        .arg(text("data", "SET|DIR", "The samples: digits, or a folder of MNIST or CIFAR-10 files").default_value("digits"))
        .arg(
            text(
                "criterion",
                "NAME",
                "What decides who stays: magnitude, optimal-brain-damage, optimal-brain-surgeon, snip, gradient-weight, grasp, \
                 synflow (meant for --rounds 100), random, or with --checkpoint and --initial movement and magnitude-increase",
            )
            .required(true),
        )
        .arg(
            text("density", "X", "Fraction of the weights that stays; what the densities of the layers make up without it")
                .allow_negative_numbers(true)
                .value_parser(value_parser!(f64)),
        )
        .arg(
            text(
                "allocation",
                "NAME",
                "How it is divided among the layers: global (all weights compete), uniform, erk (Erdős–Rényi kernel), or a \
                 density for every layer, such as 0.05,0.1,0.5",
            )
            .default_value("global"),
        )
        .arg(
            text("rounds", "N", "How often what is left is scored, the density falling by the same factor each time")
                .default_value("1")
                .value_parser(value_parser!(usize)),
        )
        .arg(file("checkpoint", "F", "The weights: a checkpoint of a training; random ones without it"))
        .arg(file("initial", "F", "The weights before the training, for criteria that compare with them: a checkpoint"))
        .arg(file(
            "mask",
            "F.npy",
            "Prune what this leaves: one 0 or 1 a parameter, or a weight; the checkpoint's mask without it",
        ))
        .arg(text("initialisation", "NAME", "Law of random weights: he, glorot, lecun or weight-variance=X").default_value("glorot"))
        .arg(text("loss", "NAME", "Whose gradients are taken: cross-entropy or squared").default_value("cross-entropy"))
        .arg(
            text("samples", "N", "Score on so many training samples, classes balanced; on all of them without it")
                .value_parser(value_parser!(usize)),
        )
        .arg(text("seed", "N", "Seed of random weights, samples and scores").default_value("0").value_parser(value_parser!(u64)))
        .arg(file("out", "F.npy", "Write the mask here: one 0 or 1 a parameter").required(true))
}

/// Runs `prune`.
///
/// # Errors
/// On unknown words, numbers out of range, a criterion that does not apply to the network, and files that cannot be read
/// or written or do not fit.
pub fn run(matches: &ArgMatches) -> Result<Answer> {
    let word = |name: &'static str| option::<String>(matches, name);
    let criterion: Criterion = word("criterion")?.parse()?;
    let allocation: Allocation = word("allocation")?.parse()?;
    let (loss, law) = (
        word("loss")?.parse::<Loss>()?,
        word("initialisation")?.parse::<Initialisation>()?,
    );
    let dataset = data::load(&word("data")?.parse::<DataChoice>()?)?;
    let network = Network::preset(word("network")?, dataset.shape(), dataset.classes())?;
    criterion.check(&network)?;
    let implied = allocation.implied_density(network.layout())?;
    let Some(density) = matches.get_one::<f64>("density").copied().or(implied) else {
        return Err(Error::argument(
            "density",
            "a number, or a density for every layer",
            "none",
        ));
    };
    let seed = Seed::root(*option::<u64>(matches, "seed")?);
    let chosen: Vec<usize> = match matches.get_one::<usize>("samples") {
        Some(count) => dataset.stratified(*count, &seed)?,
        None => dataset.split(Split::Train).to_vec(),
    };
    let inputs = Array::new(chosen.len(), dataset.features(), dataset.rows::<f32>(&chosen)?)?;
    let labels = dataset.labels_of(&chosen)?;
    let single = |theta: Vec<f64>| -> Vec<f32> { theta.iter().map(|&v| v as f32).collect() };
    let (theta, stored) = match matches.get_one::<PathBuf>("checkpoint") {
        Some(path) => checkpoint(path, &network).map(|(theta, mask)| (single(theta), mask))?,
        None => {
            let initial: Vec<f32> = network.initial(&seed.stream("initial"), &law)?;
            (network.with_statistics_of(&initial, &inputs)?, None)
        }
    };
    let initial = match matches.get_one::<PathBuf>("initial") {
        Some(path) => single(checkpoint(path, &network)?.0),
        None if criterion.needs_training() => {
            let what = format!("--initial for criterion {criterion}");
            return Err(Error::argument(what, "a checkpoint", "none"));
        }
        None => theta.clone(),
    };
    let mask = match matches.get_one::<PathBuf>("mask") {
        Some(path) => network_files::mask(path, &network)?,
        None => stored.unwrap_or_else(|| network.layout().full_mask()),
    };
    let pruning = ScoredPruning {
        criterion,
        density,
        allocation,
        rounds: *option(matches, "rounds")?,
    };
    let found = pruning.prune(&CriterionInput {
        network: &network,
        theta: &theta,
        mask: &mask,
        initial: &initial,
        loss,
        training: Examples::labelled(&inputs, &labels),
        seed: seed.stream("criterion"),
    })?;
    let out = option::<PathBuf>(matches, "out")?;
    let bits: Vec<f64> = found
        .mask
        .bits()
        .iter()
        .map(|&kept| f64::from(u8::from(kept)))
        .collect();
    npy::write_vector(out, &bits)?;
    let page = Page::new(&network, &pruning, &found, chosen.len());
    Ok(Answer {
        text: format!("{}\nmask    {}\n", page.text().trim_end(), out.display()),
        json: page.json(&out.display().to_string()),
        code: 0,
    })
}

/// What is told of a mask.
struct Page<'a> {
    network: &'a Network,
    pruning: &'a ScoredPruning,
    found: &'a ScoredMask,
    samples: usize,
    /// None where paths say nothing.
    paths: Option<LivePaths>,
    kept: Vec<(String, usize, usize)>,
}

impl<'a> Page<'a> {
    fn new(network: &'a Network, pruning: &'a ScoredPruning, found: &'a ScoredMask, samples: usize) -> Self {
        let counts = |mask: &Mask| {
            let slots = network.layout().weight_slots();
            slots
                .map(|s| (s.name.clone(), s.len(), mask.kept_in(s.range.clone())))
                .collect()
        };
        Page {
            paths: LivePaths::of(network, &found.mask).ok(),
            kept: counts(&found.mask),
            network,
            pruning,
            found,
            samples,
        }
    }

    fn density(&self) -> f64 {
        self.network.layout().density(&self.found.mask)
    }

    fn text(&self) -> String {
        let (kept, weights) = (
            kept_weights(self.network, &self.found.mask),
            self.network.layout().prunable(),
        );
        let ScoredPruning {
            criterion,
            allocation,
            rounds,
            ..
        } = self.pruning;
        let mut text = format!(
            "{}: {kept} of {weights} weights by {criterion}, {allocation}, {rounds} round{}\n",
            self.network.name(),
            if *rounds == 1 { "" } else { "s" },
        );
        let _ = writeln!(text, "density {:.6}", self.density());
        match &self.paths {
            Some(paths) => {
                let _ = writeln!(
                    text,
                    "effective density {:.6} (on paths from inputs to outputs)",
                    paths.effective_density()
                );
            }
            None => text.push_str("effective density: none, attention has no paths\n"),
        }
        let _ = writeln!(
            text,
            "cost    {:.4} gradient passes over {} samples\n",
            self.found.gradient_passes, self.samples
        );
        let width = self.kept.iter().map(|(name, ..)| name.len()).max().unwrap_or(0).max(5);
        let _ = writeln!(
            text,
            "{:width$}  {:>9}  {:>9}  {:>9}  density",
            "layer", "weights", "kept", "live"
        );
        for (l, (name, weights, kept)) in self.kept.iter().enumerate() {
            let live = self.paths.as_ref().and_then(|paths| paths.layers().get(l));
            let live = live.map_or("-".into(), |layer| layer.live.to_string());
            let density = *kept as f64 / *weights as f64;
            let _ = writeln!(text, "{name:width$}  {weights:>9}  {kept:>9}  {live:>9}  {density:.6}");
        }
        for warning in self.warnings() {
            let _ = writeln!(text, "warning: {warning}");
        }
        text
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.found.emptied.is_empty() {
            warnings.push(format!("nothing is left of {}", self.found.emptied.join(", ")));
        }
        if let Some(paths) = &self.paths {
            let emptied = |name: &&str| !self.found.emptied.iter().any(|other| other == name);
            let cut: Vec<&str> = paths.dead_layers().into_iter().filter(emptied).collect();
            if !cut.is_empty() {
                warnings.push(format!("no kept weight lies on a path in {}", cut.join(", ")));
            }
            if !paths.dead_branches().is_empty() {
                warnings.push(format!("nothing passes {}", paths.dead_branches().join(", ")));
            }
            if !paths.is_connected() {
                warnings.push("no input reaches an output".into());
            }
        }
        warnings
    }

    fn json(&self, out: &str) -> Value {
        let layers = self.kept.iter().enumerate().map(|(l, (name, weights, kept))| {
            let live = self.paths.as_ref().and_then(|paths| paths.layers().get(l)).map(|layer| layer.live);
            json!({ "name": name, "weights": weights, "kept": kept, "live": live, "density": *kept as f64 / *weights as f64 })
        });
        json!({
            "network": self.network.name(),
            "criterion": self.pruning.criterion.as_str(),
            "allocation": self.pruning.allocation.to_string(),
            "rounds": self.pruning.rounds,
            "weights": self.network.layout().prunable(),
            "kept": kept_weights(self.network, &self.found.mask),
            "density": self.density(),
            "effective_density": self.paths.as_ref().map(LivePaths::effective_density),
            "connected": self.paths.as_ref().map(LivePaths::is_connected),
            "layers": layers.collect::<Vec<_>>(),
            "emptied": self.found.emptied,
            "dead_layers": self.paths.as_ref().map(|paths| paths.dead_layers()),
            "dead_branches": self.paths.as_ref().map(|paths| paths.dead_branches().to_vec()),
            "warnings": self.warnings(),
            "samples": self.samples,
            "gradient_passes": self.found.gradient_passes,
            "mask": out,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_folder::Folder;
    use super::*;
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
}
