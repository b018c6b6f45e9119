//! `percolate`: what of a mask still leads from an input to an output.

use super::{Answer, file, network_files, option};
use clap::ArgMatches;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;
use ticketsense::Result;
use ticketsense::networks::Network;
use ticketsense::pruning::{LayerPaths, LivePaths};
use ticketsense::simulations::percolation::{Connectivity, connectivity, layer_masks};
use ticketsense::support::Mask;

/// The command line of `percolate`.
pub fn command() -> clap::Command {
    clap::Command::new("percolate")
        .about("Count the kept weights of a mask that lie on a path from an input to an output")
        .long_about(
            "Follow the kept weights forwards from all inputs and backwards from all outputs. A weight on no such path computes \
             nothing, whatever its value: the effective density leaves it out.\n\
             Multilayer perceptrons are also told their dead units and the number of their paths. Networks with attention \
             are refused: there entries multiply each other, and no path says what depends on what.",
        )
        .args(network_files::arguments())
        .arg(file("mask", "M.npy", "The mask: one 0 or 1 a parameter, or a weight").required(true))
}

/// Runs `percolate`.
///
/// # Errors
/// On unknown names, files that cannot be read or do not fit the network, and networks without paths.
pub fn run(matches: &ArgMatches) -> Result<Answer> {
    let (_, network) = network_files::named(matches)?;
    LivePaths::check(&network)?;
    let mask = network_files::mask(option::<PathBuf>(matches, "mask")?, &network)?;
    let paths = LivePaths::of(&network, &mask)?;
    let units = layers_of(&network, &mask)?;
    Ok(Answer {
        text: page(&network, &paths, units.as_ref()),
        json: object(&network, &paths, units.as_ref()),
        code: 0,
    })
}

/// What is connected to what, unit by unit; of multilayer perceptrons alone.
fn layers_of(network: &Network, mask: &Mask) -> Result<Option<Connectivity>> {
    if !network.is_multilayer() {
        return Ok(None);
    }
    connectivity(&layer_masks(network, mask)?).map(Some)
}

/// Units of every hidden layer, and those of them on a path from an input to an output.
fn hidden(units: &Connectivity) -> Vec<(usize, usize)> {
    let hidden = 1..units.from_inputs.len() - 1;
    let of_layer = |l: usize| (units.from_inputs[l].len(), units.live_units(l).unwrap_or(0));
    hidden.map(of_layer).collect()
}

fn object(network: &Network, paths: &LivePaths, units: Option<&Connectivity>) -> Value {
    let layer = |l: &LayerPaths| json!({ "name": l.name, "weights": l.weights, "kept": l.kept, "live": l.live });
    let hidden_layers = |units: &Connectivity| -> Vec<Value> {
        let layers = hidden(units);
        layers
            .iter()
            .map(|(all, live)| json!({ "units": all, "live": live }))
            .collect()
    };
    json!({
        "network": network.name(),
        "connected": paths.is_connected(),
        "reached_outputs": paths.reached_outputs(),
        "outputs": network.classes(),
        "weights": network.layout().prunable(),
        "kept": paths.layers().iter().map(|l| l.kept).sum::<usize>(),
        "live": paths.layers().iter().map(|l| l.live).sum::<usize>(),
        "density": paths.density(),
        "effective_density": paths.effective_density(),
        "layers": paths.layers().iter().map(layer).collect::<Vec<_>>(),
        "dead_layers": paths.dead_layers(),
        "dead_branches": paths.dead_branches(),
        "hidden_layers": units.map(hidden_layers),
        "dead_hidden_units": units.map(Connectivity::dead_hidden_units),
        "log_paths": units.map(|units| units.log_paths).filter(|log| log.is_finite()),
    })
}

fn page(network: &Network, paths: &LivePaths, units: Option<&Connectivity>) -> String {
    let mut out = format!("{} under the mask\n", network.name());
    let width = paths.layers().iter().map(|l| l.name.len()).max().unwrap_or(0).max(16);
    let _ = writeln!(
        out,
        "{:<width$}  {:>9}  {:>9}  {:>9}",
        "layer", "weights", "kept", "live"
    );
    for layer in paths.layers() {
        let LayerPaths {
            name,
            weights,
            kept,
            live,
        } = layer;
        let _ = writeln!(out, "{name:<width$}  {weights:>9}  {kept:>9}  {live:>9}");
    }
    let mut line = |what: &str, value: String| {
        let _ = writeln!(out, "{what:<width$}  {value}");
    };
    line("density", format!("{:.6}", paths.density()));
    line("effective density", format!("{:.6}", paths.effective_density()));
    line(
        "outputs reached",
        format!("{} of {}", paths.reached_outputs(), network.classes()),
    );
    if let Some(units) = units {
        for (layer, (all, live)) in hidden(units).into_iter().enumerate() {
            line(
                &format!("hidden layer {}", layer + 1),
                format!("{live} of {all} units live"),
            );
        }
        line("paths", format!("exp({:.2})", units.log_paths));
    }
    let dead = [
        paths.dead_layers(),
        paths.dead_branches().iter().map(String::as_str).collect(),
    ]
    .concat();
    if !dead.is_empty() {
        line("dead", dead.join(", "));
    }
    if !paths.is_connected() {
        line("connected", "no: the outputs do not depend on the inputs".into());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::test_folder::Folder;
    use ticketsense::data::{self, DataChoice, npy};
    use ticketsense::{Error, Seed};

    fn ask(network: &str, mask: &str) -> Result<Answer> {
        let line = ["percolate", "--network", network, "--mask", mask];
        run(&command().try_get_matches_from(line).unwrap())
    }

    #[test]
    fn a_unit_without_inputs_kills_what_it_feeds() {
        let folder = Folder::new("percolate");
        let path = folder.path("m.npy");
        let network = Network::preset("mlp:6-4", 64, 10).unwrap();
        let slot = |name: &str| network.layout().slot(name).unwrap().range.start;
        let mut bits = vec![1.0; network.layout().len()];
        let start = slot("dense0.weight") + 2 * 64;
        bits[start..start + 64].fill(0.0);
        npy::write_vector(&path, &bits).unwrap();
        let found = ask("mlp:6-4", &path).unwrap();
        let json = &found.json;
        assert_eq!(json["dead_hidden_units"], 1);
        assert_eq!(json["hidden_layers"][0]["live"], 5);
        assert_eq!(json["layers"][1]["kept"], 24);
        assert_eq!(json["layers"][1]["live"], 20);
        assert_eq!(json["kept"], 5 * 64 + 24 + 40);
        assert_eq!(json["live"], 5 * 64 + 20 + 40);
        // 64 · 5 · 4 · 10 paths.
        assert!((json["log_paths"].as_f64().unwrap() - 12_800_f64.ln()).abs() < 1e-12);
        assert!(found.text.contains("5 of 6 units live"), "{}", found.text);
        bits[slot("dense1.weight")..slot("dense1.weight") + 24].fill(0.0);
        npy::write_vector(&path, &bits).unwrap();
        let cut = ask("mlp:6-4", &path).unwrap();
        assert_eq!(cut.json["connected"], false);
        assert_eq!(cut.json["log_paths"], Value::Null);
        assert!(cut.text.contains("do not depend"), "{}", cut.text);
    }

    #[test]
    fn convolutions_are_told_their_layers_and_attention_is_refused() {
        let folder = Folder::new("percolate-general");
        let path = folder.path("m.npy");
        let network = Network::preset("conv-2", data::load(&DataChoice::Digits).unwrap().shape(), 10).unwrap();
        let mask = network.initial::<f64>(&Seed::root(1), &Default::default()).unwrap();
        let bits: Vec<f64> = (0..mask.len())
            .map(|i| match network.layout().slot_of(i).name.ends_with("weight") {
                true => f64::from(u8::from(mask[i] > 0.0)),
                false => 1.0,
            })
            .collect();
        npy::write_vector(&path, &bits).unwrap();
        let found = ask("conv-2", &path).unwrap().json;
        assert_eq!(found["dead_hidden_units"], Value::Null);
        assert_eq!(found["layers"].as_array().unwrap().len(), network.depth());
        let density = found["density"].as_f64().unwrap();
        assert!(density > 0.4 && density < 0.6);
        assert!(found["effective_density"].as_f64().unwrap() <= density);
        assert!(matches!(ask("transformer", &path), Err(Error::Argument { .. })));
        assert!(matches!(ask("mlp:6", &path), Err(Error::Format { .. })));
    }
}
