//! Tables that a test has changed, which a check must notice.

use ticketsense::harness::{Experiment, Verdict};
use ticketsense::table::{Record, Table, Value};

/// What an experiment's claim makes of a table.
pub(super) fn verdict(experiment: &dyn Experiment, id: &str, table: &Table) -> Verdict {
    let claim = experiment.claims().iter().find(|claim| claim.id == id).unwrap();
    let verdict = (claim.check)(table).unwrap();
    assert!(!verdict.hypotheses.is_empty());
    verdict
}

/// The table with the entry of one column changed in every row for which `which` holds, of which there must be one.
pub(super) fn doctored(
    table: &Table,
    column: &str,
    value: impl Fn(&Record<'_>) -> Value,
    which: impl Fn(&Record<'_>) -> bool,
) -> Table {
    let place = table.position(column).unwrap();
    let mut rows = table.rows().to_vec();
    let mut changed = 0;
    for (record, row) in table.iter().zip(&mut rows) {
        if which(&record) {
            row.0[place] = value(&record);
            changed += 1;
        }
    }
    assert!(changed > 0);
    Table::with_rows(table.columns(), rows).unwrap()
}

/// The same for the first such row alone, from the entry that stands there.
pub(super) fn doctored_once(
    table: &Table,
    column: &str,
    change: impl Fn(&Value) -> Value,
    which: impl Fn(&Record<'_>) -> bool,
) -> Table {
    let place = table.position(column).unwrap();
    let target = table.iter().position(|record| which(&record)).unwrap();
    let mut rows = table.rows().to_vec();
    rows[target].0[place] = change(&rows[target].0[place]);
    Table::with_rows(table.columns(), rows).unwrap()
}

/// The rows for which `keep` holds.
pub(super) fn only(table: &Table, keep: impl Fn(&Record<'_>) -> bool) -> Table {
    let rows = table.iter().zip(table.rows()).filter(|(record, _)| keep(record));
    Table::with_rows(table.columns(), rows.map(|(_, row)| row.clone()).collect()).unwrap()
}

/// Whether a column holds a word.
pub(super) fn is(record: &Record<'_>, column: &str, word: &str) -> bool {
    record.text(column).is_ok_and(|w| w == word)
}
