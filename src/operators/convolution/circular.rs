//! Convolution over a signal that repeats.

use super::engine::Tap;
use super::kernels::{Grid, KernelBank};
use super::layer::Layer;
use crate::error::Result;
use nalgebra::{Complex, DMatrix};

/// A convolution layer over a signal that repeats: a matrix of `outputs × inputs` circulant blocks, of doubly circulant ones
/// in two dimensions.
///
/// `y_o[t] = Σ_i Σ_u w_oi[u] x_i[(t + u − c) mod N]`, the correlation of deep learning. A kernel longer than the grid
/// *wraps*: weights a whole turn apart meet and add up, so that it acts as its folded kernel, with another energy. The
/// matrix is not stored. A product costs a complex transform for every two channels and, at every frequency, a product
/// with the `outputs × inputs` matrix of transfer values, or `2 N` operations a tap where that is quicker; few columns
/// cost their entries. Memory: `8 N · outputs · inputs` bytes.
///
/// ```
/// use ticketsense::operators::{CircularConvolution, Grid, KernelBank, MeasurementOperator};
/// let bank = KernelBank::new(1, 1, Grid::line(3), vec![1.0, 10.0, 100.0])?;
/// let a = CircularConvolution::new(bank, Grid::line(4))?;
/// let y = a.apply(&[1.0, 2.0, 3.0, 4.0])?;
/// // The centre of the kernel stands at the output's place: 1 · x[0] + 10 · x[1] + 100 · x[2].
/// assert!((y[1] - 321.0).abs() < 1e-10 && (y[3] - 143.0).abs() < 1e-10);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// Source: Davis, *Circulant Matrices*, 1979; for layers Sedghi, Gupta & Long, ICLR 2019.
#[derive(Clone, Debug)]
pub struct CircularConvolution {
    layer: Layer,
}

impl CircularConvolution {
    /// The layer over a grid. Cost: a transform for every two kernels.
    ///
    /// # Errors
    /// [`crate::Error::Argument`] for a grid without positions, or when more than 2³⁰ coefficients would be held;
    /// [`crate::Error::Numerical`] when weights that wrap onto one position overflow.
    pub fn new(bank: KernelBank, grid: Grid) -> Result<Self> {
        Ok(CircularConvolution {
            layer: Layer::new(bank, grid, grid, |_| true)?,
        })
    }

    /// The kernels as given, not folded.
    pub fn bank(&self) -> &KernelBank {
        &self.layer.bank
    }

    /// The positions of one channel.
    pub fn grid(&self) -> Grid {
        self.layer.signal
    }

    /// The transfer matrices `ĥ(ω) ∈ ℂ^{outputs×inputs}`, one of each two conjugate frequencies: the frequency as (row,
    /// column), its multiplicity (2, or 1 where it is its own conjugate), and the matrix.
    pub fn transfer(&self) -> impl Iterator<Item = ((usize, usize), usize, DMatrix<Complex<f64>>)> + '_ {
        self.layer.engine.blocks()
    }

    /// What an input gives to an output, as (row, column, weight): the column of the matrix that belongs to the input's
    /// first position. Folded, without zeros.
    pub(crate) fn first_column(&self, output: usize, input: usize) -> &[Tap] {
        self.layer.taps(output, input)
    }
}

// Column norms: one number an input channel: the energy of its folded kernels over all outputs.
operator_of_layer!(CircularConvolution);

#[cfg(test)]
#[path = "convolution_tests.rs"]
mod tests;
