//! Networks by name.
//!
//! ```text
//! NAME   = BASE { ":" OPTION }
//! BASE   = "lenet-300-100" | "mlp:" WIDTH { "-" WIDTH } | "linear"
//! OPTION = "relu" | "tanh" | "erf" | "gelu" | "linear" | "no-bias"
//! ```
//!
//! Options stand in any order, each kind once; the activation is `relu` unless named. `lenet-300-100` is
//! `mlp:300-100` under its known name (LeCun et al. 1998); `linear` has no hidden layer.

use super::activation::Activation;
use super::network::Network;
use crate::error::{Error, Result};

const BASES: [&str; 3] = ["lenet-300-100", "mlp:WIDTH-WIDTH-...", "linear"];
const OPTIONS: [&str; 6] = ["relu", "tanh", "erf", "gelu", "linear", "no-bias"];

impl Network {
    /// A network by name, for the given number of input features and classes.
    ///
    /// ```
    /// use ticketsense::networks::Network;
    /// let network = Network::preset("lenet-300-100", 784, 10)?;
    /// assert_eq!((network.layout().len(), network.layout().prunable()), (266_610, 266_200));
    /// assert_eq!(Network::preset("mlp:20-10:tanh:no-bias", 64, 10)?.layout().slots().len(), 3);
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest name, [`Error::Argument`] on a width of zero, an option given twice, or
    /// more than 2³¹ parameters.
    pub fn preset(name: &str, inputs: usize, classes: usize) -> Result<Self> {
        let mut words = name.split(':');
        let base = words.next().unwrap_or_default();
        let (base, hidden) = match base {
            "lenet-300-100" => (base.to_string(), vec![300, 100]),
            "linear" => (base.to_string(), Vec::new()),
            "mlp" => {
                let widths = words.next().unwrap_or_default();
                (format!("mlp:{widths}"), parse_widths(widths)?)
            }
            _ => return Err(Error::unknown("network", name, BASES)),
        };
        let (mut activation, mut bias) = (None, true);
        for word in words {
            if word == "no-bias" && bias {
                bias = false;
            } else if let (Ok(named), None) = (word.parse::<Activation>(), activation) {
                activation = Some(named);
            } else if OPTIONS.contains(&word) {
                return Err(Error::argument("network", "each kind of option once", name));
            } else {
                return Err(Error::unknown("option of a network", word, OPTIONS));
            }
        }
        let activation = activation.unwrap_or(Activation::Relu);
        let mut canonical = base;
        if activation != Activation::Relu {
            canonical.push_str(&format!(":{activation}"));
        }
        if !bias {
            canonical.push_str(":no-bias");
        }
        Network::multilayer(canonical, inputs, &hidden, classes, activation, bias)
    }
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
        ] {
            let network = Network::preset(given, 7, 3).unwrap();
            assert_eq!(network.name(), canonical);
            assert_eq!(Network::preset(canonical, 7, 3).unwrap(), network);
        }
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
