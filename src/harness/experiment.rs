//! What an experiment is: cells that are computed, a table that results, claims and a figure that are read off it.

use crate::error::{Error, Result};
use crate::harness::context::Context;
use crate::harness::figures::Figure;
use crate::table::{Column, Row, Table, format_real};
use std::fmt;

/// How much work a run may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scale {
    /// Seconds in all: does everything still run?
    Smoke,
    /// Minutes in all on a laptop: the default.
    Quick,
    /// The sizes and replicates of a paper: hours.
    Paper,
}

impl Scale {
    /// Every scale, smallest first.
    pub const ALL: [Scale; 3] = [Scale::Smoke, Scale::Quick, Scale::Paper];

    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Scale::Smoke => "smoke",
            Scale::Quick => "quick",
            Scale::Paper => "paper",
        }
    }

    /// Picks one of three values by scale.
    pub fn pick<T>(self, smoke: T, quick: T, paper: T) -> T {
        match self {
            Scale::Smoke => smoke,
            Scale::Quick => quick,
            Scale::Paper => paper,
        }
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Scale {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        Scale::ALL
            .into_iter()
            .find(|s| s.as_str() == word)
            .ok_or_else(|| Error::unknown("scale", word, Scale::ALL.map(Scale::as_str)))
    }
}

/// The value of one axis of a cell.
#[derive(Clone, Debug, PartialEq)]
pub enum AxisValue {
    /// A whole number.
    Integer(u64),
    /// A real number, named by its shortest digits.
    Real(f64),
    /// A word.
    Text(String),
}

impl From<usize> for AxisValue {
    fn from(v: usize) -> Self {
        AxisValue::Integer(v as u64)
    }
}
impl From<u64> for AxisValue {
    fn from(v: u64) -> Self {
        AxisValue::Integer(v)
    }
}
impl From<f64> for AxisValue {
    fn from(v: f64) -> Self {
        AxisValue::Real(v)
    }
}
impl From<&str> for AxisValue {
    fn from(v: &str) -> Self {
        AxisValue::Text(v.to_string())
    }
}
impl From<String> for AxisValue {
    fn from(v: String) -> Self {
        AxisValue::Text(v)
    }
}

impl fmt::Display for AxisValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AxisValue::Integer(v) => v.fmt(f),
            AxisValue::Real(v) => f.write_str(&format_real(*v)),
            AxisValue::Text(v) => f.write_str(v),
        }
    }
}

/// One independent unit of work.
///
/// Its *problem* axes decide the random instance: they alone make [`Cell::key`], the name of the cell's random stream,
/// so that every treatment meets the same instances. Its *treatment* axes say what is done to them.
///
/// ```
/// use ticketsense::harness::Cell;
/// let omp = Cell::new().problem("rho", 0.25).problem("delta", 0.5).treatment("solver", "omp");
/// let iht = Cell::new().problem("rho", 0.25).problem("delta", 0.5).treatment("solver", "iht");
/// assert_eq!(omp.key(), "delta=0.5,rho=0.25");
/// assert_eq!(omp.key(), iht.key());
/// assert_ne!(omp.id(), iht.id());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    problem: Vec<(&'static str, AxisValue)>,
    treatment: Vec<(&'static str, AxisValue)>,
}

impl Cell {
    /// A cell without axes.
    pub fn new() -> Self {
        Cell::default()
    }

    /// Adds an axis that decides the instance.
    pub fn problem(mut self, name: &'static str, value: impl Into<AxisValue>) -> Self {
        self.problem.push((name, value.into()));
        self
    }

    /// Adds an axis that decides what is done to the instance.
    pub fn treatment(mut self, name: &'static str, value: impl Into<AxisValue>) -> Self {
        self.treatment.push((name, value.into()));
        self
    }

    /// The problem axes as `name=value`, sorted by name, joined by commas: the name of the random stream.
    pub fn key(&self) -> String {
        join(&self.problem)
    }

    /// Problem and treatment axes: the name of the cell in its experiment.
    pub fn id(&self) -> String {
        match (self.problem.is_empty(), self.treatment.is_empty()) {
            (_, true) => join(&self.problem),
            (true, false) => join(&self.treatment),
            (false, false) => format!("{};{}", join(&self.problem), join(&self.treatment)),
        }
    }

    fn axis(&self, name: &str) -> Result<&AxisValue> {
        let all = || self.problem.iter().chain(&self.treatment);
        all()
            .find(|(n, _)| *n == name)
            .map(|(_, v)| v)
            .ok_or_else(|| Error::unknown("axis", name, all().map(|(n, _)| *n)))
    }

    /// The value of a real axis; whole numbers are converted.
    ///
    /// # Errors
    /// When there is no such axis or it holds a word.
    pub fn real(&self, name: &str) -> Result<f64> {
        match self.axis(name)? {
            AxisValue::Real(v) => Ok(*v),
            AxisValue::Integer(v) => Ok(*v as f64),
            AxisValue::Text(v) => Err(Error::argument(name, "a number", v)),
        }
    }

    /// The value of a whole-number axis.
    ///
    /// # Errors
    /// When there is no such axis or it holds something else.
    pub fn integer(&self, name: &str) -> Result<usize> {
        match self.axis(name)? {
            AxisValue::Integer(v) => Ok(*v as usize),
            other => Err(Error::argument(name, "a whole number", other)),
        }
    }

    /// The value of an axis of words.
    ///
    /// # Errors
    /// When there is no such axis or it holds a number.
    pub fn text(&self, name: &str) -> Result<&str> {
        match self.axis(name)? {
            AxisValue::Text(v) => Ok(v),
            other => Err(Error::argument(name, "a word", other)),
        }
    }
}

fn join(axes: &[(&'static str, AxisValue)]) -> String {
    let mut parts: Vec<String> = axes.iter().map(|(name, value)| format!("{name}={value}")).collect();
    parts.sort();
    parts.join(",")
}

/// What a check decided.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// As stated, within the hypotheses listed.
    Holds,
    /// Only under a further condition.
    HoldsUnder {
        /// The condition.
        condition: String,
    },
    /// Not as stated.
    Fails,
    /// The data cannot tell.
    Undecided {
        /// Why.
        why: String,
    },
}

impl Decision {
    /// The word in reports and JSON.
    pub fn as_str(&self) -> &'static str {
        match self {
            Decision::Holds => "holds",
            Decision::HoldsUnder { .. } => "holds-under",
            Decision::Fails => "fails",
            Decision::Undecided { .. } => "undecided",
        }
    }
}

/// A decision with the evidence for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// What was decided.
    pub decision: Decision,
    /// The hypotheses that were checked on the way; never empty.
    pub hypotheses: Vec<String>,
    /// The statistic that decided, with its name: `("worst relative deviation", 3e-13)`.
    pub statistic: (String, f64),
    /// What the statistic was compared with; its derivation is [`Claim::tolerance_rule`].
    pub tolerance: f64,
    /// One sentence with the numbers a reader wants.
    pub evidence: String,
    /// The case that refutes, where there is one.
    pub counterexample: Option<String>,
}

impl Verdict {
    /// That nothing is decided, and why: there is no statistic, and nothing to compare it with.
    pub fn undecided(statistic: &str, hypotheses: Vec<String>, why: impl Into<String>) -> Self {
        let why = why.into();
        Verdict {
            decision: Decision::Undecided { why: why.clone() },
            hypotheses,
            statistic: (statistic.into(), f64::NAN),
            tolerance: f64::NAN,
            evidence: why,
            counterexample: None,
        }
    }
}

/// What the theory says a check should find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A theorem, or a well-supported claim.
    Holds,
    /// True under a condition only.
    HoldsUnder,
    /// Known to be false as worded.
    Fails,
    /// Only the experiment can speak.
    Open,
}

impl Expected {
    /// The word in reports and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Expected::Holds => "holds",
            Expected::HoldsUnder => "holds-under",
            Expected::Fails => "fails",
            Expected::Open => "open",
        }
    }

    /// Whether a decided verdict contradicts this expectation. *Undecided* contradicts nothing, *open* is contradicted
    /// by nothing.
    pub fn contradicted_by(self, decision: &Decision) -> bool {
        match (self, decision) {
            (Expected::Open, _) | (_, Decision::Undecided { .. }) => false,
            (expected, decided) => expected.as_str() != decided.as_str(),
        }
    }
}

/// A claim about pruning, with a check that could refute it.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// Short name, `I6`.
    pub id: &'static str,
    /// Long name, `donoho-tanner`.
    pub name: &'static str,
    /// The claim in a precise sentence.
    pub statement: &'static str,
    /// Where it comes from: papers, theorems.
    pub source: &'static str,
    /// What the theory expects of the check.
    pub expected: Expected,
    /// How the tolerance is derived.
    pub tolerance_rule: &'static str,
    /// Reads the verdict off the table: a pure function.
    pub check: fn(&Table) -> Result<Verdict>,
}

/// An experiment: independent cells, the rows they make, and what is read off the table.
///
/// The figure and the verdicts are pure functions of the table, so that drawing and judging again never computes again.
pub trait Experiment: Sync {
    /// Its name: the same in its file, figure folder, chapter and on the command line.
    fn id(&self) -> &'static str;
    /// The question it answers, in one sentence.
    fn question(&self) -> &'static str;
    /// The columns of its table.
    fn columns(&self) -> &'static [Column];
    /// The units of work at a scale. Order is the order of rows in the table.
    fn cells(&self, scale: Scale) -> Vec<Cell>;
    /// Computes the rows of one cell. Randomness only through `context.seed(cell)`.
    ///
    /// # Errors
    /// Whatever stops the cell; the run then names it and goes no further.
    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>>;
    /// The claims judged on its table.
    fn claims(&self) -> &'static [Claim];
    /// Draws the figure from the table.
    ///
    /// # Errors
    /// When the table is not this experiment's.
    fn draw(&self, table: &Table) -> Result<Figure>;
    /// Draws the measured times, the columns of which are the cell, the name given to [`Context::timing`] and seconds.
    /// Unlike the figure it differs from run to run, so it stands apart, beside `timings.csv`.
    ///
    /// # Errors
    /// When the names are not this experiment's.
    fn draw_timings(&self, _timings: &Table) -> Result<Option<Figure>> {
        Ok(None)
    }
    /// Seconds on two cores and megabytes that a run at the default scale takes, as measured.
    fn budget(&self) -> Budget;
    /// Whether its cells read the data of the run. Where they do, the data's checksum belongs to the identity of every
    /// result; where they do not, [`Context::data`] refuses to hand the data out.
    fn uses_data(&self) -> bool {
        false
    }
}

/// What a default run costs, as measured on two cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Wall-clock seconds.
    pub seconds: u32,
    /// Peak memory of the process.
    pub memory_mb: u32,
}
