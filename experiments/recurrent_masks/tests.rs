use super::super::comparison::tables::{Rule, lines_of};
use super::super::doctoring::{doctored, doctored_once, is, only, verdict};
use super::*;
use ticketsense::data::DataChoice;
use ticketsense::harness::{Decision, compute_table};
use ticketsense::table::{Record, Value};

fn smoke() -> Table {
    compute_table(&RecurrentMasks, Scale::Smoke, 0, &DataChoice::Digits).unwrap()
}

fn decision(id: &str, table: &Table) -> Decision {
    verdict(&RecurrentMasks, id, table).decision
}

/// Trained rows with the accuracies of a rule. The tied network keeps as many weights at 0.4 and 0.2 as the untied one at
/// 0.05 and 0.025.
fn trained(seeds: usize, rule: Rule<'_>) -> Table {
    let names: Vec<String> = [(TIED, "imp"), (TIED, "random"), (UNTIED, "imp"), (UNTIED, "random")]
        .map(|(cell, kind)| trained::arm(cell, kind))
        .to_vec();
    let arms: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut lines = lines_of(seeds, 0.003, &arms, &[0.4, 0.2, 0.05, 0.025], rule);
    // The dense untied network stands beside the dense tied one.
    let of_untied = lines_of(seeds, 0.003, &["untied dense"], &[1.0], rule);
    lines.extend(of_untied);
    let rows = lines
        .into_iter()
        .map(|line| line.with("lasts", 1).row(COLUMNS).unwrap());
    let table = Table::with_rows(COLUMNS, rows.collect()).unwrap();
    let seen = std::cell::RefCell::new(std::collections::BTreeSet::new());
    let fits = |r: &Record<'_>| {
        let (arm, density) = (r.text("arm").unwrap(), r.real("density").unwrap());
        !arm.starts_with(TIED) || density > 0.1
    };
    let kept = only(&table, fits);
    // Dense rows came twice.
    let once = only(&kept, |r| {
        let key = (r.text("part").unwrap().to_string(), r.text("arm").unwrap().to_string());
        let key = (key, r.integer("seed").unwrap(), r.real("density").unwrap().to_bits());
        seen.borrow_mut().insert(key)
    });
    doctored(
        &once,
        "kept",
        |r| {
            let matrices = if r.text("arm").unwrap().starts_with(UNTIED) {
                8.0
            } else {
                1.0
            };
            Value::Integer((1000.0 * matrices * r.real("density").unwrap()) as i64)
        },
        |_| true,
    )
}

/// Everything at 0.95 but what the closure takes away; random masks at the least density lose much.
fn rule(lost: impl Fn(&str, f64) -> f64) -> impl Fn(&str, f64) -> f64 {
    move |arm, density| match arm {
        "tied random" if density < 0.3 => 0.7,
        _ => 0.95 - lost(arm, density),
    }
}

#[test]
fn the_smoke_table_has_every_row_and_its_walks_hold() {
    let table = smoke();
    let walks = 2 * UNITS.len() * DEGREES.len() * STEPS.len();
    // Dense, and two masks at one round; dense, and two masks at two rounds; a pilot.
    assert_eq!(table.len(), walks + 2 * (1 + 2 + 1 + 4) + 2);
    assert_eq!(decision("E3", &table), Decision::Holds);
    assert_eq!(decision("E3a", &table).as_str(), "undecided");
    draw::draw(&table).unwrap().to_svg().unwrap();
    let kept = |name: &str| -> Vec<i64> {
        let rows = table.iter().filter(|r| is(r, "arm", name));
        rows.map(|r| r.integer("kept").unwrap()).collect()
    };
    assert_eq!(kept("tied imp"), kept("tied random"));
    assert_eq!(kept("untied imp"), kept("untied random"));
    // After three rounds more the untied network keeps as many weights, up to rounding a weight a round.
    for (tied, untied) in kept("tied imp")
        .iter()
        .zip(kept("untied imp").iter().skip(1).step_by(2))
    {
        assert!((tied - untied).abs() <= 2, "{tied} {untied}");
    }
    for row in table.iter().filter(|r| is(r, "part", WALKS)) {
        let (units, steps) = (row.integer("units").unwrap(), row.integer("steps").unwrap());
        let times = if is(&row, "arm", TIED) { 1 } else { steps };
        assert_eq!(row.integer("mask_bits").unwrap(), times * units * units);
    }
}

#[test]
fn a_wrong_law_a_wrong_count_and_a_tied_mask_that_fades_refute_the_walks() {
    let table = smoke();
    let enumerated = |r: &Record<'_>| r.optional_real("enumerated").is_ok_and(|v| v.is_some());
    let shift = |v: &Value| match v {
        Value::Real(exact) => Value::Real(exact + 1e-9),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        decision("E3", &doctored_once(&table, "exact", shift, enumerated)),
        Decision::Fails
    );
    let wide = |r: &Record<'_>| r.integer("units").is_ok_and(|n| n == 32) && r.real("density").unwrap() > 0.04;
    let off = doctored(&table, "lasting", |_| 400.into(), |r| wide(r) && is(r, "arm", UNTIED));
    assert_eq!(decision("E3", &off), Decision::Fails);
    let late = |r: &Record<'_>| is(r, "arm", TIED) && r.integer("steps").is_ok_and(|t| t == 64);
    let one_less = |v: &Value| match v {
        Value::Integer(count) => Value::Integer(count - 1),
        other => panic!("{other:?}"),
    };
    let fading = verdict(&RecurrentMasks, "E3", &doctored_once(&table, "lasting", one_less, late));
    assert_eq!(fading.decision, Decision::Fails);
    assert!(fading.counterexample.unwrap().contains("another probability"));
    let tied = only(&table, |r| is(r, "part", WALKS) && is(r, "arm", TIED));
    assert_eq!(decision("E3", &tied).as_str(), "undecided");
    let early = only(&table, |r| {
        is(r, "part", WALKS) && r.integer("steps").is_ok_and(|t| t < 2)
    });
    assert_eq!(decision("E3", &early).as_str(), "undecided");
}

#[test]
fn two_units_are_summed_by_hand() {
    // Two steps of one mask: a loop (each 1/2), or both ways between the units, is a cycle. 1 − (1/4)(3/4) for a cycle.
    let tied = walks::enumerated(TIED, 2, 0.5, 3);
    assert!((tied[2] - (1.0 - 0.25 * 0.75)).abs() < 1e-15 && tied[3] == tied[2]);
    // One step: 1 − 1/16. Two: one unit is reached in 6/16 of masks (then 3/4 go on), both in 9/16 (then 15/16 do).
    let untied = walks::enumerated(UNTIED, 2, 0.5, 2);
    assert!((untied[1] - 15.0 / 16.0).abs() < 1e-15);
    assert!((untied[2] - (6.0 / 16.0 * 0.75 + 9.0 / 16.0 * 15.0 / 16.0)).abs() < 1e-15);
}

#[test]
fn tickets_are_shown_refuted_or_left_open() {
    let better = rule(|arm, _| if arm.ends_with("random") { 0.03 } else { 0.0 });
    assert_eq!(decision("E3a", &trained(24, &better)), Decision::Holds);
    let at_one = rule(|_, _| 0.0);
    match decision("E3a", &trained(24, &at_one)) {
        Decision::HoldsUnder { condition } => assert!(condition.ends_with("0.200"), "{condition}"),
        other => panic!("{other:?}"),
    }
    let useless = |arm: &str, density: f64| match arm {
        "tied random" | "tied imp" if density < 0.3 => 0.7,
        _ => 0.95,
    };
    assert_eq!(decision("E3a", &trained(24, &useless)), Decision::Fails);
    assert_eq!(decision("E3a", &trained(19, &better)).as_str(), "undecided");
    assert_eq!(decision("E3a", &trained(24, &|_, _| 0.95)).as_str(), "undecided");
}

#[test]
fn sharing_is_judged_at_equal_counts_and_not_at_equal_densities() {
    // Untied tickets lead at equal density and lose at equal counts.
    let shared = rule(|arm, density| match arm {
        "tied imp" => 0.04,
        "untied imp" if density < 0.1 => 0.08,
        _ => 0.0,
    });
    let found = verdict(&RecurrentMasks, "E3b", &trained(24, &shared));
    assert_eq!(found.decision, Decision::Holds);
    assert!(found.evidence.contains("Dense against dense"));
    let own = rule(|arm, _| if arm == "tied imp" { 0.04 } else { 0.0 });
    assert_eq!(decision("E3b", &trained(24, &own)), Decision::Fails);
    assert_eq!(decision("E3b", &trained(24, &rule(|_, _| 0.0))).as_str(), "undecided");
    assert_eq!(decision("E3b", &trained(19, &own)).as_str(), "undecided");
    let unequal = doctored(&trained(24, &own), "kept", |_| 7.into(), |r| is(r, "arm", "tied imp"));
    assert_eq!(decision("E3b", &unequal).as_str(), "undecided");
}
