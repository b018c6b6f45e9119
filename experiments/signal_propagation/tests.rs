//! Which test would fail if the central result were wrong: tables made from the right and from wrong formulas.

use super::*;
use crate::experiments::rows::padded;
use ticketsense::harness::{Decision, Verdict};
use ticketsense::row;
use ticketsense::simulations::propagation::Scaling;
use ticketsense::theory::relu_variance::fluctuation;

/// A table whose means are those of `factor(masked, density, weight variance)` per layer, with the predicted scatter.
fn table(replicates: usize, factor: impl Fn(bool, f64, f64) -> f64) -> Table {
    let mut table = Table::new(COLUMNS);
    for masked in [false, true] {
        for density in [1.0, 0.5, 0.2] {
            for gain in GAINS {
                let variance = if masked { gain } else { gain / density };
                for layer in [1usize, 5, 10] {
                    let mean = factor(masked, density, variance).powi(layer as i32);
                    let moment = fluctuation(density, 100, layer as u64).unwrap().measured_second_moment;
                    let error = mean * ((moment - 1.0) / replicates as f64).sqrt();
                    let scaling = if masked {
                        Scaling::MaskedFanIn
                    } else {
                        Scaling::DenseFanIn
                    };
                    let row = row![
                        "random",
                        scaling.as_str(),
                        100usize,
                        density,
                        variance,
                        layer,
                        replicates,
                        mean,
                        error,
                        0usize,
                        mean.ln() - 0.5 * moment.ln(),
                        0.01,
                        0.5 * mean,
                        0.9 * mean,
                        1.5 * mean
                    ];
                    table.push(padded(COLUMNS, row)).unwrap();
                }
            }
        }
    }
    table
}

fn right(masked: bool, density: f64, variance: f64) -> f64 {
    if masked {
        0.5 * variance
    } else {
        0.5 * density * variance
    }
}

fn judged(table: &Table) -> Verdict {
    (claims::CLAIMS[0].check)(table).unwrap()
}

#[test]
fn the_map_is_confirmed_on_means_that_follow_it() {
    let verdict = judged(&table(5000, right));
    assert_eq!(verdict.decision, Decision::Holds, "{verdict:?}");
    assert!(
        verdict
            .hypotheses
            .iter()
            .any(|h| h.contains("without the 1/2: refuted 54 of 54")),
        "{verdict:?}"
    );
}

#[test]
fn a_map_without_the_one_half_fails() {
    let verdict = judged(&table(5000, |masked, density, variance| {
        2.0 * right(masked, density, variance)
    }));
    assert_eq!(verdict.decision, Decision::Fails);
    assert!(verdict.counterexample.is_some());
}

#[test]
fn a_map_without_the_density_fails() {
    let verdict = judged(&table(5000, |_, _, variance| 0.5 * variance));
    assert_eq!(verdict.decision, Decision::Fails);
    assert!(verdict.counterexample.unwrap().contains("dense fan-in"));
}

#[test]
fn a_density_that_stays_with_the_corrected_fan_in_fails() {
    let verdict = judged(&table(5000, |masked, density, variance| match masked {
        true => 0.5 * variance * density.powf(0.05),
        false => right(false, density, variance),
    }));
    assert_eq!(verdict.decision, Decision::Fails);
    assert!(verdict.counterexample.unwrap().contains("corrected fan-in"));
}

#[test]
fn the_typical_value_in_the_place_of_the_mean_fails() {
    // The mean replaced by what a network typically shows, e^{−5ℓ/(2N)} of it.
    let verdict = judged(&table(20_000, |masked, density, variance| match masked {
        true => right(true, density, variance),
        false => right(false, density, variance) * (-2.5f64 / 100.0).exp(),
    }));
    assert_eq!(verdict.decision, Decision::Fails);
}

#[test]
fn few_networks_or_none_leave_the_map_undecided() {
    assert!(matches!(judged(&table(10, right)).decision, Decision::Undecided { .. }));
    assert!(matches!(
        judged(&Table::new(COLUMNS)).decision,
        Decision::Undecided { .. }
    ));
}

#[test]
fn the_tolerance_is_the_published_one_at_density_one_and_is_refused_where_the_tail_is_heavy() {
    let table = table(5000, right);
    let points = Point::read(&table).unwrap();
    let dense = points
        .iter()
        .find(|p| !p.masked && p.density == 1.0 && p.layer == 10)
        .unwrap();
    // z √(((1 + 5/N)^L − 1)/T), times what the skewness of the log-normal law adds.
    let published = |layers: f64| 4.0 * ((1.05f64.powf(layers) - 1.0) / 5000.0).sqrt();
    let plain = dense.tolerance(4.0).unwrap().unwrap();
    let moment = dense.second_moment().unwrap();
    let correction = 1.0 + (moment + 2.0) * (moment - 1.0).sqrt() / 5000f64.sqrt() * 15.0 / 24.0;
    assert!(
        (plain / correction - published(10.0)).abs() < 1e-12,
        "{plain} {}",
        published(10.0)
    );
    // Three hundred layers at width 100: the second moment is beyond a million.
    let mut deep = dense.clone();
    deep.layer = 300;
    assert_eq!(deep.tolerance(4.0).unwrap(), None);
}

#[test]
fn a_typical_network_that_keeps_its_signal_fails() {
    let table = table(5000, right);
    let place = table.position("mean_log").unwrap();
    let mut rows = table.rows().to_vec();
    // No drift at the critical point, dense, ten layers.
    for (record, row) in table.iter().zip(&mut rows) {
        if record.real("density").unwrap() == 1.0 && record.integer("layer").unwrap() == 10 {
            row.0[place] = record.real("mean_ratio").unwrap().ln().into();
        }
    }
    let verdict = judged(&Table::with_rows(table.columns(), rows).unwrap());
    assert_eq!(verdict.decision, Decision::Fails);
    assert!(verdict.counterexample.unwrap().contains("typical network"));
}
