//! Sums over subsets of a few numbers, all of them: how near they come to every target, and which subset comes nearest.
//!
//! Pruning approximates a weight by a sum over a subset of random products, so how well subset sums cover an interval is how
//! well an untrained network can be pruned towards a target (Lueker, Random Structures & Algorithms 1998; Pensia,
//! Rajput, Nagle, Vishwakarma & Papailiopoulos, NeurIPS 2020).

use crate::error::{Error, Result, require_finite};

/// The most numbers whose subset sums are enumerated: 2²⁴ doubles are 128 MB.
pub const MOST_NUMBERS: usize = 24;

/// The most numbers among which the nearest subset is searched, from both halves: 2 · 2²⁰ sums.
pub const MOST_SEARCHED: usize = 40;

/// How well some sums cover an interval of targets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Covering {
    /// The largest distance of a target to its nearest sum.
    pub radius: f64,
    /// A target at that distance, the smallest.
    pub target: f64,
    /// How many sums there are, equal ones counted each.
    pub sums: usize,
}

/// The exact covering radius of all `2ⁿ` subset sums over the targets `[lower, upper]`:
/// `max_z min_S |z − Σ_{i∈S} vᵢ|`, the empty sum among them.
///
/// Between two neighbouring sums the worst target is their middle, or the end of the interval nearest to it, so the maximum
/// is taken over finitely many targets. "Exact" is up to the rounding of the sums, at most `n ε Σ|vᵢ|`.
///
/// Cost: `O(2ⁿ)` time and memory: the sorted sums are merged number by number.
///
/// ```
/// use ticketsense::theory::subset_sum::covering_radius;
/// // Sums 0, 0.25, 0.5, 0.75: in [0, 1] the target 1 is farthest from any, and 0.125 within [0, 0.75].
/// assert_eq!(covering_radius(&[0.25, 0.5], 0.0, 1.0)?.radius, 0.25);
/// assert_eq!(covering_radius(&[0.25, 0.5], 0.0, 0.75)?.radius, 0.125);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for more than [`MOST_NUMBERS`] numbers or an empty interval, [`Error::NotFinite`].
pub fn covering_radius(values: &[f64], lower: f64, upper: f64) -> Result<Covering> {
    check(values, MOST_NUMBERS)?;
    check_interval(lower, upper)?;
    Ok(covering(&sorted_sums(values), lower, upper))
}

/// As [`covering_radius`] over the `C(n, size)` subsets of one size, which is what a pruning with a given number of survivors
/// may choose from (Natale, Ferré, Giambartolomei, Giroire & Mallmann-Trenn, NeurIPS 2024, on the sparsity of such tickets).
///
/// Cost: time and memory of `C(n, size)` sums, sorted.
///
/// # Errors
/// As [`covering_radius`]; [`Error::Argument`] for a size above the number of numbers.
pub fn covering_radius_of_size(values: &[f64], size: usize, lower: f64, upper: f64) -> Result<Covering> {
    check(values, MOST_NUMBERS)?;
    check_interval(lower, upper)?;
    if size > values.len() {
        let expected = format!("at most the {} numbers", values.len());
        return Err(Error::argument("size of the subsets", expected, size));
    }
    // Row k holds the sums of the subsets of k of the numbers seen so far.
    let mut rows: Vec<Vec<f64>> = vec![Vec::new(); size + 1];
    rows[0].push(0.0);
    for (seen, &value) in values.iter().enumerate() {
        for k in (1..=size.min(seen + 1)).rev() {
            let (before, from) = rows.split_at_mut(k);
            from[0].extend(before[k - 1].iter().map(|sum| sum + value));
        }
    }
    let mut sums = rows.pop().unwrap_or_default();
    sums.sort_unstable_by(f64::total_cmp);
    Ok(covering(&sums, lower, upper))
}

/// The smallest covering radius of an interval that `2ⁿ` sums of any numbers could have: each covers a length of at most
/// twice the radius, hence `length / 2ⁿ⁺¹`.
///
/// A radius below it would be wrong; random numbers stay above it by a factor of order `n^{3/2}`, since their sums crowd in a
/// range of order √n and the largest of `2ⁿ` random gaps is about n times the mean one.
pub fn least_radius(numbers: usize, length: f64) -> f64 {
    length * (-(numbers as f64 + 1.0)).exp2()
}

/// A subset and its sum.
#[derive(Clone, Debug, PartialEq)]
pub struct NearestSubset {
    /// Positions of the numbers in the subset, ascending.
    pub chosen: Vec<usize>,
    /// Their sum, added up in that order.
    pub sum: f64,
}

/// The subset whose sum comes nearest to a target; of several, one that does not depend on anything but the numbers.
///
/// Cost: `O(n 2^{n/2})`: the sorted sums of one half of the numbers meet those of the other (Horowitz & Sahni, Journal of
/// the ACM 1974).
///
/// ```
/// use ticketsense::theory::subset_sum::nearest_subset;
/// let found = nearest_subset(&[0.5, -0.3, 0.9, 0.2], 0.6)?;
/// assert_eq!(found.chosen, [1, 2]);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for more than [`MOST_SEARCHED`] numbers, [`Error::NotFinite`].
pub fn nearest_subset(values: &[f64], target: f64) -> Result<NearestSubset> {
    check(values, MOST_SEARCHED)?;
    require_finite("target of a subset sum", &[target])?;
    let (first, second) = values.split_at(values.len() / 2);
    let (first_sums, second_sums) = (labelled_sums(first), labelled_sums(second));
    let mut best = (f64::INFINITY, 0, 0);
    let mut high = second_sums.len();
    for &(a, left) in &first_sums {
        // The larger the first part, the smaller the second has to be.
        while high > 0 && a + second_sums[high - 1].0 > target {
            high -= 1;
        }
        for at in [high.checked_sub(1), Some(high)].into_iter().flatten() {
            if let Some(&(b, right)) = second_sums.get(at) {
                let miss = (a + b - target).abs();
                if miss < best.0 {
                    best = (miss, left, right);
                }
            }
        }
    }
    let bits = u64::from(best.1) | (u64::from(best.2) << first.len());
    let chosen: Vec<usize> = (0..values.len()).filter(|i| bits >> i & 1 == 1).collect();
    let sum = chosen.iter().map(|&i| values[i]).sum();
    Ok(NearestSubset { chosen, sum })
}

fn check(values: &[f64], most: usize) -> Result<()> {
    if values.len() > most {
        return Err(Error::argument(
            "numbers to add up",
            format!("at most {most}"),
            values.len(),
        ));
    }
    require_finite("numbers to add up", values)
}

fn check_interval(lower: f64, upper: f64) -> Result<()> {
    if lower.is_finite() && upper.is_finite() && lower <= upper {
        Ok(())
    } else {
        Err(Error::argument(
            "interval of targets",
            "finite ends in order",
            format!("{lower} to {upper}"),
        ))
    }
}

/// All subset sums, ascending.
fn sorted_sums(values: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0];
    for &value in values {
        // Both lists are sorted: those without the number and those with it.
        let mut merged = Vec::with_capacity(2 * sums.len());
        let (mut i, mut j) = (0, 0);
        while i < sums.len() && j < sums.len() {
            let (without, with) = (sums[i], sums[j] + value);
            let take_first = without <= with;
            merged.push(if take_first { without } else { with });
            i += usize::from(take_first);
            j += usize::from(!take_first);
        }
        merged.extend_from_slice(&sums[i..]);
        merged.extend(sums[j..].iter().map(|sum| sum + value));
        sums = merged;
    }
    sums
}

/// Every subset sum with the bits of its subset, ascending.
fn labelled_sums(values: &[f64]) -> Vec<(f64, u32)> {
    let mut sums = vec![(0.0, 0)];
    for (place, &value) in values.iter().enumerate() {
        let with: Vec<(f64, u32)> = sums
            .iter()
            .map(|(sum, bits)| (sum + value, bits | 1 << place))
            .collect();
        sums.extend(with);
    }
    sums.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    sums
}

/// The covering of an interval by sorted sums, of which there is at least one.
fn covering(sums: &[f64], lower: f64, upper: f64) -> Covering {
    let after = sums.partition_point(|sum| *sum < lower);
    let until = sums.partition_point(|sum| *sum <= upper);
    let nearest = |z: f64| {
        let at = sums.partition_point(|sum| *sum < z);
        let below = at.checked_sub(1).map_or(f64::INFINITY, |i| z - sums[i]);
        below.min(sums.get(at).map_or(f64::INFINITY, |sum| sum - z))
    };
    let mut worst = Covering {
        radius: nearest(lower),
        target: lower,
        sums: sums.len(),
    };
    // Gaps whose middle may lie within: from the last sum below the interval to the first above it.
    let window = &sums[after.saturating_sub(1)..(until + 1).min(sums.len())];
    for pair in window.windows(2) {
        let middle = 0.5 * (pair[0] + pair[1]);
        let half = 0.5 * (pair[1] - pair[0]);
        if (lower..=upper).contains(&middle) && half > worst.radius {
            (worst.radius, worst.target) = (half, middle);
        }
    }
    let end = nearest(upper);
    if end > worst.radius {
        (worst.radius, worst.target) = (end, upper);
    }
    worst
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All subset sums, by the bits of their number.
    fn all_sums(values: &[f64]) -> Vec<(usize, f64)> {
        let sum = |bits: usize| {
            (0..values.len())
                .filter(|i| bits >> i & 1 == 1)
                .map(|i| values[i])
                .sum()
        };
        (0..1 << values.len()).map(|bits| (bits, sum(bits))).collect()
    }

    #[test]
    fn powers_of_two_cover_at_the_least_radius() {
        // The sums of 1/2, …, 2⁻ⁿ are the multiples of 2⁻ⁿ from 0 below 1.
        for n in 1..=12 {
            let values: Vec<f64> = (1..=n).map(|i| (-f64::from(i)).exp2()).collect();
            let step = (-f64::from(n)).exp2();
            let inside = covering_radius(&values, 0.0, 1.0 - step).unwrap();
            assert_eq!(inside.radius, step / 2.0);
            assert_eq!(inside.sums, 1 << n);
            // Half a step beyond either end all of a unit length is covered: the bound is met.
            let all = covering_radius(&values, -step / 2.0, 1.0 - step / 2.0).unwrap();
            assert_eq!(all.radius, least_radius(n as usize, 1.0));
        }
    }

    #[test]
    fn intervals_beside_all_sums_and_single_targets_are_measured_from_the_nearest_end() {
        let far = covering_radius(&[0.25], 2.0, 3.0).unwrap();
        assert_eq!((far.radius, far.target), (2.75, 3.0));
        let below = covering_radius(&[0.25], -3.0, -2.0).unwrap();
        assert_eq!((below.radius, below.target), (3.0, -3.0));
        assert_eq!(covering_radius(&[0.25], 0.1, 0.1).unwrap().radius, 0.1);
        assert_eq!(covering_radius(&[], -0.5, 0.5).unwrap().radius, 0.5);
        assert!(covering_radius(&[f64::NAN], 0.0, 1.0).is_err());
        assert!(covering_radius(&[1.0], 1.0, 0.0).is_err());
        assert!(covering_radius(&[1.0; 25], 0.0, 1.0).is_err());
        assert!(covering_radius_of_size(&[1.0], 2, 0.0, 1.0).is_err());
        assert!(nearest_subset(&[1.0; 41], 0.0).is_err());
        assert!(nearest_subset(&[1.0], f64::NAN).is_err());
        assert_eq!(nearest_subset(&[], 0.3).unwrap().chosen, [0usize; 0]);
    }

    proptest! {
        #[test]
        fn the_radius_is_attained_and_no_target_of_a_fine_grid_is_farther(
            values in proptest::collection::vec(-1.0f64..1.0, 0..9), size in 0usize..5
        ) {
            let size = size.min(values.len());
            let all = all_sums(&values);
            for fixed in [false, true] {
                let sums: Vec<f64> = all
                    .iter()
                    .filter(|(bits, _)| !fixed || bits.count_ones() as usize == size)
                    .map(|(_, sum)| *sum)
                    .collect();
                let found = if fixed {
                    covering_radius_of_size(&values, size, -0.5, 0.5).unwrap()
                } else {
                    covering_radius(&values, -0.5, 0.5).unwrap()
                };
                prop_assert_eq!(found.sums, sums.len());
                let distance = |z: f64| sums.iter().map(|s| (s - z).abs()).fold(f64::INFINITY, f64::min);
                // Eight numbers below one are added up with an error below 64 ε.
                prop_assert!((distance(found.target) - found.radius).abs() <= 64.0 * f64::EPSILON);
                for step in 0..=500 {
                    let z = -0.5 + f64::from(step) / 500.0;
                    prop_assert!(distance(z) <= found.radius + 64.0 * f64::EPSILON);
                }
                if !fixed {
                    prop_assert!(found.radius >= least_radius(values.len(), 1.0));
                }
            }
        }

        #[test]
        fn the_nearest_subset_is_the_best_of_all(
            values in proptest::collection::vec(-1.0f64..1.0, 0..11), target in -2.0f64..2.0
        ) {
            let found = nearest_subset(&values, target).unwrap();
            let least = all_sums(&values).iter().map(|(_, s)| (s - target).abs()).fold(f64::INFINITY, f64::min);
            let sum: f64 = found.chosen.iter().map(|&i| values[i]).sum();
            prop_assert_eq!(sum, found.sum);
            prop_assert!((sum - target).abs() <= least + 100.0 * f64::EPSILON);
        }
    }
}
