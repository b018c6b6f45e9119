//! The seeds of an `imp` run: computed on threads, each kept as a folder that names everything that made it.
//!
//! `seed-S/` holds the run, a mask a round, the rows of the tables, and last of all `seed.json`: the identity of the
//! seed and the checksum of every other file. A folder whose `seed.json` fits is read; any other is computed again from
//! what `stages/HASH/` holds of the same plan with any number of rounds: a file a finished round and control, and the
//! checkpoint of a training that was interrupted.

use super::super::network_files::write_mask;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use ticketsense::harness::{Build, Stop};
use ticketsense::pruning::{Control, ImpPlan, ImpRun, ImpSamples, MaskReport, StageFolder, TrainingOutcome};
use ticketsense::table::{Column, Table};
use ticketsense::{Error, Result, Seed, files, row};

/// The columns of `table.csv`.
pub const COLUMNS: &[Column] = &[
    Column::integer("seed", "", "Number of the repetition."),
    Column::integer("round", "", "Pruning rounds before this training."),
    Column::text("branch", "What was trained: dense, ticket, or a control."),
    Column::real("density", "1", "Fraction of the network's weights that were trained."),
    Column::real(
        "effective_density",
        "1",
        "Fraction of the network's weights that were trained and lie on a path from an input to an output; empty for a \
         network of which no path can be followed.",
    ),
    Column::integer("kept", "weights", "Weights that were trained, biases not counted."),
    Column::real("test_accuracy", "1", "Accuracy on the test samples at the end."),
    Column::real(
        "test_loss",
        "1",
        "Loss on the test samples at the end; empty after divergence.",
    ),
    Column::integer(
        "early_stop_step",
        "steps",
        "Step of smallest validation loss, the first of equals.",
    ),
    Column::text("status", "How the training ended."),
    Column::integer("steps", "steps", "Steps trained here."),
    Column::integer(
        "diverged_at",
        "steps",
        "Steps done when the loss was no longer finite; empty where it always was.",
    ),
    Column::text(
        "emptied",
        "Layers of the ticket of which no weight is left, joined by spaces.",
    ),
    Column::text(
        "dead",
        "Layers and sides of shortcuts that nothing passes from an input to an output, joined by spaces.",
    ),
];

/// Steps of a training that a power cut may cost; an interruption costs none.
const CHECKPOINT_STEPS: usize = 1000;

/// The columns of `history.csv`.
pub const HISTORY_COLUMNS: &[Column] = &[
    Column::integer("seed", "", "Number of the repetition."),
    Column::integer("round", "", "Pruning rounds before this training."),
    Column::text("branch", "What was trained."),
    Column::integer("step", "steps", "Steps done."),
    Column::real(
        "training_loss",
        "1",
        "Mean loss of the batches since the row before; empty at the first.",
    ),
    Column::real("validation_loss", "1", "Loss on the validation samples."),
    Column::real("validation_accuracy", "1", "Accuracy on the validation samples."),
];

/// The name of the ticket's branch in the first round, where nothing is pruned yet.
pub const DENSE: &str = "dense";
/// The name of the ticket's branch in the other rounds.
pub const TICKET: &str = "ticket";

/// Everything that the seeds of a run share.
#[derive(Debug)]
pub struct Job<'a> {
    /// What is done to each.
    pub plan: &'a ImpPlan,
    /// What is trained beside each ticket.
    pub controls: &'a [Control],
    /// On what.
    pub samples: &'a ImpSamples,
    /// The root of the random numbers.
    pub root: u64,
    /// Where to.
    pub out: &'a Path,
}

/// The rows of a seed.
#[derive(Debug)]
pub struct FinishedSeed {
    /// A row a training.
    pub table: Table,
    /// A row an evaluation.
    pub history: Table,
    /// Whether it was read, and not computed.
    pub reused: bool,
}

/// Computes or reads `count` seeds, `jobs` at a time, in the order of their numbers.
///
/// # Errors
/// The first that a seed meets; the others end at their next training.
pub fn compute(job: &Job<'_>, count: u32, jobs: usize, stop: &Stop) -> Result<Vec<FinishedSeed>> {
    let bar = bar(u64::from(count) * job.trainings() as u64);
    let next = AtomicU32::new(0);
    let finished: Mutex<Vec<(u32, Result<FinishedSeed>)>> = Mutex::default();
    let failed = Stop::new();
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(count as usize) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let may_go_on = || !stop.requested() && !failed.requested();
                    if number >= count || !may_go_on() {
                        break;
                    }
                    let result = job.seed(number, &may_go_on, &bar);
                    if result.is_err() {
                        failed.request();
                    }
                    finished
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push((number, result));
                }
            });
        }
    });
    bar.finish_and_clear();
    let mut finished = finished.into_inner().unwrap_or_else(PoisonError::into_inner);
    // A real error before the interruptions that it caused.
    finished.sort_by_key(|(number, result)| (matches!(result, Err(Error::Interrupted)), *number));
    let seeds: Vec<FinishedSeed> = finished.into_iter().map(|(_, result)| result).collect::<Result<_>>()?;
    stop.check()?;
    Ok(seeds)
}

fn bar(trainings: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(trainings);
    if let Ok(style) = ProgressStyle::with_template("{pos}/{len} trainings {wide_bar} {elapsed} (left: {eta})") {
        bar.set_style(style);
    }
    bar
}

impl Job<'_> {
    fn trainings(&self) -> usize {
        1 + self.plan.rounds * (1 + self.controls.len())
    }

    fn folder(&self, number: u32) -> PathBuf {
        self.out.join(format!("seed-{number}"))
    }

    fn stream(&self, number: u32) -> Seed {
        Seed::root(self.root).stream("imp").stream(number.to_string())
    }

    /// The folder of the stages of a seed: another one for another program, plan, data set or random stream.
    fn stages(&self, number: u32) -> PathBuf {
        let identity = self.plan.shared_identity(&self.samples.view(), &self.stream(number));
        let name = files::sha256_hex(format!("code={};{identity}", Build::this().code_hash).as_bytes());
        self.folder(number).join("stages").join(name)
    }

    /// Names everything that the files of a seed depend on.
    fn identity(&self, number: u32) -> String {
        let controls: Vec<String> = self.controls.iter().map(Control::to_string).collect();
        format!(
            "code={};{};controls={}",
            Build::this().code_hash,
            self.plan.identity(&self.samples.view(), &self.stream(number)),
            controls.join(",")
        )
    }

    fn seed(&self, number: u32, may_go_on: &dyn Fn() -> bool, bar: &ProgressBar) -> Result<FinishedSeed> {
        if let Some(finished) = self.read(number) {
            bar.inc(self.trainings() as u64);
            return Ok(finished);
        }
        let (data, stream) = (self.samples.view(), self.stream(number));
        let network = self.plan.build_network(&data)?;
        let stages = self.stages(number);
        let mut keeper = StageFolder::new(&stages, CHECKPOINT_STEPS, may_go_on);
        let run = self.plan.run_kept(&data, &stream, &mut keeper, &mut |_| {
            bar.inc(1);
            may_go_on()
        })?;
        let mut rows = Rows::new(number);
        let weights = network.layout().prunable();
        for round in &run.rounds {
            let branch = if round.round == 0 { DENSE } else { TICKET };
            let report = MaskReport::of(&network, &round.mask)?;
            rows.add(round.round, branch, &report, &round.outcome, &round.emptied)?;
            for control in self.controls.iter().filter(|_| round.round > 0) {
                if !may_go_on() {
                    return Err(Error::Interrupted);
                }
                let (mut report, outcome) =
                    control.train_kept(self.plan, &data, &stream, &run, round.round, &mut keeper)?;
                // Densities are of the network that is pruned, of a small dense one too.
                report = of_network(report, weights);
                rows.add(round.round, &control.to_string(), &report, &outcome, &[])?;
                bar.inc(1);
            }
        }
        let identity = self.identity(number);
        let contents = [
            ("run.safetensors", run.to_bytes(&identity)?),
            ("table.csv", rows.table.to_csv().into_bytes()),
            ("history.csv", rows.history.to_csv().into_bytes()),
        ];
        self.keep(number, &identity, &contents, &run)?;
        forget_others(&stages)?;
        Ok(FinishedSeed {
            table: rows.table,
            history: rows.history,
            reused: false,
        })
    }

    fn keep(&self, number: u32, identity: &str, contents: &[(&str, Vec<u8>)], run: &ImpRun) -> Result<()> {
        let folder = self.folder(number);
        files::create_folder(&folder)?;
        let mut checksums = Map::new();
        for (name, content) in contents {
            files::write_atomic(folder.join(name), content)?;
            checksums.insert(name.to_string(), files::sha256_hex(content).into());
        }
        for round in &run.rounds {
            let name = format!("round-{:02}.mask.npy", round.round);
            write_mask(&folder.join(&name), &round.mask)?;
            let checksum = files::sha256_hex(&files::read(folder.join(&name))?);
            checksums.insert(name, checksum.into());
        }
        let description = json!({ "identity": identity, "files": checksums });
        files::write_atomic(folder.join("seed.json"), format!("{description:#}\n").as_bytes())
    }

    /// A finished seed, where all of it is there, undamaged, and made by this very job.
    fn read(&self, number: u32) -> Option<FinishedSeed> {
        let folder = self.folder(number);
        let description: Value = serde_json::from_slice(&std::fs::read(folder.join("seed.json")).ok()?).ok()?;
        if description["identity"].as_str()? != self.identity(number) {
            return None;
        }
        for (name, checksum) in description["files"].as_object()? {
            if files::sha256_hex(&std::fs::read(folder.join(name)).ok()?) != checksum.as_str()? {
                return None;
            }
        }
        let table = |name: &str, columns: &[Column]| -> Option<Table> {
            description["files"].get(name)?;
            let path = folder.join(name);
            Table::from_csv(&path, &files::read_text(&path).ok()?, columns).ok()
        };
        Some(FinishedSeed {
            table: table("table.csv", COLUMNS)?,
            history: table("history.csv", HISTORY_COLUMNS)?,
            reused: true,
        })
    }
}

/// Removes the stages of other plans beside those that a finished seed was made from.
fn forget_others(stages: &Path) -> Result<()> {
    let Some(all) = stages.parent().filter(|all| all.exists()) else {
        return Ok(());
    };
    let fail = |action: &'static str| move |e: std::io::Error| Error::io(all, action, e);
    for entry in std::fs::read_dir(all).map_err(fail("read the folder"))? {
        let path = entry.map_err(fail("read the folder"))?.path();
        let is_hash = |name: &str| name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit());
        let of_a_plan = path.file_name().and_then(|name| name.to_str()).is_some_and(is_hash);
        if of_a_plan && path != stages {
            std::fs::remove_dir_all(&path).map_err(|e| Error::io(&path, "remove", e))?;
        }
    }
    Ok(())
}

/// A report of another network with its counts as fractions of so many weights.
fn of_network(report: MaskReport, weights: usize) -> MaskReport {
    let scale = report.weights as f64 / weights as f64;
    MaskReport {
        effective_density: report.effective_density.map(|density| density * scale),
        weights,
        ..report
    }
}

/// Names joined by spaces; nothing for none.
fn joined(names: &[String]) -> Option<String> {
    Some(names.join(" ")).filter(|names| !names.is_empty())
}

struct Rows {
    seed: u32,
    table: Table,
    history: Table,
}

impl Rows {
    fn new(seed: u32) -> Self {
        Rows {
            seed,
            table: Table::new(COLUMNS),
            history: Table::new(HISTORY_COLUMNS),
        }
    }

    fn add(
        &mut self,
        round: usize,
        branch: &str,
        report: &MaskReport,
        outcome: &TrainingOutcome,
        emptied: &[String],
    ) -> Result<()> {
        let finite = |value: f64| Some(value).filter(|value| value.is_finite());
        self.table.push(row![
            self.seed,
            round,
            branch,
            report.density(),
            report.effective_density,
            report.kept,
            outcome.test_accuracy,
            finite(outcome.test_loss),
            outcome.early_stop_step(),
            outcome.status.as_str(),
            outcome.steps,
            outcome.diverged_at,
            joined(emptied),
            joined(&report.dead)
        ])?;
        for evaluation in &outcome.history {
            self.history.push(row![
                self.seed,
                round,
                branch,
                evaluation.step,
                finite(evaluation.training_loss),
                evaluation.validation_loss,
                evaluation.validation_accuracy
            ])?;
        }
        Ok(())
    }
}
