use super::super::doctoring::{self, doctored, is, only};
use super::*;
use ticketsense::data::DataChoice;
use ticketsense::harness::{Decision, Verdict, compute_table};
use ticketsense::table::Record;

fn verdict(id: &str, table: &Table) -> Verdict {
    doctoring::verdict(&RipCertificates, id, table)
}

fn smoke() -> Table {
    compute_table(&RipCertificates, Scale::Smoke, 0, &DataChoice::Digits).unwrap()
}

#[test]
fn a_lost_signed_support_of_a_certified_matrix_refutes_the_guarantee_for_basis_pursuit() {
    let table = smoke();
    let found = verdict("I2", &table);
    assert_eq!(found.decision, Decision::Holds, "{found:?}");
    let certified = |r: &Record<'_>| is(r, "part", "matrix") && !is(r, "certified", "none");
    let lost = doctored(&table, "recovered", |_| Value::Integer(0), certified);
    let found = verdict("I2", &lost);
    assert_eq!(found.decision, Decision::Fails);
    assert!(found.counterexample.is_some());
    // A guarantee that were issued for everything would be refuted by the matrices as they are.
    let careless = doctored(
        &table,
        "certified",
        |_| Value::Text("careless".into()),
        |r| is(r, "part", "matrix"),
    );
    assert_eq!(verdict("I2", &careless).decision, Decision::Fails);
    let without = only(&table, |r| !is(r, "part", "sharp"));
    assert!(matches!(verdict("I2", &without).decision, Decision::Undecided { .. }));
}

#[test]
fn a_step_beyond_its_factor_or_a_missed_vector_refutes_hard_thresholding() {
    let table = smoke();
    let found = verdict("I3", &table);
    assert_eq!(found.decision, Decision::Holds, "{found:?}");
    let certified = |r: &Record<'_>| is(r, "method", "iht") && r.optional_real("factor").unwrap().is_some();
    let slow = doctored(&table, "worst", |_| Value::Real(1.0), certified);
    assert_eq!(verdict("I3", &slow).decision, Decision::Fails);
    let missed = doctored(&table, "successes", |_| Value::Integer(0), certified);
    assert_eq!(verdict("I3", &missed).decision, Decision::Fails);
    let tame = doctored(
        &table,
        "diverged",
        |_| Value::Integer(0),
        |r| is(r, "part", "iteration"),
    );
    assert!(matches!(verdict("I3", &tame).decision, Decision::Undecided { .. }));
}

#[test]
fn a_support_without_exact_recovery_or_a_dull_example_changes_the_verdict_on_matching_pursuit() {
    let table = smoke();
    let found = verdict("I4", &table);
    assert_eq!(found.decision, Decision::Holds, "{found:?}");
    let lost = doctored(
        &table,
        "exact_recovery",
        |_| Value::Integer(1),
        |r| is(r, "part", "matrix"),
    );
    assert_eq!(verdict("I4", &lost).decision, Decision::Fails);
    let misled = doctored(&table, "lead", |_| Value::Real(-1.0), |r| is(r, "method", "omp"));
    assert_eq!(verdict("I4", &misled).decision, Decision::Fails);
    let without = only(&table, |r| !is(r, "part", "sharp"));
    assert!(matches!(verdict("I4", &without).decision, Decision::Undecided { .. }));
}

#[test]
fn families_have_unit_columns_and_the_flat_one_inner_products_of_whole_numbers_over_the_rows() {
    for (family, rows) in matrices::sizes(Scale::Quick) {
        let a = matrices::draw(family, rows, &ticketsense::Seed::root(3)).unwrap();
        assert_eq!(a.matrix().shape(), (rows, 16));
        let gram = ticketsense::linalg::dense::gram(a.matrix());
        for i in 0..16 {
            assert!((gram[(i, i)] - 1.0).abs() < 1e-12);
            for j in 0..i {
                // Rows of the Hadamard matrix: inner products of their columns are whole numbers over the rows kept.
                let whole = gram[(i, j)] * rows as f64;
                assert!(family != "flat" || (whole - whole.round()).abs() < 1e-11, "{whole}");
            }
        }
    }
}
