//! Holm's step-down correction for several tests at once.

use super::require_level;
use crate::error::{Error, Result};

/// What Holm's procedure says of one hypothesis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HolmDecision {
    /// The adjusted p-value: the smallest family-wise level at which the hypothesis is rejected.
    pub adjusted: f64,
    /// Whether it is rejected at the level asked for.
    pub rejected: bool,
}

/// Adjusts p-values for their number, in their own order: with `p₍₁₎ ≤ … ≤ p₍ₖ₎`, the adjusted `p₍ⱼ₎` is
/// `max_{i ≤ j} min(1, (k − i + 1) p₍ᵢ₎)`. Keeps the probability of any false rejection below `level` under every
/// dependence (Holm 1979).
///
/// ```
/// let decisions = ticketsense::statistics::holm(&[0.01, 0.04, 0.03], 0.05)?;
/// assert_eq!(decisions.iter().map(|d| d.adjusted).collect::<Vec<_>>(), [0.03, 0.06, 0.06]);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for a p-value outside `[0, 1]` or a level outside `(0, 1)`.
pub fn holm(p_values: &[f64], level: f64) -> Result<Vec<HolmDecision>> {
    require_level(level)?;
    if let Some(bad) = p_values.iter().find(|p| !(0.0..=1.0).contains(*p)) {
        return Err(Error::argument("p-values", "numbers in [0, 1]", bad));
    }
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut decisions = vec![
        HolmDecision {
            adjusted: 1.0,
            rejected: false
        };
        p_values.len()
    ];
    let mut largest: f64 = 0.0;
    for (rank, &index) in order.iter().enumerate() {
        let left = (p_values.len() - rank) as f64;
        largest = largest.max((left * p_values[index]).min(1.0));
        decisions[index] = HolmDecision {
            adjusted: largest,
            rejected: largest <= level,
        };
    }
    Ok(decisions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_later_small_p_value_cannot_overtake_an_earlier_refusal() {
        // 0.02·3 = 0.06 fails, so 0.024 (·2 = 0.048 alone) fails with it; Bonferroni-like steps up would accept it.
        let decisions = holm(&[0.024, 0.02, 0.9], 0.05).unwrap();
        assert!(decisions.iter().all(|d| !d.rejected));
        assert_eq!(decisions[0].adjusted, 0.06);
    }

    #[test]
    fn nothing_to_test_is_no_error_and_bad_values_are() {
        assert!(holm(&[], 0.05).unwrap().is_empty());
        assert!(holm(&[f64::NAN], 0.05).is_err());
        assert!(holm(&[1.5], 0.05).is_err());
        assert!(holm(&[0.5], 1.0).is_err());
    }

    proptest! {
        #[test]
        fn the_sequential_definition_gives_the_same_rejections(ps in prop::collection::vec(0.0_f64..0.2, 1..12)) {
            let decisions = holm(&ps, 0.05).unwrap();
            let mut left: Vec<usize> = (0..ps.len()).collect();
            let mut rejected = vec![false; ps.len()];
            while let Some(&smallest) = left.iter().min_by(|&&a, &&b| ps[a].total_cmp(&ps[b])) {
                if ps[smallest] * left.len() as f64 > 0.05 {
                    break;
                }
                rejected[smallest] = true;
                left.retain(|&i| i != smallest);
            }
            prop_assert_eq!(decisions.iter().map(|d| d.rejected).collect::<Vec<_>>(), rejected);
            prop_assert!(decisions.iter().zip(&ps).all(|(d, p)| d.adjusted >= *p && d.adjusted <= 1.0));
        }
    }
}
