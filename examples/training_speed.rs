//! Training steps a second on real data, as one JSON object: what a step costs at a density.
//!
//! ```text
//! cargo run --release --example training_speed -- --data DIR [--network lenet-300-100] [--density 0.1] [--threads 1]
//!     [--steps 1000] [--repeats 5] [--batch 60] [--normalisation unit|standardised|raw] [--precision f32|f64]
//! ```
//!
//! A step is everything: gathering the batch, loss and gradient, Adam. The mask keeps the given fraction of every weight
//! layer at random, twice that of the last. Every thread trains a network of its own. Reported are steps a second of wall
//! time over all threads and steps a second of processor time of one thread, the median and the best of the repeats.

use rand::seq::SliceRandom;
use std::time::Instant;
use ticketsense::data::{self, Split};
use ticketsense::networks::{Array, Initialisation, Network, Real};
use ticketsense::support::Mask;
use ticketsense::training::{Examples, Trainer, TrainingPlan};
use ticketsense::{Error, Result, Seed};

fn main() -> Result<()> {
    let options = Options::read()?;
    let data = data::load_normalised(
        &options.text("data", "digits").parse()?,
        options.text("normalisation", "unit").parse()?,
    )?;
    match options.text("precision", "f32").as_str() {
        "f64" => measure::<f64>(&options, &data),
        _ => measure::<f32>(&options, &data),
    }
}

/// `--name value` pairs.
struct Options(Vec<(String, String)>);

impl Options {
    fn read() -> Result<Self> {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let mut pairs = Vec::new();
        for pair in words.chunks(2) {
            match pair {
                [name, value] if name.starts_with("--") => pairs.push((name[2..].to_string(), value.clone())),
                _ => return Err(Error::argument("options", "--name value pairs", words.join(" "))),
            }
        }
        Ok(Options(pairs))
    }

    fn text(&self, name: &str, default: &str) -> String {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map_or(default, |(_, value)| value).to_string()
    }

    fn number<N: std::str::FromStr>(&self, name: &str, default: &str) -> Result<N> {
        let word = self.text(name, default);
        word.parse().map_err(|_| Error::argument(name, "a number", word))
    }
}

/// Keeps the given fraction of every weight layer at random, twice that of the last.
fn random_mask(network: &Network, density: f64) -> Mask {
    let layout = network.layout();
    let mut mask = layout.full_mask();
    let last = layout.weight_slots().count() - 1;
    for (layer, slot) in layout.weight_slots().enumerate() {
        let fraction = if layer == last { 2.0 * density } else { density };
        let kept = (fraction.min(1.0) * slot.len() as f64).round() as usize;
        let mut indices: Vec<usize> = slot.range.clone().collect();
        indices.shuffle(&mut Seed::root(3).replicate(layer as u64).rng());
        for &index in &indices[kept..] {
            mask.set(index, false);
        }
    }
    mask
}

/// Processor seconds of this thread so far, where the system tells.
fn processor_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(text.split_whitespace().next()?.parse::<f64>().ok()? * 1e-9)
}

fn measure<T: Real + From<f32>>(options: &Options, data: &data::Dataset) -> Result<()> {
    let (batch, steps): (usize, usize) = (options.number("batch", "60")?, options.number("steps", "1000")?);
    let (repeats, threads): (usize, usize) = (options.number("repeats", "5")?, options.number("threads", "1")?);
    let density: f64 = options.number("density", "1")?;
    let samples = data.split(Split::Train);
    let inputs: Array<T> = data.batch(samples)?;
    let labels = data.labels_of(samples)?;
    let (few, few_labels): (Array<T>, _) = (data.batch(&samples[..batch])?, data.labels_of(&samples[..batch])?);
    let network = Network::preset(
        &options.text("network", "lenet-300-100"),
        data.features(),
        data.classes(),
    )?;
    let mask = random_mask(&network, density);
    let plan = TrainingPlan {
        batch,
        steps: usize::MAX,
        evaluate_every: usize::MAX,
        ..TrainingPlan::default()
    };
    // Every thread: one warm-up, then the repeats.
    let train = |thread: u64| -> Result<Vec<(f64, Option<f64>)>> {
        let (seed, examples) = (Seed::root(thread), Examples::labelled(&inputs, &labels));
        let watched = Examples::labelled(&few, &few_labels);
        let trainer = Trainer::new(&network, plan.clone(), examples, watched, &mask, &seed)?;
        let mut state = trainer.start(&network.initial(&seed, &Initialisation::GLOROT)?)?;
        let mut times = Vec::new();
        for _ in 0..=repeats {
            let (wall, processor) = (Instant::now(), processor_seconds());
            let until = state.step + steps;
            trainer.advance(&mut state, until, &mut |_| true)?;
            let used = processor.zip(processor_seconds()).map(|(before, after)| after - before);
            times.push((wall.elapsed().as_secs_f64(), used));
        }
        times.remove(0);
        Ok(times)
    };
    let runs: Vec<Vec<(f64, Option<f64>)>> = std::thread::scope(|scope| {
        let spawned: Vec<_> = (0..threads as u64).map(|t| scope.spawn(move || train(t))).collect();
        spawned
            .into_iter()
            .map(|handle| handle.join().unwrap_or_else(|_| Ok(Vec::new())))
            .collect::<Result<_>>()
    })?;
    let rate = |seconds: f64| steps as f64 / seconds;
    let mut wall: Vec<f64> = (0..repeats).map(|k| runs.iter().map(|r| rate(r[k].0)).sum()).collect();
    let mut processor: Vec<f64> = runs.iter().flatten().filter_map(|r| r.1.map(rate)).collect();
    wall.sort_by(f64::total_cmp);
    processor.sort_by(f64::total_cmp);
    let middle = |values: &[f64]| values.get(values.len() / 2).copied();
    println!(
        "{}",
        serde_json::json!({
            "network": network.name(),
            "precision": T::NAME,
            "density": network.layout().density(&mask),
            "batch": batch,
            "threads": threads,
            "steps_per_second": middle(&wall),
            "best_steps_per_second": wall.last(),
            "steps_per_processor_second": middle(&processor),
            "best_steps_per_processor_second": processor.last(),
        })
    );
    Ok(())
}
