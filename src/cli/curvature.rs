//! `curvature`: the Hessian or the Gauss-Newton matrix of the loss, of a network and of what a mask leaves of it.

use super::{Answer, network_files, option};
use clap::{Arg, ArgMatches, value_parser};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;
use ticketsense::estimators::{
    CurvatureFindings, CurvatureSummary, KnownSize, NonzeroConditioning, TraceFound, gauss_newton_conditioning,
    gauss_newton_trace,
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

/// The largest tangent kernel that is decomposed in full: for more outputs there is no rank, condition number or exact trace.
const DENSE_KERNEL: usize = 2500;

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
             kept weights, biases, scales and shifts. Without a mask there are only dense and re-initialised.\n\
             With several checkpoints they stand side by side instead, each on the weights that it keeps or that the mask does: \
             the curvature along a training.",
        )
        .args(network_files::arguments())
        .arg(
            network_files::checkpoint_argument("random ones of He's law")
                .num_args(1..)
                .help("Its weights: a checkpoint of a training, or several along one; random ones of He's law without it"),
        )
        .arg(network_files::mask_argument("Keep these", "the checkpoint's mask"))
        .arg(text("samples", "N", "200", "Training samples, classes balanced").value_parser(value_parser!(usize)))
        .arg(text("loss", "LOSS", "cross-entropy", "squared or cross-entropy"))
        .arg(text("kind", "KIND", "hessian", "hessian or gauss-newton"))
        .arg(
            text("precision", "P", "double", "Precision of the products: single or double")
                .value_parser(["single", "double"]),
        )
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
    let layout = network.layout();
    let paths: Vec<&PathBuf> = matches.get_many("checkpoint").into_iter().flatten().collect();
    let mut subjects = Vec::new();
    if let [_, _, ..] = paths[..] {
        for path in paths {
            let (theta, stored) = network_files::checkpoint::<f64>(path, &network)?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            subjects.push(Subject::new(
                name,
                &theta,
                network_files::mask_or(matches, stored, &network)?,
                &network,
            )?);
        }
    } else {
        let (theta, stored) = match paths.first() {
            Some(path) => network_files::checkpoint::<f64>(path, &network)?,
            None => (fresh(&seed)?, None),
        };
        let mask = network_files::mask_or(matches, stored, &network)?;
        let full = layout.full_mask();
        let again = fresh(&seed.stream("re-initialised"))?;
        subjects.push(Subject::new("dense", &theta, full.clone(), &network)?);
        if mask != full {
            let layers: Vec<_> = layout.weight_ranges();
            let counts: Vec<usize> = layers.iter().map(|range| mask.kept_in(range.clone())).collect();
            subjects.push(Subject::new("mask", &theta, mask.clone(), &network)?);
            let random = random_mask(layout.len(), &layers, &counts, &seed.stream("random mask"))?;
            subjects.push(Subject::new("random", &theta, random, &network)?);
        }
        subjects.push(Subject::new("re-initialised", &again, mask, &network)?);
    }
    let summary = CurvatureSummary {
        lanczos: Lanczos {
            max_steps: steps,
            ..CurvatureSummary::default().lanczos
        },
        trace: HutchPlusPlus { sketch: probes, probes },
        distribution: LanczosQuadrature { steps, probes },
        ..CurvatureSummary::default()
    };
    let setting = Setting {
        kind,
        loss,
        network: &network,
        single: option::<String>(matches, "precision")? == "single",
        inputs: &inputs,
        labels: &labels,
    };
    // The same directions wherever the orders agree.
    let seed = seed.stream("curvature");
    let columns = subjects.iter().map(|subject| setting.column(subject, &summary, &seed));
    let columns = columns.collect::<Result<Vec<Column>>>()?;
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

/// A network to look at: what its mask leaves of its parameters.
struct Subject {
    name: String,
    theta: Vec<f64>,
    mask: Mask,
}

impl Subject {
    fn new(name: impl Into<String>, theta: &[f64], mask: Mask, network: &Network) -> Result<Self> {
        if network.layout().density(&mask) == 0.0 {
            return Err(Error::argument("mask", "at least one kept weight", "none"));
        }
        let mut theta = theta.to_vec();
        mask.apply(&mut theta)?;
        Ok(Subject {
            name: name.into(),
            theta,
            mask,
        })
    }
}

/// What all networks have in common.
struct Setting<'a> {
    kind: CurvatureKind,
    loss: Loss,
    network: &'a Network,
    single: bool,
    inputs: &'a Array<f64>,
    labels: &'a [usize],
}

impl Setting<'_> {
    fn column(&self, subject: &Subject, summary: &CurvatureSummary, seed: &Seed) -> Result<Column> {
        let Setting {
            kind,
            loss,
            network,
            inputs,
            labels,
            ..
        } = *self;
        let Subject { name, theta, mask } = subject;
        let (h, trained): (Box<dyn MeasurementOperator>, Vec<usize>) = if self.single {
            let theta: Vec<f32> = theta.iter().map(|&w| w as f32).collect();
            let h = Curvature::of_mask(kind, network, &theta, &inputs.convert(), labels, loss, mask)?;
            let trained = h.parameters().to_vec();
            (Box::new(h), trained)
        } else {
            let h = Curvature::of_mask(kind, network, theta, inputs, labels, loss, mask)?;
            let trained = h.parameters().to_vec();
            (Box::new(h), trained)
        };
        let few = kind == CurvatureKind::GaussNewton && inputs.rows() * network.classes() <= DENSE_KERNEL;
        let (mut known, mut conditioning) = (KnownSize::default(), None);
        if few {
            let at = Linearisation::new(network, theta, inputs)?;
            let trained = Support::new(trained, theta.len())?;
            // Products in single precision are those of another matrix, by their rounding.
            known.trace = match self.single {
                true => None,
                false => Some(gauss_newton_trace(&at, &trained, loss)?),
            };
            conditioning = Some(gauss_newton_conditioning(&at, &trained, loss)?);
        }
        Ok(Column {
            name: name.clone(),
            density: network.layout().density(mask),
            order: h.shape().columns,
            loss: network.loss(theta, inputs, labels, loss)?,
            found: summary.examine_known(h.as_ref(), kind, known, seed)?,
            conditioning,
        })
    }
}

/// What is told of one network.
struct Column {
    name: String,
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
                "lambda_max_bound": f.largest.bound, "lambda_max_proven": f.largest.proven,
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
        if self.columns.iter().any(|c| c.found.largest.proven.is_some()) {
            line("  at most (certain)", &|c| {
                c.found.largest.proven.map_or("unknown".into(), |v| format!("{v:.6e}"))
            });
        }
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
#[path = "curvature_tests.rs"]
mod tests;
