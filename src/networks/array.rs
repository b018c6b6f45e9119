//! Row-major arrays: one row a sample, one column a feature.

use super::real::{Real, require_finite};
use crate::error::{Error, Result};
use crate::linalg::gemm;

/// A matrix stored row by row.
///
/// ```
/// use ticketsense::networks::Array;
/// let batch = Array::new(2, 3, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
/// assert_eq!(batch.row(1), [4.0, 5.0, 6.0]);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Array<T> {
    values: Vec<T>,
    rows: usize,
    columns: usize,
}

impl<T: Real> Array<T> {
    /// An array from its entries, row by row.
    ///
    /// # Errors
    /// [`Error::Shape`] when the number of entries is not `rows · columns`, [`Error::NotFinite`].
    pub fn new(rows: usize, columns: usize, values: Vec<T>) -> Result<Self> {
        if rows.checked_mul(columns) != Some(values.len()) {
            return Err(Error::shape(
                "array",
                format!("{rows}×{columns} entries"),
                format!("{} entries", values.len()),
            ));
        }
        require_finite("array", &values)?;
        Ok(Array { values, rows, columns })
    }

    /// Zeros.
    pub fn zeros(rows: usize, columns: usize) -> Self {
        Array {
            values: vec![T::ZERO; rows * columns],
            rows,
            columns,
        }
    }

    /// An array computed from row and column.
    pub fn from_fn(rows: usize, columns: usize, mut entry: impl FnMut(usize, usize) -> T) -> Self {
        let mut values = Vec::with_capacity(rows * columns);
        for r in 0..rows {
            for c in 0..columns {
                values.push(entry(r, c));
            }
        }
        Array { values, rows, columns }
    }

    /// Entries that are already known to fit.
    pub(crate) fn raw(rows: usize, columns: usize, values: Vec<T>) -> Self {
        assert_eq!(values.len(), rows * columns, "array: number of entries");
        Array { values, rows, columns }
    }

    /// Number of rows: samples.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns: features.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The entries, row by row.
    pub fn as_slice(&self) -> &[T] {
        &self.values
    }

    /// The entries, row by row.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.values
    }

    /// The entries, row by row.
    pub fn into_vec(self) -> Vec<T> {
        self.values
    }

    /// One row.
    ///
    /// # Panics
    /// When there is no such row: a bug of the caller.
    pub fn row(&self, index: usize) -> &[T] {
        &self.values[index * self.columns..(index + 1) * self.columns]
    }

    /// Every row in order.
    pub fn iter_rows(&self) -> impl Iterator<Item = &[T]> {
        (0..self.rows).map(|r| self.row(r))
    }

    /// The rows `range`, copied.
    ///
    /// # Panics
    /// When the range does not lie within the rows: a bug of the caller.
    pub fn rows_between(&self, range: std::ops::Range<usize>) -> Self {
        let values = self.values[range.start * self.columns..range.end * self.columns].to_vec();
        Array::raw(range.len(), self.columns, values)
    }

    /// The given rows in the given order, copied.
    ///
    /// # Errors
    /// [`Error::Argument`] when a row does not exist.
    pub fn select_rows(&self, rows: &[usize]) -> Result<Self> {
        match rows.iter().find(|&&r| r >= self.rows) {
            Some(&r) => Err(Error::argument("row", format!("below {}", self.rows), r)),
            None => Ok(self.picked(rows)),
        }
    }

    /// Rows that are known to exist, copied.
    pub(crate) fn picked(&self, rows: &[usize]) -> Self {
        let mut values = Vec::with_capacity(rows.len() * self.columns);
        for &r in rows {
            values.extend_from_slice(self.row(r));
        }
        Array::raw(rows.len(), self.columns, values)
    }

    /// The same numbers in another precision, rounded to nearest.
    pub fn convert<U: Real>(&self) -> Array<U> {
        let values = self.values.iter().map(|v| U::of(v.to_f64())).collect();
        Array::raw(self.rows, self.columns, values)
    }

    /// `op(A_k) · op(B_k)` for each of `blocks` pairs of matrices, stacked one below the other in `self` and `other`;
    /// the results are stacked alike.
    pub(crate) fn block_product(&self, blocks: usize, transpose: bool, other: &Self, transpose_other: bool) -> Self {
        assert!(
            blocks > 0 && self.rows.is_multiple_of(blocks) && other.rows.is_multiple_of(blocks),
            "product of arrays: blocks"
        );
        let shape = |a: &Self, transpose: bool| match transpose {
            true => (a.columns, a.rows / blocks),
            false => (a.rows / blocks, a.columns),
        };
        let ((m, k), (inner, n)) = (shape(self, transpose), shape(other, transpose_other));
        assert_eq!(k, inner, "product of arrays: inner dimensions");
        let mut out = Array::zeros(blocks * m, n);
        if m * k * n == 0 {
            return out;
        }
        let pairs = self.values.chunks_exact(m * k).zip(other.values.chunks_exact(k * n));
        for ((a, b), c) in pairs.zip(out.values.chunks_exact_mut(m * n)) {
            gemm(m, k, n, a, transpose, b, transpose_other, c, false);
        }
        out
    }

    /// Entry by entry.
    pub(crate) fn mapped(&self, f: impl Fn(T) -> T) -> Self {
        Array::raw(self.rows, self.columns, self.values.iter().map(|&v| f(v)).collect())
    }

    /// Entry by entry with another array of the same shape.
    pub(crate) fn zipped(&self, other: &Self, f: impl Fn(T, T) -> T) -> Self {
        assert_eq!(
            (self.rows, self.columns),
            (other.rows, other.columns),
            "arrays: equal shapes"
        );
        let pairs = self.values.iter().zip(&other.values);
        Array::raw(self.rows, self.columns, pairs.map(|(&a, &b)| f(a, b)).collect())
    }

    /// The sum of all rows, `1 × columns`.
    pub(crate) fn sum_of_rows(&self) -> Self {
        let mut sum = vec![T::ZERO; self.columns];
        for row in self.iter_rows() {
            for (s, v) in sum.iter_mut().zip(row) {
                *s += *v;
            }
        }
        Array::raw(1, self.columns, sum)
    }

    /// A single row repeated, `rows × columns`.
    pub(crate) fn repeat_row(&self, rows: usize) -> Self {
        assert_eq!(self.rows, 1, "repeat of a row: one row");
        Array::raw(rows, self.columns, self.values.repeat(rows))
    }

    /// The sum of each row, repeated over the columns: `x ↦ x 1 1ᵀ`.
    pub(crate) fn row_sums_repeated(&self) -> Self {
        let mut out = Vec::with_capacity(self.values.len());
        for row in self.iter_rows() {
            let sum: T = row.iter().copied().sum();
            out.extend(std::iter::repeat_n(sum, self.columns));
        }
        Array::raw(self.rows, self.columns, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_number_of_entries_and_a_nan_are_refused() {
        assert!(matches!(Array::new(2, 2, vec![0.0f32; 3]), Err(Error::Shape { .. })));
        assert!(matches!(
            Array::new(usize::MAX, 2, vec![0.0f32; 3]),
            Err(Error::Shape { .. })
        ));
        assert!(matches!(
            Array::new(1, 2, vec![0.0, f64::NAN]),
            Err(Error::NotFinite { index: 1, .. })
        ));
    }

    #[test]
    fn rows_are_picked_in_the_given_order() {
        let a = Array::from_fn(3, 2, |r, c| (10 * r + c) as f64);
        assert_eq!(a.select_rows(&[2, 0]).unwrap().as_slice(), [20.0, 21.0, 0.0, 1.0]);
        assert!(a.select_rows(&[3]).is_err());
        assert_eq!(a.rows_between(1..3).as_slice(), [10.0, 11.0, 20.0, 21.0]);
    }
}
