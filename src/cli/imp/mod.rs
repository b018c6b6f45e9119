//! `imp`: iterative magnitude pruning on real data, with controls; see `options` for what can be asked, `seeds` for what
//! is kept and `summary` for what is said.

mod options;
mod seeds;
mod summary;

use super::reproduce::obey_interrupts;
use super::{Answer, option, training_options};
use clap::ArgMatches;
pub use options::command;
use seeds::Job;
use std::path::PathBuf;
use ticketsense::harness::{Settings, Stop};
use ticketsense::pruning::ImpSamples;
use ticketsense::table::Table;
use ticketsense::{Error, Result, files};

/// Runs `imp`.
///
/// # Errors
/// On a plan that cannot be, data that cannot be read, a folder that cannot be written, and interruption.
pub fn run(matches: &ArgMatches) -> Result<Answer> {
    let asked = options::Asked::new(matches)?;
    let controls = options::controls(option::<String>(matches, "controls")?)?;
    let out: &PathBuf = option(matches, "out")?;
    let dataset = training_options::dataset(matches)?;
    let plan = asked.plan(dataset.image())?;
    let described = dataset.describe();
    let samples = ImpSamples::new(dataset)?;
    let network = plan.build_network(&samples.view())?;
    plan.layer_rates(&network)?;
    let inputs = samples.view().training.inputs;
    plan.training.validate_for(inputs.rows(), inputs.columns())?;
    for control in &controls {
        control.check(&network)?;
    }
    require_writable(out)?;
    let jobs = matches
        .get_one::<u16>("jobs")
        .map_or(Settings::default().jobs, |jobs| usize::from(*jobs));
    let job = Job {
        plan: &plan,
        controls: &controls,
        samples: &samples,
        root: *option(matches, "seed")?,
        out,
    };
    let stop = Stop::new();
    obey_interrupts(&stop)?;
    let finished = seeds::compute(&job, *option::<u32>(matches, "seeds")?, jobs, &stop)?;
    let mut table = Table::new(seeds::COLUMNS);
    let mut history = Table::new(seeds::HISTORY_COLUMNS);
    for seed in &finished {
        for row in seed.table.rows() {
            table.push(row.clone())?;
        }
        for row in seed.history.rows() {
            history.push(row.clone())?;
        }
    }
    files::write_atomic(out.join("table.csv"), table.to_csv().as_bytes())?;
    files::write_atomic(out.join("history.csv"), history.to_csv().as_bytes())?;
    let reused = finished.iter().filter(|seed| seed.reused).count();
    let about = summary::About {
        data: described,
        network: network.name().to_string(),
        weights: network.layout().prunable(),
        silent: (samples.view().training.silent_inputs().len(), network.inputs()),
        seeds: finished.len(),
        reused,
        out: out.display().to_string(),
    };
    summary::answer(&about, &table)
}

/// Makes the folder and proves that it can be written, before any work is spent.
fn require_writable(out: &std::path::Path) -> Result<()> {
    files::create_folder(out)?;
    let probe = out.join(format!(".writable-{}", std::process::id()));
    files::write_atomic(&probe, b"")?;
    std::fs::remove_file(&probe).map_err(|e| Error::io(&probe, "remove", e))
}
