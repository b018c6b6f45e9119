//! Which weights go: criteria, iterative magnitude pruning with rewinding, its controls, and masks by sparse recovery.

mod branch;
pub mod controls;
mod criteria;
mod imp;
mod recovered;
mod select;

#[cfg(test)]
mod imp_tests;

pub use branch::{Control, ControlRun, kept_weights};
pub use criteria::{Criterion, CriterionInput};
pub use imp::{ImpData, ImpPlan, ImpRun, Round, TrainingOutcome};
pub use recovered::{Recovered, RecoveredBy, RecoveredTicket, RecoveryRequest, SensingProblem};
pub use select::{LayerRate, Scope, keep_highest, prune_lowest, survivors};
