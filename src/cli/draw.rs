//! `draw`: figures and verdicts again from tables that exist.

use super::{Answer, chosen_experiments, experiment_names};
use clap::{Arg, ArgMatches};
use serde_json::{Value, json};
use std::path::Path;
use ticketsense::harness::{Judged, draw, ledger};
use ticketsense::{Error, Result};

pub fn command() -> clap::Command {
    clap::Command::new("draw")
        .about("Draw figures and judge claims again from tables; nothing is computed again")
        .long_about(
            "Draw figures and judge claims again from DIR/<id>/table.csv; nothing is computed again.\n\
             Into the same folder, the manifest notes which build drew; it still names the build that computed.",
        )
        .arg(experiment_names())
        .arg(
            Arg::new("from")
                .long("from")
                .value_name("DIR")
                .default_value("results")
                .help("The folder of results to read"),
        )
        .arg(
            Arg::new("out")
                .long("out")
                .value_name("DIR")
                .help("The folder to write; the one that is read when none is given"),
        )
}

pub fn run(matches: &ArgMatches) -> Result<Answer> {
    let from: &String = super::option(matches, "from")?;
    let out = matches.get_one("out").unwrap_or(from);
    let (from, out) = (Path::new(from), Path::new(out));
    let named = matches.contains_id("id");
    let mut judged: Vec<Judged> = Vec::new();
    let mut drawn: Vec<Value> = Vec::new();
    let mut text = String::new();
    for experiment in chosen_experiments(matches)? {
        // Without names, what has no table yet is passed over.
        if !named && !from.join(experiment.id()).join("table.csv").exists() {
            continue;
        }
        judged.extend(draw(experiment, from, out)?);
        let folder = out.join(experiment.id());
        text.push_str(&format!("{}: drawn in {}\n", experiment.id(), folder.display()));
        drawn.push(json!({ "id": experiment.id(), "folder": folder.display().to_string() }));
    }
    if drawn.is_empty() {
        return match std::fs::read_dir(from) {
            Ok(_) => Err(Error::argument(
                "from",
                "a folder that holds <id>/table.csv of some experiment",
                from.display(),
            )),
            Err(reason) => Err(Error::io(from, "read the folder", reason)),
        };
    }
    text.push('\n');
    text.push_str(&ledger(&judged));
    let claims: Vec<Value> = judged.iter().map(Judged::to_json).collect();
    Ok(Answer {
        text,
        json: json!({ "experiments": drawn, "claims": claims }),
        code: 0,
    })
}
