//! The commands: parse, call the library, hand back an [`Answer`]. No science here.
//!
//! A command is one file with `command()` (its clap description) and `run(&ArgMatches)`, and one line in [`COMMANDS`].

mod certify;
mod claims;
mod curvature;
mod describe;
mod draw;
mod grow;
mod imp;
mod linearize;
mod list;
mod network_files;
mod path;
mod percolate;
mod progress;
mod prune;
mod recovers;
mod repeat;
mod reproduce;
mod solve;
#[cfg(test)]
mod test_folder;
mod theory;
mod train;
mod training_options;

use crate::experiments::EXPERIMENTS;
use clap::{Arg, ArgAction, ArgMatches};
use serde_json::Value;
use ticketsense::harness::Experiment;
use ticketsense::{Error, Result};

/// What a command has to say, in both forms, and how the program ends.
#[derive(Debug)]
pub struct Answer {
    /// For people: the whole of standard output.
    pub text: String,
    /// For programs: one JSON object.
    pub json: Value,
    /// The exit code: 0, or 1 and 3 where an answer itself says that something is wrong.
    pub code: u8,
}

/// One command of the program.
pub struct Command {
    /// Its clap description.
    pub describe: fn() -> clap::Command,
    /// Its work.
    pub run: fn(&ArgMatches) -> Result<Answer>,
}

macro_rules! commands {
    ($($module:ident),* $(,)?) => {
        &[$(Command { describe: $module::command, run: $module::run }),*]
    };
}

/// Every command, in the order of the help.
pub static COMMANDS: &[Command] = commands![
    reproduce, list, describe, claims, draw, imp, prune, train, grow, percolate, linearize, curvature, solve, path,
    recovers, certify, theory
];

/// The name of the global flag for JSON.
pub const JSON: &str = "json";

/// The exit code of a command line that cannot be right.
pub const WRONG_COMMAND: u8 = 2;

/// The whole command line.
pub fn program() -> clap::Command {
    let json = Arg::new(JSON)
        .long("json")
        .global(true)
        .action(ArgAction::SetTrue)
        .help("Print one JSON object on standard output");
    clap::Command::new("ticketsense")
        .version(env!("CARGO_PKG_VERSION"))
        .about("The compressed-sensing view of pruning and lottery tickets, computed and checked")
        .after_help(
            "Exit codes: 0 done; 1 something wrong found in files or while running; 2 wrong command line; \
             3 a verdict contradicts what is expected (with --strict); 130 interrupted, finished work kept.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(json)
        .subcommands(COMMANDS.iter().map(|command| (command.describe)()))
}

/// Runs the command that the line names.
///
/// # Errors
/// Those of the command.
pub fn dispatch(matches: &ArgMatches) -> Result<Answer> {
    let (name, arguments) = matches
        .subcommand()
        .ok_or_else(|| Error::argument("command", "one of those in --help", "none"))?;
    let command = COMMANDS
        .iter()
        .find(|command| (command.describe)().get_name() == name)
        .ok_or_else(|| {
            Error::unknown(
                "command",
                name,
                COMMANDS.iter().map(|c| (c.describe)().get_name().to_string()),
            )
        })?;
    (command.run)(arguments)
}

/// The exit code that goes with an error.
pub fn exit_code(error: &Error) -> u8 {
    match error {
        Error::Argument { .. } | Error::Unknown { .. } => WRONG_COMMAND,
        Error::Interrupted => 130,
        _ => 1,
    }
}

/// The option of a file.
fn file(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name(value)
        .value_parser(clap::value_parser!(std::path::PathBuf))
        .help(help)
}

/// The argument that names experiments, none meaning all.
fn experiment_names() -> Arg {
    Arg::new("id")
        .value_name("ID")
        .num_args(0..)
        .help("Experiments; all of them when none is named")
}

/// The experiments that a command line names, without repetition, in the order of the list.
fn chosen_experiments(matches: &ArgMatches) -> Result<Vec<&'static dyn Experiment>> {
    let names: Vec<&String> = matches.get_many("id").into_iter().flatten().collect();
    for name in &names {
        find_experiment(name)?;
    }
    let named = |experiment: &&dyn Experiment| names.is_empty() || names.iter().any(|n| *n == experiment.id());
    Ok(EXPERIMENTS.iter().copied().filter(|e| named(e)).collect())
}

fn find_experiment(name: &str) -> Result<&'static dyn Experiment> {
    EXPERIMENTS
        .iter()
        .copied()
        .find(|experiment| experiment.id() == name)
        .ok_or_else(|| Error::unknown("experiment", name, EXPERIMENTS.iter().map(|e| e.id())))
}

/// The value of an option with a default, which clap guarantees to be there.
fn option<'a, T: Clone + Send + Sync + 'static>(matches: &'a ArgMatches, name: &'static str) -> Result<&'a T> {
    matches
        .get_one(name)
        .ok_or_else(|| Error::argument(name, "a value", "none"))
}
