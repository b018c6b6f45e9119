//! Percolation in machine words: edges times replicates a second, beside what the random numbers alone would take and beside
//! one replicate after the other, in one process, medians of interleaved repetitions.
//!
//! `cargo bench --bench simulations`

mod timing;

use rand::Rng;
use std::hint::black_box;
use ticketsense::Seed;
use ticketsense::simulations::percolation::{LayeredGraph, LayeredNetwork, Wiring};
use timing::medians;

fn main() -> ticketsense::Result<()> {
    println!("percolation, 64 replicates a word; billions of edges times replicates a second on one core\n");
    println!(
        "{:38} {:>8} {:>8} {:>14} {:>12}",
        "network", "words", "graph", "random words", "one by one"
    );
    let seed = Seed::root(0);
    for (name, width, fan_out, keep, wiring) in [
        ("neighbours, 1024 x 100, 2 at 0.70", 1024, 2, 0.70, Wiring::Neighbouring),
        ("random, 1024 x 100, 8 at 0.15", 1024, 8, 0.15, Wiring::Random),
        ("random, 256 x 400, 3 at 0.40", 256, 3, 0.40, Wiring::Random),
        ("random, 100000 x 10, 10 at 0.12", 100_000, 10, 0.12, Wiring::Random),
    ] {
        let network = LayeredNetwork {
            width,
            fan_out,
            keep,
            wiring,
        };
        let depth = match width {
            1024 => 100,
            256 => 400,
            _ => 10,
        };
        let graph = LayeredGraph::wired(&network, depth, &seed)?;
        let edges = (width * fan_out * depth) as f64;
        // The 64 tosses of an edge take all digits of the probability until no lane is undecided: log₂ 64 + 4/3 words on
        // average.
        let words = (edges * (6.0 + 4.0 / 3.0)) as usize;
        let mut rng = seed.rng();
        let mut single = seed.clone();
        let found = medians(&mut [
            &mut || drop(black_box(network.percolate(width, depth, 1, &seed))),
            &mut || drop(black_box(graph.percolate(keep, width, 1, &seed))),
            &mut || {
                let mut sum = 0u64;
                (0..words).for_each(|_| sum ^= rng.next_u64());
                black_box(sum);
            },
            &mut || {
                single = single.stream("next");
                drop(black_box(network.reached(width, depth, 1, &single)));
            },
        ]);
        let rate = |replicates: f64, seconds: f64| replicates * edges / seconds / 1e9;
        println!(
            "{name:38} {:8.2} {:8.2} {:14.2} {:12.3}",
            rate(64.0, found[0]),
            rate(64.0, found[1]),
            rate(64.0, found[2]),
            rate(1.0, found[3])
        );
    }
    Ok(())
}
