//! The experiments: one file each, one line in the list.
//!
//! They are compiled into the program and see only the public library, as any other user of it does.

mod conditioning;
mod jacobian_sensing;
mod percolation;
mod phase_transition;
mod rows;
mod signal_propagation;
mod tickets;

use ticketsense::harness::Experiment;

/// Every experiment, in the order in which a run without names goes through them.
pub static EXPERIMENTS: &[&dyn Experiment] = &[
    &phase_transition::PhaseTransition,
    &percolation::Percolation,
    &signal_propagation::SignalPropagation,
    &jacobian_sensing::JacobianSensing,
    &conditioning::Conditioning,
];
