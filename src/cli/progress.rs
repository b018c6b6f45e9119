//! Progress bars on standard error, where that is a terminal; nothing otherwise.

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use ticketsense::harness::{ProgressSink, Report};

/// One bar an experiment.
#[derive(Debug)]
pub struct Terminal {
    bars: Option<(MultiProgress, Mutex<HashMap<String, ProgressBar>>)>,
}

impl Terminal {
    /// Bars when standard error is a terminal.
    pub fn new() -> Self {
        let visible = std::io::stderr().is_terminal();
        Terminal {
            bars: visible.then(|| (MultiProgress::new(), Mutex::default())),
        }
    }

    /// Takes the bars off the screen.
    pub fn clear(&self) {
        if let Some((screen, _)) = &self.bars {
            // A terminal that cannot be cleared is no reason to fail.
            let _ = screen.clear();
        }
    }

    fn with_bar(&self, experiment: &str, act: impl FnOnce(&ProgressBar)) {
        if let Some((_, bars)) = &self.bars
            && let Some(bar) = bars.lock().unwrap_or_else(PoisonError::into_inner).get(experiment)
        {
            act(bar);
        }
    }
}

impl ProgressSink for Terminal {
    fn planned(&self, experiment: &str, cells: usize, reused: usize) {
        let Some((screen, bars)) = &self.bars else { return };
        let style = ProgressStyle::with_template("{msg:24!} {wide_bar} {pos}/{len}  {elapsed} (left: {eta})");
        let bar = screen.add(ProgressBar::new(cells as u64));
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.set_message(experiment.to_string());
        bar.set_position(reused as u64);
        bar.reset_eta();
        bars.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(experiment.to_string(), bar);
    }

    fn cell_finished(&self, experiment: &str) {
        self.with_bar(experiment, |bar| bar.inc(1));
    }

    fn completed(&self, report: &Report) {
        self.with_bar(report.experiment, ProgressBar::finish);
    }
}
