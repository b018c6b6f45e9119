//! Paths through randomly kept weights: alone, side by side, and counted in a fully connected network.

use super::registry::{Argument, Arguments, ClosedForm, Domain, Quantity};
use super::require_fraction;
use crate::error::{Error, Result};

/// The closed form `path-survival`.
pub static FORM: ClosedForm = ClosedForm {
    name: "path-survival",
    summary: "Probability that some of several disjoint paths survives when every weight is kept at random.",
    arguments: &[
        Argument::required("keep", "probability that a weight is kept", "1", Domain::FRACTION),
        Argument::required(
            "hidden-layers",
            "hidden layers; a path has one weight more",
            "layers",
            Domain::STEPS,
        ),
        Argument::optional(
            "width",
            "disjoint paths, or units of a hidden layer",
            "units",
            Domain::COUNT,
            Some("1"),
        ),
    ],
    formula: "1-(1-q^(L+1))^w; fully connected: w^L paths, of which w^L q^(L+1) survive on average",
    source: "independence of disjoint paths; linearity of the mean",
    claims: &["E1", "E2"],
    evaluate,
};

/// The probability `q^{L+1}` that a path through L hidden layers survives, each of its weights kept with probability q.
///
/// # Errors
/// [`Error::Argument`] for a probability outside `[0, 1]`.
pub fn path_survival(keep: f64, hidden_layers: u64) -> Result<f64> {
    require_fraction("keep", keep)?;
    Ok(keep.powf(hidden_layers as f64 + 1.0))
}

/// The probability `1 − (1 − q^{L+1})^w` that at least one of w disjoint paths survives, to full relative precision.
///
/// ```
/// use ticketsense::theory::path_survival::disjoint_survival;
/// assert_eq!(disjoint_survival(0.5, 1, 2)?, 1.0 - 0.75 * 0.75);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for a probability outside `[0, 1]`.
pub fn disjoint_survival(keep: f64, hidden_layers: u64, paths: u64) -> Result<f64> {
    let one = path_survival(keep, hidden_layers)?;
    if one >= 1.0 {
        return Ok(if paths > 0 { 1.0 } else { 0.0 });
    }
    Ok(-(paths as f64 * (-one).ln_1p()).exp_m1())
}

/// `ln(w^L q^{L+1})`: the mean number of surviving paths between one input and one output of a fully connected network of L
/// hidden layers of w units, as a logarithm. They overlap: a large mean does not make a connection likely.
///
/// # Errors
/// [`Error::Argument`] for a probability outside `[0, 1]` or no units.
pub fn log_mean_paths(keep: f64, hidden_layers: u64, width: u64) -> Result<f64> {
    require_fraction("keep", keep)?;
    super::require_positive("width", width as f64)?;
    let layers = hidden_layers as f64;
    Ok(layers * (width as f64).ln() + (layers + 1.0) * keep.ln())
}

/// The number of disjoint paths `⌊B/(L+1)⌋` that a budget of B weights allows through L hidden layers.
///
/// # Errors
/// [`Error::Argument`] when the budget is not enough for one.
pub fn paths_of_budget(budget: u64, hidden_layers: u64) -> Result<u64> {
    let needed = hidden_layers.saturating_add(1);
    match budget / needed {
        0 => Err(Error::argument("budget", format!("at least {needed} weights"), budget)),
        paths => Ok(paths),
    }
}

fn evaluate(arguments: &Arguments) -> Result<Vec<Quantity>> {
    let keep = arguments.real("keep")?;
    let (layers, width) = (arguments.integer("hidden-layers")?, arguments.integer("width")?);
    Ok(vec![
        Quantity::real(
            "value",
            disjoint_survival(keep, layers, width)?,
            "probability that some of the disjoint paths survives",
        ),
        Quantity::real(
            "path",
            path_survival(keep, layers)?,
            "probability that a given path survives",
        ),
        Quantity::real(
            "log_mean_paths",
            log_mean_paths(keep, layers, width)?,
            "logarithm of the mean number of surviving paths in a fully connected network",
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn disjoint_paths_agree_with_the_enumeration_of_their_weights() {
        for (keep, layers, paths) in [(0.3f64, 1u64, 3u64), (0.8, 2, 4), (0.5, 0, 5), (0.9, 3, 3)] {
            let weights = ((layers + 1) * paths) as u32;
            let mut truth = 0.0;
            for kept in 0u32..1 << weights {
                let count = kept.count_ones() as i32;
                let whole = (1u32 << (layers + 1)) - 1;
                let any = (0..paths).any(|p| kept >> (p * (layers + 1)) & whole == whole);
                if any {
                    truth += keep.powi(count) * (1.0 - keep).powi(weights as i32 - count);
                }
            }
            let found = disjoint_survival(keep, layers, paths).unwrap();
            assert!(
                (found - truth).abs() < 1e-12,
                "{keep} {layers} {paths}: {found} {truth}"
            );
        }
    }

    #[test]
    fn tiny_probabilities_keep_their_digits_and_ends_are_exact() {
        assert!((disjoint_survival(1e-3, 5, 7).unwrap() / 7e-18 - 1.0).abs() < 1e-14);
        assert_eq!(disjoint_survival(1.0, 9, 1).unwrap(), 1.0);
        assert_eq!(disjoint_survival(0.0, 9, 4).unwrap(), 0.0);
        assert_eq!(disjoint_survival(1.0, 9, 0).unwrap(), 0.0);
        assert!((log_mean_paths(0.5, 3, 10).unwrap() - (1000.0f64 / 16.0).ln()).abs() < 1e-13);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert!(disjoint_survival(1.1, 1, 1).is_err() && log_mean_paths(0.5, 1, 0).is_err());
        assert!(paths_of_budget(5, 5).unwrap_err().to_string().contains("at least 6"));
        assert_eq!(paths_of_budget(100, 4).unwrap(), 20);
    }

    proptest! {
        #[test]
        fn at_a_fixed_budget_depth_always_costs_disjoint_paths(keep in 0.01f64..0.99, layers in 0u64..20, budget in 50u64..5000) {
            let at = |layers: u64| disjoint_survival(keep, layers, paths_of_budget(budget, layers).unwrap()).unwrap();
            prop_assert!(at(layers + 1) <= at(layers));
        }
    }
}
