//! Which weights go: criteria, iterative magnitude pruning with rewinding, its controls, dynamic sparse training, hard
//! thresholds, masks by sparse recovery, and one list of every maker of masks.

mod allocation;
mod backward_elimination;
mod branch;
mod control_stages;
mod control_words;
pub mod controls;
mod criteria;
mod design;
mod dynamic;
mod edge_popup;
mod edges;
mod hard_thresholding;
mod imp;
mod makers;
mod mask_report;
mod mode_connectivity;
mod movement_pruning;
mod net_trim;
mod paths;
mod patterns;
mod recovered;
mod remaining;
mod retraining;
mod run;
mod samples;
mod scored;
mod select;
mod stages;
mod structured;
mod threshold;

#[cfg(test)]
mod branch_tests;
#[cfg(test)]
mod design_tests;
#[cfg(test)]
mod hard_thresholding_tests;
#[cfg(test)]
mod imp_tests;
#[cfg(test)]
mod movement_pruning_tests;
#[cfg(test)]
mod retraining_tests;
#[cfg(test)]
mod small_samples;
#[cfg(test)]
mod stages_tests;

pub use allocation::Allocation;
pub use backward_elimination::{BackwardElimination, Eliminated, EliminationProblem};
pub use branch::{Control, ControlRun, ControlStart, kept_weights};
pub use criteria::{BrainSurgeon, Criterion, CriterionInput};
pub use design::{DesignCriterion, DesignPrior, DesignRequest, Designed};
pub use dynamic::{DynamicOutcome, DynamicTraining, Exchange, FractionDecay, Growth};
pub use edge_popup::{EdgePopup, FrozenWeights, ScoreRanking, Supermask};
pub use hard_thresholding::{HardThresholded, HardThresholding};
pub use imp::{ImpData, ImpPlan};
pub use makers::{KeptUnits, MadeMask, MaskMaker, MaskRequest, Missing, SeenColumns, Setting};
pub use mask_report::MaskReport;
pub use mode_connectivity::{Barrier, PathErrors, PathSamples, Siblings, even_path, path_errors, train_siblings};
pub use movement_pruning::{MovementPruned, MovementPruning};
pub use net_trim::{
    LayerSensing, PlantedInputs, PlantedRows, PlantedRowsOutcome, SparseRows, Spread, TrimOrder, TrimRequest, Trimmed,
    TrimmedBy, net_trim,
};
pub use paths::{LayerPaths, LivePaths};
pub use patterns::{Edge, Pattern, keep_blocks, keep_of_every, kept_of_every};
pub use recovered::{
    LinearImp, Recovered, RecoveredBy, RecoveredTicket, RecoveredUnits, RecoveryRequest, Relinearised,
    RelinearisedMask, SensingProblem,
};
pub use retraining::Retraining;
pub use run::{ImpRun, Round, TrainingOutcome};
pub use samples::ImpSamples;
pub use scored::{ScoredMask, ScoredPruning};
pub use select::{LayerRate, Scope, keep_highest, keep_highest_together, prune_lowest, survivors};
pub use stages::{Keeper, StageFolder};
pub use structured::{Extracted, UnitChoice, UnitFamily, UnitKind, UnitNorm, Units};
