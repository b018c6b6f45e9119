use super::super::comparison::tables::{Rule, table_of};
use super::super::doctoring::{doctored, is, verdict};
use super::*;
use ticketsense::data::DataChoice;
use ticketsense::harness::{Decision, compute_table};
use ticketsense::table::Value;

const DENSITIES: [f64; 2] = [0.2, 0.05];

/// A table whose arms have the accuracies of a rule, with the column of moved weights.
fn table(seeds: usize, rule: Rule<'_>) -> Table {
    let arms: Vec<String> = SOURCES.iter().flat_map(|s| TREATMENTS.map(|t| arm(s, t))).collect();
    let names: Vec<&str> = arms.iter().map(String::as_str).collect();
    let shared = table_of(seeds, 0.003, &names, &DENSITIES, rule);
    let rows = shared.rows().iter().map(|row| {
        let mut row = row.clone();
        row.0.push(Value::Real(0.8));
        row
    });
    Table::with_rows(COLUMNS, rows.collect()).unwrap()
}

fn decision(table: &Table) -> Decision {
    verdict(&MaskShuffling, "A14", table).decision
}

/// Everything at 0.97 but what the closure says.
fn rule(lost: impl Fn(&str, f64) -> f64) -> impl Fn(&str, f64) -> f64 {
    move |arm, density| match arm {
        "imp across" => 0.7,
        _ => 0.97 - lost(arm, density),
    }
}

#[test]
fn a_loss_at_all_densities_holds_and_one_at_some_names_them() {
    let everywhere = rule(|arm, _| if arm == "imp within" { 0.03 } else { 0.0 });
    assert_eq!(decision(&table(24, &everywhere)), Decision::Holds);
    let late = rule(|arm, density| {
        if arm == "imp within" && density < 0.1 {
            0.03
        } else {
            0.0
        }
    });
    match decision(&table(24, &late)) {
        Decision::HoldsUnder { condition } => assert!(condition.ends_with("densities 0.050"), "{condition}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_shuffle_that_loses_nothing_refutes_and_few_seeds_or_an_easy_task_decide_nothing() {
    let harmless = rule(|_, _| 0.0);
    assert_eq!(decision(&table(24, &harmless)), Decision::Fails);
    assert_eq!(decision(&table(19, &harmless)).as_str(), "undecided");
    assert_eq!(decision(&table(24, &|_, _| 0.97)).as_str(), "undecided");
    // Losses around the margin are neither shown to exceed it nor to lie below it.
    let scattered = doctored(
        &table(24, &harmless),
        "test_accuracy",
        |record| {
            let even = record.integer("seed").unwrap() % 2 == 0;
            Value::Real(if even { 0.97 } else { 0.966 })
        },
        |record| is(record, "arm", "imp within"),
    );
    assert_eq!(decision(&scattered).as_str(), "undecided");
}

#[test]
fn the_smoke_table_has_every_mask_and_shuffles_keep_what_they_say() {
    let table = compute_table(&MaskShuffling, Scale::Smoke, 0, &DataChoice::Digits).unwrap();
    assert_eq!(table.len(), 2 * (1 + 12) + 2);
    let kept = |name: &str| -> Vec<i64> {
        let rows = table.iter().filter(|r| is(r, "arm", name));
        rows.map(|r| r.integer("kept").unwrap()).collect()
    };
    for source in SOURCES {
        for treatment in TREATMENTS {
            assert_eq!(kept(&arm(source, treatment)), kept("imp"), "{source} {treatment}");
        }
    }
    for record in table.iter().filter(|r| is(r, "part", MAIN) && !is(r, "arm", DENSE)) {
        let shuffled = record.text("arm").unwrap().contains(' ');
        assert_eq!(record.real("moved").unwrap() > 0.0, shuffled);
    }
    assert_eq!(decision(&table).as_str(), "undecided");
}
