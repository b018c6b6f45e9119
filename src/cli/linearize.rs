//! `linearize`: a network at its weights, seen as a measurement matrix.

use super::{Answer, option};
use clap::{Arg, ArgMatches, value_parser};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use ticketsense::data::{self, DataChoice, Dataset, npy};
use ticketsense::estimators::{
    Estimator, JacobianCosineLaw, JacobianCosines, MergedCoherence, NearColumns, NonzeroConditioning,
    ScalingDirections, SingularExtremes, nonzero_conditioning, scaling_directions,
};
use ticketsense::linalg::norm;
use ticketsense::linearize::{Biases, Jacobian, Linearisation, RowTransform};
use ticketsense::networks::{Activation, Array, Initialisation, Network};
use ticketsense::operators::MeasurementOperator;
use ticketsense::outcome::Certainty;
use ticketsense::statistics::median;
use ticketsense::support::Mask;
use ticketsense::training::Bundle;
use ticketsense::{Error, Result, Seed};

/// The largest tangent kernel that is decomposed in full: about a second.
const DENSE_KERNEL: usize = 1500;

/// The command line of `linearize`.
pub fn command() -> clap::Command {
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    clap::Command::new("linearize")
        .about("Examine a network's Jacobian: columns, cosines, null directions, tangent kernel")
        .arg(
            text(
                "network",
                "PRESET",
                "The network: mlp:100-50, mlp:20:tanh:no-bias, linear, lenet-300-100, lenet-5, conv-2, resnet-20, transformer, rnn",
            )
            .required(true),
        )
        .arg(
            text(
                "checkpoint",
                "F",
                "Its weights: a checkpoint of a training; random ones of He's law without it",
            )
            .value_parser(value_parser!(PathBuf)),
        )
        .arg(
            text(
                "data",
                "SET|DIR",
                "The samples: digits, or a folder of MNIST or CIFAR-10 files",
            )
            .default_value("digits"),
        )
        .arg(
            text(
                "mask",
                "F.npy",
                "Keep these: one 0 or 1 a parameter, or a weight; the checkpoint's mask without it",
            )
            .value_parser(value_parser!(PathBuf)),
        )
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
    let choice: DataChoice = option::<String>(matches, "data")?.parse()?;
    let dataset = data::load(&choice)?;
    let seed = Seed::root(*option::<u64>(matches, "seed")?);
    let name = option::<String>(matches, "network")?;
    let network = Network::preset(name, dataset.shape(), dataset.classes())?;
    let inputs = samples(&dataset, *option::<usize>(matches, "samples")?, &seed)?;
    let (theta, stored) = match matches.get_one::<PathBuf>("checkpoint") {
        Some(path) => checkpoint(path, &network)?,
        None => {
            let initial = network.initial(&seed, &Initialisation::HE)?;
            (network.with_statistics_of(&initial, &inputs)?, None)
        }
    };
    let mask = match matches.get_one::<PathBuf>("mask") {
        Some(path) => read_mask(path, &network)?,
        None => stored.unwrap_or_else(|| network.layout().full_mask()),
    };
    let comparisons = *option::<u64>(matches, "max-comparisons")?;
    if comparisons == 0 {
        return Err(Error::argument("max-comparisons", "at least 1", comparisons));
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

/// Parameters and mask of a checkpoint, which must be one of this network.
fn checkpoint(path: &Path, network: &Network) -> Result<(Vec<f64>, Option<Mask>)> {
    let bundle = Bundle::load(path)?;
    let identity = bundle.field("identity", "the identity of a training", Value::as_str)?;
    let made_by = identity.split(';').next().unwrap_or_default();
    let expected = format!("network={}", network.name());
    if made_by != expected {
        return Err(Error::format(path, "identity", expected, made_by));
    }
    let theta = bundle
        .get::<f64>("theta")
        .or_else(|_| Ok::<_, Error>(bundle.get::<f32>("theta")?.iter().map(|&w| f64::from(w)).collect()))?;
    let parameters = network.layout().len();
    if theta.len() != parameters {
        return Err(Error::format(
            path,
            "array theta",
            format!("{parameters} parameters"),
            theta.len(),
        ));
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
fn read_mask(path: &Path, network: &Network) -> Result<Mask> {
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
        let expected = format!("{} parameters or {} weights", layout.len(), layout.prunable());
        return Err(Error::format(path, "mask", expected, values.len()));
    }
    layout.check_mask(&mask)?;
    Ok(mask)
}

/// The smallest and largest eigenvalue of the tangent kernel, in full or by their singular values.
enum Kernel {
    Full(NonzeroConditioning),
    Krylov {
        largest: f64,
        certainty: Certainty,
        smallest: f64,
    },
}

/// Everything that is told.
struct Page {
    network: String,
    density: f64,
    jacobian: (usize, usize),
    zero: usize,
    /// Smallest, median and largest norm of the columns that are not zero.
    norms: Option<(f64, f64, f64)>,
    near: MergedCoherence,
    /// Of the coherence once parallel columns are merged.
    merged_certainty: Certainty,
    cosines: JacobianCosineLaw,
    scaling: ScalingDirections,
    /// Name of every slot and its first parameter.
    slots: Vec<(usize, String)>,
    kernel: Kernel,
    layers: usize,
    homogeneous: bool,
    euler: Option<f64>,
}

impl Page {
    fn new(
        network: &Network,
        mut theta: Vec<f64>,
        mask: &Mask,
        inputs: &Array<f64>,
        max_comparisons: u64,
        seed: &Seed,
    ) -> Result<Page> {
        mask.apply(&mut theta)?;
        let at = Linearisation::new(network, &theta, inputs)?;
        let kept = mask.and(&network.layout().prunable_mask())?.support();
        let a = at.jacobian(&kept, RowTransform::Identity, Biases::Fixed)?;
        let norms = a.column_norms();
        let live: Vec<usize> = (0..norms.len()).filter(|&c| norms[c] > 0.0).collect();
        let lengths: Vec<f64> = live.iter().map(|&c| norms[c]).collect();
        let spread = match lengths.is_empty() {
            true => None,
            false => Some((
                lengths.iter().fold(f64::INFINITY, |m, v| m.min(*v)),
                median(&lengths)?,
                lengths.iter().fold(0.0, |m: f64, v| m.max(*v)),
            )),
        };
        let near = NearColumns {
            max_comparisons,
            ..NearColumns::default()
        }
        .estimate(&a, seed)?;
        Ok(Page {
            network: network.name().to_string(),
            density: network.layout().density(mask),
            jacobian: (a.shape().rows, a.shape().columns),
            zero: norms.len() - live.len(),
            norms: spread,
            merged_certainty: near.certainty,
            near: near.value,
            cosines: JacobianCosines::default().examine(network, &a, seed)?,
            scaling: scaling_directions(&at, &a)?.value,
            slots: (network.layout().slots().iter())
                .map(|slot| (slot.range.start, slot.name.clone()))
                .collect(),
            kernel: kernel(&a, seed)?,
            layers: network.depth(),
            homogeneous: network.is_multilayer()
                && matches!(network.activation(), Activation::Relu | Activation::Linear)
                && network
                    .layout()
                    .unpruned_slots()
                    .all(|slot| theta[slot.range.clone()].iter().all(|b| *b == 0.0)),
            euler: euler(&at)?,
        })
    }

    /// The rank cannot exceed the rows, nor the columns that are not zero.
    fn rank_bound(&self) -> usize {
        self.jacobian.0.min(self.jacobian.1 - self.zero)
    }

    /// A parallel pair makes it 1 whatever else there is.
    fn coherence_certainty(&self) -> Certainty {
        if self.near.groups.merged > 0 {
            Certainty::Exact
        } else {
            self.merged_certainty
        }
    }

    fn slot_name(&self, first: usize) -> &str {
        let named = self.slots.iter().find(|(start, _)| *start == first);
        named.map_or("", |(_, name)| name)
    }

    fn json(&self) -> Value {
        let kernel = match &self.kernel {
            Kernel::Full(found) => json!({
                "certainty": "exact", "lambda_max": found.lambda_max, "lambda_min_nonzero": found.lambda_min_nonzero,
                "rank": found.rank, "condition": found.condition(), "gap": found.gap(), "cut_off": found.tolerance,
            }),
            Kernel::Krylov {
                largest,
                certainty,
                smallest,
            } => json!({
                "certainty": certainty.as_str(), "lambda_max": largest,
                "lambda_max_interval": match certainty {
                    Certainty::Interval { lower, upper } => Some([lower, upper]),
                    _ => None,
                },
                "lambda_min_upper_bound": smallest,
            }),
        };
        json!({
            "network": self.network, "density": self.density,
            "rows": self.jacobian.0, "columns": self.jacobian.1, "rank_bound": self.rank_bound(),
            "zero_columns": self.zero,
            "column_norms": self.norms.map(|(least, median, most)| json!({
                "smallest": least, "median": median, "largest": most,
            })),
            "coherence": self.near.unmerged, "coherence_certainty": self.coherence_certainty().as_str(),
            "parallel_columns": self.near.groups.merged,
            "parallel_columns_certainty": if self.near.groups_exact { "exact" } else { "lower-bound" },
            "merged_coherence": self.near.coherence, "merged_coherence_certainty": self.merged_certainty.as_str(),
            "merged_incoherence": 1.0 - self.near.coherence, "comparisons": self.near.comparisons,
            "scaling_directions": {
                "hidden_units": self.scaling.units.len(), "null": self.scaling.null(),
                "silent": self.scaling.trivial(),
            },
            "cosines": self.cosines.laws.iter().map(|law| json!({
                "slots": [self.slot_name(law.slots.0.start), self.slot_name(law.slots.1.start)],
                "kind": law.kind.as_str(), "pairs": law.pairs, "examined": law.examined,
                "mean_square": law.mean_square, "certainty": law.certainty.as_str(),
                "standard_error": match law.certainty {
                    Certainty::Sampled { standard_error, .. } => Some(standard_error),
                    _ => None,
                },
                "largest": law.largest, "largest_certainty": law.largest_certainty.as_str(),
                "counts": law.counts,
            })).collect::<Vec<_>>(),
            "tangent_kernel": kernel,
            "euler": { "weight_layers": self.layers, "relative_deviation": self.euler, "homogeneous": self.homogeneous },
        })
    }

    fn text(&self) -> String {
        let mut out = String::new();
        let (rows, columns) = self.jacobian;
        let _ = writeln!(out, "{} at density {:.4}", self.network, self.density);
        let _ = writeln!(
            out,
            "Jacobian       {rows}×{columns}, rank at most {}",
            self.rank_bound()
        );
        let norms = self.norms.map_or("none live".into(), |(least, median, most)| {
            format!("norms from {least:.3e} over {median:.3e} (median) to {most:.3e}")
        });
        let _ = writeln!(
            out,
            "Columns        {} zero, {}{} parallel to an earlier one; {norms}",
            self.zero,
            if self.near.groups_exact { "" } else { "at least " },
            self.near.groups.merged
        );
        let _ = writeln!(
            out,
            "Coherence      {:.6} ({}); 1 − {:.3e} with parallel columns merged ({})",
            self.near.unmerged,
            self.coherence_certainty().as_str(),
            1.0 - self.near.coherence,
            self.merged_certainty.as_str()
        );
        let _ = writeln!(
            out,
            "Null space     the scaling directions of {} of {} hidden units; {} more are silent",
            self.scaling.null(),
            self.scaling.units.len(),
            self.scaling.trivial()
        );
        let _ = match &self.kernel {
            Kernel::Full(found) => writeln!(
                out,
                "Tangent kernel largest eigenvalue {:.6e}, smallest nonzero {:.6e}, rank {} of {}, condition {:.3e} (exact; {:.0e} \
                 times above the cut-off)",
                found.lambda_max,
                found.lambda_min_nonzero,
                found.rank,
                found.order,
                found.condition(),
                found.gap()
            ),
            Kernel::Krylov {
                largest,
                certainty,
                smallest,
            } => writeln!(
                out,
                "Tangent kernel largest eigenvalue {largest:.6e} ({}), smallest of min(rows, columns) at most {smallest:.6e}",
                certainty.as_str()
            ),
        };
        let _ = writeln!(
            out,
            "Cosines        between weights that share a unit, an input, a hidden unit in between, or nothing:"
        );
        for law in &self.cosines.laws {
            let (mean, spread) = match law.certainty {
                Certainty::Sampled { standard_error, .. } => {
                    // The root moves by half as much, relative to itself.
                    let root = law.mean_square.sqrt();
                    (
                        root,
                        format!(" ± {:.1e}", standard_error / (2.0 * root).max(f64::MIN_POSITIVE)),
                    )
                }
                _ => (law.mean_square.sqrt(), String::new()),
            };
            let _ = writeln!(
                out,
                "  {:<32} {:<12} {:>12} pairs, root mean square {mean:.4}{spread}, largest {}{:.6}",
                format!(
                    "{} {}",
                    self.slot_name(law.slots.0.start),
                    self.slot_name(law.slots.1.start)
                ),
                law.kind.as_str(),
                law.pairs,
                if law.largest_certainty == Certainty::Exact {
                    ""
                } else {
                    "at least "
                },
                law.largest
            );
        }
        let promise = if self.homogeneous {
            "holds up to rounding here"
        } else {
            "not promised here: needs ReLU and zero biases"
        };
        let deviation = self.euler.map_or("undefined, the output is zero".into(), |d| {
            format!("relative deviation {d:.3e}")
        });
        let _ = writeln!(
            out,
            "Euler          J θ = {} f(θ): {deviation} ({promise})",
            self.layers
        );
        out
    }
}

fn kernel(a: &Jacobian, seed: &Seed) -> Result<Kernel> {
    if a.shape().rows <= DENSE_KERNEL {
        return nonzero_conditioning(&a.tangent_kernel(), a.shape().columns).map(Kernel::Full);
    }
    let found = SingularExtremes::default().estimate(a, seed)?.value;
    let square = |v: f64| v * v;
    Ok(Kernel::Krylov {
        largest: square(found.largest),
        certainty: match found.largest_certainty {
            Certainty::Interval { lower, upper } => Certainty::Interval {
                lower: square(lower),
                upper: square(upper),
            },
            other => other,
        },
        smallest: square(found.smallest),
    })
}

/// `‖Jθ − L f(θ)‖ / ‖L f(θ)‖` over all parameters; none where the output is zero.
fn euler(at: &Linearisation) -> Result<Option<f64>> {
    let layers = at.network().depth() as f64;
    // f_lin(0) = f − Jθ, from the backward pass: the forward one would repeat the sums of f itself.
    let at_zero = at.linear_outputs(&vec![0.0; at.theta().len()])?;
    let pairs = at.outputs().as_slice().iter().zip(at_zero.as_slice());
    let error: Vec<f64> = pairs.map(|(f, l)| f - l - layers * f).collect();
    Ok(Some(norm(&error) / (layers * norm(at.outputs().as_slice()))).filter(|v| v.is_finite()))
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_checkpoint_brings_its_weights_and_one_of_another_network_is_refused() {
        let folder = std::env::temp_dir().join(format!("ticketsense-checkpoint-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("state.safetensors");
        let network = Network::preset("mlp:5", 64, 10).unwrap();
        let theta: Vec<f32> = network.initial(&Seed::root(3), &Initialisation::HE).unwrap();
        let mut bundle = Bundle::new(json!({"identity": "network=mlp:5;steps=1"}));
        bundle.put("theta", &theta);
        bundle.save(&path).unwrap();
        let (read, mask) = checkpoint(&path, &network).unwrap();
        assert!(read.iter().zip(&theta).all(|(a, b)| *a == f64::from(*b)));
        assert_eq!(mask, None);
        let other = Network::preset("mlp:6", 64, 10).unwrap();
        assert!(matches!(checkpoint(&path, &other), Err(Error::Format { .. })));
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
