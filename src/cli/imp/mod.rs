//! `imp`: iterative magnitude pruning on real data, with controls; see `seeds` for what is kept and `summary` for what
//! is said.

mod seeds;
mod summary;

use super::reproduce::obey_interrupts;
use super::{Answer, option};
use clap::{Arg, ArgMatches, value_parser};
use seeds::{Job, Samples};
use std::path::PathBuf;
use ticketsense::data::{self, DataChoice};
use ticketsense::harness::{Settings, Stop};
use ticketsense::networks::{Initialisation, Loss};
use ticketsense::pruning::{Control, Criterion, ImpPlan, Scope};
use ticketsense::table::Table;
use ticketsense::training::{Optimiser, TrainingPlan};
use ticketsense::{Error, Result, files};

/// The command line of `imp`.
pub fn command() -> clap::Command {
    let needed = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).required(true).help(help)
    };
    let usual = |name: &'static str, value: &'static str, default: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name(value)
            .default_value(default)
            .help(help)
    };
    clap::Command::new("imp")
        .about("Iterative pruning with rewinding on real data, with controls")
        .long_about(
            "Train a network, prune, rewind the survivors, repeat; train the controls at the masks of every round.\n\
             DIR gets table.csv, history.csv, and for each seed its run (safetensors), its masks (.npy, one 0 or 1 a \
             parameter, as linearize --mask reads them; biases are always kept) and its rows. A seed that was finished \
             by this very program with these very settings is not trained again.",
        )
        .arg(needed("data", "SET|DIR", "The data: a set's name (digits) or a folder"))
        .arg(needed(
            "network",
            "PRESET",
            "lenet-300-100, linear, or mlp:100-50, each with :tanh, :no-bias and the like",
        ))
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
                "rewind-step",
                "N",
                "0",
                "The step of the dense training that survivors go back to",
            )
            .value_parser(value_parser!(usize)),
        )
        .arg(needed("steps", "N", "Steps of a training").value_parser(value_parser!(usize)))
        .arg(usual("seeds", "N", "1", "Independent repetitions").value_parser(value_parser!(u32).range(1..=100_000)))
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
            "What decides who stays: magnitude, optimal-brain-damage or random",
        ))
        .arg(
            usual(
                "controls",
                "LIST",
                "",
                "Trained beside the ticket of every round, joined by commas: reinit (fresh weights), signs (fresh \
                 magnitudes, old signs), shuffle (mask shuffled within layers), order (another data order), random \
                 (random mask of equal counts), small-dense (a dense network of as many weights), one-shot (pruned at \
                 once)",
            )
            .hide_default_value(true),
        )
        .arg(usual("optimiser", "NAME", "adam", "adam, or sgd with momentum 0.9"))
        .arg(usual("learning-rate", "X", "0.0012", "Step size of the optimiser").value_parser(value_parser!(f64)))
        .arg(usual("batch", "N", "60", "Samples a step").value_parser(value_parser!(usize)))
        .arg(usual("loss", "NAME", "cross-entropy", "cross-entropy or squared"))
        .arg(
            usual(
                "evaluate-every",
                "N",
                "50",
                "Steps between two looks at the validation samples",
            )
            .value_parser(value_parser!(usize)),
        )
        .arg(usual(
            "initialisation",
            "NAME",
            "glorot",
            "he, glorot, lecun or weight-variance=X, with :kept-fan and :bias=X",
        ))
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

/// Runs `imp`.
///
/// # Errors
/// On a plan that cannot be, data that cannot be read, a folder that cannot be written, and interruption.
pub fn run(matches: &ArgMatches) -> Result<Answer> {
    let plan = plan(matches)?;
    let controls = controls(option::<String>(matches, "controls")?)?;
    let choice: DataChoice = option::<String>(matches, "data")?.parse()?;
    let out: &PathBuf = option(matches, "out")?;
    let dataset = data::load(&choice)?;
    let samples = Samples::new(&dataset)?;
    let network = plan.build_network(&samples.view())?;
    plan.layer_rates(&network)?;
    for control in &controls {
        control.check(&network)?;
    }
    require_writable(out)?;
    let jobs = matches
        .get_one::<u16>("jobs")
        .map_or(Settings::default().jobs, |jobs| usize::from(*jobs));
    let job = Job {
        plan: &plan,
        controls: &controls,
        samples: &samples,
        root: *option(matches, "seed")?,
        out,
    };
    let stop = Stop::new();
    obey_interrupts(&stop)?;
    let finished = seeds::compute(&job, *option::<u32>(matches, "seeds")?, jobs, &stop)?;
    let mut table = Table::new(seeds::COLUMNS);
    let mut history = Table::new(seeds::HISTORY_COLUMNS);
    for seed in &finished {
        for row in seed.table.rows() {
            table.push(row.clone())?;
        }
        for row in seed.history.rows() {
            history.push(row.clone())?;
        }
    }
    files::write_atomic(out.join("table.csv"), table.to_csv().as_bytes())?;
    files::write_atomic(out.join("history.csv"), history.to_csv().as_bytes())?;
    let reused = finished.iter().filter(|seed| seed.reused).count();
    let about = summary::About {
        data: dataset.describe(),
        network: network.name().to_string(),
        weights: network.layout().prunable(),
        seeds: finished.len(),
        reused,
        out: out.display().to_string(),
    };
    summary::answer(&about, &table)
}

fn plan(matches: &ArgMatches) -> Result<ImpPlan> {
    let word = |name: &'static str| option::<String>(matches, name);
    let plan = ImpPlan {
        network: word("network")?.clone(),
        initialisation: word("initialisation")?.parse::<Initialisation>()?,
        training: TrainingPlan {
            optimiser: Optimiser::named(word("optimiser")?, *option(matches, "learning-rate")?)?,
            loss: word("loss")?.parse::<Loss>()?,
            batch: *option(matches, "batch")?,
            steps: *option(matches, "steps")?,
            evaluate_every: *option(matches, "evaluate-every")?,
            ..TrainingPlan::default()
        },
        rounds: *option(matches, "rounds")?,
        prune_fraction: *option(matches, "prune-fraction")?,
        output_prune_fraction: matches.get_one("output-prune-fraction").copied(),
        scope: word("scope")?.parse::<Scope>()?,
        criterion: word("criterion")?.parse::<Criterion>()?,
        rewind_step: *option(matches, "rewind-step")?,
        ..ImpPlan::default()
    };
    Ok(plan)
}

/// The controls of a list joined by commas, each once, in the order given.
fn controls(list: &str) -> Result<Vec<Control>> {
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

/// Makes the folder and proves that it can be written, before any work is spent.
fn require_writable(out: &std::path::Path) -> Result<()> {
    files::create_folder(out)?;
    let probe = out.join(format!(".writable-{}", std::process::id()));
    files::write_atomic(&probe, b"")?;
    std::fs::remove_file(&probe).map_err(|e| Error::io(&probe, "remove", e))
}
