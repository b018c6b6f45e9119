use super::examples::{crossing, paired, submodular};
use super::matrices::{draw, orthonormal};
use super::measured::{against, problem};
use super::{COLUMNS, LADDER, SPREADS, SensorSelection};
use nalgebra::{DMatrix, dmatrix};
use ticketsense::Seed;
use ticketsense::estimators::design::LargestNorms;
use ticketsense::harness::{Cell, Experiment, Verdict};
use ticketsense::table::{Row, Table, Value};

fn verdict(id: &str, rows: Vec<Row>) -> Verdict {
    let claim = SensorSelection.claims().iter().find(|c| c.id == id).unwrap();
    (claim.check)(&Table::with_rows(COLUMNS, rows).unwrap()).unwrap()
}

fn row(values: &[(&str, Value)]) -> Row {
    super::row_of(values).unwrap()
}

/// Two matrices at two noise levels; the second level has the given best choice and deviation.
fn definition(best: &str, deviation: f64) -> Vec<Row> {
    let mut rows = Vec::new();
    for noise in [1e-4, 1e4] {
        for number in 0..2 {
            let best = if noise > 1.0 { best } else { "0 1" };
            rows.push(row(&[
                ("part", "definition".into()),
                ("number", number.into()),
                ("chosen", 2.into()),
                ("noise_ratio", noise.into()),
                ("best_rows", best.into()),
                ("norm_rows", "0 2".into()),
                ("best", 1.0.into()),
                ("greedy", 1.1.into()),
                ("lower_bound", 0.9.into()),
                ("flat_overlap", 2.into()),
                ("best_ties", 0.into()),
                ("deviation", deviation.into()),
                ("tolerance", 1e-12.into()),
            ]));
        }
    }
    rows
}

#[test]
fn the_definition_is_judged_by_what_noise_changes() {
    let found = verdict("J1", definition("0 2", 1e-13));
    assert_eq!(found.decision.as_str(), "holds-under", "{found:?}");
    assert_eq!(found.statistic.1, 1.0);
    assert_eq!(verdict("J1", definition("0 1", 1e-13)).decision.as_str(), "holds");
    assert_eq!(verdict("J1", definition("0 2", 1e-11)).decision.as_str(), "fails");
    assert_eq!(verdict("J1", definition("0 2", f64::NAN)).decision.as_str(), "fails");
    let one_level = definition("0 2", 1e-13)[..2].to_vec();
    assert_eq!(verdict("J1", one_level).decision.as_str(), "undecided");
}

fn orthogonal(norm_rows: &str, deviation: f64) -> Vec<Row> {
    let of = |setting: f64, norm_rows: &str| {
        row(&[
            ("part", "orthogonal".into()),
            ("number", 0.into()),
            ("setting", setting.into()),
            ("noise_ratio", 0.01.into()),
            ("best_rows", "0 1".into()),
            ("norm_rows", norm_rows.into()),
            ("deviation", (setting == 0.0).then_some(deviation).into()),
            ("tolerance", (setting == 0.0).then_some(1e-12).into()),
        ])
    };
    vec![of(0.0, "0 1"), of(0.0, norm_rows), of(1.0, "2 3")]
}

#[test]
fn orthogonal_rows_must_agree_without_exception() {
    assert_eq!(verdict("J2", orthogonal("0 1", 0.0)).decision.as_str(), "holds");
    let found = verdict("J2", orthogonal("0 2", 0.0));
    assert_eq!(found.decision.as_str(), "fails");
    assert!(found.counterexample.is_some());
    assert_eq!(verdict("J2", orthogonal("0 1", 2e-12)).decision.as_str(), "fails");
}

fn example(best: impl Fn(f64) -> &'static str, norm: &str) -> Vec<Row> {
    let noises = [0.0, 0.1, 1.0, 2.0];
    let of = |noise: f64| {
        row(&[
            ("part", "example".into()),
            ("noise_ratio", noise.into()),
            ("best_rows", best(noise).into()),
            ("norm_rows", norm.into()),
            ("best", 5.0.into()),
            ("norm", 50.0.into()),
            ("best_ties", 0.into()),
        ])
    };
    noises.map(of).to_vec()
}

#[test]
fn the_example_is_judged_by_where_the_norm_rule_parts() {
    let real = |noise: f64| if noise > 1.2 { "0 1" } else { "0 2" };
    assert_eq!(verdict("J3", example(real, "0 1")).decision.as_str(), "holds-under");
    assert_eq!(verdict("J3", example(|_| "0 2", "0 1")).decision.as_str(), "holds");
    // The norm rule is best, or takes other sensors: not as worded.
    assert_eq!(verdict("J3", example(|_| "0 1", "0 1")).decision.as_str(), "fails");
    assert_eq!(verdict("J3", example(real, "0 2")).decision.as_str(), "fails");
    let mixed = |noise: f64| if noise == 0.1 { "0 1" } else { "0 2" };
    assert_eq!(verdict("J3", example(mixed, "0 1")).decision.as_str(), "undecided");
}

fn settings(close: impl Fn(f64, f64) -> usize) -> Vec<Row> {
    let mut rows = Vec::new();
    for spread in SPREADS {
        for noise in LADDER {
            rows.push(row(&[
                ("part", "noise".into()),
                ("setting", spread.into()),
                ("noise_ratio", noise.into()),
                ("matrices", 200.into()),
                ("close", close(spread, noise).into()),
                ("median_ratio", 2.0.into()),
            ]));
        }
    }
    rows
}

#[test]
fn ensembles_are_close_far_or_either_by_their_settings() {
    let found = verdict("J4", settings(|_, noise| if noise >= 1.0 { 190 } else { 10 }));
    assert_eq!(found.decision.as_str(), "holds-under", "{found:?}");
    assert!(format!("{:?}", found.decision).contains("1 at spread 0,"), "{found:?}");
    assert_eq!(verdict("J4", settings(|_, _| 190)).decision.as_str(), "holds");
    assert_eq!(verdict("J4", settings(|_, _| 10)).decision.as_str(), "fails");
    assert_eq!(verdict("J4", settings(|_, _| 100)).decision.as_str(), "undecided");
    // Nothing is surely far, but not everything is surely close.
    let found = verdict("J4", settings(|_, noise| if noise >= 1.0 { 190 } else { 100 }));
    assert_eq!(found.decision.as_str(), "undecided");
}

#[test]
fn an_empty_table_decides_nothing() {
    for id in ["J1", "J2", "J3", "J4"] {
        assert_eq!(verdict(id, Vec::new()).decision.as_str(), "undecided", "{id}");
    }
}

#[test]
fn the_closed_form_is_where_a_perfect_duplicate_becomes_the_better_choice() {
    let a = dmatrix![1.0, 0.0; 1.0, 0.0; 0.0, super::examples::THIRD];
    let best = |noise: f64| against(&problem(&a, noise).unwrap(), 2).unwrap().best.rows;
    assert_eq!(best(crossing() * (1.0 - 1e-9)), [0, 2]);
    assert_eq!(best(crossing() * (1.0 + 1e-9)), [0, 1]);
}

#[test]
fn company_helps_a_sensor_in_the_example_worked_by_hand() {
    // (0, 1), (0, 3), (1, 2): beside the first the trace falls by 17/22, beside both by 441/560.
    let rows = submodular().unwrap();
    let table = Table::with_rows(COLUMNS, rows).unwrap();
    let record = table.iter().next().unwrap();
    assert_eq!(record.integer("matrices").unwrap(), 15 * 15 * 15);
    assert!(record.integer("identical").unwrap() > 0);
    let gains = [record.real("small_gain").unwrap(), record.real("large_gain").unwrap()];
    // The most extreme triple is at least as telling as the one by hand.
    assert!(gains[1] / gains[0] >= (441.0 / 560.0) / (17.0 / 22.0));
}

#[test]
fn ensembles_have_the_norms_and_ties_they_promise() {
    let seed = Seed::root(4);
    for name in super::ENSEMBLES {
        let a = draw(name, 14, 7, &seed).unwrap();
        let squares: Vec<f64> = a.row_iter().map(|r| r.norm_squared()).collect();
        assert!((squares.iter().sum::<f64>() / 14.0 - 1.0).abs() < 1e-13, "{name}");
        let equal = squares.iter().all(|s| (s - 1.0).abs() < 1e-13);
        assert_eq!(equal, ["fourier", "unitary"].contains(&name), "{name}");
        let tied = LargestNorms.tied(&problem(&a, 0.01).unwrap(), 7).unwrap();
        assert_eq!(tied.len(), if equal { 14 } else { 0 }, "{name}");
    }
    let q = orthonormal(4, 6, &seed).unwrap();
    assert!((&q * q.transpose() - DMatrix::identity(4, 4)).norm() < 1e-14);
    // Uncorrelated pairs are orthogonal rows.
    let g = paired(0.0) * paired(0.0).transpose();
    assert!((&g - DMatrix::from_diagonal(&g.diagonal())).norm() < 1e-15);
    assert!(draw("spread-x", 4, 2, &seed).is_err() && draw("fourier", 14, 6, &seed).is_err());
    assert!(draw("gauss", 4, 2, &seed).is_err());
}

#[test]
fn treatments_meet_the_same_matrices() {
    let cells = SensorSelection.cells(ticketsense::harness::Scale::Quick);
    let keys = |part: &str| -> Vec<String> {
        let of_part = |cell: &&Cell| cell.text("part").is_ok_and(|p| p == part);
        let mut keys: Vec<String> = cells.iter().filter(of_part).map(Cell::key).collect();
        keys.sort();
        keys.dedup();
        keys
    };
    assert_eq!(keys("definition").len(), 1);
    assert_eq!(keys("orthogonal").len(), 1);
    assert_eq!(keys("noise").len(), SPREADS.len());
    assert_eq!(keys("ensemble").len(), super::ENSEMBLES.len());
}
