use super::super::comparison::tables::{Rule, lines_of};
use super::super::comparison::{DENSE, Line, Outcomes};
use super::super::doctoring::{doctored, is, only, verdict};
use super::noise::{REINIT, TICKET, arm};
use super::signs::SELECTIONS;
use super::*;
use ticketsense::data::DataChoice;
use ticketsense::harness::{Decision, compute_table};
use ticketsense::pruning::Control;
use ticketsense::table::Value;

const DENSITIES: [f64; 2] = [0.2, 0.05];
const SIZES: [f64; 2] = [0.1, 1.0];

fn table_of_lines(lines: &[Line]) -> Table {
    let rows = lines.iter().map(|line| line.row(COLUMNS).unwrap());
    Table::with_rows(COLUMNS, rows.collect()).unwrap()
}

/// Accuracies of a rule that is told the arm and the density.
fn noise_table(seeds: usize, rule: Rule<'_>) -> Table {
    let controls = |tau| [Control::Noise(tau), Control::NoiseKeepingSigns(tau)];
    let mut names = vec![TICKET.to_string(), REINIT.to_string()];
    names.extend(SIZES.into_iter().flat_map(controls).map(|control| arm(TICKET, control)));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut lines = lines_of(seeds, 0.003, &names, &DENSITIES, rule);
    for tau in SIZES {
        let name = arm(DENSE, Control::Noise(tau));
        let noisy = lines_of(seeds, 0.003, &[&name], &[1.0], rule);
        // Dense rows and pilots are there already.
        lines.extend(noisy.into_iter().skip(1).step_by(3));
    }
    let table = table_of_lines(&lines);
    // Sizes and flips of every noise, in the place of the empty ones.
    let mut noisy = table;
    for tau in SIZES {
        let suffix = format!(":{tau}");
        let of = |record: &ticketsense::table::Record<'_>| record.text("arm").unwrap().ends_with(&suffix);
        noisy = doctored(&noisy, "tau", |_| Value::Real(tau), of);
        noisy = doctored(&noisy, "flipped", |_| Value::Real(0.03), of);
    }
    noisy
}

/// Fresh values are bad; noisy arms lose what the closure says, everything else nothing.
fn rule(lost: impl Fn(&str, f64) -> f64) -> impl Fn(&str, f64) -> f64 {
    move |arm, density| match arm {
        REINIT => 0.6,
        _ => 0.97 - lost(arm, density),
    }
}

fn decision(id: &str, table: &Table) -> Decision {
    verdict(&TicketFragility, id, table).decision
}

#[test]
fn tiny_noise_that_costs_nothing_refutes_fragility_whatever_large_noise_does() {
    let robust = rule(|arm, _| if arm.ends_with(":1") { 0.2 } else { 0.0 });
    let verdict = verdict(&TicketFragility, "A8", &noise_table(24, &robust));
    assert_eq!(verdict.decision, Decision::Fails);
    assert!(
        verdict
            .evidence
            .contains("A loss is shown for: τ = 1 at density 0.200, τ = 1 at density 0.050."),
        "{}",
        verdict.evidence
    );
}

#[test]
fn fragility_is_more_than_what_the_dense_network_loses() {
    let fragile = rule(|arm, _| if arm == "imp noise:0.1" { 0.03 } else { 0.0 });
    assert_eq!(decision("A8", &noise_table(24, &fragile)), Decision::Holds);
    let late = rule(|arm, density| {
        if arm == "imp noise:0.1" && density < 0.1 {
            0.03
        } else {
            0.0
        }
    });
    match decision("A8", &noise_table(24, &late)) {
        Decision::HoldsUnder { condition } => assert_eq!(condition, "τ = 0.1 at density 0.050"),
        other => panic!("{other:?}"),
    }
    // All networks lose alike: the ticket is no more fragile than the dense network, and neither is robust.
    let alike = rule(|arm, _| if arm.ends_with("noise:0.1") { 0.03 } else { 0.0 });
    assert_eq!(decision("A8", &noise_table(24, &alike)).as_str(), "undecided");
}

#[test]
fn few_seeds_or_a_task_on_which_fresh_values_do_as_well_decide_nothing() {
    let robust = rule(|_, _| 0.0);
    assert_eq!(decision("A8", &noise_table(19, &robust)).as_str(), "undecided");
    assert_eq!(decision("A8", &noise_table(24, &|_, _| 0.97)).as_str(), "undecided");
}

/// Agreements over the nulls: Gaussian, permuted, within inputs.
fn sign_table(networks: usize, excess: impl Fn(f64) -> [f64; 3]) -> Table {
    let mut lines = Vec::new();
    for seed in 0..networks {
        for density in DENSITIES {
            for selection in SELECTIONS {
                let spread = 0.002 * ((seed * 5 % 7) as f64 - 3.0);
                let [gaussian, permuted, within] = excess(density);
                lines.push(
                    Line::new(SIGNS, seed, TICKET, density)
                        .with("selection", selection)
                        .with("correlation", 0.6)
                        .with("agreement_kept", 0.9 + spread)
                        .with("agreement_pruned", 0.6)
                        .with("null_kept", 0.9 - gaussian)
                        .with("null_pruned", 0.6)
                        .with("null_permuted", 0.9 - permuted)
                        .with("null_by_input", 0.9 - within),
                );
            }
        }
    }
    table_of_lines(&lines)
}

#[test]
fn agreement_is_judged_by_its_excess_over_every_null() {
    assert_eq!(decision("A9", &sign_table(24, |_| [0.02; 3])), Decision::Holds);
    // Agreement of nine in ten, and no more than selection alone gives.
    assert_eq!(decision("A9", &sign_table(24, |_| [-0.02, 0.0, 0.02])), Decision::Fails);
    for (table, words) in [
        (
            sign_table(24, |d| [if d < 0.1 { 0.02 } else { 0.0 }; 3]),
            "densities 0.050, against all three",
        ),
        (sign_table(24, |_| [0.02, 0.02, -0.02]), "against Gaussian steps alone"),
    ] {
        match decision("A9", &table) {
            Decision::HoldsUnder { condition } => assert!(condition.contains(words), "{condition}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(decision("A9", &sign_table(24, |_| [0.0; 3])).as_str(), "undecided");
    assert_eq!(decision("A9", &sign_table(19, |_| [0.02; 3])).as_str(), "undecided");
}

#[test]
fn the_smoke_table_has_every_part_and_luck_is_judged_by_its_counts() {
    let table = compute_table(&TicketFragility, Scale::Smoke, 0, &DataChoice::Digits).unwrap();
    let outcomes = Outcomes::read(&table).unwrap();
    assert_eq!(outcomes.densities(TICKET).len(), 1);
    assert_eq!(
        outcomes
            .accuracies(&arm(DENSE, Control::Noise(3.0)), 1.0)
            .unwrap()
            .len(),
        2
    );
    for record in table.iter().filter(|r| is(r, "part", SIGNS)) {
        for column in ["agreement_kept", "null_kept", "null_permuted", "null_by_input"] {
            assert!((0.5..=1.0).contains(&record.real(column).unwrap()), "{column}");
        }
    }
    for id in ["A8", "A9", "A10"] {
        assert_eq!(decision(id, &table).as_str(), "undecided", "{id}");
    }
    // The same frequencies of fifty times as many draws.
    let luck = only(&table, |r| is(r, "part", LUCKY));
    let times = |column: &'static str| {
        move |r: &ticketsense::table::Record<'_>| Value::Integer(50 * r.integer(column).unwrap())
    };
    let exact = |table: &Table| {
        let expected = |r: &ticketsense::table::Record<'_>| {
            Value::Integer((r.real("expected").unwrap() * r.integer("trials").unwrap() as f64).round() as i64)
        };
        doctored(table, "successes", expected, |_| true)
    };
    let many = exact(&doctored(&luck, "trials", times("trials"), |_| true));
    assert_eq!(decision("A10", &many), Decision::Holds);
    let signed = doctored(
        &many,
        "successes",
        |_| Value::Integer(900_000),
        |r| is(r, "law", "correlated") && is(r, "case", "signed"),
    );
    assert_eq!(decision("A10", &signed).as_str(), "holds-under");
    let wrong = doctored(
        &many,
        "successes",
        |_| Value::Integer(500_000),
        |r| is(r, "case", "own pools"),
    );
    assert_eq!(decision("A10", &wrong), Decision::Fails);
    // Were supports independent chances, that formula would fit.
    let as_if = |r: &ticketsense::table::Record<'_>| {
        Value::Integer((r.real("as_if_independent").unwrap() * 1e6).round() as i64)
    };
    let independent = doctored(&many, "successes", as_if, |r| is(r, "case", "largest"));
    assert_eq!(decision("A10", &independent), Decision::Fails);
}
