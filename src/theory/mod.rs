//! Closed forms: numbers to numbers, nothing random, no matrices; one file a theme.
//!
//! Every closed form that answers a question by itself is also a [`ClosedForm`] in [`CLOSED_FORMS`], so that the
//! calculator lists it, parses its arguments and prints its answer. To add one: its file with a `FORM`, one line here.

pub mod basis_pursuit_success;
pub mod beta_min;
pub mod coherence_bounds;
pub mod donoho_tanner;
pub mod dynamic_sparsity;
pub mod gradient_descent;
pub mod gradient_noise;
pub mod imp_density;
pub mod linearised_pruning;
pub mod lucky_support;
pub mod mask_breakeven;
pub mod mask_coding;
pub mod mask_overlap;
pub mod mean_field;
pub mod path_survival;
pub mod percolation;
pub mod recurrent_walks;
pub mod registry;
pub mod relu_variance;
pub mod scaled_erfc;
pub mod sign_flip;
pub mod special;
pub mod stable_recovery;
pub mod state_evolution;
pub mod structured_cost;
pub mod subset_sum;
pub mod support_thresholds;
pub mod thresholding;

pub use registry::{Argument, Arguments, ClosedForm, Domain, Quantity, Scalar};

use crate::error::{Error, Result};

/// Every closed form of the calculator.
pub static CLOSED_FORMS: &[&ClosedForm] = &[
    &imp_density::FORM,
    &mask_coding::FORM,
    &mask_breakeven::FORM,
    &structured_cost::FORM,
    &dynamic_sparsity::FORM,
    &percolation::FORM,
    &relu_variance::FORM,
    &gradient_descent::FORM,
    &coherence_bounds::FORM,
    &donoho_tanner::FORM,
    &basis_pursuit_success::FORM,
    &state_evolution::EVOLUTION_FORM,
    &state_evolution::LASSO_FORM,
    &stable_recovery::FORM,
    &support_thresholds::LASSO_FORM,
    &support_thresholds::OMP_FORM,
    &beta_min::FORM,
    &thresholding::SOFT_FORM,
    &thresholding::HARD_FORM,
    &mask_overlap::FORM,
    &sign_flip::FLIP_FORM,
    &sign_flip::AGREEMENT_FORM,
    &lucky_support::SUPPORT_FORM,
    &lucky_support::REDUNDANCY_FORM,
    &mean_field::FIXED_POINT_FORM,
    &mean_field::EDGE_FORM,
    &mean_field::JACOBIAN_FORM,
    &mean_field::INHERITED_FORM,
    &path_survival::FORM,
    &recurrent_walks::FORM,
    &gradient_noise::SCALE_FORM,
    &gradient_noise::ERROR_FORM,
];

/// The closed form of that name.
///
/// # Errors
/// [`Error::Unknown`] with the nearest name.
pub fn find(name: &str) -> Result<&'static ClosedForm> {
    CLOSED_FORMS
        .iter()
        .find(|form| form.name == name)
        .copied()
        .ok_or_else(|| Error::unknown("closed form", name, CLOSED_FORMS.iter().map(|form| form.name)))
}

/// Refuses what is not in `[0, 1]`.
pub(crate) fn require_fraction(name: &str, value: f64) -> Result<()> {
    if (0.0..=1.0).contains(&value) {
        Ok(())
    } else {
        Err(Error::argument(name, "a number in [0, 1]", value))
    }
}

/// Refuses what is not in `(0, ∞)`.
pub(crate) fn require_positive(name: &str, value: f64) -> Result<()> {
    if value > 0.0 && value.is_finite() {
        Ok(())
    } else {
        Err(Error::argument(name, "a positive finite number", value))
    }
}

/// Refuses what is not in `[0, ∞)`.
pub(crate) fn require_nonnegative(name: &str, value: f64) -> Result<()> {
    if value >= 0.0 && value.is_finite() {
        Ok(())
    } else {
        Err(Error::argument(name, "a nonnegative finite number", value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_closed_form_answers_with_value_first_and_distinct_names() {
        for form in CLOSED_FORMS {
            let given: Vec<(&str, &str)> = form
                .arguments
                .iter()
                .filter(|argument| argument.required)
                .map(|argument| match argument.domain {
                    // Fewer nonzeros than columns and rows.
                    Domain::Integer { .. } if argument.name == "nonzeros" => (argument.name, "1"),
                    Domain::Integer { .. } => (argument.name, "3"),
                    _ if argument.name == "fan-out" => (argument.name, "2"),
                    // Below √2 − 1.
                    _ if argument.name == "isometry-constant" => (argument.name, "0.25"),
                    // Feasible for all the others: a fraction, a density, a regrowth not above it, bits, eigenvalues.
                    _ => (argument.name, "0.5"),
                })
                .collect();
            let answer = form
                .evaluate_text(&given)
                .unwrap_or_else(|error| panic!("{}: {error}", form.name));
            assert_eq!(answer[0].name, "value", "{}", form.name);
            for (position, quantity) in answer.iter().enumerate() {
                assert!(!quantity.meaning.is_empty(), "{}: {}", form.name, quantity.name);
                let earlier = answer[..position].iter().any(|other| other.name == quantity.name);
                assert!(!earlier, "{}: {} twice", form.name, quantity.name);
            }
        }
    }

    #[test]
    fn every_default_lies_in_its_own_domain_and_names_do_not_repeat() {
        for (position, form) in CLOSED_FORMS.iter().enumerate() {
            assert!(CLOSED_FORMS[..position].iter().all(|other| other.name != form.name));
            assert!(!form.claims.is_empty() && !form.source.is_empty() && !form.formula.is_empty());
            for (position, argument) in form.arguments.iter().enumerate() {
                assert!(
                    form.arguments[..position]
                        .iter()
                        .all(|other| other.name != argument.name)
                );
                assert!(!argument.required || argument.default.is_none());
                if let Some(default) = argument.default {
                    argument.parse(default).unwrap();
                }
            }
        }
    }

    #[test]
    fn the_published_names_and_arguments_stand() {
        let published = [
            ("imp-density", "prune-fraction rounds weights"),
            ("mask-gain", "density weight-bits overhead-bits weights"),
            ("mask-breakeven", "weight-bits"),
            ("structured-cost", "kept-fraction place inputs outputs kernel positions"),
            ("dst-equilibrium", "density regrow protocol"),
            ("percolation-survival", "fan-out keep law depth"),
            ("relu-variance", "density weight-variance depth initial"),
            ("optimal-step", "lambda-min lambda-max"),
            ("welch-bound", "rows columns"),
            ("donoho-tanner", "delta nonnegative"),
            ("basis-pursuit-success", "columns rows nonzeros nonnegative"),
            (
                "amp-state-evolution",
                "delta nonzero-fraction noise-variance threshold signal amplitude iterations",
            ),
            (
                "lasso-risk",
                "delta nonzero-fraction noise-variance lambda signal amplitude",
            ),
            (
                "lasso-support-threshold",
                "columns nonzeros rows noise-variance penalty",
            ),
            ("omp-support-threshold", "columns nonzeros rows"),
            ("beta-min", "columns nonzeros rows noise-std signal penalty"),
            ("stable-recovery-constants", "isometry-constant"),
            ("soft-threshold-risk", "mean threshold noise-std"),
            ("hard-threshold-risk", "mean threshold noise-std"),
            ("chance-overlap", "candidates first second overlap"),
            ("sign-flip", "tau"),
            ("sign-agreement", "drift density"),
            ("lucky-support", "weights nonzeros signs exceed"),
            ("redundancy", "units candidates adequate shared failure"),
            (
                "mean-field",
                "nonlinearity density weight-variance bias-variance initial",
            ),
            ("edge-of-chaos", "nonlinearity density bias-variance"),
            (
                "jacobian-spectrum",
                "density weight-variance depth nonlinearity ensemble bias-variance initial width",
            ),
            (
                "inherited-scale",
                "density correlation weight-variance bias-variance nonlinearity",
            ),
            ("path-survival", "keep hidden-layers width"),
            ("recurrent-survival", "units keep steps"),
            ("gradient-noise-scale", "residual-variance trace squared-gradient batch"),
            ("stationary-error", "step batch noise-variance weights"),
        ];
        assert_eq!(published.len(), CLOSED_FORMS.len());
        for (name, arguments) in published {
            let form = find(name).unwrap();
            for argument in arguments.split(' ') {
                assert!(form.arguments.iter().any(|a| a.name == argument), "{name} --{argument}");
            }
        }
    }

    #[test]
    fn wrong_arguments_are_refused_by_name() {
        let form = find("mask-gain").unwrap();
        for (given, name) in [
            (vec![("density", "0.1")], "weight-bits"),
            (vec![("density", "1.1"), ("weight-bits", "32")], "density"),
            (vec![("density", "NaN"), ("weight-bits", "32")], "density"),
            (vec![("density", "0.1"), ("weight-bits", "0")], "weight-bits"),
            (vec![("density", "0.1"), ("weight-bits", "inf")], "weight-bits"),
            (
                vec![("density", "0.1"), ("weight-bits", "32"), ("weights", "1.5")],
                "weights",
            ),
            (
                vec![("density", "0.1"), ("weight-bits", "32"), ("weights", "-1")],
                "weights",
            ),
            (
                vec![("density", "0.1"), ("density", "0.1"), ("weight-bits", "32")],
                "density",
            ),
        ] {
            match form.evaluate_text(&given) {
                Err(Error::Argument { name: refused, .. }) => assert_eq!(refused, name),
                other => panic!("{given:?}: {other:?}"),
            }
        }
        let unknown = form.evaluate_text(&[("weight-bit", "8")]).unwrap_err().to_string();
        assert!(unknown.contains("did you mean 'weight-bits'"), "{unknown}");
        assert!(find("welch").is_err());
        let law = find("percolation-survival").unwrap();
        let given = [("fan-out", "2"), ("keep", "0.5"), ("law", "uniform")];
        assert!(matches!(law.evaluate_text(&given), Err(Error::Unknown { .. })));
    }

    #[test]
    fn integers_may_be_written_as_powers_of_ten() {
        let form = find("imp-density").unwrap();
        let plain = form
            .parse(&[("prune-fraction", "0.2"), ("rounds", "3"), ("weights", "1000000")])
            .unwrap();
        let power = form
            .parse(&[("prune-fraction", "0.2"), ("rounds", "3"), ("weights", "1e6")])
            .unwrap();
        assert_eq!(plain, power);
    }
}
