use super::{COLUMNS, Conditioning, quadratic, row_of};
use ticketsense::harness::{Decision, Experiment, Verdict};
use ticketsense::table::{Row, Table, Value};
use ticketsense::{Seed, row};

fn table(rows: Vec<Row>) -> Table {
    Table::with_rows(COLUMNS, rows).unwrap()
}

fn verdict(id: &str, rows: Vec<Row>) -> Verdict {
    let claim = Conditioning.claims().iter().find(|c| c.id == id).unwrap();
    (claim.check)(&table(rows)).unwrap()
}

fn descents() -> Vec<Row> {
    let each = quadratic::CONDITIONS.map(|c| quadratic::descent(c, &Seed::root(1)).unwrap());
    each.into_iter().flatten().collect()
}

fn masks() -> Vec<Row> {
    let each = quadratic::FAMILIES.map(|f| quadratic::masks(f.name, 3, &Seed::root(2)).unwrap());
    each.into_iter().flatten().collect()
}

fn set(row: &mut Row, column: &str, value: impl Into<Value>) {
    let place = COLUMNS.iter().position(|c| c.name == column).unwrap();
    row.0[place] = value.into();
}

fn word<'a>(row: &'a Row, column: &str) -> &'a str {
    let place = COLUMNS.iter().position(|c| c.name == column).unwrap();
    match &row.0[place] {
        Value::Text(word) => word,
        _ => "",
    }
}

#[test]
fn every_claim_is_decided_as_the_theorems_say() {
    assert_eq!(verdict("C1", descents()).decision, Decision::Holds);
    assert_eq!(verdict("C2", masks()).decision.as_str(), "holds-under");
    let third = verdict("C3", masks());
    assert_eq!(third.decision, Decision::Fails);
    assert!(third.counterexample.is_some());
}

#[test]
fn a_step_that_beats_the_best_one_or_misses_the_closed_form_refutes_the_rate() {
    let mut faster = descents();
    set(&mut faster[0], "measured", 0.0);
    assert_eq!(verdict("C1", faster).decision, Decision::Fails);
    let mut off = descents();
    set(&mut off[3], "deviation", 1e-11);
    assert_eq!(verdict("C1", off).decision, Decision::Fails);
    let mut lost = descents();
    set(&mut lost[3], "deviation", f64::NAN);
    assert_eq!(verdict("C1", lost).decision, Decision::Fails);
}

#[test]
fn one_definite_matrix_that_gets_worse_refutes_the_theorem() {
    let mut rows = masks();
    let definite = rows.iter().position(|r| word(r, "family") == "wishart").unwrap();
    set(&mut rows[definite], "worse", 1);
    let found = verdict("C2", rows);
    assert_eq!(found.decision, Decision::Fails);
    assert!(found.counterexample.unwrap().contains("wishart"));
    let mut rows = masks();
    set(&mut rows[definite], "interlacing", 1e-6);
    assert_eq!(verdict("C2", rows).decision, Decision::Fails);
}

#[test]
fn without_singular_increases_or_without_rows_nothing_is_decided() {
    let mut rows = masks();
    for row in &mut rows {
        set(row, "worse", 0);
    }
    assert_eq!(verdict("C2", rows).decision.as_str(), "undecided");
    for id in ["C1", "C2", "C3"] {
        assert_eq!(verdict(id, Vec::new()).decision.as_str(), "undecided");
    }
}

#[test]
fn spectra_that_are_parts_of_the_whole_would_uphold_the_claim_of_selection() {
    let mut rows = masks();
    for row in &mut rows {
        set(row, "distance", 0.0);
    }
    assert_eq!(verdict("C3", rows).decision, Decision::Holds);
    let mut rows = masks();
    let aligned = rows.iter().position(|r| word(r, "family") == "diagonal").unwrap();
    set(&mut rows[aligned], "distance", 0.1);
    assert_eq!(verdict("C3", rows).decision.as_str(), "undecided");
}

#[test]
fn a_pair_of_a_projector_has_the_condition_number_of_the_closed_form() {
    let rows = table(quadratic::masks("projector", 20, &Seed::root(3)).unwrap());
    let mut seen = 0;
    for record in rows.iter() {
        if let Some(deviation) = record.optional_real("deviation").unwrap() {
            // The smallest eigenvalue n_k² errs by a few epsilon, κ = 1/n_k² therefore by that times κ: the column is
            // the relative error over κ.
            assert!(deviation <= 1e2 * f64::EPSILON, "{deviation:e}");
            seen += 1;
        }
        // The projector itself converges in one step.
        assert!((record.real("dense_condition").unwrap() - 1.0).abs() <= 1e2 * f64::EPSILON);
    }
    assert_eq!(seen, 20);
}

#[test]
fn a_row_of_an_unknown_column_is_refused() {
    assert!(row_of(&[("weight", 1.into())]).is_err());
    assert_eq!(row_of(&[]).unwrap().0.len(), COLUMNS.len());
    assert_ne!(row_of(&[("part", "masks".into())]).unwrap(), row!["masks"]);
}
