//! The list of solvers, for the command line and the conformance tests.

use super::entry::SolverEntry;
use super::{
    amp, basis_pursuit, basis_pursuit_denoising, cosamp, elastic_net, fista, group_lasso, htp, iht, lasso,
    logistic_lasso, niht, nonnegative_basis_pursuit, nonnegative_lasso, ols, omp, subspace_pursuit, vamp,
    weighted_lasso,
};
use crate::error::{Error, Result};

/// Every solver, in the order in which they are listed.
pub const SOLVERS: &[SolverEntry] = &[
    omp::ENTRY,
    ols::ENTRY,
    iht::ENTRY,
    niht::ENTRY,
    htp::ENTRY,
    cosamp::ENTRY,
    subspace_pursuit::ENTRY,
    amp::ENTRY,
    vamp::ENTRY,
    lasso::ENTRY,
    fista::ENTRY,
    elastic_net::ENTRY,
    weighted_lasso::ENTRY,
    nonnegative_lasso::ENTRY,
    group_lasso::ENTRY,
    logistic_lasso::ENTRY,
    basis_pursuit::ENTRY,
    nonnegative_basis_pursuit::ENTRY,
    basis_pursuit_denoising::ENTRY,
];

/// The solver of that name.
///
/// # Errors
/// [`Error::Unknown`] with the nearest name.
pub fn find(name: &str) -> Result<&'static SolverEntry> {
    SOLVERS
        .iter()
        .find(|entry| entry.name == name)
        .ok_or_else(|| Error::unknown("solver", name, SOLVERS.iter().map(|entry| entry.name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str, options: &[(&str, &str)]) -> String {
        find(name)
            .unwrap()
            .build(options.iter().copied())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn an_option_of_another_solver_a_bad_value_and_a_missing_one_are_refused_by_name() {
        assert!(refused("omp", &[("lambda", "1")]).contains("an option of solver 'omp'"));
        assert!(refused("lasso", &[("lambda", "-1")]).contains("lambda: expected a finite number ≥ 0, got -1"));
        assert!(refused("lasso", &[("lambda", "NaN")]).contains("got NaN"));
        assert!(refused("lasso", &[("lambda", "1"), ("lambda-ratio", "0.1")]).contains("both"));
        assert!(refused("lasso", &[]).contains("lambda-ratio"));
        assert!(refused("iht", &[]).contains("max-support"));
        assert!(refused("niht", &[("max-support", "0")]).contains("whole number ≥ 1"));
        assert!(refused("basis-pursuit", &[("tolerance", "1")]).contains("[0, 1)"));
        assert!(refused("omp", &[("max-support", "3"), ("max-support", "4")]).contains("at most one"));
    }

    #[test]
    fn a_misspelt_solver_gets_a_suggestion() {
        assert!(
            find("basis-persuit")
                .unwrap_err()
                .to_string()
                .contains("did you mean 'basis-pursuit'")
        );
    }

    #[test]
    fn stated_defaults_are_the_defaults() {
        for entry in SOLVERS {
            let needed = (entry.for_planted)(3);
            for option in entry
                .options
                .iter()
                .filter(|o| needed.iter().all(|(name, _)| *name != o.name))
            {
                if option.default.parse::<f64>().is_err() {
                    continue;
                }
                let given = needed.iter().map(|(n, v)| (*n, v.as_str()));
                let implicit = entry.build(given.clone()).unwrap();
                let explicit = entry.build(given.chain([(option.name, option.default)])).unwrap();
                assert_eq!(
                    format!("{implicit:?}"),
                    format!("{explicit:?}"),
                    "{} {}",
                    entry.name,
                    option.name
                );
            }
        }
    }
}
