//! Fisher's exact test of a two-by-two table.

use crate::error::{Error, Result};
use crate::theory::mask_overlap::LayerCounts;

/// Exact p-values of a two-by-two table `[[a, b], [c, d]]`, given its margins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FisherTest {
    /// Total probability of the tables that are no more probable than this one.
    pub two_sided: f64,
    /// Probability of a first entry at most this large: small where rows and columns are negatively associated.
    pub less: f64,
    /// Probability of a first entry at least this large.
    pub greater: f64,
    /// The sample odds ratio `ad/(bc)`; infinite when only its denominator vanishes, NaN when both do.
    pub odds_ratio: f64,
}

/// Tests whether the rows of `[[a, b], [c, d]]` have one success probability.
///
/// Cost: one hypergeometric probability for each table with these margins.
///
/// ```
/// use ticketsense::statistics::fisher_exact;
/// // The lady tasting tea: 3 of 4 cups right each way.
/// let test = fisher_exact([[3, 1], [1, 3]])?;
/// assert!((test.greater - 17.0 / 70.0).abs() < 1e-13);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for an empty table or one of more than 2⁵³ counts.
pub fn fisher_exact(table: [[u32; 2]; 2]) -> Result<FisherTest> {
    let [[a, b], [c, d]] = table.map(|row| row.map(|count| count as usize));
    let total = a + b + c + d;
    if total == 0 {
        return Err(Error::argument("table", "at least one count", "none"));
    }
    let counts = LayerCounts {
        weights: total,
        first: a + b,
        second: a + c,
    };
    let observed = counts.ln_probability(a)?;
    // Two tables are equally probable when their logarithms agree to the precision of those.
    let tie = observed + 1e-12 * (1.0 + observed.abs());
    let smallest = (a + b + a + c).saturating_sub(total);
    let (mut two_sided, mut less, mut greater) = (0.0, 0.0, 0.0);
    for k in smallest..=(a + b).min(a + c) {
        let logarithm = counts.ln_probability(k)?;
        let probability = logarithm.exp();
        if logarithm <= tie {
            two_sided += probability;
        }
        if k <= a {
            less += probability;
        }
        if k >= a {
            greater += probability;
        }
    }
    Ok(FisherTest {
        two_sided: f64::min(two_sided, 1.0),
        less: f64::min(less, 1.0),
        greater: f64::min(greater, 1.0),
        odds_ratio: (a as f64 * d as f64) / (b as f64 * c as f64),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_match_an_independent_implementation() {
        // scipy 1.17.1: stats.fisher_exact(table, alternative=...) two-sided, less, greater.
        for (table, two_sided, less, greater) in [
            (
                [[8, 2], [1, 5]],
                0.034_965_034_965_034_975,
                0.999_125_874_125_874_2,
                0.024_475_524_475_524_483,
            ),
            (
                [[3, 1], [1, 3]],
                0.485_714_285_714_285_65,
                0.985_714_285_714_285_7,
                0.242_857_142_857_142_83,
            ),
            (
                [[0, 10], [12, 3]],
                0.000_107_686_095_032_978_87,
                8.749_495_221_429_533e-5,
                1.0,
            ),
            (
                [[100, 120], [90, 200]],
                0.001_182_525_803_542_791_1,
                0.999_692_342_968_704_4,
                0.000_597_897_296_807_919_9,
            ),
        ] {
            let test = fisher_exact(table).unwrap();
            for (got, want) in [(test.two_sided, two_sided), (test.less, less), (test.greater, greater)] {
                // Logarithms of up to 350 are right to 1e-13; the origin to about 1e-12.
                assert!((got / want - 1.0).abs() < 2e-12, "{table:?}: {got} {want}");
            }
        }
    }

    #[test]
    fn degenerate_tables_say_nothing() {
        let test = fisher_exact([[3, 0], [5, 0]]).unwrap();
        assert_eq!((test.two_sided, test.less, test.greater), (1.0, 1.0, 1.0));
        assert!(test.odds_ratio.is_nan());
        assert!(fisher_exact([[0, 0], [0, 0]]).is_err());
    }
}
