//! The circular layer in the frequency domain: transforms of channels two at a time, one small product a frequency.

use super::kernels::Grid;
use nalgebra::DMatrix;
use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};
use std::sync::Arc;

/// A tap folded onto a grid: where it carries the first position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tap {
    pub row: usize,
    pub column: usize,
    pub value: f64,
}

/// Transforms of a grid there and back. Frequencies stand column by column, which saves two transpositions.
#[derive(Clone)]
struct Transforms {
    rows: [Arc<dyn Fft<f64>>; 2],
    columns: [Arc<dyn Fft<f64>>; 2],
}

impl Transforms {
    fn new(grid: Grid) -> Self {
        let mut planner = FftPlanner::new();
        let mut both = |length| [planner.plan_fft_forward(length), planner.plan_fft_inverse(length)];
        Transforms {
            rows: both(grid.width),
            columns: both(grid.height),
        }
    }

    fn forward(&self, grid: Grid, field: &mut Vec<Complex<f64>>) {
        self.rows[0].process(field);
        if grid.height > 1 {
            *field = transposed(field, grid.height, grid.width);
            self.columns[0].process(field);
        }
    }

    /// Without the factor one over the number of positions.
    fn inverse(&self, grid: Grid, field: &mut Vec<Complex<f64>>) {
        if grid.height > 1 {
            self.columns[1].process(field);
            *field = transposed(field, grid.width, grid.height);
        }
        self.rows[1].process(field);
    }
}

fn transposed(field: &[Complex<f64>], height: usize, width: usize) -> Vec<Complex<f64>> {
    (0..width)
        .flat_map(|c| (0..height).map(move |r| field[r * width + c]))
        .collect()
}

/// The layer by frequency. Of two conjugate frequencies only the first is held.
#[derive(Clone)]
pub struct Engine {
    grid: Grid,
    outputs: usize,
    inputs: usize,
    transforms: Transforms,
    /// Frequencies as places in a transform, each with its conjugate, itself where it is its own.
    frequencies: Vec<(usize, usize)>,
    /// The block of each of them, output by output.
    blocks: Vec<Complex<f64>>,
}

impl Engine {
    /// From the folded taps of every kernel, output by output.
    pub fn new(grid: Grid, outputs: usize, inputs: usize, taps: &[Vec<Tap>]) -> Self {
        let Grid { height, width } = grid;
        let transforms = Transforms::new(grid);
        let conjugate = |f: usize| (width - f / height) % width * height + (height - f % height) % height;
        let all = (0..grid.positions()).map(|f| (f, conjugate(f)));
        let frequencies: Vec<(usize, usize)> = all.filter(|(f, g)| f <= g).collect();
        let zero = Complex::new(0.0, 0.0);
        let mut blocks = vec![zero; frequencies.len() * taps.len()];
        // Two real kernels a transform, as for signals.
        for (pair, kernels) in taps.chunks(2).enumerate() {
            let mut field = vec![zero; grid.positions()];
            for tap in &kernels[0] {
                field[tap.row * width + tap.column].re = tap.value;
            }
            for tap in kernels.get(1).into_iter().flatten() {
                field[tap.row * width + tap.column].im = tap.value;
            }
            transforms.forward(grid, &mut field);
            for (place, &(f, g)) in frequencies.iter().enumerate() {
                let (first, second) = parted(field[f], field[g]);
                let block = &mut blocks[place * taps.len() + 2 * pair..];
                block[0] = 0.5 * first;
                if kernels.len() == 2 {
                    block[1] = 0.5 * second;
                }
            }
        }
        Engine {
            grid,
            outputs,
            inputs,
            transforms,
            frequencies,
            blocks,
        }
    }

    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// One frequency of each conjugate pair, as (row, column), its multiplicity, and its `outputs × inputs` block.
    pub fn blocks(&self) -> impl Iterator<Item = ((usize, usize), usize, DMatrix<Complex<f64>>)> + '_ {
        let (outputs, inputs, height) = (self.outputs, self.inputs, self.grid.height);
        let size = outputs * inputs;
        self.frequencies
            .iter()
            .zip(self.blocks.chunks_exact(size))
            .map(move |(&(f, g), block)| {
                let frequency = (f % height, f / height);
                let multiplicity = if f == g { 1 } else { 2 };
                let block = DMatrix::from_row_slice(outputs, inputs, block);
                (frequency, multiplicity, block)
            })
    }

    /// Operations of one product, counted as for a plain complex transform.
    pub fn operations(&self) -> usize {
        let positions = self.grid.positions();
        let transforms = self.inputs.div_ceil(2) + self.outputs.div_ceil(2);
        5 * positions * (positions.ilog2() as usize + 1) * transforms + 4 * positions * self.outputs * self.inputs
    }

    /// `y ← A x`, or `y ← Aᵀ x`, where the signals fill the first rows and columns of the grid, the rest of it being zero
    /// on the way in and dropped on the way out.
    pub fn multiply(&self, signal: Grid, x: &[f64], y: &mut [f64], adjoint: bool) {
        let (from, to) = if adjoint {
            (self.outputs, self.inputs)
        } else {
            (self.inputs, self.outputs)
        };
        let zero = Complex::new(0.0, 0.0);
        let mut fields: Vec<Vec<Complex<f64>>> = x
            .chunks(2 * signal.positions())
            .map(|channels| {
                let mut field = vec![zero; self.grid.positions()];
                let (first, second) = channels.split_at(signal.positions());
                each_row(signal, self.grid, &mut field, |row, positions| {
                    for (z, &v) in row.iter_mut().zip(&first[positions.clone()]) {
                        z.re = v;
                    }
                    if !second.is_empty() {
                        for (z, &v) in row.iter_mut().zip(&second[positions]) {
                            z.im = v;
                        }
                    }
                });
                self.transforms.forward(self.grid, &mut field);
                field
            })
            .collect();

        let mut results = vec![vec![zero; self.grid.positions()]; to.div_ceil(2)];
        let (mut before, mut after) = (vec![zero; from.next_multiple_of(2)], vec![zero; to.next_multiple_of(2)]);
        // One half from parting two channels, and the factor that the inverse transform leaves out.
        let factor = 0.5 / self.grid.positions() as f64;
        let size = self.outputs * self.inputs;
        for (&(f, g), block) in self.frequencies.iter().zip(self.blocks.chunks_exact(size)) {
            for (channels, field) in before.chunks_exact_mut(2).zip(&fields) {
                let (first, second) = parted(field[f], field[g]);
                channels.copy_from_slice(&[factor * first, factor * second]);
            }
            after.fill(zero);
            if adjoint {
                for (row, y) in block.chunks_exact(self.inputs).zip(&before) {
                    after.iter_mut().zip(row).for_each(|(x, a)| *x += a.conj() * y);
                }
            } else {
                for (row, y) in block.chunks_exact(self.inputs).zip(&mut after) {
                    *y = row.iter().zip(&before).map(|(a, x)| a * x).sum();
                }
            }
            for (channels, field) in after.chunks_exact(2).zip(&mut results) {
                let turned = |z: Complex<f64>| Complex::new(-z.im, z.re);
                field[g] = channels[0].conj() + turned(channels[1].conj());
                field[f] = channels[0] + turned(channels[1]);
            }
        }
        fields.clear();

        for (channels, mut field) in y.chunks_mut(2 * signal.positions()).zip(results) {
            self.transforms.inverse(self.grid, &mut field);
            let (first, second) = channels.split_at_mut(signal.positions());
            each_row(signal, self.grid, &mut field, |row, positions| {
                for (v, z) in first[positions.clone()].iter_mut().zip(&*row) {
                    *v = z.re;
                }
                if !second.is_empty() {
                    for (v, z) in second[positions].iter_mut().zip(&*row) {
                        *v = z.im;
                    }
                }
            });
        }
    }
}

/// Twice the coefficients of two real signals, from those of the first plus i times the second at a frequency and at its
/// conjugate.
fn parted(z: Complex<f64>, conjugate: Complex<f64>) -> (Complex<f64>, Complex<f64>) {
    let (sum, difference) = (z + conjugate.conj(), z - conjugate.conj());
    (sum, Complex::new(difference.im, -difference.re))
}

/// Every row of the signal: its part of the field and its positions.
fn each_row(
    signal: Grid,
    grid: Grid,
    field: &mut [Complex<f64>],
    mut act: impl FnMut(&mut [Complex<f64>], std::ops::Range<usize>),
) {
    for (r, row) in field.chunks_exact_mut(grid.width).take(signal.height).enumerate() {
        act(&mut row[..signal.width], r * signal.width..(r + 1) * signal.width);
    }
}
