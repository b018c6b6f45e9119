//! The smallest number of columns that depend on each other.

use super::column_gram::ColumnGram;
use super::regression::Regression;
use crate::error::{Error, Result};
use crate::estimators::Estimator;
use crate::estimators::subsets::{check_count, check_order, choose, for_each_subset};
use crate::linalg::dense::singular_values;
use crate::operators::MeasurementOperator;
use crate::outcome::{Certainty, Estimate};
use crate::seed::Seed;

/// The spark, the smallest number of dependent columns, by enumeration of all sets of 1, 2, … columns.
///
/// A vector with k nonzeros is the sparsest with its measurements for every support of k columns if and only if
/// `k < spark/2`. That columns are independent is proven with rounding counted. That they are dependent cannot be told in
/// floating point: they count as dependent where the smallest singular value of the unit columns is at most `tolerance`,
/// and as open where it lies above and independence is not proven either. Cost: about `k³` operations for each set of k
/// columns, until one is dependent; no estimator is faster in general (Tillmann & Pfetsch 2014: NP-hard).
#[derive(Clone, Debug, PartialEq)]
pub struct Spark {
    /// The largest set to look at.
    pub max_columns: usize,
    /// The smallest singular value of unit columns that counts as 0.
    pub tolerance: f64,
    /// The most sets of one size to enumerate; a larger number is refused.
    pub max_sets: u64,
}

impl Default for Spark {
    /// Sets of up to four columns, tolerance 1e-10, at most a million of a size.
    fn default() -> Self {
        Spark {
            max_columns: 4,
            tolerance: 1e-10,
            max_sets: 1_000_000,
        }
    }
}

/// What an enumeration says of the spark.
#[derive(Clone, Debug, PartialEq)]
pub struct SparkBounds {
    /// Proven: all smaller sets are independent.
    pub at_least: usize,
    /// The size of the first set that counts as dependent; none where no set that was looked at does.
    pub dependent: Option<usize>,
    /// That set.
    pub columns: Vec<usize>,
}

impl Estimator for Spark {
    type Quantity = SparkBounds;

    fn estimate(&self, a: &dyn MeasurementOperator, _seed: &Seed) -> Result<Estimate<SparkBounds>> {
        let n = a.shape().columns;
        check_order(self.max_columns, n)?;
        if !(0.0..1.0).contains(&self.tolerance) {
            return Err(Error::argument(
                "tolerance of a spark",
                "a number in [0, 1)",
                self.tolerance,
            ));
        }
        let gram = ColumnGram::of(a)?;
        let dense = a.to_dense();
        let mut regression = Regression::default();
        let mut bounds = SparkBounds {
            at_least: 1,
            dependent: None,
            columns: Vec::new(),
        };
        let mut proven = true;
        for size in 1..=self.max_columns {
            check_count("sets of columns", choose(n, size), self.max_sets)?;
            for_each_subset(n, size, |set| {
                if bounds.dependent.is_some() || regression.independent(&gram, set) {
                    return Ok(());
                }
                proven = false;
                let mut columns = dense.select_columns(set);
                for (mut column, &j) in columns.column_iter_mut().zip(set) {
                    let length = gram.lengths()[j];
                    if length > 0.0 {
                        column.iter_mut().for_each(|v| *v /= length);
                    }
                }
                let smallest = match size > columns.nrows() {
                    true => 0.0,
                    false => singular_values(&columns)?.last().copied().unwrap_or(0.0),
                };
                if smallest <= self.tolerance {
                    bounds.dependent = Some(size);
                    bounds.columns = set.to_vec();
                }
                Ok(())
            })?;
            if proven {
                bounds.at_least = size + 1;
            }
            if bounds.dependent.is_some() {
                break;
            }
        }
        Ok(Estimate::new(bounds, Certainty::LowerBound, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::{DenseOperator, GaussianEnsemble};
    use nalgebra::{DMatrix, dmatrix};

    fn spark(a: &DMatrix<f64>, max_columns: usize) -> SparkBounds {
        let spark = Spark {
            max_columns,
            ..Default::default()
        };
        spark
            .estimate(&DenseOperator::new(a.clone()).unwrap(), &Seed::root(0))
            .unwrap()
            .value
    }

    #[test]
    fn known_sparks_are_found_with_their_columns() {
        let of = |a: DMatrix<f64>, max| {
            let found = spark(&a, max);
            (found.at_least, found.dependent, found.columns)
        };
        assert_eq!(of(dmatrix![1.0, 0.0, 3.0; 2.0, 0.0, 1.0], 3), (1, Some(1), vec![1]));
        assert_eq!(
            of(dmatrix![1.0, 5.0, -3.0; 2.0, 0.0, -6.0], 3),
            (2, Some(2), vec![0, 2])
        );
        // The third is the sum of the first two.
        let sum = dmatrix![1.0, 0.0, 1.0, 0.3; 0.0, 1.0, 1.0, 0.1; 0.0, 0.0, 0.0, 1.0];
        assert_eq!(of(sum, 4), (3, Some(3), vec![0, 1, 2]));
        let generic = GaussianEnsemble { rows: 4, columns: 7 }.draw(&Seed::root(2)).unwrap();
        assert_eq!(of(generic.matrix().clone(), 5), (5, Some(5), vec![0, 1, 2, 3, 4]));
        assert_eq!(of(generic.matrix().clone(), 3), (4, None, vec![]));
    }

    #[test]
    fn nearly_dependent_columns_are_neither() {
        let a = dmatrix![1.0, 1.0; 0.0, 1e-8];
        let found = spark(&a, 2);
        assert_eq!((found.at_least, found.dependent), (2, None));
    }
}
