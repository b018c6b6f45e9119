//! The Gram matrix of a set of columns that grows.

use crate::error::Result;
use crate::linalg::columns::accumulate_strided;
use crate::linalg::dense::{gram_into, transpose_into, transpose_product_into};
use nalgebra::DMatrix;

/// `CᵀC` for columns that are only appended, column-major with room to grow in place.
#[derive(Debug, Default)]
pub(super) struct GrowingGram {
    entries: Vec<f64>,
    order: usize,
    /// Distance between the starts of two columns.
    stride: usize,
}

impl GrowingGram {
    /// That of columns that are all there.
    ///
    /// # Errors
    /// As [`Self::extend`].
    pub fn of(columns: &DMatrix<f64>) -> Result<Self> {
        let mut gram = GrowingGram::default();
        gram.extend(&DMatrix::zeros(columns.nrows(), 0), columns)?;
        Ok(gram)
    }

    /// A matrix that is given, for tests.
    #[cfg(test)]
    pub fn given(matrix: &DMatrix<f64>) -> Self {
        GrowingGram {
            entries: matrix.as_slice().to_vec(),
            order: matrix.ncols(),
            stride: matrix.ncols(),
        }
    }

    /// Column j, of the length of the order.
    pub fn column(&self, j: usize) -> &[f64] {
        let start = j * self.stride;
        &self.entries[start..start + self.order]
    }

    /// Appends the columns of `block` behind those of `present`. Cost: `2m` operations an entry and, now and then, a copy.
    ///
    /// # Errors
    /// When the numbers of rows differ.
    pub fn extend(&mut self, present: &DMatrix<f64>, block: &DMatrix<f64>) -> Result<()> {
        let (old, added) = (self.order, block.ncols());
        let total = old + added;
        if total > self.stride {
            let stride = total.max(2 * self.stride);
            let mut entries = vec![0.0; stride * stride];
            for j in 0..old {
                entries[j * stride..j * stride + old].copy_from_slice(self.column(j));
            }
            self.entries = entries;
            self.stride = stride;
        }
        let (left, right) = self.entries.split_at_mut(old * self.stride);
        transpose_product_into(present, block, right, self.stride)?;
        gram_into(block, &mut right[old..], self.stride);
        if old > 0 {
            transpose_into(old, added, right, self.stride, &mut left[old..], self.stride);
        }
        self.order = total;
        Ok(())
    }

    /// `out ← out + G t` for the coefficients `t` of the columns `of`. Cost: `2w` operations a column.
    pub fn accumulate(&self, of: &[usize], t: &[f64], out: &mut [f64]) {
        assert_eq!(
            (of.len(), self.order),
            (t.len(), out.len()),
            "combination of Gram columns: lengths"
        );
        accumulate_strided(&self.entries, self.stride, of, t, out);
    }

    /// The lower triangle of the rows and columns `of`, zero above the diagonal.
    pub fn lower_triangle(&self, of: &[usize]) -> DMatrix<f64> {
        let order = of.len();
        let mut out = DMatrix::zeros(order, order);
        for (j, (chunk, &column)) in out.as_mut_slice().chunks_exact_mut(order.max(1)).zip(of).enumerate() {
            let column = self.column(column);
            for (entry, &i) in chunk[j..].iter_mut().zip(&of[j..]) {
                *entry = column[i];
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::dense::gram;
    use crate::operators::GaussianEnsemble;
    use crate::seed::Seed;

    #[test]
    fn columns_appended_in_blocks_have_the_gram_matrix_of_all() {
        let a = GaussianEnsemble { rows: 9, columns: 23 }.draw(&Seed::root(1)).unwrap();
        let whole = gram(a.matrix());
        let mut grown = GrowingGram::default();
        let mut present = 0;
        for block in [3, 1, 7, 12] {
            let before = a.matrix().columns(0, present).into_owned();
            grown
                .extend(&before, &a.matrix().columns(present, block).into_owned())
                .unwrap();
            present += block;
            for j in 0..present {
                for (i, entry) in grown.column(j).iter().enumerate() {
                    // Nine products of entries of columns of length about 1.
                    assert!((entry - whole[(i, j)]).abs() <= 18.0 * f64::EPSILON * whole.diagonal().max());
                    assert_eq!(*entry, grown.column(i)[j], "symmetric to the last bit");
                }
            }
        }
        let of = [20, 3, 7];
        let triangle = grown.lower_triangle(&of);
        for (j, &column) in of.iter().enumerate() {
            for (i, &row) in of.iter().enumerate() {
                let expected = if i >= j { grown.column(column)[row] } else { 0.0 };
                assert_eq!(triangle[(i, j)], expected);
            }
        }
    }

    #[test]
    fn blocks_of_another_number_of_rows_are_refused() {
        let mut grown = GrowingGram::default();
        assert!(grown.extend(&DMatrix::zeros(3, 0), &DMatrix::zeros(3, 2)).is_ok());
        assert!(grown.extend(&DMatrix::zeros(3, 2), &DMatrix::zeros(4, 1)).is_err());
    }
}
