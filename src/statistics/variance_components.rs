//! How much of a variance belongs to each of some crossed random factors and to their interactions.
//!
//! Each of the factors `1 … k` has levels drawn at random, every combination is observed once, and
//!
//! > y = μ + Σ_S u_S(levels of S),  S over the nonempty sets of factors,  var u_S = σ_S²,
//!
//! all independent; the term of all factors together is the residual, from which one observation a combination cannot tell
//! it. With `n_f` levels of factor f, expected mean squares are `E[MS_S] = Σ_{T ⊇ S} σ_T² Π_{f ∉ T} n_f`, and inverting
//! them gives unbiased estimates `σ̂_S² = Σ_{T ⊇ S} (−1)^{|T|−|S|} MS_T / Π_{f ∉ S} n_f` (Henderson's method for balanced
//! data; Searle, Casella & McCulloch, *Variance Components*, 1992, ch. 4). Estimates may be negative.

use super::summary::require_sample;
use crate::error::{Error, Result};

/// One term of a crossed design.
#[derive(Clone, Debug, PartialEq)]
pub struct VarianceComponent {
    /// The factors that interact in it, ascending; all of them for the residual.
    pub factors: Vec<usize>,
    /// Degrees of freedom, `Π (n_f − 1)` over its factors.
    pub degrees: usize,
    /// Sum of squares over its degrees of freedom.
    pub mean_square: f64,
    /// The unbiased estimate of its variance.
    pub variance: f64,
}

/// The most factors of a design: there are 2^k terms.
const MOST_FACTORS: usize = 8;

/// The variance components of a balanced crossed design of random factors, in the order of the sets of factors as binary
/// numbers, the first factor the lowest bit: `{0}, {1}, {0, 1}, {2}, …`, the residual last.
///
/// `values` are in the order of the levels, the last factor fastest.
///
/// ```
/// use ticketsense::statistics::crossed_components;
/// // Rows 0 and 10, columns 0 and 1, no interaction.
/// let components = crossed_components(&[2, 2], &[0.0, 1.0, 10.0, 11.0])?;
/// let variances: Vec<f64> = components.iter().map(|c| c.variance).collect();
/// assert_eq!(variances, [50.0, 0.5, 0.0]);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for no factor, more than eight, or one with fewer than two levels, [`Error::Shape`] when there is not
/// one value a combination, [`Error::NotFinite`].
///
/// Cost: `k 2^k` passes over the values.
pub fn crossed_components(levels: &[usize], values: &[f64]) -> Result<Vec<VarianceComponent>> {
    let factors = levels.len();
    if factors == 0 || factors > MOST_FACTORS {
        return Err(Error::argument("factors", format!("1 to {MOST_FACTORS}"), factors));
    }
    if let Some(few) = levels.iter().find(|n| **n < 2) {
        return Err(Error::argument("levels of a factor", "at least 2", few));
    }
    let combinations: usize = levels.iter().product();
    if values.len() != combinations {
        return Err(Error::shape("values of a crossed design", combinations, values.len()));
    }
    require_sample("values of a crossed design", values, 2)?;
    let sets = 1..1_usize << factors;
    let of = |set: usize| (0..factors).filter(move |f| set >> f & 1 == 1);
    let degrees = |set: usize| of(set).map(|f| levels[f] - 1).product::<usize>();
    let mean_squares: Vec<f64> = sets
        .clone()
        .map(|set| effect_squares(levels, values, set) / degrees(set) as f64)
        .collect();
    let component = |set: usize| {
        let mut sum = 0.0;
        for larger in sets.clone().filter(|larger| larger & set == set) {
            let sign = if (larger ^ set).count_ones().is_multiple_of(2) {
                1.0
            } else {
                -1.0
            };
            sum += sign * mean_squares[larger - 1];
        }
        let observed: usize = (0..factors).filter(|f| set >> f & 1 == 0).map(|f| levels[f]).product();
        VarianceComponent {
            factors: of(set).collect(),
            degrees: degrees(set),
            mean_square: mean_squares[set - 1],
            variance: sum / observed as f64,
        }
    };
    Ok(sets.clone().map(component).collect())
}

/// The sum over all combinations of the squared effects of one set of factors: along each of its factors the mean is
/// taken off, along each other the mean is taken.
fn effect_squares(levels: &[usize], values: &[f64], set: usize) -> f64 {
    let mut effects = values.to_vec();
    let mut stride = 1;
    for (factor, &count) in levels.iter().enumerate().rev() {
        let within = set >> factor & 1 == 1;
        for start in (0..effects.len()).filter(|place| place / stride % count == 0) {
            let line = (0..count).map(|level| start + level * stride);
            let mean = line.clone().map(|place| effects[place]).sum::<f64>() / count as f64;
            for place in line {
                effects[place] = if within { effects[place] - mean } else { mean };
            }
        }
        stride *= count;
    }
    effects.iter().map(|e| e * e).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use proptest::prelude::*;
    use rand::RngExt;
    use rand_distr::StandardNormal;

    /// Three factors the plain way: means of every margin, sums of squared deviations, the textbook's linear equations.
    fn plainly([a, b, c]: [usize; 3], y: &dyn Fn(usize, usize, usize) -> f64) -> [f64; 7] {
        let all: Vec<(usize, usize, usize)> = (0..a)
            .flat_map(|i| (0..b).flat_map(move |j| (0..c).map(move |k| (i, j, k))))
            .collect();
        let mean = |keep: &dyn Fn(&(usize, usize, usize)) -> bool| {
            let kept: Vec<f64> = all.iter().filter(|p| keep(p)).map(|&(i, j, k)| y(i, j, k)).collect();
            kept.iter().sum::<f64>() / kept.len() as f64
        };
        let mut squares = [0.0; 7];
        for &(i, j, k) in &all {
            let grand = mean(&|_| true);
            let (mi, mj, mk) = (mean(&|p| p.0 == i), mean(&|p| p.1 == j), mean(&|p| p.2 == k));
            let (mij, mik, mjk) = (
                mean(&|p| (p.0, p.1) == (i, j)),
                mean(&|p| (p.0, p.2) == (i, k)),
                mean(&|p| (p.1, p.2) == (j, k)),
            );
            let effects = [
                mi - grand,
                mj - grand,
                mij - mi - mj + grand,
                mk - grand,
                mik - mi - mk + grand,
                mjk - mj - mk + grand,
                y(i, j, k) - mij - mik - mjk + mi + mj + mk - grand,
            ];
            squares.iter_mut().zip(effects).for_each(|(sum, e)| *sum += e * e);
        }
        let (da, db, dc) = ((a - 1) as f64, (b - 1) as f64, (c - 1) as f64);
        let degrees = [da, db, da * db, dc, da * dc, db * dc, da * db * dc];
        let ms: Vec<f64> = squares.iter().zip(degrees).map(|(s, d)| s / d).collect();
        let (a, b, c) = (a as f64, b as f64, c as f64);
        [
            (ms[0] - ms[2] - ms[4] + ms[6]) / (b * c),
            (ms[1] - ms[2] - ms[5] + ms[6]) / (a * c),
            (ms[2] - ms[6]) / c,
            (ms[3] - ms[4] - ms[5] + ms[6]) / (a * b),
            (ms[4] - ms[6]) / b,
            (ms[5] - ms[6]) / a,
            ms[6],
        ]
    }

    proptest! {
        #[test]
        fn three_factors_agree_with_the_sums_written_out(
            levels in prop::array::uniform3(2usize..5), number in any::<u64>(),
        ) {
            let mut rng = Seed::root(number).rng();
            let values: Vec<f64> = (0..levels.iter().product()).map(|_| rng.sample(StandardNormal)).collect();
            let y = |i: usize, j: usize, k: usize| values[(i * levels[1] + j) * levels[2] + k];
            let expected = plainly(levels, &y);
            let found = crossed_components(&levels, &values).unwrap();
            for (component, expected) in found.iter().zip(expected) {
                // Sums of at most 64 squares of size below 30.
                prop_assert!((component.variance - expected).abs() < 1e-11, "{component:?} {expected}");
            }
        }

        #[test]
        fn a_shift_changes_nothing_and_the_squares_add_up(values in prop::collection::vec(-1.0_f64..1.0, 12)) {
            let levels = [2, 3, 2];
            let found = crossed_components(&levels, &values).unwrap();
            let total: f64 = found.iter().map(|c| c.mean_square * c.degrees as f64).sum();
            let mean = values.iter().sum::<f64>() / 12.0;
            let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
            prop_assert!((total - squares).abs() < 1e-12);
            prop_assert_eq!(found.iter().map(|c| c.degrees).sum::<usize>(), 11);
            let shifted: Vec<f64> = values.iter().map(|v| v + 8.0).collect();
            for (a, b) in found.iter().zip(crossed_components(&levels, &shifted).unwrap()) {
                prop_assert!((a.variance - b.variance).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn planted_variances_are_found_without_bias() {
        // 2,000 designs of 3 × 4 × 2 levels with these variances; the mean of each estimate must lie within five of its
        // own standard errors, 7 of them: by chance below 5e-6.
        let planted: [f64; 7] = [1.0, 0.5, 0.3, 0.2, 0.0, 0.4, 0.25];
        let levels = [3_usize, 4, 2];
        let (mut sums, mut squares) = ([0.0; 7], [0.0; 7]);
        let designs = 2000;
        for design in 0..designs {
            let mut rng = Seed::root(11).replicate(design).rng();
            let mut values = vec![0.0; 24];
            for set in 1..8_usize {
                let draws: Vec<f64> = (0..24).map(|_| rng.sample(StandardNormal)).collect();
                for (place, value) in values.iter_mut().enumerate() {
                    let level = [place / 8, place / 2 % 4, place % 2];
                    let name = (0..3).fold(0, |name, f| {
                        name * levels[f] + if set >> f & 1 == 1 { level[f] } else { 0 }
                    });
                    *value += planted[set - 1].sqrt() * draws[name];
                }
            }
            for (i, component) in crossed_components(&levels, &values).unwrap().iter().enumerate() {
                sums[i] += component.variance;
                squares[i] += component.variance * component.variance;
            }
        }
        let n = designs as f64;
        for i in 0..7 {
            let mean = sums[i] / n;
            let error = ((squares[i] / n - mean * mean) / n).sqrt();
            assert!((mean - planted[i]).abs() < 5.0 * error, "{i}: {mean} ± {error}");
        }
    }

    #[test]
    fn designs_that_are_none_are_refused() {
        assert!(crossed_components(&[], &[1.0]).is_err());
        assert!(crossed_components(&[2, 1], &[1.0, 2.0]).is_err());
        assert!(crossed_components(&[2, 2], &[1.0, 2.0]).is_err());
        assert!(crossed_components(&[2], &[1.0, f64::NAN]).is_err());
        assert!(crossed_components(&[2; 9], &[0.0; 512]).is_err());
        // A single factor has its sample variance.
        let one = crossed_components(&[4], &[1.0, 2.0, 3.0, 4.0]).unwrap();
        assert!((one[0].variance - 5.0 / 3.0).abs() < 1e-15);
    }
}
