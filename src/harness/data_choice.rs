//! Which data a run reads: a set that comes with the program, or a folder of files.

use crate::error::{Error, Result};
use crate::files;
use sha2::{Digest, Sha256};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The sets that come with the program.
pub const NAMED_SETS: &[&str] = &["digits"];

/// The data that experiments read.
///
/// ```
/// use ticketsense::harness::DataChoice;
/// assert_eq!("digits".parse::<DataChoice>()?, DataChoice::Named("digits".into()));
/// assert!("digts".parse::<DataChoice>().unwrap_err().to_string().contains("did you mean 'digits'"));
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DataChoice {
    /// A set that comes with the program.
    Named(String),
    /// A folder of files in one of the formats that the program reads.
    Folder(PathBuf),
}

impl Default for DataChoice {
    fn default() -> Self {
        DataChoice::Named(NAMED_SETS[0].to_string())
    }
}

impl FromStr for DataChoice {
    type Err = Error;

    /// A known name, otherwise an existing folder (`./digits` for a folder of a set's name).
    fn from_str(word: &str) -> Result<Self> {
        if NAMED_SETS.contains(&word) {
            return Ok(DataChoice::Named(word.to_string()));
        }
        let path = Path::new(word);
        if path.is_dir() {
            Ok(DataChoice::Folder(path.to_path_buf()))
        } else if path.exists() || word.contains(std::path::is_separator) {
            Err(Error::argument("data", "the name of a set or an existing folder", word))
        } else {
            Err(Error::unknown("data set, and no folder,", word, NAMED_SETS))
        }
    }
}

impl fmt::Display for DataChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DataChoice::Named(name) => f.write_str(name),
            DataChoice::Folder(path) => path.display().fmt(f),
        }
    }
}

impl DataChoice {
    /// SHA-256 that changes when the data change: over the relative paths and contents of all files of a folder, or over
    /// the name of a set, whose content is compiled in and so belongs to the code hash.
    ///
    /// # Errors
    /// [`Error::Io`] when a file cannot be read.
    pub fn checksum(&self) -> Result<String> {
        let mut hash = Sha256::new();
        match self {
            DataChoice::Named(name) => hash.update(name),
            DataChoice::Folder(root) => hash_folder(root, "", &mut hash)?,
        }
        Ok(files::hex(&hash.finalize()))
    }
}

fn hash_folder(folder: &Path, prefix: &str, hash: &mut Sha256) -> Result<()> {
    for path in files::list_folder(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{prefix}/{name}");
        if path.is_dir() {
            hash_folder(&path, &name, hash)?;
        } else {
            let content = files::read(&path)?;
            hash.update((name.len() as u64).to_le_bytes());
            hash.update(&name);
            hash.update((content.len() as u64).to_le_bytes());
            hash.update(&content);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_of_a_folder_follows_names_and_contents() {
        let root = std::env::temp_dir().join(format!("ticketsense-choice-{}", std::process::id()));
        files::create_folder(root.join("inner")).unwrap();
        files::write_atomic(root.join("inner/a"), b"1").unwrap();
        let choice: DataChoice = root.to_str().unwrap().parse().unwrap();
        let first = choice.checksum().unwrap();
        assert_eq!(choice.checksum().unwrap(), first);
        files::write_atomic(root.join("inner/a"), b"2").unwrap();
        let second = choice.checksum().unwrap();
        assert_ne!(first, second);
        std::fs::rename(root.join("inner/a"), root.join("inner/b")).unwrap();
        assert_ne!(choice.checksum().unwrap(), second);
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn an_absent_folder_is_refused() {
        assert!("/nonexistent/folder".parse::<DataChoice>().is_err());
    }
}
