//! What a solver tells of itself: its name, its options and how it is built from them.

use super::{Groups, Penalty, Solver};
use crate::data::npy;
use crate::error::{Error, Result};
use std::collections::BTreeMap;

/// What an option takes.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum OptionKind {
    /// A whole number, at least this.
    Integer {
        /// Smallest admissible value.
        least: usize,
    },
    /// A real number in `[least, below)`.
    Real {
        /// Smallest admissible value.
        least: f64,
        /// The values stay below this; infinity where there is no bound but finiteness.
        below: f64,
    },
    /// Nothing: the option is given or not.
    Flag,
    /// Numbers, each at least this, given as the path of a one-dimensional `.npy` file.
    Vector {
        /// Smallest admissible entry; minus infinity where there is no bound but finiteness.
        least: f64,
        /// Whether the entries must be whole numbers.
        whole: bool,
    },
}

/// An option of a solver.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SolverOption {
    /// Name, as after `--`.
    pub name: &'static str,
    /// What it takes.
    pub kind: OptionKind,
    /// Unit, or what the number is relative to.
    pub unit: &'static str,
    /// The value when it is not given, in words.
    pub default: &'static str,
    /// One sentence.
    pub help: &'static str,
}

impl SolverOption {
    /// The domain in words.
    pub fn range(&self) -> String {
        match self.kind {
            OptionKind::Integer { least } => format!("a whole number ≥ {least}"),
            OptionKind::Real { least, below } if below.is_infinite() => format!("a finite number ≥ {least}"),
            OptionKind::Real { least, below } => format!("a number in [{least}, {below})"),
            OptionKind::Flag => "given or not".to_string(),
            OptionKind::Vector { least, whole } => {
                let entries = if whole { "whole numbers" } else { "finite numbers" };
                let bound = if least.is_finite() {
                    format!(" ≥ {least}")
                } else {
                    String::new()
                };
                format!("a one-dimensional .npy file of {entries}{bound}")
            }
        }
    }

    /// The numbers in the file that a vector option names.
    fn read(&self, path: &str, least: f64, whole: bool) -> Result<Vec<f64>> {
        let numbers = npy::read_vector(path)?;
        let admissible = |v: &f64| *v >= least && (!whole || (v.fract() == 0.0 && *v <= WHOLE));
        match numbers.iter().position(|v| !admissible(v)) {
            None => Ok(numbers),
            Some(i) => Err(Error::argument(
                self.name,
                self.range(),
                format!("{} at entry {i} of {path}", numbers[i]),
            )),
        }
    }

    fn parse(&self, text: &str) -> Result<Given> {
        if let OptionKind::Vector { least, whole } = self.kind {
            return Ok(Given::Numbers(self.read(text, least, whole)?));
        }
        self.number(text).map(Given::Number)
    }

    fn number(&self, text: &str) -> Result<f64> {
        let refuse = || Error::argument(self.name, self.range(), text);
        match self.kind {
            OptionKind::Integer { least } => {
                let value: usize = text.parse().map_err(|_| refuse())?;
                // Whole numbers travel as f64, which holds every count of columns that fits in memory.
                if value >= least && value as f64 <= WHOLE {
                    Ok(value as f64)
                } else {
                    Err(refuse())
                }
            }
            OptionKind::Real { least, below } => {
                let value: f64 = text.parse().map_err(|_| refuse())?;
                if value >= least && value < below {
                    Ok(value)
                } else {
                    Err(refuse())
                }
            }
            OptionKind::Flag => text
                .parse::<bool>()
                .map(|b| f64::from(u8::from(b)))
                .map_err(|_| refuse()),
            OptionKind::Vector { .. } => Err(refuse()),
        }
    }
}

/// Up to here every whole number is an `f64`.
const WHOLE: f64 = (1u64 << 53) as f64;

#[derive(Clone, Debug, PartialEq)]
enum Given {
    Number(f64),
    Numbers(Vec<f64>),
}

/// Options of one solver, parsed and within their ranges.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptionValues {
    values: BTreeMap<&'static str, Given>,
}

impl OptionValues {
    pub(super) fn real(&self, name: &str) -> Option<f64> {
        match self.values.get(name) {
            Some(Given::Number(value)) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn vector(&self, name: &str) -> Option<Vec<f64>> {
        match self.values.get(name) {
            Some(Given::Numbers(values)) => Some(values.clone()),
            _ => None,
        }
    }

    /// The one of `lambda` and `lambda-ratio` that is given.
    pub(super) fn penalty(&self) -> Result<Penalty> {
        match (self.real("lambda"), self.real("lambda-ratio")) {
            (Some(lambda), None) => Ok(Penalty::Absolute(lambda)),
            (None, Some(ratio)) => Ok(Penalty::RatioOfMax(ratio)),
            (None, None) => Err(Error::argument("lambda", "a value, or one for lambda-ratio", "none")),
            (Some(_), Some(_)) => Err(Error::argument("lambda", "lambda or lambda-ratio", "both")),
        }
    }

    /// Budgets for groups of columns, where both their options are given.
    pub(super) fn groups(&self) -> Result<Option<Groups>> {
        let whole = |v: Vec<f64>| v.into_iter().map(|v| v as usize).collect();
        match (self.vector("groups"), self.vector("budgets")) {
            (None, None) => Ok(None),
            (Some(of_column), Some(budgets)) => Groups::new(whole(of_column), whole(budgets)).map(Some),
            (Some(_), None) => Err(Error::argument("budgets", "a file, with groups", "none")),
            (None, Some(_)) => Err(Error::argument("groups", "a file, with budgets", "none")),
        }
    }

    pub(super) fn integer(&self, name: &str) -> Option<usize> {
        self.real(name).map(|v| v as usize)
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.real(name).is_some_and(|v| v != 0.0)
    }

    pub(super) fn required(&self, name: &str) -> Result<usize> {
        self.integer(name)
            .ok_or_else(|| Error::argument(name, "a value: this solver needs one", "none"))
    }
}

/// One solver of the list.
#[derive(Clone, Copy, Debug)]
pub struct SolverEntry {
    /// Its name.
    pub name: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// Its options.
    pub options: &'static [SolverOption],
    /// Options with which it recovers a vector of so many nonzeros from good measurements without noise.
    pub for_planted: fn(usize) -> Vec<(&'static str, String)>,
    pub(super) builder: fn(&OptionValues) -> Result<Box<dyn Solver>>,
}

impl SolverEntry {
    /// The solver with options given as text, by name; a flag takes `true` or `false`, a vector the path of its file.
    ///
    /// ```
    /// let entry = ticketsense::recovery::find("lasso")?;
    /// let solver = entry.build([("lambda-ratio", "0.1")])?;
    /// assert_eq!(solver.name(), "lasso");
    /// assert!(entry.build([("max-support", "3")]).is_err());
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Argument`] for an option that this solver does not take or that is given twice, for a value outside its
    /// range, and for a missing one without default; a vector's file that cannot be read, as [`npy::read_vector`].
    pub fn build<'t>(&self, options: impl IntoIterator<Item = (&'t str, &'t str)>) -> Result<Box<dyn Solver>> {
        let mut values = OptionValues::default();
        for (name, text) in options {
            let option = self.options.iter().find(|o| o.name == name).ok_or_else(|| {
                let known: Vec<&str> = self.options.iter().map(|o| o.name).collect();
                Error::argument(
                    name,
                    format!("an option of solver '{}' ({})", self.name, known.join(", ")),
                    text,
                )
            })?;
            if values.values.insert(option.name, option.parse(text)?).is_some() {
                return Err(Error::argument(name, "at most one value", text));
            }
        }
        (self.builder)(&values)
    }
}

pub(super) const TOLERANCE: OptionKind = OptionKind::Real { least: 0.0, below: 1.0 };
pub(super) const NOT_NEGATIVE: OptionKind = OptionKind::Real {
    least: 0.0,
    below: f64::INFINITY,
};
pub(super) const COUNT: OptionKind = OptionKind::Integer { least: 1 };

pub(super) const fn option(
    name: &'static str,
    kind: OptionKind,
    unit: &'static str,
    default: &'static str,
    help: &'static str,
) -> SolverOption {
    SolverOption {
        name,
        kind,
        unit,
        default,
        help,
    }
}

pub(super) const LAMBDA: SolverOption = option(
    "lambda",
    NOT_NEGATIVE,
    "the data's times the columns'",
    "none: lambda or lambda-ratio",
    "The penalty λ.",
);
pub(super) const LAMBDA_RATIO: SolverOption = option(
    "lambda-ratio",
    NOT_NEGATIVE,
    "λ_max, the solver's own",
    "none: lambda or lambda-ratio",
    "The penalty as a multiple of the smallest one whose answer is 0.",
);
pub(super) const GAP_TOLERANCE: SolverOption = option(
    "tolerance",
    TOLERANCE,
    "½‖y‖²",
    "1e-8",
    "Stop at a duality gap of at most this multiple of ½‖y‖².",
);
pub(super) const GRADIENTS: SolverOption = option(
    "max-iterations",
    COUNT,
    "full gradients",
    "1000",
    "The most full gradients.",
);

pub(super) const THRESHOLDING_SUPPORT: SolverOption = option(
    "max-support",
    COUNT,
    "nonzeros",
    "none: it must be given",
    "Nonzeros kept in every iterate.",
);
pub(super) const THRESHOLDING_TOLERANCE: SolverOption = option(
    "tolerance",
    TOLERANCE,
    "relative change of the iterate, relative residual",
    "1e-10",
    "Stop when the iterate moves, or the residual is, by no more than this.",
);
pub(super) const THRESHOLDING_ITERATIONS: SolverOption =
    option("max-iterations", COUNT, "iterations", "2000", "The most iterations.");
pub(super) const RESIDUAL_TOLERANCE: SolverOption = option(
    "tolerance",
    TOLERANCE,
    "‖y‖₂",
    "1e-10",
    "Stop when the residual norm is at most this multiple of the data's.",
);
pub(super) const PURSUIT_ITERATIONS: SolverOption =
    option("max-iterations", COUNT, "iterations", "200", "The most iterations.");

const WHOLE_NUMBERS: OptionKind = OptionKind::Vector {
    least: 0.0,
    whole: true,
};
pub(super) const GROUPS: SolverOption = option(
    "groups",
    WHOLE_NUMBERS,
    "numbers from 0",
    "none: no budgets",
    "The group of every column, for budgets.",
);
pub(super) const BUDGETS: SolverOption = option(
    "budgets",
    WHOLE_NUMBERS,
    "nonzeros",
    "none: no budgets",
    "The most nonzeros in every group, by its number.",
);
pub(super) const START: SolverOption = option(
    "start",
    OptionKind::Vector {
        least: f64::NEG_INFINITY,
        whole: false,
    },
    "as x",
    "the zero vector",
    "Where to start, one number a column.",
);
