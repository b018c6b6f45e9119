//! Rows of wide tables, built by column name.

use ticketsense::table::{Column, Row, Value};
use ticketsense::{Error, Result};

/// A row with the named values and nothing elsewhere.
pub(super) fn row_of(columns: &[Column], values: &[(&str, Value)]) -> Result<Row> {
    if let Some((name, _)) = values.iter().find(|(name, _)| columns.iter().all(|c| c.name != *name)) {
        return Err(Error::unknown("column", name, columns.iter().map(|c| c.name)));
    }
    let value = |column: &Column| {
        values
            .iter()
            .find(|(name, _)| *name == column.name)
            .map(|(_, v)| v.clone())
    };
    Ok(Row(columns
        .iter()
        .map(|column| value(column).unwrap_or(Value::Missing))
        .collect()))
}

/// A row that ends early, with nothing in the columns behind its last value.
pub(super) fn padded(columns: &[Column], mut row: Row) -> Row {
    let missing = columns.len().saturating_sub(row.0.len());
    row.0.extend(std::iter::repeat_n(Value::Missing, missing));
    row
}
