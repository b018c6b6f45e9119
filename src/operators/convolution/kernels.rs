//! Banks of kernels and the grids that they slide over.

use crate::error::{Error, Result, require_finite};
use std::fmt;

/// The largest number of positions, of weights and of coefficients by frequency: 2³¹.
const MOST: usize = 1 << 31;

/// The positions of a signal or the taps of a kernel: `height` rows of `width`; one row for a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Grid {
    /// Rows.
    pub height: usize,
    /// Positions in a row.
    pub width: usize,
}

impl Grid {
    /// A line of `length` positions.
    pub fn line(length: usize) -> Self {
        Grid {
            height: 1,
            width: length,
        }
    }

    /// A square of `side × side` positions.
    pub fn square(side: usize) -> Self {
        Grid {
            height: side,
            width: side,
        }
    }

    /// The number of positions.
    pub fn positions(self) -> usize {
        self.height * self.width
    }

    /// Refuses a grid without positions or with more than 2³¹.
    pub(super) fn validate(self, what: &str) -> Result<()> {
        match self.height.checked_mul(self.width) {
            Some(1..=MOST) => Ok(()),
            _ => Err(Error::argument(what, "from 1 to 2³¹ positions", self)),
        }
    }
}

impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{}", self.height, self.width)
    }
}

/// The kernels of a convolution layer, of shape `[outputs][inputs][height][width]`, with finite entries.
///
/// ```
/// use ticketsense::operators::{Grid, KernelBank};
/// let bank = KernelBank::new(2, 1, Grid::line(3), vec![1.0, 2.0, 1.0, 0.0, 1.0, 0.0])?;
/// assert_eq!(bank.kernel(1, 0), [0.0, 1.0, 0.0]);
/// assert_eq!(bank.energy(0, 0), 6.0);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct KernelBank {
    outputs: usize,
    inputs: usize,
    size: Grid,
    values: Vec<f64>,
}

impl KernelBank {
    /// The bank with these weights: the last axis varies fastest.
    ///
    /// # Errors
    /// [`Error::Argument`] without channels or taps or with more than 2³¹ weights, [`Error::Shape`] when the number of
    /// weights differs, [`Error::NotFinite`].
    pub fn new(outputs: usize, inputs: usize, size: Grid, values: Vec<f64>) -> Result<Self> {
        size.validate("size of a kernel")?;
        let weights = outputs
            .checked_mul(inputs)
            .and_then(|c| c.checked_mul(size.positions()));
        let Some(weights @ 1..=MOST) = weights else {
            return Err(Error::argument(
                "channels of a kernel bank",
                "at least one output and one input, and at most 2³¹ weights",
                format!("{outputs} outputs and {inputs} inputs of {size}"),
            ));
        };
        if values.len() != weights {
            return Err(Error::shape(
                "weights of a kernel bank",
                format!("{outputs} outputs × {inputs} inputs × {size} = {weights}"),
                values.len(),
            ));
        }
        require_finite("weights of a kernel bank", &values)?;
        Ok(KernelBank {
            outputs,
            inputs,
            size,
            values,
        })
    }

    /// Kernels of one dimension as *column blocks*: each has an input of its own, and all add up to one output. The matrix
    /// is `N × CN`.
    ///
    /// # Errors
    /// [`Error::Shape`] when lengths differ; as [`KernelBank::new`].
    pub fn concatenated(kernels: &[Vec<f64>]) -> Result<Self> {
        let (size, values) = flat(kernels)?;
        KernelBank::new(1, kernels.len(), size, values)
    }

    /// Kernels of one dimension *stacked as outputs*: each sees the one input. The matrix is `CN × N`.
    ///
    /// # Errors
    /// As [`KernelBank::concatenated`].
    pub fn stacked(kernels: &[Vec<f64>]) -> Result<Self> {
        let (size, values) = flat(kernels)?;
        KernelBank::new(kernels.len(), 1, size, values)
    }

    /// Number of output channels.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Number of input channels.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The size of every kernel.
    pub fn size(&self) -> Grid {
        self.size
    }

    /// All weights, the last axis fastest.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The kernel from an input to an output, row by row.
    ///
    /// # Panics
    /// When there is no such channel.
    pub fn kernel(&self, output: usize, input: usize) -> &[f64] {
        assert!(output < self.outputs && input < self.inputs, "kernel: channels");
        let taps = self.size.positions();
        let start = (output * self.inputs + input) * taps;
        &self.values[start..start + taps]
    }

    /// The energy `Σ_u w_oi[u]²` of a kernel.
    ///
    /// # Panics
    /// When there is no such channel.
    pub fn energy(&self, output: usize, input: usize) -> f64 {
        self.kernel(output, input).iter().map(|w| w * w).sum()
    }

    /// The same bank with every weight multiplied by a number.
    ///
    /// # Errors
    /// [`Error::NotFinite`] when a product is not finite.
    pub fn scaled(&self, factor: f64) -> Result<Self> {
        let values = self.values.iter().map(|w| factor * w).collect();
        KernelBank::new(self.outputs, self.inputs, self.size, values)
    }

    /// The bank without one output channel: its rows leave the matrix.
    ///
    /// # Errors
    /// [`Error::Argument`] when there is no such channel or no other.
    pub fn without_output(&self, output: usize) -> Result<Self> {
        require_channel("output channel", output, self.outputs)?;
        self.keep(|o, _| o != output, self.outputs - 1, self.inputs)
    }

    /// The bank without one input channel: its columns leave the matrix.
    ///
    /// # Errors
    /// [`Error::Argument`] when there is no such channel or no other.
    pub fn without_input(&self, input: usize) -> Result<Self> {
        require_channel("input channel", input, self.inputs)?;
        self.keep(|_, i| i != input, self.outputs, self.inputs - 1)
    }

    fn keep(&self, keep: impl Fn(usize, usize) -> bool, outputs: usize, inputs: usize) -> Result<Self> {
        let pairs = (0..self.outputs).flat_map(|o| (0..self.inputs).map(move |i| (o, i)));
        let kept = pairs.filter(|&(o, i)| keep(o, i));
        let values = kept.flat_map(|(o, i)| self.kernel(o, i)).copied().collect();
        KernelBank::new(outputs, inputs, self.size, values)
    }

    /// The taps of every kernel that are not zero, kernel after kernel, as displacements from a position of the input to
    /// the position of the output that it reaches.
    pub(super) fn taps(&self) -> impl Iterator<Item = Vec<Displaced>> + '_ {
        let Grid { height, width } = self.size;
        let (row, column) = ((height - 1) / 2, (width - 1) / 2);
        self.values.chunks_exact(self.size.positions()).map(move |kernel| {
            let all = kernel.iter().enumerate().map(move |(u, &value)| Displaced {
                rows: row as i64 - (u / width) as i64,
                columns: column as i64 - (u % width) as i64,
                value,
            });
            all.filter(|tap| tap.value != 0.0).collect()
        })
    }
}

/// One weight, and how far it carries a position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Displaced {
    pub rows: i64,
    pub columns: i64,
    pub value: f64,
}

fn require_channel(what: &str, channel: usize, count: usize) -> Result<()> {
    if channel < count && count > 1 {
        Ok(())
    } else {
        let expected = format!("one of {count}, not the only one");
        Err(Error::argument(what, expected, channel))
    }
}

fn flat(kernels: &[Vec<f64>]) -> Result<(Grid, Vec<f64>)> {
    let length = kernels.first().map_or(0, Vec::len);
    match kernels.iter().find(|kernel| kernel.len() != length) {
        None => Ok((Grid::line(length), kernels.concat())),
        Some(other) => Err(Error::shape(
            "kernels of one bank",
            format!("length {length}"),
            other.len(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_layouts_hold_the_same_kernels_and_lose_the_one_that_is_removed() {
        let kernels = [vec![1.0, 2.0], vec![3.0, 4.0], vec![5.0, 6.0]];
        let (blocks, stack) = (
            KernelBank::concatenated(&kernels).unwrap(),
            KernelBank::stacked(&kernels).unwrap(),
        );
        assert_eq!((blocks.outputs(), blocks.inputs()), (1, 3));
        assert_eq!((stack.outputs(), stack.inputs()), (3, 1));
        assert_eq!(blocks.without_input(1).unwrap().values(), [1.0, 2.0, 5.0, 6.0]);
        assert_eq!(stack.without_output(0).unwrap().values(), [3.0, 4.0, 5.0, 6.0]);
        assert_eq!(stack.scaled(2.0).unwrap().kernel(2, 0), [10.0, 12.0]);
        assert!(blocks.without_output(0).is_err() && stack.without_output(3).is_err());
    }

    #[test]
    fn a_channel_is_removed_from_a_bank_with_both_kinds() {
        let values: Vec<f64> = (0..12).map(f64::from).collect();
        let bank = KernelBank::new(2, 3, Grid::line(2), values).unwrap();
        let left = bank.without_input(1).unwrap();
        assert_eq!(left.values(), [0.0, 1.0, 4.0, 5.0, 6.0, 7.0, 10.0, 11.0]);
        assert_eq!(bank.without_output(1).unwrap().values(), &bank.values()[..6]);
    }

    #[test]
    fn banks_that_are_not_one_are_refused() {
        let line = Grid::line(2);
        for (outputs, inputs, size) in [(0, 1, line), (1, 0, line), (1, 1, Grid::line(0)), (usize::MAX, 2, line)] {
            let refused = KernelBank::new(outputs, inputs, size, vec![]);
            assert!(matches!(refused, Err(Error::Argument { .. })), "{outputs} {inputs}");
        }
        assert!(matches!(
            KernelBank::new(1, 1, line, vec![1.0]),
            Err(Error::Shape { .. })
        ));
        let infinite = KernelBank::new(1, 1, line, vec![1.0, f64::INFINITY]);
        assert!(matches!(infinite, Err(Error::NotFinite { index: 1, .. })));
        let ragged = KernelBank::stacked(&[vec![1.0], vec![1.0, 2.0]]);
        assert!(matches!(ragged, Err(Error::Shape { .. })));
        assert!(KernelBank::stacked(&[]).is_err());
    }
}
