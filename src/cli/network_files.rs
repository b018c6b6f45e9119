//! A network with its data, and its weights and masks in files, the same for every command.

use super::{file, option};
use clap::{Arg, ArgMatches};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use ticketsense::data::{self, DataChoice, Dataset, npy};
use ticketsense::networks::{Network, Real};
use ticketsense::support::Mask;
use ticketsense::training::Bundle;
use ticketsense::{Error, Result};

/// The options that name a network and the data that it is for.
pub fn arguments() -> [Arg; 2] {
    [
        Arg::new("network").long("network").value_name("PRESET").required(true).help(
            "The network: mlp:100-50, mlp:20:tanh:no-bias, linear, lenet-300-100, lenet-5, conv-2, resnet-20, transformer, rnn",
        ),
        Arg::new("data")
            .long("data")
            .value_name("SET|DIR")
            .default_value("digits")
            .help("The data: digits, sequences:first, sequences:majority, sequences:recall, a folder, or a .csv file"),
    ]
}

/// The option of the weights of a network.
pub fn checkpoint_argument(without: &str) -> Arg {
    file("checkpoint", "F", "").help(format!("Its weights: a checkpoint of a training; {without} without it"))
}

/// The option of a mask.
pub fn mask_argument(what: &str, without: &str) -> Arg {
    file("mask", "M.npy", "").help(format!(
        "{what}: one 0 or 1 a parameter, or a weight; {without} without it"
    ))
}

/// The mask that is given, or that of the checkpoint, or all.
///
/// # Errors
/// As [`mask`].
pub fn mask_or(matches: &ArgMatches, stored: Option<Mask>, network: &Network) -> Result<Mask> {
    match matches.get_one::<PathBuf>("mask") {
        Some(path) => mask(path, network),
        None => Ok(stored.unwrap_or_else(|| network.layout().full_mask())),
    }
}

/// The data and the network that [`arguments`] name.
///
/// # Errors
/// On unknown names and on files that cannot be read.
pub fn named(matches: &ArgMatches) -> Result<(Dataset, Network)> {
    let choice: DataChoice = option::<String>(matches, "data")?.parse()?;
    let dataset = data::load(&choice)?;
    let name = option::<String>(matches, "network")?;
    let network = Network::preset(name, dataset.shape(), dataset.classes())?;
    Ok((dataset, network))
}

/// Values as a checkpoint, so that [`checkpoint`] reads them: no training, only the network, its parameters and what of them
/// is kept.
pub fn weights(network: &Network, theta: &[f32], mask: &Mask) -> Bundle {
    let mut bundle = Bundle::new(json!({
        "kind": "weights",
        "identity": format!("network={}", network.name()),
    }));
    bundle.put("theta", theta);
    bundle.put_bits("mask", mask.bits());
    bundle
}

/// Parameters and mask of a checkpoint, which must be one of this network.
///
/// # Errors
/// [`Error::Format`] naming what does not fit.
pub fn checkpoint<T: Real>(path: &Path, network: &Network) -> Result<(Vec<T>, Option<Mask>)> {
    let bundle = Bundle::load(path)?;
    let identity = bundle.field("identity", "the identity of a training", Value::as_str)?;
    let made_by = identity.split(';').next().unwrap_or_default();
    let expected = format!("network={}", network.name());
    if made_by != expected {
        return Err(Error::format(path, "identity", expected, made_by));
    }
    let theta: Vec<T> = match bundle.get::<f64>("theta") {
        Ok(values) => values.iter().map(|&w| T::of(w)).collect(),
        Err(_) => bundle
            .get::<f32>("theta")?
            .iter()
            .map(|&w| T::of(f64::from(w)))
            .collect(),
    };
    let parameters = network.layout().len();
    if theta.len() != parameters {
        let expected = format!("{parameters} parameters");
        return Err(Error::format(path, "array theta", expected, theta.len()));
    }
    let mask = if bundle.contains("mask") {
        let mask = Mask::from_bits(bundle.bits("mask")?);
        network.layout().check_mask(&mask)?;
        Some(mask)
    } else {
        None
    };
    Ok((theta, mask))
}

/// A mask from zeros and ones, one a parameter or one a weight.
///
/// # Errors
/// [`Error::Format`] with the sizes of both where the mask is of another network; [`Error::Argument`] where it prunes what
/// is not a weight.
pub fn mask(path: &Path, network: &Network) -> Result<Mask> {
    let values = npy::read_vector(path)?;
    let layout = network.layout();
    if let Some((place, value)) = values.iter().enumerate().find(|(_, v)| **v != 0.0 && **v != 1.0) {
        return Err(Error::format(path, format!("entry {place}"), "0 or 1", value));
    }
    let mut mask = layout.full_mask();
    if values.len() == layout.len() {
        mask = Mask::from_bits(values.iter().map(|v| *v == 1.0).collect());
    } else if values.len() == layout.prunable() {
        for (&i, value) in layout.weights().indices().iter().zip(&values) {
            mask.set(i, *value == 1.0);
        }
    } else {
        let (parameters, weights) = (layout.len(), layout.prunable());
        let expected = format!("{parameters} parameters or {weights} weights of {}", network.name());
        return Err(Error::format(
            path,
            "mask",
            expected,
            format!("{} entries", values.len()),
        ));
    }
    layout.check_mask(&mask)?;
    Ok(mask)
}

/// Writes a mask as zeros and ones, one a parameter, so that [`mask`] reads it.
///
/// # Errors
/// [`Error::Io`] naming the file.
pub fn write_mask(path: &Path, mask: &Mask) -> Result<()> {
    let bits: Vec<f64> = mask.bits().iter().map(|keep| f64::from(u8::from(*keep))).collect();
    npy::write_vector(path, &bits)
}
