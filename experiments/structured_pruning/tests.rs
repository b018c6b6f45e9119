use super::super::comparison::tables::lines_of;
use super::super::doctoring::verdict;
use super::*;
use ticketsense::data::DataChoice;
use ticketsense::harness::{Decision, compute_table};

const DENSITIES: [f64; 2] = [0.25, 0.125];

/// Both networks with the same rule; their pilots spread more widely than differences do.
fn table(seeds: usize, rule: &dyn Fn(&str, f64) -> f64) -> Table {
    let names: Vec<&str> = Arm::ALL.into_iter().map(Arm::name).collect();
    let mut rows = Vec::new();
    for kind in Kind::ALL {
        for line in lines_of(seeds, 0.004, &names, &DENSITIES, rule) {
            let mut row = line.row(&COLUMNS).unwrap();
            let (main, pilot) = parts(kind);
            let is_pilot = row.0[0] == PILOT.into();
            row.0[0] = if is_pilot { pilot } else { main }.into();
            rows.push(row);
        }
    }
    Table::with_rows(&COLUMNS, rows).unwrap()
}

fn of(arm: &str, units: f64, scratch: f64, weights: f64) -> f64 {
    match arm {
        DENSE => 0.97,
        "units" | "units-tuned-on" | "units-in-rounds" => units,
        "scratch" => scratch,
        _ => weights,
    }
}

#[test]
fn weights_that_are_better_hold_everywhere_and_those_that_are_worse_refute() {
    let better = verdict(&StructuredPruning, "B7", &table(24, &|arm, _| of(arm, 0.9, 0.88, 0.93)));
    assert_eq!(better.decision, Decision::Holds, "{}", better.evidence);
    assert!((better.statistic.1 - 0.03).abs() < 0.003);
    let worse = verdict(&StructuredPruning, "B7", &table(24, &|arm, _| of(arm, 0.93, 0.9, 0.88)));
    assert_eq!(worse.decision, Decision::Fails, "{}", worse.evidence);
    let mixed = |arm: &str, density: f64| {
        if density > 0.2 {
            of(arm, 0.9, 0.88, 0.93)
        } else {
            of(arm, 0.93, 0.9, 0.88)
        }
    };
    match verdict(&StructuredPruning, "B7", &table(24, &mixed)).decision {
        Decision::HoldsUnder { condition } => {
            assert!(
                condition.contains("weights − units, perceptron at 0.250") && !condition.contains("0.125"),
                "{condition}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn scratch_that_is_as_good_confirms_that_units_add_nothing_and_scratch_that_is_worse_refutes_it() {
    let equal = verdict(
        &StructuredPruning,
        "B7a",
        &table(200, &|arm, _| of(arm, 0.9, 0.9, 0.93)),
    );
    assert_eq!(equal.decision, Decision::Holds, "{}", equal.evidence);
    let worse = verdict(
        &StructuredPruning,
        "B7a",
        &table(24, &|arm, _| of(arm, 0.93, 0.9, 0.93)),
    );
    assert_eq!(worse.decision, Decision::Fails, "{}", worse.evidence);
    let one = |arm: &str, _: f64| {
        if arm == "units-tuned-on" {
            0.93
        } else {
            of(arm, 0.9, 0.9, 0.93)
        }
    };
    match verdict(&StructuredPruning, "B7a", &table(200, &one)).decision {
        Decision::HoldsUnder { condition } => {
            assert!(
                condition.contains("scratch − units,") && !condition.contains("tuned"),
                "{condition}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_task_on_which_nothing_is_lost_and_too_few_seeds_decide_nothing() {
    for id in ["B7", "B7a"] {
        let easy = verdict(&StructuredPruning, id, &table(24, &|_, _| 0.97));
        assert!(matches!(easy.decision, Decision::Undecided { why } if why.contains("cannot tell")));
        let few = verdict(&StructuredPruning, id, &table(10, &|arm, _| of(arm, 0.9, 0.88, 0.93)));
        assert!(matches!(few.decision, Decision::Undecided { .. }));
    }
}

#[test]
fn a_smoke_run_compares_equal_budgets_and_draws_its_figure() {
    let table = compute_table(&StructuredPruning, Scale::Smoke, 0, &DataChoice::Digits).unwrap();
    for kind in Kind::ALL {
        let main = parts(kind).0;
        let group = densities(kind, Scale::Smoke)[0];
        let of = |arm: Arm, column: &str| -> i64 {
            let record = table.iter().find(|r| {
                r.text("part").unwrap() == main
                    && r.text("arm").unwrap() == arm.name()
                    && r.integer("seed").unwrap() == 0
            });
            record.unwrap().integer(column).unwrap()
        };
        for arm in [Arm::Scratch, Arm::UnitsTunedOn] {
            for column in ["kept", "parameters", "multiply_adds"] {
                assert_eq!(of(arm, column), of(Arm::Units, column));
            }
        }
        assert_eq!(of(Arm::UnitsInRounds, "kept"), of(Arm::Units, "kept"));
        assert_eq!(of(Arm::WeightsInRounds, "kept"), of(Arm::WeightsAtMultiplyAdds, "kept"));
        // Equal in every layer, so equal in both.
        assert_eq!(of(Arm::Weights, "kept"), of(Arm::Units, "kept"));
        assert_eq!(of(Arm::Weights, "multiply_adds"), of(Arm::Units, "multiply_adds"));
        // Blocks miss the count by less than one in each of the layers.
        let missed = of(Arm::Units, "kept") - of(Arm::Blocks, "kept");
        assert!((0..3 * 16).contains(&missed), "{missed}");
        // One density in every layer misses a budget by less than a weight a layer, times its uses.
        let room = of(Arm::Units, "parameters") - of(Arm::WeightsAtParameters, "parameters");
        assert!((0..4).contains(&room), "{room}");
        let room = of(Arm::Units, "multiply_adds") - of(Arm::WeightsAtMultiplyAdds, "multiply_adds");
        assert!((0..64).contains(&room), "{room}");
        let dense = table
            .iter()
            .find(|r| r.text("part").unwrap() == main && r.text("arm").unwrap() == DENSE);
        let all = dense.unwrap().integer("kept").unwrap();
        assert!(of(Arm::Units, "kept") <= all / group as i64);
        assert!(2 * of(Arm::Units, "kept") >= all / group as i64);
    }
    draw::draw(&table).unwrap().to_svg().unwrap();
}
