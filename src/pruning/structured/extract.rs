//! The smaller network that a choice of units leaves.

use super::{UnitChoice, Units};
use crate::error::{Error, Result};
use crate::networks::{Layer, Network, NetworkBuilder, NormalisationKind, NormalisedOver, Real};

/// A network without the units that are gone.
#[derive(Clone, Debug, PartialEq)]
pub struct Extracted<T> {
    /// The smaller network.
    pub network: Network,
    /// The parameters that stayed.
    pub theta: Vec<T>,
    /// Where each of them stood.
    pub source: Vec<usize>,
}

impl Units {
    /// The smaller network, with the parameters of the units that stay. Its outputs are those of the masked network, but for
    /// the order of sums.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::NotFinite`] on parameters that do not fit; [`Error::Argument`] for a network with
    /// embeddings, positions, attention or recurrent cells, which a change of width makes another kind of network.
    pub fn extract<T: Real>(&self, theta: &[T], choice: &UnitChoice) -> Result<Extracted<T>> {
        self.network.check_parameters("parameters", theta)?;
        let widths: Vec<String> = choice.counts().iter().map(usize::to_string).collect();
        let network = match self.network.is_multilayer() {
            true => {
                let counts = choice.counts();
                self.network.with_hidden_widths(&counts[..counts.len() - 1])?
            }
            false => {
                let name = format!("{} of widths {}", self.network.name(), widths.join("-"));
                let builder = NetworkBuilder::new(name, self.network.input_shape())?;
                self.rebuilt(builder, self.network.layers(), choice)?.build()?
            }
        };
        let source = self.sources(choice);
        if network.layout().len() != source.len() {
            return Err(Error::shape(
                "parameters of the smaller network",
                source.len(),
                network.layout().len(),
            ));
        }
        Ok(Extracted {
            theta: source.iter().map(|&index| theta[index]).collect(),
            network,
            source,
        })
    }

    /// The parameters that stay, in order.
    fn sources(&self, choice: &UnitChoice) -> Vec<usize> {
        let mut source = Vec::new();
        for (number, slot) in self.network.layout().slots().iter().enumerate() {
            let weight = self.weights.iter().find(|w| w.slot == number);
            let entry = self.entries.iter().find(|e| e.slot == number);
            let columns = slot.len() / slot.shape[0];
            source.extend(slot.range.clone().enumerate().filter_map(|(at, index)| {
                let kept = match (weight, entry) {
                    (Some(w), _) => choice.keeps(w.rows, at / columns) && choice.keeps(w.columns, at % columns),
                    (None, Some(e)) => choice.keeps(e.entries, at),
                    (None, None) => true,
                };
                kept.then_some(index)
            }));
        }
        source
    }

    /// How many rows of a weight stay.
    fn rows_left(&self, slot: usize, choice: &UnitChoice) -> usize {
        let rows = self.network.layout().slots()[slot].shape[0];
        let sides = self.weights.iter().find(|w| w.slot == slot);
        sides.map_or(rows, |w| (0..rows).filter(|&row| choice.keeps(w.rows, row)).count())
    }

    fn rebuilt(&self, builder: NetworkBuilder, layers: &[Layer], choice: &UnitChoice) -> Result<NetworkBuilder> {
        layers.iter().try_fold(builder, |builder, layer| match layer {
            Layer::Dense(dense) => {
                let (outputs, builder) = (
                    self.rows_left(dense.weight, choice),
                    builder.biased(dense.bias.is_some()),
                );
                match dense.positions {
                    1 => builder.dense(outputs),
                    _ => builder.dense_at_positions(outputs),
                }
            }
            Layer::Convolution(c) => {
                let channels = self.rows_left(c.weight, choice);
                builder
                    .biased(c.bias.is_some())
                    .convolution(channels, c.kernel, c.stride, c.padding)
            }
            Layer::Activation(activation) => Ok(builder.activation(*activation)),
            // The builder puts planes together by itself.
            Layer::Interleave(_) => Ok(builder),
            Layer::Pooling(pooling) => builder.pool(pooling.kind, pooling.height, pooling.width),
            Layer::Normalisation(normalisation) => builder.normalise(match normalisation.over {
                NormalisedOver::Batch { .. } => NormalisationKind::Batch,
                NormalisedOver::Groups(groups) => NormalisationKind::Groups(groups),
                _ => NormalisationKind::Layer,
            }),
            Layer::Dropout(dropout) => builder.dropout(dropout.rate),
            Layer::Residual(residual) => builder.residual(
                |b| self.rebuilt(b, &residual.branch, choice),
                |b| self.rebuilt(b, &residual.shortcut, choice),
            ),
            _ => Err(Error::argument(
                "network to make smaller",
                "dense layers, convolutions, pooling, normalisation and residual connections",
                self.network.name(),
            )),
        })
    }
}
