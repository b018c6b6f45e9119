//! What the experiments that train masks share: one network, one trainer, one set of rules, whoever chose the mask.
//!
//! A [`Trial`] is one seed: data, network, initial weights, and the run of iterative magnitude pruning whose counts the
//! other arms are given. [`Tuning`] picks a learning rate for every arm and density from the same rates on pilot seeds
//! that are used for nothing else. A [`Line`] is a row of the columns that such tables share, and [`Outcomes`] reads
//! them back as paired accuracies, with the margin of the pilots and the check that the task can tell masks apart.

mod cells;
mod draw;
mod line;
mod outcomes;
mod trial;
mod tuning;
mod words;

#[cfg(test)]
pub mod tables;

pub use cells::{part_cells, seed_cells};
pub use draw::{accuracy_panel, accuracy_series, density_axis, mean_series};
pub use line::{Line, SHARED, columns};
pub use outcomes::{Assay, Outcomes, Pair, column_mean};
pub use trial::{Trial, validation_accuracy};
pub use tuning::{Tuning, setting};
pub use words::{listed, shown};

/// The arm without pruning.
pub const DENSE: &str = "dense";
/// Rows that are compared.
pub const MAIN: &str = "main";
/// Rows of dense networks that fix the margin, and nothing else.
pub const PILOT: &str = "pilot";
/// Pilot seeds have numbers from here on, beyond every main one.
pub const FIRST_PILOT: usize = 1_000_000;
/// Seeds on which learning rates are chosen have numbers from here on, beyond every other one.
pub const FIRST_TUNING: usize = 2_000_000;
