//! Columns that no measurement can tell apart.

use super::Estimator;
use super::scan::UnitColumns;
use crate::error::{Error, Result};
use crate::operators::MeasurementOperator;
use crate::outcome::Estimate;
use crate::seed::Seed;

/// Groups of parallel columns, `|⟨aᵢ, aⱼ⟩| > (1 − tolerance) ‖aᵢ‖ ‖aⱼ‖`, and the zero columns.
///
/// Groups are the connected components of that relation (parallel up to a tolerance is not transitive). Cost: `m n²`
/// operations in blocks. A cosine carries a rounding error of at most `(m + 4) ε`: a tolerance below that separates
/// columns at random.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParallelColumns {
    /// Allowed distance of |cosine| from 1, in (0, 1).
    pub tolerance: f64,
}

impl Default for ParallelColumns {
    /// Tolerance 1e-12.
    fn default() -> Self {
        ParallelColumns { tolerance: 1e-12 }
    }
}

/// What remains when parallel columns are merged and zero columns dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParallelGroups {
    /// For each column the first column of its group (itself, when it stands first or alone); none for a zero column.
    pub representative: Vec<Option<usize>>,
    /// The representatives, ascending: no two of them are parallel and none is zero.
    pub kept: Vec<usize>,
    /// Zero columns, ascending.
    pub zero: Vec<usize>,
    /// The number of columns that are not zero and not their own representative.
    pub merged: usize,
}

impl Estimator for ParallelColumns {
    type Quantity = ParallelGroups;

    fn estimate(&self, a: &dyn MeasurementOperator, _seed: &Seed) -> Result<Estimate<ParallelGroups>> {
        if !(self.tolerance > 0.0 && self.tolerance < 1.0) {
            return Err(Error::argument(
                "tolerance of parallel columns",
                "a number in (0, 1)",
                self.tolerance,
            ));
        }
        let threshold = 1.0 - self.tolerance;
        let mut unit = UnitColumns::new(a)?;
        let mut parent: Vec<usize> = (0..unit.live.len()).collect();
        unit.scan(|block| {
            for c in block.columns.clone() {
                for (r, cosine) in block.rows.clone().zip(block.before(c)) {
                    if cosine.abs() > threshold {
                        let (x, y) = (root(&mut parent, r), root(&mut parent, c));
                        // The smaller index leads, so that a root is the first column of its group.
                        parent[x.max(y)] = x.min(y);
                    }
                }
            }
        })?;
        let mut representative = vec![None; a.shape().columns];
        let mut kept = Vec::new();
        for (position, &j) in unit.live.iter().enumerate() {
            let first = root(&mut parent, position);
            representative[j] = Some(unit.live[first]);
            if first == position {
                kept.push(j);
            }
        }
        let groups = ParallelGroups {
            representative,
            merged: unit.live.len() - kept.len(),
            kept,
            zero: unit.zero.clone(),
        };
        Ok(Estimate::exact(groups, unit.applications()))
    }
}

/// The root of a tree of the disjoint-set forest, halving the path to it.
pub(super) fn root(parent: &mut [usize], mut i: usize) -> usize {
    while parent[i] != i {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    i
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::DenseOperator;
    use nalgebra::DMatrix;

    fn groups(a: DMatrix<f64>) -> ParallelGroups {
        let operator = DenseOperator::new(a).unwrap();
        ParallelColumns::default()
            .estimate(&operator, &Seed::root(0))
            .unwrap()
            .value
    }

    #[test]
    fn multiples_of_either_sign_are_merged_into_the_first_and_zeros_are_dropped() {
        let mut a = DMatrix::from_fn(3, 6, |i, j| ((i * 7 + j * j * 3 + 1) % 5) as f64 - 2.0 + 0.1 * j as f64);
        a.set_column(4, &(a.column(1) * -1e-30));
        a.set_column(5, &(a.column(1) * 3.0));
        a.column_mut(2).fill(0.0);
        let found = groups(a);
        assert_eq!(
            found.representative,
            [Some(0), Some(1), None, Some(3), Some(1), Some(1)]
        );
        assert_eq!(found.kept, [0, 1, 3]);
        assert_eq!((found.zero, found.merged), (vec![2], 2));
    }

    #[test]
    fn an_angle_well_above_the_tolerance_separates() {
        // 1 − cos θ = θ²/2: 5e-11 at θ = 1e-5 is above 1e-12, 5e-15 at θ = 1e-7 below.
        let pair = |angle: f64| DMatrix::from_row_slice(2, 2, &[1.0, angle.cos(), 0.0, angle.sin()]);
        assert_eq!(groups(pair(1e-5)).merged, 0);
        assert_eq!(groups(pair(1e-7)).merged, 1);
    }

    #[test]
    fn a_chain_across_blocks_is_one_group() {
        // 700 copies of two directions, far apart in the index.
        let a = DMatrix::from_fn(2, 700, |i, j| if i == j % 2 { (j + 1) as f64 } else { 0.0 });
        let found = groups(a);
        assert_eq!(found.kept, [0, 1]);
        assert_eq!(found.merged, 698);
        assert!((0..700).all(|j| found.representative[j] == Some(j % 2)));
    }

    #[test]
    fn a_tolerance_outside_its_interval_is_refused() {
        let operator = DenseOperator::new(DMatrix::identity(2, 2)).unwrap();
        for tolerance in [0.0, 1.0, f64::NAN] {
            assert!(
                ParallelColumns { tolerance }
                    .estimate(&operator, &Seed::root(0))
                    .is_err()
            );
        }
    }
}
