//! The columns of an operator that are at work, side by side.

use crate::operators::MeasurementOperator;
use nalgebra::DMatrix;

/// Columns that enter a working set at once, at least; otherwise as many as there are nonzeros.
pub(super) const BATCH: usize = 64;

/// A set of columns that only grows.
#[derive(Debug)]
pub(super) struct WorkingColumns {
    /// Which they are, in the order of their coming.
    pub indices: Vec<usize>,
    /// The columns, in that order.
    pub matrix: DMatrix<f64>,
    member: Vec<bool>,
}

impl WorkingColumns {
    /// No columns of that length yet, of an operator with so many.
    pub fn new(rows: usize, columns: usize) -> Self {
        WorkingColumns {
            indices: Vec::new(),
            matrix: DMatrix::zeros(rows, 0),
            member: vec![false; columns],
        }
    }

    /// Whether a column of the operator is among them.
    pub fn contains(&self, column: usize) -> bool {
        self.member[column]
    }

    /// The columns of the operator, not yet among these.
    pub fn fetch(&self, a: &dyn MeasurementOperator, new: &[usize]) -> DMatrix<f64> {
        let mut block = DMatrix::zeros(self.matrix.nrows(), new.len());
        a.columns_into(new, &mut block);
        block
    }

    /// Takes columns in.
    pub fn append(&mut self, block: &DMatrix<f64>, new: &[usize]) {
        let rows = self.matrix.nrows();
        let mut columns: Vec<f64> = std::mem::replace(&mut self.matrix, DMatrix::zeros(0, 0)).data.into();
        columns.extend_from_slice(block.as_slice());
        self.indices.extend_from_slice(new);
        self.matrix = DMatrix::from_vec(rows, self.indices.len(), columns);
        new.iter().for_each(|&j| self.member[j] = true);
    }

    /// Positions in the operator and values of the coefficients that are not 0.
    pub fn nonzeros(&self, x: &[f64]) -> (Vec<usize>, Vec<f64>) {
        let x = self.indices.iter().copied().zip(x.iter().copied());
        x.filter(|(_, v)| *v != 0.0).unzip()
    }
}
