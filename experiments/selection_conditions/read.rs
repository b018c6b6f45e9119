//! Reading the table.

use ticketsense::Result;
use ticketsense::table::{Record, Table};

/// The rows of one part.
pub(super) fn of_part<'a>(table: &'a Table, part: &'static str) -> Vec<Record<'a>> {
    table.filter(move |r| r.text("part").is_ok_and(|p| p == part)).collect()
}

/// The rows of matrices with columns of these lengths.
pub(super) fn matrices<'a>(table: &'a Table, lengths: &str) -> Result<Vec<Record<'a>>> {
    let mut kept = Vec::new();
    for row in of_part(table, "matrix") {
        if row.text("lengths")? == lengths {
            kept.push(row);
        }
    }
    Ok(kept)
}

/// The sum of a column of counts.
pub(super) fn total(rows: &[Record<'_>], column: &str) -> Result<i64> {
    let each: Result<Vec<i64>> = rows.iter().map(|r| r.integer(column)).collect();
    Ok(each?.iter().sum())
}

/// `gaussian 12×18, number 3, k = 2`.
pub(super) fn place(row: &Record<'_>) -> Result<String> {
    Ok(format!(
        "{} {}×{}, number {}, k = {}",
        row.text("family")?,
        row.integer("rows")?,
        row.integer("columns")?,
        row.integer("replicate")?,
        row.integer("nonzeros")?
    ))
}

/// The levels of the chain for a whole matrix, each with its column, from strong to weak.
pub(super) const LEVELS: [(&str, &str); 5] = [
    ("coherence", "by_coherence"),
    ("Babel", "by_babel"),
    ("ERC", "by_exact_recovery"),
    ("irrepr.", "by_irrepresentable"),
    ("BP", "by_enumeration"),
];
