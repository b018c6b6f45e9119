//! Percolation of a given layered graph, as one JSON object: how long it takes and how much memory.
//!
//! ```text
//! cargo run --release --example percolation_speed -- [--width 100000] [--depth 10] [--fan-out 10] [--keep 0.12]
//!     [--wiring random|neighbouring] [--batches 1] [--live yes|no]
//! ```
//!
//! The graph is wired once, all units of the first layer are sources, and a batch is 64 replicates. Memory is what the kernel
//! says was the most that the process ever held (`VmHWM`; null where there is no `/proc`), after wiring and at the end.

use std::time::Instant;
use ticketsense::simulations::percolation::{LayeredGraph, LayeredNetwork, Wiring};
use ticketsense::{Error, Result, Seed};

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let text = |name: &str, default: &str| -> String {
        let found = words.chunks(2).find(|pair| pair[0] == format!("--{name}"));
        found.and_then(|pair| pair.get(1)).map_or(default.into(), String::clone)
    };
    let whole = |name: &str, default: &str| -> Result<usize> {
        let word = text(name, default);
        word.parse().map_err(|_| Error::argument(name, "a whole number", word))
    };
    let keep = text("keep", "0.12");
    let network = LayeredNetwork {
        width: whole("width", "100000")?,
        fan_out: whole("fan-out", "10")?,
        keep: keep.parse().map_err(|_| Error::argument("keep", "a number", &keep))?,
        wiring: match text("wiring", "random").as_str() {
            "random" => Wiring::Random,
            "neighbouring" => Wiring::Neighbouring,
            other => return Err(Error::unknown("wiring", other, ["random", "neighbouring"])),
        },
    };
    let (depth, batches, seed) = (whole("depth", "10")?, whole("batches", "1")?, Seed::root(0));
    let start = Instant::now();
    let graph = LayeredGraph::wired(&network, depth, &seed)?;
    let (wired, wired_mb) = (start.elapsed().as_secs_f64(), peak_mb());
    let start = Instant::now();
    let found = graph.percolate(network.keep, network.width, batches, &seed)?;
    let percolated = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let live = match text("live", "yes").as_str() {
        "yes" => Some(graph.live(network.keep, batches, &seed)?),
        _ => None,
    };
    let lived = start.elapsed().as_secs_f64();
    let fraction = found.reached_units(depth)? as f64 / (network.width * found.replicates()) as f64;
    println!(
        "{{\"edges\": {}, \"replicates\": {}, \"connected\": {}, \"fraction\": {fraction}, \"live_edges\": {}, \"wire_seconds\": {wired}, \
         \"percolate_seconds\": {percolated}, \"live_seconds\": {}, \"wired_peak_mb\": {}, \"peak_mb\": {}}}",
        graph.edges(),
        found.replicates(),
        found.connected(depth)?,
        live.as_ref().map_or("null".into(), |l| l.live_edges.to_string()),
        live.map_or("null".into(), |_| lived.to_string()),
        number(wired_mb),
        number(peak_mb()),
    );
    Ok(())
}

fn number(value: Option<f64>) -> String {
    value.map_or("null".into(), |v| v.to_string())
}

/// The most memory that the process ever held, in megabytes.
fn peak_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1024.0)
}
