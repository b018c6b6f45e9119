//! `describe`: all that an experiment says about itself.

use super::{Answer, find_experiment};
use crate::experiments::EXPERIMENTS;
use clap::{Arg, ArgMatches};
use serde_json::{Value, json};
use ticketsense::harness::{Claim, Experiment, Scale};
use ticketsense::table::Kind;
use ticketsense::{Error, Result};

pub fn command() -> clap::Command {
    clap::Command::new("describe")
        .about("Describe an experiment: question, cells, columns, claims; or the experiment of a claim")
        .arg(
            Arg::new("id")
                .value_name("ID")
                .required(true)
                .help("An experiment, or a claim by its short or long name"),
        )
}

pub fn run(matches: &ArgMatches) -> Result<Answer> {
    let name: &String = super::option(matches, "id")?;
    let experiment = match find_claim(name) {
        Some((experiment, _)) => experiment,
        None => find_experiment(name).map_err(|_| unknown_experiment_or_claim(name))?,
    };
    Ok(Answer {
        text: text(experiment),
        json: object(experiment),
        code: 0,
    })
}

/// The claim of a short or long name, with its experiment.
pub fn find_claim(name: &str) -> Option<(&'static dyn Experiment, &'static Claim)> {
    EXPERIMENTS.iter().find_map(|experiment| {
        let claim = experiment.claims().iter().find(|c| c.id == name || c.name == name)?;
        Some((*experiment, claim))
    })
}

/// The error for a name that is neither an experiment nor a claim.
pub fn unknown_experiment_or_claim(name: &str) -> Error {
    let known = EXPERIMENTS.iter().flat_map(|experiment| {
        let claims = experiment.claims().iter().flat_map(|claim| [claim.id, claim.name]);
        std::iter::once(experiment.id()).chain(claims)
    });
    Error::unknown("experiment or claim", name, known)
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Integer => "integer",
        Kind::Real => "real",
        Kind::Text => "text",
    }
}

fn text(experiment: &dyn Experiment) -> String {
    let mut text = format!("{}\n{}\n\n", experiment.id(), experiment.question());
    let cells = Scale::ALL.map(|scale| format!("{} at {scale} scale", experiment.cells(scale).len()));
    text.push_str(&format!("cells: {}\n", cells.join(", ")));
    let budget = experiment.budget();
    text.push_str(&format!(
        "cost at quick scale: about {} s on two cores, {} MB\n",
        budget.seconds, budget.memory_mb
    ));
    text.push_str(&format!(
        "reads data: {}\n\ncolumns:\n",
        if experiment.uses_data() { "yes" } else { "no" }
    ));
    for column in experiment.columns() {
        let unit = if column.unit.is_empty() {
            String::new()
        } else {
            format!(" [{}]", column.unit)
        };
        text.push_str(&format!(
            "  {} ({}){unit}: {}\n",
            column.name,
            kind(column.kind),
            column.meaning
        ));
    }
    text.push_str("\nclaims:\n");
    for claim in experiment.claims() {
        text.push_str(&format!(
            "  {} {}: {}\n    source: {}\n    expected: {}\n    tolerance: {}\n",
            claim.id,
            claim.name,
            claim.statement,
            claim.source,
            claim.expected.as_str(),
            claim.tolerance_rule
        ));
    }
    if experiment.claims().is_empty() {
        text.push_str("  none\n");
    }
    text
}

fn object(experiment: &dyn Experiment) -> Value {
    let columns: Vec<Value> = experiment
        .columns()
        .iter()
        .map(|c| json!({ "name": c.name, "kind": kind(c.kind), "unit": c.unit, "meaning": c.meaning }))
        .collect();
    let claims: Vec<Value> = experiment
        .claims()
        .iter()
        .map(|c| {
            json!({
                "id": c.id,
                "name": c.name,
                "statement": c.statement,
                "source": c.source,
                "expected": c.expected.as_str(),
                "tolerance_rule": c.tolerance_rule,
            })
        })
        .collect();
    let cells: serde_json::Map<String, Value> = Scale::ALL
        .into_iter()
        .map(|scale| (scale.to_string(), json!(experiment.cells(scale).len())))
        .collect();
    json!({
        "id": experiment.id(),
        "question": experiment.question(),
        "cells": cells,
        "columns": columns,
        "claims": claims,
        "uses_data": experiment.uses_data(),
        "expected_seconds": experiment.budget().seconds,
        "expected_memory_mb": experiment.budget().memory_mb,
    })
}
