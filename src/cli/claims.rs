//! `claims`: the verdicts on tables that exist.

use super::describe::{find_claim, unknown_experiment_or_claim};
use super::{Answer, find_experiment};
use crate::experiments::EXPERIMENTS;
use clap::{Arg, ArgMatches};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use ticketsense::harness::{Claim, Experiment, Judged, TableState, judge, ledger, read_table};
use ticketsense::{Error, Result};

pub fn command() -> clap::Command {
    clap::Command::new("claims")
        .about("Judge the claims on the tables of a folder of results; nothing is computed again")
        .arg(
            Arg::new("id")
                .value_name("ID")
                .help("An experiment, or a claim by its short or long name; all claims when none is named"),
        )
        .arg(
            Arg::new("from").long("from").value_name("DIR").help(
                "The folder of results; without it 'results', or the published 'figures' where there are no results",
            ),
        )
}

pub fn run(matches: &ArgMatches) -> Result<Answer> {
    let (experiments, only) = selection(matches.get_one::<String>("id"))?;
    let from = source(matches.get_one::<String>("from"))?;
    let mut judged: Vec<Judged> = Vec::new();
    let mut tables: Map<String, Value> = Map::new();
    let mut remarks = String::new();
    for experiment in experiments {
        match read_table(experiment, &from)? {
            Some((table, state)) => {
                judged.extend(judge(experiment, &table)?);
                tables.insert(experiment.id().to_string(), json!(state.as_str()));
                if let Some(remark) = remark(state) {
                    remarks.push_str(&format!("note: {}: {remark}\n", experiment.id()));
                }
            }
            None => {
                let why = format!(
                    "no table in {}; run: ticketsense reproduce {}",
                    from.display(),
                    experiment.id()
                );
                let missing = |claim: &'static Claim| Judged::without_table(experiment.id(), claim, why.clone());
                judged.extend(experiment.claims().iter().map(missing));
                tables.insert(experiment.id().to_string(), json!("missing"));
            }
        }
    }
    if let Some(only) = only {
        judged.retain(|j| j.claim.id == only.id);
    }
    let claims: Vec<Value> = judged.iter().map(Judged::to_json).collect();
    Ok(Answer {
        text: format!("from {}\n{}{remarks}", from.display(), ledger(&judged)),
        json: json!({ "from": from.display().to_string(), "tables": tables, "claims": claims }),
        code: 0,
    })
}

type Selection = (Vec<&'static dyn Experiment>, Option<&'static Claim>);

fn selection(name: Option<&String>) -> Result<Selection> {
    let Some(name) = name else {
        return Ok((EXPERIMENTS.to_vec(), None));
    };
    if let Some((experiment, claim)) = find_claim(name) {
        return Ok((vec![experiment], Some(claim)));
    }
    let experiment = find_experiment(name).map_err(|_| unknown_experiment_or_claim(name))?;
    Ok((vec![experiment], None))
}

/// The folder to read: the one asked for, otherwise the first of the usual two that holds a table.
fn source(asked: Option<&String>) -> Result<PathBuf> {
    if let Some(folder) = asked {
        let folder = Path::new(folder);
        // An absent folder would otherwise look like one without tables.
        return match std::fs::read_dir(folder) {
            Ok(_) => Ok(folder.to_path_buf()),
            Err(reason) => Err(Error::io(folder, "read the folder", reason)),
        };
    }
    let holds_a_table = |folder: &&Path| {
        EXPERIMENTS
            .iter()
            .any(|e| folder.join(e.id()).join("table.csv").exists())
    };
    let usual = [Path::new("results"), Path::new("figures")];
    Ok(usual.into_iter().find(holds_a_table).unwrap_or(usual[0]).to_path_buf())
}

fn remark(state: TableState) -> Option<&'static str> {
    match state {
        TableState::OtherCode => Some("the table was computed by another version of the code"),
        TableState::Altered => Some("the table was changed after it was computed"),
        TableState::Unfinished => Some("the table has no complete manifest"),
        _ => None,
    }
}
