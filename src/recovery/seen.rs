//! Which supports an iteration has met, so that it ends when they come round again.

use super::iterate::Iterate;
use crate::linalg::norm;
use crate::outcome::Status;
use std::collections::BTreeSet;

/// The floor below which a residual after a fit on `count` columns is rounding, relative to `‖y‖`.
pub(super) fn residual_floor(tolerance: f64, count: usize) -> f64 {
    tolerance.max(16.0 * (count + 1) as f64 * f64::EPSILON)
}

/// `first ∪ second`, both ascending, into `union`.
pub(super) fn union_into(first: &[usize], second: &[usize], union: &mut Vec<usize>) {
    union.clear();
    union.extend_from_slice(first);
    union.extend(second.iter().filter(|j| first.binary_search(j).is_err()));
    union.sort_unstable();
}

/// The supports met so far, and the iterate with the smallest residual.
///
/// A method whose next iterate is a function of its support alone can meet only finitely many: the first support that
/// comes again closes a cycle, through which it would turn for ever.
#[derive(Debug)]
pub(super) struct Seen {
    supports: BTreeSet<Vec<usize>>,
    best: Iterate,
}

impl Seen {
    /// Nothing met but `start`.
    pub fn new(start: &Iterate) -> Self {
        Seen {
            supports: BTreeSet::new(),
            best: start.clone(),
        }
    }

    /// Notes a support; false when it was met before.
    pub fn insert(&mut self, support: &[usize]) -> bool {
        !self.supports.contains(support) && self.supports.insert(support.to_vec())
    }

    /// Notes an iterate, and keeps it when its residual is the smallest.
    pub fn offer(&mut self, iterate: &Iterate) {
        if norm(&iterate.r) < norm(&self.best.r) {
            self.best.copy_from(iterate);
        }
    }

    /// The iterate to answer with: the last one where its stopping rule was met, the best one otherwise.
    pub fn answer(self, last: Iterate, status: Status) -> Iterate {
        if status.is_success() { last } else { self.best }
    }
}
