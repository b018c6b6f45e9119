use super::super::doctoring::{self, doctored_once, is, only};
use super::problems::{Norms, Problem, solve};
use super::*;
use ticketsense::data::DataChoice;
use ticketsense::harness::{Decision, Verdict, compute_table};
use ticketsense::operators::DenseOperator;
use ticketsense::table::Record;

fn verdict(table: &Table) -> Verdict {
    doctoring::verdict(&StableRecovery, "I12", table)
}

fn smoke() -> Table {
    compute_table(&StableRecovery, Scale::Smoke, 0, &DataChoice::Digits).unwrap()
}

#[test]
fn the_smoke_run_decides_and_draws_and_every_method_is_certified_somewhere() {
    let table = smoke();
    let found = verdict(&table);
    assert_eq!(found.decision, Decision::Holds, "{found:?}");
    assert!(found.evidence.contains("trained") && found.evidence.contains("by search"));
    let svg = draw::figure(&table).unwrap().to_svg().unwrap();
    assert!(svg.contains("isometry constant"));
}

#[test]
fn one_error_above_its_bound_refutes_for_every_method() {
    let table = smoke();
    for method in METHODS {
        for part in ["certified", "search"] {
            for wrong in [1.0 + 1e-9, f64::NAN] {
                let of = |r: &Record<'_>| {
                    is(r, "part", part) && is(r, "method", method) && r.optional_real("ratio").unwrap().is_some()
                };
                let verdict = verdict(&doctored_once(&table, "ratio", |_| wrong.into(), of));
                assert_eq!(verdict.decision, Decision::Fails, "{method} {part} {wrong}");
                assert!(verdict.counterexample.unwrap().contains(method));
            }
        }
    }
}

#[test]
fn without_certified_problems_of_a_method_nothing_is_decided() {
    let table = smoke();
    for method in METHODS {
        let table = only(&table, |r| is(r, "part", "weights") || !is(r, "method", method));
        assert_eq!(verdict(&table).decision.as_str(), "undecided");
    }
    let table = only(&table, |r| !is(r, "part", "search"));
    assert_eq!(verdict(&table).decision.as_str(), "undecided");
}

#[test]
fn the_search_never_ends_below_its_start() {
    for row in claims::part(&smoke(), "search") {
        assert!(row.real("ratio").unwrap() >= row.real("start").unwrap());
        // Noise may be found away, but signals keep their norm: a bound in tails alone cannot be escaped by scaling.
        assert!(row.real("bound").unwrap() > 0.0);
    }
}

#[test]
fn a_tight_matrix_with_one_row_missing_has_its_constants_by_hand() {
    // Columns of 15 rows of an orthogonal matrix whose missing row is flat: A_SᵀA_S = I − 11ᵀ/16, with the eigenvalues 1
    // and 1 − q/16.
    use nalgebra::DMatrix;
    use ticketsense::linalg::dense::thin_qr;
    let start = DMatrix::from_fn(16, 16, |i, j| if j == 0 { 1.0 } else { f64::from(u8::from(i == j)) });
    let matrix = thin_qr(&start).unwrap().q.columns(1, 15).transpose();
    for (method, nonzeros, order) in [(METHODS[0], 3, 6.0), ("iht", 2, 6.0)] {
        let found = certified::instance(&matrix, method, nonzeros).unwrap();
        let share: f64 = order / 16.0;
        let expected = share / (2.0 - share);
        let deciding = found.third.unwrap_or(found.second);
        // The enumeration brackets the eigenvalues to some thousand ε.
        assert!((deciding - expected).abs() < 1e-11, "{method} {deciding} {expected}");
        assert!(found.bound.is_some());
    }
    // Order 15 of 16: 15/17 is above both thresholds.
    assert!(certified::instance(&matrix, "htp", 5).unwrap().bound.is_none());
}

#[test]
fn bounds_hold_with_equality_signs_where_they_are_known() {
    // An orthonormal matrix without noise: thresholding keeps the head and loses the tail, no more.
    let a = DenseOperator::new(nalgebra::DMatrix::identity(4, 4)).unwrap();
    let problem = Problem {
        signal: vec![0.8, -0.5, 0.3, 0.1],
        noise: vec![0.0; 4],
    };
    let norms = Norms::of(&problem.signal, 2);
    assert!((norms.tail_l1 - 0.4).abs() < 1e-15 && (norms.head - 0.89f64.sqrt()).abs() < 1e-15);
    for method in ["iht", "htp"] {
        let answer = solve(&a, &problem, method, 2, true).unwrap();
        assert!((answer.error - norms.tail_l2).abs() < 1e-15);
    }
    let answer = solve(&a, &problem, METHODS[0], 2, true).unwrap();
    assert!(answer.error < 1e-12);
}

#[test]
fn the_profile_of_a_flat_vector_is_the_one_by_hand() {
    let values = weights::profile(vec![-2.0; 100]);
    for ((k, n), value) in values {
        assert_eq!(n, 100);
        let expected = (100 - k) as f64 / ((k as f64).sqrt() * 10.0);
        assert!((value - expected).abs() < 1e-13, "{k}");
    }
}
