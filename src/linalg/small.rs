//! Both extreme eigenvalues of eight small symmetric matrices at once.
//!
//! Restricted isometry constants ask for the two ends of the spectrum of very many k×k Gram matrices. Eight of them sit
//! side by side, entry (i, j) of all eight in one register-sized array, and go through the same operations: Householder
//! tridiagonalisation, then bisection with Sturm sequences for both ends. Nothing branches on the data, and no fused
//! multiply-add is used, so every instruction set gives the same bits.

use crate::error::{Error, Result};
use pulp::{Arch, Simd, WithSimd};

/// Matrices treated at once.
pub const LANES: usize = 8;

/// One number for each of the eight matrices.
pub type Lane = [f64; LANES];

/// Eigenvalues below this, relative to a matrix scaled to entries of size 1, count as pivots of that size: it keeps
/// `0/0` out of the Sturm recurrence and moves no eigenvalue by a visible amount.
const SMALLEST_PIVOT: f64 = 1e-290;

/// Halvings of the Gershgorin interval, which is at most `6 ‖T‖` wide: the last one leaves `6 · 2⁻⁵⁶ ‖T‖ < ε ‖T‖`.
const HALVINGS: usize = 56;

/// The two ends of eight spectra.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extremes {
    /// Smallest eigenvalue of each matrix.
    pub smallest: Lane,
    /// Largest eigenvalue of each matrix.
    pub largest: Lane,
    /// `|computed − true|` is at most this, for both ends of each matrix: see [`SmallSymmetric::extremes`].
    pub error_bound: Lane,
}

/// Eight symmetric matrices of one order, and the space to work on them.
///
/// ```
/// use ticketsense::linalg::small::SmallSymmetric;
/// let mut batch = SmallSymmetric::new(2)?;
/// for lane in 0..8 {
///     batch.load(lane, |i, j| if i == j { 1.0 } else { lane as f64 });
/// }
/// let ends = batch.extremes()?;
/// assert!((ends.largest[3] - 4.0).abs() <= ends.error_bound[3]);
/// assert!((ends.smallest[3] + 2.0).abs() <= ends.error_bound[3]);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SmallSymmetric {
    order: usize,
    /// Entry (i, j), i ≥ j, of all eight matrices at `i + j·order`.
    entries: Vec<Lane>,
    diagonal: Vec<Lane>,
    off_diagonal_squared: Vec<Lane>,
    work: Vec<Lane>,
}

impl SmallSymmetric {
    /// Room for eight k×k matrices, all zero.
    ///
    /// # Errors
    /// [`Error::Argument`] for order 0 or above 512 (beyond which the error bound, quadratic in k, is no longer small
    /// and one large factorisation is the better tool).
    pub fn new(order: usize) -> Result<Self> {
        if !(1..=512).contains(&order) {
            return Err(Error::argument(
                "order of the small matrices",
                "an integer in 1..=512",
                order,
            ));
        }
        let zero = [0.0; LANES];
        Ok(SmallSymmetric {
            order,
            entries: vec![zero; order * order],
            diagonal: vec![zero; order],
            off_diagonal_squared: vec![zero; order],
            work: vec![zero; order],
        })
    }

    /// The order k.
    pub fn order(&self) -> usize {
        self.order
    }

    /// Writes one matrix; `entry(i, j)` is asked for `i ≥ j` only.
    ///
    /// # Panics
    /// When `lane` is not below 8: a bug of the caller.
    pub fn load(&mut self, lane: usize, entry: impl Fn(usize, usize) -> f64) {
        assert!(lane < LANES, "lane {lane} of {LANES}");
        for j in 0..self.order {
            for i in j..self.order {
                self.entries[i + j * self.order][lane] = entry(i, j);
            }
        }
    }

    /// The ends of the eight spectra. The matrices are consumed: load them again before the next call.
    ///
    /// Error bound, with ε = 2⁻⁵²: a computed reflection applied to one side of a k×k matrix commits an error of at most
    /// `8 k ε ‖A‖_F` (Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., Lemma 19.3, with 16 for the small
    /// constant that the lemma leaves open), there are `2(k − 2)` of them, and by Weyl's inequality no eigenvalue moves
    /// by more. The Sturm count is exact for a tridiagonal matrix within `8 ε ‖T‖` (Kahan 1966; Demmel, *Applied
    /// Numerical Linear Algebra*, Lemma 5.3) and the last interval is below `ε ‖T‖` wide. Together less than
    /// `16 k² ε ‖A‖_F`, which is what [`Extremes::error_bound`] holds; a 1×1 matrix is exact.
    ///
    /// # Errors
    /// [`Error::NotFinite`] when a loaded entry is not finite; the index is that of the entry, column-major, over the
    /// order × order matrices.
    ///
    /// Cost: about `4k³/3 + 8k·56` operations a matrix.
    pub fn extremes(&mut self) -> Result<Extremes> {
        let scale = self.scale_to_one()?;
        if self.order == 1 {
            let value = lane(|l| self.entries[0][l] * scale[l]);
            return Ok(Extremes {
                smallest: value,
                largest: value,
                error_bound: [0.0; LANES],
            });
        }
        let frobenius = self.frobenius();
        let (smallest, largest) = Arch::new().dispatch(Kernel(self));
        let factor = 16.0 * (self.order * self.order) as f64 * f64::EPSILON;
        Ok(Extremes {
            smallest: lane(|l| smallest[l] * scale[l]),
            largest: lane(|l| largest[l] * scale[l]),
            error_bound: lane(|l| factor * frobenius[l] * scale[l]),
        })
    }

    /// Divides every matrix by the power of two next to its largest entry, so that no square overflows or vanishes;
    /// returns the powers.
    fn scale_to_one(&mut self) -> Result<Lane> {
        let mut largest = [0.0f64; LANES];
        for j in 0..self.order {
            for i in j..self.order {
                let index = i + j * self.order;
                for (l, m) in largest.iter_mut().enumerate() {
                    let value = self.entries[index][l];
                    if !value.is_finite() {
                        return Err(Error::NotFinite {
                            what: "small symmetric matrix".into(),
                            index,
                            value,
                        });
                    }
                    *m = m.max(value.abs());
                }
            }
        }
        let power = lane(|l| power_of_two_below(largest[l]));
        if power.iter().any(|&p| p != 1.0) {
            for entry in &mut self.entries {
                for l in 0..LANES {
                    entry[l] /= power[l];
                }
            }
        }
        Ok(power)
    }

    fn frobenius(&self) -> Lane {
        let mut square = [0.0; LANES];
        for j in 0..self.order {
            for i in j..self.order {
                let weight = if i == j { 1.0 } else { 2.0 };
                for (l, s) in square.iter_mut().enumerate() {
                    let value = self.entries[i + j * self.order][l];
                    *s += weight * value * value;
                }
            }
        }
        lane(|l| square[l].sqrt())
    }
}

/// The largest power of two that is at most `value`, held within the normal range; 1 for 0.
fn power_of_two_below(value: f64) -> f64 {
    if value == 0.0 {
        1.0
    } else if value < f64::MIN_POSITIVE {
        f64::MIN_POSITIVE
    } else {
        f64::from_bits(value.to_bits() & 0x7ff0_0000_0000_0000)
    }
}

#[inline(always)]
fn lane(f: impl Fn(usize) -> f64) -> Lane {
    let mut out = [0.0; LANES];
    for (l, o) in out.iter_mut().enumerate() {
        *o = f(l);
    }
    out
}

/// The body, compiled once for every instruction set that the machine may offer.
struct Kernel<'a>(&'a mut SmallSymmetric);

impl WithSimd for Kernel<'_> {
    type Output = (Lane, Lane);

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Self::Output {
        let batch = self.0;
        tridiagonalise(
            batch.order,
            &mut batch.entries,
            &mut batch.diagonal,
            &mut batch.off_diagonal_squared,
            &mut batch.work,
        );
        bisect_both_ends(&batch.diagonal, &batch.off_diagonal_squared)
    }
}

/// Householder reduction of the lower triangles to tridiagonal form: diagonal, and squares of the off-diagonal.
#[inline(always)]
fn tridiagonalise(k: usize, a: &mut [Lane], diagonal: &mut [Lane], squared: &mut [Lane], p: &mut [Lane]) {
    for j in 0..k - 1 {
        diagonal[j] = a[j + j * k];
        let m = k - j - 1;
        let base = j * k + j + 1;
        let head = a[base];
        let mut tail = [0.0; LANES];
        for x in &a[base + 1..base + m] {
            for l in 0..LANES {
                tail[l] += x[l] * x[l];
            }
        }
        squared[j] = lane(|l| head[l] * head[l] + tail[l]);
        if m == 1 {
            continue;
        }
        // The reflection I − τ v vᵀ with v₁ = 1 sends the column to β e₁; a zero tail needs none (τ = 0).
        let beta = lane(|l| {
            let length = squared[j][l].sqrt();
            if head[l] > 0.0 { -length } else { length }
        });
        let pivot = lane(|l| head[l] - beta[l]);
        let inverse = lane(|l| if tail[l] > 0.0 { 1.0 / pivot[l] } else { 0.0 });
        let tau = lane(|l| if tail[l] > 0.0 { -pivot[l] / beta[l] } else { 0.0 });
        a[base] = [1.0; LANES];
        for x in &mut a[base + 1..base + m] {
            for l in 0..LANES {
                x[l] *= inverse[l];
            }
        }
        let (left, right) = a.split_at_mut((j + 1) * k);
        let v = &left[base..base + m];
        // p ← τ A v from the lower triangle of the trailing block, then p ← p − ½ τ (pᵀv) v.
        let p = &mut p[..m];
        p.fill([0.0; LANES]);
        for c in 0..m {
            let column = &right[c * k + j + 1..c * k + k];
            let vc = v[c];
            let mut sum = lane(|l| column[c][l] * vc[l]);
            for r in c + 1..m {
                for l in 0..LANES {
                    sum[l] += column[r][l] * v[r][l];
                    p[r][l] += column[r][l] * vc[l];
                }
            }
            for l in 0..LANES {
                p[c][l] += sum[l];
            }
        }
        let mut inner = [0.0; LANES];
        for (x, y) in p.iter_mut().zip(v) {
            for l in 0..LANES {
                x[l] *= tau[l];
                inner[l] += x[l] * y[l];
            }
        }
        let half = lane(|l| 0.5 * tau[l] * inner[l]);
        for (x, y) in p.iter_mut().zip(v) {
            for l in 0..LANES {
                x[l] -= half[l] * y[l];
            }
        }
        for c in 0..m {
            let (vc, pc) = (v[c], p[c]);
            let column = &mut right[c * k + j + 1..c * k + k];
            for r in c..m {
                for l in 0..LANES {
                    column[r][l] -= v[r][l] * pc[l] + p[r][l] * vc[l];
                }
            }
        }
    }
    diagonal[k - 1] = a[k * k - 1];
    squared[k - 1] = [0.0; LANES];
}

/// Bisection for both ends inside the Gershgorin interval. The pivots of `T − x I` are all positive exactly when x lies
/// below the spectrum and all negative exactly when it lies above.
#[inline(always)]
fn bisect_both_ends(diagonal: &[Lane], squared: &[Lane]) -> (Lane, Lane) {
    let mut low = [f64::MAX; LANES];
    let mut high = [f64::MIN; LANES];
    let mut before = [0.0; LANES];
    for (d, e2) in diagonal.iter().zip(squared) {
        for l in 0..LANES {
            let e = e2[l].sqrt();
            let radius = (before[l] + e) * (1.0 + 4.0 * f64::EPSILON);
            low[l] = low[l].min(d[l] - radius);
            high[l] = high[l].max(d[l] + radius);
            before[l] = e;
        }
    }
    let (mut min_low, mut min_high) = (low, high);
    let (mut max_low, mut max_high) = (low, high);
    for _ in 0..HALVINGS {
        let x = lane(|l| 0.5 * (min_low[l] + min_high[l]));
        let y = lane(|l| 0.5 * (max_low[l] + max_high[l]));
        let (mut q, mut r) = ([1.0; LANES], [1.0; LANES]);
        let (mut least, mut greatest) = ([f64::MAX; LANES], [f64::MIN; LANES]);
        let mut coupling = [0.0; LANES];
        for (d, e2) in diagonal.iter().zip(squared) {
            for l in 0..LANES {
                let a = d[l] - x[l] - coupling[l] / q[l];
                let b = d[l] - y[l] - coupling[l] / r[l];
                q[l] = if a.abs() < SMALLEST_PIVOT { -SMALLEST_PIVOT } else { a };
                r[l] = if b.abs() < SMALLEST_PIVOT { -SMALLEST_PIVOT } else { b };
                least[l] = if q[l] < least[l] { q[l] } else { least[l] };
                greatest[l] = if r[l] > greatest[l] { r[l] } else { greatest[l] };
            }
            coupling = *e2;
        }
        for l in 0..LANES {
            let above_smallest = least[l] < 0.0;
            min_high[l] = if above_smallest { x[l] } else { min_high[l] };
            min_low[l] = if above_smallest { min_low[l] } else { x[l] };
            let above_largest = greatest[l] < 0.0;
            max_high[l] = if above_largest { y[l] } else { max_high[l] };
            max_low[l] = if above_largest { max_low[l] } else { y[l] };
        }
    }
    (
        lane(|l| 0.5 * (min_low[l] + min_high[l])),
        lane(|l| 0.5 * (max_low[l] + max_high[l])),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::dense::{gram, symmetric_eigenvalues};
    use crate::seed::Seed;
    use nalgebra::DMatrix;
    use rand::RngExt;
    use rand_distr::StandardNormal;

    fn solve(matrices: &[DMatrix<f64>]) -> Extremes {
        let mut batch = SmallSymmetric::new(matrices[0].nrows()).unwrap();
        for (l, a) in matrices.iter().enumerate() {
            batch.load(l, |i, j| a[(i, j)]);
        }
        batch.extremes().unwrap()
    }

    fn check(matrices: &[DMatrix<f64>]) {
        let ends = solve(matrices);
        for (l, a) in matrices.iter().enumerate() {
            let reference = symmetric_eigenvalues(a).unwrap();
            // The reference has a backward error of its own, of the same form.
            let tolerance = 2.0 * ends.error_bound[l] + f64::EPSILON * a.norm();
            let (low, high) = (reference[0], reference[reference.len() - 1]);
            assert!(
                (ends.smallest[l] - low).abs() <= tolerance,
                "{} {low} {a}",
                ends.smallest[l]
            );
            assert!(
                (ends.largest[l] - high).abs() <= tolerance,
                "{} {high} {a}",
                ends.largest[l]
            );
            // The stated bound is a worst case; the error met in practice stays within a few units of rounding.
            assert!((ends.largest[l] - high).abs() <= 64.0 * f64::EPSILON * a.norm());
        }
    }

    fn random_gram(rows: usize, order: usize, rng: &mut impl rand::Rng) -> DMatrix<f64> {
        gram(&DMatrix::from_fn(rows, order, |_, _| {
            rng.sample::<f64, _>(StandardNormal) / (rows as f64).sqrt()
        }))
    }

    #[test]
    fn both_ends_agree_with_a_full_factorisation_for_orders_one_to_twenty() {
        let mut rng = Seed::root(1).stream("small").rng();
        for order in 1..=20usize {
            for rows in [4 * order, order, order.div_ceil(2), 1] {
                let batch: Vec<_> = (0..LANES).map(|_| random_gram(rows, order, &mut rng)).collect();
                check(&batch);
            }
        }
    }

    #[test]
    fn diagonal_repeated_zero_and_indefinite_matrices_are_no_special_cases() {
        for order in [1, 2, 3, 7, 20] {
            let n = order as f64;
            check(&[
                DMatrix::from_fn(order, order, |i, j| if i == j { (i % 3) as f64 - 1.0 } else { 0.0 }),
                DMatrix::identity(order, order),
                DMatrix::zeros(order, order),
                DMatrix::from_element(order, order, 1.0),
                DMatrix::from_fn(order, order, |i, j| if i == j { 1.0 } else { 0.3 }),
                DMatrix::from_fn(order, order, |i, j| if i.abs_diff(j) == 1 { -1.0 } else { 0.0 }),
                DMatrix::from_fn(order, order, |i, j| (i + j) as f64 - n),
                DMatrix::from_fn(
                    order,
                    order,
                    |i, j| if i == j { 10f64.powi(-(i as i32)) } else { 1e-200 },
                ),
            ]);
        }
    }

    #[test]
    fn the_second_difference_matrix_has_its_closed_form_ends() {
        for order in [2usize, 5, 16] {
            let a = DMatrix::from_fn(order, order, |i, j| match i.abs_diff(j) {
                0 => 2.0,
                1 => -1.0,
                _ => 0.0,
            });
            let ends = solve(&[a]);
            let exact = |i: usize| 2.0 - 2.0 * (i as f64 * std::f64::consts::PI / (order + 1) as f64).cos();
            // Tridiagonal already: only the Sturm count and the last interval err, by at most 10 ε ‖T‖ with ‖T‖ < 4.
            assert!((ends.smallest[0] - exact(1)).abs() <= 40.0 * f64::EPSILON);
            assert!((ends.largest[0] - exact(order)).abs() <= 40.0 * f64::EPSILON);
        }
    }

    #[test]
    fn tiny_and_huge_matrices_keep_their_relative_accuracy() {
        let mut rng = Seed::root(2).stream("small").rng();
        let base = random_gram(9, 6, &mut rng);
        let unit = solve(std::slice::from_ref(&base));
        for exponent in [-1000, -500, 500, 1000] {
            let scale = 2f64.powi(exponent);
            let ends = solve(&[base.map(|x| x * scale)]);
            // Scaling by a power of two commutes with every rounding.
            assert_eq!(ends.largest[0], unit.largest[0] * scale);
            assert_eq!(ends.smallest[0], unit.smallest[0] * scale);
        }
    }

    #[test]
    fn an_entry_that_is_not_finite_and_an_order_of_zero_are_refused() {
        assert!(SmallSymmetric::new(0).is_err());
        let mut batch = SmallSymmetric::new(3).unwrap();
        batch.load(5, |i, j| if (i, j) == (2, 1) { f64::NAN } else { 0.0 });
        assert!(matches!(batch.extremes(), Err(Error::NotFinite { index: 5, .. })));
    }
}
