//! `grow`: a mask that is found while the network is trained.

mod options;
#[cfg(test)]
mod tests;

use super::network_files::{self, write_mask};
use super::{Answer, option, train, training_options};
use clap::ArgMatches;
pub use options::command;
use options::{Asked, Method};
use serde_json::{Value, json};
use std::fmt::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use ticketsense::networks::Network;
use ticketsense::outcome::Status;
use ticketsense::pruning::controls::random_mask;
use ticketsense::pruning::{Allocation, ImpData, ImpSamples, LivePaths, TrainingOutcome, kept_weights};
use ticketsense::support::{Density, Mask};
use ticketsense::training::{TrainingPlan, put_history};
use ticketsense::{Error, Result, Seed, files};

/// What a method found.
struct Found {
    outcome: TrainingOutcome,
    mask: Mask,
    /// Every field of the method by name.
    identity: String,
    /// Gradients in passes over the training samples.
    passes: f64,
    /// What only this method tells: words and values.
    told: Vec<(&'static str, Value)>,
    /// Arrays that belong to the checkpoint besides the parameters.
    arrays: Vec<(&'static str, Vec<f32>)>,
}

/// Runs `grow`.
///
/// # Errors
/// On unknown words, options that the method does not use, a plan or a density that cannot be, and files that cannot be read
/// or written or do not fit the network.
pub fn run(matches: &ArgMatches) -> Result<Answer> {
    let asked = Asked::new(matches)?;
    let out: &PathBuf = option(matches, "out")?;
    let dataset = training_options::dataset(matches)?;
    let plan = TrainingPlan {
        mixing: asked.words.mixing(dataset.image())?,
        ..asked.words.unmixed().clone()
    };
    let network = Network::preset(
        option::<String>(matches, "network")?,
        dataset.shape(),
        dataset.classes(),
    )?;
    let described = dataset.describe();
    let samples = ImpSamples::new(dataset)?;
    let data = samples.view();
    let seed = Seed::root(*option::<u64>(matches, "seed")?).stream("imp").stream("0");
    let found = match asked.method {
        Method::Dynamic(growth) => {
            let method = options::dynamic(matches, growth)?;
            let (values, stored) = start(matches, &asked, &network, &seed)?;
            let mask = first_mask(matches, &asked, &network, stored, &seed)?;
            let found = method.train(&network, &data, &plan, &mask, &values, &seed.stream("training"))?;
            let exchanged: usize = found.exchanges.iter().flat_map(|exchange| &exchange.exchanged).sum();
            let exchanges = found.exchanges.iter().map(|exchange| {
                json!({ "step": exchange.step, "exchanged": exchange.exchanged, "ever_active": exchange.ever_active })
            });
            Found {
                identity: method.identity(),
                passes: found.passes,
                told: vec![
                    ("weights_exchanged", exchanged.into()),
                    ("ever_active", found.ever_active.into()),
                    ("dense_gradients", found.dense_gradients.into()),
                    ("exchanges", exchanges.collect()),
                ],
                arrays: Vec::new(),
                mask: found.mask,
                outcome: found.outcome,
            }
        }
        Method::HardThresholding => {
            let method = options::thresholds(matches, plan.clone())?;
            let (values, _) = start(matches, &asked, &network, &seed)?;
            let counts = counts(&asked, &network)?;
            let found = method.run(&network, &data, &counts, &values, &seed.stream("training"))?;
            Found {
                identity: method.identity(),
                passes: found.passes,
                told: vec![
                    ("weights_returned", found.returned.into()),
                    ("ever_kept", found.ever_kept.into()),
                ],
                arrays: Vec::new(),
                mask: found.mask,
                outcome: found.outcome,
            }
        }
        Method::MovementPruning => {
            let method = options::movement(matches, plan.clone())?;
            let (values, _) = start(matches, &asked, &network, &seed)?;
            let order = seed.stream("training");
            let found = if asked.allocation() == Allocation::Global {
                let density = density(&asked, &network)?;
                // Refuses a density that leaves nothing.
                asked.allocation().counts(network.layout(), density)?;
                let count = Density::new(density)?.kept_of(network.layout().prunable());
                method.run_together(&network, &data, count, &values, &order)?
            } else {
                method.run(&network, &data, &counts(&asked, &network)?, &values, &order)?
            };
            Found {
                identity: method.identity(),
                passes: found.passes,
                told: vec![
                    ("weights_returned", found.returned.into()),
                    ("dense_gradients", found.gradients.into()),
                ],
                arrays: vec![("scores", found.scores.iter().map(|&score| score as f32).collect())],
                mask: found.mask,
                outcome: found.outcome,
            }
        }
        Method::EdgePopup => {
            let method = options::popup(matches, plan.clone())?;
            let found = method.run(&network, &data, &counts(&asked, &network)?, &seed)?;
            Found {
                identity: method.identity(),
                passes: found.gradient_passes,
                told: vec![("weights_changed", found.changed.into())],
                arrays: vec![("weights", found.weights), ("scores", found.scores)],
                mask: found.mask,
                outcome: found.outcome,
            }
        }
    };
    write(out, &network, &data, asked.method, &found)?;
    answer(&network, asked.method, &plan, &found, &described, out)
}

/// The values to start from, with the mask of their checkpoint.
fn start(matches: &ArgMatches, asked: &Asked, network: &Network, seed: &Seed) -> Result<(Vec<f32>, Option<Mask>)> {
    match matches.get_one::<PathBuf>("checkpoint") {
        Some(path) => network_files::checkpoint(path, network),
        None => Ok((
            network.initial(&seed.stream("initial"), &asked.words.initialisation)?,
            None,
        )),
    }
}

/// The mask to begin with: the one that is given, a random one of the density that is asked for, or the checkpoint's.
fn first_mask(
    matches: &ArgMatches,
    asked: &Asked,
    network: &Network,
    stored: Option<Mask>,
    seed: &Seed,
) -> Result<Mask> {
    if let Some(path) = matches.get_one::<PathBuf>("mask") {
        return network_files::mask(path, network);
    }
    let layout = network.layout();
    match stored {
        Some(stored) if asked.density.is_none() && asked.allocation().implied_density(layout)?.is_none() => Ok(stored),
        _ => {
            let layers: Vec<Range<usize>> = layout.weight_ranges();
            random_mask(layout.len(), &layers, &counts(asked, network)?, &seed.stream("mask"))
        }
    }
}

/// The fraction of the weights that is asked for.
fn density(asked: &Asked, network: &Network) -> Result<f64> {
    let implied = asked.allocation().implied_density(network.layout())?;
    let density = asked.density.or(implied);
    density.ok_or_else(|| Error::argument("density", "a number, or a density for every layer", "none"))
}

/// How many weights every layer keeps.
fn counts(asked: &Asked, network: &Network) -> Result<Vec<usize>> {
    let (layout, allocation) = (network.layout(), asked.allocation());
    let density = density(asked, network)?;
    let counts = allocation.counts(layout, density)?;
    counts.ok_or_else(|| Error::argument("allocation", "one that gives every layer a number", allocation))
}

fn write(out: &Path, network: &Network, data: &ImpData<'_>, method: Method, found: &Found) -> Result<()> {
    files::create_folder(out)?;
    let mut bundle = network_files::weights(network, &found.outcome.theta, &found.mask);
    bundle.describe("kind", "grown");
    bundle.describe("method", method.as_str());
    bundle.describe("grown_by", found.identity.as_str());
    bundle.describe("data", data.identity);
    bundle.describe("status", found.outcome.status.as_str());
    put_history(&mut bundle, &found.outcome.history);
    for (name, values) in &found.arrays {
        bundle.put(*name, values);
    }
    bundle.save(out.join("checkpoint.safetensors"))?;
    write_mask(&out.join("mask.npy"), &found.mask)?;
    let history = train::history(&found.outcome.history)?;
    files::write_atomic(out.join("history.csv"), history.to_csv().as_bytes())
}

fn answer(
    network: &Network,
    method: Method,
    plan: &TrainingPlan,
    found: &Found,
    described: &str,
    out: &Path,
) -> Result<Answer> {
    let Found { outcome, mask, .. } = found;
    let judged = outcome.status != Status::Diverged;
    let layout = network.layout();
    let kept = kept_weights(network, mask);
    let effective = LivePaths::of(network, mask).ok().map(|paths| paths.effective_density());
    let layers = layout.weight_slots().map(|slot| {
        let kept = mask.kept_in(slot.range.clone());
        json!({ "name": slot.name, "weights": slot.len(), "kept": kept, "density": kept as f64 / slot.len() as f64 })
    });
    let mut object = json!({
        "network": network.name(),
        "data": described,
        "method": method.as_str(),
        "weights": layout.prunable(),
        "kept": kept,
        "density": layout.density(mask),
        "effective_density": effective,
        "layers": layers.collect::<Vec<_>>(),
        "steps": outcome.steps,
        "status": outcome.status.as_str(),
        "diverged_at": outcome.diverged_at,
        "test_accuracy": judged.then_some(outcome.test_accuracy),
        "test_loss": judged.then_some(outcome.test_loss),
        "validation_accuracy": outcome.history.last().map(|e| e.validation_accuracy),
        "early_stop_step": outcome.early_stop_step(),
        "gradient_passes": found.passes,
        "out": out.display().to_string(),
    });
    let mut text = format!("{} by {method} on {described}\n", network.name());
    let mut line = |what: &str, value: String| {
        let _ = writeln!(text, "{what:<20} {value}");
    };
    let density = layout.density(mask);
    line(
        "weights kept",
        format!("{kept} of {} ({density:.4})", layout.prunable()),
    );
    if let Some(effective) = effective {
        line("on live paths", format!("{effective:.4}"));
    }
    line("steps", format!("{} of {}", outcome.steps, plan.steps));
    line("status", outcome.status.to_string());
    for (name, value) in &found.told {
        object[*name] = value.clone();
        let name = name.replace('_', " ");
        match value {
            Value::Array(list) => line(&name, list.len().to_string()),
            Value::Number(number) if !number.is_u64() => line(&name, format!("{:.4}", number.as_f64().unwrap_or(0.0))),
            other => line(&name, other.to_string()),
        }
    }
    line(
        "cost",
        format!("{:.2} gradient passes over the training samples", found.passes),
    );
    if let Some(last) = outcome.history.last() {
        line("validation accuracy", format!("{:.4}", last.validation_accuracy));
    }
    if judged {
        line("test accuracy", format!("{:.4}", outcome.test_accuracy));
        line("test loss", format!("{:.4}", outcome.test_loss));
    }
    line("written to", out.display().to_string());
    Ok(Answer {
        text,
        json: object,
        code: 0,
    })
}
