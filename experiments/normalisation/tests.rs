use super::super::comparison::tables::{Rule, lines_of};
use super::super::doctoring::{doctored, doctored_once, is, only, verdict};
use super::trained::{DENSITIES, arm};
use super::*;
use ticketsense::data::DataChoice;
use ticketsense::harness::{Decision, compute_table};
use ticketsense::table::{Record, Value};

fn smoke() -> Table {
    compute_table(&Normalising, Scale::Smoke, 0, &DataChoice::Digits).unwrap()
}

fn decision(id: &str, table: &Table) -> Decision {
    verdict(&Normalising, id, table).decision
}

/// Trained rows with the accuracies of a rule over normalisation, batch size and density, behind the rows on units of a
/// small run.
fn trained(seeds: usize, rule: impl Fn(&str, usize, f64) -> f64) -> Table {
    let arms: Vec<(String, &str, usize)> = NORMS
        .into_iter()
        .flat_map(|norm| BATCHES.map(|batch| (arm(norm, batch), norm, batch)))
        .collect();
    let names: Vec<&str> = arms.iter().map(|(name, ..)| name.as_str()).collect();
    let of_arm = |name: &str, density: f64| match arms.iter().find(|(arm, ..)| arm == name) {
        Some((_, norm, batch)) => rule(norm, *batch, density),
        None => 0.95,
    };
    let ruled: Rule<'_> = &of_arm;
    let lines = lines_of(seeds, 0.003, &names, &DENSITIES, ruled);
    let mut rows: Vec<Row> = lines.iter().map(|line| line.row(COLUMNS).unwrap()).collect();
    let units = only(&smoke(), |r| is(r, "part", UNITS));
    rows.extend(units.rows().iter().cloned());
    // A margin of a point, well above the noise of a sum of four accuracies.
    doctored(
        &Table::with_rows(COLUMNS, rows).unwrap(),
        "test_accuracy",
        |r| {
            Value::Real(if r.integer("seed").unwrap() % 2 == 0 {
                0.96
            } else {
                0.94
            })
        },
        |r| is(r, "part", PILOT),
    )
}

#[test]
fn the_smoke_table_has_every_row_and_its_mechanism_holds_under_its_condition() {
    let table = smoke();
    let noise: usize = noise::GRID.iter().map(|(.., batches)| 3 * batches.len()).sum();
    let trained = NORMS.len() * BATCHES.len() * DENSITIES.len();
    assert_eq!(
        table.len(),
        noise + (3 + 1 + 5) + units::DENSITIES.len() + 2 * trained + 2
    );
    match decision("C11", &table) {
        Decision::HoldsUnder { condition } => assert!(condition.contains("positive sum"), "{condition}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(decision("C11a", &table).as_str(), "undecided");
    assert_eq!(decision("C11b", &table).as_str(), "undecided");
    draw::draw(&table).unwrap().to_svg().unwrap();
    // The same mask size for every normalisation.
    for density in DENSITIES {
        let rows = table
            .iter()
            .filter(|r| is(r, "part", MAIN) && r.real("density").unwrap() == density);
        let kept: std::collections::BTreeSet<i64> = rows.map(|r| r.integer("kept").unwrap()).collect();
        assert_eq!(kept.len(), 1, "{density}");
    }
    let below = |r: &Record<'_>| r.integer("below_epsilon").unwrap() >= r.integer("dead").unwrap();
    assert!(table.iter().filter(|r| is(r, "part", UNITS)).all(|r| below(&r)));
}

#[test]
fn a_wrong_law_a_dependence_on_company_or_a_step_that_passes_refutes_the_mechanism() {
    let table = smoke();
    let shift = |by: f64| {
        move |v: &Value| match v {
            Value::Real(found) => Value::Real(found + by),
            other => panic!("{other:?}"),
        }
    };
    let noisy = |r: &Record<'_>| is(r, "part", NOISE);
    assert_eq!(
        decision("C11", &doctored_once(&table, "exact", shift(0.3), noisy)),
        Decision::Fails
    );
    let layer = |r: &Record<'_>| is(r, "quantity", alone::COMPANY) && is(r, "norm", "layer-norm");
    assert_eq!(
        decision("C11", &doctored_once(&table, "found", shift(1e-16), layer)),
        Decision::Fails
    );
    let single = |r: &Record<'_>| is(r, "quantity", alone::SHIFT);
    assert_eq!(
        decision("C11", &doctored_once(&table, "found", shift(1e-12), single)),
        Decision::Fails
    );
    for batch in [1, 2] {
        let moved = |r: &Record<'_>| is(r, "quantity", alone::MOVED) && r.integer("batch").unwrap() == batch;
        assert_eq!(
            decision("C11", &doctored_once(&table, "found", shift(0.1), moved)),
            Decision::Fails
        );
    }
    let independent = only(&table, |r| !is(r, "part", NOISE) || is(r, "kernel", noise::NONE));
    assert_eq!(decision("C11", &independent).as_str(), "undecided");
    let positive = only(&table, |r| !is(r, "kernel", noise::DIFFERENCE));
    assert_eq!(decision("C11", &positive), Decision::Holds);
}

#[test]
fn the_loss_at_small_batches_is_shown_refuted_or_left_open() {
    let small = |norm: &str, batch: usize, _: f64| {
        if norm == BATCH_NORM && batch == 2 { 0.8 } else { 0.95 }
    };
    assert_eq!(decision("C11a", &trained(24, small)), Decision::Holds);
    assert_eq!(decision("C11a", &trained(24, |_, _, _| 0.95)), Decision::Fails);
    // Worse at every batch size alike: no effect of the batch.
    let everywhere = |norm: &str, _: usize, _: f64| if norm == BATCH_NORM { 0.8 } else { 0.95 };
    assert_eq!(decision("C11a", &trained(24, everywhere)), Decision::Fails);
    let against_layer = |norm: &str, batch: usize, _: f64| match (norm, batch) {
        ("layer-norm", 32) => 0.8,
        _ => 0.95,
    };
    match decision("C11a", &trained(24, against_layer)) {
        Decision::HoldsUnder { condition } => assert_eq!(condition, "against layer-norm"),
        other => panic!("{other:?}"),
    }
    assert_eq!(decision("C11a", &trained(19, small)).as_str(), "undecided");
}

#[test]
fn what_sparsity_adds_is_judged_against_the_dense_loss_and_dead_units_against_their_law() {
    let same = |norm: &str, batch: usize, density: f64| {
        let lost = if norm == BATCH_NORM && batch == 2 { 0.1 } else { 0.0 };
        0.95 - lost - if density < 1.0 { 0.05 } else { 0.0 }
    };
    let table = trained(24, same);
    assert_eq!(decision("C11b", &table), Decision::Holds);
    let more = |norm: &str, batch: usize, density: f64| {
        if norm == BATCH_NORM && batch == 2 && density < 0.2 {
            0.7
        } else {
            0.95
        }
    };
    let found = verdict(&Normalising, "C11b", &trained(24, more));
    assert_eq!(found.decision, Decision::Fails);
    assert!(found.counterexample.unwrap().starts_with("density 0.1, B = 2"));
    let dead = doctored(
        &table,
        "dead",
        |r| r.integer("replicates").unwrap().into(),
        |r| is(r, "part", UNITS),
    );
    assert_eq!(decision("C11b", &dead), Decision::Fails);
    let none = only(&table, |r| !is(r, "part", UNITS));
    assert_eq!(decision("C11b", &none).as_str(), "undecided");
    assert_eq!(decision("C11b", &trained(19, same)).as_str(), "undecided");
}
