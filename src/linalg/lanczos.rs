//! Extreme eigenvalues and singular values of maps known only through products.
//!
//! A Krylov method looks at the map through a growing orthonormal basis Q. Every *Ritz value* θ, an eigenvalue of the
//! projection QᵀAQ, lies inside the spectrum's interval, so the largest one is a lower bound of the largest eigenvalue;
//! and with its vector x, `‖Ax − θx‖` is the radius of an interval around θ that contains *some* eigenvalue. Neither
//! proves that θ is near the extreme one: a start vector orthogonal to the extreme eigenvector never sees it.

use super::dense::{symmetric_eigen, thin_svd};
use super::{dot, norm};
use crate::error::{Error, Result, require_finite};
use crate::seed::Seed;
use nalgebra::DMatrix;
use rand::RngExt;
use rand_distr::StandardNormal;

/// A basis vector whose new part is this many units of rounding of the products' size is taken for zero: the Krylov
/// space is invariant.
const BREAKDOWN: f64 = 32.0 * f64::EPSILON;

/// Length of the basis and accuracy of the extreme values.
///
/// Full reorthogonalisation: the basis stays orthogonal to rounding, at `O(steps² · length)` operations and
/// `steps · length` numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lanczos {
    /// Most basis vectors; never more than the dimension are used.
    pub max_steps: usize,
    /// Stop when the residual estimates of both extreme values are at most this times the largest absolute Ritz value;
    /// 0 asks for all steps.
    pub tolerance: f64,
}

impl Default for Lanczos {
    /// At most 200 basis vectors, relative residual 1e-10.
    fn default() -> Self {
        Lanczos {
            max_steps: 200,
            tolerance: 1e-10,
        }
    }
}

/// An approximate eigenvalue (or singular value) and the radius within which a true one lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RitzValue {
    /// The Ritz value θ.
    pub value: f64,
    /// `‖A x − θ x‖₂` for its unit vector x: some eigenvalue lies in `[value − residual, value + residual]`.
    pub residual_norm: f64,
}

impl RitzValue {
    /// The interval that contains some eigenvalue.
    pub fn interval(&self) -> (f64, f64) {
        (self.value - self.residual_norm, self.value + self.residual_norm)
    }
}

/// What a run of [`Lanczos`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrum {
    /// Ritz values, ascending. The residuals of the first and the last are recomputed from products with the map, the
    /// inner ones follow from the recurrence.
    pub ritz: Vec<RitzValue>,
    /// Unit vector of the smallest Ritz value.
    pub smallest_vector: Vec<f64>,
    /// Unit vector of the largest Ritz value.
    pub largest_vector: Vec<f64>,
    /// Basis vectors used.
    pub steps: usize,
    /// Whether the Krylov space was found invariant: every Ritz value is then an eigenvalue up to rounding, though
    /// eigenvectors orthogonal to the start, and so the multiplicity of an eigenvalue, stay unseen.
    pub invariant: bool,
    /// Products with the map.
    pub applications: usize,
}

impl Spectrum {
    /// The smallest Ritz value: an upper bound of the smallest eigenvalue.
    pub fn smallest(&self) -> RitzValue {
        self.ritz[0]
    }

    /// The largest Ritz value: a lower bound of the largest eigenvalue.
    pub fn largest(&self) -> RitzValue {
        self.ritz[self.ritz.len() - 1]
    }
}

/// Singular values of an operator from a run of [`Lanczos::singular_values`].
#[derive(Clone, Debug, PartialEq)]
pub struct SingularSpectrum {
    /// Ritz singular values, descending; `residual_norm` is that of the pair, so some singular value lies within it.
    pub ritz: Vec<RitzValue>,
    /// Basis vectors used on each side.
    pub steps: usize,
    /// Whether the Krylov space was found invariant.
    pub invariant: bool,
    /// Products with the operator or its adjoint.
    pub applications: usize,
}

impl SingularSpectrum {
    /// The largest Ritz singular value: a lower bound of the operator norm.
    pub fn largest(&self) -> RitzValue {
        self.ritz[0]
    }

    /// The smallest Ritz singular value: an upper bound of the smallest of the `min(rows, columns)` singular values.
    pub fn smallest(&self) -> RitzValue {
        self.ritz[self.ritz.len() - 1]
    }
}

/// An orthonormal basis of a Krylov space and the tridiagonal projection of the map: `alpha` on the diagonal, `beta` beside it, the
/// last one the norm of what the basis leaves over.
pub(super) struct Krylov {
    pub basis: Vec<Vec<f64>>,
    pub alpha: Vec<f64>,
    pub beta: Vec<f64>,
    pub invariant: bool,
}

impl Lanczos {
    /// Ritz values of the symmetric map `apply(x, y): y ← A x` on `ℝ^length`, from a Gaussian start drawn from `seed`.
    ///
    /// The symmetry of the map is the caller's promise.
    ///
    /// # Errors
    /// [`Error::Argument`] for zero steps, length 0 or a negative tolerance; [`Error::NotFinite`] when the map returns a
    /// number that is not finite.
    ///
    /// Source: Lanczos 1950; Parlett, *The Symmetric Eigenvalue Problem*, ch. 11 and 13.
    ///
    /// ```
    /// use ticketsense::{Seed, linalg::lanczos::Lanczos};
    /// let double_and_triple = |x: &[f64], y: &mut [f64]| { y[0] = 2.0 * x[0]; y[1] = 3.0 * x[1]; };
    /// let found = Lanczos::default().symmetric(2, double_and_triple, &Seed::root(0))?;
    /// assert!((found.largest().value - 3.0).abs() < 1e-12);
    /// assert!(found.invariant);
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    pub fn symmetric(&self, length: usize, mut apply: impl FnMut(&[f64], &mut [f64]), seed: &Seed) -> Result<Spectrum> {
        self.validate(length)?;
        let Krylov {
            basis,
            alpha,
            beta,
            invariant,
        } = self.krylov(random_unit(length, seed), &mut apply)?;
        let mut next = vec![0.0; length];
        let count = alpha.len();
        let (values, vectors) = symmetric_eigen(&tridiagonal(&alpha, &beta))?;
        let last = beta[count - 1];
        let mut ritz: Vec<RitzValue> = (0..count)
            .map(|i| RitzValue {
                value: values[i],
                residual_norm: last * vectors[(count - 1, i)].abs(),
            })
            .collect();
        let mut end = |i: usize| -> Result<(f64, Vec<f64>)> {
            let mut x = vec![0.0; length];
            for (q, &c) in basis.iter().zip(vectors.column(i).iter()) {
                axpy(c, q, &mut x);
            }
            let length_of_x = norm(&x);
            x.iter_mut().for_each(|v| *v /= length_of_x);
            apply(&x, &mut next);
            require_finite("product with the map", &next)?;
            axpy(-values[i], &x, &mut next);
            Ok((norm(&next), x))
        };
        let (low, smallest_vector) = end(0)?;
        let (high, largest_vector) = end(count - 1)?;
        ritz[0].residual_norm = low;
        ritz[count - 1].residual_norm = high;
        Ok(Spectrum {
            ritz,
            smallest_vector,
            largest_vector,
            steps: count,
            invariant,
            applications: count + 2,
        })
    }

    /// The Krylov space of a unit vector, with full reorthogonalisation.
    pub(super) fn krylov(&self, start: Vec<f64>, apply: &mut dyn FnMut(&[f64], &mut [f64])) -> Result<Krylov> {
        let length = start.len();
        let steps = self.max_steps.min(length);
        let mut basis = vec![start];
        let (mut alpha, mut beta) = (Vec::new(), Vec::<f64>::new());
        let mut invariant = false;
        let mut size = 0.0f64;
        let mut next = vec![0.0; length];
        loop {
            let j = alpha.len();
            apply(&basis[j], &mut next);
            require_finite("product with the map", &next)?;
            size = size.max(norm(&next));
            alpha.push(dot(&basis[j], &next));
            orthogonalise(&mut next, &basis);
            let rest = norm(&next);
            beta.push(rest);
            if rest <= BREAKDOWN * size {
                invariant = true;
                break;
            }
            if alpha.len() == steps || self.extremes_have_converged(&alpha, &beta)? {
                break;
            }
            basis.push(next.iter().map(|v| v / rest).collect());
        }
        Ok(Krylov {
            basis,
            alpha,
            beta,
            invariant,
        })
    }

    /// Ritz singular values of an operator `ℝ^columns → ℝ^rows` given by `apply` and its `adjoint`, by Golub-Kahan
    /// bidiagonalisation, which unlike the eigenvalues of AᵀA does not square the condition number.
    ///
    /// # Errors
    /// As [`Lanczos::symmetric`].
    ///
    /// Source: Golub & Kahan 1965.
    pub fn singular_values(
        &self,
        rows: usize,
        columns: usize,
        mut apply: impl FnMut(&[f64], &mut [f64]),
        mut adjoint: impl FnMut(&[f64], &mut [f64]),
        seed: &Seed,
    ) -> Result<SingularSpectrum> {
        self.validate(rows.min(columns))?;
        // From the shorter side, where no part of the start lies in a null space that is there for want of rows.
        if columns > rows {
            self.bidiagonalise(columns, rows, &mut adjoint, &mut apply, seed)
        } else {
            self.bidiagonalise(rows, columns, &mut apply, &mut adjoint, seed)
        }
    }

    /// For `rows ≥ columns`.
    fn bidiagonalise(
        &self,
        rows: usize,
        columns: usize,
        apply: &mut dyn FnMut(&[f64], &mut [f64]),
        adjoint: &mut dyn FnMut(&[f64], &mut [f64]),
        seed: &Seed,
    ) -> Result<SingularSpectrum> {
        let steps = self.max_steps.min(columns);
        let mut right = vec![random_unit(columns, seed)];
        let mut left: Vec<Vec<f64>> = Vec::new();
        let (mut alpha, mut beta) = (Vec::new(), Vec::<f64>::new());
        let mut invariant = false;
        let mut applications = 0;
        let mut size = 0.0f64;
        loop {
            let j = left.len();
            let mut u = vec![0.0; rows];
            apply(&right[j], &mut u);
            require_finite("product with the operator", &u)?;
            size = size.max(norm(&u));
            orthogonalise(&mut u, &left);
            let a = norm(&u);
            if a <= BREAKDOWN * size {
                // The newest right vector maps into the space already spanned: α is 0, and that is a singular value.
                alpha.push(0.0);
                beta.push(0.0);
                applications += 1;
                invariant = true;
                break;
            }
            u.iter_mut().for_each(|v| *v /= a);
            let mut v = vec![0.0; columns];
            adjoint(&u, &mut v);
            require_finite("product with the adjoint", &v)?;
            size = size.max(norm(&v));
            orthogonalise(&mut v, &right);
            let b = norm(&v);
            applications += 2;
            left.push(u);
            alpha.push(a);
            beta.push(b);
            if b <= BREAKDOWN * size {
                invariant = true;
                break;
            }
            if left.len() == steps || self.singular_ends_have_converged(&alpha, &beta)? {
                break;
            }
            v.iter_mut().for_each(|x| *x /= b);
            right.push(v);
        }
        let count = alpha.len();
        let small = thin_svd(&bidiagonal(&alpha, &beta))?;
        let last = beta[count - 1];
        let ritz = (0..count)
            .map(|i| RitzValue {
                value: small.singular_values[i],
                residual_norm: last * small.u[(count - 1, i)].abs(),
            })
            .collect();
        Ok(SingularSpectrum {
            ritz,
            steps: count,
            invariant,
            applications,
        })
    }

    pub(super) fn validate(&self, length: usize) -> Result<()> {
        if self.max_steps == 0 {
            return Err(Error::argument("max_steps", "at least 1", 0));
        }
        if length == 0 {
            return Err(Error::argument("length", "at least 1", 0));
        }
        if !(self.tolerance >= 0.0 && self.tolerance.is_finite()) {
            return Err(Error::argument(
                "tolerance",
                "a finite number of at least 0",
                self.tolerance,
            ));
        }
        Ok(())
    }

    /// The small eigenproblem is looked at every tenth step only: it costs `O(steps³)`.
    fn extremes_have_converged(&self, alpha: &[f64], beta: &[f64]) -> Result<bool> {
        let count = alpha.len();
        if self.tolerance == 0.0 || !count.is_multiple_of(10) {
            return Ok(false);
        }
        let (values, vectors) = symmetric_eigen(&tridiagonal(alpha, beta))?;
        let size = values[0].abs().max(values[count - 1].abs());
        let worst = vectors[(count - 1, 0)].abs().max(vectors[(count - 1, count - 1)].abs());
        Ok(beta[count - 1] * worst <= self.tolerance * size)
    }

    fn singular_ends_have_converged(&self, alpha: &[f64], beta: &[f64]) -> Result<bool> {
        let count = alpha.len();
        if self.tolerance == 0.0 || !count.is_multiple_of(10) {
            return Ok(false);
        }
        let small = thin_svd(&bidiagonal(alpha, beta))?;
        let worst = small.u[(count - 1, 0)].abs().max(small.u[(count - 1, count - 1)].abs());
        Ok(beta[count - 1] * worst <= self.tolerance * small.singular_values[0])
    }
}

pub(super) fn random_unit(length: usize, seed: &Seed) -> Vec<f64> {
    let mut rng = seed.stream("krylov start").rng();
    let mut x: Vec<f64> = (0..length).map(|_| rng.sample(StandardNormal)).collect();
    let size = norm(&x);
    if size == 0.0 {
        x[0] = 1.0;
    } else {
        x.iter_mut().for_each(|v| *v /= size);
    }
    x
}

/// Takes the components along an orthonormal basis out of x, twice: once is not enough when x nearly lies in it.
fn orthogonalise(x: &mut [f64], basis: &[Vec<f64>]) {
    for _ in 0..2 {
        for q in basis {
            let c = dot(q, x);
            axpy(-c, q, x);
        }
    }
}

fn axpy(alpha: f64, x: &[f64], y: &mut [f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += alpha * x;
    }
}

pub(super) fn tridiagonal(alpha: &[f64], beta: &[f64]) -> DMatrix<f64> {
    let n = alpha.len();
    DMatrix::from_fn(n, n, |i, j| match i.abs_diff(j) {
        0 => alpha[i],
        1 => beta[i.min(j)],
        _ => 0.0,
    })
}

/// Upper bidiagonal: `A V = U B`.
fn bidiagonal(alpha: &[f64], beta: &[f64]) -> DMatrix<f64> {
    let n = alpha.len();
    DMatrix::from_fn(n, n, |i, j| {
        if i == j {
            alpha[i]
        } else if j == i + 1 {
            beta[i]
        } else {
            0.0
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::dense::{gram, product, singular_values, symmetric_eigenvalues};

    fn diagonal(values: &[f64]) -> impl FnMut(&[f64], &mut [f64]) + '_ {
        move |x, y| y.iter_mut().zip(x).zip(values).for_each(|((y, x), d)| *y = d * x)
    }

    fn gaussian(rows: usize, columns: usize, number: u64) -> DMatrix<f64> {
        let mut rng = Seed::root(number).stream("matrix").rng();
        DMatrix::from_fn(rows, columns, |_, _| rng.sample(StandardNormal))
    }

    fn times(a: &DMatrix<f64>) -> impl FnMut(&[f64], &mut [f64]) + '_ {
        move |x, y| y.copy_from_slice((a * nalgebra::DVector::from_column_slice(x)).as_slice())
    }

    const ALL_STEPS: Lanczos = Lanczos {
        max_steps: 60,
        tolerance: 0.0,
    };

    #[test]
    fn every_residual_interval_contains_an_eigenvalue_and_the_extremes_are_bounds() {
        let g = gram(&gaussian(40, 30, 1));
        let truth = symmetric_eigenvalues(&g).unwrap();
        let rounding = 100.0 * f64::EPSILON * truth[29];
        for max_steps in [1, 3, 8, 20] {
            let run = Lanczos {
                max_steps,
                tolerance: 0.0,
            };
            let found = run.symmetric(30, times(&g), &Seed::root(5)).unwrap();
            assert_eq!(found.steps, max_steps);
            for r in &found.ritz {
                let nearest = truth.iter().map(|t| (t - r.value).abs()).fold(f64::MAX, f64::min);
                assert!(nearest <= r.residual_norm + rounding, "{r:?} {nearest}");
            }
            assert!(found.largest().value <= truth[29] + rounding);
            assert!(found.smallest().value >= truth[0] - rounding);
        }
        let full = ALL_STEPS.symmetric(30, times(&g), &Seed::root(5)).unwrap();
        assert!((full.largest().value - truth[29]).abs() <= rounding);
        assert!((full.smallest().value - truth[0]).abs() <= rounding);
    }

    #[test]
    fn a_cluster_at_the_top_is_found_to_its_width() {
        // Fifty values in [0, 1] and three within 1e-9 of 10: the top Ritz value cannot tell them apart and need not.
        let mut values: Vec<f64> = (0..50).map(|i| i as f64 / 49.0).collect();
        values.extend([10.0, 10.0 - 5e-10, 10.0 - 1e-9]);
        let found = Lanczos::default()
            .symmetric(53, diagonal(&values), &Seed::root(2))
            .unwrap();
        let top = found.largest();
        assert!(top.value <= 10.0 + 1e-13 && top.value >= 10.0 - 1e-9 - top.residual_norm);
        assert!(top.residual_norm <= 1e-8, "{top:?}");
    }

    #[test]
    fn a_rank_one_map_is_exhausted_after_two_steps() {
        let direction = [3.0, 0.0, 4.0, 0.0, 0.0];
        let rank_one = |x: &[f64], y: &mut [f64]| {
            let c = dot(&direction, x);
            y.iter_mut().zip(&direction).for_each(|(y, d)| *y = c * d);
        };
        let found = ALL_STEPS.symmetric(5, rank_one, &Seed::root(3)).unwrap();
        assert!(found.invariant && found.steps == 2, "{found:?}");
        assert!((found.largest().value - 25.0).abs() <= 25.0 * 20.0 * f64::EPSILON);
        assert!(found.smallest().value.abs() <= 25.0 * 20.0 * f64::EPSILON);
    }

    #[test]
    fn a_multiple_of_the_identity_stops_at_once_and_the_zero_map_too() {
        for c in [0.0, -2.0] {
            let found = ALL_STEPS.symmetric(4, diagonal(&[c, c, c, c]), &Seed::root(4)).unwrap();
            assert!(found.invariant && found.steps == 1, "{found:?}");
            assert!((found.largest().value - c).abs() <= 4.0 * f64::EPSILON);
        }
    }

    #[test]
    fn more_steps_than_dimensions_give_the_whole_spectrum() {
        let values = [-3.0, 1.0, 7.0];
        let found = ALL_STEPS.symmetric(3, diagonal(&values), &Seed::root(6)).unwrap();
        assert_eq!(found.ritz.len(), 3);
        for (r, v) in found.ritz.iter().zip(values) {
            assert!((r.value - v).abs() <= 7.0 * 20.0 * f64::EPSILON);
        }
    }

    #[test]
    fn the_seed_alone_decides_the_numbers() {
        let g = gram(&gaussian(12, 12, 2));
        let run = |s| ALL_STEPS.symmetric(12, times(&g), &Seed::root(s)).unwrap();
        assert_eq!(run(1), run(1));
        assert_ne!(run(1).smallest_vector, run(2).smallest_vector);
    }

    #[test]
    fn golub_kahan_finds_both_ends_of_the_singular_values_without_squaring() {
        for (rows, columns) in [(30, 20), (20, 30), (7, 1), (1, 7)] {
            let a = gaussian(rows, columns, 7);
            let at = a.transpose();
            let truth = singular_values(&a).unwrap();
            let found = ALL_STEPS
                .singular_values(rows, columns, times(&a), times(&at), &Seed::root(8))
                .unwrap();
            let rounding = 200.0 * f64::EPSILON * truth[0];
            assert!((found.largest().value - truth[0]).abs() <= rounding, "{rows}x{columns}");
            assert!((found.smallest().value - truth[truth.len() - 1]).abs() <= rounding);
            let few = Lanczos {
                max_steps: 4,
                tolerance: 0.0,
            };
            let bound = few
                .singular_values(rows, columns, times(&a), times(&at), &Seed::root(8))
                .unwrap();
            assert!(bound.largest().value <= truth[0] + rounding);
            assert!(bound.smallest().value >= truth[truth.len() - 1] - rounding);
        }
        // Condition 1e10: the eigenvalues of AᵀA would drown the small one in rounding.
        let ill = DMatrix::from_diagonal(&nalgebra::dvector![1.0, 0.5, 1e-10]);
        let found = ALL_STEPS
            .singular_values(3, 3, times(&ill), times(&ill), &Seed::root(9))
            .unwrap();
        assert!((found.smallest().value / 1e-10 - 1.0).abs() <= 1e-4, "{found:?}");
    }

    #[test]
    fn a_rank_deficient_operator_shows_its_zero_singular_value() {
        let a = product(&gaussian(6, 2, 3), &gaussian(2, 5, 4)).unwrap();
        let at = a.transpose();
        let found = ALL_STEPS
            .singular_values(6, 5, times(&a), times(&at), &Seed::root(1))
            .unwrap();
        assert!(found.invariant && found.steps == 3, "{found:?}");
        assert!(found.smallest().value <= 1e-13 * found.largest().value);
    }

    #[test]
    fn unusable_numbers_are_refused() {
        let none = Lanczos {
            max_steps: 0,
            tolerance: 0.0,
        };
        assert!(none.symmetric(2, diagonal(&[1.0, 1.0]), &Seed::root(0)).is_err());
        assert!(
            Lanczos::default()
                .symmetric(0, |_: &[f64], _: &mut [f64]| {}, &Seed::root(0))
                .is_err()
        );
        let bad = Lanczos::default().symmetric(2, |_: &[f64], y: &mut [f64]| y.fill(f64::NAN), &Seed::root(0));
        assert!(matches!(bad, Err(Error::NotFinite { .. })));
    }
}
