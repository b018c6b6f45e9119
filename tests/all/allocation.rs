//! A training step allocates nothing: the buffers of a workspace are those of its beginning.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use ticketsense::Seed;
use ticketsense::networks::{Array, Initialisation, Loss, Network, Real, Workspace};
use ticketsense::support::Mask;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counting a thread's requests.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: every call is handed on to the system's allocator as it came; counting touches nothing of it.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Allocations of the second gradient and the second score: the first of each may prepare what lasts.
fn allocations_of_a_step<T: Real>(network: &Network, density: f64) -> usize {
    let keep = |index: usize| (index * 7919 % 1000) < (1000.0 * density) as usize;
    let mut mask: Mask = network.layout().full_mask();
    for &index in network.layout().weights().indices() {
        mask.set(index, keep(index));
    }
    let inputs = Array::from_fn(70, network.inputs(), |i, j| {
        T::of(((i * 5 + j * 3) % 11) as f64 / 5.0 - 1.0)
    });
    let labels: Vec<usize> = (0..70).map(|i| i % 3).collect();
    let targets = Loss::CrossEntropy.targets((&labels).into(), 70, 3).unwrap();
    let theta: Vec<T> = network.initial(&Seed::root(0), &Initialisation::HE).unwrap();
    let mut workspace = Workspace::new(network, &mask, 66);
    let own = workspace.gather(&theta);
    let (mut gradient, rows): (Vec<T>, Vec<usize>) = (vec![T::ZERO; own.len()], (0..66).collect());
    let mut counted = 0;
    for _ in 0..2 {
        let before = ALLOCATIONS.with(Cell::get);
        workspace.loss_and_gradient(&own, &inputs, &targets, &rows, Loss::CrossEntropy, &mut gradient);
        workspace.score(&own, &inputs, &targets, Loss::CrossEntropy);
        counted = ALLOCATIONS.with(Cell::get) - before;
    }
    assert!(gradient.iter().any(|g| *g != T::ZERO));
    counted
}

#[test]
fn a_step_on_the_survivors_allocates_nothing() {
    for (name, inputs) in [("mlp:40-20", 30), ("mlp:40-20:tanh", 30), ("lenet-5", 784)] {
        let network = Network::preset(name, inputs, 3).unwrap();
        assert_eq!(allocations_of_a_step::<f32>(&network, 0.1), 0, "{name}");
        assert_eq!(allocations_of_a_step::<f64>(&network, 0.1), 0, "{name}");
    }
}
