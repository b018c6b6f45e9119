use super::super::comparison::tables::{Rule, lines_of};
use super::super::doctoring::{doctored, doctored_once, is, only, verdict};
use super::draw::crossing;
use super::trained::{ARMS, RESCALED, RIGL, SET, STATIC, TICKET};
use super::*;
use ticketsense::data::DataChoice;
use ticketsense::harness::{Decision, compute_table};
use ticketsense::table::{Record, Value};

const DENSITIES: [f64; 3] = [0.2, 0.08, 0.02];

/// Trained rows with the accuracies of a rule, on connected masks at the two larger densities.
fn trained(seeds: usize, rule: Rule<'_>) -> Table {
    let lines = lines_of(seeds, 0.003, &ARMS, &DENSITIES, rule);
    let rows = lines.iter().map(|line| line.row(&COLUMNS).unwrap()).collect();
    let mut table = Table::with_rows(&COLUMNS, rows).unwrap();
    type Rows = fn(&Record<'_>) -> f64;
    let columns: [(&str, Rows); 4] = [
        ("mean_degree", |r| 20.0 * r.real("density").unwrap()),
        ("live_fraction", |r| {
            if r.real("density").unwrap() > 0.05 { 0.99 } else { 0.6 }
        }),
        ("signal_gain", |r| r.real("density").unwrap()),
        ("ever_active", |r| r.real("density").unwrap()),
    ];
    for (column, value) in columns {
        table = doctored(&table, column, |r| value(r).into(), |_| true);
    }
    table
}

/// Everything as good as the dense network, but for what the rule says.
fn lost<'a>(loss: impl Fn(&str, f64) -> f64 + 'a) -> impl Fn(&str, f64) -> f64 + 'a {
    move |arm, density| 0.97 - loss(arm, density)
}

fn decision(id: &str, table: &Table) -> Decision {
    verdict(&DynamicSparsity, id, table).decision
}

fn cycles() -> Table {
    let table = compute_table(&DynamicSparsity, Scale::Smoke, 0, &DataChoice::Digits).unwrap();
    assert!(table.len() > 100);
    only(&table, |r| is(r, "part", CYCLES))
}

#[test]
fn the_formula_is_tied_to_its_protocol_and_a_wrong_count_refutes_the_closed_forms() {
    let table = cycles();
    match decision("C12", &table) {
        Decision::HoldsUnder { condition } => assert!(condition.contains("prunes first"), "{condition}"),
        other => panic!("{other:?}"),
    }
    let seen = |r: &Record<'_>, quantity: &str| is(r, "quantity", quantity) && is(r, "rule", "simultaneous");
    for quantity in ["active", "explored"] {
        let more = |value: &Value| match value {
            Value::Integer(count) => Value::Integer(count + 1000),
            other => panic!("{other:?}"),
        };
        let wrong = doctored_once(&table, "count", more, |r| seen(r, quantity));
        assert_eq!(decision("C12", &wrong), Decision::Fails, "{quantity}");
    }
    let wrong = doctored_once(&table, "value", |_| 1e-2.into(), |r| is(r, "quantity", "variance"));
    assert_eq!(decision("C12", &wrong), Decision::Fails);
    // With counts of a hundredth of the weights the other protocols cannot be told apart.
    let fewer = |r: &Record<'_>, column: &str| Value::Integer(r.integer(column).unwrap() / 100);
    let counted = |r: &Record<'_>| !is(r, "quantity", "variance");
    let few = doctored(&table, "count", |r| fewer(r, "count"), counted);
    let few = doctored(&few, "trials", |r| fewer(r, "trials"), counted);
    assert!(matches!(decision("C12", &few), Decision::Undecided { .. }));
    // Were the formula to hold nothing under its own protocol, it would be refuted.
    let twice = |r: &Record<'_>| Value::Real(2.0 * r.real("density").unwrap());
    let wrong = doctored(&table, "density", twice, |r| is(r, "rule", "prune-then-regrow"));
    assert_eq!(decision("C12", &wrong), Decision::Fails);
}

#[test]
fn gains_of_exchanging_are_named_and_their_absence_refutes() {
    let bad = |arm: &str, density: f64| match (arm, density < 0.05) {
        (STATIC | RESCALED, true) => 0.2,
        (SET | RIGL, true) => 0.1,
        _ => 0.0,
    };
    let some = decision("C13", &trained(24, &lost(bad)));
    assert_eq!(
        some,
        Decision::HoldsUnder {
            condition: "set at density 0.020, rigl at density 0.020".into()
        }
    );
    let all = lost(|arm, _| if [STATIC, RESCALED].contains(&arm) { 0.1 } else { 0.0 });
    assert_eq!(decision("C13", &trained(24, &all)), Decision::Holds);
    // A margin of a third of a point, and no arm ahead of another.
    let none = lost(|arm, density| {
        if arm != TICKET && arm != "dense" && density < 0.05 {
            0.2
        } else {
            0.0
        }
    });
    let table = trained(60, &none);
    assert_eq!(decision("C13", &table), Decision::Fails);
    let worse = lost(|arm, density| match arm {
        SET | RIGL => 0.3,
        STATIC if density < 0.05 => 0.2,
        _ => 0.0,
    });
    let found = verdict(&DynamicSparsity, "C13", &trained(24, &worse));
    assert_eq!(found.decision, Decision::Fails);
    assert!(
        found.evidence.contains("static over set at density 0.200"),
        "{}",
        found.evidence
    );
    assert!(matches!(
        decision("C13", &trained(19, &all)),
        Decision::Undecided { .. }
    ));
}

#[test]
fn the_reason_falls_with_a_lead_over_connected_calibrated_networks_and_stands_without_one() {
    let remains = lost(|arm, _| match arm {
        TICKET | "dense" => 0.0,
        RESCALED => 0.02,
        _ => 0.05,
    });
    let found = verdict(&DynamicSparsity, "C14", &trained(24, &remains));
    assert_eq!(found.decision, Decision::Fails);
    assert!(found.counterexample.is_some_and(|c| c.contains("density 0.200")));
    assert!((found.statistic.1 - 0.02).abs() < 0.003);
    let explained = lost(|arm, density| {
        if arm == STATIC || (arm == RESCALED && density < 0.05) {
            0.05
        } else {
            0.0
        }
    });
    assert_eq!(decision("C14", &trained(60, &explained)), Decision::Holds);
    // What is lost below the threshold alone says nothing against the reason.
    let below = lost(|arm, density| {
        if [STATIC, RESCALED].contains(&arm) && density < 0.05 {
            0.05
        } else {
            0.0
        }
    });
    assert_eq!(decision("C14", &trained(60, &below)), Decision::Holds);
    let sparse = doctored(&trained(24, &remains), "mean_degree", |_| 0.9.into(), |_| true);
    assert!(matches!(decision("C14", &sparse), Decision::Undecided { .. }));
    assert!(matches!(
        decision("C14", &trained(24, &lost(|_, _| 0.0))),
        Decision::Undecided { .. }
    ));
}

#[test]
fn the_threshold_is_where_the_degree_crosses_one() {
    // Proportional degrees: 10 d = 1 at d = 0.1.
    let found = crossing(&[(0.4, 4.0), (0.2, 2.0), (0.05, 0.5), (0.02, 0.2)]).unwrap();
    assert!((found - 0.1).abs() < 1e-12, "{found}");
    assert_eq!(crossing(&[(0.4, 4.0), (0.2, 2.0)]), None);
}

#[test]
fn a_smoke_run_has_every_arm_with_equal_counts_and_is_undecided_where_networks_are_trained() {
    let table = compute_table(&DynamicSparsity, Scale::Smoke, 0, &DataChoice::Digits).unwrap();
    for number in 0..2 {
        let mut kept: std::collections::BTreeMap<u64, Vec<i64>> = Default::default();
        for record in table
            .iter()
            .filter(|r| is(r, "part", MAIN) && r.integer("seed").unwrap() == number)
        {
            let of_density = kept.entry(record.real("density").unwrap().to_bits()).or_default();
            of_density.push(record.integer("kept").unwrap());
            let (tried, density) = (record.real("ever_active").unwrap(), record.real("density").unwrap());
            let dynamic = is(&record, "arm", SET) || is(&record, "arm", RIGL);
            assert!(if dynamic {
                tried > density
            } else {
                (tried - density).abs() < 1e-12
            });
        }
        assert_eq!(kept.len(), 3);
        for (bits, counts) in kept {
            assert_eq!(counts.len(), if f64::from_bits(bits) == 1.0 { 1 } else { ARMS.len() });
            assert!(counts.iter().all(|&count| count == counts[0]));
        }
    }
    let explored = table.filter(|r| is(r, "part", EXPLORATION)).count();
    assert_eq!(explored, 2 * 2 * 3);
    for id in ["C13", "C14"] {
        assert!(matches!(decision(id, &table), Decision::Undecided { .. }));
    }
    DynamicSparsity.draw(&table).unwrap().to_svg().unwrap();
}
