//! What is done to raw values before a network sees them: named, so that it belongs to the identity of a data set.

use crate::error::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// A choice of scale for the inputs, the same affine map for every pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Normalisation {
    /// As stored.
    Raw,
    /// Divided by the largest value that the format can hold (16 for digits, 255 for bytes): `[0, 1]`, black stays 0.
    Unit,
    /// Mean 0 and variance 1 over all pixels of the training split together; the other splits are mapped alike.
    Standardised,
}

impl Normalisation {
    /// Every choice.
    pub const ALL: [Normalisation; 3] = [Normalisation::Raw, Normalisation::Unit, Normalisation::Standardised];

    /// The word in reports and checksums.
    pub fn as_str(self) -> &'static str {
        match self {
            Normalisation::Raw => "raw",
            Normalisation::Unit => "unit",
            Normalisation::Standardised => "standardised",
        }
    }
}

impl fmt::Display for Normalisation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Normalisation {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        Normalisation::ALL
            .into_iter()
            .find(|n| n.as_str() == word)
            .ok_or_else(|| Error::unknown("normalisation", word, Normalisation::ALL.map(Normalisation::as_str)))
    }
}

/// The affine map `x ↦ (x − shift) · factor`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Affine {
    pub(super) shift: f64,
    pub(super) factor: f64,
}

impl Affine {
    pub(super) const IDENTITY: Affine = Affine {
        shift: 0.0,
        factor: 1.0,
    };

    /// The map to mean 0 and population variance 1, from a two-pass mean and variance.
    pub(super) fn standardising(values: impl Iterator<Item = f64> + Clone) -> Result<Self> {
        let mut count = 0.0;
        let mut sum = 0.0;
        for value in values.clone() {
            count += 1.0;
            sum += value;
        }
        let mean = sum / count;
        let variance = values.map(|v| (v - mean) * (v - mean)).sum::<f64>() / count;
        if variance > 0.0 && variance.is_finite() {
            Ok(Affine {
                shift: mean,
                factor: 1.0 / variance.sqrt(),
            })
        } else {
            Err(Error::numerical(
                "standardised inputs",
                format!("the training pixels have variance {variance}, which cannot be scaled to 1"),
            ))
        }
    }

    pub(super) fn apply(self, value: f64) -> f32 {
        ((value - self.shift) * self.factor) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_normalisation_reads_its_own_name_back() {
        for choice in Normalisation::ALL {
            assert_eq!(choice.to_string().parse::<Normalisation>().unwrap(), choice);
        }
        let error = "standardized".parse::<Normalisation>().unwrap_err().to_string();
        assert!(error.contains("did you mean 'standardised'"), "{error}");
    }

    #[test]
    fn standardising_one_and_three_shifts_by_two_and_keeps_the_scale() {
        // Mean 2 and population variance 1, exact in binary.
        let map = Affine::standardising([1.0, 3.0, 1.0, 3.0].into_iter()).unwrap();
        assert_eq!(
            map,
            Affine {
                shift: 2.0,
                factor: 1.0
            }
        );
        assert_eq!(map.apply(5.0), 3.0);
    }

    #[test]
    fn constant_pixels_cannot_be_standardised() {
        assert!(Affine::standardising([4.0; 3].into_iter()).is_err());
    }
}
