//! Walks through one mask that is used again at every step, as a recurrent cell uses its hidden weights.
//!
//! A cell of n units with a random mask on its n² hidden weights is a random directed graph with loops. A signal lasts T steps
//! when there is a walk of T edges. With one mask for all steps such a walk exists for T ≥ n exactly if the graph has a cycle,
//! and its probability then no longer depends on T; with a fresh mask at every step it falls with T for ever.

use super::registry::{Argument, Arguments, ClosedForm, Domain, Quantity};
use super::require_fraction;
use crate::error::{Error, Result};

/// Most units: the law takes `n³ · min(T, n)` operations.
const MOST_UNITS: u64 = 128;

/// The closed form `recurrent-survival`.
pub static FORM: ClosedForm = ClosedForm {
    name: "recurrent-survival",
    summary: "Probability that a signal can last through a recurrent cell whose one random mask serves every step.",
    arguments: &[
        Argument::required(
            "units",
            "units of the cell",
            "units",
            Domain::Integer {
                lower: 1,
                upper: MOST_UNITS,
            },
        ),
        Argument::required(
            "keep",
            "probability that a hidden weight is kept",
            "1",
            Domain::FRACTION,
        ),
        Argument::optional(
            "steps",
            "steps to last; for ever where left out",
            "steps",
            Domain::STEPS,
            None,
        ),
    ],
    formula: "1 - sum over chains of levels k_0+...+k_m = n, m < T: n!/prod k_j! prod_j [1-(1-q)^k_(j-1)]^k_j (1-q)^(k_j (k_j+...+k_m))",
    source: "levels of a directed graph without cycles, by the longest walk that ends at a unit",
    claims: &["E3"],
    evaluate,
};

/// The probability that *no* walk of `steps` edges exists in a random directed graph with loops on n vertices, each of the n²
/// edges present with probability `keep`.
///
/// Without such a walk every unit has a level, the length of the longest walk that ends there, below `steps`. Units of level j
/// take no edge from units of their own or a higher level and at least one from level j − 1, so that
///
/// ```text
/// P = Σ n!/(k₀!⋯k_m!) Πⱼ [1 − (1 − q)^{k_{j−1}}]^{kⱼ} (1 − q)^{kⱼ(kⱼ + ⋯ + k_m)},   k₀ + ⋯ + k_m = n, m < steps,
/// ```
///
/// without the bracket for j = 0. All terms are positive: nothing cancels. For `steps ≥ n` it is the probability that the graph
/// has no cycle.
///
/// ```
/// use ticketsense::theory::recurrent_walks::no_walk;
/// // Two units, no cycle: no loop on either, and not both edges between them.
/// assert!((no_walk(2, 0.5, 2)? - 0.25 * 0.75).abs() < 1e-15);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for no units or more than 128, or a probability outside `[0, 1]`.
pub fn no_walk(units: u64, keep: f64, steps: u64) -> Result<f64> {
    require_fraction("keep", keep)?;
    if !(1..=MOST_UNITS).contains(&units) {
        return Err(Error::argument("units", format!("1 to {MOST_UNITS}"), units));
    }
    let n = units as usize;
    let levels = steps.min(units) as usize;
    if levels == 0 {
        return Ok(0.0);
    }
    let log_miss = (-keep).ln_1p();
    // (1 − q)^m for m up to n; 0⁰ is 1.
    let miss: Vec<f64> = (0..=n)
        .map(|m| if m == 0 { 1.0 } else { (m as f64 * log_miss).exp() })
        .collect();
    // Adds `weight · C(left, k) fedᵏ (1 − q)^{k · left}` to what has k units in its last level. The ratio of neighbouring terms
    // falls with k: what has underflowed does not come back.
    let level = |next: &mut [Vec<f64>], left: usize, weight: f64, fed: f64| {
        let mut term = weight;
        for k in 1..=left {
            term *= (left - k + 1) as f64 / k as f64 * fed * miss[left];
            next[left - k][k] += term;
        }
    };
    // weight[left][k]: summed weight of the levels so far, the last of k units, with `left` units still without a level.
    let mut weight = vec![vec![0.0; n + 1]; n + 1];
    level(&mut weight, n, 1.0, 1.0);
    let mut total: f64 = weight[0].iter().sum();
    for _ in 1..levels {
        let mut next = vec![vec![0.0; n + 1]; n + 1];
        for (left, of_left) in weight.iter().enumerate().skip(1) {
            for (previous, &so_far) in of_left.iter().enumerate().filter(|(_, w)| **w > 0.0) {
                // At least one of `previous` edges is there.
                level(&mut next, left, so_far, -(previous as f64 * log_miss).exp_m1());
            }
        }
        weight = next;
        total += weight[0].iter().sum::<f64>();
    }
    Ok(total.min(1.0))
}

/// The probability that some walk of `steps` edges exists: a signal can last so many steps through one mask.
///
/// # Errors
/// As [`no_walk`].
pub fn tied_survival(units: u64, keep: f64, steps: u64) -> Result<f64> {
    Ok(1.0 - no_walk(units, keep, steps)?)
}

fn evaluate(arguments: &Arguments) -> Result<Vec<Quantity>> {
    let (units, keep) = (arguments.integer("units")?, arguments.real("keep")?);
    let steps = arguments.optional_integer("steps").unwrap_or(units);
    Ok(vec![
        Quantity::real(
            "value",
            tied_survival(units, keep, steps)?,
            "probability that some walk of that length exists",
        ),
        Quantity::real(
            "cycle",
            tied_survival(units, keep, units)?,
            "probability that the kept weights have a cycle: to last for ever",
        ),
        Quantity::real(
            "mean_degree",
            units as f64 * keep,
            "mean number of kept weights out of a unit",
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::super::special::ln_choose;
    use super::*;
    use proptest::prelude::*;

    /// Whether a graph, row u a word of targets, has a walk of so many edges.
    fn has_walk(rows: &[u32], steps: u64) -> bool {
        let mut reached = (1u32 << rows.len()) - 1;
        for _ in 0..steps {
            reached = (0..rows.len())
                .filter(|u| reached >> u & 1 == 1)
                .fold(0, |all, u| all | rows[u]);
        }
        reached != 0
    }

    #[test]
    fn every_length_agrees_with_the_enumeration_of_all_masks() {
        for (n, keep) in [(1usize, 0.4f64), (2, 0.3), (3, 0.25), (3, 0.6), (4, 0.2)] {
            let edges = n * n;
            let mut truth = [0.0; 7];
            for kept in 0u32..1 << edges {
                let count = kept.count_ones() as i32;
                let chance = keep.powi(count) * (1.0 - keep).powi(edges as i32 - count);
                let rows: Vec<u32> = (0..n).map(|u| kept >> (u * n) & ((1 << n) - 1)).collect();
                for (steps, truth) in truth.iter_mut().enumerate() {
                    *truth += if has_walk(&rows, steps as u64) { chance } else { 0.0 };
                }
            }
            for (steps, &truth) in truth.iter().enumerate() {
                let found = tied_survival(n as u64, keep, steps as u64).unwrap();
                // 2¹⁶ terms are summed by the plain route.
                assert!((found - truth).abs() < 1e-11, "{n} {keep} {steps}: {found} {truth}");
            }
        }
    }

    #[test]
    fn graphs_without_cycles_follow_the_alternating_recurrence() {
        // P_n = Σ_k (−1)^{k+1} C(n, k) (1 − q)^{kn} P_{n−k} (Robinson 1973, with loops): it cancels, so n stays small.
        let keep = 0.15f64;
        let mut truth = vec![1.0];
        for n in 1..=8u64 {
            let terms = (1..=n).map(|k| {
                let sign = if k % 2 == 1 { 1.0 } else { -1.0 };
                sign * ln_choose(n, k).exp() * (1.0 - keep).powi((k * n) as i32) * truth[(n - k) as usize]
            });
            truth.push(terms.sum());
            assert!(
                (no_walk(n, keep, 100).unwrap() - truth[n as usize]).abs() < 1e-12,
                "{n}"
            );
        }
    }

    #[test]
    fn a_tied_mask_does_not_fade_and_ends_are_exact() {
        let at = |steps| tied_survival(20, 0.08, steps).unwrap();
        assert_eq!(at(20), at(1_000_000));
        assert!(at(5) > at(20) && at(20) > 0.1);
        assert_eq!(tied_survival(5, 0.0, 1).unwrap(), 0.0);
        assert_eq!(tied_survival(5, 1.0, 9).unwrap(), 1.0);
        assert_eq!(tied_survival(5, 0.3, 0).unwrap(), 1.0);
        assert!(tied_survival(128, 0.5, 300).unwrap() == 1.0);
        assert!(no_walk(0, 0.5, 1).is_err() && no_walk(300, 0.5, 1).is_err() && no_walk(3, 1.5, 1).is_err());
    }

    proptest! {
        #[test]
        fn survival_falls_with_the_steps_and_rises_with_the_density(n in 1u64..30, keep in 0.0f64..1.0, steps in 0u64..40) {
            let here = tied_survival(n, keep, steps).unwrap();
            prop_assert!((-1e-12..=1.0).contains(&here));
            prop_assert!(tied_survival(n, keep, steps + 1).unwrap() <= here + 1e-12);
            prop_assert!(tied_survival(n, (keep * 1.05).min(1.0), steps).unwrap() >= here - 1e-12);
        }
    }
}
