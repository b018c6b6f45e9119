//! Branch and bound over supports: a proof, for all supports of order k at once, that an eigenvalue bound holds.
//!
//! `λ_max(G_S) ≤ τ` for all `|S| = k` says that every principal submatrix of order k of `M = τI − G` is positive
//! semidefinite. A node of the search has picked a set P of columns, and keeps the Schur complement T of `M_P` on the columns
//! C that may still be added; its supports are all positive semidefinite exactly when T is so on every r-subset of C,
//! `r = k − |P|`. With the weights `dᵢ = T_ii^{−1/2}`, a subset on which T is not positive semidefinite holds a row i that is
//! not dominant in it: `Σ |T_ij| dⱼ > T_ii dᵢ` over the subset (Gershgorin's discs of `D⁻¹TD`), so also over the `r − 1`
//! largest terms of the row. Such rows are *weak*, and a node without any is proven, usually long before its supports are
//! reached. Two ways lead down from the others, whichever is estimated to cost less:
//!
//! - each weak row in turn with those columns only that can stand beside it in a set in which it is weak;
//! - the weakest row with all columns, after which it leaves C, and other rows may have become dominant.
//!
//! The smallest eigenvalue is the same with `M = τI + G`.

use super::climb::{Candidate, climb, complete};
use super::dual_bound::dual_bound;
use super::gram::{End, GramMatrix, Submatrices};
use super::search_node::{Eliminate, EliminateSome, Level, Pairs, Weigh, at_most, is_positive};
use crate::error::Result;
use pulp::Arch;

/// What a search proves.
#[derive(Clone, Debug)]
pub(super) struct Proof {
    /// The best support met.
    pub best: Candidate,
    /// `sign · λ(G_S) ≤ bound` for every support, for the Gram matrix as stored.
    pub bound: f64,
    /// Whether the bound is that of the best support up to rounding.
    pub closed: bool,
    /// Nodes visited.
    pub nodes: u64,
}

/// Rounding of one elimination. The computed pivots are those of `M_S + ΔM` with `|ΔM| ≤ γ |L||D||Lᵀ|`,
/// `γ = (k + 4) ε` (three operations an update, one for the shifted diagonal; Higham, *Accuracy and Stability*, 2nd ed.,
/// section 9.3), and with positive pivots `‖ |L||D||Lᵀ| ‖ ≤ trace(LDLᵀ) ≤ 2 trace M_S`. So positive pivots prove
/// `λ_min(M_S) ≥ −rounding`, and `λ_min(M_S) ≥ 2 · rounding` makes them positive.
fn rounding(gram: &GramMatrix, k: usize, threshold: f64) -> f64 {
    let trace = k as f64 * (threshold.abs() + gram.largest_diagonal());
    2.0 * (k + 4) as f64 * f64::EPSILON * trace
}

/// Proves a bound over all supports of order `k ≥ 2` within `node_limit` nodes, starting from a good candidate; `known` is
/// a bound that holds already. Where half of the nodes do not suffice for the candidate's own value, a dual bound is
/// computed, and the other half goes into the least bound that it can prove.
///
/// Cost: a node takes about `2 c²` operations for c candidate columns.
pub(super) fn search(
    gram: &GramMatrix,
    k: usize,
    end: End,
    shift: f64,
    start: Candidate,
    known: f64,
    node_limit: u64,
) -> Result<Proof> {
    let mut seeker = Seeker {
        gram,
        k,
        end,
        shift,
        submatrices: Submatrices::new(gram),
        best: start,
        tree: Tree::new(gram, k, end),
    };
    if let Some(threshold) = seeker.prove_incumbent(node_limit / 2)? {
        return Ok(seeker.proof(threshold, true));
    }
    let dual = match node_limit {
        0 => None,
        _ => dual_bound(&(&gram.entries * end.sign()), k)?,
    };
    let known = dual.map_or(known, |d| d.min(known));
    // The least threshold that can be proven lies between what is attained and what is known; each trial may take a
    // quarter of what is left, so the cheap ones far away leave most of the nodes to those that matter.
    let (mut low, mut high) = (seeker.best.value, known);
    let mut proven = f64::INFINITY;
    while seeker.tree.nodes < node_limit && high - low > 1e-4 * (high.abs() + low.abs()) {
        let threshold = 0.5 * (low + high);
        let budget = ((node_limit - seeker.tree.nodes) / 4).max(1);
        seeker.tree.reset(threshold, seeker.tree.nodes + budget);
        match seeker.tree.violation(0) {
            Outcome::Proven => {
                high = threshold;
                proven = threshold;
            }
            Outcome::Exhausted => low = threshold,
            Outcome::Found(partial) => {
                seeker.improve(partial)?;
                low = low.max(seeker.best.value).max(threshold);
            }
        }
    }
    let mut proof = seeker.proof(proven, false);
    proof.bound = proof.bound.min(known);
    Ok(proof)
}

struct Seeker<'a> {
    gram: &'a GramMatrix,
    k: usize,
    end: End,
    shift: f64,
    submatrices: Submatrices<'a>,
    best: Candidate,
    tree: Tree<'a>,
}

impl Seeker<'_> {
    fn slack(&self, value: f64) -> f64 {
        4.0 * rounding(self.gram, self.k, value) + 2.0 * f64::MIN_POSITIVE
    }

    /// The threshold that was proven, just above the best candidate's value; none where the nodes ran out.
    fn prove_incumbent(&mut self, node_limit: u64) -> Result<Option<f64>> {
        let mut threshold = self.best.value + self.slack(self.best.value);
        loop {
            self.tree.reset(threshold, node_limit);
            match self.tree.violation(0) {
                Outcome::Proven => return Ok(Some(threshold)),
                Outcome::Exhausted => return Ok(None),
                Outcome::Found(partial) => {
                    self.improve(partial)?;
                    // Strictly upwards, even where rounding alone made the pivot fail.
                    let above = threshold + self.slack(threshold);
                    threshold = above.max(self.best.value + self.slack(self.best.value));
                }
            }
        }
    }

    /// A superset of a set with a pivot that is not positive attains at least the threshold (interlacing); climbing from it
    /// usually attains far more.
    fn improve(&mut self, partial: Vec<usize>) -> Result<()> {
        let whole = complete(partial.clone(), self.k, self.gram.order());
        let (value, error) = self.submatrices.extreme(&whole, self.end)?;
        let plain = Candidate {
            support: whole,
            value,
            error,
        };
        let climbed = climb(&mut self.submatrices, self.gram, partial, self.k, self.end, self.shift)?;
        let found = if climbed.value > plain.value { climbed } else { plain };
        if found.value > self.best.value {
            self.best = found;
        }
        Ok(())
    }

    fn proof(self, threshold: f64, closed: bool) -> Proof {
        Proof {
            bound: threshold + rounding(self.gram, self.k, threshold),
            best: self.best,
            closed,
            nodes: self.tree.nodes,
        }
    }
}

enum Outcome {
    /// Every support below the node is positive semidefinite.
    Proven,
    /// A set of columns with a pivot that is not positive.
    Found(Vec<usize>),
    /// The nodes ran out.
    Exhausted,
}

impl Outcome {
    /// The same, seen from the node above, which picked a column.
    fn under(self, column: usize) -> Outcome {
        match self {
            Outcome::Found(mut rest) => {
                rest.insert(0, column);
                Outcome::Found(rest)
            }
            other => other,
        }
    }
}

struct Tree<'a> {
    gram: &'a GramMatrix,
    k: usize,
    end: End,
    arch: Arch,
    levels: Vec<Level>,
    nodes: u64,
    limit: u64,
}

impl<'a> Tree<'a> {
    fn new(gram: &'a GramMatrix, k: usize, end: End) -> Self {
        Tree {
            gram,
            k,
            end,
            arch: Arch::new(),
            levels: (0..k - 1).map(|_| Level::default()).collect(),
            nodes: 0,
            limit: 0,
        }
    }

    fn reset(&mut self, threshold: f64, limit: u64) {
        let n = self.gram.order();
        let sign = self.end.sign();
        let root = &mut self.levels[0];
        (root.stride, root.size) = (n, n);
        root.columns.clear();
        root.columns.extend(0..n);
        root.entries.clear();
        // G is symmetric: its columns are its rows.
        root.entries.extend(self.gram.entries.iter().map(|g| -sign * g));
        for j in 0..n {
            root.entries[j * n + j] = threshold - sign * self.gram.at(j, j);
        }
        self.limit = limit;
    }

    /// Looks below the node at this depth.
    fn violation(&mut self, depth: usize) -> Outcome {
        self.nodes += 1;
        if self.nodes > self.limit {
            return Outcome::Exhausted;
        }
        let remaining = self.k - depth;
        let level = &mut self.levels[depth];
        if let Some(i) = (0..level.size).find(|&i| !is_positive(level.row(i)[i])) {
            return Outcome::Found(vec![level.columns[i]]);
        }
        if remaining == 2 {
            return match self.arch.dispatch(Pairs { level }) {
                Some((i, j)) => Outcome::Found(vec![level.columns[i], level.columns[j]]),
                None => Outcome::Proven,
            };
        }
        loop {
            let level = &mut self.levels[depth];
            if level.size < remaining {
                return Outcome::Proven;
            }
            self.arch.dispatch(Weigh {
                level,
                terms: remaining - 1,
            });
            // A NaN is weak.
            let margin = 1.0 - (remaining + 8) as f64 * f64::EPSILON;
            let weak: Vec<usize> = (0..level.size).filter(|&i| !at_most(level.ratios[i], margin)).collect();
            let Some(&weakest) = weak
                .iter()
                .max_by(|&&i, &&j| level.ratios[i].total_cmp(&level.ratios[j]))
            else {
                return Outcome::Proven;
            };
            if self.levels[depth].narrow_is_cheaper(&weak) {
                return self.narrow(depth, &weak);
            }
            let level = &mut self.levels[depth];
            let last = level.size - 1;
            level.swap(weakest, last);
            let column = level.columns[last];
            let (above, below) = self.levels.split_at_mut(depth + 1);
            self.arch.dispatch(Eliminate {
                parent: &above[depth],
                child: &mut below[0],
            });
            match self.violation(depth + 1) {
                Outcome::Proven => self.levels[depth].size = last,
                found => return found.under(column),
            }
        }
    }

    /// Every weak row with the columns that can stand beside it.
    fn narrow(&mut self, depth: usize, weak: &[usize]) -> Outcome {
        let remaining = self.k - depth;
        for &i in weak {
            let (above, below) = self.levels.split_at_mut(depth + 1);
            let level = &above[depth];
            let partners: Vec<usize> = level.partners(i).collect();
            if partners.len() + 1 < remaining {
                continue;
            }
            let column = level.columns[i];
            self.arch.dispatch(EliminateSome {
                parent: level,
                pivot: i,
                partners: &partners,
                child: &mut below[0],
            });
            match self.violation(depth + 1) {
                Outcome::Proven => (),
                found => return found.under(column),
            }
        }
        Outcome::Proven
    }
}
