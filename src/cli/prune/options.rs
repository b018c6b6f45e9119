//! The options of `prune`, and the request that they make.

use crate::cli::{file, network_files, option};
use clap::{Arg, ArgMatches, value_parser};
use std::str::FromStr;
use ticketsense::networks::{Initialisation, Loss, Network};
use ticketsense::pruning::{MaskMaker, MaskRequest, Setting};
use ticketsense::{Error, Result};

/// The group of each option in the help.
const WHO: &str = "Who chooses";
const HOW_MANY: &str = "How many stay";
const MAKERS: &str = "Settings of single criteria";
const POINT: &str = "What is looked at";

fn text(name: &'static str, value: &'static str, help: impl Into<String>) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help.into())
}

/// The command line of `prune`.
pub fn command() -> clap::Command {
    clap::Command::new("prune")
        .about("Choose a mask of a network as it stands: by scores, units, patterns, sparse recovery or design")
        .long_about(
            "Choose a mask of a network as it stands, without training in between, and write it as M.npy: one 0 or 1 a \
             parameter, as train, linearize and percolate --mask read it.\n\
             Scores rank single weights; neurons, channels and heads go whole; omp, niht, lasso, group-lasso, relinearised and \
             elimination recover a sparse answer of the network linearised at its weights; a-design and d-design choose columns \
             of its Jacobian; net-trim recovers layer by layer. An option that the criterion does not use is refused.",
        )
        .args(who())
        .args(how_many())
        .args(settings())
        .args(point())
        .arg(
            text("seed", "N", "Seed of random weights, samples and scores")
                .default_value("0")
                .value_parser(value_parser!(u64)),
        )
        .arg(file("out", "M.npy", "Write the mask here: one 0 or 1 a parameter").required(true))
        .arg(file(
            "weights-out",
            "F",
            "Write the weights that it was chosen for, with the mask, as train and linearize --checkpoint read them",
        ))
}

fn who() -> Vec<Arg> {
    let words: Vec<&str> = MaskMaker::all().iter().map(|maker| maker.as_str()).collect();
    let [network, data] = network_files::arguments();
    let criterion = format!(
        "What decides who stays: {}. SynFlow is meant for --rounds 100; movement and magnitude-increase need --checkpoint and \
         --initial",
        words.join(", ")
    );
    vec![
        network.help_heading(WHO),
        data.help_heading(WHO),
        text("criterion", "NAME", criterion).required(true).help_heading(WHO),
    ]
}

fn how_many() -> Vec<Arg> {
    let all = [
        text(
            "density",
            "X",
            "Fraction of the weights that stays, of whole units and blocks at most; what the densities of the layers make up \
             without it",
        )
        .allow_negative_numbers(true)
        .value_parser(value_parser!(f64)),
        text(
            "allocation",
            "NAME",
            "How it is divided among the layers: global (all weights compete; the default of scores), uniform (the default of \
             all others), erk (Erdős–Rényi kernel), or a density for every layer, such as 0.05,0.1,0.5",
        ),
        text(
            "pattern",
            "P",
            "What scores keep: 2:4 (two of every four inputs; that is the density) or 4x4 (whole blocks); single weights \
             without it",
        ),
        text(
            "edge",
            "NAME",
            "Of a weight that the pattern does not divide: refused (the default) or ragged (the last group keeps its share)",
        ),
        text(
            "rounds",
            "N",
            "Of scores: how often what is left is scored, the density falling by the same factor each time (default 1); of \
             relinearised: linearisations (4); of elimination: fits (10)",
        )
        .value_parser(value_parser!(usize)),
    ];
    all.into_iter().map(|arg| arg.help_heading(HOW_MANY)).collect()
}

fn settings() -> Vec<Arg> {
    let all = [
        text("norm", "NAME", "Of neurons, channels and heads: l1 (the default) or l2, of the weights into a unit"),
        text(
            "units",
            "KIND",
            "Of group-lasso: neurons, channels or heads alone; every kind that may go without it",
        ),
        text(
            "damping",
            "X",
            "Of omp, niht, lasso, group-lasso, relinearised, elimination, a-design and d-design: the pull towards the given \
             weights, in mean squared norms of the columns (default 0.1)",
        )
        .allow_negative_numbers(true)
        .value_parser(value_parser!(f64)),
        text("solver", "NAME", "Of relinearised: omp, niht (the default) or lasso; of net-trim: omp (the default) or lasso"),
        text("prior", "NAME", "Of a-design and d-design: equal (the default) or magnitude, a variance of θ² for every weight"),
        text("spread", "NAME", "Of net-trim: layer (units compete; the default) or units (as many weights in each)"),
        text(
            "order",
            "NAME",
            "Of net-trim: cascade (inputs from the layers already pruned; the default) or parallel",
        ),
    ];
    all.into_iter().map(|arg| arg.help_heading(MAKERS)).collect()
}

fn point() -> Vec<Arg> {
    let all = [
        network_files::checkpoint_argument("random ones"),
        file(
            "initial",
            "F",
            "The weights before the training, for criteria that compare with them: a checkpoint",
        ),
        network_files::mask_argument("Prune what this leaves", "the checkpoint's mask"),
        text(
            "initialisation",
            "NAME",
            "Law of random weights: he, glorot (the default), lecun or weight-variance=X",
        ),
        text(
            "loss",
            "NAME",
            "Whose gradients are taken by scores: cross-entropy (the default) or squared",
        ),
        text(
            "samples",
            "N",
            "Look at so many training samples, classes balanced; at all of them without it",
        )
        .value_parser(value_parser!(usize)),
    ];
    all.into_iter().map(|arg| arg.help_heading(POINT)).collect()
}

/// A word that is read by the library, where it is given.
fn parsed<T: FromStr<Err = Error>>(matches: &ArgMatches, name: &str) -> Result<Option<T>> {
    matches.get_one::<String>(name).map(|word| word.parse()).transpose()
}

/// What is asked for, read before the data are.
#[derive(Debug)]
pub struct Asked {
    /// The maker with its settings.
    pub request: MaskRequest,
    /// The law of random weights.
    pub initialisation: Initialisation,
    /// Whose gradients are taken.
    pub loss: Loss,
}

impl Asked {
    /// Reads the options.
    ///
    /// # Errors
    /// On unknown words, and on options that the criterion does not use.
    pub fn new(matches: &ArgMatches) -> Result<Self> {
        let request = MaskRequest {
            density: matches.get_one("density").copied(),
            allocation: parsed(matches, "allocation")?,
            rounds: matches.get_one("rounds").copied(),
            pattern: parsed(matches, "pattern")?,
            edge: parsed(matches, "edge")?,
            norm: parsed(matches, "norm")?,
            units: parsed(matches, "units")?,
            damping: matches.get_one("damping").copied(),
            solver: parsed(matches, "solver")?,
            prior: parsed(matches, "prior")?,
            spread: parsed(matches, "spread")?,
            order: parsed(matches, "order")?,
            ..MaskRequest::new(option::<String>(matches, "criterion")?.parse()?)
        };
        let loss = parsed(matches, "loss")?;
        let initialisation = parsed(matches, "initialisation")?;
        for setting in [Setting::Mask, Setting::Initial, Setting::Loss, Setting::Samples] {
            let name = setting.as_str();
            if let Some(mut raw) = matches.get_raw(name).filter(|_| matches.contains_id(name)) {
                let value = raw.next().map(|value| value.to_string_lossy().into_owned());
                request.require(setting, value.unwrap_or_default())?;
            }
        }
        if matches.contains_id("checkpoint")
            && let Some(law) = &initialisation
        {
            let expected = "none with --checkpoint, which brings the weights";
            return Err(Error::argument("initialisation", expected, law));
        }
        Ok(Asked {
            request,
            initialisation: initialisation.unwrap_or(Initialisation::GLOROT),
            loss: loss.unwrap_or(Loss::CrossEntropy),
        })
    }

    /// Refuses a network to which the criterion does not apply, and settings out of range.
    ///
    /// # Errors
    /// As [`MaskRequest::check`].
    pub fn check(&self, network: &Network) -> Result<()> {
        self.request.check(network)?;
        if self.request.takes(Setting::Density) {
            self.request.density(network.layout())?;
        }
        Ok(())
    }
}
