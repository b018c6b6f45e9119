//! What a step, a gradient, a Hessian product and the products of a Jacobian cost on LeNet-300-100.

use divan::Bencher;
use rand::RngExt;
use ticketsense::Seed;
use ticketsense::linalg::gemm;
use ticketsense::linalg::lanczos::Lanczos;
use ticketsense::linearize::{Biases, Curvature, CurvatureKind, Linearisation, RowTransform};
use ticketsense::networks::{Array, Initialisation, Loss, Network, Real, Workspace};
use ticketsense::operators::MeasurementOperator;
use ticketsense::support::Mask;
use ticketsense::training::{Examples, Trainer, TrainingPlan};

fn main() {
    divan::main();
}

const FEATURES: usize = 784;
const BATCH: usize = 60;

fn lenet() -> Network {
    Network::preset("lenet-300-100", FEATURES, 10).expect("a known preset")
}

fn start<T: Real>(network: &Network) -> Vec<T> {
    network
        .initial(&Seed::root(0), &Initialisation::GLOROT)
        .expect("finite variances")
}

fn samples<T: Real>(count: usize) -> (Array<T>, Vec<usize>) {
    let inputs = Array::from_fn(count, FEATURES, |i, j| T::of((((i + 1) * (j + 3)) as f64).sin()));
    (inputs, (0..count).map(|i| i % 10).collect())
}

/// Steps of one measurement: a training keeps its buffers from its first step to its last.
const STEPS: usize = 20;

/// Every weight kept with the same chance, in a fixed pattern.
fn random_mask(network: &Network, density: f64) -> Mask {
    let mut rng = Seed::root(2).rng();
    let mut mask = network.layout().full_mask();
    for &index in network.layout().weights().indices() {
        mask.set(index, rng.random::<f64>() < density);
    }
    mask
}

fn adam_step<T: Real>(bencher: Bencher<'_, '_>, network: &Network, density: f64) {
    let seed = Seed::root(1);
    let inputs = Array::from_fn(600, network.inputs(), |i, j| T::of((((i + 1) * (j + 3)) as f64).sin()));
    let labels: Vec<usize> = (0..600).map(|i| i % 10).collect();
    let examples = Examples::labelled(&inputs, &labels);
    let plan = TrainingPlan {
        batch: BATCH,
        steps: usize::MAX,
        evaluate_every: usize::MAX,
        ..TrainingPlan::default()
    };
    let mask = random_mask(network, density);
    let trainer = Trainer::new(network, plan, examples, examples, &mask, &seed).expect("data that fit");
    let mut state = trainer.start(&start(network)).expect("parameters that fit");
    bencher.counter(divan::counter::ItemsCount::new(STEPS)).bench_local(|| {
        let until = state.step + STEPS;
        trainer.advance(&mut state, until, &mut |_| true)
    });
}

#[divan::bench(args = [1.0, 0.25, 0.1, 0.05, 0.02])]
fn adam_step_single_precision(bencher: Bencher<'_, '_>, density: f64) {
    adam_step::<f32>(bencher, &lenet(), density);
}

#[divan::bench(args = [1.0, 0.3, 0.1, 0.05, 0.02])]
fn adam_step_double_precision(bencher: Bencher<'_, '_>, density: f64) {
    adam_step::<f64>(bencher, &lenet(), density);
}

#[divan::bench(args = [1.0, 0.1, 0.05], sample_count = 3, sample_size = 1)]
fn adam_step_of_a_convolutional_network(bencher: Bencher<'_, '_>, density: f64) {
    let network = Network::preset("conv-2", 3 * 32 * 32, 10).expect("a known preset");
    adam_step::<f32>(bencher, &network, density);
}

#[divan::bench]
fn gradient_in_place_single_precision(bencher: Bencher<'_, '_>) {
    let network = lenet();
    let (inputs, labels) = samples::<f32>(BATCH);
    let targets = Loss::CrossEntropy
        .targets((&labels).into(), BATCH, 10)
        .expect("labels that fit");
    let (theta, rows): (Vec<f32>, Vec<usize>) = (start(&network), (0..BATCH).collect());
    let (mut workspace, mut gradient) = (
        Workspace::new(&network, &network.layout().full_mask(), BATCH),
        vec![0.0; theta.len()],
    );
    bencher.bench_local(|| {
        workspace.loss_and_gradient(&theta, &inputs, &targets, &rows, Loss::CrossEntropy, &mut gradient)
    });
}

#[divan::bench]
fn gradient_double_precision(bencher: Bencher<'_, '_>) {
    let network = lenet();
    let (inputs, labels) = samples::<f64>(BATCH);
    let theta: Vec<f64> = start(&network);
    bencher.bench_local(|| network.gradient(&theta, &inputs, &labels, Loss::CrossEntropy));
}

#[divan::bench]
fn hessian_vector_double_precision(bencher: Bencher<'_, '_>) {
    let network = lenet();
    let (inputs, labels) = samples::<f64>(BATCH);
    let theta: Vec<f64> = start(&network);
    bencher.bench_local(|| network.hessian_vector(&theta, &theta, &inputs, &labels, Loss::CrossEntropy));
}

/// Samples of a measurement of curvature.
const SAMPLES: usize = 1000;

/// The matrix products that one product with the Hessian of LeNet-300-100 cannot do without: `V a` and `δ̇ aᵀ` of the first
/// layer, and six of every layer above. What the operator takes beyond this is its own.
#[divan::bench(sample_count = 20)]
fn hessian_vector_bound_single_precision(bencher: Bencher<'_, '_>) {
    multiply_layers(bencher, [(FEATURES, 300, 2), (300, 100, 6), (100, 10, 6)]);
}

/// With those of the point: a forward pass, and the cotangents above the first layer.
#[divan::bench(sample_count = 20)]
fn hessian_vector_from_scratch_bound_single_precision(bencher: Bencher<'_, '_>) {
    multiply_layers(bencher, [(FEATURES, 300, 3), (300, 100, 7), (100, 10, 8)]);
}

/// So many products of matrices a layer, of the shapes of a forward pass and of a weight gradient in turn.
fn multiply_layers(bencher: Bencher<'_, '_>, shapes: [(usize, usize, usize); 3]) {
    let mut layers: Vec<_> = shapes
        .iter()
        .map(|&(ins, outs, _)| {
            (
                vec![0.5f32; SAMPLES * ins],
                vec![0.5f32; SAMPLES * outs],
                vec![0.5f32; ins * outs],
            )
        })
        .collect();
    bencher.bench_local(|| {
        for (&(ins, outs, times), (input, output, weight)) in shapes.iter().zip(&mut layers) {
            for time in 0..times {
                if time % 2 == 0 {
                    gemm(SAMPLES, ins, outs, input, false, weight, true, output, false);
                } else {
                    gemm(outs, SAMPLES, ins, output, true, input, false, weight, false);
                }
            }
        }
    });
}

fn curvature(density: f64) -> (Curvature<f32>, Vec<f32>) {
    let network = lenet();
    let (inputs, labels) = samples::<f32>(SAMPLES);
    let (kind, loss, theta) = (CurvatureKind::Hessian, Loss::CrossEntropy, start::<f32>(&network));
    let mask = random_mask(&network, density);
    let at = Curvature::of_mask(kind, &network, &theta, &inputs, &labels, loss, &mask).expect("samples that fit");
    let direction = (0..at.parameters().len()).map(|i| (i as f32).sin()).collect();
    (at, direction)
}

/// Products at a point that is kept.
#[divan::bench(args = [1.0, 0.3, 0.2, 0.1, 0.05], sample_count = 20)]
fn hessian_vector_kept_single_precision(bencher: Bencher<'_, '_>, density: f64) {
    let (at, direction) = curvature(density);
    let mut product = vec![0.0; direction.len()];
    bencher.bench_local(|| at.product_into(&direction, &mut product));
}

/// The point and one product.
#[divan::bench(sample_count = 20)]
fn hessian_vector_from_scratch_single_precision(bencher: Bencher<'_, '_>) {
    let network = lenet();
    let (inputs, labels) = samples::<f32>(SAMPLES);
    let (kind, loss, theta) = (CurvatureKind::Hessian, Loss::CrossEntropy, start::<f32>(&network));
    let all = network.layout().full_mask().support();
    let mut product = theta.clone();
    bencher.bench_local(|| {
        Curvature::new(kind, &network, &theta, &inputs, &labels, loss, &all)
            .map(|at| at.product_into(&theta, &mut product))
    });
}

/// Another point in the room that is there, and one product: what a curvature along a training costs.
#[divan::bench(sample_count = 20)]
fn hessian_vector_moved_single_precision(bencher: Bencher<'_, '_>) {
    let network = lenet();
    let (inputs, labels) = samples::<f32>(SAMPLES);
    let theta = start::<f32>(&network);
    let (mut at, direction) = curvature(1.0);
    let mut product = vec![0.0; direction.len()];
    bencher.bench_local(|| {
        at.move_to(&theta, &inputs, &labels)
            .map(|()| at.product_into(&direction, &mut product))
    });
}

/// A hundred Lanczos steps from one direction with all residuals, full reorthogonalisation included.
#[divan::bench(sample_count = 3, sample_size = 1)]
fn hundred_lanczos_steps_single_precision(bencher: Bencher<'_, '_>) {
    let (at, direction) = curvature(1.0);
    let method = Lanczos {
        max_steps: 100,
        tolerance: 0.0,
    };
    bencher.bench_local(|| method.symmetric(direction.len(), |x, y| at.apply_into(x, y), &Seed::root(4)));
}

/// The same by the layers over values with tangents.
#[divan::bench(sample_count = 5)]
fn hessian_vector_by_layers_single_precision(bencher: Bencher<'_, '_>) {
    let network = lenet();
    let (inputs, labels) = samples::<f32>(SAMPLES);
    let theta: Vec<f32> = start(&network);
    bencher.bench_local(|| network.hessian_vector(&theta, &theta, &inputs, &labels, Loss::CrossEntropy));
}

/// The flagship's network and number of samples.
fn flagship() -> (Network, Linearisation) {
    let network = Network::preset("mlp:50-30", 64, 10).expect("a known preset");
    let inputs = Array::from_fn(300, 64, |i, j| (((i + 1) * (j + 3)) as f64).sin());
    let at = Linearisation::new(&network, &start::<f64>(&network), &inputs).expect("inputs that fit");
    (network, at)
}

#[divan::bench(sample_count = 10)]
fn jacobian_with_free_biases(bencher: Bencher<'_, '_>) {
    let (network, at) = flagship();
    let weights = network.layout().weights();
    bencher.bench_local(|| at.jacobian(&weights, RowTransform::Centred, Biases::Free));
}

#[divan::bench]
fn jacobian_adjoint(bencher: Bencher<'_, '_>) {
    let (network, at) = flagship();
    let weights = network.layout().weights();
    let a = at
        .jacobian(&weights, RowTransform::Centred, Biases::Free)
        .expect("weights only");
    let y: Vec<f64> = (0..a.shape().rows).map(|i| (i as f64).sin()).collect();
    let mut x = vec![0.0; a.shape().columns];
    bencher.bench_local(|| a.adjoint_into(&y, &mut x));
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn lenet_jacobian_of_200_samples(bencher: Bencher<'_, '_>) {
    let network = lenet();
    let (inputs, _) = samples::<f64>(200);
    let theta: Vec<f64> = start(&network);
    let at = Linearisation::new(&network, &theta, &inputs).expect("inputs that fit");
    let a = at
        .jacobian(&network.layout().weights(), RowTransform::Centred, Biases::Fixed)
        .expect("weights only");
    let y: Vec<f64> = (0..a.shape().rows).map(|i| (i as f64).sin()).collect();
    let mut x = vec![0.0; a.shape().columns];
    bencher.bench_local(|| a.adjoint_into(&y, &mut x));
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn lenet_tangent_kernel_of_200_samples(bencher: Bencher<'_, '_>) {
    let network = lenet();
    let (inputs, _) = samples::<f64>(200);
    let theta: Vec<f64> = start(&network);
    let weights = network.layout().weights();
    bencher.bench_local(|| {
        let at = Linearisation::new(&network, &theta, &inputs).expect("inputs that fit");
        let a = at
            .jacobian(&weights, RowTransform::Identity, Biases::Fixed)
            .expect("weights only");
        a.tangent_kernel()
    });
}

/// The Jacobian formed after all, into memory that is there already: 4.3 GB.
#[divan::bench(sample_count = 3, sample_size = 1)]
fn lenet_jacobian_of_200_samples_formed(bencher: Bencher<'_, '_>) {
    let network = lenet();
    let (inputs, _) = samples::<f64>(200);
    let theta: Vec<f64> = start(&network);
    let weights = network.layout().weights();
    let at = Linearisation::new(&network, &theta, &inputs).expect("inputs that fit");
    let a = at
        .jacobian(&weights, RowTransform::Identity, Biases::Fixed)
        .expect("weights only");
    let every: Vec<usize> = (0..a.shape().columns).collect();
    let mut out = nalgebra::DMatrix::zeros(a.shape().rows, every.len());
    bencher.bench_local(|| a.columns_into(&every, &mut out));
}
