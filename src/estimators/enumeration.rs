//! A proof over all supports of order k that an eigenvalue bound holds.
//!
//! `λ_max(G_S) ≤ τ` for all `|S| = k` says that every principal submatrix of order k of `M = τI − G` is positive
//! semidefinite, which Gaussian elimination decides by the signs of its pivots. Supports are walked in lexicographic
//! order, and supports with a common beginning share their elimination: the tree of beginnings keeps one Schur complement
//! a level, a leaf costs three operations, and the leaves under one node stand side by side in the lanes. A whole branch
//! is passed over where its Schur complement is diagonally dominant on all sets of as many columns as are still to be
//! picked: it is then positive semidefinite there, with the same error bound. Where a pivot is not positive, the support that shows it is evaluated, τ is raised to what it attains, and the branch is repeated.
//! The smallest eigenvalue is the same with `M = τI + G`.

use super::climb::{Candidate, climb, complete};
use super::gram::{End, GramMatrix, Submatrices};
use crate::error::Result;
use pulp::{Arch, Simd, WithSimd};

/// Columns treated side by side.
const WIDTH: usize = 8;

/// What an enumeration proves.
#[derive(Clone, Debug)]
pub(super) struct Proof {
    /// The best support met.
    pub best: Candidate,
    /// `sign · λ(G_S) ≤ bound` for every support, for the Gram matrix as stored.
    pub bound: f64,
}

/// Rounding of one elimination. The computed pivots are those of `M_S + ΔM` with `|ΔM| ≤ γ |L||D||Lᵀ|`,
/// `γ = (k + 4) ε` (three operations an update, one for the shifted diagonal; Higham, *Accuracy and Stability*, 2nd ed.,
/// section 9.3), and with positive pivots `‖ |L||D||Lᵀ| ‖ ≤ trace(LDLᵀ) ≤ 2 trace M_S`. So positive pivots prove
/// `λ_min(M_S) ≥ −rounding`, and `λ_min(M_S) ≥ 2 · rounding` makes them positive.
fn rounding(gram: &GramMatrix, k: usize, threshold: f64) -> f64 {
    let trace = k as f64 * (threshold.abs() + gram.largest_diagonal());
    2.0 * (k + 4) as f64 * f64::EPSILON * trace
}

/// Proves a bound over all supports of order `k ≥ 2`, starting from a good candidate.
///
/// Cost: about three operations a support, in lanes, and a few more where the candidate is not the best one.
pub(super) fn enumerate(gram: &GramMatrix, k: usize, end: End, shift: f64, start: Candidate) -> Result<Proof> {
    let n = gram.order();
    debug_assert!(2 <= k && k <= n);
    let mut submatrices = Submatrices::new(gram);
    let mut best = start;
    let slack = |value: f64| 4.0 * rounding(gram, k, value) + 2.0 * f64::MIN_POSITIVE;
    let mut threshold = best.value + slack(best.value);
    let mut tree = Tree::new(gram, k, end);
    tree.set_threshold(threshold);
    let mut first = 0;
    while first + k <= n {
        let Some(partial) = tree.first_violation(first) else {
            first += 1;
            continue;
        };
        // A superset attains at least as much (interlacing); climbing from it usually attains far more.
        let whole = complete(partial.clone(), k, n);
        let (value, error) = submatrices.extreme(&whole, end)?;
        let plain = Candidate {
            support: whole,
            value,
            error,
        };
        let climbed = climb(&mut submatrices, gram, partial, k, end, shift)?;
        let found = if climbed.value > plain.value { climbed } else { plain };
        if found.value > best.value {
            best = found;
        }
        // Strictly upwards, even where rounding alone made the pivot fail.
        threshold = (threshold + slack(threshold)).max(best.value + slack(best.value));
        tree.set_threshold(threshold);
    }
    Ok(Proof {
        best,
        bound: threshold + rounding(gram, k, threshold),
    })
}

/// The Schur complement of one beginning on the columns after its last one.
#[derive(Debug, Default)]
struct Level {
    /// The column of the whole matrix that column 0 here is.
    offset: usize,
    size: usize,
    /// Row-major, the upper triangle only.
    entries: Vec<f64>,
    diagonal: Vec<f64>,
}

#[derive(Debug)]
struct Tree<'a> {
    gram: &'a GramMatrix,
    k: usize,
    end: End,
    arch: Arch,
    levels: Vec<Level>,
}

impl<'a> Tree<'a> {
    fn new(gram: &'a GramMatrix, k: usize, end: End) -> Self {
        let levels = (0..k - 1).map(|_| Level::default()).collect();
        Tree {
            gram,
            k,
            end,
            arch: Arch::new(),
            levels,
        }
    }

    fn set_threshold(&mut self, threshold: f64) {
        let n = self.gram.order();
        let sign = self.end.sign();
        let root = &mut self.levels[0];
        root.offset = 0;
        root.size = n;
        root.entries.clear();
        // G is symmetric: its columns are its rows.
        root.entries.extend(self.gram.entries.iter().map(|g| -sign * g));
        root.diagonal.clear();
        for j in 0..n {
            let d = threshold - sign * self.gram.at(j, j);
            root.entries[j * n + j] = d;
            root.diagonal.push(d);
        }
    }

    /// A partial support that starts at column `first` and has a pivot that is not positive, if there is one.
    fn first_violation(&mut self, first: usize) -> Option<Vec<usize>> {
        if self.k == 2 {
            return self.leaves(0, first..first + 1);
        }
        self.branch(0, first)
    }

    fn node(&mut self, depth: usize) -> Option<Vec<usize>> {
        let remaining = self.k - depth;
        let size = self.levels[depth].size;
        if remaining == 2 {
            return self.leaves(depth, 0..size - 1);
        }
        (0..=size - remaining).find_map(|pick| self.branch(depth, pick))
    }

    /// Picks a column at this depth, eliminates it, and goes down.
    fn branch(&mut self, depth: usize, pick: usize) -> Option<Vec<usize>> {
        let (above, below) = self.levels.split_at_mut(depth + 1);
        let (parent, child) = (&above[depth], &mut below[0]);
        let pivot = parent.diagonal[pick];
        let column = parent.offset + pick;
        if !is_positive(pivot) {
            return Some(vec![column]);
        }
        child.offset = column + 1;
        child.size = parent.size - pick - 1;
        child.entries.resize(child.size * child.size, 0.0);
        child.diagonal.resize(child.size, 0.0);
        let (least, largest) = self.arch.dispatch(Eliminate { parent, pick, child });
        // Diagonally dominant on every set of that many columns, so positive definite there: nothing to look for.
        let remaining = (self.k - depth - 1) as f64;
        if least > (remaining - 1.0) * largest * (1.0 + 4.0 * f64::EPSILON) {
            return None;
        }
        self.node(depth + 1).map(|mut rest| {
            rest.insert(0, column);
            rest
        })
    }

    fn leaves(&self, depth: usize, picks: std::ops::Range<usize>) -> Option<Vec<usize>> {
        let level = &self.levels[depth];
        self.arch
            .dispatch(Leaves { level, picks })
            .map(|pair| pair.iter().map(|i| level.offset + i).collect())
    }
}

/// One step of elimination on the columns after the pivot. Returns the least diagonal entry (NaN where one is) and the
/// largest absolute value off the diagonal.
struct Eliminate<'a> {
    parent: &'a Level,
    pick: usize,
    child: &'a mut Level,
}

impl WithSimd for Eliminate<'_> {
    type Output = (f64, f64);

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> (f64, f64) {
        let Eliminate { parent, pick, child } = self;
        let (n, size) = (parent.size, child.size);
        let row = &parent.entries[pick * n + pick + 1..(pick + 1) * n];
        let inverse = 1.0 / parent.diagonal[pick];
        let mut least = f64::INFINITY;
        let mut largest = [0.0f64; WIDTH];
        for q in 0..size {
            let factor = row[q] * inverse;
            let start = (pick + 1 + q) * n + pick + 1 + q;
            let from = &parent.entries[start..start + size - q];
            let to = &mut child.entries[q * size + q..(q + 1) * size];
            let diagonal = from[0] - factor * row[q];
            to[0] = diagonal;
            child.diagonal[q] = diagonal;
            // A NaN is taken over and then stays, because nothing is less than it.
            if diagonal < least || diagonal.is_nan() {
                least = diagonal;
            }
            let (from, to, row) = (&from[1..], &mut to[1..], &row[q + 1..]);
            let mut wide = to.chunks_exact_mut(WIDTH);
            let (wide_from, wide_row) = (from.chunks_exact(WIDTH), row.chunks_exact(WIDTH));
            let tail = wide_from.remainder().iter().zip(wide_row.remainder());
            for ((t, f), r) in (&mut wide).zip(wide_from).zip(wide_row) {
                for l in 0..WIDTH {
                    t[l] = f[l] - factor * r[l];
                    largest[l] = if t[l].abs() > largest[l] {
                        t[l].abs()
                    } else {
                        largest[l]
                    };
                }
            }
            for (t, (f, r)) in wide.into_remainder().iter_mut().zip(tail) {
                *t = f - factor * r;
                largest[0] = if t.abs() > largest[0] { t.abs() } else { largest[0] };
            }
        }
        (least, largest.iter().fold(0.0, |m, v| if *v > m { *v } else { m }))
    }
}

/// A NaN is not positive, so a pivot that is one never counts towards a proof.
#[inline(always)]
fn is_positive(pivot: f64) -> bool {
    pivot > 0.0
}

/// The last two picks: all second pivots of all pairs whose first is in `picks`.
struct Leaves<'a> {
    level: &'a Level,
    picks: std::ops::Range<usize>,
}

impl WithSimd for Leaves<'_> {
    type Output = Option<Vec<usize>>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Option<Vec<usize>> {
        let Level {
            size,
            entries,
            diagonal,
            ..
        } = self.level;
        for pick in self.picks {
            if !is_positive(diagonal[pick]) {
                return Some(vec![pick]);
            }
            let inverse = 1.0 / diagonal[pick];
            let row = &entries[pick * size + pick + 1..(pick + 1) * size];
            let rest = &diagonal[pick + 1..];
            let pivot = |d: f64, r: f64| d - (r * inverse) * r;
            let (wide_rows, wide_rest) = (row.chunks_exact(WIDTH), rest.chunks_exact(WIDTH));
            let mut all_positive = wide_rows
                .remainder()
                .iter()
                .zip(wide_rest.remainder())
                .all(|(&r, &d)| is_positive(pivot(d, r)));
            let mut bad = [0.0; WIDTH];
            for (r, d) in wide_rows.zip(wide_rest) {
                for l in 0..WIDTH {
                    bad[l] = if is_positive(pivot(d[l], r[l])) { bad[l] } else { 1.0 };
                }
            }
            all_positive &= bad == [0.0; WIDTH];
            if !all_positive {
                let worst = row.iter().zip(rest).position(|(&r, &d)| !is_positive(pivot(d, r)));
                return Some(worst.map_or(vec![pick], |j| vec![pick, pick + 1 + j]));
            }
        }
        None
    }
}
