//! How large the nonzeros must be for the LASSO to find them.

use super::column_gram::ColumnGram;
use super::exact_recovery::ConditionValue;
use super::regression::Regression;
use crate::error::{Error, Result};
use crate::support::Support;

/// The least size of the nonzeros on a support above which the LASSO cannot lose one to its own shrinkage:
/// `λ ‖(G_SS/n)⁻¹‖_∞`, for `½n⁻¹‖y − Xw‖² + λ‖w‖₁` and `G = XᵀX` with n rows.
///
/// Where the irrepresentable condition holds and there is no noise, `ŵ_S = w_S − λ(G_SS/n)⁻¹z`, so nonzeros larger than
/// this keep their signs whatever the signs are; noise adds `max |(G_SS/n)⁻¹X_Sᵀε/n|`. With the Gram matrix of a population
/// take n = 1. For orthogonal columns of squared length n it is λ. Infinite where the columns are not shown to be
/// independent. Source: Wainwright 2009, theorem 1.
///
/// ```
/// use nalgebra::dmatrix;
/// use ticketsense::estimators::{ColumnGram, least_signal};
/// // The inverse of [1 ½; ½ 1] is [4/3 −2/3; −2/3 4/3].
/// let gram = ColumnGram::given(&dmatrix![1.0, 0.5; 0.5, 1.0])?;
/// assert!((least_signal(&gram, &[0, 1], 1, 0.1)?.value - 0.2).abs() < 1e-15);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for an empty support, one that does not fit, no rows, or a penalty that is negative or not finite.
pub fn least_signal(gram: &ColumnGram, support: &[usize], rows: usize, penalty: f64) -> Result<ConditionValue> {
    if support.is_empty() {
        return Err(Error::argument("support", "at least one column", "none"));
    }
    if rows == 0 {
        return Err(Error::argument("rows", "at least 1", 0));
    }
    if !(penalty >= 0.0 && penalty.is_finite()) {
        return Err(Error::argument("penalty", "a finite number of at least 0", penalty));
    }
    let support = Support::new(support.to_vec(), gram.columns())?;
    let mut regression = Regression::default();
    let shown = regression.onto(gram, support.indices());
    let scale = rows as f64 * penalty;
    let sums = shown.then(|| regression.inverse_row_sums(gram, support.indices()));
    let mut out = ConditionValue {
        value: 0.0,
        lower: 0.0,
        upper: if shown { 0.0 } else { f64::INFINITY },
        column: None,
    };
    for (&column, (sum, error)) in support.indices().iter().zip(sums.iter().flatten()) {
        if sum * scale > out.value {
            out.value = sum * scale;
            out.column = Some(column);
        }
        let rounding = error * scale + 4.0 * f64::EPSILON * sum * scale;
        out.lower = out.lower.max(sum * scale - rounding);
        out.upper = out.upper.max(sum * scale + rounding);
    }
    if !shown {
        out.value = f64::INFINITY;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::{DenseOperator, GaussianEnsemble, MeasurementOperator};
    use crate::recovery::{Lasso, Penalty, Solver};
    use crate::seed::Seed;
    use nalgebra::{DMatrix, dmatrix};

    #[test]
    fn orthogonal_columns_lose_the_penalty() {
        let gram = ColumnGram::given(&(DMatrix::identity(4, 4) * 25.0)).unwrap();
        let bound = least_signal(&gram, &[1, 3], 25, 0.3).unwrap();
        assert!((bound.value - 0.3).abs() < 1e-15 && bound.lower <= 0.3 && 0.3 <= bound.upper);
    }

    #[test]
    fn nonzeros_above_it_survive_the_lasso_and_one_below_it_may_not() {
        let seed = Seed::root(12);
        let a = GaussianEnsemble { rows: 40, columns: 8 }.draw(&seed).unwrap();
        let (support, penalty) = ([0, 3, 6], 0.01);
        let gram = ColumnGram::of(&a).unwrap();
        let bound = least_signal(&gram, &support, 40, penalty).unwrap();
        let run = |signs: &[f64], size: f64| {
            let mut planted = vec![0.0; 8];
            support.iter().zip(signs).for_each(|(&j, z)| planted[j] = z * size);
            // The solver's objective is n times this one.
            let solver = Lasso {
                tolerance: 1e-12,
                ..Lasso::new(Penalty::Absolute(40.0 * penalty))
            };
            let answer = solver.solve(&a, &a.apply(&planted).unwrap()).unwrap();
            support.iter().zip(signs).all(|(&j, z)| answer.x[j] * z > 0.0)
        };
        let mut lost = 0;
        for signs in crate::estimators::subsets::sign_patterns(3) {
            let value = super::super::irrepresentable_value(&gram, &support, &signs).unwrap();
            assert!(value.holds(), "{value:?}");
            assert!(run(&signs, 1.01 * bound.upper));
            lost += usize::from(!run(&signs, 0.99 * bound.lower));
        }
        // The maximum over the signs is attained by one of them.
        assert!(lost >= 1);
    }

    #[test]
    fn dependent_columns_have_no_least_signal() {
        let a = DenseOperator::new(dmatrix![1.0, 1.0; 2.0, 2.0]).unwrap();
        let gram = ColumnGram::of(&a).unwrap();
        assert!(least_signal(&gram, &[0, 1], 2, 1.0).unwrap().upper.is_infinite());
        assert!(least_signal(&gram, &[], 2, 1.0).is_err());
        assert!(least_signal(&gram, &[0], 0, 1.0).is_err());
        assert!(least_signal(&gram, &[0], 2, f64::NAN).is_err());
    }
}
