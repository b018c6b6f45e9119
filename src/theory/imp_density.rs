//! How fast iterative magnitude pruning empties a network.

use super::registry::{Argument, Arguments, ClosedForm, Domain, Quantity};
use super::{require_fraction, require_positive};
use crate::error::{Error, Result};
use crate::support::round_half_up;

/// The closed form `imp-density`.
pub static FORM: ClosedForm = ClosedForm {
    name: "imp-density",
    summary: "Density left after rounds of pruning a fixed fraction of what remains, ideal and in whole weights.",
    arguments: &[
        Argument::required(
            "prune-fraction",
            "fraction of the remaining weights pruned per round",
            "1",
            Domain::FRACTION,
        ),
        Argument::required("rounds", "pruning rounds", "rounds", Domain::STEPS),
        Argument::optional(
            "weights",
            "prunable weights at the start",
            "weights",
            Domain::COUNT,
            None,
        ),
    ],
    formula: "density = (1 - a)^S; whole weights: k' = k - floor(a k + 1/2)",
    source: "Frankle & Carbin, ICLR 2019, arXiv:1803.03635 (procedure); elementary",
    claims: &["B5"],
    evaluate,
};

/// The ideal density `(1−α)^S` after `rounds` S of pruning a fraction α of the remaining weights, unrounded.
///
/// ```
/// assert_eq!(ticketsense::theory::imp_density::density(0.5, 3)?, 0.125);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for a fraction outside `[0, 1]`.
pub fn density(prune_fraction: f64, rounds: u64) -> Result<f64> {
    require_fraction("prune-fraction", prune_fraction)?;
    if rounds == 0 {
        return Ok(1.0);
    }
    let kept = 1.0 - prune_fraction;
    if kept == 0.0 {
        return Ok(0.0);
    }
    // What the subtraction rounded off counts once a round.
    let lost = (1.0 - kept) - prune_fraction;
    Ok(kept.powf(rounds as f64) * (rounds as f64 * lost / kept).exp())
}

/// How many of `remaining` weights one round prunes: `α·remaining` rounded to nearest, half up.
///
/// # Errors
/// [`Error::Argument`] for a fraction outside `[0, 1]`.
pub fn pruned_in_round(prune_fraction: f64, remaining: usize) -> Result<usize> {
    require_fraction("prune-fraction", prune_fraction)?;
    Ok(round_half_up(prune_fraction * remaining as f64).min(remaining))
}

/// How many of `weights` are left after `rounds`: the recursion `k ← k − ⌊αk + ½⌋`. At most `rounds` steps.
///
/// ```
/// use ticketsense::theory::imp_density::kept;
/// // 5 -> 4 -> 3 (0.8 rounds to 1) -> 2 (0.6 rounds to 1) -> 2 (0.4 rounds to 0: nothing more is pruned).
/// assert_eq!((0..5).map(|s| kept(0.2, s, 5)).collect::<Result<Vec<_>, _>>()?, [5, 4, 3, 2, 2]);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for a fraction outside `[0, 1]`.
pub fn kept(prune_fraction: f64, rounds: u64, weights: usize) -> Result<usize> {
    let mut kept = weights;
    for _ in 0..rounds {
        let pruned = pruned_in_round(prune_fraction, kept)?;
        if pruned == 0 {
            break;
        }
        kept -= pruned;
    }
    Ok(kept)
}

/// The largest possible `|k_S − N(1−α)^S|`: each round adds at most ½ and shrinks what was there by 1−α, together
/// `(1 − (1−α)^S)/(2α)`, below `1/(2α)`.
///
/// # Errors
/// [`Error::Argument`] for a fraction outside `[0, 1]`.
pub fn rounding_bound(prune_fraction: f64, rounds: u64) -> Result<f64> {
    let density = density(prune_fraction, rounds)?;
    if prune_fraction == 0.0 {
        return Ok(0.0);
    }
    Ok((1.0 - density) / (2.0 * prune_fraction))
}

/// The least number of rounds after which the ideal density is at most `target`: `⌈ln target / ln(1−α)⌉`.
///
/// A quotient within 4 units in the last place of an integer is that integer: then the target is reached exactly, up to
/// the rounding of the two logarithms.
///
/// # Errors
/// [`Error::Argument`] for a fraction outside `(0, 1]` or a target outside `(0, 1]`: without pruning no target below 1
/// is ever reached.
pub fn rounds_to_reach(prune_fraction: f64, target: f64) -> Result<u64> {
    require_fraction("prune-fraction", prune_fraction)?;
    require_positive("prune-fraction", prune_fraction)?;
    require_fraction("target density", target)?;
    require_positive("target density", target)?;
    let quotient = target.ln() / (-prune_fraction).ln_1p();
    if quotient == 0.0 {
        // Nothing to prune, or everything goes in one round.
        return Ok(u64::from(target < 1.0));
    }
    let nearest = quotient.round();
    let rounds = if (quotient - nearest).abs() <= 4.0 * f64::EPSILON * quotient {
        nearest
    } else {
        quotient.ceil()
    };
    if rounds < 9e15 {
        Ok(rounds as u64)
    } else {
        Err(Error::argument(
            "prune-fraction",
            "a fraction that reaches the target within 9e15 rounds",
            prune_fraction,
        ))
    }
}

fn evaluate(arguments: &Arguments) -> Result<Vec<Quantity>> {
    let fraction = arguments.real("prune-fraction")?;
    let rounds = arguments.integer("rounds")?;
    let ideal = density(fraction, rounds)?;
    let mut answer = vec![
        Quantity::real("value", ideal, "density left, unrounded"),
        Quantity::real("pruned_fraction", 1.0 - ideal, "fraction pruned so far"),
    ];
    for (name, target) in [
        ("rounds_to_ten_percent", 0.1),
        ("rounds_to_five_percent", 0.05),
        ("rounds_to_one_percent", 0.01),
    ] {
        let meaning = "rounds until the unrounded density is at most that";
        answer.push(match rounds_to_reach(fraction, target) {
            Ok(needed) => Quantity::integer(name, needed, meaning),
            Err(_) => Quantity::real(name, f64::NAN, meaning),
        });
    }
    if let Some(weights) = arguments.optional_integer("weights") {
        let left = kept(fraction, rounds, weights as usize)? as f64;
        answer.extend([
            Quantity::integer("kept", left as u64, "weights left by the recursion in whole weights"),
            Quantity::real("kept_density", left / weights as f64, "their density"),
            Quantity::real(
                "rounding_deviation",
                left - weights as f64 * ideal,
                "weights more than the unrounded law",
            ),
            Quantity::real(
                "rounding_bound",
                rounding_bound(fraction, rounds)?,
                "largest possible deviation",
            ),
        ]);
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn twenty_percent_per_round_needs_eleven_fourteen_and_twenty_one_rounds() {
        // mpmath: log(.1)/log(.8) = 10.3, log(.05)/log(.8) = 13.4, log(.01)/log(.8) = 20.6.
        let rounds: Vec<u64> = [0.1, 0.05, 0.01]
            .iter()
            .map(|&t| rounds_to_reach(0.2, t).unwrap())
            .collect();
        assert_eq!(rounds, [11, 14, 21]);
    }

    #[test]
    fn exact_powers_need_no_extra_round() {
        for exponent in 1..40 {
            assert_eq!(rounds_to_reach(0.5, 0.5_f64.powi(exponent)).unwrap(), exponent as u64);
            assert_eq!(
                rounds_to_reach(0.9, 0.1_f64.powi(exponent.min(15))).unwrap(),
                exponent.min(15) as u64
            );
        }
        assert_eq!(rounds_to_reach(1.0, 0.1).unwrap(), 1);
        assert_eq!(rounds_to_reach(0.3, 1.0).unwrap(), 0);
        assert!(rounds_to_reach(0.0, 0.1).is_err());
    }

    #[test]
    fn the_fraction_is_of_the_remaining_weights_and_not_of_all() {
        // The rival reading, 1 − αS, would be 0 after five rounds of 20 %.
        assert!((density(0.2, 5).unwrap() - 0.327_68).abs() < 1e-15);
        assert_eq!(kept(0.2, 5, 100_000).unwrap(), 32_768);
    }

    #[test]
    fn halves_are_rounded_up() {
        // 0.5 of 5 is 2.5: three are pruned; half to even would prune two.
        assert_eq!(pruned_in_round(0.5, 5).unwrap(), 3);
        assert_eq!(kept(0.5, 1, 5).unwrap(), 2);
        assert_eq!(kept(0.5, 1, 1).unwrap(), 0);
    }

    #[test]
    fn the_ends_of_the_range_are_handled() {
        assert_eq!(density(0.0, 1000).unwrap(), 1.0);
        assert_eq!(density(1.0, 1).unwrap(), 0.0);
        assert_eq!(density(1.0, 0).unwrap(), 1.0);
        assert_eq!(kept(1.0, 1, 7).unwrap(), 0);
        assert!(density(f64::NAN, 1).is_err());
    }

    proptest! {
        #[test]
        fn whole_weights_stay_within_the_bound_of_the_ideal_law(
            fraction in 0.001_f64..1.0, rounds in 0_u64..200, weights in 1_usize..1_000_000,
        ) {
            let ideal = weights as f64 * density(fraction, rounds).unwrap();
            let deviation = (kept(fraction, rounds, weights).unwrap() as f64 - ideal).abs();
            // The products and powers round at 1e-13 of the weights.
            prop_assert!(deviation <= rounding_bound(fraction, rounds).unwrap() + 1e-13 * weights as f64);
            prop_assert!(rounding_bound(fraction, rounds).unwrap() <= 1.0 / fraction);
        }

        #[test]
        fn the_density_is_the_product_of_its_rounds(fraction in 0.0_f64..1.0, rounds in 0_u64..100) {
            let product = (0..rounds).fold(1.0, |d, _| d * (1.0 - fraction));
            // A rounding a factor in the product, and one of 1 − α, which is relatively larger the smaller it is.
            let tolerance = 3e-16 * (1.0 + rounds as f64) / (1.0 - fraction);
            prop_assert!((density(fraction, rounds).unwrap() - product).abs() <= tolerance * product + 1e-300);
        }

        #[test]
        fn the_rounds_to_reach_a_target_are_the_least(fraction in 0.01_f64..0.99, target in 1e-6_f64..1.0) {
            let needed = rounds_to_reach(fraction, target).unwrap();
            prop_assert!(density(fraction, needed).unwrap() <= target * (1.0 + 1e-12));
            prop_assert!(needed == 0 || density(fraction, needed - 1).unwrap() > target * (1.0 - 1e-12));
        }
    }
}
