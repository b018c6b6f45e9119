//! Where the weights of a layer are shared: at one place (dense), around a ring, or over a torus.

use super::super::require_between;
use crate::error::{Error, Result};

/// A circular lattice of positions and the kernel that a layer slides over it.
///
/// A unit at position p reads `kernel` positions from p on, around the circle; where the kernel is centred makes no
/// difference to lengths, angles or gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lattice {
    extent: [usize; 2],
    kernel: [usize; 2],
}

impl Lattice {
    /// One position: dense layers.
    pub const POINT: Lattice = Lattice {
        extent: [1, 1],
        kernel: [1, 1],
    };

    /// A ring: one-dimensional convolutions.
    ///
    /// # Errors
    /// [`Error::Argument`] for no positions, more than 65,536 of them, or a kernel that is empty or longer than the ring.
    pub fn ring(positions: usize, kernel: usize) -> Result<Self> {
        Lattice::torus([1, positions], [1, kernel])
    }

    /// A torus of rows and columns: two-dimensional convolutions.
    ///
    /// ```
    /// use ticketsense::simulations::propagation::Lattice;
    /// let image = Lattice::torus([8, 8], [3, 3])?;
    /// assert_eq!((image.positions(), image.taps()), (64, 9));
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Lattice::ring`], in each direction.
    pub fn torus(extent: [usize; 2], kernel: [usize; 2]) -> Result<Self> {
        for axis in 0..2 {
            require_between("positions", extent[axis], 1, 1 << 16)?;
            require_between("kernel", kernel[axis], 1, extent[axis])?;
        }
        match extent[0].checked_mul(extent[1]) {
            Some(positions) if positions <= 1 << 16 => Ok(Lattice { extent, kernel }),
            _ => Err(Error::argument(
                "positions",
                "at most 65536",
                format!("{} × {}", extent[0], extent[1]),
            )),
        }
    }

    /// Number of positions.
    pub fn positions(self) -> usize {
        self.extent[0] * self.extent[1]
    }

    /// Number of positions that a unit reads: the fan-in over the channels.
    pub fn taps(self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// The positions that are read: `positions × taps`.
    fn sources(self) -> Vec<usize> {
        let [rows, columns] = self.extent;
        let mut sources = Vec::with_capacity(self.positions() * self.taps());
        for position in 0..self.positions() {
            let (row, column) = (position / columns, position % columns);
            for a in 0..self.kernel[0] {
                for b in 0..self.kernel[1] {
                    sources.push((row + a) % rows * columns + (column + b) % columns);
                }
            }
        }
        sources
    }
}

/// The reading of a layer: from values `images × positions × channels` to what every unit sees, `images × positions × (taps ×
/// channels)`, and back.
#[derive(Debug)]
pub(super) struct Reading {
    channels: usize,
    positions: usize,
    taps: usize,
    sources: Vec<usize>,
}

impl Reading {
    pub(super) fn new(lattice: Lattice, channels: usize) -> Self {
        Reading {
            channels,
            positions: lattice.positions(),
            taps: lattice.taps(),
            sources: lattice.sources(),
        }
    }

    /// Length of a row of what is read.
    pub(super) fn fan_in(&self) -> usize {
        self.channels * self.taps
    }

    /// Values of one image.
    pub(super) fn units(&self) -> usize {
        self.channels * self.positions
    }

    /// Copies what every unit sees.
    pub(super) fn gather(&self, values: &[f64], seen: &mut [f64]) {
        let images = values.chunks_exact(self.units());
        for (image, rows) in images.zip(seen.chunks_exact_mut(self.positions * self.fan_in())) {
            for (block, &source) in rows.chunks_exact_mut(self.channels).zip(&self.sources) {
                block.copy_from_slice(&image[source * self.channels..][..self.channels]);
            }
        }
    }

    /// The transposed map of [`Reading::gather`].
    pub(super) fn scatter(&self, seen: &[f64], values: &mut [f64]) {
        values.fill(0.0);
        let images = values.chunks_exact_mut(self.units());
        for (image, rows) in images.zip(seen.chunks_exact(self.positions * self.fan_in())) {
            for (block, &source) in rows.chunks_exact(self.channels).zip(&self.sources) {
                let to = &mut image[source * self.channels..][..self.channels];
                to.iter_mut().zip(block).for_each(|(t, b)| *t += b);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_sees_its_neighbours_around_the_torus() {
        // Three rows of four columns, two channels; the value names its place.
        let reading = Reading::new(Lattice::torus([3, 4], [2, 2]).unwrap(), 2);
        let place = |row: usize, column: usize, channel: usize| (100 * (row % 3) + 10 * (column % 4) + channel) as f64;
        let mut values = Vec::new();
        for (row, column) in (0..12).map(|p| (p / 4, p % 4)) {
            values.extend([place(row, column, 0), place(row, column, 1)]);
        }
        let mut seen = vec![0.0; 12 * reading.fan_in()];
        reading.gather(&values, &mut seen);
        for (p, row_seen) in seen.chunks_exact(8).enumerate() {
            let (row, column) = (p / 4, p % 4);
            let mut expected = Vec::new();
            for (a, b) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                expected.extend([place(row + a, column + b, 0), place(row + a, column + b, 1)]);
            }
            assert_eq!(row_seen, expected, "{p}");
        }
    }

    #[test]
    fn scattering_is_the_transpose_of_gathering() {
        let reading = Reading::new(Lattice::ring(5, 3).unwrap(), 2);
        let (units, reads) = (2 * reading.units(), 2 * 5 * reading.fan_in());
        // Small integers: sums are exact.
        let values: Vec<f64> = (0..units).map(|i| (i * i % 7) as f64).collect();
        let weights: Vec<f64> = (0..reads).map(|i| (i * 5 % 11) as f64).collect();
        let (mut seen, mut back) = (vec![0.0; reads], vec![1.0; units]);
        reading.gather(&values, &mut seen);
        reading.scatter(&weights, &mut back);
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        assert_eq!(product(&seen, &weights), product(&values, &back));
    }

    #[test]
    fn kernels_that_do_not_fit_are_refused() {
        assert!(Lattice::ring(0, 1).is_err() && Lattice::ring(3, 4).is_err() && Lattice::ring(3, 0).is_err());
        assert!(Lattice::torus([1 << 10, 1 << 10], [1, 1]).is_err());
        assert_eq!(Lattice::ring(1, 1).unwrap(), Lattice::POINT);
    }
}
