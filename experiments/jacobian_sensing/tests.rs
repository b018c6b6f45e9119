use super::{COLUMNS, JacobianSensing, linear_model, row_of};
use ticketsense::Seed;
use ticketsense::harness::{Decision, Experiment, Verdict};
use ticketsense::table::{Row, Table, Value};

fn verdict(id: &str, rows: Vec<Row>) -> Verdict {
    let claim = JacobianSensing.claims().iter().find(|c| c.id == id).unwrap();
    (claim.check)(&Table::with_rows(COLUMNS, rows).unwrap()).unwrap()
}

fn set(rows: &mut [Row], column: &str, value: impl Into<Value>) {
    let place = COLUMNS.iter().position(|c| c.name == column).unwrap();
    let value = value.into();
    rows.iter_mut().for_each(|row| row.0[place] = value.clone());
}

fn errors() -> Vec<Row> {
    let nets = linear_model::ERROR_NETWORKS;
    let each = nets.map(|(activation, layers)| linear_model::error(activation, layers, 20, &Seed::root(1)).unwrap());
    each.into_iter().flatten().collect()
}

fn reversals(activation: &str) -> Vec<Row> {
    linear_model::reversal(activation, 3, 40, 3, &Seed::root(2)).unwrap()
}

fn jacobian(certified: usize, isometry: f64) -> Row {
    row_of(&[
        ("part", "operator".into()),
        ("operator", "jacobian".into()),
        ("number", 0usize.into()),
        ("zero", 0usize.into()),
        ("merged", 0usize.into()),
        ("hidden", 10usize.into()),
        ("null_units", 10usize.into()),
        ("merged_coherence", isometry.into()),
        ("isometry", isometry.into()),
        ("certified", certified.into()),
    ])
    .unwrap()
}

#[test]
fn the_linear_model_fails_at_a_tenth_of_the_weights_and_is_exact_for_a_linear_network() {
    let rows = errors();
    assert_eq!(verdict("I1", rows.clone()).decision, Decision::Fails);
    let table = Table::with_rows(COLUMNS, rows).unwrap();
    for row in table.iter() {
        if row.integer("layers").unwrap() == 1 {
            // Sums of eight products: some ten roundings.
            assert!(row.real("mean").unwrap() <= 1e-14);
        }
    }
}

#[test]
fn small_errors_would_uphold_the_linear_model_and_a_broken_identity_would_decide_nothing() {
    let mut rows = errors();
    let errors_only: Vec<usize> = (0..rows.len())
        .filter(|&i| rows[i].0[0] == Value::from("error"))
        .collect();
    for &i in &errors_only {
        for column in ["mean", "of_change"] {
            set(&mut rows[i..=i], column, 0.01);
        }
        for column in ["standard_error", "of_change_error"] {
            set(&mut rows[i..=i], column, 0.001);
        }
    }
    assert_eq!(verdict("I1", rows.clone()).decision, Decision::Holds);
    let euler = rows.iter().position(|r| r.0[0] == Value::from("euler")).unwrap();
    set(&mut rows[euler..=euler], "mean", 1e-9);
    assert_eq!(verdict("I1", rows).decision.as_str(), "undecided");
}

#[test]
fn relu_means_lie_on_the_line_and_the_wrong_line_is_refuted() {
    let rows = reversals("relu");
    assert_eq!(verdict("I13", rows.clone()).decision, Decision::Holds);
    // The coefficient of another depth.
    let mut wrong = rows.clone();
    set(&mut wrong, "layers", 2usize);
    assert_eq!(verdict("I13", wrong).decision, Decision::Fails);
    // Tanh networks do not follow the line.
    let mut tanh = reversals("tanh");
    set(&mut tanh, "activation", "relu");
    assert_eq!(verdict("I13", tanh).decision, Decision::Fails);
    let mut few = rows;
    set(&mut few, "networks", 29usize);
    assert_eq!(verdict("I13", few).decision.as_str(), "undecided");
}

#[test]
fn a_certificate_for_two_nonzeros_would_change_the_verdict() {
    assert_eq!(verdict("I8", vec![jacobian(1, 0.98)]).decision.as_str(), "holds-under");
    assert_eq!(
        verdict("I8", vec![jacobian(1, 0.98), jacobian(2, 0.3)]).decision,
        Decision::Holds
    );
    assert_eq!(verdict("I8", vec![jacobian(1, 0.5)]).decision.as_str(), "undecided");
    assert_eq!(verdict("I8", Vec::new()).decision.as_str(), "undecided");
}
