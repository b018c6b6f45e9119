//! The columns that are active, copied side by side.

use crate::linalg::columns::{accumulate_of, correlate};

/// Columns that share one visit of the cache with several vectors (256 KiB at a thousand rows).
const SHARED: usize = 32;

/// Columns in the order of a factor. A dropped column leaves its place to the next one that joins, so that nothing moves.
#[derive(Debug)]
pub(super) struct ActiveColumns {
    rows: usize,
    entries: Vec<f64>,
    slots: Vec<usize>,
    free: Vec<usize>,
}

impl ActiveColumns {
    /// No columns, of so many rows.
    pub fn new(rows: usize) -> Self {
        ActiveColumns {
            rows,
            entries: Vec::new(),
            slots: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Appends a column.
    pub fn push(&mut self, column: &[f64]) {
        assert_eq!(column.len(), self.rows, "active column: length");
        let slot = match self.free.pop() {
            Some(slot) => {
                self.entries[slot * self.rows..(slot + 1) * self.rows].copy_from_slice(column);
                slot
            }
            None => {
                self.entries.extend_from_slice(column);
                self.entries.len() / self.rows - 1
            }
        };
        self.slots.push(slot);
    }

    /// Forgets the column at a position.
    pub fn remove(&mut self, position: usize) {
        self.free.push(self.slots.remove(position));
    }

    fn column(&self, slot: usize) -> &[f64] {
        &self.entries[slot * self.rows..(slot + 1) * self.rows]
    }

    /// `y ← y + A_S t`.
    pub fn accumulate(&self, t: &[f64], y: &mut [f64]) {
        accumulate_of(&self.entries, &self.slots, t, y);
    }

    /// As [`Self::accumulate`] for two sets of coefficients, in one pass over the columns.
    pub fn accumulate_both(&self, ts: [&[f64]; 2], mut ys: [&mut [f64]; 2]) {
        for (b, block) in self.slots.chunks(SHARED).enumerate() {
            let first = b * SHARED;
            for (t, y) in ts.iter().zip(&mut ys) {
                accumulate_of(&self.entries, block, &t[first..first + block.len()], y);
            }
        }
    }

    /// `y ← y + t a` for the column at a position.
    pub fn add(&self, position: usize, t: f64, y: &mut [f64]) {
        accumulate_of(&self.entries, &self.slots[position..=position], &[t], y);
    }

    /// `out ← A_Sᵀ v`.
    pub fn correlate(&self, v: &[f64], out: &mut [f64]) {
        let mut all = vec![0.0; self.entries.len() / self.rows];
        correlate(&self.entries, v, &mut all);
        self.gather(&all, out);
    }

    /// As [`Self::correlate`] for two vectors, in one pass over the columns.
    pub fn correlate_both(&self, vectors: [&[f64]; 2], outs: [&mut [f64]; 2]) {
        let count = self.entries.len() / self.rows;
        let mut all = [vec![0.0; count], vec![0.0; count]];
        for (b, block) in self.entries.chunks(SHARED * self.rows).enumerate() {
            let first = b * SHARED;
            for (v, all) in vectors.iter().zip(&mut all) {
                correlate(block, v, &mut all[first..first + block.len() / self.rows]);
            }
        }
        for (all, out) in all.iter().zip(outs) {
            self.gather(all, out);
        }
    }

    fn gather(&self, all: &[f64], out: &mut [f64]) {
        assert_eq!(out.len(), self.slots.len(), "active correlations: length");
        out.iter_mut().zip(&self.slots).for_each(|(o, &slot)| *o = all[slot]);
    }

    /// A copy of the entries, column after column in order.
    pub fn in_order(&self) -> Vec<f64> {
        self.slots.iter().flat_map(|&slot| self.column(slot)).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::dot;

    #[test]
    fn columns_keep_their_order_while_others_come_and_go() {
        let column = |j: usize| -> Vec<f64> { (0..5).map(|i| ((7 * i + 3 * j) % 11) as f64 - 5.0).collect() };
        let mut columns = ActiveColumns::new(5);
        let mut present: Vec<usize> = Vec::new();
        for (joins, leaves) in [(40, 3), (5, 2), (1, 6), (9, 0)] {
            for _ in 0..joins {
                let j = 100 * leaves + present.len();
                columns.push(&column(j));
                present.push(j);
            }
            for i in 0..leaves {
                columns.remove(5 * i % present.len());
                present.remove(5 * i % present.len());
            }
            let expected: Vec<f64> = present.iter().flat_map(|&j| column(j)).collect();
            assert_eq!(columns.in_order(), expected);
            let (v, w) = (column(1), column(2));
            let (mut one, mut two) = (vec![0.0; present.len()], vec![0.0; present.len()]);
            columns.correlate_both([&v, &w], [&mut one, &mut two]);
            let mut sum = vec![1.0; 5];
            columns.accumulate(&two, &mut sum);
            // Whole numbers of few digits: every sum is exact.
            let mut plain = vec![1.0; 5];
            for (i, &j) in present.iter().enumerate() {
                assert_eq!((one[i], two[i]), (dot(&column(j), &v), dot(&column(j), &w)));
                plain.iter_mut().zip(column(j)).for_each(|(p, a)| *p += two[i] * a);
            }
            assert_eq!(sum, plain);
        }
    }
}
