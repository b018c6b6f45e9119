//! What one sample is: a vector, an image, a series or a sentence.

use crate::error::{Error, Result};
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

/// What a network is fed: how the features of one sample are arranged.
///
/// ```
/// use ticketsense::networks::{ImageShape, InputShape};
/// assert_eq!(InputShape::from(784).image()?, ImageShape { channels: 1, height: 28, width: 28 });
/// assert_eq!(InputShape::from(3072).image()?, ImageShape { channels: 3, height: 32, width: 32 });
/// assert!(InputShape::from(785).image().is_err());
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InputShape {
    /// A vector without further structure.
    Features(usize),
    /// An image, plane after plane, each row by row.
    Image(ImageShape),
    /// A sentence: whole numbers from 0 below `vocabulary`, one a place.
    Tokens {
        /// Places.
        length: usize,
        /// Different tokens.
        vocabulary: usize,
    },
    /// A series of vectors, one after the other.
    Series {
        /// Vectors.
        length: usize,
        /// Entries of each.
        features: usize,
    },
}

impl From<usize> for InputShape {
    fn from(features: usize) -> Self {
        InputShape::Features(features)
    }
}

impl From<ImageShape> for InputShape {
    fn from(image: ImageShape) -> Self {
        InputShape::Image(image)
    }
}

impl InputShape {
    /// The number of features of a sample.
    ///
    /// # Errors
    /// [`Error::Argument`] when it is 0 or does not fit the machine.
    pub fn features(self) -> Result<usize> {
        let count = match self {
            InputShape::Features(count) => Some(count),
            InputShape::Image(image) => image.features(),
            InputShape::Tokens { length, vocabulary } => (vocabulary > 0).then_some(length),
            InputShape::Series { length, features } => length.checked_mul(features),
        };
        count
            .filter(|&count| count > 0)
            .ok_or_else(|| Error::argument("inputs", "at least 1 feature", self))
    }

    /// The sample as an image. A bare number of features is read as a square image of one plane, or of three.
    ///
    /// # Errors
    /// [`Error::Argument`] when it is no image.
    pub fn image(self) -> Result<ImageShape> {
        let refused = || Error::argument("inputs", "an image (a square of 1 or 3 planes when only counted)", self);
        match self {
            InputShape::Image(image) => Ok(image),
            InputShape::Features(count) => [1, 3]
                .into_iter()
                .find_map(|channels| {
                    let side = (count / channels).isqrt();
                    (side > 0 && channels * side * side == count).then_some(ImageShape {
                        channels,
                        height: side,
                        width: side,
                    })
                })
                .ok_or_else(refused),
            InputShape::Tokens { .. } | InputShape::Series { .. } => Err(refused()),
        }
    }
}

impl fmt::Display for InputShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InputShape::Features(count) => write!(f, "{count} features"),
            InputShape::Image(image) => image.fmt(f),
            InputShape::Tokens { length, vocabulary } => write!(f, "{length} tokens of {vocabulary}"),
            InputShape::Series { length, features } => write!(f, "{length} vectors of {features}"),
        }
    }
}
