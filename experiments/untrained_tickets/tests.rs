use super::super::comparison::tables::lines_of;
use super::super::comparison::{DENSE, Line};
use super::super::doctoring::{doctored, is, only, verdict};
use super::search::{POPUP, POPUP_NORMAL, RANDOM, SMALL, densities};
use super::sums::{ALL_SUBSETS, HALF_SIZE, PRUNED};
use super::*;
use ticketsense::data::DataChoice;
use ticketsense::harness::{Decision, compute_table};
use ticketsense::table::Value;

const DENSITIES: [f64; 3] = [0.9, 0.5, 0.1];

/// Mean accuracies: what edge-popup reaches at a density, beside the arms that are always there.
type Popup<'a> = &'a dyn Fn(f64) -> f64;

fn table_of(seeds: usize, popup: Popup<'_>, radius: &dyn Fn(f64) -> f64) -> Table {
    let rule = |arm: &str, density: f64| match arm {
        RANDOM => 0.1,
        POPUP | POPUP_NORMAL => popup(density),
        SMALL if density < 0.2 => 0.9,
        DENSE => 0.97,
        _ => 0.96,
    };
    let arms = [POPUP_NORMAL, POPUP, RANDOM, SMALL];
    let mut lines = lines_of(seeds, 0.005, &arms, &DENSITIES, &rule);
    for numbers in 6..=20usize {
        for draw in 0..30 {
            // Even noise in the logarithm, of mean zero.
            let noise = 0.3 * ((draw * 7 % 30) as f64 - 14.5) / 14.5;
            let value = radius(numbers as f64) * noise.exp();
            for arm in [ALL_SUBSETS, HALF_SIZE] {
                let line = Line::new(SUMS, draw, arm, 1.0);
                lines.push(line.with("numbers", numbers).with("radius", value));
            }
        }
    }
    for units in [4usize, 8, 16] {
        for replicate in 0..10 {
            let error = (-0.5 * units as f64 + 0.01 * replicate as f64).exp();
            let line = Line::new(TARGETS, replicate, PRUNED, 0.2).with("units", units);
            lines.push(line.with("sup_error", error).with("bound", 3.0 * error));
        }
    }
    let rows = lines.iter().map(|line| line.row(COLUMNS).unwrap());
    Table::with_rows(COLUMNS, rows.collect()).unwrap()
}

fn geometric(n: f64) -> f64 {
    n.powf(1.5) * (-n).exp2()
}

fn good(density: f64) -> f64 {
    if density == 0.5 { 0.95 } else { 0.7 }
}

fn condition(table: &Table) -> String {
    match verdict(&UntrainedTickets, "A12", table).decision {
        Decision::HoldsUnder { condition } => condition,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_geometric_radius_holds_as_existence_and_what_search_finds_is_the_condition() {
    let found = condition(&table_of(24, &good, &geometric));
    assert!(
        found.contains("above random subnetworks of the same weights at densities 0.9, 0.5, 0.1"),
        "{found}"
    );
    assert!(found.contains("as many weights at none"), "{found}");
    assert!(found.contains("(shown to be worse at 0.9, 0.5, 0.1)"), "{found}");
    let equal = condition(&table_of(24, &|_| 0.97, &geometric));
    assert!(
        equal.contains("trained dense network of as many weights at 0.9, 0.5, 0.1"),
        "{equal}"
    );
    assert!(
        equal.ends_with("the trained network itself at 0.9, 0.5, 0.1"),
        "{equal}"
    );
}

#[test]
fn a_flat_radius_and_a_power_law_are_refuted() {
    for radius in [
        (|_| 0.3) as fn(f64) -> f64,
        |n: f64| 30.0 * n.powi(-4),
        |n: f64| (2.0 - 2.0 * n.sqrt()).exp(),
    ] {
        let found = verdict(&UntrainedTickets, "A12", &table_of(24, &good, &radius));
        assert_eq!(found.decision, Decision::Fails, "{}", found.evidence);
        assert!(found.counterexample.unwrap().contains("geometrically"));
    }
}

#[test]
fn an_impossible_radius_an_error_beyond_its_bound_and_targets_that_are_not_approached_are_refuted() {
    let impossible = table_of(24, &good, &|n| 0.2 * (-n).exp2());
    let found = verdict(&UntrainedTickets, "A12", &impossible);
    assert!(found.counterexample.unwrap().contains("beyond its proven bound"));
    let table = table_of(24, &good, &geometric);
    let of_targets = |record: &ticketsense::table::Record<'_>| is(record, "part", TARGETS);
    let broken = doctored(&table, "bound", |_| Value::Real(1e-9), of_targets);
    assert_eq!(verdict(&UntrainedTickets, "A12", &broken).decision, Decision::Fails);
    let flat = doctored(&table, "sup_error", |_| Value::Real(1e-4), of_targets);
    let flat = doctored(&flat, "bound", |_| Value::Real(1.0), of_targets);
    let found = verdict(&UntrainedTickets, "A12", &flat);
    assert!(
        found.counterexample.unwrap().contains("do not approach"),
        "{}",
        found.evidence
    );
}

#[test]
fn few_draws_decide_nothing_and_few_seeds_leave_the_search_open() {
    let table = table_of(24, &good, &geometric);
    let few = only(&table, |r| !is(r, "part", SUMS) || r.integer("seed").unwrap() < 29);
    let found = verdict(&UntrainedTickets, "A12", &few);
    assert!(matches!(found.decision, Decision::Undecided { .. }));
    let found = condition(&table_of(19, &good, &geometric));
    assert!(found.contains("undecided (19 paired seeds"), "{found}");
    let easy = condition(&table_of(24, &good, &geometric));
    assert!(!easy.contains("undecided"), "{easy}");
}

#[test]
fn the_smoke_table_has_every_arm_at_every_density_with_the_asked_counts() {
    let table = compute_table(&UntrainedTickets, Scale::Smoke, 0, &DataChoice::Digits).unwrap();
    let of_part = |part: &str| table.filter(|r| is(r, "part", part)).count();
    let asked = densities(Scale::Smoke);
    assert_eq!(of_part(MAIN), 2 * (1 + 4 * asked.len()));
    assert_eq!((of_part(PILOT), of_part(SUMS), of_part(TARGETS)), (2, 4 * 4 * 2, 6 * 2));
    for record in table.filter(|r| is(r, "part", MAIN)) {
        let (kept, density) = (record.integer("kept").unwrap() as f64, record.real("density").unwrap());
        // 64·20 + 20·10 weights; a dense network has whole units.
        let slack = if is(&record, "arm", SMALL) { 74.0 } else { 1.0 };
        assert!((kept - 1480.0 * density).abs() <= slack, "{kept} at {density}");
        let searched = is(&record, "arm", POPUP) || is(&record, "arm", POPUP_NORMAL);
        assert_eq!(record.optional_real("changed").unwrap().is_some(), searched);
    }
    let mean = |arm: &str| {
        let values = table.filter(|r| is(r, "arm", arm) && r.real("density").unwrap() == 0.5);
        values.map(|r| r.real("test_accuracy").unwrap()).sum::<f64>() / 2.0
    };
    assert!(mean(POPUP) > mean(RANDOM) + 0.2, "{} {}", mean(POPUP), mean(RANDOM));
    let decision = verdict(&UntrainedTickets, "A12", &table).decision;
    assert_eq!(decision.as_str(), "undecided");
}
