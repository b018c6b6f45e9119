//! Costs of the estimators: `cargo bench --bench estimators`.

use divan::{Bencher, black_box};
use nalgebra::DMatrix;
use rand::RngExt;
use rand_distr::StandardNormal;
use ticketsense::Seed;
use ticketsense::estimators::design::{
    Criterion, DesignProblem, Exhaustive, ForwardGreedy, Prior, Relaxation, RelaxationSettings, RowSelector,
};
use ticketsense::estimators::{Babel, Coherence, Estimator, RestrictedIsometryConstant};
use ticketsense::linalg::dense::gram;
use ticketsense::linalg::small::{LANES, SmallSymmetric};
use ticketsense::operators::DenseOperator;

fn main() {
    divan::main();
}

fn gaussian(m: usize, n: usize) -> DMatrix<f64> {
    let mut rng = Seed::root(0).stream("bench").rng();
    DMatrix::from_fn(m, n, |_, _| rng.sample::<f64, _>(StandardNormal) / (m as f64).sqrt())
}

/// Eight matrices a call.
#[divan::bench(args = [5, 10, 20, 50])]
fn both_ends_of_eight_small_spectra(bencher: Bencher<'_, '_>, order: usize) {
    let g = gram(&gaussian(4 * order, order));
    let mut batch = SmallSymmetric::new(order).expect("order in range");
    bencher.bench_local(|| {
        for lane in 0..LANES {
            batch.load(lane, |i, j| g[(i, j)]);
        }
        batch.extremes().expect("finite")
    });
}

/// All `C(40, order)` supports at both ends, the search for the incumbents and the orders' shared bounds included.
#[divan::bench(args = [3, 4, 5, 6, 8], sample_count = 10)]
fn exact_isometry_constant_of_20_by_40(bencher: Bencher<'_, '_>, order: usize) {
    let a = DenseOperator::new(gaussian(20, 40)).expect("finite");
    let settings = RestrictedIsometryConstant::of_order(order);
    bencher.bench_local(|| settings.estimate(black_box(&a), &Seed::root(1)).expect("in range"));
}

/// The same supports, one small eigenproblem each, eight at a time: what the shared elimination saves.
#[divan::bench(sample_count = 3)]
fn every_support_of_20_by_40_at_order_5_by_eigenvalues(bencher: Bencher<'_, '_>) {
    let g = gram(&gaussian(20, 40));
    let mut batch = SmallSymmetric::new(5).expect("order in range");
    bencher.bench_local(|| {
        let (mut low, mut high) = (f64::MAX, f64::MIN);
        let mut lane = 0;
        let mut support = [0, 1, 2, 3, 4];
        loop {
            batch.load(lane, |i, j| g[(support[i], support[j])]);
            lane = (lane + 1) % LANES;
            if lane == 0 {
                let ends = batch.extremes().expect("finite");
                low = ends.smallest.iter().fold(low, |m, v| m.min(*v));
                high = ends.largest.iter().fold(high, |m, v| m.max(*v));
            }
            let Some(i) = (0..5).rev().find(|&i| support[i] < 35 + i) else {
                return (low, high);
            };
            support[i] += 1;
            for j in i + 1..5 {
                support[j] = support[j - 1] + 1;
            }
        }
    });
}

#[divan::bench(sample_count = 5)]
fn gram_matrix_of_1000_by_5000(bencher: Bencher<'_, '_>) {
    let a = gaussian(1000, 5000);
    bencher.bench_local(|| gram(black_box(&a)));
}

#[divan::bench(sample_count = 5)]
fn coherence_of_1000_by_5000(bencher: Bencher<'_, '_>) {
    let a = DenseOperator::new(gaussian(1000, 5000)).expect("finite");
    bencher.bench_local(|| Coherence.estimate(black_box(&a), &Seed::root(0)).expect("finite"));
}

#[divan::bench(sample_count = 5)]
fn babel_to_order_20_of_1000_by_5000(bencher: Bencher<'_, '_>) {
    let a = DenseOperator::new(gaussian(1000, 5000)).expect("finite");
    let settings = Babel { max_order: 20 };
    bencher.bench_local(|| settings.estimate(black_box(&a), &Seed::root(0)).expect("finite"));
}

/// Greedy selection of rows of 1000 by 100 by the trace of the posterior covariance.
#[divan::bench(args = [50, 200], sample_count = 5)]
fn greedy_a_optimal_rows_of_1000_by_100(bencher: Bencher<'_, '_>, count: usize) {
    let prior = Prior::Isotropic { precision: 1.0 };
    let problem = DesignProblem::new(&gaussian(1000, 100), &prior, 0.1, Criterion::A).expect("finite");
    bencher.bench_local(|| {
        ForwardGreedy
            .select(black_box(&problem), count, &Seed::root(0))
            .expect("in range")
    });
}

/// All 705,432 choices of 11 of 22 rows in 8 unknowns.
#[divan::bench(args = [Criterion::A, Criterion::D], sample_count = 3)]
fn every_choice_of_11_of_22_rows(bencher: Bencher<'_, '_>, criterion: Criterion) {
    let prior = Prior::Isotropic { precision: 1.0 };
    let problem = DesignProblem::new(&gaussian(22, 8), &prior, 0.1, criterion).expect("finite");
    bencher.bench_local(|| {
        Exhaustive::default()
            .select(black_box(&problem), 11, &Seed::root(0))
            .expect("within the limit")
    });
}

/// The relaxation of 60 of 300 rows in 30 unknowns, to its default gap.
#[divan::bench(args = Criterion::ALL, sample_count = 3)]
fn relaxation_of_60_of_300_rows(bencher: Bencher<'_, '_>, criterion: Criterion) {
    let prior = Prior::Isotropic { precision: 1.0 };
    let problem = DesignProblem::new(&gaussian(300, 30), &prior, 0.1, criterion).expect("finite");
    let relaxation = Relaxation::solve(&problem, 60, RelaxationSettings::default()).expect("solvable");
    println!(
        "{criterion:?}: {} steps, value {}, bound {}",
        relaxation.steps, relaxation.value, relaxation.lower_bound
    );
    bencher
        .bench_local(|| Relaxation::solve(black_box(&problem), 60, RelaxationSettings::default()).expect("solvable"));
}
