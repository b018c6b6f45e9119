//! One pass over the cosines of all pairs of columns, in blocks: the Gram matrix is never stored whole.

use crate::error::{Error, Result};
use crate::linalg::dense::gemm;
use crate::linalg::norm;
use crate::operators::{MeasurementOperator, Shape};
use nalgebra::DMatrix;
use std::ops::Range;

/// Columns to a block: two blocks and their product stay below a megabyte of cache for a few hundred rows.
const BLOCK: usize = 256;

/// Up to this many entries (1 GiB), the normalised columns are kept; above it they are read again for every block.
const STORED_ENTRIES: usize = 1 << 27;

/// The nonzero columns of an operator, brought to unit norm.
#[derive(Debug)]
pub(super) struct UnitColumns<'a> {
    operator: &'a dyn MeasurementOperator,
    /// Indices of the columns with a nonzero norm, ascending.
    pub live: Vec<usize>,
    /// Indices of the zero columns, ascending.
    pub zero: Vec<usize>,
    norms: Vec<f64>,
    stored: Option<DMatrix<f64>>,
    columns_read: usize,
}

/// The cosines of `rows.len() × columns.len()` pairs of live columns.
pub(super) struct CosineBlock<'a> {
    /// Positions among the live columns.
    pub rows: Range<usize>,
    /// Positions among the live columns; equal to `rows`, or all above it.
    pub columns: Range<usize>,
    values: &'a DMatrix<f64>,
}

impl CosineBlock<'_> {
    /// The cosines of live column `column` with the live columns `rows.start..` that stand before it in this block.
    pub fn before(&self, column: usize) -> &[f64] {
        let c = column - self.columns.start;
        let count = if self.rows == self.columns { c } else { self.rows.len() };
        let start = c * self.rows.len();
        &self.values.as_slice()[start..start + count]
    }
}

impl<'a> UnitColumns<'a> {
    /// Reads every column once.
    pub fn new(operator: &'a dyn MeasurementOperator) -> Result<Self> {
        let Shape { rows, columns } = operator.shape();
        let keep = rows.saturating_mul(columns) <= STORED_ENTRIES;
        let mut stored = DMatrix::zeros(rows, if keep { columns } else { 0 });
        let (mut live, mut zero, mut norms) = (Vec::new(), Vec::new(), Vec::new());
        for start in (0..columns).step_by(BLOCK) {
            let indices: Vec<usize> = (start..columns.min(start + BLOCK)).collect();
            let mut block = DMatrix::zeros(rows, indices.len());
            operator.columns_into(&indices, &mut block);
            for (c, &j) in indices.iter().enumerate() {
                let column = &block.as_slice()[c * rows..(c + 1) * rows];
                let size = norm(column);
                if let Some(i) = column.iter().position(|v| !v.is_finite()) {
                    return Err(Error::NotFinite {
                        what: format!("column {j}"),
                        index: i,
                        value: column[i],
                    });
                }
                if size == 0.0 {
                    zero.push(j);
                    continue;
                }
                if keep {
                    let at = live.len() * rows;
                    let target = &mut stored.as_mut_slice()[at..at + rows];
                    normalise(column, size, target);
                }
                live.push(j);
                norms.push(size);
            }
        }
        Ok(UnitColumns {
            operator,
            live,
            zero,
            norms,
            stored: keep.then_some(stored),
            columns_read: columns,
        })
    }

    /// Rounding error of one cosine: `(m + 4) ε`. The norms err by `(m/2 + 2) u` relative, the division by `u`, the
    /// inner product of unit vectors by `m u`, with `u = ε/2`.
    pub fn cosine_error(&self) -> f64 {
        (self.operator.shape().rows + 4) as f64 * f64::EPSILON
    }

    /// Operator applications spent so far.
    pub fn applications(&self) -> f64 {
        self.columns_read as f64 / self.operator.shape().columns as f64
    }

    /// Shows `visit` every pair of live columns exactly once. Cost: about `m n²` operations; without room for the
    /// columns, each is read again `n / 512` times.
    pub fn scan(&mut self, mut visit: impl FnMut(&CosineBlock<'_>)) -> Result<()> {
        let count = self.live.len();
        let rows_of_a = self.operator.shape().rows;
        let mut values = DMatrix::zeros(0, 0);
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for first in (0..count).step_by(BLOCK) {
            let rows = first..count.min(first + BLOCK);
            self.read_again(rows.clone(), &mut left);
            for second in (first..count).step_by(BLOCK) {
                let columns = second..count.min(second + BLOCK);
                if first != second {
                    self.read_again(columns.clone(), &mut right);
                }
                let kept = |range: &Range<usize>| {
                    self.stored
                        .as_ref()
                        .map(|all| &all.as_slice()[range.start * rows_of_a..range.end * rows_of_a])
                };
                let left = kept(&rows).unwrap_or(&left);
                let right = match kept(&columns) {
                    Some(stored) => stored,
                    None if first == second => left,
                    None => &right,
                };
                if values.shape() != (rows.len(), columns.len()) {
                    values = DMatrix::zeros(rows.len(), columns.len());
                }
                // Columns one after the other are the rows of a row-major matrix, and the product comes out transposed.
                gemm(
                    columns.len(),
                    rows_of_a,
                    rows.len(),
                    right,
                    false,
                    left,
                    true,
                    values.as_mut_slice(),
                    false,
                );
                visit(&CosineBlock {
                    rows: rows.clone(),
                    columns,
                    values: &values,
                });
            }
        }
        Ok(())
    }

    /// Reads columns that are not stored, and brings them to unit norm.
    fn read_again(&mut self, range: Range<usize>, out: &mut Vec<f64>) {
        if self.stored.is_some() {
            return;
        }
        let rows = self.operator.shape().rows;
        let mut block = DMatrix::zeros(rows, range.len());
        self.operator.columns_into(&self.live[range.clone()], &mut block);
        self.columns_read += range.len();
        out.clear();
        out.resize(block.len(), 0.0);
        let pairs = block.as_slice().chunks_exact(rows).zip(out.chunks_exact_mut(rows));
        for ((column, target), &size) in pairs.zip(&self.norms[range]) {
            normalise(column, size, target);
        }
    }

    /// Reads columns again for every block, as for an operator too large to store.
    #[cfg(test)]
    pub fn forget_stored(&mut self) {
        self.stored = None;
    }
}

fn normalise(column: &[f64], size: f64, target: &mut [f64]) {
    for (t, v) in target.iter_mut().zip(column) {
        *t = v / size;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::DenseOperator;

    #[test]
    fn every_pair_is_seen_once_with_its_cosine_whether_stored_or_read_again() {
        // 600 columns make three blocks, the last one partial; every seventh column is zero.
        let (m, n) = (5, 600);
        let a = DMatrix::from_fn(m, n, |i, j| {
            if j % 7 == 3 {
                0.0
            } else {
                ((i * 31 + j * 17 + i * j) % 23) as f64 - 10.5
            }
        });
        let operator = DenseOperator::new(a.clone()).unwrap();
        for stored in [true, false] {
            let mut unit = UnitColumns::new(&operator).unwrap();
            if !stored {
                unit.forget_stored();
            }
            assert_eq!(unit.zero.len(), 86);
            let live = unit.live.clone();
            let mut seen = DMatrix::from_element(n, n, 0u32);
            let tolerance = 2.0 * unit.cosine_error();
            unit.scan(|block| {
                for c in block.columns.clone() {
                    for (r, &cosine) in block.rows.clone().zip(block.before(c)) {
                        let (i, j) = (live[r], live[c]);
                        assert!(i < j);
                        seen[(i, j)] += 1;
                        let slow = a.column(i).dot(&a.column(j)) / (a.column(i).norm() * a.column(j).norm());
                        assert!((cosine - slow).abs() <= tolerance);
                    }
                }
            })
            .unwrap();
            let alive = |j: usize| j % 7 != 3;
            for i in 0..n {
                for j in 0..n {
                    assert_eq!(seen[(i, j)], u32::from(i < j && alive(i) && alive(j)));
                }
            }
            // 514 live columns in blocks of 256, 256 and 2: each is read as a left block, and 256 + 2 + 2 as right ones.
            let read = if stored { 600.0 } else { 600.0 + 514.0 + 260.0 };
            assert_eq!(unit.applications(), read / 600.0);
        }
    }
}
