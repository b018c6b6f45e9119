//! What a solver tells of itself: its name, its options and how it is built from them.

use super::Solver;
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
        }
    }

    fn parse(&self, text: &str) -> Result<f64> {
        let refuse = || Error::argument(self.name, self.range(), text);
        match self.kind {
            OptionKind::Integer { least } => {
                let value: usize = text.parse().map_err(|_| refuse())?;
                // Whole numbers travel as f64, which holds every count of columns that fits in memory.
                if value >= least && value <= 1 << 53 {
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
        }
    }
}

/// Options of one solver, parsed and within their ranges.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptionValues {
    values: BTreeMap<&'static str, f64>,
}

impl OptionValues {
    pub(super) fn real(&self, name: &str) -> Option<f64> {
        self.values.get(name).copied()
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
    /// The solver with options given as text, by name; a flag takes `true` or `false`.
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
    /// range, and for a missing one without default.
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
