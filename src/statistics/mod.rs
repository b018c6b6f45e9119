//! Statistics of experiments: exact binomial intervals, threshold fits, lines, paired comparisons, non-inferiority,
//! multiple testing, resampling, variance components.
//!
//! Every interval is two-sided at a `level` α, the probability of missing the truth: it covers with probability 1 − α.

pub mod binomial;
pub mod bootstrap;
pub mod distributions;
pub mod fisher;
pub mod holm;
pub mod line;
pub mod logistic;
pub mod paired;
pub mod summary;
pub mod variance_components;
pub mod weighted_line;

pub use binomial::BinomialCount;
pub use bootstrap::{BootstrapKind, bootstrap_interval, bootstrap_units};
pub use fisher::{FisherTest, fisher_exact};
pub use holm::{HolmDecision, holm};
pub use line::LineFit;
pub use logistic::{HalfPoint, ThresholdFit, fit_threshold};
pub use paired::{NonInferiority, NonInferiorityVerdict, PairedComparison};
pub use summary::{Summary, median, quantile};
pub use variance_components::{VarianceComponent, crossed_components};
pub use weighted_line::{WeightedLine, chi_square_tail};

use crate::error::{Error, Result};

/// A confidence interval; an end that the data do not bound is infinite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
}

impl Interval {
    /// Whether a value lies in it, ends included.
    pub fn contains(&self, value: f64) -> bool {
        (self.lower..=self.upper).contains(&value)
    }

    /// Its width.
    pub fn width(&self) -> f64 {
        self.upper - self.lower
    }
}

/// Refuses a level outside `(0, 1)`.
fn require_level(level: f64) -> Result<()> {
    if level > 0.0 && level < 1.0 {
        Ok(())
    } else {
        Err(Error::argument("level", "a number in (0, 1)", level))
    }
}
