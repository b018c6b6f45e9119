//! The exact recovery condition and the irrepresentable condition, of one support and of all.

use super::column_gram::ColumnGram;
use super::regression::{Bounds, Regression};
use crate::error::{Error, Result, require_finite};
use crate::estimators::Estimator;
use crate::estimators::subsets::{check_count, check_order, choose, for_each_subset};
use crate::operators::MeasurementOperator;
use crate::outcome::{Certainty, Estimate};
use crate::seed::Seed;
use crate::support::Support;

/// What a condition compares with 1, with every rounding counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConditionValue {
    /// As computed; infinite where the columns of the support are not shown to be independent.
    pub value: f64,
    /// Proven: not above the true value.
    pub lower: f64,
    /// Proven: not below the true value; infinite where the columns of the support are not shown to be independent.
    pub upper: f64,
    /// The column off the support that attains the value; none where no column has any correlation with the support.
    pub column: Option<usize>,
}

impl ConditionValue {
    /// The condition is proven to hold.
    pub fn holds(&self) -> bool {
        self.upper < 1.0
    }

    /// The condition is proven not to hold.
    pub fn fails(&self) -> bool {
        self.lower >= 1.0
    }

    fn of(bounds: Option<Bounds>) -> Self {
        match bounds {
            Some(b) => ConditionValue {
                value: b.value,
                lower: b.lower,
                upper: b.upper,
                column: (b.value > 0.0).then_some(b.column),
            },
            None => ConditionValue {
                value: f64::INFINITY,
                lower: 0.0,
                upper: f64::INFINITY,
                column: None,
            },
        }
    }
}

fn checked_support(gram: &ColumnGram, support: &[usize]) -> Result<Vec<usize>> {
    if support.is_empty() {
        return Err(Error::argument("support", "at least one column", "none"));
    }
    Ok(Support::new(support.to_vec(), gram.columns())?.indices().to_vec())
}

/// The exact recovery coefficient of a support, `max_{j∉S} ‖A_S⁺ aⱼ‖₁ = max_{j∉S} ‖G_SS⁻¹ G_Sj‖₁`.
///
/// Below 1, orthogonal matching pursuit and basis pursuit recover every vector with this support (Tropp 2004, theorem 3.1,
/// for unit columns; for basis pursuit the lengths may differ). It is the largest [`irrepresentable_value`] over all signs.
///
/// ```
/// use nalgebra::dmatrix;
/// use ticketsense::estimators::{ColumnGram, exact_recovery_value};
/// // Equal correlations ϱ: kϱ/(1 + (k − 1)ϱ), here 1/1.5.
/// let gram = ColumnGram::given(&dmatrix![1.0, 0.5, 0.5; 0.5, 1.0, 0.5; 0.5, 0.5, 1.0])?;
/// let value = exact_recovery_value(&gram, &[0, 1])?;
/// assert!((value.value - 2.0 / 3.0).abs() < 1e-15 && value.holds());
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for an empty support, a repeated column or one that there is not.
pub fn exact_recovery_value(gram: &ColumnGram, support: &[usize]) -> Result<ConditionValue> {
    let support = checked_support(gram, support)?;
    let mut regression = Regression::default();
    let shown = regression.onto(gram, &support);
    Ok(ConditionValue::of(shown.then(|| regression.largest())))
}

/// The irrepresentable value of a signed support, `max_{j∉S} |G_jS G_SS⁻¹ z|`.
///
/// With the Gram matrix of the columns, below 1 it makes `ν = A_S(A_SᵀA_S)⁻¹z` a dual certificate of basis pursuit (Fuchs
/// 2004); with that of the population it is the condition for the LASSO to find the signs, sufficient below 1 and
/// necessary up to 1 (Zhao & Yu 2006); with the Fisher information it is the one for a generalised linear model
/// (Ravikumar, Wainwright & Lafferty 2010).
///
/// ```
/// use nalgebra::dmatrix;
/// use ticketsense::estimators::{ColumnGram, irrepresentable_value};
/// // The third is two thirds of both others and a third of something else.
/// let t = 2.0 / 3.0;
/// let gram = ColumnGram::given(&dmatrix![1.0, 0.0, t; 0.0, 1.0, t; t, t, 1.0])?;
/// assert!((irrepresentable_value(&gram, &[0, 1], &[1.0, 1.0])?.value - 4.0 / 3.0).abs() < 1e-15);
/// assert!(irrepresentable_value(&gram, &[0, 1], &[1.0, -1.0])?.value < 1e-15);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// As [`exact_recovery_value`]; when there is not a sign, +1 or −1, for each column of the support, in its order.
pub fn irrepresentable_value(gram: &ColumnGram, support: &[usize], signs: &[f64]) -> Result<ConditionValue> {
    require_finite("signs", signs)?;
    if signs.len() != support.len() {
        return Err(Error::shape(
            "signs",
            format!("{} as the support has columns", support.len()),
            signs.len(),
        ));
    }
    if let Some(wrong) = signs.iter().find(|z| z.abs() != 1.0) {
        return Err(Error::argument("signs", "+1 or -1", wrong));
    }
    let ascending = checked_support(gram, support)?;
    let sign_of = |j: &usize| {
        let pairs = support.iter().zip(signs);
        pairs.filter(|(i, _)| *i == j).map(|(_, z)| *z).sum::<f64>()
    };
    let signs: Vec<f64> = ascending.iter().map(sign_of).collect();
    let mut regression = Regression::default();
    let shown = regression.onto(gram, &ascending);
    Ok(ConditionValue::of(shown.then(|| regression.largest_for(&signs))))
}

/// The exact recovery coefficient of all supports of order k, `max_{|S|=k} max_{j∉S} ‖A_S⁺ aⱼ‖₁`, by enumeration.
///
/// Below 1, basis pursuit recovers every vector with k nonzeros, and so does orthogonal matching pursuit where columns
/// have one length or are normalised. Cost: about `2k²n` operations for each of `C(n, k)` supports.
#[derive(Clone, Debug, PartialEq)]
pub struct ExactRecovery {
    /// The order k.
    pub nonzeros: usize,
    /// The most supports to enumerate; a larger number is refused.
    pub max_supports: u64,
}

impl Default for ExactRecovery {
    /// Two nonzeros, at most a million supports.
    fn default() -> Self {
        ExactRecovery {
            nonzeros: 2,
            max_supports: 1_000_000,
        }
    }
}

/// The exact recovery condition over all supports of an order.
#[derive(Clone, Debug, PartialEq)]
pub struct ExactRecoveryCoefficient {
    /// The largest value, with proven bounds.
    pub largest: ConditionValue,
    /// The first support that attains it.
    pub support: Vec<usize>,
    /// Supports that are proven to fulfil the condition.
    pub holding: u64,
    /// Supports that are proven not to fulfil it, although their columns are independent.
    pub failing: u64,
    /// `C(n, k)`; the others have dependent columns, or a value within rounding of 1.
    pub supports: u64,
}

impl ExactRecovery {
    /// The coefficient of any Gram matrix.
    ///
    /// # Errors
    /// When there is no support of that order, or more than the limit.
    pub fn of(&self, gram: &ColumnGram) -> Result<ExactRecoveryCoefficient> {
        let n = gram.columns();
        check_order(self.nonzeros, n)?;
        let supports = check_count("supports", choose(n, self.nonzeros), self.max_supports)?;
        let mut out = ExactRecoveryCoefficient {
            largest: ConditionValue {
                value: f64::NEG_INFINITY,
                lower: 0.0,
                upper: 0.0,
                column: None,
            },
            support: Vec::new(),
            holding: 0,
            failing: 0,
            supports,
        };
        let mut regression = Regression::default();
        for_each_subset(n, self.nonzeros, |support| {
            let shown = regression.onto(gram, support);
            let one = ConditionValue::of(shown.then(|| regression.largest()));
            out.holding += u64::from(one.holds());
            out.failing += u64::from(one.fails());
            if one.value > out.largest.value {
                out.largest.value = one.value;
                out.largest.column = one.column;
                out.support = support.to_vec();
            }
            out.largest.lower = out.largest.lower.max(one.lower);
            out.largest.upper = out.largest.upper.max(one.upper);
            Ok(())
        })?;
        Ok(out)
    }
}

impl Estimator for ExactRecovery {
    type Quantity = ExactRecoveryCoefficient;

    fn estimate(&self, a: &dyn MeasurementOperator, _seed: &Seed) -> Result<Estimate<ExactRecoveryCoefficient>> {
        let value = self.of(&ColumnGram::of(a)?)?;
        let certainty = Certainty::Interval {
            lower: value.largest.lower,
            upper: value.largest.upper,
        };
        Ok(Estimate::new(value, certainty, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimators::subsets::sign_patterns;
    use crate::linalg::dense::thin_svd;
    use crate::operators::{DenseOperator, GaussianEnsemble};
    use nalgebra::{DMatrix, dmatrix};
    use proptest::prelude::*;

    fn equicorrelated(n: usize, correlation: f64) -> DMatrix<f64> {
        DMatrix::from_fn(n, n, |i, j| if i == j { 1.0 } else { correlation })
    }

    fn all(gram: &ColumnGram, nonzeros: usize) -> ExactRecoveryCoefficient {
        let estimator = ExactRecovery {
            nonzeros,
            ..Default::default()
        };
        estimator.of(gram).unwrap()
    }

    #[test]
    fn equal_correlations_have_the_value_in_closed_form() {
        for correlation in [0.1, 0.5, 0.9, 0.99] {
            let gram = ColumnGram::given(&equicorrelated(7, correlation)).unwrap();
            for k in 1..=6 {
                let expected = k as f64 * correlation / (1.0 + (k as f64 - 1.0) * correlation);
                let found = all(&gram, k);
                assert!(
                    (found.largest.lower..=found.largest.upper).contains(&expected),
                    "{correlation} {k}"
                );
                // The condition number of the Gram matrix is at most 7/(1 − ϱ).
                let wide = found.largest.upper - found.largest.lower;
                assert!(wide < 1e3 * 7.0 / (1.0 - correlation) * f64::EPSILON, "{wide:e}");
                assert_eq!(found.holding, found.supports);
            }
            // A support of all columns has nothing off it.
            assert_eq!(all(&gram, 7).largest.value, 0.0);
        }
    }

    #[test]
    fn the_pseudoinverse_gives_the_same_values_within_the_bounds() {
        for replicate in 0..6 {
            let a = GaussianEnsemble { rows: 6, columns: 9 }
                .draw(&Seed::root(8).replicate(replicate))
                .unwrap();
            let gram = ColumnGram::of(&a).unwrap();
            for k in 1..=4 {
                let mut largest = 0.0f64;
                for_each_subset(9, k, |support| {
                    let svd = thin_svd(&a.matrix().select_columns(support)).unwrap();
                    let inverse = svd.singular_values.map(|s| 1.0 / s);
                    let pseudo = &svd.v * DMatrix::from_diagonal(&inverse) * svd.u.transpose();
                    let off = (0..9).filter(|j| !support.contains(j));
                    let one = off
                        .map(|j| (&pseudo * a.matrix().column(j)).iter().map(|w| w.abs()).sum::<f64>())
                        .fold(0.0, f64::max);
                    // 1e3 n ε κ of the support, squared in a Gram matrix, is room for both ways to round.
                    let condition = svd.singular_values[0] / svd.singular_values[k - 1];
                    let room = 1e4 * f64::EPSILON * condition * condition * (1.0 + one);
                    let found = exact_recovery_value(&gram, support).unwrap();
                    assert!(found.lower - room <= one && one <= found.upper + room);
                    assert!((found.value - one).abs() <= room);
                    largest = largest.max(one);
                    let over_signs = sign_patterns(k)
                        .map(|z| irrepresentable_value(&gram, support, &z).unwrap().value)
                        .fold(0.0, f64::max);
                    assert!((over_signs - found.value).abs() <= room);
                    Ok(())
                })
                .unwrap();
                let found = all(&gram, k);
                assert!((found.largest.value / largest - 1.0).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn dependent_columns_prove_nothing_and_zero_columns_off_the_support_matter_to_nobody() {
        let a = DenseOperator::new(dmatrix![1.0, 1.0, 0.0, 0.0; 0.0, 0.0, 1.0, 0.0]).unwrap();
        let gram = ColumnGram::of(&a).unwrap();
        let twins = exact_recovery_value(&gram, &[0, 1]).unwrap();
        assert!(!twins.holds() && !twins.fails() && twins.value.is_infinite());
        // The twin of the first is represented by it: exactly 1, which is neither below nor proven to be.
        let one = exact_recovery_value(&gram, &[0]).unwrap();
        assert!((one.value - 1.0).abs() < 1e-15 && !one.holds());
        assert!(!exact_recovery_value(&gram, &[3]).unwrap().holds());
        let other = exact_recovery_value(&gram, &[2]).unwrap();
        assert!(other.holds() && other.column.is_none());
    }

    #[test]
    fn a_long_column_counts_as_long() {
        // At an angle of cosine 0.6 but three times as long: 1.8 of the first explains it.
        let a = DenseOperator::new(dmatrix![1.0, 1.8; 0.0, 2.4]).unwrap();
        let gram = ColumnGram::of(&a).unwrap();
        let value = exact_recovery_value(&gram, &[0]).unwrap();
        assert!((value.value - 1.8).abs() < 1e-14 && value.fails());
        let unit = exact_recovery_value(&gram.normalised(), &[0]).unwrap();
        assert!((unit.value - 0.6).abs() < 1e-15 && unit.holds());
    }

    #[test]
    fn signs_follow_their_columns_and_what_does_not_fit_is_refused() {
        let gram = ColumnGram::given(&dmatrix![1.0, 0.0, 0.7; 0.0, 1.0, 0.2; 0.7, 0.2, 1.0]).unwrap();
        let value = |support: &[usize], signs: &[f64]| irrepresentable_value(&gram, support, signs).unwrap().value;
        assert_eq!(value(&[0, 1], &[1.0, -1.0]), value(&[1, 0], &[-1.0, 1.0]));
        assert!((value(&[1, 0], &[-1.0, 1.0]) - 0.5).abs() < 1e-15);
        assert!(irrepresentable_value(&gram, &[0, 1], &[1.0]).is_err());
        assert!(irrepresentable_value(&gram, &[0, 1], &[1.0, 0.5]).is_err());
        assert!(exact_recovery_value(&gram, &[]).is_err() && exact_recovery_value(&gram, &[0, 0]).is_err());
        assert!(exact_recovery_value(&gram, &[3]).is_err());
        assert!(
            ExactRecovery {
                nonzeros: 4,
                ..Default::default()
            }
            .of(&gram)
            .is_err()
        );
    }

    proptest! {
        #[test]
        fn bounds_hold_the_value_whatever_the_lengths_of_the_columns(seed in 0u64..1000, k in 1usize..4, decades in 0.0..8.0f64) {
            let a = GaussianEnsemble { rows: 5, columns: 7 }.draw(&Seed::root(seed)).unwrap();
            let mut scaled = a.matrix().clone();
            for (j, mut column) in scaled.column_iter_mut().enumerate() {
                // Powers of two, so that the true value is scaled exactly.
                column *= 2f64.powi((decades * j as f64) as i32);
            }
            let support: Vec<usize> = (0..k).collect();
            let gram = ColumnGram::of(&DenseOperator::new(scaled).unwrap()).unwrap();
            let scaled = exact_recovery_value(&gram, &support).unwrap();
            prop_assert!(scaled.lower <= scaled.value && scaled.value <= scaled.upper);
            let unit = ColumnGram::of(&a).unwrap();
            let mut regression = Regression::default();
            prop_assert!(regression.onto(&unit, &support));
            let last = exact_recovery_value(&gram.normalised(), &support).unwrap();
            let same = exact_recovery_value(&unit.normalised(), &support).unwrap();
            prop_assert!(last.lower <= same.upper && same.lower <= last.upper);
        }
    }
}
