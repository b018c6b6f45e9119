//! `train`: one training of a given mask from given weights.

use super::network_files::{self, write_mask};
use super::reproduce::obey_interrupts;
use super::training_options::{self, TrainingWords, usual};
use super::{Answer, file, option};
use clap::{Arg, ArgMatches, value_parser};
use serde_json::json;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use ticketsense::harness::Stop;
use ticketsense::networks::Network;
use ticketsense::outcome::Status;
use ticketsense::pruning::{ImpData, ImpSamples, LivePaths};
use ticketsense::support::Mask;
use ticketsense::table::{Column, Table};
use ticketsense::training::{Bundle, Evaluation, Examples, Trainer, TrainingPlan, TrainingState};
use ticketsense::{Error, Result, Seed, files, row};

/// The columns of `history.csv`.
const HISTORY: &[Column] = &[
    Column::integer("step", "steps", "Steps done."),
    Column::real(
        "training_loss",
        "1",
        "Mean loss of the batches since the row before; empty at the first.",
    ),
    Column::real("validation_loss", "1", "Loss on the validation samples."),
    Column::real("validation_accuracy", "1", "Accuracy on the validation samples."),
];

/// What of a checkpoint's description says what it was started from.
const STARTED_FROM: &str = "started_from";

/// The command line of `train`.
pub fn command() -> clap::Command {
    clap::Command::new("train")
        .about("Train a network once under a mask that never changes")
        .long_about(
            "Train m ⊙ θ once: θ from a checkpoint or drawn, m from a file, everything kept without one.\n\
             DIR gets checkpoint.safetensors (as linearize, curvature and train --checkpoint read it), mask.npy and \
             history.csv. A training that was interrupted goes on where it was when the same command is given again.\n\
             Random numbers are those of the first seed of imp: with its options and --seed, the mask seed-0/round-03.mask.npy \
             trains to the very ticket that imp found there.",
        )
        .args(training_options::problem())
        .arg(file(
            "mask",
            "M.npy",
            "Keep these: one 0 or 1 a parameter, or a weight; the checkpoint's mask, or everything, without it",
        ))
        .arg(file(
            "checkpoint",
            "F",
            "The values to start from: a checkpoint of a training of this network; drawn ones without it",
        ))
        .arg(
            usual(
                "first-step",
                "N",
                "0",
                "Steps that count as done: schedule and data order go on from there",
            )
            .value_parser(value_parser!(usize)),
        )
        .arg(training_options::steps())
        .args(training_options::learning())
        .args(training_options::batches())
        .arg(
            usual("seed", "N", "0", "The root of all random numbers")
                .allow_negative_numbers(true)
                .value_parser(value_parser!(u64)),
        )
        .arg(
            Arg::new("out")
                .long("out")
                .value_name("DIR")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("The folder of results"),
        )
}

/// Runs `train`.
///
/// # Errors
/// On a plan that cannot be, files that cannot be read or do not fit the network, and interruption.
pub fn run(matches: &ArgMatches) -> Result<Answer> {
    let stop = Stop::new();
    obey_interrupts(&stop)?;
    train(matches, &stop)
}

/// The training itself, which `stop` ends after the step under way.
pub(super) fn train(matches: &ArgMatches, stop: &Stop) -> Result<Answer> {
    let words = TrainingWords::new(matches)?;
    let name = option::<String>(matches, "network")?;
    let out: &PathBuf = option(matches, "out")?;
    let dataset = training_options::dataset(matches)?;
    let plan = TrainingPlan {
        mixing: words.mixing(dataset.image())?,
        ..words.unmixed().clone()
    };
    let network = Network::preset(name, dataset.shape(), dataset.classes())?;
    let described = dataset.describe();
    let samples = ImpSamples::new(dataset)?;
    let data = samples.view();
    let seed = Seed::root(*option::<u64>(matches, "seed")?).stream("imp").stream("0");
    let (values, stored) = match matches.get_one::<PathBuf>("checkpoint") {
        Some(path) => network_files::checkpoint::<f32>(path, &network)?,
        None => (network.initial(&seed.stream("initial"), &words.initialisation)?, None),
    };
    let mask = network_files::mask_or(matches, stored, &network)?;
    let first = *option::<usize>(matches, "first-step")?;
    if first >= plan.steps {
        return Err(Error::argument(
            "first-step",
            format!("below the {} steps", plan.steps),
            first,
        ));
    }
    let order = seed.stream("training");
    let trainer = Trainer::new(&network, plan, data.training, data.validation, &mask, &order)?;
    files::create_folder(out)?;
    let started_from = started_from(&values, first, &data);
    let mut state = match resume(&trainer, out, &started_from) {
        Some(state) => state,
        None => trainer.start_at(&values, first)?,
    };
    let resumed = state.step;
    trainer.advance(&mut state, usize::MAX, &mut |_| !stop.requested())?;
    let mut bundle = trainer.checkpoint(&state);
    bundle.describe(STARTED_FROM, started_from);
    bundle.save(out.join("checkpoint.safetensors"))?;
    if state.status == Status::Stopped {
        return Err(Error::Interrupted);
    }
    write_mask(&out.join("mask.npy"), &mask)?;
    files::write_atomic(out.join("history.csv"), history(&state.history)?.to_csv().as_bytes())?;
    answer(
        &network,
        &mask,
        &data,
        &trainer,
        &state,
        &described,
        (first, resumed),
        out,
    )
}

/// Names the values, their step and the data: what a checkpoint of the same training has in common beyond its plan.
fn started_from(values: &[f32], first: usize, data: &ImpData<'_>) -> String {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    format!(
        "{};first-step={first};data={}",
        files::sha256_hex(&bytes),
        data.identity
    )
}

/// The state of an interrupted training of this very kind, where there is one.
fn resume(trainer: &Trainer<'_, f32>, out: &Path, started_from: &str) -> Option<TrainingState<f32>> {
    let bundle = Bundle::load(out.join("checkpoint.safetensors")).ok()?;
    let same = bundle.description()[STARTED_FROM] == started_from;
    trainer.resume(&bundle).ok().filter(|_| same)
}

/// The table of evaluations that is written as `history.csv`.
pub(super) fn history(evaluations: &[Evaluation]) -> Result<Table> {
    let mut table = Table::new(HISTORY);
    for evaluation in evaluations {
        table.push(row![
            evaluation.step,
            Some(evaluation.training_loss).filter(|loss| loss.is_finite()),
            evaluation.validation_loss,
            evaluation.validation_accuracy
        ])?;
    }
    Ok(table)
}

#[expect(clippy::too_many_arguments, reason = "everything that is told")]
fn answer(
    network: &Network,
    mask: &Mask,
    data: &ImpData<'_>,
    trainer: &Trainer<'_, f32>,
    state: &TrainingState<f32>,
    described: &str,
    (first, resumed): (usize, usize),
    out: &Path,
) -> Result<Answer> {
    let diverged = state.status == Status::Diverged;
    let test = Examples::labelled(data.test.inputs, data.test.labels);
    let score = match diverged {
        true => None,
        false => Some(test.score(network, mask, &state.theta, trainer.plan().loss)?),
    };
    let layout = network.layout();
    let kept: usize = layout.weight_slots().map(|slot| mask.kept_in(slot.range.clone())).sum();
    let effective = LivePaths::of(network, mask).ok().map(|paths| paths.effective_density());
    let early = state.early_stop();
    let object = json!({
        "network": network.name(),
        "data": described,
        "weights": layout.prunable(),
        "kept": kept,
        "density": layout.density(mask),
        "effective_density": effective,
        "first_step": first,
        "resumed_at": (resumed > first).then_some(resumed),
        "steps": state.step - first,
        "status": state.status.as_str(),
        "diverged_at": state.diverged_at,
        "test_accuracy": score.map(|s| s.accuracy),
        "test_loss": score.map(|s| s.loss),
        "validation_accuracy": state.history.last().map(|e| e.validation_accuracy),
        "early_stop_step": early.map(|e| e.step),
        "out": out.display().to_string(),
    });
    let mut text = format!("{} on {described}\n", network.name());
    let mut line = |what: &str, value: String| {
        let _ = writeln!(text, "{what:<20} {value}");
    };
    let share = layout.density(mask);
    line("weights kept", format!("{kept} of {} ({share:.4})", layout.prunable()));
    if let Some(effective) = effective {
        line("on live paths", format!("{effective:.4}"));
    }
    line("steps", format!("{} of {}", state.step, trainer.plan().steps));
    line("status", state.status.to_string());
    if let Some(last) = state.history.last() {
        line("validation accuracy", format!("{:.4}", last.validation_accuracy));
    }
    if let Some(score) = score {
        line("test accuracy", format!("{:.4}", score.accuracy));
        line("test loss", format!("{:.4}", score.loss));
    }
    line("written to", out.display().to_string());
    Ok(Answer {
        text,
        json: object,
        code: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::test_folder::Folder;
    use ticketsense::data::{self, DataChoice, npy};
    use ticketsense::pruning::ImpPlan;
    use ticketsense::training::Optimiser;

    fn ask(words: &[&str]) -> Result<Answer> {
        let line = ["train", "--data", "digits", "--network", "mlp:12", "--batch", "40"];
        let line = line.iter().chain(words);
        train(&command().try_get_matches_from(line).unwrap(), &Stop::new())
    }

    #[test]
    fn the_mask_of_a_round_trains_to_the_very_ticket_of_that_round() {
        let folder = Folder::new("train-ticket");
        let (mask, out) = (folder.path("m.npy"), folder.path("out"));
        let samples = ImpSamples::new(data::load(&DataChoice::Digits).unwrap()).unwrap();
        let plan = ImpPlan {
            network: "mlp:12".into(),
            training: TrainingPlan {
                optimiser: Optimiser::adam(0.01),
                batch: 40,
                steps: 30,
                evaluate_every: 10,
                ..TrainingPlan::default()
            },
            rounds: 2,
            prune_fraction: 0.5,
            ..ImpPlan::default()
        };
        let seed = Seed::root(7).stream("imp").stream("0");
        let run = plan.run(&samples.view(), &seed, &mut |_| true).unwrap();
        write_mask(Path::new(&mask), &run.rounds[2].mask).unwrap();
        let options = [
            "--learning-rate",
            "0.01",
            "--steps",
            "30",
            "--evaluate-every",
            "10",
            "--seed",
            "7",
        ];
        let files = ["--mask", &mask, "--out", &out];
        let told = ask(&[&options[..], &files[..]].concat()).unwrap();
        let bundle = Bundle::load(folder.path("out/checkpoint.safetensors")).unwrap();
        assert_eq!(bundle.get::<f32>("theta").unwrap(), run.rounds[2].outcome.theta);
        assert_eq!(told.json["test_accuracy"], run.rounds[2].outcome.test_accuracy);
        assert_eq!(
            npy::read_vector(folder.path("out/mask.npy")).unwrap(),
            npy::read_vector(&mask).unwrap()
        );
        let rows = std::fs::read_to_string(folder.path("out/history.csv")).unwrap();
        assert_eq!(rows.lines().count(), 1 + 4, "{rows}");
        for word in ["test accuracy", "converged", "on live paths"] {
            assert!(told.text.contains(word), "{}", told.text);
        }
        // From its own end the checkpoint brings mask and values.
        let (checkpoint, on) = (folder.path("out/checkpoint.safetensors"), folder.path("on"));
        let more = ask(&["--checkpoint", &checkpoint, "--steps", "1", "--out", &on])
            .unwrap()
            .json;
        assert_eq!(more["kept"], told.json["kept"]);
        assert_eq!(more["steps"], 1);
    }

    #[test]
    fn an_interrupted_training_goes_on_to_the_same_bits() {
        let folder = Folder::new("train-resume");
        let (whole, cut) = (folder.path("whole"), folder.path("cut"));
        let options = |out: &str| -> Vec<String> {
            let words = ["--steps", "40", "--evaluate-every", "10", "--out", out];
            words.iter().map(ToString::to_string).collect()
        };
        let words = |out: &str| {
            let line = ["train", "--data", "digits", "--network", "mlp:12"].map(String::from);
            command()
                .try_get_matches_from(line.into_iter().chain(options(out)))
                .unwrap()
        };
        train(&words(&whole), &Stop::new()).unwrap();
        let stop = Stop::new();
        stop.request();
        assert!(matches!(train(&words(&cut), &stop), Err(Error::Interrupted)));
        let told = train(&words(&cut), &Stop::new()).unwrap().json;
        assert_eq!(told["resumed_at"], 10);
        let theta = |out: &str| {
            let bundle = Bundle::load(Path::new(out).join("checkpoint.safetensors")).unwrap();
            bundle.get::<f32>("theta").unwrap()
        };
        assert_eq!(theta(&whole), theta(&cut));
    }

    #[test]
    fn what_does_not_fit_is_refused_with_both_sizes() {
        let folder = Folder::new("train-refused");
        let (mask, out) = (folder.path("m.npy"), folder.path("out"));
        npy::write_vector(&mask, &[1.0; 99]).unwrap();
        let refused = ask(&["--steps", "5", "--mask", &mask, "--out", &out]).unwrap_err();
        let words = refused.to_string();
        assert!(words.contains("910 parameters") && words.contains("99"), "{words}");
        assert!(ask(&["--steps", "5", "--first-step", "5", "--out", &out]).is_err());
        assert!(ask(&["--steps", "5", "--checkpoint", &mask, "--out", &out]).is_err());
        assert!(ask(&["--steps", "5", "--optimiser", "adan", "--out", &out]).is_err());
    }
}
