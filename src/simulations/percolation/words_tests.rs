use super::graph::LayeredGraph;
use super::words::LANES;
use super::{LayerMask, LayeredNetwork, ReachKernel, SetLaw, Wiring, connectivity};
use crate::outcome::Certainty;
use crate::seed::Seed;
use crate::simulations::judging::{deviations, plausible};

fn network(width: usize, fan_out: usize, keep: f64, wiring: Wiring) -> LayeredNetwork {
    LayeredNetwork {
        width,
        fan_out,
        keep,
        wiring,
    }
}

/// The probability that some unit of each layer, and the mean number that, is reached: over all subsets of the edges.
fn enumerated(graph: &LayeredGraph, keep: f64, sources: usize) -> Vec<(f64, f64)> {
    let edges = graph.edges();
    let mut found = vec![(0.0, 0.0); graph.widths().len()];
    for kept in 0u32..1 << edges {
        let count = kept.count_ones() as i32;
        let chance = keep.powi(count) * (1.0 - keep).powi(edges as i32 - count);
        let mut reached: u64 = (1 << sources) - 1;
        let mut first = 0;
        for (layer, &width) in graph.widths().iter().enumerate() {
            found[layer].0 += chance * f64::from(u8::from(reached != 0));
            found[layer].1 += chance * f64::from(reached.count_ones());
            let mut next = 0;
            if layer + 1 < graph.widths().len() {
                for unit in (0..width).filter(|u| reached >> u & 1 == 1) {
                    for edge in graph.starts[first + unit]..graph.starts[first + unit + 1] {
                        if kept >> edge & 1 == 1 {
                            next |= 1 << graph.targets[edge as usize];
                        }
                    }
                }
            }
            first += width;
            reached = next;
        }
    }
    found
}

#[test]
fn words_agree_with_the_enumeration_of_all_edge_subsets() {
    const BATCHES: usize = 400;
    let mask = LayerMask::new(3, 2, vec![true, false, true, true, false, true]).unwrap();
    let out = LayerMask::new(2, 3, vec![true, true, false, false, true, true]).unwrap();
    let graphs = [
        (LayeredGraph::full(&[2, 3, 2]).unwrap(), 1),
        (LayeredGraph::full(&[1, 2, 2, 1]).unwrap(), 1),
        (LayeredGraph::of_masks(&[mask, out]).unwrap(), 2),
        (
            LayeredGraph::wired(&network(3, 2, 1.0, Wiring::Neighbouring), 2, &Seed::root(0)).unwrap(),
            1,
        ),
        (
            LayeredGraph::wired(&network(3, 2, 1.0, Wiring::Random), 2, &Seed::root(0)).unwrap(),
            2,
        ),
    ];
    let level = 1e-3 / 40.0;
    for (number, (graph, sources)) in graphs.iter().enumerate() {
        for keep in [0.3, 0.75] {
            let seed = Seed::root(1).stream(format!("{number} {keep}"));
            let found = graph.percolate(keep, *sources, BATCHES, &seed).unwrap();
            for (layer, (alive, mean)) in enumerated(graph, keep, *sources).into_iter().enumerate() {
                let count = found.connected(layer).unwrap();
                assert!(
                    plausible(count, BATCHES * LANES, alive, level),
                    "{number} {keep} {layer}"
                );
                let estimate = found.fraction(layer).unwrap();
                let Certainty::Sampled { standard_error, .. } = estimate.certainty else {
                    panic!()
                };
                let gap = (estimate.value - mean / graph.widths()[layer] as f64).abs();
                assert!(
                    gap <= deviations(level) * standard_error + 1e-12,
                    "{number} {keep} {layer}: {gap}"
                );
            }
        }
    }
}

#[test]
fn random_wiring_by_words_follows_the_exact_law_with_errors_between_batches() {
    const BATCHES: usize = 1000;
    let (width, fan_out, keep, depth) = (12, 3, 0.45, 8);
    let found = network(width, fan_out, keep, Wiring::Random)
        .percolate(1, depth, BATCHES, &Seed::root(2))
        .unwrap();
    assert!(!found.are_independent() && found.replicates() == BATCHES * LANES);
    let laws = ReachKernel::random_wiring(width, fan_out, keep)
        .unwrap()
        .laws_from(1, depth)
        .unwrap();
    for layer in [1, 3, depth] {
        let mean: f64 = laws[layer].iter().enumerate().map(|(n, p)| n as f64 * p).sum();
        for (estimate, truth) in [
            (found.connection_probability(layer).unwrap(), 1.0 - laws[layer][0]),
            (found.fraction(layer).unwrap(), mean / width as f64),
        ] {
            let Certainty::Sampled {
                standard_error,
                replicates,
            } = estimate.certainty
            else {
                panic!()
            };
            assert_eq!(replicates, BATCHES);
            let gap = (estimate.value - truth).abs();
            assert!(
                gap <= deviations(1e-3 / 6.0) * standard_error,
                "{layer}: {gap} {standard_error}"
            );
        }
    }
}

#[test]
fn given_and_implicit_neighbours_are_the_same_to_the_bit_and_batches_extend_a_run() {
    let net = network(30, 3, 0.4, Wiring::Neighbouring);
    let graph = LayeredGraph::wired(&net, 12, &Seed::root(0)).unwrap();
    assert_eq!(graph.edges(), 30 * 3 * 12);
    let few = net.percolate(5, 12, 3, &Seed::root(7)).unwrap();
    assert_eq!(few, graph.percolate(0.4, 5, 3, &Seed::root(7)).unwrap());
    let many = net.percolate(5, 12, 5, &Seed::root(7)).unwrap();
    assert_eq!(many.alive[..few.alive.len()], few.alive);
    assert_eq!(many.reached[..few.reached.len()], few.reached);
}

#[test]
fn live_units_and_edges_are_those_of_the_masks_that_were_kept() {
    // With every edge kept the counts are those of the mask itself.
    let first = LayerMask::new(3, 4, (0..12).map(|i| i % 3 != 1).collect()).unwrap();
    let second = LayerMask::new(2, 3, vec![true, false, false, false, false, true]).unwrap();
    let masks = [first, second];
    let graph = LayeredGraph::of_masks(&masks).unwrap();
    let found = graph.live(1.0, 2, &Seed::root(0)).unwrap();
    let truth = connectivity(&masks).unwrap();
    assert_eq!(found.connected, found.replicates);
    assert_eq!(found.live_units[1] as usize, 128 * truth.live_units(1).unwrap());
    let live = truth.effective_density() * 18.0 * 128.0;
    assert!(
        (found.live_edges as f64 - live).abs() < 1e-6,
        "{} {live}",
        found.live_edges
    );
    // One chain of two edges: everything lives together, with probability keep².
    let chain = LayeredGraph::full(&[1, 1, 1]).unwrap();
    let found = chain.live(0.6, 300, &Seed::root(3)).unwrap();
    assert!(plausible(found.connected, found.replicates, 0.36, 1e-3));
    assert_eq!(found.live_units, [found.connected as u64; 3]);
    assert_eq!(found.live_edges, 2 * found.connected as u64);
}

#[test]
fn nonsense_is_refused() {
    let seed = Seed::root(0);
    let graph = LayeredGraph::full(&[2, 2]).unwrap();
    for (keep, sources, batches) in [(1.5, 1, 1), (f64::NAN, 1, 1), (0.5, 0, 1), (0.5, 3, 1), (0.5, 1, 0)] {
        assert!(graph.percolate(keep, sources, batches, &seed).is_err());
    }
    assert!(graph.live(2.0, 1, &seed).is_err());
    assert!(LayeredGraph::full(&[3]).is_err() && LayeredGraph::full(&[3, 0]).is_err());
    assert!(LayeredGraph::full(&[1 << 20, 1 << 20]).is_err());
    let narrow = LayerMask::new(2, 3, vec![true; 6]).unwrap();
    assert!(LayeredGraph::of_masks(&[narrow.clone(), narrow]).is_err() && LayeredGraph::of_masks(&[]).is_err());
    assert!(network(3, 4, 0.5, Wiring::Random).percolate(1, 2, 1, &seed).is_err());
    let found = network(3, 2, 0.5, Wiring::Random).percolate(1, 2, 1, &seed).unwrap();
    assert!(found.connected(3).is_err() && found.fraction(9).is_err() && found.connection_probability(2).is_err());
}

#[test]
fn every_door_refuses_densities_that_are_no_probabilities_and_more_targets_than_units() {
    let seed = Seed::root(0);
    let full = LayeredGraph::full(&[2, 2]).unwrap();
    let refused = |name: &str, answer: crate::Result<()>| {
        assert!(
            matches!(answer, Err(crate::Error::Argument { .. })),
            "{name}: {answer:?}"
        );
    };
    for keep in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1e-9, 1.0 + 1e-9] {
        for wiring in [Wiring::Random, Wiring::Neighbouring] {
            let bad = network(5, 2, keep, wiring);
            refused("reached", bad.reached(1, 3, 3, &seed).map(drop));
            refused("percolate", bad.percolate(1, 3, 3, &seed).map(drop));
            refused("wired", LayeredGraph::wired(&bad, 3, &seed).map(drop));
        }
        refused(
            "set law",
            SetLaw::new(&network(5, 2, keep, Wiring::Neighbouring), 1).map(drop),
        );
        refused("graph", full.percolate(keep, 1, 1, &seed).map(drop));
        refused("live", full.live(keep, 1, &seed).map(drop));
        refused("full kernel", ReachKernel::full(3, 3, keep).map(drop));
        refused("random kernel", ReachKernel::random_wiring(3, 2, keep).map(drop));
    }
    for wiring in [Wiring::Random, Wiring::Neighbouring] {
        for fan_out in [0, 6, usize::MAX] {
            let bad = network(5, fan_out, 0.5, wiring);
            refused("reached", bad.reached(1, 3, 3, &seed).map(drop));
            refused("percolate", bad.percolate(1, 3, 3, &seed).map(drop));
            refused("wired", LayeredGraph::wired(&bad, 3, &seed).map(drop));
        }
    }
    refused("random kernel", ReachKernel::random_wiring(3, 4, 0.5).map(drop));
    refused("too wide", LayeredGraph::full(&[usize::MAX, usize::MAX, 2]).map(drop));
    refused(
        "too deep",
        network(5, 2, 0.5, Wiring::Random)
            .percolate(1, usize::MAX, 1, &seed)
            .map(drop),
    );
    refused(
        "too many",
        network(5, 2, 0.5, Wiring::Random)
            .percolate(1, 3, usize::MAX, &seed)
            .map(drop),
    );
}
