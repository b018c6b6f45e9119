//! `linearize`: a network at its weights, seen as a measurement matrix.

mod page;

use super::{Answer, file, network_files, option};
use clap::{Arg, ArgMatches, value_parser};
use nalgebra::DMatrix;
use page::Page;
use std::path::{Path, PathBuf};
use ticketsense::data::{Dataset, npy};
use ticketsense::linearize::{Biases, Linearisation, RowTransform};
use ticketsense::networks::{Array, Initialisation, Network};
use ticketsense::operators::MeasurementOperator;
use ticketsense::support::Mask;
use ticketsense::{Error, Result, Seed};

/// The command line of `linearize`.
pub fn command() -> clap::Command {
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    clap::Command::new("linearize")
        .about("Examine a network's Jacobian: columns, cosines, null directions, tangent kernel")
        .args(network_files::arguments())
        .arg(network_files::checkpoint_argument("random ones of He's law"))
        .arg(network_files::mask_argument("Keep these", "the checkpoint's mask"))
        .arg(
            text("samples", "N", "Training samples, classes balanced")
                .default_value("50")
                .value_parser(value_parser!(usize)),
        )
        .arg(
            text(
                "max-comparisons",
                "N",
                "Compare at most so many pairs of columns; the coherence is a lower bound when that ends the search",
            )
            .default_value("2000000000")
            .value_parser(value_parser!(u64)),
        )
        .arg(file(
            "matrix-out",
            "A.npy",
            "Write the Jacobian itself, one column a kept weight, as solve and certify --matrix read it",
        ))
        .arg(
            text("seed", "N", "Seed of random weights, samples and choices")
                .default_value("0")
                .value_parser(value_parser!(u64)),
        )
}

/// Runs `linearize`.
///
/// # Errors
/// On unknown networks and data, files that cannot be read or do not fit the network, and counts out of range.
pub fn run(matches: &ArgMatches) -> Result<Answer> {
    let (dataset, network) = network_files::named(matches)?;
    let seed = Seed::root(*option::<u64>(matches, "seed")?);
    let inputs = samples(&dataset, *option::<usize>(matches, "samples")?, &seed)?;
    let (theta, stored) = match matches.get_one::<PathBuf>("checkpoint") {
        Some(path) => network_files::checkpoint(path, &network)?,
        None => {
            let initial = network.initial(&seed, &Initialisation::HE)?;
            (network.with_statistics_of(&initial, &inputs)?, None)
        }
    };
    let mask = network_files::mask_or(matches, stored, &network)?;
    let comparisons = *option::<u64>(matches, "max-comparisons")?;
    if comparisons == 0 {
        return Err(Error::argument("max-comparisons", "at least 1", comparisons));
    }
    if let Some(path) = matches.get_one::<PathBuf>("matrix-out") {
        write_jacobian(path, &network, &theta, &mask, &inputs)?;
    }
    let page = Page::new(&network, theta, &mask, &inputs, comparisons, &seed)?;
    Ok(Answer {
        text: page.text(),
        json: page.json(),
        code: 0,
    })
}

fn samples(dataset: &Dataset, count: usize, seed: &Seed) -> Result<Array<f64>> {
    let chosen = dataset.stratified(count, seed)?;
    Array::new(chosen.len(), dataset.features(), dataset.rows::<f64>(&chosen)?)
}

/// The largest matrix that is written: half a gigabyte.
const MOST_ENTRIES: usize = 1 << 26;

/// Writes the Jacobian at `mask ⊙ theta`, restricted to the columns of the kept weights.
///
/// # Errors
/// [`Error::Argument`] for a matrix that is too large, with its size; [`Error::Io`] naming the file.
fn write_jacobian(path: &Path, network: &Network, theta: &[f64], mask: &Mask, inputs: &Array<f64>) -> Result<()> {
    let kept = mask.and(&network.layout().prunable_mask())?.support();
    let (rows, columns) = (inputs.rows() * network.classes(), kept.len());
    if rows.saturating_mul(columns) > MOST_ENTRIES {
        let got = format!("{rows}×{columns} = {} entries", rows.saturating_mul(columns));
        let expected = format!("at most {MOST_ENTRIES} entries: fewer --samples, or a --mask that keeps less");
        return Err(Error::argument("matrix-out", expected, got));
    }
    let mut theta = theta.to_vec();
    mask.apply(&mut theta)?;
    let at = Linearisation::new(network, &theta, inputs)?;
    let jacobian = at.jacobian(&kept, RowTransform::Identity, Biases::Fixed)?;
    let every: Vec<usize> = (0..columns).collect();
    let mut matrix = DMatrix::zeros(rows, columns);
    jacobian.columns_into(&every, &mut matrix);
    npy::write_matrix(path, &matrix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use ticketsense::data::{self, DataChoice};
    use ticketsense::training::Bundle;

    fn ask(words: &[&str]) -> Result<Answer> {
        let line = ["linearize"].iter().chain(words);
        run(&command().try_get_matches_from(line).unwrap())
    }

    fn number(value: &Value) -> f64 {
        value.as_f64().unwrap()
    }

    #[test]
    fn a_network_without_biases_obeys_euler_and_one_with_tanh_does_not() {
        let relu = ask(&["--network", "mlp:5:no-bias", "--samples", "6"]).unwrap().json;
        assert_eq!(
            (relu["rows"].as_u64(), relu["columns"].as_u64()),
            (Some(60), Some(64 * 5 + 50))
        );
        assert!(number(&relu["euler"]["relative_deviation"]) < 1e-12);
        assert_eq!(relu["euler"]["homogeneous"], true);
        let tanh = ask(&["--network", "mlp:5:tanh:no-bias", "--samples", "6"])
            .unwrap()
            .json;
        assert!(number(&tanh["euler"]["relative_deviation"]) > 1e-3);
        assert_eq!(tanh["euler"]["homogeneous"], false);
    }

    #[test]
    fn a_search_cut_short_bounds_the_coherence_from_below() {
        let all = ask(&["--network", "mlp:5", "--samples", "6"]).unwrap().json;
        let some = ask(&["--network", "mlp:5", "--samples", "6", "--max-comparisons", "1"])
            .unwrap()
            .json;
        assert_eq!(all["merged_coherence_certainty"], "exact");
        assert_eq!(all["parallel_columns_certainty"], "exact");
        assert_eq!(some["merged_coherence_certainty"], "lower-bound");
        assert!(number(&some["merged_coherence"]) <= number(&all["merged_coherence"]) + 1e-12);
    }

    #[test]
    fn every_pair_of_live_columns_is_in_one_law_and_every_relu_unit_has_its_direction() {
        let page = ask(&["--network", "mlp:8-5:no-bias", "--samples", "20"]).unwrap().json;
        let laws = page["cosines"].as_array().unwrap();
        let pairs: u64 = laws.iter().map(|law| law["pairs"].as_u64().unwrap()).sum();
        let live = page["columns"].as_u64().unwrap() - page["zero_columns"].as_u64().unwrap();
        assert_eq!(pairs, live * (live - 1) / 2);
        let consecutive: Vec<&Value> = laws.iter().filter(|law| law["kind"] == "consecutive").collect();
        assert_eq!(consecutive.len(), 2);
        let found = &page["scaling_directions"];
        assert_eq!(found["hidden_units"], 13);
        assert_eq!(found["null"].as_u64().unwrap() + found["silent"].as_u64().unwrap(), 13);
        // The pair that makes the coherence is in one of them.
        let largest = laws.iter().map(|law| number(&law["largest"])).fold(0.0, f64::max);
        assert!((largest - number(&page["coherence"])).abs() < 1e-12);
    }

    #[test]
    fn masks_are_read_by_parameter_or_by_weight_and_refused_otherwise() {
        let folder = std::env::temp_dir().join(format!("ticketsense-linearize-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("mask.npy");
        let file = path.to_str().unwrap();
        let ask = || ask(&["--network", "mlp:5", "--samples", "6", "--mask", file]);
        let weights = 64 * 5 + 50;
        npy::write_vector(&path, &(0..weights).map(|i| f64::from(i % 2)).collect::<Vec<_>>()).unwrap();
        let found = ask().unwrap().json;
        assert_eq!(found["columns"].as_u64(), Some(weights as u64 / 2));
        assert_eq!(number(&found["density"]), 0.5);
        npy::write_vector(&path, &[1.0; 7]).unwrap();
        assert!(matches!(ask(), Err(Error::Format { .. })));
        npy::write_vector(&path, &vec![0.5; weights as usize]).unwrap();
        assert!(matches!(ask(), Err(Error::Format { .. })));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_matrix_that_is_written_is_the_slope_of_the_outputs_in_every_kept_weight() {
        let folder = crate::cli::test_folder::Folder::new("linearize-matrix");
        let (mask, matrix) = (folder.path("mask.npy"), folder.path("A.npy"));
        let network = Network::preset("mlp:5:tanh", 64, 10).unwrap();
        let weights = network.layout().prunable();
        let bits: Vec<f64> = (0..weights).map(|i| f64::from(u8::from(i % 3 == 0))).collect();
        npy::write_vector(&mask, &bits).unwrap();
        let words = [
            "--network",
            "mlp:5:tanh",
            "--samples",
            "20",
            "--seed",
            "3",
            "--mask",
            &mask,
        ];
        ask(&[&words[..], &["--matrix-out", &matrix]].concat()).unwrap();
        let a = npy::read_matrix(&matrix).unwrap();
        let mask = network_files::mask(Path::new(&mask), &network).unwrap();
        let kept = mask.and(&network.layout().prunable_mask()).unwrap().support();
        assert_eq!(a.shape(), (200, kept.len()));
        let seed = Seed::root(3);
        let inputs = samples(&data::load(&DataChoice::Digits).unwrap(), 20, &seed).unwrap();
        let mut theta: Vec<f64> = network.initial(&seed, &Initialisation::HE).unwrap();
        mask.apply(&mut theta).unwrap();
        for column in [0, 40, kept.len() - 1] {
            let at = |step: f64| {
                let mut moved = theta.clone();
                moved[kept.indices()[column]] += step;
                network.outputs(&moved, &inputs).unwrap()
            };
            let (above, below) = (at(1e-5), at(-1e-5));
            for (row, (p, m)) in above.as_slice().iter().zip(below.as_slice()).enumerate() {
                // Central differences: a third derivative of order ten times 1e-10, and roundings over 1e-5.
                let slope = (p - m) / 2e-5;
                assert!(
                    (a[(row, column)] - slope).abs() < 1e-8,
                    "{row} {column}: {} {slope}",
                    a[(row, column)]
                );
            }
        }
        let large = ask(&[
            "--network",
            "lenet-300-100",
            "--samples",
            "500",
            "--matrix-out",
            &matrix,
        ])
        .unwrap_err();
        assert!(
            matches!(large, Error::Argument { .. }) && large.to_string().contains("entries"),
            "{large}"
        );
    }

    #[test]
    fn a_checkpoint_brings_its_weights_and_one_of_another_network_is_refused() {
        let folder = std::env::temp_dir().join(format!("ticketsense-checkpoint-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("state.safetensors");
        let network = Network::preset("mlp:5", 64, 10).unwrap();
        let theta: Vec<f32> = network.initial(&Seed::root(3), &Initialisation::HE).unwrap();
        let mut bundle = Bundle::new(json!({"identity": "network=mlp:5;steps=1"}));
        bundle.put("theta", &theta);
        bundle.save(&path).unwrap();
        let (read, mask) = network_files::checkpoint::<f64>(&path, &network).unwrap();
        assert!(read.iter().zip(&theta).all(|(a, b)| *a == f64::from(*b)));
        assert_eq!(mask, None);
        let other = Network::preset("mlp:6", 64, 10).unwrap();
        assert!(matches!(
            network_files::checkpoint::<f64>(&path, &other),
            Err(Error::Format { .. })
        ));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn counts_out_of_range_and_unknown_names_are_refused() {
        assert!(matches!(
            ask(&["--network", "mlp:5", "--samples", "0"]),
            Err(Error::Argument { .. })
        ));
        assert!(matches!(
            ask(&["--network", "mlp:5", "--max-comparisons", "0"]),
            Err(Error::Argument { .. })
        ));
        assert!(matches!(ask(&["--network", "perceptron"]), Err(Error::Unknown { .. })));
        assert!(matches!(
            ask(&["--network", "mlp:5", "--data", "cifar"]),
            Err(Error::Unknown { .. })
        ));
    }
}
