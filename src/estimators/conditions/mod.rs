//! When sparse recovery is certain: conditions on the columns of a support, and what becomes of every signed support.
//!
//! From strong to weak, for unit columns and a support of k columns: small coherence, a small Babel function, the exact
//! recovery condition, the irrepresentable condition for given signs, a dual certificate. The first two are
//! [`Coherence`](super::Coherence) and [`Babel`](super::Babel); the others are here, decided with every rounding counted.

mod column_gram;
mod concentration;
mod exact_recovery;
mod facets;
mod kernel;
mod multipliers;
#[cfg(test)]
mod reference;
mod regression;
mod restricted_eigenvalue;
mod signal;
mod signed_supports;
mod spark;
mod survey;

pub use column_gram::ColumnGram;
pub use concentration::{ConcentrationBounds, KernelConcentration};
pub use exact_recovery::{
    ConditionValue, ExactRecovery, ExactRecoveryCoefficient, exact_recovery_value, irrepresentable_value,
};
pub use restricted_eigenvalue::{RestrictedEigenvalue, RestrictedEigenvalueBound};
pub use signal::least_signal;
pub use signed_supports::{SignedSupport, SignedSupportCounts, SignedSupports};
pub use spark::{Spark, SparkBounds};
pub use survey::{ConditionSurvey, Conditions};
