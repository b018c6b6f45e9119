use super::super::comparison::DENSE;
use super::super::comparison::tables::{Rule, lines_of, table_of};
use super::super::doctoring::verdict;
use super::*;
use ticketsense::data::DataChoice;
use ticketsense::harness::{Decision, compute_table};

const DENSITIES: [f64; 2] = [0.05, 0.02];

fn table(seeds: usize, rule: Rule<'_>) -> Table {
    let names: Vec<&str> = ARMS.into_iter().map(Arm::name).collect();
    table_of(seeds, 0.003, &names, &DENSITIES, rule)
}

/// Dense 97 %, random far below, everything else as told.
fn of(design: &dyn Fn(&str, f64) -> f64, arm: &str, density: f64) -> f64 {
    match arm {
        DENSE => 0.97,
        "random" => 0.8,
        "imp" | "magnitude@trained" | "damage@trained" => 0.93,
        _ => design(arm, density),
    }
}

#[test]
fn a_design_that_beats_random_masks_is_named_with_its_density() {
    let rule = |arm: &str, density: f64| {
        of(
            &|arm, density| {
                if arm == "d@initial" && density < 0.03 {
                    0.83
                } else {
                    0.8
                }
            },
            arm,
            density,
        )
    };
    let found = verdict(&DesignPruning, "J5", &table(24, &rule));
    match &found.decision {
        Decision::HoldsUnder { condition } => assert_eq!(condition, "d@initial at density 0.020"),
        other => panic!("{other:?}"),
    }
    assert!((found.statistic.1 - 0.03).abs() < 0.003);
}

#[test]
fn designs_that_are_no_better_or_worse_than_random_refute_the_claim() {
    for accuracy in [0.8, 0.7] {
        let rule = |arm: &str, density: f64| of(&|_, _| accuracy, arm, density);
        // A margin wide enough for equality to be told: the pilots spread as everything does.
        let lines = lines_of(200, 0.003, &ARMS.map(Arm::name), &DENSITIES, &rule);
        let rows = lines.iter().map(|line| line.row(&COLUMNS).unwrap()).collect();
        let found = verdict(&DesignPruning, "J5", &Table::with_rows(&COLUMNS, rows).unwrap());
        assert_eq!(found.decision, Decision::Fails, "{}", found.evidence);
        let loses = found.evidence.contains("lose to it: a@initial");
        assert_eq!(loses, accuracy == 0.7, "{}", found.evidence);
    }
}

#[test]
fn a_task_that_cannot_tell_and_too_few_seeds_decide_nothing() {
    let easy = |_: &str, _: f64| 0.97;
    let found = verdict(&DesignPruning, "J5", &table(24, &easy));
    assert!(matches!(found.decision, Decision::Undecided { why } if why.contains("cannot tell")));
    let rule = |arm: &str, density: f64| of(&|_, _| 0.9, arm, density);
    let few = verdict(&DesignPruning, "J5", &table(10, &rule));
    assert!(matches!(few.decision, Decision::Undecided { .. }));
}

#[test]
fn a_smoke_run_has_every_arm_with_equal_counts_and_draws_its_figure() {
    let data = DataChoice::Digits;
    let table = compute_table(&DesignPruning, Scale::Smoke, 0, &data).unwrap();
    let plan = plan_at(Scale::Smoke);
    let density = nominal(&plan, 10);
    let mut kept = Vec::new();
    for arm in ARMS {
        let of_arm: Vec<_> = table.iter().filter(|r| r.text("arm").unwrap() == arm.name()).collect();
        assert_eq!(of_arm.len(), 2, "{}", arm.name());
        for record in of_arm {
            assert_eq!(record.real("density").unwrap(), density);
            if record.optional_real("test_accuracy").unwrap().is_some() {
                kept.push((record.integer("seed").unwrap(), record.integer("kept").unwrap()));
            } else {
                assert_eq!(arm, Arm::Pursuit);
            }
        }
    }
    assert!(kept.iter().all(|(_, k)| *k == kept[0].1));
    assert!(kept.len() >= 22);
    draw::draw(&table).unwrap().to_svg().unwrap();
}
