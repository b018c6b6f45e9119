//! The program: parse, call, print, exit code.

#![forbid(unsafe_code)]

#[path = "../experiments/mod.rs"]
mod experiments;

mod cli;

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let matches = match cli::program().try_get_matches() {
        Ok(matches) => matches,
        Err(message) => {
            // Help and version are answers, everything else is a wrong command line; a closed pipe changes neither.
            let _ = message.print();
            return ExitCode::from(if message.use_stderr() { cli::WRONG_COMMAND } else { 0 });
        }
    };
    let answer = match cli::dispatch(&matches) {
        Ok(answer) => answer,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            return ExitCode::from(cli::exit_code(&error));
        }
    };
    let printed = if matches.get_flag(cli::JSON) {
        format!("{:#}\n", answer.json)
    } else {
        answer.text
    };
    let mut output = std::io::stdout().lock();
    match output.write_all(printed.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            let _ = writeln!(std::io::stderr(), "error: standard output: {error}");
            ExitCode::FAILURE
        }
        // Whoever reads no further has what he wanted.
        _ => ExitCode::from(answer.code),
    }
}
