//! What both boundaries share: a circular layer on a grid, seen through a signal that fills its first rows and columns.

use super::engine::{Engine, Tap};
use super::kernels::{Displaced, Grid, KernelBank};
use crate::error::{Error, Result};
use crate::operators::Shape;
use nalgebra::DMatrix;
use std::fmt;

/// Most coefficients by frequency held at once: 16 GiB.
const MOST_COEFFICIENTS: usize = 1 << 30;

/// A circular layer on `engine.grid()`, restricted to `signal` on both sides.
#[derive(Clone)]
pub struct Layer {
    pub bank: KernelBank,
    pub signal: Grid,
    pub engine: Engine,
    /// Folded taps of every kernel, output by output, none zero.
    taps: Vec<Vec<Tap>>,
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer")
            .field("bank", &self.bank)
            .field("signal", &self.signal)
            .field("grid", &self.engine.grid())
            .finish_non_exhaustive()
    }
}

impl Layer {
    /// The layer on `grid`, of the taps for which `keep` holds.
    pub fn new(bank: KernelBank, signal: Grid, grid: Grid, keep: impl Fn(&Displaced) -> bool) -> Result<Self> {
        signal.validate("grid of a convolution")?;
        grid.validate("padded grid of a convolution")?;
        let pairs = bank.outputs() * bank.inputs();
        let channels = bank.outputs().max(bank.inputs());
        let too_many = |count: Option<usize>| count.is_none_or(|c| c > MOST_COEFFICIENTS);
        if too_many(pairs.checked_mul(grid.positions() / 2 + 1)) || too_many(channels.checked_mul(grid.positions())) {
            return Err(Error::argument(
                "channels and positions of a convolution",
                "at most 2³⁰ coefficients by frequency",
                format!("{} outputs × {} inputs on {grid}", bank.outputs(), bank.inputs()),
            ));
        }
        let taps: Vec<Vec<Tap>> = bank
            .taps()
            .map(|kernel| folded(kernel.into_iter().filter(&keep), grid))
            .collect();
        if let Some(tap) = taps.iter().flatten().find(|tap| !tap.value.is_finite()) {
            return Err(Error::numerical(
                "convolution",
                format!("weights that wrap onto one position add up to {}", tap.value),
            ));
        }
        let engine = Engine::new(grid, bank.outputs(), bank.inputs(), &taps);
        Ok(Layer {
            bank,
            signal,
            engine,
            taps,
        })
    }

    pub fn shape(&self) -> Shape {
        Shape {
            rows: self.bank.outputs() * self.signal.positions(),
            columns: self.bank.inputs() * self.signal.positions(),
        }
    }

    /// The folded taps from an input to an output.
    pub fn taps(&self, output: usize, input: usize) -> &[Tap] {
        &self.taps[output * self.bank.inputs() + input]
    }

    pub fn apply_into(&self, x: &[f64], y: &mut [f64]) {
        let Shape { rows, columns } = self.shape();
        assert_eq!((x.len(), y.len()), (columns, rows), "apply: lengths");
        self.multiply(x, y, false);
    }

    pub fn adjoint_into(&self, y: &[f64], x: &mut [f64]) {
        let Shape { rows, columns } = self.shape();
        assert_eq!((x.len(), y.len()), (columns, rows), "adjoint: lengths");
        self.multiply(y, x, true);
    }

    fn multiply(&self, x: &[f64], y: &mut [f64], adjoint: bool) {
        if self.by_taps() <= self.engine.operations() {
            self.multiply_by_taps(x, y, adjoint);
        } else {
            self.engine.multiply(self.signal, x, y, adjoint);
        }
    }

    /// Work of a product tap by tap, in operations of a transform: a tap is a multiplication and an addition on every
    /// position, and short rows take about half as long again for each as a transform does.
    pub fn by_taps(&self) -> usize {
        let taps: usize = self.taps.iter().map(Vec::len).sum();
        taps.saturating_mul(3 * self.signal.positions())
    }

    /// `y ← A x`, or `y ← Aᵀ x`, one tap after the other over whole rows.
    pub fn multiply_by_taps(&self, x: &[f64], y: &mut [f64], adjoint: bool) {
        y.fill(0.0);
        let (grid, width, positions) = (self.engine.grid(), self.signal.width, self.signal.positions());
        for (pair, taps) in self.taps.iter().enumerate() {
            let (output, input) = (pair / self.bank.inputs(), pair % self.bank.inputs());
            let (from, to) = if adjoint { (output, input) } else { (input, output) };
            let (x, y) = (
                &x[from * positions..][..positions],
                &mut y[to * positions..][..positions],
            );
            for tap in taps {
                for rows in runs(tap.row, self.signal.height, grid.height) {
                    for columns in runs(tap.column, width, grid.width) {
                        for row in 0..rows.length {
                            let start = (rows.from + row) * width + columns.from;
                            let end = (rows.to + row) * width + columns.to;
                            let (read, write) = if adjoint { (end, start) } else { (start, end) };
                            let y = &mut y[write..write + columns.length];
                            for (y, x) in y.iter_mut().zip(&x[read..read + columns.length]) {
                                *y += tap.value * x;
                            }
                        }
                    }
                }
            }
        }
    }

    /// Calls `act(row of A, entry)` for the nonzero entries of a column.
    fn each_entry(&self, column: usize, mut act: impl FnMut(usize, f64)) {
        let (positions, width, grid) = (self.signal.positions(), self.signal.width, self.engine.grid());
        let (input, place) = (column / positions, column % positions);
        let (row, column) = (place / width, place % width);
        for output in 0..self.bank.outputs() {
            for tap in self.taps(output, input) {
                let reached = (
                    reached(row, tap.row, grid.height),
                    reached(column, tap.column, grid.width),
                );
                if reached.0 < self.signal.height && reached.1 < width {
                    act(output * positions + reached.0 * width + reached.1, tap.value);
                }
            }
        }
    }

    /// By single entries where those are fewer operations than a whole product.
    pub fn apply_sparse_into(&self, support: &[usize], values: &[f64], y: &mut [f64]) {
        let Shape { rows, columns } = self.shape();
        assert_eq!(
            (support.len(), y.len()),
            (values.len(), rows),
            "sparse product: lengths"
        );
        if self.few(support) {
            y.fill(0.0);
            for (&j, &v) in support.iter().zip(values) {
                self.each_entry(j, |i, a| y[i] += a * v);
            }
            return;
        }
        let mut x = vec![0.0; columns];
        for (&j, &v) in support.iter().zip(values) {
            x[j] += v;
        }
        self.apply_into(&x, y);
    }

    /// Whether the entries of these columns cost less than a whole product.
    fn few(&self, support: &[usize]) -> bool {
        let positions = self.signal.positions();
        let entries = |j: &usize| -> usize {
            let outputs = 0..self.bank.outputs();
            outputs.map(|o| self.taps(o, j / positions).len()).sum()
        };
        // An entry is a multiplication, an addition and finding its place.
        let budget = self.engine.operations().min(self.by_taps()) / 6;
        let mut total = 0;
        support.iter().all(|j| {
            total += entries(j);
            total <= budget
        })
    }

    pub fn columns_into(&self, support: &[usize], out: &mut DMatrix<f64>) {
        let rows = self.shape().rows;
        assert_eq!(out.shape(), (rows, support.len()), "columns: shape of the output");
        for (column, &j) in out.as_mut_slice().chunks_exact_mut(rows).zip(support) {
            column.fill(0.0);
            self.each_entry(j, |i, a| column[i] = a);
        }
    }

    pub fn column_norms(&self) -> Vec<f64> {
        let mut norms = Vec::with_capacity(self.shape().columns);
        for input in 0..self.bank.inputs() {
            let taps = || (0..self.bank.outputs()).flat_map(|o| self.taps(o, input));
            // Squares of shares of the largest weight do not overflow.
            let largest = taps().fold(0.0f64, |m, tap| m.max(tap.value.abs()));
            let share = |tap: &Tap| if largest > 0.0 { tap.value / largest } else { 0.0 };
            let grid = self.engine.grid();
            if grid == self.signal {
                let energy: f64 = taps().map(|tap| share(tap) * share(tap)).sum();
                norms.extend(std::iter::repeat_n(largest * energy.sqrt(), grid.positions()));
                continue;
            }
            for row in 0..self.signal.height {
                // The energy that stays inside by row, at each displacement along the row.
                let mut energies = vec![0.0; grid.width];
                for tap in taps().filter(|tap| reached(row, tap.row, grid.height) < self.signal.height) {
                    energies[tap.column] += share(tap) * share(tap);
                }
                let held: Vec<(usize, f64)> = energies.into_iter().enumerate().filter(|(_, e)| *e > 0.0).collect();
                norms.extend((0..self.signal.width).map(|column| {
                    let inside = |c: usize| reached(column, c, grid.width) < self.signal.width;
                    let energy: f64 = held.iter().filter(|(c, _)| inside(*c)).map(|(_, e)| e).sum();
                    largest * energy.sqrt()
                }));
            }
        }
        norms
    }
}

/// Neighbouring positions that a tap carries together.
#[derive(Clone, Copy, Debug)]
struct Run {
    from: usize,
    to: usize,
    length: usize,
}

/// What a tap carries along one axis of the signal: up to where it meets the end, and from where it has gone around.
fn runs(displacement: usize, signal: usize, grid: usize) -> impl Iterator<Item = Run> {
    let before = grid - displacement;
    let both = [
        Run {
            from: 0,
            to: displacement,
            length: signal.saturating_sub(displacement),
        },
        Run {
            from: before,
            to: 0,
            length: signal.saturating_sub(before),
        },
    ];
    both.into_iter().filter(|run| run.length > 0)
}

/// Where a tap carries a position, both below `length`.
fn reached(position: usize, displacement: usize, length: usize) -> usize {
    let sum = position + displacement;
    if sum < length { sum } else { sum - length }
}

/// Taps brought onto a grid; those that meet add up.
fn folded(taps: impl Iterator<Item = Displaced>, grid: Grid) -> Vec<Tap> {
    let wrap = |displacement: i64, length: usize| displacement.rem_euclid(length as i64) as usize;
    let mut all: Vec<Tap> = taps
        .map(|tap| Tap {
            row: wrap(tap.rows, grid.height),
            column: wrap(tap.columns, grid.width),
            value: tap.value,
        })
        .collect();
    // Stable, so that taps that meet are added in the order of the kernel.
    all.sort_by_key(|tap| (tap.row, tap.column));
    let mut out: Vec<Tap> = Vec::with_capacity(all.len());
    for tap in all {
        match out.last_mut() {
            Some(last) if (last.row, last.column) == (tap.row, tap.column) => last.value += tap.value,
            _ => out.push(tap),
        }
    }
    out.retain(|tap| tap.value != 0.0);
    out
}
