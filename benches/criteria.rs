//! What scores cost on LeNet-300-100 beside the gradient passes that they need: ratios within one process, each the median
//! of interleaved repetitions, so that a busy machine slows both sides alike.
//!
//! `cargo bench --bench criteria`
//!
//! The last rows tell how near pruning in rounds is to memory: beside it stands a plain copy of what every round has to read
//! and write, 16 bytes for each weight that is left.

mod timing;

use std::time::Instant;
use ticketsense::Seed;
use ticketsense::networks::{Array, Initialisation, Loss, Network};
use ticketsense::pruning::{Allocation, Criterion, CriterionInput, ScoredPruning};
use ticketsense::training::Examples;
use timing::medians;

const SAMPLES: usize = 512;
const LOSS: Loss = Loss::CrossEntropy;

/// Median seconds of both, run in turn.
fn both(mut first: impl FnMut(), mut second: impl FnMut()) -> (f64, f64) {
    let found = medians(&mut [&mut first, &mut second]);
    (found[0], found[1])
}

fn main() -> ticketsense::Result<()> {
    let network = Network::preset("lenet-300-100", 784, 10)?;
    let theta: Vec<f32> = network.initial(&Seed::root(0), &Initialisation::GLOROT)?;
    let double: Vec<f64> = theta.iter().map(|&v| f64::from(v)).collect();
    let inputs = Array::from_fn(SAMPLES, 784, |i, j| (((i + 1) * (j + 3)) as f32).sin());
    let labels: Vec<usize> = (0..SAMPLES).map(|i| i % 10).collect();
    let mask = network.layout().full_mask();
    let input = CriterionInput {
        network: &network,
        theta: &theta,
        mask: &mask,
        initial: &theta,
        loss: LOSS,
        training: Examples::labelled(&inputs, &labels),
        seed: Seed::root(1),
    };
    let (wide, one) = (inputs.convert::<f64>(), Array::from_fn(1, 784, |_, _| 1.0));
    let gradient = || drop(network.gradient(&double, &wide, &labels, LOSS));
    let hessian = || drop(network.hessian_vector(&double, &double, &wide, &labels, LOSS));
    let single = || drop(network.gradient(&double, &one, &labels[..1], LOSS));
    let rounds = ScoredPruning {
        criterion: Criterion::SynFlow,
        density: 0.05,
        allocation: Allocation::Global,
        rounds: 100,
    };
    let lists: Vec<usize> = (0..rounds.rounds)
        .map(|round| {
            (network.layout().prunable() as f64 * rounds.density.powf(round as f64 / rounds.rounds as f64)) as usize
        })
        .collect();
    let (from, mut to) = (vec![1_u64; 2 * lists[0]], vec![0_u64; 2 * lists[0]]);
    let copies = || {
        for &left in &lists {
            to[..2 * left].copy_from_slice(std::hint::black_box(&from[..2 * left]));
            std::hint::black_box(&mut to);
        }
    };
    let score = |criterion: Criterion| drop(criterion.scores(&input));
    let rows = [
        ("snip / a gradient", both(|| score(Criterion::Snip), gradient)),
        (
            "grasp / a gradient and a Hessian product",
            both(
                || score(Criterion::Grasp),
                || {
                    gradient();
                    hessian();
                },
            ),
        ),
        ("a Hessian product / a gradient", both(hessian, gradient)),
        (
            "synflow / a gradient of one sample",
            both(|| score(Criterion::SynFlow), single),
        ),
        (
            "synflow pruning in 100 rounds / 100 gradients of one sample",
            both(|| drop(rounds.prune(&input)), || (0..100).for_each(|_| single())),
        ),
        (
            "synflow pruning in 100 rounds / copies of its lists",
            both(|| drop(rounds.prune(&input)), copies),
        ),
        (
            "optimal brain damage / 10 gradients",
            both(
                || score(Criterion::OptimalBrainDamage),
                || (0..10).for_each(|_| gradient()),
            ),
        ),
    ];
    println!("{:62}{:>10}{:>12}{:>8}", "", "ms", "passes, ms", "ratio");
    for (name, (time, passes)) in rows {
        println!(
            "{name:62}{:>10.3}{:>12.3}{:>8.2}",
            1e3 * time,
            1e3 * passes,
            time / passes
        );
    }
    let start = Instant::now();
    Criterion::OptimalBrainSurgeon.scores(&input)?;
    println!("optimal brain surgeon, once: {:.2} s", start.elapsed().as_secs_f64());
    Ok(())
}
