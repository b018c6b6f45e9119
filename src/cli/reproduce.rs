//! `reproduce`: the main job.

use super::progress::Terminal;
use super::{Answer, chosen_experiments, experiment_names, option};
use clap::{Arg, ArgAction, ArgMatches, value_parser};
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;
use ticketsense::data::DataChoice;
use ticketsense::harness::{Completion, Judged, Report, Scale, Settings, Stop, ledger, reproduce};
use ticketsense::{Error, Result};

/// The exit code of a run under `--strict` that found a claim to be otherwise than expected.
const SURPRISED: u8 = 3;

pub fn command() -> clap::Command {
    let text = |name: &'static str, value: &'static str, default: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name(value)
            .default_value(default)
            .help(help)
    };
    let flag = |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    clap::Command::new("reproduce")
        .about("Compute experiments: tables, figures, verdicts")
        .long_about(
            "Compute experiments: tables, figures, verdicts, each in DIR/<id>/.\n\
             What is complete and made by exactly this code, scale, seed and data is left as it is; an interrupted run \
             goes on where it stopped. The bytes do not depend on --jobs.",
        )
        .arg(experiment_names())
        .arg(text(
            "scale",
            "SCALE",
            "quick",
            "smoke (seconds), quick (minutes) or paper (hours)",
        ))
        .arg(text(
            "data",
            "SET|DIR",
            "digits",
            "Data for the experiments that read any: a set's name or a folder",
        ))
        .arg(
            text("seed", "N", "0", "The root of all random numbers")
                .allow_negative_numbers(true)
                .value_parser(value_parser!(u64)),
        )
        .arg(
            Arg::new("jobs")
                .long("jobs")
                .value_name("N")
                .value_parser(value_parser!(u16).range(1..=1024))
                .help("Threads; as many as the system offers when not given"),
        )
        .arg(text("out", "DIR", "results", "The folder of results"))
        .arg(flag("force", "Compute again what is there already"))
        .arg(flag(
            "strict",
            "Exit with 3 when a decided verdict contradicts what is expected",
        ))
}

pub fn run(matches: &ArgMatches) -> Result<Answer> {
    let experiments = chosen_experiments(matches)?;
    let usual = Settings::default();
    let settings = Settings {
        scale: option::<String>(matches, "scale")?.parse::<Scale>()?,
        seed: *option(matches, "seed")?,
        data: option::<String>(matches, "data")?.parse::<DataChoice>()?,
        jobs: matches
            .get_one::<u16>("jobs")
            .map_or(usual.jobs, |jobs| usize::from(*jobs)),
        out: PathBuf::from(option::<String>(matches, "out")?),
        force: matches.get_flag("force"),
    };
    let data_given = matches.value_source("data") == Some(clap::parser::ValueSource::CommandLine);
    if data_given && !experiments.iter().any(|e| e.uses_data()) {
        // What the user names must be data all the same.
        ticketsense::data::load(&settings.data)?;
        let _ = writeln!(
            std::io::stderr(),
            "note: no chosen experiment reads data; --data changes nothing"
        );
    }
    let stop = Stop::new();
    obey_interrupts(&stop)?;
    let progress = Terminal::new();
    let outcome = reproduce(&experiments, &settings, &stop, &progress);
    progress.clear();
    let reports = outcome?;
    let judged: Vec<Judged> = reports.iter().flat_map(|r| r.judged.clone()).collect();
    let surprised = judged.iter().filter(|j| j.is_surprising()).count();
    let strict = matches.get_flag("strict");
    Ok(Answer {
        text: text(&reports, &judged, surprised),
        json: json!({
            "scale": settings.scale.as_str(),
            "seed": settings.seed,
            "out": settings.out.display().to_string(),
            "experiments": reports.iter().map(object).collect::<Vec<Value>>(),
            "claims": judged.iter().map(Judged::to_json).collect::<Vec<Value>>(),
            "contradictions": surprised,
        }),
        code: if strict && surprised > 0 { SURPRISED } else { 0 },
    })
}

/// The first Ctrl-C lets the work under way finish, the second ends the program at once. What is finished is kept either
/// way, since every file is written whole or not at all.
pub(super) fn obey_interrupts(stop: &Stop) -> Result<()> {
    let stop = stop.clone();
    let handler = move || {
        if stop.request() {
            std::process::exit(130);
        }
        let _ = writeln!(
            std::io::stderr(),
            "\ninterrupted: waiting for the work under way; press Ctrl-C again to end at once"
        );
    };
    ctrlc::set_handler(handler).map_err(|e| Error::numerical("listening for Ctrl-C", e.to_string()))
}

fn text(reports: &[Report], judged: &[Judged], surprised: usize) -> String {
    let mut text = String::new();
    for report in reports {
        let how = match report.completion {
            Completion::UpToDate => "up to date".to_string(),
            Completion::Written { computed, reused: 0 } => format!("{computed} cells in {:.1} s", report.seconds),
            Completion::Written { computed, reused } => {
                format!(
                    "{computed} cells in {:.1} s, {reused} from earlier runs",
                    report.seconds
                )
            }
        };
        text.push_str(&format!("{}: {how}; {}\n", report.experiment, report.folder.display()));
    }
    if reports.is_empty() {
        text.push_str("No experiments.\n");
    }
    text.push('\n');
    text.push_str(&ledger(judged));
    if surprised > 0 {
        text.push_str(&format!("\n{surprised} decided otherwise than expected, marked (!).\n"));
    }
    text
}

fn object(report: &Report) -> Value {
    let (state, computed, reused) = match report.completion {
        Completion::UpToDate => ("up-to-date", 0, 0),
        Completion::Written { computed, reused } => ("written", computed, reused),
    };
    json!({
        "id": report.experiment,
        "state": state,
        "cells_computed": computed,
        "cells_reused": reused,
        "folder": report.folder.display().to_string(),
        "seconds": report.seconds,
    })
}
