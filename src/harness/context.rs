//! What a run is told, and what a cell sees of it.

use crate::data::{self, DataChoice, Dataset};
use crate::error::{Error, Result};
use crate::files;
use crate::harness::experiment::{Cell, Experiment, Scale};
use crate::harness::provenance;
use crate::harness::store::Store;
use crate::seed::Seed;
use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// A request to stop, shared by everybody who may make or obey it.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Nothing requested yet.
    pub fn new() -> Self {
        Stop::default()
    }

    /// Asks everybody to stop; true when somebody had asked before.
    pub fn request(&self) -> bool {
        self.0.swap(true, Ordering::Relaxed)
    }

    /// Whether a stop was requested.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Refuses to go on once a stop was requested.
    ///
    /// # Errors
    /// [`Error::Interrupted`] then.
    pub fn check(&self) -> Result<()> {
        if self.requested() {
            Err(Error::Interrupted)
        } else {
            Ok(())
        }
    }
}

/// What to reproduce, with what, where to.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How much work.
    pub scale: Scale,
    /// The root of the random streams.
    pub seed: u64,
    /// The data for the experiments that read any.
    pub data: DataChoice,
    /// Threads that compute cells, at least 1.
    pub jobs: usize,
    /// The folder that gets a folder for each experiment.
    pub out: PathBuf,
    /// Whether to compute again what is there already.
    pub force: bool,
}

impl Default for Settings {
    /// Quick scale, seed 0, embedded data, as many threads as the system offers, into `results`.
    fn default() -> Self {
        Settings {
            scale: Scale::Quick,
            seed: 0,
            data: DataChoice::default(),
            jobs: provenance::threads(),
            out: PathBuf::from("results"),
            force: false,
        }
    }
}

/// What one cell sees of the run. Each cell gets its own.
#[derive(Debug)]
pub struct Context<'a> {
    experiment: &'static str,
    uses_data: bool,
    scale: Scale,
    seed: u64,
    dataset: Option<&'a Dataset>,
    store: &'a Store,
    stop: &'a Stop,
    timings: RefCell<Vec<(String, f64)>>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        experiment: &dyn Experiment,
        settings: &'a Settings,
        dataset: Option<&'a Dataset>,
        store: &'a Store,
        stop: &'a Stop,
    ) -> Self {
        Context {
            experiment: experiment.id(),
            uses_data: experiment.uses_data(),
            scale: settings.scale,
            seed: settings.seed,
            dataset,
            store,
            stop,
            timings: RefCell::default(),
        }
    }

    /// The scale of the run.
    pub fn scale(&self) -> Scale {
        self.scale
    }

    /// The random stream of a cell: root, experiment, problem axes. Treatments share it, so that every one meets the
    /// same instances.
    pub fn seed(&self, cell: &Cell) -> Seed {
        Seed::root(self.seed).stream(self.experiment).stream(cell.key())
    }

    /// The random stream of a name that every experiment and cell of the run shares. Only for what
    /// [`Context::store`] keeps under an identity that names this stream.
    pub fn common_seed(&self, name: &str) -> Seed {
        Seed::root(self.seed).stream("common").stream(name)
    }

    /// The data of the run.
    ///
    /// # Errors
    /// When the experiment does not declare [`Experiment::uses_data`]: its results would be kept under an identity that
    /// does not name the data.
    pub fn data(&self) -> Result<&'a Dataset> {
        match self.dataset.filter(|_| self.uses_data) {
            Some(dataset) => Ok(dataset),
            None => Err(Error::argument(
                "data",
                format!(
                    "uses_data() to be true for an experiment that reads data ({})",
                    self.experiment
                ),
                "false",
            )),
        }
    }

    /// The store of this run, for results that are shared under an identity of one's own making; see
    /// [`Context::shared`] for the usual case.
    pub fn store(&self) -> &'a Store {
        self.store
    }

    /// A result that cells and experiments share: made once for each `kind`, `identity`, root seed and data set.
    ///
    /// `make` gets the random stream of that identity, which does not depend on the experiment. `identity` names every
    /// other parameter of the result. Data enter the identity for experiments that read any.
    ///
    /// # Errors
    /// As [`Store::produce_or_load`].
    pub fn shared(&self, kind: &str, identity: &str, make: impl FnOnce(&Seed) -> Result<Vec<u8>>) -> Result<Vec<u8>> {
        let seed = Seed::root(self.seed).stream("shared").stream(kind).stream(identity);
        let data = self.dataset.filter(|_| self.uses_data).map_or("-", Dataset::checksum);
        let full = format!("seed={} data={data} {identity}", self.seed);
        self.store.produce_or_load(kind, &full, || make(&seed))
    }

    /// Whether a stop was requested. A cell that takes more than seconds should ask now and then.
    pub fn interrupted(&self) -> bool {
        self.stop.requested()
    }

    /// Ends the cell once a stop was requested: `context.check()?` at the head of a long loop.
    ///
    /// # Errors
    /// [`Error::Interrupted`] then.
    pub fn check(&self) -> Result<()> {
        self.stop.check()
    }

    /// Records a measured time. It lands in `timings.csv`, never in the table.
    pub fn timing(&self, name: &str, seconds: f64) {
        self.timings.borrow_mut().push((name.to_string(), seconds));
    }

    /// Runs `work` and records how long it took.
    pub fn time<T>(&self, name: &str, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        self.timing(name, start.elapsed().as_secs_f64());
        result
    }

    pub(crate) fn into_timings(self) -> Vec<(String, f64)> {
        self.timings.into_inner()
    }
}

/// The data, loaded once, where one of the experiments reads them.
pub(crate) fn load_data(experiments: &[&dyn Experiment], choice: &DataChoice) -> Result<Option<Dataset>> {
    if experiments.iter().any(|e| e.uses_data()) {
        data::load(choice).map(Some)
    } else {
        Ok(None)
    }
}

/// Makes the output folder and proves that it can be written, before any work is spent.
pub(crate) fn require_writable(out: &std::path::Path) -> Result<()> {
    files::create_folder(out)?;
    let probe = out.join(".writable");
    files::write_atomic(&probe, b"")?;
    std::fs::remove_file(&probe).or_else(|e| match e.kind() {
        // Another process tried the same folder at the same moment.
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(Error::io(&probe, "remove", e)),
    })
}
