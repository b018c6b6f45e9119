//! Claims on finite width and on local wiring: tables made from the right and from wrong laws.

use super::local_claim::{DIRECTED, MEAN_FIELD};
use super::narrow::{least_action, mean_at};
use super::narrow_claim::{drifts, lifetimes};
use super::scaling::{correction, profiles, spreading};
use super::*;
use crate::experiments::doctoring::{doctored, doctored_once, is, only, verdict};
use crate::experiments::rows::row_of;
use ticketsense::harness::Decision;
use ticketsense::simulations::percolation::ReachKernel;
use ticketsense::table::{Record, Value};

fn table(rows: Vec<Row>) -> Table {
    Table::with_rows(COLUMNS, rows).unwrap()
}

fn connected(width: usize, keep: f64, sources: usize, depth: usize) -> f64 {
    let laws = ReachKernel::full(width, width, keep)
        .unwrap()
        .laws_from(sources, depth)
        .unwrap();
    laws[depth][1..].iter().sum()
}

fn counted(part: &str, (width, keep): (usize, f64), sources: usize, depth: usize, trials: usize) -> Row {
    let exact = connected(width, keep, sources, depth);
    row_of(
        COLUMNS,
        &[
            ("part", part.into()),
            ("model", "full".into()),
            ("law", "binomial".into()),
            ("fan_out", width.into()),
            ("keep", keep.into()),
            ("width", width.into()),
            ("sources", sources.into()),
            ("from_depth", 0usize.into()),
            ("depth", depth.into()),
            ("replicates", trials.into()),
            ("alive", ((exact * trials as f64).round() as usize).into()),
            ("exact_alive", exact.into()),
        ],
    )
    .unwrap()
}

/// Rows of finite width whose counts are the expectations of the chain.
fn narrow_table(trials: usize) -> Table {
    let mut rows = Vec::new();
    for sources in [1, 12] {
        rows.push(counted("connection", (12, 0.15), sources, 10, trials));
    }
    for depth in [10, 30, 90] {
        for value in [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8] {
            let keep = mean_at("full", 12, depth, value).unwrap() / 12.0;
            rows.push(counted("drift", (12, keep), 12, depth, trials));
        }
    }
    for mean in [0.5, 1.5] {
        for width in [16usize, 32, 64, 128] {
            let keep = mean / width as f64;
            let kernel = ReachKernel::full(width, width, keep).unwrap();
            let action = (mean > 1.0).then(|| 2.0 * least_action(mean, 200) - least_action(mean, 100));
            rows.push(
                row_of(
                    COLUMNS,
                    &[
                        ("part", "lifetime".into()),
                        ("model", "full".into()),
                        ("fan_out", width.into()),
                        ("keep", keep.into()),
                        ("width", width.into()),
                        ("median_depth", kernel.half_depth(width).unwrap().into()),
                        ("action", action.into()),
                    ],
                )
                .unwrap(),
            );
        }
    }
    table(rows)
}

fn narrow(table: &Table) -> Decision {
    verdict(&Percolation, "F4", table).decision
}

#[test]
fn a_sharp_transition_at_finite_width_fails_on_the_counts_of_the_chain() {
    let found = verdict(&Percolation, "F4", &narrow_table(4000));
    assert_eq!(found.decision, Decision::Fails, "{found:?}");
    assert!(found.counterexample.unwrap().contains("width 12"));
}

#[test]
fn a_transition_that_stays_where_it_is_holds() {
    // A world in which depth does not matter: a logistic curve around 1.1 kept edges a unit at every depth.
    let honest = narrow_table(4000);
    let frozen = |r: &Record<'_>| -> Value {
        let mean = 12.0 * r.real("keep").unwrap();
        ((4000.0 / (1.0 + (-8.0 * (mean - 1.1)).exp())).round() as usize).into()
    };
    let still = doctored(&honest, "alive", frozen, |r| is(r, "part", "drift"));
    assert_eq!(narrow(&still), Decision::Holds);
}

#[test]
fn counts_that_are_not_those_of_the_chain_or_tell_nothing_are_undecided() {
    let honest = narrow_table(4000);
    // One source too lucky.
    let lucky = doctored_once(
        &honest,
        "alive",
        |_| 3900usize.into(),
        |r| is(r, "part", "connection") && r.integer("sources").is_ok_and(|s| s == 1),
    );
    assert!(matches!(narrow(&lucky), Decision::Undecided { why } if why.contains("not the chain")));
    assert!(matches!(
        narrow(&narrow_table(6)),
        Decision::Undecided { .. } | Decision::Holds
    ));
    assert!(matches!(narrow(&table(Vec::new())), Decision::Undecided { .. }));
    let no_lives = only(&honest, |r| !is(r, "part", "lifetime"));
    assert!(matches!(narrow(&no_lives), Decision::Undecided { .. }));
}

#[test]
fn lifetimes_that_do_not_grow_with_the_width_are_noticed() {
    let honest = narrow_table(4000);
    // Lifetimes that grow like the square root of the width above the threshold, as they do at it.
    let slow = doctored(
        &honest,
        "median_depth",
        |r| r.real("width").unwrap().sqrt().into(),
        |r| is(r, "part", "lifetime") && r.optional_real("action").unwrap().is_some(),
    );
    assert!(matches!(narrow(&slow), Decision::Undecided { why } if why.contains("mean 1.5")));
    // Below it, a network that lives longer than Markov's inequality allows.
    let long = doctored(
        &honest,
        "median_depth",
        |r| (2.0 * r.real("width").unwrap()).into(),
        |r| is(r, "part", "lifetime") && r.optional_real("action").unwrap().is_none(),
    );
    assert!(matches!(narrow(&long), Decision::Undecided { why } if why.contains("ln(2 width)")));
}

#[test]
fn the_lifetime_grows_by_the_least_action_of_large_deviations() {
    let table = narrow_table(100);
    for group in lifetimes(&table).unwrap().iter().filter(|g| g.mean > 1.0) {
        let (growth, change) = group.growth().unwrap();
        let action = group.action.unwrap();
        assert!(
            (growth - action).abs() < change && change < 0.05 * growth,
            "{group:?} {growth} {change}"
        );
    }
    // Near the threshold the layer is a diffusion with drift (m−1)x − x²/2 and variance x/w a layer: 2(m−1)², in leading order.
    let near = 2.0 * least_action(1.1, 400) - least_action(1.1, 200);
    assert!((near / (2.0 * 0.01) - 1.0).abs() < 0.25, "{near}");
}

#[test]
fn half_points_of_counts_are_those_of_the_law_they_came_from() {
    let table = narrow_table(40_000);
    let found = &drifts(&table).unwrap()[0];
    assert_eq!(found.halves.len(), 3);
    for (depth, measured, error, exact) in &found.halves {
        // Expected counts, rounded to whole ones: a small part of their standard error.
        assert!(
            (measured - exact).abs() < 0.2 * error,
            "{depth}: {measured} ± {error}, {exact}"
        );
        // The curve is not that of the chain, but crosses one half close to where the chain does.
        let true_half = mean_at("full", 12, *depth as usize, 0.5).unwrap();
        assert!((exact / true_half - 1.0).abs() < 0.02, "{depth}: {exact}, {true_half}");
    }
}

/// Rows of octaves that follow a class exactly, but for the rounding of counts.
fn octave_rows(model: &str, class: super::local_claim::Class, trials: f64) -> Vec<Row> {
    let mut rows = Vec::new();
    for layers in [8.0f64, 16.0, 32.0, 64.0, 128.0] {
        for step in -3..=3 {
            let keep = class.threshold + 0.05 * f64::from(step) / layers.sqrt();
            let x = (keep - class.threshold) * layers.powf(1.0 / class.length);
            let small = correction(model, layers);
            let exponent = class.survival - 0.8 * x + 0.5 * x * x + 0.2 * small + 0.1 * small * x;
            let alive = (trials * (-exponent).exp2()).round();
            rows.push(
                row_of(
                    COLUMNS,
                    &[
                        ("part", "scaling".into()),
                        ("model", model.into()),
                        ("law", "binomial".into()),
                        ("fan_out", 2usize.into()),
                        ("keep", keep.into()),
                        ("from_depth", (layers as usize).into()),
                        ("depth", (2 * layers as usize).into()),
                        ("replicates", (trials as usize).into()),
                        ("alive", (alive as usize).into()),
                    ],
                )
                .unwrap(),
            );
        }
    }
    rows
}

/// Groups whose survival and reached units are powers of the depth, spread a little from group to group.
fn spreading_rows(model: &str, class: super::local_claim::Class) -> Vec<Row> {
    let mut rows = Vec::new();
    for group in 0..10usize {
        let luck = 1.0 + 0.004 * ((group * 7 % 10) as f64 - 4.5);
        for power in 2..9 {
            let depth = f64::from(1 << power);
            let alive = 1e6 * luck * depth.powf(-class.survival);
            // Groups differ in their power as well, by a thousandth.
            let power = class.reached + 0.25 * (luck - 1.0);
            let reached = 1e6 * luck * depth.powf(power) * (0.3 * correction(model, depth)).exp();
            rows.push(
                row_of(
                    COLUMNS,
                    &[
                        ("part", "spreading".into()),
                        ("model", model.into()),
                        ("law", "binomial".into()),
                        ("fan_out", 2usize.into()),
                        ("keep", class.threshold.into()),
                        ("depth", (depth as usize).into()),
                        ("replicates", 1_000_000usize.into()),
                        ("alive", (alive.round() as usize).into()),
                        ("group", group.into()),
                        ("reached", (reached.round() as usize).into()),
                    ],
                )
                .unwrap(),
            );
        }
    }
    rows
}

fn between_rows(alive: usize) -> Vec<Row> {
    let line = |part: &str, alive: usize, exact: Option<f64>| {
        row_of(
            COLUMNS,
            &[
                ("part", part.into()),
                ("model", "neighbouring".into()),
                ("law", "binomial".into()),
                ("fan_out", 2usize.into()),
                ("keep", 0.55.into()),
                ("depth", 400usize.into()),
                ("replicates", 10_000usize.into()),
                ("alive", alive.into()),
                ("exact_alive", exact.into()),
            ],
        )
        .unwrap()
    };
    vec![line("local", alive, None), line("ring", 2000, Some(0.2))]
}

fn local_rows(class: super::local_claim::Class, alive: usize) -> Vec<Row> {
    let mut rows = between_rows(alive);
    rows.extend(octave_rows("neighbouring", class, 1e7));
    rows.extend(octave_rows("tree", MEAN_FIELD, 1e7));
    rows.extend(spreading_rows("neighbouring", class));
    rows.extend(spreading_rows("random", MEAN_FIELD));
    rows
}

#[test]
fn the_threshold_of_the_tree_fails_in_a_world_of_directed_percolation() {
    let found = verdict(&Percolation, "F5", &table(local_rows(DIRECTED, 0)));
    assert_eq!(found.decision, Decision::Fails, "{found:?}");
    assert!(found.counterexample.unwrap().contains("0.644"));
}

#[test]
fn the_threshold_of_the_tree_holds_where_neighbours_are_as_good_as_branches() {
    let survives = (10_000.0 * (2.0 * 0.55 - 1.0) / (0.55f64 * 0.55)) as usize;
    let found = verdict(&Percolation, "F5", &table(local_rows(MEAN_FIELD, survives)));
    assert_eq!(found.decision, Decision::Holds, "{found:?}");
}

#[test]
fn a_threshold_of_another_kind_and_contradictions_are_undecided() {
    let elsewhere = super::local_claim::Class {
        threshold: 0.6,
        ..DIRECTED
    };
    let undecided = |rows: Vec<Row>| match verdict(&Percolation, "F5", &table(rows)).decision {
        Decision::Undecided { why } => why,
        other => panic!("{other:?}"),
    };
    assert!(undecided(local_rows(elsewhere, 0)).contains("neither"));
    // The threshold of directed percolation with the exponents of a tree.
    let mixed = super::local_claim::Class {
        threshold: DIRECTED.threshold,
        ..MEAN_FIELD
    };
    assert!(undecided(local_rows(mixed, 0)).contains("theory"));
    // Survivors where there should be none.
    assert!(undecided(local_rows(DIRECTED, 3300)).contains("survival between"));
    let unlucky = doctored_once(
        &table(local_rows(DIRECTED, 0)),
        "alive",
        |_| 1500usize.into(),
        |r| is(r, "part", "ring"),
    );
    assert!(undecided(unlucky.rows().to_vec()).contains("not its law"));
    assert!(!undecided(between_rows(0)).is_empty());
}

#[test]
fn the_scaling_fit_finds_the_numbers_it_was_made_from() {
    for (model, class) in [("neighbouring", DIRECTED), ("tree", MEAN_FIELD)] {
        let table = table(octave_rows(model, class, 1e12));
        let found = profiles(&table, model, 3.0).unwrap().unwrap();
        // Counts of 10¹² leave relative errors of 1e-6, times the amplification of eight free numbers.
        assert!((found.fit.keep - class.threshold).abs() < 1e-4, "{found:?}");
        assert!((1.0 / found.fit.inverse - class.length).abs() < 1e-2, "{found:?}");
        assert!((found.fit.coefficients[0] - class.survival).abs() < 1e-3, "{found:?}");
        assert!(found.keep.contains(class.threshold) && found.length.contains(class.length));
        assert!(found.exponent.contains(class.survival));
        assert!(found.keep.lower < found.fit.keep && found.fit.keep < found.keep.upper);
    }
}

#[test]
fn spreading_exponents_are_the_powers_and_their_intervals_the_scatter_of_groups() {
    let table = table(spreading_rows("neighbouring", DIRECTED));
    let found = spreading(&table, "neighbouring", 1e-3).unwrap().unwrap();
    assert!((found.survival.0 - DIRECTED.survival).abs() < 1e-4, "{found:?}");
    assert!(found.reached.1.contains(DIRECTED.reached), "{found:?}");
    let few = only(&table, |r| r.integer("group").is_ok_and(|g| g < 2));
    assert!(spreading(&few, "neighbouring", 1e-3).unwrap().is_none());
    assert!(profiles(&table, "neighbouring", 3.0).unwrap().is_none());
}
