//! Which test would fail if the central result were wrong: tables made from the right and from wrong formulas.

use super::claims::{Regime, asymptotics};
use super::threshold::{finite_size, thresholds};
use super::wide::exact_reach;
use super::*;
use ticketsense::harness::{Decision, Verdict};
use ticketsense::row;
use ticketsense::theory::percolation::Offspring;

fn judged(id: &str, rows: Vec<Row>) -> Verdict {
    let table = Table::with_rows(COLUMNS, rows.into_iter().map(|row| padded(COLUMNS, row)).collect()).unwrap();
    let claim = claims::CLAIMS.iter().find(|c| c.id == id).unwrap();
    (claim.check)(&table).unwrap()
}

fn count(probability: f64, trials: usize) -> usize {
    (probability * trials as f64).round() as usize
}

/// Threshold rows whose counts are the expectations under `conditional(L, keep)`, around `centre`.
fn threshold_table(
    model: &str,
    fan_out: usize,
    trials: usize,
    conditional: impl Fn(u64, f64) -> f64,
    centre: f64,
) -> Vec<Row> {
    threshold_rows_at(&[10, 20, 50, 100, 200], model, fan_out, trials, conditional, centre)
}

fn threshold_rows_at(
    depths: &[usize],
    model: &str,
    fan_out: usize,
    trials: usize,
    conditional: impl Fn(u64, f64) -> f64,
    centre: f64,
) -> Vec<Row> {
    let mut rows = Vec::new();
    for &depth in depths {
        for step in -3..=3 {
            let keep = centre + 0.75 * f64::from(step) / (fan_out * depth) as f64;
            let alive = count(conditional(depth as u64, keep), trials);
            rows.push(row![
                "threshold",
                model,
                "binomial",
                fan_out,
                keep,
                None::<usize>,
                depth,
                2 * depth,
                trials,
                alive,
                None::<f64>,
                None::<f64>,
                None::<f64>,
                None::<f64>
            ]);
        }
    }
    rows
}

fn tree(fan_out: u64) -> impl Fn(u64, f64) -> f64 {
    move |depth, keep| {
        let law = Offspring::Binomial { fan_out, keep };
        law.survival_to_depth(2 * depth).unwrap() / law.survival_to_depth(depth).unwrap()
    }
}

/// Local wiring with its threshold at 0.6447, in a caricature.
fn local_rows(trials: usize) -> Vec<Row> {
    let law = |depth: u64, keep: f64| 1.0 / (1.0 + (-(keep - 0.6447) * 2.0 * depth as f64).exp());
    threshold_table("neighbouring", 2, trials, law, 0.6447)
}

#[test]
fn the_threshold_is_confirmed_on_counts_that_the_tree_gives_for_every_fan_out() {
    for fan_out in [2, 3, 8] {
        let centre = 1.0 / fan_out as f64;
        let mut rows = threshold_table("tree", fan_out as usize, 1000, tree(fan_out), centre);
        rows.extend(local_rows(1000));
        let verdict = judged("F1", rows);
        assert!(matches!(verdict.decision, Decision::HoldsUnder { .. }), "{verdict:?}");
    }
}

#[test]
fn a_threshold_that_lies_elsewhere_fails_and_names_the_case() {
    // A world in which the threshold is 2 % higher than 1/b.
    let shifted = |depth: u64, keep: f64| tree(3)(depth, keep / 1.02);
    let mut rows = threshold_table("random", 3, 1000, shifted, 1.02 / 3.0);
    rows.extend(local_rows(1000));
    let verdict = judged("F1", rows);
    assert_eq!(verdict.decision, Decision::Fails);
    assert!(verdict.counterexample.unwrap().contains("fan-out 3"));
}

#[test]
fn few_replicates_or_no_contrast_leave_the_threshold_undecided() {
    let mut rows = threshold_rows_at(&[3, 4, 5], "tree", 8, 20, tree(8), 0.125);
    rows.extend(local_rows(1000));
    let verdict = judged("F1", rows);
    assert!(matches!(verdict.decision, Decision::Undecided { .. }), "{verdict:?}");
    let without_contrast = judged("F1", threshold_table("tree", 2, 1000, tree(2), 0.5));
    assert!(matches!(without_contrast.decision, Decision::Undecided { .. }));
    assert!(matches!(judged("F1", Vec::new()).decision, Decision::Undecided { .. }));
}

#[test]
fn half_points_approach_the_threshold_like_ln_l_over_l_squared_on_trees() {
    // The exact shift divided by ln L / L² must settle: it may not change by more than a third between L = 50 and 200,
    // while L² times the shift grows by ln 200 / ln 50 = 1.35 and L times it falls by 0.34.
    let rows = threshold_table("tree", 2, 100_000_000, tree(2), 0.5);
    let table = Table::with_rows(COLUMNS, rows.into_iter().map(|row| padded(COLUMNS, row)).collect()).unwrap();
    let found = &thresholds(&table).unwrap()[0];
    let scaled: Vec<f64> = found
        .halves
        .iter()
        .map(|&(l, half, _)| (half - 0.5) / finite_size(l))
        .collect();
    assert!((scaled[2] / scaled[4] - 1.0).abs() < 1.0 / 3.0, "{scaled:?}");
    assert!(scaled.iter().all(|s| *s < 0.0), "{scaled:?}");
}

const TRIALS: usize = 40_000;

fn survival_table(trials: usize, probability: impl Fn(Offspring, u64) -> f64) -> Vec<Row> {
    let mut rows = Vec::new();
    for (law, fan_out, keep) in [
        ("binomial", 2, 0.4),
        ("binomial", 2, 0.5),
        ("binomial", 2, 0.7),
        ("poisson", 1, 1.5),
    ] {
        let offspring = match law {
            "poisson" => Offspring::Poisson { mean: keep },
            _ => Offspring::Binomial { fan_out, keep },
        };
        for depth in DEPTHS {
            let alive = count(probability(offspring, depth as u64), trials);
            rows.push(row![
                "survival",
                "tree",
                law,
                fan_out,
                keep,
                None::<usize>,
                0usize,
                depth,
                trials,
                alive,
                None::<f64>,
                None::<f64>,
                None::<f64>,
                None::<f64>
            ]);
        }
    }
    rows
}

/// Network rows with exact laws that fall like 1/width towards the limits given, and means that follow them.
fn network_table(trials: usize, survives: impl Fn(Offspring) -> f64, reached: impl Fn(f64) -> f64) -> Vec<Row> {
    let offspring = Offspring::Binomial { fan_out: 2, keep: 0.7 };
    [512.0, 1024.0, 2048.0]
        .map(|width: f64| {
            let bias = 1.0 / width + 3.0 / (width * width);
            let (alive, fraction) = (survives(offspring) - bias, reached(1.4) - bias);
            row![
                "network",
                "random",
                "binomial",
                2usize,
                0.7,
                width as usize,
                0usize,
                NETWORK_DEPTH,
                trials,
                count(alive, trials),
                fraction,
                1e-4,
                alive,
                fraction
            ]
        })
        .to_vec()
}

fn out_degree(law: Offspring) -> f64 {
    law.survival().unwrap().survival
}

fn in_degree(mean: f64) -> f64 {
    ticketsense::theory::percolation::reached_fraction(mean).unwrap()
}

fn iterated(law: Offspring, depth: u64) -> f64 {
    law.survival_to_depth(depth).unwrap()
}

#[test]
fn survival_and_reached_fraction_are_confirmed_on_their_own_laws() {
    let mut rows = survival_table(TRIALS, iterated);
    rows.extend(network_table(200, out_degree, in_degree));
    let verdict = judged("F2", rows);
    assert_eq!(verdict.decision, Decision::Holds, "{verdict:?}");
}

#[test]
fn each_of_the_two_laws_in_the_place_of_the_other_fails() {
    // Survival of one source by the in-degree law.
    let swapped = |law: Offspring, depth: u64| {
        Offspring::Poisson { mean: law.mean() }
            .survival_to_depth(depth)
            .unwrap()
    };
    let mut rows = survival_table(TRIALS, swapped);
    rows.extend(network_table(200, out_degree, in_degree));
    assert_eq!(judged("F2", rows).decision, Decision::Fails);
    // The reached fraction by the out-degree law: the extrapolated exact value gives it away.
    let mut rows = survival_table(TRIALS, iterated);
    rows.extend(network_table(200, out_degree, |mean| {
        out_degree(Offspring::Binomial {
            fan_out: 2,
            keep: mean / 2.0,
        })
    }));
    let verdict = judged("F2", rows);
    assert_eq!(verdict.decision, Decision::Fails);
    assert!(verdict.counterexample.unwrap().contains("reached fraction"));
}

#[test]
fn too_few_replicates_leave_the_two_laws_undecided() {
    let mut rows = survival_table(20, iterated);
    rows.extend(network_table(200, out_degree, in_degree));
    assert!(matches!(judged("F2", rows).decision, Decision::Undecided { .. }));
}

#[test]
fn the_decay_with_depth_is_confirmed_by_the_iteration_and_by_nothing_else() {
    assert_eq!(judged("F3", survival_table(TRIALS, iterated)).decision, Decision::Holds);
    // One layer too few, the bound taken for the value, the critical law without its factor 2.
    let late = judged("F3", survival_table(TRIALS, |law, depth| iterated(law, depth - 1)));
    assert_eq!(late.decision, Decision::Fails);
    let bound = judged(
        "F3",
        survival_table(TRIALS, |law, depth| {
            iterated(law, depth).max(law.mean().powf(depth as f64)).min(1.0)
        }),
    );
    assert_eq!(bound.decision, Decision::Fails);
    let halved = judged(
        "F3",
        survival_table(TRIALS, |law, depth| match law.mean() == 1.0 {
            true => 0.5 * iterated(law, depth),
            false => iterated(law, depth),
        }),
    );
    assert_eq!(halved.decision, Decision::Fails);
    let few = judged("F3", survival_table(10, iterated));
    assert!(matches!(few.decision, Decision::Undecided { .. }), "{few:?}");
}

#[test]
fn the_iteration_meets_its_three_asymptotic_laws_within_their_remainders() {
    for fan_out in [2u64, 3, 8, 100] {
        for mean in [0.1, 0.6, 0.9, 1.0, 1.1, 1.8] {
            let keep = mean / fan_out as f64;
            for law in [Offspring::Binomial { fan_out, keep }, Offspring::Poisson { mean }] {
                let (regime, deviation, bound) = asymptotics(law).unwrap();
                assert!(deviation <= bound, "{law:?}: {deviation} > {bound}");
                // The remainder must be small enough to tell the law from its neighbours: a factor 2 at the threshold.
                assert!(bound < 0.1, "{law:?}: {bound}");
                assert_eq!(regime == Regime::At, mean == 1.0);
            }
        }
    }
}

#[test]
fn the_exact_reach_of_one_source_is_that_of_two_disjoint_paths() {
    // Width 2, fan-out 1, one layer: the one target is reached with probability q, half of the layer.
    let (alive, fraction) = exact_reach(2, 1, 0.3, 1).unwrap();
    assert!((alive - 0.3).abs() < 1e-15 && (fraction.unwrap() - 0.5).abs() < 1e-15);
    assert_eq!(exact_reach(4, 2, 0.0, 3).unwrap(), (0.0, None));
}
