//! How many Gaussian measurements the LASSO and orthogonal matching pursuit need to find the support, to leading order.
//!
//! Both need about `2k ln(p−k)` rows for k nonzeros among p columns, as k, p → ∞ with independent standard normal
//! entries: the LASSO (Wainwright 2009, Theorems 3 and 4) by a sharp threshold in
//!
//! > θ = n / (2k ln(p−k) [1 + σ²/(λ²k)]),
//!
//! with recovery of the signed support when θ > 1 and failure when θ < 1, for `(1/2n)‖y − Xw‖² + λ‖w‖₁`, noise variance
//! σ² and nonzeros well above λ; orthogonal matching pursuit by a sufficient condition at high signal-to-noise ratio
//! (Fletcher & Rangan 2012), where the first proof needed `4k ln p` (Tropp & Gilbert 2007). These are limits: at finite
//! sizes the turn is broad, above θ = 1 for the noisy LASSO and far below it for noise-free matching pursuit. Nor are
//! they the Donoho-Tanner curve, which is noise-free with k proportional to p.

use super::registry::{Argument, Arguments, ClosedForm, Domain, Quantity};
use super::{require_nonnegative, require_positive};
use crate::error::{Error, Result};

const COLUMNS: Argument = Argument::required("columns", "unknowns p", "1", Domain::COUNT);
const NONZEROS: Argument = Argument::required("nonzeros", "nonzeros k, at most p - 2", "1", Domain::COUNT);
const ROWS: Argument = Argument::optional(
    "rows",
    "rows n, to be compared with the threshold",
    "1",
    Domain::COUNT,
    None,
);

/// The closed form `lasso-support-threshold`.
pub static LASSO_FORM: ClosedForm = ClosedForm {
    name: "lasso-support-threshold",
    summary: "Rows above which the LASSO finds the signed support, for Gaussian columns, to leading order.",
    arguments: &[
        COLUMNS,
        NONZEROS,
        ROWS,
        Argument::optional(
            "noise-variance",
            "variance of the noise",
            "1",
            Domain::NONNEGATIVE,
            Some("0"),
        ),
        Argument::optional(
            "penalty",
            "lambda beside |y - Xw|^2/(2n); needed with noise",
            "1",
            Domain::POSITIVE,
            None,
        ),
    ],
    formula: "n = 2 k ln(p - k) (1 + s^2/(l^2 k)), where theta = 1",
    source: "Wainwright, IEEE Trans. Inf. Theory 2009, arXiv:math/0605740, Theorems 3 and 4",
    claims: &["H5"],
    evaluate: evaluate_lasso,
};

/// The closed form `omp-support-threshold`.
pub static OMP_FORM: ClosedForm = ClosedForm {
    name: "omp-support-threshold",
    summary: "Rows above which orthogonal matching pursuit finds the support, for Gaussian columns, to leading order.",
    arguments: &[COLUMNS, NONZEROS, ROWS],
    formula: "m = 2 k ln(p - k), as the signal-to-noise ratio grows",
    source: "Fletcher & Rangan, IEEE Trans. Signal Process. 2012, arXiv:1105.5853; Tropp & Gilbert 2007 for 4 k ln p",
    claims: &["I7"],
    evaluate: evaluate_omp,
};

/// The rows `2k ln(p−k)` at which the rescaled sample size θ is one, without noise.
///
/// ```
/// let rows = ticketsense::theory::support_thresholds::noiseless_rows(512, 16)?;
/// assert!((rows - 32.0 * 496_f64.ln()).abs() < 1e-12);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for no nonzeros, or fewer than two zeros: the logarithm of one is no threshold.
pub fn noiseless_rows(columns: u64, nonzeros: u64) -> Result<f64> {
    match columns.checked_sub(nonzeros) {
        _ if nonzeros == 0 => Err(Error::argument("nonzeros", "at least 1", nonzeros)),
        Some(zeros) if zeros >= 2 => Ok(2.0 * nonzeros as f64 * (zeros as f64).ln()),
        _ => Err(Error::argument(
            "nonzeros",
            format!("at most the {columns} columns less two"),
            nonzeros,
        )),
    }
}

/// The rows `2k ln(p−k)(1 + σ²/(λ²k))` at which θ is one for the LASSO with penalty λ and noise variance σ².
///
/// # Errors
/// [`Error::Argument`] as [`noiseless_rows`], for a negative variance, or a penalty that is not positive or so small that
/// the answer is beyond every double.
pub fn lasso_rows(columns: u64, nonzeros: u64, noise_variance: f64, penalty: f64) -> Result<f64> {
    let noiseless = noiseless_rows(columns, nonzeros)?;
    require_nonnegative("noise-variance", noise_variance)?;
    require_positive("penalty", penalty)?;
    let rows = noiseless * (1.0 + noise_variance / penalty / penalty / nonzeros as f64);
    match rows.is_finite() {
        true => Ok(rows),
        false => Err(Error::argument("penalty", "one not far below the noise", penalty)),
    }
}

/// The rows `4k ln p` that the first proof for orthogonal matching pursuit asks for.
///
/// # Errors
/// [`Error::Argument`] as [`noiseless_rows`].
pub fn tropp_gilbert_rows(columns: u64, nonzeros: u64) -> Result<f64> {
    noiseless_rows(columns, nonzeros)?;
    Ok(4.0 * nonzeros as f64 * (columns as f64).ln())
}

/// θ: given rows over those of the threshold; NaN where no rows are given.
fn rescaled(arguments: &Arguments, threshold: f64) -> Quantity {
    let theta = arguments
        .optional_integer("rows")
        .map_or(f64::NAN, |rows| rows as f64 / threshold);
    Quantity::real("theta", theta, "rescaled sample size: the given rows over the value")
}

fn evaluate_lasso(arguments: &Arguments) -> Result<Vec<Quantity>> {
    let (columns, nonzeros) = (arguments.integer("columns")?, arguments.integer("nonzeros")?);
    let noise_variance = arguments.real("noise-variance")?;
    let noiseless = noiseless_rows(columns, nonzeros)?;
    let rows = match arguments.optional_real("penalty") {
        Some(penalty) => lasso_rows(columns, nonzeros, noise_variance, penalty)?,
        None if noise_variance == 0.0 => noiseless,
        None => {
            return Err(Error::argument(
                "penalty",
                "a positive number beside a noise variance",
                "nothing",
            ));
        }
    };
    Ok(vec![
        Quantity::real("value", rows, "rows at which theta is one"),
        rescaled(arguments, rows),
        Quantity::real("noiseless", noiseless, "the same without noise, 2 k ln(p - k)"),
    ])
}

fn evaluate_omp(arguments: &Arguments) -> Result<Vec<Quantity>> {
    let (columns, nonzeros) = (arguments.integer("columns")?, arguments.integer("nonzeros")?);
    let rows = noiseless_rows(columns, nonzeros)?;
    Ok(vec![
        Quantity::real("value", rows, "rows at which theta is one"),
        rescaled(arguments, rows),
        Quantity::real(
            "tropp_gilbert",
            tropp_gilbert_rows(columns, nonzeros)?,
            "rows that the earlier proof asks for, 4 k ln p",
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theory::Scalar;
    use proptest::prelude::*;

    fn value(form: &ClosedForm, given: &[(&str, &str)], name: &str) -> f64 {
        let answer = form.evaluate_text(given).unwrap();
        match answer.iter().find(|q| q.name == name).unwrap().value {
            Scalar::Real(value) => value,
            ref other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_thresholds_match_high_precision() {
        // mpmath 1.4.1, 40 digits: 2*64*log(960), 4*64*log(1024), 2*5*log(10**12 - 5).
        assert!((noiseless_rows(1024, 64).unwrap() / 878.967_460_411_120_9 - 1.0).abs() < 1e-15);
        assert!((tropp_gilbert_rows(1024, 64).unwrap() / 1_774.456_782_233_46 - 1.0).abs() < 1e-15);
        assert!((noiseless_rows(1_000_000_000_000, 5).unwrap() / 276.310_211_159_235_5 - 1.0).abs() < 1e-15);
        // σ² = 0.25, λ = 0.1: the factor is 1 + 25/64.
        let noisy = lasso_rows(1024, 64, 0.25, 0.1).unwrap();
        assert!((noisy / (878.967_460_411_120_9 * 1.390_625) - 1.0).abs() < 1e-15);
    }

    #[test]
    fn the_rescaled_sample_size_is_one_at_the_threshold_and_absent_without_rows() {
        let given = [("columns", "1024"), ("nonzeros", "64"), ("rows", "879")];
        for form in [&LASSO_FORM, &OMP_FORM] {
            let theta = value(form, &given, "theta");
            assert!((theta - 1.0).abs() < 1e-4, "{theta}");
            assert!(value(form, &given[..2], "theta").is_nan());
        }
        let noisy = [given[0], given[1], ("noise-variance", "0.25"), ("penalty", "0.1")];
        assert!(value(&LASSO_FORM, &noisy, "value") > value(&LASSO_FORM, &noisy, "noiseless"));
    }

    #[test]
    fn what_is_no_threshold_is_refused_by_name() {
        for (columns, nonzeros) in [(10, 0), (10, 9), (10, 10), (10, 11)] {
            match noiseless_rows(columns, nonzeros) {
                Err(Error::Argument { name, .. }) => assert_eq!(name, "nonzeros"),
                other => panic!("{other:?}"),
            }
        }
        let noise_without_penalty = [("columns", "10"), ("nonzeros", "2"), ("noise-variance", "1")];
        match LASSO_FORM.evaluate_text(&noise_without_penalty) {
            Err(Error::Argument { name, .. }) => assert_eq!(name, "penalty"),
            other => panic!("{other:?}"),
        }
        assert!(lasso_rows(10, 2, -1.0, 1.0).is_err());
        assert!(lasso_rows(10, 2, f64::NAN, 1.0).is_err());
        assert!(lasso_rows(10, 2, 1.0, 0.0).is_err());
        assert!(lasso_rows(10, 2, 1.0, 1e-200).is_err());
    }

    proptest! {
        #[test]
        fn noise_and_columns_raise_the_threshold_and_a_larger_penalty_lowers_it(
            columns in 100_u64..100_000, nonzeros in 1_u64..40, noise in 0.01_f64..10.0, penalty in 0.01_f64..10.0,
        ) {
            let rows = lasso_rows(columns, nonzeros, noise, penalty).unwrap();
            prop_assert!(rows > noiseless_rows(columns, nonzeros).unwrap());
            prop_assert!(rows < lasso_rows(columns + 1, nonzeros, noise, penalty).unwrap());
            prop_assert!(rows > lasso_rows(columns, nonzeros, noise, 2.0 * penalty).unwrap());
            prop_assert!(noiseless_rows(columns, nonzeros).unwrap() < tropp_gilbert_rows(columns, nonzeros).unwrap());
        }
    }
}
