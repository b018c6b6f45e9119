//! Networks put together layer by layer, with every shape checked on the way.

use super::activation::Activation;
use super::layers::{
    Attention, Convolution, Dense, Dropout, Embedding, Interleave, Layer, Normalisation, NormalisedOver, Padding,
    Pooling, PoolingKind, Positions, Recurrent, Residual,
};
use super::layout::{Layout, SlotKind};
use super::network::Network;
use super::shape::{ImageShape, InputShape};
use crate::error::{Error, Result};

/// Which entries a normalisation brings to mean 0 and variance 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NormalisationKind {
    /// Each channel over the batch: [`NormalisedOver::Batch`].
    Batch,
    /// All channels of a position: [`NormalisedOver::Layer`].
    Layer,
    /// So many groups of channels: [`NormalisedOver::Groups`].
    Groups(usize),
}

/// What stands between two layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// An image as it is stored, plane after plane.
    Planes(ImageShape),
    /// Channels together, position by position.
    Pixels(ImageShape),
    Tokens {
        length: usize,
        vocabulary: usize,
    },
}

/// Builds a network from input to output.
///
/// ```
/// use ticketsense::networks::{Activation, ImageShape, NetworkBuilder, Padding, PoolingKind};
/// let image = ImageShape { channels: 1, height: 8, width: 8 };
/// let network = NetworkBuilder::new("small", image)?
///     .convolution(6, 3, 1, Padding::Zero(1))?
///     .activation(Activation::Relu)
///     .pool(PoolingKind::Largest, 2, 2)?
///     .dense(10)?
///     .build()?;
/// assert_eq!(network.layout().prunable(), 6 * 9 + 4 * 4 * 6 * 10);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct NetworkBuilder {
    name: String,
    input: InputShape,
    layers: Vec<Layer>,
    layout: Layout,
    flow: Flow,
    weights: usize,
    normalisations: usize,
    dropouts: usize,
    last_activation: Activation,
    bias: bool,
}

impl NetworkBuilder {
    /// Nothing but an input.
    ///
    /// # Errors
    /// [`Error::Argument`] on an input without features.
    pub fn new(name: impl Into<String>, input: impl Into<InputShape>) -> Result<Self> {
        let input = input.into();
        let features = input.features()?;
        let flow = match input {
            InputShape::Features(_) => Flow::Pixels(ImageShape {
                channels: features,
                height: 1,
                width: 1,
            }),
            InputShape::Image(image) if image.channels > 1 => Flow::Planes(image),
            InputShape::Image(image) => Flow::Pixels(image),
            InputShape::Tokens { length, vocabulary } => Flow::Tokens { length, vocabulary },
            InputShape::Series { length, features } => Flow::Pixels(ImageShape {
                channels: features,
                height: length,
                width: 1,
            }),
        };
        Ok(NetworkBuilder {
            name: name.into(),
            input,
            layers: Vec::new(),
            layout: Layout::default(),
            flow,
            weights: 0,
            normalisations: 0,
            dropouts: 0,
            last_activation: Activation::Relu,
            bias: true,
        })
    }

    /// Whether the weight layers that follow have biases; they do unless told.
    pub fn biased(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    fn refuse<T>(&self, what: &str, expected: impl Into<String>, got: impl ToString) -> Result<T> {
        Err(Error::argument(format!("{what} in {}", self.name), expected, got))
    }

    fn at_least_one(&self, what: &str, count: usize) -> Result<()> {
        if count == 0 {
            return self.refuse(what, "at least 1", count);
        }
        Ok(())
    }

    /// The positions and channels of what flows, its planes interleaved.
    fn pixels(&mut self) -> Result<ImageShape> {
        match self.flow {
            Flow::Pixels(shape) => Ok(shape),
            Flow::Planes(shape) => {
                self.layers.push(Layer::Interleave(Interleave {
                    channels: shape.channels,
                    positions: shape.height * shape.width,
                }));
                self.flow = Flow::Pixels(shape);
                Ok(shape)
            }
            Flow::Tokens { .. } => self.refuse("layer", "an embedding before anything else", "tokens"),
        }
    }

    fn slot(&mut self, name: String, shape: Vec<usize>, kind: SlotKind, uses: usize) -> Result<usize> {
        let count = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
        let total = count.and_then(|count| count.checked_add(self.layout.len()));
        if total.is_none_or(|total| total > 1 << 31) {
            return self.refuse("parameters", "at most 2^31", name);
        }
        Ok(self.layout.push(name, shape, kind, self.weights, uses))
    }

    /// Channels of what flows, where it is not tokens.
    pub(super) fn channels(&self) -> Option<usize> {
        match self.flow {
            Flow::Pixels(shape) | Flow::Planes(shape) => Some(shape.channels),
            Flow::Tokens { .. } => None,
        }
    }

    /// The slots of a dense map, named `name.weight` and `name.bias`.
    fn dense_slots(
        &mut self,
        name: &str,
        inputs: usize,
        outputs: usize,
        positions: usize,
        bias: bool,
    ) -> Result<Dense> {
        self.at_least_one("outputs", outputs)?;
        let weight = self.slot(
            format!("{name}.weight"),
            vec![outputs, inputs],
            SlotKind::Weight,
            positions,
        )?;
        let bias = match bias {
            true => Some(self.slot(format!("{name}.bias"), vec![outputs], SlotKind::Bias, positions)?),
            false => None,
        };
        self.weights += 1;
        Ok(Dense {
            inputs,
            outputs,
            positions,
            weight,
            bias,
        })
    }

    /// A dense layer on the whole sample.
    ///
    /// # Errors
    /// [`Error::Argument`] on no outputs, on tokens, or beyond 2³¹ parameters.
    pub fn dense(mut self, outputs: usize) -> Result<Self> {
        let shape = match self.flow {
            // Every order of the inputs is as good as any other.
            Flow::Planes(shape) => shape,
            _ => self.pixels()?,
        };
        let Some(inputs) = shape.features() else {
            return self.refuse("inputs", "a size that fits the machine", shape);
        };
        let dense = self.dense_slots(&format!("dense{}", self.weights), inputs, outputs, 1, self.bias)?;
        self.layers.push(Layer::Dense(dense));
        self.flow = Flow::Pixels(ImageShape {
            channels: outputs,
            height: 1,
            width: 1,
        });
        Ok(self)
    }

    /// A dense layer on every position, the same at each.
    ///
    /// # Errors
    /// As [`NetworkBuilder::dense`].
    pub fn dense_at_positions(mut self, outputs: usize) -> Result<Self> {
        let shape = self.pixels()?;
        let name = format!("dense{}", self.weights);
        let dense = self.dense_slots(&name, shape.channels, outputs, shape.height * shape.width, self.bias)?;
        self.layers.push(Layer::Dense(dense));
        self.flow = Flow::Pixels(ImageShape {
            channels: outputs,
            ..shape
        });
        Ok(self)
    }

    /// An activation on every entry.
    pub fn activation(mut self, activation: Activation) -> Self {
        self.layers.push(Layer::Activation(activation));
        self.last_activation = activation;
        self
    }

    /// A convolution with a square kernel.
    ///
    /// # Errors
    /// [`Error::Argument`] when a size is 0 or the kernel is larger than the padded image; as [`NetworkBuilder::dense`].
    pub fn convolution(mut self, channels: usize, kernel: usize, stride: usize, padding: Padding) -> Result<Self> {
        for (what, count) in [("channels", channels), ("kernel", kernel), ("stride", stride)] {
            self.at_least_one(what, count)?;
        }
        let from = self.pixels()?;
        let along = |size: usize| {
            let padded = size.checked_add(padding.width().checked_mul(2)?)?;
            Some(padded.checked_sub(kernel)? / stride + 1)
        };
        let (Some(height), Some(width)) = (along(from.height), along(from.width)) else {
            return self.refuse("kernel", format!("one that fits the padded image of {from}"), kernel);
        };
        let to = ImageShape {
            channels,
            height,
            width,
        };
        if to.features().and_then(|n| n.checked_mul(kernel)).is_none() {
            return self.refuse("channels", "a size that fits the machine", to);
        }
        let name = format!("convolution{}", self.weights);
        let shape = vec![channels, kernel, kernel, from.channels];
        let weight = self.slot(format!("{name}.weight"), shape, SlotKind::Weight, height * width)?;
        let bias = match self.bias {
            true => Some(self.slot(format!("{name}.bias"), vec![channels], SlotKind::Bias, height * width)?),
            false => None,
        };
        self.weights += 1;
        self.layers.push(Layer::Convolution(Convolution {
            from,
            to,
            kernel,
            stride,
            padding,
            weight,
            bias,
        }));
        self.flow = Flow::Pixels(to);
        Ok(self)
    }

    /// Pooling over windows that do not overlap.
    ///
    /// # Errors
    /// [`Error::Argument`] when a window is empty or larger than the image.
    pub fn pool(mut self, kind: PoolingKind, height: usize, width: usize) -> Result<Self> {
        let from = self.pixels()?;
        if height == 0 || width == 0 || height > from.height || width > from.width {
            return self.refuse(
                "pooling window",
                format!("from 1×1 to {}×{}", from.height, from.width),
                format!("{height}×{width}"),
            );
        }
        let pooling = Pooling {
            kind,
            from,
            height,
            width,
        };
        self.flow = Flow::Pixels(pooling.to());
        self.layers.push(Layer::Pooling(pooling));
        Ok(self)
    }

    /// Pooling over all positions.
    ///
    /// # Errors
    /// As [`NetworkBuilder::pool`].
    pub fn pool_all(mut self, kind: PoolingKind) -> Result<Self> {
        let from = self.pixels()?;
        self.pool(kind, from.height, from.width)
    }

    /// A normalisation with a scale (1 at first) and a shift (0 at first) for every channel.
    ///
    /// # Errors
    /// [`Error::Argument`] when the channels do not fall into so many groups.
    pub fn normalise(mut self, kind: NormalisationKind) -> Result<Self> {
        let shape = self.pixels()?;
        let (name, channels) = (format!("normalisation{}", self.normalisations), shape.channels);
        self.normalisations += 1;
        let positions = shape.height * shape.width;
        let scale = self.slot(format!("{name}.scale"), vec![channels], SlotKind::Scale, positions)?;
        let shift = self.slot(format!("{name}.shift"), vec![channels], SlotKind::Shift, positions)?;
        let over = match kind {
            NormalisationKind::Layer => NormalisedOver::Layer,
            NormalisationKind::Batch => NormalisedOver::Batch {
                mean: self.slot(format!("{name}.mean"), vec![channels], SlotKind::Mean, positions)?,
                variance: self.slot(
                    format!("{name}.variance"),
                    vec![channels],
                    SlotKind::Variance,
                    positions,
                )?,
            },
            NormalisationKind::Groups(groups) => {
                if groups == 0 || !channels.is_multiple_of(groups) {
                    return self.refuse("groups", format!("a divisor of {channels} channels"), groups);
                }
                NormalisedOver::Groups(groups)
            }
        };
        self.layers.push(Layer::Normalisation(Normalisation {
            over,
            positions,
            channels,
            scale,
            shift,
        }));
        Ok(self)
    }

    /// Layers beside a shortcut, added up; a shortcut that returns its builder as it came is the identity.
    ///
    /// # Errors
    /// [`Error::Argument`] when the two do not end in the same shape; whatever the layers inside refuse.
    pub fn residual(
        mut self,
        branch: impl FnOnce(Self) -> Result<Self>,
        shortcut: impl FnOnce(Self) -> Result<Self>,
    ) -> Result<Self> {
        self.pixels()?;
        let (before, start) = (std::mem::take(&mut self.layers), self.flow);
        let mut inside = branch(self)?;
        let (branch, end) = (std::mem::take(&mut inside.layers), inside.flow);
        inside.flow = start;
        let mut after = shortcut(inside)?;
        if after.flow != end {
            let (expected, got) = (format!("{end:?}"), format!("{:?}", after.flow));
            return after.refuse("shortcut", expected, got);
        }
        let shortcut = std::mem::replace(&mut after.layers, before);
        after.layers.push(Layer::Residual(Residual { branch, shortcut }));
        Ok(after)
    }

    /// Dropout while training.
    ///
    /// # Errors
    /// [`Error::Argument`] on a rate outside `[0, 1)`.
    pub fn dropout(mut self, rate: f64) -> Result<Self> {
        if !(0.0..1.0).contains(&rate) {
            return self.refuse("dropout rate", "a number in [0, 1)", rate);
        }
        self.layers.push(Layer::Dropout(Dropout {
            rate,
            number: self.dropouts,
        }));
        self.dropouts += 1;
        Ok(self)
    }

    /// A vector for every token.
    ///
    /// # Errors
    /// [`Error::Argument`] when the input is not tokens.
    pub fn embedding(mut self, width: usize) -> Result<Self> {
        let Flow::Tokens { length, vocabulary } = self.flow else {
            return self.refuse("embedding", "tokens", self.input);
        };
        let name = format!("embedding{}", self.weights);
        let dense = self.dense_slots(&name, vocabulary, width, length, false)?;
        self.layers.push(Layer::Embedding(Embedding(dense)));
        self.flow = Flow::Pixels(ImageShape {
            channels: width,
            height: length,
            width: 1,
        });
        Ok(self)
    }

    /// Sines and cosines that tell positions apart.
    ///
    /// # Errors
    /// [`Error::Argument`] on tokens that were not embedded.
    pub fn positions(mut self) -> Result<Self> {
        let shape = self.pixels()?;
        self.layers.push(Layer::Positions(Positions {
            positions: shape.height * shape.width,
            width: shape.channels,
        }));
        Ok(self)
    }

    /// The rows of an image as the positions of a series.
    ///
    /// # Errors
    /// [`Error::Argument`] on tokens that were not embedded.
    pub fn rows_as_series(mut self) -> Result<Self> {
        let shape = self.pixels()?;
        self.flow = Flow::Pixels(ImageShape {
            channels: shape.channels * shape.width,
            height: shape.height,
            width: 1,
        });
        Ok(self)
    }

    /// Self-attention with so many heads.
    ///
    /// # Errors
    /// [`Error::Argument`] when the heads do not divide the channels.
    pub fn attention(mut self, heads: usize) -> Result<Self> {
        let shape = self.pixels()?;
        let (width, positions) = (shape.channels, shape.height * shape.width);
        if heads == 0 || !width.is_multiple_of(heads) {
            return self.refuse("heads", format!("a divisor of the width {width}"), heads);
        }
        let name = format!("attention{}", self.weights);
        let bias = self.bias;
        let mut part = |word: &str| self.dense_slots(&format!("{name}.{word}"), width, width, positions, bias);
        let (query, key, value, output) = (part("query")?, part("key")?, part("value")?, part("output")?);
        self.layers.push(Layer::Attention(Attention {
            positions,
            width,
            heads,
            query,
            key,
            value,
            output,
        }));
        Ok(self)
    }

    /// A recurrent cell over the positions; its weights are one slot for all steps when `tied`, or one for each.
    ///
    /// # Errors
    /// [`Error::Argument`] on no hidden units, or on tokens that were not embedded.
    pub fn recurrent(mut self, hidden: usize, activation: Activation, tied: bool) -> Result<Self> {
        self.at_least_one("hidden units", hidden)?;
        let shape = self.pixels()?;
        let (steps, inputs) = (shape.height * shape.width, shape.channels);
        let name = format!("recurrent{}", self.weights);
        let copies = if tied { 1 } else { steps };
        let spread = |slots: Vec<usize>, count: usize| match tied {
            true => vec![slots[0]; count],
            false => slots,
        };
        let uses = if tied { steps } else { 1 };
        let mut group = |word: &str, shape: Vec<usize>, kind: SlotKind, copies: usize, uses: usize| {
            (0..copies)
                .map(|copy| {
                    let label = if tied {
                        name.clone()
                    } else {
                        format!("{name}.step{copy}")
                    };
                    self.slot(format!("{label}.{word}"), shape.clone(), kind, uses)
                })
                .collect::<Result<Vec<usize>>>()
        };
        let input_weight = spread(
            group("input", vec![hidden, inputs], SlotKind::Weight, copies, uses)?,
            steps,
        );
        let hidden_weight = match steps {
            1 => Vec::new(),
            _ => {
                let copies = if tied { 1 } else { steps - 1 };
                let uses = if tied { steps - 1 } else { 1 };
                spread(
                    group("hidden", vec![hidden, hidden], SlotKind::Weight, copies, uses)?,
                    steps - 1,
                )
            }
        };
        let bias = match self.bias {
            true => {
                let mut group = |copy: usize| {
                    let label = if tied {
                        name.clone()
                    } else {
                        format!("{name}.step{copy}")
                    };
                    self.slot(format!("{label}.bias"), vec![hidden], SlotKind::Bias, uses)
                };
                spread((0..copies).map(&mut group).collect::<Result<_>>()?, steps)
            }
            false => Vec::new(),
        };
        self.weights += 1;
        self.layers.push(Layer::Recurrent(Recurrent {
            steps,
            inputs,
            hidden,
            activation,
            input_weight,
            hidden_weight,
            bias,
        }));
        self.last_activation = activation;
        self.flow = Flow::Pixels(ImageShape {
            channels: hidden,
            height: 1,
            width: 1,
        });
        Ok(self)
    }

    /// The network; what flows out of its last layer are its outputs, one a class.
    ///
    /// # Errors
    /// [`Error::Argument`] when more than one position is left, or there is no parameter.
    pub fn build(mut self) -> Result<Network> {
        let shape = self.pixels()?;
        if (shape.height, shape.width) != (1, 1) {
            return self.refuse("outputs", "one position", shape);
        }
        if self.layout.is_empty() {
            return self.refuse("layers", "at least one with parameters", self.layers.len());
        }
        Ok(Network::from_parts(
            self.name,
            self.layers,
            self.layout,
            self.input,
            shape.channels,
            self.last_activation,
            self.bias,
        ))
    }
}
