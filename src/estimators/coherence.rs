//! Mutual coherence and the Babel function.

use super::Estimator;
use super::scan::UnitColumns;
use crate::error::{Error, Result};
use crate::operators::MeasurementOperator;
use crate::outcome::Estimate;
use crate::seed::Seed;

/// The mutual coherence `μ = max_{i<j} |⟨aᵢ, aⱼ⟩| / (‖aᵢ‖ ‖aⱼ‖)`.
///
/// Columns are brought to unit norm inside. Zero columns have no direction: they are left out, counted and reported, and
/// μ is that of the others; an operator with a zero column recovers nothing on it, whatever μ is. Cost: `m n²`
/// operations in blocks, no random choice. Source: Donoho & Huo 2001.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coherence;

/// The coherence and the pair of columns that attains it.
#[derive(Clone, Debug, PartialEq)]
pub struct MutualCoherence {
    /// μ of the nonzero columns, in [0, 1]; 0 when there are fewer than two.
    pub value: f64,
    /// Rounding error of `value`: `(m + 4) ε`.
    pub error_bound: f64,
    /// The pair (i, j), i < j, that attains it, the lexicographically first where several do.
    pub pair: Option<(usize, usize)>,
    /// Number of zero columns, left out.
    pub zero_columns: usize,
}

impl Estimator for Coherence {
    type Quantity = MutualCoherence;

    fn estimate(&self, a: &dyn MeasurementOperator, _seed: &Seed) -> Result<Estimate<MutualCoherence>> {
        let mut unit = UnitColumns::new(a)?;
        let live = unit.live.clone();
        let mut largest = Largest::default();
        unit.scan(|block| {
            for c in block.columns.clone() {
                largest.offer_column(block.before(c), &live[block.rows.clone()], live[c]);
            }
        })?;
        let quantity = MutualCoherence {
            value: largest.value.min(1.0),
            error_bound: unit.cosine_error(),
            pair: largest.pair,
            zero_columns: unit.zero.len(),
        };
        Ok(Estimate::exact(quantity, unit.applications()))
    }
}

/// The largest absolute cosine so far, and its first pair.
#[derive(Debug, Default)]
struct Largest {
    value: f64,
    pair: Option<(usize, usize)>,
}

impl Largest {
    fn offer_column(&mut self, cosines: &[f64], rows: &[usize], column: usize) {
        let best = cosines
            .iter()
            .fold(0.0f64, |m, c| if c.abs() > m { c.abs() } else { m });
        if best < self.value || cosines.is_empty() {
            return;
        }
        if let Some(r) = cosines.iter().position(|c| c.abs() == best) {
            let pair = (rows[r], column);
            if best > self.value || self.pair.is_none_or(|p| pair < p) {
                self.value = best;
                self.pair = Some(pair);
            }
        }
    }
}

/// The Babel function `μ₁(k) = max_i max_{|S| = k, i ∉ S} Σ_{j∈S} |⟨aᵢ, aⱼ⟩|` of the unit-normalised columns, for
/// `k = 1 … max_order`; `μ₁(1)` is the coherence.
///
/// Zero columns are left out, counted and reported, as for [`Coherence`]. Cost: `m n²` operations in blocks and the
/// `max_order` largest cosines of every column. Source: Tropp 2004, *Greed is good*, eq. (2.3); also called the
/// cumulative coherence or ℓ₁-coherence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Babel {
    /// The largest k.
    pub max_order: usize,
}

/// The Babel function and the coherence behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct BabelFunction {
    /// `μ₁(1), …, μ₁(max_order)`; constant once k reaches the number of other nonzero columns.
    pub values: Vec<f64>,
    /// The coherence, μ₁(1), with the pair that attains it.
    pub coherence: MutualCoherence,
}

impl BabelFunction {
    /// `μ₁(k)`, with `μ₁(0) = 0`; nothing beyond the orders asked for.
    pub fn at(&self, k: usize) -> Option<f64> {
        if k == 0 {
            Some(0.0)
        } else {
            self.values.get(k - 1).copied()
        }
    }

    /// A number that `μ₁(k)` does not exceed, rounding included: each of k cosines errs by the coherence's error bound,
    /// and adding them up by `k ε` of the sum.
    pub fn upper(&self, k: usize) -> Option<f64> {
        let slack = k as f64 * self.coherence.error_bound;
        self.at(k).map(|v| (v + slack) * (1.0 + k as f64 * f64::EPSILON))
    }
}

impl Estimator for Babel {
    type Quantity = BabelFunction;

    fn estimate(&self, a: &dyn MeasurementOperator, _seed: &Seed) -> Result<Estimate<BabelFunction>> {
        if self.max_order == 0 {
            return Err(Error::argument("order of the Babel function", "at least 1", 0));
        }
        let mut unit = UnitColumns::new(a)?;
        let live = unit.live.clone();
        let depth = self.max_order.min(live.len().saturating_sub(1));
        let mut top = LargestOfEach::new(live.len(), depth);
        let mut largest = Largest::default();
        unit.scan(|block| {
            for c in block.columns.clone() {
                let cosines = block.before(c);
                largest.offer_column(cosines, &live[block.rows.clone()], live[c]);
                for (r, cosine) in block.rows.clone().zip(cosines) {
                    top.offer(r, cosine.abs());
                    top.offer(c, cosine.abs());
                }
            }
        })?;
        let mut values = top.largest_partial_sums();
        let last = values.last().copied().unwrap_or(0.0);
        values.resize(self.max_order, last);
        let quantity = BabelFunction {
            values,
            coherence: MutualCoherence {
                value: largest.value.min(1.0),
                error_bound: unit.cosine_error(),
                pair: largest.pair,
                zero_columns: unit.zero.len(),
            },
        };
        Ok(Estimate::exact(quantity, unit.applications()))
    }
}

/// The `depth` largest numbers offered to each of `count` rows, descending.
#[derive(Debug)]
pub(super) struct LargestOfEach {
    depth: usize,
    values: Vec<f64>,
}

impl LargestOfEach {
    pub fn new(count: usize, depth: usize) -> Self {
        LargestOfEach {
            depth,
            values: vec![0.0; count * depth],
        }
    }

    #[inline]
    pub fn offer(&mut self, row: usize, value: f64) {
        let list = &mut self.values[row * self.depth..(row + 1) * self.depth];
        if list.last().is_some_and(|last| value > *last) {
            insert_descending(list, value);
        }
    }

    /// The `k` largest of a row, descending, summed for every `k = 1 … depth`.
    pub fn partial_sums(&self, row: usize) -> impl Iterator<Item = f64> + '_ {
        let list = &self.values[row * self.depth..(row + 1) * self.depth];
        list.iter().scan(0.0, |sum, v| {
            *sum += v;
            Some(*sum)
        })
    }

    /// For every `k`, the largest over the rows.
    pub fn largest_partial_sums(&self) -> Vec<f64> {
        let mut out = vec![0.0f64; self.depth];
        for row in 0..self.values.len().checked_div(self.depth).unwrap_or(0) {
            for (o, sum) in out.iter_mut().zip(self.partial_sums(row)) {
                *o = o.max(sum);
            }
        }
        out
    }
}

/// Puts a value into a descending list, the last entry of which is lost.
#[inline(always)]
pub(super) fn insert_descending(list: &mut [f64], value: f64) {
    let mut at = list.len() - 1;
    while at > 0 && list[at - 1] < value {
        list[at] = list[at - 1];
        at -= 1;
    }
    list[at] = value;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::DenseOperator;
    use nalgebra::DMatrix;
    use proptest::prelude::*;
    use rand::RngExt;
    use rand_distr::StandardNormal;

    fn coherence(a: &DMatrix<f64>) -> MutualCoherence {
        let operator = DenseOperator::new(a.clone()).unwrap();
        Coherence.estimate(&operator, &Seed::root(0)).unwrap().value
    }

    fn babel(a: &DMatrix<f64>, max_order: usize) -> BabelFunction {
        let operator = DenseOperator::new(a.clone()).unwrap();
        Babel { max_order }.estimate(&operator, &Seed::root(0)).unwrap().value
    }

    /// The plain double loop.
    fn cosines(a: &DMatrix<f64>) -> DMatrix<f64> {
        DMatrix::from_fn(a.ncols(), a.ncols(), |i, j| {
            (a.column(i).dot(&a.column(j)) / (a.column(i).norm() * a.column(j).norm())).abs()
        })
    }

    fn gaussian(m: usize, n: usize, seed: u64) -> DMatrix<f64> {
        let mut rng = Seed::root(seed).stream("coherence").rng();
        DMatrix::from_fn(m, n, |_, _| rng.sample(StandardNormal))
    }

    #[test]
    fn orthonormal_columns_have_none_and_a_repeated_column_has_one() {
        let mut a = DMatrix::identity(4, 4);
        assert_eq!(coherence(&a).value, 0.0);
        assert_eq!(babel(&a, 3).values, [0.0; 3]);
        let third = a.column(2) * -5.0;
        a.set_column(0, &third);
        let found = coherence(&a);
        assert_eq!((found.value, found.pair), (1.0, Some((0, 2))));
    }

    #[test]
    fn the_three_vectors_of_the_plane_attain_the_welch_bound() {
        // Columns at angles of 120 degrees: |cosine| is 1/2 for every pair, and √((n − m)/(m(n − 1))) = √(1/4).
        let a = DMatrix::from_fn(2, 3, |i, j| {
            let t = j as f64 * 2.0 * std::f64::consts::PI / 3.0;
            if i == 0 { 2.0 * t.cos() } else { 2.0 * t.sin() }
        });
        let found = babel(&a, 4);
        let tolerance = 2.0 * found.coherence.error_bound;
        for (value, expected) in found.values.iter().zip([0.5, 1.0, 1.0, 1.0]) {
            assert!((value - expected).abs() <= 2.0 * tolerance, "{found:?}");
        }
    }

    #[test]
    fn zero_columns_are_counted_and_the_others_answer() {
        let mut a = gaussian(6, 9, 1);
        let without: Vec<usize> = (0..9).filter(|j| ![2, 8].contains(j)).collect();
        a.column_mut(2).fill(0.0);
        a.column_mut(8).fill(0.0);
        let found = coherence(&a);
        let others = coherence(&a.select_columns(&without));
        assert_eq!((found.zero_columns, others.zero_columns), (2, 0));
        assert_eq!(found.value, others.value);
        assert_eq!(
            found.pair,
            others.pair.map(|(i, j)| (without[i], without[j])),
            "positions are those of the whole matrix"
        );
        let nothing = coherence(&DMatrix::zeros(3, 2));
        assert_eq!((nothing.value, nothing.pair, nothing.zero_columns), (0.0, None, 2));
    }

    #[test]
    fn column_scales_from_tiny_to_huge_do_not_matter() {
        let a = gaussian(5, 8, 2);
        let scaled = DMatrix::from_fn(5, 8, |i, j| a[(i, j)] * 2f64.powi(60 * j as i32 - 240));
        assert_eq!(coherence(&a).pair, coherence(&scaled).pair);
        let difference = (coherence(&a).value - coherence(&scaled).value).abs();
        assert!(difference <= 2.0 * coherence(&a).error_bound);
    }

    #[test]
    fn an_order_of_zero_is_refused() {
        let operator = DenseOperator::new(DMatrix::identity(2, 2)).unwrap();
        assert!(Babel { max_order: 0 }.estimate(&operator, &Seed::root(0)).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn both_agree_with_plain_loops_and_with_welch(m in 1usize..8, n in 2usize..12, seed in 0u64..1000) {
            let a = gaussian(m, n, seed);
            let slow = cosines(&a);
            let found = babel(&a, n);
            let tolerance = 2.0 * found.coherence.error_bound;
            let mut expected = vec![0.0f64; n];
            for i in 0..n {
                let mut row: Vec<f64> = (0..n).filter(|&j| j != i).map(|j| slow[(i, j)]).collect();
                row.sort_by(|a, b| b.total_cmp(a));
                row.push(0.0);
                let mut sum = 0.0;
                for (e, r) in expected.iter_mut().zip(row) {
                    sum += r;
                    *e = e.max(sum);
                }
            }
            for k in 1..=n {
                let value = found.at(k).unwrap();
                prop_assert!((value - expected[k - 1]).abs() <= k as f64 * tolerance);
                prop_assert!(found.upper(k).unwrap() >= value);
            }
            let (i, j) = found.coherence.pair.unwrap();
            prop_assert!((slow[(i, j)] - found.coherence.value).abs() <= tolerance);
            prop_assert_eq!(coherence(&a), found.coherence.clone());
            if n > m {
                let welch = ((n - m) as f64 / (m as f64 * (n - 1) as f64)).sqrt();
                prop_assert!(found.coherence.value >= welch - tolerance);
            }
        }
    }
}
