//! The law from the factors against the formed Jacobian, every pair by its plain definition.

use super::*;
use crate::linalg::{dot, norm};
use crate::linearize::{Biases, Linearisation, RowTransform};
use crate::networks::derivative_cases::{Case, layered_networks};
use crate::operators::MeasurementOperator;
use crate::support::Support;
use std::collections::BTreeMap;

/// Everything about one kind, by looking at every pair of formed columns.
#[derive(Default)]
struct Slow {
    cosines: Vec<f64>,
}

type Key = (usize, usize, PairKind);

/// For each pair of nonzero columns, the slots by their first parameter, the kind, and the cosine.
fn slow(network: &Network, a: &Jacobian) -> BTreeMap<Key, Slow> {
    let layout = network.layout();
    let matrix = a.to_dense();
    let columns: Vec<(usize, Vec<f64>)> = (0..matrix.ncols())
        .map(|c| {
            (
                a.parameters()[c],
                matrix.column(c).iter().copied().collect::<Vec<f64>>(),
            )
        })
        .filter(|(_, v)| norm(v) > 0.0)
        .collect();
    // Slot, unit and input of a parameter: a slot is outputs × everything else.
    let whereabouts = |j: usize| {
        let slot = layout.slot_of(j);
        let place = j - slot.range.start;
        let inputs = slot.len() / slot.shape[0];
        (slot.range.start, place / inputs, place % inputs)
    };
    let hidden = hidden_layers(network);
    let mut found: BTreeMap<Key, Slow> = BTreeMap::new();
    for (c, (i, u)) in columns.iter().enumerate() {
        for (j, v) in &columns[c + 1..] {
            let (x, y) = (whereabouts(*i), whereabouts(*j));
            let kind = if x.0 == y.0 && x.1 == y.1 {
                PairKind::SameUnit
            } else if x.0 == y.0 && x.2 == y.2 {
                PairKind::SameInput
            } else if hidden
                .iter()
                .any(|h| h.incoming.contains(i) && h.outgoing.contains(j) && h.weights_out_of(x.1).any(|o| o == *j))
            {
                PairKind::Consecutive
            } else {
                PairKind::Unrelated
            };
            let cosine = (dot(u, v) / norm(u) / norm(v)).abs();
            found.entry((x.0, y.0, kind)).or_default().cosines.push(cosine);
        }
    }
    found
}

fn key(law: &PairLaw) -> Key {
    (law.slots.0.start, law.slots.1.start, law.kind)
}

/// A Jacobian over a spread of the parameters, biases included.
fn jacobian(case: &Case, most: usize) -> Jacobian {
    let at = Linearisation::new(&case.network, &case.theta, &case.inputs).unwrap();
    let layout = case.network.layout();
    let every = layout.slots().iter().filter(|s| s.kind.is_trained());
    let step = layout.len().div_ceil(most);
    let chosen: Vec<usize> = every.flat_map(|s| s.range.clone().step_by(step)).collect();
    let chosen = Support::new(chosen, layout.len()).unwrap();
    at.jacobian(&chosen, RowTransform::Identity, Biases::Fixed).unwrap()
}

fn cases() -> Vec<(String, Case)> {
    let mut cases: Vec<(String, Case)> = ["mlp:7-5", "mlp:6-4-3:tanh:no-bias", "linear"]
        .map(|name| (name.to_string(), Case::new(name)))
        .into();
    for network in layered_networks() {
        let name = network.name().to_string();
        cases.push((name.clone(), Case::of(network, &name)));
    }
    cases
}

/// Laws that claim to be exact are those of the formed matrix, bin by bin but for cosines on an edge.
fn check_exact(law: &PairLaw, slow: &Slow, error: f64, name: &str) {
    let name = format!("{name} {:?} {}", law.slots, law.kind.as_str());
    assert_eq!(law.examined, slow.cosines.len() as u64, "{name}");
    let bins = law.counts.len() as f64;
    for (edge, counted) in law
        .counts
        .iter()
        .scan(0, |sum, c| {
            *sum += c;
            Some(*sum)
        })
        .enumerate()
    {
        let edge = (edge + 1) as f64 / bins;
        let below = |x: f64| slow.cosines.iter().filter(|c| **c < x).count() as u64;
        if edge < 1.0 {
            assert!((below(edge - error)..=below(edge + error)).contains(&counted), "{name}");
        }
    }
    let largest = slow.cosines.iter().fold(0.0, |m: f64, c| m.max(*c));
    assert!((law.largest - largest.min(1.0)).abs() <= error, "{name}");
    let mean = slow.cosines.iter().map(|c| c * c).sum::<f64>() / slow.cosines.len() as f64;
    // A mean of N squares, each off by twice the error of a cosine, summed with N roundings.
    let allowed = 2.0 * error + slow.cosines.len() as f64 * f64::EPSILON;
    assert!((law.mean_square - mean).abs() <= allowed, "{name}");
}

#[test]
fn every_kind_of_every_network_agrees_with_the_formed_jacobian() {
    for (name, case) in cases() {
        let a = jacobian(&case, 500);
        let law = JacobianCosines::default()
            .examine(&case.network, &a, &Seed::root(0))
            .unwrap();
        let slow = slow(&case.network, &a);
        let keys: Vec<Key> = law.laws.iter().map(key).collect();
        assert_eq!(keys, slow.keys().copied().collect::<Vec<_>>(), "{name}");
        for (found, slow) in law.laws.iter().zip(slow.values()) {
            assert_eq!(
                (found.certainty, found.largest_certainty),
                (Certainty::Exact, Certainty::Exact)
            );
            assert_eq!(found.pairs, found.examined);
            // The formed columns err like the factors.
            check_exact(found, slow, 2.0 * law.error_bound, &name);
        }
        let live = a.column_norms().iter().filter(|n| **n > 0.0).count();
        assert_eq!(law.zero_columns, a.shape().columns - live);
        assert_eq!(
            law.laws.iter().map(|l| l.pairs).sum::<u64>(),
            (live * live.saturating_sub(1) / 2) as u64
        );
    }
}

#[test]
fn kinds_with_a_way_of_their_own_are_exact_where_unrelated_pairs_are_sampled() {
    let mut sampled = 0;
    for (name, case) in cases() {
        let a = jacobian(&case, 250);
        let slow = slow(&case.network, &a);
        // Enough for the rarer kinds of small slots, not for everything: both ways are met over the cases.
        for exhaustive_up_to in [0.0, 3e4] {
            let settings = JacobianCosines {
                exhaustive_up_to,
                sampled_pairs: 400,
                climbs: 1,
                ..JacobianCosines::default()
            };
            let law = settings.examine(&case.network, &a, &Seed::root(1)).unwrap();
            assert_eq!(law.laws.len(), slow.len());
            for found in &law.laws {
                let slow = &slow[&key(found)];
                if found.certainty == Certainty::Exact {
                    check_exact(found, slow, 2.0 * law.error_bound, &name);
                    continue;
                }
                sampled += 1;
                let Certainty::Sampled {
                    standard_error,
                    replicates,
                } = found.certainty
                else {
                    panic!("{found:?}")
                };
                assert_eq!(replicates as u64, found.examined);
                assert_eq!(found.pairs, slow.cosines.len() as u64, "{name}");
                // 64 draws a pair that is asked for: a kind that is rarer than that in its slots yields fewer.
                let of_slots = law.laws.iter().filter(|l| l.slots == found.slots).map(|l| l.pairs);
                let rare = 32 * found.pairs < of_slots.sum();
                assert!(found.examined == 400 || rare && found.examined >= 2, "{name}");
                let drawn = found.examined as f64;
                let squares: Vec<f64> = slow.cosines.iter().map(|c| c * c).collect();
                let mean = squares.iter().sum::<f64>() / squares.len() as f64;
                let deviation = squares.iter().map(|s| (s - mean) * (s - mean)).sum::<f64>() / squares.len() as f64;
                // Six standard errors of the truth: about 2e-9 for one, a few hundred are compared.
                let allowed = 6.0 * (deviation / drawn).sqrt() + 2.0 * law.error_bound;
                assert!(
                    (found.mean_square - mean).abs() <= allowed,
                    "{name} {:?}: {} {mean}",
                    key(found),
                    found.mean_square
                );
                // The reported standard error is the sample's own: within a factor of the true one where it is not tiny.
                assert!(standard_error <= 3.0 * (deviation / drawn).sqrt() + 1e-2);
                let largest = slow.cosines.iter().fold(0.0, |m: f64, c| m.max(*c));
                assert_eq!(found.largest_certainty, Certainty::LowerBound);
                assert!(found.largest <= largest + 2.0 * law.error_bound, "{name}");
            }
        }
    }
    assert!(sampled > 100);
}

#[test]
fn the_ways_of_their_own_find_what_the_full_search_finds() {
    let case = Case::new("mlp:24-18-12");
    let a = jacobian(&case, 100_000);
    let full = JacobianCosines::default()
        .examine(&case.network, &a, &Seed::root(0))
        .unwrap();
    // The slots have 144, 432 and 216 weights and 9 samples: 4e5 pays for what shares something and not for the rest.
    let some = JacobianCosines {
        exhaustive_up_to: 1e5,
        ..JacobianCosines::default()
    };
    let some = some.examine(&case.network, &a, &Seed::root(0)).unwrap();
    let mut own_way = Vec::new();
    for (x, y) in full.laws.iter().zip(&some.laws) {
        assert_eq!(key(x), key(y));
        if y.certainty == Certainty::Exact {
            assert!((x.mean_square - y.mean_square).abs() <= 2.0 * full.error_bound + x.pairs as f64 * f64::EPSILON);
            assert!((x.largest - y.largest).abs() <= 2.0 * full.error_bound);
            own_way.push(x.kind);
        } else {
            assert_eq!(x.kind, PairKind::Unrelated);
            // The climb reaches within a twentieth of the largest of tens of thousands of pairs.
            assert!(y.largest >= 0.95 * x.largest, "{} of {}", y.largest, x.largest);
        }
    }
    for kind in PairKind::ALL {
        assert!(own_way.contains(&kind));
    }
}

#[test]
fn numbers_out_of_range_and_foreign_operators_are_refused() {
    let case = Case::new("mlp:7-5");
    let a = jacobian(&case, 500);
    let default = JacobianCosines::default();
    for settings in [
        JacobianCosines { bins: 0, ..default },
        JacobianCosines {
            sampled_pairs: 1,
            ..default
        },
        JacobianCosines {
            exhaustive_up_to: f64::NAN,
            ..default
        },
    ] {
        assert!(settings.examine(&case.network, &a, &Seed::root(0)).is_err());
    }
    let other = Network::preset("mlp:2", 3, 4).unwrap();
    assert!(default.examine(&other, &a, &Seed::root(0)).is_err());
    let at = Linearisation::new(&case.network, &case.theta, &case.inputs).unwrap();
    let weights = case.network.layout().weights();
    let projected = at.jacobian(&weights, RowTransform::Identity, Biases::Free).unwrap();
    assert!(default.examine(&case.network, &projected, &Seed::root(0)).is_err());
}
