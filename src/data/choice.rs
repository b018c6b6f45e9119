//! What a user names as `--data`.

use super::dataset::Dataset;
use super::normalisation::Normalisation;
use super::sequences::{self, SequenceTask};
use super::{cifar, digits, idx, tabular};
use crate::error::{Error, Result};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A data set by name, or a folder that holds one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DataChoice {
    /// The embedded handwritten digits.
    #[default]
    Digits,
    /// Sentences made by the program.
    Sequences(SequenceTask),
    /// A folder with files in MNIST's IDX format, CIFAR-10's binary batches or NumPy arrays; or a `.csv` file.
    Folder(PathBuf),
}

/// Every data set that has a name of its own.
pub const NAMED: [&str; 4] = [
    "digits",
    SequenceTask::ALL[0].as_str(),
    SequenceTask::ALL[1].as_str(),
    SequenceTask::ALL[2].as_str(),
];

impl FromStr for DataChoice {
    type Err = Error;

    /// A known name, otherwise a path (`./digits` for a folder of a set's name); a bare word that is neither is a mistake.
    /// Whether a path is a folder with data, [`load`] finds out.
    fn from_str(word: &str) -> Result<Self> {
        if word == NAMED[0] {
            return Ok(DataChoice::Digits);
        }
        if let Ok(task) = word.parse() {
            return Ok(DataChoice::Sequences(task));
        }
        let path = Path::new(word);
        if path.exists() || word.contains(std::path::is_separator) {
            Ok(DataChoice::Folder(path.to_path_buf()))
        } else {
            Err(Error::unknown("data set (and no such folder)", word, NAMED))
        }
    }
}

impl fmt::Display for DataChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DataChoice::Digits => f.write_str(NAMED[0]),
            DataChoice::Sequences(task) => task.fmt(f),
            DataChoice::Folder(path) => path.display().fmt(f),
        }
    }
}

impl DataChoice {
    /// The scale that [`load`] gives: [`DEFAULT_NORMALISATION`], but tokens stay what they are.
    pub fn usual_normalisation(&self) -> Normalisation {
        match self {
            DataChoice::Sequences(_) => Normalisation::Raw,
            DataChoice::Digits | DataChoice::Folder(_) => DEFAULT_NORMALISATION,
        }
    }

    /// The checksum of the data as [`load`] gives them: it names their content, whatever their folder and packing.
    ///
    /// # Errors
    /// As [`load`]. Cost: that of loading.
    pub fn checksum(&self) -> Result<String> {
        Ok(load(self)?.checksum().to_string())
    }
}

/// The scale that [`load`] gives every data set of quantities.
///
/// Standardised inputs are centred, which training thanks for. Measured on the digits with layers of 100 and 50, batches
/// of 60 and five seeds: after 100 steps of SGD at 0.01, 0.05, 0.2 the mean test accuracy is 0.75, 0.93, 0.97, against
/// 0.44, 0.88, 0.95 from [`Normalisation::Unit`]; after 800 steps it is higher by 0.044, 0.015, 0.008, and with Adam by
/// 0.001 to 0.009. A pixel that is black in every image becomes a constant instead of a zero, so that no weight of the
/// first layer is without effect.
pub const DEFAULT_NORMALISATION: Normalisation = Normalisation::Standardised;

/// Loads a choice at its usual scale.
///
/// # Errors
/// As [`load_normalised`].
pub fn load(choice: &DataChoice) -> Result<Dataset> {
    load_normalised(choice, choice.usual_normalisation())
}

/// Loads a choice at a named scale.
///
/// # Errors
/// [`Error::Io`] for a path that is no readable folder; [`Error::Format`] for a folder in which no format is recognised,
/// listing the names looked for, and for damaged files.
pub fn load_normalised(choice: &DataChoice, normalisation: Normalisation) -> Result<Dataset> {
    match choice {
        DataChoice::Digits => digits::load(normalisation),
        DataChoice::Sequences(task) if normalisation == Normalisation::Raw => sequences::load(*task),
        DataChoice::Sequences(_) => Err(Error::argument("normalisation", "raw for tokens", normalisation)),
        DataChoice::Folder(path) if tabular::is_csv(path) => tabular::load_csv(path, normalisation),
        DataChoice::Folder(folder) => load_folder(folder, normalisation),
    }
}

fn load_folder(folder: &Path, normalisation: Normalisation) -> Result<Dataset> {
    // Listing gives the system's own reason: absent, not a folder, or not readable.
    std::fs::read_dir(folder).map_err(|reason| Error::io(folder, "read the folder", reason))?;
    if idx::is_present(folder) {
        idx::load_folder(folder, normalisation)
    } else if cifar::is_present(folder) {
        cifar::load_folder(folder, normalisation)
    } else if tabular::is_present(folder) {
        tabular::load_folder(folder, normalisation)
    } else {
        let names = [idx::file_names(), cifar::file_names()].concat();
        let arrays = tabular::ARRAYS.join(" with ");
        let expected = format!("any of {}, plain or with .gz, or {arrays}", names.join(", "));
        Err(Error::format(folder, "data files", expected, "none of them"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_reads_its_own_words_back() {
        for word in ["digits", "sequences:recall", "src/data"] {
            assert_eq!(word.parse::<DataChoice>().unwrap().to_string(), word);
        }
        assert_eq!("digits".parse::<DataChoice>().unwrap(), DataChoice::Digits);
        assert_eq!(DataChoice::default(), DataChoice::Digits);
    }

    #[test]
    fn a_mistyped_name_gets_a_suggestion_and_a_path_is_taken_for_a_folder() {
        let error = "digit".parse::<DataChoice>().unwrap_err();
        assert!(matches!(error, Error::Unknown { .. }));
        assert!(error.to_string().contains("did you mean 'digits'"), "{error}");
        for word in ["/no/such/folder", "Cargo.toml"] {
            assert_eq!(word.parse::<DataChoice>().unwrap(), DataChoice::Folder(word.into()));
        }
    }

    #[test]
    fn a_folder_that_has_gone_is_an_error_with_the_reason_of_the_system() {
        for path in ["/no/such/folder", "Cargo.toml"] {
            assert!(matches!(load(&DataChoice::Folder(path.into())), Err(Error::Io { .. })));
        }
    }

    #[test]
    fn a_folder_without_data_is_told_what_was_looked_for() {
        let folder = std::env::temp_dir().join(format!("ticketsense-choice-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let error = load(&DataChoice::Folder(folder.clone())).unwrap_err().to_string();
        for name in ["train-images-idx3-ubyte", "t10k-labels.idx1-ubyte", "test_batch.bin"] {
            assert!(error.contains(name), "{error}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_default_scale_is_recorded_in_the_data_set() {
        let set = load(&DataChoice::Digits).unwrap();
        assert_eq!(set.normalisation(), DEFAULT_NORMALISATION);
        assert!(set.describe().contains(DEFAULT_NORMALISATION.as_str()));
        assert_eq!(DataChoice::Digits.checksum().unwrap(), set.checksum());
    }
}
