//! One node of the search over supports, and what is done to it many thousand times a second.

use super::coherence::insert_descending;
use pulp::{Simd, WithSimd};

/// Columns treated side by side.
const WIDTH: usize = 8;

/// A child with c columns is taken to cost c to this power when the two ways down are compared.
const COST_POWER: i32 = 3;

/// The children of all weak rows may cost so many times that of the weakest row with all columns, which has others after
/// it. Measured on Gaussian matrices of 60 to 200 columns: anything from 1 to 8 costs about the same.
const COST_RATIO: f64 = 2.0;

/// The Schur complement of one node on its candidate columns: the leading `size` rows and columns of a square array.
#[derive(Debug, Default)]
pub(super) struct Level {
    pub stride: usize,
    pub size: usize,
    pub columns: Vec<usize>,
    /// Both triangles.
    pub entries: Vec<f64>,
    weights: Vec<f64>,
    /// For each row the sum of its largest weighted terms over its weighted diagonal: weak above 1.
    pub ratios: Vec<f64>,
    /// For each row the least weighted term that can take part in making it weak.
    cuts: Vec<f64>,
}

impl Level {
    pub fn row(&self, i: usize) -> &[f64] {
        &self.entries[i * self.stride..i * self.stride + self.size]
    }

    /// The candidates that can stand beside row i in a set in which it is weak.
    pub fn partners(&self, i: usize) -> impl Iterator<Item = usize> + '_ {
        let cut = self.cuts[i];
        let row = self.row(i);
        (0..self.size).filter(move |&j| j != i && !at_most(row[j].abs() * self.weights[j], cut))
    }

    /// Whether the weak rows with their partners promise to cost less than the weakest with all columns.
    pub fn narrow_is_cheaper(&self, weak: &[usize]) -> bool {
        let cost = |columns: usize| (columns as f64).powi(COST_POWER);
        let limit = COST_RATIO * cost(self.size);
        let mut total = 0.0;
        weak.iter().all(|&i| {
            total += cost(self.partners(i).count());
            total <= limit
        })
    }

    /// Exchanges two candidates.
    pub fn swap(&mut self, i: usize, j: usize) {
        if i == j {
            return;
        }
        let (i, j) = (i.min(j), i.max(j));
        self.columns.swap(i, j);
        let (upper, lower) = self.entries.split_at_mut(j * self.stride);
        upper[i * self.stride..i * self.stride + self.size].swap_with_slice(&mut lower[..self.size]);
        for row in self.entries.chunks_exact_mut(self.stride).take(self.size) {
            row.swap(i, j);
        }
    }
}

/// A NaN is not positive, so a pivot that is one never counts towards a proof.
#[inline(always)]
pub(super) fn is_positive(pivot: f64) -> bool {
    pivot > 0.0
}

/// A NaN is at most nothing, so a row that holds one stays weak.
#[inline(always)]
pub(super) fn at_most(value: f64, limit: f64) -> bool {
    value <= limit
}

/// Eliminates the last candidate of the parent from the others.
pub(super) struct Eliminate<'a> {
    pub parent: &'a Level,
    pub child: &'a mut Level,
}

impl WithSimd for Eliminate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Eliminate { parent, child } = self;
        let size = parent.size - 1;
        (child.size, child.stride) = (size, size);
        child.columns.clear();
        child.columns.extend_from_slice(&parent.columns[..size]);
        child.entries.resize(size * size, 0.0);
        let pivot_row = &parent.row(size)[..size];
        let inverse = 1.0 / parent.row(size)[size];
        for (q, to) in child.entries.chunks_exact_mut(size.max(1)).enumerate() {
            let from = &parent.row(q)[..size];
            let factor = pivot_row[q] * inverse;
            let mut wide = to.chunks_exact_mut(WIDTH);
            let (wide_from, wide_row) = (from.chunks_exact(WIDTH), pivot_row.chunks_exact(WIDTH));
            let tail = wide_from.remainder().iter().zip(wide_row.remainder());
            for ((t, f), r) in (&mut wide).zip(wide_from).zip(wide_row) {
                for l in 0..WIDTH {
                    t[l] = f[l] - factor * r[l];
                }
            }
            for (t, (f, r)) in wide.into_remainder().iter_mut().zip(tail) {
                *t = f - factor * r;
            }
        }
    }
}

/// Eliminates one candidate from some of the others.
pub(super) struct EliminateSome<'a> {
    pub parent: &'a Level,
    pub pivot: usize,
    pub partners: &'a [usize],
    pub child: &'a mut Level,
}

impl WithSimd for EliminateSome<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let EliminateSome {
            parent,
            pivot,
            partners,
            child,
        } = self;
        let size = partners.len();
        (child.size, child.stride) = (size, size);
        child.columns.clear();
        child.columns.extend(partners.iter().map(|&j| parent.columns[j]));
        child.entries.clear();
        let row = parent.row(pivot);
        let inverse = 1.0 / row[pivot];
        for &q in partners {
            let from = parent.row(q);
            let factor = row[q] * inverse;
            child
                .entries
                .extend(partners.iter().map(|&j| from[j] - factor * row[j]));
        }
    }
}

/// How far the rows of a node are from being dominant on any `terms + 1` candidates.
pub(super) struct Weigh<'a> {
    pub level: &'a mut Level,
    pub terms: usize,
}

impl WithSimd for Weigh<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Weigh { level, terms } = self;
        let size = level.size;
        let mut weights = std::mem::take(&mut level.weights);
        let mut ratios = std::mem::take(&mut level.ratios);
        weights.clear();
        weights.extend((0..size).map(|i| 1.0 / level.row(i)[i].sqrt()));
        ratios.clear();
        ratios.resize(size, 0.0);
        let mut cuts = std::mem::take(&mut level.cuts);
        cuts.clear();
        cuts.resize(size, 0.0);
        let mut top = Vec::with_capacity(terms);
        for i in 0..size {
            let row = level.row(i);
            let sum = largest_sum(row, &weights, i, terms, &mut top);
            let diagonal = row[i] * weights[i];
            ratios[i] = sum / diagonal;
            // Outwards by the rounding of the sums.
            let others: f64 = top[..terms - 1].iter().sum();
            cuts[i] = diagonal - others - (terms + 8) as f64 * f64::EPSILON * (diagonal + others);
        }
        level.weights = weights;
        level.ratios = ratios;
        level.cuts = cuts;
    }
}

/// The sum of the `terms` largest `|row_j| weights_j`, j ≠ skip.
#[inline(always)]
fn largest_sum(row: &[f64], weights: &[f64], skip: usize, terms: usize, top: &mut Vec<f64>) -> f64 {
    top.clear();
    top.resize(terms, 0.0);
    let mut offer = |value: f64| {
        insert_descending(top, value);
        top[terms - 1]
    };
    let mut least = 0.0;
    let (wide, wide_weights) = (row.chunks_exact(WIDTH), weights.chunks_exact(WIDTH));
    let tail_start = row.len() - wide.remainder().len();
    for (c, (r, w)) in wide.zip(wide_weights).enumerate() {
        let mut values = [0.0; WIDTH];
        let mut any = false;
        for l in 0..WIDTH {
            values[l] = r[l].abs() * w[l];
            any |= !at_most(values[l], least);
        }
        if any {
            for (l, &value) in values.iter().enumerate() {
                if !at_most(value, least) && c * WIDTH + l != skip {
                    least = offer(value);
                }
            }
        }
    }
    for j in tail_start..row.len() {
        let value = row[j].abs() * weights[j];
        if !at_most(value, least) && j != skip {
            least = offer(value);
        }
    }
    top.iter().sum()
}

/// All pairs of candidates: one whose second pivot is not positive, if there is one.
pub(super) struct Pairs<'a> {
    pub level: &'a Level,
}

impl WithSimd for Pairs<'_> {
    type Output = Option<(usize, usize)>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Option<(usize, usize)> {
        let level = self.level;
        let size = level.size;
        let diagonal: Vec<f64> = (0..size).map(|i| level.row(i)[i]).collect();
        let pivot = |d: f64, r: f64, inverse: f64| d - (r * inverse) * r;
        for i in 0..size {
            let inverse = 1.0 / diagonal[i];
            let (row, rest) = (&level.row(i)[..i], &diagonal[..i]);
            let (wide_rows, wide_rest) = (row.chunks_exact(WIDTH), rest.chunks_exact(WIDTH));
            let mut fine = wide_rows
                .remainder()
                .iter()
                .zip(wide_rest.remainder())
                .all(|(&r, &d)| is_positive(pivot(d, r, inverse)));
            let mut bad = [0.0; WIDTH];
            for (r, d) in wide_rows.zip(wide_rest) {
                for l in 0..WIDTH {
                    bad[l] = if is_positive(pivot(d[l], r[l], inverse)) {
                        bad[l]
                    } else {
                        1.0
                    };
                }
            }
            fine &= bad == [0.0; WIDTH];
            if !fine {
                let worst = row
                    .iter()
                    .zip(rest)
                    .position(|(&r, &d)| !is_positive(pivot(d, r, inverse)));
                return Some((i, worst.unwrap_or(0)));
            }
        }
        None
    }
}
