//! The options of a training, the same for every command that trains: what is trained on, and how.

use super::option;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, value_parser};
use ticketsense::Result;
use ticketsense::data::{self, DataChoice, Dataset, ImageShape};
use ticketsense::networks::{Initialisation, Loss};
use ticketsense::training::{Mixing, Optimiser, Schedule, TrainingPlan};

/// An option that has to be given.
pub fn needed(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).required(true).help(help)
}

/// An option with a default.
pub fn usual(name: &'static str, value: &'static str, default: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name(value)
        .default_value(default)
        .help(help)
}

/// The data and the network.
pub fn problem() -> [Arg; 3] {
    [
        needed("data", "SET|DIR", "The data: digits, sequences:first, sequences:majority, sequences:recall, a folder, or a .csv file"),
        Arg::new("normalisation").long("normalisation").value_name("NAME").help(
            "Of the inputs: raw (as stored), unit (divided by the largest value of the format) or standardised (mean 0, \
             variance 1 over all training pixels), which is what is done to all but tokens when not given",
        ),
        needed(
            "network",
            "PRESET",
            "linear, mlp:100-50, lenet-300-100, lenet-5, conv-2, conv-4, conv-6, resnet-20, transformer or rnn, with options \
             such as :tanh, :no-bias, :batch-norm, :dropout=0.5",
        ),
    ]
}

/// How long a training is.
pub fn steps() -> Arg {
    needed("steps", "N", "Steps of a training").value_parser(value_parser!(usize))
}

/// How it learns from a batch.
pub fn learning() -> [Arg; 5] {
    [
        usual(
            "optimiser",
            "NAME",
            "adam",
            "adam, adamw (decoupled decay 0.01), sgd (momentum 0.9, also: momentum), nesterov or gradient-descent (no \
             momentum), each with numbers: sgd:momentum=0.95,weight-decay=0.0001, adam:beta2=0.99, \
             adamw:decoupled-decay=0.05; weights decay, biases never do",
        ),
        usual("learning-rate", "X", "0.0012", "Step size of the optimiser").value_parser(value_parser!(f64)),
        usual(
            "schedule",
            "NAME",
            "constant",
            "Of the learning rate: constant, steps:at=400+800,factor=0.1 or cosine:floor=0.01, each with warm-up=N",
        ),
        usual(
            "label-smoothing",
            "X",
            "0",
            "Share of the uniform distribution in the labels that are trained on, in [0, 1)",
        )
        .value_parser(value_parser!(f64)),
        usual(
            "mixing",
            "NAME",
            "",
            "Batches of samples mixed in pairs: mixup:alpha=0.2, or cutmix:alpha=1 for images; none when not given",
        )
        .hide_default_value(true),
    ]
}

/// The batches, what is watched, and the initial weights.
pub fn batches() -> [Arg; 5] {
    [
        usual("batch", "N", "60", "Samples a step").value_parser(value_parser!(usize)),
        usual("loss", "NAME", "cross-entropy", "cross-entropy or squared"),
        usual(
            "evaluate-every",
            "N",
            "50",
            "Steps between two looks at the validation samples",
        )
        .value_parser(value_parser!(usize)),
        Arg::new("validation-samples")
            .long("validation-samples")
            .value_name("N")
            .value_parser(value_parser!(usize))
            .help("Watch N validation samples, the first of every class in turn; all of them when not given"),
        usual(
            "initialisation",
            "NAME",
            "glorot",
            "he, glorot, lecun or weight-variance=X, with :kept-fan and :bias=X",
        ),
    ]
}

/// How a network is trained, read before the data are.
#[derive(Debug)]
pub struct TrainingWords {
    plan: TrainingPlan,
    /// The law of the initial weights.
    pub initialisation: Initialisation,
    mixing: Option<String>,
}

impl TrainingWords {
    /// Reads the options.
    ///
    /// # Errors
    /// On words and numbers that make no plan.
    pub fn new(matches: &ArgMatches) -> Result<Self> {
        let word = |name: &'static str| option::<String>(matches, name);
        // A learning rate among the optimiser's own numbers stands instead of the default one, not of one that is given.
        let optimiser = word("optimiser")?;
        let by_default = matches.value_source("learning-rate") == Some(ValueSource::DefaultValue);
        let rate = option::<f64>(matches, "learning-rate")?;
        let rate = Some(*rate).filter(|_| !(by_default && optimiser.contains("learning-rate=")));
        let plan = TrainingPlan {
            optimiser: Optimiser::named(optimiser, rate)?,
            loss: word("loss")?.parse::<Loss>()?,
            batch: *option(matches, "batch")?,
            steps: *option(matches, "steps")?,
            evaluate_every: *option(matches, "evaluate-every")?,
            schedule: word("schedule")?.parse::<Schedule>()?,
            label_smoothing: *option(matches, "label-smoothing")?,
            mixing: None,
            validation_samples: matches.get_one("validation-samples").copied(),
        };
        Ok(TrainingWords {
            plan,
            initialisation: word("initialisation")?.parse::<Initialisation>()?,
            mixing: given(matches, "mixing")?.cloned(),
        })
    }

    /// The plan but for the mixing of samples, which needs their shape.
    pub fn unmixed(&self) -> &TrainingPlan {
        &self.plan
    }

    /// How batches are mixed, for samples of a shape.
    ///
    /// # Errors
    /// On a mixing that cannot be.
    pub fn mixing(&self, image: ImageShape) -> Result<Option<Mixing>> {
        self.mixing
            .as_deref()
            .map(|text| Mixing::named(text, image))
            .transpose()
    }
}

/// The data that are named, normalised as asked.
///
/// # Errors
/// On unknown names and on files that cannot be read.
pub fn dataset(matches: &ArgMatches) -> Result<Dataset> {
    let choice: DataChoice = option::<String>(matches, "data")?.parse()?;
    match matches.get_one::<String>("normalisation") {
        Some(name) => data::load_normalised(&choice, name.parse()?),
        None => data::load(&choice),
    }
}

/// A word that may be empty, which means none.
///
/// # Errors
/// None where the command line has the option.
pub fn given<'a>(matches: &'a ArgMatches, name: &'static str) -> Result<Option<&'a String>> {
    Ok(Some(option::<String>(matches, name)?).filter(|word| !word.is_empty()))
}
