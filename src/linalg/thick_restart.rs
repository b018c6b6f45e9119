//! Several eigenpairs at both ends of a symmetric map, in a fixed amount of room.
//!
//! A Krylov basis grows to its bound; then the Ritz vectors nearest the wanted ends, with the newest direction, are the beginning
//! of the next one. Nothing of what matters is lost: the Ritz vectors share one residual direction, which is the next basis vector.

use super::dense::symmetric_eigen;
use super::lanczos::{BREAKDOWN, RitzValue, axpy, project_out, random_unit};
use super::norm;
use super::symmetry::SymmetryTest;
use crate::error::{Error, Result, require_finite};
use crate::outcome::Status;
use crate::seed::Seed;
use nalgebra::DMatrix;

/// Basis vectors beyond the wanted ones that a restart needs.
const SPARE: usize = 3;

/// Coordinates that are turned into Ritz vectors together.
const BLOCK: usize = 512;

/// Lanczos with full reorthogonalisation and thick restarts.
///
/// Room: `basis + 1` vectors and a few hundred numbers for each. Work: a product and `O(basis · length)` operations a step.
///
/// The answer is *confirmed*: after the wanted pairs have converged, another cycle starts from a fresh random direction orthogonal
/// to them, and again until nothing changes. So eigenvalues that stand several times are counted, although a Krylov space of one
/// vector holds a single copy of each. That no eigenvalue was overlooked is certain only when the basis reached the dimension;
/// else it is as likely as the fresh directions make it. [`spectrum_bounds`](super::spectrum_bounds) has bounds that are certain.
///
/// Source: Wu and Simon, SIAM J. Matrix Anal. Appl. 22, 2000.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ThickRestart {
    /// Pairs wanted at the lower end; the dimension at most.
    pub smallest: usize,
    /// Pairs wanted at the upper end.
    pub largest: usize,
    /// Most basis vectors at a time: three more than there are pairs wanted, or the dimension.
    pub basis: usize,
    /// Largest residual of a wanted pair, as a fraction of the largest absolute Ritz value.
    pub tolerance: f64,
    /// Most products, without those that test symmetry and recompute residuals.
    pub max_products: usize,
}

impl Default for ThickRestart {
    /// A pair at each end from 60 basis vectors, relative residual 1e-10, 2000 products.
    fn default() -> Self {
        ThickRestart {
            smallest: 1,
            largest: 1,
            basis: 60,
            tolerance: 1e-10,
            max_products: 2000,
        }
    }
}

/// A Ritz value and its unit vector.
#[derive(Clone, Debug, PartialEq)]
pub struct RitzPair {
    /// The value, and the residual `‖A x − θ x‖₂` recomputed from a product: some eigenvalue lies within it.
    pub ritz: RitzValue,
    /// The vector x.
    pub vector: Vec<f64>,
}

/// What [`ThickRestart::extremes`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct ExtremePairs {
    /// From the lower end upwards: the k-th value is an upper bound of the k-th smallest eigenvalue.
    pub smallest: Vec<RitzPair>,
    /// From the upper end downwards: the k-th value is a lower bound of the k-th largest eigenvalue.
    pub largest: Vec<RitzPair>,
    /// [`Status::Converged`] and confirmed; [`Status::IterationLimit`] where the products ran out before; [`Status::Stalled`]
    /// where the recomputed residuals stay above the tolerance although the recurrence is below it: the products are not accurate
    /// enough.
    pub status: Status,
    /// Whether the basis reached the dimension, so that nothing is left out, multiplicities included.
    pub whole: bool,
    /// How often the basis was begun again.
    pub restarts: usize,
    /// All products with the map.
    pub applications: usize,
}

/// A basis, the projection of the map on it, and what a product with the newest vector left over.
struct Space<'a> {
    length: usize,
    basis: Vec<Vec<f64>>,
    /// Row and column k belong to basis vector k, as far as products with them are known.
    projected: DMatrix<f64>,
    known: usize,
    left: Vec<f64>,
    /// The norm of what is left; 0 where the space is invariant.
    beta: f64,
    size: f64,
    products: usize,
    seed: &'a Seed,
    drawn: u64,
}

impl Space<'_> {
    /// A product with the newest basis vector.
    fn multiply(&mut self, apply: &mut dyn FnMut(&[f64], &mut [f64])) -> Result<()> {
        let k = self.known;
        apply(&self.basis[k], &mut self.left);
        require_finite("product with the map", &self.left)?;
        self.products += 1;
        self.size = self.size.max(norm(&self.left));
        let mut along = vec![0.0; self.basis.len()];
        project_out(&mut self.left, &self.basis, Some(&mut along));
        for (i, c) in along.into_iter().enumerate() {
            self.projected[(i, k)] = c;
            self.projected[(k, i)] = c;
        }
        let rest = norm(&self.left);
        self.beta = if rest <= BREAKDOWN * self.size { 0.0 } else { rest };
        self.known += 1;
        Ok(())
    }

    /// Whether no direction is left.
    fn is_whole(&self) -> bool {
        self.known == self.length
    }

    /// One more basis vector: what is left, or a fresh direction where nothing is.
    fn grow(&mut self) {
        if self.beta > 0.0 {
            self.basis.push(self.left.iter().map(|v| v / self.beta).collect());
        } else {
            self.grow_afresh();
        }
    }

    /// A random direction orthogonal to the basis, which does not span everything yet.
    fn grow_afresh(&mut self) {
        let mut fresh = random_unit(self.length, &self.seed.stream("fresh").replicate(self.drawn));
        self.drawn += 1;
        project_out(&mut fresh, &self.basis, None);
        let mut rest = norm(&fresh);
        // A direction within rounding of the basis: one of the axes is far from it, for their parts outside sum to 1 or more.
        let mut axis = 0;
        while rest <= 1e-8 && axis < self.length {
            fresh.fill(0.0);
            fresh[axis] = 1.0;
            project_out(&mut fresh, &self.basis, None);
            rest = norm(&fresh);
            axis += 1;
        }
        fresh.iter_mut().for_each(|v| *v /= rest);
        self.basis.push(fresh);
    }

    /// Turns the basis into chosen Ritz vectors, in its own room.
    fn turn(&mut self, values: &[f64], vectors: &DMatrix<f64>, keep: &[usize]) {
        let mut turned = vec![0.0; keep.len() * BLOCK];
        for start in (0..self.length).step_by(BLOCK) {
            let end = (start + BLOCK).min(self.length);
            turned.fill(0.0);
            for (part, &column) in turned.chunks_exact_mut(BLOCK).zip(keep) {
                for (q, &c) in self.basis[..self.known].iter().zip(vectors.column(column).iter()) {
                    axpy(c, &q[start..end], part);
                }
            }
            for (q, part) in self.basis.iter_mut().zip(turned.chunks_exact(BLOCK)) {
                q[start..end].copy_from_slice(&part[..end - start]);
            }
        }
        self.basis.truncate(keep.len());
        self.known = keep.len();
        self.projected.fill(0.0);
        for (k, &column) in keep.iter().enumerate() {
            self.projected[(k, k)] = values[column];
        }
    }

    fn decompose(&self) -> Result<(Vec<f64>, DMatrix<f64>)> {
        let block = self.projected.view((0, 0), (self.known, self.known)).into_owned();
        let (values, vectors) = symmetric_eigen(&block)?;
        Ok((values.iter().copied().collect(), vectors))
    }
}

impl ThickRestart {
    /// Extreme eigenpairs of the symmetric map `apply(x, y): y ← A x` on `ℝ^length`, from directions drawn from `seed`.
    ///
    /// The map is put to [`SymmetryTest::SINGLE`] first. The basis never has more than `length` vectors, and no more pairs are
    /// returned than there are.
    ///
    /// # Errors
    /// [`Error::Argument`] for no pairs or no products, length 0, a basis too small or a tolerance out of range;
    /// [`Error::Asymmetric`] when the map is found not to be symmetric; [`Error::NotFinite`] when it returns a number that is not
    /// finite. Not to converge is no error: see [`ExtremePairs::status`].
    ///
    /// ```
    /// use ticketsense::{Seed, linalg::thick_restart::ThickRestart};
    /// let values: Vec<f64> = (0..500).map(|i| if i < 2 { 9.0 } else { i as f64 / 500.0 }).collect();
    /// let apply = |x: &[f64], y: &mut [f64]| (0..500).for_each(|i| y[i] = values[i] * x[i]);
    /// let method = ThickRestart { smallest: 0, largest: 2, basis: 20, ..ThickRestart::default() };
    /// let found = method.extremes(500, apply, &Seed::root(0))?;
    /// assert!(found.status.is_success());
    /// assert!(found.largest.iter().all(|pair| (pair.ritz.value - 9.0).abs() < 1e-9));
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    pub fn extremes(
        &self,
        length: usize,
        mut apply: impl FnMut(&[f64], &mut [f64]),
        seed: &Seed,
    ) -> Result<ExtremePairs> {
        let wanted = Wanted {
            smallest: self.smallest.min(length),
            largest: self.largest.min(length),
        };
        let capacity = self.check(length, &wanted)?;
        let tested = SymmetryTest::SINGLE.check(length, &mut apply, seed)?;
        let mut space = Space {
            length,
            basis: vec![random_unit(length, seed)],
            projected: DMatrix::zeros(capacity, capacity),
            known: 0,
            left: vec![0.0; length],
            beta: 0.0,
            size: 0.0,
            products: 0,
            seed,
            drawn: 0,
        };
        let mut restarts = 0;
        // The wanted values before a cycle from a fresh direction.
        let mut before: Option<Vec<f64>> = None;
        let (status, values, vectors) = loop {
            loop {
                space.multiply(&mut apply)?;
                if space.known == capacity || space.products == self.max_products {
                    break;
                }
                space.grow();
            }
            let (values, vectors) = space.decompose()?;
            let count = values.len();
            if space.is_whole() {
                break (Status::Converged, values, vectors);
            }
            let chosen = wanted.of(count, 0, 0);
            let size = values[0].abs().max(values[count - 1].abs());
            let residual = |k: usize| space.beta * vectors[(count - 1, k)].abs();
            // Half of a half: what the cycle from a fresh direction leaves out adds to it.
            let converged = chosen.iter().all(|&k| residual(k) <= 0.25 * self.tolerance * size);
            let now: Vec<f64> = chosen.iter().map(|&k| values[k]).collect();
            let same = |before: &Vec<f64>| {
                let pairs = before.iter().zip(&now);
                before.len() == now.len() && pairs.into_iter().all(|(a, b)| (a - b).abs() <= self.tolerance * size)
            };
            if converged && before.as_ref().is_some_and(same) {
                break (Status::Converged, values, vectors);
            }
            if space.products == self.max_products {
                break (Status::IterationLimit, values, vectors);
            }
            restarts += 1;
            if converged {
                space.turn(&values, &vectors, &chosen);
                before = Some(now);
                space.grow_afresh();
            } else {
                let more = (capacity - chosen.len()) / 2;
                let (below, above) = match (wanted.smallest, wanted.largest) {
                    (0, _) => (0, more),
                    (_, 0) => (more, 0),
                    _ => (more / 2, more / 2),
                };
                space.turn(&values, &vectors, &wanted.of(count, below, above));
                before = None;
                space.grow();
            }
        };
        let whole = space.is_whole();
        let products = space.products;
        let pairs = wanted.pairs(space, &values, &vectors, &mut apply)?;
        let size = values.iter().fold(0.0f64, |size, v| size.max(v.abs()));
        let residuals = pairs.iter().map(|pair| pair.ritz.residual_norm);
        let worst = residuals.fold(0.0, f64::max);
        let exact = whole || worst <= self.tolerance.max(BREAKDOWN) * size;
        Ok(ExtremePairs {
            status: match status {
                Status::Converged if !exact => Status::Stalled,
                other => other,
            },
            applications: tested.applications + products + pairs.len(),
            largest: pairs[pairs.len() - wanted.largest.min(pairs.len())..]
                .iter()
                .rev()
                .cloned()
                .collect(),
            smallest: pairs.into_iter().take(wanted.smallest).collect(),
            whole,
            restarts,
        })
    }

    fn check(&self, length: usize, wanted: &Wanted) -> Result<usize> {
        if length == 0 {
            return Err(Error::argument("length", "at least 1", 0));
        }
        let pairs = wanted.smallest + wanted.largest;
        if pairs == 0 {
            return Err(Error::argument("wanted eigenpairs", "at least 1", 0));
        }
        if self.max_products == 0 {
            return Err(Error::argument("max_products", "at least 1", 0));
        }
        if !(self.tolerance >= 0.0 && self.tolerance.is_finite()) {
            let expected = "a finite number of at least 0";
            return Err(Error::argument("tolerance", expected, self.tolerance));
        }
        let least = (pairs + SPARE).min(length);
        if self.basis < least {
            return Err(Error::argument("basis", format!("at least {least}"), self.basis));
        }
        Ok(self.basis.min(length))
    }
}

/// How many pairs of which end.
struct Wanted {
    smallest: usize,
    largest: usize,
}

impl Wanted {
    /// Places among `count` ascending values, with some more at each end.
    fn of(&self, count: usize, below: usize, above: usize) -> Vec<usize> {
        let low = (self.smallest + below).min(count);
        let high = (self.largest + above).min(count);
        (0..low).chain((count - high).max(low)..count).collect()
    }

    /// The wanted pairs, ascending, with residuals from products with the map, in the room of the basis.
    fn pairs(
        &self,
        mut space: Space<'_>,
        values: &[f64],
        vectors: &DMatrix<f64>,
        apply: &mut dyn FnMut(&[f64], &mut [f64]),
    ) -> Result<Vec<RitzPair>> {
        let chosen = self.of(values.len(), 0, 0);
        space.turn(values, vectors, &chosen);
        let mut pairs = Vec::with_capacity(chosen.len());
        for (mut vector, &k) in space.basis.into_iter().zip(&chosen) {
            let unit = norm(&vector);
            vector.iter_mut().for_each(|v| *v /= unit);
            apply(&vector, &mut space.left);
            require_finite("product with the map", &space.left)?;
            axpy(-values[k], &vector, &mut space.left);
            let ritz = RitzValue {
                value: values[k],
                residual_norm: norm(&space.left),
            };
            pairs.push(RitzPair { ritz, vector });
        }
        Ok(pairs)
    }
}

#[cfg(test)]
#[path = "thick_restart_tests.rs"]
mod tests;
