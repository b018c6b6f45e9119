//! Weights and masks of a network in files, the same for every command.

use serde_json::Value;
use std::path::Path;
use ticketsense::data::npy;
use ticketsense::networks::{Network, Real};
use ticketsense::support::Mask;
use ticketsense::training::Bundle;
use ticketsense::{Error, Result};

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
