//! A forward pass over compressed rows that counts what it does: slow, and written without the library's kernels.

use ticketsense::networks::{
    Activation, Convolution, Dense, Layer, Network, Padding, Pooling, PoolingKind, Slot, SlotKind,
};
use ticketsense::{Error, Mask, Result};

/// The kept weights of a slot, row by row: their values, their columns, and where each row begins.
#[derive(Debug)]
pub struct Compressed {
    values: Vec<f32>,
    columns: Vec<u32>,
    starts: Vec<u32>,
}

impl Compressed {
    /// Compresses `rows` rows of a slot that begins at `first` of the parameters.
    pub fn new(theta: &[f32], mask: &Mask, first: usize, rows: usize, columns: usize) -> Self {
        let mut made = Compressed {
            values: Vec::new(),
            columns: Vec::new(),
            starts: vec![0],
        };
        for row in 0..rows {
            for column in 0..columns {
                let index = first + row * columns + column;
                if mask.keeps(index) {
                    made.values.push(theta[index]);
                    made.columns.push(column as u32);
                }
            }
            made.starts.push(made.values.len() as u32);
        }
        made
    }

    /// The bits of the three vectors as they are stored.
    pub fn bits(&self) -> usize {
        8 * (size_of_val(&self.values[..]) + size_of_val(&self.columns[..]) + size_of_val(&self.starts[..]))
    }

    /// Rows, and one more: the length of the vector of starts.
    pub fn starts(&self) -> usize {
        self.starts.len()
    }

    /// Columns and values of a row.
    pub fn row(&self, row: usize) -> impl Iterator<Item = (usize, f32)> {
        let range = self.starts[row] as usize..self.starts[row + 1] as usize;
        let columns = self.columns[range.clone()].iter().map(|&column| column as usize);
        columns.zip(self.values[range].iter().copied())
    }
}

/// What a pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Multiplications.
    pub products: usize,
    /// Additions.
    pub sums: usize,
}

/// An entry with a bound on the rounding errors of both ways to compute it.
#[derive(Clone, Copy, Debug)]
pub struct Bounded {
    /// The entry.
    pub value: f64,
    /// How far two computations of it may lie apart.
    pub error: f64,
}

/// A network of dense layers, convolutions, maxima and rectifiers with compressed weights.
#[derive(Debug)]
pub struct Counting<'a> {
    network: &'a Network,
    theta: &'a [f32],
    slots: Vec<Option<Compressed>>,
}

impl<'a> Counting<'a> {
    /// Compresses every weight slot of a network under a mask.
    pub fn new(network: &'a Network, theta: &'a [f32], mask: &Mask) -> Self {
        let compress = |slot: &Slot| {
            let rows = slot.shape.first().copied().unwrap_or(0);
            let is_weight = slot.kind == SlotKind::Weight;
            is_weight.then(|| Compressed::new(theta, mask, slot.range.start, rows, slot.len() / rows.max(1)))
        };
        Counting {
            network,
            theta,
            slots: network.layout().slots().iter().map(compress).collect(),
        }
    }

    /// The compressed slots.
    pub fn compressed(&self) -> impl Iterator<Item = &Compressed> {
        self.slots.iter().flatten()
    }

    /// One sample through the network, every multiplication and addition of a weight counted. A sum begins at its bias, so
    /// that each kept weight is one multiplication and one addition; zeros of a border are multiplied like anything else.
    ///
    /// # Errors
    /// [`Error::Argument`] on a layer of another kind, or one without biases.
    pub fn forward(&self, input: &[f32]) -> Result<(Vec<Bounded>, Count)> {
        let exact = |&value: &f32| Bounded {
            value: f64::from(value),
            error: 0.0,
        };
        let mut values: Vec<Bounded> = input.iter().map(exact).collect();
        let mut count = Count::default();
        for layer in self.network.layers() {
            values = match layer {
                Layer::Dense(dense) if dense.positions == 1 => self.dense(dense, &values, &mut count)?,
                Layer::Convolution(convolution) => self.convolution(convolution, &values, &mut count)?,
                Layer::Pooling(pooling) if pooling.kind == PoolingKind::Largest => largest(pooling, &values),
                Layer::Activation(Activation::Relu) => values.iter().map(rectified).collect(),
                other => {
                    let got = format!("{other:?}");
                    return Err(Error::argument(
                        "layer",
                        "dense, a convolution, a maximum or a rectifier",
                        got,
                    ));
                }
            };
        }
        Ok((values, count))
    }

    fn weights(&self, slot: usize) -> Result<&Compressed> {
        let found = self.slots.get(slot).and_then(Option::as_ref);
        found.ok_or_else(|| Error::argument("slot of weights", "one of the network's", slot))
    }

    fn biases(&self, slot: Option<usize>) -> Result<&[f32]> {
        let slot = slot.ok_or_else(|| Error::argument("layer", "one with biases", "none"))?;
        Ok(&self.theta[self.network.layout().slots()[slot].range.clone()])
    }

    fn dense(&self, dense: &Dense, inputs: &[Bounded], count: &mut Count) -> Result<Vec<Bounded>> {
        let (weights, biases) = (self.weights(dense.weight)?, self.biases(dense.bias)?);
        let row = |output: usize| sum(biases[output], weights.row(output).map(|(j, w)| (w, inputs[j])), count);
        Ok((0..dense.outputs).map(row).collect())
    }

    fn convolution(&self, layer: &Convolution, inputs: &[Bounded], count: &mut Count) -> Result<Vec<Bounded>> {
        let (weights, biases) = (self.weights(layer.weight)?, self.biases(layer.bias)?);
        let Padding::Zero(border) = layer.padding else {
            return Err(Error::argument("border", "zeros", format!("{:?}", layer.padding)));
        };
        let (from, channels) = (layer.from, layer.from.channels);
        let mut outputs = Vec::with_capacity(layer.positions() * layer.to.channels);
        for position in 0..layer.positions() {
            let (down, across) = (position / layer.to.width, position % layer.to.width);
            // Column of a row: kernel row, kernel column, channel.
            let at = |column: usize| {
                let (pixel, channel) = (column / channels, column % channels);
                let y = (down * layer.stride + pixel / layer.kernel).checked_sub(border);
                let x = (across * layer.stride + pixel % layer.kernel).checked_sub(border);
                match (y.filter(|&y| y < from.height), x.filter(|&x| x < from.width)) {
                    (Some(y), Some(x)) => inputs[(y * from.width + x) * channels + channel],
                    _ => Bounded { value: 0.0, error: 0.0 },
                }
            };
            for (output, &bias) in biases.iter().enumerate() {
                let terms = weights.row(output).map(|(column, w)| (w, at(column)));
                outputs.push(sum(bias, terms, count));
            }
        }
        Ok(outputs)
    }
}

fn rectified(entry: &Bounded) -> Bounded {
    // The rectifier brings no two numbers farther apart.
    Bounded {
        value: entry.value.max(0.0),
        error: entry.error,
    }
}

/// The maximum of every window. It moves by no more than the entry that moves most.
fn largest(pooling: &Pooling, values: &[Bounded]) -> Vec<Bounded> {
    let (from, to) = (pooling.from, pooling.to());
    let mut pooled = Vec::with_capacity(to.height * to.width * to.channels);
    for position in 0..to.height * to.width {
        let (down, across) = (
            position / to.width * pooling.height,
            position % to.width * pooling.width,
        );
        for channel in 0..to.channels {
            let mut best = Bounded {
                value: f64::NEG_INFINITY,
                error: 0.0,
            };
            for pixel in 0..pooling.height * pooling.width {
                let (y, x) = (down + pixel / pooling.width, across + pixel % pooling.width);
                let entry = values[(y * from.width + x) * from.channels + channel];
                best.value = best.value.max(entry.value);
                best.error = best.error.max(entry.error);
            }
            pooled.push(best);
        }
    }
    pooled
}

/// `b + Σ w x`. Two ways to add n products and a bias differ from the exact sum by at most (n + 1) ε Σ |w x| + |b| each, to
/// first order, besides what the entries already differ by.
fn sum(bias: f32, terms: impl Iterator<Item = (f32, Bounded)>, count: &mut Count) -> Bounded {
    let (mut value, mut size, mut error, mut n) = (f64::from(bias), f64::from(bias.abs()), 0.0, 0);
    for (weight, entry) in terms {
        let weight = f64::from(weight);
        value += weight * entry.value;
        size += weight.abs() * entry.value.abs();
        error += weight.abs() * entry.error;
        n += 1;
    }
    count.products += n;
    count.sums += n;
    // Twice for the two computations, twice for the terms of second order.
    error += 4.0 * (n + 1) as f64 * f64::EPSILON * size;
    Bounded { value, error }
}
