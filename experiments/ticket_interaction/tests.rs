use super::super::doctoring::{is, verdict};
use super::crossed::{Designs, MASK_VALUES, by_batch};
use super::*;
use ticketsense::data::DataChoice;
use ticketsense::harness::{Decision, compute_table};

/// Even noise between −1 and 1, unrelated from number to number (the finaliser of splitmix64).
fn noise(number: usize) -> f64 {
    let mut mixed = (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^= mixed >> 31;
    ((mixed >> 40) as f64 / f64::from(1 << 23)) - 1.0
}

/// Blocks at two densities with accuracies of a rule of density, block, mask, values and order.
fn table_of(blocks: usize, rule: impl Fn(f64, usize, [usize; 3]) -> f64) -> Table {
    let mut rows = Vec::new();
    for density in [0.2, 0.05] {
        for block in 0..blocks {
            for place in 0..27 {
                let levels = [place / 9, place / 3 % 3, place % 3];
                let line = Line::new(CROSSED, block * 3 + levels[0], TICKET, density)
                    .with("test_accuracy", rule(density, block, levels))
                    .with("block", block)
                    .with("mask", levels[0])
                    .with("values", levels[1])
                    .with("order", levels[2]);
                rows.push(line.row(COLUMNS).unwrap());
            }
        }
        for seed in 0..blocks {
            for batch in [10_usize, 30] {
                let line = Line::new(BATCH, seed, TICKET, density)
                    .with("test_accuracy", 0.9 + 0.01 * noise(seed))
                    .with("batch", batch);
                rows.push(line.row(COLUMNS).unwrap());
            }
        }
    }
    Table::with_rows(COLUMNS, rows).unwrap()
}

fn residual(density: f64, block: usize, levels: [usize; 3]) -> f64 {
    let place = (levels[0] * 3 + levels[1]) * 3 + levels[2];
    0.01 * noise(place + 27 * block + if density < 0.1 { 10_000 } else { 0 })
}

fn decision(table: &Table) -> Decision {
    verdict(&TicketInteraction, "A15", table).decision
}

#[test]
fn matched_pairs_that_do_better_are_an_interaction() {
    let matched = |gain: f64| {
        move |d: f64, b: usize, l: [usize; 3]| 0.9 + residual(d, b, l) + if l[0] == l[1] { gain } else { 0.0 }
    };
    let table = table_of(24, matched(0.05));
    assert_eq!(decision(&table), Decision::Holds);
    for design in Designs::read(&table).unwrap() {
        let gains = design.gains(0);
        let mean = gains.iter().sum::<f64>() / gains.len() as f64;
        assert!((mean - 0.05).abs() < 0.003, "{mean}");
        // A gain in a third of the combinations has variance 2δ²/9, beside residuals of 0.01²/3.
        let expected = 0.0025 * 2.0 / 9.0 / (0.0025 * 2.0 / 9.0 + 1e-4 / 3.0);
        let all: Vec<usize> = (0..24).collect();
        assert!((design.share(&MASK_VALUES[..1], &all) - expected).abs() < 0.02);
        for part in [0, 1, 3, 4, 5, 6] {
            assert!(design.share(&[part], &all).abs() < 0.02, "{part}");
        }
    }
    let late = table_of(24, |d, b, l| matched(if d < 0.1 { 0.05 } else { 0.0 })(d, b, l));
    match decision(&late) {
        Decision::HoldsUnder { condition } => assert_eq!(condition, "density 0.050"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn good_masks_and_lucky_values_that_only_add_up_refute_an_interaction() {
    let additive = |d: f64, b: usize, l: [usize; 3]| {
        0.9 + 0.05 * noise(3 * b + l[0]) + 0.05 * noise(500 + 3 * b + l[1]) + 0.3 * residual(d, b, l)
    };
    assert_eq!(decision(&table_of(24, additive)), Decision::Fails);
    assert_eq!(decision(&table_of(19, additive)).as_str(), "undecided");
    // Nothing but residuals: the share of zero is known to about a tenth, so either of these may be said, and nothing else.
    let said = decision(&table_of(24, |d, b, l| 0.9 + residual(d, b, l)));
    assert!(matches!(said, Decision::Undecided { .. } | Decision::Fails), "{said:?}");
}

#[test]
fn the_smoke_table_has_every_combination_once_and_the_diagonal_is_the_ticket() {
    let table = compute_table(&TicketInteraction, Scale::Smoke, 0, &DataChoice::Digits).unwrap();
    assert_eq!(table.len(), 2 * 2 * 27 + 2 * 3 * 2);
    assert_eq!(by_batch(&table).unwrap().len(), 3);
    assert!(
        Designs::read(&table)
            .unwrap()
            .iter()
            .all(|design| design.blocks.len() == 2)
    );
    // The rate of the smoke scale is that of the runs, so that matched combinations are the tickets of the runs.
    let batches = by_batch(&table).unwrap();
    assert!(
        batches
            .iter()
            .all(|(_, of)| of.iter().all(|(_, values)| values.len() == 2))
    );
    let missing: Vec<_> = table.rows().iter().skip(1).cloned().collect();
    assert!(Designs::read(&Table::with_rows(COLUMNS, missing).unwrap()).is_err());
    assert!(table.iter().all(|r| is(&r, "status", "converged")));
    assert_eq!(decision(&table).as_str(), "undecided");
}
