//! What the calculators of these networks ask for.

use super::super::registry::{Argument, Arguments, Domain};
use super::{MeanField, Nonlinearity};
use crate::error::Result;

/// φ, by its word.
pub(super) const fn nonlinearity(default: &'static str) -> Argument {
    Argument::optional(
        "nonlinearity",
        "φ",
        "1",
        Domain::Choice(&Nonlinearity::WORDS),
        Some(default),
    )
}

/// σ_w².
pub(super) const WEIGHT_VARIANCE: Argument = Argument::required(
    "weight-variance",
    "weight variance times the dense fan-in",
    "1",
    Domain::NONNEGATIVE,
);

/// σ_b².
pub(super) const BIAS_VARIANCE: Argument = Argument::optional(
    "bias-variance",
    "variance of the biases",
    "variance",
    Domain::NONNEGATIVE,
    Some("0"),
);

impl MeanField {
    /// The network that the arguments describe.
    pub(super) fn asked(arguments: &Arguments) -> Result<Self> {
        Ok(MeanField {
            nonlinearity: arguments.text("nonlinearity")?.parse()?,
            density: arguments.real("density")?,
            weight_variance: arguments.real("weight-variance")?,
            bias_variance: arguments.real("bias-variance")?,
        })
    }
}
