//! Batches of samples mixed in pairs: mixup and CutMix.

use super::words::Words;
use crate::data::ImageShape;
use crate::error::{Error, Result};
use crate::networks::{Array, Real};
use crate::seed::Seed;
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_distr::{Beta, Distribution};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// How every sample of a batch is mixed with another one of the same batch.
///
/// A batch draws one share `λ ~ Beta(α, α)` and one random partner for every sample, both from the random stream of its
/// step alone. Targets are mixed as `λ t + (1 − λ) t'`.
///
/// - Mixup: inputs are mixed likewise (Zhang, Cissé, Dauphin & Lopez-Paz, ICLR 2018);
/// - CutMix: a box of area about `1 − λ` is taken from the partner, with its centre drawn uniformly and its overhang cut
///   off; λ becomes the exact share of pixels that stayed (Yun et al., ICCV 2019).
///
/// ```
/// use ticketsense::training::Mixing;
/// assert_eq!("mixup".parse::<Mixing>()?, Mixing::Mixup { alpha: 1.0 });
/// assert_eq!("cutmix:alpha=0.5,shape=3x32x32".parse::<Mixing>()?.to_string(), "cutmix:alpha=0.5,shape=3x32x32");
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Mixing {
    /// Inputs are averaged.
    Mixup {
        /// α of the Beta distribution, positive; small values mix little.
        alpha: f64,
    },
    /// A box of the image is replaced.
    CutMix {
        /// α of the Beta distribution, positive.
        alpha: f64,
        /// How the features of a sample are an image: channel by channel, row by row.
        shape: ImageShape,
    },
}

impl Mixing {
    /// Mixing by name, with the shape of images where the text does not give one: `mixup:alpha=0.2`, `cutmix`,
    /// `cutmix:alpha=1,shape=1x28x28`. Without `alpha` it is 1.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest name, [`Error::Argument`] on a number out of range or a missing shape.
    pub fn named(text: &str, image: impl Into<Option<ImageShape>>) -> Result<Self> {
        let mut words = Words::split("mixing", text)?;
        let alpha = words.number("alpha", 1.0)?;
        let (mixing, known): (_, &[&str]) = match words.name {
            "mixup" => (Mixing::Mixup { alpha }, &["alpha"]),
            "cutmix" => {
                let given: Option<Sizes> = words.take("shape", "CHANNELSxHEIGHTxWIDTH")?;
                let shape = given.map(|sizes| sizes.0).or(image.into());
                let shape = shape.ok_or_else(|| words.refuse("cutmix:shape=CHANNELSxHEIGHTxWIDTH"))?;
                (Mixing::CutMix { alpha, shape }, &["alpha", "shape"])
            }
            other => return Err(Error::unknown("mixing", other, ["mixup", "cutmix"])),
        };
        words.finish(known)?;
        mixing.check_alpha()?;
        Ok(mixing)
    }

    fn alpha(&self) -> f64 {
        match *self {
            Mixing::Mixup { alpha } | Mixing::CutMix { alpha, .. } => alpha,
        }
    }

    fn check_alpha(&self) -> Result<Beta<f64>> {
        let alpha = self.alpha();
        let refuse = || Error::argument("alpha of the mixing", "a positive number", alpha);
        if !(alpha > 0.0 && alpha.is_finite()) {
            return Err(refuse());
        }
        Beta::new(alpha, alpha).map_err(|_| refuse())
    }

    /// Refuses a Beta distribution that does not exist, and an image that samples of `features` features are not.
    ///
    /// # Errors
    /// [`Error::Argument`] naming the number or the image.
    pub fn validate(&self, features: usize) -> Result<()> {
        self.check_alpha()?;
        match self {
            Mixing::CutMix { shape, .. } if shape.features() != Some(features) => {
                let expected = format!("{features} features");
                Err(Error::argument("image of the mixing", expected, shape))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Mixing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mixing::Mixup { alpha } => write!(f, "mixup:alpha={alpha}"),
            Mixing::CutMix { alpha, shape } => write!(
                f,
                "cutmix:alpha={alpha},shape={}x{}x{}",
                shape.channels, shape.height, shape.width
            ),
        }
    }
}

impl FromStr for Mixing {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Mixing::named(text, None)
    }
}

/// Sizes joined by `x`.
struct Sizes(ImageShape);

impl FromStr for Sizes {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        let sizes: Vec<usize> = text
            .split('x')
            .map(|size| size.parse().map_err(|_| ()))
            .collect::<std::result::Result<_, _>>()?;
        match sizes[..] {
            [channels, height, width] => Ok(Sizes(ImageShape {
                channels,
                height,
                width,
            })),
            _ => Err(()),
        }
    }
}

/// A batch after mixing, and the buffers for it.
#[derive(Debug)]
pub(super) struct MixedBatch<T> {
    mixing: Mixing,
    law: Beta<f64>,
    /// Mixed inputs, batch × features.
    pub inputs: Array<T>,
    /// Mixed targets, batch × classes.
    pub targets: Array<T>,
    /// All rows of the two.
    pub rows: Vec<usize>,
    partners: Vec<usize>,
}

impl<T: Real> MixedBatch<T> {
    /// Buffers for batches of `batch` samples.
    ///
    /// # Errors
    /// As [`Mixing::validate`].
    pub fn new(mixing: Mixing, batch: usize, features: usize, classes: usize) -> Result<Self> {
        mixing.validate(features)?;
        Ok(MixedBatch {
            law: mixing.check_alpha()?,
            mixing,
            inputs: Array::zeros(batch, features),
            targets: Array::zeros(batch, classes),
            rows: (0..batch).collect(),
            partners: Vec::new(),
        })
    }

    /// Mixes the given rows of a data set, as many as a batch has; `stream` is that of this step. Returns λ, the share of
    /// the samples themselves.
    pub fn fill(&mut self, inputs: &Array<T>, targets: &Array<T>, rows: &[usize], stream: &Seed) -> f64 {
        let mut rng = stream.rng();
        let mut share = self.law.sample(&mut rng).clamp(0.0, 1.0);
        self.partners.clear();
        self.partners.extend_from_slice(rows);
        self.partners.shuffle(&mut rng);
        match self.mixing {
            Mixing::Mixup { .. } => average(&mut self.inputs, inputs, rows, &self.partners, share),
            Mixing::CutMix { shape, .. } => {
                let centre = (rng.random_range(0..shape.height), rng.random_range(0..shape.width));
                let (down, across) = cut(shape, share, centre);
                let removed = (down.len() * across.len()) as f64;
                share = 1.0 - removed / (shape.height * shape.width) as f64;
                let features = inputs.columns();
                let out = self.inputs.as_mut_slice().chunks_exact_mut(features);
                for ((out, &row), &partner) in out.zip(rows).zip(&self.partners) {
                    out.copy_from_slice(inputs.row(row));
                    for channel in 0..shape.channels {
                        for y in down.clone() {
                            let start = (channel * shape.height + y) * shape.width;
                            let cut = start + across.start..start + across.end;
                            out[cut.clone()].copy_from_slice(&inputs.row(partner)[cut]);
                        }
                    }
                }
            }
        }
        average(&mut self.targets, targets, rows, &self.partners, share);
        share
    }
}

/// `out ← λ · rows + (1 − λ) · partners`.
fn average<T: Real>(out: &mut Array<T>, values: &Array<T>, rows: &[usize], partners: &[usize], share: f64) {
    let (own, other) = (T::of(share), T::of(1.0 - share));
    let columns = values.columns();
    let pairs = rows.iter().zip(partners);
    for (out, (&row, &partner)) in out.as_mut_slice().chunks_exact_mut(columns).zip(pairs) {
        for ((out, a), b) in out.iter_mut().zip(values.row(row)).zip(values.row(partner)) {
            *out = own * *a + other * *b;
        }
    }
}

/// The box of area `1 − λ` of the image around a centre, within the image: rows and columns.
fn cut(shape: ImageShape, share: f64, centre: (usize, usize)) -> (Range<usize>, Range<usize>) {
    let side = (1.0 - share).sqrt();
    let along = |length: usize, middle: usize| {
        let size = (side * length as f64) as usize;
        let start = middle as isize - (size / 2) as isize;
        let inside = |place: isize| place.clamp(0, length as isize) as usize;
        inside(start)..inside(start + size as isize)
    };
    (along(shape.height, centre.0), along(shape.width, centre.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: ImageShape = ImageShape {
        channels: 2,
        height: 5,
        width: 4,
    };

    /// Ten samples whose every feature is the number of the sample, and targets that say it too.
    fn numbered() -> (Array<f64>, Array<f64>) {
        let inputs = Array::from_fn(10, 40, |i, _| i as f64);
        (inputs, Array::from_fn(10, 10, |i, c| f64::from(u8::from(i == c))))
    }

    fn mixed(mixing: Mixing, rows: &[usize], step: u64) -> (MixedBatch<f64>, f64) {
        let (inputs, targets) = numbered();
        let mut batch = MixedBatch::new(mixing, rows.len(), 40, 10).unwrap();
        let share = batch.fill(&inputs, &targets, rows, &Seed::root(1).replicate(step));
        (batch, share)
    }

    #[test]
    fn mixup_averages_inputs_and_targets_by_the_same_share() {
        let rows = [7, 2, 5, 3];
        for step in 0..50 {
            let (batch, share) = mixed(Mixing::Mixup { alpha: 0.5 }, &rows, step);
            for (k, &row) in rows.iter().enumerate() {
                let partner = batch.partners[k];
                let expected = share * row as f64 + (1.0 - share) * partner as f64;
                assert!(rows.contains(&partner) && batch.inputs.row(k).iter().all(|v| *v == expected));
                let mean: f64 = batch.targets.row(k).iter().enumerate().map(|(c, t)| c as f64 * t).sum();
                let total: f64 = batch.targets.row(k).iter().sum();
                // Two roundings of products of numbers below 10.
                assert!((mean - expected).abs() <= 32.0 * f64::EPSILON && (total - 1.0).abs() <= f64::EPSILON);
            }
        }
    }

    #[test]
    fn cutmix_replaces_one_box_of_all_channels_and_mixes_targets_by_its_exact_area() {
        let rows = [7, 2, 5, 3];
        let mut areas = Vec::new();
        for step in 0..200 {
            let (batch, share) = mixed(
                Mixing::CutMix {
                    alpha: 1.0,
                    shape: SHAPE,
                },
                &rows,
                step,
            );
            for (k, &row) in rows.iter().enumerate() {
                let partner = batch.partners[k];
                let image = batch.inputs.row(k);
                let foreign: Vec<usize> = (0..40).filter(|&i| image[i] != row as f64).collect();
                assert!(foreign.iter().all(|&i| image[i] == partner as f64));
                if partner != row {
                    assert_eq!(share, 1.0 - (foreign.len() / 2) as f64 / 20.0);
                    let (first, second): (Vec<usize>, Vec<usize>) = foreign.iter().partition(|&&i| i < 20);
                    assert!(first.iter().map(|i| i + 20).eq(second.iter().copied()));
                    let (y, x): (Vec<usize>, Vec<usize>) = first.iter().map(|i| (i / 4, i % 4)).unzip();
                    let extent = |v: &[usize]| v.iter().max().map_or(0, |top| top + 1 - v.iter().min().unwrap());
                    assert_eq!(extent(&y) * extent(&x), first.len(), "a box without holes");
                    assert_eq!(batch.targets.row(k)[row], share);
                }
            }
            areas.push(share);
        }
        assert!(areas.iter().any(|share| *share < 0.5) && areas.contains(&1.0));
    }

    #[test]
    fn the_box_has_its_closed_form_and_stays_within_the_image() {
        // Half the height and half the width: 2 of 5 rows, 2 of 4 columns.
        assert_eq!(cut(SHAPE, 0.75, (2, 2)), (1..3, 1..3));
        assert_eq!(cut(SHAPE, 0.75, (0, 3)), (0..1, 2..4));
        assert_eq!(cut(SHAPE, 0.0, (2, 2)), (0..5, 0..4));
        let (down, across) = cut(SHAPE, 1.0, (4, 0));
        assert!(down.is_empty() && across.is_empty());
    }

    #[test]
    fn the_share_follows_its_law_and_depends_on_the_step_alone() {
        let share = |alpha: f64, step: u64| mixed(Mixing::Mixup { alpha }, &[1, 2], step).1;
        for alpha in [0.3, 1.0, 4.0] {
            let shares: Vec<f64> = (0..4000).map(|step| share(alpha, step)).collect();
            // Mean 1/2 and variance 1/(4(2α+1)) ≤ 1/4; five standard errors of 4,000 draws each. The fourth central
            // moment is at most that of two points, 1/16, so the variance's error is at most √(1/16/4000).
            let variance = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            let mean = shares.iter().sum::<f64>() / 4000.0;
            let seen = shares.iter().map(|s| (s - 0.5) * (s - 0.5)).sum::<f64>() / 4000.0;
            assert!((mean - 0.5).abs() < 5.0 * (variance / 4000.0).sqrt(), "{alpha}: {mean}");
            assert!(
                (seen - variance).abs() < 5.0 * (1.0 / 16.0 / 4000.0f64).sqrt(),
                "{alpha}: {seen}"
            );
            assert_eq!(share(alpha, 17), shares[17]);
        }
    }

    #[test]
    fn mixings_read_their_own_words_back_and_what_cannot_be_is_refused() {
        for text in ["mixup:alpha=0.2", "cutmix:alpha=1,shape=2x5x4"] {
            assert_eq!(text.parse::<Mixing>().unwrap().to_string(), text);
        }
        assert_eq!(
            Mixing::named("cutmix", SHAPE).unwrap(),
            Mixing::CutMix {
                alpha: 1.0,
                shape: SHAPE
            }
        );
        for (text, words) in [
            ("mixup:alpha=0", "positive"),
            ("mixup:alpha=inf", "positive"),
            ("mixup:shape=1x2x3", "alpha"),
            ("cutmix", "shape="),
            ("cutmix:shape=2x5", "CHANNELSxHEIGHTxWIDTH"),
            ("mixupp", "did you mean 'mixup'"),
        ] {
            let refused = text.parse::<Mixing>().unwrap_err().to_string();
            assert!(refused.contains(words), "{text}: {refused}");
        }
        assert!(Mixing::named("cutmix", SHAPE).unwrap().validate(41).is_err());
    }
}
