//! The one error type: what was asked, what was expected, what was found.
//!
//! How an iteration *ended* is never an error, it is a [`crate::outcome::Status`].
//! An [`Error`] means that the question could not be answered at all.

use std::path::{Path, PathBuf};

/// The result of everything in this crate that can be refused.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a question could not be answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument outside its domain: a negative penalty, a density of 1.2, an order above the dimension.
    #[error("{name}: expected {expected}, got {got}")]
    Argument {
        /// The argument, by the name its user knows.
        name: String,
        /// Its domain in words.
        expected: String,
        /// What was passed.
        got: String,
    },
    /// A name that is not on its list.
    #[error("unknown {kind} '{name}'{}; known: {}", suggestion(nearest), known.join(", "))]
    Unknown {
        /// What kind of thing was asked for.
        kind: &'static str,
        /// The name as given.
        name: String,
        /// The nearest known name, when one is near.
        nearest: Option<String>,
        /// Every known name.
        known: Vec<String>,
    },
    /// Two sizes that must agree do not.
    #[error("{what}: expected {expected}, got {got}")]
    Shape {
        /// The array or pair of arrays.
        what: String,
        /// The shape that would fit.
        expected: String,
        /// The shape found.
        got: String,
    },
    /// A NaN or an infinity where a finite number is needed.
    #[error("{what}: entry {index} is {value}; every entry must be finite")]
    NotFinite {
        /// The array.
        what: String,
        /// Position of the first such entry, counted from zero in memory order.
        index: usize,
        /// The entry.
        value: f64,
    },
    /// The operating system refused a file operation.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operation, as a verb phrase.
        action: &'static str,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A file whose content is not what its format promises.
    #[error("{}: {field}: expected {expected}, got {got}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The field or place in the file.
        field: String,
        /// What the format asks for.
        expected: String,
        /// What stands there.
        got: String,
    },
    /// A map that is called symmetric and is not.
    #[error("map: expected symmetric, got ⟨u, Av⟩ and ⟨Au, v⟩ {difference:e} apart, beyond {tolerance:e} of rounding")]
    Asymmetric {
        /// `|⟨u, A v⟩ − ⟨A u, v⟩|` for two random directions.
        difference: f64,
        /// What rounding explains.
        tolerance: f64,
    },
    /// A computation that broke down for numerical reasons that its input explains.
    #[error("{what}: {why}")]
    Numerical {
        /// The computation.
        what: String,
        /// The reason.
        why: String,
    },
    /// A cell of an experiment that could not be computed.
    #[error("{experiment}, cell '{cell}': {source}")]
    Cell {
        /// The experiment's id.
        experiment: String,
        /// The cell's id.
        cell: String,
        /// Why.
        source: Box<Error>,
    },
    /// The run was interrupted; what was finished is kept.
    #[error("interrupted; finished work is kept")]
    Interrupted,
}

fn suggestion(nearest: &Option<String>) -> String {
    match nearest {
        Some(name) => format!(" (did you mean '{name}'?)"),
        None => String::new(),
    }
}

impl Error {
    /// An argument outside its domain.
    pub fn argument(name: impl Into<String>, expected: impl Into<String>, got: impl ToString) -> Self {
        Error::Argument {
            name: name.into(),
            expected: expected.into(),
            got: got.to_string(),
        }
    }

    /// A shape that does not fit.
    pub fn shape(what: impl Into<String>, expected: impl ToString, got: impl ToString) -> Self {
        Error::Shape {
            what: what.into(),
            expected: expected.to_string(),
            got: got.to_string(),
        }
    }

    /// A file operation refused by the system.
    pub fn io(path: impl AsRef<Path>, action: &'static str, source: std::io::Error) -> Self {
        Error::Io {
            path: path.as_ref().to_path_buf(),
            action,
            source,
        }
    }

    /// A file that breaks its format.
    pub fn format(
        path: impl AsRef<Path>,
        field: impl Into<String>,
        expected: impl ToString,
        got: impl ToString,
    ) -> Self {
        Error::Format {
            path: path.as_ref().to_path_buf(),
            field: field.into(),
            expected: expected.to_string(),
            got: got.to_string(),
        }
    }

    /// A numerical breakdown.
    pub fn numerical(what: impl Into<String>, why: impl Into<String>) -> Self {
        Error::Numerical {
            what: what.into(),
            why: why.into(),
        }
    }

    /// An unknown name, with the nearest known one where the edit distance is at most a third of its length (and at
    /// least 1).
    ///
    /// ```
    /// let error = ticketsense::Error::unknown("preset", "lenet-300-10", ["lenet-300-100", "mlp:A-B"]);
    /// assert!(error.to_string().contains("did you mean 'lenet-300-100'"));
    /// ```
    pub fn unknown<S: AsRef<str>>(kind: &'static str, name: &str, known: impl IntoIterator<Item = S>) -> Self {
        let known: Vec<String> = known.into_iter().map(|s| s.as_ref().to_string()).collect();
        let nearest = known
            .iter()
            .map(|candidate| (edit_distance(name, candidate), candidate))
            .min_by_key(|(distance, _)| *distance)
            .filter(|(distance, candidate)| *distance <= (candidate.chars().count() / 3).max(1))
            .map(|(_, candidate)| candidate.clone());
        Error::Unknown {
            kind,
            name: name.to_string(),
            nearest,
            known,
        }
    }
}

/// Refuses the first entry of `values` that is not finite.
///
/// # Errors
/// [`Error::NotFinite`] naming `what` and the entry.
pub fn require_finite(what: &str, values: &[f64]) -> Result<()> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(index) => Err(Error::NotFinite {
            what: what.to_string(),
            index,
            value: values[index],
        }),
    }
}

/// Levenshtein distance over characters: insertions, deletions and substitutions each cost 1.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edit_distance_of_kitten_and_sitting_is_three() {
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("same", "same"), 0);
    }

    #[test]
    fn a_far_name_gets_no_suggestion_and_a_near_one_does() {
        let far = Error::unknown("solver", "zzzzzzz", ["omp", "lasso"]).to_string();
        assert!(!far.contains("did you mean"), "{far}");
        let near = Error::unknown("solver", "laso", ["omp", "lasso"]).to_string();
        assert!(near.contains("did you mean 'lasso'"), "{near}");
    }

    #[test]
    fn the_first_entry_that_is_not_finite_is_named() {
        let error = require_finite("matrix", &[1.0, f64::NAN, f64::INFINITY]).unwrap_err();
        assert!(matches!(error, Error::NotFinite { index: 1, .. }));
    }
}
