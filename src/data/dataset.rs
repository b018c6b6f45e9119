//! Labelled samples with fixed splits, a named normalisation and a checksum.

use super::normalisation::{Affine, Normalisation};
use crate::error::{Error, Result};
use crate::files::hex;
use crate::seed::Seed;
use rand::seq::SliceRandom;
use sha2::{Digest, Sha256};
use std::fmt;

/// The size of one sample seen as an image; a plain vector of n features is `1×1×n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ImageShape {
    /// Colour planes.
    pub channels: usize,
    /// Pixels down.
    pub height: usize,
    /// Pixels across.
    pub width: usize,
}

impl ImageShape {
    /// The number of features, `channels · height · width`; `None` when it does not fit the machine.
    pub fn features(self) -> Option<usize> {
        self.channels.checked_mul(self.height)?.checked_mul(self.width)
    }
}

impl fmt::Display for ImageShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{}×{}", self.channels, self.height, self.width)
    }
}

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
}

impl RawValues<'_> {
    fn len(&self) -> usize {
        match self {
            RawValues::Bytes { values, .. } => values.len(),
            RawValues::Reals(values) => values.len(),
        }
    }

    fn get(&self, index: usize) -> f64 {
        match self {
            RawValues::Bytes { values, .. } => f64::from(values[index]),
            RawValues::Reals(values) => f64::from(values[index]),
        }
    }
}

/// Everything a [`Dataset`] is made of.
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

/// Labelled samples, ready for a network.
///
/// Inputs are samples × features, row-major, `f32`, normalised. The checksum names the content: SHA-256 over the text
/// `ticketsense-data-1`, then as little-endian `u64` channels, height, width, classes and samples, then `b` with the
/// maximum and the raw bytes, or `r` and the raw `f32`s (little-endian), the labels, the three splits each after its
/// length, and the name of the normalisation. The name of the data set and the packing of its files do not enter.
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::data::{self, DataChoice, Split};
/// let digits = data::load(&DataChoice::Digits)?;
/// let few = digits.stratified(100, &Seed::root(0))?;
/// let inputs: Vec<f64> = digits.rows(&few)?;
/// assert_eq!(inputs.len(), 100 * digits.features());
/// assert_eq!(digits.class_counts(&few)?, [10; 10]);
/// assert_eq!(digits.split(Split::Test).len(), 359);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Dataset {
    name: String,
    image: ImageShape,
    features: usize,
    classes: usize,
    inputs: Vec<f32>,
    labels: Vec<usize>,
    splits: Splits,
    normalisation: Normalisation,
    checksum: String,
}

impl Dataset {
    /// Checks, normalises and names some content.
    ///
    /// # Errors
    /// [`Error::Shape`] when values, labels and shape disagree; [`Error::Argument`] for an empty training split, a
    /// label or index out of range, an index in two splits, a pixel above its maximum, or [`Normalisation::Unit`] of
    /// real features; [`Error::NotFinite`]; [`Error::Numerical`] when constant pixels are to be standardised.
    ///
    /// Cost: two passes over the values and one SHA-256 of them.
    pub fn new(content: Content<'_>, normalisation: Normalisation) -> Result<Self> {
        let features = check(&content)?;
        let Content {
            name,
            image,
            classes,
            values,
            labels,
            splits,
        } = content;
        let map = match (normalisation, values) {
            (Normalisation::Raw, _) => Affine::IDENTITY,
            (Normalisation::Unit, RawValues::Bytes { maximum, .. }) => Affine {
                shift: 0.0,
                factor: 1.0 / f64::from(maximum),
            },
            (Normalisation::Unit, RawValues::Reals(_)) => {
                return Err(Error::argument(
                    "normalisation",
                    "raw or standardised for real features",
                    normalisation,
                ));
            }
            (Normalisation::Standardised, _) => Affine::standardising(
                splits
                    .train
                    .iter()
                    .flat_map(|&i| (i * features..(i + 1) * features).map(|j| values.get(j))),
            )?,
        };
        let checksum = checksum(image, classes, values, &labels, &splits, normalisation);
        let inputs = match values {
            RawValues::Bytes { values, .. } => {
                let table: Vec<f32> = (0..=u8::MAX).map(|v| map.apply(f64::from(v))).collect();
                values.iter().map(|&v| table[usize::from(v)]).collect()
            }
            RawValues::Reals(values) => values.iter().map(|&v| map.apply(f64::from(v))).collect(),
        };
        Ok(Dataset {
            name,
            image,
            features,
            classes,
            inputs,
            labels,
            splits,
            normalisation,
            checksum,
        })
    }

    /// The name in reports.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of samples, of all splits.
    pub fn samples(&self) -> usize {
        self.labels.len()
    }

    /// The number of features of a sample.
    pub fn features(&self) -> usize {
        self.features
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// A sample's shape as an image.
    pub fn image(&self) -> ImageShape {
        self.image
    }

    /// All inputs, samples × features, row-major.
    pub fn inputs(&self) -> &[f32] {
        &self.inputs
    }

    /// All labels.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// The sample indices of a split.
    pub fn split(&self, split: Split) -> &[usize] {
        self.splits.of(split)
    }

    /// The scale of the inputs.
    pub fn normalisation(&self) -> Normalisation {
        self.normalisation
    }

    /// What the content is, as 64 hexadecimal digits; see [`Dataset`].
    pub fn checksum(&self) -> &str {
        &self.checksum
    }

    /// The inputs of some samples, rows in the order asked for, as `f32` or `f64`.
    ///
    /// # Errors
    /// [`Error::Argument`] for an index that is no sample.
    pub fn rows<T: From<f32>>(&self, indices: &[usize]) -> Result<Vec<T>> {
        self.check_indices(indices)?;
        let mut out = Vec::with_capacity(indices.len() * self.features);
        for &i in indices {
            out.extend(self.row_of(i).iter().map(|&v| T::from(v)));
        }
        Ok(out)
    }

    /// As [`Dataset::rows`], into a buffer of `indices.len() · features` numbers.
    ///
    /// # Errors
    /// [`Error::Argument`] for an index that is no sample, [`Error::Shape`] for a buffer of another length.
    pub fn rows_into<T: From<f32>>(&self, indices: &[usize], out: &mut [T]) -> Result<()> {
        self.check_indices(indices)?;
        if out.len() != indices.len() * self.features {
            return Err(Error::shape(
                "buffer for rows",
                indices.len() * self.features,
                out.len(),
            ));
        }
        for (&i, target) in indices.iter().zip(out.chunks_exact_mut(self.features)) {
            for (t, &v) in target.iter_mut().zip(self.row_of(i)) {
                *t = T::from(v);
            }
        }
        Ok(())
    }

    /// The labels of some samples.
    ///
    /// # Errors
    /// [`Error::Argument`] for an index that is no sample.
    pub fn labels_of(&self, indices: &[usize]) -> Result<Vec<usize>> {
        self.check_indices(indices)?;
        Ok(indices.iter().map(|&i| self.labels[i]).collect())
    }

    /// How many of some samples belong to each class.
    ///
    /// # Errors
    /// [`Error::Argument`] for an index that is no sample.
    pub fn class_counts(&self, indices: &[usize]) -> Result<Vec<usize>> {
        let mut counts = vec![0; self.classes];
        for label in self.labels_of(indices)? {
            counts[label] += 1;
        }
        Ok(counts)
    }

    /// `count` training samples with balanced classes, as ascending indices.
    ///
    /// Class counts differ by at most one, except that a class with too few training samples gives all it has. The
    /// same seed gives nested samples: a smaller one lies within a larger one.
    ///
    /// # Errors
    /// [`Error::Argument`] when `count` is 0 or above the size of the training split.
    pub fn stratified(&self, count: usize, seed: &Seed) -> Result<Vec<usize>> {
        let train = self.split(Split::Train);
        if count == 0 || count > train.len() {
            return Err(Error::argument("samples", format!("1 to {}", train.len()), count));
        }
        let stream = seed.stream("stratified");
        let mut members = vec![Vec::new(); self.classes];
        for &i in train {
            members[self.labels[i]].push(i);
        }
        for (class, members) in members.iter_mut().enumerate() {
            members.shuffle(&mut stream.stream(format!("class {class}")).rng());
        }
        // Which classes give one more is drawn as well, so that no class is favoured by its number.
        members.shuffle(&mut stream.stream("order of classes").rng());
        let mut chosen: Vec<usize> = (0..)
            .flat_map(|round| members.iter().filter_map(move |m| m.get(round).copied()))
            .take(count)
            .collect();
        chosen.sort_unstable();
        Ok(chosen)
    }

    /// One line for people: name, sizes, normalisation and the head of the checksum.
    pub fn describe(&self) -> String {
        format!(
            "{}: {} samples of {} in {} classes ({} training, {} validation, {} test), inputs {}, checksum {}",
            self.name,
            self.samples(),
            self.image,
            self.classes,
            self.splits.train.len(),
            self.splits.validation.len(),
            self.splits.test.len(),
            self.normalisation,
            &self.checksum[..12],
        )
    }

    fn row_of(&self, index: usize) -> &[f32] {
        &self.inputs[index * self.features..(index + 1) * self.features]
    }

    fn check_indices(&self, indices: &[usize]) -> Result<()> {
        match indices.iter().find(|&&i| i >= self.samples()) {
            None => Ok(()),
            Some(i) => Err(Error::argument("sample index", format!("below {}", self.samples()), i)),
        }
    }
}

impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dataset({})", self.describe())
    }
}

/// The number of features, once everything fits together.
fn check(content: &Content<'_>) -> Result<usize> {
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

fn checksum(
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

#[cfg(test)]
#[path = "dataset_tests.rs"]
mod tests;
