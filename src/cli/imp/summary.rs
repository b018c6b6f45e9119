//! What an `imp` run has to say: mean and interval over the seeds, for every round and branch.

use super::super::Answer;
use super::seeds::TICKET;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use ticketsense::Result;
use ticketsense::statistics::Summary;
use ticketsense::table::Table;

/// Every interval covers with 95 %.
const LEVEL: f64 = 0.05;

/// What the run was.
#[derive(Debug)]
pub struct About {
    /// The data in one line.
    pub data: String,
    /// The network's name.
    pub network: String,
    /// Its prunable weights.
    pub weights: usize,
    /// Features that are zero in every training sample, of how many.
    pub silent: (usize, usize),
    /// Repetitions.
    pub seeds: usize,
    /// How many of them were there already.
    pub reused: usize,
    /// The folder of results.
    pub out: String,
}

/// One line of the summary.
struct Line {
    round: i64,
    branch: String,
    density: f64,
    /// None where no path can be followed.
    effective_density: Option<f64>,
    kept: f64,
    accuracy: Summary,
    /// Accuracy of the ticket of the same seed minus this branch's.
    ticket_minus: Option<Summary>,
    loss: Summary,
    early_stop: Option<Summary>,
    /// The steps at which trainings diverged, in the order of the seeds.
    diverged_at: Vec<i64>,
    diverged: usize,
    /// Layers of which nothing is left, with the number of seeds that have lost them.
    emptied: BTreeMap<String, usize>,
    /// The same of layers and sides of shortcuts that nothing passes.
    dead: BTreeMap<String, usize>,
}

/// The summary of a table, for people and for programs.
///
/// # Errors
/// When the table lacks a column.
pub fn answer(about: &About, table: &Table) -> Result<Answer> {
    let lines = lines(table)?;
    Ok(Answer {
        text: text(about, &lines)?,
        json: object(about, &lines)?,
        code: 0,
    })
}

fn lines(table: &Table) -> Result<Vec<Line>> {
    let mut tickets: BTreeMap<(i64, i64), f64> = BTreeMap::new();
    for record in table
        .iter()
        .filter(|record| record.text("branch").is_ok_and(|b| b == TICKET))
    {
        let key = (record.integer("round")?, record.integer("seed")?);
        tickets.insert(key, record.real("test_accuracy")?);
    }
    let mut keys: Vec<(i64, String)> = Vec::new();
    for record in table.iter() {
        let key = (record.integer("round")?, record.text("branch")?.to_string());
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    // A stable sort: within a round the branches stay in the order of the table.
    keys.sort_by_key(|(round, _)| *round);
    let mut lines = Vec::with_capacity(keys.len());
    for (round, branch) in keys {
        let (mut accuracies, mut losses, mut stops) = (Vec::new(), Vec::new(), Vec::new());
        let mut differences = Vec::new();
        let (mut density, mut kept, mut diverged) = (0.0, 0.0, 0);
        let (mut diverged_at, mut emptied, mut dead) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        let mut effective = Vec::new();
        for record in table.iter() {
            if record.integer("round")? != round || record.text("branch")? != branch {
                continue;
            }
            let accuracy = record.real("test_accuracy")?;
            accuracies.push(accuracy);
            if branch != TICKET {
                let ticket = tickets.get(&(round, record.integer("seed")?));
                differences.extend(ticket.map(|ticket| ticket - accuracy));
            }
            losses.extend(record.optional_real("test_loss")?);
            stops.extend(record.optional_real("early_stop_step")?);
            density += record.real("density")?;
            effective.extend(record.optional_real("effective_density")?);
            kept += record.real("kept")?;
            if record.text("status")? == "diverged" {
                diverged += 1;
                diverged_at.push(record.integer("diverged_at")?);
            }
            for (column, names) in [("emptied", &mut emptied), ("dead", &mut dead)] {
                for name in record.text(column)?.split_whitespace() {
                    *names.entry(name.to_string()).or_insert(0) += 1;
                }
            }
        }
        let seeds = accuracies.len() as f64;
        let nothing = Summary {
            count: 0,
            mean: f64::INFINITY,
            standard_deviation: f64::NAN,
        };
        lines.push(Line {
            round,
            branch,
            density: density / seeds,
            effective_density: (!effective.is_empty()).then(|| effective.iter().sum::<f64>() / effective.len() as f64),
            kept: kept / seeds,
            accuracy: Summary::of(&accuracies)?,
            ticket_minus: match differences.is_empty() {
                true => None,
                false => Some(Summary::of(&differences)?),
            },
            loss: if losses.is_empty() {
                nothing
            } else {
                Summary::of(&losses)?
            },
            early_stop: if stops.is_empty() {
                None
            } else {
                Some(Summary::of(&stops)?)
            },
            diverged,
            diverged_at,
            emptied,
            dead,
        });
    }
    Ok(lines)
}

/// Half the width of the interval of a mean; nothing for a single value.
fn half_width(summary: &Summary) -> Result<Option<f64>> {
    if summary.count < 2 {
        return Ok(None);
    }
    Ok(Some(summary.interval(LEVEL)?.width() / 2.0))
}

fn mean(summary: &Summary, digits: usize) -> Result<String> {
    Ok(match half_width(summary)? {
        Some(half) => format!("{:.digits$} ± {half:.digits$}", summary.mean),
        None => format!("{:.digits$}", summary.mean),
    })
}

fn text(about: &About, lines: &[Line]) -> Result<String> {
    let mut out = String::new();
    let width = lines.iter().map(|line| line.branch.len()).fold(12, usize::max);
    let _ = writeln!(out, "{}", about.data);
    let _ = writeln!(
        out,
        "{}: {} weights, biases never pruned; {}{}",
        about.network,
        about.weights,
        count(about.seeds, "seed"),
        match about.reused {
            0 => String::new(),
            reused => format!(", {reused} from earlier runs"),
        }
    );
    if about.silent.0 > 0 {
        let (silent, inputs) = about.silent;
        let _ = writeln!(
            out,
            "{silent} of {inputs} inputs are zero in every training sample: the weights that read them are never trained"
        );
    }
    let _ = writeln!(
        out,
        "\nRound  {:<width$} Density  Effective  Weights  Test accuracy      Ticket minus it    Test loss          Early stop at step",
        "Branch"
    );
    for line in lines {
        let stop = line
            .early_stop
            .as_ref()
            .map_or(Ok("none".to_string()), |s| mean(s, 0))?;
        let diverged = match (line.diverged, line.diverged_at.iter().min()) {
            (n, Some(first)) if n > 0 => format!("  ({n} diverged, the first at step {first})"),
            _ => String::new(),
        };
        let _ = writeln!(
            out,
            "{:>5}  {:<width$} {:<8.4} {:<10} {:<8.0} {:<18} {:<18} {:<18} {stop}{diverged}",
            line.round,
            line.branch,
            line.density,
            line.effective_density
                .map_or(String::new(), |density| format!("{density:.4}")),
            line.kept,
            mean(&line.accuracy, 4)?,
            line.ticket_minus.as_ref().map_or(Ok(String::new()), |s| mean(s, 4))?,
            mean(&line.loss, 4)?
        );
    }
    for line in lines {
        let of_seeds = |seeds: &usize| format!("{seeds} of {}", count(about.seeds, "seed"));
        for (layer, seeds) in &line.emptied {
            let seeds = of_seeds(seeds);
            let _ = writeln!(
                out,
                "Warning: round {}: {layer} is pruned away whole in {seeds}.",
                line.round
            );
        }
        let cut_off = line.dead.iter().filter(|(name, _)| !line.emptied.contains_key(*name));
        for (name, seeds) in cut_off {
            let seeds = of_seeds(seeds);
            let _ = writeln!(
                out,
                "Warning: round {}, {}: nothing passes {name} from an input to an output in {seeds}.",
                line.round, line.branch
            );
        }
    }
    if about.seeds > 1 {
        out.push_str("\nMean ± half the 95 % Student interval over seeds, on one and the same test set; differences are paired by seed.\n");
    } else {
        out.push_str("\nOne seed, so no intervals: --seeds N gives them.\n");
    }
    let _ = writeln!(out, "Rows in {0}/table.csv and {0}/history.csv.", about.out);
    Ok(out)
}

fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

fn object(about: &About, lines: &[Line]) -> Result<Value> {
    let statistic = |summary: &Summary| -> Result<Value> {
        Ok(json!({
            "mean": summary.mean,
            "half_width": half_width(summary)?,
            "standard_deviation": summary.standard_deviation,
            "count": summary.count,
        }))
    };
    let mut rounds = Vec::with_capacity(lines.len());
    for line in lines {
        rounds.push(json!({
            "round": line.round,
            "branch": line.branch,
            "density": line.density,
            "effective_density": line.effective_density,
            "kept": line.kept,
            "test_accuracy": statistic(&line.accuracy)?,
            "ticket_minus": line.ticket_minus.as_ref().map(statistic).transpose()?,
            "test_loss": statistic(&line.loss)?,
            "early_stop_step": line.early_stop.as_ref().map(statistic).transpose()?,
            "diverged": line.diverged,
            "diverged_at": line.diverged_at,
            "emptied": line.emptied,
            "dead": line.dead,
        }));
    }
    Ok(json!({
        "data": about.data,
        "network": about.network,
        "weights": about.weights,
        "silent_inputs": about.silent.0,
        "seeds": about.seeds,
        "seeds_reused": about.reused,
        "level": LEVEL,
        "out": about.out,
        "rounds": rounds,
    }))
}
