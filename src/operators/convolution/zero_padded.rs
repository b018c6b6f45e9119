//! Convolution over a signal with zeros around it.

use super::kernels::{Displaced, Grid, KernelBank};
use super::layer::Layer;
use crate::error::Result;

/// A convolution layer with zero padding to the "same" size: a matrix of `outputs × inputs` Toeplitz blocks, of doubly
/// Toeplitz ones in two dimensions.
///
/// `y_o[t] = Σ_i Σ_u w_oi[u] x_i[t + u − c]`, the correlation of deep learning, where x is zero outside of its grid. It is the
/// circular layer on a grid so large that nothing wraps, seen through the first rows and columns, and is applied as such, or
/// tap by tap where that is less work.
/// Columns near a border lose the part of the kernel that leaves, and with it energy: the matrix is not circulant, and the
/// frequencies of the kernel are not its singular values. A kernel may be longer than the grid; the weights that never meet
/// the signal do nothing.
///
/// ```
/// use ticketsense::operators::{Grid, KernelBank, MeasurementOperator, ZeroPaddedConvolution};
/// let bank = KernelBank::new(1, 1, Grid::line(3), vec![1.0, 10.0, 100.0])?;
/// let a = ZeroPaddedConvolution::new(bank, Grid::line(4))?;
/// let y = a.apply(&[1.0, 2.0, 3.0, 4.0])?;
/// assert!((y[1] - 321.0).abs() < 1e-10 && (y[3] - 43.0).abs() < 1e-10);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ZeroPaddedConvolution {
    pub(super) layer: Layer,
}

impl ZeroPaddedConvolution {
    /// The layer over a grid. Cost: a transform of the padded grid for every two kernels.
    ///
    /// # Errors
    /// As [`CircularConvolution::new`](super::CircularConvolution::new), for the padded grid.
    pub fn new(bank: KernelBank, grid: Grid) -> Result<Self> {
        grid.validate("grid of a convolution")?;
        let padded = padded_grid(&bank, grid);
        let fast = Grid {
            height: fast_length(padded.height),
            width: fast_length(padded.width),
        };
        Ok(ZeroPaddedConvolution {
            layer: Layer::new(bank, grid, fast, meets(grid))?,
        })
    }

    /// The kernels as given.
    pub fn bank(&self) -> &KernelBank {
        &self.layer.bank
    }

    /// The positions of one channel.
    pub fn grid(&self) -> Grid {
        self.layer.signal
    }

    /// The circular layer on the smallest grid on which nothing wraps: this matrix is the part of it in the rows and
    /// columns of the signal.
    ///
    /// # Errors
    /// As [`CircularConvolution::new`](super::CircularConvolution::new).
    pub fn embedding(&self) -> Result<super::CircularConvolution> {
        let bank = reaching(self.bank(), self.grid())?;
        let grid = padded_grid(&bank, self.grid());
        super::CircularConvolution::new(bank, grid)
    }
}

/// Whether a tap meets the signal anywhere.
fn meets(grid: Grid) -> impl Fn(&Displaced) -> bool {
    move |tap| tap.rows.unsigned_abs() < grid.height as u64 && tap.columns.unsigned_abs() < grid.width as u64
}

/// The bank with zeros for the weights that never meet the signal.
fn reaching(bank: &KernelBank, grid: Grid) -> Result<KernelBank> {
    let size = bank.size();
    let mut values = vec![0.0; bank.values().len()];
    let (row, column) = ((size.height - 1) / 2, (size.width - 1) / 2);
    for (taps, kernel) in bank.taps().zip(values.chunks_exact_mut(size.positions())) {
        for tap in taps.into_iter().filter(meets(grid)) {
            let (r, c) = (row as i64 - tap.rows, column as i64 - tap.columns);
            kernel[r as usize * size.width + c as usize] = tap.value;
        }
    }
    KernelBank::new(bank.outputs(), bank.inputs(), size, values)
}

/// The grid longer by the farthest displacement on each axis.
fn padded_grid(bank: &KernelBank, grid: Grid) -> Grid {
    let (mut rows, mut columns) = (0, 0);
    for tap in bank.taps().flatten().filter(meets(grid)) {
        rows = rows.max(tap.rows.unsigned_abs() as usize);
        columns = columns.max(tap.columns.unsigned_abs() as usize);
    }
    Grid {
        height: grid.height + rows,
        width: grid.width + columns,
    }
}

/// The least number from `length` on without a prime factor above 7: its transform is fast.
fn fast_length(length: usize) -> usize {
    let smooth = |n: &usize| {
        let mut left = *n;
        for prime in [2, 3, 5, 7] {
            while left.is_multiple_of(prime) {
                left /= prime;
            }
        }
        left == 1
    };
    (length..).find(smooth).unwrap_or(length)
}

// Column norms: the energy that stays inside, position by position, from that of the kernel row by row.
operator_of_layer!(ZeroPaddedConvolution);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fast_lengths_are_smooth_and_not_shorter() {
        assert_eq!([1, 7, 11, 121, 1025].map(fast_length), [1, 7, 12, 125, 1029]);
    }

    #[test]
    fn the_embedding_is_as_small_as_the_reach_allows() {
        let grid = |length: usize| {
            let bank = KernelBank::new(1, 1, Grid::line(length), vec![1.0; length]).unwrap();
            let a = ZeroPaddedConvolution::new(bank, Grid::line(6)).unwrap();
            a.embedding().unwrap().grid().width
        };
        // Reach 0, 1, 1, 2, 2 to the farther side; 5 where the kernel is longer than two signals.
        assert_eq!([1, 2, 3, 4, 5, 40].map(grid), [6, 7, 7, 8, 8, 11]);
    }
}
