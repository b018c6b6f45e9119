//! Controls in words: `reinit`, `noise:0.1`.

use super::branch::Control;
use crate::error::{Error, Result};
use std::fmt;
use std::str::FromStr;

impl Control {
    /// The word without its number: `noise` of `noise:0.1`.
    pub fn word(self) -> &'static str {
        match self {
            Control::Reinit => "reinit",
            Control::Signs => "signs",
            Control::Shuffle => "shuffle",
            Control::Order => "order",
            Control::SmallDense => "small-dense",
            Control::Random => "random",
            Control::OneShot => "one-shot",
            Control::Permute => "permute",
            Control::ConstantSigns => "constant-signs",
            Control::ShuffleAcross => "shuffle-across",
            Control::ShuffleDegrees => "shuffle-degrees",
            Control::Noise(_) => "noise",
            Control::NoiseKeepingSigns(_) => "noise-keeping-signs",
        }
    }

    /// The size of the noise, of those that have one.
    pub fn tau(self) -> Option<f64> {
        match self {
            Control::Noise(tau) | Control::NoiseKeepingSigns(tau) => Some(tau),
            _ => None,
        }
    }
}

impl fmt::Display for Control {
    /// The word on the command line and in tables, with the size where there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tau() {
            Some(tau) => write!(f, "{}:{tau}", self.word()),
            None => f.write_str(self.word()),
        }
    }
}

impl FromStr for Control {
    type Err = Error;

    /// A word of [`Control::ALL`]; noise is followed by its size, as in `noise:0.1`.
    fn from_str(text: &str) -> Result<Self> {
        let (word, size) = text
            .split_once(':')
            .map_or((text, None), |(word, size)| (word, Some(size)));
        let found = Control::ALL.into_iter().find(|c| c.word() == word);
        let found = found.ok_or_else(|| Error::unknown("control", word, Control::ALL.map(Control::word)))?;
        let tau = || {
            let tau = size.and_then(|size| size.parse::<f64>().ok());
            let tau = tau.filter(|tau| *tau > 0.0 && tau.is_finite());
            tau.ok_or_else(|| Error::argument("controls", format!("{word}:TAU with a positive number TAU"), text))
        };
        match found {
            Control::Noise(_) => tau().map(Control::Noise),
            Control::NoiseKeepingSigns(_) => tau().map(Control::NoiseKeepingSigns),
            _ if size.is_some() => Err(Error::argument("controls", format!("{word} without a number"), text)),
            plain => Ok(plain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_control_reads_its_own_words_back_and_mistakes_are_named() {
        for control in Control::ALL {
            assert_eq!(control.to_string().parse::<Control>().unwrap(), control);
        }
        assert_eq!("noise:1e-1".parse::<Control>().unwrap().to_string(), "noise:0.1");
        for (text, words) in [
            ("re-init", "did you mean 'reinit'"),
            ("nois:0.1", "did you mean 'noise'"),
            ("noise", "noise:TAU"),
            ("noise:", "noise:TAU"),
            ("noise:-1", "noise:TAU"),
            ("noise-keeping-signs:NaN", "noise-keeping-signs:TAU"),
            ("shuffle:0.1", "shuffle without a number"),
        ] {
            let refused = text.parse::<Control>().unwrap_err().to_string();
            assert!(refused.contains(words), "{text}: {refused}");
        }
    }
}
