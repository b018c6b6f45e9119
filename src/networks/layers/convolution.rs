//! Two-dimensional convolution: a dense layer on the patches of an image.

use super::dense::Dense;
use super::gradients::Gradients;
use crate::networks::array::Array;
use crate::networks::real::Real;
use crate::networks::shape::ImageShape;
use crate::networks::value::Value;

/// What lies beyond the border of an image, on `width` pixels to every side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Padding {
    /// Zeros.
    Zero(usize),
    /// The opposite border: the image is a torus, and convolution commutes with circular shifts.
    Circular(usize),
}

impl Padding {
    /// Pixels to every side.
    pub fn width(self) -> usize {
        match self {
            Padding::Zero(width) | Padding::Circular(width) => width,
        }
    }
}

/// A convolution `z(p, o) = Σ_{k, c} W(o, k, c) a(s p + k − padding, c) + b(o)` over pixels p, kernel places k and
/// channels c; written without flipping the kernel, as networks do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convolution {
    /// The image that comes in.
    pub from: ImageShape,
    /// The image that goes out.
    pub to: ImageShape,
    /// Side of the square kernel.
    pub kernel: usize,
    /// Pixels between two windows.
    pub stride: usize,
    /// The border.
    pub padding: Padding,
    /// Slot of `W`, outputs × kernel × kernel × inputs, stored row by row.
    pub weight: usize,
    /// Slot of `b`, where there is one.
    pub bias: Option<usize>,
}

impl Convolution {
    /// Pixels that go out.
    pub fn positions(&self) -> usize {
        self.to.height * self.to.width
    }

    /// Entries of a patch: weights of one output channel.
    pub fn patch(&self) -> usize {
        self.kernel * self.kernel * self.from.channels
    }

    /// The dense layer that the convolution is on its patches.
    fn on_patches(&self) -> Dense {
        Dense {
            inputs: self.patch(),
            outputs: self.to.channels,
            positions: self.positions(),
            weight: self.weight,
            bias: self.bias,
        }
    }

    pub(super) fn forward<T: Real, V: Value<T>>(&self, parameters: &[V], input: &V) -> V {
        let dense = self.on_patches();
        dense
            .forward_rows(parameters, &input.linear(|x| self.patches_of(x)))
            .reshaped(input.value().rows(), dense.positions * dense.outputs)
    }

    pub(super) fn pull_back<T: Real, V: Value<T>>(
        &self,
        parameters: &[V],
        input: &V,
        cotangent: &V,
        gradients: &mut dyn Gradients<V>,
        input_wanted: bool,
    ) -> Option<V> {
        let dense = self.on_patches();
        let patches = input.linear(|x| self.patches_of(x));
        let signal = cotangent.reshaped(patches.value().rows(), dense.outputs);
        dense
            .pull_back_rows(parameters, &patches, &signal, gradients, input_wanted)
            .map(|back| back.linear(|x| self.images_of(x)))
    }

    /// Where in the image (first entry of the pixel) the kernel's place `(y, x)` of the window `(row, column)` lies;
    /// none beyond a border of zeros.
    pub(crate) fn source(&self, row: usize, column: usize, y: usize, x: usize) -> Option<usize> {
        let along = |window: usize, place: usize, size: usize| {
            let shifted = window * self.stride + place;
            match self.padding {
                Padding::Zero(width) => shifted.checked_sub(width).filter(|&at| at < size),
                // Shifted by whole turns before the border is taken off, so that nothing is negative.
                Padding::Circular(width) => Some((shifted + size * width.div_ceil(size) - width) % size),
            }
        };
        let (y, x) = (along(row, y, self.from.height)?, along(column, x, self.from.width)?);
        Some((y * self.from.width + x) * self.from.channels)
    }

    /// Calls `visit(place in the patches of a sample, place in the image)` for every run of channels.
    fn for_each_run(&self, mut visit: impl FnMut(usize, usize)) {
        let channels = self.from.channels;
        let mut at = 0;
        for row in 0..self.to.height {
            for column in 0..self.to.width {
                for y in 0..self.kernel {
                    for x in 0..self.kernel {
                        if let Some(source) = self.source(row, column, y, x) {
                            visit(at, source);
                        }
                        at += channels;
                    }
                }
            }
        }
    }

    /// The patches of images, (samples × positions) × patch.
    fn patches_of<T: Real>(&self, images: &Array<T>) -> Array<T> {
        let (channels, width) = (self.from.channels, self.positions() * self.patch());
        let mut out = Array::zeros(images.rows() * self.positions(), self.patch());
        for (patches, image) in out.as_mut_slice().chunks_exact_mut(width).zip(images.iter_rows()) {
            self.for_each_run(|at, source| {
                patches[at..at + channels].copy_from_slice(&image[source..source + channels]);
            });
        }
        out
    }

    /// The adjoint of [`Convolution::patches_of`]: every entry is added where it came from.
    fn images_of<T: Real>(&self, patches: &Array<T>) -> Array<T> {
        let channels = self.from.channels;
        let (pixels, width) = (
            self.from.height * self.from.width * channels,
            self.positions() * self.patch(),
        );
        let samples = patches.rows() / self.positions();
        let mut out = Array::zeros(samples, pixels);
        let pairs = out.as_mut_slice().chunks_exact_mut(pixels);
        for (image, patches) in pairs.zip(patches.as_slice().chunks_exact(width)) {
            self.for_each_run(|at, source| {
                let run = &patches[at..at + channels];
                for (pixel, value) in image[source..source + channels].iter_mut().zip(run) {
                    *pixel += *value;
                }
            });
        }
        out
    }
}
