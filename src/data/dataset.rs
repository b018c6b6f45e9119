//! Labelled samples with fixed splits, a named normalisation and a checksum.

use super::content::{Content, RawValues, Split, Splits, check, checksum};
use super::normalisation::{Affine, Normalisation};
use crate::error::{Error, Result};
use crate::networks::{Array, ImageShape, InputShape, Real};
use crate::seed::Seed;
use rand::seq::SliceRandom;
use std::fmt;

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
    vocabulary: Option<usize>,
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
    /// label or index out of range, an index in two splits, a pixel above its maximum or a token beyond the vocabulary,
    /// [`Normalisation::Unit`] of real features or any but [`Normalisation::Raw`] of tokens; [`Error::NotFinite`]; [`Error::Numerical`] when constant pixels are to be standardised.
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
            (_, RawValues::Tokens { .. }) => {
                return Err(Error::argument("normalisation", "raw for tokens", normalisation));
            }
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
            RawValues::Tokens { values, .. } => values.iter().map(|&v| f32::from(v)).collect(),
        };
        let vocabulary = match values {
            RawValues::Tokens { vocabulary, .. } => Some(vocabulary),
            RawValues::Bytes { .. } | RawValues::Reals(_) => None,
        };
        Ok(Dataset {
            name,
            image,
            vocabulary,
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

    /// What a network is fed with: tokens, an image, or plain features.
    pub fn shape(&self) -> InputShape {
        match (self.vocabulary, self.image) {
            (Some(vocabulary), _) => InputShape::Tokens {
                length: self.features,
                vocabulary,
            },
            (
                None,
                ImageShape {
                    channels: 1, height: 1, ..
                },
            ) => InputShape::Features(self.features),
            (None, image) => InputShape::Image(image),
        }
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

    /// Inputs and labels of the training, validation and test split, for a program that holds the data once: where the
    /// splits follow one another, as those of the real sets do, the training inputs are not copied.
    ///
    /// # Errors
    /// None for a data set that was made by [`Dataset::new`].
    pub fn into_splits(mut self) -> Result<[(Array<f32>, Vec<usize>); 3]> {
        let splits = std::mem::take(&mut self.splits);
        let lists = Split::ALL.map(|split| splits.of(split));
        let labels = [0, 1, 2].map(|k: usize| lists[k].iter().map(|&i| self.labels[i]).collect::<Vec<usize>>());
        let in_order = lists.iter().copied().flatten().copied().eq(0..self.labels.len());
        let parts = if in_order {
            let mut rest = std::mem::take(&mut self.inputs);
            let mut last = rest.split_off((lists[0].len() + lists[1].len()) * self.features);
            let middle = rest.split_off(lists[0].len() * self.features);
            rest.shrink_to_fit();
            last.shrink_to_fit();
            [rest, middle, last]
        } else {
            [self.rows(lists[0])?, self.rows(lists[1])?, self.rows(lists[2])?]
        };
        let mut labels = labels.into_iter();
        let mut of = |values: Vec<f32>| -> Result<(Array<f32>, Vec<usize>)> {
            let labels = labels.next().unwrap_or_default();
            Ok((Array::new(labels.len(), self.features, values)?, labels))
        };
        let [train, validation, test] = parts;
        Ok([of(train)?, of(validation)?, of(test)?])
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

    /// The inputs of some samples as a batch for a network, rows in the order asked for.
    ///
    /// # Errors
    /// [`Error::Argument`] for an index that is no sample.
    pub fn batch<T: Real + From<f32>>(&self, indices: &[usize]) -> Result<Array<T>> {
        Array::new(indices.len(), self.features, self.rows(indices)?)
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
            self.shape(),
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

#[cfg(test)]
#[path = "dataset_tests.rs"]
mod tests;
