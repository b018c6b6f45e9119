//! Theory and simulation of neural-network pruning seen as compressed sensing.

#![forbid(unsafe_code)]
#![warn(missing_docs, missing_debug_implementations)]

pub mod data;
pub mod error;
pub mod estimators;
pub mod files;
pub mod harness;
pub mod linalg;
pub mod linearize;
pub mod networks;
pub mod operators;
pub mod outcome;
pub mod pruning;
pub mod recovery;
pub mod seed;
pub mod simulations;
pub mod statistics;
pub mod support;
pub mod table;
pub mod theory;
pub mod training;

pub use error::{Error, Result};
pub use seed::Seed;
pub use support::{Density, Mask, Support};
