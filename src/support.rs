//! Which coordinates are nonzero: supports, masks and densities.

use crate::error::{Error, Result};
use std::fmt;

/// The fraction of entries kept, in `[0, 1]`.
///
/// ```
/// use ticketsense::Density;
/// assert_eq!(Density::new(0.2)?.kept_of(5), 1);
/// assert!(Density::new(1.5).is_err());
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Density(f64);

impl Density {
    /// A density.
    ///
    /// # Errors
    /// [`Error::Argument`] outside `[0, 1]`.
    pub fn new(value: f64) -> Result<Self> {
        if (0.0..=1.0).contains(&value) {
            Ok(Density(value))
        } else {
            Err(Error::argument("density", "a number in [0, 1]", value))
        }
    }

    /// The number itself.
    pub fn value(self) -> f64 {
        self.0
    }

    /// The fraction pruned, `1 − density`.
    pub fn pruned_fraction(self) -> f64 {
        1.0 - self.0
    }

    /// How many of `total` entries this keeps: `density · total`, rounded to nearest, half up.
    pub fn kept_of(self, total: usize) -> usize {
        round_half_up(self.0 * total as f64).min(total)
    }
}

impl fmt::Display for Density {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A nonnegative real number rounded to the nearest integer, halves up.
pub fn round_half_up(value: f64) -> usize {
    (value + 0.5).floor().max(0.0) as usize
}

/// A set of coordinates of `ℝⁿ`, ascending and without repetition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Support {
    indices: Vec<usize>,
    dimension: usize,
}

impl Support {
    /// A support from indices in any order.
    ///
    /// # Errors
    /// [`Error::Argument`] when an index repeats or is not below `dimension`.
    pub fn new(mut indices: Vec<usize>, dimension: usize) -> Result<Self> {
        indices.sort_unstable();
        if let Some(pair) = indices.windows(2).find(|w| w[0] == w[1]) {
            return Err(Error::argument(
                "support",
                "distinct indices",
                format!("{} twice", pair[0]),
            ));
        }
        if let Some(&last) = indices.last().filter(|&&last| last >= dimension) {
            return Err(Error::argument("support", format!("indices below {dimension}"), last));
        }
        Ok(Support { indices, dimension })
    }

    /// The positions of the entries of `x` that are not exactly zero.
    pub fn of(x: &[f64]) -> Self {
        let indices = (0..x.len()).filter(|&i| x[i] != 0.0).collect();
        Support {
            indices,
            dimension: x.len(),
        }
    }

    /// The indices, ascending.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }

    /// The number of coordinates in the set.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// The dimension of the whole space.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Whether `index` belongs to the set. Cost: a binary search.
    pub fn contains(&self, index: usize) -> bool {
        self.indices.binary_search(&index).is_ok()
    }
}

/// One bit a coordinate: true is kept, false is pruned.
///
/// A mask knows nothing of layers; a network's layout cuts it into named slices.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Mask {
    bits: Vec<bool>,
    kept: usize,
}

impl Mask {
    /// A mask from its bits.
    pub fn from_bits(bits: Vec<bool>) -> Self {
        let kept = bits.iter().filter(|&&b| b).count();
        Mask { bits, kept }
    }

    /// Everything kept.
    pub fn full(dimension: usize) -> Self {
        Mask {
            bits: vec![true; dimension],
            kept: dimension,
        }
    }

    /// Nothing kept.
    pub fn empty(dimension: usize) -> Self {
        Mask {
            bits: vec![false; dimension],
            kept: 0,
        }
    }

    /// Keeps exactly the coordinates of a support.
    pub fn from_support(support: &Support) -> Self {
        let mut bits = vec![false; support.dimension()];
        for &i in support.indices() {
            bits[i] = true;
        }
        Mask {
            bits,
            kept: support.len(),
        }
    }

    /// The kept coordinates.
    pub fn support(&self) -> Support {
        let indices = (0..self.bits.len()).filter(|&i| self.bits[i]).collect();
        Support {
            indices,
            dimension: self.bits.len(),
        }
    }

    /// The bits.
    pub fn bits(&self) -> &[bool] {
        &self.bits
    }

    /// Whether coordinate `index` is kept.
    ///
    /// # Panics
    /// When `index` is not below the dimension: a bug of the caller.
    pub fn keeps(&self, index: usize) -> bool {
        self.bits[index]
    }

    /// Keeps or prunes one coordinate.
    ///
    /// # Panics
    /// When `index` is not below the dimension: a bug of the caller.
    pub fn set(&mut self, index: usize, keep: bool) {
        if self.bits[index] != keep {
            self.bits[index] = keep;
            if keep { self.kept += 1 } else { self.kept -= 1 }
        }
    }

    /// The number of coordinates.
    pub fn dimension(&self) -> usize {
        self.bits.len()
    }

    /// The number of kept coordinates.
    pub fn kept(&self) -> usize {
        self.kept
    }

    /// The number of kept coordinates in a range.
    ///
    /// # Panics
    /// When the range does not lie within the dimension: a bug of the caller.
    pub fn kept_in(&self, range: std::ops::Range<usize>) -> usize {
        self.bits[range].iter().filter(|&&b| b).count()
    }

    /// The fraction kept; 1 for an empty space, where nothing is pruned.
    pub fn density(&self) -> Density {
        if self.bits.is_empty() {
            Density(1.0)
        } else {
            Density(self.kept as f64 / self.bits.len() as f64)
        }
    }

    /// Coordinates kept by both.
    ///
    /// # Errors
    /// [`Error::Shape`] when the dimensions differ.
    pub fn and(&self, other: &Mask) -> Result<Mask> {
        if self.dimension() != other.dimension() {
            return Err(Error::shape("masks", self.dimension(), other.dimension()));
        }
        let bits = self.bits.iter().zip(&other.bits).map(|(a, b)| *a && *b).collect();
        Ok(Mask::from_bits(bits))
    }

    /// Sets every pruned entry of `values` to exactly zero.
    ///
    /// # Errors
    /// [`Error::Shape`] when the lengths differ.
    pub fn apply<T: Default + Copy>(&self, values: &mut [T]) -> Result<()> {
        if self.dimension() != values.len() {
            return Err(Error::shape("mask and values", self.dimension(), values.len()));
        }
        for (value, &keep) in values.iter_mut().zip(&self.bits) {
            if !keep {
                *value = T::default();
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mask({} of {} kept)", self.kept, self.bits.len())
    }
}

/// The `count` best of the candidates by descending score, ties by ascending index, returned in ascending order.
///
/// Scores are compared with `total_cmp`, so the choice is the same on every machine; a NaN never wins against a
/// number. Cost: linear expected time plus sorting of the chosen.
///
/// ```
/// use ticketsense::support::largest_by;
/// assert_eq!(largest_by(2, 0..4, |i| [1.0, 3.0, 3.0, 3.0][i]), [1, 2]);
/// ```
pub fn largest_by(
    count: usize,
    candidates: impl IntoIterator<Item = usize>,
    score: impl Fn(usize) -> f64,
) -> Vec<usize> {
    let rank = |value: f64| if value.is_nan() { f64::NEG_INFINITY } else { value };
    let mut scored: Vec<(f64, usize)> = candidates.into_iter().map(|i| (rank(score(i)), i)).collect();
    if count == 0 {
        return Vec::new();
    }
    if count < scored.len() {
        scored.select_nth_unstable_by(count - 1, |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        scored.truncate(count);
    }
    let mut chosen: Vec<usize> = scored.into_iter().map(|(_, i)| i).collect();
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_support_is_sorted_and_refuses_repetition_and_excess() {
        assert_eq!(Support::new(vec![3, 1], 4).unwrap().indices(), [1, 3]);
        assert!(Support::new(vec![1, 1], 4).is_err());
        assert!(Support::new(vec![4], 4).is_err());
    }

    #[test]
    fn mask_and_support_are_two_views_of_one_set() {
        let support = Support::new(vec![0, 2, 5], 7).unwrap();
        let mask = Mask::from_support(&support);
        assert_eq!(mask.kept(), 3);
        assert_eq!(mask.support(), support);
        assert_eq!(mask.kept_in(1..6), 2);
    }

    #[test]
    fn setting_a_bit_twice_counts_once() {
        let mut mask = Mask::empty(3);
        mask.set(1, true);
        mask.set(1, true);
        assert_eq!(mask.kept(), 1);
        mask.set(1, false);
        assert_eq!(mask.kept(), 0);
    }

    #[test]
    fn largest_by_keeps_exactly_the_count_and_breaks_ties_by_index() {
        let scores = [2.0, 2.0, 2.0, f64::NAN, 1.0];
        assert_eq!(largest_by(2, 0..5, |i| scores[i]), [0, 1]);
        assert_eq!(largest_by(4, 0..5, |i| scores[i]), [0, 1, 2, 4]);
        assert_eq!(largest_by(9, 0..5, |i| scores[i]).len(), 5);
        assert!(largest_by(0, 0..5, |i| scores[i]).is_empty());
    }

    #[test]
    fn halves_are_rounded_up() {
        assert_eq!(round_half_up(2.5), 3);
        assert_eq!(round_half_up(2.499_999), 2);
        assert_eq!(Density::new(0.5).unwrap().kept_of(5), 3);
    }
}
