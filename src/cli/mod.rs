//! The commands: parse, call the library, hand back an [`Answer`]. No science here.
//!
//! A command is one file with `command()` (its clap description) and `run(&ArgMatches)`, and one line in [`COMMANDS`].

use serde_json::Value;
use ticketsense::Result;

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
    pub run: fn(&clap::ArgMatches) -> Result<Answer>,
}
