//! The one door to numerical linear algebra.

pub mod cholesky;
pub mod columns;
pub mod complex;
pub mod dense;
pub mod fixed;
pub mod lanczos;
#[cfg(feature = "lapack")]
pub mod lapack;
pub mod small;
pub mod spectral_distribution;
pub mod spectrum_bounds;
pub mod sweep;
pub mod symmetry;
pub mod thick_restart;
pub mod traces;

pub use dense::num_like::Float;
pub use dense::{Scalar, dot, gemm, norm};
