//! What every random ensemble checks before it draws.

use crate::error::{Error, Result};

/// The number of entries of an m × n matrix of `f64` that can be held in memory.
///
/// # Errors
/// [`Error::Argument`] when a dimension is 0 or the matrix cannot be addressed.
pub(super) fn storable(what: &str, rows: usize, columns: usize) -> Result<usize> {
    rows.checked_mul(columns)
        .filter(|&length| length > 0 && length <= isize::MAX as usize / 8)
        .ok_or_else(|| {
            Error::argument(
                what,
                "at least one row and one column, in memory",
                format!("{rows}×{columns}"),
            )
        })
}
