//! Restricted isometry constants as proven intervals.

use super::Estimator;
use super::climb::{Candidate, best_support, climb, complete};
use super::coherence::LargestOfEach;
use super::gram::{End, GramMatrix, Submatrices};
use super::search::{Proof, search};
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
/// - *Lower bound*: truncated power iteration from every column, at both ends, with the support as witness.
/// - *Exact* when branch and bound over the supports shows within `node_limit` nodes that none does better.
/// - *Upper bound* otherwise, the best of: what the search could prove; the exact constant of a smaller order l, averaged
///   over the l-subsets; Gershgorin's discs with the k − 1 largest inner products; the Babel function with the extreme
///   column norms; the whole spectrum; the trace.
///
/// Every end of the interval is rounded outwards, the rounding of the Gram matrix included. Deciding δ_k is NP-hard
/// (Tillmann & Pfetsch 2014). Cost: `2mn²` for the Gram matrix, `8n²` bytes, then at most `node_limit` nodes of up to
/// `4n²` operations at each end.
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
    /// Most nodes of the branch and bound at each end of the spectrum; 0 leaves only the bounds that need no search.
    pub node_limit: u64,
    /// Most starts of truncated power iteration at each end; when there are more columns, the starts are drawn from the
    /// seed.
    pub max_starts: usize,
}

impl RestrictedIsometryConstant {
    /// Order k with the defaults: 100,000 nodes, 1,024 starts.
    pub fn of_order(order: usize) -> Self {
        RestrictedIsometryConstant {
            order,
            node_limit: 100_000,
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
    /// Nodes of the search at both ends.
    pub nodes: u64,
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
        // Smaller orders cost little and bound this one; the first that stays open would not.
        let mut anchor: Option<RestrictedIsometry> = None;
        for l in 2..self.order {
            let smaller = context.constant(l, anchor.as_ref(), anchor.as_ref())?;
            if smaller.exact.is_none() {
                break;
            }
            anchor = Some(smaller);
        }
        let found = context.constant(self.order, anchor.as_ref(), anchor.as_ref())?;
        let certainty = found.certainty();
        Ok(Estimate::new(found, certainty, 1.0))
    }
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

    /// The constant of order k; `anchor` is the exact one of a smaller order, `previous` one of order k − 1.
    fn constant(
        &self,
        k: usize,
        anchor: Option<&RestrictedIsometry>,
        previous: Option<&RestrictedIsometry>,
    ) -> Result<RestrictedIsometry> {
        let formation = self.gram.formation_error(k);
        let bounds = self.bounds(k, anchor);
        let dependent = k > self.gram.rows();
        let high = self.end(k, End::Largest, bounds.upper, previous.map(|r| &r.witness_max))?;
        let low = if dependent {
            // More columns than rows are dependent: no need to look.
            Proof {
                best: Candidate {
                    support: complete(Vec::new(), k, self.gram.order()),
                    value: 0.0,
                    error: 0.0,
                },
                bound: 0.0,
                closed: true,
                nodes: 0,
            }
        } else {
            self.end(k, End::Smallest, -bounds.lower, previous.map(|r| &r.witness_min))?
        };
        let lambda_max = Bracket {
            lower: (high.best.value - high.best.error - formation).max(0.0),
            upper: high.bound.min(bounds.upper) + formation,
        };
        let lambda_min = if dependent {
            Bracket { lower: 0.0, upper: 0.0 }
        } else {
            Bracket {
                lower: ((-low.bound).max(bounds.lower) - formation).max(0.0),
                upper: (-low.best.value + low.best.error + formation).max(0.0),
            }
        };
        let (from_max, from_min) = (lambda_max.lower - 1.0, 1.0 - lambda_min.upper);
        let lower = from_max.max(from_min).next_down().max(0.0);
        let upper = (lambda_max.upper - 1.0).max(1.0 - lambda_min.lower).next_up();
        // The end that decides δ is enough.
        let closed = (high.closed && (low.closed || 1.0 - lambda_min.lower <= from_max))
            || (low.closed && lambda_max.upper - 1.0 <= from_min);
        let attained = (high.best.value - 1.0).max(1.0 + low.best.value);
        let n = self.gram.order();
        let witness_max = Support::new(high.best.support, n)?;
        let witness_min = Support::new(low.best.support, n)?;
        Ok(RestrictedIsometry {
            order: k,
            lower,
            upper,
            exact: closed.then_some(attained.clamp(lower, upper)),
            lambda_min,
            lambda_max,
            nodes: high.nodes + low.nodes,
            witness: if from_max >= from_min {
                witness_max.clone()
            } else {
                witness_min.clone()
            },
            witness_min,
            witness_max,
        })
    }

    /// The best support found at one end, and the bound that was proven for all; `known` is one that holds anyway.
    fn end(&self, k: usize, end: End, known: f64, previous: Option<&Support>) -> Result<Proof> {
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
            return Ok(Proof {
                best,
                bound: value,
                closed: true,
                nodes: 0,
            });
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
        search(gram, k, end, shift, best, known, self.settings.node_limit)
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
