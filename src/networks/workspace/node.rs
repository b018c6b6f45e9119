//! One operation of a chain in lanes: forward, the gradient in its parameters, and what is pulled back through it.

use super::field::Field;
use super::lanes::{BiasGradient, Buffer, Forward, Lanes, PullBack, STRIP, Survivors, WeightGradient};
use super::turn::{Close, Finish, Pool, Unpool};
use super::window::Window;
use crate::linalg::gemm;
use crate::networks::activation::Activation;
use crate::networks::layers::{Pooling, PoolingKind};
use crate::networks::real::Real;
use pulp::Arch;
use std::ops::Range;

/// What a node does.
#[derive(Debug)]
pub(super) enum Operation<T> {
    /// Planes to pixels.
    Interleave,
    /// The windows, and room for the places of the pixels of one on either side.
    Pool(Pooling, Vec<usize>, Vec<usize>),
    Dense(Kernel<T>),
    Convolution {
        side: usize,
        kernel: Kernel<T>,
    },
}

/// How weights are applied.
#[derive(Debug)]
pub(super) enum Kernel<T> {
    Survivors(Survivors),
    /// One product for the whole layer.
    Product,
    /// A product for some positions at a time; the window over the input, that over the cotangent, and the weights that
    /// take it back.
    Windows(Window<T>, Window<T>, Vec<T>),
}

/// One operation, the activation behind it, and its buffers for one chunk of samples.
#[derive(Debug)]
pub(super) struct Node<T> {
    pub(super) operation: Operation<T>,
    pub(super) activation: Activation,
    pub(super) weight: Range<usize>,
    pub(super) bias: Option<Range<usize>>,
    pub(super) field: Field,
    /// Pre-activations; after a rectifier the activations themselves, which show where it was open.
    pub(super) pre: Buffer<T>,
    /// Activations; unused behind a rectifier and where there is no activation.
    pub(super) post: Option<Buffer<T>>,
    pub(super) delta_field: Field,
    /// Cotangent of the pre-activations.
    pub(super) delta: Buffer<T>,
}

impl<T> Operation<T> {
    pub(super) fn pool(pooling: Pooling) -> Self {
        let room = || Vec::with_capacity(pooling.height * pooling.width);
        Operation::Pool(pooling, room(), room())
    }
}

/// The places of the pixels of window `(row, column)` in a field.
fn window_places(pooling: &Pooling, (row, column): (usize, usize), field: Field, places: &mut Vec<usize>) {
    places.clear();
    for y in row * pooling.height..(row + 1) * pooling.height {
        places.extend((column * pooling.width..(column + 1) * pooling.width).map(|x| field.at(y, x)));
    }
}

/// What the sum over a window is multiplied by; nothing where the largest entry is taken.
fn share<T: Real>(pooling: &Pooling) -> Option<T> {
    (pooling.kind == PoolingKind::Mean).then(|| T::of(1.0 / (pooling.height * pooling.width) as f64))
}

impl<T: Real> Node<T> {
    /// The activations.
    pub(super) fn output(&self) -> &Buffer<T> {
        self.post.as_ref().unwrap_or(&self.pre)
    }

    fn rectifies(&self) -> bool {
        self.activation == Activation::Relu
    }

    /// Fills pre-activations and activations from an input that lies in `from`.
    pub(super) fn forward<const K: usize>(&mut self, arch: Arch, own: &[T], input: &[Lanes<T, K>], from: Field) {
        let (field, rectify) = (self.field, self.rectifies());
        let values = &own[self.weight.clone()];
        let bias = self.bias.clone().map(|range| &own[range]);
        let pre = self.pre.lanes_mut::<K>(field.places());
        let finish = |pre: &mut [Lanes<T, K>]| {
            for (row, column) in field.pixels() {
                let output = &mut pre[field.pixel(row, column)];
                arch.dispatch(Finish { bias, output, rectify });
            }
        };
        match &mut self.operation {
            Operation::Interleave => {
                let positions = field.height * field.width;
                for (index, (row, column)) in field.pixels().enumerate() {
                    for (channel, out) in pre[field.pixel(row, column)].iter_mut().enumerate() {
                        *out = input[channel * positions + index];
                    }
                }
            }
            Operation::Pool(pooling, places, _) => {
                for (row, column) in field.pixels() {
                    window_places(pooling, (row, column), from, places);
                    arch.dispatch(Pool {
                        input,
                        pixels: places,
                        share: share(pooling),
                        output: &mut pre[field.pixel(row, column)],
                    });
                }
                if rectify {
                    finish(pre);
                }
            }
            Operation::Dense(Kernel::Survivors(survivors)) => arch.dispatch(Forward {
                survivors,
                values,
                bias,
                input,
                output: pre,
                rectify,
            }),
            Operation::Dense(_) => {
                let (outputs, inputs) = (field.features(), from.features());
                let (x, z) = (
                    input.as_flattened().as_flattened(),
                    pre.as_flattened_mut().as_flattened_mut(),
                );
                gemm(outputs, inputs, K * STRIP, values, false, x, false, z, false);
                finish(pre);
            }
            Operation::Convolution { kernel, .. } => match kernel {
                Kernel::Survivors(survivors) => {
                    for (row, column) in field.pixels() {
                        arch.dispatch(Forward {
                            survivors,
                            values,
                            bias,
                            input: &input[from.corner(row, column)..],
                            output: &mut pre[field.pixel(row, column)],
                            rectify,
                        });
                    }
                }
                Kernel::Windows(window, ..) => {
                    window.forward(values, input, pre);
                    finish(pre);
                }
                Kernel::Product => {}
            },
        }
        if let Some(post) = &mut self.post {
            let (pre, post) = (self.pre.lanes::<K>(field.places()), post.lanes_mut::<K>(field.places()));
            for row in 0..field.height {
                let (pre, post) = (
                    pre[field.row(row)].as_flattened(),
                    post[field.row(row)].as_flattened_mut(),
                );
                for (h, &z) in post.as_flattened_mut().iter_mut().zip(pre.as_flattened()) {
                    *h = self.activation.value(z);
                }
            }
        }
    }

    /// The gradient in the parameters from the cotangent; added to what is there when `add`.
    pub(super) fn gradient<const K: usize>(
        &mut self,
        arch: Arch,
        input: &[Lanes<T, K>],
        from: Field,
        gradient: &mut [T],
        add: bool,
    ) {
        let (field, delta_field) = (self.field, self.delta_field);
        let delta = self.delta.lanes::<K>(delta_field.places());
        let into = &mut gradient[self.weight.clone()];
        match &mut self.operation {
            Operation::Interleave | Operation::Pool(..) => {}
            Operation::Dense(Kernel::Survivors(survivors)) => arch.dispatch(WeightGradient {
                survivors,
                input,
                delta,
                gradient: into,
                add,
            }),
            Operation::Dense(_) => {
                let (outputs, inputs) = (field.features(), from.features());
                let (d, x) = (delta.as_flattened().as_flattened(), input.as_flattened().as_flattened());
                gemm(outputs, K * STRIP, inputs, d, false, x, true, into, add);
            }
            Operation::Convolution { kernel, .. } => match kernel {
                Kernel::Survivors(survivors) => {
                    for (index, (row, column)) in field.pixels().enumerate() {
                        arch.dispatch(WeightGradient {
                            survivors,
                            input: &input[from.corner(row, column)..],
                            delta: &delta[delta_field.pixel(row, column)],
                            gradient: into,
                            add: add || index > 0,
                        });
                    }
                }
                Kernel::Windows(window, ..) => window.gradient(input, (delta, delta_field), into, add),
                Kernel::Product => {}
            },
        }
        if let Some(range) = self.bias.clone() {
            let gradient = &mut gradient[range];
            for (index, (row, column)) in field.pixels().enumerate() {
                arch.dispatch(BiasGradient {
                    delta: &delta[delta_field.pixel(row, column)],
                    gradient,
                    add: add || index > 0,
                });
            }
        }
    }

    /// The cotangent of the node before, from this one's.
    pub(super) fn pull_back<const K: usize>(&mut self, arch: Arch, own: &[T], previous: &mut Node<T>) {
        let (from, into) = (previous.field, previous.delta_field);
        let rectifies = previous.rectifies();
        let values = &own[self.weight.clone()];
        let delta = self.delta.lanes::<K>(self.delta_field.places());
        let before = previous.pre.lanes::<K>(from.places());
        let gate = |places: Range<usize>| rectifies.then(|| &before[places]);
        let output = previous.delta.lanes_mut::<K>(into.places());
        let close = |output: &mut [Lanes<T, K>]| {
            for row in 0..from.height {
                if let Some(gate) = gate(from.row(row)) {
                    let values = &mut output[into.row(row)];
                    arch.dispatch(Close { gate, values });
                }
            }
        };
        match &mut self.operation {
            Operation::Interleave => {}
            Operation::Pool(pooling, pixels, places) => {
                let input = previous
                    .post
                    .as_ref()
                    .unwrap_or(&previous.pre)
                    .lanes::<K>(from.places());
                if from.height % pooling.height != 0 || from.width % pooling.width != 0 {
                    output.as_flattened_mut().as_flattened_mut().fill(T::ZERO);
                }
                for (row, column) in self.field.pixels() {
                    window_places(pooling, (row, column), from, pixels);
                    window_places(pooling, (row, column), into, places);
                    arch.dispatch(Unpool {
                        input,
                        pixels,
                        share: share(pooling),
                        gated: rectifies,
                        delta: &delta[self.delta_field.pixel(row, column)],
                        output,
                        places,
                    });
                }
            }
            Operation::Dense(Kernel::Survivors(survivors)) => {
                for row in 0..from.height {
                    arch.dispatch(PullBack {
                        survivors,
                        values,
                        delta,
                        first: row * from.width * from.channels,
                        gate: gate(from.row(row)),
                        output: &mut output[into.row(row)],
                    });
                }
            }
            Operation::Dense(_) => {
                let (outputs, inputs) = (self.field.features(), from.features());
                let d = delta.as_flattened().as_flattened();
                let x = output.as_flattened_mut().as_flattened_mut();
                gemm(inputs, outputs, K * STRIP, values, true, d, false, x, false);
                close(output);
            }
            Operation::Convolution { kernel, .. } => match kernel {
                Kernel::Survivors(survivors) => {
                    for (row, column) in from.pixels() {
                        arch.dispatch(PullBack {
                            survivors,
                            values,
                            delta: &delta[self.delta_field.corner(row, column)..],
                            first: 0,
                            gate: gate(from.pixel(row, column)),
                            output: &mut output[into.pixel(row, column)],
                        });
                    }
                }
                Kernel::Windows(_, back, turned) => {
                    back.forward(turned, delta, output);
                    close(output);
                }
                Kernel::Product => {}
            },
        }
        if previous.post.is_some() {
            for row in 0..from.height {
                let pre = before[from.row(row)].as_flattened().as_flattened();
                let delta = output[into.row(row)].as_flattened_mut().as_flattened_mut();
                for (d, &z) in delta.iter_mut().zip(pre) {
                    *d *= previous.activation.derivative(z);
                }
            }
        }
    }
}
