//! The list of solvers: names, options and builders, for the command line and the conformance tests.

use super::{BasisPursuit, IterativeHardThresholding, Lasso, NormalisedIht, Omp, Penalty, Solver};
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
    fn real(&self, name: &str) -> Option<f64> {
        self.values.get(name).copied()
    }

    fn integer(&self, name: &str) -> Option<usize> {
        self.real(name).map(|v| v as usize)
    }

    fn flag(&self, name: &str) -> bool {
        self.real(name).is_some_and(|v| v != 0.0)
    }

    fn required(&self, name: &str) -> Result<usize> {
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
    builder: fn(&OptionValues) -> Result<Box<dyn Solver>>,
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

const TOLERANCE: OptionKind = OptionKind::Real { least: 0.0, below: 1.0 };
const NOT_NEGATIVE: OptionKind = OptionKind::Real {
    least: 0.0,
    below: f64::INFINITY,
};
const COUNT: OptionKind = OptionKind::Integer { least: 1 };

const fn option(
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

const THRESHOLDING_SUPPORT: SolverOption = option(
    "max-support",
    COUNT,
    "nonzeros",
    "none: it must be given",
    "Nonzeros kept in every iterate.",
);
const THRESHOLDING_TOLERANCE: SolverOption = option(
    "tolerance",
    TOLERANCE,
    "relative change of the iterate, relative residual",
    "1e-10",
    "Stop when the iterate moves, or the residual is, by no more than this.",
);
const THRESHOLDING_ITERATIONS: SolverOption =
    option("max-iterations", COUNT, "iterations", "2000", "The most iterations.");

/// Every solver, in the order in which they are listed.
pub const SOLVERS: &[SolverEntry] = &[
    SolverEntry {
        name: "omp",
        help: "Orthogonal matching pursuit: greedy selection, least squares refit.",
        options: &[
            option(
                "max-support",
                COUNT,
                "nonzeros",
                "as many as the rank allows",
                "The most columns to pick.",
            ),
            option(
                "tolerance",
                TOLERANCE,
                "‖y‖₂",
                "1e-10",
                "Stop when the residual norm is at most this multiple of the data's.",
            ),
        ],
        for_planted: |nonzeros| vec![("max-support", nonzeros.to_string())],
        builder: |o| {
            let default = Omp::default();
            Ok(Box::new(Omp {
                max_support: o.integer("max-support"),
                tolerance: o.real("tolerance").unwrap_or(default.tolerance),
                ..default
            }))
        },
    },
    SolverEntry {
        name: "iht",
        help: "Iterative hard thresholding with the unit step.",
        options: &[THRESHOLDING_SUPPORT, THRESHOLDING_TOLERANCE, THRESHOLDING_ITERATIONS],
        for_planted: |nonzeros| vec![("max-support", nonzeros.to_string())],
        builder: |o| {
            let default = IterativeHardThresholding::new(o.required("max-support")?);
            Ok(Box::new(IterativeHardThresholding {
                tolerance: o.real("tolerance").unwrap_or(default.tolerance),
                max_iterations: o.integer("max-iterations").unwrap_or(default.max_iterations),
                ..default
            }))
        },
    },
    SolverEntry {
        name: "niht",
        help: "Normalised iterative hard thresholding: the step adapts to the operator.",
        options: &[
            THRESHOLDING_SUPPORT,
            THRESHOLDING_TOLERANCE,
            THRESHOLDING_ITERATIONS,
            option(
                "unit-columns",
                OptionKind::Flag,
                "",
                "columns as given",
                "Work with columns scaled to length 1.",
            ),
        ],
        for_planted: |nonzeros| vec![("max-support", nonzeros.to_string())],
        builder: |o| {
            let default = NormalisedIht::new(o.required("max-support")?);
            Ok(Box::new(NormalisedIht {
                tolerance: o.real("tolerance").unwrap_or(default.tolerance),
                max_iterations: o.integer("max-iterations").unwrap_or(default.max_iterations),
                unit_columns: o.flag("unit-columns"),
                ..default
            }))
        },
    },
    SolverEntry {
        name: "lasso",
        help: "½‖y − A x‖² + λ‖x‖₁ to a certified duality gap.",
        options: &[
            option(
                "lambda",
                NOT_NEGATIVE,
                "the data's times the columns'",
                "none: lambda or lambda-ratio",
                "The penalty λ.",
            ),
            option(
                "lambda-ratio",
                NOT_NEGATIVE,
                "λ_max = ‖Aᵀy‖∞",
                "none: lambda or lambda-ratio",
                "The penalty as a multiple of the smallest one whose answer is 0.",
            ),
            option(
                "tolerance",
                TOLERANCE,
                "½‖y‖²",
                "1e-8",
                "Stop at a duality gap of at most this multiple of ½‖y‖².",
            ),
            option(
                "max-iterations",
                COUNT,
                "full gradients",
                "1000",
                "The most full gradients.",
            ),
        ],
        for_planted: |_| vec![("lambda-ratio", "1e-6".to_string()), ("tolerance", "1e-14".to_string())],
        builder: |o| {
            let penalty = match (o.real("lambda"), o.real("lambda-ratio")) {
                (Some(lambda), None) => Penalty::Absolute(lambda),
                (None, Some(ratio)) => Penalty::RatioOfMax(ratio),
                (None, None) => return Err(Error::argument("lambda", "a value, or one for lambda-ratio", "none")),
                (Some(_), Some(_)) => return Err(Error::argument("lambda", "lambda or lambda-ratio", "both")),
            };
            let default = Lasso::new(penalty);
            Ok(Box::new(Lasso {
                tolerance: o.real("tolerance").unwrap_or(default.tolerance),
                max_iterations: o.integer("max-iterations").unwrap_or(default.max_iterations),
                ..default
            }))
        },
    },
    SolverEntry {
        name: "basis-pursuit",
        help: "min ‖x‖₁ subject to A x = y, with a dual vector.",
        options: &[
            option(
                "tolerance",
                TOLERANCE,
                "‖y‖₂ and ‖x‖₁",
                "1e-8",
                "Residual and duality gap that count as solved, relative to these.",
            ),
            option(
                "max-iterations",
                COUNT,
                "breakpoints",
                "100000",
                "The most breakpoints of the path.",
            ),
        ],
        for_planted: |_| Vec::new(),
        builder: |o| {
            let default = BasisPursuit::default();
            Ok(Box::new(BasisPursuit {
                tolerance: o.real("tolerance").unwrap_or(default.tolerance),
                max_iterations: o.integer("max-iterations").unwrap_or(default.max_iterations),
            }))
        },
    },
];

/// The solver of that name.
///
/// # Errors
/// [`Error::Unknown`] with the nearest name.
pub fn find(name: &str) -> Result<&'static SolverEntry> {
    SOLVERS
        .iter()
        .find(|entry| entry.name == name)
        .ok_or_else(|| Error::unknown("solver", name, SOLVERS.iter().map(|entry| entry.name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str, options: &[(&str, &str)]) -> String {
        find(name)
            .unwrap()
            .build(options.iter().copied())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn an_option_of_another_solver_a_bad_value_and_a_missing_one_are_refused_by_name() {
        assert!(refused("omp", &[("lambda", "1")]).contains("an option of solver 'omp'"));
        assert!(refused("lasso", &[("lambda", "-1")]).contains("lambda: expected a finite number ≥ 0, got -1"));
        assert!(refused("lasso", &[("lambda", "NaN")]).contains("got NaN"));
        assert!(refused("lasso", &[("lambda", "1"), ("lambda-ratio", "0.1")]).contains("both"));
        assert!(refused("lasso", &[]).contains("lambda-ratio"));
        assert!(refused("iht", &[]).contains("max-support"));
        assert!(refused("niht", &[("max-support", "0")]).contains("whole number ≥ 1"));
        assert!(refused("basis-pursuit", &[("tolerance", "1")]).contains("[0, 1)"));
        assert!(refused("omp", &[("max-support", "3"), ("max-support", "4")]).contains("at most one"));
    }

    #[test]
    fn a_misspelt_solver_gets_a_suggestion() {
        assert!(
            find("basis-persuit")
                .unwrap_err()
                .to_string()
                .contains("did you mean 'basis-pursuit'")
        );
    }

    #[test]
    fn stated_defaults_are_the_defaults() {
        for entry in SOLVERS {
            let needed = (entry.for_planted)(3);
            for option in entry
                .options
                .iter()
                .filter(|o| needed.iter().all(|(name, _)| *name != o.name))
            {
                if option.default.parse::<f64>().is_err() {
                    continue;
                }
                let given = needed.iter().map(|(n, v)| (*n, v.as_str()));
                let implicit = entry.build(given.clone()).unwrap();
                let explicit = entry.build(given.chain([(option.name, option.default)])).unwrap();
                assert_eq!(
                    format!("{implicit:?}"),
                    format!("{explicit:?}"),
                    "{} {}",
                    entry.name,
                    option.name
                );
            }
        }
    }
}
