//! The options of `grow`, and the method that they make.

use crate::cli::training_options::{self, TrainingWords, needed, usual};
use crate::cli::{file, network_files, option};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, value_parser};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use ticketsense::pruning::{
    Allocation, DynamicTraining, EdgePopup, FractionDecay, FrozenWeights, Growth, HardThresholding, MovementPruning,
    ScoreRanking,
};
use ticketsense::training::TrainingPlan;
use ticketsense::{Error, Result};

/// The group of each option in the help.
const METHOD: &str = "What is grown";

/// How weights and mask are trained together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Dynamic sparse training.
    Dynamic(Growth),
    /// Descent with hard thresholds.
    HardThresholding,
    /// Descent on weights and scores together.
    MovementPruning,
    /// Descent on scores of weights that never move.
    EdgePopup,
}

impl Method {
    /// Every method.
    pub const ALL: [Method; 5] = [
        Method::Dynamic(Growth::Random),
        Method::Dynamic(Growth::Gradient),
        Method::HardThresholding,
        Method::MovementPruning,
        Method::EdgePopup,
    ];

    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Dynamic(growth) => growth.as_str(),
            Method::HardThresholding => "hard-thresholding",
            Method::MovementPruning => "movement-pruning",
            Method::EdgePopup => "edge-popup",
        }
    }

    /// Whether it uses an option that not all methods use.
    fn takes(self, option: &str) -> bool {
        match option {
            "mask" | "fraction" | "decay" => matches!(self, Method::Dynamic(_)),
            "last-fraction" => matches!(self, Method::Dynamic(_) | Method::MovementPruning),
            "first-fraction" => self == Method::MovementPruning,
            "warm-up" | "debias-steps" => self == Method::HardThresholding,
            "every" => matches!(self, Method::Dynamic(_) | Method::HardThresholding),
            "checkpoint" | "initialisation" => self != Method::EdgePopup,
            "ranking" | "frozen-weights" | "unscaled" => self == Method::EdgePopup,
            _ => true,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Method {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        let found = Method::ALL.into_iter().find(|method| method.as_str() == word);
        found.ok_or_else(|| Error::unknown("method", word, Method::ALL.map(Method::as_str)))
    }
}

/// The options that only some methods use.
const OWN: [&str; 13] = [
    "mask",
    "checkpoint",
    "every",
    "fraction",
    "decay",
    "first-fraction",
    "last-fraction",
    "warm-up",
    "debias-steps",
    "ranking",
    "frozen-weights",
    "unscaled",
    "initialisation",
];

fn own(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name(value)
        .help(help)
        .help_heading(METHOD)
}

/// The command line of `grow`.
pub fn command() -> clap::Command {
    clap::Command::new("grow")
        .about("Train a network and its mask together: SET, RigL, hard thresholds, movement pruning, edge-popup")
        .long_about(
            "Train weights and mask together, at a density that is given from the start. DIR gets checkpoint.safetensors (as \
             linearize, prune and train --checkpoint read it), mask.npy and history.csv, at the end: an interrupted run \
             leaves nothing.\n\
             set and rigl exchange the smallest weights for random ones or for those of largest gradient; \
             hard-thresholding moves all weights and keeps the largest; movement-pruning keeps those that training moves away \
             from zero, more of them at first; edge-popup chooses among weights that never move. Random \
             numbers are those of train with the same --seed, so that train --mask DIR/mask.npy trains the mask from the same \
             initial weights in the same order of the data. An option that the method does not use is refused.",
        )
        .args(training_options::problem())
        .arg(needed("method", "NAME", "set, rigl, hard-thresholding, movement-pruning or edge-popup").help_heading(METHOD))
        .arg(
            own("density", "X", "Fraction of the weights that is kept; what the densities of the layers or the mask make up without it")
                .allow_negative_numbers(true)
                .value_parser(value_parser!(f64)),
        )
        .arg(own(
            "allocation",
            "NAME",
            "How it is divided among the layers: erk (Erdős–Rényi kernel, the default of set and rigl), uniform (the default of \
             the others), a density for every layer, such as 0.05,0.1,0.5, or of movement-pruning global: all weights compete",
        ))
        .arg(network_files::mask_argument("Of set and rigl: begin with this", "a random one of the density").help_heading(METHOD))
        .arg(
            file(
                "checkpoint",
                "F",
                "The values to start from, not of edge-popup; drawn ones without it",
            )
            .help_heading(METHOD),
        )
        .arg(
            own(
                "every",
                "N",
                "Steps between two exchanges of set and rigl (100), or between two thresholds (1)",
            )
            .value_parser(value_parser!(usize)),
        )
        .arg(own("fraction", "X", "Of set and rigl: the share of the weights that is exchanged at first (0.3)").value_parser(value_parser!(f64)))
        .arg(own("decay", "NAME", "Of set and rigl: how that share moves, cosine (the default) or constant"))
        .arg(
            own("first-fraction", "X", "Of movement-pruning: the share of the steps before which nothing is pruned (0.1)")
                .value_parser(value_parser!(f64)),
        )
        .arg(
            own(
                "last-fraction",
                "X",
                "The share of the steps after which the mask of set and rigl stays (0.75), and after which movement-pruning \
                 keeps the number of weights (0.8)",
            )
                .value_parser(value_parser!(f64)),
        )
        .arg(own("warm-up", "N", "Of hard-thresholding: steps before the first threshold is due (0)").value_parser(value_parser!(usize)))
        .arg(own("debias-steps", "N", "Of hard-thresholding: steps more with the mask held fixed (0)").value_parser(value_parser!(usize)))
        .arg(own(
            "ranking",
            "NAME",
            "Of edge-popup: by the magnitude (the default) or the value of a score",
        ))
        .arg(own(
            "frozen-weights",
            "NAME",
            "Of edge-popup: signed-constant (the default) or kaiming-normal",
        ))
        .arg(
            Arg::new("unscaled")
                .long("unscaled")
                .action(clap::ArgAction::SetTrue)
                .help("Of edge-popup: weights are not multiplied by 1/√density")
                .help_heading(METHOD),
        )
        .arg(training_options::steps())
        .args(training_options::learning())
        .args(training_options::batches())
        .arg(
            usual("seed", "N", "0", "The root of all random numbers")
                .allow_negative_numbers(true)
                .value_parser(value_parser!(u64)),
        )
        .arg(needed("out", "DIR", "The folder of results").value_parser(value_parser!(PathBuf)))
}

/// What is asked for, read before the data are.
#[derive(Debug)]
pub struct Asked {
    pub method: Method,
    pub words: TrainingWords,
    pub density: Option<f64>,
    allocation: Option<Allocation>,
}

impl Asked {
    /// Reads the options.
    ///
    /// # Errors
    /// On unknown words, numbers that make no plan, and options that the method does not use.
    pub fn new(matches: &ArgMatches) -> Result<Self> {
        let method: Method = option::<String>(matches, "method")?.parse()?;
        let given = |name: &&&str| matches.value_source(name) == Some(ValueSource::CommandLine);
        if let Some(name) = OWN.iter().filter(given).find(|name| !method.takes(name)) {
            let others = Method::ALL.into_iter().filter(|other| other.takes(name));
            let others: Vec<&str> = others.map(Method::as_str).collect();
            let expected = format!("not with {method}: it is for {}", others.join(", "));
            return Err(Error::argument(*name, expected, "it"));
        }
        let allocation: Option<Allocation> = word(matches, "allocation").map(|w| w.parse()).transpose()?;
        if allocation == Some(Allocation::Global) && method != Method::MovementPruning {
            let expected =
                format!("erk, uniform or a density for every layer: {method} keeps the counts of the layers");
            return Err(Error::argument("allocation", expected, "global"));
        }
        let density = matches.get_one::<f64>("density").copied();
        if matches.contains_id("mask") && (density.is_some() || allocation.is_some()) {
            let given = if density.is_some() { "density" } else { "allocation" };
            return Err(Error::argument(
                given,
                "none with --mask, which says what every layer keeps",
                "one",
            ));
        }
        Ok(Asked {
            method,
            words: TrainingWords::new(matches)?,
            density,
            allocation,
        })
    }

    /// How the density is divided.
    pub fn allocation(&self) -> Allocation {
        self.allocation.clone().unwrap_or(match self.method {
            Method::Dynamic(_) => Allocation::ErdosRenyiKernel,
            _ => Allocation::Uniform,
        })
    }
}

fn word<'a>(matches: &'a ArgMatches, name: &str) -> Option<&'a str> {
    matches.get_one::<String>(name).map(String::as_str)
}

/// Dynamic training as it is asked for.
///
/// # Errors
/// On unknown words and numbers out of range.
pub fn dynamic(matches: &ArgMatches, growth: Growth) -> Result<DynamicTraining> {
    let default = DynamicTraining::new(growth);
    let method = DynamicTraining {
        every: matches.get_one("every").copied().unwrap_or(default.every),
        fraction: matches.get_one("fraction").copied().unwrap_or(default.fraction),
        last_fraction: matches
            .get_one("last-fraction")
            .copied()
            .unwrap_or(default.last_fraction),
        decay: match word(matches, "decay") {
            None => default.decay,
            Some("cosine") => FractionDecay::Cosine,
            Some("constant") => FractionDecay::Constant,
            Some(other) => return Err(Error::unknown("decay", other, ["cosine", "constant"])),
        },
        ..default
    };
    method.validate()?;
    Ok(method)
}

/// Descent with hard thresholds as it is asked for.
///
/// # Errors
/// On numbers out of range.
pub fn thresholds(matches: &ArgMatches, training: TrainingPlan) -> Result<HardThresholding> {
    let method = HardThresholding {
        training,
        warm_up: matches.get_one("warm-up").copied().unwrap_or(0),
        every: matches.get_one("every").copied().unwrap_or(1),
        debias_steps: matches.get_one("debias-steps").copied().unwrap_or(0),
    };
    method.validate()?;
    Ok(method)
}

/// Movement pruning as it is asked for.
///
/// # Errors
/// On numbers out of range.
pub fn movement(matches: &ArgMatches, training: TrainingPlan) -> Result<MovementPruning> {
    let default = MovementPruning::default();
    let share = |name: &str, usual: f64| matches.get_one(name).copied().unwrap_or(usual);
    let method = MovementPruning {
        training,
        first_fraction: share("first-fraction", default.first_fraction),
        last_fraction: share("last-fraction", default.last_fraction),
    };
    method.validate()?;
    Ok(method)
}

/// Edge-popup as it is asked for.
///
/// # Errors
/// On unknown words.
pub fn popup(matches: &ArgMatches, training: TrainingPlan) -> Result<EdgePopup> {
    let laws = [FrozenWeights::SignedConstant, FrozenWeights::KaimingNormal];
    let default = EdgePopup::default();
    Ok(EdgePopup {
        training,
        ranking: match word(matches, "ranking") {
            None => default.ranking,
            Some("magnitude") => ScoreRanking::Magnitude,
            Some("value") => ScoreRanking::Value,
            Some(other) => return Err(Error::unknown("ranking", other, ["magnitude", "value"])),
        },
        weights: match word(matches, "frozen-weights") {
            None => default.weights,
            Some(word) => laws
                .into_iter()
                .find(|law| law.as_str() == word)
                .ok_or_else(|| Error::unknown("law of frozen weights", word, laws.map(FrozenWeights::as_str)))?,
        },
        scaled: !matches.get_flag("unscaled"),
    })
}
