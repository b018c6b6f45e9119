//! The tests of masked descent, of supports and of networks.

use super::super::doctoring::{self, doctored, doctored_once, is, only};
use super::*;
use std::sync::OnceLock;
use ticketsense::Seed;
use ticketsense::data::DataChoice;
use ticketsense::harness::{Decision, Verdict, compute_table};
use ticketsense::table::Record;

fn verdict(id: &str, table: &Table) -> Verdict {
    doctoring::verdict(&Conditioning, id, table)
}

fn smoke() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| compute_table(&Conditioning, Scale::Smoke, 0, &DataChoice::Digits).unwrap())
}

/// The networks of the smoke table as often as claims on networks want them, each a little different.
fn many() -> Table {
    let table = smoke();
    let place = |name: &str| table.position(name).unwrap();
    let (part, number, scale) = (place("part"), place("number"), place("scale"));
    let (deviation, condition) = (place("deviation"), place("condition"));
    let mut found = Vec::new();
    for copy in 0..12i64 {
        for row in table.rows() {
            let of = matches!(&row.0[part], Value::Text(p) if ["regime", "width", "stability", "curvature"].contains(&p.as_str()));
            if !of && copy > 0 {
                continue;
            }
            let mut row = row.clone();
            if of && let Value::Integer(n) = row.0[number] {
                row.0[number] = Value::Integer(n + 2 * copy);
                // Pairs differ in size, and about their mean in the power of the residual.
                let power = 1e-3 * (copy as f64 - 5.5);
                let scale = match row.0[scale] {
                    Value::Real(scale) => scale,
                    _ => 1.0,
                };
                let factor = (1.0 + 1e-3 * copy as f64) * scale.powf(power);
                for column in [deviation, condition] {
                    if let Value::Real(v) = row.0[column] {
                        row.0[column] = Value::Real(v * factor);
                    }
                }
            }
            found.push(row);
        }
    }
    Table::with_rows(COLUMNS, found).unwrap()
}

fn times(factor: f64) -> impl Fn(&Value) -> Value {
    move |value| match value {
        Value::Real(v) => Value::Real(v * factor),
        other => panic!("no number: {other:?}"),
    }
}

#[test]
fn a_small_run_upholds_both_theorems_and_leaves_networks_open() {
    for id in ["C1", "C4", "C5"] {
        assert_eq!(verdict(id, smoke()).decision, Decision::Holds, "{id}");
    }
    for id in ["C2a", "C2b"] {
        assert!(
            matches!(verdict(id, smoke()).decision, Decision::Undecided { .. }),
            "{id}"
        );
        let nothing = Table::with_rows(COLUMNS, Vec::new()).unwrap();
        assert!(
            matches!(verdict(id, &nothing).decision, Decision::Undecided { .. }),
            "{id}"
        );
    }
    draw::figure(smoke()).unwrap().to_svg().unwrap();
}

#[test]
fn a_masked_gradient_or_a_step_beside_the_projection_refutes_it() {
    let least = |r: &Record<'_>| is(r, "family", "least squares");
    for (column, value) in [("masked_gradient", 1e-9), ("deviation", 1e-9), ("deviation", f64::NAN)] {
        let off = doctored_once(smoke(), column, |_| Value::Real(value), least);
        assert_eq!(verdict("C4", &off).decision, Decision::Fails, "{column}");
    }
    let other_bits = doctored_once(smoke(), "different", |_| Value::Integer(1), least);
    assert_eq!(verdict("C4", &other_bits).decision, Decision::Fails);
    let step = |r: &Record<'_>| is(r, "at", "one step");
    let off = doctored_once(smoke(), "deviation", |_| Value::Real(1e-6), step);
    let found = verdict("C4", &off);
    assert_eq!(found.decision, Decision::Fails);
    assert!(found.counterexample.unwrap().contains("network"));
    // A gradient that is 0 everywhere could not tell a masked from a whole one.
    let blind = doctored(smoke(), "unmasked_gradient", |_| Value::Real(1e-12), least);
    assert!(matches!(verdict("C4", &blind).decision, Decision::Undecided { .. }));
}

#[test]
fn one_support_or_one_step_of_thresholding_beyond_its_bound_refutes_the_rates() {
    let of = |part: &'static str| move |r: &Record<'_>| is(r, "part", part);
    let wide = |r: &Record<'_>| is(r, "part", "support") && is(r, "family", "wide");
    for (column, value, which) in [
        (
            "deviation",
            Value::Real(1e-10),
            &of("support") as &dyn Fn(&Record<'_>) -> bool,
        ),
        ("worse", Value::Integer(1), &of("support")),
        ("doubtful", Value::Integer(1), &wide),
        ("measured", Value::Real(1e3), &of("thresholding")),
        ("measured", Value::Real(f64::NAN), &of("thresholding")),
        ("measured", Value::Real(0.99), &of("relaxation")),
        ("recovered", Value::Integer(3), &of("relaxation")),
    ] {
        let off = doctored_once(smoke(), column, |_| value.clone(), which);
        assert_eq!(verdict("C5", &off).decision, Decision::Fails, "{column}");
    }
    let never = doctored(smoke(), "slower", |_| Value::Integer(0), of("thresholding"));
    assert!(matches!(verdict("C5", &never).decision, Decision::Undecided { .. }));
    let fixed = only(smoke(), |r| !is(r, "part", "thresholding"));
    assert!(matches!(verdict("C5", &fixed).decision, Decision::Undecided { .. }));
}

#[test]
fn a_ticket_is_judged_by_its_intervals_and_only_beside_a_spectrum_that_agrees() {
    let table = many();
    let ticket = |r: &Record<'_>| is(r, "part", "curvature") && is(r, "family", "imp");
    let shared = |r: &Record<'_>| is(r, "part", "curvature");
    let at = |condition: f64| {
        let clear = doctored(&table, "gap", |_| Value::Real(1e6), shared);
        let spread = |r: &Record<'_>, base: f64| Value::Real(base * (1.0 + 0.01 * r.integer("number").unwrap() as f64));
        let all = doctored(&clear, "condition", |r| spread(r, 100.0), shared);
        doctored(
            &all,
            "condition",
            |r| Value::Real(condition * (1.0 + 0.02 * r.integer("number").unwrap() as f64)),
            ticket,
        )
    };
    assert_eq!(verdict("C2a", &at(10.0)).decision, Decision::Holds);
    let worse = verdict("C2a", &at(1000.0));
    assert_eq!(worse.decision, Decision::Fails);
    assert!(worse.counterexample.unwrap().contains("0, 30, 300"));
    let late = doctored(
        &at(1000.0),
        "condition",
        |_| Value::Real(1.0),
        |r| ticket(r) && r.integer("steps").unwrap() == 300,
    );
    assert!(matches!(verdict("C2a", &late).decision, Decision::HoldsUnder { condition } if condition.contains("300")));
    let unclear = doctored(&at(10.0), "gap", |_| Value::Real(10.0), ticket);
    assert!(matches!(verdict("C2a", &unclear).decision, Decision::Undecided { .. }));
    let wrong = doctored_once(
        &at(10.0),
        "deviation",
        |_| Value::Real(1e-3),
        |r| is(r, "family", "largest of the Hessian"),
    );
    assert!(matches!(verdict("C2a", &wrong).decision, Decision::Undecided { why } if why.contains("trusted")));
}

#[test]
fn a_deviation_from_the_kernel_that_does_not_follow_the_residual_refutes_the_prediction() {
    let table = many();
    let found = verdict("C2b", &table);
    assert!(matches!(found.decision, Decision::HoldsUnder { .. }), "{found:?}");
    let smallest = |r: &Record<'_>| is(r, "part", "regime") && r.real("scale").unwrap() == 512.0;
    let floor = doctored(
        &table,
        "deviation",
        |r| times(2.0)(&Value::Real(r.real("deviation").unwrap())),
        smallest,
    );
    assert_eq!(verdict("C2b", &floor).decision, Decision::Fails);
}

#[test]
fn curvature_by_products_agrees_with_all_eigenvalues() {
    let mut seen = 0;
    for row in smoke().iter().filter(|r| is(r, "part", "dense check")) {
        seen += 1;
        if is(&row, "family", "largest of Gauss-Newton") {
            assert!(row.real("deviation").unwrap().abs() <= 1e-10);
        }
        if is(&row, "family", "negative fraction") {
            let truth = row.real("predicted").unwrap();
            assert!(row.real("negative_lower").unwrap() <= truth && truth <= row.real("negative_upper").unwrap());
        }
    }
    assert_eq!(seen, 4);
}

#[test]
fn thresholding_with_a_bound_below_one_finds_every_vector_and_without_it_misses_some() {
    let rows = |shape: &str| Table::with_rows(COLUMNS, supports::rows(shape, 2, &Seed::root(5)).unwrap()).unwrap();
    let tall = rows("tall");
    for row in tall.iter().filter(|r| is(r, "part", "thresholding")) {
        assert!(row.real("predicted").unwrap() < 1.0);
        assert_eq!(
            (row.integer("runs").unwrap(), row.integer("recovered").unwrap()),
            (66, 66)
        );
    }
    let wide = rows("wide");
    let missed = wide.iter().filter(|r| is(r, "part", "thresholding")).any(|r| {
        assert!(r.real("predicted").unwrap() > 1.0);
        r.integer("recovered").unwrap() < 66
    });
    assert!(missed);
}

#[test]
fn the_numbers_of_supports_are_binomials_and_their_constants_widen_with_size() {
    let table = Table::with_rows(COLUMNS, supports::rows("moderate", 1, &Seed::root(6)).unwrap()).unwrap();
    let (mut least, mut largest, mut all) = (f64::INFINITY, 0.0, 0);
    for row in table.iter().filter(|r| is(r, "part", "support")) {
        all += row.integer("masks").unwrap();
        assert!(row.real("smallest").unwrap() <= least && row.real("largest").unwrap() >= largest);
        (least, largest) = (row.real("smallest").unwrap(), row.real("largest").unwrap());
    }
    assert_eq!(all, 4095);
}
