//! What can be said about a measurement operator: coherence, restricted isometry, spectra, conditioning.
//!
//! Every value says whether it is exact, a bound or a sample: see [`crate::outcome::Certainty`].

mod climb;
mod coherence;
mod conditioning;
mod conditions;
mod convolution;
mod cosines;
mod curvature;
pub mod design;
mod dual_bound;
mod gram;
mod guarantees;
mod hidden;
mod isometry;
mod jacobian_cosines;
mod jacobian_pairs;
mod near;
mod parallel;
mod scaling;
mod scan;
mod search;
mod search_node;
mod sketch;
mod spectrum;
mod subsets;
mod units;

pub use coherence::{Babel, BabelFunction, Coherence, MutualCoherence};
pub use conditioning::{
    MaskedCurvature, NonzeroConditioning, for_each_mask, interlacing_violation, masked_curvature, nonzero_conditioning,
    rank_tolerance, spectrum_distance,
};
pub use conditions::{
    ColumnGram, ConcentrationBounds, ConditionSurvey, ConditionValue, Conditions, ExactRecovery,
    ExactRecoveryCoefficient, KernelConcentration, RestrictedEigenvalue, RestrictedEigenvalueBound, SignedSupport,
    SignedSupportCounts, SignedSupports, Spark, SparkBounds, exact_recovery_value, irrepresentable_value, least_signal,
};
pub use convolution::{
    ConvolutionSpectrum, FrequencyBlock, KernelCorrelations, convolution_spectrum, zero_padding_brackets,
};
pub use cosines::{CosineCounts, CosineHistogram, CosineLaw};
pub use curvature::{
    CurvatureFindings, CurvatureSummary, KnownSize, SpectrumEnd, TraceFound, gauss_newton_conditioning,
    gauss_newton_trace, lanczos_gap,
};
pub use guarantees::{Evidence, Guarantee, Subject, guarantees, sharp_isometry_bound};
pub use isometry::{Bracket, Rescaled, RestrictedIsometry, RestrictedIsometryConstant};
pub use jacobian_cosines::{JacobianCosineLaw, JacobianCosines, PairKind, PairLaw};
pub use near::{MergedCoherence, NearColumns};
pub use parallel::{ParallelColumns, ParallelGroups};
pub use scaling::{ScalingDirection, ScalingDirections, scaling_directions};
pub use spectrum::{SingularExtremes, SingularRange};

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
