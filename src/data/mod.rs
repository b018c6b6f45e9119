//! Labelled data: embedded handwritten digits, and real data sets in their own formats.
//!
//! To add a format: one file with `is_present(folder)`, `file_names()` and `load_folder(folder, normalisation)`, and its
//! lines in `choice.rs`. A loader makes a [`Content`]; [`Dataset::new`] checks, normalises and names it.

mod choice;
pub mod cifar;
mod content;
mod dataset;
pub mod digits;
mod folder;
pub mod idx;
mod normalisation;
pub mod npy;
pub mod sequences;
pub mod tabular;
mod teacher;

pub use crate::networks::ImageShape;
pub use choice::{DEFAULT_NORMALISATION, DataChoice, NAMED, load, load_normalised};
pub use content::{Content, RawValues, Split, Splits};
pub use dataset::Dataset;
pub use normalisation::Normalisation;
pub use sequences::SequenceTask;
pub use teacher::{Taught, Teacher};
