//! When sparse recovery is certain: conditions on the columns of a support, and what becomes of every signed support.
//!
//! From strong to weak, for unit columns and a support of k columns: small coherence, a small Babel function, the exact
//! recovery condition, the irrepresentable condition for given signs, a dual certificate. The first two are
//! [`Coherence`](super::Coherence) and [`Babel`](super::Babel); the others are here, decided with every rounding counted.

mod column_gram;
mod kernel;
#[cfg(test)]
mod reference;
mod regression;
mod signed_supports;
mod subsets;

pub use column_gram::ColumnGram;
pub use signed_supports::{SignedSupport, SignedSupportCounts, SignedSupports};
