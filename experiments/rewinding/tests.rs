use super::outcomes::Outcomes;
use super::*;
use ticketsense::data::DataChoice;
use ticketsense::harness::{Decision, Verdict, compute_table};

const STEPS: usize = 600;
const REWINDS: [usize; 3] = [0, 6, 120];
const ROUNDS: [usize; 3] = [2, 4, 6];
const NAMES: [&str; 3] = ["dense0.weight", "dense1.weight", "dense2.weight"];

/// Points lost against the dense network: (branch, round, rewind step).
type Rule<'a> = &'a dyn Fn(&str, usize, usize) -> f64;

/// Even noise between −1 and 1 that differs from branch to branch and seed to seed.
fn noise(branch: &str, round: usize, rewind: usize, seed: usize) -> f64 {
    let name: usize = branch.bytes().map(usize::from).sum();
    ((seed * 7 + name * 3 + round * 5 + rewind) % 11) as f64 / 5.0 - 1.0
}

/// A table of so many seeds: everything loses what the rule says, with noise of at most 0.3 points; shuffled masks are bad.
fn table_of(seeds: usize, rule: Rule<'_>) -> Table {
    let mut table = Table::new(COLUMNS);
    let mut add = |part: &str, seed: usize, branch: &str, round: usize, rewind: usize| {
        let lost = match branch {
            SHUFFLE => 20.0,
            _ => rule(branch, round, rewind),
        };
        // The pilots spread twice as far, so that the margin is wider than the intervals of differences.
        let spread = if part == PILOT { 0.006 } else { 0.003 };
        let accuracy = 0.97 - lost / 100.0 + spread * noise(branch, round, rewind, seed);
        let values = row![
            part,
            seed,
            rewind,
            rewind as f64 / STEPS as f64,
            round,
            branch,
            0.65_f64.powi(round as i32),
            accuracy,
            0.1,
            STEPS - rewind,
            "converged"
        ];
        table.push(values).unwrap();
    };
    for seed in 0..seeds {
        add(SWEEP, seed, DENSE, 0, 0);
        for rewind in REWINDS {
            for round in 1..=6 {
                add(SWEEP, seed, TICKET, round, rewind);
                if ROUNDS.contains(&round) {
                    add(SWEEP, seed, SHUFFLE, round, rewind);
                }
            }
        }
        add(LAYERS, seed, NONE, 6, 0);
        add(LAYERS, seed, ALL, 6, 120);
        NAMES.iter().for_each(|name| add(LAYERS, seed, name, 6, 120));
        add(PILOT, FIRST_PILOT + seed, DENSE, 0, 0);
    }
    table
}

fn verdict(id: &str, table: &Table) -> Verdict {
    let claim = claims::CLAIMS.iter().find(|claim| claim.id == id).unwrap();
    let verdict = (claim.check)(table).unwrap();
    assert!(!verdict.hypotheses.is_empty());
    verdict
}

fn why(verdict: Verdict) -> String {
    match verdict.decision {
        Decision::Undecided { why } => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn gains_are_named_by_step_and_density() {
    let late = verdict(
        "A6",
        &table_of(24, &|branch, round, rewind| match (branch, round) {
            (TICKET, 4..) if rewind < 120 => 3.0,
            (TICKET, 4..) => 1.0,
            _ => 0.0,
        }),
    );
    match &late.decision {
        Decision::HoldsUnder { condition } => {
            assert_eq!(condition, "rewound to 20 % at densities 0.179, 0.075");
        }
        other => panic!("{other:?}"),
    }
    assert!((late.statistic.1 - 0.02).abs() < 0.002, "{}", late.statistic.1);
}

#[test]
fn where_something_is_lost_and_no_gain_is_possible_rewinding_is_refuted() {
    let flat = |branch: &str, round: usize, _: usize| if branch == TICKET && round > 3 { 3.0 } else { 0.0 };
    assert_eq!(verdict("A6", &table_of(24, &flat)).decision, Decision::Fails);
    let harmful = |branch: &str, round: usize, rewind: usize| match branch {
        TICKET if round > 3 && rewind == 120 => 5.0,
        TICKET if round > 3 => 3.0,
        _ => 0.0,
    };
    let verdict = verdict("A6", &table_of(24, &harmful));
    assert_eq!(verdict.decision, Decision::Fails);
    assert!(
        verdict.evidence.contains("losses for: 20 % at densities 0.179, 0.075"),
        "{}",
        verdict.evidence
    );
}

#[test]
fn a_task_on_which_nothing_is_lost_is_too_easy() {
    let why = why(verdict("A6", &table_of(24, &|_, _, _| 0.0)));
    assert!(why.contains("too easy"), "{why}");
}

#[test]
fn gains_within_wide_intervals_are_left_open() {
    // Half of the seeds gain four points, the others lose as many: the mean is flat, and known to a point and a half.
    let table = table_of(24, &|branch, round, _| {
        if branch == TICKET && round > 3 { 3.0 } else { 0.0 }
    });
    let (accuracy, seed) = (
        table.position("test_accuracy").unwrap(),
        table.position("seed").unwrap(),
    );
    let (branch, rewind) = (
        table.position("branch").unwrap(),
        table.position("rewind_step").unwrap(),
    );
    let mut rows = table.rows().to_vec();
    for row in &mut rows {
        if row.0[branch] == TICKET.into() && row.0[rewind] == 120.into() {
            let up = matches!(row.0[seed], ticketsense::table::Value::Integer(number) if number % 2 == 0);
            if let ticketsense::table::Value::Real(value) = &mut row.0[accuracy] {
                *value += if up { 0.04 } else { -0.04 };
            }
        }
    }
    let open = why(verdict("A6", &Table::with_rows(COLUMNS, rows).unwrap()));
    assert!(open.contains("not excluded"), "{open}");
}

#[test]
fn too_few_seeds_or_a_task_that_shuffled_masks_solve_decide_nothing() {
    let few = table_of(19, &|branch, _, rewind| {
        if branch == TICKET && rewind == 0 { 9.0 } else { 0.0 }
    });
    let table = table_of(24, &|_, _, _| 0.0);
    let (accuracy, branch) = (
        table.position("test_accuracy").unwrap(),
        table.position("branch").unwrap(),
    );
    let mut rows = table.rows().to_vec();
    for row in rows.iter_mut().filter(|row| row.0[branch] == SHUFFLE.into()) {
        row.0[accuracy] = 0.97.into();
    }
    let easy = Table::with_rows(COLUMNS, rows).unwrap();
    for id in ["A6", "A7"] {
        assert!(why(verdict(id, &few)).contains("of 20 needed"));
        assert!(why(verdict(id, &easy)).contains("cannot tell"));
    }
}

#[test]
fn layers_differ_only_when_they_are_compared_with_one_another() {
    let differ = verdict(
        "A7",
        &table_of(24, &|branch, _, _| match branch {
            NONE | "dense0.weight" | "dense2.weight" => 2.0,
            _ => 0.0,
        }),
    );
    match &differ.decision {
        Decision::HoldsUnder { condition } => {
            assert!(
                condition.ends_with("dense1 above dense0, dense1 above dense2"),
                "{condition}"
            );
        }
        other => panic!("{other:?}"),
    }
    // Every layer gains, and all the same: that layers gain is no difference between them.
    let alike = verdict(
        "A7",
        &table_of(24, &|branch, _, _| if branch == NONE { 2.0 } else { 0.0 }),
    );
    assert_eq!(alike.decision, Decision::Fails);
    assert_eq!(alike.evidence.matches("(shown)").count(), 3, "{}", alike.evidence);
    // Nothing gains: layers that all do nothing are no evidence that layers are alike.
    let idle = why(verdict("A7", &table_of(24, &|_, _, _| 0.0)));
    assert!(idle.contains("nothing to share out"), "{idle}");
    // Apart by less than any test shows, and by more than the margin excludes.
    let margin = Outcomes::read(&table_of(24, &|_, _, _| 0.0))
        .unwrap()
        .margin()
        .unwrap()
        .margin();
    assert!(margin < 0.006);
    let table = table_of(24, &|_, _, _| 0.0);
    let (accuracy, seed) = (
        table.position("test_accuracy").unwrap(),
        table.position("seed").unwrap(),
    );
    let branch = table.position("branch").unwrap();
    let mut rows = table.rows().to_vec();
    for row in rows.iter_mut().filter(|row| row.0[branch] == NAMES[0].into()) {
        let up = matches!(row.0[seed], ticketsense::table::Value::Integer(number) if number % 2 == 0);
        row.0[accuracy] = if up { 0.99 } else { 0.95 }.into();
    }
    let open = why(verdict("A7", &Table::with_rows(COLUMNS, rows).unwrap()));
    assert!(open.contains("not excluded"), "{open}");
}

#[test]
fn a_branch_without_one_of_the_seeds_is_refused() {
    let table = table_of(24, &|_, _, _| 0.0);
    let mut rows = table.rows().to_vec();
    rows.remove(1);
    let cut = Table::with_rows(COLUMNS, rows).unwrap();
    assert!(Outcomes::read(&cut).unwrap_err().to_string().contains("branch ticket"));
}

#[test]
fn only_the_slots_of_one_layer_are_taken_from_the_later_weights() {
    let network = Network::preset("mlp:3-2", 2, 2).unwrap();
    let length = network.layout().len();
    let (initial, later) = (vec![0.0; length], vec![1.0; length]);
    for layer in 0..3 {
        let values = with_layer(&network, layer, &initial, &later);
        for slot in network.layout().slots() {
            let expected = if slot.layer == layer { 1.0 } else { 0.0 };
            assert!(
                values[slot.range.clone()].iter().all(|v| *v == expected),
                "{}",
                slot.name
            );
        }
        // A layer is its weights and its biases.
        let taken = values.iter().filter(|v| **v == 1.0).count();
        assert_eq!(taken, [2 * 3 + 3, 3 * 2 + 2, 2 * 2 + 2][layer]);
    }
}

#[test]
fn the_rewind_steps_of_every_scale_are_distinct_and_pilots_stand_apart() {
    for scale in Scale::ALL {
        let steps: Vec<usize> = FRACTIONS.iter().map(|&t| rewind_step(scale, t)).collect();
        assert!(steps.windows(2).all(|pair| pair[0] < pair[1]), "{steps:?}");
        assert_eq!(layer_case(scale).1, steps[4]);
        assert!(compared_rounds(scale).contains(&layer_case(scale).0));
        for cell in Rewinding.cells(scale) {
            let pilot = cell.text("part").unwrap() == PILOT;
            assert_eq!(cell.integer("seed").unwrap() >= FIRST_PILOT, pilot);
        }
    }
}

#[test]
fn the_smoke_table_has_every_branch_and_rewinding_to_zero_is_the_ticket_itself() {
    let table = compute_table(&Rewinding, Scale::Smoke, 0, &DataChoice::Digits).unwrap();
    let (rounds, compared, layers) = (plan(Scale::Smoke, 0).rounds, compared_rounds(Scale::Smoke).len(), 5);
    let of_seed = 1 + FRACTIONS.len() * (rounds + compared) + 2 + layers;
    assert_eq!(table.len(), 2 * of_seed + 3);
    let outcomes = Outcomes::read(&table).unwrap();
    assert_eq!(outcomes.layer_names().len(), layers);
    let zero = outcomes::Case { round: 4, rewind: 0 };
    let none: Vec<f64> = table
        .filter(|r| r.text("branch").is_ok_and(|branch| branch == NONE))
        .map(|r| r.real("test_accuracy").unwrap())
        .collect();
    assert_eq!(outcomes.accuracies(TICKET, zero).unwrap(), none);
    for record in table.iter() {
        let trained = record.integer("steps").unwrap() + record.integer("rewind_step").unwrap();
        assert_eq!(trained as usize, plan(Scale::Smoke, 0).training.steps);
    }
    for claim in claims::CLAIMS {
        assert_eq!(
            (claim.check)(&table).unwrap().decision.as_str(),
            "undecided",
            "{}",
            claim.id
        );
    }
}
