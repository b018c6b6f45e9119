//! What stands in the folder of an experiment: `table.csv`, and everything that is read off it.

use crate::error::{Error, Result};
use crate::files;
use crate::harness::experiment::Experiment;
use crate::harness::figures::{self, Figure};
use crate::harness::provenance::{Build, Host, Identity, MANIFEST, Manifest, SCHEMA_VERSION};
use crate::harness::report::{Judged, judge, verdicts_json};
use crate::table::{Column, Row, Table, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// The table of results.
pub(crate) const TABLE: &str = "table.csv";
const VERDICTS: &str = "verdicts.json";
const SVG: &str = "figure.svg";
const PNG: &str = "figure.png";
const TIMINGS: &str = "timings.csv";
const TIMINGS_SVG: &str = "timings.svg";
const TIMINGS_PNG: &str = "timings.png";

const TIMING_COLUMNS: &[Column] = &[
    Column::text("cell", "The cell that was timed."),
    Column::text("name", "What was timed in it."),
    Column::real("seconds", "s", "Wall-clock time."),
];

/// What is known about a table that was found in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableState {
    /// Its manifest is complete and of this build.
    Current,
    /// Its manifest is complete, of another build of the code.
    OtherCode,
    /// It was changed after its manifest was written.
    Altered,
    /// There is no readable manifest: the run did not finish.
    Unfinished,
}

impl TableState {
    /// The word in reports and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            TableState::Current => "current",
            TableState::OtherCode => "other-code",
            TableState::Altered => "altered",
            TableState::Unfinished => "unfinished",
        }
    }
}

/// The table of an experiment below a folder of results, and what its manifest says about it; nothing where there is no
/// table.
///
/// # Errors
/// [`Error::Io`], or [`Error::Format`] when the file is not this experiment's table.
pub fn read_table(experiment: &dyn Experiment, results: &Path) -> Result<Option<(Table, TableState)>> {
    let folder = results.join(experiment.id());
    let path = folder.join(TABLE);
    if !path.exists() {
        return Ok(None);
    }
    let table = Table::from_csv(&path, &files::read_text(&path)?, experiment.columns())?;
    let state = match Manifest::read(&folder) {
        Ok(Some(manifest)) if manifest.altered_outputs(&folder).contains(&TABLE) => TableState::Altered,
        Ok(Some(manifest)) if manifest.identity.code_hash == Build::this().code_hash => TableState::Current,
        Ok(Some(_)) => TableState::OtherCode,
        Ok(None) | Err(_) => TableState::Unfinished,
    };
    Ok(Some((table, state)))
}

/// Whether everything of exactly this run stands in the folder, unaltered.
pub(crate) fn is_up_to_date(folder: &Path, identity: &Identity) -> bool {
    match Manifest::read(folder) {
        Ok(Some(manifest)) => {
            manifest.identity == *identity
                && [TABLE, VERDICTS, SVG, PNG]
                    .iter()
                    .all(|name| manifest.outputs.contains_key(*name))
                && manifest.altered_outputs(folder).is_empty()
        }
        // A manifest that cannot be read marks nothing as complete.
        Ok(None) | Err(_) => false,
    }
}

/// Verdicts and figure of a table.
struct Reading {
    judged: Vec<Judged>,
    verdicts: String,
    svg: String,
    png: Vec<u8>,
}

fn read_off(experiment: &dyn Experiment, table: &Table) -> Result<Reading> {
    let judged = judge(experiment, table)?;
    let draw = || captioned(experiment.draw(table)?, experiment, &judged).to_svg();
    let svg = draw().map_err(|e| Error::numerical(format!("figure of {}", experiment.id()), e.to_string()))?;
    Ok(Reading {
        verdicts: verdicts_json(experiment.id(), &judged)?,
        png: figures::svg_to_png(&svg)?,
        svg,
        judged,
    })
}

/// Gives a figure the experiment's question as title where it has none of its own, and a caption paragraph for each
/// claim: the sentence itself while they are few, its name otherwise.
fn captioned(figure: Figure, experiment: &dyn Experiment, judged: &[Judged]) -> Figure {
    const FEW: usize = 4;
    let titled = figure.default_title(experiment.question());
    judged.iter().fold(titled, |figure, j| {
        let claim = if judged.len() <= FEW {
            j.claim.statement
        } else {
            j.claim.name
        };
        figure.verdict(&format!("{} {claim}", j.claim.id), &j.words(), &j.verdict.evidence)
    })
}

/// A finished run, ready to be written.
pub(crate) struct Completed<'a> {
    pub experiment: &'a dyn Experiment,
    pub identity: Identity,
    pub cells: usize,
    pub rows: Vec<Row>,
    /// Cell, name, seconds.
    pub timings: Vec<(String, String, f64)>,
    pub host: Host,
}

/// Writes all outputs of a finished run, the manifest last.
pub(crate) fn write_outputs(folder: &Path, completed: Completed<'_>) -> Result<Vec<Judged>> {
    let Completed {
        experiment,
        identity,
        cells,
        rows,
        timings,
        host,
    } = completed;
    files::create_folder(folder)?;
    // From here until the new manifest stands, nothing claims that the folder is complete.
    remove_if_present(&folder.join(MANIFEST))?;
    let csv = Table::with_rows(experiment.columns(), rows)?.to_csv();
    let mut outputs = BTreeMap::new();
    let mut write = |name: &str, content: &[u8]| -> Result<()> {
        outputs.insert(name.to_string(), files::sha256_hex(content));
        files::write_atomic(folder.join(name), content)
    };
    write(TABLE, csv.as_bytes())?;
    // Times differ from run to run: their table and figure stand apart from those that a verdict is read off.
    for name in [TIMINGS, TIMINGS_SVG, TIMINGS_PNG] {
        remove_if_present(&folder.join(name))?;
    }
    if !timings.is_empty() {
        let rows = timings
            .into_iter()
            .map(|(cell, name, seconds)| Row(vec![Value::Text(cell), Value::Text(name), Value::Real(seconds)]))
            .collect();
        let times = Table::with_rows(TIMING_COLUMNS, rows)?;
        write(TIMINGS, times.to_csv().as_bytes())?;
        if let Some(figure) = experiment.draw_timings(&times)? {
            let svg = figure.default_title(experiment.question()).to_svg()?;
            write(TIMINGS_PNG, &figures::svg_to_png(&svg)?)?;
            write(TIMINGS_SVG, svg.as_bytes())?;
        }
    }
    // Read back from the text, so that figure and verdicts see exactly what a later reader of the file sees.
    let table = Table::from_csv(folder.join(TABLE), &csv, experiment.columns())?;
    let reading = read_off(experiment, &table)?;
    write(VERDICTS, reading.verdicts.as_bytes())?;
    write(SVG, reading.svg.as_bytes())?;
    write(PNG, &reading.png)?;
    let manifest = Manifest {
        schema_version: SCHEMA_VERSION,
        identity,
        build: Build::this(),
        cells,
        host,
        redrawn_by: None,
        outputs,
    };
    manifest.write(folder)?;
    Ok(reading.judged)
}

/// Draws and judges again from `FROM/<id>/table.csv` into `OUT/<id>/`; computes nothing.
///
/// Where `OUT` is `FROM`, the manifest's checksums of figure and verdicts follow, and it names the build that drew; the
/// identity stays that of the build that computed the table.
///
/// # Errors
/// [`Error::Io`] when there is no table or the outputs cannot be written; those of drawing and judging.
pub fn draw(experiment: &dyn Experiment, from: &Path, out: &Path) -> Result<Vec<Judged>> {
    let path = from.join(experiment.id()).join(TABLE);
    let missing = || Error::io(&path, "read", std::io::ErrorKind::NotFound.into());
    let (table, _) = read_table(experiment, from)?.ok_or_else(missing)?;
    let reading = read_off(experiment, &table)?;
    let folder = out.join(experiment.id());
    files::create_folder(&folder)?;
    let drawn: [(&str, &[u8]); 3] = [
        (VERDICTS, reading.verdicts.as_bytes()),
        (SVG, reading.svg.as_bytes()),
        (PNG, &reading.png),
    ];
    for (name, content) in drawn {
        files::write_atomic(folder.join(name), content)?;
    }
    let in_place = std::fs::canonicalize(from).ok() == std::fs::canonicalize(out).ok();
    if in_place && let Some(mut manifest) = Manifest::read(&folder)? {
        let before = manifest.outputs.clone();
        for (name, content) in drawn {
            manifest.outputs.insert(name.to_string(), files::sha256_hex(content));
        }
        if manifest.outputs != before {
            manifest.redrawn_by = Some(Build::this());
            manifest.write(&folder)?;
        }
    }
    Ok(reading.judged)
}

fn remove_if_present(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path, "remove", e)),
        _ => Ok(()),
    }
}
