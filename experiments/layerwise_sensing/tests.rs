use super::super::comparison::tables::lines_of;
use super::claims::CLAIMS;
use super::planted::{FRACTIONS, GAUSSIAN, HIDDEN};
use super::*;
use ticketsense::data::DataChoice;
use ticketsense::harness::{Verdict, compute_table};

/// A table of accuracies by arm, and of planted rows that are found beyond so many samples per input.
fn table(seeds: usize, accuracy: &dyn Fn(&str) -> f64, gaussian: f64, hidden: f64) -> Table {
    let rule = |arm: &str, density: f64| match arm {
        DENSE => 0.97,
        RANDOM if density < 0.1 => 0.6,
        arm => accuracy(arm),
    };
    let mut lines = lines_of(seeds, 0.004, &ARMS, &[0.2, 0.05], &rule);
    for (kind, half) in [(GAUSSIAN, gaussian), (HIDDEN, hidden)] {
        for fraction in FRACTIONS {
            for step in 1..=20 {
                let ratio = f64::from(step) / 10.0;
                let probability = 1.0 / (1.0 + (-(ratio - half) * 12.0).exp());
                lines.push(
                    Line::new(PLANTED, 0, kind, fraction)
                        .with("samples", (100.0 * ratio) as usize)
                        .with("fan_in", 100usize)
                        .with("nonzeros", (100.0 * fraction) as usize)
                        .with("trials", 100usize)
                        .with("recovered", (100.0 * probability).round() as usize),
                );
            }
        }
    }
    let rows = lines.iter().map(|line| line.row(&COLUMNS).unwrap()).collect();
    Table::with_rows(&COLUMNS, rows).unwrap()
}

fn verdict(id: &str, table: &Table) -> Verdict {
    let claim = CLAIMS.iter().find(|claim| claim.id == id).unwrap();
    (claim.check)(table).unwrap()
}

fn decided(id: &str, table: &Table) -> &'static str {
    verdict(id, table).decision.as_str()
}

#[test]
fn the_samples_that_rows_need_decide_the_first_claim_both_ways() {
    let equal = |_: &str| 0.95;
    assert_eq!(decided("T4", &table(24, &equal, 0.6, 1.0)), "holds");
    assert_eq!(decided("T4", &table(24, &equal, 1.0, 0.6)), "fails");
    assert_eq!(decided("T4", &table(24, &equal, 0.8, 0.8)), "undecided");
    // Rows that are never found need more samples than there are.
    assert_eq!(decided("T4", &table(24, &equal, 0.6, 9.0)), "holds");
    assert_eq!(decided("T4", &table(24, &equal, 9.0, 9.0)), "undecided");
}

#[test]
fn masks_better_and_worse_than_their_shuffle_decide_the_second_claim() {
    let good = |arm: &str| if arm == SHUFFLED { 0.9 } else { 0.95 };
    let bad = |arm: &str| if arm == SHUFFLED { 0.95 } else { 0.9 };
    assert_eq!(decided("T5", &table(24, &good, 0.6, 1.0)), "holds");
    assert_eq!(decided("T5", &table(24, &bad, 0.6, 1.0)), "fails");
    assert_eq!(decided("T5", &table(24, &|_| 0.95, 0.6, 1.0)), "undecided");
    assert_eq!(decided("T5", &table(19, &good, 0.6, 1.0)), "undecided");
}

#[test]
fn masks_as_good_as_iterative_pruning_and_worse_ones_decide_the_third_claim() {
    let match_it = |arm: &str| if arm == SHUFFLED { 0.9 } else { 0.95 };
    let worse = |arm: &str| if arm == IMP { 0.96 } else { 0.92 };
    assert_eq!(decided("T6", &table(24, &match_it, 0.6, 1.0)), "holds");
    assert_eq!(decided("T6", &table(24, &worse, 0.6, 1.0)), "fails");
    assert_eq!(decided("T6", &table(19, &match_it, 0.6, 1.0)), "undecided");
}

#[test]
fn the_smoke_table_has_every_arm_and_every_kind_of_inputs() {
    let found = compute_table(&LayerwiseSensing, Scale::Smoke, 0, &DataChoice::Digits).unwrap();
    for arm in ARMS {
        assert!(found.iter().any(|r| r.text("arm").unwrap() == arm), "{arm}");
    }
    // Gaussian rows of a tenth of the inputs are found from three times as many samples as inputs.
    let sure = found.iter().filter(|r| {
        let kind = r.text("arm").unwrap() == GAUSSIAN && r.real("density").unwrap() == FRACTIONS[0];
        kind && r.real("samples").unwrap() >= 2.9 * r.real("fan_in").unwrap()
    });
    for row in sure {
        assert_eq!(row.integer("recovered").unwrap(), row.integer("trials").unwrap());
    }
    for claim in CLAIMS {
        assert!(!(claim.check)(&found).unwrap().hypotheses.is_empty(), "{}", claim.id);
    }
}
