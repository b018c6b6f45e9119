//! From a network to linear algebra: its Jacobian as a measurement operator, its tangent kernel, its curvature.
//!
//! Start at [`Linearisation`]. Nothing here forms a Jacobian or a Hessian unless it is asked for single columns.

mod curvature;
mod factors;
mod jacobian;
mod kernel;
mod linearisation;
mod projection;
mod recorder;
mod slots;

#[cfg(test)]
mod curvature_tests;
#[cfg(test)]
mod jacobian_tests;
#[cfg(test)]
mod layered_tests;

pub use curvature::{Curvature, CurvatureKind};
pub use jacobian::Jacobian;
pub use linearisation::{Biases, Linearisation, RowTransform};
pub use slots::SlotFactors;
