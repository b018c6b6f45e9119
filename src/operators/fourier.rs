//! Random rows of the real Fourier basis, applied by the fast transform.

use super::{MeasurementOperator, Shape};
use crate::error::{Error, Result};
use crate::seed::Seed;
use nalgebra::DMatrix;
use rand::seq::index::sample;
use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};
use std::fmt;
use std::sync::Arc;

/// Random rows of the orthonormal real Fourier basis of `ℝⁿ`, without repetition.
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::operators::{MeasurementOperator, PartialFourierEnsemble};
/// let a = PartialFourierEnsemble { rows: 30, columns: 100 }.draw(&Seed::root(0))?;
/// assert_eq!(a.shape().to_string(), "30×100");
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartialFourierEnsemble {
    /// Measurements, m, at most n.
    pub rows: usize,
    /// Unknowns, n.
    pub columns: usize,
}

impl PartialFourierEnsemble {
    /// Draws the rows from the stream `partial-fourier` of `seed`. Cost: `n` cosines.
    ///
    /// # Errors
    /// As [`PartialFourier::new`].
    pub fn draw(&self, seed: &Seed) -> Result<PartialFourier> {
        let possible = self.rows.min(self.columns);
        let mut rows = if self.columns <= u32::MAX as usize {
            sample(&mut seed.stream("partial-fourier").rng(), self.columns, possible).into_vec()
        } else {
            Vec::new()
        };
        rows.sort_unstable();
        if self.rows > self.columns {
            return Err(Error::argument(
                "rows of a partial Fourier operator",
                format!("at most {}, the number of columns", self.columns),
                self.rows,
            ));
        }
        PartialFourier::new(rows, self.columns)
    }
}

/// Some rows of the orthonormal real Fourier basis of `ℝⁿ`.
///
/// Basis row 0 is `1/√n`; rows `2k − 1` and `2k` are `√(2/n) cos(2πkj/n)` and `√(2/n) sin(2πkj/n)`; for even n the last
/// row, n − 1, is `(−1)ʲ/√n`. So `A Aᵀ = I`, and columns have a mean squared length of m/n. The matrix is not stored: a
/// product costs one complex transform, `O(n log n)`; few columns cost `m` operations each.
#[derive(Clone)]
pub struct PartialFourier {
    columns: usize,
    rows: Vec<usize>,
    /// `cos(2πt/n)` and `sin(2πt/n)`.
    cosines: Vec<f64>,
    sines: Vec<f64>,
    forward: Arc<dyn Fft<f64>>,
    inverse: Arc<dyn Fft<f64>>,
}

/// One basis row: its frequency, whether it is a sine, and its amplitude.
#[derive(Clone, Copy)]
struct Wave {
    frequency: usize,
    sine: bool,
    amplitude: f64,
}

/// `cos` and `sin` of `2πt/n` to the last bit or two, from an argument reduced exactly to an eighth of the circle.
fn on_circle(t: usize, n: usize) -> (f64, f64) {
    let octants = 8 * t as u64 / n as u64;
    // The angle past the last multiple of a quarter turn, folded at an eighth: in units of 2π/(8n).
    let within = (8 * t as u64) % (2 * n as u64);
    let (fold, part) = if within > n as u64 {
        (true, 2 * n as u64 - within)
    } else {
        (false, within)
    };
    let angle = part as f64 * (std::f64::consts::FRAC_PI_4 / n as f64);
    let (mut cosine, mut sine) = (angle.cos(), angle.sin());
    if fold {
        std::mem::swap(&mut cosine, &mut sine);
    }
    match (octants / 2) % 4 {
        0 => (cosine, sine),
        1 => (-sine, cosine),
        2 => (-cosine, -sine),
        _ => (sine, -cosine),
    }
}

impl PartialFourier {
    /// The operator with these basis rows, in this order.
    ///
    /// # Errors
    /// [`Error::Shape`] without rows, [`Error::Argument`] when there are no columns or 2³² and more, or when a row repeats
    /// or is not below n.
    pub fn new(rows: Vec<usize>, columns: usize) -> Result<Self> {
        if columns == 0 || columns > u32::MAX as usize {
            return Err(Error::argument(
                "columns of a partial Fourier operator",
                "from 1 to 2³² − 1",
                columns,
            ));
        }
        if rows.is_empty() {
            return Err(Error::shape("rows of a partial Fourier operator", "at least one", 0));
        }
        // Refuses repetition and excess.
        crate::support::Support::new(rows.clone(), columns)?;
        let (cosines, sines) = (0..columns).map(|t| on_circle(t, columns)).unzip();
        let mut planner = FftPlanner::new();
        Ok(PartialFourier {
            columns,
            rows,
            cosines,
            sines,
            forward: planner.plan_fft_forward(columns),
            inverse: planner.plan_fft_inverse(columns),
        })
    }

    /// The basis rows measured, in the order of the measurements.
    pub fn rows(&self) -> &[usize] {
        &self.rows
    }

    fn waves(&self) -> impl Iterator<Item = Wave> {
        let n = self.columns;
        self.rows.iter().map(move |&row| {
            let frequency = row.div_ceil(2);
            let single = frequency == 0 || 2 * frequency == n;
            Wave {
                frequency,
                sine: row > 0 && row % 2 == 0,
                amplitude: (if single { 1.0 } else { 2.0 } / n as f64).sqrt(),
            }
        })
    }

    fn entry(&self, wave: Wave, j: usize) -> f64 {
        let t = ((wave.frequency as u64 * j as u64) % self.columns as u64) as usize;
        wave.amplitude * if wave.sine { self.sines[t] } else { self.cosines[t] }
    }

    /// Whether so many columns cost less one by one than all together.
    fn few(&self, count: usize) -> bool {
        // A complex transform is about 5 n log₂ n operations; a table entry about as much as three.
        let logarithm = self.columns.ilog2() as usize + 1;
        count.saturating_mul(self.rows.len()) < 2 * self.columns * logarithm
    }
}

impl fmt::Debug for PartialFourier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartialFourier")
            .field("columns", &self.columns)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

impl MeasurementOperator for PartialFourier {
    fn shape(&self) -> Shape {
        Shape {
            rows: self.rows.len(),
            columns: self.columns,
        }
    }

    fn apply_into(&self, x: &[f64], y: &mut [f64]) {
        assert_eq!((x.len(), y.len()), (self.columns, self.rows.len()), "apply: lengths");
        let mut spectrum: Vec<Complex<f64>> = x.iter().map(|&v| Complex::new(v, 0.0)).collect();
        self.forward.process(&mut spectrum);
        for (y, wave) in y.iter_mut().zip(self.waves()) {
            let value = spectrum[wave.frequency];
            *y = wave.amplitude * if wave.sine { -value.im } else { value.re };
        }
    }

    fn adjoint_into(&self, y: &[f64], x: &mut [f64]) {
        assert_eq!((x.len(), y.len()), (self.columns, self.rows.len()), "adjoint: lengths");
        let mut spectrum = vec![Complex::new(0.0, 0.0); self.columns];
        for (y, wave) in y.iter().zip(self.waves()) {
            // Re[(a − ib) e^{iφ}] = a cos φ + b sin φ.
            let value = &mut spectrum[wave.frequency];
            if wave.sine {
                value.im -= wave.amplitude * y;
            } else {
                value.re += wave.amplitude * y;
            }
        }
        self.inverse.process(&mut spectrum);
        for (x, value) in x.iter_mut().zip(&spectrum) {
            *x = value.re;
        }
    }

    fn apply_sparse_into(&self, support: &[usize], values: &[f64], y: &mut [f64]) {
        assert_eq!(
            (support.len(), y.len()),
            (values.len(), self.rows.len()),
            "sparse product: lengths"
        );
        if self.few(support.len()) {
            for (y, wave) in y.iter_mut().zip(self.waves()) {
                *y = support.iter().zip(values).map(|(&j, v)| self.entry(wave, j) * v).sum();
            }
            return;
        }
        let mut x = vec![0.0; self.columns];
        for (&j, &v) in support.iter().zip(values) {
            x[j] += v;
        }
        self.apply_into(&x, y);
    }

    fn columns_into(&self, support: &[usize], out: &mut DMatrix<f64>) {
        let rows = self.rows.len();
        assert_eq!(out.shape(), (rows, support.len()), "columns: shape of the output");
        for (column, &j) in out.as_mut_slice().chunks_exact_mut(rows).zip(support) {
            for (entry, wave) in column.iter_mut().zip(self.waves()) {
                *entry = self.entry(wave, j);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::dense::gram;
    use crate::operators::dot_test;

    #[test]
    fn all_rows_together_are_an_orthonormal_basis_for_even_odd_and_prime_lengths() {
        for n in [1, 2, 3, 8, 15, 17, 30] {
            let a = PartialFourier::new((0..n).collect(), n).unwrap();
            dot_test::check(&a, &Seed::root(1)).unwrap();
            let g = gram(&a.to_dense());
            // Sums of n products of entries within two roundings of size √(2/n): below 10 ε each.
            assert!((g - DMatrix::identity(n, n)).amax() <= 10.0 * f64::EPSILON, "{n}");
        }
    }

    #[test]
    fn rows_are_the_sampled_waves() {
        let n = 12;
        let a = PartialFourier::new(vec![0, 3, 4, 11], n).unwrap().to_dense();
        for j in 0..n {
            let angle = std::f64::consts::TAU * 2.0 * j as f64 / n as f64;
            let sign = if j % 2 == 0 { 1.0 } else { -1.0 };
            let expected = [
                (1.0f64 / 12.0).sqrt(),
                (2.0f64 / 12.0).sqrt() * angle.cos(),
                (2.0f64 / 12.0).sqrt() * angle.sin(),
                (1.0f64 / 12.0).sqrt() * sign,
            ];
            for (i, expected) in expected.iter().enumerate() {
                // The plain angle, up to 4π, is rounded by up to 8 ε.
                assert!((a[(i, j)] - expected).abs() <= 10.0 * f64::EPSILON, "{i} {j}");
            }
        }
    }

    #[test]
    fn a_draw_passes_the_dot_test_and_repeats_by_its_seed() {
        let ensemble = PartialFourierEnsemble { rows: 37, columns: 101 };
        let a = ensemble.draw(&Seed::root(4)).unwrap();
        dot_test::check(&a, &Seed::root(5)).unwrap();
        assert_eq!(a.rows(), ensemble.draw(&Seed::root(4)).unwrap().rows());
        assert_ne!(a.rows(), ensemble.draw(&Seed::root(4).replicate(1)).unwrap().rows());
        let squares: f64 = a.column_norms().iter().map(|l| l * l).sum();
        // The squared Frobenius norm of 37 unit rows, in 101 sums of 37 squares.
        assert!((squares - 37.0).abs() <= 37.0 * 150.0 * f64::EPSILON, "{squares}");
    }

    #[test]
    fn few_columns_and_many_give_one_product() {
        let a = PartialFourierEnsemble {
            rows: 200,
            columns: 256,
        }
        .draw(&Seed::root(6))
        .unwrap();
        for count in [3, 200] {
            assert_eq!(a.few(count), count == 3);
            let support: Vec<usize> = (0..count).map(|i| (i * 7) % 256).collect();
            let values: Vec<f64> = (0..count).map(|i| (i as f64).cos()).collect();
            let mut x = vec![0.0; 256];
            support.iter().zip(&values).for_each(|(&j, &v)| x[j] += v);
            let mut sparse = vec![f64::NAN; 200];
            a.apply_sparse_into(&support, &values, &mut sparse);
            for (found, expected) in sparse.iter().zip(a.apply(&x).unwrap()) {
                // Sums of at most 200 terms of size √(2/256).
                assert!((found - expected).abs() <= 200.0 * f64::EPSILON);
            }
        }
    }

    #[test]
    fn repeated_missing_and_excess_rows_are_refused() {
        assert!(matches!(PartialFourier::new(vec![], 4), Err(Error::Shape { .. })));
        for rows in [vec![1, 1], vec![4]] {
            assert!(matches!(PartialFourier::new(rows, 4), Err(Error::Argument { .. })));
        }
        for (rows, columns) in [(5, 4), (1, 0)] {
            let refused = PartialFourierEnsemble { rows, columns }.draw(&Seed::root(0));
            assert!(matches!(refused, Err(Error::Argument { .. })));
        }
        assert!(
            PartialFourierEnsemble { rows: 0, columns: 4 }
                .draw(&Seed::root(0))
                .is_err()
        );
    }
}
