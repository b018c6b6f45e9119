//! What binds a result to everything that made it: the identity of a run, the build, and the manifest.

use crate::data::{DataChoice, Dataset};
use crate::error::{Error, Result};
use crate::files;
use crate::harness::experiment::{Experiment, Scale};
use crate::table::{Column, Kind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// The layout of manifests and part files; another number means another layout.
pub(crate) const SCHEMA_VERSION: u32 = 1;

/// Everything that decides the table of an experiment. Two equal identities mean the same bytes, on one type of
/// processor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// SHA-256 over the sources, the locked dependencies and the enabled features.
    pub code_hash: String,
    /// The experiment's id.
    pub experiment: String,
    /// The scale, as a word.
    pub scale: String,
    /// The root of the random streams.
    pub seed: u64,
    /// The data, where the experiment reads any: the name of the set or folder. Only the checksum is compared.
    pub data: Option<DataIdentity>,
    /// The columns of the table, `name:kind` joined by commas.
    pub columns: String,
}

/// Which data were read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DataIdentity {
    /// The name of the set, or the folder as the user gave it.
    pub name: String,
    /// SHA-256 of the content.
    pub sha256: String,
}

impl PartialEq for DataIdentity {
    /// Data are the same when their content is; a folder may have moved.
    fn eq(&self, other: &Self) -> bool {
        self.sha256 == other.sha256
    }
}

impl Eq for DataIdentity {}

impl Identity {
    /// The identity of an experiment of this build; `dataset` is what `choice` loads.
    pub(crate) fn new(
        experiment: &dyn Experiment,
        scale: Scale,
        seed: u64,
        choice: &DataChoice,
        dataset: Option<&Dataset>,
    ) -> Self {
        Identity {
            code_hash: Build::this().code_hash,
            experiment: experiment.id().to_string(),
            scale: scale.to_string(),
            seed,
            data: dataset.filter(|_| experiment.uses_data()).map(|dataset| DataIdentity {
                name: choice.to_string(),
                sha256: dataset.checksum().to_string(),
            }),
            columns: describe_columns(experiment.columns()),
        }
    }

    /// The parts that are compared, in one unambiguous line.
    pub(crate) fn line(&self) -> String {
        let data = self.data.as_ref().map_or("-", |d| d.sha256.as_str());
        format!(
            "v{SCHEMA_VERSION} code={} experiment={} scale={} seed={} data={data} columns={}",
            self.code_hash, self.experiment, self.scale, self.seed, self.columns
        )
    }
}

fn describe_columns(columns: &[Column]) -> String {
    let kind = |kind| match kind {
        Kind::Integer => "integer",
        Kind::Real => "real",
        Kind::Text => "text",
    };
    let parts: Vec<String> = columns.iter().map(|c| format!("{}:{}", c.name, kind(c.kind))).collect();
    parts.join(",")
}

/// The build of this program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// The version of the crate.
    pub version: String,
    /// SHA-256 over the sources, the locked dependencies and the enabled features.
    pub code_hash: String,
    /// The git revision of the sources, ending in `-modified` where they differ from it; nothing for a source archive.
    pub git_revision: Option<String>,
    /// The compiler.
    pub rustc: String,
    /// The target triple.
    pub target: String,
    /// The enabled features, joined by commas.
    pub features: String,
}

impl Build {
    /// The build that is running.
    pub fn this() -> Self {
        let revision = env!("TICKETSENSE_GIT_REVISION");
        Build {
            version: env!("CARGO_PKG_VERSION").to_string(),
            code_hash: env!("TICKETSENSE_CODE_HASH").to_string(),
            git_revision: (!revision.is_empty()).then(|| revision.to_string()),
            rustc: env!("TICKETSENSE_RUSTC").to_string(),
            target: env!("TICKETSENSE_TARGET").to_string(),
            features: env!("TICKETSENSE_FEATURES").to_string(),
        }
    }
}

/// Where and how long a run took: the only place where time, host and number of jobs stand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// The processor as the system names it.
    pub processor: String,
    /// Threads that the system offers.
    pub threads: usize,
    /// Threads that were used.
    pub jobs: usize,
    /// Seconds from the first cell of the run that completed the experiment to its figure.
    pub wall_seconds: f64,
    /// Seconds spent in cells, over all runs that contributed.
    pub cell_seconds: f64,
    /// When the experiment was completed, in Coordinated Universal Time.
    pub finished: String,
}

/// What stands beside the outputs of a completed experiment. It is written last: where it stands and its checksums are
/// right, nothing is missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The layout of this file.
    pub schema_version: u32,
    /// What was computed.
    pub identity: Identity,
    /// By which program.
    pub build: Build,
    /// How many cells the table consists of.
    pub cells: usize,
    /// Where and how long.
    pub host: Host,
    /// The build that drew figure and verdicts again from the table, where that was done later.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub redrawn_by: Option<Build>,
    /// SHA-256 of every output, by file name.
    pub outputs: BTreeMap<String, String>,
}

/// The file name of a manifest.
pub(crate) const MANIFEST: &str = "manifest.json";

impl Manifest {
    /// Reads the manifest of a folder, or nothing where there is none.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Format`] when it is damaged or of another layout.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(MANIFEST);
        if !path.exists() {
            return Ok(None);
        }
        let text = files::read_text(&path)?;
        let manifest: Manifest =
            serde_json::from_str(&text).map_err(|e| Error::format(&path, "manifest", "the fields of a manifest", e))?;
        if manifest.schema_version == SCHEMA_VERSION {
            Ok(Some(manifest))
        } else {
            Err(Error::format(
                &path,
                "schema_version",
                SCHEMA_VERSION,
                manifest.schema_version,
            ))
        }
    }

    /// Writes the manifest into a folder.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        files::write_atomic(folder.join(MANIFEST), to_pretty_json(self)?.as_bytes())
    }

    /// The outputs whose file is missing or has another content than the manifest says.
    pub fn altered_outputs(&self, folder: &Path) -> Vec<&str> {
        let unaltered = |name: &str, checksum: &str| {
            std::fs::read(folder.join(name)).is_ok_and(|content| files::sha256_hex(&content) == checksum)
        };
        self.outputs
            .iter()
            .filter(|(name, checksum)| !unaltered(name, checksum))
            .map(|(name, _)| name.as_str())
            .collect()
    }
}

/// JSON over several lines, with a newline at the end.
pub(crate) fn to_pretty_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string_pretty(value)
        .map(|text| text + "\n")
        .map_err(|e| Error::numerical("writing JSON", e.to_string()))
}

impl Host {
    /// This machine.
    pub(crate) fn this(jobs: usize, wall_seconds: f64, cell_seconds: f64) -> Self {
        Host {
            processor: processor(),
            threads: threads(),
            jobs,
            wall_seconds,
            cell_seconds,
            finished: utc(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())),
        }
    }
}

/// The number of threads that the system offers to this process.
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn processor() -> String {
    let model = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_string())
    });
    model
        .or_else(|| std::env::var("PROCESSOR_IDENTIFIER").ok())
        .unwrap_or_else(|| std::env::consts::ARCH.to_string())
}

/// Seconds since 1970 as `2024-02-29T12:00:00Z`, in the proleptic Gregorian calendar.
fn utc(seconds: u64) -> String {
    let (mut days, rest) = (seconds / 86_400, seconds % 86_400);
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!(
        "{year:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z",
        month + 1,
        days + 1
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_calendar_dates() {
        // Golden values from `date -u -d @N +%FT%TZ`.
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(utc(1_709_210_096), "2024-02-29T12:34:56Z");
        assert_eq!(utc(4_107_542_399), "2100-02-28T23:59:59Z");
        assert_eq!(utc(4_107_542_400), "2100-03-01T00:00:00Z");
    }

    #[test]
    fn the_build_names_a_code_hash_and_a_compiler() {
        let build = Build::this();
        assert_eq!(build.code_hash.len(), 64);
        assert!(build.rustc.starts_with("rustc "), "{}", build.rustc);
        assert!(build.target.contains('-'));
    }
}
