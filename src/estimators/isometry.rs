//! Restricted isometry constants as proven intervals.

use super::Estimator;
use super::climb::{Candidate, best_support, climb, complete};
use super::coherence::LargestOfEach;
use super::enumeration::enumerate;
use super::gram::{End, GramMatrix, Submatrices};
use crate::error::{Error, Result};
use crate::linalg::dense::{gram, symmetric_eigenvalues};
use crate::operators::{MeasurementOperator, Shape};
use crate::outcome::{Certainty, Estimate};
use crate::seed::Seed;
use crate::support::Support;
use nalgebra::DMatrix;

/// Most columns: the Gram matrix of so many takes 2 GiB.
const MAX_COLUMNS: usize = 16_384;

/// Up to this order of the smaller Gram matrix, the whole spectrum is used as a bound.
const WHOLE_SPECTRUM_UP_TO: usize = 1_000;

/// The restricted isometry constant `δ_k = max_{|S| = k} ‖A_SᵀA_S − I‖₂` of an operator *as given*: columns are not
/// normalised, because δ is not invariant under scaling.
///
/// - *Exact* when there are at most `max_supports` supports of order k: an incumbent from truncated power iteration, then
///   a proof over all supports by elimination (both ends of the spectrum).
/// - *Lower bound* otherwise: truncated power iteration from every column, at both ends, with the support as witness.
/// - *Upper bound* otherwise, the best of: the exact constant of the largest order l < k that can be enumerated, averaged
///   over the l-subsets; Gershgorin's discs with the k − 1 largest inner products; the Babel function with the extreme
///   column norms; the whole spectrum; the trace.
///
/// Every end of the interval is rounded outwards, the rounding of the Gram matrix included. Deciding δ_k is NP-hard
/// (Tillmann & Pfetsch 2014). Cost: `2mn²` for the Gram matrix, `8n²` bytes, then about `10⁻⁹` seconds a support.
///
/// ```
/// use nalgebra::dmatrix;
/// use ticketsense::Seed;
/// use ticketsense::estimators::{Estimator, RestrictedIsometryConstant};
/// use ticketsense::operators::DenseOperator;
/// // Unit columns with inner product 0.6: the eigenvalues of their Gram matrix are 0.4 and 1.6.
/// let a = DenseOperator::new(dmatrix![1.0, 0.6, 0.0; 0.0, 0.8, 0.0; 0.0, 0.0, 1.0])?;
/// let found = RestrictedIsometryConstant::of_order(2).estimate(&a, &Seed::root(0))?.value;
/// assert!((found.exact.unwrap() - 0.6).abs() < 1e-14);
/// assert!(found.lower <= 0.6 && 0.6 <= found.upper);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RestrictedIsometryConstant {
    /// The order k, from 1 to the number of columns.
    pub order: usize,
    /// Enumerate when there are at most this many supports.
    pub max_supports: f64,
    /// Most starts of truncated power iteration at each end; when there are more columns, the starts are drawn from the
    /// seed.
    pub max_starts: usize,
}

impl RestrictedIsometryConstant {
    /// Order k with the defaults: 10⁸ supports, 1,024 starts.
    pub fn of_order(order: usize) -> Self {
        RestrictedIsometryConstant {
            order,
            max_supports: 1e8,
            max_starts: 1_024,
        }
    }

    /// The constants of every order `1 … order`, which share one Gram matrix and their bounds.
    ///
    /// # Errors
    /// As [`Estimator::estimate`].
    pub fn profile(&self, a: &dyn MeasurementOperator, seed: &Seed) -> Result<Estimate<Vec<RestrictedIsometry>>> {
        self.validate(a.shape())?;
        let context = Context::new(self, a, seed)?;
        let mut out: Vec<RestrictedIsometry> = Vec::with_capacity(self.order);
        for k in 1..=self.order {
            let anchor = out.iter().rev().find(|r| r.exact.is_some() && r.order >= 2).cloned();
            let next = context.constant(k, anchor.as_ref(), out.last())?;
            out.push(next);
        }
        let certainty = out.last().map_or(Certainty::Exact, RestrictedIsometry::certainty);
        Ok(Estimate::new(out, certainty, 1.0))
    }

    fn validate(&self, shape: Shape) -> Result<()> {
        if self.order == 0 || self.order > shape.columns {
            return Err(Error::argument(
                "order of the restricted isometry constant",
                format!("an integer in 1..={}", shape.columns),
                self.order,
            ));
        }
        if shape.columns > MAX_COLUMNS {
            return Err(Error::argument(
                "columns of the operator",
                format!("at most {MAX_COLUMNS}, for a Gram matrix in memory"),
                shape.columns,
            ));
        }
        if self.max_supports.is_nan() || self.max_supports < 0.0 {
            return Err(Error::argument(
                "max_supports",
                "a number of at least 0",
                self.max_supports,
            ));
        }
        if self.max_starts == 0 {
            return Err(Error::argument("max_starts", "at least 1", 0));
        }
        Ok(())
    }
}

/// An interval that contains a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bracket {
    /// Lower end.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
}

/// What is known about the restricted isometry constant of one order.
#[derive(Clone, Debug, PartialEq)]
pub struct RestrictedIsometry {
    /// The order k.
    pub order: usize,
    /// Proven: `δ_k ≥ lower`, attained by `witness`.
    pub lower: f64,
    /// Proven: `δ_k ≤ upper`.
    pub upper: f64,
    /// δ_k up to rounding, where all supports were examined; then `upper − lower` is a few thousand ε of the column
    /// norms.
    pub exact: Option<f64>,
    /// The smallest eigenvalue of all `A_SᵀA_S`.
    pub lambda_min: Bracket,
    /// The largest eigenvalue of all `A_SᵀA_S`.
    pub lambda_max: Bracket,
    /// A support whose Gram matrix attains `lower`.
    pub witness: Support,
    /// A support that attains `lambda_min.upper`.
    pub witness_min: Support,
    /// A support that attains `lambda_max.lower`.
    pub witness_max: Support,
}

/// The constant after the scaling of the operator that makes it smallest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rescaled {
    /// The factor on A: `√(2/(λ_min + λ_max))`.
    pub scale: f64,
    /// Lower bound of `(λ_max − λ_min)/(λ_max + λ_min)`.
    pub lower: f64,
    /// Upper bound of it.
    pub upper: f64,
}

impl RestrictedIsometry {
    /// The certainty of δ_k.
    pub fn certainty(&self) -> Certainty {
        match self.exact {
            Some(_) => Certainty::Exact,
            None => Certainty::Interval {
                lower: self.lower,
                upper: self.upper,
            },
        }
    }

    /// The smallest δ_k of all multiples `cA`, `(λ_max − λ_min)/(λ_max + λ_min)`. Recovery by scale-invariant methods
    /// does not depend on c, so a certificate for `cA` holds for A; a unit-step method must then be run on `cA`.
    pub fn rescaled(&self) -> Rescaled {
        let ratio = |low: f64, high: f64| {
            let (low, sum) = (low.max(0.0), low.max(0.0) + high);
            if sum > 0.0 {
                ((high - low) / sum).clamp(0.0, 1.0)
            } else {
                1.0
            }
        };
        let middle = |b: Bracket| 0.5 * (b.lower + b.upper);
        let sum = middle(self.lambda_min) + middle(self.lambda_max);
        let outwards = 4.0 * f64::EPSILON;
        Rescaled {
            scale: if sum > 0.0 { (2.0 / sum).sqrt() } else { 1.0 },
            lower: (ratio(self.lambda_min.upper, self.lambda_max.lower) - outwards).max(0.0),
            upper: ratio(self.lambda_min.lower, self.lambda_max.upper) + outwards,
        }
    }
}

impl Estimator for RestrictedIsometryConstant {
    type Quantity = RestrictedIsometry;

    /// # Errors
    /// [`Error::Argument`] when the order is 0 or above the number of columns, for more than 16,384 columns, no starts or
    /// a negative limit; [`Error::NotFinite`] or [`Error::Numerical`] when the Gram matrix is not finite.
    fn estimate(&self, a: &dyn MeasurementOperator, seed: &Seed) -> Result<Estimate<RestrictedIsometry>> {
        self.validate(a.shape())?;
        let context = Context::new(self, a, seed)?;
        let n = a.shape().columns;
        let anchor = if context.can_enumerate(self.order) {
            None
        } else {
            (2..self.order)
                .rev()
                .find(|&l| binomial(n, l) <= self.max_supports)
                .map(|l| context.constant(l, None, None))
                .transpose()?
        };
        let found = context.constant(self.order, anchor.as_ref(), None)?;
        let certainty = found.certainty();
        Ok(Estimate::new(found, certainty, 1.0))
    }
}

/// `C(n, k)` in floating point; relative error below `k ε`, infinite beyond the range.
pub(super) fn binomial(n: usize, k: usize) -> f64 {
    if k > n {
        return 0.0;
    }
    (0..k.min(n - k)).fold(1.0, |product, i| product * (n - i) as f64 / (i + 1) as f64)
}

/// What all orders share.
struct Context<'a> {
    settings: &'a RestrictedIsometryConstant,
    gram: GramMatrix,
    seed: Seed,
    /// Bounds of the whole spectrum of G, as computed and rounded outwards.
    whole: Bracket,
    /// Largest |G_ij|, i ≠ j, of each column.
    neighbours: LargestOfEach,
    /// Largest |cosine| of each column.
    cosines: LargestOfEach,
}

impl<'a> Context<'a> {
    fn new(settings: &'a RestrictedIsometryConstant, a: &dyn MeasurementOperator, seed: &Seed) -> Result<Self> {
        let matrix = a.to_dense();
        let gram = GramMatrix::new(&matrix)?;
        let n = gram.order();
        let mut neighbours = LargestOfEach::new(n, settings.order - 1);
        let mut cosines = LargestOfEach::new(n, settings.order - 1);
        let lengths: Vec<f64> = (0..n).map(|j| gram.at(j, j).sqrt()).collect();
        for j in 0..n {
            for (i, g) in gram.column(j)[..j].iter().enumerate() {
                let product = lengths[i] * lengths[j];
                let cosine = if product > 0.0 {
                    (g.abs() / product).min(1.0)
                } else {
                    0.0
                };
                for row in [i, j] {
                    neighbours.offer(row, g.abs());
                    cosines.offer(row, cosine);
                }
            }
        }
        let whole = whole_spectrum(&matrix, &gram)?;
        Ok(Context {
            settings,
            gram,
            seed: seed.clone(),
            whole,
            neighbours,
            cosines,
        })
    }

    fn can_enumerate(&self, k: usize) -> bool {
        k == 1 || binomial(self.gram.order(), k) <= self.settings.max_supports
    }

    /// The constant of order k; `anchor` is the exact one of a smaller order, `previous` one of order k − 1.
    fn constant(
        &self,
        k: usize,
        anchor: Option<&RestrictedIsometry>,
        previous: Option<&RestrictedIsometry>,
    ) -> Result<RestrictedIsometry> {
        let formation = self.gram.formation_error(k);
        let bounds = self.bounds(k, anchor);
        let exact = self.can_enumerate(k);
        let (high, high_bound) = self.end(k, End::Largest, exact, previous.map(|r| &r.witness_max))?;
        let (low, low_bound) = if k > self.gram.rows() {
            // More columns than rows are dependent: no need to look.
            let first = complete(Vec::new(), k, self.gram.order());
            let nothing = Candidate {
                support: first,
                value: 0.0,
                error: 0.0,
            };
            (nothing, Some(0.0))
        } else {
            self.end(k, End::Smallest, exact, previous.map(|r| &r.witness_min))?
        };
        let lambda_max = Bracket {
            lower: (high.value - high.error - formation).max(0.0),
            upper: high_bound.map_or(bounds.upper, |b| b.min(bounds.upper)) + formation,
        };
        let dependent = k > self.gram.rows();
        let lambda_min = Bracket {
            lower: match low_bound {
                _ if dependent => 0.0,
                Some(b) => ((-b).max(bounds.lower) - formation).max(0.0),
                None => (bounds.lower - formation).max(0.0),
            },
            upper: if dependent {
                0.0
            } else {
                (-low.value + low.error + formation).max(0.0)
            },
        };
        let (from_max, from_min) = (lambda_max.lower - 1.0, 1.0 - lambda_min.upper);
        let lower = from_max.max(from_min).next_down().max(0.0);
        let upper = (lambda_max.upper - 1.0).max(1.0 - lambda_min.lower).next_up();
        let attained = (high.value - 1.0).max(1.0 + low.value);
        let n = self.gram.order();
        let witness_max = Support::new(high.support, n)?;
        let witness_min = Support::new(low.support, n)?;
        Ok(RestrictedIsometry {
            order: k,
            lower,
            upper,
            exact: exact.then_some(attained.clamp(lower, upper)),
            lambda_min,
            lambda_max,
            witness: if from_max >= from_min {
                witness_max.clone()
            } else {
                witness_min.clone()
            },
            witness_min,
            witness_max,
        })
    }

    /// The best support found at one end and, when all were examined, the bound proven for all.
    fn end(&self, k: usize, end: End, exact: bool, previous: Option<&Support>) -> Result<(Candidate, Option<f64>)> {
        let gram = &self.gram;
        if k == 1 {
            let n = gram.order();
            let j = crate::support::largest_by(1, 0..n, |j| end.sign() * gram.at(j, j))[0];
            let value = end.sign() * gram.at(j, j);
            let best = Candidate {
                support: vec![j],
                value,
                error: 0.0,
            };
            return Ok((best, Some(value)));
        }
        // The shift must make `shift · I − G` positive semidefinite on vectors with 2k nonzeros for a monotone climb;
        // the whole spectrum is enough for that.
        let shift = self.whole.upper;
        let seed = self
            .seed
            .stream(if end == End::Largest { "largest" } else { "smallest" });
        let mut best = best_support(gram, k, end, shift, self.settings.max_starts, &seed)?;
        if let Some(previous) = previous {
            // Keeps lower bounds monotone in k: a superset of the last witness attains at least as much.
            let mut submatrices = Submatrices::new(gram);
            let found = climb(&mut submatrices, gram, previous.indices().to_vec(), k, end, shift)?;
            if found.value > best.value {
                best = found;
            }
        }
        if !exact {
            return Ok((best, None));
        }
        let proof = enumerate(gram, k, end, shift, best)?;
        Ok((proof.best, Some(proof.bound)))
    }

    /// Bounds of both ends over all supports of order k without looking at supports, for G as computed.
    fn bounds(&self, k: usize, anchor: Option<&RestrictedIsometry>) -> Bracket {
        let gram = &self.gram;
        let n = gram.order();
        let (d_min, d_max) = (gram.smallest_diagonal(), gram.largest_diagonal());
        // Sums of k terms of size at most d_max.
        let rounding = (2 * k + 16) as f64 * f64::EPSILON * gram.largest_trace(k);
        if k == 1 {
            return Bracket {
                lower: d_min,
                upper: d_max,
            };
        }
        let mut upper = gram.largest_trace(k);
        let mut lower = 0.0f64;
        // Gershgorin with the k − 1 largest neighbours: every disc of every G_S lies within that of its column.
        let (mut disc_high, mut disc_low) = (0.0f64, f64::MAX);
        for j in 0..n {
            let radius = self.neighbours.partial_sums(j).nth(k - 2).unwrap_or(f64::MAX);
            disc_high = disc_high.max(gram.at(j, j) + radius);
            disc_low = disc_low.min(gram.at(j, j) - radius);
        }
        upper = upper.min(disc_high);
        lower = lower.max(disc_low);
        // G_S = D C D with D the column norms and C the cosines: λ_max ≤ d_max λ_max(C), λ_min ≥ d_min λ_min(C).
        let babel = self.cosines.largest_partial_sums()[k - 2];
        upper = upper.min(d_max * (1.0 + babel));
        if babel < 1.0 {
            lower = lower.max(d_min * (1.0 - babel));
        }
        // Principal submatrices interlace with the whole.
        upper = upper.min(self.whole.upper);
        lower = lower.max(self.whole.lower);
        if let Some(anchor) = anchor.filter(|r| 2 <= r.order && r.order < k) {
            // Each pair of S lies in C(k−2, l−2) of its l-subsets T, each index in C(k−1, l−1) of them. So
            // xᵀG_S x = Σ_T xᵀG_T x / C(k−2, l−2) − (k−l)/(l−1) Σ d_i x_i², and Σ_T ‖x_T‖² = C(k−1, l−1)‖x‖².
            let l = anchor.order as f64;
            let ratio = (k as f64 - 1.0) / (l - 1.0);
            let excess = (k as f64 - l) / (l - 1.0);
            let spare = rounding * (1.0 + ratio);
            upper = upper.min(ratio * anchor.lambda_max.upper - excess * d_min + spare);
            lower = lower.max(ratio * anchor.lambda_min.lower - excess * d_max - spare);
        }
        Bracket {
            lower: (lower - rounding).max(0.0),
            upper: upper + rounding,
        }
    }
}

/// An interval around the spectrum of G: from its eigenvalues where that is cheap, else 0 and Gershgorin's bound.
fn whole_spectrum(a: &DMatrix<f64>, g: &GramMatrix) -> Result<Bracket> {
    let (m, n) = a.shape();
    // `‖G‖` by rows, never below the largest eigenvalue.
    let row_sums = (0..n).map(|j| g.column(j).iter().map(|v| v.abs()).sum::<f64>());
    let by_rows = row_sums.fold(0.0, f64::max) * (1.0 + 4.0 * n as f64 * f64::EPSILON);
    let order = m.min(n);
    if order > WHOLE_SPECTRUM_UP_TO {
        return Ok(Bracket {
            lower: 0.0,
            upper: by_rows,
        });
    }
    let values = if n <= m {
        symmetric_eigenvalues(&g.entries)?
    } else {
        symmetric_eigenvalues(&gram(&a.transpose()))?
    };
    // Forming either Gram matrix errs by (m + n) ε trace, the eigenvalues by 16 order² ε ‖·‖.
    let trace = g.largest_trace(n);
    let error = ((m + n + 4) as f64 * trace + 16.0 * (order * order) as f64 * values[order - 1].abs()) * f64::EPSILON;
    Ok(Bracket {
        lower: if n <= m { (values[0] - error).max(0.0) } else { 0.0 },
        upper: (values[order - 1] + error).min(by_rows),
    })
}

#[cfg(test)]
#[path = "isometry_tests.rs"]
mod tests;
