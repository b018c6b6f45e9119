//! How the features of a sample stand in a buffer: as an image with a border, channels together.

use std::ops::Range;

/// An image of `height × width` pixels inside a border of zeros; a vector is one pixel without a border.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    pub(super) border: usize,
}

impl Field {
    /// A vector.
    pub(super) fn vector(features: usize) -> Self {
        Field {
            height: 1,
            width: 1,
            channels: features,
            border: 0,
        }
    }

    /// The same image inside another border.
    pub(super) fn within(self, border: usize) -> Self {
        Field { border, ..self }
    }

    /// Features of the image without its border.
    pub(super) fn features(self) -> usize {
        self.height * self.width * self.channels
    }

    /// Pixels from one row to the next.
    pub(super) fn stride(self) -> usize {
        self.width + 2 * self.border
    }

    /// Places in the buffer, border and all.
    pub(super) fn places(self) -> usize {
        (self.height + 2 * self.border) * self.stride() * self.channels
    }

    /// The place of the first channel of a pixel.
    pub(super) fn at(self, row: usize, column: usize) -> usize {
        self.corner(row + self.border, column + self.border)
    }

    /// The same, counted from the corner of the border.
    pub(super) fn corner(self, row: usize, column: usize) -> usize {
        (row * self.stride() + column) * self.channels
    }

    /// The places of a pixel.
    pub(super) fn pixel(self, row: usize, column: usize) -> Range<usize> {
        let first = self.at(row, column);
        first..first + self.channels
    }

    /// The places of a row of pixels.
    pub(super) fn row(self, row: usize) -> Range<usize> {
        let first = self.at(row, 0);
        first..first + self.width * self.channels
    }

    /// Every pixel, row by row.
    pub(super) fn pixels(self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.height).flat_map(move |row| (0..self.width).map(move |column| (row, column)))
    }
}
