//! Measured times of a training step and of inference by density. They leave no rows: only a file of their own and a
//! figure beside it.

use super::forward::Compressed;
use std::hint::black_box;
use std::time::Instant;
use ticketsense::harness::figures::{Axis, Colour, Figure, Panel, Series};
use ticketsense::harness::{Context, Scale};
use ticketsense::networks::{Array, Initialisation, Loss, Network, SlotKind, Workspace};
use ticketsense::pruning::controls::random_mask;
use ticketsense::table::Table;
use ticketsense::theory::mask_breakeven::memory_bound_speed_up;
use ticketsense::training::{Examples, Trainer, TrainingPlan};
use ticketsense::{Error, Mask, Result, Seed};

/// The network that is timed, on samples without meaning: time does not depend on them.
const NETWORK: &str = "lenet-300-100";
const FEATURES: usize = 784;
const CLASSES: usize = 10;
const SAMPLES: usize = 240;
const BATCH: usize = 60;

const STEP: &str = "training step, batch of 60";
const BATCHED: &str = "inference, batch of 60";
const SINGLE: &str = "products of one sample, compressed rows";
const SINGLE_FULL: &str = "products of one sample, full rows";
/// Between what was timed and the density.
const AT: &str = " at density ";

/// The densities timed, 1 first.
pub fn densities(scale: Scale) -> &'static [f64] {
    scale.pick(
        &[1.0, 0.1],
        &[1.0, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01],
        &[1.0, 0.7, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005],
    )
}

/// The shortest of several times of `work`, each the mean over `repeats`.
fn shortest(repeats: usize, tries: usize, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..tries {
        let start = Instant::now();
        for _ in 0..repeats {
            work()?;
        }
        best = best.min(start.elapsed().as_secs_f64() / repeats as f64);
    }
    Ok(best)
}

/// Times one density.
///
/// # Errors
/// As those of training.
pub fn measure(density: f64, context: &Context<'_>) -> Result<()> {
    // So many steps a try that what is prepared once for all of them does not show.
    let (steps, tries) = context.scale().pick((2, 2), (300, 5), (600, 15));
    let network = Network::preset(NETWORK, FEATURES, CLASSES)?;
    let seed = Seed::root(0).stream("measured");
    let mask = uniform(&network, density, &seed)?;
    let mut theta: Vec<f32> = network.initial(&seed, &Initialisation::GLOROT)?;
    mask.apply(&mut theta)?;
    // Numbers between -1 and 1 that repeat late.
    let entry = |i: usize, j: usize| ((i * 31 + j * 17) % 101) as f32 / 50.5 - 1.0;
    let inputs = Array::from_fn(SAMPLES, FEATURES, entry);
    let labels: Vec<usize> = (0..SAMPLES).map(|i| i % CLASSES).collect();
    let record = |what: &str, seconds: f64| context.timing(&format!("{what}{AT}{density}"), seconds);

    let plan = TrainingPlan {
        batch: BATCH,
        steps: usize::MAX,
        evaluate_every: usize::MAX,
        ..TrainingPlan::default()
    };
    let examples = Examples::labelled(&inputs, &labels);
    let trainer = Trainer::new(&network, plan, examples, examples, &mask, &seed)?;
    let mut state = trainer.start(&theta)?;
    // One advance for all steps of a try: what is prepared once is shared by them, as in a training.
    let advance = || {
        let until = state.step + steps;
        trainer.advance(&mut state, until, &mut |_| true)
    };
    record(STEP, shortest(1, tries, advance)? / steps as f64);
    context.check()?;

    let (few, few_labels) = (inputs.rows_between(0..BATCH), labels[..BATCH].to_vec());
    let targets = Loss::CrossEntropy.targets((&few_labels).into(), BATCH, CLASSES)?;
    let mut workspace = Workspace::<f32>::new(&network, &mask, BATCH);
    let own = workspace.gather(&theta);
    let infer = || {
        black_box(workspace.score(&own, &few, &targets, Loss::CrossEntropy));
        Ok(())
    };
    record(BATCHED, shortest(steps, tries, infer)?);
    context.check()?;

    let layers = Layers::new(&network, &theta, &mask);
    let sample = inputs.row(0);
    let compressed = || {
        black_box(layers.compressed(black_box(sample)));
        Ok(())
    };
    record(SINGLE, shortest(steps, tries, compressed)?);
    if density == 1.0 {
        let full = || {
            black_box(layers.full(black_box(sample)));
            Ok(())
        };
        record(SINGLE_FULL, shortest(steps, tries, full)?);
    }
    Ok(())
}

fn uniform(network: &Network, density: f64, seed: &Seed) -> Result<Mask> {
    let layers: Vec<_> = network.layout().weight_ranges();
    let counts: Vec<usize> = layers
        .iter()
        .map(|range| (density * range.len() as f64).round() as usize)
        .collect();
    random_mask(network.layout().len(), &layers, &counts, seed)
}

/// The weight matrices of a multilayer perceptron, full and compressed. Biases are left out: the products are timed.
struct Layers {
    compressed: Vec<Compressed>,
    full: Vec<Vec<f32>>,
    sizes: Vec<(usize, usize)>,
}

impl Layers {
    fn new(network: &Network, theta: &[f32], mask: &Mask) -> Self {
        let (mut compressed, mut full, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
        for slot in network
            .layout()
            .slots()
            .iter()
            .filter(|slot| slot.kind == SlotKind::Weight)
        {
            let (rows, columns) = (slot.shape[0], slot.shape[1]);
            compressed.push(Compressed::new(theta, mask, slot.range.start, rows, columns));
            full.push(theta[slot.range.clone()].to_vec());
            sizes.push((rows, columns));
        }
        Layers {
            compressed,
            full,
            sizes,
        }
    }

    fn compressed(&self, sample: &[f32]) -> Vec<f32> {
        let mut values = sample.to_vec();
        for (matrix, &(rows, _)) in self.compressed.iter().zip(&self.sizes) {
            let product = |row: usize| {
                matrix
                    .row(row)
                    .map(|(column, weight)| weight * values[column])
                    .sum::<f32>()
            };
            values = (0..rows).map(|row| product(row).max(0.0)).collect();
        }
        values
    }

    /// Eight sums a row, so that a compiler may keep them in a vector register.
    fn full(&self, sample: &[f32]) -> Vec<f32> {
        let mut values = sample.to_vec();
        for (matrix, &(_, columns)) in self.full.iter().zip(&self.sizes) {
            let product = |row: &[f32]| {
                let mut sums = [0.0_f32; 8];
                let (rows, inputs) = (row.chunks_exact(8), values.chunks_exact(8));
                let rest: f32 = rows
                    .remainder()
                    .iter()
                    .zip(inputs.remainder())
                    .map(|(w, x)| w * x)
                    .sum();
                for (weights, entries) in rows.zip(inputs) {
                    for lane in 0..8 {
                        sums[lane] += weights[lane] * entries[lane];
                    }
                }
                sums.iter().sum::<f32>() + rest
            };
            values = matrix.chunks_exact(columns).map(|row| product(row).max(0.0)).collect();
        }
        values
    }
}

/// Speed-ups over density 1 with the model of a memory-bound product.
///
/// # Errors
/// When the times are not those of this experiment.
pub fn draw(timings: &Table) -> Result<Figure> {
    let mut times: Vec<(String, f64, f64)> = Vec::new();
    for record in timings.iter() {
        let name = record.text("name")?;
        let (what, density) = name
            .split_once(AT)
            .ok_or_else(|| Error::unknown("time", name, [STEP, BATCHED, SINGLE]))?;
        let density: f64 = density
            .parse()
            .map_err(|_| Error::argument("density of a time", "a number", density))?;
        times.push((what.to_string(), density, record.real("seconds")?));
    }
    let time = |what: &str, density: f64| times.iter().find(|(w, d, _)| w == what && *d == density).map(|t| t.2);
    let mut panel = Panel::new(
        "",
        Axis::log("density (fraction of weights kept)").reversed(),
        Axis::log("times as fast as all weights"),
    )
    .horizontal(1.0, "as fast as all weights");
    let smallest = times.iter().map(|t| t.1).fold(1.0, f64::min);
    for (what, reference, colour) in [
        (STEP, STEP, Colour::BLUE),
        (BATCHED, BATCHED, Colour::GREEN),
        (SINGLE, SINGLE_FULL, Colour::VERMILION),
    ] {
        let Some(full) = time(reference, 1.0) else { continue };
        let measured = times.iter().filter(|(w, _, _)| w == what);
        let points = measured.map(|&(_, density, seconds)| (density, full / seconds, full / seconds, full / seconds));
        panel = panel.series(
            Series::measured(what, points.collect::<Vec<_>>())
                .connected()
                .colour(colour),
        );
    }
    let mut model = Vec::new();
    for i in 0..=60 {
        let density = smallest.powf(f64::from(i) / 60.0);
        model.push((density, memory_bound_speed_up(density, 32.0, 32.0)?));
    }
    let operations = [(1.0, 1.0), (smallest, 1.0 / smallest)];
    Ok(Figure::new()
        .title("Measured: what does a pruned network cost to train and to run?")
        .panel_size(760.0, 460.0)
        .panel(
            panel
                .series(Series::line("operations, 1/ρ", operations).colour(Colour::BLACK).dashed())
                .series(Series::line("memory-bound model, 32-bit values and indices", model).colour(Colour::GREY).dotted()),
        )
        .caption(
            "LeNet-300-100 under random masks, single precision, one thread; the shortest of several times, on the machine that \
             the manifest names. Times differ from run to run and from machine to machine: no verdict reads them. A training \
             step is gathering, loss, gradient and Adam. Compressed rows are the plain loop over values and column indices, \
             beside a loop over full rows in eight lanes.",
        ))
}
