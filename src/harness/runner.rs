//! Running experiments: cells on worker threads, each finished one kept, the table in the order of the cells.
//!
//! The bytes of an experiment's outputs depend on its identity alone: not on the number of threads, on the order in
//! which cells finish, or on how often the run was interrupted or killed. Every file appears whole or not at all, so
//! that several processes may work in one output folder: at worst they compute a cell twice, to the same bytes.

use crate::data::{DataChoice, Dataset};
use crate::error::{Error, Result};
use crate::files;
use crate::harness::context::{Context, Settings, Stop, load_data, require_writable};
use crate::harness::experiment::{Cell, Experiment, Scale};
use crate::harness::outputs::{Completed, is_up_to_date, read_table, write_outputs};
use crate::harness::parts::{Finished, Parts, remove_orphans};
use crate::harness::provenance::{Build, Host, Identity};
use crate::harness::report::{Judged, judge};
use crate::harness::store::Store;
use crate::table::{Row, Table};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// How an experiment came to be complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// It stood there already, unaltered.
    UpToDate,
    /// Its outputs were written.
    Written {
        /// Cells computed by this run.
        computed: usize,
        /// Cells that earlier runs had finished.
        reused: usize,
    },
}

/// A completed experiment.
#[derive(Clone, Debug)]
pub struct Report {
    /// Its id.
    pub experiment: &'static str,
    /// How it came to be complete.
    pub completion: Completion,
    /// The folder of its outputs.
    pub folder: PathBuf,
    /// Its claims with their verdicts.
    pub judged: Vec<Judged>,
    /// Seconds of this run.
    pub seconds: f64,
}

/// Somebody who wants to know how far a run is. Called from worker threads.
pub trait ProgressSink: Sync {
    /// An experiment is planned: so many cells, so many of them finished by earlier runs.
    fn planned(&self, experiment: &str, cells: usize, reused: usize);
    /// One more cell of an experiment is finished.
    fn cell_finished(&self, experiment: &str);
    /// An experiment is complete.
    fn completed(&self, report: &Report);
}

/// Nobody wants to know.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl ProgressSink for Quiet {
    fn planned(&self, _experiment: &str, _cells: usize, _reused: usize) {}
    fn cell_finished(&self, _experiment: &str) {}
    fn completed(&self, _report: &Report) {}
}

/// Runs experiments to completion: what is complete already is left as it is, what earlier runs finished is reused, and
/// the rest is computed. Reports come in the order of `experiments`.
///
/// # Errors
/// [`Error::Argument`] for zero jobs or an experiment with two equal cells; [`Error::Io`] when the output folder cannot
/// be written, before anything is computed; [`Error::Cell`] for the first cell, in order, that failed;
/// [`Error::Interrupted`] after a stop, with finished cells kept.
pub fn reproduce(
    experiments: &[&dyn Experiment],
    settings: &Settings,
    stop: &Stop,
    progress: &dyn ProgressSink,
) -> Result<Vec<Report>> {
    if settings.jobs == 0 {
        return Err(Error::argument("jobs", "at least 1", 0));
    }
    require_writable(&settings.out)?;
    let dataset = load_data(experiments, &settings.data)?;
    let store = Store::in_folder(
        settings.out.join(".store"),
        Build::this().code_hash,
        stop.clone(),
        settings.force,
    );
    let run = Run {
        settings,
        dataset: dataset.as_ref(),
        store: &store,
        stop,
        progress,
        halted: AtomicBool::new(false),
        failure: Mutex::new(None),
    };
    let mut plans = Vec::with_capacity(experiments.len());
    for experiment in experiments {
        plans.push(Plan::new(*experiment, &run)?);
    }
    run.work(&plans);
    if let Some((_, error)) = run.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    stop.check()?;
    let reports: Option<Vec<Report>> = plans
        .into_iter()
        .map(|plan| plan.report.into_inner().unwrap_or_else(PoisonError::into_inner))
        .collect();
    reports.ok_or_else(|| Error::numerical("the run", "an experiment was left unfinished without a reason"))
}

/// What all workers share.
struct Run<'a> {
    settings: &'a Settings,
    dataset: Option<&'a Dataset>,
    store: &'a Store,
    stop: &'a Stop,
    progress: &'a dyn ProgressSink,
    /// Set by a failure: nothing new is begun.
    halted: AtomicBool,
    /// The failure of the earliest task, with the task's number.
    failure: Mutex<Option<(usize, Error)>>,
}

/// An experiment on its way.
struct Plan<'a> {
    experiment: &'a dyn Experiment,
    identity: Identity,
    folder: PathBuf,
    parts: Parts,
    cells: Vec<Cell>,
    /// One entry a cell, filled as they finish.
    finished: Mutex<Vec<Option<Finished>>>,
    /// The cells that must be computed.
    pending: Vec<usize>,
    unfinished: AtomicUsize,
    start: Mutex<Option<Instant>>,
    report: Mutex<Option<Report>>,
}

/// A lock whose holder panicked guards data that are still whole: entries are replaced, never edited in place.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A piece of work for one thread.
#[derive(Clone, Copy)]
enum Task {
    Cell { plan: usize, cell: usize },
    Finish { plan: usize },
}

impl<'a> Plan<'a> {
    fn new(experiment: &'a dyn Experiment, run: &Run<'_>) -> Result<Self> {
        let settings = run.settings;
        let identity = Identity::new(experiment, settings.scale, settings.seed, &settings.data, run.dataset);
        let folder = settings.out.join(experiment.id());
        let parts = Parts::new(&settings.out, &identity, experiment.columns());
        let cells = distinct_cells(experiment, settings.scale)?;
        let mut report = None;
        if !settings.force && is_up_to_date(&folder, &identity) {
            let (table, _) = read_table(experiment, &settings.out)?
                .ok_or_else(|| Error::numerical(experiment.id(), "its table vanished while it was read"))?;
            report = Some(Report {
                experiment: experiment.id(),
                completion: Completion::UpToDate,
                folder: folder.clone(),
                judged: judge(experiment, &table)?,
                seconds: 0.0,
            });
        }
        let mut finished = vec![None; cells.len()];
        if report.is_none() {
            files::create_folder(parts.folder())?;
            remove_orphans(parts.folder())?;
            remove_orphans(&folder)?;
            if !settings.force {
                for (entry, cell) in finished.iter_mut().zip(&cells) {
                    *entry = parts.load(&cell.id());
                }
            }
        }
        let pending: Vec<usize> = match report {
            Some(_) => Vec::new(),
            None => (0..cells.len()).filter(|&i| finished[i].is_none()).collect(),
        };
        match &report {
            Some(report) => run.progress.completed(report),
            None => run
                .progress
                .planned(experiment.id(), cells.len(), cells.len() - pending.len()),
        }
        Ok(Plan {
            experiment,
            identity,
            folder,
            parts,
            cells,
            finished: Mutex::new(finished),
            unfinished: AtomicUsize::new(pending.len()),
            pending,
            start: Mutex::new(None),
            report: Mutex::new(report),
        })
    }
}

fn distinct_cells(experiment: &dyn Experiment, scale: Scale) -> Result<Vec<Cell>> {
    let cells = experiment.cells(scale);
    let mut seen = HashSet::new();
    match cells.iter().find(|cell| !seen.insert(cell.id())) {
        None => Ok(cells),
        Some(cell) => Err(Error::argument(
            format!("cells of {}", experiment.id()),
            "no two equal cells",
            format!("'{}' twice", cell.id()),
        )),
    }
}

impl Run<'_> {
    /// Lets worker threads take one task after the other until none is left, a stop is requested or a task failed.
    ///
    /// Plain threads and not a work-stealing pool: a cell that waits for a result of the store must never be put on top
    /// of the very cell that computes it.
    fn work(&self, plans: &[Plan<'_>]) {
        let mut tasks = Vec::new();
        for (number, plan) in plans.iter().enumerate() {
            if lock(&plan.report).is_some() {
                continue;
            }
            tasks.extend(plan.pending.iter().map(|&cell| Task::Cell { plan: number, cell }));
            if plan.pending.is_empty() {
                tasks.push(Task::Finish { plan: number });
            }
        }
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..self.settings.jobs.min(tasks.len()) {
                scope.spawn(|| {
                    while !self.halted.load(Ordering::Relaxed) && !self.stop.requested() {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let Some(&task) = tasks.get(number) else { break };
                        if let Err(error) = self.perform(plans, task) {
                            self.fail(number, error);
                        }
                    }
                });
            }
        });
    }

    fn fail(&self, number: usize, error: Error) {
        if matches!(error, Error::Interrupted) && self.stop.requested() {
            return;
        }
        self.halted.store(true, Ordering::Relaxed);
        let mut failure = lock(&self.failure);
        if failure.as_ref().is_none_or(|(earliest, _)| number < *earliest) {
            *failure = Some((number, error));
        }
    }

    fn perform(&self, plans: &[Plan<'_>], task: Task) -> Result<()> {
        match task {
            Task::Finish { plan } => self.finish(&plans[plan]),
            Task::Cell { plan, cell } => {
                let plan = &plans[plan];
                lock(&plan.start).get_or_insert_with(Instant::now);
                let finished = self.compute(plan, &plan.cells[cell])?;
                plan.parts.keep(&plan.cells[cell].id(), &finished)?;
                lock(&plan.finished)[cell] = Some(finished);
                self.progress.cell_finished(plan.experiment.id());
                // Release and acquire: whoever sees zero sees every finished cell.
                if plan.unfinished.fetch_sub(1, Ordering::AcqRel) == 1 {
                    self.finish(plan)?;
                }
                Ok(())
            }
        }
    }

    fn compute(&self, plan: &Plan<'_>, cell: &Cell) -> Result<Finished> {
        let context = Context::new(plan.experiment, self.settings, self.dataset, self.store, self.stop);
        run_cell(plan.experiment, cell, context)
    }

    fn finish(&self, plan: &Plan<'_>) -> Result<()> {
        let start = *lock(&plan.start).get_or_insert_with(Instant::now);
        let mut rows: Vec<Row> = Vec::new();
        let mut timings = Vec::new();
        let mut cell_seconds = 0.0;
        for (cell, finished) in plan.cells.iter().zip(std::mem::take(&mut *lock(&plan.finished))) {
            let finished = finished.ok_or_else(|| Error::numerical(plan.experiment.id(), "a cell was lost"))?;
            rows.extend(finished.rows);
            timings.extend(
                finished
                    .timings
                    .into_iter()
                    .map(|(name, seconds)| (cell.id(), name, seconds)),
            );
            cell_seconds += finished.seconds;
        }
        let judged = write_outputs(
            &plan.folder,
            Completed {
                experiment: plan.experiment,
                identity: plan.identity.clone(),
                cells: plan.cells.len(),
                rows,
                timings,
                host: Host::this(self.settings.jobs, start.elapsed().as_secs_f64(), cell_seconds),
            },
        )?;
        let report = Report {
            experiment: plan.experiment.id(),
            completion: Completion::Written {
                computed: plan.pending.len(),
                reused: plan.cells.len() - plan.pending.len(),
            },
            folder: plan.folder.clone(),
            judged,
            seconds: start.elapsed().as_secs_f64(),
        };
        self.progress.completed(&report);
        *lock(&plan.report) = Some(report);
        Ok(())
    }
}

/// Runs a cell, checks its rows, and names it in whatever goes wrong; a panic in it becomes an error, so that the other
/// cells are kept.
fn run_cell(experiment: &dyn Experiment, cell: &Cell, context: Context<'_>) -> Result<Finished> {
    let start = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| experiment.run(cell, &context))).unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        Err(Error::numerical("a defect of the program", message))
    });
    let checked = outcome.and_then(|rows| Table::with_rows(experiment.columns(), rows));
    match checked {
        Ok(table) => Ok(Finished {
            rows: table.rows().to_vec(),
            seconds: start.elapsed().as_secs_f64(),
            timings: context.into_timings(),
        }),
        Err(Error::Interrupted) => Err(Error::Interrupted),
        Err(error) => Err(Error::Cell {
            experiment: experiment.id().to_string(),
            cell: cell.id(),
            source: Box::new(error),
        }),
    }
}

/// The table of an experiment, computed in memory on this thread: for tests, notebooks and users of the library.
///
/// # Errors
/// As [`reproduce`], without those of files.
pub fn compute_table(experiment: &dyn Experiment, scale: Scale, seed: u64, data: &DataChoice) -> Result<Table> {
    let settings = Settings {
        scale,
        seed,
        data: data.clone(),
        ..Settings::default()
    };
    let (store, stop) = (Store::in_memory(), Stop::new());
    let dataset = load_data(&[experiment], data)?;
    let mut table = Table::new(experiment.columns());
    for cell in distinct_cells(experiment, scale)? {
        let context = Context::new(experiment, &settings, dataset.as_ref(), &store, &stop);
        for row in run_cell(experiment, &cell, context)?.rows {
            table.push(row)?;
        }
    }
    Ok(table)
}
