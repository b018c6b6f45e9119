//! Extreme eigenvalues and singular values of maps known only through products.
//!
//! A Krylov method looks at the map through a growing orthonormal basis Q. Every *Ritz value* θ, an eigenvalue of the
//! projection QᵀAQ, lies inside the spectrum's interval, so the largest one is a lower bound of the largest eigenvalue;
//! and with its vector x, `‖Ax − θx‖` is the radius of an interval around θ that contains *some* eigenvalue. Neither
//! proves that θ is near the extreme one: a start vector orthogonal to the extreme eigenvector never sees it.

use super::dense::{symmetric_eigen, thin_svd};
use super::symmetry::SymmetryTest;
use super::{dot, norm};
use crate::error::{Error, Result, require_finite};
use crate::seed::Seed;
use nalgebra::DMatrix;
use pulp::Arch;
use rand::RngExt;
use rand_distr::StandardNormal;

/// A basis vector whose new part is this many units of rounding of the products' size is taken for zero: the Krylov
/// space is invariant.
pub(super) const BREAKDOWN: f64 = 32.0 * f64::EPSILON;

/// Length of the basis and accuracy of the extreme values.
///
/// Full reorthogonalisation: the basis stays orthogonal to rounding, at `O(steps² · length)` operations and
/// `steps · length` numbers. Where that is too much room, or several pairs of an end are wanted, there is
/// [`ThickRestart`](super::thick_restart::ThickRestart).
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
    /// The map is put to [`SymmetryTest::SINGLE`] first, at the cost of two products.
    ///
    /// # Errors
    /// [`Error::Argument`] for zero steps, length 0 or a negative tolerance; [`Error::Asymmetric`] when the map is found not to
    /// be symmetric; [`Error::NotFinite`] when it returns a number that is not finite.
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
        let tested = SymmetryTest::SINGLE.check(length, &mut apply, seed)?;
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
            applications: tested.applications + count + 2,
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

/// Takes the components along an orthonormal basis out of x, and adds them to `taken`, a number a vector.
///
/// What is left is orthogonal to the basis up to rounding of x as it came; where that is much of what is left, it is done again
/// (Daniel, Gragg, Kaufman and Stewart 1976).
pub(super) fn project_out(x: &mut [f64], basis: &[Vec<f64>], mut taken: Option<&mut [f64]>) {
    let arch = Arch::new();
    for _ in 0..3 {
        let before = norm(x);
        for (k, q) in basis.iter().enumerate() {
            let c = dot(q, x);
            arch.dispatch(|| axpy(-c, q, x));
            if let Some(taken) = &mut taken {
                taken[k] += c;
            }
        }
        if norm(x) >= 0.25 * before {
            break;
        }
    }
}

fn orthogonalise(x: &mut [f64], basis: &[Vec<f64>]) {
    project_out(x, basis, None);
}

#[inline(always)]
pub(super) fn axpy(alpha: f64, x: &[f64], y: &mut [f64]) {
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
#[path = "lanczos_tests.rs"]
mod tests;
