//! Whether a map that is called symmetric is.

use super::{dot, norm};
use crate::error::{Error, Result, require_finite};
use crate::seed::Seed;
use rand::RngExt;
use rand_distr::StandardNormal;

/// A Gaussian number is beyond this many standard deviations with probability 2e-9.
const DEVIATIONS: f64 = 6.0;

/// Compares `⟨u, A v⟩` with `⟨A u, v⟩` for Gaussian u and v.
///
/// Rounding: where a product is off by at most `accuracy ‖A v‖`, the part along an independent Gaussian u is beyond
/// `6 accuracy ‖A v‖` with probability 2e-9, and an inner product of n terms adds `n ε ‖u‖ ‖A v‖` at most. The sum of these for
/// both sides is the tolerance τ.
///
/// Detection: with `K = A − Aᵀ` the two differ by `uᵀ K v`, given v a normal number of deviation `‖K v‖`. An antisymmetric matrix
/// has its singular values in pairs, so that `‖K v‖²` is a mean of exponential numbers weighted by their squares; the mean of
/// `1/‖K v‖` is largest for a single pair. So a map with `‖A − Aᵀ‖_F = a` passes a probe whose tolerance is at most τ with
/// probability `√2 τ/a` at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SymmetryTest {
    /// Independent pairs of directions, two products each.
    pub probes: usize,
    /// The error of a product as a fraction of its norm.
    pub accuracy: f64,
}

/// What a [`SymmetryTest`] saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Symmetry {
    /// The largest `|⟨u, A v⟩ − ⟨A u, v⟩|`.
    pub difference: f64,
    /// The largest tolerance.
    pub tolerance: f64,
    /// Products with the map.
    pub applications: usize,
}

impl Symmetry {
    /// At most the probability with which a map with `‖A − Aᵀ‖_F` of this size would have passed.
    pub fn missed(&self, asymmetry: f64) -> f64 {
        let once = (std::f64::consts::SQRT_2 * self.tolerance / asymmetry).min(1.0);
        once.powi((self.applications / 2) as i32)
    }
}

impl SymmetryTest {
    /// One probe, for products that may be rounded to single precision: off by `2⁻¹¹` at most.
    pub const SINGLE: SymmetryTest = SymmetryTest {
        probes: 1,
        accuracy: 1.0 / 2048.0,
    };

    /// One probe, for products in double precision: off by `2⁻⁴⁰` at most.
    pub const DOUBLE: SymmetryTest = SymmetryTest {
        probes: 1,
        accuracy: 1.0 / 1_099_511_627_776.0,
    };

    /// Puts the map `apply(x, y): y ← A x` on `ℝ^length` to the test.
    ///
    /// # Errors
    /// [`Error::Asymmetric`] where the two sides differ by more than rounding; [`Error::NotFinite`] where a product is not finite;
    /// [`Error::Argument`] for no probes or an accuracy outside `[0, 1)`.
    ///
    /// ```
    /// use ticketsense::{Error, Seed, linalg::symmetry::SymmetryTest};
    /// let turn = |x: &[f64], y: &mut [f64]| { y[0] = x[1]; y[1] = -x[0]; };
    /// let found = SymmetryTest::DOUBLE.check(2, turn, &Seed::root(0));
    /// assert!(matches!(found, Err(Error::Asymmetric { .. })));
    /// ```
    pub fn check(&self, length: usize, mut apply: impl FnMut(&[f64], &mut [f64]), seed: &Seed) -> Result<Symmetry> {
        if self.probes == 0 {
            return Err(Error::argument("probes of symmetry", "at least 1", 0));
        }
        if !(0.0..1.0).contains(&self.accuracy) {
            return Err(Error::argument("accuracy of a product", "in [0, 1)", self.accuracy));
        }
        let mut rng = seed.stream("symmetry").rng();
        let mut gaussian = || -> Vec<f64> { (0..length).map(|_| rng.sample(StandardNormal)).collect() };
        let mut found = Symmetry {
            difference: 0.0,
            tolerance: 0.0,
            applications: 0,
        };
        let (mut of_u, mut of_v) = (vec![0.0; length], vec![0.0; length]);
        for _ in 0..self.probes {
            let (u, v) = (gaussian(), gaussian());
            apply(&u, &mut of_u);
            apply(&v, &mut of_v);
            require_finite("product with the map", &of_u)?;
            require_finite("product with the map", &of_v)?;
            let (left, right) = (norm(&of_v), norm(&of_u));
            let sums = length as f64 * f64::EPSILON * (norm(&u) * left + norm(&v) * right);
            let tolerance = DEVIATIONS * self.accuracy * (left + right) + sums;
            let difference = (dot(&u, &of_v) - dot(&of_u, &v)).abs();
            if difference > tolerance {
                return Err(Error::Asymmetric { difference, tolerance });
            }
            found.difference = found.difference.max(difference);
            found.tolerance = found.tolerance.max(tolerance);
            found.applications += 2;
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{DMatrix, DVector};

    fn gaussian(n: usize, number: u64) -> DMatrix<f64> {
        let mut rng = Seed::root(number).stream("matrix").rng();
        DMatrix::from_fn(n, n, |_, _| rng.sample(StandardNormal))
    }

    fn times(a: &DMatrix<f64>) -> impl FnMut(&[f64], &mut [f64]) + '_ {
        move |x, y| y.copy_from_slice((a * DVector::from_column_slice(x)).as_slice())
    }

    #[test]
    fn symmetric_maps_pass_in_both_precisions_for_many_seeds() {
        for number in 0..200 {
            let g = gaussian(30, number);
            let a = &g + g.transpose();
            let seed = Seed::root(number);
            let found = SymmetryTest::DOUBLE.check(30, times(&a), &seed).unwrap();
            assert!(found.difference <= found.tolerance && found.applications == 2);
            let single = |x: &[f64], y: &mut [f64]| {
                times(&a)(x, y);
                y.iter_mut().for_each(|v| *v = f64::from(*v as f32));
            };
            SymmetryTest::SINGLE.check(30, single, &seed).unwrap();
            let rounded = SymmetryTest::DOUBLE.check(30, single, &seed);
            assert!(matches!(rounded, Err(Error::Asymmetric { .. })), "{rounded:?}");
        }
        // Nothing to tell apart.
        SymmetryTest::DOUBLE
            .check(5, |_: &[f64], y: &mut [f64]| y.fill(0.0), &Seed::root(0))
            .unwrap();
        SymmetryTest::DOUBLE
            .check(1, |x: &[f64], y: &mut [f64]| y[0] = -3.0 * x[0], &Seed::root(0))
            .unwrap();
    }

    #[test]
    fn asymmetry_is_missed_no_more_often_than_is_said() {
        // A single pair of singular values: the map that is missed most often. Of 4,000 runs at most n p + 4 √(n p) are missed.
        const RUNS: u64 = 4000;
        for size in [1e-2, 1e-1] {
            let mut a = DMatrix::from_diagonal(&DVector::from_fn(20, |i, _| 1.0 + i as f64));
            a[(3, 7)] += size;
            a[(7, 3)] -= size;
            let asymmetry = (&a - a.transpose()).norm();
            let (mut missed, mut bound) = (0u64, 0.0f64);
            for run in 0..RUNS {
                let test = SymmetryTest {
                    probes: 1,
                    accuracy: 1e-5,
                };
                match test.check(20, times(&a), &Seed::root(run)) {
                    Ok(found) => {
                        missed += 1;
                        bound = bound.max(found.missed(asymmetry));
                    }
                    Err(Error::Asymmetric { .. }) => {}
                    Err(other) => panic!("{other}"),
                }
            }
            let most = RUNS as f64 * bound;
            assert!(missed > 0 && bound < 1.0, "{size}: {missed} {bound}");
            assert!(
                (missed as f64) <= most + 4.0 * most.sqrt(),
                "{size}: {missed} of {most}"
            );
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let map = |x: &[f64], y: &mut [f64]| y.copy_from_slice(x);
        let with = |probes, accuracy| SymmetryTest { probes, accuracy }.check(3, map, &Seed::root(0));
        assert!(with(0, 0.1).is_err() && with(1, f64::NAN).is_err() && with(1, 1.0).is_err());
        let bad = SymmetryTest::SINGLE.check(3, |_: &[f64], y: &mut [f64]| y.fill(f64::NAN), &Seed::root(0));
        assert!(matches!(bad, Err(Error::NotFinite { .. })));
    }
}
