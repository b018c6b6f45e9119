//! The harness: what an experiment is, how its cells are run and resumed, what binds a result to the code that made it,
//! and how figures and verdicts are read off its table.
//!
//! An [`Experiment`] names independent [`Cell`]s; [`reproduce`] computes them on worker threads, keeps each finished one,
//! assembles the table in the order of the cells, and reads the figure and the verdicts off that table alone.
//! [`compute_table`] does the same in memory, for tests and notebooks.

mod context;
mod experiment;
pub mod figures;
mod outputs;
mod parts;
mod provenance;
mod report;
mod runner;
mod store;

pub use context::{Context, Settings, Stop};
pub use experiment::{AxisValue, Budget, Cell, Claim, Decision, Expected, Experiment, Scale, Verdict};
pub use outputs::{TableState, draw, read_table};
pub use provenance::{Build, DataIdentity, Host, Identity, Manifest};
pub use report::{Judged, judge, ledger};
pub use runner::{Completion, ProgressSink, Quiet, Report, compute_table, reproduce};
pub use store::Store;

#[cfg(test)]
mod tests;
