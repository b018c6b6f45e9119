//! What becomes of every signed support of a small matrix under basis pursuit.

use super::column_gram::ColumnGram;
use super::facets::Facets;
use super::kernel::KernelVectors;
use super::regression::Regression;
use crate::error::{Result, require_finite};
use crate::estimators::Estimator;
use crate::estimators::subsets::{check_count, check_order, choose, for_each_subset, sign_patterns};
use crate::operators::{DenseOperator, MeasurementOperator};
use crate::outcome::{Certainty, Estimate};
use crate::recovery::{PlantedTest, PlantedVerdict};
use crate::seed::Seed;

/// Counts the signed supports of order k that basis pursuit recovers, by enumeration.
///
/// Whether `min ‖x‖₁` subject to `A x = A x₀` has x₀ as its only solution depends on the support and the signs of x₀ alone,
/// and x₀ fares as −x₀ does, so `2^(k−1) C(n, k)` signed supports decide for every vector with exactly k nonzeros. Each is
/// first tried with the least squares dual vector `ν = A_S(A_SᵀA_S)⁻¹z`: `max_{j∉S} |aⱼᵀν| < 1` is the irrepresentable
/// condition, and proves recovery (Fuchs 2004). Where it fails, larger signed supports found before to be recovered are
/// tried as certificates, and vectors of the kernel found before as counterexamples; last [`PlantedTest`] decides. A column that is zero, or equals another up to its sign, is exactly
/// ambiguous, and so is every signed support that touches it. All verdicts count rounding; ties are left undecided.
///
/// The value of the estimate is the counts; its certainty is that of the fraction recovered. Cost: `2k²n` operations a
/// support for the first test; some tens of microseconds for each signed support that is left to the last, in twelve dimensions.
///
/// ```
/// use nalgebra::dmatrix;
/// use ticketsense::{Seed, estimators::{Estimator, SignedSupports}, operators::DenseOperator};
/// // A unit of y is cheaper through the second column, so only that one is recovered.
/// let a = DenseOperator::new(dmatrix![1.0, 2.0])?;
/// let counts = SignedSupports { nonzeros: 1, ..Default::default() }.estimate(&a, &Seed::root(0))?.value;
/// assert_eq!((counts.total, counts.recovered, counts.not_recovered), (2, 1, 1));
/// assert_eq!(counts.first_not_recovered.unwrap().support, [0]);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SignedSupports {
    /// The order k.
    pub nonzeros: usize,
    /// The most signed supports to enumerate; a larger number is refused.
    pub max_problems: u64,
}

impl Default for SignedSupports {
    /// Two nonzeros, at most a million signed supports.
    fn default() -> Self {
        SignedSupports {
            nonzeros: 2,
            max_problems: 1_000_000,
        }
    }
}

/// A support and the signs of the nonzeros on it.
#[derive(Clone, Debug, PartialEq)]
pub struct SignedSupport {
    /// Columns, ascending.
    pub support: Vec<usize>,
    /// ±1 for each, the first +1.
    pub signs: Vec<f64>,
}

/// How many signed supports of one order there are, and what becomes of them. All counts are up to the sign of the whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SignedSupportCounts {
    /// `2^(k−1) C(n, k)`.
    pub total: u64,
    /// Those that basis pursuit is proven to recover.
    pub recovered: u64,
    /// Those that it is proven not to recover: another vector with the same measurements is as short or shorter.
    pub not_recovered: u64,
    /// The others: ties, or margins within rounding.
    pub undecided: u64,
    /// Those that are proven to fulfil the irrepresentable condition; all are among the recovered.
    pub irrepresentable: u64,
    /// Supports all whose signs are proven to fulfil it, which is the exact recovery condition: at most `C(n, k)`.
    pub exact_recovery_supports: u64,
    /// Supports all whose signs are proven to be recovered.
    pub recovered_supports: u64,
    /// `C(n, k)`.
    pub supports: u64,
    /// The first signed support, in lexicographic order, that is proven not to be recovered.
    pub first_not_recovered: Option<SignedSupport>,
    /// The first that is recovered without fulfilling the irrepresentable condition.
    pub first_recovered_otherwise: Option<SignedSupport>,
    /// How often [`PlantedTest`] had to decide.
    pub planted_tests: u64,
}

impl SignedSupportCounts {
    /// `recovered / total`: a proven lower bound of the fraction recovered, and the fraction where nothing is undecided.
    pub fn fraction(&self) -> f64 {
        self.recovered as f64 / self.total as f64
    }

    /// Whether every vector with k nonzeros is proven to be recovered.
    pub fn all_recovered(&self) -> bool {
        self.recovered == self.total
    }

    /// Whether every support of order k is proven to fulfil the exact recovery condition.
    pub fn all_exact_recovery(&self) -> bool {
        self.exact_recovery_supports == self.supports
    }

    fn count_all_signs(&mut self, signs: u64) {
        self.recovered += signs;
        self.irrepresentable += signs;
        self.exact_recovery_supports += 1;
    }
}

impl Estimator for SignedSupports {
    type Quantity = SignedSupportCounts;

    fn estimate(&self, a: &dyn MeasurementOperator, _seed: &Seed) -> Result<Estimate<SignedSupportCounts>> {
        let (n, k) = (a.shape().columns, self.nonzeros);
        check_order(k, n)?;
        let supports = choose(n, k);
        let total = supports.and_then(|s| s.checked_mul(1u64.checked_shl(k as u32 - 1)?));
        let mut counts = SignedSupportCounts {
            total: check_count("signed supports", total, self.max_problems)?,
            supports: supports.unwrap_or(0),
            ..Default::default()
        };
        let dense = DenseOperator::new(a.to_dense())?;
        require_finite("matrix", dense.matrix().as_slice())?;
        let gram = ColumnGram::of(&dense)?;
        let mut walk = Walk {
            ambiguous: ambiguous_columns(&dense),
            kernel: KernelVectors::new(&dense),
            facets: Facets::default(),
            patterns: sign_patterns(k).collect(),
            regression: Regression::default(),
            gram,
            a: dense,
        };
        for_each_subset(n, k, |support| walk.support(support, &mut counts))?;
        let certainty = match counts.undecided {
            0 => Certainty::Exact,
            undecided => Certainty::Interval {
                lower: counts.fraction(),
                upper: (counts.recovered + undecided) as f64 / counts.total as f64,
            },
        };
        Ok(Estimate::new(counts, certainty, 1.0))
    }
}

/// Columns that are zero or equal another up to sign, entry by entry.
fn ambiguous_columns(a: &DenseOperator) -> Vec<bool> {
    let matrix = a.matrix();
    let n = matrix.ncols();
    let same = |i: usize, j: usize| {
        let pairs = || matrix.column(i).into_iter().zip(matrix.column(j));
        pairs().all(|(x, y)| x == y) || pairs().all(|(x, y)| *x == -*y)
    };
    (0..n)
        .map(|i| matrix.column(i).iter().all(|v| *v == 0.0) || (0..n).any(|j| j != i && same(i, j)))
        .collect()
}

/// What is kept from support to support.
struct Walk {
    a: DenseOperator,
    gram: ColumnGram,
    ambiguous: Vec<bool>,
    kernel: KernelVectors,
    facets: Facets,
    patterns: Vec<Vec<f64>>,
    regression: Regression,
}

impl Walk {
    fn support(&mut self, support: &[usize], counts: &mut SignedSupportCounts) -> Result<()> {
        let signs = self.patterns.len() as u64;
        if support.iter().any(|&j| self.ambiguous[j]) {
            counts.not_recovered += signs;
            counts.first_not_recovered.get_or_insert_with(|| SignedSupport {
                support: support.to_vec(),
                signs: self.patterns[0].clone(),
            });
            return Ok(());
        }
        let independent = self.regression.onto(&self.gram, support);
        if independent && self.regression.largest().upper < 1.0 {
            counts.count_all_signs(signs);
            counts.recovered_supports += 1;
            return Ok(());
        }
        let mut all = true;
        for pattern in &self.patterns {
            if independent && self.regression.largest_for(pattern).upper < 1.0 {
                counts.recovered += 1;
                counts.irrepresentable += 1;
                continue;
            }
            let signed = || SignedSupport {
                support: support.to_vec(),
                signs: pattern.clone(),
            };
            if self.facets.certifies(support, pattern) {
                counts.recovered += 1;
                counts.first_recovered_otherwise.get_or_insert_with(signed);
                continue;
            }
            if self.kernel.refutes(support, pattern) {
                all = false;
                counts.not_recovered += 1;
                counts.first_not_recovered.get_or_insert_with(signed);
                continue;
            }
            let mut planted = vec![0.0; self.a.shape().columns];
            support.iter().zip(pattern).for_each(|(&j, z)| planted[j] = *z);
            counts.planted_tests += 1;
            match PlantedTest::default().run(&self.a, &planted)?.verdict {
                PlantedVerdict::Recovered { dual, .. } => {
                    self.facets.learn(&self.a, &self.gram, support, pattern, &dual);
                    counts.recovered += 1;
                    counts.first_recovered_otherwise.get_or_insert_with(signed);
                }
                PlantedVerdict::Beaten { better, .. } => {
                    all = false;
                    counts.not_recovered += 1;
                    counts.first_not_recovered.get_or_insert_with(signed);
                    planted.iter_mut().zip(&better).for_each(|(x, b)| *x = b - *x);
                    self.kernel.learn(&self.a, &planted);
                }
                PlantedVerdict::Undecided => {
                    all = false;
                    counts.undecided += 1;
                }
            }
        }
        counts.recovered_supports += u64::from(all);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::reference::least_dual_maximum;
    use super::*;
    use crate::operators::GaussianEnsemble;
    use nalgebra::{DMatrix, dmatrix};

    fn counts(a: &DMatrix<f64>, nonzeros: usize) -> SignedSupportCounts {
        let a = DenseOperator::new(a.clone()).unwrap();
        let estimator = SignedSupports {
            nonzeros,
            ..Default::default()
        };
        estimator.estimate(&a, &Seed::root(0)).unwrap().value
    }

    #[test]
    fn every_count_is_that_of_linear_programs_solved_one_by_one() {
        for (replicate, (rows, columns)) in [(4, 8), (5, 9), (6, 9), (8, 10)].into_iter().enumerate() {
            let seed = Seed::root(5).replicate(replicate as u64);
            let a = GaussianEnsemble { rows, columns }.draw(&seed).unwrap();
            for k in 1..=3 {
                let mut recovered = 0;
                for_each_subset(columns, k, |support| {
                    for signs in sign_patterns(k) {
                        recovered += u64::from(least_dual_maximum(a.matrix(), support, &signs) < 1.0);
                    }
                    Ok(())
                })
                .unwrap();
                let counts = counts(a.matrix(), k);
                assert_eq!(
                    (counts.recovered, counts.undecided),
                    (recovered, 0),
                    "{rows}×{columns}, {k}"
                );
                assert_eq!(counts.total, counts.recovered + counts.not_recovered);
                assert!(counts.irrepresentable <= counts.recovered);
            }
        }
    }

    #[test]
    fn columns_that_equal_another_are_never_recovered_and_the_rest_may_be() {
        let a = dmatrix![1.0, -1.0, 0.0, 0.0, 0.5; 0.0, 0.0, 1.0, 0.0, 0.1; 0.0, 0.0, 0.0, 0.0, 0.2];
        let counts = counts(&a, 1);
        // The first two are opposite, the fourth is zero.
        assert_eq!((counts.total, counts.not_recovered), (5, 3));
        assert_eq!((counts.recovered, counts.undecided), (2, 0));
    }

    #[test]
    fn a_long_column_beats_short_parallel_ones() {
        let a = dmatrix![1.0, 2.0, 0.0; 0.0, 0.0, 1.0];
        let counts = counts(&a, 1);
        assert_eq!((counts.recovered, counts.not_recovered), (2, 1));
        assert_eq!(counts.first_not_recovered.unwrap().support, [0]);
    }

    #[test]
    fn columns_that_coherence_certifies_at_unit_length_are_lost_at_others() {
        // Three lines at 60°, μ = ½: one nonzero is certified.
        let h = 0.75f64.sqrt();
        let unit = dmatrix![1.0, -0.5, -0.5; 0.0, h, -h];
        assert!(counts(&unit, 1).all_recovered());
        let mut stretched = unit.clone();
        stretched.column_mut(1).scale_mut(8.0);
        stretched.column_mut(2).scale_mut(8.0);
        // −(a₂ + a₃)/8 is the first, for a quarter of the price.
        let lost = counts(&stretched, 1);
        assert_eq!((lost.recovered, lost.not_recovered), (2, 1));
    }

    #[test]
    fn a_tie_is_left_undecided() {
        // The third is half the sum of the first two: any mixture is as short.
        let counts = counts(&dmatrix![1.0, 0.0, 0.5; 0.0, 1.0, 0.5], 1);
        assert_eq!((counts.recovered, counts.undecided), (2, 1));
    }

    #[test]
    fn independent_columns_recover_everything() {
        let a = GaussianEnsemble { rows: 7, columns: 6 }.draw(&Seed::root(3)).unwrap();
        for k in 1..=6 {
            assert!(counts(a.matrix(), k).all_recovered(), "{k}");
        }
    }

    #[test]
    fn what_cannot_be_enumerated_is_refused() {
        let a = GaussianEnsemble { rows: 7, columns: 60 }.draw(&Seed::root(3)).unwrap();
        let of = |nonzeros, max_problems| SignedSupports { nonzeros, max_problems }.estimate(&a, &Seed::root(0));
        assert!(of(0, 10).is_err() && of(61, 10).is_err());
        assert!(of(3, 1000).is_err() && of(30, u64::MAX).is_err());
        assert!(of(1, 60).is_ok());
    }
}
