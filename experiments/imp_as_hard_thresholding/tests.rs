use super::super::comparison::tables::{Rule, lines_of};
use super::super::doctoring::{doctored, doctored_once, is, only, verdict};
use super::network::{ARMS, EACH, IMP, OWN, RANDOM, SPACED};
use super::*;
use ticketsense::Seed;
use ticketsense::data::DataChoice;
use ticketsense::harness::{Decision, compute_table};
use ticketsense::operators::MeasurementOperator;
use ticketsense::table::Value;

fn smoke() -> Table {
    compute_table(&ImpAsHardThresholding, Scale::Smoke, 0, &DataChoice::Digits).unwrap()
}

/// The linear part with a number of equal supports of 200 in every correlated design, and trained rows by a rule.
fn table_of(linear: &Table, same: i64, rule: Rule<'_>) -> Table {
    let part = only(linear, |r| is(r, "part", LINEAR));
    let all = |r: &ticketsense::table::Record<'_>| is(r, "design", ORTHONORMAL);
    let mut part = doctored(&part, "trials", |_| 200.into(), |_| true);
    part = doctored(
        &part,
        "same_support",
        |r| Value::Integer(if all(r) { 200 } else { same }),
        |_| true,
    );
    let mut rows = part.rows().to_vec();
    let lines = lines_of(24, 0.003, &ARMS, &[0.1, 0.04], rule);
    let trained = lines.into_iter().map(|line| {
        let line = line.with("shared", 0.5).with("chance", 0.1).with("returned", 3);
        line.row(&COLUMNS).unwrap()
    });
    rows.extend(trained);
    Table::with_rows(&COLUMNS, rows).unwrap()
}

fn decision(table: &Table) -> Decision {
    verdict(&ImpAsHardThresholding, "C15", table).decision
}

#[test]
fn supports_that_differ_under_correlation_hold_it_and_equal_ones_refute_it() {
    let linear = smoke();
    let lead = |arm: &str, density: f64| match arm {
        RANDOM if density < 0.05 => 0.7,
        SPACED | EACH | OWN => 0.94,
        _ => 0.97,
    };
    let level = |arm: &str, density: f64| if arm == RANDOM && density < 0.05 { 0.7 } else { 0.97 };
    assert_eq!(decision(&table_of(&linear, 20, &lead)), Decision::Holds);
    assert_eq!(decision(&table_of(&linear, 199, &lead)), Decision::Fails);
    assert!(matches!(
        decision(&table_of(&linear, 180, &lead)),
        Decision::Undecided { .. }
    ));
    match decision(&table_of(&linear, 20, &level)) {
        Decision::HoldsUnder { condition } => assert!(condition.contains("linear model"), "{condition}"),
        other => panic!("{other:?}"),
    }
    // A task that cannot tell leaves the linear model.
    match decision(&table_of(&linear, 20, &|_, _| 0.97)) {
        Decision::HoldsUnder { condition } => assert!(condition.contains("cannot tell"), "{condition}"),
        other => panic!("{other:?}"),
    }
    let broken = doctored_once(
        &table_of(&linear, 20, &lead),
        "same_support",
        |_| 199.into(),
        |r| is(r, "design", ORTHONORMAL),
    );
    let found = verdict(&ImpAsHardThresholding, "C15", &broken);
    assert_eq!(found.decision, Decision::Fails);
    assert!(found.counterexample.unwrap().contains("199 of 200"));
}

#[test]
fn a_design_has_unit_columns_that_resemble_their_neighbours_as_told() {
    let a = linear::design(CORRELATED, 4000, 0.8, &Seed::root(1)).unwrap();
    let gram = a.matrix().transpose() * a.matrix();
    for j in 0..linear::UNKNOWNS - 1 {
        assert!((gram[(j, j)] - 1.0).abs() < 1e-12);
        // The sample correlation of 4,000 pairs has deviation (1 − 0.8²)/√4000 = 0.0057: five of it.
        assert!((gram[(j, j + 1)] - 0.8).abs() < 0.029, "{}", gram[(j, j + 1)]);
    }
    let q = linear::design(ORTHONORMAL, 120, 0.0, &Seed::root(1)).unwrap();
    let x: Vec<f64> = (0..linear::UNKNOWNS).map(|j| (j as f64).cos()).collect();
    let back = q.adjoint(&q.apply(&x).unwrap()).unwrap();
    assert!(x.iter().zip(&back).all(|(x, b)| (x - b).abs() < 1e-12));
}

#[test]
fn with_orthonormal_columns_both_methods_agree_problem_by_problem() {
    for t in 0..30 {
        let found = linear::solve(ORTHONORMAL, 120, 0.0, &Seed::root(2).replicate(t)).unwrap();
        assert_eq!(found.imp, found.iht);
        assert!(found.settled && found.truth.len() == linear::NONZEROS);
    }
}

#[test]
fn a_smoke_run_gives_every_arm_the_counts_and_the_gradients_of_the_ticket() {
    let table = smoke();
    assert_eq!(table.filter(|r| is(r, "part", LINEAR)).count(), 13);
    for number in 0..2 {
        let rows: Vec<_> = table
            .filter(move |r| is(r, "part", MAIN) && r.integer("seed").unwrap() == number && !is(r, "arm", "dense"))
            .collect();
        assert_eq!(rows.len(), ARMS.len());
        let ticket = rows.iter().find(|r| is(r, "arm", IMP)).unwrap();
        for row in &rows {
            assert_eq!(row.integer("kept").unwrap(), ticket.integer("kept").unwrap());
            let passes = if is(row, "arm", RANDOM) {
                0.0
            } else {
                ticket.real("gradient_passes").unwrap()
            };
            assert_eq!(row.real("gradient_passes").unwrap(), passes);
        }
        assert_eq!(ticket.real("shared").unwrap(), 1.0);
    }
    ImpAsHardThresholding.draw(&table).unwrap().to_svg().unwrap();
}
