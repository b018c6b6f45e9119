//! What would make the claims on maps, angles and inherited scale fall.

use super::observed::{Observed, limits, reach};
use super::*;
use crate::experiments::doctoring::{self, doctored, doctored_once, is, only};
use std::sync::OnceLock;
use ticketsense::data::DataChoice;
use ticketsense::harness::{Decision, Verdict, compute_table};
use ticketsense::table::{Record, Value};

fn verdict(id: &str, table: &Table) -> Verdict {
    doctoring::verdict(&SignalPropagation, id, table)
}

/// A small run, computed once.
fn smoke() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| compute_table(&SignalPropagation, Scale::Smoke, 0, &DataChoice::Digits).unwrap())
}

fn scaled(factor: f64) -> impl Fn(&Record<'_>) -> Value {
    move |record| record.optional_real("value").unwrap().map(|v| factor * v).into()
}

fn measured<'a>(part: &'a str, measure: &'a str) -> impl Fn(&Record<'_>) -> bool + 'a {
    move |record| is(record, "part", part) && is(record, "measure", measure)
}

#[test]
fn a_small_run_decides_as_theory_does_and_can_be_drawn() {
    for (id, expected) in [
        ("F7", Decision::Holds),
        ("F8", Decision::Holds),
        ("F9", Decision::Fails),
    ] {
        let found = verdict(id, smoke());
        assert_eq!(found.decision, expected, "{found:?}");
    }
    draw::figure(smoke()).unwrap().to_svg().unwrap();
}

#[test]
fn maps_that_are_off_make_the_edge_of_chaos_fail() {
    let table = smoke();
    for (part, measure, factor) in [
        (maps::EDGE, "critical-variance", 1.0 + 1e-8),
        (maps::FIXED_POINT, "variance-slope", 1.0 + 1e-8),
        (networks::WIDE, "length", 2.0),
        (networks::WIDE, "gradient", 4.0),
        (networks::COPIES, "copy-correlation", 0.5),
        (spectrum::JACOBIAN, "mean-fourth", 2.0),
        (maps::START, "end", 3.0),
    ] {
        let off = doctored(table, "value", scaled(factor), |r| {
            measured(part, measure)(r) && r.optional_real("value").unwrap() != Some(0.0)
        });
        let found = verdict("F7", &off);
        assert_eq!(found.decision, Decision::Fails, "{measure}: {found:?}");
        assert!(found.counterexample.is_some());
    }
    // A start that should diverge and does not.
    let off = doctored(
        table,
        "value",
        |_| Value::Real(1.0),
        |r| measured(maps::START, "end")(r) && r.optional_real("predicted").unwrap().is_none(),
    );
    assert_eq!(verdict("F7", &off).decision, Decision::Fails);
    // The derived term of narrow networks with the wrong sign and size.
    let off = doctored(
        table,
        "width_term",
        |_| Value::Real(5.0),
        measured(networks::WIDE, "length"),
    );
    assert_eq!(verdict("F7", &off).decision, Decision::Fails);
}

#[test]
fn networks_that_refute_no_rival_or_are_missing_leave_the_edge_open() {
    let table = smoke();
    for left_out in [networks::WIDE, networks::COPIES, spectrum::JACOBIAN, maps::EDGE] {
        let less = only(table, |r| !is(r, "part", left_out));
        assert!(
            matches!(verdict("F7", &less).decision, Decision::Undecided { .. }),
            "{left_out}"
        );
    }
}

#[test]
fn angles_that_do_not_follow_their_map_fail() {
    let table = smoke();
    for (part, measure, factor) in [
        (maps::DECAY, "correlation-slope", 1.01),
        (maps::DECAY, "variance-slope", 1.01),
        (maps::ALGEBRAIC, "scaled-separation", 0.5),
        (networks::RATES, "separation-rate", 2.5),
        (networks::RATES, "gradient-rate", 2.5),
        (networks::WIDE, "separation", 0.2),
    ] {
        let off = doctored(table, "value", scaled(factor), measured(part, measure));
        let found = verdict("F8", &off);
        assert_eq!(found.decision, Decision::Fails, "{measure}: {found:?}");
    }
    for left_out in [maps::DECAY, maps::ALGEBRAIC, networks::RATES, networks::WIDE] {
        let less = only(table, |r| !is(r, "part", left_out));
        assert!(
            matches!(verdict("F8", &less).decision, Decision::Undecided { .. }),
            "{left_out}"
        );
    }
}

#[test]
fn shares_that_reach_the_critical_scale_hold_and_a_wrong_closed_form_decides_nothing() {
    let table = smoke();
    let whole = doctored(
        table,
        "value",
        |_| Value::Real(1.2),
        measured(inherited::INHERITED, "retained"),
    );
    assert_eq!(verdict("F9", &whole).decision, Decision::Holds);
    let off = doctored_once(
        table,
        "value",
        |v| match v {
            Value::Real(share) => Value::Real(0.9 * share),
            other => panic!("{other:?}"),
        },
        measured(inherited::INHERITED, "retained"),
    );
    assert!(matches!(verdict("F9", &off).decision, Decision::Undecided { .. }));
    let less = only(table, |r| !is(r, "part", inherited::MAGNITUDE));
    assert!(matches!(verdict("F9", &less).decision, Decision::Undecided { .. }));
}

#[test]
fn masks_of_final_weights_are_judged_in_twenty_pairs_or_not_at_all() {
    let few = verdict("F9", smoke());
    assert!(few.hypotheses.iter().any(|h| h.contains("are not judged")), "{few:?}");
    let mut table = Table::with_rows(smoke().columns(), smoke().rows().to_vec()).unwrap();
    let of_first: Vec<Row> = smoke()
        .iter()
        .zip(smoke().rows())
        .filter(|(r, _)| is(r, "part", inherited::TRAINED) && r.integer("seed").unwrap() == 0)
        .map(|(_, row)| row.clone())
        .collect();
    let (seed, value) = (table.position("seed").unwrap(), table.position("value").unwrap());
    for copy in 2..24i64 {
        for row in &of_first {
            let mut row = row.clone();
            row.0[seed] = Value::Integer(copy);
            if let Value::Real(share) = row.0[value] {
                // A scatter that no mask shares.
                row.0[value] = Value::Real(share * (1.0 + 1e-4 * (copy % 5) as f64));
            }
            table.push(row).unwrap();
        }
    }
    let many = verdict("F9", &table);
    assert_eq!(many.decision, Decision::Fails);
    assert!(
        many.hypotheses.iter().any(|h| h.contains("24 trained networks")),
        "{many:?}"
    );
    let whole = doctored(
        &table,
        "value",
        |_| Value::Real(1.0),
        |r| is(r, "part", inherited::TRAINED) && is(r, "regime", "final"),
    );
    assert!(matches!(verdict("F9", &whole).decision, Decision::Undecided { .. }));
}

#[test]
fn the_first_bias_is_extrapolated_away_and_the_second_is_allowed_for() {
    let table = only(smoke(), |r| is(r, "part", networks::WIDE) && is(r, "measure", "length"));
    let rows = Observed::read(&table, networks::WIDE).unwrap();
    let at = |width: u64| Observed {
        width,
        value: Some(2.0 + 10.0 / width as f64),
        predicted: Some(2.0),
        error: 1e-3,
        skewness: 0.0,
        replicates: 100.0,
        ..rows[0].clone()
    };
    let found = limits(&[at(50), at(100)], 1e-3, 0.0).unwrap();
    assert!((found[0].value - 2.0).abs() < 1e-12);
    // 2 × 0.1 is the first bias; its square over 2, and Student's 3.39 standard errors of 2b − a.
    let expected = 0.02 + 3.39 * 5f64.sqrt() * 1e-3;
    assert!((found[0].tolerance - expected).abs() < 1e-4, "{}", found[0].tolerance);
    assert!(limits(&[at(50), at(150)], 1e-3, 0.0).unwrap().is_empty());
}

#[test]
fn a_skewed_mean_gets_a_wider_interval_and_a_very_skewed_one_none() {
    let plain = reach(1e-3, 100.0, 0.0).unwrap().unwrap();
    let skewed = reach(1e-3, 100.0, 0.1).unwrap().unwrap();
    assert!((skewed - plain - 0.1 * (plain * plain - 1.0) / 6.0).abs() < 1e-12);
    assert_eq!(reach(1e-3, 100.0, 2.0).unwrap(), None);
    assert_eq!(reach(1e-3, 10.0, 0.0).unwrap(), None);
}

#[test]
fn three_depths_give_the_limit_of_a_series_in_one_over_the_depth() {
    let rows = Observed::read(smoke(), maps::ALGEBRAIC).unwrap();
    let series = |layer: u64| {
        let l = layer as f64;
        Observed {
            layer,
            value: Some(44.0 * (1.0 - (3.0 * l.ln() + 2.0) / l)),
            ..rows[0].clone()
        }
    };
    let (limit, neglected) = angles_claim::extrapolated(&[series(1000), series(3000), series(10_000)]).unwrap();
    assert!((limit - 44.0).abs() < 1e-8 && neglected < 0.03, "{limit} {neglected}");
    assert_eq!(angles_claim::extrapolated(&[series(1000)]), None);
}
