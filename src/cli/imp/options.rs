//! What can be asked of `imp`, and the plan that it makes.

use super::super::option;
use super::super::training_options::{self, TrainingWords, given, needed, usual};
use clap::{Arg, ArgMatches, value_parser};
use std::collections::BTreeMap;
use std::path::PathBuf;
use ticketsense::data::ImageShape;
use ticketsense::pruning::{Control, Criterion, ImpPlan, Retraining, Scope};
use ticketsense::training::TrainingPlan;
use ticketsense::{Error, Result};

/// The command line of `imp`.
pub fn command() -> clap::Command {
    clap::Command::new("imp")
        .about("Iterative pruning with rewinding on real data, with controls")
        .long_about(
            "Train a network, prune, rewind the survivors, repeat; train the controls at the masks of every round.\n\
             DIR gets table.csv, history.csv, and for each seed its run (safetensors), its masks (.npy, one 0 or 1 a \
             parameter, as linearize --mask reads them; biases are always kept) and its rows. A seed that was finished \
             by this very program with these very settings is not trained again, nor is any round or control of one that \
             was not: an interrupted run goes on where it was, and more --rounds begin with those that are there.\n\
             One round is pruning at once.",
        )
        .args(training_options::problem())
        .arg(needed("rounds", "N", "Pruning rounds after the dense training").value_parser(value_parser!(usize)))
        .arg(
            needed(
                "prune-fraction",
                "X",
                "Fraction of the remaining weights that a round prunes",
            )
            .value_parser(value_parser!(f64)),
        )
        .arg(
            Arg::new("output-prune-fraction")
                .long("output-prune-fraction")
                .value_name("X")
                .value_parser(value_parser!(f64))
                .help("The same for the output layer, as a scope of its own; that of the others when not given"),
        )
        .arg(
            usual(
                "layer-prune-fractions",
                "LIST",
                "",
                "Fractions of single layers, joined by commas: dense0.weight=0.3,dense2.weight=0.05; they come before \
                 the two above",
            )
            .hide_default_value(true),
        )
        .arg(
            usual(
                "rewind-step",
                "N",
                "0",
                "The step of the dense training that survivors, or the schedule, go back to",
            )
            .value_parser(value_parser!(usize)),
        )
        .arg(usual(
            "retraining",
            "NAME",
            "weight-rewinding",
            "What survivors start from: weight-rewinding (their values and the schedule of the rewind step), \
             learning-rate-rewinding (their trained values, the schedule of the rewind step) or fine-tuning:steps=N (their \
             trained values and the last learning rate, N steps more)",
        ))
        .arg(training_options::steps())
        .arg(usual("seeds", "N", "3", "Independent repetitions: intervals come from them").value_parser(value_parser!(u32).range(1..=100_000)))
        .arg(usual(
            "scope",
            "SCOPE",
            "layerwise",
            "Over what the scores compete: layerwise or global",
        ))
        .arg(usual(
            "criterion",
            "NAME",
            "magnitude",
            "What decides who stays, scored after every training: magnitude, optimal-brain-damage, optimal-brain-surgeon, snip, \
             gradient-weight, grasp, synflow, movement, magnitude-increase or random",
        ))
        .arg(
            usual(
                "controls",
                "LIST",
                "",
                "Trained beside the ticket of every round, joined by commas: reinit (fresh weights), signs (fresh \
                 magnitudes, old signs), constant-signs (old signs alone), permute (old weights at other kept places), \
                 noise:TAU and noise-keeping-signs:TAU (old weights with noise of so many of their standard deviations), \
                 shuffle (mask shuffled within layers), shuffle-across (across layers), shuffle-degrees (within layers, every \
                 row and column keeps its count), random (random mask of equal counts), order (another data order), \
                 small-dense (a dense network of as many weights), one-shot (pruned at once)",
            )
            .hide_default_value(true),
        )
        .args(training_options::learning())
        .arg(
            usual(
                "distillation",
                "NUMBERS",
                "",
                "Every training after the dense one also learns from the trained dense network: weight=0.5,temperature=2; \
                 none when not given",
            )
            .hide_default_value(true),
        )
        .args(training_options::batches())
        .arg(
            usual("seed", "N", "0", "The root of all random numbers")
                .allow_negative_numbers(true)
                .value_parser(value_parser!(u64)),
        )
        .arg(
            Arg::new("jobs")
                .long("jobs")
                .value_name("N")
                .value_parser(value_parser!(u16).range(1..=1024))
                .help("Seeds trained at once; as many as the system has threads when not given"),
        )
        .arg(needed("out", "DIR", "The folder of results").value_parser(value_parser!(PathBuf)))
}

/// Everything that is asked, read before the data are.
#[derive(Debug)]
pub struct Asked {
    plan: ImpPlan,
    words: TrainingWords,
}

impl Asked {
    /// Reads the options.
    ///
    /// # Errors
    /// On words and numbers that make no plan.
    pub fn new(matches: &ArgMatches) -> Result<Self> {
        let word = |name: &'static str| option::<String>(matches, name);
        let words = TrainingWords::new(matches)?;
        let plan = ImpPlan {
            network: word("network")?.clone(),
            initialisation: words.initialisation,
            training: words.unmixed().clone(),
            rounds: *option(matches, "rounds")?,
            prune_fraction: *option(matches, "prune-fraction")?,
            output_prune_fraction: matches.get_one("output-prune-fraction").copied(),
            scope: word("scope")?.parse::<Scope>()?,
            criterion: word("criterion")?.parse::<Criterion>()?,
            rewind_step: *option(matches, "rewind-step")?,
            retraining: word("retraining")?.parse::<Retraining>()?,
            layer_prune_fractions: layer_fractions(word("layer-prune-fractions")?)?,
            distillation: given(matches, "distillation")?.map(|text| text.parse()).transpose()?,
        };
        plan.validate()?;
        Ok(Asked { plan, words })
    }

    /// The plan, for samples of a shape.
    ///
    /// # Errors
    /// On a mixing that cannot be.
    pub fn plan(self, image: ImageShape) -> Result<ImpPlan> {
        let training = TrainingPlan {
            mixing: self.words.mixing(image)?,
            ..self.plan.training
        };
        Ok(ImpPlan { training, ..self.plan })
    }
}

/// Fractions by the names of layers, from `NAME=X,NAME=X`, each name once.
fn layer_fractions(list: &str) -> Result<BTreeMap<String, f64>> {
    let mut fractions = BTreeMap::new();
    for assignment in list.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let refuse = || Error::argument("layer-prune-fractions", "LAYER=FRACTION, each layer once", list);
        let (name, fraction) = assignment.split_once('=').ok_or_else(refuse)?;
        let fraction: f64 = fraction.parse().map_err(|_| refuse())?;
        if fractions.insert(name.to_string(), fraction).is_some() {
            return Err(refuse());
        }
    }
    Ok(fractions)
}

/// The controls of a list joined by commas, each once, in the order given.
///
/// # Errors
/// On an unknown control and one that stands there twice.
pub fn controls(list: &str) -> Result<Vec<Control>> {
    let mut controls = Vec::new();
    for word in list.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let control = word.parse::<Control>()?;
        if controls.contains(&control) {
            return Err(Error::argument("controls", "each control once", list));
        }
        controls.push(control);
    }
    Ok(controls)
}
