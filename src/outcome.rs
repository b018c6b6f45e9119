//! How a computation ended and how sure its answer is.

use std::fmt;

/// How an iteration ended. Not reaching a goal is an outcome, not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// The stopping rule was met, with its certificate.
    Converged,
    /// The residual reached its floor: the data are explained.
    ResidualReached,
    /// The requested number of nonzeros was selected.
    SupportFull,
    /// No usable column is left: every remaining one is zero, dependent, or uncorrelated with the residual.
    Exhausted,
    /// The iterates grew beyond every bound; the last finite iterate is returned.
    Diverged,
    /// The iteration limit came first.
    IterationLimit,
    /// No further step lowers the objective in floating point, short of the stopping rule.
    Stalled,
    /// What was asked for does not exist for this operator (more nonzeros than its rank allows, say).
    Unattainable,
    /// The caller asked to stop.
    Stopped,
}

impl Status {
    /// The word used in reports and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Converged => "converged",
            Status::ResidualReached => "residual-reached",
            Status::SupportFull => "support-full",
            Status::Exhausted => "exhausted",
            Status::Diverged => "diverged",
            Status::IterationLimit => "iteration-limit",
            Status::Stalled => "stalled",
            Status::Unattainable => "unattainable",
            Status::Stopped => "stopped",
        }
    }

    /// Whether the answer is what its stopping rule promises.
    pub fn is_success(self) -> bool {
        matches!(self, Status::Converged | Status::ResidualReached | Status::SupportFull)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is known about the distance between a reported value and the truth.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Certainty {
    /// Equal to the quantity, up to floating-point rounding.
    Exact,
    /// The quantity is at least the value.
    LowerBound,
    /// The quantity is at most the value.
    UpperBound,
    /// The quantity lies in `[lower, upper]`; the value is one point of it.
    Interval {
        /// Proven lower end.
        lower: f64,
        /// Proven upper end.
        upper: f64,
    },
    /// A random estimate.
    Sampled {
        /// Standard error of the value.
        standard_error: f64,
        /// Number of independent replicates behind it.
        replicates: usize,
    },
}

impl Certainty {
    /// The word used in reports and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Certainty::Exact => "exact",
            Certainty::LowerBound => "lower-bound",
            Certainty::UpperBound => "upper-bound",
            Certainty::Interval { .. } => "interval",
            Certainty::Sampled { .. } => "sampled",
        }
    }
}

/// A value, how sure it is, and what it cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate<T> {
    /// The value.
    pub value: T,
    /// What is known about its error.
    pub certainty: Certainty,
    /// Operator applications spent (products with the operator or its adjoint; one column counts 1/n of one).
    pub applications: f64,
}

impl<T> Estimate<T> {
    /// An exact value that cost `applications` operator applications.
    pub fn exact(value: T, applications: f64) -> Self {
        Estimate {
            value,
            certainty: Certainty::Exact,
            applications,
        }
    }

    /// A value of the given certainty.
    pub fn new(value: T, certainty: Certainty, applications: f64) -> Self {
        Estimate {
            value,
            certainty,
            applications,
        }
    }
}

/// What an iteration tells its observer once an iteration.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Iterations done.
    pub iteration: usize,
    /// The solver's own objective at this point.
    pub objective: f64,
    /// Nonzeros of the current iterate.
    pub nonzeros: usize,
}

/// An observer of an iteration, which may end it.
///
/// ```
/// use ticketsense::outcome::{Progress, Watch};
/// let mut seen = Vec::new();
/// let mut record = |p: &Progress| { seen.push(p.iteration); p.iteration < 3 };
/// let mut watch = Watch::new(&mut record);
/// for iteration in 1.. {
///     if !watch.tell(&Progress { iteration, objective: 0.0, nonzeros: 0 }) { break; }
/// }
/// assert_eq!(seen, [1, 2, 3]);
/// ```
#[derive(Default)]
pub struct Watch<'a> {
    observer: Option<&'a mut dyn FnMut(&Progress) -> bool>,
}

impl<'a> Watch<'a> {
    /// Calls `observer` once an iteration; the iteration goes on while it returns true.
    pub fn new(observer: &'a mut dyn FnMut(&Progress) -> bool) -> Self {
        Watch {
            observer: Some(observer),
        }
    }

    /// Nobody watches.
    pub fn none() -> Self {
        Watch { observer: None }
    }

    /// Reports; false means that the caller asked to stop.
    pub fn tell(&mut self, progress: &Progress) -> bool {
        match &mut self.observer {
            Some(observer) => observer(progress),
            None => true,
        }
    }
}

impl fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("observed", &self.observer.is_some())
            .finish()
    }
}
