//! `prune`: a mask of a network as it stands, by any of the library's makers.

#[cfg(test)]
mod maker_tests;
mod options;
mod page;
#[cfg(test)]
mod tests;

use super::network_files::{self, checkpoint};
use super::{Answer, option};
use clap::ArgMatches;
use options::Asked;
pub use options::command;
use page::{Page, Written};
use std::path::PathBuf;
use ticketsense::data::Split;
use ticketsense::networks::Array;
use ticketsense::pruning::{CriterionInput, Setting};
use ticketsense::training::Examples;
use ticketsense::{Error, Result, Seed};

/// Runs `prune`.
///
/// # Errors
/// On unknown words, options that the criterion does not use, numbers out of range, a criterion that does not apply to the
/// network or cannot keep so many weights, and files that cannot be read or written or do not fit.
pub fn run(matches: &ArgMatches) -> Result<Answer> {
    let asked = Asked::new(matches)?;
    let (dataset, network) = network_files::named(matches)?;
    asked.check(&network)?;
    let request = &asked.request;
    let seed = Seed::root(*option::<u64>(matches, "seed")?);
    let chosen: Vec<usize> = match matches.get_one::<usize>("samples") {
        Some(count) => dataset.stratified(*count, &seed)?,
        None => dataset.split(Split::Train).to_vec(),
    };
    let inputs = Array::new(chosen.len(), dataset.features(), dataset.rows::<f32>(&chosen)?)?;
    let labels = dataset.labels_of(&chosen)?;
    let (theta, stored) = match matches.get_one::<PathBuf>("checkpoint") {
        Some(path) => checkpoint::<f32>(path, &network)?,
        None => {
            let initial: Vec<f32> = network.initial(&seed.stream("initial"), &asked.initialisation)?;
            (network.with_statistics_of(&initial, &inputs)?, None)
        }
    };
    let initial = match matches.get_one::<PathBuf>("initial") {
        Some(path) => checkpoint::<f32>(path, &network)?.0,
        None if request.takes(Setting::Initial) => {
            let what = format!("--initial for criterion {}", request.maker);
            return Err(Error::argument(what, "a checkpoint", "none"));
        }
        None => theta.clone(),
    };
    let mask = network_files::mask_or(matches, stored, &network)?;
    let made = request.make(&CriterionInput {
        network: &network,
        theta: &theta,
        mask: &mask,
        initial: &initial,
        loss: asked.loss,
        training: Examples::labelled(&inputs, &labels),
        seed: seed.stream("criterion"),
    })?;
    let found = made.require()?;
    let out = option::<PathBuf>(matches, "out")?;
    network_files::write_mask(out, found)?;
    let weights = matches.get_one::<PathBuf>("weights-out");
    if let Some(path) = weights {
        network_files::weights(&network, &theta, found).save(path)?;
    }
    let written = Written {
        mask: out.display().to_string(),
        weights: weights.map(|path| path.display().to_string()),
    };
    let page = Page::new(&network, request, &made, found, chosen.len());
    Ok(Answer {
        text: page.text(&written),
        json: page.json(&written),
        code: 0,
    })
}
