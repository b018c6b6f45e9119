//! Part files: one finished cell each, bound to everything that made it.
//!
//! The first line holds SHA-256 over all that follows, the second the identity of the run, the third the cell and its
//! measured times as JSON, and the rest is the cell's rows as CSV. A part is used only when every line is right;
//! whatever is wrong with one, the cell is computed again.

use crate::error::{Error, Result};
use crate::files;
use crate::harness::provenance::Identity;
use crate::table::{Column, Row, Table};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What a cell came to.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    /// Its rows.
    pub rows: Vec<Row>,
    /// Seconds spent on it.
    pub seconds: f64,
    /// What the experiment timed in it, in order.
    pub timings: Vec<(String, f64)>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    cell: String,
    seconds: f64,
    timings: Vec<(String, f64)>,
}

/// The folder of part files of one run of one experiment.
#[derive(Debug)]
pub(crate) struct Parts {
    folder: PathBuf,
    identity: String,
    columns: &'static [Column],
}

const MAGIC: &str = "ticketsense-part ";

impl Parts {
    /// The parts of an experiment below an output folder.
    pub fn new(out: &Path, identity: &Identity, columns: &'static [Column]) -> Self {
        Parts {
            folder: out.join(".cells").join(&identity.experiment),
            identity: identity.line(),
            columns,
        }
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn path(&self, cell: &str) -> PathBuf {
        let name = files::sha256_hex(format!("{}\n{cell}", self.identity).as_bytes());
        self.folder.join(format!("{}.csv", &name[..32]))
    }

    /// The part of a cell, where an undamaged one of exactly this run exists.
    pub fn load(&self, cell: &str) -> Option<Finished> {
        let path = self.path(cell);
        let text = String::from_utf8(std::fs::read(&path).ok()?).ok()?;
        let (first, rest) = text.split_once('\n')?;
        if first.strip_prefix(MAGIC)? != files::sha256_hex(rest.as_bytes()) {
            return None;
        }
        let (identity, rest) = rest.split_once('\n')?;
        let (header, body) = rest.split_once('\n')?;
        let header: Header = serde_json::from_str(header).ok()?;
        if identity != self.identity || header.cell != cell {
            return None;
        }
        let table = Table::from_csv(&path, body, self.columns).ok()?;
        Some(Finished {
            rows: table.rows().to_vec(),
            seconds: header.seconds,
            timings: header.timings,
        })
    }

    /// Keeps a finished cell.
    ///
    /// # Errors
    /// [`Error::Shape`] when a row does not fit the columns, [`Error::Io`] when the file cannot be written.
    pub fn keep(&self, cell: &str, finished: &Finished) -> Result<()> {
        let body = Table::with_rows(self.columns, finished.rows.clone())?.to_csv();
        let header = serde_json::to_string(&Header {
            cell: cell.to_string(),
            seconds: finished.seconds,
            timings: finished.timings.clone(),
        })
        .map_err(|e| Error::numerical("writing the header of a part file", e.to_string()))?;
        let rest = format!("{}\n{header}\n{body}", self.identity);
        let file = format!("{MAGIC}{}\n{rest}", files::sha256_hex(rest.as_bytes()));
        files::write_atomic(self.path(cell), file.as_bytes())
    }
}

/// Removes what atomic writes of processes that no longer run left in a folder. Only where the system lists its
/// processes; elsewhere such files stay, and harm nothing.
pub(crate) fn remove_orphans(folder: &Path) -> Result<()> {
    if !Path::new("/proc/self").exists() {
        return Ok(());
    }
    for path in files::list_folder(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let owner = name
            .strip_prefix('.')
            .and_then(|n| n.strip_suffix(".part"))
            .and_then(|n| n.rsplit_once('.'))
            .and_then(|(_, numbers)| numbers.split_once('-'))
            .and_then(|(process, _)| process.parse::<u32>().ok());
        if owner.is_some_and(|process| !Path::new(&format!("/proc/{process}")).exists()) {
            // Somebody else may have been faster; either way it is gone.
            let _ = std::fs::remove_file(&path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row;

    const COLUMNS: &[Column] = &[Column::integer("n", "", "A count."), Column::real("x", "", "A number.")];

    fn parts(name: &str, seed: u64) -> Parts {
        let out = std::env::temp_dir().join(format!("ticketsense-parts-{name}-{}", std::process::id()));
        let identity = Identity {
            code_hash: "c".into(),
            experiment: "e".into(),
            scale: "smoke".into(),
            seed,
            data: None,
            columns: "n:integer,x:real".into(),
        };
        let parts = Parts::new(&out, &identity, COLUMNS);
        files::create_folder(parts.folder()).unwrap();
        parts
    }

    fn finished() -> Finished {
        Finished {
            rows: vec![row![1usize, 0.1 + 0.2], row![2usize, None::<f64>]],
            seconds: 0.25,
            timings: vec![("solve".into(), 0.125)],
        }
    }

    #[test]
    fn a_part_reads_back_as_it_was_and_only_for_its_own_cell_and_run() {
        let own = parts("own", 1);
        own.keep("a=1", &finished()).unwrap();
        let back = own.load("a=1").unwrap();
        assert_eq!(back.rows, finished().rows);
        assert_eq!((back.seconds, back.timings), (0.25, finished().timings));
        assert!(own.load("a=2").is_none());
        assert!(parts("own", 2).load("a=1").is_none());
        // The content is compared too, not the name of the file alone.
        std::fs::rename(own.path("a=1"), own.path("a=2")).unwrap();
        assert!(own.load("a=2").is_none());
        std::fs::remove_dir_all(own.folder().parent().unwrap().parent().unwrap()).unwrap();
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let own = parts("damage", 1);
        own.keep("a=1", &finished()).unwrap();
        let whole = files::read(own.path("a=1")).unwrap();
        for position in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[position] ^= 1;
            std::fs::write(own.path("a=1"), flipped).unwrap();
            assert!(own.load("a=1").is_none(), "bit of byte {position}");
            std::fs::write(own.path("a=1"), &whole[..position]).unwrap();
            assert!(own.load("a=1").is_none(), "cut at {position}");
        }
        std::fs::remove_dir_all(own.folder().parent().unwrap().parent().unwrap()).unwrap();
    }

    #[test]
    fn leftovers_of_dead_processes_are_removed_and_those_of_living_ones_are_not() {
        let own = parts("orphans", 1);
        let mine = own.folder().join(format!(".table.csv.{}-0.part", std::process::id()));
        // Linux numbers processes below 2^22.
        let dead = own.folder().join(".table.csv.4194999-0.part");
        std::fs::write(&mine, "").unwrap();
        std::fs::write(&dead, "").unwrap();
        remove_orphans(own.folder()).unwrap();
        assert!(mine.exists());
        assert_eq!(dead.exists(), !Path::new("/proc/self").exists());
        std::fs::remove_dir_all(own.folder().parent().unwrap().parent().unwrap()).unwrap();
    }
}
