use super::super::COLUMNS;
use super::*;
use ticketsense::row;
use ticketsense::table::{Row, Value};

/// A row with what the claims read: part, seed, arm, density, mask, validation and test accuracy, overlap.
fn line(part: &str, seed: usize, arm: &str, density: f64, mask: &str, accuracy: f64) -> Row {
    let none = Value::Missing;
    let (validation, test) = if part == "pilot" {
        (Some(accuracy), None)
    } else {
        (Some(0.9), Some(accuracy))
    };
    let mut cells = row![part, seed, arm, density, mask, 500usize, "-"].0;
    cells.push(none.clone());
    cells.extend(row![3e-3, validation, test, 100usize, 50.0].0);
    cells.resize(COLUMNS.len(), none);
    Row(cells)
}

/// Noise of mean zero over any 20 seeds in a row, different for every arm.
fn noise(seed: usize, arm: usize) -> f64 {
    0.01 * ((seed * (2 * arm + 3)) as f64 * 0.1 * std::f64::consts::PI).sin()
}

/// A table in which every own mask gains `gain`, iterative pruning `imp` over random, on `seeds` seeds.
fn table(seeds: usize, gain: [f64; 3], imp: f64) -> Table {
    let mut rows = Vec::new();
    for (pilot, accuracy) in [0.93, 0.95, 0.94, 0.92].into_iter().enumerate() {
        rows.push(line("pilot", 10_000 + pilot, "imp", 0.1, "own", accuracy));
    }
    for seed in 0..seeds {
        rows.push(line("main", seed, "dense", 1.0, "own", 0.97));
        rows.push(line("main", seed, "imp", 0.1, "own", 0.85 + imp + noise(seed, 1)));
        rows.push(line("main", seed, "random", 0.1, "own", 0.85 + noise(seed, 2)));
        for (number, solver) in SOLVERS.into_iter().enumerate() {
            rows.push(line(
                "main",
                seed,
                solver,
                0.1,
                "own",
                0.85 + gain[number] + noise(seed, 3 + number),
            ));
            rows.push(line(
                "main",
                seed,
                solver,
                0.1,
                "shuffled",
                0.85 + noise(seed, 6 + number),
            ));
        }
    }
    Table::with_rows(COLUMNS, rows).unwrap()
}

#[test]
fn the_primary_verdict_follows_the_differences() {
    let decide = |gain| primary(&table(20, gain, 0.1)).unwrap().decision;
    assert_eq!(decide([0.05, 0.06, 0.07]), Decision::Holds);
    assert!(matches!(decide([0.05, 0.0, 0.0]), Decision::HoldsUnder { condition } if condition.contains("omp")));
    assert_eq!(decide([0.0, -0.05, 0.0]), Decision::Fails);
    assert_eq!(decide([0.0, 0.0, 0.0]).as_str(), "undecided");
}

#[test]
fn too_few_seeds_or_a_task_that_cannot_tell_decide_nothing() {
    for bad in [
        table(19, [0.05; 3], 0.1),
        table(20, [0.05; 3], 0.0),
        table(20, [0.05; 3], -0.1),
    ] {
        assert_eq!(primary(&bad).unwrap().decision.as_str(), "undecided");
        assert_eq!(non_inferiority(&bad).unwrap().decision.as_str(), "undecided");
    }
    assert_eq!(
        overlap(&table(19, [0.05; 3], 0.1)).unwrap().decision.as_str(),
        "undecided"
    );
}

#[test]
fn non_inferiority_compares_with_the_margin_of_the_pilot_seeds() {
    let decide = |omp: f64| non_inferiority(&table(20, [omp, 0.0, 0.0], 0.1)).unwrap();
    assert_eq!(decide(0.1).decision, Decision::Holds);
    assert_eq!(decide(0.02).decision, Decision::Fails);
    // One standard deviation of 0.93, 0.95, 0.94, 0.92: √(0.0005/3).
    assert!((decide(0.1).tolerance + (0.0005f64 / 3.0).sqrt()).abs() < 1e-12);
}

#[test]
fn overlap_at_chance_does_not_hold() {
    assert_eq!(overlap(&table(20, [0.0; 3], 0.1)).unwrap().decision, Decision::Holds);
    let mut rows = table(20, [0.0; 3], 0.1).rows().to_vec();
    let place = |name: &str| COLUMNS.iter().position(|c| c.name == name).unwrap();
    for row in &mut rows {
        row.0[place("chance")] = Value::Real(120.0);
    }
    let below = Table::with_rows(COLUMNS, rows).unwrap();
    assert_eq!(overlap(&below).unwrap().decision, Decision::Fails);
}
