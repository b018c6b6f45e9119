//! Pooling: the largest or the mean entry of every window, channel by channel.

use crate::networks::array::Array;
use crate::networks::real::Real;
use crate::networks::shape::ImageShape;
use crate::networks::value::Value;

/// What a window becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PoolingKind {
    /// Its largest entry, the first of equals; the derivative goes to that entry alone.
    Largest,
    /// Its mean.
    Mean,
}

/// Pooling over windows of `height × width` pixels that do not overlap; pixels that fill no window are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pooling {
    /// Largest or mean.
    pub kind: PoolingKind,
    /// The image that comes in.
    pub from: ImageShape,
    /// Pixels down a window.
    pub height: usize,
    /// Pixels across a window.
    pub width: usize,
}

impl Pooling {
    /// The image that goes out.
    pub fn to(&self) -> ImageShape {
        ImageShape {
            channels: self.from.channels,
            height: self.from.height / self.height,
            width: self.from.width / self.width,
        }
    }

    /// The places in the image that make up entry `out` of the output.
    pub(crate) fn window(&self, out: usize) -> impl Iterator<Item = usize> + use<> {
        let channels = self.from.channels;
        let (pixel, channel) = (out / channels, out % channels);
        let across = self.from.width / self.width;
        let (top, left) = (pixel / across * self.height, pixel % across * self.width);
        let (from_width, width) = (self.from.width, self.width);
        (0..self.height)
            .flat_map(move |y| (0..width).map(move |x| ((top + y) * from_width + left + x) * channels + channel))
    }

    fn entries(&self) -> usize {
        let to = self.to();
        to.channels * to.height * to.width
    }

    /// The place of the largest entry of every window, sample by sample.
    fn winners<T: Real>(&self, images: &Array<T>) -> Vec<usize> {
        let mut winners = Vec::with_capacity(images.rows() * self.entries());
        for image in images.iter_rows() {
            for out in 0..self.entries() {
                let mut window = self.window(out);
                let first = window.next().unwrap_or(0);
                winners.push(window.fold(first, |best, at| if image[at] > image[best] { at } else { best }));
            }
        }
        winners
    }

    fn means<T: Real>(&self, images: &Array<T>) -> Array<T> {
        let share = T::of(1.0 / (self.height * self.width) as f64);
        let mut out = Vec::with_capacity(images.rows() * self.entries());
        for image in images.iter_rows() {
            out.extend((0..self.entries()).map(|k| share * self.window(k).map(|at| image[at]).sum::<T>()));
        }
        Array::raw(images.rows(), self.entries(), out)
    }

    pub(super) fn forward<T: Real, V: Value<T>>(&self, input: &V) -> V {
        match self.kind {
            PoolingKind::Mean => input.linear(|x| self.means(x)),
            PoolingKind::Largest => {
                let winners = self.winners(input.value());
                input.linear(|x| {
                    let picks = winners.chunks_exact(self.entries()).zip(x.iter_rows());
                    let values = picks.flat_map(|(places, image)| places.iter().map(|&at| image[at]));
                    Array::raw(x.rows(), self.entries(), values.collect())
                })
            }
        }
    }

    pub(super) fn pull_back<T: Real, V: Value<T>>(&self, input: &V, cotangent: &V) -> V {
        match self.kind {
            PoolingKind::Mean => {
                let share = T::of(1.0 / (self.height * self.width) as f64);
                cotangent.linear(|signal| {
                    self.spread(signal, |_, k, value, image| {
                        for at in self.window(k) {
                            image[at] += share * value;
                        }
                    })
                })
            }
            PoolingKind::Largest => {
                let winners = self.winners(input.value());
                cotangent.linear(|signal| {
                    self.spread(signal, |sample, k, value, image| {
                        image[winners[sample * self.entries() + k]] += value;
                    })
                })
            }
        }
    }

    /// Images of zeros to which `add(sample, entry of the output, its signal, image)` adds.
    fn spread<T: Real>(&self, signal: &Array<T>, add: impl Fn(usize, usize, T, &mut [T])) -> Array<T> {
        let columns = self.from.height * self.from.width * self.from.channels;
        let mut out = Array::zeros(signal.rows(), columns);
        let samples = out.as_mut_slice().chunks_exact_mut(columns).zip(signal.iter_rows());
        for (sample, (image, signal)) in samples.enumerate() {
            for (k, &value) in signal.iter().enumerate() {
                add(sample, k, value, image);
            }
        }
        out
    }
}
