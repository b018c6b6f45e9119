use super::super::doctoring::{self, doctored, doctored_once, is, only};
use super::*;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use ticketsense::data::DataChoice;
use ticketsense::harness::{Decision, Verdict, compute_table};
use ticketsense::table::{Record, Value};

static SMOKE: LazyLock<Table> =
    LazyLock::new(|| compute_table(&GradientNoise, Scale::Smoke, 0, &DataChoice::Digits).unwrap());

fn verdict(id: &str, table: &Table) -> Verdict {
    doctoring::verdict(&GradientNoise, id, table)
}

fn of_part<'a>(part: &'a str) -> impl Fn(&Record<'_>) -> bool + 'a {
    move |r| is(r, "part", part)
}

/// The table with the rows of networks repeated under enough numbers of seeds, and each of their orders often enough: what
/// depends on them is then judged. Every copy is moved a little, so that it spreads.
fn enlarged() -> Table {
    let table = &*SMOKE;
    let (number, order) = (table.position("number").unwrap(), table.position("order").unwrap());
    let columns = ["steps_to_target", "scale", "accuracy", "loss"].map(|name| table.position(name).unwrap());
    let mut rows = Vec::new();
    for (record, row) in table.iter().zip(table.rows()) {
        if [STEPS, ALONG, ACCURACY, ORDERS, MARGIN]
            .iter()
            .all(|part| !is(&record, "part", part))
        {
            rows.push(row.clone());
            continue;
        }
        for copy in 0..8u64 {
            for again in 0..if is(&record, "part", ORDERS) { 6u64 } else { 1 } {
                let mut row = row.clone();
                let factor = 1.0 + 0.002 * ((7 * copy + 3 * again) % 11) as f64;
                row.0[number] = Value::Integer(record.integer("number").unwrap() + 10_000 * copy as i64);
                if again > 0 {
                    row.0[order] = Value::Integer(record.integer("order").unwrap() + 1000 * again as i64);
                }
                for place in columns {
                    if let Value::Real(value) = row.0[place] {
                        row.0[place] = Value::Real(value * factor);
                    }
                }
                rows.push(row);
            }
        }
    }
    Table::with_rows(table.columns(), rows).unwrap()
}

/// The losses and accuracies of one arm drawn together around the mean of their seed, or apart.
fn drawn_together(table: &Table, arm: &str, factor: f64) -> Table {
    let mut table = Table::with_rows(table.columns(), table.rows().to_vec()).unwrap();
    let chosen = |r: &Record<'_>| is(r, "part", ORDERS) && is(r, "mask", arm);
    for column in ["loss", "accuracy"] {
        let mut means: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
        for r in table.filter(chosen) {
            let mean = means.entry(r.integer("number").unwrap()).or_default();
            *mean = (mean.0 + r.real(column).unwrap(), mean.1 + 1.0);
        }
        let moved = |r: &Record<'_>| {
            let (sum, count) = means[&r.integer("number").unwrap()];
            Value::Real(sum / count + factor * (r.real(column).unwrap() - sum / count))
        };
        table = doctored(&table, column, moved, chosen);
    }
    table
}

#[test]
fn a_small_run_finds_closed_forms_right_and_has_too_few_networks() {
    for id in ["C6", "C7"] {
        let found = verdict(id, &SMOKE);
        assert!(matches!(found.decision, Decision::Undecided { .. }), "{found:?}");
        assert!(found.statistic.1 < 1.0, "{found:?}");
        assert_eq!(found.counterexample, None);
    }
    draw::draw(&SMOKE).unwrap().to_svg().unwrap();
}

#[test]
fn a_mean_off_its_closed_form_makes_its_claim_fail() {
    for column in ["measured_trace", "measured_square", "gap"] {
        let off = doctored_once(
            &SMOKE,
            column,
            |v| match v {
                Value::Real(value) => Value::Real(value + 1e3),
                other => panic!("{other:?}"),
            },
            of_part(GRADIENT),
        );
        let found = verdict("C6", &off);
        assert_eq!(found.decision, Decision::Fails, "{column}");
        assert!(found.counterexample.unwrap().contains("in closed form"));
    }
    let below = doctored_once(&SMOKE, "least_scale", |_| Value::Real(1e9), of_part(GRADIENT));
    assert!(verdict("C6", &below).counterexample.unwrap().contains("below"));
    let off = doctored_once(&SMOKE, "measured", |_| Value::Real(1e3), of_part(REST));
    let found = verdict("C7", &off);
    assert_eq!(found.decision, Decision::Fails);
    assert!(found.counterexample.unwrap().contains("weights"));
    // A mean without an error agrees with nothing.
    let blind = doctored_once(&SMOKE, "measured", |_| Value::Real(f64::NAN), of_part(REST));
    assert_eq!(verdict("C7", &blind).decision, Decision::Fails);
    for id in ["C6", "C7"] {
        let nothing = only(&SMOKE, of_part(STEPS));
        assert!(matches!(verdict(id, &nothing).decision, Decision::Undecided { .. }));
    }
}

#[test]
fn the_sign_of_the_dependence_on_density_decides_between_holding_and_holding_under_a_condition() {
    let table = enlarged();
    let found = verdict("C6", &table);
    let Decision::HoldsUnder { condition } = &found.decision else {
        panic!("{found:?}")
    };
    assert!(condition.contains("loses signal") && condition.contains("number of steps is moved"));
    let falling = only(&table, |r| !is(r, "part", GRADIENT) || is(r, "mask", LARGEST));
    assert_eq!(verdict("C6", &falling).decision, Decision::Holds);
    let dense = only(&table, |r| {
        !is(r, "part", GRADIENT) || r.real("density").unwrap() == 1.0
    });
    assert!(matches!(verdict("C6", &dense).decision, Decision::Undecided { .. }));
}

#[test]
fn a_spread_is_a_mark_only_where_the_ticket_varies_less_than_both_others() {
    let table = drawn_together(&enlarged(), DENSE, 20.0);
    let ticket = drawn_together(&table, TICKET, 0.01);
    assert_eq!(verdict("C7", &ticket).decision, Decision::Holds);
    // Fewer weights that vary more than all of them are against the statement.
    let random = drawn_together(&drawn_together(&ticket, DENSE, 0.01), RANDOM, 20.0);
    assert!(matches!(verdict("C7", &random).decision, Decision::HoldsUnder { .. }));
    let control = drawn_together(&drawn_together(&table, TICKET, 0.5), RANDOM, 0.001);
    let found = verdict("C7", &control);
    let Decision::HoldsUnder { condition } = &found.decision else {
        panic!("{found:?}")
    };
    assert!(
        condition.contains("random mask less in loss and accuracy than the dense"),
        "{condition}"
    );
    let worse = drawn_together(&table, TICKET, 20.0);
    assert!(matches!(verdict("C7", &worse).decision, Decision::HoldsUnder { .. }));
}

#[test]
fn every_part_has_its_rows_and_no_training_missed_its_target_by_a_rate_out_of_range() {
    for part in PARTS {
        assert!(SMOKE.iter().any(|r| is(&r, "part", part)), "{part}");
    }
    // Different orders give different outcomes.
    let losses: Vec<f64> = SMOKE
        .filter(|r| is(r, "part", ORDERS) && is(r, "mask", DENSE) && r.integer("number").unwrap() == 0)
        .map(|r| r.real("loss").unwrap())
        .collect();
    assert!(losses.len() > 1 && losses.iter().any(|l| *l != losses[0]));
    // Equal counts: a random mask has the density of the ticket of its round.
    for round in [2, 4] {
        let of = |kind: &str| {
            let row = SMOKE
                .filter(|r| is(r, "part", STEPS) && is(r, "mask", kind) && r.integer("round").unwrap() == round)
                .next();
            row.unwrap().real("density").unwrap()
        };
        assert_eq!(of(TICKET), of(RANDOM));
    }
}
