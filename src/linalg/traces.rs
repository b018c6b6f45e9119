//! Traces of maps known only through products.

use super::dense::{product, thin_qr, transpose_product};
use super::{dot, norm};
use crate::error::{Error, Result, require_finite};
use crate::outcome::{Certainty, Estimate};
use crate::seed::Seed;
use crate::statistics::Summary;
use nalgebra::DMatrix;
use rand::{Rng, RngExt};

/// The trace of a linear map on `ℝ^length`, estimated as the mean of `zᵀAz` over random sign vectors z.
///
/// Unbiased; the variance of one probe is `½ Σ_{i≠j} (A_ij + A_ji)²`, so a diagonal map is answered exactly by one. The
/// standard error is the sample deviation over the square root of the number of probes.
///
/// # Errors
/// [`Error::Argument`] for fewer than two probes or length 0; [`Error::NotFinite`] when the map returns a number that is
/// not finite.
///
/// Cost: one product a probe. Source: Hutchinson 1990; Girard 1989.
pub fn hutchinson(
    length: usize,
    mut apply: impl FnMut(&[f64], &mut [f64]),
    probes: usize,
    seed: &Seed,
) -> Result<Estimate<f64>> {
    if probes < 2 {
        return Err(Error::argument("probes", "at least 2", probes));
    }
    if length == 0 {
        return Err(Error::argument("length", "at least 1", 0));
    }
    let seed = seed.stream("trace probes");
    let mut image = vec![0.0; length];
    // Welford's recurrence: no cancellation when the deviation is small beside the mean.
    let (mut mean, mut squares) = (0.0, 0.0);
    for t in 0..probes {
        let mut rng = seed.replicate(t as u64).rng();
        let z = signs(length, &mut rng);
        apply(&z, &mut image);
        require_finite("product with the map", &image)?;
        let sample = dot(&z, &image);
        let step = sample - mean;
        mean += step / (t + 1) as f64;
        squares += step * (sample - mean);
    }
    let certainty = Certainty::Sampled {
        standard_error: (squares / (probes - 1) as f64 / probes as f64).sqrt(),
        replicates: probes,
    };
    Ok(Estimate::new(mean, certainty, probes as f64))
}

/// Random signs.
fn signs(length: usize, rng: &mut impl Rng) -> Vec<f64> {
    (0..length)
        .map(|_| if rng.random::<bool>() { 1.0 } else { -1.0 })
        .collect()
}

/// The trace of a symmetric map by Hutch++: exact on the range of a sketch, by random signs on what is left.
///
/// With Q an orthonormal basis of `A S`, S random signs, `tr A = tr QᵀAQ + tr (I − QQᵀ)A(I − QQᵀ)`; the first part is computed
/// and the second estimated with probes orthogonal to Q. Where a few eigenvalues carry most of the trace, as in the curvature
/// of a trained network, little is left to estimate: the error falls like 1/products instead of the 1/√products of
/// [`hutchinson`].
///
/// Source: Meyer, Musco, Musco and Woodruff, *Hutch++: Optimal Stochastic Trace Estimation*, SOSA 2021 (arXiv:2010.09649).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HutchPlusPlus {
    /// Columns of the sketch; each takes two products.
    pub sketch: usize,
    /// Probes of the rest, at least 2; each takes one product.
    pub probes: usize,
}

impl Default for HutchPlusPlus {
    /// 30 and 30: 90 products.
    fn default() -> Self {
        HutchPlusPlus { sketch: 30, probes: 30 }
    }
}

/// A trace in two parts.
#[derive(Clone, Debug, PartialEq)]
pub struct SplitTrace {
    /// `tr QᵀAQ`: exact, given Q.
    pub on_sketch: f64,
    /// One unbiased estimate of the rest a probe.
    pub rest: Vec<f64>,
    /// Products with the map.
    pub applications: usize,
}

impl SplitTrace {
    /// The estimate, with the standard error of the rest.
    ///
    /// # Errors
    /// [`Error::Argument`] for fewer than two probes.
    pub fn estimate(&self) -> Result<Estimate<f64>> {
        let rest = Summary::of(&self.rest)?;
        let certainty = Certainty::Sampled {
            standard_error: rest.standard_error(),
            replicates: self.rest.len(),
        };
        Ok(Estimate::new(
            self.on_sketch + rest.mean,
            certainty,
            self.applications as f64,
        ))
    }

    /// Student's interval for the trace, which misses it with probability `level`, such as 0.05. The probes are independent given the sketch, and the rest
    /// of a map with many small eigenvalues is nearly normal; where few carry it, the interval is approximate.
    ///
    /// # Errors
    /// [`Error::Argument`] for fewer than two probes, or a level outside `(0, 1)`.
    pub fn interval(&self, level: f64) -> Result<(f64, f64)> {
        let found = Summary::of(&self.rest)?.interval(level)?;
        Ok((self.on_sketch + found.lower, self.on_sketch + found.upper))
    }
}

impl HutchPlusPlus {
    /// The trace of the symmetric map `apply(x, y): y ← A x` on `ℝ^length`. A sketch of more columns than the length is cut to
    /// it, and then exact.
    ///
    /// The symmetry of the map is the caller's promise.
    ///
    /// # Errors
    /// [`Error::Argument`] for no sketch, fewer than two probes or length 0; [`Error::NotFinite`] when the map returns a
    /// number that is not finite.
    ///
    /// Cost: `2 · sketch + probes` products, and `sketch² · length` operations.
    ///
    /// ```
    /// use ticketsense::Seed;
    /// use ticketsense::linalg::traces::HutchPlusPlus;
    /// // Two large eigenvalues and a hundred small ones.
    /// let diagonal: Vec<f64> = (0..102).map(|i| if i < 2 { 1000.0 } else { 0.1 }).collect();
    /// let apply = |x: &[f64], y: &mut [f64]| y.iter_mut().zip(x).zip(&diagonal).for_each(|((y, x), d)| *y = d * x);
    /// let found = HutchPlusPlus::default().trace(102, apply, &Seed::root(0))?;
    /// assert!((found.estimate()?.value - 2010.0).abs() < 1.0);
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    pub fn trace(&self, length: usize, apply: impl FnMut(&[f64], &mut [f64]), seed: &Seed) -> Result<SplitTrace> {
        self.split(length, apply, seed, dot)
    }

    /// `‖A‖_F² = tr A²` of a symmetric map, from products with A alone: two a column of the sketch, one a probe, since
    /// `zᵀA²z = ‖Az‖²`.
    ///
    /// # Errors
    /// As [`HutchPlusPlus::trace`].
    pub fn squared_frobenius(
        &self,
        length: usize,
        apply: impl FnMut(&[f64], &mut [f64]),
        seed: &Seed,
    ) -> Result<SplitTrace> {
        self.split(length, apply, seed, |_, image| {
            let size = norm(image);
            size * size
        })
    }

    /// `measure(z, Az)` is what a unit-free probe z adds to the trace: `zᵀAz` or `‖Az‖²`.
    fn split(
        &self,
        length: usize,
        mut apply: impl FnMut(&[f64], &mut [f64]),
        seed: &Seed,
        measure: impl Fn(&[f64], &[f64]) -> f64,
    ) -> Result<SplitTrace> {
        for (what, number, least) in [
            ("columns of the sketch", self.sketch, 1),
            ("probes", self.probes, 2),
            ("length", length, 1),
        ] {
            if number < least {
                return Err(Error::argument(what, format!("at least {least}"), number));
            }
        }
        let mut product_with = |x: &[f64], y: &mut [f64]| -> Result<()> {
            apply(x, y);
            require_finite("product with the map", y)
        };
        let columns = self.sketch.min(length);
        let mut rng = seed.stream("trace sketch").rng();
        let mut image = DMatrix::zeros(length, columns);
        for mut column in image.column_iter_mut() {
            product_with(&signs(length, &mut rng), column.as_mut_slice())?;
        }
        let basis = thin_qr(&image)?.q;
        let mut on_sketch = 0.0;
        let mut y = vec![0.0; length];
        for q in basis.column_iter() {
            product_with(q.as_slice(), &mut y)?;
            on_sketch += measure(q.as_slice(), &y);
        }
        let seed = seed.stream("trace rest");
        let mut rest = Vec::with_capacity(self.probes);
        for t in 0..self.probes {
            let z = DMatrix::from_vec(length, 1, signs(length, &mut seed.replicate(t as u64).rng()));
            let z = &z - product(&basis, &transpose_product(&basis, &z)?)?;
            product_with(z.as_slice(), &mut y)?;
            rest.push(measure(z.as_slice(), &y));
        }
        Ok(SplitTrace {
            on_sketch,
            rest,
            applications: 2 * columns + self.probes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagonal_map_has_no_spread() {
        let d = [1.0, -4.0, 10.0];
        let apply = |x: &[f64], y: &mut [f64]| (0..3).for_each(|i| y[i] = d[i] * x[i]);
        let found = hutchinson(3, apply, 5, &Seed::root(1)).unwrap();
        assert_eq!(found.value, 7.0);
        assert!(
            matches!(found.certainty, Certainty::Sampled { standard_error, replicates: 5 } if standard_error == 0.0)
        );
    }

    #[test]
    fn the_ones_matrix_has_its_known_mean_and_spread() {
        // zᵀ11ᵀz = (Σz)²: mean n, variance 2n(n − 1).
        let (n, probes) = (20usize, 4000usize);
        let apply = |x: &[f64], y: &mut [f64]| y.fill(x.iter().sum());
        let found = hutchinson(n, apply, probes, &Seed::root(2)).unwrap();
        let deviation = (2.0 * (n * (n - 1)) as f64 / probes as f64).sqrt();
        // Five standard errors of the mean; the sample deviation is itself within 10 % of its value (kurtosis of a
        // squared sum near 15, so its relative error is near √(14/4/4000) = 3 %, three of which are allowed).
        assert!((found.value - n as f64).abs() <= 5.0 * deviation, "{found:?}");
        let Certainty::Sampled { standard_error, .. } = found.certainty else {
            panic!("{found:?}")
        };
        assert!(
            (standard_error / deviation - 1.0).abs() <= 0.1,
            "{standard_error} {deviation}"
        );
    }

    #[test]
    fn one_probe_is_refused_because_it_has_no_standard_error() {
        assert!(hutchinson(2, |_: &[f64], _: &mut [f64]| {}, 1, &Seed::root(0)).is_err());
    }

    fn times(values: &[f64]) -> impl FnMut(&[f64], &mut [f64]) + '_ {
        move |x, y| y.iter_mut().zip(x).zip(values).for_each(|((y, x), d)| *y = d * x)
    }

    /// A dense symmetric matrix with these eigenvalues.
    fn rotated(values: &[f64], number: u64) -> DMatrix<f64> {
        let n = values.len();
        let mut rng = Seed::root(number).stream("rotation").rng();
        let q = thin_qr(&DMatrix::from_fn(n, n, |_, _| rng.random::<f64>() - 0.5))
            .unwrap()
            .q;
        &q * DMatrix::from_diagonal(&nalgebra::DVector::from_column_slice(values)) * q.transpose()
    }

    fn by(a: &DMatrix<f64>) -> impl FnMut(&[f64], &mut [f64]) + '_ {
        move |x, y| y.copy_from_slice((a * nalgebra::DVector::from_column_slice(x)).as_slice())
    }

    #[test]
    fn a_map_of_low_rank_and_one_smaller_than_the_sketch_are_exact() {
        let mut values = vec![0.0; 40];
        values[..5].copy_from_slice(&[7.0, -3.0, 100.0, 0.5, 2.0]);
        let a = rotated(&values, 1);
        let method = HutchPlusPlus { sketch: 8, probes: 3 };
        let found = method.trace(40, by(&a), &Seed::root(2)).unwrap();
        // The rest is rounding of products with a norm of 100.
        let rounding = 1e3 * 40.0 * f64::EPSILON * 100.0;
        assert!((found.estimate().unwrap().value - 106.5).abs() < rounding, "{found:?}");
        assert_eq!(found.applications, 19);
        let squares = method.squared_frobenius(40, by(&a), &Seed::root(2)).unwrap();
        let truth: f64 = values.iter().map(|v| v * v).sum();
        assert!((squares.estimate().unwrap().value - truth).abs() < 100.0 * rounding);
        let small = HutchPlusPlus::default()
            .trace(3, times(&[1.0, -4.0, 10.0]), &Seed::root(0))
            .unwrap();
        assert!((small.estimate().unwrap().value - 7.0).abs() < 1e-13 && small.applications == 6 + 30);
    }

    #[test]
    fn intervals_cover_at_their_stated_rate_and_are_narrower_than_plain_probes() {
        // Eigenvalues 1/i²: three standard errors of 300 coverages of 90 % are 0.052.
        const RUNS: usize = 300;
        let values: Vec<f64> = (1..=60).map(|i| 1.0 / f64::from(i * i)).collect();
        let a = rotated(&values, 3);
        let (trace, squares): (f64, f64) = (values.iter().sum(), values.iter().map(|v| v * v).sum());
        let method = HutchPlusPlus { sketch: 6, probes: 12 };
        let (mut covered, mut covered_squares, mut width) = (0, 0, 0.0);
        for run in 0..RUNS {
            let seed = Seed::root(4).replicate(run as u64).stream(run.to_string());
            let (lower, upper) = method.trace(60, by(&a), &seed).unwrap().interval(0.1).unwrap();
            covered += usize::from(lower <= trace && trace <= upper);
            width += (upper - lower) / RUNS as f64;
            let found = method.squared_frobenius(60, by(&a), &seed).unwrap();
            let (lower, upper) = found.interval(0.1).unwrap();
            covered_squares += usize::from(lower <= squares && squares <= upper);
        }
        for count in [covered, covered_squares] {
            assert!(
                (count as f64 / RUNS as f64 - 0.9).abs() < 0.052,
                "{covered} {covered_squares}"
            );
        }
        // As many products as plain probes: half-width 1.7 standard errors.
        let plain = hutchinson(60, by(&a), 24, &Seed::root(5)).unwrap();
        let Certainty::Sampled { standard_error, .. } = plain.certainty else {
            panic!()
        };
        assert!(width < 0.5 * 2.0 * 1.7 * standard_error, "{width} {standard_error}");
    }

    #[test]
    fn too_few_probes_no_sketch_and_infinite_products_are_refused() {
        let ask = |sketch, probes, length| {
            HutchPlusPlus { sketch, probes }.trace(length, |_: &[f64], y: &mut [f64]| y.fill(f64::NAN), &Seed::root(0))
        };
        assert!(ask(0, 5, 3).unwrap_err().to_string().contains("sketch"));
        assert!(ask(1, 1, 3).unwrap_err().to_string().contains("probes"));
        assert!(ask(1, 2, 0).unwrap_err().to_string().contains("length"));
        assert!(matches!(ask(1, 2, 3), Err(Error::NotFinite { .. })));
    }
}
