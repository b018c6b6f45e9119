//! `curvature`: the Hessian or the Gauss-Newton matrix of the loss, of a network and of what a mask leaves of it.

use super::{Answer, network_files, option};
use clap::{Arg, ArgMatches, value_parser};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;
use ticketsense::estimators::{
    CurvatureFindings, CurvatureSummary, NonzeroConditioning, TraceFound, gauss_newton_conditioning,
};
use ticketsense::linalg::lanczos::Lanczos;
use ticketsense::linalg::spectral_distribution::{LanczosQuadrature, SpectralBracket};
use ticketsense::linalg::traces::HutchPlusPlus;
use ticketsense::linearize::{Curvature, CurvatureKind, Linearisation};
use ticketsense::networks::{Array, Initialisation, Loss, Network};
use ticketsense::operators::MeasurementOperator;
use ticketsense::pruning::controls::random_mask;
use ticketsense::statistics::Interval;
use ticketsense::support::{Mask, Support};
use ticketsense::{Error, Result, Seed};

/// The largest tangent kernel that is decomposed in full.
const DENSE_KERNEL: usize = 1500;

/// The command line of `curvature`.
pub fn command() -> clap::Command {
    let text = |name: &'static str, value: &'static str, default: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name(value)
            .default_value(default)
            .help(help)
    };
    clap::Command::new("curvature")
        .about("Examine the curvature of the loss: both ends of its spectrum, trace, negative part, condition number")
        .long_about(
            "Examine the Hessian or the Gauss-Newton matrix of the mean loss over training samples, through products with it.\n\
             Side by side: the network as it is (dense), the kept weights (mask), as many weights a layer at random places \
             (random), and the mask on fresh initial weights (re-initialised). Every one is taken on all that is trained in it: \
             kept weights, biases, scales and shifts. Without a mask there are only dense and re-initialised.",
        )
        .args(network_files::arguments())
        .arg(network_files::checkpoint_argument("random ones of He's law"))
        .arg(network_files::mask_argument("Keep these", "the checkpoint's mask"))
        .arg(text("samples", "N", "200", "Training samples, classes balanced").value_parser(value_parser!(usize)))
        .arg(text("loss", "LOSS", "cross-entropy", "squared or cross-entropy"))
        .arg(text("kind", "KIND", "hessian", "hessian or gauss-newton"))
        .arg(
            text("steps", "N", "60", "Lanczos steps, for the ends and from every direction; no more than there are parameters are taken")
                .value_parser(value_parser!(usize)),
        )
        .arg(
            text("probes", "N", "10", "Random directions, at least 2: for the distribution, the sketch and the rest of the traces")
                .value_parser(value_parser!(usize)),
        )
        .arg(
            text("seed", "N", "0", "Seed of random weights, samples, masks and directions").value_parser(value_parser!(u64)),
        )
}

/// Runs `curvature`.
///
/// # Errors
/// On unknown words, a mask that keeps no weight, numbers out of range, and files that cannot be read or do not fit.
pub fn run(matches: &ArgMatches) -> Result<Answer> {
    let kind: CurvatureKind = option::<String>(matches, "kind")?.parse()?;
    let loss: Loss = option::<String>(matches, "loss")?.parse()?;
    let (steps, probes) = (
        *option::<usize>(matches, "steps")?,
        *option::<usize>(matches, "probes")?,
    );
    for (name, number, least) in [("steps", steps, 1), ("probes", probes, 2)] {
        if number < least {
            return Err(Error::argument(name, format!("at least {least}"), number));
        }
    }
    let (dataset, network) = network_files::named(matches)?;
    let seed = Seed::root(*option::<u64>(matches, "seed")?);
    let chosen = dataset.stratified(*option::<usize>(matches, "samples")?, &seed)?;
    let inputs = Array::new(chosen.len(), dataset.features(), dataset.rows::<f64>(&chosen)?)?;
    let labels = dataset.labels_of(&chosen)?;
    let fresh = |seed: &Seed| -> Result<Vec<f64>> {
        network.with_statistics_of(&network.initial(seed, &Initialisation::HE)?, &inputs)
    };
    let (theta, stored) = match matches.get_one::<PathBuf>("checkpoint") {
        Some(path) => network_files::checkpoint::<f64>(path, &network)?,
        None => (fresh(&seed)?, None),
    };
    let layout = network.layout();
    let full = layout.full_mask();
    let mask = network_files::mask_or(matches, stored, &network)?;
    if layout.density(&mask) == 0.0 {
        return Err(Error::argument("mask", "at least one kept weight", "none"));
    }
    let layers: Vec<_> = layout.weight_ranges();
    let counts: Vec<usize> = layers.iter().map(|range| mask.kept_in(range.clone())).collect();
    let random = random_mask(layout.len(), &layers, &counts, &seed.stream("random mask"))?;
    let again = fresh(&seed.stream("re-initialised"))?;
    let mut subjects = vec![("dense", &theta, &full)];
    if mask != full {
        subjects.extend([("mask", &theta, &mask), ("random", &theta, &random)]);
    }
    subjects.push(("re-initialised", &again, &mask));
    let summary = CurvatureSummary {
        lanczos: Lanczos {
            max_steps: steps,
            ..CurvatureSummary::default().lanczos
        },
        trace: HutchPlusPlus { sketch: probes, probes },
        distribution: LanczosQuadrature { steps, probes },
        ..CurvatureSummary::default()
    };
    let columns = subjects
        .into_iter()
        .map(|(name, theta, mask)| {
            let h = Curvature::of_mask(kind, &network, theta, &inputs, &labels, loss, mask)?;
            // The same directions wherever the orders agree.
            let found = summary.examine(&h, kind, &seed.stream("curvature"))?;
            let conditioning =
                match kind == CurvatureKind::GaussNewton && inputs.rows() * network.classes() <= DENSE_KERNEL {
                    true => {
                        let mut theta = theta.clone();
                        mask.apply(&mut theta)?;
                        let at = Linearisation::new(&network, &theta, &inputs)?;
                        let trained = Support::new(h.parameters().to_vec(), layout.len())?;
                        Some(gauss_newton_conditioning(&at, &trained, loss)?)
                    }
                    false => None,
                };
            Ok(Column {
                name,
                density: layout.density(mask),
                order: h.shape().columns,
                loss: loss_at(&network, theta, mask, &inputs, &labels, loss)?,
                found,
                conditioning,
            })
        })
        .collect::<Result<Vec<Column>>>()?;
    let page = Page {
        network: network.name().to_string(),
        kind,
        loss,
        samples: inputs.rows(),
        steps,
        columns,
    };
    Ok(Answer {
        text: page.text(),
        json: page.json(),
        code: 0,
    })
}

fn loss_at(
    network: &Network,
    theta: &[f64],
    mask: &Mask,
    inputs: &Array<f64>,
    labels: &[usize],
    loss: Loss,
) -> Result<f64> {
    let mut theta = theta.to_vec();
    mask.apply(&mut theta)?;
    network.loss(&theta, inputs, labels, loss)
}

/// What is told of one network.
struct Column {
    name: &'static str,
    density: f64,
    order: usize,
    loss: f64,
    found: CurvatureFindings,
    conditioning: Option<NonzeroConditioning>,
}

struct Page {
    network: String,
    kind: CurvatureKind,
    loss: Loss,
    samples: usize,
    steps: usize,
    columns: Vec<Column>,
}

impl Page {
    fn json(&self) -> Value {
        let interval = |i: &Interval| json!([i.lower, i.upper]);
        let trace = |t: &TraceFound| json!({ "value": t.value, "interval": interval(&t.interval) });
        let bracket = |b: &SpectralBracket| json!({ "value": b.value, "truncation": interval(&b.truncation), "interval": interval(&b.interval) });
        let nonzero = |c: &NonzeroConditioning| json!({ "condition": c.condition(), "lambda_min_nonzero": c.lambda_min_nonzero, "rank": c.rank, "gap": c.gap() });
        let column = |c: &Column| {
            let f = &c.found;
            json!({
                "name": c.name, "density": c.density, "order": c.order, "loss": c.loss,
                "lambda_max": f.largest.ritz.value, "lambda_max_residual": f.largest.ritz.residual_norm,
                "lambda_max_bound": f.largest.bound,
                "lambda_min": f.smallest.ritz.value, "lambda_min_residual": f.smallest.ritz.residual_norm,
                "lambda_min_bound": f.smallest.bound,
                "steps": f.steps, "trace": trace(&f.trace), "squared_frobenius": trace(&f.squared_frobenius),
                "zero": f.zero, "negative_fraction": bracket(&f.negative), "not_positive_fraction": bracket(&f.not_positive),
                "shift": f.shift, "effective_dimension": f.effective_dimension.as_ref().map(bracket),
                "log_determinant": f.log_determinant.as_ref().map(bracket),
                "nonzero_spectrum": c.conditioning.as_ref().map(nonzero), "applications": f.applications,
            })
        };
        json!({
            "network": self.network, "kind": self.kind.as_str(), "loss": self.loss.as_str(), "samples": self.samples,
            "columns": self.columns.iter().map(column).collect::<Vec<_>>(),
        })
    }

    fn text(&self) -> String {
        let mut out = format!(
            "{}: {} of the {} loss over {} samples\n",
            self.network,
            self.kind.as_str(),
            self.loss,
            self.samples
        );
        let mut line = |what: &str, cell: &dyn Fn(&Column) -> String| {
            let cells: String = self.columns.iter().map(|c| format!("  {:>24}", cell(c))).collect();
            let _ = writeln!(out, "{what:<22}{cells}");
        };
        let between = |i: &Interval| format!("{:.4} … {:.4}", i.lower, i.upper);
        let sized = |t: &TraceFound| format!("{:.4e} ± {:.1e}", t.value, t.interval.width() / 2.0);
        line("", &|c| c.name.to_string());
        line("density", &|c| format!("{:.4}", c.density));
        line("parameters", &|c| c.order.to_string());
        line("loss", &|c| format!("{:.6}", c.loss));
        line("largest, at least", &|c| format!("{:.6e}", c.found.largest.ritz.value));
        line("  at most (95 %)", &|c| format!("{:.6e}", c.found.largest.bound));
        line("smallest, at most", &|c| format!("{:.6e}", c.found.smallest.ritz.value));
        line("  at least (95 %)", &|c| format!("{:.6e}", c.found.smallest.bound));
        line("trace", &|c| sized(&c.found.trace));
        line("squared norm", &|c| sized(&c.found.squared_frobenius));
        line("fraction negative", &|c| between(&c.found.negative.interval));
        line("fraction not positive", &|c| between(&c.found.not_positive.interval));
        if self.kind == CurvatureKind::GaussNewton {
            let bracket = |b: &Option<SpectralBracket>| b.as_ref().map_or("none".into(), |b| between(&b.interval));
            line("effective dimension", &|c| bracket(&c.found.effective_dimension));
            line("log-determinant", &|c| bracket(&c.found.log_determinant));
            let known = |c: &Column, tell: &dyn Fn(&NonzeroConditioning) -> String| {
                c.conditioning.as_ref().map_or("too many outputs".into(), tell)
            };
            line("rank", &|c| known(c, &|n| n.rank.to_string()));
            line("condition, nonzero", &|c| {
                known(c, &|n| format!("{:.4e}", n.condition()))
            });
            line("gap at the cut-off", &|c| known(c, &|n| format!("{:.1e}", n.gap())));
        }
        if let Some(small) = self.columns.iter().find(|c| c.order < self.steps) {
            let _ = writeln!(
                out,
                "{} has {} parameters: so many steps were taken of {}",
                small.name, small.order, self.steps
            );
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::test_folder::Folder;
    use ticketsense::data::npy;

    fn ask(words: &[&str]) -> Result<Answer> {
        let line = ["curvature"].iter().chain(words);
        run(&command().try_get_matches_from(line).unwrap())
    }

    fn number(value: &Value) -> f64 {
        value.as_f64().unwrap()
    }

    #[test]
    fn four_networks_stand_side_by_side_and_a_mask_raises_no_largest_eigenvalue_of_a_linear_one() {
        let folder = Folder::new("curvature");
        let path = folder.path("m.npy");
        let network = Network::preset("linear", 64, 10).unwrap();
        let bits: Vec<f64> = (0..network.layout().prunable())
            .map(|i| f64::from(u8::from(i % 3 > 0)))
            .collect();
        npy::write_vector(&path, &bits).unwrap();
        let words = [
            "--network",
            "linear",
            "--samples",
            "40",
            "--loss",
            "squared",
            "--kind",
            "gauss-newton",
        ];
        let found = ask(&[&words[..], &["--mask", &path, "--steps", "20"]].concat()).unwrap();
        let columns = found.json["columns"].as_array().unwrap();
        let names: Vec<&str> = columns.iter().map(|c| c["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["dense", "mask", "random", "re-initialised"]);
        // A linear network has the same curvature at all weights, and a principal submatrix has no larger eigenvalue.
        assert_eq!(columns[1]["lambda_max"], columns[3]["lambda_max"]);
        assert!(number(&columns[1]["lambda_max"]) <= number(&columns[0]["lambda_max_bound"]));
        assert_eq!(columns[1]["order"], columns[2]["order"]);
        for column in columns {
            let exact = number(&column["nonzero_spectrum"]["lambda_min_nonzero"])
                * number(&column["nonzero_spectrum"]["condition"]);
            assert!(number(&column["lambda_max"]) <= exact * (1.0 + 1e-9));
            assert!(number(&column["lambda_max_bound"]) >= exact * (1.0 - 1e-9));
            assert_eq!(number(&column["negative_fraction"]["value"]), 0.0);
        }
        assert!(found.text.contains("condition, nonzero") && found.text.contains("re-initialised"));
    }

    #[test]
    fn without_a_mask_two_stand_and_steps_beyond_the_parameters_are_cut_with_a_word() {
        let words = [
            "--network",
            "mlp:1:tanh",
            "--samples",
            "20",
            "--steps",
            "500",
            "--probes",
            "2",
        ];
        let found = ask(&words).unwrap();
        assert_eq!(found.json["columns"].as_array().unwrap().len(), 2);
        assert!(number(&found.json["columns"][0]["steps"]) <= 85.0);
        assert!(found.text.contains("so many steps"), "{}", found.text);
        assert!(number(&found.json["columns"][0]["lambda_min"]) < 0.0);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let folder = Folder::new("curvature-refusals");
        let path = folder.path("m.npy");
        let with = |words: &[&str]| ask(&[&["--network", "mlp:3", "--samples", "10"], words].concat());
        npy::write_vector(&path, &vec![0.0; 64 * 3 + 30]).unwrap();
        assert!(matches!(with(&["--mask", &path]), Err(Error::Argument { .. })));
        npy::write_vector(&path, &[1.0; 7]).unwrap();
        assert!(matches!(with(&["--mask", &path]), Err(Error::Format { .. })));
        for words in [["--steps", "0"], ["--probes", "1"], ["--samples", "0"]] {
            let line = [&["--network", "mlp:3"][..], &words[..]].concat();
            assert!(matches!(ask(&line), Err(Error::Argument { .. })), "{words:?}");
        }
        assert!(matches!(with(&["--kind", "fisher"]), Err(Error::Unknown { .. })));
        assert!(matches!(with(&["--loss", "hinge"]), Err(Error::Unknown { .. })));
    }
}
