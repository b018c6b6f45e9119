//! Good supports without enumeration: truncated power iteration from many starts.

use super::gram::{End, GramMatrix, Submatrices};
use crate::error::Result;
use crate::seed::Seed;
use crate::support::largest_by;
use rand::seq::index::sample;

/// Iterations of one climb; it stops by itself when the support repeats, usually within ten.
const MAX_ITERATIONS: usize = 60;

/// Floating-point operations that all climbs of one search may take together, which bounds the number of starts.
const OPERATIONS: f64 = 2e10;

/// A support and the value `sign · λ` that it attains.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Candidate {
    pub support: Vec<usize>,
    pub value: f64,
    /// `|value − true value|` for the Gram matrix as stored.
    pub error: f64,
}

/// The best support of order k that truncated power iteration finds from a start at every column (from `max_starts` of
/// them, drawn from `seed`, when there are more, and from fewer still when k is large).
///
/// From a support S with extreme eigenvector v the next one holds the k largest entries of `|(±G + shift) v|`; with a
/// positive semidefinite matrix in the bracket the value never falls. Source: Yuan & Zhang 2013.
pub(super) fn best_support(
    gram: &GramMatrix,
    k: usize,
    end: End,
    shift: f64,
    max_starts: usize,
    seed: &Seed,
) -> Result<Candidate> {
    let n = gram.order();
    let climb_cost = 10.0 * (10.0 * (k as f64).powi(3) + (2 * k * n) as f64);
    let starts = max_starts.min(n).min((OPERATIONS / climb_cost).max(1.0) as usize);
    let chosen: Vec<usize> = if starts == n {
        (0..n).collect()
    } else {
        let mut rng = seed.stream("truncated power starts").rng();
        let mut picked = sample(&mut rng, n, starts).into_vec();
        picked.sort_unstable();
        picked
    };
    let mut submatrices = Submatrices::new(gram);
    // The k columns of extreme norm are a start too: they win when the norms differ widely.
    let by_norm = largest_by(k, 0..n, |j| end.sign() * gram.at(j, j));
    let mut best = climb(&mut submatrices, gram, by_norm, k, end, shift)?;
    for j in chosen {
        let column = gram.column(j);
        let mut start = largest_by(k - 1, (0..n).filter(|&i| i != j), |i| column[i].abs());
        start.push(j);
        start.sort_unstable();
        let found = climb(&mut submatrices, gram, start, k, end, shift)?;
        if found.value > best.value {
            best = found;
        }
    }
    Ok(best)
}

/// Climbs from a support of at most k columns to one of exactly k.
pub(super) fn climb(
    submatrices: &mut Submatrices<'_>,
    gram: &GramMatrix,
    start: Vec<usize>,
    k: usize,
    end: End,
    shift: f64,
) -> Result<Candidate> {
    let n = gram.order();
    let mut support = complete(start, k, n);
    let (mut value, mut vector) = submatrices.eigenvector(&support, end)?;
    let mut image = vec![0.0; n];
    for _ in 0..MAX_ITERATIONS {
        image.fill(0.0);
        for (&j, &v) in support.iter().zip(&vector) {
            for (y, g) in image.iter_mut().zip(gram.column(j)) {
                *y += end.sign() * v * g;
            }
        }
        if end == End::Smallest {
            for (&j, &v) in support.iter().zip(&vector) {
                image[j] += shift * v;
            }
        }
        let next = largest_by(k, 0..n, |j| image[j].abs());
        if next == support {
            break;
        }
        let (next_value, next_vector) = submatrices.eigenvector(&next, end)?;
        if next_value <= value {
            break;
        }
        (support, value, vector) = (next, next_value, next_vector);
    }
    let (value, error) = submatrices.extreme(&support, end)?;
    Ok(Candidate { support, value, error })
}

/// Adds the first columns that are missing until k are there; ascending.
pub(super) fn complete(mut support: Vec<usize>, k: usize, n: usize) -> Vec<usize> {
    let mut j = 0;
    while support.len() < k && j < n {
        if !support.contains(&j) {
            support.push(j);
        }
        j += 1;
    }
    support.sort_unstable();
    support
}
