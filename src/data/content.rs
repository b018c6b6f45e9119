//! What a data set is made of, before it is normalised: shape, values, labels and splits, their checks and checksum.

use super::normalisation::Normalisation;
use crate::error::{Error, Result};
use crate::files::hex;
use crate::networks::ImageShape;
use sha2::{Digest, Sha256};
use std::fmt;

/// Which part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Split {
    /// For fitting weights.
    Train,
    /// For choices made between runs: stopping, rewind points, penalties.
    Validation,
    /// For reported numbers only.
    Test,
}

impl Split {
    /// Every split.
    pub const ALL: [Split; 3] = [Split::Train, Split::Validation, Split::Test];

    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Validation => "validation",
            Split::Test => "test",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Sample indices of each split, in the order in which they are walked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Splits {
    /// Indices of [`Split::Train`].
    pub train: Vec<usize>,
    /// Indices of [`Split::Validation`]; may be empty.
    pub validation: Vec<usize>,
    /// Indices of [`Split::Test`]; may be empty.
    pub test: Vec<usize>,
}

impl Splits {
    /// The indices of one split.
    pub fn of(&self, split: Split) -> &[usize] {
        match split {
            Split::Train => &self.train,
            Split::Validation => &self.validation,
            Split::Test => &self.test,
        }
    }

    /// Splits for `train` samples followed by `test` samples: the last twelfth of the first part, rounded down, is the
    /// validation split (5,000 of MNIST's 60,000).
    pub fn last_twelfth_validates(train: usize, test: usize) -> Self {
        let fitted = train - train / 12;
        Splits {
            train: (0..fitted).collect(),
            validation: (fitted..train).collect(),
            test: (train..train + test).collect(),
        }
    }
}

impl Splits {
    /// Sample i tests for i mod 5 = 4, validates for i mod 10 = 3, and trains otherwise.
    pub fn by_number(samples: usize) -> Self {
        let mut splits = Splits::default();
        for i in 0..samples {
            match i {
                _ if i % 5 == 4 => splits.test.push(i),
                _ if i % 10 == 3 => splits.validation.push(i),
                _ => splits.train.push(i),
            }
        }
        splits
    }
}

/// Values before normalisation, row-major, one sample a row.
#[derive(Clone, Copy, Debug)]
pub enum RawValues<'a> {
    /// Pixels from 0 to `maximum`.
    Bytes {
        /// One byte a pixel.
        values: &'a [u8],
        /// The largest value of the format: what [`Normalisation::Unit`] divides by.
        maximum: u8,
    },
    /// Real features, which have no natural maximum.
    Reals(&'a [f32]),
    /// Tokens from 0 below `vocabulary`: names, not quantities, and never scaled.
    Tokens {
        /// One byte a place.
        values: &'a [u8],
        /// Different tokens, at most 256.
        vocabulary: usize,
    },
}

impl RawValues<'_> {
    fn len(&self) -> usize {
        match self {
            RawValues::Bytes { values, .. } | RawValues::Tokens { values, .. } => values.len(),
            RawValues::Reals(values) => values.len(),
        }
    }

    pub(super) fn get(&self, index: usize) -> f64 {
        match self {
            RawValues::Bytes { values, .. } | RawValues::Tokens { values, .. } => f64::from(values[index]),
            RawValues::Reals(values) => f64::from(values[index]),
        }
    }
}

/// Everything a [`Dataset`](super::Dataset) is made of.
#[derive(Clone, Debug)]
pub struct Content<'a> {
    /// Name in reports.
    pub name: String,
    /// Shape of a sample.
    pub image: ImageShape,
    /// Number of classes.
    pub classes: usize,
    /// Samples × features, before normalisation.
    pub values: RawValues<'a>,
    /// One class a sample.
    pub labels: Vec<usize>,
    /// Which samples serve what.
    pub splits: Splits,
}

/// The number of features, once everything fits together.
pub(super) fn check(content: &Content<'_>) -> Result<usize> {
    let samples = content.labels.len();
    let features = content.image.features().filter(|&f| f > 0);
    let features =
        features.ok_or_else(|| Error::argument("image shape", "at least one pixel, within memory", content.image))?;
    if features.checked_mul(samples) != Some(content.values.len()) {
        return Err(Error::shape(
            format!("values of {}", content.name),
            format!("{samples} samples × {features} features"),
            content.values.len(),
        ));
    }
    if let Some((i, label)) = content.labels.iter().enumerate().find(|(_, l)| **l >= content.classes) {
        return Err(Error::argument(
            "label",
            format!("below {} classes", content.classes),
            format!("{label} at sample {i}"),
        ));
    }
    if content.splits.train.is_empty() {
        return Err(Error::argument("training split", "at least one sample", "none"));
    }
    let mut used = vec![false; samples];
    for split in Split::ALL {
        for &i in content.splits.of(split) {
            match used.get_mut(i) {
                Some(seen) if !*seen => *seen = true,
                found => {
                    let why = if found.is_some() { "used twice" } else { "no sample" };
                    let expected = format!("distinct indices below {samples}");
                    return Err(Error::argument(
                        format!("{split} split"),
                        expected,
                        format!("{i}, {why}"),
                    ));
                }
            }
        }
    }
    match content.values {
        RawValues::Bytes { values, maximum } => match values.iter().position(|&v| v > maximum) {
            _ if maximum == 0 => Err(Error::argument("largest pixel value", "at least 1", maximum)),
            None => Ok(features),
            Some(j) => Err(Error::argument(
                "pixel",
                format!("at most {maximum}"),
                format!("{} in sample {}", values[j], j / features),
            )),
        },
        RawValues::Tokens { values, vocabulary } => match values.iter().position(|&v| usize::from(v) >= vocabulary) {
            None => Ok(features),
            Some(j) => Err(Error::argument(
                "token",
                format!("below the vocabulary of {vocabulary}"),
                format!("{} in sample {}", values[j], j / features),
            )),
        },
        RawValues::Reals(values) => match values.iter().position(|v| !v.is_finite()) {
            None => Ok(features),
            Some(index) => Err(Error::NotFinite {
                what: format!("inputs of {}", content.name),
                index,
                value: f64::from(values[index]),
            }),
        },
    }
}

/// The hash that [`super::Dataset`] documents.
pub(super) fn checksum(
    image: ImageShape,
    classes: usize,
    values: RawValues<'_>,
    labels: &[usize],
    splits: &Splits,
    normalisation: Normalisation,
) -> String {
    fn number(hash: &mut Sha256, n: usize) {
        hash.update((n as u64).to_le_bytes());
    }
    let mut hash = Sha256::new();
    hash.update(b"ticketsense-data-1");
    for n in [image.channels, image.height, image.width, classes, labels.len()] {
        number(&mut hash, n);
    }
    match values {
        RawValues::Bytes { values, maximum } => {
            hash.update([b'b', maximum]);
            hash.update(values);
        }
        RawValues::Tokens { values, vocabulary } => {
            hash.update(b"t");
            number(&mut hash, vocabulary);
            hash.update(values);
        }
        RawValues::Reals(values) => {
            hash.update(b"r");
            values.iter().for_each(|v| hash.update(v.to_le_bytes()));
        }
    }
    labels.iter().for_each(|&l| number(&mut hash, l));
    for split in Split::ALL {
        number(&mut hash, splits.of(split).len());
        splits.of(split).iter().for_each(|&i| number(&mut hash, i));
    }
    hash.update(normalisation.as_str());
    hex(&hash.finalize())
}
