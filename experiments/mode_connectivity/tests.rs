use super::super::comparison::tables::{lines_of, noise};
use super::super::doctoring::{is, only, verdict};
use super::outcomes::{Case, Copies, Shown};
use super::*;
use ticketsense::data::DataChoice;
use ticketsense::harness::{Decision, Verdict, compute_table};

/// The learning rate of doctored tables.
const RATE: f64 = 3e-3;
const STEPS: [usize; 3] = [0, 30, 120];
const ROUND_DENSITIES: [(usize, f64); 4] = [(2, 0.43), (4, 0.19), (6, 0.09), (8, 0.04)];

/// Points of a case: what the ticket loses against the dense network, and its instability.
type Rule<'a> = &'a dyn Fn(usize, usize) -> (f64, f64);

/// A table of so many seeds with noise of at most 0.3 points in everything; shuffled masks are bad.
fn table_of(seeds: usize, rule: Rule<'_>) -> Table {
    let densities = ROUND_DENSITIES.map(|(_, density)| density);
    let round_of = |density: f64| {
        ROUND_DENSITIES
            .iter()
            .find(|(_, d)| *d == density)
            .map_or(0, |(r, _)| *r)
    };
    let names = STEPS.map(arm_of);
    let arms: Vec<&str> = names.iter().map(String::as_str).collect();
    let accuracy = |arm: &str, density: f64| {
        let step = STEPS.into_iter().find(|step| arm == arm_of(*step));
        0.97 - step.map_or(0.0, |step| rule(round_of(density), step).0 / 100.0)
    };
    let mut lines = lines_of(seeds, 0.003, &arms, &densities, &accuracy);
    for seed in 0..seeds {
        for density in densities {
            let accuracy = 0.7 + 0.003 * noise(SHUFFLE, density, seed);
            let bad = Line::new(MAIN, seed, SHUFFLE, density).with("test_accuracy", accuracy);
            lines.push(bad.with("status", "converged").with("learning_rate", RATE));
        }
        for step in STEPS {
            for (round, density) in std::iter::once((0, 1.0)).chain(ROUND_DENSITIES) {
                let arm = if round == 0 { DENSE } else { TICKET };
                let barrier = (rule(round, step).1 + 0.3 * noise(arm, density, seed + step)).max(0.0) / 100.0;
                let line = Line::new(BARRIER, seed, arm, density)
                    .with("round", round)
                    .with("rewind_step", step)
                    .with("rewind_fraction", step as f64 / 600.0);
                let line = line.with("test_barrier", barrier).with("training_barrier", barrier);
                lines.push(
                    line.with("loss_barrier", barrier)
                        .with("status", "converged")
                        .with("learning_rate", RATE),
                );
            }
        }
    }
    let rows = lines.iter().map(|line| line.row(COLUMNS).unwrap());
    Table::with_rows(COLUMNS, rows.collect()).unwrap()
}

fn judged(table: &Table) -> Verdict {
    verdict(&ModeConnectivity, "A13", table)
}

fn why(table: &Table) -> String {
    match judged(table).decision {
        Decision::Undecided { why } => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn tickets_that_match_exactly_where_they_are_stable_bear_the_claim_out() {
    // Stability comes with t at every density, and matching with it.
    let found = judged(&table_of(24, &|_, step| {
        if step < 120 { (4.0, 9.0) } else { (0.0, 0.5) }
    }));
    assert_eq!(found.decision, Decision::Holds, "{}", found.evidence);
    assert!(found.evidence.contains("stable and matching 4"), "{}", found.evidence);
    assert!(found.evidence.contains("neither 8"), "{}", found.evidence);
    // Fisher: 4 of 4 against 0 of 8: 1/C(12,4).
    assert!((found.statistic.1 - 1.0 / 495.0).abs() < 1e-12);
}

#[test]
fn a_table_that_density_explains_holds_across_densities_only() {
    let found = judged(&table_of(24, &|round, _| {
        if round > 4 { (4.0, 9.0) } else { (0.0, 0.5) }
    }));
    match &found.decision {
        Decision::HoldsUnder { condition } => assert!(condition.starts_with("across densities"), "{condition}"),
        other => panic!("{other:?}: {}", found.evidence),
    }
}

#[test]
fn unstable_tickets_that_match_make_it_a_tendency_or_refute_it() {
    let some = judged(&table_of(24, &|round, step| match (round, step) {
        (2, 0) => (0.0, 9.0),
        (_, 0..120) => (4.0, 9.0),
        _ => (0.0, 0.5),
    }));
    match &some.decision {
        Decision::HoldsUnder { condition } => {
            assert!(condition.starts_with("as a tendency: 1 unstable"), "{condition}")
        }
        other => panic!("{other:?}"),
    }
    // Matching has nothing to do with stability.
    let none = judged(&table_of(24, &|round, step| {
        (if round > 4 { 4.0 } else { 0.0 }, if step < 120 { 9.0 } else { 0.5 })
    }));
    assert_eq!(none.decision, Decision::Fails, "{}", none.evidence);
    assert!(
        none.counterexample
            .unwrap()
            .contains("at rate 0.003: instability 9.0 points")
    );
    // Nor where all unstable tickets match and half of the stable ones do not.
    let easy = judged(&table_of(24, &|round, step| match (round, step) {
        (_, 0) => (0.0, 9.0),
        (6.., _) => (4.0, 0.5),
        _ => (0.0, 0.5),
    }));
    assert_eq!(easy.decision, Decision::Fails, "{}", easy.evidence);
}

#[test]
fn nothing_is_decided_where_all_cases_are_alike_or_seeds_are_few() {
    assert!(why(&table_of(24, &|_, _| (0.0, 0.5))).contains("no case is shown to be unstable"));
    assert!(why(&table_of(24, &|_, _| (0.0, 9.0))).contains("no case is shown to be stable"));
    assert!(why(&table_of(24, &|_, s| (4.0, if s > 0 { 0.5 } else { 9.0 }))).contains("no case is shown to match"));
    assert!(
        why(&table_of(24, &|_, s| (4.0 * f64::from(u8::from(s == 0)), 9.0))).contains("no case is shown to be stable")
    );
    assert!(why(&table_of(19, &|_, _| (0.0, 9.0))).contains("of 20 needed"));
}

#[test]
fn a_case_whose_interval_holds_the_threshold_is_open() {
    let table = table_of(24, &|_, _| (0.0, 2.0));
    let copies = Copies::read(&table, RATE).unwrap();
    let case = Case { round: 4, step: 30 };
    assert_eq!(copies.stable(case).unwrap(), Shown::Open);
    let margin = copies.outcomes.margin().unwrap();
    assert_eq!(copies.matching(case, &margin).unwrap(), Shown::Yes);
    assert_eq!(copies.tickets().len(), 12);
    assert_eq!(copies.percent(30), "5 %");
}

#[test]
fn rates_of_matching_are_compared_within_each_seed() {
    let table = table_of(24, &|_, step| if step < 120 { (4.0, 9.0) } else { (0.0, 0.5) });
    let copies = Copies::read(&table, RATE).unwrap();
    let margin = copies.outcomes.margin().unwrap().margin();
    let differences = copies.by_seed(&copies.tickets(), margin).unwrap();
    assert_eq!(differences.len(), 24);
    // Single tickets miss their own dense network by the noise of both; on average the rule shows.
    assert!(differences.iter().sum::<f64>() / 24.0 > 0.5, "{differences:?}");
    let early: Vec<Case> = copies.tickets().into_iter().filter(|case| case.step < 120).collect();
    assert!(copies.by_seed(&early, margin).unwrap().is_empty());
}

#[test]
fn the_smoke_table_has_every_case_and_paths_begin_and_end_at_the_copies() {
    let table = compute_table(&ModeConnectivity, Scale::Smoke, 0, &DataChoice::Digits).unwrap();
    let of_part = |part: &str| table.filter(|r| is(r, "part", part)).count();
    let (steps, rounds) = (rewinding::FRACTIONS.len(), rounds(Scale::Smoke).len());
    assert_eq!(of_part(MAIN), 2 * (1 + steps * rounds + rounds));
    assert_eq!((of_part(BARRIER), of_part(PILOT)), (2 * steps * (1 + rounds), 2));
    assert_eq!(of_part(PATH), 2 * steps * POINTS);
    for record in table.filter(|r| is(r, "part", BARRIER)) {
        let test = record.real("test_barrier").unwrap();
        assert!((0.0..1.0).contains(&test));
        assert!(record.real("loss_barrier").unwrap() >= 0.0);
    }
    let of_seed = only(&table, |r| is(r, "part", PATH) && r.integer("seed").unwrap() == 1);
    let second = only(&table, |r| !is(r, "part", PATH) || r.integer("seed").unwrap() == 1);
    let first = Copies::read(&second, rates(Scale::Smoke)[0]).unwrap();
    assert_eq!(first.path(Case { round: 0, step: 0 }).len(), POINTS);
    // The ends of a path of test errors have the mean accuracy of the copies.
    for record in table.filter(|r| is(r, "part", BARRIER) && is(r, "arm", DENSE) && r.integer("seed").unwrap() == 1) {
        let case = Case {
            round: record.integer("round").unwrap(),
            step: record.integer("rewind_step").unwrap(),
        };
        let path = first.path(case);
        let ends = 0.5 * (path[0].2 + path[POINTS - 1].2);
        assert!((1.0 - ends - record.real("copies_accuracy").unwrap()).abs() < 1e-12);
    }
    assert_eq!(of_seed.len(), steps * POINTS);
    assert_eq!(judged(&table).decision.as_str(), "undecided");
}
