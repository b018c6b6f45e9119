use super::claims::CLAIMS;
use super::*;
use ticketsense::data::DataChoice;
use ticketsense::harness::{Verdict, compute_table};

/// Tables of so many seeds, with overlap, gap in accuracy and instability at the first and the last step.
fn table(seeds: usize, overlap: [f64; 2], gap: [f64; 2], barrier: [f64; 2]) -> Table {
    let mut rows = Vec::new();
    for seed in 0..seeds {
        for (place, fraction) in [FRACTIONS[0], FRACTIONS[3]].into_iter().enumerate() {
            // Noise of mean near zero that differs between the steps.
            let noise = ((seed * (3 + 2 * place)) % 7) as f64 / 3.0 - 1.0;
            let at = |arm: &str| {
                Line::new(MAIN, seed, arm, 0.1)
                    .with("step", (600.0 * fraction) as usize)
                    .with("fraction", fraction)
                    .with("kept", 600usize)
            };
            rows.push(
                at(TICKET)
                    .with("test_accuracy", 0.95)
                    .with("ticket_barrier", barrier[place] + 0.01 * noise),
            );
            let shared = 60.0 + (540.0 * (overlap[place] + 0.01 * noise)).round();
            rows.push(
                at(RECOVERED)
                    .with("test_accuracy", 0.95 - gap[place] - 0.01 * noise)
                    .with("overlap", shared as usize)
                    .with("chance", 60.0),
            );
        }
    }
    let rows = rows.iter().map(|line| line.row(&COLUMNS).unwrap()).collect();
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
fn an_overlap_that_grows_or_falls_decides_the_first_claim() {
    let with = |overlap| table(20, overlap, [0.1; 2], [0.1; 2]);
    assert_eq!(decided("T7", &with([0.2, 0.4])), "holds");
    assert_eq!(decided("T7", &with([0.4, 0.2])), "fails");
    assert_eq!(decided("T7", &with([0.3, 0.3])), "undecided");
    assert_eq!(decided("T7", &table(19, [0.2, 0.4], [0.1; 2], [0.1; 2])), "undecided");
}

#[test]
fn a_gap_that_closes_with_the_instability_or_without_decides_the_second_claim() {
    let with = |gap, barrier| table(20, [0.2; 2], gap, barrier);
    assert_eq!(decided("T8", &with([0.2, 0.1], [0.2, 0.0])), "holds");
    assert_eq!(decided("T8", &with([0.1, 0.1], [0.2, 0.0])), "fails");
    assert_eq!(decided("T8", &with([0.2, 0.1], [0.1, 0.1])), "undecided");
    assert_eq!(decided("T8", &table(19, [0.2; 2], [0.2, 0.1], [0.2, 0.0])), "undecided");
}

#[test]
fn the_smoke_table_has_four_arms_at_every_step() {
    let found = compute_table(&JacobianOverTraining, Scale::Smoke, 0, &DataChoice::Digits).unwrap();
    assert_eq!(found.len(), 2 * FRACTIONS.len() * 4);
    for r in found.iter().filter(|r| r.text("arm").unwrap() == DENSE) {
        let cosine = r.real("largest_cosine").unwrap();
        assert!((0.0..=1.0).contains(&cosine) && r.real("kernel_rank").unwrap() > 1.0);
    }
    for claim in CLAIMS {
        assert_eq!((claim.check)(&found).unwrap().decision.as_str(), "undecided");
    }
}
