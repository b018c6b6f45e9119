//! A Cholesky factor that follows a growing and shrinking set of columns.
//!
//! For columns `A_S` the factor is the upper triangle `R` with `A_Sᵀ A_S = RᵀR`. Greedy selection and the homotopy
//! method append one column and delete one column at a time; refactoring each time would cost `k³/3` instead of `k²`.

use super::columns::inner_products;
use super::dense::{as_faer, as_faer_mut, dot, norm, sequential};
use crate::error::{Error, Result};
use faer::linalg::triangular_inverse::invert_lower_triangular;
use faer::prelude::Solve;
use faer::{Par, Side};
use nalgebra::DMatrix;
use pulp::{Arch, Simd, WithSimd};

/// Below this squared relative pivot, `diagonal − ‖z‖²` has lost more than half of its digits to cancellation and the
/// pivot is measured instead.
const CANCELLATION: f64 = 1e-6;

/// What became of a column that was offered to the factor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pivot {
    /// The distance of the column from the span of the columns before it, relative to its own length; in `[0, 1]` up to
    /// rounding, and 0 for a zero column.
    pub relative: f64,
    /// Whether the column was appended.
    pub accepted: bool,
}

/// The Cholesky factor `R` of a Gram matrix `G = RᵀR`, under appending and deleting of columns.
///
/// `R` is stored packed, column after column, so that appending is a push: no `k²` entries move.
///
/// ```
/// use ticketsense::linalg::cholesky::UpdatableCholesky;
/// let mut factor = UpdatableCholesky::new();
/// assert!(factor.append(&[], 4.0, 1e-8).accepted);
/// assert!(factor.append(&[2.0], 5.0, 1e-8).accepted);
/// let mut x = [8.0, 8.0];
/// factor.solve_in_place(&mut x); // [4 2; 2 5] x = [8; 8]
/// assert!((x[0] - 1.5).abs() < 1e-15 && (x[1] - 1.0).abs() < 1e-15);
/// ```
#[derive(Clone, Debug, Default)]
pub struct UpdatableCholesky {
    packed: Vec<f64>,
    order: usize,
}

impl UpdatableCholesky {
    /// The factor of no columns.
    pub fn new() -> Self {
        UpdatableCholesky::default()
    }

    /// The factor of no columns, with room for `order` of them.
    pub fn with_capacity(order: usize) -> Self {
        UpdatableCholesky {
            packed: Vec::with_capacity(order * (order + 1) / 2),
            order: 0,
        }
    }

    /// The factor of a Gram matrix, of which the lower triangle is read; none where a relative pivot is below `threshold`.
    ///
    /// Cost: `k³/3` operations in blocks, several times faster than as many appends.
    ///
    /// # Panics
    /// When `g` is not square: a bug of the caller.
    pub fn of(g: &DMatrix<f64>, threshold: f64) -> Option<Self> {
        let order = g.nrows();
        assert_eq!(g.ncols(), order, "Cholesky factor: a square matrix");
        if order == 0 {
            return Some(UpdatableCholesky::new());
        }
        let factor = sequential(|| as_faer(g).llt(Side::Lower)).ok()?;
        let lower = factor.L();
        let mut packed = Vec::with_capacity(order * (order + 1) / 2);
        for j in 0..order {
            packed.extend((0..=j).map(|i| lower[(j, i)]));
            // A comparison with what is not a number is false, and refuses it too.
            let held = lower[(j, j)] > 0.0 && lower[(j, j)] >= threshold * g[(j, j)].sqrt();
            if !held {
                return None;
            }
        }
        Some(UpdatableCholesky { packed, order })
    }

    /// Appends a column of R as it is, with its entries on and above the diagonal; some may belong to a QR decomposition and
    /// have a negative diagonal, for the solves are the same.
    ///
    /// # Panics
    /// When it does not have one entry more than the columns before it: a bug of the caller.
    pub fn push(&mut self, column: &[f64]) {
        assert_eq!(column.len(), self.order + 1, "Cholesky push: length of the column");
        self.packed.extend_from_slice(column);
        self.order += 1;
    }

    /// `‖R⁻¹ e‖²` for the last unit vector `e`: by so much the last column has raised `‖R⁻¹‖_F²`, which bounds
    /// `1/σ_min(R)²`. 0 for no columns. Cost: `k²`.
    pub fn last_of_inverse_square(&self) -> f64 {
        let mut last = vec![0.0; self.order];
        if let Some(end) = last.last_mut() {
            *end = 1.0;
        }
        self.solve_upper(&mut last);
        dot(&last, &last)
    }

    /// The number of columns.
    pub fn order(&self) -> usize {
        self.order
    }

    /// Column `j` of `R`: its `j + 1` entries on and above the diagonal.
    ///
    /// # Panics
    /// When `j` is not below [`Self::order`]: a bug of the caller.
    pub fn column(&self, j: usize) -> &[f64] {
        let start = j * (j + 1) / 2;
        &self.packed[start..start + j + 1]
    }

    /// Forgets every column and keeps the memory.
    pub fn clear(&mut self) {
        self.packed.clear();
        self.order = 0;
    }

    /// Appends a column with inner products `cross` with the columns present and squared length `diagonal`; refuses it
    /// when its relative pivot is below `threshold`.
    ///
    /// From the Gram matrix alone a relative pivot below about `√(kε)` is rounding noise; where the columns are at
    /// hand, [`Self::append_measured`] resolves pivots down to about `κ(A_S) ε`. Cost: `k²` operations.
    ///
    /// # Panics
    /// When `cross` has another length than [`Self::order`]: a bug of the caller.
    pub fn append(&mut self, cross: &[f64], diagonal: f64, threshold: f64) -> Pivot {
        self.append_by(cross, diagonal, threshold, None::<fn(&[f64]) -> f64>)
    }

    /// As [`Self::append`], but a pivot that cancellation has spoiled is measured: `distance` is called with the least
    /// squares coefficients `w = G⁻¹ cross` and returns `‖a − A_S w‖`. Cost: as [`Self::append`], and rarely `k²` and
    /// the call more.
    ///
    /// # Panics
    /// As [`Self::append`].
    pub fn append_measured(
        &mut self,
        cross: &[f64],
        diagonal: f64,
        threshold: f64,
        distance: impl FnOnce(&[f64]) -> f64,
    ) -> Pivot {
        self.append_by(cross, diagonal, threshold, Some(distance))
    }

    fn append_by<D: FnOnce(&[f64]) -> f64>(
        &mut self,
        cross: &[f64],
        diagonal: f64,
        threshold: f64,
        distance: Option<D>,
    ) -> Pivot {
        assert_eq!(cross.len(), self.order, "Cholesky append: length of the cross products");
        if diagonal.is_nan() || diagonal <= 0.0 {
            return Pivot {
                relative: 0.0,
                accepted: false,
            };
        }
        let start = self.packed.len();
        self.packed.extend_from_slice(cross);
        let (present, z) = self.packed.split_at_mut(start);
        Arch::new().dispatch(Lower { packed: present, b: z });
        let z = &self.packed[start..];
        let square = (diagonal - dot(z, z)) / diagonal;
        let relative = match distance {
            Some(distance) if square < CANCELLATION => {
                let mut w = z.to_vec();
                self.solve_upper(&mut w);
                distance(&w) / diagonal.sqrt()
            }
            _ => square.max(0.0).sqrt(),
        };
        // Without any positive pivot the factor would be singular, whatever the threshold.
        let accepted = relative >= threshold && relative > 0.0;
        if accepted {
            self.packed.push(relative * diagonal.sqrt());
            self.order += 1;
        } else {
            self.packed.truncate(start);
        }
        Pivot { relative, accepted }
    }

    /// Deletes the column at `position`; those after it move up by one.
    ///
    /// The columns behind become upper Hessenberg and Givens rotations restore the triangle: `3 (k − position)²`
    /// operations.
    ///
    /// # Panics
    /// When `position` is not below [`Self::order`]: a bug of the caller.
    pub fn delete(&mut self, position: usize) {
        assert!(position < self.order, "Cholesky delete: position");
        let mut rotations: Vec<(f64, f64)> = Vec::with_capacity(self.order - position);
        let mut write = position * (position + 1) / 2;
        for j in position + 1..self.order {
            let read = j * (j + 1) / 2;
            // Column j, rows 0..=j, becomes column j − 1, rows 0..j.
            self.packed.copy_within(read..read + position, write);
            let mut upper = self.packed[read + position];
            for (row, &(cosine, sine)) in (position..).zip(&rotations) {
                let lower = self.packed[read + row + 1];
                self.packed[write + row] = cosine * upper + sine * lower;
                upper = cosine * lower - sine * upper;
            }
            let last = self.packed[read + j];
            let length = upper.hypot(last);
            rotations.push((upper / length, last / length));
            self.packed[write + j - 1] = length;
            write += j;
        }
        self.packed.truncate(write);
        self.order -= 1;
    }

    /// `b ← R⁻ᵀ b`, forward substitution. Cost: `k²`.
    ///
    /// # Panics
    /// When the length differs from [`Self::order`]: a bug of the caller.
    pub fn solve_lower(&self, b: &mut [f64]) {
        assert_eq!(b.len(), self.order, "Cholesky solve: length");
        Arch::new().dispatch(Lower {
            packed: &self.packed,
            b,
        });
    }

    /// `b ← R⁻¹ b`, back substitution. Cost: `k²`.
    ///
    /// # Panics
    /// As [`Self::solve_lower`].
    pub fn solve_upper(&self, b: &mut [f64]) {
        assert_eq!(b.len(), self.order, "Cholesky solve: length");
        Arch::new().dispatch(Upper {
            packed: &self.packed,
            b,
        });
    }

    /// `b ← G⁻¹ b`. Cost: `2k²`.
    ///
    /// # Panics
    /// As [`Self::solve_lower`].
    pub fn solve_in_place(&self, b: &mut [f64]) {
        self.solve_lower(b);
        self.solve_upper(b);
    }

    /// An estimate from below of the condition number `λ_max(G)/λ_min(G)`; 1 for no columns.
    ///
    /// Twelve steps of the power method with `G` and with `G⁻¹`, from a fixed start: each Rayleigh quotient lies within
    /// the spectrum, so the estimate never exceeds the truth but for rounding. Cost: about `50k²`.
    pub fn condition_estimate(&self) -> f64 {
        if self.order == 0 {
            return 1.0;
        }
        let start: Vec<f64> = (0..self.order)
            .map(|i| {
                if i % 3 == 1 {
                    -1.0
                } else {
                    1.0 + i as f64 / self.order as f64
                }
            })
            .collect();
        let power = |step: &dyn Fn(&mut Vec<f64>)| {
            let mut v = start.clone();
            let mut growth = 1.0;
            for _ in 0..12 {
                let length = norm(&v);
                v.iter_mut().for_each(|v| *v /= length);
                let before = v.clone();
                step(&mut v);
                growth = dot(&before, &v);
            }
            growth
        };
        let largest = power(&|v| self.multiply(v));
        let largest_inverse = power(&|v| self.solve_in_place(v));
        (largest * largest_inverse).max(1.0)
    }

    /// `v ← RᵀR v`.
    fn multiply(&self, v: &mut [f64]) {
        let mut rv = vec![0.0; self.order];
        for (j, &value) in v.iter().enumerate() {
            for (out, r) in rv.iter_mut().zip(self.column(j)) {
                *out += value * r;
            }
        }
        for (j, out) in v.iter_mut().enumerate() {
            *out = dot(self.column(j), &rv[..=j]);
        }
    }
}

/// The diagonal of `G⁻¹` for a symmetric positive definite `G`, of which the lower triangle is read: the squared lengths of
/// the columns of `L⁻¹`.
///
/// # Errors
/// [`Error::Shape`] when `G` is not square, [`Error::Numerical`] when a pivot is not positive. Cost: `2k³/3` operations in
/// blocks.
pub fn inverse_diagonal(g: &DMatrix<f64>) -> Result<Vec<f64>> {
    let order = g.nrows();
    if g.ncols() != order {
        let got = format!("{order}×{}", g.ncols());
        return Err(Error::shape("positive definite matrix", "as many columns as rows", got));
    }
    if order == 0 {
        return Ok(Vec::new());
    }
    let factor = sequential(|| as_faer(g).llt(Side::Lower))
        .map_err(|e| Error::numerical("Cholesky factorisation", format!("{e:?}")))?;
    let mut inverse = DMatrix::zeros(order, order);
    invert_lower_triangular(as_faer_mut(&mut inverse), factor.L(), Par::Seq);
    let columns = inverse.as_slice().chunks_exact(order).enumerate();
    Ok(columns.map(|(j, column)| dot(&column[j..], &column[j..])).collect())
}

/// Solves `G x = b` for a symmetric positive definite `G`, of which the lower triangle is read.
///
/// # Errors
/// [`Error::Shape`] when sizes differ, [`Error::Numerical`] when a pivot is not positive. Cost: `k³/3` operations.
pub fn solve_positive_definite(g: &DMatrix<f64>, b: &[f64]) -> Result<Vec<f64>> {
    let order = b.len();
    if g.shape() != (order, order) {
        return Err(Error::shape(
            "positive definite system",
            format!("{order}×{order}"),
            format!("{}×{}", g.nrows(), g.ncols()),
        ));
    }
    if order == 0 {
        return Ok(Vec::new());
    }
    let factor = sequential(|| as_faer(g).llt(Side::Lower))
        .map_err(|e| Error::numerical("Cholesky factorisation", format!("{e:?}")))?;
    let mut x = b.to_vec();
    factor.solve_in_place(faer::MatMut::from_column_major_slice_mut(&mut x, order, 1));
    Ok(x)
}

/// Forward substitution with the factor's columns one after the other; inner products have the bits of [`dot`].
struct Lower<'a> {
    packed: &'a [f64],
    b: &'a mut [f64],
}

impl WithSimd for Lower<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for j in 0..self.b.len() {
            let column = &self.packed[j * (j + 1) / 2..][..j + 1];
            let (done, rest) = self.b.split_at_mut(j);
            let mut inner = 0.0;
            inner_products([&column[..j]], done, std::slice::from_mut(&mut inner));
            rest[0] = (rest[0] - inner) / column[j];
        }
    }
}

/// Back substitution.
struct Upper<'a> {
    packed: &'a [f64],
    b: &'a mut [f64],
}

impl WithSimd for Upper<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for j in (0..self.b.len()).rev() {
            let column = &self.packed[j * (j + 1) / 2..][..j + 1];
            let value = self.b[j] / column[j];
            self.b[j] = value;
            for (b, r) in self.b[..j].iter_mut().zip(column) {
                *b -= value * r;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::dense::{gram, symmetric_eigenvalues};
    use proptest::prelude::*;

    fn columns(rows: usize, count: usize) -> DMatrix<f64> {
        // Quadratic residues: no two columns alike, condition of a few tens.
        DMatrix::from_fn(rows, count, |i, j| {
            ((i * i + 3 * i * j + 7 * j * j) % 17) as f64 - 8.0 + if i == j { 20.0 } else { 0.0 }
        })
    }

    fn grow(factor: &mut UpdatableCholesky, g: &DMatrix<f64>, kept: &mut Vec<usize>, new: usize) -> Pivot {
        let cross: Vec<f64> = kept.iter().map(|&i| g[(i, new)]).collect();
        let pivot = factor.append(&cross, g[(new, new)], 1e-8);
        if pivot.accepted {
            kept.push(new);
        }
        pivot
    }

    fn rebuilt(factor: &UpdatableCholesky) -> DMatrix<f64> {
        let k = factor.order();
        let r = DMatrix::from_fn(k, k, |i, j| if i <= j { factor.column(j)[i] } else { 0.0 });
        r.transpose() * r
    }

    #[test]
    fn the_diagonal_of_an_inverse_is_what_solving_for_unit_vectors_finds() {
        for order in [0, 1, 2, 7, 65, 130] {
            let a = DMatrix::from_fn(order + 3, order, |i, j| ((i * 31 + j * 17 + i * j) as f64).sin());
            let mut g = a.transpose() * &a;
            (0..order).for_each(|i| g[(i, i)] += 1.0);
            let diagonal = inverse_diagonal(&g).unwrap();
            assert_eq!(diagonal.len(), order);
            for (j, found) in diagonal.iter().enumerate() {
                let mut unit = vec![0.0; order];
                unit[j] = 1.0;
                let expected = solve_positive_definite(&g, &unit).unwrap()[j];
                // Eigenvalues from 1 to the trace, some order², so much the condition.
                let condition = 1.0 + g.trace();
                assert!(
                    (found - expected).abs() <= 10.0 * condition * f64::EPSILON * expected,
                    "{order} {j}"
                );
            }
        }
        assert!(inverse_diagonal(&DMatrix::zeros(2, 3)).is_err());
        assert!(inverse_diagonal(&DMatrix::from_element(2, 2, 1.0)).is_err());
    }

    #[test]
    fn the_factor_of_a_two_by_two_matrix_is_the_closed_form() {
        let mut factor = UpdatableCholesky::new();
        factor.append(&[], 4.0, 0.0);
        let pivot = factor.append(&[2.0], 5.0, 0.0);
        assert_eq!(factor.column(0), [2.0]);
        assert_eq!(factor.column(1), [1.0, 2.0]);
        assert!((pivot.relative - 2.0 / 5.0f64.sqrt()).abs() <= 2.0 * f64::EPSILON);
    }

    #[test]
    fn dependent_and_zero_columns_are_refused_and_leave_the_factor_as_it_was() {
        let a = columns(9, 3);
        let mut wide = a.clone().insert_columns(3, 2, 0.0);
        let sum = a.column(0) + a.column(2) * 2.0;
        wide.set_column(3, &sum);
        let g = gram(&wide);
        let (mut factor, mut kept) = (UpdatableCholesky::new(), Vec::new());
        for j in 0..3 {
            assert!(grow(&mut factor, &g, &mut kept, j).accepted);
        }
        let before = factor.packed.clone();
        let cross: Vec<f64> = kept.iter().map(|&i| g[(i, 3)]).collect();
        let pivot = factor.append_measured(&cross, g[(3, 3)], 1e-8, |w| {
            let fit = &a * nalgebra::DVector::from_column_slice(w);
            (wide.column(3) - fit).norm()
        });
        assert!(!pivot.accepted && pivot.relative < 1e-12, "{pivot:?}");
        assert!(!grow(&mut factor, &g, &mut kept, 4).accepted);
        assert_eq!(factor.packed, before);
        assert_eq!(factor.order(), 3);
    }

    #[test]
    fn a_measured_pivot_resolves_a_distance_that_the_gram_matrix_cannot_see() {
        // Two unit columns at the angle 1e-7: the squared pivot 1e-14 has two digits left in the Gram matrix.
        let tilt = 1e-7f64;
        let (a, b) = ([1.0, 0.0], [tilt.cos(), tilt.sin()]);
        let mut factor = UpdatableCholesky::new();
        factor.append(&[], 1.0, 1e-8);
        let pivot = factor.append_measured(&[dot(&a, &b)], 1.0, 1e-8, |w| norm(&[b[0] - w[0], b[1]]));
        assert!(pivot.accepted);
        // The projection leaves sin(tilt) exactly; the coefficient's rounding ε adds at most ε.
        assert!((pivot.relative - tilt.sin()).abs() <= 4.0 * f64::EPSILON, "{pivot:?}");
    }

    #[test]
    fn the_condition_estimate_never_exceeds_the_truth_and_comes_near() {
        let g = gram(&columns(12, 8));
        let (mut factor, mut kept) = (UpdatableCholesky::with_capacity(8), Vec::new());
        assert_eq!(factor.condition_estimate(), 1.0);
        for j in 0..8 {
            grow(&mut factor, &g, &mut kept, j);
        }
        let values = symmetric_eigenvalues(&g).unwrap();
        let truth = values[7] / values[0];
        let estimate = factor.condition_estimate();
        // Rounding of the two power methods: below k ε κ relative.
        assert!(
            estimate <= truth * (1.0 + 8.0 * f64::EPSILON * truth),
            "{estimate} {truth}"
        );
        assert!(estimate >= 0.5 * truth, "{estimate} {truth}");
    }

    #[test]
    fn the_dense_solver_agrees_with_the_updated_one_and_refuses_an_indefinite_matrix() {
        let g = gram(&columns(10, 6));
        let (mut factor, mut kept) = (UpdatableCholesky::new(), Vec::new());
        for j in 0..6 {
            grow(&mut factor, &g, &mut kept, j);
        }
        let b: Vec<f64> = (0..6).map(|i| i as f64 - 2.5).collect();
        let mut x = b.clone();
        factor.solve_in_place(&mut x);
        let dense = solve_positive_definite(&g, &b).unwrap();
        let condition = factor.condition_estimate() * 2.0;
        for (a, b) in x.iter().zip(&dense) {
            // Both solve to within a modest multiple of k ε κ.
            assert!(
                (a - b).abs() <= 12.0 * f64::EPSILON * condition * norm(&dense),
                "{a} {b}"
            );
        }
        assert!(matches!(
            solve_positive_definite(&DMatrix::from_row_slice(2, 2, &[1.0, 2.0, 2.0, 1.0]), &[1.0, 1.0]),
            Err(Error::Numerical { .. })
        ));
    }

    #[test]
    fn columns_pushed_as_they_are_solve_and_sum_up_the_inverse() {
        // R = [2 1; 0 −4], as a QR decomposition may give it: R⁻¹ = [1/2 1/8; 0 −1/4].
        let mut factor = UpdatableCholesky::new();
        assert_eq!(factor.last_of_inverse_square(), 0.0);
        factor.push(&[2.0]);
        assert_eq!(factor.last_of_inverse_square(), 0.25);
        factor.push(&[1.0, -4.0]);
        assert_eq!(factor.last_of_inverse_square(), 1.0 / 64.0 + 1.0 / 16.0);
        let mut x = [3.0, 8.0];
        factor.solve_upper(&mut x);
        assert_eq!(x, [2.5, -2.0]);
    }

    proptest! {
        #[test]
        fn any_sequence_of_appends_and_deletes_equals_refactoring(
            moves in proptest::collection::vec((any::<bool>(), 0usize..12), 1..40)
        ) {
            let g = gram(&columns(14, 12));
            let (mut factor, mut kept) = (UpdatableCholesky::new(), Vec::new());
            for (append, which) in moves {
                if append && !kept.contains(&which) {
                    prop_assert!(grow(&mut factor, &g, &mut kept, which).accepted);
                } else if !append && !kept.is_empty() {
                    let position = which % kept.len();
                    factor.delete(position);
                    kept.remove(position);
                }
                prop_assert_eq!(factor.order(), kept.len());
                let expected = DMatrix::from_fn(kept.len(), kept.len(), |i, j| g[(kept[i], kept[j])]);
                // Every append and rotation is backward stable: at most 40 moves of 12 operations each.
                let tolerance = 40.0 * 12.0 * f64::EPSILON * (1.0 + g.amax());
                let difference = rebuilt(&factor) - &expected;
                prop_assert!(kept.is_empty() || difference.amax() <= tolerance, "{}", difference.amax());
                prop_assert!((0..kept.len()).all(|j| factor.column(j)[j] > 0.0));
            }
        }
    }
}
