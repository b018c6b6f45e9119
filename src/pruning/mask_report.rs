//! What there is to say of a mask in counts.

use super::branch::kept_weights;
use super::paths::LivePaths;
use crate::error::Result;
use crate::networks::Network;
use crate::support::Mask;
use serde_json::{Value, json};

/// How many weights a mask keeps, and how many of them do anything.
#[derive(Clone, Debug, PartialEq)]
pub struct MaskReport {
    /// Kept weights, biases not counted.
    pub kept: usize,
    /// Weights of the network.
    pub weights: usize,
    /// Kept weights on a path from an input to an output, as a fraction of all weights; none for a network with
    /// attention, of which no path can be followed.
    pub effective_density: Option<f64>,
    /// Weight layers and sides of shortcuts that nothing passes from an input to an output, by name.
    pub dead: Vec<String>,
}

impl MaskReport {
    /// Counts the weights of a mask and follows its paths: see [`LivePaths`].
    ///
    /// ```
    /// use ticketsense::networks::Network;
    /// use ticketsense::pruning::MaskReport;
    /// let network = Network::preset("mlp:2:no-bias", 2, 1)?;
    /// let mut mask = network.layout().full_mask();
    /// mask.set(4, false); // one of the two weights into the output: the unit behind it does nothing any more
    /// let report = MaskReport::of(&network, &mask)?;
    /// assert_eq!((report.density(), report.effective_density), (5.0 / 6.0, Some(3.0 / 6.0)));
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`crate::networks::Layout::check_mask`].
    ///
    /// Cost: two passes over the uses of the kept weights.
    pub fn of(network: &Network, mask: &Mask) -> Result<Self> {
        network.layout().check_mask(mask)?;
        let (mut effective_density, mut dead) = (None, Vec::new());
        if LivePaths::check(network).is_ok() {
            let paths = LivePaths::of(network, mask)?;
            effective_density = Some(paths.effective_density());
            dead.extend(paths.dead_layers().into_iter().map(str::to_string));
            dead.extend(paths.dead_branches().iter().cloned());
        }
        Ok(MaskReport {
            kept: kept_weights(network, mask),
            weights: network.layout().prunable(),
            effective_density,
            dead,
        })
    }

    /// Kept weights as a fraction of all; 1 where nothing is prunable.
    pub fn density(&self) -> f64 {
        match self.weights {
            0 => 1.0,
            weights => self.kept as f64 / weights as f64,
        }
    }

    pub(super) fn describe(&self) -> Value {
        json!({
            "kept": self.kept,
            "weights": self.weights,
            "effective_density": self.effective_density,
            "dead": self.dead,
        })
    }

    /// Reads back what [`MaskReport::describe`] wrote; nothing where it is something else.
    pub(super) fn get(described: &Value) -> Option<Self> {
        let count = |name: &str| Some(described.get(name)?.as_u64()? as usize);
        let effective = described.get("effective_density")?;
        Some(MaskReport {
            kept: count("kept")?,
            weights: count("weights")?,
            effective_density: match effective {
                Value::Null => None,
                number => Some(number.as_f64()?),
            },
            dead: serde_json::from_value(described.get("dead")?.clone()).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::InputShape;

    #[test]
    fn a_report_comes_back_and_a_network_with_attention_has_no_paths() {
        let network = Network::preset("mlp:3-2", 4, 2).unwrap();
        let mut mask = network.layout().full_mask();
        for i in network.layout().slot("dense1.weight").unwrap().range.clone() {
            mask.set(i, false);
        }
        let report = MaskReport::of(&network, &mask).unwrap();
        assert_eq!((report.kept, report.effective_density), (12 + 4, Some(0.0)));
        assert_eq!(report.dead, ["dense0.weight", "dense1.weight", "dense2.weight"]);
        assert_eq!(MaskReport::get(&report.describe()), Some(report));
        let tokens = InputShape::Tokens {
            length: 4,
            vocabulary: 5,
        };
        let attention = Network::preset("transformer", tokens, 2).unwrap();
        let report = MaskReport::of(&attention, &attention.layout().full_mask()).unwrap();
        assert_eq!((report.effective_density, report.density()), (None, 1.0));
        assert_eq!(MaskReport::get(&report.describe()), Some(report));
    }
}
