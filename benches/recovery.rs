//! Speed of the recovery solvers at the sizes of the published comparisons. One thread; data are made outside the timing.

use divan::{Bencher, counter::ItemsCount};
use rand::seq::index::sample;
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use ticketsense::Seed;
use ticketsense::operators::{DenseOperator, GaussianEnsemble, MeasurementOperator};
use ticketsense::recovery::{
    ApproximateMessagePassing, BasisPursuit, IterativeHardThresholding, Lasso, NormalisedIht, Omp, Penalty,
    PlantedTest, Solver,
};

fn main() {
    divan::main();
}

/// A Gaussian operator and the measurements of random signs, with noise of the given standard deviation an entry.
fn instance(rows: usize, columns: usize, nonzeros: usize, noise: f64, replicate: u64) -> (DenseOperator, Vec<f64>) {
    let seed = Seed::root(7).replicate(replicate);
    let a = GaussianEnsemble { rows, columns }.draw(&seed).expect("a valid shape");
    let mut rng = seed.stream("signal").rng();
    let mut x = vec![0.0; columns];
    for j in sample(&mut rng, columns, nonzeros) {
        x[j] = if rng.next_u32().is_multiple_of(2) { 1.0 } else { -1.0 };
    }
    let mut y = a.apply(&x).expect("fitting lengths");
    y.iter_mut()
        .for_each(|y| *y += noise * rng.sample::<f64, _>(StandardNormal));
    (a, y)
}

/// 1000 × 5000, 50 signs, signal-to-noise ratio 10, to a gap of 1e-6 · ½‖y‖².
#[divan::bench(args = [0.1, 0.01])]
fn lasso_1000_by_5000(bencher: Bencher<'_, '_>, ratio: f64) {
    let (a, y) = instance(1000, 5000, 50, (50.0f64 / 1000.0 / 10.0).sqrt(), 0);
    let solver = Lasso {
        tolerance: 1e-6,
        ..Lasso::new(Penalty::RatioOfMax(ratio))
    };
    bencher.bench_local(|| solver.solve(&a, &y));
}

/// 500 rows and more and more columns, the nonzeros of the answer about the same: a gradient is one pass over the matrix, and
/// everything else grows with the support.
#[divan::bench(args = [1250, 2500, 5000, 10_000])]
fn lasso_500_rows(bencher: Bencher<'_, '_>, columns: usize) {
    let (a, y) = instance(500, columns, 25, (25.0f64 / 500.0 / 10.0).sqrt(), 0);
    let solver = Lasso {
        tolerance: 1e-6,
        ..Lasso::new(Penalty::RatioOfMax(0.3))
    };
    bencher.bench_local(|| solver.solve(&a, &y));
}

/// Whether basis pursuit recovers ±1 spikes at the transition of δ = 1/2, proven; twenty matrices in turn.
#[divan::bench(args = [256, 512, 1000])]
fn recovery_decided_by_proof(bencher: Bencher<'_, '_>, columns: usize) {
    let nonzeros = (0.1925 * columns as f64).round() as usize;
    let problems: Vec<(DenseOperator, Vec<f64>)> = (0..20)
        .map(|replicate| {
            let seed = Seed::root(8).replicate(replicate);
            let rows = columns / 2;
            let a = GaussianEnsemble { rows, columns }.draw(&seed).expect("a valid shape");
            let mut x = vec![0.0; columns];
            for j in sample(&mut seed.stream("signal").rng(), columns, nonzeros) {
                x[j] = 1.0;
            }
            (a, x)
        })
        .collect();
    let mut next = (0..20).cycle();
    bencher.counter(ItemsCount::new(1usize)).bench_local(|| {
        next.next()
            .map(|i: usize| PlantedTest::default().run(&problems[i].0, &problems[i].1))
    });
}

/// 1000 × 5000, 100 signs, without noise.
#[divan::bench]
fn omp_1000_by_5000(bencher: Bencher<'_, '_>) {
    let (a, y) = instance(1000, 5000, 100, 0.0, 1);
    let solver = Omp {
        max_support: Some(100),
        ..Omp::default()
    };
    bencher.bench_local(|| solver.solve(&a, &y));
}

/// One adjoint: the floor of everything above.
#[divan::bench]
fn adjoint_1000_by_5000(bencher: Bencher<'_, '_>) {
    let (a, y) = instance(1000, 5000, 100, 0.0, 1);
    let mut x = vec![0.0; 5000];
    bencher.bench_local(|| a.adjoint_into(divan::black_box(&y), &mut x));
}

/// 128 × 256 at 0.8, 1 and 1.2 of the weak transition's 49.2 nonzeros; the rate is trials a second.
#[divan::bench(args = [39, 49, 59])]
fn basis_pursuit_128_by_256(bencher: Bencher<'_, '_>, nonzeros: usize) {
    let trials: Vec<_> = (0..32).map(|t| instance(128, 256, nonzeros, 0.0, t)).collect();
    bencher.counter(ItemsCount::new(trials.len())).bench_local(|| {
        trials
            .iter()
            .filter(|(a, y)| BasisPursuit::default().solve(a, y).is_ok_and(|r| r.status.is_success()))
            .count()
    });
}

/// 128 × 256 with 20 signs.
#[divan::bench]
fn iht_128_by_256(bencher: Bencher<'_, '_>) {
    let (a, y) = instance(128, 256, 20, 0.0, 3);
    let solver = IterativeHardThresholding::new(20);
    bencher.bench_local(|| solver.solve(&a, &y));
}

/// Iterations of a thresholding method in one timing: divide by it, and compare with one adjoint.
const STEPS: usize = 20;

/// 1000 × 5000 with 50 signs and noise, at a norm where the unit step contracts: no method below ends before its limit.
fn thresholding_instance() -> (DenseOperator, Vec<f64>) {
    let (a, y) = instance(1000, 5000, 50, 0.05, 4);
    (DenseOperator::new(a.matrix() * 0.4).expect("finite entries"), y)
}

/// `STEPS` adjoints: what that many passes over the matrix cost.
#[divan::bench]
fn passes_1000_by_5000(bencher: Bencher<'_, '_>) {
    let (a, y) = thresholding_instance();
    let mut x = vec![0.0; 5000];
    bencher
        .counter(ItemsCount::new(STEPS))
        .bench_local(|| (0..STEPS).for_each(|_| a.adjoint_into(divan::black_box(&y), &mut x)));
}

/// `STEPS` iterations with the unit step.
#[divan::bench]
fn iht_1000_by_5000(bencher: Bencher<'_, '_>) {
    let (a, y) = thresholding_instance();
    let solver = IterativeHardThresholding {
        tolerance: 0.0,
        max_iterations: STEPS,
        ..IterativeHardThresholding::new(50)
    };
    assert_eq!(solver.solve(&a, &y).map(|r| r.iterations).ok(), Some(STEPS));
    bencher
        .counter(ItemsCount::new(STEPS))
        .bench_local(|| solver.solve(&a, &y));
}

/// `STEPS` iterations with the adaptive step.
#[divan::bench]
fn niht_1000_by_5000(bencher: Bencher<'_, '_>) {
    let (a, y) = thresholding_instance();
    let solver = NormalisedIht {
        tolerance: 0.0,
        max_iterations: STEPS,
        ..NormalisedIht::new(50)
    };
    let iterations = solver.solve(&a, &y).map_or(0, |r| r.iterations);
    assert!(iterations > 1);
    bencher
        .counter(ItemsCount::new(iterations))
        .bench_local(|| solver.solve(&a, &y));
}

/// Iterations of message passing at the minimax threshold, which lets a tenth of the columns pass. Around them stand the
/// column lengths and the certificate: the difference of two rows is what the iterations alone cost.
#[divan::bench(args = [STEPS, 6 * STEPS])]
fn amp_1000_by_5000(bencher: Bencher<'_, '_>, steps: usize) {
    let (a, y) = thresholding_instance();
    let solver = ApproximateMessagePassing {
        tolerance: 0.0,
        max_iterations: steps,
        ..ApproximateMessagePassing::default()
    };
    assert_eq!(solver.solve(&a, &y).map(|r| r.iterations).ok(), Some(steps));
    bencher
        .counter(ItemsCount::new(steps))
        .bench_local(|| solver.solve(&a, &y));
}
