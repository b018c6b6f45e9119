//! The law of the cosines between columns.

use super::Estimator;
use super::scan::UnitColumns;
use crate::error::{Error, Result};
use crate::operators::MeasurementOperator;
use crate::outcome::Estimate;
use crate::seed::Seed;

/// The histogram of |cosine| over all pairs of nonzero columns, and separately over the pairs between labelled groups of
/// columns (the weights of two layers, say).
///
/// Bin b of B holds `b/B ≤ |cosine| < (b + 1)/B`, the last one 1 as well. Exact: every pair is counted. Cost: `m n²`
/// operations in blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CosineHistogram {
    /// The number of bins B, from 1 to 100,000.
    pub bins: usize,
    /// A label of each column, from 0 to at most 99; empty for a single group.
    pub labels: Vec<usize>,
}

/// Counts of |cosine|.
#[derive(Clone, Debug, PartialEq)]
pub struct CosineCounts {
    /// The two labels, the smaller one first.
    pub labels: (usize, usize),
    /// Pairs in each bin.
    pub counts: Vec<u64>,
    /// The largest |cosine|.
    pub largest: f64,
    /// The root of the mean square of the cosines; 0 without pairs.
    pub root_mean_square: f64,
}

/// Cosines of all pairs and of the pairs of every two groups.
#[derive(Clone, Debug, PartialEq)]
pub struct CosineLaw {
    /// One entry for every unordered pair of labels in use, ascending.
    pub groups: Vec<CosineCounts>,
    /// Number of zero columns, left out.
    pub zero_columns: usize,
}

impl CosineHistogram {
    /// One group, `bins` bins.
    pub fn new(bins: usize) -> Self {
        CosineHistogram {
            bins,
            labels: Vec::new(),
        }
    }

    fn validate(&self, columns: usize) -> Result<()> {
        if !(1..=100_000).contains(&self.bins) {
            return Err(Error::argument("bins", "an integer in 1..=100000", self.bins));
        }
        if !self.labels.is_empty() && self.labels.len() != columns {
            return Err(Error::shape("labels of the columns", columns, self.labels.len()));
        }
        match self.labels.iter().find(|&&l| l > 99) {
            Some(&label) => Err(Error::argument("label of a column", "an integer in 0..=99", label)),
            None => Ok(()),
        }
    }
}

impl Estimator for CosineHistogram {
    type Quantity = CosineLaw;

    fn estimate(&self, a: &dyn MeasurementOperator, _seed: &Seed) -> Result<Estimate<CosineLaw>> {
        self.validate(a.shape().columns)?;
        let mut unit = UnitColumns::new(a)?;
        let label: Vec<usize> = unit
            .live
            .iter()
            .map(|&j| self.labels.get(j).copied().unwrap_or(0))
            .collect();
        let used = label.iter().copied().max().map_or(0, |m| m + 1);
        let at = |x: usize, y: usize| x.min(y) * used + x.max(y);
        let mut tallies: Vec<Option<Tally>> = vec![None; used * used];
        unit.scan(|block| {
            for c in block.columns.clone() {
                for (r, cosine) in block.rows.clone().zip(block.before(c)) {
                    tallies[at(label[r], label[c])]
                        .get_or_insert_with(|| Tally::new(self.bins))
                        .add(cosine.abs().min(1.0));
                }
            }
        })?;
        let groups = tallies.into_iter().enumerate().filter_map(|(i, tally)| {
            tally.map(|t| CosineCounts {
                labels: (i / used, i % used),
                root_mean_square: (t.squares / t.counts.iter().sum::<u64>() as f64).sqrt(),
                counts: t.counts,
                largest: t.largest,
            })
        });
        let law = CosineLaw {
            groups: groups.collect(),
            zero_columns: unit.zero.len(),
        };
        Ok(Estimate::exact(law, unit.applications()))
    }
}

#[derive(Clone, Debug)]
struct Tally {
    counts: Vec<u64>,
    largest: f64,
    squares: f64,
}

impl Tally {
    fn new(bins: usize) -> Self {
        Tally {
            counts: vec![0; bins],
            largest: 0.0,
            squares: 0.0,
        }
    }

    fn add(&mut self, cosine: f64) {
        let bin = (cosine * self.counts.len() as f64) as usize;
        let last = self.counts.len() - 1;
        self.counts[bin.min(last)] += 1;
        self.largest = self.largest.max(cosine);
        self.squares += cosine * cosine;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::DenseOperator;
    use nalgebra::DMatrix;

    #[test]
    fn pairs_fall_into_their_bins_and_groups() {
        // Columns at 0, 60, 90 degrees and a zero column: |cosines| 1/2 (just around the edge), 0, √3/2.
        let a = DMatrix::from_row_slice(2, 4, &[1.0, 0.51, 0.0, 0.0, 0.0, 0.75f64.sqrt(), 2.0, 0.0]);
        let operator = DenseOperator::new(a).unwrap();
        let one = CosineHistogram::new(4)
            .estimate(&operator, &Seed::root(0))
            .unwrap()
            .value;
        assert_eq!(one.zero_columns, 1);
        assert_eq!(one.groups.len(), 1);
        assert_eq!(one.groups[0].counts, [1, 0, 1, 1]);
        let labelled = CosineHistogram {
            bins: 4,
            labels: vec![3, 0, 3, 1],
        };
        let law = labelled.estimate(&operator, &Seed::root(0)).unwrap().value;
        let labels: Vec<_> = law.groups.iter().map(|g| g.labels).collect();
        assert_eq!(labels, [(0, 3), (3, 3)]);
        assert_eq!(law.groups[0].counts, [0, 0, 1, 1]);
        assert_eq!(law.groups[1].counts, [1, 0, 0, 0]);
        let (x, y) = (0.51f64, 0.75f64.sqrt());
        let (first, second) = (x / x.hypot(y), y / x.hypot(y));
        let expected = ((first * first + second * second) / 2.0).sqrt();
        assert!((law.groups[0].root_mean_square - expected).abs() <= 20.0 * f64::EPSILON);
        assert!((law.groups[0].largest - second).abs() <= 20.0 * f64::EPSILON);
    }

    #[test]
    fn a_cosine_of_one_lies_in_the_last_bin_and_all_pairs_are_counted() {
        let operator = DenseOperator::new(DMatrix::from_element(3, 300, 1.0)).unwrap();
        let law = CosineHistogram::new(7)
            .estimate(&operator, &Seed::root(0))
            .unwrap()
            .value;
        assert_eq!(law.groups[0].counts.iter().sum::<u64>(), 300 * 299 / 2);
        assert_eq!(law.groups[0].counts[6], 300 * 299 / 2);
    }

    #[test]
    fn labels_that_do_not_fit_are_refused() {
        let operator = DenseOperator::new(DMatrix::identity(2, 2)).unwrap();
        for (bins, labels) in [(0, vec![]), (3, vec![1]), (3, vec![0, 100])] {
            assert!(
                CosineHistogram { bins, labels }
                    .estimate(&operator, &Seed::root(0))
                    .is_err()
            );
        }
    }
}
