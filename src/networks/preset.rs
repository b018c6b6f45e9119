//! Networks by name.
//!
//! ```text
//! NAME   = BASE { ":" OPTION }
//! BASE   = "lenet-300-100" | "mlp:" WIDTH { "-" WIDTH } | "linear"
//!        | "lenet-5" | "conv-2" | "conv-4" | "conv-6" | "resnet-20" | "transformer" | "rnn"
//! OPTION = "relu" | "tanh" | "erf" | "gelu" | "linear" | "no-bias"
//!        | "batch-norm" | "layer-norm" | "group-norm=" GROUPS | "dropout=" RATE | "circular"
//!        | "hidden=" UNITS | "untied"
//! ```
//!
//! Options stand in any order, each kind once. Unless named, the activation is `relu` (`gelu` in the transformer, `tanh`
//! in the recurrent network) and there is no normalisation (batch normalisation in the residual network). `circular`
//! belongs to convolutions, `hidden` and `untied` to the recurrent network.
//!
//! `lenet-300-100` is `mlp:300-100` under its known name, `lenet-5` the convolutional network of the same paper (LeCun et
//! al. 1998) with ReLU and maxima; `linear` has no hidden layer; `conv-2`, `-4`, `-6` are those of Frankle & Carbin (ICLR
//! 2019, figure 2); `resnet-20` is that of He et al. (CVPR 2016, section 4.2) with 1×1 convolutions as shortcuts where the
//! shape changes. The transformer has two pre-norm blocks of width 32 with four heads; the recurrent network 64 hidden
//! units unless `hidden` says another number. Both take tokens, series, or the rows of an image.

use super::activation::Activation;
use super::builder::{NetworkBuilder, NormalisationKind};
use super::layers::{Padding, PoolingKind};
use super::network::Network;
use super::shape::InputShape;
use crate::error::{Error, Result};

const BASES: [&str; 10] = [
    "lenet-300-100",
    "mlp:WIDTH-WIDTH-...",
    "linear",
    "lenet-5",
    "conv-2",
    "conv-4",
    "conv-6",
    "resnet-20",
    "transformer",
    "rnn",
];
const OPTIONS: [&str; 13] = [
    "relu",
    "tanh",
    "erf",
    "gelu",
    "linear",
    "no-bias",
    "batch-norm",
    "layer-norm",
    "group-norm=GROUPS",
    "dropout=RATE",
    "circular",
    "hidden=UNITS",
    "untied",
];

/// Width, heads, blocks and inner width of the transformer.
const TRANSFORMER: (usize, usize, usize, usize) = (32, 4, 2, 64);
/// Usual hidden units of the recurrent network, and the width of its embedding of tokens.
const RECURRENT: (usize, usize) = (64, 16);

/// The words behind a base.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Options {
    activation: Option<Activation>,
    no_bias: bool,
    normalisation: Option<NormalisationKind>,
    dropout: Option<f64>,
    circular: bool,
    hidden: Option<usize>,
    untied: bool,
}

impl Options {
    fn parse<'a>(name: &str, words: impl Iterator<Item = &'a str>) -> Result<Self> {
        let mut options = Options::default();
        for word in words {
            let twice = match word.split_once('=') {
                Some(("group-norm", groups)) => {
                    let groups = groups
                        .parse()
                        .map_err(|_| Error::argument("group-norm", "a number of groups", groups))?;
                    options
                        .normalisation
                        .replace(NormalisationKind::Groups(groups))
                        .is_some()
                }
                Some(("dropout", rate)) => {
                    let rate = rate
                        .parse()
                        .map_err(|_| Error::argument("dropout", "a number in [0, 1)", rate))?;
                    options.dropout.replace(rate).is_some()
                }
                Some(("hidden", units)) => {
                    let units = units
                        .parse()
                        .map_err(|_| Error::argument("hidden", "a number of units", units))?;
                    options.hidden.replace(units).is_some()
                }
                _ => match word {
                    "no-bias" => std::mem::replace(&mut options.no_bias, true),
                    "circular" => std::mem::replace(&mut options.circular, true),
                    "untied" => std::mem::replace(&mut options.untied, true),
                    "batch-norm" => options.normalisation.replace(NormalisationKind::Batch).is_some(),
                    "layer-norm" => options.normalisation.replace(NormalisationKind::Layer).is_some(),
                    _ => match word.parse() {
                        Ok(activation) => options.activation.replace(activation).is_some(),
                        Err(_) => return Err(Error::unknown("option of a network", word, OPTIONS)),
                    },
                },
            };
            if twice {
                return Err(Error::argument("network", "each kind of option once", name));
            }
        }
        Ok(options)
    }

    /// The base with the options that are not its defaults, in one order.
    fn canonical(&self, base: &str, usual: Activation, normalised: Option<NormalisationKind>) -> String {
        let mut name = base.to_string();
        if let Some(activation) = self.activation.filter(|&a| a != usual) {
            name.push_str(&format!(":{activation}"));
        }
        if self.no_bias {
            name.push_str(":no-bias");
        }
        match self.normalisation.filter(|_| self.normalisation != normalised) {
            Some(NormalisationKind::Batch) => name.push_str(":batch-norm"),
            Some(NormalisationKind::Layer) => name.push_str(":layer-norm"),
            Some(NormalisationKind::Groups(groups)) => name.push_str(&format!(":group-norm={groups}")),
            None => {}
        }
        if let Some(rate) = self.dropout {
            name.push_str(&format!(":dropout={rate}"));
        }
        if let Some(units) = self.hidden.filter(|&units| units != RECURRENT.0) {
            name.push_str(&format!(":hidden={units}"));
        }
        for (word, set) in [("circular", self.circular), ("untied", self.untied)] {
            if set {
                name.push_str(&format!(":{word}"));
            }
        }
        name
    }

    /// Refuses options that a base has no use for.
    fn allow(&self, name: &str, allowed: Options) -> Result<()> {
        let stray = [
            ("no-bias", self.no_bias && !allowed.no_bias),
            (
                "normalisation",
                self.normalisation.is_some() && allowed.normalisation.is_none(),
            ),
            ("dropout", self.dropout.is_some() && allowed.dropout.is_none()),
            ("circular", self.circular && !allowed.circular),
            ("hidden", self.hidden.is_some() && allowed.hidden.is_none()),
            ("untied", self.untied && !allowed.untied),
        ];
        match stray.iter().find(|(_, stray)| *stray) {
            None => Ok(()),
            Some((word, _)) => Err(Error::argument("network", format!("no {word} in this network"), name)),
        }
    }

    fn padding(&self, width: usize) -> Padding {
        match self.circular {
            true => Padding::Circular(width),
            false => Padding::Zero(width),
        }
    }
}

/// What follows every weight layer but the last: normalisation, activation, dropout, as far as asked for.
struct Follow {
    normalisation: Option<NormalisationKind>,
    activation: Activation,
    dropout: Option<f64>,
}

impl Follow {
    fn with(&self, builder: NetworkBuilder) -> Result<NetworkBuilder> {
        let builder = match self.normalisation {
            Some(kind) => builder.normalise(kind)?,
            None => builder,
        };
        Ok(builder.activation(self.activation))
    }

    fn dense(&self, builder: NetworkBuilder, outputs: usize) -> Result<NetworkBuilder> {
        let builder = self.with(builder.dense(outputs)?)?;
        match self.dropout {
            Some(rate) => builder.dropout(rate),
            None => Ok(builder),
        }
    }
}

impl Network {
    /// A network by name, for the given input and number of classes. A bare number of features is taken for an image
    /// where the network needs one (see [`InputShape::image`]).
    ///
    /// ```
    /// use ticketsense::networks::Network;
    /// let network = Network::preset("lenet-300-100", 784, 10)?;
    /// assert_eq!((network.layout().len(), network.layout().prunable()), (266_610, 266_200));
    /// assert_eq!(Network::preset("mlp:20-10:tanh:no-bias", 64, 10)?.layout().slots().len(), 3);
    /// assert_eq!(Network::preset("conv-2", 3072, 10)?.layout().len(), 4_301_642);
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest name, [`Error::Argument`] on a width of zero, an option given twice or
    /// without use, an input that the network cannot take, or more than 2³¹ parameters.
    pub fn preset(name: &str, inputs: impl Into<InputShape>, classes: usize) -> Result<Self> {
        let inputs = inputs.into();
        if classes == 0 {
            return Err(Error::argument("classes", "at least 1", classes));
        }
        let mut words = name.split(':');
        let base = words.next().unwrap_or_default();
        let (base, hidden) = match base {
            "lenet-300-100" => (base.to_string(), vec![300, 100]),
            "linear" => (base.to_string(), Vec::new()),
            "mlp" => {
                let widths = words.next().unwrap_or_default();
                (format!("mlp:{widths}"), parse_widths(widths)?)
            }
            "lenet-5" | "conv-2" | "conv-4" | "conv-6" | "resnet-20" | "transformer" | "rnn" => {
                (base.to_string(), Vec::new())
            }
            _ => return Err(Error::unknown("network", name, BASES)),
        };
        let options = Options::parse(name, words)?;
        let usual = match &base[..] {
            "transformer" => Activation::Gelu,
            "rnn" => Activation::Tanh,
            _ => Activation::Relu,
        };
        let normalised = (base == "resnet-20").then_some(NormalisationKind::Batch);
        let canonical = options.canonical(&base, usual, normalised);
        let activation = options.activation.unwrap_or(usual);
        let all = Options {
            activation: None,
            no_bias: true,
            normalisation: Some(NormalisationKind::Layer),
            dropout: Some(0.0),
            circular: false,
            hidden: None,
            untied: false,
        };
        let follow = Follow {
            normalisation: options.normalisation.or(normalised),
            activation,
            dropout: options.dropout,
        };
        let allowed = match &base[..] {
            "lenet-5" | "conv-2" | "conv-4" | "conv-6" => Options { circular: true, ..all },
            "resnet-20" => Options {
                circular: true,
                dropout: None,
                no_bias: false,
                ..all
            },
            "transformer" => Options {
                normalisation: None,
                ..all
            },
            "rnn" => Options {
                normalisation: None,
                hidden: Some(0),
                untied: true,
                ..all
            },
            _ => all,
        };
        options.allow(name, allowed)?;
        let start = |input: InputShape| Ok(NetworkBuilder::new(canonical.clone(), input)?.biased(!options.no_bias));
        let image = || Ok(InputShape::Image(inputs.image()?));
        match &base[..] {
            "lenet-5" => lenet(start(image()?)?, &options, &follow, classes),
            "conv-2" => convolutional(start(image()?)?, &options, &follow, &[64], classes),
            "conv-4" => convolutional(start(image()?)?, &options, &follow, &[64, 128], classes),
            "conv-6" => convolutional(start(image()?)?, &options, &follow, &[64, 128, 256], classes),
            "resnet-20" => residual(start(image()?)?, &options, &follow, classes),
            "transformer" => transformer(series(start, inputs, TRANSFORMER.0)?, &follow, classes),
            "rnn" => {
                let builder = series(start, inputs, RECURRENT.1)?;
                let builder = builder.recurrent(options.hidden.unwrap_or(RECURRENT.0), activation, !options.untied)?;
                match options.dropout {
                    Some(rate) => builder.dropout(rate)?,
                    None => builder,
                }
                .dense(classes)?
                .build()
            }
            _ => {
                let mut builder = start(inputs)?;
                for &width in &hidden {
                    builder = follow.dense(builder, width)?;
                }
                builder.dense(classes)?.build()
            }
        }
        .map(|network| network.with_activation(activation))
    }
}

fn lenet(builder: NetworkBuilder, options: &Options, follow: &Follow, classes: usize) -> Result<Network> {
    let mut builder = follow.with(builder.convolution(6, 5, 1, options.padding(2))?)?;
    builder = builder.pool(PoolingKind::Largest, 2, 2)?;
    builder = follow.with(builder.convolution(16, 5, 1, options.padding(0))?)?;
    builder = builder.pool(PoolingKind::Largest, 2, 2)?;
    builder = follow.dense(builder, 120)?;
    follow.dense(builder, 84)?.dense(classes)?.build()
}

/// Pairs of 3×3 convolutions with a maximum over 2×2 behind each pair, then 256-256.
fn convolutional(
    mut builder: NetworkBuilder,
    options: &Options,
    follow: &Follow,
    channels: &[usize],
    classes: usize,
) -> Result<Network> {
    for &channels in channels {
        for _ in 0..2 {
            builder = follow.with(builder.convolution(channels, 3, 1, options.padding(1))?)?;
        }
        builder = builder.pool(PoolingKind::Largest, 2, 2)?;
    }
    builder = follow.dense(builder, 256)?;
    follow.dense(builder, 256)?.dense(classes)?.build()
}

/// Three stages of three blocks of two 3×3 convolutions without biases.
fn residual(builder: NetworkBuilder, options: &Options, follow: &Follow, classes: usize) -> Result<Network> {
    let normalise = |builder: NetworkBuilder| match follow.normalisation {
        Some(kind) => builder.normalise(kind),
        None => Ok(builder),
    };
    let mut builder = follow.with(builder.biased(false).convolution(16, 3, 1, options.padding(1))?)?;
    for (stage, channels) in [16, 32, 64].into_iter().enumerate() {
        for block in 0..3 {
            let changes = stage > 0 && block == 0;
            let stride = if changes { 2 } else { 1 };
            builder = builder
                .residual(
                    |b| {
                        let b = follow.with(b.convolution(channels, 3, stride, options.padding(1))?)?;
                        normalise(b.convolution(channels, 3, 1, options.padding(1))?)
                    },
                    |b| match changes {
                        true => normalise(b.convolution(channels, 1, stride, options.padding(0))?),
                        false => Ok(b),
                    },
                )?
                .activation(follow.activation);
        }
    }
    builder
        .pool_all(PoolingKind::Mean)?
        .biased(true)
        .dense(classes)?
        .build()
}

/// A series of vectors out of tokens (embedded), a series, or the rows of an image.
fn series(
    start: impl Fn(InputShape) -> Result<NetworkBuilder>,
    inputs: InputShape,
    width: usize,
) -> Result<NetworkBuilder> {
    match inputs {
        InputShape::Tokens { .. } => start(inputs)?.embedding(width),
        InputShape::Series { .. } => start(inputs),
        InputShape::Image(_) | InputShape::Features(_) => start(InputShape::Image(inputs.image()?))?.rows_as_series(),
    }
}

fn transformer(builder: NetworkBuilder, follow: &Follow, classes: usize) -> Result<Network> {
    let (width, heads, blocks, inner) = TRANSFORMER;
    let drop = |builder: NetworkBuilder| match follow.dropout {
        Some(rate) => builder.dropout(rate),
        None => Ok(builder),
    };
    let mut builder = match builder.channels() {
        Some(channels) if channels == width => builder,
        _ => builder.dense_at_positions(width)?,
    }
    .positions()?;
    for _ in 0..blocks {
        builder = builder.residual(|b| drop(b.normalise(NormalisationKind::Layer)?.attention(heads)?), Ok)?;
        builder = builder.residual(
            |b| {
                let b = b.normalise(NormalisationKind::Layer)?.dense_at_positions(inner)?;
                drop(b.activation(follow.activation).dense_at_positions(width)?)
            },
            Ok,
        )?;
    }
    builder
        .normalise(NormalisationKind::Layer)?
        .pool_all(PoolingKind::Mean)?
        .dense(classes)?
        .build()
}

fn parse_widths(text: &str) -> Result<Vec<usize>> {
    text.split('-')
        .map(|word| {
            word.parse::<usize>().ok().filter(|&width| width > 0).ok_or_else(|| {
                Error::argument(
                    "network",
                    "mlp:WIDTH-WIDTH-... with positive widths",
                    format!("mlp:{text}"),
                )
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_put_into_one_order() {
        for (given, canonical) in [
            ("lenet-300-100", "lenet-300-100"),
            ("mlp:50-30:no-bias:tanh", "mlp:50-30:tanh:no-bias"),
            ("mlp:50:relu", "mlp:50"),
            ("linear:no-bias", "linear:no-bias"),
            ("mlp:50:dropout=0.5:batch-norm:relu", "mlp:50:batch-norm:dropout=0.5"),
            ("rnn:untied:hidden=5", "rnn:hidden=5:untied"),
            ("rnn:hidden=64", "rnn"),
        ] {
            let network = Network::preset(given, 64, 3).unwrap();
            assert_eq!(network.name(), canonical);
            assert_eq!(Network::preset(canonical, 64, 3).unwrap(), network);
        }
        let cell = Network::preset("rnn:hidden=5", 64, 3).unwrap();
        assert_eq!(cell.layout().prunable(), 8 * 5 + 5 * 5 + 5 * 3);
    }

    #[test]
    fn the_networks_of_the_papers_have_their_numbers_of_parameters() {
        // LeNet-5 with dense layers behind the second pooling: 156 + 2,416 + 48,120 + 10,164 + 850. Conv-2 and
        // Conv-4 are the 4.3M and 2.4M of Frankle & Carbin, figure 2; the sizes given there for Conv-6 make, by hand,
        // 1,145,408 in its convolutions (their 1.1M) and 1,117,194 behind them. ResNet-20: 272,474 with 1×1 shortcuts and the parameters of
        // its normalisations, the number of the usual CIFAR implementation with projection shortcuts; its running
        // statistics are not trained.
        for (name, inputs, trained) in [
            ("lenet-5", 784, 61_706),
            ("conv-2", 3072, 4_301_642),
            ("conv-4", 3072, 2_425_930),
            ("conv-6", 3072, 1_145_408 + 1_117_194),
            ("resnet-20", 3072, 272_474),
        ] {
            let network = Network::preset(name, inputs, 10).unwrap();
            let layout = network.layout();
            let counted: usize = layout
                .weight_slots()
                .chain(layout.unpruned_slots())
                .map(|s| s.len())
                .sum();
            assert_eq!(counted, trained, "{name}");
            assert_eq!(Network::preset(network.name(), inputs, 10).unwrap(), network);
        }
    }

    #[test]
    fn multiply_adds_count_every_use_of_a_weight() {
        // The convolutions of ResNet-20 at 32×32: 40.55 M multiply-adds with its shortcuts and its last layer, by hand:
        // 3·9·16·1024 + 6·(144·16)·1024 + (144·32 + 5·288·32 + 16·32)·256 + (288·64 + 5·576·64 + 32·64)·64 + 640.
        let network = Network::preset("resnet-20", 3072, 10).unwrap();
        let by_hand = 3 * 9 * 16 * 1024
            + 6 * 144 * 16 * 1024
            + (144 * 32 + 5 * 288 * 32 + 16 * 32) * 256
            + (288 * 64 + 5 * 576 * 64 + 32 * 64) * 64
            + 640;
        assert_eq!(network.multiply_adds(None), by_hand);
        let tied = Network::preset("rnn", InputShape::Series { length: 5, features: 3 }, 2).unwrap();
        let untied = Network::preset("rnn:untied", InputShape::Series { length: 5, features: 3 }, 2).unwrap();
        assert_eq!(tied.multiply_adds(None), 5 * 3 * 64 + 4 * 64 * 64 + 128);
        assert_eq!(untied.multiply_adds(None), tied.multiply_adds(None));
        assert!(untied.layout().prunable() > 4 * tied.layout().prunable() / 2);
    }

    #[test]
    fn the_flagship_network_has_its_published_number_of_weights() {
        let network = Network::preset("mlp:50-30", 64, 10).unwrap();
        assert_eq!(network.layout().prunable(), 64 * 50 + 50 * 30 + 30 * 10);
    }

    #[test]
    fn what_cannot_be_built_is_refused_with_a_reason() {
        let near = Network::preset("lenet-300-10", 784, 10).unwrap_err().to_string();
        assert!(near.contains("did you mean 'lenet-300-100'"), "{near}");
        let near = Network::preset("mlp:5:tanhh", 784, 10).unwrap_err().to_string();
        assert!(near.contains("did you mean 'tanh'"), "{near}");
        for name in [
            "mlp",
            "mlp:",
            "mlp:5-0",
            "mlp:5-x",
            "mlp:5:tanh:relu",
            "mlp:5:no-bias:no-bias",
            "mlp:5:dropout=1",
            "mlp:5:group-norm=2",
            "mlp:5:circular",
            "mlp:4:batch-norm:layer-norm",
            "rnn:batch-norm",
            "rnn:hidden=0",
            "rnn:hidden=x",
            "mlp:5:hidden=5",
            "resnet-20:no-bias",
            "lenet-5",
            "",
        ] {
            assert!(Network::preset(name, 4, 2).is_err(), "{name}");
        }
        assert!(Network::preset("mlp:5", 0, 2).is_err());
        assert!(Network::preset("mlp:5", 2, 0).is_err());
        assert!(Network::preset("mlp:4000000000-4000000000", 2, 2).is_err());
        assert!(Network::preset("mlp:18446744073709551615", 2, 2).is_err());
    }
}
