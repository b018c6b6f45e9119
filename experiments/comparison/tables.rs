//! Tables with accuracies of one's own making, for the tests of verdicts.

use super::line::{Line, SHARED, columns};
use super::{DENSE, FIRST_PILOT, MAIN, PILOT};
use ticketsense::table::{Column, Table};

const COLUMNS: [Column; SHARED] = columns([]);

/// The mean accuracy of an arm at a density.
pub type Rule<'a> = &'a dyn Fn(&str, f64) -> f64;

/// Even noise between −1 and 1 that differs from arm to arm and seed to seed.
pub fn noise(arm: &str, density: f64, seed: usize) -> f64 {
    let name: usize = arm.bytes().map(usize::from).sum();
    ((seed * 7 + name * 3 + (density * 1e4) as usize * 5) % 11) as f64 / 5.0 - 1.0
}

/// The shared lines of a table: dense main and pilot rows and every arm at every density, with the accuracies of a rule
/// and noise of at most `spread`.
pub fn lines_of(seeds: usize, spread: f64, arms: &[&str], densities: &[f64], rule: Rule<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut add = |part: &str, seed: usize, arm: &str, density: f64| {
        let accuracy = (rule(arm, density) + spread * noise(arm, density, seed)).clamp(0.0, 1.0);
        lines.push(
            Line::new(part, seed, arm, density)
                .with("test_accuracy", accuracy)
                .with("validation_accuracy", accuracy)
                .with("learning_rate", 3e-3)
                .with("kept", (5000.0 * density) as usize)
                .with("effective_density", density)
                .with("gradient_passes", 1.0)
                .with("status", "converged"),
        );
    };
    for seed in 0..seeds {
        add(MAIN, seed, DENSE, 1.0);
        for &density in densities {
            arms.iter().for_each(|arm| add(MAIN, seed, arm, density));
        }
        add(PILOT, FIRST_PILOT + seed, DENSE, 1.0);
    }
    lines
}

/// A table of those lines in the shared columns alone.
pub fn table_of(seeds: usize, spread: f64, arms: &[&str], densities: &[f64], rule: Rule<'_>) -> Table {
    let lines = lines_of(seeds, spread, arms, densities, rule);
    let rows = lines.iter().map(|line| line.row(&COLUMNS).unwrap());
    Table::with_rows(&COLUMNS, rows.collect()).unwrap()
}
