//! `list`: every experiment with its question.

use super::Answer;
use crate::experiments::EXPERIMENTS;
use clap::ArgMatches;
use serde_json::{Value, json};
use ticketsense::Result;

pub fn command() -> clap::Command {
    clap::Command::new("list").about("List the experiments with their questions, claims and cost")
}

pub fn run(_matches: &ArgMatches) -> Result<Answer> {
    let mut text = String::new();
    let mut experiments: Vec<Value> = Vec::new();
    let width = EXPERIMENTS.iter().map(|e| e.id().len()).max().unwrap_or(0);
    for experiment in EXPERIMENTS {
        let claims: Vec<&str> = experiment.claims().iter().map(|claim| claim.id).collect();
        let budget = experiment.budget();
        text.push_str(&format!(
            "{:width$}  {}\n{:width$}  claims {}; about {} s and {} MB at quick scale\n",
            experiment.id(),
            experiment.question(),
            "",
            if claims.is_empty() {
                "none".to_string()
            } else {
                claims.join(" ")
            },
            budget.seconds,
            budget.memory_mb,
        ));
        experiments.push(json!({
            "id": experiment.id(),
            "question": experiment.question(),
            "claims": claims,
            "uses_data": experiment.uses_data(),
            "expected_seconds": budget.seconds,
            "expected_memory_mb": budget.memory_mb,
        }));
    }
    if experiments.is_empty() {
        text.push_str("No experiments.\n");
    }
    Ok(Answer {
        text,
        json: json!({ "experiments": experiments }),
        code: 0,
    })
}
