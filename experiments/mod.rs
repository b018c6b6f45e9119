//! The experiments: one file each, one line in the list.
//!
//! They are compiled into the program and see only the public library, as any other user of it does.

mod comparison;
mod conditioning;
mod convolution_sensing;
mod depth_versus_width;
mod depth_width_diagram;
mod design_pruning;
#[cfg(test)]
mod doctoring;
mod dynamic_sparsity;
mod gradient_noise;
mod imp_as_hard_thresholding;
mod iterative_magnitude_pruning;
mod jacobian_over_training;
mod jacobian_sensing;
mod layerwise_sensing;
mod linearized_measurements;
mod linearized_tickets;
mod mask_shuffling;
mod mode_connectivity;
mod normalisation;
mod percolation;
mod phase_transition;
mod pruned_masks;
mod pruning_at_initialisation;
mod random_networks;
mod recurrent_masks;
mod rewinding;
mod rip_certificates;
mod rows;
mod selection_conditions;
mod sensor_selection;
mod signal_propagation;
mod sparse_cost;
mod stable_recovery;
mod structured_pruning;
mod support_recovery_thresholds;
mod thresholding;
mod ticket_fragility;
mod ticket_interaction;
mod tickets;
mod untrained_tickets;

use ticketsense::harness::Experiment;

/// Every experiment, in the order in which a run without names goes through them.
pub static EXPERIMENTS: &[&dyn Experiment] = &[
    &linearized_tickets::LinearizedTickets,
    &linearized_measurements::LinearizedMeasurements,
    &layerwise_sensing::LayerwiseSensing,
    &jacobian_over_training::JacobianOverTraining,
    &iterative_magnitude_pruning::IterativeMagnitudePruning,
    &rewinding::Rewinding,
    &ticket_fragility::TicketFragility,
    &mask_shuffling::MaskShuffling,
    &ticket_interaction::TicketInteraction,
    &pruning_at_initialisation::PruningAtInitialisation,
    &mode_connectivity::ModeConnectivity,
    &untrained_tickets::UntrainedTickets,
    &phase_transition::PhaseTransition,
    &rip_certificates::RipCertificates,
    &jacobian_sensing::JacobianSensing,
    &convolution_sensing::ConvolutionSensing,
    &depth_width_diagram::DepthWidthDiagram,
    &conditioning::Conditioning,
    &gradient_noise::GradientNoise,
    &percolation::Percolation,
    &depth_versus_width::DepthVersusWidth,
    &recurrent_masks::RecurrentMasks,
    &normalisation::Normalising,
    &signal_propagation::SignalPropagation,
    &thresholding::Thresholding,
    &support_recovery_thresholds::SupportRecoveryThresholds,
    &selection_conditions::SelectionConditions,
    &stable_recovery::StableRecovery,
    &sensor_selection::SensorSelection,
    &design_pruning::DesignPruning,
    &sparse_cost::SparseCost,
    &dynamic_sparsity::DynamicSparsity,
    &imp_as_hard_thresholding::ImpAsHardThresholding,
    &structured_pruning::StructuredPruning,
];
