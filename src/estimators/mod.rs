//! What can be said about a measurement operator: coherence, restricted isometry, spectra, conditioning.
//!
//! Every value says whether it is exact, a bound or a sample: see [`crate::outcome::Certainty`].

mod climb;
mod coherence;
mod enumeration;
mod gram;
mod isometry;
mod scan;

pub use coherence::{Babel, BabelFunction, Coherence, MutualCoherence};
pub use isometry::{Bracket, Rescaled, RestrictedIsometry, RestrictedIsometryConstant};

use crate::error::Result;
use crate::operators::MeasurementOperator;
use crate::outcome::Estimate;
use crate::seed::Seed;

/// A quantity of an operator, estimated with a stated certainty: a plain struct of documented numbers.
pub trait Estimator {
    /// What is estimated.
    type Quantity;

    /// The estimate. `seed` drives every random choice; an estimator that makes none ignores it.
    ///
    /// # Errors
    /// When the estimator's own numbers or the operator are unusable for it.
    fn estimate(&self, a: &dyn MeasurementOperator, seed: &Seed) -> Result<Estimate<Self::Quantity>>;
}
