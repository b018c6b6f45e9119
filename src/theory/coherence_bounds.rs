//! What coherence can and cannot certify, by the sizes of the matrix alone.

use super::registry::{Argument, Arguments, ClosedForm, Domain, Quantity};
use crate::error::{Error, Result};

/// The closed form `welch-bound`.
pub static FORM: ClosedForm = ClosedForm {
    name: "welch-bound",
    summary: "Smallest possible coherence of unit columns, and the largest order that coherence can then certify.",
    arguments: &[
        Argument::required("rows", "rows m of the matrix", "rows", Domain::COUNT),
        Argument::required("columns", "unit columns n of the matrix", "columns", Domain::COUNT),
    ],
    formula: "mu >= sqrt((n - m)/(m (n - 1))) for n > m, else 0; certified k: (2k - 1) mu < 1",
    source: "Welch 1974; Strohmer & Heath 2003; certificate: Tropp, IEEE Trans. Inf. Theory 2004",
    claims: &["I5"],
    evaluate,
};

fn require_sizes(rows: u64, columns: u64) -> Result<()> {
    match (rows, columns) {
        (0, _) => Err(Error::argument("rows", "at least 1", rows)),
        (_, 0) => Err(Error::argument("columns", "at least 1", columns)),
        _ => Ok(()),
    }
}

/// The Welch bound `√((n−m)/(m(n−1)))` on the coherence of n unit columns in ℝᵐ or ℂᵐ; 0 for n ≤ m, where orthonormal
/// columns exist.
///
/// ```
/// // Three unit vectors in the plane, 120 degrees apart.
/// assert_eq!(ticketsense::theory::coherence_bounds::welch(2, 3)?, 0.5);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for an empty matrix.
pub fn welch(rows: u64, columns: u64) -> Result<f64> {
    require_sizes(rows, columns)?;
    if columns <= rows {
        return Ok(0.0);
    }
    // The quotients are taken one by one: the product m(n − 1) would round first.
    let excess = (columns - rows) as f64 / (columns - 1) as f64;
    Ok((excess / rows as f64).sqrt())
}

/// The largest order k that a coherence certifies by `(2k−1)μ < 1`: 0 when it certifies none (μ ≥ 1), `None` when it
/// certifies every order (μ = 0).
///
/// # Errors
/// [`Error::Argument`] for a coherence outside `[0, 1]`.
pub fn certified_order(coherence: f64) -> Result<Option<u64>> {
    super::require_fraction("coherence", coherence)?;
    if coherence == 0.0 {
        return Ok(None);
    }
    // The quotient proposes; the condition itself decides. Its rounded product makes a coherence given as the double
    // next to 1/(2k − 1) count as equal to it: a certificate must not rest on the last bit of its input.
    let certifies = |k: f64| (2.0 * k - 1.0) * coherence < 1.0;
    let mut order = (0.5 + 0.5 / coherence)
        .floor()
        .min(super::registry::LARGEST_EXACT_INTEGER as f64);
    while order > 0.0 && !certifies(order) {
        order -= 1.0;
    }
    Ok(Some(order as u64))
}

/// The largest order that coherence certifies for *any* m×n matrix: the largest k with `(2k−1)² (n−m) < m(n−1)`, in whole
/// numbers, and n where n ≤ m. About `√m/2`: the square-root bottleneck.
///
/// # Errors
/// [`Error::Argument`] for an empty matrix or a size above 2⁵³.
pub fn largest_certifiable_order(rows: u64, columns: u64) -> Result<u64> {
    require_sizes(rows, columns)?;
    for (name, size) in [("rows", rows), ("columns", columns)] {
        if size > super::registry::LARGEST_EXACT_INTEGER {
            return Err(Error::argument(name, "at most 2^53", size));
        }
    }
    if columns <= rows {
        return Ok(columns);
    }
    let excess = u128::from(columns - rows);
    let budget = u128::from(rows) * u128::from(columns - 1);
    let certifies = |k: u128| (2 * k - 1).pow(2).checked_mul(excess).is_some_and(|cost| cost < budget);
    // k ≤ (1 + √(m(n−1)))/2 < 2⁵³; k = 1 always certifies since n − m < m(n − 1) for n ≥ 2 and m ≥ 2.
    let (mut low, mut high) = (0_u128, 1_u128 << 53);
    while high - low > 1 {
        let middle = (low + high) / 2;
        if certifies(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok(low as u64)
}

fn evaluate(arguments: &Arguments) -> Result<Vec<Quantity>> {
    let rows = arguments.integer("rows")?;
    let columns = arguments.integer("columns")?;
    Ok(vec![
        Quantity::real("value", welch(rows, columns)?, "smallest possible coherence"),
        Quantity::integer(
            "largest_certifiable_order",
            largest_certifiable_order(rows, columns)?,
            "nonzeros for which coherence can guarantee recovery, at best",
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equiangular_frames_attain_the_bound() {
        // The simplex of m + 1 vectors has coherence 1/m; six lines through an icosahedron's vertices 1/√5.
        for rows in [1, 2, 3, 10, 1000] {
            assert!((welch(rows, rows + 1).unwrap() * rows as f64 - 1.0).abs() < 4e-16);
        }
        assert!((welch(3, 6).unwrap() - 0.2_f64.sqrt()).abs() < 1e-16);
        // Forgetting the −1 of n − 1 gives 0.408 here.
        assert!((welch(3, 6).unwrap() - (1.0_f64 / 6.0).sqrt()).abs() > 0.03);
    }

    #[test]
    fn no_more_columns_than_rows_can_be_orthonormal() {
        assert_eq!(welch(5, 5).unwrap(), 0.0);
        assert_eq!(welch(5, 1).unwrap(), 0.0);
        assert_eq!(welch(1, 1).unwrap(), 0.0);
        assert_eq!(largest_certifiable_order(5, 4).unwrap(), 4);
        assert!(welch(0, 3).is_err());
    }

    #[test]
    fn one_row_certifies_nothing_and_an_identity_beside_a_hadamard_matrix_half_its_root() {
        assert_eq!(welch(1, 7).unwrap(), 1.0);
        assert_eq!(largest_certifiable_order(1, 7).unwrap(), 0);
        assert_eq!(certified_order(1.0).unwrap(), Some(0));
        // μ = 1/8: 2k − 1 < 8.
        assert_eq!(certified_order(0.125).unwrap(), Some(4));
        // At (2k − 1)μ = 1 exactly nothing is certified at that k.
        assert_eq!(certified_order(1.0 / 3.0).unwrap(), Some(1));
        assert_eq!(certified_order(0.2).unwrap(), Some(2));
        assert_eq!(certified_order(0.0).unwrap(), None);
    }

    #[test]
    fn the_certifiable_order_grows_like_half_the_root_of_the_rows() {
        for exponent in [10, 20, 40] {
            let rows = 1_u64 << exponent;
            let order = largest_certifiable_order(rows, 2 * rows).unwrap() as f64;
            let bottleneck = 0.5 * (2.0 * rows as f64).sqrt();
            assert!((order - bottleneck).abs() <= 1.0, "{rows}: {order} {bottleneck}");
        }
    }

    proptest! {
        #[test]
        fn the_order_in_whole_numbers_is_that_of_the_bound(rows in 1_u64..2000, extra in 1_u64..5000) {
            let columns = rows + extra;
            let order = largest_certifiable_order(rows, columns).unwrap();
            let certifies = |k: u64| u128::from(2 * k - 1).pow(2) * u128::from(extra) < u128::from(rows) * u128::from(columns - 1);
            prop_assert!(order == 0 || certifies(order));
            prop_assert!(!certifies(order + 1));
            let by_bound = certified_order(welch(rows, columns).unwrap()).unwrap().unwrap();
            prop_assert!(by_bound.abs_diff(order) <= 1);
        }
    }
}
